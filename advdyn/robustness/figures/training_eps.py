"""Error against the size of the attack in training."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    COLUMNS,
    EPS,
    EPS_TRAIN,
    PIXELS,
    THIN,
    WIDTH,
    Drawn,
    absent,
    bars,
    colour,
    few,
    gather,
    letters,
    numbers,
    percent,
    training_handles,
)
from advdyn.robustness.view import STANDARD, Point, View


def training_eps(study: xr.Dataset) -> Drawn:
    """Error without attack, under attack at eps_reference, and under attack at eps_train itself, against eps_train.

    A column for each model, colour the training; every line starts at standard training. Thin: FGSM.
    """
    seen = view.of(study)
    models = [
        m for m in seen.models
        if any(p.eps_train > 0 for p in seen.where(model=m, n_train=seen.n_train))
    ]  # fmt: skip
    if not models:
        return absent("training under attack is not in this study")
    swept = [m for m in models if any(len(_line(seen, m, t)) > 2 for t in seen.trainings)] or models
    swept = few(swept)
    figure = Figure(figsize=(max(WIDTH * len(swept) / COLUMNS, 4.4), 6.4))
    axes = figure.subplots(3, len(swept), squeeze=False, sharex=True, sharey="row")
    rows = []
    for column, model in zip(axes.T, swept, strict=True):
        for training in seen.trainings:
            line = _line(seen, model, training)
            if training != STANDARD and len(line) > (STANDARD in {p.training for p in line}):
                rows += _draw(column, seen, line, training)
        column[0].set_title(model)
        column[-1].set_xlabel(f"{EPS_TRAIN} ({PIXELS})", fontsize="small")
    ylabels = ("error without attack", f"error at {EPS} = {seen.reference:g}", f"error at {EPS} = {EPS_TRAIN}")
    for row, label in zip(axes, ylabels, strict=True):
        row[0].set_ylabel(label)
        for axis in row:
            percent(axis)
            axis.set_ylim(bottom=0)
            sns.despine(ax=axis)
    for axis in axes[1]:
        axis.axvline(seen.reference, color="0.6", linewidth=0.7, zorder=0)
    letters(axes.flat)
    handles = training_handles([t for t in seen.trainings if t != STANDARD])
    handles += [
        Line2D([], [], color="0.3", linewidth=1.3, marker="o", markersize=3, label="best lower bound"),
        Line2D([], [], color="0.3", label="FGSM", **THIN),
        Line2D([], [], color="0.6", linewidth=0.7, label=f"{EPS} = {EPS_TRAIN}"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4 if len(swept) > 1 else 2)
    return figure, gather(rows)


def _line(seen: View, model: str, training: str) -> list[Point]:
    """The points of a training by eps_train, with standard training in front where there is any."""
    standard = seen.where(model=model, training=STANDARD, n_train=seen.n_train)[:1]
    trained = sorted(seen.where(model=model, training=training, n_train=seen.n_train), key=lambda p: p.eps_train)
    return standard + [p for p in trained if p.training != STANDARD]


def _draw(axes: list[Axes], seen: View, line: list[Point], training: str) -> list[pd.DataFrame]:
    tables = []
    single = seen.roles.single
    for k, axis in enumerate(axes):
        for name, style in (("best lower bound", None), ("FGSM", THIN)):
            if k == 0 and style is not None:
                continue
            found = []
            for point in line:
                eps = seen.reference if k == 1 else point.eps_train
                if k == 0:
                    values = seen.number(point, "clean_error")
                elif point.eps_train == 0 and k == 2:
                    continue  # an attack of size 0
                else:
                    values = seen.bound_at(point, eps) if style is None else seen.error_at(point, single, eps)
                if values.size:
                    found.append({"eps_train": point.eps_train, "eps": 0.0 if k == 0 else eps} | numbers(values))
            table = pd.DataFrame(found)
            if table.empty:
                continue
            if style is None:
                axis.errorbar(table["eps_train"], table["mean"], yerr=bars(table), color=colour(training),
                              linewidth=1.3, marker="o", markersize=3, elinewidth=0.8)  # fmt: skip
            else:
                axis.plot(table["eps_train"], table["mean"], color=colour(training), **style)
            curve = "clean error" if k == 0 else name
            tables.append(table.assign(model=line[-1].model, training=training, curve=curve))
    return tables
