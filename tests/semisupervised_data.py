"""Made-up collected data of the study semisupervised: plausible numbers on the dense grid of its swept parameters.

Errors follow closed forms in labels, eps and updates with a little noise over seeds, so that every claim's answer is
known. The two moons are real points with made-up answers.
"""

import functools
import json

import numpy as np
import xarray as xr
from sklearn.datasets import make_moons

SETTINGS = {
    "dataset": "mnist", "training": "virtual", "n_labels": 100, "n_pool": 3500, "eps": 1.0, "power_iterations": 1,
    "xi": 1e-2, "alpha": 1.0, "width": 256, "batch_normalisation": False, "learning_rate": 1e-3, "decay": "linear",
    "batch_labelled": 64, "batch_pool": 128, "updates": 1500, "checkpoints": 5, "n_validation": 500,
    "probe_eps": [0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0], "probe_images": 300, "probe_iterations": [1, 2, 4, 8],
    "moons_labels": 8, "moons_pool": 500, "moons_noise": [0.05, 0.3], "moons_eps": 0.15, "moons_width": 64,
    "moons_updates": 1000, "moons_seeds": 5, "planted_updates": 60, "dtype": "float32",
}  # fmt: skip
SWEPT = ("training", "n_labels", "n_pool", "eps", "power_iterations", "alpha", "width", "batch_normalisation",
         "learning_rate", "decay", "batch_labelled", "batch_pool", "updates")  # fmt: skip
METHODS = ("supervised", "adversarial", "random", "pseudo-label", "virtual")
SAME = {"supervised": {"eps": 1.0, "power_iterations": 1, "alpha": 1.0}, "virtual": {}}
SPLITS = ("pool", "validation", "test")
PLACES = {"pool": 1.0, "test": 1.1, "permuted": 2.0}
ALONG = ("virtual", "random")
PLANTED = {"pool labels": 0.0, "validation and test labels": 0.0, "validation and test images": 0.0, "labels": 0.3}
LEVELS = np.linspace(0, 1, 501)
GAIN = {"supervised": 0.0, "adversarial": 0.1, "random": 0.08, "pseudo-label": 0.35, "virtual": 0.6}  # of the error
BEST = {"supervised": 1.0, "adversarial": 1.0, "random": 2.0, "pseudo-label": 1.0, "virtual": 1.0}  # eps
SMOOTHER = {"supervised": 1.0, "adversarial": 0.7, "random": 0.6, "pseudo-label": 0.3, "virtual": 0.1}
MOONS = {
    "supervised": (0.14, 0.16),
    "adversarial": (0.12, 0.16),
    "random": (0.1, 0.15),
    "pseudo-label": (0.06, 0.155),
    "virtual": (0.01, 0.17),
}  # error: apart, overlapping


def grid(eps=(0.5, 1.0, 2.0, 4.0), n_labels=(50, 100, 200, 1000), iterations=(2, 4), methods=METHODS):
    """Points of a study, as differences from the settings: methods by eps by labels, and power iterations."""
    points = [{"training": m, "n_labels": n, "eps": e} for m in methods for n in n_labels for e in eps]
    return points + [{"training": "virtual", "power_iterations": k} for k in iterations if "virtual" in methods]


def canonical(point):
    """A point of the study; what has no meaning for its method has the default."""
    point = SETTINGS | point
    return point | SAME.get(point["training"], {"power_iterations": 1})


def checkpoints(point):
    """Updates after which a training is looked at."""
    return [round(u) for u in np.linspace(0, point["updates"], point["checkpoints"] + 1)[1:]]


def final_error(point):
    """Error of a training after the last update."""
    supervised = 0.25 * np.sqrt(100 / point["n_labels"])
    octaves = np.log2(point["eps"] / BEST[point["training"]])
    gain = GAIN[point["training"]] * np.exp(-(octaves**2) / 2)
    collapse = 0.5 if point["training"] in ("pseudo-label", "virtual") and octaves > 1.5 else 0.0
    return min(0.9, supervised * (1 - gain) + collapse - 0.002 * np.log2(point["power_iterations"]))


def sharpness(point, along, place):
    """Leading eigenvalue of the Hessian of KL, in nat."""
    smoother = SMOOTHER[point["training"]]
    smoother = smoother**0.5 if place == "permuted" else smoother
    return 4.0 * smoother * PLACES[place] * (1.0 if along == "virtual" else 0.01)


def divergence(point, along, place, length):
    """KL at a length: a square, saturating."""
    square = sharpness(point, along, place) * np.asarray(length) ** 2 / 2
    return 3 * square / (3 + square)


def flipped(point, along, place, length):
    """Share of images given another class at a length."""
    return 0.9 * (1 - np.exp(-sharpness(point, along, place) * np.asarray(length) ** 2 / 8))


