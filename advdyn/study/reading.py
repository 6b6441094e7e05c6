"""Reading YAML as YAML 1.2: 1e-3 is a number, a duplicate key is an error, messages carry file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from advdyn.study.errors import ConfigError
from advdyn.study.numbers import canonical

Key = tuple[str, ...]


class Tree:
    """Nested settings, each key with the file and line it came from.

    Attributes
    ----------
    data
        Plain dicts, lists and scalars, floats canonical.
    origins
        Key path to ``file:line``.
    """

    def __init__(self, data: dict[str, Any], origins: dict[Key, str], where: str) -> None:
        self.data, self.origins, self.default = data, origins, where

    def where(self, *key: str) -> str:
        """The place of a key, or of the nearest key above it."""
        for n in range(len(key), 0, -1):
            if key[:n] in self.origins:
                return self.origins[key[:n]]
        return self.default

    def sub(self, *key: str) -> Tree:
        """The subtree below a key (empty when it is not there)."""
        data: Any = self.data
        for part in key:
            data = data.get(part) if isinstance(data, dict) else None
        below = {k[len(key) :]: v for k, v in self.origins.items() if k[: len(key)] == key and len(k) > len(key)}
        return Tree(data if isinstance(data, dict) else {}, below, self.where(*key))

    def overlaid(self, other: Tree) -> Tree:
        """This tree with another laid over it as configurations are: as ``updated``, but null stays, as a null."""
        data, origins = dict(self.data), dict(self.origins)
        _merge(data, origins, other.data, other, (), keep_null=True)
        return Tree(data, origins, self.default)

    def updated(self, other: Tree) -> Tree:
        """This tree with another laid over it: mappings merge, lists and scalars replace, null removes."""
        data, origins = dict(self.data), dict(self.origins)
        _merge(data, origins, other.data, other, ())
        return Tree(data, origins, self.default)


def _merge(
    data: dict[str, Any],
    origins: dict[Key, str],
    over: Mapping[str, Any],
    other: Tree,
    at: Key,
    keep_null: bool = False,
) -> None:
    for name, value in over.items():
        key = (*at, name)
        if isinstance(value, dict) and isinstance(data.get(name), dict):
            data[name] = dict(data[name])
            _merge(data[name], origins, value, other, key, keep_null)
            origins[key] = other.where(*key)  # of a mapping that several files make, the last one
            continue
        for known in [k for k in origins if k[: len(key)] == key]:
            del origins[known]
        if value is None and not keep_null:
            data.pop(name, None)
            continue
        data[name] = value
        if isinstance(value, dict):
            data[name] = {}
            _merge(data[name], origins, value, other, key, keep_null)
        origins.update({k: v for k, v in other.origins.items() if k[: len(key)] == key})
        origins.setdefault(key, other.where(*key))


def read(path: str | Path) -> Tree:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        When the file is missing, is no YAML 1.2 mapping, or has a key twice.
    """
    path = Path(path)
    try:
        loaded = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: found {type(error).__name__}, allowed: a YAML file in UTF-8") from None
    except DuplicateKeyError as error:
        raise ConfigError(f"{path}:{_line(error)}: {_first(error.problem)}; allowed: each key once") from None
    except (MarkedYAMLError, YAMLError) as error:
        raise ConfigError(f"{path}:{_line(error)}: not YAML: {_first(getattr(error, 'problem', error))}") from None
    if loaded is None:
        loaded = CommentedMap()
    if not isinstance(loaded, CommentedMap):
        raise ConfigError(f"{path}:1: found a {type(loaded).__name__}, allowed: a mapping of keys to values")
    origins: dict[Key, str] = {}
    data = _plain(loaded, str(path), (), origins)
    return Tree(data, origins, str(path))


def _line(error: Any) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1


def _first(problem: Any) -> str:
    return str(problem).strip().splitlines()[0]


def _plain(node: Any, path: str, key: Key, origins: dict[Key, str]) -> Any:
    if isinstance(node, CommentedMap):
        if node.merge:
            raise ConfigError(f"{path}:{node.lc.line + 1}: found a merge key '<<', allowed: keys written out")
        out: dict[str, Any] = {}
        for name, value in node.items():
            below = (*key, str(name))
            origins[below] = f"{path}:{node.lc.key(name)[0] + 1}"
            out[str(name)] = _plain(value, path, below, origins)
        return out
    if isinstance(node, CommentedSeq | list):
        return [_plain(v, path, key, origins) for v in node]
    return scalar(node)


def scalar(value: Any) -> Any:
    """ruamel's scalar types as Python's own, floats canonical."""
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return canonical(kind(value))
    return value


def as_yaml12(value: Any) -> Any:
    """Snakemake's configuration read as YAML 1.2: its own readers leave 1e-3, or --config's values, as text."""
    if isinstance(value, Mapping):
        return {str(k): as_yaml12(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_yaml12(v) for v in value]
    if isinstance(value, str) and value:
        resolver = YAML(typ="safe", pure=True)
        try:
            loaded = resolver.load(value)
        except YAMLError:
            return value
        return scalar(loaded) if loaded is None or isinstance(loaded, bool | int | float) else value
    return scalar(value)
