"""Minibatches of many runs at once, each run in its own random order."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class Deck:
    """Minibatches of n examples, in a new order for every pass; what is left of an order is not used."""

    def __init__(self, n: int, batch: int, generators: list[np.random.Generator]) -> None:
        self.n, self.batch, self.generators = n, batch, generators
        self.at, self.orders = n, np.empty((len(generators), 0), np.int64)

    def __call__(self) -> npt.NDArray[np.int64]:
        """Rows of the next minibatch, (run, example); each run in the order of its own generator."""
        if self.at + self.batch > self.n:
            self.at, self.orders = 0, np.stack([g.permutation(self.n) for g in self.generators])
        self.at += self.batch
        return self.orders[:, self.at - self.batch : self.at]


def rows(x: Tensor, which: npt.NDArray[np.int64]) -> Tensor:
    """The rows ``which`` (run, example) of ``x``, which is (1, n, pixel), the same for all runs, or (run, n, pixel)."""
    index = torch.from_numpy(which).to(x.device)
    if len(x) == 1:
        return x[0, index]
    return x[torch.arange(len(x), device=x.device)[:, None], index]
