"""What outputs of degenerated images still tell of them, and how far they look like noise: all numbers of each run.

Every number of a run depends on its outputs, on the originals and on (root, seed) only. What is drawn to measure comes
from the evaluation streams of the seed, one for each quantity by its name, so that another pass or another run in the
job changes nothing.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import devices, io, seeds
from advdyn.data.load import Images
from advdyn.degeneration import randomness, recover
from advdyn.degeneration.album import PHOTOGRAPHS
from advdyn.degeneration.decoders import Integers, Pairs, Probe
from advdyn.degeneration.recover import COMPONENTS, Recovery
from advdyn.degeneration.systems import floats, to_bytes
from advdyn.errors import InputError
from advdyn.gan import fresh
from advdyn.gan.noise import danoise
from advdyn.logs import Progress, log

STUDY = "degeneration"
DIRECTIONS = tuple(f"{a} to {b}" for a, b in (PHOTOGRAPHS, PHOTOGRAPHS[::-1]))
PARTS = ("fit", "validation", "heldout")
ALBUM_FIT = 0.8  # share of a photograph's patches that are fitted; the others validate

Bytes = npt.NDArray[np.uint8]
Values = dict[str, Any]

_DD = "recoverability reading of what is destroyed (smallest component, cut to 0 to 100)"
_COMPONENT = "component of %dd, unclipped; independent outputs read 100, untouched ones 0"
# name: dims after those of the runs, long name, unit, references
VARIABLES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "r2": (("decoder",), "R^2 of the reconstructions of held-out originals, against the mean image", "1", ""),
    "top1": (("decoder",), "share of held-out outputs whose own original is nearest to the reconstruction", "1", ""),
    "probe": (("decoder",), "share of labels of held-out originals that a linear probe tells", "1", ""),
    "component": (("component",), _COMPONENT, "%", ""),
    "chosen": (("component",), "family of decoders that validation chose for the component", "1", ""),
    "dd": ((), _DD, "%", ""),
    "curve_component": (("pairs", "component"), f"{_COMPONENT}; by number of pairs fitted", "%", ""),
    "curve_dd": (("pairs",), f"{_DD}; by number of pairs fitted", "%", ""),
    "curve_r2": (("pairs", "decoder"), "R^2 of the reconstructions; by number of pairs fitted", "1", ""),
    "curve_top1": (("pairs", "decoder"), "share of originals picked; by number of pairs fitted", "1", ""),
    "curve_probe": (("pairs", "decoder"), "share of labels a linear probe tells; by number of pairs fitted", "1", ""),
    "album_component": (("direction", "component"), f"{_COMPONENT}; of the album", "%", ""),
    "album_dd": ((), f"{_DD}; of the album, mean over the directions", "%", ""),
    **{name: ((), *text) for name, text in randomness.METRICS.items()},
    "fresh_accuracy": ((), "balanced accuracy of a fresh discriminator of DANOISE and outputs, held-out", "1", ""),
    "fresh_value": ((), "its value E log D + E log(1 - D)", "nat", "Goodfellow et al., arXiv:1406.2661, eq. (1)"),
    "histogram": (("byte",), "held-out outputs' bytes of this value", "byte", ""),
}


@dataclass(frozen=True)
class Settings:
    """Of the attacker and the fresh discriminator; see ``model.Model``."""

    pairs: tuple[int, ...]
    decoders: tuple[str, ...]
    penalties: tuple[float, ...]
    decoder_width: int
    decoder_epochs: int
    fresh_epochs: int
    root: int
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class Known:
    """The originals, and what is fitted on them alone, once for all runs.

    Attributes
    ----------
    originals
        Bytes (n, pixel) of the fit, validation and held-out part.
    labels
        Theirs, (n,).
    album
        Bytes (photograph, patch, pixel).
    shape
        Of an image.
    probes
        Number of pairs to the label probe of the originals.
    """

    originals: tuple[Bytes, ...]
    labels: tuple[Integers, ...]
    album: Bytes
    shape: tuple[int, ...]
    probes: Mapping[int, Probe | None]

    @classmethod
    def of(cls, images: Images, album: Bytes, sizes: Sequence[int], settings: Settings) -> "Known":
        """The first images of the training, validation and test split, so many of each.

        Raises
        ------
        InputError
            When a split has fewer, when the pairs to fit are fewer than ``pairs``, or pixels lie outside [0, 1].
        """
        splits = (
            (images.x_train, images.y_train), (images.x_validation, images.y_validation),
            (images.x_test, images.y_test),
        )  # fmt: skip
        for name, n, (x, _) in zip(PARTS, sizes, splits, strict=True):
            if not 2 <= n <= len(x):
                raise InputError(f"{name} pairs: found {n}, allowed: 2 to {len(x)}, the images there are")
        if settings.pairs[-1] > sizes[0]:
            raise InputError(f"pairs: found {settings.pairs[-1]}, allowed: at most {sizes[0]}, the pairs to fit")
        originals = tuple(to_bytes(x[:n]) for n, (x, _) in zip(sizes, splits, strict=True))
        labels = tuple(y[:n] for n, (_, y) in zip(sizes, splits, strict=True))
        fit, validation, _ = (Pairs(floats(x), floats(x), y) for x, y in zip(originals, labels, strict=True))
        probes = {n: recover.probe_of(fit.first(n), validation, settings.penalties) for n in settings.pairs}
        return cls(originals, labels, album, images.shape, probes)


def generator(root: int, seed: int, name: str) -> np.random.Generator:
    """The generator of one quantity: it depends on root, seed and name only, and is no stream of the training's."""
    parent = seeds.sequence(root, STUDY, seed, "evaluation")
    child = np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, zlib.crc32(name.encode())))
    return np.random.Generator(np.random.SFC64(child))


