"""Means over independent runs with their t-intervals, also of differences paired by seed."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from scipy import stats

COVERAGE = 0.95


def interval(values: Iterable[float] | xr.DataArray, level: float = 1 - COVERAGE) -> tuple[float, float, float, float]:
    """Mean, standard error and two-sided t-interval (error rate ``level``); nan where two numbers are missing."""
    sample = np.asarray(values, dtype=float)
    sample = sample[np.isfinite(sample)]
    n = len(sample)
    if n == 0:
        return np.nan, np.nan, np.nan, np.nan
    mean = float(sample.mean())
    if n < 2:
        return mean, np.nan, np.nan, np.nan
    error = float(sample.std(ddof=1) / np.sqrt(n))
    width = float(stats.t.isf(level / 2, n - 1)) * error
    return mean, error, mean - width, mean + width


def paired(one: xr.DataArray, other: xr.DataArray) -> np.ndarray:
    """``one`` less ``other`` at the seeds that both have."""
    one, other = xr.align(one.dropna("seed"), other.dropna("seed"), join="inner")
    return one.values - other.values
