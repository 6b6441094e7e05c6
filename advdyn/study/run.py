"""A run: the configuration, the studies and data sets it asks for, all checked before any job starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advdyn.data import model as data_model
from advdyn.data.files import DataError, directory_files
from advdyn.study import layout, registry, sweep
from advdyn.study.errors import ConfigError, wrong
from advdyn.study.model import allowed
from advdyn.study.reading import Tree, as_yaml12, read

KEYS = ("results", "partial", "studies", "data")
CONFIG = "config/config.yaml"


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
        return [name for name, dataset in self.data.items() if getattr(dataset, "source") == source]  # noqa: B009


def load(config: Mapping[str, Any], files: Sequence[str | Path] = (), folder: str | Path = "config/studies") -> Run:
    """Check a run's configuration and its study files.

    Parameters
    ----------
    config
        The merged configuration (Snakemake's ``config``).
    files
        The files it was merged from, lowest first; read again here for duplicate keys and line numbers.
    folder
        Where the study files are.

    Raises
    ------
    ConfigError
        One line with file, key, what was found and what is allowed.
    """
    origins = Tree({}, {}, str(files[0]) if files else CONFIG)
    for file in files:
        origins = Tree({}, origins.origins | read(file).origins, origins.default)
    tree = Tree(as_yaml12(config), origins.origins, origins.default if files else "--config")
    for key in tree.data:
        if key not in KEYS and key != "pathvars":
            raise wrong(tree.where(key), key, "an unknown key", ", ".join(KEYS))
    results = tree.data.get("results")
    if not isinstance(results, str) or not results.strip("/. "):
        raise wrong(tree.where("results"), "results", results, "the name of a folder")
    partial = tree.data.get("partial", False)
    if not isinstance(partial, bool):
        raise wrong(tree.where("partial"), "partial", partial, "true or false")
    data = _data(tree)
    studies = _studies(tree, Path(folder))
    for name, study in studies.items():
        _dataset_of(name, study, data, tree)
    return Run(results.rstrip("/"), layout.logs_root(results.rstrip("/")), partial, studies, data)


def load_files(configfiles: Sequence[str | Path] = ()) -> Run:
    """Check the run that Snakemake would make with these ``--configfile``s over config/config.yaml."""
    files = [CONFIG, *configfiles]
    merged: dict[str, Any] = {}
    for file in files:
        _overlay(merged, read(file).data)
    return load(merged, files)


def _overlay(config: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Merge as Snakemake merges configurations: mappings merge, all else replaces, null stays null."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _overlay(config[key], value)
        else:
            config[key] = value


def _studies(tree: Tree, folder: Path) -> dict[str, sweep.Sweep]:
    asked = tree.data.get("studies")
    if not isinstance(asked, dict) or not any(v is not None for v in asked.values()):
        raise wrong(tree.where("studies"), "studies", asked, "at least one of " + ", ".join(registry.STUDIES))
    studies = {}
    for name, override in asked.items():
        if override is None:  # a study that another file of this run asked for, taken out
            continue
        model = registry.model_of(name, tree.where("studies", name))
        if not isinstance(override, dict):
            raise wrong(
                tree.where("studies", name), f"studies.{name}", override, "a mapping ({} for the study file as it is)"
            )
        study = read(folder / f"{name}.yaml").updated(tree.sub("studies", name))
        studies[name] = sweep.build(model, study)
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
        if source not in data_model.SOURCES:
            raise wrong(where, f"{key}.source", source, "one of " + ", ".join(data_model.SOURCES))
        model = data_model.SOURCES[source]
        for field in values:
            if field not in model.model_fields:
                raise wrong(
                    tree.where("data", name, field), f"{key}.{field}", "an unknown key", ", ".join(model.model_fields)
                )
        try:
            data[name] = model(**values)
        except ValidationError as error:
            problem = error.errors()[0]
            field = str(problem["loc"][0])
            found_value = "nothing" if problem["type"] == "missing" else problem["input"]
            raise wrong(tree.where("data", name, field), f"{key}.{field}", found_value, allowed(model, field)) from None
    return data


def _dataset_of(name: str, study: sweep.Sweep, data: Mapping[str, data_model.Dataset], tree: Tree) -> None:
    """The data set a study names is defined, and its files are there."""
    wanted = getattr(study.settings, "dataset", None)
    if wanted is None:
        return
    if wanted not in data:
        raise wrong(
            tree.where("data"), f"{name}: settings.dataset", wanted, "one of " + (", ".join(data) or "data (empty)")
        )
    dataset = data[wanted]
    where, key = tree.where("data", wanted, "path"), f"data.{wanted}.path"
    if isinstance(dataset, data_model.Directory):
        try:
            directory_files(dataset.path)
        except DataError as error:
            raise ConfigError(f"{where}: {key}: {error}") from None
    if isinstance(dataset, data_model.Npz) and not Path(dataset.path).is_file():
        raise wrong(where, key, dataset.path, "an existing .npz file")
