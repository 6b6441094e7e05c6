"""What classifiers learnt from few labels: errors, local smoothness, and how good their directions are.

Labels of validation, test and pool are read here, after all training, to measure; nothing goes back.
"""

import zlib
from collections.abc import Mapping, Sequence
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
from advdyn.logs import Progress
from advdyn.perceptrons import Mlps
from advdyn.semisupervised import directions
from advdyn.semisupervised.directions import MIYATO

STUDY = "semisupervised"
SPLITS = ("pool", "validation", "test")
ALONG = ("virtual", "random")
PLACES = ("pool", "test", "permuted")
COMPARED = 100  # images whose directions are compared with the converged one
NEAR = 0.9  # |cosine| from which a direction counts as the converged one
# Length at which the compared power iterations take their gradient, in float64. Above it the kinks of ReLU and the
# third derivative of KL turn the limit of many iterations away from the eigenvector; below it the gradient q - p of a
# saturated network, of the order xi (1 - max p), is lost in the rounding of p near 1.
XI = 1e-4
SEEN = 2000  # images whose probabilities are computed at a time

Floats = npt.NDArray[np.floating[Any]]
Arrays = Mapping[str, npt.NDArray[Any]]

# name: (dimensions after that of the seed, long name, units, references)
MEASURES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "error": (("split", "update"), "share of images given a wrong class; of the pool, unlabelled images only", "1", ""),
    "confidence": (("split",), "mean of the largest probability, at the end", "1", ""),
    "smoothness": (("along", "place", "length"), "mean KL(p(.|x) || p(.|x + r)), at the end", "nat", MIYATO),
    "flipped": (("along", "place", "length"), "share of images given another class at x + r than at x", "1", ""),
    "flipped_at_eps": (("along",), "share of unlabelled images given another class at r of the training's own eps",
                       "1", ""),
    "cosine": (("iteration",), "mean |cosine| of the direction with the leading eigenvector of the Hessian of KL", "1",
               MIYATO),
    "cosine_median": (("iteration",), "median of it over images", "1", MIYATO),
    "cosine_share": (("iteration",), f"share of images whose |cosine| is at least {NEAR}", "1", MIYATO),
    "gap": ((), "mean ratio of the second eigenvalue of the Hessian of KL to the first", "1", MIYATO),
}  # fmt: skip


