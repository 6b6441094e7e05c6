"""What every job does around its science: its own log, and a check that its code is the checkout's."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import advdyn
from advdyn import logs, provenance
from advdyn.errors import InputError

IMAGE = Path("/opt/advdyn")
"""Where an image (envs/advdyn.def) holds the pins it was built from; nowhere else is there such a folder."""


@contextlib.contextmanager
def of(snakemake: Any) -> Iterator[dict[str, Any]]:
    """Log to the rule's log file, check the code, and yield the job's parameters.

    An error that is the user's to mend (``advdyn.errors.InputError``) ends the job with its one line.

    Raises
    ------
    RuntimeError
        When the advdyn imported here lies outside the checkout whose files the rule names as its code.
    SystemExit
        After an InputError, in an image that was built from other pins than the checkout's, and when the code changed
        while the job ran: its result would be of the code that was imported, and claim to be of the other.
    """
    with logs.to(snakemake.log[0]):
        imported = Path(advdyn.__file__).resolve().parent
        tracked = [Path(file).resolve() for file in snakemake.input.code]
        if not any(file.is_relative_to(imported) for file in tracked):
            raise RuntimeError(
                f"advdyn was imported from {imported}, outside this checkout ({tracked[0].parent.parent}); "
                "remove that installation, or run in the environment of envs/"
            )
        before = provenance.code_digest(snakemake.input.code)
        try:
            stop_in_other_image(tracked)
            yield snakemake.params.point
            if provenance.code_digest(snakemake.input.code) != before:
                raise InputError("the code of this rule changed while the job ran: run again")
        except InputError as error:
            logs.log.error("%s", error)
            raise SystemExit(1) from None


def stop_in_other_image(tracked: list[Path]) -> None:
    """Raise an InputError in an image whose pins are not those beside the pins that a rule names as its code."""
    for pins in (file for file in tracked if file.name == "requirements.txt"):
        for name in ("requirements.txt", "constraints.txt"):
            built = IMAGE / name
            if built.exists() and built.read_bytes() != (pins.parent / name).read_bytes():
                raise InputError(f"the image was built from another {pins.parent / name}: build it again")
