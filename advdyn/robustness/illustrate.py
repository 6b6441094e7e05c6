"""Pictures of attacks: examples, patterns, logits along a ray, first-layer filters, fooling images."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from advdyn import devices, io
from advdyn.attacks import engine
from advdyn.attacks.attack import Attack
from advdyn.attacks.fooling import fooling
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.robustness import measures
from advdyn.robustness.measures import PIXELS, REFERENCE, UNIT
from advdyn.robustness.transfer import Compared

FILTERS = 16
RAY = 41  # points of a ray, from -REACH to +REACH times eps_reference
REACH = 2.0
KINDS = ("untargeted", "targeted")
# the untargeted attack is that of the study; no targeted one is among its settings, so it stands here: iterated, since
# a single step seldom reaches a class of one's choice
TARGETED = Attack(objective="logit", steps=20, step=0.1)


def typical(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each class the number of the image closest to the mean of its class (no model enters the choice).

    Parameters
    ----------
    x : (n, pixel), y : (n,)
    """
    chosen = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        chosen.append(rows[np.argmin(((x[rows] - x[rows].mean(0)) ** 2).sum(1))])
    return np.array(chosen)


def first_layer(network: nn.Module, pixels: int) -> Tensor | None:
    """Weights (unit, pixel) of the network's first layer where that is linear in the pixels, else None."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            return module.weight.detach() if module.in_features == pixels else None
        if next(module.children(), None) is None and next(module.parameters(), None) is not None:
            return None  # another layer with weights comes first
    return None


def described(logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Predicted class and its probability, (n,) each."""
    confidence, predicted = torch.softmax(logits, 1).max(1)
    return predicted.cpu().numpy(), confidence.cpu().numpy()


VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "pattern": (("illustrated", "example", "kind", "pixel"), "what the attack adds to the image", PIXELS),
    "adversarial": (("illustrated", "example", "kind", "pixel"), "the attacked image", PIXELS),
    "predicted_before": (("illustrated", "example"), "class predicted without attack", "1"),
    "confidence_before": (("illustrated", "example"), "probability of the class predicted without attack", "1"),
    "predicted_after": (("illustrated", "example", "kind"), "class predicted under attack", "1"),
    "confidence_after": (("illustrated", "example", "kind"), "probability of the class predicted under attack", "1"),
    "predicted_pattern": (
        ("illustrated", "example", "kind"), "class predicted for the pattern alone, -eps black and +eps white", "1",
    ),
    "confidence_pattern": (("illustrated", "example", "kind"), "probability of that class", "1"),
    "ray_logits": (
        ("illustrated", "example", "ray_eps", "class"), "logits at x + ray_eps sign(gradient of the loss at x)", "1"
    ),
    "ray_tangent": (
        ("illustrated", "example", "class"), "slope of the logits along the ray at x", "1/pixel range"
    ),
    "filters": (
        ("illustrated", "filter", "pixel"),
        f"weights of the first layer, the {FILTERS} units of largest norm first (where it is linear in the pixels)",
        "1/pixel range",
    ),
    "fooling_image": (("illustrated", "class", "pixel"), "noise after gradient ascent to the class", PIXELS),
    "fooling_confidence": (("illustrated", "class"), "probability of the class on the fooling image", "1"),
    "fooling_reached_steps": (("illustrated", "class"), "steps to the confidence asked for (NaN: not reached)", "1"),
}  # fmt: skip


