"""Figure 6, trained: a degenerator and a discriminator on the line [0, 1], at four stages of Algorithm 1.

Data x are two bumps. Deg(x + sigma u), u uniform in (-1, 1), is a small perceptron that starts near the identity, so
that p_d begins "dangerously similar" to p_x; the discriminator tells uniform noise from it. At every stage the density
p_d, the discriminator and the best one for that p_d, p_noise/(p_noise + p_d), are kept; "super-uniformity" is chi^2 per
degree of freedom of p_d against the uniform distribution, beside that of as many numbers of Python's ``random``.
"""

import copy
import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor, nn
from torch.nn import functional

from advdyn import devices, io, seeds

STUDY = "degeneration"
STAGES = ("before", "inner loop", "both", "end")
BUMPS = ((0.55, 0.3, 0.07), (0.45, 0.72, 0.05))  # share, centre, standard deviation
SIGMA = 0.1
WIDTH = 48
BATCH = 256
RATE, BETAS = 2e-3, (0.5, 0.999)
AVERAGED = 0.005  # of the last step in the moving average of weights that is shown: one step alone is noise
FIRST, INNER, LATER = 0.005, 0.1, 0.1  # of the updates: of D alone up to stage a, to stage b; of both up to stage c
BLOCK = 100  # minibatches drawn at a time
SAMPLES, BINS, GRID, DRAWS = 20_000, 50, 41, 256
PAPER = "Gontijo Lopes and Deb, Degenerative Adversarial Networks, Figure 6"
GOODFELLOW = "Goodfellow et al., arXiv:1406.2661, Proposition 1"

Doubles = npt.NDArray[np.float64]


def data(generator: np.random.Generator, n: int) -> npt.NDArray[np.float32]:
    """n points of p_x: the bumps, restricted to [0, 1] (reflected at its ends)."""
    share, centre, sd = (np.array(values) for values in zip(*BUMPS, strict=True))
    bump = generator.choice(len(BUMPS), n, p=share)
    x = np.abs(generator.normal(centre[bump], sd[bump]))
    return np.asarray(np.where(x > 1, 2 - x, x), np.float32)


class Degenerator(nn.Module):
    """v -> sigmoid(4 (v - 1/2) + net(v)), with net = 0 at the start: the identity to first order around 1/2."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.net = net

    def forward(self, v: Tensor) -> Tensor:
        """(n,) to (n,), within (0, 1)."""
        return torch.sigmoid(4 * (v - 0.5) + self.net(v[:, None])[:, 0])


def perceptron(generator: np.random.Generator, start: float) -> nn.Sequential:
    """1-48-48-1 with LeakyReLU; kinks spread over [0, 1], last layer scaled by ``start``."""
    net = nn.Sequential(
        nn.Linear(1, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, WIDTH), nn.LeakyReLU(0.2), nn.Linear(WIDTH, 1)
    )
    slope = generator.choice([-1, 1], WIDTH) * generator.uniform(2, 8, WIDTH)
    bound = 1 / np.sqrt(WIDTH)
    values = [
        slope[:, None], -slope * generator.uniform(-0.1, 1.1, WIDTH), generator.uniform(-bound, bound, (WIDTH, WIDTH)),
        np.zeros(WIDTH), generator.uniform(-bound, bound, (1, WIDTH)) * start, np.zeros(1),
    ]  # fmt: skip
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
    return net


def chi2_per_dof(counts: npt.NDArray[np.integer]) -> float:
    """Pearson's statistic against equal shares, per degree of freedom; 1 in the mean when they are equal."""
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2 / expected).sum() / (counts.size - 1))


