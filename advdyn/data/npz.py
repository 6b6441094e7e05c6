"""A user's own images, from a NumPy .npz file."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn.data import prepare, splits
from advdyn.data.errors import DataError

NEEDED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_validation", "y_validation")
HELD_OUT = 10  # without its own validation, one in so many training images is for validation

Arrays = dict[str, npt.NDArray[Any]]


def dataset(path: str) -> xr.Dataset:
    """Images from a .npz file with ``x_train``, ``y_train``, ``x_test``, ``y_test``.

    Images ``x_*`` have shape (n, ...), the same for all, and are uint8 (0 to 255) or float32 or float64 within [0, 1];
    labels ``y_*`` are integers of shape (n,). ``x_validation`` and ``y_validation`` are optional; without them a
    stratified tenth of the training images is for validation. Nothing pickled is read.

    Returns
    -------
    xr.Dataset
        In the layout of ``advdyn.data.prepare``.

    Raises
    ------
    DataError
        When the file cannot be read or its arrays are not as said.
    """
    arrays = read(path)
    x, y = arrays["x_train"], arrays["y_train"]
    if "x_validation" in arrays:
        given = arrays["x_validation"], arrays["y_validation"]
        train = prepare.take(x, y, splits.order(y))
        validation = prepare.take(*given, splits.order(given[1]))
    else:
        if len(y) < HELD_OUT:
            raise DataError(f"{path}: {len(y)} training images; without x_validation at least {HELD_OUT} are needed")
        train, validation = (prepare.take(x, y, rows) for rows in splits.hold_out(y, len(y) // HELD_OUT))
    test = prepare.take(arrays["x_test"], arrays["y_test"], splits.order(arrays["y_test"]))
    name = Path(path).name
    return prepare.dataset(
        [train, validation, test], x.shape[1:], f"Images of the file {name}", f"the user's own file {name}"
    )


def read(path: str) -> Arrays:
    """The arrays of such a file, checked.

    Raises
    ------
    DataError
        As ``dataset``.
    """
    arrays = _arrays(path)
    for split in ("train", "validation", "test"):
        if f"x_{split}" in arrays:
            _check(path, f"x_{split}", f"y_{split}", arrays)
    classes = set(np.unique(arrays["y_train"]).tolist())
    if len(classes) < 2:
        raise DataError(f"{path}: all labels of y_train are {classes.pop()}; at least two classes are needed")
    for name in ("y_validation", "y_test"):
        unknown = sorted(set(np.unique(arrays[name]).tolist()) - classes) if name in arrays else []
        if unknown:
            raise DataError(f"{path}: {name} has labels {unknown} that do not occur in y_train; every class must")
    return arrays


def _arrays(path: str) -> Arrays:
    try:
        with open(path, "rb") as stream:  # opened here: numpy leaves a file open that proves to be broken
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: holds a single array; expected a .npz file with {', '.join(NEEDED)}")
            with file:
                _check_keys(path, set(file.files))
                return {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: cannot be read ({reason}); expected a .npz of plain arrays, nothing pickled"
        ) from error


def _check_keys(path: str, keys: set[str]) -> None:
    optional = OPTIONAL if keys & set(OPTIONAL) else ()  # either of the two needs the other
    missing = [name for name in (*NEEDED, *optional) if name not in keys]
    unknown = sorted(keys - {*NEEDED, *OPTIONAL})
    if missing or unknown:
        found = [f"{what} {', '.join(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names]
        allowed = f"{', '.join(NEEDED)} and, both or none, {', '.join(OPTIONAL)}"
        raise DataError(f"{path}: {'; '.join(found)}; allowed: {allowed}")


def _check(path: str, x_name: str, y_name: str, arrays: Arrays) -> None:
    x, y, first = arrays[x_name], arrays[y_name], arrays["x_train"]
    if x.ndim < 2 or x.size == 0:
        raise DataError(f"{path}: {x_name} has shape {x.shape}; expected (n, ...) with no dimension empty")
    if x.dtype not in (np.uint8, np.float32, np.float64):
        raise DataError(f"{path}: {x_name} is {x.dtype}; allowed: uint8, or float32 or float64 within [0, 1]")
    if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
        raise DataError(
            f"{path}: {x_name} holds {x.dtype} images of shape {x.shape[1:]}; "
            f"those of x_train are {first.dtype} of shape {first.shape[1:]}, and all must agree"
        )
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"{path}: {y_name} is {y.dtype} of shape {y.shape}; expected integer labels of shape (n,)")
    if len(x) != len(y):
        raise DataError(f"{path}: {x_name} has {len(x)} images and {y_name} {len(y)} labels; the counts must be equal")
    low, high = x.min(), x.max()
    if not np.isfinite(low + high):  # min and max hand on a NaN
        raise DataError(f"{path}: {x_name} has values that are not finite; allowed: within [0, 1]")
    if x.dtype != np.uint8 and (low < 0 or high > 1):
        raise DataError(f"{path}: {x_name} has values from {low:g} to {high:g}; floats must be within [0, 1]")
    if x_name == "x_train" and x.dtype == np.uint8 and high <= 1:
        # Divided by 255 these would all be black: they are almost surely meant as 0 and 1.
        raise DataError(f"{path}: {x_name} is uint8 with no value above 1; expected 0 to 255, or floats within [0, 1]")
