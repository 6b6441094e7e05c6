"""Adversarially trained logistic regression, all lanes to their optimum in one batch.

For a linear model the worst perturbation in the ball |delta|_inf <= eps is known: it lowers every
margin by eps |w|_1 (Goodfellow, Shlens and Szegedy, 1412.6572). Adversarial training is therefore the
convex problem, one for each lane (l2, eps),

    min_{w,b}  f(w,b) = (1/n) sum_mu softplus(eps |w|_1 - tau_mu (w.x_mu + b)) + (l2/2) |w|^2 .

Method: projected Newton (Bertsekas, SIAM J. Control Optim. 20, 221, 1982) on w = w+ - w-, w+- >= 0, with
Newton's equation solved by conjugate gradients. In each orthant f is smooth; only the components that
are free to move enter (few where eps > 0: the optimum is sparse); the free set settles after some tens
of iterations, and convergence is then superlinear. Chosen by measurement on 16 lanes (l2 1e-4 to 1e-1,
eps 0 to 0.2; CPU seconds on one core, residual 1e-9) with 700 and with 12,396 images: 0.8 and 15; with
Hessians formed and factored 1.5 and 22; scipy's L-BFGS-B, lane by lane, 0.8 and 23 at a residual of 6e-9,
so on few images the batch is worth its accuracy and its device, not time (`benchmarks/linear.py`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from advdyn.logs import Progress, log

ARMIJO = 1e-4  # share of the predicted decrease that a step must give
BACKTRACKS = 40  # halvings of a step before a lane counts as stuck at its rounding floor


@dataclass(frozen=True)
class Solution:
    """What ``minimise`` found, lane by lane (numpy arrays, leading axis: lanes).

    Attributes
    ----------
    weight : (lanes, d)
    bias : (lanes,)
    objective : (lanes,)
        f at the solution.
    residual : (lanes,)
        KKT residual, see ``kkt``.
    converged : (lanes,) bool
        Residual at most the tolerance, and a minimum exists (``bounded``).
    bounded : (lanes,) bool
        False where l2 = 0 and the data are separable with an l_inf margin above eps: every attacked margin
        is positive, so f falls to 0 along the ray of growing weights and no minimum exists.
    iterations : (lanes,) int
    """

    weight: np.ndarray
    bias: np.ndarray
    objective: np.ndarray
    residual: np.ndarray
    converged: np.ndarray
    bounded: np.ndarray
    iterations: np.ndarray


def check(x: np.ndarray, tau: np.ndarray, l2: np.ndarray, eps: np.ndarray) -> None:
    """Refuse what has no minimum or no meaning.

    Raises
    ------
    ValueError
        For samples that are not finite, labels other than +-1, one class only, a negative or non-finite l2 or eps,
        and l2 = 0 with eps = 0 (no finite minimum on separable data).
    """
    if x.ndim != 2 or tau.shape != (len(x),) or not np.isfinite(x).all():
        raise ValueError("samples must be finite, of shape (n, d), with one label each")
    if not np.isin(tau, (-1, 1)).all():
        raise ValueError("labels must be +1 or -1")
    if len(np.unique(tau)) < 2:
        raise ValueError("the training data hold one class only; both are needed (the bias would run away)")
    for name, values in (("l2", l2), ("eps_train", eps)):
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(
                f"{name} must be finite and >= 0, not {values[~(values >= 0)].tolist() or values.tolist()}"
            )
    if ((l2 == 0) & (eps == 0)).any():
        raise ValueError(
            "l2 = 0 with eps_train = 0 has no minimum on separable data (the weights grow without bound); "
            "give l2 > 0, or eps_train > 0"
        )


def kkt(weight: torch.Tensor, gradient: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """The projected gradient in w for w = w+ - w-, zero exactly at the optimum, (lanes, d).

    Parameters
    ----------
    weight, gradient
        w and the gradient of f without the term eps |w|_1, (lanes, d).
    slope
        eps * mean(sigmoid), the derivative of f with respect to |w|_1, (lanes, 1).

    Returns
    -------
    The minimum-norm subgradient of f: where w != 0 the derivative in its orthant, where w = 0 the part of
    the gradient that the slope does not hold back.
    """
    held = gradient.sign() * (gradient.abs() - slope).clamp_min(0)
    return torch.where(weight != 0, gradient + slope * weight.sign(), held)


@dataclass  # not frozen: a step replaces w and b of large batches
class _Lanes:
    """State of the lanes still running: parameters, the lanes' numbers, value and derivatives."""

    lane: torch.Tensor
    l2: torch.Tensor
    eps: torch.Tensor
    w: torch.Tensor
    b: torch.Tensor

    def keep(self, mask: torch.Tensor) -> "_Lanes":
        return _Lanes(self.lane[mask], self.l2[mask], self.eps[mask], self.w[mask], self.b[mask])


