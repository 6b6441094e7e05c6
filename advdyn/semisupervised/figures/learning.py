"""Learning curves: errors on test images and on the pool, and the two terms of the loss, against updates."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

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
    few_decades,
    gather,
    handles,
    letters,
    numbers,
    page,
    ribbon,
    scaled,
)
from advdyn.semisupervised.view import Cell, View

PANELS: dict[str, tuple[str, str | None, str]] = {
    "test error": ("error", "test", "test error (%)"),
    "pool error": ("error", "pool", "error on the pool, unlabelled (%)"),
    "loss_labelled": ("loss_labelled", None, "cross-entropy, labelled (nats)"),
    "loss_smooth": ("loss_smooth", None, "second term of the loss (nats)"),
}


def learning(study: xr.Dataset) -> Drawn:
    """Means over seeds with a band of their 95 % t-interval, each method at the eps its validation error chose."""
    seen = view.of(study)
    cells = chosen(seen)
    found = {name: {method: _curve(seen, cell, name) for method, cell in cells.items()} for name in PANELS}
    drawn = [table for of in found.values() for table in of.values() if not table.empty]
    if not drawn:
        return absent("no run of this study has been evaluated")
    figure = page(WIDTH, 4.6, study)
    axes = figure.subplots(2, 2, sharex=True)
    axes[0, 1].sharey(axes[0, 0])
    for axis, (name, tables) in zip(axes.flat, found.items(), strict=True):
        axis.set_title(PANELS[name][2])
        there = {method: table for method, table in tables.items() if not table.empty}
        kind = PANELS[name][0]
        if not there:
            blank(axis, "not recorded in this study")
            continue
        scaled(axis, [table for name, of in found.items() if PANELS[name][0] == kind for table in of.values()])
        for method, table in there.items():
            ribbon(axis, table, "update", method, ERRORS if kind == "error" else ANYTHING)
        sns.despine(ax=axis)
    for axis in axes.flat:
        if axis.axison and axis.get_yscale() == "log":
            few_decades(axis)  # after both that share an ordinate
    for axis in axes[1]:
        axis.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 3, 5, 10]))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_xlabel("updates")
    axes[0, 0].set_xlim(left=0)
    letters(axes.flat)
    figure.legend(handles=handles(cells), loc="outside upper center", ncols=3,
                  title=about(seen, list(cells.values()), "n_labels", "n_pool"))  # fmt: skip
    return figure, gather(drawn)


def _curve(seen: View, cell: Cell, name: str) -> pd.DataFrame:
    """Mean and interval over seeds at each checkpoint that any seed has a number of."""
    variable, split, _ = PANELS[name]
    method = str(seen.value_of(cell, "training"))
    if variable == "loss_smooth" and method == "supervised":  # has none
        return pd.DataFrame()
    values = seen.curve(cell, variable, split)
    if "update" not in values.dims or not values.size:
        return pd.DataFrame()
    factor = PERCENT if variable == "error" else 1.0
    rows = [
        {"quantity": name, "training": method, "eps": seen.eps(cell), "update": int(u)}
        | numbers(factor * values.sel(update=u))
        for u in values["update"].values
    ]
    table = pd.DataFrame(rows)
    return table[table["n"] > 0].reset_index(drop=True)