class Trainer:
    """Both networks, their optimisers and moving averages."""

    def __init__(self, start: np.random.Generator, stream: np.random.Generator, steps: int) -> None:
        self.deg = Degenerator(perceptron(start, 0.0))
        self.d = perceptron(start, 1.0)
        self.stream = stream
        self.networks = (self.deg, self.d)
        self.averages = tuple(copy.deepcopy(net) for net in self.networks)
        self.parameters, self.means = (
            [list[Tensor](net.parameters()) for net in nets] for nets in (self.networks, self.averages)
        )
        self.optimisers = [torch.optim.Adam(parameters, RATE, BETAS, fused=True) for parameters in self.parameters]
        self.pool = np.empty((0, BATCH), np.float32)
        self.steps, self.made = steps, 0

    def logit(self, y: Tensor) -> Tensor:
        """Of the discriminator."""
        return self.d(y[:, None])[:, 0]

    def inputs(self) -> Tensor:
        """A minibatch of x + sigma u."""
        if not len(self.pool):
            n = BLOCK * BATCH
            drawn = data(self.stream, n) + SIGMA * self.stream.uniform(-1, 1, n)
            self.pool = drawn.astype(np.float32).reshape(BLOCK, BATCH)
        one, self.pool = self.pool[0], self.pool[1:]
        return torch.from_numpy(one)

    def discriminate(self) -> None:
        """One update of D on log D(noise) + log(1 - D(Deg))."""
        noise = torch.from_numpy(self.stream.random(BATCH, dtype=np.float32))
        with torch.no_grad():
            fakes = self.deg(self.inputs())
        self._step(
            1,
            lambda: -functional.logsigmoid(self.logit(noise)).mean() - functional.logsigmoid(-self.logit(fakes)).mean(),
        )

    def deceive(self) -> None:
        """One update of Deg on -log D (non-saturating)."""
        self._step(0, lambda: -functional.logsigmoid(self.logit(self.deg(self.inputs()))).mean())

    def both(self) -> None:
        """One update of each; the step size falls to 0 over the run."""
        self.made += 1
        for optimiser in self.optimisers:
            optimiser.param_groups[0]["lr"] = RATE * max(0.0, 1 - self.made / self.steps)
        self.discriminate()
        self.deceive()
        self.average()

    def _step(self, which: int, loss: Callable[[], Tensor]) -> None:
        parameters = self.parameters[which]
        for parameter, slope in zip(parameters, torch.autograd.grad(loss(), parameters), strict=True):
            parameter.grad = slope
        self.optimisers[which].step()

    @torch.no_grad()
    def average(self) -> None:
        """Take the weights into their moving averages."""
        weight = max(AVERAGED, 10 / (10 + self.made))
        for means, parameters in zip(self.means, self.parameters, strict=True):
            torch._foreach_lerp_(means, parameters, weight)


@torch.no_grad()
def _seen(trainer: Trainer, evaluation: np.random.Generator, averaged: bool) -> dict[str, Doubles | float]:
    """Densities, discriminator and mapping at one stage."""
    deg, d = trainer.averages if averaged else trainer.networks
    v = data(evaluation, SAMPLES) + SIGMA * evaluation.uniform(-1, 1, SAMPLES)
    out = deg(torch.from_numpy(np.asarray(v, np.float32))).numpy()
    counts = np.histogram(out, BINS, (0, 1))[0]
    density = counts * BINS / SAMPLES
    centres = torch.arange(BINS, dtype=torch.float32).add(0.5).div(BINS)
    grid = np.linspace(0, 1, GRID)[:, None] + SIGMA * evaluation.uniform(-1, 1, (GRID, DRAWS))
    mapped = deg(torch.from_numpy(np.asarray(grid.ravel(), np.float32))).numpy().reshape(GRID, DRAWS)
    fakes, noise = torch.from_numpy(out), torch.from_numpy(evaluation.random(SAMPLES, dtype=np.float32))
    value = functional.logsigmoid(d(noise[:, None])).mean() + functional.logsigmoid(-d(fakes[:, None])).mean()
    return {
        "p_d": density, "discriminator": torch.sigmoid(d(centres[:, None]))[:, 0].double().numpy(),
        "optimal": 1 / (1 + density), "mapping": mapped.mean(1), "mapping_sd": mapped.std(1),
        "chi2_per_dof": chi2_per_dof(counts), "value": float(value),
    }  # fmt: skip


