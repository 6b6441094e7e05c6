"""Claims of the pseudo-reaction-diffusion model of adversarial learning, declared before anything runs.

The sampling unit is the trained run: n is the number of seeds, intervals are t-intervals over seeds, of paired
differences where two runs are compared (runs of one seed share their initialisation and random numbers). Rows of paired
differences of one claim and one pair of runs (layers, measures, step sizes, controls) share an error rate of 5 %
(Bonferroni). Runs that diverged are left out of means and counted in the conditions. Claims are of the paper's sign
(minus) where they do not say otherwise; bounds, which hold for both, are counted over runs of both.

The authors' settings are not published; those of the study stand in for them. What the poster does not say itself is
quoted from the workshop paper behind it, or derived in docs/turing (theory/turing.md, sections 4 and 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import xarray as xr

from advdyn.claims import Claim, Measurement
from advdyn.errors import InputError
from advdyn.intervals import COVERAGE, interval, paired
from advdyn.turing import view
from advdyn.turing.view import View, exponents

ROUT = (
    "Rout, Towards a Pseudo-Reaction-Diffusion Model for Turing Instability in Adversarial Learning "
    "(seeds/000_7e5e5cf6edb64997.txt)"
)
PAPER = f"{ROUT}, and the workshop paper behind it (NeurIPS ML4PS 2020)"
DERIVED = "derived here (docs/turing)"

SEEDS = 3  # fewest runs that an interval is made of
EXACT = 1e-6  # distances are kept in float32
SHRUNK = 2.0  # the control of a bound: the bound over so many times its measured looseness
SATURATED = 0.1  # late exponent of the distance below which it has levelled off (7 % over the last half)
FARTHER = 0.1  # logarithm of a ratio that counts: 10 %
EXPONENT = 0.15  # departure from an exponent in the width that still counts as that exponent
PRINTED = 0.25  # the same for the orders of Theorem 3
ALIGNED = (-0.65, 0.15)  # exponents from random signs (-1/2) to a critic aligned with all neurons (0), +- EXPONENT
E_FOLDS = 1.0  # growth of a perturbation over a run, as a logarithm, from which an instability would be seen
PATTERN = 0.05  # Moran's I, or a difference of two, that counts: white noise has -.001 at 28 x 28
SPREAD = 0.05  # difference of coefficients of variation that counts
BLOWN = 2.0  # times its first residual: more than the largest equilibrium that the settings have
SETTLED = 0.1  # share of the initial residual below which an equilibrium counts as reached
BALANCED = -0.9  # cosine of reaction and diffusion where one undoes the other
NEAR = (0.8, 1.25)  # ratio of two residuals that counts as agreement
COUPLING = 0.01  # difference of off-diagonal shares that counts
IN_STEP = 0.05  # difference of mean |cosines| that counts
MATCHED = 0.05  # departure of a control's displacement from the wanted one that is not worth a word
SOLVED = 1e-4  # relative error of a closed form against a numerical solution
LATE = 0.75  # late: the last quarter of the recorded times
MANY = 7  # places whose orders are all looked through
MEASURES = {"participation": "participation", "top_share": "top share", "pca_ratio": "pca ratio"}
LAYERS = {"u": "hidden layer", "v": "top layer"}
TWINS = {
    "label-scaled": "supervision with scaled labels and the same displacement",
    "random-field": "a random moving field of the same size",
    "frozen-critic": "a critic held fixed",
}

Rows = dict[str, Measurement] | None
Differences = dict[str, tuple[np.ndarray, str]]
Pair = tuple[int, int]


def context(study: xr.Dataset) -> str:
    """What holds for every claim of the study, for their conditions."""
    try:
        seen = view.of(study)
    except InputError:
        return ""
    ref = seen.reference
    words = (
        f"n {ref['n']:g}, m {ref['width']:g}, eta {ref['eta']:g}, T {ref['duration']:g}, penalty {ref['penalty']:g}, "
    )
    words += f"{ref['optimiser']} where not said (settings ours: the authors' are not published)"
    every = sum(len(seen.seeds(run)) for run in seen.where())
    lost = sum(len(seen.diverged(run)) for run in seen.where())
    return words + (f"; {lost} of all {every} runs diverged" if lost else "")


def _on_view(measure: Callable[[View], Rows | Measurement]) -> Callable[..., Rows | Measurement]:
    """A measure on the collected data from one on their view; nothing where the study holds no run."""

    def measured(study: xr.Dataset, illustrations: xr.Dataset | None = None) -> Rows | Measurement:
        del illustrations  # pictures, of which no claim is measured
        try:
            seen = view.of(study)
        except InputError:
            return None
        return measure(seen)

    measured.__doc__ = measure.__doc__
    return measured


# --- runs, and means over their seeds ----------------------------------------------------------------------------


def _pairs(seen: View) -> dict[str, Pair]:
    """The runs without and with the adversary next to the settings, for each net and data set, by name.

    Another optimiser, other inputs or another activation have pairs of their own.
    """
    found: dict[str, Pair] = {}
    for net, dataset in _systems(seen):
        first = seen.pair(net, dataset, sign="minus")
        if first is None:
            continue
        found[f"{net}, {dataset}"] = first
        kinds = ("optimiser", "inputs", "activation")
        usual = tuple(seen.rows[first[1]][kind] for kind in kinds)
        others = {tuple(seen.rows[run][kind] for kind in kinds) for run in seen.where(net=net, dataset=dataset)}
        for values in sorted(others - {usual}):
            pair = seen.pair(net, dataset, sign="minus", **dict(zip(kinds, values, strict=True)))
            if pair is not None:
                words = [v for v, u in zip(values, usual, strict=True) if v != u]
                found[f"{net}, {dataset}, {', '.join(words)}"] = pair
    return found


def _systems(seen: View) -> Iterator[tuple[str, str]]:
    for net in seen.nets:
        for dataset in seen.datasets:
            if seen.where(net=net, dataset=dataset):
                yield net, dataset


def _layers(seen: View, run: int) -> tuple[str, ...]:
    return ("u", "v") if seen.rows[run]["net"] == "full" else ("u",)


def _part(name: str, seen: View, run: int, layer: str) -> str:
    """Name of a row: with the layer where there are two."""
    return f"{name}, {LAYERS[layer]}" if len(_layers(seen, run)) > 1 else name


def _kept(seen: View, run: int, values: xr.DataArray) -> xr.DataArray:
    """Numbers of a run's seeds without those that diverged, and without missing ones."""
    if "seed" not in values.dims:
        return values
    values = values.isel(seed=~np.isin(values["seed"].values, seen.diverged(run)))
    return values.where(np.isfinite(values)).dropna("seed")


def _value(seen: View, run: int, variable: str, **where: str | float) -> xr.DataArray:
    """A variable as a number for each seed that did not diverge."""
    return _kept(seen, run, seen.number(run, variable, **where))


def _late(seen: View, run: int, variable: str) -> xr.DataArray:
    """The mean of a variable over the last quarter of a run's time, for each seed."""
    values = seen.at(run, variable)
    if "time" not in values.dims or values.sizes["time"] == 0:
        return values.isel(seed=slice(0))
    late = values["time"].values >= LATE * values["time"].values[-1] * (1 - EXACT)
    return _kept(seen, run, values.isel(time=late).mean("time"))


def _distance(seen: View, run: int, layer: str, time: float | None = None) -> xr.DataArray:
    """Mean distance from initialisation of the neurons that moved, at a time (the end), for each seed."""
    moved = seen.end(run, f"d{layer}", time)
    return _kept(seen, run, moved.where(moved > 0).mean("neuron") if "neuron" in moved.dims else moved)


