"""A reader's view of the collected study: which runs exist, and their numbers over seeds.

A run is a point of the study's grid that was trained, with all its seeds. The grid is a union of several, so that most
combinations of parameters do not exist; what figures and claims ask for (the run of a kind next to the settings, runs
that differ from it in one parameter, the chains of Proposition 2) is found here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from advdyn.errors import InputError

KINDS = ("gan", "generator", "degenerator", "chain")
NAMES = ("kind", "criterion", "loss")
NUMBERS = (
    "sigma", "minibatch_feature", "d_steps", "width", "d_width", "latent", "batch_normalisation", "n_train",
    "learning_rate", "beta1", "batch", "epochs",
)  # fmt: skip
COORDINATES = (*NAMES, *NUMBERS)
# what has no effect on a kind: generators see no data, the others no latent vector
IDLE = {
    "gan": ("sigma", "criterion"), "generator": ("sigma", "criterion"),
    "degenerator": ("latent", "batch_normalisation"), "chain": ("latent", "batch_normalisation"),
}  # fmt: skip
WORDS = {
    "sigma": r"$\sigma$", "minibatch_feature": "minibatch feature", "criterion": "criterion", "loss": "",
    "d_steps": "discriminator steps", "d_width": "discriminator width", "n_train": "images",
    "batch_normalisation": "batch normalisation", "learning_rate": "learning rate", "beta1": r"$\beta_1$",
}  # fmt: skip
PLAIN = {"sigma": "sigma", "beta1": "beta1"}
SWITCHES = ("minibatch_feature", "batch_normalisation")
ABSENT = 50.0  # distance, as a logarithm, of a number from 0
SAME = 1e-6  # relative difference of numbers that are equal


@dataclass(frozen=True)
class View:
    """The collected study; see ``of``.

    Attributes
    ----------
    data
        The collected data set, along the dimension ``run``.
    rows
        The coordinates of every run: ``rows[run]["sigma"]``.
    reference
        The values of the study's settings, of the parameters that the coordinates name.
    """

    data: xr.Dataset
    rows: tuple[dict[str, Any], ...]
    reference: dict[str, Any]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The coordinates of every run, indexed by its position along ``run``."""
        return pd.DataFrame(list(self.rows))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of runs that exist, in the order of KINDS."""
        return tuple(kind for kind in KINDS if any(row["kind"] == kind for row in self.rows))

    def where(self, **wanted: Any) -> list[int]:
        """Runs whose coordinates equal what is wanted, or are in it (a list or tuple); None wants nothing."""
        kept = np.ones(len(self.rows), dtype=bool)
        for name, value in wanted.items():
            if value is not None:
                allowed = value if isinstance(value, list | tuple | set) else [value]
                kept &= np.array([any(_equal(row[name], one) for one in allowed) for row in self.rows], dtype=bool)
        return [int(i) for i in np.flatnonzero(kept)]

    def base(self, kind: str, criterion: str | None = "used", **wanted: Any) -> int | None:
        """The run of a kind nearest the settings; None where there is none.

        Nearest: fewest parameters that differ from the settings and have an effect on the kind, then the smallest sum
        of absolute logarithms of the ratios of the numbers to the settings.
        """
        found = self.where(kind=kind, criterion=None if kind in ("gan", "generator") else criterion, **wanted)
        return min(found, key=lambda run: (*self._distance(run), run), default=None)

    def _distance(self, run: int) -> tuple[int, float]:
        row = self.rows[run]
        names = [k for k in row if k not in ("kind", *IDLE.get(row["kind"], ()))]
        differing = [k for k in names if not _equal(row[k], self.reference[k])]
        return len(differing), sum(_apart(row[k], self.reference[k]) for k in differing)

    def family(self, along: str, kind: str, criterion: str | None = "used", **wanted: Any) -> list[int]:
        """Runs that differ from the base of a kind in one parameter only, in its order; one for each value."""
        start = self.base(kind, criterion, **{k: v for k, v in wanted.items() if k != along})
        if start is None:
            return []
        row = self.rows[start]
        found = self.where(**{k: v for k, v in row.items() if k != along and k not in IDLE.get(kind, ())})
        best: dict[Any, int] = {}
        for run in found:
            best.setdefault(self.rows[run][along], run)
        return [best[value] for value in sorted(best)]

    def twin(self, run: int, **changed: Any) -> int | None:
        """The run that differs from a run in nothing but what is changed; None where there is none."""
        found = self.where(**(self.rows[run] | changed))
        return found[0] if found else None

    @cached_property
    def _lost(self) -> np.ndarray:
        """Whether a run diverged, by run and seed."""
        if "diverged" not in self.data:
            return np.zeros((self.data.sizes["run"], self.data.sizes["seed"]), dtype=bool)
        return np.asarray(self.data["diverged"].transpose("run", "seed").values > 0)

    @cached_property
    def _recorded(self) -> np.ndarray:
        """Whether a seed of a run was trained, by run and seed."""
        return np.asarray(pd.notna(self.data["diverged"].transpose("run", "seed").values))

    def seeds(self, run: int) -> np.ndarray:
        """The seeds that a run has."""
        return self.data.variables["seed"].values[self._recorded[run]]

    def diverged(self, run: int) -> np.ndarray:
        """The seeds of a run that diverged."""
        return self.data.variables["seed"].values[self._lost[run] & self._recorded[run]]

    @cached_property
    def _passes(self) -> list[list[int]]:
        """The passes of every run."""
        own: list[list[int]] = [[] for _ in self.rows]
        for name in ("sample", "bits_per_byte", "dd"):  # the last that says something counts
            if name in self.data:
                found = self.data[name].variable.transpose("run", "passed", ...)
                there: np.ndarray = np.asarray(pd.notna(found.values)).reshape(*found.shape[:2], -1)
                for run, kept in enumerate(np.asarray(there.any(-1))):
                    own[run] = [int(p) for p in self.data.variables["passed"].values[kept]] or own[run]
        return own

    def passes(self, run: int) -> list[int]:
        """The passes after which a run's outputs were measured (or, of none, shown), of any of its seeds, in order."""
        return self._passes[run]

    def at(self, run: int, variable: str) -> xr.DataArray:
        """A variable of one run, over the seeds that it has and the passes measured; no seed where it is absent.

        Seeds that diverged keep what they have (NaN).
        """
        if variable not in self.data or "run" not in self.data[variable].dims:
            return _over_seed(variable, self.data.variables["seed"].values[:0], np.empty(0))
        found = self.data[variable].isel(run=run, drop=True).reset_coords(drop=True)
        found = found.isel(seed=self._recorded[run])
        return found.sel(passed=self.passes(run)) if "passed" in found.dims else found

    @cached_property
    def _places(self) -> dict[str, dict[Any, int]]:
        """Label to position, of every labelled dimension."""
        sizes = {str(d): self.data[d].values.tolist() for d in self.data.dims if d in self.data.variables}
        return {name: {label: i for i, label in enumerate(labels)} for name, labels in sizes.items()}

    def number(self, run: int, variable: str, passed: int | None = None, **where: Any) -> xr.DataArray:
        """A variable of one run as a number for each seed that has it and did not diverge.

        ``passed`` None: after the last pass measured; ``where`` names a label of every other dimension that the
        variable has. No seed where the pass or the labels are not there.
        """
        wanted: dict[str, Any] = {"passed": passed} | where
        if passed is None:
            wanted["passed"] = self.passes(run)[-1] if self.passes(run) else None
        if variable not in self.data.variables or "run" not in self.data.variables[variable].dims:
            return _over_seed(variable, self.data.variables["seed"].values[:0], np.empty(0))
        found = self.data.variables[variable]
        index: list[Any] = []
        for dim in map(str, found.dims):
            if dim in ("run", "seed"):
                index.append(run if dim == "run" else slice(None))
            elif wanted[dim] in self._places.get(dim, {}):
                index.append(self._places[dim][wanted[dim]])
            else:
                return _over_seed(variable, self.data.variables["seed"].values[:0], np.empty(0))
        values = found.values[tuple(index)]
        kept = np.isfinite(values) & self._recorded[run] & ~self._lost[run]
        return _over_seed(variable, self.data.variables["seed"].values[kept], values[kept])

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """References that were measured, in their order."""
        return tuple(map(str, self._places.get("system", {})))

    def draws(self, system: str, variable: str, **where: Any) -> np.ndarray:
        """A number of a reference (``variable`` without its prefix ``reference_``) for each draw that has it."""
        values = self._at_labels(f"reference_{variable}", {"system": system} | where)
        return values[np.isfinite(values)]

    def single(self, variable: str, **where: Any) -> float:
        """A number that the study has once; NaN where it is not there."""
        values = self._at_labels(variable, where)
        return float(values[0]) if values.size == 1 else math.nan

    def _at_labels(self, variable: str, where: Mapping[str, Any]) -> np.ndarray:
        """All numbers of a variable that has no run, at some labels; none where these are not there."""
        if variable not in self.data.variables:
            return np.empty(0)
        found, index = self.data.variables[variable], []
        for dim in map(str, found.dims):
            if dim in where and where[dim] not in self._places.get(dim, {}):
                return np.empty(0)
            index.append(self._places[dim][where[dim]] if dim in where else slice(None))
        return np.asarray(found.values[tuple(index)], dtype=float).ravel()

    def words(self, run: int) -> str:
        """A run in plain words, for the conditions of a claim."""
        return self.label(run, WORDS | PLAIN)

    def label(self, run: int, words_of: Mapping[str, str] = WORDS) -> str:
        """A run in words: its kind and what differs from the settings."""
        row = self.rows[run]
        words = [row["kind"]]
        for name, value in row.items():
            if name in ("kind", *IDLE.get(row["kind"], ())) or _equal(value, self.reference[name]):
                continue
            called = words_of.get(name, name)
            if name in SWITCHES:
                words.append(f"{'with' if value else 'without'} {called}")
            else:
                words.append(f"{called} {value if isinstance(value, str) else f'{value:g}'}".strip())
        return ", ".join(words)


