"""Building a Sweep from a study's settings: everything is checked, every mistake is one line."""

from __future__ import annotations

import difflib
import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from advdyn.study import layout
from advdyn.study.errors import ConfigError, Words, wrong
from advdyn.study.model import StudyModel, allowed, extra
from advdyn.study.numbers import canonical
from advdyn.study.reading import Tree
from advdyn.study.sweep import Grid, Sweep

SECTIONS = ("settings", "scenarios", "cells", "lanes", "grids", "seeds")
GRID = ("cells", "lanes", "seeds")
RANGES = ("linspace", "geomspace")
MAX_JOBS = 10_000
MAX_LANES = 100_000
MAX_POINTS = 200_000  # of a study; each is checked, at about 20 microseconds


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
    given = _values(model, tree, ("settings",), tree.data.get("settings", {}))
    settings = model.model_construct(**given)
    scenarios = _scenarios(model, tree)
    cells, lanes = (_axes(model, tree, (section,), tree.data.get(section, {})) for section in ("cells", "lanes"))
    _once(model, tree, scenarios, cells, lanes)
    count, block = _seeds(tree)
    grids = _grids(model, tree, scenarios, Grid(cells, lanes, count), block)
    sweep = Sweep(model, settings, scenarios, grids, block)
    _limits(tree, sweep)
    _points(tree, sweep)
    return sweep


# --- keys and values --------------------------------------------------------------------------


def _some(names: Iterable[str], most: int = 5) -> str:
    """The first names of many."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f", ... ({len(listed)} in all)" if len(listed) > most else "")


def _unknown(tree: Tree, key: tuple[str, ...], names: Iterable[str]) -> ConfigError:
    close = difflib.get_close_matches(key[-1], list(names), n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return wrong(tree.where(*key), ".".join(key), Words("an unknown key"), ", ".join(names) + hint)


@functools.cache
def _adapter(model: type[StudyModel], name: str) -> TypeAdapter[Any]:
    """The validator of one parameter by itself: its type and bounds, without the checks of the whole model."""
    field = model.model_fields[name]
    hint: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def _value(model: type[StudyModel], tree: Tree, at: tuple[str, ...], value: Any) -> Any:
    """One value of the parameter that the key ends in, as its type, canonical."""
    name = at[-1]
    if model.model_fields[name].annotation is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # from a range, or written 1e3
    try:
        return canonical(_adapter(model, name).validate_python(value))
    except ValidationError:
        raise wrong(tree.where(*at), ".".join(at), value, allowed(model, name)) from None


def _values(model: type[StudyModel], tree: Tree, at: tuple[str, ...], found: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a mapping, each checked by itself."""
    values = {}
    for name, value in found.items():
        key = (*at, name)
        if name not in model.model_fields:
            raise _unknown(tree, key, model.fields())
        if isinstance(value, dict) and get_origin(model.model_fields[name].annotation) is list:
            value = _range(tree, key, value)
        values[name] = _value(model, tree, key, value)
    return values


def _range(tree: Tree, at: tuple[str, ...], found: Mapping[str, Any]) -> list[float]:
    """``{linspace: [start, stop, number]}`` or ``{geomspace: [...]}`` as a list of canonical floats."""
    form = "one of " + ", ".join(f"{{{r}: [start, stop, number]}}" for r in RANGES)
    (kind, triple), *rest = found.items() or [(None, None)]
    given = triple if isinstance(triple, list) else []
    numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
    good = len(numbers) == 3 and len(given) == 3 and isinstance(numbers[2], int) and numbers[2] >= 2
    if rest or kind not in RANGES or not good:
        raise wrong(tree.where(*at), ".".join(at), dict(found), form + " with number >= 2")
    start, stop, number = float(numbers[0]), float(numbers[1]), int(numbers[2])
    if number > MAX_LANES:
        raise wrong(tree.where(*at), ".".join(at), Words(f"{number} values"), f"at most {MAX_LANES}")
    if kind == "linspace":
        return canonical([start + (stop - start) * i / (number - 1) for i in range(number)])
    if start <= 0 or stop <= 0:
        raise wrong(tree.where(*at), ".".join(at), dict(found), "geomspace with start and stop > 0")
    return canonical([start * (stop / start) ** (i / (number - 1)) for i in range(number)])


# --- sections ---------------------------------------------------------------------------------


