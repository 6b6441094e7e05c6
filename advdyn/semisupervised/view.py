"""A reader's view of the collected study: which trainings were run, and their numbers over seeds.

The collected data set is dense in the swept parameters, most of whose combinations hold nothing: a method without a
direction has no eps. What figures and claims ask for is found here.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from advdyn.runs import SAME, Cell, Runs, equal

METHODS = ("supervised", "adversarial", "random", "pseudo-label", "virtual")
CALLED = {
    "supervised": "supervised", "adversarial": "adversarial (labelled)", "random": "random direction",
    "pseudo-label": "pseudo-label direction", "virtual": "virtual adversarial",
}  # fmt: skip
AXES = (
    "scenario", "training", "n_labels", "n_pool", "eps", "power_iterations", "alpha", "width", "batch_normalisation",
    "learning_rate", "decay", "batch_labelled", "batch_pool", "updates",
)  # fmt: skip
# Parameters without a meaning for a method: its runs hold any one value of them.
MEANINGLESS = {
    "supervised": ("eps", "power_iterations", "alpha", "batch_pool"),
    "adversarial": ("power_iterations", "batch_pool"),
    "virtual": (),
}
RECORDED = ("diverged", "loss_labelled", "error")  # of which a run that there is has at least one
WORDS = {
    "power_iterations": "K =", "learning_rate": "learning rate", "batch_labelled": "labelled batch of",
    "batch_pool": "pool batch of", "decay": "decay",
}  # fmt: skip


class View(Runs):
    """The collected study and its settings; see ``Runs``."""

    STUDY, AXES, RECORDED = "semisupervised", AXES, RECORDED

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The methods that were run."""
        found = {str(self.value_of(cell, "training")) for cell in self.cells}
        return tuple(method for method in METHODS if method in found)

    @cached_property
    def n_labels(self) -> list[int]:
        """The numbers of labels that were run, increasing."""
        return sorted({int(self.value_of(cell, "n_labels")) for cell in self.cells})

    @cached_property
    def reference_labels(self) -> int:
        """The number of labels that was run next to that of the settings."""
        return int(_nearest(self.settings.get("n_labels", self.n_labels[0]), self.n_labels))

    def value_of(self, cell: Cell, name: str) -> Any:
        """The value that a parameter has in a run: swept, set with what is swept, or of the settings."""
        own = dict(cell)
        if name in own:
            return own[name]
        if name in self._beside:
            return self._beside[name].sel({str(dim): own[str(dim)] for dim in self._beside[name].dims}).item()
        return self.settings.get(name)

    @cached_property
    def _beside(self) -> dict[str, xr.DataArray]:
        """Parameters that are no axis and differ between runs."""
        found = {str(name): coord for name, coord in self.data.coords.items() if name not in self.data.dims}
        return {name: coord for name, coord in found.items() if coord.dims and set(coord.dims) <= set(self.axes)}

    def eps(self, cell: Cell) -> float:
        """Length of the perturbation in a run; NaN where it has no meaning."""
        value = self.value_of(cell, "eps")
        return math.nan if value is None or "eps" in _meaningless(self._method(cell)) else float(value)

    def _method(self, cell: Cell) -> str:
        return str(self.value_of(cell, "training"))

    @cached_property
    def _base(self) -> dict[str, Any]:
        """For every swept parameter the value that was run next to the settings; of power iterations, to one."""
        wanted = self.settings | {"power_iterations": 1, "n_labels": self.reference_labels}
        run = {name: list(dict.fromkeys(dict(cell)[name] for cell in self.cells)) for name in self.axes}
        return {name: _nearest(wanted[name], values) for name, values in run.items()}

    def family(self, method: str, axis: str, n_labels: int | None = None) -> list[Cell]:
        """Runs of a method that differ in one parameter only, in the order of that parameter.

        Parameters
        ----------
        n_labels
            Of the runs (unless ``axis`` is it); none are found where that was not run. By default the number run next
            to the settings.

        Notes
        -----
        All other parameters are those of the settings, or the values run next to them (the same for all methods), and
        power iterations 1. eps is a method's own: the value it was run with next to the settings. Where power
        iterations are the axis and only other eps have more than one, that of these next to the settings.
        """
        found = [cell for cell in self.cells if self._method(cell) == method]
        labels = self.reference_labels if n_labels is None else n_labels
        if axis != "n_labels":
            found = [cell for cell in found if equal(self.value_of(cell, "n_labels"), labels)]
        free = {axis, "training", "n_labels", "eps", *_meaningless(method)}
        for name in (name for name in self.axes if name not in free):
            found = [cell for cell in found if equal(dict(cell)[name], self._base[name])]
        if axis != "eps" and "eps" in self.axes and "eps" not in _meaningless(method):
            found = self._of_one_eps(found, alone=axis != "power_iterations")
        return sorted(found, key=lambda cell: _order(self.value_of(cell, axis)))

    def _of_one_eps(self, cells: list[Cell], alone: bool) -> list[Cell]:
        """Runs of the eps next to the settings; unless ``alone``, of those eps that have several runs, if any has."""
        groups: dict[Any, list[Cell]] = {}
        for cell in cells:
            groups.setdefault(dict(cell)["eps"], []).append(cell)
        several = {eps: group for eps, group in groups.items() if len(group) > 1}
        groups = groups if alone or not several else several
        return groups[_nearest(self._base["eps"], list(groups))] if groups else []

    def chosen(self, method: str, n_labels: int | None = None) -> Cell | None:
        """The run of a method whose eps has the lowest validation error; its only one, if it has no eps.

        Mean over seeds after the last update, a run that diverged counted as wrong throughout; of equal ones the
        smaller eps. None where no run was evaluated.
        """
        if (method, n_labels) not in self._choices:
            found = [(self.validation_error(cell), cell) for cell in self.family(method, "eps", n_labels)]
            found = [(round(error, 9), cell) for error, cell in found if np.isfinite(error)]
            best = min(found, key=lambda pair: (pair[0], self.value_of(pair[1], "eps") or 0.0))[1] if found else None
            self._choices[method, n_labels] = best
        return self._choices[method, n_labels]

    @cached_property
    def _choices(self) -> dict[tuple[str, int | None], Cell | None]:
        """Runs that were asked for, by method and number of labels."""
        return {}

    def validation_error(self, cell: Cell) -> float:
        """Mean validation error of a run after the last update, 1 for a seed that diverged; NaN if not evaluated."""
        errors = self.error(cell, "validation").values.astype(float)
        lost = len(self.diverged(cell))
        if not len(errors) and not (lost and self.at(cell, "error").size):
            return math.nan
        return float((errors.sum() + lost) / (len(errors) + lost))

    def last(self, cell: Cell) -> float:
        """Updates made by the last checkpoint of a run; NaN where there is none."""
        if "update" not in self.data.coords:
            return math.nan
        updates = float(self.value_of(cell, "updates") or np.inf)
        return max((float(u) for u in self.data["update"].values if u <= updates * (1 + SAME)), default=math.nan)

    def error(self, cell: Cell, split: str) -> xr.DataArray:
        """Share of images of a split (pool, validation, test) given a wrong class after the last update, over seeds.

        Runs that diverged, or were not evaluated, are left out.
        """
        return self._of_split(cell, "error", split, at_end=True)

    def curve(self, cell: Cell, variable: str, split: str | None = None) -> xr.DataArray:
        """A variable over (seed, update), at the checkpoints that the run has; NaN where it had diverged."""
        return self._of_split(cell, variable, split, at_end=False)

    def _of_split(self, cell: Cell, variable: str, split: str | None, at_end: bool) -> xr.DataArray:
        found = self.at(cell, variable)
        last = self.last(cell)
        missing = "update" not in found.dims or not np.isfinite(last)
        if split is not None and "split" in found.dims:
            missing = missing or split not in found["split"].values
            found = found if missing else found.sel(split=split, drop=True)
        if missing:
            nothing = {"seed": self.data["seed"].values[:0]}
            if at_end:
                return xr.DataArray(np.empty(0), nothing, ("seed",), name=variable)
            return xr.DataArray(np.empty((0, 0)), nothing | {"update": np.empty(0)}, ("seed", "update"), name=variable)
        if at_end:
            return found.sel(update=last, drop=True).dropna("seed")
        found = found.sel(update=found["update"] <= last).transpose("seed", "update")
        return found.dropna("update", how="all")

    def words(self, cell: Cell) -> str:
        """A run in words: its method, and what else it differs from the settings in."""
        method = self._method(cell)
        differs = [
            wording(name, value) for name, value in cell
            if name not in ("training", *_meaningless(method)) and not equal(value, self.settings.get(name))
        ]  # fmt: skip
        return ", ".join([CALLED.get(method, method), *differs])


