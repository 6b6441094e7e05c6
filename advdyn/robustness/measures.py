"""What the evaluations of this study share: random streams, images as tensors, gradients and rays of margins.

The margin of an image is z_y - z_k, with k the class other than y that has the largest logit *on the image itself*.
Holding k along a ray makes the margin of a linear classifier exactly linear, so that every departure from linearity
is the network's and not a change of rival.
"""

import copy
import functools
import math
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from advdyn import seeds
from advdyn.attacks import classifier as classifiers
from advdyn.attacks.classifier import Classifier
from advdyn.errors import InputError

STUDY = "robustness"
REFERENCE = "Goodfellow, Shlens and Szegedy, arXiv:1412.6572"
PIXELS = "pixel range"
UNIT = (0.0, 1.0)
BATCH = 256


def generator(root: int, seed: int, purpose: str, name: str) -> torch.Generator:
    """A generator on the CPU that depends on root, seed, purpose and name only.

    Each attack of the table, and each quantity that draws, has its own by its name: so another attack, run or size
    in the job changes no number drawn.
    """
    parent = seeds.sequence(root, STUDY, seed, purpose)
    child = np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, zlib.crc32(name.encode())))
    return torch.Generator().manual_seed(int(child.generate_state(1, np.uint64)[0] >> np.uint64(1)))


