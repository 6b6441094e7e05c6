"""Dynamics of the order parameters (R, b) in the limit N -> infinity, and their fluctuations of order 1/sqrt(N).

One step changes R by (1/N) r and b by (eta_b/N) F with r = eta_w F u - (eta_w^2/2) R v_tau F^2 and u = R w.xi - B.xi,
F = F(x, tau) at the attacked pre-activation x ~ N(m_tau, v_tau), m_tau = tau (rho R/2 - eps) - b. Given tau, u is
independent of x, with mean -tau (rho/2)(1-R^2) and variance v_tau (1-R^2). The term in eta_w^2 comes from the
normalisation of w. Order ``exact`` keeps it; order ``first`` drops it, which is the Riemannian gradient flow of the
mean loss (and the form in which Straat's slides state the equations).
"""

from dataclasses import dataclass, fields

import numpy as np

from advdyn.mixture.closed_forms import Array, Force

ORDERS = ("exact", "first")


@dataclass(frozen=True)
class Points:
    """Parameters of independent systems, each of shape (points,): dimensionless, as in the model's equations."""

    prior: Array
    rho: Array
    v1: Array
    v2: Array
    eta_w: Array
    eta_b: Array
    eps_train: Array

    def __post_init__(self) -> None:
        """Broadcast numbers and arrays to one shape (points,)."""
        names = [f.name for f in fields(self)]
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(getattr(self, n), dtype=float)) for n in names))
        for name, array in zip(names, arrays, strict=True):
            object.__setattr__(self, name, np.ascontiguousarray(array))

    @property
    def size(self) -> int:
        """Number of points."""
        return self.prior.size

    def take(self, index: Array) -> "Points":
        """The points ``index``."""
        return Points(*(getattr(self, f.name)[index] for f in fields(self)))


class Drift:
    """Right-hand sides of the order-parameter equations of ``points``, for one of ``ORDERS``.

    Axis 0 of every array inside is the class, tau = +1 then -1; the methods take R and b of shape (points,).

    Raises
    ------
    ValueError
        For an unknown order.
    """

    def __init__(self, points: Points, order: str, force: Force | None = None) -> None:
        if order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
        self.points, self.order, self.exact = points, order, order == "exact"
        self.tau = np.array([[1.0], [-1.0]])
        self.v = np.stack([points.v1, points.v2])
        self.p = np.stack([points.prior, 1 - points.prior])
        self.force = Force.of(self.v, self.tau) if force is None else force
        self.half = points.rho / 2
        self.pull = points.eta_w * self.half
        self.curvature = points.eta_w**2 / 2 if self.exact else np.zeros(points.size)
        self.spread = self.curvature * self.p * self.v

    def take(self, index: Array) -> "Drift":
        """The drift of the points ``index``."""
        return Drift(self.points.take(index), self.order, self.force.take(index))

    def means(self, R: Array, b: Array) -> Array:
        """m_tau = tau (rho R/2 - eps) - b, shape (2, points)."""
        m = np.empty((2, self.points.size))
        margin = self.half * R
        margin -= self.points.eps_train
        np.subtract(margin, b, out=m[0])
        np.add(margin, b, out=m[1])
        np.negative(m[1], out=m[1])
        return m

    def __call__(self, R: Array, b: Array) -> Array:
        """(dR/dalpha, db/dalpha), shape (2, points).

        dR/dalpha = eta_w (rho/2)(1-R^2) [-p A_+ + (1-p) A_-] - (eta_w^2/2) R [p v1 V_+ + (1-p) v2 V_-]
        db/dalpha = eta_b [p A_+ + (1-p) A_-]
        """
        m = self.means(R, b)
        m2 = m * m
        pA = self.force.mean(m, m2)
        pA *= self.p
        change = np.empty_like(pA)
        dR, db = change
        np.subtract(pA[1], pA[0], out=dR)
        dR *= self.pull
        dR *= (1 - R) * (1 + R)
        np.add(pA[0], pA[1], out=db)
        db *= self.points.eta_b
        if self.exact:
            V = self.force.mean_square(m, m2)
            V *= self.spread
            dR -= R * (V[0] + V[1])
        return change

    def jacobian(self, R: Array, b: Array) -> Array:
        """Derivatives of the drift, shape (2, 2, points): row R then b, column d/dR then d/db."""
        p, tau, half, m = self.p, self.tau, self.half, self.means(R, b)
        pA, slope = p * self.force.mean(m), p * self.force.mean_slope(m)
        narrow = (1 - R) * (1 + R)
        D, D_R, D_b = pA[1] - pA[0], -half * slope.sum(0), (tau * slope).sum(0)
        J_RR = self.points.eta_w * half * (narrow * D_R - 2 * R * D)
        J_Rb = self.points.eta_w * half * narrow * D_b
        if self.exact:
            pvV = (p * self.v * self.force.mean_square(m)).sum(0)
            pv_slope = p * self.v * self.force.mean_square_slope(m)
            J_RR = J_RR - self.curvature * (pvV + R * half * (tau * pv_slope).sum(0))
            J_Rb = J_Rb + self.curvature * R * pv_slope.sum(0)
        J_bR, J_bb = self.points.eta_b * half * (tau * slope).sum(0), -self.points.eta_b * slope.sum(0)
        return np.array([[J_RR, J_Rb], [J_bR, J_bb]])

    def noise(self, R: Array, b: Array) -> Array:
        """N^2 times the covariance of one step, (D_RR, D_Rb, D_bb), shape (3, points).

        Order ``first`` uses r = eta_w F u; order ``exact`` keeps the variance of the eta_w^2 term as well,
        which needs <F^3> and <F^4>.
        """
        p, v, m = self.p, self.v, self.means(R, b)
        eta_w, eta_b = self.points.eta_w, self.points.eta_b
        narrow = np.maximum((1 - R) * (1 + R), 0)  # a variance: rounding beyond |R| = 1 must not turn it negative
        u = -self.tau * self.half * narrow
        pV = p * self.force.mean_square(m)
        rr = eta_w**2 * (pV * (u**2 + v * narrow)).sum(0)
        rF = eta_w * (pV * u).sum(0)
        if self.exact:
            pvF3 = p * v * self.force.moment(m, 3)
            pvF4 = p * v**2 * self.force.moment(m, 4)
            rr = rr - 2 * eta_w * self.curvature * R * (pvF3 * u).sum(0) + (self.curvature * R) ** 2 * pvF4.sum(0)
            rF = rF - self.curvature * R * pvF3.sum(0)
        dR, db = self(R, b)
        return np.stack([np.maximum(rr - dR**2, 0), eta_b * rF - dR * db, eta_b**2 * pV.sum(0) - db**2])
