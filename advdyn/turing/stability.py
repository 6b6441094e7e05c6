"""Linear stability of the flow of network and critic: can an adversary make a stable state unstable?

A Turing instability is one of a state that each part alone would return to. Here the parts are the network, whose
outputs follow dz/dt = -H xi with xi = (z - y) - q, and the critic with parameters theta = (W, a). Three spectra:

* the network alone, q held: -H;
* the critic alone, z held: -rate M, with M the Hessian of its loss, which has no negative eigenvalue where the critic
  is at a minimum of its loss;
* both together, H held at its value at the end of the run.

For critics that are linear between kinks, and the paper's sign, the matrix of both together becomes
[[-H, B], [-B^T, -rate M]] when z is measured in units of H^(1/2) and theta in its own: its symmetric part has the
spectra of the two alone. So no real part exceeds the larger of theirs, at every smooth point of the flow, in
equilibrium or not: coupling cannot destabilise (turing.md, P4, is the case M >= 0). With the poster's sign B^T has the
other sign, the matrix is symmetric, and the coupling can only destabilise.

The end of a run is no exact equilibrium: eigenvalues are those of the linearised flow there. Before the critic is at a
minimum M has negative eigenvalues, since a_r and w_r enter its slope as a product.

References
----------
L. Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning: equations 48 to 55.
I. Gulrajani et al., Improved training of Wasserstein GANs, 2017: the gradient penalty.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs
from torch import Tensor

from advdyn.turing.network import Activation

Floats = npt.NDArray[np.floating[Any]]
Sign = Literal["minus", "plus"]
Product = Callable[[Floats], Floats]

RELU = Activation("relu")
LEADING = 6  # eigenvalues of a large Jacobian: twenty of a cluster cost ten times as much
SPACE = 100  # Arnoldi vectors kept
RESTARTS = 100
TOLERANCE = 1e-6  # of Arnoldi, relative to the largest eigenvalue


def activated(h: Tensor, activation: Activation) -> tuple[Tensor, Tensor]:
    """sigma(h) and sigma'(h) in a form that can be differentiated: those of training write in place."""
    if activation.leak is not None:
        slope = torch.where(h > 0, 1.0, activation.leak).to(h.dtype)
        return slope * h, slope
    if activation.name == "softplus":
        return torch.nn.functional.softplus(h), torch.sigmoid(h)
    return torch.tanh(h), 1 - torch.tanh(h) ** 2


def slopes(h: Floats, activation: Activation) -> Floats:
    """sigma'(h) of an array."""
    return activated(torch.from_numpy(h), activation)[1].numpy()


@dataclass(frozen=True)
class State:
    """Outputs z (n, d_out) of a network, and its critic's weights w (m_c, d_out) and signs a (m_c), all float64."""

    z: Tensor
    w: Tensor
    a: Tensor

    @property
    def flat(self) -> Tensor:
        """One vector: z row by row, then w, then a."""
        return torch.cat([self.z.reshape(-1), self.w.reshape(-1), self.a])

    def like(self, flat: Tensor) -> "State":
        """The state of a vector in the order of ``flat``."""
        z, w, a = torch.split(flat, [self.z.numel(), self.w.numel(), self.a.numel()])
        return State(z.reshape(self.z.shape), w.reshape(self.w.shape), a)