def of(study: xr.Dataset) -> View:
    """The view of a collected data set.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    if study.sizes.get("run", 0) == 0 or "diverged" not in study or not bool(study["diverged"].notnull().any()):
        raise InputError("the study degeneration holds no run: nothing to draw or to assess")
    variables = study.variables
    others = [str(c) for c in study.coords if variables[c].dims == ("run",) and c not in (*COORDINATES, "run")]
    settings = json.loads(study.attrs.get("reference", "{}"))
    columns: dict[str, list[Any]] = {}
    reference: dict[str, Any] = {}
    for name in (*COORDINATES, *others):
        values = np.broadcast_to(variables[name].values, study.sizes["run"]).tolist()
        text = isinstance(values[0], str)
        columns[name] = [str(v) if text else float(v) for v in values]
        value = settings.get(name)
        if value is None or isinstance(value, list):  # not said, or a list of lanes
            value = values[0]
        reference[name] = str(value) if text else float(value)
    rows = tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return View(study, rows, reference)


def _over_seed(name: str, seeds: np.ndarray, values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, {"seed": seeds}, ("seed",), name)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return math.isclose(float(one), float(other), rel_tol=SAME, abs_tol=0.0)


def _apart(one: Any, other: Any) -> float:
    """Absolute logarithm of the ratio of two numbers, of which either may be 0; of texts one."""
    if isinstance(one, str) or isinstance(other, str):
        return 0.0 if one == other else 1.0
    if one == other:
        return 0.0
    return abs(math.log(one / other)) if one > 0 and other > 0 else ABSENT
