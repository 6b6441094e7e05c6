"""Training of the study turing: gradients, its two forms, equilibria of the game, symmetries, records, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from advdyn import weights
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.turing import engine, gram, inputs, network, training
from advdyn.turing.critic import Critic
from advdyn.turing.network import Activation
from advdyn.turing.record import grid, snapshots

WHERE = {"device": torch.device("cpu"), "dtype": torch.float64}
SETTINGS = {
    "dataset": "made-up", "net": "theory", "n": 12, "width": 48, "adversary": ["without", "with"],
    "adversary_weight": 1.0, "sign": "minus", "penalty": 10.0, "critic_width": 16, "critic_steps": 1, "critic_rate": 0.1,
    "target_slope": 1.0, "critic_argument": "normalised", "control": "none", "frozen_steps": 20, "field_time": 2.0,
    "activation": "relu", "initial_scale": 1.0, "inputs": "unit", "optimiser": "gd", "batch": 4, "form": "auto",
    "eta": 0.1, "duration": 10.0, "times": [0.0, 0.1, 1.0, 5.0, 10.0], "gram_every": 1, "filters": 3, "root": 7,
    "device": "cpu", "dtype": "float64", "seeds": [0, 1],
}  # fmt: skip


def made_up(n=30, pixels=40, classes=2, positive=False, seed=0):
    """Gaussian inputs whose labels are -1 and +1, or 0, 1, ... in turn."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, pixels))
    x = np.abs(x) if positive else x
    y = np.arange(n) % classes
    y = 2 * y - 1 if classes == 2 else y
    none = np.full((1, pixels), np.nan), np.full(1, -99)
    return Images(x, y, *none, *none, (pixels,))


IMAGES, CLASSES = made_up(), made_up(classes=3)


def trained(images=IMAGES, **changed):
    return training.run(images, **{**SETTINGS, **changed})


def plan(data, **changed):
    lanes = (engine.Lane("with", 1.0, 10.0),)
    made = engine.Plan(
        "theory", lanes, "live", 1.0, 1, 0.1, 1.0, False, 20, 2.0, Activation("relu"), "gd", 4, False, 0.1, 50, 1, WHERE
    )
    return replace(made, **changed)


def begun(data, net, width=20, seeds=(0,)):
    return engine.start(
        7, seeds, net=net, pixels=data.x.shape[1], outputs=data.y.shape[1], width=width, critic_width=9, scale=1.0
    )


def data_of(net, images=None, n=12):
    images = images or (CLASSES if net == "full" else IMAGES)
    return inputs.examples(images, net=net, n=n, inputs="unit", control="none", root=7)


def sigma_of(name):
    known = {"relu": torch.relu, "leaky": lambda h: torch.nn.functional.leaky_relu(h, network.LEAK)}
    return known.get(name) or {"softplus": torch.nn.functional.softplus, "tanh": torch.tanh}[name]


@pytest.mark.parametrize("activation", ["relu", "leaky", "softplus", "tanh"])
@pytest.mark.parametrize("net", ["theory", "full"])
@pytest.mark.parametrize(("sign", "raw"), [(1.0, False), (-1.0, False), (1.0, True)])
def test_a_step_descends_the_loss_as_written_down(net, activation, sign, raw):
    """L = 1/2 sum |f - y|^2 -+ w sum g(f), with the term (d_out m)^(-1/2) sum g(V sigma(U x)) when raw."""
    data, eta, weight = data_of(net), 0.01, 0.7
    begin = begun(data, net)
    lanes = (engine.Lane("with", weight, 10.0),)
    how = plan(data, net=net, lanes=lanes, sign=sign, raw=raw, activation=Activation(activation), critic_steps=0)
    end = engine.train(data, begin, replace(how, steps=1, eta=eta))

    sigma, (m, outputs) = sigma_of(activation), (20, data.y.shape[1])
    U, V, W, a = (torch.tensor(v[0], requires_grad=True) for v in (begin.U, begin.V, begin.W, begin.a))
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    raw_f = sigma(x @ U.T) @ V.T
    f = raw_f / (outputs * m) ** 0.5
    g = sigma((raw_f if raw else f) @ W.T) @ a / 9**0.5
    term = g.sum() / ((outputs * m) ** 0.5 if raw else 1.0)
    loss = (f - y).square().sum() / 2 - sign * weight * term
    grad_U, grad_V = torch.autograd.grad(loss, (U, V))
    np.testing.assert_allclose(end.hidden.weights(0), (U - eta * grad_U).detach(), rtol=0, atol=1e-12)
    expected = V - eta * grad_V if net == "full" else V
    np.testing.assert_allclose(end.V[0], expected.detach(), rtol=0, atol=1e-12)
    assert float(grad_U.abs().max()) > 1e-3


