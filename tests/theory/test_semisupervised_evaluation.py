"""Measures of trained classifiers: against plain sums over the images, and with nothing but what they may see."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from advdyn import io
from advdyn.data.load import Images
from advdyn.errors import InputError
from advdyn.perceptrons import Mlps
from advdyn.semisupervised import directions, evaluation, training

SIDE, CLASSES, SEEDS = 5, 3, [0, 4]
SETTINGS = {
    "training": "supervised", "n_labels": 9, "n_pool": 60, "eps": 0.5, "power_iterations": 1, "xi": 1e-2, "alpha": 1.0,
    "width": 12, "batch_normalisation": False, "learning_rate": 1e-2, "decay": "linear", "batch_labelled": 6,
    "batch_pool": 16, "updates": 60, "checkpoints": 3, "root": 0, "device": "cpu", "dtype": "float32", "seeds": SEEDS,
}  # fmt: skip
LENGTHS = [1e-3, 0.1, 0.5, 2.0]
PROBED = {
    "n_validation": 20, "probe_eps": LENGTHS, "probe_images": 30, "probe_iterations": [1, 2, 8], "root": 0,
    "device": "cpu", "dtype": "float32",
}  # fmt: skip


def pictures(n=70, seed=0):
    """A blurred pattern for each of three classes."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((CLASSES, SIDE**2))

    def some(m):
        y = np.arange(m) % CLASSES
        x = 0.2 + 0.6 * patterns[y] + 0.25 * rng.normal(size=(m, SIDE**2))
        return np.clip(x, 0, 1).astype(np.float32), y.astype(np.int64)

    return Images(*some(n), *some(25), *some(40), (SIDE, SIDE))


IMAGES = pictures()


def trained(images=IMAGES, **changed):
    point = SETTINGS | changed
    record, weights = training.run(images, **point)
    record.attrs["parameters"] = json.dumps(point)
    return record, weights


@pytest.fixture(scope="module")
def given():
    return trained()


@pytest.fixture(scope="module")
def found(given):
    return evaluation.run(*given, IMAGES, **PROBED)


def measured(given, images=IMAGES, **changed):
    return evaluation.run(*given, images, **PROBED | changed)


def network_of(weights, run, dtype=torch.float64):
    """One network of the block, and the unlabelled rows of its pool."""
    own = {name: value[run : run + 1] for name, value in weights.items() if name.startswith("network/")}
    free = np.array([i for i in range(60) if i not in weights["labelled"][run]])
    return Mlps.of(own, "network/", slope=0.0).to(dtype).requires_grad_(False), free


def test_the_data_set(found, given, tmp_path):
    assert dict(found.sizes) == {
        "seed": 2, "split": 3, "update": 3, "along": 2, "place": 3, "length": 4, "iteration": 3
    }  # fmt: skip
    assert set(found.data_vars) == set(evaluation.MEASURES)
    for name in found.data_vars:
        assert np.isfinite(found[name]).all(), name
    assert found["length"].values.tolist() == LENGTHS
    assert found["length"].attrs["units"] == "pixel range"
    assert found["iteration"].values.tolist() == [1, 2, 8]
    assert found["place"].values.tolist() == ["pool", "test", "permuted"]
    assert found["along"].values.tolist() == ["virtual", "random"]
    assert found["seed"].values.tolist() == SEEDS
    assert found["update"].values.tolist() == given[0]["update"].values.tolist()
    io.write(found, tmp_path / "found.nc", PROBED, [])
    assert io.read(tmp_path / "found.nc").equals(found)


def test_errors_are_shares_of_wrong_classes_and_of_the_pool_only_of_unlabelled_images(found, given):
    _, weights = given
    for run, seed in enumerate(SEEDS):
        _, free = network_of(weights, run)
        own = found["error"].sel(seed=seed)
        for split, rows, y in (
            ("pool", free, IMAGES.y_train), ("validation", np.arange(20), IMAGES.y_validation),
            ("test", np.arange(40), IMAGES.y_test),
        ):  # fmt: skip
            wrong = [(weights[f"predicted/{split}"][run, k, rows] != y[rows]).mean() for k in range(3)]
            np.testing.assert_allclose(own.sel(split=split), wrong)
    # the controls: labelled images would make the pool look better, the other validation images change its error
    assert np.ptp(weights["labelled"], axis=0).any()
    every = (weights["predicted/pool"] != IMAGES.y_train[:60]).mean(2)
    assert (every[:, -1] < found["error"].sel(split="pool")[:, -1]).all()


