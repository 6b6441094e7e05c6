"""Settings compared: metrics at the end of training, and samples, where one parameter differs at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr

from advdyn.generation import view
from advdyn.generation.figures.common import (
    LINES,
    SAMPLES,
    Drawn,
    absent,
    bars,
    blank,
    colour,
    diverged_at,
    few_decades,
    gather,
    handle,
    images,
    letters,
    numbers,
    page,
    shown_seed,
    source_handles,
    strip,
)
from advdyn.generation.view import Cell, View

PANELS = {"frechet": "Fréchet distance", "fresh_accuracy": "accuracy, fresh $D$", "class_distance": "class distance",
          "nearest": "nearest image"}  # fmt: skip
REFERENCES = {"frechet": ("real", "gaussian", "noise"), "fresh_accuracy": ("real",),
              "class_distance": ("real", "gaussian"), "nearest": ("real", "copies")}  # fmt: skip
PICTURES = 8
ROOM = 12.0  # least ratio of the ends of a logarithmic axis, so that two ticks stand apart
MOST = 16
# inches
ROW = 0.34
LEAST = 3  # rows that a page is at least made for
MARGIN = 1.25


def settings(study: xr.Dataset) -> Drawn:
    """A row for every setting, the first as set; points: seeds; line: their mean with its 95 % t-interval."""
    seen = view.of(study)
    cells = seen.neighbours()[:MOST]
    judged = [cell for cell in cells if any(seen.end(cell, name).size for name in PANELS)]
    pictured = [cell for cell in cells if "pixel" in seen.kept_at(cell, "sample", seen.last(cell)).dims]
    if not judged and not pictured:
        return absent("no generator of this study was kept")
    rows = max(LEAST, len(cells))
    figure = page(study, MARGIN + rows * ROW)
    columns = len(PANELS) + 1
    axes = figure.subplots(1, columns, width_ratios=[1.9, *[1] * len(PANELS)])
    names = [_label(seen, cell) for cell in cells]
    tables: list[pd.DataFrame] = []
    _pictures(axes[0], seen, cells)
    axes[0].set_yticks(np.arange(len(cells)), names)
    for axis, (name, words) in zip(axes[1:], PANELS.items(), strict=True):
        table = _table(seen, cells, name)
        for source in REFERENCES[name]:
            row = _band(axis, seen, source, name)
            if row is not None:
                tables.append(pd.DataFrame([{"setting": source, "metric": name} | row]))
        if not table.empty:
            for place, cell in enumerate(cells):
                values = seen.end(cell, name).values
                axis.plot(values, np.full(len(values), place), ".", color="0.5", markersize=3, zorder=2)
            axis.errorbar(table["mean"], table["place"], xerr=bars(table, name == "frechet"), color=colour(SAMPLES),
                          linestyle="none", marker="o", markersize=4, elinewidth=1, zorder=3)  # fmt: skip
            tables.append(table.drop(columns="place"))
        if name == "frechet" and axis.has_data():
            axis.set_xscale("log")
            low, high = axis.get_xlim()
            room = max(1.0, (ROOM * low / high) ** 0.5)
            axis.set_xlim(low / room, high * room)
            few_decades(axis, "x")
        if not axis.has_data():
            blank(axis, "not judged")
            continue
        axis.set_yticks(np.arange(len(cells)), [])
        axis.set_xlabel(words, fontsize="small")
        axis.grid(axis="y", linewidth=0.4, color="0.85")
        axis.tick_params(axis="x", labelsize="small")
        sns.despine(ax=axis, left=True)
        axis.tick_params(axis="y", length=0)
    for axis in axes:
        axis.set_ylim(len(cells) - 0.5, -0.5)
    letters(axes)
    kinds = [s for s in ("real", "copies", "gaussian", "noise") if s in seen.sources]
    handles = [handle(SAMPLES, SAMPLES, marker="o", linestyle="none", markersize=4), *source_handles(kinds)]
    epochs = sorted({seen.last(cell) for cell in cells})
    title = f"{images(seen, seen.reference)}; at epoch {', '.join(f'{e:g}' for e in epochs)}"
    title += "; nothing is swept in this study" if len(seen.cells) == 1 else "; one parameter differs at a time"
    title += f"; {len(seen.cells)} settings in all" if len(seen.cells) > len(cells) else ""
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), title=title)
    return figure, gather(tables)


def _label(seen: View, cell: Cell) -> str:
    """A setting in words, with the seeds that diverged."""
    lost, n = len(seen.diverged(cell)), len(seen.seeds(cell))
    return seen.words(cell) + (f"\n({lost} of {n} diverged)" if lost else "")


def _table(seen: View, cells: list[Cell], name: str) -> pd.DataFrame:
    rows = []
    for place, cell in enumerate(cells):
        values = seen.end(cell, name)
        if values.size:
            rows.append({"place": place, "setting": seen.words(cell), "metric": name, "epoch": seen.last(cell),
                         "diverged": len(seen.diverged(cell))} | numbers(values))  # fmt: skip
    return pd.DataFrame(rows)


def _band(axis: Any, seen: View, source: str, name: str) -> dict[str, float] | None:
    """A reference as a vertical line, with its interval over draws."""
    draws = seen.of_source(source, name)
    if not draws.size:
        return None
    found = numbers(draws)
    axis.axvline(found["mean"], color=colour(source), linestyle=LINES[source], linewidth=1.1, zorder=1)
    if np.isfinite(found["low"]):
        axis.axvspan(found["low"], found["high"], color=colour(source), alpha=0.15, linewidth=0, zorder=0)
    return found


def _pictures(axis: Any, seen: View, cells: list[Cell]) -> None:
    """Samples of the same latent vectors at the end of every setting, a row for each."""
    shape = seen.shape()
    for place, cell in enumerate(cells):
        made = seen.kept_at(cell, "sample", seen.last(cell))
        if "pixel" not in made.dims or not made.sizes["seed"]:
            continue
        seed, _ = shown_seed(seen, cell)
        if seed not in made["seed"].values:
            continue
        if seen.last(cell) >= diverged_at(seen, cell, seed):
            axis.text(0.5, 1 - (place + 0.5) / len(cells), "diverged", transform=axis.transAxes, ha="center",
                      va="center", fontsize="small", color="0.4")  # fmt: skip
            continue
        shown = made.sel(seed=seed).transpose("shown", "pixel").values
        box = (0.0, (len(cells) - 1 - place) / len(cells), 1.0, 0.94 / len(cells))
        strip(axis.inset_axes(box), shown, shape, PICTURES)
    axis.set_xlabel("samples", fontsize="small")
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)
    for side in axis.spines.values():
        side.set_visible(False)
