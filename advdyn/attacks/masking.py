"""Masked gradients: signs that a single-step attack fails where the model does not resist. NumPy only.

A network trained on single-step examples of a large eps may learn to make that step useless: its error under FGSM is
then low at the training eps, not monotone in eps, and below that of an iterated attack, even of a smaller one.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Wrong = npt.NDArray[np.bool_]

GAP, NON_MONOTONE, SMALLER_EPS = 1, 2, 4


@dataclass(frozen=True)
class Masking:
    """What speaks for masked gradients.

    Attributes
    ----------
    flag
        Sum of bits. 1 (``GAP``): at some eps the single-step error is below the iterated one. 2 (``NON_MONOTONE``):
        the single-step error falls as eps grows. 4 (``SMALLER_EPS``): the iterated attack at half an eps or less
        gives a larger error than the single step at that eps. Each by more than sampling error.
    gap
        Largest iterated minus single-step error at the same eps; below 0 when the single step is better at all.
    drop
        Largest fall of the single-step error below its running maximum over eps.
    """

    flag: int
    gap: float
    drop: float


def masking(eps: npt.ArrayLike, single: npt.ArrayLike, iterated: npt.ArrayLike, z: float = 3.0) -> Masking:
    """Compare a single-step with an iterated attack of the same norm on the same images, over a list of eps.

    Errors are compared image by image: of the images on which two attacks differ, b for and c against, the difference
    (b - c)/n has the standard error sqrt(b + c)/n (McNemar's). Each bit looks at many pairs of errors, and the level
    that ``z`` standard errors have in one look is divided by the number of looks of that bit (Bonferroni).

    Parameters
    ----------
    eps : (eps,)
        Attack sizes, in any order; only those above 0 are compared.
    single, iterated : (eps, n) bool
        Whether each image is classified wrongly.
    z
        Standard errors (one-sided) that a difference must exceed in a single look.

    Raises
    ------
    ValueError
        When the shapes do not fit, or an eps is NaN.
    """
    eps = np.asarray(eps, dtype=float)
    one, many = np.asarray(single, dtype=bool), np.asarray(iterated, dtype=bool)
    if eps.ndim != 1 or one.ndim != 2 or one.shape != many.shape or len(one) != len(eps) or np.isnan(eps).any():
        raise ValueError(f"eps {eps.shape} without NaN, single {one.shape} and iterated {many.shape} do not fit")
    order = [k for k in np.argsort(eps, kind="stable") if eps[k] > 0]
    eps, one, many = eps[order], one[order], many[order]
    if one.size == 0:
        return Masking(0, 0.0, 0.0)
    sizes = range(len(eps))
    looks = {
        GAP: [(many[k], one[k]) for k in sizes],
        NON_MONOTONE: [(one[j], one[k]) for k in sizes for j in range(k)],
        SMALLER_EPS: [(many[j], one[k]) for k in sizes for j in sizes if eps[j] <= eps[k] / 2],
    }
    flag = sum(bit for bit, pairs in looks.items() if _any_exceeds(pairs, z))
    error = one.mean(axis=1)
    drop = float(np.max(np.maximum.accumulate(error) - error))
    return Masking(flag, float(np.max(many.mean(axis=1) - error)), drop)


def _any_exceeds(pairs: list[tuple[Wrong, Wrong]], z: float) -> bool:
    """Whether the first error of any pair is above the second by more than sampling error."""
    if not pairs:
        return False
    normal = NormalDist()
    least = -normal.inv_cdf(normal.cdf(-z) / len(pairs))
    for first, second in pairs:
        more, fewer = int((first & ~second).sum()), int((second & ~first).sum())
        if more - fewer > least * np.sqrt(more + fewer):
            return True
    return False


def best_bound(wrong: npt.ArrayLike, eps: npt.ArrayLike) -> Wrong:
    """What the attacks of one norm prove together: an image lost to any of them at a smaller eps is lost.

    The true error at eps is monotone, each attack bounds it from below; so does the running maximum.

    Parameters
    ----------
    wrong : (attack, eps, n) bool
        Whether each image is classified wrongly.
    eps : (eps,)
        Attack sizes, in any order.

    Returns
    -------
    (eps, n) bool

    Raises
    ------
    ValueError
        When the shapes do not fit, or an eps is NaN.
    """
    lost, eps = np.asarray(wrong, dtype=bool), np.asarray(eps, dtype=float)
    if lost.ndim != 3 or eps.shape != lost.shape[1:2] or np.isnan(eps).any():
        raise ValueError(f"wrong {lost.shape} and eps {eps.shape} without NaN do not fit")
    order = np.argsort(eps, kind="stable")
    bound = np.empty(lost.shape[1:], dtype=bool)
    bound[order] = np.logical_or.accumulate(np.any(lost, axis=0, keepdims=True)[0][order], axis=0)
    return bound
