"""Made-up collected data of the study turing: plausible numbers on the union of grids that a study is.

Distances, residuals and diagnostics follow closed forms with a little noise over seeds, so that every claim's answer
is known.
"""

import json

import numpy as np
import xarray as xr

TIMES = np.array([0, 0.1, 0.4, 1.6, 5, 10, 20, 50, 75, 100, 150, 175, 200, 225, 250, 275, 300.0])
DELTAS = [0.01, 0.05, 0.1, 0.2, 0.5]
BOUNDS = ["B1", "B1a", "B2", "B3", "B4", "B4v"]
LOOSENESS = {"B1": 20.0, "B1a": 2.0, "B2": 100.0, "B3": 3.0, "B4": 1.5, "B4v": 1.4}
STAGES = ["initial", "final", "change"]
SETTINGS = {
    "dataset": "mnist", "net": "theory", "adversary": "with", "control": "none", "sign": "minus", "activation": "relu",
    "inputs": "unit", "optimiser": "gd", "critic_argument": "normalised", "width": 512, "n": 100, "eta": 0.1,
    "duration": 300.0, "penalty": 10.0, "adversary_weight": 1.0, "critic_width": 128, "critic_steps": 1,
    "critic_rate": 0.1, "target_slope": 1.0, "frozen_steps": 200, "field_time": 10.0, "initial_scale": 1.0, "batch": 64,
}  # fmt: skip
CONTROLS = ("label-scaled", "frozen-critic", "random-field", "permuted-pixels")
WAVENUMBERS = np.arange(1, 15)
EIGENVALUES = 20
OUTPUTS = {"theory": 1, "full": 10}
LAMBDA_0, LAMBDA_1, START = 0.02, 0.4, 12.2  # of H^inf, and |z(0) - y|
KAPPA = (2 * LAMBDA_1 + LAMBDA_0) / LAMBDA_0
SPREAD = {"without": 0.2, "with": 0.5}  # of the logarithms of the neurons' distances
MORAN = {"none": 0.6, "label-scaled": 0.45, "frozen-critic": 0.5, "random-field": 0.42, "permuted-pixels": 0.6}
FAST = 10.0  # time in which distances saturate
SLOW = 100.0  # time after which the adversary's growth shows


def grid():
    """The runs of a study like the default one, as differences from the settings."""
    runs = []

    def cell(**point):
        runs.extend(point | {"adversary": a} for a in ("without", "with"))

    cell()
    for width in (128, 2048):
        cell(width=width)
    for eta in (0.05, 0.2):
        cell(eta=eta)
    runs.extend({"penalty": penalty} for penalty in (0.0, 0.1))
    for control in CONTROLS:
        cell(control=control)
    cell(sign="plus")
    runs.append({"sign": "plus", "penalty": 0.1})
    cell(dataset="gaussian")
    cell(dataset="teacher")
    for width in (128, 256, 512):
        cell(net="full", width=width)
    cell(net="full", eta=0.05)
    for control in CONTROLS:
        cell(net="full", control=control)
    cell(net="full", optimiser="adam", eta=0.001)
    cell(net="full", dataset="gaussian")
    points = [SETTINGS | run for run in runs]
    for point in points:
        if point["adversary"] == "without":
            point |= {"penalty": 0.0, "adversary_weight": 0.0}
    return points


def equilibrium(point):
    """Residual of each example at the equilibrium of the scalar game; NaN where there is none."""
    if point["adversary"] == "without" or point["control"] not in ("none", "permuted-pixels"):
        return np.nan
    lam, sign = point["penalty"], 1 if point["sign"] == "minus" else -1
    return 2 * lam * point["target_slope"] / (2 * lam + sign) if 2 * lam + sign > 0 else np.nan


def moved(point, t):
    """Mean distance of a neuron from its initial position, but for its size."""
    saturating = 1 - np.exp(-t / FAST)
    if point["adversary"] == "without" or point["control"] == "frozen-critic":
        return saturating
    if point["control"] == "label-scaled":
        return 4 * saturating
    if point["control"] == "random-field":
        return saturating * np.sqrt(1 + t / SLOW)
    return saturating * (1 + t / SLOW)


