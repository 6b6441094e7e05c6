"""Structure of the filters and growth of the distance, with the adversary and with what is put in its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    NETS,
    PALETTE,
    WIDTH,
    WORDS,
    Drawn,
    colour,
    gather,
    handle,
    letters,
    numbers,
)
from advdyn.turing.view import View

ROW = 0.23  # inches
NOISE = -1 / 783  # Moran's I of independent pixels at 28 x 28
MEASURES = (
    ("moran", "Moran's $I$ of the change\nof the filters"),
    ("alpha_u", r"late exponent $\alpha$ of" + "\nthe hidden layer"),
    ("distance", "mean distance\nof the hidden layer"),
    ("sync_abs", "mean $|\\cos|$ between\nneurons' velocities"),
)


@dataclass(frozen=True)
class Line:
    """A line of the figure: a run in words, in its colour."""

    words: str
    kind: str
    run: int


def controls(study: xr.Dataset) -> Drawn:
    """Moran's I, late exponent, distance and synchronisation of each kind of run, for both nets; 95 % t-intervals.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    found = {net: chosen(seen, net) for net in seen.nets}
    figure = Figure(figsize=(WIDTH, 0.75 + sum(0.7 + ROW * len(found[net]) for net in found)))
    parts = figure.subfigures(
        len(found), 1, height_ratios=[0.9 + ROW * len(found[net]) for net in found], squeeze=False
    )
    rows: list[pd.DataFrame] = []
    drawn: list[Axes] = []
    for part, net in zip(parts[:, 0], found, strict=True):
        axes = part.subplots(1, len(MEASURES), sharey=True)
        for k, (axis, (name, words)) in enumerate(zip(axes, MEASURES, strict=True)):
            table = _draw(axis, seen, found[net], name)
            rows.append(table.assign(net=net, quantity=name))
            if table.empty or table["mean"].isna().all():
                axis.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axis.transAxes, color="0.4")
            axis.set_xlabel(words, fontsize="small")
            if k == 0:
                names = [_named(seen, line) for line in found[net]]
                axis.set_yticks(range(len(names)), names, fontsize="small")
                axis.set_ylim(len(found[net]) - 0.5, -0.5)
                axis.set_title(NETS.get(net, net))
            else:
                axis.tick_params(axis="y", length=0)
            axis.grid(axis="y", color="0.92", linewidth=0.6)
            axis.set_axisbelow(True)
            sns.despine(ax=axis)
        drawn += list(axes)
    letters(drawn)
    figure.legend(
        handles=[
            handle("as seen by the net", marker="o", linestyle="none", markersize=4, color="0.3"),
            handle("after undoing the permutation", marker="o", linestyle="none", markersize=4, color="0.3",
                   markerfacecolor="white"),
            handle("no structure, no growth", color="0.6", linewidth=0.8),
        ],
        loc="outside upper center", ncols=3,
    )  # fmt: skip
    return figure, gather(rows)


def chosen(seen: View, net: str) -> list[Line]:
    """The runs to compare: those next to the settings, without, with, and with each control, sign and data set."""
    base = seen.base(net=net, adversary="with")
    base = seen.base(net=net, adversary="without") if base is None else base
    if base is None:
        return []
    dataset, optimiser = seen.rows[base]["dataset"], seen.rows[base]["optimiser"]
    sign = seen.reference["sign"] if seen.where(net=net, sign=seen.reference["sign"]) else seen.rows[base]["sign"]
    same = {"net": net, "dataset": dataset, "optimiser": optimiser}
    lines: list[Line] = []

    def add(words: str, kind: str, run: int | None) -> None:
        if run is not None and all(line.run != run for line in lines):
            lines.append(Line(words, kind, run))

    add(WORDS["without"], "without", seen.base(**same, adversary="without"))
    add(WORDS["with"], "with", seen.base(**same, adversary="with", sign=sign))
    for control in ("label-scaled", "frozen-critic", "random-field", "permuted-pixels"):
        add(WORDS[control], control, seen.base(**same, adversary="with", control=control))
    add("pixels permuted, without", "without", seen.base(**same, adversary="without", control="permuted-pixels"))
    add(WORDS["plus"], "plus", seen.base(**same, adversary="with", sign="plus"))
    for plus in seen.family("penalty", adversary="with", sign="plus", **same):
        add(rf"plus sign, $\lambda={seen.rows[plus]['penalty']:g}$", "plus", plus)
    for other in seen.datasets:
        if other != dataset:
            for adversary in ("without", "with"):
                run = seen.base(net=net, dataset=other, adversary=adversary, optimiser=optimiser)
                add(f"{other}, {adversary}", adversary, run)
    for other in sorted(set(seen.runs["optimiser"]) - {optimiser}):
        for adversary in ("without", "with"):
            run = seen.base(net=net, dataset=dataset, adversary=adversary, optimiser=other)
            add(f"{other}, {adversary}", adversary, run)
    return lines


def _named(seen: View, line: Line) -> str:
    """A run in words, with how many of its seeds diverged if any did."""
    gone = len(seen.diverged(line.run))
    return f"{line.words}\n{gone} of {len(seen.seeds(line.run))} diverged" if gone else line.words


def measured(seen: View, run: int, name: str) -> np.ndarray:
    """A measure of a run for each seed."""
    if name in ("moran", "moran_restored"):
        return np.asarray(seen.number(run, name, stage="change").values, dtype=float)
    if name == "distance":
        found = seen.end(run, "du")
        return found.astype(float).mean("neuron", skipna=True).values if "neuron" in found.dims else np.empty(0)
    found = seen.end(run, name) if name.startswith("sync") else seen.number(run, name)
    return np.asarray(found.values, dtype=float)


def _draw(axis: Axes, seen: View, lines: list[Line], name: str) -> pd.DataFrame:
    rows = []
    for place, line in enumerate(lines):
        names = [name]
        permuted = seen.rows[line.run]["control"] == "permuted-pixels"
        names += ["moran_restored"] if name == "moran" and permuted else []
        for which in names:
            found = numbers(measured(seen, line.run, which))
            about = {"run": line.words, "which": which, "diverged_seeds": len(seen.diverged(line.run))}
            rows.append(about | found)
            if not np.isfinite(found["mean"]):
                if len(seen.diverged(line.run)):
                    axis.text(0.03, place, "diverged", fontsize="x-small", va="center", color="0.4",
                              transform=axis.get_yaxis_transform())  # fmt: skip
                continue
            tint = colour(line.kind if line.kind in PALETTE else "with")
            if np.isfinite(found["low"]):
                axis.plot([found["low"], found["high"]], [place, place], color=tint, linewidth=1.2)
            values = measured(seen, line.run, which)  # each seed
            axis.plot(values, np.full(len(values), place + 0.22), ".", color=tint, markersize=2, alpha=0.7)
            face = "white" if which == "moran_restored" else tint
            axis.plot(found["mean"], place, "o", color=tint, markersize=4.5, markerfacecolor=face, zorder=3)
    level = {"moran": NOISE, "alpha_u": 0.0}.get(name)
    if level is not None:
        axis.axvline(level, color="0.6", linewidth=0.8, zorder=0)
    else:
        axis.set_xlim(left=0, right=min(axis.get_xlim()[1], 1.02) if name.startswith("sync") else None)
    return pd.DataFrame(rows)
