"""Figure 3: how alike a run's outputs are, and the share of seeds that collapse; balanced against overpowered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from advdyn.degeneration.figures.common import (
    ABSENT,
    COLLAPSED,
    KIND_WORDS,
    READINGS,
    RULE,
    WIDTH,
    Drawn,
    absent,
    base,
    byte_numbers,
    colour,
    difference,
    differing,
    diverged,
    gather,
    handle,
    last,
    last_pass,
    letters,
    numbers,
    pictured,
    reference,
    rows_of,
    rows_of_runs,
    runs_of,
    shape_of,
    show,
    used,
)
from advdyn.intervals import COVERAGE

DOTTED = RULE | {"linestyle": (0, (1, 1.5))}
POWER = ("d_steps", "d_width")  # what makes a discriminator overpowered
MOST = 14  # runs that a page holds
QUANTITIES = {"sample_correlation": "mean |correlation|\nof two outputs", "participation_ratio": "participation ratio\n"
              "over noise's"}  # fmt: skip
LARGEST = {"sample_correlation": 1.0, "participation_ratio": np.inf}  # what can be


def collapse(study: xr.Dataset) -> Drawn:
    """Correlation between a run's outputs and their participation ratio, run by run, and how many seeds collapse."""
    runs = [run for run in _runs(study) if any(len(last(study, run, name)) for name in QUANTITIES)]
    if not runs:
        return absent(f"correlations between outputs: {ABSENT}")
    figure = Figure(figsize=(WIDTH, 1.25 + 0.22 * len(runs) + 2.1))
    upper, lower = rows_of(figure, [1.25 + 0.22 * len(runs), 2.1])
    axes = list(upper.subplots(1, 3, sharey=True, width_ratios=[1, 1, 1]))
    rows = [_dots(axes[k], study, runs, name) for k, name in enumerate(QUANTITIES)]
    rows.append(_shares(axes[2], study, runs))
    axes[0].set_yticks(range(len(runs)), [_words(study, run) for run in runs], fontsize="small")
    axes[0].set_ylim(len(runs) - 0.5, -0.5)
    for axis in axes:
        axis.grid(axis="y", color="0.92", linewidth=0.6)
        axis.tick_params(axis="y", length=0)
    letters(axes)
    rules = [handle("Python's random", **RULE), handle("half of noise's directions: fewer is collapse", **DOTTED)]
    upper.legend(handles=rules, loc="outside lower center", ncols=2, fontsize="small")
    rows.append(_pictures(lower.subplots(1, 3), study, runs))
    return figure, gather(rows)


def _runs(study: xr.Dataset) -> list[int]:
    """Runs of both readings: nearest to the settings, then with an overpowered discriminator, then the others."""
    rows, found = rows_of_runs(study), []
    for kind in READINGS:
        first = base(study, kind)
        if first is None:
            continue

        def order(run: int, first: int = first) -> tuple[int, bool, int]:
            names = differing(rows[run], rows[first])
            return len(names), not any(name in POWER for name in names), run

        found.append(sorted((k for k in runs_of(study, kind) if rows[k].get("criterion", "used") == "used"), key=order))
    most = MOST // max(1, len(found))
    spare = MOST - sum(min(len(group), most) for group in found)
    return [run for group in found for run in group[: most + spare]][:MOST]


def _words(study: xr.Dataset, run: int) -> str:
    kind = rows_of_runs(study)[run]["kind"]
    first = base(study, kind)
    words = KIND_WORDS[kind] if run == first else difference(study, run, first)
    lost = int(diverged(study, run).sum())
    return f"{words}\n({lost} diverged)" if lost else words


def _named(study: xr.Dataset, run: int) -> str:
    """A run in words that tell its kind as well."""
    kind = rows_of_runs(study)[run]["kind"]
    first = base(study, kind)
    return KIND_WORDS[kind] if run == first else f"{kind}, {difference(study, run, first)}"


