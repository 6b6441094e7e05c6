"""What making a data set takes, from its size: of the user's own files as their headers say.

Read by the Snakefile, in every nested process of a cluster job too, so nothing heavy is imported.
"""

from __future__ import annotations

import ast
import gzip
import math
import zipfile
import zlib
from functools import cache

from advdyn.data import model
from advdyn.data.files import DataError, directory_files
from advdyn.study.model import Cost

MNIST = (70_000, 784)
BUNDLED = (5_000, 784)


def size(dataset: model.Dataset) -> tuple[int, int, int]:
    """Samples, numbers in each, and bytes of a number; of the user's own files from their headers.

    A file that is not there, or broken, counts as MNIST: it is the job's to say what is wrong with it.
    """
    match dataset:
        case model.Gaussian():
            return dataset.n_train + dataset.n_validation + dataset.n_test, dataset.dimension, 8
        case model.Mixture():
            return dataset.n, dataset.dimension, 8
        case model.Bundled():
            return *BUNDLED, 1
        case model.Directory():
            return _size_of_folder(dataset.path)
        case model.Npz():
            return _size_of_npz(dataset.path)
    return *MNIST, 1


def cost(dataset: model.Dataset) -> Cost:
    """Making a data set: some copies of all its numbers, and their compression, at 20 MB/s."""
    samples, numbers, itemsize = size(dataset)
    whole = 1e-6 * samples * numbers * itemsize
    # the splits, and all of them in one array; besides, of files what is read, and of the mixture the noise and its sum
    # with the centres
    copies = {"gaussian": 2.3}.get(dataset.source, 3.2)
    return Cost(2 + 0.05 * whole, 120 + copies * whole + 2e-4 * samples, 1 + whole)


def download_cost() -> Cost:
    """Fetching 12 MB; the time is the network's."""
    return Cost(600.0, 120.0, 12.0)


@cache
def _size_of_folder(path: str) -> tuple[int, int, int]:
    """From the headers of the idx files: two zero bytes, type, number of dimensions, and the dimensions."""
    try:
        files = directory_files(path)
        shapes = [_idx_shape(files[name]) for name in ("train_images", "test_images")]
    except (DataError, OSError, EOFError, zlib.error):
        return *MNIST, 1
    return sum(shape[0] for shape in shapes), math.prod(shapes[0][1:]), 1


def _idx_shape(file: str) -> tuple[int, ...]:
    with open(file, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(file) if packed else open(file, "rb") as stream:
        header = stream.read(16)
    if len(header) < 16:
        raise EOFError(file)
    return tuple(int.from_bytes(header[i : i + 4], "big") for i in (4, 8, 12))


@cache
def _size_of_npz(path: str) -> tuple[int, int, int]:
    """From the headers that NumPy writes before each array."""
    samples, numbers, itemsize = 0, 1, 1
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not name.startswith("x_"):
                    continue
                with archive.open(name) as stream:
                    start = stream.read(8)  # magic and version; then the length of the header, of 2 or 4 bytes
                    length = int.from_bytes(stream.read(2 if start[6] == 1 else 4), "little")
                    header = ast.literal_eval(stream.read(length).decode())
                shape = header["shape"]
                samples, numbers = samples + shape[0], math.prod(shape[1:])
                itemsize = int(header["descr"][2:])
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, SyntaxError, LookupError, TypeError):
        return *MNIST, 8
    return samples, numbers, itemsize
