"""Training examples of the study: the first n images as inputs, and their targets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.errors import InputError

STUDY = "turing"
UNIT = {"float32": 1e-4, "float64": 1e-6}  # how far a length may be from 1

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Examples:
    """Inputs and targets of training.

    Attributes
    ----------
    x
        Inputs (n, d), in the dtype of the images.
    y
        Targets (n, d_out), in the same dtype.
    classes
        Labels in the order of the outputs (full net); the two labels, or all classes by parity (theory net).
    shape
        Of an image; of permuted pixels too, though neighbours in it are no neighbours then.
    """

    x: Floats
    y: Floats
    classes: tuple[int, ...]
    shape: tuple[int, ...]


def permutation(pixels: int, root: int) -> npt.NDArray[np.int64]:
    """The permutation of the control permuted-pixels: x[:, permutation] is what the network sees.

    One for each root, shared by all seeds and cells.
    """
    return streams.generator(root, STUDY, 0, "data").permutation(pixels)


def examples(images: Images, *, net: str, n: int, inputs: str, control: str, root: int) -> Examples:
    """The first ``n`` training images, as the network sees them, and its targets.

    Parameters
    ----------
    net
        ``theory``: one target, the labels -1 and +1 as they are, or +1 for even classes and -1 for odd ones.
        ``full``: one-hot over the sorted classes of the training split.
    inputs
        ``unit``: scaled to Euclidean length 1; ``raw``: as they are.
    control
        ``permuted-pixels``: pixels in the order of ``permutation(pixels, root)``.

    Raises
    ------
    InputError
        When there are fewer images than ``n``, one class only, or an input of length 0 is to be scaled to length 1.
    """
    count = len(images.x_train)
    if n > count:
        raise InputError(f"n: found {n}, allowed: at most {count}, the training images of the data set")
    labels = images.y_train
    classes = tuple(int(c) for c in np.unique(labels))
    if len(classes) < 2:
        raise InputError(f"dataset: its training images are all of class {classes[0]}, allowed: two classes or more")
    x = images.x_train[:n]
    if inputs == "unit":
        length = np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        if not length.all():
            zero = int(np.flatnonzero(length == 0)[0])
            raise InputError(
                f"inputs: found 'unit', allowed: 'raw' for this data set, whose training image {zero} is 0 in every "
                "pixel and has no direction"
            )
        x = (x / length).astype(images.x_train.dtype)
    if control == "permuted-pixels":  # after the lengths were taken, whose last digit depends on the order
        x = x[:, permutation(x.shape[1], root)]
    if net == "full":
        y = labels[:n, None] == np.asarray(classes)
    elif classes == (-1, 1):
        y = labels[:n, None]
    else:
        y = np.where(labels[:n, None] % 2 == 0, 1, -1)
    return Examples(np.ascontiguousarray(x), y.astype(x.dtype), classes, tuple(images.shape))


def check_unit(x: Floats) -> None:
    """Refuse inputs that are not of length 1, for which the theorems are not stated.

    Raises
    ------
    InputError
        When a length differs from 1 by more than 1e-6 (1e-4 in float32).
    """
    off = np.abs(np.linalg.norm(np.asarray(x, np.float64), axis=1) - 1)
    if not (off <= UNIT.get(str(x.dtype), 1e-6)).all():
        worst = int(np.argmax(np.where(np.isfinite(off), off, np.inf)))
        raise InputError(
            f"inputs: found an input of length {np.linalg.norm(x[worst]):.6g} (number {worst}), allowed: 'unit' where "
            "the theorem asks for |x| = 1"
        )
