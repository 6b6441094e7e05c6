"""Bounds on how far neurons move, against what they moved: the theorems as printed, and bounds that hold for a run.

Gradient descent with step eta moves u_j by -eta sum_p (xi_p.v_j) sigma'_jp x_p/sqrt(d_out m), where xi = (z - y) - q is
the residual less the adversary's pull q, and |sum_p c_p x_p| <= sigma_X |c| with sigma_X the largest singular value of
the inputs. So |u_j(t) - u_j(0)| <= c_j sigma_X sum_k eta |xi_k|, c_j = sup|v_j|/sqrt(d_out m), which is B4. All else is
about the sum. For the theory net

    xi_{k+1} = (1 - eta H_k) xi_k - (q_{k+1} - q_k) + rho_k,

where rho_k = z_{k+1} - z_k + eta H_k xi_k, the record's ``remainder``, is what neurons that switch within a step add to
the flow. If all eigenvalues of all H lie within [l, L], |1 - eta H| <= a = max(1 - eta l, eta L - 1), and summing twice

    sum_{k<K} eta |xi_k| <= G_K (|xi_0| + TV(q) + sum_k |rho_k|),    G_K = sum_{k<K} eta a^k.

For eta (l + L) <= 2, G_K = (1 - (1 - eta l)^K)/l, which for small steps is (1 - e^(-l t))/l; at larger ones 2/eta - L
takes the place of l, and from eta L = 2 on there is no such bound.

The bounds, all on the neuron for which they are largest:

B1
    Theorem 1 (eq 13): 2 sqrt(n) |z_0 - y| (1 - e^(-lambda_0 t/2))/(sqrt(m) lambda_0), valid for l >= lambda_0/2.
B1a
    The same with sigma_X for sqrt(n) and the run's own l and L: c_j sigma_X G_K (|z_0 - y| + sum|rho|).
B2
    Theorem 2 (eq 43): 2 sqrt(n) (|z_0 - y| - kappa mu)(1 - e^(-lambda_0 t/2))/(sqrt(m) lambda_0)
    + mu (1 + kappa sqrt(n)) t/sqrt(m) with the measured mu = sup_t sum_p |q_p|, valid for l >= lambda_0/2 and
    L <= lambda_1/2. It needs no kappa mu < |z_0 - y|: without that the residual's bound grows towards kappa mu instead
    of falling, and its integral is the same expression.
B3
    c_j sigma_X G_K (|xi_0| + TV(q) + sum|rho|): what moves neurons for good is a critic that moves, not a strong one.
B4, B4v
    c_j sigma_X sum eta |xi|, and for the second layer sup|sigma(X u_j)| sum eta |xi|/sqrt(d_out m).
B0
    The theorems as printed, with the constant that their proofs give and the mu of the first weights: in
    ``bound_prior``.

B1 and B2 are those of the paper, with (1 - eta lambda_0/2)^K for e^(-lambda_0 t/2); they leave out the remainder, which
B1a and B3 have. B1a, B3 and B4 therefore hold for the descent itself. For the full net, whose kernel is known at
snapshots only, l and L at these stand in for lambda_0/2 and lambda_1/2 as well, and nothing but B4 and B4v is asserted.

References
----------
L. Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning: eqs 13 and 43.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io, ode
from advdyn.data.load import Images
from advdyn.turing import gram, inputs, population

Floats = npt.NDArray[np.float64]

BOUNDS = ("B1", "B1a", "B2", "B3", "B4", "B4v")
LAYERS = ("hidden", "top")
LIVE = ("none", "permuted-pixels")  # controls under which the critic goes on learning
PIECEWISE = ("relu", "leaky")
PAPER = "Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning"
HERE = "derived here, see advdyn.turing.bounds"
LENGTH = "1"
ROUNDING = 1e-15  # of the largest eigenvalue and per row: an eigenvalue below it is 0

RUN, OVER_TIME = ("lane", "seed"), ("lane", "seed", "time")
# name: dims, long name, units, reference
VARIABLES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "distance_bound": (("bound", *OVER_TIME), "bound on the largest distance of a neuron from its start", LENGTH, HERE),
    "ratio": (("bound", *RUN), "largest distance over bound, over times and neurons; at most 1: it holds", "1", ""),
    "looseness": (("bound", *RUN), "bound over largest distance at the end", "1", ""),
    "asserted": (("bound", *RUN), "1: what the bound needs was verified on this run", "1", ""),
    "distance_max": (("layer", *OVER_TIME), "largest distance of a neuron from its start", LENGTH, ""),
    "remainder_share": (RUN, "share of neurons' switching within steps in bound B3, at the end", "1", HERE),
    "bound_prior": (("delta", *OVER_TIME), "bound B0, the theorems as printed", LENGTH, f"{PAPER}, theorems 1 and 2"),
    "prior_ratio": (("delta", *RUN), "largest distance over bound B0, over times and neurons", "1", ""),
    "residual_bound": (OVER_TIME, "bound on the residual |z - y|", "1", f"{PAPER}, eq 41; the remainder: {HERE}"),
    "residual_ratio": (RUN, "largest residual over its bound, over times after the start", "1", ""),
    "psi": (OVER_TIME, "squared residual |z - y|^2", "1", ""),
    "psi_bernoulli": (OVER_TIME, "Bernoulli's equation from the same start, closed form", "1", PAPER),
    "psi_numerical": (OVER_TIME, "Bernoulli's equation from the same start, integrated numerically", "1", PAPER),
    "logistic": (OVER_TIME, "logistic population of the same r, K and start", "1", PAPER),
    "bernoulli_r": (RUN, "r = lambda_1 mu", "1/time", PAPER),
    "bernoulli_K": (RUN, "K = kappa mu", "1", PAPER),
    "lambda_0": (RUN, "smallest eigenvalue of the Gram matrix at infinite width", "1/time", f"{PAPER}, assumption 1"),
    "lambda_1inf": (RUN, "largest eigenvalue of the Gram matrix at infinite width", "1/time", PAPER),
    "kappa": (RUN, "kappa = lambda_1/lambda_0, by which the critic's pull is multiplied", "1", PAPER),
    "kappa_inf": (RUN, "condition number of the Gram matrix at infinite width", "1", PAPER),
    "sigma_x": (RUN, "largest singular value of the inputs", "1", ""),
    "mu_sup": (RUN, "mu: largest sum over examples of |q_p| over the run", "1", PAPER),
    "tv_q_end": (RUN, "total variation of q over the run", "1", HERE),
    "gram_inf_end": (RUN, "smallest eigenvalue of the Gram matrix over the run", "1/time", HERE),
    "gram_sup_end": (RUN, "largest eigenvalue of the Gram matrix over the run", "1/time", HERE),
    "hypothesis": (RUN, "kappa mu/|z(0) - y|; the theorem with an adversary needs less than 1", "1", PAPER),
    "equilibrium_residual": (RUN, "residual at the equilibrium of the game with a gradient penalty", "1", HERE),
    "late_residual": (RUN, "mean residual over the last quarter of the recorded times", "1", ""),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A block of runs as the bounds see it; arrays over (lane, seed, time) or (lane, seed, 1).

    Attributes
    ----------
    t, steps
        Recorded times, and the numbers of steps they are.
    low, high
        Bounds l and L of the spectra of the Gram matrices of all steps so far.
    least, most
        Extreme eigenvalues lambda_0 and lambda_1^inf of the Gram matrix at infinite width.
    half_0, half_1
        lambda_0/2 and lambda_1/2 of the theorems.
    start, start_xi
        |z - y| and |xi| at the start.
    mu
        Largest sum over examples of |q_p| over the run.
    remainder
        Sum of |rho|, 0 for the full net.
    """

    n: int
    m: int
    eta: float
    unit: bool
    theory: bool
    sigma_x: float
    least: float
    most: float
    t: Floats
    steps: Floats
    series: Mapping[str, Floats]
    low: Floats
    high: Floats
    half_0: Floats
    half_1: Floats
    start: Floats
    start_xi: Floats
    mu: Floats
    remainder: Floats

    @property
    def kappa(self) -> Floats:
        """lambda_1/lambda_0."""
        return self.half_1 / self.half_0

    @property
    def floor(self) -> Floats:
        """kappa mu, towards which the bound of the residual goes."""
        return self.kappa * self.mu

    @property
    def settled(self) -> Floats:
        """sum_{k<K} eta (1 - eta lambda_0/2)^k, of the flow (1 - exp(-lambda_0 t/2))/(lambda_0/2)."""
        kept = np.maximum(1 - self.eta * self.half_0, 0)
        with np.errstate(divide="ignore", invalid="ignore"):  # by expm1, as in ``gain``
            grown = -np.expm1(self.steps * np.log(kept)) / self.half_0
        return np.where(self.steps == 0, 0 * self.half_0, grown)


