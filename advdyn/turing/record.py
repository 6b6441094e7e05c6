"""What is written down of a block of runs, and the data set it becomes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from advdyn import io
from advdyn.turing import gram, network

ROUT = "Rout, Towards a Pseudo-Reaction-Diffusion Model for Turing Instability in Adversarial Learning"
OURS = "defined by this study, see docs/turing"
SNAPSHOTS = 6
BLOCK = 512  # rows of a matrix of cosines that are made at once
KERNEL = 2048  # rows of the largest kernel of the full net whose spectrum is computed

TIMED = {
    "error": ("distance of the outputs from the targets |z - y|", ROUT),
    "xi": ("effective residual |(z - y) - q|", OURS),
    "xi_mean": ("|mean of xi| over the steps after the recorded time before, up to this one", OURS),
    "q": ("pull of the adversary on the outputs |q|", OURS),
    "q_sum": ("sum over examples of the adversary's pull |q_p|", OURS),
    "critic_slope": ("mean slope of the critic |grad g| at the outputs", OURS),
    "critic_gap": ("mean of the critic on the targets less that on the outputs", OURS),
    "critic_w": ("length of the critic's first layer |W|", ROUT),
    "loss": ("supervised loss 1/2 |z - y|^2", ROUT),
    "misclassified": ("share of training examples misclassified", OURS),
    "xi_integral": ("sum over the steps of eta |xi|", OURS),
    "tv_q": ("total variation of q, summed over the steps", OURS),
    "mu": ("largest sum over examples of |q_p| so far", ROUT),
    "w_sup": ("largest |W| so far", ROUT),
    "remainder": ("sum over the steps of |z(k+1) - z(k) + eta H xi(k)|", OURS),
    "gram_inf": ("smallest eigenvalue of the Gram matrix so far, over all steps", OURS),
    "gram_sup": ("largest eigenvalue of the Gram matrix so far, over all steps", OURS),
    "flips": ("activations that changed, summed over the steps", OURS),
    "gram_min": ("smallest eigenvalue of the Gram matrix", OURS),
    "gram_max": ("largest eigenvalue of the Gram matrix", OURS),
    "active": ("share of (neuron, example) with a slope of the activation above 1/2", OURS),
}
LAYERED = {
    "reaction": ("mean over neurons of the reaction |R_j|, {} layer", ROUT),
    "diffusion": ("mean over neurons of the diffusion |D_j|, {} layer", ROUT),
    "reaction_{}_max": ("largest reaction |R_j|, {} layer", ROUT),
    "diffusion_{}_max": ("largest diffusion |D_j|, {} layer", ROUT),
    "share": ("mean over neurons of |D_j|/(|R_j| + |D_j|), {} layer", OURS),
    "alignment": ("mean over neurons of the cosine of R_j and D_j, {} layer", OURS),
    "sync": ("mean cosine of the velocities of two live neurons, {} layer", OURS),
    "sync_abs": ("mean |cosine| of the velocities of two live neurons, {} layer", OURS),
}


EACH = {
    "reaction_each": ("reaction |R_j| of each neuron, {} layer", ROUT),
    "diffusion_each": ("diffusion |D_j| of each neuron, {} layer", ROUT),
    "alignment_each": ("cosine of R_j and D_j of each neuron, {} layer; NaN where one of them is 0", OURS),
}


def grid(times: Sequence[float], eta: float, duration: float) -> tuple[int, list[int]]:
    """The number of steps, and the steps that are recorded: the first at or after each time, and the last."""
    near = 1e-9
    steps = max(1, math.floor(duration / eta * (1 + near)))
    wanted = (math.ceil(time * (1 - near) / eta) for time in times if time <= duration * (1 + near))
    return steps, sorted({k for k in wanted if k <= steps} | {0, steps})


def snapshots(recorded: Sequence[int]) -> list[int]:
    """At most SNAPSHOTS of the recorded steps: the first, the last, and between them evenly in log."""
    later = [k for k in recorded if k > 0]
    wanted = np.geomspace(later[0], later[-1], SNAPSHOTS - 1)
    return sorted({0} | {later[int(np.argmin(np.abs(np.log(np.asarray(later) / k))))] for k in wanted})


@dataclass(frozen=True)
class Moment:
    """The runs at a step: outputs (run, d_out, n), hidden layer (run, m, n), and what was summed up to it."""

    z: Tensor
    y: Tensor
    q: Tensor
    xi: Tensor
    hidden: Tensor  # sigma(P)
    slope: Tensor  # sigma'(P)
    V: Tensor  # (run, d_out, m)
    moved: Tensor  # (run, m, .)
    moved_top: Tensor | None  # (run, d_out, m)
    critic: dict[str, np.ndarray]  # critic_slope, critic_gap, critic_w of every run
    summed: dict[str, np.ndarray]
    alive: np.ndarray


class Recorder:
    """Fills the variables of the data set, one recorded step after another."""

    def __init__(self, runs: int, width: int, recorded: Sequence[int], F: Tensor, K: Tensor, *, full: bool) -> None:
        """``F`` are the inputs (n, r) in orthonormal coordinates; ``K`` (n, n) in float64."""
        self._F, self._K, self._full = F, K, full
        self.steps = {step: at for at, step in enumerate(recorded)}
        self.snapshots = {step: at for at, step in enumerate(snapshots(recorded))}
        shape = (runs, len(recorded))
        layers = ("u", "v") if full else ("u",)
        names = [*TIMED, *(layer_name(name, layer) for layer in layers for name in LAYERED)]
        self.timed = {name: np.full(shape, np.nan) for name in names}
        self.du = {layer: np.full((*shape, width), np.nan, np.float32) for layer in layers}
        each = (runs, len(self.snapshots), width)
        self.each = {f"{name}_{layer}": np.full(each, np.nan, np.float32) for layer in layers for name in EACH}

    def take(self, step: int, now: Moment) -> None:
        """Write down a step; runs that have diverged stay NaN."""
        at, alive = self.steps[step], now.alive
        values: dict[str, Any] = dict(now.summed)
        residual = now.z - now.y
        values |= {
            "error": _norm(residual), "xi": _norm(now.xi), "q": _norm(now.q),
            "q_sum": now.q.norm(dim=-2).sum(-1), "loss": residual.square().sum((-2, -1)) / 2,
            "misclassified": misclassified(now.z, now.y), **now.critic,
            "active": (now.slope > 0.5).double().mean((-2, -1)),
        }  # fmt: skip
        n, m = now.slope.shape[-1], now.slope.shape[-2]
        parts = [network.pull_hidden(now.V, now.slope, r).view(-1, n) @ self._F for r in (-residual, now.q)]
        layers = {"u": [part.view(len(alive), m, -1) for part in parts]}
        if self._full:
            layers["v"] = [network.pull_top(now.hidden, r).mT for r in (-residual, now.q)]
        for layer, (reaction, diffusion) in layers.items():
            values |= self._layer(layer, reaction, diffusion, step, alive)
        values |= self._spectrum(step, now)
        for name, value in values.items():
            found = value.double().cpu().numpy() if isinstance(value, Tensor) else value
            self.timed[name][alive, at] = found[alive]
        self.du["u"][alive, at] = now.moved.norm(dim=-1).float().cpu().numpy()[alive]
        if now.moved_top is not None:
            self.du["v"][alive, at] = now.moved_top.norm(dim=-2).float().cpu().numpy()[alive]

    def _layer(
        self, layer: str, reaction: Tensor, diffusion: Tensor, step: int, alive: np.ndarray
    ) -> dict[str, Tensor | np.ndarray]:
        """Sizes of reaction and diffusion (run, m, .), and how alike the velocities of the neurons are.

        At snapshots those of each neuron are kept as well.
        """
        r, d = reaction.norm(dim=-1), diffusion.norm(dim=-1)
        total, product = r + d, r * d
        nan = torch.full_like(r, torch.nan)
        share = torch.where(total > 0, d / total, nan)
        cosine = torch.where(product > 0, (reaction * diffusion).sum(-1) / product, nan)
        if step in self.snapshots:
            for name, value in zip(EACH, (r, d, cosine), strict=True):
                self.each[f"{name}_{layer}"][alive, self.snapshots[step]] = value.float().cpu().numpy()[alive]
        velocity = reaction + diffusion
        size = velocity.norm(dim=-1, keepdim=True)
        unit = torch.where(size > 0, velocity / size, 0.0)
        live = (size[..., 0] > 0).sum(-1).double()
        pairs = live * (live - 1)
        sync = (unit.sum(-2).square().sum(-1).double() - live) / pairs
        found = {
            "reaction": r.mean(-1), "diffusion": d.mean(-1), "reaction_{}_max": r.amax(-1),
            "diffusion_{}_max": d.amax(-1), "share": share.nanmean(-1), "alignment": cosine.nanmean(-1),
            "sync": sync, "sync_abs": (_absolute(unit) - live) / pairs,
        }  # fmt: skip
        return {layer_name(name, layer): value for name, value in found.items()}

    def _spectrum(self, step: int, now: Moment) -> dict[str, np.ndarray]:
        """Extreme eigenvalues of H now: at every recorded time, of the full net at snapshots only."""
        low, high = (np.full(len(now.alive), np.nan) for _ in range(2))
        size = self._K.shape[0] * now.z.shape[-2]
        if (not self._full or step in self.snapshots) and size <= (KERNEL if self._full else math.inf):
            for b in np.flatnonzero(now.alive):
                low[b], high[b] = gram.extreme_eigenvalues(self._kernel(now, int(b)).cpu().numpy())
        return {"gram_min": low, "gram_max": high}

    def _kernel(self, now: Moment, run: int) -> Tensor:
        """H of one run: (n, n), or (d_out n, d_out n) with the outputs outside when both layers are trained."""
        slope, V, hidden = now.slope[run].double(), now.V[run].double(), now.hidden[run].double()
        m, n, outputs = slope.shape[0], slope.shape[1], V.shape[0]
        if not self._full:
            return self._K * (slope.mT @ slope) / m
        weighted = (V[:, :, None] * slope).transpose(0, 1).reshape(m, outputs * n)
        H = (weighted.mT @ weighted).view(outputs, n, outputs, n) * self._K[None, :, None, :]
        H.diagonal(dim1=0, dim2=2).add_((hidden.mT @ hidden)[..., None])
        return H.reshape(outputs * n, outputs * n) / (outputs * m)


def layer_name(name: str, layer: str) -> str:
    """Name of a variable of a layer, ``u`` or ``v``: reaction_u, reaction_u_max; sync is of u alone."""
    if "{}" in name:
        return name.format(layer)
    return name if name.startswith("sync") and layer == "u" else f"{name}_{layer}"


def misclassified(z: Tensor, y: Tensor) -> Tensor:
    """Share of examples on the wrong side of 0, or whose largest output is not the target's; (run,)."""
    if z.shape[-2] == 1:
        return (z * y <= 0).double().mean((-2, -1))
    return (z.argmax(-2) != y.argmax(-2)).double().mean(-1)


