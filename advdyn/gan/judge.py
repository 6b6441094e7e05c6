"""A judge: a small classifier of images, whose features and class probabilities generated images are judged by.

Kept as a data set of its weights, so that no file is pickled and the evaluation needs NumPy only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch.nn import functional

from advdyn import devices, io
from advdyn.errors import InputError

HIDDEN, FEATURES = 256, 64
LAYERS = 3
BATCH = 100
PATIENCE = 10

Floats = npt.NDArray[np.floating[Any]]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judge:
    """A perceptron pixels-256-64-classes (ReLU), evaluated in float64.

    ``weights`` are (in, out) and ``biases`` (out,), of each of the three layers.
    """

    weights: tuple[Doubles, ...]
    biases: tuple[Doubles, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.biases[-1])

    def _activations(self, x: Floats) -> list[Doubles]:
        """Of the hidden layers, after the ReLU, and the logits."""
        found: list[Doubles] = []
        h = np.asarray(x, np.float64)
        for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ w + b
            h = np.maximum(h, 0) if layer < LAYERS - 1 else h
            found.append(h)
        return found

    def features(self, x: Floats) -> Doubles:
        """Last hidden layer after its ReLU, (n, 64), of images (n, pixel) in [0, 1]."""
        return self._activations(x)[-2]

    def probabilities(self, x: Floats) -> Doubles:
        """Probability of each class, (n, class), of images (n, pixel) in [0, 1]."""
        return _softmax(self._activations(x)[-1])

    def predict(self, x: Floats) -> Integers:
        """The most probable class, (n,) int64, of images (n, pixel) in [0, 1]."""
        return self._activations(x)[-1].argmax(1).astype(np.int64)

    def accuracy(self, x: Floats, y: npt.NDArray[np.integer]) -> float:
        """Share of images (n, pixel) that are given their class y (n,)."""
        return float((self.predict(x) == y).mean())

    def gradient(self, x: Floats, y: npt.NDArray[np.integer]) -> Doubles:
        """Gradient of each image's own cross-entropy -log p(y | x) by its pixels, (n, pixel), in nats per pixel."""
        *hidden, logits = self._activations(x)
        back = _softmax(logits)
        back[np.arange(len(back)), y] -= 1
        for w, h in zip(self.weights[:0:-1], hidden[::-1], strict=True):
            back = (back @ w.T) * (h > 0)
        return back @ self.weights[0].T


def of(dataset: xr.Dataset) -> Judge:
    """The judge of a data set that ``train`` made (other variables in it are left alone).

    Raises
    ------
    InputError
        When it holds no judge.
    """
    missing = [f"{kind}{layer}" for layer in range(LAYERS) for kind in "wb" if f"{kind}{layer}" not in dataset]
    if missing:
        raise InputError(f"judge: the file lacks {', '.join(missing)}; expected one that trains a judge or classifier")
    weights, biases = (tuple(dataset[f"{k}{i}"].to_numpy().astype(np.float64) for i in range(LAYERS)) for k in "wb")
    return Judge(weights, biases)