def run(record: xr.Dataset, images: Images, *, deltas: list[float], point: Mapping[str, Any]) -> xr.Dataset:
    """Compute all bounds of a record.

    Parameters
    ----------
    record
        What ``advdyn.turing.training.run`` returns.
    images
        The data set of the record.
    deltas
        Failure probabilities of the theorems as printed.
    point
        The parameters the record was made with.

    Returns
    -------
    Dataset over bound, lane, seed, time, delta and layer
        The variables of ``VARIABLES``. NaN: what does not apply. That is B1 and B1a of lanes with an adversary, B4v of
        the theory net, all bounds of optimisers other than gd, and all that needs lambda_0 where inputs are not of
        length 1 or the activation is not relu. Of the logistic population and Bernoulli's equation at the same r and K
        the fixed points differ, K and K^2, and so do the rates, r and r/(2K); see ``advdyn.turing.population``.

    Raises
    ------
    InputError
        When the record asks for more images than there are.
    """
    names = ("net", "n", "inputs", "control", "root")
    examples = inputs.examples(images, **{name: point[name] for name in names})
    case = _case(record, examples.x.astype(np.float64), point)
    values = _distances(record, case, point, examples.y.shape[1]) | _prior(record, case, point, deltas)
    values |= _residuals(case, point) | _constants(record, case, point)
    coords = {name: record.coords[name] for name in record.coords if set(record.coords[name].dims) <= set(OVER_TIME)}
    return xr.Dataset(
        {
            name: io.variable(dims, values[name], long_name, units, references)
            for name, (dims, long_name, units, references) in VARIABLES.items()
        },
        coords={
            **coords,
            "bound": list(BOUNDS),
            "layer": list(LAYERS),
            "delta": io.variable(("delta",), np.asarray(deltas, dtype=float), "failure probability of the theorems"),
        },
        attrs={"title": "Bounds on the distance of neurons from their start"},
    )


