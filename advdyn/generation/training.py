"""Train generative adversarial networks on images, all seeds of a block, and keep the generators of some passes."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.gan import generator
from advdyn.gan.game import History, Loss, examples
from advdyn.gan.noise import to_bytes
from advdyn.logs import Progress, log
from advdyn.perceptrons import Mlps

STUDY = "generation"
GOODFELLOW = "Goodfellow et al., arXiv:1406.2661"
NAMES = {
    "value": ("criterion E log D(x) + E log(1 - D(G(z))) in the game, mean over the pass", "nat"),
    "player_loss": ("loss of the generator, mean over the pass", "nat"),
    "accuracy": ("accuracy of the discriminator in the game, mean over the pass", "1"),
    "gradient_norm": ("length of the gradient of the generator's loss, mean over the pass", "nat"),
}


def run(
    images: Images,
    *,
    n_train: int,
    latent: int,
    width: int,
    d_width: int,
    batch_normalisation: bool,
    loss: Loss,
    d_steps: int,
    learning_rate: float,
    beta1: float,
    batch: int,
    epochs: int,
    kept: Sequence[int],
    shown: int,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
    seeds: Sequence[int],
) -> tuple[xr.Dataset, dict[str, npt.NDArray[Any]]]:
    """Train one GAN for each seed.

    Parameters
    ----------
    images
        Of training the first ``n_train`` are used, in [0, 1]; no others are read.
    latent, width, d_width, batch_normalisation
        See ``networks.generator_sizes`` and ``networks.discriminator_sizes``; only the generator is normalised.
    loss, d_steps, learning_rate, beta1
        See ``game.Game``; ``d_steps`` updates of the discriminator come before each of the generator.
    batch, epochs
        Images of an update; passes, each n_train // batch updates of the generator.
    kept
        Passes, in increasing order, after which the generator is kept.
    shown
        Samples kept as bytes at each of them, always of the same latent vectors.

    Returns
    -------
    record
        value, player_loss, accuracy, gradient_norm over (seed, epoch): means over the pass; sample (seed, kept,
        shown, pixel) uint8; diverged, diverged_epoch over seed. A run that diverged has NaN, and samples of bytes 0,
        from there on.
    weights
        ``generator/<k>/<name>`` of the k-th of ``kept`` and ``discriminator/<name>`` at the end, (seed, ...), with
        the names of ``perceptrons.Mlps``.

    Raises
    ------
    InputError
        When there are fewer than ``n_train`` images, fewer than ``batch`` are asked for, or pixels leave [0, 1].
    DeviceError
        When ``device`` is not there.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    data = examples(images.x_train, n_train, batch)
    x = torch.as_tensor(data, dtype=kind, device=where)[None]
    settings = generator.Settings(
        latent, width, d_width, batch_normalisation, False, loss, d_steps, learning_rate, beta1, batch, epochs
    )
    pixels, kept = data.shape[1], list(kept)
    histories: list[History] = []
    weights: list[dict[str, npt.NDArray[Any]]] = []
    samples: list[npt.NDArray[np.uint8]] = []
    progress = Progress(len(seeds) * epochs, "passes")
    for group in devices.batches(len(seeds), where):
        own = [seeds[number] for number in group]
        z = [streams.generator(root, STUDY, seed, "evaluation").standard_normal((shown, latent)) for seed in own]
        keeper = _Keeper(kept, np.stack(z), pixels)

        def after(epoch: int, player: Mlps, keeper: _Keeper = keeper, group: list[int] = group) -> None:
            keeper.keep(epoch, player)
            progress(group[0] * epochs + len(group) * epoch)

        game, history = generator.train(x, [_streams(root, seed) for seed in own], settings, after)
        histories.append(history)
        weights.append(keeper.weights | game.discriminator.arrays("discriminator/"))
        samples.append(keeper.samples)
    history = History.joined(histories)
    for seed, at in zip(seeds, history.diverged_epoch, strict=True):
        if np.isfinite(at):
            log.warning("seed %d diverged in pass %d", seed, at)
    record = xr.Dataset(
        {
            **{
                name: io.variable(("seed", "epoch"), getattr(history, name), *NAMES[name], GOODFELLOW) for name in NAMES
            },
            "sample": io.variable(
                ("seed", "kept", "shown", "pixel"),
                np.concatenate(samples),
                "samples, of the same z at every pass",
                "byte",
            ),
            "diverged": io.variable(("seed",), history.diverged.astype(np.int8), "whether the run diverged"),
            "diverged_epoch": io.variable(("seed",), history.diverged_epoch, "pass in which the run diverged", "pass"),
        },
        coords={
            "seed": io.variable(("seed",), np.asarray(seeds), "seed"),
            "epoch": io.variable(("epoch",), np.arange(1, epochs + 1), "pass through the images", "pass"),
            "kept": io.variable(("kept",), np.asarray(kept), "passes made when the generator was kept", "pass"),
        },
        attrs={
            "device": where.type,
            "dtype": dtype,
            "generator": "numpy SFC64, one stream for each seed and purpose",
            "image_shape": ",".join(map(str, images.shape)),
        },
    )
    return record, {name: np.concatenate([w[name] for w in weights]) for name in weights[0]}


class _Keeper:
    """Weights and samples of generators at the passes kept; z is (run, shown, latent)."""

    def __init__(self, kept: list[int], z: npt.NDArray[np.float64], pixels: int) -> None:
        self.kept, self.z = kept, z
        self.samples = np.zeros((len(z), len(kept), z.shape[1], pixels), np.uint8)
        self.weights: dict[str, npt.NDArray[Any]] = {}

    def keep(self, epoch: int, player: Mlps) -> None:
        """Keep the generators, if the pass is one that is kept."""
        if epoch in self.kept:
            k = self.kept.index(epoch)
            self.samples[:, k] = to_bytes(generator.sample(player, self.z))
            self.weights |= player.arrays(f"generator/{k}/")


def _streams(root: int, seed: int) -> generator.Streams:
    initial = streams.generator(root, STUDY, seed, "initialisation").spawn(2)
    order, z = streams.generator(root, STUDY, seed, "training").spawn(2)
    return generator.Streams(initial[0], initial[1], order, lambda shape: z.standard_normal(shape))


def sample(
    weights: dict[str, npt.NDArray[Any]], kept_index: int, latent: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    """Samples of the generators of one of the passes kept, in evaluation mode (running statistics).

    Parameters
    ----------
    weights
        As ``run`` returns them; not changed.
    kept_index
        Which of ``kept``.
    latent : shape (seed, n, latent)
        Standard normal z.

    Returns
    -------
    shape (seed, n, pixel)
        In [0, 1], of the weights' dtype; NaN of a run that had diverged by then.
    """
    return generator.sample(Mlps.of(weights, f"generator/{kept_index}/"), np.asarray(latent))
