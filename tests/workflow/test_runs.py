"""What a user meets: whole runs, failures, mistakes, leftovers."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
from checkouts import ROOT, copy_checkout, tiny_checkout

from advdyn.study import run

pytestmark = pytest.mark.workflow
STUDIES = ("mixture", "logistic", "robustness", "turing", "generation", "degeneration", "semisupervised")


def command(checkout, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=checkout.folder, capture_output=True, text=True, timeout=600, check=False
    )


DRAWN = ("logistic", "semisupervised")  # studies whose figures are drawn twice; the others' take minutes


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke configuration, the whole graph, run on two cores."""
    checkout = copy_checkout(tmp_path_factory.mktemp("smoke") / "checkout")
    checkout.make("--configfile", "config/smoke.yaml", "--cores", "2")
    return checkout


@pytest.fixture(scope="module")
def again(smoke, tmp_path_factory):
    """All data sets and the ledger of that run, and some of its figures, on one core."""
    checkout = copy_checkout(tmp_path_factory.mktemp("smoke") / "checkout")
    # bytes of the operating system are drawn once, and are an input like any other
    shutil.copytree(smoke.folder / "resources", checkout.folder / "resources")
    drawn = [name for name in smoke.digests("results-smoke") if name.split("/")[1] in DRAWN and "/figures/" in name]
    data = [f"results-smoke/{study}/{study}.nc" for study in STUDIES]
    checkout.make("--configfile", "config/smoke.yaml", "--cores", "1", "--", *data, *drawn, "results-smoke/claims.csv")
    return checkout


def test_the_same_study_gives_the_same_bytes_on_any_number_of_cores(smoke, again):
    one, two = again.digests("results-smoke"), smoke.digests("results-smoke")
    sandbox = {name for name in one if name.startswith("results-smoke/degeneration/sandbox/")}  # its token is random
    assert sandbox == {name for name in two if name.startswith("results-smoke/degeneration/sandbox/")} != set()
    undrawn = {name for name in two if "/figures/" in name and name.split("/")[1] not in DRAWN}
    tables = {"results-smoke/mixture/tables/agreement.csv", "results-smoke/degeneration/tables/table1.csv"}
    assert set(two) - set(one) <= undrawn | tables | {
        "results-smoke/data/mixture.nc",
        "results-smoke/report.html",
    }  # not asked for again
    assert set(one) <= set(two)
    assert [name for name in one if one[name] != two[name] and name not in sandbox] == []
    suffixes = {name.rsplit(".", 1)[-1] for name in one}
    assert {"nc", "csv", "pdf", "svg", "png", "html", "safetensors"} <= suffixes


def test_a_whole_run_leaves_data_figures_ledger_and_report(smoke):
    checkout = smoke
    results = checkout.folder / "results-smoke"
    ledger = pd.read_csv(results / "claims.csv")
    assert set(ledger["study"]) == set(STUDIES)
    study = xr.load_dataset(results / "mixture" / "mixture.nc")
    assert {"prior", "eps_train", "simulator", "seed", "alpha", "order", "eps"} <= set(study.dims)
    for name in STUDIES:
        attributes = xr.load_dataset(results / name / f"{name}.nc").attrs
        assert {"device", "dtype", "parameters", "code", "versions"} <= set(attributes)
        assert attributes["device"] == "cpu"
    assert study["R_sim"].dims[0] == "seed"
    assert study["R_sim"].dims[-1] == "alpha"
    assert study["R_ode"].dims[0] == "order"
    for variable in study.variables.values():
        assert variable.attrs.get("long_name") or variable.dtype.kind in "OU"
        assert "references" in variable.attrs
    done = checkout.snakemake("--configfile", "config/smoke.yaml", "--report", "results-smoke/report.html")
    assert done.returncode == 0, done.stderr[-2000:]
    report = (results / "report.html").read_text()
    assert "Ledger" in report
    assert report.count("data:image/png") >= 8 or report.count("image/png") >= 8
    summary = command(checkout, "-m", "advdyn.study.summary", "--configfile", "config/smoke.yaml")
    assert "results-smoke/mixture/mixture.nc" in summary.stdout
    assert "results-smoke/report.html" in summary.stdout


def test_no_bound_that_is_rigorous_is_violated_on_a_run(smoke):
    study = xr.load_dataset(smoke.folder / "results-smoke" / "turing" / "turing.nc")
    held = study["ratio"].where(study["asserted"] > 0)
    for bound in ("B1a", "B3", "B4", "B4v"):
        assert held.sel(bound=bound).notnull().any(), bound
        assert float(held.sel(bound=bound).max()) <= 1 + 1e-6, bound
    assert float(held.max()) <= 1 + 1e-6


def test_a_smoke_run_says_not_tested_where_it_is_too_small(smoke):
    ledger = pd.read_csv(smoke.folder / "results-smoke" / "claims.csv").set_index("claim")
    assert (
        ledger.loc["self_averaging/R" if "self_averaging/R" in ledger.index else "self_averaging", "verdict"]
        == "not tested"
    )
    assert ledger.loc["potential_gaussian", "verdict"] == "not tested"


