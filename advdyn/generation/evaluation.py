"""Generators judged from outside the game, at every epoch that was kept.

Real images (test), what they are compared with, and the judge's own images are disjoint parts of one source. Outputs
of a generator are seen as bytes, as the images were: a sigmoid never gives the exact 0 of an empty background, and
what would tell them apart then is the format of the file.
"""

import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import devices, io, seeds
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan import generator, noise
from advdyn.gan.fresh import REFERENCES as FRESH
from advdyn.gan.fresh import fresh
from advdyn.gan.judge import Judge, of
from advdyn.generation import metrics
from advdyn.logs import Progress, log
from advdyn.perceptrons import Mlps

Floats = npt.NDArray[np.floating[Any]]

TWO_SAMPLE = "Lopez-Paz and Oquab, arXiv:1610.06545"
HEUSEL = "Heusel et al., arXiv:1706.08500, eq. (6), on features of the judge"
SALIMANS = "Salimans et al., arXiv:1606.03498, with the judge in the place of Inception"
PICTURED = 16  # samples whose nearest training image is kept as a picture

# name: (dimensions after those of the sample, long name, units, references)
MEASURES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "frechet": ((), "Frechet distance to real images, of the judge's features", "1", HEUSEL),
    "score": ((), "judge's score, exp of the mean KL(p(y|x) || p(y))", "1", SALIMANS),
    "neighbour_accuracy": ((), "accuracy of the leave-one-out nearest-neighbour test against real images", "1",
                           TWO_SAMPLE),
    "neighbour_real": ((), "share of real images whose nearest neighbour is real", "1", TWO_SAMPLE),
    "neighbour_fake": ((), "share of samples whose nearest neighbour is a sample", "1", TWO_SAMPLE),
    "linear_accuracy": ((), "held-out accuracy of a linear classifier, samples against real images", "1", TWO_SAMPLE),
    "fresh_accuracy": ((), "held-out accuracy of a fresh discriminator, samples against real images", "1", FRESH),
    "fresh_value": ((), "held-out E log D(real) + E log(1 - D(sample)) of a fresh discriminator", "nat", FRESH),
    "nearest": ((), "mean l2 distance of a sample to the nearest training image", "pixel range", ""),
    "class_share": (("class",), "share of samples that the judge assigns to the class", "1", ""),
    "class_distance": ((), "total variation between class shares of samples and of real images", "1", ""),
    "confidence": ((), "mean of the judge's largest probability", "1", ""),
}  # fmt: skip


def measure(
    candidate: Floats,
    real: Floats,
    training: Floats,
    judge: Judge,
    *,
    fresh_epochs: int,
    stream: np.random.Generator,
    device: torch.device,
) -> dict[str, Any]:
    """Everything that MEASURES names, of one sample of images.

    The linear classifier and the fresh discriminator are trained on one random half of both samples and scored on the
    other, then the other way round, and the two are averaged.

    Parameters
    ----------
    candidate, real : (n, pixel) each
        The sample judged, and real images that it is compared with, in [0, 1].
    training : (m, pixel)
        Images the generator was trained on.
    judge
        Trained on none of these.
    fresh_epochs
        Of the fresh discriminator, at most.
    stream
        Cuts the halves and trains the discriminator.
    device
        Of the discriminator.
    """
    features, truth = judge.features(candidate), judge.features(real)
    p, q = judge.probabilities(candidate), judge.probabilities(real)
    accuracy, on_real, on_fake = metrics.neighbour_test(real, candidate)
    linear = metrics.linear_test(real, candidate, stream)
    halves = [np.array_split(x[stream.permutation(len(x))], 2) for x in (real, candidate)]
    found = [
        fresh(
            halves[0][a],
            halves[1][a],
            halves[0][b],
            halves[1][b],
            epochs=fresh_epochs,
            generator=stream,
            device=device,
        )
        for a, b in ((0, 1), (1, 0))
    ]
    shares = metrics.class_shares(p)
    return {
        "frechet": metrics.frechet(features, truth),
        "score": metrics.score(p),
        "neighbour_accuracy": accuracy,
        "neighbour_real": on_real,
        "neighbour_fake": on_fake,
        "linear_accuracy": linear,
        "fresh_accuracy": np.mean([f.accuracy for f in found]),
        "fresh_value": np.mean([f.value for f in found]),
        "nearest": metrics.nearest(candidate, training)[0].mean(),
        "class_share": shares,
        "class_distance": metrics.share_distance(shares, metrics.class_shares(q)),
        "confidence": p.max(1).mean(),
    }


def check(images: Images, judge: xr.Dataset, n_train: int, samples: int) -> Judge:
    """The judge, once it is known that no image plays two parts.

    Raises
    ------
    InputError
        When the judge saw images that generators are trained on, or was made for other images, or the test images do
        not suffice for ``samples`` and as many more (the floor).
    """
    found, own = of(judge), int(judge["judge_images"])
    if n_train + own > len(images.x_train):
        raise InputError(
            f"judge_images: found {own} with n_train {n_train}, allowed: together at most {len(images.x_train)}, the "
            "training images there are (a judge must not have seen those of the generator)"
        )
    if 2 * samples > len(images.x_test):
        raise InputError(
            f"samples: found {samples}, allowed: at most {len(images.x_test) // 2}, half the test images there are"
        )
    if found.weights[0].shape[0] != images.x_train.shape[1]:
        raise InputError(
            f"judge: made for {found.weights[0].shape[0]} pixels, the images have {images.x_train.shape[1]}"
        )
    return found


