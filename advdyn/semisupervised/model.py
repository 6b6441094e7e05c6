"""The parameters and steps of the study `semisupervised`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.semisupervised import lengths
from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, itemsize, known

SYSTEM = (
    "training", "n_labels", "n_pool", "eps", "power_iterations", "xi", "alpha", "width", "batch_normalisation",
    "learning_rate", "decay", "batch_labelled", "batch_pool", "updates", "checkpoints",
)  # fmt: skip
PROBED = ("n_validation", "probe_eps", "probe_images", "probe_iterations")
MOONS = (
    "moons_labels", "moons_pool", "moons_noise", "moons_eps", "moons_width", "moons_updates", "moons_seeds",
)  # fmt: skip
RUNNING = ("root", "device", "dtype")
FIGURES = ("labels", "eps", "iterations", "smoothness", "learning", "pseudo_labels", "distances", "moons")


def weights_of(at: Mapping[str, Any]) -> float:
    """Weights of a classifier."""
    return (at["data_pixels"] + at["width"] + 10) * at["width"]


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Passes through the network, calibrated at 784-256-256-10: 2 ms supervised, 6 ms with a direction, a core."""
    at = known(Model, point)
    passes = at["batch_labelled"] * 3.0
    if at["training"] == "adversarial":
        passes += at["batch_labelled"] * 6.0
    elif at["training"] != "supervised":
        steps = {"random": 0, "pseudo-label": 1}.get(at["training"], at["power_iterations"])
        passes += at["batch_pool"] * (4.0 + 2.0 * steps)
    weights, runs, size = weights_of(at), len(at["seeds"]), itemsize(at)
    one = 1.5e-3 + passes * weights * 2 / 6e10
    images = at["checkpoints"] * (at["n_pool"] + at["data_samples"] / 4)
    # predictions of pool, validation and test at every checkpoint; the pool; weights, gradients and moments
    working = 50 * runs * images + 3 * size * at["n_pool"] * at["data_pixels"] + 8 * size * weights * runs
    seconds = 5 + (at["updates"] * one + images * weights * 2 / 6e10) * runs
    return Cost(
        seconds, 280 + holding(at, size, 120 + 1e-6 * working), 1.0 + 5e-6 * weights * runs + 5e-6 * runs * images
    )


def evaluation_cost(point: Mapping[str, Any]) -> Cost:
    """Probabilities of all images, and perturbations of some, for the seeds of a block."""
    at = known(Model, point)
    weights, runs, size = weights_of(at), len(at["seeds"]), itemsize(at)
    kept = runs * at["checkpoints"] * (at["n_pool"] + at["data_samples"] / 4)
    seconds = 4 + 1e-8 * runs * at["probe_images"] * weights * max(at["probe_iterations"]) / 8
    working = 50 * kept + 40 * size * at["probe_images"] * (at["data_pixels"] + at["width"]) + 8 * weights * runs
    return Cost(seconds, 290 + holding(at, size, 120 + 1e-6 * working), 1.0)


def distances_cost(point: Mapping[str, Any]) -> Cost:
    """All pairs of the pool, in blocks; the pool in double precision, twice."""
    at = known(Model, point)
    pool = at["n_pool"] * at["data_pixels"]
    seconds = 3 + 1.5e-10 * pool * at["n_pool"]
    return Cost(seconds, 110 + holding(at, 4, 1.6e-5 * pool + 3e-3 * at["n_pool"]))


def moons_cost(point: Mapping[str, Any]) -> Cost:
    """All runs as one batch of small tensors for each method; outputs at the pool and on a grid of 4,800 points."""
    at = known(Model, point)
    each = 4e-5 * at["moons_seeds"] * at["moons_width"] * (at["moons_pool"] + 4800)
    seconds = 7 + at["moons_updates"] * 1e-2 * len(at["moons_noise"]) * at["moons_seeds"] / 5
    return Cost(seconds, 450 + each)


def planting_cost(point: Mapping[str, Any]) -> Cost:
    """Four short trainings of five seeds, and the images again with false ones."""
    at = known(Model, point)
    size, weights = itemsize(at), weights_of(at)
    working = 3 * size * at["n_pool"] * at["data_pixels"] + 40 * size * weights
    return Cost(6 + 2.5e-7 * weights * at["planted_updates"], 280 + holding(at, size, 120 + 1e-6 * working))


