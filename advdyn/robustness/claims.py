"""Claims of the slides on attacks and adversarial training of networks, declared before anything runs.

The sampling unit is the trained run: intervals are t-intervals over seeds, of paired differences where two trainings
are compared, and n is the number of seeds. Where a claim has a row for each model, the rows of paired differences share
an error rate of 5 % (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np
import xarray as xr

from advdyn.claims import Claim, Measurement
from advdyn.errors import InputError
from advdyn.intervals import COVERAGE, interval, paired
from advdyn.robustness import view
from advdyn.robustness.view import NOISES, STANDARD, Point, View

SRIHARI = "Srihari, Adversarial Training (seeds/001_482d2436b09b285b.txt)"
STRAAT = "Straat, Modelling adversarial training (seeds/004_6e47880f844f889c.txt)"
GOODFELLOW = "Goodfellow, Shlens and Szegedy, 1412.6572"

SEEDS = 3  # fewest runs that an interval is made of
NEARLY_ALL = 0.99  # an error of about 100 %
SMALL_ERROR = 0.1  # without attack: above it a model is not near human, and the claim has no premise
QUARTER = 0.25  # of the pixel range: beyond it a perturbation is no longer small
HALF = 0.5
NOISE_SHARE = 0.1  # of the attack's increase of the error
IMPERCEPTIBLE = {"0.007": 0.007, "2/255": 2 / 255}  # of the slides' panda, and of their whisky jug
TANGENT = 0.2  # departure of the margin from its tangent that still counts as linear
FAR = 10  # times the eps that breaks half of the images, where a network should no longer follow its tangent
POINT = 0.01  # one percentage point: a difference of errors that counts
GROWTH = 0.1  # an exponent that counts as growth
FLATTER = 0.8  # ratio of gradient norms that counts as flattening
UNREMOVED = 0.5  # share of the damage that a defence leaves, above which it does not resist
GAINED = 0.1  # what a network's defence takes off the error beyond that of a linear model
RAISED = 0.1  # rise of the error under attack from which the best defence is still broken
TRANSFERRED = 0.1  # excess of a transferred attack over noise that counts
CONFIDENT = 0.1  # excess of the confidence in attacked mistakes over that in clean ones
CLOSE = 0.9  # share of the best attack's damage from which a single step approximates the maximum
LEVEL = 0.996  # the slides' confidence in fooling images
MOST = 0.9
MANY = 7  # places whose orders are all looked through
PRECISION = 1e-6  # a mean of counts in float32
SINGLE_STEP = ("fgsm", "fgsm-minmax", "random-eps", "nonrobust")
DEFENCES = ("fgsm", "fgsm-minmax", "pgd")
VARIANTS = ("random-eps", "nonrobust")

Rows = dict[str, Measurement] | None
Differences = dict[str, tuple[np.ndarray, str]]


def context(study: xr.Dataset) -> str:
    """What holds for every claim of the study, for their conditions."""
    try:
        seen = view.of(study)
    except InputError:
        return ""
    box = "attacked images clipped to the pixel range" if seen.clip else "attacked images not clipped"
    tested = f"{int(study['n_test'].values.ravel()[0])} test images, " if "n_test" in study else ""
    return f"{tested}{box}, {seen.n_train} training images where not said, eps_reference {seen.reference:g}"


def _on_view(measure: Callable[[View], Rows | Measurement]) -> Callable[..., Rows | Measurement]:
    """A measure on the collected data from one on their view; nothing where no run was evaluated."""

    def measured(study: xr.Dataset, illustrations: xr.Dataset | None = None) -> Rows | Measurement:
        del illustrations  # pictures, of which no claim is measured
        try:
            seen = view.of(study)
        except InputError:
            return None
        return measure(seen)

    measured.__doc__ = measure.__doc__
    return measured


def _over_seeds(values: xr.DataArray | np.ndarray, control: float, conditions: str) -> Measurement:
    """The mean over runs with its t-interval."""
    sample = np.asarray(values, dtype=float)
    sample = sample[np.isfinite(sample)]
    mean, error, low, high = interval(sample)
    return Measurement(mean, len(sample), control, error, low, high, conditions)


def _families(
    differences: Differences, end: str, threshold: float | None = None, untested: Mapping[str, str] | None = None
) -> Rows:
    """Means of paired differences, their intervals at one error rate for all rows together.

    ``end`` names the end of the interval that must lie on the right side of zero. The control is that end after the
    two that are compared were exchanged in every other pair. Where an interval contains both no difference and
    ``threshold``, where the claim would hold, the conditions say that it decides nothing. ``untested`` are rows that
    no run speaks for, with the reason.
    """
    differences = {name: row for name, row in differences.items() if len(row[0])}
    level = (1 - COVERAGE) / max(1, sum(len(values) > 1 for values, _ in differences.values()))
    rows = {}
    for name, (values, conditions) in differences.items():
        exchanged = interval(values * np.where(np.arange(len(values)) % 2, -1, 1), level)
        mean, error, low, high = interval(values, level)
        control = exchanged[2 if end == "low" else 3]
        if threshold is not None and low <= min(0.0, threshold) and high >= max(0.0, threshold):
            conditions += "; undecided at this number of seeds"
        rows[name] = Measurement(mean, len(values), control, error, low, high, conditions)
    for name, reason in (untested or {}).items():
        rows[name] = Measurement(np.nan, 0, np.nan, conditions=reason)
    return rows or None


def _lost(seen: View, points: Iterable[Point]) -> str:
    """How many runs of some points collapsed, for the conditions; empty where none did."""
    points = list(dict.fromkeys(points))
    lost = sum(len(seen.collapsed(p)) for p in points)
    every = sum(seen.number(p, "clean_error").size for p in points)
    return (
        f"; {lost} of {every} runs predict a constant (error of at least {_percent(view.COLLAPSED)} of its)"
        if lost
        else ""
    )


def _standard(seen: View) -> list[Point]:
    return [p for m in seen.models for p in seen.where(model=m, training=STANDARD, n_train=seen.n_train)]


def _mean(values: xr.DataArray) -> float:
    return float(values.mean()) if values.size else np.nan


def _upto(curve: xr.DataArray, eps: float) -> xr.DataArray:
    return curve.sel(eps=curve["eps"] <= eps * (1 + 1e-6))


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


# --- what attacks do ---------------------------------------------------------------------------------------------


def constructed(seen: View) -> Rows:
    """Largest error under attack at any eps up to a quarter of the pixel range; control: noise of that size."""
    rows = {}
    for point in _standard(seen):
        curve = _upto(seen.bound(point), QUARTER)
        if curve.size == 0:
            continue
        eps = float(curve["eps"][-1])
        noise = _mean(seen.error_at(point, seen.roles.noise, eps))
        clean = _mean(seen.number(point, "clean_error"))
        reached = view.crossing(curve, NEARLY_ALL)
        alone = {a: _mean(seen.error_at(point, a, eps)) for a in seen.attacks if seen.attack(a)["norm"] == "linf"}
        alone = {a: error for a, error in alone.items() if np.isfinite(error)}
        best = max(alone, key=lambda a: alone[a], default="")
        words = f"{point.words()}; eps {eps:g}, error without attack {_percent(clean)} (of all test images)"
        words += f"; 99 % first at eps {reached:.3g}" if np.isfinite(reached) else "; 99 % not reached"
        words += f"; strongest there: {best} with {_percent(alone[best])}" if best else ""
        last = curve.isel(eps=-1)
        if clean > SMALL_ERROR:
            words += f"; no premise: error without attack above {_percent(SMALL_ERROR)}"
            last = last * np.nan
        found = _over_seeds(last, noise, words)
        rows[point.model] = replace(found, n=curve.sizes["seed"])
    return rows or None


def noise_is_weak(seen: View) -> Rows:
    """Increase of the error by noise over that by attacks, at the eps that breaks half of the images.

    Control: the single-step attack in the place of noise.
    """
    rows = {}
    for point in _standard(seen):
        bound, noise = seen.bound(point), seen.curve(point, seen.roles.noise)
        eps = view.crossing(bound, HALF)
        if bound.size == 0 or noise.size == 0 or not np.isfinite(eps):
            continue
        at = float(bound["eps"].sel(eps=eps, method="nearest"))
        clean = seen.unattacked(point)
        share = [
            (curve - clean) / (view.size(bound, at) - clean)
            for curve in (view.size(noise, at), seen.error_at(point, seen.roles.single, at))
        ]
        rows[point.model] = _over_seeds(share[0], _mean(share[1]), f"{point.words()}; {seen.roles.noise} at eps {at:g}")
    return rows or None


def imperceptible(seen: View) -> Rows:
    """Error under attack at the sizes of the slides, of the model that suffers most; control: noise."""
    rows = {}
    for name, eps in IMPERCEPTIBLE.items():
        found = {}
        for point in _standard(seen):
            bound = seen.bound(point)
            if bound.size and np.isclose(bound["eps"], eps, rtol=1e-3).any():
                found[point] = view.size(bound, eps)
        if not found:
            continue
        worst = max(found, key=lambda p: _mean(found[p]))
        words = ", ".join(f"{p.model} {_percent(_mean(v))}" for p, v in found.items())
        clean = _percent(_mean(seen.unattacked(worst)))
        rows[f"eps={name}"] = _over_seeds(
            found[worst], _mean(seen.error_at(worst, seen.roles.noise, eps)),
            f"largest: {worst.model} (without attack {clean}); standard training: {words}",
        )  # fmt: skip
    return rows or None


def confident(seen: View) -> Rows:
    """Mean confidence in attacked mistakes less that in clean mistakes; control: mistakes under noise.

    At the eps of the study's reference.
    """
    name = seen.roles.iterated or seen.roles.single
    rows = {}
    for point in _standard(seen):
        sure = seen.curve(point, name, "confidence")
        if sure.size == 0 or float(sure["eps"][0]) > 0:
            continue
        eps = seen.reference
        difference = paired(view.size(sure, eps), view.size(sure, 0.0))
        noise = seen.curve(point, seen.roles.noise, "confidence")
        control = float(np.mean(paired(view.size(noise, eps), view.size(noise, 0.0)))) if noise.size else np.nan
        top = sure.mean("seed")
        words = f"{point.words()}; {name} at eps {eps:g}: mean confidence {_percent(_mean(view.size(sure, eps)))}, "
        words += f"in clean mistakes {_percent(_mean(view.size(sure, 0.0)))}; largest {_percent(float(top.max()))} "
        words += f"at eps {float(top.idxmax('eps')):g} (the slides: 99 %, 99.8 %)"
        rows[point.model] = _over_seeds(difference, control, words)
    return rows or None


def targeted(seen: View) -> Rows:
    """Largest share of images turned into the target up to a quarter of the pixel range; control: without attack."""
    rows = {}
    for point in _standard(seen):
        rate = _upto(seen.curve(point, seen.roles.targeted, "target_rate"), QUARTER)
        if rate.size == 0:
            continue
        best = int(rate.mean("seed").argmax("eps"))
        words = f"{point.words()}; {seen.roles.targeted}, a random other class, eps {float(rate['eps'][best]):g}; "
        words += f"{_percent(_mean(view.size(rate, seen.reference)))} at eps {seen.reference:g}"
        rows[point.model] = _over_seeds(rate.isel(eps=best), _mean(rate.isel(eps=0)), words)
    return rows or None


def fooling(seen: View) -> Rows:
    """Share of noise images turned into an image of each class with the slides' confidence.

    Control: the share that has it before any step. Where that was not measured, an upper bound of it: half of those
    that reach it need at least the median number of steps, so where that is above 0, no more than half start there.
    """
    rows = {}
    for point in _standard(seen):
        share, steps = seen.number(point, "fooling_share"), seen.number(point, "fooling_steps")
        if share.size == 0:
            continue
        median = _mean(steps)
        start = seen.number(point, "fooling_start_share")
        control = _mean(start) if start.size else _mean(share) * (0.5 if median > 0 else 1.0)
        words = f"{point.words()}; median of {median:g} steps"
        for training in ("fgsm", "pgd"):
            other = seen.nearest(point.model, training, seen.reference)
            if other is not None and (reached := seen.number(other, "fooling_share")).size:
                taken = seen.number(other, "fooling_steps")
                words += f"; {other.words(model=False)}: {_percent(_mean(reached))}"
                words += f", median of {_mean(taken):g} steps" if taken.size else ""
        words += "" if start.size else "; control: upper bound of the share that starts there, from the median of steps"
        rows[point.model] = _over_seeds(share, control, words)
    return rows or None


def single_step(seen: View) -> Rows:
    """Share of the best attack's damage that FGSM does, at the eps of training (standard: the reference).

    Of the networks the one where it does least. Control: noise for FGSM.
    """
    rows = {}
    for training in (STANDARD, *DEFENCES, *VARIANTS):
        found: dict[Point, xr.DataArray] = {}
        for model in seen.models:
            point = seen.nearest(model, training, seen.reference)
            if point is not None and not view.linear(model):
                share = _share(seen, point, seen.roles.single)
                if share.size:
                    found[point] = share
        if found:
            worst = min(found, key=lambda p: _mean(found[p]))
            words = ", ".join(f"{p.model} {_mean(v):.3g}" for p, v in found.items())
            rows[training] = _over_seeds(
                found[worst], _mean(_share(seen, worst, seen.roles.noise)),
                f"the least of {words}; at eps {worst.eps_train or seen.reference:g}",
            )  # fmt: skip
    return rows or None


def _share(seen: View, point: Point, attack: str | None) -> xr.DataArray:
    """Increase of the error by an attack over that by the best attack, for each seed."""
    eps = point.eps_train or seen.reference
    clean = seen.unattacked(point)
    return ((seen.error_at(point, attack, eps) - clean) / (seen.bound_at(point, eps) - clean)).dropna("seed")


def monotone(seen: View) -> Measurement | None:
    """Smallest increment of the best lower bound over eps; control: the middle half of each curve run backwards."""
    steps, planted, falls, curves = [], [], {"FGSM": 0.0, "iterated": 0.0}, 0
    runs = 0
    for point in seen.points:
        for norm in seen.data["norm"].values:
            for clip in seen.data["clip"].values:
                bound = seen.bound(point, str(norm), clip)
                if bound.sizes["eps"] < 4:
                    continue
                values = bound.values
                quarter = values.shape[1] // 4
                turned = values.copy()
                turned[:, quarter:-quarter] = turned[:, quarter:-quarter][:, ::-1]
                steps.append(np.nanmin(np.diff(values)))
                planted.append(np.nanmin(np.diff(turned)))
                curves += len(values)
                runs = max(runs, len(values))
                single, iterated, _ = seen.roles.of(str(norm))
                for name, attack in (("FGSM", single), ("iterated", iterated)):
                    raw = seen.curve(point, attack, clip=clip).values
                    if raw.size:
                        fall = float(np.nanmax(np.maximum.accumulate(raw, 1) - raw))
                        falls[name] = max(falls[name], fall)
    if not steps:
        return None
    words = f"{curves} curves; the best lower bound is a running maximum over eps; curves as measured fall by at most "
    words += ", ".join(f"{_percent(fall)} ({name})" for name, fall in falls.items())
    return Measurement(float(min(steps)), runs, float(min(planted)), conditions=words)


# --- why: linearity and dimension --------------------------------------------------------------------------------


def linearity(seen: View) -> Rows:
    """Share of images whose margin falls as its tangent does, at the eps that breaks half of the images.

    A mean ratio of the two falls would not do: deviations of either sign cancel in it. That eps is taken without
    clipping where it was measured so, since linearity is. Control: the share that deviates there, or the share at FAR
    times that eps where that is smaller.
    """
    rows = {}
    clip = next((c for c in seen.data["clip"].values if not c), None)
    for point in _standard(seen):
        share = _along_eps(seen, point, "linear_share")
        eps = view.crossing(seen.bound(point, clip=clip), HALF)
        if view.linear(point.model) or share.sizes["eps"] < 2 or not np.isfinite(eps):
            continue
        at, far = (_interpolated(share, size) for size in (eps, FAR * eps))
        ratio = _along_eps(seen, point, "linearity")
        reach = seen.number(point, "linear_range")
        spread = seen.at(point, "minimum_eps")
        words = f"{point.words()}; half of the images are broken at eps {eps:.3g}"
        words += "" if clip is not None or not seen.clip else " (clipped)"
        words += f"; share at eps {min(FAR * eps, float(share['eps'][-1])):.3g} {_percent(_mean(far))}"
        if ratio.sizes["eps"]:
            words += (
                f"; mean ratio of the margin's fall to its tangent's {_mean(_interpolated(ratio, eps)):.3g}, within "
            )
            words += f"10 % up to eps {_mean(reach):.3g}" if reach.size else "10 % up to an eps not measured"
        if "quantile" in spread.dims:
            median = spread.sel(norm="linf", quantile=0.5).dropna("seed")
            words += f"; median of the smallest eps {_mean(median):.3g}" if median.size else ""
        rows[point.model] = _over_seeds(at, float(np.fmin(_mean(far), 1 - _mean(at))), words)
    return rows or None


def _along_eps(seen: View, point: Point, variable: str) -> xr.DataArray:
    """A variable of a point over (seed, eps), only what was measured; no eps where nothing was."""
    found = seen.at(point, variable)
    if "eps" not in found.dims:
        return found.expand_dims(eps=[0.0]).isel(eps=slice(0)).transpose("seed", "eps")
    return found.dropna("eps", how="all").dropna("seed", how="all").transpose("seed", "eps")


def _interpolated(curve: xr.DataArray, eps: float) -> xr.DataArray:
    """A curve between its listed sizes; at its first or last where eps is beyond."""
    if curve.sizes["eps"] == 1:
        return curve.isel(eps=0)
    return curve.interp(eps=float(np.clip(eps, *curve["eps"].values[[0, -1]])))


def _slopes(values: xr.DataArray, order: np.ndarray | None = None) -> np.ndarray:
    """Exponent of each seed's numbers (seed, resolution) in the number of pixels, by least squares of logarithms.

    ``order`` exchanges the numbers among the resolutions.
    """
    values = values.dropna("seed").transpose("seed", "resolution")
    x = 2 * np.log(values["resolution"].values.astype(float))
    x = x - x.mean()
    y = np.log(values.values)
    return (y if order is None else y[:, order]) @ x / (x**2).sum()


def _uncorrelated(n: int) -> np.ndarray:
    """The order of n places least correlated with their numbers, and not positively: what it exchanges has no trend."""
    x = np.arange(n) - (n - 1) / 2
    if n > MANY:
        return np.roll(np.arange(n), n // 2)
    orders = np.array(list(permutations(range(n))))
    trend = x[orders] @ x
    return orders[np.where(trend <= 0, trend, -np.inf).argmax()]


def dimension(seen: View) -> Rows:
    """Exponents of the shift eps |g|_1, and of 1/eps at half of the images broken, in the number of pixels.

    Control: the images' sizes exchanged.
    """
    data = seen.data
    l1 = "scaled_gradient_l1"
    if l1 not in data or data.sizes.get("resolution", 0) < 3:
        return None
    rows = {}
    for model in data["scaled_model"].values:
        part = data.sel(scaled_model=model)
        for name, variable, sign in (("shift eps|g|_1", l1, 1), ("1/eps that breaks half", view.half_eps(data), -1)):
            if variable not in part:
                continue
            values = part[variable].rename(scaled_seed="seed").where(np.isfinite(part[variable].values))
            values = values.where(values > 0).dropna("resolution", how="all")
            if values.sizes["resolution"] < 3:
                continue
            slopes = sign * _slopes(values)
            control = sign * _slopes(values, _uncorrelated(values.sizes["resolution"]))
            edges = values["resolution"].values
            first, last = (float(values.sel(resolution=edge).mean()) for edge in (edges[0], edges[-1]))
            words = f"images of {edges[0]}^2 to {edges[-1]}^2 pixels, from {first:.3g} to {last:.3g}"
            if variable == l1:
                words += f" a pixel range (at eps .007 a shift of {0.007 * first:.2g} to {0.007 * last:.2g})"
                if "scaled_gradient_l2" in part:
                    l2 = _slopes(part["scaled_gradient_l2"].rename(scaled_seed="seed"))
                    words += f"; exponent of |g|_2 {l2.mean():.2f}"
            rows[f"{model}, {name}"] = _over_seeds(slopes, float(control.mean()) if control.size else np.nan, words)
    return rows or None


# --- what adversarial training does ------------------------------------------------------------------------------


def _small_eps(seen: View, model: str, n_train: int) -> float | None:
    """The smallest eps_train at which a model was trained adversarially and on noise of the same size."""
    sizes = [
        {p.eps_train for p in seen.where(model=model, training=t, n_train=n_train)} for t in ("fgsm", *NOISES)
    ]  # fmt: skip
    with_control = sizes[0] & (sizes[1] | sizes[2])
    return min(with_control or sizes[0], default=None)


def _regularisation(seen: View, noise: bool) -> Rows:
    rows: Differences = {}
    for model in seen.models:
        for n in sorted({p.n_train for p in seen.where(model=model)}):
            eps = _small_eps(seen, model, n)
            standard = seen.where(model=model, training=STANDARD, n_train=n)
            if eps is None or not standard:
                continue
            trained = seen.where(model=model, training="fgsm", n_train=n, eps_train=eps)[0]
            controls = [p for p in seen.where(model=model, n_train=n, eps_train=eps) if p.training in NOISES]
            others = controls if noise else standard[:1]
            if not others:
                continue
            against = min(others, key=lambda p: _mean(seen.number(p, "clean_error")))
            difference = paired(*(seen.number(p, "clean_error") for p in (trained, against)))
            errors = ", ".join(
                f"{p.words(model=False)} {_percent(_mean(seen.number(p, 'clean_error')))}"
                for p in (*standard[:1], trained, *controls)
            )
            rows[f"{model}, n={n}"] = difference, f"{trained.words()} less {against.words(model=False)}; {errors}"
    return _families(rows, "high", threshold=0.0)


def regulariser(seen: View) -> Rows:
    """Error without attack, adversarial less standard training, for each number of training images."""
    return _regularisation(seen, noise=False)


def regulariser_beyond_noise(seen: View) -> Rows:
    """Error without attack, adversarial training less the better of the two noises of the same size."""
    return _regularisation(seen, noise=True)


def constancy(seen: View) -> Rows:
    """Ratio of the margin's input-gradient norms, adversarial to standard training, paired by seed.

    Control: training on noise of the same size (the flatter of the two); where there is none, the standard runs in
    another order.
    """
    rows = {}
    for standard in _standard(seen):
        trained = seen.nearest(standard.model, "fgsm", seen.reference)
        if trained is None:
            continue
        noises = [
            p for p in seen.where(model=standard.model, eps_train=trained.eps_train, n_train=seen.n_train)
            if p.training in NOISES
        ]  # fmt: skip
        for place in ("train", "test", "far"):
            steep: dict[Point, xr.DataArray] = {}
            for point in (standard, trained, *noises):
                values = seen.number(point, "gradient_l1", where=place)
                steep[point] = values.copy(data=np.log(values.values))
            if not steep[standard].size or not steep[trained].size:
                continue
            ratios = paired(steep[trained], steep[standard])
            mean, error, low, high = (float(np.exp(v)) for v in interval(ratios))
            if noises:
                control = min(float(np.exp(paired(steep[p], steep[standard]).mean())) for p in noises)
                against = "noise training of the same size"
            else:
                control = float(np.exp((np.roll(steep[standard].values, 1) - steep[standard].values).mean()))
                against = "standard runs against each other"
            l2 = [_mean(seen.number(p, "gradient_l2", where=place)) for p in (trained, standard)]
            words = f"{trained.words()} against standard, l1 norm on {place} images; l2 norm {l2[0]:.3g} against "
            words += f"{l2[1]:.3g}; control: {against}"
            rows[f"{standard.model}, {place}"] = Measurement(
                mean, len(ratios), control, mean * (error - 1) if np.isfinite(error) else np.nan, low, high, words
            )
    return rows or None


def _defences(seen: View, models: Iterable[str]) -> list[Point]:
    return [p for p in seen.where(model=list(models), n_train=seen.n_train) if p.adversarial]


def _best_defence(seen: View, models: Iterable[str], eps: float) -> tuple[Point, xr.DataArray] | None:
    """The point of adversarial training with the smallest error under the best attack of size eps.

    Runs that predict a constant are left out: no attack raises their error, which is no defence.
    """
    found = {
        p: v for p in _defences(seen, models) if (v := seen.learned(p, seen.bound_at(p, eps))).size
    }  # fmt: skip
    if not found:
        return None
    best = min(found, key=lambda p: _mean(found[p]))
    return best, found[best]


def _left(seen: View, model: str, eps: float) -> tuple[Point, np.ndarray, float] | None:
    """Share of the damage of an attack that the best defence of a model leaves, for each seed."""
    standard = seen.nearest(model, STANDARD, 0.0)
    best = _best_defence(seen, [model], eps)
    if standard is None or best is None:
        return None
    broken, clean = seen.bound_at(standard, eps), seen.unattacked(standard)
    share = (best[1] - clean) / (broken - clean)
    return best[0], share.dropna("seed").values, _mean(best[1])


def linear_cannot_resist(seen: View) -> Rows:
    """Share of the damage by an attack of size eps that the best adversarial training of a linear model leaves.

    The damage is the error under attack less the error of standard training without one. Control: the best network.
    """
    rows = {}
    linear = [m for m in seen.models if view.linear(m)]
    sizes = sorted({p.eps_train for p in seen.where(model=linear, n_train=seen.n_train) if p.adversarial})
    for model in linear:
        for eps in sizes:
            left = _left(seen, model, eps)
            if left is None or not left[1].size:
                continue
            others = {m: v for m in seen.models if m not in linear and (v := _left(seen, m, eps)) is not None}
            best = min(others, key=lambda m: others[m][1].mean() if others[m][1].size else np.inf, default=None)
            control = float(others[best][1].mean()) if best and others[best][1].size else np.nan
            words = f"{left[0].words()}: error {_percent(left[2])}"
            words += f"; control: {others[best][0].words()}, error {_percent(others[best][2])}" if best else ""
            rows[f"{model}, eps={eps:g}"] = _over_seeds(left[1], control, words)
    return rows or None


def capacity_resists(seen: View) -> Rows:
    """What the best defence of a network takes off the error at eps_reference, less what that of a linear model does.

    Each against standard training of the same model, without the runs that predict a constant. Control: as for paired
    differences.
    """
    eps = seen.reference
    base = _best_defence(seen, [m for m in seen.models if view.linear(m)], eps)
    plain = seen.nearest(base[0].model, STANDARD, 0.0) if base else None
    if base is None or plain is None:
        return None
    rows: Differences = {}
    untested = {}
    for model in seen.models:
        best, standard = _best_defence(seen, [model], eps), seen.nearest(model, STANDARD, 0.0)
        if view.linear(model) or standard is None:
            continue
        lost = _lost(seen, [*_defences(seen, [model]), standard])
        if best is None:
            if lost:
                untested[model] = f"no run of its defences learned{lost}"
            continue
        gains = [
            trained - seen.learned(start, seen.bound_at(start, eps))
            for trained, start in ((best[1], standard), (base[1], plain))
        ]
        words = f"{best[0].words()} {_mean(gains[0]):+.3f}, {base[0].words()} {_mean(gains[1]):+.3f}; "
        words += f"attack of eps {eps:g}{lost}" + (", left out" if lost else "")
        rows[model] = paired(*gains), words
        if lost and not rows[model][0].size:
            untested[model] = f"no pair of runs learned{lost}"
    return _families(rows, "high", -GAINED, untested)


def capacity(seen: View) -> Rows:
    """Slope of the error under attack of adversarially trained networks in log2 of width, and in depth, for each seed.

    At eps_reference, of all runs: that a small network learns nothing so may be want of capacity, or of a better
    recipe, so where one did not the verdict depends. Control: as for paired differences, the direction exchanged in
    every other seed.
    """
    rows: Differences = {}
    networks = {m: view.architecture(m) for m in seen.models}
    mlps = {m: a for m, a in networks.items() if a[0] == "mlp"}
    families: dict[str, dict[str, float]] = {}
    collapsed = set()
    for model, (_, width, depth) in mlps.items():
        families.setdefault(f"width at depth {depth}", {})[model] = float(np.log2(width))
        families.setdefault(f"depth at width {width}", {})[model] = float(depth)
    for training in ("fgsm", "pgd"):
        for name, members in families.items():
            found = {}
            points = []
            for model, size in members.items():
                point = seen.nearest(model, training, seen.reference)
                if point is not None and (bound := seen.bound_at(point, seen.reference)).size:
                    found[model] = (size, bound)
                    points.append(point)
            if len({size for size, _ in found.values()}) < 2:
                continue
            aligned = xr.align(*(bound.dropna("seed") for _, bound in found.values()), join="inner")
            x = np.array([size for size, _ in found.values()])
            x = x - x.mean()
            slopes = np.tensordot(x, np.stack([a.values for a in aligned]), axes=1) / (x**2).sum()
            errors = ", ".join(f"{m} {_percent(_mean(b))}" for m, (_, b) in found.items())
            unit = "doubling of the width" if name.startswith("width") else "layer"
            lost = _lost(seen, points)
            words = f"change for each {unit}, attack of eps {seen.reference:g}: {errors}{lost}"
            rows[f"{name}, {training}"] = slopes, words
            if lost:
                collapsed.add(f"{name}, {training}")
    untested = {}
    if rows and not any(name.startswith("width") for name in rows):
        untested["width"] = "fewer than two widths of one depth"
    measured = _families(rows, "high", untested=untested) or {}
    why = "depends on whether runs that predict a constant count, which another recipe may train"
    return {name: replace(row, depends=why if name in collapsed else "") for name, row in measured.items()} or None


def hard_to_defend(seen: View) -> Measurement | None:
    """Error of the best defence of all under attack less its error without; control: under noise of the same size.

    A difference, since a ratio of the few images that it gets wrong without attack is unstable.
    """
    eps = seen.reference
    best = _best_defence(seen, seen.models, eps)
    if best is None:
        return None
    point, bound = best
    clean, noise = seen.unattacked(point), seen.error_at(point, seen.roles.noise, eps)
    control = paired(noise, clean)
    words = f"{point.words()}, the best of {len(_defences(seen, seen.models))} defences: {_percent(_mean(bound))}"
    words += f" at eps {eps:g}, without attack {_percent(_mean(clean))} (of the same images)"
    return _over_seeds(paired(bound, clean), float(control.mean()) if control.size else np.nan, words)


def _protection(seen: View, trainings: tuple[str, ...], fgsm: bool) -> Rows:
    rows: Differences = {}
    untested = {}
    for training in trainings:
        for model in seen.models:
            trained, standard = seen.nearest(model, training, seen.reference), seen.nearest(model, STANDARD, 0.0)
            if trained is None or standard is None:
                continue
            eps = trained.eps_train

            def under(point: Point, eps: float = eps) -> xr.DataArray:
                found = seen.error_at(point, seen.roles.single, eps) if fgsm else seen.bound_at(point, eps)
                return seen.learned(point, found)

            lost = _lost(seen, (trained, standard))
            words = f"attack of eps {eps:g}: "
            words += f"{_percent(_mean(under(trained)))}, standard {_percent(_mean(under(standard)))}"
            words += f"{lost}, left out" if lost else ""
            base = seen.nearest(model, "fgsm", seen.reference)
            if training in VARIANTS and base is not None:
                difference = paired(under(trained), under(base))
                low, high = interval(difference)[2:]
                words += f"; less fgsm training {difference.mean() if difference.size else np.nan:+.3f} "
                words += f"[{low:+.3f}, {high:+.3f}]"
            rows[f"{training}, {model}"] = paired(under(trained), under(standard)), words
            if lost and not rows[f"{training}, {model}"][0].size:
                untested[f"{training}, {model}"] = f"attack of eps {eps:g}; no pair of runs learned{lost}"
    return _families(rows, "high", untested=untested)


def protects(seen: View) -> Rows:
    """Error under the best attack of size eps_train, adversarial less standard training."""
    return _protection(seen, DEFENCES, fgsm=False)


def protects_fgsm(seen: View) -> Rows:
    """Error under FGSM of size eps_train, adversarial less standard training."""
    return _protection(seen, DEFENCES, fgsm=True)


def variants(seen: View) -> Rows:
    """Error under the best attack of size eps_train, variants of adversarial training less standard training."""
    return _protection(seen, VARIANTS, fgsm=False)


def masked(seen: View) -> Rows:
    """Share of runs whose gradients are flagged as masked, single-step training at the largest eps_train.

    Networks only, of those that learned. Flagged is a single-step error that falls as eps grows, or that a smaller
    iterated attack exceeds. That the iterated attack does more at the same eps is not enough: any curvature does that.
    Control: the larger of the shares among linear models, whose gradients cannot be masked, and standard networks.
    """

    def flags(points: Iterable[Point]) -> np.ndarray:
        every = [seen.learned(p, seen.at(p, "masking").sel(clip=seen.clip).dropna("seed")).values for p in points]
        found = np.concatenate(every) if every else np.empty(0)
        return found[found >= 0].astype(int)

    def share(found: np.ndarray) -> float:
        return float((found & view.MASKED > 0).mean()) if found.size else np.nan

    if "masking" not in seen.data:
        return None
    linear = flags(p for p in seen.points if view.linear(p.model))
    plain = flags(p for p in seen.points if p.training == STANDARD and not view.linear(p.model))
    control = float(np.fmax(share(linear), share(plain)))
    rows = {}
    for training in SINGLE_STEP:
        points = [p for p in seen.where(training=training, n_train=seen.n_train) if not view.linear(p.model)]
        if not points:
            continue
        eps = max(p.eps_train for p in points)
        points = [p for p in points if p.eps_train == eps]
        found, lost = flags(points), _lost(seen, points)
        if not found.size and not lost:
            continue
        bits = ", ".join(
            f"{words} {int((found & bit > 0).sum())}"
            for bit, words in ((2, "FGSM not monotone"), (4, "smaller eps does more"))
        )
        words = f"{len(found)} runs, of them {bits}"
        if found.size:
            words += f"; FGSM below the iterated attack of the same eps in {_percent(float((found & 1 > 0).mean()))}"
        words += f"{lost}, left out" if lost else ""
        words += f"; control: {linear.size} runs of linear models, {plain.size} of standard networks"
        rows[f"{training}, eps={eps:g}"] = Measurement(share(found), len(found), control, conditions=words)
    return rows or None


# --- black box ---------------------------------------------------------------------------------------------------


def _label(label: str) -> tuple[str, str, str]:
    """Model, training and eps_train of a compared run's label, "model/training/eps"."""
    model, training, eps = str(label).rsplit("/", 2)
    return model, training, eps


