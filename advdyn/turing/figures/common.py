"""What the figures of the study share: colours of runs, lines over seeds, mosaics, and what to draw without data."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from advdyn import figures, io, job
from advdyn.figures import CATEGORICAL
from advdyn.intervals import interval
from advdyn.turing import spatial
from advdyn.turing.view import View

Drawn = tuple[Figure, pd.DataFrame]

WIDTH = 7.2  # inches: two columns of a paper
DIVERGING = "RdBu_r"
ADVERSARIES = ("without", "with")
NETS = {"theory": "theory net", "full": "full net"}
NEAR = 0.02  # relative difference of times that are compared: steps do not divide every time
HALF = 3  # recorded times that an exponent over the last half of a time is fitted to, at least
STRUCTURED = 0.15  # Moran's I above which an input is an image; of noise at 28 x 28 it is 0 ± 0.03
TIME = r"time $\eta\,\times$ steps"
DISTANCE_U = r"$|u_j(t)-u_j(0)|$"
DISTANCE_V = r"$|v_j(t)-v_j(0)|$"
# of the colourblind palette, the same in every figure
PALETTE = {"without": 0, "with": 3, "label-scaled": 2, "frozen-critic": 4, "random-field": 1, "permuted-pixels": 9,
           "plus": 5}  # fmt: skip
WORDS = {
    "without": "without diffusion", "with": "with diffusion", "label-scaled": "labels scaled",
    "frozen-critic": "critic frozen", "random-field": "random field", "permuted-pixels": "pixels permuted",
    "plus": "poster's plus sign",
}  # fmt: skip
# the bounds: name, and how each is drawn in every figure
BOUNDS: dict[str, tuple[str, Any]] = {
    "B0": ("B0, as printed", (0, (1, 1))),
    "B1": ("B1, Theorem 1", (0, (5, 1.5))),
    "B2": ("B2, Theorem 2", (0, (5, 1.5))),
    "B1a": ("B1′, measured Gram", (0, (5, 1.5, 1, 1.5))),
    "B3": ("B3, moving critic", (0, (5, 1.5, 1, 1.5))),
    "B4": (r"B4, $\int|\xi|$", (0, (2, 1.2))),
    "B4v": (r"B4$_v$, $\int|\xi|$", (0, (2, 1.2))),
}
BOUND_SHADES = {"B0": 7, "B1": 2, "B1a": 4, "B2": 2, "B3": 4, "B4": 1, "B4v": 1}
# both theorems' bounds look alike, as do the two after them: one is of runs without the adversary, one of runs with it
BOUND_WORDS = {"B0": "B0, as printed", "B1": "B1 | B2, Theorems 1 | 2", "B1a": "B1′ | B3, measured Gram, TV($q$)",
               "B4": r"B4, $\int|\xi|\,dt$"}  # fmt: skip
THIN: dict[str, Any] = {"linewidth": 0.6, "alpha": 0.55}
MARKED: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.2, "elinewidth": 0.9, "capsize": 0}


def shade(place: int) -> Any:
    """A colour of the palette."""
    return sns.color_palette(CATEGORICAL)[place]


def colour(kind: str) -> Any:
    """The colour of runs without or with the adversary, or of a control."""
    return shade(PALETTE[kind]) if kind in PALETTE else "black"


def bound_colour(bound: str) -> Any:
    """The colour of a bound, the same whichever run it is a bound of."""
    return shade(BOUND_SHADES[bound])


def rows_of(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure one below the other."""
    made: Any = figure.subfigures(len(heights), 1, height_ratios=list(heights), squeeze=False)
    return list(made[:, 0])


