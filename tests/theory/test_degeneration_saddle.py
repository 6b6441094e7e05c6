"""Theorem 1 on a small game, Figure 6 on a line, Figure 4's numbers, and Table 1."""

import degeneration_data
import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from advdyn.data.load import Images
from advdyn.degeneration import illustrate, line, saddle, table
from advdyn.errors import InputError

OPTIMUM = -np.log(4)


# --- Theorem 1 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theorem():
    return saddle.run(root=0)


def test_the_optimum_has_no_gradient_and_the_value_of_goodfellow(theorem):
    assert theorem["value"] == pytest.approx(OPTIMUM, abs=1e-12)
    assert theorem["criterion"] == pytest.approx(OPTIMUM, abs=1e-12)
    assert theorem["gradient_norm"] < 1e-12
    assert theorem["criterion_gradient_norm"] < 1e-12
    # controls: elsewhere there is one, and the criterion is higher
    assert theorem["control_gradient_norm"] > 0.01
    assert theorem["control_criterion_gradient_norm"] > 0.01
    assert theorem["control_criterion"] > OPTIMUM + 1e-3


def test_the_optimum_is_a_saddle_of_the_game_and_a_minimum_of_the_criterion(theorem):
    values, largest = theorem["eigenvalue"].values, np.abs(theorem["eigenvalue"].values).max()
    seen = saddle.UNITS + 1
    signs = [int((values > 1e-9 * largest).sum()), int((values < -1e-9 * largest).sum())]
    assert signs == [saddle.COEFFICIENTS, seen]
    assert len(values) - sum(signs) == 2 * saddle.UNITS  # hidden weights, which D = 1/2 does not see
    np.testing.assert_allclose(theorem["criterion_eigenvalue"], 0.25, rtol=1e-9)
    assert np.abs(theorem["control_criterion_eigenvalue"] - 0.25).max() > 0.01


def test_hessians_agree_with_formula_and_finite_differences(theorem):
    np.testing.assert_allclose(theorem["eigenvalue"], theorem["eigenvalue_formula"], atol=1e-12)
    assert theorem["difference"] < 1e-7
    game = saddle.Game(3, 2)
    best = saddle.optimum(game, np.random.default_rng(1))
    np.testing.assert_allclose(saddle.hessian(game.value, best), game.formula(best), atol=1e-12)


def test_curvature_of_the_criterion_is_that_of_the_game_with_its_best_discriminator():
    """B C^-1 B^T, over ever more units, comes up to 1/4 from below: a small discriminator sees less."""
    least = []
    for units in (2, 6, 30):
        game = saddle.Game(2, units)
        whole = game.formula(saddle.optimum(game, np.random.default_rng(3)))
        b, c = whole[:2, 2 : 3 + units], -whole[2 : 3 + units, 2 : 3 + units]
        schur = np.linalg.eigvalsh(b @ np.linalg.pinv(c, rcond=1e-10) @ b.T)
        assert schur.max() <= 0.25 + 1e-8
        least.append(schur.min())
    assert least[0] < least[1] < least[2]
    assert least[2] == pytest.approx(0.25, rel=1e-3)


def test_the_criterion_is_the_jensen_shannon_divergence():
    """By another way: the density of Deg(x) on a grid, from its inverse."""
    game, a = saddle.Game(2, 1), torch.tensor([0.4, -0.3], dtype=torch.float64)
    x = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    y = game.moved(a, x).numpy()
    assert (np.diff(y) > 0).all()
    even = np.linspace(0, 1, 200_001)
    density = 1 / np.interp(even, y, game.slope(a, x).numpy())
    middle = (1 + density) / 2
    divergence = np.trapezoid(-np.log(middle) + density * np.log(density / middle), even) / 2
    assert float(game.criterion(a)) == pytest.approx(2 * divergence + OPTIMUM, abs=1e-8)


# --- Figure 6 --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    return line.run(line_steps=800, root=0)


def test_stages_on_the_line_go_from_data_to_noise(trained):
    chi2 = trained["chi2_per_dof"].values
    assert chi2[0] > 100
    assert chi2[3] < chi2[2] < chi2[0]
    assert chi2[3] < chi2[0] / 3
    # (a) "p_d is dangerously similar to p_data": far nearer to it than to noise
    p_x, p_d = trained["p_x"].values, trained["p_d"].values
    assert np.abs(p_d[0] - p_x).mean() < np.abs(p_d[0] - 1).mean() / 2
    assert np.abs(p_d[3] - 1).mean() < np.abs(p_d[3] - p_x).mean() / 2
    assert trained["stage"].values.tolist() == list(degeneration_data.STAGES)


