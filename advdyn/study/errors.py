"""The error of a user's input: one clear line."""

from advdyn.errors import InputError


class ConfigError(InputError):
    """A setting is wrong; the message names file, key, what was found and what is allowed."""


class Words(str):
    """What was found, in words; a value is shown as it is written instead."""

    __slots__ = ()


def wrong(where: str, key: str, found: object, allowed: str) -> ConfigError:
    """The one-line error every check of user input raises."""
    shown = str(found) if isinstance(found, Words) else repr(found)
    return ConfigError(f"{where}: {key}: found {shown}, allowed: {allowed}")
