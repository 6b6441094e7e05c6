"""What a file was made from: its parameters, its code, the versions; never a time or a host name."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "scipy", "numba", "torch", "xarray", "netCDF4", "pandas", "seaborn", "matplotlib", "scikit-learn",
            "scikit-image")  # fmt: skip


def parameters(point: Mapping[str, Any]) -> str:
    """The canonical text of a rule's parameters, as it is stored in a file and compared on collection."""
    return json.dumps(point, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(point: Mapping[str, Any]) -> str:
    """A short name for ``parameters(point)``."""
    return hashlib.sha256(parameters(point).encode()).hexdigest()[:16]


def code_digest(files: Iterable[str]) -> str:
    """A digest of the names (below the checkout) and contents of the code files a rule depends on."""
    named = {Path(file).resolve().relative_to(ROOT).as_posix(): Path(file) for file in files}
    h = hashlib.sha256()
    for name in sorted(named):
        h.update(f"{name}\0".encode())
        h.update(hashlib.sha256(named[name].read_bytes()).digest())
    return h.hexdigest()[:16]


def content(path: str | Path) -> str:
    """A short name for a file by its content."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def versions() -> str:
    """Versions of Python and of the packages that make numbers and figures, as JSON."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        found[name] = metadata.version(name)
    return json.dumps(found, sort_keys=True)


def identity(point_digest: str, code: str, sources: Iterable[str] = ()) -> str:
    """A short name for a file by all it was made from: parameters, code, and the identities of its sources."""
    made_from = json.dumps([point_digest, code, *sources])
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def identity_of(attributes: Mapping[str, Any]) -> str:
    """The identity of a file from its attributes."""
    point = json.loads(attributes["parameters"])
    return identity(digest(point), attributes["code"], json.loads(attributes["sources"]))


def attributes(point: Mapping[str, Any], code: Iterable[str], sources: Iterable[str] = ()) -> dict[str, str]:
    """The provenance attributes of a file made with these parameters by this code from these sources."""
    return {
        "parameters": parameters(point),
        "code": code_digest(code),
        "sources": json.dumps(list(sources)),
        "versions": versions(),
    }
