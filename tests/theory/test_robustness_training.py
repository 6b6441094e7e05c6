"""Training with and without attacks: every method's own objective, its noise, its independence and its refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from advdyn.attacks.engine import perturb
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.robustness import networks, training, weights
from advdyn.robustness.trainee import Chain, Module, Stack

SIDE = 12
SETTINGS = {
    "module_file": None, "model": "mlp-8", "training": "fgsm", "eps_train": 0.1, "n_train": 150, "clip_train": True,
    "mix": 0.5, "train_steps": 3, "train_step": 0.5, "optimiser": "adam", "learning_rate": 3e-3, "momentum": 0.9,
    "weight_decay": 0.0, "batch": 25, "epochs": 3, "least_updates": 0, "early_stopping": "none", "patience": 5,
    "root": 0, "device": "cpu", "dtype": "float32", "seeds": [0],
}  # fmt: skip
ATTACKED = [name for name in training.METHODS if name != "standard"]


def pictures(n=320, classes=3, blur=0.25, seed=0):
    """A blurred pattern for each class; test images that no one may look at."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((classes, SIDE * SIDE))
    y = np.arange(n) % classes
    x = np.clip(patterns[y] * 0.6 + 0.2 + blur * rng.normal(size=(n, SIDE * SIDE)), 0, 1).astype(np.float32)
    cut = n - 80
    unseen = np.full((10, SIDE * SIDE), np.nan, np.float32)
    return Images(x[:cut], y[:cut], x[cut:], y[cut:], unseen, np.full(10, -99), (SIDE, SIDE))


IMAGES = pictures()


def trained(images=IMAGES, **changed):
    return training.run(images, **{**SETTINGS, **changed})


def vector(network):
    return torch.cat([value.reshape(-1).double() for value in network.state_dict().values()])


def plan(name, **changed):
    method = training.METHODS[name]
    made = training.Plan(
        method, training._attack(method, 3, 0.5), 0.5, (0.0, 1.0), "sgd", 0.01, 0.0, 0.0, 25, 1, "none", 5
    )
    return replace(made, **changed)


def one(network, eps=0.1, seed=0):
    return training.Run(eps, network, np.random.default_rng(seed), torch.Generator().manual_seed(seed), seed)


def batch(n=40):
    return torch.as_tensor(IMAGES.x_train[:n]), torch.as_tensor(IMAGES.y_train[:n])


def chain(name="mlp-8", seed=0, dtype=torch.float32):
    return Chain(networks.initialise(name, (SIDE, SIDE), 3, seed, dtype))


# --- objectives --------------------


@pytest.mark.parametrize("name", training.METHODS)
def test_every_method_reduces_its_own_objective(name):
    dataset, _ = trained(training=name, eps_train=0.03, epochs=12)
    loss = dataset["train_loss"].values[0]
    assert loss[-1] < 0.6 * loss[0]
    assert float(dataset["validation_error"][0, -1]) < 0.2


@pytest.mark.parametrize("name", training.METHODS)
def test_gradient_is_that_of_the_objective_by_autograd(name):
    """On the attacked images, which are constants to the gradient."""
    trainee, (x, y) = chain("mlp-8x2", dtype=torch.float64), batch()
    x = x.double()
    parts = training.parts(trainee, [one(nn.Identity())], torch.tensor([0.1]), x, y, plan(name))
    total = trainee.descend(parts, y)
    network = networks.initialise("mlp-8x2", (SIDE, SIDE), 3, 0, torch.float64)
    loss = torch.zeros(())
    for part in parts:
        kept = 1.0 if part.kept is None else part.kept
        loss = loss + part.weight * (kept * nn.functional.cross_entropy(network(part.x), y, reduction="none")).mean()
    loss.backward()
    expected = torch.cat([p.grad.reshape(-1) for p in network.parameters()])
    torch.testing.assert_close(trainee.gradient[0], expected, rtol=1e-10, atol=1e-14)
    assert float(total) == pytest.approx(loss.item(), rel=1e-12)


def test_mixed_methods_weigh_clean_and_attacked_images():
    trainee, (x, y) = chain(), batch()
    for name, method in training.METHODS.items():
        parts = training.parts(trainee, [one(nn.Identity())], torch.tensor([0.1]), x, y, plan(name, mix=0.3))
        assert [part.weight for part in parts] == ([0.3, 0.7] if method.mixed else [1.0])
        assert (parts[0].x is x) == (method.mixed or name == "standard")


