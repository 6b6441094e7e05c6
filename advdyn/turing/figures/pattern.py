"""Figure 6: the share of diffusion, and how the filters' changes grow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    NETS,
    TIME,
    WIDTH,
    WORDS,
    Drawn,
    blank,
    few_decades,
    first_inputs,
    gather,
    label,
    letters,
    lines,
    mosaic,
    nets_of,
    pairs,
    rows_of,
    shade,
    shape_of,
    show,
    two,
)
from advdyn.turing.figures.filters import described
from advdyn.turing.view import View

LAYERS = (("u", "hidden layer", 3), ("v", "top layer", 1))
REACTION, DIFFUSION = 2, 4
SHOWN = 4


def pattern(study: xr.Dataset, pictures: xr.Dataset) -> Drawn:
    """Share and direction of diffusion over time, and the filters' changes at several times.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    inputs = first_inputs(pictures)
    nets = nets_of(pictures, inputs=inputs)
    net = "full" if "full" in nets else (nets or [""])[0]
    runs = pairs(pictures, net=net, inputs=inputs) if "evolution" in pictures else {}
    figure = Figure(figsize=(WIDTH, 2.5 + 1.55 * max(1, len(runs))))
    upper, lower = rows_of(figure, (2.5, 1.55 * max(1, len(runs))))
    axes = upper.subplots(1, 3)
    rows = _sizes(axes[0], seen)
    rows += _course(axes[1], seen, "share", "share of diffusion\n$|D|/(|R|+|D|)$", (0, 1))
    rows += _course(axes[2], seen, "alignment", "cosine of reaction\nand diffusion", (-1.05, 1.05))
    drawn, tables = _evolution(lower, pictures, runs, net, inputs)
    letters([*axes, *drawn])
    return figure, gather(rows + tables)


def _sizes(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Mean sizes of both terms in the hidden layer of the theory net (the full net where that is missing)."""
    net = next((n for n in ("full", "theory") if "with" in two(seen, n)), None)
    if net is None:
        blank(axis, "no run with an adversary\nin this study")
        return []
    run = two(seen, net)["with"]
    made = []
    for name, words, place in (
        ("reaction", "reaction $|R^u_j|$", REACTION),
        ("diffusion", "diffusion $|D^u_j|$", DIFFUSION),
    ):
        found = seen.at(run, f"{name}_u")
        table = lines(axis, found.where(found > 0), shade(place), label=words) if found.size else pd.DataFrame()
        made.append(table.assign(net=net, layer="hidden", quantity=f"{name}_u"))
    made = [table for table in made if len(table)]
    if not made:
        blank(axis)
        return []
    axis.set_yscale("log")
    few_decades(axis)
    axis.set_xlim(left=0)
    axis.set(xlabel=TIME, ylabel="mean over neurons")
    axis.set_title(f"{label(seen, run)}", fontsize="small")
    axis.legend(fontsize="x-small", loc="best")
    sns.despine(ax=axis)
    return made


def _course(axis: Axes, seen: View, name: str, words: str, limits: tuple[float, float]) -> list[pd.DataFrame]:
    """A measure of both terms over time, for the layers of both nets, with the adversary."""
    made = []
    for net in ("theory", "full"):
        run = two(seen, net).get("with")
        for layer, layer_words, place in LAYERS if run is not None else ():
            found = seen.at(run, f"{name}_{layer}") if run is not None else None
            if found is None or found.size == 0 or (net == "theory" and layer == "v"):
                continue
            title = NETS[net] if net == "theory" else f"{NETS[net]}, {layer_words}"
            tint = shade(0) if net == "theory" else shade(place)
            table = lines(axis, found, tint, label=title)
            made.append(table.assign(net=net, layer=layer_words, quantity=f"{name}_{layer}"))
    made = [table for table in made if len(table)]
    if not made:
        blank(axis, "no run with an adversary\nin this study")
        return []
    axis.set_ylim(*limits)
    axis.set_xlim(left=0)
    axis.axhline(0.5 if name == "share" else 0.0, color="0.7", linewidth=0.7, zorder=0)
    axis.set(xlabel=TIME, ylabel=words)
    axis.legend(fontsize="x-small", loc="best")
    sns.despine(ax=axis)
    return made


def _largest(pictures: xr.Dataset, position: int, snapshots: np.ndarray) -> np.ndarray:
    """The neurons that have changed most at a picture's last snapshot where that is known, in their own order."""
    for snapshot in snapshots[::-1]:
        size = (
            (pictures["evolution"].isel(picture=position, snapshot=int(snapshot)) ** 2).sum("pixel", min_count=1).values
        )
        if np.isfinite(size).any():
            return np.sort(np.argsort(-np.nan_to_num(size, nan=-1.0), kind="stable")[:SHOWN])
    return np.arange(SHOWN)


def _evolution(
    part: SubFigure, pictures: xr.Dataset, runs: dict[str, int], net: str, inputs: str
) -> tuple[list[Axes], list[pd.DataFrame]]:
    """The changes of the filters that moved most with the adversary, the same in all rows, at each snapshot.

    Each block on a scale of its own.
    """
    if not runs:
        axis = part.subplots(1, 1)
        blank(axis, "no network of this study is illustrated")
        return [], []
    times = pictures["evolution_time"].values
    kept = {a: np.flatnonzero(np.isfinite(times[p]) & (np.arange(len(times[p])) > 0)) for a, p in runs.items()}
    columns = max(1, *(len(k) for k in kept.values()))
    axes = part.subplots(len(runs), columns, squeeze=False)
    chosen = "with" if "with" in runs else next(iter(runs))
    order = _largest(pictures, runs[chosen], kept[chosen])
    first, rows = [], []
    for line, (adversary, position) in zip(axes, runs.items(), strict=True):
        for k, axis in enumerate(line):
            if k >= len(kept[adversary]):
                axis.set_visible(False)
                continue
            snapshot = int(kept[adversary][k])
            values = pictures["evolution"].isel(picture=position, snapshot=snapshot).transpose("shown", "pixel").values
            values = values[:, np.isfinite(values).any(0)].astype(float)
            if values.size == 0:
                blank(axis)
                continue
            neurons = order[order < len(values)]
            values = values[neurons]
            shape = shape_of(pictures, inputs, values.shape[1])
            top = float(np.abs(values).max()) if np.isfinite(values).all() else 0.0
            show(axis, mosaic(values, shape, columns=2), top=top or None)
            axis.set_title(f"t = {times[position][snapshot]:g}", fontsize="small")
            axis.set_xlabel(f"±{top:.2g}", fontsize="x-small", labelpad=2)
            names = {"net": net, "inputs": inputs, "adversary": adversary, "image": "change"}
            made = pd.DataFrame(described(values, shape, names))
            made["neuron"] = neurons
            rows.append(made.assign(time=float(times[position][snapshot])))
        line[0].set_ylabel(f"{NETS.get(net, net)}, {inputs}\n{WORDS[adversary]}", fontsize="small")
        first.append(line[0])
    return first, rows
