"""Claims on virtual adversarial training, declared before anything runs.

The sampling unit is the trained run: n is the number of seeds, intervals are t-intervals over seeds. Trainings of one
seed share labelled images, initialisation, minibatches and random directions, so that two methods are compared seed by
seed. Ratios are geometric means, with intervals of their logarithms. All rows of one claim share an error rate of 5 %
(Bonferroni). Runs that diverged are left out and counted in the conditions.

Every method has the eps that is best for it on the validation images (``View.chosen``); errors are those on test
images after the last update. Labels of the validation images are used for nothing else, but there are more of them
than labelled images: who has only these can not choose eps so well (Oliver et al.).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from advdyn.claims import Claim, Measurement
from advdyn.errors import InputError
from advdyn.intervals import COVERAGE, interval, paired
from advdyn.semisupervised import view
from advdyn.semisupervised.view import CALLED, Cell, View, equal

SRIHARI = "Srihari, Adversarial Training (seeds/001_482d2436b09b285b.txt)"
RELATION = f"{SRIHARI}, Relation to Semi-supervised Learning"
VIRTUAL = f"{SRIHARI}, Virtual Adversarial Examples"
MIYATO = "Miyato et al., Virtual Adversarial Training (arXiv:1704.03976)"
DISTRIBUTIONAL = "Miyato et al., Distributional Smoothing (arXiv:1507.00677)"
OLIVER = "Oliver et al. (arXiv:1804.09170)"
METHOD = "gate of the method (docs/semisupervised)"

SEEDS = 3  # fewest runs that an interval is made of
FIVE_POINTS = 0.05  # gain in error that 100 labels have to show
LABELS = 100  # of that claim, and of the published error
QUALITY = 0.9  # rank correlation of accuracy on the pool and on test images
LIKELY = 0.5  # accuracy from which a model's own label is rather true than not
TIMES = 2.0  # as many examples that leave their class as along random directions
SMOOTHER = 0.5  # ratio of divergences that counts as more robust
APART = 0.99  # share of images farther from other classes than a perturbation on both sides reaches
PERCENT = 0.02  # gain on the two moons, in error, that counts: they overlap by several times that
COLLAPSED = 0.05  # error above that at the best eps from which a training has collapsed
SAME = 0.02  # difference of two errors that does not count, and the most that choosing eps may lose
ALIGNED = 0.9  # cosine with the converged direction
LENGTH = 1e-5  # relative error of the length of r
PIXELS, CLASSES = 784, 10  # of MNIST
PUBLISHED, WITHIN, WIDTH = 0.0136, 0.005, 1200  # error of virtual adversarial training, 784-1200-1200-10
FULL = 50_000  # images of a pool that is all of MNIST but what validation takes
THERE = (
    "eps 0.3, all training images, 50,000 updates, batches of 100 and 250, learning rate 0.002, decay exponential; "
    "labels, validation images and seeds are others"
)
IMAGES = 100  # fewest that a share of 99 % is measured on
RUNS = 5  # fewest trainings that a rank correlation is made of

Rows = dict[str, Measurement] | None
Values = xr.DataArray | np.ndarray
Holds = Callable[[float, float, float], bool]


def context(study: xr.Dataset) -> str:
    """What holds for every claim of the study, for their conditions."""
    try:
        seen = view.of(study)
    except InputError:
        return ""
    names = (
        "n_labels", "n_pool", "alpha", "width", "learning_rate", "decay", "batch_labelled", "batch_pool", "updates",
    )  # fmt: skip
    words = [view.wording(name, seen.settings[name]) for name in names if seen.settings.get(name) is not None]
    if seen.settings.get("batch_normalisation") is not None:
        words.append(view.wording("batch_normalisation", seen.settings["batch_normalisation"]))
    told = f"{', '.join(words)} where not said"
    if "n_validation" in seen.settings:
        n = seen.settings["n_validation"]
        told += f"; eps chosen on {n:,} labelled validation images"
        if n > min(seen.n_labels):
            told += f", more than there are labels (at least {min(seen.n_labels):,}): see {OLIVER}"
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


# --- numbers over seeds --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One row before its interval: a number for each seed, the control, and what a reader must know.

    Attributes
    ----------
    values
        The numbers; those that are not finite are left out.
    conditions
        In words.
    control
        The statistic where the claim must fail; None: made by exchanging the two compared in every other pair.
    ratio
        Whether the numbers are logarithms of ratios, of which the geometric mean is told.
    """

    values: Values
    conditions: str
    control: float | None = None
    ratio: bool = False