def _case(record: xr.Dataset, x: Floats, point: Mapping[str, Any]) -> Case:
    """Read the record, and take the spectra of the inputs."""
    theory, unit = point["net"] == "theory", point["inputs"] == "unit"
    series = {str(name): _numbers(record, str(name), *OVER_TIME) for name, v in record.items() if v.dims == OVER_TIME}
    least, most = np.nan, np.nan
    if unit and point["activation"] == "relu":
        least, most = gram.extreme_eigenvalues(gram.infinity(x))
        if least <= ROUNDING * len(x) * most:  # parallel inputs: Assumption 1, lambda_0 > 0, fails
            least = np.nan
    shape = series["error"].shape
    if theory:
        low, high = series["gram_inf"], series["gram_sup"]
        if point["gram_every"] > 1:  # steps after the last spectrum before a time are seen to by the next one only
            low, high = (np.where(np.isfinite(a), _last(a), np.nan) for a in (low, high))
        half_0, half_1 = np.full((*shape[:2], 1), least / 2), np.full((*shape[:2], 1), most + least / 2)
    else:
        low, high = np.fmin.accumulate(series["gram_min"], -1), np.fmax.accumulate(series["gram_max"], -1)
        half_0, half_1 = _last(low), _last(high)
        half_0 = np.where(half_0 > 0, half_0, np.nan)
    t = _numbers(record, "time", "time")
    return Case(
        n=len(x), m=point["width"], eta=point["eta"], unit=unit, theory=theory,
        sigma_x=float(np.sqrt(gram.extreme_eigenvalues(x @ x.T)[1])), least=least, most=most,
        t=t, steps=np.round(t / point["eta"]), series=series, low=low, high=high, half_0=half_0, half_1=half_1,
        start=series["error"][..., :1], start_xi=series["xi"][..., :1], mu=_last(series["mu"]),
        remainder=series["remainder"] if theory else np.zeros(shape),
    )  # fmt: skip


