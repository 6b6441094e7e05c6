"""Few labels and a pool: the labelled images, the directions, and trainings that equal plain torch and see no label."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torch import nn
from torch.nn import functional

from advdyn import io, weights
from advdyn import seeds as streams
from advdyn.data import bundled, load
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.perceptrons import Mlps
from advdyn.semisupervised import directions, labels, plant, training
from advdyn.semisupervised.model import Model

DOUBLE = torch.float64
RATE = 1e-3  # at which a statistical test would fail by chance; the seeds are fixed
METHODS = ("supervised", "adversarial", "random", "pseudo-label", "virtual")
FOUND = ("virtual", "label", "pseudo-label")  # directions that are found by a gradient
SIDE, CLASSES = 5, 3
SETTINGS = {
    "training": "virtual", "n_labels": 9, "n_pool": 60, "eps": 0.5, "power_iterations": 1, "xi": 1e-2, "alpha": 1.0,
    "width": 12, "batch_normalisation": False, "learning_rate": 1e-2, "decay": "linear", "batch_labelled": 6,
    "batch_pool": 16, "updates": 25, "checkpoints": 4, "root": 0, "device": "cpu", "dtype": "float32", "seeds": [0],
}  # fmt: skip


def pictures(n=70, seed=0):
    """A blurred pattern for each of three classes."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((CLASSES, SIDE**2))

    def some(m):
        y = np.arange(m) % CLASSES
        x = 0.2 + 0.6 * patterns[y] + 0.15 * rng.normal(size=(m, SIDE**2))
        return np.clip(x, 0, 1).astype(np.float32), y.astype(np.int64)

    return Images(*some(n), *some(12), *some(15), (SIDE, SIDE))


IMAGES = pictures()


def trained(images=IMAGES, **changed):
    return training.run(images, **SETTINGS | changed)


def plan(**changed):
    every = SETTINGS | changed
    return training.Settings(**{name: every[name] for name in training.Settings.__dataclass_fields__})


def fitted(images, chosen, **changed):
    every = SETTINGS | changed
    given = {name: every[name] for name in ("n_pool", "root", "device", "dtype", "seeds")}
    return training.fit(images, chosen, plan(**changed), **given)


def final(found):
    return {name: value for name, value in found.items() if name.startswith("network/")}


def same(one, other):
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def differ(one, other):
    return any(not np.array_equal(values, other[name]) for name, values in one.items())


def made(sizes=(12, 16, 16, 4), runs=2, dtype=DOUBLE, last=1.0, seed=0):
    """Networks as a training starts from, their logits ``last`` times as large."""
    network = Mlps(sizes, runs, slope=0.0, dtype=dtype).initialise(
        [np.random.default_rng(seed + r) for r in range(runs)]
    )
    network.requires_grad_(False)
    getattr(network, f"w{network.last}").mul_(last)
    getattr(network, f"b{network.last}").mul_(last)
    return network.eval()


def normals(*shape, seed=0, dtype=DOUBLE):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def log_p(network, x):
    return functional.log_softmax(network(x), -1)


def cosine(one, other):
    return (one.double() * other.double()).sum(-1).abs()


