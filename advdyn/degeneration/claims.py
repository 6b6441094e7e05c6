"""Claims of the paper on degenerative adversarial networks, declared before anything runs.

The paper is a joke, and its claims are taken at their word: "looks like noise" and "is destroyed" are measured apart,
a claim with several readings has a row for each, and where people would have to be asked there is a row that says so
beside measured stand-ins.

The sampling unit is the trained run: n is the number of seeds (of independent draws for references that need no
training), intervals are t-intervals, and rows of one claim share an error rate of 5 % (Bonferroni). Rows over seeds
need three: with two the interval is wider than the scale. That something equals independent noise is asked of the
mean, to within about three standard errors of what independent noise itself reads from 500 held-out images, and of
%dd and its components no wide interval helps: it must not reach far from noise. A row whose noise reads otherwise
(DANOISE itself does not pass, as with too few images) is not tested. Where an interval contains the answer and its
contrary, the conditions say so. Seeds that diverged are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from advdyn.claims import Claim, Measurement
from advdyn.degeneration import view
from advdyn.degeneration.view import View
from advdyn.errors import InputError
from advdyn.intervals import COVERAGE, interval, paired

PAPER = "Gontijo Lopes and Deb, Degenerative Adversarial Networks (seeds/002_3525db502aff77f0.txt)"
DERIVED = "derived here (docs/degeneration)"

SEEDS = 3  # fewest seeds that an interval is made of: of two it is wider than the scale
DRAWS = 2  # and fewest draws of a reference, which differ by little
DESTROYED = 99.0  # %dd from which data count as destroyed
SHORT = 1.5  # %: how far independent noise may read below it, the standard error of a label probe of 500 images
SLACK = 5.0  # %: how far below that the interval may reach, see ``_destroys``
LEFT = 90.0  # %dd below which data are clearly not destroyed
KEPT = 2.0  # %dd up to which nothing counts as destroyed
ENOUGH = 3500  # pairs from which an attacker inverts a fixed key or permutation of 784 pixels
AROUND = 3.0  # % by which the mean of a component of independent data may miss 100, interval or not
ROUNDING = 0.5  # % added to its interval: means of images, top-1 of 500 (.2 %)
EXACT = 1e-6
POINT = 1.0  # a difference of %dd that counts
IDEAL = 100 * (1 - 1 / 256)  # bytes that differ from independent noise, in percent
QUARTER = 0.1  # % around it: a quarter of the bytes that noise leaves as they are
HALF, TELLING = (
    0.5,
    0.04,
)  # accuracy of a discriminator that knows nothing, and the excess that counts (500 + 500 held out)
CLASSES = 10  # of the label probe
IMAGES = "images.bin"  # the file of a copy that holds images
UNDECIDED = "undecided at this number of runs"
OPTIMUM = -2 * np.log(2)  # the value there
WAVERING = 0.1  # nat below or above it: a discriminator .16 off 1/2
CHANCE, FOOLED = 0.1, 0.14  # accuracy of a classifier of ten digits that guesses, and three standard errors more
UNLIKE = 0.05  # SSIM with the original: independent noise has about .01
READABLE = 10.0  # % of a component up to which a reader gets the image back
CORRELATED = 0.01  # correlation of neighbouring bytes: ten standard errors of 500 images
BITS, FREE = 7.99, 1.25  # bits per byte, and chi squared per degree of freedom (2.8 standard errors of 255)
KOLMOGOROV = 0.01  # distance of distributions: 2.5 bytes of 256
INCOMPRESSIBLE = 0.99
ALIKE = 1.1  # correlation of outputs over that of independent noise that still counts as none
SPREAD_OUT = 0.9  # participation ratio over that of independent noise
REPEATED = 2.0  # ratio to independent noise from which a texture is repeated
COLLAPSED = 0.5  # participation ratio below which a run collapsed: half the directions of independent noise
WIDER = 1.1  # ratio of participation ratios that counts
BIT = 0.1  # bits per byte: a change that counts
ERRORS = 3.0  # standard errors of what independent noise reads
BYTES = 255  # degrees of freedom of the frequencies of bytes
NOTHING = 0.01  # share of a gradient that counts as none
TEXTURES = 15  # passes of Figure 9
INDEFINITE = 1e-3  # smaller over larger eigenvalue, of different sign
STATIONARY = 1e-8
HALVES = 0.05  # mean departure of D from 1/2 on the line

READINGS = ("generator", "degenerator", "chain")
COMPONENTS = ("r2", "top1", "probe")
SPOKEN = {"r2": "R^2", "top1": "retrieval", "probe": "label probe"}

Holds = Callable[[float, float, float], bool]
Rows = dict[str, Measurement] | None


@dataclass(frozen=True)
class Sample:
    """A row before its interval: a number for each seed or draw, the control, the conditions."""

    values: np.ndarray | xr.DataArray
    control: float
    conditions: str = ""


def context(study: xr.Dataset) -> str:
    """What holds for every claim of the study, for their conditions."""
    try:
        seen = view.of(study)
    except InputError:
        return ""
    ref = seen.reference
    words = f"{ref['n_train']:g} images, {ref['epochs']:g} passes (the paper: 24, images not said)"
    if "pairs" in study.coords and study.sizes.get("pairs", 0):
        words += f", an attacker with {int(study['pairs'].values[-1])} pairs"
    every = sum(len(seen.seeds(run)) for run in seen.where())
    lost = sum(len(seen.diverged(run)) for run in seen.where())
    return words + (f"; {lost} of all {every} runs diverged" if lost else "")


def _on_view(measure: Callable[[View], Rows | Measurement]) -> Callable[..., Rows | Measurement]:
    """A measure on the collected data from one on their view; nothing where the study holds no run."""

    def measured(study: xr.Dataset) -> Rows | Measurement:
        try:
            seen = view.of(study)
        except InputError:
            return None
        return measure(seen)

    measured.__doc__ = measure.__doc__
    return measured


# --- runs, and means over their seeds ----------------------------------------------------------------------------


def _readings(seen: View, kinds: Sequence[str] = READINGS, noises: bool = False) -> dict[str, int]:
    """The readings of a DAN that were run, by name: next to the settings; with ``noises`` also with every sigma."""
    found: dict[str, int] = {}
    for kind in kinds:
        base = seen.base(kind)
        if base is None:
            continue
        found[kind] = base
        if noises and kind == "degenerator":
            family = seen.family("sigma", kind)
            found |= {f"{kind}, sigma {seen.rows[run]['sigma']:g}": run for run in family if run != base}
    return found


def _about(seen: View, *runs: int) -> str:
    """Runs in words, with the seeds that diverged."""
    told = "; ".join(dict.fromkeys(seen.words(run) for run in runs))
    lost, every = sum(len(seen.diverged(r)) for r in runs), sum(len(seen.seeds(r)) for r in runs)
    return told + (f"; {lost} of {every} runs diverged, left out" if lost else "")


def _last(seen: View, run: int) -> str:
    """After how many passes a run was measured last."""
    passes = seen.passes(run)
    return f"after {passes[-1]} passes" if passes else ""


def _first(seen: View, run: int) -> int:
    """The first pass of a run that was measured, of two or more; -1 where there are fewer."""
    passes = seen.passes(run)
    return passes[0] if len(passes) > 1 else -1


def _mean(values: xr.DataArray | np.ndarray) -> float:
    sample = np.asarray(values, dtype=float)
    return float(sample.mean()) if sample.size else np.nan


def _rows(samples: Mapping[str, Sample], geometric: bool = False) -> Rows:
    """Means and t-intervals, at one error rate for all rows together; of logarithms where ``geometric``."""
    samples = {name: sample for name, sample in samples.items() if np.size(sample.values)}
    level = (1 - COVERAGE) / max(1, sum(np.size(sample.values) > 1 for sample in samples.values()))
    rows = {}
    for name, sample in samples.items():
        values = np.asarray(sample.values, dtype=float)
        mean, error, low, high = interval(np.log(values) if geometric else values, level)
        if geometric:
            mean, low, high = (float(np.exp(v)) for v in (mean, low, high))
            error *= mean
        rows[name] = Measurement(mean, values.size, sample.control, error, low, high, sample.conditions)
    return rows or None


def _differences(samples: Mapping[str, tuple[np.ndarray, str]], threshold: float) -> Rows:
    """Means of paired differences, with intervals at one error rate for all rows together.

    The end of the interval towards zero must lie on ``threshold``'s side of it. The control is that end after the two
    that are compared were exchanged in every other pair. Where an interval contains both no difference and the
    threshold, the conditions say that it decides nothing (``_told``).
    """
    samples = {name: row for name, row in samples.items() if len(row[0])}
    level = (1 - COVERAGE) / max(1, sum(len(values) > 1 for values, _ in samples.values()))
    rows = {}
    for name, (values, conditions) in samples.items():
        exchanged = interval(values * np.where(np.arange(len(values)) % 2, -1, 1), level)
        mean, error, low, high = interval(values, level)
        rows[name] = Measurement(mean, len(values), exchanged[2 if threshold > 0 else 3], error, low, high, conditions)
    return _told(rows, min(0.0, threshold), max(0.0, threshold))


def _told(rows: Rows, one: float, other: float) -> Rows:
    """The rows, those marked as undecided whose interval reaches both ``one`` and the larger ``other``."""
    return {
        name: replace(row, conditions="; ".join(filter(None, (row.conditions, UNDECIDED))))
        if row.low <= one and row.high >= other
        else row
        for name, row in (rows or {}).items()
    } or None


def _sane(rows: Rows, noise: float, holds: Holds, named: str = "DANOISE itself") -> Rows:
    """Rows that independent noise passes too, by its own reading; otherwise they say nothing, and are not tested."""
    if rows is None or not np.isfinite(noise):
        return rows
    told = f"{named} reads {noise:.4g}"
    if holds(noise, noise, noise):
        return {name: replace(row, conditions=f"{row.conditions}; {told}") for name, row in rows.items()}
    return {
        name: replace(row, n=0, conditions=f"{row.conditions}; {told}, and does not pass") for name, row in rows.items()
    }


def _reference(seen: View, system: str, variable: str, **where: str | float) -> float:
    """Mean of a reference over its draws."""
    return _mean(seen.draws(system, variable, **where))


# --- thresholds --------------------------------------------------------------------------------------------------


def _destroys(value: float, low: float, high: float) -> bool:
    """99 % lies in the interval or below it, the mean within what noise may read below, the interval within 5 more.

    A wide interval must not help: of runs that differ it soon contains 99 %. One run of independent noise errs by the
    standard error of its label probe, 1.5 % of 500 images. Five points are three of these: an interval of data that
    were destroyed in every run reaches no further down, and one that does may be of data of which a part is left.
    """
    return value >= DESTROYED - SHORT and high >= DESTROYED and low >= DESTROYED - SHORT - SLACK


def _stays(value: float, low: float, high: float) -> bool:
    """Of %dd less its threshold: the mean reaches it, and the interval no further below than in ``_destroys``."""
    del high
    return value >= 0 and low >= -SLACK


def _survives(value: float, low: float, high: float) -> bool:
    """Not destroyed: the whole interval below 99 %."""
    del low
    return value < DESTROYED - SHORT and high < DESTROYED


def _reads_whole(value: float, low: float, high: float) -> bool:
    """A component of independent data: the interval contains 100, and no more than it may be off (``_destroys``)."""
    off = AROUND + SLACK
    return abs(value - 100) <= AROUND and 100 - off <= low <= 100 + ROUNDING and 100 - ROUNDING <= high <= 100 + off


def _near(centre: float, margin: float) -> Holds:
    """The mean within a margin."""
    return lambda value, low, high: abs(value - centre) <= margin


def _at_most(bound: float) -> Holds:
    """The mean at or below a bound."""
    return lambda value, low, high: value <= bound


def _at_least(bound: float) -> Holds:
    """The mean at or above a bound."""
    return lambda value, low, high: value >= bound


def _above(bound: float, none: float = 0.0) -> Holds:
    """The mean at or above a bound, and the whole interval above none."""
    return lambda value, low, high: value >= bound and low > none


def _below(bound: float) -> Holds:
    """The mean at or below a negative bound, and the whole interval below 0."""
    return lambda value, low, high: value <= bound and high < 0


def _ends_below(bound: float) -> Holds:
    """The whole interval at or below a bound."""
    return lambda value, low, high: high <= bound


def _all(value: float, low: float, high: float) -> bool:
    """Every run."""
    del low, high
    return value >= 1


# --- what the metric must read -----------------------------------------------------------------------------------


def metric_untouched(seen: View) -> Rows:
    """The largest component of untouched data; control: of DANOISE."""
    found = [seen.draws("untouched", "component", component=name) for name in COMPONENTS]
    largest = max((float(np.abs(values).max()) for values in found if values.size), default=np.nan)
    control = max(_reference(seen, "danoise", "component", component=name) for name in COMPONENTS)
    n = max(len(values) for values in found)
    return {"untouched": Measurement(largest, n, control)} if n else None


def metric_independent(seen: View) -> Rows:
    """Unclipped components of independent data; control: XOR with one fixed key."""
    samples = {}
    for system in ("danoise", "xor-fresh"):
        for name in COMPONENTS:
            control = _reference(seen, "xor-fixed", "component", component=name)
            samples[f"{system}, {SPOKEN[name]}"] = Sample(seen.draws(system, "component", component=name), control)
    return _rows(samples)


def metric_kept(seen: View) -> Rows:
    """%dd of what changes bytes and destroys nothing; control: DANOISE. With fewer pairs it is not tested."""
    control, samples = _reference(seen, "danoise", "dd"), {}
    for system in ("xor-fixed", "permutation", "fgsm"):
        words = f"{_reference(seen, system, 'bytes_differing'):.3g} % of the bytes differ"
        samples[system] = Sample(seen.draws(system, "dd"), control, words)
    rows = _rows(samples) or {}
    pairs = int(seen.data["pairs"].values[-1]) if "pairs" in seen.data.coords else 0
    if pairs < ENOUGH:
        told = f"{pairs} pairs, of the {ENOUGH} that it takes"
        rows = {name: replace(row, n=0, conditions=f"{row.conditions}; {told}") for name, row in rows.items()}
    return rows or None


def metric_pairs(seen: View) -> Rows | Measurement:
    """%dd as seen with the fewest pairs less that with the most; of what already reads something with the fewest.

    Of a system that reads less than a point with the fewest, as a permutation does, nothing can be taken any more.
    """
    samples, few = {}, []
    for name, run in _readings(seen, ("degenerator",)).items():
        curve = seen.at(run, "curve_dd")
        if "pairs" in curve.dims and curve.sizes["pairs"] > 1:
            first, last = (seen.number(run, "curve_dd", pairs=curve["pairs"].values[i]) for i in (0, -1))
            samples[name] = paired(first, last), _mean(first), f"{_about(seen, run)}; {_from_to(first, last)} %"
            few += [name] if len(samples[name][0]) < SEEDS else []
    for system in ("xor-fixed", "permutation"):
        if system in seen.systems and "reference_curve_dd" in seen.data and seen.data.sizes["pairs"] > 1:
            drawn = seen.data["reference_curve_dd"].sel(system=system, drop=True).dropna("draw", how="any")
            start, end = (drawn.isel(pairs=i).values for i in (0, -1))
            samples[system] = start - end, _mean(start), f"{_from_to(start, end)} %, over draws"
    out = [f"{name} ({first:.2g} %)" for name, (_, first, _) in samples.items() if first < POINT]
    told = f"; left out, as less than {POINT:g} % is left to take: {', '.join(out)}" if out else ""
    kept = {name: (values, words + told) for name, (values, first, words) in samples.items() if not first < POINT}
    if not kept and out:
        return Measurement(np.nan, 0, np.nan, conditions=told.removeprefix("; "))
    rows = _differences(kept, POINT) or {}
    scarce = {name: f"{rows[name].conditions}; {rows[name].n} seeds, needs {SEEDS}" for name in few if name in rows}
    return {n: replace(row, n=0, conditions=scarce[n]) if n in scarce else row for n, row in rows.items()} or None


def _from_to(first: xr.DataArray | np.ndarray, last: xr.DataArray | np.ndarray) -> str:
    return f"{_mean(first):.3g} and {_mean(last):.3g}"


# --- what is destroyed -------------------------------------------------------------------------------------------


def _weakest(seen: View, run: int, passed: int | None = None) -> str:
    """The components of a run's %dd in words."""
    found = {name: seen.number(run, "component_dd", passed, component=name) for name in COMPONENTS}
    return ", ".join(f"{SPOKEN[name]} {_mean(values):.3g}" for name, values in found.items() if values.size)


