# Everything runs in .venv: requirements.lock is what the demo and your own runs load, requirements-dev.lock what tests,
# checks, docs and the other extras of pyproject.toml need on top. `make help` lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev
UV_VERSION := 0.13.9
UV := $(VENV)/bin/uv
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)

# files in the order of tests/conftest.py, each by one process
TWO_AT_A_TIME := -n 2 --dist loadfile --no-loadscope-reorder

export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
# nobody is called home (flows/process/environment.py says the same to everything that python starts)
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DVC_SITE_CACHE_DIR := $(CURDIR)/.cospeech/dvc

.PHONY: help env dev extra demo run ui stop schedule test test-fast lint docs format deps lock corpus ablate pretrain \
  wheel clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

env: $(READY) ## make or update .venv from requirements.lock
dev: $(DEV_READY) ## the same and what tests, checks and docs need, from requirements-dev.lock

# The package itself comes last, from this checkout: a sync removes what is not in the locks. Everything is compiled here,
# once: where Python may not write beside its modules, each of many processes would do it anew, seconds each.
define install
echo "installing what $1 names"
$(UV) pip sync --quiet --compile-bytecode --require-hashes $1
$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
endef

$(READY): requirements.lock pyproject.toml
	@if ! test -x $(VENV)/bin/python; then \
	  if [ -z "$(PYTHON)" ]; then \
	    echo "error: Python 3.11 or 3.12 is needed and was not found on PATH;" \
	      "install one, or say which: make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	  echo "making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); fi
	@$(UV) --version 2>/dev/null | grep -q ' $(UV_VERSION)' || \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(call install,requirements.lock)
	@touch $(READY)

$(DEV_READY): $(READY) requirements-dev.lock
	@$(call install,requirements.lock requirements-dev.lock)
	@touch $(DEV_READY)

extra: env ## add one extra of pyproject.toml in its locked versions: make extra NAME=dask
	@$(UV) pip install --quiet --no-build-isolation -c requirements.lock -c requirements-dev.lock --editable '.[$(NAME)]'

demo: env ## the whole pipeline on the embedded corpus, with the dashboard: 16 to 30 minutes on 2 cores
	@python -m flows.demo

run: env ## dvc repro as one flow run, with your params.yaml
	@python -m flows.pipeline

ui: env ## start the dashboard (a Prefect server on this machine)
	@python -m flows.server start

stop: env ## stop the dashboard
	@python -m flows.server stop

schedule: env ## retrain by the clock, as prefect.yaml says, until ended (Ctrl-C)
	@python -m flows.retraining.schedule

test: dev ## all tests, the whole pipeline on params/smoke.yaml included
	@python -m pytest $(TWO_AT_A_TIME) $(PYTEST)

test-fast: dev ## the tests that need neither the whole pipeline nor a server or browser
	@python -m pytest $(TWO_AT_A_TIME) -m "not (e2e or slow or browser or server)" $(PYTEST)

lint: dev ## style, types, import rules, parameter files, the DVC graph
	@ruff check
	@ruff format --check
	@mypy
	@lint-imports
	@python -m flows.check

docs: dev ## the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict

wheel: env ## the library alone as a wheel, in dist/: all that an export needs to speak
	@$(UV) build --quiet --wheel --no-build-isolation
	@ls dist/*.whl

format: dev ## put the code in the project's style
	@ruff check --fix
	@ruff format

deps: env ## write into dvc.yaml and pipelines/sources/dvc.yaml which code each stage depends on
	@python -m flows.graph

COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(UV) pip compile pyproject.toml --universal --generate-hashes \
  --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links --quiet
ALL_LOCKED := $(VENV)/all.lock

# first all together, so that both files hold the same versions; a package stands in one of them
lock: env ## renew requirements.lock and requirements-dev.lock from pyproject.toml
	@cat requirements.lock requirements-dev.lock > $(ALL_LOCKED)
	@$(COMPILE) --all-extras -o $(ALL_LOCKED)
	@$(COMPILE) --extra pipeline -c $(ALL_LOCKED) -o requirements.lock
	@$(COMPILE) --all-extras -c $(ALL_LOCKED) -o requirements-dev.lock \
	  $$(sed -nE 's/^([a-z0-9-]+)==.*/--no-emit-package \1/p' requirements.lock)
	@echo "wrote requirements.lock and requirements-dev.lock"

corpus: dev ## draw the embedded corpus (data/demo) anew; long, and not needed to use it
	@python -m cospeech.corpus --out data/demo

ablate: env ## the rows of the paper's Table 2 on the held-out clips; after a run, half an hour on 2 cores
	@python -m dvc repro pipelines/ablation/dvc.yaml

pretrain: env ## draw hundreds of people and train models/pretrained on them; hours, resumable
	@python -m flows.pretrain

clean: env ## remove what runs have made (not .venv, data/demo, the DVC cache)
	@python -m flows.clean
	@rm -rf build dist site .mypy_cache .ruff_cache .import_linter_cache
