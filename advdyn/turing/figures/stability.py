"""Linear stability at the end of training: eigenvalues without and with the live critic, and coupling of neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from advdyn.turing import view
from advdyn.turing.figures.common import (
    NETS,
    WIDTH,
    WORDS,
    Drawn,
    blank,
    colour,
    gather,
    handle,
    handles,
    label,
    letters,
    numbers,
    rows_of,
    two,
)
from advdyn.turing.figures.controls import chosen
from advdyn.turing.view import View

# variable, marker, place within its line, whether it is filled, and what it is
RATES = (
    ("rate_frozen", "s", -0.22, False, "critic held"),
    ("rate_critic", "^", 0.0, False, "critic alone, outputs held"),
    ("rate_live", "o", 0.22, True, "coupled"),
)
SMALL = 1e-4  # below it an axis of eigenvalues is linear
LABELLED = -3  # power of ten of the smallest number written at an axis
ROUNDING = 1e-7  # of ``rate_scale``: less is 0


OPEN: dict[str, Any] = {"markerfacecolor": "none"}


def stability(study: xr.Dataset) -> Drawn:
    """Leading eigenvalues in the complex plane, largest real parts of all kinds of runs, and off-diagonal shares.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    seen = view.of(study)
    figure = Figure(figsize=(WIDTH, 6.2))
    upper, lower = rows_of(figure, (1, 1.5))
    planes = upper.subplots(1, 4)
    rows: list[pd.DataFrame] = []
    places = [(net, adversary) for net in ("theory", "full") for adversary in ("without", "with")]
    drawn = [_plane(axis, seen, net, adversary) for axis, (net, adversary) in zip(planes, places, strict=True)]
    rows += [table for table in drawn if len(table)]
    numbers_there = pd.concat(rows)[["real", "imag"]].to_numpy() if rows else np.zeros((1, 2))
    reach = _reach(numbers_there)  # the same scale in the four planes
    for axis, table in zip(planes, drawn, strict=True):
        if len(table):
            axis.axvspan(0, reach, color="0.93", zorder=-1, linewidth=0)
            _logarithmic(axis, "x", reach)
            _logarithmic(axis, "y", reach)
            if axis is not planes[0]:  # the same for all
                axis.set_ylabel("")
                axis.tick_params(axis="y", labelleft=False)
    rates, shares = lower.subplots(1, 2, width_ratios=[1.5, 1])
    rows += _rates(rates, seen)
    rows += _shares(shares, seen)
    letters([*planes, rates, shares])
    lower.legend(
        handles=[
            *handles(("without", "with")),
            *(
                handle(words, marker=marker, linestyle="none", markersize=4, **({} if full else OPEN))
                for _, marker, _, full, words in RATES
            ),
        ],
        loc="outside upper center", ncols=5, columnspacing=1.2, handlelength=1.5,
    )  # fmt: skip
    return figure, gather(rows)


