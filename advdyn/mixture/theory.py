"""Theory of online adversarial training on a Gaussian mixture: order parameters and errors as functions of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from advdyn import io, lanes, ode
from advdyn.lanes import Parameter
from advdyn.mixture import errors, fixed_points
from advdyn.mixture.closed_forms import Array
from advdyn.mixture.drift import ORDERS, Drift, Points

SOURCE = "Straat, modelling adversarial training"
DYNAMICS = f"{SOURCE}; theory: order-parameter equations"
FLUCTUATIONS = f"{SOURCE}; theory: linear-noise equations of the order parameters"
MEASURES = f"{SOURCE}; theory: evaluation measures"


class _Active:
    """The right-hand side ``flow(drift, *state)`` of the points that an integration still works on.

    The constants of their drift are gathered anew only when the set of active points changes.
    """

    def __init__(self, drift: Drift, flow: Callable[..., Array]) -> None:
        self.drift, self.flow = drift, flow
        self.index: Array | None = None
        self.active = drift

    def __call__(self, t: Array, y: Array, index: Array) -> Array:  # noqa: ARG002  # the equations are autonomous
        if index is not self.index:
            self.index, self.active = index, self.drift.take(index)
        return self.flow(self.active, *y)


def _flow_with_fluctuations(drift: Drift, R: Array, b: Array, RR: Array, Rb: Array, bb: Array) -> Array:
    """Drift of (R, b) and dC/dalpha = J C + C J^T + D for C = ((RR, Rb), (Rb, bb))."""
    (J_RR, J_Rb), (J_bR, J_bb) = drift.jacobian(R, b)
    linear = [
        2 * (J_RR * RR + J_Rb * Rb),
        J_bR * RR + (J_RR + J_bb) * Rb + J_Rb * bb,
        2 * (J_bR * Rb + J_bb * bb),
    ]
    return np.concatenate([drift(R, b), np.stack(linear) + drift.noise(R, b)])


@dataclass(frozen=True)
class Trajectory:
    """Theory as a function of time: ``trajectory(alpha)`` is (R, b) at the learning times alpha, for all points.

    Attributes
    ----------
    points
        Parameters of the points.
    order
        ``exact`` or ``first``, in eta_w.
    R0, b0
        Initial state, a number or an array of shape (points,).
    rtol
        Relative tolerance of the integration; the absolute one is a hundredth of it.
    alpha0
        Learning time of the initial state.
    C0
        Initial N times covariance (C_RR, C_Rb, C_bb), broadcast to (3, points); 0 for a fixed initial state.
    """

    points: Points
    order: str
    R0: float | Array
    b0: float | Array
    rtol: float
    alpha0: float = 0.0
    C0: float | Array = 0.0

    def __call__(self, alpha: Sequence[float] | Array) -> tuple[Array, Array]:
        """R and b, each of shape (points, times), at increasing learning times ``alpha`` (alpha0 or later)."""
        R, b = self._integrate(Drift.__call__, self._start(2), alpha)
        return R, b

    def with_fluctuations(self, alpha: Sequence[float] | Array) -> tuple[Array, Array, Array]:
        """R, b and C = (C_RR, C_Rb, C_bb), shape (3, points, times): N times the covariance of (R, b).

        Linear-noise equation dC/dalpha = J C + C J^T + D, integrated together with R and b.
        """
        R, b, *C = self._integrate(_flow_with_fluctuations, self._start(5), alpha)
        return R, b, np.stack(C)

    def restart(self, alpha: float) -> "Trajectory":
        """The same trajectory, starting from the state it has reached at ``alpha``."""
        R, b, C = self.with_fluctuations([alpha])
        return replace(self, R0=R[:, 0], b0=b[:, 0], C0=C[:, :, 0], alpha0=float(alpha))

    def _start(self, components: int) -> Array:
        y = np.empty((5, self.points.size))
        y[0], y[1], y[2:] = self.R0, self.b0, self.C0
        return y[:components]

    def _integrate(self, flow: Callable[..., Array], y0: Array, alpha: Sequence[float] | Array) -> Array:
        rhs = _Active(Drift(self.points, self.order), flow)
        y = ode.integrate(rhs, y0, alpha, rtol=self.rtol, atol=self.rtol / 100, t0=self.alpha0)
        np.clip(y[0], -1, 1, out=y[0])  # |w| = |B| = 1: near |R| = 1 the solution exceeds it by its own error
        return y


def trajectory(points: Points, order: str, R0: float | Array, b0: float | Array, rtol: float) -> Trajectory:
    """Theory of ``points`` from (R0, b0) at alpha = 0: a function of the learning time (see `Trajectory`)."""
    return Trajectory(points, order, R0, b0, rtol)


def run(
    prior: Parameter,
    rho: Parameter,
    v1: Parameter,
    v2: Parameter,
    eta_w: Parameter,
    eta_b: Parameter,
    eps_train: Parameter,
    R0: float,
    b0: float,
    alpha: Sequence[float],
    eps: Sequence[float],
    eps_report: float,
    rtol: float,
) -> xr.Dataset:
    """Order parameters, errors, fluctuations and fixed points of all lanes, for both orders in eta_w.

    Parameters
    ----------
    prior, rho, v1, v2, eta_w, eta_b, eps_train
        Of the model; those given as lists are lanes (their product).
    R0, b0
        Initial state.
    alpha
        Learning times mu/N to record, increasing, from 0.
    eps
        Attack sizes of the robustness curve at the last alpha.
    eps_report
        Attack size of ``adversarial_error_report_ode``.
    rtol
        Relative tolerance of the integration.

    Returns
    -------
    xarray.Dataset
        Dims ``order``, one for each lane parameter, and ``alpha`` or ``eps``. All variables are dimensionless.
    """
    expanded = lanes.expand(prior=prior, rho=rho, v1=v1, v2=v2, eta_w=eta_w, eta_b=eta_b, eps_train=eps_train)
    points = Points(**expanded.values)
    mixture = {name: expanded.values[name] for name in ("prior", "rho", "v1", "v2")}
    in_time = {name: value[:, None] for name, value in mixture.items()}
    attack = points.eps_train
    found: dict[str, list[Array]] = {name: [] for name in _VARIABLES}
    for order in ORDERS:
        R, b, C = trajectory(points, order, R0, b0, rtol).with_fluctuations(alpha)
        drift = Drift(points, order)
        R_fixed, b_fixed = fixed_points.fixed_point(drift, b[:, -1])
        R_error = np.where(np.isinf(b_fixed), 0.0, R_fixed)  # at infinite b the errors are those of one class, any R
        result = {
            "R_ode": R,
            "b_ode": b,
            "test_error_ode": errors.test_error(R, b, **in_time),
            "adversarial_error_ode": errors.adversarial_error(R, b, attack[:, None], **in_time),
            "adversarial_error_report_ode": errors.adversarial_error(R, b, eps_report, **in_time),
            "robustness_ode": errors.adversarial_error(R[:, -1:], b[:, -1:], np.asarray(eps, dtype=float), **in_time),
            "C_RR": C[0],
            "C_Rb": C[1],
            "C_bb": C[2],
            "R_fixed": R_fixed,
            "b_fixed": b_fixed,
            "test_error_fixed": errors.test_error(R_error, b_fixed, **mixture),
            "adversarial_error_fixed": errors.adversarial_error(R_error, b_fixed, attack, **mixture),
            "growth_fixed": np.where(
                np.isfinite(R_fixed),
                fixed_points.growth(drift, R_error, np.nan_to_num(b_fixed, posinf=0, neginf=0)),
                np.nan,
            ),
        }
        for name, values in result.items():
            found[name].append(values)
    best_bias, best_error = errors.best_linear_rule(attack, **mixture)

    dims = expanded.dims
    data = {}
    for name, (last, long_name, references) in _VARIABLES.items():
        stacked = expanded.unflatten(np.stack(found[name]), axis=1)
        data[name] = io.variable(("order", *dims, *last), stacked, long_name, references=references)
    best = f"{SOURCE}; theory: best linear rule (Bayes rule for v1 = v2, Dobriban et al., arXiv:2006.05161)"
    data["best_bias"] = io.variable(
        dims,
        expanded.unflatten(best_bias, 0),
        "bias of the best linear rule under the training attack",
        references=best,
    )
    data["best_error"] = io.variable(
        dims, expanded.unflatten(best_error, 0), "least adversarial error of a linear rule", references=best
    )
    coords = {name: io.variable((name,), axis, name) for name, axis in expanded.coords.items()}
    coords["order"] = io.variable(("order",), list(ORDERS), "order in eta_w of the order-parameter equations")
    coords["alpha"] = io.variable(("alpha",), np.asarray(alpha, dtype=float), "learning time mu/N")
    coords["eps"] = io.variable(("eps",), np.asarray(eps, dtype=float), "attack size in evaluation")
    return xr.Dataset(data, coords)


_VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "R_ode": (("alpha",), "overlap R of weights and cluster axis", DYNAMICS),
    "b_ode": (("alpha",), "bias b", DYNAMICS),
    "test_error_ode": (("alpha",), "test error", MEASURES),
    "adversarial_error_ode": (("alpha",), "adversarial error at the training attack", MEASURES),
    "adversarial_error_report_ode": (("alpha",), "adversarial error at the reported attack", MEASURES),
    "robustness_ode": (("eps",), "adversarial error at the last learning time", MEASURES),
    "C_RR": (("alpha",), "N times the variance of R", FLUCTUATIONS),
    "C_Rb": (("alpha",), "N times the covariance of R and b", FLUCTUATIONS),
    "C_bb": (("alpha",), "N times the variance of b", FLUCTUATIONS),
    "R_fixed": ((), "overlap R at the fixed point", DYNAMICS),
    "b_fixed": ((), "bias b at the fixed point", DYNAMICS),
    "test_error_fixed": ((), "test error at the fixed point", MEASURES),
    "adversarial_error_fixed": ((), "adversarial error at the training attack, at the fixed point", MEASURES),
    "growth_fixed": ((), "largest real part of the Jacobian's eigenvalues at the fixed point", DYNAMICS),
}
