"""Samples of the same latent vectors at every kept epoch, above real images, the fitted Gaussian and noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.generation import view
from advdyn.generation.figures.common import WIDTH, Drawn, absent, diverged_at, images, mark, shown_seed, strip
from advdyn.generation.view import SOURCES

COLUMNS = 14
MOST_EPOCHS = 10
ROWS = ("real", "gaussian", "noise")
# inches
LABEL = 1.0
HEADING = 0.3
LARGEST = 0.6
SPACE = 0.03
GAP = 0.12


def samples(study: xr.Dataset) -> Drawn:
    """Rows: kept epochs; columns: latent vectors, the same in every row. Below: the references, for comparison."""
    seen = view.of(study)
    cell = seen.reference
    made = seen.at(cell, "sample")
    if "kept" not in made.dims:
        return absent("no generator of this study was kept")
    seed, words = shown_seed(seen, cell)
    made = made.sel(seed=seed).transpose("kept", "shown", "pixel")
    kept = [epoch for epoch in seen.kept if epoch <= seen.last(cell)]
    chosen = [
        kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, min(MOST_EPOCHS, len(kept))).round().astype(int))
    ]
    rows = [(f"epoch {epoch:g}", float(epoch), made.sel(kept=epoch).values) for epoch in chosen]
    for source in ROWS:
        found = seen.of_source(source, "sample")
        if "pixel" in found.dims:
            rows.append((SOURCES[source], np.nan, found.transpose("shown_reference", "pixel").values))
    columns = min(COLUMNS, made.sizes["shown"])
    side = min((WIDTH - LABEL) / columns, LARGEST)
    height = HEADING + len(rows) * side + GAP * (len(rows) > len(chosen)) + 0.05 + mark(study)
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine("none")  # images of one size stand where they are put, to the last digit
    title = f"samples of the same latent vectors; {images(seen, cell)}; {words}"
    figure.text(0.01, 1 - 0.06 / height, title, ha="left", va="top")
    shape = seen.shape()
    table, end = [], diverged_at(seen, cell, seed)
    for k, (name, epoch, shown) in enumerate(rows):
        top = HEADING + k * side + GAP * (k >= len(chosen))
        figure.text((LABEL - 0.08) / WIDTH, 1 - (top + side / 2) / height, name, ha="right", va="center",
                    fontsize="small")  # fmt: skip
        lost = epoch >= end
        if lost:
            figure.text(LABEL / WIDTH, 1 - (top + side / 2) / height, "diverged", ha="left", va="center",
                        fontsize="small", color="0.4")  # fmt: skip
        else:
            left, wide, tall = LABEL / WIDTH, (columns * side - SPACE) / WIDTH, (side - SPACE) / height
            strip(figure.add_axes((left, 1 - (top + side - SPACE) / height, wide, tall)), shown, shape, columns)
        table.append({"row": name, "epoch": epoch, "images": len(shown), **_numbers(shown),
                      "seed": float(seed) if k < len(chosen) else np.nan,
                      "diverged": lost})  # fmt: skip
    return figure, pd.DataFrame(table)


def _numbers(images: np.ndarray) -> dict[str, float]:
    """Mean pixel, its spread, and how far two of the images are from each other, all in units of the pixel range."""
    values = np.asarray(images, dtype=float) / 255
    if not np.isfinite(values).all() or len(values) < 2:
        return {"pixel_mean": float(values.mean()), "pixel_sd": float(values.std()), "distance_between": np.nan}
    squares = (values**2).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * values @ values.T, 0))
    off = ~np.eye(len(values), dtype=bool)
    return {"pixel_mean": float(values.mean()), "pixel_sd": float(values.std()),
            "distance_between": float(apart[off].mean())}  # fmt: skip
