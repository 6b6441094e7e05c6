"""The exact worst case of linear models: no attack goes beyond it, and the example that reaches it exists."""

import numpy as np
import pytest
import torch
from torch import nn

from advdyn import linear
from advdyn.attacks import classifier, engine
from advdyn.attacks.attack import Attack
from advdyn.attacks.worst import is_linear, worst_case

EPS = [0.0, 0.02, 0.05, 0.1, 0.3]
UNIT = (0.0, 1.0)


def model(classes, seed=0, pixels=12):
    torch.manual_seed(seed)
    return classifier.of(nn.Linear(pixels, classes).double().eval(), pixels)


def images(n=300, pixels=12, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.random((n, pixels))), torch.as_tensor(rng.integers(0, classes, n))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_two_classes_it_is_the_closed_form(norm):
    found, (x, y) = model(2), images(classes=2)
    weight = found.weights[0][1] - found.weights[0][0]
    bias = found.biases[0][1] - found.biases[0][0]
    margin = (2 * y - 1) * (x @ weight + bias)
    dual = weight.abs().sum() if norm == "linf" else weight.norm()
    lost = worst_case(found, x, y, EPS, norm=norm, box=None)
    np.testing.assert_allclose(lost.double().mean(1), linear.error_curve(margin.numpy(), dual.numpy(), EPS))


@pytest.mark.parametrize(("norm", "box"), [("linf", None), ("linf", UNIT), ("l2", None)])
def test_no_attack_goes_beyond_it_and_targeted_ones_reach_it(norm, box):
    found, (x, y) = model(4), images(classes=4)
    exact = worst_case(found, x, y, EPS, norm=norm, box=box)
    reached = torch.zeros_like(exact)
    targeted = Attack(objective="logit", norm=norm, steps=1)
    for k in range(4):
        rows = y != k
        wrong = engine.sweep(found, x[rows], y[rows], targeted, EPS, box=box, target=torch.full_like(y[rows], k)).wrong
        reached[:, rows] |= wrong
    assert not (reached & ~exact).any()
    assert float((exact & ~reached).double().mean()) == 0
    untargeted = engine.sweep(found, x, y, Attack(norm=norm), EPS, box=box).wrong
    assert not (untargeted & ~exact).any()
    assert bool((exact & ~untargeted).any())  # several classes: the loss alone does not find all of them


def test_it_grows_with_eps_and_starts_at_the_clean_error():
    found, (x, y) = model(3), images()
    exact = worst_case(found, x, y, EPS, norm="linf", box=UNIT)
    assert torch.equal(exact[0], found.logits(x).argmax(1) != y)
    assert not (exact[:-1] & ~exact[1:]).any()


def test_where_no_closed_form_is_known_there_is_none():
    found, (x, y) = model(3), images()
    deep = classifier.of(nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)).double().eval(), 12)
    assert is_linear(found)
    assert not is_linear(deep)
    assert worst_case(deep, x, y, EPS, norm="linf", box=None) is None
    assert worst_case(found, x, y, EPS, norm="l2", box=UNIT) is None
