"""The rules, the models, the pins and the profiles say the same thing."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from advdyn.data import model as data_model
from advdyn.study import registry, run, schema

ROOT = Path(__file__).resolve().parents[2]
RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", re.M | re.S)
RULES = {
    name: body
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for name, body in RULE.findall(file.read_text())
}
DATA_RULES = {"import_bundled", "import_directory", "download_mnist", "import_npz", "sample_gaussian", "sample_mixture"}


def rule_of(study, step):
    verb, _, rest = step.partition("_")
    return f"{verb}_{study}" + (f"_{rest}" if rest else "")


STEPS = {rule_of(s, step): (s, step) for s in registry.STUDIES for step in registry.model_of(s).steps}

# The functions that a rule hands its params to, and what they take besides.
FUNCTIONS = {
    "simulate_mixture": ("advdyn.mixture.simulation", "run", ()),
    "integrate_mixture": ("advdyn.mixture.theory", "run", ()),
    "scale_mixture": ("advdyn.mixture.finite_size", "run", ()),
    "train_logistic": ("advdyn.logistic.training", "run", ("images",)),
    "evaluate_logistic": ("advdyn.logistic.evaluation", "run", ("trained", "images")),
    "train_robustness": ("advdyn.robustness.training", "run", ("images", "module_file")),
    "attack_robustness": ("advdyn.robustness.evaluation", "run", ("trained", "networks", "images")),
    "train_robustness_surrogate": ("advdyn.robustness.transfer", "compared surrogates", ("files", "compared", "images")),
    "transfer_robustness": (
        "advdyn.robustness.transfer", "compared run", ("files", "compared", "surrogates", "images")
    ),
    "scale_robustness": ("advdyn.robustness.scale", "run", ("images",)),
    "illustrate_robustness": ("advdyn.robustness.illustrate", "run", ("compared", "images")),
    "train_turing": ("advdyn.turing.training", "run", ("images",)),
    "bound_turing": ("advdyn.turing.bounds", "run", ("record", "images", "point")),
    "diagnose_turing": ("advdyn.turing.diagnostics", "run", ("record", "weights", "images", "point")),
    "illustrate_turing": ("advdyn.turing.illustrate", "run", ("records", "weights", "images", "points")),
    "train_generation": ("advdyn.generation.training", "run", ("images",)),
    "train_generation_judge": ("advdyn.generation.judging", "run", ("images",)),
    "evaluate_generation": ("advdyn.generation.evaluation", "run", ("record", "weights", "judge", "images")),
    "evaluate_generation_references": ("advdyn.generation.references", "run", ("judge", "images")),
    "train_degeneration": ("advdyn.degeneration.training", "run", ("images", "album")),
    "measure_degeneration": ("advdyn.degeneration.measure", "run", ("outputs", "images", "album")),
    "train_degeneration_classifier": ("advdyn.degeneration.classifier", "run", ("images",)),
    "measure_degeneration_references": (
        "advdyn.degeneration.references", "run", ("classifier", "urandom", "images", "album")
    ),
    "linearise_degeneration": ("advdyn.degeneration.saddle", "run", ()),
    "train_degeneration_line": ("advdyn.degeneration.line", "run", ()),
    "export_degeneration": ("advdyn.degeneration.export", "run advdyn.degeneration.chosen:run", ("images", "weights", "outputs")),
    "overwrite_degeneration": (
        "advdyn.degeneration.overwrite", "run advdyn.degeneration.chosen:run",
        ("source", "sandbox", "results", "outputs", "weights")
    ),
    "illustrate_degeneration": (
        "advdyn.degeneration.illustrate", "run advdyn.degeneration.chosen:run", ("outputs", "classifier", "images")
    ),
    "train_semisupervised": ("advdyn.semisupervised.training", "run", ("images",)),
    "evaluate_semisupervised": ("advdyn.semisupervised.evaluation", "run", ("record", "weights", "images")),
    "measure_semisupervised_distances": ("advdyn.semisupervised.distances", "run", ("images",)),
    "train_semisupervised_moons": ("advdyn.semisupervised.moons", "run", ()),
    "plant_semisupervised": ("advdyn.semisupervised.plant", "run", ("images",)),
}  # fmt: skip


def test_every_rule_is_a_step_of_a_model_a_data_rule_or_the_ledger():
    assert set(RULES) == set(STEPS) | DATA_RULES | {"collect_claims"}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_all_a_rule_has(name):
    body = RULES[name]
    for directive in ("input", "output", "log", "benchmark", "conda", "resources", "params", "message", "script"):
        assert re.search(rf"^    {directive}:$", body, re.M), directive
    assert body.lstrip().startswith('"""')
    assert f'"../../scripts/{name}.py"' in body
    assert f'code=code_of("{name}")' in body
    assert "envs/environment.yaml" in body
    for forbidden in ("shell:", "run:", "retries:"):
        assert f"    {forbidden}" not in body


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_exactly_one_param(name):
    block = re.search(r"^    params:\n(.*?)(?=^    \w)", RULES[name], re.M | re.S).group(1)
    assert re.findall(r"^        (\w+)=", block, re.M) == ["point"]


