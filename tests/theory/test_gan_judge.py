"""The judge and the fresh discriminator: known gradients, known limits, and what they may not look at."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from advdyn import io
from advdyn.data.load import Images
from advdyn.degeneration import classifier
from advdyn.errors import InputError
from advdyn.gan import judge
from advdyn.gan.fresh import _share_positive, fresh

LOG4 = np.log(4)
SHAPE = (6, 6)


def blobs(n, generator, classes=3, noise=0.15):
    """Images of 6 x 6 pixels: a bright column for each class, and noise."""
    y = np.arange(n) % classes
    x = np.zeros((n, *SHAPE))
    for label in range(classes):
        x[y == label, :, 2 * label] = 0.7
    x += noise * np.abs(generator.standard_normal(x.shape))
    return np.clip(x, 0, 1).reshape(n, -1).astype(np.float32), y.astype(np.int64)


@pytest.fixture(scope="module")
def images():
    g = np.random.default_rng(0)
    (x, y), (v, w), (t, u) = blobs(210, g), blobs(60, g), blobs(90, g)
    return Images(x, y, v, w, t, u, SHAPE)


@pytest.fixture(scope="module")
def trained(images):
    rows = slice(0, 150)
    return judge.train(
        images.x_train[rows],
        images.y_train[rows],
        images.x_validation,
        images.y_validation,
        12,
        np.random.default_rng(1),
    )


# --- the judge -------------------------------------------------------------------------------------------------------


def test_judge_learns_and_reports_its_validation_error(images, trained):
    one = judge.of(trained)
    assert one.accuracy(images.x_test, images.y_test) > 0.95
    error = 1 - one.accuracy(images.x_validation, images.y_validation)
    assert float(trained["validation_error"]) == pytest.approx(error, abs=1e-12)
    assert 1 <= int(trained["epoch_kept"]) <= 12


def test_judge_is_the_torch_network_of_its_weights(images, trained):
    one = judge.of(trained)
    layers = []
    for i in range(3):
        linear = torch.nn.Linear(*trained[f"w{i}"].shape, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(trained[f"w{i}"].values.T.astype(float)))
            linear.bias.copy_(torch.tensor(trained[f"b{i}"].values.astype(float)))
        layers += [linear, torch.nn.ReLU()]
    body, head = torch.nn.Sequential(*layers[:4]), layers[4]
    x = torch.tensor(images.x_test[:20].astype(float), requires_grad=True)
    y = torch.tensor(images.y_test[:20])
    features = body(x)
    logits = head(features)
    torch.nn.functional.cross_entropy(logits, y, reduction="sum").backward()
    np.testing.assert_allclose(one.features(images.x_test[:20]), features.detach(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        one.probabilities(images.x_test[:20]), logits.softmax(1).detach(), rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(one.gradient(images.x_test[:20], images.y_test[:20]), x.grad, rtol=1e-9, atol=1e-14)
    assert np.abs(x.grad.numpy()).max() > 1e-4  # the comparison is not of zeros
    assert one.features(images.x_test[:20]).shape == (20, 64)


def test_gradient_is_that_of_each_image_alone(images, trained):
    one = judge.of(trained)
    alone = np.concatenate([one.gradient(images.x_test[i : i + 1], images.y_test[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one.gradient(images.x_test[:5], images.y_test[:5]), alone, rtol=1e-9, atol=1e-15)


def test_judge_depends_on_its_generator_only(images):
    def made(seed):
        return judge.train(
            images.x_train[:60], images.y_train[:60], images.x_validation, images.y_validation, 2,
            np.random.default_rng(seed), SHAPE,
        )  # fmt: skip

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = made(3)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert made(3).identical(first)
    assert not made(4).equals(first)


def test_the_epoch_of_the_fewest_validation_errors_is_kept(images):
    # labels of validation that nothing can learn: whatever is kept must be the best of the epochs seen
    g = np.random.default_rng(5)
    labels = g.integers(0, 3, len(images.y_validation))
    errors = []
    for epochs in range(1, 9):
        kept = judge.train(
            images.x_train, images.y_train, images.x_validation, labels, epochs, np.random.default_rng(0)
        )
        errors.append(float(kept["validation_error"]))
        assert errors[-1] == pytest.approx(1 - judge.of(kept).accuracy(images.x_validation, labels), abs=1e-12)
    assert errors == sorted(errors, reverse=True)
    assert int(kept["epoch_kept"]) < 8  # a later epoch was not better, and its weights are not those kept


def test_a_judge_survives_its_file(trained, tmp_path):
    io.write(trained, tmp_path / "judge.nc", {}, [judge.__file__])
    x = np.random.default_rng(0).random((4, 36))
    np.testing.assert_array_equal(judge.of(io.read(tmp_path / "judge.nc")).features(x), judge.of(trained).features(x))


def test_what_is_no_judge_is_refused(trained, images):
    with pytest.raises(InputError, match="lacks b2"):
        judge.of(trained.drop_vars("b2"))
    x, y = images.x_train, images.y_train
    with pytest.raises(InputError, match="0 validation images"):
        judge.train(x, y, x[:0], y[:0], 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="label -1"):
        judge.train(x, 2 * (y % 2) - 1, x, y, 1, np.random.default_rng(0))


def test_shifts_move_images_whole():
    g = np.random.default_rng(0)
    image = np.zeros((28, 28), np.float32)
    image[10:15, 12] = g.random(5)
    found = judge.shifted(np.tile(image.reshape(1, -1), (200, 1)), (28, 28), g).reshape(-1, 28, 28)
    steps = set()
    for one in found:
        where = np.argwhere(one > 0)
        step = tuple(where.min(0) - (10, 12))
        assert max(map(abs, step)) <= 2
        np.testing.assert_array_equal(one, np.roll(image, step, (0, 1)))
        steps.add(step)
    assert len(steps) == 25  # every step of up to two pixels; one is missed with probability 25 (24/25)^200 = .7 %


# --- the classifier of `degeneration` ---------------------------------------------------------------------------------


def test_a_classifier_writes_nothing(images):
    before = images.x_train.copy(), images.x_test.copy()
    found = classifier.run(images, n_train=150, classifier_epochs=5, root=0)
    assert int(found["altered_bytes"]) == 0
    assert float(found["test_accuracy"]) == judge.of(found).accuracy(images.x_test, images.y_test)
    assert float(found["test_accuracy"]) > 0.9
    np.testing.assert_array_equal(before[0], images.x_train)
    np.testing.assert_array_equal(before[1], images.x_test)
    with pytest.raises(InputError, match="n_train: found 211, allowed: 1 to 210"):
        classifier.run(images, n_train=211, classifier_epochs=5, root=0)


def test_altered_bytes_are_counted(images, monkeypatch):
    train = judge.train
    mine = dataclasses.replace(images, x_train=images.x_train.copy())

    def vandal(x, *rest):
        x[3, :7] = 2.0  # 7 floats; each differs from what is in [0, 1] in at least one byte
        return train(x, *rest)

    monkeypatch.setattr(judge, "train", vandal)
    altered = int(classifier.run(mine, n_train=150, classifier_epochs=1, root=0)["altered_bytes"])
    assert 7 <= altered <= 28


def test_the_classifier_sees_its_training_images_only(images):
    other = dataclasses.replace(images, x_train=images.x_train.copy(), x_test=1 - images.x_test)
    other.x_train[100:] = 0.5
    one, two = (classifier.run(i, n_train=100, classifier_epochs=2, root=0) for i in (images, other))
    for name in ("w0", "b2"):
        np.testing.assert_array_equal(one[name], two[name])
    assert float(one["test_accuracy"]) != float(two["test_accuracy"])
    assert float(two["test_accuracy"]) == judge.of(two).accuracy(other.x_test, other.y_test)


# --- the fresh discriminator ------------------------------------------------------------------------------------------

SMALL = {"epochs": 8, "widths": (32, 16)}


def test_equal_distributions_read_half_and_minus_log_4():
    # t of the mean of 40 draws beyond 3.5 under the hypothesis: 1 in 800; a shift by a tenth of a standard deviation
    # along each of 30 axes (the Bayes accuracy is .61) is the control
    g = np.random.default_rng(0)
    null, other = [], []
    for _ in range(40):
        a, b, c, d = g.standard_normal((4, 200, 30), np.float32)
        null.append(fresh(a, b, c, d, generator=g, **SMALL))
        other.append(fresh(a, b + 0.1, c, d + 0.1, generator=g, **SMALL))
    t = [
        (np.mean([f.accuracy for f in found]) - 0.5) / (np.std([f.accuracy for f in found], ddof=1) / np.sqrt(40))
        for found in (null, other)
    ]
    assert abs(t[0]) < 3.5
    assert t[1] > 3.5
    values = np.array([f.value for f in null])
    assert np.mean(values == pytest.approx(-LOG4, abs=1e-12)) > 0.8
    assert -LOG4 - 0.01 < values.mean() < -LOG4 + 0.005


def test_distributions_apart_read_one_and_zero():
    g = np.random.default_rng(1)
    a, c = g.random((2, 100, 20), np.float32)
    b, d = 2 + g.random((2, 100, 20), np.float32)
    found = fresh(a, b, c, d, epochs=100, generator=g, widths=(32, 16))
    assert found.accuracy == 1
    assert -0.05 < found.value <= 0


@pytest.mark.parametrize("distance", [1.0, 2.0])
def test_value_is_twice_the_jensen_shannon_divergence_less_log_4(distance):
    # two normals on a line: the value of the best discriminator by quadrature (theorem 1 of Goodfellow et al.)
    p, q = norm(0).pdf, norm(distance).pdf
    exact = quad(lambda x: p(x) * np.log(p(x) / (p(x) + q(x))) + q(x) * np.log(q(x) / (p(x) + q(x))), -8, 10)[0]
    g = np.random.default_rng(2)
    a, c = g.standard_normal((2, 2000, 1), np.float32)
    b, d = distance + g.standard_normal((2, 2000, 1), np.float32)
    found = fresh(a, b, c, d, epochs=10, generator=g, widths=(32, 16))
    # the sum of two means of 2,000 logarithms of standard deviation below .8: four standard errors are .1
    assert found.value == pytest.approx(exact, abs=0.1)
    assert found.accuracy == pytest.approx(norm.cdf(distance / 2), abs=0.032)  # four standard errors
    assert exact > -LOG4 + 0.2  # and what is tested is not the trivial value


def test_held_out_samples_only_score():
    g = np.random.default_rng(3)
    a, c = g.standard_normal((2, 60, 5), np.float32)
    b, d = 1.5 + g.standard_normal((2, 60, 5), np.float32)

    def scored(rows):
        return fresh(a, b, c[rows], d[rows], generator=np.random.default_rng(0), **SMALL)

    first, second, whole = scored(slice(0, 30)), scored(slice(30, 60)), scored(slice(0, 60))
    assert whole.accuracy == pytest.approx((first.accuracy + second.accuracy) / 2, abs=1e-6)
    assert whole.value == pytest.approx((first.value + second.value) / 2, abs=1e-6)
    assert first.value != second.value
    assert whole.value > -LOG4 + 0.05  # the logits matter


def test_an_undecided_discriminator_is_right_half_the_time():
    assert _share_positive(torch.tensor([0.0, 2.0, -1.0, 0.0])) == 0.5


def test_samples_of_unequal_size_count_alike():
    # one and the same distribution, ten times as many of one: a discriminator that says "one" would be right in 91 %
    g = np.random.default_rng(4)
    found = [
        fresh(*(g.standard_normal((n, 10), np.float32) for n in (1000, 100, 300, 300)), generator=g, **SMALL)
        for _ in range(10)
    ]
    assert np.mean([f.accuracy for f in found]) == pytest.approx(0.5, abs=0.03)  # four standard errors: .026
    shifted = fresh(
        *(m + g.standard_normal((n, 10), np.float32) for n, m in ((1000, 0), (100, 1), (300, 0), (300, 1))),
        generator=g, **SMALL,
    )  # fmt: skip
    assert shifted.accuracy > 0.85


def test_fresh_draws_from_its_generator_only():
    g = np.random.default_rng(5)
    samples = g.standard_normal((4, 40, 6), np.float32)
    copies = samples.copy()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = fresh(*samples, generator=np.random.default_rng(7), **SMALL)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert fresh(*samples, generator=np.random.default_rng(7), **SMALL) == one
    np.testing.assert_array_equal(samples, copies)


def test_fresh_refuses_what_it_cannot_judge():
    x = np.zeros((5, 3), np.float32)
    same = fresh(x, x, x, x, generator=np.random.default_rng(0), **SMALL)  # nothing to see: no crash
    assert same.accuracy == 0.5
    with pytest.raises(InputError, match="allowed: >= 2"):
        fresh(x[:1], x, x, x, generator=np.random.default_rng(0), **SMALL)
    with pytest.raises(ValueError, match="not finite"):
        fresh(x, x, x, np.full_like(x, np.nan), generator=np.random.default_rng(0), **SMALL)
