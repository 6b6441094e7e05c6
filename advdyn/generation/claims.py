"""Claims on generative adversarial networks, declared before anything runs.

The sampling unit is the trained run: n is the number of seeds, intervals are t-intervals over seeds; of references,
which are not trained, n is the number of draws. Ratios are geometric means, with intervals of their logarithms. Runs of
one seed share their initialisation and random numbers, so that two settings are compared seed by seed. All rows of one
claim share an error rate of 5 % (Bonferroni). Runs that diverged are left out and counted in the conditions.

Everything is judged at the last epoch whose generator was kept, from outside the game: by a judge (a classifier trained
on other images), by two-sample tests, and by a fresh discriminator. Real images against other real images (the floor),
the training images themselves (copies), a Gaussian with their mean and covariance, and uniform noise are judged in the
same way; their test images are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from scipy import stats

from advdyn.claims import Claim, Measurement
from advdyn.errors import InputError
from advdyn.generation import view
from advdyn.generation.view import LOG_4, SOURCES, Cell, View
from advdyn.intervals import COVERAGE, interval, paired

SRIHARI = "Srihari, Adversarial Training (seeds/001_482d2436b09b285b.txt), Generative Adversarial Network"
GOODFELLOW = "Goodfellow et al., Generative Adversarial Nets (arXiv:1406.2661)"
RADFORD = "Radford, Metz and Chintala (arXiv:1511.06434)"
METHOD = "gate of the method (docs/generation)"

SEEDS = 3  # fewest runs, or draws, that an interval is made of
CLOSER = 0.9  # ratio of two Frechet distances that counts as closer: 10 %, more than draws of 500 images differ by
TOLD = 0.1  # accuracy over 1/2 at which two samples are told apart: right in six cases of ten
CAUGHT = 0.9  # accuracy with which a test has to catch noise
OPTIMUM = 0.1 * LOG_4  # a tenth of the way from -log 4 (the same distribution) to 0 (told apart without error)
APART = 0.05  # difference of two accuracies that counts
TRACKS = 0.7  # rank correlation from which one number tells another: half of the variance of ranks
MISSING = 0.1  # share of a class, in units of its share of real images, below which it is missing
COPIED = 0.5  # ratio of distances to the nearest training image: half of the way from copies (0) to fresh images (1)
STRONGER = 1.1  # ratio of two gradients that counts
NEARER = 0.05  # nats of the criterion that count
JUDGE = 0.9  # accuracy of a judge on images it was not trained on
KNOWN = 0.5  # share of the way from the confidence in fresh images to certainty
POINTS = 4  # epochs that a rank correlation is made of, at least
TESTS = {
    "neighbour_accuracy": "nearest neighbours",
    "linear_accuracy": "linear",
    "fresh_accuracy": "fresh discriminator",
}

Rows = dict[str, Measurement] | None
Values = xr.DataArray | np.ndarray
Holds = Callable[[float, float, float], bool]


def context(study: xr.Dataset) -> str:
    """What holds for every claim of the study, for their conditions."""
    try:
        seen = view.of(study)
    except InputError:
        return ""
    names = ("n_train", "latent", "width", "d_width", "d_steps", "learning_rate", "beta1", "batch", "epochs")
    words = [view.wording(name, seen.settings[name]) for name in names if seen.settings.get(name) is not None]
    words += [str(seen.settings["loss"])] if seen.settings.get("loss") is not None else []
    if seen.settings.get("batch_normalisation") is not None:
        words.append(view.wording("batch_normalisation", seen.settings["batch_normalisation"]))
    told = f"{', '.join(words)} where not said"
    told += f", judged on {seen.settings['samples']} samples" if "samples" in seen.settings else ""
    every = sum(len(seen.seeds(cell)) for cell in seen.cells)
    lost = sum(len(seen.diverged(cell)) for cell in seen.cells)
    return told + (f"; {lost} of all {every} runs diverged" if lost else "")


def _on_view(measure: Callable[[View], Rows]) -> Callable[..., Rows]:
    """A measure on the collected data from one on their view; nothing where the study holds no run."""

    def measured(study: xr.Dataset, *_: object) -> Rows:
        try:
            seen = view.of(study)
        except InputError:
            return None
        return measure(seen)

    measured.__doc__ = measure.__doc__
    return measured


# --- numbers over seeds or draws -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One row before its interval: a number for each seed or draw, the control, and what a reader must know.

    Attributes
    ----------
    values
        The numbers; those that are not finite are left out.
    control
        The statistic where the claim must fail; None: of differences, made by exchanging the two in every other pair.
    conditions
        In words.
    ratio
        Whether the numbers are logarithms of ratios, of which the geometric mean is told.
    """

    values: Values
    control: float | None
    conditions: str
    ratio: bool = False


