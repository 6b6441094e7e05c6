"""The references that need no training, measured as the trained runs are: where the answer is known beforehand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import xarray as xr

from advdyn import devices, io
from advdyn.data.load import Images
from advdyn.degeneration import measure, systems
from advdyn.degeneration import urandom as os_bytes
from advdyn.degeneration.measure import Bytes, Known, Settings
from advdyn.degeneration.systems import SYSTEMS, floats
from advdyn.errors import InputError
from advdyn.gan import judge as judges
from advdyn.logs import Progress, log

VALIDATION = 500  # validation images at most, as of the trained runs
SHOWN = 16
ONCE = ("untouched", "urandom", "fgsm")  # nothing in them is drawn, or only once; their other draws are NaN
FEWEST = 20  # pairs to fit


def run(
    classifier: xr.Dataset,
    urandom: xr.Dataset,
    images: Images,
    album: Bytes,
    *,
    eps: float,
    noise: float,
    fit_pairs: int,
    heldout: int,
    reference_draws: int,
    pairs: Sequence[int],
    decoders: Sequence[str],
    penalties: Sequence[float],
    decoder_width: int,
    decoder_epochs: int,
    fresh_epochs: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """Measure the references of ``systems``.

    Keys and noise of a draw are those of its own seed, and are shared by all its images, the album's among them.
    The bytes of ``urandom`` were drawn once and are never used twice: where they do not suffice, 60, 10 and 30 % of
    the images that there are bytes for are fitted, validate and are held out, and the curve ends there. There is no
    album of them.

    Parameters
    ----------
    classifier
        Of ``classifier.run``: FGSM follows its gradient, of true labels (on the album, of predicted ones).
    urandom
        Of ``urandom.draw``.
    images, album
        As for ``measure.run``; the first ``fit_pairs`` training images, 500 validation images at most, and the first
        ``heldout`` test images are degenerated.
    eps, noise
        See ``systems.apply``, in pixel ranges.
    reference_draws
        Draws of each system; of untouched, urandom and fgsm, in which nothing is drawn anew, the first is the only one.
    pairs, decoders, penalties, decoder_width, decoder_epochs, fresh_epochs, root, device, dtype
        As for ``measure.run``; a draw takes the place of a seed.

    Returns
    -------
    Dataset
        The variables of ``measure.VARIABLES`` with the prefix ``reference_`` over (system, draw);
        ``reference_pairs`` and ``reference_heldout`` (system), pairs fitted and scored; ``reference_accuracy``
        (system), of the classifier on the held-out outputs, mean over draws; ``reference_sample`` (system,
        shown_reference, pixel) uint8 and ``reference_original``, of the first held-out images.

    Raises
    ------
    InputError
        When images or random bytes do not suffice, or a file is none of what is expected.
    """
    settings = Settings(
        tuple(pairs), tuple(decoders), tuple(penalties), decoder_width, decoder_epochs, fresh_epochs, root,
        devices.resolve(device), devices.DTYPES[dtype],
    )  # fmt: skip
    judge, whole = judges.of(classifier), os_bytes.verified(urandom)
    sizes = [fit_pairs, min(VALIDATION, len(images.x_validation)), heldout]
    known = Known.of(images, album, sizes, settings)
    pixels = album.shape[-1]
    fewer = systems.available(whole, sizes, pixels)
    if fewer[0] < FEWEST:
        raise InputError(f"urandom: found bytes of {len(whole) // pixels} images, which do not suffice to fit decoders")
    lesser, little = settings, known
    if fewer != sizes:
        lesser = replace(settings, pairs=(*(n for n in pairs if n < fewer[0]), fewer[0]))
        little = Known.of(images, album, fewer, lesser)

    lengths = {name: c.size for name, c in measure.coordinates(settings).items()}
    values = measure.empty(lengths, (len(SYSTEMS), reference_draws))
    accuracy = np.full((len(SYSTEMS), reference_draws), np.nan)
    shown = min(SHOWN, fewer[-1])
    sample = np.zeros((len(SYSTEMS), shown, pixels), np.uint8)
    used = np.zeros((2, len(SYSTEMS)), np.int64)
    progress = Progress(len(SYSTEMS) * reference_draws, "draws")
    for done, (i, draw) in enumerate(np.ndindex(len(SYSTEMS), reference_draws)):
        progress(done)
        name = SYSTEMS[i]
        if name in ONCE and draw > 0:
            continue
        own, mine = (lesser, little) if name == "urandom" else (settings, known)
        photographs = name != "urandom"
        given = [*mine.originals, *(album if photographs else ())]
        labels = np.concatenate([*mine.labels, np.full(sum(map(len, given[3:])), -1)])
        made = systems.apply(
            name, np.concatenate(given), measure.generator(root, draw, name), eps=eps, noise=noise, judge=judge,
            labels=labels, whole=whole,
        )  # fmt: skip
        parts = np.split(made, np.cumsum([len(x) for x in given])[:-1])
        degenerated = np.stack(parts[3:]) if photographs else None
        numbers = measure.measured(parts[:3], degenerated, mine, own, draw, last=True)
        for variable, value in numbers.items():
            if variable.startswith("curve_"):
                values[variable][i, draw, [pairs.index(n) for n in own.pairs if n in pairs]] = [
                    v for n, v in zip(own.pairs, value, strict=True) if n in pairs
                ]
            else:
                values[variable][i, draw] = value
        accuracy[i, draw] = judge.accuracy(floats(parts[2]), mine.labels[2])
        used[:, i] = own.pairs[-1], len(parts[2])
        if draw == 0:
            sample[i] = parts[2][:shown]
        log.info("%s, draw %d: %%dd %.3f", name, draw, values["dd"][i, draw])
    progress(len(SYSTEMS) * reference_draws)

    data = measure.variables(values, ("system", "draw"), "reference_")
    data["reference_accuracy"] = io.variable(
        ("system",), np.nanmean(accuracy, 1), "share of held-out outputs that the classifier gives the original's class"
    )
    for name, what, n in zip(("pairs", "heldout"), ("fitted", "scored"), used, strict=True):
        data[f"reference_{name}"] = io.variable(("system",), n, f"pairs {what}", "pair")
    dims = ("shown_reference", "pixel")
    data["reference_sample"] = io.variable(("system", *dims), sample, "degenerated images", "byte")
    data["reference_original"] = io.variable(dims, known.originals[2][:shown], "their originals", "byte")
    coords = {
        "system": io.variable(("system",), np.array(SYSTEMS, object), "reference"),
        "draw": io.variable(("draw",), np.arange(reference_draws), "independent draw of keys and noise"),
    }
    attrs = {"title": "References of degeneration", "device": settings.device.type, "dtype": dtype}
    return xr.Dataset(data, coords=coords | measure.coordinates(settings), attrs=attrs)
