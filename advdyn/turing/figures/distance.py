"""Figure 1: distance of the neurons from their initialisation, from several initialisations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    DISTANCE_U,
    DISTANCE_V,
    TIME,
    WIDTH,
    Drawn,
    blank,
    colour,
    gather,
    handle,
    handles,
    label,
    letters,
    lines,
    over_seeds,
    rows_of,
    two,
)
from advdyn.turing.view import View

COLUMNS = (
    ("full", "hidden", DISTANCE_U, ("B4",)),
    ("full", "top", DISTANCE_V, ("B4v",)),
    ("theory", "hidden", DISTANCE_U, ("B1a", "B3")),
)
STYLES = {"B4": (0, (5, 1.5)), "B4v": (0, (5, 1.5)), "B1a": (0, (5, 1.5)), "B3": (0, (5, 1.5))}


def distance(study: xr.Dataset) -> Drawn:
    """Mean distance over time of both nets' layers (above), and of the worst neuron with its bound (below).

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 4.6))
    upper, lower = rows_of(figure, (1, 1))
    above, below = upper.subplots(1, 3), lower.subplots(1, 3)
    rows: list[pd.DataFrame] = []
    for column, (net, layer, words, bounds) in enumerate(COLUMNS):
        runs = two(seen, net)
        name = "hidden layer" if layer == "hidden" else "top layer"
        for axis, draw in ((above[column], _mean), (below[column], _worst)):
            made = draw(axis, seen, runs, layer, bounds)
            if not made:
                blank(axis, f"no {net} net\nin this study")
                continue
            rows += [table.assign(net=net, layer=layer) for table in made]
            axis.set_xlabel(TIME)
            axis.set_title(
                f"{label(seen, next(iter(runs.values())))},\n{name}" if draw is _mean else "", fontsize="medium"
            )
            sns.despine(ax=axis)
        above[column].set_ylabel(f"mean {words}")
        below[column].set_ylabel(f"worst neuron's {words}")
    letters([*above, *below])
    figure.legend(
        handles=[
            *handles(("without", "with")),
            handle("one initialisation", linewidth=0.6),
            handle("bound (B4; theory net: B1′, B3)", linestyle=STYLES["B4"], linewidth=1.0),
        ],
        loc="outside upper center", ncols=4,
    )  # fmt: skip
    return figure, gather(rows)


def _mean(axis: Axes, seen: View, runs: dict[str, int], layer: str, _: tuple[str, ...]) -> list[pd.DataFrame]:
    """Mean over neurons, a thin line for each seed, linear axes."""
    made = []
    for adversary, run in runs.items():
        found = seen.at(run, "du" if layer == "hidden" else "dv")
        if found.size == 0 or "neuron" not in found.dims:
            continue
        table = lines(axis, found.astype(float).mean("neuron", skipna=True), colour(adversary))
        made.append(table.assign(adversary=adversary, quantity="mean over neurons"))
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    return [table for table in made if len(table)]


def _worst(axis: Axes, seen: View, runs: dict[str, int], layer: str, bounds: tuple[str, ...]) -> list[pd.DataFrame]:
    """Largest distance and its bound, logarithmic axes."""
    made = []
    for adversary, run in runs.items():
        found = seen.at(run, "distance_max")
        if found.size and layer in found["layer"].values:
            made.append(_log(axis, found.sel(layer=layer), colour(adversary), True, {}).assign(
                adversary=adversary, quantity="worst neuron"))  # fmt: skip
        limit = seen.at(run, "distance_bound")
        for bound in bounds if limit.size else ():
            if bound in limit["bound"].values:
                curve = limit.sel(bound=bound)
                line = {"linestyle": STYLES[bound], "linewidth": 1.0}
                table = _log(axis, curve, colour(adversary), False, line)
                made.append(table.assign(adversary=adversary, quantity=f"bound {bound}"))
    axis.set(xscale="log", yscale="log")
    return [table for table in made if len(table)]


def _log(axis: Axes, curve: xr.DataArray, shade: object, each: bool, line: dict) -> pd.DataFrame:
    curve = over_seeds(curve)
    if curve.size == 0:
        return pd.DataFrame()
    kept = curve.isel(time=np.flatnonzero(curve["time"].values > 0))
    return lines(axis, kept.where(kept > 0), shade, each=each, **line)
