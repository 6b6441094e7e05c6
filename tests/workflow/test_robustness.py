"""The study robustness as a user runs it: a new attack never retrains, and a network of one's own is a model like any."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from checkouts import ROOT, Checkout, copy_checkout

pytestmark = pytest.mark.workflow

STUDY = """\
settings:
  n_train: 200
  epochs: 1
  n_test: 40
  iterated_seeds: 1
  linearity_images: 10
  minimum_images: 5
  fooling_starts: 1
  attacks:
    fgsm: {}
    pgd: {initialisation: uniform, steps: 2, step: 0.5}
  eps_linf: [0.0, 0.1, 0.2]
  eps_l2: [0.0, 1.0]
  surrogate: softmax
  surrogate_epochs: 1
  scaled_models: [softmax]
  resolutions: [7]
  scaled_seeds: 1
cells:
  model: [softmax, mlp-8]
  training: [standard, fgsm]
lanes:
  eps_train: [0.0, 0.1]
seeds: {count: 2, block: 1}
"""
CONFIG = "results: results\npartial: false\nstudies:\n  robustness: {}\ndata:\n  mnist: {source: bundled}\n"
TARGET = "results/robustness/robustness.nc"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny study, collected; tests take copies of it."""
    checkout = copy_checkout(tmp_path_factory.mktemp("robustness") / "checkout")
    (checkout.folder / "config/config.yaml").write_text(CONFIG)
    (checkout.folder / "config/studies/robustness.yaml").write_text(STUDY)
    checkout.make("--", TARGET)
    return checkout.folder


@pytest.fixture
def study(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")


def test_standard_training_runs_once_whatever_eps_train_is_swept(trained):
    files = {str(p.relative_to(trained / "results/robustness/training")) for p in trained.rglob("training/**/*.nc")}
    assert len(files) == 8
    found = xr.load_dataset(trained / TARGET)
    assert {"model", "training", "eps_train", "n_train", "seed", "attack", "eps", "clip"} <= set(found["error"].dims)
    clean = found["clean_error"].isel(n_train=0)
    assert clean.sel(training="standard", eps_train=0.0).notnull().all()
    assert clean.sel(training="standard", eps_train=0.1).isnull().all()
    assert clean.sel(training="fgsm", eps_train=0.1).notnull().all()


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("    fgsm: {}\n", "    fgsm: {}\n    bim: {steps: 2}\n", {"attack_robustness": 8}),
        ("eps_l2: [0.0, 1.0]", "eps_l2: [0.0, 0.5, 1.0]", {"attack_robustness": 8}),
        ("[softmax, mlp-8]", "[softmax, mlp-8, mlp-4]", {"train_robustness": 4, "attack_robustness": 4}),
        ("count: 2", "count: 3", {"train_robustness": 4, "attack_robustness": 4}),
        ("resolutions: [7]", "resolutions: [14]", {"scale_robustness": 1}),
        ("[0.0, 0.1]\nseeds", "[0.1]\nseeds", {}),
    ],
    ids=["an attack", "an eps", "a model", "a seed", "a resolution", "nothing: standard stands at 0 in any case"],
)
def test_only_what_a_change_concerns_runs_again(study, old, new, again):
    study.edit("config/studies/robustness.yaml", old, new)
    planned = study.planned("--", TARGET)
    names = ("train_robustness", "attack_robustness", "scale_robustness")
    assert {name: planned[name] for name in names if planned[name]} == again


def test_an_edit_of_the_attacks_retrains_only_what_is_trained_with_them(study):
    masking = study.folder / "advdyn/attacks/masking.py"
    masking.write_text(masking.read_text() + "\n# an edit\n")
    planned = study.planned("--", TARGET)
    assert planned["attack_robustness"] == 8
    assert planned["train_robustness"] == planned["scale_robustness"] == 0


def test_weights_of_another_training_are_refused(study):
    folder = study.folder / "results/robustness/training/model~softmax/training~standard"
    shutil.copy(folder / "seeds~0-0.safetensors", folder / "seeds~1-1.safetensors")
    done = study.snakemake("--cores", "1", "--", TARGET)
    assert done.returncode != 0
    assert "seeds~1-1.safetensors: made by training" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


