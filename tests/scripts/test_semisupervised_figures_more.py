"""Figures of the study semisupervised, through their scripts: smoothness, pseudo-labels, distances and the two moons."""

import functools
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from advdyn import figures, io, linear
from advdyn.errors import InputError
from advdyn.intervals import interval
from advdyn.semisupervised.figures import common, distances, pseudo_labels, smoothness
from tests import semisupervised_data

KINDS = ("smoothness", "pseudo_labels", "distances", "moons")
SUFFIXES = (".pdf", ".svg", ".png", ".csv")
ROOT = Path(__file__).resolve().parents[2]
AT = {"n_labels": 100, "power_iterations": 1}
EPS = {"supervised": 1.0, "adversarial": 1.0, "random": 2.0, "pseudo-label": 1.0, "virtual": 1.0}  # with least error


@functools.cache
def study():
    return semisupervised_data.study()


@functools.cache
def one_seed():
    return semisupervised_data.tiny()


@functools.cache
def trained_only():
    return semisupervised_data.study(evaluated=False, distances=False, moons=False)


@functools.cache
def lost():
    return semisupervised_data.study(diverged=[0]).assign_attrs(partial="30 of 40 jobs")


@functools.cache
def all_lost():
    return semisupervised_data.study([{"training": m} for m in ("supervised", "virtual")], diverged=range(5))


@functools.cache
def no_moons():
    return semisupervised_data.study([{"training": m} for m in ("supervised", "random")], seeds=2, moons=False)


@functools.cache
def only_moons():
    return semisupervised_data.study([{}], evaluated=False, distances=False)


@functools.cache
def swept_pool():
    """Distances of two pools."""
    made = semisupervised_data.study(
        [{"n_pool": n, "training": m} for n in (1000, 3500) for m in ("random", "virtual")]
    )
    other = made["other_class_distance"]
    return made.assign(other_class_distance=other.expand_dims(n_pool=made["n_pool"]) * [[1.0], [0.5]])


@functools.cache
def moons_lost():
    """No network of one method is left, and one noise only."""
    made = study().isel(moon_noise=[0])
    first = made["moon_method"] == "supervised"
    return made.assign({name: made[name].where(~first) for name in made if "moon_method" in made[name].dims})


MADE = [one_seed, trained_only, lost, all_lost, no_moons, only_moons, swept_pool, moons_lost]


def drawn(kind, data):
    """A figure and its table."""
    with figures.style():
        figure, table = getattr(importlib.import_module(f"advdyn.semisupervised.figures.{kind}"), kind)(data)
    assert figure.axes or figure.texts
    assert len(table) > 0
    return figure, table


@functools.cache
def of(kind, made):
    """The figure of a made-up study, drawn once."""
    return drawn(kind, made())


def texts(figure):
    """Every text of a figure."""
    from matplotlib.text import Text

    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


def best(method, variable):
    """What the made-up study has of a method at its best eps."""
    return study()[variable].sel({"training": method, "eps": EPS[method]} | AT)


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The file of the study."""
    described = study().copy()
    for variable in described.variables.values():
        variable.attrs = {"long_name": "made up", "units": "1"}
    path = tmp_path_factory.mktemp("inputs") / "semisupervised.nc"
    io.write(described, path, {}, [linear.__file__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read", functools.cache(io.read))  # read once
        yield str(path)


def scripted(kind, source, folder, suffixes):
    """The contents of the files that a figure's script makes, called with the object that Snakemake would give it."""
    folder.mkdir()
    files = [folder / f"{kind}{suffix}" for suffix in suffixes]
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], study=source), output=[str(file) for file in files],
        params=SimpleNamespace(point={}), log=[str(folder / "log.txt")],
    )  # fmt: skip
    importlib.import_module(f"scripts.plot_semisupervised_{kind}").main(job)
    return [file.read_bytes() for file in files]


@pytest.mark.parametrize("kind", ["smoothness", "pseudo_labels", "distances"])
def test_every_figure_is_made_by_its_script(kind, source, tmp_path):
    assert all(len(content) > 5000 for content in scripted(kind, source, tmp_path / "a", (".svg", ".csv")))


