"""A frozen classifier as the attacks see it: logits, and the gradient of any function of them.

A network of linear layers and ReLU becomes ``Dense``, whose gradient is written out, so that it can use the best matrix
product there is (see ``kernels``) and share its first layer between attacks (see ``lines``); any other module is
differentiated by autograd.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn

from advdyn.attacks import kernels
from advdyn.errors import InputError

Cotangent = Callable[[Tensor], Tensor]


class Classifier(Protocol):
    """A frozen differentiable classifier of flat images."""

    classes: int
    pixels: int
    dtype: torch.dtype
    device: torch.device

    def logits(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, pixel); no graph is kept."""
        ...

    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """logits(x), and the gradient (n, pixel) of sum_i <c_i, logits_i(x_i)> at fixed c = cotangent(logits)."""
        ...


class Dense:
    """Linear layers, each with ReLU or nothing behind it; the weights are copied, so later training leaves it as it is.

    Parameters
    ----------
    layers
        (weight (out, in), bias (out,) or None, whether ReLU follows), the first layer first; the last has no ReLU.
    kernel
        See ``kernels.linear``.
    """

    def __init__(self, layers: list[tuple[Tensor, Tensor | None, bool]], kernel: kernels.Kernel = "auto") -> None:
        self.weights = [weight.detach().clone().contiguous() for weight, _, _ in layers]
        self.biases = [None if bias is None else bias.detach().clone() for _, bias, _ in layers]
        self.relus = [relu for _, _, relu in layers]
        # the product with a transposed view is the slower one
        self._transposed = [weight.T.contiguous() for weight in self.weights]
        self.kernel = kernel
        self.classes, self.pixels = len(self.weights[-1]), self.weights[0].shape[1]
        self.dtype, self.device = self.weights[0].dtype, self.weights[0].device

    @property
    def depth(self) -> int:
        """Number of linear layers."""
        return len(self.weights)

    @torch.no_grad()
    def logits(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, pixel)."""
        for layer in range(self.depth):
            x = self._forward(x, layer)
        return x

    @torch.no_grad()
    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``Classifier``; the gradient of ReLU at 0 is 0, as in torch."""
        z, g, _ = self.traced(x, cotangent)
        return z, g

    @torch.no_grad()
    def traced(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor, Tensor]:
        """As ``pullback``, and the first layer's output (n, out) before its ReLU: (logits, gradient, output)."""
        first = self.first(x)
        outputs = [first]  # before or behind ReLU is the same to its gradient, which asks for the sign only
        for layer in range(1, self.depth):
            before = first.relu() if layer == 1 and self.relus[0] else outputs[-1]
            outputs.append(self._forward(before, layer))
        g = cotangent(outputs[-1])
        for layer in reversed(range(self.depth)):
            if self.relus[layer]:
                torch.ops.aten.threshold_backward.grad_input(g, outputs[layer], 0, grad_input=g)
            g = kernels.linear(g, self._transposed[layer], None, self.kernel)
        return outputs[-1], g, first

    @torch.no_grad()
    def first(self, x: Tensor) -> Tensor:
        """Output (n, out) of the first layer, before its ReLU."""
        return kernels.linear(x, self.weights[0], self.biases[0], self.kernel)

    @torch.no_grad()
    def slope(self, u: Tensor) -> Tensor:
        """Change (n, out) of the first layer's output, before its ReLU, for a change u (n, pixel) of the images."""
        return kernels.linear(u, self.weights[0], None, self.kernel)

    @property
    def columns(self) -> Tensor:
        """Transposed weight (pixel, out) of the first layer."""
        return self._transposed[0]

    @torch.no_grad()
    def rest(self, first: Tensor) -> Tensor:
        """Logits (n, classes) from the first layer's output (n, out) before its ReLU, which is overwritten."""
        x = first.relu_() if self.relus[0] else first
        for layer in range(1, self.depth):
            x = self._forward(x, layer)
        return x

    def _forward(self, x: Tensor, layer: int) -> Tensor:
        return kernels.linear(x, self.weights[layer], self.biases[layer], self.kernel, relu=self.relus[layer])


