"""The scripts of the study semisupervised, one after the other on stand-ins for Snakemake's object: files in and out."""

import json

import numpy as np
import pandas as pd
import pytest

from advdyn import claims, io
from advdyn.errors import InputError
from advdyn.semisupervised.model import Model
from tests import jobs
from tests.jobs import Named, asked, run

SETTINGS = Model(
    n_labels=6, n_pool=60, width=8, updates=10, checkpoints=2, batch_pool=16, n_validation=20, probe_eps=[0.5, 1.0],
    probe_images=10, probe_iterations=[1, 4], moons_labels=4, moons_pool=40, moons_width=8, moons_updates=10,
    moons_seeds=2, planted_updates=3, device="cpu",
)  # fmt: skip
CELLS = [{"training": "supervised"}, {"training": "random"}, {"training": "virtual"}]
ONCE = {"measure_distances": "measure_semisupervised_distances", "plant": "plant_semisupervised"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return jobs.images(tmp_path_factory.mktemp("data"), 7, [70, 30, 50])


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in three cells."""
    folder = tmp_path_factory.mktemp("semisupervised")
    made = {"train": [], "evaluate": []}
    for i, cell in enumerate(CELLS):
        out = Named(record=str(folder / f"{i}.nc"), weights=str(folder / f"{i}.safetensors"))
        run("train_semisupervised", folder, out, jobs.params(SETTINGS, "train", **cell), data=[images])
        given = {"data": [images], "record": out.record, "weights": out.weights}
        name = f"evaluation-{i}.nc"
        made["train"].append(out.record)
        made["evaluate"] += run("evaluate_semisupervised", folder, name, jobs.params(SETTINGS, "evaluate"), **given)
    for step, script in ONCE.items():
        made[step] = run(script, folder, f"{step}.nc", jobs.params(SETTINGS, step), data=[images])
    made["train_moons"] = run(
        "train_semisupervised_moons", folder, "moons.nc", jobs.params(SETTINGS, "train_moons")
    )  # fmt: skip
    return folder, made


@pytest.fixture(scope="module")
def collected(chain):
    folder, made = chain
    parts = {step: asked(files, CELLS if len(files) == len(CELLS) else [{}]) for step, files in made.items()}
    reference = {name: getattr(SETTINGS, name) for name in Model.fields()}
    given = {"parts": parts, "parameters": Model.described(), "partial": "", "reference": reference}
    return run("collect_semisupervised", folder, "study.nc", given, **made)[0]


def test_the_chain_of_scripts_ends_in_one_data_set_over_what_is_swept(chain, collected):
    study = io.read(collected)
    assert study["error"].dims == ("training", "seed", "split", "update")
    assert list(study["training"].values) == ["supervised", "random", "virtual"]
    assert study["smoothness"].dims == ("training", "seed", "along", "place", "length")
    assert {"other_class_distance", "moons_error", "planted_difference", "loss_smooth"} <= set(study.data_vars)
    assert study["other_class_distance"].dims == ("level",)
    assert json.loads(study.attrs["reference"])["moons_eps"] == SETTINGS.moons_eps
    one = io.read(chain[1]["evaluate"][2])
    np.testing.assert_array_equal(study["error"].sel(training="virtual"), one["error"])
    for name, variable in study.variables.items():
        assert {"long_name", "units"} <= set(variable.attrs) or variable.dtype.kind in "OU", name


def test_false_labels_of_the_pool_change_nothing_and_false_labels_of_the_labelled_do(collected):
    found = io.read(collected)["planted_difference"]
    assert (found.drop_sel(planted="labels") == 0).all()
    assert found.sel(planted="labels") > 0


def test_the_claims_are_measured_on_what_was_collected(chain, collected):
    (table,) = run("assess_semisupervised", chain[0], "claims.csv", {}, study=collected)
    found = pd.read_csv(table)
    assert set(found["verdict"]) <= set(claims.VERDICTS)
    assert (found["study"] == "semisupervised").all()
    assert (found.loc[found["claim"].str.startswith("gain"), "verdict"] == "not tested").all()  # two seeds are too few


def test_weights_of_another_training_are_refused(chain, images):
    folder, made = chain
    given = {"data": [images], "record": made["train"][0], "weights": str(folder / "1.safetensors")}
    with pytest.raises((InputError, SystemExit)):
        run("evaluate_semisupervised", folder, "other.nc", jobs.params(SETTINGS, "evaluate"), **given)