def direction(name, network, x, d, xi=1e-2, iterations=1):
    if name == "virtual":
        return directions.virtual(network, x, d, xi=xi, iterations=iterations)
    if name == "label":
        return directions.label(network, x, torch.zeros(x.shape[:2], dtype=torch.int64))
    return directions.pseudo_label(network, x)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Networks trained on digits in float64, supervised and along virtual directions; unlabelled digits; starts."""
    path = tmp_path_factory.mktemp("digits") / "digits.nc"
    bundled.dataset().to_netcdf(path)
    images = load.load(path, "float64")
    few = {f"{k}_{split}": getattr(images, f"{k}_{split}")[:10] for k in "xy" for split in ("validation", "test")}
    changed = {
        "n_labels": 100, "n_pool": 600, "eps": 1.0, "width": 64, "learning_rate": 3e-3, "batch_labelled": 32,
        "batch_pool": 64, "updates": 200, "checkpoints": 1, "dtype": "float64",
    }  # fmt: skip
    networks = {}
    for method in ("supervised", "virtual"):
        _, found = trained(replace(images, **few), training=method, **changed)
        networks[method] = Mlps.of(found, "network/", slope=0.0).requires_grad_(False)
    free = np.setdiff1d(np.arange(600), found["labelled"][0])[:100]
    return networks, torch.as_tensor(images.x_train[free])[None], normals(1, 100, 784)


# --- which images are labelled ---------------------------------------------------------------------------------------


def test_every_class_has_as_many_labels_and_the_rest_goes_to_classes_by_chance():
    y = np.arange(50) % 5
    for n in (5, 10, 23, 50):
        rows = labels.choose(y, n, np.random.default_rng(n))
        assert len(set(rows.tolist())) == n
        assert (np.diff(rows) > 0).all()
        held = np.bincount(y[rows], minlength=5)
        assert held.max() - held.min() == (n % 5 > 0)
    more = np.sum(
        [np.bincount(y[labels.choose(y, 7, np.random.default_rng(s))], minlength=5) - 1 for s in range(300)], 0
    )
    assert stats.chisquare(more).pvalue > RATE


def test_labelled_images_are_drawn_uniformly_from_their_class():
    """Chi-squared test at error rate 1e-3 of how often each image is drawn; the first of each class are the control."""
    y = np.random.default_rng(0).permutation(np.arange(60) % 3)
    drawn = np.zeros(60)
    for seed in range(400):
        drawn[labels.choose(y, 6, np.random.default_rng(seed))] += 1
    assert stats.chisquare(drawn).pvalue > RATE
    first = np.zeros(60)
    first[np.concatenate([np.flatnonzero(y == c)[:2] for c in range(3)])] = 400
    assert stats.chisquare(first).pvalue < RATE


def test_labels_of_one_seed_are_always_the_same_images_and_of_another_seed_others():
    y = np.arange(90) % 3
    one, again, other = (labels.choose(y, 9, np.random.default_rng(s)) for s in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()


@pytest.mark.parametrize(
    ("y", "n", "message"),
    [
        (np.arange(6) % 3, 7, "n_labels: found 7, allowed: at most 6, the images of the pool"),
        (np.arange(6) % 3, 2, "n_labels: found 2, allowed: at least 3, one for each class"),
        (np.array([0, 0, 2, 2]), 3, "class 1: found 0 images in the pool, allowed: at least 1"),
        (np.array([0, 0, 0, 1]), 4, "class 1: found 1 images in the pool, allowed: at least 2"),
        (np.array([0, -1, 1, 1]), 2, "found one below 0 or none, allowed: classes, counted from 0"),
        (np.array([], np.int64), 0, "found one below 0 or none"),
    ],
)
def test_labels_that_cannot_be_had_are_refused(y, n, message):
    with pytest.raises(InputError, match=message):
        labels.choose(y, n, np.random.default_rng(0))


# --- directions ------------------------------------------------------------------------------------------------------

LENGTH = {torch.float32: 1e-5, DOUBLE: 1e-12}


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_a_unit_vector_has_length_one_whatever_it_was_made_of(dtype):
    for size in (1e-44, 1e-37, 1e-20, 1.0, 1e18, 1e37):
        g = normals(50, 30, dtype=dtype) * size
        norm = torch.linalg.vector_norm(directions.unit(g).double(), dim=-1)
        assert float((norm - 1).abs().max()) < LENGTH[dtype], size
    assert (directions.unit(torch.zeros(3, 4, dtype=dtype)) == 0).all()


def test_dividing_by_the_norm_alone_fails_in_float32():
    """The control of the test above."""
    g = normals(50, 30, dtype=torch.float32) * 1e-30
    norm = torch.linalg.vector_norm(g / (g.square().sum(-1, keepdim=True).sqrt() + 1e-30), dim=-1)
    assert not ((norm - 1).abs() < 1e-5).any()


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("last", [1.0, 30.0, 300.0])
@pytest.mark.parametrize("name", FOUND)
def test_r_has_the_length_eps_to_1e_5_even_of_saturated_networks(name, last, dtype):
    eps, network, x = 1.3, made(dtype=dtype, last=last), normals(2, 60, 12, dtype=dtype)
    r = eps * direction(name, network, x, normals(2, 60, 12, seed=1, dtype=dtype))
    norm = torch.linalg.vector_norm(r.double(), dim=-1)
    # a gradient that is exactly 0 (the class is certain in this precision) leaves no direction of the label
    there = norm > 0
    assert float((norm[there] / eps - 1).abs().max()) < LENGTH[dtype]
    assert there.all() or (name != "virtual" and last > 1)


def test_a_naive_length_fails_where_networks_are_saturated():
    """The control of the test above: the same gradients over their norm, with the small number that is often added."""
    network, x = made(dtype=torch.float32, last=300.0), normals(2, 60, 12, dtype=torch.float32)
    v = (1e-2 * directions.unit(normals(2, 60, 12, seed=1, dtype=torch.float32))).requires_grad_()
    (g,) = torch.autograd.grad(directions.divergence(log_p(network, x), network(x + v)).mean(), v)
    norm = torch.linalg.vector_norm(g / (torch.linalg.vector_norm(g, dim=-1, keepdim=True) + 1e-12), dim=-1)
    assert ((norm - 1).abs() > 1e-5).double().mean() > 0.3


def test_the_divergence_is_that_of_torch():
    p, q = normals(2, 5, 4), 3 * normals(2, 5, 4, seed=1)
    one, other = functional.log_softmax(p, -1), functional.log_softmax(q, -1)
    expected = functional.kl_div(other, one, reduction="none", log_target=True).sum(-1)
    torch.testing.assert_close(directions.divergence(one, q), expected, rtol=1e-12, atol=1e-14)
    assert (directions.divergence(one, p).abs() < 1e-14).all()
    assert not torch.allclose(directions.divergence(other, p), expected)  # the control: it is not symmetric


def hessian(network, run, x):
    """Of KL(p(.|x) || p(.|x + v)) at v = 0, of one network at one example, by autograd."""
    at = x.expand(network.runs, 1, -1)
    base = log_p(network, at)
    return torch.autograd.functional.hessian(
        lambda v: directions.divergence(base, network(at + v))[run, 0], torch.zeros_like(x)
    )


def test_the_converged_direction_is_the_leading_eigenvector_of_the_hessian():
    network, x = made(last=5.0), normals(2, 6, 12)
    limit, spectrum = directions.converged(network, x)
    for run in range(2):
        for i in range(6):
            values, vectors = torch.linalg.eigh(hessian(network, run, x[run, i]))
            torch.testing.assert_close(spectrum[run, i, :3], values.flip(0)[:3], rtol=1e-9, atol=1e-12)
            assert float(values[:-3].abs().max()) < 1e-12  # rank 3, of four classes
            assert float((limit[run, i] @ vectors[:, -1]).abs()) > 1 - 1e-10
            assert float((limit[run, i] @ vectors[:, -2]).abs()) < 1e-5  # the control
    assert float(spectrum[..., 3].max()) < 1e-12


def test_one_power_iteration_multiplies_by_the_hessian():
    network, x, d = made(last=5.0), normals(2, 6, 12), normals(2, 6, 12, seed=1)
    found = directions.virtual(network, x, d, xi=1e-6, iterations=1)
    for run in range(2):
        for i in range(6):
            expected = functional.normalize(hessian(network, run, x[run, i]) @ d[run, i], dim=0)
            torch.testing.assert_close(found[run, i], expected, rtol=0, atol=1e-4)  # its sign also


def test_many_power_iterations_come_to_the_converged_direction():
    network, x, d = made(last=5.0), normals(2, 60, 12), normals(2, 60, 12, seed=1)
    limit, spectrum = directions.converged(network, x)
    clear = spectrum[..., 1] / spectrum[..., 0] < 0.85
    assert clear.double().mean() > 0.5
    found = directions.virtual(network, x, d, xi=1e-5, iterations=60)
    assert float(cosine(found, limit)[clear].min()) > 0.999
    assert float(cosine(directions.unit(d), limit)[clear].median()) < 0.5  # the control


def test_of_two_classes_and_a_linear_network_one_iteration_is_exact():
    network, x = made((12, 2)), normals(2, 20, 12)
    between = directions.unit(network.w0[..., 1] - network.w0[..., 0])[:, None]
    found = directions.virtual(network, x, normals(2, 20, 12, seed=1), xi=1e-2, iterations=1)
    assert float(cosine(found, between).min()) > 1 - 1e-12
    assert float(cosine(directions.converged(network, x)[0], between).min()) > 1 - 1e-12


@pytest.mark.parametrize(("method", "median", "share"), [("supervised", 0.95, 0.65), ("virtual", 0.9, 0.5)])
def test_one_power_iteration_has_cosine_09_with_the_converged_one_on_trained_networks(digits, method, median, share):
    """In float64, of 100 unlabelled digits: in the median, and for at least this share of them.

    Not for all: one iteration leaves c2 l2 / (c1 l1) of the second eigenvector, and the c of a random start can be
    anything. With starts orthogonal to the first eigenvector, or no iteration (the controls), the median fails.
    """
    networks, x, d = digits
    limit, _ = directions.converged(networks[method], x)
    found = cosine(directions.virtual(networks[method], x, d, xi=1e-4, iterations=1), limit)
    assert float(found.median()) >= median
    assert float((found >= 0.9).double().mean()) >= share
    away = d - (d * limit).sum(-1, keepdim=True) * limit
    assert float(cosine(directions.virtual(networks[method], x, away, xi=1e-4, iterations=1), limit).median()) < 0.1
    assert float(cosine(directions.unit(d), limit).median()) < 0.1


@pytest.mark.parametrize("method", ["supervised", "virtual"])
def test_how_near_one_iteration_comes_is_what_the_spectrum_of_the_hessian_says(digits, method):
    """|cos| = l1 |c1| / |(l_i c_i)|, c the components of the start along the eigenvectors."""
    networks, x, d = digits
    network = networks[method]
    limit, spectrum = directions.converged(network, x)
    v = x.clone().requires_grad_()
    z = network(v)
    j = torch.stack([torch.autograd.grad(z[..., c].sum(), v, retain_graph=True)[0] for c in range(10)], -2)
    p = z.detach().softmax(-1)
    jd = (j @ d[..., None])[..., 0]
    hd = ((p * (jd - (p * jd).sum(-1, keepdim=True)))[..., None] * j).sum(-2)
    expected = spectrum[..., 0] * (limit * d).sum(-1).abs() / torch.linalg.vector_norm(hd, dim=-1)
    found = cosine(directions.virtual(network, x, d, xi=1e-5, iterations=1), limit)
    assert float((found - expected).abs().median()) < 1e-6
    assert float((found - expected).abs().max()) < 1e-2  # of saturated networks, by rounding


def test_float32_finds_the_directions_of_float64_unless_xi_is_too_small(digits):
    """Usable values of xi, and the control 1e-6, with which rounding takes the place of the gradient."""
    networks, x, d = digits
    for method, network in networks.items():
        exact = directions.virtual(network, x, d, xi=1e-4, iterations=1)
        single = Mlps.of(network.arrays(), slope=0.0).requires_grad_(False).float()
        found = {
            xi: cosine(directions.virtual(single, x.float(), d.float(), xi=xi, iterations=1), exact)
            for xi in (1e-6, 1e-3, 1e-2, 1e-1)
        }
        for xi in (1e-3, 1e-2, 1e-1):
            assert float(found[xi].median()) > 0.999, (method, xi)
        assert float(found[1e-2].mean()) > 0.95, method
        assert float(found[1e-6].median()) < 0.99, method
        assert float(found[1e-6].mean()) < 0.9, method


def test_power_iteration_keeps_the_side_it_starts_on():
    """The Hessian has no negative eigenvalue, so that r never turns away from the start; -d gives -r."""
    network, x, d = made(last=5.0), normals(2, 60, 12), directions.unit(normals(2, 60, 12, seed=1))
    found, mirrored = (directions.virtual(network, x, s * d, xi=1e-6, iterations=1) for s in (1, -1))
    assert float((found * d).sum(-1).min()) > 0
    torch.testing.assert_close(mirrored, -found, rtol=0, atol=1e-4)


def test_the_divergence_of_a_short_step_is_half_eps_squared_times_the_eigenvalue():
    network, x = made(last=5.0), normals(2, 40, 12)
    limit, spectrum = directions.converged(network, x)
    base = log_p(network, x)
    short, longer = (directions.divergence(base, network(x + e * limit)) / (e**2 / 2) for e in (1e-4, 1e-1))
    torch.testing.assert_close(short, spectrum[..., 0], rtol=5e-3, atol=1e-8)
    assert not torch.allclose(longer, spectrum[..., 0], rtol=5e-3, atol=1e-8)  # the control: not a quadratic form
    other = directions.divergence(base, network(x + 1e-4 * directions.unit(normals(2, 40, 12, seed=3)))) / (1e-8 / 2)
    assert (other <= spectrum[..., 0] * 1.01).all()
    assert float((other / spectrum[..., 0]).median()) < 0.5


def test_the_direction_of_a_label_is_the_gradient_of_its_cross_entropy():
    network, x = made((12, 4)), normals(2, 10, 12)
    y = torch.arange(20).view(2, 10) % 4
    p = network(x).softmax(-1)
    expected = (p - functional.one_hot(y, 4)) @ network.w0.transpose(1, 2)
    torch.testing.assert_close(directions.label(network, x, y), directions.unit(expected), rtol=0, atol=1e-12)


def test_the_direction_of_the_pseudo_label_makes_the_class_given_less_likely():
    network, x = made(last=5.0), normals(2, 40, 12)
    y = network(x).argmax(-1)
    found = directions.pseudo_label(network, x)
    torch.testing.assert_close(found, directions.label(network, x, y), rtol=0, atol=0)
    before, after = (log_p(network, z).gather(-1, y[..., None]) for z in (x, x + 1e-3 * found))
    assert (after < before).all()
    other = directions.label(network, x, (y + 1) % 4)
    assert float(cosine(found, other).min()) < 0.99


@pytest.mark.parametrize("name", FOUND)
def test_each_example_of_each_network_has_its_own_direction(name):
    network, x, d = made(last=5.0), normals(2, 20, 12), normals(2, 20, 12, seed=1)
    every = direction(name, network, x, d)
    torch.testing.assert_close(direction(name, network, x[:, 5:7], d[:, 5:7]), every[:, 5:7], rtol=0, atol=1e-9)
    alone = Mlps.of({k: v[1:] for k, v in network.arrays().items()}, slope=0.0).requires_grad_(False)
    torch.testing.assert_close(direction(name, alone, x[1:], d[1:]), every[1:], rtol=0, atol=1e-9)


def test_where_the_gradient_is_zero_the_direction_is_the_start():
    network, d = made(last=0.0), normals(2, 5, 12)
    found = directions.virtual(network, normals(2, 5, 12), d, xi=1e-2, iterations=3)
    torch.testing.assert_close(found, directions.unit(d), rtol=0, atol=1e-15)
    assert (directions.converged(network, d)[1] == 0).all()


# --- training --------------------------------------------------------------------------------------------------------


def test_the_record_and_the_weights(tmp_path):
    record, found = trained(seeds=[0, 4])
    assert dict(record.sizes) == {"seed": 2, "update": 4}
    assert record["seed"].values.tolist() == [0, 4]
    assert record["update"].values.tolist() == [6, 12, 19, 25]
    for name in ("loss_labelled", "loss_smooth"):
        assert record[name].dims == ("seed", "update")
        assert (record[name] > 0).all()
    assert not record["diverged"].any()
    assert record["diverged_update"].isnull().all()
    assert (record["norm_error"] < 1e-5).all()
    assert found["labelled"].shape == (2, 9)
    assert {n: found[f"predicted/{n}"].shape for n in training.SPLITS} == {
        "pool": (2, 4, 60), "validation": (2, 4, 12), "test": (2, 4, 15)
    }  # fmt: skip
    assert found["predicted/test"].dtype == np.uint8
    assert found["network/w1"].shape == (2, 12, 12)
    io.write(record, tmp_path / "record.nc", SETTINGS, [])
    assert io.read(tmp_path / "record.nc").equals(record)
    weights.save(tmp_path / "weights", found, "x")
    same(weights.load(tmp_path / "weights", "x"), found)


def test_the_last_predictions_are_those_of_the_final_network():
    _, found = trained(seeds=[0, 1], batch_normalisation=True)
    network = Mlps.of(found, "network/", slope=0.0)
    for split, x in (("pool", IMAGES.x_train[:60]), ("validation", IMAGES.x_validation), ("test", IMAGES.x_test)):
        logits = network(torch.as_tensor(x).expand(2, -1, -1)).detach().numpy()
        assert (logits.argmax(-1) == found[f"predicted/{split}"][:, -1]).all()


def uniform(generator, inputs, outputs):
    bound = 1 / math.sqrt(inputs)
    layer = nn.Linear(inputs, outputs, dtype=DOUBLE)
    layer.weight.data = torch.from_numpy(generator.uniform(-bound, bound, (inputs, outputs))).T.contiguous()
    layer.bias.data = torch.from_numpy(generator.uniform(-bound, bound, outputs))
    return layer


def reference(method, chosen, seed, settings, *, tracked=False):
    """The same training with torch's own modules, one network, written down again. ``tracked``: a mistake."""
    initial = streams.generator(0, "semisupervised", seed, "initialisation")
    of_labels, of_pool, of_directions = streams.generator(0, "semisupervised", seed, "training").spawn(3)
    sizes = (SIDE**2, settings.width, settings.width, CLASSES)
    layers = [uniform(initial, *pair) for pair in pairwise(sizes)]
    parts = []
    for layer in layers[:-1]:
        normalisation = [nn.BatchNorm1d(settings.width, dtype=DOUBLE)] if settings.batch_normalisation else []
        parts += [layer, *normalisation, nn.ReLU()]
    last = [nn.BatchNorm1d(CLASSES, dtype=DOUBLE)] if settings.batch_normalisation else []
    network = nn.Sequential(*parts, layers[-1], *last)
    adam = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    pool = torch.as_tensor(IMAGES.x_train[: SETTINGS["n_pool"]]).double()
    x, y = pool[chosen], torch.as_tensor(IMAGES.y_train[chosen])

    def momentum(value):
        for part in network:
            if isinstance(part, nn.BatchNorm1d):
                part.momentum = value

    def batches(generator, n, size):
        while True:
            order = generator.permutation(n)
            for k in range(n // size):
                yield torch.from_numpy(order[size * k : size * k + size])

    labelled = batches(of_labels, len(x), settings.batch_labelled)
    unlabelled = batches(of_pool, len(pool), settings.batch_pool)
    eps = settings.eps
    for update in range(settings.updates):
        for group in adam.param_groups:
            group["lr"] = settings.learning_rate * training.factor(settings.decay, update, settings.updates)
        rows = next(labelled)
        momentum(0.1)
        loss = functional.cross_entropy(network(x[rows]), y[rows])
        momentum(0.1 if tracked else 0.0)
        if method == "adversarial":
            leaf = x[rows].clone().requires_grad_()
            (g,) = torch.autograd.grad(functional.cross_entropy(network(leaf), y[rows]), leaf)
            moved = x[rows] + eps * functional.normalize(g, dim=1, eps=1e-300)
            loss = loss + settings.alpha * functional.cross_entropy(network(moved), y[rows])
        elif method != "supervised":
            z = pool[next(unlabelled)]
            target = functional.log_softmax(network(z), 1).detach()

            def divergence(r, z=z, target=target):
                q = functional.log_softmax(network(z + r), 1)
                return functional.kl_div(q, target, reduction="batchmean", log_target=True)

            if method == "pseudo-label":
                leaf = z.clone().requires_grad_()
                (d,) = torch.autograd.grad(functional.cross_entropy(network(leaf), target.argmax(1)), leaf)
            else:
                d = torch.from_numpy(of_directions.standard_normal(tuple(z.shape), np.float32)).double()
            if method == "virtual":
                for _ in range(settings.power_iterations):
                    v = (settings.xi * functional.normalize(d, dim=1)).requires_grad_()
                    (d,) = torch.autograd.grad(divergence(v), v)
            loss = loss + settings.alpha * divergence(eps * functional.normalize(d, dim=1, eps=1e-300))
        adam.zero_grad()
        loss.backward()
        adam.step()
    if method not in ("supervised", "adversarial") and not tracked:
        momentum(1.0)
        network(pool)
    found = {}
    for layer, part in enumerate(layers):
        found |= {f"network/w{layer}": part.weight.T, f"network/b{layer}": part.bias}
    for layer, part in enumerate(m for m in network if isinstance(m, nn.BatchNorm1d)):
        found |= {f"network/scale{layer}": part.weight, f"network/shift{layer}": part.bias}
        found |= {f"network/mean{layer}": part.running_mean, f"network/variance{layer}": part.running_var}
    return {name: value.detach().numpy() for name, value in found.items()}


def far(one, other):
    return max(float(np.abs(one[name] - value).max()) for name, value in other.items())


@pytest.mark.parametrize("normalised", [False, True], ids=["plain", "normalised"])
@pytest.mark.parametrize("method", METHODS)
def test_trainings_are_those_of_plain_torch(method, normalised):
    """Same weights, minibatches and directions; statistics are of the pool, or of labelled passes where there is none."""
    changed = {
        "training": method, "batch_normalisation": normalised, "dtype": "float64", "seeds": [3], "alpha": 0.7,
        "power_iterations": 2,
    }  # fmt: skip
    _, found = trained(**changed)
    (chosen,) = found["labelled"]
    assert far({k: v[0] for k, v in final(found).items()}, reference(method, chosen, 3, plan(**changed))) < (
        1e-6
        if normalised
        else 1e-8  # biases before a normalisation have gradients of rounding only, which Adam scales up
    )
    assert len(final(found)) == (18 if normalised else 6)


def test_statistics_kept_of_every_pass_would_be_others():
    """The control of the test above."""
    changed = {"batch_normalisation": True, "dtype": "float64"}
    _, found = trained(**changed)
    wrong = reference("virtual", found["labelled"][0], 0, plan(**changed), tracked=True)
    assert np.abs(found["network/mean0"][0] - wrong["network/mean0"]).max() > 1e-3


@pytest.mark.parametrize("decay", ["linear", "exponential"])
def test_the_learning_rate_of_plain_torch_decays_in_the_same_way(decay, monkeypatch):
    monkeypatch.setattr(training, "EVERY", 7)
    changed = {"training": "supervised", "decay": decay, "dtype": "float64", "updates": 30}
    _, found = trained(**changed)
    own = {k: v[0] for k, v in final(found).items()}
    assert far(own, reference("supervised", found["labelled"][0], 0, plan(**changed))) < 1e-8
    monkeypatch.setattr(training, "factor", lambda *given: 1.0)  # the control, which does not decay
    assert far(own, reference("supervised", found["labelled"][0], 0, plan(**changed))) > 1e-4


def test_the_learning_rate_falls_to_zero_over_the_last_two_fifths_or_a_tenth_every_500_updates():
    linear = [training.factor("linear", update, 100) for update in range(100)]
    assert linear[:61] == [1.0] * 61
    np.testing.assert_allclose(linear[60:], np.arange(40, 0, -1) / 40)
    steps = [training.factor("exponential", update, 100) for update in (0, 499, 500, 999, 1000, 50_000)]
    np.testing.assert_allclose(steps, [1, 1, 0.9, 0.9, 0.81, 0.9**100])


@pytest.mark.parametrize(("updates", "checkpoints"), [(10, 10), (1500, 10), (7, 3), (1, 1)])
def test_predictions_are_kept_at_even_spaces_up_to_the_last_update(updates, checkpoints):
    found = training.moments(plan(updates=updates, checkpoints=checkpoints))
    assert len(found) == checkpoints
    assert found[-1] == updates
    assert (np.diff(found, prepend=0) > 0).all()
    assert np.ptp(np.diff(found, prepend=0)) <= 1


def test_all_methods_of_a_seed_share_images_labels_minibatches_and_initial_weights(monkeypatch):
    drawn, starts = {}, {}
    rows, unit = training.rows, directions.unit
    for method in METHODS:
        seen, begun = [], []
        monkeypatch.setattr(
            training, "rows", lambda x, which, seen=seen: (seen.append((len(x), which)), rows(x, which))[1]
        )
        monkeypatch.setattr(directions, "unit", lambda g, begun=begun: (begun.append(g), unit(g))[1])
        _, found = trained(training=method, learning_rate=1e-30, seeds=[2])
        labelled = [which for _, which in seen if which.shape[1] == 6]
        pool = [which for _, which in seen if which.shape[1] == 16]
        drawn[method] = np.stack(labelled), np.stack(pool) if pool else None, found["labelled"], final(found)
        starts[method] = begun
    for method in METHODS:
        np.testing.assert_array_equal(drawn[method][0], drawn["virtual"][0])
        np.testing.assert_array_equal(drawn[method][2], drawn["virtual"][2])
        assert far(drawn[method][3], drawn["virtual"][3]) < 1e-20
    for method in ("random", "pseudo-label"):
        np.testing.assert_array_equal(drawn[method][1], drawn["virtual"][1])
    assert drawn["supervised"][1] is None
    assert torch.equal(starts["random"][3], starts["virtual"][6])  # two calls for each direction of `virtual`


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_is_the_same_in_every_block(method):
    changed = {"training": method, "batch_normalisation": method == "virtual"}
    record, found = trained(seeds=[0, 1, 2], **changed)
    alone, own = trained(seeds=[1], **changed)
    assert record.sel(seed=[1]).equals(alone)
    same({k: v[1:2] for k, v in found.items()}, own)
    assert not np.array_equal(found["network/w0"][0], own["network/w0"][0])


@pytest.mark.parametrize("normalised", [False, True], ids=["plain", "normalised"])
@pytest.mark.parametrize("method", METHODS)
def test_the_seeds_of_a_job_as_one_batch_are_those_trained_alone_to_rounding(method, normalised, monkeypatch):
    """On a GPU all seeds of a job are one batch of tensors; here the same batch on the CPU."""
    changed = {"training": method, "batch_normalisation": normalised, "seeds": [0, 1, 2], "dtype": "float64"}
    record, found = trained(**changed)
    monkeypatch.setattr(training.devices, "batches", lambda runs, device: [list(range(runs))])
    together, batched = trained(**changed)
    assert far(final(found), final(batched)) < 1e-8
    np.testing.assert_allclose(together["loss_labelled"], record["loss_labelled"], rtol=1e-7)
    np.testing.assert_allclose(together["loss_smooth"], record["loss_smooth"], rtol=1e-6, atol=1e-12)
    for name in training.SPLITS:
        np.testing.assert_array_equal(found[f"predicted/{name}"], batched[f"predicted/{name}"])
    assert not np.allclose(*found["network/w1"][:2])  # the control: they are different runs


@pytest.mark.parametrize("normalised", [False, True], ids=["plain", "normalised"])
@pytest.mark.parametrize("method", METHODS)
def test_no_label_but_the_labelled_ones_and_no_image_but_the_pools_reaches_a_weight(method, normalised):
    changed = {"training": method, "batch_normalisation": normalised}
    chosen = labels.choose(IMAGES.y_train[:60], 9, np.random.default_rng(0))[None]
    true = final(fitted(IMAGES, chosen, **changed)[1])
    for name in plant.PLANTED[:3]:
        other = plant.planted(IMAGES, name, chosen[0], np.random.default_rng(1))
        same(true, final(fitted(other, chosen, **changed)[1]))
    # labels that are no class at all, and images behind the pool
    y = np.full_like(IMAGES.y_train, -7)
    y[chosen] = IMAGES.y_train[chosen]
    x = IMAGES.x_train.copy()
    x[60:] = np.nan
    hidden = replace(IMAGES, x_train=x, y_train=y, y_validation=IMAGES.y_validation - 99, y_test=IMAGES.y_test + 10**6)
    same(true, final(fitted(hidden, chosen, **changed)[1]))
    # the controls: labels of labelled images, and, of methods that use it, images of the pool
    assert differ(true, final(fitted(plant.planted(IMAGES, "labels", chosen[0], None), chosen, **changed)[1]))
    x = IMAGES.x_train.copy()
    free = np.setdiff1d(np.arange(60), chosen)
    x[free] = 1 - x[free]
    other = final(fitted(replace(IMAGES, x_train=x), chosen, **changed)[1])
    assert differ(true, other) == (method not in ("supervised", "adversarial"))


def test_validation_and_test_labels_reach_nothing_of_a_run():
    record, found = trained(seeds=[0, 1])
    other, theirs = trained(replace(IMAGES, y_validation=np.full(12, -99), y_test=np.full(15, -99)), seeds=[0, 1])
    assert record.equals(other)
    same(found, theirs)


def test_planted_data_are_false_everywhere_and_nothing_else_changes():
    chosen = np.array([1, 5, 12])
    made = {name: plant.planted(IMAGES, name, chosen, np.random.default_rng(0)) for name in plant.PLANTED}
    pool = made["pool labels"]
    others = np.setdiff1d(np.arange(70), chosen)
    assert (pool.y_train[others] != IMAGES.y_train[others]).all()
    assert (pool.y_train[chosen] == IMAGES.y_train[chosen]).all()
    held = made["validation and test labels"]
    assert (held.y_validation != IMAGES.y_validation).all()
    assert (held.y_test != IMAGES.y_test).all()
    assert held.y_train is IMAGES.y_train
    noise = made["validation and test images"]
    assert np.abs(noise.x_test - IMAGES.x_test).mean() > 0.2
    assert noise.x_train is IMAGES.x_train
    control = made["labels"]
    assert (np.flatnonzero(control.y_train != IMAGES.y_train)[:, None] == chosen).any(1).all()
    assert sorted(control.y_train[chosen]) == sorted(IMAGES.y_train[chosen])
    assert (control.y_train != IMAGES.y_train).any()


def test_planted_labels_make_no_difference_and_labels_of_labelled_images_do():
    given = {
        "n_labels": 9, "n_pool": 60, "eps": 0.5, "xi": 1e-2, "alpha": 1.0, "width": 12, "planted_updates": 10,
        "root": 0, "device": "cpu", "dtype": "float32",
    }  # fmt: skip
    found = plant.run(IMAGES, **given)["planted_difference"]
    assert found["planted"].values.tolist() == list(plant.PLANTED)
    assert found.values[:3].tolist() == [0.0, 0.0, 0.0]
    assert found.values[3] > 1e-4
    with pytest.raises(InputError, match="n_pool: found 71, allowed: 1 to 70"):
        plant.run(IMAGES, **given | {"n_pool": 71})


def test_planting_shows_a_training_that_looks_at_the_pool_labels(monkeypatch):
    """The control: a training whose labelled images get more neighbours with their labels."""
    fit = training.fit

    def leaking(images, labelled, *given, **named):
        more = np.concatenate((labelled, np.setdiff1d(np.arange(30), labelled)[None]), 1)
        return fit(images, more, *given, **named)

    monkeypatch.setattr(training, "fit", leaking)
    given = {name: SETTINGS[name] for name in ("n_labels", "n_pool", "eps", "xi", "alpha", "width")}
    found = plant.run(IMAGES, **given, planted_updates=5, root=0, device="cpu", dtype="float32")["planted_difference"]
    assert (found.values > 0).tolist() == [True, False, False, True]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["adversarial", "random", "pseudo-label", "virtual"])
