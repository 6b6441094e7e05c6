"""A verdict is what was declared before, held against a control that must fail."""

import math

import pandas as pd
import pytest

from advdyn.claims import COLUMNS, Claim, Measurement, assess, gather, page, verdict


def claim(measure=None, minimum=10, **more):
    return Claim("c", "a paper, p. 1", "x is small", "x < 1", minimum, measure, lambda v, low, high: v < 1, **more)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Measurement(0.5, 10, 2.0), "reproduced"),
        (Measurement(1.5, 10, 2.0), "not reproduced"),
        (Measurement(0.5, 9, 2.0), "not tested"),
        (Measurement(0.5, 10, 0.2), "not tested"),
        (Measurement(math.nan, 10, 2.0), "not tested"),
        (Measurement(0.5, 10, 2.0, depends="on a choice"), "depends"),
        (Measurement(1.5, 10, 2.0, depends="on a choice"), "not reproduced"),
        (Measurement(0.5, 10, math.nan), "not tested"),
    ],
    ids=[
        "holds",
        "fails",
        "too small",
        "control passes too",
        "nothing measured",
        "a choice decides",
        "no choice helps",
        "no control",
    ],
)
def test_the_verdict_of_a_measurement(found, says):
    assert verdict(claim(), found)[0] == says


def test_every_declared_claim_has_a_row_whatever_became_of_it():
    claims = [
        claim(lambda data: Measurement(data, 20, 2.0)),
        Claim("parts", "s", "st", "e", 1, lambda data: {"a": Measurement(0.1, 1, 3), "b": Measurement(2, 1, 3)},
              lambda v, low, high: v < 1),
        Claim("absent", "s", "st", "e", 1, lambda data: None, lambda v, low, high: True),
        Claim("lost", "s", "st", "e", untestable="needs ImageNet"),
    ]  # fmt: skip
    table = assess("toy", claims, 0.5)
    assert list(table.columns) == list(COLUMNS)
    assert list(table["claim"]) == ["c", "parts/a", "parts/b", "absent", "lost"]
    assert list(table["verdict"]) == ["reproduced", "reproduced", "not reproduced", "not tested", "not testable"]
    assert "control 2" in table["conditions"][0]
    assert table["conditions"][4] == "needs ImageNet"


def test_an_unfinished_study_is_marked_in_every_measured_row():
    table = assess("toy", [claim(lambda: Measurement(0.5, 20, 2.0))], partial="3 of 4 jobs")
    assert "partial: 3 of 4 jobs" in table["conditions"][0]


def test_an_empty_ledger_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="declares no claim"):
        assess("toy", [])
    with pytest.raises(ValueError, match="the ledger is empty"):
        gather([])
    empty = tmp_path / "claims.csv"
    pd.DataFrame(columns=list(COLUMNS)).to_csv(empty, index=False)
    with pytest.raises(ValueError, match="the ledger is empty"):
        gather([str(empty)])


def test_a_name_used_twice_is_an_error():
    with pytest.raises(ValueError, match="claim c is declared twice"):
        assess("toy", [claim(lambda: Measurement(0.5, 20, 2.0))] * 2)


def test_the_ledger_gathers_all_studies_and_its_page_stands_alone(tmp_path):
    files = []
    for study in ("one", "two"):
        file = tmp_path / f"{study}.csv"
        assess(study, [claim(lambda: Measurement(0.5, 20, 2.0), conditions="a < b & c")]).to_csv(file, index=False)
        files.append(str(file))
    ledger = gather(files)
    assert list(ledger["study"]) == ["one", "two"]
    text = page(ledger)
    assert "2 reproduced" in text
    assert "a &lt; b &amp; c" in text
    assert "http" not in text


def test_an_unknown_verdict_does_not_pass(tmp_path):
    file = tmp_path / "claims.csv"
    assess("one", [claim(lambda: Measurement(0.5, 20, 2.0))]).assign(verdict="maybe").to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"found .*maybe.*allowed: reproduced"):
        gather([str(file)])
