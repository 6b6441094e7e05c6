"""The figures of the study generation, through their scripts: the files, the numbers beside them, and small studies."""

import functools
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from advdyn import figures, io, linear
from advdyn.errors import InputError
from advdyn.generation.figures import common
from advdyn.generation.model import FIGURES
from advdyn.intervals import interval
from tests import generation_data

SUFFIXES = (".pdf", ".svg", ".png", ".csv")
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = {"loss": "non-saturating", "d_steps": 1}
STORED = {}


@pytest.fixture(scope="module", autouse=True)
def stored(tmp_path_factory):
    """Where the study is kept, so that it is written once, and read once."""
    STORED["folder"] = tmp_path_factory.mktemp("inputs")
    made_once.cache_clear()
    of.cache_clear()
    source.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read", functools.cache(io.read))
        yield


@functools.cache
def study():
    return generation_data.study(shown=16, pixels=196, shape="14,14")


@functools.cache
def source():
    """The file of the study."""
    described = study().copy()
    for variable in described.variables.values():
        variable.attrs = {"long_name": "made up", "units": "1"}
    path = STORED["folder"] / "generation.nc"
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
    importlib.import_module(f"scripts.plot_generation_{kind}").main(job)
    return files


@functools.cache
def made_once(kind):
    """The files of a figure, drawn once."""
    return draw(kind, STORED["folder"] / kind, SUFFIXES if kind == "nearest" else (".svg", ".csv"))


def drawn(kind, data):
    """A figure and its table."""
    with figures.style():
        figure, table = getattr(importlib.import_module(f"advdyn.generation.figures.{kind}"), kind)(data)
    assert figure.axes or figure.texts
    assert len(table) > 0
    return figure, table


@functools.cache
def of(kind, made):
    """The figure of a made-up study, drawn once."""
    return drawn(kind, made())


def whole(kind):
    return of(kind, study)


def texts(figure):
    """Every text of a figure."""
    from matplotlib.text import Text

    return " | ".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


def tile(axis, place, size=14):
    """One of the images that stand side by side, of so many pixels and one between."""
    return np.asarray(axis.images[0].get_array())[:, place * (size + 1) : place * (size + 1) + size]


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_is_made_by_its_script(kind):
    files = {file.suffix: file for file in made_once(kind)}
    assert files[".svg"].stat().st_size > 5000
    assert len(pd.read_csv(files[".csv"])) >= 6


@pytest.mark.parametrize("kind", ["nearest", "discriminator"])  # pictures, and lines
def test_figures_are_made_the_same_twice(kind, tmp_path):
    first = made_once(kind)
    for one, two in zip(first, draw(kind, tmp_path, [file.suffix for file in first]), strict=True):
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figure_has_a_script_and_a_caption(kind):
    assert (ROOT / f"scripts/plot_generation_{kind}.py").is_file()
    assert len((ROOT / f"workflow/report/generation_{kind}.rst").read_text()) > 200


# --- numbers -------------------------------------------------------------------------------------------------------


def test_metrics_are_means_over_seeds_with_their_intervals():
    table = whole("metrics")[1]
    one = table[(table["metric"] == "frechet") & (table["of"] == common.SAMPLES) & (table["epoch"] == 5)].iloc[0]
    mean, _, low, high = interval(study()["frechet"].sel(kept=5, **REFERENCE).values)
    assert one[["mean", "low", "high"]].to_numpy(float) == pytest.approx([mean, low, high])
    floor = table[(table["metric"] == "linear_accuracy") & (table["of"] == "real")].iloc[0]
    assert floor["mean"] == pytest.approx(study()["reference_linear_accuracy"].sel(source="real").mean())
    assert set(table["of"]) == {common.SAMPLES, *generation_data.SOURCES}


def test_the_discriminator_in_the_game_stands_beside_a_fresh_one():
    table = whole("discriminator")[1]
    game = table[(table["panel"] == "accuracy") & (table["of"] == "in the game")]
    assert list(game["epoch"]) == list(range(1, 25))
    end = table[(table["panel"] == "d_steps") & (table["of"] == "in the game")].set_index("d_steps")["mean"]
    own = study()["value"].sel(loss="non-saturating", epoch=24).mean("seed")
    assert list(end.index) == [1, 2, 5]
    assert end.to_numpy() == pytest.approx(own.values)
    assert set(table[table["panel"] == "gradient_norm"]["of"]) == {"non-saturating", "minimax"}


def test_the_class_shares_are_those_of_the_end():
    table = whole("classes")[1]
    end = table[(table["panel"] == "end") & (table["of"] == common.SAMPLES)].set_index("class")["mean"]
    assert end.to_numpy() == pytest.approx(study()["class_share"].sel(kept=24, **REFERENCE).mean("seed").values)
    heat = table[table["panel"] == "epochs"]
    assert len(heat) == 70
    assert heat[heat["epoch"] == 0].set_index("class")["mean"][8] == pytest.approx(1.0)


def test_settings_stand_in_the_order_of_their_parameters():
    figure, table = whole("settings")
    frechet = table[(table["metric"] == "frechet") & table["epoch"].notna()]
    assert list(frechet["setting"]) == ["as set", "minimax", "D steps 2", "D steps 5"]
    minimax = study()["frechet"].sel(kept=24, loss="minimax", d_steps=1).mean()
    assert frechet.set_index("setting").loc["minimax", "mean"] == pytest.approx(float(minimax))
    assert "one parameter differs at a time" in texts(figure)