def _about(seen: View, *runs: int, words: str = "") -> str:
    """Runs in words, with the neurons that are dead and the seeds that diverged."""
    told = words or seen.words(runs[-1])
    deaths = [seen.dead(run) for run in runs]
    if any(d > 0 for d in deaths):
        counted = " and ".join(f"{d:.3g} of {seen.rows[run]['width']:g}" for d, run in zip(deaths, runs, strict=True))
        told += f"; dead neurons {counted}"
    lost, every = sum(len(seen.diverged(r)) for r in runs), sum(len(seen.seeds(r)) for r in runs)
    return told + (f"; {lost} of {every} runs diverged, left out" if lost else "")


def _over_seeds(values: xr.DataArray | np.ndarray, control: float, conditions: str) -> Measurement:
    """The mean over seeds with its t-interval."""
    sample = np.asarray(values, dtype=float)
    sample = sample[np.isfinite(sample)]
    mean, error, low, high = interval(sample)
    return Measurement(mean, len(sample), control, error, low, high, conditions)


def _geometric(values: xr.DataArray | np.ndarray, control: float, conditions: str) -> Measurement:
    """The geometric mean over seeds with its t-interval."""
    found = _over_seeds(np.log(np.asarray(values, dtype=float)), control, conditions)
    mean, low, high = (float(np.exp(v)) for v in (found.value, found.low, found.high))
    return replace(found, value=mean, uncertainty=mean * found.uncertainty, low=low, high=high)


def _system(part: str) -> tuple[str, ...]:
    """What pair of runs a row is of: its name without layer, measure, step size and control."""
    own = {*LAYERS.values(), *MEASURES.values(), *TWINS}
    return tuple(word for word in part.split(", ") if word not in own and not word.startswith("eta "))


def _families(differences: Differences, threshold: float) -> Rows:
    """Means of paired differences, their intervals at one error rate for all rows of one pair of runs together.

    The end of the interval towards zero must lie on ``threshold``'s side of it. The control is that end after the two
    that are compared were exchanged in every other pair. Where an interval contains both no difference and the
    threshold, the conditions say that it decides nothing.
    """
    differences = {name: row for name, row in differences.items() if len(row[0])}
    systems = [_system(name) for name, (values, _) in differences.items() if len(values) > 1]
    rows = {}
    for name, (values, conditions) in differences.items():
        level = (1 - COVERAGE) / max(1, systems.count(_system(name)))
        exchanged = interval(values * np.where(np.arange(len(values)) % 2, -1, 1), level)
        mean, error, low, high = interval(values, level)
        if low <= min(0.0, threshold) and high >= max(0.0, threshold):
            conditions += "; undecided at this number of seeds"
        control = exchanged[2 if threshold > 0 else 3]
        rows[name] = Measurement(mean, len(values), control, error, low, high, conditions)  # fmt: skip
    return rows or None


def _logarithm(values: xr.DataArray) -> xr.DataArray:
    return values.copy(data=np.log(values.where(values > 0).values))


def _mean(values: xr.DataArray | np.ndarray) -> float:
    sample = np.asarray(values, dtype=float)
    return float(sample.mean()) if sample.size else np.nan


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _two(seen: View, pair: Pair, variable: str, **where: str | float) -> tuple[xr.DataArray, xr.DataArray]:
    return _value(seen, pair[0], variable, **where), _value(seen, pair[1], variable, **where)


# --- bounds ------------------------------------------------------------------------------------------------------


def _share_within(seen: View, runs: Sequence[int], bound: str) -> Measurement | None:
    """Share of the runs on which a bound's hypothesis was verified whose largest distance over bound is at most 1.

    Control: the same with the bound over SHRUNK times its measured looseness.
    """
    held, shrunk, loose, seeds = [], [], [], set()
    others: list[bool] = []
    every = lost = settings = missing = 0
    for run in _distinct(seen, runs):
        asserted, ratio, looseness = (
            seen.at(run, name).sel(bound=bound) if bound in seen.data["bound"].values else None
            for name in ("asserted", "ratio", "looseness")
        )
        if asserted is None or ratio is None or looseness is None:
            return None
        sure, ended = (asserted > 0).values, ~np.isin(asserted["seed"].values, seen.diverged(run))
        if not (sure.any() or ratio.notnull().any()):
            continue  # not a bound of this run
        settings += 1
        lost += int((~ended).sum())
        missing += int((asserted.isnull().values & ended).sum())
        every += int(asserted.notnull().values.sum())
        others += (ratio.values[~sure & ended & asserted.notnull().values] <= 1 + EXACT).tolist()
        seeds |= set(asserted["seed"].values[sure].tolist())
        held += (ratio.values[sure] <= 1 + EXACT).tolist()
        shrunk += (ratio * SHRUNK * looseness).values[sure].tolist()
        loose += looseness.values[sure].tolist()
    if not every:
        return None
    words = f"{len(held)} runs of {settings} settings"
    if loose and np.isfinite(loose).any():
        words += f"; at the end {np.nanmin(loose):.3g} to {np.nanmax(loose):.3g} times the largest distance"
    if others:
        words += (
            f"; hypothesis not verified on {len(others)} of {every} runs, left out (it holds on {sum(others)} of them)"
        )
    words += f"; {lost} more diverged, left out" if lost else ""
    words += f"; no bounds yet of {missing} runs" if missing else ""
    if not held:
        return Measurement(np.nan, 0, np.nan, conditions=words)
    control = float(np.mean(np.array(shrunk) <= 1 + EXACT)) if np.isfinite(shrunk).all() else np.nan
    return Measurement(float(np.mean(held)), len(seeds), control, conditions=words)


def _bounded(seen: View, cases: Mapping[str, tuple[Sequence[int], str]]) -> Rows:
    if "asserted" not in seen.data:
        return None
    rows = {name: _share_within(seen, runs, bound) for name, (runs, bound) in cases.items() if runs}
    return {name: row for name, row in rows.items() if row is not None} or None


def _distinct(seen: View, runs: Sequence[int]) -> list[int]:
    """Runs without those that repeat another: without an adversary its parameters have no effect."""
    found: dict[tuple[str, ...], int] = {}
    for run in runs:
        row = seen.rows[run]
        alone = row["adversary"] == "without"
        idle = (*view.CRITIC, "control") if alone else ()
        permuted = row["control"] == "permuted-pixels"
        key = (str(permuted), *(f"{k} {v}" for k, v in row.items() if k not in idle))
        found.setdefault(key, run)
    return list(found.values())


def theorem1(seen: View) -> Rows:
    """Share of supervised runs within the explicit bound of Theorem 1's proof; control: that bound shrunk."""
    runs = {d: seen.where(net="theory", dataset=d, adversary="without") for d in seen.datasets}
    rows = _bounded(seen, {f"theory, {d}": (found, "B1") for d, found in runs.items()}) or {}
    for dataset in seen.datasets:
        pair = seen.pair("theory", dataset, sign="minus")
        row = rows.get(f"theory, {dataset}")
        if pair is None or row is None:
            continue
        bound = seen.at(pair[0], "distance_bound").sel(bound="B1", drop=True)
        farthest = seen.at(pair[1], "distance_max").sel(layer="hidden", drop=True)
        bound, farthest = xr.align(bound, farthest, join="inner")
        reach = _kept(seen, pair[1], (farthest / bound.where(bound > 0)).max("time"))
        words = f"; with the adversary the distances reach {_mean(reach):.3g} of this bound" if reach.size else ""
        rows[f"theory, {dataset}"] = replace(row, conditions=row.conditions + words)
    return rows or None


def theorem2(seen: View) -> Rows:
    """Share of runs with the adversary within the explicit bound of Theorem 2's proof; control: that bound shrunk."""
    live = {"adversary": "with", "control": ["none", "permuted-pixels"]}
    runs = {d: seen.where(net="theory", dataset=d, **live) for d in seen.datasets}
    return _bounded(seen, {f"theory, {d}": (found, "B2") for d, found in runs.items()})


