"""What the figures of the study share: words and colours of the methods, pages, panels, points and lines over seeds."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from advdyn.figures import CATEGORICAL
from advdyn.intervals import interval
from advdyn.semisupervised import view
from advdyn.semisupervised.view import Cell, View

Drawn = tuple[Figure, pd.DataFrame]

METHODS = view.METHODS  # the order of every legend and every row of panels
WORDS = view.CALLED
# of the colourblind palette, and marks for readers without colours: the same in every figure
PALETTE = {"supervised": 7, "adversarial": 4, "random": 2, "pseudo-label": 1, "virtual": 0}
MARKERS = {"supervised": "s", "adversarial": "^", "random": "v", "pseudo-label": "D", "virtual": "o"}
WIDTH = 7.2  # inches: two columns of a paper
MARK = 0.18  # inches, for the mark of an unfinished study
FEW = 12  # points of a line that are marked each
# of a decade, the numbers written on a logarithmic axis that spans less than so much
SUBS = ((2.5, (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)), (25, (1, 1.5, 2, 3, 5, 7)), (100, (1, 2, 5)))
ABSENT = "not in this study's grid"
PERCENT = 100.0
ANYTHING = (-np.inf, np.inf)
ERRORS = (0.0, PERCENT)
MARKED: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.3, "elinewidth": 0.9, "capsize": 0}


def colour(method: str) -> Any:
    """The colour of a method."""
    return sns.color_palette(CATEGORICAL)[PALETTE[method]]


def page(width: float, height: float, study: xr.Dataset | None = None) -> Figure:
    """A figure of so many inches; of an unfinished study (``partial``) with room below to say so."""
    below = MARK if study is not None and study.attrs.get("partial") else 0.0
    figure = Figure(figsize=(width, height + below))
    engine: Any = figure.get_layout_engine()
    if below and engine is not None:
        engine.set(rect=(0, below / (height + below), 1, height / (height + below)))
    return figure


def absent(words: str) -> Drawn:
    """A figure that says what the study does not have, and a table that says the same."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [words]})


def gone(tables: Sequence[pd.DataFrame]) -> Drawn | None:
    """What is shown where every run diverged, with the table that counts them; None where any did not."""
    table = gather(tables)
    if "mean" not in table or table["mean"].notna().any():
        return None
    return absent("every run shown here diverged")[0], table


