"""Train classifiers on a few labelled images and a pool of unlabelled ones, all seeds of a block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import Progress, log
from advdyn.minibatches import Deck, rows
from advdyn.perceptrons import Mlps
from advdyn.semisupervised import directions, labels, lengths
from advdyn.semisupervised.directions import MIYATO

STUDY = "semisupervised"
Method = Literal["supervised", "adversarial", "random", "pseudo-label", "virtual"]
Decay = Literal["linear", "exponential"]
TAIL = 0.4  # share of the updates, the last, over which the learning rate falls to 0
FACTOR, EVERY = 0.9, 500  # of an exponential decay
SEEN = 2000  # images predicted at a time
LOST = 255  # the class that a run which diverged predicts
SPLITS = ("pool", "validation", "test")

Arrays = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Settings:
    """Loss, network and updates; the fields are parameters of the study."""

    training: Method
    eps: float
    power_iterations: int
    xi: float
    alpha: float
    width: int
    batch_normalisation: bool
    learning_rate: float
    decay: Decay
    batch_labelled: int
    batch_pool: int
    updates: int
    checkpoints: int


@dataclass(frozen=True)
class Streams:
    """Random streams of one run. All methods share all of them, so that runs of one seed are compared in pairs."""

    initial: np.random.Generator
    labelled: np.random.Generator  # order of the labelled images
    pool: np.random.Generator  # order of the pool
    directions: np.random.Generator  # from which power iterations start, and random directions

    @classmethod
    def of(cls, root: int, seed: int) -> "Streams":
        """The streams of a seed of the study."""
        initial = streams.generator(root, STUDY, seed, "initialisation")
        return cls(initial, *streams.generator(root, STUDY, seed, "training").spawn(3))


def run(
    images: Images,
    *,
    training: Method,
    n_labels: int,
    n_pool: int,
    eps: float,
    power_iterations: int,
    xi: float,
    alpha: float,
    width: int,
    batch_normalisation: bool,
    learning_rate: float,
    decay: Decay,
    batch_labelled: int,
    batch_pool: int,
    updates: int,
    checkpoints: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, Arrays]:
    """Train one classifier pixels-width-width-classes (ReLU) for each seed.

    The loss is the cross-entropy of a minibatch of the labelled images, and with it

    * ``supervised``: nothing;
    * ``adversarial``: alpha times the cross-entropy of the same images, each moved by eps along the gradient of its
      own (l2; true labels, and no image of the pool);
    * ``random``, ``pseudo-label``, ``virtual``: alpha KL(p(.|x) || p(.|x + r)), mean over a minibatch of the pool,
      p(.|x) held fixed, r of length eps along the direction of that name (module ``directions``).

    Parameters
    ----------
    images
        In [0, 1]. The first ``n_pool`` training images are the pool, ``n_labels`` of them labelled (``labels.choose``,
        anew for each seed). Labels of the others are not read, nor any of validation and test.
    power_iterations, xi
        Of the direction ``virtual``.
    batch_normalisation
        Of every layer, that of the logits too. Predictions are made with statistics of the pool, or, where the
        training has none, with the running ones of labelled minibatches.
    learning_rate, decay
        Of Adam: constant and over the last 40 % of the updates linearly to 0, or .9 of it after every 500 updates.
    batch_labelled, batch_pool
        Images of an update; never more than there are.
    updates, checkpoints
        Predictions are kept at this many evenly spaced updates, the last among them.

    Returns
    -------
    record
        ``loss_labelled, loss_smooth`` over (seed, update), in nats, means since the checkpoint before; ``norm_error``
        (seed), the largest | |r| / eps - 1 | of the training; ``diverged, diverged_update`` (seed). A run that
        diverged has NaN from there on. ``classes`` and ``pixels`` say what the networks are for.
    weights
        ``network/<name>`` (seed, ...) at the end, names of ``perceptrons.Mlps``; ``labelled`` (seed, n_labels) rows of
        the pool; ``predicted/pool, predicted/validation, predicted/test`` (seed, update, image) uint8, the class
        predicted (255 of a run that diverged).

    Raises
    ------
    InputError
        When pixels leave [0, 1], the pool has fewer images than asked for, or the labels cannot be had.
    DeviceError
        When ``device`` is not there.
    """
    if not 1 <= n_pool <= len(images.x_train):
        raise InputError(f"n_pool: found {n_pool}, allowed: 1 to {len(images.x_train)}, the training images there are")
    y = images.y_train[:n_pool]
    classes = int(images.y_train.max()) + 1
    own = [labels.choose(y, n_labels, streams.generator(root, STUDY, seed, "data"), classes) for seed in seeds]
    settings = Settings(
        training, eps, power_iterations, xi, alpha, width, batch_normalisation, learning_rate, decay, batch_labelled,
        batch_pool, updates, checkpoints,
    )  # fmt: skip
    return fit(images, np.stack(own), settings, n_pool=n_pool, root=root, device=device, dtype=dtype, seeds=seeds)


def fit(
    images: Images,
    labelled: npt.NDArray[np.int64],
    settings: Settings,
    *,
    n_pool: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, Arrays]:
    """``run`` with the labelled images chosen, ``labelled`` (seed, n_labels): of ``y_train`` only their labels count.

    Predictions on images of validation and test are made beside the training, which nothing of them reaches.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    if mistake := lengths.wrong(settings.eps, settings.xi, dtype):
        raise InputError(mistake)
    for x in (images.x_train[:n_pool], images.x_validation, images.x_test):
        if len(x) and not (x.min() >= 0 and x.max() <= 1):
            raise InputError(f"images: found pixels from {x.min():g} to {x.max():g}, allowed: 0 to 1")
    pool, validation, test = (
        torch.as_tensor(x, dtype=kind, device=where)
        for x in (images.x_train[:n_pool], images.x_validation, images.x_test)
    )
    y = images.y_train[labelled]
    classes = int(y.max()) + 1
    if classes > LOST:
        raise InputError(f"labels: found {classes} classes, allowed: at most {LOST}")
    sets = dict(zip(SPLITS, (pool, validation, test), strict=True))
    progress = Progress(len(seeds) * settings.updates, "updates")
    parts: list[tuple[Arrays, Arrays]] = []
    for group in devices.batches(len(seeds), where):
        own = [Streams.of(root, seeds[number]) for number in group]
        few = pool[torch.from_numpy(labelled[group]).to(where)]

        def note(update: int, group: list[int] = group) -> None:
            progress(group[0] * settings.updates + len(group) * update)

        seen = _Predictions(sets, settings.checkpoints, len(group))
        found = train(few, torch.from_numpy(y[group]).to(where), pool[None], classes, settings, own, seen.keep, note)
        parts.append((found[1], {**found[0].arrays("network/"), **seen.arrays}))
    kept, weights = ({n: np.concatenate([p[i][n] for p in parts]) for n in parts[0][i]} for i in (0, 1))
    lost = np.isfinite(kept["diverged_update"])
    for seed, at in zip(seeds, kept["diverged_update"], strict=True):
        if np.isfinite(at):
            log.warning("seed %d diverged by update %d", seed, at)
    for name in SPLITS:
        gone = kept["diverged_update"][:, None] <= moments(settings)
        weights[f"predicted/{name}"][gone] = LOST
    record = _record(kept, lost, moments(settings), where, dtype, seeds)
    record["classes"] = io.variable((), np.int64(classes), "number of classes")
    record["pixels"] = io.variable((), np.int64(pool.shape[1]), "pixels of an image")
    return record, weights | {"labelled": labelled}


