"""Bounds of the study turing hold for gradient descent, and only with what they are made of; the Gram matrices."""

import numpy as np
import pytest
import torch
import xarray as xr

from advdyn import ode
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.turing import bounds, gram, population, training

N, D, M = 12, 30, 200
POINT = {
    "dataset": "gaussian", "net": "theory", "n": N, "width": M, "adversary_weight": 1.0, "sign": "minus", "penalty": 10.0, "critic_width": 16,
    "critic_steps": 1, "critic_rate": 0.1, "target_slope": 1.0, "critic_argument": "normalised", "control": "none",
    "frozen_steps": 10, "field_time": 10.0, "activation": "relu", "initial_scale": 1.0, "inputs": "unit",
    "optimiser": "gd", "batch": 4, "form": "auto", "eta": 0.1, "duration": 40.0,
    "times": [0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0], "gram_every": 1, "filters": 2,
    "adversary": ["without", "with"], "root": 0, "device": "cpu", "dtype": "float64", "seeds": [0, 1],
}  # fmt: skip
DELTAS = [0.05, 0.5]
ACTIVATIONS = {
    "relu": torch.relu, "leaky": torch.nn.functional.leaky_relu, "softplus": torch.nn.functional.softplus,
    "tanh": torch.tanh,
}  # fmt: skip


