"""Carry out an attack: at one eps (``perturb``), or at many with everything shared that can be (``sweep``).

Random starts are drawn for all images before any is attacked, in units of eps, once for each restart: an image's
examples do not depend on its batch (beyond rounding), and an eps that is added changes no other.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advdyn.attacks import checks, geometry, lines
from advdyn.attacks.attack import Attack
from advdyn.attacks.checks import Box
from advdyn.attacks.classifier import Classifier, Dense
from advdyn.attacks.objective import Objective
from advdyn.errors import InputError

BATCH = 500
"""Images attacked together: few enough for a core's cache, enough for the matrix product."""


@dataclass(frozen=True)
class Curve:
    """One attack over a list of eps.

    Attributes
    ----------
    wrong : (eps, n) bool
        Whether the attacked image is classified otherwise than its label.
    predicted : (eps, n) int64
        The class it is given.
    confidence : (eps, n)
        The probability of that class.
    """

    wrong: Tensor
    predicted: Tensor
    confidence: Tensor


@torch.no_grad()
def perturb(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps: float | Tensor,
    *,
    box: Box,
    target: Tensor | None = None,
    generator: torch.Generator | None = None,
    batch: int = BATCH,
) -> Tensor:
    """Adversarial examples of size eps.

    Parameters
    ----------
    classifier
        See ``classifier.of``.
    x : (n, pixel)
        Images, inside the box where there is one.
    y : (n,) int64
        Their labels.
    attack
        What to do; with restarts, each image keeps the first that succeeds (another class than the label attacked, or
        the target), else the one of largest objective (of those that are misclassified, where the target is missed).
    eps : float or (n,)
        Size of the attack, in units of the pixel range.
    box
        See ``checks.Box``.
    target : (n,) int64
        The classes aimed at; read by targeted attacks only.
    generator
        Of the CPU; read by random starts only, the same number of draws whatever eps is.
    batch
        Images attacked together.

    Returns
    -------
    (n, pixel): x' with |x' - x| <= eps, inside the box.

    Raises
    ------
    InputError
        When shapes, dtypes or devices do not fit, a label or target is out of range, a target equals its label, eps
        is negative, NaN or infinite, a pixel is NaN or outside the box, or a random start has no generator.
    """
    checks.everything(classifier, x, y, attack, box, target, generator, batch)
    starts = (geometry.start(attack, x, generator) for _ in range(attack.restarts))
    return examples(classifier, x, y, attack, checks.sizes(eps, x), box, target, starts, batch)


def examples(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps: float | Tensor,
    box: Box,
    target: Tensor | None,
    starts: Iterable[Tensor | None],
    batch: int = BATCH,
) -> Tensor:
    """``perturb`` from given starts, one for each restart, without its checks; eps is a number or a column (n, 1)."""
    found = torch.empty_like(x, memory_format=torch.contiguous_format)
    best = _Best(1, x, attack)
    for restart, start in enumerate(starts):
        for rows in _batches(len(x), batch):
            images, size = x[rows], eps[rows] if isinstance(eps, Tensor) else eps
            objective, noise = _objective(classifier, images, y, target, attack, rows), _at(start, rows)
            if attack.restarts == 1:
                found[rows] = _attacked(classifier, images, objective, attack, size, box, noise)
                continue
            left = best.left(0, rows)
            if len(left):
                part, noise = objective.at(left), _at(noise, left)
                size = size[left] if isinstance(size, Tensor) else size
                made = _attacked(classifier, images[left], part, attack, size, box, noise)
                better = best.update(0, left + rows.start, classifier.logits(made), part, first=restart == 0)
                found[(left + rows.start)[better]] = made[better]
    return found


@torch.no_grad()
def sweep(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    eps: Sequence[float],
    *,
    box: Box,
    target: Tensor | None = None,
    generator: torch.Generator | None = None,
    batch: int = BATCH,
) -> Curve:
    """What an attack does at each eps: as ``perturb`` at each with the same generator, but sharing the work.

    A single step from the image, and noise, move along one line as eps grows: one gradient serves every eps, and
    ``Dense`` needs one more product with its first layer for any number of eps (see ``lines``).

    Parameters
    ----------
    eps
        Sizes of the attack, in units of the pixel range, in any order; 0 gives the predictions without attack.

    Other parameters, and errors raised: as ``perturb``.
    """
    checks.everything(classifier, x, y, attack, box, target, generator, batch)
    sizes = [checks.size(size) for size in eps]
    best = _Best(len(sizes), x, attack)
    straight = attack.steps == 0 or (attack.steps == 1 and not attack.random)
    for restart in range(attack.restarts):
        start = geometry.start(attack, x, generator)
        for rows in _batches(len(x), batch):
            images, noise = x[rows], _at(start, rows)
            objective = _objective(classifier, images, y, target, attack, rows)
            if straight:
                z = _on_line(classifier, images, objective, attack, sizes, box, noise)
                best.update_all(rows, z, objective, first=restart == 0)
                continue
            for k, size in enumerate(sizes):
                left = best.left(k, rows)
                if len(left):
                    part = objective.at(left)
                    made = _attacked(classifier, images[left], part, attack, size, box, _at(noise, left))
                    best.update(k, left + rows.start, classifier.logits(made), part, first=restart == 0)
    return Curve(best.predicted != y, best.predicted, best.confidence)


