"""The studies generation and degeneration as a user runs them: exact reruns, and a source that nothing overwrites."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import xarray as xr
from checkouts import Checkout, copy_checkout

pytestmark = pytest.mark.workflow

DEGENERATION = """\
settings:
  n_train: 64
  width: 8
  d_width: 8
  latent: 4
  batch: 16
  epochs: 2
  passes: [1, 2]
  chain_passes: [1, 2]
  shown: 6
  fit_pairs: 64
  pairs: [32, 64]
  heldout: 30
  decoder_width: 4
  decoder_epochs: 1
  fresh_epochs: 1
  classifier_epochs: 2
  reference_draws: 2
  line_steps: 20
grids:
  degenerator:
    lanes: {sigma: [0.0, 0.5]}
  generator:
    cells: {kind: [generator, chain]}
seeds: {count: 2, block: 2}
"""
GENERATION = """\
settings:
  n_train: 64
  width: 8
  d_width: 8
  latent: 4
  batch: 16
  epochs: 2
  kept: [0, 2]
  shown: 4
  samples: 30
  judge_images: 60
  judge_epochs: 2
  fresh_epochs: 1
  reference_draws: 2
cells: {loss: [non-saturating, minimax]}
seeds: {count: 2, block: 2}
"""
CONFIG = """\
results: results
partial: false
studies:
  generation: {}
  degeneration: {}
data:
  mnist: {source: bundled}
"""
TARGETS = ("results/generation/generation.nc", "results/degeneration/degeneration.nc")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two tiny studies, collected; tests take copies of them."""
    checkout = copy_checkout(tmp_path_factory.mktemp("degeneration") / "checkout")
    (checkout.folder / "config/config.yaml").write_text(CONFIG)
    (checkout.folder / "config/studies/degeneration.yaml").write_text(DEGENERATION)
    (checkout.folder / "config/studies/generation.yaml").write_text(GENERATION)
    checkout.make("--", *TARGETS)
    return checkout.folder


@pytest.fixture
def study(made, tmp_path):
    shutil.copytree(made, tmp_path / "checkout", symlinks=True)
    shutil.rmtree(tmp_path / "checkout/results/degeneration/sandbox")  # of another run, and refused as such
    return Checkout(tmp_path / "checkout")


def test_both_studies_end_in_one_data_set_each(made):
    gan, dan = (xr.load_dataset(made / target) for target in TARGETS)
    assert list(gan["loss"].values) == ["non-saturating", "minimax"]
    assert gan["frechet"].dims == ("loss", "seed", "kept")
    assert dan.sizes["run"] == 4
    assert sorted(zip(dan["kind"].values, dan["sigma"].values, strict=True)) == [
        ("chain", 0.5), ("degenerator", 0.0), ("degenerator", 0.5), ("generator", 0.0)
    ]  # fmt: skip
    assert int(dan["source_unchanged"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("fresh_epochs: 1", "fresh_epochs: 2", {"measure_degeneration": 3, "measure_degeneration_references": 1}),
        ("decoder_width: 4", "decoder_width: 5", {"measure_degeneration": 3, "measure_degeneration_references": 1}),
        ("line_steps: 20", "line_steps: 21", {"train_degeneration_line": 1}),
        ("[0.0, 0.5]", "[0.0, 0.5, 1.0]", {"train_degeneration": 1, "measure_degeneration": 1}),
        ("count: 2", "count: 4", {"train_degeneration": 3, "measure_degeneration": 3}),
        ("[generator, chain]", "[chain, generator]", {}),
    ],
    ids=["an evaluation", "a decoder", "the line", "a lane", "a seed", "nothing: another order"],
)
def test_only_what_a_change_concerns_runs_again(study, old, new, again):
    study.edit("config/studies/degeneration.yaml", old, new)
    planned = study.planned("--", TARGETS[1])
    names = ("train_degeneration", "measure_degeneration", "measure_degeneration_references", "train_degeneration_line",
             "train_degeneration_classifier", "draw_degeneration", "linearise_degeneration")  # fmt: skip
    assert {name: planned[name] for name in names if planned[name]} == again


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("reference_draws: 2", "reference_draws: 3", {"evaluate_generation_references": 1}),
        ("fresh_epochs: 1", "fresh_epochs: 2", {"evaluate_generation": 2, "evaluate_generation_references": 1}),
        (
            "judge_epochs: 2", "judge_epochs: 3",
            {"train_generation_judge": 1, "evaluate_generation": 2, "evaluate_generation_references": 1},
        ),
        ("[non-saturating, minimax]", "[non-saturating]", {}),
    ],
    ids=["a reference", "an evaluation", "the judge", "nothing: one value less"],
)  # fmt: skip
def test_a_judge_or_an_evaluation_retrains_nothing(study, old, new, again):
    study.edit("config/studies/generation.yaml", old, new)
    planned = study.planned("--", TARGETS[0])
    names = ("train_generation", "train_generation_judge", "evaluate_generation", "evaluate_generation_references")
    assert {name: planned[name] for name in names if planned[name]} == again


