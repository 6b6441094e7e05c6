"""One value has one path text, and the path text leads back to the value."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advdyn.study import layout, numbers

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
words = st.from_regex(layout.SEGMENT, fullmatch=True)


@given(finite)
def test_a_number_and_its_text_name_each_other(value):
    canonical = numbers.canonical(value)
    assert numbers.canonical(float(numbers.text(value))) == canonical
    assert numbers.canonical(canonical) == canonical


@given(st.dictionaries(names, st.one_of(finite, st.integers(), st.booleans(), words), max_size=5))
def test_a_cell_round_trips_and_matches_its_wildcard(values):
    path = layout.cell(values)
    assert layout.values_in(path) == {name: numbers.text(value) for name, value in values.items()}
    assert re.fullmatch(layout.CELL, path)


@given(st.integers(0, 10**6), st.integers(0, 500))
def test_a_block_round_trips(first, extra):
    path = layout.block(first, first + extra)
    assert layout.seeds_in(path) == list(range(first, first + extra + 1))
    assert re.fullmatch(layout.BLOCK, path)


def test_arithmetic_noise_does_not_reach_a_path():
    assert layout.cell({"eps": 0.1 + 0.2}) == "eps~0.3"
    assert layout.cell({"eps": 1e-5}) == layout.cell({"eps": 0.00001}) == "eps~1e-05"
    assert layout.cell({"b0": -0.0}) == "b0~0"


@pytest.mark.parametrize("bad", ["a/b", "", "..", "a b", "~", "-x", "é"])
def test_a_name_that_cannot_stand_in_a_path_is_no_segment(bad):
    assert not layout.is_segment(bad)


@pytest.mark.parametrize(
    ("results", "logs"),
    [
        ("results", "logs"),
        ("results-smoke", "logs-smoke"),
        ("a/results", "a/logs"),
        ("out", "out-logs"),
        ("/x/y", "/x/y-logs"),
    ],
)
def test_logs_lie_beside_their_results(results, logs):
    assert layout.logs_root(results) == logs
