"""Test error against the number of labels, and what is gained over training on them alone."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes

from advdyn.intervals import paired
from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    ANYTHING,
    ERRORS,
    PERCENT,
    WIDTH,
    Drawn,
    about,
    absent,
    blank,
    chosen,
    diverged,
    errors,
    few_decades,
    gather,
    gone,
    handles,
    letters,
    numbers,
    only_ticks,
    page,
    points,
    scaled,
)
from advdyn.semisupervised.view import Cell, View

BASE = "supervised"
APART = 1.035  # ratio of the abscissae of two methods at one number of labels


def labels(study: xr.Dataset) -> Drawn:
    """(a) Test error of each method at the eps its validation error chose; (b) paired gain over supervised."""
    seen = view.of(study)
    cells = {n: chosen(seen, n) for n in seen.n_labels}
    methods = [method for method in seen.methods if any(method in found for found in cells.values())]
    if not methods:
        return absent("no run of this study has been evaluated")
    error = {method: _errors(seen, cells, method) for method in methods}
    gain = {method: _gains(seen, cells, method) for method in methods if method != BASE}
    nothing = gone(list(error.values()))
    if nothing is not None:
        return nothing
    figure = page(WIDTH, 2.9, study)
    left, right = figure.subplots(1, 2)
    _panel(left, error, methods, ERRORS)
    left.set(title="test error", ylabel="test error (%)")
    right.set_title("gain over supervised, paired")
    if any(not table.empty and table["mean"].notna().any() for table in gain.values()):
        _panel(right, gain, methods, ANYTHING)
        right.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        right.set_ylabel("percentage points")
    else:
        blank(right, "a second method with the same seeds as supervised:\nnot in this study's grid")
    for axis in (left, right):
        if axis.axison:
            axis.set_xlabel("labelled images")
            sns.despine(ax=axis)
    letters((left, right))
    used = [cell for found in cells.values() for cell in found.values()]
    figure.legend(handles=handles(methods), loc="outside upper center", ncols=3,
                  title=about(seen, used, "n_pool", "updates"))  # fmt: skip
    return figure, gather([*error.values(), *gain.values()])


def _row(seen: View, cell: Cell, n: int, method: str, values: dict[str, float]) -> dict[str, object]:
    return {"n_labels": n, "training": method, "eps": seen.eps(cell), "diverged": diverged(seen, cell)} | values


def _errors(seen: View, cells: dict[int, dict[str, Cell]], method: str) -> pd.DataFrame:
    found = {n: of[method] for n, of in cells.items() if method in of}
    rows = [_row(seen, cell, n, method, numbers(errors(seen, cell, "test"))) for n, cell in found.items()]
    return _finite(rows, "test error (%)")


def _gains(seen: View, cells: dict[int, dict[str, Cell]], method: str) -> pd.DataFrame:
    rows = []
    for n, of in cells.items():
        if method in of and BASE in of:
            values = PERCENT * paired(seen.error(of[BASE], "test"), seen.error(of[method], "test"))
            rows.append(_row(seen, of[method], n, method, numbers(values)))
    return _finite(rows, "gain (points)")


def _finite(rows: list[dict[str, object]], quantity: str) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return (
        table
        if table.empty
        else table[(table["n"] > 0) | (table["diverged"] > 0)].assign(quantity=quantity).reset_index(drop=True)
    )


def _panel(axis: Axes, tables: dict[str, pd.DataFrame], methods: list[str], within: tuple[float, float]) -> None:
    """One line for each method, side by side at each number of labels."""
    axis.set_xscale("log")
    if within == ERRORS:
        scaled(axis, tables.values())
    for method, table in tables.items():
        if not table.empty:
            shift = APART ** (methods.index(method) - (len(methods) - 1) / 2)
            points(axis, table.assign(beside=table["n_labels"] * shift), "beside", method, within)
    sizes = sorted({n for table in tables.values() if not table.empty for n in table["n_labels"]})
    if sizes:
        axis.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
        only_ticks(axis, sizes)
    if axis.get_yscale() == "log":
        few_decades(axis)
