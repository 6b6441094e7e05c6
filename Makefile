# make run    set up .venv if needed, run the studies, write the report, say where everything is
# make test   set up .venv if needed, run the tests
# make run CONFIG=config/smoke.yaml CORES=2    another run, another number of cores
# make plan           jobs, hours, memory and disk of a run before it runs (CONFIG=, CORES=)
# make partial        after failed jobs: collect and draw what is there, marked as partial
# make clean-stale    list files that no study plans any more; DELETE=1 removes them
# make report         the report of a finished run, and where everything is
# make ledger-docs    keep the ledger of a finished run of paper size in docs/ (CONFIG=)
# make cluster-check  whether a run can be submitted as its profile says (PROFILE=profiles/slurm, CONFIG=)
# make resume         after a crash of a run on a cluster: cancel what it left in the queue, then go on (PROFILE=, CONFIG=)
# make peers          other attack libraries beside the environment, only for comparison with them in the tests
# make test-slurm     every test on a Slurm cluster that they bring up on this machine (root; docs/cluster.md)
# make test-unit      the tests that do not run snakemake;  make lint, format, schemas, bench, pins

PYTHON ?= python3
CORES ?= all
CONFIG ?=
PROFILE ?= profiles/slurm
# Processes that run tests side by side, each a file at a time.
WORKERS ?= logical
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake
CONFIGFILE := $(if $(CONFIG),--configfile $(CONFIG))
PEERS := $(shell sed -n 's/==.*//p' envs/requirements-peers.txt)
PINS := envs/requirements-dev.txt envs/requirements.txt envs/requirements-cluster.txt envs/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help env run report ledger-docs partial plan clean-stale cluster-check resume test test-unit test-slurm peers lint format schemas pins bench

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# Done again only when the pins changed, by content, or an installation was cut short.
env:
	@if ! cat $(PINS) | cmp -s - $(VENV)/pins.txt || ! $(BIN)/python -c "" 2>/dev/null; then \
	  $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"advdyn needs Python >= 3.11; {sys.executable} is {sys.version.split()[0]} (set PYTHON=...)")' \
	  && echo "Setting up $(VENV) (once; a few minutes)" \
	  && $(PYTHON) -m venv $(VENV) \
	  && $(BIN)/python -m pip install --quiet -r envs/requirements-dev.txt -c envs/constraints.txt \
	  && cat $(PINS) > $(VENV)/pins.txt; \
	fi

run: env
	$(SNAKEMAKE) --cores $(CORES) $(CONFIGFILE)
	@$(MAKE) --no-print-directory report

report: env
	@$(SNAKEMAKE) $(CONFIGFILE) --quiet all --report $$($(BIN)/python -m advdyn.study.summary $(CONFIGFILE) --report-path)
	@$(BIN)/python -m advdyn.study.summary $(CONFIGFILE)

# After failed jobs: collect and draw what is there, marked as partial, beside the full results.
partial: env
	$(SNAKEMAKE) --cores $(CORES) $(CONFIGFILE) --config partial=true
	@echo "collected as far as it goes, in the folder partial of the results"

plan: env
	@$(BIN)/python -m advdyn.study.plan $(CONFIGFILE) --cores $(CORES)

clean-stale: env
	@$(BIN)/python -m advdyn.study.stale $(CONFIGFILE) $(if $(DELETE),--delete)

ledger-docs: env
	@$(BIN)/python -m advdyn.study.ledger $(or $(CONFIGFILE),--configfile config/paper.yaml)

cluster-check: env
	@$(BIN)/python -m advdyn.cluster.check --profile $(PROFILE) $(CONFIGFILE)

resume: env
	@$(BIN)/python -m advdyn.cluster.resume --profile $(PROFILE) $(CONFIGFILE)
	$(SNAKEMAKE) --workflow-profile $(PROFILE) $(CONFIGFILE) --unlock
	$(SNAKEMAKE) --workflow-profile $(PROFILE) $(CONFIGFILE)

test: env
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slurm_long"

test-unit: env
	$(BIN)/python -m pytest -m "not workflow and not slurm"

test-slurm: env
	$(BIN)/python -m pytest tests/slurm

# Without their dependencies: some would pull a torchvision that this torch has no build for.
peers: env
	$(BIN)/python -m pip install --quiet --no-deps -r envs/requirements-peers.txt

lint: env
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint

format: env
	$(BIN)/ruff check --no-cache --fix .
	$(BIN)/ruff format --no-cache .
	$(BIN)/snakefmt Snakefile workflow

schemas: env
	$(BIN)/python -m advdyn.study.schema

bench: env
	for b in ode simulation linear attacks training turing gan threads workflow; do $(BIN)/python benchmarks/$$b.py || exit 1; done

pins: env
	(echo "# Every package of the environment, direct or not, as it was tested; regenerate with \`make pins\`."; \
	 $(BIN)/python -m pip freeze $(addprefix --exclude ,$(PEERS)) | sed 's/+[a-z0-9]*$$//') > envs/constraints.txt
