"""Made-up collected data of the study generation: plausible numbers on the dense grid of its swept parameters.

Metrics follow closed forms in the epoch with a little noise over seeds and draws, so that every claim's answer is
known. Pictures are handwritten digits that fade in out of noise.
"""

import functools
import json

import numpy as np
import xarray as xr
from sklearn.datasets import load_digits

SETTINGS = {
    "n_train": 2500, "latent": 100, "width": 512, "d_width": 512, "batch_normalisation": True,
    "loss": "non-saturating", "d_steps": 1, "learning_rate": 2e-4, "beta1": 0.5, "batch": 64, "epochs": 24,
    "kept": [0, 1, 2, 5, 10, 15, 24], "shown": 64, "samples": 500, "judge_images": 1000, "judge_epochs": 40,
    "fresh_epochs": 10, "reference_draws": 5, "dtype": "float32", "dataset": "mnist",
}  # fmt: skip
SWEPT = ("n_train", "latent", "width", "d_width", "batch_normalisation", "loss", "d_steps", "learning_rate", "beta1",
         "batch", "epochs")  # fmt: skip
GRID = ({"loss": "minimax"}, {"d_steps": 2}, {"d_steps": 5})
SOURCES = ("real", "copies", "gaussian", "noise")
METRICS = ("frechet", "score", "neighbour_accuracy", "neighbour_real", "neighbour_fake", "linear_accuracy",
           "fresh_accuracy", "fresh_value", "nearest", "class_distance", "confidence")  # fmt: skip
#            real      copies    gaussian  noise
REFERENCE = {
    "frechet": (3.0, 3.2, 60.0, 300.0), "score": (8.5, 8.6, 3.0, 1.1),
    "neighbour_accuracy": (0.5, 0.5, 0.93, 1.0), "neighbour_real": (0.5, 0.5, 0.87, 1.0),
    "neighbour_fake": (0.5, 0.5, 0.99, 1.0), "linear_accuracy": (0.5, 0.5, 0.85, 1.0),
    "fresh_accuracy": (0.5, 0.5, 0.99, 1.0), "fresh_value": (-np.log(4), -np.log(4), -0.05, -0.001),
    "nearest": (6.5, 0.0, 8.5, 14.0), "class_distance": (0.06, 0.06, 0.45, 0.9), "confidence": (0.96, 0.961, 0.6, 0.4),
}  # fmt: skip
SPREAD = {"frechet": 0.02, "score": 0.02, "fresh_value": 0.005, "nearest": 0.01}  # relative; else absolute 0.01
CLASSES = 10
NEAREST = 16
SHARES = {"real": np.full(CLASSES, 0.1), "copies": np.full(CLASSES, 0.1),
          "gaussian": np.array([0.05, 0.3, 0.05, 0.1, 0.1, 0.05, 0.05, 0.1, 0.15, 0.05]),
          "noise": np.eye(CLASSES)[8]}  # fmt: skip
GAN_SHARES = np.array([0.09, 0.15, 0.07, 0.1, 0.11, 0.07, 0.09, 0.12, 0.08, 0.12])


def grid(*others):
    """The points of a study, as differences from the settings: those given, around the settings themselves."""
    return [SETTINGS | point for point in ({}, *others)]


def quality(point, epoch):
    """Share of the way from an untrained generator to the best one: minimax lags."""
    pace = 3.0 if point["loss"] == "non-saturating" else 9.0
    return 1 - np.exp(-np.asarray(epoch, dtype=float) / pace)


def judged(point, kept):
    """The metrics of a generator at the kept epochs, by name."""
    q = quality(point, kept)
    return {
        "frechet": 12 + 250 * (1 - q), "score": 1.1 + 6 * q, "neighbour_accuracy": 1 - 0.15 * q,
        "neighbour_real": 1 - 0.25 * q, "neighbour_fake": 1 - 0.05 * q, "linear_accuracy": 1 - 0.2 * q,
        "fresh_accuracy": 1 - 0.03 * q, "fresh_value": -0.01 - 0.14 * q, "nearest": 12 - 5.8 * q,
        "class_distance": 0.9 - 0.8 * q, "confidence": 0.4 + 0.5 * q,
    }  # fmt: skip


def played(point, epochs):
    """The record of training, by name, over epochs 1, 2, ...: the discriminator gets ahead, however good the samples."""
    e = np.arange(1, epochs + 1)
    d = point["d_steps"]
    accuracy = 0.62 + 0.18 * e / epochs + 0.04 * (d - 1)
    value = -1.25 + 0.3 * e / epochs + 0.13 * (d - 1)
    gradient = (2.0 if point["loss"] == "non-saturating" else 0.2) * (1 + 0.1 * np.sin(e))
    return {"accuracy": accuracy, "value": value, "gradient_norm": gradient, "player_loss": 0.8 + 0.02 * e}


@functools.cache
def digits():
    """Digits of 8 x 8 pixels enlarged to 28 x 28, bytes."""
    small = load_digits().images[:200] / 16
    rows = np.arange(28) * 8 // 28
    return (255 * small[:, rows][:, :, rows]).reshape(len(small), -1)


def enlarged(images, pixels):
    """Images of so many pixels, cut from the larger ones."""
    return images[:, :pixels] if pixels < images.shape[1] else images