def test_figures_are_made_the_same_twice(source, tmp_path):
    first, second = (scripted("moons", source, tmp_path / part, SUFFIXES) for part in "ab")
    assert all(len(content) > 1000 for content in first)
    assert first == second


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_has_a_caption_of_whole_sentences(kind):
    words = (ROOT / f"workflow/report/semisupervised_{kind}.rst").read_text()
    assert len(words) > 400
    assert words.endswith(".\n")


# --- numbers -------------------------------------------------------------------------------------------------------


def test_smoothness_is_that_of_each_method_at_its_own_eps():
    table = of("smoothness", study)[1]
    assert table.groupby("training")["eps"].first().dropna().to_dict() == {
        method: eps for method, eps in EPS.items() if method != "supervised"
    }
    assert table[table["training"] == "supervised"]["eps"].isna().all()
    assert len(table) == 5 * 3 * 2 * 7
    for method in EPS:
        for place in ("pool", "test", "permuted"):
            for along in ("virtual", "random"):
                found = table.query("training == @method and place == @place and along == @along")
                own = best(method, "smoothness").sel(place=place, along=along)
                assert found["length"].tolist() == own["length"].values.tolist()
                assert found["mean"].to_numpy() == pytest.approx(stats.gmean(own.values.astype(float), axis=0))


def test_a_ring_stands_on_the_line_at_the_eps_of_training():
    figure, table = of("smoothness", study)
    rings = [line for line in figure.axes[1].lines if line.get_markerfacecolor() == "white"]
    assert len(rings) == 4
    for ring in rings:
        (eps,), (y,) = ring.get_data()
        near = table[(table["place"] == "test") & (table["along"] == "virtual") & (table["length"] == eps)]["mean"]
        assert np.isclose(near, y).any()


def test_smoothness_is_averaged_on_a_logarithm():
    sample = np.array([1e-4, 1e-3, 1e-2])
    found = smoothness.geometric(sample)
    assert found["mean"] == pytest.approx(1e-3)
    assert found["mean"] != pytest.approx(sample.mean(), rel=0.5)  # the control: the mean itself
    assert np.log([found["low"], found["high"]]) == pytest.approx(interval(np.log(sample))[2:])
    assert smoothness.geometric(np.array([1.0, 4.0, 0.0, np.nan])) == pytest.approx(
        smoothness.geometric(np.array([1.0, 4.0]))
    )
    assert np.isfinite(smoothness.geometric(np.array([1e-300, 1e300]))["high"])


def test_pseudo_labels_of_every_run_seed_and_checkpoint_are_shown():
    table = of("pseudo_labels", study)[1]
    points = table[table["panel"] == "accuracy"]
    error = study()["error"].sel(split=["pool", "test"])
    assert len(points) == int(error.notnull().all("split").sum())
    assert points["run"].nunique() == 4 * 4 * 4 + 4 + 2  # methods with eps by labels, supervised by labels, K
    assert points["end"].sum() == points["run"].nunique() * study().sizes["seed"]
    ends = points.query("end and training == 'random' and n_labels == 200 and eps == 4")
    own = error.sel({"training": "random", "n_labels": 200, "eps": 4, "power_iterations": 1}).isel(update=-1)
    for split in ("pool", "test"):
        assert ends[split].to_numpy() == pytest.approx(100 * (1 - own.sel(split=split).values))


def test_the_rank_correlation_is_that_of_the_ends_of_each_seed():
    rng = np.random.default_rng(0)
    noisy = study().copy()
    noisy["error"] = noisy["error"] + 0.1 * rng.standard_normal(noisy["error"].shape)
    table = drawn("pseudo_labels", noisy)[1]
    found = table[table["panel"] == "rank correlation"].set_index("seed")["mean"]
    ends = noisy["error"].isel(update=-1).stack(run=("training", "n_labels", "eps", "power_iterations"))
    for seed in study()["seed"].values:
        one = ends.sel(seed=seed).dropna("run", how="any")
        rho = stats.spearmanr(one.sel(split="pool"), one.sel(split="test")).statistic
        assert found[seed] == pytest.approx(rho)
        assert found[seed] < 0.95  # noise tells; without it, it is 1
    assert of("pseudo_labels", study)[1].query("panel == 'rank correlation'")["mean"].min() > 0.99