def blown_up(point):
    """Time at which a run diverges, NaN if never."""
    unstable = point["sign"] == "plus" and point["adversary"] == "with" and 2 * point["penalty"] < 1
    return 120.0 if unstable else np.nan


def one(point, seeds, times, rng):
    """All variables of one run, name to (dims, values)."""
    full, live = point["net"] == "full", point["adversary"] == "with"
    m, n, out = int(point["width"]), int(point["n"]), OUTPUTS[point["net"]]
    s, t = seeds, times[times <= point["duration"]]
    over, whole = ("seed", "time"), (s, len(t))
    jitter = 1 + 0.01 * rng.standard_normal((s, 1))
    end = blown_up(point)
    gone = t > end if np.isfinite(end) else np.zeros(len(t), bool)
    rest = np.where(gone, np.nan, 1.0)
    found = {}

    def distances(size, spread):
        factor = np.exp(spread * rng.standard_normal((s, 1, m)) - spread**2 / 2)
        factor[:, :, 0] = 0.0  # a dead neuron
        factor *= (m - 1) / factor.sum(-1, keepdims=True)
        return (size * m**-0.5 * moved(point, t) * jitter * rest)[:, :, None] * factor

    spread = SPREAD["with" if live and point["control"] in ("none", "permuted-pixels") else "without"]
    du = distances(3.0, spread)
    dv = distances(2.0, spread) if full else None
    largest = du.max(-1)
    found["du"] = (("seed", "time", "neuron"), du.astype(np.float32))
    if dv is not None:
        found["dv"] = (("seed", "time", "neuron"), dv.astype(np.float32))

    star = equilibrium(point)
    frozen = live and point["control"] in ("frozen-critic", "random-field")
    floor = 0.0 if not live or point["control"] == "label-scaled" else np.sqrt(n) * (0.5 if frozen else star)
    floor = np.nan_to_num(floor)
    error = (floor + (START - floor) * np.exp(-t / (20.0 if not live else FAST))) * jitter * rest
    noisy = 0.3 if live and point["control"] == "random-field" else 0.0
    xi = START * (noisy + (1 - noisy) * np.exp(-t / FAST)) * jitter * rest
    if np.isfinite(end):
        error, xi = (START * np.exp(t / 30) * jitter * rest for _ in range(2))
    pull = floor * (1 - np.exp(-t / FAST)) * jitter * rest
    moving = live and point["control"] in ("none", "permuted-pixels", "random-field")
    slope = np.full(whole, np.nan if not live or point["control"] == "label-scaled" else floor / np.sqrt(n)) * rest
    integral = np.array([np.trapezoid(xi[:, : i + 1], t[: i + 1]) for i in range(len(t))]).T
    tv = pull + (0.05 * t if moving else 0.0) * jitter * rest
    theory = np.nan if full else 1.0
    at = {
        "error": error, "xi": xi, "q": pull, "q_sum": pull * np.sqrt(n), "critic_slope": slope,
        "critic_gap": slope * 0.1, "critic_w": (np.sqrt(point["critic_width"]) + 0.001 * t) * jitter * rest,
        "loss": error**2 / 2, "misclassified": 0.5 * np.exp(-t / FAST) * jitter * rest, "xi_integral": integral,
        "tv_q": tv, "mu": np.maximum.accumulate(np.nan_to_num(pull * np.sqrt(n)), 1) * rest,
        "w_sup": (np.sqrt(point["critic_width"]) + 0.001 * t) * jitter * rest, "remainder": 0.01 * integral * theory,
        "gram_inf": 0.9 * LAMBDA_0 * jitter * theory * rest, "gram_sup": 1.1 * LAMBDA_1 * jitter * theory * rest,
        "flips": 10 * m * (1 - np.exp(-t / FAST)) * jitter * rest,
        "gram_min": 0.95 * LAMBDA_0 * jitter * rest, "gram_max": LAMBDA_1 * jitter * rest,
        "sync": (0.1 + 0.1 * live) * jitter * rest,
        "sync_abs": (0.5 if live and point["control"] == "none" else 0.3) * jitter * rest,
        "active": 0.5 * jitter * rest,
    }  # fmt: skip
    for layer in ("u", "v") if full else ("u",):
        size = m**-0.5
        reaction = size * error
        diffusion = size * pull
        at |= {
            f"reaction_{layer}": reaction, f"diffusion_{layer}": diffusion, f"reaction_{layer}_max": 3 * reaction,
            f"diffusion_{layer}_max": 3 * diffusion, f"share_{layer}": diffusion / (reaction + diffusion),
            f"alignment_{layer}": (-(1 - np.exp(-t / FAST)) if floor else np.nan) * jitter.clip(max=1) * rest,
        }  # fmt: skip
    found |= {name: (over, np.broadcast_to(values, whole)) for name, values in at.items()}
    c_sup = np.full((s, m), (out * m) ** -0.5) * (3 if full else 1)
    found |= {"c_sup": (("seed", "neuron"), c_sup), "sigma_sup": (("seed", "neuron"), np.full((s, m), np.sqrt(n)))}
    per = {
        "diverged_at": np.full(s, end), "dead": np.ones(s),
        "label_scale": np.full(s, 2.0 if live and point["control"] == "label-scaled" else 1.0),
        "displacement_ratio": np.full(s, 1.0 if live and point["control"] == "label-scaled" else np.nan),
        "field_sd": np.full(s, 0.5 if live and point["control"] == "random-field" else np.nan),
    }  # fmt: skip
    found |= {name: (("seed",), values) for name, values in per.items()}
    found |= bounds(point, t, largest, dv, error, jitter, rest)
    found |= diagnostics(point, t, du, dv, xi, rng)
    return found


