"""What is measured of runs and references: known systems through the whole of it, divergence, streams, refusals."""

import hashlib
import inspect
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from skimage.measure import block_reduce

from advdyn import io
from advdyn.data import bundled
from advdyn.data.load import Images
from advdyn.degeneration import album, measure, references, systems
from advdyn.degeneration import urandom as urandom_
from advdyn.degeneration.model import Model
from advdyn.errors import InputError
from advdyn.gan import judge

ATTACKER = {
    "pairs": [60, 300], "decoders": ["identity", "ridge", "ridge-whitened", "mlp"], "penalties": [1e-3, 1e-1, 10.0],
    "decoder_width": 16, "decoder_epochs": 3, "fresh_epochs": 1, "root": 3, "device": "cpu", "dtype": "float32",
}  # fmt: skip
FIT, VALIDATION, HELDOUT = 300, 100, 200


@pytest.fixture(scope="module")
def images():
    """1,000 digits of 14 x 14 pixels."""
    data = bundled.dataset()
    whole = data["image"].to_numpy()[:1000].reshape(-1, 28, 28)
    x = systems.floats(np.rint(block_reduce(whole, (1, 2, 2), np.mean)).astype(np.uint8).reshape(1000, -1))
    y = data["label"].to_numpy()[:1000].astype(np.int64)
    cut = slice(0, 600), slice(600, 700), slice(700, 1000)
    return Images(*(a[rows] for rows in cut for a in (x, y)), (14, 14))


@pytest.fixture(scope="module")
def patches():
    return album.patches((14, 14))[:, :400]


def outputs_of(images, patches, names, seeds=(0,), diverged=()):
    """What a training would write, had each seed's passes been these systems."""
    x = [images.x_train[:FIT], images.x_validation, images.x_test[:HELDOUT]]
    given = np.concatenate([*map(systems.to_bytes, x), *patches])
    made = np.stack(
        [
            [systems.apply(name, given, np.random.default_rng([s, len(name)])) for name in names]
            for s in seeds
        ]
    )  # fmt: skip
    n, lost = sum(map(len, x)), np.isin(seeds, diverged)
    made[lost] = 0
    return xr.Dataset(
        {
            "image_output": (("sigma", "seed", "passed", "image", "pixel"), made[None, :, :, :n]),
            "album_output": (
                ("sigma", "seed", "photograph", "patch", "pixel"), made[None, :, -1, n:].reshape(1, -1, *patches.shape)
            ),
            "diverged": (("sigma", "seed"), lost[None].astype(np.int8)),
        },
        coords={
            "sigma": io.variable(("sigma",), [0.5], "size of the noise"),
            "seed": io.variable(("seed",), list(seeds), "seed"),
            "passed": io.variable(("passed",), np.arange(len(names)) + 1, "passes"),
            "part": ("image", np.repeat([0, 1, 2], [len(part) for part in x])),
        },
    )  # fmt: skip


def measured(images, patches, names, **changed):
    return measure.run(outputs_of(images, patches, names, **changed), images, patches, **ATTACKER)


@pytest.fixture(scope="module")
def run(images, patches):
    return measured(images, patches, ["untouched", "xor-fresh"], seeds=(0, 1, 4), diverged=(1,))


def test_known_systems_are_known_at_the_end_of_the_pipeline(run):
    one = run.isel(sigma=0).sel(seed=[0, 4])
    assert (one["component_dd"].sel(passed=1) == 0).all()
    assert (one["dd"].sel(passed=1) == 0).all()
    assert np.abs(one["component_dd"].sel(passed=2, component=["r2", "top1"]) - 100).max() < 2
    assert np.abs(one["component_dd"].sel(passed=2) - 100).max() < 12  # the probe on 200 images
    assert np.abs(one["album_component"].sel(component=["r2", "top1"]) - 100).max() < 3
    assert (one["album_dd"] > 99).all()
    assert one["album_component"].sel(component="probe").isnull().all()
    assert (one["chosen"].sel(passed=1) == "identity").all()
    assert (one["bytes_differing"].sel(passed=1) == 0).all()
    assert (one["bytes_differing"].sel(passed=2) > 99).all()
    assert (one["ssim"].sel(passed=1) == 1).all()
    assert np.abs(one["fresh_accuracy"].sel(passed=2) - 0.5).max() < 0.15
    assert (one["fresh_accuracy"].sel(passed=1) > 0.9).all()
    assert (one["histogram"].sum("byte") == HELDOUT * 196).all()


