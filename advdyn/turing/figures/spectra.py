"""Radial power spectra of the filters' changes, beside those of the data and of the controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from advdyn.turing import spatial, view
from advdyn.turing.figures.common import (
    NETS,
    WIDTH,
    WORDS,
    Drawn,
    blank,
    colour,
    gather,
    letters,
    mean_of,
    shade,
    shape_of,
    spread_of,
)
from advdyn.turing.figures.controls import Line, chosen
from advdyn.turing.view import View

DATA = {"mean_image": ("mean image", (0, (1, 1.2))), "input_image": ("one image", (0, (4, 1.5)))}
FLOOR = 1e-3  # of the power of white noise: below it is nothing to see
OTHERS = (7, 8, 6)  # of the palette, for the other data sets


def spectra(study: xr.Dataset, pictures: xr.Dataset) -> Drawn:
    """Power over wavenumber relative to white noise: without and with the adversary and the data's own, and controls.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 0.3 + 2.7 * len(seen.nets)))
    axes = figure.subplots(len(seen.nets), 2, squeeze=False, sharex=True, sharey=True)
    rows: list[pd.DataFrame] = []
    for line, net in zip(axes, seen.nets, strict=True):
        runs = chosen(seen, net)
        plain = [r for r in runs if r.words in (WORDS["without"], WORDS["with"])]
        rest = [r for r in runs if r not in plain and not r.words.endswith("without")]
        dataset = seen.rows[runs[0].run]["dataset"] if runs else ""
        for axis, chosen_runs, data in ((line[0], plain, True), (line[1], rest, False)):
            made = _draw(axis, seen, chosen_runs, plain, data)
            if made and data:
                made += _inputs(axis, pictures, dataset)
            if not made:
                blank(axis, "no spectrum\nin this study")
                continue
            rows += [table.assign(net=net) for table in made]
            axis.axhline(1, color="0.6", linewidth=0.8, zorder=0)
            axis.set(xscale="log", yscale="log")
            axis.set_ylim(bottom=max(FLOOR, axis.get_ylim()[0]))
            axis.set_title(f"{NETS[net]}, {dataset}" if data else f"{NETS[net]}, controls", fontsize="medium")
            axis.set_xlabel("wavenumber, periods per image")
            axis.set_ylabel("power / that of white noise" if data else "")
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_xticks([1, 2, 5, 10])
            axis.legend(fontsize="x-small", loc="lower left", ncols=1 if data else 2)
            sns.despine(ax=axis)
    letters(axes.flat)
    return figure, gather(rows)


def _draw(axis: Axes, seen: View, runs: list[Line], plain: list[Line], data: bool) -> list[pd.DataFrame]:
    made = []
    others = iter(OTHERS)
    for line in runs:
        tint = colour(line.kind)
        if line.kind == "with" and not data:  # another data set or optimiser
            tint = shade(next(others, 7))
        made.append(_line(axis, seen, line.run, "change", tint, line.words))
        if seen.rows[line.run]["control"] == "permuted-pixels":
            table = _line(
                axis, seen, line.run, "change", tint, f"{line.words}, undone", "spectrum_restored", linestyle=":"
            )
            made.append(table)
    if data and plain:
        made.append(_line(axis, seen, plain[-1].run, "initial", "0.6", "initial filters", linewidth=1.0))
    elif plain:
        made.append(_line(axis, seen, plain[-1].run, "change", colour(plain[-1].kind), plain[-1].words, linewidth=0.8))
    return [table for table in made if len(table)]


def _line(axis: Axes, seen: View, run: int, stage: str, tint: object, words: str, name: str = "spectrum",
          **line: Any) -> pd.DataFrame:  # fmt: skip
    found = seen.at(run, name)
    if found.size == 0 or stage not in found["stage"].values:
        return pd.DataFrame()
    found = found.sel(stage=stage).dropna("seed", how="all").dropna("wavenumber", how="all")
    if found.size == 0:
        return pd.DataFrame()
    values = found.transpose("seed", "wavenumber").values.astype(float) * found.sizes["wavenumber"]
    mean, k = mean_of(values), found["wavenumber"].values
    axis.plot(k, mean, color=tint, label=words, **({"linewidth": 1.5} | line))
    sd = spread_of(values)
    if np.isfinite(sd).any():
        axis.fill_between(k, np.maximum(mean - sd, 0.3 * mean), mean + sd, color=tint, alpha=0.15, linewidth=0)
    return pd.DataFrame({"run": words, "stage": stage, "quantity": name, "wavenumber": k, "mean": mean, "sd": sd})


def _inputs(axis: Axes, pictures: xr.Dataset, dataset: str) -> list[pd.DataFrame]:
    """The spectra of the data themselves, from the illustrations."""
    made = []
    for name, (words, style) in DATA.items():
        if name not in pictures or dataset not in pictures["dataset"].values:
            continue
        image = pictures[name].sel(dataset=dataset).dropna("pixel").values.astype(float)
        shape = shape_of(pictures, dataset, image.size)
        if min(shape) < 2:
            continue
        power, _ = spatial.radial(image.reshape(shape))
        if not np.isfinite(power).all():
            continue
        k = spatial.wavenumbers(*shape)
        axis.plot(k, power * len(k), color="black", linewidth=1.0, linestyle=style, label=f"data: {words}")
        made.append(pd.DataFrame({"run": f"data: {words}", "stage": "inputs", "quantity": "spectrum", "wavenumber": k,
                                  "mean": power * len(k)}))  # fmt: skip
    return made