def _destroyed(seen: View, variable: str) -> Rows:
    control, samples = _reference(seen, "xor-fixed", variable), {}
    for name, run in _readings(seen, noises=True).items():
        words = f"{_about(seen, run)}, {_last(seen, run)}"
        if variable == "dd":
            words += f"; {_weakest(seen, run)}"
        if seen.rows[run]["kind"] == "generator":
            words += "; its output sees no image"
        samples[name] = Sample(seen.number(run, variable), control, words)
    return _sane(_told(_rows(samples), LEFT, DESTROYED), _reference(seen, "danoise", variable), _destroys)


def destroyed_images(seen: View) -> Rows:
    """%dd of held-out images of the same data; control: XOR with one fixed key, which changes 99 % of the bytes."""
    return _destroyed(seen, "dd")


def destroyed_album(seen: View) -> Rows:
    """%dd of the photographs, fitted on one and scored on the other; control: XOR with one fixed key."""
    return _destroyed(seen, "album_dd")


def _copies(seen: View) -> int:
    found = seen.single("copies")
    return int(found) if np.isfinite(found) else 0


def _files(seen: View) -> list[str]:
    return [str(name) for name in seen.data["file"].values] if "file" in seen.data.coords else []


def destroyed_files(seen: View) -> Rows:
    """Bytes overwritten over bytes present in the copy, in percent; control: bytes of the source that differ after."""
    unchanged, pixels = seen.single("source_unchanged"), seen.data.sizes.get("pixel", 0)
    rows = {}
    for name in _files(seen):
        present = seen.single("bytes_present", file=name)
        share = 100 * seen.single("bytes_overwritten", file=name) / present
        words = f"{_copies(seen)} copies, written and read back; {present:.0f} bytes"
        if name == IMAGES and pixels:
            words += f", {present / pixels:g} images"
        measured = seen.single("source_differing", file=name)
        control = measured if np.isfinite(measured) else 100 * (1 - unchanged)
        words += "; control: bytes of the source that differ" if np.isfinite(measured) else "; control: the source"
        rows[name] = Measurement(share, _copies(seen), control, conditions=words)
    return rows or None


