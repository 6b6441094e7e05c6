"""Every metric of every system in one heat map: what looks like noise, and what is destroyed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from advdyn.degeneration.figures.common import (
    ABSENT,
    KIND_WORDS,
    KINDS,
    SETTING_WORDS,
    SYSTEM_WORDS,
    WIDTH,
    Drawn,
    absent,
    base,
    counts,
    difference,
    differing,
    last,
    reference,
    rows_of_runs,
    runs_of,
    systems,
)
from advdyn.figures import ORDERED

MOST = 16  # runs


@dataclass(frozen=True)
class Metric:
    """A column: the variable, its words, how it is written, and whether its colour goes by the logarithm."""

    name: str
    words: str
    form: str
    log: bool = False
    component: str = ""


DESTROYED = (
    Metric("dd", "%dd", "{:.1f}"),
    Metric("component", "reconstruction", "{:.1f}", component="r2"),
    Metric("component", "picking original", "{:.1f}", component="top1"),
    Metric("component", "label probe", "{:.1f}", component="probe"),
    Metric("ssim", "SSIM", "{:.2f}"),
    Metric("bytes_differing", "bytes differing, %", "{:.1f}"),
)
NOISY = (
    Metric("fresh_accuracy", "fresh D, accuracy", "{:.2f}"),
    Metric("ks", "KS distance", "{:.3f}", log=True),
    Metric("bits_per_byte", "bits per byte", "{:.2f}"),
    Metric("chi2_per_dof", r"$\chi^2$/dof", "{:.3g}", log=True),
    Metric("zlib_ratio", "zlib ratio", "{:.2f}"),
    Metric("lzma_ratio", "lzma ratio", "{:.2f}"),
    Metric("serial_correlation", "serial corr.", "{:.2f}"),
    Metric("neighbour_correlation", "neighbour corr.", "{:.2f}"),
    Metric("sample_correlation", "sample corr.", "{:.2f}"),
    Metric("participation_ratio", "participation", "{:#.2g}"),
)
METRICS = (*DESTROYED, *NOISY)


def summary(study: xr.Dataset) -> Drawn:
    """Mean of each metric over seeds or draws; colour: 0 as the untouched images, 1 as Python's random bytes."""
    means = _means(study)
    metrics = [m for m in METRICS if any(np.isfinite(found.get(m, np.nan)) for _, found in means)]
    if not means or not metrics:
        return absent(f"metrics of the systems: {ABSENT}")
    ends = {
        system: {m: _mean(reference(study, system, m.name, **_where(m))) for m in metrics}
        for system in ("untouched", "danoise")
    }
    values = np.array([[found.get(m, np.nan) for m in metrics] for _, found in means])
    colours = np.array([
        [_place(found.get(m, np.nan), ends["untouched"][m], ends["danoise"][m], m.log) for m in metrics]
        for _, found in means
    ])  # fmt: skip
    figure = Figure(figsize=(WIDTH, 1.7 + 0.235 * len(means)))
    axis = figure.subplots()
    scale = ScalarMappable(Normalize(0, 1), ORDERED)
    mesh = np.where(np.isfinite(colours)[..., None], scale.to_rgba(np.nan_to_num(colours)), (0.93, 0.93, 0.93, 1.0))
    axis.imshow(mesh, aspect="auto", interpolation="nearest")
    for i, k in np.ndindex(*values.shape):
        dark = not np.isfinite(colours[i, k]) or colours[i, k] > 0.6
        axis.text(k, i, _written(float(values[i, k]), metrics[k]), ha="center", va="center", fontsize=5.6,
                  color="black" if dark else "white")  # fmt: skip
    axis.set_xticks(range(len(metrics)), [m.words for m in metrics], rotation=45, ha="right", rotation_mode="anchor",
                    fontsize="small")  # fmt: skip
    axis.set_yticks(range(len(means)), [words for words, _ in means], fontsize="small")
    axis.tick_params(length=0)
    made_with = counts(study, [r for k in KINDS if (r := base(study, k)) is not None])
    axis.set_xlabel(f"runs: {made_with}" if made_with else "", fontsize="small")
    parts = [k for k in range(1, len(metrics)) if metrics[k] in NOISY and metrics[k - 1] in DESTROYED]
    for k in parts:
        axis.axvline(k - 0.5, color="white", linewidth=3)
    split = len(parts) and parts[0]
    for left, right, words in ((0, split, "is destroyed?"), (split, len(metrics), "looks like noise?")):
        if right > left:
            axis.text((left + right - 1) / 2, -0.65, words, ha="center", va="bottom", fontsize="medium")
    among = sum(1 for words, _ in means if words in SYSTEM_WORDS.values())
    if 0 < among < len(means):
        axis.axhline(among - 0.5, color="white", linewidth=3)
    for side in axis.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(scale, ax=axis, shrink=0.7, pad=0.01, aspect=25)
    bar.set_ticks([0, 1], labels=["images", "noise"])
    bar.ax.tick_params(labelsize="small")
    bar.outline.set_visible(False)
    table = pd.DataFrame(values, columns=[m.component or m.name for m in metrics])
    table.insert(0, "system", [words.replace("$", "") for words, _ in means])
    return figure, table