def _exponent(y: torch.Tensor, tau: torch.Tensor, w: torch.Tensor, b: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """eps |w|_1 - tau (w.x + b), (lanes, n); its sign says which samples the attack gets wrong."""
    return eps[:, None] * w.abs().sum(1, keepdim=True) - w @ y - b[:, None] * tau


def _value(exponent: torch.Tensor, w: torch.Tensor, l2: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.softplus(exponent, threshold=40).mean(1) + 0.5 * l2 * (w * w).sum(1)


def _newton(
    y: torch.Tensor,
    curvature: torch.Tensor,
    free: torch.Tensor,
    orthant: torch.Tensor,
    run: _Lanes,
    gradient: torch.Tensor,
    gradient_b: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Newton's direction on each lane's free components and the bias, (lanes, d) and (lanes,).

    With z = eps s - tau x (s the orthant's signs) and D = sigmoid (1 - sigmoid), the Hessian is
    <D z z^T> + l2. It is never formed: conjugate gradients, preconditioned by its diagonal, need two products
    with the data for all lanes at once, and stop at a relative residual min(0.1, sqrt|g|), which keeps the
    outer iteration superlinear (Dembo, Eisenstat and Steihaug 1982). ``y`` holds tau x and, last, tau.
    """
    n = curvature.shape[1]
    none = torch.zeros_like(gradient_b)[:, None]  # the bias has no penalty and no orthant
    mask = torch.cat([free.to(gradient.dtype), none + 1], 1)
    s = torch.cat([orthant * free, none], 1) * run.eps[:, None]
    weighted = curvature / n
    # where l2 = 0 the curvature can vanish on a subspace; a share of the gradient's size bounds the step there
    # and goes away at the optimum
    damping = 1e-3 * gradient.abs().amax(1).clamp_max(1) * (run.l2 == 0)
    ridge = torch.cat([(run.l2 + damping)[:, None].expand_as(gradient), none], 1)
    diagonal = weighted @ (y * y).T - 2 * s * (weighted @ y.T) + s * s * weighted.sum(1, keepdim=True) + ridge
    diagonal = diagonal.clamp_min(torch.finfo(y.dtype).tiny ** 0.5)
    r = -torch.cat([gradient, gradient_b[:, None]], 1) * mask
    found = torch.zeros_like(r)
    size = r.norm(dim=1)
    enough = size * size.sqrt().clamp_max(0.1)
    lane = torch.arange(len(r), device=r.device)
    x, z = torch.zeros_like(r), r / diagonal
    p, rz = z.clone(), (r * z).sum(1)
    for _ in range(2 * mask.shape[1]):
        q = (s * p).sum(1, keepdim=True) - p @ y
        q *= weighted
        product = mask * (s * q.sum(1, keepdim=True) - q @ y.T + ridge * p)
        bend = (p * product).sum(1)
        flat = ~(bend > 0)  # no curvature left to rounding: keep the descent direction found so far
        length = torch.where(flat, 0.0, rz / bend)
        x = torch.where((flat & (x == 0).all(1))[:, None], p, x + length[:, None] * p)
        r = r - length[:, None] * product
        ready = flat | (r.norm(dim=1) <= enough)
        if bool(ready.any()):
            found[lane[ready]] = x[ready]
            left = ~ready
            if not bool(left.any()):
                break
            lane, x, r, p, rz, s, weighted, mask, ridge, diagonal, enough = (
                v[left] for v in (lane, x, r, p, rz, s, weighted, mask, ridge, diagonal, enough)
            )
        z = r / diagonal
        new = (r * z).sum(1)
        p = z + (new / rz)[:, None] * p
        rz = new
    else:
        found[lane] = x
    return found[:, :-1], found[:, -1]


def minimise(
    x: np.ndarray,
    tau: np.ndarray,
    l2: npt.ArrayLike,
    eps: npt.ArrayLike,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 500,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Solution:
    """Minimise f for every lane (l2[k], eps[k]) at once, from w = b = 0.

    A lane stops when the largest component of its projected gradient is at most ``tolerance``, when its
    line search finds no decrease any more (the rounding floor of ``dtype``), when it proves to be
    unbounded, or after ``max_iterations``; it then leaves the batch. The other lanes in the batch change
    a lane's result by rounding only: with l2 > 0, |w - w*|_2 <= residual_2 / l2.

    Parameters
    ----------
    x : (n, d)
        Samples.
    tau : (n,)
        Labels, +1 or -1.
    l2, eps : (lanes,) or scalar
        Weight penalty and size of the training attack in the units of x; both >= 0.
    tolerance
        Bound on the KKT residual, in units of the loss per unit of weight (1e-9 suits float64, 1e-5 float32).

    Raises
    ------
    ValueError
        See ``check``; also when ``tolerance`` is not positive.
    """
    l2, eps = np.broadcast_arrays(np.atleast_1d(np.asarray(l2, float)), np.asarray(eps, float))
    check(x, tau, l2, eps)
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0, not {tolerance}")
    n, d_all = x.shape
    # a pixel that is 0 in every image (a quarter of them: the border) has weight 0 at the optimum
    used = np.flatnonzero((x != 0).any(0))
    d = len(used)
    columns = np.concatenate([(x[:, used] * tau[:, None]).T, tau[None, :]])
    y_all = torch.as_tensor(columns, device=device, dtype=dtype).contiguous()  # tau x and, last, tau
    y, t = y_all[:d], y_all[d]
    lanes = len(l2)
    run = _Lanes(
        torch.arange(lanes, device=device),
        torch.as_tensor(l2, device=device, dtype=dtype),
        torch.as_tensor(eps, device=device, dtype=dtype),
        torch.zeros(lanes, d, device=device, dtype=dtype),
        torch.zeros(lanes, device=device, dtype=dtype),
    )
    weight = np.zeros((lanes, d_all))
    bias, objective, residual = np.zeros(lanes), np.zeros(lanes), np.full(lanes, np.inf)
    converged, bounded = np.zeros(lanes, bool), np.ones(lanes, bool)
    iterations = np.zeros(lanes, int)
    stuck = torch.zeros(lanes, dtype=torch.bool, device=device)
    progress = Progress(len(bias), "lanes")
    for iteration in range(max_iterations + 1):
        exponent = _exponent(y, t, run.w, run.b, run.eps)
        value = _value(exponent, run.w, run.l2)
        sigma = torch.sigmoid(exponent)
        slope = run.eps[:, None] * sigma.mean(1, keepdim=True)
        smooth = run.l2[:, None] * run.w - sigma @ y.T / n
        gradient_b = -(sigma @ t) / n
        projected = kkt(run.w, smooth, slope)
        worst = torch.maximum(projected.abs().amax(1) if d else gradient_b.abs(), gradient_b.abs())
        # all attacked margins positive and no penalty: scaling (w, b) up lowers f for ever
        unbounded = (run.l2 == 0) & (exponent.amax(1) < 0)
        done = (worst <= tolerance) | unbounded | stuck
        if iteration == max_iterations:
            done[:] = True
        if bool(done.any()):
            number = run.lane[done].cpu().numpy()
            weight[np.ix_(number, used)] = run.w[done].cpu().numpy()
            bias[number] = run.b[done].cpu().numpy()
            objective[number] = value[done].cpu().numpy()
            residual[number] = worst[done].cpu().numpy()
            bounded[number] = ~unbounded[done].cpu().numpy()
            converged[number] = (residual[number] <= tolerance) & bounded[number]
            iterations[number] = iteration
            going = ~done
            if not bool(going.any()):
                break
            run = run.keep(going)
            value, projected, gradient_b, sigma, smooth, slope, worst = (
                v[going] for v in (value, projected, gradient_b, sigma, smooth, slope, worst)
            )
        log.debug("iteration %d: %d lanes left, largest residual %.2e", iteration, len(run.lane), float(worst.max()))
        progress(len(bias) - len(run.lane))
        # the orthant to search: that of w, and where w = 0 the one that the gradient points into
        orthant = torch.where(run.w != 0, run.w.sign(), -projected.sign())
        # components at, or nearly at, their bound that the gradient pushes against it are held (the margin keeps
        # the free set from zigzagging: Bertsekas 1982); a lane without attack has no bounds
        inside = orthant * projected  # derivative along the component's own direction
        near = torch.minimum(worst, torch.full_like(worst, 1e-3))[:, None]
        bounds = (run.eps > 0)[:, None]
        held = bounds & ((run.w == 0) & (projected == 0) | (run.w.abs() <= near) & (inside > 0))
        free = ~held
        direction, direction_b = _newton(y_all, sigma * (1 - sigma), free, orthant, run, projected, gradient_b)
        # held components that are not yet at 0 fall to it
        falling = held & (run.w != 0)
        direction = torch.where(falling, -run.w, direction)
        stuck = _search(y, t, run, value, direction, direction_b, orthant, bounds, projected, gradient_b)
    return Solution(weight, bias, objective, residual, converged, bounded, iterations)


def _search(
    y: torch.Tensor,
    tau: torch.Tensor,
    run: _Lanes,
    value: torch.Tensor,
    direction: torch.Tensor,
    direction_b: torch.Tensor,
    orthant: torch.Tensor,
    bounds: torch.Tensor,
    projected: torch.Tensor,
    gradient_b: torch.Tensor,
) -> torch.Tensor:
    """Move every lane along its projected direction, halving until f falls enough; True where nothing did."""
    t = torch.ones_like(value)
    waiting = torch.ones_like(value, dtype=torch.bool)
    slack = 4 * torch.finfo(value.dtype).eps * value.abs()
    w, b = run.w.clone(), run.b.clone()
    for _ in range(BACKTRACKS):
        k = waiting.nonzero().squeeze(1)
        trial = run.w[k] + t[k, None] * direction[k]
        trial = torch.where(bounds[k] & (trial * orthant[k] < 0), 0.0, trial)
        trial_b = run.b[k] + t[k] * direction_b[k]
        new = _value(_exponent(y, tau, trial, trial_b, run.eps[k]), trial, run.l2[k])
        predicted = (projected[k] * (trial - run.w[k])).sum(1) + gradient_b[k] * (trial_b - run.b[k])
        good = new <= value[k] + ARMIJO * predicted.clamp_max(0) + slack[k]
        w[k[good]], b[k[good]] = trial[good], trial_b[good]
        waiting[k[good]] = False
        if not bool(waiting.any()):
            break
        t[waiting] /= 2
    still = (w == run.w).all(1) & (b == run.b)
    run.w, run.b = w, b
    return waiting | still
