"""Two classes out of many: the samples of both, labelled +1 and -1."""

import numpy as np

from advdyn.data.errors import DataError


def of(x: np.ndarray, y: np.ndarray, positive: int, negative: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the two classes in their order, as float64, and their labels tau.

    Parameters
    ----------
    x : (n, d)
    y : (n,)
        Classes.
    positive, negative
        Classes that get tau = +1 and tau = -1.
    split
        Name of the split, for the message.

    Returns
    -------
    x : (m, d) float64, tau : (m,) float64

    Raises
    ------
    DataError
        When the two classes are the same, or the split lacks one of them.
    """
    if positive == negative:
        raise DataError(f"positive and negative are both {positive}: two different classes are needed")
    for label in (positive, negative):
        if not (y == label).any():
            raise DataError(f"the {split} images hold none of class {label}; classes there: {np.unique(y).tolist()}")
    chosen = (y == positive) | (y == negative)
    return x[chosen].astype(float), np.where(y[chosen] == positive, 1.0, -1.0)
