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

    The parts need not be a product: each is put where its coordinates say.

    Parameters
    ----------
    parts
        Cell values and data set of each file.
    parameters
        Name to (unit, description) of the parameters that become coordinates.

    Returns
    -------
    Dataset over the union of all coordinates, numbers increasing, names in the order of the parts; what no file holds
    is NaN (an empty text). Its attributes name every device, dtype, generator and set of versions that the parts were
    made with.

    Raises
    ------
    InputError
        When there is no part, or two parts hold the same place or disagree on what they share.
    """
    if not parts:
        raise InputError("nothing to collect: no job of this kind has finished")
    expanded, axes = [], dict.fromkeys(name for cell, _ in parts for name in cell)
    for cell, dataset in parts:
        point = io.point_of(dataset)
        own = {name: coordinate(name, value, parameters) for name, value in cell.items()}
        fixed = {
            name: coordinate(name, point[name], parameters)
            for name in parameters
            if name in point
            and name not in (*own, *dataset.coords, *dataset.dims)
            and not isinstance(point[name], list)
        }
        expanded.append(dataset.drop_attrs(deep=False).assign_coords(own | fixed).expand_dims(list(own)))
    index = _union(expanded)
    combined = xr.Dataset(coords={name: (name, values) for name, values in index.items()})
    names = dict.fromkeys(str(name) for part in expanded for name in part.variables if name not in index)
    for name in names:
        holders = [part for part in expanded if name in part.variables]
        if name in holders[0].coords:
            combined = combined.assign_coords({name: _coordinate(name, holders, index, list(axes))})
        else:
            combined[name] = _placed(name, holders, index)
    for coord in combined.coords:
        source = next(part for part in expanded if coord in part.coords)
        combined[coord].attrs = dict(source[coord].attrs)
    for name in parameters.keys() & combined.coords.keys():  # lanes too are described by the model, and only there
        combined[name].attrs.update(coordinate(name, 0, parameters).attrs)
    made = {name: sorted({str(d.attrs[name]) for _, d in parts if name in d.attrs}) for name in MADE_WITH}
    return combined.assign_attrs({name: "; ".join(values) for name, values in made.items() if values})


def _union(parts: Sequence[xr.Dataset]) -> dict[str, np.ndarray]:
    """The values of every dimension that has some: numbers increasing, names as they come."""
    found: dict[str, dict[Any, None]] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        for dim, size in part.sizes.items():
            if dim in part.coords:
                found.setdefault(str(dim), {}).update(dict.fromkeys(part[dim].values.tolist()))
            elif sizes.setdefault(str(dim), size) != size:
                raise InputError(f"parts differ in the length of {dim}: {sizes[str(dim)]} and {size}")
    index = {}
    for name, values in found.items():
        numbers = all(isinstance(value, int | float) for value in values)
        index[name] = np.array(sorted(values) if numbers else list(values))
    return index


def _empty(dims: Sequence[str], parts: Sequence[xr.DataArray], index: Mapping[str, np.ndarray]) -> np.ndarray:
    """Room for a variable, everything missing."""
    shape = [len(index[dim]) if dim in index else parts[0].sizes[dim] for dim in dims]
    kinds = np.result_type(*{part.dtype for part in parts}) if parts[0].dtype.kind in "fiub" else np.dtype(object)
    if kinds.kind == "O":
        return np.full(shape, "", dtype=object)
    if kinds.kind in "iub":  # where a number is missing it must be able to say so
        kinds = np.dtype(np.float32 if kinds.itemsize == 1 else np.float64)
    return np.full(shape, np.nan, dtype=kinds)


def _placed(name: str, parts: Sequence[xr.Dataset], index: Mapping[str, np.ndarray]) -> xr.Variable:
    """A variable of all parts, each where its coordinates say."""
    arrays = [part[name] for part in parts]
    dims = [str(dim) for dim in max(arrays, key=lambda array: array.ndim).dims]
    if any(set(array.dims) != set(dims) for array in arrays):
        raise InputError(f"parts differ in the dimensions of {name}: {sorted({str(a.dims) for a in arrays})}")
    out = _empty(dims, arrays, index)
    filled = np.zeros(out.shape, dtype=bool)
    ranks = {dim: {value: i for i, value in enumerate(index[dim].tolist())} for dim in dims if dim in index}
    for array in arrays:
        at = np.ix_(
            *(
                [ranks[d][v] for v in array[d].values.tolist()] if d in ranks else list(range(array.sizes[d]))
                for d in dims
            )
        )
        if filled[at].any():
            raise InputError(f"two parts hold the same place of {name}")
        out[at], filled[at] = array.transpose(*dims).values, True
    if filled.all() and out.dtype.kind == "f":
        out = out.astype(np.result_type(*{array.dtype for array in arrays}))
    return xr.Variable(dims, out, arrays[0].attrs)


def _coordinate(
    name: str, parts: Sequence[xr.Dataset], index: Mapping[str, np.ndarray], axes: Sequence[str]
) -> xr.Variable:
    """A coordinate that is no dimension: over those cell axes only along which it differs."""
    arrays = [part[name] for part in parts]
    first = arrays[0].variable
    if all(array.variable.equals(first) for array in arrays):
        return first
    wide = [part.assign({name: part[name].expand_dims({a: part[a].values for a in axes if a in part.dims})}) for part in
            (part.reset_coords(name) for part in parts)]  # fmt: skip
    placed = _placed(name, wide, index)
    for dim in [d for d in axes if d in placed.dims]:
        rows = np.moveaxis(placed.values, placed.dims.index(dim), 0)
        missing = rows != rows if rows.dtype.kind == "f" else rows == ""
        whole = [row for row, gone in zip(rows, missing, strict=True) if not gone.all()]
        same = all(np.array_equal(whole[0], row, equal_nan=rows.dtype.kind == "f") for row in whole)
        if same and not missing.any():
            placed = placed.isel({dim: 0})
    return placed
