"""The residual of the network's outputs, its Bernoulli bound, and the equilibrium with the critic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    MARKED,
    TIME,
    WIDTH,
    WORDS,
    Drawn,
    bars,
    blank,
    colour,
    few_decades,
    from_zero,
    gather,
    handle,
    handles,
    label,
    late,
    letters,
    lines,
    numbers,
    shade,
    two,
)
from advdyn.turing.view import View

BOUND: dict[str, Any] = {"linestyle": (0, (5, 1.5)), "linewidth": 1.1}
REST: dict[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 1.3}
PARTS = (("error", "$|z-y|$", 3), ("q", "$|q|$, the critic's pull", 1), ("xi", r"$|\xi|=|z-y-q|$", 0))


def residual(study: xr.Dataset) -> Drawn:
    """Residual over time with its bound and equilibrium, its late value against the penalty, and its two parts.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 5.4))
    axes = figure.subplots(2, 2)
    rows = _theory(axes[0, 0], seen)
    rows += _penalties(axes[0, 1], seen)
    for axis, net in zip(axes[1], ("theory", "full"), strict=True):
        rows += _parts(axis, seen, net)
    letters(axes.flat)
    return figure, gather(rows)


def _theory(axis: Axes, seen: View) -> list[pd.DataFrame]:
    runs = two(seen, "theory")
    if not runs:
        blank(axis, "no theory net\nin this study")
        return []
    made = []
    for adversary, run in runs.items():
        made.append(lines(axis, seen.at(run, "error"), colour(adversary)).assign(adversary=adversary, quantity="|z-y|"))
        limit = lines(axis, seen.at(run, "residual_bound"), colour(adversary), each=False, **BOUND)
        made.append(limit.assign(adversary=adversary, quantity="Bernoulli bound"))
        rest = seen.number(run, "equilibrium_residual")
        if adversary == "with" and rest.size:
            axis.axhline(float(rest.mean()), color="black", **REST)
            made.append(pd.DataFrame([numbers(rest)]).assign(adversary=adversary, quantity="sqrt(n) s*"))
    axis.set_yscale("log")
    axis.set_xlim(left=0)
    _floor(axis, made)
    axis.set(xlabel=TIME, ylabel="residual $|z(t)-y|$", title=label(seen, next(iter(runs.values()))))
    sns.despine(ax=axis)
    axis.legend(
        handles=[*handles(runs), handle("Bernoulli bound", **BOUND),
                 handle(r"equilibrium $\sqrt{n}\,s^*$", color="black", **REST)],
        fontsize="x-small", loc="best",
    )  # fmt: skip
    return [table.assign(net="theory") for table in made if len(table)]


def _floor(axis: Axes, made: list[pd.DataFrame]) -> None:
    """Not more than six decades below the largest residual: what falls to rounding would hide the rest."""
    values = [t["mean"].to_numpy(float) for t in made if "mean" in t]
    values = [v[np.isfinite(v) & (v > 0)] for v in values]
    if values and (joined := np.concatenate(values)).size:
        start = max(float(v[0]) for v in values if v.size)
        axis.set_ylim(max(float(joined.min()) / 2, 1e-4 * start), float(joined.max()) * 2)


def _penalties(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Late residual against the weight of the gradient penalty, for both signs, and the equilibrium's closed form."""
    made, span, n, slope = [], [], 1.0, 1.0
    for sign, place, marker in (("minus", "with", "o"), ("plus", "plus", "s")):
        found = []
        for run in seen.family("penalty", net="theory", adversary="with", sign=sign):
            values = late(seen, run, "error") if not len(seen.diverged(run)) else np.empty(0)
            row = seen.rows[run]
            n, slope = row["n"], row["target_slope"]
            if row["sign"] == sign:
                span.append(row["penalty"])
                found.append({"penalty": row["penalty"], "diverged": len(seen.diverged(run))} | numbers(values))
        table = pd.DataFrame(found)
        if table.empty:
            continue
        there = table[np.isfinite(table["mean"])]
        axis.errorbar(there["penalty"], there["mean"], yerr=bars(there, True), color=colour(place),
                      **(MARKED | {"marker": marker, "linestyle": "none", "markersize": 5, "zorder": 3}))  # fmt: skip
        for gone in table["penalty"][table["diverged"] > 0]:
            axis.annotate("diverges", (gone, 0.97), xycoords=axis.get_xaxis_transform(), rotation=90, va="top",
                          ha="center", fontsize="x-small", color=colour(place))  # fmt: skip
        made.append(table.assign(net="theory", adversary="with", sign=sign, quantity="late |z-y|"))
    if not made:
        blank(axis, "no theory net with an adversary\nin this study")
        return []
    positive = [p for p in span if p > 0] or [1.0]
    penalties = np.geomspace(min(positive) / 2, max(positive) * 2, 200)
    for factor, place, words in ((1, "with", "minus"), (-1, "plus", "plus")):
        if factor < 0 and len(made) < 2:
            continue
        kept = penalties[2 * penalties + factor > 0]
        closed = np.sqrt(n) * 2 * kept * slope / (2 * kept + factor)
        axis.plot(kept, closed, color=colour(place), **REST)
        made.append(pd.DataFrame({"penalty": kept, "mean": closed, "sign": words, "quantity": "sqrt(n) s*"}))
    from_zero(axis, span)
    measured = [float(v) for t in made if "diverged" in t for v in t["mean"] if np.isfinite(v)]
    axis.set_ylim(0, 1.5 * max([*measured, np.sqrt(n) * slope]))
    axis.axhline(np.sqrt(n) * slope, color="0.7", linewidth=0.7, zorder=0)
    axis.text(0.02, np.sqrt(n) * slope, r"$\sqrt{n}\,s_0$", transform=axis.get_yaxis_transform(), va="bottom",
              fontsize="x-small", color="0.4")  # fmt: skip
    axis.set(xlabel=r"gradient penalty $\lambda$", ylabel="late residual $|z-y|$", title="theory net")
    sns.despine(ax=axis)
    entries = [handle("measured, minus sign", color=colour("with"), marker="o", linestyle="none", markersize=5)]
    if len(made) > 2:
        entries.append(handle("measured, plus sign", color=colour("plus"), marker="s", linestyle="none", markersize=5))
    entries.append(handle(r"$\sqrt{n}\,s^*(\lambda)$", **REST))
    axis.legend(handles=entries, fontsize="x-small", loc="lower right")
    return made


def _parts(axis: Axes, seen: View, net: str) -> list[pd.DataFrame]:
    run = two(seen, net).get("with")
    if run is None:
        blank(axis, f"no {net} net with an adversary\nin this study")
        return []
    made = []
    for name, words, place in PARTS:
        table = lines(axis, seen.at(run, name), shade(place), label=words)
        made.append(table.assign(net=net, adversary="with", quantity=name))
    axis.set_yscale("log")
    axis.set_xlim(left=0)
    _floor(axis, made)
    few_decades(axis)
    axis.set(xlabel=TIME, ylabel="norm over examples", title=f"{label(seen, run)}, {WORDS['with']}")
    axis.legend(fontsize="x-small", loc="best")
    sns.despine(ax=axis)
    return [table for table in made if len(table)]
