"""Samples beside their nearest training images, and how far that is, next to fresh real images and to copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure

from advdyn.generation import view
from advdyn.generation.figures.common import (
    SAMPLES,
    WIDTH,
    Drawn,
    absent,
    bars,
    colour,
    images,
    mark,
    numbers,
    shown_seed,
    strip,
)
from advdyn.generation.view import SOURCES

COLUMNS = 8
PAIRS = 16
# inches
LABEL = 0.75
HEADING = 0.32
SIDE = 0.52
SPACE = 0.03
NUMBER = 0.16
GAP = 0.12
BAR_LEFT = 5.75  # where the panel beside the pictures begins, with room for its labels
BOTTOM = 0.48


def nearest(study: xr.Dataset) -> Drawn:
    """Left: samples at the last kept epoch above the training images nearest to them, with their distance.

    Right: mean distance to the nearest training image, of the samples and of the references.
    """
    seen = view.of(study)
    cell = seen.reference
    near, made = seen.at(cell, "nearest_image"), seen.kept_at(cell, "sample", seen.last(cell))
    if "shown_nearest" not in near.dims or "shown" not in made.dims:
        return absent("nearest training images are not in this study")
    seed, words = shown_seed(seen, cell)
    near = near.sel(seed=seed).transpose("shown_nearest", "pixel")
    if seed not in made["seed"].values or not bool(near.notnull().any()):
        return absent("the samples of this study diverged: none has a nearest training image")
    made = made.sel(seed=seed).transpose("shown", "pixel")
    apart = seen.at(cell, "nearest_distance")
    known = "shown_nearest" in apart.dims
    far = apart.sel(seed=seed).values if known else np.full(near.sizes["shown_nearest"], np.nan)
    n = min(PAIRS, near.sizes["shown_nearest"], made.sizes["shown"])
    blocks = -(-n // COLUMNS)
    block = 2 * SIDE + NUMBER + GAP
    height = HEADING + max(blocks * block, 2.0) + 0.1 + mark(study)
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("none")  # images of one size stand where they are put, to the last digit
    title = f"nearest training images at epoch {seen.last(cell):g}; {images(seen, cell)}; {words}"
    figure.text(0.01, 1 - 0.06 / height, title, ha="left", va="top")
    shape = seen.shape()
    for start in range(0, n, COLUMNS):
        top, stop = HEADING + start // COLUMNS * block, min(start + COLUMNS, n)
        for k, (name, pictures) in enumerate((("sample", made.values), ("nearest", near.values))):
            bottom = 1 - (top + (k + 1) * SIDE - SPACE) / height
            size = (COLUMNS * SIDE - SPACE) / WIDTH, (SIDE - SPACE) / height
            strip(figure.add_axes((LABEL / WIDTH, bottom, *size)), pictures[start:stop], shape, COLUMNS)
            figure.text((LABEL - 0.07) / WIDTH, 1 - (top + (k + 0.5) * SIDE) / height, name, ha="right", va="center",
                        fontsize="small")  # fmt: skip
        for i in range(start, stop):
            left = LABEL + (i - start + 0.5) * SIDE - SPACE / 2
            figure.text(left / WIDTH, 1 - (top + 2 * SIDE) / height, f"{far[i]:.1f}" if np.isfinite(far[i]) else "",
                        ha="center", va="top", fontsize="x-small", color="0.3")  # fmt: skip
    pairs = pd.DataFrame({"of": "pair", "shown": np.arange(n), "mean": far[:n], "seed": float(seed)})
    table = _distances(figure, seen, height, BOTTOM + mark(study))
    return figure, pd.concat([pairs, table], ignore_index=True)


def _distances(figure: Figure, seen: view.View, height: float, bottom: float) -> pd.DataFrame:
    """Bars of the mean distances, on the right."""
    found = {SAMPLES: seen.end(seen.reference, "nearest")} | {s: seen.of_source(s, "nearest") for s in SOURCES}
    rows = [{"of": kind} | numbers(values) for kind, values in found.items() if values.size]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    width, tall = WIDTH - BAR_LEFT - 0.1, height - HEADING - bottom - 0.05
    axis = figure.add_axes((BAR_LEFT / WIDTH, bottom / height, width / WIDTH, tall / height))
    place = np.arange(len(table))
    axis.barh(place, table["mean"], xerr=bars(table), color=[colour(kind) for kind in table["of"]], height=0.7,
              error_kw={"elinewidth": 0.9})  # fmt: skip
    short = {"copies": "copies", "real": "real", "gaussian": "Gaussian", "noise": "noise"}
    axis.set_yticks(place, [short.get(kind, kind) for kind in table["of"]])
    axis.set_ylim(max(len(table), 3) - 0.5, -0.5)
    axis.set_xlabel(r"$\ell_2$ distance (mean)")
    sns.despine(ax=axis)
    table["of"] = [SOURCES.get(kind, kind) for kind in table["of"]]
    return table
