"""The claims on the Gaussian mixture, declared before anything runs.

The slide that states the loss is lost; (erf(x) - tau)^2 / 2 is assumed throughout, and every row says so.
"""

from collections.abc import Callable, Iterable

import numpy as np
import xarray as xr
from scipy import stats

from advdyn.claims import Claim, Measurement
from advdyn.mixture import agreement, errors
from advdyn.study.numbers import text

SEED = "seeds/004_6e47880f844f889c.txt"
LOSS = "loss (erf(x) - tau)^2/2 assumed (the slide that states it is lost)"
LEVEL = 0.01
SMALL = 0.1  # a spread of R or b over runs that is still small beside their scale, 1
MIDWAY = 100.0  # a learning time at which training is still under way in both scenarios
TIMES = (5.0, 20.0, 100.0, 1000.0)
MIXTURE = ("prior", "rho", "v1", "v2")


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
    """Slope of log Var against log N over independent runs, worst lane; control: the potential of one example."""
    del study
    dimension = scaling["dimension"].values.astype(float)
    if len(dimension) < 3:
        return None
    potential = scaling["potential"].sel(noise="gaussian").var("example", ddof=1)
    control, _ = slope(
        potential.values, scaling["potential_dimension"].values.astype(float), scaling.sizes["example"]
    ) if scaling.sizes["potential_dimension"] > 1 else (np.zeros(1), 0.0)  # fmt: skip
    runs = scaling.sizes["seed"]
    found = {}
    for name in agreement.PARAMETERS:
        variance = scaling[f"{name}_scaling"].var("seed", ddof=1).transpose("dimension", ...).values
        slopes, error = slope(variance, dimension, runs)
        worst = float(slopes.ravel()[np.abs(slopes.ravel() + 1).argmax()])
        sizes = ", ".join(f"{n:g}" for n in dimension)
        found[name] = Measurement(
            worst, runs, float(np.abs(control).max()), error, worst - 1.96 * error, worst + 1.96 * error,
            conditions=f"slope of log Var against log N over N = {sizes}; the worst of {slopes.size} grid points",
        )  # fmt: skip
    return found


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
    small = (scores["sd_theory"].sel(order="exact").fillna(0).max(["alpha", "parameter"]) < SMALL).drop_vars("order")
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
        exact, int(np.nan_to_num(scores["n"].max())), first,
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
            runs = counted.notnull().sum("seed")
            error = np.sqrt((expected * (1 - expected) / examples).sum("seed")) / runs
            z = (counted - expected).mean("seed") / error
            p.append(2 * stats.norm.sf(np.abs(z)).ravel())
        return corrected(np.concatenate(p))

    right = family(
        (full[f"{name}_sampled"], full[f"{name}_sim"].where(full[f"{name}_sampled"].notnull()))
        for name in ("test_error", "adversarial_error_report")
    )
    wrong = family(
        [(full["adversarial_error_report_sampled"], full["test_error_sim"].where(full["test_error_sampled"].notnull()))]
    )
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
    lie on the right side of zero; the control is that end for standard training against itself on other seeds.
    """

    def measure(study: xr.Dataset, scaling: xr.Dataset) -> dict[str, Measurement] | None:
        del scaling
        if "eps_train" not in study.dims or 0.0 not in study["eps_train"].values:
            return None
        runs = study.sel(simulator="lumped") if "simulator" in study.dims and "lumped" in study["simulator"] else study
        curve = runs[variable].dropna("alpha", how="all")
        trained = study["eps_train"].values
        at = float(trained[np.abs(trained - float(study["eps_report"])).argmin()]) or float(trained.max())
        cases = [str(d) for d in curve.dims if d not in ("seed", "eps_train", "alpha")]
        found = {}
        for time in sorted({t for t in (MIDWAY, float(curve["alpha"][-1])) if t in curve["alpha"].values}):
            final = curve.sel(alpha=time)
            for case, part in final.stack(case=cases).groupby("case") if cases else [((), final)]:
                part = part.squeeze()
                standard = part.sel(eps_train=0.0).dropna("seed").to_numpy()
                value, error, low, high = _paired(part.sel(eps_train=at).dropna("seed").to_numpy() - standard)
                control = _paired(standard - np.roll(standard, 1))
                names = case if isinstance(case, tuple) else (case,)
                words = [
                    f"{d} {v if isinstance(v, str) else text(float(v))}" for d, v in zip(cases, names, strict=True)
                ]
                found[", ".join([*words, f"alpha {time:g}"])] = Measurement(
                    value, len(standard), control[2 if end == "low" else 3], error, low, high,
                    conditions=f"eps_train {at:g} less 0 at alpha = {time:g}",
                )  # fmt: skip
        return found

    return measure


def _paired(difference: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, standard error and 95 % t-interval of independent differences."""
    n = len(difference)
    mean = float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    width = float(stats.t.ppf(0.975, n - 1)) * error if n > 1 else np.nan
    return mean, error, mean - width, mean + width


FIGURE_LOST = f"{LOSS}; the result figures of the source are lost, the statement is read from its mechanism"

CLAIMS = (
    Claim(
        "potential_gaussian",
        f"{SEED}, Modelling of adversarial training: Order parameters",
        "The local potential x~ is Gaussian, also for small N, with mean tau(rho R/2 - eps) - b and variance v_tau",
        f"corrected p of Kolmogorov-Smirnov tests > {LEVEL}",
        1000, potential_is_gaussian, above_level, LOSS, "mixture/figures/scaling.png",
    ),
    Claim(
        "self_averaging",
        f"{SEED}, Dynamics of the order parameters",
        "R and b self-average for large N: their variance over runs falls as 1/N",
        "slope of log Var against log N within 0.1 of -1",
        32, self_averaging, lambda s, low, high: abs(s + 1) < 0.1, LOSS, "mixture/figures/scaling.png",
    ),
    Claim(
        "ode_is_simulation",
        f"{SEED}, Dynamics of the order parameters",
        "The order parameters of simulations follow the ODEs (exact in eta_w)",
        f"corrected p of t-tests over seeds > {LEVEL}, and < {LEVEL} for the first-order ODEs; "
        f"grid points where theory predicts a spread above {SMALL} apart",
        8, ode_is_simulation, above_level, LOSS, "mixture/figures/curves",
    ),
    Claim(
        "evaluation_measures",
        f"{SEED}, Evaluation measures",
        "E(R,b) and S(R,b,eps) are the errors without and with attack",
        f"corrected p of z-tests on counted errors > {LEVEL}",
        1000, evaluation_measures, above_level, LOSS, "mixture/figures/curves",
    ),
    Claim(
        "monotone_robustness",
        f"{SEED}, Assessing robustness of the model",
        "The adversarial loss curve increases monotonically with eps",
        "smallest increment of S over eps >= 0",
        1, monotone, lambda step, low, high: step >= 0, LOSS, "mixture/figures/curves",
    ),
    Claim(
        "training_lowers_S",
        f"{SEED}, Results, Scenarios 1 and 2",
        "Adversarial training lowers the adversarial error S at the reported eps",
        "95 % interval of the paired difference below 0",
        8, training_effect("adversarial_error_report_sim", "high"), lambda d, low, high: high < 0, FIGURE_LOST,
        "mixture/figures/curves",
    ),
    Claim(
        "training_raises_E",
        f"{SEED}, Results, Scenarios 1 and 2",
        "Adversarial training is paid for with the clean error E",
        "95 % interval of the paired difference above 0",
        8, training_effect("test_error_sim", "low"), lambda d, low, high: low > 0, FIGURE_LOST,
        "mixture/figures/curves",
    ),
)  # fmt: skip
