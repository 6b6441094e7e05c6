"""The claims on the Gaussian mixture, declared before anything runs.

The slide that states the loss is lost; (erf(x) - tau)^2 / 2 is assumed throughout, and every row says so.
"""

from collections.abc import Callable, Iterable

import numpy as np
import xarray as xr
from scipy import stats

from advdyn import seeds
from advdyn.claims import Claim, Measurement
from advdyn.mixture import agreement, errors
from advdyn.study.numbers import text

SOURCE = "Straat, Modelling adversarial training (seeds/004_6e47880f844f889c.txt)"
LOSS = "loss (erf(x) - tau)^2/2 assumed (the slide that states it is lost)"
LEVEL = 0.01
SMALL = 0.1  # a spread of R or b over runs that is still small beside their scale, 1
NORMAL = 10.0  # variance of a count from which its law is close to normal in the tail that is used
EFFECT = 0.01  # a difference of errors that counts as an effect
MIDWAY = 100.0  # a learning time at which training is still under way in both scenarios
TIMES = (5.0, 20.0, 100.0, 1000.0)
MIXTURE = ("prior", "rho", "v1", "v2")


def context(study: xr.Dataset) -> str:
    """What was fixed in the study, for the conditions of its claims."""
    fixed = ("prior", "rho", "v1", "v2", "eta_w", "eta_b", "eps_train", "dimension")
    words = {"dimension": "N"}
    return ", ".join(
        f"{words.get(n, n)} {float(study[n]):g}" for n in fixed if n in study.coords and study[n].ndim == 0
    )


def above_level(p: float, low: float, high: float) -> bool:
    """Not rejected at the level of the family."""
    del low, high
    return p > LEVEL


def corrected(p: np.ndarray) -> float:
    """The smallest p-value of a family, Bonferroni-corrected: valid whatever the dependence of its members."""
    p = p[np.isfinite(p)]
    return float(min(1.0, p.size * p.min())) if p.size else np.nan


# --- the local potential ----------------------------------------------------------------------


def potential_is_gaussian(study: xr.Dataset, scaling: xr.Dataset) -> Measurement:
    """Kolmogorov-Smirnov tests of standardised potentials at every small N and lane; control: noise of +-1."""
    del study

    def family(noise: str) -> float:
        samples = scaling["potential"].sel(noise=noise)
        cases = samples.stack(case=[d for d in samples.dims if d != "example"]).transpose("case", "example")
        return corrected(np.array([stats.kstest(row, "norm").pvalue for row in cases.values]))

    sizes = ", ".join(str(int(n)) for n in scaling["potential_dimension"])
    return Measurement(
        family("gaussian"), scaling.sizes["example"], family("rademacher"), conditions=f"N = {sizes}; trained weights"
    )


# --- self-averaging ---------------------------------------------------------------------------


def slope(variance: np.ndarray, dimension: np.ndarray, runs: int) -> tuple[np.ndarray, float]:
    """Least-squares slope of log variance against log N, and its standard error from that of a log variance.

    ``variance`` has shape (dimension, ...); the logarithm of a variance of n normal numbers scatters by
    sqrt(2 / (n - 1)).
    """
    x = np.log(dimension) - np.log(dimension).mean()
    found = np.tensordot(x, np.log(variance), axes=1) / (x**2).sum()
    return found, float(np.sqrt(2 / (runs - 1) / (x**2).sum()))


def self_averaging(study: xr.Dataset, scaling: xr.Dataset) -> dict[str, Measurement] | None:
    """Slope of log Var against log N over independent runs, of the grid point farthest from -1.

    Its interval is Bonferroni-corrected over the grid points, at an error rate of LEVEL for the family. Control: the
    same runs with their N exchanged at random, whose variance does not fall.
    """
    del study
    dimension = scaling["dimension"].values.astype(float)
    if len(dimension) < 3:
        return None
    runs = scaling.sizes["seed"]
    found = {}
    for name in agreement.PARAMETERS:
        sample = scaling[f"{name}_scaling"].transpose("dimension", "seed", ...).values
        sample = sample.reshape(len(dimension), runs, -1)
        sample = sample - sample.mean(1, keepdims=True)
        worst, error, points = _worst_slope(sample, dimension)
        order = seeds.generator(0, "mixture", 0, "evaluation").permutation(len(dimension) * runs)
        control, _, _ = _worst_slope(sample.reshape(-1, points)[order].reshape(sample.shape), dimension, closest=True)
        width = float(stats.norm.isf(LEVEL / 2 / points)) * error
        sizes = ", ".join(f"{n:g}" for n in dimension)
        found[name] = Measurement(
            worst, runs, control, error, worst - width, worst + width,
            conditions=f"slope of log Var against log N over N = {sizes}; the farthest from -1 of {points} "
            f"grid points, interval at {1 - LEVEL:.0%} for all of them",
        )  # fmt: skip
    return found


