"""Helpers of the rules: the validated run, and where a rule's code, params, cost and figures come from."""

import json
from pathlib import Path

from snakemake.exceptions import WorkflowError

from advdyn import provenance
from advdyn.atomic import whole
from advdyn.closure import closure
from advdyn.data.files import PUBLISHED, directory_files
from advdyn.study import layout, run
from advdyn.study.errors import ConfigError

BASE = Path(workflow.basedir)
PINS = "envs/requirements.txt"

try:
    # Snakemake lists the file that the Snakefile names last; it is the lowest.
    RUN = run.load(config, [*workflow.configfiles[-1:], *workflow.configfiles[:-1]])
except ConfigError as error:
    raise WorkflowError(str(error))

COLLECTED = f"{RUN.results}/partial" if RUN.partial else RUN.results
TARGETS = {}  # study -> its final files; each study's rules file sets its own


def tracked(file):
    """A file of the checkout, relative where the run stands in the checkout."""
    return str(file.relative_to(BASE)) if Path.cwd() == BASE else str(file)


def code_of(script):
    """What a rule's code is made of: its script, the pins, and every module the script imports."""
    path = BASE / "scripts" / f"{script}.py"
    return [tracked(file) for file in (path, BASE / PINS, *closure(path, BASE))]


def point_of(study, step):
    """The params of a rule: the fields its step declares, at the job's cell and block."""

    def point(wildcards):
        try:
            return RUN.studies[study].point(
                step, wildcards.get("cell", layout.WHOLE), wildcards.get("block")
            )
        except ConfigError as error:
            raise WorkflowError(str(error))

    return point


def need(study, step):
    """Resources of a rule, from its problem's size; a retry asks for more."""

    def cost(wildcards):
        if RUN.studies[study].model.steps[step].per not in ("cell", "block"):
            return RUN.studies[study].cost(step, {})
        return RUN.studies[study].cost(step, point_of(study, step)(wildcards))

    def mem_mb(wildcards, attempt):
        return int(1.3 * cost(wildcards).memory + 100) * attempt

    def runtime(wildcards, attempt):
        return (1 + int(3 * cost(wildcards).seconds / 60)) * attempt

    return {"mem_mb": mem_mb, "runtime": runtime, "gpu": gpu_of(study, step)}


def gpu_of(study, step):
    """Whether a job counts against the GPUs: asked of a GPU machine, or of any when cuda is named."""
    device = RUN.studies[study].settings.device
    here = any((Path(Path.cwd().anchor) / "dev").glob("nvidia[0-9]*"))
    uses = RUN.studies[study].model.steps[step].gpu
    return 1 if uses and (device == "cuda" or (device == "auto" and here)) else 0


def files_of(study, step, pattern):
    """The files of every job of a step; in a partial run, those that are there."""

    return [file for file, _, _ in jobs_of(study, step, pattern)]


def jobs_of(study, step, pattern):
    """(file, cell values, digest of the params) of every job of a step."""
    sweep = RUN.studies[study]
    pattern = pattern.replace("<results>", RUN.results)
    jobs = []
    for job in sweep.jobs():
        if job.step != step:
            continue
        file = pattern.format(cell=job.cell, block=job.block)
        if not RUN.partial or Path(file).exists():
            jobs.append(
                (file, sweep.coordinates(step, job.cell), provenance.digest(job.point))
            )
    return jobs


def collection_of(study, rule_of_step, **patterns):
    """The params of a collecting rule: for each step the cells and digests that its files must have.

    A file that was made with other parameters or other code is refused, and never collected as new.
    """
    sweep = RUN.studies[study]
    point = {"parts": {}, "parameters": sweep.model.described(), "partial": ""}
    counts = [0, 0]
    for step, pattern in patterns.items():
        jobs = jobs_of(study, step, pattern)
        point["parts"][step] = {
            "rule": rule_of_step[step],
            "code": provenance.code_digest(code_of(rule_of_step[step])),
            "cells": [values for _, values, _ in jobs],
            "digests": [digest for _, _, digest in jobs],
        }
        counts[0] += len(jobs)
        counts[1] += sum(job.step == step for job in sweep.jobs())
    if RUN.partial:
        point["partial"] = f"{counts[0]} of {counts[1]} jobs"
    return point


def asked_of(study, point):
    """A file that holds what a collection asks for, written anew only when that changed.

    Snakemake forgets params when its metadata is lost; a file that is newer than the collection it does not
    forget. The collection then runs, compares, and refuses what was made for another study.
    """
    file = Path(COLLECTED) / study / "asked.json"
    text = json.dumps(point, indent=1) + "\n"
    if not file.exists() or file.read_text() != text:
        with whole(file) as part:
            part.write_text(text)
    return str(file)


def figure(name, caption, study, title, **labels):
    """The files of a figure; its PNG goes into the report with its caption."""
    stem = f"<collected>/{name}"
    png = report(
        f"{stem}.png",
        caption=f"../report/{caption}.rst",
        category=study,
        subcategory=title,
        labels=labels or {"figure": title},
    )
    return [f"{stem}.pdf", f"{stem}.svg", png, f"{stem}.csv"]


def stop_without_profile():
    """Stop before any job when the profile of this checkout is not in force."""
    triggers = {
        str(trigger).rsplit(".", 1)[-1].lower() for trigger in workflow.rerun_triggers
    }
    if "code" in triggers:
        raise WorkflowError(
            "the rerun trigger `code` is on, so no profile of this checkout is in force (a misspelt profile name "
            "loads nothing): use --workflow-profile profiles/default, or repeat its rerun-triggers in your own"
        )


def named(source):
    """A wildcard constraint that matches the data sets of one source."""
    return "|".join(RUN.named(source)) or "(?!)"


def dataset_point(wildcards):
    """The params of a data set."""
    return RUN.data[wildcards.dataset].point()


def dataset_path(wildcards):
    """The user's file of a data set."""
    return RUN.data[wildcards.dataset].path


def idx_files(wildcards):
    """The four idx files of a data set: in the user's folder, or downloaded."""
    if RUN.data[wildcards.dataset].source == "download":
        folder = f"resources/mnist/{wildcards.dataset}"
        return {name: f"{folder}/{file}" for name, file in PUBLISHED.items()}
    return directory_files(RUN.data[wildcards.dataset].path)
