"""The l_inf and l2 balls: random starts in them, steepest steps, and the projection on them and on the box."""

from collections.abc import Callable

import torch
from torch import Tensor

from advdyn.attacks.attack import Attack
from advdyn.attacks.checks import Box


def start(attack: Attack, x: Tensor, generator: torch.Generator | None) -> Tensor | None:
    """Random starts (n, pixel) for all images x, in the ball of size 1; None where the attack starts at the image.

    They are drawn on the CPU, so that every device attacks from the same.
    """
    if not attack.random:
        return None
    noise = torch.empty(x.shape, dtype=x.dtype)
    if attack.norm == "linf" and attack.initialisation == "uniform":
        noise.uniform_(-1, 1, generator=generator)
    elif attack.norm == "linf":
        noise.random_(0, 2, generator=generator).mul_(2).sub_(1)  # four times as fast as bernoulli_
    else:
        noise.normal_(generator=generator)
        noise /= torch.linalg.vector_norm(noise, dim=1, keepdim=True)
        if attack.initialisation == "uniform":
            # the share of a ball's volume within radius r grows as r^d
            noise *= torch.empty(len(x), 1, dtype=x.dtype).uniform_(generator=generator).pow_(1 / x.shape[1])
    return noise.to(x.device)


def direction(g: Tensor, norm: str) -> Tensor:
    """The steepest step of length 1: sign(g) or g/|g|_2, and 0 where g = 0; overwrites g (n, pixel)."""
    if norm == "linf":
        return g.sign_()
    # divided by the largest component first: the square of a small gradient is 0 in float32
    largest = g.abs().amax(dim=1, keepdim=True)
    g /= torch.where(largest > 0, largest, 1)
    norms = torch.linalg.vector_norm(g, dim=1, keepdim=True)
    g /= torch.where(norms > 0, norms, 1)
    return g


def length(attack: Attack, eps: float | Tensor) -> float | Tensor:
    """Length of a step; a single step from the image is no longer than eps, so it needs no projection on the ball."""
    single = attack.steps == 1 and not attack.random
    if attack.step_unit == "eps":
        return eps * (min(attack.step, 1.0) if single else attack.step)
    if not single:
        return attack.step
    return eps.clamp(max=attack.step) if isinstance(eps, Tensor) else min(attack.step, eps)


def move(x: Tensor, u: Tensor, t: float | Tensor) -> Tensor:
    """x += t u; t is a number or a column (n, 1)."""
    return x.addcmul_(u, t) if isinstance(t, Tensor) else x.add_(u, alpha=t)


def projection(x: Tensor, norm: str, eps: float | Tensor, box: Box, *, ball: bool = True) -> Callable[[Tensor], None]:
    """The projection, in place, on the ball of size eps around x, then on the box.

    x lies in the box, so the second does not leave the ball.

    Parameters
    ----------
    ball
        False: what is projected is known to lie in the ball.
    """
    if ball and norm == "linf":
        low, high = x - eps, x + eps
        if box is not None:
            low.clamp_(min=box[0])
            high.clamp_(max=box[1])

        def clamp(made: Tensor) -> None:
            torch.clamp(made, low, high, out=made)

        return clamp

    def project(made: Tensor) -> None:
        if ball:
            delta = made - x
            distance = torch.linalg.vector_norm(delta, dim=1, keepdim=True)
            # only what is outside is moved: inside, x + (x' - x) would differ from x' by rounding
            outside = distance > eps
            made.copy_(torch.where(outside, x + delta * (eps / torch.where(outside, distance, 1)), made))
        if box is not None:
            made.clamp_(*box)

    return project
