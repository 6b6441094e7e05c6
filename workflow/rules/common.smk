"""Helpers of the rules: the validated run, and where a rule's code, params, cost and figures come from."""

import atexit
import json
import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from advdyn import provenance
from advdyn.atomic import whole
from advdyn.closure import closure
from advdyn.cluster import launch, records, resume
from advdyn.data import cost as data_cost
from advdyn.data.files import PUBLISHED, directory_files
from advdyn.study import layout, run
from advdyn.study.errors import ConfigError
from advdyn.study.model import Cost
from advdyn.study.sizes import Sizes

BASE = Path(workflow.basedir)
PINS = "envs/requirements.txt"

try:
    launch.prepare(sys.argv[1:], BASE)
    # Snakemake lists the file that the Snakefile names last; it is the lowest, and read in any case.
    RUN = run.load(
        workflow.configfiles[:-1],
        workflow.config_settings.config,
        rules=launch.rules_of_job(sys.argv[1:]),
    )
except ConfigError as error:
    raise WorkflowError(str(error))

if RUN.partial:  # a study of which nothing is done yet has nothing to collect
    RUN = replace(
        RUN, studies={s: v for s, v in RUN.studies.items() if run.begun(RUN.results, s)}
    )
    if not RUN.studies:
        raise WorkflowError(
            f"partial: found no finished job below {RUN.results}, allowed: a run that has begun"
        )

COLLECTED = f"{RUN.results}/partial" if RUN.partial else RUN.results
LOGS = f"{RUN.logs}/partial" if RUN.partial else RUN.logs
SUFFIXES = ("pdf", "svg", "png", "csv")
TARGETS = {}  # study -> its final files; each study's rules file sets its own


def tracked(file):
    """A file of the checkout, relative where the run stands in the checkout."""
    return str(file.relative_to(BASE)) if Path.cwd() == BASE else str(file)


@cache
def code_files(script):
    """What a rule's code is made of: its script, the pins, and every module the script imports."""
    path = BASE / "scripts" / f"{script}.py"
    return [tracked(file) for file in (path, BASE / PINS, *closure(path, BASE))]


def code_of(script):
    """An input function: a rule's code, looked for only when a job of the rule is planned."""
    return lambda wildcards: code_files(script)


@cache
def code_digest_of(script):
    """The digest of a rule's code; asked for once for each of its jobs."""
    return provenance.code_digest(code_files(script))


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
    """Resources of a rule, from its problem's size; a retry asks for more. Its threads are one (docs/cluster.md)."""

    def point(wildcards):
        reads = RUN.studies[study].model.steps[step].reads
        return point_of(study, step)(wildcards) if reads else {}

    def cost(wildcards):
        where = (wildcards.get("cell", layout.WHOLE), wildcards.get("block", ""))
        return RUN.studies[study].cost(step, SIZES.of(study, step, *where))

    def on_gpu(wildcards):
        device = RUN.studies[study].settings.device
        if device == "cpu" or (device == "auto" and not GPU_HERE):
            return False
        return RUN.studies[study].model.steps[step].gpu(point(wildcards))

    return asked_for(cost, on_gpu)


SIZES = Sizes(RUN)


def dataset_cost(wildcards):
    """The cost of making a data set."""
    return data_cost.cost(RUN.data[wildcards.dataset])


def asked_for(cost, on_gpu=lambda wildcards: False):
    """The resources of a job as functions of its wildcards and attempt, in the words of the site."""

    def asked(wildcards, attempt):
        job, gpu = cost(wildcards), on_gpu(wildcards)
        first = (job.mem_mb(1, gpu), job.runtime(1))
        return (
            SITE.within(*first, gpu, attempt)
            if SITE
            else tuple(attempt * n for n in first)
        )

    resources = {
        "mem_mb": lambda wildcards, attempt: asked(wildcards, attempt)[0],
        "runtime": lambda wildcards, attempt: asked(wildcards, attempt)[1],
        "gpu": lambda wildcards: int(on_gpu(wildcards)),
    }
    if SITE is None:
        return resources
    for name, value in SITE.gpu().items():
        none = type(value)()  # without a GPU: 0 of a number, an empty text

        def wanted(wildcards, value=value, none=none):
            return value if on_gpu(wildcards) else none

        resources[name] = wanted
    if "gres" in SITE.gpu():
        del resources["gpu"]
    return resources | SITE.resources()


