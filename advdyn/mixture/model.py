"""The parameters and steps of the study `mixture`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import known

POINT = ("prior", "rho", "v1", "v2", "eta_w", "eta_b", "eps_train")
START = ("R0", "b0")
ALPHA = [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, *(10.0 * i for i in range(1, 101))]


def lanes_in(point: Mapping[str, Any]) -> int:
    """The number of lanes of a job."""
    return prod(len(point[name]) for name in POINT if isinstance(point[name], list))


def simulation_cost(point: Mapping[str, Any]) -> Cost:
    """Steps at the measured rates (benchmarks/simulation.py), with a third to spare, and the imports.

    The full stream has besides the errors of the weights at every recorded time on its test set.
    """
    at = known(Model, point)
    lanes, seeds, n = lanes_in(at), len(at["seeds"]), at["dimension"]
    curves = lanes * seeds * (len(at["alpha"]) + len(at["eps"]))
    end, disk = max(at["alpha"]), 1e-5 * curves
    if at["simulator"] == "lumped":
        return Cost(3 + end * n * seeds * (8e-8 + lanes * 4e-8), 260 + 2e-4 * curves, disk)
    steps = min(end, at["full_alpha_max"]) * n * seeds
    # the weights of one seed at every recorded time, and a copy of them in float64
    recorded = sum(alpha <= at["full_alpha_max"] for alpha in at["alpha"]) * lanes * n
    memory = 450 + 2e-5 * recorded + 2e-4 * curves + 3e-2 * lanes * seeds
    seconds = 6 + steps * n * (3.5e-9 + lanes * 6e-10) + 1.2e-10 * recorded * seeds * at["test_examples"]
    return Cost(seconds, memory, disk + 2e-2 * lanes * seeds)


def theory_cost(point: Mapping[str, Any]) -> Cost:
    """Lanes at the measured rate of the integrator with fluctuations; ten curves of two orders each."""
    at = known(Model, point)
    lanes = lanes_in(at)
    curves = lanes * (len(at["alpha"]) + len(at["eps"]))
    return Cost(3 + 2e-3 * lanes, 160 + 7e-4 * curves, 1e-3 * lanes)


def scaling_cost(point: Mapping[str, Any]) -> Cost:
    """Lumped chains at every dimension, and examples in some copies at the small ones."""
    at = known(Model, point)
    lanes, examples = lanes_in(at), at["potential_examples"]
    steps = sum(at["scaling_dimensions"]) * at["scaling_alpha"] * at["scaling_seeds"]
    states = lanes * (
        len(at["scaling_dimensions"]) * at["scaling_seeds"] + 2 * len(at["potential_dimensions"]) * examples
    )
    memory = 440 + 3e-5 * states + 6e-5 * examples * at["potential_dimensions"][-1]
    return Cost(5 + steps * (8e-8 + lanes * 4e-8), memory, 1e-5 * states)


def collected(base: float, copies: float, seconds: float, disk: float = 0.5) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data set, dense in all that is swept, in so many copies."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        # of each place and seed eight curves over alpha, two over eps, potentials of 400 examples; of theory 20 curves
        each = 8 * len(at["alpha"]) + 2 * len(at["eps"]) + 1000
        size = 8e-6 * at["places"] * (at["count"] * each + 20 * len(at["alpha"]))
        return Cost(seconds + 0.02 * at["jobs"] + 0.05 * size, base + copies * size, disk + 0.5 * size * (disk < 1))

    return cost


FIGURE = collected(250, 2.0, 9.0, 2.0)


class Model(StudyModel):
    """Online adversarial training of an erf perceptron on a Gaussian mixture (Straat)."""

    name: ClassVar[str] = "mixture"
    within_panel: ClassVar[tuple[str, ...]] = ("eps_train", "simulator", "dimension")
    data_sources: ClassVar[tuple[str, ...]] = ("mixture",)
    steps: ClassVar[Mapping[str, Step]] = {
        "simulate": Step(
            ("simulator", *POINT, "dimension", *START, "alpha", "full_alpha_max", "eps", "eps_report", "test_examples",
             "root", "seeds", "device", "dtype"),
            "block", simulation_cost, gpu=lambda point: point["simulator"] == "full",
        ),
        "integrate": Step((*POINT, *START, "alpha", "eps", "eps_report", "rtol"), "cell", theory_cost),
        "scale": Step(
            (*POINT, *START, "scaling_dimensions", "scaling_alpha", "scaling_seeds", "potential_dimensions",
             "potential_examples", "root"),
            "cell", scaling_cost,
        ),
        "collect": Step(cost=collected(120, 8.0, 3.0)),
        "tabulate": Step(cost=collected(130, 3.0, 3.0)),
        "assess": Step(cost=collected(180, 5.0, 4.0)),
        "plot_curves": Step(per="panel", cost=FIGURE),
        "plot_potential": Step(per="panel", cost=FIGURE),
        "plot_data": Step(cost=FIGURE),
        "plot_scaling": Step(cost=FIGURE),
    }  # fmt: skip

    prior: float = parameter(0.5, "probability p of class +1", gt=0, lt=1, lane=True)
    rho: float = parameter(2.0, "distance of the two cluster centres", ge=0, lane=True)
    v1: float = parameter(1.0, "variance of class +1", gt=0, lane=True)
    v2: float = parameter(1.0, "variance of class -1", gt=0, lane=True)
    eta_w: float = parameter(0.04, "learning rate of the weights", gt=0, lane=True)
    eta_b: float = parameter(0.2, "learning rate of the bias", ge=0, lane=True)
    eps_train: float = parameter(0.0, "length of the training attack along w; 0 is standard training", ge=0, lane=True)
    dimension: int = parameter(1000, "input dimension N", ge=2)
    simulator: Literal["lumped", "full"] = parameter(
        "lumped", "exact chain in (R, b), O(1) a step, or the stream of all N components"
    )
    R0: float = parameter(0.0, "overlap R(0) of the weights with B", ge=-1, le=1)
    b0: float = parameter(0.0, "bias b(0)")
    alpha: list[float] = parameter(ALPHA, "learning times mu/N that are recorded", sweep=False, min_length=1)
    full_alpha_max: float = parameter(100.0, "learning time at which the full stream stops", sweep=False, gt=0)
    full_seeds: int = parameter(8, "seeds that the full stream runs, the first ones", sweep=False, ge=1)
    eps: list[float] = parameter(
        [round(0.05 * i, 2) for i in range(61)], "attack lengths of the robustness curve", sweep=False, min_length=2
    )
    eps_report: float = parameter(
        1.0, "attack length at which S is reported beside the training one", sweep=False, ge=0
    )
    test_examples: int = parameter(2000, "sampled test examples for each seed of the full stream", sweep=False, ge=400)
    rtol: float = parameter(1e-8, "relative tolerance of the integrator", sweep=False, gt=1e-13, le=1e-2)
    scaling_dimensions: list[int] = parameter(
        [100, 1000, 10000], "dimensions N over which the variance is compared", sweep=False, min_length=2
    )
    scaling_alpha: float = parameter(20.0, "learning time at which it is compared", sweep=False, gt=0)
    scaling_seeds: int = parameter(128, "independent seeds at each of them", sweep=False, ge=2)
    potential_dimensions: list[int] = parameter(
        [2, 5, 20], "small dimensions at which the law of the local potential is tested", sweep=False, min_length=1
    )
    potential_examples: int = parameter(4000, "examples at each of them", sweep=False, ge=10)
    dataset: str = parameter("mixture", "data set (of source mixture) drawn in high dimension", sweep=False)

    @model_validator(mode="after")
    def _times(self) -> Self:
        for name in ("alpha", "eps"):
            values = getattr(self, name)
            if any(b <= a for a, b in pairwise(values)) or values[0] < 0:
                raise ValueError(f"{name}: found {values}, allowed: increasing values >= 0")
        for name in ("scaling_dimensions", "potential_dimensions"):
            sizes = getattr(self, name)
            if any(b <= a for a, b in pairwise(sizes)) or sizes[0] < 2:
                raise ValueError(f"{name}: found {sizes}, allowed: increasing integers >= 2")
        if self.simulator == "full" and self.alpha[0] > self.full_alpha_max:
            raise ValueError(
                f"full_alpha_max: found {self.full_alpha_max}, allowed: at least the first alpha, {self.alpha[0]}"
            )
        return self

    def seeds_of(self, seeds: list[int]) -> list[int]:
        """The full stream runs the first ``full_seeds`` seeds only."""
        return seeds[: self.full_seeds] if self.simulator == "full" else seeds
