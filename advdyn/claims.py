"""Claims of the literature, declared before anything runs, and their measured verdicts."""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Verdict = Literal["reproduced", "not reproduced", "depends", "not tested", "not testable"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "not reproduced", "depends", "not tested", "not testable")
COLUMNS = (
    "study", "claim", "source", "statement", "expected", "measured", "uncertainty", "low", "high", "n",
    "verdict", "conditions", "figure",
)  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """A claim's statistic on data, with its control.

    Attributes
    ----------
    value, uncertainty, low, high
        The statistic, its standard error (nan when it has none), and its interval.
    n
        Size of the sample it rests on (independent runs, images), compared with the claim's minimum.
    control
        The same statistic where the claim must fail (a wrong theory, shuffled data, ...).
    conditions
        What a reader must know to repeat it, beyond the claim's own conditions.
    depends
        Text when the verdict depends on a choice the source does not make; where the threshold holds, the verdict
        then reads `depends`.
    """

    value: float
    n: int
    control: float
    uncertainty: float = math.nan
    low: float = math.nan
    high: float = math.nan
    conditions: str = ""
    depends: str = ""


@dataclass(frozen=True)
class Claim:
    """One claim: what is said, how it is measured, and when it counts as reproduced.

    Attributes
    ----------
    name
        Identifier, unique in its study.
    source
        Seed file name and place.
    statement, expected
        What the source says, and what the statistic should then be, in words with the threshold.
    minimum
        Smallest n; below it the verdict is `not tested`.
    measure
        Statistic and control from the study's data, a Measurement for each row, or None where the data
        needed are not in the study; absent when ``untestable`` gives the reason.
    holds
        The threshold: whether a (value, low, high) satisfies the claim. It is applied to the statistic,
        and to the control value (as value, low and high), where it must be False.
    figure
        The figure that shows it, relative to the results folder.
    """

    name: str
    source: str
    statement: str
    expected: str
    minimum: int = 0
    measure: Callable[..., Mapping[str, Measurement] | Measurement | None] | None = None
    holds: Callable[[float, float, float], bool] | None = None
    conditions: str = ""
    figure: str = ""
    untestable: str = ""


def verdict(claim: Claim, found: Measurement) -> tuple[Verdict, str]:
    """The verdict of one measurement, and why where it is not the threshold's own.

    A control that satisfies the threshold, or that could not be measured, leaves the claim `not tested`.
    """
    assert claim.holds is not None
    if found.n < claim.minimum:
        return "not tested", f"needs n >= {claim.minimum}"
    if not math.isfinite(found.value):
        return "not tested", "nothing could be measured"
    if not math.isfinite(found.control):
        return "not tested", "the control could not be measured"
    if claim.holds(found.control, found.control, found.control):
        return "not tested", "the control passes too, so the test has no power here"
    if not claim.holds(found.value, found.low, found.high):
        return "not reproduced", ""
    return ("depends", found.depends) if found.depends else ("reproduced", "")


