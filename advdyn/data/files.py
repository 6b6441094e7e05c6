"""Names and checksums of the four MNIST files; imports nothing heavy, for the Snakefile reads it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from advdyn.data.errors import DataError

# The names under which the four files are published.
PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "train_images": "train-images-idx3-ubyte.gz",
        "train_labels": "train-labels-idx1-ubyte.gz",
        "test_images": "t10k-images-idx3-ubyte.gz",
        "test_labels": "t10k-labels-idx1-ubyte.gz",
    }
)

# sha256 of the published files.
SHA256: Mapping[str, str] = MappingProxyType(
    {
        "train_images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train_labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "test_images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "test_labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }
)

# Names accepted in a user's folder, in order of preference; the original wins over a lossy reconstruction of it.
ACCEPTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "train_images": (
            "train-images-idx3-ubyte.gz",
            "train-images-idx3-ubyte",
            "train-images-reconstructed-idx3-ubyte.gz",
            "train-images-reconstructed-idx3-ubyte",
        ),
        "train_labels": ("train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte"),
        "test_images": ("t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte"),
        "test_labels": ("t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"),
    }
)


def directory_files(path: str) -> dict[str, str]:
    """The four idx files in a folder.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    dict
        Paths under the keys ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

    Raises
    ------
    DataError
        When the folder does not exist or lacks a file; the message names the folder and all that is missing.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(
            f"{path}: no such folder; expected one with the four idx files of MNIST ({', '.join(PUBLISHED.values())})"
        )
    found: dict[str, str] = {}
    for key, names in ACCEPTED.items():
        present = [name for name in names if (folder / name).is_file()]
        if present:
            found[key] = str(folder / present[0])
    missing = [" or ".join(names) for key, names in ACCEPTED.items() if key not in found]
    if missing:
        raise DataError(f"{path}: missing {'; '.join(missing)}")
    return found
