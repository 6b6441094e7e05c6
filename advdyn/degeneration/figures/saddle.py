"""Theorem 1: the spectrum of the game's Hessian at its optimum, and that of the criterion."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from advdyn.degeneration.figures.common import (
    ABSENT,
    IDEAL,
    WIDTH,
    Drawn,
    absent,
    blank,
    finite,
    gather,
    letters,
    shade,
)

PANELS = {
    "saddle_eigenvalue": "Hessian of the game, D and Deg",
    "saddle_criterion_eigenvalue": "Hessian of the criterion, Deg",
}
DECADES = 100  # ratio of the eigenvalues of one sign from which the axis is logarithmic
ROUNDING = 1e-9  # of the largest eigenvalue
TINY = 1e-12
TOLD = {
    "value": rf"at the optimum: value {{}} ($-\log 4$ = −{-IDEAL:.6f})",
    "gradient_norm": "gradient norm {}",
    "control_gradient_norm": "where $p_d$ is not uniform {}",
}
SIGNS = {"positive": (3, "^"), "zero": (7, "o"), "negative": (0, "v")}


def saddle(study: xr.Dataset) -> Drawn:
    """Eigenvalues of both Hessians at p_d = uniform, by sign: a saddle of the game, a minimum of the criterion."""
    spectra = {name: np.sort(finite(study[name])) if name in study else np.empty(0) for name in PANELS}
    if not any(len(values) for values in spectra.values()):
        return absent(f"the game of Theorem 1: {ABSENT}")
    figure = Figure(figsize=(WIDTH, 2.9))
    axes = list(figure.subplots(1, 2))
    rows = []
    for axis, (name, words) in zip(axes, PANELS.items(), strict=True):
        axis.set_title(words)
        if len(spectra[name]):
            rows.append(_spectrum(axis, spectra[name]).assign(hessian=name.removeprefix("saddle_")))
        else:
            blank(axis)
    letters(axes)
    told = {name: finite(study[f"saddle_{name}"]) if f"saddle_{name}" in study else np.empty(0) for name in TOLD}
    said = [words.format(_written(told[name][0])) for name, words in TOLD.items() if len(told[name])]
    if said:
        figure.supxlabel("; ".join(said), fontsize="small")
    rows.append(pd.DataFrame([{"hessian": name, "eigenvalue": float(v[0])} for name, v in told.items() if len(v)]))
    return figure, gather(rows)


def _written(value: float) -> str:
    if abs(value) < TINY:
        return "0"
    words = f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.6f}" if abs(value) > 1 else f"{value:.2f}"
    return words.replace("-", "−")


def _spectrum(axis: Axes, values: np.ndarray) -> pd.DataFrame:
    """Eigenvalues in order on an axis that is logarithmic on both sides of 0, with how many have each sign."""
    largest = float(np.abs(values).max()) or 1.0
    signs = np.where(np.abs(values) <= ROUNDING * largest, "zero", np.where(values > 0, "positive", "negative"))
    least = np.abs(values[signs != "zero"]).min(initial=largest)
    axis.axhline(0, color="0.6", linewidth=0.8)
    place = np.arange(1, len(values) + 1)
    for sign, (tint, marker) in SIGNS.items():
        kept = signs == sign
        if kept.any():
            axis.plot(place[kept], values[kept], marker, color=shade(tint), markersize=5, label=f"{kept.sum()} {sign}")
            axis.vlines(place[kept], 0, values[kept], color=shade(tint), linewidth=0.8)
    if values.min() * values.max() > 0 and largest < DECADES * least:
        axis.margins(y=0.3)
    else:
        _both_sides(axis, values, float(least), largest)
    axis.set(xlabel="number of the eigenvalue", ylabel="eigenvalue", xticks=place if len(place) <= 14 else place[::3])
    axis.legend(fontsize="small", loc="best", handletextpad=0.2)
    return pd.DataFrame({"number": place, "eigenvalue": values, "sign": signs})


def _both_sides(axis: Axes, values: np.ndarray, least: float, largest: float) -> None:
    """An ordinate that is logarithmic on both sides of 0, down to the decade of the smallest that is not 0."""
    bound = max(float(10.0 ** np.floor(np.log10(least))), 1e-12)
    axis.set_yscale("symlog", linthresh=bound, linscale=0.4)
    decades = np.log10(largest / bound)
    step = max(1, int(np.ceil(decades / 3)))
    marks = [bound * 10.0**k for k in range(0, int(np.ceil(decades)) + 1, step)]
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    axis.set_yticks([*(-m for m in reversed(marks) if low < -0.5 * m), 0, *(m for m in marks if high > 0.5 * m)])
    axis.yaxis.set_minor_locator(NullLocator())
    axis.margins(y=0.12)