def test_a_rank_correlation_needs_five_runs_that_differ():
    ends = pd.DataFrame({"seed": 0, "end": True, "pool": np.arange(4.0), "test": np.arange(4.0)})
    assert pseudo_labels.rank_correlation(ends).empty
    ends = pd.concat([ends, ends.assign(pool=9.0)])
    assert len(pseudo_labels.rank_correlation(ends)) == 1
    assert pseudo_labels.rank_correlation(ends.assign(test=1.0)).empty
    assert pseudo_labels.rank_correlation(ends.assign(end=False)).empty


def test_r_changes_what_each_method_was_trained_against():
    table = of("pseudo_labels", study)[1].query("panel == 'changed'")
    assert len(table) == 10
    for method in EPS:
        for along in ("virtual", "random"):
            found = table.query("training == @method and along == @along").iloc[0]
            own = best(method, "flipped_at_eps").sel(along=along).values
            if method == "supervised":  # at the eps of virtual
                own = best(method, "flipped").sel(along=along, place="pool", length=EPS["virtual"]).values
            mean, _, low, high = interval(100 * own)
            assert found[["mean", "low", "high"]].to_numpy(float) == pytest.approx([mean, low, high])
            assert found["eps"] == EPS[method if method != "supervised" else "virtual"]


def test_the_supervised_network_is_perturbed_at_the_length_of_the_virtual_one():
    points = [{"training": "supervised"}, {"training": "virtual", "eps": 0.8}]
    made = semisupervised_data.study(points)
    row = drawn("pseudo_labels", made)[1].query("training == 'supervised' and along == 'virtual'").iloc[0]
    own = made["flipped"].sel({"training": "supervised", "eps": 1.0, "place": "pool", "along": "virtual"}).mean("seed")
    assert row["eps"] == 0.8
    assert row["mean"] == pytest.approx(100 * float(0.4 * own.sel(length=0.5) + 0.6 * own.sel(length=1.0)))
    below = drawn("pseudo_labels", semisupervised_data.study([points[0], points[1] | {"eps": 0.05}]))[1]
    least = float(own.sel(length=0.1))
    found = below.query("training == 'supervised' and along == 'virtual'")["mean"].iloc[0]
    assert found == pytest.approx(50 * least)  # nothing is changed at length 0
    beyond = drawn("pseudo_labels", semisupervised_data.study([points[0], points[1] | {"eps": 5.0}]))[1]
    assert "supervised" not in set(beyond[beyond["panel"] == "changed"]["training"])


def test_the_share_beyond_a_length_comes_from_quantiles():
    sample = np.random.default_rng(1).gamma(4.0, size=5001)
    levels = np.linspace(0, 1, 501)
    table = pd.DataFrame({"level": levels, "distance": np.quantile(sample, levels)})
    for length in (0.0, 1.0, 4.0, 9.0, 1e3):
        assert distances.beyond(table, length) == pytest.approx(np.mean(sample > length), abs=1 / 500)
    assert distances.beyond(table, sample.min() / 2) == 1.0
    assert distances.beyond(table, sample.max() * 2) == 0.0


def test_classes_are_held_against_twice_the_chosen_eps():
    figure, table = of("distances", study)
    limits = table[table["of"] == "beyond 2 eps"].set_index("panel")
    noises = study()["moon_noise"].values
    assert limits.loc["images", "distance"] == 2 * EPS["virtual"]
    assert limits.loc["images", "mean"] == 1.0  # the least made-up distance is 2.6
    eps = semisupervised_data.SETTINGS["moons_eps"]
    for noise in noises:
        row = limits.loc[f"moons, noise {noise:g}"]
        assert row["distance"] == 2 * eps
        assert row["mean"] == pytest.approx(study()["moons_beyond"].sel(moon_noise=noise).mean())
    assert limits["mean"].iloc[1] > limits["mean"].iloc[2]
    curve = figure.axes[0].lines[0]
    assert curve.get_xdata() == pytest.approx(study()["other_class_distance"].values)
    assert curve.get_ydata() == pytest.approx(100 * study()["level"].values)
    assert f"beyond $2\\varepsilon = {2 * eps:g}$" in texts(figure)


def test_distances_are_those_of_the_pool_that_was_trained_on():
    table = of("distances", swept_pool)[1]
    other = table.query("panel == 'images' and of == 'another class'")["distance"]
    assert other.to_numpy() == pytest.approx(0.5 * semisupervised_data.study()["other_class_distance"].values)


