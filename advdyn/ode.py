"""Ordinary differential equations: many independent points together, each with its own step size.

Explicit Runge-Kutta pair of order 5(4) with seven stages, the last of which is the first of the next step.

References
----------
J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6, 19 (1980): the pair.
L. F. Shampine, Math. Comput. 46, 135 (1986): the fourth-order interpolant.
E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, sections II.4 and II.6.
"""

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
Rhs = Callable[[Array, Array, Array], Array]

C = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
A = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1 / 5, 0, 0, 0, 0, 0],
        [3 / 40, 9 / 40, 0, 0, 0, 0],
        [44 / 45, -56 / 15, 32 / 9, 0, 0, 0],
        [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0, 0],
        [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0],
        [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
    ]
)
E = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])  # fifth minus fourth order
# y(t + theta h) = y + h sum_i k_i (P theta, theta^2, theta^3, theta^4)_i
P = np.array(
    [
        [1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432],
        [0, 0, 0, 0],
        [0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799],
        [0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072],
        [0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632],
        [0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844],
        [0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423],
    ]
)
STAGES, ORDER = 7, 5
SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0


class StepLimitError(RuntimeError):
    """An integration needed more steps than it was allowed."""


def integrate(
    rhs: Rhs,
    y0: Array,
    times: Array | Sequence[float],
    *,
    rtol: float,
    atol: float,
    t0: float = 0.0,
    max_steps: int = 100_000,
    block: int = 16384,
) -> Array:
    """Solve dy/dt = rhs(t, y) for many independent points and record the solution at ``times``.

    Every point has its own step size, chosen by its own error estimate, and leaves the batch once it has passed the
    last record, so a point's solution does not depend on what else is in the batch (beyond rounding). Steps end on the
    last record only; the records before it are read from the interpolant and do not change the steps.

    Parameters
    ----------
    rhs
        rhs(t, y, index) -> dy/dt of shape (components, active), with t of shape (active,), y of shape
        (components, active) and index, of shape (active,), the positions of the active points in ``y0``. The same
        index object is passed until the active set changes.
    y0
        Initial states at ``t0``, shape (components, points).
    times
        Record times, increasing, none before ``t0``.
    rtol, atol
        The root mean square over components of error / (atol + rtol |y|) is at most one in a step.
    t0
        Initial time.
    max_steps
        Largest number of steps, accepted or not, of a point.
    block
        Points integrated together; it bounds the memory of the stages so that they stay in the cache.

    Returns
    -------
    ndarray, shape (components, points, times)
        NaN from the time at which a point's solution ceases to be finite.

    Raises
    ------
    ValueError
        When times decrease or begin before ``t0``, or a tolerance is not positive.
    StepLimitError
        When a point needs more than ``max_steps`` steps.
    """
    y0 = np.asarray(y0, dtype=float)
    records = np.asarray(times, dtype=float)
    if records.ndim != 1 or np.any(np.diff(records) < 0) or np.any(records < t0):
        raise ValueError(f"record times must be one increasing list that starts at t0 = {t0:g} or later")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"tolerances must be positive: rtol = {rtol:g}, atol = {atol:g}")
    out = np.full((*y0.shape, records.size), np.nan)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a point may blow up; the others go on
        for start in range(0, y0.shape[1], block):
            points = np.arange(start, min(start + block, y0.shape[1]))
            _integrate_block(rhs, y0[:, points], records, points, out, rtol, atol, t0, max_steps)
    return out


