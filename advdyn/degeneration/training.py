"""Train degenerative adversarial networks (Gontijo Lopes and Deb), and degenerate all data an attacker will see.

Four readings of their algorithm: the GAN of ``advdyn.gan.generator`` on images or on DANOISE (bytes of Python's
``random``, z as well), a degenerator Deg(x + sigma u) that shall look like DANOISE, and a chain, whose data are
replaced by their own degeneration after every pass.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan import generator, noise
from advdyn.gan.game import Game, History, Loss, examples, play
from advdyn.gan.networks import degenerator_sizes, discriminator_sizes
from advdyn.gan.noise import Bytes
from advdyn.logs import Progress, log
from advdyn.minibatches import Deck, rows
from advdyn.perceptrons import Mlps

STUDY = "degeneration"
VALIDATION = 500  # validation pairs at most
CHUNK = 1000  # images degenerated at once
DAN = "Gontijo Lopes and Deb, Degenerative Adversarial Networks"
NAMES = {
    "value": ("criterion E log D(real) + E log(1 - D(fake)) in the game, mean over the pass", "nat"),
    "player_loss": ("loss of the generator or degenerator, mean over the pass", "nat"),
    "accuracy": ("accuracy of the discriminator in the game, mean over the pass", "1"),
    "gradient_norm": ("length of the gradient of that loss, mean over the pass", "nat"),
}
OUTPUT = "bytes that overwrite the image: "

Floats = npt.NDArray[np.floating[Any]]
Kind = Literal["gan", "generator", "degenerator", "chain"]


@dataclass(frozen=True)
class Run:
    """Sigma and seed of one run, and its random streams; runs of one seed draw the same numbers."""

    sigma: float
    seed: int
    root: int

    def several(self, purpose: str, number: int) -> list[np.random.Generator]:
        """Independent streams of one purpose; the first of them are the same whatever their number."""
        return streams.generator(self.root, STUDY, self.seed, purpose).spawn(number)

    def python(self, purpose: str) -> random.Random:
        """Python's generator for one purpose."""
        return random.Random(streams.integer(self.root, STUDY, self.seed, purpose))

    def evaluation(self, passed: int) -> np.random.SeedSequence:
        """The stream for what is evaluated after a pass, whatever other passes are."""
        own = streams.sequence(self.root, STUDY, self.seed, "evaluation")
        return np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, passed))


@dataclass(frozen=True)
class Evaluated:
    """Images whose degeneration is measured, as one array of bytes, and what is written of it.

    ``outputs`` is (run, passed, image, pixel), ``album`` (run, patch, pixel); images come first in ``originals``.
    """

    originals: Bytes
    passes: list[int]
    outputs: Bytes
    album: Bytes

    def write(self, row: int, passed: int, images: Bytes) -> None:
        """Keep ``images``, the degenerated originals of run ``row``, after a measured pass."""
        n = self.outputs.shape[2]
        self.outputs[row, self.passes.index(passed)] = images[:n]
        if passed == self.passes[-1]:
            self.album[row] = images[n:]