@pytest.mark.parametrize("activation", ["relu", "leaky", "softplus", "tanh"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_critic_descends_its_loss_and_its_gradient_penalty(outputs, activation):
    rng = np.random.default_rng(1)
    W, a = (torch.tensor(rng.standard_normal(s), requires_grad=True) for s in ((2, 9, outputs), (2, 9, 1)))
    z, y = (torch.tensor(rng.standard_normal((2, outputs, 6))) for _ in range(2))
    e = torch.tensor(rng.random((2, 1, 6)))
    penalty = torch.tensor([10.0, 0.3], dtype=torch.float64)[:, None, None]
    sigma = sigma_of(activation)

    def g(points):
        return (a.mT @ sigma(W @ points))[:, 0] / 3

    between = (e * y + (1 - e) * z).requires_grad_()
    (slope,) = torch.autograd.grad(g(between).sum(), between, create_graph=True)
    loss = g(z).mean(-1) - g(y).mean(-1) + penalty[:, 0, 0] * (slope.norm(dim=1) - 0.8).square().mean(-1)
    expected = torch.autograd.grad(loss.sum(), (W, a))
    critic = Critic(W.detach(), a.detach(), penalty, 0.8, Activation(activation))
    for mine, torchs in zip(critic.gradients(z, y, e), expected, strict=True):
        np.testing.assert_allclose(mine, torchs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(critic.slope(between.detach()), slope.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("net", ["theory", "full"])
def test_velocity_is_reaction_plus_diffusion(net):
    """Both are the same map, of y - z and of q; the record holds their sizes, and the first step is their sum."""
    images = CLASSES if net == "full" else IMAGES
    record, end = trained(images, net=net, adversary="with", duration=0.1, times=[0.0, 0.1], seeds=[0], eta=0.1)
    data = data_of(net)
    x, y = data.x, data.y
    U, V = end["U0"][0].astype(float), end["V0"][0].astype(float)
    scale = 1 / np.sqrt(V.size)
    P = x @ U.T
    z = scale * np.maximum(P, 0) @ V.T
    at_first, _ = trained(images, net=net, adversary="with", duration=0.1, times=[0.0], seeds=[0])
    np.testing.assert_allclose(np.linalg.norm(z - y), record.error[0, 0, 0], rtol=1e-6)  # U0 is kept in float32

    def pulled(r):
        return scale * ((r @ V) * (P > 0)).T @ x

    reaction = pulled(y - z)
    size = np.linalg.norm(reaction, axis=1)
    np.testing.assert_allclose(record.reaction_u[0, 0, 0], size.mean(), rtol=1e-6)
    np.testing.assert_allclose(record.reaction_u_max[0, 0, 0], size.max(), rtol=1e-6)
    step = (end["U"][0, 0].astype(float) - U) / 0.1
    diffusion = np.linalg.norm(step - reaction, axis=1)
    np.testing.assert_allclose(record.diffusion_u[0, 0, 0], diffusion.mean(), rtol=1e-4)
    np.testing.assert_allclose(record.du[0, 0, 1], 0.1 * np.linalg.norm(step, axis=1), rtol=1e-4, atol=1e-6)
    rng = np.random.default_rng(0)
    V, M = torch.tensor(rng.standard_normal((2, 3, 8))), torch.tensor(rng.random((2, 8, 5)))
    r, q = torch.tensor(rng.standard_normal((2, 2, 3, 5)))
    parts = network.pull_hidden(V, M, r) + network.pull_hidden(V, M, q)
    np.testing.assert_allclose(network.pull_hidden(V, M, r + q), parts, rtol=0, atol=1e-14)
    assert at_first.sizes["time"] == 2


def worst(one, other):
    """Largest relative difference of a neuron's displacement between two records."""
    a, b = one.du[:, :, -1].to_numpy().astype(float), other.du[:, :, -1].to_numpy().astype(float)
    return np.abs(a - b).max() / np.abs(a).max()


@pytest.mark.parametrize(
    ("net", "dtype", "allowed"),
    [("theory", "float64", 1e-10), ("full", "float64", 1e-10), ("theory", "float32", 1e-3)],
)
def test_span_and_plain_form_are_the_same_descent(net, dtype, allowed):
    """1,000 steps without and with the live critic: U - U(0) in the worst neuron, relative to the largest."""
    data, end = data_of(net), []
    begin = begun(data, net, width=48, seeds=(0, 1))
    lanes = (engine.Lane("without", 0.0, 0.0), engine.Lane("with", 1.0, 10.0))
    where = {"device": torch.device("cpu"), "dtype": getattr(torch, dtype)}
    for span in (True, False):
        how = plan(data, net=net, span=span, steps=1000, lanes=lanes, where=where)
        end.append(engine.train(data, begin, how))
    for run in range(4):
        one, other = (e.hidden.weights(run) for e in end)
        moved = np.linalg.norm(one - begin.U[run % 2], axis=1).max()
        assert np.linalg.norm(one - other, axis=1).max() <= allowed * moved
    assert float(end[0].q[2:].abs().max()) > 0.5


def test_the_form_is_chosen_and_written_down():
    short = {"duration": 0.2, "times": [0.0, 0.2]}
    forms = [
        trained(**short, **settings)[0].attrs["form"]
        for settings in ({}, {"form": "plain"}, {"optimiser": "adam"}, {"form": "span", "n": 30})
    ]
    assert forms == ["span", "plain", "plain", "span"]
    assert trained(made_up(pixels=10), **short)[0].attrs["form"] == "plain"  # n > d


def test_displacements_stay_in_the_span_of_the_inputs():
    """P1, also of sgd; Adam leaves it."""
    data = data_of("theory")
    orthonormal = np.linalg.qr(data.x.T)[0]
    for optimiser, within in (("gd", True), ("sgd", True), ("adam", False)):
        begin = begun(data, "theory")
        end = engine.train(data, begin, plan(data, optimiser=optimiser, eta=0.02))
        moved = end.hidden.weights(0) - begin.U[0]
        left = np.linalg.norm(moved - moved @ orthonormal @ orthonormal.T) / np.linalg.norm(moved)
        assert (left < 1e-12) == within


def test_sgd_is_the_same_in_both_forms_and_uses_whole_batches():
    records = [trained(optimiser="sgd", form=form, eta=0.05, duration=5.0)[0] for form in ("span", "plain")]
    assert worst(*records) < 1e-6
    assert worst(records[0], trained(eta=0.05, duration=5.0)[0]) > 1e-3
    how = plan(None)
    chance = engine.Chance(begun(data_of("theory"), "theory", seeds=(0, 1)), how)
    seen = torch.stack([chance.share(10, 4) for _ in range(2)])  # an epoch: two batches of four, two examples left out
    np.testing.assert_array_equal((seen > 0).sum((0, 2, 3)), [8, 8])
    assert float(seen.max()) == 2.5


def test_adam_is_that_of_torch():
    data = data_of("full")
    begin = begun(data, "full")
    how = plan(data, net="full", optimiser="adam", batch=12, eta=1e-2, steps=30, lanes=(engine.Lane("without", 0, 0),))
    end = engine.train(data, begin, how)
    U, V = (torch.tensor(v[0], requires_grad=True) for v in (begin.U, begin.V))
    optimiser = torch.optim.Adam([U, V], lr=1e-2)
    for _ in range(30):
        optimiser.zero_grad()
        f = torch.relu(torch.tensor(data.x) @ U.T) @ V.T / (20 * 3) ** 0.5
        ((f - torch.tensor(data.y)).square().sum() / 2).backward()
        optimiser.step()
    np.testing.assert_allclose(end.hidden.weights(0), U.detach(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(end.V[0], V.detach(), rtol=0, atol=1e-9)


GAME = {"n": 8, "width": 200, "eta": 0.1, "critic_rate": 1.0, "seeds": [0], "adversary": "with", "critic_width": 64}


@pytest.mark.parametrize("penalty", [0.5, 2.0, 10.0])
def test_outputs_rest_where_the_critics_slope_is_that_of_the_game(penalty):
    """P4': s* = 2 lambda s0/(1 + 2 lambda), |z - y| = |q| = sqrt(n) s*, and nothing moves there: xi = 0."""
    record, _ = trained(**GAME, penalty=penalty, target_slope=0.6, duration=80.0, times=[0.0, 80.0])
    end = record.isel(lane=0, seed=0, time=-1)
    slope = 2 * penalty * 0.6 / (1 + 2 * penalty)
    np.testing.assert_allclose(end.critic_slope, slope, rtol=1e-6)
    np.testing.assert_allclose([end.error, end.q], np.sqrt(8) * slope, rtol=1e-6)
    assert end.xi < 1e-6 * record.xi[0, 0, 0]


def test_with_the_posters_sign_the_game_is_stable_only_if_twice_the_penalty_exceeds_one():
    """P5: s* = 2 lambda s0/(2 lambda - 1) for 2 lambda > 1; below there is no rest."""
    settings = {"sign": "plus", "target_slope": 0.4, "duration": 80.0, "times": [0.0, 80.0]}
    stable, unstable = (trained(**GAME, **settings, penalty=penalty)[0][{"lane": 0, "seed": 0}] for penalty in (2, 0.2))
    np.testing.assert_allclose(stable.critic_slope[-1], 2 * 2 * 0.4 / 3, rtol=1e-6)
    assert stable.xi[-1] < 1e-6 * stable.xi[0]
    assert np.isfinite(unstable.diverged_at) or unstable.xi[-1] > 0.5 * unstable.xi[0]
    assert np.isfinite(unstable.diverged_at) or unstable.critic_slope[-1] > 3 * unstable.critic_slope[0]


@pytest.mark.parametrize("optimiser", ["gd", "adam"])
@pytest.mark.parametrize("net", ["theory", "full"])
def test_permuted_pixels_with_permuted_weights_train_to_permuted_weights(net, optimiser):
    """P2: a fully connected net has no notion of which pixels are neighbours, with an adversary or without."""
    data = data_of(net)
    begin = begun(data, net)
    order = np.random.default_rng(3).permutation(data.x.shape[1])
    how = plan(data, net=net, optimiser=optimiser, eta=0.02, steps=200)
    one = engine.train(data, begin, how).hidden.weights(0)
    permuted = replace(data, x=data.x[:, order])
    other = engine.train(permuted, replace(begin, U=begin.U[..., order]), how).hidden.weights(0)
    np.testing.assert_allclose(other, one[:, order], rtol=0, atol=1e-7 if optimiser == "adam" else 1e-10)
    assert np.abs(one - begin.U[0]).max() > 1e-2
    unpermuted = engine.train(permuted, begin, how).hidden.weights(0)
    assert np.abs(unpermuted - one[:, order]).max() > 0.1


@pytest.mark.parametrize("net", ["theory", "full"])
def test_an_adversary_of_weight_0_is_supervision_to_the_last_bit(net):
    images = CLASSES if net == "full" else IMAGES
    without, end = trained(images, net=net, adversary="without")
    nothing, other = trained(images, net=net, adversary="with", adversary_weight=0.0)
    np.testing.assert_array_equal(end["U"], other["U"])
    for name in ("du", "error", "xi", "flips"):
        np.testing.assert_array_equal(without[name], nothing[name])
    assert np.isfinite(nothing.critic_slope).all()


@pytest.mark.parametrize("net", ["theory", "full"])
def test_runs_do_not_depend_on_what_is_trained_beside_them(net):
    images = CLASSES if net == "full" else IMAGES
    lanes = {"adversary_weight": [0.5, 1.0], "penalty": [1.0, 10.0]}
    together, _ = trained(images, net=net, **lanes, seeds=[0, 1, 2])
    assert together.sizes["lane"] == 5  # one without an adversary
    np.testing.assert_array_equal(together.adversary_weight, [0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(together.penalty, [0, 1, 10, 1, 10])
    for at, seed in ((0, 2), (3, 1)):
        settings = {name: float(together[name][at]) for name in lanes}
        alone, _ = trained(images, net=net, adversary=str(together.adversary.values[at]), **settings, seeds=[seed])
        for name in ("du", "xi", "tv_q", "gram_inf"):
            np.testing.assert_allclose(together[name][at, seed], alone[name][0, 0], rtol=1e-5, atol=1e-7)


def test_the_same_run_gives_the_same_bytes():
    one, other = trained(), trained()
    assert one[0].identical(other[0])
    assert all(np.array_equal(one[1][name], other[1][name]) for name in one[1])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_remainder_is_what_descent_adds_to_the_flow(activation):
    """z(k+1) - z(k) + eta H(k) xi(k), with H made anew from weights that are descended here, in numpy."""
    data = data_of("theory")
    settings = {"adversary": "without", "seeds": [0], "duration": 3.0, "times": [0.0, 3.0], "activation": activation}
    record, end = trained(**settings)
    begin = begun(data, "theory", width=48)
    begin = engine.start(
        7, [0], net="theory", pixels=40, outputs=1, width=48, critic_width=16, scale=1.0
    )  # as run makes them
    U, v, x, y = begin.U[0].copy(), begin.V[0, 0], data.x, data.y[:, 0]
    value = (lambda h: np.maximum(h, 0)) if activation == "relu" else np.tanh
    slope = (lambda h: 1.0 * (h > 0)) if activation == "relu" else (lambda h: 1 - np.tanh(h) ** 2)
    z, total, lowest, highest, flips = v @ value(U @ x.T) / 48**0.5, 0.0, np.inf, 0.0, 0
    for _ in range(30):
        S = slope(U @ x.T)
        H = gram.empirical(x @ x.T, S)
        ends = np.linalg.eigvalsh(H)
        lowest, highest = min(lowest, ends[0]), max(highest, ends[-1])
        xi = z - y
        U = U - 0.1 / 48**0.5 * (v[:, None] * S * xi) @ x
        after = v @ value(U @ x.T) / 48**0.5
        total += np.linalg.norm(after - z + 0.1 * H @ xi)
        flips += ((U @ x.T > 0) != (S > 0)).sum()
        z = after
    ends = np.linalg.eigvalsh(gram.empirical(x @ x.T, slope(U @ x.T)))
    np.testing.assert_allclose(end["z"][0, 0, :, 0], z, atol=1e-12)
    np.testing.assert_allclose(record.remainder[0, 0, -1], total, rtol=1e-9)
    np.testing.assert_allclose(record.gram_inf[0, 0, -1], min(lowest, ends[0]), rtol=1e-9)
    np.testing.assert_allclose(record.gram_sup[0, 0, -1], max(highest, ends[-1]), rtol=1e-9)
    if activation == "relu":
        assert record.flips[0, 0, -1] == flips > 0
    assert total > 0


def test_sums_over_the_steps_are_those_of_a_record_of_every_step():
    record, _ = trained(times=[0.1 * k for k in range(101)], activation="leaky")
    xi, q_sum = record.xi.to_numpy(), record.q_sum.to_numpy()
    w, low, high = (record[name].to_numpy() for name in ("critic_w", "gram_min", "gram_max"))
    np.testing.assert_allclose(record.xi_integral[..., 1:], 0.1 * xi.cumsum(-1)[..., :-1], rtol=1e-12)
    np.testing.assert_allclose(record.mu, np.maximum.accumulate(q_sum, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(record.w_sup, np.maximum.accumulate(w, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(record.gram_inf, np.minimum.accumulate(low, axis=-1), rtol=1e-9)
    np.testing.assert_allclose(record.gram_sup, np.maximum.accumulate(high, axis=-1), rtol=1e-9)
    assert (record.tv_q[1, :, 1:] >= np.abs(np.diff(record.q[1], axis=-1)).cumsum(-1) - 1e-12).all()
    np.testing.assert_allclose(record.xi_mean, xi, rtol=1e-12)  # of one step each
    seldom, _ = trained(times=[0.0, 5.0], activation="leaky")
    assert (seldom.xi_mean[1, :, 1] <= xi[1, :, 1:51].mean(-1) * (1 + 1e-12)).all()
    # |u_j(t) - u_j(0)| <= sup |v_j|/sqrt(d_out m) sigma_max(X) int |xi|
    largest = np.linalg.svd(data_of("theory").x, compute_uv=False)[0]
    bound = record.c_sup.to_numpy()[:, :, None] * largest * record.xi_integral.to_numpy()[..., None]
    assert (record.du <= bound * (1 + 1e-6) + 1e-9).all()


def test_spectra_that_are_made_seldom_bound_those_of_every_step():
    exact, seldom = (trained(gram_every=k, width=400, duration=4.0)[0].isel(time=-1) for k in (1, 4))
    assert (seldom.gram_inf <= exact.gram_inf).all()
    assert (seldom.gram_sup >= exact.gram_sup).all()
    assert (seldom.gram_inf > exact.gram_inf - 0.5).all()


def test_kernel_of_the_full_net_moves_its_outputs():
    """dz/dt = -H xi with H of both layers: a short step of a smooth net, and extremes as the kernel's."""
    record, end = trained(CLASSES, net="full", eta=1e-6, duration=1e-6, times=[0.0], seeds=[0], activation="tanh")
    data = data_of("full")
    U, V = end["U0"][0].astype(float), end["V0"][0].astype(float)
    H = gram.block_kernel(data.x, U, V, "tanh")
    np.testing.assert_allclose(record.gram_max[:, 0, 0], np.linalg.eigvalsh(H)[-1], rtol=1e-5)
    np.testing.assert_allclose(record.gram_min[:, 0, 0], np.linalg.eigvalsh(H)[0], rtol=1e-3, atol=1e-9)


def test_descent_tends_to_the_flow_as_fast_as_the_step_size():
    """Order 1 in eta towards a reference of small steps, supervised; smooth, so that no kink disturbs the order."""
    errors = {}
    for net in ("theory", "full"):
        data = data_of(net)
        begin, lanes = begun(data, net), (engine.Lane("without", 0.0, 0.0),)

        def final(eta, net=net, data=data, begin=begin, lanes=lanes):
            how = plan(data, net=net, lanes=lanes, activation=Activation("tanh"), span=True)
            return engine.train(data, begin, replace(how, eta=eta, steps=round(4 / eta))).hidden.weights(0)

        reference = 2 * final(0.0025) - final(0.005)
        errors[net] = [np.linalg.norm(final(eta) - reference) for eta in (0.16, 0.08, 0.04)]
        orders = np.log2(np.divide(errors[net][:-1], errors[net][1:]))
        np.testing.assert_allclose(orders, 1, atol=0.15)


def test_neurons_that_see_no_input_are_dead_and_never_move():
    images = made_up(positive=True, pixels=2)
    record, end = trained(images, form="plain", duration=1.0)
    dead = (end["U0"] @ images.x_train[:12].T < 0).all(-1)
    assert dead.any()
    np.testing.assert_array_equal(record.dead, np.stack([dead.sum(-1)] * 2))
    np.testing.assert_array_equal(record.du[:, :, -1] == 0, np.stack([dead] * 2))


def test_a_run_that_diverges_is_nan_from_there_on_and_leaves_the_others_alone():
    settings = {
        "sign": "plus",
        "penalty": 0.0,
        "critic_rate": 40.0,
        "duration": 10.0,
        "times": [0.1 * k for k in range(101)],
    }
    record, end = trained(**settings)
    alone, _ = trained(adversary="without", duration=10.0)
    lost = np.isfinite(record.diverged_at).to_numpy()
    assert lost[1].all()
    assert not lost[0].any()
    np.testing.assert_allclose(record.du[0, :, -1], alone.du[0, :, -1], rtol=1e-5, atol=1e-7)
    assert (record.xi[1].max("time") <= 1e6 * record.xi[1, :, 0]).all()
    assert (record.xi[1].max("time") > 1e3 * record.xi[1, :, 0]).all()
    for seed in (0, 1):
        after = record.time.to_numpy() >= float(record.diverged_at[1, seed])
        assert after.any()
        for name in ("error", "xi", "du", "gram_inf", "tv_q"):
            values = record[name][1, seed].to_numpy()
            assert np.isnan(values[after]).all()
            assert np.isfinite(values[~after]).all()
    assert np.isnan(end["U"][1]).all(axis=(-2, -1)).all()
    # at once, though what exceeds the limit may be finite yet
    _, end = trained(**{**settings, "duration": float(record.diverged_at[1, 0]) + 0.1}, seeds=[0])
    assert np.isnan(end["U"][1]).any()
    assert np.isnan(end["z"][1]).all()


@pytest.mark.parametrize("net", ["theory", "full"])
def test_scaled_labels_move_the_hidden_layer_as_far_as_the_live_critic(net):
    images = CLASSES if net == "full" else IMAGES
    live, _ = trained(images, net=net, penalty=1.0, adversary_weight=2.0)
    scaled, _ = trained(images, net=net, penalty=1.0, adversary_weight=2.0, control="label-scaled")
    moved = [record.du[:, :, -1].mean("neuron").to_numpy() for record in (live, scaled)]
    np.testing.assert_allclose(moved[1], moved[0], rtol=0.01)
    np.testing.assert_allclose(scaled.displacement_ratio[1], moved[1][1] / moved[0][1], rtol=1e-5)
    assert np.isnan(scaled.displacement_ratio[0]).all()
    assert (abs(scaled.label_scale[1] - 1) > 0.02).any()
    np.testing.assert_array_equal(scaled.label_scale[0], 1)
    assert np.isnan(scaled.critic_slope).all()
    assert (scaled.q == 0).all()


def test_a_random_field_has_the_size_of_the_live_pull_and_its_correlation_time():
    times = [0.1 * k for k in range(201)]
    settings = {"duration": 20.0, "times": times, "seeds": [0], "n": 30, "adversary": "with", "width": 16}
    live, _ = trained(**settings)
    random, _ = trained(**settings, control="random-field")
    rms = np.sqrt((live.q[0, 0] ** 2).mean() / 30)
    np.testing.assert_allclose(random.field_sd[0, 0], rms, rtol=1e-9)
    np.testing.assert_allclose(np.sqrt((random.q[0, 0] ** 2).mean() / 30), rms, rtol=0.15)
    # a step changes each value by a normal of variance 2 sd^2 (1 - exp(-eta/tau))
    step = rms * np.sqrt(30 * 2 * (1 - np.exp(-0.1 / 2.0)))
    np.testing.assert_allclose(random.tv_q[0, 0, -1] / 200, step, rtol=0.05)


def test_a_frozen_critic_learns_at_first_and_is_held():
    record, end = trained(control="frozen-critic", frozen_steps=50)
    moving, other = trained()
    np.testing.assert_array_equal(record.critic_w[1].std("time"), 0)
    assert (moving.critic_w[1].std("time") > 0).all()
    fresh, _ = trained(control="frozen-critic", frozen_steps=0)
    assert (abs(record.critic_w[1, :, 0] - fresh.critic_w[1, :, 0]) > 1e-3).all()
    np.testing.assert_allclose(record.du[0], moving.du[0])
    assert not np.array_equal(end["W"][1], other["W"][1])


def test_permuted_pixels_are_the_same_examples_in_another_order():
    order = inputs.permutation(40, 7)
    plain, permuted = (
        inputs.examples(IMAGES, net="theory", n=12, inputs="unit", control=control, root=7)
        for control in ("none", "permuted-pixels")
    )
    np.testing.assert_array_equal(permuted.x, plain.x[:, order])
    assert not np.array_equal(order, np.arange(40))
    np.testing.assert_array_equal(order, inputs.permutation(40, 7))


def test_targets():
    digits = replace(CLASSES, y_train=np.arange(30) % 4)
    parity = inputs.examples(digits, net="theory", n=8, inputs="raw", control="none", root=0)
    np.testing.assert_array_equal(parity.y[:, 0], [1, -1] * 4)
    signs = inputs.examples(IMAGES, net="theory", n=4, inputs="raw", control="none", root=0)
    np.testing.assert_array_equal(signs.y[:, 0], IMAGES.y_train[:4])
    onehot = inputs.examples(digits, net="full", n=8, inputs="raw", control="none", root=0)
    np.testing.assert_array_equal(onehot.y, np.eye(4)[np.arange(8) % 4])
    assert onehot.classes == (0, 1, 2, 3)
    np.testing.assert_array_equal(onehot.x, digits.x_train[:8])


def test_the_critics_own_random_numbers_leave_the_order_of_the_examples_alone():
    settings = {"optimiser": "sgd", "adversary": "with", "adversary_weight": 0.0}
    one, other = (trained(**settings, critic_steps=steps)[0] for steps in (1, 3))
    np.testing.assert_array_equal(one.du, other.du)
    assert not np.array_equal(one.critic_w, other.critic_w)


def test_recorded_steps_are_the_first_at_or_after_the_times_and_the_last():
    assert grid([0.0, 0.1, 0.25, 0.3, 5.0], 0.1, 1.0) == (10, [0, 1, 3, 10])
    assert grid([0.0, 0.3], 0.1, 0.3) == (3, [0, 3])  # 0.3/0.1 is below 3 in floating point
    assert snapshots([0, 1, 2, 4, 8, 16, 32, 64, 256]) == [0, 1, 4, 16, 64, 256]
    assert snapshots([0, 3]) == [0, 3]


def test_filters_are_the_first_seeds_weights_at_the_snapshots():
    record, end = trained()
    np.testing.assert_allclose(record["filter"][:, :, 0], np.stack([end["U0"][0, :3]] * 2), rtol=1e-6)
    np.testing.assert_allclose(record["filter"][:, :, -1], end["U"][:, 0, :3], rtol=1e-6)
    assert record.snapshot[-1] == record.time[-1]


def test_inputs_that_cannot_be_used_are_refused_in_one_line():
    with pytest.raises(InputError, match="n: found 31, allowed: at most 30, the training images"):
        trained(n=31)
    zero = replace(IMAGES, x_train=np.where(np.arange(30)[:, None] == 3, 0.0, IMAGES.x_train))
    with pytest.raises(InputError, match=r"inputs: found 'unit'.*training image 3 is 0"):
        trained(zero)
    trained(zero, n=3, duration=0.1)
    with pytest.raises(InputError, match="class"):
        trained(replace(IMAGES, y_train=np.ones(30, int)))
    with pytest.raises(InputError, match="form: found 'span'"):
        trained(optimiser="adam", form="span")
    with pytest.raises(InputError, match="length"):
        inputs.check_unit(IMAGES.x_train)
    inputs.check_unit(data_of("theory").x)


def test_weights_come_back_as_they_were_and_are_not_mistaken(tmp_path):
    _, end = trained(duration=0.5)
    paths = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    for path in paths:
        weights.save(path, end, "made here")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = weights.load(paths[0], "made here")
    assert found.keys() == end.keys()
    assert all(np.array_equal(found[name], end[name]) for name in end)
    with pytest.raises(InputError, match="made by training made here, expected other"):
        weights.load(paths[0], "other")
    paths[1].write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        weights.load(paths[1], "made here")


@pytest.mark.parametrize("net", ["theory", "full"])
def test_reaction_and_diffusion_of_each_neuron_are_the_sums_over_examples_of_the_paper(net):
    """Equations (48) to (55), one neuron and one example at a time; and what is averaged over neurons."""
    record, left = trained(CLASSES if net == "full" else IMAGES, net=net, width=20)
    data = data_of(net)
    lane = {"lane": 1, "seed": 0}
    U, V, z, q = (left[name][1, 0].astype(float) for name in ("U", "V", "z", "q"))
    scale = 1 / np.sqrt(V.size)
    parts = {}
    for name, pull in (("reaction", data.y - z), ("diffusion", q)):
        u, v = np.zeros_like(U), np.zeros_like(V.T)
        for j in range(len(U)):
            for x, c in zip(data.x, pull, strict=True):
                u[j] += scale * (c @ V[:, j]) * (U[j] @ x >= 0) * x
                v[j] += scale * c * max(U[j] @ x, 0)
        parts[name] = {"u": u, "v": v}
    for layer in ("u", "v") if net == "full" else ("u",):
        r, d = parts["reaction"][layer], parts["diffusion"][layer]
        sizes = [np.linalg.norm(a, axis=1) for a in (r, d)]
        end = record.isel(snapshot=-1, **lane)
        live = sizes[0] * sizes[1] > 0
        cosine = (r * d).sum(1)[live] / (sizes[0] * sizes[1])[live]
        for name, size in zip(("reaction", "diffusion"), sizes, strict=True):
            np.testing.assert_allclose(end[f"{name}_each_{layer}"], size, rtol=2e-4, atol=1e-6)
        np.testing.assert_allclose(end[f"alignment_each_{layer}"].values[live], cosine, rtol=2e-4, atol=1e-5)
        last = record.isel(time=-1, **lane)
        total = r + d
        unit = total[np.linalg.norm(total, axis=1) > 0]
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        pairs = (unit @ unit.T)[~np.eye(len(unit), dtype=bool)]
        sync = "sync" if layer == "u" else "sync_v"
        wanted = {
            f"reaction_{layer}": sizes[0].mean(), f"diffusion_{layer}_max": sizes[1].max(),
            f"share_{layer}": np.mean((sizes[1] / (sizes[0] + sizes[1]))[sizes[0] + sizes[1] > 0]),
            f"alignment_{layer}": cosine.mean(), sync: pairs.mean(),
            sync.replace("sync", "sync_abs"): np.abs(pairs).mean(),
        }  # fmt: skip
        for name, value in wanted.items():
            assert float(last[name]) == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_the_step_of_the_top_layer_is_its_reaction_and_diffusion():
    """V(1) - V(0) = eta (R^v + D^v), to rounding."""
    data, eta = data_of("full"), 0.1
    begin = begun(data, "full")
    end = engine.train(data, begin, plan(data, net="full", steps=1, eta=eta))
    hidden = np.maximum(begin.U[0] @ data.x.T, 0)
    z = hidden.T @ begin.V[0].T / np.sqrt(begin.V[0].size)
    still = engine.train(data, begin, plan(data, net="full", steps=0, eta=eta))  # q of time 0
    pull = data.y - z + still.q[0].T.numpy()
    wanted = eta * (hidden @ pull).T / np.sqrt(begin.V[0].size)
    np.testing.assert_allclose(end.V[0].numpy() - begin.V[0], wanted, rtol=0, atol=1e-14)


def test_nothing_is_left_of_a_run_that_is_lost_at_its_last_step():
    settings = {"sign": "plus", "penalty": 0.0, "critic_rate": 40.0, "duration": 10.0, "seeds": [0]}
    end = float(trained(**settings, times=[0.0, 10.0])[0]["diverged_at"][1, 0])
    record, left = trained(**(settings | {"duration": end}), times=[0.0, end])
    assert record["diverged_at"].values[1, 0] == pytest.approx(end)
    for name in ("U", "z", "q", "W", "a"):
        assert np.isnan(left[name][1]).all()
        assert np.isfinite(left[name][0]).all()
    assert record["filter"].isel(lane=1, snapshot=-1).isnull().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_batch_of_seeds_on_a_gpu_is_the_single_runs_of_the_cpu():
    settings = {"duration": 10.0, "width": 64}
    together = trained(**settings, device="cuda", seeds=[0, 1, 2])[0]
    for seed in (0, 1, 2):
        alone = trained(**settings, seeds=[seed])[0]
        np.testing.assert_allclose(together["error"].sel(seed=[seed]), alone["error"], rtol=1e-5)
        np.testing.assert_allclose(together["du"].sel(seed=[seed]), alone["du"], rtol=1e-5, atol=1e-7)