@dataclass(frozen=True)
class Game:
    """What network and critic descend.

    Attributes
    ----------
    y : (n, d_out)
        Targets.
    draw : (..., n, 1)
        Between 0 and 1: where the gradient penalty is taken, draw y + (1 - draw) z; a mean over several draws.
    kernel
        Product of H (n d_out square) with a vector.
    weight, sign
        Of the adversary's term in the network's loss: -weight sum g(z) for minus.
    rate
        Speed of the critic over that of the network: critic_rate x critic_steps.
    penalty, target_slope
        The critic's loss is mean g(z) - mean g(y) + penalty mean (|grad g| - target_slope)^2.
    activation
        Of the critic.
    scale
        The argument of the critic over the outputs in the network's loss: 1, or sqrt(d_out m) for critic_argument raw
        (the critic itself is always trained on outputs and targets).
    """

    y: Tensor
    draw: Tensor
    kernel: Callable[[Tensor], Tensor]
    weight: float
    sign: Sign
    rate: float
    penalty: float
    target_slope: float
    activation: Activation = RELU
    scale: float = 1.0

    def gradient(self, y: Tensor, w: Tensor, a: Tensor) -> Tensor:
        """Gradient of g(y) = a^T sigma(W y)/sqrt(m_c), (n, d_out)."""
        slope = activated(y @ w.T, self.activation)[1]
        return (slope * a) @ w / len(a) ** 0.5

    def field(self, state: State) -> Tensor:
        """The pull q of the critic on the outputs, (n, d_out), with its weight and sign."""
        signed = self.weight if self.sign == "minus" else -self.weight
        return signed * self.gradient(self.scale * state.z, state.w, state.a)

    def loss(self, z: Tensor, w: Tensor, a: Tensor) -> Tensor:
        """The critic's loss."""

        def mean(y: Tensor) -> Tensor:
            return (activated(y @ w.T, self.activation)[0] @ a).mean() / len(a) ** 0.5

        between = (self.draw * self.y + (1 - self.draw) * z).reshape(-1, z.shape[1])
        square = (self.gradient(between, w, a) ** 2).sum(1)
        # where no neuron is active the root has no derivative; the slope is 0 there whatever the parameters
        length = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
        return mean(z) - mean(self.y) + self.penalty * ((length - self.target_slope) ** 2).mean()

    def velocity(self, state: State) -> State:
        """d(z, w, a)/dt, in a form that can be differentiated in all three."""
        xi = state.z - self.y - self.field(state)
        weights = tuple(t if t.requires_grad else t.detach().requires_grad_() for t in (state.w, state.a))
        w, a = torch.autograd.grad(self.loss(state.z, *weights), weights, create_graph=True)
        return State(-self.kernel(xi.reshape(-1)).reshape(xi.shape), -self.rate * w, -self.rate * a)


@dataclass(frozen=True)
class Spectrum:
    """Leading eigenvalues of a linearised flow.

    Attributes
    ----------
    values : complex
        Largest real part first.
    scale
        Size of the largest eigenvalue. A real part below 1e-7 of it is 0 to rounding: an eigenvalue 0 that belongs to
        a Jordan block of size two comes out as the root of the rounding error.
    critic
        Largest real part of the critic alone, z held: above 0 when the critic is at no minimum of its loss.
    speed
        |d theta/dt| there: 0 at an equilibrium of the critic.
    """

    values: npt.NDArray[np.complex128]
    scale: float
    critic: float
    speed: float

    @property
    def rate(self) -> float:
        """Largest real part; NaN when no eigenvalue is known."""
        return float(self.values[0].real) if len(self.values) else np.nan


def differentiated(game: Game, state: State) -> Product:
    """Product of the Jacobian of ``game.velocity`` with a vector, by automatic differentiation.

    For any activation; of piecewise linear ones ``linearised`` is fifty times as fast.
    """
    point = state.flat.detach().requires_grad_()
    velocity = game.velocity(state.like(point)).flat
    # backward differentiation gives J^T u; it is linear in u, and its derivative along u is J
    u = torch.zeros_like(velocity, requires_grad=True)
    (transposed,) = torch.autograd.grad(velocity, point, u, create_graph=True)

    def product(vector: Floats) -> Floats:
        along = torch.as_tensor(vector, dtype=point.dtype, device=point.device)
        return torch.autograd.grad(transposed, u, along, retain_graph=True)[0].cpu().numpy()

    return product


