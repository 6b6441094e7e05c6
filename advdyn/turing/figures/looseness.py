"""How far above the measured distances the bounds lie, and how far from met Theorem 2's hypothesis is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    BOUND_WORDS,
    BOUNDS,
    MARKED,
    NETS,
    WIDTH,
    WORDS,
    Drawn,
    at_time,
    bars,
    blank,
    bound_colour,
    colour,
    common_time,
    ends_at,
    few_decades,
    from_zero,
    gather,
    handle,
    handles,
    left_out,
    letters,
    numbers,
    ticks,
)
from advdyn.turing.view import View

PANELS = (
    ("theory", "without", ("B1", "B1a", "B4")),
    ("theory", "with", ("B2", "B3", "B4")),
    ("full", "with", ("B4", "B4v")),
)
HYPOTHESIS = r"$\kappa\mu\,/\,|z(0)-y|$"


def looseness(study: xr.Dataset) -> Drawn:
    """Bound over largest distance at the end against the width, and the hypotheses of both theorems.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 4.9))
    axes = figure.subplots(2, 3)
    rows: list[pd.DataFrame] = []
    for axis, (net, adversary, names) in zip(axes[0], PANELS, strict=True):
        made = [t for name in names for t in _bound(axis, seen, net, adversary, name)]
        if not made:
            blank(axis, f"no {net} net\n{adversary} adversary")
            continue
        rows += made
        axis.axhline(1, color="0.2", linewidth=0.8)
        _widths(axis, made)
        axis.set_ylabel("bound / largest distance\nat the end", fontsize="small")
        axis.set_title(f"{NETS[net]}\n{WORDS[adversary]}", fontsize="medium")
    rows += _hypothesis(axes[1, 0], seen, "width", "width $m$")
    rows += _hypothesis(axes[1, 1], seen, "penalty", r"gradient penalty $\lambda$")
    rows += _gram(axes[1, 2], seen)
    letters(axes.flat)
    entries = [handle(words, color=bound_colour(n), linestyle=BOUNDS[n][1], marker="o", markersize=3.5)
               for n, words in BOUND_WORDS.items() if n != "B0"]  # fmt: skip
    entries += [handle("B4$_v$, top layer", color=bound_colour("B4v"), marker="s", markersize=3.5, linestyle=":")]
    entries += [handle("allowed limit", color="0.2", linewidth=0.8)]
    figure.legend(handles=[*entries, *handles(("without", "with"))], loc="outside upper center", ncols=4,
                  columnspacing=1.2)  # fmt: skip
    return figure, gather(rows)


def _widths(axis: Axes, made: list[pd.DataFrame]) -> None:
    axis.set(xscale="log", yscale="log")
    low, high = axis.get_ylim()
    axis.set_ylim(min(0.7, low), max(20.0, high))
    few_decades(axis)
    ticks(axis, (v for table in made for v in table["width"]))
    axis.set_xlabel("width $m$")
    axis.margins(x=0.08, y=0.12)
    sns.despine(ax=axis)


def _family(seen: View, along: str, net: str, adversary: str) -> list[int]:
    return seen.family(along, net=net, adversary=adversary)


def _bound(axis: Axes, seen: View, net: str, adversary: str, name: str) -> list[pd.DataFrame]:
    found, without = [], []
    runs = _family(seen, "width", net, adversary)
    time = common_time(seen, runs)
    for run in runs:
        values = at_end = seen.number(run, "looseness", bound=name)
        if not ends_at(seen, run, time):
            values = loose(seen, run, name, time)
            if at_end.size and not values.size:
                without.append(seen.rows[run]["width"])
        if values.size:
            about = {"width": seen.rows[run]["width"], "time": time, "diverged": len(seen.diverged(run))}
            found.append(about | numbers(values))
    left_out(axis, without, "m")
    table = pd.DataFrame(found)
    if table.empty:
        return []
    line = MARKED | ({"marker": "s", "linestyle": ":"} if name == "B4v" else {"linestyle": BOUNDS[name][1]})
    axis.errorbar(table["width"], table["mean"], yerr=bars(table, True), color=bound_colour(name), **line)
    return [table.assign(net=net, adversary=adversary, quantity=f"looseness {name}")]