def absent(words: str) -> Drawn:
    """A figure that says what the study does not have, and a table that says the same."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [words]})


def draw_both(snakemake: Any, function: Callable[[xr.Dataset, xr.Dataset], Drawn]) -> None:
    """What the script of a figure does that needs the collected study and the illustrations."""
    with job.of(snakemake), figures.style():
        study, pictures = io.read(snakemake.input.study), io.read(snakemake.input.pictures)
        figure, data = function(study, pictures)
        partial = study.attrs.get("partial", "") or pictures.attrs.get("partial", "")
        figures.save(figure, data, snakemake.output, partial=partial)


def two(seen: View, net: str, **wanted: Any) -> dict[str, int]:
    """The run without and the run with the adversary next to the settings, equal in all else where such a pair exists.

    Where there is no pair: whichever of the two there is.
    """
    pair = seen.pair(net=net, **wanted)
    if pair is not None:
        return dict(zip(ADVERSARIES, pair, strict=True))
    found = {adversary: seen.base(net=net, adversary=adversary, **wanted) for adversary in ADVERSARIES}
    return {adversary: run for adversary, run in found.items() if run is not None}


def label(seen: View, run: int) -> str:
    """A run's data set and size, for the title of a panel."""
    row = seen.rows[run]
    return f"{NETS.get(row['net'], row['net'])}, {row['dataset']}"


def letters(axes: Iterable[Axes]) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(string.ascii_lowercase, axes, strict=False):
        title, size = axis.get_title(), axis.title.get_fontsize()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left", fontsize=size)


