"""Made-up collected data of the study degeneration: plausible numbers on the union of grids that a study is.

What the attacker gets back, and what the outputs look like, follow closed forms in the passes with a little noise over
seeds, so that every claim's answer is known.
"""

import json

import numpy as np
import xarray as xr

SETTINGS = {
    "dataset": "mnist", "kind": "degenerator", "sigma": 0.5, "minibatch_feature": False, "criterion": "used",
    "loss": "non-saturating", "d_steps": 1, "width": 512, "d_width": 512, "latent": 100, "batch_normalisation": True,
    "n_train": 3500, "learning_rate": 2e-4, "beta1": 0.5, "batch": 64, "epochs": 24, "passes": [1, 15, 24],
    "chain_passes": [1, 2, 4, 8, 15, 24], "fit_pairs": 3500, "heldout": 1000, "pairs": [100, 300, 1000, 3500],
    "decoders": ["identity", "ridge", "ridge-whitened", "mlp"], "eps": 0.25, "noise": 0.5, "reference_draws": 3,
    "overwrite": "sandbox", "shown": 16,
}  # fmt: skip
SYSTEM = (
    "kind", "sigma", "minibatch_feature", "criterion", "loss", "d_steps", "width", "d_width", "latent",
    "batch_normalisation", "n_train", "learning_rate", "beta1", "batch", "epochs",
)  # fmt: skip
SYSTEMS = ("untouched", "danoise", "urandom", "xor-fresh", "xor-fixed", "permutation", "additive", "fgsm")
ONCE = ("untouched", "urandom", "fgsm")  # in which nothing is drawn anew
DECODERS = ("identity", "ridge", "ridge-whitened", "mlp")
COMPONENTS = ("r2", "top1", "probe")
DIRECTIONS = ("china to flower", "flower to china")
STAGES = ("before", "inner loop", "both", "end")
SPREADS = {"r2": 0.01, "top1": 0.1, "probe": 0.4}  # of a component's reading, between runs and draws
BEST = {"r2": "ridge-whitened", "top1": "ridge-whitened", "probe": "identity"}
HARDER = {"r2": 1.0, "top1": 0.8, "probe": 0.6}  # of what is destroyed, as each criterion sees it
CLEAN, CHANCE, CANDIDATES = 0.85, 0.1, 1000
OPTIMUM = -2 * np.log(2)
INDEPENDENT = 0.0285  # mean |Pearson| of independent noise in 784 pixels
BINS, GRID, HESSIAN = 32, 21, 12


def grid():
    """The runs of a study like the default one with sweeps, as differences from the settings."""
    runs = [{"kind": "gan", "sigma": 0.0}, {"kind": "generator", "sigma": 0.0}]
    runs += [{"sigma": sigma} for sigma in (0.0, 0.5, 2.0)]
    runs += [{"minibatch_feature": True}, {"d_steps": 5}, {"d_width": 2048}, {"loss": "minimax"}]
    for criterion in ("used", "ignored"):
        chain = {"kind": "chain", "criterion": criterion}
        runs += [chain, *(chain | {"width": w} for w in (32, 128)), *(chain | {"d_width": w} for w in (64, 2048))]
    return [SETTINGS | run for run in runs]


def destroyed(point, passed):
    """What is destroyed of the images, in percent, after a number of passes."""
    if point["kind"] in ("gan", "generator"):
        return 100.0  # of images that it has not seen
    once = 0.3 + 0.25 * point["sigma"] / (1 + point["sigma"])
    if point["kind"] == "chain":
        return 100 * (1 - (0.7 - once) ** passed)
    return 100 * once * (0.8 + 0.2 * (1 - np.exp(-passed / 8)))


def fresh_value(accuracy):
    """E log D + E log(1 - D) of a discriminator of that accuracy: -log 4 at 1/2, 0 at 1."""
    return OPTIMUM * (2 - 2 * accuracy)