def _transfer(seen: View) -> xr.Dataset | None:
    """The part of the data on transfer, at the size next to eps_reference, and without attack."""
    if "transfer_error" not in seen.data:
        return None
    names = [v for v in seen.data.data_vars if {"source", "target"} & set(seen.data[v].dims)]
    part = seen.data[names]
    return part.reset_coords(drop=True) if part["transfer_error"].notnull().any() else None


def transfers(seen: View) -> Rows:
    """Error of transferred attacks less that under random signs of the same size; control: random signs less nothing.

    Each target with the source, other than itself, that does most among the standard models.
    """
    part = _transfer(seen)
    if part is None:
        return None
    at = part.sel(transfer_eps=seen.reference, method="nearest")
    rows = {}
    for target in part["target"].values:
        others = [s for s in part["source"].values if s != target and _label(s)[1] == STANDARD]
        found = {s: at["transfer_error"].sel(source=s, target=target) for s in others}
        found = {s: v for s, v in found.items() if v.notnull().any()}
        if not found:
            continue
        source = max(found, key=lambda s: float(found[s].mean()))
        # examples of seed s are judged by the target of the next seed, so its noise is that seed's
        noise = at["noise_error"].sel(target=target).roll(transfer_seed=-1, roll_coords=False)
        silent = part["noise_error"].sel(target=target).isel(transfer_eps=0).roll(transfer_seed=-1, roll_coords=False)
        white = float(at["white_box_error"].sel(target=target).mean())
        words = f"made on {source}: {_percent(float(found[source].mean()))}, on the target itself {_percent(white)}, "
        words += f"random signs {_percent(float(noise.mean()))}; eps {float(at['transfer_eps']):g}"
        rows[str(target)] = _over_seeds((found[source] - noise).values, float((noise - silent).mean()), words)
    return rows or None