def train(
    x: Tensor,
    y: Tensor,
    pool: Tensor,
    classes: int,
    settings: Settings,
    own: Sequence[Streams],
    at_checkpoint: Callable[[int, Mlps], None],
    note: Callable[[int], None] = lambda _: None,
) -> tuple[Mlps, Arrays]:
    """Train one network for each run, all as one batch of tensors.

    Parameters
    ----------
    x, y : shape (run, label, input), (run, label)
        Labelled examples and their classes.
    pool : shape (1 or run, n, input)
        Unlabelled examples, the same for all runs if the first dimension is 1.
    own
        One for each run.
    at_checkpoint
        Called with the number of the checkpoint, from 0, and the networks (in evaluation mode).
    note
        Called with the number of updates made.

    Returns
    -------
    networks
        In evaluation mode.
    kept
        ``loss_labelled, loss_smooth`` (run, checkpoint), ``norm_error, diverged_update`` (run), NaN without any.
    """
    runs, n_labels = y.shape
    network = Mlps(
        (x.shape[2], settings.width, settings.width, classes), runs,
        batch_normalisation=settings.batch_normalisation, normalised_outputs=settings.batch_normalisation, slope=0.0,
        dtype=x.dtype,
    ).initialise([streams.initial for streams in own]).to(x.device)  # fmt: skip
    adam = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    of_labelled = Deck(n_labels, min(settings.batch_labelled, n_labels), [s.labelled for s in own])
    of_pool = Deck(pool.shape[1], min(settings.batch_pool, pool.shape[1]), [s.pool for s in own])
    smooth = Smoothness(network, settings, [s.directions for s in own])
    stops = moments(settings)
    kept = {name: np.full((runs, len(stops)), np.nan) for name in ("loss_labelled", "loss_smooth")}
    lost = np.full(runs, np.nan)
    sums, since = torch.zeros(2, runs, dtype=x.dtype, device=x.device), 0
    network.train()
    for update in range(settings.updates):
        for group in adam.param_groups:
            group["lr"] = settings.learning_rate * factor(settings.decay, update, settings.updates)
        which = of_labelled()
        one, its = rows(x, which), rows(y, which)
        of_labels = _cross_entropy(network(one), its)
        if settings.training == "supervised":
            term = torch.zeros_like(of_labels)
        elif settings.training == "adversarial":
            term = smooth.adversarial(one, its)
        else:
            term = smooth(rows(pool, of_pool()))
        adam.zero_grad()
        (of_labels + settings.alpha * term).sum().backward()
        adam.step()
        sums, since = sums + torch.stack((of_labels.detach(), term.detach())), since + 1
        if update + 1 in stops:
            k = int(np.searchsorted(stops, update + 1))
            losses = (sums / since).double().cpu().numpy()
            finite = np.isfinite(losses).all(0) & _finite(network)
            lost[~finite & np.isnan(lost)] = update + 1
            for name, values in zip(("loss_labelled", "loss_smooth"), losses, strict=True):
                kept[name][:, k] = np.where(np.isfinite(lost), np.nan, values)
            sums, since = torch.zeros_like(sums), 0
            if settings.batch_normalisation and settings.training not in ("supervised", "adversarial"):
                network.adopt(pool)  # those of the labelled examples alone are of a batch that the network knows
            at_checkpoint(k, network.eval())
            network.train()
        note(update + 1)
    norm_error = np.where(np.isfinite(lost), np.nan, smooth.norm_error.double().cpu().numpy())
    return network.eval(), kept | {"norm_error": norm_error, "diverged_update": lost}


