"""The study `generation` as one data set: every swept parameter a dimension, the references beside it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from advdyn.collect import Part, combine

TITLE = "A generative adversarial network on images, judged from outside the game"


def run(
    parts: Mapping[str, Sequence[Part]], parameters: Mapping[str, Sequence[str]], reference: Mapping[str, Any]
) -> xr.Dataset:
    """Put trainings, judgements and references into one data set.

    Parameters
    ----------
    parts
        For train, evaluate and evaluate_references the (cell values, data set) of each job.
    parameters
        Name to (unit, description).
    reference
        The study's settings, kept as an attribute: figures and claims start from the run at them.

    Returns
    -------
    Dataset over the swept parameters, seed, epoch (of training), kept (epochs whose generator was judged), class,
    shown and pixel, and over source and draw for the references; NaN where there is no such run.

    Raises
    ------
    InputError
        When no training is there; what a step has not done yet is absent.
    """
    study = combine([*parts["train"], *(parts["evaluate"] if parts["train"] else [])], parameters)
    for _, found in parts["evaluate_references"]:
        study = study.merge(found.drop_attrs(deep=False), join="outer", compat="no_conflicts")
    shape = {str(record.attrs["image_shape"]) for _, record in parts["train"]}
    return study.assign_attrs(
        title=TITLE, reference=json.dumps(dict(reference), sort_keys=True), image_shape="; ".join(sorted(shape))
    )