def asymmetry(seen: View) -> Rows:
    """Transfer from an adversarially trained to a standard model less the other way, of one architecture."""
    part = _transfer(seen)
    if part is None:
        return None
    at = part["transfer_error"].sel(transfer_eps=seen.reference, method="nearest")
    rows: Differences = {}
    labels = [str(v) for v in part["target"].values]
    for trained in labels:
        model, training, _ = _label(trained)
        standard = next((s for s in labels if _label(s)[:2] == (model, STANDARD)), None)
        if training == STANDARD or training in NOISES or standard is None:
            continue
        there = at.sel(source=trained, target=standard).rename(transfer_seed="seed")
        back = at.sel(source=standard, target=trained).rename(transfer_seed="seed")
        words = f"{trained} to {standard} {_percent(float(there.mean()))}, back {_percent(float(back.mean()))}; "
        words += f"eps {float(at['transfer_eps']):g}"
        rows[f"{model}, {training}"] = paired(there, back), words
    return _families(rows, "low", threshold=0.0)


def surrogates(seen: View) -> Rows:
    """Error under attacks made on a surrogate less that under random signs; control: random signs less nothing."""
    part = _transfer(seen)
    if part is None or "surrogate_error" not in part:
        return None
    at = part.sel(transfer_eps=seen.reference, method="nearest")
    rows = {}
    for target in part["target"].values:
        there = at.sel(target=target)
        noise = there["noise_error"]
        silent = part["noise_error"].sel(target=target).isel(transfer_eps=0)
        words = f"surrogate {_percent(float(there['surrogate_error'].mean()))}, white box "
        words += f"{_percent(float(there['white_box_error'].mean()))}, random signs {_percent(float(noise.mean()))}; "
        words += f"agreement {_percent(float(there['surrogate_agreement'].mean()))}, cosine of gradients "
        words += f"{float(there['surrogate_cosine'].mean()):.2f}; eps {float(at['transfer_eps']):g}"
        difference = (there["surrogate_error"] - noise).values
        rows[str(target)] = _over_seeds(difference, float((noise - silent).mean()), words)
    return rows or None


