"""How linear networks are, and how steep: the margin against its tangent, and norms of its input gradient."""

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
    EPS,
    LINF,
    PIXELS,
    WIDTH,
    Drawn,
    absent,
    band,
    bars,
    blank,
    chosen_models,
    colour,
    few,
    gather,
    letters,
    numbers,
    rows_of,
    training_handles,
)
from advdyn.robustness.view import View

TRAININGS = ("standard", "fgsm", "pgd", "sign-noise", "uniform-noise")
LINES = ("standard", "fgsm", "pgd")
PLACES = {"train": "training images", "test": "test images", "far": "uniform noise (far)"}
NEAR = 0.1  # of the tangent


def linearity(study: xr.Dataset) -> Drawn:
    """Fall of the margin over that of its tangent against eps, and mean |g|_1 of its gradient near and far.

    A vertical line of a training's colour: the eps at which half of its images are broken.
    """
    seen = view.of(study)
    models = few([m for m in seen.models if _ratios(seen, m)])
    steep = _norms(seen)
    if not models and steep.empty:
        return absent("linearity and gradients are not in this study")
    figure = Figure(figsize=(WIDTH, 5.4))
    upper, lower = rows_of(figure, (1, 1.1))
    top = upper.subplots(1, max(1, len(models)), squeeze=False, sharey=True)[0]
    rows: list[pd.DataFrame] = []
    for axis, model in zip(top, models, strict=False):
        rows += _draw_ratios(axis, seen, model)
        axis.axhspan(1 - NEAR, 1 + NEAR, color="0.9", zorder=0, linewidth=0)
        axis.axhline(1, color="0.5", linewidth=0.7, zorder=0)
        axis.set_title(model)
        axis.set_xlabel(f"{EPS} ({LINF}, {PIXELS})", fontsize="small")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
        sns.despine(ax=axis)
    if models:
        top[0].set_ylabel("fall of the margin\nover that of its tangent")
    else:
        blank(top[0], "linearity: not in this study")
    bottom = lower.subplots(1, len(PLACES), sharey=True)
    for axis, (place, words) in zip(bottom, PLACES.items(), strict=True):
        _draw_norms(axis, steep[steep["where"] == place])
        axis.set_title(words)
    if not steep.empty:
        bottom[0].set_ylim(0, 1.08 * float(steep[["mean", "high"]].max().max()))
    bottom[0].set_ylabel("mean $|g|_1$ of the margin\n(per pixel range)")
    letters([*top, *bottom])
    handles = training_handles([t for t in TRAININGS if t in seen.trainings])
    handles += [
        Line2D([], [], color="0.3", linewidth=0.8, linestyle=":", label="half of the images broken"),
        Line2D([], [], color="0.9", linewidth=6, label="within 10 % of the tangent"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure, gather([*rows, steep.assign(curve="gradient_l1") if not steep.empty else steep])


def _ratio(seen: View, model: str, training: str) -> xr.DataArray | None:
    point = seen.nearest(model, training, seen.reference)
    if point is None or "linearity" not in seen.data:
        return None
    found = seen.at(point, "linearity").dropna("eps", how="all").dropna("seed", how="all")
    return found if found.size else None


def _ratios(seen: View, model: str) -> bool:
    return any(_ratio(seen, model, t) is not None for t in LINES)


def _draw_ratios(axis: Axes, seen: View, model: str) -> list[pd.DataFrame]:
    tables = []
    for training in LINES:
        curve = _ratio(seen, model, training)
        point = seen.nearest(model, training, seen.reference)
        if curve is None or point is None:
            continue
        broken = view.crossing(seen.bound(point), 0.5)
        if np.isfinite(broken):
            axis.axvline(broken, color=colour(training), linewidth=0.8, linestyle=":")
        table = band(axis, curve, "eps", colour(training))
        table = table.assign(model=model, training=training, eps_train=point.eps_train)
        tables.append(table.assign(half_broken_at=broken, curve="linearity"))
    return tables


def _norms(seen: View) -> pd.DataFrame:
    rows = []
    for model in chosen_models(seen):
        for training in TRAININGS:
            point = seen.nearest(model, training, seen.reference)
            if point is None or "gradient_l1" not in seen.data:
                continue
            for place in PLACES:
                values, other = (seen.number(point, f"gradient_{n}", where=place) for n in ("l1", "l2"))
                if values.size:
                    l2 = float(other.mean()) if other.size else np.nan
                    where = {"model": model, "training": training, "eps_train": point.eps_train, "where": place}
                    rows.append(where | numbers(values) | {"mean_l2": l2})
    return pd.DataFrame(rows, columns=["where"] if not rows else None)


def _draw_norms(axis: Axes, table: pd.DataFrame) -> None:
    if table.empty:
        blank(axis)
        return
    models = list(dict.fromkeys(table["model"]))
    trainings = [t for t in TRAININGS if t in set(table["training"])]
    for k, training in enumerate(trainings):
        part = table[table["training"] == training]
        x = [models.index(m) + 0.15 * (k - (len(trainings) - 1) / 2) for m in part["model"]]
        axis.errorbar(x, part["mean"], yerr=bars(part), fmt="o", markersize=3.5, color=colour(training), elinewidth=1)
    axis.set_xticks(range(len(models)), models, rotation=45, ha="right", rotation_mode="anchor", fontsize="small")
    sns.despine(ax=axis)
