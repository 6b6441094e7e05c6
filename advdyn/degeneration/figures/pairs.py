"""How much an attacker needs to see: what is destroyed against the number of pairs, by component."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn import figures
from advdyn.degeneration.figures.common import (
    ABSENT,
    ANYTHING,
    COMPONENTS,
    KIND_WORDS,
    RULE,
    SYSTEM_WORDS,
    WIDTH,
    Drawn,
    absent,
    base,
    blank,
    colour,
    counts,
    curve,
    differing,
    finite,
    gather,
    handle,
    letters,
    pick,
    points,
    rows_of_runs,
    runs_of,
    systems,
    ticks,
)

CROSSES = {"untouched": "x", "fgsm": "+", "additive": "1", "permutation": "2", "xor-fixed": "3", "danoise": "4"}
MOST = 5  # sizes of the noise
TITLES = {"dd": r"%$_{dd}$, smallest of the three", "r2": "reconstruction", "top1": "picking the original",
          "probe": "label probe"}  # fmt: skip
Curve = tuple[np.ndarray, np.ndarray]


def pairs(study: xr.Dataset) -> Drawn:
    """Percent destroyed against the pairs that decoders are fitted on: runs of each size of the noise, references."""
    lines = _lines(study)
    if not lines:
        return absent(f"percent destroyed against the number of pairs: {ABSENT}")
    figure = Figure(figsize=(WIDTH, 4.6))
    axes = list(figure.subplots(2, 2, sharex=True).ravel())
    rows = []
    for axis, panel in zip(axes, TITLES, strict=True):
        rows += _panel(axis, panel, lines)
        axis.set_title(TITLES[panel])
    for axis in axes:
        axis.set_xscale("log")
        ticks(axis, np.concatenate([x for found in lines for x, _ in found["curves"].values()]), 5)
    for axis in axes[2:]:
        axis.set_xlabel("pairs the attacker fits on")
    for axis in axes[::2]:
        axis.set_ylabel("% destroyed")
    letters(axes)
    entries = [handle(found["words"], **found["style"]) for found in lines]
    title = counts(study, [found["run"] for found in lines if "run" in found]) or None
    figure.legend(handles=entries, loc="outside lower center", ncols=3, fontsize="small", title=title,
                  title_fontsize="small")  # fmt: skip
    return figure, gather(rows)


def _lines(study: xr.Dataset) -> list[dict[str, Any]]:
    """Every line: its words, how it is drawn, what a table says of it, and a curve for each panel."""
    found: list[dict[str, Any]] = []
    rows = rows_of_runs(study)
    for kind in ("generator", "degenerator", "chain"):
        first = base(study, kind)
        if first is None:
            continue
        runs = [first]
        if kind == "degenerator":
            runs = [k for k in runs_of(study, kind) if k == first or differing(rows[k], rows[first]) == ["sigma"]]
            runs = sorted(runs, key=lambda k: rows[k]["sigma"])[:MOST]
        shades = figures.ordered(len(runs)) if len(runs) > 1 else [colour(kind)]
        for run, one in zip(runs, shades, strict=True):
            curves = {"dd": curve(study, run, "curve_dd", "pairs")}
            curves |= {c: curve(study, run, "curve_component", "pairs", component=c) for c in COMPONENTS}
            words = KIND_WORDS[kind].removeprefix("DAN, ")
            words += rf", $\sigma$ = {rows[run]['sigma']:g}" if kind != "generator" and "sigma" in rows[run] else ""
            style = {"color": one, "marker": "o" if kind == "degenerator" else "s" if kind == "chain" else "^",
                     "markersize": 3.5}  # fmt: skip
            found.append(
                {"words": words, "style": style, "curves": curves, "run": run, "row": {"line": words.replace("$", "")}}
            )
    for system in systems(study):
        curves = {"dd": _reference(study, system, "dd")}
        curves |= {c: _reference(study, system, "component", component=c) for c in COMPONENTS}
        style = {"color": colour(system), "linestyle": (0, (3, 1.5)), "linewidth": 1.0,
                 "marker": CROSSES.get(system, ""), "markersize": 5}  # fmt: skip
        if system not in ("urandom", "xor-fresh"):  # three sources of noise would lie on one line
            found.append({"words": SYSTEM_WORDS.get(system, system), "style": style, "curves": curves,
                          "row": {"line": system}})  # fmt: skip
    return [one for one in found if any(len(x) for x, _ in one["curves"].values())]


def _reference(study: xr.Dataset, system: str, name: str, **where: Any) -> Curve:
    """A reference's curve (pairs) and its values (draw, pairs)."""
    values = pick(study, f"reference_curve_{name}", system=system, **where)
    if values is None or "pairs" not in values.dims or not len(finite(values)):
        return np.empty(0), np.empty((0, 0))
    array = values.values.astype(float).reshape(-1, values.sizes["pairs"])
    if "draw" in values.dims:
        array = values.transpose("draw", "pairs").values.astype(float)
    kept = np.isfinite(array).any(0)
    return values["pairs"].values[kept].astype(float), array[np.isfinite(array).any(1)][:, kept]


def _panel(axis: Axes, panel: str, lines: list[dict[str, Any]]) -> list[pd.DataFrame]:
    rows = []
    for found in lines:
        x, values = found["curves"][panel]
        if len(x):
            made = points(
                axis,
                x,
                values,
                along="pairs",
                colour=found["style"]["color"],
                within=(0.0, 100.0) if panel == "dd" else ANYTHING,
                **{k: v for k, v in found["style"].items() if k != "color"},
            )
            rows.append(made.assign(quantity=panel, **found["row"]))
    if not rows:
        blank(axis)
        return []
    axis.axhline(100, **(RULE | {"color": "0.7", "linestyle": "-"}), zorder=0)
    low, high = axis.get_ylim()
    lowest = min(float(made["mean"].min()) for made in rows)  # below 0 a probe reads outputs better than originals
    axis.set_ylim(max(min(low, -4), min(-30, lowest - 6)), min(max(high, 108), 130))  # intervals may be long
    return rows
