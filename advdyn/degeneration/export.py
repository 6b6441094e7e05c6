"""The user's data and the discriminator as plain files, so that there is something to overwrite."""

import hashlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan.noise import to_bytes

IMAGES, DISCRIMINATOR = "images.bin", "discriminator.bin"
FILES = (IMAGES, DISCRIMINATOR)
PREFIX = "discriminator/"
FIT = 0  # part of the outputs that are of training images
WORD = np.dtype("<f4")

Arrays = Mapping[str, npt.NDArray[Any]]
Layout = Sequence[tuple[str, tuple[int, ...]]]


def layout(weights: Arrays) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of the arrays of one discriminator, in the order in which a file holds them."""
    found = [(name, values.shape[1:]) for name, values in sorted(weights.items()) if name.startswith(PREFIX)]
    if not found:
        raise InputError(f"weights: no array begins with {PREFIX!r}; expected those of a run of degeneration")
    return found


def read(data: bytes, order: Layout) -> dict[str, npt.NDArray[np.float32]]:
    """The arrays of a file of weights, each with a first axis of length 1 (one run).

    Parameters
    ----------
    data
        float32, little-endian, array after array.
    order
        See ``layout``.

    Raises
    ------
    InputError
        When the file has another length.
    """
    words = sum(prod(shape) for _, shape in order)
    if len(data) != words * WORD.itemsize:
        raise InputError(f"{DISCRIMINATOR}: found {len(data)} bytes, expected {words * WORD.itemsize}")
    flat, at, found = np.frombuffer(data, WORD), 0, {}
    for name, shape in order:
        found[name] = flat[at : at + prod(shape)].reshape(1, *shape).astype(np.float32)
        at += prod(shape)
    return found


def fitted(outputs: xr.Dataset) -> int:
    """Number of training images whose outputs there are."""
    return int((outputs["part"] == FIT).sum())


def run(images: Images, weights: Arrays, outputs: xr.Dataset, *, n_train: int) -> tuple[bytes, bytes]:
    """The files images.bin and discriminator.bin.

    Parameters
    ----------
    images
        Their first ``n_train`` training images, as far as there are outputs of them to overwrite them with.
    weights
        ``discriminator/<name>`` of a training, stacked over runs; the first run is taken.
    outputs
        Of the same training; part 0 are the outputs of the training images.

    Returns
    -------
    images
        Bytes, image after image, row by row.
    discriminator
        float32, little-endian, arrays in the order of ``layout``.

    Raises
    ------
    InputError
        When there are fewer training images, no outputs of them, or no discriminator.
    """
    n = min(n_train, fitted(outputs))
    if not 1 <= n <= len(images.x_train):
        raise InputError(f"n_train: found {n} images with outputs, allowed: 1 to {len(images.x_train)}")
    arrays = [np.ascontiguousarray(weights[name][0], WORD).tobytes() for name, _ in layout(weights)]
    return to_bytes(images.x_train[:n]).tobytes(), b"".join(arrays)


def record(files: Sequence[bytes]) -> xr.Dataset:
    """What the two files are: their lengths and sha256, over ``file``."""
    return xr.Dataset(
        {
            "size": io.variable(("file",), [float(len(data)) for data in files], "length of the file", "byte"),
            "sha256": io.variable(("file",), [hashlib.sha256(data).hexdigest() for data in files], "sha256"),
        },
        {"file": io.variable(("file",), list(FILES), "file")},
        {"title": "The data that are overwritten"},
    )
