"""Figure 3: filters of the hidden layer, without and with the adversary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import spatial
from advdyn.turing.figures.common import (
    WIDTH,
    Drawn,
    absent,
    blank,
    columns_of,
    first_inputs,
    images_of,
    letters,
    mosaic,
    scale_bar,
    shape_of,
    show,
)

ROWS = (
    ("filter_initial", "initial $u_j(0)$"),
    ("filter", "final $u_j(T)$"),
    ("filter_change", "change\n$u_j(T)-u_j(0)$"),
)


def filters(pictures: xr.Dataset) -> Drawn:
    """Sixteen filters of both nets without and with the adversary, and with raw inputs: initial, final, change."""
    inputs = first_inputs(pictures)
    columns = columns_of(pictures, inputs)
    if not columns or "filter" not in pictures:
        return absent("no network of this study is illustrated")
    width = min(1.68, (WIDTH - 0.5) / len(columns))
    figure = Figure(figsize=(0.5 + width * len(columns), 0.75 + len(ROWS) * 0.93 * width))
    axes = figure.subplots(len(ROWS), len(columns), squeeze=False)
    rows = []
    for line, (name, words) in zip(axes, ROWS, strict=True):
        for axis, (names, title, position) in zip(line, columns, strict=True):
            images = images_of(pictures, name, position)
            if images.size == 0:
                blank(axis)
                continue
            shape = shape_of(pictures, inputs, images.shape[1])
            scaled(axis, images, shape)
            rows += described(images, shape, names | {"image": name})
            if name == ROWS[0][0]:
                axis.set_title(title, fontsize="small")
            if position == columns[0][2]:
                axis.set_ylabel(words, fontsize="small")
    letters(axes[0])
    scale_bar(figure, axes, 0.35)
    figure.suptitle(f"inputs: {inputs}", fontsize="medium")
    return figure, pd.DataFrame(rows)


def scaled(axis: Axes, images: np.ndarray, shape: tuple[int, int]) -> None:
    """A block of images on a scale of its own, which is written below it."""
    top = float(np.abs(images).max())
    show(axis, mosaic(images, shape), top=top or None)
    axis.set_xlabel(f"±{top:.2g}", fontsize="x-small", labelpad=2)


def described(images: np.ndarray, shape: tuple[int, int], names: dict[str, str]) -> list[dict[str, object]]:
    """Norm, largest value and Moran's I of each image."""
    two = min(shape) > 1
    return [
        names
        | {"neuron": k, "norm": float(np.sqrt((image**2).sum())), "largest": float(np.abs(image).max()),
           "moran": float(spatial.moran(image.reshape(shape))) if two else np.nan}
        for k, image in enumerate(images)
    ]  # fmt: skip
