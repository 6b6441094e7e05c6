"""Train logistic regression, standard and adversarial, to the optimum of its convex objective."""

import logging
from typing import Literal

import numpy as np
import xarray as xr

from advdyn import devices, io, lanes, linear
from advdyn.data.errors import DataError
from advdyn.data.load import Images
from advdyn.logistic import pair, solve

log = logging.getLogger("advdyn")
REFERENCE = "Goodfellow, Shlens and Szegedy, arXiv:1412.6572"


def run(
    images: Images,
    *,
    positive: int,
    negative: int,
    l2: lanes.Parameter,
    eps_train: lanes.Parameter,
    tolerance: float,
    max_iterations: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Minimise mean softplus(eps_train |w|_1 - tau (w.x + b)) + (l2/2) |w|^2 on the training images of two classes.

    Parameters
    ----------
    images
        Only ``x_train`` and ``y_train`` are read.
    positive, negative
        Classes with tau = +1 and tau = -1.
    l2, eps_train
        Weight penalty, and training attack in units of the pixel range; a list is a lane axis, all lanes are one batch.
    tolerance, max_iterations
        Bound on the KKT residual, and Newton iterations after which a lane is given up (and marked).

    Returns
    -------
    Dataset over the lane axes: weight (.., pixel), bias, objective, kkt_residual, converged, bounded, iterations,
    train_error, n_train. A lane that did not converge is kept and marked.

    Raises
    ------
    ValueError
        When a class is missing, or l2 = 0 with eps_train = 0; see ``solve.check``.
    RuntimeError
        When the device asked for is not there.
    """
    where = devices.resolve(device)
    if len(images.shape) != 2:
        raise DataError(f"images of shape {images.shape}; this study takes grey images of shape (height, width)")
    x, tau = pair.of(images.x_train, images.y_train, positive, negative, "training")
    grid = lanes.expand(l2=l2, eps_train=eps_train)
    found = solve.minimise(
        x,
        tau,
        grid.values["l2"],
        grid.values["eps_train"],
        tolerance=tolerance,
        max_iterations=max_iterations,
        device=where,
        dtype=devices.DTYPES[dtype],
    )
    for k in np.flatnonzero(~found.converged):
        log.warning(
            "l2 = %g, eps_train = %g: not converged after %d iterations (KKT residual %.2g)%s",
            grid.values["l2"][k],
            grid.values["eps_train"][k],
            found.iterations[k],
            found.residual[k],
            "" if found.bounded[k] else "; the data are separable beyond eps_train and l2 = 0, so no minimum exists",
        )
    margins = tau * (found.weight @ x.T + found.bias[:, None])
    train_error = linear.error_curve(margins, np.abs(found.weight).sum(1), 0.0)

    def over_lanes(values: np.ndarray, name: str, units: str = "1") -> xr.Variable:
        return io.variable(grid.dims, grid.unflatten(values, 0), name, units, REFERENCE)

    about = {
        "l2": ("weight penalty", "1"),
        "eps_train": ("training attack (l_inf)", "pixel range"),
    }
    coords = {
        name: io.variable(
            (name,) if name in grid.coords else (), grid.coords.get(name, grid.values[name][0]), *about[name]
        )
        for name in about
    }
    return xr.Dataset(
        {
            "weight": io.variable(
                (*grid.dims, "pixel"), grid.unflatten(found.weight, 0), "weight w", "1/pixel range", REFERENCE
            ),
            "bias": over_lanes(found.bias, "bias b"),
            "objective": over_lanes(found.objective, "penalised adversarial training loss"),
            "kkt_residual": over_lanes(found.residual, "largest component of the projected gradient"),
            "converged": over_lanes(found.converged.astype(np.int8), "whether the residual is within tolerance"),
            "bounded": over_lanes(found.bounded.astype(np.int8), "whether a minimum exists (0: proved that none does)"),
            "iterations": over_lanes(found.iterations, "Newton iterations"),
            "train_error": over_lanes(train_error, "training error without attack"),
            "n_train": io.variable((), len(tau), "training images"),
        },
        coords=coords,
        attrs={"device": str(where), "dtype": dtype, "positive": positive, "negative": negative},
    )