class Smoothness:
    """What is added to the cross-entropy of the labelled examples, (run,), in nats."""

    def __init__(self, network: Mlps, settings: Settings, generators: Sequence[np.random.Generator]) -> None:
        self.network, self.settings, self.generators = network, settings, generators
        weight = next(network.parameters())
        self.norm_error = torch.zeros(len(generators), dtype=weight.dtype, device=weight.device)

    def __call__(self, x: Tensor) -> Tensor:
        """KL(p(.|x) || p(.|x + r)), mean over the examples x (run, example, input)."""
        with self.network.untracked():
            with torch.no_grad():
                log_p = functional.log_softmax(self.network(x), -1)
            r = self._scaled(self._direction(x, log_p))
            return directions.divergence(log_p, self.network(x + r)).mean(-1)

    def adversarial(self, x: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy at x + r, r along the gradient of its own at x, mean over the examples."""
        with self.network.untracked():
            self.network.requires_grad_(False)
            r = self._scaled(directions.label(self.network, x, y))
            self.network.requires_grad_(True)
            return _cross_entropy(self.network(x + r), y)

    def _direction(self, x: Tensor, log_p: Tensor) -> Tensor:
        method = self.settings.training
        self.network.requires_grad_(False)  # gradients of the weights would be made for nothing
        if method == "pseudo-label":
            d = directions.label(self.network, x, log_p.argmax(-1))
        else:
            drawn = [g.standard_normal(x.shape[1:], np.float32) for g in self.generators]
            d = torch.from_numpy(np.stack(drawn)).to(x)
            if method == "virtual":
                xi, iterations = self.settings.xi, self.settings.power_iterations
                d = directions.virtual(self.network, x, d, xi=xi, iterations=iterations, log_p=log_p)
            else:
                d = directions.unit(d)
        self.network.requires_grad_(True)
        return d

    def _scaled(self, d: Tensor) -> Tensor:
        """The direction at length eps; how far from it the longest or shortest is, is kept. A direction 0 stays 0."""
        r = self.settings.eps * d
        norm = torch.linalg.vector_norm(r, dim=-1)
        error = torch.where(norm > 0, (norm / self.settings.eps - 1).abs(), 0.0).amax(-1)
        self.norm_error = torch.maximum(self.norm_error, error)
        return r


def moments(settings: Settings) -> npt.NDArray[np.int64]:
    """Numbers of updates after which predictions are kept, increasing, the last one all of them."""
    return np.round(np.linspace(0, settings.updates, settings.checkpoints + 1)[1:]).astype(np.int64)


def factor(decay: Decay, update: int, updates: int) -> float:
    """The learning rate at an update (from 0), in units of the first."""
    if decay == "exponential":
        return FACTOR ** (update // EVERY)
    return min(1.0, (updates - update) / (TAIL * updates))


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """-log p(y|x), mean over the examples, (run,)."""
    return -functional.log_softmax(logits, -1).gather(-1, y[..., None])[..., 0].mean(-1)


@torch.no_grad()
def _finite(network: Mlps) -> npt.NDArray[np.bool_]:
    return torch.stack([p.flatten(1).isfinite().all(1) for p in network.parameters()]).all(0).cpu().numpy()


class _Predictions:
    """Classes predicted at the checkpoints: no label is needed to make them."""

    def __init__(self, sets: dict[str, Tensor], checkpoints: int, runs: int) -> None:
        self.sets = sets
        self.arrays: Arrays = {
            f"predicted/{name}": np.zeros((runs, checkpoints, len(x)), np.uint8) for name, x in sets.items()
        }

    @torch.no_grad()
    def keep(self, k: int, network: Mlps) -> None:
        for name, x in self.sets.items():
            for start in range(0, len(x), SEEN):
                logits = network(x[start : start + SEEN].expand(network.runs, -1, -1))
                self.arrays[f"predicted/{name}"][:, k, start : start + SEEN] = logits.argmax(-1).cpu().numpy()


def _record(
    kept: Arrays,
    lost: npt.NDArray[np.bool_],
    at: npt.NDArray[np.int64],
    where: torch.device,
    dtype: str,
    seeds: Sequence[int],
) -> xr.Dataset:
    over = ("seed", "update")
    return xr.Dataset(
        {
            "loss_labelled": io.variable(
                over, kept["loss_labelled"], "cross-entropy of labelled images, mean since the checkpoint before", "nat"
            ),
            "loss_smooth": io.variable(
                over, kept["loss_smooth"], "term added to it, mean since the checkpoint before", "nat", MIYATO
            ),
            "norm_error": io.variable(
                ("seed",), kept["norm_error"], "largest relative error of the length of r in training", "1", MIYATO
            ),
            "diverged": io.variable(("seed",), lost.astype(np.int8), "whether the run diverged"),
            "diverged_update": io.variable(
                ("seed",), kept["diverged_update"], "updates by which the run had diverged", "update"
            ),
        },
        coords={
            "seed": io.variable(("seed",), np.asarray(seeds), "seed"),
            "update": io.variable(("update",), at, "updates made", "update"),
        },
        attrs={"device": where.type, "dtype": dtype, "generator": "numpy SFC64, one stream for each seed and purpose"},
    )
