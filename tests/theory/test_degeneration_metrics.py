"""%dd and the randomness metrics where the answer is known: independent, untouched and keyed data, and planted leaks.

Statistical tests: t-intervals over 20 independent draws at an error rate of 1e-3 each (10 of them), fixed seeds.
"""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.measure import block_reduce
from sklearn.datasets import load_sample_images
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from advdyn.data import bundled
from advdyn.degeneration import album, decoders, randomness, recover, systems
from advdyn.degeneration import urandom as urandom_
from advdyn.degeneration.decoders import Pairs
from advdyn.errors import InputError
from advdyn.gan import judge
from advdyn.intervals import interval

LEVEL = 1e-3
PENALTIES = [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0]
FAMILIES = ["identity", "ridge", "ridge-whitened"]
DRAWS = 20
SIZES = 600, 200, 400
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def mnist():
    data = bundled.dataset()
    return data["image"].to_numpy(), data["label"].to_numpy().astype(np.int64)


@pytest.fixture(scope="module")
def small(mnist):
    """1,200 images of 14 x 14 pixels, and their labels."""
    images, labels = mnist
    n = sum(SIZES)
    halved = block_reduce(images[:n].reshape(-1, 28, 28), (1, 2, 2), np.mean)
    return np.rint(halved).astype(np.uint8).reshape(n, -1), labels[:n]


def split(outputs, originals, labels, sizes=SIZES):
    """Fit, validation and held-out pairs of bytes."""
    cuts = np.cumsum([0, *sizes])
    o, x = systems.floats(outputs), systems.floats(originals)
    return [Pairs(o[a:b], x[a:b], None if labels is None else labels[a:b]) for a, b in pairwise(cuts)]


def recovered(outputs, originals, labels, sizes=SIZES, **changed):
    return recover.components(
        *split(outputs, originals, labels, sizes), **{"decoders": FAMILIES, "penalties": PENALTIES, **changed}
    )


def drawn(name, small, draws=DRAWS, **changed):
    """Unclipped components of independent draws of a system, (draw, component)."""
    images, labels = small
    found = []
    for draw in range(draws):
        outputs = systems.apply(name, images, np.random.default_rng([7, draw]))
        found.append(recovered(outputs, images, labels, **changed).component)
    return np.array(found)


def contains_100(values):
    _, _, low, high = interval(values, LEVEL)
    return low <= 100 <= high


# %dd


@pytest.mark.parametrize("system", ["danoise", "xor-fresh"])
def test_each_component_of_independent_data_reads_100_in_the_mean(system, small):
    found = drawn(system, small)
    for values in found.T:
        assert contains_100(values), values.mean()
    assert (np.abs(found.mean(0) - 100) < 0.5).all()
    assert (found[:, 0] == 100).mean() > 0.8  # the guard: no decoder but the mean is used


@pytest.mark.parametrize("system", ["danoise", "xor-fresh"])
def test_picks_and_labels_of_independent_data_read_100_without_the_guard(system, small, monkeypatch):
    """Unbiased whatever decoder was chosen; control: chosen on the held-out pairs they read below 100."""
    monkeypatch.setattr(recover, "GUARD", -1e9)
    found = drawn(system, small)
    assert (found[:, 1:].std(0) > 0.05).all()  # something was used
    for values in found[:, 1:].T:
        assert contains_100(values), values.mean()
    images, labels = small
    peeked = []
    for draw in range(DRAWS):
        outputs = systems.apply(system, images, np.random.default_rng([7, draw]))
        fit, _, heldout = split(outputs, images, labels)
        peeked.append(recover.attack(fit, heldout, decoders=FAMILIES, penalties=PENALTIES).score(heldout).component)
    for values in np.array(peeked)[:, 1:].T:
        _, _, _, high = interval(values, LEVEL)
        assert high < 100


def test_without_the_guard_r2_of_independent_data_would_not_read_100(small, monkeypatch):
    """Control: a decoder that is used whatever validation says has R^2 < 0."""
    monkeypatch.setattr(recover, "GUARD", -1e9)
    found = drawn("danoise", small, draws=4, decoders=["identity"])
    assert found[:, 0].min() > 110


def test_untouched_data_read_exactly_0(small):
    images, labels = small
    found = recovered(images, images, labels)
    assert found.component == (0.0, 0.0, 0.0)
    assert found.dd == 0
    assert found.chosen == ("identity",) * 3