def run(
    images: Images,
    album: Bytes,
    *,
    kind: Kind,
    sigma: float | Sequence[float],
    minibatch_feature: bool,
    criterion: Literal["used", "ignored"],
    loss: Loss,
    d_steps: int,
    width: int,
    d_width: int,
    latent: int,
    batch_normalisation: bool,
    n_train: int,
    learning_rate: float,
    beta1: float,
    batch: int,
    epochs: int,
    passes: Sequence[int],
    chain_passes: Sequence[int],
    fit_pairs: int,
    heldout: int,
    shown: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, xr.Dataset, dict[str, npt.NDArray[Any]]]:
    """Train one network for each sigma and seed, and degenerate images and album with it after some of the passes.

    Parameters
    ----------
    images
        In [0, 1]. Of training the first ``n_train`` are trained on, the first ``fit_pairs`` degenerated; of validation
        the first 500 and of test the first ``heldout`` are only degenerated.
    album : uint8, shape (photograph, patch, pixel)
        Degenerated after the last pass, never trained on.
    kind
        gan: a GAN on the images; generator: the same on ``n_train`` images of DANOISE, z from Python's ``random``; in
        both, fresh samples overwrite the data. degenerator: Deg(x + sigma u) against fresh DANOISE. chain: the same,
        and after every pass all data are replaced by their own degeneration.
    sigma
        Size of the noise, u uniform in (-1, 1); a list is a lane axis. A GAN sees no data: its sigma is 0.
    minibatch_feature
        See ``perceptrons.Mlps``, of the discriminator.
    criterion
        ``ignored``: no network makes a step (Proposition 2); a degenerator or chain applies its initial one.
    loss, d_steps, learning_rate, beta1
        See ``game.Game``; ``d_steps`` updates of the discriminator come before each of the other network.
    width, latent, batch_normalisation, d_width
        See ``networks``; ``latent`` and ``batch_normalisation`` are a generator's.
    batch, epochs
        Images of an update; passes, each n_train // batch updates of the generator or degenerator.
    passes, chain_passes
        Passes made, in increasing order, after which the data are degenerated (of a chain: kept). Of a chain that is
        the number of degenerations, 0 for the originals.
    shown
        Held-out images shown.

    Returns
    -------
    record
        Over (sigma, seed, epoch): value, player_loss, accuracy, gradient_norm, means over the pass; sample (sigma,
        seed, passed, shown, pixel); original (shown, pixel); diverged, diverged_epoch over (sigma, seed).
    outputs
        image_output (sigma, seed, passed, image, pixel), with ``part`` (image): 0 fit, 1 validation, 2 held-out;
        album_output (sigma, seed, photograph, patch, pixel) after the last pass. A run that diverged is marked and has
        bytes 0, and NaN in the record, from there on.
    weights
        ``player/<name>`` and ``discriminator/<name>`` after the last epoch, (run, ...), runs in C order of (sigma,
        seed), with the names of ``perceptrons.Mlps``; NaN of runs that diverged.

    Raises
    ------
    InputError
        When there are fewer images than asked for, pixels leave [0, 1], the album is of another size, or a GAN is to
        ignore its criterion.
    DeviceError
        When ``device`` is not there.
    """
    where, dtype_ = devices.resolve(device), devices.DTYPES[dtype]
    gan = kind in ("gan", "generator")
    if gan and criterion == "ignored":
        raise InputError(f"criterion: found 'ignored' with kind {kind}, allowed: with degenerator and chain")
    data = examples(images.x_train, n_train, batch)
    fit, validation, unseen = _parts(images, album, fit_pairs, heldout, shown)
    sigmas = [0.0] if gan else [float(s) for s in (sigma if isinstance(sigma, Sequence) else [sigma])]
    runs = [Run(s, seed, root) for s in sigmas for seed in seeds]
    measured = list(chain_passes if kind == "chain" else passes)
    originals = [noise.to_bytes(part) for part in (fit, validation, unseen)]
    n, pixels = sum(map(len, originals)), data.shape[1]
    evaluated = Evaluated(
        np.concatenate([*originals, album.reshape(-1, pixels)]),
        measured,
        np.zeros((len(runs), len(measured), n, pixels), np.uint8),
        np.zeros((len(runs), album.shape[0] * album.shape[1], pixels), np.uint8),
    )
    settings = generator.Settings(
        latent, width, d_width, batch_normalisation, minibatch_feature, loss, d_steps, learning_rate, beta1, batch,
        epochs,
    )  # fmt: skip
    histories: list[History] = []
    weights: list[dict[str, npt.NDArray[Any]]] = []
    progress = Progress(len(runs) * epochs, "passes")
    x = torch.as_tensor(data, dtype=dtype_, device=where)[None]
    for group in devices.batches(len(runs), where):
        own = [runs[row] for row in group]

        def said(epoch: int, group: Sequence[int] = group) -> None:
            progress(group[0] * epochs + len(group) * epoch)

        if gan:
            if kind == "generator":
                drawn = [noise.danoise(streams.integer(root, STUDY, o.seed, "data"), n_train, pixels) for o in own]
                x = torch.as_tensor(np.stack(drawn), dtype=dtype_, device=where) / 255
            game, history = _gan(x, own, kind, settings, evaluated, group, said)
        else:
            game, history = _degenerator(
                x, own, settings, evaluated, group, said, chain=kind == "chain", steps=criterion == "used"
            )
        histories.append(history)
        weights.append(game.player.arrays("player/") | game.discriminator.arrays("discriminator/"))
    history = History.joined(histories)
    for one, at in zip(runs, history.diverged_epoch, strict=True):
        if np.isfinite(at):
            log.warning("sigma %g, seed %d diverged in pass %d", one.sigma, one.seed, at)
    attrs = {
        "device": where.type,
        "dtype": dtype,
        "generator": "numpy SFC64 and Python's random, one stream for each seed and purpose",
        "image_shape": ",".join(map(str, images.shape)),
    }
    part = np.repeat(np.arange(3, dtype=np.int8), [len(o) for o in originals])
    record, outputs = _datasets(evaluated, history, sigmas, seeds, album.shape[:2], part, shown, attrs)
    return record, outputs, {name: np.concatenate([w[name] for w in weights]) for name in weights[0]}


