"""A reader's view of the collected study: which settings were run, and their numbers over seeds.

The collected data set is dense in the swept parameters, which are mostly varied one at a time, so that most of its
combinations hold nothing. What figures and claims ask for is found here.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from advdyn.runs import Cell, Runs, equal

AXES = (
    "scenario", "n_train", "latent", "width", "d_width", "batch_normalisation", "loss", "d_steps", "learning_rate",
    "beta1", "batch", "epochs",
)  # fmt: skip
SOURCES = {"real": "real images", "copies": "copies of training images", "gaussian": "fitted Gaussian",
           "noise": "uniform noise"}  # fmt: skip
RECORDED = ("diverged", "value", "accuracy", "frechet")  # of which a run that there is has at least one
WORDS = {
    "scenario": "", "latent": "latent", "width": "width", "d_width": "D's width", "loss": "", "d_steps": "D steps",
    "learning_rate": "learning rate", "beta1": "beta1", "batch": "batch", "epochs": "epochs",
}  # fmt: skip
LOG_4 = math.log(4)


class View(Runs):
    """The collected study and its settings; see ``Runs``."""

    STUDY, AXES, RECORDED = "generation", AXES, RECORDED

    @cached_property
    def reference(self) -> Cell:
        """The run at the settings; where there is none, the one that has most of them."""
        return min(
            self.cells, key=lambda cell: (len(self.differences(cell)), self._apart(cell), self.cells.index(cell))
        )

    def _apart(self, cell: Cell) -> float:
        """Sum of the absolute logarithms of the ratios of a run's numbers to the settings."""
        pairs = [(value, self.settings[name]) for name, value in self.differences(cell)]
        numbers = [(float(a), float(b)) for a, b in pairs if not isinstance(a, str | bool) and not isinstance(b, str)]
        return sum(abs(math.log(a / b)) for a, b in numbers if a > 0 and b > 0)

    def differences(self, cell: Cell) -> Cell:
        """What a run differs from the settings in."""
        return tuple((name, value) for name, value in cell if not equal(value, self.settings[name]))

    def family(self, axis: str) -> list[Cell]:
        """The runs that differ from the reference in one parameter only, with it, in the order of that parameter."""
        fixed = [pair for pair in self.reference if pair[0] != axis]
        return [cell for cell in self.cells if [pair for pair in cell if pair[0] != axis] == fixed]

    def neighbours(self) -> list[Cell]:
        """The reference, and every run that differs from it in one parameter, by parameter and then value."""
        found = [self.reference]
        for axis in self.axes:
            found += [cell for cell in self.family(axis) if cell not in found]
        return found

    def value_of(self, cell: Cell, name: str) -> Any:
        """The value that a parameter has in a run."""
        return dict(cell).get(name, self.settings.get(name))

    @cached_property
    def kept(self) -> np.ndarray:
        """The epochs whose generator was kept, increasing; none where none was."""
        return self.data["kept"].values if "kept" in self.data.coords else np.empty(0, dtype=int)

    def last(self, cell: Cell) -> float:
        """The last epoch of a run whose generator was kept; NaN where there is none."""
        epochs = float(self.value_of(cell, "epochs") or np.inf)
        return max((float(epoch) for epoch in self.kept if epoch <= epochs), default=np.nan)

    def kept_at(self, cell: Cell, variable: str, epoch: float) -> xr.DataArray:
        """A variable of the generator kept at an epoch, over the seeds that have it."""
        found = self.at(cell, variable)
        if "kept" not in found.dims or epoch not in self.kept:
            return found.isel({dim: slice(0) if dim == "seed" else 0 for dim in found.dims})
        return found.sel(kept=epoch, drop=True).dropna("seed", how="all")

    def end(self, cell: Cell, variable: str) -> xr.DataArray:
        """A variable at the last kept epoch, over the seeds that have it: those that did not diverge."""
        return self.kept_at(cell, variable, self.last(cell))

    def in_game(self, cell: Cell, variable: str, epoch: float) -> xr.DataArray:
        """A variable of the record of training, its mean over an epoch, over the seeds that have it."""
        found = self.at(cell, variable)
        if "epoch" not in found.dims or epoch not in found["epoch"].values:
            return found.isel({dim: slice(0) if dim == "seed" else 0 for dim in found.dims})
        return found.sel(epoch=epoch, drop=True).dropna("seed")

    def of_source(self, source: str, variable: str, cell: Cell | None = None) -> xr.DataArray:
        """A variable of a reference, over the draws that there are; no draw where the study does not have it."""
        name = f"reference_{variable}"
        if name not in self.data or source not in self.data["source"].values:
            return xr.DataArray(np.empty(0), dims=("draw",), name=name)
        found = self.data[name].sel(source=source)
        own = dict(self.reference if cell is None else cell)
        found = found.sel({axis: own[axis] for axis in self.axes if axis in found.dims}).reset_coords(drop=True)
        return found.dropna("draw", how="all") if "draw" in found.dims else found

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The references that there are."""
        there = [str(v) for v in self.data["source"].values] if "source" in self.data.coords else []
        return tuple(source for source in SOURCES if source in there)

    def words(self, cell: Cell) -> str:
        """What a run differs from the settings in, in words; "as set" where in nothing."""
        return ", ".join(wording(name, value) for name, value in self.differences(cell)) or "as set"

    def shape(self) -> tuple[int, ...]:
        """Shape of an image; where the data set does not say one that fits, a square or else a row."""
        pixels = self.data.sizes.get("pixel", 0)
        text = str(self.data.attrs.get("image_shape", ""))
        shape = tuple(int(part) for part in text.split(",") if part.strip().isdigit())
        if shape and math.prod(shape) == pixels:
            return shape
        edge = math.isqrt(pixels)
        return (edge, edge) if edge * edge == pixels else (1, pixels)


def of(study: xr.Dataset) -> View:
    """The view of a collected data set; an InputError when it holds no run."""
    return View.of(study)


def wording(name: str, value: Any) -> str:
    """A parameter and its value in words."""
    if name == "batch_normalisation":
        return "batch-normalised" if value else "not batch-normalised"
    if name == "n_train":
        return f"{value:,.0f} training images"
    said = str(value) if isinstance(value, str) else f"{value:g}"
    return f"{WORDS.get(name, name)} {said}".strip()