def _rows(samples: Mapping[str, Sample], *edges: float) -> Rows:
    """Means and intervals at one error rate for all rows together; rows without any number are left out.

    Where an interval contains an edge of the threshold (one of ``edges``), the conditions say that it is undecided.
    """
    made = {name: (sample, _finite(sample.values)) for name, sample in samples.items()}
    made = {name: (sample, values) for name, (sample, values) in made.items() if len(values)}
    level = (1 - COVERAGE) / max(1, sum(len(values) > 1 for _, values in made.values()))
    rows = {}
    for name, (sample, values) in made.items():
        mean, error, low, high = interval(values, level)
        control = _exchanged(values, level) if sample.control is None else sample.control
        if sample.ratio:
            mean, low, high = (float(np.exp(v)) for v in (mean, low, high))
            error *= mean
            control = float(np.exp(control)) if sample.control is None else control
        words = sample.conditions
        if any(low < edge < high for edge in edges):
            words = f"{words}; undecided at this number" if words else "undecided at this number"
        rows[name] = Measurement(mean, len(values), control, error, low, high, words)
    return rows or None


def _scale(seen: View, name: str, default: float) -> float:
    """A number of the data set that every run has; that of MNIST where it is not said."""
    found = _finite(seen.data[name]) if name in seen.data else np.empty(0)
    return float(found.max()) if found.size else default


def _with_lost(seen: View, cell: Cell) -> xr.DataArray:
    """Test error over seeds, 1 of those that diverged: losing a run is no way to err less."""
    found, lost = seen.error(cell, "test"), seen.diverged(cell)
    return xr.concat([found, xr.DataArray(np.ones(len(lost)), {"seed": lost}, ("seed",))], "seed").sortby("seed")


def _finite(values: Values) -> np.ndarray:
    sample = np.asarray(values, dtype=float).ravel()
    return sample[np.isfinite(sample)]


def _mean(values: Values) -> float:
    sample = _finite(values)
    return float(sample.mean()) if sample.size else math.nan


def _exchanged(values: np.ndarray, level: float) -> float:
    """The end towards 0 of the interval of differences, with the two exchanged in every other pair; 0 if it holds 0."""
    _, _, low, high = interval(values * np.where(np.arange(len(values)) % 2, -1, 1), level)
    if not (np.isfinite(low) and np.isfinite(high)):
        return math.nan
    return 0.0 if low <= 0 <= high else min(low, high, key=abs)


def _logarithm(values: xr.DataArray) -> xr.DataArray:
    """Of positive numbers, NaN of others."""
    return values.copy(data=np.log(np.where(values.values > 0, values.values.astype(float), math.nan)))


def _about(seen: View, *cells: Cell) -> str:
    """Runs in words: their eps, of how many it was chosen, and how many of them diverged."""
    words = list(dict.fromkeys(_eps_words(seen, cell) for cell in cells if np.isfinite(seen.eps(cell))))
    lost = sum(len(seen.diverged(cell)) for cell in cells)
    every = sum(len(seen.seeds(cell)) for cell in cells)
    words += [f"{lost} of {every} runs diverged, left out"] if lost else []
    return "; ".join(words)


def _eps_words(seen: View, cell: Cell) -> str:
    method = str(seen.value_of(cell, "training"))
    there = seen.family(method, "eps", int(seen.value_of(cell, "n_labels")))
    lengths = [seen.eps(other) for other in there]
    if len(lengths) < 2:
        words = "no other run"
    elif seen.eps(cell) in (min(lengths), max(lengths)):
        words = f"of {len(lengths)} run, at their end"
    else:
        words = f"of {len(lengths)} run"
    return f"{CALLED[method]}: eps {seen.eps(cell):g} ({words})"


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _of_labels(n: int) -> str:
    return f"{n:,} labels"


# --- what unlabelled images add --------------------------------------------------------------------------------------


def _compared(seen: View, worse: Cell | None, better: Cell | None) -> Sample | None:
    """Test error of one run less that of another, seed by seed; None where one is missing."""
    if worse is None or better is None:
        return None
    one, other = seen.error(worse, "test"), seen.error(better, "test")
    words = f"errors {100 * _mean(one):.2f} % and {100 * _mean(other):.2f} %"
    return Sample(paired(one, other), _join(words, _about(seen, worse, better)))