def every_byte(seen: View) -> Rows:
    """Bytes that differ from the original in percent; control: untouched data."""
    return _differing(seen, "untouched")


def bytes_as_noise(seen: View) -> Rows:
    """The same against what independent noise leaves; control: FGSM, which changes pixels too."""
    rows = _differing(seen, "fgsm")
    return _sane(rows, _reference(seen, "danoise", "bytes_differing"), _near(IDEAL, QUARTER))


def _differing(seen: View, control: str) -> Rows:
    other, samples = _reference(seen, control, "bytes_differing"), {}
    for name, run in _readings(seen, noises=True).items():
        words = f"{_about(seen, run)}, {_last(seen, run)}"
        samples[name] = Sample(seen.number(run, "bytes_differing"), other, words)
    rows = _rows(samples) or {}
    for name in _files(seen):
        value, size = seen.single("file_bytes_differing", file=name), seen.single("bytes_overwritten", file=name)
        if np.isfinite(value):
            rows[name] = Measurement(value, int(size), other, conditions="the file; n counts its bytes, no interval")
    return rows or None


def zero_rows(seen: View) -> Rows:
    """Bytes of the images that training a classifier, and classifying, changed; control: those a DAN overwrote."""
    altered = seen.single("altered_bytes")
    written = sum(v for name in _files(seen) if np.isfinite(v := seen.single("bytes_overwritten", file=name)))
    if not np.isfinite(altered):
        return None
    words = f"a perceptron trained here, accuracy {seen.single('test_accuracy'):.3g}; AlphaGo does not read MNIST"
    return {"AlphaGo trained on MNIST": Measurement(altered, 1, written, conditions=words)}


def superior(seen: View) -> Rows:
    """%dd of a DAN less that of a classifier, which writes nothing; control: XOR with one fixed key less the same."""
    if not np.isfinite(seen.single("altered_bytes")):
        return None
    return _beyond(seen, 0.0, _reference(seen, "xor-fixed", "dd"), "a classifier alters no byte")


def beyond_random(seen: View) -> Rows:
    """%dd of a DAN less that of Python's random alone; control: urandom less DANOISE."""
    noise = _reference(seen, "danoise", "dd")
    told = f"Python's random alone reads {noise:.4g}"
    return _beyond(seen, noise, _reference(seen, "urandom", "dd") - noise, told) if np.isfinite(noise) else None


def _beyond(seen: View, other: float, control: float, told: str) -> Rows:
    samples = {}
    for name, run in _readings(seen).items():
        words = f"{_about(seen, run)}, {_last(seen, run)}; {told}"
        samples[name] = Sample(seen.number(run, "dd") - other, control, words)
    return _told(_rows(samples), 0.0, POINT)


def structure_left(seen: View) -> Rows:
    """%dd after the first pass; control: DANOISE."""
    control, samples = _reference(seen, "danoise", "dd"), {}
    for name, run in _readings(seen, ("degenerator", "chain")).items():
        words = f"{_about(seen, run)}; {_weakest(seen, run, 1)}"
        samples[name] = Sample(seen.number(run, "dd", 1), control, words)
    return _told(_rows(samples), LEFT, DESTROYED)


def unlearns(seen: View) -> Rows:
    """%dd after the last pass less that after the first."""
    samples = {}
    for name, run in _readings(seen, ("degenerator", "chain")).items():
        first, last = seen.number(run, "dd", _first(seen, run)), seen.number(run, "dd")
        words = f"{_about(seen, run)}; {_mean(first):.3g} and {_mean(last):.3g} % {_last(seen, run)}"
        samples[name] = paired(last, first), words
    return _differences(samples, POINT)


def noise_destroys(seen: View) -> Rows:
    """%dd with the most noise in the degenerator's input less that with none."""
    family = seen.family("sigma", "degenerator")
    if len(family) < 2 or seen.rows[family[0]]["sigma"] > 0:
        return None
    none, most = (seen.number(run, "dd") for run in (family[0], family[-1]))
    words = f"sigma 0 and {seen.rows[family[-1]]['sigma']:g}: {_mean(none):.3g} and {_mean(most):.3g} %"
    looks = [_mean(seen.number(run, "fresh_accuracy")) for run in (family[0], family[-1])]
    words += f"; a fresh discriminator is right on {looks[0]:.3g} and {looks[1]:.3g}"
    return _differences({"degenerator": (paired(most, none), words)}, POINT)


# --- Proposition 2 -----------------------------------------------------------------------------------------------


def _chains(seen: View) -> dict[str, int]:
    """Chains with the criterion used and ignored, of all widths, by name."""
    found: dict[str, int] = {}
    for criterion in ("used", "ignored"):
        base = seen.base("chain", criterion)
        if base is None:
            continue
        for along in ("width", "d_width"):
            for run in seen.family(along, "chain", criterion):
                row = seen.rows[run]
                found[f"criterion {criterion}, widths {row['width']:g} and {row['d_width']:g}"] = run
    return found


def _heldout(seen: View) -> float:
    """Held-out pairs that a label probe is scored on."""
    return seen.single("reference_heldout", system="danoise")


def _allowed(seen: View) -> float:
    """%: how far destroyed data may read below 99, the standard error of a label probe of independent data.

    The probe agrees with one label of ten by chance, and whoever knows the original with all: of N held-out pairs the
    component errs by 100 sqrt(.1 .9/N)/.9, that is 1.05 at 1,000 and 1.5 at 500.
    """
    pairs, chance = _heldout(seen), 1 / CLASSES
    return 100 * (chance * (1 - chance) / pairs) ** 0.5 / (1 - chance) if pairs > 0 else SHORT


def _staying(seen: View, run: int) -> tuple[xr.DataArray, list[int], int]:
    """%dd after the pass where the mean over seeds is lowest, from the first that reaches the threshold to the last.

    For each seed; those passes, and the lowest of them. After the last pass where none reaches it.
    """
    means = {p: _mean(seen.number(run, "dd", p)) for p in seen.passes(run)}
    reached = [p for p, mean in means.items() if mean >= DESTROYED - _allowed(seen)]
    since = [p for p in means if reached and p >= reached[0] and np.isfinite(means[p])]
    lowest = min(since, key=lambda p: (means[p], p), default=-1)
    return seen.number(run, "dd", lowest) if since else seen.number(run, "dd"), since, lowest


def proposition2(seen: View) -> Rows:
    """%dd of a chain where it is lowest, from where it reaches 99 on, less what destroyed data may read.

    Control: XOR with one fixed key.
    """
    bound = DESTROYED - _allowed(seen)
    control, samples, unseen = _reference(seen, "xor-fixed", "dd") - bound, {}, []
    for name, run in _chains(seen).items():
        values, since, lowest = _staying(seen, run)
        words = (
            f"{_about(seen, run)}; {_weakest(seen, run)}; threshold {bound:.4g} %, {_heldout(seen):g} held-out pairs; "
        )
        words += f"reached after {since[0]} passes" if since else f"never reached: {_mean(values):.4g} % in the end"
        if len(since) == 1:
            unseen.append(name)
            words += ", the last one measured: whether it stays was not seen"
        elif since:
            words += f", lowest after {lowest}: {_mean(values):.4g} %"
        words += _not_noise(seen, run)
        samples[name] = Sample(values - bound, control, words)
    rows = _told(_rows(samples), LEFT - bound, DESTROYED - bound)
    rows = _sane(rows, _reference(seen, "danoise", "dd") - bound, _stays, "DANOISE itself, less the threshold,") or {}
    return {name: replace(row, n=0) if name in unseen else row for name, row in rows.items()} or None


def _not_noise(seen: View, *runs: int) -> str:
    fresh = _mean(np.concatenate([seen.number(run, "fresh_accuracy").values for run in runs]))
    return f"; destroyed is not noise: a fresh discriminator is right on {fresh:.3g}"