def look(point, passed):
    """What outputs look like after a number of passes: name to value of the randomness metrics."""
    kind = point["kind"]
    learnt = 1 - np.exp(-passed / 8)
    noisy = 0.0 if kind == "gan" else {"generator": 0.9, "degenerator": 0.8, "chain": 0.85}[kind] * learnt
    if point["criterion"] == "ignored":
        noisy = 0.1
    strong = point["d_steps"] > 1 or point["d_width"] > 512 or point["minibatch_feature"]
    alike = 2.0 if strong else 6.0  # sample correlation over that of independent noise
    bits = 3.0 - learnt if kind == "gan" else 4.0 + 3.9 * noisy
    return {
        "ks": 0.5 * (1 - noisy) + 0.002, "bits_per_byte": bits, "chi2_per_dof": 1 + 2000 * (1 - noisy),
        "zlib_ratio": bits / 8, "lzma_ratio": bits / 8, "serial_correlation": 0.5 * (1 - noisy),
        "neighbour_correlation": 0.6 * (1 - noisy), "sample_correlation": INDEPENDENT * alike,
        "participation_ratio": 0.8 if strong else 0.2, "ssim": 0.3 * (1 - noisy) + 0.01,
        "bytes_differing": 90 + 9.3 * noisy, "fresh_accuracy": 1 - 0.1 * noisy,
        "fresh_value": fresh_value(1 - 0.1 * noisy),
    }  # fmt: skip


METRICS = tuple(look(SETTINGS, 1))


LIMITS = {"bits_per_byte": 8.0, "fresh_accuracy": 1.0, "bytes_differing": 100.0}


def limited(name, value):
    """A metric no larger than it can be."""
    return min(value, LIMITS.get(name, np.inf))


def reference(system):
    """A reference: what is destroyed, the randomness metrics, and the classifier's accuracy."""
    noise = {
        "ks": 0.003, "bits_per_byte": 7.9998, "chi2_per_dof": 1.0, "zlib_ratio": 1.0003, "lzma_ratio": 1.0001,
        "serial_correlation": 0.0, "neighbour_correlation": 0.0, "sample_correlation": INDEPENDENT,
        "participation_ratio": 1.0, "ssim": 0.01, "bytes_differing": 100 * (1 - 1 / 256), "fresh_accuracy": 0.5,
    }  # fmt: skip
    image = noise | {
        "ks": 0.8, "bits_per_byte": 2.2, "chi2_per_dof": 40000.0, "zlib_ratio": 0.2, "lzma_ratio": 0.15,
        "serial_correlation": 0.8, "neighbour_correlation": 0.85, "sample_correlation": 0.35,
        "participation_ratio": 0.15, "ssim": 1.0, "bytes_differing": 0.0, "fresh_accuracy": 1.0,
    }  # fmt: skip
    if system in ("danoise", "urandom", "xor-fresh"):
        return 100.0, noise, 0.1
    if system == "untouched":
        return 0.0, image, 0.95
    if system == "xor-fixed":
        fixed = noise | {"bits_per_byte": 7.8, "sample_correlation": 0.5, "participation_ratio": 0.1,
                         "chi2_per_dof": 200.0, "fresh_accuracy": 0.99}  # fmt: skip
        return 0.3, fixed, 0.1
    if system == "permutation":
        moved = {"neighbour_correlation": 0.02, "serial_correlation": 0.02, "ssim": 0.05, "bytes_differing": 35.0}
        return 1.0, image | moved, 0.12
    if system == "additive":
        grey = {"bits_per_byte": 6.5, "neighbour_correlation": 0.2, "ssim": 0.15, "bytes_differing": 90.0}
        return 30.0, image | grey, 0.6
    eps = {"bits_per_byte": 3.0, "ssim": 0.5, "bytes_differing": 60.0}
    return 1.0, image | eps, 0.05


def components(value, album=False):
    """The components of a share destroyed: the least of them is it."""
    share = value / 100
    found = [100 * share ** HARDER[c] if 0 < share < 1 else value for c in COMPONENTS]
    return np.array([*found[:2], np.nan] if album else found)


def noisy(values, rng, quiet=False):
    """Components with the spread that runs have; untouched data have none."""
    return values + (0.0 if quiet else 1.0) * np.array([SPREADS[c] for c in COMPONENTS]) * rng.standard_normal(3)


def least(values):
    """%dd of components (last axis)."""
    return np.nanmin(np.clip(values, 0, 100), -1)


