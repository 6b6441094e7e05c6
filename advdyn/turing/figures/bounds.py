"""Measured distances against every bound, and whether each holds in each run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advdyn.turing import view
from advdyn.turing.figures.common import (
    BOUND_WORDS,
    BOUNDS,
    DISTANCE_U,
    DISTANCE_V,
    TIME,
    WIDTH,
    WORDS,
    Drawn,
    blank,
    bound_colour,
    colour,
    gather,
    handle,
    label,
    letters,
    lines,
    over_seeds,
    rows_of,
    two,
)
from advdyn.turing.view import View

DELTA = 0.05
PANELS = (
    ("theory", "without", "hidden", ("B0", "B1", "B1a", "B4")),
    ("theory", "with", "hidden", ("B0", "B2", "B3", "B4")),
    ("full", "with", "hidden", ("B4",)),
    ("full", "with", "top", ("B4v",)),
)


def bounds(study: xr.Dataset) -> Drawn:
    """The largest distance of a neuron over time beside its bounds, and the share of each bound that all runs use.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 5.6))
    upper, lower = rows_of(figure, (1.1, 1))
    above = upper.subplots(1, 4)
    rows: list[pd.DataFrame] = []
    for axis, (net, adversary, layer, names) in zip(above, PANELS, strict=True):
        run = two(seen, net).get(adversary)
        made = [] if run is None else _curves(axis, seen, run, layer, names)
        if run is None or not made:
            blank(axis, f"no {net} net\n{adversary} adversary\nin this study")
            continue
        rows += [table.assign(net=net, adversary=adversary, layer=layer) for table in made]
        layers = f"{layer} layer"
        axis.set_title(f"{label(seen, run)}\n{WORDS[adversary]}\n{layers}", fontsize="small")
        axis.set_xlabel(TIME, fontsize="small")
        axis.set(xscale="log", yscale="log")
        axis.set_ylabel(f"worst neuron's {DISTANCE_V if layer == 'top' else DISTANCE_U}", fontsize="small")
        sns.despine(ax=axis)
    axis = lower.subplots(1, 1)
    rows += _ratios(axis, seen)
    letters([*above, axis])
    entries = [handle("measured", color="black", linewidth=1.8)]
    entries += [handle(words, color=bound_colour(n), linestyle=BOUNDS[n][1]) for n, words in BOUND_WORDS.items()]
    figure.legend(handles=entries, loc="outside upper center", ncols=5, columnspacing=1.2, fontsize="small")
    return figure, gather(rows)


def _curves(axis: Axes, seen: View, run: int, layer: str, names: tuple[str, ...]) -> list[pd.DataFrame]:
    measured = seen.at(run, "distance_max")
    made = []
    if measured.size and layer in measured["layer"].values:
        curve = _positive(measured.sel(layer=layer))
        made.append(lines(axis, curve, "black", linewidth=1.8).assign(quantity="measured"))
    limit, prior = seen.at(run, "distance_bound"), seen.at(run, "bound_prior")
    for name in names:
        if name == "B0":
            curve = _nearest(prior)
        else:
            curve = limit.sel(bound=name) if limit.size and name in limit["bound"].values else limit.isel(seed=slice(0))
        table = lines(axis, _positive(curve), bound_colour(name), each=False, linewidth=1.2, linestyle=BOUNDS[name][1])
        if len(table):
            made.append(table.assign(quantity=name))
    return made


def _nearest(prior: xr.DataArray) -> xr.DataArray:
    """The bound as printed at the failure probability next to DELTA."""
    return prior.sel(delta=DELTA, method="nearest") if prior.size and "delta" in prior.dims else prior


def _positive(curve: xr.DataArray) -> xr.DataArray:
    curve = over_seeds(curve)
    if curve.size == 0:
        return curve
    curve = curve.isel(time=np.flatnonzero(curve["time"].values > 0))
    return curve.where(curve > 0)


def _ratios(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Largest distance over bound of every run and seed: filled where the bound is asserted, else hollow."""
    found: list[dict[str, object]] = []
    for run in range(len(seen.rows)):
        row = seen.rows[run]
        ratio, asserted = seen.at(run, "ratio"), seen.at(run, "asserted")
        prior = _nearest(seen.at(run, "prior_ratio"))
        base = {"run": run, "net": row["net"], "adversary": row["adversary"]}
        for seed in prior["seed"].values if prior.size else ():
            value = float(prior.sel(seed=seed))
            found.append(
                base | {"quantity": "B0", "seed": int(seed), "ratio": value, "asserted": float(row["net"] == "theory")}
            )
        for name in ratio["bound"].values if ratio.size else ():
            for seed in ratio["seed"].values:
                held = float(asserted.sel(bound=name, seed=seed)) if asserted.size else np.nan
                value = float(ratio.sel(bound=name, seed=seed))
                found.append(base | {"quantity": str(name), "seed": int(seed), "ratio": value, "asserted": held})
    table = pd.DataFrame(found)
    table = table[np.isfinite(table["ratio"]) & (table["ratio"] > 0)] if len(table) else table
    if table.empty:
        blank(axis, "no bound was computed in this study")
        return []
    names = [name for name in BOUNDS if name in set(table["quantity"])]
    stagger = np.random.default_rng(0)  # sideways, only for reading
    for place, name in enumerate(names):
        for k, adversary in enumerate(("without", "with")):
            for sure in (True, False):
                some = table[(table["quantity"] == name) & (table["adversary"] == adversary)]
                some = some[(some["asserted"] > 0.5) == sure]
                where = place + 0.36 * (k - 0.5) + stagger.uniform(-0.13, 0.13, len(some))
                face = colour(adversary) if sure else "none"
                axis.scatter(where, some["ratio"], s=9, facecolors=face, edgecolors=[colour(adversary)], linewidths=0.6,
                             alpha=0.75, zorder=3)  # fmt: skip
    axis.axhline(1, color="0.2", linewidth=0.9)
    axis.set_yscale("log")
    axis.set_xlim(-0.5, len(names) - 0.5)
    share = []
    for name in names:
        ratios = table.loc[(table["quantity"] == name) & (table["asserted"] > 0.5), "ratio"]
        holds = int((ratios <= 1 + 1e-9).sum())
        kept = f"\nholds in {holds} of {len(ratios)}" if len(ratios) else "\nnever asserted"
        share.append(BOUNDS[name][0] + kept)
    axis.set_xticks(range(len(names)), share, fontsize="x-small")
    axis.tick_params(axis="x", length=0)
    axis.set_ylabel("distance / bound,\nlargest over time and neurons")
    axis.set_title("every run and seed of the study", fontsize="small")
    axis.legend(
        handles=[
            handle(WORDS["without"], color=colour("without"), marker="o", linestyle="none", markersize=4),
            handle(WORDS["with"], color=colour("with"), marker="o", linestyle="none", markersize=4),
            handle("hypothesis not verified", marker="o", linestyle="none", markersize=4, markerfacecolor="none"),
        ],
        loc="lower right", ncols=3, fontsize="x-small", handletextpad=0.2, columnspacing=1,
    )  # fmt: skip
    sns.despine(ax=axis)
    return [table]
