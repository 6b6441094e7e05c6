"""Measures of generated images on inputs whose answer is known, and the parts that images may play."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.linalg import sqrtm
from sklearn.linear_model import RidgeCV

from advdyn import io
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan.networks import generator_sizes
from advdyn.generation import evaluation, judging, metrics, references
from advdyn.perceptrons import Mlps

LOG4 = np.log(4)
SHAPE = (6, 6)
PIXELS, LATENT, SEEDS, KEPT = 36, 5, [3, 8], [0, 4]
RUNNING = {"n_train": 120, "samples": 40, "fresh_epochs": 3, "root": 0, "device": "cpu", "dtype": "float32"}


def blobs(n, generator, classes=3):
    """Images of 6 x 6 pixels: a bright column for each class, with noise, as bytes over 255."""
    y = np.arange(n) % classes
    x = np.zeros((n, *SHAPE))
    for label in range(classes):
        x[y == label, :, 2 * label] = 0.7
    x = np.clip(x + 0.15 * np.abs(generator.standard_normal(x.shape)), 0, 1).reshape(n, -1)
    return evaluation.as_bytes(x), y.astype(np.int64)


@pytest.fixture(scope="module")
def images():
    g = np.random.default_rng(0)
    (x, y), (v, w), (t, u) = blobs(210, g), blobs(60, g), blobs(120, g)
    return Images(x, y, v, w, t, u, SHAPE)


@pytest.fixture(scope="module")
def judge(images):
    return judging.run(images, judge_images=90, judge_epochs=80, root=0)


@pytest.fixture(scope="module")
def trained():
    """A record and weights as a training gives them, of networks that have learnt nothing."""
    g, weights = np.random.default_rng(1), {}
    for k in range(len(KEPT)):
        player = Mlps(generator_sizes(8, LATENT, PIXELS), len(SEEDS), batch_normalisation=True, dtype=torch.float32)
        player.initialise([np.random.default_rng([k, s]) for s in SEEDS])
        weights |= player.arrays(f"generator/{k}/")
    sample = g.integers(0, 256, (len(SEEDS), len(KEPT), 3, PIXELS), np.uint8)
    record = xr.Dataset(
        {"sample": io.variable(("seed", "kept", "shown", "pixel"), sample, "samples", "byte")},
        coords={"seed": io.variable(("seed",), SEEDS, "seed"), "kept": io.variable(("kept",), KEPT, "pass", "pass")},
    )
    return record, weights


def exactly(mean, covariance, n, generator):
    """Samples (n, d) whose mean and covariance are exactly these."""
    x = generator.standard_normal((n, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return mean + x @ np.linalg.cholesky(covariance).T


# --- features and probabilities ---------------------------------------------------------------------------------------


def test_frechet_of_two_gaussians_is_the_closed_form():
    g = np.random.default_rng(0)
    root_a, root_b = g.standard_normal((2, 4, 4))
    one, two, m, k = root_a @ root_a.T + np.eye(4), root_b @ root_b.T + np.eye(4), np.zeros(4), np.arange(4.0)
    exact = k @ k + np.trace(one + two - 2 * sqrtm(one @ two).real)
    a, b = exactly(m, one, 50, g), exactly(k, two, 70, g)
    assert metrics.frechet(a, b) == pytest.approx(exact, rel=1e-9)
    assert metrics.frechet(b, a) == pytest.approx(exact, rel=1e-9)
    # commuting covariances: sum of the squared differences of the standard deviations
    s, t = np.array([1.0, 2.0, 0.5]), np.array([3.0, 0.2, 0.5])
    a, b = exactly(np.zeros(3), np.diag(s**2), 30, g), exactly(np.ones(3), np.diag(t**2), 30, g)
    assert metrics.frechet(a, b) == pytest.approx(3 + np.square(s - t).sum(), rel=1e-9)


def test_frechet_vanishes_for_one_sample_and_for_dead_features():
    x = np.random.default_rng(0).standard_normal((20, 64))  # fewer samples than features: singular
    x[:, 5:9] = 0
    assert metrics.frechet(x, x) == pytest.approx(0, abs=1e-5)
    assert metrics.frechet(x, x + 2) == pytest.approx(64 * 4, rel=1e-6)
    assert metrics.frechet(x[:, :1], 3 * x[:, :1]) > 0  # one feature
    with pytest.raises(ValueError, match="at least 2"):
        metrics.frechet(x[:1], x)
    with pytest.raises(ValueError, match="not finite"):
        metrics.frechet(x, np.full_like(x, np.nan))


def test_score_counts_the_classes():
    assert metrics.score(np.eye(7)[np.arange(70) % 7]) == pytest.approx(7)
    assert metrics.score(np.eye(7)[np.arange(69) % 3]) == pytest.approx(3)  # classes that never appear count nothing
    assert metrics.score(np.full((5, 7), 1 / 7)) == pytest.approx(1)  # never certain
    assert metrics.score(np.tile([0.9, 0.1, 0], (5, 1))) == pytest.approx(1)  # always the same
    # two kinds of image, (p, 1 - p) and (1 - p, p): log 2 less the entropy of p
    p = 0.8
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    assert metrics.score(np.array([[p, 1 - p], [1 - p, p]])) == pytest.approx(2 * np.exp(-entropy))


def test_class_shares_and_their_distance():
    p = np.array([[0.6, 0.3, 0.1, 0], [0.5, 0.4, 0.1, 0], [0.1, 0.2, 0.7, 0], [0.9, 0.1, 0, 0]])
    np.testing.assert_allclose(metrics.class_shares(p), [0.75, 0, 0.25, 0])
    assert metrics.share_distance(metrics.class_shares(p), np.full(4, 0.25)) == pytest.approx(0.5)
    assert metrics.share_distance(np.array([1.0, 0]), np.array([0, 1.0])) == 1
    assert metrics.share_distance(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == 0


# --- two-sample tests -------------------------------------------------------------------------------------------------


def test_two_sample_tests_read_half_for_one_distribution():
    # mean of 30 draws: beyond 3.5 standard errors with probability 1 in 800 for each of two; the control, a shift by a
    # third of a standard deviation along each axis, must be beyond
    g = np.random.default_rng(0)
    found = {"neighbour": [], "linear": [], "neighbour, shifted": [], "linear, shifted": []}
    for _ in range(30):
        a, b = g.standard_normal((2, 100, 10))
        found["neighbour"].append(metrics.neighbour_test(a, b)[0])
        found["linear"].append(metrics.linear_test(a, b, g))
        found["neighbour, shifted"].append(metrics.neighbour_test(a, b + 1 / 3)[0])
        found["linear, shifted"].append(metrics.linear_test(a, b + 1 / 3, g))
    t = {name: (np.mean(v) - 0.5) / (np.std(v, ddof=1) / np.sqrt(30)) for name, v in found.items()}
    assert abs(t["neighbour"]) < 3.5
    assert abs(t["linear"]) < 3.5
    assert t["neighbour, shifted"] > 3.5
    assert t["linear, shifted"] > 3.5


def test_two_sample_tests_read_one_for_distributions_apart():
    g = np.random.default_rng(0)
    a, b = g.random((2, 30, 8))
    assert metrics.neighbour_test(a, b + 5) == (1, 1, 1)
    assert metrics.linear_test(a, b + 5, g) == 1


def test_neighbour_test_reads_zero_for_copies_and_tells_collapse():
    x = np.random.default_rng(0).random((50, 784)).astype(np.float32)
    assert metrics.neighbour_test(x, x) == (0, 0, 0)
    assert metrics.neighbour_test(x, x + np.float32(1e-3))[0] == 0  # nearly copies
    collapsed = np.tile(x[:1], (50, 1)) + np.float32(1e-3)
    accuracy, real, fake = metrics.neighbour_test(x, collapsed)
    assert fake == 1
    assert accuracy == (real + fake) / 2


def test_equally_near_neighbours_share():
    x = np.full((4, 3), 0.3)
    # all eight are equal: of the seven others of each, three are of its own kind
    assert metrics.neighbour_test(x, x) == pytest.approx((3 / 7, 3 / 7, 3 / 7))
    # on a line a b a b ... at equal steps, that rounding makes unequal: only the two ends of it have one neighbour
    line = 0.1 + 0.3 * np.arange(40)[:, None]
    assert metrics.neighbour_test(line[::2], line[1::2]) == (0, 0, 0)
    three = 0.1 + 0.3 * np.arange(42)[:, None]  # a a b b a a b b ...: each inner one has a neighbour of either kind
    a, b = three[np.arange(42) % 4 < 2], three[np.arange(42) % 4 >= 2]
    assert metrics.neighbour_test(a, b)[1:] == pytest.approx(((20 / 2 + 2) / 22, 1 / 2))


def test_neighbour_test_is_that_of_a_plain_loop():
    g = np.random.default_rng(3)
    a, b = g.random((12, 3)), g.random((9, 3)) ** 2
    both, kind = np.concatenate([a, b]), np.repeat([0, 1], [12, 9])
    own = []
    for i in range(21):
        distance = np.linalg.norm(both - both[i], axis=1)
        distance[i] = np.inf
        own.append(kind[distance.argmin()] == kind[i])
    real, fake = np.mean(own[:12]), np.mean(own[12:])
    assert metrics.neighbour_test(a, b) == pytest.approx(((real + fake) / 2, real, fake))


def test_linear_test_sees_means_only():
    g = np.random.default_rng(0)
    # the same marginals, correlated one way and the other: no half-space tells them apart by its mean
    a, b = g.standard_normal((2, 300, 2))
    a[:, 1], b[:, 1] = a[:, 0] + 0.3 * a[:, 1], 0.3 * b[:, 1] - b[:, 0]
    assert metrics.linear_test(a, b, g) == pytest.approx(0.5, abs=0.09)  # four standard errors of 600 images
    assert metrics.neighbour_test(a, b)[0] > 0.6  # and they do differ
    assert metrics.linear_test(np.ones((8, 3)), np.ones((8, 3)), g) == 0.5  # nothing to see: ties
    with pytest.raises(ValueError, match="at least 4"):
        metrics.linear_test(a[:3], b, g)


def test_the_ridge_is_that_of_scikit_learn_with_its_leave_one_out():
    g = np.random.default_rng(0)
    a, b = g.standard_normal((2, 20, 15))
    a[:, :3] += 0.5
    direction, centre = metrics._ridge(a, b)
    x = np.concatenate([a, b]) - centre
    penalties = metrics.PENALTIES * np.trace(x @ x.T) / 40
    other = RidgeCV(penalties, fit_intercept=False).fit(x, np.repeat([1, -1], 20))
    np.testing.assert_allclose(direction, other.coef_, rtol=1e-8)
    assert penalties[0] < other.alpha_ < penalties[-1]  # the choice is not forced by the grid


# --- memorisation -----------------------------------------------------------------------------------------------------


def test_nearest_is_that_of_a_plain_loop():
    g = np.random.default_rng(0)
    a, training = g.random((2, 30, 12)).astype(np.float32)
    distance, index = metrics.nearest(a, training)
    plain = np.linalg.norm(a[:, None].astype(float) - training[None], axis=2)
    np.testing.assert_array_equal(index, plain.argmin(1))
    np.testing.assert_allclose(distance, plain.min(1), rtol=1e-12)


def test_a_memoriser_is_caught():
    g = np.random.default_rng(0)
    training, copied = g.random((60, 784)).astype(np.float32), g.integers(0, 60, 25)
    distance, index = metrics.nearest(training[copied], training)
    assert (distance == 0).all()  # exactly, not to rounding
    np.testing.assert_array_equal(index, copied)
    assert metrics.neighbour_test(training, training)[0] < 0.5
    assert metrics.nearest(g.random((25, 784)).astype(np.float32), training)[0].min() > 1  # fresh ones are not


# --- which image plays which part -------------------------------------------------------------------------------------


def test_the_judge_sees_the_last_training_images_only(images, judge):
    other = dataclasses.replace(images, x_train=images.x_train.copy(), x_test=1 - images.x_test)
    other.x_train[:120] = 0.5
    again = judging.run(other, judge_images=90, judge_epochs=80, root=0)
    for name in ("w0", "w2", "b1"):
        np.testing.assert_array_equal(again[name], judge[name])
    assert float(judge["judge_accuracy"]) > 0.9
    assert int(judge["judge_images"]) == 90
    other.x_train[120] = 0.5
    assert not judging.run(other, judge_images=90, judge_epochs=80, root=0)["w0"].equals(judge["w0"])


def test_a_judge_that_saw_the_generator_s_images_is_refused(images, judge, trained):
    evaluation.check(images, judge, 120, 40)  # 120 + 90 = 210: disjoint, just
    for call in (
        lambda: evaluation.run(*trained, judge, images, **RUNNING | {"n_train": 121}),
        lambda: references.run(judge, images, reference_draws=2, **RUNNING | {"n_train": 121}),
    ):
        with pytest.raises(InputError, match=r"judge_images: found 90 with n_train 121, allowed: together at most 210"):
            call()
    with pytest.raises(InputError, match="samples: found 61, allowed: at most 60"):
        evaluation.run(*trained, judge, images, **RUNNING | {"samples": 61})
    with pytest.raises(InputError, match="judge_images: found 211, allowed: 1 to 210"):
        judging.run(images, judge_images=211, judge_epochs=1, root=0)
    small = Images(*(v[..., :30] if v.ndim == 2 else v for v in dataclasses.astuple(images)[:-1]), (5, 6))
    with pytest.raises(InputError, match="judge: made for 36 pixels, the images have 30"):
        evaluation.check(small, judge, 120, 40)


# --- evaluation -------------------------------------------------------------------------------------------------------


def test_evaluation_changes_neither_weights_nor_record(images, judge, trained):
    record, weights = trained
    before, names = record.copy(deep=True), {name: w.copy() for name, w in weights.items()}
    found = evaluation.run(record, weights, judge, images, **RUNNING)
    assert record.identical(before)
    assert list(weights) == list(names)
    for name, w in weights.items():
        assert w.dtype == names[name].dtype
        np.testing.assert_array_equal(w, names[name])
    assert set(found.data_vars) == {*evaluation.MEASURES, "nearest_index", "nearest_distance", "nearest_image"}
    for name, (dims, *_) in evaluation.MEASURES.items():
        assert found[name].dims == ("seed", "kept", *dims)
        assert np.isfinite(found[name]).all()
    assert found["nearest_index"].dtype == np.int32
    expected = metrics.nearest(record["sample"].values[1, -1] / np.float32(255), images.x_train[:120])[1]
    np.testing.assert_array_equal(found["nearest_index"].values[1], expected)
    np.testing.assert_allclose(found["class_share"].sum("class"), 1, rtol=1e-6)
    assert (found["fresh_accuracy"] > 0.9).all()  # grey noise against columns
    assert not np.allclose(found["frechet"][0], found["frechet"][1])
    for variable in found.variables.values():
        assert {"units", "long_name"} <= set(variable.attrs)


def test_a_generator_is_judged_alike_whatever_else_is_judged(images, judge, trained):
    record, weights = trained
    whole = evaluation.run(record, weights, judge, images, **RUNNING)
    lone = {name.replace("/1/", "/0/"): w[1:] for name, w in weights.items() if name.startswith("generator/1/")}
    part = evaluation.run(record.isel(seed=[1], kept=[1]), lone, judge, images, **RUNNING)
    for name in evaluation.MEASURES:  # batches of matrices round differently
        np.testing.assert_allclose(part[name], whole[name][1:, 1:], rtol=1e-3, atol=0.02, err_msg=name)
    np.testing.assert_array_equal(part["nearest_index"], whole["nearest_index"][1:])


def test_random_numbers_belong_to_seed_and_epoch(images, judge, trained, monkeypatch):
    record, weights = trained
    monkeypatch.setattr(evaluation, "measure", lambda *_, stream, **__: {"frechet": stream.random()})
    whole = evaluation.run(record, weights, judge, images, **RUNNING)["frechet"].values
    lone = {name.replace("/1/", "/0/"): w[1:] for name, w in weights.items() if name.startswith("generator/1/")}
    part = evaluation.run(record.isel(seed=[1], kept=[1]), lone, judge, images, **RUNNING)["frechet"].values
    assert part == whole[1, 1]
    assert len(np.unique(whole)) == 4


def test_a_run_that_diverged_is_nan_and_leaves_the_others(images, judge, trained):
    record, weights = trained
    broken = {name: w.copy() for name, w in weights.items()}
    broken["generator/1/w0"][0] = np.nan
    whole, found = (evaluation.run(record, w, judge, images, **RUNNING) for w in (weights, broken))
    for name in evaluation.MEASURES:
        assert np.isnan(found[name][0, 1]).all()
        assert np.isfinite(found[name][1]).all()
        np.testing.assert_array_equal(found[name][0, 0], whole[name][0, 0])
        np.testing.assert_array_equal(found[name][1], whole[name][1])
    np.testing.assert_array_equal(found["nearest_index"][0], -1)


def test_real_images_are_the_first_of_the_test(images, judge, trained):
    swapped = dataclasses.replace(images, x_test=images.x_test.copy())
    swapped.x_test[40:] = 0.5
    one, two = (evaluation.run(*trained, judge, i, **RUNNING) for i in (images, swapped))
    assert one.equals(two)
    swapped.x_test[39] = 0.5
    assert not evaluation.run(*trained, judge, swapped, **RUNNING).equals(one)


def test_outputs_are_judged_as_bytes():
    x = np.array([[0, 0.001, 0.5, 0.9999, 1.0]])
    np.testing.assert_array_equal(evaluation.as_bytes(x), np.float32([[0, 0, 128, 255, 255]]) / np.float32(255))
    bytes_ = np.arange(256, dtype=np.float32)[None] / np.float32(255)
    np.testing.assert_array_equal(evaluation.as_bytes(bytes_), bytes_)  # images are left as they are


# --- references -------------------------------------------------------------------------------------------------------


def test_references_bracket_what_can_be_reached(images, judge):
    found = references.run(judge, images, reference_draws=6, **RUNNING | {"fresh_epochs": 15})
    assert found["source"].values.tolist() == list(references.SOURCES)
    assert {f"reference_{name}" for name in evaluation.MEASURES} < set(found.data_vars)
    assert found["reference_sample"].dims == ("source", "shown_reference", "pixel")
    assert found["reference_sample"].dtype == np.uint8
    mean = found.mean("draw")
    floor, copies, gaussian, noise = (mean.sel(source=s) for s in references.SOURCES)
    for name in ("neighbour", "linear", "fresh"):
        # the floor: 6 x 80 images, four standard errors are .09 (cuts of the same images are not independent)
        assert float(floor[f"reference_{name}_accuracy"]) == pytest.approx(0.5, abs=0.09)
        assert float(noise[f"reference_{name}_accuracy"]) > 0.98
    assert float(floor["reference_fresh_value"]) == pytest.approx(-LOG4, abs=0.06)
    assert float(noise["reference_fresh_value"]) > -0.5
    # a memoriser passes each two-sample test against test images and is given away by its distance alone
    assert float(copies["reference_nearest"]) == 0
    assert float(floor["reference_nearest"]) > 0.3
    assert float(copies["reference_fresh_accuracy"]) == pytest.approx(0.5, abs=0.09)
    order = [float(s["reference_frechet"]) for s in (floor, gaussian, noise)]
    assert order == sorted(order)
    assert float(floor["reference_score"]) > 2.5 > float(noise["reference_score"])
    assert float(found["judge_accuracy"]) == float(judge["judge_accuracy"])


def test_floor_is_cut_anew_at_every_draw(images):
    first, second = (references.sources(images, 120, 40, draw, 0)["real"] for draw in (0, 1))
    np.testing.assert_array_equal(first[1], images.x_test[:40])
    np.testing.assert_array_equal(first[0], images.x_test[40:80])
    rows = []
    for candidate, real in (first, second):
        distance, index = zip(*(metrics.nearest(x, images.x_test) for x in (candidate, real)), strict=True)
        assert (np.concatenate(distance) == 0).all()  # test images all of them
        assert len(set(np.concatenate(index))) == 80  # and none twice
        rows.append(set(index[0]))
    assert len(rows[0] & rows[1]) < 30


def test_the_gaussian_has_the_moments_of_the_training_images():
    # values far from 0 and 1, where nothing is clipped; bytes are 1/256 apart
    g = np.random.default_rng(0)
    x = np.clip(0.5 + 0.05 * g.standard_normal((200, 3)) @ np.array([[1, 0.8, 0], [0, 0.6, 0], [0, 0, 1]]), 0, 1)
    images = Images(x, np.zeros(200, int), x[:0], np.zeros(0, int), np.zeros((9000, 3)), np.zeros(9000, int), (3,))
    made = references.sources(images, 200, 4000, 0, 0)["gaussian"][0].astype(float)
    error = 4 * x.std(0) / np.sqrt(4000)
    assert (np.abs(made.mean(0) - x.mean(0)) < error + 1 / 256).all()
    # correlations of 4,000 samples: four standard errors are .063; the control differs by more
    found = np.corrcoef(made, rowvar=False)
    np.testing.assert_allclose(found, np.corrcoef(x, rowvar=False), atol=0.063)
    assert abs(found[0, 1]) > 0.5
    np.testing.assert_allclose(made.std(0), x.std(0), rtol=0.06)


def test_references_share_no_random_numbers_with_generators(images, judge, trained):
    drawn = [
        evaluation.stream_of(root, seed, name, *more).random(3).tolist()
        for root in (0, 1)
        for seed in (0, 1, references.SEED, references.SEED + 1)
        for name, *more in (("latent",), ("judged", 0), ("judged", 1), ("noise",), ("noise judged",))
    ]
    assert len({tuple(d) for d in drawn}) == len(drawn)
    kept = {"reference_draws": 2, **RUNNING, "fresh_epochs": 1}
    one, two = (references.run(judge, images, **kept | {"reference_draws": n}) for n in (2, 3))
    assert one.equals(two.isel(draw=slice(0, 2)))  # a further draw changes none of the others