# --- declarations ------------------------------------------------------------------------------------------------

Holds = Callable[[float, float, float], bool]


def _below(bound: float) -> Holds:
    """At most ``bound``, and the whole interval below 0."""
    return lambda value, low, high: value <= bound and high < 0


def _reaches(bound: float) -> Holds:
    """The value alone reaches ``bound``."""
    return lambda value, low, high: value >= bound


def _surely(bound: float) -> Holds:
    """The whole interval lies above ``bound``."""
    return lambda value, low, high: low >= bound


def _claim(
    name: str, slide: str, statement: str, expected: str, measure: Callable[[View], Rows | Measurement],
    holds: Holds, figure: str, conditions: str = "", minimum: int = SEEDS,
) -> Claim:  # fmt: skip
    return Claim(
        name, slide, statement, expected, minimum, _on_view(measure), holds, conditions,
        f"robustness/figures/{figure}.png",
    )  # fmt: skip


SEED_T = "95 % t-interval over seeds"
PAIRED = (
    "paired by seed; 95 % t-interval over seeds for all rows together; control: the end of that interval with the two "
    "exchanged in every other seed"
)
IMAGENET = (
    "a figure of single photographs classified by networks trained on ImageNet; neither the images nor the trained "
    "networks are here, and no other data can stand in for their confidences"
)
UNTESTABLE: Mapping[str, tuple[str, str]] = {
    "panda": (
        "Adversarial Example Generation",
        "GoogLeNet: panda at 58 % becomes gibbon at 99 % by .007 times a sign pattern, itself a nematode at 8.2 %",
    ),
    "distortions": (
        "More examples",
        "Tiny distortions of correctly classified photographs fool a convolutional network",
    ),
}