def _where(metric: Metric) -> dict[str, str]:
    return {"component": metric.component} if metric.component else {}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _means(study: xr.Dataset) -> list[tuple[str, dict[Metric, float]]]:
    """The rows: references, then the runs of each kind in the order of their settings; of many, the nearest to it."""
    rows = [
        (SYSTEM_WORDS.get(s, s), {m: _mean(reference(study, s, m.name, **_where(m))) for m in METRICS})
        for s in systems(study)
    ]
    near = []
    for kind in KINDS:
        first = base(study, kind)
        others = [run for run in runs_of(study, kind) if run != first and kind != "gan"]
        near += [(0, first)] if first is not None else []
        near += [(difference(study, run, first).count(",") + 1, run) for run in others]
    kept = {run for _, run in sorted(near, key=lambda one: one[0])[:MOST]}
    for kind in KINDS:
        for run, words in _ordered(study, kind):
            if run in kept:
                rows.append((words, {m: _mean(last(study, run, m.name, **_where(m))) for m in METRICS}))
    return [row for row in rows if any(np.isfinite(v) for v in row[1].values())]


def _ordered(study: xr.Dataset, kind: str) -> list[tuple[int, str]]:
    """The runs of a kind, with their words: criterion used, then ignored; in each first the values of one setting.

    That setting is the first one in which a single run differs from the one next to the settings; the others follow by
    name and value.
    """
    rows, first, runs = rows_of_runs(study), base(study, kind), runs_of(study, kind)
    parts = list(dict.fromkeys(rows[run].get("criterion") for run in runs))
    found: list[tuple[int, str]] = []
    for part in sorted(parts, key=lambda p: p != (rows[first].get("criterion") if first is not None else None)):
        group = [run for run in runs if rows[run].get("criterion") == part]
        names = {run: _in_order(differing(rows[run], rows[group[0]])) for run in group}
        alone = _in_order([n[0] for n in names.values() if len(n) == 1])[:1]

        def order(run: int, names: dict[int, list[str]] = names, alone: list[str] = alone) -> tuple[Any, ...]:
            by = names[run] if names[run] not in ([], alone) else alone
            return by != alone, [list(SETTING_WORDS).index(n) for n in by], [rows[run][n] for n in by]

        for run in sorted(group, key=order):
            short = {"degenerator": "deg."}.get(kind, kind)
            words = KIND_WORDS[kind] if run == first else f"{short}, {difference(study, run, first)}"
            if run == group[0]:  # what the rows beside it are told by
                words += "".join(f", {SETTING_WORDS[n](rows[run][n])}" for n in alone)
            found.append((run, words))
    return found


def _in_order(names: Iterable[str]) -> list[str]:
    there = set(names)
    return [name for name in SETTING_WORDS if name in there]


def _place(value: float, images: float, noise: float, log: bool) -> float:
    """Where a value lies between the untouched images (0) and Python's random bytes (1); NaN if both are alike."""
    if log:
        if min(value, images, noise) <= 0:
            return np.nan
        value, images, noise = np.log(value), np.log(images), np.log(noise)
    if not np.isfinite([value, images, noise]).all() or abs(noise - images) < 1e-9 * max(abs(noise), 1.0):
        return np.nan
    return float(np.clip((value - images) / (noise - images), 0, 1))


def _written(value: float, metric: Metric) -> str:
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1e4:
        return f"{value:.0e}".replace("e+0", "e")
    if metric.name == "chi2_per_dof" and value >= 100:
        return f"{value:.0f}"
    if metric.name == "participation_ratio" and abs(value) < 0.1:
        return metric.form.format(value).replace("0.", ".", 1).replace("-", "−")  # as narrow as the others
    return metric.form.format(value).replace("-0.00", "0.00").replace("-", "−")
