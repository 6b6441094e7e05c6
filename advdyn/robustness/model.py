"""The parameters and steps of the study `robustness`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.attacks.attack import Attack
from advdyn.errors import InputError
from advdyn.robustness import names
from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, itemsize, known

TRAININGS = (
    "standard", "fgsm", "fgsm-minmax", "pgd", "sign-noise", "uniform-noise", "random-eps", "nonrobust",
)  # fmt: skip
Training = Literal[
    "standard", "fgsm", "fgsm-minmax", "pgd", "sign-noise", "uniform-noise", "random-eps", "nonrobust"
]  # fmt: skip
OPTIMISER = ("optimiser", "learning_rate", "momentum", "weight_decay", "batch")
RUNNING = ("root", "device", "dtype")
FIGURES = (
    "curves", "attacks", "confidence", "training_eps", "capacity", "regularisation", "linearity", "rays", "transfer",
    "gallery", "filters", "scale", "masking",
)  # fmt: skip

ATTACKS: dict[str, dict[str, Any]] = {
    "fgsm": {},
    "fgsm-predicted": {"label": "predicted"},
    "bim": {"steps": 10},
    "pgd": {"initialisation": "uniform", "steps": 10, "step": 0.25},
    "targeted": {"objective": "output", "steps": 10, "step": 0.25},
    "sign-noise": {"initialisation": "sign", "steps": 0},
    "uniform-noise": {"initialisation": "uniform", "steps": 0},
    "fgm-l2": {"norm": "l2"},
    "pgd-l2": {"norm": "l2", "initialisation": "uniform", "steps": 10, "step": 0.25},
    "sign-noise-l2": {"norm": "l2", "initialisation": "sign", "steps": 0},
}


def lanes_in(point: Mapping[str, Any]) -> int:
    """The number of networks a job trains."""
    return prod(len(point[name]) for name in ("eps_train", "seeds") if isinstance(point.get(name), list))


def compared(jobs: Sequence[tuple["Model", str]]) -> list[bool]:
    """The trained files between which transfer is measured and of which pictures are made.

    The first block of seeds of each pair (model, training) listed under ``compared`` and ``compared_trainings`` (of
    all, where a study has none of them), at the largest number of training images, and of several files the one whose
    eps_train is next to eps_reference; of other axes the first value.
    """
    first = min(block for _, block in jobs)
    for listed in (True, False):
        chosen: dict[tuple[str, str], int] = {}
        for i, (model, block) in enumerate(jobs):
            wanted = model.model in model.compared and model.training in model.compared_trainings
            if block != first or (listed and not wanted):
                continue
            at = jobs[chosen.setdefault((model.model, model.training), i)][0]
            if _rank(model) < _rank(at):
                chosen[model.model, model.training] = i
        if chosen:
            kept = set(list(chosen.values())[:COMPARED])
            return [i in kept for i in range(len(jobs))]
    return [False] * len(jobs)


def _rank(model: "Model") -> tuple[int, float]:
    return -model.n_train, abs(model.eps_train - model.eps_reference)


COMPARED = 12  # runs compared at most: transfer goes over all pairs


def effort(model: str, pixels: int) -> float:
    """Multiplications for an image: the weights of a dense network; of a convolution measured, of your own as much."""
    kind = names.parse(model)
    if kind.kind in ("cnn", "own"):
        return 2e3 * pixels
    return 1.3 * pixels * max(kind.width, 10) + max(0, kind.depth - 1) * kind.width**2


def network_memory(model: str, pixels: int, itemsize: int, runs: int) -> float:
    """Weights, gradients and moments of the runs in MB, and the activations of a batch of 500 images.

    Of your own network nobody knows: room is left for a dozen layers of 64 channels at a quarter of the pixels.
    """
    kind = names.parse(model)
    layers = {"cnn": 40.0, "own": 130.0}.get(kind.kind, 0.0) * pixels + 4.0 * kind.depth * kind.width
    weights = 2e5 if kind.kind == "cnn" else 3e6 if kind.kind == "own" else effort(model, pixels)
    return 1e-6 * itemsize * (8 * weights * runs + 500 * layers)


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Forward and backward passes through the images, at the rates measured in benchmarks/training.py."""
    at = known(Model, point)
    passes = {"standard": 1.0, "sign-noise": 2.0, "uniform-noise": 2.0, "fgsm-minmax": 2.0, "nonrobust": 2.0}
    passes |= {"pgd": 1.0 + at["train_steps"]}
    runs, pixels, size = lanes_in(at), at["data_pixels"], itemsize(at)
    updates = max(at["epochs"] * at["n_train"] / at["batch"], at["least_updates"])
    one = updates * (8e-4 + at["batch"] * 6e-11 * effort(at["model"], pixels)) * passes.get(at["training"], 3.0)
    working = network_memory(at["model"], pixels, size, runs) + 3e-6 * size * at["n_train"] * pixels
    measured = at["data_samples"] * (1.5e-5 + 2e-12 * effort(at["model"], pixels))  # errors without attack, under FGSM
    return Cost(4 + (0.8 * one + measured) * runs, 370 + holding(at, size, working), 1.0 * runs)


