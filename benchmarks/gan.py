"""The game of two networks: updates per second against standard torch, and runs as one batch.

Run from the checkout: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/gan.py
Times are process CPU time of one core, medians of repeats in which the rivals alternate; ratios are taken within one
run. On a GPU they are wall time.
"""

import argparse
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from advdyn.gan.game import Game
from advdyn.gan.networks import degenerator_sizes, discriminator_sizes, generator_sizes
from advdyn.perceptrons import Mlps

BATCH, PIXELS, LATENT = 64, 784, 100


def plain(sizes: tuple[int, ...], normalised: bool) -> nn.Sequential:
    """A perceptron as it is usually written."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(inputs, outputs))
        if i < len(sizes) - 2:
            layers += [nn.BatchNorm1d(outputs)] if normalised else []
            layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)


class Usual:
    """One run as tutorials write it: the discriminator's gradients are made in the generator's step, too."""

    def __init__(self, sizes: tuple[int, ...], normalised: bool, device: torch.device) -> None:
        self.player = plain(sizes, normalised).to(device)
        self.discriminator = plain(discriminator_sizes(512, PIXELS), False).to(device)
        self.adams = [
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (self.player, self.discriminator)
        ]

    def update(self, real: Tensor, given: Tensor) -> None:
        """One update of each network."""
        ones, zeros = torch.ones(BATCH, 1, device=real.device), torch.zeros(BATCH, 1, device=real.device)
        fake = torch.sigmoid(self.player(given))
        self.adams[1].zero_grad()
        loss = binary_cross_entropy_with_logits(self.discriminator(real), ones)
        loss = loss + binary_cross_entropy_with_logits(self.discriminator(fake.detach()), zeros)
        loss.backward()
        self.adams[1].step()
        self.adams[0].zero_grad()
        binary_cross_entropy_with_logits(self.discriminator(fake), ones).backward()
        self.adams[0].step()


def batched(sizes: tuple[int, ...], normalised: bool, runs: int, device: torch.device) -> Game:
    """The same of ``runs`` runs at once."""
    generators = [np.random.default_rng(run) for run in range(runs)]
    player = Mlps(sizes, runs, batch_normalisation=normalised, dtype=torch.float32).initialise(generators).to(device)
    discriminator = Mlps(discriminator_sizes(512, PIXELS), runs, dtype=torch.float32).initialise(generators).to(device)
    return Game(player, discriminator, loss="non-saturating", learning_rate=2e-4, beta1=0.5)


def clock(device: torch.device) -> Callable[[], float]:
    """CPU time of this process, or wall time once the GPU is done."""
    if device.type == "cpu":
        return time.process_time

    def now() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return now


def alternate(calls: dict[str, Callable[[], Any]], repeats: int, now: Callable[[], float]) -> dict[str, float]:
    """Median seconds of each call; they take turns, so that a change in the machine's load meets all."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = now()
            call()
            if repeat:  # the first round warms up
                taken[name].append(now() - start)
    return {name: float(np.median(values)) for name, values in taken.items()}


def compare(name: str, sizes: tuple[int, ...], normalised: bool, runs: int, repeats: int, device: torch.device) -> None:
    """Print the time of an update and the ratios."""
    rng = torch.Generator().manual_seed(0)
    real = torch.rand(runs, BATCH, PIXELS, generator=rng).to(device)
    given = torch.rand(runs, BATCH, sizes[0], generator=rng).to(device)
    usual = Usual(sizes, normalised, device)
    one, many = (batched(sizes, normalised, r, device) for r in (1, runs))

    def play(game: Game, r: int) -> None:
        game.discriminate(real[:r], given[:r])
        game.deceive(given[:r])

    calls = {
        "usual": lambda: usual.update(real[0], given[0]),
        "one": lambda: play(one, 1),
        "many": lambda: play(many, runs),
    }
    took = alternate(calls, repeats, clock(device))
    print(
        f"{name}: {1e3 * took['one']:.1f} ms an update; "
        f"{took['usual'] / took['one']:.2f} times as fast as usual torch; "
        f"{runs} runs as one batch {runs * took['one'] / took['many']:.2f} times as fast as one by one"
    )


def main() -> None:
    """Print both games."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4, help="runs of the batch")
    parser.add_argument("--repeats", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"device {device.type}, batch {BATCH}, {PIXELS} pixels, float32")
    compare("GAN", generator_sizes(512, LATENT, PIXELS), True, options.runs, options.repeats, device)
    compare("degenerator", degenerator_sizes(512, PIXELS), False, options.runs, options.repeats, device)


if __name__ == "__main__":
    main()