def by_decoder(values, last=True):
    """Raw numbers of every decoder family whose best reads as the components."""
    raw = {
        "r2": 1 - values[0] / 100, "top1": 1 / CANDIDATES + (1 - values[1] / 100) * (1 - 1 / CANDIDATES),
        "probe": CHANCE + (1 - values[2] / 100) * (CLEAN - CHANCE),
    }  # fmt: skip
    found = {}
    for name, best in raw.items():
        worse = {"identity": 0.2, "ridge": 0.9, "ridge-whitened": 0.95, "mlp": 0.8 if last else np.nan}
        worse[BEST[name]] = 1.0
        found[name] = np.array([best * worse[d] for d in DECODERS])
    return found


def fewer(values, pairs):
    """Components as read with fewer pairs: more seems destroyed."""
    numbers = np.asarray(pairs, dtype=float)[:, None]
    return 100 - (100 - values) * (numbers / numbers[-1]) ** 0.25


def histogram(bits, bytes_, rng):
    """Counts of byte values of about so many bits."""
    width = np.clip(2 ** (bits - 8), 1e-3, 1)
    weights = np.exp(-np.arange(256) / (256 * width)) if width < 0.95 else np.ones(256)
    return rng.multinomial(bytes_, weights / weights.sum()).astype(float)


def strokes(shown, shape, rng):
    """Blurred strokes, as stand-ins for digits: (shown, pixel) bytes."""
    row, column = np.mgrid[: shape[0], : shape[1]] / max(shape)
    slope, place = rng.uniform(-1, 1, (shown, 1, 1)), rng.uniform(0.3, 0.7, (shown, 1, 1))
    ink = np.exp(-(((column - place - slope * (row - 0.5)) / 0.08) ** 2)) * (np.abs(row - 0.5) < 0.35)
    return (255 * ink).reshape(shown, -1)


def degenerated(point, originals, passed, rng, texture):
    """Pictures of outputs: noise, with a texture all share, and what is left of the original."""
    kept = 0.0 if point["kind"] in ("gan", "generator") else 1 - destroyed(point, passed) / 100
    if point["kind"] == "gan":
        return np.clip(originals[rng.permutation(len(originals))] + 10 * rng.standard_normal(originals.shape), 0, 255)
    noise = rng.uniform(0, 255, originals.shape)
    return np.floor(np.clip(kept * originals + (1 - kept) * (0.7 * noise + 0.3 * texture), 0, 255))


def one(point, seeds, epochs, passes, shown, originals, pairs, rng):
    """All variables of one run, name to (dims, values)."""
    own = [p for p in (point["chain_passes"] if point["kind"] == "chain" else point["passes"]) if p in passes]
    s, p = seeds, len(passes)
    over = ("seed", "passed")
    jitter = 1 + 0.005 * rng.standard_normal((s, 1))
    t = np.arange(1, epochs + 1)
    learning = np.nan if point["criterion"] == "ignored" else 1.0
    accuracy = 0.5 + 0.45 * np.exp(-t / 6) + 0.03 * (point["d_steps"] - 1) / 4
    size = 0.001 if point["loss"] == "minimax" else 1.0
    found = {
        "value": OPTIMUM * (2 - 2 * accuracy) * jitter, "player_loss": (0.7 + 2 * np.exp(-t / 6)) * jitter,
        "accuracy": accuracy * jitter, "gradient_norm": size * (0.2 + np.exp(-t / 6)) * jitter,
    }  # fmt: skip
    found = {name: (("seed", "epoch"), np.broadcast_to(v * learning, (s, epochs))) for name, v in found.items()}
    found |= {"diverged": (("seed",), np.zeros(s)), "diverged_epoch": (("seed",), np.full(s, np.nan))}
    metrics = {name: np.full((s, p), np.nan) for name in METRICS}
    read, raw = np.full((s, p, 3), np.nan), {name: np.full((s, p, len(DECODERS)), np.nan) for name in COMPONENTS}
    chosen = np.full((s, p, 3), "", dtype=object)
    counts = np.full((s, p, 256), np.nan)
    pictures = np.full((s, p, shown, originals.shape[1]), np.nan, np.float32)
    curve = np.full((s, len(pairs), 3), np.nan)
    album = np.full((s, 2, 3), np.nan)
    for i in range(s):
        texture = rng.uniform(0, 255, originals.shape[1])
        for passed in own:
            j = passes.index(passed)
            values = look(point, passed)
            for name, value in values.items():
                metrics[name][i, j] = limited(name, value * (1 + 0.002 * rng.standard_normal()))
            read[i, j] = noisy(components(destroyed(point, passed)), rng)
            for name, numbers in by_decoder(read[i, j], passed == own[-1]).items():
                raw[name][i, j] = numbers
            chosen[i, j] = [BEST[c] for c in COMPONENTS]
            counts[i, j] = histogram(values["bits_per_byte"], 10_000, rng)
            pictures[i, j] = degenerated(point, originals, passed, rng, texture)
        curve[i] = fewer(read[i, passes.index(own[-1])], pairs)
        for k in range(2):
            album[i, k] = noisy(components(destroyed(point, own[-1]), album=True), rng)
    found |= {name: (over, v) for name, v in metrics.items()} | {
        "component_dd": ((*over, "component"), read), "dd": (over, least_or_nan(read)),
        "chosen": ((*over, "component"), chosen), "histogram": ((*over, "byte"), counts),
        "sample": ((*over, "shown", "pixel"), pictures), "curve_component": (("seed", "pairs", "component"), curve),
        "curve_dd": (("seed", "pairs"), least(curve)), "album_component": (("seed", "direction", "component"), album),
        "album_dd": (("seed",), least(album).mean(-1)),
    }  # fmt: skip
    return found | {name: ((*over, "decoder"), v) for name, v in raw.items()}


