"""A study as the product it stands for: settings, scenarios, cells, lanes and blocks of seeds."""

from __future__ import annotations

import difflib
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from advdyn.study import layout
from advdyn.study.errors import ConfigError, wrong
from advdyn.study.model import Cost, StudyModel, allowed, extra
from advdyn.study.numbers import canonical
from advdyn.study.reading import Tree

SECTIONS = ("settings", "scenarios", "cells", "lanes", "seeds")
MAX_JOBS = 10_000
RANGES = ("linspace", "geomspace")


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
        """The cell axes a step depends on: those it reads, and ``scenario`` if it reads one of theirs."""
        reads = self.model.steps[step].reads
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
            raise ConfigError(f"{self.name}: {step}: found cell {cell}, allowed: " + _some(self._index[step]))
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

    def point(self, step: str, cell: str = layout.WHOLE, block: str | None = None) -> dict[str, Any]:
        """The params of a job: what its step reads, as plain scalars and lists, in the order declared."""
        model = self.at(step, cell)
        point: dict[str, Any] = {}
        for name in self.model.steps[step].reads:
            if name == "seeds":
                point[name] = layout.seeds_in(block) if block else list(range(self.count))
            else:
                point[name] = self.lanes.get(name, getattr(model, name))
        return point

    def panels(self) -> list[str]:
        """Path texts of the panels: the combinations of swept values that each get a figure of their own."""
        axes: dict[str, list[Any]] = {"scenario": list(self.scenarios)} if self.scenarios else {}
        axes |= {k: v for k, v in (self.cells | self.lanes).items() if k not in self.model.within_panel}
        return [layout.cell(dict(zip(axes, values, strict=True))) for values in itertools.product(*axes.values())]

    def jobs(self) -> Iterator[Job]:
        """Every job of the study."""
        for name, step in self.model.steps.items():
            if step.per == "study":
                yield Job(name, layout.WHOLE, "", "", self._study_point(name))
            elif step.per == "panel":
                for panel in self.panels():
                    yield Job(name, layout.WHOLE, "", panel, self._study_point(name))
            else:
                for cell in self.cells_of(name):
                    if step.per == "cell":
                        yield Job(name, cell, "", "", self.point(name, cell))
                    else:
                        for block in self.blocks_of(name, cell):
                            yield Job(name, cell, block, "", self.point(name, cell, block))

    def _study_point(self, step: str) -> dict[str, Any]:
        reads = self.model.steps[step].reads
        return {
            name: self.lanes.get(name, self.cells.get(name, getattr(self.settings, name)))
            for name in reads
            if name != "seeds"
        }

    def count_jobs(self, most: int = MAX_JOBS) -> int:
        """The number of jobs; past ``most`` cells of a step they are counted without being built."""
        total = 0
        for name, step in self.model.steps.items():
            cells = math.prod(len(v) for v in self.axes(name).values())
            if step.per == "panel":
                total += len(self.panels())
            elif step.per != "block":
                total += cells if step.per == "cell" else 1
            elif cells > most:
                total += cells * (self.count // self.block)
            else:
                total += sum(len(self.blocks_of(name, cell)) for cell in self.cells_of(name))
        return total

    def cost(self, step: str, point: Mapping[str, Any]) -> Cost:
        """The cost of one job of a step."""
        return self.model.steps[step].cost(point)


# --- validation -------------------------------------------------------------------------------


def build(model: type[StudyModel], tree: Tree) -> Sweep:
    """Validate a study's tree into a Sweep.

    Raises
    ------
    ConfigError
        One line with file, key, what was found and what is allowed.
    """
    for section in tree.data:
        if section not in SECTIONS:
            raise _unknown(tree, (section,), SECTIONS)
        if not isinstance(tree.data[section], dict):
            raise wrong(tree.where(section), section, tree.data[section], "a mapping")
    settings = _validated(model, tree, ("settings",), tree.data.get("settings", {}))
    scenarios = _scenarios(model, tree, settings)
    cells, lanes = (_axes(model, tree, section, settings) for section in ("cells", "lanes"))
    _once(model, tree, scenarios, cells, lanes)
    count, block = _seeds(tree)
    sweep = Sweep(model, settings, scenarios, cells, lanes, count, block)
    _points(tree, sweep)
    _limit(tree, sweep)
    return sweep


def _some(names: Iterable[str], most: int = 5) -> str:
    """The first names of many."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f", ... ({len(listed)} in all)" if len(listed) > most else "")


def _unknown(tree: Tree, key: tuple[str, ...], names: Any) -> ConfigError:
    close = difflib.get_close_matches(key[-1], list(names), n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return wrong(tree.where(*key), ".".join(key), "an unknown key", ", ".join(names) + hint)


def _validated(model: type[StudyModel], tree: Tree, at: tuple[str, ...], values: Mapping[str, Any]) -> StudyModel:
    for name in values:
        if name not in model.model_fields:
            raise _unknown(tree, (*at, name), model.fields())
    try:
        plain: dict[str, Any] = {n: _range(tree, (*at, n), v) if isinstance(v, dict) else v for n, v in values.items()}
        return model(**plain)
    except ValidationError as error:
        raise _first(model, tree, at, error) from None


def _first(model: type[StudyModel], tree: Tree, at: tuple[str, ...], error: ValidationError) -> ConfigError:
    problem = error.errors()[0]
    if not problem["loc"]:  # a check of the whole model, whose message begins with the parameter at fault
        message = problem["msg"].removeprefix("Value error, ")
        name = message.split(":")[0]
        places = [(section, name) for section in (*at[:1], "lanes", "cells", "settings")]
        key = next((place for place in places if place in tree.origins), at)
        return ConfigError(f"{tree.where(*key)}: {key[0]}.{message}")
    name = str(problem["loc"][0])
    return wrong(tree.where(*at, name), ".".join((*at, name)), problem["input"], allowed(model, name))


def _scenarios(model: type[StudyModel], tree: Tree, settings: StudyModel) -> dict[str, dict[str, Any]]:
    found = tree.data.get("scenarios", {})
    scenarios = {}
    for name, values in found.items():
        at = ("scenarios", name)
        if not layout.is_segment(name):
            raise wrong(tree.where(*at), ".".join(at), name, "a name of letters, digits, '_', '-', '.'")
        if not isinstance(values, dict) or not values:
            raise wrong(tree.where(*at), ".".join(at), values, "a mapping of parameters to values")
        point = _validated(model, tree, at, settings.model_dump() | values)
        for key in values:
            if not extra(model.model_fields[key])["sweep"]:
                raise wrong(
                    tree.where(*at, key),
                    ".".join((*at, key)),
                    "a parameter that cannot be swept",
                    _sweepable(model, False),
                )
        scenarios[name] = {key: getattr(point, key) for key in model.fields() if key in values}
    keys = [set(v) for v in scenarios.values()]
    if any(k != keys[0] for k in keys):
        raise wrong(
            tree.where("scenarios"), "scenarios", [sorted(k) for k in keys], "the same parameters in every scenario"
        )
    return scenarios


def _sweepable(model: type[StudyModel], lane: bool) -> str:
    return ", ".join(n for n, f in model.fields().items() if extra(f)["sweep"] and (extra(f)["lane"] or not lane))


def _axes(model: type[StudyModel], tree: Tree, section: str, settings: StudyModel) -> dict[str, list[Any]]:
    found = tree.data.get(section, {})
    axes = {}
    for name, values in found.items():
        at = (section, name)
        where, key = tree.where(*at), ".".join(at)
        if name not in model.model_fields:
            raise _unknown(tree, at, model.fields())
        field = extra(model.model_fields[name])
        if not field["sweep"]:
            raise wrong(where, key, "a parameter that cannot be swept", _sweepable(model, False))
        if section == "lanes" and not field["lane"]:
            raise wrong(where, key, "a parameter that cannot be a lane (sweep it under cells)", _sweepable(model, True))
        if isinstance(values, dict):
            values = _range(tree, at, values)
        if not isinstance(values, list):
            raise wrong(
                where,
                key,
                values,
                "a list of values, or one of " + ", ".join(f"{{{r}: [start, stop, number]}}" for r in RANGES),
            )
        if not values:
            raise wrong(where, key, "an empty list", "at least one value (null removes an axis)")
        good = [getattr(_value(model, tree, at, settings, v), name) for v in values]
        good = canonical(good)
        for i, value in enumerate(good):
            if value in good[:i]:
                raise wrong(where, key, f"{value} twice", "each value once")
            if isinstance(value, str) and not layout.is_segment(value):
                raise wrong(where, key, value, "a name of letters, digits, '_', '-', '.'")
        axes[name] = sorted(good) if not isinstance(good[0], str) else good
    return {name: axes[name] for name in model.fields() if name in axes}


def _value(model: type[StudyModel], tree: Tree, at: tuple[str, str], settings: StudyModel, value: Any) -> StudyModel:
    """The model with one value of an axis; the error of a bad value names the axis."""
    try:
        return model(**(settings.model_dump() | {at[1]: value}))
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["loc"]:
            raise wrong(tree.where(*at), ".".join(at), value, allowed(model, at[1])) from None
        # A check of the whole model may fail here only because another axis is not yet at its value;
        # _points checks the whole product. The value itself is within its bounds.
        return model.model_construct(**(settings.model_dump() | {at[1]: value}))


def _range(tree: Tree, at: tuple[str, ...], found: Mapping[str, Any]) -> list[float]:
    """``{linspace: [start, stop, number]}`` or ``{geomspace: [...]}`` as a list of canonical floats."""
    form = "one of " + ", ".join(f"{{{r}: [start, stop, number]}}" for r in RANGES)
    (kind, triple), *rest = found.items() or [(None, None)]
    numbers = (
        [v for v in triple if isinstance(v, int | float) and not isinstance(v, bool)]
        if isinstance(triple, list)
        else []
    )
    good = len(numbers) == 3 and numbers == triple and isinstance(numbers[2], int) and numbers[2] >= 2
    if rest or kind not in RANGES or not good:
        raise wrong(tree.where(*at), ".".join(at), dict(found), form + " with number >= 2")
    start, stop, number = float(numbers[0]), float(numbers[1]), int(numbers[2])
    if kind == "linspace":
        return canonical([start + (stop - start) * i / (number - 1) for i in range(number)])
    if start <= 0 or stop <= 0:
        raise wrong(tree.where(*at), ".".join(at), dict(found), "geomspace with start and stop > 0")
    return canonical([start * (stop / start) ** (i / (number - 1)) for i in range(number)])


def _once(model: type[StudyModel], tree: Tree, scenarios: Any, cells: Any, lanes: Any) -> None:
    places = [("settings", set(tree.data.get("settings", {}))), ("cells", set(cells)), ("lanes", set(lanes)),
              ("scenarios", {k for v in scenarios.values() for k in v})]  # fmt: skip
    for (one, names), (other, others) in itertools.combinations(places, 2):
        for name in model.fields():
            if name in names and name in others:
                at = (other, name) if other != "scenarios" else (other,)
                raise wrong(tree.where(*at), f"{other}.{name}", f"a parameter that is also in {one}",
                            f"each parameter in one of {', '.join(SECTIONS[:4])}")  # fmt: skip


def _seeds(tree: Tree) -> tuple[int, int]:
    found = tree.data.get("seeds", {})
    for key in found:
        if key not in ("count", "block"):
            raise _unknown(tree, ("seeds", key), ("count", "block"))
    count = found.get("count", 1)
    block = found.get("block", count)
    for key, value in (("count", count), ("block", block)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise wrong(tree.where("seeds", key), f"seeds.{key}", value, "an integer >= 1")
    if count % block:
        raise wrong(tree.where("seeds", "count"), "seeds.count", count, f"a multiple of seeds.block = {block}")
    return count, block


def _limit(tree: Tree, sweep: Sweep) -> None:
    jobs = sweep.count_jobs()
    if jobs > MAX_JOBS:
        could = [n for n in sweep.cells if extra(sweep.model.model_fields[n])["lane"]]
        how = f"move {', '.join(could)} from cells to lanes" if could else "sweep fewer values, or raise seeds.block"
        raise wrong(tree.where("cells"), "cells", f"{jobs} jobs", f"at most {MAX_JOBS}: {how}")


def _points(tree: Tree, sweep: Sweep, most: int = 2000) -> None:
    """Check the model at the points of the whole product (all of them, up to a number that stays quick)."""
    axes = sweep.cells | sweep.lanes
    scenarios: list[dict[str, Any]] = list(sweep.scenarios.values()) or [{}]
    product = itertools.product(scenarios, itertools.product(*axes.values()))
    for scenario, values in itertools.islice(product, most):
        point = dict(zip(axes, values, strict=True))
        try:
            model = sweep.model(**(sweep.settings.model_dump() | scenario | point))
        except ValidationError as error:
            raise _first(sweep.model, tree, ("lanes",) if sweep.lanes else ("cells",), error) from None
        runs = model.seeds_of(list(range(sweep.count)))
        if len(runs) % sweep.block:
            raise wrong(tree.where("seeds", "block"), "seeds.block", sweep.block,
                        f"a divisor of the {len(runs)} seeds that run at {point or 'this study'}")  # fmt: skip