def _rows(samples: Mapping[str, Sample], *edges: float) -> Rows:
    """Means and intervals at one error rate for all rows together.

    Where an interval contains an edge of the threshold (one of ``edges``), the conditions say that it is undecided.
    """
    made = {name: replace(s, values=_finite(s.values)) for name, s in samples.items()}
    level = (1 - COVERAGE) / max(1, sum(len(sample.values) > 1 for sample in made.values()))
    rows = {}
    for name, sample in made.items():
        values = np.asarray(sample.values)
        mean, error, low, high = interval(values, level)
        control = _exchanged(values, level) if sample.control is None else sample.control
        if sample.ratio:
            mean, low, high = (float(np.exp(v)) for v in (mean, low, high))
            error *= mean
            control = float(np.exp(control)) if sample.control is None else control
        words = sample.conditions
        if any(low < edge < high for edge in edges):
            words += "; undecided at this number"
        rows[name] = Measurement(mean, len(values), control, error, low, high, words)
    return rows or None


def _finite(values: Values) -> np.ndarray:
    sample = np.asarray(values, dtype=float).ravel()
    return sample[np.isfinite(sample)]


def _exchanged(values: np.ndarray, level: float) -> float:
    """The end towards 0 of the interval of differences, with the two exchanged in every other pair; 0 if it holds 0."""
    _, _, low, high = interval(values * np.where(np.arange(len(values)) % 2, -1, 1), level)
    if not (np.isfinite(low) and np.isfinite(high)):
        return np.nan
    return 0.0 if low <= 0 <= high else min(low, high, key=abs)


def _logarithms(values: Values) -> np.ndarray:
    """Logarithms of positive numbers, NaN of others."""
    sample = np.asarray(values, dtype=float)
    return np.log(np.where(sample > 0, sample, np.nan))


def _mean(values: Values) -> float:
    sample = _finite(values)
    return float(sample.mean()) if sample.size else np.nan


def _geometric(values: Values) -> float:
    return float(np.exp(_mean(_logarithms(values))))


def _alike(draws: Values) -> float:
    """The ratio of the geometric mean of every other draw to that of the rest, or its inverse: the smaller one."""
    logs = _finite(_logarithms(draws))
    if len(logs) < 2:
        return np.nan
    return float(np.exp(-abs(logs[::2].mean() - logs[1::2].mean())))


def _about(seen: View, cell: Cell, *others: Cell) -> str:
    """Runs in words: when they were judged, and how many of them diverged."""
    words = f"at epoch {seen.last(cell):g}"
    lost = sum(len(seen.diverged(one)) for one in (cell, *others))
    every = sum(len(seen.seeds(one)) for one in (cell, *others))
    return words + (f"; {lost} of {every} runs diverged, left out" if lost else "")


def _told(seen: View, name: str, sources: Sequence[str] = tuple(SOURCES)) -> str:
    """The means of the references, in words."""
    means = {source: _mean(seen.of_source(source, name)) for source in sources}
    return ", ".join(f"{SOURCES[s]} {mean:.3g}" for s, mean in means.items() if np.isfinite(mean))


def _pairs(seen: View, axis: str) -> list[tuple[object, Cell]]:
    """The values of a swept parameter with their runs, along the axis through the reference."""
    return [(dict(cell)[axis], cell) for cell in seen.family(axis)] if axis in seen.axes else []


# --- a generative model --------------------------------------------------------------------------------------------


def _against(seen: View, cell: Cell, source: str) -> Sample | None:
    """Frechet distance of a run's samples over that of a reference; control: half of its draws over the rest."""
    own, draws = seen.end(cell, "frechet"), seen.of_source(source, "frechet", cell)
    if not own.size or not draws.size:
        return None
    words = f"{_about(seen, cell)}; Frechet distance {_mean(own):.4g}, {SOURCES[source]} {_geometric(draws):.4g}"
    floor = _mean(seen.of_source("real", "frechet", cell))
    words += f", real images {floor:.3g}" if np.isfinite(floor) else ""
    return Sample(_logarithms(own) - np.log(_geometric(draws)), _alike(draws), words, ratio=True)


