"""Figure 8: images degenerated after one pass, beside what they were."""

from __future__ import annotations

import numpy as np
import xarray as xr

from advdyn.degeneration.figures.common import Drawn, base, pick
from advdyn.degeneration.figures.pictures import Block, of_originals, of_reference, of_run, row_of_blocks


def passes_shown(study: xr.Dataset, run: int | None) -> list[float]:
    """The passes, from the first on, after which outputs of a run are kept."""
    values = pick(study, "sample", run) if run is not None else None
    if values is None or "passed" not in values.dims:
        return []
    there = values.notnull().any([d for d in values.dims if d != "passed"]).values
    return [float(v) for v in values["passed"].values[there] if v >= 1]


def nearest(study: xr.Dataset, kind: str, passed: float, quoted: tuple[str, ...] = ()) -> Block:
    """The outputs of a kind after the pass shown that is nearest to a pass."""
    there = passes_shown(study, base(study, kind))
    return of_run(study, kind, float(min(there, key=lambda p: abs(p - passed))) if there else np.nan, quoted)


def first_pass(study: xr.Dataset) -> Drawn:
    """The images, what both readings make after one pass (or the first that was kept), and Python's random."""
    blocks = [nearest(study, kind, 1) for kind in ("degenerator", "generator")]
    if not any(len(block.pixels) for block in blocks):
        return row_of_blocks(study, blocks, "the first pass")
    return row_of_blocks(study, [of_originals(study), *blocks, of_reference(study, "danoise")], "the first pass")
