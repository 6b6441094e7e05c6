"""Bytes of the operating system's random source, drawn once and kept with their sha256.

A module of its own: what it imports is all that the file of bytes depends on, so that no other edit draws them anew.
"""

import hashlib
import os

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io
from advdyn.errors import InputError

BYTES = 1000 * 784

Bytes = npt.NDArray[np.uint8]


def draw() -> xr.Dataset:
    """Draw bytes from the operating system, once: a study keeps the file, since they cannot be drawn again.

    Returns
    -------
    Dataset
        ``byte`` uint8 (place) of 1,000 images of 784 pixels; attribute ``sha256`` of them.
    """
    drawn = os.urandom(BYTES)
    made = io.variable(("place",), np.frombuffer(drawn, np.uint8), "random byte", "1", "os.urandom of Python")
    attrs = {"title": "Bytes of the operating system's random source", "sha256": hashlib.sha256(drawn).hexdigest()}
    return xr.Dataset({"byte": made}, attrs=attrs)


def verified(dataset: xr.Dataset) -> Bytes:
    """The bytes that ``draw`` drew, (place,).

    Raises
    ------
    InputError
        When the data set holds no bytes, or other bytes than were drawn.
    """
    if "byte" not in dataset or dataset["byte"].dtype != np.uint8:
        raise InputError("urandom: the file holds no bytes; expected one of rule draw_degeneration")
    found = dataset["byte"].to_numpy()
    have = hashlib.sha256(found.tobytes()).hexdigest()
    if have != dataset.attrs.get("sha256"):
        raise InputError(
            f"urandom: found bytes of sha256 {have}, expected {dataset.attrs.get('sha256')}: delete the file, and "
            "it is drawn again"
        )
    return found
