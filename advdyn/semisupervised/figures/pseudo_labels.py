"""Pseudo-labels: how often they are right beside the quality of the model, and how often r changes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    ERRORS,
    MARKERS,
    METHODS,
    PERCENT,
    WIDTH,
    Drawn,
    absent,
    bars,
    blank,
    chosen,
    colour,
    gather,
    grey,
    handles,
    letters,
    numbers,
    page,
)
from advdyn.semisupervised.view import Cell, View

FEWEST = 5  # runs of one seed, for a rank correlation
APART = 0.14
ALONG: dict[str, dict[str, Any]] = {
    "virtual": {"label": "$r$ virtual adversarial"},
    "random": {"label": "$r$ random", "markerfacecolor": "white"},
}
TICKS = {"supervised": "supervised\n", "adversarial": "adversarial\n(labelled)", "random": "random\ndirection",
         "pseudo-label": "pseudo-label\ndirection", "virtual": "virtual\nadversarial"}  # fmt: skip


def pseudo_labels(study: xr.Dataset) -> Drawn:
    """(a) Accuracy of pseudo-labels against test accuracy; (b) share of them that r changes, method by method."""
    seen = view.of(study)
    quality = _quality(seen)
    changes = _changes(seen)
    if quality.empty and changes.empty:
        return absent("pseudo-labels have not been measured in this study")
    figure = page(WIDTH, 3.4, study)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    tables = [_against(left, quality), quality]
    _changed(right, changes)
    letters([left, right])
    for axis in (left, right):
        if axis.axison:
            sns.despine(ax=axis)
    found = {*(quality["training"] if len(quality) else ()), *(changes["training"] if len(changes) else ())}
    figure.legend(handles=handles(found, linestyle="none"), loc="outside upper center", ncols=len(METHODS),
                  handletextpad=0.0, columnspacing=0.8)  # fmt: skip
    return figure, gather([changes, *tables])


def _quality(seen: View) -> pd.DataFrame:
    """Accuracy on the pool and on test images of every run, seed and checkpoint."""
    tables = []
    for run, cell in enumerate(seen.cells):
        pool, test = xr.align(*(seen.curve(cell, "error", split) for split in ("pool", "test")))
        seed, update = np.meshgrid(pool["seed"].values, pool["update"].values, indexing="ij")
        table = pd.DataFrame({"seed": seed.ravel(), "update": update.ravel()})
        table = table.assign(
            pool=PERCENT * (1 - pool.values.ravel()),
            test=PERCENT * (1 - test.values.ravel()),
            end=table["update"] == seen.last(cell),
            run=run,
            **({"training": seen.value_of(cell, "training")} | dict(cell)),
        )
        tables.append(table.dropna(subset=["pool", "test"]))
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True).assign(panel="accuracy") if tables else pd.DataFrame()


def rank_correlation(quality: pd.DataFrame) -> pd.DataFrame:
    """Spearman's, of accuracy on the pool with test accuracy over the ends of all runs of each seed."""
    rows = []
    for seed, ends in quality[quality["end"]].groupby("seed"):
        if len(ends) >= FEWEST and min(np.ptp(ends["pool"]), np.ptp(ends["test"])) > 0:
            rho = float(stats.spearmanr(ends["pool"], ends["test"]).statistic)
            rows.append({"panel": "rank correlation", "seed": seed, "mean": rho, "n": len(ends)})
    return pd.DataFrame(rows)


def _against(axis: Axes, quality: pd.DataFrame) -> pd.DataFrame:
    """Points of all runs, the ends of training large; their rank correlations."""
    if quality.empty:
        blank(axis, "not evaluated in this study")
        return pd.DataFrame()
    inset = axis.inset_axes((0.57, 0.13, 0.41, 0.3)) if quality["end"].any() else None
    for end, look in ((False, {"markersize": 1.8, "alpha": 0.3}), (True, {"markersize": 3.5, "alpha": 0.7})):
        for method in METHODS:
            own = quality[(quality["training"] == method) & (quality["end"] == end)]
            style: dict[str, Any] = {"linestyle": "none", "marker": MARKERS[method], "color": colour(method),
                                     "markeredgewidth": 0, "clip_on": False}  # fmt: skip
            axis.plot(own["test"], own["pool"], zorder=2 + end, **(style | look))
            if end and inset is not None:
                inset.plot(own["test"], own["pool"] - own["test"], **(style | {"markersize": 2.2, "alpha": 0.6}))
    low = float(np.floor(quality[["pool", "test"]].min().min() / 5) * 5)
    high = float(min(PERCENT, np.ceil(quality[["pool", "test"]].max().max() / 5) * 5))
    axis.plot([low, high], [low, high], color="0.6", linewidth=0.8, zorder=1)
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal", title="pseudo-labels of the pool",
             xlabel="accuracy on test images (%)", ylabel="pseudo-labels that are right (%)")  # fmt: skip
    for of in (axis.xaxis, axis.yaxis):
        of.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if inset is not None:
        inset.axhline(0, color="0.6", linewidth=0.8, zorder=1)
        inset.set_xlim(low, high)
        inset.margins(y=0.15)
        inset.set_title("pool less test (points)", fontsize="x-small", pad=2)
        inset.tick_params(labelsize="x-small", length=2, pad=1.5)
    table = rank_correlation(quality)
    if len(table):
        found = numbers(table["mean"].to_numpy())
        words = f"rank correlation\n{_three(found['mean'])}"
        if np.isfinite(found["low"]):
            words += f" [{_three(found['low'])}, {_three(found['high'])}]\nover {found['n']} seeds"
        axis.text(0.04, 0.97, words, transform=axis.transAxes, ha="left", va="top", fontsize="small")
    return table