def test_fgsm_images_are_those_of_autograd():
    x, y = batch()
    trainee = chain(dtype=torch.float64)
    x = x.double()
    made = training.parts(trainee, [one(nn.Identity())], torch.tensor([0.1]), x, y, plan("fgsm-minmax"))[0].x
    network = networks.initialise("mlp-8", (SIDE, SIDE), 3, 0, torch.float64)
    leaf = x.clone().requires_grad_()
    nn.functional.cross_entropy(network(leaf), y).backward()
    torch.testing.assert_close(made, (x + 0.1 * leaf.grad.sign()).clamp(0, 1))


def test_pgd_raises_the_loss_above_fgsm_and_stays_in_the_ball():
    dataset, (network,) = trained(training="standard", eps_train=0.0, epochs=8)
    trainee, (x, y) = Chain(network), batch()
    made = {
        name: training.parts(
            trainee, [one(network)], torch.tensor([0.1]), x, y,
            replace(plan(name), attack=training._attack(training.METHODS[name], 20, 0.1)),
        )[0].x
        for name in ("fgsm-minmax", "pgd")
    }  # fmt: skip
    loss = {name: float(nn.functional.cross_entropy(trainee.logits(z), y)) for name, z in made.items()}
    assert loss["pgd"] > loss["fgsm-minmax"] * 0.999
    assert float((made["pgd"] - x).abs().max()) <= 0.1 + 1e-6
    assert not dataset["diverged"].any()


