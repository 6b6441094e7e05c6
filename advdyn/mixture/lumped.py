"""The exact lumped chain: online learning on the mixture at any finite N, at a cost per step that does not grow with N.

Given (R, b), one step of the N-dimensional dynamics sees the example xi only through its components along w
and along the part of B orthogonal to w, both Gaussian, and through the squared length of everything orthogonal
to the two, which is v_tau chi2(N-2). Drawing those three numbers in place of the N components leaves the law
of the path (R, b) unchanged, with no large-N approximation. It holds because the attack lies along w.
"""

import math
from collections.abc import Iterator, Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from advdyn import lanes, logs, seeds

Array = NDArray[np.float64]

BLOCK = 1024
"""Steps drawn at a time. Part of the definition of a seed's stream: another value gives other random numbers."""
GROUP = 16
"""Seeds advanced together: enough independent chains to hide latencies, few enough for the numbers to stay in L2."""

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def record_steps(alpha: Sequence[float], dimension: int) -> NDArray[np.int64]:
    """The step numbers nearest to the learning times ``alpha`` = step / N, shape (alpha,).

    Raises
    ------
    ValueError
        When there is no time, a negative one, or they do not increase; when N is below 2.
    """
    times = np.asarray(alpha, dtype=float)
    if dimension < 2:
        raise ValueError(f"dimension is {dimension}; the model needs N >= 2")
    if times.size == 0 or times[0] < 0 or np.any(np.diff(times) <= 0):
        raise ValueError(f"alpha must hold increasing times >= 0, not {list(alpha)}")
    return np.rint(times * dimension).astype(np.int64)


def plan(steps: NDArray[np.int64], rows: int) -> Iterator[list[tuple[int, int, int | None]]]:
    """For each block of ``rows`` steps, the moves (first row, row after the last, record to make then)."""
    records = [int(step) for step in steps]
    k = 0
    for start in range(0, max(records[-1], 1), rows):
        moves: list[tuple[int, int, int | None]] = []
        first = 0
        while k < len(records) and records[k] <= start + rows:
            moves.append((first, records[k] - start, k))
            first = records[k] - start
            k += 1
        if k < len(records):
            moves.append((first, rows, None))
        yield moves


def constants(axes: lanes.Lanes, dimension: int) -> Array:
    """What a step needs of each lane, shape (7, lanes).

    Rows: prior, rho/2, sqrt(v1), sqrt(v2), eta_w/N, eta_b/N, eps_train.
    """
    p = axes.values
    return np.array(
        [
            p["prior"],
            p["rho"] / 2,
            np.sqrt(p["v1"]),
            np.sqrt(p["v2"]),
            p["eta_w"] / dimension,
            p["eta_b"] / dimension,
            p["eps_train"],
        ]
    )


# F is odd under the exchange of the classes: F(x, tau) = -tau G(tau x), G(u) = erfc(u) g(u). The chain spends half
# its arithmetic on F, and erf branches on its argument, which here is random; so G comes from a table of polynomials
# of degree 7 on intervals of length 1/32, below 2e-15 in error. That takes a step, of which the random numbers are
# 35 ns, from 67 to 54 ns.
LOWEST, HIGHEST, PER_UNIT = -6.5, 4.5, 32  # beyond, G < 1e-16


def _table() -> Array:
    """Coefficients of G about the middle of each interval, highest power first, shape (intervals, 8)."""
    count = round((HIGHEST - LOWEST) * PER_UNIT)
    offset = np.cos(np.pi * (np.arange(8) + 0.5) / 8) / 2  # Chebyshev nodes, in units of the interval
    u = LOWEST + (np.arange(count)[:, None] + 0.5 + offset) / PER_UNIT
    G = np.array([TWO_OVER_SQRT_PI * math.exp(-x * x) * math.erfc(x) for x in u.flat]).reshape(u.shape)
    coefficients = np.ascontiguousarray(np.linalg.solve(np.vander(offset)[None], G[..., None])[..., 0])
    coefficients[[0, -1]] = 0.0  # the first and last interval stand for everything beyond
    return coefficients


TABLE = _table()
LAST = len(TABLE) - 0.5


@numba.njit(error_model="numpy")
def loss_derivative(x: float, tau: float) -> float:
    """F(x, tau) = d/dx (erf(x) - tau)^2 / 2 = (erf(x) - tau) g(x), g the derivative of erf, to 2e-15; NaN gives 0."""
    position = min(max(0.0, (tau * x - LOWEST) * PER_UNIT), LAST)  # in this order NaN becomes 0, a valid place
    interval = int(position)
    d = position - interval - 0.5
    a = TABLE[interval]
    G = ((((((a[0] * d + a[1]) * d + a[2]) * d + a[3]) * d + a[4]) * d + a[5]) * d + a[6]) * d + a[7]
    return -tau * G