def bounds(point, t, largest, dv, error, jitter, rest):
    """What bounds.run returns, of one run: every bound a constant times the largest distance."""
    full, live = point["net"] == "full", point["adversary"] == "with"
    s, n = len(largest), point["n"]
    top = None if dv is None else dv.max(-1)
    shape = (len(BOUNDS), s, len(t))
    bound, ratio, loose = np.full(shape, np.nan), np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
    asserted = np.zeros(shape[:2])
    diverged = np.isnan(rest).any()
    for i, name in enumerate(BOUNDS):
        if (name in ("B1", "B1a") and live) or (name == "B4v" and not full):
            continue
        measured = top if name == "B4v" else largest
        bound[i] = LOOSENESS[name] * measured * jitter
        ratio[i], loose[i] = 1 / LOOSENESS[name] / jitter[:, 0], LOOSENESS[name] * jitter[:, 0]
        asserted[i] = float((not full or name in ("B4", "B4v")) and point["optimiser"] == "gd" and not diverged)
        if name in ("B4", "B4v") and point["optimiser"] != "gd":
            asserted[i] = np.nan
    both = np.stack([largest, np.full_like(largest, np.nan) if top is None else top])
    s_star = equilibrium(point)
    per = {"lambda_0": LAMBDA_0, "lambda_1inf": LAMBDA_1, "kappa": KAPPA, "kappa_inf": LAMBDA_1 / LAMBDA_0,
           "sigma_x": 5.0, "gram_inf_end": 0.9 * LAMBDA_0, "gram_sup_end": 1.1 * LAMBDA_1}  # fmt: skip
    mu = (n * np.nan_to_num(s_star, nan=0.5) if live and point["control"] != "label-scaled" else 0.0) * jitter[:, 0]
    start = START * jitter[:, 0]
    floor = KAPPA * mu
    with np.errstate(invalid="ignore"):
        residual = floor[:, None] - (floor - start)[:, None] * np.exp(-LAMBDA_0 * t / 2)
        logistic = floor[:, None] / (
            1 + ((floor - start**2) / start**2)[:, None] * np.exp(-LAMBDA_0 * floor[:, None] * t)
        )
        reach = error / residual
    late = error[:, t > 0.75 * t[-1]].mean(1)
    psi = np.stack([500 * largest / delta for delta in DELTAS])
    found = {
        "distance_bound": (("bound", "seed", "time"), bound), "ratio": (("bound", "seed"), ratio),
        "looseness": (("bound", "seed"), loose), "asserted": (("bound", "seed"), asserted),
        "distance_max": (("layer", "seed", "time"), both), "bound_prior": (("delta", "seed", "time"), psi),
        "prior_ratio": (("delta", "seed"), np.array(DELTAS)[:, None] / 500 * np.ones(s)),
        "residual_bound": (("seed", "time"), residual * rest), "psi": (("seed", "time"), error**2),
        "psi_bernoulli": (("seed", "time"), residual**2), "psi_numerical": (("seed", "time"), residual**2 * (1 + 1e-9)),
        "logistic": (("seed", "time"), logistic),
    }  # fmt: skip
    numbers = {name: np.full(s, value) for name, value in per.items()} | {
        "remainder_share": np.full(s, 0.05 if not full else np.nan), "residual_ratio": np.nanmax(reach, 1),
        "bernoulli_r": LAMBDA_0 * floor, "bernoulli_K": floor, "mu_sup": mu,
        "tv_q_end": np.where(diverged, np.nan, mu + 15), "hypothesis": floor / start,
        "equilibrium_residual": np.full(s, np.sqrt(n) * s_star), "late_residual": late,
    }  # fmt: skip
    if full:
        missing = {"residual_bound", "psi_bernoulli", "psi_numerical", "logistic", "bound_prior", "prior_ratio"}
        found = {k: (d, v * (np.nan if k in missing else 1.0)) for k, (d, v) in found.items()}
        numbers["residual_ratio"] = numbers["residual_ratio"] * np.nan
    return found | {name: (("seed",), values) for name, values in numbers.items()}