def run(
    compared: Sequence[Compared],
    images: Images,
    *,
    transfer_attack: Mapping[str, Any],
    eps_reference: float,
    root: int,
    device: devices.Device,
    dtype: Literal["float32", "float64"],
) -> xr.Dataset:
    """What attacks of size ``eps_reference`` look like, on one test image of each class.

    Parameters
    ----------
    compared
        The networks; the first seed of each is illustrated.
    images
        Only test images are read.
    transfer_attack
        Settings of the untargeted l_inf attack. The targeted one is TARGETED, towards the next class.
    eps_reference
        Size of the attacks, above 0; they are clipped to the pixel range.
    root
        Root of the random streams, drawn from for a random start and for the noise that fooling images begin with.

    Returns
    -------
    Dataset over (illustrated, example, kind, ray_eps, class, filter, pixel), see VARIABLES; ``image`` (example,
    pixel), ``label`` and ``target`` (example). NaN for a network that diverged.

    Raises
    ------
    InputError
        When eps_reference is not above 0, or the attack is targeted or not of l_inf.
    """
    where, kind = devices.resolve(device), devices.DTYPES[dtype]
    attack = Attack.from_settings("transfer_attack", transfer_attack)
    if attack.targeted or attack.norm != "linf":
        raise InputError(
            f"transfer_attack: found objective {attack.objective}, norm {attack.norm}; allowed: untargeted, linf"
        )
    if not 0 < eps_reference < np.inf:
        raise InputError(f"eps_reference: found {eps_reference}, allowed: a number above 0")
    rows = typical(images.x_test, images.y_test)
    x = torch.tensor(images.x_test[rows], dtype=kind, device=where)
    y = torch.tensor(images.y_test[rows], dtype=torch.int64, device=where)
    ray = np.linspace(-REACH, REACH, RAY) * eps_reference
    classes, pixels = _classes(compared, x), x.shape[1]
    goal = torch.roll(y, -1)  # the label of the next example: another class, the same for every network
    lengths = {
        "illustrated": len(compared),
        "example": len(rows),
        "kind": len(KINDS),
        "ray_eps": RAY,
        "class": classes,
        "filter": FILTERS,
        "pixel": pixels,
    }
    values = {name: np.full([lengths[d] for d in dims], np.nan, np.float32) for name, (dims, *_) in VARIABLES.items()}
    for k, one in enumerate(compared):
        classifier = one.classifier(0, x)
        if classifier is None:
            continue
        out = {name: array[k] for name, array in values.items()}
        draw = measures.generator(root, one.seeds[0], "attack", "illustration")
        made = [
            engine.perturb(classifier, x, y, attack, eps_reference, box=UNIT, generator=draw),
            engine.perturb(classifier, x, y, TARGETED, eps_reference, box=UNIT, target=goal),
        ]
        out["predicted_before"][:], out["confidence_before"][:] = described(measures.logits(classifier, x))
        for a, image in enumerate(made):
            out["pattern"][:, a], out["adversarial"][:, a] = (image - x).cpu().numpy(), image.cpu().numpy()
            out["predicted_after"][:, a], out["confidence_after"][:, a] = described(measures.logits(classifier, image))
            seen = described(measures.logits(classifier, (1 + (image - x) / eps_reference) / 2))
            out["predicted_pattern"][:, a], out["confidence_pattern"][:, a] = seen
        sign = measures.loss_gradient(classifier, x, y).sign()
        for r, size in enumerate(ray):
            out["ray_logits"][:, r] = measures.logits(classifier, x + float(size) * sign).cpu().numpy()
        for c in range(classes):
            out["ray_tangent"][:, c] = (measures.logit_gradient(classifier, x, c) * sign).sum(1).cpu().numpy()
        layer = first_layer(one.networks[0], pixels)
        if layer is not None:
            largest = torch.argsort(layer.norm(dim=1), descending=True, stable=True)[:FILTERS]
            out["filters"][: len(largest)] = layer[largest].cpu().numpy()
        draw = measures.generator(root, one.seeds[0], "evaluation", "illustrated fooling")
        start = torch.rand(1, pixels, generator=draw, dtype=torch.float64).to(x).expand(classes, pixels)
        fooled = fooling(classifier, start.contiguous(), torch.arange(classes, device=where))
        out["fooling_image"][:] = fooled.image.cpu().numpy()
        out["fooling_confidence"][:] = fooled.confidence.cpu().numpy()
        out["fooling_reached_steps"][:] = torch.where(fooled.reached, fooled.steps.double(), torch.nan).cpu().numpy()

    data = {name: io.variable(dims, values[name], text, u, REFERENCE) for name, (dims, text, u) in VARIABLES.items()}
    data["image"] = io.variable(("example", "pixel"), images.x_test[rows].astype(np.float32), "test image", PIXELS)
    data["label"] = io.variable(("example",), images.y_test[rows], "label")
    data["target"] = io.variable(("example",), goal.cpu().numpy(), "class that the targeted attack aims at")
    data["image_shape"] = io.variable(("edge",), np.array(images.shape), "shape of an image", "pixel")
    data["eps_reference"] = io.variable((), eps_reference, "size of the attacks (l_inf)", PIXELS)
    coords = {
        "illustrated": io.variable(("illustrated",), [c.label for c in compared], "network: model/training/eps_train"),
        "kind": io.variable(("kind",), list(KINDS), "attack"),
        "ray_eps": io.variable(("ray_eps",), ray, "step along the sign of the gradient of the loss", PIXELS),
        "class": io.variable(("class",), np.arange(classes), "class"),
        "example": io.variable(("example",), rows, "number of the test image"),
    }
    attrs = {"title": "Attacks illustrated", "device": str(where), "dtype": dtype}
    return xr.Dataset(data, coords=coords, attrs=attrs)


def _classes(compared: Sequence[Compared], x: Tensor) -> int:
    """Number of classes of the networks; those that diverged give none."""
    found = (c.classifier(0, x) for c in compared)
    return max((c.classes for c in found if c is not None), default=1)