def run(*, line_steps: int, root: int) -> xr.Dataset:
    """Train on the line and look at four stages.

    Parameters
    ----------
    line_steps
        Updates of both networks up to the last stage. Before them the discriminator alone makes 1/200 as many (stage
        ``before``) and a tenth as many (``inner loop``); ``both`` is after a tenth of the updates of both.
    root
        Root of the random streams.

    Returns
    -------
    Dataset over stage, bin (50 on [0, 1]) and grid; densities have mean 1. The last stage shows the moving average of
    the weights.
    """
    devices.resolve("cpu")
    start, stream, evaluation = (
        seeds.generator(root, STUDY, 0, purpose) for purpose in ("initialisation", "training", "evaluation")
    )
    trainer, found = Trainer(start, stream, line_steps), []
    later = max(1, round(LATER * line_steps))
    lengths: tuple[tuple[Callable[[], None], int], ...] = (
        (trainer.discriminate, max(1, round(FIRST * line_steps))), (trainer.discriminate, round(INNER * line_steps)),
        (trainer.both, later), (trainer.both, line_steps - later),
    )  # fmt: skip
    for stage, (update, number) in enumerate(lengths):
        for _ in range(number):
            update()
        found.append(_seen(trainer, evaluation, averaged=stage == len(lengths) - 1))
    x = np.histogram(data(evaluation, SAMPLES), BINS, (0, 1))[0] * BINS / SAMPLES
    python = random.Random(seeds.integer(root, STUDY, 0, "evaluation"))
    noise = np.histogram([python.random() for _ in range(SAMPLES)], BINS, (0, 1))[0]
    about = {
        "p_d": (("stage", "bin"), "density of the degenerated data", "1", PAPER),
        "discriminator": (("stage", "bin"), "D, probability of being noise, at the centre of a bin", "1", PAPER),
        "optimal": (("stage", "bin"), "the best D, p_noise/(p_noise + p_d)", "1", GOODFELLOW),
        "mapping": (("stage", "grid"), "mean of Deg(x + sigma u) over u", "1", PAPER),
        "mapping_sd": (("stage", "grid"), "standard deviation of Deg(x + sigma u) over u", "1", PAPER),
        "chi2_per_dof": (("stage",), "chi^2 per degree of freedom of p_d against the uniform distribution", "1", PAPER),
        "value": (("stage",), "E log D(noise) + E log(1 - D(Deg)); -log 4 at the optimum", "nat", GOODFELLOW),
    }
    variables = {
        name: io.variable(dims, np.stack([stage[name] for stage in found]), text, units, source)
        for name, (dims, text, units, source) in about.items()
    }
    variables |= {
        "p_x": io.variable(("bin",), x, "density of the data", "1", PAPER),
        "p_noise": io.variable(("bin",), np.ones(BINS), "density of the noise", "1", PAPER),
        "chi2_noise": io.variable(
            (), chi2_per_dof(noise), f"chi^2 per degree of freedom of {SAMPLES} numbers of Python's random", "1", PAPER
        ),
        "samples": io.variable((), SAMPLES, "numbers that a density and its chi^2 are made of"),
        "sigma": io.variable((), SIGMA, "size of the noise that Deg sees"),
    }
    coords = {
        "stage": io.variable(("stage",), list(STAGES), "stage of Algorithm 1, panels (a) to (d)"),
        "bin": io.variable(("bin",), (np.arange(BINS) + 0.5) / BINS, "centre of a bin"),
        "grid": io.variable(("grid",), np.linspace(0, 1, GRID), "x"),
    }
    return xr.Dataset(variables, coords, {"title": "A degenerative adversarial network on a line"})
