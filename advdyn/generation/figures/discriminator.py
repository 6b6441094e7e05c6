"""The discriminator in the game beside a fresh one: accuracy and value over epochs, at several numbers of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes

from advdyn.generation import view
from advdyn.generation.figures.common import (
    ABSENT,
    MARKED,
    SAMPLES,
    SHARE,
    Drawn,
    about,
    absent,
    band,
    bars,
    blank,
    colour,
    curve,
    few_decades,
    gather,
    handle,
    letters,
    numbers,
    page,
    source_handles,
    whole_epochs,
)
from advdyn.generation.view import LOG_4, View

WITHIN: dict[str, tuple[float, float]] = {"accuracy": SHARE, "value": (-np.inf, 0.0)}
FRESH = {"accuracy": "fresh_accuracy", "value": "fresh_value"}
LOSSES: dict[str, Any] = {"non-saturating": "-", "minimax": (0, (4, 1.5))}


def discriminator(study: xr.Dataset) -> Drawn:
    """(a) Accuracy and (b) value over epochs; (c) value against d_steps; (d) the generator's gradient."""
    seen = view.of(study)
    cell = seen.reference
    if not any(seen.at(cell, name).size for pair in FRESH.items() for name in pair):
        return absent("no discriminator of this study has been recorded")
    figure = page(study, 4.8)
    axes = figure.subplots(2, 2)
    tables: list[pd.DataFrame] = []
    for axis, (name, fresh) in zip(axes[0], FRESH.items(), strict=True):
        table = curve(axis, seen.at(cell, name), "epoch", colour("game"), bars_every=False, within=WITHIN[name])
        tables.append(table.assign(panel=name, of="in the game"))
        made = curve(axis, seen.at(cell, fresh), "kept", colour(SAMPLES), within=WITHIN[name])
        tables.append(made.assign(panel=name, of="fresh"))
        row = band(axis, seen.of_source("real", fresh), "real", WITHIN[name])
        if row is not None:
            tables.append(pd.DataFrame([row]).assign(panel=name, of="fresh, real images"))
        axis.set_xlabel("epoch")
        whole_epochs(axis, seen.kept)
    axes[0, 0].axhline(0.5, color="0.6", linewidth=0.8, zorder=0)
    axes[0, 0].set(title="accuracy", ylim=(None, 1.03))
    axes[0, 1].set_title("value $V$ (nats)")
    _optimum(axes[0, 1])
    tables += _steps(axes[1, 0], seen)
    tables += _gradients(axes[1, 1], seen)
    for axis in axes.flat:
        if axis.axison:
            sns.despine(ax=axis)
    letters(axes.flat)
    handles = [handle("in the game", "game")]
    if any(seen.at(cell, fresh).size for fresh in FRESH.values()):
        handles.append(handle("fresh, on held-out samples", SAMPLES, marker="o", markersize=3.5))
    real = source_handles([s for s in seen.sources if s == "real"])
    for one in real:
        one.set_label("fresh, real against real images")
    figure.legend(
        handles=[*handles, *real], loc="outside upper center", ncols=len(handles) + len(real), title=about(seen, cell)
    )
    return figure, gather(tables)


def _optimum(axis: Axes) -> None:
    """The value at the global optimum, and a discriminator that tells without error."""
    for value, words, va in ((-LOG_4, r"$-\log 4$", "bottom"), (0.0, "told without error", "bottom")):
        axis.axhline(value, color="0.6", linewidth=0.8, zorder=0)
        axis.annotate(words, (1.0, value), xycoords=("axes fraction", "data"), xytext=(0, 1.5),
                      textcoords="offset points", ha="right", va=va, fontsize="x-small", color="0.4")  # fmt: skip
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -LOG_4 - 0.08), max(high, 0.12))


def _steps(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Value at the end against the discriminator's steps, in the game and of a fresh discriminator."""
    axis.set_title("value $V$ at the end (nats)")
    cells = seen.family("d_steps") if "d_steps" in seen.axes else []
    tables = []
    for name, kind, words in (("value", "game", "in the game"), ("fresh_value", SAMPLES, "fresh")):
        rows = []
        for cell in cells:
            end = seen.end(cell, name) if kind == SAMPLES else seen.in_game(cell, name, seen.last(cell))
            if end.size:
                rows.append({"d_steps": dict(cell)["d_steps"]} | numbers(end))
        table = pd.DataFrame(rows)
        if not table.empty:
            axis.errorbar(
                table["d_steps"], table["mean"], yerr=bars(table, within=WITHIN["value"]), color=colour(kind), **MARKED
            )
            tables.append(table.assign(panel="d_steps", of=words))
    values = sorted({int(dict(cell)["d_steps"]) for cell in cells})
    if not tables or len(values) < 2:
        blank(axis, f"discriminator's steps: {ABSENT}")
        return tables
    axis.set_xticks(values, [str(v) for v in values])
    axis.margins(x=0.15)
    axis.set_xlabel("steps of $D$ for one of $G$")
    _optimum(axis)
    return tables


def _gradients(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Norm of the generator's gradient over epochs, of either loss where both were run."""
    axis.set_title("generator's gradient norm")
    cells = seen.family("loss") if "loss" in seen.axes else [seen.reference]
    tables = []
    for cell in cells:
        loss = str(seen.value_of(cell, "loss"))
        values = seen.at(cell, "gradient_norm")
        table = curve(axis, values.where(values > 0) if values.size else values, "epoch", "black", log=True,
                      bars_every=False, linestyle=LOSSES.get(loss, "-"), label=f"{loss} loss")  # fmt: skip
        tables.append(table.assign(panel="gradient_norm", of=loss))
    if all(table.empty for table in tables):
        blank(axis, "the generator's gradient was not recorded")
        return tables
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.set_ylim(low / 3, high * 3)  # the legend stands beside the lines
    few_decades(axis)
    axis.set_xlabel("epoch")
    axis.legend(fontsize="x-small", loc="best")
    last = max((t["epoch"].max() for t in tables if not t.empty), default=np.nan)
    whole_epochs(axis, [0, last])
    return tables
