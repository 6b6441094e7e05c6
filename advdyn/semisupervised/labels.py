"""Which images of the pool are labelled."""

from typing import Any

import numpy as np
import numpy.typing as npt

from advdyn.errors import InputError

Integers = npt.NDArray[np.int64]


def choose(
    y: npt.NDArray[np.integer[Any]], n_labels: int, generator: np.random.Generator, classes: int | None = None
) -> Integers:
    """Rows of the pool that are labelled: of every class as many, drawn by chance.

    Where ``n_labels`` is no multiple of the number of classes, classes drawn by chance have one more. This is the only
    place where the labels of the pool are looked at: somebody labels ten images of each digit, and stops.

    Parameters
    ----------
    y : shape (n,)
        Classes of the pool, counted from 0.
    n_labels
        How many.
    generator
        Draws them.
    classes
        Number of classes that there are; those of the pool, if it is not said.

    Returns
    -------
    shape (n_labels,)
        Increasing.

    Raises
    ------
    InputError
        When there are fewer images than labels, a label is no class counted from 0, or a class would be without a
        label: too few labels, or too few images of it in the pool.
    """
    if n_labels > len(y):
        raise InputError(f"n_labels: found {n_labels}, allowed: at most {len(y)}, the images of the pool")
    if len(y) == 0 or y.min() < 0:
        raise InputError("labels of the pool: found one below 0 or none, allowed: classes, counted from 0")
    held = np.bincount(y, minlength=classes or 0)
    if n_labels < len(held):
        raise InputError(f"n_labels: found {n_labels}, allowed: at least {len(held)}, one for each class")
    wanted = np.full(len(held), n_labels // len(held))
    wanted[generator.permutation(len(held))[: n_labels % len(held)]] += 1
    rows = []
    for value, (n, there) in enumerate(zip(wanted, held, strict=True)):
        if there < n:
            raise InputError(f"class {value}: found {there} images in the pool, allowed: at least {n}, its labels")
        rows.append(generator.choice(np.flatnonzero(y == value), n, replace=False))
    return np.sort(np.concatenate(rows)).astype(np.int64)
