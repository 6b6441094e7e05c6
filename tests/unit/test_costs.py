"""What a job asks for grows with its problem, and what a run took is set beside it."""

import gzip
import importlib.util
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from advdyn.data import cost, idx
from advdyn.data import model as data_model
from advdyn.study import registry, run
from advdyn.study import sizes as sizing
from advdyn.study.model import AROUND

ROOT = Path(__file__).resolve().parents[2]
STUDIES = list(registry.STUDIES)
STEPS = [(study, step) for study in STUDIES for step in registry.model_of(study).steps]
CONFIGS = {"default": [], "smoke": ["config/smoke.yaml"], "paper": ["config/paper.yaml"]}
# What makes a problem larger, by any name that it has in some study; lists are made longer.
SIZES = (
    "dimension", "width", "d_width", "critic_width", "latent", "n", "n_train", "n_test", "n_pool", "n_labels", "samples",
    "judge_images", "heldout", "fit_pairs", "pairs", "decoder_width", "probe_images", "test_examples", "linearity_images",
    "potential_examples", "scaling_seeds", "scaled_seeds", "moons_seeds", "moons_pool", "moons_width", "reference_draws",
    "epochs", "updates", "duration", "judge_epochs", "fresh_epochs", "decoder_epochs", "classifier_epochs", "line_steps",
    "surrogate_epochs", "moons_updates", "planted_updates", "least_updates", "train_steps", "power_iterations", "d_steps",
    "checkpoints", "shown", "filters", "spectrum_size", "embedded_neurons", "embedding_seeds", "scaling_alpha",
    "max_iterations", "alpha", "eps", "eps_train", "prior", "adversary_weight", "penalty", "sigma", "l2", "times", "kept",
    "passes", "chain_passes", "scaling_dimensions", "resolutions", "eps_linf", "eps_l2", "probe_eps", "probe_iterations",
    "attacks", "clip", "seeds", "data_samples", "data_pixels", "data_bytes", "jobs", "runs", "count", "places",
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shipped():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {name: sizing.Sizes(run.load(files)) for name, files in CONFIGS.items()}


@pytest.fixture(scope="module")
def resources():
    spec = importlib.util.spec_from_file_location("benchmarks_resources", ROOT / "benchmarks" / "resources.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def larger(value):
    if isinstance(value, list):
        return value + [value[-1] + 1 + i for i in range(len(value))] if isinstance(value[0], int | float) else value
    if isinstance(value, dict):
        return value | {f"{name}-again": entry for name, entry in value.items()}
    return value + value if isinstance(value, int | float) and not isinstance(value, bool) else value


# --- costs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_every_job_of_the_shipped_runs_has_a_positive_cost(shipped, name):
    sizes = shipped[name]
    planned = sizes.run
    for study, sweep in planned.studies.items():
        for job in sweep.all_jobs():
            found = sweep.cost(job.step, sizes.of(study, job.step, job.cell, job.block))
            assert found.seconds > 0, (study, job)
            assert found.memory > 80, (study, job)  # xarray alone
            assert found.disk > 0, (study, job)
            asked = found.mem_mb(), found.runtime()
            assert all(isinstance(value, int) for value in asked), (study, job)
            assert asked[0] > found.memory + AROUND / 2, (study, job)
            assert 60 * asked[1] > found.seconds, (study, job)


@pytest.mark.parametrize(("study", "step"), STEPS, ids=[f"{study}-{step}" for study, step in STEPS])
def test_no_cost_falls_when_the_problem_grows(shipped, study, step):
    for sizes in shipped.values():
        sweep = sizes.run.studies[study]
        jobs = list(sweep.jobs(step))
        for job in (jobs[0], jobs[len(jobs) // 2], jobs[-1]):
            point = sizing.known(sweep.model, sizes.of(study, step, job.cell, job.block))
            before = sweep.cost(step, point)
            for name in SIZES:
                if name in point:
                    after = sweep.cost(step, point | {name: larger(point[name])})
                    assert after.seconds >= before.seconds, (name, job)
                    assert after.memory >= before.memory, (name, job)
                    assert after.disk >= before.disk, (name, job)


@pytest.mark.parametrize(
    ("study", "step", "name"),
    [
        ("mixture", "simulate", "dimension"), ("mixture", "simulate", "eps_train"), ("mixture", "simulate", "alpha"),
        ("mixture", "scale", "scaling_seeds"), ("mixture", "integrate", "prior"), ("mixture", "collect", "count"),
        ("logistic", "train", "data_samples"), ("logistic", "evaluate", "data_pixels"), ("logistic", "train", "l2"),
        ("robustness", "train", "data_samples"), ("robustness", "attack", "data_samples"),
        ("robustness", "scale", "resolutions"), ("robustness", "transfer", "data_samples"),
        ("robustness", "collect", "places"),
        ("turing", "train", "width"), ("turing", "train", "seeds"), ("turing", "train", "n"), ("turing", "bound", "data_samples"),
        ("turing", "diagnose", "width"), ("turing", "illustrate", "width"), ("turing", "collect", "runs"),
        ("generation", "train", "data_samples"), ("generation", "evaluate", "width"), ("generation", "train", "kept"),
        ("degeneration", "train", "data_samples"), ("degeneration", "measure", "data_samples"),
        ("degeneration", "collect", "runs"),
        ("semisupervised", "train", "data_samples"), ("semisupervised", "measure_distances", "n_pool"),
        ("semisupervised", "train_moons", "moons_width"),
    ],
)  # fmt: skip
def test_memory_grows_with_what_it_holds(study, step, name):
    model = registry.model_of(study)
    point = sizing.known(model, {"simulator": "full"} if study == "mixture" else {})
    point |= {n: [point[n]] for n in ("eps_train", "l2", "prior") if isinstance(point.get(n), float)}
    point |= {"count": 1000, "places": 100, "runs": 100, "width": 2048, "dimension": 10_000, "scaling_seeds": 10_000}
    point |= {"full_alpha_max": 1e6} if study == "mixture" else {}
    more = point | {name: larger(larger(larger(larger(point[name]))))}  # sixteen times
    assert model.steps[step].cost(more).memory > model.steps[step].cost(point).memory + 1


def test_the_sizes_of_a_job_have_names_of_their_own():
    names = {name for study in STUDIES for name in registry.model_of(study).model_fields}
    assert not names & set(sizing.USUAL)


def test_a_step_that_reads_little_knows_what_it_is_given_by_the_steps_before(shipped):
    study = shipped["default"].run.studies["turing"]
    widths = set()
    for job in study.jobs("bound"):
        assert "width" not in job.point
        found = shipped["default"].of("turing", "bound", job.cell, job.block)
        assert found["width"] == study.at("bound", job.cell).width
        assert len(found["seeds"]) == 3
        widths.add(found["width"])
    assert len(widths) > 2


def test_a_step_of_the_whole_study_has_the_largest_of_what_it_takes(shipped):
    sizes, study = shipped["default"], shipped["default"].run.studies["turing"]
    every, shown = sizes.of("turing", "collect"), sizes.of("turing", "illustrate")
    assert every["width"] == max(study.at("train", job.cell).width for job in study.jobs("train"))
    assert every["jobs"] == len(list(study.jobs("train"))) > shown["jobs"] > 0
    assert every["count"] == 3
    lanes = [job.point for job in study.jobs("train")]
    runs = sum(len(p["seeds"]) * len(p["adversary"]) * len(p["penalty"]) for p in lanes)
    assert every["runs"] == runs


def test_what_a_setting_says_reaches_the_steps_that_do_not_read_it(checkout):
    Path("over.yaml").write_text("studies: {robustness: {settings: {compared: [mlp-4096]}}}")
    at = sizing.Sizes(run.load(["over.yaml"])).of("robustness", "transfer")
    assert at["compared"] == ["mlp-4096"]


def test_a_study_on_more_images_asks_for_more(checkout):
    Path("over.yaml").write_text("data: {mnist: {source: download}}")
    few, many = sizing.Sizes(run.load()), sizing.Sizes(run.load(["over.yaml"]))
    for name in ("logistic", "robustness", "turing", "generation", "degeneration", "semisupervised"):
        study = few.run.studies[name]
        job = next(job for job in study.jobs("train") if study.at("train", job.cell).dataset == "mnist")
        small, large = (study.cost("train", sizes.of(name, "train", job.cell, job.block)) for sizes in (few, many))
        assert large.memory - small.memory > 65_000 * 784 * 4e-6, name  # all images in float32


# --- data sets -----------------------------------------------------------------------------------------------------


def npz(path, n, shape, dtype, **arrays):
    x = np.zeros((n, *shape), dtype)
    np.savez(path, x_train=x, y_train=np.zeros(n, int), x_test=x[:5], y_test=np.zeros(5, int), **arrays)


def test_the_size_of_a_npz_is_read_from_its_headers(tmp_path):
    npz(tmp_path / "own.npz", 60, (3, 8, 8), np.float32)
    assert cost.size(data_model.Npz(source="npz", path=str(tmp_path / "own.npz"))) == (65, 192, 4)
    npz(tmp_path / "wide.npz", 40, (9,), np.uint8, x_validation=np.zeros((7, 9), np.uint8), y_validation=np.zeros(7))
    assert cost.size(data_model.Npz(source="npz", path=str(tmp_path / "wide.npz"))) == (52, 9, 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_size_of_a_folder_is_read_from_the_headers_of_its_files(tmp_path, suffix):
    for name, n in (("train", 30), ("t10k", 12)):
        idx.write(tmp_path / f"{name}-images-idx3-ubyte{suffix}", np.zeros((n, 6, 7), np.uint8))
        idx.write(tmp_path / f"{name}-labels-idx1-ubyte{suffix}", np.zeros(n, np.uint8))
    assert cost.size(data_model.Directory(source="directory", path=str(tmp_path))) == (42, 42, 1)


def test_a_file_that_is_not_there_or_broken_counts_as_mnist(tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    for path in (tmp_path / "missing.npz", tmp_path / "broken.npz"):
        assert cost.size(data_model.Npz(source="npz", path=str(path)))[:2] == cost.MNIST
    assert cost.size(data_model.Directory(source="directory", path=str(tmp_path)))[:2] == cost.MNIST
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"\0\0"))
    folder = tmp_path / "other"
    shutil.copytree(tmp_path, folder)
    assert cost.size(data_model.Directory(source="directory", path=str(folder)))[:2] == cost.MNIST


def test_a_larger_data_set_costs_more_to_make():
    for kind in (data_model.Gaussian, data_model.Mixture):
        source = kind.__name__.lower()
        small, size = kind(source=source), "n_train" if source == "gaussian" else "n"
        for name in (size, "dimension"):
            large = small.model_copy(update={name: 50_000})
            assert cost.cost(large).memory > cost.cost(small).memory + 100
            assert cost.cost(large).seconds > cost.cost(small).seconds
    assert cost.cost(data_model.Download(source="download")).memory > 150
    assert cost.download_cost().seconds >= 60


# --- what a run took -------------------------------------------------------------------------------------------------

ONE = """\
results: results-one
studies: {mixture: null, robustness: null, turing: null, generation: null, degeneration: null, semisupervised: null}
"""
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, seconds, rss, cpu="3.0"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(f"{HEADER}{seconds}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t1\t{cpu}\n")


def test_the_rule_files_name_a_table_for_every_step(resources):
    found = resources.tables()
    assert set(found) == set(STEPS)
    assert not [pattern for pattern, n in Counter(found.values()).items() if n > 1]
    for (study, step), pattern in found.items():
        per = registry.model_of(study).steps[step].per
        assert ("{cell}" in pattern) == (per in ("cell", "block")), step
        assert ("{block}" in pattern) == (per == "block"), step
        assert ("{panel}" in pattern) == (per == "panel"), step


def test_every_job_with_a_table_is_set_beside_its_cost(checkout, resources):
    Path("one.yaml").write_text(ONE)
    benchmark("logs-one/logistic/training/whole.benchmark.tsv", 7.0, 300.0, "4.0")
    benchmark("logs-one/logistic/collect.benchmark.tsv", 0.3, "NA", "NA")
    benchmark("logs-one/data/mnist.benchmark.tsv", 1.0, 90.0)
    jobs = list(resources.measured(run.load(["one.yaml"])))
    assert [(job.study, job.step) for job in jobs] == [
        ("logistic", "train"),
        ("logistic", "collect"),
        ("data", "bundled"),
    ]
    assert [(job.seconds, job.clock, job.memory) for job in jobs] == [
        (4.0, 7.0, 300.0),
        (0.3, 0.3, None),
        (3.0, 1.0, 90.0),
    ]
    text, marked = resources.table(jobs)
    assert marked == 0
    assert len(text.splitlines()) == 4


@pytest.mark.parametrize(
    ("seconds", "rss", "mark"),
    [(1.0, 5000.0, "more memory"), (900.0, 400.0, "more time"), (1.0, 0.0001, "times its memory")],
)
def test_a_step_that_asks_for_too_little_or_too_much_is_marked(checkout, resources, seconds, rss, mark, monkeypatch):
    Path("one.yaml").write_text(ONE)
    monkeypatch.setattr(resources, "TOO_MUCH", 1.5)
    benchmark("logs-one/logistic/training/whole.benchmark.tsv", seconds, rss)
    text, marked = resources.table(list(resources.measured(run.load(["one.yaml"]))))
    assert marked == 1
    assert f"! {mark}" in text or mark in text.split("!", 1)[1]


def test_a_run_without_tables_is_a_clear_error(checkout, resources, monkeypatch):
    Path("one.yaml").write_text(ONE)
    monkeypatch.setattr(sys, "argv", ["resources.py", "--configfile", "one.yaml"])
    with pytest.raises(SystemExit) as stopped:
        resources.main()
    assert "logs-one: found no benchmark table of this run, allowed:" in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_a_table_that_is_none_is_a_clear_error(checkout, resources, monkeypatch):
    Path("one.yaml").write_text(ONE)
    benchmark("logs-one/logistic/collect.benchmark.tsv", 1.0, "much")
    monkeypatch.setattr(sys, "argv", ["resources.py", "--configfile", "one.yaml"])
    with pytest.raises(SystemExit) as stopped:
        resources.main()
    assert str(stopped.value).startswith("logs-one/logistic/collect.benchmark.tsv: table: found ")