def _worst_slope(sample: np.ndarray, dimension: np.ndarray, closest: bool = False) -> tuple[float, float, int]:
    """The slope farthest from -1 (or closest to it) over grid points, its standard error, and how many there are."""
    slopes, error = slope((sample**2).sum(1) / (sample.shape[1] - 1), dimension, sample.shape[1])
    distance = np.abs(slopes + 1)
    return float(slopes[distance.argmin() if closest else distance.argmax()]), error, len(slopes)


# --- theory against simulation ----------------------------------------------------------------


def ode_is_simulation(study: xr.Dataset, scaling: xr.Dataset) -> dict[str, Measurement]:
    """Two-sided t-tests of the mean over seeds against the ODE; control: the first-order equations.

    The ODE describes a mean only while fluctuations are small. Grid points at which the linear-noise theory itself
    predicts a spread above SMALL at a tested time (a trajectory along an unstable line, such as b = 0 at p = 1/2
    under a strong attack: every run leaves it to one side) are tested in a row of their own.
    """
    del scaling
    scores = agreement.scores(study)
    chosen = [a for a in TIMES if a in scores["alpha"].values] or [float(scores["alpha"].values[-1])]
    scores = scores.sel(alpha=chosen)
    small = (scores["sd_theory"].sel(order="exact").max(["alpha", "parameter"]) < SMALL).drop_vars("order")
    found = {}
    for simulator, part in _simulators(scores):
        steady = small.sel(simulator=simulator) if "simulator" in small.dims else small
        found[simulator] = _family(part.where(steady), chosen)
        if not bool(steady.all()):
            found[f"{simulator}, unstable trajectory"] = _family(part.where(~steady), chosen)
    return found


def _family(scores: xr.Dataset, times: list[float]) -> Measurement:
    """The corrected p of the exact equations over all z-scores there are, and of the first-order ones as control."""
    p = 2 * xr.apply_ufunc(stats.t.sf, np.abs(scores["z"]), (scores["n"] - 1).clip(1))
    exact, first = (corrected(p.sel(order=o).values.ravel()) for o in ("exact", "first"))
    z = scores["z"].sel(order="exact")
    reached = [a for a in times if bool(np.isfinite(z.sel(alpha=a)).any())]
    beyond, scored = int((np.abs(z) > 2).sum()), int(np.isfinite(z).sum())
    points = int(z.notnull().any(["alpha", "parameter"]).sum())
    return Measurement(
        exact, int(np.nan_to_num(scores["n"].where(scores["n"] > 0).min())), first,
        conditions=f"{points} grid points, alpha = {', '.join(f'{a:g}' for a in reached)}; "
        f"{beyond} of {scored} |z| beyond 2",
    )  # fmt: skip


def _simulators(data: xr.Dataset) -> Iterable[tuple[str, xr.Dataset]]:
    if "simulator" in data.dims:
        return [(str(s), data.sel(simulator=s)) for s in data["simulator"].values]
    return [(str(data["simulator"].item()), data)]