def _over(method: str) -> Callable[[View], Rows]:
    """Error of a method less that of virtual adversarial training, each at its own eps; a row for each n_labels."""

    def measure(seen: View) -> Rows:
        found = {
            _of_labels(n): _compared(seen, seen.chosen(method, n), seen.chosen("virtual", n)) for n in seen.n_labels
        }
        return _rows({name: sample for name, sample in found.items() if sample is not None}, 0.0)

    measure.__doc__ = _over.__doc__
    return measure


def gain_five_points(seen: View) -> Rows:
    """Error of supervised training less that of virtual adversarial training, at 100 labels."""
    sample = _compared(seen, seen.chosen("supervised", LABELS), seen.chosen("virtual", LABELS))
    return None if sample is None else _rows({"": sample}, 0.0)


def same_length(seen: View) -> Rows:
    """Error of the controls at virtual adversarial training's eps, less its own."""
    best = seen.chosen("virtual")
    if best is None:
        return None
    samples = {}
    for method in ("random", "pseudo-label"):
        same = [cell for cell in seen.family(method, "eps") if equal(seen.eps(cell), seen.eps(best))]
        sample = _compared(seen, same[0], best) if same else None
        if sample is not None:
            samples[CALLED[method]] = sample
    return _rows(samples, 0.0)


def mean_order(seen: View) -> Rows:
    """The mean alone: error of the controls less that of virtual adversarial training, each at its own eps."""
    found = {
        CALLED[method]: _compared(seen, seen.chosen(method), seen.chosen("virtual"))
        for method in ("random", "pseudo-label")
    }
    return _rows({name: sample for name, sample in found.items() if sample is not None})


def label_free(seen: View) -> Rows:
    """Largest difference of a weight when labels or images it must not see are replaced; control: its own labels."""
    if "planted_difference" not in seen.data:
        return None
    found = seen.data["planted_difference"]
    values = {str(name): float(found.sel(planted=name)) for name in found["planted"].values}
    control = values.pop("labels", math.nan)
    updates = seen.settings.get("planted_updates")
    words = f"after {updates} updates, bit by bit" if updates else ""
    return {name: Measurement(value, 1, control, conditions=words) for name, value in values.items()} or None


def published(seen: View) -> Rows:
    """Test error of the published network, beside that published; control: the same, supervised."""
    runs = [
        cell for cell in seen.cells
        if equal(seen.value_of(cell, "width"), WIDTH) and seen.value_of(cell, "batch_normalisation")
        and equal(seen.value_of(cell, "n_labels"), LABELS) and (seen.value_of(cell, "n_pool") or 0) >= FULL
    ]  # fmt: skip
    errors = [(seen.validation_error(cell), cell) for cell in runs if seen.value_of(cell, "training") == "virtual"]
    errors = [pair for pair in errors if np.isfinite(pair[0])]
    if not errors or (_scale(seen, "pixels", PIXELS), _scale(seen, "classes", CLASSES)) != (PIXELS, CLASSES):
        return None
    best = min(errors, key=lambda pair: pair[0])[1]
    names = ("n_pool", "updates", "batch_labelled", "batch_pool", "learning_rate", "decay")
    named = {name: seen.value_of(best, name) for name in names}
    alone = [cell for cell in runs if seen.value_of(cell, "training") == "supervised"
             and all(equal(seen.value_of(cell, name), value) for name, value in named.items())]  # fmt: skip
    other = alone[0] if alone else seen.chosen("supervised", LABELS)
    control = _mean(seen.error(other, "test")) if other is not None else math.nan
    words = ", ".join(view.wording(name, value) for name, value in named.items() if value is not None)
    words += f" (there {THERE}); supervised {100 * control:.2f} %" + ("" if alone else ", of another network")
    return _rows({"": Sample(seen.error(best, "test"), _join(words, _about(seen, best)), control)})


# --- labels that the model gives -------------------------------------------------------------------------------------


