"""The figures of the study turing, through their scripts: the files, the numbers beside them, and small studies."""

import functools
import importlib
import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes

from advdyn import figures, io, linear
from advdyn.errors import InputError
from advdyn.turing import diagnostics, view
from advdyn.turing.figures import common
from advdyn.turing.model import FIGURES
from tests import turing_data

STUDY = ("distance", "bounds", "looseness", "residual", "logistic", "exponents", "controls", "stability")
ILLUSTRATED = ("input", "filters", "features", "symmetry", "synthetic_without", "synthetic_with")
BOTH = ("pattern", "spectra")
SUFFIXES = (".pdf", ".svg", ".png", ".csv")
LAID_OUT = ("stability", "exponents", "symmetry", "pattern")  # also when much is missing
STORED = {}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def stored(tmp_path_factory):
    """Where inputs are kept, so that each is written once, and read once."""
    STORED.clear()
    made_once.cache_clear()
    STORED["folder"] = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read", functools.cache(io.read))
        yield


def source(data):
    """The file of a data set."""
    if id(data) not in STORED:
        described = data.copy()
        for variable in described.variables.values():
            variable.attrs = {"long_name": "made up", "units": "1"}
        path = STORED["folder"] / f"{len(STORED)}.nc"
        io.write(described, path, {}, [linear.__file__])
        STORED[id(data)] = (path, data)  # the data set is kept, so that no other one has its id
    return str(STORED[id(data)][0])


def draw(kind, study, pictures, folder, suffixes=SUFFIXES):
    """Call a figure's script with the object that Snakemake would give it; the files it made."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {"study": source(study)} if kind in STUDY + BOTH else {}
    inputs |= {"pictures": source(pictures)} if kind in ILLUSTRATED + BOTH else {}
    files = [folder / f"{kind}{suffix}" for suffix in suffixes]
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], **inputs),
        output=[str(file) for file in files],
        params=SimpleNamespace(point={}),
        log=[str(folder / "log.txt")],
    )
    importlib.import_module(f"scripts.plot_turing_{kind}").main(job)
    return files


def function_of(kind):
    """The function that a figure's script calls."""
    module = "synthetic" if kind.startswith("synthetic") else kind
    return getattr(importlib.import_module(f"advdyn.turing.figures.{module}"), kind)


def figure_of(kind, study=None, pictures=None):
    """A figure and its table."""
    given = ([study] if kind in STUDY + BOTH else []) + ([pictures] if kind in ILLUSTRATED + BOTH else [])
    with figures.style():
        return function_of(kind)(*given)


def drawn(kind, study=None, pictures=None, page=False):
    """The table of a figure, and the page laid out if asked for, which takes long."""
    figure, table = figure_of(kind, study, pictures)
    if page:
        figure.draw_without_rendering()
    assert figure.axes or figure.texts
    assert len(table) > 0
    return table


def row(table, **where):
    """The one row of a table with these values."""
    found = table
    for name, value in where.items():
        found = found[found[name] == value]
    assert len(found) == 1, (where, len(found))
    return found.iloc[0]


@functools.cache
def study():
    """A study like the default one, with fewer neurons in the widest nets so that its file is small."""
    points = [p | {"width": min(p["width"], 512)} if p["width"] > 512 else p for p in turing_data.grid()]
    wide = [p for p in points if p["width"] <= 512]
    wide += [dict(turing_data.SETTINGS, width=64, adversary=a) for a in ("without", "with")]
    for point in wide:
        if point["adversary"] == "without":
            point |= {"penalty": 0.0, "adversary_weight": 0.0}
    return turing_data.study(list({tuple(p.items()): p for p in wide}.values()), seeds=3)


@functools.cache
def pictures():
    return turing_data.illustrations(neurons=24)


@functools.cache
def made_once(kind):
    """The files of a figure of the whole study, drawn once."""
    suffixes = SUFFIXES if kind == "input" else (".svg", ".csv")
    return draw(kind, study(), pictures(), STORED["folder"] / kind, suffixes)


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_made_by_its_script(kind):
    files = {file.suffix: file for file in made_once(kind)}
    assert files[".svg"].stat().st_size > 5000
    assert len(pd.read_csv(files[".csv"])) >= 6