def study(points=None, seeds=5, diverged=(), lost_at=(), evaluated=True, distances=True, moons=True, planted=True,
          moons_seeds=5, root=0, settings=None):  # fmt: skip
    """A collected study: every parameter that the points differ in a dimension, NaN where a combination is no point.

    ``diverged``: seeds lost after the second checkpoint, of the points that agree with ``lost_at`` (pairs; of all
    without). Without ``evaluated``, ``distances``, ``moons`` or ``planted`` these steps have not run.
    """
    points = list({tuple(p.items()): p for p in (_listless(canonical(p)) for p in (points or grid()))}.values())
    axes = {name: list(dict.fromkeys(p[name] for p in points)) for name in SWEPT}
    axes = {n: v if isinstance(v[0], str) else sorted(v) for n, v in axes.items() if len(v) > 1}
    sizes = tuple(len(values) for values in axes.values())
    updates = sorted({u for p in points for u in checkpoints(p)})
    coords = {name: (name, np.array(values)) for name, values in axes.items()}
    coords |= {n: ((), points[0][n]) for n in SWEPT if n not in axes}
    coords |= {"seed": np.arange(seeds), "update": np.array(updates)}
    if evaluated:
        coords |= {"split": list(SPLITS), "along": list(ALONG), "place": list(PLACES)}
        coords |= {"length": SETTINGS["probe_eps"], "iteration": SETTINGS["probe_iterations"]}
    found = {}

    def place(name, point, dims, values):
        if name not in found:
            found[name] = ((*axes, *dims), np.full((*sizes, *values.shape), np.nan, np.float32))
        found[name][1][tuple(axes[n].index(point[n]) for n in axes)] = values

    for point in points:
        numbers = trained(point, seeds, np.array(updates), root)
        numbers |= judged(point, seeds, np.array(updates), root) if evaluated else {}
        matches = all(point[name] == value for name, value in lost_at)
        lost = np.isin(np.arange(seeds), diverged) & matches
        start = checkpoints(point)[min(1, point["checkpoints"] - 1)]
        elsewhere = ~np.isin(updates, checkpoints(point))
        for name, (dims, values) in numbers.items():
            gone = lost.reshape(-1, *[1] * (values.ndim - 1)) & np.ones(values.shape, bool)
            if "update" in dims:
                shape = [-1 if d == "update" else 1 for d in dims]
                gone = gone & (np.array(updates) >= start).reshape(shape) | elsewhere.reshape(shape)
            place(name, point, dims, np.where(gone, np.nan, values))
        place("diverged", point, ("seed",), lost.astype(float))
        place("diverged_update", point, ("seed",), np.where(lost, start, np.nan))
    made = xr.Dataset(found, coords)
    made = made.assign(distance_data()) if distances else made
    made = made.assign_coords(level=LEVELS) if distances else made
    made = made.merge(moons_data(moons_seeds, root), join="outer", compat="no_conflicts") if moons else made
    if planted:
        made = made.assign(planted_difference=("planted", list(PLANTED.values()))).assign_coords(planted=list(PLANTED))
    reference = json.dumps(SETTINGS | (settings or {}), sort_keys=True)
    return made.assign_attrs(reference=reference, partial="", title="made up")


def _listless(point):
    return {name: value for name, value in point.items() if not isinstance(value, list)}


def _noise(point, seeds, root):
    """What a seed adds to an error: mostly the same for all trainings, which share labelled images and streams."""
    shared = np.random.default_rng([root, 1]).standard_normal(seeds)
    own = np.random.default_rng([root, 2, METHODS.index(point["training"]), int(8 * point["eps"]), point["n_labels"]])
    return 1 + 0.05 * shared + 0.01 * own.standard_normal(seeds)


def trained(point, seeds, updates, root):
    """The record of training: name to dims and values."""
    pace = np.exp(-updates / 300)
    noise = _noise(point, seeds, root)[:, None]
    smooth = 0.0 if point["training"] == "supervised" else 0.05 + 0.1 * pace
    return {
        "loss_labelled": (("seed", "update"), (0.02 + 2 * pace) * noise),
        "loss_smooth": (("seed", "update"), smooth * noise + 0 * pace),
        "norm_error": (("seed",), np.full(seeds, 0.0 if point["training"] == "supervised" else 2e-7)),
    }


def judged(point, seeds, updates, root):
    """What the evaluation writes: name to dims and values."""
    noise = _noise(point, seeds, root)
    end = np.clip(final_error(point) * noise, 0.002, 0.98)
    curve = end[:, None] + (0.9 - end[:, None]) * np.exp(-updates / 150) * (updates < point["updates"])
    own = np.random.default_rng([root, 3]).standard_normal((seeds, 3)) * [0.0005, 0.004, 0.0005]
    error = curve[:, None] + own[:, :, None]
    lengths = np.array(SETTINGS["probe_eps"])
    by = {"virtual": 1 + 0.1 * (noise - 1)[:, None], "random": 1 - 0.1 * (noise - 1)[:, None]}
    table = {
        name: np.stack(
            [np.stack([of(point, a, p, lengths) * by[a] for p in PLACES], 1) for a in ALONG], 1
        )  # (seed, along, place, length)
        for name, of in (("smoothness", divergence), ("flipped", flipped))
    }
    k = np.array(SETTINGS["probe_iterations"])
    start = 0.8 if point["training"] in ("supervised", "adversarial") else 0.95
    cosine = 1 - (1 - start) * 0.3 ** (k - 1) * noise[:, None]
    at_eps = np.stack([flipped(point, a, "pool", point["eps"]) * noise for a in ALONG], 1)
    return {
        "error": (("seed", "split", "update"), error),
        "confidence": (("seed", "split"), np.stack([1 - 0.5 * end] * 3, 1)),
        "smoothness": (("seed", "along", "place", "length"), table["smoothness"]),
        "flipped": (("seed", "along", "place", "length"), np.clip(table["flipped"], 0, 1)),
        "flipped_at_eps": (("seed", "along"), np.clip(at_eps, 0, 1)),
        "cosine": (("seed", "iteration"), cosine),
        "cosine_median": (("seed", "iteration"), np.clip(cosine + 0.02, 0, 1)),
        "cosine_share": (("seed", "iteration"), np.clip(cosine - 0.05, 0, 1)),
        "gap": (("seed",), np.full(seeds, 0.3)),
    }


