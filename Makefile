# README's two commands are `make demo` and `make test`; both make .venv when it is not there.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# what pip gets besides, e.g. PIP_ARGS="--extra-index-url <index of CPU or CUDA builds of torch>"
PIP_ARGS ?=
# an install is done again only when what it installs from has changed
STATE  := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

# files that load torch or hold the details of single formats; their tests are in `make test`
HEAVY := $(shell grep -l 'mark.torch' tests/test_*.py) $(wildcard tests/test_import_*.py) \
	$(wildcard tests/test_hub_*.py) $(wildcard tests/test_redact_*.py) $(wildcard tests/test_export*.py) \
	tests/test_whatsapp.py tests/test_sniff.py tests/test_mapped.py tests/test_cli.py tests/test_render.py \
	$(wildcard tests/test_mask_*.py) tests/test_rows.py tests/test_windows.py tests/test_verdict.py \
	$(wildcard tests/test_provenance*.py) tests/test_openai_api.py tests/test_report_page.py tests/test_people_command.py \
	tests/test_fuzz_import.py tests/test_peer_faults.py tests/test_sqlite_log.py tests/test_workers.py \
	tests/test_build_workers.py tests/test_forget.py tests/test_preference.py tests/test_diff.py \
	tests/test_dedupe.py tests/test_placement.py tests/test_curate.py tests/test_preview.py tests/test_clean_steps.py

.PHONY: demo test coverage quick soak lint docs bench clean help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/'

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "turnmill needs Python 3.11 or newer; run make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-$(STATE): | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[train,serve]'
	@touch $@

$(VENV)/.test-$(STATE): | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[train,serve,dev]'
	@touch $@ $(VENV)/.demo-$(STATE)

demo: $(VENV)/.demo-$(STATE) ## the whole path on the samples, offline
	$(BIN)/turnmill demo --home demo-home

test: $(VENV)/.test-$(STATE) ## all tests
	$(BIN)/python -m pytest -n auto --dist loadfile

coverage: $(VENV)/.test-$(STATE) ## all tests, and which lines they run (a quarter slower)
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered

quick: $(VENV)/.test-$(STATE) ## the tests that need no torch
	$(BIN)/python -m pytest -n auto --hypothesis-profile=quick -m 'not slow' $(addprefix --ignore=,$(HEAVY))

soak: $(VENV)/.test-$(STATE) ## the long campaigns
	TURNMILL_SOAK=1 $(BIN)/python -m pytest

lint: $(VENV)/.test-$(STATE) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.demo-$(STATE) ## write docs/cli.md from --help, docs/formats.md, and the tree of README
	$(BIN)/python docs/make_cli_reference.py
	$(BIN)/python docs/make_formats.py
	$(BIN)/python docs/make_publishing.py
	$(BIN)/python docs/make_tree.py

bench: $(VENV)/.test-$(STATE) ## the benchmarks
	for each in benchmarks/bench_*.py; do $(BIN)/python $$each || exit 1; done

clean: ## remove .venv and the demo's workspace
	rm -rf $(VENV) demo-home