def _each(seen: View, run: int) -> list[bool | None]:
    """Whether each seed of a run stays at or above the threshold once it reached it; None: reached at the end only."""
    whole = [seen.number(run, "dd", p) for p in seen.passes(run)]
    found: list[bool | None] = []
    for seed in sorted({int(seed) for values in whole for seed in values["seed"].values}):
        own = np.array([float(v.sel(seed=seed)) for v in whole if seed in v["seed"].values])
        above = own >= DESTROYED - _allowed(seen)
        first = int(above.argmax())
        found.append(None if above.any() and first == len(own) - 1 else bool(above.any() and above[first:].all()))
    return found


def any_capacity(seen: View) -> Rows:
    """Share of chains (widths and seeds) that reach 99 % and stay, each by itself; control: of fixed XOR keys."""
    chains = _chains(seen)
    fixed = seen.draws("xor-fixed", "dd")
    control = float(np.mean(fixed >= DESTROYED - _allowed(seen))) if fixed.size else np.nan
    rows = {}
    for part in dict.fromkeys(name.split(", ")[0] for name in chains):
        runs = [run for name, run in chains.items() if name.startswith(part)]
        every = [stays for run in runs for stays in _each(seen, run)]
        held = [stays for stays in every if stays is not None]
        seeds = {int(seed) for run in runs for seed in seen.number(run, "dd")["seed"].values}
        if held and len(runs) >= 3:
            told = f"{len(runs)} pairs of widths, {len(held)} runs; threshold {DESTROYED - _allowed(seen):.4g} %"
            if len(held) < len(every):
                told += f"; {len(every) - len(held)} more reached it at the last pass only, left out"
            told += _not_noise(seen, *runs)
            rows[part] = Measurement(float(np.mean(held)), len(seeds), control, conditions=told)
    return rows or None


def numerically(seen: View) -> Rows:
    """Share of the chains whose numbers are not finite in the end; control: of the generator."""
    other = seen.base("generator")
    control = len(seen.diverged(other)) / max(1, len(seen.seeds(other))) if other is not None else 0.0
    runs = list(_chains(seen).values())
    every, lost = sum(len(seen.seeds(run)) for run in runs), sum(len(seen.diverged(run)) for run in runs)
    if not every:
        return None
    seeds = len({int(seed) for run in runs for seed in seen.seeds(run)})
    return {"chain": Measurement(lost / every, seeds, control, conditions=f"{every} runs")}


def criterion_idle(seen: View) -> Rows:
    """What ignoring the criterion changes, in percentage points; control: what noise or untouched data would."""
    samples = {}
    for kind in ("chain", "degenerator"):
        used = seen.base(kind)
        ignored = seen.twin(used, criterion="ignored") if used is not None else None
        if used is None or ignored is None:
            continue
        for variable, scale, called in (("dd", 1.0, "%dd"), ("fresh_accuracy", 100.0, "fresh discriminator")):
            one, other = (scale * seen.number(run, variable) for run in (used, ignored))
            values = paired(other, one)
            apart = [scale * _reference(seen, s, variable) - _mean(one) for s in ("danoise", "untouched")]
            control = max(apart, key=abs) if np.isfinite(apart).all() else np.nan
            words = f"{_about(seen, used)}; {_mean(one):.4g} and, ignored, {_mean(other):.4g} %, {_last(seen, used)}"
            samples[f"{kind}, {called}"] = Sample(values, control, words)
    return _rows(samples)


# --- what looks like noise ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A measure of randomness: its variable, how it is read, its threshold in words and as a test, its figure."""

    variable: str
    called: str
    expected: str
    holds: Holds
    over_noise: bool = False
    absolute: bool = False
    figure: str = "summary"


LOOKS = (
    Look("fresh_accuracy", "a fresh discriminator, on images held out",
         f"right on at most {HALF + TELLING} of noise and outputs", _at_most(HALF + TELLING)),
    Look("bits_per_byte", "entropy of the bytes", f"at least {BITS} bits per byte", _at_least(BITS), figure="bits"),
    Look("chi2_per_dof", "frequencies of the bytes", f"chi squared per degree of freedom <= {FREE}", _at_most(FREE)),
    Look("ks", "Kolmogorov-Smirnov distance to the uniform distribution", f"<= {KOLMOGOROV}", _at_most(KOLMOGOROV)),
    Look("zlib_ratio", "compression by zlib", f"compressed over original size >= {INCOMPRESSIBLE}",
         _at_least(INCOMPRESSIBLE)),
    Look("lzma_ratio", "compression by lzma", f"compressed over original size >= {INCOMPRESSIBLE}",
         _at_least(INCOMPRESSIBLE)),
    Look("serial_correlation", "correlation of successive bytes", f"|r| <= {CORRELATED}", _at_most(CORRELATED),
         absolute=True),
    Look("neighbour_correlation", "correlation of neighbouring pixels", f"|r| <= {CORRELATED}", _at_most(CORRELATED),
         absolute=True),
    Look("sample_correlation", "correlation between outputs of different images",
         f"mean |r| over DANOISE's <= {ALIKE}", _at_most(ALIKE), over_noise=True, figure="textures"),
    Look("participation_ratio", "participation ratio of the outputs' covariance",
         f"over that of independent noise >= {SPREAD_OUT}", _at_least(SPREAD_OUT), figure="textures"),
)  # fmt: skip


def _looks(look: Look) -> Callable[[View], Rows]:
    """A measure of randomness after the last pass; control: images under additive noise."""

    def measure(seen: View) -> Rows:
        unit = _reference(seen, "danoise", look.variable) if look.over_noise else 1.0

        def read(values: xr.DataArray | np.ndarray) -> np.ndarray:
            found = np.asarray(values, dtype=float) / unit
            return np.abs(found) if look.absolute else found

        control = _mean(read(seen.draws("additive", look.variable)))
        samples = {}
        for name, run in _readings(seen, noises=True).items():
            words = f"{_about(seen, run)}, {_last(seen, run)}"
            if look.variable == "fresh_accuracy":
                words += f"; in the game {_mean(_in_loop(seen, run)):.3g}"
            samples[name] = Sample(read(seen.number(run, look.variable)), control, words)
        return _sane(_rows(samples), _mean(read(seen.draws("danoise", look.variable))), look.holds)

    measure.__doc__ = f"{look.called}, after the last pass; control: images under additive noise."
    return measure


def _epoch(seen: View, run: int, variable: str, place: int) -> xr.DataArray:
    """A number of the record in one epoch that the run has, for each seed that did not diverge."""
    found = seen.at(run, variable)
    if "epoch" not in found.dims:
        return found
    there = found.notnull().any("seed").values
    if not -there.sum() <= place < there.sum():
        return found.isel(seed=slice(0)).sum("epoch")
    found = found.isel(epoch=int(np.flatnonzero(there)[place]), drop=True)
    found = found.isel(seed=~np.isin(found["seed"].values, seen.diverged(run)))
    return found.dropna("seed")


def _in_loop(seen: View, run: int) -> xr.DataArray:
    return _epoch(seen, run, "accuracy", -1)


def fooled_in_the_game(seen: View) -> Rows:
    """In-loop accuracy of the discriminator in the last epoch; control: a fresh one on images under additive noise.

    Where a fresh discriminator tells noise and outputs apart all the same, the verdict depends on which is asked.
    """
    control = _reference(seen, "additive", "fresh_accuracy")
    samples, depends = {}, {}
    for name, run in _readings(seen, noises=True).items():
        samples[name] = Sample(_in_loop(seen, run), control, _about(seen, run))
        fresh = _mean(seen.number(run, "fresh_accuracy"))
        if fresh > HALF + TELLING:
            depends[name] = f"a fresh discriminator is right on {fresh:.3g} of images held out"
    rows = _rows(samples) or {}
    return {name: replace(row, depends=depends.get(name, "")) for name, row in rows.items()} or None


def optimum_accuracy(seen: View) -> Rows:
    """Accuracy of a fresh discriminator between two sources of uniform noise; control: images under additive noise."""
    control = _reference(seen, "additive", "fresh_accuracy")
    systems = ("danoise", "xor-fresh")
    return _rows({system: Sample(seen.draws(system, "fresh_accuracy"), control) for system in systems})


def optimum_value(seen: View) -> Rows:
    """Value of a fresh discriminator between two sources of uniform noise; control: images under additive noise."""
    control = _reference(seen, "additive", "fresh_value")
    systems = ("danoise", "xor-fresh")
    return _rows({system: Sample(seen.draws(system, "fresh_value"), control) for system in systems})


def optimum_exact(seen: View) -> Rows:
    """V, and max_D V, at p_d uniform in the game of Theorem 1; control: max_D V at another p_d."""
    control = seen.single("saddle_control_criterion")
    found = {"V at D = 1/2": seen.single("saddle_value"), "max_D V": seen.single("saddle_criterion")}
    rows = {name: Measurement(value, 1, control) for name, value in found.items() if np.isfinite(value)}
    return rows or None


def optimum_reached(seen: View) -> Rows:
    """Value of a fresh discriminator against the trained networks; control: images under additive noise."""
    control, samples = _reference(seen, "additive", "fresh_value"), {}
    for name, run in _readings(seen, noises=True).items():
        samples[name] = Sample(seen.number(run, "fresh_value"), control, f"{_about(seen, run)}, {_last(seen, run)}")
    return _sane(_rows(samples), _reference(seen, "danoise", "fresh_value"), _near(OPTIMUM, WAVERING))


