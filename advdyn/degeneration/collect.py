"""The study `degeneration` as one data set over the runs that there are, never filled up to a product."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from advdyn import io
from advdyn.collect import MADE_WITH, Part
from advdyn.errors import InputError

SYSTEM = (
    "kind", "sigma", "minibatch_feature", "criterion", "loss", "d_steps", "width", "d_width", "latent",
    "batch_normalisation", "n_train", "learning_rate", "beta1", "batch", "epochs",
)  # fmt: skip
DIMS = ("run", "system", "seed", "draw", "epoch", "passed", "pairs", "direction", "decoder", "component", "byte")
CLASSIFIER = ("test_accuracy", "altered_bytes", "validation_error")
TITLE = "Degenerative adversarial networks, and what of the data survives them"

Steps = Mapping[str, Sequence[Part]]


def run(parts: Steps, parameters: Mapping[str, Sequence[str]], reference: Mapping[str, Any]) -> xr.Dataset:
    """Join trainings and measurements along one dimension ``run``, with all that was measured once beside them.

    A run is a point of the grid: the cell of a job with one sigma. A dozen parameters are swept, most of them one at
    a time; their product would hold mostly nothing.

    Parameters
    ----------
    parts
        For every step the (cell values, data set) of each job.
    parameters
        Name to (unit, description).
    reference
        The study's settings, kept as an attribute: figures and claims start from the run next to them.

    Returns
    -------
    Dataset over run (coordinates: the parameters SYSTEM, and whatever else is swept), seed, epoch, passed, decoder,
    component, pairs, direction, byte, shown and pixel; the references over (system, draw); the game on a line with
    the prefix ``line_``, that of Theorem 1 with ``saddle_``. NaN where a run has no such pass or seed.

    Raises
    ------
    InputError
        When no training is there; what another step has not done yet is absent or NaN.
    """
    train = parts["train"]
    if not train:
        raise InputError("nothing to collect: no job of this kind has finished")
    measured = {(tuple(cell.items()), _seeds(found)): found for cell, found in parts["measure"]}
    cells: dict[tuple[Any, ...], list[xr.Dataset]] = {}
    points: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell, record in train:
        key = tuple(cell.items())
        found = [record.drop_vars("original", errors="ignore")]
        if (key, _seeds(record)) in measured:
            found.append(measured[key, _seeds(record)])
        whole = xr.merge([_floats(part.drop_attrs(deep=False)) for part in found], join="outer", compat="no_conflicts")
        cells.setdefault(key, []).append(whole)
        points[key] = {**io.point_of(record), **cell}
    names = [*SYSTEM, *(n for n in dict.fromkeys(n for cell, _ in train for n in cell) if n not in SYSTEM)]
    study = _joined([_run(blocks, points[key], names) for key, blocks in cells.items()], "run")
    for name in names:
        unit, description = parameters.get(name, ("1", name.replace("_", " ")))
        study[name].attrs = {"long_name": description, "units": unit}
    for other in (train[0][1][["original"]] if "original" in train[0][1] else None, *_once(parts)):
        if other is not None:
            study = study.merge(other.drop_attrs(deep=False), join="outer", compat="no_conflicts")
    for name in map(str, study.variables):
        if study[name].dtype == object:  # a text that no run has
            study[name] = study[name].fillna("")
        study[name].attrs.setdefault("long_name", name.replace("_", " "))
        study[name].attrs.setdefault("units", "1")
    made = {name: sorted({str(d.attrs[name]) for _, d in train if name in d.attrs}) for name in MADE_WITH}
    attrs = {name: "; ".join(values) for name, values in made.items() if values}
    attrs |= {"title": TITLE, "reference": json.dumps(dict(reference), sort_keys=True)}
    attrs |= {"image_shape": str(train[0][1].attrs["image_shape"])}
    return study.drop_attrs(deep=False).assign_attrs(attrs).transpose(*DIMS, ..., missing_dims="ignore")


def _seeds(dataset: xr.Dataset) -> tuple[int, ...]:
    return tuple(int(seed) for seed in dataset["seed"].values)


def _floats(dataset: xr.Dataset) -> xr.Dataset:
    """Bytes as float32, so that a missing one can be NaN."""
    return dataset.assign(
        {name: v.astype(np.float32, keep_attrs=True) for name, v in dataset.data_vars.items() if v.dtype == np.uint8}
    )


def _run(blocks: Sequence[xr.Dataset], point: Mapping[str, Any], names: Sequence[str]) -> xr.Dataset:
    """The blocks of one cell along seed, its values of sigma along ``run``."""
    whole = _joined(blocks, "seed")
    sigma = whole["sigma"].values
    own = {n: ("run", np.repeat(np.asarray(point[n]), len(sigma))) for n in names if n != "sigma"}
    whole = whole.drop_vars("sigma").rename_dims(sigma="run")
    own |= {"sigma": ("run", sigma)}
    return whole.drop_vars([c for c in whole.coords if c not in whole.dims]).assign_coords(own)


def _joined(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Data sets one after another along a dimension, missing places NaN."""
    if len(parts) == 1:
        return parts[0]
    return xr.concat(
        parts, dim, data_vars="minimal", coords="minimal", compat="override", join="outer", combine_attrs="override"
    )


def _once(parts: Steps) -> list[xr.Dataset]:
    """What was measured once for the study, under names that nothing else has."""
    found: list[xr.Dataset] = [part for _, part in parts["measure_references"]]
    found += [part[[n for n in CLASSIFIER if n in part]] for _, part in parts["train_classifier"]]
    for step, prefix in (("linearise", "saddle_"), ("train_line", "line_")):
        for _, part in parts[step]:
            names = {str(n): f"{prefix}{n}" for n in (*part.data_vars, *part.dims, *part.coords)}
            found.append(part.rename({n: new for n, new in names.items() if not n.startswith(prefix)}))
    found += [part for _, part in parts["overwrite"]]
    found += [part.drop_vars("original", errors="ignore") for _, part in parts["illustrate"]]
    return [_floats(part) for part in found]
