"""References that need no training: what looks like noise, and what is destroyed, known beforehand.

======================  =====================  ==============================================
system                  looks like noise       destroyed
======================  =====================  ==============================================
untouched               no                     no
danoise, urandom        yes                    yes: nothing of the image enters
xor-fresh               yes                    yes: a one-time pad (Shannon 1949)
xor-fixed               each image by itself   no: one key for all images, which pairs reveal
permutation             no                     no: the pixels are all there, elsewhere
additive                no                     in part
fgsm                    no                     no: fools the network only (arXiv:1412.6572)
======================  =====================  ==============================================
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from advdyn.errors import InputError
from advdyn.gan import noise as bytes_
from advdyn.gan.judge import Judge

SYSTEMS = ("untouched", "danoise", "urandom", "xor-fresh", "xor-fixed", "permutation", "additive", "fgsm")

Bytes = npt.NDArray[np.uint8]


def floats(images: Bytes) -> npt.NDArray[np.float32]:
    """Images of bytes as numbers in [0, 1]: byte/255, in the very arithmetic of ``advdyn.data.load``."""
    x = images.astype(np.float32)
    x /= 255
    return x


def to_bytes(x: npt.ArrayLike) -> Bytes:
    """The bytes of images in [0, 1] as a data set keeps them, the inverse of ``floats``.

    Raises
    ------
    InputError
        When a pixel lies outside [0, 1].
    """
    found = np.asarray(x)
    if found.size and not (found.min() >= 0 and found.max() <= 1):
        raise InputError(f"images: found pixels from {found.min():g} to {found.max():g}, allowed: within [0, 1]")
    return np.rint(found * 255).astype(np.uint8)


def apply(
    name: str,
    images: Bytes,
    generator: np.random.Generator,
    *,
    eps: float = 0.25,
    noise: float = 0.5,
    judge: Judge | None = None,
    labels: npt.NDArray[np.integer] | None = None,
    whole: Bytes | None = None,
) -> Bytes:
    """Degenerate images by one of the references.

    A key (xor-fixed, permutation) is drawn anew by every call: images that share it are given together.

    Parameters
    ----------
    name
        One of SYSTEMS.
    images : (n, pixel)
    generator
        Of keys and noise; nothing is drawn for untouched, urandom and fgsm.
    eps
        Of FGSM in l_inf, in pixel ranges.
    noise
        Standard deviation of the additive noise, in pixel ranges; the sum is clipped to [0, 1].
    judge
        The classifier whose gradient FGSM follows.
    labels : (n,)
        True classes for FGSM (attacks.md, 1); where negative, or without labels, the predicted ones.
    whole : (place,)
        The bytes of ``urandom``; those of the first n images are used, none twice.

    Returns
    -------
    uint8, shape (n, pixel)

    Raises
    ------
    InputError
        When ``name`` is none of SYSTEMS, when there are fewer random bytes than needed, or no classifier.
    """
    match name:
        case "untouched":
            return images.copy()
        case "danoise":
            return bytes_.danoise(int(generator.integers(2**63)), *images.shape)
        case "urandom":
            have = 0 if whole is None else len(whole)
            if whole is None or have < images.size:
                raise InputError(f"urandom: found {have} bytes, {images.size} are needed, and none is used twice")
            return whole[: images.size].reshape(images.shape).copy()
        case "xor-fresh":
            return images ^ generator.integers(0, 256, images.shape, np.uint8)
        case "xor-fixed":
            return images ^ generator.integers(0, 256, images.shape[1], np.uint8)
        case "permutation":
            return images[:, generator.permutation(images.shape[1])]
        case "additive":
            added = floats(images) + noise * generator.standard_normal(images.shape, np.float32)
            return bytes_.to_bytes(np.clip(added, 0, 1))
        case "fgsm":
            if judge is None:
                raise InputError("fgsm: found no classifier; its gradient is needed")
            x = floats(images)
            given = np.full(len(x), -1) if labels is None else labels
            y = np.where(given < 0, judge.predict(x), given)
            # in float64, where x = b/255 is exact enough that a pixel left alone keeps its byte
            moved = images / 255 + eps * np.sign(judge.gradient(x, y))
            return bytes_.to_bytes(np.clip(moved, 0, 1))
    raise InputError(f"system: found {name!r}, allowed: {', '.join(SYSTEMS)}")


def available(whole: Bytes, sizes: Sequence[int], pixels: int) -> list[int]:
    """How many images of each part (fit, validation, held-out, ...) the random bytes suffice for.

    Parameters
    ----------
    whole : (place,)
    sizes
        Images asked for, part by part: fit, validation, held-out.
    pixels
        Bytes of an image.

    Returns
    -------
    The same numbers where there are enough bytes; otherwise 60, 10 and 30 % of the images that there are, and no part
    more than was asked for.
    """
    images = len(whole) // pixels
    if sum(sizes) <= images:
        return list(sizes)
    return [min(n, share * images // 10) for n, share in zip(sizes, (6, 1, 3), strict=True)]