@pytest.mark.parametrize("kind", ["input", "bounds", "pattern"])  # of every kind of input, and with points set apart
def test_figures_are_made_the_same_twice(kind, tmp_path):
    first = made_once(kind)
    second = draw(kind, study(), pictures(), tmp_path, [file.suffix for file in first])
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


WITHOUT = {"adversary": "without", "penalty": 0.0, "adversary_weight": 0.0}


@functools.cache
def tiny():
    return turing_data.tiny(width=16)


@functools.cache
def empty():
    return tiny().isel(run=slice(0))


@functools.cache
def only_with():
    """Nothing to compare with: one run with the adversary, of the full net, on a data set of one's own."""
    return turing_data.study([{"net": "full", "dataset": "mine", "width": 16}], seeds=2)


@functools.cache
def only_without():
    return turing_data.study([WITHOUT | {"width": 16}], seeds=2)


@functools.cache
def unstable():
    """The poster's sign at a small penalty: every seed diverges."""
    return turing_data.study([WITHOUT | {"width": 16}, {"sign": "plus", "penalty": 0.1, "width": 16}], seeds=2)


@functools.cache
def nothing_diagnosed():
    """Runs alone, as after an unfinished study: neither bounds nor diagnostics."""
    made = turing_data.study([WITHOUT | {"width": 16}, {"width": 16}], seeds=2)
    return made.drop_dims(["bound", "stage", "eigenvalue", "delta", "layer"], errors="ignore").drop_vars(
        ["alpha_u", "rate_live", "rate_frozen", "hypothesis", "residual_bound", "psi_bernoulli", "lambda_0"]
    )


@pytest.mark.parametrize("kind", STUDY + BOTH)
@pytest.mark.parametrize("made", [tiny, only_with, only_without, unstable, nothing_diagnosed])
def test_small_studies_are_drawn(kind, made):
    drawn(kind, made(), no_pictures(), page=made is nothing_diagnosed and kind in LAID_OUT)


@functools.cache
def no_pictures():
    return xr.Dataset()


@functools.cache
def one_picture():
    """A single theory net with the adversary on square images, of fewer neurons than are shown."""
    made = turing_data.illustrations(datasets=("mnist",), pixels=49, neurons=8, shown=4, snapshots=2)
    return made.isel(picture=[1])


@functools.cache
def no_image():
    """Inputs that cannot be a square."""
    made = turing_data.illustrations(datasets=("table",), pixels=49, neurons=8, shown=4)
    made = made.isel(pixel=slice(48))
    return made.assign_coords(image_shape=("dataset", [""]))


@pytest.mark.parametrize("kind", ILLUSTRATED + BOTH)
@pytest.mark.parametrize("made", [one_picture, no_image, no_pictures])
def test_few_or_no_pictures_are_drawn(kind, made):
    drawn(kind, tiny(), made(), page=made is no_image and kind in LAID_OUT)


@pytest.mark.parametrize("kind", STUDY + BOTH)
def test_a_study_without_a_run_is_the_users_to_mend(kind):
    with pytest.raises(InputError, match="holds no run"):
        drawn(kind, empty(), no_pictures())


def test_without_synthetic_data_the_figure_says_so():
    made = turing_data.illustrations(datasets=("mnist",), neurons=8)
    for kind in ("synthetic_without", "synthetic_with"):
        assert "no network trained on synthetic data" in drawn(kind, pictures=made)["note"].iloc[0]


def test_distances_are_means_over_the_neurons_of_the_pair():
    data = study()
    found = row(drawn("distance", data), net="theory", adversary="with", quantity="mean over neurons", time=300)
    here = {"dataset": "mnist", "net": "theory", "adversary": "with", "control": "none", "sign": "minus"}
    here |= {"width": 512, "eta": 0.1, "penalty": 10}
    run = np.flatnonzero(np.logical_and.reduce([data[k].values == v for k, v in here.items()]))
    assert len(run) == 1
    wanted = data["du"].isel(run=run[0]).sel(time=300.0).mean("neuron")
    assert found["mean"] == pytest.approx(float(wanted.mean()), rel=1e-4)
    assert found["seed 1"] == pytest.approx(float(wanted.sel(seed=1)), rel=1e-4)
    assert found["seeds"] == 3


