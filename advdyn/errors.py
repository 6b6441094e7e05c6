"""Errors that are the user's to mend: they are said in one line, without a traceback."""


class InputError(Exception):
    """What was given cannot be used; the message names it, what was found, and what is allowed or helps."""


class DeviceError(InputError, RuntimeError):
    """A device was asked for by name that is not there."""
