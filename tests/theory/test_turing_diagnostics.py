"""Diagnostics of neurons and of the flow against known limits, brute force and the training's own code."""

import dataclasses
import inspect
import itertools

import numpy as np
import pytest
import torch

from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.turing import cloud, critic, diagnostics, illustrate, inputs, network, spatial, stability, training
from advdyn.turing.model import SYSTEM, Model
from advdyn.turing.stability import Game, State

RELU = network.Activation("relu")
SIDE = 12


def rng(seed=0):
    return np.random.default_rng(seed)


# --- spatial structure -----------------


def test_mean_of_moran_over_all_arrangements_of_an_image_is_that_of_noise():
    pixels = np.array([0.3, -1.0, 2.0, 0.1, 5.0, 0.7])
    images = np.array(list(itertools.permutations(pixels))).reshape(-1, 2, 3)
    edges = 2 * 2 + 3
    assert spatial.moran(images).mean() == pytest.approx(-1 / 5, abs=1e-12)
    assert spatial.dirichlet(images).mean() == pytest.approx(2 * edges / 5, abs=1e-12)


def test_white_noise_and_smooth_noise_at_the_size_of_digits():
    """Means over 2,000 images within 5 standard errors of the values of white noise; smoothed images are far off."""
    images = rng().standard_normal((2000, 28, 28))
    expected = {"moran": -1 / 783, "dirichlet": 2 * 1512 / 783, "k_mean": 9.5569}
    smooth = sum(np.roll(images, shift, axes) for axes in (1, 2) for shift in (0, 1))
    for kind, noise in ((images, True), (smooth, False)):
        found = spatial.structure(kind)
        for name, value in expected.items():
            measured = getattr(found, name)
            error = measured.std() / np.sqrt(len(measured))
            assert (abs(measured.mean() - value) < 5 * error) == noise, name
        flat = found.spectrum.mean(0) * len(spatial.wavenumbers(28, 28))
        assert (np.abs(flat - 1).max() < 0.05) == noise


def test_checkerboard_and_plane_waves():
    row, column = np.indices((8, 8))
    assert spatial.moran((-1.0) ** (row + column)) == pytest.approx(-1)
    row, column = np.indices((12, 12))
    for k in (1, 3, 6):
        for phase in (row, column):
            spectrum, mean = spatial.radial(np.cos(2 * np.pi * k * phase / 12))
            assert mean == pytest.approx(k)
            np.testing.assert_allclose(spectrum, np.arange(1, 7) == k, atol=1e-12)


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (6, 9)])
def test_radial_spectrum_is_that_of_all_wave_vectors(shape):
    image, side = rng(1).standard_normal(shape), min(shape)
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    k = np.rint(np.hypot(*np.meshgrid(*(np.fft.fftfreq(s) * side for s in shape), indexing="ij")))
    bins = spatial.wavenumbers(*shape)
    mean = np.array([power[k == b].mean() for b in bins])
    total = np.array([power[k == b].sum() for b in bins])
    spectrum, k_mean = spatial.radial(image)
    np.testing.assert_allclose(spectrum, mean / mean.sum(), rtol=1e-12)
    assert k_mean == pytest.approx((total * bins).sum() / total.sum())


def test_structure_does_not_depend_on_scale_offset_or_orientation():
    image = rng(2).standard_normal((10, 10)).cumsum(0)
    first = spatial.structure(image)
    for other in (-3e-4 * image + 2, image.T, image[::-1]):
        second = spatial.structure(other)
        for name in ("moran", "dirichlet", "k_mean", "spectrum"):
            np.testing.assert_allclose(getattr(second, name), getattr(first, name), rtol=1e-9)


def test_constant_images_have_no_structure():
    images = np.stack([np.full((5, 5), 0.1), np.zeros((5, 5)), rng().standard_normal((5, 5))])
    found = spatial.structure(images)
    for name in ("moran", "dirichlet", "k_mean", "spectrum"):
        assert np.isnan(getattr(found, name)[:2]).all()
        assert np.isfinite(getattr(found, name)[2]).all()


@pytest.mark.parametrize(
    ("shape", "expected"), [((28, 28), (28, 28)), ((784,), (28, 28)), ((10,), None), ((3, 8, 8), None), ((1, 9), None)]
)
def test_what_is_shown_as_an_image(shape, expected):
    assert spatial.image_shape(shape) == expected


