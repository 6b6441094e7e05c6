"""Many linear models at once: the same weights as a loop of standard torch training, one model after another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from advdyn.errors import InputError
from advdyn.robustness import linear_batch
from advdyn.robustness.linear_batch import Members

N, D, BATCH, SIZE = 200, 30, 16, 5


def problem(dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(N, D, generator=draw, dtype=dtype)
    y = (x[:, :10].sum(1) > x[:, 10:20].sum(1)) | (x[:, 0] > 0.7)
    return x, 2.0 * y - 1


def members(dtype=torch.float64):
    draw = torch.Generator().manual_seed(1)
    weight = 0.1 * torch.randn(SIZE, D, generator=draw, dtype=dtype)
    return Members(
        weight,
        0.1 * torch.randn(SIZE, generator=draw, dtype=dtype),
        torch.tensor([0.0, 0.01, 0.05, 0.1, 0.3], dtype=dtype),
        torch.tensor([0.1, 0.2, 0.05, 0.5, 0.1], dtype=dtype),
    )


def orders(epochs=2, own=False):
    rng = np.random.default_rng(2)
    return [np.stack([rng.permutation(N) for _ in range(SIZE)]) if own else rng.permutation(N) for _ in range(epochs)]


def standard(start, loss, x, y, order):
    """One model: nn.Linear, FGSM by autograd, torch.optim.SGD."""
    trained = []
    for k in range(SIZE):
        network = nn.Linear(D, 1).to(x.dtype)
        network.load_state_dict({"weight": start.weight[k].view(1, D), "bias": start.bias[k].view(1)})
        optimiser = torch.optim.SGD(network.parameters(), float(start.rate[k]))
        for rows in order:
            mine = torch.as_tensor(rows if rows.ndim == 1 else rows[k])
            for at in mine[: N // BATCH * BATCH].split(BATCH):
                images = x[at].requires_grad_()
                (g,) = torch.autograd.grad(loss(network(images), y[at]), images)
                optimiser.zero_grad()
                loss(network((images + start.eps[k] * g.sign()).detach()), y[at]).backward()
                optimiser.step()
        trained.append(network)
    weight = torch.stack([network.weight.detach() for network in trained]).view(start.weight.shape)
    return weight, torch.stack([network.bias.detach() for network in trained]).view(start.bias.shape)


def logistic(z, tau):
    return nn.functional.softplus(-tau * z[:, 0]).mean()


@pytest.mark.parametrize("own", [False, True])
def test_binary_models_are_those_of_the_loop(own):
    x, tau = problem()
    found = linear_batch.binary(members(), x, tau, orders(own=own), BATCH)
    weight, bias = standard(members(), logistic, x, tau, orders(own=own))
    torch.testing.assert_close(found.weight, weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.bias, bias, rtol=0, atol=1e-12)
    assert float((found.weight - members().weight).abs().max()) > 0.1


def test_single_precision_keeps_the_weights_to_1e_6():
    x, tau = problem(torch.float32)
    found = linear_batch.binary(members(dtype=torch.float32), x, tau, orders(), BATCH)
    weight, _ = standard(members(dtype=torch.float32), logistic, x, tau, orders())
    assert float((found.weight - weight).abs().max()) < 1e-6


def test_what_is_given_is_not_changed():
    x, tau = problem()
    start = members()
    linear_batch.binary(start, x, tau, orders(), BATCH)
    assert torch.equal(start.weight, members().weight)
    assert torch.equal(start.bias, members().bias)


def test_members_do_not_see_each_other():
    """Beyond rounding, and not even when one diverges."""
    x, tau = problem()
    start = members()
    rate = start.rate.clone()
    rate[0] = float("inf")
    broken = linear_batch.binary(replace(start, rate=rate), x, tau, orders(4), BATCH)
    whole = linear_batch.binary(start, x, tau, orders(4), BATCH)
    assert not broken.weight[0].isfinite().all()
    torch.testing.assert_close(broken.weight[1:], whole.weight[1:], rtol=0, atol=1e-12)
    assert start.size == SIZE


def test_weights_that_are_zero_are_not_attacked():
    """The sign of 0 is 0: a pixel that is 0 in every image keeps its weight of 0."""
    x, tau = problem()
    x[:, 7] = 0
    start = members()
    start.weight[:, 7] = 0
    found = linear_batch.binary(start, x, tau, orders(), BATCH)
    assert (found.weight[:, 7] == 0).all()


def test_no_learning_rate_no_change():
    x, tau = problem()
    found = linear_batch.binary(replace(members(), rate=torch.zeros(SIZE).double()), x, tau, orders(), BATCH)
    assert torch.equal(found.weight, members().weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(N, D + 1).double()}, "found weights"),
        ({"tau": torch.ones(N - 1).double()}, "found weights"),
        ({"tau": torch.zeros(N).double()}, "tau: found other labels"),
        ({"batch": 0}, "batch: found 0, allowed: 1 to 200"),
        ({"batch": N + 1}, "batch: found 201"),
        ({"members": replace(members(), eps=torch.zeros(2).double())}, "one entry for each model"),
    ],
)
def test_refusals(change, message):
    x, tau = problem()
    given = {"members": members(), "x": x, "tau": tau, "orders": orders(), "batch": BATCH} | change
    with pytest.raises(InputError, match=message):
        linear_batch.binary(**given)