def recovered(parts: Sequence[Bytes], known: Known, n: int, settings: Settings, seed: int, *, mlp: bool) -> Recovery:
    """What of the held-out images an attacker recovers who fits on the first ``n`` pairs."""
    fit, validation, heldout = (
        Pairs(floats(o), floats(x), y) for o, x, y in zip(parts, known.originals, known.labels, strict=True)
    )
    return recover.components(
        fit.first(n), validation, heldout, probe=known.probes[n], **_attack(settings, seed, f"decoder {n}", mlp=mlp)
    )


def album_recovered(album: Bytes, known: Known, settings: Settings, seed: int) -> list[Recovery]:
    """What of each photograph is recovered by an attacker who fits on the other, without labels.

    A fifth of the other's patches validate; at most as many pairs are fitted as of the images.

    Parameters
    ----------
    album : (photograph, patch, pixel)
        The outputs.

    Returns
    -------
    One for each of DIRECTIONS.
    """
    patches = album.shape[1]
    cut = int(ALBUM_FIT * patches)
    first, second = (Pairs(floats(o), floats(x)) for o, x in zip(album, known.album, strict=True))
    found = []
    for direction, one, other in zip(DIRECTIONS, (first, second), (second, first), strict=True):
        validation = Pairs(one.outputs[cut:], one.originals[cut:])
        fit = one.first(min(cut, settings.pairs[-1]))
        found.append(recover.components(fit, validation, other, **_attack(settings, seed, direction, mlp=True)))
    return found


def _attack(settings: Settings, seed: int, name: str, *, mlp: bool) -> dict[str, Any]:
    return {
        "decoders": [family for family in settings.decoders if mlp or family != "mlp"],
        "penalties": settings.penalties,
        "decoder_width": settings.decoder_width,
        "decoder_epochs": settings.decoder_epochs,
        "generator": generator(settings.root, seed, name),
        "device": settings.device,
        "dtype": settings.dtype,
    }


def measured(
    parts: Sequence[Bytes], album: Bytes | None, known: Known, settings: Settings, seed: int, *, last: bool
) -> Values:
    """All numbers of one set of outputs, by name, in the dims of VARIABLES.

    Parameters
    ----------
    parts
        Outputs (n, pixel) of the fit, validation and held-out images.
    album : (photograph, patch, pixel)
        Outputs of the album, or None.
    known, settings
        Once for all runs.
    seed
        Whose evaluation streams are drawn from.
    last
        Whether to fit the perceptron too, and to measure the curve in the number of pairs, and the album.
    """
    by_pairs = {
        n: recovered(parts, known, n, settings, seed, mlp=last)
        for n in (settings.pairs if last else settings.pairs[-1:])
    }
    whole = by_pairs[settings.pairs[-1]]
    values: Values = {
        name: np.array([getattr(whole, name).get(family, np.nan) for family in settings.decoders])
        for name in ("r2", "top1", "probe")
    }
    values |= {"component": whole.component, "chosen": np.array(whole.chosen, object), "dd": whole.dd}
    if last:
        values["curve_component"] = [found.component for found in by_pairs.values()]
        values["curve_dd"] = [found.dd for found in by_pairs.values()]
        for name in ("r2", "top1", "probe"):
            families = [[getattr(f, name).get(d, np.nan) for d in settings.decoders] for f in by_pairs.values()]
            values[f"curve_{name}"] = np.array(families)
        if album is not None:
            both = album_recovered(album, known, settings, seed)
            values["album_component"] = [found.component for found in both]
            values["album_dd"] = float(np.mean([found.dd for found in both]))
    values |= randomness.measured(parts[-1], known.originals[-1], known.shape)
    draw = generator(settings.root, seed, "fresh")
    noise = danoise(int(draw.integers(2**63)), len(parts[0]) + len(parts[-1]), parts[0].shape[1])
    one, one_heldout = floats(noise[: len(parts[0])]), floats(noise[len(parts[0]) :])
    values["fresh_accuracy"], values["fresh_value"] = fresh.fresh(
        one, floats(parts[0]), one_heldout, floats(parts[-1]),
        epochs=settings.fresh_epochs, generator=draw, device=settings.device,
    )  # fmt: skip
    return values | {"histogram": randomness.histogram(parts[-1])}


