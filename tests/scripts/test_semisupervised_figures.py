"""Figures of the study semisupervised, through their scripts: errors against labels, eps, iterations and updates."""

import functools
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from advdyn import figures, io, linear
from advdyn.errors import InputError
from advdyn.intervals import interval
from advdyn.semisupervised.figures import common
from tests import semisupervised_data

KINDS = ("labels", "eps", "iterations", "learning")
SUFFIXES = (".pdf", ".svg", ".png", ".csv")
ROOT = Path(__file__).resolve().parents[2]
END = {"update": 1500}
BEST = semisupervised_data.BEST
ALONE = {"moons": False, "distances": False, "planted": False}  # nothing of what these figures do not show
STORED = {}


@pytest.fixture(scope="module", autouse=True)
def stored(tmp_path_factory):
    """Where the study is kept, so that it is written once, and read once."""
    STORED["folder"] = tmp_path_factory.mktemp("inputs")
    for cached in (made_once, of, source):
        cached.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read", functools.cache(io.read))
        yield


@functools.cache
def study():
    return semisupervised_data.study(**ALONE)


@functools.cache
def source():
    """The file of the study."""
    described = study().copy()
    for variable in described.variables.values():
        variable.attrs = {"long_name": "made up", "units": "1"}
    path = STORED["folder"] / "semisupervised.nc"
    io.write(described, path, {}, [linear.__file__])
    return str(path)


def draw(kind, folder, suffixes=SUFFIXES):
    """Call a figure's script with the object that Snakemake would give it; the files it made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}{suffix}" for suffix in suffixes]
    job = SimpleNamespace(
        input=SimpleNamespace(code=[linear.__file__], study=source()), output=[str(file) for file in files],
        params=SimpleNamespace(point={}), log=[str(folder / "log.txt")],
    )  # fmt: skip
    importlib.import_module(f"scripts.plot_semisupervised_{kind}").main(job)
    return files


@functools.cache
def made_once(kind):
    """The files of a figure, drawn once."""
    return draw(kind, STORED["folder"] / kind, SUFFIXES if kind == "labels" else (".svg", ".csv"))


def drawn(kind, data):
    """A figure and its table."""
    with figures.style():
        figure, table = getattr(importlib.import_module(f"advdyn.semisupervised.figures.{kind}"), kind)(data)
    assert figure.axes or figure.texts
    assert len(table) > 0
    return figure, table


@functools.cache
def of(kind, made=study):
    """The figure of a made-up study, drawn once."""
    return drawn(kind, made())


def texts(figure):
    """Every text of a figure."""
    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


def rows(table, **values):
    """The rows of a table with these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table.reset_index(drop=True)


def errors(method, n_labels=100, eps=None, split="test", iterations=1, data=None):
    """Errors in % at the end over seeds, as they stand in the data set; without an eps that of the lowest error."""
    at = {"training": method, "n_labels": n_labels, "power_iterations": iterations, "split": split} | END
    at["eps"] = BEST[method] if eps is None else eps
    return 100 * (study() if data is None else data)["error"].sel(at).values


def assert_same(row, values):
    """A row of a table is the mean of these values with its interval."""
    mean, _, low, high = interval(values)
    assert row[["mean", "low", "high"]].to_numpy(float) == pytest.approx([mean, low, high])


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_made_by_its_script(kind):
    files = {file.suffix: file for file in made_once(kind)}
    assert files[".svg"].stat().st_size > 5000
    assert len(pd.read_csv(files[".csv"])) >= 6