def hypothesis(seen: View) -> Rows:
    """kappa mu over |z(0) - y|, with mu measured; control: with the slope that the gradient penalty asks for."""
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        measured = _value(seen, run, "hypothesis")
        row = seen.rows[run]
        if row["net"] != "theory" or not measured.size:
            continue
        start = _kept(seen, run, seen.end(run, "error", 0.0))
        asked = row["n"] * row["target_slope"] * row["adversary_weight"]
        control = _mean(_value(seen, run, "kappa")) * asked / _mean(start)
        mu = _mean(_value(seen, run, "mu_sup"))
        words = f"kappa {_mean(_value(seen, run, 'kappa')):.3g}, mu {mu:.3g}, |z(0) - y| {_mean(start):.3g}; the slope "
        words += f"allowed is {mu / asked / _mean(measured):.3g} of that which the penalty asks for"
        rows[name] = _geometric(measured.where(measured > 0), control, f"{_about(seen, run)}; {words}")
    return rows or None


def own_bounds(seen: View) -> Rows:
    """Share of all runs within the bounds derived here; control: each bound shrunk."""
    cases = {}
    for name, net in (("B1a", "theory"), ("B3", "theory"), ("B4", "theory"), ("B4", "full"), ("B4v", "full")):
        cases[f"{name}, {net}"] = (seen.where(net=net, adversary="without" if name == "B1a" else None), name)
    rows = _bounded(seen, cases) or {}
    if "B3, theory" in rows:
        row, still = rows["B3, theory"], _without_variation(seen)
        rows["B3, theory"] = replace(row, conditions="; ".join(filter(None, (row.conditions, still))))
    return rows or None


def _without_variation(seen: View) -> str:
    """On what share of the runs with the adversary the bound B3 would hold without the variation of q."""
    held: list[bool] = []
    for run in seen.where(net="theory", adversary="with"):
        asserted = seen.at(run, "asserted").sel(bound="B3")
        start = seen.end(run, "xi", 0.0)
        least, size, top = (seen.at(run, v) for v in ("gram_inf_end", "sigma_x", "c_sup"))
        time = seen.times(run)
        if "neuron" not in top.dims:
            return ""
        decay = 1 - np.exp(-least * xr.DataArray(time, {"time": time}, ("time",)))
        bound = top.max("neuron") * size * start * decay / least
        reach = (seen.at(run, "distance_max").sel(layer="hidden") / bound.where(bound > 0)).max("time")
        sure = (asserted > 0) & reach.notnull()
        held += (reach <= 1 + EXACT).values[sure.values].tolist()
    return f"without the variation of q it would hold on {_percent(float(np.mean(held)))} of those" if held else ""


def printed_bounds(seen: View) -> Rows:
    """Largest excess over delta of the share of seeds beyond the bound as printed; control: that bound shrunk.

    The constant of the O(.) is 2 sqrt(1.5), that of the proof.
    """
    rows = {}
    for dataset in seen.datasets:
        for theorem, adversary in (("Theorem 1", "without"), ("Theorem 2", "with")):
            run = seen.base("theory", dataset, adversary, **({"sign": "minus"} if adversary == "with" else {}))
            if run is None or "prior_ratio" not in seen.data:
                continue
            ratio = _kept_along(seen, run, "prior_ratio")
            if not ratio.sizes["seed"]:
                continue
            beyond = (ratio > 1 + EXACT).mean("seed")
            shrunk = ratio / ratio.max("seed") * SHRUNK
            delta = ratio["delta"]
            words = f"{_about(seen, run)}; delta {', '.join(f'{d:g}' for d in delta.values)}; the bound is "
            words += f"{1 / float(ratio.max()):.3g} times the distance or more"
            rows[f"{theorem}, {dataset}"] = Measurement(
                float((beyond - delta).max()), ratio.sizes["seed"],
                float(((shrunk > 1 + EXACT).mean("seed") - delta).max()), conditions=words,
            )  # fmt: skip
    return rows or None


def _kept_along(seen: View, run: int, variable: str) -> xr.DataArray:
    """A variable of one run over its seeds that did not diverge and one dimension more."""
    values = seen.at(run, variable)
    return values.isel(seed=~np.isin(values["seed"].values, seen.diverged(run))).dropna("seed")


# --- distance from initialisation --------------------------------------------------------------------------------


def saturates(seen: View) -> Rows:
    """Late exponent of the distance under supervision; control: the steepest between two recorded times."""
    rows = {}
    for name, (run, _) in _pairs(seen).items():
        for layer in _layers(seen, run):
            alpha = _value(seen, run, f"alpha_{layer}")
            if alpha.size:
                words = f"{_about(seen, run)}; growth over the last half "
                words += f"{_mean(_value(seen, run, f'growth_{layer}')):.3g} times"
                rows[_part(name, seen, run, layer)] = _over_seeds(alpha, _steepest(seen, run, layer), words)
    return rows or None


def _steepest(seen: View, run: int, layer: str) -> float:
    """The largest exponent in time of the mean distance between two recorded times, of the mean over seeds."""
    moved = seen.at(run, f"d{layer}")
    if "time" not in moved.dims:
        return np.nan
    moved = moved.isel(time=moved["time"].values > 0)
    curve = _kept(seen, run, moved.where(moved > 0).mean("neuron")).transpose("seed", "time")
    slopes = np.diff(np.log(curve.values), axis=1) / np.diff(np.log(curve["time"].values))
    return float(slopes.mean(0).max()) if slopes.size else np.nan


def keeps_growing(seen: View) -> Rows:
    """Late exponent of the distance with the adversary less that without, at every step size.

    Where it holds and does not at the smallest step size, it is the discretisation that grows, and the verdict depends.
    Control: as for paired differences.
    """
    differences: Differences = {}
    smallest: dict[str, tuple[float, np.ndarray]] = {}
    for name, base in _pairs(seen).items():
        row = seen.rows[base[1]]
        family = seen.family("eta", adversary="with", **{k: row[k] for k in view.KIND})
        for run in [base[1], *(r for r in family if r != base[1])]:
            without = base[0] if run == base[1] else seen.partner(run)
            if without is None:
                continue
            for layer in _layers(seen, run):
                one, other = _two(seen, (without, run), f"alpha_{layer}")
                values = paired(other, one)
                part = _part(name, seen, run, layer)
                eta = seen.rows[run]["eta"]
                if len(values) and eta < smallest.get(part, (row["eta"], values))[0]:
                    smallest[part] = (eta, values)
                words = f"{_about(seen, without, run)}; exponents {_mean(one):.3g} and {_mean(other):.3g}"
                if run == base[1] and len(family) < 2:
                    words += "; step size not varied"
                differences[part if run == base[1] else f"{part}, eta {eta:g}"] = values, words
    rows = _families(differences, SATURATED) or {}
    for part, (eta, values) in smallest.items():
        mean, _, low, high = interval(values)
        if part in rows and not _growing(mean, low, high):
            told = f"not at the smaller step size {eta:g}: {mean:.3g} [{low:.3g}, {high:.3g}]"
            rows[part] = replace(rows[part], depends=told)
    return rows or None


def _growing(value: float, low: float, high: float) -> bool:
    del high
    return value >= SATURATED and low > 0


def farther(seen: View) -> Rows:
    """Logarithm of the mean distance at the end, with the adversary over without.

    Control: as for paired differences.
    """
    differences: Differences = {}
    for name, (without, run) in _pairs(seen).items():
        for layer in _layers(seen, run):
            one, other = (_distance(seen, r, layer) for r in (without, run))
            words = f"{_about(seen, without, run)}; distances {_mean(one):.3g} and {_mean(other):.3g}"
            differences[_part(name, seen, run, layer)] = paired(_logarithm(other), _logarithm(one)), words
    return _families(differences, FARTHER)