def pseudo_label_quality(seen: View) -> Rows:
    """Rank correlation over trainings of the accuracy on the pool and on test images; control: the pool's shuffled."""
    groups = {"all runs": list(seen.cells)}
    groups[_of_labels(seen.reference_labels)] = [
        cell for cell in seen.cells if equal(seen.value_of(cell, "n_labels"), seen.reference_labels)
    ]
    samples = {}
    for name, cells in groups.items():
        pairs = [(seen.error(cell, "pool"), seen.error(cell, "test")) for cell in cells]
        pairs = [(pool, test) for pool, test in pairs if pool.size and test.size]
        if len(pairs) < RUNS or (name != "all runs" and len(cells) == len(seen.cells)):
            continue
        pool, test = (1 - xr.concat([p[i] for p in pairs], "run", join="outer") for i in (0, 1))
        shuffled = np.random.default_rng(0).permutation(len(pairs))
        found, controls = [], []
        for seed in pool["seed"].values:
            one, other = pool.sel(seed=seed).values, test.sel(seed=seed).values
            found.append(_rank_correlation(one, other))
            controls.append(_rank_correlation(one[shuffled], other))
        samples[name] = Sample(np.array(found), f"{len(pairs)} trainings", _mean(np.array(controls)))
    return _rows(samples, QUALITY)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, of the trainings that both have; NaN where they are too few, 0 where one does not change."""
    there = np.isfinite(one) & np.isfinite(other)
    one, other = one[there], other[there]
    if len(one) < RUNS:
        return math.nan
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one, other).statistic)


def pseudo_label_accuracy(seen: View) -> Rows:
    """Share of the unlabelled images of the pool whose predicted label is the true one; control: guessing."""
    samples = {}
    for method in ("supervised", "virtual"):
        cell = seen.chosen(method)
        if cell is not None:
            test = 1 - _mean(seen.error(cell, "test"))
            words = _join(f"on test images {test:.3g}", _about(seen, cell))
            samples[CALLED[method]] = Sample(1 - seen.error(cell, "pool"), words, 1 / _scale(seen, "classes", CLASSES))
    return _rows(samples, LIKELY)


def virtual_examples(seen: View) -> Rows:
    """Share of the pool that a virtual adversarial direction takes out of its class, less twice that of a random one.

    In the supervised network, at the eps chosen for virtual adversarial training; control: random in its place.
    """
    cell, best = seen.chosen("supervised"), seen.chosen("virtual")
    if cell is None or best is None:
        return None
    eps = seen.eps(best)
    found, random = (_at_length(seen, cell, "flipped", along, "pool", eps) for along in ("virtual", "random"))
    values = paired(found, TIMES * random)
    words = _join(
        f"eps {eps:g}; {100 * _mean(found):.3g} % of images, {100 * _mean(random):.3g} % along random "
        "directions", _about(seen, cell),
    )  # fmt: skip
    return _rows({"": Sample(values, words, (1 - TIMES) * _mean(random))}, 0.0)


def _at_length(seen: View, cell: Cell, variable: str, along: str, place: str, length: float) -> xr.DataArray:
    """What was measured at lengths, between them and at 0 (where it is 0), over seeds; none beyond the longest."""
    found = seen.at(cell, variable)
    there = {"along": along, "place": place}
    missing = any(dim not in found.dims or value not in found[dim].values for dim, value in there.items())
    if missing or not 0 < length <= float(found["length"].max()) * (1 + view.SAME):
        return found.isel({dim: slice(0) if dim == "seed" else 0 for dim in found.dims})
    found = found.sel(there, drop=True).transpose("seed", "length")
    lengths = np.concatenate([[0.0], found["length"].values])
    values = [np.interp(length, lengths, np.concatenate([[0.0], row])) for row in found.values]
    return xr.DataArray(np.array(values), {"seed": found["seed"].values}, ("seed",)).dropna("seed")


# --- smoothness, manifolds -------------------------------------------------------------------------------------------


def _smoother(seen: View, place: str) -> tuple[xr.DataArray, str] | None:
    """Logarithm of KL along its virtual adversarial directions, trained with them over supervised, over seeds."""
    cell, best = seen.chosen("supervised"), seen.chosen("virtual")
    if cell is None or best is None or "smoothness" not in seen.data:
        return None
    lengths = seen.data["length"].values
    length = float(lengths[np.abs(np.log(lengths / seen.eps(best))).argmin()])
    at = {"along": "virtual", "place": place, "length": length}
    if any(value not in seen.data[dim].values for dim, value in at.items()):
        return None
    found = [seen.at(one, "smoothness").sel(at, drop=True) for one in (best, cell)]
    words = f"length {length:g}; {_mean(found[0]):.3g} and {_mean(found[1]):.3g} nat"
    return _logarithm(found[0]) - _logarithm(found[1]), _join(words, _about(seen, cell, best))


def robust(seen: View) -> Rows:
    """KL(p(x) || p(x + r)) after virtual adversarial training over that after supervised training."""
    samples = {}
    for place, called in (("test", "test images"), ("pool", "unlabelled images")):
        found = _smoother(seen, place)
        if found is not None:
            samples[called] = Sample(found[0], found[1], ratio=True)
    return _rows(samples, SMOOTHER)


def off_manifold(seen: View) -> Rows:
    """The same ratio on images whose pixels are permuted, over that on images."""
    found, images = _smoother(seen, "permuted"), _smoother(seen, "test")
    if found is None or images is None:
        return None
    ratios = [math.exp(_mean(one)) for one in (found[0], images[0])]
    words = f"ratio to supervised training {ratios[0]:.3g}, on images {ratios[1]:.3g}"
    return _rows({"": Sample(paired(found[0], images[0]), words, ratio=True)}, 1.0)


def same_label(seen: View) -> Rows:
    """Share of the pool that leaves its class at virtual's eps: supervised less virtual adversarial training."""
    cell, best = seen.chosen("supervised"), seen.chosen("virtual")
    if cell is None or best is None:
        return None
    one, other = (_at_length(seen, own, "flipped", "virtual", "pool", seen.eps(best)) for own in (cell, best))
    words = f"{100 * _mean(one):.3g} % and {100 * _mean(other):.3g} %"
    return _rows({"": Sample(paired(one, other), _join(words, _about(seen, cell, best)))}, 0.0)


