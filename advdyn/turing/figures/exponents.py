"""Exponents: of the distance in time and in the width, and of reaction and diffusion in the width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.intervals import interval
from advdyn.turing import view
from advdyn.turing.figures.common import (
    ADVERSARIES,
    MARKED,
    WIDTH,
    Drawn,
    at_time,
    bars,
    blank,
    colour,
    common_time,
    few_decades,
    gather,
    handle,
    handles,
    lasting,
    late_exponent,
    left_out,
    letters,
    numbers,
    recorded,
    shade,
    ticks,
)
from advdyn.turing.view import View

# net, layer of a line, and how it is drawn
LINES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("theory", "u", {"marker": "o", "linestyle": "-"}),
    ("full", "u", {"marker": "s", "linestyle": (0, (4, 1.5))}),
    ("full", "v", {"marker": "^", "linestyle": (0, (1, 1.2))}),
)
NAMES = {("theory", "u"): "theory net", ("full", "u"): "full net, hidden layer", ("full", "v"): "full net, top layer"}
REACTION, DIFFUSION = 2, 4  # of the palette
SLOPES: dict[float, dict[str, Any]] = {
    -0.5: {"color": "0.5", "linewidth": 0.9, "linestyle": (0, (1, 1.2))},
    2.0: {"color": "0.5", "linewidth": 0.9, "linestyle": (0, (6, 1.5, 1, 1.5))},
}


def exponents(study: xr.Dataset) -> Drawn:
    """Late exponents against step size and width, distance against width, and reaction and diffusion against width.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.subplots(2, 3)
    rows = _late(axes[0, 0], seen, "eta", r"step size $\eta$")
    rows += _late(axes[0, 1], seen, "width", "width $m$")
    rows += _distance(axes[0, 2], seen)
    for axis, (net, layer, _) in zip(axes[1], LINES, strict=True):
        rows += _terms(axis, seen, net, layer)
    letters(axes.flat)
    figure.legend(
        handles=[
            *handles(ADVERSARIES),
            *(handle(NAMES[n, layer], markersize=3.5, **line) for n, layer, line in LINES),
            handle("reaction $R$", color=shade(REACTION), marker="o", markersize=3.5),
            handle("diffusion $D$", color=shade(DIFFUSION), marker="o", markersize=3.5),
            handle(r"$\propto m^{-1/2}$", **SLOPES[-0.5]),
            handle(r"$\propto m^{2}$, printed for $D$", **SLOPES[2.0]),
        ],
        loc="outside upper center", ncols=5, columnspacing=1.2, fontsize="small",
    )  # fmt: skip
    return figure, gather(rows)


def _late(axis: Axes, seen: View, along: str, words: str) -> list[pd.DataFrame]:
    made, without = [], []
    for net, layer, line in LINES:
        for adversary in ADVERSARIES:
            found = []
            runs = seen.family(along, net=net, adversary=adversary)
            time = common_time(seen, runs)
            for run in runs:
                values = late_exponent(seen, run, layer, time)
                if values.size:
                    found.append({along: seen.rows[run][along], "time": time} | numbers(values))
                elif seen.number(run, f"alpha_{layer}").size:
                    without.append(seen.rows[run][along])
            table = pd.DataFrame(found)
            if len(table):
                axis.errorbar(table[along], table["mean"], yerr=bars(table), color=colour(adversary), **(MARKED | line))
                quantity = f"late exponent alpha_{layer}"
                made.append(table.assign(net=net, layer=layer, adversary=adversary, quantity=quantity, along=along))
    if not made:
        blank(axis, "no late exponents\nin this study")
        return []
    axis.axhline(0, color="0.2", linewidth=0.8)
    axis.set_xscale("log")
    ticks(axis, (v for t in made for v in t[along]))
    axis.set(xlabel=words, ylabel=r"late exponent $\alpha$, $|u_j(t)-u_j(0)|\sim t^{\alpha}$")
    axis.yaxis.label.set_fontsize("small")
    axis.margins(x=0.1)
    left_out(axis, without, {"eta": r"\eta", "width": "m"}[along])
    sns.despine(ax=axis)
    return made


