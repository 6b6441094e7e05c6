"""The figures of the study robustness, through their scripts: the files, the numbers beside them, and small studies."""

import functools
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import io, linear
from tests import robustness_data

STUDY = (
    "curves",
    "attacks",
    "confidence",
    "training_eps",
    "capacity",
    "regularisation",
    "linearity",
    "transfer",
    "scale",
    "masking",
)
ILLUSTRATED = ("rays", "gallery", "filters")
SUFFIXES = (".pdf", ".svg", ".png", ".csv")


def draw(kind, data, folder, suffixes=SUFFIXES):
    """Call a figure's script with the object that Snakemake would give it; the files it made."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "input.nc"
    described = data.copy(deep=True)
    for name, variable in described.variables.items():
        variable.attrs |= {"long_name": str(name), "units": "1"}
    io.write(described, source, {}, [linear.__file__])
    files = [folder / f"{kind}{suffix}" for suffix in suffixes]
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], study=str(source), illustrations=str(source)),
        output=[str(file) for file in files],
        params=SimpleNamespace(point={}),
        log=[str(folder / "log.txt")],
    )
    importlib.import_module(f"scripts.plot_robustness_{kind}").main(job)
    return files


def numbers(kind, data, folder):
    """The table beside a figure."""
    return pd.read_csv(draw(kind, data, folder, (".csv",))[0])


@pytest.fixture(scope="module")
def study():
    return robustness_data.study(spread=0.004)


@pytest.fixture(scope="module")
def pictures():
    return robustness_data.illustrations()


@pytest.mark.parametrize("kind", STUDY + ILLUSTRATED)
def test_every_figure_is_made_the_same_twice(kind, study, pictures, tmp_path):
    data = pictures if kind in ILLUSTRATED else study
    first, second = (draw(kind, data, tmp_path / part) for part in "ab")
    for one, two in zip(first, second, strict=True):
        assert one.stat().st_size > 500
        assert one.read_bytes() == two.read_bytes()
    assert len(pd.read_csv(first[-1])) > 10


@functools.cache
def one_model():
    return robustness_data.tiny()


@functools.cache
def one_seed():
    return robustness_data.study(robustness_data.grid(("softmax", "mlp-16")), seeds=1, iterated_seeds=1, clip=(False,))


@functools.cache
def only_attacked():
    return robustness_data.study([("mlp-16", "pgd", 0.1, 500)], attacks=("pgd", "signs"), scale=False, transfer=False)


@functools.cache
def own_network():
    made = robustness_data.study([("mlp-64", "standard", 0.0, 500), ("mlp-64", "fgsm", 0.1, 500)], transfer=False)
    return made.assign_coords(model=["resnet-like"])


@functools.cache
def swept():
    """The same study at two sizes of the batch."""
    both = [robustness_data.study(robustness_data.grid(("softmax", "mlp-16")), seeds=2, rng=k) for k in (0, 1)]
    both = [b.drop_dims(["source", "target", "scaled_model"]) for b in both]
    return xr.concat(both, xr.Variable("batch", [50, 100]), data_vars="all", coords="minimal", compat="override")


@functools.cache
def nothing_measured():
    """Every switch off: only errors without attack."""
    made = one_model()
    kept = made[["clean_error", "train_error", "error", "bound"]]
    return kept.assign({v: made[v] * np.nan for v in made.data_vars if v not in kept and made[v].dtype.kind == "f"})


@pytest.mark.parametrize("kind", STUDY)
@pytest.mark.parametrize("made", [one_model, one_seed, only_attacked, own_network, swept, nothing_measured])
def test_small_studies_are_drawn(kind, made, tmp_path):
    for file in draw(kind, made(), tmp_path, (".svg", ".csv")):
        assert file.stat().st_size > 20
    assert len(pd.read_csv(tmp_path / f"{kind}.csv")) > 0


def colour():
    return robustness_data.illustrations(("own/standard/0",), shape=(3, 8, 8), classes=3)


def no_filters():
    made = robustness_data.illustrations(("cnn/standard/0", "cnn/pgd/0.1"))
    return made.assign(filters=made["filters"] * np.nan, fooling_image=made["fooling_image"] * np.nan)


def diverged():
    made = robustness_data.illustrations()
    lost = made["illustrated"] == "mlp-256/fgsm/0.1"
    own = [v for v in made.data_vars if "illustrated" in made[v].dims]
    return made.assign({v: made[v].where(~lost) for v in own})


def many():
    labels = [
        f"{m}/{t}" for m in ("softmax", "mlp-256", "mlp-256x3", "cnn") for t in ("standard/0", "fgsm/0.1", "pgd/0.1")
    ]
    return robustness_data.illustrations(labels)


@pytest.mark.parametrize("kind", ILLUSTRATED)
@pytest.mark.parametrize("made", [colour, no_filters, diverged, many])
def test_any_illustrations_are_drawn(kind, made, tmp_path):
    draw(kind, made(), tmp_path, (".svg", ".csv"))
    assert len(pd.read_csv(tmp_path / f"{kind}.csv")) > 0


@pytest.mark.parametrize("kind", ["training_eps", "capacity", "regularisation", "transfer", "scale", "masking"])
def test_what_a_study_lacks_is_said(kind, tmp_path):
    lone = robustness_data.study([("softmax", "standard", 0.0, 500)], attacks=("fgsm",), scale=False, transfer=False)
    assert "not in this study" in numbers(kind, lone, tmp_path)["note"][0]


def test_a_study_without_any_run_is_refused(tmp_path):
    empty = one_model().assign(clean_error=one_model()["clean_error"] * np.nan)
    with pytest.raises(SystemExit):
        draw("curves", empty, tmp_path)
    assert "holds no evaluated run" in (tmp_path / "log.txt").read_text()


def test_a_study_without_any_attack_has_no_curves(tmp_path):
    still = one_model()
    with pytest.raises(SystemExit):
        draw("curves", still.assign(error=still["error"] * np.nan, bound=still["bound"] * np.nan), tmp_path)
    assert "no curve to draw" in (tmp_path / "log.txt").read_text()


def row(table, **wanted):
    """The only row of a table with these values."""
    for name, value in wanted.items():
        same = np.isclose(table[name], value) if isinstance(value, float) else table[name] == value
        table = table[same]
    assert len(table) == 1
    return table.iloc[0]


def test_curves_are_means_over_the_seeds_that_have_them(study, tmp_path):
    table = numbers("curves", study, tmp_path)
    where = {"model": "cnn", "training": "pgd", "eps_train": 0.1}
    found = row(table, **where, norm="linf", curve="best lower bound", eps=0.15)
    values = study["bound"].sel(where | {"n_train": 3500, "norm": "linf", "clip": True, "eps": 0.15})
    assert found["seeds"] == 3
    assert found["mean"] == pytest.approx(float(values.mean()), abs=1e-6)
    assert found["sd"] == pytest.approx(float(values.std(ddof=1)), abs=1e-6)
    assert row(table, **where, norm="linf", curve="fgsm", eps=0.15)["seeds"] == 4


def test_regularisation_is_paired_by_seed(study, tmp_path):
    found = row(
        numbers("regularisation", study, tmp_path), model="softmax", training="fgsm", eps_train=0.05, n_train=500
    )
    clean = study["clean_error"].sel(model="softmax", n_train=500)
    difference = 100 * (clean.sel(training="fgsm", eps_train=0.05) - clean.sel(training="standard", eps_train=0.0))
    assert found["mean"] == pytest.approx(float(difference.mean()), abs=1e-5)
    assert found["high"] - found["mean"] == pytest.approx(3.1824463 * float(difference.std(ddof=1)) / 2, abs=1e-4)


def test_capacity_orders_networks_by_width_and_by_depth(study, tmp_path):
    table = numbers("capacity", study, tmp_path)
    swept = table[(table["training"] == "fgsm") & (table["quantity"] == "bound")]
    assert swept.dropna(subset="width")["model"].tolist() == ["mlp-16", "mlp-64", "mlp-256"]
    assert swept.dropna(subset="depth")["model"].tolist() == ["mlp-256", "mlp-256x3"]
    assert set(swept[swept["width"].isna() & swept["depth"].isna()]["model"]) == {"softmax", "cnn"}


def test_transfer_is_read_at_the_reference(study, tmp_path):
    table = numbers("transfer", study, tmp_path)
    source, target = "mlp-256/fgsm/0.1", "cnn/standard/0"
    found = row(table, quantity="error", source=source, target=target)["value"]
    right = study["transfer_error"].sel(source=source, target=target, transfer_eps=0.1).mean()
    assert found == pytest.approx(float(right))
    assert row(table, quantity="error", source="random signs", target=target)["value"] < 0.1


def test_the_shift_grows_as_the_data_were_made_to(study, tmp_path):
    table = numbers("scale", study, tmp_path)
    found = table[(table["scaled_model"] == "softmax") & (table["quantity"] == "shift")]
    assert found["exponent"].iloc[0] == pytest.approx(0.5, abs=0.02)
    assert found["pixels"].tolist() == [49, 196, 784, 3136]


def test_the_flagged_runs_are_the_ones_drawn(study, tmp_path):
    table = numbers("masking", study, tmp_path)
    flags = table[table["curve"] == "flags"]
    assert set(flags[flags["share"] > 0]["training"]) == {"fgsm-minmax"}
    assert set(table[table["curve"] != "flags"]["training"]) == {"fgsm-minmax"}


def test_tangents_touch_the_logits_at_zero(pictures, tmp_path):
    table = numbers("rays", pictures, tmp_path)
    touching = table[np.isclose(table["eps"], 0)]
    assert np.allclose(touching["logit"], touching["tangent"])
    linear_ones = table[table["run"].str.startswith("softmax")]
    assert np.allclose(linear_ones["logit"], linear_ones["tangent"], atol=1e-5)


def test_strokes_are_smoother_than_noise(pictures, tmp_path):
    y, x = np.divmod(np.arange(784), 28)
    strokes = np.broadcast_to(np.cos(x / 6) * np.cos(y / 6), pictures["filters"].shape[1:])
    made = pictures["filters"].copy(data=pictures["filters"].values)
    made.values[1] = strokes
    table = numbers("filters", pictures.assign(filters=made), tmp_path)
    rough = table.groupby("run")["roughness"].mean()
    assert rough["mlp-256/standard/0"] == pytest.approx(1, abs=0.1)
    assert rough["mlp-256/fgsm/0.1"] < 0.05


def test_every_figure_has_its_caption_and_script():
    root = Path(__file__).resolve().parents[2]
    for kind in STUDY + ILLUSTRATED:
        assert (root / "workflow" / "report" / f"robustness_{kind}.rst").stat().st_size > 100
        assert (root / "scripts" / f"plot_robustness_{kind}.py").exists()
        assert (root / "advdyn" / "robustness" / "figures" / f"{kind}.py").exists()


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((6, 5), (6, 5)), ((1, 6, 5), (6, 5)), ((3, 6, 5), (6, 5, 3)), ((6, 5, 3), (6, 5, 3)), ((4, 6, 5), (6, 5)), ((50,), (1, 50))],
    ids=str,
)  # fmt: skip
def test_an_image_of_any_shape_can_be_shown(shape, shown):
    from advdyn.robustness.figures.common import picture

    assert picture(np.arange(np.prod(shape), dtype=float), shape).shape == shown
