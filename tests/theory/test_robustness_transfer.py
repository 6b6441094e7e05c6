"""Transfer, surrogates, resolutions and illustrations of the study robustness."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from advdyn import io
from advdyn.attacks import classifier as classifiers
from advdyn.attacks import engine
from advdyn.attacks.attack import Attack
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.robustness import collect, illustrate, measures, scale, transfer

SIDE, CLASSES = 6, 3
EPS = [0.0, 0.05, 0.2]
OPTIMISER = {"optimiser": "adam", "learning_rate": 1e-2, "momentum": 0.9, "weight_decay": 0.0, "batch": 20}
RUNNING = {"root": 0, "device": "cpu", "dtype": "float32"}


def draw_images(classes=CLASSES, n=100, seed=0, noise=0.25):
    rng = np.random.default_rng(seed)
    centre = rng.random((classes, SIDE**2))
    parts = []
    for size in (2 * n, n, n):
        y = np.arange(size) % classes
        x = np.clip(0.5 + 0.5 * (centre[y] - 0.5) + noise * rng.normal(size=(size, SIDE**2)), 0, 1)
        parts += [x.astype(np.float32), y.astype(np.int64)]
    return Images(*parts, (SIDE, SIDE))


def fitted(network, images, labels=None, steps=80):
    x, y = torch.tensor(images.x_train), torch.tensor(images.y_train if labels is None else labels)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()
    return network.eval()


def softmax(seed=0, classes=CLASSES):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(SIDE**2, classes))


def mlp(seed=0, width=16):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(SIDE**2, width), nn.ReLU(), nn.Linear(width, CLASSES))


def compared_of(networks, seeds, label="m"):
    return [
        transfer.Compared(
            f"{label}{k}/standard/0", f"{label}{k}", "standard", 0.0, 200, tuple(seeds), tuple(row), (False,) * len(row)
        )
        for k, row in enumerate(networks)
    ]


def trained(networks, seeds, eps=None, n_train=200):
    """A trained file: its record and its networks."""
    dims, shape = (("seed",), (len(seeds),)) if eps is None else (("eps_train", "seed"), (len(eps), len(seeds)))
    coords = {"seed": list(seeds)} | ({} if eps is None else {"eps_train": list(eps)})
    return xr.Dataset({"diverged": (dims, np.zeros(shape, np.int8)), "n_train": n_train}, coords=coords), networks


@pytest.fixture(scope="module")
def images():
    return draw_images()


@pytest.fixture(scope="module")
def networks(images):
    return [[fitted(softmax(0), images), fitted(softmax(1), images)], [fitted(mlp(0), images), fitted(mlp(1), images)]]


def imitate(compared, images, **changes):
    settings = {"surrogate": "mlp-16", "surrogate_epochs": 8, **OPTIMISER, **RUNNING} | changes
    return transfer.surrogates(compared, images, **settings)


def move(compared, surrogates, images, **changes):
    settings = {"transfer_attack": {}, "eps_linf": EPS, "n_test": 0, **RUNNING} | changes
    return transfer.run(compared, surrogates, images, **settings)


@pytest.fixture(scope="module")
def found(images, networks):
    compared = compared_of(networks, (0, 1))
    surrogates = imitate(compared, images)
    return compared, surrogates, move(compared, surrogates, images)


def tensors(images):
    return torch.tensor(images.x_test), torch.tensor(images.y_test)


# --- which runs are compared --------------------


def test_compared_takes_the_size_nearest_to_the_reference(images):
    marks = [softmax(k).eval() for k in range(6)]
    files = [
        (*trained(marks[:2], (0, 1)), {"model": "softmax", "training": "standard"}),
        (*trained(marks[2:], (0, 1), (0.05, 0.2)), {"model": "softmax", "training": "fgsm"}),
    ]
    standard, fgsm = transfer.compared(files, 0.17)
    assert (standard.label, fgsm.label) == ("softmax/standard/0", "softmax/fgsm/0.2")
    assert standard.networks == tuple(marks[:2])
    assert fgsm.networks == tuple(marks[4:])
    assert transfer.compared(files, 0.1)[1].label == "softmax/fgsm/0.05"
    # a size that standard training was given, and did not use, is not told
    dataset, _ = trained(marks[:2], (0, 1))
    named = (dataset.assign_coords(eps_train=0.3), marks[:2], {"model": "softmax", "training": "standard"})
    assert transfer.compared([named], 0.17)[0].label == "softmax/standard/0"


def test_compared_joins_blocks_of_seeds_and_prefers_many_images():
    marks = [softmax(k).eval() for k in range(5)]
    cell = {"model": "mlp-8", "training": "pgd", "eps_train": 0.1}
    files = [
        (*trained(marks[:1], (2,), n_train=100), cell),
        (*trained(marks[1:3], (2, 3), n_train=200), cell),
        (*trained(marks[3:], (0, 1), n_train=200), cell),
    ]
    (one,) = transfer.compared(files, 0.1)
    assert one.label == "mlp-8/pgd/0.1"
    assert one.seeds == (0, 1, 2, 3)
    assert one.networks == (marks[3], marks[4], marks[1], marks[2])
    assert one.n_train == 200
    # with another that has fewer seeds, those in common
    other = (*trained(marks[:1], (2,)), {"model": "cnn", "training": "pgd", "eps_train": 0.1})
    assert [c.seeds for c in transfer.compared([*files, other], 0.1)] == [(2,), (2,)]


def test_a_run_that_is_marked_as_diverged_is_not_used(images):
    dataset, marks = trained([softmax(k).eval() for k in range(2)], (0, 1))
    dataset["diverged"][1] = 1
    (one,) = transfer.compared([(dataset, marks, {"model": "a", "training": "standard"})], 0.1)
    x, _ = tensors(images)
    assert one.classifier(0, x) is not None
    assert one.classifier(1, x) is None


def test_compared_refuses():
    network = softmax().eval()
    with pytest.raises(InputError, match="none of the models"):
        transfer.compared([], 0.1)
    files = [(*trained([network], (s,)), {"model": m, "training": "standard"}) for s, m in ((0, "a"), (1, "b"))]
    with pytest.raises(InputError, match="no seed in common"):
        transfer.compared(files, 0.1)
    with pytest.raises(InputError, match="1 networks for 2 runs"):
        transfer.compared([(*trained([network], (0, 1)), {"model": "a", "training": "standard"})], 0.1)


# --- transfer --------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"steps": 5, "step": 0.4},
        {"initialisation": "uniform", "steps": 5, "step": 0.4},
        {"initialisation": "uniform", "steps": 3, "step": 0.4, "restarts": 2},
        {"initialisation": "sign", "steps": 0},
        {"norm": "l2", "initialisation": "uniform", "steps": 2, "step": 0.5},
    ],
)
@pytest.mark.parametrize("box", [None, (0.0, 1.0)])
def test_a_transfer_onto_itself_is_the_white_box_attack(images, networks, settings, box):
    x, y = tensors(images)
    attack = Attack.from_settings("a", settings)
    for network in (networks[0][0], networks[1][0]):
        one = classifiers.of(network, SIDE**2)
        curve = engine.sweep(one, x, y, attack, EPS, box=box, generator=torch.Generator().manual_seed(3))
        moved = transfer.transferred(one, one, x, y, attack, EPS, box, torch.Generator().manual_seed(3))
        assert torch.equal(moved, curve.wrong)


def test_a_source_is_judged_by_the_target_of_the_next_seed(images, networks, found):
    *_, measured = found
    x, y = tensors(images)
    for a, b, i in ((0, 1, 0), (1, 0, 1), (1, 1, 0)):
        source, target = networks[a][i], networks[b][1 - i]
        leaf = x.clone().requires_grad_(True)
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(source(leaf), y, reduction="sum"), leaf)
        for e, eps in enumerate(EPS):
            wrong = target((x + eps * g.sign()).clamp(0, 1)).argmax(1) != y
            assert float(measured["transfer_error"][a, b, i, e]) == pytest.approx(float(wrong.float().mean()), abs=1e-6)
            own = source((x + eps * g.sign()).clamp(0, 1)).argmax(1) != y
            assert float(measured["white_box_error"][a, i, e]) == pytest.approx(float(own.float().mean()), abs=1e-6)
        same = source(x).argmax(1) == target(x).argmax(1)
        assert float(measured["agreement"][a, b, i]) == pytest.approx(float(same.float().mean()))
        (h,) = torch.autograd.grad(nn.functional.cross_entropy(target(leaf), y, reduction="sum"), leaf)
        cosine = nn.functional.cosine_similarity(g, h).mean()
        assert float(measured["gradient_cosine"][a, b, i]) == pytest.approx(float(cosine), abs=1e-4)
    assert "next seed" in measured.attrs["judged_by"]


def test_dims_of_transfer(found):
    compared, _, measured = found
    assert measured["transfer_error"].dims == ("source", "target", "seed", "eps")
    for name in ("white_box_error", "noise_error", "surrogate_error"):
        assert measured[name].dims == ("target", "seed", "eps")
        clean = measured["white_box_error"].sel(eps=0.0)
        np.testing.assert_array_equal(measured[name].sel(eps=0.0), clean)
    assert measured["source"].values.tolist() == [c.label for c in compared]
    assert all(measured[name].dtype == np.float32 for name in measured.data_vars)
    assert measured.notnull().all().to_array().all()


def test_random_signs_do_less_than_any_attack(found):
    *_, measured = found
    at = measured.sel(eps=0.2)
    assert (at["noise_error"] < 0.5 * at["white_box_error"]).all()
    assert (at["noise_error"] < at["transfer_error"].min("source")).all()


def test_the_control_is_noise_of_the_size_of_the_attack(images, found):
    compared, surrogates, _ = found
    measured = move(compared, surrogates, images, eps_linf=[0.0, 1.0])
    noise = measured["noise_error"]
    assert (noise.sel(eps=1.0) > noise.sel(eps=0.0) + 0.3).all()  # nothing is left of the images


def test_with_one_seed_the_diagonal_is_the_white_box_attack(images, networks, found):
    compared, (about, imitators), _ = found
    one = [c.at([0]) for c in compared]
    measured = move(one, (about.isel(seed=[0]), imitators[::2]), images)
    for k in range(2):
        np.testing.assert_array_equal(measured["transfer_error"][k, k], measured["white_box_error"][k])
    assert "one seed only" in measured.attrs["judged_by"]


def test_a_diverged_network_is_nan_as_source_and_target(images, networks):
    broken = softmax(9).eval()
    with torch.no_grad():
        broken[0].weight.fill_(torch.nan)
    compared = compared_of([networks[0][:1], [broken]], (0,))
    surrogates = imitate(compared, images, surrogate_epochs=1)
    assert surrogates[0]["diverged"].values.tolist() == [[0], [1]]
    measured = move(compared, surrogates, images)
    there = measured["transfer_error"].notnull().all(("seed", "eps"))
    assert there.values.tolist() == [[True, False], [False, False]]
    assert measured["surrogate_error"].isnull().isel(target=1).all()
    assert measured["surrogate_error"].notnull().isel(target=0).all()


def test_transfer_refuses(images, found):
    compared, surrogates, _ = found
    with pytest.raises(InputError, match="untargeted, linf"):
        move(compared, surrogates, images, transfer_attack={"objective": "logit"})
    with pytest.raises(InputError, match="untargeted, linf"):
        move(compared, surrogates, images, transfer_attack={"norm": "l2"})
    with pytest.raises(InputError, match="other networks"):
        move(compared[::-1], surrogates, images)
    with pytest.raises(InputError, match="n_test"):
        move(compared, surrogates, images, n_test=1000)


# --- surrogates --------------------


def test_a_surrogate_learns_the_labels_of_its_target(images, networks):
    """Targets that call every class by another's name: their surrogates do as well."""
    renamed = (images.y_train + 1) % CLASSES
    odd = fitted(mlp(3), images, renamed)
    compared = compared_of([[networks[1][0]], [odd]], (0,))
    surrogates = imitate(compared, images, surrogate_epochs=20)
    measured = move(compared, surrogates, images)
    assert (measured["surrogate_agreement"] > 0.9).all()
    x, y = tensors(images)
    errors = [float((network(x).argmax(1) != y).float().mean()) for network in surrogates[1]]
    assert errors[0] < 0.1
    assert errors[1] > 0.9
    assert surrogates[0]["train_error"].max() < 0.1
    # the labels of the data set are not looked at
    shuffled = dataclasses.replace(
        images, y_train=np.roll(images.y_train, 1), y_validation=np.roll(images.y_validation, 1)
    )
    again = imitate(compared, shuffled, surrogate_epochs=20)
    for one, other in zip(surrogates[1], again[1], strict=True):
        assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


