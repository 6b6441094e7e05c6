"""Weights and end states of a block of runs in one safetensors file: nothing pickled, the same bytes every time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from advdyn.atomic import whole
from advdyn.errors import InputError

KEY = "advdyn"  # one key only: the library writes several in random order


def save(path: str | Path, weights: Mapping[str, npt.NDArray[Any]], identity: str) -> None:
    """Write arrays by name.

    Parameters
    ----------
    weights
        By name, as a training returns them.
    identity
        Of the training that made them, see ``advdyn.provenance.identity``.
    """
    arrays = {name: np.ascontiguousarray(weights[name]) for name in sorted(weights)}
    with whole(path) as part:
        part.write_bytes(safetensors.numpy.save(arrays, {KEY: json.dumps({"identity": identity})}))


def load(path: str | Path, identity: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, by name.

    Raises
    ------
    InputError
        When the file is missing, broken, or not from here, or was made by another training than ``identity``.
    """
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            found = json.loads((file.metadata() or {})[KEY])["identity"]
            arrays = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())}); expected weights") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not written by this study (no entry {KEY!r} in its header)") from error
    if found != identity:
        raise InputError(
            f"{path}: made by training {found}, expected {identity}; make both files again: run the training rule anew"
        )
    return arrays
