"""Attacked images with their labels and confidences, and images of nothing that are classified with confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from advdyn.robustness import view
from advdyn.robustness.figures.common import EPS, WIDTH, Drawn, absent, label_of, picture, run_order, run_words

Shape = tuple[int, ...]

SIGNS = ListedColormap(["#2166ac", "#f2f2f2", "#b2182b"])
EXAMPLES = 3
RUNS = 2
FOOLING = 10
# inches
MARGIN = 0.42
HEADING = 0.3
TITLES = 0.2
IMAGE = 0.98
SMALL = 0.6
ANSWER = 0.24
KINDS = ("untargeted", "targeted")


def gallery(illustrations: xr.Dataset) -> Drawn:
    """Image, sign pattern and adversarial image, untargeted and targeted, with label and confidence before and after.

    Of standard and adversarial training of one network; below, the fooling images of both.
    """
    runs = _runs(illustrations)
    if not runs:
        return absent("illustrations of attacks are not in this study")
    shape = view.shape_of(illustrations)
    eps = float(illustrations["eps_reference"]) if "eps_reference" in illustrations else np.nan
    kinds = [kind for kind in KINDS if kind in illustrations["kind"].values]
    classes = illustrations.sizes.get("class", 0)
    fooled = "fooling_image" in illustrations and bool(
        illustrations["fooling_image"].sel(illustrated=runs).notnull().any()
    )
    examples = min(EXAMPLES, illustrations.sizes["example"])
    blocks = [HEADING + TITLES + examples * (IMAGE + ANSWER)] * len(runs)
    blocks += [HEADING + len(runs) * (SMALL + ANSWER)] * fooled
    figure = Figure(figsize=(WIDTH, sum(blocks)))
    figure.set_layout_engine("none")  # images of one size stand where they are put, to the last digit
    page = Page(figure, WIDTH, sum(blocks))
    rows = []
    top = 0.0
    for letter, block, run in zip("abcdefgh", blocks, runs, strict=False):
        rows += _examples(page, top, letter, illustrations.sel(illustrated=run), run, shape, eps, kinds)
        top += block
    if fooled:
        rows += _fooling(page, top, "abcdefgh"[len(runs)], illustrations, runs, shape, min(classes, FOOLING))
    return figure, pd.concat(rows, ignore_index=True)


@dataclass(frozen=True)
class Page:
    """A figure on which things are placed in inches from the left and from the top."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, side: float) -> Axes:
        """Square axes."""
        where = (left / self.width, 1 - (top + side) / self.height, side / self.width, side / self.height)
        return self.figure.add_axes(where)

    def heading(self, top: float, letter: str, words: str) -> None:
        """The heading of a block."""
        self.figure.text(0.01, 1 - (top + 0.05) / self.height, rf"$\bf{{{letter}}}$  {words}", ha="left", va="top")


def _runs(illustrations: xr.Dataset) -> list[str]:
    """Standard and adversarial training of one network: not a linear one if there is another, both if there are."""
    if "adversarial" not in illustrations:
        return []
    made = (
        illustrations["adversarial"].notnull().any([d for d in illustrations["adversarial"].dims if d != "illustrated"])
    )
    labels = sorted((str(v) for v in illustrations["illustrated"].values[made.values]), key=run_order)
    by_model: dict[str, list[str]] = {}
    for label in labels:
        by_model.setdefault(label_of(label)[0], []).append(label)
    if not by_model:
        return []
    # several trainings, a network, and the first of those
    model = min(by_model, key=lambda m: (len(by_model[m]) < RUNS, view.linear(m)))
    return by_model[model][:RUNS]