def test_surrogates_fool_their_targets_and_share_nothing_with_them(images, found):
    compared, (about, imitators), measured = found
    at = measured.sel(eps=0.2)
    assert (at["surrogate_error"] > at["noise_error"] + 0.2).all()
    x, y = tensors(images)
    leaf = x.clone().requires_grad_(True)
    for (t, s), imitator in zip(np.ndindex(2, 2), imitators, strict=True):
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(imitator(leaf), y, reduction="sum"), leaf)
        wrong = compared[t].networks[s]((x + 0.2 * g.sign()).clamp(0, 1)).argmax(1) != y
        assert float(at["surrogate_error"][t, s]) == pytest.approx(float(wrong.float().mean()), abs=1e-6)
    assert about["train_error"].dims == ("target", "seed")
    assert len(imitators) == 4
    assert not any(m.training for n in imitators for m in n.modules())
    # another initialisation than a target of the same name and seed has
    own = measures.seeds.integer(0, "robustness", 0, "initialisation")
    assert own != measures.seeds.integer(0, "robustness", transfer.SURROGATE_SEEDS, "initialisation")
    first = [n.state_dict()["0.weight"] for n in imitators]
    assert not torch.equal(first[0], first[1])


def test_a_target_that_knows_one_class_only_has_a_surrogate(images):
    dull = softmax().eval()
    with torch.no_grad():
        dull[0].weight.zero_()
        dull[0].bias[:] = torch.tensor([0.0, 5.0, 0.0])
    compared = compared_of([[dull]], (0,))
    surrogates = imitate(compared, images, surrogate_epochs=3)
    measured = move(compared, surrogates, images)
    assert measured["surrogate_agreement"].item() == 1
    assert measured["gradient_cosine"].item() == 0
    with pytest.raises(InputError, match="batch"):
        imitate(compared, images, batch=1000)