def blank(axis: Axes, words: str = "not in this study") -> None:
    """A panel that says it is empty (and leaves the ticks alone, which it may share)."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color="0.4", fontsize="small",
              wrap=True)  # fmt: skip
    axis.set_axis_off()


def ticks(axis: Axes, values: Iterable[float], most: int = 5) -> None:
    """The values that there are as ticks of the abscissa, at most so many of them and none close to another."""
    there = sorted({float(v) for v in values})
    kept = [there[i] for i in np.unique(np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(int))]
    axis.set_xticks(kept, [f"{v:g}" for v in kept])
    axis.xaxis.set_minor_locator(NullLocator())


def few_decades(axis: Axes) -> None:
    """Plain numbers on a logarithmic ordinate of less than two decades, powers of ten on a longer one."""
    low, high = axis.get_ylim()
    if low > 0 and high / low < 100:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def from_zero(axis: Axes, values: Iterable[float]) -> None:
    """A logarithmic abscissa with the values as ticks; 0 has its place a little left of the smallest other one."""
    there = sorted({float(v) for v in values})
    positive = [v for v in there if v > 0]
    if not positive:
        ticks(axis, there)
        return
    least, most = positive[0], positive[-1]
    if there[0] > 0:
        axis.set_xscale("log")
        axis.set_xlim(least / 2, most * 2)
    else:
        axis.set_xscale("symlog", linthresh=least / 2, linscale=0.5)
        axis.set_xlim(-0.15 * least, most * 2)
    ticks(axis, there)


def over_seeds(values: xr.DataArray) -> xr.DataArray:
    """A curve (seed, time) without the seeds and times that it does not have."""
    if values.size == 0 or "time" not in values.dims:
        return values.isel({d: slice(0) for d in values.dims})
    return values.dropna("seed", how="all").dropna("time", how="all")


def lines(axis: Axes, curve: xr.DataArray, colour: Any, each: bool = True, **line: Any) -> pd.DataFrame:
    """The mean of a curve (seed, time) over the seeds that have it, and thin a line for each seed; what was drawn."""
    curve = over_seeds(curve)
    if curve.size == 0:
        return pd.DataFrame()
    values = curve.transpose("seed", "time").values.astype(float)
    time = curve["time"].values
    if each and len(values) > 1:
        for one in values:
            axis.plot(time, one, color=colour, **THIN)
    mean = mean_of(values)
    axis.plot(time, mean, color=colour, **({"linewidth": 1.6} | line))
    table = pd.DataFrame({"time": time, "mean": mean, "sd": spread_of(values), "seeds": np.isfinite(values).sum(0)})
    if each:
        for seed, one in zip(curve["seed"].values, values, strict=True):
            table[f"seed {int(seed)}"] = one
    return table


def mean_of(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is finite there; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(0)
    total = np.where(there, values, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread_of(values: np.ndarray) -> np.ndarray:
    """Standard deviation (n - 1) over the first axis of what is finite there; NaN where there are fewer than two."""
    there = np.isfinite(values)
    count = there.sum(0)
    squares = np.where(there, (values - mean_of(values)) ** 2, 0.0).sum(0)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def numbers(values: xr.DataArray | np.ndarray) -> dict[str, float]:
    """Mean over seeds and its 95 % t-interval, as columns of a table."""
    sample = np.asarray(values, dtype=float)
    mean, _, low, high = interval(sample)
    return {"mean": mean, "low": low, "high": high, "seeds": int(np.isfinite(sample).sum())}


def bars(frame: pd.DataFrame, log: bool = False) -> np.ndarray:
    """Lengths of error bars from the columns mean, low, high (none where there is no interval).

    On a logarithmic axis no bar goes below a tenth of the mean: an interval that reaches 0 would have no end.
    """
    low = np.maximum(frame["low"], 0.1 * frame["mean"]) if log else frame["low"]
    low = np.where(frame["low"].isna(), np.nan, low)
    return np.nan_to_num(np.stack([frame["mean"] - low, frame["high"] - frame["mean"]]).astype(float))


def gather(rows: list[pd.DataFrame]) -> pd.DataFrame:
    """The tables drawn, one after the other, without the empty ones."""
    rows = [row for row in rows if not row.empty]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"note": ["nothing to draw in this study"]})


def handles(kinds: Iterable[str]) -> list[Line2D]:
    """Entries of a legend for runs without and with the adversary, and for controls."""
    return [Line2D([], [], color=colour(k), linewidth=1.6, label=WORDS.get(k, k)) for k in kinds]


def handle(words: str, **line: Any) -> Line2D:
    """One entry of a legend."""
    entry: dict[str, Any] = {"color": "0.3", "linewidth": 1.2, "label": words}
    return Line2D([], [], **(entry | line))


# --- runs of different durations -----------------------------------------------------------------------------------


def lasting(seen: View, run: int) -> bool:
    """Whether a seed of a run has not diverged."""
    return len(seen.diverged(run)) < len(seen.seeds(run))


def common_time(seen: View, runs: Sequence[int]) -> float:
    """The last time that all of the runs reach; runs of which every seed diverged are not asked."""
    return min((float(seen.times(run)[-1]) for run in runs if lasting(seen, run)), default=np.inf)


def ends_at(seen: View, run: int, time: float) -> bool:
    """Whether a run ends at a time, so that what was measured at its end may stand beside what others have there."""
    return float(seen.times(run)[-1]) <= time * (1 + NEAR)


def recorded(curve: xr.DataArray, time: float) -> xr.DataArray:
    """A curve up to a time; none of it where it is not recorded at that time, or close to it."""
    if "time" not in curve.dims or curve.size == 0:
        return curve.isel({d: slice(0) for d in curve.dims})
    times = curve["time"].values
    kept = np.flatnonzero(times <= time * (1 + NEAR))
    there = len(kept) > 0 and (not np.isfinite(time) or times[kept[-1]] >= time * (1 - NEAR))
    return curve.isel(time=kept if there else slice(0))


def at_time(seen: View, run: int, variable: str, time: float, **where: str) -> xr.DataArray:
    """A variable over time of a run at that time, for each seed that has it; no seed where it is not recorded then."""
    curve = seen.at(run, variable)
    for name, value in where.items():
        if name not in curve.dims or value not in curve[name].values:
            return curve.isel({d: 0 for d in curve.dims if d != "seed"}, drop=True).isel(seed=slice(0))
        curve = curve.sel({name: value}, drop=True)
    curve = recorded(curve, time)
    if curve.size == 0:
        return xr.DataArray(np.empty(0), {"seed": seen.data["seed"].values[:0]}, ("seed",))
    return curve.isel(time=-1, drop=True).dropna("seed", how="all")


def late_exponent(seen: View, run: int, layer: str, time: float) -> xr.DataArray:
    """Slope of the log of the mean distance against log time over the last half of a time, for each seed.

    That of the diagnostics where the run ends then; of a longer run the same of its record up to that time, or no
    seed where the last half holds fewer than HALF recorded times.
    """
    if ends_at(seen, run, time):
        return seen.number(run, f"alpha_{layer}")
    curve = recorded(seen.at(run, f"d{layer}"), time)
    none = xr.DataArray(np.empty(0), {"seed": seen.data["seed"].values[:0]}, ("seed",))
    if curve.size == 0:
        return none
    mean = curve.astype(float).mean("neuron", skipna=False).transpose("seed", "time")
    t = mean["time"].values
    half = t >= t[-1] / 2 * (1 - 1e-9)
    moved = np.isfinite(mean.values).all(1) & (mean.values[:, half] > 0).all(1)
    if half.sum() < HALF or not moved.any():
        return none
    slope = np.polyfit(np.log(t[half]), np.log(mean.values[moved][:, half]).T, 1)[0]
    return xr.DataArray(slope, {"seed": mean["seed"].values[moved]}, ("seed",))


def left_out(axis: Axes, values: Iterable[float], name: str) -> None:
    """Say of which values there is a run that has nothing to compare at the time of the others."""
    there = sorted({float(v) for v in values})
    if there:
        axis.text(0.02, 0.02, f"left out, other duration:\n${name}$ = {', '.join(f'{v:g}' for v in there)}",
                  transform=axis.transAxes, ha="left", va="bottom", fontsize="x-small", color="0.4")  # fmt: skip


# --- illustrations -------------------------------------------------------------------------------------------------


def about(pictures: xr.Dataset) -> list[dict[str, str]]:
    """What each picture is of: data set, net, adversary, control, and the inputs as ``input_image`` names them.

    ``form`` is "raw" of networks that were shown their inputs as they are, next to others, see ``raw_inputs``.
    """
    names = {
        "net": "net",
        "adversary": "adversary",
        "control": "control",
        "inputs_of": "inputs",
        "dataset_of": "dataset",
    }
    rows = []
    forms = ["raw" if raw else "" for raw in raw_inputs(pictures)]
    for k in range(pictures.sizes.get("picture", 0)):
        row = {
            to: str(pictures[name].values[k])
            for name, to in names.items()
            if name in pictures.coords and pictures[name].dims == ("picture",)
        }
        row["inputs"] = row.get("inputs", row.get("dataset", ""))
        row["dataset"] = row["inputs"].split(",")[0]  # permuted pixels are inputs of their own
        row["form"] = forms[k]
        rows.append(row)
    return rows


def raw_inputs(pictures: xr.Dataset) -> np.ndarray:
    """Whether each picture is of a network that was shown its inputs as they are, not scaled to length 1."""
    if "inputs" in pictures and pictures["inputs"].dims == ("picture",):
        return np.array([str(v) == "raw" for v in pictures["inputs"].values], dtype=bool)
    return np.zeros(pictures.sizes.get("picture", 0), dtype=bool)


def pairs(pictures: xr.Dataset, **wanted: str) -> dict[str, int]:
    """Positions of the pictures without and with the adversary that are as wanted, as far as there are any.

    Of several: those with the weight and the penalty that most pictures have, and not of raw inputs (``form="raw"``
    asks for these).
    """
    usual = _usual(pictures)
    rows = about(pictures)
    there = [
        k
        for k, row in enumerate(rows)
        if all(row.get(name) == value for name, value in wanted.items()) and row.get("adversary") in ADVERSARIES
    ]
    form = min((rows[k]["form"] for k in there), default="")
    found: dict[str, int] = {}
    for k in sorted(there, key=lambda k: (not usual[k], k)):
        if rows[k]["form"] == form:
            found.setdefault(rows[k]["adversary"], k)
    return {adversary: found[adversary] for adversary in ADVERSARIES if adversary in found}


def _usual(pictures: xr.Dataset) -> np.ndarray:
    """Whether each picture has the weight and penalty that most with its adversary have; of several the largest."""
    names = [name for name in ("adversary_weight", "penalty") if name in pictures]
    count = pictures.sizes.get("picture", 0)
    if not names or "adversary" not in pictures:
        return np.ones(count, dtype=bool)
    values = [tuple(float(pictures[name].values[k]) for name in names) for k in range(count)]
    with_one = [v for v, a in zip(values, pictures["adversary"].values, strict=True) if str(a) == "with"]
    best = max(with_one, key=lambda v: (with_one.count(v), v), default=None)
    return np.array([v == best for v in values], dtype=bool)


def columns_of(pictures: xr.Dataset, inputs: str) -> list[tuple[dict[str, str], str, int]]:
    """What stands side by side: both nets without and with the adversary, then the same with raw inputs.

    Names for a table, words for a title, and the position of the picture.
    """
    made = []
    for form in ("", "raw"):
        for net in nets_of(pictures, inputs=inputs, form=form):
            words = f"{NETS[net]}, raw" if form else NETS[net]
            for adversary, position in pairs(pictures, net=net, inputs=inputs, form=form).items():
                names = {"inputs": inputs, "net": net, "form": form, "adversary": adversary}
                made.append((names, f"{words}\n{WORDS[adversary]}", position))
    return made


def nets_of(pictures: xr.Dataset, **wanted: str) -> list[str]:
    """Nets of which there are pictures: theory, then full."""
    there = {r.get("net") for r in about(pictures) if all(r.get(name) == value for name, value in wanted.items())}
    return [net for net in NETS if net in there]


def first_inputs(pictures: xr.Dataset) -> str:
    """The inputs to show: the first that are neither permuted nor synthetic, or the first of all."""
    inputs = list(dict.fromkeys(row["inputs"] for row in about(pictures)))
    plain = [name for name in inputs if "," not in name and not synthetic(pictures, name)]
    return (plain or inputs or [""])[0]


def synthetic(pictures: xr.Dataset, inputs: str) -> bool:
    """Whether inputs are no images: neighbouring pixels of the first example are as unlike as those of noise.

    Permuted pixels have that in common with them, and are told by their name.
    """
    if "," in inputs or "input_image" not in pictures or inputs not in pictures["dataset"].values:
        return False
    values = pictures["input_image"].sel(dataset=inputs).values.astype(float)
    values = values[np.isfinite(values)]
    shape = shape_of(pictures, inputs, values.size)
    if min(shape) < 2:
        return True
    moran = float(spatial.moran(values.reshape(shape)))
    return bool(np.isfinite(moran) and moran < STRUCTURED)


def known_shape(pictures: xr.Dataset, inputs: str) -> tuple[int, ...]:
    """The shape of an image as the illustrations tell it, without axes of length 1; () where they do not tell."""
    if "image_shape" not in pictures or pictures["image_shape"].dims != ("dataset",):
        return ()
    told = dict(zip((str(v) for v in pictures["dataset"].values), pictures["image_shape"].values.tolist(), strict=True))
    text = str(told.get(inputs, told.get(inputs.split(",")[0], "")))
    shape = tuple(int(edge) for edge in text.split(",") if edge.strip())
    return tuple(edge for edge in shape if edge != 1) or shape[:1]


def shape_of(pictures: xr.Dataset, inputs: str, pixels: int) -> tuple[int, int]:
    """Rows and columns as which inputs are shown: as they are; vectors as a square, or else as one row."""
    shape = known_shape(pictures, inputs)
    if len(shape) == 2 and shape[0] * shape[1] == pixels:
        return shape[0], shape[1]
    edge = round(pixels**0.5)
    return (edge, edge) if edge * edge == pixels else (1, pixels)


def images_of(pictures: xr.Dataset, name: str, position: int) -> np.ndarray:
    """The images (count, pixels) of a variable of one picture; none where it has none."""
    if name not in pictures:
        return np.empty((0, 0))
    found = pictures[name].isel(picture=position).transpose(..., "pixel")
    values = found.values.astype(float)
    return values[:, np.isfinite(values).any(0)][np.isfinite(values).any(1)]


def mosaic(images: np.ndarray, shape: tuple[int, int], columns: int = 4, gap: int = 2) -> np.ndarray:
    """Flat images (count, pixels) beside and below each other, NaN between them."""
    count = len(images)
    if count == 0:
        return np.full((1, 1), np.nan)
    columns = min(columns, count)
    rows = -(-count // columns)
    h, w = shape
    whole = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap), np.nan)
    for k, image in enumerate(images):
        i, j = divmod(k, columns)
        whole[i * (h + gap) : i * (h + gap) + h, j * (w + gap) : j * (w + gap) + w] = image.reshape(shape)
    return whole


def show(axis: Axes, image: np.ndarray, top: float | None = None, cmap: str = DIVERGING) -> Any:
    """Draw an image without ticks; signed values around white up to ``top``, others from 0."""
    axis.set(xticks=[], yticks=[])
    for side in axis.spines.values():
        side.set_visible(False)
    finite = image[np.isfinite(image)]
    top = top or (float(np.abs(finite).max()) if finite.size else 0.0) or 1.0
    low = -top if cmap == DIVERGING else 0.0
    return axis.imshow(image, cmap=cmap, vmin=low, vmax=top, interpolation="nearest")


def colour_bar(figure: Any, drawn: Any, axes: Any, words: str = "", **place: Any) -> None:
    """A small bar with its ends only."""
    low, high = drawn.get_clim()
    ticks = [low, 0, high] if low < 0 else [low, high]
    bar = figure.colorbar(drawn, ax=axes, ticks=ticks, **({"fraction": 0.03, "pad": 0.015} | place))
    bar.ax.set_yticklabels([f"{tick:.2g}".replace("-", "−") for tick in ticks], fontsize="x-small")
    bar.outline.set_visible(False)
    if words:
        bar.set_label(words, fontsize="x-small", labelpad=1)


def scale_bar(figure: Any, axes: Any, shrink: float = 1.0) -> None:
    """The bar of images that are each on a scale of their own, written below them."""
    drawn = ScalarMappable(Normalize(-1, 1), cmap=DIVERGING)
    bar = figure.colorbar(drawn, ax=axes, ticks=[-1, 0, 1], fraction=0.02, pad=0.01, aspect=18, shrink=shrink)
    bar.ax.set_yticklabels(["−", "0", "+"], fontsize="x-small")
    bar.set_label("× number below", fontsize="x-small", labelpad=0)
    bar.outline.set_visible(False)


def scientific(value: float) -> str:
    """A number as mathematical text: three digits, or two and a power of ten where it is large or very small."""
    plain = f"{value:.3g}"
    if "e" not in plain:
        return plain
    mantissa, power = f"{value:.1e}".split("e")
    return rf"{mantissa}\times 10^{{{int(power)}}}"


def late(view_of: View, run: int, variable: str) -> np.ndarray:
    """Mean of a variable over the last quarter of the recorded times, for each seed that has it."""
    found = view_of.at(run, variable)
    if found.size == 0 or "time" not in found.dims:
        return np.empty(0)
    time = found["time"].values
    last = found.isel(time=np.flatnonzero(time >= 0.75 * time[-1]))
    values = last.mean("time", skipna=True).values.astype(float)
    return values[np.isfinite(values)]


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table; without rows one that says so."""
    return pd.DataFrame(list(rows)) if rows else pd.DataFrame({"note": ["nothing to draw in this study"]})
