"""MNIST, or a set of images in its format, from four idx files.

The test images are the test set; validation is one twelfth of the training images, stratified, so that MNIST's
60,000 training images give train 55,000 and validation 5,000, and its 10,000 test images test.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from advdyn.data import idx, prepare, splits
from advdyn.data.errors import DataError

HELD_OUT = 12  # one in so many training images is for validation
REFERENCES = "LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86, 2278 (1998), doi:10.1109/5.726791"


def dataset(train_images: str, train_labels: str, test_images: str, test_labels: str) -> xr.Dataset:
    """Images from four idx files, gzipped or not; ``advdyn.data.files.directory_files`` finds them in a folder.

    Returns
    -------
    xr.Dataset
        In the layout of ``advdyn.data.prepare``; the attribute ``source`` holds the names of the files.

    Raises
    ------
    DataError
        When a file is not as ``advdyn.data.idx`` allows, or the files do not fit together.
    """
    image, label = idx.read_pair(train_images, train_labels)
    test_image, test_label = idx.read_pair(test_images, test_labels)
    if image.shape[1:] != test_image.shape[1:]:
        raise DataError(
            f"{test_images}: images of shape {test_image.shape[1:]}; those of {train_images} have {image.shape[1:]}"
        )
    if len(np.unique(label)) < 2:
        raise DataError(f"{train_labels}: all labels are {label[0]}; at least two classes are needed")
    unknown = sorted(set(np.unique(test_label).tolist()) - set(np.unique(label).tolist()))
    if unknown:
        raise DataError(f"{test_labels}: labels {unknown} do not occur in {train_labels}; every class must")
    if len(label) < HELD_OUT:
        raise DataError(
            f"{train_images}: {len(label)} images; at least {HELD_OUT} are needed, one in {HELD_OUT} is for validation"
        )
    train, validation = splits.hold_out(label, len(label) // HELD_OUT)
    data = prepare.dataset(
        [
            prepare.take(image, label, train),
            prepare.take(image, label, validation),
            prepare.take(test_image, test_label, splits.order(test_label)),
        ],
        image.shape[1:],
        "MNIST, or images in its format",
        REFERENCES,
    )
    names = (Path(file).name for file in (train_images, train_labels, test_images, test_labels))
    return data.assign_attrs(source=", ".join(names))
