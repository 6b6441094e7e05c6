"""Attacks: the closed forms of linear models, what an attack may not do, and what sharing work may not change."""

import dataclasses
import itertools
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from advdyn.attacks import classifier, engine, fooling, geometry, kernels, lines, masking, minimum
from advdyn.attacks.attack import BIM, FGSM, PGD, Attack
from advdyn.attacks.objective import Objective
from advdyn.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
BOX = (0.0, 1.0)
PIXELS, CLASSES = 20, 4
L2 = Attack(norm="l2")
UNTARGETED = {
    "fgsm": FGSM,
    "bim": BIM,
    "pgd": Attack(initialisation="uniform", steps=30, step=0.1),
    "pgd from corners": Attack(initialisation="sign", steps=30, step=0.1, restarts=2),
    "pgd in pixels": Attack(initialisation="uniform", steps=40, step=0.02, step_unit="pixel"),
    "margin": Attack("margin"),
    "predicted": Attack(label="predicted", steps=3),
    "l2": L2,
    "l2 pgd": Attack(norm="l2", initialisation="uniform", steps=40, step=1.0),
    "l2 pgd from the sphere": Attack("margin", norm="l2", initialisation="sign", steps=40, step=1.0, restarts=2),
}
TARGETED = {
    "logit": Attack("logit"),
    "output": Attack("output"),
    "iterated": Attack("logit", initialisation="uniform", steps=30, step=0.1),
    "l2": Attack("logit", norm="l2"),
}
NOISE = {
    "uniform": Attack(initialisation="uniform", steps=0),
    "signs": Attack(initialisation="sign", steps=0, restarts=3),
    "l2": Attack(norm="l2", initialisation="sign", steps=0),
}
EVERY = {
    **UNTARGETED,
    **{f"targeted {k}": a for k, a in TARGETED.items()},
    **{f"noise {k}": a for k, a in NOISE.items()},
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(*widths, dtype=torch.float64, scale=1.0, seed=0):
    """Linear layers with ReLU between them, with random weights."""
    g, layers = seeded(seed), []
    for fan, out in itertools.pairwise(widths):
        layer = nn.Linear(fan, out, dtype=dtype)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(out, fan, generator=g, dtype=torch.float64) * scale / math.sqrt(fan))
            layer.bias.copy_(torch.randn(out, generator=g, dtype=torch.float64) * 0.1)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def images(n=60, pixels=PIXELS, dtype=torch.float64, seed=1):
    """Grey images with some pixels black and some white."""
    x = torch.rand(n, pixels, generator=seeded(seed), dtype=torch.float64)
    return x.mul_(1.6).sub_(0.3).clamp_(0, 1).to(dtype)


def case(*widths, n=60, dtype=torch.float64, scale=3.0, wrong=True):
    """A classifier, images, and labels of which some differ from its predictions."""
    module = network(*(widths or (PIXELS, 16, CLASSES)), dtype=dtype, scale=scale)
    x = images(n, dtype=dtype)
    y = module(x).argmax(1)
    if wrong:
        y[::7] = (y[::7] + 1) % CLASSES
    return classifier.of(module, PIXELS), x, y


