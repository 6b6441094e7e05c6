"""How sure attacked networks are of their mistakes, and how small an attack suffices for each image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    DOTTED,
    EPS,
    L2,
    LINF,
    PIXELS,
    THIN,
    WIDTH,
    Drawn,
    absent,
    band,
    blank,
    chosen_models,
    colour,
    few,
    gather,
    letters,
    percent,
    rows_of,
    training_handles,
)
from advdyn.robustness.view import View

PANDA = 0.993  # "gibbon" in the paper of the slides' panda
TRAININGS = ("standard", "fgsm", "pgd")


def confidence(study: xr.Dataset) -> Drawn:
    """Mean confidence of mistakes against the size of the attack, and the distribution of the smallest size."""
    seen = view.of(study)
    models = few([m for m in seen.models if _sure(seen, m)])
    spread = _minimum(seen)
    if not models and spread.empty:
        return absent("the confidence of mistakes and the smallest attack are not in this study")
    figure = Figure(figsize=(WIDTH, 5.2 if len(seen.models) < 5 else 5.8))
    upper, lower = rows_of(figure, (1, 1.15))
    rows: list[pd.DataFrame] = []
    top = upper.subplots(1, max(1, len(models)), squeeze=False, sharey=True)[0]
    for axis, model in zip(top, models, strict=False):
        for training in TRAININGS:
            rows += _confident(axis, seen, model, training)
        axis.axhline(PANDA, color="0.5", linewidth=0.7)
        axis.set_title(model)
        axis.set_xlabel(f"{EPS} ({LINF}, {PIXELS})", fontsize="small")
        axis.set_xlim(left=0)
        percent(axis)
        sns.despine(ax=axis)
    if models:
        top[0].set_ylabel("confidence of mistakes")
    else:
        blank(top[0], "confidence of mistakes: not in this study")
    bottom = lower.subplots(1, 2, sharey=True)
    for axis, norm, name in zip(bottom, ("linf", "l2"), (LINF, L2), strict=True):
        _distances(axis, spread[spread["norm"] == norm])
        axis.set_xlabel(f"smallest attack that succeeds ({name}, {PIXELS})", fontsize="small")
    letters([*top, *bottom])
    present = [t for t in TRAININGS if t in seen.trainings]
    handles = training_handles(present)
    handles += [
        Line2D([], [], color="0.3", linewidth=1.4, label=seen.roles.iterated or "iterated"),
        Line2D([], [], color="0.3", label=seen.roles.single or "single step", **THIN),
        Line2D([], [], color="0.3", label="noise", **DOTTED),
        Line2D([], [], color="0.5", linewidth=0.7, label=f"{100 * PANDA:.1f} %, the panda"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure, gather([*rows, spread.assign(curve="smallest eps")])


def _sure(seen: View, model: str) -> bool:
    points = [seen.nearest(model, t, seen.reference) for t in TRAININGS]
    names = (seen.roles.iterated, seen.roles.single)
    return any(p is not None and seen.curve(p, a, "confidence").size for p in points for a in names)


def _confident(axis: Axes, seen: View, model: str, training: str) -> list[pd.DataFrame]:
    point = seen.nearest(model, training, seen.reference)
    if point is None:
        return []
    drawn = [(seen.roles.iterated, {}), (seen.roles.single, THIN), (seen.roles.noise, DOTTED)]
    return [
        band(axis, seen.curve(point, attack, "confidence"), "eps", colour(training), **line).assign(
            model=model, training=training, eps_train=point.eps_train, norm="linf", curve=f"confidence, {attack}"
        )
        for attack, line in drawn
    ]


def _minimum(seen: View) -> pd.DataFrame:
    """Quantiles over images of the smallest eps that succeeds, means over seeds."""
    rows = []
    for model in chosen_models(seen):
        for training in TRAININGS:
            point = seen.nearest(model, training, seen.reference)
            if point is None or "minimum_eps" not in seen.data:
                continue
            found = seen.at(point, "minimum_eps").dropna("seed", how="all")
            for norm in found["norm"].values if found.sizes["seed"] else ():
                mean = found.sel(norm=norm).mean("seed")
                if bool(mean.isnull().all()):
                    continue
                row = {f"quantile_{100 * float(q):g}": float(mean.sel(quantile=q)) for q in mean["quantile"]}
                rows.append(
                    {"model": model, "training": training, "eps_train": point.eps_train, "norm": str(norm),
                     "seeds": found.sizes["seed"]} | row
                )  # fmt: skip
    return pd.DataFrame(rows, columns=["model", "training", "norm"] if not rows else None)


def _distances(axis: Axes, table: pd.DataFrame) -> None:
    if table.empty:
        blank(axis)
        return
    quantiles = [c for c in table.columns if c.startswith("quantile_")]
    models = list(dict.fromkeys(table["model"]))
    trainings = [t for t in TRAININGS if t in set(table["training"])]
    finite = table[quantiles].to_numpy()
    largest = float(finite[np.isfinite(finite)].max(initial=0.0)) * 1.12 or 1.0
    for _, row in table.iterrows():
        y = models.index(row["model"]) + 0.24 * (trainings.index(row["training"]) - (len(trainings) - 1) / 2)
        # beyond the largest eps listed nothing succeeded: the line leaves the panel
        ends = [min(float(row[q]), 1.2 * largest) for q in quantiles]
        inner = ends[1:-1] if len(ends) >= 4 else ends
        axis.plot([ends[0], ends[-1]], [y, y], color=colour(row["training"]), linewidth=0.9)
        axis.plot([inner[0], inner[-1]], [y, y], color=colour(row["training"]), linewidth=3, solid_capstyle="butt")
        axis.plot(ends[len(ends) // 2], y, "o", color="white", markeredgecolor=colour(row["training"]), markersize=4)
    axis.set_yticks(range(len(models)), models)
    axis.set(xlim=(0, largest), ylim=(len(models) - 0.5, -0.5))
    sns.despine(ax=axis)
