"""What the figures of the study share: colours, pictures, lines over seeds, bands of references, empty panels."""

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
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from advdyn.figures import CATEGORICAL
from advdyn.generation.view import SOURCES, Cell, View
from advdyn.intervals import interval

Drawn = tuple[Figure, pd.DataFrame]

WIDTH = 7.2  # inches: two columns of a paper
MARK = 0.18
BYTE = 255.0
APART = 0.06  # between two images side by side, of their width
EPOCH = "epoch"
SAMPLES = "GAN"
# of the colourblind palette, the same in every figure
PALETTE = {SAMPLES: 0, "real": 2, "copies": 4, "gaussian": 1, "noise": 7, "game": 3}
LINES: dict[str, Any] = {
    "real": "-",
    "copies": (0, (4, 1.5)),
    "gaussian": (0, (5, 1.5, 1, 1.5)),
    "noise": (0, (1, 1.2)),
}
MARKED: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.3, "elinewidth": 0.9, "capsize": 0}
ANYTHING = (-np.inf, np.inf)
SHARE = (0.0, 1.0)
ABSENT = "not in this study's grid"


def colour(kind: str) -> Any:
    """The colour of the GAN, of the discriminator in the game, or of a reference."""
    return sns.color_palette(CATEGORICAL)[PALETTE[kind]]


def absent(words: str) -> Drawn:
    """A figure that says what the study does not have, and a table that says the same."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [words]})


def mark(study: xr.Dataset) -> float:
    """Inches at the bottom for the mark of an unfinished study; 0 of a finished one."""
    return MARK if study.attrs.get("partial") else 0.0


def page(study: xr.Dataset, height: float) -> Figure:
    """A figure of the full width, with room for the mark of an unfinished study."""
    below = mark(study)
    figure = Figure(figsize=(WIDTH, height + below))
    engine: Any = figure.get_layout_engine()
    if below and engine is not None:
        engine.set(rect=(0, below / (height + below), 1, height / (height + below)))
    return figure


def blank(axis: Axes, words: str = ABSENT) -> None:
    """A panel that says it is empty (and leaves the ticks alone, which it may share)."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color="0.4", fontsize="small",
              wrap=True)  # fmt: skip
    axis.set_axis_off()


def letters(axes: Iterable[Axes]) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(string.ascii_lowercase, axes, strict=False):
        title, size = axis.get_title(), axis.title.get_fontsize()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left", fontsize=size)


def images(seen: View, cell: Cell) -> str:
    """A run in words: what it differs from the settings in, and the number of training images."""
    differs, n = seen.words(cell), seen.value_of(cell, "n_train")
    words = [] if differs == "as set" else [differs]
    return ", ".join([*words, f"{n:,.0f} training images"] if n is not None else words)


def about(seen: View, cell: Cell) -> str:
    """A run in words, for a title: with its seeds, and how many diverged."""
    n, lost = len(seen.seeds(cell)), len(seen.diverged(cell))
    words = [images(seen, cell), f"{n} seed{'s' if n != 1 else ''}" + (f", {lost} diverged" if lost else "")]
    return ", ".join(filter(None, words))


def shown_seed(seen: View, cell: Cell) -> tuple[Any, str]:
    """The seed whose pictures are shown, the first that did not diverge, and it in words."""
    lost, seeds = seen.diverged(cell), seen.seeds(cell)
    sound = [seed for seed in seeds if seed not in lost]
    seed = sound[0] if sound else seeds[0]
    count = f" (of {len(seeds)})" if len(seeds) > 1 else ""
    return seed, f"seed {seed:g}{count}" + ("" if sound else ", diverged")


def diverged_at(seen: View, cell: Cell, seed: Any) -> float:
    """The epoch in which a run diverged, infinite if it did not: of the generators kept from then on there is none."""
    if seed not in seen.diverged(cell):
        return np.inf
    found = seen.at(cell, "diverged_epoch")
    epoch = float(found.sel(seed=seed)) if "seed" in found.dims and found.size else np.nan
    return epoch if np.isfinite(epoch) else 0.0