QUICK = """\
studies:
  robustness:
    settings:
      n_train: 200
      epochs: 1
      least_updates: 4
      n_test: 20
      iterated_seeds: 1
      linearity_images: 10
      minimum_images: 5
      surrogate_epochs: 1
      scaled_seeds: 1
"""
OWN = ("--configfile", "docs/examples/own.yaml", "quick.yaml")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The worked example of docs/own-network.md, run as it says on fewer images."""
    checkout = copy_checkout(tmp_path_factory.mktemp("own") / "checkout")
    shutil.copytree(ROOT / "docs/examples", checkout.folder / "docs/examples")
    subprocess.run([sys.executable, "docs/examples/colours.py"], cwd=checkout.folder, check=True)
    (checkout.folder / "quick.yaml").write_text(QUICK)
    checkout.make(*OWN)
    return checkout


def test_a_network_and_images_of_ones_own_are_a_study_like_any(own):
    (found,) = own.folder.glob("results*/robustness/robustness.nc")
    study = xr.load_dataset(found)
    assert "residual" in study["model"].values
    error = study["error"].sel(model="residual", training="standard", eps_train=0.0, attack="fgsm", clip=True)
    assert np.isfinite(error.isel(n_train=0, seed=0).dropna("eps")).all()
    assert list(own.folder.glob("results*/robustness/figures/curves.png"))
    assert list(own.folder.glob("results*/claims.csv"))
    (results,) = own.folder.glob("results*")
    assert {p.name for p in results.iterdir() if p.is_dir()} == {"robustness", "data"}  # no other study comes along


def test_an_edit_of_ones_own_network_reruns_what_depends_on_it_and_nothing_else(own):
    assert not own.planned(*OWN)
    file = own.folder / "docs/examples/residual.py"
    before = file.read_text()
    file.write_text(before + "\n# an edit\n")
    planned = own.planned(*OWN)
    file.write_text(before)
    (results,) = own.folder.glob("results*/robustness")
    networks = len(list(results.glob("training/**/*.nc")))
    residual = len(list(results.glob("training/model~residual/**/*.nc")))
    assert 0 < planned["train_robustness"] == planned["attack_robustness"] == residual < networks
    assert planned["scale_robustness"] == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("softmax, mlp-8", "softmax, mpl-8", "robustness.yaml:20: cells.model: found 'mpl-8', allowed: softmax, mlp-<width>"),
        ("training: [standard, fgsm]", "training: [standard, fgms]", "cells.training: found 'fgms', allowed: one of standard, fgsm"),
        ("fgsm: {}", "fgsm: {norm: l3}", "robustness.yaml:10: settings.attacks.fgsm.norm: found 'l3', allowed: linf, l2"),
        ("fgsm: {}", "fgsm: {stps: 3}", "settings.attacks.fgsm.stps: unknown, allowed: objective, norm"),
        ("eps_linf: [0.0, 0.1, 0.2]", "eps_linf: [-0.1, 0.2]", "settings.eps_linf: found [-0.1, 0.2], allowed: increasing values that begin with 0"),
        ("settings:\n", "settings:\n  modules: {mine: nowhere.py}\n", "settings.modules.mine: found 'nowhere.py', allowed: an existing Python file"),
        ("settings:\n", "settings:\n  compared: [sofmax]\n", "settings.compared: found 'sofmax', allowed: softmax, mlp-<width>"),
        ("settings:\n", "settings:\n  transfer_attack: {norm: l2}\n", "settings.transfer_attack: found objective loss, norm l2, allowed: an untargeted"),
        ("settings:\n", "settings:\n  modules: {softmax: Snakefile}\n", "settings.modules.softmax: found the name of a built-in network"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_study_is_one_line(tmp_path, old, new, says):
    checkout = copy_checkout(tmp_path / "checkout")
    (checkout.folder / "config/config.yaml").write_text(CONFIG)
    assert STUDY.count(old) == 1
    (checkout.folder / "config/studies/robustness.yaml").write_text(STUDY.replace(old, new))
    done = checkout.snakemake("-n", "--cores", "1")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert says in text, text[-500:]
    assert "Traceback" not in text