def of(study: xr.Dataset) -> View:
    """The view of a collected data set; an InputError when it holds no run."""
    return View.of(study)


def wording(name: str, value: Any) -> str:
    """A parameter and its value in words."""
    if name == "batch_normalisation":
        return "batch-normalised" if value else "not batch-normalised"
    if name == "scenario":
        return str(value)
    said = str(value) if isinstance(value, str) else f"{value:g}"
    if name in ("n_labels", "updates"):
        return f"{value:,.0f} {'labels' if name == 'n_labels' else name}"
    if name == "n_pool":
        return f"pool of {value:,.0f}"
    return f"{WORDS.get(name, name)} {said}"


def _meaningless(method: str) -> tuple[str, ...]:
    return MEANINGLESS.get(method, ("power_iterations",))


def _nearest(wanted: Any, values: list[Any]) -> Any:
    """The value that is equal to the one wanted, or next to it (numbers by their ratio; of two the smaller)."""
    for value in values:
        if equal(value, wanted):
            return value
    if any(isinstance(v, str | bool) for v in (*values, wanted)) or wanted is None:
        return values[0]
    return min(values, key=lambda v: (round(abs(math.log(v / wanted)), 9), v))


def _order(value: Any) -> tuple[int, Any]:
    return (1, value) if isinstance(value, str) else (0, value if value is not None else 0)
