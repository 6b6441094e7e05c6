"""How far apart classes lie: the nearest example of another class, and of the same.

The slides assume that classes lie on manifolds apart from each other, from one of which a small perturbation cannot
jump to another. Balls of radius eps around two examples are disjoint where these are farther apart than 2 eps.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from advdyn import io
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.logs import Progress

LEVELS = np.linspace(0, 1, 501)
CHUNK = 256  # examples at a time, against all of a class
MANIFOLDS = "Srihari, Adversarial Training, Virtual Adversarial Examples"

Doubles = npt.NDArray[np.float64]


def run(images: Images, *, n_pool: int) -> xr.Dataset:
    """Distances between the images of the pool, with the labels of all: a measurement, that no training sees.

    Parameters
    ----------
    images
        The first ``n_pool`` training images are the pool.

    Returns
    -------
    Dataset
        ``other_class_distance, same_class_distance`` (level): quantiles over the images of the pool of the l2 distance
        to the nearest image of another class, and to the nearest other image of the same class.

    Raises
    ------
    InputError
        When the pool has fewer images than asked for, or a pixel is not finite.
    """
    if not 1 <= n_pool <= len(images.x_train):
        raise InputError(f"n_pool: found {n_pool}, allowed: 1 to {len(images.x_train)}, the training images there are")
    x = images.x_train[:n_pool]
    if not np.isfinite(x).all():
        raise InputError("images: found a pixel that is not finite, allowed: 0 to 1")
    other, same = nearest(x, images.y_train[:n_pool])
    return xr.Dataset(
        {
            "other_class_distance": io.variable(
                ("level",), levels(other), "l2 distance to the nearest image of another class, quantile over the pool",
                "pixel range", MANIFOLDS,
            ),
            "same_class_distance": io.variable(
                ("level",), levels(same), "l2 distance to the nearest other image of the same class, quantile over the "
                "pool", "pixel range", MANIFOLDS,
            ),
        },
        coords={"level": level()},
        attrs={"title": "Distances between images of one class, and of two"},
    )  # fmt: skip


def nearest(x: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.integer[Any]]) -> tuple[Doubles, Doubles]:
    """Distance of each example to the nearest of another class, and to the nearest other one of its own.

    Which example is nearest is found from |a|^2 - 2ab + |b|^2 in float64; its distance is then taken from the
    difference, so that copies are at exactly 0.

    Parameters
    ----------
    x : shape (n, input)
        Finite.
    y : shape (n,)
        Classes.

    Returns
    -------
    other, same : shape (n,)
        l2, in units of x; NaN where there is no such example.
    """
    z = np.asarray(x, np.float64)
    z = z - z.mean(0)  # shorter vectors: less is lost to rounding
    half = np.square(z).sum(1) / 2
    held = [np.flatnonzero(y == value) for value in np.unique(y)]
    found = np.full((2, len(z)), np.inf)  # half the squared distance to the nearest of another class, and of its own
    index = np.zeros((2, len(z)), np.int64)
    done, progress = 0, Progress(len(z) * (len(z) + 1) / 2, "pairs")

    def keep(which: int, rows: npt.NDArray[np.int64], values: Doubles, columns: npt.NDArray[np.int64]) -> None:
        better = values < found[which, rows]
        found[which, rows[better]], index[which, rows[better]] = values[better], columns[better]

    for number, of_b in enumerate(held):
        b = z[of_b]
        for of_a in held[: number + 1]:
            own = of_a is of_b
            for start in range(0, len(of_a), CHUNK):
                rows = of_a[start : start + CHUNK]
                d = z[rows] @ b.T
                np.subtract(half[of_b], d, out=d)
                d += half[rows, None]
                if own:
                    d[np.arange(len(rows)), np.arange(start, start + len(rows))] = np.inf
                best = d.argmin(1)
                keep(int(own), rows, d[np.arange(len(rows)), best], of_b[best])
                if not own:  # within a class every pair comes twice as it is
                    best = d.argmin(0)
                    keep(0, of_b, d[best, np.arange(len(of_b))], rows[best])
                done += d.size / (2 if own else 1)
                progress(done)
    distance = np.empty_like(found)
    for start in range(0, len(z), CHUNK):
        part = slice(start, start + CHUNK)
        distance[:, part] = np.linalg.norm(x[index[:, part]].astype(np.float64) - x[part].astype(np.float64), axis=-1)
    distance[np.isinf(found)] = np.nan
    return distance[0], distance[1]


def levels(values: Doubles) -> Doubles:
    """Quantiles of ``values`` at LEVELS, NaN left out; all NaN if nothing else is there."""
    there = values[~np.isnan(values)]
    return np.quantile(there, LEVELS) if len(there) else np.full(len(LEVELS), np.nan)


def level() -> xr.Variable:
    """The coordinate of quantiles."""
    return io.variable(("level",), LEVELS, "share of the examples that are nearer or as near")