def _reach(values: np.ndarray) -> float:
    """Where an axis ends: a power of ten beyond all values, 1 at least."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return 10.0 ** max(0, int(np.ceil(np.log10(1.2 * largest)))) if largest > 0 else 1.0


def _logarithmic(axis: Axes, along: str, reach: float) -> None:
    """An axis from -reach to reach, logarithmic beyond SMALL on both sides of 0; decades as ticks, few with numbers."""
    top = round(np.log10(reach))
    step = max(2, -(-(top - LABELLED) // 2))
    powers = list(range(LABELLED, top + 1, step))
    labels = [rf"$10^{{{power}}}$" for power in powers]
    marks = [*(-(10.0**power) for power in powers[::-1]), 0.0, *(10.0**power for power in powers)]
    words = [*(label.replace("$10", "$-10") for label in labels[::-1]), "0", *labels]
    decades = [10.0**power for power in range(LABELLED - 1, top + 1)]
    getattr(axis, f"set_{along}scale")("symlog", linthresh=SMALL, linscale=0.6)
    getattr(axis, f"set_{along}lim")(-reach, reach)
    getattr(axis, f"set_{along}ticks")(marks, words, fontsize=6)
    part = getattr(axis, f"{along}axis")
    part.set_minor_locator(FixedLocator([*(-d for d in decades), *decades]))
    part.set_minor_formatter(NullFormatter())


def settled(seen: View, run: int, values: xr.DataArray) -> xr.DataArray:
    """Eigenvalues of each seed, 0 where they are no larger than rounding."""
    scale = seen.number(run, "rate_scale")
    if scale.size == 0 or values.size == 0:
        return values
    return values.where(~(np.abs(values) < ROUNDING * scale.reindex(seed=values["seed"], fill_value=0.0)), 0.0)


def _plane(axis: Axes, seen: View, net: str, adversary: str) -> pd.DataFrame:
    run = two(seen, net).get(adversary)
    real, imaginary = (
        (seen.at(run, f"eigenvalue_{part}") for part in ("real", "imag")) if run is not None else (None, None)
    )
    if run is None or real is None or imaginary is None or real.size == 0 or imaginary.size == 0:
        blank(axis, f"no {net} net\n{adversary} adversary\nin this study")
        return pd.DataFrame()
    real, imaginary = (settled(seen, run, part) for part in xr.align(real, imaginary, join="inner"))
    axis.scatter(real, imaginary, s=9, color=[colour(adversary)], alpha=0.6, linewidths=0)
    axis.axvline(0, color="0.2", linewidth=0.9)
    axis.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    axis.set_title(f"{label(seen, run)}\n{WORDS[adversary]}", fontsize="small")
    axis.set_xlabel("Re, per unit of time", fontsize="small")
    axis.set_ylabel("Im, per unit of time", fontsize="small")
    sns.despine(ax=axis)
    flat = [
        {"seed": int(s), "eigenvalue": int(e), "real": float(real.sel(seed=s, eigenvalue=e)),
         "imag": float(imaginary.sel(seed=s, eigenvalue=e))}
        for s in real["seed"].values for e in real["eigenvalue"].values
    ]  # fmt: skip
    return pd.DataFrame(flat).assign(net=net, adversary=adversary, quantity="leading eigenvalue, per unit of time")


def _rates(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Largest real part with the critic held, of the critic alone, and of both, for each kind of run, and seed."""
    rows: list[dict[str, object]] = []
    names: list[str] = []
    for net in seen.nets:
        for line in chosen(seen, net):
            made = []
            for name, marker, shift, _, _ in RATES:
                values = settled(seen, line.run, seen.number(line.run, name))
                for seed, value in zip(values["seed"].values, values.values, strict=True):
                    about = {"net": net, "run": line.words, "quantity": name, "seed": int(seed), "value": float(value)}
                    made.append(about | {"kind": line.kind, "marker": marker, "place": len(names) + shift})
            if made:
                rows += made
                names.append(f"{line.words} ({net})")
    table = pd.DataFrame(rows)
    if table.empty:
        blank(axis, "no Jacobian was computed in this study")
        return []
    for kind in dict.fromkeys(table["kind"]):
        for _, marker, _, full, _ in RATES:
            some = table[(table["kind"] == kind) & (table["marker"] == marker)]
            tint = [colour(kind)]
            axis.scatter(some["value"], some["place"], s=13, marker=marker, linewidths=0.7, edgecolors=tint,
                         facecolors=tint if full else "none", zorder=3)  # fmt: skip
    reach = _reach(table["value"].to_numpy())
    _logarithmic(axis, "x", reach)
    axis.axvline(0, color="0.2", linewidth=0.9)
    axis.axvspan(0, reach, color="0.93", zorder=-1, linewidth=0)
    for place in range(1, len(names)):  # a line each
        axis.axhline(place - 0.5, color="0.93", linewidth=0.6, zorder=0)
    axis.text(0.99, 1.0, "unstable", transform=axis.transAxes, ha="right", va="bottom", fontsize="x-small", color="0.3")
    axis.set_yticks(range(len(names)), names, fontsize="x-small")
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("largest real part, per unit of time", fontsize="small")
    sns.despine(ax=axis)
    return [table.drop(columns=["marker", "place", "kind"])]


def _shares(axis: Axes, seen: View) -> list[pd.DataFrame]:
    """Share of the Jacobian's squares that couples different neurons, at first and at the end."""
    made = []
    ticks = []
    for k, net in enumerate(seen.nets):
        for adversary, run in two(seen, net).items():
            found = []
            for stage in ("initial", "final"):
                found.append({"stage": stage} | numbers(seen.number(run, "off_diagonal", stage=stage)))
            table = pd.DataFrame(found)
            if table["mean"].isna().all():
                continue
            x = 2.6 * k + np.arange(2) + (0.06 if adversary == "with" else -0.06)
            error = np.nan_to_num(np.stack([table["mean"] - table["low"], table["high"] - table["mean"]]))
            axis.errorbar(x, table["mean"], yerr=error, color=colour(adversary), marker="o", markersize=4,
                          linewidth=1.3)  # fmt: skip
            made.append(table.assign(net=net, adversary=adversary, quantity="off-diagonal share"))
        ticks += [(2.6 * k, f"initial\n{NETS[net]}"), (2.6 * k + 1, "final")]
    if not made:
        blank(axis, "no off-diagonal share\nin this study")
        return []
    axis.set_xticks([t for t, _ in ticks], [w for _, w in ticks], fontsize="small")
    axis.set_xlim(-0.4, ticks[-1][0] + 0.4)
    axis.set_ylabel("off-diagonal share of the Jacobian\nbetween neurons", fontsize="small")
    sns.despine(ax=axis)
    return made