def test_a_diverged_run_is_left_out_where_it_has_no_number_and_named():
    table = drawn("controls", study())
    gone = table[(table["run"].str.contains("0.1")) & (table["net"] == "theory")]
    assert len(gone) == 4
    assert (gone["diverged_seeds"] == 3).all()
    assert gone[gone["quantity"] == "alpha_u"]["seeds"].item() == 0


def test_every_bound_of_every_run_is_shown_and_whether_it_is_asserted():
    data = study()
    table = drawn("bounds", data)
    table = table[table["ratio"].notna()]
    for bound in ("B1", "B2", "B3", "B4"):
        there = data["ratio"].sel(bound=bound)
        shown = table[table["quantity"] == bound]
        assert len(shown) == int(there.notnull().sum())
        assert int(shown["asserted"].sum()) == int(data["asserted"].sel(bound=bound).where(there.notnull()).sum())
        assert shown["ratio"].max() == pytest.approx(float(there.max()), rel=1e-5)


def test_exponents_are_those_the_data_were_made_with():
    table = drawn("exponents", study())
    widths = table[table["quantity"] == "mean |du|"]
    assert np.allclose(widths["exponent"], -0.5, atol=0.1)
    eta = table[(table["along"] == "eta") & (table["net"] == "theory")]
    assert (eta[eta["adversary"] == "with"]["mean"] > 0.4).all()
    assert np.allclose(eta[eta["adversary"] == "without"]["mean"], 0, atol=0.02)


def test_the_late_residual_is_compared_with_the_equilibrium():
    table = drawn("residual", study())
    late = row(table, quantity="late |z-y|", sign="minus", penalty=0.1)
    assert late["mean"] == pytest.approx(10 * 0.2 / 1.2, rel=0.02)  # sqrt(n) 2 lambda/(2 lambda + 1)
    closed = table[(table["quantity"] == "sqrt(n) s*") & (table["sign"] == "minus")]
    assert np.interp(0.1, closed["penalty"], closed["mean"]) == pytest.approx(10 * 0.2 / 1.2, rel=0.01)
    plus = table[(table["quantity"] == "sqrt(n) s*") & (table["sign"] == "plus")]
    assert plus["penalty"].min() > 0.5


def test_the_spectrum_of_the_data_is_told_from_noise():
    table = drawn("spectra", study(), pictures())
    first = table[(table["net"] == "theory") & (table["wavenumber"] == 1)].set_index(["run", "stage"])["mean"]
    assert first["data: mean image", "inputs"] > 5
    assert first["initial filters", "initial"] == pytest.approx(1)
    assert first["with diffusion", "change"].max() > first["without diffusion", "change"] > 1


def test_filters_of_structured_change_have_a_large_moran():
    table = drawn("filters", pictures=pictures())
    found = table.groupby("image")["moran"].mean()
    assert found["filter_change"] > 0.9
    assert abs(found["filter_initial"]) < 0.02


def test_synthetic_data_are_told_from_images_by_their_structure():
    made = pictures()
    assert [common.synthetic(made, name) for name in ("mnist", "gaussian", "mnist, permuted")] == [False, True, False]
    assert common.first_inputs(made.sel(dataset=["gaussian", "mnist"])) == "mnist"


def test_a_mosaic_puts_every_image_in_its_place():
    images = np.arange(5 * 6, dtype=float).reshape(5, 6)
    whole = common.mosaic(images, (2, 3), columns=2, gap=1)
    assert whole.shape == (8, 7)
    assert np.array_equal(whole[3:5, 4:], images[3].reshape(2, 3))
    assert np.isnan(whole[2]).all()
    assert np.isnan(whole[:, 3]).all()
    assert np.isfinite(whole).sum() == images.size


def test_every_figure_has_its_caption_and_script_and_is_told_here():
    assert set(STUDY + ILLUSTRATED + BOTH) == set(FIGURES)
    for kind in FIGURES:
        assert (ROOT / "workflow" / "report" / f"turing_{kind}.rst").stat().st_size > 100
        assert (ROOT / "scripts" / f"plot_turing_{kind}.py").exists()
        wanted = ("study",) * (kind in STUDY + BOTH) + ("pictures",) * (kind in ILLUSTRATED + BOTH)
        assert tuple(inspect.signature(function_of(kind)).parameters) == wanted