def diagnostics(point, t, du, dv, xi, rng):
    """What diagnostics.run returns, of one run."""
    full, live = point["net"] == "full", point["adversary"] == "with"
    s = len(du)
    diverged = np.isfinite(blown_up(point))

    def near(values, size=0.005):
        values = np.asarray(values, dtype=float)
        return values + size * rng.standard_normal((s, *values.shape))

    permuted, synthetic = point["control"] == "permuted-pixels", point["dataset"] in ("gaussian", "teacher")
    level = MORAN[point["control"]] if live else 0.4
    seen = 0.0 if permuted or synthetic else level
    restored = 0.0 if synthetic else level
    staged = {
        "moran": [0.0, 0.1 * seen, seen], "moran_sd": [0.02, 0.02, 0.1],
        "moran_restored": [0.0, 0.1 * restored, restored], "moran_sd_restored": [0.02, 0.02, 0.1],
        "k_mean": [9.56, 9.5, 9.56 - 8 * seen], "k_mean_restored": [9.56, 9.5, 9.56 - 8 * restored],
        "dirichlet": [3.86, 3.8, 3.86 * (1 - seen)], "dirichlet_restored": [3.86, 3.8, 3.86 * (1 - restored)],
        "cos_mean_image": [0.03, 0.05 + 0.1 * live, 0.5],
    }  # fmt: skip
    for layer in ("u", "v") if full else ("u",):
        staged |= {
            f"participation_{layer}": [300.0, 200.0 if live else 290.0, 20.0],
            f"top_share_{layer}": [0.005, 0.02 if live else 0.0052, 0.3],
            f"pca_ratio_{layer}": [1.02, 1.6 if live else 1.03, 3.0],
        }  # fmt: skip
    if not permuted:
        staged |= {name: [np.nan] * 3 for name in staged if name.endswith("_restored")}
    found = {name: (("seed", "stage"), near(v, 0.01 * np.abs(v))) for name, v in staged.items()}
    white = np.ones((3, len(WAVENUMBERS)))
    white[2] = np.exp(-seen * WAVENUMBERS / 3)
    over = ("seed", "stage", "wavenumber")
    shape = np.broadcast_to(white / white.sum(1, keepdims=True), (s, *white.shape))
    found |= {"spectrum": (over, shape), "spectrum_restored": (over, shape * (1.0 if permuted else np.nan))}
    found["pc_correlation"] = (
        ("seed", "stage", "component"),
        np.broadcast_to(np.array([0.03, 0.05, 0.3])[:, None] / np.arange(1, 6), (s, 3, 5)),
    )
    half = t >= t[-1] / 2 * (1 - 1e-9)
    for layer, moved_by in (("u", du), ("v", dv)):
        if moved_by is None:
            continue
        mean = moved_by[:, :, 1:].mean(-1)
        x = np.log(t[half])
        alpha = np.polyfit(x, np.log(mean[:, half]).T, 1)[0] if not diverged else np.full(s, np.nan)
        line = np.polyfit(t[half], mean[:, half].T, 1)[0] if not diverged else np.full(s, np.nan)
        per = {"alpha": alpha, "slope": line * t[-1] / mean[:, -1], "growth": mean[:, -1] / mean[:, half][:, 0]}
        found |= {f"{name}_{layer}": (("seed",), values) for name, values in per.items()}
    playing = live and point["control"] in ("none", "permuted-pixels")
    live_rate = 0.05 if diverged else -0.01
    real = (live_rate if playing else -0.015) - 0.05 * np.arange(EIGENVALUES)
    imaginary = 0.1 * (-1.0) ** np.arange(EIGENVALUES) * (live and point["control"] == "none")
    off = np.array([0.9, 0.6 if live and point["control"] == "none" else 0.8, np.nan])
    found |= {
        "rate_live": (("seed",), near(live_rate if playing else np.nan, 0.001)),
        "rate_frozen": (("seed",), near(-0.015, 0.001)), "rate_scale": (("seed",), np.ones(s)),
        "rate_critic": (("seed",), np.full(s, -0.02 if playing else np.nan)),
        "critic_speed": (("seed",), np.full(s, 0.001 if playing else np.nan)),
        "eigenvalue_real": (("seed", "eigenvalue"), near(real, 0.001)),
        "eigenvalue_imag": (("seed", "eigenvalue"), np.broadcast_to(imaginary, (s, EIGENVALUES))),
        "off_diagonal": (("seed", "stage"), near(off)), "xi_relative": (("seed",), xi[:, -1] / xi[:, 0]),
    }  # fmt: skip
    return found


