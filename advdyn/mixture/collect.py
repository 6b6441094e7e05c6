"""The study `mixture` as one data set: simulation beside theory."""

from collections.abc import Mapping, Sequence

import xarray as xr

from advdyn.collect import Part, combine

FIRST = ("order", "seed")
LAST = ("alpha", "eps", "example")


def run(simulation: Sequence[Part], theory: Sequence[Part], parameters: Mapping[str, Sequence[str]]) -> xr.Dataset:
    """Join simulation and theory, and add the finite-size spread that theory predicts.

    Returns
    -------
    Dataset with dims (order | seed, swept parameters, alpha | eps); ``R_sd_theory`` and ``b_sd_theory``
    are sqrt(C / N) from the linear-noise equations (theory: fluctuations), so that they can be laid over
    the standard deviation of the runs.
    """
    study = xr.merge([combine(simulation, parameters), combine(theory, parameters)], join="outer", compat="override")
    for name in ("R", "b"):
        spread = (study[f"C_{name}{name}"] / study["dimension"]) ** 0.5
        spread.attrs = {
            "long_name": f"standard deviation of {name} at finite N, linear noise",
            "units": "1",
            "references": "theory of fluctuations: C = N Cov(R, b)",
        }
        study[f"{name}_sd_theory"] = spread
    order = ["scenario", *parameters]  # of the model
    middle = sorted((d for d in map(str, study.dims) if d in order), key=order.index)
    middle += [d for d in map(str, study.dims) if d not in {*FIRST, *LAST, *middle}]
    return study.transpose(*FIRST, *middle, *LAST, missing_dims="ignore")
