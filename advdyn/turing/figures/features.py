"""Figure 4: features of an input, without and with the adversary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing.figures.common import (
    WIDTH,
    Drawn,
    absent,
    blank,
    columns_of,
    first_inputs,
    images_of,
    letters,
    scale_bar,
    shape_of,
    show,
)
from advdyn.turing.figures.filters import described, scaled

ROWS = (
    ("feature", r"features $u_j(T)\odot x$"),
    ("activation_initial", r"$\sigma(u_j(0)\cdot x)$"),
    ("activation_map", r"$\sigma(u_j(T)\cdot x)$"),
)


def features(pictures: xr.Dataset) -> Drawn:
    """The first input weighted by sixteen filters, and what all neurons make of it, at first and at the end."""
    inputs = first_inputs(pictures)
    columns = columns_of(pictures, inputs)
    if not columns or "feature" not in pictures:
        return absent("no network of this study is illustrated")
    width = min(1.68, (WIDTH - 0.5) / len(columns))
    figure = Figure(figsize=(0.5 + width * len(columns), 1.2 + 1.72 * width))
    axes = figure.subplots(len(ROWS), len(columns), squeeze=False, height_ratios=[1.9, 1, 1])
    rows: list[dict[str, object]] = []
    for line, (name, words) in zip(axes, ROWS, strict=True):
        for axis, (about, title, position) in zip(line, columns, strict=True):
            names = about | {"image": name}
            if name == "feature":
                found = _features(axis, pictures, inputs, position, names)
            else:
                found = _activations(axis, pictures, columns, position, names)
            if not found:
                blank(axis)
            rows += found
            if name == "feature":
                axis.set_title(title, fontsize="small")
            if position == columns[0][2]:
                axis.set_ylabel(words, fontsize="small")
    letters(axes[0])
    scale_bar(figure, axes[0])
    figure.suptitle(f"inputs: {inputs}", fontsize="medium")
    return figure, pd.DataFrame(rows)


Column = tuple[dict[str, str], str, int]


def _features(
    axis: Axes, pictures: xr.Dataset, inputs: str, position: int, names: dict[str, str]
) -> list[dict[str, object]]:
    images = images_of(pictures, names["image"], position)
    if images.size == 0:
        return []
    shape = shape_of(pictures, inputs, images.shape[1])
    scaled(axis, images, shape)
    return described(images, shape, names)


def _activations(
    axis: Axes, pictures: xr.Dataset, columns: list[Column], position: int, names: dict[str, str]
) -> list[dict[str, object]]:
    """All neurons as a block, in the order of their initial activation without the adversary: the same in every panel.

    Both runs of a net begin alike, so that what differs between their blocks is what training did.
    """
    values = _neurons(pictures, names["image"], position)
    if values.size == 0:
        return []
    same = [p for other, _, p in columns if all(other[k] == names[k] for k in ("net", "form"))]
    first = same[0]
    order = np.argsort(-_neurons(pictures, "activation_initial", first), kind="stable")
    shown = values[order] if len(order) == len(values) else values
    width = 2 * max(1, round((len(shown) / 2) ** 0.5))
    whole = np.full(-(-len(shown) // width) * width, np.nan)
    whole[: len(shown)] = shown
    alike = [_neurons(pictures, n, p) for n in ("activation_initial", "activation_map") for p in same]
    there = [v for v in alike if v.size]
    top = max((float(np.abs(v).max()) for v in there), default=1.0)  # one scale for a net
    signed = any(float(v.min()) < 0 for v in there)
    show(axis, whole.reshape(-1, width), top=top, **({} if signed else {"cmap": "Greys"}))
    axis.set_xlabel(f"±{top:.2g}" if signed else f"0 to {top:.2g}", fontsize="x-small", labelpad=2)
    for side in axis.spines.values():
        side.set(visible=True, color="0.8", linewidth=0.6)
    return [names | {"neuron": k, "activation": float(value)} for k, value in enumerate(values)]


def _neurons(pictures: xr.Dataset, name: str, position: int) -> np.ndarray:
    if name not in pictures:
        return np.empty(0)
    values = pictures[name].isel(picture=position).values.astype(float)
    return values[np.isfinite(values)]
