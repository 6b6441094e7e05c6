"""Fixed points of the order-parameter equations, their stability, and the breaking of the symmetry of b.

At given b, dR/dalpha = 0 reads (1-R^2)/R = c with c = eta_w V/(rho D), V = p v1 V_+ + (1-p) v2 V_- and
D = -p A_+ + (1-p) A_-, so R = 2/(c + sqrt(c^2 + 4)); to first order in eta_w, c = 0 and R = 1. On that line
db/dalpha = 0 where the two classes pull equally: (1-p) A_- = -p A_+.
"""

import numpy as np
from scipy.optimize import elementwise
from scipy.special import erf, log_ndtr

from advdyn.mixture.closed_forms import Array, Value
from advdyn.mixture.drift import Drift

MARCH_STEPS = 250


def overlap(drift: Drift, b: Array, index: Array) -> Array:
    """The overlap R at which dR/dalpha = 0 at biases b of the points ``index``, shape of both (active,)."""
    if not drift.exact:
        return np.ones(b.shape)

    # scipy leaves converged elements out, so each call names the points it still works on
    def excess(R: Array, b: Array, index: Array) -> Array:
        return R - _overlap_given_force(drift.take(index), R, b)

    solved = elementwise.find_root(excess, (np.zeros(b.shape), np.ones(b.shape)), args=(b, index))
    return np.where(solved.success, solved.x, np.nan)


def _overlap_given_force(drift: Drift, R: Array, b: Array) -> Array:
    m = drift.means(R, b)
    pA = drift.p * drift.force.mean(m)
    D, V = pA[1] - pA[0], (drift.p * drift.v * drift.force.mean_square(m)).sum(0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # far from both classes D and V underflow; V falls faster, so that their ratio is 0
        c = np.where(V > 0, 2 * drift.curvature / drift.points.eta_w * V / (drift.points.rho * D), 0.0)
        return 2 / (c + np.sqrt(c**2 + 4))


def pull(drift: Drift, R: Array, b: Array) -> Array:
    """ln[(1-p) A_-] - ln[-p A_+], with the sign of db/dalpha but no underflow far from the classes."""
    m = drift.means(R, b)
    with np.errstate(divide="ignore"):
        weight = np.log(drift.p * drift.force.g_scale)  # ln 0 = -inf when a class is absent
    log_force = weight - m**2 * drift.force.g_decay + log_ndtr(-drift.tau * np.sqrt(2) * m * drift.force.g_slope)
    return log_force[1] - log_force[0]


def fixed_point(drift: Drift, b: Array) -> tuple[Array, Array]:
    """The fixed point to which b flows from its value given, with R at its own fixed point for every b.

    The march from b goes with the sign of db/dalpha until it changes, so that the fixed point found attracts b; only
    where b starts exactly on a fixed point (b = 0 at p = 1/2, v1 = v2) is that one returned, stable or not.

    Parameters
    ----------
    drift
        Drift of the points, order ``exact`` or ``first``.
    b
        Where to start, shape (points,). With strong attacks there are several fixed points: start from the bias that
        the trajectory has reached.

    Returns
    -------
    R, b
        Shape (points,). b is infinite (and R NaN) where it runs away for ever, as can happen for |v1 - v2| > 1/4 and
        for p = 0 or 1; NaN where b is.
    """
    b = np.array(b, dtype=float)
    everyone = np.arange(b.size)

    def balance(b: Array, index: Array) -> Array:
        return pull(drift.take(index), overlap(drift, b, index), b)

    points = drift.points
    scale = 0.1 * np.sqrt(1 + 2 * np.minimum(points.v1, points.v2))
    at_start = balance(b, everyone)
    direction = np.sign(at_start)
    left, right = b.copy(), b.copy()  # of the march: where it was, where it is
    marching = np.flatnonzero(np.isfinite(b) & (direction != 0))
    for _ in range(MARCH_STEPS):
        if not marching.size:
            break
        left[marching] = right[marching]
        right[marching] += direction[marching] * scale[marching]
        scale[marching] *= 1.03
        now = balance(right[marching], marching)
        marching = marching[np.sign(now) == direction[marching]]
    bracketed = np.isfinite(b) & (direction != 0)
    bracketed[marching] = False
    found = np.flatnonzero(bracketed)
    if found.size:
        solved = elementwise.find_root(
            balance, (left[found], right[found]), args=(found,), tolerances={"xrtol": 1e-15, "xatol": 1e-15}
        )
        b[found] = solved.x
    R = overlap(drift, b, everyone)
    b[marching], R[marching] = direction[marching] * np.inf, np.nan
    return R, b


def growth(drift: Drift, R: Array, b: Array) -> Array:
    """Largest real part of the eigenvalues of the Jacobian at (R, b), shape (points,): negative where stable."""
    (J_RR, J_Rb), (J_bR, J_bb) = drift.jacobian(R, b)
    # half the difference in this form keeps its sign under rounding
    discriminant = ((J_RR - J_bb) / 2) ** 2 + J_Rb * J_bR
    return (J_RR + J_bb) / 2 + np.sqrt(np.maximum(discriminant, 0))


def symmetry_breaking(v: Value) -> Array:
    """q_c(v): at p = 1/2 and v1 = v2 = v, b = 0 is unstable when q = eps - rho R/2 exceeds it.

    q_c [1 + erf(k q_c)] = sqrt((1+2v)/(pi(1+4v))) exp(-(k q_c)^2), k = 1/sqrt((1+2v)(1+4v)).
    """
    v = np.asarray(v, dtype=float)

    def condition(q: Array, v: Array) -> Array:
        k = 1 / np.sqrt((1 + 2 * v) * (1 + 4 * v))
        return q * (1 + erf(k * q)) - np.sqrt((1 + 2 * v) / (np.pi * (1 + 4 * v))) * np.exp(-((k * q) ** 2))

    return elementwise.find_root(condition, (np.zeros_like(v), np.ones_like(v)), args=(v,)).x