def images_attacked(at: Mapping[str, Any]) -> int:
    """The test images under attack; all are a fifth of the data set at most."""
    return at["n_test"] or at["data_samples"] // 5


def attack_cost(point: Mapping[str, Any]) -> Cost:
    """Gradients of all attacks, eps and restarts; starts, examples and results of the images attacked."""
    at = known(Model, point)
    specs = [Attack.from_settings(name, spec) for name, spec in at["attacks"].items()]
    images, pixels, size, runs = images_attacked(at), at["data_pixels"], itemsize(at), lanes_in(at)
    eps = {"linf": len(at["eps_linf"]), "l2": len(at["eps_l2"])}
    gradients = sum(max(1, a.steps) * a.restarts * eps[a.norm] for a in specs) * len(at["clip"])
    each = 5e-6 + 3e-11 * effort(at["model"], pixels)
    working = network_memory(at["model"], pixels, size, runs) + 8e-6 * size * images * pixels
    seconds = 4 + each * gradients * images * runs
    return Cost(seconds, 350 + holding(at, size, working + 1e-3 * images * sum(eps.values())), 1.0)


def compared_memory(at: Mapping[str, Any], copies: float) -> float:
    """A dozen networks of those compared, the images attacked in so many copies, and the data set."""
    size, pixels = itemsize(at), at["data_pixels"]
    networks = max(network_memory(name, pixels, size, COMPARED) for name in [*at["compared"], at["surrogate"]])
    return 380 + holding(at, size, networks + copies * 1e-6 * size * images_attacked(at) * pixels)


def surrogate_cost(point: Mapping[str, Any]) -> Cost:
    """Passes through half of the validation and test images, for a dozen targets of a few seeds."""
    at = known(Model, point)
    images = at["data_samples"] / 5
    one = 0.5e-3 + 3e-9 * effort(at["surrogate"], at["data_pixels"])
    seconds = 5 + at["surrogate_epochs"] * COMPARED * len(at["seeds"]) * images / at["batch"] * 3 * one
    return Cost(seconds, compared_memory(at, 8.0), 20.0)


def transfer_cost(point: Mapping[str, Any]) -> Cost:
    """All pairs of a dozen networks, on the images attacked, at every eps."""
    at = known(Model, point)
    each = 1e-7 + 6e-12 * max(effort(name, at["data_pixels"]) for name in [*at["compared"], at["surrogate"]])
    pairs = COMPARED * (COMPARED + 2) * len(at["seeds"]) * len(at["eps_linf"])
    return Cost(8 + each * pairs * images_attacked(at), compared_memory(at, 4.0 + len(at["eps_linf"])))


def scale_cost(point: Mapping[str, Any]) -> Cost:
    """Trainings at every resolution; all images at the largest, twice, beside those at the one before."""
    at = known(Model, point)
    size, sides = itemsize(at), at["resolutions"]
    updates = max(at["epochs"] * at["n_train"] / at["batch"], at["least_updates"])
    efforts = sum(effort(name, side**2) for name in at["scaled_models"] for side in sides)
    trainings = len(sides) * len(at["scaled_models"])
    passes = updates * (8e-4 * trainings + at["batch"] * 6e-11 * efforts)
    resampled = 3e-8 * at["data_samples"] * sum(side**2 for side in sides)
    seconds = 5 + resampled + at["scaled_seeds"] * (passes + 5e-4 * trainings * images_attacked(at))
    largest = max(network_memory(name, sides[-1] ** 2, size, at["scaled_seeds"]) for name in at["scaled_models"])
    scaled = 1.05e-6 * size * at["data_samples"] * sides[-1] ** 2
    return Cost(seconds, 380 + holding(at, size, 2 * scaled + largest))


def picture_cost(point: Mapping[str, Any]) -> Cost:
    """Rays, galleries and filters of a dozen networks."""
    at = known(Model, point)
    return Cost(10.0, compared_memory(at, 2.0), 5.0)