@pytest.mark.parametrize("name", ATTACKED)
def test_perturbations_have_the_size_they_should(name):
    x, y = torch.full((200, SIDE * SIDE), 0.5), torch.arange(200) % 3
    delta = training.parts(chain(), [one(nn.Identity())], torch.tensor([0.1]), x, y, plan(name))[-1].x - x
    size = delta.abs()
    assert float(size.max()) <= 0.1 + 1e-6
    if name in ("sign-noise", "fgsm", "fgsm-minmax", "nonrobust"):
        torch.testing.assert_close(size, torch.full_like(size, 0.1))
    if name == "sign-noise":
        assert abs(float(delta.sign().mean())) < 4 / math.sqrt(delta.numel())
    if name == "uniform-noise":
        assert float(delta.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
        assert abs(float(delta.mean())) < 4 * 0.1 / math.sqrt(3 * delta.numel())
    if name == "random-eps":
        each = size.amax(1)
        torch.testing.assert_close(size, each[:, None].expand_as(size))
        assert float(each.mean()) == pytest.approx(0.05, abs=4 * 0.1 / math.sqrt(12 * 200))
        assert len(each.unique()) > 190


@pytest.mark.parametrize(("clip", "low", "high"), [(True, 0.0, 1.0), (False, -0.3, 1.3)])
def test_clip_train_keeps_images_in_the_pixel_range(clip, low, high):
    x, y = torch.rand(60, SIDE * SIDE).round(), torch.arange(60) % 3
    box = (0.0, 1.0) if clip else None
    made = training.parts(chain(), [one(nn.Identity(), 0.3)], torch.tensor([0.3]), x, y, plan("sign-noise", box=box))[
        1
    ].x
    assert float(made.min()) == pytest.approx(low)
    assert float(made.max()) == pytest.approx(high)


def test_nonrobust_uses_only_images_that_are_or_become_wrong():
    network = networks.initialise("softmax", (SIDE, SIDE), 3, 0, torch.float64)
    x = torch.zeros(3, SIDE * SIDE, dtype=torch.float64)
    x[torch.arange(3), torch.arange(3)] = 1
    y = torch.arange(3)
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.zero_()
        network[0].weight[torch.arange(3), torch.arange(3)] = 10.0
    trainee = Chain(network)
    eps = torch.tensor([0.1])
    # margins are 10 and an attack takes 2: no image is lost, and nothing is learned
    part = training.parts(trainee, [one(network, 0.1)], eps, x, y, plan("nonrobust"))
    assert not part[0].kept.any()
    assert float(trainee.descend(part, y)) == 0
    assert (trainee.gradient == 0).all()
    # one image with a false label, one whose margin of 1 the attack takes away
    x[1] *= 0.1
    wrong = torch.tensor([0, 1, 0])
    part = training.parts(trainee, [one(network, 0.1)], eps, x, wrong, plan("nonrobust"))
    assert part[0].kept.tolist() == [False, True, True]
    trainee.descend(part, wrong)
    alone = [training.Part(part[0].x[1:], 2 / 3)]
    expected = trainee.gradient.clone()
    trainee.descend(alone, wrong[1:])
    torch.testing.assert_close(trainee.gradient, expected)


def test_without_attack_adversarial_training_is_standard_training():
    standard = trained(training="standard", eps_train=0.0)[1][0]
    for name in ATTACKED[:-1]:  # all but nonrobust
        assert torch.equal(vector(trained(training=name, eps_train=0.0)[1][0]), vector(standard)), name
    assert not torch.equal(vector(trained(training="fgsm", eps_train=0.01)[1][0]), vector(standard))


def test_fgsm_on_a_linear_model_is_training_on_the_closed_form():
    """J(x + eps sign grad J) = softplus(eps |w|_1 - margin), w the difference of the two classes' weights."""
    rng = np.random.default_rng(0)
    x = rng.random((120, 20)).astype(np.float64)
    y = (x[:, :10].sum(1) > x[:, 10:].sum(1)).astype(np.int64)
    images = Images(x, y, x[:0], y[:0], x[:0], y[:0], (20,))
    settings = {
        "model": "softmax", "training": "fgsm-minmax", "optimiser": "sgd", "clip_train": False, "n_train": 120,
        "momentum": 0.0, "learning_rate": 0.2, "batch": 20, "epochs": 5, "dtype": "float64", "eps_train": 0.03,
    }  # fmt: skip
    dataset, (network,) = trained(images, **settings)
    start = networks.initialise(
        "softmax", (20,), 2, training.streams.integer(0, "robustness", 0, "initialisation"), torch.float64
    )
    weight, bias = start[0].weight, start[0].bias
    order = training.streams.generator(0, "robustness", 0, "training")
    tau = torch.as_tensor(2.0 * y - 1)
    for _ in range(5):
        rows = order.permutation(120)
        for k in range(6):
            at = rows[20 * k : 20 * k + 20]
            w, b = weight[1] - weight[0], bias[1] - bias[0]
            loss = nn.functional.softplus(0.03 * w.abs().sum() - tau[at] * (torch.as_tensor(x[at]) @ w + b)).mean()
            for p, g in zip((weight, bias), torch.autograd.grad(loss, (weight, bias)), strict=True):
                p.data -= 0.2 * g
    torch.testing.assert_close(network[0].weight, weight.detach(), rtol=0, atol=1e-6)
    assert np.isnan(dataset["validation_error"]).all()


@pytest.mark.parametrize(("optimiser", "decay"), [("sgd", 0.0), ("sgd", 1e-2), ("adam", 0.0), ("adam", 1e-2)])
def test_steps_are_those_of_plain_torch(optimiser, decay):
    settings = {"training": "fgsm", "optimiser": optimiser, "weight_decay": decay, "clip_train": False, "epochs": 4}
    _, (network,) = trained(**settings, dtype="float64", learning_rate=0.01)
    seed = training.streams.integer(0, "robustness", 0, "initialisation")
    other = networks.initialise("mlp-8", (SIDE, SIDE), 3, seed, torch.float64)
    order = training.streams.generator(0, "robustness", 0, "training")
    step = (
        torch.optim.SGD(other.parameters(), 0.01, 0.9, weight_decay=decay)
        if optimiser == "sgd"
        else torch.optim.Adam(other.parameters(), 0.01, weight_decay=decay)
    )
    x_all, y_all = torch.as_tensor(IMAGES.x_train[:150]).double(), torch.as_tensor(IMAGES.y_train[:150])
    for _ in range(4):
        rows = torch.as_tensor(order.permutation(150))
        for at in rows.split(25):
            x, y = x_all[at].requires_grad_(), y_all[at]
            (g,) = torch.autograd.grad(nn.functional.cross_entropy(other(x), y), x)
            step.zero_grad()
            made = (x + 0.1 * g.sign()).detach()
            clean, attacked = (nn.functional.cross_entropy(other(z), y) for z in (x.detach(), made))
            (0.5 * clean + 0.5 * attacked).backward()
            step.step()
    torch.testing.assert_close(vector(network), vector(other), rtol=1e-7, atol=1e-9)


# --- independence --------------------


def test_a_run_depends_on_nothing_but_itself():
    together, many = trained(eps_train=[0.05, 0.1], seeds=[3, 1, 0], training="pgd")
    _, (alone,) = trained(eps_train=0.1, seeds=[1], training="pgd")
    assert torch.equal(vector(many[4]), vector(alone))  # C order of (eps_train, seed)
    assert together["train_loss"].dims == ("eps_train", "seed", "epoch")
    assert together["seed"].values.tolist() == [3, 1, 0]
    assert len({float(vector(network).sum()) for network in many}) == 6


def test_methods_and_eps_share_the_order_and_the_initial_weights():
    seen = []
    for name, eps in (("standard", 0.0), ("sign-noise", 0.2)):
        _, (network,) = trained(training=name, eps_train=eps, learning_rate=0.0)
        seen.append(vector(network))
    assert torch.equal(*seen)


def test_training_leaves_torchs_random_state_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    trained(training="pgd", epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_test_images_are_never_read():
    def poisoned(n):
        return np.full((n, SIDE * SIDE), np.nan, np.float32), np.full(n, 10**6)

    results = [trained(replace(IMAGES, x_test=x, y_test=y))[1][0] for x, y in (poisoned(5), poisoned(900))]
    assert torch.equal(vector(results[0]), vector(results[1]))


def test_only_the_first_n_train_images_are_used():
    changed = IMAGES.x_train.copy()
    changed[150:] = 0.5
    first, second = (trained(replace(IMAGES, x_train=x))[1][0] for x in (IMAGES.x_train, changed))
    assert torch.equal(vector(first), vector(second))


def test_same_inputs_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        weights.save(tmp_path / name, trained(seeds=[0, 1], training="uniform-noise")[1], "x")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


BOUND = 2e-5  # of weights of order 0.1 after 18 updates in float32, see the docstring of ``train``


@pytest.mark.parametrize("model", ["softmax", "mlp-8x2", "cnn"])
@pytest.mark.parametrize("name", training.METHODS)
def test_one_batch_of_all_runs_is_the_loop(name, model, monkeypatch):
    settings = {"training": name, "model": model, "eps_train": [0.0, 0.1], "seeds": [0, 1], "optimiser": "sgd"}
    settings |= {"learning_rate": 0.02, "epochs": 2, "n_train": 75}
    loop, one_by_one = trained(**settings)
    whole = training.train
    monkeypatch.setattr(training, "train", lambda *given, batched: whole(*given, batched=True))
    stacked, together = trained(**settings)
    for a, b in zip(one_by_one, together, strict=True):
        torch.testing.assert_close(vector(a), vector(b), rtol=0, atol=BOUND)
    np.testing.assert_allclose(loop["train_loss"], stacked["train_loss"], rtol=1e-4)
    np.testing.assert_allclose(
        loop["validation_adversarial_error"], stacked["validation_adversarial_error"], atol=1.5 / 80
    )
    assert not torch.equal(vector(together[0]), vector(together[1]))


TWO = pictures(classes=2, blur=0.5)
PLAIN = {"model": "softmax", "optimiser": "sgd", "momentum": 0.0, "clip_train": False, "learning_rate": 0.05}


@pytest.mark.parametrize("name", ["standard", "fgsm-minmax"])
def test_linear_models_of_two_classes_train_as_one_batch_like_the_loop(name, monkeypatch):
    """All runs of a seed at once, on the closed form: 1e-10 in double precision, and every number of the record."""
    asked = {**PLAIN, "training": name, "dtype": "float64", "eps_train": [0.0, 0.05, 0.2], "seeds": [0, 3]}
    data = replace(TWO, x_train=TWO.x_train.astype(float), x_validation=TWO.x_validation.astype(float))
    calls, binary = [], training.linear_batch.binary
    monkeypatch.setattr(training.linear_batch, "binary", lambda *a: calls.append(a[0].size) or binary(*a))
    together, made = trained(data, **asked)
    assert calls == [3] * 6  # three sizes at once, for each of two seeds and three epochs
    monkeypatch.setattr(training, "closed_form", lambda *_: False)
    apart, looped = trained(data, **asked)
    for one, other in zip(made, looped, strict=True):
        assert torch.allclose(vector(one), vector(other), rtol=0, atol=1e-10)
    for key in ("train_loss", "validation_error", "validation_adversarial_error", "train_error", "updates"):
        np.testing.assert_allclose(together[key], apart[key], atol=1e-9, err_msg=key)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimiser": "adam"}, {"momentum": 0.9}, {"weight_decay": 0.1}, {"clip_train": True}, {"training": "fgsm"},
        {"training": "nonrobust"}, {"training": "pgd"}, {"early_stopping": "clean"}, {"model": "mlp-8"},
    ],
    ids=str,
)  # fmt: skip
def test_what_has_no_closed_form_is_looped(changed, monkeypatch):
    monkeypatch.setattr(training, "_closed_form", lambda *_: pytest.fail("no closed form"))
    trained(TWO, **{**PLAIN, "training": "fgsm-minmax", "eps_train": [0.05, 0.1], **changed})


