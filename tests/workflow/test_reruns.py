"""After a change, exactly what it concerns runs again."""

import json
import re
import shutil

import pytest
from checkouts import Checkout, tiny_checkout

pytestmark = pytest.mark.workflow

FIGURES = {"plot_mixture_curves": 2, "plot_mixture_potential": 2}
DOWNSTREAM = {"collect_mixture": 1, "tabulate_mixture": 1, "assess_mixture": 1, "collect_claims": 1,
              "plot_mixture_scaling": 1, **FIGURES}  # fmt: skip
SIMULATIONS = 2 * 2 + 2 * 1  # two dimensions: lumped in two blocks, full in one


def test_a_second_run_has_nothing_to_do(finished):
    assert not finished.planned()


def test_touching_every_file_reruns_nothing(finished):
    for path in finished.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts and "results" not in path.parts:
            path.touch()
    assert not finished.planned()


def test_a_new_cell_value_runs_only_its_own_jobs(finished):
    finished.edit("config/studies/mixture.yaml", "dimension: [20, 30]", "dimension: [20, 25, 30]")
    assert finished.planned() == DOWNSTREAM | {"simulate_mixture": 3}


def test_more_seeds_run_only_the_new_block(finished):
    finished.edit("config/studies/mixture.yaml", "count: 4", "count: 6")
    assert finished.planned() == DOWNSTREAM | {"simulate_mixture": 2}


def test_a_new_lane_value_reruns_the_jobs_that_hold_the_lane(finished):
    finished.edit("config/studies/mixture.yaml", "prior: [0.5, 0.7]", "prior: [0.5, 0.6, 0.7]")
    more = {"plot_mixture_curves": 3, "plot_mixture_potential": 3}
    assert finished.planned() == DOWNSTREAM | more | {
        "simulate_mixture": SIMULATIONS, "integrate_mixture": 1, "scale_mixture": 1}  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "reruns"),
    [
        ("rtol: 1e-9", {"integrate_mixture": 1}),
        ("dtype: float32", {"simulate_mixture": SIMULATIONS}),
        ("scaling_seeds: 6", {"scale_mixture": 1}),
        ("eps_report: 0.5", {"integrate_mixture": 1, "simulate_mixture": SIMULATIONS}),
        ("eta_w: 0.1", {"integrate_mixture": 1, "simulate_mixture": SIMULATIONS, "scale_mixture": 1}),
    ],
)
def test_a_changed_setting_reruns_the_rules_that_read_it(finished, setting, reruns):
    text = (finished.folder / "config/studies/mixture.yaml").read_text().replace("  scaling_seeds: 4\n", "")
    if not setting.startswith("scaling_seeds"):
        setting += "\n  scaling_seeds: 4"
    (finished.folder / "config/studies/mixture.yaml").write_text(
        text.replace("settings:\n", f"settings:\n  {setting}\n")
    )
    assert finished.planned() == DOWNSTREAM | reruns


def test_values_in_another_order_or_spelling_are_the_same_study(finished):
    finished.edit("config/studies/mixture.yaml", "prior: [0.5, 0.7]", "prior: [7e-1, 0.50]")
    finished.edit("config/studies/mixture.yaml", "dimension: [20, 30]", "dimension: [30, 20]")
    assert not finished.planned()


@pytest.mark.parametrize(
    ("module", "reruns"),
    [
        ("advdyn/mixture/fixed_points.py", {"integrate_mixture"}),
        ("advdyn/mixture/lumped.py", {"simulate_mixture", "scale_mixture"}),
        ("advdyn/mixture/figures.py", {"plot_mixture_curves", "plot_mixture_potential", "plot_mixture_data", "plot_mixture_scaling"}),
        ("advdyn/mixture/claims.py", {"assess_mixture"}),
        ("advdyn/data/synthetic.py", {"sample_mixture"}),
        ("scripts/tabulate_mixture.py", {"tabulate_mixture"}),
        ("advdyn/logistic/solve.py", set()),
        ("advdyn/mixture/model.py", set()),
        ("advdyn/study/registry.py", set()),
        ("README.md", set()),
    ],
)  # fmt: skip
def test_an_edited_module_reruns_exactly_the_rules_that_use_it(finished, module, reruns):
    with (finished.folder / module).open("a") as file:
        file.write("\n# edited\n")
    downstream = {
        "simulate_mixture": set(DOWNSTREAM), "integrate_mixture": set(DOWNSTREAM), "scale_mixture": set(DOWNSTREAM),
        "assess_mixture": {"collect_claims"}, "sample_mixture": {"plot_mixture_data"},
    }  # fmt: skip
    expected = set(reruns).union(*(downstream.get(rule, set()) for rule in reruns))
    assert set(finished.planned()) == expected


def test_a_changed_pin_reruns_everything(finished):
    everything = set(finished.planned("--forceall"))
    finished.edit("envs/requirements.txt", "safetensors==0.8.0", "safetensors==0.8.1")
    assert set(finished.planned()) == everything


def test_a_rerun_after_a_change_leaves_the_bytes_of_the_rest(finished):
    before = finished.digests("results/mixture/simulation")
    finished.edit("config/studies/mixture.yaml", "count: 4", "count: 6")
    finished.make()
    after = finished.digests("results/mixture/simulation")
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2
    assert not finished.planned()


