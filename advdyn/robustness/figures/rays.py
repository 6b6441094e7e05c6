"""Logits along the ray of the attack, with their tangents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advdyn.robustness.figures.common import (
    COLUMNS,
    EPS,
    PIXELS,
    WIDTH,
    Drawn,
    absent,
    gather,
    label_of,
    letters,
    run_order,
    run_words,
)

MOST = 8


def rays(illustrations: xr.Dataset) -> Drawn:
    """Logits of one test image along x + eps sign(gradient of the loss), and their tangents at 0.

    A panel for each run; black: the image's own class, colours: the others. Dashed: tangents, of the image's class and
    of the class that overtakes it.
    """
    if "ray_logits" not in illustrations or not bool(illustrations["ray_logits"].notnull().any()):
        return absent("logits along the ray are not in this study")
    finite = illustrations["ray_logits"].notnull().all(["example", "ray_eps", "class"])
    labels = _chosen([str(v) for v in illustrations["illustrated"].values[finite.values]])
    if not labels:
        return absent("logits along the ray are not in this study")
    example = _example(illustrations, labels)
    truth = int(illustrations["label"].values[example])
    classes = [int(c) for c in illustrations["class"].values]
    palette = sns.color_palette("husl", len(classes))
    columns = min(COLUMNS, len(labels))
    lines = -(-len(labels) // columns)
    figure = Figure(figsize=(max(WIDTH * columns / COLUMNS, 4.4), 0.9 + 2.1 * lines))
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True)
    rows: list[pd.DataFrame] = []
    for k, (axis, label) in enumerate(zip(axes.flat, labels, strict=False)):
        rows += _draw(axis, illustrations.sel(illustrated=label).isel(example=example), label, truth, palette)
        axis.set_title(run_words(label).replace(", ", "\n", 1), fontsize="x-small")
        if k >= len(labels) - columns:
            axis.tick_params(labelbottom=True)
            axis.set_xlabel(f"{EPS} ({PIXELS})", fontsize="small")
        if k % columns == 0:
            axis.set_ylabel("logit")
        axis.axvline(0, color="0.6", linewidth=0.7, zorder=0)
        sns.despine(ax=axis)
    for axis in axes.flat[len(labels) :]:
        axis.set_visible(False)
    letters(axes.flat[: len(labels)])
    handles = [
        Line2D([], [], color="black" if c == truth else palette[i], linewidth=1.8 if c == truth else 1,
               label=f"{c}" + (" (label)" if c == truth else ""))
        for i, c in enumerate(classes)
    ]  # fmt: skip
    handles.append(Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="tangent"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(6, len(handles)), title="class")
    return figure, gather(rows)


def _chosen(labels: list[str]) -> list[str]:
    """At most MOST runs: of each model standard training and the first adversarial one, then the others."""
    labels = sorted(labels, key=run_order)
    first: dict[tuple[str, bool], str] = {}
    for label in labels:
        model, training, _ = label_of(label)
        first.setdefault((model, training == "standard"), label)
    kept = {*[*first.values(), *(label for label in labels if label not in first.values())][:MOST]}
    return [label for label in labels if label in kept]


def _example(illustrations: xr.Dataset, labels: list[str]) -> int:
    """The first image that the attack overturns in most of the runs, right without it in all of them."""
    logits = illustrations["ray_logits"].sel(illustrated=labels)
    truth = illustrations["label"].values
    zero = int(np.abs(logits["ray_eps"].values).argmin())
    predicted = logits.transpose("illustrated", "example", "ray_eps", "class").values.argmax(-1)
    classes = illustrations["class"].values
    right = (classes[predicted[:, :, zero]] == truth).all(0)
    turned = (classes[predicted[:, :, -1]] != truth).sum(0)
    return int((turned + right * len(labels)).argmax())


def _draw(
    axis: Axes, run: xr.Dataset, label: str, truth: int, palette: Sequence[tuple[float, ...]]
) -> list[pd.DataFrame]:
    eps, classes = run["ray_eps"].values, run["class"].values
    logits = run["ray_logits"].transpose("ray_eps", "class").values
    zero = int(np.abs(eps).argmin())
    others = np.where(classes == truth, -np.inf, logits[-1])
    overtaking = int(others.argmax())
    rows = []
    for i, c in enumerate(classes):
        own = int(c) == truth
        shade = "black" if own else palette[i]
        axis.plot(eps, logits[:, i], color=shade, linewidth=1.8 if own else 1, zorder=3 if own else 2)
        tangent = logits[zero, i] + eps * float(run["ray_tangent"].values[i])
        if own or i == overtaking:
            axis.plot(eps, tangent, color=shade, linestyle="--", linewidth=0.9)
        rows.append(
            pd.DataFrame({"run": label, "label": truth, "class": int(c), "eps": eps, "logit": logits[:, i],
                          "tangent": tangent})
        )  # fmt: skip
    return rows