def test_the_largest_error_of_the_length_is_recorded(method, dtype, monkeypatch):
    record, _ = trained(training=method, dtype=dtype)
    assert 0 <= float(record["norm_error"][0]) < (1e-6 if dtype == "float32" else 1e-14)
    unit = directions.unit
    monkeypatch.setattr(directions, "unit", lambda g: 0.9 * unit(g))  # the control
    assert float(trained(training=method, dtype=dtype)[0]["norm_error"][0]) == pytest.approx(0.1, rel=1e-3)


def test_a_run_that_diverges_is_marked():
    record, found = trained(learning_rate=1e30, seeds=[0, 1])
    assert (record["diverged"] == 1).all()
    assert record["diverged"].dtype == np.int8
    assert (record["diverged_update"] == 6).all()
    for name in ("loss_labelled", "loss_smooth", "norm_error"):
        assert record[name].isnull().all()
    for name in training.SPLITS:
        assert (found[f"predicted/{name}"] == 255).all()


def test_a_run_that_diverges_later_keeps_what_it_was_before(monkeypatch):
    factor = training.factor
    monkeypatch.setattr(training, "factor", lambda decay, update, n: 1e30 if update == 15 else factor(decay, update, n))
    record, found = trained()
    assert record["diverged_update"].values.tolist() == [19]
    assert np.isfinite(record["loss_labelled"].values[0, :2]).all()
    assert np.isnan(record["loss_labelled"].values[0, 2:]).all()
    assert (found["predicted/test"][0, :2] < 255).all()
    assert (found["predicted/test"][0, 2:] == 255).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_diverged_run_does_not_touch_the_others_of_its_batch(method, monkeypatch):
    alone, own = trained(training=method, seeds=[0], dtype="float64", batch_normalisation=True)
    initialise = Mlps.initialise

    def broken(network, generators):
        initialise(network, generators)
        with torch.no_grad():
            network.w0[1] = math.nan
        return network

    monkeypatch.setattr(Mlps, "initialise", broken)
    monkeypatch.setattr(training.devices, "batches", lambda runs, device: [list(range(runs))])
    record, found = trained(training=method, seeds=[0, 1], dtype="float64", batch_normalisation=True)
    assert record["diverged"].values.tolist() == [0, 1]
    assert far({k: v[:1] for k, v in final(found).items()}, final(own)) < 1e-8
    np.testing.assert_allclose(record["loss_smooth"][:1], alone["loss_smooth"], rtol=1e-6)
    assert np.isfinite(record["norm_error"].values).tolist() == [True, False]
    assert (found["predicted/pool"][0] == own["predicted/pool"][0]).all()
    assert (found["predicted/pool"][1] == 255).all()


