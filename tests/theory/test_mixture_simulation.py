"""The simulations of the mixture study against each other and against what is known exactly."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from advdyn import lanes, seeds
from advdyn.mixture import errors, finite_size, full, lumped, simulation

ROOT = 20240
POINT = {"prior": 0.6, "rho": 2.0, "v1": 1.0, "v2": 0.5, "eta_w": 3.0, "eta_b": 1.0, "eps_train": 0.5}
RUN = {
    "dimension": 30,
    "R0": 0.2,
    "b0": -0.1,
    "alpha": [0.0, 1.0, 4.0],
    "full_alpha_max": 4.0,
    "eps": [0.0, 0.5, 1.0],
    "eps_report": 0.7,
    "test_examples": 3000,
    "root": ROOT,
    "seeds": [0, 1],
    "device": "cpu",
    "dtype": "float64",
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def task(dimension=10, alpha=(0.0, 1.0, 3.0), dtype="float64", R0=0.3, b0=0.1, **changes):
    axes = lanes.expand(**{**POINT, **changes})
    return full.Task(axes, dimension, R0, b0, list(alpha), ROOT, "test", dtype)


def chain(seed_list, dimension=10, alpha=(0.0, 1.0, 3.0), R0=0.3, b0=0.1, **changes):
    return lumped.trajectories(
        lanes.expand(**{**POINT, **changes}), dimension, R0, b0, list(alpha), ROOT, "test", seed_list
    )


def stream(job, seed, steps):
    """The first label uniforms (steps,) and normals (steps, N) of a seed's training, as float64."""
    uniform, normal = np.empty(0), np.empty((0, job.dimension))
    for u, z in full.blocks(job, seed, "training"):
        uniform, normal = np.append(uniform, u), np.concatenate([normal, z.numpy()])
        if len(uniform) >= steps:
            return uniform[:steps], normal[:steps]
    return None


# --- the step ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [-1.0, 1.0])
def test_loss_derivative_is_that_of_the_loss(tau):
    x = np.concatenate([np.linspace(-9, 9, 20_001), [-1e300, 1e300, -np.inf, np.inf]])
    with np.errstate(over="ignore"):
        expected = -tau * special.erfc(tau * x) * 2 / np.sqrt(np.pi) * np.exp(-x * x)
    found = np.array([lumped.loss_derivative(value, tau) for value in x])
    assert np.abs(found - expected).max() < 2e-15
    assert lumped.loss_derivative(np.nan, tau) == 0


def numpy_step(w, b, tau, z, B, prior, rho, v1, v2, eta_w, eta_b, eps_train):
    """One step as it is written on paper."""
    xi = tau * rho / 2 * B + np.sqrt(v1 if tau > 0 else v2) * z
    attacked = xi - tau * eps_train * w
    x = w @ attacked - b
    F = (special.erf(x) - tau) * 2 / np.sqrt(np.pi) * np.exp(-x * x)
    new = w - eta_w / len(w) * F * attacked
    return new / np.linalg.norm(new), b + eta_b / len(w) * F


@pytest.mark.parametrize("dimension", [2, 10, 400])
def test_full_stream_takes_the_step_of_the_model(dimension):
    steps = np.arange(100)
    job = task(dimension, steps / dimension)
    path = full.train(job, 5)
    uniform, normal = stream(job, 5, len(steps))
    w, b = full.initial_weights(job, 5, path.teacher), job.b0
    for k in steps:
        assert np.abs(path.weights[k, 0] - w).max() < 1e-12
        assert abs(path.b[k, 0] - b) < 1e-12
        tau = 1.0 if uniform[k] < POINT["prior"] else -1.0
        w, b = numpy_step(w, b, tau, normal[k], path.teacher, **POINT)
    assert np.abs(np.linalg.norm(path.weights, axis=2) - 1).max() < 1e-14


