"""What an attacker may try to get the originals back from the outputs: decoders, fitted on pairs of both.

A decoder is fitted on the fit pairs, and tuned on the validation pairs. Held-out pairs never come near it: all that it
is given of them are the outputs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import eigh
from torch import Tensor
from torch.nn import functional

BATCH = 100
PATIENCE = 3
RATE = 2e-3

Floats = npt.NDArray[np.floating[Any]]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Pairs:
    """Outputs and the originals they were made from, float32 (n, pixel); ``labels`` (n,) of the originals, or None."""

    outputs: Singles
    originals: Singles
    labels: Integers | None = None

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.outputs)

    def first(self, n: int) -> "Pairs":
        """The first ``n`` pairs."""
        return Pairs(self.outputs[:n], self.originals[:n], None if self.labels is None else self.labels[:n])


class Decoded(NamedTuple):
    """``image`` (n, pixel): the reconstruction less the mean of the fit originals; ``scores`` (n, class) or None."""

    image: Singles
    scores: Floats | None


class Decoder(Protocol):
    """Reconstructs images from outputs, in one or several settings, of which validation pairs choose."""

    @property
    def settings(self) -> tuple[float, ...]:
        """What there is to choose from."""
        ...

    def decode(self, outputs: Singles, settings: Sequence[int]) -> Iterator[Decoded]:
        """The reconstructions of outputs (n, pixel) in the settings of these places."""
        ...


@dataclass(frozen=True)
class Ridge:
    """Linear regression of the targets on the outputs, for all penalties from one eigendecomposition.

    With X the centred (and perhaps standardised) outputs of the fit pairs and Y the centred targets, predictions are
    x (X'X + c I)^-1 X'Y about the mean of Y. The penalty c is given in units of the mean eigenvalue of the smaller
    Gram matrix, X'X or XX'; infinity, the mean itself, is always among them (Hoerl and Kennard 1970).

    Attributes
    ----------
    settings
        Penalties, from infinity down.
    centre, basis, targets
        (pixel,), (pixel, k), (k, target): a prediction is (x - centre) basis / (eigenvalue + c) targets.
    eigenvalues : (k,)
    pixels
        So many targets are pixels, the others classes.
    shares : (class,)
        Of the fit pairs, the mean of the one-hot labels.
    """

    settings: tuple[float, ...]
    centre: Singles
    basis: Singles
    eigenvalues: Floats
    targets: Singles
    pixels: int
    shares: Floats

    def decode(self, outputs: Singles, settings: Sequence[int]) -> Iterator[Decoded]:
        """See ``Decoder``."""
        projected = (outputs - self.centre) @ self.basis
        unit = float(self.eigenvalues.mean())
        for setting in settings:
            penalty = self.settings[setting]
            if np.isinf(penalty) or unit <= 0:
                found: Singles = np.zeros((len(outputs), self.targets.shape[1]), np.float32)
            else:
                gain = (1 / (self.eigenvalues + penalty * unit)).astype(np.float32)
                found = np.asarray((projected * gain) @ self.targets, np.float32)
            scores = found[:, self.pixels :] + self.shares if len(self.shares) else None
            yield Decoded(found[:, : self.pixels], scores)


def ridges(
    outputs: Singles, originals: Singles | None, onehot: Singles | None, penalties: Sequence[float]
) -> dict[str, Ridge]:
    """Fit ridge decoders on the outputs as they are and on standardised ones, of pixels and labels at once.

    Parameters
    ----------
    outputs : (n, pixel)
    originals : (n, pixel)
        None: labels only.
    onehot : (n, class)
        None: pixels only.
    penalties
        In units of the mean eigenvalue; infinity is added.

    Returns
    -------
    ``ridge`` and ``ridge-whitened``: each output pixel over its standard deviation; constant ones are left out.
    """
    settings = (np.inf, *sorted((float(p) for p in penalties if np.isfinite(p)), reverse=True))
    wanted = [y for y in (originals, onehot) if y is not None]
    y = np.concatenate([y - y.mean(0, dtype=np.float64) for y in wanted], axis=1)
    shares = np.zeros(0) if onehot is None else onehot.mean(0, dtype=np.float64)
    pixels = 0 if originals is None else originals.shape[1]
    mean = outputs.mean(0, dtype=np.float64)
    x = outputs - mean
    n, d = x.shape
    primal = d <= n
    gram = x.T @ x if primal else np.zeros((0, 0))
    moments = x.T @ y if primal else np.zeros((0, 0))
    variance = np.square(x).mean(0)
    # a pixel that is constant but for rounding is no feature
    alive = variance > 1e-12 * max(1.0, float(np.square(mean).max(initial=0)))
    scales = {"ridge": np.ones(d), "ridge-whitened": np.where(alive, 1 / np.sqrt(np.where(alive, variance, 1)), 0)}
    found = {}
    for name, scale in scales.items():
        if primal:
            eigenvalues, vectors = eigh(gram * (scale[:, None] * scale), check_finite=False)
            basis, targets = scale[:, None] * vectors, vectors.T @ (scale[:, None] * moments)
        else:
            scaled = x * scale
            eigenvalues, vectors = eigh(scaled @ scaled.T, check_finite=False)
            basis, targets = scale[:, None] * (scaled.T @ vectors), vectors.T @ y
        found[name] = Ridge(
            settings, mean.astype(np.float32), basis.astype(np.float32), np.maximum(eigenvalues, 0),
            targets.astype(np.float32), pixels, shares,
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class Probe:
    """A linear label probe of originals: the ridge regression of one-hot labels that validation chose.

    Attributes
    ----------
    ridge, setting
        The regression and its penalty's place.
    classes : (class,)
        The labels that the scores stand for.
    """

    ridge: Ridge
    setting: int
    classes: Integers

    def scores(self, images: Singles) -> Floats:
        """Scores (n, class) of images (n, pixel)."""
        scores = next(self.ridge.decode(images, [self.setting])).scores
        assert scores is not None  # it was fitted on labels
        return scores


@dataclass(frozen=True)
class Identity:
    """The output itself, as it is; labels by the probe of the originals."""

    mean: Singles
    probe: Probe | None
    settings: tuple[float, ...] = (0.0,)

    def decode(self, outputs: Singles, settings: Sequence[int]) -> Iterator[Decoded]:
        """See ``Decoder``."""
        for _ in settings:
            yield Decoded(outputs - self.mean, None if self.probe is None else self.probe.scores(outputs))


@dataclass(frozen=True)
class Mlp:
    """A perceptron with one hidden layer on standardised outputs; labels by the probe of the originals."""

    centre: Singles
    scale: Singles
    mean: Singles
    weights: tuple[Tensor, ...]
    unit: float
    probe: Probe | None
    epoch: int
    settings: tuple[float, ...] = (0.0,)

    def decode(self, outputs: Singles, settings: Sequence[int]) -> Iterator[Decoded]:
        """See ``Decoder``."""
        x = torch.from_numpy((outputs - self.centre) * self.scale).to(self.weights[0])
        with torch.no_grad():
            image = (_forward(self.weights, x) * self.unit).to("cpu", torch.float32).numpy()
        for _ in settings:
            yield Decoded(image, None if self.probe is None else self.probe.scores(image + self.mean))


def mlp(
    fit: Pairs,
    validation: Pairs,
    probe: Probe | None,
    *,
    width: int,
    epochs: int,
    generator: np.random.Generator,
    device: torch.device,
    dtype: torch.dtype,
) -> Mlp:
    """Fit a perceptron pixels-width-pixels (ReLU) to the originals by least squares: Adam 2e-3, batches of 100.

    Its last layer begins at 0, so that it begins as the mean of the originals. The epoch of the smallest error on the
    validation pairs is kept, the beginning included: three without a better one end the training.
    """
    centre, mean = (a.mean(0, dtype=np.float64).astype(np.float32) for a in (fit.outputs, fit.originals))
    spread = fit.outputs.std(0)
    scale = np.where(spread > 1e-6, 1 / np.where(spread > 1e-6, spread, 1), 0).astype(np.float32)
    unit = float((fit.originals - mean).std()) or 1.0
    pixels = fit.outputs.shape[1]

    def put(a: Singles) -> Tensor:
        return torch.from_numpy(a).to(device, dtype)

    x, v = (put((p.outputs - centre) * scale) for p in (fit, validation))
    y, w = (put((p.originals - mean) / unit) for p in (fit, validation))
    first = [pixels**-0.5 * (2 * generator.random(size, np.float32) - 1) for size in ((pixels, width), (width,))]
    last = [np.zeros(size, np.float32) for size in ((width, mean.size), (mean.size,))]
    weights = [put(a).requires_grad_() for a in (*first, *last)]
    adam = torch.optim.Adam(weights, lr=RATE, fused=True)
    best, kept, at = float(functional.mse_loss(torch.zeros_like(w), w)), [a.detach().clone() for a in weights], 0
    for epoch in range(1, epochs + 1):
        for rows in torch.from_numpy(generator.permutation(len(x))).to(device).split(BATCH):
            adam.zero_grad()
            functional.mse_loss(_forward(weights, x[rows]), y[rows]).backward()
            adam.step()
        with torch.no_grad():
            found = float(functional.mse_loss(_forward(weights, v), w))
        if found < best:
            best, kept, at = found, [a.detach().clone() for a in weights], epoch
        elif epoch - at >= PATIENCE:
            break
    return Mlp(centre, scale, mean, tuple(kept), unit, probe, at)


def _forward(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    return torch.addmm(weights[3], torch.relu(torch.addmm(weights[1], x, weights[0])), weights[2])
