"""A generative adversarial network, the same for images and for noise: only its data and its z are handed in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from advdyn.gan.game import Game, History, Loss, play
from advdyn.gan.networks import discriminator_sizes, generator_sizes
from advdyn.minibatches import Deck, rows
from advdyn.perceptrons import Mlps

Latent = Callable[[tuple[int, int]], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Settings:
    """Networks and training of a GAN; the fields are parameters of the studies."""

    latent: int
    width: int
    d_width: int
    batch_normalisation: bool
    minibatch_feature: bool
    loss: Loss
    d_steps: int
    learning_rate: float
    beta1: float
    batch: int
    epochs: int


@dataclass(frozen=True)
class Streams:
    """Random streams of one run, which no other run draws from."""

    player: np.random.Generator  # initial weights
    discriminator: np.random.Generator
    order: np.random.Generator  # of the images
    latent: Latent


class Feed:
    """Minibatches of the data, and latent vectors."""

    def __init__(self, x: Tensor, streams: Sequence[Streams], settings: Settings) -> None:
        self.x, self.latents = x, [s.latent for s in streams]
        self.shape = settings.batch, settings.latent
        self.deck = Deck(x.shape[1], settings.batch, [s.order for s in streams])

    def real(self) -> Tensor:
        """The next minibatch of the data."""
        return rows(self.x, self.deck())

    def played(self) -> Tensor:
        """Fresh latent vectors."""
        return torch.from_numpy(np.stack([latent(self.shape) for latent in self.latents])).to(self.x)

    judged = played


def train(
    x: Tensor, streams: Sequence[Streams], settings: Settings, after: Callable[[int, Mlps], None]
) -> tuple[Game, History]:
    """Train one GAN for each of ``streams``.

    Parameters
    ----------
    x : shape (1 or run, n, pixel)
        Data in [0, 1]; dtype and device are those of the networks. A pass has n // batch updates of the generator.
    streams
        Of each run.
    settings
        Of all runs.
    after
        Called with the number of passes made, from 0 on, and the generators.
    """
    runs, pixels = len(streams), x.shape[2]
    player = Mlps(
        generator_sizes(settings.width, settings.latent, pixels),
        runs,
        batch_normalisation=settings.batch_normalisation,
        dtype=x.dtype,
    )
    discriminator = Mlps(
        discriminator_sizes(settings.d_width, pixels), runs, minibatch_feature=settings.minibatch_feature, dtype=x.dtype
    )
    player.initialise([s.player for s in streams]).to(x.device)
    discriminator.initialise([s.discriminator for s in streams]).to(x.device)
    game = Game(player, discriminator, loss=settings.loss, learning_rate=settings.learning_rate, beta1=settings.beta1)
    history = play(
        game,
        Feed(x, streams, settings),
        epochs=settings.epochs,
        updates=x.shape[1] // settings.batch,
        d_steps=settings.d_steps,
        after=lambda epoch: after(epoch, player),
    )
    return game, history


@torch.no_grad()
def sample(player: Mlps, z: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Outputs in [0, 1] of generators in evaluation mode; their mode is left as it was.

    Parameters
    ----------
    player
        On any device.
    z : shape (run, n, latent)

    Returns
    -------
    shape (run, n, pixel), dtype of the generators; NaN of a run that diverged
    """
    mode = player.training
    player.eval()
    weight = next(player.parameters())
    out = player(torch.from_numpy(z).to(weight)).sigmoid_().cpu().numpy()
    player.train(mode)
    return out
