"""Figure 4: FGSM beside the DAN, for the network that looks on and for the viewer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from advdyn.degeneration.figures.common import (
    ABSENT,
    KIND_WORDS,
    READINGS,
    WIDTH,
    Drawn,
    absent,
    base,
    blank,
    colour,
    finite,
    gather,
    last,
    letters,
    numbers,
    pick,
    reference,
    rows_of,
    shape_of,
    show,
    used,
)

SHOWN = 8
WORDS = {"original": "original", "fgsm": "FGSM", **KIND_WORDS}
MEASURES = ("accuracy", "ssim", "r2", "top1", "probe")
TITLES = {"accuracy": "network:\naccuracy", "ssim": "viewer:\nSSIM", "r2": "attacker:\nreconstruction",
          "top1": "attacker:\npicks original", "probe": "attacker:\nlabel probe"}  # fmt: skip


def comparison(study: xr.Dataset) -> Drawn:
    """What FGSM and the DAN make of the same images, what a network says of them, and what is left of them."""
    images = next((study[n] for n in map(str, study.data_vars) if {"picture", "shown", "pixel"} == set(study[n].dims)),
                  None)  # fmt: skip
    there = [str(name) for name in study["picture"].values] if "picture" in study.coords else []
    measured = ["original", "fgsm", *(kind for kind in READINGS if base(study, kind) is not None)]
    names = there or measured
    numbers_of = {name: _measured(study, name) for name in names}
    if images is None and not any(len(v) for found in numbers_of.values() for v in found.values()):
        return absent(f"FGSM beside the DAN: {ABSENT}")
    high = 0.95 * max(1, len(there)) + 0.3
    figure = Figure(figsize=(WIDTH, high + 1.0 + 0.28 * len(names)))
    upper, lower = rows_of(figure, [high, 1.0 + 0.28 * len(names)])
    rows = _pictures(upper, study, images, there)
    axes = list(lower.subplots(1, len(MEASURES), sharey=True))
    for axis, measure in zip(axes, MEASURES, strict=True):
        rows.append(_bars(axis, {name: found[measure] for name, found in numbers_of.items()}, measure))
    axes[0].set_yticks(range(len(names)), [WORDS.get(name, name) for name in names], fontsize="small")
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    letters(axes)
    for axis, letter in zip(axes, "bcdef", strict=False):
        axis.set_title("", loc="left")
        axis.set_title(rf"$\bf{{{letter}}}$  {TITLES[MEASURES[axes.index(axis)]]}", loc="left", fontsize="small")
    return figure, gather(rows)


def _measured(study: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    """Accuracy of the classifier, SSIM, and percent left by each attack: over seeds of a run, or draws of FGSM."""
    found = {}
    run = base(study, name) if name in KIND_WORDS else None
    system = {"original": "untouched", "fgsm": "fgsm"}.get(name)
    for component in ("r2", "top1", "probe"):
        gone = np.empty(0)
        if run is not None:
            gone = last(study, run, "component", component=component)
        elif system is not None:
            gone = reference(study, system, "component", component=component)
        found[component] = 100 - np.clip(gone, 0, 100)
    found["ssim"] = last(study, run, "ssim") if run is not None else np.empty(0)
    if system is not None:
        found["ssim"] = reference(study, system, "ssim")
    if not len(found["ssim"]):
        found["ssim"] = _at(study, "picture_ssim", name)
    found["accuracy"] = 100 * _at(study, "picture_accuracy", name)
    if not len(found["accuracy"]) and system is not None:
        found["accuracy"] = 100 * reference(study, system, "accuracy")
    return found


def _at(study: xr.Dataset, variable: str, name: str) -> np.ndarray:
    values = pick(study, variable, picture=name)
    return finite(values) if values is not None and values.ndim == 0 else np.empty(0)


def _pictures(part: SubFigure, study: xr.Dataset, images: xr.DataArray | None, there: list[str]) -> list[pd.DataFrame]:
    """A row of images for each system, with what the classifier says of each."""
    if images is None or not there:
        axis = part.subplots()
        blank(axis)
        return []
    count = min(SHOWN, images.sizes["shown"])
    axes = part.subplots(len(there), count, squeeze=False)
    shape = shape_of(study, images.sizes["pixel"])
    rows = []
    for k, name in enumerate(there):
        for i, axis in enumerate(axes[k]):
            pixels = images.sel(picture=name).isel(shown=i).values.astype(float).reshape(1, -1)
            show(axis, pixels if np.isfinite(pixels).all() else pixels[:0], shape, 1, "–")
            one: dict[str, Any] = {"picture": name, "shown": i, "quantity": "prediction"}
            for variable in ("predicted", "confidence"):
                values = pick(study, variable, picture=name)
                one[variable] = float(values.isel(shown=i)) if values is not None and "shown" in values.dims else np.nan
            one["true"] = (
                float(study["true"].isel(shown=i)) if "true" in study and "shown" in study["true"].dims else np.nan
            )
            if np.isfinite(one["predicted"]):
                right = one["predicted"] == one["true"]
                words = f"{one['predicted']:.0f}, {100 * one['confidence']:.0f} %"
                axis.set_xlabel(words, fontsize="x-small", labelpad=2, color="black" if right else colour("fgsm"))
            rows.append(one)
        run = base(study, name) if name in KIND_WORDS else None
        words = WORDS.get(name, name).replace(", ", ",\n")
        words += "\n" + used(study, run).replace(", ", ",\n") if run is not None else ""
        axes[k, 0].set_ylabel(words, fontsize="x-small", rotation=0, ha="right", va="center")
    axes[0, 0].set_title(r"$\bf{a}$", loc="left")
    return [pd.DataFrame(rows)]


def _bars(axis: Axes, values: dict[str, np.ndarray], measure: str) -> pd.DataFrame:
    rows = []
    for place, (name, sample) in enumerate(values.items()):
        if not len(sample):
            continue
        found = numbers(sample, "samples")
        axis.barh(place, found["mean"], height=0.6, color=colour(name) if name != "original" else "0.6")
        if np.isfinite(found["low"]):
            axis.plot([found["low"], found["high"]], [place, place], color="black", linewidth=0.9)
        words = f"{found['mean']:.2f}" if measure == "ssim" else f"{found['mean']:.0f}"
        axis.text(1.04, place, words, fontsize="x-small", transform=axis.get_yaxis_transform(), va="center", ha="left")
        rows.append({"picture": name, "quantity": measure, **found})
    top = 1.0 if measure == "ssim" else 100.0
    axis.set(
        xlim=(0, top), xticks=[0, top], xlabel="" if measure == "ssim" else "%" if measure == "accuracy" else "% left"
    )
    axis.tick_params(axis="y", length=0)
    return pd.DataFrame(rows)
