"""The parameters and steps of the study `turing`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import prod
from statistics import mode
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, itemsize, known

CONTROLS = ("none", "label-scaled", "frozen-critic", "random-field", "permuted-pixels")
Control = Literal["none", "label-scaled", "frozen-critic", "random-field", "permuted-pixels"]
SYSTEM = (
    "dataset", "net", "n", "width", "adversary", "adversary_weight", "sign", "penalty", "critic_width", "critic_steps",
    "critic_rate", "target_slope", "critic_argument", "control", "frozen_steps", "field_time", "activation",
    "initial_scale", "inputs", "optimiser", "batch", "form", "eta", "duration", "times", "gram_every", "filters",
)  # fmt: skip
RUNNING = ("root", "device", "dtype")
FIGURES = (
    "distance", "input", "filters", "features", "symmetry", "pattern", "synthetic_without", "synthetic_with",
    "bounds", "looseness", "residual", "logistic", "exponents", "controls", "spectra", "stability",
)  # fmt: skip
NUMBERS = ("n", "width", "eta", "duration", "critic_width", "critic_rate", "initial_scale")
# Times at which a run is recorded: close together at first, and evenly over the last half of the usual durations.
TIMES = [
    0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 3.0, 5.0, 7.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 25.0,
    30.0, 35.0, 40.0, 45.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0, 140.0, 160.0, 180.0, 200.0, 225.0, 250.0, 275.0,
    300.0, 350.0, 400.0, 450.0, 500.0, 550.0, 600.0,
]  # fmt: skip


def lanes_in(point: Mapping[str, Any]) -> int:
    """The number of runs a job trains together; without an adversary its weight and penalty are nothing."""
    with_one = prod(len(point[name]) for name in ("adversary_weight", "penalty") if isinstance(point.get(name), list))
    adversaries = point["adversary"] if isinstance(point["adversary"], list) else [point["adversary"]]
    return len(point["seeds"]) * sum(with_one if adversary == "with" else 1 for adversary in adversaries)


def outputs_of(at: Mapping[str, Any]) -> int:
    """Outputs of the net: the classes of a data set, of which ten are expected, or one."""
    return 1 if at["net"] == "theory" else 10


def training_cost(point: Mapping[str, Any]) -> Cost:
    """Matrix products of every step in the span form or the plain one, and what is recorded at some of them.

    That is the cosines of all neurons, and of the full net the spectrum of the kernel at two to six snapshots.
    """
    at = known(Model, point)
    n, m, runs, pixels, size = at["n"], at["width"], lanes_in(at), at["data_pixels"], itemsize(at)
    steps, outputs = at["duration"] / at["eta"], outputs_of(at)
    span = at["form"] != "plain" and at["optimiser"] != "adam"
    one = 2e-4 + m * n * (2 * (n if span else 2 * pixels) + 20 * outputs + 2 * n / at["gram_every"]) * 4e-11
    extra = {"label-scaled": 4.0, "random-field": 2.0}.get(at["control"], 1.0)
    rows = kernel_rows(at)
    record = recorded(at) * m * (m + n) * n * 1.5e-10 + min(recorded(at), 6) * rows**2 * (rows + m) * 1.3e-10
    # ten tensors (run, m, n); the hidden layers and their start, in the plain form with Adam's moments
    tensors = runs * m * (10 * size * n + (8 if span else 8 + 5 * size) * pixels) + 16 * len(at["seeds"]) * m * pixels
    memory = 350 + holding(at, size, 1e-6 * (tensors + 8 * runs * m * recorded(at) + kernel(at)))
    return Cost(4 + (steps * one * extra + record) * runs, memory, 0.003 * runs * m * (1 + pixels / 784))


def recorded(at: Mapping[str, Any]) -> int:
    """The times that a run is recorded at."""
    return sum(time <= at["duration"] for time in at["times"]) + 1


def kernel_rows(at: Mapping[str, Any]) -> int:
    """Rows of the kernel of all outputs at all examples; of a larger one no spectrum is computed."""
    return min(outputs_of(at) * at["n"], 2048)


def kernel(at: Mapping[str, Any]) -> float:
    """Bytes of that kernel, with what it is made of and its decomposition."""
    return 40.0 * kernel_rows(at) * (at["width"] + kernel_rows(at))


def bounds_cost(point: Mapping[str, Any]) -> Cost:
    """The images in double precision; the distance of every neuron at every time, and what is divided by it."""
    at = known(Model, point)
    distances = lanes_in(at) * at["width"] * recorded(at)
    return Cost(2 + 3e-7 * distances, 160 + holding(at, 8, 5e-5 * distances + 3e-5 * at["n"] ** 2), 1.0)


def diagnosis_cost(point: Mapping[str, Any]) -> Cost:
    """The spectra of all filters before and after, and of the Jacobian of a step, which has the kernel in it."""
    at = known(Model, point)
    filters = lanes_in(at) * at["width"] * at["data_pixels"]
    jacobian = 5e-5 * at["spectrum_size"] ** 2
    seconds = 5 + 3e-7 * filters + 2.5e-10 * lanes_in(at) * kernel_rows(at) ** 2 * (kernel_rows(at) + at["width"])
    return Cost(seconds, 350 + holding(at, itemsize(at), 2e-5 * filters + jacobian + 1e-6 * kernel(at)), 1.0)


def picture_cost(point: Mapping[str, Any]) -> Cost:
    """The weights of the jobs shown, and embeddings of some neurons."""
    at = known(Model, point)
    weights = 8e-6 * at["runs"] * at["width"] * at["data_pixels"]
    seconds = 6 + 0.02 * at["embedding_seeds"] * at["embedded_neurons"] + 0.02 * weights
    return Cost(seconds, 450 + holding(at, itemsize(at), weights), 5.0)


def collected(base: float, copies: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data, in so many copies.

    Of every run, padded to the widest net: distances in both layers at every time, and six numbers at six snapshots.
    """

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        size = 4e-6 * at["runs"] * at["width"] * (2 * recorded(at) + 36)
        size += 8e-6 * at["runs"] * at["filters"] * at["data_pixels"]  # of the first seed, at six snapshots
        return Cost(seconds + 0.1 * at["jobs"] + 0.02 * size, base + copies * size, disk + 0.5 * size * (disk > 5))

    return cost


