"""What a job does around its science."""

from types import SimpleNamespace

import pytest
from checkouts import ROOT

from advdyn import job


@pytest.fixture
def snakemake(tmp_path):
    """What Snakemake hands to a rule's script, as far as it matters here."""
    code = [str(ROOT / "envs" / "requirements.txt"), str(ROOT / "advdyn" / "job.py")]
    return SimpleNamespace(
        log=[str(tmp_path / "job.log")], input=SimpleNamespace(code=code), params=SimpleNamespace(point={"a": 1})
    )


@pytest.fixture
def image(tmp_path, monkeypatch):
    """The pins in an image, those of this checkout."""
    folder = tmp_path / "image"
    folder.mkdir()
    for name in ("requirements.txt", "constraints.txt"):
        (folder / name).write_bytes((ROOT / "envs" / name).read_bytes())
    monkeypatch.setattr(job, "IMAGE", folder)
    return folder


def test_a_job_runs_in_an_image_of_its_pins(snakemake, image):
    with job.of(snakemake) as point:
        assert point == {"a": 1}


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_a_job_ends_with_one_line_in_an_image_of_other_pins(snakemake, image, tmp_path, name):
    (image / name).write_text("torch==1.0\n")
    with pytest.raises(SystemExit), job.of(snakemake):
        pytest.fail("the job ran")
    (line,) = (tmp_path / "job.log").read_text().splitlines()
    assert f"the image was built from another {ROOT / 'envs' / name}: build it again" in line