def test_held_out_pairs_that_were_fitted_are_seen_as_a_leak(small):
    """Planted: the attacker of independent noise fits the pairs he is scored on."""
    images, labels = small
    outputs = systems.apply("danoise", images, np.random.default_rng(0))
    fit, validation, heldout = split(outputs, images, labels, (400, 400, 400))
    assert recover.components(fit, validation, heldout, decoders=FAMILIES, penalties=PENALTIES).dd > 98
    joined = Pairs(*(np.concatenate([getattr(p, name) for p in (fit, heldout)]) for name in Pairs.__annotations__))
    # a validation pair like the held-out ones has to recommend what was learnt by heart
    found = recover.components(joined, heldout, heldout, decoders=FAMILIES, penalties=PENALTIES)
    assert max(found.component) < 80


def test_held_out_pairs_change_no_choice(small):
    images, labels = small
    outputs = systems.apply("additive", images, np.random.default_rng(0))
    fit, validation, heldout = split(outputs, images, labels)
    attacker = recover.attack(fit, validation, decoders=FAMILIES, penalties=PENALTIES)
    whole = attacker.score(heldout)
    other = attacker.score(Pairs(heldout.outputs[::-1], heldout.originals, heldout.labels))  # no longer pairs
    again = attacker.score(heldout)
    assert whole == again
    assert whole.chosen == other.chosen
    assert whole.validation == other.validation
    assert other.component[0] > 100  # wrong reconstructions are worse than the mean
    assert abs(other.component[1] - 100) < 2


def test_a_leak_of_a_few_pixels_is_found(small):
    images, labels = small
    outputs = systems.apply("danoise", images, np.random.default_rng(0))
    assert recovered(outputs, images, labels).dd > 95
    outputs[:, 60:130:3] = images[:, 60:130:3]
    found = recovered(outputs, images, labels)
    assert found.dd < 70
    assert found.component[0] < 75


def test_the_label_alone_is_found_by_the_probe(small):
    images, labels = small
    outputs = systems.apply("danoise", images, np.random.default_rng(0))
    outputs[:, :10] = 255 * (labels[:, None] == np.arange(10))
    found = recovered(outputs, images, labels)
    assert found.component[2] < 0  # better than the originals tell
    assert found.dd == 0
    assert found.component[1] > 90
    assert np.isnan(recovered(outputs, images, None).component[2])


@pytest.mark.parametrize("system", ["xor-fixed", "permutation", "fgsm"])
def test_what_changes_bytes_only_is_seen_to_destroy_nothing(system, mnist):
    """All 3,500 pairs of MNIST, without the perceptron."""
    images, labels = mnist
    sizes = 3500, 500, 1000
    classifier = None
    if system == "fgsm":
        x = systems.floats(images)
        rng = np.random.default_rng(0)
        trained = judge.train(x[:1500], labels[:1500], x[3500:4000], labels[3500:4000], 4, rng)
        classifier = judge.of(trained)
    outputs = systems.apply(system, images, np.random.default_rng(1), judge=classifier, labels=labels, eps=0.25)
    assert (outputs != images).mean() > (0.1 if system == "permutation" else 0.3)
    if classifier is not None:
        assert classifier.accuracy(systems.floats(outputs[4000:]), labels[4000:]) < 0.2
    found = recovered(outputs, images, labels, sizes, penalties=[1e-4, 1e-2])
    assert found.dd <= 2
    assert found.component[1] <= 2


def test_dd_is_the_smallest_component_cut_to_0_and_100():
    def of(*component):
        return recover.Recovery({}, {}, {}, component, (), ()).dd

    assert of(100.2, 101.0, 100.4) == 100
    assert of(-3.0, 50.0, 40.0) == 0
    assert of(90.0, 80.0, np.nan) == 80


def test_equally_near_originals_share_the_pick():
    direction = np.eye(4, dtype=np.float32)
    assert recover.right(np.zeros((4, 4), np.float32), direction).tolist() == [0.25] * 4
    assert recover.right(direction, direction).tolist() == [1.0] * 4
    assert recover.right(direction[[0, 0, 0, 0]], direction).sum() == 1
    twice = direction[[0, 0, 2, 3]]
    assert recover.right(twice, twice).tolist() == [0.5, 0.5, 1, 1]
    wrong = direction[[1, 2, 3, 0]]
    assert recover.right(wrong, direction).sum() == 0


