"""Everything that is generated from the models: the JSON schemas of editors, the tables of config/README.md.

python -m advdyn.study.schema            writes them; a test fails when they drift
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advdyn.data.model import ADAPTER
from advdyn.study import registry
from advdyn.study.building import RANGES
from advdyn.study.model import StudyModel, allowed, extra

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "config" / "README.md"


def study_schema(model: type[StudyModel], override: bool = False) -> dict[str, Any]:
    """The JSON schema of a study file; in an override every part may also be null, which removes it."""
    schema = model.model_json_schema()
    properties, definitions = schema["properties"], schema.pop("$defs", {})
    for name, field in model.fields().items():
        own = {k: v for k, v in properties[name].items() if k not in ("unit", "lane", "sweep", "title")}
        properties[name] = own | {"description": f"{field.description} [{extra(field)['unit']}]"}
        if own.get("type") == "array":
            properties[name] = {"description": own.get("description", ""), "anyOf": [own, _range()]}
    sweepable = [n for n, f in model.fields().items() if extra(f)["sweep"]]
    lanes = [n for n in sweepable if extra(model.model_fields[n])["lane"]]

    def null(part: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [part, {"type": "null"}]} if override else part

    def group(names: list[str], values: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": False, "properties": {n: null(values[n]) for n in names}}

    axes = {
        n: {"anyOf": [{"type": "array", "items": properties[n], "minItems": 1, "uniqueItems": True}, _range()]}
        for n in sweepable
    }
    grid = {"cells": group(sweepable, axes), "lanes": group(lanes, axes), "seeds": {"type": "integer", "minimum": 1}}
    seeds = {"count": {"type": "integer", "minimum": 1}, "block": {"type": "integer", "minimum": 1}}
    sections = {
        "settings": group(list(model.fields()), properties),
        "scenarios": {"type": "object", "additionalProperties": null(group(sweepable, properties))},
        "cells": group(sweepable, axes),
        "lanes": group(lanes, axes),
        "grids": {
            "type": "object",
            "description": "products whose union the study is, by name",
            "additionalProperties": null(
                {"type": "object", "additionalProperties": False, "properties": {k: null(v) for k, v in grid.items()}}
            ),
        },
        "seeds": {
            "type": "object",
            "additionalProperties": False,
            "properties": {k: null(v) for k, v in seeds.items()},
        },
    }
    out = {"type": "object", "additionalProperties": False, "properties": {k: null(v) for k, v in sections.items()}}
    return out | ({"$defs": definitions} if definitions else {})


def _range() -> dict[str, Any]:
    triple = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: triple | {"description": "[start, stop, number]"} for name in RANGES},
        "minProperties": 1,
        "maxProperties": 1,
    }


def config_schema() -> dict[str, Any]:
    """The JSON schema of a run's configuration."""
    data = ADAPTER.json_schema()
    studies = {
        name: {"anyOf": [study_schema(registry.model_of(name), override=True), {"type": "null"}]}
        for name in registry.STUDIES
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "results": {"type": "string", "description": "folder of everything that is made"},
            "partial": {"type": "boolean", "description": "collect what is there, marked as partial"},
            "studies": {"type": "object", "additionalProperties": False, "properties": studies},
            "data": {k: v for k, v in data.items() if k != "$defs"},
        },
        "$defs": data.get("$defs", {}),
    }


def table(model: type[StudyModel]) -> str:
    """The parameters of a study as a Markdown table."""
    rows = ["| parameter | unit | default | allowed | sweep as | meaning |", "|---|---|---|---|---|---|"]
    defaults = model.model_construct()
    for name, field in model.fields().items():
        sweep = "cells, lanes" if extra(field)["lane"] else "cells" if extra(field)["sweep"] else "-"
        default = getattr(defaults, name)
        if isinstance(default, list) and len(default) > 4 and not isinstance(default[0], str):
            default = f"{default[0]:g} to {default[-1]:g}, {len(default)} values"
        if isinstance(default, dict):
            default = ", ".join(default) or "none"
        words = allowed(model, name).replace("|", "\\|")
        rows.append(f"| `{name}` | {extra(field)['unit']} | {default} | {words} | {sweep} | {field.description} |")
    return "\n".join(rows)


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    schemas = {name: study_schema(registry.model_of(name)) for name in registry.STUDIES} | {"config": config_schema()}
    for name, schema in schemas.items():
        titled = {"$schema": "http://json-schema.org/draft-07/schema#", "title": f"advdyn: {name}"} | schema
        yield ROOT / "workflow" / "schemas" / f"{name}.schema.json", json.dumps(titled, indent=1) + "\n"
    text = README.read_text(encoding="utf-8")
    begin, end = "<!-- begin parameters (generated) -->", "<!-- end parameters -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{README.name}: no place for the tables of parameters: add the lines {begin} and {end}")
    tables = "\n\n".join(f"### {name}\n\n{table(registry.model_of(name))}" for name in registry.STUDIES)
    yield README, f"{before}{begin}\n\n{tables}\n\n{end}{after}"


if __name__ == "__main__":
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
