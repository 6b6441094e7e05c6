"""Training of GANs on images: the same run whatever else is trained, kept or looked at, and refusals."""

from dataclasses import replace

import numpy as np
import pytest

from advdyn import io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.gan.noise import to_bytes
from advdyn.generation import training
from advdyn.perceptrons import Mlps

SIDE = 5
SETTINGS = {
    "n_train": 48, "latent": 3, "width": 16, "d_width": 16, "batch_normalisation": True, "loss": "non-saturating",
    "d_steps": 1, "learning_rate": 1e-2, "beta1": 0.5, "batch": 10, "epochs": 3, "kept": [0, 1, 3], "shown": 4,
    "root": 0, "device": "cpu", "dtype": "float32", "seeds": [0],
}  # fmt: skip


def pictures(n=60, seed=0):
    """Dark images and bright ones; images that no one may look at are not numbers."""
    rng = np.random.default_rng(seed)
    x = np.clip(0.15 + 0.7 * rng.integers(0, 2, (n, 1)) + 0.1 * rng.normal(size=(n, SIDE**2)), 0, 1).astype(np.float32)
    unseen, none = np.full((10, SIDE**2), np.nan, np.float32), np.full(10, -99)
    return Images(x, np.zeros(n, np.int64), unseen, none, unseen, none, (SIDE, SIDE))


IMAGES = pictures()


def trained(images=IMAGES, **changed):
    return training.run(images, **SETTINGS | changed)


def same(one, other):
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def final(weights, kept):
    """The last generator and discriminator, by names that do not tell how many were kept."""
    last = f"generator/{len(kept) - 1}/"
    return {k.replace(last, "player/"): v for k, v in weights.items() if k.startswith((last, "discriminator/"))}


def test_the_record_and_the_weights(tmp_path):
    record, weights = trained(seeds=[0, 4])
    assert dict(record.sizes) == {"seed": 2, "epoch": 3, "kept": 3, "shown": 4, "pixel": 25}
    assert record["seed"].values.tolist() == [0, 4]
    assert record["epoch"].values.tolist() == [1, 2, 3]
    assert record["kept"].values.tolist() == [0, 1, 3]
    for name in ("value", "player_loss", "accuracy", "gradient_norm"):
        assert record[name].dims == ("seed", "epoch")
        assert np.isfinite(record[name]).all()
    assert (record["value"] < 0).all()
    assert ((record["accuracy"] >= 0) & (record["accuracy"] <= 1)).all()
    assert record["sample"].dims == ("seed", "kept", "shown", "pixel")
    assert record["sample"].dtype == np.uint8
    assert not record["diverged"].any()
    assert record["diverged_epoch"].isnull().all()
    assert record.attrs["image_shape"] == "5,5"
    assert record.attrs["device"] == "cpu"
    assert {k.split("/")[0] for k in weights} == {"generator", "discriminator"}
    assert [weights[f"generator/2/w{layer}"].shape for layer in range(4)] == [
        (2, 3, 4), (2, 4, 8), (2, 8, 16), (2, 16, 25)
    ]  # fmt: skip
    assert weights["discriminator/w0"].shape == (2, 25, 16)
    assert "generator/0/mean0" in weights
    io.write(record, tmp_path / "record.nc", SETTINGS, [])
    assert io.read(tmp_path / "record.nc").equals(record)


def test_a_seed_is_the_same_in_every_block():
    record, weights = trained(seeds=[0, 1, 2])
    alone, own = trained(seeds=[1])
    assert record.sel(seed=[1]).equals(alone)
    same({k: v[1:2] for k, v in weights.items()}, own)
    assert not np.array_equal(weights["generator/2/w0"][0], own["generator/2/w0"][0])


@pytest.mark.parametrize("changed", [{"kept": [3]}, {"kept": [0, 1, 2, 3]}, {"shown": 9}])
def test_what_is_kept_and_shown_changes_no_weight(changed):
    kept = changed.get("kept", SETTINGS["kept"])
    record, weights = trained()
    other, theirs = trained(**changed)
    same(final(weights, SETTINGS["kept"]), final(theirs, kept))
    assert record["value"].equals(other["value"])
    shown = other["sample"].sel(kept=3)[:, :4]
    assert (shown.values == record["sample"].sel(kept=3).values).all()


def test_only_the_first_training_images_are_read_and_none_is_changed():
    x = IMAGES.x_train.copy()
    x[48:] = np.nan
    images = replace(IMAGES, x_train=x)
    before = x.copy()
    same(trained(images)[1], trained()[1])
    np.testing.assert_array_equal(x, before)


def test_samples_at_every_pass_are_of_the_same_latent_vectors():
    # nothing is learnt: the samples of the same z by the same generator
    record, _ = trained(learning_rate=1e-30, batch_normalisation=False)
    samples = record["sample"].values
    assert (samples == samples[:, :1]).all()
    assert (samples[0, 0, 0] != samples[0, 0, 1]).any()


