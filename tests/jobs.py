"""Stand-ins for Snakemake's object, and a small data set: scripts are run on them, files in and files out."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray as xr

from advdyn import io, linear, provenance

CODE = [linear.__file__]


class Named(list):
    """Snakemake's outputs: a list whose items also have names."""

    def __init__(self, **files):
        super().__init__(files.values())
        self.__dict__.update(files)


class Inputs(SimpleNamespace):
    """Snakemake's inputs, by attribute and by name."""

    def __getitem__(self, name):
        return getattr(self, name)


def run(script, folder, output, params, **inputs):
    """Run a script of ``scripts/``; its outputs."""
    job = SimpleNamespace(
        input=Inputs(code=CODE, **inputs),
        output=output if isinstance(output, Named) else [str(folder / output)],
        params=SimpleNamespace(point=params),
        log=[str(folder / "logs" / f"{script}.log")],
    )
    importlib.import_module(f"scripts.{script}").main(job)
    return job.output


def params(settings, step, **values):
    """The params of a step of a model at these values; two seeds where it has seeds."""
    reads = type(settings).steps[step].reads
    found = {name: getattr(settings, name) for name in reads if name != "seeds"}
    return found | ({"seeds": [0, 1]} if "seeds" in reads else {}) | values


def images(folder, side, splits, classes=3):
    """A data set file of side x side images of some classes, in the layout of advdyn.data; ``splits`` are the sizes."""
    rng = np.random.default_rng(0)
    n, pixels = sum(splits), side * side
    label = np.arange(n) % classes
    pattern = rng.integers(40, 220, (classes, pixels))
    image = np.clip(pattern[label] + rng.integers(-60, 60, (n, pixels)), 0, 255).astype(np.uint8)
    data = xr.Dataset(
        {
            "image": io.variable(("sample", "pixel"), image, "image"),
            "label": io.variable(("sample",), label, "class"),
            "split": io.variable(("sample",), np.repeat([0, 1, 2], splits).astype(np.int8), "split"),
        },
        attrs={"image_shape": f"{side},{side}"},
    )
    path = str(Path(folder) / "mnist.nc")
    io.write(data, path, {}, CODE)
    return path


def asked(files, cells):
    """What a collection asks of a step's files: those that there are, as they are."""
    made = [io.read(file).attrs for file in files]
    return {
        "rule": "make",
        "code": provenance.code_digest(CODE),
        "cells": cells,
        "digests": [provenance.digest(io.point_of(io.read(file))) for file in files],
        "sources": [json.loads(attrs["sources"]) for attrs in made],
    }