def picture(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A flat image of bytes as rows and columns of [0, 1], colours last where it has three; others as their mean."""
    image = np.nan_to_num(np.asarray(values, dtype=float)).reshape(shape) / BYTE
    if image.ndim == 3:
        if image.shape[-1] == 3:
            return image
        return np.moveaxis(image, 0, -1) if image.shape[0] == 3 else image.mean(0 if image.shape[0] < 5 else -1)
    return image if image.ndim == 2 else image.reshape(-1, shape[-1])


def strip(axis: Axes, images: np.ndarray, shape: tuple[int, ...], columns: int) -> None:
    """Images of bytes side by side on axes without ticks, at most so many; room is left for those that lack."""
    tiles = [picture(image, shape) for image in images[:columns]]
    rows, width = tiles[0].shape[:2]
    pitch = width + max(1, round(APART * width))
    canvas = np.ones((rows, columns * pitch - (pitch - width), *tiles[0].shape[2:]))
    for i, tile in enumerate(tiles):
        canvas[:, i * pitch : i * pitch + width] = tile
    axis.imshow(canvas, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_axis_off()


def numbers(values: xr.DataArray | np.ndarray) -> dict[str, float]:
    """Mean over seeds or draws and its 95 % t-interval, as columns of a table."""
    sample = np.asarray(values, dtype=float)
    mean, _, low, high = interval(sample)
    return {"mean": mean, "low": low, "high": high, "n": int(np.isfinite(sample).sum())}


def bars(frame: pd.DataFrame, log: bool = False, within: tuple[float, float] = ANYTHING) -> np.ndarray:
    """Lengths of error bars from the columns mean, low, high (none where there is no interval).

    They are cut at what can be (``within``). On a logarithmic axis no bar goes below a tenth of the mean: an interval
    that reaches 0 would have no end.
    """
    low = np.maximum(frame["low"], 0.1 * frame["mean"]) if log else frame["low"]
    low = np.where(frame["low"].isna(), np.nan, np.clip(low, *within))
    length = np.nan_to_num(np.stack([frame["mean"] - low, frame["high"].clip(*within) - frame["mean"]]).astype(float))
    return np.maximum(length, 0.0)


def over_epochs(values: xr.DataArray, along: str) -> pd.DataFrame:
    """Mean and interval over seeds along ``along`` (kept or epoch), where any seed has a number."""
    if along not in values.dims or "seed" not in values.dims or not values.size:
        return pd.DataFrame()
    rows = [{EPOCH: float(e)} | numbers(values.sel({along: e}).values) for e in values[along].values]
    table = pd.DataFrame(rows)
    return table[table["n"] > 0].reset_index(drop=True)


def curve(
    axis: Axes,
    values: xr.DataArray,
    along: str,
    colour: Any,
    log: bool = False,
    bars_every: bool = True,
    within: tuple[float, float] = ANYTHING,
    **line: Any,
) -> pd.DataFrame:
    """The mean over seeds along the epochs with its 95 % t-interval, as bars or as a band; what was drawn."""
    table = over_epochs(values, along)
    if table.empty:
        return table
    length = bars(table, log, within)
    if bars_every:
        axis.errorbar(table[EPOCH], table["mean"], yerr=length, color=colour, **(MARKED | line))
    else:
        dots = {"marker": "." if len(table) < 3 else ""}
        axis.plot(table[EPOCH], table["mean"], color=colour, **({"linewidth": 1.3} | dots | line))
        axis.fill_between(table[EPOCH], table["mean"] - length[0], table["mean"] + length[1], color=colour, alpha=0.2,
                          linewidth=0)  # fmt: skip
    return table


def band(
    axis: Axes, draws: xr.DataArray, source: str, within: tuple[float, float] = ANYTHING
) -> dict[str, float] | None:
    """A reference as a line across the panel, and a band of its interval over draws; its numbers."""
    if not draws.size:
        return None
    found = numbers(draws)
    axis.axhline(found["mean"], color=colour(source), linestyle=LINES[source], linewidth=1.1, zorder=1)
    if np.isfinite(found["low"]):
        axis.axhspan(
            max(found["low"], within[0]),
            min(found["high"], within[1]),
            color=colour(source),
            alpha=0.15,
            linewidth=0,
            zorder=0,
        )
    return found


def few_decades(axis: Axes, along: Literal["x", "y"] = "y") -> None:
    """Plain numbers on a logarithmic axis of less than two decades, powers of ten on a longer one."""
    low, high = axis.get_ylim() if along == "y" else axis.get_xlim()
    of = axis.yaxis if along == "y" else axis.xaxis
    if low > 0 and high / low < 100:
        of.set_major_locator(LogLocator(subs=(1, 2, 5)))
        of.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    of.set_minor_formatter(NullFormatter())


def whole_epochs(axis: Axes, epochs: Sequence[float] | np.ndarray) -> None:
    """An abscissa over all epochs, also where a run has fewer; ticks at whole ones."""
    if not len(epochs):
        return
    first, last = float(min(epochs)), float(max(epochs))
    room = 0.04 * max(last - first, 1.0)
    axis.set_xlim(first - room, last + room)
    if last <= 5:
        axis.set_xticks(np.arange(first, last + 1))


def gather(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables drawn, one after the other, without the empty ones."""
    kept = [table for table in tables if not table.empty]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame({"note": ["nothing to draw in this study"]})


def source_handles(sources: Iterable[str]) -> list[Line2D]:
    """Entries of a legend for the references."""
    return [Line2D([], [], color=colour(s), linestyle=LINES[s], linewidth=1.1, label=SOURCES[s]) for s in sources]


def handle(words: str, kind: str, **line: Any) -> Line2D:
    """One entry of a legend."""
    entry: dict[str, Any] = {"color": colour(kind), "linewidth": 1.3, "label": words}
    return Line2D([], [], **(entry | line))