def run(
    record: xr.Dataset,
    weights: Arrays,
    images: Images,
    *,
    n_validation: int,
    probe_eps: Sequence[float],
    probe_images: int,
    probe_iterations: Sequence[int],
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Measure the classifiers of a block of seeds.

    Parameters
    ----------
    record, weights
        Of ``training.run``, the record as a file of it is read (with its parameters); neither is changed.
    images
        Those of the training.
    n_validation
        The first so many validation images.
    probe_eps
        Lengths of r, in units of pixels.
    probe_images
        Images of each place, the first of them, or as many as there are: unlabelled images of the pool, test images,
        and test images with their pixels in another order, one and the same for all (off the manifold of the images).
    probe_iterations
        Power iterations whose directions are compared with the converged one, on at most COMPARED unlabelled images;
        r is along the direction of the last number of them, its sign as it comes (as in training).
    root
        Root of the random streams; only "evaluation" is drawn from, and all cells draw the same.
    device, dtype
        The networks find their directions in this precision, as in training; divergences at x + r, which may be below
        the rounding of float32, and the comparison with the converged direction are computed in float64.

    Returns
    -------
    Dataset
        MEASURES, with coordinates seed, update, split, along, place, length, iteration. NaN at and after the update by
        which a run diverged, and where there is no image to measure on (all of the pool labelled).

    Raises
    ------
    InputError
        When there are fewer validation images than asked for, or the images are not those of the training.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    point = io.point_of(record)
    _check(weights, images, n_validation)
    seeds, updates = record["seed"].values.tolist(), record["update"].values
    n_pool, labelled = weights["predicted/pool"].shape[-1], weights["labelled"]
    free = np.stack([np.setdiff1d(np.arange(n_pool), rows) for rows in labelled])  # as many for every seed
    lengths = {
        "split": len(SPLITS), "update": len(updates), "along": len(ALONG), "place": len(PLACES),
        "length": len(probe_eps), "iteration": len(probe_iterations),
    }  # fmt: skip
    values = {n: np.full((len(seeds), *(lengths[d] for d in m[0])), np.nan) for n, m in MEASURES.items()}
    values["error"] = _errors(record, weights, images, free, n_validation)

    order = _stream(root, 0, "permutation").permutation(images.x_test.shape[1])
    alive = np.flatnonzero(np.isnan(record["diverged_update"].values))
    progress = Progress(len(alive), "networks")
    for group in devices.batches(len(alive), where):
        runs = alive[group]
        network = _networks(weights, runs).to(where, kind)
        exact = _networks(weights, runs).to(where, torch.float64)
        values["confidence"][runs] = _confidences(network, images, free[runs], n_validation)
        probed: dict[str, Floats] = {
            "pool": images.x_train[free[runs, :probe_images]],
            "test": np.repeat(images.x_test[None, :probe_images], len(runs), 0),
        }
        probed["permuted"] = probed["test"][..., order]
        for p, (place, found) in enumerate(probed.items()):
            if not found.shape[1]:
                continue
            x = torch.as_tensor(found, dtype=kind, device=where)
            start = torch.from_numpy(
                np.stack([_stream(root, seeds[run], place).standard_normal(found.shape[1:]) for run in runs])
            ).to(x)
            given = {"xi": point["xi"], "iterations": probe_iterations[-1]}
            along = {"virtual": directions.virtual(network, x, start, **given), "random": directions.unit(start)}
            for a, name in enumerate(ALONG):
                at = _moved(exact, x, along[name], [*probe_eps, point["eps"]])
                values["smoothness"][runs, a, p], values["flipped"][runs, a, p] = (v[:, :-1] for v in at)
                if place == "pool":
                    values["flipped_at_eps"][runs, a] = at[1][:, -1]
            if place == "pool":
                few = x[:, :COMPARED].double(), start[:, :COMPARED].double()
                cosines, ratios = compared(exact, *few, probe_iterations)
                values["cosine"][runs] = _means(cosines)
                values["cosine_median"][runs] = _medians(cosines)
                values["cosine_share"][runs] = _means(np.where(np.isnan(cosines), np.nan, cosines >= NEAR))
                values["gap"][runs] = _means(ratios)
        progress(group[-1] + 1)
    data = {
        name: io.variable(("seed", *dims), values[name], text, units, references)
        for name, (dims, text, units, references) in MEASURES.items()
    }
    coords = {
        **{name: record[name].variable for name in ("seed", "update")},
        "split": io.variable(("split",), list(SPLITS), "split: validation chooses, test only measures"),
        "along": io.variable(("along",), list(ALONG), "direction of r"),
        "place": io.variable(
            ("place",),
            list(PLACES),
            "where x is: unlabelled images of the pool, test images, these with permuted pixels",
        ),
        "length": io.variable(("length",), np.asarray(probe_eps, float), "length of r", "pixel range"),
        "iteration": io.variable(("iteration",), np.asarray(probe_iterations), "power iterations"),
    }
    attrs = {"title": "Classifiers of few labels, measured", "device": where.type, "dtype": dtype, "generator": "SFC64"}
    return xr.Dataset(data, coords=coords, attrs=attrs)


def compared(
    network: Mlps, x: Tensor, start: Tensor, iterations: Sequence[int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How near the converged direction is after some power iterations.

    Parameters
    ----------
    network
        In float64.
    x, start : shape (run, example, input)
        Examples and where the iterations start, float64.
    iterations
        Numbers of iterations, increasing.

    Returns
    -------
    cosine : shape (run, iteration, example)
        |cosine| with ``directions.converged``. NaN where the Hessian is 0 and there is no direction.
    ratio : shape (run, example)
        Second eigenvalue over first, NaN there also: what one iteration leaves of the second eigenvector.
    """
    limit, spectrum = directions.converged(network, x)
    some = spectrum[..., 0] > 0
    cosines, d, made = [], start, 0
    for number in iterations:
        d, made = directions.virtual(network, x, d, xi=XI, iterations=number - made), number
        cosines.append(torch.where(some, (d * limit).sum(-1).abs(), torch.nan))
    ratio = torch.where(some, spectrum[..., 1] / spectrum[..., 0], torch.nan)
    return torch.stack(cosines, 1).cpu().numpy(), ratio.cpu().numpy()


def _check(weights: Arrays, images: Images, n_validation: int) -> None:
    """Refuse other images than those predicted in training, and more validation images than there are."""
    there = {"validation": len(images.x_validation), "test": len(images.x_test)}
    if n_validation > there["validation"]:
        raise InputError(
            f"n_validation: found {n_validation}, allowed: at most {there['validation']}, the validation images there "
            "are"
        )
    for split, n in there.items():
        seen = weights[f"predicted/{split}"].shape[-1]
        if seen != n:
            raise InputError(f"images: found {n} of {split}, allowed: the {seen} of the training")
    n_pool, pixels = weights["predicted/pool"].shape[-1], weights["network/w0"].shape[1]
    if n_pool > len(images.x_train) or pixels != images.x_train.shape[1]:
        raise InputError(
            f"images: found {len(images.x_train)} of {images.x_train.shape[1]} pixels to train on, allowed: at least "
            f"{n_pool} of {pixels} pixels, as in training"
        )


def _errors(
    record: xr.Dataset, weights: Arrays, images: Images, free: npt.NDArray[np.int64], n_validation: int
) -> npt.NDArray[np.float64]:
    """Errors of the kept predictions, (seed, split, update)."""
    wrong = {
        "pool": weights["predicted/pool"] != images.y_train[: weights["predicted/pool"].shape[-1]],
        "validation": (weights["predicted/validation"] != images.y_validation)[..., :n_validation],
        "test": weights["predicted/test"] != images.y_test,
    }
    wrong["pool"] = np.take_along_axis(wrong["pool"], free[:, None], 2)
    errors = np.stack([_means(wrong[split].astype(float)) for split in SPLITS], 1)
    gone = record["diverged_update"].values[:, None] <= record["update"].values
    return np.where(gone[:, None], np.nan, errors)


def _networks(weights: Arrays, runs: npt.NDArray[np.int64]) -> Mlps:
    own = {name: value[runs] for name, value in weights.items() if name.startswith("network/")}
    return Mlps.of(own, "network/", slope=0.0).requires_grad_(False)


@torch.no_grad()
def _confidences(
    network: Mlps, images: Images, free: npt.NDArray[np.int64], n_validation: int
) -> npt.NDArray[np.float64]:
    """Mean of the largest probability, (run, split)."""
    like = next(network.parameters())
    found = []
    for x in (images.x_train[: free.max(initial=-1) + 1], images.x_validation[:n_validation], images.x_test):
        parts = [np.zeros((network.runs, 0))]
        for at in range(0, len(x), SEEN):
            some = torch.as_tensor(x[at : at + SEEN]).to(like).expand(network.runs, -1, -1)
            parts.append(network(some).softmax(-1).amax(-1).double().cpu().numpy())
        found.append(np.concatenate(parts, 1))
    found[0] = np.take_along_axis(found[0], free, 1)
    return np.stack([_means(v) for v in found], 1)


@torch.no_grad()
def _moved(
    network: Mlps, x: Tensor, direction: Tensor, lengths: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean KL(p(.|x) || p(.|x + r)) and the share that changes class, (run, length) both."""
    x, direction = x.double(), direction.double()
    log_p = functional.log_softmax(network(x), -1)
    before = log_p.argmax(-1)
    kl, flipped = [], []
    for length in lengths:
        logits = network(x + length * direction)
        kl.append(directions.divergence(log_p, logits).mean(-1))
        flipped.append((logits.argmax(-1) != before).double().mean(-1))
    return torch.stack(kl, 1).cpu().numpy(), torch.stack(flipped, 1).cpu().numpy()


def _means(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Mean over the last axis of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    n = there.sum(-1)
    return np.where(n > 0, np.where(there, values, 0.0).sum(-1) / np.maximum(n, 1), np.nan)


def _medians(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median over the last axis of what is there; NaN where nothing is."""
    found = np.ma.median(np.ma.masked_invalid(values), axis=-1)
    return np.ma.filled(found, np.nan)


def _stream(root: int, seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each name of a seed: how many images one place has changes nothing of the others."""
    parent = streams.sequence(root, STUDY, seed, "evaluation")
    key = (*parent.spawn_key, zlib.crc32(name.encode()))
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(parent.entropy, spawn_key=key)))