def test_the_curve_ends_at_the_number_of_pairs_of_all_other_numbers(run):
    last = run.isel(passed=-1)
    np.testing.assert_array_equal(last["curve_dd"].sel(pairs=300), last["dd"])
    np.testing.assert_array_equal(last["curve_component"].sel(pairs=300), last["component_dd"])
    assert np.isfinite(last["curve_dd"].sel(seed=[0, 4])).all()


def test_the_perceptron_is_fitted_at_the_last_pass_only(run):
    found = run["r2"].sel(decoder="mlp", seed=[0, 4])
    assert found.isel(passed=0).isnull().all()
    assert found.isel(passed=1).notnull().all()
    assert run["r2"].sel(decoder="ridge", seed=[0, 4]).notnull().all()


def test_a_run_that_diverged_is_not_measured(run):
    lost = run.sel(seed=1)
    for name, variable in lost.data_vars.items():
        assert (variable == "").all() if name == "chosen" else variable.isnull().all(), name


def test_a_run_depends_on_nothing_else_in_its_job(images, patches, run):
    alone = measured(images, patches, ["untouched", "xor-fresh"], seeds=(4,))
    xr.testing.assert_identical(alone, run.sel(seed=[4]))
    fewer = measured(images, patches, ["xor-fresh"], seeds=(4,)).assign_coords(passed=[2])
    for name in fewer.data_vars:
        other = run[name].sel(seed=[4])
        other = other.isel(passed=[1]) if "passed" in other.dims else other
        np.testing.assert_array_equal(fewer[name], other)


def test_evaluation_streams_are_named():
    draws = {
        name: measure.generator(0, seed, name).integers(2**60) for seed in (0, 1) for name in (f"a{seed}", f"b{seed}")
    }
    assert len(set(draws.values())) == 4
    assert measure.generator(0, 1, "a1").integers(2**60) == draws["a1"]


def test_the_functions_take_what_their_steps_read():
    for function, step, given in (
        (measure.run, "measure", ["outputs", "images", "album"]),
        (references.run, "measure_references", ["classifier", "urandom", "images", "album"]),
    ):
        assert list(inspect.signature(function).parameters) == given + list(Model.steps[step].reads)


def test_every_variable_can_be_written(run, tmp_path):
    io.write(run, tmp_path / "measure.nc", {"root": 3}, [])
    back = io.read(tmp_path / "measure.nc")
    assert (back["chosen"] == run["chosen"]).all()
    assert back["dd"].attrs["units"] == "%"


def test_what_does_not_fit_is_refused(images, patches):
    outputs = outputs_of(images, patches, ["untouched"])
    with pytest.raises(InputError, match="pairs"):
        measure.run(outputs, images, patches, **{**ATTACKER, "pairs": [10, 301]})
    with pytest.raises(InputError, match="album"):
        measure.run(outputs, images, patches[:, :99], **ATTACKER)
    few = replace(images, x_train=images.x_train[:200], y_train=images.y_train[:200])
    with pytest.raises(InputError, match="fit pairs"):
        measure.run(outputs, few, patches, **ATTACKER)


# references


REFERENCES = {**ATTACKER, "decoders": ["identity", "ridge"], "eps": 0.25, "noise": 0.5, "reference_draws": 2}


@pytest.fixture(scope="module")
def classifier(images):
    return judge.train(
        images.x_train, images.y_train, images.x_validation, images.y_validation, 15, np.random.default_rng(0)
    )


