"""A study as what it stands for: a product, or a union of products, of scenarios, cells, lanes and blocks of seeds."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, eq=False)
class Grid:
    """One product of the union that a study is.

    Attributes
    ----------
    cells, lanes
        Swept parameter to its values.
    count
        Number of seeds.
    """

    cells: dict[str, list[Any]]
    lanes: dict[str, list[Any]]
    count: int


@dataclass
class Place:
    """One cell: the values of its axes, all parameters it sets, the lane values that stand there, and its seeds."""

    key: dict[str, Any]
    sets: dict[str, Any]
    lanes: dict[str, set[Any]] = field(default_factory=dict)
    count: int = 0

    def add(self, lanes: Mapping[str, Iterable[Any]], count: int) -> None:
        """Lane values and seeds of one more grid that holds this cell."""
        for name, values in lanes.items():
            self.lanes.setdefault(name, set()).update(values)
        self.count = max(self.count, count)


@dataclass(frozen=True)
class Sweep:
    """A validated study.

    Attributes
    ----------
    model
        The study's model class.
    settings
        The model at the study's settings; a parameter that some grid does not sweep has its value there.
    scenarios
        Name of a scenario to the parameters it sets together.
    grids
        The products whose union the study is; a study file without ``grids`` is one.
    block
        How many seeds one job takes.
    """

    model: type[StudyModel]
    settings: StudyModel
    scenarios: dict[str, dict[str, Any]]
    grids: tuple[Grid, ...]
    block: int

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.model.name

    # --- the grid -----------------------------------------------------------------------------

    @functools.cached_property
    def cells(self) -> dict[str, list[Any]]:
        """Swept cell parameter to all its values, in canonical order."""
        return self._union([p.key for p in self._places], {n for p in self._places for n in p.key} - {"scenario"})

    @functools.cached_property
    def lanes(self) -> dict[str, list[Any]]:
        """Swept lane parameter to all its values, in canonical order."""
        found: dict[str, set[Any]] = {}
        for place in self._places:
            for name, values in place.lanes.items():
                found.setdefault(name, set()).update(values)
        return {n: self.model.ordered(n, found[n]) for n in self.model.fields() if n in found}

    def values(self, name: str) -> list[Any]:
        """All values that a parameter has at the study's points, in canonical order; lanes aside."""
        return self.model.ordered(name, {getattr(self.settings.model_copy(update=p.sets), name) for p in self._places})

    def _union(self, keys: list[dict[str, Any]], names: set[str]) -> dict[str, list[Any]]:
        return {n: self.model.ordered(n, {key[n] for key in keys}) for n in self.model.fields() if n in names}

    @functools.cached_property
    def _places(self) -> list[Place]:
        """The cells of the study, in canonical order, points that are the same system merged."""
        cell_names = {n for grid in self.grids for n in grid.cells}
        lane_names = {n for grid in self.grids for n in grid.lanes}
        found: list[tuple[dict[str, Any], dict[str, Any], Grid, dict[str, list[Any]]]] = []
        for grid in self.grids:
            base = {n: getattr(self.settings, n) for n in self.model.fields() if n in cell_names}
            lanes = {n: grid.lanes.get(n, [getattr(self.settings, n)]) for n in self.model.fields() if n in lane_names}
            for scenario in self.scenarios or {"": {}}:
                for values in itertools.product(*grid.cells.values()):
                    cell = base | dict(zip(grid.cells, values, strict=True))
                    sets = self.scenarios.get(scenario, {}) | cell
                    for more, kept in self._merged(sets, lanes):
                        for n, value in self.scenarios.get(scenario, {}).items():
                            if more[n] != value:
                                raise ConfigError(
                                    f"{self.name}: scenarios.{scenario}.{n}: found {value!r}, allowed: {more[n]!r} "
                                    "(there it is the same system)"
                                )
                        key = ({"scenario": scenario} if scenario else {}) | cell
                        found.append((key, more, grid, kept))
        # a parameter that `same_as` sets is an axis only where nothing else tells two points apart
        touched = {n for _, sets, _, _ in found for n in sets} - {n for v in self.scenarios.values() for n in v}
        together: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for key, sets, _, _ in found:
            swept = {n: sets.get(n, v) for n, v in key.items()}
            together.setdefault(tuple(swept.items()), []).append(sets)
        axes = cell_names | {
            n for n in touched for group in together.values() if len({sets.get(n, None) for sets in group}) > 1
        }
        places: dict[tuple[Any, ...], Place] = {}
        for key, sets, grid, kept in found:
            own = {n: sets.get(n, getattr(self.settings, n)) for n in self.model.fields() if n in axes}
            whole = ({"scenario": key["scenario"]} if "scenario" in key else {}) | own
            place = places.setdefault(tuple(whole.items()), Place(whole, sets))
            place.add(kept, grid.count)
        ranks = {
            n: {v: i for i, v in enumerate(vs)} for n, vs in self._union([p.key for p in places.values()], axes).items()
        }
        ranks["scenario"] = {name: i for i, name in enumerate(self.scenarios)}
        return sorted(places.values(), key=lambda place: [ranks[n][v] for n, v in place.key.items()])

    def _merged(
        self, sets: dict[str, Any], lanes: dict[str, list[Any]]
    ) -> Iterator[tuple[dict[str, Any], dict[str, list[Any]]]]:
        """The cells that the lanes of one cell belong to, once points that are the same system are one."""
        if self.model.same_as is StudyModel.same_as:
            yield sets, lanes
            return
        for values in itertools.product(*lanes.values()):
            lane = dict(zip(lanes, values, strict=True))
            over = self.settings.model_copy(update=sets | lane).same_as()
            yield sets | {n: v for n, v in over.items() if n not in lanes}, {n: [over.get(n, lane[n])] for n in lanes}

    def axes(self, step: str) -> list[str]:
        """The cell axes a step depends on: those it or a step before it reads, and ``scenario`` if one of theirs."""
        if self.model.steps[step].per not in ("cell", "block"):
            return []
        reads = self.model.reads_before(step)
        scenario = any(name in reads for values in self.scenarios.values() for name in values)
        return (["scenario"] if scenario else []) + [name for name in self.cells if name in reads]

    def cells_of(self, step: str) -> list[str]:
        """Path texts of the cells of a step, one for each combination of the axes it depends on."""
        return list(self._index[step])

    def _place(self, step: str, cell: str) -> Place:
        if cell not in self._index[step]:
            raise ConfigError(
                f"{self.name}: {step}: found cell {cell}, allowed: " + ", ".join(list(self._index[step])[:5])
            )
        return self._index[step][cell]

    def coordinates(self, step: str, cell: str) -> dict[str, Any]:
        """The values a cell's path text stands for.

        Raises
        ------
        ConfigError
            When the cell is not in the study.
        """
        return dict(self._place(step, cell).key)

    @functools.cached_property
    def _index(self) -> dict[str, dict[str, Place]]:
        """Step -> path text of a cell -> the cell, projected on the axes of the step."""
        index: dict[str, dict[str, Place]] = {}
        for step in self.model.steps:
            axes, found = self.axes(step), index.setdefault(step, {})
            reads = self.model.reads_before(step)
            for place in self._places:
                key = {n: place.key[n] for n in axes}
                name = layout.cell(key)
                if name not in found:
                    scenario = self.scenarios.get(key.get("scenario", ""), {})
                    swept = {n: v for n, v in place.sets.items() if n in key or (n in reads and n not in scenario)}
                    per_cell = self.model.steps[step].per in ("cell", "block")
                    found[name] = Place(key, scenario | swept if per_cell else {})
                found[name].add(place.lanes, place.count)
        return index

    def at(self, step: str, cell: str) -> StudyModel:
        """The model at a cell, lanes aside."""
        return self.settings.model_copy(update=self._place(step, cell).sets)

    def blocks_of(self, step: str, cell: str) -> list[str]:
        """Path texts of the blocks of seeds that a cell of a step runs."""
        place = self._place(step, cell)
        runs = self.settings.model_copy(update=place.sets).seeds_of(list(range(place.count)))
        blocks = (runs[i : i + self.block] for i in range(0, len(runs), self.block))
        return [layout.block(block[0], block[-1]) for block in blocks]

    def point(self, step: str, cell: str = layout.WHOLE, block: str = "") -> dict[str, Any]:
        """The params of a job: what its step reads, as plain scalars and lists, in the order declared."""
        model, lanes = self.at(step, cell), self._place(step, cell).lanes
        if self.model.steps[step].per not in ("cell", "block"):
            # of what is swept, a step of the whole study has the value of the settings, or the last one there is
            model, swept = self.settings, {**self.cells, **self.lanes}
            lanes = {}
            model = model.model_copy(update={n: v[-1] for n, v in swept.items() if getattr(self.settings, n) not in v})
        point: dict[str, Any] = {}
        for name in self.model.steps[step].reads:
            if name == "seeds":
                point[name] = layout.seeds_in(block)
            else:
                point[name] = self.model.ordered(name, lanes[name]) if name in lanes else getattr(model, name)
        return point

    def panels(self) -> list[str]:
        """Path texts of the panels: combinations of swept values that each get a figure of their own (not too many)."""
        found: dict[str, None] = {}
        for place in self._places:
            key = {n: v for n, v in place.key.items() if n not in self.model.within_panel}
            lanes = {n: self.model.ordered(n, place.lanes[n]) for n in place.lanes if n not in self.model.within_panel}
            for values in itertools.product(*lanes.values()):
                found[layout.cell(key | dict(zip(lanes, values, strict=True)))] = None
                if len(found) == MAX_PANELS:
                    return list(found)
        return list(found)

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

    def before(self, step: str, cell: str = layout.WHOLE, block: str = "") -> dict[str, list[Job]]:
        """The jobs of the steps before a step whose files one of its jobs reads, by step."""
        found: dict[str, list[Job]] = {}
        own = self.model.steps[step]
        for name in own.after:
            per = self.model.steps[name].per
            if own.per == "study":
                jobs = list(self.jobs(name))
                if own.takes is not None and per in ("cell", "block"):
                    kept = own.takes([(self.at(name, job.cell), job.block) for job in jobs])
                    jobs = [job for job, keep in zip(jobs, kept, strict=True) if keep]
                found[name] = jobs
            else:
                where = cell if per in ("cell", "block") else layout.WHOLE
                at = block if per == "block" else ""
                found[name] = [Job(name, where, at, "", self.point(name, where, at))]
        return found

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