def _paths(case: Case) -> dict[str, Floats]:
    """Every bound for c_j = 1, or |sigma(X u_j)|/sqrt(d_out m) = 1 in B4v, over time."""
    none = np.full(case.remainder.shape, np.nan)
    alone = np.where(case.mu > 0, np.nan, 1.0)
    root_n = np.sqrt(case.n) if case.unit else np.nan  # it bounds sigma_X only then
    sums = gain(case.low, case.high, case.eta, case.steps)
    moved = case.series["xi_integral"]
    return {
        "B1": alone * root_n * case.start * case.settled,
        "B1a": alone * case.sigma_x * sums * (case.start + case.remainder),
        "B2": root_n * (case.start - case.floor) * case.settled + case.mu * (1 + case.kappa * root_n) * case.t,
        "B3": case.sigma_x * sums * (case.start_xi + case.series["tv_q"] + case.remainder),
        "B4": case.sigma_x * moved,
        "B4v": none if case.theory else moved,
    }


def _distances(record: xr.Dataset, case: Case, point: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """Bounds B1 to B4 beside the distances, and whether they may be asserted."""
    du = _numbers(record, "du", *OVER_TIME, "neuron")
    moved = {
        "hidden": du,
        "top": np.full_like(du, np.nan) if case.theory else _numbers(record, "dv", *OVER_TIME, "neuron"),
    }
    reach = {
        "hidden": _numbers(record, "c_sup", *RUN, "neuron"),
        "top": _numbers(record, "sigma_sup", *RUN, "neuron") / np.sqrt(outputs * case.m),
    }
    ran = np.isfinite(case.series["error"])
    valid = np.where(ran & (point["optimiser"] == "gd"), 1.0, np.nan)
    largest = {layer: np.where(ran, np.fmax.reduce(moved[layer], axis=-1), np.nan) for layer in LAYERS}
    holds = _asserted(case, point, np.isnan(_numbers(record, "diverged_at", *RUN)))
    values: dict[str, Any] = {name: [] for name in ("distance_bound", "ratio", "looseness", "asserted")}
    for name, path in _paths(case).items():
        layer = "top" if name == "B4v" else "hidden"
        shown = path * valid
        bound = shown * reach[layer].max(-1, keepdims=True)
        values["distance_bound"].append(bound)
        values["ratio"].append(_worst(moved[layer], shown[..., None] * reach[layer][..., None, :], (-2, -1)))
        values["looseness"].append(_over(bound[..., -1], largest[layer][..., -1]))
        values["asserted"].append((np.isfinite(shown).all(-1) & holds[name]).astype(float))
    whole = case.start_xi + case.series["tv_q"] + case.remainder
    values["remainder_share"] = _last(case.remainder / whole * valid * (1.0 if case.theory else np.nan))[..., 0]
    values["distance_max"] = [largest[layer] for layer in LAYERS]
    return values


def _asserted(case: Case, point: Mapping[str, Any], stable: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Whether what each bound needs was seen to hold on a run."""
    # the spectra of all steps are known, or bounded through the activations that changed
    seen = case.theory and (point["gram_every"] == 1 or point["activation"] in PIECEWISE)
    low, high = _last(case.low), _last(case.high)
    rate = contraction(low, high, case.eta)
    contracts, first = rate > 0, rate >= case.half_0
    needs = {"B1": first, "B1a": contracts, "B2": first & (high <= case.half_1), "B3": contracts}
    return {name: stable & seen & met[..., 0] for name, met in needs.items()} | {"B4": stable, "B4v": stable}


def _prior(record: xr.Dataset, case: Case, point: Mapping[str, Any], deltas: list[float]) -> dict[str, Any]:
    """B0, with L the largest |W| of the run.

    C n^(3/2) (1 - exp(-lambda_0 t/2))/(sqrt(m) lambda_0 delta) + mu (1 + kappa sqrt(n)) t/sqrt(m) with
    mu = weight L n sqrt(2 log(2/delta))/sqrt(m_c). C = 2 sqrt(1 + scale^2/2), because E|z(0) - y|^2 is
    n (1 + scale^2/2) for first weights of this scale (scale 1 in the paper).
    """
    delta = np.asarray(deltas, dtype=float)[:, None, None, None]
    weight = record["adversary_weight"].to_numpy().astype(float)[:, None, None]
    if point["control"] in ("label-scaled", "random-field"):  # no critic of which the theorem could speak
        weight = np.where(weight > 0, np.nan, 0.0)
    n, m = case.n, case.m
    pull = np.where(weight > 0, weight * _last(case.series["w_sup"]), weight)
    mu = pull * n * np.sqrt(2 * np.log(2 / delta) / point["critic_width"])
    kappa = 2 * case.most / case.least + 1
    constant = 2 * np.sqrt(1 + point["initial_scale"] ** 2 / 2)
    settled = -np.expm1(-case.least * case.t / 2) / case.least
    bound = constant * n**1.5 * settled / (np.sqrt(m) * delta) + mu * (1 + kappa * np.sqrt(n)) * case.t / np.sqrt(m)
    applies = np.isfinite(case.series["error"]) & case.theory & (point["optimiser"] == "gd")
    bound = np.where(applies, bound, np.nan)
    largest = np.fmax.reduce(_numbers(record, "du", *OVER_TIME, "neuron"), axis=-1)
    return {"bound_prior": bound, "prior_ratio": _worst(largest, bound, (-1,))}


def _residuals(case: Case, point: Mapping[str, Any]) -> dict[str, Any]:
    """The residual, its bound, and the populations it is compared with."""
    error = case.series["error"]
    left = 1 - case.half_0 * case.settled  # (1 - eta lambda_0/2)^K
    bound = case.floor + (case.start - case.floor) * left + case.remainder
    bound = np.where(np.isfinite(error) & (point["optimiser"] == "gd"), bound, np.nan)
    r, k, rate, start = (a[..., 0] for a in (2 * case.half_1 * case.mu, case.floor, 2 * case.half_0, case.start**2))
    numerical = np.full(error.shape, np.nan)
    known = np.isfinite(r + k + rate + start)
    if known.any():
        r_known, rate_known = r[known], rate[known]

        def slope(_: Floats, psi: Floats, index: Floats) -> Floats:
            return np.asarray(population.bernoulli_slope(psi, r_known[index], np.nan, rate_known[index]))

        numerical[known] = ode.integrate(slope, start[known][None], case.t, rtol=1e-9, atol=1e-12)[0]
    column = [a[..., None] for a in (r, k, start, rate)]
    return {
        "residual_bound": bound, "residual_ratio": _worst(error[..., 1:], bound[..., 1:], (-1,)), "psi": error**2,
        "psi_bernoulli": population.bernoulli(case.t, *column), "psi_numerical": numerical,
        "logistic": population.logistic(case.t, *column), "bernoulli_r": r, "bernoulli_K": k,
        "hypothesis": k / case.start[..., 0],
    }  # fmt: skip


def _constants(record: xr.Dataset, case: Case, point: Mapping[str, Any]) -> dict[str, Any]:
    """What is one number for each run."""
    error = case.series["error"]
    shape = error.shape[:2]
    same = {
        "lambda_0": case.least,
        "lambda_1inf": case.most,
        "kappa_inf": case.most / case.least,
        "sigma_x": case.sigma_x,
    }
    ends = {"kappa": case.kappa, "mu_sup": case.mu, "tv_q_end": _last(case.series["tv_q"])}
    ends |= {"gram_inf_end": _last(case.low), "gram_sup_end": _last(case.high)}
    quarter = max(1, error.shape[-1] // 4)
    return {
        **{name: np.full(shape, value) for name, value in same.items()},
        **{name: value[..., 0] for name, value in ends.items()},
        "equilibrium_residual": np.broadcast_to(_equilibrium(record, case, point)[:, None], shape),
        "late_residual": error[..., -quarter:].mean(-1),
    }


def gain(low: Floats, high: Floats, eta: float, steps: Floats) -> Floats:
    """G_K = sum_{k<K} eta a^k, a = max(|1 - eta low|, |1 - eta high|): how much steps that contract can add up to.

    Parameters
    ----------
    low, high
        Bounds of the spectra of all Gram matrices, in 1/time.
    eta
        Step size.
    steps
        Numbers of steps K.

    Returns
    -------
    Time, at most K eta; NaN where steps need not contract. All but ``eta`` broadcast.
    """
    rate = contraction(low, high, eta)
    rate = np.where(rate > 0, rate, np.nan)
    # by expm1: the difference would cancel to 0 where the rate is small
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = -np.expm1(steps * np.log1p(-eta * rate)) / rate
    return np.where(np.asarray(steps) == 0, 0 * rate, grown)


def contraction(low: Floats, high: Floats, eta: float) -> Floats:
    """(1 - a)/eta: the rate at which a step contracts, that of the slower of l and L."""
    return np.minimum(low, 2 / eta - high)


def equilibrium_slope(penalty: Floats, weight: Floats, target: float, sign: str) -> Floats:
    """Distance |z_p - y_p| at the equilibrium of the game with a one-sided linear critic.

    The critic of slope s descends s (z - y) + penalty (|s| - target)^2, and the network has come to rest where its
    residual is the adversary's pull, z - y = +-weight s. So (weight +- 2 penalty)|s| = 2 penalty target, + for the
    paper's sign (minus) and - for the poster's (plus), where it exists for 2 penalty > weight only.

    Parameters
    ----------
    penalty, weight
        Weights of the gradient penalty and of the adversary.
    target
        Slope that the penalty asks for.
    sign
        ``minus`` or ``plus``.

    Returns
    -------
    weight |s|; NaN where there is no equilibrium.
    """
    penalty, weight = np.asarray(penalty, dtype=float), np.asarray(weight, dtype=float)
    stiffness = 2 * penalty + (weight if sign == "minus" else -weight)
    return np.where(stiffness > 0, weight * 2 * penalty * target / np.where(stiffness > 0, stiffness, 1.0), np.nan)


def _equilibrium(record: xr.Dataset, case: Case, point: Mapping[str, Any]) -> Floats:
    """sqrt(n) |z_p - y_p| at the equilibrium of the game in each lane; NaN without a live piecewise linear critic."""
    weight = record["adversary_weight"].to_numpy().astype(float)
    if point["control"] not in LIVE or point["activation"] not in PIECEWISE:
        return np.full(weight.shape, np.nan)
    apart = equilibrium_slope(record["penalty"].to_numpy(), weight, point["target_slope"], point["sign"])
    return np.where(weight > 0, np.sqrt(case.n) * apart, np.nan)


def _numbers(record: xr.Dataset, name: str, *dims: str) -> Floats:
    """A variable in double precision, with its dims in this order."""
    return np.asarray(record[name].transpose(*dims).to_numpy(), dtype=float)


def _last(a: Floats) -> Floats:
    """The last value along time that is a number, (lane, seed, 1)."""
    index = a.shape[-1] - 1 - np.argmax(np.isfinite(a[..., ::-1]), -1, keepdims=True)
    return np.take_along_axis(a, index, -1)


def _worst(values: Floats, bounds: Floats, axes: tuple[int, ...]) -> Floats:
    """The largest of values/bounds along axes; what is 0 and bounded by 0 is left out, and so is NaN."""
    return np.asarray(np.fmax.reduce(_over(values, bounds), axis=axes))


def _over(a: Floats, b: Floats) -> Floats:
    """a/b; NaN where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(a / b)
