"""A reader's view of the collected study: which runs exist, and their numbers over seeds.

A run is a point of the study's grid that was trained, with all its seeds. The grid is a union of several, so that most
combinations of parameters do not exist; what figures and claims ask for (the run next to the settings, the pair with
and without the adversary, a family along one parameter) is found here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from advdyn.errors import InputError

NAMES = ("dataset", "net", "adversary", "control", "sign", "activation", "inputs", "optimiser", "critic_argument")
NUMBERS = (
    "width", "n", "eta", "duration", "penalty", "adversary_weight", "critic_width", "critic_steps", "critic_rate",
    "target_slope", "frozen_steps", "field_time", "initial_scale", "batch",
)  # fmt: skip
COORDINATES = (*NAMES, *NUMBERS)
KIND = ("net", "dataset", "sign", "optimiser", "inputs", "activation")  # what is not a matter of degree
SYNTHETIC = ("gaussian", "teacher", "synthetic", "random", "noise")  # in the name of a data set of no images
# what has no effect on a run without an adversary (permuted pixels apart, which change the inputs)
CRITIC = (
    "penalty", "adversary_weight", "sign", "critic_argument", "critic_width", "critic_steps", "critic_rate",
    "target_slope", "frozen_steps", "field_time",
)  # fmt: skip
WORDS = {
    "width": "m", "n": "n", "eta": r"$\eta$", "duration": "T", "penalty": r"$\lambda$", "adversary_weight": "weight",
    "sign": "sign", "optimiser": "", "inputs": "inputs", "activation": "", "control": "", "critic_argument": "argument",
}  # fmt: skip
PLAIN = {"eta": "eta", "penalty": "penalty"}
ABSENT = 50.0  # distance, as a logarithm, of a number from 0
SAME = 1e-6  # relative difference of numbers that are equal


@dataclass(frozen=True)
class View:
    """The collected study; see ``of``.

    Attributes
    ----------
    data
        The collected data set, along the dimension ``run``.
    runs
        The coordinates of every run, indexed by its position along ``run``.
    reference
        The values of the study's settings, of the parameters that the coordinates name.
    """

    data: xr.Dataset
    runs: pd.DataFrame
    reference: dict[str, Any]

    @cached_property
    def nets(self) -> tuple[str, ...]:
        """Nets that exist: theory, then full."""
        return tuple(net for net in ("theory", "full") if (self.runs["net"] == net).any())

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Data sets that exist, that of the settings first."""
        found = dict.fromkeys(self.runs["dataset"])
        return tuple(sorted(found, key=lambda name: (name != self.reference["dataset"], name)))

    def where(self, **wanted: Any) -> list[int]:
        """Runs whose coordinates equal what is wanted, or are in it (a list or tuple); None wants nothing."""
        kept = np.ones(len(self.runs), dtype=bool)
        for name, value in wanted.items():
            if value is not None:
                allowed = value if isinstance(value, list | tuple | set) else [value]
                kept &= np.array([any(_equal(row[name], one) for one in allowed) for row in self.rows], dtype=bool)
        return [int(i) for i in np.flatnonzero(kept)]

    def base(
        self, net: str | None = None, dataset: str | None = None, adversary: str | None = "with", control: str = "none",
        **wanted: Any,
    ) -> int | None:  # fmt: skip
        """The run nearest the settings among those wanted; None where there is none.

        Nearest: most names in common with the settings; then the settings themselves, or else most numbers in common
        with the other runs of the net (``usual``), from which controls and sweeps start; then the smallest sum of
        absolute logarithms of the ratios of the numbers to the settings.
        """
        found = self.where(net=net, dataset=dataset, adversary=adversary, control=control, **wanted)
        return min(found, key=lambda run: (*self._distance(run), run), default=None)

    @cached_property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """The coordinates of every run: ``rows[run]["eta"]``."""
        return tuple({str(k): v for k, v in row.items()} for row in self.runs.to_dict("records"))

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return tuple(k for k, value in self.rows[0].items() if isinstance(value, str))

    @cached_property
    def usual(self) -> dict[str, dict[str, float]]:
        """For each net the value of every number that most of its runs have; of several the one nearest the settings.

        Of the critic's parameters those of runs with an adversary.
        """
        found: dict[str, dict[str, float]] = {}
        for net in self.nets:
            rows = [row for row in self.rows if row["net"] == net]
            for name in (k for k in self.rows[0] if k not in self._texts):
                counts: dict[float, int] = {}
                for row in rows:
                    if name not in CRITIC or row["adversary"] == "with":
                        counts[row[name]] = counts.get(row[name], 0) + 1
                near = sorted(counts, key=lambda v: (-counts[v], _apart(v, self.reference[name]), v))
                found.setdefault(net, {})[name] = near[0] if near else self.reference[name]
        return found

    def _distance(self, run: int) -> tuple[int, int, float]:
        """How far a run is from the settings; see ``base``."""
        row = self.rows[run]
        idle = CRITIC if row["adversary"] == "without" else ()
        names = sum(int(row[k] != self.reference[k]) for k in self._texts if k not in (*idle, "adversary"))
        numbers = [k for k in row if k not in (*idle, *self._texts)]
        unusual = sum(not _equal(row[k], self.usual[row["net"]][k]) for k in numbers)
        apart = sum(_apart(row[k], self.reference[k]) for k in numbers)
        return names, unusual if apart > 0 else 0, apart

    def partner(self, run: int) -> int | None:
        """The run without an adversary that is otherwise equal to a run, in all that has an effect on it."""
        row = self.rows[run]
        fixed = [k for k in row if k not in (*CRITIC, "adversary", "control")]
        found = self.where(adversary="without", **{k: row[k] for k in fixed})
        permuted = row["control"] == "permuted-pixels"
        found = [i for i in found if (self.rows[i]["control"] == "permuted-pixels") == permuted]
        return min(found, key=lambda i: (self._differing(i, run), i), default=None)

    def _differing(self, one: int, other: int) -> int:
        return sum(not _equal(self.rows[one][k], self.rows[other][k]) for k in self.rows[one])

    def pair(self, net: str | None = None, dataset: str | None = None, **wanted: Any) -> tuple[int, int] | None:
        """The runs without and with the adversary that are otherwise equal, next to the settings; None if one lacks.

        ``wanted`` may fix any coordinate of the run with the adversary (its control is ``none`` unless asked for).
        """
        wanted = {"control": "none"} | wanted
        found = self.where(net=net, dataset=dataset, adversary="with", **wanted)
        for run in sorted(found, key=lambda i: (*self._distance(i), i)):
            without = self.partner(run)
            if without is not None:
                return without, run
        return None

    def family(
        self, along: str, net: str | None = None, dataset: str | None = None, adversary: str = "with",
        control: str = "none", **wanted: Any,
    ) -> list[int]:  # fmt: skip
        """Runs that differ from the base in one coordinate only, in its order; the duration may differ as well.

        One run for each value: of several the one most like the base. Parameters of the critic do not tell runs
        without an adversary apart.
        """
        start = self.base(net, dataset, adversary, control, **{k: v for k, v in wanted.items() if k != along})
        if start is None:
            return []
        idle = CRITIC if adversary == "without" else ()
        fixed = [k for k in self.rows[start] if k not in (*idle, along, "duration")]
        found = self.where(**{k: self.rows[start][k] for k in fixed})
        best: dict[Any, int] = {}
        for run in sorted(found, key=lambda i: (self._differing(i, start), i)):
            best.setdefault(self.rows[run][along], run)
        return [best[value] for value in sorted(best)]

    @cached_property
    def _recorded(self) -> np.ndarray:
        """Whether there is a record, by run, seed and time."""
        return self.data["error"].notnull().transpose("run", "seed", "time").values

    def seeds(self, run: int) -> np.ndarray:
        """The seeds that a run has."""
        return self.data["seed"].values[self._recorded[run].any(1)]

    def times(self, run: int) -> np.ndarray:
        """The times at which a run is recorded, of any of its seeds."""
        return self.data["time"].values[self._recorded[run].any(0)]

    def at(self, run: int, variable: str) -> xr.DataArray:
        """A variable of one run, over the seeds, times and neurons that the run has; no seed where it is not there.

        A diverged run keeps its times as far as any seed has them, with NaN after it diverged.
        """
        if variable not in self.data:
            return xr.DataArray(np.empty(0), {"seed": self.data["seed"].values[:0]}, ("seed",), name=variable)
        found = self.data[variable]
        there = self._recorded[run]
        own: dict[str, Any] = {"run": run, "seed": there.any(1), "time": there.any(0)}
        own["neuron"] = slice(int(self.rows[run]["width"]))
        found = found.isel({d: of for d, of in own.items() if d in found.dims}, drop=True).reset_coords(drop=True)
        for name in ("eigenvalue", "wavenumber"):
            found = found.dropna(name, how="all") if name in found.dims else found
        return found

    def number(self, run: int, variable: str, **where: Any) -> xr.DataArray:
        """A variable of one run as a number for each seed that has it; no seed where the coordinates are not there."""
        found = self.at(run, variable)
        for name, value in where.items():
            if name in found.dims:
                if value not in found[name].values:
                    return found.isel({d: 0 for d in found.dims if d != "seed"}, drop=True).isel(seed=slice(0))
                found = found.sel({name: value}, drop=True)
        return found.dropna("seed")

    def end(self, run: int, variable: str, time: float | None = None) -> xr.DataArray:
        """A variable over time at the run's end, or at the last recorded time up to ``time``, for each seed."""
        found = self.at(run, variable)
        if "time" not in found.dims or found.sizes["time"] == 0:
            return found.isel(seed=slice(0)) if "time" not in found.dims else found.isel(seed=slice(0)).sum("time")
        last = np.flatnonzero(found["time"].values <= (np.inf if time is None else time * (1 + SAME)))
        return found.isel(time=int(last[-1]), drop=True).dropna("seed", how="all")

    @cached_property
    def _lost(self) -> np.ndarray:
        """Whether a run diverged, by run and seed."""
        if "diverged_at" not in self.data:
            return np.zeros(self._recorded.shape[:2], dtype=bool)
        return self.data["diverged_at"].notnull().transpose("run", "seed").values

    def diverged(self, run: int) -> np.ndarray:
        """The seeds of a run that diverged."""
        return self.data["seed"].values[self._lost[run] & self._recorded[run].any(1)]

    def dead(self, run: int) -> float:
        """Mean number of dead neurons (that never moved) over the seeds of a run; NaN where it is not known."""
        found = self.at(run, "dead")
        return float(found.mean()) if found.size else math.nan

    def twin(self, run: int, **changed: Any) -> int | None:
        """The run that differs from a run in nothing but what is changed; None where there is none.

        Another control may bring parameters of its own (``frozen_steps``, ``field_time``): of several runs the one
        with most in common.
        """
        row = self.rows[run]
        own = ("frozen_steps", "field_time") if "control" in changed else ()
        found = self.where(**({k: v for k, v in row.items() if k not in own} | changed))
        return min(found, key=lambda i: (self._differing(i, run), i), default=None)

    def stand_in(self, run: int, control: str) -> tuple[int, int] | None:
        """A live run and the run equal to it but for the control: of ``run`` if there is one, or of one like it.

        One like it agrees in KIND; of several the one nearest the settings.
        """
        kind = {k: self.rows[run][k] for k in KIND}
        others = self.where(adversary="with", control="none", **kind)
        for live in [run, *sorted(others, key=lambda i: (*self._distance(i), i))]:
            other = self.twin(live, control=control)
            if other is not None:
                return live, other
        return None

    def synthetic(self, dataset: str) -> bool:
        """Whether a data set holds no images, by its name."""
        return any(word in dataset.lower() for word in SYNTHETIC)

    def words(self, run: int) -> str:
        """A run in plain words, for the conditions of a claim."""
        return self.label(run, WORDS | PLAIN)

    def label(self, run: int, words_of: Mapping[str, str] = WORDS) -> str:
        """A run in words: net, data set, adversary, and what differs from the settings."""
        row = self.rows[run]
        idle = CRITIC if row["adversary"] == "without" else ()
        words = [row["net"], row["dataset"], f"{row['adversary']} adversary"]
        if row["control"] != "none":
            words.append(row["control"])
        for name in row:
            if name in ("dataset", "net", "adversary", "control", *idle) or _equal(row[name], self.reference[name]):
                continue
            value = row[name] if isinstance(row[name], str) else f"{row[name]:g}"
            words.append(f"{words_of.get(name, name)} {value}".strip())
        return ", ".join(words)