def least_or_nan(values):
    """%dd, NaN where there is no component."""
    there = np.isfinite(values).any(-1)
    return np.where(there, least(np.where(there[..., None], values, 0.0)), np.nan)


def references(draws, originals, pairs, rng):
    """What is measured of systems that need no training."""
    number, pixels = len(SYSTEMS), originals.shape[1]
    over, whole = ("system", "draw"), (len(SYSTEMS), draws)
    metrics = {name: np.full(whole, np.nan) for name in METRICS}
    read, album = np.full((*whole, 3), np.nan), np.full((*whole, 2, 3), np.nan)
    raw = {name: np.full((*whole, len(DECODERS)), np.nan) for name in COMPONENTS}
    chosen = np.full((*whole, 3), "", dtype=object)
    curve, counts = np.full((*whole, len(pairs), 3), np.nan), np.full((*whole, 256), np.nan)
    accuracy, pictures = np.full(number, np.nan), np.full((number, 16, pixels), np.nan)
    key = rng.integers(0, 256, pixels)
    images = originals[np.arange(16) % len(originals)].astype(int)
    for i, system in enumerate(SYSTEMS):
        value, metric, accuracy[i] = reference(system)
        quiet = system == "untouched"
        for j in range(1 if system in ONCE else draws):
            for name, v in metric.items():
                spread = 2e-4 if name == "bytes_differing" else 2e-3  # of 784 bytes an image, that of noise is small
                metrics[name][i, j] = limited(name, v * (1 if quiet else 1 + spread * rng.standard_normal()))
            metrics["fresh_value"][i, j] = fresh_value(metrics["fresh_accuracy"][i, j])
            if metric["chi2_per_dof"] == 1:
                metrics["chi2_per_dof"][i, j] += 0.05 * rng.standard_normal()
            read[i, j] = noisy(components(value), rng, quiet)
            curve[i, j] = fewer(read[i, j], pairs) if value > 0 else read[i, j]
            chosen[i, j] = [BEST[c] for c in COMPONENTS]
            counts[i, j] = histogram(metric["bits_per_byte"], 10_000, rng)
            for name, numbers in by_decoder(read[i, j]).items():
                raw[name][i, j] = numbers
            for k in range(2):
                album[i, j, k] = noisy(components(value, album=True), rng, quiet)
        noise = rng.integers(0, 256, images.shape)
        pictures[i] = {
            "untouched": images, "danoise": noise, "urandom": noise, "xor-fresh": images ^ noise, "xor-fixed": images ^ key,
            "permutation": images[:, rng.permutation(pixels)], "additive": np.clip(images + noise - 128, 0, 255),
            "fgsm": np.clip(images + 64 * rng.choice([-1, 1], images.shape), 0, 255),
        }[system]  # fmt: skip
    found = {f"reference_{name}": (over, v) for name, v in metrics.items()}
    found |= {f"reference_{name}": ((*over, "decoder"), v) for name, v in raw.items()}
    return found | {
        "reference_component": ((*over, "component"), read), "reference_dd": (over, least_or_nan(read)),
        "reference_chosen": ((*over, "component"), chosen), "reference_histogram": ((*over, "byte"), counts),
        "reference_curve_component": ((*over, "pairs", "component"), curve),
        "reference_curve_dd": ((*over, "pairs"), least_or_nan(curve)),
        "reference_album_component": ((*over, "direction", "component"), album),
        "reference_album_dd": (over, least_or_nan(album).mean(-1)), "reference_accuracy": (("system",), accuracy),
        "reference_sample": (("system", "shown_reference", "pixel"), pictures),
        "reference_original": (("shown_reference", "pixel"), images.astype(float)),
        "reference_pairs": (("system",), np.where(np.array(SYSTEMS) == "urandom", 0.5, 1.0) * pairs[-1]),
        "reference_heldout": (("system",), np.where(np.array(SYSTEMS) == "urandom", 0.5, 1.0) * CANDIDATES),
    }  # fmt: skip


