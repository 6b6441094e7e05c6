"""Agreement of simulation and theory: a z-score for each order parameter, point, learning time and order."""

import numpy as np
import pandas as pd
import xarray as xr

PARAMETERS = ("R", "b")
ROUNDING = 1e-12  # a spread below it is rounding, not randomness (alpha = 0)


def scores(study: xr.Dataset) -> xr.Dataset:
    """Mean over seeds against the ODE, in standard errors of that mean.

    z = (mean - theory) / (sd / sqrt(n)), the standard deviation taken over the n independent seeds. Along one
    trajectory the scores are autocorrelated: they are not independent tests.

    Returns
    -------
    Dataset with dim ``parameter`` (R, b) and variables mean, sd, sd_theory, n, theory, z; z is NaN where fewer than
    two runs stand, or where all agree to rounding (alpha = 0).
    """
    rows = []
    for name in PARAMETERS:
        runs, theory = study[f"{name}_sim"], study[f"{name}_ode"]
        n = runs.notnull().sum("seed")
        mean, sd = runs.mean("seed"), runs.std("seed", ddof=1)
        error = (sd / np.sqrt(n)).where(sd > ROUNDING)
        rows.append(
            xr.Dataset(
                {
                    "mean": mean,
                    "sd": sd,
                    "sd_theory": study[f"{name}_sd_theory"],
                    "n": n,
                    "theory": theory,
                    "z": (mean - theory) / error,
                }
            )
        )
    return xr.concat(rows, pd.Index(PARAMETERS, name="parameter"), join="outer")


def table(study: xr.Dataset) -> pd.DataFrame:
    """The scores as a table, one row for each parameter, order, point and learning time that has runs."""
    found = scores(study)
    dims = [d for d in ("simulator", "order", "parameter") if d in found.dims]
    points = [str(d) for d in found.dims if d not in (*dims, "alpha")]
    order = [*dims, *points, "alpha"]
    frame = found.reset_coords(drop=True).to_dataframe(dim_order=order).reset_index()
    frame = frame[frame["n"] >= 2]
    frame["beyond_2"] = frame["z"].abs() > 2
    return frame[[*order, "theory", "mean", "sd", "sd_theory", "n", "z", "beyond_2"]].reset_index(drop=True)