def moving_critic(seen: View) -> Rows:
    """Late exponent of the distance with the critic held fixed, less that of supervision alone.

    Control: the live critic, less supervision alone.
    """
    rows = {}
    for name, (_, base) in _pairs(seen).items():
        both = seen.stand_in(base, "frozen-critic")
        alone = seen.partner(both[0]) if both is not None else None
        if both is None or alone is None:
            continue
        run, frozen = both
        for layer in _layers(seen, run):
            still, alpha, live = (_value(seen, one, f"alpha_{layer}") for one in (alone, frozen, run))
            if alpha.size:
                words = f"{_about(seen, frozen)}; exponents {_mean(alpha):.3g}, {_mean(still):.3g} under supervision, "
                words += f"{_mean(live):.3g} with the live critic"
                control = _mean(paired(live, still))
                rows[_part(name, seen, run, layer)] = _over_seeds(paired(alpha, still), control, words)
    return rows or None


# --- the width ---------------------------------------------------------------------------------------------------


def _uncorrelated(n: int) -> np.ndarray:
    """The order of n places least correlated with their numbers, and not positively: what it exchanges has no trend."""
    x = np.arange(n) - (n - 1) / 2
    if n > MANY:
        return np.roll(np.arange(n), n // 2)
    orders = np.array(list(permutations(range(n))))
    trend = x[orders] @ x
    return orders[np.where(trend <= 0, trend, -np.inf).argmax()]


def _in_width(sizes: Sequence[float], values: Sequence[xr.DataArray]) -> tuple[np.ndarray, float]:
    """Exponents of each seed in the width, and their mean with the widths exchanged."""
    found = exponents(sizes, values)
    exchanged = exponents(sizes, [values[i] for i in _uncorrelated(len(values))])
    return found, float(exchanged.mean()) if exchanged.size else np.nan


def _widths(seen: View) -> Iterator[tuple[str, str, list[int], list[float], float]]:
    """Families of runs of three widths or more: name, adversary, runs, widths, and the time that all reach."""
    for net, dataset in _systems(seen):
        for adversary in ("without", "with"):
            sign = {"sign": "minus"} if adversary == "with" else {}
            runs = seen.family("width", net, dataset, adversary, **sign)
            if len(runs) >= 3:
                widths = [seen.rows[run]["width"] for run in runs]
                yield f"{net}, {dataset}", adversary, runs, widths, min(float(seen.times(run)[-1]) for run in runs)


def width_distance(seen: View) -> Rows:
    """Exponent of the mean distance in the width, at the time all widths reach; control: the widths exchanged."""
    rows = {}
    for name, adversary, runs, widths, time in _widths(seen):
        for layer in _layers(seen, runs[0]):
            found, control = _in_width(widths, [_distance(seen, run, layer, time) for run in runs])
            words = f"m = {', '.join(f'{m:g}' for m in widths)} at t = {time:g}"
            part = _part(f"{name}, {adversary}", seen, runs[0], layer)
            rows[part] = _over_seeds(found, control, _about(seen, *runs, words=words))
    return rows or None


def _orders(seen: View) -> Iterator[tuple[str, str, np.ndarray, float, str]]:
    """Exponents in the width of reaction and diffusion: name, term, of each seed, widths exchanged, conditions."""
    for name, adversary, runs, widths, time in _widths(seen):
        if adversary == "without":
            continue
        for term, symbol in (("reaction", "R"), ("diffusion", "D")):
            for layer in _layers(seen, runs[0]):
                largest = []
                for run in runs:
                    values = seen.at(run, f"{term}_{layer}")
                    if "time" in values.dims:
                        values = values.isel(time=values["time"].values <= time * (1 + EXACT)).max("time")
                    largest.append(_kept(seen, run, values.where(values > 0)))
                if not all(values.size for values in largest):
                    continue
                found, control = _in_width(widths, largest)
                words = f"m = {', '.join(f'{m:g}' for m in widths)}, largest over time of the mean over neurons"
                yield f"{symbol}^{layer}, {name}", term, found, control, _about(seen, *runs, words=words)


def printed_orders(seen: View) -> Rows:
    """Exponent in the width of reaction and diffusion less that of Theorem 3 as printed; control: widths exchanged."""
    rows = {}
    for name, term, found, control, words in _orders(seen):
        order = -0.5 if term == "reaction" else 2.0
        told = f"{words}; measured {found.mean():.3g}, printed {order:g}" if found.size else words
        told += ", so that the printed order is an upper bound" if found.size and found.mean() < order else ""
        rows[name] = _over_seeds(found - order, control - order, told)
    return rows or None


def corrected_orders(seen: View) -> Rows:
    """Exponent in the width of reaction and diffusion; control: with the misplaced factor m^2 of the printed D."""
    rows = {}
    for name, _, found, _, words in _orders(seen):
        rows[name] = _over_seeds(found, float(found.mean()) + 2.0 if found.size else np.nan, words)
    return rows or None


# --- residual ----------------------------------------------------------------------------------------------------


def residual_bounded(seen: View) -> Rows:
    """Share of runs whose residual stays below the Bernoulli solution; control: that with mu left out, at lambda_0."""
    rows = {}
    if "residual_ratio" not in seen.data:
        return None
    for dataset in seen.datasets:
        held, alone, seeds = [], [], set()
        lost, used = 0, []
        live = {"adversary": "with", "control": ["none", "permuted-pixels"]}
        for run in seen.where(net="theory", dataset=dataset, **live):
            lost += len(seen.diverged(run))
            ratio = _value(seen, run, "residual_ratio")
            sure = _value(seen, run, "asserted", bound="B2") if "asserted" in seen.data else ratio * 0
            ratio, sure = xr.align(ratio, sure, join="inner")
            ratio = ratio.isel(seed=sure.values > 0)
            if not ratio.size:
                continue
            used.append(run)
            error = seen.at(run, "error").sel(seed=ratio["seed"])
            decay = np.exp(-seen.at(run, "lambda_0").sel(seed=ratio["seed"]) * error["time"] / 2)
            held += (ratio.values <= 1 + EXACT).tolist()
            alone += (error <= (1 + EXACT) * decay * error.isel(time=0)).all("time").values.tolist()
            seeds |= set(ratio["seed"].values.tolist())
        if held:
            words = f"{len(held)} runs of {len(used)} settings on which Theorem 2's kernel stayed in its bounds"
            words += f"; {lost} runs diverged, left out" if lost else ""
            rows[f"theory, {dataset}"] = Measurement(
                float(np.mean(held)), len(seeds), float(np.mean(alone)), conditions=words
            )
    return rows or None


def analogy(seen: View) -> Rows:
    """Relative error of the closed form of (2) against its numerical solution; control: the logistic curve of (1).

    The largest over time, relative to the largest value; r, K and the initial value are those of the run.
    """
    rows = {}
    if "psi_numerical" not in seen.data:
        return None
    for dataset in seen.datasets:
        run = seen.base("theory", dataset, "with", sign="minus")
        if run is None:
            continue
        solved, closed, logistic = (seen.at(run, v) for v in ("psi_numerical", "psi_bernoulli", "logistic"))
        scale = abs(solved).max("time")
        errors = [_kept(seen, run, abs(v - solved).max("time") / scale) for v in (closed, logistic)]
        if errors[0].size:
            words = f"{_about(seen, run)}; r {_mean(_value(seen, run, 'bernoulli_r')):.3g}, "
            words += f"K {_mean(_value(seen, run, 'bernoulli_K')):.3g}; fixed points K^2 of (2) and K of (1)"
            rows[f"theory, {dataset}"] = _over_seeds(errors[0], _mean(errors[1]), words)
    return rows or None


def equilibrium_residual(seen: View) -> Rows:
    """Late residual over that of the game's equilibrium, for every penalty; control: the paper's floor kappa mu."""
    rows = {}
    for dataset in seen.datasets:
        for run in seen.family("penalty", "theory", dataset, "with", sign="minus"):
            late, star = _value(seen, run, "late_residual"), _value(seen, run, "equilibrium_residual")
            star = star.where(star > 0).dropna("seed")
            late, star = xr.align(late, star, join="inner")
            if not late.size:
                continue
            floor = _mean(_value(seen, run, "kappa")) * _mean(_value(seen, run, "mu_sup"))
            words = f"{_about(seen, run)}; late residual {_mean(late):.3g}, equilibrium {_mean(star):.3g}, "
            words += f"floor kappa mu {floor:.3g}"
            rows[f"theory, {dataset}, penalty {seen.rows[run]['penalty']:g}"] = _geometric(
                late / star, _mean(late) / floor, words
            )
    return rows or None


def equilibrium(seen: View) -> Rows:
    """Effective residual |xi| at the end over that at first, with the adversary; control: in a random moving field.

    Where that run is not in the grid, the control is the first residual itself.
    """
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        left = _value(seen, run, "xi_relative")
        if not left.size:
            continue
        field = seen.stand_in(run, "random-field")
        moved = _value(seen, field[1], "xi_relative") if field is not None else left[:0]
        words = f"{_about(seen, run)}; control: {TWINS['random-field'] if moved.size else 'the start'}"
        rows[name] = _over_seeds(left, _mean(moved) if moved.size else 1.0, words)
        if "xi_mean" in seen.data:  # where q jumps to and fro over a kink of the critic, only its mean is at rest
            mean = _late(seen, run, "xi_mean") / _first(seen.at(run, "xi"))
            words = f"{_about(seen, run)}; |mean of xi between recorded times|, last quarter; control: the start"
            rows[f"{name}, in the mean over time"] = _over_seeds(_kept(seen, run, mean), 1.0, words)
    return rows or None


def _first(curve: xr.DataArray) -> xr.DataArray:
    """The first number over time of each seed, NaN for a seed without any."""
    curve = curve.transpose("seed", "time")
    return curve.isel(time=xr.DataArray(curve.notnull().values.argmax(1), dims="seed"), drop=True)


def balance(seen: View) -> Rows:
    """Mean cosine of reaction and diffusion over the last quarter of a run; control: at the first recorded time."""
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        for layer in _layers(seen, run):
            late, curve = _late(seen, run, f"alignment_{layer}"), seen.at(run, f"alignment_{layer}")
            first = _kept(seen, run, _first(curve)) if "time" in curve.dims else curve
            if late.size:
                rows[_part(name, seen, run, layer)] = _over_seeds(late, _mean(first), _about(seen, run))
    return rows or None


# --- instability -------------------------------------------------------------------------------------------------


def _e_folds(seen: View, run: int, rate: str) -> xr.DataArray:
    """By how many e-folds a perturbation of a growth rate grows within the run's time, for each seed."""
    return _value(seen, run, rate) * seen.rows[run]["duration"]


def _critic_alone(seen: View, run: int, values: xr.DataArray) -> xr.DataArray:
    """E-folds of the critic with the outputs held, at the seeds of ``values``; 0 where it is stable or not known."""
    alone = _e_folds(seen, run, "rate_critic")
    return alone.reindex(seed=values["seed"], fill_value=0.0).clip(min=0.0) if alone.size else values * 0


def instability(seen: View) -> Rows:
    """E-folds within the run of network and live critic together, beyond those of the critic with the outputs held.

    A critic that still learns is unstable by itself, which no interaction makes. Control: the critic held fixed.
    """
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        if seen.rows[run]["optimiser"] == "adam":
            continue  # its steps do not follow the flow that is linearised
        growth = _e_folds(seen, run, "rate_live")
        if growth.size:
            alone = _critic_alone(seen, run, growth)
            names = {"rate_live": "together", "rate_frozen": "network alone", "rate_critic": "critic alone"}
            rates = [f"{_mean(_value(seen, run, k)):.3g} ({word})" for k, word in names.items() if k in seen.data]
            words = f"{_about(seen, run)}; rates {', '.join(rates)}; |xi| is "
            words += f"{_mean(_value(seen, run, 'xi_relative')):.3g} of that at first"
            rows[name] = _over_seeds(growth - alone, _mean(_e_folds(seen, run, "rate_frozen")), words)
    return rows or None


def stability(seen: View) -> Rows:
    """E-folds within the run of network and live critic together, where the critic is stable with the outputs held.

    Control: the plus sign where it is unstable; where no Jacobian is left of a run that blew up, the growth of its
    residual.
    """
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        growth = _e_folds(seen, run, "rate_live")
        others = [r for r in _plus(seen, unstable=True) if _same_system(seen, r, run)]
        if growth.size and others:
            settled = growth.isel(seed=_critic_alone(seen, run, growth).values < E_FOLDS)
            control = max(_growth(seen, r) for r in others)
            words = f"{_about(seen, run)}; control: {seen.words(others[0])}"
            left = growth.size - settled.size
            words += f"; critic not at a minimum in {left} of {growth.size} runs, left out" if left else ""
            rows[name] = _over_seeds(settled, control, words)
    return rows or None


def _growth(seen: View, run: int) -> float:
    """How many e-folds a run grows by: by its Jacobian, or its residual as far as it is recorded."""
    rate = _mean(seen.number(run, "rate_live")) * seen.rows[run]["duration"]
    error = seen.at(run, "error")
    return float(np.fmax(rate, np.log(error.max("time") / error.isel(time=0)).mean()))


def _same_system(seen: View, one: int, other: int) -> bool:
    return all(seen.rows[one][k] == seen.rows[other][k] for k in view.KIND if k != "sign")


def _plus(seen: View, unstable: bool) -> list[int]:
    """Runs with the poster's sign and a live critic on which P5 says instability, or stability.

    For each data set one of every penalty.
    """
    found = []
    for dataset in seen.datasets:
        for run in seen.family("penalty", "theory", dataset, "with", sign="plus"):
            row = seen.rows[run]
            if (2 * row["penalty"] < row["adversary_weight"]) == unstable:
                found.append(run)
    return found


def _blown_up(seen: View, run: int) -> np.ndarray:
    """Whether each seed diverged, ends with BLOWN times its first residual, or is linearly unstable at its end."""
    error = seen.at(run, "error")
    lost = np.isin(error["seed"].values, seen.diverged(run))
    rate = seen.at(run, "rate_live")
    unstable = (rate * seen.rows[run]["duration"] >= E_FOLDS).values if rate.size else False
    return lost | (error.isel(time=-1) > BLOWN * error.isel(time=0)).values | unstable


def _plus_rows(seen: View, unstable: bool) -> Rows:
    rows = {}
    for run in _plus(seen, unstable):
        row = seen.rows[run]
        if unstable:
            other = seen.twin(run, sign="minus")
            told = "the paper's sign"
        else:
            others = [r for r in _plus(seen, True) if _same_system(seen, r, run)]
            other = others[0] if others else None
            told = "an unstable penalty"
        blown = _blown_up(seen, run).astype(float)
        if not blown.size:
            continue
        value, control = (_mean(blown), _mean(_blown_up(seen, other).astype(float)) if other is not None else np.nan)
        words = f"{seen.words(run)}; {len(seen.diverged(run))} of {blown.size} runs diverged; rate "
        words += f"{_mean(seen.number(run, 'rate_live')):.3g}; control: {told}"
        rows[f"theory, {row['dataset']}, penalty {row['penalty']:g}"] = Measurement(
            value, blown.size, control, conditions=words
        )
    return rows or None


def plus_unstable(seen: View) -> Rows:
    """Share of seeds that blow up with the poster's sign where P5 says so; control: the paper's sign."""
    return _plus_rows(seen, unstable=True)


def plus_stable(seen: View) -> Rows:
    """Share of seeds that blow up with the poster's sign where P5 says stable; control: a penalty that is unstable."""
    return _plus_rows(seen, unstable=False)


def local_interaction(seen: View) -> Rows:
    """Off-diagonal share of the neurons' Jacobian at the end, with the adversary less without."""
    differences: Differences = {}
    for name, pair in _pairs(seen).items():
        one, other = _two(seen, pair, "off_diagonal", stage="final")
        words = f"{_about(seen, *pair)}; shares {_mean(one):.3g} and {_mean(other):.3g}"
        differences[name] = paired(other, one), words
    return _families(differences, -COUPLING)


def synchronised(seen: View) -> Rows:
    """Mean |cosine| of two neurons' velocities over the last quarter, with the adversary less without."""
    differences: Differences = {}
    for name, (without, run) in _pairs(seen).items():
        one, other = (_late(seen, r, "sync_abs") for r in (without, run))
        words = f"{_about(seen, without, run)}; {_mean(one):.3g} and {_mean(other):.3g}"
        differences[name] = paired(other, one), words
    return _families(differences, IN_STEP)


# --- patterns ----------------------------------------------------------------------------------------------------


def patterns(seen: View) -> Rows:
    """Moran's I of the filters' change, with the adversary less without; of images only.

    Where supervision that moved the neurons as far shows as much, the verdict depends. Control: as for paired
    differences.
    """
    differences: Differences = {}
    depends = {}
    for name, pair in _pairs(seen).items():
        if seen.synthetic(seen.rows[pair[1]]["dataset"]):
            continue
        one, other = _two(seen, pair, "moran", stage="change")
        words = f"{_about(seen, *pair)}; Moran's I {_mean(one):.3g} and {_mean(other):.3g}"
        differences[name] = paired(other, one), words
        both = seen.stand_in(pair[1], "label-scaled")
        if both is None:
            depends[name] = "supervision with the same displacement was not run"
        else:
            mean, _, low, high = interval(paired(*_two(seen, both, "moran", stage="change")))
            if np.isfinite(mean) and not (mean >= PATTERN and low > 0):
                depends[name] = f"not beyond {TWINS['label-scaled']}: {mean:.3g} [{low:.3g}, {high:.3g}]"
    rows = _families(differences, PATTERN) or {}
    return {name: replace(row, depends=depends.get(name, "")) for name, row in rows.items()} or None


def patterns_beyond(seen: View) -> Rows:
    """Moran's I of the filters' change, with the live critic less with what replaces it."""
    differences: Differences = {}
    for name, (_, base) in _pairs(seen).items():
        if seen.synthetic(seen.rows[base]["dataset"]):
            continue
        for control, words in TWINS.items():
            both = seen.stand_in(base, control)
            if both is None:
                continue
            run, twin = both
            one, other = _two(seen, (twin, run), "moran", stage="change")
            told = f"{_about(seen, twin, run, words=seen.words(run))}; Moran's I {_mean(other):.3g}, with {words} "
            told += f"{_mean(one):.3g}"
            reached = seen.number(twin, "displacement_ratio")
            if reached.size and np.abs(reached - 1).max() > MATCHED:
                told += f"; displacement {float(reached.min()):.3g} to {float(reached.max()):.3g} of the wanted one"
            differences[f"{name}, {control}"] = paired(other, one), told
    return _families(differences, PATTERN)


def patterns_from_data(seen: View) -> Rows:
    """Moran's I of the filters' change where neighbouring pixels mean nothing.

    Control: the same filters with the permutation undone; for inputs that are no images, the filters of images.
    """
    rows = {}
    for name, (_, run) in _pairs(seen).items():
        row = seen.rows[run]
        if seen.synthetic(row["dataset"]):
            images = [d for d in seen.datasets if not seen.synthetic(d)]
            other = seen.pair(row["net"], images[0], sign="minus") if images else None
            found = _value(seen, run, "moran", stage="change")
            control = _mean(_value(seen, other[1], "moran", stage="change")) if other is not None else np.nan
            if found.size:
                rows[name] = _over_seeds(found, control, f"{_about(seen, run)}; control: {images[0] if images else ''}")
            continue
        both = seen.stand_in(run, "permuted-pixels")
        if both is None:
            continue
        permuted = both[1]
        found, restored = (_value(seen, permuted, v, stage="change") for v in ("moran", "moran_restored"))
        if found.size:
            words = f"{_about(seen, permuted)}; control: the permutation undone"
            rows[f"{name}, permuted pixels"] = _over_seeds(found, _mean(restored), words)
    return rows or None


def synthetic_patterns(seen: View) -> Rows:
    """Moran's I of the filters' change on synthetic data, with the adversary less without."""
    differences: Differences = {}
    for name, pair in _pairs(seen).items():
        if seen.synthetic(seen.rows[pair[1]]["dataset"]):
            one, other = _two(seen, pair, "moran", stage="change")
            words = f"{_about(seen, *pair)}; Moran's I {_mean(one):.3g} and {_mean(other):.3g}"
            differences[name] = paired(other, one), words
    return _families(differences, PATTERN)


# --- symmetry and homogeneity ------------------------------------------------------------------------------------


def symmetry_kept(seen: View) -> Rows:
    """Logarithm of the cloud's participation ratio at first over that at the end, under supervision.

    Control: the cloud of the changes alone.
    """
    rows = {}
    for name, (run, _) in _pairs(seen).items():
        for layer in _layers(seen, run):
            first, last, change = (
                _logarithm(_value(seen, run, f"participation_{layer}", stage=stage))
                for stage in ("initial", "final", "change")
            )
            lost = paired(first, last)
            if lost.size:
                words = f"{_about(seen, run)}; participation ratio {np.exp(_mean(first)):.3g} at first, "
                words += f"{np.exp(_mean(last)):.3g} at the end"
                rows[_part(name, seen, run, layer)] = _over_seeds(lost, _mean(paired(first, change)), words)
    return rows or None


def symmetry_broken(seen: View) -> Rows:
    """Logarithms of how much less isotropic the final cloud is with the adversary than without, per layer."""
    differences: Differences = {}
    for name, pair in _pairs(seen).items():
        for layer in _layers(seen, pair[1]):
            for measure, called in MEASURES.items():
                sign = -1 if measure == "participation" else 1
                one, other = _two(seen, pair, f"{measure}_{layer}", stage="final")
                words = f"{_about(seen, *pair)}; {called} {_mean(one):.3g} and {_mean(other):.3g}"
                part = f"{_part(name, seen, pair[1], layer)}, {called}"
                differences[part] = sign * paired(_logarithm(other), _logarithm(one)), words
    return _families(differences, FARTHER)


def heterogeneity(seen: View) -> Rows:
    """Coefficient of variation of the neurons' distances at the end, with the adversary less without."""
    differences: Differences = {}
    for name, pair in _pairs(seen).items():
        for layer in _layers(seen, pair[1]):
            spread = []
            for run in pair:
                moved = seen.end(run, f"d{layer}")
                if "neuron" in moved.dims:
                    moved = moved.where(moved > 0)
                    moved = moved.std("neuron") / moved.mean("neuron")
                spread.append(_kept(seen, run, moved))
            words = f"{_about(seen, *pair)}; {_mean(spread[0]):.3g} and {_mean(spread[1]):.3g}"
            differences[_part(name, seen, pair[1], layer)] = paired(spread[1], spread[0]), words
    return _families(differences, SPREAD)


# --- declarations ------------------------------------------------------------------------------------------------

Holds = Callable[[float, float, float], bool]


def _all(value: float, low: float, high: float) -> bool:
    """Every run."""
    del low, high
    return value >= 1


def _at_most(bound: float) -> Holds:
    """The whole interval lies at or below ``bound``."""
    return lambda value, low, high: high <= bound


def _within(least: float, most: float) -> Holds:
    """The whole interval lies between two numbers."""
    return lambda value, low, high: least <= low and high <= most


def _above(bound: float) -> Holds:
    """At least ``bound``, and the whole interval above 0."""
    return lambda value, low, high: value >= bound and low > 0


def _claim(
    name: str, source: str, statement: str, expected: str, measure: Callable[[View], Rows | Measurement],
    holds: Holds, figure: str, conditions: str = "", minimum: int = SEEDS,
) -> Claim:  # fmt: skip
    measured = _on_view(measure)
    return Claim(
        name, source, statement, expected, minimum, measured, holds, conditions, f"turing/figures/{figure}.png"
    )  # fmt: skip


SEED_T = "95 % t-interval over seeds"
PAIRED = (
    "paired by seed, with the adversary less without; 95 % t-interval over seeds for all rows of a pair together; "
    "control: the end of that interval with the two exchanged in every other seed"
)
SHRINKING = f"control: the bound over {SHRUNK:g} times its measured looseness"
LAPLACIAN = (
    "no Laplacian enters the equations of motion (48)-(55) of the workshop paper, where the symbol stands for the "
    "critic's pull; what that term does is measured by the claims on patterns, local interaction and stability"
)
PUBLISHED = (
    "width, number of examples, step size, time, optimiser and penalty of the figures are not published, so that the "
    "pictures cannot be compared number for number; what they are said to show is measured by the other claims"
)

CLAIMS = (
    _claim(
        "theorem1", f"{ROUT}, Theorem 1",
        "Without an adversary |u_j(t) - u_j(0)| <= O(n^(3/2) / (m^(1/2) lambda_0 delta) (1 - exp(-lambda_0 t/2)))",
        "the explicit bound of its proof, 2 sqrt(n) |z(0) - y| / (sqrt(m) lambda_0) (1 - exp(-lambda_0 t/2)), is never "
        "exceeded: share of runs = 1",
        theorem1, _all, "bounds",
        f"worst neuron and time; runs with lambda_min(H) >= lambda_0/2 throughout; {SHRINKING}",
    ),
    _claim(
        "theorem2", f"{ROUT}, Theorem 2",
        "With an adversary |u_j(t) - u_j(0)| <= O(n^(3/2) / (sqrt(m) lambda_0 delta) (1 - exp(-lambda_0 t/2)) + "
        "mu (1 + kappa sqrt(n)) / sqrt(m) t)",
        "the explicit bound of its proof, mu measured, is never exceeded: share of runs = 1",
        theorem2, _all, "bounds",
        f"worst neuron and time; runs with the spectrum of H within lambda_0/2 of H^inf's throughout; {SHRINKING}",
    ),
    _claim(
        "theorem2_hypothesis", f"{PAPER}, condition of Theorem 2",
        "If the required conditions are satisfied: kappa mu < eps < |z(0) - y|",
        "kappa mu / |z(0) - y| < 1, mu measured (upper end of the interval)",
        hypothesis, lambda value, low, high: high < 1, "looseness",
        f"geometric mean, {SEED_T}; control: mu of a critic with the slope that the gradient penalty asks for",
    ),
    _claim(
        "theorems_printed", f"{ROUT}, Theorems 1 and 2",
        "With probability at least 1 - delta the distance is within the bound",
        "share of seeds beyond the bound <= delta at every delta, with the proof's constant 2 sqrt(1.5)",
        printed_bounds, lambda value, low, high: value <= 0, "looseness",
        f"one seed beyond it exceeds a delta below 1/n; {SHRINKING}",
    ),
    _claim(
        "bounds_derived", f"{DERIVED}, B1', B3, B4",
        "Bounds of the distance by the initial residual, the least eigenvalue of H(t), the variation of the critic's "
        "pull (B1', B3), and by the integral of the effective residual (B4)",
        "never exceeded: share of runs = 1",
        own_bounds, _all, "bounds", f"worst neuron and time; {SHRINKING}",
    ),
    _claim(
        "saturates", f"{ROUT}, Theorem 1 (Symmetry and Homogeneity), Figure 1",
        "Without an adversary the distance from initialisation levels off",
        f"late exponent alpha of the mean distance over the last half <= {SATURATED} (upper end of the interval)",
        saturates, _at_most(SATURATED), "distance",
        f"{SEED_T}; control: the steepest exponent between two recorded times",
    ),
    _claim(
        "keeps_growing", f"{ROUT}, Theorem 2 (Breakdown of Symmetry and Homogeneity), Figure 1",
        "With an adversary the distance from initialisation keeps growing",
        f"late exponent alpha with less without >= {SATURATED}, interval above 0, also at a smaller step size",
        keeps_growing, _growing, "exponents", PAIRED,
    ),
    _claim(
        "farther", f"{ROUT}, Figure 1",
        "With an adversary neurons end farther from their initialisation, in the hidden layer and the top layer",
        f"logarithm of the ratio of mean distances >= {FARTHER}, interval above 0",
        farther, _above(FARTHER), "distance", PAIRED,
    ),
    _claim(
        "width", f"{ROUT}, Theorems 1 and 2",
        "The distance falls with the width as m^(-1/2)",
        f"exponent in m within {EXPONENT} of -1/2 (the whole interval)",
        width_distance, _within(-0.5 - EXPONENT, -0.5 + EXPONENT), "exponents",
        f"mean over neurons that moved; {SEED_T}; control: the widths exchanged",
    ),
    _claim(
        "theorem3_printed", f"{PAPER}, Theorem 3",
        "R^u, R^v = O(n d_in sqrt(d_out/m)), D^u = O(n m^2 d_in d_out^(3/2)), D^v = O(n m^2 d_in d_out^(1/2))",
        f"exponent in m less the printed one (-1/2 of R, 2 of D) within {PRINTED} of 0 (the whole interval)",
        printed_orders, _within(-PRINTED, PRINTED), "exponents", f"{SEED_T}; control: the widths exchanged",
    ),
    _claim(
        "theorem3_corrected", f"{DERIVED}, audit of Theorem 3",
        "Dividing by sqrt(d_out m) where the proof multiplies: reaction and diffusion between m^(-1/2) (random signs) "
        "and m^0 (aligned critic)",
        f"exponent in m between {ALIGNED[0]} and {ALIGNED[1]} (the whole interval)",
        corrected_orders, _within(*ALIGNED), "exponents",
        f"{SEED_T}; control: the measured exponent with the misplaced factor m^2",
    ),
    _claim(
        "bernoulli_bounds", f"{ROUT}, equation (2)",
        "Modeling regularized adversarial training: d psi/dt <= r psi^(1/2) (1 - psi^(1/2)/K), psi = |z - y|^2",
        "the residual stays below the solution with r = lambda_1 mu, K = kappa mu: share of runs = 1",
        residual_bounded, _all, "residual",
        "mu measured, what finite steps add included; control: the same with mu left out, exp(-lambda_0 t/2) alone",
    ),
    _claim(
        "bernoulli_analogy", f"{ROUT}, equations (1) and (2)",
        "Analogous Bernoulli differential equation: modeling population growth",
        f"psi = (K - (K - psi_0^(1/2)) exp(-r t/(2 K)))^2 solves (2): relative error <= {SOLVED} (upper end)",
        analogy, _at_most(SOLVED), "logistic",
        "against a numerical solution; control: the logistic solution of (1) with the same r, K and initial value",
    ),
    _claim(
        "equilibrium_residual", f"{DERIVED}, P4'",
        "The residual goes to that of the WGAN-GP equilibrium, not to 0: sqrt(n) s*, s* = 2 lam s_0 / (1 + 2 lam)",
        f"late residual over sqrt(n) s* between {NEAR[0]} and {NEAR[1]} (the whole interval)",
        equilibrium_residual, _within(*NEAR), "residual",
        f"mean over the last quarter of the times; geometric mean, {SEED_T}; control: over the paper's floor kappa mu",
    ),
    _claim(
        "equilibrium", f"{ROUT}, Introduction",
        "Adversarial interaction between generator and discriminator creates [...] equilibrium",
        f"|xi| at the end <= {SETTLED} of that at first (upper end of the interval)",
        equilibrium, _at_most(SETTLED), "residual", f"xi = (z - y) - q; {SEED_T}",
    ),
    _claim(
        "balance", f"{ROUT}, Pseudo-Reaction-Diffusion Model",
        "du_j/dt = R_j + D_j and dv_j/dt = R_j + D_j: at the equilibrium one undoes the other",
        f"mean cosine of R_j and D_j over the last quarter <= {BALANCED} (upper end of the interval)",
        balance, _at_most(BALANCED), "pattern", f"{SEED_T}; control: at the first recorded time",
    ),
    _claim(
        "non_homogeneous", f"{ROUT}, Introduction",
        "Adversarial interaction between generator and discriminator creates non-homogeneous equilibrium [...]. This "
        "is in stark contrast to sole supervision",
        f"coefficient of variation of the neurons' distances, with less without >= {SPREAD}, interval above 0",
        heterogeneity, _above(SPREAD), "distance", PAIRED,
    ),
    _claim(
        "turing_instability", f"{ROUT}, Objectives (1. Involvement of Turing instability) and Introduction",
        "Non-homogeneous equilibrium by inducing Turing instability: stable without diffusion, unstable with it",
        "largest real part of the Jacobian of network and live critic, beyond that of the critic alone, times the "
        f"run's time >= {E_FOLDS:g} (lower end)",
        instability, lambda value, low, high: low >= E_FOLDS, "stability",
        f"at the end of the run, on linear parts of the networks; {SEED_T}; control: the critic held fixed",
    ),
    _claim(
        "stable", f"{DERIVED}, P4",
        "With a live critic at a local minimum no eigenvalue has a positive real part: no diffusion-driven instability",
        f"largest real part of the Jacobian, times the run's time < {E_FOLDS:g} (upper end)",
        stability, lambda value, low, high: high < E_FOLDS, "stability",
        f"at the end of the run, of critics that are stable with the outputs held; {SEED_T}; control: the poster's "
        "sign where 2 lam < weight",
    ),
    _claim(
        "critic_must_move", f"{DERIVED}, P3 and B3",
        "The distance keeps growing only with a moving critic: held fixed, it saturates as under supervision",
        f"late exponent alpha with the critic held fixed less that of supervision <= {SATURATED} (upper end)",
        moving_critic, _at_most(SATURATED), "controls", f"paired by seed, {SEED_T}; control: the live critic",
    ),
    _claim(
        "plus_sign_unstable", f"{DERIVED}, P5, on {ROUT}, Regularized Adversarial Training (+ L_adv)",
        "With the poster's plus sign, the standard critic and 2 lam < weight the game is unstable",
        f"share of seeds that diverge, end with {BLOWN:g} times their first residual, or whose Jacobian grows by "
        f"{E_FOLDS:g} e-fold within the run = 1",
        plus_unstable, _all, "controls", "control: the paper's minus sign",
    ),
    _claim(
        "plus_sign_stable", f"{DERIVED}, P5, on {ROUT}, Regularized Adversarial Training (+ L_adv)",
        "With the poster's plus sign and 2 lam > weight it does not",
        f"share of seeds that diverge, end with {BLOWN:g} times their first residual, or whose Jacobian grows by "
        f"{E_FOLDS:g} e-fold within the run = 0",
        plus_stable, lambda value, low, high: value <= 0, "controls", "control: a penalty with 2 lam < weight",
    ),
    _claim(
        "patterns", f"{ROUT}, Introduction (key observation), Figures 3, 4 and 6",
        "A system in which a generator and a discriminator adversarially interact with each other exhibits Turing-like "
        "patterns in the hidden layer and top layer of the two layer generator network",
        f"Moran's I of the filters' change, with less without >= {PATTERN}, interval above 0; also against supervision "
        "with the same displacement",
        patterns, _above(PATTERN), "filters", f"hidden layer (the top layer has no pixels: symmetry_broken); {PAIRED}",
    ),
    _claim(
        "patterns_need_critic", f"{ROUT}, Figure 6",
        "Turing pattern formation. The diffusible factors help break the symmetry and homogeneity",
        f"Moran's I of the filters' change, live critic less what replaces it >= {PATTERN}, interval above 0",
        patterns_beyond, _above(PATTERN), "controls",
        f"{'; '.join(f'{name}: {words}' for name, words in TWINS.items())}; "
        + PAIRED.replace("with the adversary less without", "live critic less its stand-in"),
    ),
    _claim(
        "patterns_from_data", f"{DERIVED}, P2",
        "No length in pixel space is the network's own: where neighbouring pixels mean nothing, filters are noise",
        f"Moran's I of the filters' change within {PATTERN} of 0 (the whole interval)",
        patterns_from_data, _within(-PATTERN, PATTERN), "spectra",
        f"{SEED_T}; control: the permutation undone, or images",
    ),
    _claim(
        "synthetic_patterns", f"{ROUT}, Figures 7 and 8",
        "Pattern formation on synthetic data, d_in = 784, without diffusion and with diffusion",
        f"Moran's I of the filters' change, with less without >= {PATTERN}, interval above 0",
        synthetic_patterns, _above(PATTERN), "synthetic_with", PAIRED,
    ),
    _claim(
        "symmetry_kept", f"{ROUT}, Theorem 1 (Symmetry and Homogeneity), Figure 5 (a)",
        "Without an adversary the cloud of neurons stays as isotropic as it was",
        f"logarithm of the participation ratio at first over that at the end <= {FARTHER} (upper end of the interval)",
        symmetry_kept, _at_most(FARTHER), "symmetry", f"{SEED_T}; control: the cloud of the changes alone",
    ),
    _claim(
        "symmetry_broken", f"{ROUT}, Theorem 2 (Breakdown of Symmetry and Homogeneity), Figure 5",
        "With an adversary the cloud of neurons is less isotropic, in the hidden layer and the top layer",
        "logarithm of the ratio (with over without) of the participation ratio's inverse, the top component's share, "
        f"the largest component over the second >= {FARTHER}, interval above 0",
        symmetry_broken, _above(FARTHER), "symmetry", PAIRED,
    ),
    _claim(
        "local_interaction", f"{ROUT}, Future scope",
        "Diffusibility ensures more local interaction",
        f"share of the neurons' Jacobian off its diagonal, with less without <= -{COUPLING}, interval below 0",
        local_interaction, lambda value, low, high: value <= -COUPLING and high < 0, "stability", PAIRED,
    ),
    _claim(
        "synchronised", f"{ROUT}, Future scope (it will certainly be interesting to synchronize; the text ends there)",
        "(not claimed there) With an adversary the neurons move more in step",
        f"mean |cosine| of velocities over the last quarter, with less without >= {IN_STEP}, interval above 0",
        synchronised, _above(IN_STEP), "stability", PAIRED,
    ),
    Claim(
        "laplacian", f"{ROUT}, Pseudo-Reaction-Diffusion Model",
        "The second term, D_j(nabla^2 u_j), is a diffusion", expected="", untestable=LAPLACIAN,
    ),
    Claim(
        "published_figures", f"{ROUT}, Figures 1 to 8", "The figures as published", expected="", untestable=PUBLISHED,
    ),
)  # fmt: skip
