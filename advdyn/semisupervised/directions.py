"""Directions in which a classifier is perturbed: virtual adversarial, of the pseudo-label, of the label, random.

All act on many networks at once (a leading dimension ``run``), each example for itself.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

MIYATO = "Miyato et al., arXiv:1704.03976"
Logits = Callable[[Tensor], Tensor]


def unit(g: Tensor) -> Tensor:
    """``g`` (..., input) over its l2 norm; 0 where it is 0.

    It is divided by its largest component first: the squares of gradients of a saturated network leave the range of
    float32, and r would silently be shorter than eps.
    """
    largest = g.abs().amax(-1, keepdim=True)
    g = g / torch.where(largest > 0, largest, 1.0)
    norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
    return g / torch.where(norm > 0, norm, 1.0)


def divergence(log_p: Tensor, logits: Tensor) -> Tensor:
    """KL(p || q) in nats of each example, (...,), from log p (..., class) and the logits (..., class) of q."""
    return (log_p.exp() * (log_p - functional.log_softmax(logits, -1))).sum(-1)


def virtual(logits: Logits, x: Tensor, d: Tensor, *, xi: float, iterations: int, log_p: Tensor | None = None) -> Tensor:
    """Virtual adversarial direction: the leading eigenvector of the Hessian of KL(p(.|x) || p(.|x + v)) at v = 0.

    K power iterations, each from one gradient at v = xi d (Miyato et al., arXiv:1704.03976, eq. 12; 1507.00677).

    Parameters
    ----------
    logits
        The networks: (run, example, input) to (run, example, class). Their weights should not require gradients.
    x, d : shape (run, example, input)
        Examples and the directions to start from, of any length but 0.
    xi
        In units of x; too small a one leaves rounding errors only.
    iterations
        K.
    log_p : shape (run, example, class)
        log p(.|x), if it is known already.

    Returns
    -------
    shape (run, example, input)
        Of unit length; its sign is left as it comes. Where the gradient is exactly 0, the direction it started from.
    """
    if log_p is None:
        with torch.no_grad():
            log_p = functional.log_softmax(logits(x), -1)
    p, d = log_p.exp(), unit(d)
    top = p.argmax(-1, keepdim=True)
    for _ in range(iterations):
        v = (xi * d).requires_grad_()
        z = logits(x + v)
        # The gradient of KL with respect to the logits of q, each example its own (no mean over them).
        (g,) = torch.autograd.grad(z, v, _balanced(z.detach().softmax(-1) - p, top))
        d = torch.where((g == 0).all(-1, keepdim=True), d, unit(g))
    return d


def _balanced(e: Tensor, at: Tensor) -> Tensor:
    """``e`` (..., class), whose sum is 0, with the component ``at`` (..., 1) from that sum.

    Where p is near 1, q - p is of the order of its rounding; those of the other classes are exact.
    """
    e = e.scatter(-1, at, 0.0)
    return e.scatter(-1, at, -e.sum(-1, keepdim=True))


def label(logits: Logits, x: Tensor, y: Tensor) -> Tensor:
    """Direction in which -log p(y | x) rises fastest (l2; fast gradient method), (run, example, input), of length 1.

    ``y`` is (run, example). Where the gradient is 0, so is the direction.
    """
    v = x.detach().clone().requires_grad_()
    z = logits(v)
    # The gradient p - e_y of -log p(y|x) with respect to the logits, each example its own.
    (g,) = torch.autograd.grad(z, v, _balanced(z.detach().softmax(-1), y[..., None]))
    return unit(g)


def pseudo_label(logits: Logits, x: Tensor) -> Tensor:
    """``label`` with the class that the network itself gives (the slide's y-hat), (run, example, input)."""
    with torch.no_grad():
        y = logits(x).argmax(-1)
    return label(logits, x, y)


def converged(logits: Logits, x: Tensor) -> tuple[Tensor, Tensor]:
    """The limit of ``virtual`` for many iterations and small xi, without either.

    The Hessian is J'(diag p - pp')J with J the gradients of the logits (class, input), so that of rank class - 1; its
    eigenvectors come from a matrix of the size of the classes.

    Parameters
    ----------
    logits
        The networks, as in ``virtual``; each example must be evaluated for itself.
    x : shape (run, example, input)

    Returns
    -------
    direction : shape (run, example, input)
        Unit eigenvector of the largest eigenvalue.
    eigenvalues : shape (run, example, class)
        Of the Hessian, decreasing (those that are not 0 by rank).
    """
    v = x.detach().clone().requires_grad_()
    z = logits(v)
    p = z.detach().softmax(-1)
    classes = z.shape[-1]
    rows = [torch.autograd.grad(z[..., c].sum(), v, retain_graph=c < classes - 1)[0] for c in range(classes)]
    # The Hessian is B'B with the rows sqrt(p_c) (J_c - sum_k p_k J_k).
    j = torch.stack(rows, -2)
    b = p.sqrt()[..., None] * (j - (p[..., None] * j).sum(-2, keepdim=True))
    values, vectors = torch.linalg.eigh(b @ b.transpose(-1, -2))
    direction = unit((vectors[..., -1:].transpose(-1, -2) @ b)[..., 0, :])
    return direction, values.flip(-1).clamp(min=0)
