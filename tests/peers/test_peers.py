"""The same examples and errors as the libraries people use: torchattacks, foolbox, cleverhans, ART.

None of them is needed by advdyn: each that does not import is skipped. See envs/requirements-peers.txt.
"""

import copy
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from advdyn.attacks import classifier, engine
from advdyn.attacks.attack import Attack
from advdyn.data import bundled, idx

ROOT = Path(__file__).resolve().parents[2]
MNIST = ROOT.parent / "shared" / "mnist"
BOX, SIDE, SEED = (0.0, 1.0), 28, 7
EPS = {"linf": (0.03, 0.1), "l2": (0.5, 1.5)}
STEPS, STEP = 10, 0.2  # in units of eps
CLOSE = 0.001  # a tenth of a percentage point
NEEDS = {
    "torchattacks": ("torchattacks",),
    "foolbox": ("foolbox", "eagerpy"),
    "cleverhans": (
        "cleverhans.torch.attacks.fast_gradient_method",
        "cleverhans.torch.attacks.projected_gradient_descent",
    ),
    "art": ("art.attacks.evasion", "art.estimators.classification"),
}


@pytest.fixture(scope="module")
def digits():
    """The bundled images, as float32 in [0, 1]."""
    data = bundled.dataset()
    x = torch.tensor(data["image"].to_numpy()).reshape(len(data["image"]), -1).float() / 255
    y, split = (torch.tensor(data[name].to_numpy().astype(np.int64)) for name in ("label", "split"))
    return {"train": (x[split == 0], y[split == 0]), "test": (x[split == 2], y[split == 2])}


@pytest.fixture(scope="module", params=["10,000 MNIST test images", "1,000 bundled test images"])
def images(request, digits):
    if request.param.startswith("1,000"):
        return digits["test"]
    if not MNIST.is_dir():
        pytest.skip(f"the 10,000 MNIST test images are not in ../{MNIST.parent.name}/{MNIST.name}")
    x, y = idx.read_pair(MNIST / "t10k-images-idx3-ubyte.gz", MNIST / "t10k-labels-idx1-ubyte.gz")
    return torch.tensor(x.reshape(len(x), -1)).float() / 255, torch.tensor(y.astype(np.int64))


@pytest.fixture(scope="module", params=["mlp", "softmax"])
def module(request, digits):
    """A network trained for a few epochs; takes images (n, 1, 28, 28) or (n, 784)."""
    x, y = digits["train"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        layers = [nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)] if request.param == "mlp" else [nn.Linear(784, 10)]
        net = nn.Sequential(nn.Flatten(), *layers)
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(5):
            for rows in torch.randperm(len(x)).split(50):
                optimiser.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
                optimiser.step()
    return net.eval().requires_grad_(False)


