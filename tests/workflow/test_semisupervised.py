"""The study semisupervised as a user runs it: exact reruns, and bad input refused before any job."""

import pytest
import xarray as xr
from checkouts import Checkout, copy_checkout

pytestmark = pytest.mark.workflow

STUDY = """\
settings:
  n_labels: 20
  n_pool: 200
  width: 8
  updates: 20
  checkpoints: 2
  n_validation: 50
  probe_eps: [0.5, 1.0]
  probe_images: 10
  probe_iterations: [1, 2]
  moons_labels: 4
  moons_pool: 40
  moons_width: 8
  moons_updates: 10
  moons_seeds: 2
  planted_updates: 3
grids:
  supervised:
    cells: {training: [supervised]}
  directions:
    cells: {training: [random, virtual], eps: [0.5, 0.7]}
seeds: {count: 2, block: 2}
"""
ONLY = """\
results: results
partial: false
studies:
  semisupervised: {}
data:
  mnist: {source: bundled}
"""
TARGET = "results/semisupervised/semisupervised.nc"
TRAINED = ("train_semisupervised", "evaluate_semisupervised", "train_semisupervised_moons", "plant_semisupervised",
           "measure_semisupervised_distances")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    checkout = copy_checkout(tmp_path_factory.mktemp("semisupervised") / "checkout")
    (checkout.folder / "config/config.yaml").write_text(ONLY)
    (checkout.folder / "config/studies/semisupervised.yaml").write_text(STUDY)
    checkout.make("--", TARGET)
    return checkout


@pytest.fixture
def study(finished):
    """The finished study; its files are put back afterwards."""
    yield finished
    (finished.folder / "config/studies/semisupervised.yaml").write_text(STUDY)


def test_the_study_is_one_data_set_over_methods_and_eps(finished: Checkout):
    found = xr.load_dataset(finished.folder / TARGET)
    assert found["error"].dims == ("training", "eps", "seed", "split", "update")
    run = found["error"].sel(split="test").notnull().all(("seed", "update"))
    assert int(run.sum()) == 1 + 4
    assert finished.planned("--", TARGET) == {}


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("probe_images: 10", "probe_images: 12", {"evaluate_semisupervised": 5}),
        ("moons_updates: 10", "moons_updates: 11", {"train_semisupervised_moons": 1}),
        ("planted_updates: 3", "planted_updates: 4", {"plant_semisupervised": 1}),
        ("[0.5, 0.7]", "[0.5, 0.7, 1.0]", {"train_semisupervised": 2, "evaluate_semisupervised": 2}),
        ("[random, virtual]", "[random, pseudo-label, virtual]",
         {"train_semisupervised": 2, "evaluate_semisupervised": 2}),
        ("count: 2", "count: 4", {"train_semisupervised": 5, "evaluate_semisupervised": 5}),
        ("updates: 20", "updates: 21", {"train_semisupervised": 5, "evaluate_semisupervised": 5}),
        ("[random, virtual]", "[virtual, random]", {}),
    ],
    ids=["an evaluation", "the moons", "the planting", "an eps", "a method", "seeds", "updates",
         "nothing: another order"],
)  # fmt: skip
def test_only_what_a_change_concerns_runs_again(study, old, new, again):
    study.edit("config/studies/semisupervised.yaml", old, new)
    planned = study.planned("--", TARGET)
    assert {name: planned[name] for name in TRAINED if planned[name]} == again


@pytest.mark.parametrize(
    ("module", "again"),
    [
        ("moons", {"train_semisupervised_moons": 1}),
        ("evaluation", {"evaluate_semisupervised": 5}),
        ("distances", {"measure_semisupervised_distances": 1, "train_semisupervised_moons": 1}),
    ],
)
def test_an_edited_module_runs_again_what_uses_it(study, module, again):
    file = study.folder / f"advdyn/semisupervised/{module}.py"
    text = file.read_text()
    file.write_text(text + "\n# edited\n")
    try:
        planned = study.planned("--", TARGET)
    finally:
        file.write_text(text)
    assert {name: planned[name] for name in TRAINED if planned[name]} == again


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n_labels: 20", "n_labels: 300", ("n_labels", "300", "at most n_pool, 200")),
        ("eps: [0.5, 0.7]", "eps: [0.0, 0.7]", ("eps", "0", "> 0")),
        ("n_labels: 20", "n_labels: 20\n  xi: 1e-6", ("xi", "1e-06", "0.001 to 0.1")),
    ],
    ids=["more labels than images", "eps 0", "xi below rounding"],
)
def test_bad_input_is_one_line_before_any_job(study, old, new, says):
    study.edit("config/studies/semisupervised.yaml", old, new)
    done = study.snakemake("--cores", "2", "--", TARGET)
    assert done.returncode != 0
    line = next(row for row in (done.stdout + done.stderr).splitlines() if "semisupervised.yaml" in row)
    assert all(part in line for part in says), line


def test_too_few_labels_for_the_classes_end_the_job_with_a_clear_line(study):
    study.edit("config/studies/semisupervised.yaml", "n_labels: 20", "n_labels: 9")
    done = study.snakemake("--cores", "2", "--", TARGET)
    assert done.returncode != 0
    assert "n_labels: found 9, allowed: at least 10, one for each class" in done.stdout + done.stderr
