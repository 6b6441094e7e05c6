"""The family album: grey patches of the two photographs that scikit-learn carries.

Data of a kind no network here was trained on. What is learnt of one photograph is scored on the other.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_sample_images

from advdyn.errors import InputError

EDGE = 14
PHOTOGRAPHS = ("china", "flower")
LUMA = (299, 587, 114)  # thousandths of red, green and blue: ITU-R BT.601
SEED = 20240614  # of the order of the patches; changing it changes every number measured on the album


def patches(shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Disjoint 14 x 14 grey patches of both photographs, enlarged to the shape of the images.

    Pixel (i, j) of a patch enlarged to (height, width) is its pixel (floor(14 i / height), floor(14 j / width)): for
    multiples of 14, as in MNIST, each pixel is repeated. The patches come in one fixed random order, the same for both
    photographs, so that any first so many of them are scattered over the photograph.

    Parameters
    ----------
    shape
        (height, width) of an image.

    Returns
    -------
    uint8, shape (2, 1350, height * width)
        Of china.jpg and of flower.jpg, 427 x 640 pixels each: 30 x 45 patches, with the rest of the edges left out.

    Raises
    ------
    InputError
        When the images are not grey and two-dimensional.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"album: found images of shape {tuple(shape)}, allowed: (height, width)")
    found = dict(zip(PHOTOGRAPHS, sorted(_photographs().items()), strict=True))
    rows, columns = (EDGE * np.arange(n) // n for n in shape)
    album = []
    for name, (file, photograph) in found.items():
        if not file.endswith(f"{name}.jpg"):
            raise InputError(f"album: found {file}, expected {name}.jpg of scikit-learn")
        # rounded in integers, so that no library's arithmetic enters
        grey = ((photograph.astype(np.int64) @ np.array(LUMA) + 500) // 1000).astype(np.uint8)
        down, across = (n // EDGE for n in grey.shape)
        cut = grey[: down * EDGE, : across * EDGE].reshape(down, EDGE, across, EDGE).swapaxes(1, 2)
        patch = cut.reshape(-1, EDGE, EDGE)[:, rows[:, None], columns]
        # the raw output of a bit generator is the same in every release of numpy, its shuffling is not
        order = np.argsort(np.random.PCG64(SEED).random_raw(len(patch)), kind="stable")
        album.append(patch[order].reshape(len(patch), -1))
    return np.stack(album)


def _photographs() -> dict[str, npt.NDArray[np.uint8]]:
    """File name to pixels (height, width, colour)."""
    bundle = load_sample_images()
    return dict(zip(bundle.filenames, bundle.images, strict=True))
