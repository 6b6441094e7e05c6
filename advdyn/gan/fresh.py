"""A fresh discriminator: a new network, trained after the fact to tell two samples apart, scored on held-out ones.

The discriminator of the game has chased one generator all along; how well it does at the end says little of how far
apart the two distributions are. A new one, trained on samples of both and scored on samples that it has not seen, is
a two-sample test (Lopez-Paz and Oquab, arXiv:1610.06545), and its value is a lower bound of
max_D V = 2 JSD(one, other) - log 4 (Goodfellow et al., arXiv:1406.2661, theorem 1) but for the error of the sample.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from advdyn.errors import InputError

REFERENCES = "Lopez-Paz and Oquab, arXiv:1610.06545; Goodfellow et al., arXiv:1406.2661, eq. (1)"
BATCH = 100
PATIENCE = 3
ENOUGH = -0.01  # a value of at least this, of 0 at most: the samples are told apart, more training adds nothing
SLOPE = 0.2
GAINS = torch.linspace(0, 1, 41)  # factors of the logit, 0: D = 1/2 everywhere

Floats = npt.NDArray[np.floating[Any]]


class Fresh(NamedTuple):
    """What a fresh discriminator reached on held-out samples.

    ``accuracy`` is balanced, ties count 1/2; ``value`` is E log D(one) + E log(1 - D(other)) in nats.
    """

    accuracy: float
    value: float


def fresh(
    one: Floats,
    other: Floats,
    one_heldout: Floats,
    other_heldout: Floats,
    *,
    epochs: int,
    generator: np.random.Generator,
    device: torch.device | str = "cpu",
    widths: Sequence[int] = (512, 256),
) -> Fresh:
    """Train a new discriminator and score it on samples it has not seen.

    A perceptron (LeakyReLU .2) that sees the pixels less their mean, over one common standard deviation; Adam 1e-3,
    batches of 100, both samples with equal weight, float32. A tenth of each sample is held back: it chooses the epoch
    (the best value; three without a better one end the training) and the gain in [0, 1] by which the logit is
    multiplied in the value, 0 (D = 1/2) unless that is better by two standard errors. So an overfitted discriminator
    of two equal distributions reads -log 4, not less; the accuracy does not depend on the gain.

    Parameters
    ----------
    one, other : (n, pixel), (m, pixel)
        To train on; D is to be 1 on ``one``.
    one_heldout, other_heldout : (k, pixel), (l, pixel)
        To score on.
    epochs
        At most.
    generator
        For initial weights, the tenth held back and the order of the batches; nothing else is drawn from.
    device
        A torch device.
    widths
        Of the hidden layers.

    Returns
    -------
    Fresh
        (accuracy, value); samples of one distribution read .5 and -log 4 within the error of the sample.

    Raises
    ------
    InputError
        When there are fewer than two samples of a kind to train on, or none to score on.
    ValueError
        When a sample is not finite.
    """
    samples = one, other, one_heldout, other_heldout
    if min(len(one), len(other)) < 2 or min(len(one_heldout), len(other_heldout)) < 1:
        raise InputError(f"fresh discriminator: found {', '.join(str(len(s)) for s in samples)} samples, allowed: >= 2")
    if not all(np.isfinite(s).all() for s in samples):
        raise ValueError("fresh discriminator: a sample is not finite")
    mean = (one.mean(0, dtype=np.float64) + other.mean(0, dtype=np.float64)) / 2
    scale = float(np.sqrt((np.square(one - mean).mean() + np.square(other - mean).mean()) / 2)) or 1.0

    def put(x: Floats) -> Tensor:
        return torch.tensor((x - mean) / scale, dtype=torch.float32, device=device)

    kept, back = [], []
    for sample in (one, other):
        rows, tenth = generator.permutation(len(sample)), max(1, len(sample) // 10)
        back.append(put(sample[rows[:tenth]]))
        kept.append(put(sample[rows[tenth:]]))
    x = torch.cat(kept)
    sign = torch.cat([torch.full((len(k),), s, device=device) for k, s in zip(kept, (1.0, -1.0), strict=True)])
    weight = torch.cat([torch.full((len(k),), len(x) / (2 * len(k)), device=device) for k in kept])

    sizes = (x.shape[1], *widths, 1)
    weights = [tensor.to(device).requires_grad_() for tensor in _initial(sizes, generator)]
    adam = torch.optim.Adam(weights, lr=1e-3, fused=True)
    best, chosen, at = -np.inf, [w.detach().clone() for w in weights], 0
    for epoch in range(epochs):
        order = torch.from_numpy(generator.permutation(len(x))).to(device)
        for rows in order.split(BATCH):
            adam.zero_grad()
            loss = (weight[rows] * functional.softplus(-sign[rows] * _logit(weights, x[rows]))).mean()
            loss.backward()
            adam.step()
        with torch.no_grad():
            found = float(_values(_logit(weights, back[0]), _logit(weights, back[1])).max())
        if found > best:
            best, chosen, at = found, [w.detach().clone() for w in weights], epoch
        if best > ENOUGH or epoch - at >= PATIENCE:
            break
    with torch.no_grad():
        gain = _gain(_logit(chosen, back[0]), _logit(chosen, back[1]))
        a, b = _logit(chosen, put(one_heldout)), _logit(chosen, put(other_heldout))
    accuracy = (_share_positive(a) + _share_positive(-b)) / 2
    value = sum(float(functional.logsigmoid(gain * z.double()).mean()) for z in (a, -b))
    return Fresh(accuracy, value)


def _initial(sizes: Sequence[int], generator: np.random.Generator) -> Iterator[Tensor]:
    """Weights (in, out) and biases, uniform in +-1/sqrt(in) as torch.nn.Linear has them."""
    for fan_in, fan_out in pairwise(sizes):
        bound = fan_in**-0.5
        for shape in ((fan_in, fan_out), (fan_out,)):
            yield torch.from_numpy(bound * (2 * generator.random(shape, np.float32) - 1))


def _logit(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Logit of D, (n,)."""
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = functional.leaky_relu(torch.addmm(b, x, w), SLOPE)
    return torch.addmm(weights[-1], x, weights[-2])[:, 0]


def _values(one: Tensor, other: Tensor) -> Tensor:
    """E log D + E log(1 - D) at each gain, in nats, from the logits of both samples."""
    return _logs(one).mean(0) + _logs(-other).mean(0)


def _logs(logit: Tensor) -> Tensor:
    """Log of the probability of the right answer, (n, gain), from the logits (n,) of that answer."""
    return functional.logsigmoid(logit[:, None].double() * GAINS.to(logit).double())


def _gain(one: Tensor, other: Tensor) -> float:
    """The gain of the best value, or 0 when that is not better than guessing by two standard errors."""
    logs = _logs(one), _logs(-other)
    best = int(sum(x.mean(0) for x in logs).argmax())  # type: ignore[union-attr]
    won = [x[:, best] - x[:, 0] for x in logs]
    error = sum(float(x.var(correction=0)) / max(1, len(x) - 1) for x in won) ** 0.5
    return float(GAINS[best]) if sum(float(x.mean()) for x in won) > 2 * error else 0.0


def _share_positive(logit: Tensor) -> float:
    return float(((logit > 0).double() + 0.5 * (logit == 0).double()).mean())
