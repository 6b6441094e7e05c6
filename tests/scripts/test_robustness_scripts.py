"""The scripts of the study robustness, one after the other on stand-ins for Snakemake's object: files in, files out."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import claims, io, linear, provenance
from advdyn.robustness.model import Model

CODE = [linear.__file__]
SETTINGS = Model(
    model="mlp-8", n_train=120, epochs=1, batch=40, n_test=30, iterated_seeds=1, linearity_images=10, minimum_images=5,
    fooling_starts=1, eps_linf=[0.0, 0.1], eps_l2=[0.0, 1.0], surrogate="softmax", surrogate_epochs=1,
    scaled_models=["softmax"], resolutions=[4, 6], scaled_seeds=1, device="cpu",
    attacks={"fgsm": {}, "pgd": {"initialisation": "uniform", "steps": 2}},
)  # fmt: skip


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


def both(folder, name):
    return Named(record=str(folder / f"{name}.nc"), weights=str(folder / f"{name}.safetensors"))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set file of 6 x 6 images of three classes in the layout of advdyn.data."""
    rng = np.random.default_rng(0)
    n = 300
    label = np.arange(n) % 3
    pattern = rng.integers(40, 220, (3, 36))
    image = np.clip(pattern[label] + rng.integers(-60, 60, (n, 36)), 0, 255).astype(np.uint8)
    split = np.repeat([0, 1, 2], [150, 60, 90])
    data = xr.Dataset(
        {
            "image": io.variable(("sample", "pixel"), image, "image"),
            "label": io.variable(("sample",), label, "class"),
            "split": io.variable(("sample",), split.astype(np.int8), "split"),
        },
        attrs={"image_shape": "6,6"},
    )
    path = str(tmp_path_factory.mktemp("data") / "mnist.nc")
    io.write(data, path, {}, CODE)
    return path


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, for standard and FGSM training."""
    folder = tmp_path_factory.mktemp("robustness")
    trained, attacked = [], []
    for kind, eps in (("standard", [0.0]), ("fgsm", [0.1])):
        out = both(folder, kind)
        run("train_robustness", folder, out, point("train", training=kind, eps_train=eps), data=images, own=[])
        trained.append(out)
        given = {"data": images, "record": out.record, "weights": out.weights, "own": []}
        attacked += run("attack_robustness", folder, f"attack-{kind}.nc", point("attack"), **given)
    given = {"data": images, "record": [t.record for t in trained], "weights": [t.weights for t in trained], "own": []}
    surrogates = both(folder, "surrogates")
    run("train_robustness_surrogate", folder, surrogates, point("train_surrogate"), **given)
    extra = {"surrogates": surrogates.record, "surrogate_weights": surrogates.weights}
    transfer = run("transfer_robustness", folder, "transfer.nc", point("transfer"), **given, **extra)
    scale = run("scale_robustness", folder, "scale.nc", point("scale"), data=images)
    pictures = run("illustrate_robustness", folder, "pictures.nc", point("illustrate"), **given)
    return folder, {"attack": attacked, "transfer": transfer, "scale": scale, "illustrate": pictures}


def asked(files, cells):
    made = [io.read(file).attrs for file in files]
    return {
        "rule": "make",
        "code": provenance.code_digest(CODE),
        "cells": cells,
        "digests": [provenance.digest(io.point_of(io.read(file))) for file in files],
        "sources": [json.loads(attributes["sources"]) for attributes in made],
    }


@pytest.fixture(scope="module")
def collected(chain):
    folder, files = chain
    cells = {"attack": [{"training": "standard"}, {"training": "fgsm"}]}
    parts = {step: asked(found, cells.get(step, [{}])) for step, found in files.items()}
    params = {"parts": parts, "parameters": Model.described(), "partial": "", "eps_reference": 0.1}
    out = Named(study=str(folder / "robustness.nc"), illustrations=str(folder / "illustrations.nc"))
    run("collect_robustness", folder, out, params, **files)
    return out


def test_the_collected_study_has_every_axis_also_where_it_has_one_value(collected):
    study = io.read(collected.study)
    axes = {"model", "training", "eps_train", "n_train", "seed", "attack", "eps", "clip"}
    assert set(study["error"].dims) == axes
    assert study["model"].values.tolist() == ["mlp-8"]
    assert study["error"].sel(training="standard", eps_train=0.0, attack="fgsm", eps=0.1).notnull().all()
    assert study["error"].sel(training="fgsm", eps_train=0.0).isnull().all()
    assert study["n_train"].attrs["long_name"] == "training images, the first so many"
    assert float(study["eps_reference"]) == 0.1
    assert {"transfer_error", "surrogate_error", "half_eps"} <= set(study)


def test_the_weights_and_the_record_of_a_training_belong_together(chain, images, tmp_path):
    folder, _ = chain
    mixed = {"record": str(folder / "standard.nc"), "weights": str(folder / "fgsm.safetensors")}
    with pytest.raises(SystemExit):
        run("attack_robustness", tmp_path, "attack.nc", point("attack"), data=images, own=[], **mixed)
    assert "made by training" in (tmp_path / "logs" / "attack_robustness.log").read_text()
    assert not (tmp_path / "attack.nc").exists()


def test_training_and_attack_give_the_same_bytes_again(chain, images, tmp_path):
    folder, _ = chain
    out = both(tmp_path, "fgsm")
    params = point("train", training="fgsm", eps_train=[0.1])
    run("train_robustness", tmp_path, out, params, data=images, own=[])
    for suffix in (".nc", ".safetensors"):
        assert (tmp_path / f"fgsm{suffix}").read_bytes() == (folder / f"fgsm{suffix}").read_bytes()
    given = {"data": images, "record": out.record, "weights": out.weights, "own": []}
    run("attack_robustness", tmp_path, "attack-fgsm.nc", point("attack"), **given)
    assert (tmp_path / "attack-fgsm.nc").read_bytes() == (folder / "attack-fgsm.nc").read_bytes()


def test_assess(collected, tmp_path):
    given = {"study": collected.study, "illustrations": collected.illustrations}
    table = pd.read_csv(Path(run("assess_robustness", tmp_path, "claims.csv", None, **given)[0]))
    assert tuple(table.columns) == claims.COLUMNS
    assert set(table["verdict"]) <= set(claims.VERDICTS)
    assert {"monotone", "panda"} <= set(table["claim"])
