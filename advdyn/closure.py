"""Which files a script's code is made of: the import closure over one package, found without importing.

Snakemake does not see the modules a script imports; each rule therefore names them as input. The closure
is read from the syntax tree: ``import advdyn.x``, ``from advdyn import x``, ``from advdyn.x import name``
and relative imports, wherever they stand in the file. Imports made through ``importlib`` are not seen,
which is why only the registry of studies, which no script imports, makes any.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, nested ones too; expressions, of which a file has ten times as many, hold no import."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, inner, ()))


@cache
def _imports(path: Path, root: Path, package: str) -> frozenset[Path]:
    """The package's files that one file imports directly, with the ``__init__`` files on their way."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    inside = path.relative_to(root).with_suffix("").parts if path.is_relative_to(root / package) else ()
    names: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # a package's __init__ counts as inside the package
                above = inside[: len(inside) - node.level]
                base = ".".join((*above, base)).rstrip(".")
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    found: set[Path] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] != package:
            continue
        for n in range(1, len(parts) + 1):
            module = root.joinpath(*parts[:n])
            for file in (module / "__init__.py", module.with_suffix(".py")):
                if file.is_file():
                    found.add(file)
    return frozenset(found)


def closure(script: Path, root: Path, package: str = "advdyn") -> list[Path]:
    """The files of ``package`` (a folder in ``root``) that ``script`` imports, directly or not, sorted."""
    seen: set[Path] = set()
    todo = [script]
    while todo:
        for file in _imports(todo.pop(), root, package):
            if file not in seen:
                seen.add(file)
                todo.append(file)
    return sorted(seen)
