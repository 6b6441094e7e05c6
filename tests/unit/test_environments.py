"""venv, conda and the image are one environment: the same Python, the same pins, and nothing else."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from advdyn import job

ROOT = Path(__file__).resolve().parents[2]
ENVS = ROOT / "envs"
PINNED = ["requirements.txt", "constraints.txt"]


def sections(definition):
    """The header of an Apptainer definition (under ``""``) and its sections, line by line, without comments."""
    found, name = {"": []}, ""
    for line in definition.splitlines():
        text = line.strip()
        if text.startswith("%"):
            name = text[1:]
            assert name not in found, f"%{name} stands there twice"
            found[name] = []
        elif text and not text.startswith("#"):
            found[name].append(text)
    return found


def instructions(containerfile):
    """The instructions of a Containerfile, in order: (word, rest)."""
    lines = [line for line in containerfile.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.fixture(scope="module")
def image():
    return sections((ENVS / "advdyn.def").read_text())


@pytest.fixture(scope="module")
def container():
    return instructions((ENVS / "Containerfile").read_text())


def header(image):
    return dict(re.split(r":\s*", line, maxsplit=1) for line in image[""])


def variables(image):
    return dict(line.removeprefix("export ").split("=", 1) for line in image["environment"])


def test_the_image_installs_the_pins_and_nothing_else(image):
    copied = dict(line.split() for line in image["files"])
    assert list(copied) == [f"envs/{name}" for name in PINNED]
    assert all((ROOT / name).is_file() for name in copied)
    (command,) = image["post"]
    requirements, constraints = copied.values()
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "pip", "install"]
    assert [word for word in words[4:] if not word.startswith("--")] == ["-r", requirements, "-c", constraints]
    assert "--no-cache-dir" in words


def test_jobs_look_for_the_pins_where_the_image_has_them(image):
    copied = dict(line.split() for line in image["files"])
    assert list(copied.values()) == [str(job.IMAGE / name) for name in PINNED]


def test_the_recipes_of_apptainer_and_docker_are_one(image, container):
    assert [word for word, _ in container] == ["FROM", "COPY", "RUN", "ENV", "ENTRYPOINT"]
    found = dict(container)
    assert found["FROM"] == header(image)["From"]
    *copied, folder = found["COPY"].split()
    assert [f"envs/{name} {folder}{name}" for name in copied] == image["files"]
    assert [found["RUN"]] == image["post"]
    assert dict(word.split("=", 1) for word in found["ENV"].split()) == variables(image)
    assert found["ENTRYPOINT"] == '["snakemake"]'
    assert image["runscript"] == ['exec snakemake "$@"']


def test_the_settings_of_the_image_are_plain_values(image):
    assert all(line.startswith("export ") for line in image["environment"])
    assert all(re.fullmatch(r"[\w./-]+", value) for value in variables(image).values())
    assert "PYTHONPATH" not in variables(image)  # it would hide the checkout's, which the Snakefile hands to every job


def test_the_base_of_the_image_is_a_name_without_a_registry(image):
    assert header(image)["Bootstrap"] == "docker"
    assert re.fullmatch(r"python:\d+\.\d+-slim-\w+", header(image)["From"])
    for recipe in ("advdyn.def", "Containerfile"):
        assert "://" not in (ENVS / recipe).read_text()


def test_the_labels_hold_no_date_and_no_version(image):
    assert image["labels"]
    assert not re.search(r"\d", "".join(image["labels"]).replace("org.opencontainers.image", ""))


def test_every_environment_has_the_same_python(image):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    conda = YAML(typ="safe").load((ENVS / "environment.yaml").read_text())["dependencies"]
    base = re.match(r"python:([\d.]+)-", header(image)["From"]).group(1)
    major, minor = re.search(r"sys\.version_info >= \((\d+), (\d+)\)", (ROOT / "Makefile").read_text()).groups()
    assert {
        "image": base,
        "conda": next(d for d in conda if isinstance(d, str) and d.startswith("python=")).removeprefix("python="),
        "pyproject": project["project"]["requires-python"].removeprefix(">="),
        "mypy": project["tool"]["mypy"]["python_version"],
        "ruff": re.sub(r"py(\d)", r"\1.", project["tool"]["ruff"]["target-version"]),
        "Makefile": f"{major}.{minor}",
    } == dict.fromkeys(("image", "conda", "pyproject", "mypy", "ruff", "Makefile"), base)


def test_conda_brings_python_and_pip_and_nothing_else_of_its_own():
    environment = YAML(typ="safe").load((ENVS / "environment.yaml").read_text())
    own = [d for d in environment["dependencies"] if isinstance(d, str)]
    assert [d.split("=")[0] for d in own] == ["python", "pip"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_jobs_run_in_the_image_that_the_recipe_makes():
    snakefile = (ROOT / "Snakefile").read_text()
    (named,) = re.findall(r'^container:\s+"([^"]+)"', snakefile, re.M)
    recipe = (ENVS / "advdyn.def").read_text()
    assert f"apptainer build {named} envs/advdyn.def" in recipe
    # a global container is that of the rules read after it
    assert snakefile.index("\ncontainer:") < snakefile.index('include: "workflow/rules/data.smk"')


def test_an_image_is_never_tracked():
    assert "envs/*.sif" in {line.lstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