@pytest.mark.parametrize("files", [[], ["config/smoke.yaml"], ["config/paper.yaml"]], ids=["default", "smoke", "paper"])
def test_every_shipped_configuration_plans_the_expected_number_of_jobs(files, tmp_path, monkeypatch):
    checkout = copy_checkout(tmp_path / "checkout")
    monkeypatch.chdir(checkout.folder)
    asked = run.load(files)
    planned = checkout.planned(*(["--configfile", *files] if files else []))
    datasets = {name for study in asked.studies.values() for name in study.values("dataset")}
    downloads = sum(asked.data[name].source == "download" for name in datasets)
    assert planned.total() == sum(s.count_jobs() for s in asked.studies.values()) + len(datasets) + downloads + 1


@pytest.mark.parametrize(
    "axes",
    [
        "scenarios:\n  hard: {rho: 1.0, eps_train: 1.0}\n  easy: {rho: 4.0, eps_train: 0.0}\n",
        "cells: {eta_b: [0.0, 0.2], simulator: [full]}\nlanes: {eta_w: [0.04, 0.4], eps_train: [0.0, 0.5, 1.0]}\n",
        "",
    ],
    ids=["scenarios", "other axes, full stream only", "a single point"],
)
def test_a_study_of_any_shape_runs_to_its_figures_and_ledger(tmp_path, axes):
    checkout = tiny_checkout(tmp_path / "checkout")
    study = checkout.folder / "config/studies/mixture.yaml"
    study.write_text(study.read_text().split("cells:")[0] + axes + "seeds: {count: 2}\n")
    checkout.make()
    found = xr.load_dataset(checkout.folder / "results/mixture/mixture.nc")
    assert ("scenario" in found.dims) == axes.startswith("scenarios")
    if "scenario" in found.dims:
        assert found["rho"].dims == ("scenario",)
    assert not pd.read_csv(checkout.folder / "results/claims.csv").empty
    assert list((checkout.folder / "results/mixture/figures/curves").rglob("*.png"))


def test_after_failed_jobs_what_is_done_is_collected_and_marked_as_partial(tmp_path):
    checkout = tiny_checkout(tmp_path / "checkout")
    (checkout.folder / "mine.yaml").write_text("studies: {logistic: {}}\n")  # of which nothing will be done
    checkout.edit(
        "advdyn/mixture/full.py", '    """Measure', '    raise RuntimeError("broken for this test")\n    """Measure'
    )
    done = checkout.snakemake("--cores", "2")
    assert done.returncode != 0
    lumped = list((checkout.folder / "results/mixture/simulation").glob("dimension*/simulator~lumped/*.nc"))
    assert len(lumped) == 4  # the others went on
    assert not (checkout.folder / "results/mixture/mixture.nc").exists()
    checkout.make("--configfile", "mine.yaml", "--config", "partial=true")
    study = xr.load_dataset(checkout.folder / "results/partial/mixture/mixture.nc")
    assert study.attrs["partial"] == "6 of 8 jobs"
    ledger = pd.read_csv(checkout.folder / "results/partial/claims.csv")
    assert set(ledger["study"]) == {"mixture"}
    assert ledger["conditions"].str.contains("partial: 6 of 8 jobs").all()
    figure = checkout.folder / "results/partial/mixture/figures/curves/prior~0.5.svg"
    assert "partial: 6 of 8 jobs" in figure.read_text()
    assert not (checkout.folder / "results/claims.csv").exists()
    listed = command(checkout, "-m", "advdyn.study.stale", "--delete")
    assert "0 stale files removed" in listed.stdout, listed.stdout + listed.stderr


def test_a_device_that_is_not_there_is_an_error_in_one_line(tmp_path):
    checkout = tiny_checkout(tmp_path / "checkout")
    checkout.edit("config/studies/mixture.yaml", "settings:\n", "settings:\n  device: cuda\n")
    done = checkout.snakemake("--cores", "2", "--until", "simulate_mixture")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "device: cuda was asked for, but torch sees no CUDA device" in text
    assert "Traceback" not in text
    assert not list((checkout.folder / "results/mixture").rglob("*.nc"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("studies: {mixture: {settings: {priors: 0.5}}}", "settings.priors: found an unknown key"),
        ("studies: {mixture: {lanes: {prior: [0.5, 1.0]}}}", "lanes.prior: found 1.0, allowed: a number > 0 and < 1"),
        ("studies: {mixture: {settings: {v2: -1.0}}}", "settings.v2: found -1.0, allowed: a number > 0"),
        ("studies: {mixture: {settings: {rho: two}}}", "settings.rho: found 'two', allowed: a number >= 0"),
        ("studies: {mixture: {cells: {dimension: []}}}", "cells.dimension: found an empty list"),
        ("studies: {mixture: {cells: {dimension: [10, 10]}}}", "cells.dimension: found 10 twice"),
        ("studies: {mixture: {settings: {prior: 0.5}}}", "lanes.prior: found a parameter that is also in settings"),
        ("studies: {mixtures: {}}", "studies: found 'mixtures', allowed: one of mixture, logistic"),
        ("studies: {mixture: {cells: {eta_w: {linspace: [0.01, 1.0, 2000]}}}}", "jobs, allowed: at most 10000: move eta_w from cells to lanes"),
        ("data: {mnist: {source: directory, path: no/where}}\nstudies: {logistic: {}}", "no/where: no such folder"),
        ("results: [1\n", "not valid JSON or YAML"),  # Snakemake reads it first
        ("results: a\nresults: b\n", "duplicate key"),
    ],
)  # fmt: skip
def test_a_mistake_stops_the_run_with_one_line_before_any_job(tmp_path, text, says):
    checkout = tiny_checkout(tmp_path / "checkout")
    (checkout.folder / "mine.yaml").write_text(text + "\n")
    done = checkout.snakemake("--cores", "2", "--configfile", "mine.yaml")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert says in output
    assert "Traceback" not in output
    assert not (checkout.folder / "results").exists()