def empty(lengths: Mapping[str, int], shape: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of all VARIABLES over runs of this shape: NaN, and no text."""
    return {
        name: np.full((*shape, *(lengths[d] for d in dims)), "" if name == "chosen" else np.nan, _dtype(name))
        for name, (dims, *_) in VARIABLES.items()
    }


def _dtype(name: str) -> type:
    return object if name == "chosen" else np.float64


def variables(values: Mapping[str, npt.NDArray[Any]], dims: Sequence[str], prefix: str = "") -> dict[str, xr.Variable]:
    """The arrays of ``empty``, filled, as variables over ``dims`` and their own.

    Without a prefix ``component`` is called ``component_dd``: the coordinate has its name.
    """
    return {
        prefix + (name if prefix or name != "component" else "component_dd"): io.variable(
            (*dims, *VARIABLES[name][0]), array, *VARIABLES[name][1:]
        )
        for name, array in values.items()
    }


def coordinates(settings: Settings) -> dict[str, xr.Variable]:
    """Those of VARIABLES' own dims."""
    return {
        "decoder": io.variable(("decoder",), np.array(settings.decoders, object), "family of decoders"),
        "component": io.variable(("component",), np.array(COMPONENTS, object), "component of %dd"),
        "pairs": io.variable(("pairs",), np.array(settings.pairs, np.int64), "pairs fitted", "pair"),
        "direction": io.variable(("direction",), np.array(DIRECTIONS, object), "photographs: fitted, scored"),
        "byte": io.variable(("byte",), np.arange(randomness.VALUES), "value of a byte"),
    }


def run(
    outputs: xr.Dataset,
    images: Images,
    album: Bytes,
    *,
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
    """Measure every run of one job after every pass that was kept.

    Parameters
    ----------
    outputs
        Of ``training.run``: ``image_output`` (sigma, seed, passed, image, pixel) with the coordinate ``part`` (0 fit,
        1 validation, 2 held-out), ``album_output`` (sigma, seed, photograph, patch, pixel), ``diverged`` (sigma, seed).
    images
        The originals: the first training images were fitted on, validation chooses, the first test images are scored.
    album : uint8, (photograph, patch, pixel)
        Of ``album.patches``.
    pairs
        Numbers of pairs fitted, for the curve at the last pass; the largest is that of all other numbers.
    decoders, penalties, decoder_width, decoder_epochs
        Of the attacker, see ``recover.attack``; the perceptron is fitted at the last pass only.
    fresh_epochs
        Of a fresh discriminator of DANOISE against the fit outputs, scored on the held-out ones.
    root
        Of the random streams; the evaluation stream of each seed is drawn from.
    device, dtype
        Of the perceptron; the fresh discriminator is float32. All else is computed on the CPU.

    Returns
    -------
    Dataset
        Over sigma, seed, passed, and decoder, component, pairs, direction, byte; see VARIABLES (the components are
        ``component_dd``). The curve and the album
        at the last pass only, without the dim ``passed``. NaN where a run diverged.

    Raises
    ------
    InputError
        When images and outputs do not fit together.
    """
    settings = Settings(
        tuple(pairs), tuple(decoders), tuple(penalties), decoder_width, decoder_epochs, fresh_epochs, root,
        devices.resolve(device), devices.DTYPES[dtype],
    )  # fmt: skip
    part = outputs["part"].to_numpy()
    known = Known.of(images, album, [int((part == i).sum()) for i in range(len(PARTS))], settings)
    found = outputs["image_output"].transpose("sigma", "seed", "passed", "image", "pixel").to_numpy()
    photographs = outputs["album_output"].transpose("sigma", "seed", "photograph", "patch", "pixel").to_numpy()
    if photographs.shape[2:] != album.shape or found.shape[-1] != known.originals[0].shape[1]:
        raise InputError(f"outputs: found an album of shape {photographs.shape[2:]}, expected {album.shape}")
    lost = outputs["diverged"].transpose("sigma", "seed").to_numpy() != 0
    lengths = {name: c.size for name, c in coordinates(settings).items()}
    runs, passes = found.shape[:2], found.shape[2]
    values = empty(lengths, (*runs, passes))
    progress = Progress(lost.size * passes, "passes")
    for done, index in enumerate(np.ndindex(*runs, passes)):
        progress(done)
        seed = int(outputs["seed"].values[index[1]])
        if lost[index[:2]]:
            log.warning("seed %d: diverged, not measured", seed)
            continue
        parts = [found[index][part == i] for i in range(len(PARTS))]
        last = index[2] == passes - 1
        numbers = measured(parts, photographs[index[:2]] if last else None, known, settings, seed, last=last)
        for name, value in numbers.items():
            values[name][index] = value
    progress(lost.size * passes)
    once = [name for name in VARIABLES if name.startswith(("curve_", "album_"))]
    data = variables({n: v for n, v in values.items() if n not in once}, ("sigma", "seed", "passed"))
    data |= variables({n: values[n][:, :, -1] for n in once}, ("sigma", "seed"))
    coords = {str(name): outputs[name].variable for name in ("sigma", "seed", "passed")}
    attrs = {"title": "What degenerated images still tell", "device": settings.device.type, "dtype": dtype}
    return xr.Dataset(data, coords=coords | coordinates(settings), attrs=attrs)
