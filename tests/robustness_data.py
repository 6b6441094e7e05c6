"""Made-up collected data of the study robustness: plausible numbers on the sparse union of grids that a study is.

Errors follow closed forms in eps with a little noise over seeds, so that every claim's answer is known.
"""

import numpy as np
import xarray as xr

ATTACKS = {
    # objective, norm, initialisation, steps, step, step_unit, restarts, label
    "fgsm": ("loss", "linf", "image", 1, 1.0, "eps", 1, "true"),
    "fgsm-predicted": ("loss", "linf", "image", 1, 1.0, "eps", 1, "predicted"),
    "bim": ("loss", "linf", "image", 10, 1.0, "eps", 1, "true"),
    "pgd": ("loss", "linf", "uniform", 20, 0.25, "eps", 2, "true"),
    "targeted": ("output", "linf", "image", 10, 0.25, "eps", 1, "true"),
    "signs": ("loss", "linf", "sign", 0, 1.0, "eps", 1, "true"),
    "uniform": ("loss", "linf", "uniform", 0, 1.0, "eps", 1, "true"),
    "fgm-l2": ("loss", "l2", "image", 1, 1.0, "eps", 1, "true"),
    "pgd-l2": ("loss", "l2", "uniform", 20, 0.25, "eps", 1, "true"),
    "signs-l2": ("loss", "l2", "sign", 0, 1.0, "eps", 1, "true"),
}
TABLE = ("objective", "norm", "initialisation", "steps", "step", "step_unit", "restarts", "label")
LINF = [0.0, 0.007, 2 / 255, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
L2 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0]
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
CLEAN = {"softmax": 0.1, "mlp-16": 0.085, "mlp-64": 0.065, "mlp-256": 0.055, "mlp-256x3": 0.05, "cnn": 0.03}
HALF = {"softmax": 0.04, "mlp-16": 0.045, "mlp-64": 0.05, "mlp-256": 0.055, "mlp-256x3": 0.055, "cnn": 0.06}
GAIN = {"softmax": 0.1, "mlp-16": 0.7, "mlp-64": 1.1, "mlp-256": 1.5, "mlp-256x3": 1.7, "cnn": 1.6}  # of AT
METHODS = ("standard", "fgsm", "fgsm-minmax", "pgd", "random-eps", "nonrobust", "sign-noise", "uniform-noise")
NOISES = ("sign-noise", "uniform-noise")
SHAPE = (28, 28)


def grid(models=tuple(CLEAN), sizes=(0.05, 0.1, 0.2, 0.3), numbers=(500, 1000, 3500)):
    """The points of a union of grids, as the default study has it."""
    found = set()
    last = numbers[-1]
    for model in models:
        for method in ("standard", "fgsm", "pgd"):
            found |= {(model, method, e, last) for e in ((0.0,) if method == "standard" else sizes)}
    wide = models[min(3, len(models) - 1)]
    for method in METHODS:
        found |= {(wide, method, e, last) for e in ((0.0,) if method == "standard" else sizes)}
    for model in {models[0], wide}:
        for number in numbers:
            found |= {(model, "standard", 0.0, number)}
            found |= {(model, method, sizes[0], number) for method in ("fgsm", *NOISES)}
    return sorted(found)


def broken(eps, half, power=4):
    """Share of the images broken by an attack of size eps."""
    u = (eps / half) ** power
    return u / (1 + u)


class Numbers:
    """What a run of one point does, in closed form."""

    def __init__(self, model, training, eps_train, n_train):
        self.model, self.training, self.eps_train, self.n_train = model, training, eps_train, n_train
        kind = model.split(",")[0]
        small = (3500 / n_train) ** 0.4
        self.clean = CLEAN[kind] * small
        self.half = HALF[kind]
        self.gradient = 20.0 / HALF[kind] * 0.05
        self.linear = 0.3 if kind != "softmax" else 0.0
        self.bend = 0.15 if kind != "softmax" else np.inf  # eps at which half of the margins leave their tangents
        self.masked = False
        if training in NOISES:
            self.clean *= 0.99
            self.half *= 1.1
            self.gradient *= 0.95
        elif training != "standard":
            self.clean *= (1 - 0.12 * min(1.0, 0.05 / eps_train)) if eps_train <= 0.1 else 1.2
            strength = {"fgsm": 0.9, "fgsm-minmax": 0.95, "pgd": 1.0, "random-eps": 0.75, "nonrobust": 0.6}
            gain = GAIN[kind] * strength.get(training, 1.0)
            self.half = self.half + gain * min(eps_train, 0.2)
            self.gradient *= 0.3
            self.linear = 1.5 if kind != "softmax" else 0.0
            self.bend = 0.05 if kind != "softmax" else np.inf
            self.masked = training == "fgsm-minmax" and eps_train >= 0.2

    def bound(self, eps, norm="linf", box=True):
        half = self.half * (1 if norm == "linf" else 10) * (1 if box else 0.9)
        return self.clean + (1 - self.clean) * broken(eps, half)

    def error(self, attack, eps, box=True):
        objective, norm, _, steps, *_ = ATTACKS[attack]
        if steps == 0:
            return self.clean + 0.02 * eps / 0.3
        if self.masked and steps == 1:
            return self.clean + 0.6 * (eps / 0.1) * np.exp(1 - eps / 0.1) * (eps < 0.25) + 0.02 * eps
        weaker = 1.0 if steps > 1 and objective == "loss" else 1.12
        half = self.half * (1 if norm == "linf" else 10) * (1 if box else 0.9) * weaker
        return self.clean + (1 - self.clean) * broken(eps, half)


