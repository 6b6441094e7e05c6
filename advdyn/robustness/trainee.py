"""Networks in training: what the attack engine sees of them (a live classifier), and a gradient for the optimiser.

All parameters of a run lie in one vector, so that an optimiser is one operation. Three ways to the same numbers:
``Chain`` writes forward and backward pass of Linear and ReLU out (on the CPU most of the time of a small network's step
is autograd's and the optimiser's bookkeeping), ``Module`` differentiates any network by autograd, ``Stack`` trains
many networks of one kind as one batch.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from advdyn.attacks import kernels

Cotangent = Callable[[Tensor], Tensor]
# the same in train and eval mode
MODELESS = (nn.Sequential, nn.Linear, nn.Conv2d, nn.ReLU, nn.Flatten, nn.Unflatten)
SMALL = 1_000_000  # multiplications of a product below which torch's own is faster than oneDNN's (12 us against 19)


@dataclass(frozen=True)
class Part:
    """A term of the loss: weight times the mean over images of [kept] J(x, y)."""

    x: Tensor
    weight: float
    kept: Tensor | None = None


class Trainee(Protocol):
    """Runs in training. As a ``Classifier`` it takes the images of all runs, run after run, (runs * n, pixel)."""

    runs: int
    classes: int
    pixels: int
    dtype: torch.dtype
    device: torch.device
    parameters: Tensor
    """(runs, parameter); changed in place by an optimiser."""
    gradient: Tensor
    """(runs, parameter); written by ``descend``."""

    def logits(self, x: Tensor) -> Tensor:
        """Logits (runs * n, classes) in eval mode."""
        ...

    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``advdyn.attacks.classifier.Classifier``; eval mode."""
        ...

    def descend(self, parts: Sequence[Part], y: Tensor) -> Tensor:
        """Sum of the parts' losses for each run, (runs,), in train mode, and its gradient into ``gradient``.

        Parameters
        ----------
        parts
            Their images are (runs * n, pixel), their ``kept`` (runs * n,).
        y : (runs * n,)
        """
        ...

    def changed(self) -> None:
        """Say that ``parameters`` has changed."""
        ...

    def buffers(self) -> dict[str, Tensor]:
        """Buffers of the network (running statistics) by name, not copied; none where there are several runs."""
        ...


def _flattened(module: nn.Module) -> tuple[Tensor, Tensor]:
    """Move a module's trainable parameters into one vector, and their gradients into another; (1, parameter) each."""
    own = [p for p in module.parameters() if p.requires_grad]
    flat = torch.cat([p.detach().reshape(-1) for p in own])
    gradient = torch.zeros_like(flat)
    at = 0
    for p in own:
        size = p.numel()
        p.data = flat[at : at + size].view(p.shape)
        p.grad = gradient[at : at + size].view(p.shape)
        at += size
    return flat[None], gradient[None]