def test_smoothing_along_virtual_directions_makes_them_less_virtual():
    """The network trained so moves less along its own worst directions than one trained on labels only."""
    moved = {}
    for method in ("supervised", "virtual"):
        _, found = trained(training=method, updates=150, dtype="float64", seeds=[0, 1, 2])
        network = Mlps.of(found, "network/", slope=0.0).requires_grad_(False)
        x = torch.as_tensor(IMAGES.x_test).double().expand(3, -1, -1)
        r = 0.5 * directions.virtual(network, x, normals(3, 15, SIDE**2), xi=1e-2, iterations=4)
        moved[method] = directions.divergence(log_p(network, x), network(x + r)).mean(-1)
    assert (moved["virtual"] < 0.8 * moved["supervised"]).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"eps": 0.3}, {"alpha": 0.5}, {"xi": 0.1}, {"power_iterations": 3}, {"batch_labelled": 5}, {"batch_pool": 15},
        {"decay": "exponential"}, {"learning_rate": 2e-2}, {"n_labels": 12}, {"n_pool": 50}, {"root": 1},
        {"batch_normalisation": True},
    ],
    ids=str,
)  # fmt: skip
def test_every_setting_is_used(changed):
    assert far(final(trained(dtype="float64", **changed)[1]), final(trained(dtype="float64")[1])) > 1e-9