def generative_model(seen: View) -> Rows:
    """Frechet distance of the samples over that of what needs no game, and of the generator before it."""
    samples = {SOURCES[source]: _against(seen, seen.reference, source) for source in ("gaussian", "noise")}
    ratio = _log_ratio(seen.end(seen.reference, "frechet"), seen.kept_at(seen.reference, "frechet", 0.0))
    if ratio.size and seen.last(seen.reference) > 0:
        words = f"{_about(seen, seen.reference)}; paired by seed"
        samples["untrained generator"] = Sample(ratio, None, words, ratio=True)
    return _rows({name: sample for name, sample in samples.items() if sample is not None}, CLOSER)


def _log_ratio(one: xr.DataArray, other: xr.DataArray) -> np.ndarray:
    """Logarithm of a ratio, seed by seed."""
    return paired(one.copy(data=_logarithms(one)), other.copy(data=_logarithms(other)))


def any_setting(seen: View) -> Rows:
    """The same ratio to the fitted Gaussian at every other setting of the grid."""
    samples = {
        seen.words(cell): _against(seen, cell, "gaussian") for cell in seen.cells if cell != seen.reference
    }  # fmt: skip
    return _rows({name: sample for name, sample in samples.items() if sample is not None}, CLOSER)


def recovers_distribution(seen: View) -> Rows:
    """Accuracy of two-sample tests on samples and real images; control: the fitted Gaussian's samples.

    Of the nearest neighbours 1/2 and the larger departure of real and generated images from it: half of both may err
    in opposite directions.
    """
    samples = {}
    cell = seen.reference
    for name, test in TESTS.items():
        own, other = _accuracy(seen, cell, name), _mean(_reference_accuracy(seen, "gaussian", name))
        if own.size:
            words = f"{_about(seen, cell)}; {_told(seen, name)}"
            if name == "neighbour_accuracy":
                real, fake = (_mean(seen.end(cell, f"neighbour_{part}")) for part in ("real", "fake"))
                words += f"; accuracy {real:.3g} on real images, {fake:.3g} on samples"
            samples[test] = Sample(own, other, words)
    return _rows(samples, 0.5 - TOLD, 0.5 + TOLD)


def _accuracy(seen: View, cell: Cell, name: str) -> xr.DataArray:
    """Accuracy of a test for each seed; of nearest neighbours that of the class where it is farther from 1/2."""
    if name != "neighbour_accuracy":
        return seen.end(cell, name)
    return _farther(seen.end(cell, "neighbour_real"), seen.end(cell, "neighbour_fake"))


def _reference_accuracy(seen: View, source: str, name: str) -> xr.DataArray:
    if name != "neighbour_accuracy":
        return seen.of_source(source, name)
    return _farther(seen.of_source(source, "neighbour_real"), seen.of_source(source, "neighbour_fake"))


def _farther(real: xr.DataArray, fake: xr.DataArray) -> xr.DataArray:
    """1/2 and the larger of the two absolute departures from it."""
    one, other = abs(real - 0.5), abs(fake - 0.5)
    return 0.5 + one.where(one > other, other)


def optimum(seen: View) -> Rows:
    """V + log 4 at the end, of the game's discriminator and of a fresh one; control: a fresh one's on the Gaussian."""
    cell, samples = seen.reference, {}
    control = _mean(seen.of_source("gaussian", "fresh_value")) + LOG_4
    found = {"in the game": seen.in_game(cell, "value", seen.last(cell)),
             "fresh discriminator": seen.end(cell, "fresh_value")}  # fmt: skip
    for name, values in found.items():
        if values.size:
            words = f"{_about(seen, cell)}; V {_mean(values):.4g}; fresh discriminator: {_told(seen, 'fresh_value')}"
            samples[name] = Sample(values + LOG_4, control, words)
    return _rows(samples, -OPTIMUM, OPTIMUM)


# --- classes, copies -----------------------------------------------------------------------------------------------