@pytest.mark.parametrize("dimension", [2, 10, 1000])
@pytest.mark.parametrize("eta_w", [0.04, 3.0])
def test_chain_fed_with_the_projected_noise_follows_the_full_path(dimension, eta_w):
    steps = np.arange(300)
    job = task(dimension, steps / dimension, eta_w=eta_w)
    path = full.train(job, 1)
    uniform, z = stream(job, 1, len(steps))
    w, R = path.weights[:, 0], path.R[:, 0]
    e = path.teacher - R[:, None] * w
    e /= np.linalg.norm(e, axis=1)[:, None]
    along_w, along_e = np.sum(w * z, axis=1), np.sum(e * z, axis=1)
    rest = np.maximum(np.sum(z * z, axis=1) - along_w**2 - along_e**2, 0)
    state_R, state_b = np.full((1, 1), job.R0), np.full((1, 1), job.b0)
    fixed = lumped.constants(job.axes, dimension)
    noise = np.stack([along_w, along_e])[None]
    for k in steps:
        assert abs(state_R[0, 0] - R[k]) < 1e-12
        assert abs(state_b[0, 0] - path.b[k, 0]) < 1e-12
        lumped.advance(state_R, state_b, uniform[None], noise, rest[None], k, k + 1, fixed)
    assert np.ptp(R) > 1e-3  # the path went somewhere


# --- the law ----------------------------------------------------------------------------------------------------------

LEVEL = 1e-3  # chance that the comparison of right code fails on new seeds; Bonferroni over the statistics compared
REPLICATES = 4000


def smallest_p(a, b):
    """The least p-value of the two-sample Kolmogorov-Smirnov tests of each column, times their number."""
    return min(stats.ks_2samp(x, y).pvalue for x, y in zip(a.T, b.T, strict=True)) * a.shape[1]


@pytest.mark.slow
def test_lumped_chain_has_the_law_of_the_full_stream(monkeypatch):
    alpha = (1.0, 3.0, 10.0)
    job = task(alpha=alpha)
    paths = [full.train(job, seed) for seed in range(REPLICATES)]
    sample = np.concatenate([[p.R[:, 0] for p in paths], [p.b[:, 0] for p in paths]], axis=1)

    def draw(first):  # seeds disjoint from the full stream's: the two samples must be independent
        R, b = chain(range(first, first + REPLICATES), alpha=alpha)
        return np.concatenate([R[:, 0], b[:, 0]], axis=1)

    assert smallest_p(sample, draw(REPLICATES)) > LEVEL

    # the control: with chi2 replaced by its mean, the same test at the same size must notice
    drawn = lumped.Numbers.draw

    def without_fluctuation(self):
        drawn(self)
        self.chi2[:] = 2 * self.shape

    monkeypatch.setattr(lumped.Numbers, "draw", without_fluctuation)
    assert smallest_p(sample, draw(2 * REPLICATES)) < LEVEL


# --- what a result must not depend on ---------------------------------------------------------------------------------


def test_a_seed_does_not_depend_on_its_block():
    together, alone = chain(range(20)), chain([17])
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a[17], b[0])
    for simulator in ("lumped", "full"):
        block = simulation.run(simulator, **POINT, **{**RUN, "seeds": list(range(8))})
        one = simulation.run(simulator, **POINT, **{**RUN, "seeds": [3]})
        for name in one.data_vars:
            np.testing.assert_array_equal(block[name].sel(seed=[3]).values, one[name].values, err_msg=name)
        assert len(np.unique(block.R_sim.values[:, -1])) == 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_lane_does_not_depend_on_its_neighbours(dtype):
    for simulator in ("lumped", "full"):
        settings_ = {**RUN, "dtype": dtype}
        many = simulation.run(simulator, **{**POINT, "eps_train": [0.0, 0.5, 2.0], "prior": [0.3, 0.6]}, **settings_)
        one = simulation.run(simulator, **POINT, **settings_)
        for name in one.data_vars:
            values = many[name].sel(prior=0.6, eps_train=0.5).values
            np.testing.assert_array_equal(values, one[name].values, err_msg=name)


def test_lanes_share_random_numbers():
    dataset = simulation.run("full", **{**POINT, "v1": [1.0, 1.0]}, **RUN)
    for name in dataset.data_vars:
        values = dataset[name].transpose("v1", ...).values
        np.testing.assert_array_equal(values[0], values[1], err_msg=name)


def test_records_do_not_disturb_the_path():
    rows = full.training_rows(30)
    ends = [0.5, 100.0, lumped.BLOCK / 30, rows / 30, (rows + 1) / 30]
    ends.sort()
    few, many = [ends[-1]], ends
    np.testing.assert_array_equal(chain([0], 30, few)[0][..., -1], chain([0], 30, many)[0][..., -1])
    np.testing.assert_array_equal(full.train(task(30, few), 0).weights[-1], full.train(task(30, many), 0).weights[-1])
    for end in ends:  # and a record amid a longer path is the end of a shorter one
        np.testing.assert_array_equal(chain([0], 30, [end])[1][..., 0], chain([0], 30, many)[1][..., ends.index(end)])


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True), st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_plan_takes_every_step_once_and_records_on_time(steps, rows):
    steps = np.array(sorted(steps))
    at, seen = 0, []
    for block, moves in enumerate(lumped.plan(steps, rows)):
        assert at == block * rows
        for first, last, record in moves:
            assert block * rows + first == at
            assert first <= last <= rows
            at = block * rows + last
            if record is not None:
                assert at == steps[record]
                seen.append(record)
    assert seen == list(range(len(steps)))
    assert at == steps[-1]


