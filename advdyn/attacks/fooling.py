"""Fooling images: noise moved until the network is sure to see a class in it (Nguyen et al., arXiv:1412.1897)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advdyn.attacks import checks, engine
from advdyn.attacks.classifier import Classifier
from advdyn.errors import InputError


@dataclass(frozen=True)
class Fooling:
    """What the ascent from noise came to.

    Attributes
    ----------
    reached : (n,) bool
        Whether the probability of the goal rose to the level.
    steps : (n,) int64
        Steps that took; all that were allowed where it did not.
    confidence : (n,)
        Probability of the goal in the image.
    image : (n, pixel)
        The first image that reached the level, else the last.
    """

    reached: Tensor
    steps: Tensor
    confidence: Tensor
    image: Tensor


@torch.no_grad()
def fooling(
    classifier: Classifier,
    starts: Tensor,
    goal: Tensor,
    *,
    level: float = 0.996,
    max_steps: int = 200,
    step: float = 0.02,
) -> Fooling:
    """Ascend the probability of a class from noise, by sign steps within the box (0, 1).

    Parameters
    ----------
    starts : (n, pixel)
        Noise in [0, 1].
    goal : (n,) int64
        The class to be seen in each.
    level
        The probability at which an image is done.
    max_steps, step
        Steps allowed, and their length in units of the pixel range.

    Raises
    ------
    InputError
        When shapes, dtypes or devices do not fit, a goal is out of range, a pixel outside [0, 1], or a setting.
    """
    if not 0 < level < 1:
        raise InputError(f"level: found {level:g}, allowed: a number between 0 and 1")
    if not step > 0 or max_steps < 0:
        raise InputError(f"step, max_steps: found {step:g}, {max_steps}, allowed: above 0, and 0 or more")
    checks.images(classifier, starts, (0.0, 1.0))
    checks.labels("goal", goal, len(starts), classifier.classes)
    image = starts.clone()
    confidence = image.new_zeros(len(image))
    steps = torch.full_like(goal, max_steps)
    reached = torch.zeros_like(goal, dtype=torch.bool)
    for start in range(0, len(image), engine.BATCH):
        left = torch.arange(start, min(start + engine.BATCH, len(image)), device=image.device)
        for taken in range(max_steps + 1):
            p, g = _ascent(classifier, image[left], goal[left])
            confidence[left] = p
            done = p >= level
            reached[left[done]] = True
            steps[left[done]] = taken
            left, g = left[~done], g[~done]
            if taken == max_steps or not len(left):
                break
            image[left] = image[left].add_(g.sign_(), alpha=step).clamp_(0, 1)
    return Fooling(reached, steps, confidence, image)


def _ascent(classifier: Classifier, x: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Probability (n,) of the goal, and the gradient (n, pixel) of its logarithm."""
    z, g = classifier.pullback(x, lambda z: _derivative(z, goal))
    return z.softmax(dim=1).gather(1, goal[:, None])[:, 0], g


def _derivative(z: Tensor, goal: Tensor) -> Tensor:
    return torch.zeros_like(z).scatter_(1, goal[:, None], 1).sub_(z.softmax(dim=1))
