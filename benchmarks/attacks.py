"""Attacks beside the libraries people use and a hand-written autograd loop: sweeps over 20 eps, single FGSM, PGD.

Run from the checkout: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/attacks.py [folder]
``folder`` holds MNIST's t10k files in idx format; without it the 1,000 bundled test images are repeated ten times.
torchattacks, foolbox, cleverhans and ART are timed where they import (see envs/requirements-peers.txt).
Times are process CPU time on one core, medians of repeats in alternation; ratios are taken within one run.
Networks: MLP 784-256-10 with ReLU, and softmax regression, trained for 5 epochs on the bundled images; float32.
"""

import functools
import importlib
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor, nn

from advdyn.attacks import classifier, engine, kernels
from advdyn.attacks.attack import FGSM, Attack
from advdyn.data import bundled, idx

BOX, EPS, ONE_EPS = (0.0, 1.0), np.linspace(0.015, 0.3, 20).tolist(), 0.1
STEPS, STEP = 20, 0.01
PGD = Attack(initialisation="uniform", steps=STEPS, step=STEP, step_unit="pixel")
BATCH = 1000  # of the peers, as they are usually run; ours have their own
PEERS = {
    "torchattacks": ["torchattacks"],
    "foolbox": ["foolbox"],
    "cleverhans": [
        "cleverhans.torch.attacks.fast_gradient_method",
        "cleverhans.torch.attacks.projected_gradient_descent",
    ],
    "ART": ["art.attacks.evasion", "art.estimators.classification"],
}
Make = Callable[[Tensor, Tensor], Tensor]
Maker = Callable[[float, int], Make]


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, and 10,000 images and labels to attack."""
    data = bundled.dataset()
    x = torch.tensor(data["image"].to_numpy()).reshape(len(data["image"]), -1).float() / 255
    y, split = (torch.tensor(data[name].to_numpy().astype(np.int64)) for name in ("label", "split"))
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        names = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
        image, label = idx.read_pair(*(next(folder.glob(f"{name}*")) for name in names))
        test, labels = torch.tensor(image.reshape(len(image), -1)).float() / 255, torch.tensor(label.astype(np.int64))
        print(f"{len(test):,} images of {folder.name}")
    else:
        test, labels = x[split == 2].repeat(10, 1), y[split == 2].repeat(10)
        print(f"{len(test):,} images: the bundled test images, ten times")
    return x[split == 0], y[split == 0], test, labels


def trained(x: Tensor, y: Tensor, *layers: nn.Module) -> nn.Sequential:
    """The network after 5 epochs of Adam."""
    net = nn.Sequential(*layers)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(5):
        for rows in torch.randperm(len(x)).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimiser.step()
    return net.eval()


def autograd(net: nn.Module, box: bool = True) -> Maker:
    """The attack written out with autograd, as one would by hand."""

    def maker(eps: float, steps: int) -> Make:
        def make(x: Tensor, y: Tensor) -> Tensor:
            made = x if steps == 1 else (x + torch.empty_like(x).uniform_(-eps, eps)).clamp_(0, 1)
            for _ in range(steps):
                made = made.detach().requires_grad_(True)
                (g,) = torch.autograd.grad(nn.functional.cross_entropy(net(made), y), made)
                made = made.detach() + (eps if steps == 1 else STEP) * g.sign()
                if steps > 1:
                    made = x + (made - x).clamp_(-eps, eps)
                if box:
                    made = made.clamp_(0, 1)
            return made

        return make

    return maker


def torchattacks(net: nn.Module) -> Maker:
    """FGSM and PGD of torchattacks."""
    library = importlib.import_module("torchattacks")

    def maker(eps: float, steps: int) -> Make:
        made: Make = library.FGSM(net, eps=eps) if steps == 1 else library.PGD(net, eps=eps, alpha=STEP, steps=steps)
        return made

    return maker


def foolbox(net: nn.Module) -> Maker:
    """FGSM and PGD of foolbox."""
    library = importlib.import_module("foolbox")
    model = library.PyTorchModel(net, bounds=BOX, device="cpu")
    pgd = library.attacks.LinfProjectedGradientDescentAttack

    def maker(eps: float, steps: int) -> Make:
        attack = library.attacks.FGSM() if steps == 1 else pgd(abs_stepsize=STEP, steps=steps, random_start=True)
        return lambda x, y: attack.run(model, x, library.criteria.Misclassification(y), epsilon=eps)

    return maker


def cleverhans(net: nn.Module) -> Maker:
    """FGSM and PGD of cleverhans."""
    fgsm = importlib.import_module(PEERS["cleverhans"][0]).fast_gradient_method
    pgd = importlib.import_module(PEERS["cleverhans"][1]).projected_gradient_descent

    def maker(eps: float, steps: int) -> Make:
        if steps == 1:
            return lambda x, y: fgsm(net, x, eps, np.inf, *BOX, y=y)
        return lambda x, y: pgd(net, x, eps, STEP, steps, np.inf, *BOX, y=y, sanity_checks=False)

    return maker


def art(net: nn.Module) -> Maker:
    """FGSM and PGD of the Adversarial Robustness Toolbox."""
    evasion = importlib.import_module("art.attacks.evasion")
    estimators = importlib.import_module("art.estimators.classification")
    model = estimators.PyTorchClassifier(
        net, nn.CrossEntropyLoss(), (784,), nb_classes=10, clip_values=BOX, device_type="cpu"
    )

    def maker(eps: float, steps: int) -> Make:
        if steps == 1:
            attack = evasion.FastGradientMethod(model, eps=eps, batch_size=BATCH)
        else:
            attack = evasion.ProjectedGradientDescentPyTorch(
                model, eps=eps, eps_step=STEP, max_iter=steps, batch_size=BATCH, num_random_init=1, verbose=False
            )
        return lambda x, y: torch.from_numpy(attack.generate(x.numpy(), y.numpy()))

    return maker


def present() -> dict[str, Callable[[nn.Module], Maker]]:
    """The peers that import; says which do not."""
    makers: dict[str, Callable[[nn.Module], Maker]] = {
        "torchattacks": torchattacks,
        "foolbox": foolbox,
        "cleverhans": cleverhans,
        "ART": art,
    }
    for name, modules in PEERS.items():
        try:
            for module in modules:
                importlib.import_module(module)
        except Exception as error:  # an import may fail in any way
            print(f"missing: {name} ({type(error).__name__}: {error})")
            del makers[name]
    return makers


def errors(net: nn.Module, make: Maker, x: Tensor, y: Tensor, eps: list[float], steps: int) -> list[float]:
    """Error under an attack at each eps, batch by batch."""
    found = []
    for size in eps:
        attack, wrong = make(size, steps), 0
        for rows, label in zip(x.split(BATCH), y.split(BATCH), strict=True):
            made = attack(rows, label)
            with torch.no_grad():
                wrong += int((net(made).argmax(1) != label).sum())
        found.append(wrong / len(x))
    return found


def race(title: str, contestants: dict[str, Callable[[], list[float]]], repeats: int) -> None:
    """Time the contestants in alternation; print each beside the fastest that is not ours."""
    found = {name: call() for name, call in contestants.items()}  # and warm up
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, call in contestants.items():
            start = time.process_time()
            call()
            taken[name].append(time.process_time() - start)
    seconds = {name: float(np.median(values)) for name, values in taken.items()}
    rivals = [name for name in seconds if not name.startswith("advdyn")]
    reference = "torchattacks" if "torchattacks" in seconds else "autograd"
    fastest = min(rivals, key=seconds.__getitem__)
    print(f"\n{title}: reference {reference}, fastest rival {fastest}")
    for name, value in seconds.items():
        apart = max(abs(a - b) for a, b in zip(found[name], found[reference], strict=True))
        print(
            f"  {name:16s} {value:7.3f} s   {seconds[reference] / value:6.2f} times the reference, "
            f"{seconds[fastest] / value:6.2f} the fastest rival; error {np.mean(found[name]):.4f}, "
            f"largest difference {apart:.4f}"
        )


def product(kernel: kernels.Kernel) -> float:
    """Rate of a product of 500 x 784 by 784 x 256, in 10^9 operations per second: the limit of all of this."""
    x, weight, taken = torch.rand(500, 784), torch.rand(256, 784), []
    for _ in range(50):
        start = time.process_time()
        kernels.linear(x, weight, None, kernel)
        taken.append(time.process_time() - start)
    return 2e-9 * 500 * 784 * 256 / float(np.median(taken))


def main() -> None:
    """Run all comparisons."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    train, labels, x, y = digits()
    mlp = trained(train, labels, nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    softmax = trained(train, labels, nn.Linear(784, 10))
    peers = present()
    print("best kernel here: " + ("oneDNN" if kernels.available() else "torch's own; the two below are the same"))
    print(f"matrix product: torch {product('plain'):.0f}, best {product('auto'):.0f} GF/s")

    for title, net in (("MLP 784-256-10", mlp), ("softmax 784-10", softmax)):
        compare(title, net, peers, x, y)


def compare(title: str, net: nn.Module, peers: dict[str, Callable[[nn.Module], Maker]], x: Tensor, y: Tensor) -> None:
    """Run the comparisons of one network."""
    models = {"advdyn, plain": classifier.of(net, 784, 10, "plain"), "advdyn, best": classifier.of(net, 784, 10)}
    makers = {"autograd": autograd(net), **{name: make(net) for name, make in peers.items()}}

    def theirs(make: Maker, attack: Attack, eps: list[float]) -> Callable[[], list[float]]:
        return lambda: errors(net, make, x, y, eps, attack.steps)

    def ours(attack: Attack, eps: list[float], box: engine.Box) -> dict[str, Callable[[], list[float]]]:
        def curve(model: classifier.Classifier) -> list[float]:
            generator = torch.Generator().manual_seed(0)
            wrong = engine.sweep(model, x, y, attack, eps, box=box, generator=generator).wrong
            return [float(error) for error in wrong.double().mean(1)]

        return {name: functools.partial(curve, model) for name, model in models.items()}

    for what, attack, eps, repeats in (
        ("FGSM at 20 eps, with evaluation", FGSM, EPS, 3),
        ("FGSM at one eps, with evaluation", FGSM, [ONE_EPS], 7),
        ("PGD-20 from a random start, with evaluation", PGD, [ONE_EPS], 3),
    ):
        others = {name: theirs(make, attack, eps) for name, make in makers.items()}
        race(f"{title}, {what}", {**others, **ours(attack, eps, BOX)}, repeats)
    free = {"autograd": theirs(autograd(net, box=False), FGSM, EPS)}
    race(f"{title}, FGSM at 20 eps without the pixel box", {**free, **ours(FGSM, EPS, None)}, 5)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the peers deprecate is theirs to mend
        main()
