"""A classifier really trained here: what the paper's table says of networks that are not degenerative, measured."""

import numpy as np
import xarray as xr

from advdyn import io, seeds
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan import judge

SEED = 1_000_000  # no run of the study has it: the classifier shares its random numbers with none


def run(images: Images, *, n_train: int, classifier_epochs: int, root: int) -> xr.Dataset:
    """Train a classifier on the first ``n_train`` training images, and count the bytes of them that this altered.

    Parameters
    ----------
    images
        Validation images stop the training, test images measure its accuracy and do nothing else.
    n_train
        At most as many as there are.
    classifier_epochs
        At most.
    root
        Root of the random streams.

    Returns
    -------
    Dataset
        Of ``gan.judge.train``, with ``test_accuracy`` on all test images, and ``altered_bytes``: bytes of the
        arrays of images (training, validation, test) that differ after training and classifying all of them.

    Raises
    ------
    InputError
        When there are too few images.
    """
    if not 0 < n_train <= len(images.y_train):
        raise InputError(
            f"n_train: found {n_train}, allowed: 1 to {len(images.y_train)}, the training images there are"
        )
    if len(images.y_test) == 0:
        raise InputError("data set: found no test images, allowed: a data set with some")
    splits = images.x_train, images.x_validation, images.x_test
    before = [x.tobytes() for x in splits]
    found = judge.train(
        images.x_train[:n_train],
        images.y_train[:n_train],
        images.x_validation,
        images.y_validation,
        classifier_epochs,
        seeds.generator(root, "degeneration", SEED, "training"),
        images.shape,
    )
    classifier = judge.of(found)
    for x in splits:
        classifier.predict(x)
    altered = sum(
        int((np.frombuffer(a, np.uint8) != np.frombuffer(x.tobytes(), np.uint8)).sum())
        for a, x in zip(before, splits, strict=True)
    )
    accuracy = classifier.accuracy(images.x_test, images.y_test)
    return found.assign(
        test_accuracy=io.variable((), accuracy, "share of test images that the classifier gets right"),
        altered_bytes=io.variable(
            (), np.int64(altered), "bytes of the images that training and classifying altered", "byte"
        ),
    ).assign_attrs(title="Classifier")