def test_recorded_at_the_nearest_step():
    assert lumped.record_steps([0.0, 0.04, 0.06, 1.0], 10).tolist() == [0, 0, 1, 10]


# --- the two implementations of the full stream -----------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 20, 300])
def test_torch_batch_equals_numba(dimension):
    job = task(dimension, (0.0, 50 / dimension, 250 / dimension), eps_train=[0.0, 0.5], prior=[0.3, 0.6])
    batch = full.train_batch(job, [0, 1, 2], torch.device("cpu"))
    for seed, b in enumerate(batch):
        a = full.train(job, seed)
        assert np.abs(a.weights - b.weights).max() < 1e-12
        assert np.abs(a.R - b.R).max() < 1e-12
        assert np.abs(a.b - b.b).max() < 1e-12


def test_batches_of_bounded_memory_give_the_same(monkeypatch):
    job = task()
    whole = list(full.trajectories(job, [0, 1, 2], torch.device("cpu")))
    monkeypatch.setattr(full, "BATCH_BYTES", 600_000)  # two seeds fit
    monkeypatch.setattr(torch, "device", lambda kind: type("Other", (), {"type": "other"})())
    train_batch = full.train_batch
    sizes = []

    def on_cpu(job, seed_list, device):
        sizes.append(len(seed_list))
        return train_batch(job, seed_list, "cpu")

    monkeypatch.setattr(full, "train_batch", on_cpu)
    parts = list(full.trajectories(job, [0, 1, 2], torch.device("other")))
    assert sizes == [2, 1]
    assert [p.seed for p in parts] == [0, 1, 2]
    for a, b in zip(whole, parts, strict=True):
        assert np.abs(a.R - b.R).max() < 1e-12


@pytest.mark.parametrize("implementation", ["numba", "torch"])
def test_float32_stays_close_to_float64(implementation):
    single, double = task(200, (0.0, 5.0), "float32"), task(200, (0.0, 5.0))
    if implementation == "numba":
        a, b = full.train(single, 0), full.train(double, 0)
    else:
        a, b = (full.train_batch(job, [0], torch.device("cpu"))[0] for job in (single, double))
    assert a.weights.dtype == np.float32
    assert 0 < np.abs(a.R - b.R).max() < 1e-5
    assert np.abs(a.b - b.b).max() < 1e-5
    assert np.abs(np.linalg.norm(a.weights.astype(float), axis=2) - 1).max() < 1e-6


# --- limits and edges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("R0", [-1.0, 0.0, 0.7, 1.0])
def test_time_zero_is_the_initial_condition(R0):
    R, b = chain([0], alpha=[0.0], R0=R0, b0=-0.4)
    assert R.item() == R0
    assert b.item() == -0.4
    path = full.train(task(alpha=[0.0], R0=R0, b0=-0.4), 0)
    assert abs(path.R.item() - R0) < 1e-15
    assert path.b.item() == -0.4


@pytest.mark.parametrize("simulator", ["lumped", "full"])
def test_no_learning_rate_no_motion(simulator):
    dataset = simulation.run(simulator, **{**POINT, "eta_w": 0.0, "eta_b": 0.0}, **RUN)
    np.testing.assert_allclose(dataset.R_sim, RUN["R0"], rtol=0, atol=1e-13)
    assert (dataset.b_sim == RUN["b0"]).all()


@pytest.mark.parametrize("simulator", ["lumped", "full"])
def test_two_dimensions(simulator):
    dataset = simulation.run(simulator, **POINT, **{**RUN, "dimension": 2, "alpha": [0.0, 50.0], "full_alpha_max": 50})
    assert np.isfinite(dataset.R_sim).all()
    assert (abs(dataset.R_sim) <= 1 + 1e-15).all()
    assert (dataset.diverged == 0).all()


