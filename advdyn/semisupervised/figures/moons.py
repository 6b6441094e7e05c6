"""Two moons: decision regions of every method, and virtual adversarial directions on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D

from advdyn.figures import CATEGORICAL
from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    METHODS,
    PERCENT,
    WIDTH,
    WORDS,
    Drawn,
    absent,
    gather,
    grey,
    numbers,
    page,
)
from advdyn.semisupervised.view import View

COLOURS = (1, 0)  # of the two classes, in the colourblind palette
CLASSES = ("o", "s")  # marks of labelled points
ARROWS = 30  # at most so many in a panel
PALE = 0.55  # white in the background's strongest colour
HEADINGS = {"adversarial": "adversarial\n(labelled)", "random": "random\ndirection",
            "pseudo-label": "pseudo-label\ndirection", "virtual": "virtual\nadversarial"}  # fmt: skip
COLUMN = 1.2  # inches
ABOVE, BELOW, TITLE = 0.3, 0.4, 0.22  # inches
MARGIN = 0.1
SHOWN = (0.005, 0.995)  # quantiles of the points that the panels reach over


def moons(study: xr.Dataset) -> Drawn:
    """Rows: noise of the moons; columns: methods."""
    seen = view.of(study)
    data = seen.data
    if "moons_probability" not in data or "moon_method" not in data["moons_probability"].dims:
        return absent("the two moons have not been trained in this study")
    noises = np.sort(data["moon_noise"].values.astype(float))
    methods = [method for method in METHODS if method in data["moon_method"].values]
    x, y = _extent(data)
    row_height = COLUMN * (y[1] - y[0]) / (x[1] - x[0]) + TITLE
    figure = page(WIDTH, ABOVE + BELOW + row_height * len(noises), study)
    engine: Any = figure.get_layout_engine()
    rect = engine.get()["rect"] if engine is not None else (0, 0, 1, 1)
    figure.set_layout_engine("compressed", rect=rect)  # panels of one aspect, side by side
    axes = figure.subplots(len(noises), len(methods), sharex=True, sharey=True, squeeze=False)
    tables, shown = [], None
    for row, noise in zip(axes, noises, strict=True):
        for axis, method in zip(row, methods, strict=True):
            one = data.sel(moon_noise=noise, moon_method=method)
            drawn = _panel(axis, one)
            axis.set(xlim=x, ylim=y)
            shown = drawn if drawn is not None else shown
            table = _numbers(one).assign(noise=noise, training=method)
            tables.append(table)
            axis.set_title(_error(table), fontsize="small", pad=2)
        row[0].set_ylabel(f"noise {noise:g}")
    for axis, method in zip(axes[0], methods, strict=True):
        axis.annotate(HEADINGS.get(method, WORDS[method]), (0.5, 1.0), xycoords="axes fraction", xytext=(0, 14),
                      textcoords="offset points", ha="center", va="bottom", fontweight="bold",
                      fontsize="small")  # fmt: skip
    if shown is not None:
        bar = figure.colorbar(shown, ax=axes, shrink=0.8, aspect=25, pad=0.01)
        bar.set_label("probability of class 1")
        bar.set_ticks([0, 0.5, 1])
    figure.legend(handles=_entries(seen), loc="outside upper center", ncols=4, handletextpad=0.4)
    return figure, gather(tables)


def _extent(data: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """What the panels show: nearly all points, as far as probabilities reach."""
    grid = [np.array([data[g].min(), data[g].max()], dtype=float) for g in ("gx", "gy")]
    if "moons_point" not in data:
        return grid[0], grid[1]
    points = data["moons_point"].transpose("axis", ...).values.reshape(2, -1)
    ends = np.nanquantile(points, SHOWN, axis=1).T + np.array([-MARGIN, MARGIN])
    return np.clip(ends[0], *grid[0]), np.clip(ends[1], *grid[1])


def _colour(label: int) -> Any:
    return sns.color_palette(CATEGORICAL)[COLOURS[label]]


def _map() -> LinearSegmentedColormap:
    """From the colour of class 0 over white to that of class 1, pale."""
    ends = [tuple(PALE + (1 - PALE) * part for part in _colour(label)) for label in (0, 1)]
    return LinearSegmentedColormap.from_list("classes", [ends[0], (1.0, 1.0, 1.0), ends[1]])


def _panel(axis: Axes, one: xr.Dataset) -> Any:
    """Decision regions, points and arrows of one network."""
    axis.set(xticks=[], yticks=[], aspect="equal")
    p = one["moons_probability"].transpose("gy", "gx").values
    if not np.isfinite(p).all():
        axis.text(0.5, 0.5, "diverged", ha="center", va="center", transform=axis.transAxes, color="0.4",
                  fontsize="small")  # fmt: skip
        return None
    drawn = axis.pcolormesh(one["gx"], one["gy"], p, cmap=_map(), vmin=0, vmax=1, shading="nearest", rasterized=True)
    if p.min() < 0.5 < p.max():
        axis.contour(one["gx"], one["gy"], p, levels=[0.5], colors="black", linewidths=0.9)
    if "moons_point" not in one:
        return drawn
    x = one["moons_point"].transpose("moon_point", "axis").values
    label = one["moons_class"].values
    known = one["moons_labelled"].values > 0
    for c in (0, 1):
        axis.plot(*x[(label == c) & ~known].T, linestyle="none", marker=".", markersize=1.6, markeredgewidth=0,
                  color=_colour(c), alpha=0.7, zorder=2)  # fmt: skip
        axis.plot(*x[(label == c) & known].T, linestyle="none", marker=CLASSES[c], markersize=4.5, color=_colour(c),
                  markeredgecolor="black", markeredgewidth=0.8, zorder=4)  # fmt: skip
    if "moons_direction" in one:
        r = one["moons_direction"].transpose("moon_point", "axis").values
        at = np.flatnonzero(np.isfinite(r).all(1) & np.isfinite(x).all(1))
        at = at[:: max(1, -(-len(at) // ARROWS))]
        if len(at):
            axis.quiver(*x[at].T, *r[at].T, angles="xy", scale_units="xy", scale=1, width=0.007, headwidth=4,
                        headlength=4, headaxislength=3.5, color="0.15", zorder=3)  # fmt: skip
    return drawn


def _numbers(one: xr.Dataset) -> pd.DataFrame:
    """Error on fresh points, and share of the pool whose predicted class r changes, over seeds."""
    names = {"moons_error": "error", "moons_flipped": "changed", "moons_beyond": "beyond 2 eps"}
    return pd.DataFrame([{"of": words} | numbers(one[name].values) for name, words in names.items() if name in one])


def _error(table: pd.DataFrame) -> str:
    found = table[table["of"] == "error"] if len(table) else table
    if found.empty or not np.isfinite(found["mean"].iloc[0]):
        return ""
    mean, high = PERCENT * found["mean"].iloc[0], PERCENT * found["high"].iloc[0]
    digits = 2 if mean < 1 else 1
    return f"error {mean:.{digits}f}" + (f" ± {high - mean:.{digits}f} %" if np.isfinite(high) else " %")


def _entries(seen: View) -> list[Line2D]:
    """The legend: points and the arrows' length."""
    entries = [
        Line2D([], [], linestyle="none", marker=CLASSES[c], markersize=4.5, color=_colour(c), markeredgecolor="black",
               markeredgewidth=0.8, label=f"labelled, class {c}")
        for c in (0, 1)
    ]  # fmt: skip
    entries.append(grey("decision boundary", color="black", linewidth=0.9))
    eps = seen.settings.get("moons_eps")
    words = "virtual adversarial $r$" + (rf", $|r| = {eps:g}$" if eps is not None else "")
    entries.append(grey(words, color="0.15", linestyle="none", marker=r"$\rightarrow$", markersize=8))
    return entries
