"""The metrics of the judge and of the two-sample tests over epochs, with the references as bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes

from advdyn.generation import view
from advdyn.generation.figures.common import (
    ANYTHING,
    SAMPLES,
    SHARE,
    Drawn,
    about,
    absent,
    band,
    blank,
    colour,
    curve,
    few_decades,
    gather,
    handle,
    letters,
    page,
    source_handles,
    whole_epochs,
)
from advdyn.generation.view import View

PANELS = {
    "frechet": "Fréchet distance", "score": "judge score", "fresh_accuracy": "fresh D, accuracy",
    "neighbour_accuracy": "neighbour test, accuracy", "linear_accuracy": "linear test, accuracy",
    "nearest": "nearest training image",
}  # fmt: skip
PARTS: dict[str, tuple[str, Any, float]] = {"neighbour_real": ("on real images", (0, (4, 1.5)), -1),
                                            "neighbour_fake": ("on samples", (0, (1, 1.2)), 1)}  # fmt: skip
LOGARITHMIC = ("frechet",)


def metrics(study: xr.Dataset) -> Drawn:
    """Mean over seeds with its 95 % t-interval at the kept epochs; horizontally the references over their draws."""
    seen = view.of(study)
    cell = seen.reference
    if not any(seen.at(cell, name).size for name in PANELS):
        return absent("no generator of this study has been judged")
    figure = page(study, 4.4)
    axes = figure.subplots(2, 3, sharex=True)
    tables = []
    for axis, (name, words) in zip(axes.flat, PANELS.items(), strict=True):
        tables += _panel(axis, seen, name)
        axis.set_title(words)
        if not axis.has_data():
            blank(axis)
            continue
        sns.despine(ax=axis)
    if axes[1, 2].axison:
        axes[1, 2].set_ylabel(r"$\ell_2$ distance")
    for axis in axes[1]:
        axis.set_xlabel("epoch")
        whole_epochs(axis, seen.kept)
    letters(axes.flat)
    handles = [handle(SAMPLES, SAMPLES, marker="o", markersize=3.5), *source_handles(seen.sources)]
    count = f"{seen.settings['samples']} samples" if "samples" in seen.settings else ""
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles),
                  title="; ".join(filter(None, (about(seen, cell), count))))  # fmt: skip
    return figure, gather(tables)


def _panel(axis: Axes, seen: View, name: str) -> list[pd.DataFrame]:
    cell, log = seen.reference, name in LOGARITHMIC
    within = SHARE if name.endswith("accuracy") else ANYTHING
    values = seen.at(cell, name)
    tables = [curve(axis, values.where(values > 0) if log else values, "kept", colour(SAMPLES), log,
                    within=within).assign(metric=name, of=SAMPLES)]  # fmt: skip
    if name == "neighbour_accuracy":
        for part, (words, style, side) in PARTS.items():
            found = curve(axis, seen.at(cell, part), "kept", colour(SAMPLES), marker="", linewidth=1, linestyle=style,
                          elinewidth=0)  # fmt: skip
            tables.append(found.assign(metric=part, of=SAMPLES))
            if not found.empty:
                above = side > 0
                axis.annotate(words, (0.98, found["mean"].iloc[-1]), (0, 2 * side), ("axes fraction", "data"),
                              "offset points", ha="right", va="bottom" if above else "top", fontsize="x-small",
                              color=colour(SAMPLES))  # fmt: skip
    for source in seen.sources:
        draws = seen.of_source(source, name)
        row = band(axis, draws.where(draws > 0) if log else draws, source, within)
        if row is not None:
            tables.append(pd.DataFrame([{"epoch": np.nan} | row]).assign(metric=name, of=source))
    if log and axis.has_data():
        axis.set_yscale("log")
        few_decades(axis)
    if name.endswith("accuracy"):
        axis.axhline(0.5, color="0.7", linewidth=0.8, zorder=0)
        axis.set_ylim(top=1.03)
    return tables
