"""The scripts of the study turing, one after the other on stand-ins for Snakemake's object: files in, files out."""

import json

import numpy as np
import pandas as pd
import pytest

from advdyn import claims, io
from advdyn.turing.collect import SYSTEM
from advdyn.turing.model import Model
from tests import jobs
from tests.jobs import Named, asked, run

SETTINGS = Model(
    n=12, width=10, duration=1.0, times=[0.0, 0.2, 0.5, 0.8, 1.0], critic_width=6, filters=3, embedding_seeds=1,
    embedded_neurons=8, device="cpu",
)  # fmt: skip
CELLS = [{"net": "theory", "control": "none"}, {"net": "full", "control": "none"},
         {"net": "theory", "control": "permuted-pixels"}]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return jobs.images(tmp_path_factory.mktemp("data"), 5, [20, 10, 10])


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in three cells with and without the adversary."""
    folder = tmp_path_factory.mktemp("turing")
    made = {"train": [], "bound": [], "diagnose": []}
    weights = []
    for i, cell in enumerate(CELLS):
        out = Named(record=str(folder / f"{i}.nc"), weights=str(folder / f"{i}.safetensors"))
        run(
            "train_turing",
            folder,
            out,
            jobs.params(SETTINGS, "train", adversary=["without", "with"], **cell),
            data=[images],
        )
        given = {"data": [images], "record": out.record, "weights": out.weights}
        made["train"].append(out.record)
        made["bound"] += run("bound_turing", folder, f"bound-{i}.nc", jobs.params(SETTINGS, "bound"), **given)
        made["diagnose"] += run(
            "diagnose_turing", folder, f"diagnose-{i}.nc", jobs.params(SETTINGS, "diagnose"), **given
        )
        weights.append(out.weights)
    pictures = run(
        "illustrate_turing", folder, "pictures.nc", jobs.params(SETTINGS, "illustrate"), data=[images], record=made["train"],
        weights=weights,
    )  # fmt: skip
    return folder, made | {"illustrate": pictures}


@pytest.fixture(scope="module")
def collected(chain):
    folder, made = chain
    parts = {step: asked(files, CELLS if len(files) == len(CELLS) else [{}]) for step, files in made.items()}
    reference = {"net": "theory", "width": 10, "n": 12, "eta": 0.1}
    given = {"parts": parts, "parameters": Model.described(), "partial": "", "reference": reference}
    out = Named(study=str(folder / "study.nc"), illustrations=str(folder / "all-pictures.nc"))
    return run("collect_turing", folder, out, given, **made)


def test_the_chain_of_scripts_ends_in_one_data_set_over_runs(chain, collected):
    study = io.read(collected.study)
    assert study.sizes["run"] == len(CELLS) * 2
    assert all(study[name].dims == ("run",) for name in SYSTEM)
    without = study["adversary"] == "without"
    assert (study["penalty"].where(without, 0) == 0).all()
    assert (study["q"].where(without, 0) == 0).all()
    assert json.loads(study.attrs["reference"])["width"] == 10
    record = io.read(chain[1]["train"][1])  # of the full net
    there = (study["net"] == "full") & (study["adversary"] == "with")
    np.testing.assert_allclose(
        study["error"].where(there, drop=True).isel(run=0).dropna("time"), record["error"].sel(lane=1), rtol=0, atol=0
    )
    for name, variable in study.variables.items():
        assert {"long_name", "units", "references"} <= set(variable.attrs), name


def test_what_gradient_descent_must_obey_holds_on_every_run_of_the_chain(collected):
    study = io.read(collected.study)
    held = study["ratio"].where(study["asserted"] == 1)
    rigorous = held.sel(bound=["B1a", "B3", "B4", "B4v"])
    assert rigorous.notnull().any()
    assert float(rigorous.max()) <= 1 + 1e-9


def test_the_claims_are_measured_on_what_was_collected(chain, collected):
    folder, _ = chain
    given = {"study": collected.study, "illustrations": collected.illustrations}
    (table,) = run("assess_turing", folder, "claims.csv", {}, **given)
    found = pd.read_csv(table)
    assert set(found["verdict"]) <= set(claims.VERDICTS)
    assert (found["study"] == "turing").all()


def test_weights_of_another_training_are_refused(chain, images):
    folder, made = chain
    given = {"data": [images], "record": made["train"][0], "weights": str(folder / "1.safetensors")}
    with pytest.raises(SystemExit):
        run("diagnose_turing", folder, "no.nc", jobs.params(SETTINGS, "diagnose"), **given)
    assert not (folder / "no.nc").exists()
