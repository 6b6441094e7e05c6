"""Many linear models adversarially trained at once: their examples are never made.

For a linear model the worst x' in the ball |x' - x|_inf <= eps is known (Goodfellow, Shlens and Szegedy,
arXiv:1412.6572): it lowers the margin tau (w.x + b) by eps |w|_1. So a step of stochastic gradient descent on FGSM
examples, without a pixel box, is

    sigma_i = sigmoid(eps |w|_1 - tau_i (w.x_i + b)),
    w <- w + rate (<sigma_i tau_i x_i> - eps <sigma_i> sign(w)),    b <- b + rate <sigma_i tau_i>,

with <.> the mean over the batch, and one matrix product serves all models that see the same images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advdyn.errors import InputError


@dataclass(frozen=True)
class Members:
    """Linear models that are trained together; every field has one entry for each of the ``size`` models.

    Attributes
    ----------
    weight : (size, d)
    bias : (size,)
    eps : (size,)
        Training attack, l_inf.
    rate : (size,)
        Learning rate.
    """

    weight: Tensor
    bias: Tensor
    eps: Tensor
    rate: Tensor

    @property
    def size(self) -> int:
        """How many models there are."""
        return len(self.weight)


def binary(
    members: Members,
    x: Tensor,
    tau: Tensor,
    orders: Sequence[np.ndarray] | np.ndarray,
    batch: int,
    losses: Tensor | None = None,
) -> Members:
    """Train binary linear models by SGD on softplus(eps |w|_1 - tau (w.x + b)), the loss of their FGSM examples.

    Parameters
    ----------
    members
        ``weight`` (size, d), ``bias`` (size,); they are not changed.
    x : (n, d)
    tau : (n,)
        +1 or -1.
    orders : (epochs, n) or (epochs, size, n)
        Order of the images in each epoch, shared by all models or of each its own; as many updates as whole batches.
    batch
        Images of an update.
    losses : (size,)
        Where given, the mean loss of each update is added to it.

    Returns
    -------
    The trained models; one that diverges holds NaN or infinities, the others are untouched by it.

    Raises
    ------
    InputError
        When shapes do not fit, or a label is neither +1 nor -1.
    """
    _check(members, x, tau, batch)
    if not bool((tau.abs() == 1).all()):
        raise InputError("tau: found other labels, allowed: +1 and -1")
    tau = tau.to(x.dtype)
    weight, bias = members.weight.clone(), members.bias.clone()[:, None]
    signed = x * tau[:, None]  # tau x: the margin is linear in it
    share = (members.rate / batch)[:, None]
    eps = members.eps[:, None]
    sign, size = torch.empty_like(weight), torch.empty_like(weight)
    for rows in _batches(orders, len(x), batch):
        seen, t = signed.index_select(0, rows.reshape(-1)), tau.index_select(0, rows.reshape(-1))
        torch.sign(weight, out=sign)
        reach = eps * torch.abs(weight, out=size).sum(1, keepdim=True)  # vector_norm takes three times as long
        if rows.ndim == 1:
            # one batch for all models: exponent = eps |w|_1 - margin
            exponent = torch.addmm(reach, weight, seen.T, alpha=-1).addcmul_(bias, t, value=-1)
            if losses is not None:
                losses += torch.nn.functional.softplus(exponent).mean(1)
            sigma = exponent.sigmoid_().mul_(share)
            weight.addmm_(sigma, seen)
            bias.addmm_(sigma, t[:, None])
        else:
            seen, t = seen.view(members.size, batch, -1), t.view(members.size, batch)
            margin = torch.bmm(seen, weight[:, :, None])[:, :, 0].addcmul_(bias, t)
            if losses is not None:
                losses += torch.nn.functional.softplus(reach - margin).mean(1)
            sigma = (reach - margin).sigmoid_().mul_(share)
            weight.unsqueeze(1).baddbmm_(sigma[:, None], seen)
            bias += (sigma * t).sum(1, keepdim=True)
        weight.addcmul_(sign, eps * sigma.sum(1, keepdim=True), value=-1)
    return Members(weight, bias[:, 0], members.eps, members.rate)


def _batches(orders: Sequence[np.ndarray] | np.ndarray, n: int, batch: int) -> Iterator[Tensor]:
    """Rows of each update, (batch,) or (size, batch)."""
    for order in orders:
        rows = torch.as_tensor(order)
        for start in range(0, n - batch + 1, batch):
            yield rows[..., start : start + batch]


def _check(members: Members, x: Tensor, labels: Tensor, batch: int) -> None:
    weight = members.weight
    if weight.ndim != 2 or x.ndim != 2 or weight.shape[-1] != x.shape[1] or labels.shape != x.shape[:1]:
        raise InputError(
            f"found weights {tuple(weight.shape)}, images {tuple(x.shape)}, labels {tuple(labels.shape)}; allowed: "
            "(size, d), (n, d), (n,)"
        )
    if members.bias.shape != weight.shape[:-1] or not members.eps.shape == members.rate.shape == weight.shape[:1]:
        raise InputError("bias, eps and rate: allowed: one entry for each model")
    if not 1 <= batch <= len(x):
        raise InputError(f"batch: found {batch}, allowed: 1 to {len(x)}, the images there are")
