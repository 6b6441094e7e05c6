"""Activations, and the two-layer network f = V sigma(U x)/sqrt(d_out m) in its pre-activations.

Everything is a function of P (..., m, n), the pre-activations u_j . x_p, so that it holds whatever the coordinates in
which U is kept. Outputs are (..., d_out, n).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

LEAK = 0.01  # slope of the leaky activation below 0

Name = Literal["relu", "leaky", "softplus", "tanh"]


@dataclass(frozen=True)
class Activation:
    """sigma, sigma' and sigma''.

    At the kink of relu and leaky the slope is that of the negative side, as in torch.
    """

    name: str

    @property
    def leak(self) -> float | None:
        """Slope below 0 of a piecewise linear activation, None of a smooth one."""
        return {"relu": 0.0, "leaky": LEAK}.get(self.name)

    def value(self, h: Tensor, out: Tensor | None = None) -> Tensor:
        """sigma(h)."""
        out = torch.empty_like(h) if out is None else out
        if self.name == "relu":
            return torch.clamp_min(h, 0, out=out)
        if self.name == "tanh":
            return torch.tanh(h, out=out)
        return out.copy_(functional.leaky_relu(h, LEAK) if self.name == "leaky" else functional.softplus(h))

    def slope(self, h: Tensor, out: Tensor | None = None) -> Tensor:
        """sigma'(h)."""
        out = torch.empty_like(h) if out is None else out
        if self.name == "relu":
            return torch.gt(h, 0, out=out)
        if self.name == "leaky":
            return torch.gt(h, 0, out=out).mul_(1 - LEAK).add_(LEAK)
        return torch.sigmoid(h, out=out) if self.name == "softplus" else torch.tanh(h, out=out).square_().neg_().add_(1)

    def curvature(self, h: Tensor) -> Tensor | None:
        """sigma''(h), or None where it is 0 almost everywhere."""
        if self.leak is not None:
            return None
        if self.name == "softplus":
            s = h.sigmoid()
            return s * (1 - s)
        t = h.tanh()
        return -2 * t * (1 - t.square())


def scale(outputs: int, width: int) -> float:
    """1/sqrt(d_out m)."""
    return 1 / math.sqrt(outputs * width)


def outputs(V: Tensor, hidden: Tensor) -> Tensor:
    """The outputs z (..., d_out, n) of hidden activations sigma(P) (..., m, n); V is (..., d_out, m)."""
    return (V @ hidden).mul_(scale(V.shape[-2], V.shape[-1]))


def pull_hidden(V: Tensor, slope: Tensor, r: Tensor, out: Tensor | None = None) -> Tensor:
    """Coefficients E (..., m, n) of du_j/dt = sum_p E_jp x_p when the outputs are pulled along r (..., d_out, n).

    With r = y - z it is the reaction R^u_j, with r = q the diffusion D^u_j (turing.md, eqs 48-51).
    """
    out = torch.empty_like(slope) if out is None else out
    r = r * scale(V.shape[-2], V.shape[-1])
    product = torch.matmul if V.shape[-2] > 1 else torch.mul
    return product(V.mT, r, out=out).mul_(slope)


def pull_top(hidden: Tensor, r: Tensor) -> Tensor:
    """dv_j/dt as columns of (..., d_out, m) when the outputs are pulled along r (turing.md, eqs 52-55)."""
    return (r @ hidden.mT).mul_(scale(r.shape[-2], hidden.shape[-2]))
