"""Figures: one style, byte-stable files, and the numbers drawn beside each figure."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from advdyn import io, job
from advdyn.atomic import whole

CATEGORICAL = "colorblind"
ORDERED = "viridis"
FORMATS = (".pdf", ".svg", ".png")
RC = {
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "advdyn",
    "savefig.dpi": 200,
    "axes.titlesize": "medium",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """The house style: seaborn's paper context and ticks, colourblind-safe categories."""
    with matplotlib.rc_context():
        sns.set_theme(context="paper", style="ticks", palette=CATEGORICAL, rc=RC)
        yield


def ordered(n: int) -> list[tuple[float, float, float]]:
    """``n`` colours for an ordered parameter, from viridis without its palest end."""
    return list(sns.color_palette(ORDERED, n_colors=n + 1))[:n]


def settle(figure: Figure) -> None:
    """Lay the figure out, once for all formats, and round where its axes are.

    The solver of the layout adds numbers in an order that depends on addresses in memory: positions differ in their
    last bits between two runs, and names in an SVG are digests of them.
    """
    figure.draw_without_rendering()
    figure.draw_without_rendering()  # the space that text takes follows from the first
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = axes.get_position(original=True).bounds
        axes.set_position((round(left, 7), round(bottom, 7), round(width, 7), round(height, 7)))


def save(figure: Figure, data: pd.DataFrame, outputs: Sequence[str], partial: str = "") -> None:
    """Write the figure to every output by its suffix (.pdf .svg .png) and its data to the .csv.

    The same figure gives the same bytes: no dates in the metadata, a fixed salt for SVG ids. A figure of
    an unfinished study says so: ``partial`` is what it was drawn from ("30 of 40 jobs").

    Raises
    ------
    ValueError
        When an output has another suffix.
    """
    if partial:
        figure.text(0.005, 0.005, f"partial: {partial}", ha="left", va="bottom", color="C3", fontweight="bold")
    settle(figure)
    for output in outputs:
        suffix = Path(output).suffix
        if suffix == ".csv":
            io.write_table(data, output)
            continue
        if suffix not in FORMATS:
            raise ValueError(f"{output}: a figure is written as {', '.join(FORMATS)} and .csv")
        metadata = {".pdf": {"CreationDate": None, "ModDate": None}, ".svg": {"Date": None}, ".png": {"Software": None}}
        with whole(output) as part:
            figure.savefig(part, metadata=metadata[suffix])


def draw(
    snakemake: Any, source: str, function: Callable[..., tuple[Figure, pd.DataFrame]], panel: bool = False
) -> None:
    """What every figure's script does: draw the data set that the rule calls ``source``, and save all its files.

    With ``panel``, ``function`` is handed the panel that the job's wildcard names, as well.
    """
    with job.of(snakemake), style():
        dataset = io.read(getattr(snakemake.input, source))
        figure, data = function(dataset, snakemake.wildcards.panel) if panel else function(dataset)
        save(figure, data, snakemake.output, partial=dataset.attrs.get("partial", ""))