def _scenarios(model: type[StudyModel], tree: Tree) -> dict[str, dict[str, Any]]:
    scenarios = {}
    for name, found in tree.data.get("scenarios", {}).items():
        at = ("scenarios", name)
        if not layout.is_segment(name):
            raise wrong(tree.where(*at), ".".join(at), name, layout.SEGMENT_WORDS)
        if not isinstance(found, dict) or not found:
            raise wrong(tree.where(*at), ".".join(at), found, "a mapping of parameters to values")
        values = _values(model, tree, at, found)
        for key in values:
            if not extra(model.model_fields[key])["sweep"]:
                place = (*at, key)
                raise wrong(
                    tree.where(*place), ".".join(place), Words("a parameter that cannot be swept"), _sweepable(model)
                )
        scenarios[name] = {key: values[key] for key in model.fields() if key in values}
    keys = [set(v) for v in scenarios.values()]
    if any(k != keys[0] for k in keys):
        found_keys = [sorted(k) for k in keys]
        raise wrong(tree.where("scenarios"), "scenarios", found_keys, "the same parameters in every scenario")
    return scenarios


def _sweepable(model: type[StudyModel], lane: bool = False) -> str:
    return ", ".join(n for n, f in model.fields().items() if extra(f)["sweep"] and (extra(f)["lane"] or not lane))


def _axes(
    model: type[StudyModel], tree: Tree, place: tuple[str, ...], given: Mapping[str, Any]
) -> dict[str, list[Any]]:
    axes = {}
    for name, found in given.items():
        at = (*place, name)
        where, key = tree.where(*at), ".".join(at)
        if name not in model.model_fields:
            raise _unknown(tree, at, model.fields())
        field = extra(model.model_fields[name])
        if not field["sweep"]:
            raise wrong(where, key, Words("a parameter that cannot be swept"), _sweepable(model))
        if place[-1] == "lanes" and not field["lane"]:
            raise wrong(
                where, key, Words("a parameter that cannot be a lane (sweep it under cells)"), _sweepable(model, True)
            )
        values = _range(tree, at, found) if isinstance(found, dict) else found
        if not isinstance(values, list):
            ranges = ", ".join(f"{{{r}: [start, stop, number]}}" for r in RANGES)
            raise wrong(where, key, values, f"a list of values, or one of {ranges}")
        if not values:
            raise wrong(where, key, Words("an empty list"), "at least one value (null removes an axis)")
        if len(values) > MAX_LANES:
            raise wrong(where, key, Words(f"{len(values)} values"), f"at most {MAX_LANES}")
        good = [_value(model, tree, at, value) for value in values]
        for value in good:
            if isinstance(value, str) and not layout.is_segment(value):
                raise wrong(where, key, value, layout.SEGMENT_WORDS)
        axes[name] = model.ordered(name, good)
        for one, other in itertools.pairwise(axes[name]):
            if one == other:
                raise wrong(where, key, Words(f"{one} twice"), "each value once")
    return {name: axes[name] for name in model.fields() if name in axes}


def _once(model: type[StudyModel], tree: Tree, scenarios: Any, cells: Any, lanes: Any) -> None:
    places = {
        "settings": set(tree.data.get("settings", {})),
        "cells": set(cells),
        "lanes": set(lanes),
        "scenarios": {k for v in scenarios.values() for k in v},
    }
    for (one, names), (other, others) in itertools.combinations(places.items(), 2):
        for name in model.fields():
            if name in names and name in others:
                where = tree.where(other, name) if other != "scenarios" else tree.where(other)
                places_text = f"each parameter in one of {', '.join(SECTIONS[:4])}"
                raise wrong(where, f"{other}.{name}", Words(f"a parameter that is also in {one}"), places_text)


