"""Train networks with and without attacks on their training images, and with the controls that an attack needs.

Every method is an attack (or noise, or none) and a loss, see ``METHODS``; the attacks are those of
``advdyn.attacks.engine``. Methods and eps_train share the order of the images and the initial weights of a seed,
so that runs are compared in pairs.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from advdyn import devices, io, lanes
from advdyn import seeds as streams
from advdyn.attacks.attack import FGSM, Attack
from advdyn.attacks.engine import Box, perturb
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import Progress, log
from advdyn.robustness import linear_batch, networks
from advdyn.robustness.trainee import Chain, Module, Part, Stack, Trainee

STUDY = "robustness"
STOPPING = ("none", "clean", "adversarial")
DIVERGED = 1e4  # nats, mean over an epoch: guessing costs log(classes), and exp(-103) is 0 in float32
CHUNK = 500  # images of each run that are evaluated at once
GOODFELLOW = "Goodfellow, Shlens and Szegedy, arXiv:1412.6572"
MADRY = "Madry et al., arXiv:1706.06083"


@dataclass(frozen=True)
class Method:
    """What a method of training does to its images.

    Attributes
    ----------
    attack
        Made on every batch: ``none``, ``fgsm``, ``pgd``, or noise of the same size, ``sign`` or ``uniform``.
    mixed
        Whether the loss is mix J(x) + (1 - mix) J(x'), else J(x').
    varied
        Whether each image has its own eps, uniform in [0, eps_train].
    lost
        Whether only images count that are misclassified, with the attack or without.
    """

    attack: Literal["none", "fgsm", "pgd", "sign", "uniform"] = "none"
    mixed: bool = False
    varied: bool = False
    lost: bool = False


METHODS = {
    "standard": Method(),
    "fgsm": Method("fgsm", mixed=True),
    "fgsm-minmax": Method("fgsm"),
    "pgd": Method("pgd"),
    "sign-noise": Method("sign", mixed=True),
    "uniform-noise": Method("uniform", mixed=True),
    "random-eps": Method("fgsm", mixed=True, varied=True),
    "nonrobust": Method("fgsm", lost=True),
}


@dataclass(frozen=True)
class Plan:
    """How the runs of a job are trained; the fields are the parameters of ``run``."""

    method: Method
    attack: Attack | None
    mix: float
    box: Box
    optimiser: str
    learning_rate: float
    momentum: float
    weight_decay: float
    batch: int
    epochs: int
    early_stopping: str
    patience: int


@dataclass(frozen=True)
class Data:
    """Images and labels that training reads, on its device."""

    x: Tensor
    y: Tensor
    x_validation: Tensor
    y_validation: Tensor


@dataclass(frozen=True)
class Run:
    """Eps and random streams of one run, and its network."""

    eps: float
    network: nn.Module
    order: np.random.Generator  # of the images
    noise: torch.Generator  # of the attack
    chance: int  # seeds torch's global generator, for layers that draw from it


@dataclass
class History:
    """What is written down of one run while it is trained; arrays are (epoch,), NaN where none was run."""

    train_loss: np.ndarray
    validation_error: np.ndarray
    validation_adversarial_error: np.ndarray
    kept_epoch: int = 0
    best_epoch: int = 0  # of the smallest validation error, with early stopping
    updates: int = 0
    diverged: bool = False
    train_error: float = math.nan

    @classmethod
    def empty(cls, epochs: int) -> "History":
        """Nothing run yet."""
        return cls(np.full(epochs, np.nan), np.full(epochs, np.nan), np.full(epochs, np.nan))


def run(
    images: Images,
    *,
    module_file: str | None,
    model: str,
    training: str,
    eps_train: lanes.Parameter,
    n_train: int,
    clip_train: bool,
    mix: float,
    train_steps: int,
    train_step: float,
    optimiser: Literal["sgd", "adam"],
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    batch: int,
    epochs: int,
    least_updates: int,
    early_stopping: Literal["none", "clean", "adversarial"],
    patience: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, list[nn.Module]]:
    """Train one network for each eps_train and seed.

    Parameters
    ----------
    images
        Of training the first ``n_train`` are used, of validation all; test images are not read.
    module_file, model
        See ``networks.build``.
    training
        standard; fgsm (mix J(x) + (1 - mix) J(x + eps sign grad J)); fgsm-minmax (J of attacked images alone); pgd
        (the same under ``train_steps`` steps of ``train_step`` eps_train from a uniform start); sign-noise and
        uniform-noise (as fgsm, with noise of the same size: controls); random-eps (as fgsm, each image with its own
        eps, uniform in [0, eps_train]); nonrobust (J of attacked images where they or their originals are
        misclassified; the mean is over all images).
    eps_train
        l_inf length of the training attack in units of the pixel range; a list is a lane axis.
    clip_train
        Whether attacked and noisy images are clipped to [0, 1].
    optimiser, learning_rate, momentum, weight_decay
        torch.optim.SGD or Adam; ``momentum`` is SGD's; ``weight_decay`` is added to the gradient in both.
    batch
        Images of an update; what is left of an epoch's order is not used in that epoch.
    epochs, least_updates
        Epochs run: at least ``epochs``, and so many that there are ``least_updates`` updates.
    early_stopping, patience
        Stop after ``patience`` epochs without a smaller validation error (without attack, or under FGSM of size
        eps_train), and keep the weights of the epoch that had the smallest first; ``none`` keeps the last.

    Returns
    -------
    dataset
        Over ([eps_train,] seed, epoch): train_loss, validation_error, validation_adversarial_error; over ([eps_train,]
        seed): kept_epoch, updates, diverged, train_error. A run whose loss or weights are not finite, or whose loss
        exceeds 1e4, is stopped and marked ``diverged``.
    networks
        In eval mode, in C order of (eps_train, seed).

    Raises
    ------
    InputError
        When the images do not suffice, a class is missing, a setting is not allowed, or a network cannot be built.
    """
    where = devices.resolve(device)
    kind = devices.DTYPES[dtype]
    if training not in METHODS:
        raise InputError(f"training: found {training!r}, allowed: {', '.join(METHODS)}")
    classes = _classes(images, n_train)
    epochs = _epochs(n_train, batch, epochs, least_updates)
    if early_stopping not in STOPPING:
        raise InputError(f"early_stopping: found {early_stopping!r}, allowed: {', '.join(STOPPING)}")
    if early_stopping != "none" and not len(images.y_validation):
        raise InputError("early_stopping: there are no validation images; allowed: none")
    method = METHODS[training]
    plan = Plan(
        method, _attack(method, train_steps, train_step), mix, (0.0, 1.0) if clip_train else None, optimiser,
        learning_rate, momentum, weight_decay, batch, epochs, early_stopping, patience,
    )  # fmt: skip
    grid = lanes.expand(eps_train=eps_train)
    for size in grid.values["eps_train"]:
        if not 0 <= size < math.inf:
            raise InputError(f"eps_train: found {size:g}, allowed: finite numbers, 0 or more")
    data = Data(*(
        torch.as_tensor(values).to(where, kind if values.dtype.kind == "f" else torch.int64)
        for values in (images.x_train[:n_train], images.y_train[:n_train], images.x_validation, images.y_validation)
    ))  # fmt: skip
    made = {
        seed: networks.initialise(
            model, images.shape, classes, streams.integer(root, STUDY, seed, "initialisation"), kind, module_file
        )
        for seed in seeds
    }
    runs = [
        Run(
            float(eps), copy.deepcopy(made[seed]).to(where), streams.generator(root, STUDY, seed, "training"),
            torch.Generator().manual_seed(streams.integer(root, STUDY, seed, "attack")),
            streams.integer(root, STUDY, seed, "training"),
        )
        for eps in grid.values["eps_train"] for seed in seeds
    ]  # fmt: skip
    batched = where.type == "cuda" and len(runs) > 1 and Stack.fits([runs[0].network], data.x[:2])
    histories = train(runs, data, plan, classes, batched=batched)
    for one, history in zip(runs, histories, strict=True):
        if history.diverged:
            log.warning("eps_train = %g: a run diverged after %d updates", one.eps, history.updates)
    dataset = _dataset(histories, grid, seeds, epochs, classes, n_train, MADRY if training == "pgd" else GOODFELLOW)
    dataset.attrs |= {
        "device": str(where),
        "dtype": dtype,
        "generator": "numpy SFC64 orders of images, torch mt19937 noise and initial weights made on the CPU; "
        "one stream for each seed and purpose, shared by all methods and eps_train",
    }
    return dataset, [one.network.eval() for one in runs]


def train(runs: Sequence[Run], data: Data, plan: Plan, classes: int, *, batched: bool) -> list[History]:
    """Train the networks of ``runs`` in place: all as one batch, or one after the other.

    Both give the same to rounding. One after the other a run depends on nothing but itself, to the last bit. Linear
    models of two classes under plain SGD have a closed form that serves all runs of a seed at once, to rounding
    (``closed_form``).
    """
    pixels = data.x.shape[1]
    if batched:
        return _together(Stack([one.network for one in runs], pixels, classes), runs, data, plan)
    if len(runs) > 1 and all(closed_form(one, plan) for one in runs):
        return _closed_form(runs, data, plan)
    histories = []
    progress = Progress(len(runs), "runs")
    for number, one in enumerate(runs):
        fits = isinstance(one.network, nn.Sequential) and Chain.fits(one.network)
        trainee: Trainee = Chain(one.network) if fits else Module(one.network, pixels, classes)  # type: ignore[arg-type]
        # layers that draw random numbers take them from torch's global generator
        with torch.random.fork_rng(devices=[data.x.device] if data.x.device.type == "cuda" else []):
            torch.manual_seed(one.chance)
            histories += _together(trainee, [one], data, plan)
        progress(number + 1)
    return histories


def closed_form(one: Run, plan: Plan) -> bool:
    """Whether a run is one of ``linear_batch.binary``: a linear model of two classes under plain SGD and pure FGSM."""
    network, method = one.network, plan.method
    if not (isinstance(network, nn.Sequential) and len(network) == 1 and Chain.fits(network)):
        return False
    plain = plan.optimiser == "sgd" and plan.momentum == 0 and plan.weight_decay == 0 and plan.early_stopping == "none"
    pure = method.attack == "none" or (method.attack == "fgsm" and not method.mixed and not method.varied)
    exact = one.eps == 0 or (plan.box is None and pure)
    return len(network[0].bias) == 2 and plain and exact and not method.lost  # type: ignore[arg-type]


@torch.no_grad()
def _closed_form(runs: Sequence[Run], data: Data, plan: Plan) -> list[History]:
    """Train linear models of two classes, all runs of a seed (they see the same images) as one batch.

    The loss depends on the difference u of the two rows of weights alone, which learns at twice the rate.
    """
    histories = [History.empty(plan.epochs) for _ in runs]
    tau, held = (torch.where(y == 1, 1.0, -1.0).to(data.x.dtype) for y in (data.y, data.y_validation))
    updates = len(data.y) // plan.batch
    for chance in dict.fromkeys(one.chance for one in runs):
        rows = [r for r, one in enumerate(runs) if one.chance == chance]
        layers = [runs[r].network[0] for r in rows]  # type: ignore[index]
        start = [(layer.weight.clone(), layer.bias.clone()) for layer in layers]
        eps = torch.tensor([runs[r].eps for r in rows], dtype=data.x.dtype, device=data.x.device)
        if plan.method.attack == "none":
            eps = torch.zeros_like(eps)
        members = linear_batch.Members(
            torch.stack([w[1] - w[0] for w, _ in start]),
            torch.stack([b[1] - b[0] for _, b in start]),
            eps,
            torch.full_like(eps, 2 * plan.learning_rate),
        )
        for epoch in range(plan.epochs):
            losses = torch.zeros_like(eps)
            order = runs[rows[0]].order.permutation(len(data.y))[None]
            members = linear_batch.binary(members, data.x, tau, order, plan.batch, losses)
            finite = members.weight.isfinite().all(1) & members.bias.isfinite() & (losses / updates <= DIVERGED)
            margin = held * (members.weight @ data.x_validation.T + members.bias[:, None])
            reach = torch.tensor([runs[r].eps for r in rows]).to(eps)[:, None] * members.weight.abs().sum(
                1, keepdim=True
            )
            for k, r in enumerate(rows):
                history = histories[r]
                if history.diverged:
                    continue
                history.updates += updates
                history.kept_epoch = epoch + 1
                history.diverged = not bool(finite[k])
                if not history.diverged:
                    history.train_loss[epoch] = float(losses[k] / updates)
                    history.validation_error[epoch] = float((margin[k] <= 0).double().mean())
                    history.validation_adversarial_error[epoch] = float((margin[k] <= reach[k]).double().mean())
        wrong = tau * (members.weight @ data.x.T + members.bias[:, None]) <= 0
        for k, (r, layer, (weight, bias)) in enumerate(zip(rows, layers, start, strict=True)):
            u, c = members.weight[k], members.bias[k]
            layer.weight.copy_((weight.sum(0) + torch.stack([-u, u])) / 2)
            layer.bias.copy_((bias.sum(0) + torch.stack([-c, c])) / 2)
            if not histories[r].diverged:
                histories[r].train_error = float(wrong[k].double().mean())
    return histories


def _together(trainee: Trainee, runs: Sequence[Run], data: Data, plan: Plan) -> list[History]:
    """Train the runs of one trainee, epoch by epoch, and put the weights to be kept into their networks."""
    histories = [History.empty(plan.epochs) for _ in runs]
    eps = torch.tensor([one.eps for one in runs], dtype=data.x.dtype, device=data.x.device)
    optimiser = _optimiser(trainee, plan)
    best = [math.inf] * len(runs)
    kept: list[_State | None] = [None] * len(runs)
    going = list(range(len(runs)))
    for epoch in range(plan.epochs):
        losses = _epoch(trainee, runs, eps, data, plan, optimiser)
        finite = trainee.parameters.isfinite().all(1).tolist()
        clean = _errors(trainee, data.x_validation, data.y_validation, None, plan.box)
        attacked = clean
        if any(one.eps > 0 for one in runs):
            attacked = _errors(trainee, data.x_validation, data.y_validation, eps, plan.box)
        for r in list(going):
            history, loss = histories[r], losses[r]
            history.updates += len(data.y) // plan.batch
            history.kept_epoch = epoch + 1
            if not (finite[r] and loss <= DIVERGED):
                history.diverged = True
                kept[r] = _State.of(trainee, r)
                going.remove(r)
                continue
            history.train_loss[epoch] = loss
            history.validation_error[epoch], history.validation_adversarial_error[epoch] = clean[r], attacked[r]
            if plan.early_stopping != "none":
                score = (clean if plan.early_stopping == "clean" else attacked)[r]
                if score < best[r]:
                    best[r], kept[r], history.best_epoch = score, _State.of(trainee, r), epoch + 1
                elif epoch + 1 - history.best_epoch >= plan.patience:
                    going.remove(r)
        if not going:
            break
    for r, (one, history) in enumerate(zip(runs, histories, strict=True)):
        state = kept[r]
        if state is not None:
            state.into(trainee, r)
            history.kept_epoch = history.kept_epoch if history.diverged else history.best_epoch
        _hand_over(trainee, r, one.network)
    for r, error in enumerate(_errors(trainee, data.x, data.y, None, plan.box)):
        if not histories[r].diverged:
            histories[r].train_error = error
    return histories


@dataclass(frozen=True)
class _State:
    """A copy of a run's parameters and buffers."""

    parameters: Tensor
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, trainee: Trainee, run: int) -> "_State":
        buffers = {name: buffer.clone() for name, buffer in trainee.buffers().items()}
        return cls(trainee.parameters[run].clone(), buffers)

    def into(self, trainee: Trainee, run: int) -> None:
        trainee.parameters[run] = self.parameters
        for name, buffer in trainee.buffers().items():
            buffer.copy_(self.buffers[name])
        trainee.changed()