def linearised(game: Game, state: State) -> Product:
    """Product of the Jacobian of ``game.velocity`` with a vector, in closed form.

    For a critic with a piecewise linear activation, away from its kinks. There g has no second derivative in z, its
    mixed ones in (a_r, w_r) are constants, and the argument's scale drops out.
    """
    y, draw, z, w, a = (t.cpu().numpy() for t in (game.y, game.draw, state.z, state.w, state.a))
    (n, d_out), (m, root) = z.shape, (len(a), len(a) ** -0.5)
    between = (draw * y + (1 - draw) * z).reshape(-1, d_out)
    at_z, at_y, at_between = (slopes(p @ w.T, game.activation) for p in (z, y, between))
    gradient = root * (at_between * a) @ w
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    safe = np.where(length > 0, length, 1.0)
    along = gradient / safe
    # derivatives of penalty mean (|gradient| - target)^2: along the gradient, and across it
    stiff = np.where(length > 0, 2 * game.penalty / len(between), 0.0)
    turn = stiff * (1 - game.target_slope / safe)
    mixed = root * ((at_z.T @ z - at_y.T @ y) / n + at_between.T @ (turn * gradient))
    signed = game.weight if game.sign == "minus" else -game.weight
    at_z, at_between, held = at_z * root, at_between * root, a[:, None]
    inputs, weights = z.size, w.size

    def push(slope: Floats, dw: Floats, da: Floats) -> Floats:
        return slope @ (da[:, None] * w + held * dw)

    def pull(slope: Floats, t: Floats) -> tuple[Floats, Floats]:
        u = slope.T @ t
        return held * u, (u * w).sum(1)

    def product(vector: Floats) -> Floats:
        dz = vector[:inputs].reshape(n, d_out)
        dw, da = vector[inputs : inputs + weights].reshape(m, d_out), vector[inputs + weights :]
        xi = dz - signed * push(at_z, dw, da)
        moved = push(at_between, dw, da)
        part = (along * moved).sum(1, keepdims=True) * along
        w1, a1 = pull(at_between, stiff * part + turn * (moved - part))
        w2, a2 = pull(at_z, dz / n)
        dw, da = w1 + w2 + mixed * da[:, None], a1 + a2 + (mixed * dw).sum(1)
        change = np.asarray(game.kernel(torch.from_numpy(xi.reshape(-1)).to(state.z.device)).cpu())
        return np.concatenate([-change, -game.rate * dw.reshape(-1), -game.rate * da])

    return product


def matrix(product: Product, size: int) -> Floats:
    """The square matrix of a product with vectors."""
    return np.stack([product(unit) for unit in np.eye(size)], axis=1)


def ordered(values: npt.ArrayLike) -> npt.NDArray[np.complex128]:
    """Eigenvalues, largest real part first, of a pair the one above the real axis first."""
    found = np.asarray(values, dtype=complex)
    return found[np.lexsort((-found.imag, -found.real))]


def game_spectrum(game: Game, state: State, count: int, whole: int) -> Spectrum:
    """Leading eigenvalues of network and critic together, at a state.

    Parameters
    ----------
    game, state
        The flow, and where it is linearised.
    count
        Eigenvalues wanted.
    whole
        Largest size (n d_out + m_c (d_out + 1)) at which all eigenvalues are computed; beyond, the LEADING ones by
        Arnoldi's method on products of the Jacobian with vectors.
    """
    size, inputs = len(state.flat), state.z.numel()
    speed = float(game.velocity(state).flat[inputs:].norm().detach())
    if not np.isfinite(speed):
        return Spectrum(np.empty(0, dtype=complex), np.nan, np.nan, np.nan)
    find = differentiated if game.activation.leak is None else linearised
    product = find(game, state)
    if size <= max(whole, SPACE):
        full = matrix(product, size)
        values, critic = ordered(np.linalg.eigvals(full)), full[inputs:, inputs:]
        alone = float(np.linalg.eigvalsh((critic + critic.T) / 2)[-1])
        return Spectrum(values[:count], float(np.abs(values).max()), alone, speed)
    held = find(replace(game, kernel=torch.zeros_like), state)

    def critic_alone(vector: Floats) -> Floats:
        return held(np.concatenate([np.zeros(inputs), vector]))[inputs:]

    scale = float(np.abs(_leading(product, size, 1, "LM", 1e-3)).max(initial=0))
    values = _leading(product, size, min(count, LEADING), "LR", TOLERANCE, scale)
    alone = float(_leading(critic_alone, size - inputs, 1, "LR", TOLERANCE, scale).real.max(initial=-np.inf))
    return Spectrum(values, scale, alone if np.isfinite(alone) else np.nan, speed)


