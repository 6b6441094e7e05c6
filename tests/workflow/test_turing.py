"""The study turing as a user runs it: several data sets, lanes with and without the adversary, and exact reruns."""

import shutil

import numpy as np
import pytest
import xarray as xr
from checkouts import Checkout, copy_checkout

pytestmark = pytest.mark.workflow

STUDY = """\
settings:
  n: 10
  width: 12
  duration: 2.0
  times: [0.0, 0.5, 1.0, 1.5, 2.0]
  critic_width: 8
  filters: 2
  spectrum_size: 100
  embedding_seeds: 1
  embedded_neurons: 8
grids:
  nets:
    cells: {dataset: [mnist, gaussian], net: [theory, full]}
    lanes: {adversary: [without, with]}
  penalties:
    cells: {dataset: [mnist], net: [theory]}
    lanes: {adversary: [with], penalty: [0.1]}
  scaled:
    cells: {dataset: [mnist], net: [theory], control: [label-scaled]}
    lanes: {adversary: [with]}
seeds: {count: 2, block: 1}
"""
CONFIG = """\
results: results
partial: false
studies:
  turing: {}
data:
  mnist: {source: bundled}
  gaussian: {source: gaussian, dimension: 25, n_train: 20, n_validation: 5, n_test: 5}
"""
TARGET = "results/turing/turing.nc"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny study, collected; tests take copies of it."""
    checkout = copy_checkout(tmp_path_factory.mktemp("turing") / "checkout")
    (checkout.folder / "config/config.yaml").write_text(CONFIG)
    (checkout.folder / "config/studies/turing.yaml").write_text(STUDY)
    checkout.make("--", TARGET)
    return checkout.folder


@pytest.fixture
def study(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")


def test_a_run_is_a_point_of_the_grid_and_nothing_else_is_stored(trained):
    found = xr.load_dataset(trained / TARGET)
    names = ("dataset", "net", "adversary", "sign", "width", "n", "eta", "penalty", "control")
    assert all(found[name].dims == ("run",) for name in names)
    assert found.sizes["seed"] == 2
    assert found.sizes["run"] == 2 * 2 * 2 + 1 + 1
    assert found["error"].notnull().any(["seed", "time"]).all()
    chosen = found.set_index(run=names).sel(dataset="mnist", net="theory", control="none", adversary="with")
    assert set(chosen["penalty"].values) == {0.1, 10.0}
    assert found["du"].sizes["neuron"] == 12
    assert np.isfinite(found["dv"].where(found["net"] == "full", drop=True)).all()


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("embedding_seeds: 1", "embedding_seeds: 2", {"illustrate_turing": 1}),
        ("spectrum_size: 100", "spectrum_size: 10", {"diagnose_turing": 10}),
        ("penalty: [0.1]", "penalty: [0.1, 0.5]", {"train_turing": 2, "bound_turing": 2, "diagnose_turing": 2}),
        ("count: 2", "count: 3", {"train_turing": 5, "bound_turing": 5, "diagnose_turing": 5}),
        ("[mnist, gaussian]", "[gaussian, mnist]", {}),
    ],
    ids=["an embedding", "a diagnostic", "a lane", "a seed", "nothing: another order"],
)
def test_only_what_a_change_concerns_runs_again(study, old, new, again):
    study.edit("config/studies/turing.yaml", old, new)
    planned = study.planned("--", TARGET)
    names = ["train_turing", "bound_turing", "diagnose_turing"]
    if "train_turing" not in again:  # else its pictures are of what is trained anew
        names.append("illustrate_turing")
    assert {name: planned[name] for name in names if planned[name]} == again


def test_a_changed_data_set_reruns_the_jobs_that_use_it(study):
    study.edit("config/config.yaml", "n_train: 20", "n_train: 15")
    planned = study.planned("--", TARGET)
    assert planned["sample_gaussian"] == 1
    assert planned["train_turing"] == 4
    assert planned["import_bundled"] == 0


def test_an_edit_of_the_bounds_retrains_nothing(study):
    module = study.folder / "advdyn/turing/bounds.py"
    module.write_text(module.read_text() + "\n# an edit\n")
    planned = study.planned("--", TARGET)
    assert planned["bound_turing"] == 10
    assert planned["train_turing"] == planned["diagnose_turing"] == planned["illustrate_turing"] == 0


def test_more_examples_than_the_data_have_is_one_clear_line(study):
    study.edit("config/studies/turing.yaml", "n: 10\n", "n: 30\n")
    done = study.snakemake("--cores", "1", "--", TARGET)
    assert done.returncode != 0
    assert "n: found 30, allowed: at most 20" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
