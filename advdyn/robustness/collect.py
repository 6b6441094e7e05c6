"""The study `robustness` as one data set: attacks on all runs, transfer between some, images at several resolutions."""

import numpy as np
import xarray as xr

from advdyn.errors import InputError

POINT = ("model", "training", "eps_train", "n_train")
LAST = ("seed", "attack", "norm", "where", "quantile", "eps", "clip")
TRANSFER = {"seed": "transfer_seed", "eps": "transfer_eps"}
SCALE = {"seed": "scaled_seed"}
TITLE = "Networks under attack: standard and adversarially trained"


def with_dim(study: xr.Dataset, name: str) -> xr.Dataset:
    """The data set with coordinate ``name`` as a dimension of everything that is measured on runs.

    A scalar coordinate becomes a dimension of length 1. A coordinate along other axes (a size that goes with the
    training method, say) becomes one of its values; where a run has another value it holds nothing.

    Raises
    ------
    InputError
        When the data set does not know the parameter.
    """
    if name in study.dims:
        return study
    if name not in study.coords:
        raise InputError(f"the files to collect do not say their {name}: make them again")
    coordinate = study[name]
    runs = [v for v in study.data_vars if {"seed", *coordinate.dims} <= set(study[v].dims)]
    rest = study.drop_vars([name, *runs])
    parts = []
    values = coordinate.values.ravel()
    kept = values[values != ""] if values.dtype.kind in "OU" else values[~np.isnan(values.astype(float))]
    for value in np.unique(kept):
        part = study[runs].drop_vars(name)
        part = part.where((coordinate == value).drop_vars(name)) if coordinate.ndim else part
        parts.append(part.expand_dims({name: [value]}))
    found = xr.concat(
        parts, name, data_vars="all", join="outer", coords="minimal", compat="override", combine_attrs="override"
    )
    found[name].attrs = dict(coordinate.attrs)
    return found.assign({v: rest[v] for v in rest.data_vars}).assign_attrs(study.attrs)


def run(attacked: xr.Dataset, transfer: xr.Dataset | None, scale: xr.Dataset | None) -> xr.Dataset:
    """Join what was measured.

    Parameters
    ----------
    attacked
        The files of rule attack_robustness as ``advdyn.collect.combine`` joins them.
    transfer, scale
        Of ``transfer.run`` and ``scale.run``; None, or empty, where there is none.

    Returns
    -------
    Dataset over model, training, eps_train, n_train (always dimensions), other swept parameters, seed, attack, norm,
    where, quantile, eps and clip; transfer over (source, target, transfer_seed, transfer_eps), resolutions over
    (scaled_model, resolution, scaled_seed). NaN where nothing was measured.

    Raises
    ------
    InputError
        See ``with_dim``.
    """
    study = attacked
    for name in POINT:
        study = with_dim(study, name)
    attrs = {**study.attrs, "title": TITLE}
    for part, names in ((transfer, TRANSFER), (scale, SCALE)):
        if part is None:
            continue
        part = part.rename({old: new for old, new in names.items() if old in part.dims})
        attrs |= {
            key: part.attrs[key]
            for key in ("judged_by", "not_measured", "surrogate", "surrogate_epochs")
            if key in part.attrs
        }
        study = study.merge(part.drop_attrs(deep=False), join="exact", compat="no_conflicts", combine_attrs="override")
    for key, variable in study.variables.items():
        variable.attrs.setdefault("long_name", str(key).replace("_", " "))
        variable.attrs.setdefault("units", "1")
        variable.attrs.setdefault("references", "defined by this study")
    other = [str(d) for d in study["error"].dims if d not in POINT + LAST]
    return study.assign_attrs(attrs).transpose(*POINT, *other, *LAST, ..., missing_dims="ignore")


def pictures(found: xr.Dataset | None) -> xr.Dataset:
    """The illustrations, or an empty data set where there are none: figures then say so."""
    return xr.Dataset(attrs={"title": "Attacks illustrated"}) if found is None else found
