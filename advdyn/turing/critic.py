"""The critic g(y) = a^T sigma(W y)/sqrt(m_c), which is trained as in WGAN with a gradient penalty.

Its loss is mean_p g(z_p) - mean_p g(y_p) + penalty mean_p (|grad g(yhat_p)| - target_slope)^2 with
yhat_p = e_p y_p + (1 - e_p) z_p (Gulrajani et al., arXiv:1704.00028). All runs of a batch are stepped together;
outputs are (run, d_out, n).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advdyn.turing.network import Activation


@dataclass
class Critic:
    """Weights of the critics of a batch of runs, changed in place by ``step``.

    Attributes
    ----------
    W
        (run, m_c, d_out).
    a
        (run, m_c, 1).
    penalty
        (run, 1, 1).
    target
        Slope that the penalty asks for.
    """

    W: Tensor
    a: Tensor
    penalty: Tensor
    target: float
    activation: Activation

    def __post_init__(self) -> None:
        """Constants."""
        self._root = 1 / math.sqrt(self.W.shape[-2])
        self._penalised = bool((self.penalty != 0).any())

    def value(self, y: Tensor) -> Tensor:
        """g, of shape (run, n)."""
        return (self.a.mT @ self.activation.value(self.W @ y))[..., 0, :] * self._root

    def slope(self, y: Tensor) -> Tensor:
        """grad g (run, d_out, n)."""
        return (self.W * (self.a * self._root)).mT @ self.activation.slope(self.W @ y)

    def gradients(self, z: Tensor, y: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of the loss in W and a; ``e`` is (run, 1, n)."""
        n = z.shape[-1]
        rate = self._root / n
        W, a = self.W, self.a
        hz, hy = W @ z, W @ y
        sigma = self.activation
        grad_a = (sigma.value(hz).sum(-1, keepdim=True) - sigma.value(hy).sum(-1, keepdim=True)).mul_(rate)
        pull = (sigma.slope(hz) @ z.mT).sub_(sigma.slope(hy) @ y.mT).mul_(rate)
        if self._penalised:
            between = z + e * (y - z)
            h = W @ between
            slope = sigma.slope(h)
            G = (W * (a * self._root)).mT @ slope
            length = G.norm(dim=-2, keepdim=True)
            # the slope 0 has no direction: no pull there, as in autograd's norm
            T = G * torch.where(length > 0, 2 * self.penalty * (length - self.target) / length, 0.0)
            T *= rate
            WT = W @ T
            grad_a += (WT * slope).sum(-1, keepdim=True)
            pull += slope @ T.mT
            curvature = sigma.curvature(h)
            if curvature is not None:
                pull += (curvature * WT) @ between.mT
        return pull.mul_(a), grad_a

    def step(self, z: Tensor, y: Tensor, e: Tensor, rate: float) -> None:
        """One step of gradient descent."""
        grad_W, grad_a = self.gradients(z, y, e)
        self.W.sub_(grad_W, alpha=rate)
        self.a.sub_(grad_a, alpha=rate)