def class_shares(seen: View) -> Rows:
    """Total variation of the class shares, less the floor's, times the number of classes; control: noise."""
    own, floor = seen.end(seen.reference, "class_distance"), _mean(seen.of_source("real", "class_distance"))
    classes = seen.data.sizes.get("class", 0)
    if not own.size or not classes:
        return None
    words = f"{_about(seen, seen.reference)}; {classes} classes; total variation {_mean(own):.3g}, "
    words += _told(seen, "class_distance")
    control = (_mean(seen.of_source("noise", "class_distance")) - floor) * classes
    return _rows({"": Sample((own - floor) * classes, control, words)}, 1.0)


def rarest_class(seen: View) -> Rows:
    """Share of the rarest class over its share of real images; control: noise."""
    own, real = seen.end(seen.reference, "class_share"), seen.of_source("real", "class_share")
    if not own.size or "class" not in own.dims or not real.size:
        return None
    fair = real.mean("draw")
    fair = fair.where(fair > 0)
    rarest = (own / fair).min("class")
    noise = seen.of_source("noise", "class_share")
    control = _mean((noise.mean("draw") / fair).min("class")) if noise.size else np.nan
    gone = own["class"].values[np.asarray((own / fair).mean("seed").fillna(np.inf) < MISSING)]
    words = f"{_about(seen, seen.reference)}; "
    words += f"missing on average: {', '.join(map(str, gone))}" if len(gone) else "none missing on average"
    return _rows({"": Sample(rarest, control, words)}, MISSING)


def memorisation(seen: View) -> Rows:
    """Distance to the nearest training image over that of fresh real images; control: copies of training images."""
    own, real = seen.end(seen.reference, "nearest"), _mean(seen.of_source("real", "nearest"))
    if not own.size:
        return None
    words = f"{_about(seen, seen.reference)}; distance {_mean(own):.4g}, {_told(seen, 'nearest')}"
    control = _mean(seen.of_source("copies", "nearest")) / real
    return _rows({"": Sample(own / real, control, words)}, COPIED)  # copies are at 0, which has no logarithm


# --- the discriminator in the game ---------------------------------------------------------------------------------


def in_loop_accuracy(seen: View) -> Rows:
    """Accuracy of a fresh discriminator less that of the game's, at every setting; control: exchanged."""
    samples = {}
    for cell in seen.neighbours():
        fresh, own = seen.end(cell, "fresh_accuracy"), seen.in_game(cell, "accuracy", seen.last(cell))
        differences = paired(fresh, own) if fresh.size and own.size else np.empty(0)
        if differences.size:
            words = f"{_about(seen, cell)}; in the game {_mean(own):.3g}, fresh {_mean(fresh):.3g}; paired by seed"
            samples["" if len(seen.cells) == 1 else seen.words(cell)] = Sample(differences, None, words)
    return _rows(samples, -APART, APART)


def in_loop_tracking(seen: View) -> Rows:
    """Rank correlation over epochs of |accuracy in the game - 1/2| with the Frechet distance of the samples.

    Control: of the Frechet distances of one seed with those of the next, what a criterion that tracks would give.
    """
    own, frechet = seen.at(seen.reference, "accuracy"), seen.at(seen.reference, "frechet")
    if "epoch" not in own.dims or "kept" not in frechet.dims:
        return None
    epochs = [e for e in seen.kept.tolist() if e in own["epoch"].values]
    seeds = seen.seeds(seen.reference)  # those that diverged have NaN
    if len(epochs) < POINTS or not len(seeds):
        return None
    apart = abs(own.sel(epoch=epochs, seed=seeds).transpose("seed", ...).values - 0.5)
    judged = frechet.sel(kept=epochs, seed=seeds).transpose("seed", ...).values
    found = np.array([_rank_correlation(a, f) for a, f in zip(apart, judged, strict=True)])
    again = [_rank_correlation(f, g) for f, g in zip(judged, np.roll(judged, 1, 0), strict=True)]
    control = _mean(np.array(again)) if len(seeds) > 1 else np.nan
    words = f"epochs {', '.join(str(e) for e in epochs)}; {_about(seen, seen.reference)}"
    return _rows({"": Sample(found, control, words)}, TRACKS)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's; 0 where one of the two does not change, NaN where one has no number."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return np.nan
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one, other).statistic)