def random_module(seen: View) -> Rows:
    """What tells Python's random from true randomness, in standard errors; control: the same of true randomness."""
    accuracy, chi2 = seen.draws("urandom", "fresh_accuracy"), seen.draws("danoise", "chi2_per_dof")
    images, others = (seen.single("reference_heldout", system=name) for name in ("urandom", "danoise"))
    alike = (_reference(seen, "danoise", "fresh_accuracy") - HALF) / (8 * others) ** -0.5
    size = (2 / BYTES) ** 0.5
    other = (_reference(seen, "urandom", "chi2_per_dof") - 1) / size
    told = (
        f"accuracy {_mean(accuracy):.3g} on {images:g} images of each; control: DANOISE against more DANOISE; images "
    )
    told += f"under additive noise are told from it at {_reference(seen, 'additive', 'fresh_accuracy'):.3g}"
    words = f"chi squared per degree of freedom {_mean(chi2):.3g}; control: /dev/urandom"
    return _rows(
        {
            "fresh discriminator": Sample((accuracy - HALF) / (8 * images) ** -0.5, alike, told),
            "frequencies of bytes": Sample(np.abs(chi2 - 1) / size, abs(other), words),
        }
    )


# --- entropy, uniformity, textures, collapse ---------------------------------------------------------------------


def entropy_rises(seen: View) -> Rows:
    """Bits per byte after the last pass less those after the first."""
    return _entropy(seen, _readings(seen), BIT)


def gan_orders(seen: View) -> Rows:
    """The same of the GAN trained on images, where entropy should fall."""
    return _entropy(seen, _readings(seen, ("gan",)), -BIT)


def _entropy(seen: View, runs: Mapping[str, int], threshold: float) -> Rows:
    samples = {}
    for name, run in runs.items():
        first, last = (seen.number(run, "bits_per_byte", p) for p in (_first(seen, run), None))
        words = f"{_about(seen, run)}; {_mean(first):.4g} and {_mean(last):.4g} bits {_last(seen, run)}"
        samples[name] = paired(last, first), words
    return _differences(samples, threshold)


def entropy_of_data(seen: View) -> Rows:
    """Bits per byte of outputs less those of the images; control: pixels permuted, which no frequency shows."""
    images = _reference(seen, "untouched", "bits_per_byte")
    control, samples = _reference(seen, "permutation", "bits_per_byte") - images, {}
    for name, run in _readings(seen).items():
        found = seen.number(run, "bits_per_byte")
        words = f"{_about(seen, run)}; {images:.3g} and {_mean(found):.4g} bits {_last(seen, run)}"
        samples[name] = Sample(found - images, control, words)
    return _told(_rows(samples), 0.0, BIT) if np.isfinite(images) else None


def super_uniformity(seen: View) -> Rows:
    """(chi squared per degree of freedom - 1), in standard errors of independent noise; control: Python's random."""
    control = (_reference(seen, "danoise", "chi2_per_dof") - 1) / (2 / BYTES) ** 0.5
    samples = {}
    for name, run in _readings(seen).items():
        found = seen.number(run, "chi2_per_dof")
        words = f"{_about(seen, run)}, {_last(seen, run)}; chi squared per degree of freedom {_mean(found):.4g}"
        samples[name] = Sample((found - 1) / (2 / BYTES) ** 0.5, control, words)
    return _rows(samples)


def super_uniformity_line(seen: View) -> Rows:
    """The same of p_d on the line, in panel d; control: Python's random itself."""
    rows = _line_uniformity(seen) or {}
    return {name: replace(row, control=_line_noise(seen)) for name, row in rows.items() if name.endswith("d")} or None


def _line_error(seen: View) -> float:
    """Standard error of chi squared per degree of freedom on the line."""
    return float((2 / (seen.data.sizes["line_bin"] - 1)) ** 0.5) if "line_bin" in seen.data.sizes else np.nan


def _line_noise(seen: View) -> float:
    return (seen.single("line_chi2_noise") - 1) / _line_error(seen)


def _line_uniformity(seen: View) -> Rows:
    """(chi squared per degree of freedom - 1) of p_d on the line, in standard errors of independent noise."""
    if "line_chi2_per_dof" not in seen.data or not np.isfinite(_line_error(seen)):
        return None
    found = seen.data["line_chi2_per_dof"].values
    scores = (found - 1) / _line_error(seen)
    places = {"line, panel c": -2, "line, panel d": -1}
    return {
        name: Measurement(float(scores[i]), 1, float(scores[0]),
                          conditions=f"one training, no interval; chi squared per degree of freedom {found[i]:.4g}")
        for name, i in places.items()
    }  # fmt: skip


def line_uniform(seen: View) -> Rows:
    """The same where the networks were trained on a line (Figure 6); control: panel a, before the training."""
    return _sane(_line_uniformity(seen), _line_noise(seen), _at_most(ERRORS), "Python's random itself")


def line_half(seen: View) -> Rows:
    """Mean |D - 1/2| on the line in panel d; control: panel b, after the inner loop of the discriminator."""
    if "line_discriminator" not in seen.data:
        return None
    off = abs(seen.data["line_discriminator"] - HALF).mean("line_bin").values
    return {"line, panel d": Measurement(float(off[-1]), 1, float(off[1]))}


def repeated_textures(seen: View) -> Rows:
    """How much more alike outputs are after 15 passes than independent noise; control: XOR with fresh keys."""
    samples = {}
    for variable, called in (("sample_correlation", "correlation"), ("participation_ratio", "participation")):
        power = 1 if variable == "sample_correlation" else -1
        unit = _reference(seen, "danoise", variable)
        control = (_reference(seen, "xor-fresh", variable) / unit) ** power
        for name, run in _readings(seen).items():
            values = (seen.number(run, variable, TEXTURES) / unit) ** power
            samples[f"{name}, {called}"] = Sample(values.where(values > 0).dropna("seed"), control, _about(seen, run))
    return _told(_rows(samples, geometric=True), 1.0, REPEATED)


def _overpowered(seen: View) -> Iterator[tuple[str, int, int]]:
    """Runs with a stronger discriminator than the base of their kind: name, base, run."""
    for kind in ("degenerator", "generator", "chain"):
        base = seen.base(kind)
        if base is None:
            continue
        for along, called in (("d_steps", "steps"), ("d_width", "width")):
            for run in seen.family(along, kind):
                if seen.rows[run][along] > seen.rows[base][along]:
                    yield f"{kind}, discriminator {called} {seen.rows[run][along]:g}", base, run


def avoids_collapse(seen: View) -> Rows:
    """Share of the seeds that collapse with an overpowered discriminator; control: with the balanced one."""
    found, rows = list(_overpowered(seen)), {}
    level = (1 - COVERAGE) / max(1, len(found))
    for name, base, run in found:
        values, other = (seen.number(r, "participation_ratio") for r in (run, base))
        k, n = int((values < COLLAPSED).sum()), values.size
        if not n:
            continue
        low = stats.beta.ppf(level / 2, k, n - k + 1) if k else 0.0
        high = stats.beta.ppf(1 - level / 2, k + 1, n - k) if k < n else 1.0
        control = float((other < COLLAPSED).mean()) if other.size else np.nan
        words = f"{_about(seen, run)}, {_last(seen, run)}; participation ratio {_mean(values):.3g}, balanced "
        words += f"{_mean(other):.3g}"
        rows[name] = Measurement(k / n, n, control, low=float(low), high=float(high), conditions=words)
    return rows or None


def spreads(seen: View) -> Rows:
    """Logarithm of the participation ratio with an overpowered discriminator over that with the balanced one."""
    samples = {}
    for name, base, run in _overpowered(seen):
        one, other = (seen.number(r, "participation_ratio") for r in (base, run))
        words = f"{_about(seen, run)}, {_last(seen, run)}; {_mean(one):.3g} and {_mean(other):.3g}"
        samples[name] = paired(_logarithm(other), _logarithm(one)), words
    return _differences(samples, float(np.log(WIDER)))


def _logarithm(values: xr.DataArray) -> xr.DataArray:
    return values.copy(data=np.log(values.where(values > 0).values))


def uninformative(seen: View) -> Rows:
    """Gradient norm of the player under eq. 1 over that under the other loss; control: over another seed's of that."""
    samples = {}
    for kind in ("degenerator", "generator", "chain"):
        base = seen.base(kind, loss="non-saturating")
        run = seen.twin(base, loss="minimax") if base is not None else None
        if base is None or run is None:
            continue
        usual, norms = (_gradient(seen, r) for r in (base, run))
        if usual.size and norms.size:
            control = float(np.exp(_mean(usual) - float(usual[::-1][0])))
            words = f"{_about(seen, run)}; mean of logarithms over the epochs"
            samples[kind] = Sample(np.exp(paired(norms, usual)), control, words)
    return _told(_rows(samples, geometric=True), NOTHING, 1.0)