def _grids(
    model: type[StudyModel], tree: Tree, scenarios: Mapping[str, Any], common: Grid, block: int
) -> tuple[Grid, ...]:
    """The products of a study: the one that its file is, or those under ``grids``, each with what they share."""
    grids = []
    kinds: dict[str, tuple[str, str]] = {}  # parameter -> (section, grid) where it was first seen
    shared = {n: section for section, axes in (("cells", common.cells), ("lanes", common.lanes)) for n in axes}
    shared |= {n: "scenarios" for values in scenarios.values() for n in values}
    for name, found in tree.data.get("grids", {}).items():
        at = ("grids", name)
        if not isinstance(found, dict):
            raise wrong(tree.where(*at), ".".join(at), found, f"a mapping of {', '.join(GRID)}")
        for section, value in found.items():
            key = (*at, section)
            if section not in GRID:
                raise _unknown(tree, key, GRID)
            if section != "seeds" and not isinstance(value, dict):
                raise wrong(tree.where(*key), ".".join(key), value, "a mapping of parameters to lists")
        own = {section: _axes(model, tree, (*at, section), found.get(section, {})) for section in ("cells", "lanes")}
        for section, axes in own.items():
            for parameter in axes:
                at_fault: tuple[str, ...] = (*at, section, parameter)
                there, other = kinds.setdefault(parameter, (section, name))
                taken = shared.get(parameter) or (f"{there} of grid {other}" if there != section else "")
                if taken:
                    words = Words(f"a parameter that is also in {taken}")
                    raise wrong(
                        tree.where(*at_fault), ".".join(at_fault), words, "each parameter in cells or in lanes, once"
                    )
        count = found.get("seeds", common.count)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1 or count % block:
            place = (*at, "seeds")
            raise wrong(tree.where(*place), ".".join(place), count, f"a multiple of seeds.block = {block}")
        cells, lanes = common.cells | own["cells"], common.lanes | own["lanes"]
        in_order = [{n: axes[n] for n in model.fields() if n in axes} for axes in (cells, lanes)]
        grids.append(Grid(in_order[0], in_order[1], count))
    return tuple(grids) or (common,)


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


# --- the whole --------------------------------------------------------------------------------


def _limits(tree: Tree, sweep: Sweep) -> None:
    scenarios = max(1, len(sweep.scenarios))
    sizes = {grid: [math.prod(map(len, axes.values())) for axes in (grid.cells, grid.lanes)] for grid in sweep.grids}
    lanes = max(n for _, n in sizes.values())
    if lanes > MAX_LANES:
        raise wrong(tree.where("lanes"), "lanes", Words(f"{lanes} lanes in each job"), f"at most {MAX_LANES}")
    jobs = sum(n * scenarios * (g.count // sweep.block) for g, (n, _) in sizes.items())  # before anything is built
    points = sum(n * m * scenarios for n, m in sizes.values())
    if jobs <= MAX_JOBS and points <= MAX_POINTS:
        jobs = sweep.count_jobs()
    if jobs > MAX_JOBS:
        swept = {n: max(len(g.cells.get(n, ())) for g in sweep.grids) for g in sweep.grids for n in g.cells}
        could = [n for n in swept if extra(sweep.model.model_fields[n])["lane"]]
        how = f"move {', '.join(could)} from cells to lanes" if could else "sweep fewer values, or raise seeds.block"
        largest = max(swept, key=lambda n: swept[n], default="")
        raise wrong(tree.where("cells", largest), "cells", Words(f"{jobs} jobs"), f"at most {MAX_JOBS}: {how}")
    if points > MAX_POINTS:
        raise wrong(tree.where("lanes"), "lanes", Words(f"{points} points in the study"), f"at most {MAX_POINTS}")


def _points(tree: Tree, sweep: Sweep) -> None:
    """The checks of the whole model at every point of the products, and the seeds that run there."""
    scenarios: list[dict[str, Any]] = list(sweep.scenarios.values()) or [{}]
    settings = sweep.settings.model_dump()
    for grid in sweep.grids:
        for scenario, values in itertools.product(scenarios, itertools.product(*grid.cells.values())):
            cell = dict(zip(grid.cells, values, strict=True))
            for lane in itertools.product(*grid.lanes.values()):
                point = settings | scenario | cell | dict(zip(grid.lanes, lane, strict=True))
                try:
                    model = sweep.model(**point)
                except ValidationError as error:
                    raise _whole(tree, error, {*cell, *grid.lanes}) from None
            runs = model.seeds_of(list(range(grid.count)))
            if len(runs) % sweep.block:
                at = cell or "this study"
                allowed_text = f"a divisor of the {len(runs)} seeds that run at {at}"
                raise wrong(tree.where("seeds", "block"), "seeds.block", sweep.block, allowed_text)


def _whole(tree: Tree, error: ValidationError, axes: set[str]) -> ConfigError:
    """The error of a check of the whole model; its message begins with the parameter at fault, or a key within it."""
    message = error.errors()[0]["msg"].removeprefix("Value error, ")
    name, *within = message.split(":")[0].split(".")
    swept = [key for key in tree.origins if key[0] == "grids" and key[-1] == name and name in axes]
    places = [("lanes", name), ("cells", name), *swept, ("settings", name)]
    at = next((key for key in places if key in tree.origins), ("settings", name))
    return ConfigError(f"{tree.where(*at, *within)}: {'.'.join(at[:-1])}.{message}")
