"""The hidden layer in two forms: its weights, or its coefficients in the span of the inputs.

Gradient descent changes u_j by multiples of the inputs only (turing.md, P1): u_j(t) = u_j(0) + sum_p C_jp x_p.
The span form keeps C, and the pre-activations are P = S + C K with S = U(0) X^T and K = X X^T: a step costs m n^2 in
place of 2 m n d. Adam leaves the span; the plain form keeps U itself, in the pixels in which some input is not 0 (in
the others no weight ever moves).
"""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.floating[Any]]


def factor(x: Floats) -> Floats:
    """F (n, r), r = min(n, d), with F F^T = X X^T: the inputs in orthonormal coordinates of their span.

    Lengths taken in them, |C F|, do not square as c^T K c does, so they keep their digits where K is ill-conditioned.
    """
    if x.shape[0] >= x.shape[1]:
        return x
    return np.linalg.qr(x.T)[1].T


class Hidden(Protocol):
    """Hidden layers of all runs, (run, m, .)."""

    P: Tensor  # pre-activations (run, m, n)

    def descend(self, E: Tensor, eta: float) -> None:
        """One step along du_j = eta sum_p E_jp x_p, and new pre-activations."""

    def moved(self) -> Tensor:
        """u_j(t) - u_j(0) in orthonormal coordinates (run, m, .)."""

    def weights(self, run: int, rows: int | None = None) -> Floats:
        """U(t) of one run, or its first rows."""


class Span:
    """Hidden layers as coefficients C (run, m, n) of the inputs."""

    def __init__(self, x: Floats, U0: Floats, runs: int, where: dict[str, Any]) -> None:
        """``U0`` is (seed, m, d) in float64; run b has seed b mod seeds."""
        self._x, self._U0 = np.asarray(x, np.float64), U0
        K = self._x @ self._x.T
        self.K = torch.as_tensor(K, **where)
        self._F = torch.as_tensor(factor(self._x), **where)
        S = torch.as_tensor(U0 @ self._x.T, **where)
        self._S = S.repeat(runs // len(U0), 1, 1)
        self._C = torch.zeros_like(self._S)
        self.P = self._S.clone()

    def descend(self, E: Tensor, eta: float) -> None:
        """One step."""
        n = E.shape[-1]
        self._C.add_(E, alpha=eta)
        # S + C K anew, so that rounding does not add up over steps as it would in P += eta E K
        torch.addmm(self._S.view(-1, n), self._C.view(-1, n), self.K, out=self.P.view(-1, n))

    def moved(self) -> Tensor:
        """u_j(t) - u_j(0)."""
        return self._C @ self._F

    def weights(self, run: int, rows: int | None = None) -> Floats:
        """U(t) of one run."""
        C = self._C[run, :rows].cpu().double().numpy()
        return self._U0[run % len(self._U0), :rows] + C @ self._x


class Plain:
    """Hidden layers as weights U (run, m, d'), d' the pixels in which some input is not 0."""

    def __init__(self, x: Floats, U0: Floats, runs: int, where: dict[str, Any], *, adam: bool = False) -> None:
        """As ``Span``; with ``adam`` the step is Adam's of the same gradient."""
        self._pixels = np.flatnonzero((x != 0).any(axis=0))
        self._U0 = U0
        self.X = torch.as_tensor(np.asarray(x, np.float64)[:, self._pixels], **where)
        self._start = torch.as_tensor(U0[..., self._pixels], **where).repeat(runs // len(U0), 1, 1)
        self._U = self._start.clone()
        self._adam = Adam(self._U) if adam else None
        self.P = self._U @ self.X.T

    def descend(self, E: Tensor, eta: float) -> None:
        """One step."""
        d, n = self._U.shape[-1], E.shape[-1]
        flat = self._U.view(-1, d)
        if self._adam is None:
            torch.addmm(flat, E.view(-1, n), self.X, alpha=eta, out=flat)
        else:
            self._adam.step((E.view(-1, n) @ self.X).view_as(self._U), eta)
        torch.mm(flat, self.X.T, out=self.P.view(-1, n))

    def moved(self) -> Tensor:
        """u_j(t) - u_j(0)."""
        return self._U - self._start

    def weights(self, run: int, rows: int | None = None) -> Floats:
        """U(t) of one run."""
        U = self._U0[run % len(self._U0), :rows].copy()
        U[:, self._pixels] = self._U[run, :rows].cpu().double().numpy()
        return U


class Adam:
    """Adam (Kingma and Ba, arXiv:1412.6980) with its usual constants, on one tensor."""

    BETAS = (0.9, 0.999)
    EPS = 1e-8

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights
        self._first = torch.zeros_like(weights)
        self._second = torch.zeros_like(weights)
        self._steps = 0

    def step(self, ascent: Tensor, eta: float) -> None:
        """Move the weights in place; ``ascent`` is the gradient's negative."""
        self._steps += 1
        b1, b2 = self.BETAS
        self._first.lerp_(ascent, 1 - b1)
        self._second.mul_(b2).addcmul_(ascent, ascent, value=1 - b2)
        size = eta / (1 - b1**self._steps)
        root = self._second.sqrt().div_(math.sqrt(1 - b2**self._steps)).add_(self.EPS)
        self._weights.addcdiv_(self._first, root, value=size)