# The facts of the cluster, when the profile is one of Slurm.
SITE = launch.cluster()

# A limit of gpu=1 would make jobs of a machine that has none queue one by one.
GPU_HERE = launch.gpus()


class Collection:
    """What is collected of a study: of each step the files, and what they must be made from.

    ``made_by`` maps every step whose files are asked for, directly or as sources, to (rule, path pattern); the
    steps in ``parts`` are collected. With ``data`` the steps (or those that it names) are made from the study's data
    set; ``files`` says which of the user's own files a step is made from at a cell, besides.
    """

    def __init__(self, study, made_by, parts, data=False, files=lambda step, model: []):
        self.study, self.made_by, self.files = study, made_by, files
        self.data = set(made_by if data is True else data or ())
        self.sweep = RUN.studies[study]
        self.known = {}
        self.point = {
            "parts": {},
            "parameters": self.sweep.model.described(),
            "partial": "",
        }
        self.inputs = {}
        found, planned = 0, 0
        for step in parts:
            jobs = list(self.sweep.jobs(step))
            kept = [
                job
                for job in jobs
                if not RUN.partial or Path(self.file(step, job)).exists()
            ]
            self.inputs[step] = [self.file(step, job) for job in kept]
            self.point["parts"][step] = {
                "rule": made_by[step][0],
                "code": self.code(step),
                "cells": [self.sweep.coordinates(step, job.cell) for job in kept],
                "digests": [provenance.digest(job.point) for job in kept],
                "sources": [self.sources(step, job.cell, job.block) for job in kept],
            }
            found, planned = found + len(kept), planned + len(jobs)
        if RUN.partial:
            self.point["partial"] = f"{found} of {planned} jobs"
        self.inputs["asked"] = self.asked()

    def file(self, step, job):
        """The file of a job."""
        return (
            self.made_by[step][1]
            .replace("<results>", RUN.results)
            .format(cell=job.cell, block=job.block)
        )

    def code(self, step):
        """The digest of the code that makes a step's files."""
        return code_digest_of(self.made_by[step][0])

    def before(self, step, name, suffix=".nc"):
        """An input function: the files of the step ``name`` that a job of ``step`` reads."""

        def files(wildcards):
            cell = wildcards.get("cell", layout.WHOLE)
            found = self.sweep.before(step, cell, wildcards.get("block", ""))
            return [
                self.file(name, job).removesuffix(".nc") + suffix for job in found[name]
            ]

        return files

    def own(self, step):
        """An input function: the user's own files that a job is made from."""

        def files(wildcards):
            cell = wildcards.get("cell", layout.WHOLE)
            return self.files(step, self.sweep.at(step, cell))

        return files

    def datasets(self, step, cell=layout.WHOLE):
        """The data sets that a job is made from: that of its cell, or of every job that a study-level step reads."""
        if self.sweep.model.steps[step].per in ("cell", "block"):
            return [self.sweep.at(step, cell).dataset]
        jobs = [
            (name, job)
            for name, found in self.sweep.before(step).items()
            for job in found
            if self.sweep.model.steps[name].per in ("cell", "block")
        ]
        names = [self.sweep.at(name, job.cell).dataset for name, job in jobs]
        return list(dict.fromkeys(names)) or [self.sweep.settings.dataset]

    def images(self, step):
        """An input function: the files of these data sets."""

        def files(wildcards):
            names = self.datasets(step, wildcards.get("cell", layout.WHOLE))
            return [f"{RUN.results}/data/{name}.nc" for name in names]

        return files

    def sources(self, step, cell, block=""):
        """The identities of the files that a step's file is made from, in the order its script names them."""
        if (step, cell, block) in self.known:
            return self.known[step, cell, block]
        found = []
        if step in self.data:
            for name in self.datasets(step, cell):
                code = code_digest_of(MAKERS[RUN.data[name].source])
                point = provenance.digest(dataset_point_of(name))
                found.append(provenance.identity(point, code))
        for before, jobs in self.sweep.before(step, cell, block).items():
            for job in jobs:
                point = provenance.digest(job.point)
                of = self.sources(before, job.cell, job.block)
                found.append(provenance.identity(point, self.code(before), of))
        for file in self.files(step, self.sweep.at(step, cell)):
            found.append(provenance.content(file))
        self.known[step, cell, block] = found
        return found

    def asked(self):
        """A file that holds what is asked for, written anew only when that changed.

        Snakemake forgets params when its metadata is lost; a file that is newer than the collection it does not
        forget. The collection then runs, compares, and refuses what was made for another study.
        """
        return write_asked(f"{COLLECTED}/{self.study}/asked.json", self.point)


