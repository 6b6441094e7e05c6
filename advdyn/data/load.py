"""Read a dataset file into arrays, whatever its source."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from advdyn import io
from advdyn.data.errors import DataError

DTYPES = ("float32", "float64")

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """The three splits of a dataset.

    ``x_*`` are floats of shape (n, pixel): within [0, 1] for images, unbounded for synthetic inputs; ``y_*`` are int64
    of shape (n,): classes, or -1 and +1. ``shape`` is the shape of one image. A split that the source does not have
    is empty. Images come in a fixed order in which any first n hold the classes in their proportions.
    """

    x_train: Floats
    y_train: Integers
    x_validation: Floats
    y_validation: Integers
    x_test: Floats
    y_test: Integers
    shape: tuple[int, ...]


def load(path: str | Path, dtype: str = "float32") -> Images:
    """Load a dataset file.

    Parameters
    ----------
    path
        A NetCDF file in the layout of ``advdyn.data.prepare``.
    dtype
        ``float32`` or ``float64``; pixel values are divided by 255 in it.

    Raises
    ------
    DataError
        When the file is not in that layout.
    ValueError
        When ``dtype`` is neither of the two.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}; allowed: {', '.join(DTYPES)}")
    data = io.read(path)
    missing = [name for name in ("image", "label", "split") if name not in data]
    missing += [name for name in ("image_shape",) if name not in data.attrs]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; not a dataset file")
    shape = tuple(int(n) for n in str(data.attrs["image_shape"]).split(","))
    image, label, split = (data[name].to_numpy() for name in ("image", "label", "split"))
    if image.shape[1:] != (math.prod(shape),):
        raise DataError(f"{path}: images of {image.shape[1:]} pixels; image_shape says {shape}")
    x = image.astype(dtype)
    if image.dtype == np.uint8:
        x /= 255
    (x0, y0), (x1, y1), (x2, y2) = ((x[split == s], label[split == s].astype(np.int64)) for s in (0, 1, 2))
    return Images(x0, y0, x1, y1, x2, y2, shape)
