"""The figures of the study degeneration, through their scripts: the files, the numbers beside them, and small studies."""

import functools
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from advdyn import figures, io, linear
from advdyn.degeneration.figures import common
from advdyn.degeneration.model import FIGURES
from advdyn.intervals import interval
from tests import degeneration_data

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".pdf", ".svg", ".png", ".csv")
ONCE = ("line", "saddle")  # of no run
KINDS = ("gan", "generator", "degenerator", "chain")
PICTURES = ("degenerated", "first_pass", "textures")
SMALL = {"shape": (8, 8), "shown": 8, "pairs": [10, 40]}
STORED = {}


@pytest.fixture(scope="module", autouse=True)
def stored(tmp_path_factory):
    """Where inputs are kept, so that each is written once, and read once."""
    STORED.clear()
    study.cache_clear()
    made_once.cache_clear()
    STORED["folder"] = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read", functools.cache(io.read))
        yield


def source(data):
    """The file of a data set."""
    if id(data) not in STORED:
        path = STORED["folder"] / f"{len(STORED)}.nc"
        described = data.copy()
        for variable in described.variables.values():
            variable.attrs = {"long_name": "made up", "units": "1"}
        io.write(described, path, {}, [linear.__file__])
        STORED[id(data)] = (path, data)  # the data set is kept, so that no other one has its id
    return str(STORED[id(data)][0])


