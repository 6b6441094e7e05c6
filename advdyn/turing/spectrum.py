"""Running extremes of the eigenvalues of H(t) = K o (S^T S)/m, S = sigma'(P), over the steps of training."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from torch import Tensor

from advdyn.turing import gram
from advdyn.turing.network import Activation

SLACK = 1e-12  # relative to lambda_max: rounding of a Cholesky decomposition

Matrix = npt.NDArray[np.float64]


class Extremes:
    """Infimum of lambda_min(H) and supremum of lambda_max(H), for each run of a batch.

    ``every`` = 1: exact to rounding. H is unchanged where no activation is; where it changed, H - inf I and sup I - H
    tell by their Cholesky decompositions whether an eigenvalue has left [inf, sup], and only then a spectrum is made.

    ``every`` > 1: bounds. Spectra are made every so many steps. With f_p the number of activations of example p that
    changed since the last spectrum at H_s, every H between has |H - H_s|_F <= (1 - leak) |K_pq (f_p + f_q)|_F/m, and
    Weyl's inequality bounds its eigenvalues. (Smooth activations: the extremes over the spectra that were made.)

    Attributes
    ----------
    low, high
        (run,): the running infimum and supremum, NaN before the first call.
    """

    def __init__(self, K: Matrix, runs: int, width: int, activation: Activation, every: int) -> None:
        """``K`` is (n, n)."""
        n = len(K)
        self._K, self._m, self._every, self._activation = K, width, every, activation
        self._scaled = K / width
        self._changed = np.zeros((runs, n))
        self._last = np.full((runs, 2), np.nan)
        self._stale = np.ones(runs, bool)
        self._diagonal = np.arange(n)
        self.low = np.full(runs, np.nan)
        self.high = np.full(runs, np.nan)

    def gram(self, slope: Tensor) -> Matrix:
        """H (n, n) of one run whose sigma'(P) is ``slope`` (m, n)."""
        leak = self._activation.leak
        if leak is None:
            slope = slope.double()
            return self._scaled * (slope.mT @ slope).cpu().numpy()
        # numbers of neurons, below 2^24: exact in float32, which is twice as fast
        on = slope.float() if leak == 0 else (slope > 0.5).float()
        pairs = (on.mT @ on).cpu().numpy().astype(np.float64)
        if leak == 0:
            return self._scaled * pairs
        single = np.diagonal(pairs)
        both = leak**2 * self._m + leak * (1 - leak) * (single[:, None] + single) + (1 - leak) ** 2 * pairs
        return self._scaled * both

    def watch(
        self, step: int, slope: Tensor, changed: npt.NDArray[Any] | None, alive: Sequence[int], *, last: bool = False
    ) -> None:
        """Take the H of a step into the extremes.

        Parameters
        ----------
        slope
            sigma'(P), (run, m, n).
        changed
            Number of activations of each example that changed in the step before, (run, n); None at the first step and
            for smooth activations, which always change.
        alive
            Runs that have not diverged.
        last
            Whether no step follows: then a spectrum is made in any case.
        """
        if changed is None:
            self._stale[:] = True
        else:
            self._stale |= changed.any(-1)
            if self._every > 1:
                self._changed += changed
        if step % self._every and not last:
            return
        for b in alive:
            if not self._stale[b]:
                continue
            self._stale[b] = False
            H = self.gram(slope[b])
            if self._every == 1 and np.isfinite(self.low[b]) and self._within(H, b):
                continue
            low, high = (float(v) for v in gram.extreme_eigenvalues(H))
            low_then, high_then = self._last[b]
            bound = self._drift(b) if self._every > 1 and step else 0.0
            self._last[b] = low, high
            self.low[b] = np.nanmin([self.low[b], low, low_then - bound])
            self.high[b] = np.nanmax([self.high[b], high, high_then + bound])

    def _within(self, H: Matrix, run: int) -> bool:
        """Whether all eigenvalues are in [low, high], to rounding."""
        slack = SLACK * self.high[run]
        below = H.copy(order="F")
        below[self._diagonal, self._diagonal] -= self.low[run] - slack
        if lapack.dpotrf(below, lower=1, clean=0, overwrite_a=1)[1]:
            return False
        above = np.negative(H, order="F")
        above[self._diagonal, self._diagonal] += self.high[run] + slack
        return not lapack.dpotrf(above, lower=1, clean=0, overwrite_a=1)[1]

    def _drift(self, run: int) -> float:
        """Bound of |H - H_s|_F over the steps since the last spectrum."""
        leak = self._activation.leak
        if leak is None:
            return 0.0
        f = self._changed[run]
        bound = (1 - leak) * float(np.linalg.norm(self._K * (f[:, None] + f))) / self._m
        self._changed[run] = 0
        return bound if math.isfinite(bound) else math.inf
