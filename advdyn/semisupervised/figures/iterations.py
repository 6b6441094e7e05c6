"""Power iterations: how near the direction is to the converged one, and what more of them do to the test error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes

from advdyn.intervals import paired
from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    ABSENT,
    ERRORS,
    WIDTH,
    Drawn,
    about,
    absent,
    blank,
    chosen,
    colour,
    diverged,
    errors,
    gather,
    handles,
    letters,
    numbers,
    only_ticks,
    page,
    points,
)
from advdyn.semisupervised.view import Cell, View

SHARE = (0.0, 1.0)
NEAR = 0.9  # of the |cosine|, to be called the converged direction
MEASURES = {"cosine": "mean |cosine|", "cosine_share": rf"share with |cosine| $\geq$ {NEAR:g}"}
LOWEST = 0.88  # end of the ordinate of shares, or below
SPREAD = 0.25  # of the lines of single seeds
APART = 1.04  # ratio of the abscissae of two methods at one number of iterations


def iterations(study: xr.Dataset) -> Drawn:
    """(a, b) |cosine| with the converged direction against K, by method; (c) test error against K in training."""
    seen = view.of(study)
    cells = chosen(seen)
    near = {name: _cosines(seen, cells, name) for name in MEASURES}
    family = [cell for cell in seen.family("virtual", "power_iterations") if errors(seen, cell, "test").size]
    compared = [table for of in near.values() for table in of.values() if not table.empty]
    if not compared and not family:
        return absent("directions after several power iterations: not in this study, or every run diverged")
    figure = page(WIDTH, 2.8, study)
    axes = figure.subplots(1, 3)
    for axis, (name, tables) in zip(axes, near.items(), strict=False):
        axis.set_title(MEASURES[name])
        _near(axis, tables)
    if axes[0].axison:
        axes[0].axhline(NEAR, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    trained = _trained(axes[2], seen, family)
    for axis in axes:
        if axis.axison:
            sns.despine(ax=axis)
    letters(axes)
    methods = [method for method in cells if any(not of[method].empty for of in near.values())]
    used = [*(cells[method] for method in methods), *family]
    figure.legend(handles=handles(methods or ["virtual"]), loc="outside upper center", ncols=3,
                  title=about(seen, used, "n_labels", "n_pool", "updates"))  # fmt: skip
    return figure, gather([*compared, trained])


def _cosines(seen: View, cells: dict[str, Cell], name: str) -> dict[str, pd.DataFrame]:
    """A measure of the directions after each number of power iterations, by the method that trained the network."""
    found = {}
    for method, cell in cells.items():
        values = seen.at(cell, name)
        rows = []
        if "iteration" in values.dims:
            for k in values["iteration"].values:
                rows.append({"quantity": name, "training": method, "eps": seen.eps(cell), "iterations": int(k)}
                            | numbers(values.sel(iteration=k)))  # fmt: skip
        table = pd.DataFrame(rows)
        found[method] = table if table.empty else table[table["n"] > 0].reset_index(drop=True)
    return found


def _near(axis: Axes, tables: dict[str, pd.DataFrame]) -> None:
    there = {method: table for method, table in tables.items() if not table.empty}
    if not there:
        blank(axis, "not measured in this study")
        return
    axis.set_xscale("log")
    for place, (method, table) in enumerate(there.items()):
        shift = APART ** (place - (len(there) - 1) / 2)
        points(axis, table.assign(beside=table["iterations"] * shift), "beside", method, SHARE)
    low = axis.get_ylim()[0]
    axis.set(xlabel="power iterations $K$", ylim=(min(low, LOWEST), 1 + 0.06 * (1 - min(low, LOWEST))))
    only_ticks(axis, sorted({k for table in there.values() for k in table["iterations"]}))


def _trained(axis: Axes, seen: View, family: list[Cell]) -> pd.DataFrame:
    """Test error of networks trained with K power iterations: seeds as thin lines, and their mean; K = 1 as a line."""
    axis.set_title("test error (%)")
    if len(family) < 2:
        blank(axis, f"several $K$ in training:\n{ABSENT}")
        return pd.DataFrame()
    values = {int(seen.value_of(cell, "power_iterations")): errors(seen, cell, "test") for cell in family}
    first = values[min(values)]
    rows = []
    for (k, error), cell in zip(values.items(), family, strict=True):
        change = numbers(paired(error, first))
        rows.append({"quantity": "test error (%)", "training": "virtual", "eps": seen.eps(cell), "iterations": k,
                     "diverged": diverged(seen, cell)} | numbers(error)
                    | {f"change_{name}": change[name] for name in ("mean", "low", "high")})  # fmt: skip
    table = pd.DataFrame(rows)
    axis.set_xscale("log")
    for seed in sorted({float(s) for error in values.values() for s in error["seed"].values}):
        line = [float(error.sel(seed=seed)) if seed in error["seed"] else np.nan for error in values.values()]
        axis.plot(list(values), line, color=colour("virtual"), alpha=SPREAD, linewidth=0.8, zorder=1)
    points(axis, table, "iterations", "virtual", ERRORS)
    axis.axhline(table["mean"].iloc[0], color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    axis.set_xlabel(rf"$K$ in training, $\varepsilon = {seen.eps(family[0]):g}$")
    only_ticks(axis, list(values))
    last = table.iloc[-1]
    if np.isfinite(last["change_low"]):
        words = (
            f"paired, $K = {last['iterations']}$ less ${min(values)}$:\n{last['change_mean']:+.2f} points "
            f"[{last['change_low']:+.2f}, {last['change_high']:+.2f}]"
        )
        words = words.replace("-", "\N{MINUS SIGN}")
        low, high = axis.get_ylim()
        axis.set_ylim(low - 0.25 * (high - low), high)
        axis.text(0.03, 0.03, words, transform=axis.transAxes, fontsize="x-small", color="0.3")
    return table
