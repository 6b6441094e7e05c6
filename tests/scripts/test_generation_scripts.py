"""The scripts of the study generation, one after the other on stand-ins for Snakemake's object: files in, files out."""

import numpy as np
import pandas as pd
import pytest

from advdyn import claims, io
from advdyn.generation.model import Model
from tests import jobs
from tests.jobs import Named, asked, run

SETTINGS = Model(
    n_train=60, width=8, d_width=8, latent=4, batch=16, epochs=2, kept=[0, 2], shown=8, samples=24, judge_images=40,
    judge_epochs=2, fresh_epochs=1, reference_draws=2, device="cpu",
)  # fmt: skip
CELLS = [{"loss": "non-saturating"}, {"loss": "minimax"}]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return jobs.images(tmp_path_factory.mktemp("data"), 7, [120, 30, 50])


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, in two cells."""
    folder = tmp_path_factory.mktemp("generation")
    (judge,) = run("train_generation_judge", folder, "judge.nc", jobs.params(SETTINGS, "train_judge"), data=[images])
    made = {"train": [], "evaluate": []}
    for i, cell in enumerate(CELLS):
        out = Named(record=str(folder / f"{i}.nc"), weights=str(folder / f"{i}.safetensors"))
        run("train_generation", folder, out, jobs.params(SETTINGS, "train", **cell), data=[images])
        made["train"].append(out.record)
        given = {"data": [images], "record": out.record, "weights": out.weights, "judge": judge}
        made["evaluate"] += run(
            "evaluate_generation", folder, f"evaluation-{i}.nc", jobs.params(SETTINGS, "evaluate"), **given
        )
    made["evaluate_references"] = run(
        "evaluate_generation_references", folder, "references.nc", jobs.params(SETTINGS, "evaluate_references"), data=[images],
        judge=judge,
    )  # fmt: skip
    return folder, made


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
        run(
            "evaluate_generation",
            folder,
            "no.nc",
            jobs.params(SETTINGS, "evaluate"),
            judge=str(folder / "judge.nc"),
            **given,
        )
    assert not (folder / "no.nc").exists()


def test_a_judge_of_the_gans_own_images_is_refused(chain, images):
    folder, made = chain
    given = {"data": [images], "record": made["train"][0], "weights": str(folder / "0.safetensors")}
    more = jobs.params(SETTINGS, "train_judge", judge_images=100)
    (judge,) = run("train_generation_judge", folder, "own.nc", more, data=[images])
    with pytest.raises(SystemExit):
        run("evaluate_generation", folder, "no.nc", jobs.params(SETTINGS, "evaluate"), judge=judge, **given)