FIGURE = collected(260, 1.7, 6.0, 2.0)


def shown(jobs: Sequence[tuple["Model", str]]) -> list[bool]:
    """The jobs of which pictures are made.

    The first block of seeds of every (dataset, net, inputs, control) under the paper's sign, of controls only none and
    permuted pixels; of several the one that has most numbers in common with the other jobs of its net, from which
    sweeps and controls start, then the longest. Adam's runs are shown where no other has its inputs.
    """
    first = min(block for _, block in jobs)
    usual = {
        (net, name): mode([getattr(model, name) for model, _ in jobs if model.net == net])
        for net in {model.net for model, _ in jobs}
        for name in NUMBERS
    }
    best: dict[tuple[str, ...], tuple[tuple[float, ...], int]] = {}
    for i, (model, block) in enumerate(jobs):
        if block != first or model.control not in ("none", "permuted-pixels") or model.sign != "minus":
            continue
        key = (model.dataset, model.net, model.inputs, model.control)
        unusual = sum(getattr(model, name) != usual[model.net, name] for name in NUMBERS)
        rank = (float(model.optimiser == "adam"), float(unusual), -model.duration)
        if key not in best or rank < best[key][0]:
            best[key] = (rank, i)
    kept = {i for _, i in best.values()}
    return [i in kept for i in range(len(jobs))]


