"""Logits at many points of a line x + t u, clipped to the box: where single-step attacks and noise go as eps grows.

The first layer's output at clip(x + t u) is piecewise linear in t: a pixel moves with slope u until it meets the
bound of the box, at t = (bound - x)/u, and stays there. For ``Dense`` it is therefore A + t B, where A and B start as
Wx + b and Wu, and change by one column of W for each pixel that has met its bound since: two products with W for any
number of t, instead of one for each.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from advdyn.attacks.checks import Box
from advdyn.attacks.classifier import Classifier, Dense

FEWEST = 4
"""Points from which following the pixels to their bounds beats a product for each."""
STACK = 2**20
"""Outputs of the first layer that go through the others together: few enough for a cache."""


def logits(
    classifier: Classifier, x: Tensor, u: Tensor, lengths: Sequence[float], box: Box, first: Tensor | None = None
) -> Tensor:
    """Logits at clip(x + t u) for each t of ``lengths``.

    Parameters
    ----------
    x, u : (n, pixel)
        Images, inside the box, and directions; u is overwritten.
    lengths
        t >= 0, in any order.
    first : (n, out)
        What ``Dense.first`` gives for x, if it is known; overwritten.

    Returns
    -------
    (t, n, classes)
    """
    z = x.new_empty(len(lengths), len(x), classifier.classes)
    # on a GPU a product costs less than the bookkeeping
    share = box is None or (len(lengths) >= FEWEST and x.device.type == "cpu")
    if not (isinstance(classifier, Dense) and share):
        made = torch.empty_like(x)
        for k, t in enumerate(lengths):
            torch.add(x, u, alpha=t, out=made)
            if box is not None:
                made.clamp_(*box)
            z[k] = classifier.logits(made)
        return z
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    a = classifier.first(x) if first is None else first
    bends = _bends(classifier, x, u, [lengths[k] for k in order], box) if box is not None else None
    b = classifier.slope(u)
    together = max(1, STACK // max(1, a.numel()))
    scratch = x.new_empty(together, *a.shape)
    for start in range(0, len(order), together):
        part = order[start : start + together]
        for k, out in zip(part, scratch, strict=False):
            if bends is not None:
                at, slope = next(bends)
                a += at
                b += slope
            torch.add(a, b, alpha=lengths[k], out=out)
        z[part] = classifier.rest(scratch[: len(part)].flatten(0, 1)).view(len(part), len(x), -1)
    return z


def _bends(
    classifier: Dense, x: Tensor, u: Tensor, lengths: Sequence[float], box: tuple[float, float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Changes of A and B at each t, in increasing order, due to the pixels that meet their bound up to there.

    Pixels that are at the bound from the beginning are taken out of u at once.
    """
    n, pixels = x.shape
    bounds = torch.tensor(lengths, dtype=x.dtype)
    room = torch.where(u > 0, box[1] - x, box[0] - x)  # signed as u is
    u.masked_fill_(room == 0, 0)
    meets = (room / u).abs_()  # infinite or NaN where u = 0: never
    rows, columns = (meets <= bounds[-1]).nonzero(as_tuple=True)
    at = rows * pixels + columns
    met, room, slope = (values.view(-1)[at] for values in (meets, room.contiguous(), u))
    interval = torch.searchsorted(bounds, met)
    # numpy's stable sort of 16-bit integers takes linear time, and keeps the rows in order within an interval
    sort = torch.from_numpy(np.argsort(interval.numpy().astype(np.uint16), kind="stable"))
    bag = torch.bincount(interval * n + rows, minlength=len(lengths) * n).cumsum(0)
    offsets = torch.cat([bag.new_zeros(1), bag[:-1]])
    columns = columns[sort]
    sums = [
        torch.nn.functional.embedding_bag(
            columns, classifier.columns, offsets, mode="sum", per_sample_weights=weights[sort]
        ).view(len(lengths), n, -1)
        for weights in (room, -slope)
    ]
    return zip(*sums, strict=True)