def test_a_diverged_run_of_the_closed_form_is_marked_and_the_others_go_on():
    found, _ = trained(TWO, **{**PLAIN, "training": "fgsm-minmax", "eps_train": [0.0, 1e6], "learning_rate": 0.1})
    assert found["diverged"].values[:, 0].tolist() == [0, 1]
    assert np.isfinite(found["train_error"].values[0, 0])


def test_what_cannot_be_one_batch_is_known():
    x = torch.rand(2, 4)
    plain = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert Stack.fits([plain], x)
    assert not Stack.fits([nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 2))], x)
    assert not Stack.fits([nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))], x)
    buffered = nn.Sequential(nn.Linear(4, 2))
    buffered.register_buffer("scale", torch.ones(1))
    assert not Stack.fits([buffered], x)
    plain[0].weight.requires_grad_(False)
    assert not Stack.fits([plain], x)


def test_the_chain_is_autograd():
    """And a chain attacked twice, or changed in between, does not use an old pass."""
    x, y = batch()
    made = []
    for kind in (Chain, Module):
        network = networks.initialise("mlp-8x2", (SIDE, SIDE), 3, 0, torch.float64)
        trainee = Chain(network) if kind is Chain else Module(network, SIDE * SIDE, 3)
        for _ in range(3):
            parts = training.parts(trainee, [one(network)], torch.tensor([0.1]), x.double(), y, plan("fgsm"))
            trainee.descend(parts, y)
            trainee.parameters -= 0.5 * trainee.gradient
            trainee.changed()
        made.append(torch.cat([trainee.parameters[0], parts[1].x.reshape(-1), vector(network)]))
    torch.testing.assert_close(made[0], made[1], rtol=1e-9, atol=1e-11)