def _dots(axis: Axes, study: xr.Dataset, runs: list[int], name: str) -> pd.DataFrame:
    rows = []
    for place, run in enumerate(runs):
        kind, values = rows_of_runs(study)[run]["kind"], last(study, run, name)
        if not len(values):
            continue
        axis.plot(values, np.full(len(values), place), "o", color=colour(kind), markersize=3, alpha=0.5,
                  markeredgewidth=0)  # fmt: skip
        found = numbers(values)
        ends = (found[k] if np.isfinite(found[k]) else found["mean"] for k in ("low", "high"))
        low, high = np.clip(list(ends), 0, LARGEST[name])
        axis.plot([low, high], [place, place], color=colour(kind), linewidth=1)
        axis.plot([found["mean"]], [place], "|", color=colour(kind), markersize=8, markeredgewidth=1.6)
        rows.append({"run": _words(study, run), "kind": kind, "quantity": name, **found})
    noise = numbers(reference(study, "danoise", name), "draws")
    if np.isfinite(noise["mean"]):
        axis.axvline(noise["mean"], **RULE)
        rows.append({"run": "Python's random", "kind": "reference", "quantity": name, **noise})
    if name == "participation_ratio":
        axis.axvline(COLLAPSED, **DOTTED)
    axis.set(xlabel=QUANTITIES[name], xlim=(0, LARGEST[name] if np.isfinite(LARGEST[name]) else None))
    return pd.DataFrame(rows)


def _shares(axis: Axes, study: xr.Dataset, runs: list[int]) -> pd.DataFrame:
    """Share of the seeds whose outputs vary in fewer than half the directions of noise, with its exact interval."""
    rows = []
    for place, run in enumerate(runs):
        kind, values = rows_of_runs(study)[run]["kind"], last(study, run, "participation_ratio")
        if not len(values):
            continue
        count, n = int((values < COLLAPSED).sum()), len(values)
        low, high = stats.binomtest(count, n).proportion_ci(COVERAGE, method="exact")
        axis.plot([low, high], [place, place], color=colour(kind), linewidth=1)
        axis.plot([count / n], [place], "o", color=colour(kind), markersize=4)
        axis.text(1.06, place, f"{count}/{n}", va="center", ha="left", fontsize="x-small")
        rows.append({"run": _words(study, run), "kind": kind, "quantity": "collapsed", "mean": count / n, "low": low,
                     "high": high, "seeds": n})  # fmt: skip
    axis.set(xlim=(-0.05, 1.3), xlabel="share of seeds\nthat collapse", xticks=[0, 0.5, 1])
    return pd.DataFrame(rows)


def _pictures(axes: np.ndarray, study: xr.Dataset, runs: list[int]) -> pd.DataFrame:
    """Outputs of the balanced run, of the one with the strongest discriminator, and of the most alike of the others."""
    rows = rows_of_runs(study)
    kind = rows[runs[-1]]["kind"]
    first = base(study, kind)
    strong = [r for r in runs if rows[r]["kind"] == kind and set(differing(rows[r], rows[runs[0]])) & set(POWER)]
    strong = [
        r
        for r in strong
        if set(differing(rows[r], rows[first if first is not None else r])) <= set(POWER) and r != first
    ]
    chosen: dict[str, int | None] = {"balanced": first}
    chosen["overpowered D"] = max(strong, key=lambda r: [rows[r].get(n, 0) for n in POWER], default=None)
    alike = {run: float(np.mean(v)) for run in runs if len(v := last(study, run, "sample_correlation"))}
    others = [run for run in alike if run not in chosen.values()]
    first_of_all = max(alike, key=lambda run: alike[run], default=None) in others
    alike_words = f"most alike of {'all' if first_of_all else 'the other'} runs"
    chosen[alike_words] = max(others, key=lambda run: alike[run], default=None)
    made = []
    for axis, letter, (words, run) in zip(axes, "def", chosen.items(), strict=True):
        if run is None and words == alike_words:  # all runs are shown already
            axis.set_axis_off()
            continue
        pixels, seed = pictured(study, run, None if run is None else last_pass(study, run))
        show(axis, pixels[:8], shape_of(study, pixels.shape[1]), 4)
        axis.set_title(rf"$\bf{{{letter}}}$  {words}", loc="left")
        if not len(pixels):
            axis.set_box_aspect(0.5)  # as the mosaics beside it
        elif run is not None:
            after = last_pass(study, run)
            axis.set_xlabel(f"{_named(study, run)}\n{used(study, run, after)}", fontsize="small")
            made.append({"run": _words(study, run), "kind": rows[run]["kind"], "quantity": f"picture: {words}",
                         "seed": seed, "passed": after, **byte_numbers(pixels[:8])})  # fmt: skip
    return pd.DataFrame(made)
