"""Theory of the mixture: known limits, the dynamics it describes, and the rules it is compared with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, erfinv

from advdyn.mixture import closed_forms, errors, fixed_points, theory
from advdyn.mixture.drift import ORDERS, Drift, Points

SCENARIO_1 = {"prior": 0.5, "rho": 2.0, "v1": 1.0, "v2": 1.0, "eta_w": 0.04, "eta_b": 0.2, "eps_train": 1.0}
SCENARIO_2 = SCENARIO_1 | {"prior": 0.7}
UNEVEN = {"prior": 0.6, "rho": 2.5, "v1": 0.7, "v2": 1.2, "eta_w": 1.5, "eta_b": 0.5, "eps_train": 0.4}
few = settings(max_examples=60, deadline=None, derandomize=True)
uniform = lambda low, high: st.floats(low, high)  # noqa: E731


def some_points(size, seed=0):
    u = np.random.default_rng(seed).uniform
    low = {"prior": 0.3, "rho": 1, "v1": 0.8, "v2": 0.8, "eta_w": 0.05, "eta_b": 0.1, "eps_train": 0}
    high = {"prior": 0.7, "rho": 3, "v1": 1.0, "v2": 1.0, "eta_w": 1.0, "eta_b": 0.5, "eps_train": 1}
    return Points(**{name: u(low[name], high[name], size) for name in low})


def point(**values):
    return Points(**values)


# ---- theory as a function of time


@pytest.mark.parametrize("order", ORDERS)
def test_time_zero_is_the_initial_condition(order):
    R, b, C = theory.trajectory(some_points(5), order, 0.2, -0.3, 1e-6).with_fluctuations([0.0])
    np.testing.assert_array_equal([R[:, 0], b[:, 0]], np.array([[0.2] * 5, [-0.3] * 5]))
    np.testing.assert_array_equal(C, 0)


@pytest.mark.parametrize("order", ORDERS)
def test_many_times_are_times_one_by_one(order):
    at = theory.trajectory(some_points(20), order, 0.0, 0.1, 1e-8)
    alpha = [0.0, 0.5, 3.0, 20.0, 100.0]
    together = np.stack(at(alpha))
    apart = np.concatenate([np.stack(at([a])) for a in alpha], axis=2)
    np.testing.assert_allclose(together, apart, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_a_restart_continues_the_run(order):
    at = theory.trajectory(some_points(20), order, 0.0, 0.1, 1e-8)
    whole, resumed = at.with_fluctuations([7.0, 30.0]), at.restart(7.0).with_fluctuations([7.0, 30.0])
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_fluctuations_do_not_change_the_mean(order):
    at = theory.trajectory(some_points(20), order, 0.0, 0.0, 1e-8)
    R, b, _ = at.with_fluctuations([1.0, 10.0])
    np.testing.assert_allclose(np.stack([R, b]), np.stack(at([1.0, 10.0])), atol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_the_trajectory_ends_at_the_fixed_point(order):
    points = some_points(30)
    R, b = theory.trajectory(points, order, 0.0, 0.0, 1e-9)([20_000.0])
    R_fixed, b_fixed = fixed_points.fixed_point(Drift(points, order), b[:, 0])
    np.testing.assert_allclose(R[:, 0], R_fixed, atol=2e-6)
    np.testing.assert_allclose(b[:, 0], b_fixed, atol=2e-6)
    assert (fixed_points.growth(Drift(points, order), R_fixed, b_fixed) < 0).all()


def test_only_the_first_order_learns_the_axis_completely():
    points = Points(**(SCENARIO_2 | {"eta_w": np.array([0.04, 0.5, 2.0])}))
    first, _ = theory.trajectory(points, "first", 0.0, 0.0, 1e-8)([5000.0])
    exact, _ = theory.trajectory(points, "exact", 0.0, 0.0, 1e-8)([5000.0])
    np.testing.assert_allclose(first, 1, atol=1e-6)
    assert (np.diff(exact[:, 0]) < -0.01).all()
    assert exact[0, 0] < 0.995


def test_small_learning_rates_make_the_orders_agree():
    eta = np.array([0.1, 0.05, 0.025, 0.0125])
    points = Points(**(SCENARIO_2 | {"eta_w": eta, "eta_b": 5 * eta}))
    last = []
    for order in ORDERS:  # at the same eta alpha
        each = [
            theory.trajectory(points.take(np.array([i])), order, 0.0, 0.0, 1e-10)([4 / eta[i]])[0][0, 0]
            for i in range(4)
        ]
        last.append(np.array(each))
    assert np.polyfit(np.log(eta), np.log(last[1] - last[0]), 1)[0] == pytest.approx(1, abs=0.05)


def test_the_axis_is_safe_when_learned():
    drift = Drift(point(**SCENARIO_2), "first")
    for R in (1.0, 1 + 1e-12, -1.0):
        assert np.isfinite(drift(np.array([R]), np.zeros(1))).all()
        assert drift.noise(np.array([R]), np.zeros(1))[0] == pytest.approx(0, abs=1e-12)
    R, _ = theory.trajectory(some_points(10), "first", 0.0, 0.0, 1e-4)(np.linspace(0, 3000, 50))
    assert np.abs(R).max() <= 1


# ---- drift


@few
@given(
    R=uniform(-0.99, 0.99),
    b=uniform(-2, 2),
    p=uniform(0.1, 0.9),
    v1=uniform(0.2, 3),
    v2=uniform(0.2, 3),
    eps=uniform(0, 2),
)
def test_first_order_is_the_riemannian_gradient_flow_of_the_mean_loss(R, b, p, v1, v2, eps):
    rho, eta_w, eta_b = 2.0, 0.3, 0.7

    def loss(R, b):
        m = rho * R / 2 - eps
        return p * closed_forms.mean_loss(m - b, v1, 1) + (1 - p) * closed_forms.mean_loss(-m - b, v2, -1)

    h = 1e-4
    dL_dR, dL_db = (loss(R + h, b) - loss(R - h, b)) / (2 * h), (loss(R, b + h) - loss(R, b - h)) / (2 * h)
    dR, db = Drift(Points(p, rho, v1, v2, eta_w, eta_b, eps), "first")(np.array([R]), np.array([b]))
    assert dR[0] == pytest.approx(-eta_w * (1 - R**2) * dL_dR, abs=1e-7)
    # b enters the pre-activation with a minus sign; the gradient step on b is descent of the same loss
    assert db[0] == pytest.approx(-eta_b * dL_db, abs=1e-7)
    assert dR[0] > 0


@pytest.mark.parametrize("order", ORDERS)
def test_the_jacobian_is_the_derivative_of_the_drift(order):
    points = some_points(50)
    drift, u = Drift(points, order), np.random.default_rng(1).uniform
    R, b, h = u(-0.9, 0.95, 50), u(-2, 2, 50), 1e-5
    numeric = np.stack([drift(R + h, b) - drift(R - h, b), drift(R, b + h) - drift(R, b - h)], axis=1) / (2 * h)
    np.testing.assert_allclose(drift.jacobian(R, b), numeric, atol=1e-8)


def test_an_unknown_order_is_an_error():
    with pytest.raises(ValueError, match="exact, first"):
        Drift(point(**SCENARIO_1), "second")


def one_step(values, R, b, dimension, count, seed):
    """N (R' - R) and N (b' - b) of single steps of the raw dynamics: all that enters are h, y and |xi|^2."""
    rng = np.random.default_rng(seed)
    p, rho, v1, v2, eta_w, eta_b, eps = values.values()
    tau = np.where(rng.random(count) < p, 1.0, -1.0)
    s = np.sqrt(np.where(tau > 0, v1, v2))
    z, z_perpendicular = rng.standard_normal((2, count))
    h = tau * rho / 2 * R + s * z
    y = tau * rho / 2 + s * (R * z + np.sqrt(1 - R**2) * z_perpendicular)
    span = h**2 + (y - R * h) ** 2 / (1 - R**2)
    square = span + s**2 * rng.chisquare(dimension - 2, count)  # |xi|^2
    x = h - b - tau * eps
    F = (erf(x) - tau) * 2 / np.sqrt(np.pi) * np.exp(-(x**2))
    step = eta_w / dimension * F
    w_attacked, B_attacked = h - tau * eps, y - tau * eps * R  # w.xi~ and B.xi~
    xi_square = square - 2 * tau * eps * h + eps**2
    length = np.sqrt(1 - 2 * step * w_attacked + step**2 * xi_square)
    return dimension * ((R - step * B_attacked) / length - R), eta_b * F


@pytest.mark.parametrize("values", [SCENARIO_1, SCENARIO_2, UNEVEN], ids=["1", "2", "uneven"])
def test_drift_and_noise_are_those_of_the_raw_step(values):
    # 2e6 steps at N = 1e6; |z| < 4 for each of five moments: a false alarm once in 3,000
    R, b, count = 0.6, -0.2, 2_000_000
    dR, db = one_step(values, R, b, 10**6, count, seed=1)
    state = np.array([R]), np.array([b])

    def z_scores(order):
        drift = Drift(point(**values), order)
        mean, (RR, Rb, bb) = drift(*state)[:, 0], drift.noise(*state)[:, 0]
        u, v = dR - mean[0], db - mean[1]
        samples = [u, v, u * u - RR, u * v - Rb, v * v - bb]
        return np.array([sample.mean() / sample.std() * np.sqrt(count) for sample in samples])

    assert np.abs(z_scores("exact")).max() < 4
    if values["eta_w"] > 1:  # control: without the eta_w^2 terms mean and noise are plainly wrong
        assert np.abs(z_scores("first")[[0, 2, 3]]).min() > 10


def lumped_chain(values, R0, b0, alpha, dimension, runs, seed):
    """Independent runs of the N-dimensional dynamics, advanced through (R, b) alone; shape (2, runs)."""
    rng = np.random.default_rng(seed)
    p, rho, v1, v2, eta_w, eta_b, eps = values.values()
    R, b = np.full(runs, R0), np.full(runs, b0)
    for _ in range(round(alpha * dimension)):
        tau = np.where(rng.random(runs) < p, 1.0, -1.0)
        s = np.sqrt(np.where(tau > 0, v1, v2))
        z, zeta = rng.standard_normal((2, runs))
        h = tau * rho / 2 * R + s * z
        across = tau * rho / 2 * np.sqrt(1 - R**2) + s * zeta  # along B - R w
        y = R * h + np.sqrt(1 - R**2) * across
        x = h - b - tau * eps
        F = (erf(x) - tau) * 2 / np.sqrt(np.pi) * np.exp(-(x**2))
        step = eta_w / dimension * F
        square = (h - tau * eps) ** 2 + across**2 + s**2 * rng.chisquare(dimension - 2, runs)
        length = np.sqrt(1 - 2 * step * (h - tau * eps) + step**2 * square)
        R, b = (R - step * (y - tau * eps * R)) / length, b + eta_b / dimension * F
    return np.stack([R, b])


def test_fluctuations_are_those_of_independent_runs():
    # 4,000 runs at N = 400: a standard deviation is known to 1.1 %, and corrections of order 1/N are below that
    values, alpha, dimension, runs = UNEVEN, 4.0, 400, 4000
    R, b = lumped_chain(values, 0.1, 0.0, alpha, dimension, runs, seed=2)

    def theory_of(order):
        R, b, C = theory.trajectory(point(**values), order, 0.1, 0.0, 1e-8).with_fluctuations([alpha])
        return np.array([R[0, 0], b[0, 0]]), C[:, 0, 0]

    mean, C = theory_of("exact")
    sample = dimension * np.cov(R, b)
    error = np.sqrt(2 / runs)
    assert sample[0, 0] / C[0] == pytest.approx(1, abs=4 * error)
    assert sample[1, 1] / C[2] == pytest.approx(1, abs=4 * error)
    scale = np.sqrt(C[0] * C[2])
    assert sample[0, 1] / scale == pytest.approx(C[1] / scale, abs=4 * error)
    z = (np.array([R.mean(), b.mean()]) - mean) / np.sqrt(np.array([C[0], C[2]]) / dimension / runs)
    assert np.abs(z).max() < 6  # standard errors; the mean itself is shifted by order 1/N
    first_mean, first_C = theory_of("first")
    assert abs(sample[0, 0] / first_C[0] - 1) > 8 * error  # control: the first order is wrong at this learning rate
    assert abs(R.mean() - first_mean[0]) / np.sqrt(C[0] / dimension / runs) > 50


# ---- fixed points


def test_even_classes_have_no_bias():
    for order in ORDERS:
        R, b = fixed_points.fixed_point(Drift(point(**(SCENARIO_1 | {"eps_train": 0.0})), order), np.array([0.7]))
        assert b[0] == pytest.approx(0, abs=1e-12)
        assert (R[0] == 1) == (order == "first")


@pytest.mark.parametrize(("prior", "v", "rho"), [(0.7, 1.0, 2.0), (0.3, 0.5, 1.0), (0.9, 2.0, 3.0)])
def test_bias_under_the_attack_that_joins_the_classes(prior, v, rho):
    values = {"prior": prior, "rho": rho, "v1": v, "v2": v, "eta_w": 0.04, "eta_b": 0.2, "eps_train": rho / 2}
    _, b = fixed_points.fixed_point(Drift(point(**values), "first"), np.zeros(1))
    assert b[0] == pytest.approx(-np.sqrt((1 + 2 * v) * (1 + 4 * v)) * erfinv(2 * prior - 1), rel=1e-10)


@pytest.mark.parametrize("order", ORDERS)
def test_the_drift_vanishes_at_the_fixed_point(order):
    drift = Drift(some_points(200), order)
    R, b = fixed_points.fixed_point(drift, np.zeros(200))
    assert np.isfinite(b).all()
    np.testing.assert_allclose(drift(R, b), 0, atol=1e-14)


def test_overlap_lost_at_small_learning_rates():
    eta = 1e-4
    values = SCENARIO_2 | {"eta_w": eta}
    drift = Drift(point(**values), "exact")
    R, _ = fixed_points.fixed_point(drift, np.zeros(1))
    one, b = fixed_points.fixed_point(Drift(point(**values), "first"), np.zeros(1))
    m = drift.means(one, b)
    A, V = drift.p * drift.force.mean(m), drift.p * drift.v * drift.force.mean_square(m)
    assert 1 - R[0] == pytest.approx(eta * V.sum() / (2 * 2.0 * (A[1] - A[0]).sum()), rel=1e-3)


def test_a_strong_attack_on_uneven_clusters_drives_the_bias_to_infinity():
    # the pull of class -1 decays more slowly with b than that of class +1 when v2 > v1 + 1/4
    values = SCENARIO_1 | {"v2": np.array([1.2, 1.3]), "eps_train": 3.0}
    _, b = fixed_points.fixed_point(Drift(Points(**values), "first"), np.full(2, 2.0))
    np.testing.assert_array_equal(np.isposinf(b), [False, True])


def test_the_symmetry_breaks_at_the_critical_attack():
    v = np.array([0.2, 1.0, 5.0])
    q = fixed_points.symmetry_breaking(v)
    for factor in (0.999, 1.001):
        values = SCENARIO_1 | {"v1": v, "v2": v, "eps_train": 1.0 + factor * q}
        drift = Drift(Points(**values), "first")
        J_bb = drift.jacobian(np.ones(3), np.zeros(3))[1, 1]
        assert (np.sign(J_bb) == np.sign(factor - 1)).all()
    _, b = fixed_points.fixed_point(drift, np.full(3, 1e-3))
    assert (b > 0.01).all()  # just beyond, the stable fixed points have moved away from 0


# ---- errors


@few
@given(R=uniform(-1, 1), b=uniform(-3, 3), p=uniform(0, 1), v1=uniform(0.1, 4), v2=uniform(0.1, 4))
def test_the_adversarial_error_grows_with_the_attack(R, b, p, v1, v2):
    S = errors.adversarial_error(R, b, np.linspace(0, 5, 50), p, 2.0, v1, v2)
    assert (np.diff(S) >= -1e-15).all()
    assert S[0] == errors.test_error(R, b, p, 2.0, v1, v2)
    assert 0 <= S[0] <= S[-1] <= 1


def test_an_attack_is_a_smaller_distance():
    S = errors.adversarial_error(1.0, 0.3, 0.4, 0.6, 2.0, 1.0, 2.0)
    assert pytest.approx(errors.test_error(1.0, 0.3, 0.6, 2.0 - 2 * 0.4, 1.0, 2.0), abs=1e-15) == S


def test_errors_are_counted_errors():
    rng = np.random.default_rng(3)
    n, p, rho, v1, v2, R, b, eps = 400_000, 0.6, 2.0, 0.5, 2.0, 0.8, -0.3, 0.2
    tau = np.where(rng.random(n) < p, 1, -1)
    x = tau * rho / 2 * R + np.sqrt(np.where(tau > 0, v1, v2)) * rng.standard_normal(n) - b - tau * eps
    S = errors.adversarial_error(R, b, eps, p, rho, v1, v2)
    assert abs(np.mean(tau * x < 0) - S) < 4 * np.sqrt(S * (1 - S) / n)


@few
@given(p=uniform(0.02, 0.98), rho=uniform(0.2, 4), v1=uniform(0.2, 4), v2=uniform(0.2, 4), eps=uniform(0, 2.5))
def test_no_linear_rule_is_better_than_the_best(p, rho, v1, v2, eps):
    bias, least = errors.best_linear_rule(eps, p, rho, v1, v2)
    grid = np.concatenate([np.linspace(-30, 30, 60_001), [-np.inf, np.inf]])
    brute = errors.adversarial_error(1.0, grid, eps, p, rho, v1, v2).min()
    assert least <= brute + 1e-15
    assert least == pytest.approx(brute, abs=1e-6)
    assert errors.adversarial_error(1.0, bias, eps, p, rho, v1, v2) == least
    assert least <= errors.adversarial_error(0.7, grid, eps, p, rho, v1, v2).min() + 1e-15


def test_the_best_rule_for_equal_clusters_is_the_bayes_rule():
    v, m, p = 1.5, 1.2, 0.7
    bias, _ = errors.best_linear_rule(0.3, p, 3.0, v, v)
    assert bias == pytest.approx(v / (2 * m) * np.log((1 - p) / p), rel=1e-14)
    nearly, _ = errors.best_linear_rule(0.3, p, 3.0, v, v * (1 + 1e-12))
    assert nearly == pytest.approx(bias, rel=1e-9)


def test_an_attack_beyond_the_classes_leaves_only_the_prior():
    bias, least = errors.best_linear_rule(np.array([1.0, 1.5, 1.5, 1.0]), np.array([0.7, 0.7, 0.3, 0.5]), 2.0, 1.0, 1.0)
    np.testing.assert_array_equal(bias, [-np.inf, -np.inf, np.inf, 0])
    np.testing.assert_allclose(least, [0.3, 0.3, 0.3, 0.5])


# ---- the dataset


def test_the_dataset_of_a_study():
    lanes = {**SCENARIO_2, "eta_w": [0.04, 0.5], "eps_train": [0.0, 0.5, 1.0]}
    alpha, eps = [0.0, 1.0, 100.0], [0.0, 0.5, 1.0]
    ds = theory.run(**lanes, R0=0.0, b0=0.0, alpha=alpha, eps=eps, eps_report=0.5, rtol=1e-7)
    assert ds.R_ode.dims == ("order", "eta_w", "eps_train", "alpha")
    assert ds.robustness_ode.dims == ("order", "eta_w", "eps_train", "eps")
    assert ds.best_bias.dims == ("eta_w", "eps_train")
    assert ds.growth_fixed.dims == ("order", "eta_w", "eps_train")
    assert list(ds.order.values) == list(ORDERS)
    assert all({"units", "long_name"} <= set(v.attrs) for v in ds.variables.values())
    assert all(v.attrs["references"] for v in ds.data_vars.values())
    alone = theory.run(**(SCENARIO_2 | {"eta_w": 0.5}), R0=0.0, b0=0.0, alpha=alpha, eps=eps, eps_report=0.5, rtol=1e-7)
    for name in ds.data_vars:
        np.testing.assert_allclose(ds[name].isel(eta_w=1, eps_train=2), alone[name], atol=1e-9)
    last = ds.isel(alpha=-1)
    np.testing.assert_allclose(last.robustness_ode.sel(eps=0.0), last.test_error_ode)
    np.testing.assert_allclose(last.robustness_ode.sel(eps=0.5), last.adversarial_error_report_ode)
    np.testing.assert_allclose(
        last.robustness_ode.sel(eps=1.0, eps_train=1.0), last.adversarial_error_ode.sel(eps_train=1.0)
    )
    assert (ds.best_error <= ds.adversarial_error_fixed + 1e-12).all()