def targets(y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """A class for each image that is not its label, uniform among the others.

    Parameters
    ----------
    y : (n,) int64
    classes
        How many there are.
    generator
        Of the CPU.

    Raises
    ------
    InputError
        When there are fewer than 2 classes, or a label is none of them.
    """
    if classes < 2:
        raise InputError(f"targets: found {classes} class, allowed: 2 or more (there is no other class to aim at)")
    checks.labels("y", y, len(y), classes)
    return (y + torch.randint(1, classes, y.shape, generator=generator).to(y.device)) % classes


def _attacked(
    classifier: Classifier,
    x: Tensor,
    objective: Objective,
    attack: Attack,
    eps: float | Tensor,
    box: Box,
    noise: Tensor | None,
) -> Tensor:
    """The examples of one restart: single-step, iterated and noise alike."""
    made = x.clone(memory_format=torch.contiguous_format)
    project = geometry.projection(x, attack.norm, eps, box, ball=noise is not None or attack.steps > 1)
    if noise is not None:
        project(geometry.move(made, noise, eps))
    t = geometry.length(attack, eps)
    for _ in range(attack.steps):
        _, g = classifier.pullback(made, objective.cotangent)
        project(geometry.move(made, geometry.direction(g, attack.norm), t))
    return made


def _on_line(
    classifier: Classifier,
    x: Tensor,
    objective: Objective,
    attack: Attack,
    sizes: Sequence[float],
    box: Box,
    noise: Tensor | None,
) -> Tensor:
    """Logits (eps, n, classes) of a single step from the image, or of noise."""
    if noise is not None:
        return lines.logits(classifier, x, noise, sizes, box)
    first = None
    if isinstance(classifier, Dense):
        _, g, first = classifier.traced(x, objective.cotangent)
    else:
        _, g = classifier.pullback(x, objective.cotangent)
    lengths = [float(geometry.length(attack, size)) for size in sizes]
    return lines.logits(classifier, x, geometry.direction(g, attack.norm), lengths, box, first)


def _objective(
    classifier: Classifier, x: Tensor, y: Tensor, target: Tensor | None, attack: Attack, rows: slice
) -> Objective:
    """The objective of the batch ``rows``, whose images are x."""
    label = classifier.logits(x).argmax(dim=1) if attack.label == "predicted" else y[rows]
    return Objective.of(attack, label, _at(target, rows), classifier.classes, x.dtype)


class _Best:
    """What the restarts have found so far, for each eps and image."""

    def __init__(self, sizes: int, x: Tensor, attack: Attack) -> None:
        n = len(x)
        self.restarts = attack.restarts
        self.predicted = torch.full((sizes, n), -1, dtype=torch.int64, device=x.device)
        self.confidence = x.new_zeros(sizes, n)
        if self.restarts > 1:
            self.done = torch.zeros(sizes, n, dtype=torch.bool, device=x.device)
            self.moved = torch.zeros_like(self.done)  # misclassified, though not as the target
            self.objective = x.new_full((sizes, n), -math.inf)

    def left(self, k: int, rows: slice) -> Tensor:
        """Which images of a batch have not yet what the attack wants, counted from the start of the batch."""
        if self.restarts == 1:
            return torch.arange(rows.stop - rows.start, device=self.predicted.device)
        return (~self.done[k, rows]).nonzero()[:, 0]

    def update(self, k: int, rows: Tensor, z: Tensor, objective: Objective, *, first: bool) -> Tensor:
        """Take the logits of a restart of images ``rows`` at eps ``k`` where they are better; says where (n,) bool."""
        predicted, confidence = _prediction(z)
        if self.restarts == 1:
            self.predicted[k, rows], self.confidence[k, rows] = predicted, confidence
            return torch.ones_like(predicted, dtype=torch.bool)
        reached, moved, value = objective.reached(predicted), predicted != objective.label, objective.value(z)
        before, highest = self.moved[k, rows], self.objective[k, rows]
        better = reached | (moved & ~before) | ((moved == before) & (value > highest)) | first
        rows = rows[better]
        self.done[k, rows] = reached[better]
        self.moved[k, rows] = moved[better]
        self.objective[k, rows] = value[better]
        self.predicted[k, rows], self.confidence[k, rows] = predicted[better], confidence[better]
        return better

    def update_all(self, rows: slice, z: Tensor, objective: Objective, *, first: bool) -> None:
        """The same for all eps at once, z (eps, n, classes), and all images of a batch."""
        if self.restarts == 1:
            self.predicted[:, rows], self.confidence[:, rows] = _prediction(z)
            return
        for k in range(len(z)):
            left = self.left(k, rows)
            if len(left):
                self.update(k, left + rows.start, z[k, left], objective.at(left), first=first)


def _prediction(z: Tensor) -> tuple[Tensor, Tensor]:
    """Class of the largest logit, and its probability."""
    highest, predicted = z.max(dim=-1)
    return predicted, (highest - z.logsumexp(dim=-1)).exp_()


def _at(values: Tensor | None, rows: Tensor | slice) -> Tensor | None:
    return None if values is None else values[rows]


def _batches(n: int, batch: int) -> Iterator[slice]:
    for start in range(0, n, batch):
        yield slice(start, min(start + batch, n))