class Autograd:
    """Any module, differentiated by autograd with respect to its input only; the module itself is not copied.

    Parameters
    ----------
    module
        In evaluation mode; takes (n, pixel), gives (n, classes).
    pixels, classes, dtype, device
        Of its input and output.
    """

    def __init__(self, module: nn.Module, pixels: int, classes: int, dtype: torch.dtype, device: torch.device) -> None:
        self.module, self.pixels, self.classes, self.dtype, self.device = module, pixels, classes, dtype, device

    def logits(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, pixel)."""
        with torch.no_grad(), self._untouched():
            return self._called(x)

    def pullback(self, x: Tensor, cotangent: Cotangent) -> tuple[Tensor, Tensor]:
        """See ``Classifier``."""
        with torch.enable_grad(), self._untouched():
            x = x.detach().requires_grad_(True)
            z = self._called(x)
            (g,) = torch.autograd.grad(z, x, cotangent(z.detach()))
        return z.detach(), g

    def _called(self, x: Tensor) -> Tensor:
        z: Tensor = self.module(x)
        return z

    def _untouched(self) -> AbstractContextManager[None]:
        """Whatever random numbers the module draws, the global generators are left as they were."""
        return torch.random.fork_rng([self.device] if self.device.type == "cuda" else [])


def of(module: nn.Module, pixels: int, classes: int | None = None, kernel: kernels.Kernel = "auto") -> Dense | Autograd:
    """The classifier that a module is.

    Parameters
    ----------
    module
        Takes images (n, pixel), gives logits (n, classes); in evaluation mode. Its weights are never changed.
    pixels
        Size of a flat image.
    classes
        How many logits it must give; None: as many as it does.
    kernel
        See ``kernels.linear``; used by networks of linear layers and ReLU.

    Returns
    -------
    ``Dense`` for a torch.nn.Linear and a torch.nn.Sequential of Linear and ReLU (Flatten is passed over), else
    ``Autograd``.

    Raises
    ------
    InputError
        When the module or a part of it is in train mode, has weights or buffers that are NaN or infinite or not
        initialised, does not take images of that size, or gives something else than finite floats (n, classes), with
        2 classes or more.
    """
    _check_state(module)
    tensors = [t for t in [*module.parameters(), *module.buffers()] if t.is_floating_point()]
    dtype = tensors[0].dtype if tensors else torch.float32
    device = tensors[0].device if tensors else torch.device("cpu")
    general = Autograd(module, pixels, 0, dtype, device)
    try:
        z = general.logits(torch.full((2, pixels), 0.5, dtype=dtype, device=device))
    except Exception as error:  # whatever a user's module may raise
        line = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"network: does not take images of {pixels} pixels (x of shape (n, {pixels})): "
            f"{type(error).__name__}: {line}"
        ) from error
    if not isinstance(z, Tensor) or z.ndim != 2 or len(z) != 2 or not z.is_floating_point():
        found = f"{z.dtype} of shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        raise InputError(f"network: gives {found} for 2 images, allowed: floats of shape (2, classes)")
    if classes is not None and z.shape[1] != classes:
        raise InputError(f"network: gives {z.shape[1]} logits per image, allowed: {classes}, one for each class")
    if z.shape[1] < 2:
        raise InputError(f"network: gives {z.shape[1]} logit per image, allowed: 2 or more, one for each class")
    if not bool(z.isfinite().all()):
        raise InputError("network: gives logits that are NaN or infinite for a grey image, allowed: finite ones")
    general.classes = z.shape[1]
    layers = _layers(module)
    return Dense(layers, kernel) if layers else general


def _check_state(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if part.training:
            what = f"its part {name} is" if name else "it is"
            raise InputError(f"network: {what} in train mode, allowed: evaluation mode (call .eval() first)")
    for kind, tensors in (("weight", module.named_parameters()), ("buffer", module.named_buffers())):
        for name, tensor in tensors:
            if nn.parameter.is_lazy(tensor):
                raise InputError(f"network: {kind} {name} is not initialised, allowed: a network that has seen data")
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise InputError(f"network: {kind} {name} holds NaN or infinite values, allowed: finite ones")


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The modules that are applied one after the other."""
    if type(module) is nn.Sequential and not _hooked(module):
        for part in module:
            yield from _parts(part)
    else:
        yield module


def _hooked(module: nn.Module) -> bool:
    """Whether more happens in a call of the module than its forward says."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


def _layers(module: nn.Module) -> list[tuple[Tensor, Tensor | None, bool]] | None:
    """The layers of a chain of Linear and ReLU that begins and ends with Linear; None for anything else."""
    layers: list[tuple[Tensor, Tensor | None, bool]] = []
    relu = True
    for part in _parts(module):
        # exact types: a subclass (a parametrised layer, say) may compute something else
        if _hooked(part):
            return None
        if type(part) is nn.Linear:
            layers.append((part.weight, part.bias, False))
            relu = False
        elif type(part) is nn.ReLU and layers:
            layers[-1] = (*layers[-1][:2], True)
            relu = True
        elif type(part) is not nn.Flatten or (part.start_dim, part.end_dim) != (1, -1):
            return None
    same = {(t.dtype, t.device) for weight, bias, _ in layers for t in (weight, bias) if t is not None}
    return layers if layers and not relu and len(same) == 1 else None
