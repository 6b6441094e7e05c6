"""The parameters and steps of the study `logistic`."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, ClassVar, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter
from advdyn.study.sizes import holding, known

OPTIMUM = ("positive", "negative", "l2", "eps_train", "tolerance", "max_iterations", "device", "dtype")


def lanes_in(point: Mapping[str, Any]) -> int:
    """The number of convex problems of a job."""
    return prod(len(point[name]) for name in ("l2", "eps_train") if isinstance(point.get(name), list))


def training_cost(point: Mapping[str, Any]) -> Cost:
    """One convex problem for each lane; the images of the two classes, of ten, in double precision."""
    at = known(Model, point)
    lanes, numbers = lanes_in(at), 1e-6 * at["data_samples"] * at["data_pixels"]
    working = 6.0 * numbers + 4e-6 * lanes * at["data_samples"] + 3.0 * lanes
    return Cost(5 + 1.5 * lanes, 330 + holding(at, 8, working))


def evaluation_cost(point: Mapping[str, Any]) -> Cost:
    """Margins of every lane, and the test images of two classes of ten under attack, at 51 sizes at once."""
    at = known(Model, point)
    lanes, numbers = lanes_in(at), 1e-6 * at["data_samples"] * at["data_pixels"]
    working = (2.0 + 0.25 * min(len(at["eps"]), 51)) * numbers + 1e-5 * lanes * (
        at["data_samples"] + 10 * len(at["eps"])
    )
    return Cost(5 + 0.3 * lanes, 380 + holding(at, 8, working), 1 + 5e-6 * lanes * at["data_samples"])


def collected(base: float, seconds: float, disk: float) -> Callable[[Mapping[str, Any]], Cost]:
    """The cost of a step that holds the collected data in three copies: curves, outputs and weights of every lane."""

    def cost(point: Mapping[str, Any]) -> Cost:
        at = known(Model, point)
        each = 10 * len(at["eps"]) + at["data_samples"] / 10 + at["data_pixels"]
        return Cost(seconds, base + 3 * 8e-6 * at["places"] * each, disk)

    return cost


FIGURE = collected(430, 8.0, 2.0)


class Model(StudyModel):
    """Logistic regression on two digits of MNIST, standard and adversarially trained (Straat)."""

    name: ClassVar[str] = "logistic"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step(OPTIMUM, "cell", training_cost, gpu=lambda _: True),
        "evaluate": Step(("positive", "negative", "eps", "root"), "cell", evaluation_cost, after=("train",)),
        "collect": Step(cost=collected(120, 4.0, 1.0)),
        "assess": Step(cost=collected(180, 4.0, 0.5)),
        "plot_weights": Step(cost=FIGURE),
        "plot_outputs": Step(cost=FIGURE),
        "plot_errors": Step(cost=FIGURE),
        "plot_example": Step(cost=FIGURE),
    }

    dataset: str = parameter("mnist", "data set, by its name in the configuration", sweep=False)
    positive: int = parameter(3, "label of class +1", sweep=False, ge=0)
    negative: int = parameter(7, "label of class -1", sweep=False, ge=0)
    l2: float = parameter(1e-3, "penalty l2/2 |w|_2^2", ge=0, lane=True)
    eps_train: float = parameter(
        0.0, "l_inf length of the training attack; 0 is standard training", "pixel range", ge=0, le=1, lane=True
    )
    tolerance: float = parameter(1e-8, "largest KKT residual of the optimum", sweep=False, gt=0, le=1e-2)
    max_iterations: int = parameter(
        100_000, "iterations after which a problem is marked as not converged", sweep=False, ge=1
    )
    eps: list[float] = parameter(
        [round(0.001 * i, 3) for i in range(501)],
        "attack lengths of the error curve",
        "pixel range",
        sweep=False,
        min_length=2,
    )

    @model_validator(mode="after")
    def _solvable(self) -> Self:
        if self.positive == self.negative:
            raise ValueError(f"negative: found {self.negative}, allowed: a label other than positive")
        if self.l2 == 0 and self.eps_train == 0:
            raise ValueError(
                "l2: found 0 with eps_train 0, allowed: l2 > 0 there (separable classes have no optimum without it)"
            )
        if any(b <= a for a, b in zip(self.eps, self.eps[1:], strict=False)) or self.eps[0] < 0:
            raise ValueError(f"eps: found {self.eps}, allowed: increasing values >= 0")
        return self