@pytest.mark.parametrize("simulator", ["lumped", "full"])
@pytest.mark.parametrize(
    ("dtype", "eta_w"), [("float32", 1e22), ("float32", 1e200), ("float64", 1e160), ("float64", 1e200)]
)
def test_divergence_is_marked(simulator, dtype, eta_w):
    """At the smaller eta_w |w|^2 overflows and w does not: normalising would hide it."""
    if simulator == "lumped":
        eta_w = max(eta_w, 1e160)  # float64 always
    lanes_ = {**POINT, "eta_w": [0.1, eta_w], "eta_b": 1e308}
    dataset = simulation.run(simulator, **lanes_, **{**RUN, "dtype": dtype})
    assert dataset.diverged.values.tolist() == [[0, 1]] * 2
    lost = dataset.isel(eta_w=1)
    for name in dataset.data_vars:
        if "alpha" in dataset[name].dims:
            assert np.isfinite(lost[name].isel(alpha=0)).all(), name
            assert np.isnan(lost[name].isel(alpha=slice(1, None))).all(), name
        if "eps" in dataset[name].dims:
            assert np.isnan(lost[name]).all(), name
    assert np.isfinite(dataset.isel(eta_w=0).R_sim).all()


@pytest.mark.parametrize("eta_w", [1e160, 1e200])
def test_divergence_is_marked_by_the_batch(eta_w):
    path = full.train_batch(task(eta_w=eta_w, eta_b=0.0), [0], torch.device("cpu"))[0]
    assert np.isfinite(path.R[0]).all()
    assert np.isnan(path.R[1:]).all()
    assert np.isnan(path.b[1:]).all()


def test_sampled_errors_are_those_of_the_state():
    examples = 5000
    dataset = simulation.run(
        "full",
        **{**POINT, "eps_train": [0.0, 0.5], "prior": [0.5, 0.8]},
        **{**RUN, "test_examples": examples, "seeds": list(range(10))},
    )
    pairs = [(f"{name}_sampled", f"{name}_sim") for name in ("test_error", "adversarial_error", "robustness")]
    for sampled, exact in [*pairs, ("adversarial_error_report_sampled", "adversarial_error_report_sim")]:
        p = dataset[exact]
        z = ((dataset[sampled] - p) / np.sqrt(p * (1 - p) / examples)).values
        assert np.abs(z).max() < 5, sampled  # fewer than 200 values each: 1e-4 by chance
        by_seed = z.reshape(10, -1).mean(1)  # seeds are independent, times and lanes are not
        assert abs(by_seed.mean()) < 4 * by_seed.std(ddof=1) / np.sqrt(10), sampled
        assert (dataset[sampled].values != p.values).any()


def test_kept_potentials_have_the_moments_of_their_class():
    dataset = simulation.run("full", **POINT, **{**RUN, "seeds": list(range(20))})
    R = dataset.R_sim.isel(alpha=-1)
    for tau, v in ((1, POINT["v1"]), (-1, POINT["v2"])):
        of_class = dataset.label == tau
        h = ((dataset.h_test - tau * POINT["rho"] / 2 * R) / np.sqrt(v)).where(of_class)
        y = ((dataset.y_test - tau * POINT["rho"] / 2) / np.sqrt(v)).where(of_class)
        n = float(of_class.sum())
        for values in (h, y):
            assert abs(values.mean()) < 4 / np.sqrt(n)
            assert abs(values.var() - 1) < 4 * np.sqrt(2 / n)
        assert abs(((h * y).mean("example") - R).mean()) < 4 / np.sqrt(n)


def test_closed_form_errors_are_those_of_R_and_b():
    dataset = simulation.run("lumped", **{**POINT, "eps_train": [0.0, 0.5]}, **RUN)
    law = {name: POINT[name] for name in ("prior", "rho", "v1", "v2")}
    eps = dataset.eps_train.values[:, None]
    expected = errors.adversarial_error(dataset.R_sim.values, dataset.b_sim.values, eps, **law)
    np.testing.assert_array_equal(dataset.adversarial_error_sim, expected)
    np.testing.assert_array_equal(dataset.robustness_sim.isel(eps=0), dataset.test_error_sim.isel(alpha=-1))
    assert (dataset.robustness_sim.diff("eps") >= 0).all()


# --- the dataset ------------------------------------------------------------------------------------------------------