def _hand_over(trainee: Trainee, run: int, network: nn.Module) -> None:
    """Give a network its own copy of its parameters."""
    at = 0
    for p in network.parameters():
        if p.requires_grad:
            p.data = trainee.parameters[run, at : at + p.numel()].clone().view(p.shape)
            p.grad = None
            at += p.numel()


def _optimiser(trainee: Trainee, plan: Plan) -> torch.optim.Optimizer:
    vector = trainee.parameters
    vector.grad = trainee.gradient
    if plan.optimiser == "adam":
        return torch.optim.Adam([vector], lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
    if plan.optimiser == "sgd":
        return torch.optim.SGD(
            [vector], lr=plan.learning_rate, momentum=plan.momentum, weight_decay=plan.weight_decay, fused=True
        )
    raise InputError(f"optimiser: found {plan.optimiser!r}, allowed: sgd, adam")


def _epoch(
    trainee: Trainee, runs: Sequence[Run], eps: Tensor, data: Data, plan: Plan, optimiser: torch.optim.Optimizer
) -> list[float]:
    """One pass over the images; the mean over its updates of the loss that each of them lowers, for each run."""
    n = len(data.y)
    orders = torch.as_tensor(np.stack([one.order.permutation(n) for one in runs])).to(data.x.device)
    total = torch.zeros(len(runs), dtype=data.x.dtype, device=data.x.device)
    updates = n // plan.batch
    for update in range(updates):
        rows = orders[:, update * plan.batch : (update + 1) * plan.batch].reshape(-1)
        x, y = data.x.index_select(0, rows), data.y.index_select(0, rows)
        total += trainee.descend(parts(trainee, runs, eps, x, y, plan), y)
        optimiser.step()
        trainee.changed()
    return [float(loss) for loss in total / updates]


def parts(trainee: Trainee, runs: Sequence[Run], eps: Tensor, x: Tensor, y: Tensor, plan: Plan) -> list[Part]:
    """The terms of a method's loss on one batch of every run.

    Parameters
    ----------
    eps : (runs,)
    x : (runs * batch, pixel), y : (runs * batch,)
        Run after run.
    """
    method = plan.method
    if plan.attack is None or (not method.lost and all(one.eps == 0 for one in runs)):
        return [Part(x, 1.0)]
    size: float | Tensor = runs[0].eps
    if len(runs) > 1 or method.varied:
        size = eps.repeat_interleave(len(x) // len(runs))
    if method.varied:
        size = size * torch.cat(
            [torch.rand(len(x) // len(runs), generator=one.noise, dtype=x.dtype) for one in runs]
        ).to(x.device)
    made = _attacked(trainee, runs, x, y, plan, size)
    if method.mixed:
        return [Part(x, plan.mix), Part(made, 1 - plan.mix)]
    lost = None
    if method.lost:
        lost = (trainee.logits(x).argmax(1) != y) | (trainee.logits(made).argmax(1) != y)
    return [Part(made, 1.0, lost)]


def _attacked(trainee: Trainee, runs: Sequence[Run], x: Tensor, y: Tensor, plan: Plan, size: float | Tensor) -> Tensor:
    """The attack, or noise, of a method on one batch of every run."""
    attack = plan.attack
    assert attack is not None
    if len(runs) == 1 or not attack.random:
        return perturb(trainee, x, y, attack, size, box=plan.box, generator=runs[0].noise, batch=len(x))
    # every run draws from its own stream, so the random starts are made run by run
    assert isinstance(size, Tensor)
    start = Attack(initialisation=attack.initialisation, steps=0)
    each = zip(runs, x.chunk(len(runs)), y.chunk(len(runs)), size.chunk(len(runs)), strict=True)
    made = torch.cat(
        [perturb(trainee, a, b, start, s, box=plan.box, generator=one.noise, batch=len(a)) for one, a, b, s in each]
    )
    low, high = x - size[:, None], x + size[:, None]
    for _ in range(attack.steps):
        made = perturb(trainee, made, y, FGSM, size * attack.step, box=None, batch=len(x))
        made = made.clamp(low, high)
        if plan.box is not None:
            made.clamp_(*plan.box)
    return made


def _errors(trainee: Trainee, x: Tensor, y: Tensor, eps: Tensor | None, box: Box) -> list[float]:
    """Share of the images (n, pixel) that each run gets wrong, without attack or under FGSM of its size eps (runs,)."""
    if not len(x):
        return [math.nan] * trainee.runs
    wrong = torch.zeros(trainee.runs, device=x.device)
    for images, labels in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
        n = len(images)
        every, label = images.repeat(trainee.runs, 1), labels.repeat(trainee.runs)
        if eps is not None:
            every = perturb(trainee, every, label, FGSM, eps.repeat_interleave(n), box=box, batch=len(every))
        wrong += (trainee.logits(every).argmax(1) != label).view(trainee.runs, n).sum(1)
    return [float(count) / len(x) for count in wrong]


def _attack(method: Method, steps: int, step: float) -> Attack | None:
    if method.attack == "none":
        return None
    if method.attack == "fgsm":
        return FGSM
    if method.attack == "pgd":
        return Attack(initialisation="uniform", steps=steps, step=step)
    return Attack(initialisation=method.attack, steps=0)


def _classes(images: Images, n_train: int) -> int:
    """Number of classes; refuses images that cannot be trained on."""
    found = len(images.y_train)
    if not 1 <= n_train <= found:
        raise InputError(f"n_train: found {n_train}, allowed: 1 to {found}, the training images there are")
    low, high = int(images.y_train.min()), int(images.y_train.max())
    if low < 0 or high < 1:
        raise InputError(f"labels: found {low} to {high}, allowed: classes 0, 1, .. of which there are two or more")
    missing = sorted(set(range(high + 1)) - set(np.unique(images.y_train[:n_train]).tolist()))
    if missing:
        raise InputError(
            f"n_train: the first {n_train} training images hold none of class {', '.join(map(str, missing))}; "
            "allowed: every class from 0 to the largest label at least once"
        )
    if len(images.y_validation) and not 0 <= int(images.y_validation.min()) <= int(images.y_validation.max()) <= high:
        raise InputError(f"labels of validation images: found some that are not among the {high + 1} classes")
    return high + 1


def _epochs(n_train: int, batch: int, epochs: int, least_updates: int) -> int:
    if not 1 <= batch <= n_train:
        raise InputError(f"batch: found {batch} with n_train {n_train}, allowed: 1 to n_train")
    return max(epochs, math.ceil(least_updates / (n_train // batch)))


def _dataset(
    histories: Sequence[History],
    grid: lanes.Lanes,
    seeds: Sequence[int],
    epochs: int,
    classes: int,
    n_train: int,
    references: str,
) -> xr.Dataset:
    each = (*grid.dims, "seed")

    def over(name: str, about: str, kind: type = float) -> xr.Variable:
        values: np.ndarray = np.array([getattr(history, name) for history in histories], dtype=kind)
        shaped = values.reshape(*grid.shape, len(seeds), *values.shape[1:])
        return io.variable((*each, "epoch")[: shaped.ndim], shaped, about, "1", references)

    eps = grid.coords.get("eps_train", grid.values["eps_train"][0])
    return xr.Dataset(
        {
            "train_loss": over("train_loss", "training loss, mean over the updates of an epoch"),
            "validation_error": over("validation_error", "validation error without attack"),
            "validation_adversarial_error": over(
                "validation_adversarial_error", "validation error under FGSM of size eps_train"
            ),
            "kept_epoch": over("kept_epoch", "epoch whose weights were kept", int),
            "updates": over("updates", "updates made", int),
            "diverged": over("diverged", "whether the run diverged (its numbers are NaN from there on)", np.int8),
            "train_error": over("train_error", "training error without attack, weights as kept"),
            "n_train": io.variable((), n_train, "training images"),
            "classes": io.variable((), classes, "classes"),
        },
        coords={
            "eps_train": io.variable(grid.dims, eps, "training attack (l_inf)", "pixel range"),
            "seed": io.variable(("seed",), np.asarray(seeds), "seed of the run"),
            "epoch": io.variable(("epoch",), np.arange(1, epochs + 1), "passes over the training images"),
        },
    )