def test_how_often_predictions_are_kept_changes_no_weight():
    for normalised in (False, True):
        one, other = (trained(checkpoints=n, batch_normalisation=normalised)[1] for n in (1, 25))
        same(final(one), final(other))
        same({"last": one["predicted/test"][:, -1]}, {"last": other["predicted/test"][:, -1]})


def test_dtype_is_that_of_the_weights():
    _, found = trained(dtype="float64", learning_rate=1e-30)
    assert {v.dtype for v in final(found).values()} == {np.dtype(np.float64)}
    np.testing.assert_allclose(trained(learning_rate=1e-30)[1]["network/w0"], found["network/w0"], rtol=1e-6)


def test_training_changes_no_image_and_leaves_torchs_random_state_alone():
    before, x = torch.random.get_rng_state(), IMAGES.x_train.copy()
    trained(updates=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(IMAGES.x_train, x)


def test_images_and_labels_that_cannot_be_used_are_refused():
    dark = IMAGES.x_train - 0.5
    for images, changed, message in (
        (IMAGES, {"n_pool": 71}, "n_pool: found 71, allowed: 1 to 70, the training images there are"),
        (IMAGES, {"n_labels": 61}, "n_labels: found 61, allowed: at most 60, the images of the pool"),
        (IMAGES, {"n_labels": 2}, "n_labels: found 2, allowed: at least 3, one for each class"),
        (replace(IMAGES, x_train=dark), {}, "images: found pixels from -0.5 to 0.5, allowed: 0 to 1"),
        (replace(IMAGES, x_validation=2 * IMAGES.x_validation), {}, "images: found pixels .* allowed: 0 to 1"),
        (replace(IMAGES, x_test=IMAGES.x_test * np.nan), {}, "images: found pixels from nan to nan, allowed: 0 to 1"),
        (replace(IMAGES, y_train=IMAGES.y_train - 1), {}, "found one below 0 or none, allowed: classes"),
        (replace(IMAGES, y_train=2 * IMAGES.y_train), {}, "class 1: found 0 images in the pool, allowed: at least"),
    ):
        with pytest.raises(InputError, match=message):
            trained(images, **changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"eps": 0}, ("eps", "greater than 0", "input_value=0")),
        ({"eps": -0.3}, ("eps", "greater than 0", "input_value=-0.3")),
        ({"eps": math.nan}, ("eps", "finite", "input_value=nan")),
        ({"xi": 1e-6}, ("xi: found 1e-06, allowed in float32: 0.001 to 0.1",)),
        ({"xi": 0.2}, ("xi: found 0.2, allowed in float32: 0.001 to 0.1",)),
        ({"xi": 1e-7, "dtype": "float64"}, ("xi: found 1e-07, allowed in float64: 1e-06 to 0.1",)),
        ({"xi": 0}, ("xi", "greater than 0", "input_value=0")),
        ({"n_labels": 4000}, ("n_labels: found 4000, allowed: at most n_pool, 3500",)),
        ({"n_labels": 1}, ("n_labels", "greater than or equal to 2", "input_value=1")),
        ({"checkpoints": 1501}, ("checkpoints: found 1501, allowed: at most updates, 1500",)),
        ({"probe_eps": [1.0, 0.5]}, ("probe_eps: found [1.0, 0.5], allowed: increasing numbers > 0",)),
        ({"probe_iterations": [0, 1]}, ("probe_iterations: found [0, 1], allowed: increasing numbers > 0",)),
        ({"moons_labels": 600}, ("moons_labels: found 600, allowed: at most moons_pool, 500",)),
        ({"training": "vat"}, ("training", "input_value='vat'", "'supervised', 'adversarial'")),
        ({"epss": 1}, ("epss", "Extra inputs")),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(changed, said):
    with pytest.raises(ValidationError) as error:
        Model(**changed)
    for words in said:
        assert words in str(error.value)