def study(points=None, seeds=4, times=TIMES, rng=0, **settings):
    """A collected study of some runs (differences from the settings), or of those of ``grid``."""
    rng = np.random.default_rng(rng)
    points = grid() if points is None else [SETTINGS | point for point in points]
    coordinates = {
        "seed": np.arange(seeds), "time": times, "bound": BOUNDS, "delta": DELTAS, "layer": ["hidden", "top"],
        "stage": STAGES, "wavenumber": WAVENUMBERS, "component": np.arange(1, 6), "eigenvalue": np.arange(1, EIGENVALUES + 1),
    }  # fmt: skip
    sizes = {name: len(values) for name, values in coordinates.items()}
    sizes["neuron"] = max(int(point["width"]) for point in points)
    found, dims = {}, {}
    for i, point in enumerate(points):
        for name, (axes, values) in one(point, seeds, times, rng).items():
            if name not in found:
                shape = (len(points), *(sizes[axis] for axis in axes))
                found[name] = np.full(shape, np.nan, np.float32 if "neuron" in axes else float)
                dims[name] = ("run", *axes)
            found[name][i][tuple(slice(size) for size in values.shape)] = values
    attrs = {"long_name": "made up", "units": "1"}
    return xr.Dataset(
        {name: (dims[name], values, attrs) for name, values in found.items()},
        coordinates | {name: ("run", np.array([point[name] for point in points])) for name in SETTINGS},
        {"reference": json.dumps(SETTINGS | settings), "title": "made up"},
    )