def _parts(images: Images, album: Bytes, fit_pairs: int, heldout: int, shown: int) -> tuple[Floats, Floats, Floats]:
    """The images that are degenerated: to fit on, to choose on, held out."""
    if fit_pairs > len(images.x_train):
        raise InputError(
            f"fit_pairs: found {fit_pairs}, allowed: at most {len(images.x_train)}, the training images there are"
        )
    if heldout > len(images.x_test):
        raise InputError(f"heldout: found {heldout}, allowed: at most {len(images.x_test)}, the test images there are")
    if shown > heldout:
        raise InputError(f"shown: found {shown}, allowed: at most {heldout}, the held-out images")
    if not len(images.x_validation):
        raise InputError("images: there are no validation images, on which the attacker chooses its decoders")
    if album.shape[2:] != images.x_train.shape[1:]:
        raise InputError(f"album: found patches of {album.shape[2:]} bytes, allowed: {images.x_train.shape[1:]}")
    return images.x_train[:fit_pairs], images.x_validation[:VALIDATION], images.x_test[:heldout]


def _gan(
    x: Tensor,
    runs: Sequence[Run],
    kind: Kind,
    settings: generator.Settings,
    evaluated: Evaluated,
    group: Sequence[int],
    said: Callable[[int], None],
) -> tuple[Game, History]:
    """The GAN, on images with numpy's z or on DANOISE with Python's; a fresh sample overwrites each image."""

    def streams_of(one: Run) -> generator.Streams:
        initial, (order, normal) = one.several("initialisation", 2), one.several("training", 2)
        python = one.python("training")
        drawn = (lambda shape: noise.latent(python, shape)) if kind == "generator" else normal.standard_normal
        return generator.Streams(initial[0], initial[1], order, drawn)

    def latent_of(one: Run, epoch: int) -> Floats:
        shape, stream = (len(evaluated.originals), settings.latent), one.evaluation(epoch)
        if kind == "generator":
            return noise.latent(random.Random(int(stream.generate_state(1, np.uint64)[0])), shape)
        return np.random.Generator(np.random.SFC64(stream)).standard_normal(shape)

    def after(epoch: int, player: Mlps) -> None:
        if epoch in evaluated.passes:
            made = generator.sample(player, np.stack([latent_of(one, epoch) for one in runs]))
            for row, images in zip(group, made, strict=True):
                evaluated.write(row, epoch, noise.to_bytes(images))
        said(epoch)

    return generator.train(x, [streams_of(one) for one in runs], settings, after)


