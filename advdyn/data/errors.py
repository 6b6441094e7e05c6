"""The error of data that cannot be used."""

from advdyn.errors import InputError


class DataError(InputError):
    """Data that cannot be used: one line that names the file, what was found and what is allowed."""
