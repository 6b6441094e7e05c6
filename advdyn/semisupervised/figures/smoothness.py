"""Local smoothness: how far the answer moves along virtual adversarial and random r, on the manifold and off it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    MARKERS,
    METHODS,
    WIDTH,
    WORDS,
    Drawn,
    about,
    absent,
    blank,
    chosen,
    colour,
    few_decades,
    gather,
    grey,
    handles,
    letters,
    numbers,
    page,
    ribbon,
)
from advdyn.semisupervised.view import Cell, View

PLACES = {"pool": "unlabelled pool", "test": "test images", "permuted": "permuted pixels"}
ALONG: dict[str, Any] = {"virtual": "-", "random": (0, (4, 1.5))}
TRAINED_WITHOUT = ("supervised",)  # whose eps means nothing
ROOM = 2.0  # a factor below and above the means: intervals of few seeds have no end
SLOPE = 2.0  # of the logarithm of KL over that of |r|, where r is small


def smoothness(study: xr.Dataset) -> Drawn:
    """KL(p(x) || p(x + r)) against |r| for (a) the pool, (b) test images, (c) images with permuted pixels."""
    seen = view.of(study)
    cells = _measured(seen)
    if not cells:
        return absent("smoothness has not been measured in this study")
    figure = page(WIDTH, 3.25, study)
    axes = figure.subplots(1, len(PLACES), sharex=True, sharey=True)
    tables: list[pd.DataFrame] = []
    for axis, (place, words) in zip(axes, PLACES.items(), strict=True):
        axis.set(xscale="log", yscale="log", title=words)
        drawn = [_lines(axis, seen, method, cell, place) for method, cell in cells.items()]
        tables += drawn
        if all(table.empty for table in drawn):
            blank(axis)
            continue
        axis.set_xlabel(r"$|r|_2$ (pixel range)")
        sns.despine(ax=axis)
    table = gather(tables)
    _limits(axes, table)
    letters(axes)
    first = next(axis for axis in axes if axis.axison)
    first.set_ylabel(r"$\mathrm{KL}(p(x)\,\|\,p(x+r))$ (nats)")
    first.tick_params(labelleft=True)
    entries, columns = _entries(seen, cells)
    figure.legend(handles=entries, loc="outside upper center", ncols=columns, fontsize="small",
                  title=about(seen, list(cells.values()), "n_labels", "n_pool"))  # fmt: skip
    return figure, table


def _measured(seen: View) -> dict[str, Cell]:
    """The run of each method at its own eps, where its smoothness has been measured."""
    found = {method: (cell, seen.at(cell, "smoothness")) for method, cell in chosen(seen).items()}
    return {
        method: cell for method, (cell, values) in found.items() if "length" in values.dims and bool((values > 0).any())
    }


def geometric(values: np.ndarray) -> dict[str, float]:
    """Geometric mean over seeds and the 95 % t-interval on the logarithm; what is not above 0 is left out."""
    sample = np.asarray(values, dtype=float)
    logs = numbers(np.log(np.where(sample > 0, sample, np.nan)))
    return {name: value if name == "n" else float(np.exp(min(value, 300.0))) for name, value in logs.items()}


def _lines(axis: Axes, seen: View, method: str, cell: Cell, place: str) -> pd.DataFrame:
    """Both lines of a method in one panel, and a ring at the eps it was trained with."""
    values = seen.at(cell, "smoothness")
    if place not in values["place"].values:
        return pd.DataFrame()
    values = values.sel(place=place)
    eps = np.nan if method in TRAINED_WITHOUT else float(seen.eps(cell))
    tables = []
    for along, style in ALONG.items():
        if along not in values["along"].values:
            continue
        one = values.sel(along=along).dropna("length", how="all")
        rows = [{"length": float(r)} | geometric(one.sel(length=r).values) for r in one["length"].values]
        table = pd.DataFrame(rows)
        table = table[table["n"] > 0] if rows else table
        if table.empty:
            continue
        ribbon(axis, table, "length", method, linestyle=style)
        if along == "virtual" and table["length"].min() <= eps <= table["length"].max():
            height = np.exp(np.interp(np.log(eps), np.log(table["length"]), np.log(table["mean"])))
            axis.plot(eps, height, linestyle="none", marker=MARKERS[method], markersize=5.5, markerfacecolor="white",
                      markeredgecolor=colour(method), markeredgewidth=1.2, zorder=5)  # fmt: skip
        tables.append(table.assign(training=method, place=place, along=along, eps=eps))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _limits(axes: Any, table: pd.DataFrame) -> None:
    """The range of the means, and the slope of the law of small r below the lines of the first panel there is."""
    low, high = table["mean"].min() / ROOM, table["mean"].max() * ROOM
    lengths = np.sort(table["length"].unique())
    first = next(axis for axis in axes if axis.axison)
    first.set_ylim(low, high)
    if len(lengths) > 1:
        least, most = np.log(lengths[0]), np.log(lengths[-1])
        x = np.exp(most - np.array([0.36, 0.06]) * (most - least))
        y = 2.5 * low * (x / x[0]) ** SLOPE
        first.plot(x, y, color="0.5", linewidth=1.0)
        first.annotate(r"$\propto |r|^2$", (x[0], y[0]), xytext=(-3, 0), textcoords="offset points", color="0.4",
                       fontsize="small", ha="right", va="center")  # fmt: skip
    few_decades(first, "x")
    few_decades(first)


def _entries(seen: View, cells: dict[str, Cell]) -> tuple[list[Line2D], int]:
    """The legend and its columns: methods with their eps in the first ones, directions of r in the last."""
    entries = handles(cells)
    for method, entry in zip((m for m in METHODS if m in cells), entries, strict=True):
        if method not in TRAINED_WITHOUT:
            entry.set_label(rf"{WORDS[method]}, $\varepsilon = {seen.eps(cells[method]):g}$")
    rows = 2 if len(entries) < 5 else 3
    last = [grey("$r$ virtual adversarial"), grey("$r$ random", linestyle=ALONG["random"])]
    for column in (entries, last):
        column += [Line2D([], [], linestyle="none", label=" ")] * (-len(column) % rows)
    return entries + last, len(entries + last) // rows
