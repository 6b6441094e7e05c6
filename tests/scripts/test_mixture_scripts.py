"""The scripts of the study mixture and of the ledger, run on stand-ins for Snakemake's object."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import xarray as xr

from advdyn import io, provenance
from advdyn.degeneration.model import FIGURES as DEGENERATION_FIGURES
from advdyn.generation.model import FIGURES as GENERATION_FIGURES
from advdyn.mixture.model import Model
from advdyn.robustness.model import FIGURES
from advdyn.semisupervised.model import FIGURES as SEMISUPERVISED_FIGURES
from advdyn.turing.model import FIGURES as TURING_FIGURES

ROOT = Path(__file__).resolve().parents[2]
CODE = [str(ROOT / "advdyn" / "io.py")]
SETTINGS = {
    **{name: getattr(Model(), name) for name in Model.model_fields},
    "prior": [0.5, 0.7], "eps_train": [0.0, 1.0], "dimension": 20, "alpha": [0.0, 1.0, 2.0], "eps": [0.0, 1.0, 2.0],
    "full_alpha_max": 1.0, "test_examples": 400, "scaling_dimensions": [10, 20, 40], "scaling_alpha": 1.0, "scaling_seeds": 40,
    "potential_dimensions": [2, 5], "potential_examples": 60, "seeds": [0, 1, 2], "device": "cpu",
}  # fmt: skip
FIGURE = (".pdf", ".svg", ".png", ".csv")


class Named(list):
    """A list whose items also have names, as Snakemake's input and output are."""

    def __init__(self, items=(), **named):
        super().__init__([*items, *named.values()])
        self.__dict__.update(named)
        self.named = named

    def __getitem__(self, key):
        return self.named[key] if isinstance(key, str) else super().__getitem__(key)


def call(script, folder, output, point, panel="", **inputs):
    """Call a script's main with the object that Snakemake would give it."""
    job = SimpleNamespace(
        input=Named(code=CODE, **inputs), output=output, params=SimpleNamespace(point=point),
        log=[str(folder / f"{script}.log")], wildcards=SimpleNamespace(panel=panel),
    )  # fmt: skip
    importlib.import_module(f"scripts.{script}").main(job)
    return output