# --- the cloud -----------------


def test_shapes_of_known_clouds():
    ball = np.concatenate([np.eye(5), -np.eye(5)])
    found = cloud.shape(ball)
    assert (found.participation, found.top_share, found.pca_ratio) == pytest.approx((5, 0.2, 1))
    line = np.outer(np.arange(4.0), [1.0, 2.0, 0.0])
    found = cloud.shape(line)
    assert (found.participation, found.top_share) == pytest.approx((1, 1))
    assert found.pca_ratio == np.inf
    assert np.isnan(cloud.shape(np.ones((4, 3))).participation)
    assert np.isnan(cloud.shape(np.full((4, 3), np.nan)).top_share)


def test_shape_is_the_same_from_either_gram_matrix():
    x = rng(3).standard_normal((20, 6)) * np.arange(1, 7)
    wide = np.concatenate([x, np.zeros((20, 30))], axis=1)
    values = np.linalg.eigvalsh(np.cov(x.T))
    for points in (x, wide):
        found = cloud.shape(points)
        assert found.participation == pytest.approx(values.sum() ** 2 / (values**2).sum())
        assert found.pca_ratio == pytest.approx(values[-1] / values[-2])


def test_gaussian_cloud_of_finitely_many_points():
    """m points in d dimensions have the participation ratio m d/(m + d) to leading order, far below d."""
    assert cloud.shape(rng(4).standard_normal((400, 200))).participation == pytest.approx(400 * 200 / 600, rel=0.02)


def test_principal_axes():
    x = rng(5).standard_normal((200, 3)) * [1, 9, 3] + 7
    axes = cloud.principal(x, 2)
    np.testing.assert_allclose(np.abs(axes), [[0, 1, 0], [0, 0, 1]], atol=0.1)
    assert (np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) > 0).all()
    np.testing.assert_allclose(cloud.pca(x), (x - x.mean(0)) @ axes.T)
    assert np.isnan(cloud.principal(np.outer([0.0, 1, 2], [1.0, 1]), 2)[1]).all()