def of(study: xr.Dataset) -> View:
    """The view of a collected data set.

    Raises
    ------
    InputError
        When the study holds no run.
    """
    if study.sizes.get("run", 0) == 0 or "error" not in study or not bool(study["error"].notnull().any()):
        raise InputError("the study turing holds no run: nothing to draw or to assess")
    others = [str(c) for c in study.coords if study[c].dims == ("run",) and c not in (*COORDINATES, "run")]
    settings = json.loads(study.attrs.get("reference", "{}"))
    columns, reference = {}, {}
    for name in (*COORDINATES, *others):
        values = np.broadcast_to(study[name].values, study.sizes["run"]).tolist()
        text = isinstance(values[0], str)
        columns[name] = pd.Series([str(v) if text else float(v) for v in values], dtype=object if text else float)
        value = settings.get(name)
        if value is None or isinstance(value, list):  # not said, or swept
            value = values[0]
        reference[name] = str(value) if text else float(value)
    return View(study, pd.DataFrame(columns), reference)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return math.isclose(float(one), float(other), rel_tol=SAME, abs_tol=0.0)


def _apart(one: float, other: float) -> float:
    """Absolute logarithm of the ratio of two numbers, of which either may be 0."""
    if one == other:
        return 0.0
    return abs(math.log(one / other)) if one > 0 and other > 0 else ABSENT


def exponents(sizes: npt.ArrayLike, values: Sequence[xr.DataArray]) -> np.ndarray:
    """Exponent of each seed's numbers in their sizes, by least squares of logarithms, of the seeds that all have."""
    kept = xr.align(*(v.dropna("seed") for v in values), join="inner")
    x = np.log(np.asarray(sizes, dtype=float))
    x = x - x.mean()
    y = np.log(np.stack([v.values for v in kept]))
    return x @ y / (x**2).sum()
