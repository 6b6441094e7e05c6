"""The scripts of the study turing, one after the other on stand-ins for Snakemake's object: files in, files out."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import claims, io, linear, provenance
from advdyn.turing.collect import SYSTEM
from advdyn.turing.model import Model

CODE = [linear.__file__]
SETTINGS = Model(
    n=12, width=10, duration=1.0, times=[0.0, 0.2, 0.5, 0.8, 1.0], critic_width=6, filters=3, embedding_seeds=1,
    embedded_neurons=8, device="cpu",
)  # fmt: skip
CELLS = [{"net": "theory", "control": "none"}, {"net": "full", "control": "none"},
         {"net": "theory", "control": "permuted-pixels"}]  # fmt: skip


def point(step, **values):
    """The params of a step at these values."""
    found = {name: getattr(SETTINGS, name) for name in Model.steps[step].reads if name != "seeds"}
    return found | ({"seeds": [0, 1]} if "seeds" in Model.steps[step].reads else {}) | values


class Named(list):
    """Snakemake's outputs: a list whose items also have names."""

    def __init__(self, **files):
        super().__init__(files.values())
        self.__dict__.update(files)


class Inputs(SimpleNamespace):
    """Snakemake's inputs, by attribute and by name."""

    def __getitem__(self, name):
        return getattr(self, name)


def run(script, folder, output, params, **inputs):
    job = SimpleNamespace(
        input=Inputs(code=CODE, **inputs),
        output=output if isinstance(output, Named) else [str(folder / output)],
        params=SimpleNamespace(point=params),
        log=[str(folder / "logs" / f"{script}.log")],
    )
    importlib.import_module(f"scripts.{script}").main(job)
    return job.output


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set file of 5 x 5 images of three classes in the layout of advdyn.data."""
    rng = np.random.default_rng(0)
    n, label = 40, np.arange(40) % 3
    pattern = rng.integers(40, 220, (3, 25))
    image = np.clip(pattern[label] + rng.integers(-60, 60, (n, 25)), 0, 255).astype(np.uint8)
    data = xr.Dataset(
        {
            "image": io.variable(("sample", "pixel"), image, "image"),
            "label": io.variable(("sample",), label, "class"),
            "split": io.variable(("sample",), np.repeat([0, 1, 2], [20, 10, 10]).astype(np.int8), "split"),
        },
        attrs={"image_shape": "5,5"},
    )
    path = str(tmp_path_factory.mktemp("data") / "mnist.nc")
    io.write(data, path, {}, CODE)
    return path


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in three cells with and without the adversary."""
    folder = tmp_path_factory.mktemp("turing")
    made = {"train": [], "bound": [], "diagnose": []}
    weights = []
    for i, cell in enumerate(CELLS):
        out = Named(record=str(folder / f"{i}.nc"), weights=str(folder / f"{i}.safetensors"))
        run("train_turing", folder, out, point("train", adversary=["without", "with"], **cell), data=[images])
        given = {"data": [images], "record": out.record, "weights": out.weights}
        made["train"].append(out.record)
        made["bound"] += run("bound_turing", folder, f"bound-{i}.nc", point("bound"), **given)
        made["diagnose"] += run("diagnose_turing", folder, f"diagnose-{i}.nc", point("diagnose"), **given)
        weights.append(out.weights)
    pictures = run(
        "illustrate_turing", folder, "pictures.nc", point("illustrate"), data=[images], record=made["train"],
        weights=weights,
    )  # fmt: skip
    return folder, made | {"illustrate": pictures}


def asked(files, cells):
    made = [io.read(file).attrs for file in files]
    return {
        "rule": "make",
        "code": provenance.code_digest(CODE),
        "cells": cells,
        "digests": [provenance.digest(io.point_of(io.read(file))) for file in files],
        "sources": [json.loads(attrs["sources"]) for attrs in made],
    }


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
        run("diagnose_turing", folder, "no.nc", point("diagnose"), **given)
    assert not (folder / "no.nc").exists()