def as_bytes(x: Floats) -> Floats:
    """Outputs in [0, 1] as the bytes of an image file, and these over 255 again, float32."""
    return noise.to_bytes(x).astype(np.float32) / np.float32(255)


def run(
    record: xr.Dataset,
    weights: Mapping[str, npt.NDArray[Any]],
    judge: xr.Dataset,
    images: Images,
    *,
    n_train: int,
    samples: int,
    fresh_epochs: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Judge the generators of a block of seeds at every epoch kept.

    Parameters
    ----------
    record, weights
        Of ``generation.training.run``; neither is changed.
    judge
        Of ``generation.judging.run``.
    images
        The first ``samples`` test images are the real ones.
    n_train
        Images the generators were trained on.
    samples
        Drawn of each generator (the same latent vectors at every epoch).
    fresh_epochs
        Of the fresh discriminator, at most.
    root
        Root of the random streams; only "evaluation" is drawn from.
    device, dtype
        Of the generators' outputs and the fresh discriminator (which is float32 always).

    Returns
    -------
    Dataset
        MEASURES over (seed, kept), ``class_share`` also over class; ``nearest_index`` (seed, shown): the training
        image nearest to each sample shown of the last epoch kept (-1: none); of the first of them ``nearest_distance``
        (seed, shown_nearest) and ``nearest_image`` (seed, shown_nearest, pixel), 0 to 255. NaN for runs that diverged.

    Raises
    ------
    InputError
        See ``check``.
    """
    found = check(images, judge, n_train, samples)
    where = devices.resolve(device)
    real, training = images.x_test[:samples], images.x_train[:n_train]
    numbers, kept = record["seed"].values.tolist(), record["kept"].values.tolist()
    shape = len(numbers), len(kept)
    values = empty(shape, found)
    shown = record["sample"].isel(kept=-1).transpose("seed", "shown", "pixel").to_numpy()
    index = np.full(shown.shape[:2], -1, np.int32)
    pictured = min(PICTURED, shown.shape[1])
    distance = np.full((shape[0], pictured), np.nan, np.float32)
    picture = np.full((shape[0], pictured, training.shape[1]), np.nan, np.float32)
    progress = Progress(shape[0] * shape[1], "generators")
    for k, epoch in enumerate(kept):
        players = Mlps.of(weights, f"generator/{k}/").to(where, devices.DTYPES[dtype])
        latent = [stream_of(root, seed, "latent").standard_normal((samples, players.sizes[0])) for seed in numbers]
        outputs = generator.sample(players, np.stack(latent))
        for i, (seed, out) in enumerate(zip(numbers, outputs, strict=True)):
            progress(k * len(numbers) + i)
            if not np.isfinite(out).all():
                log.warning("seed %d, epoch %d: diverged, not judged", seed, epoch)
                continue
            one = measure(
                as_bytes(out), real, training, found, fresh_epochs=fresh_epochs,
                stream=stream_of(root, seed, "judged", epoch), device=where,
            )  # fmt: skip
            for name, value in one.items():
                values[name][i, k] = value
            if k == len(kept) - 1:
                away, index[i] = metrics.nearest(shown[i].astype(np.float32) / np.float32(255), training)
                distance[i], picture[i] = away[:pictured], np.rint(255 * training[index[i, :pictured]])
    progress(shape[0] * shape[1])
    data = {
        name: io.variable(("seed", "kept", *dims), values[name], text, units, references)
        for name, (dims, text, units, references) in MEASURES.items()
    }
    data["nearest_index"] = io.variable(
        ("seed", "shown"), index, "training image nearest to the sample shown of the last epoch kept; -1: none"
    )
    data["nearest_distance"] = io.variable(
        ("seed", "shown_nearest"), distance, "l2 distance of the first samples shown to it", "pixel range"
    )
    data["nearest_image"] = io.variable(
        ("seed", "shown_nearest", "pixel"), picture, "training images nearest to the first samples shown", "byte"
    )
    coords = {name: record[name].variable for name in ("seed", "kept")} | {"class": classes(found)}
    if "shown" in record.coords:
        coords["shown"] = record["shown"].variable
    attrs = {
        "title": "Generators judged from outside the game", "device": where.type, "dtype": dtype,
        "image_shape": ",".join(map(str, images.shape)), "generator": "SFC64",
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs=attrs)


def empty(shape: tuple[int, ...], judge: Judge) -> dict[str, npt.NDArray[np.float32]]:
    """NaN for all of MEASURES, of samples along the axes of ``shape``."""
    lengths = {"class": judge.classes}
    return {n: np.full((*shape, *(lengths[d] for d in m[0])), np.nan, np.float32) for n, m in MEASURES.items()}


def classes(judge: Judge) -> xr.Variable:
    """The coordinate of the judge's classes."""
    return io.variable(("class",), np.arange(judge.classes), "class")


def stream_of(root: int, seed: int, name: str, *more: int) -> np.random.Generator:
    """A stream of its own for each name, and epoch, of a seed: it does not depend on which others are judged."""
    parent = seeds.sequence(root, "generation", seed, "evaluation")
    key = (*parent.spawn_key, zlib.crc32(name.encode()), *more)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(parent.entropy, spawn_key=key)))