def _gradient(seen: View, run: int) -> xr.DataArray:
    """Mean over the epochs of the logarithm of the gradient norm, for each seed that did not diverge."""
    found = seen.at(run, "gradient_norm")
    if "epoch" not in found.dims:
        return found
    found = _logarithm(found).mean("epoch")
    found = found.isel(seed=~np.isin(found["seed"].values, seen.diverged(run)))
    return found.dropna("seed")


def no_gradient(seen: View) -> Rows:
    """Gradient norm of the player in the last epoch over that in the first; control: in the second epoch."""
    samples = {}
    for name, run in _readings(seen).items():
        first, last = (_epoch(seen, run, "gradient_norm", place) for place in (0, -1))
        epochs = seen.at(run, "gradient_norm")
        if not first.size or "epoch" not in epochs.dims or epochs.sizes["epoch"] < 3:
            continue
        control = _mean(_epoch(seen, run, "gradient_norm", 1)) / _mean(first)
        samples[name] = Sample((last / first).dropna("seed"), control, _about(seen, run))
    return _told(_rows(samples), NOTHING, 1.0)


# --- Theorem 1 and Proposition 1 ---------------------------------------------------------------------------------


def _spectrum(seen: View, name: str) -> np.ndarray:
    values = seen.data[f"saddle_{name}"].values.ravel() if f"saddle_{name}" in seen.data else np.empty(0)
    return np.asarray(values[np.isfinite(values)], dtype=float)


def _indefinite(values: np.ndarray) -> float:
    """The weaker of the two signs over the largest eigenvalue; at most 0 where all have one sign."""
    return float(min(values.max(), -values.min()) / np.abs(values).max()) if values.size else np.nan


def _definite(values: np.ndarray) -> float:
    """Smallest eigenvalue over the largest in size."""
    return float(values.min() / np.abs(values).max()) if values.size else np.nan


def stationary(seen: View) -> Rows:
    """Length of the gradient at p_d = uniform; control: elsewhere."""
    names = {"game": "gradient_norm", "criterion": "criterion_gradient_norm"}
    rows = {}
    for part, name in names.items():
        value, control = (seen.single(f"saddle_{n}") for n in (name, f"control_{name}"))
        if np.isfinite(value):
            rows[part] = Measurement(value, 1, control)
    return rows or None


def saddle(seen: View) -> Rows:
    """Whether the Hessian at p_d = uniform has both signs, of the game and of the degenerator alone.

    Control: Hessians known to have one sign, of the criterion there (game) and elsewhere (degenerator).
    """
    joint, own = _spectrum(seen, "eigenvalue"), _spectrum(seen, "criterion_eigenvalue")
    away = _spectrum(seen, "control_criterion_eigenvalue")
    if not joint.size or not own.size:
        return None
    size = INDEFINITE * np.abs(joint).max()
    words = (
        f"{int((joint > size).sum())} positive and {int((joint < -size).sum())} negative of {joint.size} eigenvalues"
    )
    alone = f"eigenvalues {own.min():.3g} to {own.max():.3g} of max_D V"
    return {
        "degenerator and discriminator": Measurement(_indefinite(joint), 1, _indefinite(own), conditions=words),
        "degenerator alone": Measurement(_indefinite(own), 1, _indefinite(away), conditions=alone),
    }


def minimum(seen: View) -> Rows:
    """Smallest over largest eigenvalue of max_D V at p_d = uniform; control: of the joint game."""
    joint, own = _spectrum(seen, "eigenvalue"), _spectrum(seen, "criterion_eigenvalue")
    if not joint.size or not own.size:
        return None
    rise = seen.single("saddle_control_criterion") - seen.single("saddle_criterion")
    words = f"max_D V is {rise:.3g} higher where p_d is not uniform"
    return {"degenerator alone": Measurement(_definite(own), 1, _definite(joint), conditions=words)}


def overwritten_discriminator(seen: View) -> Rows:
    """Accuracy of the discriminator after random bytes overwrote its weights; control: before."""
    before, after = (seen.single("discriminator_accuracy", when=when) for when in ("before", "after"))
    if not np.isfinite(after):
        return None
    words = "a logit that is not a finite number decides nothing and counts 1/2 by definition"
    undecided = seen.single("discriminator_undecided", when="after")  # once, of the overwritten one, or for each
    if np.isfinite(undecided):
        words += f": {100 * undecided:.3g} % of them after"
        if "when" in seen.data["discriminator_undecided"].dims:
            words += f", {100 * seen.single('discriminator_undecided', when='before'):.3g} % before"
        if undecided > HALF:
            words += "; random float32 bytes as weights give not-a-number almost everywhere"
    return {"accuracy": Measurement(after, _copies(seen), before, conditions=words)}


# --- networks and people -----------------------------------------------------------------------------------------


def tricks_networks(seen: View) -> Rows:
    """Accuracy of a classifier on what the systems make of held-out images; control: on the images."""
    names = [str(name) for name in seen.data["picture"].values] if "picture" in seen.data.coords else []
    control, rows = seen.single("picture_accuracy", picture="original"), {}
    for name in names:
        if name != "original":
            value = seen.single("picture_accuracy", picture=name)
            words = f"one run; SSIM with the original {seen.single('picture_ssim', picture=name):.3g}"
            words += f"; {TOLD_LABELS}" if name == "fgsm" else ""
            rows[name] = Measurement(value, 1, control, conditions=words)
    return rows or None


def _hides(seen: View, variable: str, holds: Holds, **where: Any) -> Rows:
    stored = "component" if variable == "component_dd" else variable
    control, samples = _reference(seen, "fgsm", stored, **where), {}
    for name, run in _readings(seen, noises=True).items():
        samples[name] = Sample(
            seen.number(run, variable, **where), control, f"{_about(seen, run)}, {_last(seen, run)}"
        )  # fmt: skip
    rows = _told(_rows(samples), LEFT, DESTROYED) if holds is _destroys else _rows(samples)
    return _sane(rows, _reference(seen, "danoise", stored, **where), holds)


def hides_label(seen: View) -> Rows:
    """What a label probe loses on outputs; control: FGSM."""
    return _hides(seen, "component_dd", _destroys, component="probe")


def hides_image(seen: View) -> Rows:
    """What is lost in picking the right original; control: FGSM."""
    return _hides(seen, "component_dd", _destroys, component="top1")


def hides_structure(seen: View) -> Rows:
    """SSIM of outputs with their originals; control: FGSM."""
    return _hides(seen, "ssim", _at_most(UNLIKE))


def fgsm_readable(seen: View) -> Rows:
    """What FGSM takes from a label probe and from retrieval; control: DANOISE."""
    samples = {}
    for name in ("probe", "top1"):
        values = seen.draws("fgsm", "component", component=name)
        samples[SPOKEN[name]] = Sample(values, _reference(seen, "danoise", "component", component=name))
    return _rows(samples)


# --- declarations ------------------------------------------------------------------------------------------------


def _claim(
    name: str, source: str, statement: str, expected: str, measure: Callable[[View], Rows | Measurement],
    holds: Holds, figure: str, conditions: str = "", minimum: int = SEEDS,
) -> Claim:  # fmt: skip
    measured = _on_view(measure)
    return Claim(
        name, source, statement, expected, minimum, measured, holds, conditions, f"degeneration/figures/{figure}.png"
    )  # fmt: skip


def _at(place: str) -> str:
    return f"{PAPER}, {place}"


TOLD_LABELS = (
    "FGSM is made from the true labels and writes them into the image: where its label probe reads better than that of "
    "the originals, the component is below 0"
)
RATE = "95 % t-intervals over {} for all rows together"
SEED_T, DRAW_T = RATE.format("seeds"), RATE.format("draws")
FIXED = "control: XOR with one fixed key, which changes nearly all bytes and destroys nothing"
UPPER = "%dd is an upper bound: another attacker may recover more"
PAIRED = f"paired by seed; {SEED_T}; control: the end of the interval with the two exchanged in every other seed"
NOISED = "control: images under additive noise"
FAR = f"the interval reaches {DESTROYED:g} and not below {DESTROYED - SHORT - SLACK}"
DESTRUCTION = f"mean %dd >= {DESTROYED - SHORT}, {FAR}"
GUARDED = (
    "a decoder is used only if better than knowing nothing by 2 standard errors on validation pairs, so that R^2 is "
    "exactly 100 mostly; less than about 3 % of the label information is not resolved"
)
THRESHOLD = (
    f"threshold: {DESTROYED:g} % less the standard error of a label probe of independent data at the N held-out pairs, "
    "100 sqrt(.1 .9/N)/.9 (1.05 at 1,000, 1.5 at 500)"
)
GAIN = (
    "the gain of the fresh discriminator is set to 0 unless better than guessing by 2 standard errors, so exactly "
    "-log 4 is by construction"
)
NOT_LOOKED_AT = (
    "no people were shown the images; stand-ins are measured: what a label probe, retrieval and SSIM find left "
    "(tricks_label_probe, tricks_retrieval, tricks_ssim)"
)
NOT_RUN = "not run: a classifier writes nothing, and neither this network nor its data are at hand"