def manifold(seen: View) -> Rows:
    """Share of the pool farther than 2 eps from all images of other classes; control: two moons that overlap."""
    best = seen.chosen("virtual")
    if best is None or "other_class_distance" not in seen.data:
        return None
    eps = seen.eps(best)
    share = _beyond(seen.at(best, "other_class_distance"), 2 * eps)
    control, own = math.nan, seen.settings.get("moons_eps")
    if "moons_other_distance" in seen.data and own is not None:
        overlapping = seen.data["moons_other_distance"].sel(moon_noise=seen.data["moon_noise"].max())
        control = _beyond(overlapping, 2 * float(own))
    words = [f"eps {eps:g}; quantiles in steps of {_step(seen):.3g}"]
    largest = seen.eps(seen.family("virtual", "eps")[-1])
    if largest > eps:
        words.append(f"at the largest, {largest:g}: {_beyond(seen.at(best, 'other_class_distance'), 2 * largest):.3g}")
    if own is not None and np.isfinite(control):
        words.append(f"on the moons 2 eps = {2 * float(own):g}")
    return {"": Measurement(share, int(seen.value_of(best, "n_pool") or 0), control, conditions="; ".join(words))}


def _beyond(quantiles: xr.DataArray, distance: float) -> float:
    """Share of a sample above a value, from its quantiles over ``level``."""
    values, levels = np.asarray(quantiles.values, float), np.asarray(quantiles["level"].values, float)
    if not np.isfinite(values).all():
        return math.nan
    above = int(np.searchsorted(values, distance, side="right"))
    if above in (0, len(values)):
        return float(above == 0)
    low, high = values[above - 1], values[above]
    return 1 - float(levels[above - 1] + (distance - low) / (high - low) * (levels[above] - levels[above - 1]))


def _step(seen: View) -> float:
    return float(np.diff(seen.data["level"].values).max())


def moons_gain(seen: View) -> Rows:
    """Gain of virtual adversarial training on two moons that are apart; control: on overlapping ones."""
    if "moons_error" not in seen.data:
        return None
    noises = np.sort(seen.data["moon_noise"].values)
    here = {str(name) for name in seen.data["moon_method"].values}
    if "virtual" not in here:
        return None
    samples = {}
    for method in ("supervised", "random"):
        if method not in here:
            continue
        errors = seen.data["moons_error"].rename(moon_seed="seed")
        apart, overlapping = (
            paired(*(errors.sel(moon_noise=noise, moon_method=name, drop=True) for name in (method, "virtual")))
            for noise in (noises[0], noises[-1])
        )
        means = [_mean(errors.sel(moon_noise=noises[0], moon_method=name)) for name in (method, "virtual")]
        words = f"errors {100 * means[0]:.3g} % and {100 * means[1]:.3g} %; noise {noises[0]:g}, control {noises[-1]:g}"
        control = _mean(overlapping) if len(noises) > 1 else math.nan
        samples[f"over {CALLED[method]}"] = Sample(apart, words + _shares(seen, noises), control)
    return _rows(samples, 0.0)


def _shares(seen: View, noises: np.ndarray) -> str:
    """How many points are beyond 2 eps of the other moon, in words."""
    if "moons_beyond" not in seen.data:
        return ""
    shares = [_mean(seen.data["moons_beyond"].sel(moon_noise=noise)) for noise in (noises[0], noises[-1])]
    return f"; share beyond 2 eps of the other class {shares[0]:.3g}, control {shares[1]:.3g}"