def evaluation_measures(study: xr.Dataset, scaling: xr.Dataset) -> Measurement | None:
    """Errors counted on sampled examples against E and S of the run's own (R, b); control: S without its eps."""
    del scaling
    if "test_error_sampled" not in study:
        return None
    full = study.sel(simulator="full") if "simulator" in study.dims else study
    examples = int(full["test_examples"])
    last = full["test_error_sampled"].dropna("alpha", how="all")["alpha"].values[-1]
    full = full.sel(alpha=last)

    def family(pairs: Iterable[tuple[xr.DataArray, xr.DataArray]]) -> float:
        p = []
        for counted, expected in pairs:
            expected = expected.where(counted.notnull())
            total, mean = (counted * examples).sum("seed"), (expected * examples).sum("seed")
            variance = (expected * (1 - expected) * examples).sum("seed")
            z = ((total - mean) / np.sqrt(variance)).where(variance >= NORMAL)
            p.append(2 * stats.norm.sf(np.abs(z)).ravel())
        return corrected(np.concatenate(p))

    names = ("test_error", "adversarial_error_report")
    right = family((full[f"{name}_sampled"], full[f"{name}_sim"]) for name in names)
    wrong = family([(full["adversarial_error_report_sampled"], full["test_error_sim"])])
    runs = int(full["test_error_sampled"].notnull().sum("seed").max())
    return Measurement(
        right, runs * examples, wrong, conditions=f"full stream at alpha = {last:g}, {runs} runs of {examples} examples"
    )


# --- robustness -------------------------------------------------------------------------------


def monotone(study: xr.Dataset, scaling: xr.Dataset) -> dict[str, Measurement]:
    """Smallest increment of S over eps; control: the same examples pushed away from the boundary instead."""
    del scaling
    at = {name: study[name] for name in MIXTURE}
    R, b = (study[f"{name}_ode"].isel(alpha=-1) for name in agreement.PARAMETERS)
    helped = xr.apply_ufunc(errors.adversarial_error, R, b, -study["eps"], *at.values())
    control = float(helped.diff("eps").min())
    found = {"theory": study["robustness_ode"], "closed form of each run": study["robustness_sim"]}
    if "robustness_sampled" in study:
        found["sampled examples"] = study["robustness_sampled"]
    return {
        name: Measurement(float(curve.diff("eps").min()), int(curve.notnull().sum() // study.sizes["eps"]), control)
        for name, curve in found.items()
    }


def training_effect(variable: str, end: str) -> Callable[[xr.Dataset, xr.Dataset], dict[str, Measurement] | None]:
    """The paired difference, adversarial less standard training at the same seed, for each scenario,
    at the end and midway.

    Of the training attacks, the one closest to the reported eps. ``end`` names the end of its interval that must
    lie on the right side of zero; the control is that end for standard training against itself, half of the seeds
    against the other half.
    """

    def measure(study: xr.Dataset, scaling: xr.Dataset) -> dict[str, Measurement] | None:
        del scaling
        if "eps_train" not in study.dims or 0.0 not in study["eps_train"].values or study.sizes["eps_train"] < 2:
            return None
        runs = study.sel(simulator="lumped") if "simulator" in study.dims and "lumped" in study["simulator"] else study
        curve = runs[variable].dropna("alpha", how="all")
        trained = study["eps_train"].values
        at = float(trained[trained > 0][np.abs(trained[trained > 0] - float(study["eps_report"])).argmin()])
        difference = (curve.sel(eps_train=at) - curve.sel(eps_train=0.0)).stack(case=_cases(curve))
        standard = curve.sel(eps_train=0.0).stack(case=_cases(curve))
        times = sorted({t for t in (MIDWAY, float(curve["alpha"][-1])) if t in curve["alpha"].values})
        level = LEVEL / (len(times) * difference.sizes["case"])
        found = {}
        for time in times:
            for i, case in enumerate(difference["case"].values):
                values, same = (
                    d.sel(alpha=time).isel(case=i).dropna("seed").to_numpy() for d in (difference, standard)
                )
                value, error, low, high = _interval(values, level)
                pairs = len(same) // 2
                control = _interval(same[:pairs] - same[pairs : 2 * pairs], level)
                name = _case_name(curve, case)
                lost = difference.sizes["seed"] - len(values)
                unpaired = f"; {lost} seeds unpaired" if lost else ""
                found[", ".join(filter(None, [name, f"alpha {time:g}"]))] = Measurement(
                    value, len(values), control[2 if end == "low" else 3], error, low, high,
                    conditions=f"eps_train {at:g} less 0 at alpha = {time:g}{unpaired}",
                )  # fmt: skip
        return found

    return measure


def _cases(curve: xr.DataArray) -> list[str]:
    """The dims of the grid points at which trainings are compared."""
    return [str(d) for d in curve.dims if d not in ("seed", "eps_train", "alpha")]


def _case_name(curve: xr.DataArray, case: tuple[object, ...]) -> str:
    """A grid point in words: ``prior 0.5``."""
    words = zip(_cases(curve), case, strict=True)
    return ", ".join(f"{d} {v if isinstance(v, str) else text(float(v))}" for d, v in words)  # type: ignore[arg-type]


def _interval(difference: np.ndarray, level: float) -> tuple[float, float, float, float]:
    """Mean, standard error and t-interval (error rate ``level``) of independent differences; NaN below two."""
    n = len(difference)
    if n < 2:
        return np.nan, np.nan, np.nan, np.nan
    mean, error = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n))
    width = float(stats.t.isf(level / 2, n - 1)) * error
    return mean, error, mean - width, mean + width