def blank(axis: Axes, words: str = ABSENT) -> None:
    """A panel that says it is empty (and leaves the ticks alone, which it may share)."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color="0.4", fontsize="small",
              wrap=True)  # fmt: skip
    axis.set_axis_off()


def chosen(seen: View, n_labels: int | None = None) -> dict[str, Cell]:
    """The run of each method at the eps that its validation error chose, by method."""
    cells = {method: seen.chosen(method, n_labels) for method in seen.methods}
    return {method: cell for method, cell in cells.items() if cell is not None}


def errors(seen: View, cell: Cell, split: str) -> xr.DataArray:
    """Error of the trained network in %, over the seeds that did not diverge."""
    return PERCENT * seen.error(cell, split)


def diverged(seen: View, cell: Cell) -> int:
    """How many seeds of a run diverged."""
    return len(seen.diverged(cell))


def about(seen: View, cells: Sequence[Cell], *names: str) -> str:
    """What the runs of a figure have in common, for its title: labels and pool if asked for, seeds, and the lost."""
    said = {"n_labels": "{:,.0f} labels", "n_pool": "pool of {:,.0f} images", "updates": "{:,.0f} updates"}
    words = []
    for name in names:
        values = {seen.value_of(cell, name) for cell in cells} - {None}
        words += [said[name].format(value) for value in values if len(values) == 1]
    seeds = max((len(seen.seeds(cell)) for cell in cells), default=0)
    words += [f"{seeds} seed{'s' if seeds != 1 else ''}"] if seeds else []
    lost = sum(diverged(seen, cell) for cell in cells)
    return ", ".join([*words, *([f"{lost} run{'s' if lost != 1 else ''} diverged"] if lost else [])])


def letters(axes: Iterable[Axes]) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(string.ascii_lowercase, axes, strict=False):
        title, size = axis.get_title(), axis.title.get_fontsize()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left", fontsize=size)


def numbers(values: xr.DataArray | np.ndarray) -> dict[str, float]:
    """Mean over seeds and its 95 % t-interval, as columns of a table."""
    sample = np.asarray(values, dtype=float)
    mean, _, low, high = interval(sample)
    return {"mean": mean, "low": low, "high": high, "n": int(np.isfinite(sample).sum())}


def bars(frame: pd.DataFrame, within: tuple[float, float] = ANYTHING, log: bool = False) -> np.ndarray:
    """Lengths of error bars from the columns mean, low, high (none where there is no interval).

    They are cut at what can be (``within``). On a logarithmic axis no bar goes below a tenth of the mean: an interval
    that reaches 0 would have no end.
    """
    low = np.maximum(frame["low"], 0.1 * frame["mean"]) if log else frame["low"]
    low = np.where(frame["low"].isna(), np.nan, np.clip(low, *within))
    length = np.nan_to_num(np.stack([frame["mean"] - low, frame["high"].clip(*within) - frame["mean"]]).astype(float))
    return np.maximum(length, 0.0)


def points(
    axis: Axes, table: pd.DataFrame, x: str, method: str, within: tuple[float, float] = ANYTHING, **line: Any
) -> None:
    """Means with their intervals against a column of the table, in the colour and with the mark of a method."""
    if table.empty:
        return
    drawn = {"color": colour(method), "marker": MARKERS[method]} | MARKED | line
    axis.errorbar(table[x], table["mean"], yerr=bars(table, within, axis.get_yscale() == "log"), **drawn)


def ribbon(
    axis: Axes, table: pd.DataFrame, x: str, method: str, within: tuple[float, float] = ANYTHING, **line: Any
) -> None:
    """A line of means with a band of their intervals, in the colour of a method."""
    if table.empty:
        return
    length = bars(table, within, axis.get_yscale() == "log")
    dots = {"marker": MARKERS[method] if len(table) <= FEW else "", "markersize": 3}
    axis.plot(table[x], table["mean"], **({"color": colour(method), "linewidth": 1.3} | dots | line))
    axis.fill_between(table[x], table["mean"] - length[0], table["mean"] + length[1],
                      color=line.get("color", colour(method)), alpha=0.15, linewidth=0)  # fmt: skip


def scaled(axis: Axes, tables: Iterable[pd.DataFrame]) -> None:
    """A logarithmic ordinate where everything that is to be drawn is above 0; before it is drawn."""
    means = np.concatenate([table["mean"].to_numpy(float) for table in tables if not table.empty] or [np.zeros(1)])
    if (means[np.isfinite(means)] > 0).all():
        axis.set_yscale("log")


def few_decades(axis: Axes, along: Literal["x", "y"] = "y") -> None:
    """Plain numbers on a logarithmic axis of less than two decades, powers of ten on a longer one."""
    low, high = axis.get_ylim() if along == "y" else axis.get_xlim()
    of = axis.yaxis if along == "y" else axis.xaxis
    if low > 0 and high / low < 100:
        subs = next(some for span, some in SUBS if high / low < span)
        of.set_major_locator(LogLocator(subs=subs))
        of.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    of.set_minor_formatter(NullFormatter())


def only_ticks(axis: Axes, values: Sequence[float]) -> None:
    """Ticks of the abscissa at the values that were run and nowhere else, as plain numbers."""
    axis.set_xticks(list(values), [f"{value:,g}" if value < 1e6 else f"{value:.0e}" for value in values])
    axis.xaxis.set_minor_locator(NullLocator())


def gather(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables drawn, one after the other, without the empty ones."""
    kept = [table for table in tables if not table.empty]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame({"note": ["nothing to draw in this study"]})


def handle(method: str, **line: Any) -> Line2D:
    """The entry of a method in a legend."""
    entry: dict[str, Any] = {"color": colour(method), "marker": MARKERS[method], "markersize": 3.5, "linewidth": 1.3}
    return Line2D([], [], **(entry | {"label": WORDS[method]} | line))


def handles(methods: Iterable[str], **line: Any) -> list[Line2D]:
    """Entries of a legend for the methods given, in their order."""
    given = set(methods)
    return [handle(method, **line) for method in METHODS if method in given]


def grey(words: str, **line: Any) -> Line2D:
    """An entry of a legend for a style of line, whatever its colour."""
    entry: dict[str, Any] = {"color": "0.3", "linewidth": 1.3, "label": words}
    return Line2D([], [], **(entry | line))
