"""How far classes are from each other beside 2 eps: images, and two moons apart and overlapping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes

from advdyn.semisupervised import view
from advdyn.semisupervised.figures.common import (
    PERCENT,
    WIDTH,
    Drawn,
    absent,
    blank,
    gather,
    grey,
    letters,
    numbers,
    page,
)
from advdyn.semisupervised.view import View

CLASSES: dict[str, tuple[str, Any, Any]] = {
    "other": ("another class", "0.1", "-"),
    "same": ("the same class", "0.5", (0, (4, 1.5))),
}
LIMIT = "#D55E00"  # of the line at 2 eps


def distances(study: xr.Dataset) -> Drawn:
    """(a) Images of the pool, with 2 eps of virtual adversarial training; (b, c) moons apart and overlapping."""
    seen = view.of(study)
    images = {kind: _quantiles(seen, f"{kind}_class_distance") for kind in CLASSES}
    moons = _moons(seen)
    if images["other"].empty and not moons:
        return absent("distances between classes have not been measured in this study")
    figure = page(WIDTH, 2.7, study)
    axes = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
    tables = _images(axes[0], seen, images)
    for axis, found in zip(axes[1:], [*moons, None, None][:2], strict=True):
        if found is None:
            blank(axis, "two moons: not trained in this study")
        else:
            tables += _moon(axis, seen, *found)
    axes[0].set_ylabel("cumulative share (%)")
    for axis in axes:
        if axis.axison:
            axis.set_ylim(0, PERCENT)
            sns.despine(ax=axis)
    letters(axes)
    shown = [kind for kind in CLASSES if len(images[kind])] or ["other"]
    entries = [grey(f"nearest of {CLASSES[kind][0]}", color=CLASSES[kind][1], linestyle=CLASSES[kind][2])
               for kind in shown]  # fmt: skip
    entries.append(grey(r"$2\varepsilon$", color=LIMIT))
    figure.legend(handles=entries, loc="outside upper center", ncols=len(entries))
    return figure, gather(tables)


def beyond(quantiles: pd.DataFrame, length: float) -> float:
    """Share farther than a length, from quantiles (columns distance, increasing, and level)."""
    return 1.0 - float(np.interp(length, quantiles["distance"], quantiles["level"], left=0.0, right=1.0))


def _table(values: xr.DataArray) -> pd.DataFrame:
    if "level" not in values.dims:
        return pd.DataFrame()
    table = pd.DataFrame({"level": values["level"].values, "distance": values.transpose("level").values})
    return table.dropna().reset_index(drop=True)


def _quantiles(seen: View, name: str) -> pd.DataFrame:
    """Quantiles of a distance in the pool of virtual adversarial training."""
    cell = seen.chosen("virtual") or seen.cells[0]
    return _table(seen.at(cell, name))


def _moons(seen: View) -> list[tuple[float, pd.DataFrame]]:
    """Noise and quantiles of the two moons with the least and with the most noise."""
    if "moons_other_distance" not in seen.data or "moon_noise" not in seen.data.dims:
        return []
    values = seen.data["moons_other_distance"]
    noises = np.sort(seen.data["moon_noise"].values.astype(float))
    ends = dict.fromkeys((noises[0], noises[-1]))
    found = [(float(noise), _table(values.sel(moon_noise=noise))) for noise in ends]
    return [(noise, table) for noise, table in found if len(table)]


def _images(axis: Axes, seen: View, found: dict[str, pd.DataFrame]) -> list[pd.DataFrame]:
    """Nearest images of another class and of the same one."""
    if found["other"].empty:
        blank(axis, "distances between images: not measured in this study")
        return []
    tables = [_line(axis, table, kind).assign(panel="images") for kind, table in found.items() if len(table)]
    cell = seen.chosen("virtual")
    if cell is not None:
        limit = 2.0 * float(seen.eps(cell))
        share = beyond(found["other"], limit)
        _limit(axis, limit, _percent(share))
        tables.append(pd.DataFrame([{"panel": "images", "of": "beyond 2 eps", "distance": limit, "mean": share}]))
    n = seen.value_of(cell or seen.cells[0], "n_pool")
    axis.set_title(f"{n:,g} images" if n else "images")
    axis.set_xlabel(r"$\ell_2$ distance (pixel range)")
    axis.set_xlim(0, None)
    return tables


def _moon(axis: Axes, seen: View, noise: float, table: pd.DataFrame) -> list[pd.DataFrame]:
    """Nearest point of the other moon."""
    panel = f"moons, noise {noise:g}"
    tables = [_line(axis, table, "other").assign(panel=panel)]
    limit = 2.0 * float(seen.settings["moons_eps"])
    found: dict[str, float] = {"mean": beyond(table, limit), "n": 1}
    if "moons_beyond" in seen.data:
        found = numbers(seen.data["moons_beyond"].sel(moon_noise=noise).values)
    _limit(axis, limit, _percent(found["mean"], found.get("high", np.nan)))
    tables.append(pd.DataFrame([{"panel": panel, "of": "beyond 2 eps", "distance": limit} | found]))
    axis.set_title(f"two moons, noise {noise:g}")
    axis.set_xlabel(r"$\ell_2$ distance (moon radii)")
    axis.set_xlim(0, None)
    return tables


def _line(axis: Axes, table: pd.DataFrame, kind: str) -> pd.DataFrame:
    words, colour, style = CLASSES[kind]
    axis.plot(table["distance"], PERCENT * table["level"], color=colour, linestyle=style, linewidth=1.3)
    return table.assign(of=words)


def _limit(axis: Axes, limit: float, words: str) -> None:
    """The line at 2 eps, what lies below it shaded, and the share beyond where the curve has left room."""
    axis.axvline(limit, color=LIMIT, linewidth=1.2)
    axis.axvspan(0, limit, color=LIMIT, alpha=0.1, linewidth=0)
    axis.text(0.98, 0.05, f"{words}\n" + rf"beyond $2\varepsilon = {limit:g}$", transform=axis.transAxes, ha="right",
              va="bottom", fontsize="small", color=LIMIT)  # fmt: skip


def _percent(share: float, high: float = np.nan) -> str:
    """A share in per cent, with as many digits as tell it from all, and half the width of its interval."""
    if share in (0.0, 1.0):
        return f"{PERCENT * share:g} %"
    digits = 2 if share > 0.99 else 1
    half = PERCENT * (high - share) if high > share else 0.0
    return f"{PERCENT * share:.{digits}f}" + (f" ± {half:.{digits}f} %" if half >= 0.5 / 10**digits else " %")