def test_a_figure_is_made_the_same_twice(tmp_path):
    first = made_once("labels")
    for one, two in zip(first, draw("labels", tmp_path), strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_has_a_caption(kind):
    words = (ROOT / f"workflow/report/semisupervised_{kind}.rst").read_text(encoding="utf-8")
    assert 200 < len(words) < 1000
    assert max(map(len, words.splitlines())) <= 120
    assert words.endswith(".\n")


@functools.cache
def crowded():
    """More eps and numbers of labels than have room to be written one beside the other, and runs that diverged."""
    points = semisupervised_data.grid(eps=(0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0), n_labels=(20, 100, 3000))
    return semisupervised_data.study(points, diverged=[1], lost_at=[("eps", 3.0)], **ALONE)


@pytest.mark.parametrize(("kind", "made"), [*((kind, study) for kind in KINDS), ("eps", crowded), ("labels", crowded)])
def test_nothing_written_lies_outside_the_page_or_over_a_neighbour(kind, made):
    figure, _ = drawn(kind, made())
    figure.draw_without_rendering()
    written = [text for axis in figure.axes for text in (axis.xaxis.label, axis.yaxis.label, *axis.texts)]
    titles = [axis._left_title for axis in figure.axes]
    legend = [figure.legends[0].get_title(), *figure.legends[0].get_texts()]
    assert all(text.get_text() for text in titles + legend)
    for text in titles + legend + [text for text in written if text.get_text()]:
        box = text.get_window_extent()
        inside = figure.bbox.x0 <= box.x0 + 1 and box.x1 - 1 <= figure.bbox.x1 and figure.bbox.y0 <= box.y0 + 1
        assert inside, (text.get_text(), box)
    below = [
        label for axis in figure.axes for label in axis.get_xticklabels(which="both")
        if label.get_text() and axis.get_xlim()[0] <= label.get_position()[0] <= axis.get_xlim()[1]
    ]  # fmt: skip
    for beside, room in ((titles, 4), (below, 0)):  # pixels of 1/100 inch
        boxes = [text.get_window_extent().padded(room) for text in beside]
        assert not any(one.overlaps(other) for one in boxes for other in boxes if other is not one)


def test_every_method_has_a_colour_and_a_mark_of_its_own():
    assert len({common.colour(method) for method in common.METHODS}) == len(common.METHODS)
    assert len({common.MARKERS[method] for method in common.METHODS}) == len(common.METHODS)
    figure, _ = of("labels")
    entries = {line.get_label(): to_rgb(line.get_color()) for line in figure.legends[0].legend_handles}
    assert entries == {common.WORDS[m]: pytest.approx(to_rgb(common.colour(m))) for m in common.METHODS}


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", common.METHODS)
@pytest.mark.parametrize("n_labels", [50, 1000])
def test_errors_are_means_over_seeds_at_the_eps_that_validation_chose(method, n_labels):
    table = of("labels")[1]
    row = rows(table, training=method, n_labels=n_labels, quantity="test error (%)").iloc[0]
    assert_same(row, errors(method, n_labels))
    assert row["n"] == 5
    assert np.isnan(row["eps"]) if method == "supervised" else row["eps"] == BEST[method]


def test_gains_are_paired_by_seed():
    row = rows(of("labels")[1], training="virtual", n_labels=100, quantity="gain (points)").iloc[0]
    gain = errors("supervised") - errors("virtual")
    assert_same(row, gain)
    apart = np.sqrt(errors("supervised").var(ddof=1) + errors("virtual").var(ddof=1))
    assert gain.std(ddof=1) < apart  # otherwise pairing would not show


def test_eps_is_chosen_by_validation_even_where_another_tests_better():
    data = study().copy(deep=True)
    fooled = {"training": "virtual", "n_labels": 100, "eps": 2.0, "power_iterations": 1, "split": "validation"}
    data["error"].loc[fooled] = 0.01
    table = drawn("labels", data)[1]
    assert rows(table, training="virtual", n_labels=100)["eps"].tolist() == [2.0, 2.0]
    assert_same(rows(table, training="virtual", n_labels=100).iloc[0], errors("virtual", eps=2.0))
    figure, table = drawn("eps", data)
    assert set(table.loc[table["chosen"] == True, "eps"][table["training"] == "virtual"]) == {2.0}  # noqa: E712
    dotted = [line for line in figure.axes[-1].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [2.0]
    test = rows(table, training="virtual", split="test")
    assert test["eps"][test["mean"].idxmin()] == 1.0


def test_errors_against_eps_are_those_of_both_splits():
    figure, table = of("eps")
    assert [axis.get_title(loc="left").split("  ")[1] for axis in figure.axes] == [
        common.WORDS[method] for method in common.METHODS[1:]
    ]
    for split in ("validation", "test"):
        for eps in (0.5, 4.0):
            row = rows(table, training="random", split=split, eps=eps).iloc[0]
            assert_same(row, errors("random", eps=eps, split=split))
    assert_same(rows(table, training="supervised").iloc[0], errors("supervised"))
    assert {line.get_linestyle() for line in figure.axes[0].lines} >= {"-", "--", ":"}


def test_directions_and_errors_after_several_iterations():
    figure, table = of("iterations")
    at = {"training": "virtual", "n_labels": 100, "eps": 1.0, "power_iterations": 1}
    for name in ("cosine", "cosine_share"):
        row = rows(table, quantity=name, training="virtual", iterations=2).iloc[0]
        assert_same(row, study()[name].sel(at | {"iteration": 2}).values)
    trained = rows(table, quantity="test error (%)")
    assert trained["iterations"].tolist() == [1, 2, 4]
    assert_same(trained.iloc[2], errors("virtual", iterations=4))
    change = interval(errors("virtual", iterations=4) - errors("virtual"))
    assert trained[["change_mean", "change_low", "change_high"]].iloc[2].to_numpy(float) == pytest.approx(
        [change[0], change[2], change[3]]
    )
    assert f"{change[0]:+.2f} points".replace("-", "\N{MINUS SIGN}") in texts(figure)


def test_learning_curves_are_those_of_the_chosen_runs():
    table = of("learning")[1]
    at = {"training": "random", "n_labels": 100, "eps": 2.0, "power_iterations": 1, "update": 600}
    for quantity, split in (("test error", "test"), ("pool error", "pool")):
        row = rows(table, quantity=quantity, training="random", update=600).iloc[0]
        assert_same(row, 100 * study()["error"].sel(at | {"split": split}).values)
    for name in ("loss_labelled", "loss_smooth"):
        assert_same(rows(table, quantity=name, training="random", update=600).iloc[0], study()[name].sel(at).values)
    assert "supervised" not in set(rows(table, quantity="loss_smooth")["training"])
    assert set(rows(table, quantity="loss_labelled")["training"]) == set(common.METHODS)


# --- small and broken studies ---------------------------------------------------------------------------------------


@functools.cache
def tiny():
    return semisupervised_data.tiny()


@functools.cache
def two_seeds():
    return semisupervised_data.study(seeds=2, **ALONE)


@functools.cache
def only_supervised():
    return semisupervised_data.study(
        [{"training": "supervised"}], seeds=3, settings={"training": "supervised"}, **ALONE
    )


@functools.cache
def only_virtual():
    """One method, several eps, no supervised run to gain over."""
    return semisupervised_data.study([{"eps": e} for e in (0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)], seeds=3, **ALONE)


@functools.cache
def not_evaluated():
    return semisupervised_data.study(seeds=2, evaluated=False, **ALONE)


@functools.cache
def lost():
    """Two of five seeds diverged at one eps of one method; the study is not finished."""
    made = semisupervised_data.study(diverged=[1, 3], lost_at=[("training", "virtual"), ("eps", 4.0)], **ALONE)
    return made.assign_attrs(partial="30 of 40 jobs")


@functools.cache
def all_lost():
    return semisupervised_data.study(seeds=2, diverged=[0, 1], **ALONE)


@functools.cache
def flawless():
    """Errors of exactly 0, which a logarithmic axis does not have."""
    made = tiny().copy(deep=True)
    made["error"] = 0 * made["error"]
    return made


@functools.cache
def without_iterations():
    return study().drop_vars(["cosine", "cosine_share"]).sel(power_iterations=[1])


MADE = [
    tiny, two_seeds, only_supervised, only_virtual, not_evaluated, lost, all_lost, flawless, without_iterations
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", KINDS)
def test_small_and_broken_studies_are_drawn(kind, made):
    figure, _ = of(kind, made)
    if made in (flawless, all_lost):
        figure.draw_without_rendering()


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_without_a_run_is_the_users_to_mend(kind):
    with pytest.raises(InputError, match="holds no run"):
        drawn(kind, tiny()[["moons_error"]])


@pytest.mark.parametrize(
    ("kind", "made", "words"),
    [
        ("labels", only_virtual, "not in this study's grid"),
        ("labels", not_evaluated, "no run of this study has been evaluated"),
        ("eps", only_supervised, "not in this study's grid"),
        ("eps", not_evaluated, "not evaluated"),
        ("iterations", tiny, "not in this study's grid"),
        ("iterations", without_iterations, "not in this study"),
        ("iterations", not_evaluated, "not in this study"),
        ("learning", not_evaluated, "no run of this study has been evaluated"),
        ("labels", all_lost, "every run shown here diverged"),
        ("eps", all_lost, "every run shown here diverged"),
        ("iterations", all_lost, "every run diverged"),
        ("learning", only_supervised, "not recorded in this study"),
    ],
)
def test_a_figure_says_what_the_study_does_not_have(kind, made, words):
    assert words in texts(of(kind, made)[0])


def test_runs_that_diverged_are_counted_and_left_out():
    figure, table = of("eps", lost)
    row = rows(table, training="virtual", split="test", eps=4.0).iloc[0]
    assert (row["diverged"], row["n"]) == (2, 3)
    assert_same(row, errors("virtual", eps=4.0, data=lost()))
    assert "2 runs diverged" in texts(figure)
    assert r"2$\times$" in texts(figure)
    assert "diverged" not in texts(of("eps")[0])
    assert "chosen" in of("eps", lost)[1]
    figure, table = of("eps", all_lost)
    assert (table["diverged"] == 2).all()
    assert table["mean"].isna().all()


def test_one_eps_is_not_called_chosen():
    assert "chosen by validation" not in texts(of("eps", tiny)[0])
    assert "chosen by validation" in texts(of("eps")[0])


def test_an_unfinished_study_leaves_room_to_say_so():
    for kind in KINDS:
        taller = of(kind, lost)[0].get_figheight()
        assert taller == pytest.approx(of(kind)[0].get_figheight() + common.MARK)


def test_bars_end_at_what_can_be():
    frame = pd.DataFrame({"mean": [99.0, 50.0, 1.0], "low": [90.0, np.nan, -3.0], "high": [108.0, np.nan, 5.0]})
    assert common.bars(frame, common.ERRORS) == pytest.approx(np.array([[9.0, 0.0, 1.0], [1.0, 0.0, 4.0]]))
    assert common.bars(frame, common.ERRORS, log=True)[0] == pytest.approx([9.0, 0.0, 0.9])
