"""Figure 6: the degeneration of a density on a line, in four stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.degeneration.figures.common import (
    ABSENT,
    WIDTH,
    Drawn,
    absent,
    blank,
    colour,
    finite,
    gather,
    handle,
    letters,
    pick,
    shade,
)

PANELS = 4
ARROWS = 15
ARROW = {"arrowstyle": "-|>", "linewidth": 0.5, "color": "0.35", "mutation_scale": 5, "shrinkA": 0, "shrinkB": 0}
TITLES = ("before", "after D's inner loop", "both updated", "at the end")
X: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1.3)), "linewidth": 1.3}
DEGENERATED: dict[str, Any] = {"linestyle": "-", "linewidth": 1.5}
NOISE: dict[str, Any] = {"color": "0.6", "linestyle": "-", "linewidth": 0.9}
JUDGE: dict[str, Any] = {"linestyle": (0, (4, 1.6)), "linewidth": 1.4}
OPTIMAL: dict[str, Any] = {"linestyle": "-", "linewidth": 0.7, "alpha": 0.7}


def line(study: xr.Dataset) -> Drawn:
    """Densities of data, degenerated data and noise, and the discriminator beside the optimal one, at four stages."""
    degenerated = study.get("line_p_d")
    if degenerated is None or not len(finite(degenerated)):
        return absent(f"the game on a line: {ABSENT}")
    stages: np.ndarray = degenerated["line_stage"].values[:PANELS] if "line_stage" in degenerated.dims else np.empty(0)
    figure = Figure(figsize=(WIDTH, 3.1))
    axes = figure.subplots(2, PANELS, height_ratios=[3, 1], sharex=True)
    rows, twins = [], []
    for k in range(PANELS):
        if k >= len(stages):
            blank(axes[0, k])
            axes[1, k].set_axis_off()
            continue
        made, twin = _stage(axes[0, k], study, stages[k])
        rows.append(made.assign(stage=str(stages[k])))
        twins.append(twin)
        rows.append(_mapping(axes[1, k], study, stages[k]).assign(stage=str(stages[k])))
        axes[0, k].set_title(TITLES[k], fontsize="small")
    top = max([axes[0, k].get_ylim()[1] for k in range(len(stages))], default=1.0)
    for k in range(len(stages)):
        axes[0, k].set(ylim=(0, top), yticks=np.arange(0, top, max(1, int(top // 5))))
        axes[0, k].tick_params(labelleft=k == 0)
        twins[k].tick_params(labelright=k == len(stages) - 1)
        axes[1, k].set_xlabel("$x$")
    if len(stages):
        axes[0, 0].set_ylabel("density")
        twins[-1].set_ylabel("D")
    letters(axes[0])
    entries = [handle(r"data $p_x$", **X), handle(r"degenerated $p_d$", color=colour("degenerator"), **DEGENERATED),
               handle(_noise_words(study), **NOISE), handle("D", color=shade(0), **JUDGE),
               handle(r"optimal D, $p_{noise}/(p_{noise}+p_d)$", color=shade(0), **OPTIMAL)]  # fmt: skip
    figure.legend(handles=entries, loc="outside lower center", ncols=5, fontsize="small", columnspacing=1.2)
    return figure, gather(rows)


def _at(study: xr.Dataset, name: str, stage: object) -> np.ndarray | None:
    """A variable over the bins, at a stage where it has stages."""
    values = study.get(name)
    if values is not None and "line_stage" in values.dims:
        values = pick(study, name, line_stage=stage)
    return None if values is None or values.ndim != 1 else values.values.astype(float)


def _bins(study: xr.Dataset, count: int) -> np.ndarray:
    """Centres of the bins."""
    if "line_bin" in study.coords:
        centres = study["line_bin"].values.astype(float)
        if len(centres) == count and centres.min() >= 0 and centres.max() <= 1:
            return centres
    return (np.arange(count) + 0.5) / count


def _stage(axis: Axes, study: xr.Dataset, stage: object) -> tuple[pd.DataFrame, Axes]:
    """The densities of a stage, and D on an axis of its own."""
    twin = axis.twinx()
    columns: dict[str, np.ndarray] = {}
    mine: dict[str, Any] = {"color": colour("degenerator"), **DEGENERATED}
    styles: dict[str, dict[str, Any]] = {"line_p_noise": NOISE, "line_p_x": X, "line_p_d": mine}
    for name, style in styles.items():
        values = _at(study, name, stage)
        if values is None or not np.isfinite(values).any():
            continue
        centres = _bins(study, len(values))
        density = values / np.nansum(values) * len(values)  # of mean 1, whether counts, shares or densities are given
        axis.plot(centres, density, **style)
        columns |= {"x": centres, name.removeprefix("line_"): density}
    for name, style in {"line_optimal": OPTIMAL, "line_discriminator": JUDGE}.items():
        values = _at(study, name, stage)
        if values is not None and np.isfinite(values).any():
            twin.plot(_bins(study, len(values)), values, color=shade(0), **style)
            columns[name.removeprefix("line_")] = values
    twin.axhline(0.5, color=shade(0), linewidth=0.5, alpha=0.5, linestyle=(0, (1, 3)))
    twin.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    twin.tick_params(axis="y", colors=shade(0))
    twin.yaxis.label.set_color(shade(0))
    found = pick(study, "line_chi2_per_dof", line_stage=stage)
    noise = finite(study["line_chi2_noise"]) if "line_chi2_noise" in study else np.empty(0)
    table = pd.DataFrame(columns).assign(chi2_per_dof=np.nan, chi2_noise=noise.mean() if len(noise) else np.nan)
    if found is not None and np.isfinite(float(found.mean())):
        value = float(found.mean())
        axis.set_xlabel(rf"$p_d$: $\chi^2$/dof {_short(value)}", fontsize="small")
        table = table.assign(chi2_per_dof=value)
    axis.set_ylim(0, axis.get_ylim()[1])
    return table, twin


def _noise_words(study: xr.Dataset) -> str:
    """The noise, and chi^2 per degree of freedom of as many of its numbers."""
    found = finite(study["line_chi2_noise"]) if "line_chi2_noise" in study else np.empty(0)
    return rf"noise ($\chi^2$/dof {_short(found.mean())})" if len(found) else "noise"


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _mapping(axis: Axes, study: xr.Dataset, stage: object) -> pd.DataFrame:
    """Arrows from the data's line to where they are degenerated to, on average over the noise."""
    values = _at(study, "line_mapping", stage)
    if values is None or not np.isfinite(values).any():
        axis.set_axis_off()
        return pd.DataFrame()
    count = len(values)
    grid = study["line_grid"].values.astype(float) if "line_grid" in study.coords else np.arange(count)
    grid = grid if grid.min() >= 0 and grid.max() <= 1 else np.linspace(0, 1, count)
    for k in np.unique(np.linspace(0, count - 1, min(ARROWS, count)).round().astype(int)):
        axis.annotate("", (values[k], 1), (grid[k], 0), arrowprops=ARROW)
    for level in (0, 1):
        axis.axhline(level, color="black", linewidth=0.8)
    axis.set(xlim=(0, 1), ylim=(-0.02, 1.02), yticks=[], xticks=[0, 0.5, 1])
    axis.set_xticklabels(["0", "½", "1"])
    for side in ("left", "bottom", "top", "right"):
        axis.spines[side].set_visible(False)
    return pd.DataFrame({"x": grid, "mapped_to": values})
