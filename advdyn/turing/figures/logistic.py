"""The residual's Bernoulli equation beside the logistic growth of a population, at the same rate and capacity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import population, view
from advdyn.turing.figures.common import (
    TIME,
    WIDTH,
    Drawn,
    blank,
    gather,
    handle,
    label,
    letters,
    lines,
    numbers,
    over_seeds,
    scientific,
    shade,
    two,
)
from advdyn.turing.view import View

PSI, POPULATION, MEASURED = 3, 2, 7
START = 1e-2  # of the capacity, where panel b begins


def logistic(study: xr.Dataset) -> Drawn:
    """psi and P over time from the same start as in the run, from nearly nothing, and their rates of growth.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    run = two(seen, "theory").get("with")
    figure = Figure(figsize=(WIDTH, 2.75))
    axes = figure.subplots(1, 3)
    rows = _run(axes[0], seen, run) if run is not None else []
    if not rows:
        blank(axes[0], "no theory net\nwith an adversary\nin this study")
    rows += _growth(axes[1])
    rows += _rates(axes[2])
    letters(axes)
    figure.legend(
        handles=[
            handle(r"Bernoulli $\psi$", color=shade(PSI), linewidth=1.6),
            handle(r"$\psi$, numerically", color="black", marker=".", linestyle="none"),
            handle("logistic $P$", color=shade(POPULATION), linewidth=1.6),
            handle("measured $|z-y|^2$", color=shade(MEASURED)),
            handle("fixed points", linewidth=0.9, linestyle=(0, (1, 1.2))),
        ],
        loc="outside upper center", ncols=5, columnspacing=1.2, handlelength=1.5,
    )  # fmt: skip
    return figure, gather(rows)


def _run(axis: Axes, seen: View, run: int) -> list[pd.DataFrame]:
    """The run's own r, K and start; logarithmic, since K and K^2 are far apart."""
    made = []
    for name, place in (("psi", MEASURED), ("psi_bernoulli", PSI), ("logistic", POPULATION)):
        curve = _later(seen.at(run, name))
        made.append(lines(axis, curve, shade(place), each=False).assign(quantity=name))
    numerical = _later(seen.at(run, "psi_numerical"))
    if numerical.size:
        middle = numerical.mean("seed")
        axis.plot(middle["time"], middle, ".", color="black", markersize=3)
        made.append(pd.DataFrame({"time": middle["time"].values, "mean": middle.values, "quantity": "psi_numerical"}))
    made = [table for table in made if len(table)]
    if not made:
        return []
    r, k = seen.number(run, "bernoulli_r"), seen.number(run, "bernoulli_K")
    for values, name, power, place in ((k, "K", 1, POPULATION), (k, "K^2", 2, PSI), (r, "r", 0, 0)):
        if values.size:
            made.append(pd.DataFrame([{"quantity": name} | numbers(values ** (power or 1))]))
        if values.size and power:
            level = float((values**power).mean())
            axis.axhline(level, color=shade(place), linewidth=0.9, linestyle=(0, (1, 1.2)))
            axis.text(0.99, level, f"${name}$", transform=axis.get_yaxis_transform(), ha="right", va="bottom",
                      fontsize="small", color=shade(place))  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel=TIME, ylabel=r"$\psi$, $P$, $|z-y|^2$")
    axis.margins(y=0.1)
    axis.set_title(label(seen, run), fontsize="small")
    if r.size and k.size:
        words = f"$r={scientific(float(r.mean()))}$\n$K={scientific(float(k.mean()))}$"
        axis.text(0.05, 0.84, words, transform=axis.transAxes, fontsize="x-small", va="top")
    sns.despine(ax=axis)
    return [table.assign(panel="a, the run") for table in made]


def _later(curve: xr.DataArray) -> xr.DataArray:
    curve = over_seeds(curve)
    if curve.size == 0:
        return curve
    curve = curve.isel(time=np.flatnonzero(curve["time"].values > 0))
    return curve.where(curve > 0)


def _growth(axis: Axes) -> list[pd.DataFrame]:
    """Both from START of their fixed point and from 0, time in units of 1/r with K = 1."""
    t = np.linspace(0, 14, 281)
    psi, p = population.bernoulli(t, 1.0, 1.0, START), population.logistic(t, 1.0, 1.0, START)
    zero = population.bernoulli(t, 1.0, 1.0, 0.0)
    axis.plot(t, psi, color=shade(PSI), linewidth=1.6)
    axis.plot(t, zero, color=shade(PSI), linewidth=1.1, linestyle=(0, (4, 1.5)))
    axis.plot(t, p, color=shade(POPULATION), linewidth=1.6)
    axis.plot(t, np.zeros_like(t), color=shade(POPULATION), linewidth=1.1, linestyle=(0, (4, 1.5)))
    axis.axhline(1, color="0.3", linewidth=0.9, linestyle=(0, (1, 1.2)))
    axis.set(xlabel="$rt$ ($K=1$)", ylabel=r"$\psi/K^2$, $P/K$", xlim=(0, 14), ylim=(-0.03, 1.12))
    axis.set_title("from 0.01 (solid) and 0 (dashed)", fontsize="small")
    sns.despine(ax=axis)
    made = (("psi", psi, START), ("psi", zero, 0.0), ("P", p, START), ("P", np.zeros_like(t), 0.0))
    return [
        pd.DataFrame({"time": t, "mean": v, "start": s, "quantity": q, "panel": "b, K = 1, time in 1/r"})
        for q, v, s in made
    ]


def _rates(axis: Axes) -> list[pd.DataFrame]:
    """Right-hand sides at r = K = 1: infinite slope of psi at 0, slope r of P."""
    x = np.linspace(0, 1.2, 241)
    psi, p = np.sqrt(x) - x, x * (1 - x)
    axis.plot(x, psi, color=shade(PSI), linewidth=1.6)
    axis.plot(x, p, color=shade(POPULATION), linewidth=1.6)
    axis.axhline(0, color="0.3", linewidth=0.7)
    axis.plot([0, 1], [0, 0], "o", color="black", markersize=3.5, clip_on=False)
    axis.set(xlabel=r"$\psi/K^2$, $P/K$", ylabel=r"$\dot\psi/(rK)$, $\dot P/(rK)$", xlim=(0, 1.2))
    axis.set_title("rates of growth", fontsize="small")
    sns.despine(ax=axis)
    return [
        pd.DataFrame({"value": x, "mean": v, "quantity": f"rate of {q}", "panel": "c, r = K = 1"})
        for q, v in (("psi", psi), ("P", p))
    ]