def test_dataset_is_labelled():
    for simulator, device in (("lumped", "auto"), ("full", "cpu")):
        dataset = simulation.run(
            simulator, **{**POINT, "eps_train": [0.0, 0.5], "prior": [0.5, 0.8]}, **{**RUN, "device": device}
        )
        assert dataset.R_sim.dims == ("seed", "prior", "eps_train", "alpha")
        assert dataset.robustness_sim.dims == ("seed", "prior", "eps_train", "eps")
        assert dataset.diverged.dims == ("seed", "prior", "eps_train")
        assert dataset.attrs["device"] == "cpu"
        assert dataset.attrs["dtype"] == "float64"
        assert dataset.seed.values.tolist() == RUN["seeds"]
        for name, variable in dataset.variables.items():
            assert {"units", "long_name"} <= set(variable.attrs), name
    assert dataset.h_test.dims == dataset.label.dims == ("seed", "prior", "eps_train", "example")
    assert set(np.unique(dataset.label)) == {-1, 1}


def test_full_stream_stops_at_its_own_end():
    dataset = simulation.run("full", **POINT, **{**RUN, "full_alpha_max": 2.0})
    assert dataset.alpha.values.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulator": "ode"}, "allowed: lumped, full"),
        ({"alpha": [1.0, 0.5]}, "increasing"),
        ({"alpha": [-1.0, 0.5]}, "increasing"),
        ({"alpha": []}, "increasing"),
        ({"dimension": 1}, "N >= 2"),
        ({"simulator": "full", "full_alpha_max": -1.0}, "full_alpha_max"),
    ],
)
def test_what_cannot_be_run_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        simulation.run(**{"simulator": "lumped", **POINT, **RUN, **changes})


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_missing_device_is_an_error():
    with pytest.raises(RuntimeError, match="cuda"):
        simulation.run("full", **POINT, **{**RUN, "device": "cuda"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu():
    job = task(50, (0.0, 1.0, 5.0), eps_train=[0.0, 0.5])
    for a, seed in zip(full.trajectories(job, [0, 1], torch.device("cuda")), [0, 1], strict=True):
        b = full.train(job, seed)
        assert np.abs(a.weights - b.weights).max() < 1e-11


def test_lumped_run_does_not_import_torch():
    root = Path(simulation.__file__).parents[2]
    command = "import sys; from advdyn.mixture import simulation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=root, check=False).returncode == 0


# --- finite size ------------------------------------------------------------------------------------------------------


def scaling(**changes):
    arguments = {
        "R0": 0.2,
        "b0": 0.0,
        "scaling_dimensions": [100, 1000],
        "scaling_alpha": 5.0,
        "scaling_seeds": 200,
        "potential_dimensions": [2, 5],
        "potential_examples": 4000,
        "root": ROOT,
    }
    return finite_size.run(**{**POINT, "eta_w": 0.5, **arguments, **changes})


def test_fluctuations_shrink_like_one_over_N():
    dataset = scaling()
    ratio = dataset.R_scaling.var("seed").sel(dimension=100) / dataset.R_scaling.var("seed").sel(dimension=1000)
    assert 6 < ratio < 16  # 10 in the limit; the ratio of two sample variances of 200 has a relative error of 0.14


def test_streams_are_disjoint_across_dimensions():
    first = [
        seeds.generator(ROOT, finite_size.stream_name(part, dimension), seed, purpose).random()
        for part in ("fluctuations", "potential")
        for dimension in (2, 5, 20, 100, 1000, 10000)
        for seed in range(50)
        for purpose in seeds.PURPOSES
    ]
    assert len(set(first)) == len(first)


def test_potential_is_gaussian_at_any_dimension():
    dataset = scaling(eps_train=[0.0, 0.5])
    p = [
        stats.kstest(values[of_class == tau], "norm").pvalue
        for n in (2, 5)
        for lane in (0, 1)
        for values, of_class in [
            (
                dataset.potential.sel(potential_dimension=n, noise="gaussian").values[lane],
                dataset.potential_label.sel(potential_dimension=n).values[lane],
            )
        ]
        for tau in (-1, 1)
    ]
    assert min(p) * len(p) > LEVEL
    control = dataset.potential.sel(potential_dimension=2, noise="rademacher", eps_train=0.5).values
    assert stats.kstest(control, "norm").pvalue < 1e-6
    assert len(np.unique(control.round(9))) == 4  # +-w_1 +-w_2


def test_sizes_do_not_depend_on_each_other():
    both, one = scaling(), scaling(scaling_dimensions=[1000], potential_dimensions=[5])
    np.testing.assert_array_equal(both.R_scaling.sel(dimension=[1000]), one.R_scaling)
    np.testing.assert_array_equal(both.potential.sel(potential_dimension=[5]), one.potential)
    for name, variable in both.variables.items():
        assert {"units", "long_name"} <= set(variable.attrs), name
