"""Table 1: who destroys how much of the data. Its zero rows are named as in the paper; the last of them is measured.

What the paper calls "in training set" is scored on held-out pairs of the same data: an attacker who fits decoders on
some pairs of original and output is asked for other originals (see ``recover``). It is an upper bound on destruction.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from advdyn.degeneration import view
from advdyn.degeneration.export import IMAGES
from advdyn.degeneration.view import View
from advdyn.intervals import interval

COMPONENTS = ("r2", "top1", "probe")
NOT_RUN = ("VGG trained on ImageNet", "Inception trained on Britney Spears MP3s")
CLASSIFIER = "AlphaGo trained on MNIST"
DAN = "DAN trained on DANOISE"
SYSTEMS = {
    "untouched": "untouched data", "danoise": "replaced by DANOISE", "urandom": "replaced by os.urandom",
    "xor-fresh": "XOR, a fresh key for each image", "xor-fixed": "XOR, one key for all images",
    "permutation": "pixels permuted, all alike", "additive": "additive noise, clipped", "fgsm": "FGSM",
}  # fmt: skip
READINGS = ("generator", "degenerator", "chain")
HELDOUT, ALBUM = "held-out pairs of the same data", "the other photograph"
COLUMNS = (
    "model", "measured", "n", "passed", "dd_data", "dd_data_low", "dd_data_high", "dd_album", "dd_album_low",
    "dd_album_high", *COMPONENTS, "overwritten", "differing", "fresh_accuracy", "pairs", "heldout", "decoders",
    "scored_on", "album_scored_on", "note",
)  # fmt: skip

Doubles = npt.NDArray[np.float64]


def table(study: xr.Dataset) -> pd.DataFrame:
    """Table 1 of a collected study.

    Parameters
    ----------
    study
        The collected data set; what it lacks is NaN, or no row.

    Returns
    -------
    One row for each model: the zero rows, the readings of the DAN after their last pass (first the run nearest the
    settings), the references. ``dd_*`` (percent), with their 95 % t-intervals over seeds or draws (``n`` of them), the
    three components unclipped, ``overwritten`` (bytes overwritten over bytes present, percent; of the run whose outputs
    overwrote the copy), ``differing`` (percent of bytes), ``fresh_accuracy`` of a new discriminator against noise.
    """
    known = view.of(study)
    rows = [*_zeros(known), *_readings(known), *_references(known)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(model: str, dd: Doubles, album: Doubles, **others: Any) -> dict[str, Any]:
    """A measured row; ``dd`` and ``album`` are over seeds or draws."""
    found: dict[str, Any] = {"model": model, "measured": "yes", "n": len(dd), "note": ""}
    for name, values in (("dd_data", dd), ("dd_album", album)):
        mean, _, low, high = interval(values)
        found |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    return found | {"scored_on": HELDOUT if len(dd) else "", "album_scored_on": ALBUM if len(album) else ""} | others


def _zeros(known: View) -> list[dict[str, Any]]:
    """The models that write nothing; the bytes that the last of them altered were counted."""
    none = {"measured": "no", "n": 0, "dd_data": 0.0, "dd_album": 0.0, "note": "not run: a classifier writes nothing"}
    rows: list[dict[str, Any]] = [{"model": name, **none} for name in NOT_RUN]
    altered = known.single("altered_bytes")
    if np.isnan(altered):
        return [*rows, {"model": CLASSIFIER, **none}]
    zero = 0.0 if altered == 0 else np.nan
    note = f"the classifier trained here: bytes of the images altered: {altered:.0f}"
    last = {"model": CLASSIFIER, "measured": "yes", "n": 1, "dd_data": zero, "dd_album": np.nan, "note": note}
    return [*rows, last | {"overwritten": zero, "differing": zero, "scored_on": "all images, by their bytes"}]


def _readings(known: View) -> list[dict[str, Any]]:
    """Runs of a DAN after their last pass: of each kind the one nearest the settings first."""
    rows, writer = [], _writer(known)
    share = (
        100 * known.single("bytes_overwritten", file=IMAGES) / (known.single("bytes_present", file=IMAGES) or np.nan)
    )
    for kind in READINGS:
        base = known.base(kind, None)
        for run in sorted(known.where(kind=kind), key=lambda run: (run != base, run)):
            passes, lost = known.passes(run), len(known.diverged(run))
            model = f"{DAN} ({kind})" if run == base else f"DAN ({known.words(run)})"
            others: dict[str, Any] = {
                c: _mean(known.number(run, "component_dd", component=c).values) for c in COMPONENTS
            }
            others |= {"decoders": _families(known.data, "run", run), **_sizes(known.data)}
            others |= {"passed": passes[-1] if passes else np.nan, "note": f"{lost} seeds diverged" if lost else ""}
            rows.append(
                _row(
                    model,
                    known.number(run, "dd").values,
                    known.number(run, "album_dd").values,
                    overwritten=share if run == writer else np.nan,
                    differing=_mean(known.number(run, "bytes_differing").values),
                    fresh_accuracy=_mean(known.number(run, "fresh_accuracy").values),
                    **others,
                )
            )
    return rows


def _writer(known: View) -> int | None:
    """The run whose outputs overwrote the copy: that whose parameters the overwriting job recorded."""
    recorded = json.loads(str(known.data["overwritten_run"].item())) if "overwritten_run" in known.data else {}
    if recorded:
        names = [name for name in known.rows[0] if name in recorded]
        found = [run for run, row in enumerate(known.rows) if all(_same(row[n], recorded[n]) for n in names)]
        return found[0] if found else None
    mode = json.loads(known.data.attrs.get("reference", "{}")).get("overwrite")
    kind = "chain" if mode == "chain" else "degenerator"
    if "overwritten_by" in known.data:
        kind = str(known.data["overwritten_by"].item())
    return known.base(kind, None)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return bool(np.isclose(float(one), float(other), rtol=1e-6, atol=0))


def _references(known: View) -> list[dict[str, Any]]:
    """The systems that need no training."""
    return [
        _row(
            SYSTEMS.get(system, system),
            known.draws(system, "dd"),
            known.draws(system, "album_dd"),
            differing=_mean(known.draws(system, "bytes_differing")),
            fresh_accuracy=_mean(known.draws(system, "fresh_accuracy")),
            **{c: _mean(known.draws(system, "component", component=c)) for c in COMPONENTS},
            decoders=_families(known.data, "system", list(known.data["system"].values).index(system)),
            **_sizes(known.data, system),
        )
        for system in known.systems
    ]


def _sizes(data: xr.Dataset, system: str = "danoise") -> dict[str, float]:
    """Pairs fitted and scored of a reference; those of the runs are DANOISE's."""
    names = {"pairs": "reference_pairs", "heldout": "reference_heldout"}
    return {k: float(data[v].sel(system=system)) for k, v in names.items() if v in data and system in data["system"]}


def _families(data: xr.Dataset, dim: str, at: int) -> str:
    """The families of decoders that validation chose for the three components, over seeds or draws."""
    name = "chosen" if dim == "run" else "reference_chosen"
    if name not in data:
        return ""
    found = data[name].isel({dim: at})
    found = found.isel(passed=-1) if "passed" in found.dims else found
    of = [dict.fromkeys(str(v) for v in found.sel(component=c).values.ravel() if str(v)) for c in COMPONENTS]
    return "; ".join(f"{c}: {', '.join(families)}" for c, families in zip(COMPONENTS, of, strict=True) if families)


def _mean(values: Doubles) -> float:
    """Mean of what is finite, NaN of nothing."""
    kept = np.asarray(values, float)
    kept = kept[np.isfinite(kept)]
    return float(kept.mean()) if len(kept) else np.nan
