"""Collecting the files of a study's jobs into one labelled data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from advdyn import io
from advdyn.errors import InputError

MADE_WITH = ("device", "dtype", "generator")

Part = tuple[Mapping[str, Any], xr.Dataset]


def read_parts(files: Sequence[str], part: Mapping[str, Any]) -> list[Part]:
    """Load a step's files, refusing any that was not made with the parameters and code asked for.

    Parameters
    ----------
    files
        The files, in the order of ``part``.
    part
        For each file ``cells`` (values of its cell axes), ``digests`` (of its parameters) and ``sources`` (identities
        of the files it was made from); for all ``code`` (digest) and ``rule`` (that makes them).

    Raises
    ------
    advdyn.io.StaleError
        When a file does not match.
    """
    return [
        (cell, io.read_expected(file, digest, part["code"], sources, part["rule"]))
        for file, cell, digest, sources in zip(files, part["cells"], part["digests"], part["sources"], strict=True)
    ]


def coordinate(name: str, value: Any, parameters: Mapping[str, Sequence[str]]) -> xr.Variable:
    """A scalar coordinate for a parameter; ``parameters`` gives its (unit, description)."""
    unit, description = parameters.get(name, ("1", name))
    return xr.Variable((), np.asarray(value), {"long_name": description, "units": unit})


def combine(parts: Sequence[Part], parameters: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """One data set from many: every cell axis becomes a dimension, every other parameter a coordinate.

    Parameters
    ----------
    parts
        Cell values and data set of each file.
    parameters
        Name to (unit, description) of the parameters that become coordinates.

    Returns
    -------
    Dataset over the union of all coordinates; what no file holds is NaN. Its attributes name every device, dtype,
    generator and set of versions that the parts were made with.

    Raises
    ------
    InputError
        When there is no part.
    """
    if not parts:
        raise InputError("nothing to collect: no job of this kind has finished")
    expanded = []
    for cell, dataset in parts:
        point = io.point_of(dataset)
        axes = {name: coordinate(name, value, parameters) for name, value in cell.items()}
        fixed = {
            name: coordinate(name, point[name], parameters)
            for name in parameters
            if name in point and name not in axes and not isinstance(point[name], list)
        }
        bare = dataset.drop_attrs(deep=False).assign_coords(axes | fixed)
        for name in axes:
            attrs = bare[name].attrs
            bare = bare.expand_dims(name)
            bare[name].attrs.update(attrs)
        expanded.append(bare)
    options: dict[str, Any] = {"join": "outer", "compat": "no_conflicts", "combine_attrs": "override"}
    combined = xr.combine_by_coords(expanded, data_vars="all", coords="different", **options)
    assert isinstance(combined, xr.Dataset)
    for name in parameters.keys() & combined.coords.keys():  # lanes too are described by the model, and only there
        combined[name].attrs.update(coordinate(name, 0, parameters).attrs)
    made = {name: sorted({str(d.attrs[name]) for _, d in parts if name in d.attrs}) for name in MADE_WITH}
    return combined.assign_attrs({name: "; ".join(values) for name, values in made.items() if values})
