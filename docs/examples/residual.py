"""A small residual network on colour images: the worked example of docs/own-network.md.

`build` is the one name that the study looks for. Images come as (n, channel, height, width) with pixels in [0, 1];
whatever a network wants to do to them first, such as a normalisation, it does inside, so that an attack of size eps
is one of eps in units of the pixel range for every network.
"""

import torch
from torch import Tensor, nn

WIDTH = 16
BLOCKS = 2


class Normalise(nn.Module):
    """Pixels to zero mean and unit variance of each channel, by numbers that are fixed once and saved as buffers."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: list[float], deviation: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, height, width) to the same."""
        return (x - self.mean) / self.deviation


class Block(nn.Module):
    """x + f(x), with two convolutions, each behind a normalisation over the channels of one image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.GroupNorm(4, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(4, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, height, width) to the same."""
        return x + self.branch(x)


def build(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A network that takes (n, *shape) and gives logits (n, classes)."""
    channels, _, _ = shape
    return nn.Sequential(
        Normalise([0.5] * channels, [0.25] * channels),
        nn.Conv2d(channels, WIDTH, 3, stride=2, padding=1),
        *(Block(WIDTH) for _ in range(BLOCKS)),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(16 * WIDTH, classes),
    )