def test_chance_is_the_agreement_of_shuffled_predictions():
    rng = np.random.default_rng(0)
    labels, classes = rng.choice(3, 200, p=[0.6, 0.3, 0.1]), np.arange(3)
    scores = rng.random((200, 3)) + np.array([0.3, 0, 0])
    chance = recover.agreement(scores, classes, labels)[1]
    shuffled = [recover.agreement(scores[rng.permutation(200)], classes, labels)[0] for _ in range(2000)]
    assert abs(np.mean(shuffled) - chance) < 4 * np.std(shuffled) / 2000**0.5
    constant = np.tile([1.0, 0, 0], (200, 1))
    assert recover.agreement(constant, classes, labels) == pytest.approx(((labels == 0).mean(),) * 2)


# decoders


@pytest.mark.parametrize("n", [40, 15])
def test_ridge_is_scikit_learns_at_every_penalty(n):
    """More pairs than pixels, and fewer."""
    rng = np.random.default_rng(0)
    x, unseen = (rng.standard_normal((m, 20)).astype(np.float32) * np.linspace(0.5, 3, 20) + 1 for m in (n, 7))
    x, unseen = x.astype(np.float32), unseen.astype(np.float32)
    y = (x @ rng.standard_normal((20, 5)) + rng.standard_normal((n, 5))).astype(np.float32)
    onehot = recover.onehot(np.arange(n) % 3, np.arange(3))
    found = decoders.ridges(x, y, onehot, [0.1, 10.0])
    scaler = StandardScaler().fit(x)
    for name, seen, new in (
        ("ridge", x - x.mean(0), unseen - x.mean(0)),
        ("ridge-whitened", scaler.transform(x), scaler.transform(unseen)),
    ):
        assert found[name].settings == (np.inf, 10.0, 0.1)
        unit = np.square(seen, dtype=np.float64).sum() / min(n, 20)
        for setting, decoded in enumerate(found[name].decode(unseen, range(3))):
            if setting == 0:
                assert (decoded.image == 0).all()
                assert np.allclose(decoded.scores, onehot.mean(0))
                continue
            model = Ridge(alpha=unit * found[name].settings[setting]).fit(seen.astype(float), np.hstack([y, onehot]))
            expected = model.predict(new.astype(float))
            assert np.allclose(decoded.image + y.mean(0), expected[:, :5], atol=2e-4)
            assert np.allclose(decoded.scores, expected[:, 5:], atol=2e-4)


def test_constant_pixels_break_no_decoder(small):
    images, labels = small
    outputs = images.copy()
    outputs[:, :50] = 7
    assert np.isfinite(recovered(outputs, images, labels).component).all()
    constant = recovered(np.full_like(images, 9), images, labels)
    assert constant.component == pytest.approx((100, 100, 100))


def test_the_perceptron_undoes_what_no_linear_decoder_can():
    rng = np.random.default_rng(0)
    original = rng.random((1500, 6), np.float32)
    sign = rng.choice([-1, 1], (1500, 6))
    outputs = (0.5 + sign * (0.1 + 0.4 * original)).astype(np.float32)  # |outputs - 1/2| tells all, linearly nothing
    fit, validation, heldout = (Pairs(outputs[a:b], original[a:b]) for a, b in ((0, 1000), (1000, 1250), (1250, 1500)))
    settings = {"penalties": PENALTIES, "generator": np.random.default_rng(0), "decoder_width": 64, "device": CPU}
    linear = recover.components(fit, validation, heldout, decoders=FAMILIES, **settings)
    whole = recover.components(fit, validation, heldout, decoders=[*FAMILIES, "mlp"], **settings)
    assert linear.component[0] > 95
    assert whole.component[0] < 40
    assert whole.chosen[0] == "mlp"


