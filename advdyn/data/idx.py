"""The idx file format of MNIST: unsigned bytes behind a big-endian header, gzipped or not.

The header is two zero bytes, a byte for the type of the elements, a byte for the number of dimensions, and each
dimension as four bytes, the most significant first (LeCun, Cortes and Burges, The MNIST database).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from advdyn.data.errors import DataError

UNSIGNED_BYTE = 0x08
TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"

Bytes = npt.NDArray[np.uint8]


def read(path: str | Path, ndim: int) -> Bytes:
    """Read one idx file of unsigned bytes.

    Parameters
    ----------
    path
        The file; whether it is gzipped is told by its contents, not by its name.
    ndim
        Number of dimensions it must have: 3 for images (sample, row, column), 1 for labels.

    Returns
    -------
    ndarray of uint8 with ``ndim`` dimensions

    Raises
    ------
    DataError
        When the file is missing, is broken, is no idx file of ``ndim``-dimensional unsigned bytes, is empty, or is
        shorter or longer than its header says.
    """
    content = _content(Path(path))
    start = 4 + 4 * ndim
    if len(content) < 4:
        raise DataError(f"{path}: {len(content)} bytes; an idx file starts with a header of {start} bytes")
    if content[:2] != b"\0\0":
        raise DataError(f"{path}: starts with 0x{content[:4].hex()}; expected 0x000008{ndim:02x}")
    if content[2] != UNSIGNED_BYTE:
        found = TYPES.get(content[2], f"unknown type 0x{content[2]:02x}")
        raise DataError(f"{path}: holds {found}; only unsigned bytes (uint8) are allowed")
    if content[3] != ndim:
        raise DataError(f"{path}: has {content[3]} dimensions; expected {ndim} (images have 3, labels have 1)")
    if len(content) < start:
        raise DataError(f"{path}: {len(content)} bytes; the header alone takes {start}")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", count=ndim, offset=4))
    if 0 in shape:
        raise DataError(f"{path}: is empty, its shape is {_times(shape)}; every dimension must be at least 1")
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path}: {len(content) - start} bytes of data; its header says {_times(shape)} = {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_pair(images: str | Path, labels: str | Path) -> tuple[Bytes, Bytes]:
    """Read images, shape (sample, row, column), and their labels, shape (sample,).

    Raises
    ------
    DataError
        As ``read``, and when the two files differ in their number of samples.
    """
    image, label = read(images, 3), read(labels, 1)
    if len(image) != len(label):
        raise DataError(
            f"{images}: {len(image)} images, but {labels} has {len(label)} labels; the counts must be equal"
        )
    return image, label


def write(path: str | Path, array: Bytes) -> None:
    """Write an array of unsigned bytes as an idx file, gzipped (without a date) when the name ends in ``.gz``.

    Raises
    ------
    DataError
        When the array is not of uint8 or has no dimension.
    """
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 255:
        raise DataError(
            f"{path}: cannot write {array.dtype} with {array.ndim} dimensions as idx; only uint8 arrays are allowed"
        )
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.tobytes()
    Path(path).write_bytes(gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected an idx file, gzipped or not") from error
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken gzip file ({error}); expected a whole idx file, gzipped or not") from error


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
