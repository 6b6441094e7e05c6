"""The error of a user's input: one clear line."""

from advdyn.errors import InputError


class ConfigError(InputError):
    """A setting is wrong; the message names file, key, what was found and what is allowed."""


def wrong(where: str, key: str, found: object, allowed: str) -> ConfigError:
    """The one-line error every check of user input raises."""
    return ConfigError(f"{where}: {key}: found {found!r}, allowed: {allowed}")