def loose(seen: View, run: int, name: str, time: float) -> xr.DataArray:
    """A bound over the largest distance at a time, for each seed; no seed where they are not recorded then."""
    bound = at_time(seen, run, "distance_bound", time, bound=name)
    far = at_time(seen, run, "distance_max", time, layer="top" if name == "B4v" else "hidden")
    bound, far = xr.align(bound, far.where(far > 0), join="inner")
    return (bound / far).dropna("seed")


def supposed(seen: View, run: int, time: float) -> xr.DataArray:
    """Theorem 2's hypothesis with the critic's largest pull up to a time, for each seed."""
    if ends_at(seen, run, time):
        return seen.number(run, "hypothesis")
    kappa, error = seen.number(run, "kappa"), seen.at(run, "error")
    if kappa.size == 0 or error.size == 0:
        return kappa.isel(seed=slice(0))
    pull, kappa, start = xr.align(at_time(seen, run, "mu", time), kappa, error.isel(time=0, drop=True), join="inner")
    return (kappa * pull / start).dropna("seed")


def _hypothesis(axis: Axes, seen: View, along: str, words: str) -> list[pd.DataFrame]:
    found, without = [], []
    runs = _family(seen, along, "theory", "with")
    time = common_time(seen, runs)
    for run in runs:
        values = supposed(seen, run, time)
        if not values.size and seen.number(run, "hypothesis").size:
            without.append(seen.rows[run][along])
        if values.size:
            names = {along: seen.rows[run][along], "time": time, "net": "theory", "adversary": "with"}
            found.append(names | numbers(values))
    table = pd.DataFrame(found)
    if table.empty:
        blank(axis, "Theorem 2's hypothesis\nwas not evaluated")
        return []
    there = table[table["mean"] > 0]
    axis.errorbar(there[along], there["mean"], yerr=bars(there, True), color=colour("with"), **MARKED)
    axis.axhline(1, color="0.2", linewidth=0.8)
    axis.text(0.98, 0.95, "Theorem 2 needs less than 1", transform=axis.transAxes, fontsize="x-small", color="0.2",
              va="top", ha="right")  # fmt: skip
    axis.set_yscale("log")
    from_zero(axis, table[along])
    positive = table["mean"][table["mean"] > 0]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    axis.set_ylim(min(0.3, low / 2), max(3.0, high * 8))
    left_out(axis, without, {"width": "m", "penalty": r"\lambda"}[along])
    axis.set_xlabel(words)
    axis.set_ylabel(f"hypothesis {HYPOTHESIS}", fontsize="small")
    sns.despine(ax=axis)
    return [table.assign(quantity="hypothesis kappa mu / |z(0)-y|", along=along)]


def _gram(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """The smallest eigenvalue of the Gram matrix over the run, in units of lambda_0."""
    made, without = [], []
    for adversary in ("without", "with"):
        found = []
        runs = _family(seen, "width", "theory", adversary)
        time = common_time(seen, runs)
        for run in runs:
            over = ends_at(seen, run, time)
            low = seen.number(run, "gram_inf_end") if over else at_time(seen, run, "gram_inf", time)
            zero = seen.number(run, "lambda_0")
            if zero.size and not low.size and not over:
                without.append(seen.rows[run]["width"])
            if low.size and zero.size:
                low, zero = xr.align(low, zero, join="inner")
                found.append({"width": seen.rows[run]["width"], "time": time} | numbers(low / zero))
        table = pd.DataFrame(found)
        if len(table):
            axis.errorbar(table["width"], table["mean"], yerr=np.abs(bars(table)), color=colour(adversary), **MARKED)
            made.append(table.assign(net="theory", adversary=adversary, quantity="inf lambda_min(H) / lambda_0"))
    if not made:
        blank(axis, "no Gram matrix\nin this study")
        return []
    axis.axhline(0.5, color="0.2", linewidth=0.8)
    axis.text(0.98, 0.49, "both theorems need ½", fontsize="x-small", color="0.2", va="top", ha="right",
              transform=axis.get_yaxis_transform())  # fmt: skip
    axis.set_xscale("log")
    ticks(axis, (v for table in made for v in table["width"]))
    left_out(axis, without, "m")
    means = [float(v) for table in made for v in table["mean"]]
    axis.set_ylim(min(0.0, 1.1 * min(means)), max(1.15, 1.1 * max(means)))
    axis.set_xlabel("width $m$")
    axis.set_ylabel(r"$\inf_t\lambda_{\min}(H(t))\,/\,\lambda_0$", fontsize="small")
    axis.margins(x=0.08)
    sns.despine(ax=axis)
    return made
