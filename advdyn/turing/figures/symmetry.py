"""Figure 5: the clouds of neurons, at first and at the end, without and with the adversary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing.figures.common import (
    NETS,
    WIDTH,
    WORDS,
    Drawn,
    absent,
    blank,
    first_inputs,
    letters,
    nets_of,
    pairs,
)

METHODS = {"embedding": "t-SNE", "pca": "PCA"}
LAYERS = {"": "hidden layer", "_v": "top layer"}
STAGES = ("initial", "final", "change")


def symmetry(pictures: xr.Dataset) -> Drawn:
    """t-SNE and principal components of the rows of both layers; colour: how far the neuron moved."""
    inputs = first_inputs(pictures)
    nets = nets_of(pictures, inputs=inputs)
    net = "full" if "full" in nets else (nets or [""])[0]
    runs = pairs(pictures, net=net, inputs=inputs)
    if not runs or "pca" not in pictures:
        return absent("no network of this study is illustrated")
    raw = pairs(pictures, net=net, inputs=inputs, form="raw")
    wanted = [("", runs, method, layer) for layer in LAYERS for method in METHODS]
    if raw and raw != runs:
        wanted += [(", raw", raw, "pca", layer) for layer in LAYERS]
    lines = [line for line in wanted if any(_there(pictures, line[2] + line[3], p) for p in line[1].values())]
    columns = [("initial", next(iter(runs)))] + [("final", a) for a in runs] + [("change", a) for a in runs]
    figure = Figure(figsize=(WIDTH, 0.8 + 1.28 * max(1, len(lines))))
    axes = figure.subplots(max(1, len(lines)), len(columns), squeeze=False)
    rows: list[dict[str, object]] = []
    drawn: Any = None
    for line, (form, positions, method, layer) in zip(axes, lines, strict=False):
        for axis, (stage, adversary) in zip(line, columns, strict=True):
            if adversary not in positions:
                axis.set_visible(False)
                continue
            points, found = cloud(axis, pictures, method, layer, positions[adversary], stage)
            drawn = points if points is not None else drawn
            names = {"net": net, "inputs": inputs, "form": form.strip(", "), "adversary": adversary}
            rows += [row | names for row in found]
        line[0].set_ylabel(f"{LAYERS[layer]}{form}\n{METHODS[method]}", fontsize="small")
        line[0].axis("on")
        line[0].set_visible(True)
    first = [_first(line) for line in axes.T]
    for axis, (stage, adversary) in zip(first, columns, strict=True):
        words = f"{stage}\n{WORDS[adversary]}" if stage != "initial" else f"initial\n{NETS.get(net, net)}, {inputs}"
        ratio = axis.get_title()
        axis.set_title(f"{words}\n{ratio}".rstrip(), fontsize="small")
    letters(first)
    distance_bar(figure, drawn, axes)
    return figure, pd.DataFrame(rows) if rows else pd.DataFrame({"note": ["no cloud of neurons in this study"]})


def _first(column: Any) -> Axes:
    """The first axes of a column in which something is drawn, or else the first."""
    return next((axis for axis in column if axis.get_visible()), column[0])


def distance_bar(figure: Figure, drawn: Any, axes: Any) -> None:
    """The bar of the colour of the neurons."""
    if drawn is None:
        return
    bar = figure.colorbar(drawn, ax=axes, fraction=0.02, pad=0.01, ticks=[0, 1])
    bar.ax.set_yticklabels(["0", "1"], fontsize="x-small")
    bar.set_label("distance moved, rank", fontsize="x-small", labelpad=0)
    bar.outline.set_visible(False)


def _there(pictures: xr.Dataset, name: str, position: int) -> bool:
    return name in pictures and bool(pictures[name].isel(picture=position).notnull().any())


def cloud(
    axis: Axes, pictures: xr.Dataset, method: str, layer: str, position: int, stage: str
) -> tuple[Any, list[dict[str, object]]]:
    """Draw one cloud (of t-SNE's seeds the first), with the ratio of its axes as title; the points and the numbers."""
    axis.set(xticks=[], yticks=[])
    name = method + layer
    places = np.empty((0, 2))
    ratios: np.ndarray = np.empty(0)
    if name in pictures and stage in pictures["stage"].values:
        found = pictures[name].isel(picture=position).sel(stage=stage)
        if "embedding_seed" in found.dims:
            ratio = f"embedding_ratio{layer}"
            if ratio in pictures:
                ratios = pictures[ratio].isel(picture=position).sel(stage=stage).values.astype(float)
            found = found.isel(embedding_seed=0)
        places = found.transpose("neuron", ...).values.astype(float)
    kept = np.isfinite(places).all(-1) if places.size else np.zeros(0, dtype=bool)
    if not kept.any():
        if method == "embedding" and stage == "change":  # which there is none of
            axis.set_visible(False)
        else:
            blank(axis, "not there")
        return None, []
    if method == "pca":
        spread = places[kept].std(0)
        ratios = np.array([spread.max() ** 2 / spread.min() ** 2]) if spread.min() > 0 else np.empty(0)
    ratios = ratios[np.isfinite(ratios)]
    moved = f"embedded_distance{layer}"
    rank: Any = "0.3"
    if moved in pictures and (far := pictures[moved].isel(picture=position).values[kept]).size > 1:
        rank = np.argsort(np.argsort(np.nan_to_num(far))) / (len(far) - 1)
    x, y = places[kept].T
    centre, reach = (x.mean(), y.mean()), 1.08 * max(np.abs(x - x.mean()).max(), np.abs(y - y.mean()).max(), 1e-12)
    points = axis.scatter(x, y, c=rank, cmap="viridis", vmin=0, vmax=1, s=3.5, linewidths=0)
    axis.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
    axis.set_box_aspect(1)
    for side in axis.spines.values():
        side.set(color="0.8", linewidth=0.6)
    if ratios.size:
        many = f"{ratios.min():.2f} to {ratios.max():.2f}" if ratios.size > 1 else f"{ratios[0]:.2f}"
        axis.set_title(f"ratio {many}", fontsize="x-small", pad=2)
    named = {"layer": LAYERS[layer], "method": METHODS[method], "stage": stage,
             "variance_ratio": float(ratios.mean()) if ratios.size else np.nan}  # fmt: skip
    numbers = np.flatnonzero(kept)
    return (points if not isinstance(rank, str) else None), [
        named | {"neuron": int(n), "x": float(a), "y": float(b)} for n, a, b in zip(numbers, x, y, strict=True)
    ]