def distance_data():
    """Quantiles of nearest distances of digits."""
    bell = np.sqrt(LEVELS) * 0.5 + LEVELS**3 * 0.5
    return {"other_class_distance": ("level", 2.6 + 6 * bell), "same_class_distance": ("level", 0.8 + 7 * bell)}


@functools.cache
def moons_data(seeds, root, pool=500, labels=8):
    """What the step on the two moons writes."""
    noises, eps = SETTINGS["moons_noise"], SETTINGS["moons_eps"]
    gx, gy = np.linspace(-1.8, 2.8, 80), np.linspace(-1.4, 1.9, 60)
    rng = np.random.default_rng([root, 4])
    jitter = 1 + 0.05 * rng.standard_normal((1, 1, seeds)) + 0.02 * rng.standard_normal((2, 5, seeds))
    error = np.array([[MOONS[m][i] for m in METHODS] for i in range(2)])[:, :, None] * jitter
    points, classes, labelled, other, shares = [], [], [], [], []
    for i, noise in enumerate(noises):
        x, y = make_moons(pool, noise=noise, random_state=7 + i)
        apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
        other.append(np.quantile(np.where(y[:, None] != y, apart, np.inf).min(1), LEVELS))
        chosen = np.zeros(pool, bool)
        for c in (0, 1):
            chosen[np.flatnonzero(y == c)[: labels // 2]] = True
        points.append(x), classes.append(y), labelled.append(chosen)
        shares.append(np.full(seeds, np.mean(other[-1] > 2 * eps)))
    points, classes = np.array(points), np.array(classes)
    mesh = np.stack(np.meshgrid(gx, gy), -1)
    probability, direction = [], []
    for i in range(2):
        near = [_nearest(mesh, points[i][classes[i] == c]) for c in (0, 1)]
        curved = 1 / (1 + np.exp(-6 * (near[0] - near[1])))
        straight = 1 / (1 + np.exp(-2 * (mesh[..., 0] - 0.5 - 1.5 * mesh[..., 1] + 0.4)))
        share = {m: GAIN[m] / GAIN["virtual"] for m in METHODS}
        probability.append([share[m] * curved + (1 - share[m]) * straight for m in METHODS])
        to = points[i][[np.argmin(np.where(classes[i] != c, np.linalg.norm(points[i] - p, axis=1), np.inf))
                        for p, c in zip(points[i], classes[i], strict=True)]] - points[i]  # fmt: skip
        to = eps * to / np.linalg.norm(to, axis=1, keepdims=True)
        direction.append([to] * len(METHODS))
    over = np.array([[0.2 * (1 - GAIN[m]) * (1 + i) for m in METHODS] for i in range(2)])[:, :, None] * jitter
    return xr.Dataset(
        {
            "moons_error": (("moon_noise", "moon_method", "moon_seed"), error),
            "moons_probability": (("moon_noise", "moon_method", "gy", "gx"), np.array(probability)),
            "moons_point": (("moon_noise", "moon_point", "axis"), points),
            "moons_class": (("moon_noise", "moon_point"), classes.astype(float)),
            "moons_labelled": (("moon_noise", "moon_point"), np.array(labelled).astype(float)),
            "moons_direction": (("moon_noise", "moon_method", "moon_point", "axis"), np.array(direction)),
            "moons_flipped": (("moon_noise", "moon_method", "moon_seed"), over),
            "moons_other_distance": (("moon_noise", "level"), np.array(other)),
            "moons_beyond": (("moon_noise", "moon_seed"), np.array(shares)),
        },
        {
            "moon_noise": noises, "moon_method": list(METHODS), "moon_seed": np.arange(seeds), "gx": gx, "gy": gy,
            "level": LEVELS, "axis": ["x", "y"],
        },
    )  # fmt: skip


def _nearest(mesh, points):
    return np.linalg.norm(mesh[..., None, :] - points, axis=-1).min(-1)


def tiny(**options):
    """As a smoke test makes it: supervised and virtual, one eps, one seed."""
    return study([{"training": "supervised"}, {"training": "virtual"}], seeds=1, moons_seeds=2, **options)
