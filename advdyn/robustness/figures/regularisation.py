"""Adversarial training as a regulariser: its change of the clean error, beside noise of the same size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.intervals import paired
from advdyn.robustness import view
from advdyn.robustness.figures.common import (
    EPS_TRAIN,
    WIDTH,
    Drawn,
    absent,
    bars,
    colour,
    gather,
    letters,
    numbers,
    training_handles,
)
from advdyn.robustness.view import NOISES, STANDARD, View

TRAININGS = ("fgsm", *NOISES)
MARKERS = {"fgsm": "o", "sign-noise": "s", "uniform-noise": "^"}
COLUMNS = 3  # titles are long
MOST = 6


def regularisation(study: xr.Dataset) -> Drawn:
    """Clean error less that of standard training, paired by seed, against the number of training images.

    A panel for each model and eps_train (those with a noise control first); 95 % t-intervals over seeds.
    """
    seen = view.of(study)
    panels = _panels(seen)
    if not panels:
        return absent("adversarial training beside standard training is not in this study")
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(max(WIDTH * columns / COLUMNS, 4.2), 0.7 + 2.0 * lines))
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
    counts = sorted({p.n_train for p in seen.points})
    rows = []
    for axis, (model, eps) in zip(axes.flat, panels, strict=False):
        rows += _draw(axis, seen, model, eps, counts)
        axis.axhline(0, color="0.4", linewidth=0.8, zorder=0)
        axis.set_title(f"{model}, {EPS_TRAIN} = {eps:g}")
        axis.set_xlabel("training images")
        axis.set_xticks(range(len(counts)), [f"{n:,}" for n in counts])
        axis.set_xlim(-0.5, len(counts) - 0.5)
        sns.despine(ax=axis)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("clean error less standard\n(percentage points)")
    letters(axes.flat[: len(panels)])
    handles = training_handles([t for t in TRAININGS if t in seen.trainings])
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure, gather(rows)


def _panels(seen: View) -> list[tuple[str, float]]:
    """Models and sizes with FGSM and standard training: most numbers of images and controls first, at most MOST."""
    found: dict[tuple[str, float], int] = {}
    for point in seen.where(training=TRAININGS):
        if seen.where(model=point.model, training=STANDARD, n_train=point.n_train):
            key = point.model, point.eps_train
            found[key] = found.get(key, 0) + 1
    kept = [key for key in found if seen.where(model=key[0], eps_train=key[1], training="fgsm")]
    best = max((found[key] for key in kept), default=0)
    # a lone point says little where other panels have several numbers of images and the controls
    kept = [key for key in kept if 2 * found[key] >= best]
    order = sorted(kept, key=lambda k: (-found[k], k[1], seen.models.index(k[0])))[:MOST]
    return sorted(order, key=lambda k: (seen.models.index(k[0]), k[1]))


def _draw(axis: Axes, seen: View, model: str, eps: float, counts: list[int]) -> list[pd.DataFrame]:
    tables = []
    for k, training in enumerate(TRAININGS):
        found = []
        for point in seen.where(model=model, training=training, eps_train=eps):
            standard = seen.where(model=model, training=STANDARD, n_train=point.n_train)
            if not standard:
                continue
            values = paired(*(seen.number(p, "clean_error") for p in (point, standard[0])))
            if values.size:
                found.append({"n_train": point.n_train} | numbers(100 * values))
        if not found:
            continue
        table = pd.DataFrame(found).sort_values("n_train")
        x = np.array([counts.index(n) for n in table["n_train"]]) + 0.14 * (k - 1)
        axis.errorbar(x, table["mean"], yerr=bars(table), color=colour(training), marker=MARKERS[training],
                      markersize=4, linewidth=1, elinewidth=1)  # fmt: skip
        tables.append(table.assign(model=model, training=training, eps_train=eps, unit="percentage points"))
    return tables
