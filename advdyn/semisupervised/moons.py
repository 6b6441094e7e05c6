"""Two moons: what unlabelled points add when the classes lie apart, and when they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from sklearn.datasets import make_moons

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.logs import Progress
from advdyn.perceptrons import Mlps
from advdyn.semisupervised import directions, distances, labels
from advdyn.semisupervised.directions import MIYATO
from advdyn.semisupervised.training import STUDY, Method, Settings, Streams, train

METHODS: tuple[Method, ...] = get_args(Method)
LEARNING_RATE = 1e-2  # of Adam
BATCH_POOL = 64
ITERATIONS = 8  # of the power iteration whose directions are shown
FRESH = 2000  # points that errors are measured on
GRID = (80, 60)  # along x and y
MARGIN = 0.1  # of the grid around the points
MOONS = "scikit-learn, datasets.make_moons"

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """Points of one seed at one noise: ``pool`` (n, 2) with classes, the rows labelled, and as fresh ones."""

    pool: Floats
    classes: Integers
    labelled: Integers
    fresh: Floats
    fresh_classes: Integers


def draw(n_pool: int, n_labels: int, noise: float, *, root: int, seed: int) -> Points:
    """Points of two moons of unit radius. At a seed they differ between noises by the size of the noise alone."""
    generator = streams.generator(root, STUDY, seed, "data")
    states = [int(n) for n in generator.integers(2**32, size=2)]
    (pool, y), (fresh, u) = (
        make_moons(n, noise=noise, random_state=state) for n, state in zip((n_pool, FRESH), states, strict=True)
    )
    y, u = y.astype(np.int64), u.astype(np.int64)
    return Points(pool, y, labels.choose(y, n_labels, generator), fresh, u)


def run(
    *,
    moons_labels: int,
    moons_pool: int,
    moons_noise: Sequence[float],
    moons_eps: float,
    moons_width: int,
    moons_updates: int,
    moons_seeds: int,
    xi: float,
    alpha: float,
    root: int,
) -> xr.Dataset:
    """Train one classifier 2-width-width-2 (ReLU) for each noise, method and seed, all of a method as one batch.

    Training is that of the images (``training.train``), in float64, with K = 1 and batches of all labelled points and
    64 of the pool. Methods and noises share the random numbers of a seed.

    Parameters
    ----------
    moons_labels, moons_pool
        Labelled points, as many of each moon, and points of the pool, these among them.
    moons_noise
        Standard deviations of the noise, in radii of a moon.
    moons_eps
        Length of r, in the same units.
    moons_width, moons_updates, moons_seeds
        Neurons of each hidden layer, updates, seeds.
    xi, alpha
        As in ``training.run``.
    root
        Root of the random streams.

    Returns
    -------
    Dataset
        Over seeds: ``moons_error`` (moon_noise, moon_method, moon_seed) on 2,000 fresh points; ``moons_flipped``, the
        share of the pool whose predicted class r changes; ``moons_beyond`` (moon_noise, moon_seed), the share of the
        pool that is farther than 2 eps from every point of the other moon. Of the first seed: ``moons_probability``
        (moon_noise, moon_method, gy, gx), the points of the pool with ``moons_class`` and ``moons_labelled``,
        ``moons_direction`` (moon_noise, moon_method, moon_point, axis), r at each, and quantiles of the distance to
        the other moon, ``moons_other_distance`` (moon_noise, level). NaN of a run that diverged.
    """
    where = devices.resolve("cpu")
    settings = Settings(
        training="supervised", eps=moons_eps, power_iterations=1, xi=xi, alpha=alpha, width=moons_width,
        batch_normalisation=False, learning_rate=LEARNING_RATE, decay="linear", batch_labelled=moons_labels,
        batch_pool=BATCH_POOL, updates=moons_updates, checkpoints=1,
    )  # fmt: skip
    shape = len(moons_noise), moons_seeds
    numbers = np.tile(np.arange(moons_seeds), len(moons_noise)).tolist()  # seed of each run; noises one after the other
    drawn = [
        draw(moons_pool, moons_labels, noise, root=root, seed=seed)
        for noise in moons_noise
        for seed in range(moons_seeds)
    ]
    firsts = drawn[::moons_seeds]
    gx, gy = _grid(firsts)
    grid = np.stack(np.meshgrid(gx, gy), -1).reshape(-1, 2)
    pool, fresh = (torch.from_numpy(np.stack([getattr(p, name) for p in drawn])) for name in ("pool", "fresh"))
    x = torch.from_numpy(np.stack([p.pool[p.labelled] for p in drawn]))
    y = torch.from_numpy(np.stack([p.classes[p.labelled] for p in drawn]))
    truth = np.stack([p.fresh_classes for p in drawn])
    start = torch.from_numpy(
        np.stack([streams.generator(root, STUDY, n, "evaluation").standard_normal((moons_pool, 2)) for n in numbers])
    )
    found: dict[str, list[Floats]] = {name: [] for name in ("error", "flipped", "probability", "direction")}
    progress = Progress(len(METHODS) * moons_updates, "updates")
    for k, method in enumerate(METHODS):

        def note(update: int, before: int = k * moons_updates) -> None:
            progress(before + update)

        own = [Streams.of(root, seed) for seed in numbers]
        network, kept = train(x, y, pool, 2, replace(settings, training=method), own, lambda *_: None, note)
        network.requires_grad_(False)
        lost = np.isfinite(kept["diverged_update"]).reshape(shape)
        wrong = (network(fresh).argmax(-1).numpy() != truth).mean(1).reshape(shape)
        r, flipped = worst(network, pool, start, eps=moons_eps, xi=xi)
        first = Mlps.of({name: values[::moons_seeds] for name, values in network.arrays().items()}, slope=0.0)
        with torch.no_grad():
            p = first(torch.from_numpy(grid).expand(first.runs, -1, -1)).softmax(-1)[..., 1].numpy()
        found["error"].append(np.where(lost, np.nan, wrong))
        found["flipped"].append(np.where(lost, np.nan, flipped.numpy().mean(1).reshape(shape)))
        gone = lost[:, 0, None, None]
        found["probability"].append(np.where(gone, np.nan, p.reshape(-1, len(gy), len(gx))))
        found["direction"].append(np.where(gone, np.nan, r.numpy()[::moons_seeds]))
    measured = {name: np.stack(values, 1) for name, values in found.items()}
    apart = [distances.nearest(p.pool, p.classes)[0] for p in drawn]
    measured["beyond"] = np.array([(d > 2 * moons_eps).mean() for d in apart]).reshape(shape)
    measured["other_distance"] = np.stack([distances.levels(d) for d in apart[::moons_seeds]])
    return _dataset(measured, firsts, moons_noise, moons_seeds, gx, gy, where)


def worst(
    network: Mlps, x: torch.Tensor, start: torch.Tensor, *, eps: float, xi: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Virtual adversarial perturbations of length eps, of the two signs that with the larger KL.

    Parameters
    ----------
    x, start : shape (run, example, input)
        Examples, and what the power iteration starts from.

    Returns
    -------
    r : shape (run, example, input)
    flipped : shape (run, example)
        Whether the class given at x + r is another than at x.
    """
    with torch.no_grad():
        logits = network(x)
        log_p = logits.log_softmax(-1)
    r = eps * directions.virtual(network, x, start, xi=xi, iterations=ITERATIONS, log_p=log_p)
    with torch.no_grad():
        up, down = (directions.divergence(log_p, network(x + sign * r)) for sign in (1, -1))
        r = torch.where((up >= down)[..., None], r, -r)
        return r, network(x + r).argmax(-1) != logits.argmax(-1)