# --- settings ------------------------------------------------------------------------------------------------------


def stronger_gradients(seen: View) -> Rows:
    """Norm of the generator's gradient in the first epoch, non-saturating over minimax; control: exchanged."""
    runs = dict(_pairs(seen, "loss"))
    if not {"non-saturating", "minimax"} <= runs.keys():
        return None
    first = float(seen.data["epoch"].values[0]) if "epoch" in seen.data.coords else np.nan
    one, other = (seen.in_game(runs[name], "gradient_norm", first) for name in ("non-saturating", "minimax"))
    ratio = _log_ratio(one, other)
    words = f"mean over epoch {first:g}; {_geometric(one):.3g} and {_geometric(other):.3g}; paired by seed"
    return _rows({"": Sample(ratio, None, words, ratio=True)}, STRONGER) if ratio.size else None


def _better(seen: View, axis: str, good: object, bad: object) -> Rows:
    """Frechet distance at the end, of one value of a parameter over that of another; control: exchanged."""
    runs = dict(_pairs(seen, axis))
    if good not in runs or bad not in runs:
        return None
    one, other = (seen.end(runs[value], "frechet") for value in (good, bad))
    ratio = _log_ratio(one, other) if one.size and other.size else np.empty(0)
    words = f"{_about(seen, runs[good], runs[bad])}; {_geometric(one):.4g} and {_geometric(other):.4g}; paired by seed"
    return _rows({"": Sample(ratio, None, words, ratio=True)}, CLOSER) if ratio.size else None


def non_saturating(seen: View) -> Rows:
    """Frechet distance with the non-saturating loss over that with the minimax one."""
    return _better(seen, "loss", "non-saturating", "minimax")


def batch_normalisation(seen: View) -> Rows:
    """Frechet distance with batch normalisation over that without."""
    return _better(seen, "batch_normalisation", True, False)


def discriminator_steps(seen: View) -> Rows:
    """How far the game's discriminator is from a fresh one in value, at more steps less at the fewest."""
    runs = _pairs(seen, "d_steps")
    if len(runs) < 2:
        return None
    gaps = {value: _gap(seen, cell) for value, cell in runs}
    (fewest, start), *more = runs
    samples = {}
    for value, cell in more:
        differences = paired(gaps[value], gaps[fewest])
        if differences.size:
            words = f"{_about(seen, cell, start)}; distance {_mean(gaps[value]):.3g} nats at {value} steps, "
            words += f"{_mean(gaps[fewest]):.3g} at {fewest}; paired by seed"
            samples[f"{value} against {fewest}"] = Sample(differences, None, words)
    return _rows(samples, -NEARER)


def _gap(seen: View, cell: Cell) -> xr.DataArray:
    """|value of a fresh discriminator - value in the game| at the end, for each seed."""
    fresh, own = seen.end(cell, "fresh_value"), seen.in_game(cell, "value", seen.last(cell))
    return abs(fresh - own) if fresh.size and own.size else fresh.isel(seed=slice(0))


# --- gates ---------------------------------------------------------------------------------------------------------


def gate_floor(seen: View) -> Rows:
    """Accuracy of the tests on two samples of real images; control: on noise."""
    return _rows(_tests(seen, "real", "noise"), 0.5 - TOLD, 0.5 + TOLD)


def gate_noise(seen: View) -> Rows:
    """Accuracy of the tests on noise and real images; control: on two samples of real images."""
    return _rows(_tests(seen, "noise", "real"), CAUGHT)


def _tests(seen: View, source: str, control: str) -> dict[str, Sample]:
    found = {}
    for name, test in TESTS.items():
        draws = seen.of_source(source, name)
        if draws.size:
            found[test] = Sample(draws, _mean(seen.of_source(control, name)), _told(seen, name))
    return found


def gate_value(seen: View) -> Rows:
    """V + log 4 of a fresh discriminator of real images and other real images; control: of noise."""
    draws = seen.of_source("real", "fresh_value")
    control = _mean(seen.of_source("noise", "fresh_value")) + LOG_4
    words = f"V {_told(seen, 'fresh_value')}"
    return _rows({"": Sample(draws + LOG_4, control, words)}, -OPTIMUM, OPTIMUM) if draws.size else None


