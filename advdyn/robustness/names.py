"""Names of models, and what they say of the network. Imports no torch: the study's model and its figures use it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from advdyn.errors import InputError

ALLOWED = "softmax, mlp-<width>, mlp-<width>x<depth>, cnn, or a name given under modules"
_MLP = re.compile(r"mlp-([1-9][0-9]*)(?:x([1-9][0-9]*))?")
_OWN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Architecture:
    """What a model's name says.

    Attributes
    ----------
    kind
        ``own`` is a network from a user's file.
    width
        Units of a hidden layer of an mlp; 0 for the others.
    depth
        Hidden layers: 0 for softmax, 1 or more for an mlp, 2 for cnn; -1, not known, for own.
    """

    kind: Literal["softmax", "mlp", "cnn", "own"]
    width: int
    depth: int


def parse(name: str, modules: Collection[str] | None = None) -> Architecture:
    """The architecture that a model's name stands for.

    Parameters
    ----------
    name
        ``softmax``, ``mlp-<width>``, ``mlp-<width>x<depth>``, ``cnn``, or the name of a user's network.
    modules
        Names of the user's networks; None: not known here, any name that could be one is taken for one.

    Raises
    ------
    InputError
        When the name is none of these, or a user's network has a name that is taken.
    """
    built_in = _built_in(name)
    if built_in is not None:
        if name in (modules or ()):
            raise InputError(f"modules: found {name!r}, which names a network of this study; allowed: any other name")
        return built_in
    owns = _OWN.fullmatch(name) is not None and not name.startswith("mlp-")
    if not owns or (modules is not None and name not in modules):
        known = f" ({', '.join(sorted(modules))})" if modules else ""
        raise InputError(f"model: found {name!r}, allowed: {ALLOWED}{known}")
    return Architecture("own", 0, -1)


def _built_in(name: str) -> Architecture | None:
    if name == "softmax":
        return Architecture("softmax", 0, 0)
    if name == "cnn":
        return Architecture("cnn", 0, 2)
    found = _MLP.fullmatch(name)
    return Architecture("mlp", int(found[1]), int(found[2] or 1)) if found else None