def test_confidence_is_the_mean_of_the_largest_probability(found, given, monkeypatch):
    for run, seed in enumerate(SEEDS):
        network, free = network_of(given[1], run)
        for split, x in (
            ("pool", IMAGES.x_train[free]), ("validation", IMAGES.x_validation[:20]), ("test", IMAGES.x_test),
        ):  # fmt: skip
            p = network(torch.as_tensor(x)[None].double()).softmax(-1)
            assert float(found["confidence"].sel(seed=seed, split=split)) == pytest.approx(
                float(p.amax(-1).mean()), abs=1e-6
            )
    monkeypatch.setattr(evaluation, "SEEN", 7)  # images at a time
    np.testing.assert_allclose(measured(given)["confidence"], found["confidence"], atol=1e-6)


def probes(weights, run, seed):
    """The images of each place, written down again."""
    _, free = network_of(weights, run)
    order = evaluation._stream(0, 0, "permutation").permutation(SIDE**2)
    test = IMAGES.x_test[:30]
    return {"pool": IMAGES.x_train[free[:30]], "test": test, "permuted": test[:, order]}


def test_smoothness_and_flipped_are_means_over_the_images_of_each_place(found, given):
    """Against a loop over the images, in float64, of directions found in float32 as in training."""
    for run, seed in enumerate(SEEDS):
        network, _ = network_of(given[1], run)
        single, _ = network_of(given[1], run, torch.float32)
        for place, images in probes(given[1], run, seed).items():
            start = torch.from_numpy(evaluation._stream(0, seed, place).standard_normal((30, SIDE**2))).float()
            x = torch.as_tensor(images)
            along = {
                "virtual": directions.virtual(single, x[None], start[None], xi=1e-2, iterations=8)[0],
                "random": functional.normalize(start, dim=1),
            }
            for name, d in along.items():
                for length in LENGTHS:
                    kl, flips = [], []
                    for i in range(30):
                        p, q = (
                            network(z.double()[None, None])[0, 0]
                            for z in (x[i], x[i].double() + length * d[i].double())
                        )
                        kl.append(float((p.softmax(-1) * (p.log_softmax(-1) - q.log_softmax(-1))).sum()))
                        flips.append(int(p.argmax()) != int(q.argmax()))
                    own = found.sel(seed=seed, place=place, along=name, length=length)
                    assert float(own["smoothness"]) == pytest.approx(np.mean(kl), rel=1e-4)
                    assert float(own["flipped"]) == pytest.approx(np.mean(flips))


def test_virtual_directions_move_a_network_further_than_random_ones(found):
    far = found["smoothness"].sel(along="virtual") / found["smoothness"].sel(along="random")
    assert (far > 1.5).all()
    assert (found["flipped"].sel(along="virtual") >= found["flipped"].sel(along="random")).all()
    assert (found["smoothness"].diff("length") > 0).all()
    assert (found["smoothness"] > 0).all()  # also where float32 would have rounding only


def test_of_short_lengths_the_divergence_is_half_the_eigenvalue_times_the_square(found, given):
    for run, seed in enumerate(SEEDS):
        network, free = network_of(given[1], run)
        x = torch.as_tensor(IMAGES.x_train[free[:30]])[None].double()
        largest = directions.converged(network, x)[1][..., 0].mean()
        own = found["smoothness"].sel(seed=seed, along="virtual", place="pool", length=1e-3)
        assert float(own) == pytest.approx(float(largest) * 1e-6 / 2, rel=2e-2)


def test_what_flips_at_the_trainings_own_eps_is_what_flips_at_that_length(found, given):
    same = found["flipped"].sel(place="pool", length=SETTINGS["eps"], drop=True)
    np.testing.assert_array_equal(found["flipped_at_eps"], same)
    record, weights = given[0].copy(), given[1]
    record.attrs["parameters"] = json.dumps(SETTINGS | {"eps": 2.0})
    other = measured((record, weights))
    np.testing.assert_array_equal(other["flipped_at_eps"], found["flipped"].sel(place="pool", length=2.0, drop=True))
    assert (other["flipped_at_eps"].sel(along="virtual") > found["flipped_at_eps"].sel(along="virtual")).all()


def test_cosines_rise_with_the_iterations_to_one(found):
    for name in ("cosine", "cosine_median", "cosine_share"):
        assert (found[name].diff("iteration") >= 0).all(), name
    assert (found["cosine_median"].sel(iteration=1) > 0.9).all()
    assert (found["cosine"].sel(iteration=8) > 0.99).all()
    assert ((found["gap"] > 0) & (found["gap"] < 1)).all()


def test_cosines_are_those_of_each_image(given, found):
    """Each number of iterations counted from the start, in float64."""
    network, free = network_of(given[1], 1)
    x = torch.as_tensor(IMAGES.x_train[free[:30]])[None].double()
    start = torch.from_numpy(evaluation._stream(0, 4, "pool").standard_normal((30, SIDE**2))).float().double()[None]
    limit, spectrum = directions.converged(network, x)
    for number in (1, 2, 8):
        d = directions.virtual(network, x, start, xi=evaluation.XI, iterations=number)
        cosine = (d * limit).sum(-1).abs().numpy()
        own = found.sel(seed=4, iteration=number)
        assert float(own["cosine"]) == pytest.approx(cosine.mean(), rel=1e-9)
        assert float(own["cosine_median"]) == pytest.approx(np.median(cosine), rel=1e-9)
        assert float(own["cosine_share"]) == (cosine >= 0.9).mean()
    assert float(found["gap"].sel(seed=4)) == pytest.approx(float((spectrum[..., 1] / spectrum[..., 0]).mean()))