def study(points=None, seeds=4, iterated_seeds=3, clip=(True, False), reference=0.1, scale=True, transfer=True,
          attacks=tuple(ATTACKS), spread=0.001, rng=0):  # fmt: skip
    """The collected data set: NaN where no job is."""
    points = grid() if points is None else points
    linf = [ATTACKS[a][3] for a in attacks if ATTACKS[a][1] == "linf"]
    compared = 1 in linf and max(linf) > 1  # a single step beside an iterated attack
    rng = np.random.default_rng(rng)
    models, methods, sizes, numbers = (
        list(dict.fromkeys(p[0] for p in points)),
        list(dict.fromkeys(p[1] for p in points)),
        sorted({p[2] for p in points}),
        sorted({p[3] for p in points}),
    )
    norms = ["linf", "l2"] if any(ATTACKS[a][1] == "l2" for a in attacks) else ["linf"]
    eps = sorted({*LINF, *(L2 if "l2" in norms else ())})
    lists = {"linf": LINF, "l2": L2}
    run = ("model", "training", "eps_train", "n_train", "seed")
    shape = (len(models), len(methods), len(sizes), len(numbers), seeds)
    dims = {
        "error": ("attack", "eps", "clip"), "confidence": ("attack", "eps", "clip"),
        "target_rate": ("attack", "eps", "clip"), "bound": ("norm", "eps", "clip"), "masking": ("clip",),
        "masking_gap": ("clip",), "masking_drop": ("clip",), "clean_error": (), "train_error": (),
        "gradient_l1": ("where",), "gradient_l2": ("where",), "linearity": ("eps",), "margin_shift": ("eps",),
        "linear_share": ("eps",), "linear_range": (), "minimum_eps": ("norm", "quantile"), "fooling_share": (),
        "fooling_start_share": (), "fooling_steps": (), "fooling_confidence": (),
    }  # fmt: skip
    length = {"attack": len(attacks), "eps": len(eps), "clip": len(clip), "norm": len(norms), "where": 3,
              "quantile": len(QUANTILES)}  # fmt: skip
    data = {name: np.full((*shape, *(length[d] for d in own)), np.nan, np.float32) for name, own in dims.items()}
    data["masking"][:] = -1
    for point in points:
        made = Numbers(*point)
        cell = (models.index(point[0]), methods.index(point[1]), sizes.index(point[2]), numbers.index(point[3]))
        for s in range(seeds):
            at = (*cell, s)
            wobble = rng.normal(0, spread)
            many = s < iterated_seeds

            def share(values, wobble=wobble):
                return np.clip(np.asarray(values) + wobble, 0, 1)

            data["clean_error"][at] = share(made.clean)
            data["train_error"][at] = share(made.clean / 5)
            for j, box in enumerate(clip):
                for i, name in enumerate(attacks):
                    norm, steps = ATTACKS[name][1], ATTACKS[name][3]
                    if steps > 1 and not many:
                        continue
                    for k, e in enumerate(eps):
                        if e not in lists[norm]:
                            continue
                        data["error"][(*at, i, k, j)] = share(made.error(name, e, box))
                        sure = 0.6 + (0.35 * e / (e + 0.05) if steps else 0.0)
                        data["confidence"][(*at, i, k, j)] = min(sure + wobble, 1)
                        if ATTACKS[name][0] in ("output", "logit"):
                            data["target_rate"][(*at, i, k, j)] = share(
                                made.clean / 9 + (1 - made.clean) * broken(e, 1.3 * made.half)
                            )
                for i, norm in enumerate(norms):
                    iterated = any(ATTACKS[a][1] == norm and ATTACKS[a][3] > 1 for a in attacks)
                    for k, e in enumerate(eps):
                        if e in lists[norm] and (many or not iterated):
                            data["bound"][(*at, i, k, j)] = share(made.bound(e, norm, box))
                if many and compared:
                    curved = point[1] == "fgsm" and point[2] >= 0.3 and point[0] != "softmax"
                    data["masking"][(*at, j)] = 3 if made.masked else int(curved)
                    data["masking_gap"][(*at, j)] = 0.7 if made.masked else 0.01
                    data["masking_drop"][(*at, j)] = 0.5 if made.masked else 0.0
            for i, factor in enumerate((1.0, 0.95, 1.4)):
                data["gradient_l1"][(*at, i)] = made.gradient * factor * (1 + 5 * wobble)
                data["gradient_l2"][(*at, i)] = made.gradient * factor * (1 + 5 * wobble) / 20
            for k, e in enumerate(eps):
                if e in LINF and e > 0:
                    data["linearity"][(*at, k)] = 1 - made.linear * e + wobble
                    data["linear_share"][(*at, k)] = share(1 / (1 + (e / made.bend) ** 2))
                    data["margin_shift"][(*at, k)] = (1 - made.linear * e) * e * made.gradient
            data["linear_range"][at] = 0.1 if made.linear > 1 else 0.3
            if many:
                for i, norm in enumerate(norms):
                    for k, q in enumerate(QUANTILES):
                        data["minimum_eps"][(*at, i, k)] = (
                            made.half * (1 if norm == "linf" else 10) * (q / (1 - q)) ** 0.25
                        )
            data["fooling_share"][at] = 1.0 if point[1] == "standard" else 0.6
            data["fooling_start_share"][at] = 0.02
            data["fooling_steps"][at] = 12.0 if point[1] == "standard" else 60.0
            data["fooling_confidence"][at] = 0.998 if point[1] == "standard" else 0.97
    found = xr.Dataset(
        {name: ((*run, *own), data[name]) for name, own in dims.items()},
        coords={
            "model": models, "training": methods, "eps_train": sizes, "n_train": numbers, "seed": np.arange(seeds),
            "attack": list(attacks), "eps": eps, "clip": list(clip), "norm": norms,
            "where": ["train", "test", "far"], "quantile": list(QUANTILES), "eps_reference": reference,
        } | {f"attack_{key}": ("attack", [ATTACKS[a][i] for a in attacks]) for i, key in enumerate(TABLE)},
    )  # fmt: skip
    found["masking"] = found["masking"].astype(np.int8)
    found["n_test"] = 1000
    found["image_shape"] = ("edge", list(SHAPE))
    if transfer:
        found = found.merge(transferred(models, methods, sizes, reference, rng))
    return found.merge(scaled(rng)) if scale else found