def illustrations(datasets=("mnist", "gaussian", "mnist, permuted"), pixels=784, neurons=64, shown=16, snapshots=6,
                  embedding_seeds=3, rng=0):  # fmt: skip
    """The file of illustrations: filters, features, clouds and their evolution, of a few runs."""
    rng = np.random.default_rng(rng)
    side = int(np.sqrt(pixels))
    row, column = np.divmod(np.arange(pixels), side)
    blob = np.exp(-(((row - side / 2) / 5) ** 2) - ((column - side / 2) / 4) ** 2)
    order = rng.permutation(pixels)
    images = np.stack([rng.standard_normal(pixels) if d == "gaussian" else blob[order] if "permuted" in d else blob
                       for d in datasets])  # fmt: skip
    runs = [(d.split(",")[0], net, a, "permuted-pixels" if "permuted" in d else "none", d)
            for d in datasets for net in ("theory", "full") for a in ("without", "with")]  # fmt: skip
    place = np.array([datasets.index(run[4]) for run in runs])
    live = np.array([run[2] == "with" for run in runs])
    n, scale = len(runs), np.where(live, 2.0, 0.5)
    initial = rng.standard_normal((n, shown, pixels))
    change = scale[:, None, None] * rng.choice([-1.0, 1.0], (n, shown, 1)) * images[place][:, None]
    final = initial + change
    growth = np.linspace(0, 1, snapshots)
    evolution = growth[None, :, None, None] * change[:, None]
    cloud = rng.standard_normal((n, 3, embedding_seeds, neurons, 2))
    cloud[:, 1, ..., 0] *= (1 + live)[:, None, None]
    cloud[:, 2] = np.nan
    flat = rng.standard_normal((n, 3, neurons, 2))
    flat[:, 1:, :, 0] *= (1 + live)[:, None, None]
    full = np.array([run[1] == "full" for run in runs])
    top = np.where(full, 1.0, np.nan)
    ratio = (
        1 + 0.1 * rng.random((n, 3, embedding_seeds)) + live[:, None, None] * np.array([0, 1, np.nan])[None, :, None]
    )
    distance = scale[:, None] * np.exp(0.2 * rng.standard_normal((n, neurons)))
    square = ("picture", "shown", "pixel")
    embedded = ("picture", "stage", "embedding_seed", "neuron", "axis")
    names = dict(zip(("dataset_of", "net", "adversary", "control", "inputs_of"), zip(*runs, strict=True), strict=True))
    evolving = {"evolution": (("picture", "snapshot", "shown", "pixel"), evolution),
                "evolution_time": (("picture", "snapshot"), np.broadcast_to(300 * growth, (n, snapshots)))}  # fmt: skip
    found = xr.Dataset(
        {
            "input_image": (("dataset", "pixel"), images), "mean_image": (("dataset", "pixel"), 0.8 * images),
            "filter": (square, final), "filter_initial": (square, initial), "filter_change": (square, change),
            "feature": (square, final * images[place][:, None]),
            "activation_map": (("picture", "neuron"), np.maximum(0, rng.standard_normal((n, neurons)) + live[:, None])),
            "activation_initial": (("picture", "neuron"), np.maximum(0, rng.standard_normal((n, neurons)))),
            "embedding": (embedded, cloud), "embedding_v": (embedded, cloud * top[:, None, None, None, None]),
            "pca": (("picture", "stage", "neuron", "axis"), flat),
            "pca_v": (("picture", "stage", "neuron", "axis"), flat * top[:, None, None, None]),
            "embedding_ratio": (("picture", "stage", "embedding_seed"), ratio),
            "embedding_ratio_v": (("picture", "stage", "embedding_seed"), ratio * top[:, None, None]),
            "embedded_distance": (("picture", "neuron"), distance),
            "embedded_distance_v": (("picture", "neuron"), distance * top[:, None]), **evolving,
        },
        {"dataset": list(datasets), "stage": STAGES, "embedding_seed": np.arange(embedding_seeds),
         "image_shape": ("dataset", [f"{side},{side}"] * len(datasets))},
    )  # fmt: skip
    names["inputs"] = ["unit"] * n
    weight = {"adversary_weight": ("picture", 1.0 * live), "penalty": ("picture", 10.0 * live)}
    return found.assign_coords({name: ("picture", list(values)) for name, values in names.items()} | weight)


def tiny(**options):
    """A study of one run without an adversary and one with it, one seed."""
    return study([{"adversary": "without", "penalty": 0.0, "adversary_weight": 0.0}, {}], **({"seeds": 1} | options))