@pytest.fixture(params=NEEDS)
def peer(request):
    """The examples that a library makes: (network, x, y, norm, eps, step, steps, noise or None) -> x'."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they deprecate is theirs to mend
        try:
            for name in NEEDS[request.param]:
                importlib.import_module(name)
        except Exception as error:  # an import may fail in any way
            pytest.skip(f"{request.param} does not import here ({type(error).__name__}: {error})")
        with torch.random.fork_rng(devices=[]):
            yield globals()[request.param]


def torchattacks(net, x, y, norm, eps, step, steps, noise):
    import torchattacks as ta

    torch.manual_seed(SEED)  # it draws its starts from the global generator
    if steps == 1 and norm == "linf":
        return ta.FGSM(net, eps=eps)(x, y)
    kind = ta.PGD if norm == "linf" else ta.PGDL2
    return kind(net, eps=eps, alpha=step, steps=steps, random_start=noise is not None)(x, y)


def foolbox(net, x, y, norm, eps, step, steps, noise):
    import eagerpy as ep
    import foolbox as fb

    base = (
        fb.attacks.LinfProjectedGradientDescentAttack if norm == "linf" else fb.attacks.L2ProjectedGradientDescentAttack
    )

    class FromNoise(base):
        def get_random_start(self, x0, epsilon):
            return ep.astensor(x0.raw + noise.view_as(x0.raw))

    attack = FromNoise(abs_stepsize=step, steps=steps, random_start=noise is not None)
    if steps == 1:
        attack = fb.attacks.FGSM() if norm == "linf" else fb.attacks.FGM()
    return attack.run(fb.PyTorchModel(net, bounds=BOX, device="cpu"), x, fb.criteria.Misclassification(y), epsilon=eps)


def cleverhans(net, x, y, norm, eps, step, steps, noise):
    from cleverhans.torch.attacks.fast_gradient_method import fast_gradient_method
    from cleverhans.torch.attacks.projected_gradient_descent import projected_gradient_descent

    torch.manual_seed(SEED)  # as torchattacks
    order = np.inf if norm == "linf" else 2
    if steps == 1:
        # a gradient of less than 1e-6 counts as 0 there, and it is that of the mean over the images: few at a time
        parts = zip(x.split(500), y.split(500), strict=True)
        return torch.cat([fast_gradient_method(net, part, eps, order, *BOX, y=label).detach() for part, label in parts])
    start = noise is not None
    return projected_gradient_descent(net, x, eps, step, steps, order, *BOX, y=y, rand_init=start).detach()


def art(net, x, y, norm, eps, step, steps, noise):
    from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(
        net, nn.CrossEntropyLoss(), x.shape[1:], nb_classes=10, clip_values=BOX, device_type="cpu"
    )
    order, batch = np.inf if norm == "linf" else 2, 1000
    if steps == 1:
        attack = FastGradientMethod(model, norm=order, eps=eps, batch_size=batch)
    else:
        attack = ProjectedGradientDescentPyTorch(
            model, norm=order, eps=eps, eps_step=step, max_iter=steps, batch_size=batch, verbose=False
        )
    return torch.from_numpy(attack.generate(x.numpy(), y=nn.functional.one_hot(y, 10).numpy()))


def start(x, eps):
    """The random start that torch.empty_like(x).uniform_(-eps, eps) gives with the seed."""
    return eps * torch.empty_like(x).uniform_(-1, 1, generator=torch.Generator().manual_seed(SEED))


def theirs(make, net, x, y, attack, eps):
    noise = start(x, eps) if attack.random else None
    square = x.view(-1, 1, SIDE, SIDE)
    length = attack.step * eps
    return make(net, square, y, attack.norm, eps, length, attack.steps, noise).detach().reshape(len(x), -1)


def ours(net, x, y, attack, eps):
    generator = torch.Generator().manual_seed(SEED)
    return engine.perturb(classifier.of(net, x.shape[1]), x, y, attack, eps, box=BOX, generator=generator)


def error(net, x, y):
    with torch.no_grad():
        return float((net(x).argmax(1) != y).float().mean())


@pytest.mark.parametrize("norm", EPS)
@pytest.mark.parametrize("kind", ["single", "iterated", "from a random start"])
def test_adversarial_error_is_that_of_the_peers(peer, module, images, kind, norm):
    x, y = images
    random = kind == "from a random start"
    if random and (norm == "l2" or peer is art):
        pytest.skip(f"{peer.__name__} cannot be given the random start in {norm}")
    if kind == "single" and norm == "l2" and peer is torchattacks:
        pytest.skip("torchattacks has no single-step attack in l2")
    if kind == "iterated" and norm == "l2" and peer in (cleverhans, art):
        pytest.skip(f"{peer.__name__} clips to the box before it projects on the l2 ball: another attack")
    attack = Attack(norm=norm, initialisation="uniform" if random else "image", steps=STEPS, step=STEP)
    if kind == "single":
        attack = Attack(norm=norm)
    clean = error(module, x, y)
    for eps in EPS[norm]:
        found = error(module, ours(module, x, y, attack, eps), y)
        assert found == pytest.approx(error(module, theirs(peer, module, x, y, attack, eps), y), abs=CLOSE)
        assert found > clean + 0.02


def test_pixels_are_those_of_the_peers_wherever_there_is_a_gradient(peer, module, images):
    x, y = images
    eps = 0.1
    one, two = ours(module, x, y, Attack(), eps), theirs(peer, module, x, y, Attack(), eps)
    exact = classifier.of(copy.deepcopy(module).double(), x.shape[1])
    _, g = exact.pullback(x.double(), lambda z: z.softmax(1) - nn.functional.one_hot(y, 10))
    # a probability is known to the rounding of float32 only, and the gradient to that times the weights
    rounding = 1e-6 * torch.autograd.functional.jacobian(module, x[:1]).abs().max()
    there = g.abs() > rounding
    # x + eps s, whichever way it is written, to the last bit
    differs = (one - two).abs() > 2e-7
    assert not (differs & there).any()
    assert differs.float().mean() < 0.02
    assert there.float().mean() > 0.3