def collected(base: float, copies: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data, dense in all that is swept, in so many copies."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        each = 8 * at["checkpoints"] + 20 * len(at["probe_eps"]) + 20 * len(at["probe_iterations"])
        size = 8e-6 * at["places"] * at["count"] * each + 1
        return Cost(seconds + 0.1 * at["jobs"] + 0.02 * size, base + copies * size, disk)

    return cost


FIGURE = collected(280, 2.0, 5.0, 2.0)


class Model(StudyModel):
    """Virtual adversarial training with a few labels (Miyato et al.; Srihari), beside its controls."""

    name: ClassVar[str] = "semisupervised"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step((*SYSTEM, *RUNNING, "seeds"), "block", training_cost, gpu=lambda _: True),
        "evaluate": Step(
            (*PROBED, *RUNNING), "block", evaluation_cost, after=("train",), gpu=lambda _: True,
        ),
        "measure_distances": Step(
            ("n_pool",), "cell", distances_cost,
        ),
        "train_moons": Step((*MOONS, "xi", "alpha", "root"), cost=moons_cost),
        "plant": Step(
            ("n_labels", "n_pool", "eps", "xi", "alpha", "width", "planted_updates", *RUNNING),
            cost=planting_cost, gpu=lambda _: True,
        ),
        "collect": Step(cost=collected(120, 4.0, 4.0, 10.0)),
        "assess": Step(cost=collected(190, 3.0, 4.0, 0.5)),
        **{f"plot_{kind}": Step(cost=FIGURE) for kind in FIGURES},
    }  # fmt: skip

    dataset: str = parameter("mnist", "data set, by its name in the configuration", sweep=False)
    training: Literal["supervised", "adversarial", "random", "pseudo-label", "virtual"] = parameter(
        "virtual", "training: labelled images only (supervised; adversarial, with FGM examples of them), or also "
        "unlabelled ones, smoothed along random, pseudo-label or virtual adversarial directions"
    )  # fmt: skip
    n_labels: int = parameter(100, "labelled images, of every class as many, drawn anew for each seed", ge=2)
    n_pool: int = parameter(
        3500, "images of the pool, labelled ones included: the first so many of the training split", ge=2
    )
    eps: float = parameter(1.0, "l2 length of the perturbation r", "pixel range", gt=0)
    power_iterations: int = parameter(1, "power iterations K for the virtual adversarial direction", ge=1)
    xi: float = parameter(
        1e-2, "length at which the power iteration takes its gradient: .001 to .1 in float32, from 1e-6 in float64",
        "pixel range", sweep=False, gt=0,
    )  # fmt: skip
    alpha: float = parameter(1.0, "weight of the smoothness term", gt=0)
    width: int = parameter(256, "neurons of each of the two hidden layers (ReLU)", ge=2)
    batch_normalisation: bool = parameter(False, "whether all layers are batch-normalised, that of the logits too")
    learning_rate: float = parameter(1e-3, "learning rate of Adam", gt=0)
    decay: Literal["linear", "exponential"] = parameter(
        "linear", "of the learning rate: to 0 over the last 40 % of the updates, or by .9 every 500 updates"
    )
    batch_labelled: int = parameter(64, "labelled images of one update (all of them, if there are fewer)", ge=1)
    batch_pool: int = parameter(128, "images of the pool of one update", ge=1)
    updates: int = parameter(1500, "updates, the same for every method", ge=1)
    checkpoints: int = parameter(10, "times, evenly spaced, at which predictions are kept", sweep=False, ge=1)
    n_validation: int = parameter(
        500, "validation images, the first so many, whose labels choose eps (and nothing else)", sweep=False, ge=10
    )
    probe_eps: list[float] = parameter(
        [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0],
        "lengths of r at which the trained network's smoothness is measured", "pixel range", sweep=False, min_length=1,
    )  # fmt: skip
    probe_images: int = parameter(300, "images of each kind that smoothness is measured on", sweep=False, ge=2)
    probe_iterations: list[int] = parameter(
        [1, 2, 4, 8], "power iterations whose directions are compared with the converged one; smoothness is measured "
        "along that of the last", sweep=False, min_length=1,
    )  # fmt: skip
    moons_labels: int = parameter(8, "labelled points of the two moons", sweep=False, ge=2)
    moons_pool: int = parameter(500, "points of the two moons, labelled ones included", sweep=False, ge=10)
    moons_noise: list[float] = parameter(
        [0.05, 0.4], "standard deviation of the noise around the moons, of unit radius: apart, and overlapping",
        "radius", sweep=False, min_length=2,
    )  # fmt: skip
    moons_eps: float = parameter(0.12, "length of r on the two moons", "radius", sweep=False, gt=0)
    moons_width: int = parameter(64, "neurons of each hidden layer on the two moons", sweep=False, ge=2)
    moons_updates: int = parameter(500, "updates on the two moons", sweep=False, ge=1)
    moons_seeds: int = parameter(5, "seeds on the two moons, all one batch of tensors", sweep=False, ge=2)
    planted_updates: int = parameter(
        60, "updates of the trainings whose pool labels, test labels or test images are false", sweep=False, ge=1
    )
    dtype: Literal["float32", "float64"] = parameter("float32", "precision of training", sweep=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_labels > self.n_pool:
            raise ValueError(f"n_labels: found {self.n_labels}, allowed: at most n_pool, {self.n_pool}")
        if found := lengths.wrong(self.eps, self.xi, self.dtype):
            raise ValueError(found)
        for name in ("batch_labelled", "batch_pool"):
            if self.batch_normalisation and getattr(self, name) < 2:
                raise ValueError(f"{name}: found 1, allowed with batch_normalisation: an integer >= 2")
        for name in ("probe_eps", "probe_iterations", "moons_noise"):
            values = getattr(self, name)
            if values[0] <= 0 or any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"{name}: found {values}, allowed: increasing numbers > 0")
        if self.checkpoints > self.updates:
            raise ValueError(f"checkpoints: found {self.checkpoints}, allowed: at most updates, {self.updates}")
        if self.moons_labels > self.moons_pool:
            raise ValueError(f"moons_labels: found {self.moons_labels}, allowed: at most moons_pool, {self.moons_pool}")
        return self

    def same_as(self) -> dict[str, Any]:
        """A method that has no direction, or none that is iterated, is one point whatever these are."""
        fixed = {
            "supervised": ("eps", "power_iterations", "alpha", "batch_pool"),
            "adversarial": ("power_iterations", "batch_pool"),
            "virtual": (),
        }.get(self.training, ("power_iterations",))
        return {name: type(self).model_fields[name].default for name in fixed}