# --- resolutions --------------------


def test_resampling_is_the_mean_over_areas():
    rng = np.random.default_rng(0)
    x = rng.random((3, 36))
    half = scale.resample(x, 6, 3).reshape(3, 3, 3)
    np.testing.assert_allclose(half, x.reshape(3, 3, 2, 3, 2).mean((2, 4)))
    twice = scale.resample(x, 6, 12).reshape(3, 12, 12)
    np.testing.assert_allclose(twice, x.reshape(3, 6, 6).repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(scale.resample(x, 6, 6), x)
    for side in (4, 5, 7, 9):
        np.testing.assert_allclose(scale.resample(x, 6, side).mean(1), x.mean(1))
        np.testing.assert_allclose(scale.resample(np.ones((1, 36)), 6, side), 1)
    assert scale.resample(x.astype(np.float32), 6, 4).dtype == np.float32


SCALED = {
    "scaled_models": ["softmax", "mlp-16"], "resolutions": [3, 6, 12], "scaled_seeds": 2, "n_train": 200, "epochs": 15,
    "least_updates": 0, "n_test": 0, **OPTIMISER, **RUNNING,
}  # fmt: skip


@pytest.fixture(scope="module")
def scaled(images):
    return scale.run(images, **SCALED)


def test_the_shift_grows_with_the_number_of_pixels(scaled):
    assert scaled["shift"].dims == ("scaled_model", "resolution", "seed")
    mean = scaled.mean("seed")
    assert (mean["shift"].diff("resolution") > 0).all()
    assert (mean["scaled_gradient_l1"].diff("resolution") > 0).all()
    # of a linear model it is eps |g|_1 exactly
    linear = scaled.sel(scaled_model="softmax")
    np.testing.assert_allclose(linear["shift"], scale.SHIFT * linear["scaled_gradient_l1"], rtol=1e-3)
    assert (scaled["half_eps"] <= scaled["half_eps_correct"]).all()


def test_the_smallest_fgsm_of_a_linear_model_is_exact(images):
    two = draw_images(classes=2)
    network = fitted(softmax(classes=2), two)
    x, y = tensors(two)
    one = classifiers.of(network, SIDE**2)
    w = (network[0].weight[1] - network[0].weight[0]).detach().double()
    b = (network[0].bias[1] - network[0].bias[0]).detach().double()
    margins = (2.0 * y - 1) * (x.double() @ w + b)
    exact = (margins / w.abs().sum()).clamp_min(0).numpy()
    np.testing.assert_allclose(scale.smallest_fgsm(one, x, y, linear=True), exact, atol=1e-6)
    # and what is found by trying agrees within its resolution
    np.testing.assert_allclose(scale.smallest_fgsm(one, x, y, linear=False), exact, atol=2e-4)
    # the size found is the edge: just beyond it the image is lost, just before it is not
    many = classifiers.of(fitted(softmax(), images), SIDE**2)
    x, y = tensors(images)
    size = torch.tensor(scale.smallest_fgsm(many, x, y, linear=True))
    sign = measures.loss_gradient(many, x, y).sign()
    moved = (size > 1e-3) & (size < 1)
    assert moved.sum() > 50
    for factor, lost in ((0.999, False), (1.001, True)):
        wrong = many.logits(x + (factor * size[:, None]).float() * sign).argmax(1) != y
        assert (wrong[moved] == lost).all()


def test_half_eps_is_the_median(scaled, images, monkeypatch):
    monkeypatch.setattr(scale, "smallest_fgsm", lambda classifier, x, y, linear: np.arange(len(y)) / len(y))
    one = scale.run(images, **(SCALED | {"resolutions": [6], "scaled_models": ["softmax"], "epochs": 1}))
    assert (one["half_eps"] == np.float32(0.49)).all()


@pytest.mark.parametrize(("shape", "words"), [((3, 3, 4), "3 x 3 x 4"), ((4, 9), "4 x 9")])
def test_images_that_are_not_grey_squares_are_not_measured(images, shape, words):
    empty = scale.run(dataclasses.replace(images, shape=shape), **SCALED)
    assert not empty.data_vars
    assert words in empty.attrs["not_measured"]


# --- illustrations --------------------


@pytest.fixture(scope="module")
def shown(images, networks):
    compared = compared_of(networks, (0, 1))
    return illustrate.run(compared, images, transfer_attack={}, eps_reference=0.1, **RUNNING)


def test_the_examples_are_typical_of_their_classes(images, shown):
    for k, row in enumerate(shown["example"].values):
        members = images.x_test[images.y_test == k]
        distance = ((members - members.mean(0)) ** 2).sum(1)
        np.testing.assert_array_equal(images.x_test[row], members[distance.argmin()])
    assert shown["label"].values.tolist() == [0, 1, 2]
    assert shown["target"].values.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(shown["image"], images.x_test[shown["example"].values])


def test_shapes_of_the_illustrations(shown):
    sizes = {"illustrated": 2, "example": 3, "kind": 2, "pixel": 36, "ray_eps": 41, "class": 3, "filter": 16}
    assert {name: shown.sizes[name] for name in sizes} == sizes
    assert shown["pattern"].dims == ("illustrated", "example", "kind", "pixel")
    assert shown["ray_logits"].dims == ("illustrated", "example", "ray_eps", "class")
    assert shown["kind"].values.tolist() == ["untargeted", "targeted"]
    np.testing.assert_allclose(shown["ray_eps"], np.linspace(-0.2, 0.2, 41), atol=1e-15)
    assert shown["image_shape"].values.tolist() == [SIDE, SIDE]


def test_patterns_are_no_larger_than_eps_and_make_the_adversarial_image(shown):
    assert float(np.abs(shown["pattern"]).max()) <= 0.1 + 1e-6
    assert (np.abs(shown["image"] + shown["pattern"] - shown["adversarial"]) < 1e-6).all()
    assert shown["adversarial"].min() >= 0
    assert shown["adversarial"].max() <= 1
    assert (np.abs(shown["pattern"]).max("pixel") > 0.09).all()


def test_predictions_of_the_illustrations(images, networks, shown):
    x = torch.tensor(images.x_test[shown["example"].values])
    p = torch.softmax(networks[1][0](x).detach(), 1).max(1)
    np.testing.assert_array_equal(shown["predicted_before"][1], p.indices)
    np.testing.assert_allclose(shown["confidence_before"][1], p.values, rtol=1e-5)
    adversarial = torch.tensor(shown["adversarial"].values[1, :, 1])
    p = torch.softmax(networks[1][0](adversarial).detach(), 1).max(1)
    np.testing.assert_array_equal(shown["predicted_after"][1, :, 1], p.indices)
    np.testing.assert_allclose(shown["confidence_after"][1, :, 1], p.values, rtol=1e-4)


def test_the_ray_of_a_linear_model_is_its_tangent(shown):
    logits, tangent, eps = shown["ray_logits"], shown["ray_tangent"], shown["ray_eps"]
    line = logits.isel(ray_eps=20) + eps * tangent
    straight = np.abs(logits - line).max(("example", "ray_eps", "class"))
    assert float(straight[0]) < 1e-4
    assert float(straight[1]) > 1e-2
    # and of a deep one near the image
    near = (logits.isel(ray_eps=21) - logits.isel(ray_eps=19)) / 0.02
    np.testing.assert_allclose(near[1], tangent[1], rtol=0.3, atol=1.0)
    # along it the loss rises: the label's logit falls against the others
    own = tangent[0].values[np.arange(3), shown["label"].values]
    assert (own < np.sort(tangent[0].values, axis=1)[:, -1]).all()


def test_targets_are_reached_where_eps_is_large(images, networks):
    compared = compared_of(networks[:1], (0, 1))
    far = illustrate.run(compared, images, transfer_attack={}, eps_reference=0.5, **RUNNING)
    np.testing.assert_array_equal(far["predicted_after"].sel(kind="targeted")[0], far["target"])
    assert (far["predicted_after"].sel(kind="untargeted")[0] != far["label"]).all()


def test_filters_are_those_of_largest_norm(networks, shown):
    weight = networks[1][0][0].weight.detach().numpy()
    order = np.argsort(-np.sqrt((weight**2).sum(1)))
    np.testing.assert_array_equal(shown["filters"][1], weight[order])
    assert shown["filters"][0, 3:].isnull().all()  # softmax has three
    convolution = nn.Sequential(nn.Unflatten(1, (1, SIDE, SIDE)), nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(36, 3))
    assert illustrate.first_layer(convolution, 36) is None


def test_fooling_images_of_the_illustrations(networks, shown):
    for k in range(2):
        x = torch.tensor(shown["fooling_image"].values[k])
        p = torch.softmax(networks[k][0](x).detach(), 1).diagonal()
        np.testing.assert_allclose(shown["fooling_confidence"][k], p, rtol=1e-4)
        reached = shown["fooling_reached_steps"][k].notnull().values
        np.testing.assert_array_equal(reached, p.numpy() >= 0.996)
        assert reached.any()


def test_a_diverged_network_is_illustrated_by_nothing(images, networks):
    broken = softmax(9).eval()
    with torch.no_grad():
        broken[0].weight.fill_(math.inf)
    dull = softmax(9).eval()  # sure of nothing: no noise becomes an image of a class
    with torch.no_grad():
        dull[0].weight.zero_()
    both = illustrate.run(
        compared_of([[broken], networks[1][:1], [dull]], (0,)), images, transfer_attack={}, eps_reference=0.1, **RUNNING
    )
    over = list(illustrate.VARIABLES)
    assert all(both[name][0].isnull().all() for name in over)
    assert not any(both[name][1].isnull().all() for name in over)
    assert both["fooling_reached_steps"][2].isnull().all()
    assert both["fooling_confidence"][2].notnull().all()


def test_illustrations_refuse(images, networks):
    compared = compared_of(networks, (0, 1))
    for change, message in (
        ({"eps_reference": 0.0}, "eps_reference"),
        ({"transfer_attack": {"norm": "l2"}}, "untargeted, linf"),
    ):
        with pytest.raises(InputError, match=message):
            illustrate.run(compared, images, **({"transfer_attack": {}, "eps_reference": 0.1, **RUNNING} | change))


# --- the collected study --------------------


def test_transfer_and_resolutions_join_the_study_under_their_own_names(found, scaled, shown, tmp_path):
    attacked = xr.Dataset(
        {
            "error": io.variable(("seed", "attack", "eps", "clip"), np.zeros((2, 1, 2, 1)), "error"),
            "gradient_l1": io.variable(("seed", "where"), np.zeros((2, 3)), "gradient"),
            "clean_error": io.variable(("seed",), np.zeros(2), "error"),
        },
        coords={
            "seed": io.variable(("seed",), [0, 1], "seed"), "eps": io.variable(("eps",), [0.0, 0.4], "eps"),
            "model": "m", "training": "standard", "eps_train": 0.0, "n_train": 10,
        },
    )  # fmt: skip
    study = collect.run(attacked, found[2], scaled)
    assert study["transfer_error"].dims == ("source", "target", "transfer_seed", "transfer_eps")
    assert study["half_eps"].dims == ("scaled_model", "resolution", "scaled_seed")
    assert study["eps"].values.tolist() == [0.0, 0.4]
    assert study["gradient_l1"].dims == ("model", "training", "eps_train", "n_train", "seed", "where")
    np.testing.assert_array_equal(study["transfer_error"], found[2]["transfer_error"])
    assert "next seed" in study.attrs["judged_by"]
    for name, dataset in (("a", study), ("b", found[2]), ("c", found[1][0]), ("d", scaled), ("e", shown)):
        io.write(dataset.copy(deep=True), tmp_path / f"{name}.nc", {}, [scale.__file__])
        io.read(tmp_path / f"{name}.nc")
    nothing = xr.Dataset(attrs={"not_measured": "images of shape 4 x 3 x 3"})
    assert "half_eps" not in collect.run(attacked, None, nothing)
    assert "4 x 3 x 3" in collect.run(attacked, None, nothing).attrs["not_measured"]
    assert collect.pictures(shown) is shown
    assert not collect.pictures(None).data_vars