def plain(value):
    if isinstance(value, dict):
        return all(type(k) is str and plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(plain(v) for v in value)
    return type(value) in (int, float, str, bool)


@pytest.mark.parametrize("files", [[], ["config/smoke.yaml"], ["config/paper.yaml"]])
def test_the_params_of_every_job_are_plain(files, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = run.load(files)
    for study in found.studies.values():
        for job in study.all_jobs():
            assert plain(job.point), (job.step, job.point)
    for dataset in found.data.values():
        assert plain(dataset.point())
    assert not plain({"x": __import__("numpy").float64(1)})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_reads_what_its_function_takes(name):
    module, functions, given = FUNCTIONS[name]
    study, step = STEPS[name]
    named = [f.split(":") if ":" in f else (module, f) for f in functions.split()]
    signatures = [inspect.signature(getattr(import_module(where), f)).parameters for where, f in named]
    assert {p for signature in signatures for p in signature} - set(given) == set(
        registry.model_of(study).steps[step].reads
    )


def test_every_step_that_reads_is_compared_with_its_function():
    reading = {rule for rule, (study, step) in STEPS.items() if registry.model_of(study).steps[step].reads}
    assert reading == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("source", "function"),
    [("gaussian", "advdyn.data.synthetic.gaussian"), ("mixture", "advdyn.data.synthetic.mixture")],
)
def test_a_data_set_declares_what_its_maker_takes(source, function):
    module, name = function.rsplit(".", 1)
    assert set(inspect.signature(getattr(import_module(module), name)).parameters) == set(
        data_model.SOURCES[source].reads
    )


def test_schemas_and_tables_are_those_of_the_models():
    for path, text in schema.generated():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} drifted: run `make schemas`"


def test_conda_and_pip_have_the_same_pins():
    lines = (ROOT / "envs" / "requirements.txt").read_text().splitlines()
    pip = {line for line in lines if line and not line.startswith("#")}
    environment = YAML(typ="safe").load((ROOT / "envs" / "environment.yaml").read_text())
    conda = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert set(conda) == pip
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", pin) for pin in pip)
    constraints = {line.lower() for line in (ROOT / "envs" / "constraints.txt").read_text().splitlines()}
    assert {pin.lower() for pin in pip} <= constraints


def test_the_snakefile_fits_a_screen_and_imports_nothing_heavy():
    text = (ROOT / "Snakefile").read_text()
    assert len(text.splitlines()) < 100
    for file in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        assert not re.search(r"import (torch|numba|xarray)|from (torch|numba|xarray)", file.read_text()), file


def test_every_figure_has_a_caption():
    seen = 0
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for caption in re.findall(r'figure\(\s*"[^"]*",\s*"(\w+)"', file.read_text()):
            assert (ROOT / "workflow" / "report" / f"{caption}.rst").is_file(), caption
            seen += 1
    assert seen == sum(name.startswith("plot_") for name in RULES)


def test_every_link_of_the_documents_leads_somewhere():
    documents = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "config" / "README.md",
        *(ROOT / "docs").glob("*.md"),
    ]
    for document in documents:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert link.startswith("http") or (document.parent / link).exists(), (document.name, link)


def test_every_study_has_rules_a_study_file_and_claims():
    for study in registry.STUDIES:
        for path in (f"workflow/rules/{study}.smk", f"config/studies/{study}.yaml", f"advdyn/{study}/claims.py"):
            assert (ROOT / path).is_file(), path
        assert f'TARGETS["{study}"] =' in (ROOT / "workflow" / "rules" / f"{study}.smk").read_text()
        assert "**COLLECTION.inputs," in RULES[f"collect_{study}"]