def draw(kind, data, folder, suffixes=SUFFIXES):
    """Call a figure's script with the object that Snakemake would give it; the files it made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}{suffix}" for suffix in suffixes]
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], study=source(data)),
        output=[str(file) for file in files],
        params=SimpleNamespace(point={}),
        log=[str(folder / "log.txt")],
    )
    importlib.import_module(f"scripts.plot_degeneration_{kind}").main(job)
    return files


def figure_of(kind, data):
    """A figure and its table."""
    with figures.style():
        return getattr(importlib.import_module(f"advdyn.degeneration.figures.{kind}"), kind)(data)


def drawn(kind, data, page=False):
    """The table of a figure, and the page laid out if asked for, which takes long."""
    figure, table = figure_of(kind, data)
    if page:
        figure.draw_without_rendering()
    assert figure.axes or figure.texts
    assert len(table) > 0
    return table


def words_of(figure):
    """All that is written in a figure."""
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def row(table, **where):
    """The one row of a table with these values."""
    found = table
    for name, value in where.items():
        found = found[found[name] == value]
    assert len(found) == 1, (where, len(found))
    return found.iloc[0]


@functools.cache
def study():
    """A study like the default one, with sweeps."""
    return degeneration_data.study(seeds=3, **SMALL)


def only(kind, **options):
    """A study of one kind of run."""
    point = {"kind": kind} | ({"sigma": 0.0} if kind in ("gan", "generator") else {})
    return degeneration_data.study([point], **(SMALL | {"seeds": 2, "epochs": 2} | options))


def at(data, name, kind, passed=None, **where):
    """The values over seeds of the run next to the settings."""
    run = common.base(data, kind)
    values = data[name].isel(run=run).sel(**where)
    return values.sel(passed=data["passed"][-1] if passed is None else passed).values


@functools.cache
def made_once(kind):
    """The files of a figure of the whole study, drawn once."""
    return draw(kind, study(), STORED["folder"] / kind, (".svg", ".csv"))


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_made_by_its_script(kind):
    files = {file.suffix: file for file in made_once(kind)}
    assert files[".svg"].stat().st_size > 5000
    assert len(pd.read_csv(files[".csv"])) >= 3
    assert common.ABSENT not in files[".svg"].read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_has_a_caption(kind):
    words = (ROOT / "workflow" / "report" / f"degeneration_{kind}.rst").read_text(encoding="utf-8")
    assert 100 < len(words) < 900
    assert max(map(len, words.splitlines())) <= 120
    assert words.endswith(".\n")


@pytest.mark.parametrize("kind", ["bits", "textures"])
def test_figures_are_made_the_same_twice(kind, tmp_path):
    first = draw(kind, study(), tmp_path / "first")
    second = draw(kind, study(), tmp_path / "second")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_a_figure_of_an_unfinished_study_says_so(tmp_path):
    data = degeneration_data.tiny().assign_attrs(partial="3 of 9 jobs")
    files = draw("bits", data, tmp_path, (".svg", ".csv"))
    assert "partial: 3 of 9 jobs" in files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_one_seed_and_smoke_size(kind):
    figure, table = figure_of(kind, degeneration_data.tiny())
    figure.draw_without_rendering()
    assert len(table) > 0
    if kind in (*ONCE, "chain"):
        assert common.ABSENT in words_of(figure)


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("there", KINDS)
def test_figures_of_one_kind_of_run(kind, there):
    figure, table = figure_of(kind, only(there))
    assert len(table) > 0
    if kind in ("chain", "architectures"):  # one criterion only, one game only
        assert common.ABSENT in words_of(figure)


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_before_anything_is_measured(kind):
    data = degeneration_data.tiny(seeds=2)
    data = data[
        [name for name in ("value", "accuracy", "gradient_norm", "sample", "original", "diverged") if name in data]
    ]
    figure, table = figure_of(kind, data)
    assert len(table) > 0
    if kind in ("bits", "collapse", "comparison", "line", "pairs", "chain", "summary", "saddle"):
        assert common.ABSENT in words_of(figure)


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_runs_of_which_every_number_is_missing(kind):
    points = [{"kind": kind, "sigma": 0.0 if kind in ("gan", "generator") else 0.5} for kind in KINDS]
    data = degeneration_data.study(points, seeds=1, epochs=2, **SMALL)
    data = data.map(lambda v: v.where(False) if v.dtype.kind == "f" else v, keep_attrs=True)
    drawn(kind, data)


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_a_study_without_settings(kind):
    data = only("degenerator")
    drawn(kind, data.assign_attrs(reference="{}", image_shape=""))


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_in_colour(kind):
    data = degeneration_data.tiny(shape=(8, 6)).assign_attrs(image_shape="4,4,3")
    assert row(drawn(kind, data, page=True), block="degenerator")["images"] > 0


@functools.cache
def lost():
    """The first seed diverged, in all runs: nothing was measured of it, and its outputs are 0."""
    data = study().copy(deep=True)
    for name in ("dd", "component_dd", "sample_correlation", "participation_ratio", "bits_per_byte"):
        data[name] = data[name].where(data["seed"] > 0)
    data["sample"] = data["sample"].where(data["seed"] > 0, 0.0)
    data["diverged"] = data["diverged"].where(data["seed"] > 0, 1.0)
    return data


@pytest.mark.parametrize("kind", PICTURES)
def test_a_seed_that_diverged_is_not_shown(kind):
    assert row(drawn(kind, study()), block="degenerator")["seed"] == 0
    assert row(drawn(kind, lost()), block="degenerator")["seed"] == 1


def test_seeds_that_diverged_are_counted():
    figure, table = figure_of("collapse", lost())
    assert "(1 diverged)" in words_of(figure)
    assert set(table[table["quantity"] == "collapsed"]["seeds"]) == {2}
    assert "diverged" not in words_of(figure_of("collapse", study())[0])


def test_the_run_next_to_the_settings_is_found():
    data = degeneration_data.study([{"sigma": 2.0}, {"sigma": 0.4}, {"kind": "chain"}], seeds=1, epochs=2, **SMALL)
    assert common.base(data, "degenerator") == 1
    assert common.base(data, "gan") is None
    assert common.base(data, "chain", criterion="ignored") is None
    assert common.base(study(), "degenerator") == int(
        np.flatnonzero((study()["kind"] == "degenerator") & (study()["sigma"] == 0.5))[0]
    )
    listed = data.assign_attrs(reference='{"sigma": [0.0, 2.0]}')  # of lanes, no value is the usual one
    assert common.base(listed, "degenerator") == 0


def test_bits_are_means_with_intervals_over_seeds():
    table = drawn("bits", study())
    values = at(study(), "bits_per_byte", "degenerator")
    found = row(table[table["quantity"] == "bits per byte"], kind="degenerator", passed=24)
    mean, _, low, high = interval(values)
    assert np.allclose([found["mean"], found["low"], found["high"]], [mean, low, high])
    missing = row(table[table["quantity"] == "missing to 8 bits"], kind="degenerator", passed=24)
    assert np.isclose(missing["mean"], 8 - mean)
    assert set(table["kind"].dropna()) == set(KINDS)
    assert "24 passes, 3,500 images" in words_of(figure_of("bits", study())[0])


def test_few_seeds_are_drawn_one_by_one_and_intervals_are_cut_at_what_can_be():
    x, values = np.array([1.0, 2.0]), np.array([[0.2, 0.9], [0.9, 1.0], [0.1, 1.0]])
    for count, lines in ((3, 1), (2, 3), (1, 1)):  # the mean, and the dots of two seeds
        axis = figures.Figure().subplots()
        common.points(axis, x, values[:count], "black", "passed", (0.0, 1.0))
        assert len(axis.lines) == lines
        assert bool(axis.collections) == (count == 3)
    table = common.summary(x, values, "passed")
    below, above = common.bars(table, (0.0, 1.0))
    assert np.allclose(table["mean"] - below, np.maximum(table["low"], 0))
    assert np.allclose(table["mean"] + above, np.minimum(table["high"], 1))
    assert (common.few(values), common.few(values[:2])) == (False, True)


def test_the_run_most_alike_is_one_that_is_not_shown_yet():
    table = drawn("collapse", study())
    shown = table[table["quantity"].str.startswith("picture")]
    assert shown["run"].nunique() == len(shown) == 3
    figure, table = figure_of("collapse", only("degenerator"))
    assert table["quantity"].str.startswith("picture").sum() == 1
    assert "most alike" not in words_of(figure)


def test_collapse_is_counted_from_participation():
    table = drawn("collapse", study())
    shares = table[table["quantity"] == "collapsed"]
    balanced, strong = row(shares, run=common.KIND_WORDS["degenerator"]), row(shares, run="5 steps of D")
    assert (balanced["mean"], strong["mean"]) == (1, 0)
    assert np.allclose([balanced["low"], balanced["high"]], [0.025 ** (1 / 3), 1])  # Clopper and Pearson
    assert row(table, quantity="picture: overpowered D")["run"] in ("5 steps of D", "D width 2048")
    values = at(study(), "sample_correlation", "generator")
    found = row(table[table["kind"] == "generator"], quantity="sample_correlation")
    assert np.isclose(found["mean"], values.mean())


def test_what_is_left_to_an_attacker_and_what_the_network_says():
    table = drawn("comparison", study())
    for component in common.COMPONENTS:
        left = 100 - np.clip(at(study(), "component_dd", "degenerator", component=component), 0, 100)
        assert np.isclose(row(table, picture="degenerator", quantity=component)["mean"], left.mean())
        assert row(table, picture="original", quantity=component)["mean"] == 100
    assert np.isclose(row(table, picture="fgsm", quantity="accuracy")["mean"], 5)
    said = table[(table["quantity"] == "prediction") & (table["picture"] == "fgsm")]
    assert (said["predicted"] != said["true"]).all()
    assert np.allclose(said["confidence"], study()["confidence"].sel(picture="fgsm").values[: len(said)])


def test_layers_are_those_of_the_networks():
    table = drawn("architectures", study())

    def units(game, network):
        return list(table[(table["game"] == game) & (table["network"] == network)]["units"])

    assert units("GAN", "G") == [100, 128, 256, 512, 64]
    assert units("DAN", "Deg") == [64, 512, 512, 64]
    assert units("DAN", "D") == units("GAN", "D") == [64, 512, 256, 1]


@pytest.mark.parametrize("factor", [1.0, 20000.0])  # densities, or counts
def test_densities_on_the_line_have_mean_1(factor):
    data = study().assign(line_p_d=study()["line_p_d"] * factor)
    table = drawn("line", data)
    one = table[(table["stage"] == "end") & table["p_d"].notna()]
    assert np.isclose(one["p_d"].mean(), 1)
    assert np.allclose(one["chi2_per_dof"], 1.3)
    assert np.allclose(one["optimal"], data["line_optimal"].sel(line_stage="end"))
    figure, _ = figure_of("line", data)
    assert "1.30" in words_of(figure)
    assert "1.05" in words_of(figure)


def test_first_and_fifteenth_pass_are_shown_or_the_nearest_that_was_kept():
    assert row(drawn("first_pass", study()), block="degenerator")["passed"] == 1
    assert row(drawn("textures", study()), block="degenerator")["passed"] == 15
    assert row(drawn("degenerated", study()), block="degenerator")["passed"] == 24
    figure, table = figure_of("textures", only("degenerator", epochs=2))
    assert row(table, block="degenerator")["passed"] == 1  # of 1, 15 and 24 what two epochs hold
    assert "1 pass, 3,500 images" in words_of(figure)


def test_the_correlation_below_textures_is_that_of_the_seed_shown():
    found = row(drawn("textures", study()), block="degenerator")
    assert found["seed"] == 0
    assert found["sample_correlation"] == at(study(), "sample_correlation", "degenerator", 15)[0]
    noise = row(drawn("textures", study()), block="danoise")
    assert np.isclose(
        noise["sample_correlation"], np.nanmean(study()["reference_sample_correlation"].sel(system="danoise"))
    )


def test_pairs_have_a_line_for_each_size_of_the_noise():
    table = drawn("pairs", study())
    assert {f"degenerator reading, \\sigma = {s}" for s in ("0", "0.5", "2")} <= set(table["line"])
    found = table[(table["line"] == "degenerator reading, \\sigma = 0.5") & (table["quantity"] == "top1")]
    run = common.base(study(), "degenerator")
    values = study()["curve_component"].isel(run=run).sel(component="top1").mean("seed").values
    assert np.allclose(found["mean"], values)
    known = table[(table["line"] == "xor-fixed") & (table["quantity"] == "dd")]
    assert np.allclose(known["mean"], study()["reference_curve_dd"].sel(system="xor-fixed").mean("draw"))


def test_chains_with_and_without_the_criterion():
    table = drawn("chain", study())
    lines = table.groupby(["criterion", "run"]).ngroups
    assert lines == 10
    found = row(table[table["quantity"] == "dd"], criterion="ignored", run="width 32, D width 512", passed=2)
    chosen = (study()["kind"] == "chain") & (study()["criterion"] == "ignored") & (study()["width"] == 32)
    assert np.isclose(found["mean"], study()["dd"].isel(run=np.flatnonzero(chosen)[0]).sel(passed=2).mean())
    figure, table = figure_of("chain", only("chain"))
    assert set(table["criterion"]) == {"used"}
    assert common.ABSENT in words_of(figure)


def test_summary_holds_means_and_colours_from_images_to_noise():
    table = drawn("summary", study())
    names = [str(words) for words in table["system"]]
    base = common.KIND_WORDS["degenerator"] + r", \sigma = 0.5"
    assert [n for n in names if "sigma" in n] == [r"deg., \sigma = 0", base, r"deg., \sigma = 2"]
    kinds = ["gan", "generator", "degenerator", "chain"]
    first = [next(k for k, n in enumerate(names) if n.startswith(common.KIND_WORDS[kind])) for kind in kinds]
    assert first == sorted(first)
    found = row(table, system=base)
    assert np.isclose(found["ks"], at(study(), "ks", "degenerator").mean())
    assert np.isclose(found["probe"], at(study(), "component_dd", "degenerator", component="probe").mean())
    assert np.isclose(row(table, system="FGSM")["dd"], study()["reference_dd"].sel(system="fgsm").mean())
    assert any(words.startswith("chain, criterion ignored") for words in table["system"])
    place = importlib.import_module("advdyn.degeneration.figures.summary")._place
    assert place(50, 0, 100, False) == 0.5
    assert np.isclose(place(100, 1, 10000, True), 0.5)
    assert place(0.4, 1.0, 0.5, False) == 1  # beyond noise
    assert np.isnan(place(1, 2, 2, False))
    assert np.isnan(place(0, 1, 2, True))


def test_training_sets_the_fresh_discriminator_beside_the_one_in_the_loop():
    table = drawn("training", study())
    found = row(table, kind="degenerator", quantity="fresh_accuracy", passed=24)
    assert np.isclose(found["mean"], at(study(), "fresh_accuracy", "degenerator").mean())
    run = common.base(study(), "degenerator")
    loop = table[(table["kind"] == "degenerator") & (table["quantity"] == "value")]
    assert np.allclose(loop["mean"], study()["value"].isel(run=run).mean("seed"))
    figure, _ = figure_of("training", study())
    figure.draw_without_rendering()
    values = [axis for axis in figure.findobj(Axes) if axis.get_ylabel() == "value of the game"]
    low, high = values[0].get_ylim()
    assert low < common.IDEAL < 0 < high


def test_signs_of_eigenvalues_are_counted():
    data = study().copy()
    values = data["saddle_eigenvalue"].copy(deep=True)
    values[:2] = [1e-18, -1e-18]
    table = drawn("saddle", data.assign(saddle_eigenvalue=values))
    assert table[table["hessian"] == "eigenvalue"]["sign"].value_counts().to_dict() == {
        "positive": 6, "negative": 4, "zero": 2,
    }  # fmt: skip
    assert set(table[table["hessian"] == "criterion_eigenvalue"]["sign"]) == {"positive"}
    figure, _ = figure_of("saddle", data)
    assert "−1.386294" in words_of(figure)


def test_table_1_is_that_of_the_study():
    table = drawn("table", study(), page=True)
    assert any("AlphaGo" in str(model) for model in table["model"])
    assert any("DAN" in str(model) for model in table["model"])


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16])
def test_a_mosaic_holds_every_image(count):
    pixels = np.arange(count)[:, None] * np.ones((1, 6))
    page = common.mosaic(pixels, (2, 3), 4, gap=1)
    for k in range(count):
        top, left = 3 * (k // 4), 4 * (k % 4)
        assert (page[top : top + 2, left : left + 3] == k).all()
    assert page.shape[0] == 3 * -(-count // 4) - 1
