"""The layout of a dataset file, the same for every source.

Dims ``sample`` and ``pixel``; variables ``image``, ``label``, ``split`` (0 train, 1 validation, 2 test) and
``source_row``; attribute ``image_shape`` (such as ``28,28``). Validation chooses, test only measures.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io

SPLITS = ("train", "validation", "test")


class Part(NamedTuple):
    """One split: ``image`` (n, pixel), ``label`` (n,) and the row of each sample in its source, ``row`` (n,)."""

    image: npt.NDArray[Any]
    label: npt.NDArray[Any]
    row: npt.NDArray[Any]


def take(image: npt.NDArray[Any], label: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Part:
    """The samples in ``rows`` of images (sample, ...) as a Part, with the pixels of an image in one dimension."""
    return Part(image[rows].reshape(len(rows), -1), label[rows], rows)


def dataset(
    parts: Sequence[Part],
    image_shape: Sequence[int],
    title: str,
    references: str,
    extra: Mapping[str, xr.Variable] | None = None,
) -> xr.Dataset:
    """Put the three splits into the one layout.

    Parameters
    ----------
    parts
        Train, validation and test, in this order. Images of dtype uint8 are pixel values 0 to 255, stored as they are
        and scaled by ``load``; images of a float dtype are stored and loaded as they are.
    image_shape
        Shape of one image; its product is the number of pixels.
    title, references
        What the data are and where they come from.
    extra
        More variables to store, such as the teacher of synthetic labels.

    Returns
    -------
    xr.Dataset
        ``image`` (sample, pixel), ``label`` int64 (sample), ``split`` int8 (sample), ``source_row`` int64 (sample).
    """
    image = np.concatenate([part.image for part in parts])
    if image.dtype == np.uint8:
        # Not CF's `scale_factor`: xarray would apply it on reading by itself, and `load` once more.
        seen = io.variable(("sample", "pixel"), image, "pixel value", "1", references)
        seen.attrs["comment"] = "0 to 255; advdyn.data.load divides by 255"
    else:
        seen = io.variable(("sample", "pixel"), image, "input", "1", references)
    label = np.concatenate([part.label for part in parts]).astype(np.int64)
    split = np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(part.label) for part in parts])
    row = np.concatenate([part.row for part in parts]).astype(np.int64)
    variables = {
        "image": seen,
        "label": io.variable(("sample",), label, "class", "1", references),
        "split": io.variable(("sample",), split, "split: validation chooses, test only measures", "1", references),
        "source_row": io.variable(("sample",), row, "row of the sample in its source, from 0", "1", references),
    }
    variables["split"].attrs |= {
        "flag_values": np.arange(len(SPLITS), dtype=np.int8),
        "flag_meanings": " ".join(SPLITS),
    }
    return xr.Dataset(
        {**variables, **(extra or {})},
        attrs={"title": title, "image_shape": ",".join(map(str, image_shape)), "references": references},
    )
