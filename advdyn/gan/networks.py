"""Shapes of the networks of a game, for ``perceptrons.Mlps``."""


def generator_sizes(width: int, latent: int, pixels: int) -> tuple[int, ...]:
    """Layers of a generator whose last hidden layer has ``width`` neurons."""
    return latent, max(1, width // 4), max(1, width // 2), width, pixels


def degenerator_sizes(width: int, pixels: int) -> tuple[int, ...]:
    """Layers of a degenerator."""
    return pixels, width, width, pixels


def discriminator_sizes(d_width: int, pixels: int) -> tuple[int, ...]:
    """Layers of a discriminator."""
    return pixels, d_width, max(1, d_width // 2), 1
