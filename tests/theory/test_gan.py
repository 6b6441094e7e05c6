"""Noise, stacked networks and the game: equal to torch's modules, independent between runs, right at the optimum."""

import random

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from advdyn import minibatches
from advdyn.errors import InputError
from advdyn.gan import game, generator, networks, noise
from advdyn.gan.game import Game, History
from advdyn.minibatches import Deck
from advdyn.perceptrons import Mlps

RATE = 1e-3  # at which a statistical test would fail by chance, at each of its ends; the seeds are fixed
DOUBLE = torch.float64


def rng(seed=0):
    return np.random.default_rng(seed)


def normals(*shape, seed=0):
    return torch.from_numpy(rng(seed).normal(size=shape))


def made(sizes, runs=1, seed=0, dtype=DOUBLE, **options):
    return Mlps(sizes, runs, dtype=dtype, **options).initialise([rng(seed + r) for r in range(runs)])


def weights_of(*networks):
    return torch.cat([p.detach().flatten(1) for network in networks for p in network.parameters()], 1)


# --- noise -----------------------------------------------------------------------------------------------------------


def p_uniform(values):
    return stats.chisquare(np.bincount(values.ravel(), minlength=256)).pvalue


def test_danoise_is_made_of_pythons_random_bytes():
    found = noise.danoise(7, 30, 12)
    assert found.dtype == np.uint8
    assert found.tobytes() == random.Random(7).randbytes(360)
    assert (noise.danoise(7, 30, 12) == found).all()
    assert (noise.danoise(8, 30, 12) != found).mean() > 0.9
    found[0] = 0  # a data set of its own, which may be written to
    assert noise.danoise(7, 30, 12)[0].any()


def test_danoise_and_the_bytes_of_uniform_outputs_are_uniform():
    f = rng().random(200_000)
    for values in (noise.danoise(0, 250, 800), noise.to_bytes(f)):
        assert RATE < p_uniform(values) < 1 - RATE
    # the control: bytes that are rounded, so that 0 and 255 come half as often
    assert p_uniform(np.rint(255 * f).astype(np.uint8)) < RATE


def test_the_byte_of_an_output_is_the_256th_it_lies_in():
    edges = np.arange(256) / 256
    for dtype in (np.float32, np.float64):
        every = np.arange(256).astype(dtype) / dtype(255)
        assert (noise.to_bytes(every) == np.arange(256)).all()
        assert (noise.to_bytes(edges.astype(dtype)) == np.arange(256)).all()
        assert (noise.to_bytes(np.nextafter(edges[1:].astype(dtype), dtype(0))) == np.arange(255)).all()
    assert noise.to_bytes(np.array([1.0, np.nan])).tolist() == [255, 0]


def test_latent_vectors_are_standard_normal():
    z = noise.latent(random.Random(0), (200, 100))
    assert z.shape == (200, 100)
    assert stats.kstest(z.ravel(), "norm").pvalue > RATE
    assert stats.kstest(1.1 * z.ravel(), "norm").pvalue < RATE  # the control
    assert (z == noise.latent(random.Random(0), (200, 100))).all()


def test_no_latent_number_is_infinite():
    class Extreme(random.Random):
        def randbytes(self, n):
            return b"\x00" * (n // 2) + b"\xff" * (n // 2)

    low, high = noise.latent(Extreme(), (2,))
    assert 8 < high < 9
    assert low == pytest.approx(-high, abs=1e-6)


# --- networks --------------------------------------------------------------------------------------------------------


def test_sizes():
    assert networks.generator_sizes(512, 100, 784) == (100, 128, 256, 512, 784)
    assert networks.degenerator_sizes(512, 784) == (784, 512, 512, 784)
    assert networks.discriminator_sizes(512, 784) == (784, 512, 256, 1)


def torch_module(network, run):
    """The same network of torch's own modules."""
    layers = []
    for layer in range(network.last + 1):
        w = getattr(network, f"w{layer}")[run].detach()
        linear = nn.Linear(*w.shape, dtype=w.dtype)
        linear.weight.data, linear.bias.data = w.T.clone(), getattr(network, f"b{layer}")[run].detach().clone()
        layers.append(linear)
        if layer < network.last:
            if network.batch_normalisation:
                layers.append(nn.BatchNorm1d(w.shape[1], dtype=w.dtype))
            layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers)


