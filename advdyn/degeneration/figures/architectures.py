"""Figure 5: the GAN and the DAN drawn with the sizes of their layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from advdyn.degeneration.figures.common import (
    ABSENT,
    WIDTH,
    Drawn,
    absent,
    base,
    blank,
    colour,
    last_pass,
    mosaic,
    originals,
    pictured,
    reference_pictures,
    rows_of_runs,
    settings,
    shape_of,
)

HIGH = 1.0  # of the largest layer, in units of the panel
THICK = 0.16
PITCH = 0.62
END = 9.3
LAYERS = 5  # of a generator; a degenerator has one less


def architectures(study: xr.Dataset) -> Drawn:
    """Both games, layer by layer: noise to data, and data to noise."""
    gan, generator, dan = base(study, "gan"), base(study, "generator"), base(study, "degenerator")
    above = gan if gan is not None else generator
    if above is None and dan is None:
        return absent(f"networks: {ABSENT}")
    pixels = study.sizes.get("pixel", 0) or len(next(iter([originals(study)[:1].ravel()])))
    figure = Figure(figsize=(WIDTH, 4.3))
    axes = figure.subplots(2, 1)
    rows: list[dict[str, Any]] = []
    images, noise = originals(study)[:1], reference_pictures(study, "danoise")[:1]
    if above is None:
        blank(axes[0])
    else:
        point = settings(study) | rows_of_runs(study)[above]
        made = pictured(study, above, last_pass(study, above))[0][:1]
        width = int(point["width"])
        sizes = [int(point.get("latent", 0)), width // 4, width // 2, width, pixels]
        rows += _game(axes[0], study, "GAN", "G", sizes, point, None, r"$z\sim\mathcal{N}(0,1)$", made, "$G(z)$",
                      images if above == gan else noise, "image" if above == gan else "DANOISE")  # fmt: skip
        more = "batch norm in hidden layers of G; " if point.get("batch_normalisation") else ""
        reading = "generator reading of the DAN: the same, images replaced by DANOISE"
        words = f"{more}{reading if above == gan else 'as the GAN, images replaced by DANOISE'}"
        axes[0].text(-0.3, -1.15, words, fontsize="x-small", color="0.3", va="top")
    if dan is None:
        blank(axes[1])
    else:
        point = settings(study) | rows_of_runs(study)[dan]
        made = pictured(study, dan, last_pass(study, dan))[0][:1]
        width = int(point["width"])
        words = rf"$x + {float(point.get('sigma', np.nan)):g}\,u$"
        rows += _game(axes[1], study, "DAN", "Deg", [pixels, width, width, pixels], point, images, words, made,
                      "degenerated", noise, "DANOISE")  # fmt: skip
        more = "; D also sees the standard deviation over its batch" if point.get("minibatch_feature") else ""
        words = rf"degenerator reading: $u$ uniform in $(-1, 1)$ for every pixel, bytes $\lfloor 256\,f\rfloor${more}"
        axes[1].text(-0.3, -1.15, words, fontsize="x-small", color="0.3", va="top")
    first_words = (
        "GAN: noise into data" if gan is not None or above is None else "DAN, generator reading: noise into noise"
    )
    for axis, letter, words in zip(axes, "ab", (first_words, "DAN: data into noise"), strict=True):
        axis.set_title(rf"$\bf{{{letter}}}$  {words}", loc="left")
    return figure, pd.DataFrame(rows)


def _game(
    axis: Axes,
    study: xr.Dataset,
    game: str,
    player: str,
    sizes: Sequence[int],
    point: dict[str, Any],
    first: np.ndarray | None,
    first_words: str,
    made: np.ndarray,
    made_words: str,
    real: np.ndarray,
    real_words: str,
) -> list[dict[str, Any]]:
    """Input, player, output; below it the real data; both into the discriminator, and its probability."""
    d_width, pixels = int(point["d_width"]), sizes[-1]
    judge = [pixels, d_width, d_width // 2, 1]
    largest = max(*sizes, *judge)
    shape = shape_of(study, pixels)
    middle = 0.35
    _thumbnail(axis, first, (0.0, middle), shape, first_words)
    left = 1.0 + PITCH * (LAYERS - len(sizes))
    ends = _layers(axis, sizes, left, middle, largest, colour("gan" if game == "GAN" else "degenerator"))
    axis.text((ends[0] + ends[-1]) / 2, middle + HIGH / 2 + 0.14, player, ha="center", va="bottom", fontsize="medium")
    start = 0.36 if first is not None and len(first) else 0.55
    _arrow(axis, (start, middle), (ends[0] - THICK, middle))
    out = ends[-1] + 0.95
    _thumbnail(axis, made, (out, middle), shape, made_words)
    _arrow(axis, (ends[-1] + THICK, middle), (out - 0.36, middle))
    _thumbnail(axis, real, (out, middle - 0.85), shape, real_words, below=True)
    enter = out + 1.25
    stops = _layers(axis, judge, enter, middle - 0.35, largest, "0.45")
    axis.text(
        (stops[0] + stops[-1]) / 2, middle - 0.35 + HIGH / 2 + 0.14, "D", ha="center", va="bottom", fontsize="medium"
    )
    for level in (middle, middle - 0.85):
        _arrow(axis, (out + 0.36, level), (enter - THICK, middle - 0.35 + 0.3 * np.sign(level - middle + 0.4)))
    _arrow(axis, (stops[-1] + THICK, middle - 0.35), (stops[-1] + 0.55, middle - 0.35))
    axis.text(stops[-1] + 0.62, middle - 0.35, f"P({real_words})", ha="left", va="center", fontsize="small")
    axis.set(xlim=(-0.45, END), ylim=(-1.3, 1.15), aspect="equal")
    axis.set_axis_off()
    return [
        {"game": game, "network": name, "layer": k, "units": size}
        for name, layers in ((player, sizes), ("D", judge))
        for k, size in enumerate(layers)
    ]


def _layers(axis: Axes, sizes: Sequence[int], left: float, middle: float, largest: int, face: Any) -> list[float]:
    """Boxes whose heights grow with the logarithm of the layers' sizes; their places."""
    places = [left + PITCH * k for k in range(len(sizes))]
    for k, (place, size) in enumerate(zip(places, sizes, strict=True)):
        high = HIGH * (0.1 + 0.9 * np.log(max(size, 1)) / np.log(max(largest, 2)))
        box = (place - THICK / 2, middle - high / 2)
        axis.add_patch(Rectangle(box, THICK, high, facecolor=face, edgecolor="black", linewidth=0.6))
        axis.text(place, middle - high / 2 - 0.05, f"{size}", ha="center", va="top", fontsize="x-small")
        if k:
            _arrow(axis, (places[k - 1] + THICK / 2, middle), (place - THICK / 2, middle), plain=True)
    return places


def _thumbnail(
    axis: Axes,
    image: np.ndarray | None,
    centre: tuple[float, float],
    shape: Sequence[int],
    words: str,
    below: bool = True,
) -> None:
    """A picture with its name; the name alone where there is no picture."""
    x, y = centre
    if image is None or not len(image):
        axis.text(x, y, words, ha="center", va="center", fontsize="small")
        return
    axis.imshow(mosaic(image, shape, 1), extent=(x - 0.3, x + 0.3, y - 0.3, y + 0.3), interpolation="nearest", zorder=2)
    axis.text(x, y - 0.34 if below else y + 0.34, words, ha="center", va="top" if below else "bottom", fontsize="small")


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], plain: bool = False) -> None:
    style = "-" if plain else "-|>"
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle=style, mutation_scale=7, linewidth=0.8, color="0.3",
                                   shrinkA=0, shrinkB=0))  # fmt: skip
