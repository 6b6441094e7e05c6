"""Attacks without the network: examples made on one network and judged by another, directly or through a surrogate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from advdyn import devices, io, seeds
from advdyn.attacks import engine
from advdyn.attacks.attack import Attack
from advdyn.attacks.classifier import Classifier
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import Progress, log
from advdyn.robustness import measures, networks, training
from advdyn.robustness.measures import PIXELS, UNIT

SURROGATE_SEEDS = 1_000_000  # added to the target's seed: a surrogate shares no initialisation with any target
BLACK_BOX = "Papernot et al., arXiv:1602.02697"
TRANSFER = "Goodfellow, Shlens and Szegedy, arXiv:1412.6572; Szegedy et al., arXiv:1312.6199"


@dataclass(frozen=True)
class Compared:
    """The runs of one model and training, one for each seed.

    Attributes
    ----------
    label
        "model/training/eps", such as "mlp-256/fgsm/0.1".
    eps_train
        Size of the attack in training; 0 for standard training.
    seeds
        In increasing order.
    networks
        One for each seed, in evaluation mode.
    diverged
        Whether each diverged in training; such a network is neither attacked nor shown.
    """

    label: str
    model: str
    training: str
    eps_train: float
    n_train: int
    seeds: tuple[int, ...]
    networks: tuple[nn.Module, ...]
    diverged: tuple[bool, ...]

    def at(self, rows: Sequence[int]) -> "Compared":
        """The same for some of the seeds."""
        parts = {name: tuple(getattr(self, name)[k] for k in rows) for name in ("seeds", "networks", "diverged")}
        return replace(self, **parts)  # type: ignore[arg-type]

    def classifier(self, k: int, x: Tensor) -> Classifier | None:
        """The run of the k-th seed as a classifier of images like ``x``, None if it diverged."""
        return None if self.diverged[k] else measures.classifier_of(self.networks[k], x)


File = tuple[xr.Dataset, Sequence[nn.Module], Mapping[str, Any]]


def _runs(file: File) -> Iterator[tuple[str, str, float, int, int, tuple[nn.Module, bool]]]:
    """Model, training, eps_train, n_train, seed, network and whether it diverged, of every run of a trained file."""
    dataset, networks, cell = file
    point = io.point_of(dataset) if "parameters" in dataset.attrs else {}
    model, kind = (str(cell[name] if name in cell else point[name]) for name in ("model", "training"))
    diverged = dataset["diverged"]
    if len(networks) != diverged.size:
        raise InputError(f"{model}/{kind}: {len(networks)} networks for {diverged.size} runs in the training file")
    for index, network in zip(np.ndindex(*diverged.shape), networks, strict=True):
        at = dict(zip(diverged.dims, index, strict=True))
        if "eps_train" in at:
            eps = float(dataset["eps_train"].values[at["eps_train"]])
        elif "eps_train" in dataset.coords:
            eps = float(dataset["eps_train"])
        else:
            eps = float(cell.get("eps_train", point.get("eps_train", 0.0)))
        n_train = int(dataset["n_train"]) if "n_train" in dataset else int(cell["n_train"])
        seed = int(dataset["seed"].values[at["seed"]])
        yield model, kind, eps, n_train, seed, (network, bool(diverged.values[index]))


def compared(files: Sequence[File], eps_reference: float) -> list[Compared]:
    """The runs to compare: one entry for each model and training, with all its seeds.

    Of several sizes of the attack in training the one nearest to ``eps_reference`` is taken (for standard training
    there is only 0), of several numbers of training images the largest.

    Parameters
    ----------
    files
        Of each trained file its dataset (dims [eps_train,] seed), its networks in C order of these, and the values
        of its cell axes.

    Returns
    -------
    In the order in which models and trainings first come up in ``files``.

    Raises
    ------
    InputError
        When there is nothing to compare, or the entries have no seed in common.
    """
    groups: dict[tuple[str, str], dict[tuple[float, int], dict[int, tuple[nn.Module, bool]]]] = {}
    for file in files:
        for model, kind, eps, n_train, seed, trained in _runs(file):
            eps = 0.0 if kind == "standard" else eps
            groups.setdefault((model, kind), {}).setdefault((eps, n_train), {}).setdefault(seed, trained)
    found = []
    for (model, kind), points in groups.items():
        eps, n_train = min(points, key=lambda p: (abs(p[0] - eps_reference), -p[1]))
        runs = dict(sorted(points[eps, n_train].items()))
        label = f"{model}/{kind}/{eps:g}"
        own, diverged = zip(*runs.values(), strict=True)
        found.append(Compared(label, model, kind, eps, n_train, tuple(runs), own, diverged))
    if not found:
        raise InputError("compared: none of the models and trainings named there was trained in this study")
    common = set(found[0].seeds).intersection(*(c.seeds for c in found))
    if not common:
        raise InputError(f"compared: {', '.join(c.label for c in found)} have no seed in common")
    return [c.at([k for k, seed in enumerate(c.seeds) if seed in common]) for c in found]


# --- surrogates ------------------------------------------------------------------------------------------------------


def surrogates(
    compared: Sequence[Compared],
    images: Images,
    *,
    surrogate: str,
    surrogate_epochs: int,
    optimiser: str,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    batch: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> tuple[xr.Dataset, list[nn.Module]]:
    """For every target a network that imitates it: trained on the labels the target gives to the training images.

    Parameters
    ----------
    compared
        The targets.
    images
        All training images are shown to the target; their own labels are not used, neither are test images.
    surrogate
        Name of the surrogates' architecture.
    surrogate_epochs, optimiser, learning_rate, momentum, weight_decay, batch
        As in ``training.run``, with standard training.
    root
        The surrogate of seed s draws from the streams of seed s + SURROGATE_SEEDS.

    Returns
    -------
    dataset
        train_error(target, seed): share of training images on which the surrogate departs from the target's label;
        diverged(target, seed).
    networks
        In C order of (target, seed). A target that diverged has a surrogate that diverged: weights NaN.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    numbers = compared[0].seeds
    x, x_validation = (torch.tensor(v, dtype=kind, device=where) for v in (images.x_train, images.x_validation))
    classes = int(images.y_train.max()) + 1
    if not 1 <= batch <= len(x):
        raise InputError(f"batch: found {batch}, allowed: 1 to {len(x)}, the training images there are")
    plan = training.Plan(
        training.METHODS["standard"], None, 1.0, None, optimiser, learning_rate, momentum, weight_decay, batch,
        surrogate_epochs, "none", 1,
    )  # fmt: skip
    train_error = np.full((len(compared), len(numbers)), np.nan, np.float32)
    diverged = np.zeros(train_error.shape, np.int8)
    found: list[nn.Module] = []
    progress = Progress(train_error.size, "surrogates")
    for t, s in np.ndindex(*train_error.shape):
        progress(len(found))
        own = numbers[s] + SURROGATE_SEEDS
        initial = seeds.integer(root, measures.STUDY, own, "initialisation")
        network = networks.initialise(surrogate, images.shape, classes, initial, kind)
        found.append(network)
        oracle = compared[t].classifier(s, x)
        if oracle is None:
            log.warning("%s, seed %d: diverged, no surrogate", compared[t].label, numbers[s])
            diverged[t, s] = 1
            with torch.no_grad():
                for weight in network.parameters():
                    weight.fill_(torch.nan)
            network.eval()
            continue
        one = training.Run(
            0.0,
            network.to(where),
            seeds.generator(root, measures.STUDY, own, "training"),
            torch.Generator(),  # standard training makes no noise
            seeds.integer(root, measures.STUDY, own, "training"),
        )
        # not ``training.run``: a target may give some class to no image, and its surrogate learns just that
        data = training.Data(x, answers(oracle, x), x_validation, answers(oracle, x_validation))
        (history,) = training.train([one], data, plan, classes, batched=False)
        network.eval()
        diverged[t, s], train_error[t, s] = history.diverged, history.train_error
    progress(len(found))
    coords = {
        "target": io.variable(("target",), [c.label for c in compared], "network imitated: model/training/eps_train"),
        "seed": io.variable(("seed",), np.array(numbers, np.int64), "seed of the target"),
    }
    variables = {
        "train_error": (train_error, "share of training images on which the surrogate departs from its target"),
        "diverged": (diverged, "whether the surrogate, or its target, diverged"),
    }
    data_vars = {
        name: io.variable(("target", "seed"), v, text, "1", BLACK_BOX) for name, (v, text) in variables.items()
    }
    data_vars["classes"] = io.variable((), classes, "classes")
    attrs = {"title": "Surrogates", "surrogate": surrogate, "device": str(where), "dtype": dtype}
    return xr.Dataset(data_vars, coords=coords, attrs=attrs), found


