"""Averages of the erf perceptron's learning force over Gaussian pre-activations, in closed form.

The force is F(x, tau) = (erf x - tau) g(x) with g(x) = (2/sqrt(pi)) exp(-x^2), the derivative of the loss
(erf x - tau)^2 / 2; all averages are over x ~ N(m, v). A factor exp(-n x^2) tilts that Gaussian to
N(m/(1+2nv), v/(1+2nv)), and averages of powers of erf = 2 Phi(sqrt2 x) - 1 are normal distribution functions.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import erf, owens_t

Array = np.ndarray
Value = float | Array

# <F^2> needs Owen's T(h, a) with 1/sqrt2 < a < 1. With T(h, 1) known in closed form, what is left is an integral over
# less than 0.17 radians, which five Gauss-Legendre nodes give to 1e-14, several times faster than a general Owen's T.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_HERMITE_NODES, _HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(16)
_HERMITE_WEIGHTS = _HERMITE_WEIGHTS / np.sqrt(2 * np.pi)


def mean_g(m: Value, v: Value) -> Value:
    """<g> = 2/sqrt(pi(1+2v)) exp(-m^2/(1+2v))."""
    return 2 / np.sqrt(np.pi * (1 + 2 * v)) * np.exp(-(m**2) / (1 + 2 * v))


def mean_erf(m: Value, v: Value) -> Value:
    """<erf> = erf(m/sqrt(1+2v))."""
    return erf(m / np.sqrt(1 + 2 * v))


def mean_g_erf(m: Value, v: Value) -> Value:
    """<g erf> = <g> erf(m/sqrt((1+2v)(1+4v)))."""
    return mean_g(m, v) * erf(m / np.sqrt((1 + 2 * v) * (1 + 4 * v)))


def mean_erf2(m: Value, v: Value) -> Value:
    """<erf^2> = 1 - 8 T(sqrt2 m/sqrt(1+2v), 1/sqrt(1+4v)) with Owen's T."""
    return 1 - 8 * owens_t(np.sqrt(2) * m / np.sqrt(1 + 2 * v), 1 / np.sqrt(1 + 4 * v))


def mean_g2(m: Value, v: Value) -> Value:
    """<g^2> = 4/(pi sqrt(1+4v)) exp(-2m^2/(1+4v))."""
    return 4 / (np.pi * np.sqrt(1 + 4 * v)) * np.exp(-2 * m**2 / (1 + 4 * v))


def mean_loss(m: Value, v: Value, tau: Value) -> Value:
    """l_tau = <(erf - tau)^2>/2; its derivative in m is the mean force."""
    return (mean_erf2(m, v) - 2 * tau * mean_erf(m, v) + 1) / 2