def _distance(axis: Axes, seen: View) -> list[pd.DataFrame]:
    made, without = [], []
    for net, layer, line in LINES:
        for adversary in ADVERSARIES:
            runs = seen.family("width", net=net, adversary=adversary)
            time = common_time(seen, runs)
            found, values = [], []
            for run in runs:
                there = at_time(seen, run, f"d{layer}", time)
                if not there.size and seen.at(run, f"d{layer}").size and lasting(seen, run):
                    without.append(seen.rows[run]["width"])
                if there.size and "neuron" in there.dims:
                    there = there.astype(float).mean("neuron", skipna=True).dropna("seed")
                    found.append({"width": seen.rows[run]["width"], "time": time} | numbers(there))
                    values.append(there)
            table = pd.DataFrame(found)
            if len(table):
                table = table.assign(**_fit(list(table["width"]), values))
                axis.errorbar(table["width"], table["mean"], yerr=bars(table, True), color=colour(adversary),
                              **(MARKED | line))  # fmt: skip
                made.append(table.assign(net=net, layer=layer, adversary=adversary, quantity=f"mean |d{layer}|"))
    for k, (net, layer, _) in enumerate(LINES):  # a small table: a line for each layer, a column for each adversary
        rows = [table for table in made if (table["net"].iloc[0], table["layer"].iloc[0]) == (net, layer)]
        height = 0.99 - 0.075 * k
        if rows:
            axis.text(0.5, height, f"{net}, ${layer}$" if net == "full" else net, transform=axis.transAxes,
                      ha="right", va="top", fontsize="x-small", color="0.3")  # fmt: skip
        for table in rows:
            adversary = str(table["adversary"].iloc[0])
            _exponent(axis, table, "", 0.74 if adversary == "without" else 0.98, height, colour(adversary))
    return _finish(axis, made, "mean distance\nat their common end", (-0.5,), without)


def _fit(widths: list[float], values: list[xr.DataArray]) -> dict[str, float]:
    """Exponent over the seeds, mean and 95 % interval."""
    if len(widths) < 2:
        return {"exponent": np.nan, "exponent_low": np.nan, "exponent_high": np.nan}
    mean, _, low, high = interval(view.exponents(widths, values))
    return {"exponent": mean, "exponent_low": low, "exponent_high": high}


def _terms(axis: Axes, seen: View, net: str, layer: str) -> list[pd.DataFrame]:
    """Reaction and diffusion: mean over neurons, the largest over time, of the runs with the adversary."""
    runs = seen.family("width", net=net, adversary="with")
    time = common_time(seen, runs)
    made, without = [], []
    for name, place in (("reaction", REACTION), ("diffusion", DIFFUSION)):
        found, values = [], []
        for run in runs:
            there = seen.at(run, f"{name}_{layer}")
            if there.size and "time" in there.dims:
                there = recorded(there, time)
                without += [] if there.size or not lasting(seen, run) else [seen.rows[run]["width"]]
                there = there.max("time").dropna("seed") if there.size else there
                if there.size and bool((there > 0).all()):
                    found.append({"width": seen.rows[run]["width"], "time": time} | numbers(there))
                    values.append(there)
        table = pd.DataFrame(found)
        if len(table):
            table = table.assign(**_fit(list(table["width"]), values))
            axis.errorbar(table["width"], table["mean"], yerr=bars(table, True), color=shade(place), **MARKED)
            made.append(
                table.assign(net=net, layer=layer, adversary="with", quantity=f"{name}_{layer}, largest over time")
            )
            height = 0.99 if name == "reaction" else 0.915
            _exponent(axis, made[-1], f"${name[0].upper()}^{layer}$: ", 0.34, height, shade(place))
    words = f"mean $|R^{layer}_j|$, $|D^{layer}_j|$,\nlargest over time"
    shown = _finish(axis, made, words, (-0.5, 2.0), without)
    axis.set_title(NAMES[net, layer] if shown else "", fontsize="medium")
    return shown


def _exponent(axis: Axes, table: pd.DataFrame, name: str, x: float, y: float, tint: Any) -> None:
    """A fitted exponent in words; nothing where there is a single width."""
    value = float(table["exponent"].iloc[0])
    if np.isfinite(value):
        axis.text(x, y, f"{name}{value:+.2f}".replace("-", "−"), transform=axis.transAxes, ha="right", va="top",
                  fontsize="x-small", color=tint)  # fmt: skip


def _finish(axis: Axes, made: list[pd.DataFrame], words: str, slopes: tuple[float, ...], without: list[float]
) -> list[pd.DataFrame]:  # fmt: skip
    """Axes, slopes to compare with, and the widths of which there is no run of the others' duration."""
    if not made:
        blank(axis, "not in this study")
        return []
    axis.set(xscale="log", yscale="log", xlabel="width $m$")
    axis.set_ylabel(words, fontsize="small")
    widths = sorted({float(v) for t in made for v in t["width"]})
    axis.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    ticks(axis, widths)
    means = np.concatenate([t["mean"].to_numpy(float) for t in made])
    means = means[np.isfinite(means) & (means > 0)]
    low, high = float(means.min()), float(means.max())
    axis.set_ylim(low / 4, high * 8)
    few_decades(axis)
    if len(widths) > 1:
        x = np.array([widths[0], widths[-1]])
        for slope in slopes:
            end = -1 if slope < 0 else 0  # where the line is lowest, below all that was measured
            axis.plot(x, low * 0.55 * (x / x[end]) ** slope, zorder=0, **SLOPES[slope])
    left_out(axis, without, "m")
    sns.despine(ax=axis)
    return made
