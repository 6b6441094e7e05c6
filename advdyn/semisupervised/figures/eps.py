"""Validation and test error against the length of the perturbation, for each method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullFormatter

from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    ERRORS,
    WIDTH,
    WORDS,
    Drawn,
    about,
    absent,
    bars,
    chosen,
    colour,
    diverged,
    errors,
    few_decades,
    gather,
    gone,
    grey,
    letters,
    numbers,
    only_ticks,
    page,
    points,
    scaled,
)
from advdyn.semisupervised.view import Cell, View

BASE = "supervised"
SPLITS: dict[str, dict[str, Any]] = {
    "validation": {
        "linestyle": (0, (4, 1.5)),
        "markerfacecolor": "white",
        "markersize": 6,
        "linewidth": 1,
        "markeredgewidth": 0.8,
    },
    "test": {"linestyle": "-"},
}
ROOM = 0.12  # of the height, for the numbers of runs that diverged
TICKS = 6  # steps between the values of eps that are written out, at most


def eps(study: xr.Dataset) -> Drawn:
    """One panel for each method: its errors against eps, the eps chosen, and supervised training as a band."""
    seen = view.of(study)
    families = {method: seen.family(method, "eps") for method in seen.methods if method != BASE}
    tables = {method: _errors(seen, cells) for method, cells in families.items()}
    tables = {method: table for method, table in tables.items() if not table.empty}
    if not tables:
        return absent("runs with a perturbation, of any length eps: not in this study's grid, or not evaluated")
    base = _base(seen)
    nothing = gone([base, *tables.values()])
    if nothing is not None:
        return nothing
    figure = page(WIDTH, 2.7, study)
    axes = figure.subplots(1, len(tables), sharey=True, sharex=True, squeeze=False)[0]
    scaled(axes[0], [*tables.values(), base])
    picked = chosen(seen)
    drawn = [base]
    for axis, (method, table) in zip(axes, tables.items(), strict=True):
        own = seen.eps(picked[method]) if method in picked else np.nan
        drawn.append(table.assign(training=method, chosen=np.isclose(table["eps"], own)))
        _panel(axis, drawn[-1], method, base)
        axis.set_title(WORDS[method], fontsize="small")
        axis.set(xlabel=r"$\varepsilon$ ($\ell_2$, pixel range)")
        sns.despine(ax=axis)
    values = sorted({float(value) for table in tables.values() for value in table["eps"]})
    only_ticks(axes[0], _apart(values))
    axes[0].xaxis.set_minor_locator(FixedLocator(values))
    axes[0].xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("error (%)")
    if _lost(tables):  # room to write how many
        low, high = axes[0].get_ylim()
        log = axes[0].get_yscale() == "log"
        axes[0].set_ylim(low, high * (high / low) ** ROOM if log else high + ROOM * (high - low))
    if axes[0].get_yscale() == "log":
        few_decades(axes[0])
    letters(axes)
    entries = _entries(tables, base)
    cells = [cell for family in families.values() for cell in family]
    figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=len(entries),
                  title=about(seen, cells, "n_labels", "n_pool", "updates"))  # fmt: skip
    return figure, gather(drawn)


def _errors(seen: View, cells: list[Cell]) -> pd.DataFrame:
    """Errors of one method in %, a row for each split and eps that a seed has come through."""
    rows = [
        {"split": split, "eps": seen.eps(cell), "diverged": diverged(seen, cell)} | numbers(errors(seen, cell, split))
        for split in SPLITS
        for cell in cells
    ]
    table = pd.DataFrame(rows)
    return table if table.empty else table[(table["n"] > 0) | (table["diverged"] > 0)].reset_index(drop=True)


def _base(seen: View) -> pd.DataFrame:
    """Test error of supervised training, which has no eps."""
    cell = seen.chosen(BASE)
    table = _errors(seen, [cell]) if cell is not None else pd.DataFrame()
    return table if table.empty else table[table["split"] == "test"].assign(training=BASE, eps=np.nan)


def _lost(tables: dict[str, pd.DataFrame]) -> bool:
    """Whether any run diverged."""
    return any(bool((table["diverged"] > 0).any()) for table in tables.values())


def _entries(tables: dict[str, pd.DataFrame], base: pd.DataFrame) -> dict[str, Any]:
    """What stands in the legend, by its words."""
    entries: dict[str, Any] = {
        "test": grey("", marker="o", markersize=3.5),
        "validation": grey("", **({"marker": "o"} | SPLITS["validation"])),
    }
    if any(len(set(table["eps"])) > 1 for table in tables.values()):
        entries[r"$\varepsilon$ chosen by validation"] = grey("", linestyle=":", linewidth=1)
    if not base.empty:
        line = grey("", color=colour(BASE), linewidth=1)
        entries["supervised, test"] = (
            (Patch(facecolor=colour(BASE), alpha=0.3), line) if np.isfinite(base["low"]).any() else line
        )
    if _lost(tables):
        entries["seeds diverged"] = grey("", linestyle="", marker=r"$n\times$", markersize=9, color="0.3")
    return entries


def _panel(axis: Axes, table: pd.DataFrame, method: str, base: pd.DataFrame) -> None:
    """Test (solid) and validation error (dashed) against eps, and the eps chosen."""
    axis.set_xscale("log")
    for split, line in SPLITS.items():  # the validation error as a ring around the test error, where they are equal
        points(axis, table[table["split"] == split], "eps", method, ERRORS, **line)
    for _, row in base.iterrows():
        below, above = bars(base, ERRORS, axis.get_yscale() == "log")[:, 0]
        axis.axhline(row["mean"], color=colour(BASE), linewidth=1, zorder=0)
        axis.axhspan(row["mean"] - below, row["mean"] + above, color=colour(BASE), alpha=0.3, linewidth=0, zorder=0)
    for own in table.loc[table["chosen"], "eps"].unique() if len(set(table["eps"])) > 1 else ():
        axis.axvline(own, color="0.3", linestyle=":", linewidth=1, zorder=0)
    lost = table[(table["diverged"] > 0) & (table["split"] == "test")]
    for _, row in lost.iterrows():
        axis.text(row["eps"], 0.99, f"{row['diverged']}$\\times$", transform=axis.get_xaxis_transform(), ha="center",
                  va="top", fontsize="small", color="0.3")  # fmt: skip


def _apart(values: list[float]) -> list[float]:
    """Those values of a logarithmic axis that have room to be written side by side, the first among them."""
    step = (values[-1] / values[0]) ** (1 / TICKS)
    kept = values[:1]
    for value in values[1:]:
        if value >= kept[-1] * step * (1 - 1e-9):
            kept.append(value)
    return kept
