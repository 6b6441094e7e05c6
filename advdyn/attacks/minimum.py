"""The smallest eps at which an attack succeeds, image by image: its distribution is the robustness curve."""

import math

import torch
from torch import Tensor

from advdyn.attacks import checks, engine, geometry
from advdyn.attacks.attack import Attack
from advdyn.attacks.classifier import Classifier
from advdyn.errors import InputError

GRID = 8
"""Sizes tried, evenly spaced up to the largest, before the interval that the first success ends is halved."""


@torch.no_grad()
def minimum_eps(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps_max: float,
    *,
    box: checks.Box,
    target: Tensor | None = None,
    generator: torch.Generator | None = None,
    steps: int = 12,
    batch: int = engine.BATCH,
) -> Tensor:
    """Smallest size of a successful attack, to within eps_max / (8 * 2^steps) where success is monotone in eps.

    Every value reported is a size at which the attack was seen to succeed: an upper bound on the true minimum
    distortion. Success is another class than the label, or, for a targeted attack, the target.

    Parameters
    ----------
    eps_max
        Largest size tried, in units of the pixel range.
    steps
        Halvings of the interval found; each makes the attack once more.

    Other parameters, and errors raised: as ``engine.perturb``; every size is attacked from the same random
    starts.

    Returns
    -------
    (n,): 0 for images that succeed without attack, inf where none up to eps_max does.
    """
    if checks.size(eps_max, "eps_max") == 0 or steps < 0:
        raise InputError(f"eps_max, steps: found {eps_max:g}, {steps}, allowed: above 0, and 0 or more")
    checks.everything(classifier, x, y, attack, box, target, generator, batch)
    starts = [geometry.start(attack, x, generator) for _ in range(attack.restarts)]
    goal = target if attack.targeted else None

    def succeeds(eps: Tensor, rows: Tensor) -> Tensor:
        aim = None if goal is None else goal[rows]
        noise = (None if start is None else start[rows] for start in starts)
        made = engine.examples(classifier, x[rows], y[rows], attack, eps[rows, None], box, aim, noise, batch)
        predicted = torch.cat([classifier.logits(part).argmax(dim=1) for part in made.split(batch)])
        return predicted != y[rows] if aim is None else predicted == aim

    low, high = x.new_zeros(len(x)), x.new_full((len(x),), math.inf)
    left = torch.arange(len(x), device=x.device)
    for k in range(GRID + 1):
        if not len(left):
            break
        size = torch.full_like(low, eps_max * k / GRID)
        won = succeeds(size, left)
        high[left[won]] = size[left[won]]
        left = left[~won]
        low[left] = size[left]
    left = (high.isfinite() & (high > 0)).nonzero()[:, 0]
    for _ in range(steps if len(left) else 0):
        middle = (low + high) / 2
        won = succeeds(middle, left)
        high[left[won]] = middle[left[won]]
        low[left[~won]] = middle[left[~won]]
    return high