# No fastmath and no arithmetic across chains: a chain's bits do not depend on what runs beside it.
@numba.njit(error_model="numpy")
def advance(
    R: Array, b: Array, uniform: Array, normal: Array, chi2: Array, first: int, last: int, constants: Array
) -> None:
    """Advance chains in place through the rows first..last-1 of a block of random numbers.

    Parameters
    ----------
    R, b
        Overlap w.B and bias, shape (lanes, seeds).
    uniform, normal, chi2
        Uniforms that decide the labels (seeds, rows), the components of z along w and along B orthogonal to w
        (seeds, 2, rows), and the squared length of the rest of z (seeds, rows). All lanes share them.
    first, last
        Rows of the block to use.
    constants
        From ``constants``, shape (7, lanes).
    """
    for row in range(first, last):
        for lane in range(R.shape[0]):
            prior, half_rho, sd1, sd2, rate_w, rate_b, eps = constants[:, lane]
            for seed in range(R.shape[1]):
                up = uniform[seed, row] < prior
                tau = 1.0 if up else -1.0
                sd = sd1 if up else sd2
                r = R[lane, seed]
                perp = math.sqrt(max(0.0, 1.0 - r * r))
                # xi_adv along w, and along the unit vector e = (B - R w) / sqrt(1 - R^2)
                along_w = tau * half_rho * r + sd * normal[seed, 0, row] - tau * eps
                along_e = tau * half_rho * perp + sd * normal[seed, 1, row]
                F = loss_derivative(along_w - b[lane, seed], tau)
                c = rate_w * F
                # w - c xi_adv, in the frame of w, e and the rest
                new_w = 1.0 - c * along_w
                new_e = -c * along_e
                square = new_w * new_w + new_e * new_e + c * c * sd * sd * chi2[seed, row]
                norm = math.sqrt(square) if square < np.inf else np.nan  # an overflow is a divergence, not R = 0
                R[lane, seed] = (new_w * r + new_e * perp) / norm
                b[lane, seed] += rate_b * F


class Numbers:
    """Random numbers of a group of seeds, one block at a time, each seed from its own generator.

    Attributes
    ----------
    uniform, normal, chi2
        The present block; shapes (seeds, rows), (seeds, 2, rows), (seeds, rows). Overwritten by ``draw``.
    """

    def __init__(self, generators: Sequence[np.random.Generator], dimension: int) -> None:
        self.generators, self.shape = generators, (dimension - 2) / 2
        count = len(generators)
        self.uniform = np.empty((count, BLOCK))
        self.normal = np.empty((count, 2, BLOCK))
        self.chi2 = np.zeros((count, BLOCK))  # stays zero at N = 2, where no direction is left

    def draw(self) -> None:
        """Draw the next block; always a whole one, so that record times do not shift the stream."""
        for i, generator in enumerate(self.generators):
            generator.random(out=self.uniform[i])
            generator.standard_normal(out=self.normal[i])
            if self.shape > 0:
                generator.standard_gamma(self.shape, out=self.chi2[i])
        self.chi2 *= 2  # chi2(k) = 2 Gamma(k/2)


def trajectories(
    axes: lanes.Lanes,
    dimension: int,
    R0: float,
    b0: float,
    alpha: Sequence[float],
    root: int,
    study: str,
    seed_list: Sequence[int],
) -> tuple[Array, Array]:
    """Simulate the chain for every seed and lane.

    Parameters
    ----------
    axes
        Lanes of prior, rho, v1, v2, eta_w, eta_b, eps_train.
    dimension
        N >= 2.
    R0, b0
        Initial overlap and bias.
    alpha
        Times step/N to record at, each at the nearest step.
    root, study, seed_list
        Address of the random streams; a seed's path does not depend on the other seeds and lanes.

    Returns
    -------
    R, b
        Shape (seeds, lanes, alpha); NaN after a divergence.

    Raises
    ------
    ValueError
        From ``record_steps``.
    """
    steps = record_steps(alpha, dimension)
    fixed = constants(axes, dimension)
    R = np.empty((len(seed_list), axes.size, len(steps)))
    b = np.empty_like(R)
    progress = logs.Progress(max(1.0, float(steps[-1]) * axes.size * len(seed_list)), "steps")
    for start in range(0, len(seed_list), GROUP):
        group = seed_list[start : start + GROUP]
        numbers = Numbers([seeds.generator(root, study, seed, "training") for seed in group], dimension)
        state_R = np.full((axes.size, len(group)), float(R0))
        state_b = np.full((axes.size, len(group)), float(b0))
        done = 0
        for moves in plan(steps, BLOCK):
            numbers.draw()
            for first, last, record in moves:
                advance(state_R, state_b, numbers.uniform, numbers.normal, numbers.chi2, first, last, fixed)
                done += last - first
                if record is not None:
                    R[start : start + GROUP, :, record] = state_R.T
                    b[start : start + GROUP, :, record] = state_b.T
            progress(axes.size * (float(steps[-1]) * start + done * len(group)))
    lost = ~(np.isfinite(R) & np.isfinite(b))
    R[lost] = b[lost] = np.nan
    return R, b
