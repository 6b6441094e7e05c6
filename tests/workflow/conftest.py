"""Real snakemake runs on copies of the checkout."""

import shutil
from pathlib import Path

import pytest
from checkouts import Checkout, tiny_checkout


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study, run to its end; tests take copies of it."""
    checkout = tiny_checkout(tmp_path_factory.mktemp("tiny") / "checkout")
    checkout.make()
    return checkout.folder


@pytest.fixture
def finished(run_once: Path, tmp_path: Path) -> Checkout:
    """A finished run of the tiny study, with Snakemake's memory of it, to be changed."""
    shutil.copytree(run_once, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")