def test_inner_loop_brings_the_discriminator_to_the_best_one(trained):
    off = np.abs(trained["discriminator"] - trained["optimal"]).mean("bin").values
    assert off[1] < off[0] / 2
    np.testing.assert_allclose(trained["optimal"], 1 / (1 + trained["p_d"]))
    np.testing.assert_allclose(trained["p_d"].mean("bin"), 1, atol=1e-3)
    # the value falls from that of a discriminator that sees the difference towards -log 4
    assert trained["value"].values[1] > trained["value"].values[3] > OPTIMUM - 0.05
    assert trained["value"].values[3] == pytest.approx(OPTIMUM, abs=0.05)


def test_chi2_of_numbers_that_are_uniform_is_one(trained):
    """Error rate 1e-6 of each; the control, noise that is a little uneven, must fail."""
    low, high = (stats.chi2.ppf(q, line.BINS - 1) / (line.BINS - 1) for q in (5e-7, 1 - 5e-7))
    assert low < float(trained["chi2_noise"]) < high
    rng = np.random.default_rng(0)
    even = np.histogram(rng.random(line.SAMPLES), line.BINS, (0, 1))[0]
    uneven = np.histogram(rng.random(line.SAMPLES) ** 1.2, line.BINS, (0, 1))[0]
    assert low < line.chi2_per_dof(even) < high
    assert line.chi2_per_dof(uneven) > high
    assert line.chi2_per_dof(np.full(10, 7)) == 0  # more uniform than random: "super-uniformity"


def test_the_line_starts_at_the_identity_and_is_the_same_again():
    first, again = (line.run(line_steps=10, root=1) for _ in range(2))
    xr.testing.assert_identical(first, again)
    grid = first["grid"].values
    middle = np.abs(grid - 0.5) < 0.2
    np.testing.assert_allclose(first["mapping"].values[0][middle], grid[middle], atol=0.02)
    assert not first["p_d"].equals(line.run(line_steps=10, root=2)["p_d"])


def test_data_on_the_line_are_the_bumps():
    x = line.data(np.random.default_rng(0), 100_000)
    assert x.min() >= 0
    assert x.max() <= 1
    mean = sum(share * centre for share, centre, _ in line.BUMPS)
    # 5 standard errors, error rate 6e-7; the bumps are 4 standard deviations from the ends
    assert abs(x.mean() - mean) < 5 * x.std() / np.sqrt(len(x)) + 1e-4


# --- Figure 4 --------------------------------------------------------------------------------------------------------

PIXELS, CLASSES = 64, 2


def classifier():
    """Bright images are of class 1, by a margin: mean pixel above or below one half."""
    w0 = np.zeros((PIXELS, 256), np.float32)
    w0[:, 0], w0[:, 1] = 1 / PIXELS, -1 / PIXELS
    b0 = np.zeros(256, np.float32)
    b0[:2] = -0.5, 0.5
    w1, w2 = np.zeros((256, 64), np.float32), np.zeros((64, CLASSES), np.float32)
    w1[0, 0] = w1[1, 1] = 1
    w2[0] = -50, 50
    w2[1] = 50, -50
    made = {"w0": w0, "b0": b0, "w1": w1, "b1": np.zeros(64, np.float32), "w2": w2, "b2": np.zeros(CLASSES, np.float32)}
    return xr.Dataset({name: ([f"{name}_{k}" for k in range(v.ndim)], v) for name, v in made.items()})


def held(n=30):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    pixels = np.clip(rng.integers(88, 168, (n, PIXELS)) + np.where(y, 25, -25)[:, None], 0, 255).astype(np.uint8)
    x = pixels.astype(np.float32) / 255
    return pixels, Images(x[:0], y[:0], x[:0], y[:0], x, y, (8, 8))


def degenerated(n, rng=1):
    images = np.random.default_rng(rng).integers(0, 256, (1, 1, 2, n + 3, PIXELS), np.uint8)
    images[:, :, 0] = 0  # an earlier pass is not the one shown
    part = np.repeat([0, 1, 2], [2, 1, n]).astype(np.int8)
    return xr.Dataset(
        {"image_output": (("sigma", "seed", "passed", "image", "pixel"), images)},
        {"sigma": [0.5], "seed": [0], "passed": [1, 2], "part": ("image", part)},
    )


def test_pictures_of_fgsm_fool_the_network_and_keep_the_structure():
    pixels, images = held()
    made = {"generator": degenerated(30), "degenerator": degenerated(30, rng=2)}
    found = illustrate.run(made, classifier(), images, eps=0.25, shown=16, root=0)
    assert found["picture"].values.tolist() == ["original", "fgsm", "generator", "degenerator"]
    np.testing.assert_array_equal(found["pictures"].sel(picture="original"), pixels[:16])
    np.testing.assert_array_equal(
        found["pictures"].sel(picture="generator"), made["generator"]["image_output"].values[0, 0, 1, 3:19]
    )
    moved = found["pictures"].sel(picture="fgsm").values.astype(int) - pixels[:16]
    assert set(np.abs(moved).ravel()) <= {63, 64}  # eps 255 to a byte
    accuracy, likeness = found["picture_accuracy"], found["picture_ssim"]
    assert accuracy.sel(picture="original") == 1
    assert accuracy.sel(picture="fgsm") == 0
    assert likeness.sel(picture="original") == 1
    assert likeness.sel(picture="fgsm") > 0.5 > 0.2 > likeness.sel(picture="degenerator")
    np.testing.assert_array_equal(found["predicted"].sel(picture="original"), found["true"])
    assert found["confidence"].min() >= 0.5


