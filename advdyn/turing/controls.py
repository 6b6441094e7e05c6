"""Controls: what takes the place of the live critic, of the same size as it is in the run of the same seed.

Each needs the live run first. It is trained here without a record; its steps are those of the recorded run with the
same parameters.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from advdyn.logs import log
from advdyn.turing.engine import End, Lane, Plan, Start, train
from advdyn.turing.inputs import Examples

TOLERANCE = 0.01  # of the displacement that scaled labels have to attain
RUNS = 8  # at most, to find a scale
STRETCH = 4.0  # largest factor between two scales that are tried

Floats = npt.NDArray[np.float64]


def live(data: Examples, begin: Start, plan: Plan) -> End:
    """The runs with the live critic, of the lanes that have an adversary."""
    lanes = tuple(lane for lane in plan.lanes if lane.adversary == "with")
    return train(data, begin, replace(plan, lanes=lanes, kind="live", label_scale=None, field_sd=None))


def place(plan: Plan, seeds: int, values: Floats, other: float) -> Floats:
    """Values of the runs with an adversary among all runs, ``other`` elsewhere."""
    acts = np.repeat([lane.adversary == "with" for lane in plan.lanes], seeds)
    found = np.full(len(acts), other)
    found[acts] = values
    return found


def field_sd(data: Examples, begin: Start, plan: Plan) -> Floats:
    """Root mean square of q over steps, examples and outputs of the live runs; 0 in lanes without an adversary."""
    end = live(data, begin, plan)
    return place(plan, len(begin.seeds), np.where(np.isfinite(end.distance), end.q_rms, np.nan), 0.0)


def label_scale(data: Examples, begin: Start, plan: Plan) -> tuple[Floats, Floats]:
    """Factors of the targets with which supervision alone moves the hidden layer as far as the live critic does.

    Solved for each run by the secant method, kept within what brackets the solution, to 1 % of the mean over neurons of
    |u_j(T) - u_j(0)|. Without a solution (the initial outputs alone may ask for more displacement) the best is kept.

    Returns
    -------
    scale, wanted
        (run,): the factors (1 in lanes without an adversary), and the displacements to be attained (NaN there).
    """
    wanted = live(data, begin, plan).distance
    lanes = (Lane("without", 0.0, 0.0),) * (len(wanted) // len(begin.seeds))
    alone = replace(plan, lanes=lanes, kind="supervised", field_sd=None)
    scale, best, miss = np.ones_like(wanted), np.ones_like(wanted), np.full_like(wanted, np.inf)
    low, high = np.zeros_like(wanted), np.full_like(wanted, np.inf)
    before: tuple[Floats, Floats] | None = None
    for _ in range(RUNS):
        attained = train(data, begin, replace(alone, label_scale=scale)).distance
        # what diverges went too far
        off = np.where(np.isnan(attained), 1.0, attained / wanted - 1)
        better = np.abs(off) < miss
        best, miss = np.where(better, scale, best), np.where(better, np.abs(off), miss)
        left = (miss > TOLERANCE) & np.isfinite(wanted)
        if not left.any():
            break
        low = np.where(off < 0, np.maximum(low, scale), low)
        high = np.where(off > 0, np.minimum(high, scale), high)
        guess = scale / (1 + off)
        if before is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = scale - off * (scale - before[0]) / (off - before[1])
            guess = np.where(np.isfinite(secant) & (secant > 0), secant, guess)
        guess = np.clip(guess, scale / STRETCH, scale * STRETCH)
        middle = np.where(np.isfinite(high), (low + high) / 2, 2 * scale)
        guess = np.where((guess > low) & (guess < high), guess, middle)
        before = scale, off
        scale = np.where(left, guess, best)
    best = np.where(np.isfinite(wanted), best, np.nan)  # none, where the live run diverged
    if left.any():
        log.warning("label-scaled: displacement within %.2g of that with the live critic at best", miss[left].max())
    return place(plan, len(begin.seeds), best, 1.0), place(plan, len(begin.seeds), wanted, np.nan)
