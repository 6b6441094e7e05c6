"""What the numbers of generated images are read against: real images, a memoriser, a fitted Gaussian, and noise."""

from typing import Literal

import numpy as np
import xarray as xr

from advdyn import devices, io
from advdyn.data.load import Images
from advdyn.gan.noise import to_bytes
from advdyn.generation import evaluation
from advdyn.generation.evaluation import MEASURES, Floats, as_bytes, stream_of
from advdyn.logs import Progress

SOURCES = ("real", "copies", "gaussian", "noise")
SEED = 1_000_000  # no generator has it: draw number i of a reference has the random numbers of seed SEED + i
SHOWN = 16


def sources(images: Images, n_train: int, samples: int, draw: int, root: int) -> dict[str, tuple[Floats, Floats]]:
    """Each reference, and the real images that it is compared with: two arrays (samples, pixel) of bytes over 255.

    ``real`` (the floor): two samples of test images, in the first draw the first and the second so many, then random
    ones. The others are compared with the first test images, as generators are. ``copies``: training images, what a
    generator gives that memorises. ``gaussian``: normal with mean and covariance of the training images, clipped to
    [0, 1]. ``noise``: every pixel uniform.
    """
    real, training = images.x_test[:samples], images.x_train[:n_train]
    streams = {name: stream_of(root, SEED + draw, name) for name in SOURCES}
    order = np.arange(len(images.x_test)) if draw == 0 else streams["real"].permutation(len(images.x_test))
    rows = streams["copies"].choice(len(training), samples, replace=samples > len(training))
    mean = training.mean(0, dtype=np.float64)
    # a combination of centred images with independent normal weights has their covariance; no decomposition is needed
    normal = streams["gaussian"].standard_normal((samples, len(training)))
    spread = normal @ (training - mean) / np.sqrt(max(1, len(training) - 1))
    return {
        "real": (images.x_test[order[samples : 2 * samples]], images.x_test[order[:samples]]),
        "copies": (training[rows], real),
        "gaussian": (as_bytes(np.clip(mean + spread, 0, 1)), real),
        "noise": (as_bytes(streams["noise"].random((samples, training.shape[1]))), real),
    }


def run(
    judge: xr.Dataset,
    images: Images,
    *,
    n_train: int,
    samples: int,
    fresh_epochs: int,
    reference_draws: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Judge the references exactly as generators are judged.

    Parameters
    ----------
    judge
        Of ``generation.judging.run``.
    images, n_train, samples, fresh_epochs, root, device, dtype
        As in ``evaluation.run``.
    reference_draws
        Independent draws of each reference; of ``real`` and ``copies`` independent cuts of the images there are.

    Returns
    -------
    Dataset
        ``reference_<name>`` over (source, draw) for each of MEASURES, ``reference_sample`` (source, shown_reference,
        pixel) uint8 of the first draw, and ``judge_accuracy``.

    Raises
    ------
    InputError
        See ``evaluation.check``.
    """
    found = evaluation.check(images, judge, n_train, samples)
    where = devices.resolve(device)
    training, shown = images.x_train[:n_train], min(SHOWN, samples)
    shape = len(SOURCES), reference_draws
    values = evaluation.empty(shape, found)
    pictures = np.zeros((len(SOURCES), shown, training.shape[1]), np.uint8)
    progress = Progress(shape[0] * shape[1], "references")
    for draw in range(reference_draws):
        for s, (name, (candidate, real)) in enumerate(sources(images, n_train, samples, draw, root).items()):
            progress(draw * shape[0] + s)
            one = evaluation.measure(
                candidate, real, training, found, fresh_epochs=fresh_epochs,
                stream=stream_of(root, SEED + draw, f"{name} judged"), device=where,
            )  # fmt: skip
            for measure, value in one.items():
                values[measure][s, draw] = value
            if draw == 0:
                pictures[s] = to_bytes(candidate[:shown])
    progress(shape[0] * shape[1])
    data = {
        f"reference_{name}": io.variable(("source", "draw", *dims), values[name], text, units, references)
        for name, (dims, text, units, references) in MEASURES.items()
    }
    data["reference_sample"] = io.variable(
        ("source", "shown_reference", "pixel"), pictures, "images of the references", "byte"
    )
    data["judge_accuracy"] = judge["judge_accuracy"].variable
    coords = {
        "source": io.variable(("source",), list(SOURCES), "reference"),
        "draw": io.variable(("draw",), np.arange(reference_draws), "draw of the reference"),
        "class": evaluation.classes(found),
    }
    attrs = {
        "title": "References for generated images", "device": where.type, "dtype": dtype,
        "image_shape": ",".join(map(str, images.shape)), "generator": "SFC64",
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs=attrs)
