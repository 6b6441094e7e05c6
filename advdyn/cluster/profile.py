"""The profile that a command line names: found as Snakemake finds it, and missed aloud."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from advdyn.study.errors import Words, wrong
from advdyn.study.reading import Tree, read

USERS = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "snakemake"  # profiles of the user
FILE = re.compile(r"(?:profile|config)(?:\.v(\d+)\+)?\.yaml")


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
        None for ``--workflow-profile none``.

    Raises
    ------
    ConfigError
        When there is no such profile.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workflow-profile", default="default")
    name = parser.parse_known_args(list(argv))[0].workflow_profile
    if name == "none":
        return None
    if Path(name).is_file() and FILE.fullmatch(Path(name).name):
        return Path(name).parent
    for folder in (Path(name), Path("profiles") / name, Path(checkout) / "profiles" / name):
        if folder.exists():
            if not folder.is_dir() or file_of(folder) is None:
                raise wrong(str(folder), "--workflow-profile", Words("no config.yaml in it"), _allowed(checkout))
            return folder
    raise wrong("command line", "--workflow-profile", name, _allowed(checkout))


def executor(argv: Sequence[str], entries: Tree) -> str:
    """The executor of a run: named on the command line, in its workflow profile, or in another profile (--profile)."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--executor", "-e")
    parser.add_argument("--profile", nargs="+", default=os.environ.get("SNAKEMAKE_PROFILE", "").split())
    given = parser.parse_known_args(list(argv))[0]
    own = given.executor or entries.data.get("executor")
    others = [Path(name) if Path(name).exists() else USERS / name for name in given.profile]
    folders = [path.parent if path.is_file() else path for path in others if path.exists()]
    named = [settings(folder).data.get("executor") for folder in folders if file_of(folder)]
    return str(own or next(filter(None, named), "local"))


def settings(folder: Path) -> Tree:
    """The entries of a profile.

    Raises
    ------
    ConfigError
        When it is no YAML mapping.
    """
    file = file_of(folder)
    if file is None:
        raise wrong(str(folder), "(the profile)", Words("no config.yaml in it"), "a folder with one")
    return read(file)


def file_of(folder: Path) -> Path | None:
    """The file of a profile's folder that Snakemake loads: the one for the highest version, if there are several."""
    found = [(int(match[1] or 0), path) for path in folder.iterdir() if (match := FILE.fullmatch(path.name))]
    return max(found)[1] if found else None


def site_of(folder: Path) -> Path:
    """The site file of a profile of Slurm.

    Raises
    ------
    ConfigError
        When the profile names none, or one that is not there.
    """
    entries = settings(folder)
    named = entries.data.get("slurm-partition-config")
    if not isinstance(named, str) or not (folder / named).is_file():
        raise wrong(
            entries.where("slurm-partition-config"), "slurm-partition-config", named, "site.yaml, in its folder"
        )
    return folder / named


def _allowed(checkout: str | Path) -> str:
    names = sorted(p.name for p in (Path(checkout) / "profiles").iterdir() if p.is_dir() and file_of(p))
    return ", ".join(f"profiles/{name}" for name in names) + ", or a folder with a config.yaml"
