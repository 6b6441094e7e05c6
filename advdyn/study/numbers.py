"""Canonical numbers: one text for each value, so that one value has one path and one job."""

import math
from typing import Any

DIGITS = 12


def canonical(value: Any) -> Any:
    """Round floats to 12 significant digits (0.1 + 0.2 becomes 0.3), through lists; -0.0 becomes 0.0."""
    if isinstance(value, list | tuple):
        return [canonical(v) for v in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}") + 0.0
    return value


def text(value: Any) -> str:
    """The path text of a scalar: ``0.3``, ``1e-05``, ``1000``, ``true``, ``lumped``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{canonical(value):.{DIGITS}g}"
    return str(value)
