"""The judge of this study, trained on images that no generator sees."""

import numpy as np
import xarray as xr

from advdyn import io, seeds
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan import judge

SEED = 1_000_000  # no generator has it: the judge shares its random numbers with none


def run(images: Images, *, judge_images: int, judge_epochs: int, root: int) -> xr.Dataset:
    """Train the judge on the last ``judge_images`` of the training images; validation images stop it.

    Parameters
    ----------
    images
        Test images measure its accuracy and do nothing else.
    judge_images
        At most as many as there are.
    judge_epochs
        At most.
    root
        Root of the random streams.

    Returns
    -------
    Dataset
        Of ``gan.judge.train``, with ``judge_accuracy`` on all test images and ``judge_images``.

    Raises
    ------
    InputError
        When there are too few images.
    """
    if not 0 < judge_images <= len(images.y_train):
        raise InputError(
            f"judge_images: found {judge_images}, allowed: 1 to {len(images.y_train)}, the training images there are"
        )
    if len(images.y_test) == 0:
        raise InputError("data set: found no test images, allowed: a data set with some")
    found = judge.train(
        images.x_train[-judge_images:],
        images.y_train[-judge_images:],
        images.x_validation,
        images.y_validation,
        judge_epochs,
        seeds.generator(root, "generation", SEED, "training"),
        images.shape,
    )
    accuracy = judge.of(found).accuracy(images.x_test, images.y_test)
    return found.assign(
        judge_accuracy=io.variable((), accuracy, "share of test images that the judge gets right"),
        judge_images=io.variable((), np.int64(judge_images), "training images of the judge, the last of the split"),
    )