def line():
    """Figure 6 in one dimension: a mixture that becomes uniform."""
    x = (np.arange(BINS) + 0.5) / BINS
    bumps = np.exp(-(((x - 0.3) / 0.06) ** 2)) + np.exp(-(((x - 0.7) / 0.06) ** 2))
    p_x, flat = bumps / bumps.mean(), np.ones(BINS)
    mixed = np.array([1.0, 1.0, 0.5, 0.02])[:, None]
    p_d = mixed * p_x + (1 - mixed) * (1 + 0.02 * np.sin(40 * x))
    optimal = flat / (flat + p_d)
    discriminator = optimal + np.array([0.2, 0.02, 0.1, 0.01])[:, None] * np.cos(6 * x)
    grid_ = np.linspace(0, 1, GRID)
    to = np.array([1.0, 1.0, 0.6, 0.05])[:, None] * (grid_ - 0.5) + 0.5
    return {
        "line_p_x": (("line_bin",), p_x), "line_p_d": (("line_stage", "line_bin"), p_d),
        "line_p_noise": (("line_bin",), flat), "line_discriminator": (("line_stage", "line_bin"), discriminator),
        "line_optimal": (("line_stage", "line_bin"), optimal),
        "line_chi2_per_dof": (("line_stage",), np.array([800.0, 800.0, 200.0, 1.3])), "line_chi2_noise": ((), 1.05),
        "line_mapping": (("line_stage", "line_grid"), to),
    }, {"line_bin": x, "line_stage": list(STAGES), "line_grid": grid_}  # fmt: skip