def _grid(firsts: Sequence[Points]) -> tuple[Floats, Floats]:
    """Coordinates that hold all points of the pools."""
    points = np.concatenate([p.pool for p in firsts])
    low, high = points.min(0) - MARGIN, points.max(0) + MARGIN
    return np.linspace(low[0], high[0], GRID[0]), np.linspace(low[1], high[1], GRID[1])


def _dataset(
    measured: dict[str, Floats],
    firsts: Sequence[Points],
    noises: Sequence[float],
    n_seeds: int,
    gx: Floats,
    gy: Floats,
    where: torch.device,
) -> xr.Dataset:
    labelled = np.zeros((len(firsts), len(firsts[0].pool)), np.int8)
    for row, points in zip(labelled, firsts, strict=True):
        row[points.labelled] = 1
    runs = ("moon_noise", "moon_method", "moon_seed")
    radius = "radius"  # of a moon
    return xr.Dataset(
        {
            "moons_error": io.variable(runs, measured["error"], "test error on two moons"),
            "moons_flipped": io.variable(
                runs, measured["flipped"],
                "share of the pool of two moons whose predicted class r changes, along the virtual adversarial "
                "direction", "1", MIYATO,
            ),
            "moons_beyond": io.variable(
                ("moon_noise", "moon_seed"), measured["beyond"],
                "share of the pool farther than 2 eps from every point of the other moon", "1", distances.MANIFOLDS,
            ),
            "moons_probability": io.variable(
                ("moon_noise", "moon_method", "gy", "gx"), measured["probability"], "p(class 1) of the first seed"
            ),
            "moons_point": io.variable(
                ("moon_noise", "moon_point", "axis"), np.stack([p.pool for p in firsts]),
                "points of the pool, first seed", radius, MOONS,
            ),
            "moons_class": io.variable(
                ("moon_noise", "moon_point"), np.stack([p.classes for p in firsts]).astype(np.int8),
                "moon that the point is of",
            ),
            "moons_labelled": io.variable(
                ("moon_noise", "moon_point"), labelled, "whether the point is labelled"
            ),
            "moons_direction": io.variable(
                ("moon_noise", "moon_method", "moon_point", "axis"), measured["direction"],
                "r of length eps along the virtual adversarial direction at the points, first seed", radius, MIYATO,
            ),
            "moons_other_distance": io.variable(
                ("moon_noise", "level"), measured["other_distance"],
                "distance to the nearest point of the other moon, quantile over the pool, first seed", radius,
                distances.MANIFOLDS,
            ),
        },
        coords={
            "moon_noise": io.variable(("moon_noise",), np.asarray(noises, float), "standard deviation of the noise",
                                      radius),
            "moon_method": ("moon_method", list(METHODS)),
            "moon_seed": io.variable(("moon_seed",), np.arange(n_seeds), "seed"),
            "gx": io.variable(("gx",), gx, "first coordinate", radius),
            "gy": io.variable(("gy",), gy, "second coordinate", radius),
            "axis": ("axis", ["x", "y"]),
            "level": distances.level(),
        },
        attrs={
            "title": "Two moons", "device": where.type, "dtype": "float64",
            "generator": "numpy SFC64, one stream for each seed and purpose",
        },
    )  # fmt: skip