@dataclass(frozen=True)
class Force:
    """Moments of the force F(x, tau), x ~ N(m, v), with all that depends on v alone computed once.

    Build it with ``Force.of``. All methods take m of the shape of v and return arrays of that shape, except that
    ``tau`` may have length one along any axis (or be a number). Units: all dimensionless.

    The second moment is <F^2> = <g^2> [2 - 2 tau erf k - 8 T(sqrt2 k, a)], k = m/sqrt((1+4v)(1+6v)),
    a = sqrt((1+4v)/(1+8v)). Since 8 T(sqrt2 k, 1) = 1 - erf(k)^2, it is the sum of positive terms
    <g^2> [(erf k - tau)^2 + (4/pi) int_a^1 exp(-k^2 (1+x^2))/(1+x^2) dx], free of cancellation.
    """

    v: Array
    tau: Array
    g_scale: Array
    g_decay: Array
    g_slope: Array
    g2_scale: Array
    g2_decay: Array
    g2_slope: Array
    owen: Array
    tail_scale: Array
    tail_decay: Array

    @classmethod
    def of(cls, v: Value, tau: Value) -> "Force":
        """Precompute the constants for variances v (any shape) and labels tau, +1 or -1."""
        v = np.asarray(v, dtype=float)
        owen = np.sqrt((1 + 4 * v) / (1 + 8 * v))
        lowest, highest = np.arctan(owen), np.pi / 4  # x = tan(angle) in the integral above
        axes = (slice(None),) + (None,) * v.ndim
        angles = (highest + lowest) / 2 + (highest - lowest) / 2 * _NODES[axes]
        g2_scale = 4 / (np.pi * np.sqrt(1 + 4 * v))
        g2_decay = 2 / (1 + 4 * v)
        g2_slope = 1 / np.sqrt((1 + 4 * v) * (1 + 6 * v))
        return cls(
            v=v,
            tau=np.asarray(tau, dtype=float),
            g_scale=2 / np.sqrt(np.pi * (1 + 2 * v)),
            g_decay=1 / (1 + 2 * v),
            g_slope=1 / np.sqrt((1 + 2 * v) * (1 + 4 * v)),
            g2_scale=g2_scale,
            g2_decay=g2_decay,
            g2_slope=g2_slope,
            owen=owen,
            tail_scale=2 / np.pi * (highest - lowest),
            tail_decay=(g2_slope / np.cos(angles)) ** 2,
        )

    def take(self, index: Array) -> "Force":
        """The points ``index`` of the last axis."""
        taken = {f.name: np.take(getattr(self, f.name), index, axis=-1) for f in fields(self) if f.name != "tau"}
        return Force(tau=self.tau, **taken)

    def mean(self, m: Array, m2: Array | None = None) -> Array:
        """A_tau = <F> = <g> [erf(m/sqrt((1+2v)(1+4v))) - tau]; m2 is m^2, where it is known already."""
        # in place: the memory traffic costs more than the arithmetic
        mean = np.multiply(-m * m if m2 is None else -m2, self.g_decay)
        np.exp(mean, out=mean)
        mean *= self.g_scale
        mean *= self._distance(m, self.g_slope)
        return mean

    def mean_slope(self, m: Array) -> Array:
        """Derivative dA_tau/dm."""
        k = m * self.g_slope
        g = self.g_scale * np.exp(-(m * m) * self.g_decay)
        return g * (2 / np.sqrt(np.pi) * self.g_slope * np.exp(-(k**2)) - 2 * m * self.g_decay * (erf(k) - self.tau))

    def mean_square(self, m: Array, m2: Array | None = None) -> Array:
        """V_tau = <F^2>; m2 is m^2, where it is known already."""
        minus_m2 = -m * m if m2 is None else -m2
        square = self._distance(m, self.g2_slope)
        square *= square
        tail = minus_m2 * self.tail_decay
        np.exp(tail, out=tail)
        tail = (_WEIGHTS @ tail.reshape(_WEIGHTS.size, -1)).reshape(square.shape)
        tail *= self.tail_scale
        square += tail
        minus_m2 *= self.g2_decay
        np.exp(minus_m2, out=minus_m2)
        minus_m2 *= self.g2_scale
        square *= minus_m2
        return square

    def _distance(self, m: Array, slope: Array) -> Array:
        """Erf of slope m, minus tau."""
        k = np.asarray(m * slope)
        erf(k, out=k)
        k -= self.tau
        return k

    def mean_square_slope(self, m: Array) -> Array:
        """Derivative dV_tau/dm, from dT(h, a)/dh = -exp(-h^2/2) erf(a h/sqrt2)/(2 sqrt(2 pi))."""
        k = m * self.g2_slope
        g2 = self.g2_scale * np.exp(-(m * m) * self.g2_decay)
        inner = 4 / np.sqrt(np.pi) * self.g2_slope * np.exp(-(k**2)) * (erf(self.owen * k) - self.tau)
        return g2 * inner - 2 * m * self.g2_decay * self.mean_square(m)

    def moment(self, m: Array, n: int) -> Array:
        """<F^n>, n >= 3, by Gauss-Hermite quadrature of (erf x - tau)^n in the tilted Gaussian.

        The tilted variance is below 1/(2n), so erf is smooth on its scale: 16 nodes leave an error below 1e-9.
        """
        narrowing = 1 + 2 * n * self.v
        centre, width = m / narrowing, np.sqrt(self.v / narrowing)
        average = np.zeros(np.broadcast_shapes(centre.shape, self.tau.shape))
        for node, weight in zip(_HERMITE_NODES, _HERMITE_WEIGHTS, strict=True):
            distance = erf(centre + width * node) - self.tau
            power = distance.copy()
            for _ in range(n - 1):  # numpy's general power is several times slower
                power *= distance
            average += weight * power
        return (2 / np.sqrt(np.pi)) ** n / np.sqrt(narrowing) * np.exp(-n * m * m / narrowing) * average