CLAIMS = (
    _claim(
        "constructed_examples", f"{SRIHARI}, Do nets have Human-level understanding?",
        "Networks with a near-human test error have a 100 % error rate on examples intentionally constructed",
        f"error under attack at an eps of at most {QUARTER} >= {NEARLY_ALL}, where the error without attack is at most "
        f"{SMALL_ERROR}; noise of that size does not",
        constructed, _reaches(NEARLY_ALL), "curves", f"best lower bound over attacks (l_inf); {SEED_T}",
    ),
    _claim(
        "noise_is_weak", f"{SRIHARI}, Adversarial examples",
        "The damage is done by a search for the perturbation, not by its size",
        "noise of the size that breaks half of the images raises the error by at most "
        f"{NOISE_SHARE} of what attacks do (upper end of the interval)",
        noise_is_weak, lambda value, low, high: high <= NOISE_SHARE, "curves",
        f"{SEED_T}; control: single-step attack for noise",
    ),
    _claim(
        "imperceptible", f"{SRIHARI}, Adversarial Example Generation; {STRAAT}, Targeted attack",
        "An imperceptibly small perturbation (.007, 2/255) changes the classification",
        f"error under attack of that size >= {HALF}, for the model that suffers most",
        imperceptible, _reaches(HALF), "curves", f"best lower bound (l_inf); {SEED_T}; control: noise of that size",
    ),
    _claim(
        "confident_mistakes", f"{SRIHARI}, Adversarial Example Generation; {STRAAT}, Adversarial examples",
        "Adversarial images are misclassified with high confidence",
        f"mean confidence in attacked mistakes less that in clean mistakes >= {CONFIDENT}, its interval above 0",
        confident, lambda value, low, high: value >= CONFIDENT and low > 0, "confidence",
        f"{SEED_T}, paired; control: mistakes under noise of that size less clean ones",
    ),
    _claim(
        "targeted", f"{STRAAT}, Targeted attack",
        "An attack can make the network predict a chosen class",
        f"share of images turned into the target at an eps of at most {QUARTER} >= {MOST}",
        targeted, _reaches(MOST), "gallery", f"{SEED_T}; control: the share without attack",
    ),
    _claim(
        "fooling", f"{SRIHARI}, Some more examples",
        f"Images that show nothing are classified as any class with a confidence above {LEVEL}",
        f"share of noise images brought to {LEVEL} >= {MOST}",
        fooling, _reaches(MOST), "gallery",
        f"{SEED_T}; control: the share that is there before any step",
    ),
    _claim(
        "single_step", f"{STRAAT}, Constructing adversarial examples",
        "A single step along the sign of the gradient approximates the maximum of the loss",
        f"increase of the error by FGSM over that by the best attack >= {CLOSE} (lower end of the interval)",
        single_step, _surely(CLOSE), "masking",
        f"the network where it does least; {SEED_T}; control: noise for FGSM",
    ),
    _claim(
        "monotone", f"{STRAAT}, Assessing robustness of the model",
        "By varying eps one obtains a monotonically increasing adversarial loss curve",
        "smallest increment of the best lower bound over eps >= 0 (to the rounding of float32)",
        monotone, _reaches(-PRECISION), "curves", "control: the middle half of each curve run backwards", 1,
    ),
    _claim(
        "excessive_linearity", f"{SRIHARI}, Cause of adversarial examples",
        "The overall function often proves to be linear",
        "share of images whose margin, at the eps that breaks half of them, has fallen as its tangent does, within "
        f"{TANGENT} of it, >= {HALF} (lower end of the interval)",
        linearity, _surely(HALF), "linearity",
        f"correctly classified images, no box; {SEED_T}; control: the share that deviates, or that "
        f"at {FAR} times the eps (at most the largest listed) where smaller",
    ),
    _claim(
        "dimension", f"{SRIHARI}, Cause of adversarial examples",
        "A change by eps||w|| can be very large in high-dimensional spaces",
        f"exponent in the number of pixels >= {GROWTH}, its interval above 0",
        dimension, lambda value, low, high: value >= GROWTH and low > 0, "scale",
        f"the same images resampled; {SEED_T}; control: the sizes of the images exchanged",
    ),
    _claim(
        "regulariser", f"{SRIHARI}, Uses of adversarial training",
        "Using adversarially perturbed samples we can reduce the error rate on the test set",
        "error without attack, adversarial less standard training: interval below 0",
        regulariser, lambda value, low, high: value < 0 and high < 0, "regularisation",
        f"smallest eps_train with a noise control; {PAIRED}",
    ),
    _claim(
        "regulariser_beyond_noise", f"{SRIHARI}, Uses of adversarial training",
        "The reduction is owed to the attack, not to noise of its size",
        "error without attack, adversarial training less the better of random-sign and uniform noise: interval below 0",
        regulariser_beyond_noise, lambda value, low, high: value < 0 and high < 0, "regularisation",
        f"the same eps_train; {PAIRED}",
    ),
    _claim(
        "local_constancy", f"{SRIHARI}, Adversarial Training",
        "Adversarial training encourages the network to be locally constant in the neighbourhood of the training data",
        "ratio of the margin's input-gradient norm, adversarial to standard training, "
        f"<= {FLATTER}, its interval below 1",
        constancy, lambda value, low, high: value <= FLATTER and high < 1, "linearity",
        "geometric mean over seeds of paired ratios, 95 % t-interval; far: uniform noise images",
    ),
    _claim(
        "linear_cannot_resist", f"{SRIHARI}, Adversarial training and Capacity",
        "Purely linear models are unable to resist adversarial examples",
        f"the best adversarial training leaves at least {UNREMOVED} of the damage by an attack of size eps "
        "(lower end of the interval); that of the best network does not",
        linear_cannot_resist, _surely(UNREMOVED), "capacity",
        f"damage: error under the best attack less the error of standard training without one; {SEED_T}",
    ),
    _claim(
        "networks_resist", f"{SRIHARI}, Adversarial training and Capacity",
        "Networks can learn to resist local perturbation",
        "change of the error under attack by the best defence of a network, less that by the best defence of a linear "
        f"model <= -{GAINED}, interval below 0",
        capacity_resists, _below(-GAINED), "capacity", f"changes from standard training; {PAIRED}",
    ),
    _claim(
        "capacity", f"{SRIHARI}, Adversarial training and Capacity",
        "Adversarial training illustrates the power of a large function family",
        "error under attack falls with width and with depth: interval of the slope below 0",
        capacity, lambda value, low, high: value < 0 and high < 0, "capacity", PAIRED,
    ),
    _claim(
        "hard_to_defend", f"{SRIHARI}, Uses of adversarial training",
        "Adversarial examples are hard to defend against",
        f"error of the best defence under attack less its error without >= {RAISED} (lower end of the interval)",
        hard_to_defend, _surely(RAISED), "training_eps", f"{SEED_T}; control: noise of the same size",
    ),
    _claim(
        "protects", f"{STRAAT}, Adversarial training",
        "Adversarial training lowers the error under the attack it trains against",
        f"error under the best attack of size eps_train, less standard training <= -{POINT}, interval below 0",
        protects, _below(-POINT), "training_eps", PAIRED,
    ),
    _claim(
        "protects_fgsm", f"{STRAAT}, Adversarial training",
        "Adversarial training lowers the error under the single-step attack",
        f"error under FGSM of size eps_train, less standard training <= -{POINT}, interval below 0",
        protects_fgsm, _below(-POINT), "training_eps", PAIRED,
    ),
    _claim(
        "variants_protect", f"{STRAAT}, Outlook",
        "Variants to be analysed: randomised eps, training only on non-robust examples; taken here to protect as well",
        f"error under the best attack of size eps_train, less standard training <= -{POINT}, interval below 0",
        variants, _below(-POINT), "training_eps", PAIRED,
    ),
    _claim(
        "masked_gradients", f"{STRAAT}, Computing adversarial perturbations",
        "(not said there) Training against the single step at a large eps teaches the network to defeat that step",
        f"share of flagged runs >= {HALF}; less among linear models and standard networks",
        masked, _reaches(HALF), "masking",
        "flag: FGSM not monotone, or beaten by the iterated attack at half the eps, beyond sampling error",
    ),
    _claim(
        "transfers", f"{STRAAT}, Computing adversarial perturbations",
        "Same data distribution, similar models: examples made on one model mislead another",
        f"error under a transferred attack less that under random signs >= {TRANSFERRED} (lower end of the interval)",
        transfers, _surely(TRANSFERRED), "transfer", f"{SEED_T}; control: random signs less no attack",
    ),
    _claim(
        "transfer_asymmetry", f"{GOODFELLOW} (40.9 % against 19.6 %), on {SRIHARI}, Adversarial Training",
        "Attacks transfer better from an adversarially trained model to a standard one than the other way",
        "difference of the two errors: interval above 0",
        asymmetry, lambda value, low, high: value > 0 and low > 0, "transfer", PAIRED,
    ),
    _claim(
        "surrogate", f"{STRAAT}, Computing adversarial perturbations",
        "If only labels are available, attack a surrogate trained on data labelled by the target",
        f"error of the target less that under random signs >= {TRANSFERRED} (lower end of the interval)",
        surrogates, _surely(TRANSFERRED), "transfer", f"{SEED_T}; control: random signs less no attack",
    ),
    *(
        Claim(name, f"{SRIHARI}, {slide}", statement, expected="", untestable=IMAGENET)
        for name, (slide, statement) in UNTESTABLE.items()
    ),
)  # fmt: skip
