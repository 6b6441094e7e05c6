"""Training of DANs: the readings are what they say, what is evaluated changes nothing, bytes are floor(256 f)."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from advdyn import devices, io
from advdyn import seeds as streams
from advdyn.data.load import Images
from advdyn.degeneration import training
from advdyn.errors import InputError
from advdyn.gan import game, generator, noise
from advdyn.generation import training as generation
from advdyn.perceptrons import Mlps

SIDE = 5
PIXELS = SIDE**2
SETTINGS = {
    "kind": "degenerator", "sigma": [0.5], "minibatch_feature": False, "criterion": "used", "loss": "non-saturating",
    "d_steps": 1, "width": 16, "d_width": 16, "latent": 3, "batch_normalisation": True, "n_train": 48,
    "learning_rate": 1e-2, "beta1": 0.5, "batch": 12, "epochs": 3, "passes": [1, 3], "chain_passes": [1, 3],
    "fit_pairs": 20, "heldout": 15, "shown": 4, "root": 0, "device": "cpu", "dtype": "float32", "seeds": [0],
}  # fmt: skip
SHARED = (
    "n_train", "latent", "width", "d_width", "batch_normalisation", "loss", "d_steps", "learning_rate", "beta1", "batch",
    "epochs", "shown", "root", "device", "dtype",
)  # fmt: skip
KINDS = ("gan", "generator", "degenerator", "chain")


def pictures(seed=0):
    rng = np.random.default_rng(seed)
    splits = [np.float32(rng.integers(0, 256, (n, PIXELS))) / np.float32(255) for n in (60, 10, 20)]
    for x in splits:
        x[:, ::3] = 0  # as the margins of digits
    labels = [np.zeros(len(x), np.int64) for x in splits]
    return Images(splits[0], labels[0], splits[1], labels[1], splits[2], labels[2], (SIDE, SIDE))


IMAGES = pictures()
ALBUM = np.random.default_rng(9).integers(0, 256, (2, 7, PIXELS), np.uint8)


def trained(images=IMAGES, album=ALBUM, **changed):
    return training.run(images, album, **SETTINGS | changed)


def same(one, other):
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def evaluation(seed, passed):
    """The stream of what is evaluated after a pass."""
    own = streams.sequence(0, "degeneration", seed, "evaluation")
    return np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, passed))


def everything(images=IMAGES, album=ALBUM):
    """All that is degenerated, as bytes."""
    parts = images.x_train[:20], images.x_validation, images.x_test[:15]
    return np.concatenate([*(np.rint(255 * p).astype(np.uint8) for p in parts), album.reshape(-1, PIXELS)])


def degenerated(player, originals, sigma, draw):
    """floor(256 Deg(x + sigma u)), by its definition."""
    u = 2 * draw.random(originals.shape, dtype=np.float32) - 1
    x = originals.astype(np.float32) / 255 + np.float32(sigma) * u
    with torch.no_grad():
        f = player(torch.from_numpy(x)[None]).sigmoid().numpy()[0]
    return np.minimum(np.floor(256 * f), 255).astype(np.uint8)


def fresh(seed, passed):
    return np.random.Generator(np.random.SFC64(evaluation(seed, passed)))


def about(found, expected):
    """Equal bytes, but for outputs so near an edge that rounding moves them."""
    apart = found.astype(int) - expected
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() < 1e-3


# --- layout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_the_outputs_and_the_weights(kind, tmp_path):
    record, outputs, weights = trained(kind=kind, sigma=[0.2, 0.5], seeds=[0, 4], chain_passes=[0, 1, 3])
    gan, lanes = kind in ("gan", "generator"), 1 if kind in ("gan", "generator") else 2
    passes = [0, 1, 3] if kind == "chain" else [1, 3]
    assert record["sigma"].values.tolist() == ([0.0] if gan else [0.2, 0.5])
    assert record["seed"].values.tolist() == [0, 4]
    for name in ("value", "player_loss", "accuracy", "gradient_norm"):
        assert record[name].dims == ("sigma", "seed", "epoch")
        assert np.isfinite(record[name]).all()
    assert not record["diverged"].any()
    assert not outputs["diverged"].any()
    assert record["diverged"].dims == ("sigma", "seed")
    assert record["passed"].values.tolist() == passes
    assert outputs["passed"].values.tolist() == passes
    assert outputs["image_output"].shape == (lanes, 2, len(passes), 45, PIXELS)
    assert outputs["image_output"].dims == ("sigma", "seed", "passed", "image", "pixel")
    assert outputs["album_output"].shape == (lanes, 2, 2, 7, PIXELS)
    assert outputs["album_output"].dims == ("sigma", "seed", "photograph", "patch", "pixel")
    assert outputs["part"].values.tolist() == [0] * 20 + [1] * 10 + [2] * 15
    assert outputs["image_output"].dtype == outputs["album_output"].dtype == np.uint8
    assert (record["original"].values == np.rint(255 * IMAGES.x_test[:4])).all()
    assert (record["sample"].values == outputs["image_output"].values[:, :, :, 30:34]).all()
    assert record["sample"].dims == ("sigma", "seed", "passed", "shown", "pixel")
    assert {len(v) for v in weights.values()} == {2 * lanes}
    assert {k.split("/")[0] for k in weights} == {"player", "discriminator"}
    for name, dataset in (("record", record), ("outputs", outputs)):
        assert dataset.attrs["image_shape"] == "5,5"
        io.write(dataset, tmp_path / f"{name}.nc", SETTINGS, [])
        assert io.read(tmp_path / f"{name}.nc").equals(dataset)


def test_validation_is_at_most_500_images():
    x = np.zeros((600, PIXELS), np.float32)
    images = replace(IMAGES, x_validation=x, y_validation=np.zeros(600, np.int64))
    _, outputs, _ = trained(images, epochs=1, passes=[1])
    assert (outputs["part"] == 1).sum() == 500


def test_a_scalar_sigma_is_a_list_of_one():
    one, listed = trained(sigma=0.3), trained(sigma=[0.3])
    assert one[0].equals(listed[0])
    same(one[2], listed[2])


# --- independence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_the_same_in_every_block_and_lane(kind):
    gan = kind in ("gan", "generator")
    record, outputs, weights = trained(kind=kind, sigma=[0.2, 0.5], seeds=[0, 1, 2])
    alone, own, theirs = trained(kind=kind, sigma=[0.5], seeds=[1])
    at = {"sigma": [0.0 if gan else 0.5], "seed": [1]}
    assert record.sel(at).equals(alone)
    assert outputs.sel(at).equals(own)
    run = 1 if gan else 4
    same({k: v[run : run + 1] for k, v in weights.items()}, theirs)
    assert not np.array_equal(weights["player/w0"][run - 1], theirs["player/w0"][0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changed", [{"passes": [2, 3], "chain_passes": [2, 3]}, {"fit_pairs": 25}, {"heldout": 20}, {"shown": 9}, "album"]
)
def test_what_is_evaluated_changes_no_weight(kind, changed):
    record, outputs, weights = trained(kind=kind)
    options = {"album": ALBUM[:, :3]} if changed == "album" else changed
    other, theirs, again = trained(kind=kind, **options)
    same(weights, again)
    assert record["value"].equals(other["value"])
    if "passes" in changed:  # nor what is written of another pass
        one, two = (o["image_output"].sel(passed=3).values for o in (outputs, theirs))
        assert (one == two).all()
        assert (outputs["album_output"].values == theirs["album_output"].values).all()


@pytest.mark.parametrize("kind", KINDS)
def test_training_reads_only_its_images_and_changes_none(kind):
    nothing = np.zeros((20, PIXELS), np.float32)
    x = IMAGES.x_train.copy()
    x[48:] = np.nan
    images = replace(IMAGES, x_train=x, x_test=nothing, x_validation=nothing[:10])
    kept, before = x.copy(), ALBUM.copy()
    _, _, weights = trained(images, kind=kind)
    same(weights, trained(kind=kind)[2])
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(ALBUM, before)
    assert not nothing.any()


# --- the readings ----------------------------------------------------------------------------------------------------


def test_the_gan_is_that_of_the_study_generation(monkeypatch):
    monkeypatch.setattr(training, "STUDY", "generation")
    _, _, weights = trained(kind="gan", seeds=[0, 3])
    _, theirs = generation.run(IMAGES, **{k: SETTINGS[k] for k in SHARED}, kept=[3], seeds=[0, 3])
    same(weights, {k.replace("generator/0/", "player/"): v for k, v in theirs.items()})


def test_the_generator_is_that_of_the_study_generation_on_danoise_with_pythons_z(monkeypatch):
    monkeypatch.setattr(training, "STUDY", "generation")
    _, _, weights = trained(kind="generator")
    danoise = noise.danoise(streams.integer(0, "generation", 0, "data"), 48, PIXELS)
    python = random.Random(streams.integer(0, "generation", 0, "training"))
    own = generation._streams

    def with_python(root, seed):
        return replace(own(root, seed), latent=lambda shape: noise.latent(python, shape))

    monkeypatch.setattr(generation, "_streams", with_python)
    images = replace(IMAGES, x_train=danoise.astype(np.float32) / np.float32(255))
    _, theirs = generation.run(images, **{k: SETTINGS[k] for k in SHARED}, kept=[3], seeds=[0])
    same(weights, {k.replace("generator/0/", "player/"): v for k, v in theirs.items()})
    assert training.generator.train is generation.generator.train is generator.train


@pytest.mark.parametrize("kind", ["gan", "generator"])
def test_a_fresh_sample_overwrites_every_image(kind):
    _, outputs, weights = trained(kind=kind, seeds=[0, 2])
    for row, seed in enumerate((0, 2)):
        stream = evaluation(seed, 3)
        if kind == "gan":
            z = np.random.Generator(np.random.SFC64(stream)).standard_normal((59, 3))
        else:
            z = noise.latent(random.Random(int(stream.generate_state(1, np.uint64)[0])), (59, 3))
        player = Mlps.of({k: v[row : row + 1] for k, v in weights.items()}, "player/")
        expected = np.minimum(np.floor(256 * generator.sample(player, z[None])[0]), 255)
        found = np.concatenate([
            outputs["image_output"].values[0, row, 1], outputs["album_output"].values[0, row].reshape(-1, PIXELS)
        ])  # fmt: skip
        about(found, expected)
        assert len(np.unique(found, axis=0)) == 59


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_are_the_bytes_of_the_degenerated_images(dtype):
    _, outputs, weights = trained(sigma=[0.2, 0.5], seeds=[0, 2], dtype=dtype)
    single = {k: v.astype(np.float32) for k, v in weights.items()}
    for row, (sigma, seed) in enumerate(((0.2, 0), (0.2, 2), (0.5, 0), (0.5, 2))):
        at = divmod(row, 2)
        player = Mlps.of({k: v[row : row + 1] for k, v in single.items()}, "player/")
        expected = degenerated(player, everything(), sigma, fresh(seed, 3))
        about(outputs["image_output"].values[*at, 1], expected[:45])
        about(outputs["album_output"].values[at].reshape(-1, PIXELS), expected[45:])


def test_images_are_degenerated_in_any_chunks(monkeypatch):
    _, whole, _ = trained()
    monkeypatch.setattr(training, "CHUNK", 16)
    _, parts, _ = trained()
    for name in ("image_output", "album_output"):
        about(parts[name].values, whole[name].values)


def test_the_degenerator_is_played_against_fresh_danoise_on_noisy_images():
    one = training.Run(0.25, 3, 0)
    feed = training.Feed(torch.from_numpy(IMAGES.x_train[None]), [one], 12)
    python = random.Random(streams.integer(0, "degeneration", 3, "data"))
    for _ in range(3):  # fresh at every update
        expected = np.frombuffer(python.randbytes(12 * PIXELS), np.uint8).reshape(1, 12, PIXELS)
        np.testing.assert_array_equal(feed.real().numpy(), expected.astype(np.float32) / np.float32(255))
    for drawn in (feed.judged, feed.played):
        seen, u = [], []
        for _ in range(5):
            x = drawn().numpy()[0]
            nearest = np.abs(x[:, None] - IMAGES.x_train).max(-1).argmin(1)
            seen += nearest.tolist()
            u.append((x - IMAGES.x_train[nearest]) / 0.25)
        assert sorted(seen) == list(range(60))  # every image once in a pass
        u = np.concatenate(u)
        assert np.abs(u).max() <= 1.00001
        assert np.abs(u.mean()) < 4 / np.sqrt(3 * u.size)
        assert np.mean(u**2) == pytest.approx(1 / 3, rel=0.1)
        assert abs(np.corrcoef(u[0], u[1])[0, 1]) < 0.8


def test_without_noise_a_degenerator_is_deterministic():
    twice = replace(IMAGES, x_test=np.repeat(IMAGES.x_test[:10], 2, 0))
    for sigma, equal in ((0.0, True), (0.5, False)):
        found = trained(twice, sigma=[sigma])[1]["image_output"].values[0, 0, -1, 30:44]
        assert (found[::2] == found[1::2]).all() == equal


def test_the_degenerator_unlearns_the_data():
    _, outputs, _ = trained(passes=[0, 60], epochs=60, learning_rate=2e-3, seeds=[0, 1])
    spread = outputs["image_output"].values[0].reshape(2, 2, -1).std(-1)
    noise_has = np.sqrt((256**2 - 1) / 12)
    assert (spread[:, 0] < 0.3 * noise_has).all()
    assert (spread[:, 1] > 0.6 * noise_has).all()


@pytest.mark.parametrize("kind", ["degenerator", "chain"])
def test_a_criterion_that_is_ignored_changes_no_weight(kind):
    record, outputs, weights = trained(kind=kind, criterion="ignored", passes=[0, 2, 3], chain_passes=[0, 1, 3])
    assert all(record[name].isnull().all() for name in ("value", "player_loss", "accuracy", "gradient_norm"))
    assert not record["diverged"].any()
    initial = streams.generator(0, "degeneration", 0, "initialisation").spawn(2)
    player = Mlps((25, 16, 16, 25), 1, dtype=torch.float32).initialise(initial[:1])
    against = Mlps((25, 16, 8, 1), 1, dtype=torch.float32).initialise(initial[1:])
    same(weights, player.arrays("player/") | against.arrays("discriminator/"))
    found = outputs["image_output"].values[0, 0]
    if kind == "degenerator":
        for k, passed in enumerate((0, 2, 3)):
            about(found[k], degenerated(player, everything(), 0.5, fresh(0, passed))[:45])
        return
    current = everything()
    assert (found[0] == current[:45]).all()
    for passed in (1, 2, 3):
        current = degenerated(player, current, 0.5, fresh(0, passed))
        if passed == 1:
            about(found[1], current[:45])
    # a byte that rounding moved by one moves others after it, so only most are the same
    assert (found[2] == current[:45]).mean() > 0.99


def test_a_chain_trains_on_what_it_has_overwritten(monkeypatch):
    seen = []

    def spied(one, feed, *, after, **options):
        def noted(epoch):
            before = feed.x.numpy().copy()
            after(epoch)
            seen.append((before, feed.x.numpy().copy(), one.player.arrays()))

        return game.play(one, feed, after=noted, **options)

    monkeypatch.setattr(training, "play", spied)
    trained(kind="chain")
    draw = streams.generator(0, "degeneration", 0, "training").spawn(5)[4]
    np.testing.assert_array_equal(seen[0][1][0], IMAGES.x_train[:48])
    for passed in (1, 2, 3):
        before, now, player = seen[passed]
        np.testing.assert_array_equal(before, seen[passed - 1][1])
        bytes_before = np.rint(255 * before[0]).astype(np.uint8)
        expected = degenerated(Mlps.of(player), bytes_before, 0.5, draw)
        about(np.rint(255 * now[0]).astype(np.uint8), expected)
        np.testing.assert_array_equal(noise.to_bytes(now) / np.float32(255), now)
    seen.clear()
    trained(kind="degenerator")
    assert all(np.array_equal(now[0], IMAGES.x_train[:48]) for _, now, _ in seen)


def test_a_chain_differs_from_a_degenerator_only_after_its_first_pass():
    settings = {"passes": [1, 2], "chain_passes": [1, 2], "epochs": 2}
    (one, outputs, _), (two, theirs, _) = (trained(kind=k, **settings) for k in ("degenerator", "chain"))
    assert one["value"][..., 0].equals(two["value"][..., 0])
    assert not one["value"][..., 1].equals(two["value"][..., 1])
    first, second = (o["image_output"].values[0, 0] for o in (outputs, theirs))
    assert (first[0] == second[0]).all()
    assert (first[1] != second[1]).any()


# --- settings and refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed", [{"loss": "minimax"}, {"d_steps": 2}, {"beta1": 0.9}, {"sigma": [0.1]}, {"root": 1}, {"batch": 16}]
)
def test_every_setting_of_training_is_used(changed):
    assert not np.array_equal(trained()[2]["player/w2"], trained(**changed)[2]["player/w2"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_minibatch_feature_is_the_discriminators(kind):
    plain, feature = trained(kind=kind)[2], trained(kind=kind, minibatch_feature=True)[2]
    assert plain["discriminator/w2"].shape == (1, 8, 1)
    assert feature["discriminator/w2"].shape == (1, 9, 1)
    assert feature["player/w0"].shape == plain["player/w0"].shape
    assert not np.array_equal(plain["player/w0"], feature["player/w0"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_diverges_is_marked_and_its_bytes_are_0(kind):
    record, outputs, weights = trained(kind=kind, learning_rate=1e30, passes=[0, 1, 3], chain_passes=[0, 1, 3])
    assert record["diverged"].all()
    assert outputs["diverged"].all()
    assert (outputs["diverged_epoch"] == 1).all()
    assert record["value"].isnull().all()
    assert outputs["image_output"][:, :, 0].any()
    assert not outputs["image_output"][:, :, 1:].any()
    assert not outputs["album_output"].any()
    assert all(np.isnan(v).all() for v in weights.values())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"n_train": 61}, "n_train: found 61"), ({"batch": 49}, "batch: found 49"),
        ({"fit_pairs": 61}, "fit_pairs: found 61"), ({"heldout": 21}, "heldout: found 21"),
        ({"shown": 16}, "shown: found 16"), ({"album": ALBUM[..., :24]}, "album: found"),
        ({"images": replace(IMAGES, x_validation=IMAGES.x_validation[:0])}, "no validation images"),
        ({"images": replace(IMAGES, x_train=2 * IMAGES.x_train)}, "allowed: 0 to 1"),
        ({"kind": "gan", "criterion": "ignored"}, "criterion: found 'ignored'"),
    ],
)  # fmt: skip
def test_what_does_not_suffice_is_refused(changed, named):
    with pytest.raises(InputError, match=named) as error:
        trained(**changed)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_runs_of_a_job_as_one_batch_are_those_played_alone_to_rounding(kind, monkeypatch):
    """On a GPU all sigmas and seeds of a job are one batch of tensors; here the same batch on the CPU."""
    changed = {"kind": kind, "sigma": [0.1, 0.5], "seeds": [0, 1], "dtype": "float64", "minibatch_feature": True}
    alone = trained(**changed)
    monkeypatch.setattr(training.devices, "batches", lambda runs, device: [list(range(runs))])
    record, outputs, weights = trained(**changed)
    for name, values in weights.items():
        np.testing.assert_allclose(values, alone[2][name], rtol=1e-6, atol=1e-9, err_msg=name)
    for name in ("value", "player_loss", "accuracy", "gradient_norm"):
        np.testing.assert_allclose(record[name], alone[0][name], rtol=1e-6, err_msg=name)
    for name in ("image_output", "album_output"):
        about(outputs[name].values, alone[1][name].values)
    runs = weights["player/w0"]
    assert all(not np.allclose(runs[0], other) for other in runs[1:])  # control: they are different runs


def test_the_cpu_plays_every_run_alone_and_a_gpu_all_at_once():
    assert devices.batches(3, torch.device("cpu")) == [[0], [1], [2]]
    assert devices.batches(3, torch.device("cuda")) == [[0, 1, 2]]