class Wrapped(nn.Module):
    """The same function as its part, which is not recognised as a chain of layers."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return self.part(x)


def dual(w, norm):
    return w.abs().sum(-1) if norm == "linf" else w.norm(dim=-1)


@pytest.fixture
def binary():
    """w.x + b in [0,1]^20, as logits (0, w.x + b), with labels that are all right."""
    g = seeded(3)
    w, b = torch.randn(PIXELS, generator=g, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    layer = nn.Linear(PIXELS, 2, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([torch.zeros_like(w), w]))
        layer.bias.copy_(torch.stack([torch.zeros_like(b), b]))
    x = images()
    y = (x @ w + b > 0).long()
    return classifier.of(layer.eval(), PIXELS), x, y, w, b


# ---- linear models: the closed forms


@pytest.mark.parametrize("name", [*UNTARGETED, *(f"targeted {name}" for name in TARGETED)])
def test_every_attack_reaches_the_worst_case_of_a_binary_linear_model(binary, name):
    model, x, y, w, b = binary
    attack = EVERY[name]
    for eps in (0.01, 0.3):
        made = engine.perturb(model, x, y, attack, eps, box=None, target=1 - y, generator=seeded())
        tau = 2 * y - 1
        lost = tau * ((x - made) @ w)
        worst = torch.full_like(lost, eps * dual(w, attack.norm))
        if attack.restarts > 1:  # the first that succeeds is kept, and that need be none of the worst
            fell = tau * (made @ w + b) <= 0
            assert torch.equal(fell, tau * (x @ w + b) <= worst)
        else:
            torch.testing.assert_close(lost, worst, rtol=1e-9, atol=0)


@pytest.mark.parametrize("attack", [FGSM, BIM, UNTARGETED["pgd"], Attack("margin"), TARGETED["output"]])
def test_in_the_box_each_pixel_of_a_binary_linear_model_moves_as_far_as_it_can(binary, attack):
    model, x, y, w, _ = binary
    eps = 0.2
    made = engine.perturb(model, x, y, attack, eps, box=BOX, target=1 - y, generator=seeded())
    away = -(2 * y - 1)[:, None] * w.sign()
    room = torch.where(away > 0, 1 - x, x).clamp(max=eps)
    torch.testing.assert_close(made, x + away * room)


@pytest.mark.parametrize("attack", [TARGETED["logit"], TARGETED["iterated"], TARGETED["l2"]])
def test_every_pair_of_classes_of_a_linear_model_meets_its_closed_form(attack):
    module = network(PIXELS, CLASSES)
    model, x, eps = classifier.of(module, PIXELS), images(), 0.15
    w = module[0].weight.detach()
    for y in range(CLASSES):
        for t in set(range(CLASSES)) - {y}:
            label, target = torch.full((len(x),), y), torch.full((len(x),), t)
            made = engine.perturb(model, x, label, attack, eps, box=None, target=target, generator=seeded())
            before, after = model.logits(x), model.logits(made)
            gain = (after[:, t] - after[:, y]) - (before[:, t] - before[:, y])
            torch.testing.assert_close(gain, torch.full_like(gain, eps * dual(w[t] - w[y], attack.norm)))


@pytest.mark.parametrize("attack", [FGSM, L2, UNTARGETED["pgd"]])
def test_smallest_eps_of_a_binary_linear_model_is_margin_over_norm(binary, attack):
    model, x, y, w, b = binary
    y[0] = 1 - y[0]
    margin = (2 * y - 1) * (x @ w + b)
    eps_max, steps = float((margin / dual(w, attack.norm)).quantile(0.8)), 30
    found = minimum.minimum_eps(model, x, y, attack, eps_max, box=None, generator=seeded(), steps=steps)
    exact = (margin / dual(w, attack.norm)).clamp(min=0)
    within = exact <= eps_max
    assert within.any()
    assert not within.all()
    assert found[~within].isinf().all()
    assert found[0] == 0
    resolution = eps_max / minimum.GRID / 2**steps
    assert (found[within] >= exact[within] - 1e-12).all()
    assert (found[within] - exact[within] <= resolution + 1e-12).all()


@pytest.mark.parametrize("name", ["fgsm", "pgd", "l2 pgd"])
def test_smallest_eps_is_one_at_which_the_attack_succeeds(name):
    model, x, y = case()
    target = engine.targets(y, CLASSES, seeded(4))
    for attack in (UNTARGETED[name], dataclasses.replace(UNTARGETED[name], objective="logit")):
        found = minimum.minimum_eps(model, x, y, attack, 1.0, box=BOX, target=target, generator=seeded(), steps=5)
        assert found.isfinite().sum() > 5
        eps = torch.where(found.isfinite(), found, 0)
        made = engine.perturb(model, x, y, attack, eps, box=BOX, target=target, generator=seeded())
        predicted = model.logits(made).argmax(1)
        won = predicted == target if attack.targeted else predicted != y
        assert won[found.isfinite()].all()


def test_fooling_reaches_its_level_on_a_linear_model():
    model = classifier.of(network(PIXELS, CLASSES, scale=20.0), PIXELS)
    starts = torch.rand(3 * CLASSES, PIXELS, generator=seeded(), dtype=torch.float64)
    goal = torch.arange(CLASSES).repeat(3)
    found = fooling.fooling(model, starts, goal)
    p = model.logits(found.image).softmax(1)[torch.arange(len(goal)), goal]
    assert found.reached.all()
    assert (p >= 0.996).all()
    torch.testing.assert_close(p, found.confidence)
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    # as many steps as it took, and not one more
    assert ((found.image - starts).abs().amax(1) <= 0.02 * found.steps.double() + 1e-12).all()
    fewer = fooling.fooling(model, starts, goal, max_steps=int(found.steps.max()) - 1)
    assert torch.equal(fewer.reached, found.steps < found.steps.max())
    done = fooling.fooling(model, found.image, goal)
    assert (done.steps == 0).all()
    assert torch.equal(done.image, found.image)


# ---- what an attack may not do


@given(
    attack=st.builds(
        lambda kind, norm, start, steps, step, unit, restarts, label: Attack(
            kind, norm, start, max(steps, int(start == "image")), step, unit, 1 if start == "image" else restarts, label
        ),
        st.sampled_from(["loss", "margin", "output", "logit"]), st.sampled_from(["linf", "l2"]),
        st.sampled_from(["image", "uniform", "sign"]), st.integers(0, 3), st.floats(0.01, 3),
        st.sampled_from(["eps", "pixel"]), st.integers(1, 3), st.sampled_from(["true", "predicted"]),
    ),
    eps=st.floats(0, 1.5),
    boxed=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 100),
)  # fmt: skip
@settings(max_examples=120)
def test_examples_stay_in_the_ball_and_in_the_box(attack, eps, boxed, dtype, seed):
    model, _, y = case(dtype=dtype, n=12)
    x = images(12, dtype=dtype, seed=seed)
    target = engine.targets(y, CLASSES, seeded(seed))
    made = engine.perturb(
        model, x, y, attack, eps, box=BOX if boxed else None, target=target, generator=seeded(seed), batch=5
    )
    assert made.dtype == dtype
    assert made.isfinite().all()
    delta = (made - x).double()
    size = delta.abs().amax(1) if attack.norm == "linf" else delta.norm(dim=1)
    assert (size <= eps + 4 * torch.finfo(dtype).eps * (1 + eps)).all()
    if boxed:
        assert made.min() >= 0
        assert made.max() <= 1


@pytest.mark.parametrize("attack", [FGSM, Attack(initialisation="uniform", steps=5, step=0.4)])
def test_float32_examples_obey_the_bounds_x_minus_eps_and_x_plus_eps_exactly(attack):
    model, x, y = case(dtype=torch.float32)
    made = engine.perturb(model, x, y, attack, 0.1, box=BOX, generator=seeded())
    assert ((made >= (x - 0.1).clamp(min=0)) & (made <= (x + 0.1).clamp(max=1))).all()


def test_a_network_that_is_attacked_stays_as_it_was():
    class Noisy(nn.Module):  # draws random numbers even in evaluation mode
        def __init__(self):
            super().__init__()
            self.part = nn.Sequential(nn.Linear(PIXELS, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, CLASSES))

        def forward(self, x):
            return self.part(x + 1e-3 * torch.randn_like(x))

    for module in (Noisy().eval(), network(PIXELS, 16, CLASSES, dtype=torch.float32)):
        first = next(module.parameters())
        first.grad = torch.ones_like(first)
        next(reversed(list(module.parameters()))).requires_grad_(False)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        flags = [p.requires_grad for p in module.parameters()]
        state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        x = images(dtype=torch.float32)
        y = torch.zeros(len(x), dtype=torch.int64)
        model = classifier.of(module, PIXELS)
        for attack in EVERY.values():
            target = engine.targets(y, CLASSES, seeded())
            made = engine.perturb(model, x, y, attack, 0.1, box=BOX, target=target, generator=seeded())
            engine.sweep(model, x, y, attack, [0.1, 0.2], box=None, target=target, generator=seeded())
            assert not made.requires_grad
        minimum.minimum_eps(model, x, y, FGSM, 0.5, box=BOX)
        fooling.fooling(model, x, y, max_steps=3)
        assert torch.equal(torch.get_rng_state(), state)
        assert np.array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002
        after = module.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert [p.requires_grad for p in module.parameters()] == flags
        assert torch.equal(first.grad, torch.ones_like(first))
        assert all(p.grad is None for p in module.parameters() if p is not first)
        assert not any(part.training for part in module.modules())


def test_images_and_labels_stay_as_they_were():
    model, x, y = case()
    kept = x.clone(), y.clone()
    for attack in EVERY.values():
        for box in (None, BOX):
            target = engine.targets(y, CLASSES, seeded())
            engine.perturb(model, x, y, attack, 0.1, box=box, target=target, generator=seeded())
            engine.sweep(model, x, y, attack, [0.1] * 5, box=box, target=target, generator=seeded())
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


def test_dense_keeps_the_weights_it_was_made_with():
    module = network(PIXELS, 16, CLASSES)
    model, x = classifier.of(module, PIXELS), images()
    before = model.logits(x)
    with torch.no_grad():
        module[0].weight.zero_()
    torch.testing.assert_close(model.logits(x), before)


# ---- what must hold between attacks


def test_iterated_attacks_do_more_than_single_steps_in_the_mean():
    model, x, y = case(PIXELS, 64, 64, CLASSES, n=400)
    eps = [0.02, 0.05, 0.1, 0.2]
    for norm in ("linf", "l2"):
        single = engine.sweep(model, x, y, Attack(norm=norm), eps, box=BOX)
        iterated = engine.sweep(model, x, y, Attack(norm=norm, steps=20, step=0.15), eps, box=BOX)
        assert iterated.wrong.double().mean() > single.wrong.double().mean()


@pytest.mark.parametrize(
    "attack", [NOISE["uniform"], Attack(initialisation="uniform", steps=2, step=0.5), TARGETED["iterated"]]
)
def test_restarts_never_lower_the_error(attack):
    model, x, y = case(n=200, wrong=False)
    target = engine.targets(y, CLASSES, seeded(8))
    before, gained = None, 0
    for restarts in (1, 2, 5):
        more = dataclasses.replace(attack, restarts=restarts)
        found = engine.sweep(model, x, y, more, [0.05, 0.1, 0.2], box=BOX, target=target, generator=seeded())
        if before is not None:
            assert (found.wrong >= before.wrong).all()
            assert ((found.predicted == target) >= (before.predicted == target)).all()
            gained += int((found.wrong & ~before.wrong).sum())
        before = found
    assert gained > 0


def test_attacks_on_predicted_labels_do_not_see_the_true_ones():
    model, x, y = case()
    blind = Attack(label="predicted", steps=3, step=0.5)
    one = engine.perturb(model, x, y, blind, 0.1, box=BOX)
    other = engine.perturb(model, x, (y + 1) % CLASSES, blind, 0.1, box=BOX)
    seeing = engine.perturb(model, x, model.logits(x).argmax(1), Attack(steps=3, step=0.5), 0.1, box=BOX)
    assert torch.equal(one, other)
    assert torch.equal(one, seeing)


@pytest.mark.parametrize("kind", ["loss", "margin", "output", "logit"])
def test_cotangents_are_the_derivatives_of_their_objectives(kind):
    _, _, y = case()
    z = torch.randn(len(y), CLASSES, generator=seeded(), dtype=torch.float64).requires_grad_()
    target = engine.targets(y, CLASSES, seeded())
    objective = Objective.of(Attack(kind), y, target, CLASSES, z.dtype)
    (wanted,) = torch.autograd.grad(objective.value(z).sum(), z)
    torch.testing.assert_close(objective.cotangent(z.detach()), wanted)


def test_objectives_are_what_their_names_say():
    z = torch.tensor([[1.0, 3.0, 2.0]])
    p = z.softmax(1)[0].tolist()
    wanted = {"loss": -math.log(p[1]), "margin": -1.0, "output": p[2] - p[1], "logit": -1.0}
    for kind, value in wanted.items():
        objective = Objective.of(Attack(kind), torch.tensor([1]), torch.tensor([2]), 3, z.dtype)
        assert float(objective.value(z)) == pytest.approx(value)


def test_an_l2_step_is_made_where_squares_of_the_gradient_underflow():
    model, x, _ = case(dtype=torch.float32)
    g = model.pullback(x, lambda z: z.softmax(1))[1]
    tiny = geometry.direction(g * 1e-30, "l2")
    torch.testing.assert_close(tiny, g / g.norm(dim=1, keepdim=True), rtol=1e-4, atol=1e-5)
    assert (geometry.direction(torch.zeros(2, PIXELS), "l2") == 0).all()


# ---- sharing work changes nothing


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("relu_last", [False, True])
def test_dense_is_autograd(depth, relu_last):
    module = network(PIXELS, *[16] * (depth - 1), CLASSES)
    if relu_last:  # a chain that does not end in a linear layer is left to autograd
        module = nn.Sequential(*module, nn.ReLU()).eval()
    x, c = images(), torch.randn(60, CLASSES, generator=seeded(), dtype=torch.float64)
    mine, general = classifier.of(module, PIXELS), classifier.of(Wrapped(module).eval(), PIXELS)
    assert isinstance(mine, classifier.Autograd if relu_last else classifier.Dense)
    assert isinstance(general, classifier.Autograd)
    for one, two in zip(mine.pullback(x, lambda z: c * z), general.pullback(x, lambda z: c * z), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mine.logits(x), module(x).detach(), rtol=1e-12, atol=1e-12)
    assert (mine.classes, mine.pixels, mine.dtype) == (CLASSES, PIXELS, torch.float64)


def test_dense_reads_nested_chains_flatten_and_layers_without_relu_or_bias():
    inner = nn.Sequential(nn.Linear(PIXELS, 8, bias=False), nn.Linear(8, 8), nn.ReLU())
    module = nn.Sequential(nn.Flatten(), inner, nn.Flatten(), nn.Linear(8, CLASSES)).eval()
    x = images(dtype=torch.float32)
    model = classifier.of(module, PIXELS)
    general = classifier.of(Wrapped(module).eval(), PIXELS)
    assert isinstance(model, classifier.Dense)
    for one, two in zip(model.pullback(x, torch.ones_like), general.pullback(x, torch.ones_like), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)
    z = lines.logits(model, x, -torch.ones_like(x), [0.1] * 5, BOX)
    torch.testing.assert_close(z[4], model.logits((x - 0.1).clamp(min=0)), rtol=1e-4, atol=1e-5)


def test_what_only_looks_like_a_chain_is_left_to_autograd():
    class Halved(nn.Linear):
        def forward(self, x):
            return super().forward(x) / 2

    hooked = network(PIXELS, 8, CLASSES)
    hooked[0].register_forward_hook(lambda module, given, z: 2 * z)
    parametrised = network(PIXELS, 8, CLASSES)
    nn.utils.parametrizations.weight_norm(parametrised[0])
    plain = network(PIXELS, 8, CLASSES)
    for module in (
        hooked,
        parametrised,
        nn.Sequential(Halved(PIXELS, CLASSES, dtype=torch.float64)),
        nn.Sequential(nn.ReLU(), *plain),
        nn.Sequential(plain[0], nn.Tanh(), plain[2]),
    ):
        model = classifier.of(module.eval(), PIXELS)
        assert isinstance(model, classifier.Autograd)
        torch.testing.assert_close(model.logits(images()), module(images()).detach())


@pytest.mark.parametrize("box", [None, BOX])
@pytest.mark.parametrize("name", EVERY)
def test_a_sweep_is_the_attack_at_each_eps(name, box):
    attack, eps = EVERY[name], [0.2, 0.0, 0.05, 0.1, 0.05, 0.6]
    model, x, y = case()
    general = classifier.of(Wrapped(network(PIXELS, 16, CLASSES, scale=3.0)).eval(), PIXELS)
    target = engine.targets(y, CLASSES, seeded(5))
    for one in (model, general):
        curve = engine.sweep(one, x, y, attack, eps, box=box, target=target, generator=seeded(), batch=25)
        for k, size in enumerate(eps):
            made = engine.perturb(model, x, y, attack, size, box=box, target=target, generator=seeded())
            p = model.logits(made).softmax(1)
            assert torch.equal(curve.predicted[k], p.argmax(1))
            assert torch.equal(curve.wrong[k], p.argmax(1) != y)
            torch.testing.assert_close(curve.confidence[k], p.amax(1), rtol=1e-9, atol=0)
        assert torch.equal(curve.predicted[1], model.logits(x).argmax(1))


@pytest.mark.parametrize("name", EVERY)
def test_an_eps_that_is_added_changes_no_other(name):
    attack, eps = EVERY[name], [0.3, 0.02, 0.1, 0.15, 0.05]
    model, x, y = case(dtype=torch.float32)
    target = engine.targets(y, CLASSES, seeded(5))
    few = engine.sweep(model, x, y, attack, eps[:2], box=BOX, target=target, generator=seeded())
    many = engine.sweep(model, x, y, attack, eps, box=BOX, target=target, generator=seeded())
    assert torch.equal(few.predicted, many.predicted[:2])
    torch.testing.assert_close(few.confidence, many.confidence[:2])


@pytest.mark.parametrize("name", EVERY)
def test_an_image_does_not_depend_on_its_batch(name):
    model, x, y = case()
    target = engine.targets(y, CLASSES, seeded(5))

    def made(batch):
        return engine.perturb(model, x, y, EVERY[name], 0.1, box=BOX, target=target, generator=seeded(), batch=batch)

    def curve(batch):
        return engine.sweep(
            model, x, y, EVERY[name], [0.1, 0.2, 0.3, 0.4], box=BOX, target=target, generator=seeded(), batch=batch
        )

    torch.testing.assert_close(made(7), made(500), rtol=1e-7, atol=1e-9)
    one, two = curve(7), curve(500)
    assert torch.equal(one.predicted, two.predicted)
    torch.testing.assert_close(one.confidence, two.confidence, rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", ["fgsm", "pgd", "pgd from corners", "pgd in pixels", "l2", "l2 pgd"])
def test_each_image_can_have_its_own_eps(name):
    model, x, y = case()
    eps = torch.rand(len(x), generator=seeded(), dtype=torch.float64) * 0.3
    eps[3] = 0
    together = engine.perturb(model, x, y, UNTARGETED[name], eps, box=BOX, generator=seeded(), batch=25)
    for size in (0.0, float(eps[5])):
        alone = engine.perturb(model, x, y, UNTARGETED[name], size, box=BOX, generator=seeded())
        k = 3 if size == 0 else 5
        torch.testing.assert_close(together[k], alone[k])


@pytest.mark.parametrize("widths", [(PIXELS, CLASSES), (PIXELS, 16, CLASSES), (PIXELS, 16, 8, CLASSES)])
@pytest.mark.parametrize("count", [1, 3, 7, 40])
def test_a_line_is_followed_exactly_through_the_bounds_of_the_box(widths, count):
    model, x = classifier.of(network(*widths), PIXELS), images()
    g = seeded(2)
    t = torch.rand(count, generator=g, dtype=torch.float64).mul_(3).tolist()
    if count > 3:
        t[:4] = [0.5, 0.5, 0.0, 1.0]
    signs = torch.randint(-1, 2, x.shape, generator=g).double()
    for u in (signs, torch.randn(x.shape, generator=g, dtype=torch.float64), torch.zeros_like(x)):
        wanted = torch.stack([model.logits((x + length * u).clamp(0, 1)) for length in t])
        torch.testing.assert_close(lines.logits(model, x, u.clone(), t, BOX), wanted)
        wanted = torch.stack([model.logits(x + length * u) for length in t])
        torch.testing.assert_close(lines.logits(model, x, u.clone(), t, None), wanted)


def test_no_images_make_no_examples():
    model, x, y = case()
    for attack in (FGSM, UNTARGETED["pgd"], NOISE["signs"]):
        made = engine.perturb(model, x[:0], y[:0], attack, 0.1, box=BOX, generator=seeded())
        curve = engine.sweep(model, x[:0], y[:0], attack, [0.1] * 5, box=BOX, generator=seeded())
        assert made.shape == (0, PIXELS)
        assert curve.wrong.shape == (5, 0)
    assert minimum.minimum_eps(model, x[:0], y[:0], FGSM, 0.1, box=BOX).shape == (0,)


# ---- kernels


def test_the_fallback_gives_the_same_to_rounding(monkeypatch):
    _, x, y = case(dtype=torch.float32)
    module = network(PIXELS, 16, CLASSES, dtype=torch.float32, scale=3.0)
    best, plain = classifier.of(module, PIXELS), classifier.of(module, PIXELS, kernel="plain")
    fast = best.logits(x), engine.sweep(best, x, y, FGSM, [0.05, 0.2], box=BOX)
    monkeypatch.setattr(kernels, "available", lambda: False)
    for model in (best, plain):
        torch.testing.assert_close(model.logits(x), fast[0], rtol=1e-4, atol=1e-5)
        curve = engine.sweep(model, x, y, FGSM, [0.05, 0.2], box=BOX)
        torch.testing.assert_close(curve.confidence, fast[1].confidence, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [None, torch.linspace(-1, 1, 9)])
def test_the_kernel_is_a_matrix_product(bias, relu):
    x, weight = torch.randn(7, 11, generator=seeded()), torch.randn(9, 11, generator=seeded(1))
    wanted = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    wanted = (wanted.relu() if relu else wanted).float()
    for kernel in ("auto", "plain"):
        torch.testing.assert_close(kernels.linear(x, weight, bias, kernel, relu=relu), wanted, rtol=1e-4, atol=1e-5)
    exact = kernels.linear(x.double(), weight.double(), None)
    torch.testing.assert_close(exact, x.double() @ weight.double().T, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("broken", [AttributeError, RuntimeError, "inexact"])
def test_the_probe_refuses_a_kernel_that_is_missing_or_wrong(monkeypatch, broken):
    def kernel(x, weight, bias, *, relu):
        if broken == "inexact":
            return torch.nn.functional.linear(x, weight, bias) * (1 + 1e-3)
        raise broken

    monkeypatch.setattr(kernels, "_onednn", kernel)
    assert not kernels.available.__wrapped__()


# ---- random starts


def drawn(**how):
    x = torch.zeros(4000, 6, dtype=torch.float64)
    return geometry.start(Attack(steps=0, **how), x, seeded(11)).numpy()


def test_uniform_starts_are_uniform_in_the_ball():
    noise = drawn(initialisation="uniform")
    assert stats.kstest(noise.ravel(), "uniform", (-1, 2)).pvalue > 1e-3
    noise = drawn(initialisation="uniform", norm="l2")
    radius = np.linalg.norm(noise, axis=1)
    assert stats.kstest(radius**6, "uniform").pvalue > 1e-3
    assert np.abs(noise.mean(0)).max() < 0.05


def test_sign_starts_are_corners_or_on_the_sphere():
    noise = drawn(initialisation="sign")
    assert set(np.unique(noise)) == {-1.0, 1.0}
    assert stats.binomtest(int((noise > 0).sum()), noise.size).pvalue > 1e-3
    assert len(np.unique(noise, axis=0)) == 2**6
    noise = drawn(initialisation="sign", norm="l2")
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), 1)
    # a coordinate c of a point on the sphere in d dimensions: (c + 1)/2 is Beta((d - 1)/2, (d - 1)/2)
    assert stats.kstest((noise.ravel() + 1) / 2, stats.beta(2.5, 2.5).cdf).pvalue > 1e-3


def test_noise_is_the_start_alone():
    model, x, y = case()
    made = engine.perturb(model, x, y, NOISE["signs"], 0.25, box=None, generator=seeded())
    torch.testing.assert_close((made - x).abs(), torch.full_like(x, 0.25))


def test_targets_are_uniform_among_the_other_classes():
    y = torch.arange(3).repeat(3000)
    t = engine.targets(y, 3, seeded())
    assert (t != y).all()
    counts = torch.stack([torch.bincount(t[y == k], minlength=3) for k in range(3)])
    assert (counts.diagonal() == 0).all()
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-3


# ---- masked gradients


def compared(module, x, y):
    model, eps = classifier.of(module, PIXELS), [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6]
    single = engine.sweep(model, x, y, FGSM, eps, box=None).wrong
    iterated = engine.sweep(model, x, y, Attack(steps=30, step=0.1), eps, box=None).wrong
    return masking.masking(eps, single.numpy(), iterated.numpy())


def test_a_planted_masked_model_is_flagged_and_a_linear_one_is_not(binary):
    _, _, _, w, _ = binary
    w = w / w.abs().sum()  # so that a step of eps moves s = w.x by eps
    x = images(400)
    s = 1.25 + 0.02 * torch.randn(len(x), generator=seeded(), dtype=torch.float64)
    x = x + ((s - x @ w) / (w @ w))[:, None] * w
    y = torch.ones(len(x), dtype=torch.int64)
    # z = (0.15, |s - 1|): wrong in the slab 0.85 < s < 1.15, which a long step jumps over
    slab = nn.Sequential(nn.Linear(PIXELS, 2), nn.ReLU(), nn.Linear(2, 2)).double().eval()
    plane = nn.Sequential(nn.Linear(PIXELS, 2)).double().eval()
    with torch.no_grad():
        slab[0].weight.copy_(torch.stack([w, -w]))
        slab[0].bias.copy_(torch.tensor([-1.0, 1.0]))
        slab[2].weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        slab[2].bias.copy_(torch.tensor([0.15, 0.0]))
        plane[0].weight.copy_(torch.stack([torch.zeros_like(w), w]))
        plane[0].bias.copy_(torch.tensor([1.15, 0.0]))
    assert (slab(x).argmax(1) == y).all()
    assert compared(slab, x, y) == masking.Masking(7, 1.0, 1.0)
    assert compared(plane, x, y) == masking.Masking(0, 0.0, 0.0)


def arrays(*errors, n=1000):
    """Whether images are wrong: nested, so that errors differ on the fewest images."""
    return np.array([np.arange(n) < error * n for error in errors])


@pytest.mark.parametrize(
    ("single", "iterated", "flag"),
    [
        ((0.1, 0.2, 0.4, 0.6), (0.1, 0.2, 0.4, 0.6), 0),
        ((0.1, 0.2, 0.4, 0.6), (0.1, 0.205, 0.4, 0.6), 0),
        ((0.1, 0.2, 0.4, 0.6), (0.1, 0.25, 0.45, 0.6), masking.GAP),
        ((0.1, 0.2, 0.6, 0.5), (0.1, 0.2, 0.5, 0.5), masking.NON_MONOTONE),
        ((0.1, 0.2, 0.25, 0.3), (0.1, 0.28, 0.9, 0.9), masking.GAP + masking.SMALLER_EPS),
        ((0.1, 0.5, 0.3, 0.2), (0.1, 0.5, 0.9, 0.9), 7),
        ((0.9, 0.2, 0.4, 0.6), (0.99, 0.2, 0.4, 0.6), 0),
    ],
)
def test_each_sign_of_masking_sets_its_bit(single, iterated, flag):
    found = masking.masking([0.0, 0.1, 0.2, 0.3], arrays(*single), arrays(*iterated))
    assert found.flag == flag
    shuffled = masking.masking([0.3, 0.0, 0.2, 0.1], arrays(*single)[[3, 0, 2, 1]], arrays(*iterated)[[3, 0, 2, 1]])
    assert shuffled == found
    gaps = np.subtract(iterated, single)[1:]
    assert found.gap == pytest.approx(gaps.max())
    assert found.drop == pytest.approx(max(0.0, *(np.maximum.accumulate(single[1:]) - single[1:])))


def test_chance_is_not_taken_for_masking():
    rng = np.random.default_rng(0)
    eps = [0.1, 0.2, 0.3, 0.4]
    flagged = [bool(masking.masking(eps, *(rng.random((2, 4, 500)) < 0.3)).flag) for _ in range(300)]
    # three bits of level 0.00135 each: more than 5 of 300 has probability 0.2 %
    assert sum(flagged) <= 5


def test_the_best_bound_is_the_running_maximum_over_eps_and_attacks():
    rng = np.random.default_rng(1)
    eps, wrong = np.array([0.3, 0.1, 0.2]), rng.random((2, 3, 50)) < 0.3
    bound = masking.best_bound(wrong, eps)
    for k, size in enumerate(eps):
        assert np.array_equal(bound[k], wrong[:, eps <= size].any(axis=(0, 1)))
    with pytest.raises(ValueError, match="do not fit"):
        masking.best_bound(wrong, [0.1, np.nan, 0.2])
    with pytest.raises(ValueError, match="do not fit"):
        masking.masking([0.1], wrong[0], wrong[1])


# ---- what is refused


def refused(message):
    return pytest.raises(InputError, match="^" + re.escape(message))


@pytest.mark.parametrize("part", [None, 1])
def test_a_network_in_train_mode_is_refused(part):
    module = network(PIXELS, 16, CLASSES)
    (module if part is None else module[part]).train()
    what = "it is" if part is None else "its part 1 is"
    with refused(f"network: {what} in train mode, allowed: evaluation mode (call .eval() first)"):
        classifier.of(module, PIXELS)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_weights_and_buffers_are_refused(value):
    module = network(PIXELS, 16, CLASSES)
    with torch.no_grad():
        module[2].bias[1] = value
    with refused("network: weight 2.bias holds NaN or infinite values, allowed: finite ones"):
        classifier.of(module, PIXELS)
    norm = nn.Sequential(nn.BatchNorm1d(PIXELS), nn.Linear(PIXELS, 2)).eval()
    norm[0].running_mean[0] = value
    with refused("network: buffer 0.running_mean holds NaN or infinite values, allowed: finite ones"):
        classifier.of(norm, PIXELS)


def test_other_networks_that_cannot_be_attacked_are_refused():
    module = network(PIXELS, 16, CLASSES)
    with refused("network: does not take images of 19 pixels (x of shape (n, 19)): RuntimeError: "):
        classifier.of(module, 19)
    with refused("network: gives 4 logits per image, allowed: 10, one for each class"):
        classifier.of(module, PIXELS, 10)
    with refused("network: gives 1 logit per image, allowed: 2 or more, one for each class"):
        classifier.of(network(PIXELS, 1), PIXELS)
    with refused("network: gives torch.float64 of shape (40,) for 2 images, allowed: floats of shape (2, classes)"):
        classifier.of(nn.Sequential(nn.Linear(PIXELS, PIXELS), nn.Flatten(0)).double().eval(), PIXELS)
    with refused("network: weight weight is not initialised, allowed: a network that has seen data"):
        classifier.of(nn.LazyLinear(3).eval(), PIXELS)

    class Log(nn.Module):
        def forward(self, x):
            return x.log() - x.log() / 0

    with refused("network: gives logits that are NaN or infinite for a grey image, allowed: finite ones"):
        classifier.of(Log().eval(), PIXELS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": -0.1}, "eps: found -0.1, allowed: a finite number, 0 or more"),
        ({"eps": math.nan}, "eps: found nan, allowed: a finite number, 0 or more"),
        ({"eps": math.inf}, "eps: found inf, allowed: a finite number, 0 or more"),
        ({"x": lambda x: x[:, 1:]}, "x: found shape (60, 19), allowed: (n, 20), flat images of that size"),
        ({"x": lambda x: x.view(60, 4, 5)}, "x: found shape (60, 4, 5), allowed: (n, 20), flat images of that size"),
        ({"x": lambda x: x.float()}, "x: found torch.float32 on cpu, allowed: torch.float64 on cpu"),
        ({"x": lambda x: x * 2}, "x: found pixels from 0 to 2, allowed: 0 to 1 (the box)"),
        ({"x": lambda x: x * math.nan}, "x: holds NaN or infinite pixels, allowed: finite ones"),
        ({"y": lambda y: y[1:]}, "y: found torch.int64 of shape (59,), allowed: torch.int64 of shape (60,), one for"),
        ({"y": lambda y: y.int()}, "y: found torch.int32 of shape (60,), allowed: torch.int64 of shape (60,), one for"),
        ({"y": lambda y: y + 4}, "y: found class "),
        ({"y": lambda y: y - 4}, "y: found class -"),
        ({"target": lambda y: y}, "target: equals the label of 60 of 60 images, allowed: another class for each"),
        ({"target": lambda y: y + 4}, "target: found class "),
        ({"target": None}, "target: found none, but objective logit needs a class for each image"),
        ({"generator": None}, "generator: found none, but initialisation uniform draws random numbers"),
        ({"box": (1.0, 0.0)}, "box: found (1.0, 0.0), allowed: two finite numbers, the smaller first, or None"),
        ({"batch": 0}, "batch: found 0, allowed: 1 or more"),
    ],
)
def test_what_an_attack_cannot_be_made_with_is_refused(change, message):
    model, x, y = case()
    given = {
        "x": x, "y": y, "attack": TARGETED["iterated"], "eps": 0.1, "box": BOX,
        "target": engine.targets(y, CLASSES, seeded()), "generator": seeded(), "batch": 50,
    }  # fmt: skip
    for key, how in change.items():
        given[key] = how(y if key == "target" else given[key]) if callable(how) else how
    eps = given.pop("eps")
    with refused(message):
        engine.perturb(model, eps=eps, **given)
    with refused(message):
        engine.sweep(model, eps=[0.1, eps], **given)
    with refused(message if "eps" not in change else message.replace("eps:", "eps_max:")):
        minimum.minimum_eps(model, eps_max=eps, **given)


def test_eps_per_image_is_checked():
    model, x, y = case()
    with refused("eps: found shape (3,), allowed: a number, or one for each of 60 images"):
        engine.perturb(model, x, y, FGSM, torch.ones(3), box=BOX)
    eps = torch.full((60,), 0.1)
    eps[7] = -1
    with refused("eps: found -1, allowed: a finite number, 0 or more"):
        engine.perturb(model, x, y, FGSM, eps, box=BOX)


def test_other_functions_refuse_what_they_cannot_use():
    model, x, y = case()
    with refused("targets: found 1 class, allowed: 2 or more (there is no other class to aim at)"):
        engine.targets(torch.zeros(5, dtype=torch.int64), 1, seeded())
    with refused("y: found class 7, allowed: 0 to 3"):
        engine.targets(torch.full((5,), 7), 4, seeded())
    with refused("eps_max, steps: found 0, 12, allowed: above 0, and 0 or more"):
        minimum.minimum_eps(model, x, y, FGSM, 0.0, box=BOX)
    with refused("level: found 1, allowed: a number between 0 and 1"):
        fooling.fooling(model, x, y, level=1.0)
    with refused("step, max_steps: found 0, 200, allowed: above 0, and 0 or more"):
        fooling.fooling(model, x, y, step=0.0)
    with refused("goal: found class 9, allowed: 0 to 3"):
        fooling.fooling(model, x, torch.full_like(y, 9))
    with refused("x: found pixels from"):
        fooling.fooling(model, x + 0.5, y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"norm": "l3"}, "attacks: fgsm.norm: found 'l3', allowed: linf, l2"),
        ({"objective": "lose"}, "attacks: fgsm.objective: found 'lose', allowed: loss, margin, output, logit"),
        ({"initialisation": None}, "attacks: fgsm.initialisation: found None, allowed: image, uniform, sign"),
        ({"step_unit": ["eps"]}, "attacks: fgsm.step_unit: found ['eps'], allowed: eps, pixel"),
        ({"steps": -1}, "attacks: fgsm.steps: found -1, allowed: a whole number, 0 or more"),
        ({"steps": 1.5}, "attacks: fgsm.steps: found 1.5, allowed: a whole number, 0 or more"),
        ({"steps": True}, "attacks: fgsm.steps: found True, allowed: a whole number, 0 or more"),
        ({"steps": 0}, "attacks: fgsm.steps: found 0 with initialisation image, which is no attack, allowed: 1 or"),
        ({"restarts": 0}, "attacks: fgsm.restarts: found 0, allowed: a whole number, 1 or more"),
        ({"restarts": 2}, "attacks: fgsm.restarts: found 2 with initialisation image, where all are equal, allowed: 1"),
        ({"step": 0}, "attacks: fgsm.step: found 0, allowed: a number above 0"),
        ({"step": math.nan}, "attacks: fgsm.step: found nan, allowed: a number above 0"),
        ({"step": "eps"}, "attacks: fgsm.step: found 'eps', allowed: a number above 0"),
        (
            {"stepz": 1},
            "attacks: fgsm.stepz: unknown, allowed: objective, norm, initialisation, steps, step, step_unit",
        ),
        ("fgsm", "attacks: fgsm: found 'fgsm', allowed: a mapping of objective, norm"),
    ],
)
def test_settings_that_are_no_attack_are_refused(given, message):
    with refused(message):
        Attack.from_settings("fgsm", given)
    if isinstance(given, dict) and "stepz" not in given:
        with refused(message.replace("attacks: fgsm.", "attack: ")):
            Attack(**given)


def test_settings_give_the_attack_they_describe():
    assert Attack.from_settings("fgsm", {}) == FGSM
    found = Attack.from_settings("a", {"objective": "logit", "initialisation": "sign", "steps": 3, "step": 1})
    assert found == Attack("logit", initialisation="sign", steps=3, step=1.0)
    assert [a.targeted for a in (FGSM, Attack("margin"), Attack("output"), found)] == [False, False, True, True]
    assert (PGD.initialisation, PGD.steps, 0.3 * PGD.step) == ("uniform", 40, pytest.approx(0.01))


def test_attacks_are_described_without_torch():
    code = "import sys; import advdyn.attacks.attack; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
