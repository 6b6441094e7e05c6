"""The game of Goodfellow et al. (arXiv:1406.2661): a discriminator against a player, in many runs at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import softplus

from advdyn.errors import InputError
from advdyn.perceptrons import Mlps

Loss = Literal["minimax", "non-saturating"]
Floats = npt.NDArray[np.float64]
MEASURED = ("value", "player_loss", "accuracy", "gradient_norm")


class Game:
    """A discriminator D and a player whose outputs, sigmoid(logits) in [0, 1], it shall tell from real examples.

    Losses are summed over the runs and Adam acts on each weight alone, so that runs stay independent. But the game is
    chaotic: what one batch of runs changes in the last bit grows tenfold in about 15 updates of the networks of
    784 pixels, and to different weights in 200. The studies therefore play each run alone (one batch is no faster on
    the CPU), and a result is the same to the last bit whatever else its job trains.

    Parameters
    ----------
    player, discriminator
        One network for each run.
    loss
        Of the player: ``minimax``, E log(1 - D) as in eq. 1, or ``non-saturating``, -E log D.
    learning_rate, beta1
        Of Adam, of both networks; beta2 is .999.
    """

    def __init__(self, player: Mlps, discriminator: Mlps, *, loss: Loss, learning_rate: float, beta1: float) -> None:
        self.player, self.discriminator, self.loss = player, discriminator, loss
        self._of_player, self._of_discriminator = (
            torch.optim.Adam(network.parameters(), lr=learning_rate, betas=(beta1, 0.999), fused=True)
            for network in (player, discriminator)
        )

    def discriminate(self, real: Tensor, fake_input: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the discriminator up V = E log D(real) + E log(1 - D(fake)).

        Parameters
        ----------
        real : shape (run, example, pixel)
        fake_input : shape (run, example, input)
            As many examples, given to the player.

        Returns
        -------
        value : shape (run,)
            V before the step, in nats; -log 4 for the best D when both distributions are the same.
        accuracy : shape (run,)
            Share of the examples on the right side of D = 1/2 before the step; one that lies on it counts 1/2.
        """
        with torch.no_grad():
            fake = self.player(fake_input).sigmoid_()
        logits = self.discriminator(torch.cat((real, fake), 1), parts=2)[..., 0]
        of_real, of_fake = logits[:, : real.shape[1]], logits[:, real.shape[1] :]
        value = -softplus(-of_real).mean(1) - softplus(of_fake).mean(1)
        self._of_discriminator.zero_grad()
        (-value.sum()).backward()
        self._of_discriminator.step()
        with torch.no_grad():
            accuracy = 0.5 + (of_real.sign().mean(1) - of_fake.sign().mean(1)) / 4
        return value.detach(), accuracy

    def deceive(self, fake_input: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the player down its loss.

        Parameters
        ----------
        fake_input : shape (run, example, input)

        Returns
        -------
        loss : shape (run,)
            Before the step, in nats.
        gradient_norm : shape (run,)
            Of its gradient with respect to all of the player's weights.
        """
        self.discriminator.requires_grad_(False)  # their gradients would cost a third of the step
        logits = self.discriminator(self.player(fake_input).sigmoid())[..., 0]
        loss = (softplus(-logits) if self.loss == "non-saturating" else -softplus(logits)).mean(1)
        self._of_player.zero_grad()
        loss.sum().backward()
        self._of_player.step()
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            gradients = [p.grad.flatten(1) for p in self.player.parameters() if p.grad is not None]
            norms = torch.stack([torch.linalg.vector_norm(gradient, dim=1) for gradient in gradients])
            return loss.detach(), torch.linalg.vector_norm(norms, dim=0)

    @torch.no_grad()
    def finite(self) -> npt.NDArray[np.bool_]:
        """Whether all weights of both networks are finite, (run,)."""
        weights = (*self.player.parameters(), *self.discriminator.parameters())
        return torch.stack([p.flatten(1).isfinite().all(1) for p in weights]).all(0).cpu().numpy()

    @torch.no_grad()
    def void(self, lost: npt.NDArray[np.bool_]) -> None:
        """Make all weights and statistics of lost runs NaN, so that nothing of them is taken for a result."""
        runs = torch.from_numpy(np.flatnonzero(lost))
        for values in (*self.player.state_dict().values(), *self.discriminator.state_dict().values()):
            values[runs.to(values.device)] = torch.nan


class Feed(Protocol):
    """Where a game's minibatches come from, each (run, example, ...)."""

    def real(self) -> Tensor:
        """Real examples for a step of the discriminator."""

    def judged(self) -> Tensor:
        """What the player is given in a step of the discriminator."""

    def played(self) -> Tensor:
        """What the player is given in its own step."""


@dataclass(frozen=True)
class History:
    """Means over each pass, (run, epoch), NaN from the pass on in which a run diverged, and that pass, (run,)."""

    value: Floats
    player_loss: Floats
    accuracy: Floats
    gradient_norm: Floats
    diverged_epoch: Floats

    @classmethod
    def empty(cls, runs: int, epochs: int) -> "History":
        """Nothing played yet."""
        value, player_loss, accuracy, gradient_norm = (np.full((runs, epochs), np.nan) for _ in MEASURED)
        return cls(value, player_loss, accuracy, gradient_norm, np.full(runs, np.nan))

    @classmethod
    def joined(cls, parts: "list[History]") -> "History":
        """The runs of several histories, one after the other."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in (*MEASURED, "diverged_epoch")))

    @property
    def diverged(self) -> npt.NDArray[np.bool_]:
        """Which runs diverged, (run,)."""
        return np.isfinite(self.diverged_epoch)


def examples(x: npt.NDArray[np.floating[Any]], n_train: int, batch: int) -> npt.NDArray[np.floating[Any]]:
    """The first ``n_train`` of the training images ``x``, shape (n, pixel).

    Raises
    ------
    InputError
        When there are fewer, ``batch`` is larger, or a pixel is outside [0, 1].
    """
    if not 1 <= n_train <= len(x):
        raise InputError(f"n_train: found {n_train}, allowed: 1 to {len(x)}, the training images there are")
    if not 1 <= batch <= n_train:
        raise InputError(f"batch: found {batch}, allowed: 1 to {n_train}, n_train")
    first = x[:n_train]
    if not (first.min() >= 0 and first.max() <= 1):
        raise InputError(f"images: found pixels from {first.min():g} to {first.max():g}, allowed: 0 to 1")
    return first


def play(game: Game, feed: Feed, *, epochs: int, updates: int, d_steps: int, after: Callable[[int], None]) -> History:
    """Play passes of ``updates`` steps of the player, each after ``d_steps`` of the discriminator.

    A run whose criterion, loss or weights are not finite at the end of a pass has diverged; the others go on.

    Parameters
    ----------
    game, feed
        The networks, and what they are given.
    epochs, updates, d_steps
        Passes, updates of a pass (0: no step is made and nothing recorded), steps of the discriminator for each.
    after
        Called with the number of passes made, from 0 on. It must draw from no stream that ``feed`` draws from.
    """
    history = History.empty(game.player.runs, epochs)
    after(0)
    for epoch in range(1, epochs + 1):
        if updates and not history.diverged.all():
            means = _pass(game, feed, updates, d_steps)
            fine = np.isfinite(means[:2]).all(0) & game.finite()
            history.diverged_epoch[~fine & ~history.diverged] = epoch
            for name, mean in zip(MEASURED, means, strict=True):
                getattr(history, name)[:, epoch - 1] = np.where(history.diverged, np.nan, mean)
            if history.diverged.any():
                game.void(history.diverged)
        after(epoch)
    return history


def _pass(game: Game, feed: Feed, updates: int, d_steps: int) -> Floats:
    """One pass; means over it of MEASURED, (4, run)."""
    sums: list[Tensor | float] = [0.0] * len(MEASURED)
    for _ in range(updates):
        for _ in range(d_steps):
            value, accuracy = game.discriminate(feed.real(), feed.judged())
            sums[0], sums[2] = sums[0] + value / d_steps, sums[2] + accuracy / d_steps
        loss, norm = game.deceive(feed.played())
        sums[1], sums[3] = sums[1] + loss, sums[3] + norm
    return torch.stack([torch.as_tensor(s) for s in sums]).double().cpu().numpy() / updates