def test_usable_values_of_xi_reach_further_down_in_float64():
    for dtype, values in (("float32", (1e-3, 1e-2, 0.1)), ("float64", (1e-6, 1e-3, 0.1))):
        for xi in values:
            assert Model(xi=xi, dtype=dtype).xi == xi


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"eps": 0.0}, "eps: found 0, allowed: a number > 0"),
        ({"xi": 1e-6}, "xi: found 1e-06, allowed in float32: 0.001 to 0.1"),
        ({"xi": 0.5, "dtype": "float64"}, "xi: found 0.5, allowed in float64: 1e-06 to 0.1"),
    ],
)
def test_lengths_that_cannot_be_used_are_refused_by_the_training_too(changed, says):
    with pytest.raises(InputError, match=re.escape(says)):
        trained(**changed)


def test_a_class_that_the_pool_lacks_is_refused_even_the_last():
    rows = np.flatnonzero(IMAGES.y_train[: SETTINGS["n_pool"]] == CLASSES - 1)
    y = IMAGES.y_train.copy()
    y[rows] = 0
    y[-1] = CLASSES - 1  # beyond the pool
    with pytest.raises(InputError, match=f"class {CLASSES - 1}: found 0 images in the pool"):
        trained(replace(IMAGES, y_train=y))


def test_statistics_taken_of_a_batch_are_those_that_plain_torch_would_keep_of_it():
    network = Mlps((4, 6, 3), 2, batch_normalisation=True, normalised_outputs=True, slope=0.0, dtype=DOUBLE)
    network.initialise([np.random.default_rng(seed) for seed in (0, 1)]).eval()
    x = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 40, 4)))
    network.adopt(x)
    assert not network.training
    for run in (0, 1):
        h = x[0] @ network.w0[run] + network.b0[run]
        torch.testing.assert_close(network.mean0[run], h.mean(0))
        torch.testing.assert_close(network.variance0[run], h.var(0))
        h = torch.relu((h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()) @ network.w1[run] + network.b1[run]
        torch.testing.assert_close(network.mean1[run], h.mean(0))
    kept = network.mean0.clone()
    network.train()((x + 1).expand(2, -1, -1))  # control: a pass with the usual momentum moves a tenth of the way only
    assert not torch.allclose(network.mean0, kept)
    again = Mlps.of(network.arrays(), slope=0.0)
    assert again.normalised_outputs
    torch.testing.assert_close(again(x.expand(2, -1, -1)), network.eval()(x.expand(2, -1, -1)))