def test_initial_weights_have_a_stream_of_their_own():
    _, weights = trained(learning_rate=1e-30)
    draws = streams.generator(0, "generation", 0, "initialisation").spawn(2)
    for name, draw in zip(("generator/0/", "discriminator/"), draws, strict=True):
        found = Mlps.of(weights, name)
        expected = Mlps.of(weights, name).initialise([draw])
        for one, other in zip(found.parameters(), expected.parameters(), strict=True):
            np.testing.assert_allclose(one.detach(), other.detach(), rtol=0, atol=1e-12)


def test_each_seed_has_its_own_order_and_latent_vectors():
    one, two = (training._streams(0, seed) for seed in (0, 1))
    assert not np.array_equal(one.order.permutation(50), two.order.permutation(50))
    assert not np.array_equal(one.latent((2, 3)), two.latent((2, 3)))


def test_the_weights_give_the_samples_again():
    record, weights = trained(seeds=[0, 3])
    z = np.stack([streams.generator(0, "generation", seed, "evaluation").standard_normal((4, 3)) for seed in (0, 3)])
    for k in range(3):
        found = training.sample(weights, k, z)
        assert found.shape == (2, 4, 25)
        assert found.dtype == np.float32
        assert (to_bytes(found) == record["sample"].values[:, k]).all()


def test_a_sample_changes_no_weight():
    _, weights = trained()
    before = {k: v.copy() for k, v in weights.items()}
    training.sample(weights, 2, np.random.default_rng(0).normal(size=(1, 50, 3)))
    same(weights, before)


def test_a_run_that_diverges_is_marked():
    record, weights = trained(learning_rate=1e30, seeds=[0, 1])
    assert record["diverged"].all()
    assert (record["diverged_epoch"] == 1).all()
    assert record["value"].isnull().all()
    assert record["sample"][:, 0].any()  # before training
    assert not record["sample"][:, 1:].any()
    z = np.zeros((2, 1, 3))
    assert np.isfinite(training.sample(weights, 0, z)).all()
    assert np.isnan(training.sample(weights, 1, z)).all()
    assert np.isnan(weights["discriminator/w0"]).all()


def test_the_generator_learns_the_mean_of_the_images():
    images = pictures(48)
    x = 0.5 * images.x_train * np.linspace(0, 1, SIDE**2, dtype=np.float32)
    _, weights = trained(
        replace(images, x_train=x), epochs=60, kept=[0, 60], learning_rate=2e-3, batch=24, seeds=[0, 1]
    )
    z = np.random.default_rng(0).normal(size=(2, 400, 3))
    before, after = (np.abs(training.sample(weights, k, z).mean(1) - x.mean(0)).mean(1) for k in (0, 1))
    assert (before > 0.2).all()
    assert (after < 0.4 * before).all()


@pytest.mark.parametrize(
    "changed",
    [{"loss": "minimax"}, {"d_steps": 2}, {"beta1": 0.9}, {"batch_normalisation": False}, {"root": 1}, {"batch": 12}],
)
def test_every_setting_is_used(changed):
    first = "generator/0/w0", "generator/2/w3", "discriminator/w0"
    one, other = trained()[1], trained(**changed)[1]
    assert any(not np.array_equal(one[name], other[name]) for name in first[1:])
    # cells share the initial weights of a seed
    assert np.array_equal(one[first[0]], other[first[0]]) == ("root" not in changed)


def test_dtype_is_that_of_the_weights():
    _, weights = trained(dtype="float64")
    assert {v.dtype for v in weights.values()} == {np.dtype(np.float64)}
    single = trained()[1]
    np.testing.assert_allclose(single["generator/0/w0"], weights["generator/0/w0"], rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "named"), [({"n_train": 61}, "n_train: found 61"), ({"batch": 49}, "batch: found 49")]
)
def test_too_few_images_are_refused(changed, named):
    with pytest.raises(InputError, match=named):
        trained(**changed)


def test_pixels_outside_the_range_are_refused():
    with pytest.raises(InputError, match="allowed: 0 to 1"):
        trained(replace(IMAGES, x_train=2 * IMAGES.x_train))


def test_the_seeds_of_a_job_as_one_batch_are_those_played_alone_to_rounding(monkeypatch):
    """On a GPU all seeds of a job are one batch of tensors; here the same batch on the CPU."""
    changed = {"seeds": [0, 1, 2], "dtype": "float64"}
    record, weights = trained(**changed)
    monkeypatch.setattr(training.devices, "batches", lambda runs, device: [list(range(runs))])
    together, batched = trained(**changed)
    for name, values in weights.items():
        np.testing.assert_allclose(batched[name], values, rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(together["value"], record["value"], rtol=1e-6)
    assert np.abs(together["sample"].astype(int) - record["sample"].astype(int)).max() <= 1
    assert not np.allclose(*weights["generator/2/w0"][:2])  # control: they are different runs
