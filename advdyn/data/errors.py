"""The error of data that cannot be used."""


class DataError(Exception):
    """Data that cannot be used: one line that names the file, what was found and what is allowed."""