# --- stopping, diverging, refusing --------------------


def test_early_stopping_keeps_the_best_epoch():
    noisy = pictures(blur=0.9)
    settings = {"epochs": 40, "learning_rate": 0.02, "n_train": 60, "batch": 20}
    for rule, curve in (("clean", "validation_error"), ("adversarial", "validation_adversarial_error")):
        found, (network,) = trained(noisy, early_stopping=rule, patience=4, **settings)
        errors = found[curve].values[0]
        ran = int(np.isfinite(errors).sum())
        best = int(found["kept_epoch"][0])
        assert best == np.nanargmin(errors) + 1
        assert ran == best + 4 < 40
        assert int(found["updates"][0]) == 3 * ran
        _, (until_then,) = trained(noisy, **{**settings, "epochs": best})
        assert torch.equal(vector(network), vector(until_then))
    last, _ = trained(noisy, **settings)
    assert int(last["kept_epoch"][0]) == 40


def test_epochs_go_on_until_there_are_enough_updates():
    assert trained(epochs=3, least_updates=20)[0]["updates"].item() == 24  # 6 updates an epoch
    assert trained(epochs=5, least_updates=20)[0]["updates"].item() == 30


@pytest.mark.parametrize("model", ["softmax", "mlp-8", "cnn"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_diverged_run_is_marked(model, optimiser):
    found, networks_ = trained(model=model, optimiser=optimiser, learning_rate=1e6, epochs=6, seeds=[0, 1])
    assert (found["diverged"] == 1).all()
    assert found["diverged"].dtype == np.int8
    assert np.isnan(found["train_loss"].values[:, -1]).all()
    assert np.isnan(found["validation_error"].values[:, -1]).all()
    assert np.isnan(found["train_error"]).all()
    assert (found["updates"] < 36).all()
    assert len(networks_) == 2


def test_a_diverged_run_does_not_touch_the_others(monkeypatch):
    whole = training.train
    poison = networks.initialise

    def broken(name, shape, classes, seed_int, *rest):
        network = poison(name, shape, classes, seed_int, *rest)
        if seed_int == training.streams.integer(0, "robustness", 1, "initialisation"):
            next(network.parameters()).data.fill_(math.inf)
        return network

    alone = trained(seeds=[0])[1][0]
    monkeypatch.setattr(networks, "initialise", broken)
    for batched in (False, True):
        monkeypatch.setattr(training, "train", lambda *given, batched, now=batched: whole(*given, batched=now))
        found, made = trained(seeds=[0, 1])
        assert found["diverged"].values.tolist() == [0, 1]
        torch.testing.assert_close(vector(made[0]), vector(alone), rtol=0, atol=BOUND)


def test_layers_that_draw_random_numbers_are_reproducible(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "from torch import nn\ndef build(shape, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(144, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5),"
        " nn.Linear(16, classes))\n"
    )
    settings = {"model": "own", "module_file": str(file), "early_stopping": "clean", "epochs": 8, "patience": 2}
    found, many = trained(**settings, seeds=[0, 1])
    torch.manual_seed(17)  # of what another part of the process drew before
    _, (alone,) = trained(**settings, seeds=[1])
    assert torch.equal(vector(many[1]), vector(alone))
    assert not any(part.training for part in many[0].modules())
    # weights and running statistics are those of the kept epoch
    x = torch.as_tensor(IMAGES.x_validation)
    for network, errors, epoch in zip(many, found["validation_error"].values, found["kept_epoch"].values, strict=True):
        with torch.no_grad():
            error = (network(x).argmax(1).numpy() != IMAGES.y_validation).mean()
        assert error == pytest.approx(errors[epoch - 1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_train": 241}, "n_train: found 241, allowed: 1 to 240"),
        ({"n_train": 2, "batch": 1}, "the first 2 training images hold none of class 2"),
        ({"batch": 151}, "batch: found 151 with n_train 150"),
        ({"training": "magic"}, "training: found 'magic', allowed: standard, fgsm"),
        ({"optimiser": "lbfgs"}, "optimiser: found 'lbfgs', allowed: sgd, adam"),
        ({"early_stopping": "test"}, "early_stopping: found 'test', allowed: none, clean, adversarial"),
        ({"model": "mlp-0"}, "model: found 'mlp-0', allowed: softmax"),
        ({"model": "mine"}, "model: found 'mine', allowed: softmax"),
        ({"eps_train": [0.1, -0.1]}, "eps_train: found -0.1, allowed: finite numbers"),
        ({"training": "standard", "eps_train": math.nan}, "eps_train: found nan"),
    ],
)
def test_refusals(changed, message):
    with pytest.raises(InputError, match=message):
        trained(**changed)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(IMAGES.y_train == 1, 3, IMAGES.y_train), "none of class 1"),
        (np.zeros_like(IMAGES.y_train), "labels: found 0 to 0"),
        (2 * (IMAGES.y_train > 0) - 1, "labels: found -1 to 1"),
        (np.minimum(IMAGES.y_train, 1), "validation images"),
    ],
)
def test_labels_are_checked(y, message):
    with pytest.raises(InputError, match=message):
        trained(replace(IMAGES, y_train=y))


