"""The parameters and steps of the study `logistic`."""

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar, Self

from pydantic import model_validator

from advdyn.study.model import Cost, Step, StudyModel, parameter

OPTIMUM = ("positive", "negative", "l2", "eps_train", "tolerance", "max_iterations", "device", "dtype")
FIGURE = Cost(8.0, 400.0, 2.0)


def training_cost(point: Mapping[str, Any]) -> Cost:
    """One convex problem for each lane."""
    lanes = prod(len(point[name]) for name in ("l2", "eps_train") if isinstance(point[name], list))
    return Cost(5 + 1.5 * lanes, 600 + 15 * lanes)


class Model(StudyModel):
    """Logistic regression on two digits of MNIST, standard and adversarially trained (Straat)."""

    name: ClassVar[str] = "logistic"
    data_sources: ClassVar[tuple[str, ...]] = ("bundled", "directory", "download", "npz")
    steps: ClassVar[Mapping[str, Step]] = {
        "train": Step(OPTIMUM, "cell", training_cost, gpu=lambda _: True),
        "evaluate": Step(("positive", "negative", "eps", "root"), "cell", lambda _: Cost(6.0, 500.0), after=("train",)),
        "collect": Step(),
        "assess": Step(cost=lambda _: Cost(6.0, 500.0)),
        "plot_weights": Step(cost=lambda _: FIGURE),
        "plot_outputs": Step(cost=lambda _: FIGURE),
        "plot_errors": Step(cost=lambda _: FIGURE),
        "plot_example": Step(cost=lambda _: FIGURE),
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
