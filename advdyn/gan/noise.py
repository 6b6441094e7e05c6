"""Bytes: of noise from Python's ``random`` module, as Gontijo Lopes and Deb insist, and of a network's outputs."""

import random
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Bytes = npt.NDArray[np.uint8]


def uniform_bytes(rng: random.Random, shape: Sequence[int]) -> Bytes:
    """Random bytes of any shape; read-only."""
    return np.frombuffer(rng.randbytes(prod(shape)), np.uint8).reshape(shape)


def danoise(seed: int, n: int, pixels: int) -> Bytes:
    """The data set DANOISE: images of bytes of Python's Mersenne twister.

    Parameters
    ----------
    seed
        Of ``random.Random``.
    n, pixels
        Number of images, and of bytes of each.

    Returns
    -------
    uint8, shape (n, pixels)
    """
    return uniform_bytes(random.Random(seed), (n, pixels)).copy()


def latent(rng: random.Random, shape: Sequence[int]) -> npt.NDArray[np.float64]:
    """Standard normals from Python's ``random``: 52 random bits each, by the inverse of the normal distribution.

    The centres of 2^52 equal cells of (0, 1) are exact in float64, so no normal is infinite.
    """
    bits = np.frombuffer(rng.randbytes(8 * prod(shape)), "<u8") >> np.uint64(12)
    return np.asarray(ndtri((bits.astype(np.float64) + 0.5) * 2.0**-52)).reshape(shape)


def to_bytes(f: npt.NDArray[np.floating[Any]]) -> Bytes:
    """The bytes min(255, floor(256 f)) of outputs f in [0, 1]; 0 where f is not a number (a run that diverged).

    A uniform f gives uniform bytes, and f = b/255 gives the byte b back.
    """
    scaled = np.clip(np.nan_to_num(f, nan=0.0) * 256, 0, 255)
    return scaled.astype(np.uint8)
