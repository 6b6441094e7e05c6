"""Lanes: parameter values that are computed together, as one batch, inside a job."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Parameter = float | Sequence[float]


@dataclass(frozen=True)
class Lanes:
    """The product of the parameters given as lists, flattened to one axis of length ``size``.

    Attributes
    ----------
    coords
        Values of each lane axis, in the order the axes were given; the product runs over it in C order.
    values
        Every parameter, scalar or lane, broadcast to a float64 array of shape (size,).
    """

    coords: dict[str, np.ndarray]
    values: dict[str, np.ndarray]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the lane axes."""
        return tuple(self.coords)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the lane axes."""
        return tuple(len(axis) for axis in self.coords.values())

    @property
    def size(self) -> int:
        """Number of lanes."""
        return int(np.prod(self.shape, dtype=int))

    def unflatten(self, array: np.ndarray, axis: int) -> np.ndarray:
        """Give the flat lane axis of ``array`` back its shape: (..., size, ...) to (..., *shape, ...)."""
        axis %= array.ndim
        return array.reshape(array.shape[:axis] + self.shape + array.shape[axis + 1 :])


def expand(**parameters: Parameter) -> Lanes:
    """Expand the parameters that are lists into their product; scalars are constants.

    Raises
    ------
    ValueError
        When a list is empty.
    """
    coords = {}
    for name, value in parameters.items():
        if isinstance(value, Sequence):
            if len(value) == 0:
                raise ValueError(f"lane axis {name} is empty")
            coords[name] = np.asarray(value, dtype=float)
    grids = np.meshgrid(*coords.values(), indexing="ij") if coords else []
    size = grids[0].size if grids else 1
    values = {}
    for name, value in parameters.items():
        if name in coords:
            values[name] = grids[list(coords).index(name)].reshape(-1)
        else:
            values[name] = np.full(size, float(value))  # type: ignore[arg-type]
    return Lanes(coords, values)