class Feed:
    """Fresh DANOISE, and minibatches x + sigma u of the data; the steps of each network have their own order and u.

    ``overwriting`` draws what a chain's training data are overwritten with. Each run has its own streams.
    """

    def __init__(self, x: Tensor, runs: Sequence[Run], batch: int) -> None:
        self.x, self.sigma, self.batch = x, [one.sigma for one in runs], batch
        self.python = [one.python("data") for one in runs]
        several = [one.several("training", 5) for one in runs]
        judged, self.judged_u, played, self.played_u, self.overwriting = map(list, zip(*several, strict=True))
        self.judged_deck = Deck(x.shape[1], batch, judged)
        self.played_deck = Deck(x.shape[1], batch, played)

    def real(self) -> Tensor:
        """Fresh bytes, divided by 255."""
        drawn = np.stack([noise.uniform_bytes(python, (self.batch, self.x.shape[2])) for python in self.python])
        return torch.from_numpy(drawn).to(self.x) / 255

    def judged(self) -> Tensor:
        """Noisy data whose degeneration the discriminator is shown."""
        return noisy(rows(self.x, self.judged_deck()), self.sigma, self.judged_u)

    def played(self) -> Tensor:
        """Noisy data that the degenerator learns from: all of them once in a pass."""
        return noisy(rows(self.x, self.played_deck()), self.sigma, self.played_u)


def noisy(x: Tensor, sigma: Sequence[float], draws: Sequence[np.random.Generator]) -> Tensor:
    """x + sigma u, u uniform in (-1, 1) and drawn in float32 whatever the dtype of ``x``, which is overwritten.

    ``x`` is (run, example, pixel); sigma and stream are those of each run.
    """
    u = torch.from_numpy(np.stack([draw.random(tuple(x.shape[1:]), dtype=np.float32) for draw in draws])).to(x)
    u.mul_(2).sub_(1)
    for own, noise_of, size in zip(x, u, sigma, strict=True):
        own.add_(noise_of, alpha=size)
    return x


@torch.no_grad()
def degenerate(player: Mlps, originals: Bytes, sigma: Sequence[float], draws: Sequence[np.random.Generator]) -> Bytes:
    """The bytes of Deg(x + sigma u), with x = bytes/255 and fresh u.

    Parameters
    ----------
    player
        A degenerator for each run.
    originals : uint8, shape (1 or run, n, pixel)
        Not changed; one for all runs, or each its own.
    sigma, draws
        Of each run.

    Returns
    -------
    uint8, shape (run, n, pixel)
    """
    weight = next(player.parameters())
    out = np.empty((player.runs, *originals.shape[1:]), np.uint8)
    for begin in range(0, out.shape[1], CHUNK):
        part = np.broadcast_to(originals[:, begin : begin + CHUNK], out[:, begin : begin + CHUNK].shape)
        x = torch.from_numpy(part.copy()).to(weight) / 255
        f = player(noisy(x, sigma, draws)).sigmoid_()
        out[:, begin : begin + CHUNK] = noise.to_bytes(f.cpu().numpy())
    return out