def test_the_perceptron_begins_as_the_mean_and_stays_there_on_noise(small):
    images, labels = small
    outputs = systems.apply("danoise", images, np.random.default_rng(0))
    fit, validation, heldout = split(outputs, images, labels)
    made = decoders.mlp(
        fit, validation, None, width=16, epochs=5, generator=np.random.default_rng(0), device=CPU, dtype=torch.float32
    )
    found = next(made.decode(heldout.outputs, [0])).image
    assert np.abs(found).max() < 0.2
    none = decoders.mlp(
        fit, validation, None, width=16, epochs=0, generator=np.random.default_rng(0), device=CPU, dtype=torch.float32
    )
    assert (next(none.decode(heldout.outputs, [0])).image == 0).all()


def test_an_attacker_without_pairs_or_with_unknown_decoders_is_refused(small):
    images, labels = small
    fit, validation, _ = split(images, images, labels)
    with pytest.raises(InputError, match="pairs"):
        recover.attack(fit.first(1), validation, decoders=FAMILIES, penalties=PENALTIES)
    with pytest.raises(InputError, match="family"):
        recover.attack(fit, validation, decoders=["forest"], penalties=PENALTIES)


# randomness


def uniform(n=400, pixels=196, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, pixels), np.uint8)


def test_randomness_of_uniform_bytes():
    x = uniform()
    count = x.size
    found = randomness.measured(x, uniform(seed=1), (14, 14))
    assert found["ks"] < 2 / count**0.5
    assert found["bits_per_byte"] == pytest.approx(8 - 255 / (2 * np.log(2) * count), abs=1e-3)
    assert abs(found["chi2_per_dof"] - 1) < 4 * (2 / 255) ** 0.5
    assert found["zlib_ratio"] == pytest.approx(1, abs=2e-3)
    assert found["lzma_ratio"] == pytest.approx(1, abs=2e-3)
    assert abs(found["serial_correlation"]) < 4 / count**0.5
    assert abs(found["neighbour_correlation"]) < 4 / count**0.5
    assert found["sample_correlation"] == pytest.approx(found["sample_correlation_of_noise"], rel=0.01)
    assert found["participation_ratio"] == pytest.approx(1, abs=0.01)
    assert abs(found["ssim"]) < 0.02
    assert abs(found["bytes_differing"] - 100 * 255 / 256) < 4 * 100 * (1 / 256 / count) ** 0.5


def test_randomness_of_bytes_that_are_all_equal():
    x = np.full((50, 196), 17, np.uint8)
    found = randomness.measured(x, x, (14, 14))
    assert found["ks"] == pytest.approx(1 - 18 / 256)
    assert found["bits_per_byte"] == 0
    assert found["chi2_per_dof"] == pytest.approx(x.size)
    assert max(found["zlib_ratio"], found["lzma_ratio"]) < 0.02
    assert found["serial_correlation"] == found["neighbour_correlation"] == found["sample_correlation"] == 1
    assert found["participation_ratio"] == 0
    assert found["ssim"] == 1
    assert found["bytes_differing"] == 0


def test_repeated_textures_are_seen_where_single_bytes_look_uniform():
    """Mode collapse (Figure 9): one noise image over and over; control: as many independent ones."""
    one, many = np.tile(uniform(1, 784), (60, 1)), uniform(60, 784)
    assert randomness.bits_per_byte(np.tile(uniform(1, 2560), (3, 1))) > 7.9
    assert randomness.sample_correlation(one) == pytest.approx(1, abs=1e-5)
    assert randomness.participation(one) == 0
    assert randomness.sample_correlation(many) < 0.04
    assert abs(randomness.participation(many) - 1) < 0.02
    mirrored = np.where(np.arange(60)[:, None] % 2, one, 255 - one)
    assert randomness.sample_correlation(mirrored) == pytest.approx(1, abs=1e-5)
    assert randomness.participation_ratio(mirrored) == pytest.approx(1)
    assert randomness.zlib_ratio(one) < 0.1 < 0.99 < randomness.zlib_ratio(many)