def gaussian(n=N, d=D, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    y = np.arange(n) % classes
    none, nobody = np.zeros((0, d)), np.zeros(0, np.int64)
    return Images(x, y, none, nobody, none, nobody, (d,))


IMAGES = gaussian()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def descend(pull, *, x, m=M, eta=0.1, steps=200, every=5, seed=0):
    """Plain gradient descent of the theory net with a given pull q(k, z), and what the bounds read of it."""
    rng = np.random.default_rng(seed)
    n = len(x)
    k = x @ x.T
    v = rng.choice([-1.0, 1.0], m)
    u0 = rng.normal(size=(m, x.shape[1]))
    y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    u, rows = u0.copy(), []
    sums = dict.fromkeys(("xi_integral", "tv_q", "remainder", "mu"), 0.0) | {"gram_inf": np.inf, "gram_sup": 0.0}
    expected = q = None
    for step in range(steps + 1):
        p = u @ x.T
        active = (p > 0).astype(float)
        z = v @ (p * active) / np.sqrt(m)
        before, q = q, pull(step, z)
        xi = z - y - q
        h = gram.empirical(k, active)
        low, high = gram.extreme_eigenvalues(h)
        sums["gram_inf"], sums["gram_sup"] = min(low, sums["gram_inf"]), max(high, sums["gram_sup"])
        sums["mu"] = max(sums["mu"], np.abs(q).sum())
        if step:
            sums["tv_q"] += np.linalg.norm(q - before)
            sums["remainder"] += np.linalg.norm(z - expected)
        if step % every == 0:
            now = {"error": np.linalg.norm(z - y), "xi": np.linalg.norm(xi), "w_sup": 1.0, **sums}
            rows.append({**now, "time": step * eta, "du": np.linalg.norm(u - u0, axis=1)})
        sums["xi_integral"] += eta * np.linalg.norm(xi)
        expected = z - eta * h @ xi
        u -= eta * (v[:, None] / np.sqrt(m)) * ((active * xi) @ x)
    series = {
        name: (["lane", "seed", "time"], [[[row[name] for row in rows]]])
        for name in rows[0]
        if name not in ("time", "du")
    }
    per_neuron = {
        "du": (["lane", "seed", "time", "neuron"], np.array([[[row["du"] for row in rows]]])),
        "c_sup": (["lane", "seed", "neuron"], np.full((1, 1, m), 1 / np.sqrt(m))),
        "sigma_sup": (["lane", "seed", "neuron"], np.ones((1, 1, m))),
        "diverged_at": (["lane", "seed"], [[np.nan]]),
    }
    coords = {
        "adversary": ("lane", ["with"]), "adversary_weight": ("lane", [1.0]), "penalty": ("lane", [10.0]), "seed": [0],
        "time": [row["time"] for row in rows],
    }  # fmt: skip
    return xr.Dataset({**series, **per_neuron}, coords)


def bounded(record, images=IMAGES, **changed):
    return bounds.run(record, images, deltas=DELTAS, point={**POINT, **changed})


def still(step, z):
    return np.zeros_like(z)


def sweeping(step, z):
    """A pull of constant size that turns around, along the slowest direction of the outputs."""
    return 3 * np.cos(0.1 * step) * DIRECTION


def drifting(step, z):
    """A pull that grows along it."""
    return 0.1 * step * DIRECTION


def jerking(step, z):
    """A pull that jumps at random."""
    return 2 * np.random.default_rng(step).choice([-1.0, 1.0], N)


X = unit(IMAGES.x_train)
DIRECTION = np.linalg.eigh(gram.infinity(X))[1][:, 0]


class TestGram:
    def test_closed_form_is_the_mean_over_gaussian_neurons(self):
        """Entries of 4e5 neurons: |difference| <= 4.5 standard errors in 78 entries, false alarm 5e-4."""
        x, draws = X.copy(), 400_000
        active = np.random.default_rng(1).normal(size=(draws, D)) @ x.T > 0
        share = active.T.astype(float) @ active / draws
        k = x @ x.T
        error = np.abs(k) * np.sqrt(share * (1 - share) / draws)
        wrong = k * (np.pi - 2 * np.arccos(np.clip(k, -1, 1))) / (2 * np.pi)
        assert np.all(np.abs(k * share - gram.infinity(x)) <= 4.5 * error + 1e-12)
        assert not np.all(np.abs(k * share - wrong) <= 4.5 * error + 1e-12)

    def test_known_entries(self):
        """Equal inputs 1/2, orthogonal and opposite ones 0, at 60 degrees 1/6."""
        x = np.array([[1, 0], [1, 0], [0, 1], [-1, 0], [0.5, np.sqrt(0.75)]])
        assert np.allclose(gram.infinity(x)[0], [0.5, 0.5, 0, 0, 1 / 6], atol=1e-15)

    def test_inputs_of_another_length_are_refused(self):
        with pytest.raises(InputError, match="inputs: found an input of length"):
            gram.infinity(2 * X)

    def test_wide_network_attains_the_limit(self):
        p = np.random.default_rng(0).normal(size=(400_000, D)) @ X.T
        h = gram.empirical(X @ X.T, p > 0)
        assert np.abs(h - gram.infinity(X)).max() < 4.5 * 0.5 / np.sqrt(len(p))

    def test_torch_and_numpy_agree_over_a_batch(self):
        active = np.random.default_rng(0).random((3, 2, M, N)) > 0.5
        k = X @ X.T
        both = gram.empirical(torch.from_numpy(k), torch.from_numpy(active)).numpy()
        assert np.allclose(both, gram.empirical(k, active), rtol=1e-14)
        assert np.allclose(
            both[1, 0],
            [[k[i, j] * (active[1, 0, :, i] & active[1, 0, :, j]).mean() for j in range(N)] for i in range(N)],
        )

    @pytest.mark.parametrize("activation", ["relu", "leaky", "softplus", "tanh"])
    @pytest.mark.parametrize("top", [False, True])
    def test_block_kernel_is_the_square_of_the_jacobian(self, activation, top):
        rng = np.random.default_rng(0)
        x, u, v = rng.normal(size=(4, 6)), rng.normal(size=(9, 6)), rng.normal(size=(3, 9))
        act = ACTIVATIONS[activation]

        def outputs(u, v):
            return (v @ act(u @ torch.from_numpy(x).T)).T.reshape(-1) / np.sqrt(3 * 9)

        parts = torch.autograd.functional.jacobian(outputs, (torch.from_numpy(u), torch.from_numpy(v)))
        jacobian = torch.cat([part.reshape(12, -1) for part in parts[: 1 + top]], 1).numpy()
        assert np.allclose(gram.block_kernel(x, u, v, activation, top), jacobian @ jacobian.T, rtol=1e-12, atol=1e-14)
        pair = gram.block_kernel(x, np.stack([u, u[::-1]]), np.stack([v, v]), activation, top)
        assert np.allclose(pair[0], jacobian @ jacobian.T)
        assert not np.allclose(pair[1], pair[0])

    def test_block_kernel_of_one_output_is_the_empirical_gram_matrix(self):
        u = np.random.default_rng(0).normal(size=(M, D))
        v = np.where(np.arange(M) % 3, 1.0, -1.0)[None]
        assert np.allclose(gram.block_kernel(X, u, v, "relu", top=False), gram.empirical(X @ X.T, u @ X.T > 0))

    @pytest.mark.parametrize("rank", [40, 60])
    def test_lanczos_finds_the_extremes_of_a_full_decomposition(self, rank, monkeypatch):
        """Of a regular matrix and of a singular one."""
        a = np.random.default_rng(0).normal(size=(60, rank)) * np.linspace(0.1, 1, rank)
        h = a @ a.T / rank
        whole = gram.extreme_eigenvalues(h)
        assert np.allclose(whole, np.linalg.eigvalsh(h)[[0, -1]], atol=1e-12)
        monkeypatch.setattr(gram, "WHOLE", 10)
        monkeypatch.setattr(gram.linalg, "eigvalsh", None)
        assert np.allclose(gram.extreme_eigenvalues(h), whole, rtol=1e-7, atol=1e-8 * whole[1])

    def test_spectrum_of_what_is_not_finite_is_not_a_number(self):
        assert np.isnan(gram.extreme_eigenvalues(np.full((3, 3), np.inf))).all()


class TestPopulation:
    T = np.linspace(0, 9, 7)
    R, K, START = (np.array(a) for a in ([0.5, 2.0, 1.0], [3.0, 0.7, 2.0], [0.2, 5.0, 4.0]))

    @pytest.mark.parametrize("name", ["bernoulli", "logistic"])
    def test_closed_form_solves_the_equation(self, name):
        slope, solution = getattr(population, f"{name}_slope"), getattr(population, name)
        numerical = ode.integrate(
            lambda t, y, i: slope(y, self.R[i], self.K[i]), self.START[None], self.T, rtol=1e-10, atol=1e-13
        )[0]
        closed = solution(self.T, self.R[:, None], self.K[:, None], self.START[:, None])
        assert np.allclose(closed, numerical, rtol=1e-8)
        assert not np.allclose(
            solution(self.T, 1.01 * self.R[:, None], self.K[:, None], self.START[:, None]), numerical, rtol=1e-4
        )

    @pytest.mark.parametrize(("name", "power"), [("bernoulli", 2), ("logistic", 1)])
    def test_fixed_points_are_k_squared_and_k(self, name, power):
        end = getattr(population, name)(1e3, 1.0, 3.0, 0.5)
        assert np.isclose(end, 3.0**power)
        assert abs(getattr(population, f"{name}_slope")(3.0**power, 1.0, 3.0)) < 1e-12
        assert abs(getattr(population, f"{name}_slope")(3.0 ** (3 - power), 1.0, 3.0)) > 0.5

    def test_the_population_relaxes_at_r_and_the_residual_at_half_the_ratio(self):
        r, k = 0.8, 2.0
        for name, limit, rate in (("bernoulli", k**2, r / (2 * k)), ("logistic", k, r)):
            t = 12 / rate
            late = abs(getattr(population, name)(np.array([t, t + 1]), r, k, 0.3) - limit)
            assert np.isclose(np.log(late[0] / late[1]), rate, rtol=1e-4)

    def test_both_solutions_from_no_residual(self):
        """From 0 the slope is 0, and so is the returned solution's, which nevertheless grows; P = 0 stays."""
        t, h, (r, k) = 2.0, 1e-5, (0.7, 1.3)
        grows = population.bernoulli(t, r, k, 0.0)
        slope = (population.bernoulli(t + h, r, k, 0.0) - population.bernoulli(t - h, r, k, 0.0)) / (2 * h)
        assert grows > 0.1
        assert np.isclose(slope, population.bernoulli_slope(grows, r, k), rtol=1e-7)
        assert population.bernoulli_slope(0.0, r, k) == 0
        assert population.logistic(t, r, k, 0.0) == 0

    def test_limit_without_an_adversary(self):
        """r and K to 0 at a fixed ratio: exponential decay, and decay of second order; the functions are continuous."""
        rate = 0.4
        none, little = np.zeros(1), np.full(1, 1e-9)
        assert np.allclose(population.bernoulli(self.T, none, none, 3.0, rate), 3 * np.exp(-rate * self.T))
        assert np.allclose(population.logistic(self.T, none, none, 3.0, rate), 3 / (1 + 3 * rate * self.T))
        for f in (population.bernoulli, population.logistic):
            assert np.allclose(f(self.T, none, none, 3.0, rate), f(self.T, rate * little, little, 3.0), rtol=1e-7)


class TestOwnDescent:
    """On plain gradient descent written here, with pulls that no critic would make."""

    @pytest.mark.parametrize("pull", [still, sweeping, drifting, jerking])
    @pytest.mark.parametrize("eta", [0.02, 0.5, 1.2])
    def test_rigorous_bounds_hold(self, pull, eta):
        found = bounded(descend(pull, x=X, eta=eta, every=1), eta=eta)
        for bound in ("B3", "B4") + (("B1a",) if pull is still else ()):
            assert found["asserted"].sel(bound=bound).item() == 1
            assert 0 < found["ratio"].sel(bound=bound).item() <= 1
        assert np.isnan(found["ratio"].sel(bound="B1a").item()) == (pull is not still)

    def test_a_moving_pull_needs_its_variation(self):
        """The control: without TV(q) a pull that goes on moving carries neurons out of the bound."""
        record = descend(drifting, x=X, m=2000, eta=1.0, steps=300, every=50)
        without = bounded(record.assign(tv_q=0 * record["tv_q"]), eta=1.0, width=2000)
        assert without["ratio"].sel(bound="B3").item() > 1
        assert 0.1 < bounded(record, eta=1.0, width=2000)["ratio"].sel(bound="B3").item() <= 1

    def test_effective_residual_obeys_the_recurrence_behind_the_bounds(self):
        """With its remainder; the same without it fails."""
        record = descend(jerking, x=X, eta=0.5, every=1)
        low, high = (record[name].values.ravel() for name in ("gram_inf", "gram_sup"))
        rate = 1 - 0.5 * np.minimum(low, 2 / 0.5 - high)[-1]
        xi, tv, rest = (record[name].values.ravel() for name in ("xi", "tv_q", "remainder"))
        assert np.all(xi[1:] <= (rate * xi[:-1] + np.diff(tv) + np.diff(rest)) * (1 + 1e-12))

    def test_bounds_begin_at_zero_and_grow(self):
        found = bounded(descend(sweeping, x=X))["distance_bound"].sel(bound=["B2", "B3", "B4"]).squeeze()
        assert np.all(found.isel(time=0) == 0)
        assert np.all(found.diff("time") > 0)

    def test_closed_forms_of_each_bound(self):
        """Written once more from the formulas of the paper, at a small step and of a residual that is known."""
        record = descend(still, x=X, eta=1e-3, steps=2000, every=200)
        found = bounded(record, eta=1e-3)
        t, start = record["time"].values, record["error"].values.ravel()[0]
        least, most = np.linalg.eigvalsh(gram.infinity(X))[[0, -1]]
        first = 2 * np.sqrt(N) * start / (np.sqrt(M) * least) * (1 - np.exp(-least * t / 2))
        assert np.allclose(found["distance_bound"].sel(bound="B1").squeeze(), first, rtol=1e-3)
        assert np.allclose(found["distance_bound"].sel(bound="B2").squeeze(), first, rtol=1e-3)
        pulled = descend(sweeping, x=X, eta=1e-3, steps=2000, every=200)
        found = bounded(pulled, eta=1e-3)
        mu, kappa = pulled["mu"].values.ravel()[-1], (2 * most + least) / least
        second = (
            2 * np.sqrt(N) * (start - kappa * mu) / (np.sqrt(M) * least) * (1 - np.exp(-least * t / 2))
            + mu * (1 + kappa * np.sqrt(N)) * t / np.sqrt(M)
        )  # fmt: skip
        assert np.allclose(found["distance_bound"].sel(bound="B2").squeeze(), second, rtol=1e-3, atol=1e-9)
        assert np.isclose(found["hypothesis"].item(), kappa * mu / start)
        prior = (
            2 * np.sqrt(1.5) * N**1.5 / (np.sqrt(M) * least * 0.05) * (1 - np.exp(-least * t / 2))
            + N * np.sqrt(2 * np.log(40) / 16) * (1 + kappa * np.sqrt(N)) * t / np.sqrt(M)
        )  # fmt: skip
        assert np.allclose(found["bound_prior"].sel(delta=0.05).squeeze(), prior)

    @pytest.mark.parametrize("pull", [still, jerking])
    def test_rigorous_bounds_are_these_formulas(self, pull):
        """With the remainder, which is no small part here; the share of it is reported."""
        record = descend(pull, x=X, eta=0.5, m=50, steps=40)
        record["c_sup"] = 3 * record["c_sup"]
        found = bounded(record, eta=0.5, width=50)
        e, xi, tv, rest, low, summed = (
            record[name].values.ravel() for name in ("error", "xi", "tv_q", "remainder", "gram_inf", "xi_integral")
        )
        c, steps = 3 * np.linalg.norm(X, 2) / np.sqrt(50), np.arange(0, 41, 5)
        gain = (1 - (1 - 0.5 * low) ** steps) / low
        value = found["distance_bound"].squeeze()
        assert np.allclose(value.sel(bound="B3"), c * gain * (xi[0] + tv + rest))
        assert np.allclose(value.sel(bound="B4"), c * summed)
        if pull is still:
            assert np.allclose(value.sel(bound="B1a"), c * gain * (e[0] + rest))
        share = (rest / (xi[0] + tv + rest))[-1]
        assert np.isclose(found["remainder_share"].item(), share)
        assert share > 0.003
        far = record["du"].max("neuron").squeeze()
        assert np.isclose(found["looseness"].sel(bound="B4").item(), c * summed[-1] / far[-1])
        assert np.isclose(found["ratio"].sel(bound="B4").item(), np.max(far[1:] / (c * summed[1:])))

    @pytest.mark.parametrize("pull", [still, sweeping, jerking])
    def test_residual_stays_below_bernoullis_solution(self, pull):
        """Where the pull is so strong that the theorem's premise fails, as well."""
        found = bounded(descend(pull, x=X))
        assert found["asserted"].sel(bound="B2").item() == 1
        assert found["residual_ratio"].item() <= 1
        assert (found["hypothesis"].item() > 1) == (pull is not still)
        assert np.allclose(found["psi_numerical"], found["psi_bernoulli"], rtol=1e-6)
        flow = np.sqrt(found["psi_bernoulli"])
        assert np.allclose(found["residual_bound"], flow, rtol=0.02, atol=0.2)

    def test_steps_too_large_are_not_asserted(self):
        """eta lambda_max > 2: the sum grows geometrically, and the bound says so by not being asserted."""
        record = descend(still, x=X, eta=0.5, steps=20, every=1)
        record["gram_sup"] += 4
        found = bounded(record, eta=0.5)
        assert found["asserted"].sel(bound=["B1", "B1a", "B2", "B3"]).values.sum() == 0
        assert found["asserted"].sel(bound="B4").item() == 1

    def test_what_each_bound_needs_decides_whether_it_is_asserted(self):
        record = descend(still, x=X)
        low, high = np.linalg.eigvalsh(gram.infinity(X))[[0, -1]]
        for name, values, wanted in (
            ("gram_inf", [0.51 * low, 0.49 * low], [[1, 1, 1, 1, 1], [0, 1, 0, 1, 1]]),
            ("gram_sup", [high + 0.49 * low, high + 0.51 * low], [[1, 1, 1, 1, 1], [1, 1, 0, 1, 1]]),
            ("diverged_at", [np.nan, 3.0], [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]),
        ):
            for value, expected in zip(values, wanted, strict=True):
                asserted = bounded(record.assign({name: xr.full_like(record[name], value)}))["asserted"].squeeze()
                assert [asserted.sel(bound=b).item() for b in ("B1", "B1a", "B2", "B3", "B4")] == expected

    def test_spectra_made_later_count_for_the_steps_before(self):
        """With gram_every > 1 the steps since the last spectrum are bounded by the next one."""
        record = descend(still, x=X)
        falling = record.assign(gram_inf=record["gram_inf"] * np.linspace(1, 0.5, record.sizes["time"]))
        end = record.assign(gram_inf=xr.full_like(record["gram_inf"], falling["gram_inf"].values.min()))
        b3 = [
            bounded(r, gram_every=k)["distance_bound"].sel(bound="B3")
            for r, k in ((falling, 5), (end, 1), (falling, 1))
        ]
        assert np.array_equal(b3[0], b3[1])
        assert not np.array_equal(b3[0], b3[2])


class TestGain:
    @pytest.mark.parametrize(("low", "high"), [(0.3, 1.0), (0.3, 15.0), (0.3, 19.9), (10.0, 10.0), (12.0, 13.0)])
    def test_is_the_sum_it_names(self, low, high):
        a = max(abs(1 - 0.1 * low), abs(1 - 0.1 * high))
        found = bounds.gain(np.array(low), np.array(high), 0.1, np.array([0, 1, 25]))
        assert np.allclose(found, [0, 0.1, 0.1 * sum(a**k for k in range(25))])

    @pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.1, 1.0), (0.3, 20.0), (0.3, 30.0)])
    def test_there_is_none_for_steps_that_do_not_contract(self, low, high):
        assert np.isnan(bounds.gain(np.array(low), np.array(high), 0.1, np.array(25)))

    def test_is_that_of_the_flow_for_small_steps(self):
        found = bounds.gain(np.array(0.3), np.array(1.0), 1e-5, np.array(400_000))
        assert np.isclose(found, (1 - np.exp(-1.2)) / 0.3, rtol=1e-4)


