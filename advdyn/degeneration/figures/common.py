"""What the figures of the study share: which runs are drawn, their words and colours, intervals, and pictures."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from advdyn.figures import CATEGORICAL
from advdyn.intervals import interval

Drawn = tuple[Figure, pd.DataFrame]

WIDTH = 7.2  # inches: two columns of a paper
KINDS = ("gan", "generator", "degenerator", "chain")
READINGS = ("generator", "degenerator")  # the two readings of the paper's DAN
KIND_WORDS = {
    "gan": "GAN on images", "generator": "DAN, generator reading", "degenerator": "DAN, degenerator reading",
    "chain": "DAN, chain",
}  # fmt: skip
SYSTEMS = ("untouched", "fgsm", "additive", "permutation", "xor-fixed", "xor-fresh", "urandom", "danoise")
SYSTEM_WORDS = {
    "untouched": "untouched", "danoise": "Python's random", "urandom": "/dev/urandom", "xor-fresh": "XOR, fresh keys",
    "xor-fixed": "XOR, one key", "permutation": "pixels permuted", "additive": "additive noise", "fgsm": "FGSM",
}  # fmt: skip
COMPONENTS = {"r2": r"reconstruction, $R^2$", "top1": "picking the original", "probe": "linear label probe"}
# of the colourblind palette, the same in every figure
PALETTE = {"gan": 0, "generator": 1, "degenerator": 2, "chain": 4, "untouched": 5, "danoise": 7, "urandom": 7,
           "xor-fresh": 7, "xor-fixed": 9, "permutation": 6, "additive": 8, "fgsm": 3}  # fmt: skip
# a setting in a few words, where it tells runs apart
SETTING_WORDS: dict[str, Any] = {
    "sigma": lambda v: rf"$\sigma$ = {v:g}",
    "minibatch_feature": lambda v: "minibatch feature" if v else "no minibatch feature",
    "criterion": lambda v: f"criterion {v}",
    "loss": lambda v: f"{v} loss",
    "d_steps": lambda v: f"{v:g} step{'s' * (v != 1)} of D",
    "width": lambda v: f"width {v:g}",
    "d_width": lambda v: f"D width {v:g}",
    "n_train": lambda v: f"{v:,g} images",
    "latent": lambda v: f"{v:g} latent",
    "batch_normalisation": lambda v: "batch norm" if v else "no batch norm",
    "learning_rate": lambda v: f"rate {v:g}",
    "beta1": lambda v: rf"$\beta_1$ = {v:g}",
    "batch": lambda v: f"batch {v:g}",
    "epochs": lambda v: f"{v:g} passes",
}
# what has no effect on a kind: a generator sees no data, the others no latent vector
IDLE = {"gan": ("sigma", "criterion"), "generator": ("sigma", "criterion"),
        "degenerator": ("latent", "batch_normalisation"), "chain": ("latent", "batch_normalisation")}  # fmt: skip
FAR = 50.0
ABSENT = "not in this study's grid"
IDEAL = -np.log(4)  # value of the game at p_d = p_uniform, D = 1/2
FEW = 3  # seeds below which they are drawn one by one: an interval of two says next to nothing
ANYTHING = (-np.inf, np.inf)
COLLAPSED = 0.5  # participation ratio, over that of independent noise, below which outputs repeat
MARKED: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linewidth": 1.2, "elinewidth": 0.9, "capsize": 0}
RULE: dict[str, Any] = {"color": "0.35", "linewidth": 0.8, "linestyle": (0, (4, 2))}


# --- which runs ----------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A coordinate's value as a number or a text."""
    value = value.item() if hasattr(value, "item") else value
    return value.decode() if isinstance(value, bytes) else value


def rows_of_runs(study: xr.Dataset) -> list[dict[str, Any]]:
    """The settings of each run that are told by coordinates."""
    names = [name for name in SETTING_WORDS if name in study.coords and study[name].dims == ("run",)]
    names += ["kind"] * ("kind" in study.coords and study["kind"].dims == ("run",))
    columns = {name: [plain(value) for value in study[name].values] for name in names}
    return [{name: column[k] for name, column in columns.items()} for k in range(study.sizes.get("run", 0))]


