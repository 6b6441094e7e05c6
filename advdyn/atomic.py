"""Files that are there whole or not at all. Standard library only, for the Snakefile uses it too."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

TEMPORARY = ".part"  # in the name of a file that is being written; `make clean-stale` sweeps what a killed job left


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; it is renamed to ``path`` only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two copies of a job may run at once, on machines that give them the same process number.
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{TEMPORARY}{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