@pytest.mark.parametrize(("n", "pixels"), [(300, 100), (100, 300), (50, 50)])
def test_participation_of_noise_is_its_mean_over_draws(n, pixels):
    found = [randomness.participation(uniform(n, pixels, seed)) for seed in range(DRAWS)]
    assert abs(np.mean(found) - 1) < 2e-3 + 4 * np.std(found) / DRAWS**0.5
    low = [randomness.participation(np.repeat(uniform(n, pixels // 2, s), 2, axis=1)) for s in range(3)]
    assert max(low) < 0.9  # control: every pixel twice


def test_gradients_are_correlated_along_their_axes():
    ramp = np.tile(np.arange(0, 140, 10, dtype=np.uint8), (3, 14, 1)).reshape(3, -1)
    assert randomness.neighbour_correlation(ramp, (14, 14)) > 0.99
    assert 0.5 < randomness.serial_correlation(ramp) < 0.7
    checks = np.tile(np.indices((14, 14)).sum(0).reshape(-1) % 2 * 255, (3, 1)).astype(np.uint8)
    assert randomness.neighbour_correlation(checks, (14, 14)) == pytest.approx(-1)
    assert np.isnan(randomness.ssim(ramp, ramp, (196,)))


def test_the_ks_distance_is_that_of_two_step_functions():
    x = (uniform(20, 50) // 2).astype(np.uint8)
    steps = [abs((x <= value).mean() - (value + 1) / 256) for value in range(256)]
    assert randomness.ks(x) == pytest.approx(max(steps))
    # as many uniform bytes of each value: an exactly uniform distribution, which scipy's continuous test misses
    even = np.repeat(np.arange(256, dtype=np.uint8), 4)[None]
    assert randomness.ks(even) == 0
    assert stats.ks_1samp(even[0], stats.randint(0, 256).cdf).statistic == pytest.approx(1 / 256)


def test_chi2_and_entropy_of_a_known_histogram():
    x = np.repeat(np.array([0, 1, 2, 3], np.uint8), [8, 4, 2, 2])[None]
    assert randomness.bits_per_byte(x) == pytest.approx(1.75)
    expected = stats.chisquare(np.bincount(x[0], minlength=256)).statistic / 255
    assert randomness.chi2_per_dof(x) == pytest.approx(expected)


# systems and album


def test_systems_do_what_they_say(small):
    images = small[0][:80]

    def made(name, seed=0, **given):
        return systems.apply(name, images, np.random.default_rng(seed), **given)

    assert (made("untouched") == images).all()
    fixed, key = made("xor-fixed"), made("xor-fixed")[0] ^ images[0]
    assert (fixed ^ key == images).all()
    fresh = made("xor-fresh") ^ images
    assert len(np.unique(fresh, axis=0)) == 80
    assert randomness.chi2_per_dof(made("xor-fresh")) < 1.5 < 3 < randomness.chi2_per_dof(fixed)
    order = made("permutation")
    assert (np.sort(order, 1) == np.sort(images, 1)).all()
    assert (order != images).any()
    assert (made("additive", noise=1e-9) == images).all()
    assert 0.05 < systems.floats(made("additive", noise=0.1)).std() / systems.floats(images).std() < 1.2
    whole = urandom_.verified(urandom_.draw())
    assert (made("urandom", whole=whole).reshape(-1) == whole[: images.size]).all()
    assert (made("danoise", 1) != made("danoise", 2)).mean() > 0.99
    for name in systems.SYSTEMS[:-1]:
        again = made(name, whole=whole), made(name, whole=whole)
        assert (again[0] == again[1]).all()
        assert again[0].dtype == np.uint8
        assert again[0].shape == images.shape


def test_fgsm_moves_each_byte_by_eps_against_the_class(small):
    images, labels = small
    x = systems.floats(images)
    classifier = judge.of(judge.train(x[:600], labels[:600], x[600:800], labels[600:800], 4, np.random.default_rng(0)))
    found = systems.apply("fgsm", images, np.random.default_rng(0), judge=classifier, labels=labels, eps=0.25)
    moved = np.abs(found.astype(int) - images)
    inside = (images >= 64) & (images <= 190)
    assert set(np.unique(moved[inside])) <= {0, 64, 65, 63}
    assert moved.max() <= 65
    assert classifier.accuracy(systems.floats(found), labels) < 0.3 < classifier.accuracy(x, labels)
    predicted = systems.apply("fgsm", images, np.random.default_rng(0), judge=classifier, eps=0.25)
    same = classifier.predict(x) == labels
    assert (predicted[same] == found[same]).all()
    assert (predicted[~same] != found[~same]).any()
    with pytest.raises(InputError, match="classifier"):
        systems.apply("fgsm", images, np.random.default_rng(0))


def test_bytes_of_the_operating_system_are_verified_and_never_used_twice():
    drawn_ = urandom_.draw()
    assert drawn_["byte"].size == 784_000
    assert drawn_.attrs["sha256"] == hashlib.sha256(urandom_.verified(drawn_).tobytes()).hexdigest()
    assert (urandom_.draw()["byte"].values != drawn_["byte"].values).any()
    changed = drawn_.copy(deep=True)
    changed["byte"][5] = changed["byte"][5] ^ 1
    with pytest.raises(InputError, match="sha256"):
        urandom_.verified(changed)
    with pytest.raises(InputError, match="bytes"):
        urandom_.verified(drawn_.drop_vars("byte"))
    whole = urandom_.verified(drawn_)
    with pytest.raises(InputError, match="twice"):
        systems.apply("urandom", np.zeros((1001, 784), np.uint8), np.random.default_rng(0), whole=whole)
    assert systems.available(whole, [3500, 500, 1000], 784) == [600, 100, 300]
    assert systems.available(whole, [500, 200, 300], 784) == [500, 200, 300]
    assert systems.available(whole, [3500, 500, 20], 784) == [600, 100, 20]
    with pytest.raises(InputError, match="system"):
        systems.apply("rot13", np.zeros((2, 4), np.uint8), np.random.default_rng(0))


def test_bytes_of_images_come_back():
    every = np.arange(256, dtype=np.uint8)[None]
    assert (systems.to_bytes(systems.floats(every)) == every).all()
    with pytest.raises(InputError, match="pixels"):
        systems.to_bytes(np.array([[0.5, 1.2]]))


def test_the_album_is_made_of_disjoint_patches():
    large, plain = album.patches((28, 28)), album.patches((14, 14))
    assert large.shape == (2, 1350, 784)
    assert large.dtype == np.uint8
    blocks = large.reshape(2, 1350, 14, 2, 14, 2)
    assert (blocks == blocks[:, :, :, :1, :, :1]).all()
    assert (blocks[:, :, :, 0, :, 0].reshape(2, 1350, -1) == plain).all()
    assert len(np.unique(plain.reshape(-1, 196), axis=0)) == 2700
    for photograph, patches in zip(load_sample_images().images, plain, strict=True):
        grey = np.floor(photograph @ np.array([0.299, 0.587, 0.114]) + 0.5)[14:28, 42:56]
        assert np.abs(patches - grey.reshape(-1)).max(1).min() <= 1
    assert plain[0].mean() == pytest.approx(146.3, abs=0.1)  # china.jpg is the brighter one
    assert plain[1].mean() == pytest.approx(66.5, abs=0.1)
    assert (album.patches((14, 14)) == plain).all()
    assert album.patches((20, 9)).shape == (2, 1350, 180)
    with pytest.raises(InputError, match="album"):
        album.patches((196,))


def test_the_patches_are_scattered_over_the_photograph():
    """In the order of the photograph, patches that follow each other are alike; control: sorted by brightness."""
    first = album.patches((14, 14))[0].mean(1)
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.12
    ordered = np.sort(first)
    assert np.corrcoef(ordered[1:], ordered[:-1])[0, 1] > 0.9


def test_a_decoder_that_is_hardly_better_does_not_take_the_place_of_the_output_itself(monkeypatch):
    """Untouched data read 0 whatever luck another family has on the validation pairs."""
    gains = {"identity": 0.80, "ridge": 0.82}
    fit, validation = (pairs_of(60, seed) for seed in (0, 1))

    def gain(self, decoded, criterion):
        own = np.allclose(decoded.image, validation.outputs - fit.originals.mean(0), atol=1e-5)
        return recover.Gain(gains["identity" if own else "ridge"], 0.0, 0.05)

    monkeypatch.setattr(recover.Truth, "gain", gain)
    for order in (["identity", "ridge"], ["ridge", "identity"]):
        found = recover.attack(fit, validation, decoders=order, penalties=[10.0])
        assert set(found.chosen) == {"identity"}
    gains["ridge"] = 0.95  # clearly better: three standard errors
    assert set(recover.attack(fit, validation, decoders=["identity", "ridge"], penalties=[10.0]).chosen) == {"ridge"}


def pairs_of(n, seed):
    """Pairs of images with themselves."""
    x = np.random.default_rng(seed).random((n, 9), dtype=np.float32)
    return recover.Pairs(x, x, np.arange(n) % 3)
