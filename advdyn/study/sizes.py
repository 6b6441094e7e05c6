"""The sizes that the cost of a job is a function of, beside the parameters that reach it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from advdyn.data.cost import size
from advdyn.study import layout
from advdyn.study.model import StudyModel
from advdyn.study.sweep import Sweep

if TYPE_CHECKING:
    from advdyn.study.run import Run

# Beside parameters a cost is a function of the largest data set that the job may read (samples, numbers in each, bytes
# of a number in its file), and, of a step of the whole study, of how many jobs of a step and runs (lanes and seeds) it
# may read, how many seeds there are, and the points of the product of all that is swept, which collected data may hold.
USUAL: Mapping[str, Any] = MappingProxyType(
    {"data_samples": 5000, "data_pixels": 784, "data_bytes": 1, "jobs": 1, "runs": 3, "count": 3, "places": 1}
    | {"seeds": [*range(3)]}
)


def holding(point: Mapping[str, Any], itemsize: int, working: float = 0.0) -> float:
    """Peak in MB of a job that loads the images of a data set (``advdyn.data.load``), and then works with them.

    Loading holds what the file holds, all images as floats and their splits; what is left are the splits, beside what
    the work takes. ``point`` is one of ``known``, ``itemsize`` that of the floats.
    """
    numbers = 1.05e-6 * point["data_samples"] * point["data_pixels"]
    return max(numbers * (point["data_bytes"] + 2 * itemsize), numbers * itemsize + working)


def itemsize(point: Mapping[str, Any]) -> int:
    """Bytes of a number of a job's tensors."""
    return 4 if point["dtype"] == "float32" else 8


def known(model: type[StudyModel], point: Mapping[str, Any]) -> dict[str, Any]:
    """All that a cost is a function of: what a caller leaves out has its default, or its usual value."""
    return {name: field.default for name, field in model.model_fields.items()} | dict(USUAL) | dict(point)


@dataclass(frozen=True)
class Sizes:
    """What the costs of a run's jobs are functions of, besides what each job reads itself."""

    run: Run
    known: dict[tuple[str, str], dict[str, Any]] = dataclasses.field(default_factory=dict)

    def of(self, study: str, step: str, cell: str = layout.WHOLE, block: str = "") -> dict[str, Any]:
        """All that the cost of a job is a function of: its own parameters, and what says how large its inputs are.

        Returns
        -------
        All parameters there, with the lanes and seeds that the step, or the steps whose files it reads, are given;
        where these are many jobs, the largest value of each. And the keys of ``USUAL``.
        """
        sweep = self.run.studies[study]
        own = sweep.point(step, cell, block)
        if sweep.model.steps[step].per in ("cell", "block"):
            found = _merged([own, *_before(sweep, step, cell, block)])
            names = [getattr(sweep.at(step, cell), "dataset", "")]
        else:
            takes = step if sweep.model.steps[step].after else ""
            if (study, takes) not in self.known:  # a figure has the sizes of all other figures
                self.known[study, takes] = _of_study(sweep, takes)
            found = self.known[study, takes]
            names = sweep.values("dataset") if "dataset" in sweep.model.model_fields else []
        sizes = [size(self.run.data[name]) for name in names if name in self.run.data] or [(0, 0, 1)]
        samples, pixels, stored = max(sizes, key=math.prod)
        return (
            dict(sweep.at(step, cell))
            | found
            | own
            | {"data_samples": samples, "data_pixels": pixels, "data_bytes": stored}
        )


def _before(sweep: Sweep, step: str, cell: str, block: str) -> Iterable[Mapping[str, Any]]:
    """The points of the jobs whose files a job reads, and of those before them."""
    for name, jobs in sweep.before(step, cell, block).items():
        if sweep.model.steps[name].per in ("cell", "block"):
            for job in jobs:
                yield job.point
                yield from _before(sweep, name, job.cell, job.block)


def _of_study(sweep: Sweep, step: str) -> dict[str, Any]:
    """The largest values over the jobs that a step of the whole study reads; of none named, over all jobs."""
    jobs = sweep.before(step) if step else {name: sweep.jobs(name) for name in sweep.model.steps}
    per_cell = {n: found for n, found in jobs.items() if sweep.model.steps[n].per in ("cell", "block")}
    points = {n: [job.point for job in found] for n, found in per_cell.items()}
    swept = (*sweep.cells.values(), *sweep.lanes.values(), sweep.scenarios or [""])
    return _merged(point for found in points.values() for point in found) | {
        "jobs": max((len(found) for found in points.values()), default=0),
        "runs": max((sum(_runs(sweep, point) for point in found) for found in points.values()), default=0),
        "places": math.prod(map(len, swept)),
    }


def _runs(sweep: Sweep, point: Mapping[str, Any]) -> int:
    return math.prod(len(point[name]) for name in (*sweep.lanes, "seeds") if name in point)


def _merged(points: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Of each parameter the largest number, the longest list, or the first text; ``count`` seeds are in them."""
    found: dict[str, Any] = {"count": 1}
    for point in points:
        for name, value in point.items():
            if name not in found or _amount(value) > _amount(found[name]):
                found[name] = value
        found["count"] = max(found["count"], *(seed + 1 for seed in point.get("seeds", [0])))
    return found


def _amount(value: Any) -> float:
    if isinstance(value, list | dict):
        return len(value)
    return float(value) if isinstance(value, int | float) else 0.0
