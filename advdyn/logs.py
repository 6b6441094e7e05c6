"""Messages of a job: to the console's log file and, with tracebacks, to the rule's own log."""

import contextlib
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger("advdyn")


@contextlib.contextmanager
def to(path: str) -> Iterator[None]:
    """Send messages and tracebacks to the file ``path`` as well as to the console.

    Progress lines (level DEBUG) go to the file only, so that the console stays readable.
    Snakemake itself redirects nothing for ``script:`` rules.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path, mode="w")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.WARNING)
    console.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handlers = (file, console)
    for handler in handlers:
        log.addHandler(handler)
    logging.captureWarnings(True)
    captured = logging.getLogger("py.warnings")
    captured.addHandler(file)
    try:
        yield
    except SystemExit:  # its one line is logged already
        raise
    except BaseException:
        with Path(path).open("a") as text:
            text.write(traceback.format_exc())
        raise
    finally:
        captured.removeHandler(file)
        logging.captureWarnings(False)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


class Progress:
    """Log lines with the share done, the rate and the time left, at most one every ``every`` seconds."""

    def __init__(self, total: float, unit: str, every: float = 5.0) -> None:
        self.total, self.unit, self.every = total, unit, every
        self.start = self.last = time.monotonic()

    def __call__(self, done: float) -> None:
        """Say that ``done`` of the total is done."""
        now = time.monotonic()
        if now - self.last < self.every and done < self.total:
            return
        self.last = now
        rate = done / max(now - self.start, 1e-9)
        left = f"{(self.total - done) / rate:.0f} s left" if rate else "time left not known yet"
        share = 100 * done / self.total if self.total else 100.0
        log.debug("%3.0f %%  %.3g %s, %.3g %s/s, %s", share, done, self.unit, rate, self.unit, left)
