"""What Figures 7, 8 and 9 have in common: a row of mosaics of degenerated images, beside Python's random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.degeneration.figures.common import (
    ABSENT,
    KIND_WORDS,
    SYSTEM_WORDS,
    WIDTH,
    Drawn,
    absent,
    base,
    byte_numbers,
    letters,
    originals,
    pick,
    pictured,
    reference,
    reference_pictures,
    shape_of,
    show,
    used,
)

SIDE = 4  # images of a block, along each side


@dataclass(frozen=True)
class Block:
    """A mosaic: its title, what is below it, the images in bytes (image, pixel), and a row of the table."""

    title: str
    below: str
    pixels: np.ndarray
    row: dict[str, object]


def measured(study: xr.Dataset, run: int, passed: float, seed: float, name: str) -> float:
    """A number of the seed shown, at the pass shown; NaN where there is none."""
    values = pick(study, name, run, passed=passed, seed=seed)
    return float(values) if values is not None and values.ndim == 0 else np.nan


def of_run(study: xr.Dataset, kind: str, passed: float | None, quoted: Sequence[str] = ()) -> Block:
    """The outputs of the run nearest to the settings, after a pass, with the metrics asked for below them."""
    run = base(study, kind)
    row: dict[str, object] = {"block": kind}
    if run is None or passed is None or not np.isfinite(passed):
        return Block(KIND_WORDS[kind], "", np.empty((0, 0)), row)
    pixels, seed = pictured(study, run, passed)
    row |= {"passed": passed, "seed": seed}
    words = [used(study, run, passed)]
    for name in quoted:
        row[name] = measured(study, run, passed, seed, name)
        words.append(said(name, float(str(row[name]))))
    return Block(KIND_WORDS[kind], "\n".join(w for w in words if w), pixels, row)


def of_reference(study: xr.Dataset, system: str, quoted: Sequence[str] = ()) -> Block:
    """The outputs of a reference, with the means of the metrics asked for."""
    row: dict[str, object] = {"block": system}
    words = [""]
    for name in quoted:
        values = reference(study, system, name)
        row[name] = float(values.mean()) if len(values) else np.nan
        words.append(said(name, float(str(row[name]))))
    return Block(SYSTEM_WORDS[system], "\n".join(w for w in words if w), reference_pictures(study, system), row)


def of_originals(study: xr.Dataset) -> Block:
    """The images themselves."""
    return Block("images", "held out", originals(study), {"block": "original"})


def said(name: str, value: float) -> str:
    """A metric in words; nothing where it was not measured."""
    words = {"sample_correlation": "correlation {:.3f}", "participation_ratio": "participation {:#.2g}",
             "bits_per_byte": "{:.3f} bits per byte"}  # fmt: skip
    return words[name].format(value) if np.isfinite(value) else ""


def row_of_blocks(study: xr.Dataset, blocks: Sequence[Block], empty: str) -> Drawn:
    """The mosaics side by side, and the table of what is shown."""
    if not any(len(block.pixels) for block in blocks):
        return absent(f"{empty}: {ABSENT}")
    figure = Figure(figsize=(WIDTH, WIDTH / len(blocks) + 0.75))
    axes = list(np.atleast_1d(figure.subplots(1, len(blocks))))
    rows = []
    for axis, block in zip(axes, blocks, strict=True):
        pixels = block.pixels[: SIDE**2]
        show(axis, pixels, shape_of(study, pixels.shape[1]), SIDE)
        axis.set_title(block.title, fontsize="small")
        if len(pixels) and block.below:
            axis.set_xlabel(block.below, fontsize="small")
        rows.append({**block.row, **byte_numbers(pixels)})
    letters(axes)
    return figure, pd.DataFrame(rows)
