"""Perceptrons of one shape, one for each run, computed as one batch of matrices."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import sqrt
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of LeakyReLU below 0, in the networks of a game
MOMENTUM = 0.1  # of the running statistics of batch normalisation
SMALLEST = 1e-8  # variance added under the root of the minibatch feature: equal examples have a finite gradient

Arrays = Mapping[str, npt.NDArray[Any]]


class Mlps(nn.Module):
    """Perceptrons with LeakyReLU between their layers; the last layer is linear (logits).

    Parameters
    ----------
    sizes
        Inputs, neurons of each hidden layer, outputs.
    runs
        Number of networks.
    batch_normalisation
        Of the hidden layers, before the activation, as ``torch.nn.BatchNorm1d`` of each run.
    normalised_outputs
        Whether the last layer is batch-normalised too.
    minibatch_feature
        Whether the standard deviation over the batch of each neuron of the last hidden layer, averaged over the
        neurons, is one more input of the last layer (Karras et al., arXiv:1710.10196).
    slope
        Of LeakyReLU below 0; 0 makes it a ReLU.
    dtype
        Of parameters and outputs.

    Notes
    -----
    Layer l has the parameters ``w<l>`` (run, input, output) and ``b<l>`` (run, output); where it is batch-normalised
    also ``scale<l>``, ``shift<l>`` and the buffers ``mean<l>``, ``variance<l>``, all (run, output). They are
    0 (scale and variance 1) until ``initialise`` or ``restore``.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        runs: int,
        *,
        batch_normalisation: bool = False,
        normalised_outputs: bool = False,
        minibatch_feature: bool = False,
        slope: float = SLOPE,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.sizes, self.runs, self.slope = tuple(sizes), runs, slope
        self.tracked, self.momentum = True, MOMENTUM
        self.batch_normalisation, self.minibatch_feature = batch_normalisation, minibatch_feature
        self.normalised_outputs = normalised_outputs
        self.last = len(sizes) - 2
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            more = int(minibatch_feature and layer == self.last)
            self.register_parameter(f"w{layer}", nn.Parameter(torch.zeros(runs, inputs + more, outputs, dtype=dtype)))
            self.register_parameter(f"b{layer}", nn.Parameter(torch.zeros(runs, outputs, dtype=dtype)))
            if self._normalises(layer):
                self.register_parameter(f"scale{layer}", nn.Parameter(torch.ones(runs, outputs, dtype=dtype)))
                self.register_parameter(f"shift{layer}", nn.Parameter(torch.zeros(runs, outputs, dtype=dtype)))
                self.register_buffer(f"mean{layer}", torch.zeros(runs, outputs, dtype=dtype))
                self.register_buffer(f"variance{layer}", torch.ones(runs, outputs, dtype=dtype))

    @torch.no_grad()
    def initialise(self, generators: Sequence[np.random.Generator]) -> Self:
        """Weights and biases uniform within +-1/sqrt(inputs), as ``torch.nn.Linear``; run r from generator r alone."""
        for run, generator in enumerate(generators):
            for layer in range(self.last + 1):
                weight, bias = getattr(self, f"w{layer}"), getattr(self, f"b{layer}")
                bound = 1 / sqrt(weight.shape[1])
                for parameter in (weight[run], bias[run]):
                    parameter.copy_(torch.from_numpy(generator.uniform(-bound, bound, parameter.shape)))
        return self

    def forward(self, x: Tensor, parts: int = 1) -> Tensor:
        """Logits.

        Parameters
        ----------
        x : shape (run, example, input)
        parts
            Number of minibatches of equal size that ``x`` is made of, one after the other; the minibatch feature is
            that of each. (Batch normalisation takes all examples as one batch.)

        Returns
        -------
        shape (run, example, output)
        """
        for layer in range(self.last):
            x = torch.baddbmm(getattr(self, f"b{layer}")[:, None], x, getattr(self, f"w{layer}"))
            if self.batch_normalisation:
                x = self._normalised(layer, x)
            x = functional.leaky_relu(x, self.slope, inplace=True)
        if self.minibatch_feature:
            x = torch.cat((x, _spread(x, parts)), 2)
        x = torch.baddbmm(getattr(self, f"b{self.last}")[:, None], x, getattr(self, f"w{self.last}"))
        return self._normalised(self.last, x) if self.normalised_outputs else x

    def _normalises(self, layer: int) -> bool:
        return self.normalised_outputs if layer == self.last else self.batch_normalisation

    @torch.no_grad()
    def adopt(self, x: Tensor) -> None:
        """Take as running statistics those of the examples ``x`` (1 or run, example, input), all as one batch."""
        before, self.momentum = self.training, 1.0
        try:
            self.train()(x.expand(self.runs, -1, -1))
        finally:
            self.momentum = MOMENTUM
            self.train(before)

    def _normalised(self, layer: int, x: Tensor) -> Tensor:
        """Batch normalisation run by run: the neurons of all runs are the features of one torch layer."""
        runs, examples, neurons = x.shape
        mean, variance, scale, shift = (
            getattr(self, f"{name}{layer}").view(-1) for name in ("mean", "variance", "scale", "shift")
        )
        keep = self.tracked or not self.training
        flat = functional.batch_norm(
            x.transpose(0, 1).reshape(examples, runs * neurons),
            mean if keep else None, variance if keep else None, scale, shift, self.training, self.momentum,
        )  # fmt: skip
        return flat.view(examples, runs, neurons).transpose(0, 1)

    @contextmanager
    def untracked(self) -> Iterator[None]:
        """In here batch normalisation in training uses statistics of the batch, and keeps none of them."""
        self.tracked = False
        try:
            yield
        finally:
            self.tracked = True

    def arrays(self, prefix: str = "") -> dict[str, npt.NDArray[Any]]:
        """Copies of all parameters and buffers, (run, ...), by their names after ``prefix``."""
        return {prefix + name: np.array(value.detach().cpu().numpy()) for name, value in self.state_dict().items()}

    @torch.no_grad()
    def restore(self, arrays: Arrays, prefix: str = "") -> Self:
        """Take parameters and buffers from ``arrays``."""
        self.load_state_dict({name: torch.from_numpy(np.array(arrays[prefix + name])) for name in self.state_dict()})
        return self

    @classmethod
    def of(cls, arrays: Arrays, prefix: str = "", slope: float = SLOPE) -> Self:
        """The networks that ``arrays`` were made by, on the CPU and in evaluation mode."""
        weights: list[npt.NDArray[Any]] = []
        while f"{prefix}w{len(weights)}" in arrays:
            weights.append(arrays[f"{prefix}w{len(weights)}"])
        sizes = (weights[0].shape[1], *(w.shape[2] for w in weights))
        made = cls(
            sizes,
            len(weights[0]),
            batch_normalisation=len(weights) > 1 and f"{prefix}scale0" in arrays,
            normalised_outputs=f"{prefix}scale{len(weights) - 1}" in arrays,
            minibatch_feature=weights[-1].shape[1] > sizes[-2],
            slope=slope,
            dtype=torch.from_numpy(np.array(weights[0][:0])).dtype,
        )
        return made.restore(arrays, prefix).eval()


def _spread(x: Tensor, parts: int) -> Tensor:
    """Standard deviation over each minibatch, averaged over the neurons, one for each example: (run, example, 1)."""
    runs, examples, neurons = x.shape
    own = x.view(runs, parts, examples // parts, neurons)
    spread = (own.var(2, correction=0) + SMALLEST).sqrt().mean(2)
    return spread[:, :, None].expand(runs, parts, examples // parts).reshape(runs, examples, 1)
