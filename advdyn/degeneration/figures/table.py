"""Table 1: percent of the data destroyed, by model, in the training set and in the family album."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.degeneration import table as table_1
from advdyn.degeneration.figures.common import KINDS, WIDTH, Drawn, absent, base, counts, pick, systems
from advdyn.errors import InputError

HEAD = 0.62  # inches
LINE = 0.185
NOTE = 0.15
WIDE = 1.0  # half an interval, from which its ends are written where it is cut
PERCENT = ("dd_data", "dd_album")  # can not leave 0 to 100
HALF = "±: half the 95 % t-interval over runs or draws; in brackets: the interval itself, if wide and cut at 0 or 100."
BOLD = "DAN trained on DANOISE"  # the rows in bold, as in the paper
# column of the table: words, right edge in shares of the width, how a number is written
COLUMNS = {
    "n": ("runs or\ndraws", 0.475),
    "dd_data": ("%$_{dd}$ in\ntraining set", 0.63),
    "dd_album": ("%$_{dd}$ in family\nphotos album", 0.785),
    "overwritten": ("over-\nwritten, %", 0.873),
    "differing": ("bytes\ndiffer, %", 0.945),
    "fresh_accuracy": ("fresh\nD", 0.995),
}


def table(study: xr.Dataset) -> Drawn:
    """Table 1 with intervals, and what else was measured: the bytes overwritten, and whether they look like noise."""
    try:
        rows = table_1.table(study)
    except InputError as error:  # no run, or none that was trained
        return absent(f"Table 1: {error}")
    made_with = counts(study, [r for k in KINDS if (r := base(study, k)) is not None])
    return drawn(rows, [*_scored(study), HALF, *([f"DAN: {made_with}."] if made_with else [])]), rows


def _scored(study: xr.Dataset) -> list[str]:
    """How many pairs decoders were fitted on, and how many %dd is scored on, in sentences."""
    fitted, scored = (
        {str(s): float(v) for s in systems(study) if (v := pick(study, name, system=s)) is not None and v.ndim == 0}
        for name in ("reference_pairs", "reference_heldout")
    )
    fitted, scored = ({s: v for s, v in found.items() if np.isfinite(v)} for found in (fitted, scored))
    most = max(fitted.values(), default=float(study["pairs"].max()) if "pairs" in study.coords else np.nan)
    held = max(scored.values(), default=np.nan)
    words = [rf"%$_{{dd}}$: scored on {_count(held)}held-out pairs of the same data"]
    words[0] += f", with decoders fitted on {most:,.0f} other pairs." if np.isfinite(most) else "."
    if "urandom" in fitted and fitted["urandom"] < most:
        held_of_it = f", scored on {scored['urandom']:,.0f}" if "urandom" in scored else ""
        words.append(f"os.urandom is measured with fewer images: fitted on {fitted['urandom']:,.0f} pairs{held_of_it}.")
    return words


def _count(n: float) -> str:
    return f"{n:,.0f} " if np.isfinite(n) else ""


def drawn(rows: pd.DataFrame, below: Sequence[str] = ()) -> Figure:
    """The rows set as a table between three rules, and lines below it."""
    end = HEAD + LINE * len(rows) + 0.04
    high = end + 0.1 + NOTE * len(below)
    figure = Figure(figsize=(WIDTH, high))
    figure.set_layout_engine("none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 1), ylim=(high, 0))
    axis.set_axis_off()
    columns = {name: words for name, words in COLUMNS.items() if name in rows}
    for level, thick in ((0.08, 1.2), (HEAD - 0.1, 0.7), (end, 1.2)):
        axis.plot([0.005, 0.995], [level, level], color="black", linewidth=thick)
    axis.text(0.01, (0.08 + HEAD - 0.1) / 2, "Model", va="center", ha="left", fontsize="small")
    for words, right in columns.values():
        axis.text(right, (0.08 + HEAD - 0.1) / 2, words, va="center", ha="right", fontsize="small", linespacing=1.0)
    for k, (_, row) in enumerate(rows.iterrows()):
        level = HEAD + LINE * (k + 0.5) - 0.02
        weight = "bold" if str(row["model"]).startswith(BOLD) else "normal"
        axis.text(0.01, level, str(row["model"]), va="center", ha="left", fontsize="small", fontweight=weight)
        for name, (_, right) in columns.items():
            axis.text(right, level, _written(row, name), va="center", ha="right", fontsize="small", fontweight=weight)
    for k, words in enumerate(below):
        axis.text(0.01, end + 0.05 + NOTE * (k + 0.5), words, va="center", ha="left", fontsize="x-small", color="0.3")
    return figure


def _written(row: pd.Series, name: str) -> str:
    """A number with half its interval, where there is one; with the ends if they are cut at 0 or 100."""
    if name == "n":
        return "not run" if row.get("measured") == "no" else f"{row[name]:.0f}"
    value = pd.to_numeric(row[name], errors="coerce")
    if not np.isfinite(value):
        return "–"
    words = f"{value:.2f}" if name == "fresh_accuracy" else f"{value:.1f}"
    low, high = (pd.to_numeric(row.get(f"{name}_{end}", np.nan), errors="coerce") for end in ("low", "high"))
    if np.isfinite(low) and np.isfinite(high):
        half = (high - low) / 2
        if name in PERCENT and (low < 0 or high > 100) and half >= WIDE:
            words += f" ({max(low, 0.0):.0f} to {min(high, 100.0):.0f})"
        else:
            words += f" ± {half:.1f}"
    return words.replace("-", "−")