def test_pictures_of_fewer_images_and_of_runs_that_do_not_fit():
    _, images = held(5)
    assert illustrate.run({}, classifier(), images, eps=0.1, shown=16, root=0).sizes["shown"] == 5
    with pytest.raises(InputError, match="heldout: found outputs of"):
        illustrate.run({"generator": degenerated(6)}, classifier(), images, eps=0.1, shown=4, root=0)
    both = {"generator": degenerated(5), "degenerator": degenerated(4)}
    with pytest.raises(InputError, match="allowed: one number"):
        illustrate.run(both, classifier(), images, eps=0.1, shown=4, root=0)


# --- Table 1 ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study():
    return degeneration_data.study()


def test_the_zero_rows_are_those_of_the_paper_and_one_is_measured(study):
    rows = table.table(study).set_index("model")
    zeros = ["VGG trained on ImageNet", "Inception trained on Britney Spears MP3s", "AlphaGo trained on MNIST"]
    assert list(rows.index[:3]) == zeros
    assert (rows.loc[zeros, "dd_data"] == 0).all()
    assert rows.loc[zeros, "dd_album"].tolist()[:2] == [0, 0]
    assert np.isnan(rows.loc[zeros[2], "dd_album"])  # the classifier was never shown the album
    assert rows.loc[zeros, "measured"].tolist() == ["no", "no", "yes"]
    assert (rows.loc[zeros[:2], "note"] == "not run: a classifier writes nothing").all()
    # a classifier that altered bytes is no zero row
    altered = table.table(study.assign(altered_bytes=study["altered_bytes"] + 3)).set_index("model").loc[zeros[2]]
    assert np.isnan(altered["dd_data"])
    assert altered["note"].endswith("altered: 3")
    unknown = table.table(study.drop_vars("altered_bytes")).set_index("model").loc[zeros[2]]
    assert unknown["measured"] == "no"


def test_every_reading_has_a_row_and_the_first_is_nearest_the_settings(study):
    rows = table.table(study)
    kinds = study["kind"].values
    models = [m for m in rows["model"] if m.startswith("DAN")]
    assert len(models) == len(set(models)) == sum(kinds != "gan")
    assert [m for m in models if m.startswith(table.DAN)] == [f"{table.DAN} ({kind})" for kind in table.READINGS]
    assert (
        next(m for m in models if "degenerator" in m) == f"{table.DAN} (degenerator)"
    )  # before sigma 0, trained first
    row = rows.set_index("model").loc[f"{table.DAN} (degenerator)"]
    run = next(i for i, k in enumerate(kinds) if k == "degenerator" and study["sigma"].values[i] == 0.5)
    values = study["dd"].isel(run=run).sel(passed=24).values
    assert row["dd_data"] == pytest.approx(values.mean())
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    assert row["dd_data_high"] - row["dd_data"] == pytest.approx(half)
    assert row["n"] == study.sizes["seed"]
    assert row["passed"] == 24
    assert row["r2"] == pytest.approx(float(study["component_dd"].isel(run=run).sel(passed=24, component="r2").mean()))
    assert "held-out" in row["scored_on"]


def test_references_have_rows_and_draws(study):
    rows = table.table(study).set_index("model")
    assert [table.SYSTEMS[str(s)] for s in study["system"].values] == list(rows.index[-study.sizes["system"] :])
    row = rows.loc["XOR, one key for all images"]
    assert row["n"] == study.sizes["draw"]
    assert row["dd_data"] < 2
    assert rows.loc["untouched data", "dd_data"] == 0
    assert rows.loc["replaced by DANOISE", "fresh_accuracy"] == pytest.approx(0.5, abs=0.02)


def test_bytes_overwritten_are_those_of_the_run_that_overwrote_the_copy(study):
    def writers(data):
        rows = table.table(data)
        rows = rows[rows["model"].str.startswith("DAN")]
        return rows.loc[rows["overwritten"].notna(), ["model", "overwritten"]].to_numpy().tolist()

    assert writers(study) == [[f"{table.DAN} (degenerator)", 100.0]]  # the run at the settings
    chain = study.assign(overwritten_by=xr.DataArray("chain"))
    assert writers(chain) == [[f"{table.DAN} (chain)", 100.0]]
    assert writers(study.assign(overwritten_by=xr.DataArray("nothing"))) == []


def test_a_study_of_little_has_a_table():
    rows = table.table(degeneration_data.tiny())
    assert len(rows) == 5
    assert list(rows.columns) == list(table.COLUMNS)
    assert rows["dd_data_low"].isna().all()  # one seed
