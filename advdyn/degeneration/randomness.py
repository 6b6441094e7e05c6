"""How far bytes are from independent uniform ones, and from the images they were made of.

Pure functions of bytes uint8 (n, pixel), n images one after another; none depends on the other references. What
independent uniform bytes read is said with each.
"""

import lzma
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

VALUES = 256
COMPRESSED = 2**18  # bytes that are compressed: enough for a ratio to 1e-3, and cheap
SSIM_EDGE = 7  # the window of structural_similarity
EXCESS = -1.2 * (VALUES**2 + 1) / (VALUES**2 - 1)  # excess kurtosis of a uniform byte

Bytes = npt.NDArray[np.uint8]


def histogram(values: Bytes) -> npt.NDArray[np.int64]:
    """How often each byte occurs, (256,)."""
    return np.bincount(values.reshape(-1), minlength=VALUES)


def ks(values: Bytes) -> float:
    """Kolmogorov-Smirnov distance of the bytes to the uniform distribution on 0, 1, ..., 255.

    Both distribution functions are steps at the same places, so that their largest distance is over the 256 bytes;
    ``scipy.stats.ks_1samp`` takes the reference to be continuous, and would add the size of a step. Uniform bytes read
    about .8/sqrt(bytes).
    """
    counts = histogram(values)
    return float(np.abs(counts.cumsum() / counts.sum() - np.arange(1, VALUES + 1) / VALUES).max())


def bits_per_byte(values: Bytes) -> float:
    """Shannon entropy of the distribution of bytes, in bits; uniform bytes read 8 - 184/bytes."""
    share = histogram(values) / values.size
    share = share[share > 0]
    return max(0.0, float(-(share * np.log2(share)).sum()))


def chi2_per_dof(values: Bytes) -> float:
    """Pearson's chi^2 of the 256 counts against equal ones, over its 255 degrees of freedom; uniform bytes read 1."""
    expected = values.size / VALUES
    return float((np.square(histogram(values) - expected) / expected).sum() / (VALUES - 1))


def zlib_ratio(values: Bytes) -> float:
    """Length after zlib (level 9) over length, of the first 2^18 bytes; random bytes read just above 1."""
    return _ratio(values, lambda data: zlib.compress(data, 9))


def lzma_ratio(values: Bytes) -> float:
    """Length after lzma (xz, preset 6) over length, of the first 2^18 bytes; random bytes read just above 1."""
    return _ratio(values, lzma.compress)


def _ratio(values: Bytes, compress: Callable[[bytes], bytes]) -> float:
    data = values.reshape(-1)[:COMPRESSED].tobytes()
    return len(compress(data)) / len(data)


def serial_correlation(values: Bytes) -> float:
    """Pearson correlation of each byte with the next, through all images in turn; uniform bytes read 0.

    Bytes that are all equal read 1: each tells the next.
    """
    flat = values.reshape(-1).astype(np.float32)
    return _pearson(flat[:-1], flat[1:])


def neighbour_correlation(values: Bytes, shape: Sequence[int]) -> float:
    """Mean Pearson correlation of neighbouring pixels, along each axis of the image; uniform bytes read 0.

    Parameters
    ----------
    values : (n, pixel)
    shape
        Of an image; axes of length 1 have no neighbours. NaN where no axis has any.
    """
    images = values.reshape(len(values), *shape).astype(np.float32)
    found = []
    for axis, length in enumerate(shape, start=1):
        if length > 1:
            before, after = (np.take(images, range(i, length - 1 + i), axis) for i in (0, 1))
            found.append(_pearson(before, after))
    return float(np.mean(found)) if found else np.nan