def transferred(models, methods, sizes, reference, rng, seeds=3):
    """The part on transfer and surrogates."""
    at = min((e for e in sizes if e > 0), key=lambda e: abs(e - reference), default=None)
    runs = [(m, t) for m in models[:: max(1, len(models) // 3)] for t in ("standard", "fgsm") if t in methods]
    labels = [f"{m}/{t}/{0 if t == 'standard' else at:g}" for m, t in runs if t == "standard" or at]
    eps = np.array(LINF)
    n = len(labels)
    error = np.zeros((n, n, seeds, len(eps)))
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            from_standard, to_standard = "/standard/" in a, "/standard/" in b
            half = {(True, True): 0.08, (True, False): 0.35, (False, True): 0.12, (False, False): 0.25}[
                from_standard, to_standard
            ]
            error[i, j] = 0.06 + 0.9 * broken(eps, half) + rng.normal(0, 0.002, (seeds, 1))
    white = np.stack([np.broadcast_to(0.06 + 0.93 * broken(eps, 0.06 if "/standard/" in b else 0.2),
                                      (seeds, len(eps))) for b in labels])  # fmt: skip
    noise = np.broadcast_to(0.06 + 0.05 * eps, (n, seeds, len(eps))) + rng.normal(0, 0.001, (n, seeds, 1))
    kinds = ("target", "transfer_seed")
    return xr.Dataset(
        {
            "transfer_error": (("source", "target", "transfer_seed", "transfer_eps"), np.clip(error, 0, 1)),
            "white_box_error": ((*kinds, "transfer_eps"), white),
            "noise_error": ((*kinds, "transfer_eps"), np.clip(noise, 0, 1)),
            "surrogate_error": ((*kinds, "transfer_eps"), np.clip(error.mean(0) * 0.9, 0, 1)),
            "surrogate_agreement": (kinds, np.full((n, seeds), 0.95)),
            "surrogate_cosine": (kinds, np.full((n, seeds), 0.35)),
            "agreement": (("source", *kinds), np.full((n, n, seeds), 0.93)),
            "gradient_cosine": (("source", *kinds), np.full((n, n, seeds), 0.3)),
        },
        coords={"source": labels, "target": labels, "transfer_seed": np.arange(seeds), "transfer_eps": eps},
    )


def scaled(rng, models=("softmax", "mlp-64"), seeds=3):
    """The part on the number of pixels."""
    resolution = np.array([7, 14, 28, 56])
    dims = ("scaled_model", "resolution", "scaled_seed")
    shape = (len(models), len(resolution), seeds)

    def power(a, b):
        return a * resolution[None, :, None] ** b * np.exp(rng.normal(0, 0.02, shape))

    l1 = power(3.0, 1.0)
    return xr.Dataset(
        {"scaled_gradient_l1": (dims, l1), "scaled_gradient_l2": (dims, power(1.0, 0.1)),
         "half_eps": (dims, power(0.8, -0.8)), "half_eps_correct": (dims, power(1.0, -0.8)), "scaled_clean_error": (dims, power(0.2, -0.2)),
         "shift": (dims, 0.007 * l1)},
        coords={"scaled_model": list(models), "resolution": resolution, "scaled_seed": np.arange(seeds)},
    )  # fmt: skip


def illustrations(runs=("mlp-256/standard/0", "mlp-256/fgsm/0.1", "softmax/standard/0", "softmax/fgsm/0.1"),
                  shape=SHAPE, classes=10, filters=16, reference=0.1, rng=0):  # fmt: skip
    """The file of illustrations: examples, attacks on them, rays, filters and fooling images."""
    rng = np.random.default_rng(rng)
    pixels = int(np.prod(shape))
    n, side = len(runs), shape[-1]
    row, column = np.divmod(np.arange(pixels) % (side * side), side)
    image = np.stack([np.exp(-(((row - 10 - k) / 5) ** 2 + ((column - 14) / 4) ** 2)) for k in range(classes)])
    pattern = rng.choice([-1.0, 1.0], (n, 2, classes, pixels))
    after = np.stack([(np.arange(classes) + 1 + k) % classes for k in range(2)])
    ray = np.linspace(-2 * reference, 2 * reference, 41)
    slopes = rng.normal(0, 40, (n, classes, classes))
    heights = rng.normal(0, 2, (n, classes, 1, classes)) + 6 * np.eye(classes)[None, :, None, :]
    bend = np.array([1.0 if r.startswith("softmax") else 0.6 for r in runs])[:, None, None, None]
    moved = ray[None, None, :, None] * slopes[:, :, None, :]
    logits = heights + bend * moved + (1 - bend) * 3 * np.tanh(moved / 3)
    confidence = np.broadcast_to(np.array([0.98, 0.9])[None, :, None], (n, 2, classes))
    cell = ("illustrated", "example", "kind")
    pattern, confidence = np.swapaxes(pattern, 1, 2) * reference, np.swapaxes(confidence, 1, 2)
    return xr.Dataset(
        {
            "image": (("example", "pixel"), image), "label": (("example",), np.arange(classes)),
            "pattern": ((*cell, "pixel"), pattern),
            "adversarial": ((*cell, "pixel"), np.clip(image[:, None] + pattern, 0, 1)),
            "predicted_before": (cell[:2], np.broadcast_to(np.arange(classes), (n, classes))),
            "confidence_before": (cell[:2], 0.995 * np.ones((n, classes))),
            "predicted_after": (cell, np.broadcast_to(after.T, (n, classes, 2))),
            "target": (("example",), after[1]),
            "confidence_after": (cell, confidence),
            "ray_logits": (("illustrated", "example", "ray_eps", "class"), logits),
            "ray_tangent": (("illustrated", "example", "class"), slopes),
            "filters": (("illustrated", "filter", "pixel"), rng.normal(0, 0.1, (n, filters, pixels))),
            "fooling_image": (("illustrated", "class", "pixel"), rng.uniform(0, 1, (n, classes, pixels))),
            "fooling_confidence": (("illustrated", "class"), np.full((n, classes), 0.997)),
            "fooling_reached_steps": (("illustrated", "class"), np.full((n, classes), 20.0)),
            "image_shape": (("edge",), list(shape)), "eps_reference": ((), reference),
        },
        coords={"illustrated": list(runs), "example": 10 * np.arange(classes), "kind": ["untargeted", "targeted"],
                "ray_eps": ray, "class": np.arange(classes)},
    )  # fmt: skip


def tiny(**options):
    """A study of one model without adversarial training, one seed, one clip, FGSM only."""
    options = {"seeds": 1, "iterated_seeds": 0, "clip": (True,), "scale": False, "transfer": False,
               "attacks": ("fgsm",)} | options  # fmt: skip
    return study([("mlp-64", "standard", 0.0, 500)], **options)