def _leading(
    product: Product, size: int, count: int, which: Literal["LR", "LM"], tolerance: float, shift: float = 0.0
) -> npt.NDArray[np.complex128]:
    """Eigenvalues of largest real part or size of a matrix known by its products; those that converged.

    The errors are ``tolerance`` relative to eigenvalue + shift. Without a shift by the size of the matrix, those in a
    cluster at 0 would never converge.
    """
    shifted = LinearOperator((size, size), matvec=lambda v: product(v.reshape(-1)) + shift * v.reshape(-1), dtype=float)
    # ARPACK's own random numbers would differ from call to call
    given: Any = {"v0": np.random.Generator(np.random.SFC64(0)).standard_normal(size), "rng": np.random.default_rng(0)}
    found: npt.NDArray[Any]
    try:
        found = eigs(
            shifted, count, which=which, ncv=SPACE, tol=tolerance, maxiter=RESTARTS, return_eigenvectors=False, **given
        )
    except ArpackNoConvergence as partial:
        found = partial.eigenvalues
    return ordered(found - shift)[:count]


def network_spectrum(h: npt.ArrayLike) -> Floats:
    """Eigenvalues of the network alone at fixed q, -H, the largest first, those that are 0 to rounding left out.

    The flow of the weights u has the same ones and many zeros, as it moves in the span of the data only.

    Parameters
    ----------
    h : shape (n d_out, n d_out)
        Gram matrix, see ``advdyn.turing.gram``.
    """
    values = np.linalg.eigvalsh(np.asarray(h, dtype=float))
    return -values[values > len(values) * np.finfo(float).eps * max(values[-1], 0.0)]


def off_diagonal(slope: npt.ArrayLike, k: npt.ArrayLike, v: npt.ArrayLike) -> float:
    """Share of the interaction between different neurons in the Jacobian of the hidden layer's flow, q held.

    J_jk = (1/(d_out m)) (v_j.v_k) sum_p sigma'_jp sigma'_kp x_p x_p^T, and the share is the sum of |J_jk|_F^2 over
    j != k over that over all j, k. With |J_jk|_F^2 proportional to (v_j.v_k)^2 sum_pq s_jp s_kp s_jq s_kq K_pq^2, the
    sums over neurons are done first: cost m n^2 d_out^2/2 instead of m^2 n^2. Exact for activations that are linear
    between kinks; for others without the residual's second derivative, which is diagonal.

    Parameters
    ----------
    slope : shape (m, n)
        sigma'(u_j.x_p).
    k : shape (n, n)
        Inner products of the inputs.
    v : shape (d_out, m)
        Second layer.

    Returns
    -------
    float
        0 for neurons that do not interact, 1 - 1/m for neurons that are all alike; NaN when nothing interacts.
    """
    s, v = np.asarray(slope, dtype=float), np.asarray(v, dtype=float)
    square = np.asarray(k, dtype=float) ** 2
    whole = 0.0
    for i in range(len(v)):
        for j in range(i + 1):
            pairs = (s * (v[i] * v[j])[:, None]).T @ s
            whole += (1 if i == j else 2) * float(np.sum(square * pairs**2))
    # s_jp^2 is not s_jp for a smooth activation
    own = (s**2 * ((v**2).sum(0) ** 2)[:, None]).T @ s**2
    diagonal = float(np.sum(square * own))
    return (whole - diagonal) / whole if whole > 0 else np.nan