FIGURE_LOST = f"{LOSS}; the result figures of the source are lost, the statement is read from its mechanism"

CLAIMS = (
    Claim(
        "potential_gaussian",
        f"{SOURCE}, Modelling of adversarial training: Order parameters",
        "The local potential x~ is Gaussian, also for small N, with mean tau(rho R/2 - eps) - b and variance v_tau",
        f"corrected p of Kolmogorov-Smirnov tests > {LEVEL}",
        1000, potential_is_gaussian, above_level, LOSS, "mixture/figures/scaling.png",
    ),
    Claim(
        "self_averaging",
        f"{SOURCE}, Dynamics of the order parameters",
        "R and b self-average for large N: their variance over runs falls as 1/N",
        "interval of the slope of log Var against log N holds -1 and is narrower than 0.5",
        64, self_averaging, lambda s, low, high: low <= -1 <= high and high - low < 0.5, LOSS,
        "mixture/figures/scaling.png",
    ),
    Claim(
        "ode_is_simulation",
        f"{SOURCE}, Dynamics of the order parameters",
        "The order parameters of simulations follow the ODEs (exact in eta_w)",
        f"corrected p of t-tests over seeds > {LEVEL}, and < {LEVEL} for the first-order ODEs; "
        f"grid points where theory predicts a spread above {SMALL} apart",
        8, ode_is_simulation, above_level, LOSS, "mixture/figures/curves/*.png",
    ),
    Claim(
        "evaluation_measures",
        f"{SOURCE}, Evaluation measures",
        "E(R,b) and S(R,b,eps) are the errors without and with attack",
        f"corrected p of z-tests on counted errors > {LEVEL}",
        1000, evaluation_measures, above_level, LOSS, "mixture/figures/curves/*.png",
    ),
    Claim(
        "monotone_robustness",
        f"{SOURCE}, Assessing robustness of the model",
        "The adversarial loss curve increases monotonically with eps",
        "smallest increment of S over eps >= 0",
        1, monotone, lambda step, low, high: step >= 0, LOSS, "mixture/figures/curves/*.png",
    ),
    Claim(
        "training_lowers_S",
        f"{SOURCE}, Results, Scenarios 1 and 2",
        "Adversarial training lowers the adversarial error S at the reported eps",
        f"paired difference <= -{EFFECT}, and its interval ({1 - LEVEL:.0%} for all rows together) below 0",
        8, training_effect("adversarial_error_report_sim", "high"), lambda d, low, high: d <= -EFFECT and high < 0,
        FIGURE_LOST,
        "mixture/figures/curves/*.png",
    ),
    Claim(
        "training_raises_E",
        f"{SOURCE}, Results, Scenarios 1 and 2",
        "Adversarial training is paid for with the clean error E",
        f"paired difference >= {EFFECT}, and its interval ({1 - LEVEL:.0%} for all rows together) above 0",
        8, training_effect("test_error_sim", "low"), lambda d, low, high: d >= EFFECT and low > 0,
        FIGURE_LOST,
        "mixture/figures/curves/*.png",
    ),
)  # fmt: skip
