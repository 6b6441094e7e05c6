"""Figures 7 and 8: filters and neurons on synthetic data, without and with the adversary."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.turing.figures.common import (
    NETS,
    WIDTH,
    WORDS,
    Drawn,
    about,
    absent,
    blank,
    colour_bar,
    images_of,
    letters,
    mosaic,
    shape_of,
    show,
    synthetic,
)
from advdyn.turing.figures.filters import ROWS, described
from advdyn.turing.figures.symmetry import cloud, distance_bar

CLOUDS = (("pca", "initial", "PCA, initial"), ("pca", "final", "PCA, final"), ("embedding", "final", "t-SNE, final"))
MOST = 4


def synthetic_without(pictures: xr.Dataset) -> Drawn:
    """Filters and clouds of neurons trained on synthetic data by supervision alone."""
    return _drawn(pictures, "without")


def synthetic_with(pictures: xr.Dataset) -> Drawn:
    """Filters and clouds of neurons trained on synthetic data with the adversary."""
    return _drawn(pictures, "with")


def _drawn(pictures: xr.Dataset, adversary: str) -> Drawn:
    found = [
        (row["inputs"], row.get("net", ""), k)
        for k, row in enumerate(about(pictures))
        if row.get("adversary") == adversary and synthetic(pictures, row["inputs"])
    ][:MOST]
    if not found or "filter" not in pictures:
        return absent(f"no network trained on synthetic data {WORDS[adversary]} is in this study")
    figure = Figure(figsize=(WIDTH, 0.75 + 1.12 * len(found)))
    axes = figure.subplots(len(found), len(ROWS) + len(CLOUDS), squeeze=False)
    rows: list[dict[str, object]] = []
    points: Any = None
    for line, (inputs, net, position) in zip(axes, found, strict=True):
        names = {"inputs": inputs, "net": net, "adversary": adversary}
        for axis, (name, _) in zip(line, ROWS, strict=False):
            images = images_of(pictures, name, position)
            if images.size == 0:
                blank(axis)
                continue
            shape = shape_of(pictures, inputs, images.shape[1])
            colour_bar(figure, show(axis, mosaic(images, shape)), axis)
            rows += described(images, shape, names | {"image": name})
        for axis, (method, stage, _) in zip(line[len(ROWS) :], CLOUDS, strict=True):
            made, table = cloud(axis, pictures, method, "", position, stage)
            points = made if made is not None else points
            rows += [names | row for row in table]
        line[0].set_ylabel(f"{inputs}\n{NETS.get(net, net)}", fontsize="small")
    for axis, words in zip(axes[0], [w for _, w in ROWS] + [w for *_, w in CLOUDS], strict=True):
        ratio = axis.get_title()
        axis.set_title(f"{words}\n{ratio}".rstrip(), fontsize="small")
    letters(axes[0])
    distance_bar(figure, points, axes[:, len(ROWS) :])
    figure.suptitle(f"synthetic inputs, {WORDS[adversary]}", fontsize="medium")
    return figure, pd.DataFrame(rows)