# --- the method ------------------------------------------------------------------------------------------------------


def collapse(seen: View) -> Rows:
    """Test error of virtual adversarial training at the largest eps less that at the chosen one."""
    best, runs = seen.chosen("virtual"), seen.family("virtual", "eps")
    if best is None or not seen.error(best, "test").size or not runs or runs[-1] == best:
        return None
    one, other = _with_lost(seen, runs[-1]), _with_lost(seen, best)
    words = f"errors {100 * _mean(one):.2f} % and {100 * _mean(other):.2f} %, of a run that diverged 100 %"
    return _rows({"": Sample(paired(one, other), _join(words, _about(seen, runs[-1], best)))}, 0.0)


def iterations(seen: View) -> Rows:
    """Test error with the most power iterations less that with one; control: supervised training in their place."""
    runs = [cell for cell in seen.family("virtual", "power_iterations") if seen.error(cell, "test").size]
    if len(runs) < 2 or not equal(seen.value_of(runs[0], "power_iterations"), 1):
        return None
    one, most = runs[0], runs[-1]
    alone = seen.chosen("supervised")
    control = math.nan
    if alone is not None:
        control = _mean(paired(seen.error(alone, "test"), seen.error(one, "test")))
    sample = _compared(seen, most, one)
    if sample is None:
        return None
    words = f"K = {seen.value_of(most, 'power_iterations')} and 1; {sample.conditions}"
    return _rows({"": Sample(sample.values, words, control)}, -SAME, SAME)


def cosine(seen: View) -> Rows:
    """Mean |cosine| of the direction after one power iteration with the converged one; control: a random direction."""
    samples = {}
    for method in ("virtual", "supervised"):
        cell = seen.chosen(method)
        found = seen.at(cell, "cosine") if cell is not None else None
        if cell is None or found is None or "iteration" not in found.dims or 1 not in found["iteration"].values:
            continue
        share, median, gap = (seen.at(cell, name) for name in ("cosine_share", "cosine_median", "gap"))
        words = [f"K = {k}: {_mean(found.sel(iteration=k)):.4g}" for k in found["iteration"].values if k != 1]
        if "iteration" in share.dims:
            words.insert(0, f"at least {ALIGNED} for {100 * _mean(share.sel(iteration=1)):.3g} % of images")
        if "iteration" in median.dims:
            words.insert(0, f"median over images {_mean(median.sel(iteration=1)):.4g}")
        words += [f"second to first eigenvalue {_mean(gap):.3g}"] if gap.size else []
        words.append(_about(seen, cell))
        random = math.sqrt(2 / (math.pi * _scale(seen, "pixels", PIXELS)))
        samples[CALLED[method]] = Sample(found.sel(iteration=1), _join(*words), random)
    return _rows(samples, ALIGNED)


def choice(seen: View) -> Rows:
    """Test error at the eps chosen on validation images less the lowest over eps; control: the highest less it."""
    samples = {}
    for method in seen.methods:
        best = seen.chosen(method)
        runs = seen.family(method, "eps")
        if best is None or not seen.error(best, "test").size or len(runs) < 2 or best not in runs:
            continue
        means = {cell: _mean(_with_lost(seen, cell)) for cell in runs}
        lowest, highest = min(runs, key=lambda cell: means[cell]), max(runs, key=lambda cell: means[cell])
        values = paired(_with_lost(seen, best), _with_lost(seen, lowest))
        words = f"eps {seen.eps(best):g} chosen, {seen.eps(lowest):g} the best on test images, of {len(runs)}"
        samples[CALLED[method]] = Sample(values, words, means[highest] - means[lowest])
    return _rows(samples, SAME)


def norm(seen: View) -> Rows:
    """Largest relative error of the length of r in any virtual adversarial training; control: r not normalised."""
    cells = [cell for cell in seen.cells if seen.value_of(cell, "training") == "virtual"]
    values = [_finite(seen.at(cell, "norm_error")) for cell in cells]
    found = np.concatenate(values) if values else np.empty(0)
    if not found.size:
        return None
    words = f"of {found.size} trainings; {seen.settings.get('dtype', '')}".rstrip("; ")
    return {"": Measurement(float(found.max()), found.size, 1.0, conditions=words)}


# --- what is claimed -------------------------------------------------------------------------------------------------


def _above(threshold: float) -> Holds:
    return lambda value, low, high: low > threshold


