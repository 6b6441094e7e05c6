"""The runs of a collected data set that is dense in the swept parameters: which there are, and their numbers.

Most combinations of the swept parameters hold nothing. Views of studies, from which figures and claims are made, start
from here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr

from advdyn.errors import InputError

SAME = 1e-6  # relative difference of numbers that are equal

Cell = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Runs:
    """A collected study; see ``of``.

    A subclass names, as class variables, its study, the parameters that may be swept (AXES) and the variables of which
    a run that there is has at least one (RECORDED).

    Attributes
    ----------
    data
        The collected data set, with a dimension for every swept parameter.
    settings
        The study's settings, by name; of those that are not said the first value there is.
    """

    STUDY: ClassVar[str]
    AXES: ClassVar[tuple[str, ...]]
    RECORDED: ClassVar[tuple[str, ...]]

    data: xr.Dataset
    settings: dict[str, Any]

    @classmethod
    def of(cls, study: xr.Dataset) -> Self:
        """The view of a collected data set.

        Raises
        ------
        InputError
            When the study holds no run.
        """
        held = [name for name in cls.RECORDED if name in study and bool(study[name].notnull().any())]
        if not held or "seed" not in study.dims:
            raise InputError(f"the study {cls.STUDY} holds no run: nothing to draw or to assess")
        settings = dict(json.loads(study.attrs.get("reference", "") or "{}"))
        for name in cls.AXES:
            if name in study.coords and (name not in settings or isinstance(settings[name], list | dict)):
                settings[name] = np.ravel(study[name].values).tolist()[0]
        return cls(study, settings)

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """The swept parameters."""
        return tuple(name for name in self.AXES if name in self.data.dims)

    @cached_property
    def _there(self) -> xr.DataArray:
        """Whether there is a run, by swept parameters and seed."""
        dims = (*self.axes, "seed")
        there = np.zeros([self.data.sizes[name] for name in dims], dtype=bool)
        for name in self.RECORDED:
            if name in self.data:
                found = self.data[name].variable
                any_of = found.notnull().any([dim for dim in found.dims if dim not in dims])
                there |= any_of.set_dims({dim: self.data.sizes[dim] for dim in dims}).transpose(*dims).values
        return xr.DataArray(there, {name: self.data[name].values for name in dims}, dims)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The combinations of swept parameters that were run, in the order of the data set; one, (), without any."""
        there = self._there.values.any(-1)
        values = product(*(self.data[name].values.tolist() for name in self.axes))
        return tuple(
            tuple(zip(self.axes, value, strict=True)) for value, run in zip(values, there.ravel(), strict=True) if run
        )

    @cached_property
    def _seeds(self) -> dict[Cell, np.ndarray]:
        seeds = self.data["seed"].values
        there = self._there.values.reshape(-1, len(seeds))
        return {cell: seeds[own] for cell, own in zip(self.cells, there[there.any(-1)], strict=True)}

    def seeds(self, cell: Cell) -> np.ndarray:
        """The seeds of a run that there are, diverged ones as well."""
        return self._seeds[cell]

    def diverged(self, cell: Cell) -> np.ndarray:
        """The seeds of a run that diverged."""
        found = self.at(cell, "diverged")
        return found["seed"].values[(found > 0).values]

    @cached_property
    def _arrays(self) -> dict[str, xr.DataArray]:
        """Variables that were asked for, without coordinates that are no dimension."""
        return {}

    def at(self, cell: Cell, variable: str) -> xr.DataArray:
        """A variable of one run, over the seeds that were run; no seed where the study does not have it."""
        if variable not in self.data:
            return xr.DataArray(np.empty(0), {"seed": self.data["seed"].values[:0]}, ("seed",), name=variable)
        if variable not in self._arrays:
            self._arrays[variable] = self.data[variable].reset_coords(drop=True)
        found = self._arrays[variable]
        found = found.sel({name: value for name, value in cell if name in found.dims}, drop=True)
        if "seed" in found.dims:
            found = found.sel(seed=self.seeds(cell))
        return found


def equal(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are the same."""
    if isinstance(one, str) or isinstance(other, str) or one is None or other is None:
        return str(one) == str(other)
    return math.isclose(float(one), float(other), rel_tol=SAME, abs_tol=0.0)
