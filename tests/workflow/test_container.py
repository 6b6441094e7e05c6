"""Jobs in the image of envs/advdyn.def, with a stand-in for apptainer that runs what it is given on this machine."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from checkouts import Checkout, tiny_checkout

pytestmark = pytest.mark.workflow

IMAGE, DATA = "envs/advdyn.sif", "results/data/mixture.nc"
STAND_IN = """\
#!{python}
import json, os, sys

options = sys.argv[1:]
if options == ["--version"]:
    sys.exit(print("apptainer version 1.3.4"))
with open({calls!r}, "a") as file:
    file.write(json.dumps(options) + "\\n")
options = options[options.index("exec") + 1 :]
while options[0].startswith("-"):  # the options of exec: with a value in a word of its own, or without
    option = options.pop(0)
    if option in ("--home", "--bind", "--pwd"):
        value = options.pop(0)
        os.environ.update({{"HOME": value}} if option == "--home" else {{}})
image, *command = options
if not os.path.exists(image):
    sys.exit("FATAL: could not open image " + os.path.abspath(image))
os.execvp(command[0], command)
"""


class Apptainer:
    """A folder with a stand-in for apptainer, and the calls that it was given."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.log = folder, folder / "calls.jsonl"
        program = folder / "apptainer"
        program.write_text(STAND_IN.format(python=sys.executable, calls=str(self.log)))
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def apptainer(tmp_path_factory):
    """The stand-in, first on the path; the image has the python of the tests."""
    stand_in = Apptainer(tmp_path_factory.mktemp("bin") / "apptainer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PATH", os.pathsep.join((str(stand_in.folder), str(Path(sys.executable).parent), os.environ["PATH"]))
        )
        yield stand_in


@pytest.fixture(scope="module")
def in_image(apptainer, tmp_path_factory):
    """A checkout with an image, in which one job has run."""
    checkout = tiny_checkout(tmp_path_factory.mktemp("image") / "checkout")
    (checkout.folder / IMAGE).touch()
    checkout.make("--sdm", "apptainer", "--apptainer-args=--nv --bind /mnt", "--", DATA)
    return checkout


@pytest.fixture
def copied(in_image, tmp_path):
    shutil.copytree(in_image.folder, tmp_path / "checkout")
    return Checkout(tmp_path / "checkout")


def test_a_job_runs_in_the_image(in_image, apptainer):
    assert (in_image.folder / DATA).is_file()
    (call,) = apptainer.calls
    image = call.index(IMAGE)
    assert call[image + 1 : image + 3] == ["bash", "-c"]
    assert ".snakemake/scripts/" in call[image + 3]  # python of the image, on the rule's script
    assert "python " in call[image + 3]
    assert sys.executable not in call[image + 3]
    assert call[call.index("--home") + 1] == str(in_image.folder)
    assert "--nv" in call[:image]
    assert "/mnt" in call[:image]


def test_a_second_run_in_the_image_has_nothing_to_do(in_image):
    assert not in_image.planned("--sdm", "apptainer", "--", DATA)
    assert not in_image.planned("--sdm", "apptainer", "--apptainer-args=--nv", "--", DATA)


def test_an_image_that_was_built_again_reruns_nothing(copied):
    (copied.folder / IMAGE).write_text("built again")
    assert not copied.planned("--sdm", "apptainer", "--", DATA)


def test_what_the_image_made_is_made_again_outside_of_it_unless_the_environment_is_not_asked(in_image):
    assert in_image.planned("--", DATA) == {"sample_mixture": 1}
    assert not in_image.planned("--rerun-triggers", "mtime", "params", "input", "--", DATA)


def test_without_its_image_a_run_stops_before_any_job(copied, apptainer):
    (copied.folder / IMAGE).unlink()
    before, calls = copied.digests(), len(apptainer.calls)
    done = copied.snakemake("--cores", "2", "--sdm", "apptainer", "--forceall", "--", DATA)
    assert done.returncode != 0
    assert f"apptainer build {IMAGE} envs/advdyn.def" in done.stdout + done.stderr
    assert copied.digests() == before  # a job that fails in apptainer would have deleted its output first
    assert len(apptainer.calls) == calls
