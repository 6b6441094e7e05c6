"""Masked gradients: where the single-step attack misleads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    EPS,
    EPS_TRAIN,
    LINF,
    PIXELS,
    THIN,
    WIDTH,
    Drawn,
    absent,
    band,
    colour,
    gather,
    letters,
    percent,
    rows_of,
    training_handles,
)
from advdyn.robustness.view import NOISES, STANDARD, Point, View

PANELS = 4
SIGNS = {"below": 1, "not_monotone": 2, "smaller_eps": 4}  # bits of the flag
HOLLOW: dict[str, Any] = {"marker": "o", "markersize": 6, "markerfacecolor": "none", "linestyle": "none"}


def masking(study: xr.Dataset) -> Drawn:
    """Share of runs whose gradients are flagged as masked, and the curves of the runs that are flagged most.

    Hollow: the share where the single step does less than the iterated attack at the same eps, which curvature alone
    brings about. Runs that predict a constant are left out. Thin: the single-step attack, solid: the iterated one, of
    the same runs. Where no run is flagged, the points with the largest gap between the two.
    """
    seen = view.of(study)
    found = _flags(seen)
    if found.empty:
        return absent("single-step beside iterated attacks are not in this study")
    ordered = found.sort_values(["share", "gap"], ascending=False, kind="stable")
    shown = ordered[ordered["share"] > 0] if (ordered["share"] > 0).any() else ordered
    shown = shown.drop_duplicates(["model", "training"])
    points = [_point(row) for _, row in shown.head(PANELS).iterrows()]
    figure = Figure(figsize=(WIDTH, 5.2))
    upper, lower = rows_of(figure, (1.15, 1))
    first = upper.subplots(1, 2, sharey=True, sharex=True)
    for axis, linear, title in ((first[0], False, "networks"), (first[1], True, "linear models (control)")):
        _shares(axis, found[found["linear"] == linear])
        axis.set_title(title)
        axis.set_xlabel(f"{EPS_TRAIN} ({PIXELS})")
        percent(axis)
        sns.despine(ax=axis)
    first[0].set_ylabel("runs with masked gradients")
    first[0].set_ylim(-0.04, 1.04)
    axes = lower.subplots(1, len(points), squeeze=False, sharey=True)[0]
    rows = [found.assign(curve="flags")]
    for axis, point in zip(axes, points, strict=True):
        rows += _curves(axis, seen, point)
        eps = f" {point.eps_train:g}" if point.eps_train else ""
        axis.set_title(f"{point.model}\n{view.training_name(point.training)}{eps}", fontsize="small")
        axis.set_xlabel(f"{EPS} ({LINF}, {PIXELS})", fontsize="small")
        axis.set(ylim=(0, 1.02))
        axis.set_xlim(left=0)
        percent(axis)
        sns.despine(ax=axis)
    axes[0].set_ylabel("test error")
    letters([*first, *axes])
    trainings = [t for t in seen.trainings if t in set(found["training"])]
    handles = training_handles(trainings)
    handles += [
        Line2D([], [], color="0.3", label=seen.roles.iterated or "iterated"),
        Line2D([], [], color="0.3", label=seen.roles.single or "single step", **THIN),
        Line2D([], [], color="0.6", linewidth=0.7, label=f"{EPS} = {EPS_TRAIN}"),
        Line2D([], [], color="0.3", marker="o", markersize=3.5, linewidth=1, label="masked"),
        Line2D([], [], color="0.3", label="single step weaker", **HOLLOW),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    if not (found["share"] > 0).any():
        lower.suptitle("no run is flagged; largest gaps between the two attacks", fontsize="medium")
    return figure, gather(rows)


def _flags(seen: View) -> pd.DataFrame:
    """For each point the share of masked runs, how many show each sign, and the largest gap and drop."""
    rows = []
    for point in seen.points:
        if "masking" not in seen.data or point.n_train != seen.n_train:
            continue
        flags = seen.learned(point, seen.at(point, "masking").sel(clip=seen.clip)).values.astype(float)
        flags = flags[np.isfinite(flags) & (flags >= 0)].astype(int)
        if not flags.size:
            continue
        gap, drop = (
            float(seen.learned(point, seen.at(point, f"masking_{n}").sel(clip=seen.clip)).max())
            for n in ("gap", "drop")
        )
        signs = {name: float((flags & bit > 0).mean()) for name, bit in SIGNS.items()}
        rows.append(
            {"model": point.model, "training": point.training, "eps_train": point.eps_train, "n_train": point.n_train,
             "linear": view.linear(point.model), "runs": flags.size,
             "share": float((flags & view.MASKED > 0).mean()), "gap": gap, "drop": drop} | signs
        )  # fmt: skip
    return pd.DataFrame(rows)


def _point(row: pd.Series) -> Point:
    return Point(str(row["model"]), str(row["training"]), float(row["eps_train"]), int(row["n_train"]))


def _shares(axis: Axes, table: pd.DataFrame) -> None:
    """Share of masked runs over all models, by training and its eps; hollow: where the single step is weaker."""
    if table.empty:
        axis.text(0.5, 0.5, "not in this study", ha="center", va="center", transform=axis.transAxes, color="0.4")
        return
    trainings = list(dict.fromkeys(table["training"]))
    order = [t for t in (STANDARD, *NOISES) if t in trainings]
    for k, training in enumerate([*order, *(t for t in trainings if t not in order)]):
        part = table[table["training"] == training]
        share, weaker = (
            (part[name] * part["runs"]).groupby(part["eps_train"]).sum() / part.groupby("eps_train")["runs"].sum()
            for name in ("share", "below")
        )
        # side by side, since many shares are exactly 0 or 1
        nudge = 0.003 * (k - len(trainings) / 2)
        axis.plot(share.index.to_numpy() + nudge, share.to_numpy(), color=colour(training), marker="o", markersize=3.5,
                  linewidth=1)  # fmt: skip
        axis.plot(weaker.index.to_numpy() + nudge, weaker.to_numpy(), color=colour(training), **HOLLOW)


def _curves(axis: Axes, seen: View, point: Point) -> list[pd.DataFrame]:
    tables = []
    iterated = seen.curve(point, seen.roles.iterated)
    for attack, style in ((seen.roles.iterated, {}), (seen.roles.single, THIN)):
        curve = seen.curve(point, attack)
        if iterated.size:  # of the same runs
            curve = curve.sel(seed=np.intersect1d(curve["seed"], iterated["seed"]))
        table = band(axis, curve, "eps", colour(point.training), **style).assign(curve=attack)
        tables.append(table.assign(model=point.model, training=point.training, eps_train=point.eps_train))
    if point.eps_train > 0:
        axis.axvline(point.eps_train, color="0.6", linewidth=0.7, zorder=0)
    return tables
