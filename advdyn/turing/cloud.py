"""The cloud of neurons: is it isotropic (the source's "symmetry and homogeneity"), and along what does it reach out?

The rows u_j (or columns v_j) of one network are points. Of a Gaussian initialisation they are an isotropic cloud, up to
what a finite number of points makes of it; the initial cloud is therefore measured too, as the control.

References
----------
L. Rout, Towards a pseudo-reaction-diffusion model for Turing instability in adversarial learning: figure 5.
L. van der Maaten, G. Hinton, Visualizing data using t-SNE, J. Mach. Learn. Res. 9, 2579 (2008).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

Floats = npt.NDArray[np.float64]

# of which the cloud is measured and drawn
STAGES = ("initial", "final", "change")
ROUT = "Rout, Towards a Pseudo-Reaction-Diffusion Model for Turing Instability in Adversarial Learning"
OURS = "defined by this study, see docs/turing"

PERPLEXITY = 30.0
ITERATIONS = 500


@dataclass(frozen=True)
class Shape:
    """How a cloud of points departs from a sphere, from the eigenvalues l_1 >= l_2 >= ... of its covariance.

    ``participation``: (sum l)^2 / sum l^2, the number of directions in which it reaches out, 1 to the dimension.
    ``top_share``: l_1 / sum l. ``pca_ratio``: l_1 / l_2, 1 for a cloud that is as wide in two directions, infinite for
    points on a line. All are NaN for points that coincide, pca_ratio also where there is one dimension only.
    """

    participation: float
    top_share: float
    pca_ratio: float


def shape(points: npt.ArrayLike) -> Shape:
    """Shape of the cloud of ``points``, shape (point, dimension); see Shape."""
    x = np.asarray(points, dtype=float)
    x = x - x.mean(0)
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x  # both have the same eigenvalues but for zeros
    trace = float(np.trace(gram))
    if not np.isfinite(trace) or trace <= 0:
        return Shape(np.nan, np.nan, np.nan)
    participation = trace**2 / float(np.sum(gram * gram))
    if len(gram) == 1:
        return Shape(participation, 1.0, np.nan)
    second, first = linalg.eigvalsh(gram, subset_by_index=[len(gram) - 2, len(gram) - 1], check_finite=False)
    # an eigenvalue that is 0 comes out as rounding of either sign
    ratio = first / second if second > len(gram) * np.finfo(float).eps * first else np.inf
    return Shape(participation, float(first / trace), float(ratio) if x.shape[1] > 1 else np.nan)


def principal(points: npt.ArrayLike, count: int) -> Floats:
    """The first principal axes of a cloud: unit vectors of largest variance first.

    Parameters
    ----------
    points : shape (point, dimension)
    count
        Axes wanted.

    Returns
    -------
    float64, shape (count, dimension)
        Each with its largest entry in size positive, so that the sign is not the library's; NaN for axes along which
        the cloud has no extent.
    """
    x = np.asarray(points, dtype=float)
    x = x - x.mean(0)
    axes = np.full((count, x.shape[1]), np.nan)
    if not np.all(np.isfinite(x)):
        return axes
    values, vectors = np.linalg.svd(x, full_matrices=False)[1:]
    extent = values > max(x.shape) * np.finfo(float).eps * values[:1]
    found = vectors[extent][:count]
    peak = np.take_along_axis(found, np.abs(found).argmax(1)[:, None], 1)
    axes[: len(found)] = found * np.sign(peak)
    return axes


def pca(points: npt.ArrayLike) -> Floats:
    """Coordinates (point, 2) of a cloud along its two principal axes; 0 along an axis without extent."""
    x = np.asarray(points, dtype=float)
    x = x - x.mean(0)
    if not np.all(np.isfinite(x)):
        return np.full((len(x), 2), np.nan)
    return x @ np.nan_to_num(principal(x, 2)).T


def embed(points: npt.ArrayLike, seed: int) -> Floats:
    """t-SNE embedding of a cloud in the plane, from a random start: the same for the same seed.

    Parameters
    ----------
    points : shape (point, dimension)
        At least 4 points.
    seed
        Of the start. An embedding is one of many: what it shows must be seen with several seeds.

    Returns
    -------
    float64, shape (point, 2)
        NaN where points are not finite or too few.
    """
    from sklearn.manifold import TSNE  # a second to import, and needed for pictures only

    x = np.asarray(points, dtype=float)
    if len(x) < 4 or not np.all(np.isfinite(x)):
        return np.full((len(x), 2), np.nan)
    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, max_iter=ITERATIONS, init="random", random_state=seed, n_jobs=1)
    return np.asarray(method.fit_transform(x), dtype=float)


def eigen_ratio(embedding: npt.ArrayLike) -> float:
    """Larger over smaller eigenvalue of the covariance of points in the plane (point, 2): 1 for a round cloud."""
    return shape(embedding).pca_ratio