def gate_memoriser(seen: View) -> Rows:
    """Distance of copies to the nearest training image over that of fresh real images; control: the fresh ones."""
    copies, real = seen.of_source("copies", "nearest"), seen.of_source("real", "nearest")
    if not copies.size or not real.size:
        return None
    words = f"the two-sample tests do not catch them: {', '.join(_mean_of_tests(seen, 'copies'))}"
    return _rows({"": Sample(copies / _mean(real), _mean(real) / _mean(real), words)}, COPIED)


def _mean_of_tests(seen: View, source: str) -> list[str]:
    return [f"{test} {_mean(seen.of_source(source, name)):.3g}" for name, test in TESTS.items()]


def gate_judge(seen: View) -> Rows:
    """Accuracy of the judge on images it was not trained on; control: guessing."""
    if "judge_accuracy" not in seen.data:
        return None
    accuracies = _finite(seen.data["judge_accuracy"].values)
    classes = seen.data.sizes.get("class", 0)
    if not accuracies.size:
        return None
    words = f"trained on {seen.settings['judge_images']} images" if "judge_images" in seen.settings else ""
    worst = float(accuracies.min())
    return {"": Measurement(worst, 1, 1 / classes if classes else np.nan, conditions=words)}


def gate_disjoint(seen: View) -> Rows:
    """Confidence in the GAN's training images over that in fresh ones, of what is missing to certainty.

    A judge trained on them would be certain of them (control: 1); one trained on others can not know them.
    """
    copies, real = seen.of_source("copies", "confidence"), seen.of_source("real", "confidence")
    if not copies.size or not real.size or _mean(real) >= 1:
        return None
    words = f"confidence {_told(seen, 'confidence', ('real', 'copies'))}; the evaluation refuses a judge that shares "
    return _rows({"": Sample((copies - _mean(real)) / (1 - _mean(real)), 1.0, words + "training images")}, KNOWN)


def gate_order(seen: View) -> Rows:
    """Ratios of Frechet distances in the order that they must have; control: half of the draws over the rest."""
    samples = {}
    for nearer, farther in (("real", "gaussian"), ("gaussian", "noise")):
        draws, others = seen.of_source(nearer, "frechet"), seen.of_source(farther, "frechet")
        if draws.size and others.size:
            ratio = _logarithms(draws) - np.log(_geometric(others))
            name = f"{SOURCES[nearer]} below {SOURCES[farther]}"
            samples[name] = Sample(ratio, _alike(others), _told(seen, "frechet"), ratio=True)
    own, floor = seen.end(seen.reference, "frechet"), seen.of_source("real", "frechet")
    if own.size and floor.size:
        least = np.log(_geometric(floor))
        samples["real images below samples"] = Sample(
            least - _logarithms(own), _alike(own),
            f"{_about(seen, seen.reference)}; fails, too, where samples are as good as real images", ratio=True,
        )  # fmt: skip
    noise = _against(seen, seen.reference, "noise")
    if noise is not None:
        samples["samples below uniform noise"] = noise
    return _rows(samples, CLOSER)


# --- what is claimed -----------------------------------------------------------------------------------------------


def _below(threshold: float) -> Holds:
    return lambda value, low, high: high < threshold


def _above(threshold: float) -> Holds:
    return lambda value, low, high: low > threshold


def _between(least: float, most: float) -> Holds:
    return lambda value, low, high: low > least and high < most


def _smaller(threshold: float, none: float) -> Holds:
    """At most the threshold, and the interval below what stands for no difference."""
    return lambda value, low, high: value <= threshold and high < none


def _claim(
    name: str, source: str, statement: str, expected: str, measure: Callable[[View], Rows],
    holds: Holds, figure: str, conditions: str, minimum: int = SEEDS,
) -> Claim:  # fmt: skip
    return Claim(
        name, source, statement, expected, minimum, _on_view(measure), holds, conditions,
        f"generation/figures/{figure}.png",
    )  # fmt: skip


