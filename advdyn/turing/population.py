"""The residual of adversarial training beside the growth of a population: Bernoulli's and the logistic equation.

psi = |z - y|^2 of a network with an adversary obeys dpsi/dt <= r sqrt(psi) (1 - sqrt(psi)/K), with r = lambda_1 mu and
K = kappa mu, so that r/K = lambda_0; the equality is a Bernoulli equation. The logistic equation, which the paper sets
beside it, is dP/dt = r P (1 - P/K). They differ:

* psi tends to K^2, P to K;
* psi relaxes at the rate r/(2K) = lambda_0/2, P at r;
* from 0 the logistic population stays at 0, an unstable fixed point; sqrt(psi) is not Lipschitz at 0, so that from
  psi(0) = 0 both psi = 0 and psi = K^2 (1 - exp(-r t/(2K)))^2 solve the equation. ``bernoulli`` returns the latter,
  which is the one that bounds a residual.

Without an adversary mu = 0, and r and K vanish at a fixed ratio r/K. What then remains is dpsi/dt = -(r/K) psi and
dP/dt = -(r/K) P^2, which all functions here give when they are told the ratio as ``rate``.

References
----------
L. Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning: the analogy.
P.-F. Verhulst, 1838: the logistic equation.
"""

import numpy as np
import numpy.typing as npt

Value = float | npt.NDArray[np.float64]


def bernoulli(t: Value, r: Value, k: Value, psi0: Value, rate: Value | None = None) -> Value:
    """psi(t) = [K - (K - psi0^(1/2)) exp(-r t/(2K))]^2, which solves dpsi/dt = r psi^(1/2) (1 - psi^(1/2)/K).

    Parameters
    ----------
    t
        Times, >= 0, in units of eta x steps.
    r, k
        Rate r and capacity K, >= 0.
    psi0
        Value at t = 0, >= 0.
    rate
        r/K; needed where both are 0.

    Returns
    -------
    psi(t); all arguments broadcast.
    """
    ratio = _ratio(r, k, rate)
    return (k - (k - np.sqrt(psi0)) * np.exp(-ratio * t / 2)) ** 2


def bernoulli_slope(psi: Value, r: Value, k: Value, rate: Value | None = None) -> Value:
    """dpsi/dt = r psi^(1/2) - (r/K) psi; arguments as of ``bernoulli``, and psi below 0 counts as 0."""
    psi = np.maximum(psi, 0.0)
    return r * np.sqrt(psi) - _ratio(r, k, rate) * psi


def logistic(t: Value, r: Value, k: Value, p0: Value, rate: Value | None = None) -> Value:
    """P(t) = K/(1 + ((K - P0)/P0) exp(-r t)), which solves dP/dt = r P (1 - P/K).

    It is evaluated as P0/(exp(-r t) + P0 (r/K) (1 - exp(-r t))/r), which holds for P0 = 0 and for r = 0 too.

    Parameters
    ----------
    t
        Times, >= 0, in units of eta x steps.
    r, k
        Rate r and capacity K, >= 0.
    p0
        Value at t = 0, >= 0.
    rate
        r/K; needed where both are 0.

    Returns
    -------
    P(t); all arguments broadcast.
    """
    r = np.asarray(r, dtype=float)
    safe = np.where(r > 0, r, 1.0)
    grown = np.where(r > 0, -np.expm1(-r * t) / safe, t)
    return p0 / (np.exp(-r * t) + p0 * _ratio(r, k, rate) * grown)


def logistic_slope(p: Value, r: Value, k: Value, rate: Value | None = None) -> Value:
    """dP/dt = r P - (r/K) P^2; arguments as of ``logistic``."""
    return r * p - _ratio(r, k, rate) * np.square(p)


def _ratio(r: Value, k: Value, rate: Value | None) -> Value:
    """r/K as given, or computed."""
    return np.divide(r, k) if rate is None else rate
