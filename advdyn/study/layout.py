"""Paths: readable ``name~value`` segments, and the same text for the same value, always.

>>> cell({"dimension": 1000, "eta_w": 0.1 + 0.2})
'dimension~1000/eta_w~0.3'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from advdyn.study.numbers import text

WHOLE = "whole"  # the cell of a step that depends on no swept parameter

SEGMENT = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
SEGMENT_WORDS = "a name of letters, digits, '_', '-', '.', '+', beginning with a letter or digit"
# What the wildcards may match; a negative number starts with its sign.
CELL = rf"(?:whole|[A-Za-z]\w*~-?{SEGMENT}(?:/[A-Za-z]\w*~-?{SEGMENT})*)"
BLOCK = r"seeds~\d+-\d+"


def is_segment(value: str) -> bool:
    """Whether a text can stand in a path as the value of a parameter."""
    return re.fullmatch(SEGMENT, value) is not None


def cell(values: Mapping[str, Any]) -> str:
    """The path text of a cell: one ``name~value`` segment for each axis, or ``whole`` for none."""
    return "/".join(f"{name}~{text(value)}" for name, value in values.items()) or WHOLE


def values_in(path: str) -> dict[str, str]:
    """The inverse of ``cell``, values as text."""
    if path == WHOLE:
        return {}
    return dict(segment.split("~", 1) for segment in path.split("/"))


def block(first: int, last: int) -> str:
    """The path text of a block of seeds, both ends included."""
    return f"seeds~{first}-{last}"


def seeds_in(path: str) -> list[int]:
    """The seeds of a block."""
    first, last = path.removeprefix("seeds~").split("-")
    return list(range(int(first), int(last) + 1))


def logs_root(results: str) -> str:
    """Where the logs of a results folder go: beside it, and never those of another one."""
    path = PurePosixPath(results)
    if path.name.startswith("results"):
        return str(path.with_name("logs" + path.name.removeprefix("results")))
    return str(path.with_name(path.name + "-logs"))
