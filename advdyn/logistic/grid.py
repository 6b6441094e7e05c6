"""One view of a collected study, whichever of its parameters were lanes, cells or scenarios."""

import numpy as np
import xarray as xr

from advdyn import linear

AXES = ("l2", "eps_train")
SHARED = ("tau", "validation_tau", "example", "example_image", "image_shape", "n_train", "n_test")  # of the data only


def regular(study: xr.Dataset) -> xr.Dataset:
    """The study over exactly l2 and eps_train (both increasing); what was not computed is NaN and not converged.

    Parameters
    ----------
    study
        A file of ``evaluation.run``, or their collection, in which cells and scenarios are dims.

    Raises
    ------
    ValueError
        When it has another axis, or two models with the same l2 and eps_train.
    """
    own = set(study["bias"].dims)
    extra = own - {*AXES, "scenario"}
    if extra:
        raise ValueError(f"the study has axes besides l2 and eps_train: {', '.join(sorted(map(str, extra)))}")
    shared = {name: study[name].isel(dict.fromkeys(own & set(study[name].dims), 0), drop=True) for name in SHARED}
    models = study.drop_vars(SHARED)
    names = study["scenario"].values if "scenario" in own else [None]
    parts = []
    for name in names:
        part = models if name is None else models.sel(scenario=name).drop_vars("scenario")
        missing = [axis for axis in AXES if axis not in part.dims]
        parts.append(part.expand_dims(missing).transpose(*AXES, ...))
    if len(parts) > 1:
        cells = [(a, b) for part in parts for a in part["l2"].values for b in part["eps_train"].values]
        if len(set(cells)) < len(cells):
            raise ValueError("two scenarios have the same l2 and eps_train")
        merged = parts[0]
        for part in parts[1:]:
            merged = merged.combine_first(part)
    else:
        merged = parts[0]
    merged = merged.sortby(list(AXES))
    converged = merged["converged"].fillna(0).astype(bool)
    return merged.assign(shared).assign(converged=converged).transpose(*AXES, ...)


def choose(study: xr.Dataset, eps_train: float, eps: float) -> float:
    """The l2 that the validation images choose for one training attack: least error under an attack of size eps.

    Of equals the largest l2; only converged models; NaN where there is none.

    Parameters
    ----------
    study
        From ``regular``.
    """
    part = study.sel(eps_train=eps_train)
    margin = (part["validation_output"] * part["validation_tau"]).transpose("l2", ...).values
    error = linear.error_curve(margin, np.nan_to_num(part["weight_l1"].values), eps)
    error = np.where(part["converged"].values, error, np.inf)
    if not np.isfinite(error).any():
        return float("nan")
    return float(part["l2"].values[error == error.min()].max())


def chosen(study: xr.Dataset) -> xr.Dataset:
    """``choose`` for every eps_train: under attack at eps_train itself, and without attack."""
    attacks = study["eps_train"].values
    return xr.Dataset(
        {
            "chosen_l2": ("eps_train", [choose(study, e, e) for e in attacks]),
            "chosen_l2_clean": ("eps_train", [choose(study, e, 0.0) for e in attacks]),
        },
        coords={"eps_train": attacks},
    )
