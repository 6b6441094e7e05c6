"""Figure 9: images degenerated after fifteen passes, with how alike they are."""

from __future__ import annotations

import xarray as xr

from advdyn.degeneration.figures.common import READINGS, Drawn
from advdyn.degeneration.figures.first_pass import nearest
from advdyn.degeneration.figures.pictures import of_reference, row_of_blocks

PASS = 15
QUOTED = ("sample_correlation", "participation_ratio")


def textures(study: xr.Dataset) -> Drawn:
    """Outputs after 15 passes (or the pass nearest to it that was kept), with the correlation between them."""
    blocks = [nearest(study, kind, PASS, QUOTED) for kind in reversed(READINGS)]
    if not any(len(block.pixels) for block in blocks):
        return row_of_blocks(study, blocks, "repeated textures")
    return row_of_blocks(study, [*blocks, of_reference(study, "danoise", QUOTED)], "repeated textures")
