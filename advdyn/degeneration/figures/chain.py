"""Proposition 2: data overwritten by their own degeneration, pass after pass, with the criterion used and ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from advdyn import figures
from advdyn.degeneration.figures.common import (
    ABSENT,
    RULE,
    SETTING_WORDS,
    WIDTH,
    Drawn,
    absent,
    blank,
    curve,
    differing,
    gather,
    handle,
    letters,
    points,
    reference,
    rows_of_runs,
    runs_of,
    seeds,
    ticks,
)

CRITERIA = {"used": "criterion used", "ignored": "criterion ignored: no gradient steps"}
DIVERGED = 99.0  # percent destroyed from which the algorithm is said to diverge
MOST = 9  # lines
MARKERS = "osv^D<>Ph"
WITHIN = {"dd": (0.0, 100.0), "fresh_accuracy": (0.0, 1.0)}  # what can be
QUANTITIES = {"dd": r"% destroyed, %$_{dd}$", "fresh_accuracy": "accuracy of a fresh D"}


def chain(study: xr.Dataset) -> Drawn:
    """Percent destroyed, and what a fresh discriminator says, against passes; the criterion used, and ignored."""
    runs = {c: [r for r in runs_of(study, "chain", criterion=c) if len(curve(study, r, "dd")[0])] for c in CRITERIA}
    if not any(runs.values()):
        return absent(f"data overwritten pass after pass: {ABSENT}")
    names = _told_by(study, [run for group in runs.values() for run in group])
    styles = _styles(study, runs, names)
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    rows = []
    for column, (criterion, words) in enumerate(CRITERIA.items()):
        for line, name in enumerate(QUANTITIES):
            rows += _panel(axes[line, column], study, runs[criterion], name, styles, names, criterion)
        axes[0, column].set_title(words)
        axes[1, column].set_xlabel("passes: times the data were overwritten")
    for line, words in enumerate(QUANTITIES.values()):
        axes[line, 0].set_ylabel(words)
    axes[0, 0].set_ylim(-4, 106)
    axes[1, 0].set_ylim(min(0.45, axes[1, 0].get_ylim()[0]), 1.03)
    places = [curve(study, run, "dd")[0] for group in runs.values() for run in group]
    for axis in axes.ravel():
        ticks(axis, np.concatenate(places))
    letters(axes.ravel())
    entries = [handle(words, **style) for words, style in styles.items()]
    n_train = sorted({row["n_train"] for row in rows_of_runs(study) if row["kind"] == "chain" and "n_train" in row})
    images = f"{' or '.join(f'{n:,g}' for n in n_train)} images" if n_train else ""
    title = "; ".join(filter(None, (images, seeds(rows)))) or None
    rules: list[Any] = [handle("“diverges” (99 %); accuracy 1/2", **RULE)]
    if len(reference(study, "danoise", "fresh_accuracy")):
        rules.append(Patch(facecolor="0.85", label="range of Python's random"))
    figure.legend(handles=[*entries, *rules], loc="outside lower center", ncols=3, fontsize="small", title=title,
                  title_fontsize="small")  # fmt: skip
    return figure, gather(rows)


def _told_by(study: xr.Dataset, runs: list[int]) -> list[str]:
    """The settings, but for the criterion, in which the runs differ."""
    rows = rows_of_runs(study)
    found = dict.fromkeys(n for run in runs for n in differing(rows[run], rows[runs[0]]) if n != "criterion")
    return [name for name in SETTING_WORDS if name in found]


def _words(row: dict[str, Any], names: list[str]) -> str:
    return ", ".join(SETTING_WORDS[name](row[name]) for name in names) or "chain"


def _styles(study: xr.Dataset, runs: dict[str, list[int]], names: list[str]) -> dict[str, dict[str, Any]]:
    """One colour and marker for each setting, the same whether the criterion is used or not; ordered by settings."""
    rows = rows_of_runs(study)
    found = {_words(rows[run], names): rows[run] for group in runs.values() for run in group[:MOST]}

    def order(words: str) -> tuple[Any, ...]:
        return tuple(float(found[words][name]) for name in ("width", "d_width", "sigma") if name in found[words])

    ordered = sorted(found, key=order)
    shades = figures.ordered(len(ordered))
    return {
        words: {"color": shade, "marker": MARKERS[k % len(MARKERS)], "markersize": 3.5, "linewidth": 1.2}
        for k, (words, shade) in enumerate(zip(ordered, shades, strict=True))
    }


def _panel(
    axis: Axes,
    study: xr.Dataset,
    runs: list[int],
    name: str,
    styles: dict[str, dict[str, Any]],
    names: list[str],
    criterion: str,
) -> list[pd.DataFrame]:
    rows = []
    for run in runs[:MOST]:
        words = _words(rows_of_runs(study)[run], names)
        x, values = curve(study, run, name)
        style = {k: v for k, v in styles[words].items() if k != "color"}
        made = points(axis, x, values, styles[words]["color"], "passed", WITHIN[name], **style)
        if not made.empty:
            rows.append(made.assign(run=words.replace("$", ""), criterion=criterion, quantity=name))
    if not rows:
        blank(axis)
        return []
    if name == "dd":
        axis.axhline(DIVERGED, **RULE)
    else:
        axis.axhline(0.5, **RULE)
        noise = reference(study, "danoise", name)
        if len(noise):
            axis.axhspan(noise.min(), noise.max(), color="0.85", zorder=0, linewidth=0)
    return rows
