"""The study `turing` as one data set over the runs that there are: a union of grids, never filled up to a product."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from advdyn import io
from advdyn.collect import MADE_WITH, Part
from advdyn.errors import InputError

LANES = ("adversary", "adversary_weight", "penalty")
SYSTEM = (
    "dataset", "net", "adversary", "sign", "width", "n", "eta", "penalty", "control", "adversary_weight",
    "critic_width", "critic_steps", "critic_rate", "target_slope", "critic_argument", "frozen_steps", "field_time",
    "activation", "initial_scale", "inputs", "optimiser", "batch", "duration",
)  # fmt: skip
DIMS = (
    "run", "bound", "delta", "layer", "seed", "stage", "time", "snapshot", "neuron", "shown", "wavenumber", "component",
    "eigenvalue", "pixel",
)  # fmt: skip
DIGITS = 9  # of a time, so that runs of different step sizes share their times
TITLE = "Two-layer networks with and without an adversary"

Steps = Mapping[str, Sequence[Part]]


def run(parts: Steps, parameters: Mapping[str, Sequence[str]], reference: Mapping[str, Any]) -> xr.Dataset:
    """Join runs, bounds and diagnostics along one dimension ``run``.

    A run is a point of the grid: the cell of a job with one of its lanes. Nine and more parameters are swept, most of
    them one at a time; their product would hold mostly nothing.

    Parameters
    ----------
    parts
        For train, bound and diagnose the (cell values, data set) of each job, in one order of cells and blocks.
    parameters
        Name to (unit, description).
    reference
        The study's settings, kept as an attribute: figures and claims start from the run next to them.

    Returns
    -------
    Dataset over run (coordinates: the parameters SYSTEM, and whatever else is swept), seed, time, neuron, bound,
    layer, delta, stage, wavenumber, component, eigenvalue, and filters over snapshot (see ``snapshot_time``), shown and
    pixel; NaN where a run has no such time, neuron or seed.

    Raises
    ------
    InputError
        When no training is there; what a step has not done yet is NaN.
    """
    train = parts["train"]
    if not train:
        raise InputError("nothing to collect: no job of this kind has finished")
    others = {step: _by_job(found) for step, found in parts.items() if step != "train"}
    cells: dict[tuple[Any, ...], list[xr.Dataset]] = {}
    points: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell, record in train:
        key = tuple(cell.items())
        found = [_snapshots(record)]
        for of in others.values():
            job = (key, _block(record))
            if job in of:
                found.append(of[job])
        found = [_timed(part.drop_attrs(deep=False)) for part in found]
        cells.setdefault(key, []).append(xr.merge(found, join="outer", compat="no_conflicts"))
        points[key] = {**io.point_of(record), **cell}
    names = [*SYSTEM, *(n for n in dict.fromkeys(n for cell, _ in train for n in cell) if n not in SYSTEM)]
    runs = []
    for key, blocks in cells.items():
        whole = xr.concat(blocks, "seed", data_vars="minimal", coords="minimal", compat="override", join="outer") if (
            len(blocks) > 1
        ) else blocks[0]  # fmt: skip
        one = whole.rename(lane="run")
        own = {n: ("run", np.repeat(np.asarray(points[key][n]), one.sizes["run"])) for n in names if n not in LANES}
        runs.append(one.assign_coords(own))
    study = runs[0] if len(runs) == 1 else _joined(runs)
    study = study.drop_vars([c for c in study.coords if c not in study.dims and c not in names])
    for name in names:
        unit, description = parameters.get(name, ("1", name.replace("_", " ")))
        study[name].attrs = {"long_name": description, "units": unit}
    for name in map(str, study.variables):
        if study[name].dtype == np.float64 and "neuron" in study[name].dims:
            study[name] = study[name].astype(np.float32)
        study[name].attrs.setdefault("long_name", name.replace("_", " "))
        study[name].attrs.setdefault("units", "1")
        study[name].attrs.setdefault("references", "defined by this study")
    made = {name: sorted({str(d.attrs[name]) for _, d in train if name in d.attrs}) for name in MADE_WITH}
    attrs = {name: "; ".join(values) for name, values in made.items() if values}
    attrs |= {"title": TITLE, "reference": json.dumps(dict(reference), sort_keys=True)}
    study = study.drop_attrs(deep=False).assign_attrs(attrs)
    return study.transpose(*DIMS, ..., missing_dims="ignore")


def _block(dataset: xr.Dataset) -> tuple[int, ...]:
    return tuple(int(seed) for seed in dataset["seed"].values)


def _timed(dataset: xr.Dataset) -> xr.Dataset:
    """The data set at rounded times, if it has any."""
    return dataset.assign_coords(time=dataset["time"].round(DIGITS)) if "time" in dataset.coords else dataset


def _snapshots(record: xr.Dataset) -> xr.Dataset:
    """The record with its snapshots by number, and their times as a variable: runs have other ones."""
    if "snapshot" not in record.coords:
        return record
    return record.assign(snapshot_time=record["snapshot"].variable).drop_vars("snapshot")


def _by_job(parts: Sequence[Part]) -> dict[tuple[Any, ...], xr.Dataset]:
    return {(tuple(cell.items()), _block(dataset)): dataset for cell, dataset in parts}


def _padded(runs: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """All runs with as many places along every dimension that has no coordinate (neurons), missing ones NaN."""
    sizes: dict[str, int] = {}
    for one in runs:
        for dim, size in one.sizes.items():
            if dim not in one.coords and dim != "run":
                sizes[str(dim)] = max(size, sizes.get(str(dim), 0))
    return [
        one.pad({d: (0, n - one.sizes[d]) for d, n in sizes.items() if d in one.dims and n > one.sizes[d]})
        for one in runs
    ]


def _joined(runs: Sequence[xr.Dataset]) -> xr.Dataset:
    return xr.concat(
        _padded(runs),
        "run",
        data_vars="all",
        coords="different",
        compat="equals",
        join="outer",
        combine_attrs="override",
    )


def pictures(found: xr.Dataset | None) -> xr.Dataset:
    """The illustrations, or an empty data set where there are none: figures then say so."""
    return (
        xr.Dataset(attrs={"title": "Networks with and without an adversary, illustrated"}) if found is None else found
    )
