"""Robustness curves: error against the size of the attack."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.errors import InputError
from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    COLUMNS,
    DOTTED,
    EPS,
    EPS_TRAIN,
    L2,
    LINF,
    PIXELS,
    THIN,
    WIDTH,
    Drawn,
    band,
    chosen_models,
    colour,
    gather,
    letters,
    percent,
    training_handles,
)
from advdyn.robustness.view import View

UNITS = {"linf": f"size of the attack {EPS} ({LINF}, {PIXELS})", "l2": f"size of the attack {EPS} ({L2}, {PIXELS})"}


def curves(study: xr.Dataset) -> Drawn:
    """Best lower bound of the error under attack for each model (panel) and training (colour), l_inf and l2.

    Trainings at the eps_train next to eps_reference. Thin: FGSM as measured; dotted: noise.

    Raises
    ------
    InputError
        When no attack was made in the study.
    """
    seen = view.of(study)
    models = chosen_models(seen)
    norms = [
        str(norm) for norm in seen.data["norm"].values
        if any(_lines(seen, m, t, str(norm)) for m in models for t in seen.trainings)
    ]  # fmt: skip
    if not norms:
        raise InputError("the study robustness holds no attack: no curve to draw")
    lines = -(-len(models) // COLUMNS)
    columns = -(-len(models) // lines)  # rows of equal length
    figure = Figure(figsize=(WIDTH if columns > 2 else 4.6, 0.9 + 1.75 * lines * len(norms)))
    axes = figure.subplots(lines * len(norms), columns, squeeze=False, sharey=True)
    rows: list[pd.DataFrame] = []
    drawn: list[Axes] = []
    for i, norm in enumerate(norms):
        block = axes[i * lines : (i + 1) * lines].flat
        for k, (model, axis) in enumerate(zip(models, block, strict=False)):
            drawn.append(axis)
            for training in seen.trainings:
                rows += _draw(axis, seen, model, training, norm)
            axis.set_title(model)
            axis.set(ylim=(0, 1.02))
            axis.set_xlim(left=0)
            if norm == "linf":
                axis.axvline(seen.reference, color="0.6", linewidth=0.7, zorder=0)
            axis.set_xlabel(UNITS[norm] if columns < 2 else f"{EPS} ({LINF if norm == 'linf' else L2}, {PIXELS})",
                            fontsize="small")  # fmt: skip
            if k % columns == 0:
                axis.set_ylabel("test error")
            percent(axis)
            sns.despine(ax=axis)
        for axis in block[len(models) :]:
            axis.set_visible(False)
    letters(drawn)
    present = [t for t in seen.trainings if any(seen.nearest(m, t, seen.reference) for m in models)]
    handles = training_handles(present)
    handles += [
        Line2D([], [], color="0.3", linewidth=1.4, label="best lower bound"),
        Line2D([], [], color="0.3", label="FGSM", **THIN),
        Line2D([], [], color="0.3", label="noise", **DOTTED),
        Line2D([], [], color="0.6", linewidth=0.7, label=f"{EPS} = {EPS_TRAIN}"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4 if columns > 2 else 2)
    return figure, gather(rows)


def _lines(seen: View, model: str, training: str, norm: str) -> bool:
    point = seen.nearest(model, training, seen.reference)
    single = seen.roles.of(norm)[0]
    return point is not None and bool(seen.bound(point, norm).size or seen.curve(point, single).size)


def _draw(axis: Axes, seen: View, model: str, training: str, norm: str) -> list[pd.DataFrame]:
    point = seen.nearest(model, training, seen.reference)
    if point is None:
        return []
    single, _, noise = seen.roles.of(norm)
    drawn = [("best lower bound", seen.bound(point, norm), {}), (single or "", seen.curve(point, single), THIN)]
    if not point.adversarial:  # noise does the same to all: one line of it is enough to see that
        drawn.append((noise or "", seen.curve(point, noise), DOTTED))
    rows = []
    for name, curve, line in drawn:
        table = band(axis, curve, "eps", colour(training), **line)
        table = table.assign(model=model, training=training, eps_train=point.eps_train, norm=norm)
        rows.append(table.assign(curve=name))
    return rows
