"""What the figures of the study share: colours of the trainings, bands over seeds, and what to draw without data."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from advdyn.figures import CATEGORICAL
from advdyn.intervals import interval
from advdyn.robustness import view
from advdyn.robustness.view import TRAININGS, View

Drawn = tuple[Figure, pd.DataFrame]

WIDTH = 7.2  # inches: two columns of a paper
COLUMNS = 4
MOST_MODELS = 8  # panels that a page holds
EPS = r"$\epsilon$"
EPS_TRAIN = r"$\epsilon_{\mathrm{train}}$"
PIXELS = "of the pixel range"
LINF = r"$\ell_\infty$"
L2 = r"$\ell_2$"
DIVERGING = "RdBu_r"
# of the colourblind palette, the same in every figure
PALETTE = {"standard": 0, "fgsm": 1, "fgsm-minmax": 3, "pgd": 2, "random-eps": 4, "nonrobust": 5, "sign-noise": 7,
           "uniform-noise": 9}  # fmt: skip
THIN: dict[str, Any] = {"linewidth": 0.8, "linestyle": (0, (4, 1.5))}
DOTTED: dict[str, Any] = {"linewidth": 0.9, "linestyle": (0, (1, 1.5))}


def colour(training: str) -> Any:
    """The colour of a training method."""
    palette = sns.color_palette(CATEGORICAL)
    return palette[PALETTE[training]] if training in PALETTE else "black"


def rows_of(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure one below the other."""
    made: Any = figure.subfigures(len(heights), 1, height_ratios=list(heights), squeeze=False)
    return list(made[:, 0])


def absent(words: str) -> Drawn:
    """A figure that says what the study does not have, and a table that says the same."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [words]})


def chosen_models(seen: View, trainings: Iterable[str] | None = None) -> list[str]:
    """The models to draw: those with one of the trainings at the usual number of images, at most MOST_MODELS."""
    models = [
        m for m in seen.models
        if any(trainings is None or p.training in trainings for p in seen.where(model=m, n_train=seen.n_train))
    ]  # fmt: skip
    if len(models) <= MOST_MODELS:
        return models
    return [models[i] for i in np.unique(np.linspace(0, len(models) - 1, MOST_MODELS).round().astype(int))]


def few(models: Sequence[str], most: int = COLUMNS) -> list[str]:
    """At most so many of the models, in their order: the widest of each kind and depth first."""
    groups: dict[tuple[str, int], list[str]] = {}
    for model in models:
        kind, _, depth = view.architecture(model)
        groups.setdefault((kind, depth), []).append(model)
    widest = [group.pop() for group in groups.values()]
    rest = [model for group in groups.values() for model in reversed(group)]
    kept = {*[*widest, *rest][:most]}
    return [model for model in models if model in kept]


def letters(axes: Iterable[Axes]) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(_names(), axes, strict=False):
        title, size = axis.get_title(), axis.title.get_fontsize()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left", fontsize=size)


def _names() -> Iterable[str]:
    yield from string.ascii_lowercase
    yield from (a + b for a in string.ascii_lowercase for b in string.ascii_lowercase)


def percent(axis: Axes) -> None:
    """Errors and shares in percent."""
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %".replace("-", "−")))


def band(axis: Axes, curve: xr.DataArray, along: str, colour: Any, **line: Any) -> pd.DataFrame:
    """The mean of a curve (seed, along) with a band of one standard deviation over seeds; the numbers drawn."""
    line = {"linewidth": 1.4} | line
    table = summary(curve, along)
    if table.empty:
        return table
    axis.plot(table[along], table["mean"], color=colour, **line)
    if table["sd"].notna().any():
        low, high = table["mean"] - table["sd"], table["mean"] + table["sd"]
        axis.fill_between(table[along], low, high, color=colour, alpha=0.2, linewidth=0)
    return table


def summary(curve: xr.DataArray, along: str) -> pd.DataFrame:
    """Mean and standard deviation over seeds, and their number, along a dimension."""
    values = curve.transpose("seed", along).values.astype(float)
    n = np.isfinite(values).sum(0)
    kept = n > 0
    values, n = values[:, kept], n[kept]
    mean = np.nanmean(values, 0) if values.size else np.empty(0)
    spread = np.full(len(n), np.nan)
    if (n > 1).any():
        spread[n > 1] = np.nanstd(values[:, n > 1], 0, ddof=1)
    return pd.DataFrame({along: curve[along].values[kept], "mean": mean, "sd": spread, "seeds": n})


def numbers(values: xr.DataArray | np.ndarray) -> dict[str, float]:
    """Mean over seeds and its 95 % t-interval, as columns of a table."""
    mean, _, low, high = interval(np.asarray(values))
    return {"mean": mean, "low": low, "high": high, "seeds": int(np.isfinite(np.asarray(values, dtype=float)).sum())}


def bars(frame: pd.DataFrame) -> np.ndarray:
    """Lengths of error bars from the columns mean, low, high (none where there is no interval)."""
    both = np.stack([frame["mean"] - frame["low"], frame["high"] - frame["mean"]]).astype(float)
    return np.nan_to_num(both)


def training_handles(trainings: Sequence[str]) -> list[Line2D]:
    """Entries of a legend for training methods."""
    return [Line2D([], [], color=colour(t), linewidth=1.6, label=view.training_name(t)) for t in trainings]


def gather(rows: list[pd.DataFrame]) -> pd.DataFrame:
    """The tables drawn, one after the other, without the empty ones."""
    rows = [row for row in rows if not row.empty]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def blank(axis: Axes, words: str = "not in this study") -> None:
    """A panel that says it is empty (and leaves the ticks alone, which it may share)."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color="0.4", wrap=True)
    axis.set_axis_off()


def picture(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A flat image as rows and columns, colours last where it has three; any other channels as their mean.

    What is no image (a vector, or more than three dimensions) is shown as rows of its last dimension.
    """
    image = values.reshape(shape)
    if image.ndim == 3 and image.shape[0] != 3 and image.shape[-1] == 3:
        return image
    if image.ndim == 3:  # channels first
        return np.moveaxis(image, 0, -1) if image.shape[0] == 3 else image.mean(0)
    return image if image.ndim == 2 else image.reshape(-1, shape[-1])


def label_of(label: str) -> tuple[str, str, float]:
    """Model, training and eps_train of a compared run's label, "model/training/eps"."""
    model, training, eps = str(label).rsplit("/", 2)
    return model, training, float(eps)


def run_words(label: str) -> str:
    """A compared run's label for a reader."""
    model, training, eps = label_of(label)
    return f"{model}, {view.training_name(training)}" + (f" {eps:g}" if eps > 0 else "")


def run_order(label: str) -> tuple[int, int, int, str, int, str, float]:
    """Where a compared run comes: by its model as ``View.models``, then by training."""
    model, training, eps = label_of(label)
    known = list(TRAININGS)
    return *view.rank(model), known.index(training) if training in known else len(known), training, eps
