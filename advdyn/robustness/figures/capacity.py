"""Capacity: errors with and without attack against the width and the depth of a network."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    EPS,
    EPS_TRAIN,
    WIDTH,
    Drawn,
    absent,
    bars,
    colour,
    gather,
    letters,
    numbers,
    percent,
    training_handles,
)
from advdyn.robustness.view import View

TRAININGS = ("standard", "fgsm", "pgd")
FORMS: dict[str, Any] = {"softmax": "--", "cnn": "-."}


def capacity(study: xr.Dataset) -> Drawn:
    """Clean error and error under attack at eps_reference against width (left) and depth (right).

    Colour the training, at the eps_train next to eps_reference. Dashed: softmax regression; dash-dotted: the
    convolutional network.
    """
    seen = view.of(study)
    width, depth = _series(seen)
    if not width and not depth:
        return absent("multi-layer networks are not in this study")
    columns = {"width": width} if len(depth) < 2 else {"width": width, "depth": depth}
    if len(width) < 2 <= len(depth):
        del columns["width"]
    figure = Figure(figsize=(WIDTH * (0.35 + 0.65 * (len(columns) > 1)) + 1.2 * (len(columns) < 2), 4.6))
    axes = figure.subplots(2, len(columns), squeeze=False, sharey="row", sharex="col")
    rows: list[pd.DataFrame] = []
    for column, (along, models) in zip(axes.T, columns.items(), strict=True):
        for axis, quantity in zip(column, ("clean", "bound"), strict=True):
            rows += _draw(axis, seen, models, along, quantity)
        first, last = min(models), max(models)
        if along == "width":
            column[1].set_xlim(first / 1.3, last * 1.3)
            layers = view.architecture(models[first])[2]
            column[1].set_xlabel(f"units in a hidden layer ({layers} hidden layer{'s' if layers > 1 else ''})")
        else:
            column[1].set_xlim(first - 0.15, last + 0.15)
            column[1].set_xlabel(f"hidden layers (of {view.architecture(models[first])[1]} units)")
    for axis, words in zip(axes[:, 0], ("error without attack", f"error at {EPS} = {seen.reference:g}"), strict=True):
        axis.set_ylabel(words)
    for axis in axes.flat:
        axis.set_ylim(bottom=0)
        percent(axis)
        sns.despine(ax=axis)
    letters(axes.flat)
    present = [t for t in TRAININGS if t in seen.trainings]
    handles = training_handles(present)
    for kind, style in FORMS.items():
        if any(view.architecture(m)[0] == kind for m in seen.models):
            handles.append(Line2D([], [], color="0.3", linestyle=style, linewidth=1, label=kind))
    title = f"{EPS_TRAIN} next to {seen.reference:g}" if len(present) > 1 else None
    columns_of_legend = 5 if len(columns) > 1 else 2
    figure.legend(handles=handles, loc="outside upper center", ncols=columns_of_legend, title=title)
    return figure, gather(rows)


def _series(seen: View) -> tuple[dict[int, str], dict[int, str]]:
    """The longest series of models by width at one depth, and by depth at one width."""
    found = {m: view.architecture(m) for m in seen.models}
    mlps = {m: a for m, a in found.items() if a[0] == "mlp" and seen.where(model=m, n_train=seen.n_train)}
    widths: dict[int, dict[int, str]] = {}
    depths: dict[int, dict[int, str]] = {}
    for model, (_, width, depth) in mlps.items():
        widths.setdefault(depth, {}).setdefault(width, model)
        depths.setdefault(width, {}).setdefault(depth, model)
    longest = max(widths.values(), key=len, default={}), max(depths.values(), key=len, default={})
    return dict(sorted(longest[0].items())), dict(sorted(longest[1].items()))


def _draw(axis: Axes, seen: View, models: dict[int, str], along: str, quantity: str) -> list[pd.DataFrame]:
    tables = []
    sizes = list(models)
    for k, training in enumerate(t for t in TRAININGS if t in seen.trainings):
        found = []
        for size, model in models.items():
            row = _number(seen, model, training, quantity)
            if row is not None:
                found.append({along: size, "model": model} | row)
        table = pd.DataFrame(found)
        if not table.empty:
            shift = 1.03 ** (k - 1) if along == "width" else 1.0
            axis.errorbar(table[along] * shift, table["mean"], yerr=bars(table), color=colour(training), marker="o",
                          markersize=3.5, linewidth=1.3, elinewidth=0.8)  # fmt: skip
            tables.append(table.assign(training=training, quantity=quantity))
        for kind, style in FORMS.items():
            model = next((m for m in seen.models if view.architecture(m)[0] == kind), "")
            row = _number(seen, model, training, quantity)
            if row is not None:
                axis.axhline(row["mean"], color=colour(training), linestyle=style, linewidth=1)
                tables.append(pd.DataFrame([{"model": model, "training": training, "quantity": quantity} | row]))
    if along == "width" and len(sizes) > 1:
        axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.xaxis.set_minor_locator(NullLocator())
    return tables


def _number(seen: View, model: str, training: str, quantity: str) -> dict[str, float] | None:
    point = seen.nearest(model, training, seen.reference)
    if point is None:
        return None
    values = seen.number(point, "clean_error") if quantity == "clean" else seen.bound_at(point, seen.reference)
    return {"eps_train": point.eps_train} | numbers(values) if values.size else None
