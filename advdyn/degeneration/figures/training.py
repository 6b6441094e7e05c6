"""The game over the passes: the discriminator's accuracy in the loop beside a fresh one's, its value, the gradient."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.degeneration.figures.common import (
    ABSENT,
    IDEAL,
    KIND_WORDS,
    RULE,
    WIDTH,
    Drawn,
    absent,
    band,
    bases,
    blank,
    colour,
    curve,
    few_decades,
    gather,
    handle,
    letters,
    points,
    ticks,
    used,
)

ROWS = {"accuracy": "accuracy of D", "value": "value of the game", "gradient_norm": "gradient norm\nof the player"}
FRESH = {"accuracy": "fresh_accuracy", "value": "fresh_value"}
OPTIMUM = {"accuracy": 0.5, "value": IDEAL}
WITHIN = {"accuracy": (0.0, 1.0), "value": (-np.inf, 0.0)}  # what can be


def training(study: xr.Dataset) -> Drawn:
    """Accuracy and value of the discriminator trained in the loop and of a fresh one, and the player's gradient."""
    there = {
        kind: run for kind, run in bases(study).items() if any(len(curve(study, run, n, "epoch")[0]) for n in ROWS)
    }
    if not there:
        return absent(f"records of training: {ABSENT}")
    figure = Figure(figsize=(WIDTH, 5.0))
    axes = figure.subplots(len(ROWS), len(there), squeeze=False, sharex=True, sharey="row")
    rows = []
    for column, (kind, run) in enumerate(there.items()):
        for line, name in enumerate(ROWS):
            rows += [made.assign(kind=kind) for made in _panel(axes[line, column], study, kind, run, name)]
        axes[0, column].set_title(KIND_WORDS[kind].removesuffix(" reading"), fontsize="small")
        axes[-1, column].set_xlabel(f"passes\n({used(study, run)})", fontsize="small")
    for line, words in enumerate(ROWS.values()):
        axes[line, 0].set_ylabel(words)
    axes[0, 0].set_ylim(0, 1.03)
    axes[2, 0].set_yscale("log")
    few_decades(axes[2, 0])
    _room(axes[1, 0])
    for axis in axes.ravel():
        if axis.axison:
            ticks(axis, _places(study, list(there.values())), 4)
    letters(axes.ravel())
    for axis in axes.ravel()[: len(there)]:
        axis.title.set_fontsize("small")
    entries = [handle("D of the loop"), handle("fresh D", linestyle="", marker="D", markersize=4),
               handle(r"optimum: $1/2$, $-\log 4$", **RULE)]  # fmt: skip
    figure.legend(handles=entries, loc="outside lower center", ncols=3, fontsize="small")
    return figure, gather(rows)


def _places(study: xr.Dataset, runs: list[int]) -> list[float]:
    found = np.concatenate([curve(study, run, name, "epoch")[0] for run in runs for name in ROWS])
    return [1.0, *(float(v) for v in np.linspace(1, found.max(), 4).round())] if len(found) else []


def _room(axis: Axes) -> None:
    """From the optimum up to 0 at least; no further down than what most values need."""
    low, high = axis.get_ylim()
    axis.set_ylim(max(min(low, IDEAL - 0.1), -4), max(min(high, 0.2), 0.05))


def _panel(axis: Axes, study: xr.Dataset, kind: str, run: int, name: str) -> list[pd.DataFrame]:
    x, values = curve(study, run, name, "epoch")
    if name == "gradient_norm":
        values = np.where(values > 0, values, np.nan)
    smallest = float(np.nanmin(values)) if np.isfinite(values).any() else 0.0  # a logarithm has no interval down to 0
    within = WITHIN.get(name, (smallest, np.inf))
    rows = [band(axis, x, values, colour(kind), "epoch", within).assign(quantity=name)]
    if name in FRESH:
        x, values = curve(study, run, FRESH[name])
        kept = x >= 1
        x, values = x[kept], values[:, kept] if len(x) else values
        style = {"marker": "D", "markersize": 4, "linestyle": "", "markeredgecolor": "black", "markeredgewidth": 0.6}
        made = points(axis, x, values, colour(kind), "passed", within, **style)
        rows.append(made.assign(quantity=FRESH[name]))
    if all(row.empty for row in rows):
        blank(axis)
        return []
    if name in OPTIMUM:
        axis.axhline(OPTIMUM[name], **RULE)
    return [row for row in rows if not row.empty]