def test_many_iterations_at_the_length_chosen_come_to_the_converged_direction(given):
    """At XI, and not at a length where kinks of ReLU lie between, or where rounding is all there is (the controls)."""
    network, free = network_of(given[1], 0)
    x = torch.as_tensor(IMAGES.x_train[free])[None].double()
    start = torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape))
    cosines, ratio = evaluation.compared(network, x, start, [1, 200])
    clear = ratio[0] < 0.9
    assert clear.mean() > 0.8
    assert (1 - cosines[0, 1, clear]).max() < 1e-6
    limit = directions.converged(network, x)[0]
    for xi in (0.5, 1e-15):
        d = directions.virtual(network, x, start, xi=xi, iterations=200)
        assert float((1 - (d * limit).sum(-1).abs()[0, torch.from_numpy(clear)]).max()) > 1e-3


def test_where_there_is_no_direction_none_is_counted():
    """Networks without slope at some images, or at all."""
    network = Mlps((4, 6, 3), 1, slope=0.0, dtype=torch.float64).initialise([np.random.default_rng(0)])
    network.requires_grad_(False)
    network.b0.fill_(-1)
    network.w0.abs_()
    x = torch.rand((1, 9, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3
    x[:, :4] *= -1  # no neuron is active
    cosines, ratio = evaluation.compared(network, x, torch.ones_like(x), [1])
    assert np.isnan(cosines[0, 0]).tolist() == [True] * 4 + [False] * 5
    assert np.isnan(ratio[0]).tolist() == [True] * 4 + [False] * 5
    assert evaluation._means(cosines)[0, 0] == pytest.approx(cosines[0, 0, 4:].mean())
    assert evaluation._medians(cosines)[0, 0] == pytest.approx(np.median(cosines[0, 0, 4:]))
    assert np.isnan(evaluation._means(np.full((2, 3), np.nan))).all()
    assert np.isnan(evaluation._medians(np.full((2, 3), np.nan))).all()
    assert np.isnan(evaluation._means(np.zeros((2, 0)))).all()


def test_permuted_images_are_the_same_pixels_in_one_order_for_all(found):
    order = evaluation._stream(0, 0, "permutation").permutation(SIDE**2)
    assert sorted(order.tolist()) == list(range(SIDE**2))
    assert (order != np.arange(SIDE**2)).mean() > 0.8
    assert not np.allclose(found["smoothness"].sel(place="permuted"), found["smoothness"].sel(place="test"), rtol=0.1)


def test_a_seed_is_the_same_in_every_block(found):
    alone = measured(trained(seeds=[4]))
    assert alone.equals(found.sel(seed=[4]))


def test_all_seeds_as_one_batch_are_those_measured_alone_to_rounding(given, found, monkeypatch):
    """On a GPU all seeds of a job are one batch of tensors; here the same batch on the CPU."""
    monkeypatch.setattr(evaluation.devices, "batches", lambda runs, device: [list(range(runs))])
    together = measured(given)
    for name in found.data_vars:
        np.testing.assert_allclose(together[name], found[name], rtol=1e-3, atol=1e-7, err_msg=name)


def test_all_cells_of_a_seed_are_measured_along_the_same_random_directions(given, monkeypatch):
    seen = []
    unit = directions.unit
    monkeypatch.setattr(directions, "unit", lambda g: (seen.append(g.clone()), unit(g))[1])
    starts = []
    for changed in ({}, {"training": "random", "n_labels": 12, "width": 8}, {"n_pool": 40}):
        cell = trained(**changed, seeds=[4])
        seen.clear()
        measured(cell)
        starts.append(next(g for g in seen if g.shape[1] > 0))
    rows = min(len(s[0]) for s in starts)
    for other in starts[1:]:
        assert torch.equal(other[:, :rows], starts[0][:, :rows])
    seen.clear()
    measured(trained(seeds=[0]))
    assert not torch.equal(seen[0][:, :rows], starts[0][:, :rows])  # another seed, others


def test_how_many_images_and_lengths_are_probed_changes_none_of_the_others(given, found):
    fewer = measured(given, probe_eps=[0.5], probe_iterations=[2, 8])
    np.testing.assert_array_equal(fewer["smoothness"], found["smoothness"].sel(length=[0.5]))
    np.testing.assert_allclose(fewer["cosine"], found["cosine"].sel(iteration=[2, 8]), rtol=1e-9)
    np.testing.assert_array_equal(fewer["error"], found["error"])
    more = measured(given, probe_images=1000)  # as many as there are: 51 of the pool, 40 of the test images
    assert np.isfinite(more["smoothness"]).all()
    assert not np.allclose(more["smoothness"], found["smoothness"], rtol=1e-6)


def test_labels_and_images_of_no_part_in_it_change_nothing(given, found):
    """Labels move errors alone; images beyond the pool and beyond those probed move nothing they should not."""
    y = replace(IMAGES, y_train=(IMAGES.y_train + 1) % 3, y_test=(IMAGES.y_test + 1) % 3)
    other = measured(given, y)
    for name in found.data_vars:
        assert other[name].equals(found[name]) == (name != "error"), name
    x = IMAGES.x_train.copy()
    x[60:] = np.nan
    validation = IMAGES.x_validation.copy()
    validation[20:] = np.nan
    assert measured(given, replace(IMAGES, x_train=x, x_validation=validation)).equals(found)


def test_nothing_given_is_changed(given):
    record, weights = given
    before, arrays = record.copy(deep=True), {name: value.copy() for name, value in weights.items()}
    measured(given)
    assert record.identical(before)
    for name, value in weights.items():
        np.testing.assert_array_equal(value, arrays[name])


def test_a_diverged_run_is_nan_and_the_others_are_measured(given, found):
    record, weights = given[0].copy(deep=True), {name: value.copy() for name, value in given[1].items()}
    record["diverged"][0], record["diverged_update"][0] = 1, 40
    for name in weights:
        if name.startswith("network/"):
            weights[name][0] = np.nan
        if name.startswith("predicted/"):
            weights[name][0, 1:] = 255
    other = measured((record, weights))
    assert other.sel(seed=[4]).equals(found.sel(seed=[4]))
    assert other["error"][0, :, 0].equals(found["error"][0, :, 0])
    assert other["error"][0, :, 1:].isnull().all()
    for name in found.data_vars:
        if name != "error":
            assert other[name][0].isnull().all(), name


def test_a_block_whose_runs_all_diverged_is_measured_too():
    lost = measured(trained(learning_rate=1e30))
    for name in lost.data_vars:
        assert lost[name].isnull().all(), name


def test_a_pool_that_is_labelled_entirely_has_no_error():
    every = measured(trained(n_labels=60))
    assert every["error"].sel(split="pool").isnull().all()
    assert every["confidence"].sel(split="pool").isnull().all()
    assert every["smoothness"].sel(place="pool").isnull().all()
    for name in ("cosine", "cosine_median", "cosine_share", "gap", "flipped_at_eps"):
        assert every[name].isnull().all(), name
    assert np.isfinite(every["error"].sel(split="test")).all()
    assert np.isfinite(every["smoothness"].sel(place=["test", "permuted"])).all()


def test_networks_with_batch_normalisation_are_measured_with_the_statistics_kept():
    cell = trained(batch_normalisation=True)
    found = measured(cell)
    network, _ = network_of(cell[1], 0)
    p = network(torch.as_tensor(IMAGES.x_test[:4])[None].double()).softmax(-1)
    every = network(torch.as_tensor(IMAGES.x_test)[None].double()).softmax(-1)
    torch.testing.assert_close(p, every[:, :4])
    assert float(found["confidence"].sel(split="test")[0]) == pytest.approx(float(every.amax(-1).mean()), abs=1e-6)


def test_training_along_virtual_directions_leaves_smoother_networks(found):
    smooth = measured(trained(training="virtual", updates=150))
    plain = measured(trained(updates=150))
    ratio = smooth["smoothness"] / plain["smoothness"]
    assert (ratio.sel(along="virtual", length=0.5, place=["pool", "test"]) < 0.8).all()


@pytest.mark.parametrize(
    ("images", "changed", "message"),
    [
        (IMAGES, {"n_validation": 26}, "n_validation: found 26, allowed: at most 25, the validation images there are"),
        (replace(IMAGES, x_test=IMAGES.x_test[:30]), {}, "images: found 30 of test, allowed: the 40 of the training"),
        (replace(IMAGES, x_validation=np.zeros((30, 25))), {}, "images: found 30 of validation, allowed: the 25"),
        (
            replace(IMAGES, x_train=IMAGES.x_train[:50]),
            {},
            "images: found 50 of 25 pixels to train on, allowed: at least 60",
        ),
        (
            replace(IMAGES, x_train=IMAGES.x_train[:, :9]),
            {},
            "of 9 pixels to train on, allowed: at least 60 of 25 pixels",
        ),
    ],
)
def test_other_images_than_those_of_the_training_are_refused(given, images, changed, message):
    with pytest.raises(InputError, match=message):
        measured(given, images, **changed)