def test_embeddings_are_of_their_seed():
    points = rng(6).standard_normal((24, 5))
    first, again, other = (cloud.embed(points, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0
    assert np.isnan(cloud.embed(np.full((24, 5), np.nan), 0)).all()
    assert cloud.eigen_ratio(first) >= 1


# --- stability -----------------


def tensors(*arrays):
    return tuple(torch.as_tensor(np.asarray(a), dtype=torch.float64) for a in arrays)


def made(n=7, d_out=3, m=6, *, sign="minus", penalty=2.0, activation="relu", scale=1.0, seed=0, weight=1.5):
    """A game with a random Gram matrix, and a random state."""
    draw = rng(seed)
    root = draw.standard_normal((n * d_out, n * d_out))
    h, y, z, e, w, a = tensors(
        root @ root.T / len(root),
        draw.standard_normal((n, d_out)),
        draw.standard_normal((n, d_out)),
        draw.random((n, 1)),
        draw.standard_normal((m, d_out)),
        draw.choice([-1.0, 1.0], m),
    )
    game = Game(y, e, lambda v: h @ v, weight, sign, 0.3, penalty, 0.8, network.Activation(activation), scale)
    return game, State(z, w, a), h


@pytest.mark.parametrize("name", ["relu", "leaky", "softplus", "tanh"])
def test_activations_are_those_of_training(name):
    h = torch.linspace(-2, 2, 41, dtype=torch.float64)
    activation = network.Activation(name)
    value, slope = stability.activated(h, activation)
    torch.testing.assert_close(value, activation.value(h))
    torch.testing.assert_close(slope, activation.slope(h).double())


@pytest.mark.parametrize(("activation", "scale"), [("relu", 1.0), ("leaky", 3.0), ("softplus", 1.0), ("tanh", 3.0)])
def test_flow_of_the_critic_is_that_of_training(activation, scale):
    game, state, h = made(activation=activation, scale=scale)
    trained = critic.Critic(
        state.w[None].clone(), state.a[None, :, None].clone(), torch.full((1, 1, 1), 2.0, dtype=torch.float64), 0.8,
        network.Activation(activation),
    )  # fmt: skip
    w, a = trained.gradients(state.z.T[None], game.y.T[None], game.draw.T[None])
    velocity = moving(game, state)
    torch.testing.assert_close(velocity.w, -0.3 * w[0])
    torch.testing.assert_close(velocity.a, -0.3 * a[0, :, 0])
    q = 1.5 * trained.slope(scale * state.z.T[None])[0].T
    torch.testing.assert_close(velocity.z.reshape(-1), -h @ (state.z - game.y - q).reshape(-1))


def moving(game, state):
    return State(*(t.detach() for t in vars(game.velocity(state)).values()))


def numerically(game, state, step=1e-6):
    """The Jacobian by central differences."""
    point = state.flat

    def velocity(flat):
        return moving(game, state.like(flat)).flat

    columns = [
        (velocity(point + step * e) - velocity(point - step * e)) / (2 * step) for e in torch.eye(len(point)).double()
    ]
    return torch.stack(columns, 1).numpy()


@pytest.mark.parametrize(("activation", "scale"), [("relu", 1.0), ("leaky", 2.0), ("softplus", 1.0), ("tanh", 2.5)])
@pytest.mark.parametrize("sign", ["minus", "plus"])
@pytest.mark.parametrize("d_out", [1, 3])
def test_jacobian_is_the_derivative_of_the_flow(activation, scale, sign, d_out):
    game, state, _ = made(d_out=d_out, sign=sign, activation=activation, scale=scale)
    expected = numerically(game, state)
    products = [stability.differentiated(game, state)]
    if game.activation.leak is not None:
        products.append(stability.linearised(game, state))
    for product in products:
        np.testing.assert_allclose(stability.matrix(product, len(state.flat)), expected, atol=1e-7)


@pytest.mark.parametrize("penalty", [0.1, 0.4, 0.6, 10.0])
@pytest.mark.parametrize("sign", ["minus", "plus"])
def test_scalar_game_of_a_linear_critic(sign, penalty):
    """Propositions P4 and P5: the mean mode is that of two variables, output and slope of the critic.

    All outputs and targets are positive and the critic is at rest, its slope s stationary in its loss: z - y =
    -2 penalty (s - s0). For the paper's sign this is an equilibrium at s* = 2 penalty s0/(1 + 2 penalty).
    """
    n, rate, s0, h = 5, 0.3, 1.0, 0.7
    w, a = tensors([[0.6], [0.9], [0.4], [1.1]], [1.0, 0.7, 1.2, 0.8])
    s = float(w[:, 0] @ a) / 2
    if sign == "minus":
        wanted = 2 * penalty * s0 / (1 + 2 * penalty)
        w, s = w * wanted / s, wanted
    y = torch.full((n, 1), 50.0, dtype=torch.float64)
    game = Game(y, torch.full((n, 1), 0.5, dtype=torch.float64), lambda v: h * v, 1.0, sign, rate, penalty, s0)
    state = State(y - 2 * penalty * (s - s0), w, a)
    still = moving(game, state)
    assert float(still.w.norm() + still.a.norm()) < 1e-12
    assert (float(still.z.norm()) < 1e-12) == (sign == "minus")
    found = stability.game_spectrum(game, state, 20, 600)
    speed = rate * float((w**2).sum() + (a**2).sum()) / 4
    pull = h if sign == "minus" else -h
    pair = np.linalg.eigvals([[-h, pull], [-speed, -2 * penalty * speed]])
    expected = np.concatenate([pair, np.full(n - 1, -h), np.zeros(7)])
    np.testing.assert_allclose(found.values, stability.ordered(expected), atol=1e-7)
    unstable = sign == "plus" and 2 * penalty < 1
    assert (found.rate > 1e-6 * found.scale) == unstable
    assert abs(found.critic) < 1e-7


@pytest.mark.parametrize("seed", range(5))
def test_coupling_destabilises_with_the_posters_sign_only(seed):
    """At any state: no real part beyond those of network and critic alone for minus, none below them for plus."""
    found = {}
    for sign in ("minus", "plus"):
        game, state, h = made(seed=seed, sign=sign, weight=3.0)
        spectrum = stability.game_spectrum(game, state, 20, 600)
        alone = max(stability.network_spectrum(h)[0], spectrum.critic)
        found[sign] = spectrum.rate - alone
    assert found["minus"] <= 1e-9
    assert found["plus"] > 1e-3  # the control: the statement does not hold of every matrix


def test_products_find_what_the_whole_matrix_has():
    game, state, _ = made(n=30, d_out=4, m=40)
    whole, leading = (stability.game_spectrum(game, state, 20, size) for size in (600, 2))
    assert len(state.flat) > stability.SPACE
    np.testing.assert_allclose(leading.values, whole.values[: stability.LEADING], atol=1e-5)
    assert leading.critic == pytest.approx(whole.critic, abs=1e-5)
    assert leading.scale == pytest.approx(whole.scale, rel=1e-2)
    assert leading.speed == whole.speed


@pytest.mark.parametrize("find", [stability.linearised, stability.differentiated])
def test_flow_over_several_draws_is_their_mean(find):
    game, state, _ = made()
    draws = torch.as_tensor(rng(10).random((3, 7, 1)))
    whole = stability.matrix(find(dataclasses.replace(game, draw=draws), state), len(state.flat))
    each = [stability.matrix(find(dataclasses.replace(game, draw=draw), state), len(state.flat)) for draw in draws]
    np.testing.assert_allclose(whole, np.mean(each, axis=0), atol=1e-12)
    assert np.abs(each[0] - each[1]).max() > 1e-3


def test_zero_modes_of_the_network_are_left_out():
    factor = rng(7).standard_normal((6, 4))
    values = stability.network_spectrum(factor @ factor.T)
    np.testing.assert_allclose(values, -np.linalg.eigvalsh(factor.T @ factor), rtol=1e-9)
    assert len(stability.network_spectrum(np.zeros((3, 3)))) == 0


@pytest.mark.parametrize("d_out", [1, 3])
def test_interaction_of_neurons_is_the_jacobian_of_the_flow(d_out):
    """Blocks J_jk of the derivative of du_j/dt in u_k at fixed q, from the flow itself."""
    n, m, d, draw = 6, 5, 4, rng(8)
    x, u, v, y = tensors(*(draw.standard_normal(s) for s in ((n, d), (m, d), (d_out, m), (n, d_out))))
    root = (d_out * m) ** -0.5

    def velocity(u):
        p = u @ x.T
        z = root * (v @ p.clamp_min(0)).T
        return root * ((v.T @ (y - z).T) * (p > 0)) @ x

    blocks = torch.autograd.functional.jacobian(velocity, u).square().sum((1, 3)).numpy()
    expected = 1 - np.trace(blocks) / blocks.sum()
    assert 0.1 < expected < 0.9
    found = stability.off_diagonal((u @ x.T > 0).numpy(), (x @ x.T).numpy(), v.numpy())
    assert found == pytest.approx(expected, rel=1e-12)


def test_interaction_of_equal_and_of_separate_neurons():
    k, v = np.eye(4), np.ones((1, 4))
    assert stability.off_diagonal(np.full((4, 4), 0.3), k, v) == pytest.approx(1 - 1 / 4)
    assert stability.off_diagonal(np.ones((4, 4)), k, v) == pytest.approx(1 - 1 / 4)
    assert stability.off_diagonal(np.eye(4), k, v) == 0
    assert np.isnan(stability.off_diagonal(np.zeros((4, 4)), k, v))


# --- late growth -----------------


@pytest.mark.parametrize(
    ("distance", "alpha", "slope", "growth"),
    [
        (lambda t: 3 * t, 1, 1, 2),
        (lambda t: t**0.5, 0.5, None, 2**0.5),
        (lambda t: 1 - np.exp(-t), 0, 0, 1),
        (lambda t: 0 * t, np.nan, np.nan, np.nan),
        (lambda t: np.where(t < 70, t, np.nan), np.nan, np.nan, np.nan),
    ],
)
def test_late_growth(distance, alpha, slope, growth):
    time = np.array([0.0, 1, 5, 20, 49, 51, 60, 70, 85, 100])
    found = diagnostics.late_growth(time, distance(time))
    assert found["alpha"] == pytest.approx(alpha, abs=1e-9, nan_ok=True)
    assert found["growth"] == pytest.approx(growth, rel=1e-3, nan_ok=True)
    if slope is not None:
        assert found["slope"] == pytest.approx(slope, abs=1e-9, nan_ok=True)


def test_growth_of_a_run_of_two_times_is_not_known():
    assert np.isnan(list(diagnostics.late_growth(np.array([0.0, 1.0]), np.array([0.0, 1.0])).values())).all()


# --- runs -----------------


def digits(n=40):
    """Images of smooth blobs of four classes."""
    draw = rng(9)
    row, column = np.indices((SIDE, SIDE))
    label = np.arange(n) % 4
    place = np.array([[3, 3], [3, 8], [8, 3], [8, 8]])[label] + draw.normal(0, 1, (n, 2))
    blob = np.exp(-((row - place[:, :1, None]) ** 2 + (column - place[:, 1:, None]) ** 2) / 8)
    x = blob.reshape(n, -1) + 0.02 * draw.random((n, SIDE * SIDE))
    none = np.empty((0, SIDE * SIDE)), np.empty(0, dtype=np.int64)
    return Images(x, label, *none, *none, (SIDE, SIDE))


def trained(**changes):
    """Record, weights and point of a small run without and with the adversary."""
    point = {name: Model.model_fields[name].default for name in SYSTEM}
    point |= {
        "n": 24, "width": 32, "critic_width": 12, "duration": 20.0, "eta": 0.1, "adversary": ["without", "with"],
        "root": 3, "device": "cpu", "dtype": "float64", "seeds": [0, 1], "filters": 4, "frozen_steps": 20,
    }  # fmt: skip
    point |= changes
    names = inspect.signature(training.run).parameters
    record, weights = training.run(digits(), **{k: v for k, v in point.items() if k in names})
    return record, weights, point


def diagnosed(record, weights, point):
    return diagnostics.run(
        record, weights, digits(), spectrum_size=600, root=3, device="cpu", dtype="float64", point=point
    )


@pytest.fixture(scope="module")
def theory():
    return trained()


@pytest.fixture(scope="module")
def full():
    return trained(net="full", width=16)


@pytest.fixture(scope="module")
def permuted():
    return trained(control="permuted-pixels")


def test_patterns_of_filters_are_those_of_the_data(theory, permuted):
    """P2: pixels permuted alike in all images take the pattern away; put back in their order it is there again."""
    plain, other = diagnosed(*theory), diagnosed(*permuted)
    moran = plain["moran"]
    assert (np.abs(moran.sel(stage="initial")) < 0.1).all()
    assert (moran.sel(stage="change") > 0.5).all()
    assert (np.abs(other["moran"].sel(stage="change")) < 0.2).all()
    assert (other["moran_restored"].sel(stage="change") > 0.5).all()
    assert plain["moran_restored"].isnull().all()
    np.testing.assert_allclose(plain["spectrum"].sum("wavenumber"), 1, rtol=1e-12)
    assert plain["k_mean"].sel(stage="change").max() < plain["k_mean"].sel(stage="initial").min()


def test_diagnostics_of_a_run_are_what_they_say(full):
    """One number of each kind again, by the shortest way from the weights."""
    record, weights, _ = full
    found = diagnosed(*full)
    one = found.isel(lane=1, seed=1)
    x = inputs.examples(digits(), net="full", n=24, inputs="unit", control="none", root=3).x
    first, last = (w.astype(float) for w in (weights["U0"][1], weights["U"][1, 1]))
    change = last - first
    live = record["du"].isel(lane=1, seed=1, time=-1).to_numpy() > 1e-5
    mean = x.mean(0) / np.linalg.norm(x.mean(0))
    cosine = np.abs(change[live] @ mean) / np.linalg.norm(change[live], axis=1)
    assert float(one["cos_mean_image"].sel(stage="change")) == pytest.approx(cosine.mean())
    assert float(one["moran"].sel(stage="change")) == pytest.approx(
        spatial.moran(change[live].reshape(-1, SIDE, SIDE)).mean()
    )
    axis = np.linalg.svd(x - x.mean(0))[2][1]
    correlation = [abs(np.corrcoef(row, axis)[0, 1]) for row in change[live]]
    assert float(one["pc_correlation"].sel(stage="change", component=2)) == pytest.approx(np.mean(correlation))
    v = weights["V"][1, 1].astype(float).T
    values = np.linalg.eigvalsh(np.cov(v.T))
    assert float(one["participation_v"].sel(stage="final")) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    xi = record["xi"].isel(lane=1, seed=1)
    assert float(one["xi_relative"]) == pytest.approx(float(xi[-1] / xi[0]))
    assert found["off_diagonal"].sel(stage="change").isnull().all()
    assert ((found["off_diagonal"].sel(stage="final") > 0) & (found["off_diagonal"].sel(stage="final") < 1)).all()


def test_stability_of_runs(theory, full):
    """Without an adversary the network's own spectrum; with one, no more unstable than network and critic alone."""
    for record, weights, point in (theory, full):
        found = diagnosed(record, weights, point)
        without, live = found.isel(lane=0), found.isel(lane=1)
        assert without["rate_live"].isnull().all()
        assert (found["rate_frozen"] < 0).all()
        np.testing.assert_array_equal(without["eigenvalue_real"][:, 0], without["rate_frozen"])
        np.testing.assert_array_equal(live["eigenvalue_real"][:, 0], live["rate_live"])
        assert (live["rate_live"] <= np.maximum(live["rate_critic"], live["rate_frozen"]) + 1e-6).all()
        assert (live["eigenvalue_real"].diff("eigenvalue").fillna(0) <= 0).all()
        assert (live["critic_speed"] > 0).all()
    slowest = record["gram_min"].isel(lane=0, time=-1)
    np.testing.assert_allclose(without["rate_frozen"], -slowest, rtol=1e-6)  # H of training, by another code


@pytest.mark.parametrize("control", ["frozen-critic", "random-field"])
def test_without_a_live_critic_the_network_is_alone(control):
    found = diagnosed(*trained(control=control, duration=2.0, seeds=[0]))
    assert found["rate_live"].isnull().all()
    np.testing.assert_array_equal(found["eigenvalue_real"][..., 0], found["rate_frozen"])


def test_neurons_that_never_moved_are_left_out(theory):
    record, weights, point = theory
    found = diagnosed(record, weights, point)
    record, weights = record.copy(deep=True), {k: v.copy() for k, v in weights.items()}
    record["du"][:, :, :, 5] = 0
    weights["U"][:, :, 5] = weights["U0"][:, 5]
    less = diagnosed(record, weights, point)
    for lane, seed in itertools.product(range(2), range(2)):
        change = np.delete((weights["U"][lane, seed] - weights["U0"][seed]).astype(float), 5, axis=0)
        moran = spatial.moran(change.reshape(-1, SIDE, SIDE))
        assert float(less["moran"][lane, seed, 2]) == pytest.approx(np.nanmean(moran))
    live = (record["du"][0, 0, -1] > 0).to_numpy()
    initial = weights["U0"][0, live].astype(float).reshape(-1, SIDE, SIDE)
    assert float(less["moran"][0, 0, 0]) == pytest.approx(spatial.moran(initial).mean())
    assert (np.abs(less["moran"] - found["moran"]) > 0).all()
    assert np.isfinite(less["alpha_u"]).all()


def test_a_diverged_run_is_not_diagnosed_and_spoils_no_other(theory):
    record, weights, point = theory
    found = diagnosed(record, weights, point)
    record, weights = record.copy(deep=True), {k: v.copy() for k, v in weights.items()}
    for name in ("du", "xi"):
        record[name][1, 0, 3:] = np.nan
    for name in ("U", "V", "W", "a", "z", "q"):
        weights[name][1, 0] = np.nan
    lost = diagnosed(record, weights, point)
    for name, values in lost.items():
        left = values.isel(lane=1, seed=0)
        left = left.sel(stage=["final", "change"]) if "stage" in left.dims else left
        assert left.isnull().all(), name
        np.testing.assert_array_equal(values.isel(lane=0), found[name].isel(lane=0))
        np.testing.assert_array_equal(values.isel(lane=1, seed=1), found[name].isel(lane=1, seed=1))


def test_inputs_that_are_no_image_have_no_structure(theory):
    record, weights, point = theory
    images = digits()
    cut = Images(*(getattr(images, f"{a}_{b}") for b in ("train", "validation", "test") for a in "xy"), (2, 72, 1))
    found = diagnostics.run(record, weights, cut, spectrum_size=600, root=3, device="cpu", dtype="float64", point=point)
    assert found["moran"].isnull().all()
    assert np.isfinite(found["cos_mean_image"]).all()


def test_too_few_images(theory):
    record, weights, point = theory
    with pytest.raises(InputError, match="n: found 24, allowed: at most 10"):
        diagnostics.run(
            record, weights, digits(10), spectrum_size=600, root=3, device="cpu", dtype="float64", point=point
        )


def test_every_variable_says_what_it_is(full):
    for name, variable in diagnosed(*full).variables.items():
        assert variable.attrs["long_name"], name
        assert variable.attrs["units"], name


# --- illustrations -----------------


def test_illustrations(theory, full, permuted):
    jobs = [theory, full, permuted]
    found = illustrate.run(
        [job[0] for job in jobs], [job[1] for job in jobs], {"mnist": digits()}, [job[2] for job in jobs],
        embedding_seeds=2, embedded_neurons=20, root=3, device="cpu", dtype="float64",
    )  # fmt: skip
    assert found["dataset"].values.tolist() == ["mnist", "mnist, permuted"]
    assert found["inputs_of"].values.tolist() == ["mnist"] * 4 + ["mnist, permuted"] * 2
    assert found["adversary"].values.tolist() == ["without", "with"] * 3
    assert found["image_shape"].values.tolist() == ["12,12"] * 2
    assert dict(found.sizes)["neuron"] == 20
    order = inputs.permutation(SIDE * SIDE, 3)
    image, mixed = (found["input_image"].sel(dataset=name).values for name in found["dataset"].values)
    np.testing.assert_array_equal(mixed, image[order])
    one = found.isel(picture=1)
    np.testing.assert_allclose(one["feature"], one["filter"] * image, atol=1e-6)
    np.testing.assert_allclose(one["filter_change"], one["filter"] - one["filter_initial"], atol=1e-6)
    shown = theory[2]["filters"]
    np.testing.assert_allclose(one["evolution"][-1, :shown], one["filter_change"][:shown], atol=1e-5)
    assert (one["evolution"][0, :shown] == 0).all()
    assert float(one["evolution_time"][-1]) == pytest.approx(20)
    activity = np.maximum(theory[1]["U"][1, 0, :20] @ image, 0)
    np.testing.assert_allclose(one["activation_map"], activity, atol=1e-5)
    embedding = found["embedding"].sel(stage="initial")
    np.testing.assert_array_equal(embedding[0], embedding[1])
    assert (embedding.isel(picture=0)[0] != embedding.isel(picture=0)[1]).all()
    assert found["embedding"].sel(stage="change").isnull().all()
    assert found["embedding_v"].isel(picture=0).isnull().all()
    top = found.isel(picture=3)
    assert np.isfinite(top["embedding_v"].sel(stage="final")[:, :16]).all()
    assert top["embedding_v"][..., 16:, :].isnull().all()
    assert (top["embedding_ratio_v"].sel(stage="final") >= 1).all()
    distance = np.linalg.norm((full[1]["V"][1, 0] - full[1]["V0"][0]).T, axis=1)
    np.testing.assert_allclose(top["embedded_distance_v"][:16], distance, rtol=1e-5)
    for name, variable in found.variables.items():
        assert variable.attrs["long_name"], name


def test_illustrations_of_a_diverged_run(theory):
    record, weights, point = theory
    weights = {k: v.copy() for k, v in weights.items()}
    weights["U"][1] = np.nan
    found = illustrate.run(
        [record], [weights], {"mnist": digits()}, [point],
        embedding_seeds=1, embedded_neurons=8, root=3, device="cpu", dtype="float64",
    )  # fmt: skip
    lost = found.isel(picture=1)
    for name in ("filter", "filter_change", "activation_map", "embedded_distance"):
        assert lost[name].isnull().all()
    for name in ("embedding", "pca", "embedding_ratio"):
        assert lost[name].sel(stage="final").isnull().all()
        assert np.isfinite(lost[name].sel(stage="initial")).all()
