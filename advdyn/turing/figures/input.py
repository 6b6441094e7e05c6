"""Figure 2: the inputs on which features are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.turing import spatial
from advdyn.turing.figures.common import (
    DIVERGING,
    WIDTH,
    Drawn,
    absent,
    blank,
    colour_bar,
    letters,
    shape_of,
    show,
)

ROWS = (("input_image", "first training\nexample"), ("mean_image", "mean over the\ntraining examples"))
MOST = 5


def input(pictures: xr.Dataset) -> Drawn:
    """The first training example and the mean image of each data set, as the network is given them."""
    inputs = [str(v) for v in pictures["dataset"].values][:MOST] if "input_image" in pictures else []
    if not inputs:
        return absent("no input is illustrated in this study")
    figure = Figure(figsize=(WIDTH * min(1.0, (0.6 + 1.35 * len(inputs)) / WIDTH), 2.65))
    axes = figure.subplots(2, len(inputs), squeeze=False)
    rows = []
    for line, (name, words) in zip(axes, ROWS, strict=True):
        for axis, dataset in zip(line, inputs, strict=True):
            values = pictures[name].sel(dataset=dataset).values.astype(float) if name in pictures else np.empty(0)
            values = values[np.isfinite(values)]
            if values.size == 0:
                blank(axis)
                continue
            shape = shape_of(pictures, dataset, values.size)
            image = values.reshape(shape)
            cmap = DIVERGING if values.min() < 0 else "Greys"
            colour_bar(figure, show(axis, image, cmap=cmap), axis)
            if name == ROWS[0][0]:
                axis.set_title(dataset, fontsize="medium")
            if dataset == inputs[0]:
                axis.set_ylabel(words, fontsize="small")
            moran = float(spatial.moran(image)) if min(shape) > 1 else np.nan
            norm = float(np.sqrt((values**2).sum()))
            rows.append({"inputs": dataset, "image": name, "largest": float(np.abs(values).max()), "norm": norm,
                         "moran": moran})  # fmt: skip
    letters(axes[0])
    return figure, pd.DataFrame(rows)