GATES = (
    _claim(
        "metric_untouched", DERIVED, "Untouched data read 0", f"largest |component| <= {EXACT:g} %",
        metric_untouched, _at_most(EXACT), "table", "control: DANOISE", minimum=1,
    ),
    _claim(
        "metric_independent", DERIVED,
        "Data independent of the original read 100 in every component, also XOR with fresh "
        "keys", f"unclipped: the interval contains 100 (to {ROUNDING} %) and nothing further off than "
        f"{AROUND + SLACK:g} %, the mean is within {AROUND:g} % of it",
        metric_independent, _reads_whole, "table", f"{GUARDED}; {DRAW_T}; {FIXED}", minimum=DRAWS,
    ),
    _claim(
        "metric_kept", DERIVED,
        "XOR with one fixed key, a fixed pixel permutation and FGSM change bytes and destroy nothing",
        f"%dd <= {KEPT:g} with {ENOUGH} pairs", metric_kept, _at_most(KEPT),
        "table", f"{DRAW_T}; control: DANOISE", minimum=1,
    ),
    _claim(
        "metric_pairs", DERIVED, "%dd is an upper bound: the more pairs an attacker has, the less is destroyed",
        f"fewest less most pairs >= {POINT:g} %, interval above 0", metric_pairs, _above(POINT), "pairs",
        f"of what reads {POINT:g} % or more with the fewest; {PAIRED}", minimum=DRAWS,
    ),
)  # fmt: skip

DESTROYING = (
    _claim(
        "destroyed_images", _at("section 5, Table 1"), "DAN trained on DANOISE dataset: %dd in training set 100",
        f"recoverability: {DESTRUCTION}", destroyed_images, _destroys, "table",
        f"scored on held-out images of the same data; {UPPER}; {SEED_T}; {FIXED}",
    ),
    _claim(
        "destroyed_album", _at("section 5, Table 1"),
        "DAN trained on DANOISE dataset: %dd in my family photos album 100", f"recoverability: {DESTRUCTION}",
        destroyed_album, _destroys, "table",
        f"the album: patches of two photographs, fitted on one and scored on the other; {UPPER}; {SEED_T}; {FIXED}",
    ),
    _claim(
        "destroyed_files", _at("section 3.2, Algorithm 1"), "Overwrite your original data with the generated noise",
        "literally: 100 % of the bytes present are overwritten", destroyed_files, _at_least(100), "table",
        "images and weights; of a copy in a sandbox", minimum=1,
    ),
    _claim(
        "every_byte_differs", _at("section 5"), "percentage of data destroyed: 100", "100 % of the bytes differ",
        every_byte, _at_least(100), "table", f"independent noise leaves one byte of 256 as it was; {SEED_T}; control: "
        "untouched data",
    ),
    _claim(
        "bytes_differ_as_of_noise", _at("section 5"), "percentage of data destroyed: 100",
        f"as many bytes differ as of independent noise, {IDEAL:.3f} % (mean within {QUARTER} %)",
        bytes_as_noise, _near(IDEAL, QUARTER), "table", f"{SEED_T}; control: FGSM",
    ),
    _claim(
        "zero_rows", _at("section 5, Table 1"), "VGG, Inception, AlphaGo: %dd 0 and 0", "bytes altered = 0",
        zero_rows, _at_most(0), "table", "control: the bytes that a DAN overwrote", minimum=1,
    ),
    *(
        Claim(f"zero_row_{name}", _at("section 5, Table 1"), f"{called}: %dd 0 and 0", "", untestable=NOT_RUN)
        for name, called in (
            ("vgg", "VGG trained on ImageNet"), ("inception", "Inception trained on Britney Spears MP3s"),
        )
    ),
    _claim(
        "superior", _at("section 5, Table 1"), "our architecture is inherently superior to these other ones",
        f"%dd of a DAN less that of a classifier >= {POINT:g}, interval above 0", superior, _above(POINT), "table",
        f"{SEED_T}; control: XOR with one fixed key less the classifier, which destroys nothing",
    ),
    _claim(
        "beyond_random", _at("sections 3.2 and 5"), "we've established the state of the art in degenerating data; if "
        "randomness were readily available through a simple module import then there would be no point in using Deep "
        "Learning", f"%dd of a DAN less that of Python's random alone >= {POINT:g}, interval above 0",
        beyond_random, _above(POINT), "table", f"{SEED_T}; control: /dev/urandom less DANOISE",
    ),
    _claim(
        "structure_after_one_pass", _at("section 7, Figure 8"),
        "after one pass through the dataset. The degenerator is "
        "still trying to unlearn the structure of the input data",
        f"%dd < {DESTROYED - SHORT}, interval below {DESTROYED:g}", structure_left, _survives, "first_pass",
        f"{SEED_T}; control: DANOISE",
    ),
    _claim(
        "unlearns", _at("section 7, Figure 8"), "still trying to unlearn the structure of the input data",
        f"%dd after the last pass less after the first >= {POINT:g}, interval above 0", unlearns, _above(POINT),
        "first_pass", PAIRED,
    ),
    _claim(
        "noise_destroys", DERIVED,
        "The criterion fixes the distribution of outputs, not that they are independent of the "
        "image: without noise in its input a degenerator keeps it",
        f"%dd with the most noise less that with none >= {POINT:g}, interval above 0", noise_destroys, _above(POINT),
        "table", PAIRED,
    ),
)  # fmt: skip

LOOKING = (
    *(
        _claim(
            f"looks_like_noise_{look.variable}", _at("section 5, Figure 7"),
            "The noise examples generated by DAN look very "
            "visually similar to a sample from a true random source", f"{look.called}: {look.expected} (mean)",
            _looks(look), look.holds, look.figure, f"{SEED_T}; {NOISED}",
        )
        for look in LOOKS
    ),
    Claim(
        "looks_like_noise_to_people", _at("section 5, Figure 7"), "look very visually similar to a sample from a true "
        "random source",
        "", untestable="no people were asked; what machines tell apart is measured (looks_like_noise_...)",
        figure="degeneration/figures/degenerated.png",
    ),
    _claim(
        "fools_its_discriminator", _at("Introduction"),
        "Competition in this game will drive both groups to improve until "
        "the discriminator cannot reliably distinguish between generated noise and degenerated data",
        f"accuracy of the discriminator in the game within {TELLING} of 1/2 in the last epoch",
        fooled_in_the_game, _near(HALF, TELLING), "training",
        f"{SEED_T}; control: a fresh discriminator on images under additive noise",
    ),
    _claim(
        "optimum_accuracy", _at("section 4.1"), "the network has a global optimum when p_d = p_uniform",
        f"there D = 1/2: a fresh discriminator between two sources of noise is right within {TELLING} of 1/2",
        optimum_accuracy, _near(HALF, TELLING), "training", f"{DRAW_T}; {NOISED}", minimum=DRAWS,
    ),
    _claim(
        "optimum_value", _at("section 4.1"), "the network has a global optimum when p_d = p_uniform",
        f"there V = -log 4: that of a fresh discriminator within {WAVERING} nat",
        optimum_value, _near(OPTIMUM, WAVERING), "training", f"{GAIN}; {DRAW_T}; {NOISED}", minimum=DRAWS,
    ),
    _claim(
        "optimum_exact", _at("section 4.1"), "the network has a global optimum when p_d = p_uniform",
        f"exactly, in a game of one dimension: |V + log 4| <= {EXACT:g}", optimum_exact, _near(OPTIMUM, EXACT),
        "saddle",
        "quadrature; control: max_D V where p_d is not uniform", minimum=1,
    ),
    _claim(
        "optimum_reached", _at("section 3.1"),
        "the training criterion presented above allows one to lose all of their data",
        f"the trained networks reach it: V of a fresh discriminator within {WAVERING} nat of -log 4",
        optimum_reached, _near(OPTIMUM, WAVERING), "training", f"{SEED_T}; {NOISED}",
    ),
    _claim(
        "random_module", _at("section 3.2"), "the random module does not give you true randomness",
        f"it is told from /dev/urandom by {ERRORS:g} standard errors or more (mean)", random_module, _at_least(ERRORS),
        "summary", f"{DRAW_T}; the bytes of /dev/urandom were drawn once", minimum=1,
    ),
    _claim(
        "entropy_maximised", _at("Abstract"), "This system corresponds to entropy maximization",
        f"bits per byte rise from the first pass to the last by {BIT} or more, interval above 0",
        entropy_rises, _above(BIT), "bits", f"whether they reach the maximum: looks_like_noise_bits_per_byte; {PAIRED}",
    ),
    _claim(
        "entropy_of_data", _at("Abstract"), "This system corresponds to entropy maximization",
        f"bits per byte of outputs less those of the images >= {BIT}, interval above 0",
        entropy_of_data, _above(BIT), "bits", f"{SEED_T}; control: pixels permuted",
    ),
    _claim(
        "gan_lowers_entropy", _at("Introduction, Figure 2"), "All of this model discovery is creating too much "
        "information. At this rate, we will [...] begin to decrease entropy",
        f"bits per byte of a GAN on images fall from the first pass to the last by {BIT} or more, interval below 0",
        gan_orders, _below(-BIT), "bits", PAIRED,
    ),
    Claim(
        "heat_death", _at("Abstract"), "entropy maximization, which ensures a timely heat death", "",
        untestable="of the universe nothing is measured here; the entropy of bytes is (entropy_maximised)",
    ),
    _claim(
        "super_uniformity", _at("section 3.1, Figure 6 (d)"), "the data distribution has reached what we call "
        "super-uniformity", "more uniform than independent noise: (chi squared per degree of freedom - 1) <= "
        f"-{ERRORS:g} standard errors", super_uniformity, _at_most(-ERRORS), "line",
        f"of all bytes of the outputs; {SEED_T}; control: Python's random itself",
    ),
    _claim(
        "super_uniformity_line", _at("section 3.1, Figure 6 (d)"), "the data distribution has reached what we call "
        "super-uniformity", "on the line, more uniform than independent noise: (chi squared per degree of freedom - 1) "
        f"<= -{ERRORS:g} standard errors", super_uniformity_line, _at_most(-ERRORS), "line",
        "control: Python's random itself", minimum=1,
    ),
    _claim(
        "line_uniform", _at("section 3.1, Figure 6"),
        "(c) We see that we have reached uniformity of data (d) after several "
        "steps of training",
        f"(chi squared per degree of freedom - 1) <= {ERRORS:g} standard errors of independent noise",
        line_uniform, _at_most(ERRORS), "line", "control: panel a, before the training", minimum=1,
    ),
    _claim(
        "line_half", _at("section 3.1, Figure 6"),
        "(d) after several steps of training, if D and D have enough capacity",
        f"D = 1/2 (Goodfellow et al., 1406.2661): mean departure <= {HALVES}", line_half, _at_most(HALVES), "line",
        "control: panel b, after the inner loop of the discriminator", minimum=1,
    ),
    _claim(
        "repeated_textures", _at("section 7, Figure 9"), "after 15 passes [...] There appears to be evidence of visual "
        "under-fitting via repeated noise textures across multiple samples",
        "correlation between outputs over that of noise, and noise's participation ratio over theirs, >= "
        f"{REPEATED:g}, "
        "interval above 1", repeated_textures, _above(REPEATED, 1.0), "textures",
        f"geometric mean, {SEED_T}; control: XOR with fresh keys",
    ),
)  # fmt: skip