def study(
    points=None, seeds=3, kept=None, shown=16, pixels=784, shape="28,28", draws=5, references=True, evaluated=True,
    diverged=(), classes=CLASSES, root=0,
):  # fmt: skip
    """A collected study: every parameter that the points differ in a dimension, NaN where a combination is no point.

    ``diverged``: seeds that are lost after the second kept epoch. Without ``references`` or ``evaluated`` these steps
    have not run.
    """
    points = grid(*GRID) if points is None else [SETTINGS | point for point in points]
    kept = np.array(SETTINGS["kept"] if kept is None else kept)
    epochs = int(points[0]["epochs"])
    axes = {n: list(dict.fromkeys(p[n] for p in points)) for n in SWEPT}
    axes = {n: v if isinstance(v[0], str) else sorted(v) for n, v in axes.items() if len(v) > 1}
    sizes = tuple(len(values) for values in axes.values())
    coords = {name: (name, np.array(values)) for name, values in axes.items()}
    coords |= {n: ((), SETTINGS[n] if n not in points[0] else points[0][n]) for n in SWEPT if n not in axes}
    coords |= {"seed": np.arange(seeds), "kept": kept, "epoch": np.arange(1, epochs + 1), "class": np.arange(classes)}
    found = {}

    def place(name, point, dims, values):
        if name not in found:
            found[name] = ((*axes, *dims), np.full((*sizes, *values.shape), np.nan, np.float32))
        found[name][1][tuple(axes[n].index(point[n]) for n in axes)] = values

    for point in points:
        rng = np.random.default_rng(root)  # runs of one seed share their random numbers
        lost = np.isin(np.arange(seeds), diverged)
        jitter = 1 + 0.02 * rng.standard_normal((seeds, 1))
        gone = np.where(lost[:, None] & (kept >= kept[min(2, len(kept) - 1)]), np.nan, 1.0)
        ended = np.where(lost[:, None] & (np.arange(1, epochs + 1) >= kept[min(2, len(kept) - 1)]), np.nan, 1.0)
        for name, values in played(point, epochs).items():
            place(name, point, ("seed", "epoch"), values * jitter * ended)
        place("diverged", point, ("seed",), lost.astype(float))
        place("diverged_epoch", point, ("seed",), np.where(lost, kept[min(2, len(kept) - 1)], np.nan))
        images = enlarged(digits(), pixels)
        noise = rng.uniform(0, 255, (seeds, 1, shown, images.shape[1]))
        chosen = images[rng.integers(len(images), size=(seeds, shown))][:, None]
        q = quality(point, kept)[None, :, None, None]
        sample = np.round(q * chosen + (1 - q) * noise) * gone[:, :, None, None]
        place("sample", point, ("seed", "kept", "shown", "pixel"), np.nan_to_num(sample))  # bytes have no NaN
        if not evaluated:
            continue
        metrics = judged(point, kept)
        for name in METRICS:
            place(name, point, ("seed", "kept"), metrics[name] * (1 + 0.5 * (jitter - 1)) * gone)
        end = SHARES["noise"][:classes] / max(SHARES["noise"][:classes].sum(), 1)
        goal = GAN_SHARES[:classes] / GAN_SHARES[:classes].sum()
        shares = quality(point, kept)[:, None] * goal + (1 - quality(point, kept))[:, None] * end
        place("class_share", point, ("seed", "kept", "class"), shares * gone[:, :, None])
        close = min(NEAREST, shown)
        near = images[rng.integers(len(images), size=(seeds, close))]
        place("nearest_image", point, ("seed", "shown_nearest", "pixel"), near * gone[:, -1, None, None])
        apart = 6.2 * (1 + 0.1 * rng.standard_normal((seeds, close)))
        place("nearest_distance", point, ("seed", "shown_nearest"), apart * gone[:, -1, None])
        place("nearest_index", point, ("seed", "shown"), rng.integers(2500, size=(seeds, shown)).astype(float))
    made = xr.Dataset(found, coords)
    if evaluated:
        made["judge_accuracy"] = ((), 0.945)
    if references:
        made = made.assign(reference_data(draws, pixels, classes, root))
        made = made.assign_coords(source=list(SOURCES))
    reference = json.dumps(SETTINGS, sort_keys=True)
    return made.assign_attrs(reference=reference, image_shape=shape, partial="", title="made up")


def reference_data(draws, pixels, classes, root):
    """What the references' step writes."""
    rng = np.random.default_rng(root + 1)
    found = {}
    for name, values in REFERENCE.items():
        relative = SPREAD.get(name)
        noise = rng.standard_normal((len(SOURCES), draws))
        numbers = np.array(values)[:, None]
        noisy = numbers * (1 + relative * noise) if relative else np.clip(numbers + 0.005 * noise, 0, 1)
        found[f"reference_{name}"] = (("source", "draw"), noisy)
    shares = np.stack([SHARES[s][:classes] for s in SOURCES])[:, None] + np.zeros((draws, 1))
    found["reference_class_share"] = (("source", "draw", "class"), shares)
    images = enlarged(digits(), pixels)
    real, copies = images[:16], images[16:32]
    gaussian = np.clip(images.mean(0) + 60 * rng.standard_normal(real.shape), 0, 255)
    pictures = np.stack([real, copies, gaussian, rng.uniform(0, 255, real.shape)])
    found["reference_sample"] = (("source", "shown_reference", "pixel"), pictures.astype(np.float32))
    return found


def tiny(**options):
    """As a smoke test makes it: one point, one seed, two kept epochs, small images."""
    return study([{"epochs": 2}], seeds=1, kept=[0, 2], shown=4, pixels=64, shape="8,8", draws=2, **options)