def _norm(r: Tensor) -> Tensor:
    return r.double().square().sum((-2, -1)).sqrt()


def _absolute(unit: Tensor) -> Tensor:
    """Sum over all pairs of rows, a row with itself too, of |cosine|; (run,)."""
    total = torch.zeros(len(unit), dtype=torch.float64, device=unit.device)
    for rows in unit.split(BLOCK, dim=1):
        total += (rows @ unit.mT).abs_().sum((-2, -1)).double()
    return total


def dataset(
    timed: dict[str, np.ndarray],
    du: dict[str, np.ndarray],
    each: dict[str, np.ndarray],
    still: dict[str, tuple[np.ndarray, str, str]],
    filters: np.ndarray,
    coords: dict[str, Any],
    shape: tuple[int, int],
    attrs: dict[str, Any],
) -> xr.Dataset:
    """The record.

    Parameters
    ----------
    timed, du
        By name over (run, time) and by layer over (run, time, neuron).
    each
        By name over (run, snapshot, neuron).
    still
        Name to (values over (run, ...), long name, unit) of what does not depend on time.
    filters
        (lane, shown, snapshot, pixel).
    coords
        adversary, adversary_weight, penalty, seed, time, snapshot.
    shape
        (lanes, seeds).
    """
    runs, variables = ("lane", "seed"), {}
    words = {"u": "hidden", "v": "top"}
    about = dict(TIMED)
    for layer, word in words.items():
        about |= {layer_name(n, layer): (text.format(word), source) for n, (text, source) in LAYERED.items()}
    for name, values in timed.items():
        text, source = about[name]
        variables[name] = io.variable((*runs, "time"), values.reshape(*shape, -1), text, "1", source)
    for layer, values in du.items():
        text = f"distance of a neuron's weights from their initial values, {words[layer]} layer"
        variables[f"d{layer}"] = io.variable(
            (*runs, "time", "neuron"), values.reshape(*shape, *values.shape[1:]), text, "1", ROUT
        )
    for name, values in each.items():
        kind, layer = name.rsplit("_", 1)
        text, source = EACH[kind]
        variables[name] = io.variable(
            (*runs, "snapshot", "neuron"),
            values.reshape(*shape, *values.shape[1:]),
            text.format(words[layer]),
            "1",
            source,
        )
    for name, (values, text, unit) in still.items():
        dims = (*runs, "neuron")[: values.ndim + 1]
        variables[name] = io.variable(dims, values.reshape(*shape, *values.shape[1:]), text, unit, OURS)
    text = "weights of the first neurons of the first seed"
    variables["filter"] = io.variable(("lane", "shown", "snapshot", "pixel"), filters, text, "1", ROUT)
    where = {
        "adversary": io.variable(("lane",), coords["adversary"], "adversary on the outputs"),
        "adversary_weight": io.variable(("lane",), coords["adversary_weight"], "weight of the adversary's term"),
        "penalty": io.variable(("lane",), coords["penalty"], "weight of the gradient penalty"),
        "seed": io.variable(("seed",), coords["seed"], "seed of the run"),
        "time": io.variable(("time",), coords["time"], "time, step size times steps"),
        "snapshot": io.variable(("snapshot",), coords["snapshot"], "time at which filters are kept"),
    }
    return xr.Dataset(variables, where, {"title": "Two-layer networks under an adversary on their outputs", **attrs})
