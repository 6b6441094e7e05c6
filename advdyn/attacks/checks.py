"""What every attack asks of images, labels, targets and eps; each refusal is one line."""

import math

import torch
from torch import Tensor

from advdyn.attacks.attack import Attack
from advdyn.attacks.classifier import Classifier
from advdyn.errors import InputError

Box = tuple[float, float] | None
"""The range of pixels that examples are clipped to; None: they are not."""


def images(classifier: Classifier, x: Tensor, box: Box) -> None:
    """Refuse images that the classifier does not take, or that are not in the box.

    Raises
    ------
    InputError
        Saying what was found and what is allowed.
    """
    if x.ndim != 2 or x.shape[1] != classifier.pixels:
        raise InputError(
            f"x: found shape {tuple(x.shape)}, allowed: (n, {classifier.pixels}), flat images of that size"
        )
    if x.dtype != classifier.dtype or x.device != classifier.device:
        raise InputError(f"x: found {x.dtype} on {x.device}, allowed: {classifier.dtype} on {classifier.device}")
    if box is not None and not (math.isfinite(box[0]) and math.isfinite(box[1]) and box[0] < box[1]):
        raise InputError(f"box: found {box}, allowed: two finite numbers, the smaller first, or None")
    if x.numel() == 0:
        return
    low, high = (float(bound) for bound in x.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError("x: holds NaN or infinite pixels, allowed: finite ones")
    if box is not None and not (box[0] <= low and high <= box[1]):
        raise InputError(f"x: found pixels from {low:g} to {high:g}, allowed: {box[0]:g} to {box[1]:g} (the box)")


def labels(name: str, y: Tensor, n: int, classes: int) -> None:
    """Refuse labels (n,) that are no classes.

    Raises
    ------
    InputError
        Naming the argument, what was found and what is allowed.
    """
    if y.shape != (n,) or y.dtype != torch.int64:
        found = f"{y.dtype} of shape {tuple(y.shape)}"
        raise InputError(f"{name}: found {found}, allowed: torch.int64 of shape ({n},), one for each image")
    if n and (int(y.min()) < 0 or int(y.max()) >= classes):
        unfit = y[(y < 0) | (y >= classes)]
        raise InputError(f"{name}: found class {int(unfit[0])}, allowed: 0 to {classes - 1}")


def everything(
    classifier: Classifier,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    box: Box,
    target: Tensor | None,
    generator: torch.Generator | None,
    batch: int,
) -> None:
    """Refuse what an attack cannot be made with; eps is checked by ``size`` and ``sizes``.

    Raises
    ------
    InputError
        See ``engine.perturb``.
    """
    images(classifier, x, box)
    labels("y", y, len(x), classifier.classes)
    if batch < 1:
        raise InputError(f"batch: found {batch}, allowed: 1 or more")
    if attack.random and generator is None:
        raise InputError(f"generator: found none, but initialisation {attack.initialisation} draws random numbers")
    if not attack.targeted:
        return
    if target is None:
        raise InputError(f"target: found none, but objective {attack.objective} needs a class for each image")
    labels("target", target, len(x), classifier.classes)
    same = int((target == y).sum())
    if same:
        raise InputError(f"target: equals the label of {same} of {len(y)} images, allowed: another class for each")


def size(eps: float, name: str = "eps") -> float:
    """One attack size.

    Raises
    ------
    InputError
        When it is negative, NaN or infinite.
    """
    value = float(eps)
    if not (value >= 0 and math.isfinite(value)):
        raise InputError(f"{name}: found {value:g}, allowed: a finite number, 0 or more")
    return value


def sizes(eps: float | Tensor, x: Tensor) -> float | Tensor:
    """One attack size, or a column (n, 1) of them.

    Raises
    ------
    InputError
        When one is negative, NaN or infinite, or there is not one for each image.
    """
    if not isinstance(eps, Tensor) or eps.ndim == 0:
        return size(float(eps))
    if eps.shape != (len(x),):
        raise InputError(f"eps: found shape {tuple(eps.shape)}, allowed: a number, or one for each of {len(x)} images")
    unfit = eps[~((eps >= 0) & eps.isfinite())]
    if len(unfit):
        size(float(unfit[0]))
    return eps.to(x)[:, None]
