"""What the study robustness measures on trained networks: known limits, exact linear models, nothing depends on company."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from advdyn import io, linear
from advdyn.collect import combine
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.robustness import collect, evaluation, measures

SIDE, CLASSES = 6, 3
ATTACKS = {
    "fgsm": {},
    "pgd": {"initialisation": "uniform", "steps": 8, "step": 0.3},
    "targeted": {"objective": "logit", "steps": 4, "step": 0.3},
    "predicted": {"label": "predicted"},
    "noise": {"initialisation": "sign", "steps": 0},
    "fgm-l2": {"norm": "l2"},
    "pgd-l2": {"norm": "l2", "initialisation": "uniform", "steps": 4, "step": 0.3},
}
LINF, L2 = [0.0, 0.02, 0.1, 0.3], [0.0, 0.1, 0.5]
SETTINGS = {
    "attacks": ATTACKS, "eps_linf": LINF, "eps_l2": L2, "clip": [False, True], "n_test": 0, "iterated_seeds": 1,
    "linearity_images": 40, "minimum_images": 25, "fooling_starts": 2, "root": 0, "device": "cpu", "dtype": "float32",
}  # fmt: skip


def draw_images(classes=CLASSES, n=120, seed=0, noise=0.25):
    """Blurred classes in [0,1]^36, the three splits alike."""
    rng = np.random.default_rng(seed)
    centre = rng.random((classes, SIDE**2))
    parts = []
    for size in (2 * n, n, n):
        y = np.arange(size) % classes
        x = np.clip(0.5 + 0.5 * (centre[y] - 0.5) + noise * rng.normal(size=(size, SIDE**2)), 0, 1)
        parts += [x.astype(np.float32), y.astype(np.int64)]
    return Images(*parts, (SIDE, SIDE))


def fitted(network, images, steps=80):
    x, y = torch.tensor(images.x_train), torch.tensor(images.y_train)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x.to(next(network.parameters()).dtype)), y).backward()
        optimiser.step()
    return network.eval()


def softmax(seed=0, classes=CLASSES):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(SIDE**2, classes))


def deep(seed=0, width=24):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(SIDE**2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CLASSES)
    )


def record(seeds=(0,), eps=None, diverged=None, n_train=200):
    """What training writes down of its runs, as far as evaluation reads it."""
    dims, shape = (("seed",), (len(seeds),)) if eps is None else (("eps_train", "seed"), (len(eps), len(seeds)))
    flags = np.zeros(shape, np.int8) if diverged is None else np.array(diverged, np.int8).reshape(shape)
    coords = {"seed": io.variable(("seed",), list(seeds), "seed"), "epoch": io.variable(("epoch",), [1, 2], "epoch")}
    if eps is not None:
        coords["eps_train"] = io.variable(("eps_train",), list(eps), "training attack")
    return xr.Dataset({"diverged": (dims, flags), "n_train": n_train}, coords=coords)


def evaluated(trained, networks, images, **changes):
    return evaluation.run(
        trained, networks, images, **(SETTINGS | {"seeds": trained["seed"].values.tolist()} | changes)
    )


@pytest.fixture(scope="module")
def images():
    return draw_images()


@pytest.fixture(scope="module")
def networks(images):
    return [fitted(softmax(0), images), fitted(softmax(1), images), fitted(deep(0), images), fitted(deep(1), images)]


@pytest.fixture(scope="module")
def found(images, networks):
    """Lane 0.0: two linear models; lane 0.1: two deep ones."""
    return evaluated(record((0, 1), (0.0, 0.1)), networks, images)


# --- the file --------------------


def test_dims_and_dtypes(found):
    lanes = ("eps_train", "seed")
    for name in ("error", "confidence", "target_rate"):
        assert found[name].dims == (*lanes, "attack", "eps", "clip")
    assert found["bound"].dims == (*lanes, "norm", "eps", "clip")
    assert found["gradient_l1"].dims == (*lanes, "where")
    assert found["minimum_eps"].dims == (*lanes, "norm", "quantile")
    assert found["linearity"].dims == (*lanes, "eps")
    assert found["clean_error"].dims == lanes
    assert found["masking"].dtype == np.int8
    assert all(found[name].dtype == np.float32 for name in found.data_vars if name != "masking")
    assert found["eps"].values.tolist() == sorted({*LINF, *L2})
    assert found["attack"].values.tolist() == list(ATTACKS)
    assert found["attack_steps"].values.tolist() == [1, 8, 4, 1, 0, 1, 4]
    assert found["attack_norm"].values.tolist() == ["linf"] * 5 + ["l2"] * 2
    assert found["norm"].values.tolist() == ["linf", "l2"]
    assert int(found["n_test"]) == 120
    assert found["image_shape"].values.tolist() == [SIDE, SIDE]
    assert "epoch" not in found.coords


def test_a_file_without_lanes_has_none(images, networks):
    alone = evaluated(record((1,)), networks[:1], images, attacks={"fgsm": {}})
    assert alone["error"].dims == ("seed", "attack", "eps", "clip")


def test_nan_exactly_where_nothing_is_measured(found):
    error = found["error"]
    for name, attack in ATTACKS.items():
        sizes = L2 if attack.get("norm") == "l2" else LINF
        there = np.isin(found["eps"].values, sizes)
        for seed in (0, 1):
            made = seed == 0 or attack.get("steps", 1) <= 1
            shown = error.sel(attack=name, seed=seed).notnull().transpose("eps", ...).values
            assert (shown == (there & made)[:, None, None]).all(), (name, seed)
    # of the second seed no attack of several steps is made: it has no bound that compares with the first's
    assert found["bound"].sel(seed=1).isnull().all()
    assert found["bound"].sel(seed=0, norm="l2").notnull().transpose("eps", ...).values[:, 0, 0].tolist() == [
        True, False, True, False, True
    ]  # fmt: skip
    assert (found["masking"].sel(seed=1) == evaluation.NOT_MEASURED).all()
    assert found["minimum_eps"].sel(seed=1).isnull().all()
    assert found["target_rate"].notnull().any("eps").sel(seed=0).all(("eps_train", "clip")).values.tolist() == [
        name == "targeted" for name in ATTACKS
    ]


def test_it_can_be_written(found, tmp_path):
    io.write(found.copy(deep=True), tmp_path / "a.nc", {}, [linear.__file__])
    again = io.read(tmp_path / "a.nc")
    assert float(again["error"].sel(attack="fgsm", clip=True, eps=0.1).isel(eps_train=0, seed=0)) >= 0


# --- linear models, exactly --------------------


def test_the_error_of_a_linear_model_is_the_closed_form():
    images = draw_images(classes=2, noise=0.4)
    network = fitted(softmax(classes=2).double(), images, steps=40)
    attacks = {name: settings for name, settings in ATTACKS.items() if name not in ("noise", "predicted")}
    attacks["pgd-l2"] = ATTACKS["pgd-l2"] | {"step": 3.0, "steps": 12}  # forgets its random start
    one = evaluated(
        record(), [network], images, attacks=attacks, clip=[False], dtype="float64", minimum_images=120
    ).isel(seed=0, clip=0)  # fmt: skip
    layer = network[0]
    w = (layer.weight[1] - layer.weight[0]).detach().numpy()
    b = (layer.bias[1] - layer.bias[0]).item()
    tau = 2.0 * images.y_test - 1
    margins = tau * (images.x_test @ w + b)
    for norm, sizes, dual in (("linf", LINF, np.abs(w).sum()), ("l2", L2, np.sqrt((w**2).sum()))):
        exact = linear.error_curve(margins, dual, sizes)
        assert 0 < exact[0] < exact[-1]
        for name in one["attack"].values[one["attack_norm"].values == norm]:
            np.testing.assert_allclose(one["error"].sel(attack=name, eps=sizes), exact, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(one["bound"].sel(norm=norm, eps=sizes), exact, atol=1e-7)
        # and the smallest eps of each image is its distance
        distance = np.sort(linear.smallest_eps(margins, dual))
        exact = [distance[math.ceil(q * 120) - 1] for q in evaluation.QUANTILES]
        expected = np.where(np.array(exact) <= max(sizes), exact, np.inf)
        np.testing.assert_allclose(one["minimum_eps"].sel(norm=norm), expected, atol=max(sizes) * 2e-4)


def test_linear_models_are_linear_and_deep_ones_are_not(found):
    linearity = found["linearity"].sel(eps=LINF[1:])
    np.testing.assert_allclose(linearity.sel(eps_train=0.0), 1, atol=1e-5)
    assert (np.abs(linearity.sel(eps_train=0.1, eps=0.3) - 1) > 1e-3).all()
    assert (found["linear_range"].sel(eps_train=0.0) == np.float32(0.3)).all()
    assert found["linearity"].sel(eps=0.0).isnull().all()
    shift = found["margin_shift"].sel(eps_train=0.0, eps=LINF)
    np.testing.assert_allclose(shift / shift.sel(eps=0.1), np.broadcast_to(np.array(LINF) / 0.1, (2, 4)), atol=1e-3)


def test_the_linear_range_ends_at_the_first_departure():
    """A unit that switches on at the fourth part of the way doubles the fall from there."""
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).eval()
    with torch.no_grad():
        network[0].weight[:] = torch.tensor([[1.0], [-1.0]])
        network[0].bias[:] = torch.tensor([0.0, 0.45])  # the second is on below x = .45
        network[2].weight[:] = torch.tensor([[4.0, 0.0], [0.0, 40.0]])
        network[2].bias[:] = 0.0
    x = np.full((4, 1), 0.5, np.float32)
    y = np.zeros(4, np.int64)
    images = Images(x, y, x, y, x, y, (1, 1))
    eps = [0.02, 0.04, 0.1, 0.2]
    one = evaluated(record(n_train=4), [network], images, attacks={"fgsm": {}}, eps_linf=eps).isel(seed=0)
    expected = [1, 1, 1 + (0.05 * 40) / (0.1 * 4), 1 + (0.15 * 40) / (0.2 * 4)]
    np.testing.assert_allclose(one["linearity"].sel(eps=eps), expected, rtol=1e-4)
    assert float(one["linear_range"]) == pytest.approx(0.04)


def test_gradient_norms_of_a_linear_model(images, networks, found):
    layer = networks[0][0]
    x = torch.tensor(images.x_test)
    z = networks[0](x).detach()
    y = torch.tensor(images.y_test)
    k = measures.rival(z, y)
    w = (layer.weight[y] - layer.weight[k]).detach()
    at = found.isel(eps_train=0, seed=0).sel(where="test")
    assert float(at["gradient_l1"]) == pytest.approx(float(w.abs().sum(1).mean()), rel=1e-5)
    assert float(at["gradient_l2"]) == pytest.approx(float(w.norm(dim=1).mean()), rel=1e-5)
    # with two classes it is the same everywhere
    two = draw_images(classes=2)
    one = evaluated(record(), [fitted(softmax(classes=2), two)], two, attacks={"fgsm": {}}).isel(seed=0)
    np.testing.assert_allclose(one["gradient_l1"], one["gradient_l1"][0], rtol=1e-5)


# --- what the numbers mean --------------------


def test_the_bound_is_a_running_maximum_above_every_curve_of_its_norm(found):
    first = found.isel(seed=0)
    for norm, sizes in (("linf", LINF), ("l2", L2)):
        bound = first["bound"].sel(norm=norm, eps=sizes)
        assert (bound.diff("eps") >= 0).all()
        curves = first["error"].sel(eps=sizes).isel(attack=np.flatnonzero(found["attack_norm"].values == norm))
        assert (curves.max("attack") <= bound + 1e-6).all()
        np.testing.assert_allclose(bound.sel(eps=0.0), np.broadcast_to(first["clean_error"].values[:, None], (2, 2)))


def test_an_image_that_is_wrong_without_attack_stays_in_the_bound(images, networks):
    """FGSM with the predicted label mends images; the bound counts them, also where eps = 0 is not in the list."""
    only = {"predicted": {"label": "predicted"}}
    worse = dataclasses.replace(images, y_test=np.roll(images.y_test, 1))
    one = evaluated(record(), networks[:1], worse, attacks=only, eps_linf=[0.3]).isel(seed=0)
    error = one["error"].sel(attack="predicted", eps=0.3)
    assert (error < one["clean_error"]).all()
    assert (one["bound"].sel(norm="linf", eps=0.3) >= one["clean_error"]).all()


def test_confidence_of_the_mistakes(images, networks, found):
    x, y = torch.tensor(images.x_test), torch.tensor(images.y_test)
    network = networks[2]
    x.requires_grad_(True)
    (g,) = torch.autograd.grad(nn.functional.cross_entropy(network(x), y, reduction="sum"), x)
    p = torch.softmax(network(x + 0.1 * g.sign()).detach(), 1).max(1)
    wrong = p.indices != y
    at = found.isel(eps_train=1, seed=0).sel(attack="fgsm", eps=0.1, clip=False)
    assert float(at["error"]) == pytest.approx(float(wrong.float().mean()), abs=1e-6)
    assert float(at["confidence"]) == pytest.approx(float(p.values[wrong].mean()), rel=1e-4)


def test_no_mistakes_have_no_confidence():
    easy = draw_images(noise=0.02)
    one = evaluated(record(), [fitted(softmax(), easy, steps=200)], easy, attacks={"fgsm": {}}).isel(seed=0)
    none = one["error"].sel(attack="fgsm", eps=0.0) == 0
    assert none.all()
    assert one["confidence"].sel(attack="fgsm", eps=0.0).isnull().all()


def test_clipping_weakens_and_targets_are_reached(found):
    fgsm = found["error"].sel(attack="fgsm", eps_train=0.0)
    assert (fgsm.sel(clip=True) <= fgsm.sel(clip=False) + 1e-6).where(fgsm.sel(clip=True).notnull(), True).all()
    rate = found["target_rate"].sel(attack="targeted", seed=0, eps_train=0.0, clip=False)
    assert float(rate.sel(eps=0.3)) > 0.95
    assert float(rate.sel(eps=0.0)) < 0.2


def test_fooling_images(images):
    sure, dead = fitted(softmax(), images, steps=400), softmax()
    with torch.no_grad():
        sure[0].weight *= 5
        for p in dead.parameters():
            p.zero_()
    both = evaluated(record((0, 1)), [sure, dead.eval()], images, attacks={"fgsm": {}})
    assert both["fooling_share"].values.tolist() == [1, 0]
    assert float(both["fooling_confidence"][0]) >= 0.996
    assert float(both["fooling_confidence"][1]) == pytest.approx(1 / CLASSES)
    assert 0 < float(both["fooling_steps"][0]) < 200
    assert np.isnan(both["fooling_steps"][1])
    # a dead network has no direction to be linear in
    assert both["linearity"].isel(seed=1).isnull().all()
    assert both["linear_range"].isel(seed=1).isnull().all()


class Masked(nn.Module):
    """Linear on a coarse scale; at the images, which lie on a lattice, the gradient has the wrong sign."""

    LATTICE = 0.05

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        k = 2 * math.pi / self.LATTICE
        return self.network(x - 2 * torch.sin(k * x) / k)


def test_masked_gradients_are_flagged_and_linear_models_are_not(images, found):
    def lattice(x):
        return (np.round(x / Masked.LATTICE) * Masked.LATTICE).astype(np.float32)

    on = dataclasses.replace(images, x_train=lattice(images.x_train), x_test=lattice(images.x_test))
    network = fitted(softmax(), on, steps=300)
    pair = evaluated(record((0, 1)), [Masked(network).eval(), network], on, iterated_seeds=2)
    assert (pair["clean_error"] < 0.1).all()
    planted, plain = pair["masking"].sel(seed=0), pair["masking"].sel(seed=1)
    assert (planted & 1).all()
    assert (plain == 0).all()
    assert (found["masking"].sel(eps_train=0.0, seed=0) == 0).all()
    assert (pair["masking_gap"].sel(seed=0) > 0.1).all()


# --- nothing depends on what else there is --------------------


def test_a_diverged_run_is_nan_and_nothing_else(images, networks, found):
    broken = copy.deepcopy(networks[3])
    with torch.no_grad():
        broken[0].weight[0] = -torch.inf  # which ReLU makes a finite 0 of
    overflowing = copy.deepcopy(networks[1])
    with torch.no_grad():
        overflowing[0].weight.fill_(3e38)
    trained = record((0, 1), (0.0, 0.1, 0.2), diverged=[0, 0, 1, 0, 0, 0])
    some = evaluated(trained, [networks[0], broken, networks[2], networks[1], overflowing, networks[3]], images)
    for lane, seed in ((0, 1), (1, 0), (2, 0)):
        at = some.isel(eps_train=lane, seed=seed)
        assert all(at[name].isnull().all() for name in at.data_vars if name != "masking")
        assert (at["masking"] == evaluation.NOT_MEASURED).all()
    xr.testing.assert_identical(
        some.isel(eps_train=0, seed=0).drop_vars("eps_train"), found.isel(eps_train=0, seed=0).drop_vars("eps_train")
    )


def test_a_run_does_not_depend_on_its_company(images, networks, found):
    alone = evaluated(record((0,)), networks[2:3], images).isel(seed=0)
    company = found.isel(eps_train=1, seed=0)
    for name in alone.data_vars:
        np.testing.assert_array_equal(alone[name].values, company[name].values, err_msg=name)


def test_another_attack_changes_no_other_number(images, networks, found):
    more = {"new": {"initialisation": "uniform"}, **ATTACKS, "last": {"initialisation": "uniform", "steps": 2}}
    other = evaluated(record((0, 1), (0.0, 0.1)), networks, images, attacks=more)
    for name in found.data_vars:
        same = other[name].sel(attack=list(ATTACKS)) if "attack" in other[name].dims else other[name]
        if name != "bound":  # of all attacks
            np.testing.assert_array_equal(same.values, found[name].values, err_msg=name)
    assert (other["bound"] >= found["bound"]).where(found["bound"].notnull() & other["bound"].notnull(), True).all()


def test_another_eps_changes_no_other_number(images, networks, found):
    other = evaluated(
        record((0, 1), (0.0, 0.1)), networks, images, eps_linf=[0.0, 0.02, 0.07, 0.1, 0.3], eps_l2=[0.0, 0.1, 0.2, 0.5]
    )
    for name in found.data_vars:
        same = other[name].sel(eps=found["eps"]) if "eps" in other[name].dims else other[name]
        if not name.startswith(("bound", "masking", "linear_range")):  # which speak of the whole list
            # the sweep goes from size to size: a sum of differences, equal to rounding
            np.testing.assert_allclose(same.values, found[name].values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_evaluation_leaves_networks_and_chance_alone(images):
    networks = [fitted(deep(5), images, steps=3), Masked(softmax(5)).eval()]
    before = [copy.deepcopy(n.state_dict()) for n in networks]
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    evaluated(record((0, 1)), networks, images)
    assert torch.equal(torch.random.get_rng_state(), state)
    for network, weights in zip(networks, before, strict=True):
        assert all(torch.equal(weights[k], v) for k, v in network.state_dict().items())
        assert not any(m.training for m in network.modules())
        assert all(p.requires_grad for p in network.parameters())
    assert all(p.grad is None for p in networks[1].parameters())


def test_seeds_have_their_own_noise_and_lanes_share_it(images, networks):
    noise = {"noise": ATTACKS["noise"]}
    two = evaluated(record((0, 1), (0.0, 0.1)), [networks[2]] * 4, images, attacks=noise)
    confidence = two["confidence"].sel(eps=0.3, attack="noise", clip=False)
    assert (confidence.isel(eps_train=0) == confidence.isel(eps_train=1)).all()
    assert float(confidence.isel(eps_train=0, seed=0)) != float(confidence.isel(eps_train=0, seed=1))


def test_n_test_takes_the_first(images, networks):
    some = evaluated(record(), networks[:1], images, n_test=50, attacks={"fgsm": {}})
    cut = dataclasses.replace(images, x_test=images.x_test[:50], y_test=images.y_test[:50])
    xr.testing.assert_identical(some, evaluated(record(), networks[:1], cut, attacks={"fgsm": {}}))
    assert int(some["n_test"]) == 50


def test_what_is_switched_off_is_nan(images, networks):
    off = evaluated(record(), networks[:1], images, linearity_images=0, minimum_images=0, fooling_starts=0, eps_l2=[])
    for name in ("linearity", "margin_shift", "linear_range", "minimum_eps", "fooling_share", "fooling_confidence"):
        assert off[name].isnull().all(), name
    assert off["error"].sel(attack="pgd-l2").isnull().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_test": 121}, "n_test: found 121, allowed: 0"),
        ({"seeds": [3]}, "networks for seeds"),
        ({"clip": [True, True]}, "clip: found"),
        ({"clip": []}, "clip: found"),
        ({"eps_linf": [0.0, -0.1]}, "eps_linf: found"),
        ({"eps_l2": [0.1, 0.1]}, "eps_l2: found"),
        ({"attacks": {"fgsm": {"norm": "l3"}}}, "fgsm.norm"),
    ],
)
def test_refusals(images, networks, change, message):
    with pytest.raises(InputError, match=message):
        evaluated(record(), networks[:1], images, **change)


def test_images_of_another_size_are_refused(networks):
    x = np.zeros((9, 4), np.float32)
    y = np.arange(9) % 3
    with pytest.raises(InputError, match="4 pixels"):
        evaluated(record(n_train=9), networks[:1], Images(x, y, x, y, x, y, (2, 2)))


# --- measures --------------------


def test_streams_depend_on_what_they_are_named_by():
    def first(*key):
        return int(torch.randint(2**60, (1,), generator=measures.generator(*key)))

    base = (0, 1, "attack", "pgd")
    others = [(1, 1, "attack", "pgd"), (0, 2, "attack", "pgd"), (0, 1, "evaluation", "pgd"), (0, 1, "attack", "bim")]
    assert first(*base) == first(*base)
    assert len({first(*key) for key in [base, *others]}) == 5


def test_quantiles_count():
    assert measures.quantiles(np.array([3.0, np.inf, 1.0, 2.0]), (0.25, 0.5, 0.51, 1.0)).tolist() == [1, 2, 3, np.inf]
    assert np.isnan(measures.quantiles(np.array([]), (0.5,))).all()


def test_ray_crossing_is_the_first_change_of_class():
    z = torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    slope = torch.tensor([[0.0, 4.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.5]])
    assert measures.ray_crossing(z, slope, torch.zeros(3, dtype=torch.int64)).tolist() == [0.5, 0.0, math.inf]


def test_the_rival_of_a_margin_is_held_along_the_ray():
    """A third class that overtakes on the way changes no slope."""
    layer = nn.Linear(1, 3)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[0.0], [0.1], [1.0]])
        layer.bias[:] = torch.tensor([1.0, 0.5, 0.4])
    one = measures.classifier_of(nn.Sequential(layer).eval(), torch.zeros(1, 1))
    fall, norm = measures.margin_fall(one, torch.zeros(1, 1), torch.tensor([0]), [0.0, 0.1, 0.4])
    np.testing.assert_allclose(fall[:, 0], [0, 0.01, 0.04], atol=1e-7)
    np.testing.assert_allclose(norm, 0.1)


def test_cosine_of_a_zero_gradient():
    a = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1e-30, 1e-30]])
    assert measures.cosine(a, a) == pytest.approx(2 / 3)
    assert measures.cosine(a[:1], -a[:1]) == -1


# --- the collected study --------------------


def sparse(found, tmp_path):
    """Files as a study has them: standard training without an attack size, one method with two, seeds in two blocks."""
    bare = found.isel(eps_train=0).drop_vars("eps_train")
    cells = [
        ({"model": "softmax", "training": "standard", "n_train": 100}, 0.0, bare.isel(seed=[0])),
        ({"model": "softmax", "training": "standard", "n_train": 100}, 0.0, bare.isel(seed=[1])),
        ({"model": "mlp-24", "training": "fgsm", "n_train": 200}, 0.1, found.isel(eps_train=1).drop_vars("eps_train")),
        ({"model": "mlp-24", "training": "fgsm", "n_train": 200}, 0.2, found.isel(eps_train=1).drop_vars("eps_train")),
    ]
    parts = []
    for k, (cell, eps, part) in enumerate(cells):
        io.write(part.copy(deep=True), tmp_path / f"{k}.nc", {"root": 0}, [linear.__file__])
        parts.append(({**cell, "eps_train": eps}, io.read(tmp_path / f"{k}.nc")))
    return parts


def test_the_collected_study_has_every_dim(found, tmp_path):
    study = collect.run(combine(sparse(found, tmp_path), {"eps_train": ["pixel range", "size"]}), None, None)
    assert study["error"].dims == ("model", "training", "eps_train", "n_train", "seed", "attack", "eps", "clip")
    assert study["bound"].dims == ("model", "training", "eps_train", "n_train", "seed", "norm", "eps", "clip")
    at = study.sel(model="mlp-24", training="fgsm", eps_train=0.2, n_train=200)
    np.testing.assert_array_equal(at["error"].values, found["error"].isel(eps_train=1).values)
    np.testing.assert_array_equal(
        study["clean_error"].sel(model="softmax", training="standard", eps_train=0, n_train=100).values,
        found["clean_error"].isel(eps_train=0).values,
    )
    assert study["error"].sel(model="softmax", training="fgsm").isnull().all()
    assert study.attrs["title"]
    for variable in study.variables.values():
        assert {"units", "long_name", "references"} <= set(variable.attrs)
    io.write(study, tmp_path / "study.nc", {}, [linear.__file__])


def test_parameters_that_were_not_swept_become_dims_too(found):
    one = found.isel(eps_train=0)
    fixed = one.assign_coords(model="softmax", training="standard", n_train=100)
    assert collect.run(fixed, None, None)["error"].dims[:5] == ("model", "training", "eps_train", "n_train", "seed")
    # a size that goes with the method: each value has its own place
    pair = xr.concat(
        [one.drop_vars("eps_train"), found.isel(eps_train=1).drop_vars("eps_train")], "training",
        data_vars="all", coords="different", compat="equals", join="outer",
    )  # fmt: skip
    pair = pair.assign_coords(training=["standard", "fgsm"], eps_train=("training", [0.0, 0.1]), model="m", n_train=100)
    study = collect.run(pair, None, None)
    assert study["eps_train"].values.tolist() == [0.0, 0.1]
    got = study["clean_error"].sel(model="m", training="fgsm", n_train=100)
    np.testing.assert_array_equal(got.sel(eps_train=0.1).values, found["clean_error"].isel(eps_train=1).values)
    assert got.sel(eps_train=0.0).isnull().all()
    with pytest.raises(InputError, match="model"):
        collect.run(one, None, None)
