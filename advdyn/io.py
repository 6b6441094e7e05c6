"""Files: written whole or not at all, the same bytes from the same numbers, with their provenance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from advdyn import provenance
from advdyn.atomic import whole
from advdyn.errors import InputError


class StaleError(InputError):
    """A result file was made with other parameters or other code than those asked for."""


def write(
    dataset: xr.Dataset, path: str | Path, point: Mapping[str, Any], code: Sequence[str], sources: Sequence[str] = ()
) -> None:
    """Write a dataset as NetCDF4 with the provenance of its parameters, its code and the files it was made from.

    Raises
    ------
    ValueError
        When a variable lacks ``units`` or ``long_name``.
    """
    for name, variable in dataset.variables.items():
        missing = {"units", "long_name"} - set(variable.attrs)
        if missing and variable.dtype.kind in "fiu":
            raise ValueError(f"variable {name} lacks {', '.join(sorted(missing))}")
    for variable in dataset.variables.values():
        variable.attrs.setdefault("references", "defined by this study")
    stamped = dataset.assign_attrs(provenance.attributes(point, code, map(identity_of, sources)))
    encoding = {
        name: {"zlib": True, "complevel": 4}
        for name, v in dataset.data_vars.items()
        if v.size > 1000 and v.dtype.kind in "fiu"
    }
    with whole(path) as part:
        stamped.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=encoding)


def read(path: str | Path) -> xr.Dataset:
    """Load a dataset into memory and close its file."""
    return xr.load_dataset(path, engine="netcdf4")


def point_of(dataset: xr.Dataset) -> dict[str, Any]:
    """The parameters a dataset was made with."""
    return json.loads(dataset.attrs["parameters"])


def identity_of(path: str | Path) -> str:
    """The identity of a file (see ``advdyn.provenance.identity``), without loading its numbers.

    A file that is no data set of ours (a user's own code) is known by its content.
    """
    if Path(path).suffix != ".nc":
        return provenance.content(path)
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        return provenance.identity_of(dataset.attrs)


def read_expected(path: str | Path, digest: str, code: str, sources: Sequence[str], rule: str) -> xr.Dataset:
    """Load a dataset and refuse it when it was not made with the parameters, code and sources asked for.

    Snakemake forgets parameters when its metadata is lost (results copied without ``.snakemake``);
    the file itself does not.

    Raises
    ------
    StaleError
        Naming the file, what differs, and the command that makes it again.
    """
    dataset = read(path)
    made = {
        "parameters": provenance.digest(point_of(dataset)) == digest,
        "code": dataset.attrs["code"] == code,
        "sources": json.loads(dataset.attrs["sources"]) == list(sources),
    }
    stale = [what for what, same in made.items() if not same]
    if stale:
        before = " and the rules before it" if "sources" in stale else ""
        raise StaleError(
            f"{path}: made with other {' and '.join(stale)} than this study asks for; make it again with: "
            f"snakemake --cores 2 --forcerun {rule}{before} (and the --configfile of this run)"
        )
    return dataset


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a CSV with at most 10 significant digits (enough to compare, short enough to read)."""
    with whole(path) as part:
        table.to_csv(part, index=False, float_format="%.10g", lineterminator="\n")


def variable(dims: Sequence[str], values: Any, long_name: str, units: str = "1", references: str = "") -> xr.Variable:
    """An xarray variable with the attributes every variable here carries."""
    attrs = {"long_name": long_name, "units": units}
    if references:
        attrs["references"] = references
    return xr.Variable(tuple(dims), np.asarray(values), attrs)
