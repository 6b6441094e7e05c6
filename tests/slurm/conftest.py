"""Runs on a real Slurm, brought up for these tests and ended after them."""

from collections.abc import Iterator
from pathlib import Path

import lab as slurm
import pytest
from checkouts import tiny_checkout
from clusters import Cluster


@pytest.fixture(scope="session")
def lab() -> Iterator[None]:
    """A cluster on this machine."""
    if slurm.missing():
        pytest.skip(f"no Slurm: {slurm.missing()}")
    try:
        slurm.up()
    except RuntimeError as error:  # a machine on which its daemons cannot run
        pytest.skip(f"no Slurm: {error}")
    yield
    slurm.down()


@pytest.fixture(autouse=True)
def nothing_left(lab: None) -> Iterator[None]:
    """A test leaves no job behind; those of a failed test are cancelled."""
    yield
    slurm.empty_queue()


@pytest.fixture
def tiny(tmp_path: Path) -> Cluster:
    """The tiny mixture study, to be changed and submitted."""
    return Cluster(tiny_checkout(tmp_path / "checkout").folder)