def test_moons_stand_in_rows_of_noise_and_columns_of_methods():
    figure, table = of("moons", study)
    noises, methods = study()["moon_noise"].values, list(common.METHODS)
    errors = table[table["of"] == "error"]
    assert list(zip(errors["noise"], errors["training"], strict=True)) == [(n, m) for n in noises for m in methods]
    own = study()["moons_error"].sel(moon_noise=noises[1], moon_method="random")
    assert errors["mean"].iloc[7] == pytest.approx(float(own.mean()))
    assert f"{100 * float(own.mean()):.1f} ±" in figure.axes[7].get_title()
    mesh = figure.axes[7].collections[0].get_array().reshape(60, 80)
    p = study()["moons_probability"].sel(moon_noise=noises[1], moon_method="random")
    assert np.asarray(mesh) == pytest.approx(p.transpose("gy", "gx").values)


def test_arrows_start_at_points_and_have_the_length_of_r():
    from matplotlib.quiver import Quiver

    figure = of("moons", study)[0]
    one = study().isel(moon_noise=0).sel(moon_method="virtual")
    (arrows,) = [artist for artist in figure.axes[4].collections if isinstance(artist, Quiver)]
    assert 10 < arrows.N <= 30
    starts, r = arrows.XY, np.stack([arrows.U, arrows.V], -1)
    x = one["moons_point"].values
    at = np.array([np.flatnonzero((x == start).all(1))[0] for start in starts])
    assert r == pytest.approx(one["moons_direction"].values[at])
    assert np.linalg.norm(r, axis=1) == pytest.approx(semisupervised_data.SETTINGS["moons_eps"])
    assert (arrows.angles, arrows.scale_units, arrows.scale) == ("xy", "xy", 1)


def test_labelled_points_are_the_large_ones_of_their_class():
    axis = of("moons", study)[0].axes[0]
    one = study().isel(moon_noise=0)
    large = [line for line in axis.lines if line.get_markersize() > 4]
    for label, line in enumerate(large):
        known = (one["moons_class"] == label) & (one["moons_labelled"] > 0)
        assert np.stack(line.get_data(), -1) == pytest.approx(one["moons_point"].values[known.values])
    assert len(large) == 2


# --- small and broken studies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", KINDS)
def test_small_and_broken_studies_are_drawn(kind, made):
    of(kind, made)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_stay_on_the_page_and_clear_of_the_mark_of_an_unfinished_study(kind):
    figure, _ = of(kind, lost)
    with figures.style():
        figure.draw_without_rendering()
    page = figure.bbox
    for text in (*figure.legends, *(axis.title for axis in figure.axes), *(axis.xaxis.label for axis in figure.axes)):
        box = text.get_window_extent()
        if box.width > 1:
            assert box.x0 >= page.x0 - 1
            assert box.x1 <= page.x1 + 1
            assert box.y1 <= page.y1 + 1
            assert box.y0 >= (common.MARK - 0.03) * figure.dpi


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_without_a_run_is_the_users_to_mend(kind):
    with pytest.raises(InputError, match="holds no run"):
        drawn(kind, one_seed()[["norm_error"]])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("smoothness", "has not been measured"), ("pseudo_labels", "have not been measured"),
        ("distances", "have not been measured"), ("moons", "have not been trained"),
    ],
)  # fmt: skip
def test_a_figure_says_what_the_study_does_not_have(kind, words):
    assert words in of(kind, trained_only)[1]["note"].iloc[0]


def test_a_panel_says_what_the_study_does_not_have():
    assert texts(of("distances", no_moons)[0]).count("not trained in this study") == 2
    assert "not measured in this study" in texts(of("distances", only_moons)[0])
    assert "not measured in this study" in texts(of("pseudo_labels", all_lost)[0])
    assert texts(of("moons", moons_lost)[0]).count("diverged") == 1


def test_a_run_that_diverged_has_no_end():
    table = of("pseudo_labels", lost)[1]
    points = table[table["panel"] == "accuracy"]
    assert set(points[points["end"]]["seed"]) == {1, 2, 3, 4}
    assert 0 in set(points["seed"])  # what it was before
    assert "5 runs diverged" in texts(of("smoothness", lost)[0])


def test_one_seed_has_no_interval():
    assert of("smoothness", one_seed)[1]["low"].isna().all()