def test_weights_are_the_same_bytes_with_another_evaluation(study):
    """Adding or removing an evaluation leaves training untouched, to the last bit."""
    weights = sorted(study.folder.glob("results/*eneration/training/**/*.safetensors"))
    before = {p: hashlib.sha256(tensors(p)).hexdigest() for p in weights}
    assert len(before) == 2 + 3
    study.edit("config/studies/degeneration.yaml", "passes: [1, 2]\n  chain", "passes: [2]\n  chain")
    study.edit("config/studies/degeneration.yaml", "chain_passes: [1, 2]", "chain_passes: [2]")
    study.make("--", TARGETS[1])
    after = {p: hashlib.sha256(tensors(p)).hexdigest() for p in weights}
    assert before == after


def tensors(file):
    """The tensors of a safetensors file, without its header (which names the training)."""
    data = file.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_killing_the_overwrite_changes_nothing_outside_the_sandbox_and_it_can_run_again(study):
    folder = study.folder / "results/degeneration"
    outside = {n: d for n, d in study.digests().items() if "/sandbox/" not in n and not n.endswith("/overwrite.nc")}
    (folder / "overwrite.nc").unlink()
    environment = {**os.environ, "PYTHONPATH": ""}
    asked = [sys.executable, "-m", "snakemake", "--cores", "1", "--", "results/degeneration/overwrite.nc"]
    started = subprocess.Popen(
        asked, cwd=study.folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    began = time.monotonic()
    while time.monotonic() - began < 600 and started.poll() is None:
        if any(folder.glob("sandbox/*/.advdyn-*")):  # the copy stands, and is about to be overwritten
            break
        time.sleep(0.001)
    under_way = started.poll() is None
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert under_way
    assert not (folder / "overwrite.nc").exists()
    found = study.digests()
    assert {name: found[name] for name in outside} == outside
    study.snakemake("--unlock")
    study.make("--", *TARGETS)
    assert int(xr.load_dataset(study.folder / TARGETS[1])["source_unchanged"]) == 1
    now = study.digests()
    source = [name for name in outside if "/degeneration/source/" in name]
    assert len(source) == 2
    assert {name: now[name] for name in source} == {name: outside[name] for name in source}


def test_a_sandbox_of_another_run_is_refused_with_what_to_do(made, tmp_path):
    shutil.copytree(made, tmp_path / "checkout", symlinks=True)
    copied = Checkout(tmp_path / "checkout")
    (copied.folder / "results/degeneration/overwrite.nc").unlink()
    done = copied.snakemake("--cores", "1", "--", "results/degeneration/overwrite.nc")
    assert done.returncode != 0
    assert "a sandbox of another run" in done.stderr + done.stdout
    assert "remove that folder" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_no_overwriting_is_a_setting(study):
    study.edit("config/studies/degeneration.yaml", "line_steps: 20", "line_steps: 20\n  overwrite: none")
    study.make("--", "results/degeneration/overwrite.nc")
    assert not (study.folder / "results/degeneration/sandbox").exists()
    found = xr.load_dataset(study.folder / "results/degeneration/overwrite.nc")
    assert (found["copies"].item(), found["overwritten_by"].item()) == (0, "nothing")
    assert (found["bytes_overwritten"] == 0).all()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n_train: 64", "n_train: 6400", "n_train: found 6400, allowed: 1 to 3500"),
        ("heldout: 30", "heldout: 3000", "heldout: found 3000, allowed: at most 1000"),
        ("line_steps: 20", "line_steps: 20\n  overwrite: disk", "overwrite: found 'disk', allowed: one of none, sandbox, chain"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_line(study, old, new, says):
    study.edit("config/studies/degeneration.yaml", old, new)
    done = study.snakemake("--cores", "1", "--", "results/degeneration/training/kind~degenerator/seeds~0-1.nc")
    assert done.returncode != 0
    assert says in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
