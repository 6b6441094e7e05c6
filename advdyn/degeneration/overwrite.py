"""Overwrite the data with their own degeneration: a copy of them, inside the run's results, and nothing else.

Algorithm 1 ends with "overwrite your original data with the generated noise", and by Proposition 1 the optimal
discriminator is overwritten too. Both are done here to files of a ``sandbox``, which refuses everything else.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from advdyn import io, seeds
from advdyn.degeneration import export
from advdyn.degeneration.export import DISCRIMINATOR, FILES, FIT, IMAGES, PREFIX
from advdyn.degeneration.sandbox import OverwriteError, Sandbox
from advdyn.errors import InputError
from advdyn.gan.noise import danoise
from advdyn.logs import log
from advdyn.perceptrons import Mlps

__all__ = ["OverwriteError", "Sandbox", "accuracy", "run"]

STUDY = "degeneration"
HELDOUT = 2  # part of the outputs that are of test images
BATCH = 64  # of the discriminator, whose minibatch feature depends on it
COPY, PASS = "copy", "pass-"
PREFERRED = ("degenerator", "generator", "gan", "chain")
PAPER = "Gontijo Lopes and Deb, Degenerative Adversarial Networks, Algorithm 1, Proposition 1 and Table 1"

Bytes = npt.NDArray[np.uint8]


def accuracy(weights: Mapping[str, npt.NDArray[Any]], noise: Bytes, outputs: Bytes) -> float:
    """Balanced accuracy of a discriminator; what its logit leaves undecided (0, or not a number) counts 1/2.

    Parameters
    ----------
    weights
        ``discriminator/<name>`` of one run, with a first axis of length 1.
    noise, outputs : shape (n, pixel)
        What it should, and should not take for noise; it sees minibatches of 64, as in training.
    """
    right = []
    for side, images in ((1.0, noise), (-1.0, outputs)):
        logit = _logits(weights, images)
        right.append(np.where(np.isfinite(logit), (np.sign(logit) * side + 1) / 2, 0.5).mean())
    return float(np.mean(right))


def _logits(weights: Mapping[str, npt.NDArray[Any]], images: Bytes) -> npt.NDArray[np.float64]:
    """Logits of a discriminator, (image,)."""
    network, x = Mlps.of(weights, PREFIX), torch.as_tensor(images.astype(np.float32) / 255)[None]
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(BATCH, dim=1)], 1)[0, :, 0].double().numpy()


def _undecided(weights: Mapping[str, npt.NDArray[Any]], *images: Bytes) -> float:
    """Share of the logits that are no finite numbers."""
    return float(np.mean(np.concatenate([~np.isfinite(_logits(weights, x)) for x in images])))


def _last(outputs: xr.Dataset, passed: int, part: int) -> Bytes:
    """Outputs of one part of the images after one pass, of the first sigma and seed: (image, pixel)."""
    found = outputs["image_output"].isel(sigma=0, seed=0, passed=passed, image=outputs["part"].values == part)
    return np.ascontiguousarray(found.transpose("image", "pixel").values, np.uint8)


def _image_bytes(outputs: xr.Dataset, passed: int, size: int) -> bytes:
    """What images.bin is overwritten with: outputs of the same images."""
    data = _last(outputs, passed, FIT).tobytes()
    if len(data) < size:
        raise InputError(f"{IMAGES}: {size} bytes, and outputs of only {len(data)}; make the files of this study anew")
    return data[:size]


def _chosen(outputs: Mapping[str, xr.Dataset], mode: str) -> str:
    """The kind of run whose outputs overwrite the data; none, said in the log, where there is no such run."""
    wanted = ("chain",) if mode == "chain" else PREFERRED
    for kind in wanted:
        if kind in outputs:
            return kind
    log.warning("overwrite: found '%s', and no run of kind %s: nothing is overwritten", mode, " or ".join(wanted))
    return ""


def run(
    source: Path,
    sandbox: Path,
    results: Path,
    outputs: Mapping[str, xr.Dataset],
    weights: Mapping[str, npt.NDArray[Any]],
    *,
    overwrite: Literal["none", "sandbox", "chain"],
    root: int,
) -> xr.Dataset:
    """Overwrite copies of images.bin and discriminator.bin.

    Parameters
    ----------
    source
        Folder of the two files, see ``export``; it is only read.
    sandbox
        Folder strictly inside ``results`` that the copies are made in: ``copy``, or ``pass-<p>`` for each pass p.
    results
        Output directory of the run.
    outputs
        By kind of run, the first is the one ``weights`` belong to.
    weights
        Of the discriminator that was exported; only names and shapes are used.
    overwrite
        ``none``; ``sandbox``: one copy is overwritten by the outputs of the degenerator (or else a generator, or a
        chain) after its last pass; ``chain``: each pass of the chain has a copy of the copy before, overwritten by its
        outputs. The discriminator is overwritten by bytes of Python's ``random``.
    root
        Root of the random streams.

    Returns
    -------
    Dataset over file and when; of the last copy, compared with the source. NaN where nothing was overwritten.

    Raises
    ------
    OverwriteError
        When anything is not as it must be, see ``sandbox``.
    InputError
        When files and outputs do not belong together.
    """
    original = {name: (source / name).read_bytes() for name in FILES}
    hashed = {name: hashlib.sha256(data).hexdigest() for name, data in original.items()}
    first = next(iter(outputs.values()))
    order = export.layout(weights)
    seed = seeds.integer(root, STUDY, int(first["seed"].values[0]), "evaluation")
    heldout = _last(first, -1, HELDOUT)
    noise = danoise(random.Random(f"{seed} noise").getrandbits(64), *heldout.shape)
    before = accuracy(export.read(original[DISCRIMINATOR], order), noise, heldout)
    present = {name: float(len(data)) for name, data in original.items()}
    written, differing = dict.fromkeys(FILES, 0.0), dict.fromkeys(FILES, 0.0)
    copies, after, undecided, kind = 0, np.nan, np.nan, "nothing"
    of_run: dict[str, Any] = {}
    if overwrite != "none" and (chosen_kind := _chosen(outputs, overwrite)):
        kind, chosen = chosen_kind, outputs[chosen_kind]
        values = json.loads(chosen.attrs.get("parameters", "{}")) | {"sigma": float(chosen["sigma"][0])}
        of_run = {name: value for name, value in values.items() if isinstance(value, str | int | float)}
        number = chosen.sizes["passed"]
        passes: Sequence[int] = range(number) if overwrite == "chain" else [number - 1]
        rng, copied, new = random.Random(f"{seed} overwrite"), source, {}
        for passed in passes:
            folder = sandbox / (f"{PASS}{int(chosen['passed'][passed])}" if overwrite == "chain" else COPY)
            new = {
                IMAGES: _image_bytes(chosen, passed, len(original[IMAGES])),
                DISCRIMINATOR: rng.randbytes(len(original[DISCRIMINATOR])),
            }
            done = Sandbox.create(copied, folder, results).overwrite(new)
            copied, copies = folder, copies + 1
            written = {name: float(done[name].overwritten) for name in FILES}
            present = {name: float(done[name].present) for name in FILES}
        after = accuracy(export.read((copied / DISCRIMINATOR).read_bytes(), order), noise, heldout)
        differing = {name: _differing((copied / name).read_bytes(), original[name]) for name in FILES}
        undecided = _undecided(export.read((copied / DISCRIMINATOR).read_bytes(), order), noise, heldout)
    now = {name: (source / name).read_bytes() for name in FILES}
    unchanged = all(hashlib.sha256(data).hexdigest() == hashed[name] for name, data in now.items())
    if not unchanged:
        raise OverwriteError(f"{source}: the source changed while its copies were overwritten")
    of_file = {
        "bytes_present": (present, "bytes of a file of the copy", "byte"),
        "bytes_overwritten": (written, "bytes of it that were overwritten", "byte"),
        "source_differing": (
            {name: _differing(now[name], original[name]) for name in FILES},
            "bytes of the source that differ after the overwrite",
            "%",
        ),
        "file_bytes_differing": (differing, "bytes that differ from the source (random bytes: 99.609)", "%"),
    }
    single = {
        "source_unchanged": (float(unchanged), "whether the source has the same sha256 after the overwrite"),
        "verified": (float(copies > 0), "whether all was read back as it was written"),
        "discriminator_undecided": (
            undecided,
            "share of the logits of the overwritten discriminator that are no numbers, each counted 1/2",
        ),
        "copies": (float(copies), "copies made, each overwritten once"),
    }
    coords = {
        "file": io.variable(("file",), list(FILES), "file of the copy"),
        "when": io.variable(("when",), ["before", "after"], "before or after the overwrite"),
    }
    variables = {
        name: io.variable(("file",), [values[file] for file in FILES], text, units, PAPER)
        for name, (values, text, units) in of_file.items()
    }
    variables |= {name: io.variable((), value, text, "1", PAPER) for name, (value, text) in single.items()}
    variables["overwritten_by"] = io.variable((), kind, "kind of run whose outputs overwrote the images", "1", PAPER)
    variables["overwritten_run"] = io.variable(
        (), json.dumps(of_run, sort_keys=True), "parameters of that run, as JSON", "1", PAPER
    )
    variables["discriminator_accuracy"] = io.variable(
        ("when",),
        [before, after],
        "balanced accuracy of the discriminator: DANOISE against held-out outputs",
        "1",
        PAPER,
    )
    return xr.Dataset(variables, coords, {"title": "The data overwritten", "overwrite": overwrite})


def _differing(one: bytes, other: bytes) -> float:
    """Percentage of bytes that differ."""
    return float(100 * np.mean(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8)))
