"""Trained networks as files: the record of their training and their weights, which belong together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from advdyn import devices, io
from advdyn.data.load import Images
from advdyn.robustness import networks, weights

RUNNING = ("root", "device", "dtype", "seeds")  # of the job, and no coordinate of what it found


def read(record: str | Path, states: str | Path, images: Images) -> tuple[xr.Dataset, list[nn.Module]]:
    """The record of a training and its networks, in eval mode on the CPU.

    Parameters
    ----------
    record, states
        The files of rule train_robustness.
    images
        The data set the networks were trained on: they take its images.

    Returns
    -------
    The record, and the networks in C order of (eps_train where it is a lane, seed).

    Raises
    ------
    InputError
        When the weights are not those of the record, or are not there, or a user's network has changed.
    """
    found = io.read(record)
    point = io.point_of(found)
    made = networks.restore(
        point["model"],
        images.shape,
        int(found["classes"]),
        weights.load(states, io.identity_of(record)),
        devices.DTYPES[point["dtype"]],
        found.attrs["module_file"] or None,
    )
    return found, made


def read_all(
    records: Sequence[str], states: Sequence[str], images: Images
) -> list[tuple[xr.Dataset, list[nn.Module], Mapping[str, Any]]]:
    """Of each training its record, its networks and its parameters, as ``transfer.compared`` takes them.

    Raises
    ------
    InputError
        See ``read``.
    """
    files = (read(record, weights, images) for record, weights in zip(records, states, strict=True))
    return [(record, made, io.point_of(record)) for record, made in files]


def with_parameters(found: xr.Dataset, record: xr.Dataset) -> xr.Dataset:
    """What was measured on networks, with the parameters of their training as coordinates.

    Unit and description of each are added on collection, from the study's model.
    """
    scalars = {
        name: io.variable((), np.int8(value) if isinstance(value, bool) else value, name)
        for name, value in io.point_of(record).items()
        if name not in {*found.variables, *RUNNING} and not isinstance(value, list)
    }
    return found.assign_coords(scalars)
