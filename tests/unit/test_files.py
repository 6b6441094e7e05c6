"""Files are written whole, give the same bytes for the same numbers, and say what they were made from."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from advdyn import collect, figures, io, provenance
from advdyn.atomic import whole
from advdyn.errors import InputError
from advdyn.study import run, stale

CODE = [str(Path(io.__file__))]
POINT = {"a": 0.3, "lanes": [1.0, 2.0], "name": "x"}


def dataset(shift=0.0):
    values = np.linspace(0, 1, 5000).reshape(2, 2500) + shift
    return xr.Dataset(
        {"v": io.variable(("lane", "t"), values, "a value")}, {"lane": io.variable(("lane",), [1.0, 2.0], "a lane")}
    )


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    for name in ("one.nc", "two.nc"):
        io.write(dataset(), tmp_path / name, POINT, CODE)
    io.write(dataset(1e-15), tmp_path / "other.nc", POINT, CODE)
    assert digest(tmp_path / "one.nc") == digest(tmp_path / "two.nc") != digest(tmp_path / "other.nc")


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "file.txt"

    def fail():
        with whole(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not target.exists()
    assert not list(target.parent.iterdir())
    with whole(target) as part:
        part.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"


def test_a_variable_without_units_is_refused(tmp_path):
    with pytest.raises(ValueError, match="variable w lacks long_name, units"):
        io.write(xr.Dataset({"w": ("x", [1.0])}), tmp_path / "w.nc", POINT, CODE)


def test_a_file_remembers_its_parameters_and_code(tmp_path):
    path = tmp_path / "one.nc"
    io.write(dataset(), path, POINT, CODE)
    found = io.read(path)
    assert io.point_of(found) == POINT
    assert found.attrs["code"] == provenance.code_digest(CODE)
    assert "time" not in found.attrs["versions"]


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"a": 0.4}, None, "other parameters than"),
        ({}, "0" * 16, "other code than"),
        ({"a": 1}, "0", "parameters and code"),
    ],
)
def test_a_file_made_with_something_else_is_refused_by_name(tmp_path, change, code, says):
    path = tmp_path / "one.nc"
    io.write(dataset(), path, POINT, CODE)
    right = provenance.code_digest(CODE)
    assert io.read_expected(path, provenance.digest(POINT), right, [], "make_one").identical(io.read(path))
    with pytest.raises(io.StaleError, match=rf"one.nc: made with {says}|one.nc: .*{says}.*--forcerun make_one"):
        io.read_expected(path, provenance.digest(POINT | change), code or right, [], "make_one")


def test_the_code_digest_follows_content_and_not_time(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    before = provenance.code_digest([str(file)])
    file.touch()
    assert provenance.code_digest([str(file)]) == before
    file.write_text("x = 2\n")
    assert provenance.code_digest([str(file)]) != before


def test_figures_give_the_same_bytes_and_carry_their_numbers(tmp_path):
    def draw(folder):
        outputs = [str(tmp_path / folder / f"f{suffix}") for suffix in (".pdf", ".svg", ".png", ".csv")]
        with figures.style():
            import matplotlib.pyplot as plt

            figure, axis = plt.subplots()
            axis.plot([0, 1], [1, 0], label="line")
            axis.legend()
            figures.save(figure, pd.DataFrame({"x": [0, 1]}), outputs)
            plt.close(figure)
        return [digest(o) for o in outputs]

    assert draw("one") == draw("two")


def test_a_partial_figure_says_so(tmp_path):
    with figures.style():
        import matplotlib.pyplot as plt

        figure, _ = plt.subplots()
        figures.save(figure, pd.DataFrame({"x": [0]}), [str(tmp_path / "f.svg")], partial="3 of 4 jobs")
        plt.close(figure)
    assert "partial: 3 of 4 jobs" in (tmp_path / "f.svg").read_text()


def test_a_figure_in_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a figure is written as"):
        figures.save(figures.matplotlib.figure.Figure(), pd.DataFrame(), [str(tmp_path / "f.gif")])


def part(tmp_path, cell, seeds):
    values = np.array([[cell["n"] * 100 + s] for s in seeds], dtype=float)
    data = xr.Dataset(
        {"v": io.variable(("seed", "t"), values, "a value")},
        {"seed": io.variable(("seed",), seeds, "seed"), "t": io.variable(("t",), [0.0], "time")},
    )
    point = {"n": cell["n"], "rho": 2.0, "seeds": seeds}
    path = str(tmp_path / f"{cell['n']}-{seeds[0]}.nc")
    io.write(data, path, point, CODE)
    return path, cell, provenance.digest(point)


def test_collection_makes_dimensions_of_cells_and_coordinates_of_settings(tmp_path):
    parts = [part(tmp_path, {"n": n}, seeds) for n in (2, 1) for seeds in ([0, 1], [2, 3])]
    parts.pop(1)  # seeds 2 and 3 at n = 2 have not run
    files, cells, digests = (list(column) for column in zip(*parts, strict=True))
    asked = {
        "cells": cells,
        "digests": digests,
        "sources": [[]] * len(files),
        "code": provenance.code_digest(CODE),
        "rule": "make",
    }
    parameters = {"n": ["1", "dimension"], "rho": ["1", "distance"]}
    study = collect.combine(collect.read_parts(files, asked), parameters)
    assert dict(study.sizes) == {"n": 2, "seed": 4, "t": 1}
    assert study["rho"].item() == 2.0
    assert study["v"].sel(n=1, seed=3, t=0).item() == 103
    assert np.isnan(study["v"].sel(n=2, seed=3, t=0))
    assert study["n"].attrs == {"units": "1", "long_name": "dimension"}
    asked["digests"][0] = "0" * 16
    with pytest.raises(io.StaleError):
        collect.read_parts(files, asked)


def sparse(kind, n, eps, **extra):
    data = xr.Dataset(
        {"v": io.variable(("eps", "t"), np.array([[n + e, n + e] for e in eps]), "a value"),
         "ok": io.variable(("eps",), np.ones(len(eps), np.int8), "a flag")},
        {"eps": io.variable(("eps",), eps, "size")},
    )  # fmt: skip
    data.attrs = {"parameters": provenance.parameters({"rho": extra.get("rho", 2.0)}), "device": "cpu"}
    return {"kind": kind, "n": n}, data


def test_parts_that_are_no_product_are_put_where_their_coordinates_say():
    parts = [sparse("wide", 1, [0.0]), sparse("wide", 2, [0.1, 0.3]), sparse("deep", 2, [0.2])]
    study = collect.combine(parts, {"n": ["1", "dimension"], "rho": ["1", "distance"], "eps": ["1", "described"]})
    assert dict(study.sizes) == {"kind": 2, "n": 2, "eps": 4, "t": 2}
    assert study["kind"].values.tolist() == ["wide", "deep"]  # names in the order of the parts
    assert study["eps"].values.tolist() == [0.0, 0.1, 0.2, 0.3]
    assert study["eps"].attrs["long_name"] == "described"
    assert study["v"].sel(kind="wide", n=2, eps=0.3).values.tolist() == [2.3, 2.3]
    assert study["v"].sel(kind="deep", n=2, eps=0.2).values.tolist() == [2.2, 2.2]
    assert int(study["v"].notnull().sum()) == 8
    assert study["ok"].dtype == np.float32  # a flag can be missing
    assert study["rho"].dims == ()


def test_a_coordinate_that_differs_goes_along_the_axes_on_which_it_does():
    parts = [sparse(kind, n, [0.0], rho=float(n)) for kind in ("wide", "deep") for n in (1, 2)]
    study = collect.combine(parts, {"rho": ["1", "distance"]})
    assert study["rho"].dims == ("n",)
    assert study["rho"].values.tolist() == [1.0, 2.0]
    assert study["ok"].dtype == np.int8


def test_two_parts_for_one_place_are_an_error():
    with pytest.raises(InputError, match="two parts hold the same place of v"):
        collect.combine([sparse("wide", 1, [0.0, 0.1]), sparse("wide", 1, [0.1])], {})


def test_collecting_nothing_is_an_error():
    with pytest.raises(InputError, match="no job of this kind has finished"):
        collect.combine([], {})


def test_a_file_made_from_other_files_is_refused(tmp_path):
    first, second, made = (tmp_path / name for name in ("first.nc", "second.nc", "made.nc"))
    io.write(dataset(), first, {"seed": 0}, CODE)
    io.write(dataset(), second, {"seed": 1}, CODE)
    io.write(dataset(), made, POINT, CODE, sources=[str(first)])
    code = provenance.code_digest(CODE)
    expected = [provenance.identity(provenance.digest({"seed": s}), code) for s in (0, 1)]
    assert [io.identity_of(first), io.identity_of(second)] == expected
    assert io.read_expected(made, provenance.digest(POINT), code, expected[:1], "make").sizes["lane"] == 2
    with pytest.raises(io.StaleError, match=r"other sources than.*--forcerun make and the rules before it"):
        io.read_expected(made, provenance.digest(POINT), code, expected[1:], "make")


def test_a_sandbox_is_no_stale_file_and_what_lies_beside_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "results/degeneration/sandbox/copy"
    copy.mkdir(parents=True)
    for name in (".advdyn-overwritten.json", "images.bin"):
        (copy / name).write_text("x")
    (tmp_path / "results/degeneration/old.nc").write_text("x")
    asked = run.Run("results", "logs", False, {}, {})
    assert [str(p) for p in stale.stale(asked, set())] == ["results/degeneration/old.nc"]