class TestEquilibrium:
    def test_slopes(self):
        assert bounds.equilibrium_slope(10.0, 1.0, 1.0, "minus") == 20 / 21
        assert bounds.equilibrium_slope(10.0, 1.0, 1.0, "plus") == 20 / 19
        assert np.isnan(bounds.equilibrium_slope(0.4, 1.0, 1.0, "plus"))
        assert bounds.equilibrium_slope(0.0, 1.0, 1.0, "minus") == 0

    @pytest.mark.parametrize("sign", ["minus", "plus"])
    def test_is_where_network_and_critic_rest(self, sign):
        """Both gradients are 0 there: z - y = +-w s, and the critic's w.r.t. its slope; 0.1 % off, they are not."""
        penalty, weight, target = 3.0, 0.7, 1.4
        apart = bounds.equilibrium_slope(penalty, weight, target, sign)
        for factor, rests in ((1, True), (1.001, False)):
            slope = factor * apart / weight
            residual = (1 if sign == "minus" else -1) * weight * slope
            assert (abs(residual + 2 * penalty * (slope - target)) < 1e-12) == rests


@pytest.fixture(scope="module")
def theory():
    return training.run(IMAGES, **POINT)[0]


class TestTrainedRuns:
    def test_bounds_hold_on_runs_with_a_live_critic(self, theory):
        found = bounded(theory)
        without, live = found.isel(lane=0), found.isel(lane=1)
        for lane, names in ((without, ["B1a", "B3", "B4"]), (live, ["B3", "B4"])):
            assert np.all(lane["asserted"].sel(bound=names) == 1)
            ratio = lane["ratio"].sel(bound=names)
            assert np.all((ratio > 0) & (ratio <= 1))
        assert np.all(np.isnan(live["ratio"].sel(bound=["B1", "B1a", "B4v"])))
        assert np.all(found["prior_ratio"] <= 1)
        assert np.all(found["residual_ratio"] <= 1)

    @pytest.mark.parametrize("control", ["label-scaled", "frozen-critic", "random-field", "permuted-pixels"])
    def test_bounds_hold_under_every_control(self, control):
        changed = {"control": control, "duration": 10.0, "adversary": ["with"], "critic_rate": 1.0}
        found = bounded(training.run(IMAGES, **{**POINT, **changed})[0], **changed)
        assert np.all(found["asserted"].sel(bound=["B3", "B4"]) == 1)
        assert np.all(found["ratio"].sel(bound=["B3", "B4"]) <= 1)

    @pytest.mark.parametrize("changed", [
        {"activation": "tanh"}, {"activation": "softplus", "critic_argument": "raw"}, {"activation": "leaky", "sign": "plus"},
    ])  # fmt: skip
    def test_bounds_that_need_no_limit_hold_for_other_activations(self, changed):
        changed |= {"duration": 10.0}
        found = bounded(training.run(IMAGES, **{**POINT, **changed})[0], **changed)
        assert np.all(found["ratio"].sel(bound=["B3", "B4"]) <= 1)
        assert np.all(np.isnan(found["ratio"].sel(bound=["B1", "B2"])))
        assert np.all(np.isnan(found["lambda_0"]))

    @pytest.mark.parametrize("inputs", ["unit", "raw"])
    def test_both_layers_of_the_full_net_stay_within_b4(self, inputs):
        images = gaussian(classes=3)
        images = Images(images.x_train / 4, *list(vars(images).values())[1:])
        changed = {"net": "full", "inputs": inputs, "width": 40}
        found = bounded(training.run(images, **{**POINT, **changed})[0], images, **changed)
        assert np.all(found["asserted"].sel(bound=["B4", "B4v"]) == 1)
        assert np.all(found["asserted"].sel(bound=["B1", "B1a", "B2", "B3"]) == 0)
        ratio = found["ratio"].sel(bound=["B4", "B4v"])
        assert np.all((ratio > 0.05) & (ratio <= 1))

    def test_spectra_of_some_steps_bound_those_of_all(self):
        wide = {"width": 3000, "duration": 5.0}
        found, all_steps = (
            bounded(training.run(IMAGES, **{**POINT, **wide, **more})[0], **wide, **more)
            for more in ({"gram_every": 3}, {"gram_every": 1})
        )
        assert np.all(found["gram_inf_end"] <= all_steps["gram_inf_end"])
        assert np.all(found["gram_sup_end"] >= all_steps["gram_sup_end"])
        assert np.all(found["asserted"].sel(bound="B3") == 1)
        here = [bound.sel(bound=["B3", "B4"])["distance_bound"] for bound in (found, all_steps)]
        assert np.all(here[0] >= here[1] * (1 - 1e-12))

    def test_what_does_not_apply_is_not_a_number(self, theory):
        """No equilibrium without a live critic, no a-priori mu without any; a lane without an adversary has both."""
        without, live = (bounded(theory).isel(lane=i) for i in (0, 1))
        assert np.allclose(live["equilibrium_residual"], np.sqrt(N) * 20 / 21)
        assert np.all(np.isnan(without["equilibrium_residual"]))
        for control, prior in (("frozen-critic", True), ("label-scaled", False), ("random-field", False)):
            found = bounded(theory, control=control)
            assert np.all(np.isnan(found["equilibrium_residual"]))
            assert np.isfinite(found["bound_prior"].isel(lane=1)).all() == prior
            assert np.isfinite(found["bound_prior"].isel(lane=0)).all()

    def test_nothing_is_asserted_of_other_optimisers(self):
        for optimiser in ("sgd", "adam"):
            changed = {"optimiser": optimiser, "duration": 2.0, "eta": 0.01}
            found = bounded(training.run(IMAGES, **{**POINT, **changed})[0], **changed)
            assert found["asserted"].values.sum() == 0
            assert np.all(np.isnan(found["distance_bound"]))
            assert np.all(np.isfinite(found["psi"]))

    def test_a_diverged_run_is_not_asserted_and_no_error(self):
        changed = {"sign": "plus", "penalty": 0.0, "adversary_weight": 5.0, "critic_rate": 3.0, "duration": 300.0}
        changed |= {"times": [0.0, 1.0, 5.0, 50.0, 300.0]}
        record = training.run(IMAGES, **{**POINT, **changed})[0]
        assert np.all(np.isfinite(record["diverged_at"].isel(lane=1)))
        found = bounded(record, **changed)
        assert found["asserted"].isel(lane=1).values.sum() == 0
        assert np.all(np.isfinite(found["lambda_0"]))

    def test_every_variable_says_what_it_is(self, theory):
        found = bounded(theory)
        for variable in found.data_vars.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"]


@pytest.mark.parametrize("rate", [1e-18, 1e-9, 1e-3, 1.0])
def test_what_steps_add_up_to_is_the_sum_itself_also_where_they_hardly_contract(rate):
    eta, steps = 0.1, np.array([0.0, 1.0, 10.0, 300.0])
    wanted = [sum(eta * (1 - eta * rate) ** k for k in range(int(K))) for K in steps]
    found = bounds.gain(np.full(4, rate), np.full(4, 1.0), eta, steps)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