def test_results_without_snakemakes_memory_and_a_changed_setting_are_refused(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    assert not finished.planned()
    finished.edit("config/studies/mixture.yaml", "settings:\n", "settings:\n  rtol: 1e-9\n")
    done = finished.snakemake("--cores", "2")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "theory/whole.nc: made with other parameters" in text
    assert "--forcerun integrate_mixture" in text
    assert not (finished.folder / "results/mixture/mixture.nc").exists()  # never stale
    finished.make("--forcerun", "integrate_mixture")
    asked = json.loads((finished.folder / "results/mixture/asked.json").read_text())
    assert asked["parts"]["integrate"]["digests"]


LOGISTIC = """\
studies:
  mixture: null
  logistic:
    settings: {eps: [0.0, 0.1, 0.2]}
    lanes: {l2: null}
    cells: {l2: [0.1, 1.0]}
"""


@pytest.fixture(scope="module")
def logistic(tmp_path_factory):
    """A tiny logistic study whose penalties are cells, run to its data set."""
    checkout = tiny_checkout(tmp_path_factory.mktemp("logistic") / "checkout")
    (checkout.folder / "mine.yaml").write_text(LOGISTIC)
    checkout.make("--configfile", "mine.yaml", "--until", "collect_logistic")
    return checkout


def test_a_study_after_another_rule_runs_for_each_of_its_cells(logistic):
    assert len(list((logistic.folder / "results/logistic/evaluation").glob("l2~*.nc"))) == 2
    assert not logistic.planned("--configfile", "mine.yaml", "--until", "collect_logistic")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "settings: {eps",
            "settings: {tolerance: 1e-6, eps",
            "other sources.*--forcerun evaluate_logistic and the rules before it",
        ),
        ("eps: [0.0, 0.1, 0.2]", "eps: [0.0, 0.1, 0.3]", "other parameters.*--forcerun evaluate_logistic"),
    ],
    ids=["of the rule before", "of the rule itself"],
)
def test_without_snakemakes_memory_a_changed_setting_is_refused_along_the_whole_chain(
    logistic, tmp_path, old, new, says
):
    shutil.copytree(logistic.folder, tmp_path / "checkout", ignore=shutil.ignore_patterns(".snakemake"))
    checkout = Checkout(tmp_path / "checkout")
    checkout.edit("mine.yaml", old, new)
    done = checkout.snakemake("--cores", "2", "--configfile", "mine.yaml", "--until", "collect_logistic")
    assert done.returncode != 0
    assert re.search(says, done.stdout + done.stderr)
    assert not (checkout.folder / "results/logistic/logistic.nc").exists()


def test_without_snakemakes_memory_a_changed_data_set_is_made_again(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    finished.edit("config/config.yaml", "dimension: 20, n: 50", "dimension: 20, n: 60")
    assert set(finished.planned()) == {"sample_mixture", "plot_mixture_data"}


def test_a_job_whose_code_changes_while_it_runs_fails(finished):
    finished.edit("config/studies/mixture.yaml", "settings:\n", "settings:\n  rtol: 1e-9\n")
    finished.edit(
        "advdyn/mixture/theory.py", "    expanded = lanes.expand(", "    from pathlib import Path\n\n"
        "    Path(__file__).write_text(Path(__file__).read_text() + '# edited')\n    expanded = lanes.expand(",
    )  # fmt: skip
    done = finished.snakemake("--cores", "1", "--until", "integrate_mixture")
    assert done.returncode != 0
    assert "the code of this rule changed while the job ran" in done.stdout + done.stderr
    assert not (finished.folder / "results/mixture/theory/whole.nc").exists()


def test_a_lost_figure_file_is_drawn_again(finished):
    (finished.folder / "results/mixture/figures/scaling.pdf").unlink()
    assert finished.planned() == {"plot_mixture_scaling": 1}


def test_runs_of_different_size_do_not_touch_each_other(finished):
    before = finished.digests()
    (finished.folder / "other.yaml").write_text(
        "results: results-other\nstudies:\n  mixture:\n    settings: {rho: 1.0}\n    cells: {dimension: null, simulator: null}\n"
    )
    finished.make("--configfile", "other.yaml", "--until", "collect_mixture")
    assert (finished.folder / "results-other/mixture/mixture.nc").exists()
    assert (finished.folder / "logs-other/mixture/collect.log").exists()
    assert finished.digests() == before
    assert not finished.planned()


def test_without_its_profile_a_run_stops_before_any_job(finished):
    finished.edit("config/studies/mixture.yaml", "count: 4", "count: 6")
    before = finished.digests("results/mixture/simulation")
    done = finished.snakemake("--cores", "2", "--workflow-profile", "none")
    assert done.returncode != 0
    assert "use --workflow-profile profiles/default" in done.stdout + done.stderr
    assert finished.digests("results/mixture/simulation") == before


@pytest.mark.parametrize("dry", [[], ["-n"]], ids=["run", "dry run"])
def test_a_misspelt_profile_stops_the_run_and_the_dry_run(finished, dry):
    done = finished.snakemake("--cores", "2", "--workflow-profile", "profiles/defualt", *dry)
    assert done.returncode != 0
    said = "--workflow-profile: found 'profiles/defualt', allowed: profiles/default, profiles/generic, profiles/slurm"
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("way", ["--executor", "--profile"])
def test_a_scheduler_without_this_checkouts_profile_for_it_is_refused(finished, way):
    # the plugins alone would lack what the profiles do
    finished.edit("config/studies/mixture.yaml", "count: 4", "count: 6")
    before = finished.digests("results/mixture/simulation")
    named = "cluster-generic" if way == "--executor" else "profiles/generic"
    done = finished.snakemake(way, named, "--jobs", "1")
    assert done.returncode != 0
    said = "--executor, --profile: found 'cluster-generic', allowed: --workflow-profile profiles/slurm or generic"
    assert said in done.stdout + done.stderr
    assert finished.digests("results/mixture/simulation") == before