OVER_SEEDS = "95 % t-interval over seeds for all rows together"
OVER_DRAWS = "95 % t-interval over draws for all rows together"
EXCHANGED = "control: the end towards none of that interval with the two exchanged in every other seed"
THEOREM = (
    "a statement on distributions: the discriminator is at its optimum at every step and the generator's density is "
    "updated itself; networks of finite size and gradient steps are not what it speaks of"
)
PARZEN = (
    "log-likelihoods of Parzen windows on other data and networks; a measure that its authors call of high variance "
    "and that ranks copies above good models (Theis et al., arXiv:1511.01844): the judge's stand in for it"
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        "generative_model", SRIHARI,
        "GANs are a way to make a generative model by having two neural networks compete with each other",
        f"Frechet distance of the samples to real images over that of a fitted Gaussian, of noise and of the untrained "
        f"generator: interval below {CLOSER}",
        generative_model, _below(CLOSER), "metrics",
        f"{OVER_SEEDS}; control: every other draw of the reference over the rest; of the untrained "
        "generator: the interval with the two exchanged in every other seed",
    ),
    _claim(
        "any_setting", SRIHARI,
        "(the same, whatever the settings) Two competing networks make a generative model",
        f"Frechet distance of the samples over that of a fitted Gaussian: interval below {CLOSER}",
        any_setting, _below(CLOSER), "settings",
        f"{OVER_SEEDS}; control: every other draw of the Gaussian over the rest",
    ),
    _claim(
        "recovers_distribution", f"{GOODFELLOW}, abstract and section 1",
        "A unique solution exists, with G recovering the training data distribution: counterfeits are "
        "indistinguishable from the genuine articles",
        f"accuracy of tests of samples against real images: interval between {0.5 - TOLD} and {0.5 + TOLD}",
        recovers_distribution, _between(0.5 - TOLD, 0.5 + TOLD), "metrics",
        f"{OVER_SEEDS}; nearest neighbours: 1/2 and the larger departure of real images and samples; control: the "
        "fitted Gaussian's samples",
    ),
    _claim(
        "optimum", f"{GOODFELLOW}, theorem 1",
        "At the end D is 1/2 everywhere, and the criterion -log 4",
        f"V + log 4: interval between -{OPTIMUM:.3f} and {OPTIMUM:.3f}",
        optimum, _between(-OPTIMUM, OPTIMUM), "discriminator",
        f"{OVER_SEEDS}; log 4 is what is lost when D tells without error; control: a fresh discriminator of the fitted "
        "Gaussian's samples",
    ),
    _claim(
        "class_shares", f"{GOODFELLOW}, section 6 (the Helvetica scenario)",
        "G has enough diversity to model the data: classes have their shares",
        "total variation of class shares less that of other real images, in units of one class: interval below 1",
        class_shares, _below(1.0), "classes",
        f"{OVER_SEEDS}; by the judge; diversity inside a class is not seen; control: uniform noise",
    ),
    _claim(
        "rarest_class", f"{GOODFELLOW}, section 6 (the Helvetica scenario)",
        "G has enough diversity to model the data: no class is missing",
        f"share of the rarest class in units of its share of real images: interval above {MISSING}",
        rarest_class, _above(MISSING), "classes",
        f"{OVER_SEEDS}; by the judge; control: uniform noise",
    ),
    _claim(
        "memorisation", f"{GOODFELLOW}, figure 2",
        "The model has not memorized the training set",
        f"distance to the nearest training image over that of fresh real images: interval above {COPIED}",
        memorisation, _above(COPIED), "nearest",
        f"{OVER_SEEDS}; mean l2 distance of pixels, which smooth images make smaller; control: copies of training "
        "images",
    ),
    _claim(
        "in_loop_accuracy", METHOD,
        "The discriminator's accuracy in the game is no criterion of convergence: a fresh one's is another",
        f"accuracy of a fresh discriminator less that in the game: at least {APART} in absolute value, interval "
        "without 0",
        in_loop_accuracy, lambda value, low, high: abs(value) >= APART and (low > 0 or high < 0), "discriminator",
        f"{OVER_SEEDS}; {EXCHANGED}",
    ),
    _claim(
        "in_loop_tracking", METHOD,
        "The discriminator's accuracy in the game is no criterion of convergence: it does not follow the samples",
        f"rank correlation over epochs of |accuracy - 1/2| with the Frechet distance: interval below {TRACKS}",
        in_loop_tracking, _below(TRACKS), "discriminator",
        f"{OVER_SEEDS}; control: Frechet distances of one seed with those of the next",
    ),
    _claim(
        "stronger_gradients", f"{GOODFELLOW}, section 3",
        "Maximizing log D(G(z)) provides much stronger gradients early in learning than minimizing log(1 - D(G(z)))",
        f"norm of the generator's gradient, ratio of the two losses: at least {STRONGER}, interval above 1",
        stronger_gradients, lambda value, low, high: value >= STRONGER and low > 1, "discriminator",
        f"{OVER_SEEDS}; {EXCHANGED}",
    ),
    _claim(
        "non_saturating", f"{GOODFELLOW}, section 3",
        "In practice the criterion itself may not provide sufficient gradient for G to learn well",
        f"Frechet distance at the end, non-saturating over minimax loss: at most {CLOSER}, interval below 1",
        non_saturating, _smaller(CLOSER, 1.0), "settings",
        f"{OVER_SEEDS}; {EXCHANGED}",
    ),
    _claim(
        "discriminator_steps", f"{GOODFELLOW}, section 3",
        "k steps of optimizing D for one of G maintain D near its optimal solution",
        f"|V in the game - V of a fresh discriminator|, more steps less the fewest: at most -{NEARER}, interval below "
        "0",
        discriminator_steps, _smaller(-NEARER, 0.0), "settings",
        f"{OVER_SEEDS}; V in the game is on training images, before each step; {EXCHANGED}",
    ),
    _claim(
        "batch_normalisation", f"{RADFORD}, section 3",
        "Batch normalisation is critical to get generators to begin learning",
        f"Frechet distance at the end, with over without: at most {CLOSER}, interval below 1",
        batch_normalisation, _smaller(CLOSER, 1.0), "settings",
        f"{OVER_SEEDS}; {EXCHANGED}",
    ),
    _claim(
        "gate_floor", METHOD, "Real images can not be told from other real images",
        f"accuracy of each test: interval between {0.5 - TOLD} and {0.5 + TOLD}",
        gate_floor, _between(0.5 - TOLD, 0.5 + TOLD), "metrics", f"{OVER_DRAWS}; control: uniform noise",
    ),
    _claim(
        "gate_noise", METHOD, "Noise is told from real images",
        f"accuracy of each test: interval above {CAUGHT}",
        gate_noise, _above(CAUGHT), "metrics", f"{OVER_DRAWS}; control: other real images",
    ),
    _claim(
        "gate_value", METHOD, "A fresh discriminator of two samples of one distribution has the value -log 4",
        f"V + log 4: interval between -{OPTIMUM:.3f} and {OPTIMUM:.3f}",
        gate_value, _between(-OPTIMUM, OPTIMUM), "discriminator", f"{OVER_DRAWS}; control: uniform noise",
    ),
    _claim(
        "gate_memoriser", METHOD, "A generator that copies training images is caught",
        f"distance to the nearest training image over that of fresh real images: interval below {COPIED}",
        gate_memoriser, _below(COPIED), "nearest",
        f"{OVER_DRAWS}; control: the fresh real images",
    ),
    _claim(
        "gate_judge", METHOD, "The judge knows the classes", f"accuracy on unseen images at least {JUDGE}",
        gate_judge, lambda value, low, high: value >= JUDGE, "classes", "one judge; control: guessing", minimum=1,
    ),
    _claim(
        "gate_disjoint", METHOD, "The judge was trained on other images than the GAN",
        f"its confidence in the GAN's training images less that in fresh ones, of what is missing to 1: interval below "
        f"{KNOWN}",
        gate_disjoint, _below(KNOWN), "metrics",
        f"{OVER_DRAWS}; control: 1, a judge that is certain of what it was trained on",
    ),
    _claim(
        "gate_order", METHOD, "The Frechet distance orders what is known to be in order",
        f"ratio of the smaller to the larger: interval below {CLOSER}",
        gate_order, _below(CLOSER), "metrics",
        f"{OVER_DRAWS} (over seeds where samples are compared); control: every other draw of one of the two over "
        "the rest",
    ),
    Claim(
        "convergence", f"{GOODFELLOW}, proposition 2",
        "If D is allowed to reach its optimum at each step, p_g converges to p_data", expected="", untestable=THEOREM,
    ),
    Claim(
        "log_likelihood", f"{GOODFELLOW}, table 1",
        "Parzen window-based log-likelihood of 225 on MNIST", expected="", untestable=PARZEN,
    ),
)  # fmt: skip
