"""A run: the configuration, the studies and data sets it asks for, all checked before any job starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advdyn.data import model as data_model
from advdyn.data.files import DataError, directory_files
from advdyn.study import building, layout, registry, sweep
from advdyn.study.errors import ConfigError, Words, wrong
from advdyn.study.model import allowed
from advdyn.study.reading import Tree, as_yaml12, read

KEYS = ("results", "partial", "studies", "data")
CONFIG = "config/config.yaml"
STUDY_FOLDER = "config/studies"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """A validated run.

    Attributes
    ----------
    results, logs
        Root folders of its files.
    partial
        Whether collection takes what is there and marks it so, instead of making what is missing.
    studies
        Name to sweep.
    data
        Name of a data set to its definition.
    """

    results: str
    logs: str
    partial: bool
    studies: dict[str, sweep.Sweep]
    data: dict[str, data_model.Dataset]

    def named(self, source: str) -> list[str]:
        """Names of the data sets of one source."""
        return [name for name, dataset in self.data.items() if dataset.source == source]


def load(
    configfiles: Sequence[str | Path] = (),
    given: Mapping[str, Any] | None = None,
    folder: str | Path = STUDY_FOLDER,
    rules: Sequence[str] | None = None,
) -> Run:
    """Check a run: config/config.yaml, the files laid over it, what the command line gives, and its study files.

    The files are read here, not taken as Snakemake merged them: its reader is YAML 1.1, in which 1e-3 is a text and
    0100 is 64.

    Parameters
    ----------
    configfiles
        The files of ``--configfile``, lowest first.
    given
        The values of ``--config``.
    folder
        Where the study files are.
    rules
        When given, only the studies that these rules belong to (their names hold the study's) are read and built: a
        job's own snakemake knows its rule, and starts the sooner.

    Raises
    ------
    ConfigError
        One line with file, key, what was found and what is allowed.
    """
    tree = Tree({}, {}, CONFIG)
    for file in dict.fromkeys(map(str, [CONFIG, *configfiles])):
        tree = tree.overlaid(read(file))
    tree = tree.overlaid(Tree(as_yaml12(given or {}), {}, "--config"))
    for key in tree.data:
        if key not in KEYS:
            raise wrong(tree.where(key), key, Words("an unknown key"), ", ".join(KEYS))
    results = _results(tree)
    partial = tree.data.get("partial", False)
    if not isinstance(partial, bool):
        raise wrong(tree.where("partial"), "partial", partial, "true or false")
    data = _data(tree)
    studies = _studies(tree, Path(folder), data, rules)
    return Run(results, layout.logs_root(results), partial, studies, data)


def begun(results: str, study: str) -> bool:
    """Whether any job of a study has left a file: they lie one folder deeper than what is collected."""
    return any(path.parent.name != study for path in (Path(results) / study).rglob("*.nc"))


def _results(tree: Tree) -> str:
    """The results folder, as one name whatever way it was written, and none that holds other things."""
    found = tree.data.get("results")
    words = "a folder of its own: a path of letters, digits, '_', '-', '.', '+' and '/', not one of the checkout's"
    if not isinstance(found, str) or not re.fullmatch(r"[\w./+-]+", found):
        raise wrong(tree.where("results"), "results", found, words)
    results = os.path.normpath(found)
    taken = {entry.name for entry in ROOT.iterdir() if not entry.name.startswith("results")} | {"logs", "resources"}
    inside = Path(results).resolve()
    if results in (".", "/") or ".." in Path(results).parts or inside == Path.home():
        raise wrong(tree.where("results"), "results", found, words)
    if inside.is_relative_to(ROOT) and (inside == ROOT or inside.relative_to(ROOT).parts[0] in taken):
        raise wrong(tree.where("results"), "results", found, words)
    return results


def _studies(
    tree: Tree, folder: Path, data: Mapping[str, data_model.Dataset], rules: Sequence[str] | None
) -> dict[str, sweep.Sweep]:
    asked = tree.data.get("studies")
    if not isinstance(asked, dict) or not any(v is not None for v in asked.values()):
        raise wrong(tree.where("studies"), "studies", asked, "at least one of " + ", ".join(registry.STUDIES))
    studies = {}
    for name, override in asked.items():
        if override is None:  # a study that another file of this run asked for, taken out
            continue
        if rules is not None and not any(name in rule.split("_") for rule in rules):
            continue
        model = registry.model_of(name, tree.where("studies", name))
        if not isinstance(override, dict):
            raise wrong(
                tree.where("studies", name), f"studies.{name}", override, "a mapping ({} for the study file as it is)"
            )
        study = read(folder / f"{name}.yaml").updated(tree.sub("studies", name))
        studies[name] = building.build(model, study)
        _datasets_of(studies[name], study, data, tree)
    return studies


def _data(tree: Tree) -> dict[str, data_model.Dataset]:
    found = tree.data.get("data", {})
    if not isinstance(found, dict):
        raise wrong(tree.where("data"), "data", found, "a mapping of names to data sets")
    data = {}
    for name, values in found.items():
        where, key = tree.where("data", name), f"data.{name}"
        if values is None:
            continue
        if not layout.is_segment(name):
            raise wrong(where, key, name, "a name of letters, digits, '_', '-', '.'")
        source = values.get("source") if isinstance(values, dict) else None
        if not isinstance(source, str) or source not in data_model.SOURCES:
            raise wrong(where, f"{key}.source", source, "one of " + ", ".join(data_model.SOURCES))
        model = data_model.SOURCES[source]
        for field in values:
            if field not in model.model_fields:
                raise wrong(
                    tree.where("data", name, field),
                    f"{key}.{field}",
                    Words("an unknown key"),
                    ", ".join(model.model_fields),
                )
        try:
            data[name] = model(**values)
        except ValidationError as error:
            problem = error.errors()[0]
            field = str(problem["loc"][0])
            found_value = Words("nothing") if problem["type"] == "missing" else problem["input"]
            raise wrong(tree.where("data", name, field), f"{key}.{field}", found_value, allowed(model, field)) from None
    return data


def _datasets_of(study: sweep.Sweep, own: Tree, data: Mapping[str, data_model.Dataset], tree: Tree) -> None:
    """Every data set that a study names is defined, of a source it can use, and its files are there."""
    if "dataset" not in study.model.model_fields:
        return
    swept = [key for key in own.origins if key[-1] == "dataset" and key[0] in ("cells", "grids")]
    for wanted in study.values("dataset"):
        holds = (key for key in swept if wanted in reduce(getitem, key, own.data))
        at = next(holds, ("settings", "dataset"))
        _dataset_of(study, own.where(*at), ".".join(at), wanted, data, tree)


def _dataset_of(
    study: sweep.Sweep, where: str, name: str, wanted: str, data: Mapping[str, data_model.Dataset], tree: Tree
) -> None:
    key = f"{study.name}: {name}"
    if wanted not in data:
        raise wrong(where, key, wanted, "one of " + (", ".join(data) or "data (empty)"))
    dataset = data[wanted]
    if dataset.source not in study.model.data_sources:
        allowed_words = "a data set of source " + ", ".join(study.model.data_sources)
        raise wrong(where, key, Words(f"{wanted} of source {dataset.source}"), allowed_words)
    where, key = tree.where("data", wanted, "path"), f"data.{wanted}.path"
    if isinstance(dataset, data_model.Directory):
        try:
            directory_files(dataset.path)
        except DataError as error:
            raise ConfigError(f"{where}: {key}: {error}") from None
    if isinstance(dataset, data_model.Npz) and not Path(dataset.path).is_file():
        raise wrong(where, key, dataset.path, "an existing .npz file")
