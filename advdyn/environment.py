"""The environment that every job inherits: code from this checkout, arithmetic that repeats to the last bit."""

import os

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# MKL, torch's library on the CPU, sums in an order that depends on where in memory an array happens to lie, unless it
# is told not to ("conditional numerical reproducibility"); it is no slower so.
ARITHMETIC = {**dict.fromkeys(THREADS, "1"), "MKL_CBWR": "AUTO,STRICT"}


def prepare(checkout: str) -> None:
    """Set the environment of this process and of the jobs it starts.

    advdyn is not installed: jobs find it through PYTHONPATH, the checkout first whatever else is there. One
    thread to a job: jobs run side by side, two threads collapse on a busy machine, and the order in which
    threads add numbers would reach the bytes of the results.
    """
    paths = [checkout, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    os.environ.update(ARITHMETIC)