def point_of(step, **changes):
    values = SETTINGS | changes
    return {name: values[name] for name in Model.steps[step].reads}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study from its simulations to its data sets."""
    folder = tmp_path_factory.mktemp("study")
    made = {}
    jobs = [("simulate", "simulate_mixture", {"simulator": s}) for s in ("lumped", "full")]
    jobs += [("integrate", "integrate_mixture", {}), ("scale", "scale_mixture", {})]
    for step, script, cell in jobs:
        file = str(folder / f"{step}-{'-'.join(cell.values())}.nc")
        point = point_of(step, **cell)
        call(script, folder, Named([file]), point)
        made.setdefault(step, []).append((file, cell, provenance.digest(point)))
    asked = {
        step: {
            "rule": step,
            "code": provenance.code_digest(CODE),
            "cells": [c for _, c, _ in rows],
            "digests": [d for _, _, d in rows],
            "sources": [[]] * len(rows),
        }
        for step, rows in made.items()
    }
    output = Named(study=str(folder / "mixture.nc"), scaling=str(folder / "scaling.nc"))
    point = {"parts": asked, "parameters": Model.described(), "partial": ""}
    call("collect_mixture", folder, output, point, **{step: [f for f, _, _ in rows] for step, rows in made.items()})
    return SimpleNamespace(folder=folder, study=output.study, scaling=output.scaling, point=point, files=made)


def test_collection_lays_simulation_beside_theory(study):
    found = io.read(study.study)
    assert found["R_sim"].dims == ("seed", "prior", "eps_train", "simulator", "alpha")
    assert found["R_ode"].dims == ("order", "prior", "eps_train", "alpha")
    for name in ("R", "b"):
        for variable in (f"{name}_ode", f"{name}_sim", f"{name}_sd_theory", f"{name}_fixed"):
            assert variable in found
    for kind in ("ode", "sim"):
        for name in ("test_error", "adversarial_error", "adversarial_error_report", "robustness"):
            assert f"{name}_{kind}" in found
    assert found["dimension"].item() == 20
    for name, (unit, description) in Model.described().items():  # one description, cell, lane or setting alike
        if name in found.coords:
            assert (found[name].attrs["units"], found[name].attrs["long_name"]) == (unit, description)
    at = found.sel(simulator="full", alpha=2.0)  # the full stream stopped before
    assert at["R_sim"].isnull().all()
    assert found.sel(simulator="lumped")["R_sim"].notnull().all()


def test_collection_refuses_a_file_of_another_study(study, tmp_path):
    point = {**study.point, "parts": {k: dict(v) for k, v in study.point["parts"].items()}}
    point["parts"]["integrate"]["digests"] = ["0" * 16]
    output = Named(study=str(tmp_path / "mixture.nc"), scaling=str(tmp_path / "scaling.nc"))
    with pytest.raises(SystemExit):
        call(
            "collect_mixture",
            tmp_path,
            output,
            point,
            **{s: [f for f, _, _ in rows] for s, rows in study.files.items()},
        )
    assert "made with other parameters" in (tmp_path / "collect_mixture.log").read_text()
    assert not Path(output.study).exists()


def test_the_agreement_table_has_a_row_for_each_score(study, tmp_path):
    (file,) = call("tabulate_mixture", tmp_path, Named([str(tmp_path / "agreement.csv")]), {}, study=study.study)
    table = pd.read_csv(file)
    assert {"simulator", "order", "parameter", "prior", "eps_train", "alpha", "theory", "mean", "z"} <= set(
        table.columns
    )
    points = 2 * 2 * 2 * 2  # order, parameter, prior, eps_train
    assert len(table) == points * 3 + points * 2  # lumped to alpha = 2, full to alpha = 1
    scored = table.dropna(subset="z")
    by_hand = (scored["mean"] - scored["theory"]) / (scored["sd"] / scored["n"] ** 0.5)
    assert (by_hand - scored["z"]).abs().max() < 1e-6
    assert (scored["beyond_2"] == (scored["z"].abs() > 2)).all()


def test_claims_figures_and_ledger_are_made(study, tmp_path):
    (table,) = call(
        "assess_mixture", tmp_path, Named([str(tmp_path / "claims.csv")]), {}, study=study.study, scaling=study.scaling
    )
    for script, panel, inputs in (
        ("plot_mixture_curves", "prior~0.7", {"study": study.study}),
        ("plot_mixture_potential", "prior~0.5", {"study": study.study}),
        ("plot_mixture_scaling", "", {"scaling": study.scaling}),
    ):
        files = Named(str(tmp_path / f"{script}{suffix}") for suffix in FIGURE)
        call(script, tmp_path, files, {}, panel, **inputs)
        assert all(Path(f).stat().st_size > 0 for f in files)
        assert not pd.read_csv(files[-1]).empty
    ledger = Named(csv=str(tmp_path / "ledger.csv"), html=str(tmp_path / "ledger.html"))
    call("collect_claims", tmp_path, ledger, {}, tables=[table])
    found = pd.read_csv(ledger.csv)
    assert set(found["study"]) == {"mixture"}
    assert {"potential_gaussian", "evaluation_measures", "self_averaging/R"} <= set(found["claim"])
    assert "potential_gaussian" in Path(ledger.html).read_text()


def test_the_data_are_drawn(tmp_path):
    point = {"prior": 0.5, "rho": 6.0, "v1": 1.0, "v2": 1.0, "dimension": 30, "n": 50, "root": 0, "seed": 0}
    (data,) = call("sample_mixture", tmp_path, Named([str(tmp_path / "data.nc")]), point)
    files = Named(str(tmp_path / f"data{suffix}") for suffix in FIGURE)
    call("plot_mixture_data", tmp_path, files, {}, data=data)
    drawn = pd.read_csv(files[-1])
    along = drawn[drawn["plane"] == "$B$"].groupby("label")["x"].mean()
    assert along[1] - along[-1] == pytest.approx(6, abs=1)


def test_logistic_cells_are_collected(tmp_path):
    values = xr.Dataset(
        {"v": io.variable(("eps",), [1.0, 2.0], "v")}, {"eps": io.variable(("eps",), [0.0, 1.0], "eps")}
    )
    rows = []
    for l2 in (0.1, 0.2):
        file = str(tmp_path / f"{l2}.nc")
        io.write(values, file, {"l2": l2}, CODE)
        rows.append((file, {"l2": l2}, provenance.digest({"l2": l2})))
    part = {
        "rule": "evaluate",
        "code": provenance.code_digest(CODE),
        "cells": [c for _, c, _ in rows],
        "digests": [d for *_, d in rows],
        "sources": [[]] * len(rows),
    }
    point = {"parts": {"evaluate": part}, "parameters": {"l2": ["1", "penalty"]}, "partial": ""}
    output = Named(study=str(tmp_path / "logistic.nc"))
    call("collect_logistic", tmp_path, output, point, evaluate=[f for f, *_ in rows])
    assert io.read(output.study).sizes["l2"] == 2


def test_every_script_is_called_by_a_test_here():
    tested = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    scripts = {file.stem for file in (ROOT / "scripts").glob("*.py")}
    plots = {f"plot_logistic_{kind}" for kind in ("weights", "outputs", "errors", "example")}
    plots |= {f"plot_robustness_{kind}" for kind in FIGURES}  # test_robustness_figures
    plots |= {f"plot_turing_{kind}" for kind in TURING_FIGURES}  # test_turing_figures
    plots |= {f"plot_generation_{kind}" for kind in GENERATION_FIGURES}  # test_generation_figures
    plots |= {f"plot_degeneration_{kind}" for kind in DEGENERATION_FIGURES}  # test_degeneration_figures
    plots |= {f"plot_semisupervised_{kind}" for kind in SEMISUPERVISED_FIGURES}  # test_semisupervised_figures
    assert {s for s in scripts - plots if f'"{s}"' not in tested} == set()
