"""The exact worst case of a linear classifier of any number of classes: what every attack on it can at most reach."""

from collections.abc import Sequence

import torch
from torch import Tensor

from advdyn.attacks.classifier import Classifier, Dense
from advdyn.attacks.engine import Box


def is_linear(classifier: Classifier) -> bool:
    """Whether the logits are linear in the image."""
    return isinstance(classifier, Dense) and not any(classifier.relus)


@torch.no_grad()
def worst_case(
    classifier: Classifier, x: Tensor, y: Tensor, eps: Sequence[float], *, norm: str, box: Box
) -> Tensor | None:
    """Whether some x' with |x' - x| <= eps (and in the box) is classified wrongly, (eps, n) bool.

    The image is lost to class k if the largest change of z_k - z_y in the ball exceeds the margin. With v = w_k - w_y
    it is eps |v|_1 for l_inf and eps |v|_2 for l_2; for l_inf the box acts pixel by pixel, so the maximum stays exact:
    every pixel moves by eps in the direction of v as far as the box lets it.

    Parameters
    ----------
    classifier
        Linear, see ``is_linear``.
    x : (n, pixel), y : (n,)
    norm
        linf or l2.

    Returns
    -------
    None where no closed form is known: a classifier that is not linear, and l_2 within a box. A tie counts as right,
    as for an attack that only reaches it.
    """
    if not is_linear(classifier) or (norm == "l2" and box is not None):
        return None
    logits, zero = classifier.logits(x), torch.zeros(1, classifier.pixels, dtype=x.dtype, device=x.device)
    hot = torch.eye(classifier.classes, dtype=x.dtype, device=x.device)
    weight = torch.cat([classifier.pullback(zero, h.expand_as)[1] for h in hot])  # (classes, pixel)
    margin = logits - logits.gather(1, y[:, None])
    lost = torch.zeros(len(eps), len(x), dtype=torch.bool, device=x.device)
    for k in range(classifier.classes):
        v = weight[k] - weight[y]
        for e, size in enumerate(eps):
            if norm == "l2":
                reach = size * torch.linalg.vector_norm(v, dim=1)
            elif box is None:
                reach = size * v.abs().sum(1)
            else:
                reach = (((x + size * v.sign()).clamp(*box) - x) * v).sum(1)
            lost[e] |= (margin[:, k] + reach > 0) & (y != k)
    return lost