def first(
    x: np.ndarray, y: np.ndarray, n: int, name: str, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The first ``n`` images (0: all) and their labels as tensors.

    Parameters
    ----------
    x : (m, pixel)
    y : (m,)
    n
        At most m.
    name
        Of the parameter that gave n, for the message.

    Returns
    -------
    x : (n, pixel), y : (n,) int64

    Raises
    ------
    InputError
        When there are no images, or fewer than n.
    """
    if not 0 <= n <= len(y) or len(y) == 0:
        raise InputError(f"{name}: found {n}, allowed: 0 (all) to {len(y)}, the images there are")
    n = n or len(y)
    return (
        torch.tensor(x[:n], dtype=dtype, device=device),
        torch.tensor(y[:n], dtype=torch.int64, device=device),
    )


def finite(network: nn.Module) -> bool:
    """Whether all weights and buffers of a network are numbers."""
    state = network.state_dict().values()
    return all(bool(torch.isfinite(value).all()) for value in state if value.is_floating_point())


def classifier_of(network: nn.Module, x: Tensor) -> Classifier | None:
    """The network as a classifier of images like ``x`` (n, pixel), or None where it gives no numbers: it diverged.

    The network itself is left where it is; on another device a copy of it is used.
    """
    if not finite(network):
        return None
    if any(p.device != x.device for p in network.parameters()):
        network = copy.deepcopy(network).to(x.device)
    try:
        found = classifiers.of(network, x.shape[1])
    except InputError:
        if _overflows(network, x[:2]):
            return None
        raise
    return found if bool(torch.isfinite(logits(found, x)).all()) else None


def _overflows(network: nn.Module, x: Tensor) -> bool:
    """Whether a network of finite weights takes these images and gives infinity or NaN."""
    try:
        with torch.no_grad():
            return not bool(torch.isfinite(network(torch.full_like(x, 0.5))).all())
    except Exception:  # whatever a user's module may raise: then it is not its size that is wrong
        return False


def logits(classifier: Classifier, x: Tensor) -> Tensor:
    """Logits (n, classes) of images (n, pixel), batch by batch: activations of all images at once may not fit."""
    return torch.cat([classifier.logits(part) for part in x.split(BATCH)])


def gradient(classifier: Classifier, x: Tensor, y: Tensor, cotangent: Callable[..., Tensor]) -> Tensor:
    """Input gradient (n, pixel) of <c, logits> of each image, c = cotangent(logits, y), batch by batch."""
    parts = []
    for image, label in zip(x.split(BATCH), y.split(BATCH), strict=True):
        parts.append(classifier.pullback(image, functools.partial(cotangent, y=label))[1])
    return torch.cat(parts)


def rival(z: Tensor, y: Tensor) -> Tensor:
    """The class other than y with the largest logit z, (n,)."""
    return z.scatter(1, y[:, None], -math.inf).argmax(1)


def between(z: Tensor, y: Tensor, k: Tensor) -> Tensor:
    """z_y - z_k, (n,)."""
    return (z.gather(1, y[:, None]) - z.gather(1, k[:, None]))[:, 0]


def margin_gradient(classifier: Classifier, x: Tensor, y: Tensor) -> Tensor:
    """Input gradient (n, pixel) of the margin of each image."""

    def cotangent(z: Tensor, y: Tensor) -> Tensor:
        one = torch.zeros_like(z).scatter(1, y[:, None], 1.0)
        return one.scatter(1, rival(z, y)[:, None], -1.0)

    return gradient(classifier, x, y, cotangent)


def loss_gradient(classifier: Classifier, x: Tensor, y: Tensor) -> Tensor:
    """Input gradient (n, pixel) of the cross-entropy of each image."""

    def cotangent(z: Tensor, y: Tensor) -> Tensor:
        return torch.softmax(z, 1).scatter_add(1, y[:, None], -torch.ones_like(z[:, :1]))

    return gradient(classifier, x, y, cotangent)


def logit_gradient(classifier: Classifier, x: Tensor, c: int) -> Tensor:
    """Input gradient (n, pixel) of logit c."""
    label = torch.full((len(x),), c, device=x.device)
    return gradient(classifier, x, label, lambda z, y: torch.zeros_like(z).scatter(1, y[:, None], 1.0))


def margin_fall(classifier: Classifier, x: Tensor, y: Tensor, eps: Sequence[float]) -> tuple[Tensor, Tensor]:
    """How far margins fall along their steepest l_inf direction, x - eps sign(g) with g the margin's gradient.

    Parameters
    ----------
    x : (n, pixel)
    y : (n,)
    eps
        Sizes of the step, in pixel ranges; there is no box.

    Returns
    -------
    fall : (eps, n)
        margin(x) - margin(x - eps sign g). For a linear classifier eps |g|_1.
    norm : (n,)
        |g|_1.
    """
    steepest = margin_gradient(classifier, x, y)
    sign = steepest.sign()
    here = logits(classifier, x)
    k = rival(here, y)
    margin = between(here, y, k)
    fall = [margin - between(logits(classifier, x - size * sign), y, k) if size else 0 * margin for size in eps]
    return torch.stack(fall) if fall else margin.new_empty(0, len(y)), steepest.abs().sum(1)


def ray_crossing(z: Tensor, slope: Tensor, y: Tensor) -> Tensor:
    """Smallest eps >= 0 at which y is no longer the largest of the logits z + eps slope, exactly.

    Parameters
    ----------
    z, slope : (n, classes)
        Of a classifier that is linear along the ray.
    y : (n,)

    Returns
    -------
    (n,): 0 where y is not the largest at once, inf where no eps is enough.
    """
    lead = z.gather(1, y[:, None]) - z
    closing = slope - slope.gather(1, y[:, None])
    eps = torch.where(closing > 0, lead / closing, math.inf).amin(1)
    return torch.where((lead < 0).any(1), 0.0, eps)


def quantiles(values: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Smallest values that at least the shares ``levels`` of ``values`` do not exceed (inf is one); NaN of none."""
    if len(values) == 0:
        return np.full(len(levels), np.nan)
    ordered = np.sort(values)
    return np.array([ordered[max(math.ceil(level * len(ordered) - 1e-9), 1) - 1] for level in levels])


def cosine(a: Tensor, b: Tensor) -> float:
    """Mean over images of the cosine between rows of a and b, (n, pixel); a row that is 0 counts as cosine 0."""
    unit = [rows.double() / rows.double().norm(dim=1, keepdim=True).clamp_min(1e-150) for rows in (a, b)]
    return float((unit[0] * unit[1]).sum(1).mean())