def _three(rho: float) -> str:
    """A correlation with three decimals, cut at 1, and never rounded to it."""
    return f"{rho:.3f}" if rho < 0.9995 else "1" if rho >= 1.0 - 1e-9 else "> 0.999"


def _changes(seen: View) -> pd.DataFrame:
    """Share of the pool whose predicted class r changes, of each method at its own eps; supervised at virtual's."""
    cells = chosen(seen)
    eps = seen.eps(cells["virtual"]) if "virtual" in cells else float(seen.settings["eps"])
    rows = []
    for method, cell in cells.items():
        length = eps if method == "supervised" else seen.eps(cell)
        for along in ALONG:
            shares = _at_length(seen, cell, along, eps) if method == "supervised" else _at_eps(seen, cell, along)
            if np.isfinite(shares).any():
                row = {"panel": "changed", "training": method, "along": along, "eps": length}
                rows.append(row | numbers(PERCENT * shares))
    return pd.DataFrame(rows)


def _at_eps(seen: View, cell: Cell, along: str) -> np.ndarray:
    """Share changed at the eps of the training, by seed."""
    values = seen.at(cell, "flipped_at_eps")
    if "along" not in values.dims or along not in values["along"].values:
        return np.empty(0)
    return values.sel(along=along).values


def _at_length(seen: View, cell: Cell, along: str, length: float) -> np.ndarray:
    """Share changed at any length up to the longest measured, by seed: interpolated, and 0 at no length."""
    values = seen.at(cell, "flipped")
    if not {"along", "place", "length"} <= set(values.dims) or along not in values["along"].values:
        return np.empty(0)
    values = values.sel(along=along, place="pool").dropna("length", how="all").transpose("seed", "length")
    lengths = values["length"].values
    if not len(lengths) or length > lengths[-1]:
        return np.empty(0)
    return np.array([np.interp(length, [0, *lengths], [0, *row]) for row in values.values])


def _changed(axis: Axes, table: pd.DataFrame) -> None:
    """Points with intervals, virtual adversarial r filled and random r open."""
    if table.empty:
        blank(axis, "not measured in this study")
        return
    methods = [method for method in METHODS if method in set(table["training"])]
    for place, method in enumerate(methods):
        for shift, (along, look) in zip((-APART, APART), ALONG.items(), strict=True):
            one = table[(table["training"] == method) & (table["along"] == along)]
            style = {"color": colour(method), "marker": MARKERS[method], "markersize": 5, "elinewidth": 1.0}
            axis.errorbar(np.full(len(one), place + shift), one["mean"], yerr=bars(one, ERRORS), linestyle="none",
                          **(style | {name: value for name, value in look.items() if name != "label"}))  # fmt: skip
    eps = table.groupby("training")["eps"].first()
    lengths = [rf"$\varepsilon = {eps[method]:g}$" for method in methods]
    lengths = [f"({said})" if m == "supervised" else said for m, said in zip(methods, lengths, strict=True)]
    axis.set_xticks(range(len(methods)), [f"{TICKS[m]}\n{e}" for m, e in zip(methods, lengths, strict=True)])
    axis.set(xlim=(-0.5, len(methods) - 0.5), title="changed by $r$ of length $\\varepsilon$",
             ylabel=r"pool with $y' \neq \hat{y}$ (%)")  # fmt: skip
    top = max(1.15 * axis.get_ylim()[1], 1.0)
    axis.set_ylim(-0.03 * top, top)
    axis.tick_params(axis="x", length=0, labelsize="small")
    axis.legend(handles=[grey(linestyle="none", marker="o", markersize=5, words=str(look["label"]),
                              **{k: v for k, v in look.items() if k != "label"}) for look in ALONG.values()],
                loc="upper right", fontsize="small")  # fmt: skip
