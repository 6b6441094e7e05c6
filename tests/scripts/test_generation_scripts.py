"""The scripts of the study generation, one after the other on stand-ins for Snakemake's object: files in, files out."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import claims, io, linear, provenance
from advdyn.generation.model import Model

CODE = [linear.__file__]
SETTINGS = Model(
    n_train=60, width=8, d_width=8, latent=4, batch=16, epochs=2, kept=[0, 2], shown=8, samples=24, judge_images=40,
    judge_epochs=2, fresh_epochs=1, reference_draws=2, device="cpu",
)  # fmt: skip
CELLS = [{"loss": "non-saturating"}, {"loss": "minimax"}]


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
    """A data set file of 7 x 7 images of three classes in the layout of advdyn.data."""
    rng = np.random.default_rng(0)
    n, label = 200, np.arange(200) % 3
    pattern = rng.integers(40, 220, (3, 49))
    image = np.clip(pattern[label] + rng.integers(-60, 60, (n, 49)), 0, 255).astype(np.uint8)
    data = xr.Dataset(
        {
            "image": io.variable(("sample", "pixel"), image, "image"),
            "label": io.variable(("sample",), label, "class"),
            "split": io.variable(("sample",), np.repeat([0, 1, 2], [120, 30, 50]).astype(np.int8), "split"),
        },
        attrs={"image_shape": "7,7"},
    )
    path = str(tmp_path_factory.mktemp("data") / "mnist.nc")
    io.write(data, path, {}, CODE)
    return path


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in two cells."""
    folder = tmp_path_factory.mktemp("generation")
    (judge,) = run("train_generation_judge", folder, "judge.nc", point("train_judge"), data=[images])
    made = {"train": [], "evaluate": []}
    for i, cell in enumerate(CELLS):
        out = Named(record=str(folder / f"{i}.nc"), weights=str(folder / f"{i}.safetensors"))
        run("train_generation", folder, out, point("train", **cell), data=[images])
        made["train"].append(out.record)
        given = {"data": [images], "record": out.record, "weights": out.weights, "judge": judge}
        made["evaluate"] += run("evaluate_generation", folder, f"evaluation-{i}.nc", point("evaluate"), **given)
    made["evaluate_references"] = run(
        "evaluate_generation_references", folder, "references.nc", point("evaluate_references"), data=[images],
        judge=judge,
    )  # fmt: skip
    return folder, made


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
    given = {"parts": parts, "parameters": Model.described(), "partial": "", "reference": {"loss": "non-saturating"}}
    return run("collect_generation", folder, "study.nc", given, **made)[0]


def test_the_chain_of_scripts_ends_in_one_data_set_over_what_is_swept(chain, collected):
    study = io.read(collected)
    assert study["frechet"].dims == ("loss", "seed", "kept")
    assert list(study["loss"].values) == ["non-saturating", "minimax"]
    assert study["player_loss"].dims == ("loss", "seed", "epoch")
    assert {"real", "copies", "gaussian", "noise"} == set(study["source"].values)
    one = io.read(chain[1]["evaluate"][1])
    np.testing.assert_array_equal(study["frechet"].sel(loss="minimax"), one["frechet"])
    for name, variable in study.variables.items():
        assert {"long_name", "units"} <= set(variable.attrs) or variable.dtype.kind in "OU", name


def test_the_claims_are_measured_on_what_was_collected(chain, collected):
    (table,) = run("assess_generation", chain[0], "claims.csv", {}, study=collected)
    found = pd.read_csv(table)
    assert set(found["verdict"]) <= set(claims.VERDICTS)
    assert (found["study"] == "generation").all()


def test_weights_of_another_training_are_refused(chain, images):
    folder, made = chain
    given = {"data": [images], "record": made["train"][0], "weights": str(folder / "1.safetensors")}
    with pytest.raises(SystemExit):
        run("evaluate_generation", folder, "no.nc", point("evaluate"), judge=str(folder / "judge.nc"), **given)
    assert not (folder / "no.nc").exists()


def test_a_judge_of_the_gans_own_images_is_refused(chain, images):
    folder, made = chain
    given = {"data": [images], "record": made["train"][0], "weights": str(folder / "0.safetensors")}
    more = point("train_judge", judge_images=100)
    (judge,) = run("train_generation_judge", folder, "own.nc", more, data=[images])
    with pytest.raises(SystemExit):
        run("evaluate_generation", folder, "no.nc", point("evaluate"), judge=judge, **given)