class Chain:
    """One network of Linear and ReLU (softmax, mlp), without autograd.

    Parameters
    ----------
    network
        nn.Sequential of Linear, ReLU, Linear, .., Linear; its parameters become views of one vector.
    kernel
        See ``advdyn.attacks.kernels.linear``.
    """

    runs = 1

    def __init__(self, network: nn.Sequential, kernel: kernels.Kernel = "auto") -> None:
        self.parameters, self.gradient = _flattened(network)
        self.layers = [layer for layer in network if isinstance(layer, nn.Linear)]
        self.weights = [layer.weight.detach() for layer in self.layers]
        self.biases = [layer.bias.detach() for layer in self.layers]
        self._into = [(layer.weight.grad, layer.bias.grad) for layer in self.layers]
        self.kernel = kernel
        self.pixels, self.classes = self.layers[0].in_features, self.layers[-1].out_features
        self.dtype, self.device = self.weights[0].dtype, self.weights[0].device
        self._seen: tuple[Tensor, list[Tensor]] | None = None

    @staticmethod
    def fits(network: nn.Module) -> bool:
        """Whether the network is such a chain."""
        if type(network) is not nn.Sequential or len(network) % 2 == 0:
            return False
        kinds = [type(layer) for layer in network]
        return (
            all(kind is (nn.ReLU if place % 2 else nn.Linear) for place, kind in enumerate(kinds))
            and all(p.requires_grad for p in network.parameters())
            and all(layer.bias is not None for layer in network if isinstance(layer, nn.Linear))
        )

    @torch.no_grad()
    def _outputs(self, x: Tensor) -> list[Tensor]:
        """Outputs of all layers, behind their ReLU; the last are the logits."""
        # The loss needs the clean images again right after the attack has: to compare them costs a hundredth of a pass.
        if self._seen is not None and self._seen[0].shape == x.shape and torch.equal(self._seen[0], x):
            return self._seen[1]
        found, h = [], x
        last = len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = self._product(h, weight, bias, k < last)
            found.append(h)
        return found

    def _back(self, g: Tensor, layer: int) -> Tensor:
        return self._product(g, self.weights[layer].T, None)

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool = False) -> Tensor:
        small = len(x) * weight.numel() < SMALL
        return kernels.linear(x, weight, bias, "plain" if small else self.kernel, relu=relu)

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """See ``Trainee``."""
        return self._outputs(x)[-1]

    @torch.no_grad()
    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``Trainee``."""
        outputs = self._outputs(x)
        if self._seen is None:
            self._seen = (x.clone(), outputs)  # the engine goes on to move its copy
        g = cotangent(outputs[-1])
        for k in range(len(self.weights) - 1, 0, -1):
            g = torch.ops.aten.threshold_backward(self._back(g, k), outputs[k - 1], 0)
        return outputs[-1], self._back(g, 0)

    @torch.no_grad()
    def descend(self, parts: Sequence[Part], y: Tensor) -> Tensor:
        """See ``Trainee``."""
        total = self.parameters.new_zeros(1)
        for number, part in enumerate(parts):
            outputs = self._outputs(part.x)
            log_p = outputs[-1].log_softmax(1)
            scale = part.weight / len(y)
            g = log_p.exp()
            g.scatter_add_(1, y[:, None], g.new_full((1, 1), -1).expand(len(y), 1)).mul_(scale)
            loss = -log_p.gather(1, y[:, None])[:, 0]
            if part.kept is not None:
                g *= part.kept[:, None]
                loss = torch.where(part.kept, loss, 0)  # a dropped image may have an infinite loss
            total.add_(loss.sum(), alpha=scale)
            beta = 1 if number else 0
            for k in range(len(self.weights) - 1, -1, -1):
                weight, bias = self._into[k]
                assert weight is not None
                assert bias is not None
                before = outputs[k - 1] if k else part.x
                torch.addmm(weight, g.T, before, beta=beta, out=weight)
                if number:
                    bias += g.sum(0)
                else:
                    torch.sum(g, 0, out=bias)
                if k:
                    g = torch.ops.aten.threshold_backward(self._back(g, k), before, 0)
        return total

    def changed(self) -> None:
        """See ``Trainee``."""
        self._seen = None

    def buffers(self) -> dict[str, Tensor]:
        """See ``Trainee``."""
        return {}


class Module:
    """One network of any kind, by autograd.

    Parameters
    ----------
    network
        Takes flat images; its parameters become views of one vector.
    pixels, classes
        Of its input and output.
    """

    runs = 1

    def __init__(self, network: nn.Module, pixels: int, classes: int) -> None:
        self.network, self.pixels, self.classes = network, pixels, classes
        self.parameters, self.gradient = _flattened(network)
        self.dtype, self.device = self.parameters.dtype, self.parameters.device
        self._modes = not all(type(part) in MODELESS for part in network.modules())
        network.eval()

    def _mode(self, train: bool) -> None:
        if self._modes and self.network.training != train:
            self.network.train(train)

    def logits(self, x: Tensor) -> Tensor:
        """See ``Trainee``."""
        self._mode(False)
        with torch.no_grad():
            z: Tensor = self.network(x)
        return z

    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``Trainee``."""
        self._mode(False)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            z = self.network(x)
            (g,) = torch.autograd.grad(z, x, cotangent(z.detach()))
        return z.detach(), g

    def descend(self, parts: Sequence[Part], y: Tensor) -> Tensor:
        """See ``Trainee``."""
        self._mode(True)
        self.gradient.zero_()
        total = self.parameters.new_zeros(())
        with torch.enable_grad():
            for part in parts:
                total = total + _loss(self.network(part.x), y, part).sum() * (part.weight / len(y))
            total.backward()  # adds to the views of ``gradient``
        return total.detach()[None]

    def changed(self) -> None:
        """See ``Trainee``."""

    def buffers(self) -> dict[str, Tensor]:
        """See ``Trainee``."""
        return dict(self.network.named_buffers())


