"""First-layer weights with and without adversarial training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.robustness import view
from advdyn.robustness.figures.common import DIVERGING, WIDTH, Drawn, absent, label_of, picture, run_order

COLUMNS = 8
RUNS = 6


def filters(illustrations: xr.Dataset) -> Drawn:
    """The first-layer weights of largest norm as images, a row for each run, each row with its own scale."""
    if "filters" not in illustrations or not bool(illustrations["filters"].notnull().any()):
        return absent("no network of this study has a first layer over pixels")
    there = illustrations["filters"].notnull().any(["filter", "pixel"])
    labels = _chosen([str(v) for v in illustrations["illustrated"].values[there.values]])
    shape = view.shape_of(illustrations)
    figure = Figure(figsize=(WIDTH, 0.3 + 0.98 * len(labels)))
    axes = figure.subplots(len(labels), COLUMNS, squeeze=False)
    rows = []
    for line, label in zip(axes, labels, strict=True):
        weights = illustrations["filters"].sel(illustrated=label).dropna("filter", how="all").values
        top = float(np.abs(weights).max()) or 1.0
        for k, axis in enumerate(line):
            axis.set(xticks=[], yticks=[])
            if k >= len(weights):
                axis.set_visible(False)
                continue
            image = picture(weights[k], shape)
            if image.ndim == 2:
                drawn = axis.imshow(image, cmap=DIVERGING, vmin=-top, vmax=top, interpolation="nearest")
            else:
                axis.imshow(np.clip(0.5 + image / (2 * top), 0, 1), interpolation="nearest")
                drawn = None
            norms = {"l1": float(np.abs(weights[k]).sum()), "l2": float(np.sqrt((weights[k] ** 2).sum()))}
            # neighbouring pixels alike: strokes; unlike: noise
            rows.append({"run": label, "filter": k, "roughness": _roughness(image)} | norms | {"largest": top})
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=list(line), fraction=0.012, pad=0.01, ticks=[-top, 0, top])
            bar.ax.set_yticklabels([f"−{top:.2g}", "0", f"{top:.2g}"], fontsize="x-small")
        model, training, eps = label_of(label)
        name = view.training_name(training).replace(" (", "\n(")
        line[0].set_ylabel(f"{model}\n{name}" + (f" {eps:g}" if eps else ""), fontsize="x-small")
    return figure, pd.DataFrame(rows)


def _chosen(labels: list[str]) -> list[str]:
    """At most RUNS runs: of each model standard training and the first adversarial one, then the others."""
    labels = sorted(labels, key=run_order)
    first: dict[tuple[str, bool], str] = {}
    for label in labels:
        model, training, _ = label_of(label)
        first.setdefault((model, training == "standard"), label)
    kept = {*[*first.values(), *(label for label in labels if label not in first.values())][:RUNS]}
    return [label for label in labels if label in kept]


def _roughness(image: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels over twice the variance: 1 for noise, near 0 for strokes."""
    spread = float(image.var())
    if spread == 0:
        return np.nan
    steps = [((image[1:] - image[:-1]) ** 2).ravel(), ((image[:, 1:] - image[:, :-1]) ** 2).ravel()]
    return float(np.concatenate(steps).mean() / (2 * spread))