class Model(StudyModel):
    """Two-layer networks trained with and without an adversary on their outputs (Rout)."""

    name: ClassVar[str] = "turing"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz", "gaussian")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step((*SYSTEM, *RUNNING, "seeds"), "block", training_cost, gpu=lambda _: True),
        "bound": Step(
            ("deltas",), "block", bounds_cost, after=("train",),
        ),
        "diagnose": Step(
            ("spectrum_size", *RUNNING), "block", diagnosis_cost, after=("train",),
        ),
        "illustrate": Step(
            ("embedding_seeds", "embedded_neurons", *RUNNING),
            cost=picture_cost, after=("train",), takes=shown,
        ),
        "collect": Step(cost=collected(130, 3.0, 6.0, 10.0)),
        "assess": Step(cost=collected(200, 2.0, 6.0, 0.5)),
        **{f"plot_{kind}": Step(cost=FIGURE) for kind in FIGURES},
    }  # fmt: skip

    dataset: str = parameter("mnist", "data set, by its name in the configuration")
    net: Literal["theory", "full"] = parameter(
        "theory", "theory: one output, second layer fixed to +-1 and inputs of length 1; full: both layers are trained"
    )
    n: int = parameter(100, "training examples, the first so many", ge=1)
    width: int = parameter(512, "hidden neurons m", ge=1)
    adversary: Literal["without", "with"] = parameter(
        "with", "supervision alone, or with an adversary on the outputs (without and with diffusion)", lane=True
    )
    adversary_weight: float = parameter(1.0, "weight of the adversary's term in the loss", ge=0, lane=True)
    sign: Literal["minus", "plus"] = parameter(
        "minus", "sign of the adversary's term: of the paper (minus) or of the poster (plus)"
    )
    penalty: float = parameter(10.0, "weight of the gradient penalty in the critic's loss", ge=0, lane=True)
    critic_width: int = parameter(128, "hidden neurons of the critic", ge=1)
    critic_steps: int = parameter(1, "steps of the critic for one of the network", ge=1)
    critic_rate: float = parameter(0.1, "step size of the critic over that of the network", gt=0)
    target_slope: float = parameter(1.0, "slope of the critic that the gradient penalty asks for", gt=0)
    critic_argument: Literal["normalised", "raw"] = parameter(
        "normalised", "argument of the critic: the outputs f, or V sigma(U x) as on the poster; one for relu"
    )
    control: Control = parameter(
        "none",
        "in place of the live critic: supervision with scaled labels and the same displacement, a critic held fixed, a "
        "random moving field of the same size; or the live critic on inputs whose pixels are permuted",
    )
    frozen_steps: int = parameter(200, "steps on the initial outputs after which a frozen critic is held", ge=0)
    field_time: float = parameter(10.0, "correlation time of the random field", gt=0)
    activation: Literal["relu", "leaky", "softplus", "tanh"] = parameter("relu", "activation of network and critic")
    initial_scale: float = parameter(1.0, "standard deviation of the initial weights of the hidden layer", gt=0)
    inputs: Literal["unit", "raw"] = parameter(
        "unit", "whether inputs are scaled to length 1, as the theorems ask, or taken as they are"
    )
    optimiser: Literal["gd", "sgd", "adam"] = parameter("gd", "optimiser of the network; the critic descends by gd")
    batch: int = parameter(64, "examples of one step of sgd and adam", ge=1)
    form: Literal["auto", "span", "plain"] = parameter(
        "auto", "span: exact in the span of the inputs (not for adam); auto: span where it is exact and n < d_in"
    )
    eta: float = parameter(0.1, "step size", gt=0)
    duration: float = parameter(300.0, "time eta x steps up to which a run goes", gt=0)
    times: list[float] = parameter(
        TIMES,
        "times eta x steps that are recorded, as far as the duration, at the next step",
        sweep=False,
        min_length=2,
    )
    gram_every: int = parameter(
        1,
        "steps between spectra of the theory net's Gram matrix; between them its change bounds them",
        ge=1,
        sweep=False,
    )
    filters: int = parameter(16, "neurons of the first seed whose filters are kept over time", ge=1, sweep=False)
    deltas: list[float] = parameter(
        [0.01, 0.05, 0.1, 0.2, 0.5], "failure probabilities delta of the theorems as printed", sweep=False, min_length=1
    )
    spectrum_size: int = parameter(
        600, "largest Jacobian whose whole spectrum is computed; of a larger one the leading eigenvalues", sweep=False,
        ge=2,
    )  # fmt: skip
    embedding_seeds: int = parameter(3, "seeds of the t-SNE embeddings", sweep=False, ge=1)
    embedded_neurons: int = parameter(256, "neurons embedded at most, the first ones", sweep=False, ge=8)
    dtype: Literal["float32", "float64"] = parameter("float64", "precision of training", sweep=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.net == "theory" and self.inputs != "unit":
            raise ValueError(
                f"inputs: found {self.inputs!r}, allowed: 'unit' with net theory (the theorems need |x| = 1)"
            )
        if self.optimiser == "adam" and self.form == "span":
            raise ValueError(
                "form: found 'span', allowed: auto or plain with adam, which leaves the span of the inputs"
            )
        if self.optimiser != "gd" and self.batch > self.n:
            raise ValueError(f"batch: found {self.batch}, allowed: at most n, {self.n}")
        if self.duration < self.eta:
            raise ValueError(f"duration: found {self.duration}, allowed: at least one step, eta {self.eta}")
        if any(b <= a for a, b in pairwise(self.times)) or self.times[0] != 0:
            raise ValueError(f"times: found {self.times}, allowed: increasing values that begin with 0")
        if any(not 0 < delta < 1 for delta in self.deltas):
            raise ValueError(f"deltas: found {self.deltas}, allowed: values > 0 and < 1")
        return self
