"""The scripts of the study logistic, run on stand-ins for Snakemake's object: files in, files out."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import claims, io, linear

TRAIN = {
    "positive": 3, "negative": 7, "l2": [1e-3, 1e-1], "eps_train": [0.0, 0.2], "tolerance": 1e-8, "max_iterations": 200,
    "device": "cpu", "dtype": "float64",
}  # fmt: skip
EVALUATE = {"positive": 3, "negative": 7, "eps": [round(0.01 * k, 2) for k in range(61)], "root": 0}
FIGURES = ("weights", "outputs", "errors", "example")


def run(script, folder, output, point=None, **inputs):
    """Call a script's main with the object that Snakemake would give it."""
    outputs = [output] if isinstance(output, str) else output
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], **inputs),
        output=[str(folder / name) for name in outputs],
        params=SimpleNamespace(point=point),
        log=[str(folder / "logs" / f"{script}.log")],
    )
    importlib.import_module(f"scripts.{script}").main(job)
    return [Path(name) for name in job.output]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A data set file of 6 x 6 images in the layout of advdyn.data."""
    rng = np.random.default_rng(0)
    n = 900
    label = rng.choice([3, 5, 7], n)
    pattern = rng.integers(40, 220, (10, 36))
    pattern[:, ::9] = 0
    noise = rng.integers(-90, 90, (n, 36)) * (pattern[label] > 0)
    image = np.clip(pattern[label] + noise, 0, 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "mnist.nc"
    data = xr.Dataset(
        {
            "image": io.variable(("sample", "pixel"), image, "image"),
            "label": io.variable(("sample",), label.astype(np.int16), "class"),
            "split": io.variable(("sample",), np.arange(n) % 3, "split"),
        },
        attrs={"image_shape": "6,6"},
    )
    io.write(data, path, {}, [linear.__file__])
    return str(path)


@pytest.fixture(scope="module")
def study(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logistic")
    trained = run("train_logistic", folder, "training.nc", TRAIN, data=images)[0]
    return run("evaluate_logistic", folder, "evaluation.nc", EVALUATE, data=images, trained=str(trained))[0]


def test_files_record_their_parameters(study):
    assert io.point_of(io.read(study)) == EVALUATE
    trained = io.read(study.with_name("training.nc"))
    assert io.point_of(trained) == TRAIN
    assert trained["weight"].dims == ("l2", "eps_train", "pixel")
    assert trained["converged"].values.all()
    assert (study.parent / "logs" / "train_logistic.log").exists()


def test_same_inputs_same_bytes(study, images, tmp_path):
    trained = run("train_logistic", tmp_path, "training.nc", TRAIN, data=images)[0]
    assert trained.read_bytes() == study.with_name("training.nc").read_bytes()
    again = run("evaluate_logistic", tmp_path, "evaluation.nc", EVALUATE, data=images, trained=str(trained))[0]
    assert again.read_bytes() == study.read_bytes()


@pytest.mark.parametrize("kind", FIGURES)
def test_figures(study, tmp_path, kind):
    names = [f"{kind}{suffix}" for suffix in (".pdf", ".svg", ".png", ".csv")]
    first, second = (run(f"plot_logistic_{kind}", tmp_path / part, names, study=str(study)) for part in "ab")
    for one, two in zip(first, second, strict=True):
        assert one.stat().st_size > 500
        assert one.read_bytes() == two.read_bytes()
    assert len(pd.read_csv(first[-1])) > 10


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_a_single_model(images, tmp_path, kind):
    point = TRAIN | {"l2": 1e-2, "eps_train": 0.0}
    trained = run("train_logistic", tmp_path, "training.nc", point, data=images)[0]
    one = run("evaluate_logistic", tmp_path, "evaluation.nc", EVALUATE, data=images, trained=str(trained))[0]
    run(f"plot_logistic_{kind}", tmp_path, [f"{kind}.png", f"{kind}.csv"], study=str(one))


def test_assess(study, tmp_path):
    table = pd.read_csv(run("assess_logistic", tmp_path, "claims.csv", study=str(study))[0])
    assert tuple(table.columns) == claims.COLUMNS
    assert set(table["verdict"]) <= set(claims.VERDICTS)
    assert {"forty_percent/l2=0.001", "monotone", "protects/eps_train=0.2", "kit_fox"} <= set(table["claim"])


def test_unconverged_lanes_are_kept_and_reported(images, tmp_path):
    point = TRAIN | {"max_iterations": 1}
    trained = run("train_logistic", tmp_path, "training.nc", point, data=images)[0]
    assert not io.read(trained)["converged"].values.any()
    assert "not converged" in (tmp_path / "logs" / "train_logistic.log").read_text()
    one = run("evaluate_logistic", tmp_path, "evaluation.nc", EVALUATE, data=images, trained=str(trained))[0]
    table = pd.read_csv(run("assess_logistic", tmp_path, "claims.csv", study=str(one))[0])
    assert set(table["verdict"]) == {"not tested", "not testable"}
    for kind in ("outputs", "errors", "example"):
        run(f"plot_logistic_{kind}", tmp_path, [f"{kind}.png"], study=str(one))


def test_a_failure_is_in_the_log(images, tmp_path):
    with pytest.raises(SystemExit):
        run("train_logistic", tmp_path, "training.nc", TRAIN | {"negative": 9}, data=images)
    assert "none of class 9" in (tmp_path / "logs" / "train_logistic.log").read_text()
    assert not (tmp_path / "training.nc").exists()