def test_samples_of_every_epoch_stand_above_the_references():
    figure, table = whole("samples")
    names = [f"epoch {e}" for e in (0, 1, 2, 5, 10, 15, 24)] + ["real images", "fitted Gaussian", "uniform noise"]
    assert list(table["row"]) == names
    assert len(figure.axes) == len(names)
    own = study()["sample"].sel(kept=24, seed=0, **REFERENCE)[3].values / 255
    assert tile(figure.axes[6], 3).ravel() == pytest.approx(own)
    real = table.set_index("row").loc["real images"]
    pictures = study()["reference_sample"].sel(source="real").values / 255
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(pictures) for b in pictures[:i]]
    assert real["distance_between"] == pytest.approx(np.mean(pairs))


def test_a_sample_stands_above_its_own_nearest_image():
    figure, table = whole("nearest")
    above, below = (tile(axis, 2).ravel() for axis in figure.axes[:2])
    chosen = study().sel(seed=0, **REFERENCE)
    assert above == pytest.approx(chosen["sample"].sel(kept=24)[2].values / 255)
    assert below == pytest.approx(chosen["nearest_image"][2].values / 255)
    assert table["mean"][:16].to_numpy() == pytest.approx(chosen["nearest_distance"].values)
    assert table.set_index("of").loc["copies of training images", "mean"] == 0


# --- small and broken studies ---------------------------------------------------------------------------------------

SMALL = {"shown": 4, "pixels": 64, "shape": "8,8"}


@functools.cache
def one_seed():
    return generation_data.study(seeds=1, **SMALL)


@functools.cache
def tiny():
    return generation_data.tiny()


@functools.cache
def lost():
    return generation_data.study(diverged=[0], **SMALL).assign_attrs(partial="30 of 40 jobs")


@functools.cache
def all_lost():
    return generation_data.study([{}], diverged=[0, 1, 2], **SMALL)


@functools.cache
def no_references():
    return generation_data.study(references=False, **SMALL)


@functools.cache
def not_judged():
    return generation_data.study([{}], evaluated=False, references=False, **SMALL)


@functools.cache
def many():
    """More settings than a page holds, one class, one kept epoch, images in colour."""
    widths = [{"width": w} for w in range(16, 320, 16)]
    return generation_data.study([{}, *widths], seeds=2, kept=[24], shown=2, pixels=12, shape="2,2,3", classes=1)


@functools.cache
def never_kept():
    """The record of training alone."""
    made = not_judged()
    return made.drop_dims(["kept", "shown"])


MADE = [one_seed, tiny, lost, all_lost, no_references, not_judged, many, never_kept]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", FIGURES)
def test_small_and_broken_studies_are_drawn(kind, made):
    figure, _ = of(kind, made)
    if made is lost and kind in ("settings", "discriminator"):
        figure.draw_without_rendering()


@pytest.mark.parametrize("kind", FIGURES)
def test_a_study_without_a_run_is_the_users_to_mend(kind):
    with pytest.raises(InputError, match="holds no run"):
        drawn(kind, tiny()[["sample"]])


def test_a_figure_says_what_the_study_does_not_have():
    assert "not in this study's grid" in texts(of("discriminator", tiny)[0])
    assert "nothing is swept" in texts(of("settings", tiny)[0])
    assert "not judged" in texts(of("settings", not_judged)[0])
    assert "20 settings in all" in texts(of("settings", many)[0])
    assert "has been judged" in of("metrics", not_judged)[1]["note"][0]
    assert "not in this study" in of("nearest", not_judged)[1]["note"][0]


def test_a_diverged_run_is_called_so_and_not_shown():
    figure, table = of("samples", all_lost)
    assert list(table["diverged"]) == [False, False, *[True] * 5, *[False] * 3]
    assert texts(figure).count("diverged") == 6  # five rows, and the title
    assert "1 of 3 diverged" in texts(of("settings", lost)[0])
    assert "3 seeds, 1 diverged" in texts(of("metrics", lost)[0])
    assert of("nearest", lost)[1]["seed"].iloc[0] == 1  # the first that did not diverge
    assert "diverged" in of("nearest", all_lost)[1]["note"][0]


def test_an_unfinished_study_leaves_room_to_say_so():
    finished = lost().assign_attrs(partial="")
    for kind in ("settings", "nearest"):
        taller, figure = of(kind, lost)[0].get_figheight(), drawn(kind, finished)[0].get_figheight()
        assert taller == pytest.approx(figure + common.MARK)


def test_pictures_of_any_shape():
    values = np.arange(12.0)
    assert common.picture(values, (3, 4)).shape == (3, 4)
    assert common.picture(values, (2, 2, 3)).shape == (2, 2, 3)
    assert common.picture(values, (3, 2, 2)).shape == (2, 2, 3)
    assert common.picture(values, (2, 2, 3)).max() == pytest.approx(11 / 255)
    assert common.picture(values, (1, 3, 4)).shape == (3, 4)
    assert common.picture(values, (1, 12)).shape == (1, 12)