# --- what a reader compares


def texts(figure):
    """Everything that is written in the visible axes of a figure, by axes."""
    return [
        " ".join([axis.get_title(), axis.get_title(loc="left"), *(text.get_text() for text in axis.texts)])
        for axis in figure.findobj(Axes)
        if axis.get_visible()
    ]


def test_there_is_no_panel_for_what_is_not_embedded_and_its_column_keeps_its_name():
    figure, _ = figure_of("symmetry", pictures=pictures())
    assert not any("t-SNE of" in text for text in texts(figure))
    columns = [text.split("\n")[0] for text in texts(figure)]
    assert [text.split()[-1] for text in columns if r"\bf" in text] == ["initial", "final", "final", "change", "change"]
    hidden = [axis for axis in figure.axes if not axis.get_visible()]
    assert len(hidden) == 4  # without and with, of two layers


@functools.cache
def durations(longer=300.0, shorter=150.0):
    """Widths of the full net of which the middle one, of the settings, was trained for longer."""
    points = [
        {"net": "full", "width": width, "duration": longer if width == 64 else shorter} | one
        for width in (32, 64, 128)
        for one in (WITHOUT | {"width": width}, {"adversary": "with"})
    ]
    made = turing_data.study(points, seeds=2, net="full", width=64, duration=longer)
    later = 1 + made["time"] / 100  # bounds that loosen with time
    made["distance_bound"] = made["distance_bound"] * later
    made["looseness"] = made["looseness"] * (1 + made["duration"] / 100)
    return made


def test_runs_of_one_line_are_compared_at_one_time():
    data = durations()
    table = drawn("exponents", data)
    for quantity, own in (("late exponent alpha_u", "alpha_u"), ("late exponent alpha_v", "alpha_v")):
        for adversary in ("without", "with"):
            line = table[(table["quantity"] == quantity) & (table["adversary"] == adversary)]
            line = line[line["along"] == "width"]
            assert sorted(line["width"]) == [32, 64, 128]
            assert (line["time"] == 150).all()
            assert np.ptp(line["mean"]) < 1e-5
        at_the_end = data[own].mean("seed").values
        assert np.ptp(at_the_end[1::2]) > 0.05  # the control: with the adversary they are not the same
    lines = drawn("looseness", data)
    found = lines[lines["quantity"] == "looseness B4"]
    assert len(found) == 3
    assert np.allclose(found["mean"], 1.5 * 2.5, rtol=0.03)
    assert np.ptp(data["looseness"].sel(bound="B4").mean("seed").values) > 2


def test_a_run_that_can_not_be_compared_is_left_out_and_named():
    figure, table = figure_of("exponents", durations(shorter=75.0))  # up to 75 there are two late times
    line = table[(table["quantity"] == "late exponent alpha_u") & (table["along"] == "width")]
    assert set(line["width"]) == {32, 128}
    assert any("left out" in text and "64" in text for text in texts(figure))
    assert set(table[table["quantity"] == "mean |du|"]["width"]) == {32, 64, 128}  # recorded at 75


def test_the_late_exponent_of_a_shorter_time_is_that_of_the_diagnostics():
    data = durations()
    seen = view.of(data)
    run = seen.base(net="full", adversary="with")
    curve = seen.at(run, "du").astype(float).mean("neuron").isel(seed=0)
    early = curve.sel(time=slice(0, 150))
    wanted = diagnostics.late_growth(early["time"].values, early.values)["alpha"]
    found = common.late_exponent(seen, run, "u", 150.0)
    assert float(found.isel(seed=0)) == pytest.approx(wanted, rel=1e-9)
    assert wanted != pytest.approx(float(seen.number(run, "alpha_u").isel(seed=0)), rel=1e-2)


