"""Of a job that trained several runs, the one whose outputs are shown, and overwrite the data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr


def position(outputs: xr.Dataset, sigma: float) -> int:
    """Position of the sigma next to the one asked for (a GAN has none, and one position)."""
    return int(np.abs(outputs["sigma"].values - sigma).argmin())


def run(outputs: xr.Dataset, sigma: float) -> xr.Dataset:
    """The outputs of the first seed at the sigma next to ``sigma``, both dimensions of length 1."""
    at = position(outputs, sigma)
    return outputs.isel(sigma=[at], seed=[0])


def weights(arrays: Mapping[str, npt.NDArray[Any]], outputs: xr.Dataset, sigma: float) -> dict[str, npt.NDArray[Any]]:
    """The weights of that run: those of a job are stacked in C order of (sigma, seed)."""
    first = position(outputs, sigma) * outputs.sizes["seed"]
    return {name: values[first : first + 1] for name, values in arrays.items()}
