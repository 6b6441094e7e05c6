"""A run's configuration is checked whole before any job starts."""

import shutil
from pathlib import Path

import pytest

from advdyn.study import ledger, plan, run
from advdyn.study.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
STUDIES = {"mixture", "logistic", "robustness", "turing", "generation", "degeneration", "semisupervised"}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def over(folder, text):
    (folder / "over.yaml").write_text(text)
    return ["over.yaml"]


@pytest.mark.parametrize("files", [[], ["config/smoke.yaml"], ["config/paper.yaml"]], ids=["default", "smoke", "paper"])
def test_every_shipped_configuration_is_valid_and_has_a_folder_of_its_own(checkout, files):
    found = run.load(files)
    assert set(found.studies) == STUDIES
    assert found.results == {0: "results"}.get(len(files), f"results-{Path(files[0]).stem}" if files else "")
    assert found.logs == found.results.replace("results", "logs")


def test_an_override_names_the_study_and_its_keys(checkout):
    found = run.load(
        over(
            checkout,
            "studies:\n  mixture:\n    lanes: {prior: null}\n    settings: {prior: 0.6}\n  logistic: null\n  robustness: null\n  turing: null\n  generation: null\n  degeneration: null\n  semisupervised: null\n",
        )
    )
    assert list(found.studies) == ["mixture"]
    assert list(found.studies["mixture"].lanes) == ["eps_train"]
    assert found.studies["mixture"].settings.prior == 0.6


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("studies: {mixtur: {}}", "over.yaml:1", "studies: found 'mixtur', allowed: one of mixture, logistic"),
        ("studies: {mixture: null, logistic: null, robustness: null, turing: null, generation: null, degeneration: null, semisupervised: null}", "over.yaml:1", "at least one of mixture, logistic"),
        ("result: x", "over.yaml:1", "result: found an unknown key, allowed: results, partial, studies, data"),
        ("results: ''", "over.yaml:1", "results: found '', allowed: a folder of its own"),
        ("results: .", "over.yaml:1", "results: found '.', allowed: a folder of its own"),
        ("results: ../x", "over.yaml:1", "results: found '../x', allowed: a folder of its own"),
        ("results: 'a{b}'", "over.yaml:1", "results: found 'a{b}', allowed: a folder of its own"),
        ("data: {mnist: {source: [a]}}", "over.yaml:1", "data.mnist.source: found ['a'], allowed: one of bundled"),
        ("studies: {mixture: {settings: {dataset: mnist}}}", "over.yaml:1", "found mnist of source bundled, allowed: a data set of source mixture"),
        ("studies: {mixture: {settings: {scaling_dimensions: [100, 100]}}}", "over.yaml:1", "scaling_dimensions: found [100, 100], allowed: increasing"),
        ("studies: {mixture: {settings: {alpha: [5.0, 6.0], full_alpha_max: 2.0}}}", "over.yaml:1", "full_alpha_max: found 2.0, allowed: at least the first alpha"),
        ("a: &x {b: 1}\nc: {<<: *x}", "over.yaml:2", "found a merge key '<<', allowed: keys written out"),
        ("partial: 2", "over.yaml:1", "partial: found 2, allowed: true or false"),
        ("studies:\n  mixture:\n    lanes:\n      prior: [0.5, 1.0]", "over.yaml:4", "lanes.prior: found 1.0, allowed: a number > 0 and < 1"),
        ("studies:\n  mixture:\n    settings: {v1: -1.0}", "over.yaml:3", "settings.v1: found -1.0, allowed: a number > 0"),
        ("studies:\n  mixture:\n    settings: {eps: [1.0, 0.5]}", "over.yaml:3", "eps: found [1.0, 0.5], allowed: increasing"),
        ("studies:\n  logistic:\n    lanes: {l2: [0.0, 1.0]}", "over.yaml:3", "l2: found 0 with eps_train 0, allowed: l2 > 0"),
        ("studies:\n  logistic:\n    settings: {dataset: mine}", "over.yaml:3", "settings.dataset: found 'mine', allowed: one of mnist"),
        ("studies:\n  turing:\n    grids: {theory: {cells: {dataset: [mnist, mine]}}}", "over.yaml:3", "turing: grids.theory.cells.dataset: found 'mine', allowed: one of mnist"),
        ("studies:\n  turing:\n    grids: {theory: {cells: {dataset: [mixture]}}}", "over.yaml:3", "found mixture of source mixture, allowed: a data set of source bundled"),
        ("studies:\n  turing:\n    settings: {inputs: raw}", "over.yaml:3", "inputs: found 'raw', allowed: 'unit' with net theory"),
        ("studies:\n  turing:\n    grids: {practice: {cells: {form: [span]}}}", "over.yaml:3", "form: found 'span', allowed: auto or plain with adam"),
        ("studies:\n  turing:\n    grids: {theory: {cells: {width: [0]}}}", "over.yaml:3", "width: found 0, allowed: an integer >= 1"),
        ("studies:\n  turing:\n    settings: {eta: 0.0}", "over.yaml:3", "eta: found 0.0, allowed: a number > 0"),
        ("studies:\n  turing:\n    settings: {deltas: [0.0]}", "over.yaml:3", "deltas: found [0.0], allowed: values > 0 and < 1"),
        ("studies:\n  turing:\n    settings: {times: [0.0, 0.0]}", "over.yaml:3", "times: found [0.0, 0.0], allowed: increasing"),
        ("studies:\n  turing:\n    settings: {batch: 300}", "over.yaml:3", "batch: found 300, allowed: at most n, 100"),
        ("data: {mnist: {source: web}}", "over.yaml:1", "data.mnist.source: found 'web', allowed: one of bundled, directory"),
        ("data: {mnist: {source: bundled, path: x}}", "over.yaml:1", "data.mnist.path: found an unknown key"),
        ("data: {mnist: {source: directory}}", "over.yaml:1", "data.mnist.path: found nothing, allowed: a text"),
        ("data:\n  mnist: {source: directory, path: nowhere}", "over.yaml:2", "nowhere: no such folder"),
        ("data: {mnist: {source: npz, path: no.npz}}", "over.yaml:1", "data.mnist.path: found 'no.npz', allowed: an existing"),
        ("data: {mixture: {source: mixture, prior: 1.5}}", "over.yaml:1", "data.mixture.prior: found 1.5, allowed: a number > 0 and < 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_and_line(checkout, text, where, says):
    with pytest.raises(ConfigError) as caught:
        run.load(over(checkout, text + "\n"))
    assert says in str(caught.value)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_idx_files_are_named(checkout):
    (checkout / "mnist").mkdir()
    (checkout / "mnist" / "t10k-labels-idx1-ubyte.gz").touch()
    with pytest.raises(ConfigError, match=r"mnist: missing train-images-idx3-ubyte.gz.*train-labels-idx1-ubyte"):
        run.load(over(checkout, "data: {mnist: {source: directory, path: mnist}}\n"))


def test_a_number_given_on_the_command_line_is_a_number(checkout):
    given = {
        "studies": {
            "mixture": {"settings": {"rho": "1e-1"}},
            "logistic": "null",
            "robustness": "null",
            "turing": "null",
            "generation": "null",
            "degeneration": "null",
            "semisupervised": "null",
        }
    }
    found = run.load(given=given)
    assert list(found.studies) == ["mixture"]
    assert found.studies["mixture"].settings.rho == 0.1


def test_a_file_is_yaml_1_2_also_where_snakemake_reads_it_otherwise(checkout):
    found = run.load(over(checkout, "studies: {mixture: {settings: {dimension: 0100, eta_b: 1e-3}}}\n"))
    assert found.studies["mixture"].settings.dimension == 100
    assert found.studies["mixture"].settings.eta_b == 0.001


def test_one_folder_has_one_name(checkout):
    assert run.load(given={"results": "./a//b/"}).results == "a/b"


def test_the_plan_of_a_run_names_jobs_hours_memory_and_disk(checkout):
    small, large = (plan.table(run.load(files), 2) for files in ([], ["config/paper.yaml"]))
    for table in (small, large):
        assert "core-hours" in table
        assert "on 2 cores" in table

    def hours(table):
        return float(next(line for line in table.splitlines() if line.startswith("all ")).split()[2])

    assert hours(small) < 0.6 < hours(large)


def test_a_results_folder_of_the_checkout_is_refused():
    for name in ("config", "advdyn/x", ".git", "logs"):
        with pytest.raises(ConfigError, match="allowed: a folder of its own"):
            run.load(given={"results": str(ROOT / name)}, folder=ROOT / "config" / "studies")


LEDGER = "study,claim,conditions\n"


def test_the_kept_ledger_takes_the_rows_of_a_run_and_keeps_those_of_other_studies(checkout):
    files = over(
        checkout,
        "studies: {logistic: null, robustness: null, turing: null, generation: null, degeneration: null, semisupervised: null}\n",
    )
    kept = checkout / "kept.csv"
    kept.write_text(LEDGER + "mixture,old,a\nlogistic,there,b\n")
    (checkout / "results").mkdir()
    (checkout / "results" / "claims.csv").write_text(LEDGER + 'mixture,new,"a, b"\n')
    assert ledger.publish(run.load(files), kept) == {"logistic": 1, "mixture": 1}
    assert kept.read_text() == LEDGER + 'logistic,there,b\nmixture,new,"a, b"\n'


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (None, "found none, allowed: the ledger of a finished run"),
        ("logistic,x,y\n", "found no row of mixture"),
        ("mixture,x,partial: 3 of 5 jobs\n", "found rows of a partial run"),
    ],
)
def test_the_ledger_of_an_unfinished_run_is_not_kept(checkout, rows, says):
    files = over(
        checkout,
        "studies: {logistic: null, robustness: null, turing: null, generation: null, degeneration: null, semisupervised: null}\n",
    )
    (checkout / "results").mkdir()
    if rows is not None:
        (checkout / "results" / "claims.csv").write_text(LEDGER + rows)
    with pytest.raises(ConfigError) as caught:
        ledger.publish(run.load(files), checkout / "kept.csv")
    assert says in str(caught.value)
    assert not (checkout / "kept.csv").exists()
