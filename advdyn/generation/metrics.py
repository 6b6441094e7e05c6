"""How far two samples of images are apart: pure functions of arrays.

None of them looks at how the samples were made. Each two-sample accuracy is 1/2 for samples of one distribution.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# of the ridge classifier, over the mean eigenvalue of the Gram matrix
PENALTIES = np.logspace(-3, 3, 13)
TIED = 1e-10  # squared distances this close, over the largest squared length, are equal: rounding is 1e-13 of it


def frechet(a: Floats, b: Floats) -> float:
    """Frechet distance of the normal distributions fitted to two samples of features.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al., arXiv:1706.08500, eq. (6)), in squared units of
    the features. It is biased upwards in small samples: compare with that of two samples of one distribution.

    Parameters
    ----------
    a, b : (n, feature), (m, feature)

    Raises
    ------
    ValueError
        When a sample has fewer than two rows, or is not finite.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"frechet: {len(a)} and {len(b)} samples; at least 2 of each are needed")
    first, second = _finite(a), _finite(b)
    shift = first.mean(0) - second.mean(0)
    one, two = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # C_a C_b has the eigenvalues of the symmetric C_a^(1/2) C_b C_a^(1/2)
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0)).sum()
    return max(0.0, float(shift @ shift + np.trace(one) + np.trace(two) - 2 * overlap))


def score(probabilities: Floats) -> float:
    """Exponential of the mean KL(p(y | x) || p(y)): 1 to the number of classes (Salimans et al., arXiv:1606.03498).

    Parameters
    ----------
    probabilities : (n, class)
        Of a judge; rows sum to 1.
    """
    p = _finite(probabilities)
    marginal = p.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(marginal)), 0)
    return float(np.exp(terms.sum(1).mean()))


def squared_distances(a: Floats, b: Floats) -> Doubles:
    """Squared l2 distances (n, m) of the rows of a (n, pixel) and b (m, pixel), by one product of matrices."""
    one, two = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lengths = np.square(one).sum(1)[:, None] + np.square(two).sum(1)
    return np.maximum(lengths - 2 * one @ two.T, 0)


def neighbour_test(a: Floats, b: Floats) -> tuple[float, float, float]:
    """Leave-one-out test of two samples by the nearest neighbour (l2) (Lopez-Paz and Oquab, arXiv:1610.06545, sec. 3).

    Parameters
    ----------
    a, b : (n, pixel), (m, pixel)
        Real and generated images, as many of each (the sample that has more is found more often).

    Returns
    -------
    accuracy : mean of the two; .5 for one distribution, below it when b repeats a, above it when they differ
    real : share of a whose nearest neighbour is of a
    fake : share of b whose nearest neighbour is of b; of equally near neighbours each counts its share

    Raises
    ------
    ValueError
        When a sample has no two rows, or is not finite.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"neighbour_test: {len(a)} and {len(b)} samples; at least 2 of each are needed")
    both = np.concatenate([_finite(a), _finite(b)])
    distance = squared_distances(both, both)
    np.fill_diagonal(distance, np.inf)
    nearest = distance <= distance.min(1, keepdims=True) + TIED * np.square(both).sum(1).max()
    from_a = nearest[:, : len(a)].sum(1) / nearest.sum(1)
    real, fake = float(from_a[: len(a)].mean()), float(1 - from_a[len(a) :].mean())
    return (real + fake) / 2, real, fake


def linear_test(a: Floats, b: Floats, generator: np.random.Generator) -> float:
    """Held-out accuracy of a linear classifier that tells two samples apart (Lopez-Paz and Oquab, arXiv:1610.06545).

    Each sample is cut into random halves. A ridge regression of +-1 on the pixels is fitted on one half of both, its
    penalty chosen by the squared error of leaving one out there, and scored on the other; then the other way round.
    The classes count alike, and an output of 0 counts 1/2.

    Parameters
    ----------
    a, b : (n, pixel), (m, pixel)
    generator
        Cuts the halves.

    Raises
    ------
    ValueError
        When a sample has fewer than four rows, or is not finite.
    """
    if min(len(a), len(b)) < 4:
        raise ValueError(f"linear_test: {len(a)} and {len(b)} samples; at least 4 of each are needed")
    halves = [np.array_split(_finite(x)[generator.permutation(len(x))], 2) for x in (a, b)]
    found = []
    for fitted, scored in ((0, 1), (1, 0)):
        direction, centre = _ridge(halves[0][fitted], halves[1][fitted])
        for sign, sample in zip((1, -1), halves, strict=True):
            found.append((1 + np.sign(sign * ((sample[scored] - centre) @ direction))).mean() / 2)
    return float(np.mean(found))


def _ridge(a: Doubles, b: Doubles) -> tuple[Doubles, Doubles]:
    """Direction and centre of a ridge regression of +1 on a and -1 on b, classes with equal weight."""
    centre = (a.mean(0) + b.mean(0)) / 2
    weight = np.sqrt(np.repeat([0.5 / len(a), 0.5 / len(b)], [len(a), len(b)]))
    x = np.concatenate([a, b]) - centre
    y = weight * np.repeat([1.0, -1.0], [len(a), len(b)])
    x *= weight[:, None]
    values, vectors = np.linalg.eigh(x @ x.T)
    values = np.maximum(values, 0)
    if not values[-1] > 0:  # all images equal
        return np.zeros(x.shape[1]), centre
    penalty = PENALTIES * values.mean()
    shrunk = penalty / (values[:, None] + penalty)  # (eigenvalue, penalty)
    left = vectors @ (shrunk * (vectors.T @ y)[:, None])
    error = np.square(left / (np.square(vectors) @ shrunk)).sum(0)
    chosen = int(error.argmin())
    dual = vectors @ ((vectors.T @ y) / (values + penalty[chosen]))
    return x.T @ dual, centre


def class_shares(probabilities: Floats) -> Doubles:
    """Share of images whose most probable class is each one, (class,), from the probabilities (n, class)."""
    return np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)


def share_distance(shares: Floats, reference: Floats) -> float:
    """Total variation 1/2 sum |p - q| of two distributions over classes, 0 to 1."""
    return float(np.abs(np.asarray(shares) - reference).sum() / 2)


def nearest(a: Floats, training: Floats) -> tuple[Doubles, Integers]:
    """The nearest training image (l2) of each image.

    Parameters
    ----------
    a, training : (n, pixel), (m, pixel)

    Returns
    -------
    distance : (n,), in units of the pixels; exactly 0 for a copy
    index : (n,) int64, row of ``training``
    """
    index = squared_distances(a, training).argmin(1)
    difference = np.asarray(a, np.float64) - np.asarray(training, np.float64)[index]
    return np.sqrt(np.square(difference).sum(1)), index.astype(np.int64)


def _finite(x: Floats) -> Doubles:
    """As float64.

    Raises
    ------
    ValueError
        When an entry is not finite.
    """
    found = np.asarray(x, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("a sample is not finite")
    return found
