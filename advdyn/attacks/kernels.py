"""The float32 matrix product of the CPU: oneDNN's where this torch offers it, torch's own otherwise.

torch.nn.functional.linear calls MKL, which takes a slower path on processors that are not Intel's (the rates of both
are printed by benchmarks/attacks.py). Which of the two is used depends on what works here, never on a timing, so
results do not depend on the load of the machine. The two differ by rounding.
"""

import functools
from typing import Literal

import torch
from torch import Tensor

Kernel = Literal["auto", "plain"]


@functools.cache
def available() -> bool:
    """Whether oneDNN's linear operator exists in this torch and agrees with a float64 product to rounding."""
    x, weight, bias = (
        torch.linspace(-1, 1, n).reshape(shape) for n, shape in ((33 * 70, (33, 70)), (19 * 70, (19, 70)), (19, (19,)))
    )
    exact = x.double() @ weight.double().T
    try:
        pairs = [
            (_onednn(x, weight, bias, relu=False), exact + bias),
            (_onednn(x, weight, None, relu=False), exact),
            (_onednn(x, weight, bias, relu=True), (exact + bias).relu()),
            (_onednn(x[::2], weight.T.contiguous().T, None, relu=False), exact[::2]),
        ]
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False
    return all(bool((found.double() - wanted).abs().max() < 1e-4) for found, wanted in pairs)


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None, *, relu: bool) -> Tensor:
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "relu" if relu else "none", [], "")
    return found


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, kernel: Kernel = "auto", *, relu: bool = False) -> Tensor:
    """x weight^T + bias, by the best kernel for these tensors; no gradients pass through it.

    Parameters
    ----------
    x : (n, in)
    weight : (out, in)
        Fastest when contiguous.
    bias : (out,) or None
    kernel
        ``plain`` always takes torch's own product.
    relu
        Whether max(., 0) is taken of the result, which costs nothing more.

    Returns
    -------
    (n, out)
    """
    if kernel == "auto" and x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu" and available():
        return _onednn(x, weight, bias, relu=relu)
    found = torch.nn.functional.linear(x, weight, bias)
    return found.relu_() if relu else found