def test_the_same_neurons_are_shown_without_and_with_the_adversary():
    made = pictures().copy(deep=True)
    size = np.random.default_rng(0).permuted(np.linspace(1, 3, 16) * np.ones((made.sizes["picture"], 1)), axis=1)
    made["evolution"] = made["evolution"] * xr.DataArray(size, dims=("picture", "shown"))
    table = drawn("pattern", four(), made)
    table = table[table["image"] == "change"]
    shown = {a: list(dict.fromkeys(table[table["adversary"] == a]["neuron"])) for a in ("without", "with")}
    position = common.pairs(made, net="full", inputs="mnist")
    most = {a: sorted(np.argsort(-size[k])[:4]) for a, k in position.items()}
    assert shown["with"] == shown["without"] == most["with"] != most["without"]


def with_practice():
    """The pictures, and before them a pair of a full net that saw its inputs as they are."""
    made = pictures()
    pair = made.isel(picture=list(common.pairs(made, net="full", inputs="mnist").values())).copy(deep=True)
    for name in ("filter", "filter_initial", "filter_change"):
        pair[name] = pair[name] / 10
    pair = pair.assign_coords(inputs=("picture", ["raw"] * 2))
    return xr.concat([pair, made], "picture", data_vars="minimal", coords="minimal", compat="override")


def test_networks_shown_raw_inputs_have_columns_of_their_own():
    made = with_practice()
    assert list(np.flatnonzero(common.raw_inputs(made))) == [0, 1]
    assert set(common.pairs(made, net="full", inputs="mnist").values()).isdisjoint({0, 1})
    for kind, image in (("filters", "filter"), ("features", "feature")):
        table = drawn(kind, pictures=made)
        groups = table[table["image"] == image].groupby(["net", "form", "adversary"], sort=False).ngroups
        assert groups == 6
    told = made.assign_coords(inputs=("picture", ["unit"] * made.sizes["picture"]))
    assert not common.raw_inputs(told).any()
    assert not common.raw_inputs(pictures()).any()


def test_of_several_penalties_the_usual_one_is_pictured():
    made = pictures()
    weak = made.isel(picture=[1]).assign_coords(penalty=("picture", [0.0]))
    both = xr.concat([made.isel(picture=[0]), weak, made.isel(picture=slice(1, None))], "picture", data_vars="minimal",
                     coords="minimal", compat="override")  # fmt: skip
    assert common.pairs(both, net="theory", inputs="mnist") == {"without": 0, "with": 2}


@functools.cache
def four():
    """Both nets without and with the adversary."""
    pair = [WITHOUT | {"width": 16}, {"width": 16}]
    return turing_data.study([one | {"net": net} for net in ("theory", "full") for one in pair], seeds=2)


def test_rates_within_rounding_are_nought_and_the_critics_own_stands_beside_them():
    data = four().copy()
    data["rate_live"] = data["rate_live"] * 0 + 1e-9
    table = drawn("stability", data)
    assert (table[table["quantity"] == "rate_live"]["value"] == 0).all()
    assert np.allclose(table[table["quantity"] == "rate_critic"]["value"], -0.02)
    assert (drawn("stability", four()).query("quantity == 'rate_live'")["value"] != 0).all()


def test_planes_of_eigenvalues_have_one_scale_on_which_values_can_be_read():
    figure, _ = figure_of("stability", four())
    planes = [axis for axis in figure.findobj(Axes) if axis.get_xlabel().startswith("Re")]
    assert len(planes) == 4
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in planes}) == 1
    assert {-1e-1, -1e-3, 0, 1e-3, 1e-1} <= set(np.round(planes[0].get_xticks(), 6))


def test_a_diverged_run_is_named_with_how_many_of_its_seeds_did():
    figure, _ = figure_of("controls", unstable())
    labels = [label.get_text() for axis in figure.findobj(Axes) for label in axis.get_yticklabels()]
    assert any("2 of 2 diverged" in label for label in labels)
    assert not any("diverged" in label for label in labels if label.startswith("with"))


@pytest.mark.parametrize(
    ("value", "words"), [(33450.0, r"3.3\times 10^{4}"), (0.05, "0.05"), (999.6, r"1.0\times 10^{3}"), (0.0, "0")]
)
def test_large_numbers_are_typeset(value, words):
    assert common.scientific(value) == words
