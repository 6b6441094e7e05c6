"""Order-parameter equations: 10,000 parameter points together, against one point at a time. One core.

Run from the checkout: python benchmarks/ode.py. The loops are timed on a sample of the points and scaled.
Tolerances and equations are the same for all rows. The loops are given scalar arithmetic (math.erf): the equations as
they are written, and, in the rows "tuned", with all that does not change along a trajectory computed once.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_threads] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
from scipy.integrate import solve_ivp  # noqa: E402
from scipy.special import owens_t  # noqa: E402

from advdyn.mixture.drift import ORDERS, Points  # noqa: E402
from advdyn.mixture.theory import trajectory  # noqa: E402

POINTS, SAMPLE, ALPHA, RTOL = 10_000, 150, 20.0, 1e-6
ATOL = RTOL / 100  # of Trajectory
REPEATS = 5


def parameters() -> Points:
    """Points drawn uniformly from the ranges of a typical study, shape (POINTS,)."""
    u = np.random.default_rng(0).uniform
    ranges = {
        "prior": (0.3, 0.7),
        "rho": (1, 4),
        "v1": (0.5, 2),
        "v2": (0.5, 2),
        "eta_w": (0.02, 0.5),
        "eta_b": (0.05, 0.5),
        "eps_train": (0, 1),
    }
    return Points(**{name: u(low, high, POINTS) for name, (low, high) in ranges.items()})


def written_rhs(points: Points, i: int, order: str) -> Callable[[float, np.ndarray], list[float]]:
    """The same closed forms for one point, as they are written."""
    p, rho, v1, v2 = (float(x[i]) for x in (points.prior, points.rho, points.v1, points.v2))
    eta_w, eta_b, eps = (float(x[i]) for x in (points.eta_w, points.eta_b, points.eps_train))
    erf, exp, sqrt, pi = math.erf, math.exp, math.sqrt, math.pi

    def A(m: float, v: float, tau: int) -> float:
        g = 2 / sqrt(pi * (1 + 2 * v)) * exp(-(m**2) / (1 + 2 * v))
        return g * (erf(m / sqrt((1 + 2 * v) * (1 + 4 * v))) - tau)

    def V(m: float, v: float, tau: int) -> float:
        g2 = 4 / (pi * sqrt(1 + 4 * v)) * exp(-2 * m**2 / (1 + 4 * v))
        k = m / sqrt((1 + 4 * v) * (1 + 6 * v))
        return g2 * (2 - 2 * tau * erf(k) - 8 * float(owens_t(sqrt(2) * k, sqrt((1 + 4 * v) / (1 + 8 * v)))))

    def rhs(_: float, y: np.ndarray) -> list[float]:
        R, b = float(y[0]), float(y[1])
        plus, minus = rho * R / 2 - b - eps, -rho * R / 2 - b + eps
        A_plus, A_minus = p * A(plus, v1, 1), (1 - p) * A(minus, v2, -1)
        dR = eta_w * rho / 2 * (1 - R**2) * (A_minus - A_plus)
        if order == "exact":
            dR -= eta_w**2 / 2 * R * (p * v1 * V(plus, v1, 1) + (1 - p) * v2 * V(minus, v2, -1))
        return [dR, eta_b * (A_plus + A_minus)]

    return rhs


def tuned_rhs(points: Points, i: int, order: str) -> Callable[[float, np.ndarray], list[float]]:
    """The same closed forms for one point, constants computed once."""
    p, rho, eta_w, eta_b = points.prior[i], points.rho[i], points.eta_w[i], points.eta_b[i]
    eps, classes = float(points.eps_train[i]), []
    for tau, v in ((1.0, float(points.v1[i])), (-1.0, float(points.v2[i]))):
        classes.append(
            (
                tau,
                float(p if tau > 0 else 1 - p),
                v,
                2 / math.sqrt(math.pi * (1 + 2 * v)),
                1 / (1 + 2 * v),
                1 / math.sqrt((1 + 2 * v) * (1 + 4 * v)),
                4 / (math.pi * math.sqrt(1 + 4 * v)),
                2 / (1 + 4 * v),
                1 / math.sqrt((1 + 4 * v) * (1 + 6 * v)),
                math.sqrt((1 + 4 * v) / (1 + 8 * v)),
            )
        )
    half, eta_w, eta_b, exact = float(rho) / 2, float(eta_w), float(eta_b), order == "exact"
    erf, exp, sqrt2 = math.erf, math.exp, math.sqrt(2)

    def rhs(_: float, y: np.ndarray) -> list[float]:
        R, b = float(y[0]), float(y[1])
        D = F = V = 0.0
        for tau, weight, v, g, decay, slope, g2, decay2, slope2, owen in classes:
            m = tau * (half * R - eps) - b
            A = weight * g * exp(-m * m * decay) * (erf(m * slope) - tau)
            D -= tau * A
            F += A
            if exact:
                k = m * slope2
                V += (
                    weight
                    * v
                    * g2
                    * exp(-m * m * decay2)
                    * (2 - 2 * tau * erf(k) - 8 * float(owens_t(sqrt2 * k, owen)))
                )
        dR = eta_w * half * (1 - R * R) * D
        if exact:
            dR -= eta_w**2 / 2 * R * V
        return [dR, eta_b * F]

    return rhs


def loop(points: Points, order: str, method: Any, rtol: float, atol: float, rhs: Any = written_rhs) -> np.ndarray:
    """Final states of the first SAMPLE points by solve_ivp, shape (2, SAMPLE)."""
    final = []
    for i in range(SAMPLE):
        solved = solve_ivp(rhs(points, i, order), (0, ALPHA), [0.0, 0.0], method, [ALPHA], rtol=rtol, atol=atol)
        final.append(solved.y[:, -1])
    return np.array(final).T


def together(points: Points, order: str) -> np.ndarray:
    """Final states of all points, shape (2, POINTS)."""
    return np.stack(trajectory(points, order, 0.0, 0.0, RTOL)([ALPHA]))[:, :, 0]


def timed(work: Callable[[], np.ndarray], repeats: int) -> tuple[np.ndarray, float, float]:
    """Result, and the median over repeats of process-CPU and wall seconds."""
    cpu, wall = [], []
    for _ in range(repeats):
        c, w = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return result, float(np.median(cpu)), float(np.median(wall))


def main() -> None:
    """Print one table for each order."""
    points = parameters()
    print(f"{POINTS} points to alpha = {ALPHA:g}, rtol {RTOL:g}, atol {ATOL:g}, one core;")
    print(f"loops: median of {REPEATS} x {SAMPLE} points, scaled to {POINTS}; batch: median of {REPEATS} x all points")
    print("largest difference in (R, b) over those points: to DOP853 at rtol 1e-12, and of each loop to the batch\n")
    for order in ORDERS:
        exact = loop(points, order, "DOP853", 1e-12, 1e-14)
        final, cpu, wall = timed(partial(together, points, order), REPEATS)
        heads = f"{'CPU s':>8s} {'wall s':>8s} {'points/s':>9s} {'x batch':>8s} {'error':>9s} {'to batch':>9s}"
        print(f"{f'order {order}':28s} {heads}")
        error = np.abs(final[:, :SAMPLE] - exact).max()
        print(f"{'advdyn, all points together':28s} {cpu:8.3f} {wall:8.3f} {POINTS / cpu:9.0f} {1:8.1f} {error:9.1e}")
        for method, rhs, how in (
            ("RK45", written_rhs, ""),
            ("RK45", tuned_rhs, ", tuned"),
            ("DOP853", tuned_rhs, ", tuned"),
            ("LSODA", tuned_rhs, ", tuned"),
        ):
            one, one_cpu, one_wall = timed(partial(loop, points, order, method, RTOL, ATOL, rhs), REPEATS)
            one_cpu, one_wall = one_cpu * POINTS / SAMPLE, one_wall * POINTS / SAMPLE
            error, apart = np.abs(one - exact).max(), np.abs(one - final[:, :SAMPLE]).max()
            print(
                f"{f'solve_ivp {method} loop{how}':28s} {one_cpu:8.2f} {one_wall:8.2f} {POINTS / one_cpu:9.0f} "
                f"{one_cpu / cpu:8.1f} {error:9.1e} {apart:9.1e}"
            )
        print()


if __name__ == "__main__":
    main()