@pytest.fixture(scope="module")
def measured_references(images, patches, classifier):
    urandom = urandom_.draw().isel(place=slice(0, 400 * 196))  # of 400 images: fewer than the 600 there are
    urandom["byte"] = ("place", np.random.default_rng(0).integers(0, 256, 400 * 196, np.uint8))
    urandom.attrs["sha256"] = hashlib.sha256(urandom["byte"].values.tobytes()).hexdigest()
    return references.run(classifier, urandom, images, patches, fit_pairs=FIT, heldout=HELDOUT, **REFERENCES)


def test_references_read_what_is_known_of_them(measured_references):
    found = measured_references
    first = found.sel(draw=0)
    assert (first["reference_component"].sel(system="untouched") == 0).all()
    for name in ("danoise", "urandom", "xor-fresh"):
        one = first.sel(system=name)
        assert np.abs(one["reference_component"].sel(component=["r2", "top1"]) - 100).max() < 3
        assert one["reference_bits_per_byte"] > 7.98
        assert abs(one["reference_participation_ratio"] - 1) < 0.05
    for name in ("xor-fixed", "permutation", "fgsm"):
        assert first["reference_component"].sel(system=name, component="top1") < 10
    assert 0 <= first["reference_dd"].sel(system="additive") < 60
    assert (
        first["reference_accuracy"].sel(system="untouched") > 0.7 > 0.3 > first["reference_accuracy"].sel(system="fgsm")
    )
    assert abs(first["reference_accuracy"].sel(system="danoise") - 0.1) < 0.1
    assert (found["reference_sample"].sel(system="untouched") == found["reference_original"]).all()
    assert found["reference_sample"].sizes["shown_reference"] == 16


def test_fgsm_follows_the_true_labels(measured_references, images, classifier):
    classify = judge.of(classifier)
    x, y = images.x_test[:HELDOUT], images.y_test[:HELDOUT]

    def accuracy(labels):
        bytes_ = systems.to_bytes(x)
        made = systems.apply("fgsm", bytes_, np.random.default_rng(0), judge=classify, labels=labels, eps=0.25)
        return classify.accuracy(systems.floats(made), y)

    assert measured_references["reference_accuracy"].sel(system="fgsm") == accuracy(y) < accuracy(None)


def test_draws_are_independent_and_what_is_drawn_once_has_one(measured_references):
    found = measured_references
    second = found["reference_dd"].sel(draw=1)
    assert second.sel(system=["untouched", "urandom", "fgsm"]).isnull().all()
    others = [name for name in systems.SYSTEMS if name not in ("untouched", "urandom", "fgsm")]
    assert second.sel(system=others).notnull().all()
    ssim = found["reference_ssim"].sel(system=others)
    assert (ssim.sel(draw=0) != ssim.sel(draw=1)).all()


def test_random_bytes_are_shared_out_and_never_used_twice(measured_references, images, patches, classifier):
    one = measured_references.sel(system="urandom")
    assert int(one["reference_pairs"]) == 240
    assert int(one["reference_heldout"]) == 120
    assert one["reference_curve_dd"].sel(draw=0, pairs=60).notnull()
    assert one["reference_curve_dd"].sel(draw=0, pairs=300).isnull()
    assert one["reference_album_dd"].isnull().all()
    assert int(measured_references["reference_pairs"].sel(system="danoise")) == 300
    few = urandom_.draw().isel(place=slice(0, 10 * 196))
    few.attrs["sha256"] = hashlib.sha256(few["byte"].values.tobytes()).hexdigest()
    with pytest.raises(InputError, match="urandom"):
        references.run(classifier, few, images, patches, fit_pairs=FIT, heldout=HELDOUT, **REFERENCES)


def test_references_can_be_written_and_lie_beside_a_run(measured_references, run, tmp_path):
    io.write(measured_references, tmp_path / "references.nc", {"root": 3}, [])
    together = xr.merge([run.drop_attrs(), measured_references.drop_attrs()], join="outer", compat="no_conflicts")
    assert {"component_dd", "reference_component"} <= set(together.data_vars)