def test_stale_files_are_listed_and_only_on_request_removed(finished):
    finished.edit("config/studies/mixture.yaml", "dimension: [20, 30]", "dimension: [20]")
    results = finished.folder / "results" / "mixture" / "simulation"
    leftover = results / ".seeds~0-1.123.part.nc"
    leftover.write_bytes(b"half")
    finished.make("--", "results/data/mnist.nc")  # asked for by itself, and no part of the run
    finished.edit("config/config.yaml", "results: results\n", "results: ./results/\n")  # the same folder
    before = finished.digests()
    listed = command(finished, "-m", "advdyn.study.stale")
    assert listed.returncode == 0, listed.stderr
    assert set(finished.digests()) == set(before)
    names = listed.stdout.split()
    assert "results/mixture/simulation/dimension~30/simulator~full/seeds~0-1.nc" in names
    assert str(leftover.relative_to(finished.folder)) in names
    assert not any("dimension~20" in name or name.endswith("mixture.nc") for name in names)
    lock = finished.folder / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.touch()
    refused = command(finished, "-m", "advdyn.study.stale", "--delete")
    assert refused.returncode != 0
    assert set(finished.digests()) == set(before)
    lock.unlink()
    command(finished, "-m", "advdyn.study.stale", "--delete")
    after = finished.digests()
    assert set(before) - set(after) == {name for name in names if name.startswith("results/")} - {"results/"}
    assert not (results / "dimension~30").exists()


def test_a_job_that_imports_advdyn_from_elsewhere_fails(tmp_path):
    checkout = tiny_checkout(tmp_path / "checkout")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(ROOT / "advdyn", elsewhere / "advdyn", ignore=shutil.ignore_patterns("__pycache__"))
    script = checkout.folder / "scripts" / "sample_mixture.py"
    text = script.read_text()
    script.write_text(
        text.replace(
            '"""\n\nfrom advdyn', f'"""\n\nimport sys\n\nsys.path.insert(0, {str(elsewhere)!r})\nfrom advdyn', 1
        )
    )
    done = checkout.snakemake("--cores", "1", "results/data/mixture.nc")
    assert done.returncode != 0
    assert "outside this checkout" in done.stdout + done.stderr
    assert not (checkout.folder / "results/data/mixture.nc").exists()


def test_a_users_own_arrays_and_idx_files_become_data_sets(tmp_path):
    import numpy as np

    from advdyn.data import idx

    checkout = tiny_checkout(tmp_path / "checkout")
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (60, 4, 4), dtype=np.uint8), np.arange(60) % 2
    np.savez(
        checkout.folder / "mine.npz",
        x_train=images[:40] / 255.0,
        y_train=labels[:40],
        x_test=images[40:] / 255.0,
        y_test=labels[40:],
    )
    folder = checkout.folder / "idx"
    folder.mkdir()
    for name, array in (
        ("train-images-idx3-ubyte.gz", images[:40]), ("train-labels-idx1-ubyte", labels[:40].astype(np.uint8)),
        ("t10k-images-idx3-ubyte", images[40:]), ("t10k-labels-idx1-ubyte.gz", labels[40:].astype(np.uint8)),
    ):  # fmt: skip
        idx.write(folder / name, array)
    (checkout.folder / "mine.yaml").write_text(
        "data:\n  mine: {source: npz, path: mine.npz}\n  folder: {source: directory, path: idx}\n"
        "  noise: {source: gaussian, n_train: 20, n_validation: 5, n_test: 5}\n"
    )
    files = [f"results/data/{name}.nc" for name in ("mine", "folder", "noise")]
    checkout.make("--configfile", "mine.yaml", "--", *files)
    assert xr.load_dataset(checkout.folder / files[0]).attrs["image_shape"] == "4,4"
    assert xr.load_dataset(checkout.folder / files[1]).sizes["sample"] == 60
    assert xr.load_dataset(checkout.folder / files[2]).sizes["pixel"] == 784