def settings(study: xr.Dataset) -> dict[str, Any]:
    """The settings of the study, from its attributes, without those that are lists."""
    told = json.loads(study.attrs.get("reference", "{}"))
    return {name: value for name, value in told.items() if not isinstance(value, list)}


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting are equal; numbers to rounding."""
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return math.isclose(float(one), float(other), rel_tol=1e-6)


def differing(row: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Names of the settings in which two runs differ, but for the kind."""
    idle = IDLE.get(str(row.get("kind")), ())
    return [n for n in row if n in other and n != "kind" and n not in idle and not same(row[n], other[n])]


def apart(row: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Sum of absolute logarithms of the ratios of the numbers in which two runs differ; a number beside 0 is far."""
    pairs = [(row[name], other[name]) for name in differing(row, other) if not isinstance(row[name], str)]
    return sum(abs(np.log(float(a) / float(b))) if min(a, b) > 0 else FAR for a, b in pairs)


def runs_of(study: xr.Dataset, kind: str, **wanted: Any) -> list[int]:
    """The runs of a kind that are as wanted, those with fewest differences from the settings first."""
    rows, usual = rows_of_runs(study), settings(study)
    found = [
        k for k, row in enumerate(rows)
        if row.get("kind") == kind and all(name in row and same(row[name], v) for name, v in wanted.items())
    ]  # fmt: skip
    return sorted(found, key=lambda k: (len(differing(rows[k], usual)), apart(rows[k], usual), k))


def base(study: xr.Dataset, kind: str, **wanted: Any) -> int | None:
    """The run of a kind nearest to the settings, with the criterion used unless told otherwise; None if there is none.

    Nearest: fewest settings that differ, then the smallest ratios of the numbers; of equally near ones the first.
    """
    rows = rows_of_runs(study)
    if "criterion" not in wanted and any("criterion" in row for row in rows):
        wanted = {"criterion": "used", **wanted}
    found = runs_of(study, kind, **wanted)
    return found[0] if found else None


def bases(study: xr.Dataset, kinds: Sequence[str] = KINDS) -> dict[str, int]:
    """The runs nearest to the settings, of each kind there is."""
    found = {kind: base(study, kind) for kind in kinds}
    return {kind: run for kind, run in found.items() if run is not None}


def difference(study: xr.Dataset, run: int, other: int | None, words: str = "as the settings") -> str:
    """In which settings a run differs from another, in words."""
    rows = rows_of_runs(study)
    names = differing(rows[run], rows[other]) if other is not None else []
    return ", ".join(SETTING_WORDS[name](rows[run][name]) for name in names) or words


def used(study: xr.Dataset, run: int, passed: float | None = None) -> str:
    """After how many passes through how many images."""
    row = rows_of_runs(study)[run]
    made = row.get("epochs", np.nan) if passed is None else passed
    if row.get("criterion") == "ignored" or "n_train" not in row:
        return passes(made)
    return f"{passes(made)}, {row['n_train']:,g} images"


def counts(study: xr.Dataset, runs: Iterable[int]) -> str:
    """After how many passes through how many images runs were made; each number once."""
    found = dict.fromkeys(used(study, run) for run in runs if "epochs" in study.coords)
    return "; ".join(found)


def passes(count: float) -> str:
    """A number of passes in words."""
    return f"{count:g} pass{'es' * (count != 1)}"


# --- numbers -------------------------------------------------------------------------------------------------------


def pick(study: xr.Dataset, name: str, run: int | None = None, **where: Any) -> xr.DataArray | None:
    """A variable at a run and at labels of its dimensions; None where the study does not have it."""
    name = next((n for n in (f"{name}_dd", name) if n in study.data_vars), "")  # component is a coordinate too
    if not name:
        return None
    values = study[name]
    if run is not None:
        if "run" not in values.dims:
            return None
        values = values.isel(run=run, drop=True)
    for dim, label in where.items():
        if dim not in values.dims or label not in values[dim].values:
            return None
        values = values.sel({dim: label}, drop=True)
    return values


def curve(study: xr.Dataset, run: int, name: str, along: str = "passed", **where: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where a variable of a run is recorded, and its values (seed, place); both empty where it is not."""
    values = pick(study, name, run, **where)
    if values is None or set(values.dims) != {"seed", along}:
        return np.empty(0), np.empty((0, 0))
    array = values.transpose("seed", along).values.astype(float)
    kept = np.isfinite(array).any(0)
    return values[along].values[kept].astype(float), array[np.isfinite(array).any(1)][:, kept]


def last(study: xr.Dataset, run: int, name: str, **where: Any) -> np.ndarray:
    """Values of a run at its last measured pass, for each seed that has one."""
    values = pick(study, name, run, **where)
    if values is not None and values.dims == ("seed",):
        return finite(values)
    _, array = curve(study, run, name, **where)
    return finite(array[:, -1]) if array.size else np.empty(0)


def last_pass(study: xr.Dataset, run: int, name: str = "sample") -> float:
    """The last pass after which a run was measured, or shown; NaN if never."""
    values = pick(study, name, run)
    if values is None or "passed" not in values.dims:
        return np.nan
    there = values.notnull().any([d for d in values.dims if d != "passed"]).values
    return float(values["passed"].values[there][-1]) if there.any() else np.nan


def reference(study: xr.Dataset, system: str, name: str, **where: Any) -> np.ndarray:
    """Values of a reference, for each draw that has one."""
    values = pick(study, f"reference_{name}", system=system, **where)
    return np.empty(0) if values is None or values.dims not in ((), ("draw",)) else finite(values)


def systems(study: xr.Dataset) -> list[str]:
    """The references there are, from what keeps everything to what keeps nothing."""
    there = [str(s) for s in study["system"].values] if "system" in study.coords else []
    return [s for s in SYSTEMS if s in there] + [s for s in there if s not in SYSTEMS]


def finite(values: Any) -> np.ndarray:
    """The finite ones among numbers, as a vector."""
    array = np.asarray(values, dtype=float).ravel()
    return array[np.isfinite(array)]


def numbers(values: Any, of: str = "seeds") -> dict[str, float]:
    """Mean and its 95 % t-interval over seeds or draws, as columns of a table."""
    sample = finite(values)
    mean, _, low, high = interval(sample)
    return {"mean": mean, "low": low, "high": high, of: len(sample)}


def summary(x: np.ndarray, values: np.ndarray, along: str) -> pd.DataFrame:
    """Mean and t-interval over the first axis at each place."""
    return pd.DataFrame([{along: at, **numbers(values[:, k])} for k, at in enumerate(x)])


def bars(frame: pd.DataFrame, within: tuple[float, float] = ANYTHING) -> np.ndarray:
    """Lengths of error bars from the columns mean, low, high (none where there is no interval), cut at what can be."""
    low, high = (frame[name].clip(*within) for name in ("low", "high"))
    return np.maximum(np.nan_to_num(np.stack([frame["mean"] - low, high - frame["mean"]]).astype(float)), 0.0)


def few(values: np.ndarray) -> bool:
    """Whether there are too few seeds (seed, place) for an interval to be drawn; one seed has none anyway."""
    return values.size > 0 and int(np.isfinite(values).sum(0).max()) < FEW


def seeds(tables: Iterable[pd.DataFrame]) -> str:
    """Over how many seeds the means of tables are, in words."""
    there = [int(n) for table in tables if "seeds" in table for n in table["seeds"].dropna() if n > 0]
    if not there:
        return ""
    most = max(there)
    return f"{most} seed{'s' * (most != 1)}" if min(there) == most else f"{min(there)} to {most} seeds"


def gather(rows: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables drawn, one after the other, without the empty ones."""
    kept = [row for row in rows if not row.empty]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame({"note": [ABSENT]})


# --- drawing -------------------------------------------------------------------------------------------------------


def shade(place: int) -> Any:
    """A colour of the palette."""
    return sns.color_palette(CATEGORICAL)[place]


def colour(name: str) -> Any:
    """The colour of a kind of run or of a reference."""
    return shade(PALETTE[name]) if name in PALETTE else "black"


def absent(words: str) -> Drawn:
    """A figure that says what the study does not have, and a table that says the same."""
    figure = Figure(figsize=(WIDTH, 1.2))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True)
    return figure, pd.DataFrame({"note": [words]})


def blank(axis: Axes, words: str = ABSENT) -> None:
    """A panel that says it is empty (and leaves the ticks alone, which it may share)."""
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes, color="0.4", fontsize="small",
              wrap=True)  # fmt: skip
    axis.set_axis_off()


def rows_of(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure one below the other."""
    made: Any = figure.subfigures(len(heights), 1, height_ratios=list(heights), squeeze=False)
    return list(made[:, 0])


def letters(axes: Iterable[Axes]) -> None:
    """Panel letters, before whatever title a panel has."""
    for letter, axis in zip(string.ascii_lowercase, axes, strict=False):
        title, size = axis.get_title(), axis.title.get_fontsize()
        axis.set_title("")
        axis.set_title(rf"$\bf{{{letter}}}$  {title}".rstrip(), loc="left", fontsize=size)


def points(
    axis: Axes,
    x: np.ndarray,
    values: np.ndarray,
    colour: Any,
    along: str,
    within: tuple[float, float] = ANYTHING,
    **line: Any,
) -> pd.DataFrame:
    """The mean over seeds at each place with bars of its t-interval, or small dots of few seeds; the numbers drawn."""
    if not len(x):
        return pd.DataFrame()
    table = summary(x, values, along)
    one_by_one = few(values)
    length = None if one_by_one else bars(table, within)
    axis.errorbar(table[along], table["mean"], yerr=length, color=colour, **(MARKED | line))
    if one_by_one and len(values) > 1:
        axis.plot(x, values.T, linestyle="", marker="o", markersize=2.6, color=colour, alpha=0.8, markeredgewidth=0)
    return table


def band(
    axis: Axes,
    x: np.ndarray,
    values: np.ndarray,
    colour: Any,
    along: str,
    within: tuple[float, float] = ANYTHING,
    **line: Any,
) -> pd.DataFrame:
    """The mean over seeds as a line, its t-interval as a band, or thin lines of few seeds; the numbers drawn."""
    if not len(x):
        return pd.DataFrame()
    table = summary(x, values, along)
    marker: dict[str, Any] = {"marker": "o", "markersize": 3} if len(x) == 1 else {}
    axis.plot(table[along], table["mean"], color=colour, **({"linewidth": 1.3} | marker | line))
    if few(values):
        axis.plot(x, values.T, color=colour, linewidth=0.6, alpha=0.55)
        return table
    low, high = (table[name].clip(*within) for name in ("low", "high"))
    axis.fill_between(table[along], low, high, color=colour, alpha=0.2, linewidth=0)
    return table


def ticks(axis: Axes, values: Iterable[float], most: int = 6) -> None:
    """The values that there are as ticks of the abscissa, at most so many of them."""
    there = sorted({float(v) for v in values if np.isfinite(v)})
    if there:
        kept = [there[i] for i in np.unique(np.linspace(0, len(there) - 1, min(most, len(there))).round().astype(int))]
        axis.set_xticks(kept, [f"{v:,g}" for v in kept])
        axis.xaxis.set_minor_locator(NullLocator())


def few_decades(axis: Axes) -> None:
    """Plain numbers on a logarithmic ordinate of less than two decades, powers of ten on a longer one."""
    low, high = axis.get_ylim()
    if low > 0 and high / low < 100:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def handle(words: str, **line: Any) -> Line2D:
    """One entry of a legend."""
    entry: dict[str, Any] = {"color": "0.3", "linewidth": 1.2, "label": words}
    return Line2D([], [], **(entry | line))


def handles(kinds: Iterable[str]) -> list[Line2D]:
    """Entries of a legend for kinds of runs."""
    return [handle(KIND_WORDS.get(k, k), color=colour(k), marker="o", markersize=3.5) for k in kinds]


# --- pictures ------------------------------------------------------------------------------------------------------


def shape_of(study: xr.Dataset, pixels: int) -> tuple[int, ...]:
    """Height and width (and colours) of an image; a square where the study does not say, or says what does not fit."""
    words = str(study.attrs.get("image_shape", ""))
    shape = tuple(int(word) for word in words.split(",")) if words else ()
    if len(shape) in (2, 3) and int(np.prod(shape)) == pixels:
        return shape
    side = int(np.ceil(np.sqrt(pixels)))
    return (side, side)


def pictured(study: xr.Dataset, run: int | None, passed: float | None = None) -> tuple[np.ndarray, float]:
    """Outputs (shown, pixel) of the first seed that has them, in bytes, and that seed; empty where there are none."""
    values = pick(study, "sample", run, **({} if passed is None else {"passed": passed})) if run is not None else None
    if values is None or set(values.dims) != {"seed", "shown", "pixel"}:
        return np.empty((0, 0)), np.nan
    array = values.transpose("seed", "shown", "pixel")
    lost = diverged(study, run)
    for k in np.flatnonzero(~lost):
        one = array.isel(seed=int(k)).values.astype(float)
        if np.isfinite(one).any():
            return one[np.isfinite(one).all(1)], float(array["seed"].values[k])
    return np.empty((0, 0)), np.nan


def diverged(study: xr.Dataset, run: int | None) -> np.ndarray:
    """Whether each seed of a run diverged."""
    values = pick(study, "diverged", run) if run is not None else None
    if values is None or values.dims != ("seed",):
        return np.zeros(study.sizes.get("seed", 0), dtype=bool)
    return values.values.astype(float) > 0


def originals(study: xr.Dataset) -> np.ndarray:
    """The held-out images shown (shown, pixel), in bytes; empty where the study has none."""
    values = study.get("original")
    if values is None or not {"shown", "pixel"} <= set(values.dims):
        return np.empty((0, 0))
    other = {d: 0 for d in values.dims if d not in ("shown", "pixel")}
    array = values.isel(other).transpose("shown", "pixel").values.astype(float)
    return array[np.isfinite(array).all(1)]


def reference_pictures(study: xr.Dataset, system: str) -> np.ndarray:
    """Outputs of a reference (shown, pixel), in bytes; empty where the study has none."""
    values = pick(study, "reference_sample", system=system)
    if values is None or "pixel" not in values.dims:
        return np.empty((0, 0))
    other = {d: 0 for d in values.dims if d not in ("shown_reference", "shown", "pixel")}
    array = values.isel(other).values.astype(float)
    return array[np.isfinite(array).all(1)] if array.ndim == 2 else np.empty((0, 0))


def mosaic(pixels: np.ndarray, shape: Sequence[int], columns: int, gap: int = 2) -> np.ndarray:
    """Images side by side as one (height, width, 3), from bytes (image, pixel), with white between them."""
    count = len(pixels)
    columns = max(1, min(columns, count))
    lines = -(-count // columns)
    high, wide = shape[0], shape[1]
    page = np.full((lines * (high + gap) - gap, columns * (wide + gap) - gap, 3), 255.0)
    for k, image in enumerate(pixels):
        flat = np.zeros(int(np.prod(shape)))
        flat[: len(image)] = image
        one = flat.reshape(shape) if len(shape) == 3 else flat.reshape(high, wide, 1)
        top, left = (k // columns) * (high + gap), (k % columns) * (wide + gap)
        page[top : top + high, left : left + wide] = one
    return np.clip(page, 0, 255).astype(np.uint8)


def show(axis: Axes, pixels: np.ndarray, shape: Sequence[int], columns: int = 4, words: str = ABSENT) -> None:
    """Images as a mosaic in one panel, or words where there are none."""
    if not len(pixels):
        blank(axis, words)
        return
    axis.imshow(mosaic(pixels, shape, columns), interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def byte_numbers(pixels: np.ndarray) -> dict[str, float]:
    """What a table says of the images drawn: their number, mean and standard deviation of their bytes."""
    if not len(pixels):
        return {"images": 0, "mean_byte": np.nan, "sd_byte": np.nan}
    return {"images": len(pixels), "mean_byte": float(pixels.mean()), "sd_byte": float(pixels.std())}
