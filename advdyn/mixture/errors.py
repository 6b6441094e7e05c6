"""Errors of linear rules on the Gaussian mixture: test error, adversarial error, and the rule that minimises it.

All functions broadcast their arguments. Symbols: a linear rule w.xi > b with overlap R = w.B, |w| = 1, attacked by
-tau eps w.
"""

import numpy as np
from scipy.special import ndtr

from advdyn.mixture.closed_forms import Array, Value


def adversarial_error(R: Value, b: Value, eps: Value, prior: Value, rho: Value, v1: Value, v2: Value) -> Array:
    """Fraction misclassified under attacks of size eps.

    S(R, b, eps) = p Phi((eps + b - rho R/2)/sqrt v1) + (1-p) Phi((eps - b - rho R/2)/sqrt v2)
    (Straat, modelling adversarial training: evaluation measures).
    """
    margin = np.asarray(rho) * R / 2 - eps
    return prior * ndtr((b - margin) / np.sqrt(v1)) + (1 - np.asarray(prior)) * ndtr((-b - margin) / np.sqrt(v2))


def test_error(R: Value, b: Value, prior: Value, rho: Value, v1: Value, v2: Value) -> Array:
    """Fraction misclassified without attack, E(R, b) = S(R, b, 0)."""
    return adversarial_error(R, b, 0.0, prior, rho, v1, v2)


def best_linear_rule(eps: Value, prior: Value, rho: Value, v1: Value, v2: Value) -> tuple[Array, Array]:
    """Bias and error of the linear rule with the least adversarial error S(R, b, eps).

    S falls with R, so R = 1. Over b the density of the margins balances at the roots of
    (m-b)^2/v1 - (m+b)^2/v2 = 2 ln(p sqrt v2/((1-p) sqrt v1)), m = rho/2 - eps; the least S is at one of them or, when
    the attack is so strong or the prior so uneven that one class is best given up, at b = -inf or +inf.
    For v1 = v2 and m > 0: b = (v/2m) ln((1-p)/p), which is the Bayes rule (Dobriban et al., arXiv:2006.05161); for
    v1 != v2 it is the best among linear rules only.

    Returns
    -------
    bias, error
        Of the broadcast shape; the bias may be infinite, and is 0 where 0 is as good as any other.
    """
    eps, prior, rho, v1, v2 = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (eps, prior, rho, v1, v2)))
    m = rho / 2 - eps
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # a b^2 + 2 beta b + c = 0; the form of the roots that is stable as a = 1/v1 - 1/v2 -> 0
        a, beta = 1 / v1 - 1 / v2, -m * (1 / v1 + 1 / v2)
        c = m**2 * a - 2 * np.log(prior / (1 - prior)) - np.log(v2 / v1)
        q = -(beta + np.copysign(np.sqrt(beta**2 - a * c), beta))
        candidates = np.stack([np.zeros_like(m), c / q, q / a, np.full_like(m, -np.inf), np.full_like(m, np.inf)])
        error = adversarial_error(1.0, candidates, eps, prior, rho, v1, v2)
    best = np.argmin(np.where(np.isnan(error), np.inf, error), axis=0)[None]
    return np.take_along_axis(candidates, best, 0)[0], np.take_along_axis(error, best, 0)[0]