def _examples(
    page: Page,
    top: float,
    letter: str,
    run: xr.Dataset,
    label: str,
    shape: Shape,
    eps: float,
    kinds: list[str],
) -> list[pd.DataFrame]:
    chosen = np.unique(np.linspace(0, run.sizes["example"] - 1, EXAMPLES).round().astype(int))
    columns = 1 + 2 * len(kinds)
    pitch = (WIDTH - MARGIN) / 5
    page.heading(top, letter, f"{run_words(label)}; attacks of {EPS} = {eps:g}")
    top += HEADING + TITLES
    axes = [
        [page.axes(MARGIN + i * pitch, top + k * (IMAGE + ANSWER), IMAGE) for i in range(columns)]
        for k in range(len(chosen))
    ]
    rows = []
    for line, k in zip(axes, chosen, strict=True):
        one = run.isel(example=int(k))
        truth = int(one["label"])
        _show(line[0], one["image"].values, shape)
        line[0].set_ylabel(f"label {truth}", fontsize="x-small")
        line[0].set_xlabel(_said(one, "before", ""), fontsize="x-small")
        row: dict[str, object] = {"run": label, "example": int(one["example"]), "label": truth,
                                  "predicted": _number(one, "predicted_before", ""),
                                  "confidence": _number(one, "confidence_before", "")}  # fmt: skip
        for i, kind in enumerate(kinds):
            pattern, attacked = line[1 + 2 * i], line[2 + 2 * i]
            added = one["pattern"].sel(kind=kind).values
            _show_pattern(pattern, added, shape)
            _show(attacked, one["adversarial"].sel(kind=kind).values, shape)
            goal = f"target {int(one['target'])}; " if kind == "targeted" and "target" in one else ""
            pattern.set_xlabel(goal + _said(one, "pattern", kind), fontsize="x-small")
            attacked.set_xlabel(_said(one, "after", kind), fontsize="x-small")
            row |= {f"{kind}_predicted": _number(one, "predicted_after", kind),
                    f"{kind}_confidence": _number(one, "confidence_after", kind),
                    f"{kind}_pattern_predicted": _number(one, "predicted_pattern", kind),
                    f"{kind}_pattern_confidence": _number(one, "confidence_pattern", kind),
                    f"{kind}_largest_change": float(np.abs(added).max())}  # fmt: skip
        rows.append(pd.DataFrame([row]))
    for i, title in enumerate(["image", *[t for kind in kinds for t in (f"{kind}: added", "adversarial")]]):
        axes[0][i].set_title(title, fontsize="small")
    return rows


def _number(one: xr.Dataset, name: str, kind: str) -> float:
    if name not in one:
        return float("nan")
    values = one[name]
    return float(values.sel(kind=kind) if "kind" in values.dims else values)


def _said(one: xr.Dataset, when: str, kind: str) -> str:
    """What the network says of an image: class and confidence."""
    predicted, confidence = (_number(one, f"{name}_{when}", kind) for name in ("predicted", "confidence"))
    return f"says {predicted:.0f}, {100 * confidence:.1f} %" if np.isfinite(confidence) else ""


def _fooling(
    page: Page,
    top: float,
    letter: str,
    illustrations: xr.Dataset,
    runs: list[str],
    shape: Shape,
    classes: int,
) -> list[pd.DataFrame]:
    page.heading(top, letter, "from noise towards each class: class and confidence")
    pitch = (WIDTH - MARGIN) / FOOLING
    axes = [
        [page.axes(MARGIN + i * pitch, top + HEADING + k * (SMALL + ANSWER), SMALL) for i in range(classes)]
        for k in range(len(runs))
    ]
    rows = []
    for line, label in zip(axes, runs, strict=True):
        run = illustrations.sel(illustrated=label)
        for k, axis in enumerate(line):
            one = run.isel({"class": k})
            goal, confidence = int(one["class"]), float(one["fooling_confidence"])
            _show(axis, one["fooling_image"].values, shape)
            axis.set_xlabel(f"{goal}: {100 * confidence:.1f} %" if np.isfinite(confidence) else "", fontsize="xx-small")
            rows.append(
                pd.DataFrame([{"run": label, "class": goal, "fooling_confidence": confidence,
                               "fooling_steps": float(one["fooling_reached_steps"])}])
            )  # fmt: skip
        model, training, _ = label_of(label)
        line[0].set_ylabel(f"{model}\n{training}", fontsize="x-small")
    return rows


def _show(axis: Axes, values: np.ndarray, shape: Shape) -> None:
    low, high = min(0.0, float(np.nanmin(values, initial=0.0))), max(1.0, float(np.nanmax(values, initial=1.0)))
    image = (picture(values, shape) - low) / (high - low)
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])


def _show_pattern(axis: Axes, values: np.ndarray, shape: Shape) -> None:
    image = picture(values, shape)
    top = float(np.abs(values).max()) or 1.0
    if image.ndim == 2:
        axis.imshow(image, cmap=SIGNS if len(np.unique(np.abs(values))) <= 2 else "RdBu_r", vmin=-top, vmax=top,
                    interpolation="nearest")  # fmt: skip
    else:
        axis.imshow(np.clip(0.5 + image / (2 * top), 0, 1), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
