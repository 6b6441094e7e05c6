"""The profile that a command line names: found as Snakemake finds it, and missed aloud."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from advdyn.study.errors import Words, wrong
from advdyn.study.reading import Tree, read

FILES = ("config.yaml", "profile.yaml")


def chosen(argv: Sequence[str], checkout: str | Path) -> Path | None:
    """The folder of the workflow profile in force: the one that ``argv`` names, or profiles/default.

    Snakemake loads nothing, and says nothing, when the name is misspelt.

    Parameters
    ----------
    argv
        The arguments of snakemake.
    checkout
        The folder of the Snakefile.

    Returns
    -------
    Path or None
        None for ``--workflow-profile none``, and for a file that is named instead of a folder.

    Raises
    ------
    ConfigError
        When there is no such profile.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workflow-profile", default="default")
    name = parser.parse_known_args(list(argv))[0].workflow_profile
    if name == "none" or Path(name).is_file():
        return None
    for folder in (Path(name), Path("profiles") / name, Path(checkout) / "profiles" / name):
        if folder.exists():
            if not any((folder / file).is_file() for file in FILES):
                raise wrong(str(folder), "--workflow-profile", Words("no config.yaml in it"), _allowed(checkout))
            return folder
    raise wrong("command line", "--workflow-profile", name, _allowed(checkout))


def executor(argv: Sequence[str], entries: Tree) -> str:
    """The executor of a run: named on the command line, or in its profile."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--executor", "-e")
    named = parser.parse_known_args(list(argv))[0].executor
    return str(named or entries.data.get("executor", "local"))


def settings(folder: Path) -> Tree:
    """The entries of a profile.

    Raises
    ------
    ConfigError
        When it is no YAML mapping.
    """
    return read(next(folder / name for name in FILES if (folder / name).is_file()))


def _allowed(checkout: str | Path) -> str:
    names = sorted(p.name for p in (Path(checkout) / "profiles").iterdir() if (p / FILES[0]).is_file())
    return ", ".join(f"profiles/{name}" for name in names) + ", or a folder with a config.yaml"