def _below(threshold: float) -> Holds:
    return lambda value, low, high: high < threshold


def _larger(threshold: float) -> Holds:
    """At least the threshold, and the interval above 0."""
    return lambda value, low, high: value >= threshold and low > 0


def _within(threshold: float) -> Holds:
    return lambda value, low, high: low > -threshold and high < threshold


def _claim(
    name: str, source: str, statement: str, expected: str, measure: Callable[[View], Rows], holds: Holds, figure: str,
    conditions: str, minimum: int = SEEDS,
) -> Claim:  # fmt: skip
    return Claim(
        name, source, statement, expected, minimum, _on_view(measure), holds, conditions,
        f"semisupervised/figures/{figure}.png",
    )  # fmt: skip


OVER_SEEDS = "95 % t-interval over seeds for all rows together"
PAIRED = f"paired by seed; {OVER_SEEDS}; control: the end towards none of it with the two exchanged in every other seed"
OWN_EPS = "each at the eps, of those it was run with, that is best for it on validation images"
ADDS = "Adversarial examples provide a means of accomplishing semi-supervised learning"
SMALL_CHANGES = (
    "This encourages the classifier to learn a function that is robust to small changes anywhere along the manifold "
    "where the unlabeled data lie"
)

CLAIMS: tuple[Claim, ...] = (
    _claim(
        "gain", RELATION, ADDS, "test error, supervised less virtual adversarial: interval above 0",
        _over("supervised"), _above(0.0), "labels", f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "gain_five_points", RELATION, f"{ADDS} (with {LABELS} labels)",
        f"test error, supervised less virtual adversarial, at {LABELS} labels: mean at least {FIVE_POINTS}, interval "
        "above 0",
        gain_five_points, _larger(FIVE_POINTS), "labels", f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "over_random", f"{MIYATO}, sections 3.3 and 4 (random perturbation training)",
        "The virtual adversarial direction regularises better than random directions",
        "test error, random less virtual adversarial: interval above 0",
        _over("random"), _above(0.0), "labels", f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "over_pseudo_label", RELATION,
        "At a point without a label the model itself assigns some label, which an adversarial example is sought for: "
        "the virtual adversarial direction needs no such label, and does better than the gradient of its loss",
        "test error, pseudo-label direction less virtual adversarial: interval above 0",
        _over("pseudo-label"), _above(0.0), "labels", f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "over_adversarial", f"{MIYATO}, section 3",
        "Unlike adversarial training, virtual adversarial training applies to unlabelled images, and gains from them",
        "test error, adversarial training on the labelled images less virtual adversarial: interval above 0",
        _over("adversarial"), _above(0.0), "labels", f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "same_length", METHOD, "The direction counts, not how long r is",
        "test error, another direction less virtual adversarial at its eps: interval above 0",
        same_length, _above(0.0), "eps", f"at the eps chosen for virtual adversarial training; {PAIRED}",
    ),
    _claim(
        "mean_order", METHOD, "The virtual adversarial direction beats its controls in the mean",
        "test error, another direction less virtual adversarial: mean above 0",
        mean_order, lambda value, low, high: value > 0, "labels",
        f"same number of updates; {OWN_EPS}; {PAIRED}",
    ),
    _claim(
        "label_free", VIRTUAL,
        "Virtual adversarial examples are generated using not the true label but a label provided by a trained model",
        "largest difference of a weight when what must not be seen is replaced: 0",
        label_free, lambda value, low, high: value == 0, "labels",
        "one seed, trained with true data and with replaced; control: the labels of the labelled images permuted",
        minimum=1,
    ),
    _claim(
        "pseudo_label_quality", RELATION,
        "If the model is of high quality then its label has a probability of being the true label",
        f"rank correlation over trainings of accuracy on the pool with accuracy on test images: interval above "
        f"{QUALITY}",
        pseudo_label_quality, _above(QUALITY), "pseudo_labels",
        f"all methods and settings; {OVER_SEEDS}; control: accuracies on the pool shuffled over trainings",
    ),
    _claim(
        "pseudo_label_accuracy", RELATION,
        "If the model is of high quality then its label has a probability of being the true label",
        f"accuracy on the unlabelled images of the pool: interval above {LIKELY}",
        pseudo_label_accuracy, _above(LIKELY), "pseudo_labels", f"{OVER_SEEDS}; control: guessing",
    ),
    _claim(
        "virtual_examples", RELATION,
        "We can seek an adversarial example x' that causes the classifier to output a label y' other than its own",
        f"share of unlabelled images that leave their class, less {TIMES:g} times that along random directions: "
        "interval above 0",
        virtual_examples, _above(0.0), "pseudo_labels",
        f"supervised network; {OVER_SEEDS}; control: random directions in place of virtual adversarial ones",
    ),
    _claim(
        "same_label", VIRTUAL, "The classifier may then be trained to assign the same label to x and x'",
        "share of unlabelled images that leave their class, supervised less virtual adversarial training: interval "
        "above 0",
        same_label, _above(0.0), "pseudo_labels",
        f"along directions of each network's own, at the eps of virtual adversarial training; {PAIRED}",
    ),
    _claim(
        "robust", VIRTUAL, SMALL_CHANGES,
        f"KL(p(x) || p(x + r)) after virtual adversarial training over that after supervised: interval below "
        f"{SMOOTHER}",
        robust, _below(SMOOTHER), "smoothness",
        f"along directions of each network's own, at the length measured next to eps; geometric mean; {PAIRED}",
    ),
    _claim(
        "off_manifold", VIRTUAL, f"{SMALL_CHANGES}: there, and not everywhere",
        "that ratio on images with permuted pixels over that on test images: interval above 1",
        off_manifold, _above(1.0), "smoothness", f"one permutation for all images; geometric mean; {PAIRED}",
    ),
    _claim(
        "manifold", VIRTUAL,
        "Different classes lie on disconnected manifolds; a small perturbation should not be able to jump from one "
        "class manifold to another",
        f"share of the pool farther than 2 eps from every image of another class: at least {APART}",
        manifold, lambda value, low, high: value >= APART, "distances",
        "l2 distance of the pixels of the pool's images, true labels; control: two moons that overlap, with 2 eps of "
        "theirs",
        minimum=IMAGES,
    ),
    _claim(
        "moons_gain", VIRTUAL,
        "Assumption motivating this approach: different classes lie on disconnected manifolds",
        f"on two moons that are apart, test error less that of virtual adversarial training: mean at least {PERCENT}, "
        "interval above 0",
        moons_gain, _larger(PERCENT), "moons",
        f"paired by seed; {OVER_SEEDS}; control: on two moons that overlap (mean)",
    ),
    _claim(
        "collapse", METHOD, "Too large an eps collapses the classifier: that it was run bounds the choice of eps",
        f"test error at the largest eps less that at the chosen one: mean at least {COLLAPSED}, interval above 0",
        collapse, _larger(COLLAPSED), "eps", f"virtual adversarial training; {PAIRED}",
    ),
    _claim(
        "iterations", f"{MIYATO}, section 3.3",
        "One power iteration is sufficient: more do not improve the error",
        f"test error with the most power iterations less that with one: interval within {SAME} of 0",
        iterations, _within(SAME), "iterations",
        f"paired by seed; {OVER_SEEDS}; control: supervised less virtual adversarial training with one",
    ),
    _claim(
        "cosine", f"{MIYATO}, section 3.3", "One power iteration finds the direction that counts",
        f"mean |cosine| with the leading eigenvector of the Hessian: at least {ALIGNED}",
        cosine, lambda value, low, high: value >= ALIGNED, "iterations",
        f"unlabelled images, float64; {OVER_SEEDS}; control: a random direction in {PIXELS} dimensions",
    ),
    _claim(
        "choice", METHOD, "Choosing eps on validation images loses little",
        f"test error at the chosen eps less the lowest over eps: mean below {SAME}",
        choice, lambda value, low, high: value < SAME, "eps",
        f"paired by seed; {OVER_SEEDS}; control: the highest error over eps less the lowest",
    ),
    _claim(
        "published", f"{MIYATO}, table of MNIST with 100 labels",
        f"Test error {100 * PUBLISHED:.2f} %",
        f"test error of virtual adversarial training within {100 * WITHIN:g} points of {100 * PUBLISHED:.2f} % (mean)",
        published, lambda value, low, high: abs(value - PUBLISHED) <= WITHIN, "labels",
        f"784-{WIDTH}-{WIDTH}-10, batch-normalised; control: the same, supervised", minimum=1,
    ),
    _claim(
        "norm", METHOD, "r has the length eps, however small the gradient",
        f"largest | |r| / eps - 1 | of all virtual adversarial trainings: at most {LENGTH:g}",
        norm, lambda value, low, high: value <= LENGTH, "iterations",
        "of every example of every update; control: 1, where nothing is left of it", minimum=1,
    ),
)  # fmt: skip
