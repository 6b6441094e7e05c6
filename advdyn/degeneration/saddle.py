"""Theorem 1 on a game small enough for its whole Hessian: is the optimum of degenerator and discriminator a saddle?

Noise y is uniform on [0, 1]; so is x, that is p_d is exactly uniform at a = 0. The degenerator moves it by
Deg_a(x) = x + sum_k a_k phi_k(x), phi_k = sin(k pi x)/(k pi), monotone for sum_k |a_k| < 1. The discriminator is
D = 1/(1 + e^(-l)), l(y) = c + sum_h v_h tanh(w_h y + s_h); v = 0, c = 0 is D = 1/2. The game is

    V(a, b) = E log D(y) + E log(1 - D(Deg_a(x))),  b = (v, c, w, s),

minimised by the degenerator and maximised by the discriminator. With psi = (tanh(w_h y + s_h), 1), at the optimum

    grad V = 0,  V = -log 4,  Hessian = [[0, B], [B^T, -C]],
    B = -1/2 int phi psi'^T dx,  C = 1/2 int psi psi^T dy,  and 0 in the directions w, s, which D = 1/2 does not see.

The first block is 0: with D = 1/2 the degenerator changes nothing. Since C > 0, there are as many positive eigenvalues
as B has ranks, and as many negative ones as psi has parts: a saddle of the joint game, whatever the networks. In the
degenerator's own coordinates the criterion is (Goodfellow et al., section 4.1)

    C(a) = max_D V = 2 JSD(uniform, p_d) - log 4 = int [Deg' log Deg'/(1 + Deg') - log(1 + Deg')] dx,

whose Hessian is 1/2 int phi'_k phi'_l dx = 1/4 for k = l and 0 else: no saddle but a strict minimum. Both are
measured here by automatic differentiation of quadratures, and once more by finite differences.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional

from advdyn import io, seeds

STUDY = "degeneration"
COEFFICIENTS = 4  # of the degenerator
UNITS = 6  # hidden units of the discriminator
POINTS = 200  # of the quadrature
STEP = 1e-4  # of the finite differences
ELSEWHERE = 0.3  # a_1 of the control, a point that is no optimum
PAPER = "Gontijo Lopes and Deb, Degenerative Adversarial Networks, Theorem 1"
GOODFELLOW = "Goodfellow et al., arXiv:1406.2661, section 4.1"

Doubles = npt.NDArray[np.float64]
Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Game:
    """The game, as a function of all its parameters (a, v, c, w, s) in one vector.

    Attributes
    ----------
    coefficients, units
        Numbers K of a_k, and H of hidden units; the vector has K + 3 H + 1 parts.
    """

    coefficients: int
    units: int
    points: int = POINTS

    @property
    def quadrature(self) -> tuple[Tensor, Tensor]:
        """Nodes and weights of Gauss and Legendre on [0, 1]."""
        nodes, weights = np.polynomial.legendre.leggauss(self.points)
        return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)

    @property
    def split(self) -> list[int]:
        """Lengths of a, v, c, w and s."""
        return [self.coefficients, self.units, 1, self.units, self.units]

    def moved(self, a: Tensor, x: Tensor) -> Tensor:
        """Deg_a(x)."""
        k = pi * torch.arange(1, self.coefficients + 1, dtype=x.dtype)
        return x + (torch.sin(k * x[:, None]) / k) @ a

    def slope(self, a: Tensor, x: Tensor) -> Tensor:
        """Its derivative in x."""
        k = pi * torch.arange(1, self.coefficients + 1, dtype=x.dtype)
        return 1 + torch.cos(k * x[:, None]) @ a

    def value(self, parameters: Tensor) -> Tensor:
        """V, of eq. 1."""
        a, v, c, w, s = torch.split(parameters, self.split)
        y, weight = self.quadrature

        def logit(y: Tensor) -> Tensor:
            return torch.tanh(y[:, None] * w + s) @ v + c

        return weight @ (functional.logsigmoid(logit(y)) + functional.logsigmoid(-logit(self.moved(a, y))))

    def criterion(self, a: Tensor) -> Tensor:
        """C(a), the value against the best of all discriminators."""
        x, weight = self.quadrature
        slope = self.slope(a, x)
        return weight @ (slope * torch.log(slope / (1 + slope)) - torch.log(1 + slope))

    def formula(self, optimum: Tensor) -> Doubles:
        """The Hessian [[0, B], [B^T, -C]] at an optimum, by its integrals."""
        a, v, _, w, s = torch.split(optimum, self.split)
        x, weight = self.quadrature
        k = pi * torch.arange(1, len(a) + 1, dtype=x.dtype)
        phi = torch.sin(k * x[:, None]) / k
        psi = torch.cat([torch.tanh(x[:, None] * w + s), torch.ones_like(x)[:, None]], 1)
        slope = torch.cat([w * (1 - torch.tanh(x[:, None] * w + s) ** 2), torch.zeros_like(x)[:, None]], 1)
        b, c = -phi.T @ (weight[:, None] * slope) / 2, psi.T @ (weight[:, None] * psi) / 2
        found, seen = np.zeros((len(optimum), len(optimum))), len(a) + len(v) + 1
        found[: len(a), len(a) : seen], found[len(a) : seen, : len(a)] = b, b.T
        found[len(a) : seen, len(a) : seen] = -c
        return found


def optimum(game: Game, generator: np.random.Generator) -> Tensor:
    """A point where p_d is uniform and D = 1/2; hidden units, which it leaves open, are spread over [0, 1]."""
    w = generator.uniform(8, 16, game.units) * generator.choice([-1, 1], game.units)
    centre = (np.arange(game.units) + generator.uniform(0.25, 0.75, game.units)) / game.units
    parts = np.zeros(game.coefficients), np.zeros(game.units), np.zeros(1), w, -w * centre
    return torch.from_numpy(np.concatenate(parts))


def gradient(function: Function, at: Tensor) -> Doubles:
    """By automatic differentiation."""
    point = at.clone().requires_grad_()
    return np.asarray(torch.autograd.grad(function(point), point)[0].numpy())


def hessian(function: Function, at: Tensor) -> Doubles:
    """By automatic differentiation, symmetric."""
    found = torch.autograd.functional.hessian(function, at).numpy()
    return np.asarray((found + found.T) / 2)


def differences(function: Function, at: Tensor, step: float = STEP) -> Doubles:
    """The Hessian by central differences of the gradient."""
    found = np.zeros((len(at), len(at)))
    for i in range(len(at)):
        shift = torch.zeros_like(at)
        shift[i] = step
        found[i] = (gradient(function, at + shift) - gradient(function, at - shift)) / (2 * step)
    return np.asarray((found + found.T) / 2)


def run(*, root: int) -> xr.Dataset:
    """Value, gradient and eigenvalues of the Hessians at an optimum, and at a point that is none.

    Parameters
    ----------
    root
        Root of the random streams: it draws the hidden units of the discriminator.

    Returns
    -------
    Dataset over game_direction (of degenerator and discriminator) and direction (of the degenerator alone); eigenvalues
    in increasing order. Directions of the game that D = 1/2 does not see have the eigenvalue 0 to rounding.
    """
    game = Game(COEFFICIENTS, UNITS)
    best = optimum(game, seeds.generator(root, STUDY, 0, "initialisation"))
    elsewhere = best.clone()
    elsewhere[0] = ELSEWHERE
    whole, own = hessian(game.value, best), hessian(game.criterion, best[:COEFFICIENTS])
    away = hessian(game.criterion, elsewhere[:COEFFICIENTS])
    checks = (
        np.abs(whole - differences(game.value, best)).max(),
        np.abs(own - differences(game.criterion, best[:COEFFICIENTS])).max(),
    )
    slopes = {
        "gradient_norm": (gradient(game.value, best), "length of the gradient of V at the optimum"),
        "control_gradient_norm": (gradient(game.value, elsewhere), "the same where p_d is not uniform (control)"),
        "criterion_gradient_norm": (
            gradient(game.criterion, best[:COEFFICIENTS]), "length of the gradient of the criterion at the optimum",
        ),
        "control_criterion_gradient_norm": (
            gradient(game.criterion, elsewhere[:COEFFICIENTS]), "the same where p_d is not uniform (control)",
        ),
    }  # fmt: skip
    numbers = {
        "value": (float(game.value(best)), "V at the optimum, -log 4", "nat", GOODFELLOW),
        "criterion": (float(game.criterion(best[:COEFFICIENTS])), "max_D V at the optimum, -log 4", "nat", GOODFELLOW),
        "control_criterion": (
            float(game.criterion(elsewhere[:COEFFICIENTS])), "max_D V where p_d is not uniform (control)", "nat",
            GOODFELLOW,
        ),
        "difference": (
            float(max(checks)), "largest difference of the Hessians to those by finite differences", "nat", PAPER,
        ),
    }  # fmt: skip
    spectra = {
        "eigenvalue": ("game_direction", whole, "eigenvalue of the Hessian of V in degenerator and discriminator"),
        "eigenvalue_formula": ("game_direction", game.formula(best), "the same by the formula [[0, B], [B^T, -C]]"),
        "criterion_eigenvalue": ("direction", own, "eigenvalue of the Hessian of max_D V in the degenerator"),
        "control_criterion_eigenvalue": ("direction", away, "the same where p_d is not uniform (control)"),
    }
    variables = {
        name: io.variable((dim,), np.linalg.eigvalsh(matrix), text, "nat", PAPER)
        for name, (dim, matrix, text) in spectra.items()
    }
    variables |= {
        name: io.variable((), np.linalg.norm(slope), text, "nat", PAPER) for name, (slope, text) in slopes.items()
    }
    variables |= {name: io.variable((), value, *about) for name, (value, *about) in numbers.items()}
    coords = {
        "game_direction": io.variable(("game_direction",), np.arange(len(whole)), "eigenvector of the Hessian of V"),
        "direction": io.variable(("direction",), np.arange(COEFFICIENTS), "eigenvector of the Hessian of max_D V"),
    }
    return xr.Dataset(variables, coords, {"title": "Theorem 1: the optimum of a small game"})
