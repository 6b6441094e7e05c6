"""The scripts of the study robustness, one after the other on stand-ins for Snakemake's object: files in, files out."""

from pathlib import Path

import pandas as pd
import pytest

from advdyn import claims, io
from advdyn.robustness.model import Model
from tests import jobs
from tests.jobs import Named, asked, run

SETTINGS = Model(
    model="mlp-8", n_train=120, epochs=1, batch=40, n_test=30, iterated_seeds=1, linearity_images=10, minimum_images=5,
    fooling_starts=1, eps_linf=[0.0, 0.1], eps_l2=[0.0, 1.0], surrogate="softmax", surrogate_epochs=1,
    scaled_models=["softmax"], resolutions=[4, 6], scaled_seeds=1, device="cpu",
    attacks={"fgsm": {}, "pgd": {"initialisation": "uniform", "steps": 2}},
)  # fmt: skip


def both(folder, name):
    return Named(record=str(folder / f"{name}.nc"), weights=str(folder / f"{name}.safetensors"))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return jobs.images(tmp_path_factory.mktemp("data"), 6, [150, 60, 90])


@pytest.fixture(scope="module")
def chain(images, tmp_path_factory):
    """Every rule of the study once, for standard and FGSM training."""
    folder = tmp_path_factory.mktemp("robustness")
    trained, attacked = [], []
    for kind, eps in (("standard", [0.0]), ("fgsm", [0.1])):
        out = both(folder, kind)
        run(
            "train_robustness",
            folder,
            out,
            jobs.params(SETTINGS, "train", training=kind, eps_train=eps),
            data=images,
            own=[],
        )
        trained.append(out)
        given = {"data": images, "record": out.record, "weights": out.weights, "own": []}
        attacked += run("attack_robustness", folder, f"attack-{kind}.nc", jobs.params(SETTINGS, "attack"), **given)
    given = {"data": images, "record": [t.record for t in trained], "weights": [t.weights for t in trained], "own": []}
    surrogates = both(folder, "surrogates")
    run("train_robustness_surrogate", folder, surrogates, jobs.params(SETTINGS, "train_surrogate"), **given)
    extra = {"surrogates": surrogates.record, "surrogate_weights": surrogates.weights}
    transfer = run("transfer_robustness", folder, "transfer.nc", jobs.params(SETTINGS, "transfer"), **given, **extra)
    scale = run("scale_robustness", folder, "scale.nc", jobs.params(SETTINGS, "scale"), data=images)
    pictures = run("illustrate_robustness", folder, "pictures.nc", jobs.params(SETTINGS, "illustrate"), **given)
    return folder, {"attack": attacked, "transfer": transfer, "scale": scale, "illustrate": pictures}


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
        run("attack_robustness", tmp_path, "attack.nc", jobs.params(SETTINGS, "attack"), data=images, own=[], **mixed)
    assert "made by training" in (tmp_path / "logs" / "attack_robustness.log").read_text()
    assert not (tmp_path / "attack.nc").exists()


def test_training_and_attack_give_the_same_bytes_again(chain, images, tmp_path):
    folder, _ = chain
    out = both(tmp_path, "fgsm")
    params = jobs.params(SETTINGS, "train", training="fgsm", eps_train=[0.1])
    run("train_robustness", tmp_path, out, params, data=images, own=[])
    for suffix in (".nc", ".safetensors"):
        assert (tmp_path / f"fgsm{suffix}").read_bytes() == (folder / f"fgsm{suffix}").read_bytes()
    given = {"data": images, "record": out.record, "weights": out.weights, "own": []}
    run("attack_robustness", tmp_path, "attack-fgsm.nc", jobs.params(SETTINGS, "attack"), **given)
    assert (tmp_path / "attack-fgsm.nc").read_bytes() == (folder / "attack-fgsm.nc").read_bytes()


def test_assess(collected, tmp_path):
    given = {"study": collected.study, "illustrations": collected.illustrations}
    table = pd.read_csv(Path(run("assess_robustness", tmp_path, "claims.csv", None, **given)[0]))
    assert tuple(table.columns) == claims.COLUMNS
    assert set(table["verdict"]) <= set(claims.VERDICTS)
    assert {"monotone", "panda"} <= set(table["claim"])
