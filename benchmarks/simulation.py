"""Rates of the mixture simulations on one core, against the naive loop and against what the hardware allows.

Run as ``python benchmarks/simulation.py``. Everything is timed in process CPU time (other work on the machine
inflates it less than wall time, which is printed beside it), in one run, the candidates in alternation; the medians
of the repeats are compared, and a ratio is the median of the ratios within a repeat.
"""

import argparse
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from advdyn import lanes
from advdyn.mixture import full, lumped

N = 1000
POINT: dict[str, lanes.Parameter] = {
    "prior": 0.5, "rho": 2.0, "v1": 1.0, "v2": 1.0, "eta_w": 0.04, "eta_b": 0.2, "eps_train": 1.0,
}  # fmt: skip
LANES = [0.0, 0.5, 1.0, 1.5]
SEEDS = 64


def naive(steps: int) -> None:
    """The loop one would write first: NumPy, one example at a time."""
    generator = np.random.default_rng(0)
    prior, rho, eta_w, eta_b, eps = 0.5, 2.0, 0.04, 0.2, 1.0
    B = generator.standard_normal(N)
    B /= np.linalg.norm(B)
    w = generator.standard_normal(N)
    w /= np.linalg.norm(w)
    b = 0.0
    for _ in range(steps):
        tau = 1.0 if generator.random() < prior else -1.0
        xi = tau * rho / 2 * B + generator.standard_normal(N)
        attacked = xi - tau * eps * w
        x = w @ attacked - b
        F = (math.erf(x) - tau) * 2 / math.sqrt(math.pi) * math.exp(-x * x)
        w = w - eta_w / N * F * attacked
        w /= np.linalg.norm(w)
        b += eta_b / N * F


def stream(steps: int, eps_train: lanes.Parameter, dtype: str) -> None:
    """One seed of the full stream."""
    axes = lanes.expand(**{**POINT, "eps_train": eps_train})
    full.train(full.Task(axes, N, 0.0, 0.0, [steps / N], 0, "benchmark", dtype), 0)


def normals(steps: int) -> None:
    """Only the normals that ``stream`` needs, from the fastest generator there is here."""
    buffer = torch.empty(full.TRAINING_BLOCK)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps * N // full.TRAINING_BLOCK):
        buffer.normal_(generator=generator)


def chain(steps: int, dimension: int, eps_train: lanes.Parameter) -> None:
    """SEEDS lumped chains, ``steps`` steps in all."""
    axes = lanes.expand(**{**POINT, "eps_train": eps_train})
    lumped.trajectories(axes, dimension, 0.0, 0.0, [steps / SEEDS / dimension], 0, "benchmark", range(SEEDS))


def numbers(steps: int) -> None:
    """Only the random numbers that ``chain`` needs, block by block as there."""
    generators = [np.random.Generator(np.random.SFC64(i)) for i in range(lumped.GROUP)]
    drawn = lumped.Numbers(generators, N)
    for _ in range(steps // (lumped.GROUP * lumped.BLOCK)):
        drawn.draw()


def main() -> None:
    """Time everything and print the table and the goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)

    slow, fast = full.TRAINING_BLOCK // N * 1500, SEEDS * lumped.BLOCK * 64  # whole blocks, so that none is wasted
    work: dict[str, tuple[Callable[[], None], int]] = {
        "naive NumPy loop": (lambda: naive(20_000), 20_000),
        "full, float32": (lambda: stream(slow, 1.0, "float32"), slow),
        "full, float64": (lambda: stream(slow, 1.0, "float64"), slow),
        "full, float32, 4 lanes (lane-steps)": (lambda: stream(slow, LANES, "float32"), 4 * slow),
        "normals alone, torch.normal_": (lambda: normals(slow), slow),
        "lumped, 64 seeds": (lambda: chain(fast, N, 1.0), fast),
        "lumped, 64 seeds, N = 100000": (lambda: chain(fast, 100_000, 1.0), fast),
        "lumped, 64 seeds, 4 lanes (lane-steps)": (lambda: chain(fast, N, LANES), 4 * fast),
        "random numbers alone, numpy": (lambda: numbers(fast), fast),
    }
    for name, first in (("lumped", lambda: chain(SEEDS, N, 1.0)), ("full float32", lambda: stream(1, 1.0, "float32"))):
        start = time.process_time()
        first()
        print(f"first call of {name}, compiled: {time.process_time() - start:.2f} s")
    for task, _ in work.values():
        task()
    rates: dict[str, list[float]] = {name: [] for name in work}
    walls: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, (task, steps) in work.items():
            start, wall = time.process_time(), time.perf_counter()
            task()
            rates[name].append(steps / (time.process_time() - start))
            walls[name].append(steps / (time.perf_counter() - wall))

    print(f"\n{platform.machine()}, numpy {np.__version__}, torch {torch.__version__}; N = {N}, {repeats} repeats\n")
    print(f"{'steps/s, one core':42}{'CPU':>10}{'slowest':>10}{'fastest':>10}{'wall':>10}")
    for name, values in rates.items():
        row = (statistics.median(values), min(values), max(values), statistics.median(walls[name]))
        print(f"{name:42}" + "".join(f"{value:10.3g}" for value in row))

    goals = [
        ("full / naive", "full, float32", "naive NumPy loop", 5.0),
        ("full / its normals alone", "full, float32", "normals alone, torch.normal_", 0.85),
        ("lumped / naive", "lumped, 64 seeds", "naive NumPy loop", 300.0),
        ("lumped at N = 100000 / at N = 1000", "lumped, 64 seeds, N = 100000", "lumped, 64 seeds", 0.9),
        ("lumped / its random numbers alone", "lumped, 64 seeds", "random numbers alone, numpy", None),
    ]
    print()
    for title, above, below, goal in goals:
        ratio = statistics.median(a / b for a, b in zip(rates[above], rates[below], strict=True))
        verdict = "" if goal is None else f"   goal {goal:g}: {'met' if ratio >= goal else 'MISSED'}"
        print(f"{title:42}{ratio:10.3g}{verdict}")


if __name__ == "__main__":
    main()
