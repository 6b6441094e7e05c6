"""Random streams: one numpy SeedSequence per study and seed, with a child for each purpose.

A stream depends on (root, study, seed, purpose) only: never on the cell, on the block the seed was
put in, or on its place there. Cells therefore share their random numbers, which pairs comparisons.
"""

import zlib

import numpy as np

PURPOSES = ("data", "initialisation", "training", "attack", "evaluation")


def sequence(root: int, study: str, seed: int, purpose: str) -> np.random.SeedSequence:
    """The SeedSequence of one purpose of one seed of a study.

    Raises
    ------
    ValueError
        When ``purpose`` is none of PURPOSES.
    """
    return np.random.SeedSequence(root, spawn_key=(zlib.crc32(study.encode()), seed, PURPOSES.index(purpose)))


def generator(root: int, study: str, seed: int, purpose: str) -> np.random.Generator:
    """A numpy generator on the stream; SFC64 is the fastest of numpy's for float64 normals."""
    return np.random.Generator(np.random.SFC64(sequence(root, study, seed, purpose)))


def integer(root: int, study: str, seed: int, purpose: str) -> int:
    """A 63-bit integer from the stream, to seed a generator that is not numpy's.

    torch's CPU generator keeps 32 bits of it: among 256 seeds two would coincide with probability 1e-5.
    """
    return int(sequence(root, study, seed, purpose).generate_state(1, np.uint64)[0] >> np.uint64(1))