def answers(oracle: Classifier, x: Tensor) -> Tensor:
    """The labels that a target gives to images (n, pixel)."""
    return measures.logits(oracle, x).argmax(1)


# --- transfer --------------------------------------------------------------------------------------------------------


def examples(
    source: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps: Sequence[float],
    box: engine.Box,
    generator: torch.Generator | None = None,
    target: Tensor | None = None,
) -> Iterator[Tensor]:
    """Adversarial examples (n, pixel) made on ``source`` at each eps; a random start is the same one, scaled by eps."""
    state = generator.get_state() if generator is not None else None
    for size in eps:
        if generator is not None and state is not None:
            generator.set_state(state)
        yield (
            engine.perturb(source, x, y, attack, size, box=box, target=target, generator=generator) if size > 0 else x
        )


def transferred(
    source: Classifier,
    target: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps: Sequence[float],
    box: engine.Box,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Whether examples made on one network fool another, (eps, n) bool; onto itself it is the white-box attack.

    Parameters
    ----------
    source, target
        The network attacked, and the one that judges.
    x : (n, pixel), y : (n,)
    attack
        Untargeted.
    eps
        Sizes of the attack.
    generator
        For an attack with a random start.
    """
    made = examples(source, x, y, attack, eps, box, generator)
    return torch.stack([measures.logits(target, image).argmax(1) != y for image in made])


VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "transfer_error": (
        ("source", "target", "seed", "eps"),
        "error of the target of the next seed on examples made on the source of this seed",
        TRANSFER,
    ),
    "agreement": (
        ("source", "target", "seed"),
        "share of test images that source (this seed) and target (next seed) classify alike",
        TRANSFER,
    ),
    "gradient_cosine": (
        ("source", "target", "seed"),
        "mean cosine of the loss gradients of source (this seed) and target (next seed)",
        TRANSFER,
    ),
    "white_box_error": (("target", "seed", "eps"), "error on examples made on the target itself", TRANSFER),
    "noise_error": (("target", "seed", "eps"), "error under random signs of size eps (control)", ""),
    "surrogate_error": (
        ("target", "seed", "eps"), "error of the target on examples made on its surrogate", BLACK_BOX
    ),
    "surrogate_agreement": (
        ("target", "seed"), "share of test images that target and surrogate classify alike", BLACK_BOX
    ),
    "surrogate_cosine": (("target", "seed"), "mean cosine of the loss gradients of target and surrogate", BLACK_BOX),
}  # fmt: skip


def run(
    compared: Sequence[Compared],
    surrogates: tuple[xr.Dataset, Sequence[nn.Module]],
    images: Images,
    *,
    transfer_attack: Mapping[str, Any],
    eps_linf: Sequence[float],
    n_test: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """How well examples made on one network fool the others.

    All attacked images are clipped to the pixel range. A source of seed s is judged by targets of the next seed (the
    last by the first), so that the diagonal is the same kind of network from another initialisation; with one seed
    there is no other, the diagonal is then the white-box attack, and the attribute ``judged_by`` says so.

    Parameters
    ----------
    compared
        The networks, each both source and target.
    surrogates
        Of ``surrogates``, for the same networks: dataset and networks.
    images
        Only test images are read.
    transfer_attack
        Settings of an untargeted l_inf ``Attack``.
    eps_linf
        Its sizes.
    n_test
        The first so many test images; 0 takes all.
    root
        Root of the random streams; "attack" is drawn from.

    Returns
    -------
    Dataset over (source, target, seed, eps), see VARIABLES. NaN for networks that diverged.

    Raises
    ------
    InputError
        When the attack is targeted or not of l_inf, or the surrogates belong to other networks.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    attack = Attack.from_settings("transfer_attack", transfer_attack)
    if attack.targeted or attack.norm != "linf":
        raise InputError(
            f"transfer_attack: found objective {attack.objective}, norm {attack.norm}; allowed: untargeted, linf"
        )
    labels, numbers = [c.label for c in compared], compared[0].seeds
    about, imitators = surrogates
    if about["target"].values.tolist() != labels or tuple(about["seed"].values.tolist()) != numbers:
        raise InputError("surrogates: made for other networks than those compared; train them again")
    x, y = measures.first(images.x_test, images.y_test, n_test, "n_test", where, kind)
    sizes = sorted(set(map(float, eps_linf)))
    lengths = {"source": len(labels), "target": len(labels), "seed": len(numbers), "eps": len(sizes)}
    values = {name: np.full([lengths[d] for d in dims], np.nan, np.float32) for name, (dims, *_) in VARIABLES.items()}

    found = [[c.classifier(k, x) for k in range(len(numbers))] for c in compared]
    predicted = [[None if c is None else measures.logits(c, x).argmax(1) for c in row] for row in found]
    gradient = [[None if c is None else measures.loss_gradient(c, x, y) for c in row] for row in found]

    def judge(judged: list[Classifier | None], made: Iterator[Tensor], out: np.ndarray) -> None:
        """Errors of several classifiers on the same examples, into out (classifier, eps)."""
        for e, image in enumerate(made):
            for k, classifier in enumerate(judged):
                if classifier is not None:
                    out[k, e] = float((measures.logits(classifier, image).argmax(1) != y).double().mean())

    progress = Progress(len(numbers), "seeds")
    for i, seed in enumerate(numbers):
        progress(i)
        j = (i + 1) % len(numbers)
        signs = torch.randint(0, 2, x.shape, generator=measures.generator(root, seed, "attack", "transfer noise"))
        signs = (2 * signs - 1).to(x)
        here = [row[i] for row in found]
        judge(here, (torch.clamp(x + size * signs, *UNIT) for size in sizes), values["noise_error"][:, i])
        for a, source in enumerate(here):
            if source is None:
                log.warning("%s, seed %d: diverged, no source of examples", labels[a], seed)
                continue
            draw = measures.generator(root, seed, "attack", "transfer")
            # the source judges its own examples too: the white-box attack
            judged, errors = [row[j] for row in found] + [source], np.full((len(labels) + 1, len(sizes)), np.nan)
            judge(judged, examples(source, x, y, attack, sizes, UNIT, draw), errors)
            values["transfer_error"][a, :, i], values["white_box_error"][a, i] = errors[:-1], errors[-1]
            for b in range(len(labels)):
                other, there = predicted[b][j], gradient[b][j]
                own, slope = predicted[a][i], gradient[a][i]
                if other is not None and there is not None and own is not None and slope is not None:
                    values["agreement"][a, b, i] = float((own == other).double().mean())
                    values["gradient_cosine"][a, b, i] = measures.cosine(slope, there)
            lost = bool(about["diverged"].values[a, i])
            imitator = None if lost else measures.classifier_of(imitators[a * len(numbers) + i], x)
            own, slope = predicted[a][i], gradient[a][i]
            if imitator is None or own is None or slope is None:
                continue
            draw = measures.generator(root, seed, "attack", "transfer")
            judge(
                [source], examples(imitator, x, y, attack, sizes, UNIT, draw), values["surrogate_error"][a : a + 1, i]
            )
            values["surrogate_agreement"][a, i] = float((measures.logits(imitator, x).argmax(1) == own).double().mean())
            values["surrogate_cosine"][a, i] = measures.cosine(measures.loss_gradient(imitator, x, y), slope)

    progress(len(numbers))
    coords = {
        "source": io.variable(("source",), labels, "network the examples are made on: model/training/eps_train"),
        "target": io.variable(("target",), labels, "network that judges them: model/training/eps_train"),
        "seed": io.variable(("seed",), np.array(numbers, np.int64), "seed of the source"),
        "eps": io.variable(("eps",), np.array(sizes), "size of the attack (l_inf, clipped to [0, 1])", PIXELS),
    }
    attrs = {
        "title": "Transfer of adversarial examples",
        "device": str(where),
        "dtype": dtype,
        "judged_by": "targets of the next seed, the last by the first"
        if len(numbers) > 1
        else "targets of the same seed (one seed only): the diagonal is the white-box attack",
    }
    data = {name: io.variable(dims, values[name], text, "1", ref) for name, (dims, text, ref) in VARIABLES.items()}
    return xr.Dataset(data, coords=coords, attrs=attrs)
