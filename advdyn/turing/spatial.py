"""Spatial structure of filters seen as images: do neighbouring pixels have like weights, and at which wavelength?

A Turing pattern would have a wavelength of its own. White noise has none, and its value of every measure here is known
exactly, so that what filters show is compared with that, with the data, and with filters of permuted pixels.

References
----------
P. A. P. Moran, Notes on continuous stochastic phenomena, Biometrika 37, 17 (1950): Moran's I.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """Measures of images (..., h, w): each of shape (...), ``spectrum`` (..., wavenumber); NaN for constant images.

    ``moran``: Moran's I, see ``moran``; ``dirichlet``: see ``dirichlet``; ``k_mean`` and ``spectrum``: see ``radial``.
    """

    moran: Floats
    dirichlet: Floats
    k_mean: Floats
    spectrum: Floats


def image_shape(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of inputs of this shape as one image; a vector is shown as a square; None where it is none.

    784 numbers without a shape (Gaussian inputs) are shown as 28 x 28, so that they are measured as digits are. Any
    arrangement of them is as good as another: that makes them the control.
    """
    if len(shape) == 2:
        height, width = shape
        return (height, width) if min(shape) >= 2 else None
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    return (side, side) if side >= 2 and side * side == shape[0] else None


def wavenumbers(height: int, width: int) -> npt.NDArray[np.int64]:
    """1, 2, ... to the Nyquist wavenumber of the shorter side, in periods per image of that side."""
    return np.arange(1, min(height, width) // 2 + 1)


def _centred(images: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Images less their mean, and their variance over pixels (NaN where that is nothing but rounding)."""
    x = np.asarray(images, dtype=float)
    centred = x - x.mean((-2, -1), keepdims=True)
    variance = (centred**2).mean((-2, -1))
    size = (x**2).mean((-2, -1))
    # the mean of equal numbers need not round to that number
    varied = variance > (8 * np.finfo(float).eps) ** 2 * size
    return centred, np.where(varied, variance, np.nan)


def moran(images: npt.ArrayLike) -> Floats:
    """Moran's I with rook neighbours: the correlation of a pixel with its neighbours across edges.

    I = (N/E) sum_edges (x_i - xbar)(x_j - xbar) / sum_i (x_i - xbar)^2 with N pixels and E edges. For independent
    pixels the mean is -1/(N - 1) exactly, -0.0013 at 28 x 28; 1 for smooth images, -1 for a checkerboard.

    Parameters
    ----------
    images : shape (..., h, w)

    Returns
    -------
    float64, shape (...)
        NaN for a constant image.
    """
    x, variance = _centred(images)
    height, width = x.shape[-2:]
    edges = height * (width - 1) + width * (height - 1)
    products = (x[..., 1:, :] * x[..., :-1, :]).sum((-2, -1)) + (x[..., 1:] * x[..., :-1]).sum((-2, -1))
    return np.asarray(products / (edges * variance))


def dirichlet(images: npt.ArrayLike) -> Floats:
    """Discrete Dirichlet energy: sum over edges of (x_i - x_j)^2, over variance and number of pixels.

    Independent pixels give 2 E/(N - 1) in the mean, 3.86 at 28 x 28; smooth images less.

    Parameters
    ----------
    images : shape (..., h, w)

    Returns
    -------
    float64, shape (...)
        NaN for a constant image.
    """
    x, variance = _centred(images)
    squares = (np.diff(x, axis=-2) ** 2).sum((-2, -1)) + (np.diff(x, axis=-1) ** 2).sum((-2, -1))
    return np.asarray(squares / (variance * x.shape[-2] * x.shape[-1]))


def radial(images: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Power of an image over the length of the wave vector, its mean removed.

    Wave vectors are in periods per image of the shorter side (so that they are isotropic in pixels) and their lengths
    are rounded; longer ones than the Nyquist wavenumber, the corners of the square, are left out.

    Parameters
    ----------
    images : shape (..., h, w)

    Returns
    -------
    spectrum : float64, shape (..., wavenumber)
        Mean power of the wave vectors of each length in ``wavenumbers(h, w)``, divided by its sum: flat for white
        noise.
    k_mean : float64, shape (...)
        Mean wavenumber, every wave vector weighted with its power: 9.56 for white noise at 28 x 28.
    """
    x, variance = _centred(images)
    height, width = x.shape[-2:]
    bins = wavenumbers(height, width)
    side = min(height, width)
    rows, columns = np.fft.fftfreq(height) * side, np.fft.rfftfreq(width) * side
    k = np.rint(np.hypot(rows[:, None], columns)).astype(int).ravel()
    # rfft2 keeps half of the plane: every wave vector but those of the columns 0 and Nyquist stands for two
    twice = np.full(len(columns), 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    weight = np.broadcast_to(twice, (height, len(columns))).ravel()
    ring = np.where(k[:, None] == bins, weight[:, None], 0.0)
    transform = np.fft.rfft2(x)
    power = (transform.real**2 + transform.imag**2).reshape(*x.shape[:-2], -1)
    total = power @ ring + 0 * variance[..., None]  # NaN for constant images
    mean = total / ring.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):  # an image of wave vectors beyond Nyquist only
        return mean / mean.sum(-1, keepdims=True), (total @ bins) / total.sum(-1)


def structure(images: npt.ArrayLike) -> Structure:
    """All measures of images (..., h, w)."""
    spectrum, k_mean = radial(images)
    return Structure(moran(images), dirichlet(images), k_mean, spectrum)
