"""The study `semisupervised` as one data set: every swept parameter a dimension, distances and moons beside it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from advdyn.collect import Part, combine

TITLE = "Virtual adversarial training: what unlabelled images add to a few labelled ones"
ONCE = ("train_moons", "plant")


def run(
    parts: Mapping[str, Sequence[Part]], parameters: Mapping[str, Sequence[str]], reference: Mapping[str, Any]
) -> xr.Dataset:
    """Put trainings, evaluations, distances, moons and plantings into one data set.

    Parameters
    ----------
    parts
        For train, evaluate, measure_distances, train_moons and plant the (cell values, data set) of each job.
    parameters
        Name to (unit, description).
    reference
        The study's settings, kept as an attribute: figures and claims start from the run at them.

    Returns
    -------
    Dataset over the swept parameters, seed, update, split, along, place, length and iteration; distances over level
    (and n_pool, if that is swept), the two moons over moon_noise, moon_method, moon_seed, gx, gy, moon_point and axis,
    the plantings over planted. NaN where there is no such run.

    Raises
    ------
    InputError
        When no training is there; what a step has not done yet is absent.
    """
    study = combine([*parts["train"], *(parts["evaluate"] if parts["train"] else [])], parameters)
    beside = [combine(parts["measure_distances"], parameters)] if parts["measure_distances"] else []
    beside += [found for step in ONCE for _, found in parts[step]]
    for found in beside:
        own = found.drop_vars([name for name in found.coords if name not in found.dims])
        study = study.merge(own.drop_attrs(deep=False), join="outer", compat="no_conflicts")
    return study.assign_attrs(title=TITLE, reference=json.dumps(dict(reference), sort_keys=True))