def write_asked(file, point):
    """Write what is asked for, if it differs from what is there; the file's path."""
    text = json.dumps(point, indent=1) + "\n"
    if not Path(file).exists() or Path(file).read_text() != text:
        with whole(file) as part:
            part.write_text(text)
    return file


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


# Print what Slurm's commands have to say; one, once a run through Slurm has begun.
NOTICES = []


def begin_run(log):
    """Before the first job: what is asked for can be carried out, and the run is noted."""
    stop_without_profile()
    records.begin(launch.name(), RUN.results, *log)
    if SITE:
        NOTICES.append(launch.relay(logger.warning))
        atexit.register(resume.tidy, launch.name())
        launch.submit_no_more_when_ended()


def end_run():
    """After the last job, whatever the end."""
    if SITE:
        atexit.unregister(resume.tidy)
        resume.tidy(launch.name())
    for show in NOTICES:
        show()
    records.end(launch.name())


def stop_without_image():
    """Stop before any job when jobs run in an image that is not there: each would delete its output, then fail."""
    image = workflow.modifier.global_container_img
    methods = {method.name for method in workflow.deployment_settings.deployment_method}
    if "APPTAINER" in methods and not Path(image).exists():
        raise WorkflowError(
            f"--sdm apptainer: found no image {image}, allowed: "
            f"the one that `apptainer build {image} envs/advdyn.def` makes"
        )


# The rule that makes the data sets of a source; those of MNIST's idx files are imported once they are there.
MAKERS = {
    "bundled": "import_bundled",
    "directory": "import_directory",
    "download": "import_directory",
    "npz": "import_npz",
    "gaussian": "sample_gaussian",
    "mixture": "sample_mixture",
}


def named(*sources):
    """A wildcard constraint that matches the data sets of these sources, and nothing where there is none."""
    return (
        "|".join(re.escape(name) for source in sources for name in RUN.named(source))
        or "(?!)"
    )


def dataset_point_of(name):
    """The params of the rule that makes a data set."""
    return (
        {}
        if MAKERS[RUN.data[name].source] == "import_directory"
        else RUN.data[name].point()
    )


def dataset_point(wildcards):
    """The params of a data set."""
    return dataset_point_of(wildcards.dataset)


def download_point(wildcards):
    """The params of a download."""
    return RUN.data[wildcards.dataset].point()


def dataset_path(wildcards):
    """The user's file of a data set."""
    return RUN.data[wildcards.dataset].path


# What is asked of each data set, written when the workflow is read (Snakemake looks only once what files there are):
# without its memory too, a changed data set is made again.
ASKED_DATA = {
    name: write_asked(f"{RUN.results}/data/{name}.asked.json", dataset.model_dump())
    for name, dataset in RUN.data.items()
}


def asked_dataset(wildcards):
    """The file that says what is asked of a data set."""
    return ASKED_DATA[wildcards.dataset]


def idx_files(wildcards):
    """The four idx files of a data set: in the user's folder, or downloaded."""
    if RUN.data[wildcards.dataset].source == "download":
        folder = f"resources/mnist/{wildcards.dataset}"
        return {name: f"{folder}/{file}" for name, file in PUBLISHED.items()}
    return directory_files(RUN.data[wildcards.dataset].path)
