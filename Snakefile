"""advdyn: parameter studies of adversarial training, simulation and theory side by side.

snakemake --cores 8                                     the default run
snakemake --cores 2 --configfile config/smoke.yaml      the same graph at toy size
snakemake -n                                            what would run, and why
"""

import sys

from snakemake.utils import min_version

min_version("9.27")

# advdyn is used from this checkout, here and in every job, whatever else is installed.
sys.path.insert(0, workflow.basedir)
from advdyn import environment

environment.prepare(workflow.basedir)


# --- configuration --------------------------------------------------------------------------------
configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=RUN.results,
    collected=COLLECTED,
    logs=LOGS,


wildcard_constraints:
    cell=layout.CELL,
    panel=layout.CELL,
    block=layout.BLOCK,
    dataset=layout.SEGMENT,


# Where jobs run under `--sdm apptainer`, and only then; relative to the folder of the run, so that a checkout may move.
container: "envs/advdyn.sif"


stop_without_image()


# --- rules ----------------------------------------------------------------------------------------
include: "workflow/rules/data.smk"
include: "workflow/rules/ledger.smk"


for study in RUN.studies:

    include: f"workflow/rules/{study}.smk"


# --- messages -------------------------------------------------------------------------------------
onstart:
    begin_run(log)


onsuccess:
    end_run()


onerror:
    end_run()


report: "workflow/report/workflow.rst"


# --- targets --------------------------------------------------------------------------------------
rule all:
    """Every study of the run: its data set, figures, tables, and the ledger of claims."""
    default_target: True
    input:
        "<collected>/claims.csv",
        "<collected>/claims.html",
        [TARGETS[study] for study in RUN.studies],
    localrule: True