def _degenerator(
    x: Tensor,
    runs: Sequence[Run],
    settings: generator.Settings,
    evaluated: Evaluated,
    group: Sequence[int],
    said: Callable[[int], None],
    *,
    chain: bool,
    steps: bool,
) -> tuple[Game, History]:
    """Degenerators, with ``chain`` on data that they overwrite at every pass."""
    pixels, initial = x.shape[2], [one.several("initialisation", 2) for one in runs]
    player = Mlps(degenerator_sizes(settings.width, pixels), len(runs), dtype=x.dtype)
    discriminator = Mlps(
        discriminator_sizes(settings.d_width, pixels), len(runs), minibatch_feature=settings.minibatch_feature,
        dtype=x.dtype,
    )  # fmt: skip
    player.initialise([of_player for of_player, _ in initial]).to(x.device)
    discriminator.initialise([of_discriminator for _, of_discriminator in initial]).to(x.device)
    game = Game(player, discriminator, loss=settings.loss, learning_rate=settings.learning_rate, beta1=settings.beta1)
    feed, current = Feed(x, runs, settings.batch), evaluated.originals[None]

    def after(epoch: int) -> None:
        nonlocal current
        fresh = [np.random.Generator(np.random.SFC64(one.evaluation(epoch))) for one in runs]
        if chain and epoch > 0:
            current = degenerate(player, current, feed.sigma, fresh)
            if steps:
                before = noise.to_bytes(feed.x.cpu().numpy())
                now = torch.from_numpy(degenerate(player, before, feed.sigma, feed.overwriting))
                feed.x = now.to(feed.x) / 255
        if epoch in evaluated.passes:
            made = current if chain else degenerate(player, current, feed.sigma, fresh)
            for row, images in zip(group, np.broadcast_to(made, (len(runs), *made.shape[1:])), strict=True):
                evaluated.write(row, epoch, images)
        said(epoch)

    updates = x.shape[1] // settings.batch if steps else 0
    return game, play(game, feed, epochs=settings.epochs, updates=updates, d_steps=settings.d_steps, after=after)


def _datasets(
    evaluated: Evaluated,
    history: History,
    sigmas: Sequence[float],
    seeds: Sequence[int],
    album: tuple[int, ...],
    part: npt.NDArray[np.int8],
    shown: int,
    attrs: dict[str, str],
) -> tuple[xr.Dataset, xr.Dataset]:
    """The record and the outputs, over (sigma, seed)."""
    per, names = (len(sigmas), len(seeds)), ("sigma", "seed")
    output = evaluated.outputs.reshape(*per, *evaluated.outputs.shape[1:])
    held = int(np.argmax(part == 2))
    axes = {
        "sigma": io.variable(("sigma",), list(sigmas), "size of the noise added to what is degenerated", "pixel range"),
        "seed": io.variable(("seed",), np.asarray(seeds), "seed"),
        "passed": io.variable(("passed",), evaluated.passes, "passes made when the data were degenerated", "pass"),
    }
    marks = {
        "diverged": io.variable(names, history.diverged.astype(np.int8).reshape(per), "whether the run diverged"),
        "diverged_epoch": io.variable(
            names, history.diverged_epoch.reshape(per), "pass in which the run diverged", "pass"
        ),
    }
    record = xr.Dataset(
        {
            **{
                name: io.variable((*names, "epoch"), getattr(history, name).reshape(*per, -1), *NAMES[name], DAN)
                for name in NAMES
            },
            "sample": io.variable(
                (*names, "passed", "shown", "pixel"), output[:, :, :, held : held + shown], OUTPUT + "held-out", "byte"
            ),
            "original": io.variable(
                ("shown", "pixel"), evaluated.originals[held : held + shown], "the first held-out images", "byte"
            ),
            **marks,
        },
        coords={
            **axes,
            "epoch": io.variable(
                ("epoch",), np.arange(1, history.value.shape[1] + 1), "pass through the images", "pass"
            ),
        },
        attrs=attrs,
    )
    outputs = xr.Dataset(
        {
            "image_output": io.variable((*names, "passed", "image", "pixel"), output, OUTPUT + "of the data", "byte"),
            "album_output": io.variable(
                (*names, "photograph", "patch", "pixel"),
                evaluated.album.reshape(*per, *album, -1),
                OUTPUT + "of the album, after the last pass",
                "byte",
            ),
            **marks,
        },
        coords={**axes, "part": io.variable(("image",), part, "0: fit, 1: validation, 2: held-out")},
        attrs=attrs,
    )
    return record, outputs