class Stack:
    """Many networks of one kind, without buffers and without chance in training, as one batch (torch.func.vmap).

    Parameters
    ----------
    networks
        One for each run; they keep their own weights.
    pixels, classes
        Of their input and output.
    """

    def __init__(self, networks: Sequence[nn.Module], pixels: int, classes: int) -> None:
        self.runs, self.pixels, self.classes = len(networks), pixels, classes
        each = [[(name, p.detach()) for name, p in n.named_parameters() if p.requires_grad] for n in networks]
        self.parameters = torch.stack([torch.cat([p.reshape(-1) for _, p in run]) for run in each])
        self.gradient = torch.zeros_like(self.parameters)
        self.dtype, self.device = self.parameters.dtype, self.parameters.device
        self._skeleton = copy.deepcopy(networks[0])
        self._views: dict[str, Tensor] = {}
        self._into: list[Tensor] = []
        at = 0
        for name, p in each[0]:
            self._views[name] = self.parameters[:, at : at + p.numel()].view(self.runs, *p.shape).requires_grad_()
            self._into.append(self.gradient[:, at : at + p.numel()].view(self.runs, *p.shape))
            at += p.numel()
        self._frozen = {name: view.detach() for name, view in self._views.items()}
        self._call = torch.vmap(self._one)

    def _one(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        z: Tensor = torch.func.functional_call(self._skeleton, parameters, (x,))
        return z

    def _every(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return self._call(parameters, x.view(self.runs, -1, self.pixels)).reshape(-1, self.classes)

    @staticmethod
    def fits(networks: Sequence[nn.Module], x: Tensor) -> bool:
        """Whether such networks can be one batch; tried on images ``x`` (2, pixel)."""
        if any(True for _ in networks[0].buffers()) or not all(p.requires_grad for p in networks[0].parameters()):
            return False
        mode = networks[0].training
        try:
            stack = Stack([networks[0].train(), networks[0]], x.shape[1], 2)
            stack._call(stack._frozen, x[:, None])
        except (RuntimeError, NotImplementedError, ValueError):  # dropout, or an operation without a batching rule
            return False
        finally:
            networks[0].train(mode)
        return True

    def logits(self, x: Tensor) -> Tensor:
        """See ``Trainee``."""
        with torch.no_grad():
            return self._every(self._frozen, x)

    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``Trainee``."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            z = self._every(self._frozen, x)
            (g,) = torch.autograd.grad(z, x, cotangent(z.detach()))
        return z.detach(), g

    def descend(self, parts: Sequence[Part], y: Tensor) -> Tensor:
        """See ``Trainee``."""
        n = len(y) // self.runs
        total = self.parameters.new_zeros(self.runs)
        with torch.enable_grad():
            for part in parts:
                loss = _loss(self._every(self._views, part.x), y, part)
                total = total + loss.view(self.runs, n).sum(1) * (part.weight / n)
            found = torch.autograd.grad(total.sum(), list(self._views.values()))
        for into, g in zip(self._into, found, strict=True):
            into.copy_(g)
        return total.detach()

    def changed(self) -> None:
        """See ``Trainee``."""

    def buffers(self) -> dict[str, Tensor]:
        """See ``Trainee``."""
        return {}


def _loss(z: Tensor, y: Tensor, part: Part) -> Tensor:
    """Cross-entropy of each image that is kept, 0 of the others."""
    loss = nn.functional.cross_entropy(z, y, reduction="none")
    # not a product: a dropped image may have an infinite loss
    return loss if part.kept is None else torch.where(part.kept, loss, 0)