def assess(study: str, claims: Sequence[Claim], *data: Any, context: str = "", partial: str = "") -> pd.DataFrame:
    """One row (or one for each named part) for every declared claim, in order of declaration.

    ``data`` is handed to every claim's ``measure``; ``context`` (what was fixed in the study) goes into the conditions
    of every row, and ``partial`` marks the rows of an unfinished study.

    Raises
    ------
    ValueError
        When no claim is declared, or a name is used twice: a ledger is never silently empty.
    """
    if not claims:
        raise ValueError(f"study {study} declares no claim")
    rows: list[dict[str, Any]] = []
    mark = f"partial: {partial}" if partial else ""
    for claim in claims:
        row = {"study": study, "claim": claim.name, "source": claim.source, "statement": claim.statement,
               "expected": claim.expected, "figure": claim.figure, "conditions": claim.conditions}  # fmt: skip
        if claim.untestable:
            rows.append(row | {"verdict": "not testable", "conditions": claim.untestable})
            continue
        assert claim.measure is not None
        found = claim.measure(*data)
        if found is None:
            rows.append(
                row
                | {
                    "verdict": "not tested",
                    "n": 0,
                    "conditions": _join(claim.conditions, context, "not in this study's grid", mark),
                }
            )
            continue
        parts = {"": found} if isinstance(found, Measurement) else found
        for part, m in parts.items():
            outcome, why = verdict(claim, m)
            rows.append(
                row
                | {
                    "claim": f"{claim.name}/{part}" if part else claim.name,
                    "measured": m.value,
                    "uncertainty": m.uncertainty,
                    "low": m.low,
                    "high": m.high,
                    "n": m.n,
                    "verdict": outcome,
                    "conditions": _join(claim.conditions, context, m.conditions, f"control {m.control:.4g}", why, mark),
                }
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    twice = table["claim"][table["claim"].duplicated()]
    if len(twice):
        raise ValueError(f"study {study}: claim {twice.iloc[0]} is declared twice")
    return table.astype({"n": "Int64"})


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def gather(tables: Sequence[str]) -> pd.DataFrame:
    """The ledger: the claims tables of all studies, one after the other.

    Raises
    ------
    ValueError
        When it would be empty, or a row has an unknown verdict.
    """
    read = [pd.read_csv(table, dtype={"n": "Int64"}, keep_default_na=True) for table in tables]
    ledger = pd.concat(read, ignore_index=True) if read else pd.DataFrame(columns=list(COLUMNS))
    if ledger.empty:
        raise ValueError("the ledger is empty: no study of this run has a claim")
    unknown = set(ledger["verdict"]) - set(VERDICTS)
    if unknown:
        raise ValueError(f"verdict: found {sorted(unknown)}, allowed: {', '.join(VERDICTS)}")
    return ledger[list(COLUMNS)]


def page(ledger: pd.DataFrame) -> str:
    """The ledger as a self-contained HTML page, verdicts coloured and written out."""
    shown = ledger.drop(columns=["uncertainty", "low", "high"]).astype(object).where(ledger.notna(), "")
    shown["measured"] = [
        ("" if pd.isna(value) else f"{value:.4g}") + ("" if pd.isna(low) else f" [{low:.4g}, {high:.4g}]")
        for value, low, high in ledger[["measured", "low", "high"]].itertuples(index=False)
    ]
    for column in shown.columns:
        shown[column] = shown[column].map(lambda v: html.escape(str(v)))
    shown["verdict"] = shown["verdict"].map(lambda v: f'<span class="{v.replace(" ", "-")}">{v}</span>')
    table = shown.to_html(index=False, escape=False, border=0, na_rep="")
    counts = ", ".join(f"{n} {v}" for v in VERDICTS if (n := int((ledger["verdict"] == v).sum())))
    return PAGE.format(counts=counts, table=table)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ledger of claims</title><style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; }}
table {{ border-collapse: collapse; }} th {{ text-align: left; position: sticky; top: 0; background: #fff; }}
th, td {{ padding: .35rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }}
td:nth-child(2) {{ min-width: 9rem; overflow-wrap: anywhere; }} td:nth-child(3) {{ font-size: 80%; }}
td:nth-child(10) {{ min-width: 7rem; font-size: 80%; overflow-wrap: anywhere; }}
td:nth-child(4), td:nth-child(5) {{ min-width: 11rem; }} td:nth-child(9) {{ min-width: 16rem; font-size: 80%; }}
span {{ white-space: nowrap; font-weight: 600; }}
.reproduced {{ color: #006d4e; }} .not-reproduced {{ color: #a63d00; }} .depends {{ color: #6a4c00; }}
.not-tested, .not-testable {{ color: #666; }}
</style></head><body><h1>Ledger of claims</h1><p>{counts}.</p>{table}</body></html>
"""
