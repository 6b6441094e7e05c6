"""Figure 2: bits per byte against passes, of the GAN and of the DAN."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from advdyn.degeneration.figures.common import (
    ABSENT,
    RULE,
    SYSTEM_WORDS,
    WIDTH,
    Drawn,
    absent,
    bases,
    blank,
    colour,
    counts,
    curve,
    few_decades,
    gather,
    handle,
    handles,
    letters,
    numbers,
    points,
    reference,
    seeds,
    ticks,
)

LINES = {"untouched": (0, (1, 1.2)), "danoise": (0, (4, 2))}


def bits(study: xr.Dataset) -> Drawn:
    """Bits per byte of what a GAN generates and of what a DAN degenerates, and what is missing to 8."""
    there = bases(study)
    curves = {kind: curve(study, run, "bits_per_byte") for kind, run in there.items()}
    curves = {kind: found for kind, found in curves.items() if len(found[0])}
    if not curves:
        return absent(f"bits per byte: {ABSENT}")
    figure = Figure(figsize=(WIDTH, 3.1))
    axes = list(figure.subplots(1, 2))
    rows = []
    missing = [8 - values[values < 8].max() for _, values in curves.values() if (values < 8).any()]
    for kind, (x, values) in curves.items():
        made = points(axes[0], x, values, colour(kind), "passed", (0.0, 8.0))
        rows.append(made.assign(kind=kind, quantity="bits per byte"))
        lost = np.maximum(8 - values, 0.0)
        lost = np.where(lost > 0, lost, np.nan)
        smallest = float(np.nanmin(lost)) if np.isfinite(lost).any() else 0.0  # a logarithm has no interval down to 0
        made = points(axes[1], x, lost, colour(kind), "passed", (smallest, 8.0))
        rows.append(made.assign(kind=kind, quantity="missing to 8 bits"))
    entries = handles(curves)
    for system, line in LINES.items():
        found = numbers(reference(study, system, "bits_per_byte"), "draws")
        if np.isfinite(found["mean"]):
            style = {"color": colour(system), "linewidth": 1.1, "linestyle": line}
            axes[0].axhline(found["mean"], **style)
            if found["mean"] < 8:
                axes[1].axhline(8 - found["mean"], **style)
                missing.append(8 - found["mean"])
            entries.append(handle(f"images, {SYSTEM_WORDS[system]}" if system == "untouched" else SYSTEM_WORDS[system],
                                  **style))  # fmt: skip
            rows.append(pd.DataFrame([{"system": system, "quantity": "bits per byte", **found}]))
    axes[0].axhline(8, **(RULE | {"linestyle": "-", "color": "0.7"}), zorder=0)
    axes[0].set(ylim=(0, 8.5), ylabel="bits per byte", title="information in a byte")
    if missing:
        axes[1].set(yscale="log", ylabel="8 − bits per byte", title="missing to a byte's 8 bits")
        few_decades(axes[1])
    else:
        blank(axes[1], "nothing is missing to 8 bits")
    for axis in axes:
        axis.set_xlabel("passes through the images")
        ticks(axis, np.concatenate([x for x, _ in curves.values()]))
    letters(axes)
    over = "; ".join(filter(None, (counts(study, [there[kind] for kind in curves]), seeds(rows))))
    figure.legend(handles=entries, loc="outside lower center", ncols=3, fontsize="small",
                  title=over or None, title_fontsize="small")  # fmt: skip
    return figure, gather(rows)