def collected(base: float, copies: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data, dense in all that is swept, in so many copies."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        # error, confidence and rate of every attack, eps and box, and some quantiles at each eps, in float32
        eps = len(set(at["eps_linf"]) | set(at["eps_l2"]))
        each = 4e-6 * eps * len(at["clip"]) * (3 * len(at["attacks"]) + 20)
        size = at["places"] * at["count"] * each
        return Cost(seconds + 0.05 * at["jobs"] + 0.02 * size, base + copies * size, disk)

    return cost


FIGURE = collected(260, 2.0, 6.0, 2.0)


class Model(StudyModel):
    """Networks under attack, standard and adversarially trained (Srihari; Straat)."""

    name: ClassVar[str] = "robustness"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    within_panel: ClassVar[tuple[str, ...]] = ("model", "training", "eps_train", "n_train")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step(
            ("model", "training", "eps_train", "n_train", "clip_train", "mix", "train_steps", "train_step", *OPTIMISER,
             "epochs", "least_updates", "early_stopping", "patience", *RUNNING, "seeds"),
            "block", training_cost, gpu=lambda _: True,
        ),
        "attack": Step(
            ("attacks", "eps_linf", "eps_l2", "clip", "n_test", "iterated_seeds", "linearity_images",
             "minimum_images", "fooling_starts", *RUNNING, "seeds"),
            "block", attack_cost, after=("train",), gpu=lambda _: True,
        ),
        "train_surrogate": Step(
            ("surrogate", "surrogate_epochs", "eps_reference", *OPTIMISER, *RUNNING),
            cost=surrogate_cost, after=("train",), gpu=lambda _: True, takes=compared,
        ),
        "transfer": Step(
            ("transfer_attack", "eps_linf", "eps_reference", "n_test", *RUNNING),
            cost=transfer_cost, after=("train", "train_surrogate"), gpu=lambda _: True, takes=compared,
        ),
        "scale": Step(
            ("scaled_models", "resolutions", "scaled_seeds", "n_train", "epochs", "least_updates", *OPTIMISER,
             "n_test", *RUNNING),
            cost=scale_cost, gpu=lambda _: True,
        ),
        "illustrate": Step(
            ("transfer_attack", "eps_reference", *RUNNING),
            cost=picture_cost, after=("train",), takes=compared,
        ),
        "collect": Step(cost=collected(130, 4.0, 6.0, 5.0)),
        "assess": Step(cost=collected(190, 3.0, 6.0, 0.5)),
        **{f"plot_{kind}": Step(cost=FIGURE) for kind in FIGURES},
    }  # fmt: skip

    dataset: str = parameter("mnist", "data set, by its name in the configuration", sweep=False)
    modules: dict[str, str] = parameter(
        {}, "networks of your own: name to the Python file that defines build(shape, classes)", sweep=False
    )
    model: str = parameter(
        "mlp-128", "network: softmax, mlp-<width>, mlp-<width>x<depth>, cnn, or a name under modules"
    )
    training: Training = parameter("standard", "training method")
    eps_train: float = parameter(
        0.1, "l_inf length of the training attack or noise", "pixel range", ge=0, le=1, lane=True
    )
    n_train: int = parameter(3500, "training images, the first so many", ge=2)
    clip_train: bool = parameter(True, "whether attacked training images are clipped to the pixel range")
    mix: float = parameter(
        0.5, "weight a of the clean loss in a J(x) + (1-a) J(x + delta), where it is mixed", ge=0, lt=1
    )
    train_steps: int = parameter(5, "steps of the attack of PGD training", ge=1)
    train_step: float = parameter(0.5, "its step size", "eps_train", gt=0)
    optimiser: Literal["sgd", "adam"] = parameter("adam", "optimiser")
    learning_rate: float = parameter(1e-3, "learning rate", gt=0)
    momentum: float = parameter(0.9, "momentum of sgd", ge=0, lt=1)
    weight_decay: float = parameter(0.0, "weight penalty l2/2 |w|^2 added to the gradient", ge=0)
    batch: int = parameter(100, "images of one update", ge=1)
    epochs: int = parameter(10, "passes through the training images", ge=1)
    least_updates: int = parameter(0, "updates at least: more epochs are added until so many are made", ge=0)
    early_stopping: Literal["none", "clean", "adversarial"] = parameter(
        "none", "validation error whose best epoch is kept: without attack, or under FGSM at eps_train"
    )
    patience: int = parameter(5, "epochs without improvement after which early stopping stops", ge=1)

    attacks: dict[str, dict[str, Any]] = parameter(
        ATTACKS,
        "table of attacks: name to objective, norm, initialisation, steps, step, step_unit, restarts, label",
        sweep=False,
    )
    eps_linf: list[float] = parameter(
        [0.0, 0.007, 2 / 255, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
        "attack lengths in the l_inf norm", "pixel range", sweep=False, min_length=2,
    )  # fmt: skip
    eps_l2: list[float] = parameter(
        [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0], "attack lengths in the l_2 norm", "pixel range", sweep=False, min_length=2
    )
    clip: list[bool] = parameter(
        [True, False], "whether attacked images are clipped to the pixel range; both are measured", sweep=False,
        min_length=1,
    )  # fmt: skip
    n_test: int = parameter(
        0, "test images attacked, the first so many; 0: all. The error without attack is of all", sweep=False, ge=0
    )
    iterated_seeds: int = parameter(
        2, "seeds under attacks of more than one step, the first ones; the others only under single steps", sweep=False,
        ge=1,
    )  # fmt: skip
    linearity_images: int = parameter(200, "images on which linearity is measured; 0: none", sweep=False, ge=0)
    minimum_images: int = parameter(100, "images whose smallest eps is sought; 0: none", sweep=False, ge=0)
    fooling_starts: int = parameter(5, "noise images driven towards each class; 0: none", sweep=False, ge=0)

    compared: list[str] = parameter(
        ["softmax", "mlp-128", "cnn"],
        "models between which transfer is measured and of which pictures are made",
        sweep=False, min_length=1,
    )  # fmt: skip
    compared_trainings: list[Training] = parameter(
        ["standard", "fgsm", "pgd"], "their training methods", sweep=False, min_length=1
    )
    eps_reference: float = parameter(
        0.1, "attack length at which models are compared and shown", "pixel range", sweep=False, gt=0
    )
    transfer_attack: dict[str, Any] = parameter({}, "attack that is transferred, as in attacks", sweep=False)
    surrogate: str = parameter("mlp-128", "network of the surrogates", sweep=False)
    surrogate_epochs: int = parameter(10, "passes through the images with the target's labels", sweep=False, ge=1)
    scaled_models: list[str] = parameter(
        ["softmax", "mlp-128"], "networks trained at several resolutions", sweep=False, min_length=1
    )
    resolutions: list[int] = parameter(
        [7, 14, 28, 56], "sides of the images they are trained on", "pixel", sweep=False, min_length=1
    )
    scaled_seeds: int = parameter(3, "seeds at each of them", sweep=False, ge=1)
    dtype: Literal["float32", "float64"] = parameter("float32", "precision of training and attacks", sweep=False)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, file in self.modules.items():
            if names.parse(name).kind != "own":
                raise ValueError(f"modules.{name}: found the name of a built-in network, allowed: another name")
            if not Path(file).is_file():
                raise ValueError(f"modules.{name}: found {file!r}, allowed: an existing Python file")
        try:
            names.parse(self.model, self.modules)
        except InputError as error:
            raise ValueError(str(error)) from None
        try:
            for name in self.compared:
                names.parse(name, self.modules)
        except InputError as error:
            raise ValueError(str(error).replace("model:", "compared:", 1)) from None
        for key, found in [("surrogate", self.surrogate), *(("scaled_models", name) for name in self.scaled_models)]:
            if names.parse(found).kind == "own":  # it has to fit images of any size
                raise ValueError(f"{key}: found {found!r}, allowed: softmax, mlp-<width>, mlp-<width>x<depth>, cnn")
        return self

    @model_validator(mode="after")
    def _attackable(self) -> Self:
        if not self.attacks:
            raise ValueError("attacks: found none, allowed: at least one attack")
        for name, spec in [*self.attacks.items()]:
            try:
                Attack.from_settings(name, spec)
            except InputError as error:
                raise ValueError(str(error).replace("attacks: ", "attacks.", 1)) from None
        try:
            transferred = Attack.from_settings("transfer_attack", self.transfer_attack)
        except InputError as error:
            raise ValueError(str(error).replace("attacks: ", "", 1)) from None
        if transferred.targeted or transferred.norm != "linf":
            found = f"objective {transferred.objective}, norm {transferred.norm}"
            raise ValueError(f"transfer_attack: found {found}, allowed: an untargeted attack of norm linf")
        for key in ("eps_linf", "eps_l2"):
            values = getattr(self, key)
            if any(b <= a for a, b in pairwise(values)) or values[0] != 0:
                raise ValueError(f"{key}: found {values}, allowed: increasing values that begin with 0")
        if any(b <= a for a, b in pairwise(self.resolutions)) or self.resolutions[0] < 1:
            raise ValueError(f"resolutions: found {self.resolutions}, allowed: increasing integers >= 1")
        if len(set(self.clip)) < len(self.clip):
            raise ValueError(f"clip: found {self.clip}, allowed: true and false, each once")
        return self

    def same_as(self) -> dict[str, Any]:
        """Standard training knows no eps_train, and any training at eps_train 0 is standard training."""
        if self.training == "standard" or self.eps_train == 0:
            return {"training": "standard", "eps_train": 0.0}
        return {}