TRAINING = (
    _claim(
        "overpowered_no_collapse", _at("section 2, Figure 3"),
        "a more robust solution involves creating an overpowered "
        "adversary Discriminator", f"share of seeds that collapse (participation ratio < {COLLAPSED} of noise's) = 0",
        avoids_collapse, _at_most(0), "collapse", "95 % Clopper-Pearson intervals for all rows together; control: the "
        "balanced discriminator",
    ),
    _claim(
        "overpowered_spreads", _at("section 2, Figure 3"), "a more robust solution involves creating an overpowered "
        "adversary Discriminator", f"logarithm of the participation ratio, overpowered less balanced >= log {WIDER}, "
        "interval above 0", spreads, _above(float(np.log(WIDER))), "collapse", PAIRED,
    ),
    _claim(
        "equation1_uninformative", _at("section 3.1"),
        "Equation 1 provides absolutely no information at all on how to train "
        "either D or D", f"gradient norm under eq. 1 over that of the non-saturating loss <= {NOTHING}",
        uninformative, _ends_below(NOTHING), "training",
        f"geometric mean, {SEED_T}, upper end; control: one seed of the non-saturating loss over the others",
    ),
    _claim(
        "gradient_gone", _at("section 3.1, Figure 6 (c)"), "After an update to D, the gradient of D no longer exists",
        f"gradient norm in the last epoch over that in the first <= {NOTHING}",
        no_gradient, _ends_below(NOTHING), "training",
        f"{SEED_T}, upper end; control: in the second epoch",
    ),
    _claim(
        "proposition1", _at("section 4.1, Proposition 1"), "the optimal discriminator D gets overwritten by D: "
        "D*(x) = /dev/urandom", f"overwritten by random bytes its accuracy is within {TELLING} of 1/2",
        overwritten_discriminator, _near(HALF, TELLING), "table", "a copy in a sandbox; control: before", minimum=1,
    ),
    _claim(
        "theorem1_stationary", _at("section 4.1, Theorem 1"),
        "reaching a local optimum is equivalent to [...] uniformly "
        "random noise", f"gradient at p_d = uniform <= {STATIONARY:g}", stationary, _at_most(STATIONARY), "saddle",
        "in one dimension; control: where p_d is not uniform", minimum=1,
    ),
    _claim(
        "theorem1_saddle", _at("section 4.1, Theorem 1"),
        "any local optima is actually just a saddle point on the way to "
        "global optimum", f"the Hessian at p_d = uniform has both signs: weaker over strongest >= {INDEFINITE:g}",
        saddle, _at_least(INDEFINITE), "saddle", "in one dimension; control: a Hessian with one sign", minimum=1,
    ),
    _claim(
        "theorem1_minimum", _at("section 4.1, Theorem 1"),
        "The global minimum of the training criterion occurs when the "
        "universe reaches maximum entropy", f"max_D V: smallest over largest eigenvalue >= {INDEFINITE:g}",
        minimum, _at_least(INDEFINITE), "saddle", "in one dimension, local; control: the joint game", minimum=1,
    ),
    _claim(
        "proposition2", _at("section 4.2, Proposition 2"), "if at each step of the algorithm we ignore the meaningless "
        "criterion of and overwrite data, the algorithm will always diverge",
        f"diverges: the data are destroyed and stay so. Mean %dd less the threshold >= 0 at every pass measured from "
        f"the first that reaches it, the interval not below -{SLACK:g} at the lowest", proposition2, _stays, "chain",
        f"{THRESHOLD}; that they are noise is not asked; {UPPER}; {SEED_T}; {FIXED}",
    ),
    _claim(
        "proposition2_any_capacity", _at("section 4.2, Proposition 2"),
        "Regardless of the capacity of D and D [...] the "
        "algorithm will always diverge", "share of runs whose %dd reaches the threshold and stays there at every pass "
        "measured = 1", any_capacity, _all, "chain", f"{THRESHOLD}; three widths or more; {FIXED}",
    ),
    _claim(
        "proposition2_numerically", _at("section 4.2, Proposition 2"), "the algorithm will always diverge",
        "in the usual sense: share of runs whose numbers are not finite = 1", numerically, _all, "chain",
        "control: the generator",
    ),
    _claim(
        "criterion_idle", _at("section 4.1, proof of Proposition 1"),
        "The training criterion for D (whichever D) does not "
        "really matter",
        f"what ignoring it changes is within {AROUND:g} % of 0 (mean)", criterion_idle, _near(0, AROUND),
        "chain", f"paired by seed; {SEED_T}; control: the outputs replaced by noise, or left untouched",
    ),
    _claim(
        "tricks_networks", _at("section 2, Figure 4"),
        "DANs are able to degenerate data well enough to trick both neural "
        "networks and humans, whereas Goodfellow et al. are only able to trick neural network models",
        f"accuracy of a classifier <= {FOOLED} ({CHANCE} is chance)", tricks_networks, _at_most(FOOLED), "comparison",
        "held-out images; control: the images", minimum=1,
    ),
    Claim(
        "tricks_humans", _at("section 2, Figure 4"), "The method we present is robust even to human discriminators", "",
        untestable=NOT_LOOKED_AT, figure="degeneration/figures/comparison.png",
    ),
    *(
        _claim(
            f"tricks_{name}", _at("section 2, Figure 4"),
            "robust even to human discriminators", expected, measure, holds,
            "comparison", f"a stand-in for people; {SEED_T}; control: FGSM; {TOLD_LABELS}",
        )
        for name, expected, measure, holds in (
            ("label_probe", f"a label probe loses all: mean >= {DESTROYED - SHORT} %, {FAR}",
             hides_label, _destroys),
            ("retrieval", f"the original is not found: mean >= {DESTROYED - SHORT} %, {FAR}",
             hides_image, _destroys),
            ("ssim", f"SSIM with the original <= {UNLIKE} (mean)", hides_structure, _at_most(UNLIKE)),
        )
    ),
    _claim(
        "fgsm_readable", _at("section 2"),
        "their results preserve enough structure that humans can still discriminate with "
        "ease", f"of FGSM a label probe and retrieval lose at most {READABLE:g} %", fgsm_readable, _at_most(READABLE),
        "comparison", f"stand-ins for people; {TOLD_LABELS}; {DRAW_T}; control: DANOISE", minimum=1,
    ),
)  # fmt: skip

CLAIMS = (*GATES, *DESTROYING, *LOOKING, *TRAINING)
