"""What an attack ascends, as a function of the logits."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from advdyn.attacks.attack import Attack


@dataclass(frozen=True)
class Objective:
    """The objective of a batch of images.

    Attributes
    ----------
    attack
        Says which objective it is.
    label : (n,) int64
        The label attacked.
    one_hot : (n, classes)
        The same, as the dtype of the logits.
    target : (n,) int64 or None
        The class aimed at, of a targeted attack.
    """

    attack: Attack
    label: Tensor
    one_hot: Tensor
    target: Tensor | None

    @classmethod
    def of(cls, attack: Attack, label: Tensor, target: Tensor | None, classes: int, dtype: torch.dtype) -> "Objective":
        """The objective that moves away from ``label`` (towards ``target``, if the attack is targeted)."""
        one_hot = torch.nn.functional.one_hot(label, classes).to(dtype)
        return cls(attack, label, one_hot, target if attack.targeted else None)

    def at(self, rows: Tensor) -> "Objective":
        """The same for some of the images."""
        target = None if self.target is None else self.target[rows]
        return Objective(self.attack, self.label[rows], self.one_hot[rows], target)

    def cotangent(self, z: Tensor) -> Tensor:
        """Derivative (n, classes) with respect to the logits."""
        kind = self.attack.objective
        if kind == "loss":
            # p - e_y as autograd computes it for cross-entropy: 0 at the label once its probability rounds to 1
            return z.softmax(dim=1).sub_(self.one_hot)
        if kind == "margin":
            return _one_hot(self._other(z).indices, z).sub_(self.one_hot)
        assert self.target is not None
        aimed = _one_hot(self.target, z)
        if kind == "logit":
            return aimed.sub_(self.one_hot)
        p = z.softmax(dim=1)
        at_target, at_label = (p * aimed).sum(dim=1, keepdim=True), (p * self.one_hot).sum(dim=1, keepdim=True)
        return aimed.mul_(at_target) - self.one_hot * at_label - p * (at_target - at_label)

    def value(self, z: Tensor) -> Tensor:
        """The objective (n,)."""
        kind = self.attack.objective
        if kind == "output":
            z = z.softmax(dim=1)
        at_label = (z * self.one_hot).sum(dim=1)
        if kind == "loss":
            return z.logsumexp(dim=1) - at_label
        if kind == "margin":
            return self._other(z).values - at_label
        assert self.target is not None
        return z.gather(1, self.target[:, None])[:, 0] - at_label

    def reached(self, predicted: Tensor) -> Tensor:
        """Whether a prediction (n,) is what the attack wants: another class than the label, or the target."""
        return predicted != self.label if self.target is None else predicted == self.target

    def _other(self, z: Tensor) -> torch.return_types.max:
        """The largest logit of another class than the label."""
        return z.masked_fill(self.one_hot > 0, -math.inf).max(dim=1)


def _one_hot(label: Tensor, z: Tensor) -> Tensor:
    return torch.zeros_like(z).scatter_(1, label[:, None], 1)
