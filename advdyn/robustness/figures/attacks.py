"""Every attack on every model: raw curves, the best lower bound with and without clipping, and the exact worst case."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.figures import CATEGORICAL
from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    EPS,
    L2,
    LINF,
    PIXELS,
    WIDTH,
    Drawn,
    absent,
    band,
    chosen_models,
    few,
    gather,
    letters,
    percent,
)
from advdyn.robustness.view import Point, View

BOUND: dict[str, Any] = {"linewidth": 1.8}
UNCLIPPED: dict[str, Any] = {"linewidth": 1.1, "linestyle": "--"}
EXACT: dict[str, Any] = {"linewidth": 1.1, "linestyle": ":"}
RAW: dict[str, Any] = {"linewidth": 1.0}
DEFENCES = ("pgd", "fgsm", "fgsm-minmax")  # the first of them that a model has is drawn


def attacks(study: xr.Dataset) -> Drawn:
    """Error under every attack of the table (colour), a row for each norm and training, a panel for each model.

    Standard training, and one adversarial training at the eps_train next to eps_reference. Black: best lower bound,
    clipped to the pixel range and (dashed) not; dotted: exact worst case of linear models.
    """
    seen = view.of(study)
    models = few(chosen_models(seen))
    lines = [
        (norm, kind, [_point(seen, model, kind) for model in models])
        for norm in ("linf", "l2") if _members(seen, norm)
        for kind in ("standard", "defended")
    ]  # fmt: skip
    lines = [line for line in lines if any(line[2])]
    if not lines:
        return absent("no attack was made in this study")
    names = [name for norm in ("linf", "l2") for name in _members(seen, norm)]
    palette = dict(zip(names, sns.color_palette(CATEGORICAL, len(names)), strict=True))
    figure = Figure(figsize=(WIDTH if len(models) > 2 else 4.6, 1.3 + 1.75 * len(lines)))
    axes = figure.subplots(len(lines), len(models), squeeze=False, sharey=True)
    rows: list[pd.DataFrame] = []
    drawn: list[Axes] = []
    for line, (norm, _, points) in zip(axes, lines, strict=True):
        for axis, model, point in zip(line, models, points, strict=True):
            if point is None:
                axis.set_visible(False)
                continue
            drawn.append(axis)
            for table in _draw(axis, seen, point, norm, palette):
                rows.append(table.assign(model=model, training=point.training, eps_train=point.eps_train, norm=norm))
            axis.set_title(f"{model}\n{point.words(model=False)}", fontsize="small")
            axis.set(ylim=(0, 1.02))
            axis.set_xlim(left=0)
            axis.set_xlabel(f"{EPS} ({LINF if norm == 'linf' else L2}, {PIXELS})", fontsize="small")
            if not any(other.get_ylabel() for other in line):
                axis.set_ylabel("test error")
            percent(axis)
            sns.despine(ax=axis)
    letters(drawn)
    handles = [Line2D([], [], color=palette[name], label=name, **RAW) for name in names]
    handles += [
        Line2D([], [], color="k", label="best lower bound", **BOUND),
        Line2D([], [], color="k", label="the same, not clipped", **UNCLIPPED),
        Line2D([], [], color="k", label="exact (linear models)", **EXACT),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4 if len(models) > 2 else 2)
    return figure, gather(rows)


def _members(seen: View, norm: str) -> list[str]:
    """The attacks of a norm."""
    return [name for name in seen.attacks if seen.attack(name)["norm"] == norm]


def _point(seen: View, model: str, kind: str) -> Point | None:
    trainings = ("standard",) if kind == "standard" else DEFENCES
    found = (seen.nearest(model, training, seen.reference) for training in trainings)
    return next((point for point in found if point is not None), None)


def _draw(
    axis: Axes, seen: View, point: Point, norm: str, palette: dict[str, tuple[float, float, float]]
) -> list[pd.DataFrame]:
    rows = []
    for name in _members(seen, norm):
        rows.append(band(axis, seen.curve(point, name), "eps", palette[name], **RAW).assign(curve=name))
    clips = [bool(value) for value in seen.data["clip"].values]
    for clip, style, words in ((True, BOUND, "best lower bound"), (False, UNCLIPPED, "best lower bound, not clipped")):
        if clip in clips:
            rows.append(band(axis, seen.bound(point, norm, clip), "eps", "k", **style).assign(curve=words))
    exact = seen.at(point, "worst_case")
    if "norm" in exact.dims and bool(seen.clip) in clips:
        exact = exact.sel(norm=norm, clip=seen.clip).dropna("eps", how="all").dropna("seed", how="all")
        exact = exact.transpose("seed", "eps").reset_coords(drop=True)
        rows.append(band(axis, exact, "eps", "k", **EXACT).assign(curve="exact worst case"))
    return rows
