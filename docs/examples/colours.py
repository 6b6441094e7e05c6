"""Write a small .npz of synthetic colour images: the data of the worked example of docs/own-network.md.

Run from the checkout: python docs/examples/colours.py resources/colours.npz
Four classes: a disc, a square, a cross and stripes, of any colour, on a ground of another colour not far from it, with
noise. So neither a mean colour nor a single pixel tells the class.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIDE = 16
CLASSES = ("disc", "square", "cross", "stripes")


def shape(kind: str, row: float, column: float, radius: float) -> npt.NDArray[np.bool_]:
    """The pixels that a shape covers, (SIDE, SIDE)."""
    down, right = np.mgrid[:SIDE, :SIDE]
    a, b = np.abs(down - row), np.abs(right - column)
    if kind == "disc":
        return a**2 + b**2 <= radius**2
    if kind == "square":
        return (np.maximum(a, b) <= radius) & (np.maximum(a, b) > radius - 2)
    if kind == "cross":
        return (np.minimum(a, b) <= 0.8) & (np.maximum(a, b) <= radius)
    return (np.maximum(a, b) <= radius) & ((down + right) % 4 < 2)


def images(n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images uint8 (n, 3, SIDE, SIDE), channels first as PyTorch has them, and their classes (n,)."""
    y = np.arange(n) % len(CLASSES)
    x = np.empty((n, 3, SIDE, SIDE))
    for image, label in zip(x, y, strict=True):
        ground, ink = rng.random((2, 3))
        while not 0.4 < np.abs(ground - ink).sum() < 1:
            ground, ink = rng.random((2, 3))
        row, column = rng.uniform(5, SIDE - 6, 2)
        covered = shape(CLASSES[label], row, column, rng.uniform(4, 6))
        image[:] = np.where(covered, ink[:, None, None], ground[:, None, None])
    x += 0.08 * rng.normal(size=x.shape)
    return np.round(255 * np.clip(x, 0, 1)).astype(np.uint8), y


def write(path: str | Path, n_train: int = 2000, n_test: int = 500) -> None:
    """Write x_train, y_train, x_test, y_test; a tenth of the training images will be used for validation."""
    rng = np.random.default_rng(0)
    x_train, y_train = images(n_train, rng)
    x_test, y_test = images(n_test, rng)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    write(sys.argv[1] if len(sys.argv) > 1 else "resources/colours.npz")
