"""The same images at several resolutions: how the reach of a small attack grows with the number of pixels.

The shift of a margin under an l_inf attack is eps |g|_1 to first order, a sum over pixels: with the number of pixels
it grows, and the eps that turns half the test images wrong falls.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from advdyn import devices, io
from advdyn.attacks.attack import FGSM
from advdyn.attacks.classifier import Classifier
from advdyn.attacks.minimum import minimum_eps
from advdyn.data.load import Images
from advdyn.logs import Progress, log
from advdyn.robustness import measures, names, training
from advdyn.robustness.measures import PIXELS, REFERENCE

SHIFT = 0.007  # the size of the attack on the panda, one step of 8-bit images rounded
LARGEST = 1.0  # half_eps is looked for up to here

VARIABLES = {
    "scaled_clean_error": ("test error without attack", "1"),
    "scaled_gradient_l1": ("mean |g|_1 of the margin's input gradient g on test images", "1/pixel range"),
    "scaled_gradient_l2": ("mean |g|_2 of the margin's input gradient g on test images", "1/pixel range"),
    "half_eps": (
        f"median over test images of the smallest eps of FGSM that succeeds, no box (inf: above {LARGEST:g})", PIXELS
    ),
    "half_eps_correct": ("the same over the test images that are classified correctly without attack", PIXELS),
    "shift": (f"mean fall of the margin under x - {SHIFT:g} sign(g), no box", "1"),
}  # fmt: skip


def weights(side: int, new: int) -> np.ndarray:
    """Share of each old pixel in each new one along an edge, (new, side), rows summing to 1."""
    edges = np.arange(new + 1) * side / new
    old = np.arange(side)
    overlap = np.minimum(edges[1:, None], old + 1.0) - np.maximum(edges[:-1, None], old)
    return np.clip(overlap, 0, None) * new / side


def resample(x: np.ndarray, side: int, new: int) -> np.ndarray:
    """Square grey images at another resolution: each new pixel is the mean of the old image over its area.

    Coarser, that is the area mean; finer by a whole factor, every pixel is repeated.

    Parameters
    ----------
    x : (n, side^2)

    Returns
    -------
    (n, new^2), in the dtype of x.
    """
    w = weights(side, new).astype(x.dtype)
    image = x.reshape(-1, side, side)
    found = np.clip(w @ image @ w.T, 0, 1) if new != side else image
    return np.ascontiguousarray(found.reshape(len(x), new * new))


def at_resolution(images: Images, side: int) -> Images:
    """The dataset with images of side x side pixels."""
    old = images.shape[0]
    return dataclasses.replace(
        images,
        x_train=resample(images.x_train, old, side),
        x_validation=resample(images.x_validation, old, side),
        x_test=resample(images.x_test, old, side),
        shape=(side, side),
    )


def smallest_fgsm(classifier: Classifier, x: Tensor, y: Tensor, linear: bool) -> np.ndarray:
    """Smallest eps at which FGSM turns each image wrong, without a box, (n,).

    For a linear classifier exactly, from the crossing of its logits along the ray, else as ``minimum_eps`` finds it.
    """
    if linear:
        sign = measures.loss_gradient(classifier, x, y).sign()
        logits = measures.logits(classifier, x)
        slope = measures.logits(classifier, sign) - measures.logits(classifier, torch.zeros_like(sign))
        found = measures.ray_crossing(logits.double(), slope.double(), y)
        found = torch.where(found > LARGEST, torch.inf, found)
    else:
        found = minimum_eps(classifier, x, y, FGSM, LARGEST, box=None, generator=None)
    return found.double().cpu().numpy()


def run(
    images: Images,
    *,
    scaled_models: Sequence[str],
    resolutions: Sequence[int],
    scaled_seeds: int,
    n_train: int,
    epochs: int,
    least_updates: int,
    optimiser: Literal["sgd", "adam"],
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    batch: int,
    n_test: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Train without attack at every resolution, and measure how far an attack reaches.

    Parameters
    ----------
    images
        Grey and square; for others the result is empty, and its attribute ``not_measured`` says why.
    scaled_models
        Names of architectures of this study.
    resolutions
        Edges of the resampled images in pixels; see ``resample``.
    scaled_seeds
        Seeds 0, 1, .. below this.
    n_train, epochs, least_updates, optimiser, learning_rate, momentum, weight_decay, batch
        As in ``training.run``.
    n_test
        The first so many test images; 0 takes all.
    root
        Root of the random streams.

    Returns
    -------
    Dataset over (scaled_model, resolution, seed), see VARIABLES; NaN for runs that diverged.

    Raises
    ------
    InputError
        See ``training.run``.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    seeds, sides = list(range(scaled_seeds)), sorted(set(resolutions))
    attrs = {"title": "Reach of small attacks at several resolutions", "device": str(where), "dtype": dtype}
    if len(images.shape) != 2 or images.shape[0] != images.shape[1]:
        shape = " x ".join(map(str, images.shape))
        return xr.Dataset(attrs=attrs | {"not_measured": f"images of shape {shape}; this takes grey square images"})
    values = {name: np.full((len(scaled_models), len(sides), len(seeds)), np.nan, np.float32) for name in VARIABLES}
    progress = Progress(len(sides), "resolutions")
    for s, side in enumerate(sides):
        progress(s)
        scaled = at_resolution(images, side)
        x, y = measures.first(scaled.x_test, scaled.y_test, n_test, "n_test", where, kind)
        for m, model in enumerate(scaled_models):
            trained, networks = training.run(
                scaled,
                module_file=None,
                model=model,
                training="standard",
                eps_train=0.0,
                n_train=n_train,
                clip_train=False,
                mix=0.5,
                train_steps=1,
                train_step=1.0,
                optimiser=optimiser,
                learning_rate=learning_rate,
                momentum=momentum,
                weight_decay=weight_decay,
                batch=batch,
                epochs=epochs,
                least_updates=least_updates,
                early_stopping="none",
                patience=1,
                root=root,
                device=device,
                dtype=dtype,
                seeds=seeds,
            )
            for k, network in enumerate(networks):
                classifier = None if trained["diverged"].values[k] else measures.classifier_of(network, x)
                if classifier is None:
                    log.warning("%s at %d x %d, seed %d: diverged, not measured", model, side, side, k)
                    continue
                gradient = measures.margin_gradient(classifier, x, y).double()
                fall, _ = measures.margin_fall(classifier, x, y, [SHIFT])
                smallest = smallest_fgsm(classifier, x, y, names.parse(model).kind == "softmax")
                right = measures.logits(classifier, x).argmax(1) == y
                kept = smallest[right.cpu().numpy()]
                found = {
                    "scaled_clean_error": 1 - right.double().mean(),
                    "scaled_gradient_l1": gradient.abs().sum(1).mean(),
                    "scaled_gradient_l2": gradient.norm(dim=1).mean(),
                    "half_eps": measures.quantiles(smallest, (0.5,))[0],
                    "half_eps_correct": measures.quantiles(kept, (0.5,))[0],
                    "shift": fall.double().mean(),
                }
                for name, number in found.items():
                    values[name][m, s, k] = float(number)
    progress(len(sides))
    dims = ("scaled_model", "resolution", "seed")
    coords = {
        "scaled_model": io.variable(("scaled_model",), list(scaled_models), "architecture"),
        "resolution": io.variable(("resolution",), np.array(sides, np.int64), "edge of the image", "pixel"),
        "seed": io.variable(("seed",), np.array(seeds, np.int64), "seed"),
    }
    data = {name: io.variable(dims, values[name], *VARIABLES[name], REFERENCE) for name in VARIABLES}
    return xr.Dataset(data, coords=coords, attrs=attrs)