def _pearson(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Pearson correlation; 1 where both are constant, 0 where one is."""
    a, b = a.reshape(-1) - a.mean(dtype=np.float64), b.reshape(-1) - b.mean(dtype=np.float64)
    norms = float(a @ a), float(b @ b)
    if min(norms) == 0:
        return float(max(norms) == 0)
    return float(a @ b) / float(np.sqrt(norms[0] * norms[1]))


def sample_correlation(values: Bytes) -> float:
    """Mean |Pearson correlation| over all pairs of different images.

    Repeated textures (Figure 9) read up to 1; independent uniform bytes ``sample_correlation_of_noise``. Two constant
    images have 1, a constant one and another 0.
    """
    n = len(values)
    if n < 2:
        return np.nan
    x = values.astype(np.float32)
    x -= x.mean(1, keepdims=True, dtype=np.float64).astype(np.float32)
    norm = np.sqrt(np.square(x).sum(1, keepdims=True))
    constant = int((norm == 0).sum())
    x /= np.where(norm > 0, norm, np.float32(1))
    total = np.abs(x @ x.T).sum(dtype=np.float64) - (n - constant) + constant * (constant - 1)
    return min(1.0, float(total) / (n * (n - 1)))


def sample_correlation_of_noise(pixels: int) -> float:
    """What ``sample_correlation`` reads for independent bytes: the mean of |N(0, 1)| over sqrt(pixels - 1)."""
    return float(np.sqrt(2 / (np.pi * (pixels - 1)))) if pixels > 1 else np.nan


def participation_ratio(values: Bytes) -> float:
    """(sum of eigenvalues)^2 / sum of their squares, of the covariance of the images.

    The number of directions in which images differ, were they all equally large: 1 where all vary along one image, 0
    where all images are equal.
    """
    x = values - values.mean(0, dtype=np.float64)
    gram = x.T @ x if x.shape[1] <= len(x) else x @ x.T
    squares = float(np.square(gram).sum())
    return float(np.trace(gram)) ** 2 / squares if squares > 0 else 0.0


def participation_of_noise(n: int, pixels: int) -> float:
    """What ``participation_ratio`` reads for n images of independent uniform bytes, to relative order 1/(n pixels).

    With unit variances E tr S^2 = d (1 + 2/(n - 1) + k/n) + d (d - 1)/(n - 1), with d pixels and excess kurtosis k.
    """
    return pixels / (1 + (pixels + 1) / (n - 1) + EXCESS / n) if n > 1 else np.nan


def participation(values: Bytes) -> float:
    """``participation_ratio`` over that of independent noise of as many images: noise reads 1, collapse about 0."""
    return participation_ratio(values) / participation_of_noise(*values.shape)


def ssim(values: Bytes, originals: Bytes, shape: Sequence[int]) -> float:
    """Mean structural similarity of outputs and originals (Wang et al. 2004; windows of 7 x 7).

    NaN where an image is not two-dimensional, or smaller than a window. Equal images read 1, noise about 0.
    """
    if len(shape) != 2 or min(shape) < SSIM_EDGE:
        return np.nan
    pairs = zip(values.reshape(-1, *shape), originals.reshape(-1, *shape), strict=True)
    return float(np.mean([structural_similarity(a, b, data_range=VALUES - 1) for a, b in pairs]))


def bytes_differing(values: Bytes, originals: Bytes) -> float:
    """Bytes that differ from the original's, in per cent; noise reads 100 (1 - 1/256) = 99.609."""
    return 100 * float((values != originals).mean())


# name: long name, unit, reference
METRICS: dict[str, tuple[str, str, str]] = {
    "ks": ("Kolmogorov-Smirnov distance of the bytes to uniform ones", "1", "Kolmogorov 1933"),
    "bits_per_byte": ("entropy of the distribution of bytes", "bit", "Shannon 1948"),
    "chi2_per_dof": ("chi^2 per degree of freedom of the bytes against uniform ones", "1", "Pearson 1900"),
    "zlib_ratio": ("length after zlib over length", "1", ""),
    "lzma_ratio": ("length after lzma over length", "1", ""),
    "serial_correlation": ("correlation of each byte with the next", "1", "Knuth, TAOCP 2, 3.3.2K"),
    "neighbour_correlation": ("correlation of neighbouring pixels", "1", ""),
    "sample_correlation": ("mean |correlation| between outputs of different images", "1", ""),
    "sample_correlation_of_noise": ("the same of independent noise", "1", ""),
    "participation_ratio": ("participation ratio of the covariance of the outputs, over that of noise", "1", ""),
    "ssim": ("structural similarity of output and original", "1", "Wang et al., IEEE TIP 13, 600 (2004)"),
    "bytes_differing": ("bytes that differ from the original's", "%", ""),
}


def measured(values: Bytes, originals: Bytes, shape: Sequence[int]) -> dict[str, Any]:
    """All METRICS by name, of outputs and originals uint8 (n, pixel) of images of this shape."""
    return {
        "ks": ks(values),
        "bits_per_byte": bits_per_byte(values),
        "chi2_per_dof": chi2_per_dof(values),
        "zlib_ratio": zlib_ratio(values),
        "lzma_ratio": lzma_ratio(values),
        "serial_correlation": serial_correlation(values),
        "neighbour_correlation": neighbour_correlation(values, shape),
        "sample_correlation": sample_correlation(values),
        "sample_correlation_of_noise": sample_correlation_of_noise(values.shape[1]),
        "participation_ratio": participation(values),
        "ssim": ssim(values, originals, shape),
        "bytes_differing": bytes_differing(values, originals),
    }
