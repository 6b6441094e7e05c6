"""Adversarial logistic regression: its optimum, its exact worst case, its error at every eps."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize

from advdyn import claims, io, linear
from advdyn.data.errors import DataError
from advdyn.data.load import Images
from advdyn.logistic import claims as declared
from advdyn.logistic import evaluation, grid, pair, solve, training

L2, EPS = (1e-3, 1e-2, 1e-1), (0.0, 0.05, 0.2)


def sample(n=120, d=30, seed=0, overlap=0.35):
    """Two blurred classes in [0,1]^d, with some pixels that are 0 in every image."""
    rng = np.random.default_rng(seed)
    tau = np.where(rng.random(n) < 0.45, 1.0, -1.0)
    centre = rng.random(d) * (rng.random(d) < 0.7)
    x = np.clip(centre * (0.5 + 0.25 * tau[:, None]) + overlap * rng.normal(size=(n, d)), 0, 1)
    x[:, ::7] = 0
    return x, tau


def objective(v, x, tau, l2, eps):
    """f of (w+, w-, b) and its gradient, written from the formula and not from the solver."""
    d = x.shape[1]
    plus, minus, b = v[:d], v[d : 2 * d], v[-1]
    w = plus - minus
    exponent = eps * (plus.sum() + minus.sum()) - tau * (x @ w + b)
    sigma = 1 / (1 + np.exp(-exponent))
    along = -((sigma * tau) @ x) / len(tau)
    gradient = np.concatenate([along + l2 * w, -along - l2 * w, [-(sigma @ tau) / len(tau)]])
    gradient[:-1] += eps * sigma.mean()
    return np.logaddexp(0, exponent).mean() + l2 / 2 * w @ w, gradient


def reference(x, tau, l2, eps):
    d = x.shape[1]
    found = optimize.minimize(
        objective, np.zeros(2 * d + 1), (x, tau, l2, eps), "L-BFGS-B", jac=True,
        bounds=[(0, None)] * (2 * d) + [(None, None)],
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 40},
    )  # fmt: skip
    return found.fun, found.x[:d] - found.x[d : 2 * d], found.x[-1]


@pytest.fixture(scope="module")
def solved():
    x, tau = sample()
    l2, eps = (np.array(v) for v in zip(*itertools.product(L2, EPS), strict=True))
    return x, tau, l2, eps, solve.minimise(x, tau, l2, eps, tolerance=1e-10)


def test_optimum_is_scipys(solved):
    x, tau, l2, eps, found = solved
    assert found.converged.all()
    for k in range(len(l2)):
        value, weight, bias = reference(x, tau, l2[k], eps[k])
        assert found.objective[k] == pytest.approx(value, rel=1e-8)
        assert found.objective[k] <= value * (1 + 1e-12)
        np.testing.assert_allclose(found.weight[k], weight, atol=2e-5)
        assert found.bias[k] == pytest.approx(bias, abs=2e-5)


def test_kkt_conditions_from_the_formula(solved):
    x, tau, l2, eps, found = solved
    d = x.shape[1]
    for k in range(len(l2)):
        w = found.weight[k]
        v = np.concatenate([np.maximum(w, 0), np.maximum(-w, 0), [found.bias[k]]])
        value, gradient = objective(v, x, tau, l2[k], eps[k])
        assert found.objective[k] == pytest.approx(value, rel=1e-12)
        inner = np.where(v[:-1] > 0, gradient[:-1], np.minimum(gradient[:-1], 0))
        # the side of w+- that w does not use is at its bound, its gradient must not point inwards
        assert max(np.abs(inner).max(), abs(gradient[-1])) <= 1e-10 + 1e-13
        assert (w[np.all(x == 0, axis=0)] == 0).all()
        assert len(w) == d


def test_attack_in_training_makes_weights_sparse(solved):
    *_, found = solved
    zero = (found.weight != 0).sum(1).reshape(len(L2), len(EPS))
    assert (np.diff(zero, axis=1) < 0).all()
    # and a stronger penalty or attack shrinks |w|_1
    norm = np.abs(found.weight).sum(1).reshape(len(L2), len(EPS))
    assert (np.diff(norm, axis=1) < 0).all()


def test_large_attack_leaves_only_the_bias():
    x, tau = sample()
    found = solve.minimise(x, tau, 1e-3, 5.0)
    share = (tau > 0).mean()
    assert (found.weight == 0).all()
    assert found.bias[0] == pytest.approx(np.log(share / (1 - share)), abs=1e-7)


def test_objective_beats_its_neighbours(solved):
    x, tau, l2, eps, found = solved
    rng = np.random.default_rng(1)
    for k in (0, 4, 8):
        for size in (1e-1, 1e-3):
            w = found.weight[k] + size * rng.normal(size=found.weight.shape[1])
            exponent = eps[k] * np.abs(w).sum() - tau * (x @ w + found.bias[k])
            assert np.logaddexp(0, exponent).mean() + l2[k] / 2 * w @ w > found.objective[k]


def test_lanes_do_not_depend_on_their_batch(solved):
    x, tau, l2, eps, found = solved
    for k in range(len(l2)):
        alone = solve.minimise(x, tau, l2[k], eps[k], tolerance=1e-10)
        # the stated bound: |w - w*| <= residual_2 / l2, from both sides
        bound = 2 * 1e-10 * np.sqrt(x.shape[1] + 1) / l2[k]
        np.testing.assert_allclose(alone.weight[0], found.weight[k], atol=bound)
        assert alone.objective[0] == pytest.approx(found.objective[k], rel=1e-13)


def test_order_of_lanes_and_samples_does_not_matter():
    x, tau = sample(seed=3)
    one = solve.minimise(x, tau, [1e-2, 1e-3], [0.05, 0.0])
    order = np.random.default_rng(0).permutation(len(tau))
    two = solve.minimise(x[order], tau[order], [1e-3, 1e-2], [0.0, 0.05])
    np.testing.assert_allclose(one.weight, two.weight[::-1], atol=1e-5)


def test_exchanging_the_classes_mirrors_the_model():
    x, tau = sample(seed=4)
    one, two = (solve.minimise(x, sign * tau, 1e-2, 0.03) for sign in (1, -1))
    np.testing.assert_allclose(one.weight, -two.weight, atol=1e-6)
    np.testing.assert_allclose(one.bias, -two.bias, atol=1e-6)


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_contradictory_and_duplicate_data(eps):
    x, tau = sample(40, 12, seed=5)
    one = solve.minimise(x, tau, 1e-2, eps)
    twice = solve.minimise(np.concatenate([x, x]), np.concatenate([tau, tau]), 1e-2, eps)
    np.testing.assert_allclose(one.weight, twice.weight, atol=1e-6)
    # every image with both labels: nothing to learn
    both = solve.minimise(np.concatenate([x, x]), np.concatenate([tau, -tau]), 1e-2, eps)
    assert both.converged.all()
    np.testing.assert_allclose(both.weight, 0, atol=1e-6)
    assert both.objective[0] == pytest.approx(np.log(2))


def test_without_penalty_an_attack_bounds_the_problem_or_is_known_not_to():
    x, tau = sample(60, 40, overlap=0.05)
    found = solve.minimise(x, tau, 0.0, [0.001, 0.4], tolerance=1e-8)
    assert found.bounded.tolist() == [False, True]
    assert found.converged.tolist() == [False, True]
    value, *_ = reference(x, tau, 0.0, 0.4)
    assert found.objective[1] == pytest.approx(value, rel=1e-8)


def test_unconverged_lanes_are_marked():
    x, tau = sample()
    found = solve.minimise(x, tau, [1e-3, 1e-3], [0.0, 0.05], max_iterations=2)
    assert not found.converged.any()
    assert (found.residual > 1e-9).all()
    assert (found.iterations == 2).all()
    assert np.isfinite(found.weight).all()


def test_float32():
    x, tau = sample()
    single = solve.minimise(x, tau, 1e-2, 0.05, tolerance=1e-5, dtype=torch.float32)
    assert single.converged.all()
    np.testing.assert_allclose(single.weight, solve.minimise(x, tau, 1e-2, 0.05).weight, atol=5e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l2": 0.0, "eps": 0.0}, "l2 = 0 with eps_train = 0"),
        ({"l2": -1.0}, "l2 must be finite"),
        ({"eps": np.nan}, "eps_train must be finite"),
        ({"tau": np.ones(120)}, "one class only"),
        ({"tau": np.arange(120.0)}, r"\+1 or -1"),
        ({"x": np.full((120, 3), np.nan)}, "finite"),
        ({"tolerance": 0.0}, "tolerance"),
    ],
)
def test_refusals(change, message):
    x, tau = sample()
    arguments = {"x": x, "tau": tau, "l2": 1e-2, "eps": 0.1} | change
    with pytest.raises(ValueError, match=message):
        solve.minimise(**arguments)


# --- the exact error of a linear classifier --------------------


def test_closed_form_is_the_worst_of_all_sign_attacks():
    rng = np.random.default_rng(0)
    d, n, eps = 8, 12, 0.13
    w, b, x = rng.normal(size=d), 0.2, rng.random((n, d))
    tau = rng.choice([-1.0, 1.0], n)
    corners = np.array(list(itertools.product((-eps, eps), repeat=d)))
    worst = (tau[:, None] * ((x[:, None] + corners[None]) @ w + b)).min(1)
    np.testing.assert_allclose(worst, tau * (x @ w + b) - eps * np.abs(w).sum(), atol=1e-13)
    # FGSM with the gradient by autograd reaches it; random signs do not
    attacked = evaluation.fgsm_outputs(x, tau, w, b, np.array([eps]))[0]
    np.testing.assert_allclose(tau * attacked, worst, atol=1e-13)
    random = tau * ((x + eps * rng.choice([-1.0, 1.0], x.shape)) @ w + b)
    assert np.abs(random - worst).max() > 0.1


# multiples of 1/8: sums and products are exact, and ties are common
eighths = st.integers(-40, 40).map(lambda k: k / 8)


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=eighths),
    st.integers(0, 16).map(lambda k: k / 8),
    st.lists(st.integers(0, 40).map(lambda k: k / 8), min_size=1, max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_error_curve_counts(margins, norm, eps):
    norms = norm * np.arange(1, len(margins) + 1)
    found = linear.error_curve(margins, norms, eps)
    for lane, size in itertools.product(range(len(margins)), range(len(eps))):
        assert found[lane, size] == sum(m <= eps[size] * norms[lane] for m in margins[lane]) / margins.shape[1]
    assert (np.diff(linear.error_curve(margins, norms, np.sort(eps))) >= 0).all()


@given(
    hnp.arrays(float, st.integers(1, 40), elements=st.floats(-50, 50).map(lambda v: round(v, 6))),
    st.floats(1e-3, 100),
    st.floats(0.01, 1.0),
)
@settings(max_examples=200, deadline=None)
def test_eps_at_error_is_the_smallest(margins, norm, level):
    eps = float(linear.eps_at_error(margins, norm, level))
    assert linear.error_curve(margins, norm, eps) >= level
    if eps > 0:
        assert linear.error_curve(margins, norm, eps * (1 - 1e-15) - 1e-300) < level
    # the same as the quantile of the images' own distances
    distance = np.sort(linear.smallest_eps(margins, norm))
    assert eps == pytest.approx(distance[linear.required(len(margins), level) - 1], rel=1e-14)


def test_eps_at_error_is_enough_where_the_quotient_rounds_down():
    rng = np.random.default_rng(0)
    margins, norm = rng.random((5000, 1)), rng.random(5000) * 30
    assert (margins[:, 0] / norm * norm < margins[:, 0]).any()
    eps = linear.eps_at_error(margins, norm, 1.0)
    assert all(linear.error_curve(m, q, e) == 1 for m, q, e in zip(margins, norm, eps, strict=True))


def test_linear_limits():
    margins = np.array([-1.0, 0.0, 1.0, 2.0])
    assert linear.error_curve(margins, 0.0, [0.0, 1.0, np.inf]).tolist() == [0.5, 0.5, 0.5]
    assert linear.error_curve(margins, 1.0, np.inf) == 1
    assert linear.error_curve(margins, 1.0, np.ones((2, 3))).shape == (2, 3)
    assert linear.smallest_eps(margins, 0.0).tolist() == [0, 0, np.inf, np.inf]
    assert linear.smallest_eps(margins, 2.0).tolist() == [0, 0, 0.5, 1]
    assert linear.eps_at_error(margins, 1.0, 0.5) == 0
    assert linear.eps_at_error(margins, 1.0, 0.75) == 1
    assert linear.eps_at_error(margins, 0.0, 0.75) == np.inf
    assert np.isnan(linear.eps_at_error([1.0, np.nan], 1.0, 0.5))
    assert np.isnan(linear.error_curve([1.0, np.nan], 1.0, [0.0, 9.0])).all()


@pytest.mark.parametrize("eps", [-0.1, np.nan, [0.1, -1e-9]])
def test_error_curve_refuses(eps):
    with pytest.raises(ValueError, match="eps must be"):
        linear.error_curve([1.0], 1.0, eps)


def test_linear_refuses_bad_norms_levels_and_empty_samples():
    with pytest.raises(ValueError, match="dual_norm"):
        linear.error_curve([1.0], -1.0, 0.1)
    with pytest.raises(ValueError, match="level"):
        linear.eps_at_error([1.0], 1.0, 0.0)
    with pytest.raises(ValueError, match="at least one sample"):
        linear.error_curve(np.empty((2, 0)), np.ones(2), 0.1)


# --- training, evaluation, claims --------------------

SETTINGS = {"positive": 3, "negative": 7, "tolerance": 1e-9, "max_iterations": 300, "device": "cpu", "dtype": "float64"}
SIZES = [round(0.005 * k, 3) for k in range(101)]


def digits(n=400, seed=0, shape=(6, 6)):
    """Stand-in images of 3, 7 and another class."""
    x, tau = sample(3 * n, int(np.prod(shape)), seed, overlap=0.3)
    y = np.where(tau > 0, 3, 7)
    y[::11] = 5
    parts = [(x[k * n : (k + 1) * n], y[k * n : (k + 1) * n]) for k in range(3)]
    return Images(*parts[0], *parts[1], *parts[2], shape)


@pytest.fixture(scope="module")
def study():
    images = digits()
    trained = training.run(images, l2=[1e-3, 1e-1], eps_train=[0.0, 0.1, 0.2], **SETTINGS)
    return images, trained, evaluation.run(trained, images, positive=3, negative=7, eps=SIZES, root=0)


def test_pair_labels_and_keeps_the_order():
    x, tau = pair.of(np.arange(8.0).reshape(4, 2), np.array([7, 5, 3, 7]), 3, 7, "test")
    assert x.tolist() == [[0, 1], [4, 5], [6, 7]]
    assert tau.tolist() == [-1, 1, -1]


def test_evaluation_against_attacked_images(study):
    images, trained, found = study
    x, tau = pair.of(images.x_test, images.y_test, 3, 7, "test")
    w = found["weight"].sel(l2=1e-1, eps_train=0.1).values
    b = float(found["bias"].sel(l2=1e-1, eps_train=0.1))
    for eps in (0.0, 0.105, 0.5):
        wrong = tau * ((x - tau[:, None] * eps * np.sign(w)) @ w + b) <= 1e-12
        assert float(found["test_error"].sel(l2=1e-1, eps_train=0.1, eps=eps)) == pytest.approx(wrong.mean(), abs=1e-12)
    np.testing.assert_allclose(
        found["test_error"].sel(eps=found["eps_attacked"]), found["fgsm_error"], atol=1.01 / len(tau)
    )
    assert float(found["fgsm_gap"].max()) < 1e-12
    at = found["eps_at_40"].values
    assert ((found["eps_at_40_low"] <= at) & (at <= found["eps_at_40_high"])).all()
    assert (found["random_sign_error_at_40"].sel(eps_train=0) < evaluation.LEVEL / 2).all()
    assert int(found["n_test"]) == len(tau)
    assert float(trained["train_error"].max()) < 0.5


def test_level_crossing_of_the_worst_case_is_eps_at_error():
    margins = np.random.default_rng(0).normal(1, 1, 101)
    found = evaluation.level_crossing(margins, np.full(101, -2.0), 0.4)
    assert found == pytest.approx(float(linear.eps_at_error(margins, 2.0, 0.4)), rel=1e-12)
    assert evaluation.level_crossing(margins + 5, np.full(101, 2.0), 0.4) == np.inf


def test_scalars_cells_and_scenarios_give_the_same_study(study):
    images, _, whole = study
    view = grid.regular(whole)
    cells = []
    for e in (0.0, 0.1, 0.2):
        one = training.run(images, l2=[1e-3, 1e-1], eps_train=e, **SETTINGS)
        assert one["bias"].dims == ("l2",)
        cells.append(evaluation.run(one, images, positive=3, negative=7, eps=SIZES, root=0))
    collected = xr.combine_by_coords([c.expand_dims("eps_train") for c in cells], data_vars="all")
    named = xr.concat(
        [c.expand_dims("scenario") for c in cells], "scenario", data_vars="all", coords="different", compat="equals"
    )
    named = named.assign_coords(scenario=["a", "b", "c"])
    for other in (collected, named):
        again = grid.regular(other)
        assert again["tau"].dims == ("sample",)
        for name in ("test_error", "eps_at_40", "output"):
            np.testing.assert_allclose(again[name].transpose(*view[name].dims), view[name], atol=1e-5)
        assert grid.chosen(again).equals(grid.chosen(view))


def test_validation_chooses_and_not_test(study):
    _, _, found = study
    view = grid.regular(found)
    for e in view["eps_train"].values:
        error = view["validation_error"].sel(eps_train=e, eps=e, method="nearest")
        assert float(error.sel(l2=grid.choose(view, e, e))) == error.min()
    worse = found.assign(test_error=1 - found["test_error"], output=-found["output"])
    assert grid.chosen(grid.regular(worse)).equals(grid.chosen(view))
    stopped = view.assign(converged=xr.zeros_like(view["converged"]))
    assert np.isnan(grid.choose(stopped, 0.0, 0.0))


def test_claims(study):
    _, _, found = study
    table = claims.assess("logistic", declared.CLAIMS, found).set_index("claim")
    assert set(table["verdict"]) <= set(claims.VERDICTS)
    assert table.loc["monotone", "verdict"] == "reproduced"
    assert table.loc["fgsm_is_worst", "verdict"] == "reproduced"
    assert table.loc["forty_percent/l2=0.001", "measured"] == float(found["eps_at_40"].sel(l2=1e-3, eps_train=0))
    assert (table.loc[["kit_fox", "whisky_jug"], "verdict"] == "not testable").all()
    assert table.loc["protects/eps_train=0.2", "measured"] < 0


def test_claims_fail_where_they_must(study):
    _, _, found = study
    # no attack in training, and a model that is its own rival
    same = found.assign({name: found[name].isel(eps_train=[0, 0, 0]).assign_coords(eps_train=found["eps_train"])
                         for name in ("output", "weight_l1", "validation_output")})  # fmt: skip
    measured = declared.protects(same)
    assert all(m.value == 0 for m in measured.values())
    falling = found.assign(fgsm_error=found["fgsm_error"].copy(data=found["fgsm_error"].values[..., ::-1]))
    assert declared.monotone(falling).value < 0
    weaker = found.assign(fgsm_gap=found["fgsm_gap"] + 1e-9)
    table = claims.assess("logistic", declared.CLAIMS, weaker).set_index("claim")
    assert table.loc["fgsm_is_worst", "verdict"] == "not reproduced"
    # random signs that were as strong as the attack would leave the claim without power
    strong = found.assign(random_sign_eps_at_40=found["eps_at_40"] * 0 + 0.01)
    table = claims.assess("logistic", declared.CLAIMS, strong).set_index("claim")
    assert table.loc["forty_percent/l2=0.1", "verdict"] == "not tested"


def test_run_refuses_missing_classes_and_bad_eps(study):
    images, trained, _ = study
    with pytest.raises(DataError, match="none of class 9"):
        training.run(images, l2=1e-2, eps_train=0.0, **(SETTINGS | {"negative": 9}))
    with pytest.raises(DataError, match="two different classes"):
        training.run(images, l2=1e-2, eps_train=0.0, **(SETTINGS | {"negative": 3}))
    with pytest.raises(ValueError, match="l2 = 0 with eps_train = 0"):
        training.run(images, l2=[0.0, 1e-2], eps_train=[0.0, 0.1], **SETTINGS)
    with pytest.raises(ValueError, match="increasing"):
        evaluation.run(trained, images, positive=3, negative=7, eps=[0.1, 0.0], root=0)
    with pytest.raises(ValueError, match="pixels"):
        evaluation.run(trained, digits(shape=(3, 3)), positive=3, negative=7, eps=[0.0], root=0)


def test_variables_carry_units(study, tmp_path):
    _, trained, found = study
    for dataset in (trained, found):
        io.write(dataset, tmp_path / "a.nc", {}, [linear.__file__])
        io.read(tmp_path / "a.nc")