def _integrate_block(
    rhs: Rhs,
    y: Array,
    records: Array,
    index: Array,
    out: Array,
    rtol: float,
    atol: float,
    t0: float,
    max_steps: int,
) -> None:
    """Integrate the points ``index`` from their states y, writing their records into ``out``."""
    begun = int(np.searchsorted(records, t0, side="right"))
    out[:, index, :begun] = y[:, :, None]
    if begun == records.size or not index.size:
        return
    t = np.full(index.size, float(t0))
    following = np.full(index.size, begun)  # the next record of each point
    k_first = rhs(t, y, index)
    h = _initial_step(rhs, t, y, k_first, index, rtol, atol)
    k = np.empty((STAGES, *y.shape))
    k[0] = k_first
    rejected = np.zeros(index.size, dtype=bool)
    alive = np.isfinite(y).all(0) & np.isfinite(k_first).all(0)

    for _ in range(max_steps + 1):
        # gathering costs about as much as a step: wait until one in six has finished
        if alive.size - np.count_nonzero(alive) > alive.size // 6:
            index, t, y, h = index[alive], t[alive], y[:, alive], h[alive]
            following, rejected = following[alive], rejected[alive]
            k_first, k = k[0][:, alive], np.empty((STAGES, y.shape[0], index.size))
            k[0] = k_first
            alive = np.ones(index.size, dtype=bool)
        if not index.size:
            return

        last = h >= records[-1] - t
        h = np.where(last, records[-1] - t, h)
        flat = k.reshape(STAGES, -1)
        for s in range(1, STAGES):
            y_new = (A[s, :s] @ flat[:s]).reshape(y.shape)
            y_new *= h
            y_new += y
            k[s] = rhs(t + C[s] * h, y_new, index)
        error = (E @ flat).reshape(y.shape)
        error *= h
        error /= atol + rtol * np.maximum(np.abs(y), np.abs(y_new))
        size = np.sqrt(np.mean(error * error, axis=0))
        accepted = alive & (size <= 1) & np.isfinite(y_new).all(0)

        t_new = np.where(last, records[-1], t + h)
        passed = np.where(accepted, np.searchsorted(records, t_new, side="right"), following)
        _record(records, index, following, passed, t, h, y, k, out)

        # fmax turns the NaN of a step into infinity into the strongest reduction
        factor = np.minimum(np.fmax(SAFETY * size ** (-1 / ORDER), SHRINK), GROW)
        factor = np.where(rejected | ~accepted, np.minimum(factor, 1), factor)
        factor = np.where(~accepted & (size <= 1), SHRINK, factor)
        h = h * factor
        t = np.where(accepted, t_new, t)
        np.copyto(y, y_new, where=accepted)
        np.copyto(k[0], k[-1], where=accepted)
        rejected, following = ~accepted, passed
        alive &= (following < records.size) & (h > 4 * np.spacing(t))
    raise StepLimitError(
        f"{index.size} points need more than {max_steps} steps; the slowest has reached t = {t.min():g} "
        f"of {records[-1]:g} with step {h.min():.3g}"
    )


def _initial_step(rhs: Rhs, t: Array, y: Array, k: Array, index: Array, rtol: float, atol: float) -> Array:
    """First step of every point, shape (points,): Hairer, Norsett and Wanner, section II.4."""
    scale = atol + rtol * np.abs(y)
    norm = lambda x: np.sqrt(np.mean((x / scale) ** 2, axis=0))  # noqa: E731
    d0, d1 = norm(y), norm(k)
    h0 = np.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    d2 = norm(rhs(t + h0, y + h0 * k, index) - k) / h0
    steepest = np.fmax(d1, d2)
    h1 = np.where(steepest <= 1e-15, np.maximum(1e-6, 1e-3 * h0), (0.01 / steepest) ** (1 / ORDER))
    return np.fmin(100 * h0, h1)


def _record(
    records: Array,
    index: Array,
    first: Array,
    last: Array,
    t: Array,
    h: Array,
    y: Array,
    k: Array,
    out: Array,
) -> None:
    """Write records first..last-1 of every point from the interpolant of the step just made."""
    count = last - first
    point = np.repeat(np.arange(index.size), count)
    if not point.size:
        return
    which = np.arange(point.size) + np.repeat(first - np.cumsum(count) + count, count)
    theta = (records[which] - t[point]) / h[point]
    weight = P @ (theta ** np.arange(1, P.shape[1] + 1)[:, None])
    out[:, index[point], which] = y[:, point] + h[point] * np.einsum("scn,sn->cn", k[:, :, point], weight)
