"""The reach of a small attack against the number of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from advdyn.figures import CATEGORICAL
from advdyn.robustness import view
from advdyn.robustness.figures.common import EPS, PIXELS, WIDTH, Drawn, absent, bars, gather, letters, numbers, percent

SHIFT = 0.007


def scale(study: xr.Dataset) -> Drawn:
    """Shift of the margin eps |g|_1 at eps = .007, eps that breaks half of the images, and clean error, by pixels.

    The same images at several resolutions; 95 % t-intervals over seeds. The shift's exponent in the number of pixels is
    that of a least-squares line in logarithms.
    """
    if "half_eps" not in study or study.sizes.get("resolution", 0) == 0:
        return absent("images at several resolutions are not in this study")
    models = sorted((str(v) for v in study["scaled_model"].values), key=view.rank)
    palette = sns.color_palette(CATEGORICAL, len(models))
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = figure.subplots(1, 3)
    edges = study["resolution"].values
    panels = (
        ("scaled_gradient_l1", SHIFT, f"shift {EPS}$|g|_1$ of the margin\nat {EPS} = {SHIFT:g}", True),
        (view.half_eps(study), 1.0, f"{EPS} that breaks half of the images\nthat were right ({PIXELS})", True),
        ("scaled_clean_error", 1.0, "error without attack", False),
    )
    rows = []
    for axis, (name, factor, words, log) in zip(axes, panels, strict=True):
        for k, model in enumerate(models):
            values = study[name].sel(scaled_model=model) * factor
            tables = _draw(axis, values, model, palette[k], k - (len(models) - 1) / 2, log)
            rows += [table.assign(quantity="shift" if name == "scaled_gradient_l1" else name) for table in tables]
        axis.set_ylabel(words, fontsize="small")
        axis.set_xscale("log")
        axis.set_xticks([int(e) ** 2 for e in edges], [f"${int(e)}^2$" for e in edges])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("pixels")
        if log:
            axis.set_yscale("log")
            axis.margins(y=0.15)
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.yaxis.set_minor_formatter(NullFormatter())
        else:
            axis.set_ylim(bottom=0)
            percent(axis)
        sns.despine(ax=axis)
    letters(axes)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=max(1, len(labels)))
    return figure, gather(rows)


def _draw(axis: Axes, values: xr.DataArray, model: str, shade: Any, place: float, log: bool) -> list[pd.DataFrame]:
    values = values.where(np.isfinite(values))
    found = [
        {"resolution": int(edge), "pixels": int(edge) ** 2} | numbers(one)
        for edge in values["resolution"].values
        if (one := values.sel(resolution=edge).dropna("scaled_seed")).size
    ]
    if not found:
        return []
    table = pd.DataFrame(found)
    if log:  # no interval below 0 on a logarithmic axis
        table["low"] = table["low"].where(table["low"] > 0, 0.5 * table["mean"])
    label = model
    if log and len(table) > 1:
        exponent = float(np.polyfit(np.log(table["pixels"]), np.log(table["mean"]), 1)[0])
        label += f" (shift: exponent {exponent:.2f})"
        table["exponent"] = exponent
    axis.errorbar(table["pixels"] * 1.04**place, table["mean"], yerr=bars(table), color=shade, marker="o",
                  markersize=3.5, linewidth=1.2, elinewidth=0.9, label=label)  # fmt: skip
    return [table.assign(scaled_model=model)]
