"""Adversarial error of a linear binary classifier, exact, for any number of attack sizes from one sort.

The attack of size eps in the ball |delta|_p <= eps lowers every margin tau (w.x + b) by exactly eps times
the dual norm of w (|w|_1 for l_inf, |w|_2 for l_2; no clipping to the range of the data). An image is lost
when its margin falls to 0 or below, so the error at every eps is a count in the sorted margins.
"""

import numpy as np
from numpy.typing import ArrayLike


def _checked(margins: ArrayLike, dual_norm: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    margins = np.asarray(margins, dtype=float)
    norm = np.asarray(dual_norm, dtype=float)
    if margins.ndim == 0 or margins.shape[-1] == 0:
        raise ValueError("margins must have at least one sample on their last axis")
    if not (norm >= 0).all():
        raise ValueError("dual_norm must be >= 0 and not NaN")
    return margins, norm if norm.shape == margins.shape[:-1] else np.broadcast_to(norm, margins.shape[:-1])


def error_curve(margins: ArrayLike, dual_norm: ArrayLike, eps: ArrayLike) -> np.ndarray:
    """Share of samples that the worst perturbation of size eps turns wrong: mean of [margin <= eps * dual_norm].

    A tie (margin exactly eps * dual_norm: the output is 0) counts as an error.

    Parameters
    ----------
    margins : (..., n)
        tau (w.x + b) of the samples, lanes on the leading axes.
    dual_norm : (...)
        Norm of w dual to the attack's, one for each lane.
    eps : any shape
        Sizes of the attack, in the units of x; inf is allowed.

    Returns
    -------
    (..., *eps.shape) array of errors in [0, 1]; NaN for a lane that holds a NaN margin.

    Raises
    ------
    ValueError
        When an eps or a norm is negative or NaN, or there are no samples.
    """
    margins, norm = _checked(margins, dual_norm)
    eps = np.asarray(eps, dtype=float)
    if not (eps >= 0).all():
        raise ValueError("eps must be >= 0 and not NaN")
    ordered = np.sort(margins, axis=-1)
    lanes = margins.shape[:-1]
    error = np.empty((*lanes, *eps.shape))
    for lane in np.ndindex(lanes):
        # a classifier without weights cannot be attacked, not even by eps = inf
        reach = eps * norm[lane] if norm[lane] > 0 else np.zeros(eps.shape)
        count = np.searchsorted(ordered[lane], reach, side="right")
        error[lane] = np.nan if np.isnan(ordered[lane][-1]) else count / margins.shape[-1]  # NaN sorts last
    return error


def smallest_eps(margins: ArrayLike, dual_norm: ArrayLike) -> np.ndarray:
    """Smallest attack that turns each sample wrong: its distance to the boundary in the attack's norm.

    Parameters
    ----------
    margins : (..., n)
    dual_norm : (...)

    Returns
    -------
    (..., n): margin / dual_norm; 0 for samples already wrong, inf where dual_norm = 0 and the sample is right.
    The distribution function of these is ``error_curve``.

    Raises
    ------
    ValueError
        See ``error_curve``.
    """
    margins, norm = _checked(margins, dual_norm)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distance = np.divide(margins, norm[..., None])
    return np.where(margins <= 0, 0.0, distance)


def eps_at_error(margins: ArrayLike, dual_norm: ArrayLike, level: float) -> np.ndarray:
    """Smallest eps at which ``error_curve`` reaches ``level``.

    Parameters
    ----------
    margins : (..., n)
    dual_norm : (...)
    level
        Error in (0, 1].

    Returns
    -------
    (...): 0 where the error without attack is at least ``level`` already; inf where the attack cannot reach
    it (dual_norm = 0); NaN for a lane that holds a NaN margin.

    Raises
    ------
    ValueError
        When ``level`` is outside (0, 1]; otherwise see ``error_curve``.
    """
    if not 0 < level <= 1:
        raise ValueError(f"level must lie in (0, 1], not {level}")
    margins, norm = _checked(margins, dual_norm)
    rank = required(margins.shape[-1], level)
    margin = np.partition(margins, rank - 1, axis=-1)[..., rank - 1]  # the last sample that has to fall
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.where(margin <= 0, 0.0, margin / norm)
        # the quotient may round to where that sample just survives: then the next number is the smallest
        found = np.where(np.isfinite(found) & (found * norm < margin), np.nextafter(found, np.inf), found)
    return np.where(np.isnan(margins).any(axis=-1), np.nan, found)


def required(n: int, level: float) -> int:
    """Smallest number k of n samples with k / n >= level, as it comes out in floating point."""
    k = max(1, int(np.ceil(level * n)))
    while k > 1 and (k - 1) / n >= level:
        k -= 1
    while k / n < level:
        k += 1
    return k
