"""A study as the product it stands for: settings, scenarios, cells, lanes and blocks of seeds."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from advdyn.study import layout
from advdyn.study.errors import ConfigError
from advdyn.study.model import Cost, StudyModel

MAX_PANELS = 100  # figures of a kind; a study of more panels draws the first ones


@dataclass(frozen=True)
class Job:
    """One job of a step: where it stands in the grid, and the parameters it reads."""

    step: str
    cell: str
    block: str
    panel: str
    point: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A validated study.

    Attributes
    ----------
    model
        The study's model class.
    settings
        The model at the study's settings.
    scenarios
        Name of a scenario to the parameters it sets together.
    cells, lanes
        Swept parameter to its values, in canonical order.
    count, block
        Number of seeds, and how many of them one job takes.
    """

    model: type[StudyModel]
    settings: StudyModel
    scenarios: dict[str, dict[str, Any]]
    cells: dict[str, list[Any]]
    lanes: dict[str, list[Any]]
    count: int
    block: int

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.model.name

    # --- the grid -----------------------------------------------------------------------------

    def axes(self, step: str) -> dict[str, list[Any]]:
        """The cell axes a step depends on: those it or a step before it reads, and ``scenario`` if one of theirs."""
        reads = self.model.reads_before(step)
        axes: dict[str, list[Any]] = {}
        if any(name in reads for values in self.scenarios.values() for name in values):
            axes["scenario"] = list(self.scenarios)
        return axes | {name: values for name, values in self.cells.items() if name in reads}

    def cells_of(self, step: str) -> list[str]:
        """Path texts of the cells of a step, one for each combination of the axes it depends on."""
        return list(self._index[step])

    def coordinates(self, step: str, cell: str) -> dict[str, Any]:
        """The values a cell's path text stands for.

        Raises
        ------
        ConfigError
            When the cell is not in the study.
        """
        if cell not in self._index[step]:
            raise ConfigError(
                f"{self.name}: {step}: found cell {cell}, allowed: " + ", ".join(list(self._index[step])[:5])
            )
        return dict(self._index[step][cell])

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Step -> path text of a cell -> its values."""
        index: dict[str, dict[str, dict[str, Any]]] = {}
        for step in self.model.steps:
            axes = self.axes(step)
            points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
            index[step] = {layout.cell(point): point for point in points}
        return index

    def at(self, step: str, cell: str) -> StudyModel:
        """The model at a cell, lanes aside."""
        values = self.coordinates(step, cell)
        update = dict(self.scenarios[values.pop("scenario")]) if "scenario" in values else {}
        return self.settings.model_copy(update=update | values)

    def blocks_of(self, step: str, cell: str) -> list[str]:
        """Path texts of the blocks of seeds that a cell of a step runs."""
        runs = self.at(step, cell).seeds_of(list(range(self.count)))
        blocks = (runs[i : i + self.block] for i in range(0, len(runs), self.block))
        return [layout.block(block[0], block[-1]) for block in blocks]

    def point(self, step: str, cell: str = layout.WHOLE, block: str = "") -> dict[str, Any]:
        """The params of a job: what its step reads, as plain scalars and lists, in the order declared."""
        model = self.at(step, cell)
        point: dict[str, Any] = {}
        for name in self.model.steps[step].reads:
            if name == "seeds":
                point[name] = layout.seeds_in(block)
            else:
                point[name] = self.lanes.get(name, getattr(model, name))
        return point

    def panels(self) -> list[str]:
        """Path texts of the panels: combinations of swept values that each get a figure of their own (not too many)."""
        axes: dict[str, list[Any]] = {"scenario": list(self.scenarios)} if self.scenarios else {}
        axes |= {k: v for k, v in (self.cells | self.lanes).items() if k not in self.model.within_panel}
        first = itertools.islice(itertools.product(*axes.values()), MAX_PANELS)
        return [layout.cell(dict(zip(axes, values, strict=True))) for values in first]

    def jobs(self, step: str) -> Iterator[Job]:
        """Every job of a step."""
        per = self.model.steps[step].per
        if per == "study":
            yield Job(step, layout.WHOLE, "", "", self.point(step))
        elif per == "panel":
            for panel in self.panels():
                yield Job(step, layout.WHOLE, "", panel, self.point(step))
        else:
            for cell in self.cells_of(step):
                for block in self.blocks_of(step, cell) if per == "block" else [""]:
                    yield Job(step, cell, block, "", self.point(step, cell, block))

    def all_jobs(self) -> Iterator[Job]:
        """Every job of the study."""
        for step in self.model.steps:
            yield from self.jobs(step)

    def count_jobs(self) -> int:
        """The number of jobs."""
        counts = {"study": lambda _: 1, "panel": lambda _: len(self.panels()), "cell": lambda s: len(self.cells_of(s))}
        counts["block"] = lambda s: sum(len(self.blocks_of(s, cell)) for cell in self.cells_of(s))
        return sum(counts[step.per](name) for name, step in self.model.steps.items())

    def cost(self, step: str, point: Mapping[str, Any]) -> Cost:
        """The cost of one job of a step."""
        return self.model.steps[step].cost(point)