def saddle():
    """Theorem 1 on a small game: the joint Hessian has both signs, that of the criterion one.

    The names are those of ``advdyn.degeneration.saddle.run`` with the prefix that ``collect`` gives them.
    """
    size = np.linspace(0.1, 1.0, HESSIAN // 2)
    joint, own = np.concatenate([-size[::-1], 0.5 * size]), 0.125 * np.ones(HESSIAN // 3)
    whole, alone = ("saddle_game_direction",), ("saddle_direction",)
    single = {
        "gradient_norm": 1e-16, "control_gradient_norm": 0.03, "criterion_gradient_norm": 1e-17,
        "control_criterion_gradient_norm": 0.04, "value": OPTIMUM, "criterion": OPTIMUM,
        "control_criterion": OPTIMUM + 0.006, "difference": 1e-9,
    }  # fmt: skip
    return {f"saddle_{name}": ((), value) for name, value in single.items()} | {
        "saddle_eigenvalue": (whole, joint), "saddle_eigenvalue_formula": (whole, joint),
        "saddle_criterion_eigenvalue": (alone, own), "saddle_control_criterion_eigenvalue": (alone, own * 1.05),
    }, {"saddle_game_direction": np.arange(len(joint)), "saddle_direction": np.arange(len(own))}  # fmt: skip


def overwritten(pixels):
    """The sandbox after its files were overwritten."""
    present = np.array([3500.0 * pixels, 2.2e6])
    return {
        "bytes_present": (("file",), present), "bytes_overwritten": (("file",), present),
        "file_bytes_differing": (("file",), np.array([98.2, 100 * (1 - 1 / 256)])), "source_unchanged": ((), 1.0),
        "verified": ((), 1.0), "copies": ((), 1.0), "discriminator_accuracy": (("when",), np.array([0.97, 0.5])),
        "discriminator_undecided": ((), 0.998), "source_differing": (("file",), np.zeros(2)),
        "overwritten_by": ((), "degenerator"),
    }, {"file": ["images.bin", "discriminator.bin"], "when": ["before", "after"]}  # fmt: skip


def illustrated(originals, shown, rng):
    """Figure 4: FGSM beside what the trained networks put out."""
    names = ["original", "fgsm", "generator", "degenerator"]
    noise = rng.uniform(0, 255, originals.shape)
    pictures = np.stack([originals, np.clip(originals + 64 * np.sign(noise - 128), 0, 255), noise,
                         0.4 * originals + 0.6 * noise])  # fmt: skip
    true = np.arange(shown) % 10
    said = np.stack([true, (true + 1) % 10, np.full(shown, 8), np.full(shown, 8)])
    return {
        "pictures": (("picture", "shown", "pixel"), np.floor(pictures)), "predicted": (("picture", "shown"), said),
        "confidence": (("picture", "shown"), rng.uniform(0.6, 1, (4, shown))), "true": (("shown",), true),
        "picture_accuracy": (("picture",), np.array([0.95, 0.05, 0.1, 0.11])),
        "picture_ssim": (("picture",), np.array([1.0, 0.5, 0.01, 0.1])),
    }, {"picture": names}  # fmt: skip


def study(points=None, seeds=2, epochs=24, shape=(28, 28), shown=16, draws=3, pairs=None, once=True, rng=0, **settings):
    """A collected study of some runs (differences from the settings), or of those of ``grid``.

    Without ``once`` it holds the runs alone, as when nothing else has finished.
    """
    rng = np.random.default_rng(rng)
    points = grid() if points is None else [SETTINGS | point for point in points]
    points = [point | {n: [p for p in point[n] if p <= epochs] for n in ("passes", "chain_passes")} for point in points]
    pairs = SETTINGS["pairs"] if pairs is None else list(pairs)
    passes = sorted({p for point in points for p in point["chain_passes" if point["kind"] == "chain" else "passes"]})
    originals = strokes(shown, shape, rng)
    coordinates = {
        "seed": np.arange(seeds), "epoch": np.arange(1, epochs + 1), "passed": passes, "decoder": list(DECODERS),
        "component": list(COMPONENTS), "pairs": pairs, "direction": list(DIRECTIONS), "byte": np.arange(256),
    }  # fmt: skip
    found, dims = {}, {}
    for i, point in enumerate(points):
        for name, (axes, values) in one(point, seeds, epochs, passes, shown, originals, pairs, rng).items():
            if name not in found:
                kind = object if values.dtype == object else np.float32 if "pixel" in axes else float
                found[name] = np.full((len(points), *values.shape), "" if kind is object else np.nan, kind)
                dims[name] = ("run", *axes)
            found[name][i] = values
    variables = {name: (dims[name], values) for name, values in found.items()} | {
        "original": (("shown", "pixel"), originals)
    }
    if once:
        own, labels = references(draws, originals, pairs, rng), {"system": list(SYSTEMS), "draw": np.arange(draws)}
        variables |= own | {"test_accuracy": ((), 0.95), "altered_bytes": ((), 0.0), "validation_error": ((), 0.05)}
        for more, places in (line(), saddle(), overwritten(originals.shape[1]), illustrated(originals, shown, rng)):
            variables |= more
            labels |= places
        coordinates |= labels
    attrs = {"long_name": "made up", "units": "1"}
    return xr.Dataset(
        {name: (axes, values, attrs) for name, (axes, values) in variables.items()},
        coordinates | {name: ("run", [int(p[name]) if name == "minibatch_feature" else p[name] for p in points]) for name in SYSTEM},
        {"reference": json.dumps(SETTINGS | {"pairs": pairs} | settings), "title": "made up", "partial": "",
         "image_shape": ",".join(map(str, shape))},
    )  # fmt: skip


def tiny(**options):
    """A study of a generator and a degenerator, one seed, small pictures, nothing else."""
    return study(
        [{"kind": "generator", "sigma": 0.0}, {}],
        **({"seeds": 1, "epochs": 2, "shape": (8, 8), "shown": 4, "pairs": [10, 20], "once": False} | options),
    )  # fmt: skip