def test_early_stopping_needs_validation_images():
    empty = replace(IMAGES, x_validation=IMAGES.x_validation[:0], y_validation=IMAGES.y_validation[:0])
    assert np.isnan(trained(empty)[0]["validation_error"]).all()
    with pytest.raises(InputError, match="no validation images"):
        trained(empty, early_stopping="clean")


def test_dataset_says_what_was_done():
    found, made = trained(seeds=[0, 1], epochs=2)
    assert found["train_loss"].dims == ("seed", "epoch")
    assert found["eps_train"].dims == ()
    for variable in found.variables.values():
        assert {"units", "long_name"} <= set(variable.attrs)
    assert found.attrs["device"] == "cpu"
    assert found.attrs["dtype"] == "float32"
    x, y = torch.as_tensor(IMAGES.x_validation), torch.as_tensor(IMAGES.y_validation)
    for network, clean, attacked in zip(
        made, found["validation_error"][:, -1], found["validation_adversarial_error"][:, -1], strict=True
    ):
        assert not network.training
        assert float(clean) == pytest.approx(float((network(x).argmax(1) != y).float().mean()))
        other = perturb(Chain(network), x, y, training.FGSM, 0.1, box=(0, 1))
        assert float(attacked) == pytest.approx(float((network(other).argmax(1) != y).float().mean()))
