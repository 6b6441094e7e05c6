"""Shares of the classes among the samples, by the judge: at the end, and over epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from advdyn.figures import ORDERED
from advdyn.generation import view
from advdyn.generation.figures.common import (
    SAMPLES,
    SHARE,
    Drawn,
    about,
    absent,
    band,
    bars,
    colour,
    curve,
    gather,
    handle,
    letters,
    numbers,
    page,
    source_handles,
    whole_epochs,
)
from advdyn.generation.view import SOURCES, View

MARKERS = {"gaussian": "s"}
OFFSET = {SAMPLES: -0.12, "gaussian": 0.12}


def classes(study: xr.Dataset) -> Drawn:
    """(a) Shares at the last kept epoch; (b) shares at every kept epoch; (c) total variation from the real shares."""
    seen = view.of(study)
    cell = seen.reference
    shares = seen.at(cell, "class_share")
    if "class" not in shares.dims:
        return absent("no generator of this study has been judged")
    figure = page(study, 4.6)
    parts: Any = figure.subfigures(2, 1)
    top, below = parts
    axis = top.subplots()
    heat, distance = below.subplots(1, 2)
    tables = [*_end(axis, seen), *_over_epochs(figure, heat, seen), *_distance(distance, seen)]
    letters([axis, heat, distance])
    sns.despine(ax=axis)
    sns.despine(ax=distance)
    shown = [s for s in ("real", "gaussian", "noise") if s in seen.sources]
    handles = [handle(SAMPLES, SAMPLES, marker="o", markersize=4), *source_handles(shown)]
    for one, source in zip(handles[1:], shown, strict=True):
        one.set_marker(MARKERS.get(source, ""))
        one.set_markersize(3.5)
    title = about(seen, cell)
    if "judge_accuracy" in seen.data:
        title += f"; judge right on {100 * float(seen.data['judge_accuracy'].min()):.1f} % of unseen images"
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), title=title)
    return figure, gather(tables)


def _end(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Share of each class at the end, of the samples and of the references."""
    epoch = seen.last(seen.reference)
    found = {SAMPLES: seen.end(seen.reference, "class_share")}
    found |= {s: seen.of_source(s, "class_share") for s in ("real", "gaussian", "noise")}
    names = seen.data["class"].values
    at = np.arange(len(names))
    tables = []
    for kind, values in found.items():
        if "class" not in values.dims or not values.size:
            continue
        rows = [numbers(values.isel({"class": i}).values) for i in at]
        table = pd.DataFrame(rows).assign(**{"class": names})
        tables.append(table.assign(panel="end", of=SOURCES.get(kind, kind), epoch=epoch))
        if kind == "real":
            axis.bar(at, table["mean"], width=0.9, color=colour("real"), alpha=0.25, linewidth=0, zorder=0)
            continue
        if kind == "noise":
            most = int(table["mean"].argmax())
            axis.text(0.99, 0.97, f"uniform noise: {100 * table['mean'][most]:.0f} % in class {names[most]}",
                      transform=axis.transAxes, ha="right", va="top", fontsize="small", color="0.4")  # fmt: skip
            continue
        axis.errorbar(at + OFFSET[kind], table["mean"], yerr=bars(table, within=SHARE), color=colour(kind),
                      linestyle="none", marker=MARKERS.get(kind, "o"), markersize=4, elinewidth=0.9)  # fmt: skip
    axis.set_xticks(at, [str(name) for name in names])
    axis.set(
        xlabel="class, by the judge",
        ylabel="share",
        ylim=(-0.02, 1.15 * axis.get_ylim()[1]),
        title=f"at epoch {epoch:g}",
    )
    return tables


def _over_epochs(figure: Figure, axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Mean share of each class over seeds at every kept epoch."""
    shares = seen.at(seen.reference, "class_share").transpose("seed", "kept", "class")
    n = shares.notnull().sum("seed")
    mean = (shares.fillna(0).sum("seed") / n.where(n > 0)).values
    top = float(np.nanmax(mean, initial=0.0))
    drawn = axis.imshow(mean.T, aspect="auto", cmap=ORDERED, norm=PowerNorm(0.5, 0, top or 1.0), origin="lower",
                        interpolation="nearest")  # fmt: skip
    axis.set_xticks(np.arange(len(seen.kept)), [f"{e:g}" for e in seen.kept])
    names = seen.data["class"].values
    every = np.arange(0, len(names), max(1, len(names) // 10))
    axis.set_yticks(every, [str(names[i]) for i in every])
    axis.set(xlabel="epoch", ylabel="class", title="mean share")
    figure.colorbar(drawn, ax=axis, pad=0.02)
    long = pd.DataFrame(mean, index=seen.kept, columns=names).rename_axis("epoch").reset_index()
    return [long.melt("epoch", var_name="class", value_name="mean").assign(panel="epochs", of=SAMPLES)]


def _distance(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Total variation distance of the shares from those of real images, over epochs."""
    own = seen.at(seen.reference, "class_distance")
    tables = [curve(axis, own, "kept", colour(SAMPLES), within=SHARE).assign(panel="distance", of=SAMPLES)]
    for source in ("real", "gaussian", "noise"):
        row = band(axis, seen.of_source(source, "class_distance"), source, SHARE)
        if row is not None:
            tables.append(pd.DataFrame([row]).assign(panel="distance", of=SOURCES[source]))
    axis.set(xlabel="epoch", title="total variation from the real shares", ylim=(-0.02, 1.02))
    whole_epochs(axis, seen.kept)
    return tables