def train(
    x: Floats,
    y: Integers,
    x_validation: Floats,
    y_validation: Integers,
    epochs: int,
    generator: np.random.Generator,
    shape: tuple[int, ...] | None = None,
) -> xr.Dataset:
    """Train a judge, pixels-256-64-classes with ReLU, by cross-entropy (torch, float32, on the CPU).

    Adam 1e-3, batches of 100. Given the shape of the images, each is shifted anew whenever it is used, by up to a
    fourteenth of an edge along each axis (2 pixels of MNIST), with 0 moving in: 1,000 images do not suffice for a
    judge that errs in fewer than a tenth of unseen ones otherwise.
    The epoch of the fewest errors on the validation images is kept (of equal ones that of the lower cross-entropy);
    the training ends after ten epochs without a better one.

    Parameters
    ----------
    x, x_validation : (n, pixel), (m, pixel)
        Images in [0, 1].
    y, y_validation : (n,), (m,)
        Classes, counted from 0.
    epochs
        At most.
    generator
        For initial weights, the order of the images and the shifts.
    shape
        Of an image; None, or one that is not (height, width): no shifts.

    Returns
    -------
    Dataset
        ``w0, b0, w1, b1, w2, b2`` float32, ``epoch_kept`` (counted from 1) and ``validation_error``.

    Raises
    ------
    InputError
        When a split is empty or a label is not a class counted from 0.
    """
    if min(len(x), len(x_validation)) == 0:
        raise InputError(f"judge: found {len(x)} training and {len(x_validation)} validation images, allowed: >= 1")
    if min(y.min(), y_validation.min()) < 0:
        raise InputError(f"judge: found label {min(y.min(), y_validation.min())}, allowed: classes, counted from 0")
    devices.resolve("cpu")  # one thread
    classes = int(max(y.max(), y_validation.max())) + 1
    weights = []
    for fan_in, fan_out in ((x.shape[1], HIDDEN), (HIDDEN, FEATURES), (FEATURES, classes)):
        for size in ((fan_in, fan_out), (fan_out,)):
            drawn = fan_in**-0.5 * (2 * generator.random(size, np.float32) - 1)  # as torch.nn.Linear
            weights.append(torch.from_numpy(drawn).requires_grad_())
    inputs, labels = np.asarray(x, np.float32), torch.tensor(y)
    unseen, truth = torch.tensor(x_validation, dtype=torch.float32), torch.tensor(y_validation)
    adam = torch.optim.Adam(weights, lr=1e-3, fused=True)
    best, chosen, kept = (np.inf, np.inf), [w.detach().clone() for w in weights], 0
    for epoch in range(1, epochs + 1):
        order = generator.permutation(len(y))
        for start in range(0, len(y), BATCH):
            rows = order[start : start + BATCH]
            image = inputs[rows] if shape is None or len(shape) != 2 else shifted(inputs[rows], shape, generator)
            adam.zero_grad()
            functional.cross_entropy(_logits(weights, torch.from_numpy(image)), labels[rows]).backward()
            adam.step()
        with torch.no_grad():
            z = _logits(weights, unseen)
            found = float((z.argmax(1) != truth).double().mean()), float(functional.cross_entropy(z, truth))
        if found < best:
            best, chosen, kept = found, [w.detach().clone() for w in weights], epoch
        elif epoch - kept >= PATIENCE:
            break
    units = ("pixel", "judge_hidden", "judge_feature", "class")
    data: dict[str, Any] = {}
    for layer in range(LAYERS):
        text = f"of layer {layer + 1} of the judge"
        w, b = (chosen[2 * layer + i].numpy() for i in (0, 1))
        data[f"w{layer}"] = io.variable(units[layer : layer + 2], w, f"weights {text}")
        data[f"b{layer}"] = io.variable((units[layer + 1],), b, f"biases {text}")
    data["epoch_kept"] = io.variable((), np.int64(kept), "epoch after which the judge was kept", "pass")
    data["validation_error"] = io.variable((), best[0], "share of validation images that the judge gets wrong")
    return xr.Dataset(data, attrs={"title": "Judge", "device": "cpu", "dtype": "float32"})


def shifted(x: Floats, shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """Images (n, pixel) of shape (height, width), each shifted by its own random step of up to edge/14 pixels."""
    reach = np.array(shape) // 14
    padded = np.pad(x.reshape(-1, *shape), [(0, 0), *((r, r) for r in reach)])
    step = generator.integers(0, 2 * reach + 1, (len(x), 2))
    row, column = (step[:, i, None] + np.arange(shape[i]) for i in (0, 1))
    image: Floats = padded[np.arange(len(x))[:, None, None], row[:, :, None], column[:, None, :]]
    return image.reshape(len(x), -1)


def _logits(weights: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Logits (n, class), torch's own for training."""
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = torch.relu(torch.addmm(b, x, w))
    return torch.addmm(weights[-1], x, weights[-2])


def _softmax(logits: Doubles) -> Doubles:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)
