"""The networks of the study, all taking flat images (n, pixel) and giving logits (n, classes); a user's own too."""

import importlib.machinery
import importlib.util
import itertools
import math
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advdyn.errors import InputError
from advdyn.robustness import names

PROBES = 3  # images a user's network is tried on
CHANNELS = (8, 16)  # of the two convolutions of `cnn`
SMALLEST = 12  # edge of the smallest image that leaves `cnn` 5x5 windows in both layers
MIXING = 1e-3  # change of the logits, relative, above which other images of the batch count as having been seen


class Own(nn.Module):
    """A user's network, which takes (n, *shape), made to take flat images; its state is under ``module.``."""

    def __init__(self, module: nn.Module, shape: Sequence[int]) -> None:
        super().__init__()
        self.module = module
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Any:
        """Logits of flat images."""
        return self.module(x.reshape(len(x), *self.shape))


def build(
    name: str,
    shape: Sequence[int],
    classes: int,
    module_file: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """A new network, its weights drawn from torch's global generator (see ``initialise``), in train mode.

    Parameters
    ----------
    name
        See ``advdyn.robustness.names.parse``. ``softmax`` and ``mlp-*`` are nn.Sequential of Linear and ReLU only.
    shape
        Shape of one image; the network takes its prod(shape) pixels flat.
    classes
        Number of logits.
    module_file
        For a user's network: a Python file with a function ``build(shape, classes) -> torch.nn.Module`` that takes
        (n, *shape) floats and returns logits (n, classes).
    dtype
        Of weights and images.

    Raises
    ------
    InputError
        When the name is not known, the images do not suit ``cnn``, or the user's network is not as asked for.
    """
    architecture = names.parse(name)
    pixels = math.prod(shape)
    if architecture.kind == "own":
        if module_file is None:
            raise InputError(f"model: found {name!r}, allowed: {names.ALLOWED}")
        return _own(tuple(shape), classes, module_file, dtype)
    if architecture.kind == "cnn":
        return _cnn(tuple(shape), classes).to(dtype)
    widths = [pixels, *[architecture.width] * architecture.depth]
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(widths):
        layers += [nn.Linear(into, out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes)).to(dtype)


def initialise(
    name: str,
    shape: Sequence[int],
    classes: int,
    seed_int: int,
    dtype: torch.dtype = torch.float32,
    module_file: str | None = None,
) -> nn.Module:
    """A new network whose weights depend on ``seed_int`` only; torch's global random state stays as it was.

    Raises
    ------
    InputError
        See ``build``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed_int)
        return build(name, shape, classes, module_file, dtype)


def restore(
    name: str,
    shape: Sequence[int],
    classes: int,
    states: Sequence[Mapping[str, Tensor]],
    dtype: torch.dtype = torch.float32,
    module_file: str | None = None,
) -> list[nn.Module]:
    """Networks with the weights ``states`` (see ``advdyn.robustness.weights.load``), in eval mode.

    Raises
    ------
    InputError
        When the weights are not those of such a network; see also ``build``.
    """
    made = []
    for state in states:
        network = initialise(name, shape, classes, 0, dtype, module_file)
        try:
            network.load_state_dict(dict(state))
        except RuntimeError as error:
            raise InputError(f"{name}: the weights are those of another network ({_line(error)})") from error
        made.append(network.eval())
    return made


def _cnn(shape: tuple[int, ...], classes: int) -> nn.Module:
    size = (1, *shape) if len(shape) == 2 else shape
    if len(size) != 3 or min(size[1:]) < SMALLEST:
        raise InputError(
            f"cnn: found images of shape {shape}, allowed: (height, width) or (channel, height, width) "
            f"with height and width at least {SMALLEST}"
        )
    channel, *edges = size
    first, second = CHANNELS
    left = math.prod(_reduced(_reduced(edge)) for edge in edges)
    return nn.Sequential(
        nn.Unflatten(1, size),
        nn.Conv2d(channel, first, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(first, second, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * left, classes),
    )


def _reduced(edge: int) -> int:
    """Edge of the output of a 5x5 convolution with stride 2 and padding 2."""
    return (edge - 1) // 2 + 1


# --- a user's own network --------------------


def _own(shape: tuple[int, ...], classes: int, file: str, dtype: torch.dtype) -> nn.Module:
    module = _call(file, _function(file), shape, classes)
    if not isinstance(module, nn.Module):
        raise InputError(f"{file}: build returned {_kind(module)}; expected a torch.nn.Module")
    lazy = [key for key, value in _tensors(module) if nn.parameter.is_lazy(value)]
    if lazy:
        raise InputError(f"{file}: {', '.join(lazy)}: not initialised; give lazy modules their sizes")
    if not any(value.requires_grad for value in module.parameters()):
        raise InputError(f"{file}: the network has no parameters to train")
    network = Own(module, shape).to(dtype)
    with torch.random.fork_rng(devices=[]):
        _try(file, network, shape, classes, dtype)
    return network.train()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


class _Source(importlib.machinery.SourceFileLoader):
    """Reads the file itself, always: writes no bytecode beside it and trusts none that lies there."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _function(file: str) -> Callable[[tuple[int, ...], int], Any]:
    path = str(Path(file).resolve())
    if not Path(path).is_file():
        raise InputError(f"{file}: not found; expected a Python file with a function build(shape, classes)")
    private = "_advdyn_own_" + path.encode().hex()
    spec = importlib.util.spec_from_file_location(private, path, loader=_Source(private, path))
    if spec is None or spec.loader is None:  # for mypy: the loader is given
        raise InputError(f"{file}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(private)
    sys.modules[private] = module  # dataclasses and torch look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[private]
        else:
            sys.modules[private] = before
        raise InputError(
            f"{file}{_place(error, path)}: import failed: {type(error).__name__}: {_line(error)}"
        ) from error
    function = getattr(module, "build", None)
    if not callable(function):
        raise InputError(f"{file}: has no function build; expected build(shape, classes) -> torch.nn.Module")
    return function


def _call(file: str, function: Callable[..., Any], shape: tuple[int, ...], classes: int) -> Any:
    try:
        return function(shape, classes)
    except Exception as error:
        path = str(Path(file).resolve())
        raise InputError(
            f"{file}{_place(error, path)}: build({shape}, {classes}) failed: {type(error).__name__}: {_line(error)}"
        ) from error


def _try(file: str, network: Own, shape: tuple[int, ...], classes: int, dtype: torch.dtype) -> None:
    """Refuse a network whose logits cannot be trained or attacked."""
    network.eval()
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(PROBES, math.prod(shape), generator=draw, dtype=dtype).requires_grad_()
    z = _logits(file, network, x, shape)
    if not isinstance(z, Tensor) or z.shape != (PROBES, classes):
        found = f"shape {tuple(z.shape)}" if isinstance(z, Tensor) else _kind(z)
        raise InputError(
            f"{file}: {PROBES} images of shape {shape} gave output of {found}; expected shape ({PROBES}, {classes})"
        )
    if z.dtype != dtype:
        raise InputError(f"{file}: {dtype} images gave {z.dtype} output; expected {dtype}")
    if not bool(torch.isfinite(z).all()):
        raise InputError(f"{file}: output of the new network is NaN or infinite on images in [0, 1]")
    gradient = torch.autograd.grad(z.sum(), x, allow_unused=True)[0] if z.requires_grad else None
    if gradient is None:
        raise InputError(f"{file}: output is not differentiable with respect to the images (detached or discrete)")
    if not bool(torch.isfinite(gradient).all()):
        raise InputError(f"{file}: gradient of the output with respect to the images is NaN or infinite")
    alone = torch.cat([_logits(file, network, image[None], shape) for image in x.detach()]).detach()
    scale = 1 + z.detach().abs().max()
    if bool((alone - z.detach()).abs().max() > MIXING * scale):
        raise InputError(
            f"{file}: in eval mode the output of an image depends on the other images of its batch, "
            "or on chance; expected a function of the image alone"
        )


def _logits(file: str, network: Own, x: Tensor, shape: tuple[int, ...]) -> Any:
    try:
        return network(x)
    except Exception as error:
        path = str(Path(file).resolve())
        raise InputError(
            f"{file}{_place(error, path)}: images of shape ({len(x)}, {', '.join(map(str, shape))}) failed: "
            f"{type(error).__name__}: {_line(error)}"
        ) from error


def _place(error: BaseException, path: str) -> str:
    """Where in the user's file the error came from, as ``, line 3``, or nothing."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _kind(value: Any) -> str:
    return f"type {type(value).__name__}"