def same(network, run, module, tolerance=1e-12):
    """Whether the parameters and statistics of a run are those of a torch module."""
    for layer, linear in enumerate(m for m in module if isinstance(m, nn.Linear)):
        torch.testing.assert_close(getattr(network, f"w{layer}")[run].T, linear.weight, rtol=0, atol=tolerance)
        torch.testing.assert_close(getattr(network, f"b{layer}")[run], linear.bias, rtol=0, atol=tolerance)
    for layer, norm in enumerate(m for m in module if isinstance(m, nn.BatchNorm1d)):
        for own, theirs in (
            ("scale", "weight"), ("shift", "bias"), ("mean", "running_mean"), ("variance", "running_var")
        ):  # fmt: skip
            torch.testing.assert_close(
                getattr(network, f"{own}{layer}")[run], getattr(norm, theirs), rtol=0, atol=tolerance
            )


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("runs", [1, 3])
def test_each_run_is_a_chain_of_torchs_modules(normalised, runs):
    network = made((5, 7, 6, 4), runs, batch_normalisation=normalised)
    modules = [torch_module(network, run) for run in range(runs)]
    x = normals(runs, 20, 5)
    for _ in range(2):  # the running statistics move twice
        out = network(x)
        for run, module in enumerate(modules):
            torch.testing.assert_close(out[run], module(x[run]), rtol=0, atol=1e-12)
            same(network, run, module)
    network.eval()
    for run, module in enumerate(modules):
        torch.testing.assert_close(network(x)[run], module.eval()(x[run]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", ["minimax", "non-saturating"])
def test_the_game_is_that_of_torchs_modules_and_adam(loss):
    runs, n = 2, 12
    player, against = made((3, 6, 5, 4), runs, batch_normalisation=True), made((4, 6, 1), runs, seed=10)
    own = [(torch_module(player, r), torch_module(against, r)) for r in range(runs)]
    played = Game(player, against, loss=loss, learning_rate=0.01, beta1=0.5)
    optimisers = [[torch.optim.Adam(m.parameters(), lr=0.01, betas=(0.5, 0.999)) for m in both] for both in own]
    for step in range(4):
        real, z, z_played = (normals(runs, n, k, seed=3 * step + i) for i, k in enumerate((4, 3, 3)))
        value, accuracy = played.discriminate(real, z)
        cost, norm = played.deceive(z_played)
        for r, ((g, d), (adam_g, adam_d)) in enumerate(zip(own, optimisers, strict=True)):
            of_real, of_fake = d(real[r]).sigmoid(), d(g(z[r]).detach().sigmoid()).sigmoid()
            criterion = of_real.log().mean() + (1 - of_fake).log().mean()
            assert value[r] == pytest.approx(criterion.item(), abs=1e-12)
            right = ((of_real > 0.5).double().mean() + (of_fake < 0.5).double().mean()) / 2
            assert accuracy[r] == pytest.approx(right.item(), abs=1e-12)
            adam_d.zero_grad()
            (-criterion).backward()
            adam_d.step()
            of_fake = d(g(z_played[r]).sigmoid()).sigmoid()
            theirs = (1 - of_fake).log().mean() if loss == "minimax" else -of_fake.log().mean()
            adam_g.zero_grad()
            theirs.backward()
            adam_g.step()
            assert cost[r] == pytest.approx(theirs.item(), abs=1e-12)
            length = torch.cat([p.grad.flatten() for p in g.parameters()]).norm().item()
            assert norm[r] == pytest.approx(length, rel=1e-9)
            same(player, r, g, 1e-9)
            same(against, r, d, 1e-9)


def test_initial_weights_are_those_of_a_linear_layer_from_the_runs_own_generator():
    sizes = (50, 40, 30, 1)
    three = made(sizes, 3, minibatch_feature=True)
    alone = made(sizes, 1, seed=1, minibatch_feature=True)
    assert torch.equal(weights_of(three)[1], weights_of(alone)[0])
    assert not torch.equal(weights_of(three)[0], weights_of(alone)[0])
    for layer, inputs in enumerate((50, 40, 31)):
        for name in "wb":
            values = getattr(three, f"{name}{layer}").detach().numpy().ravel() * np.sqrt(inputs)
            assert np.abs(values).max() <= 1
            assert stats.kstest(values, "uniform", (-1, 2)).pvalue > RATE


def test_the_minibatch_feature_is_the_spread_of_each_minibatch():
    plain, feature = made((4, 6, 5, 1), 2), made((4, 6, 5, 1), 2, minibatch_feature=True)
    for layer in (0, 1):
        for name in "wb":
            getattr(feature, f"{name}{layer}").data = getattr(plain, f"{name}{layer}").data
    feature.w2.data[:] = 0
    feature.w2.data[:, -1] = 1  # only the feature reaches the output
    feature.b2.data[:] = 0
    x = normals(2, 8, 4)
    hidden = x
    for layer in (0, 1):
        hidden = nn.functional.leaky_relu(
            hidden @ getattr(plain, f"w{layer}") + getattr(plain, f"b{layer}")[:, None], 0.2
        )
    whole = hidden.std(1, correction=0).mean(1)
    torch.testing.assert_close(feature(x)[..., 0], whole[:, None].expand(2, 8), rtol=1e-4, atol=0)
    halves = torch.stack([hidden[:, :4], hidden[:, 4:]], 1).std(2, correction=0).mean(2)
    torch.testing.assert_close(feature(x, parts=2)[..., 0], halves.repeat_interleave(4, 1), rtol=1e-4, atol=0)


def test_the_minibatch_feature_of_equal_examples_has_a_finite_gradient():
    network = made((4, 5, 1), minibatch_feature=True)
    x = torch.ones(1, 6, 4, dtype=DOUBLE, requires_grad=True)
    network(x).sum().backward()
    assert all(p.grad.isfinite().all() for p in (*network.parameters(), x))


@pytest.mark.parametrize("options", [{}, {"batch_normalisation": True}, {"minibatch_feature": True}])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_arrays_restore_a_network(options, dtype):
    network = made((4, 6, 5, 2), 2, dtype=dtype, **options)
    network(normals(2, 9, 4).to(dtype))  # moves the running statistics
    arrays = network.arrays("a/")
    for values in arrays.values():
        values.setflags(write=False)  # as of a file mapped into memory
    found = Mlps.of(arrays | network.arrays("b/"), "a/")
    assert not found.training
    network.eval()
    x = normals(2, 9, 4, seed=1).to(dtype)
    assert torch.equal(found(x), network(x))
    found.w0.data.zero_()
    assert arrays["a/w0"].any()  # it has weights of its own
    assert torch.equal(found.restore(arrays, "a/")(x), network(x))
    network.w0.data.zero_()
    assert arrays["a/w0"].any()  # they are copies


# --- the game --------------------------------------------------------------------------------------------------------


def the_identity(k):
    """A player whose outputs are sigmoid(its inputs)."""
    player = Mlps((k, k), 1, dtype=DOUBLE)
    player.w0.data[:] = torch.eye(k, dtype=DOUBLE)
    return player


@pytest.mark.parametrize("q", [(5, 3, 2), (1, 2, 7)])
def test_the_best_discriminator_of_a_discrete_example(q):
    p = np.array([5, 3, 2])
    q = np.array(q)
    one_hot = np.eye(3)
    real, fake = (torch.from_numpy(np.repeat(one_hot, counts, 0)[None]) for counts in (p, q))
    played = Game(the_identity(3), Mlps((3, 1), 1, dtype=DOUBLE), loss="minimax", learning_rate=0.05, beta1=0.9)
    for _ in range(400):
        value, accuracy = played.discriminate(real, 200 * fake - 100)  # sigmoid(+-100) is 1 or 0
    best = p / (p + q)
    found = played.discriminator(torch.from_numpy(one_hot)[None]).sigmoid().detach().numpy().ravel()
    assert found == pytest.approx(best, abs=1e-3)
    expected = (p / 10) @ np.log(best) + (q / 10) @ np.log(1 - best)
    assert float(value) == pytest.approx(expected, abs=1e-5)
    if (p == q).all():
        assert expected == pytest.approx(-np.log(4))
        assert float(accuracy) == 0.5
    else:
        right = (p / 10) @ (best > 0.5) / 2 + (q / 10) @ (best < 0.5) / 2
        assert float(accuracy) == pytest.approx(right)


@pytest.mark.parametrize(("largest", "apart"), [(1.0, False), (0.8, True)])
def test_noise_against_noise_has_the_value_of_the_optimum(largest, apart):
    pixels, batch, draw = 16, 256, rng(5)
    played = Game(the_identity(pixels), made((pixels, 32, 1)), loss="minimax", learning_rate=1e-3, beta1=0.5)
    values, accuracies = [], []
    for _ in range(400):
        real = torch.from_numpy(draw.random((1, batch, pixels)))
        fake = torch.from_numpy(largest * draw.random((1, batch, pixels)))
        value, accuracy = played.discriminate(real, fake.logit())
        values.append(float(value))
        accuracies.append(float(accuracy))
    value, accuracy = np.mean(values[-150:]), np.mean(accuracies[-150:])
    error = 0.5 / np.sqrt(2 * batch * 150)
    if apart:  # the control: noise that leaves the upper fifth out is told apart
        assert value > -np.log(4) + 0.1
        assert accuracy > 0.5 + 20 * error
    else:
        assert value == pytest.approx(-np.log(4), abs=0.01)
        assert accuracy == pytest.approx(0.5, abs=stats.norm.isf(RATE) * error)


def small_game(runs=3, seed=0, dtype=DOUBLE, rate=0.01):
    return Game(
        made((3, 5, 4), runs, seed, dtype, batch_normalisation=True),
        made((4, 6, 1), runs, seed + 10, dtype, minibatch_feature=True),
        loss="non-saturating",
        learning_rate=rate,
        beta1=0.5,
    )


class Sampled:
    """A feed of normal numbers, with a count of what was asked for."""

    def __init__(self, runs, first=0, dtype=DOUBLE):
        self.runs, self.first, self.dtype, self.asked = runs, first, dtype, []

    def _draw(self, name, k):
        self.asked.append(name)
        drawn = [rng([len(self.asked), run + self.first]).normal(size=(8, k)) for run in range(self.runs)]
        return torch.from_numpy(np.stack(drawn)).to(self.dtype)

    def real(self):
        return self._draw("real", 4).sigmoid()

    def judged(self):
        return self._draw("judged", 3)

    def played(self):
        return self._draw("played", 3)


def played(one, feed, **changed):
    settings = {"epochs": 3, "updates": 2, "d_steps": 1, "after": lambda epoch: None} | changed
    return game.play(one, feed, **settings)


def test_runs_of_a_batch_are_independent():
    together = small_game(3)
    whole = played(together, Sampled(3))
    for run in range(3):
        alone = small_game(1, run)
        history = played(alone, Sampled(1, run))
        torch.testing.assert_close(
            weights_of(together.player, together.discriminator)[run], weights_of(alone.player, alone.discriminator)[0],
            rtol=0, atol=1e-9,
        )  # fmt: skip
        for name in game.MEASURED:
            np.testing.assert_allclose(getattr(whole, name)[run], getattr(history, name)[0], atol=1e-9)


def test_a_run_that_diverges_is_marked_and_leaves_the_others_alone():
    sound, broken = small_game(3), small_game(3)
    expected = played(sound, Sampled(3))

    def overflow(epoch):
        if epoch == 1:
            broken.player.w0.data[1] = torch.inf

    found = played(broken, Sampled(3), after=overflow)
    assert np.array_equal(found.diverged_epoch, [np.nan, 2, np.nan], equal_nan=True)
    assert found.diverged.tolist() == [False, True, False]
    for name in game.MEASURED:
        own, other = getattr(found, name), getattr(expected, name)
        assert np.isfinite(other).all()
        np.testing.assert_allclose(own[[0, 2]], other[[0, 2]], atol=1e-9)
        assert np.isfinite(own[1, 0])
        assert np.isnan(own[1, 1:]).all()
    for network in (broken.player, broken.discriminator):
        assert weights_of(network)[1].isnan().all()
        assert weights_of(network)[[0, 2]].isfinite().all()


def test_weights_that_overflow_in_the_last_step_of_a_pass_are_a_divergence():
    one, steps = small_game(3), []
    deceive = one.deceive

    def overflowing(z):
        found = deceive(z)
        steps.append(found)
        if len(steps) == 4:  # the last of all
            one.player.w0.data[1, 0, 0] = torch.inf
        return found

    one.deceive = overflowing
    found = played(one, Sampled(3), epochs=2)
    assert all(loss.isfinite().all() for loss, _ in steps)
    assert np.array_equal(found.diverged_epoch, [np.nan, 2, np.nan], equal_nan=True)
    for network in (one.player, one.discriminator):
        for values in network.state_dict().values():
            assert values[1].isnan().all()
            assert values[[0, 2]].isfinite().all()


def test_the_discriminator_sees_real_and_fake_minibatches_apart():
    feed = Sampled(1)
    one, real, z = small_game(1), feed.real(), feed.judged()
    fake = one.player(z).sigmoid()
    of_real, of_fake = (one.discriminator(x)[..., 0].detach() for x in (real, fake))
    value, _ = one.discriminate(real, z)
    expected = of_real.sigmoid().log().mean() + (1 - of_fake.sigmoid()).log().mean()
    assert float(value) == pytest.approx(float(expected), abs=1e-12)


def test_an_infinite_rate_of_learning_diverges():
    found = played(small_game(2, rate=1e308), Sampled(2))
    assert found.diverged.all()
    assert (found.diverged_epoch == 1).all()
    assert np.isnan(found.value).all()


def test_a_pass_has_its_updates_and_steps_of_the_discriminator():
    feed, calls = Sampled(1), []
    played(small_game(1), feed, epochs=2, updates=3, d_steps=2, after=calls.append)
    assert calls == [0, 1, 2]
    assert feed.asked == ["real", "judged", "real", "judged", "played"] * 6


def test_means_are_over_the_steps_of_a_pass():
    one, feed, values = small_game(2), Sampled(2), []
    discriminate = one.discriminate

    def spy(real, fake):
        values.append(discriminate(real, fake))
        return values[-1]

    one.discriminate = spy
    found = played(one, feed, epochs=1, updates=3, d_steps=2)
    np.testing.assert_allclose(found.value[:, 0], torch.stack([v for v, _ in values]).mean(0), atol=1e-12)
    np.testing.assert_allclose(found.accuracy[:, 0], torch.stack([a for _, a in values]).mean(0), atol=1e-12)


def test_without_updates_nothing_is_asked_and_nothing_changes():
    one, feed = small_game(2), Sampled(2)
    before = weights_of(one.player, one.discriminator).clone()
    found = played(one, feed, updates=0)
    assert torch.equal(weights_of(one.player, one.discriminator), before)
    assert feed.asked == []
    assert not found.diverged.any()
    assert all(np.isnan(getattr(found, name)).all() for name in game.MEASURED)


@pytest.mark.parametrize("n", [9, 10])
def test_a_deck_deals_every_example_once_a_pass(n):
    deck = Deck(n, 3, [rng(0), rng(1)])
    passes = [np.concatenate([deck() for _ in range(3)], 1) for _ in range(2)]
    for run in range(2):
        first, second = (set(p[run]) for p in passes)
        assert len(first) == len(second) == 9
        assert not np.array_equal(passes[0][run], passes[1][run])
        draw = rng(run)
        assert all(np.array_equal(p[run], draw.permutation(n)[:9]) for p in passes)
    assert not np.array_equal(passes[0][0], passes[0][1])


def test_rows_of_shared_and_of_own_data():
    own = torch.arange(24.0).reshape(2, 4, 3)
    which = np.array([[0, 3], [1, 1]])
    assert torch.equal(minibatches.rows(own, which), torch.stack([own[0, [0, 3]], own[1, [1, 1]]]))
    assert torch.equal(minibatches.rows(own[:1], which), torch.stack([own[0, [0, 3]], own[0, [1, 1]]]))


def test_histories_join_in_order():
    one, two = History.empty(1, 3), History.empty(2, 3)
    one.value[:] = 1
    two.diverged_epoch[1] = 3
    found = History.joined([one, two])
    assert found.value[:, 0].tolist()[0] == 1
    assert found.diverged.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("n_train", "batch", "shift", "named"), [(11, 2, 0, "n_train"), (4, 5, 0, "batch"), (4, 2, 0.2, "pixels")]
)
def test_examples_that_do_not_suffice_are_refused(n_train, batch, shift, named):
    x = np.linspace(0, 1, 20).reshape(10, 2) - shift
    with pytest.raises(InputError, match=named):
        game.examples(x, n_train, batch)
    assert len(game.examples(np.clip(x, 0, 1), 4, 2)) == 4


def test_a_sample_is_made_in_evaluation_mode_and_changes_nothing():
    player = made((3, 5, 4), 2, batch_normalisation=True)
    before = {k: v.clone() for k, v in player.state_dict().items()}
    z = rng().normal(size=(2, 6, 3))
    found = generator.sample(player, z)
    assert player.training
    assert all(torch.equal(v, before[k]) for k, v in player.state_dict().items())
    np.testing.assert_array_equal(generator.sample(player, z[:, :2]), found[:, :2])  # no statistics of the batch
    assert ((found > 0) & (found < 1)).all()


def test_gans_of_a_batch_are_independent():
    settings = generator.Settings(3, 8, 8, True, True, "non-saturating", 2, 1e-2, 0.5, 5, 3)
    x = torch.from_numpy(rng().random((1, 20, 6)))

    def streams(seed):
        draws = [rng([seed, k]) for k in range(4)]
        return generator.Streams(*draws[:3], draws[3].standard_normal)

    seen = []
    together, history = generator.train(x, [streams(s) for s in range(3)], settings, lambda e, p: seen.append(e))
    assert seen == [0, 1, 2, 3]
    for run in range(3):
        alone, own = generator.train(x, [streams(run)], settings, lambda e, p: None)
        torch.testing.assert_close(
            weights_of(together.player, together.discriminator)[run], weights_of(alone.player, alone.discriminator)[0],
            rtol=0, atol=1e-8,
        )  # fmt: skip
        np.testing.assert_allclose(history.value[run], own.value[0], rtol=1e-8)
