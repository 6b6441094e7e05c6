"""Transfer of attacks between networks, and through surrogates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from advdyn.figures import ORDERED
from advdyn.robustness import view
from advdyn.robustness.figures.common import EPS, WIDTH, Drawn, absent, letters, rows_of, run_order, run_words
from advdyn.robustness.view import DEFAULT_REFERENCE

OWN = "the target itself"
SURROGATE = "its surrogate"
SIGNS = "random signs"
PANELS = {
    "error": ("error of the target", "transfer_error", {OWN: "white_box_error", SURROGATE: "surrogate_error",
                                                       SIGNS: "noise_error"}),
    "cosine": ("cosine of the loss gradients", "gradient_cosine", {SURROGATE: "surrogate_cosine"}),
    "agreement": ("share of equal predictions", "agreement", {SURROGATE: "surrogate_agreement"}),
}  # fmt: skip


def transfer(study: xr.Dataset) -> Drawn:
    """Error of each target (column) under examples made on each source (row), with gradients and predictions beside.

    Mean over seeds, at the listed size next to eps_reference. Below the line: examples made on the target itself, on a
    surrogate trained on the target's labels, and random signs of the same size.
    """
    if "transfer_error" not in study or not bool(study["transfer_error"].notnull().any()):
        return absent("transfer between networks is not in this study")
    reference = view.of(study).reference if "clean_error" in study else DEFAULT_REFERENCE
    at = study.sel(transfer_eps=reference, method="nearest")
    some = at["transfer_error"].notnull()
    labels = [str(v) for v in at["target"].values if bool(some.sel(target=v).any() | some.sel(source=v).any())]
    labels = sorted(labels, key=run_order)
    n = len(labels)
    words = [run_words(label) for label in labels]
    figure = Figure(figsize=(WIDTH, 2.3 + 0.25 * (n + 3) + 0.19 * (n + 1)))
    upper, lower = rows_of(figure, (1.1 + 0.25 * (n + 3), 1.2 + 0.19 * (n + 1)))
    first = upper.subplots(1, 1)
    others = lower.subplots(1, 2, sharey=True)
    tables = []
    for axis, (quantity, (title, name, extra)) in zip((first, *others), PANELS.items(), strict=True):
        rows = {
            word: [_mean(at, name, source=s, target=t) for t in labels] for s, word in zip(labels, words, strict=True)
        }
        rows |= {word: [_mean(at, other, target=t) for t in labels] for word, other in extra.items()}
        values = np.array(list(rows.values()))
        _heat(axis, values, list(rows), n, large=axis is first)
        axis.set_title(title + (f" at {EPS} = {float(at['transfer_eps']):g}" if quantity == "error" else ""))
        tables.append(
            pd.DataFrame(
                [
                    {"quantity": quantity, "source": source, "target": target, "value": value}
                    for source, line in zip([*labels, *extra], values, strict=True)
                    for target, value in zip(labels, line, strict=True)
                ]
            )
        )
    first.set_ylabel("examples made on")
    for axis in (first, *others):
        axis.set_xlabel("judged by (numbers as on the left)")
    letters([first, *others])
    return figure, pd.concat(tables, ignore_index=True)


def _mean(at: xr.Dataset, name: str, **place: str) -> float:
    if name not in at:
        return np.nan
    values = at[name].sel(place)
    return float(values.mean()) if bool(values.notnull().any()) else np.nan


def _heat(axis: Axes, values: np.ndarray, rows: list[str], n: int, large: bool) -> None:
    norm = Normalize(0, 1)
    axis.imshow(values, cmap=ORDERED, norm=norm, aspect="auto", interpolation="nearest")
    axis.set_xticks(range(n), [str(k + 1) for k in range(n)], fontsize="x-small")
    names = [f"{row}  {k + 1}" if k < n else row for k, row in enumerate(rows)]
    axis.set_yticks(range(len(rows)), names, fontsize="x-small")
    axis.axhline(n - 0.5, color="white", linewidth=3)
    size = 7.0 if large or n <= 6 else 5.0
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{100 * value:.0f} %" if large else f"{value:.2f}".replace("-", "−").replace("0.", ".")
            axis.text(
                j, i, text, ha="center", va="center", fontsize=size, color="white" if norm(value) < 0.6 else "black"
            )
    axis.tick_params(length=0)
    sns.despine(ax=axis, left=True, bottom=True)
