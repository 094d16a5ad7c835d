# The two commands of the README: `make compare` and `make test`. Each sets up everything it needs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest

# The first Python that TensorFlow supports; `make PYTHON=/path/to/python compare` overrides the choice.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help compare test test-package test-oldest test-cluster docs lint format check-python clean

help:
	@echo "make compare       set up, then train loop and unrolled on real data and compare them"
	@echo "make test          set up, then run the tests"
	@echo "make test-package  set up, then build the package, install it into an empty environment and run it"
	@echo "make test-cluster  set up, then run the tests on a Ray cluster of three nodes"
	@echo "make test-oldest   set up with the lowest versions of all dependencies, then run a part of the tests"
	@echo "make docs          set up, then build the documentation into site/"
	@echo "make lint          set up, then lint, format check and types"
	@echo "make format        set up, then format the code"

compare: $(VENV)/.installed
	$(BIN)/kerasunroll compare

test: $(VENV)/.installed-dev
	$(BIN)/pytest

test-package: $(VENV)/.installed-dev
	$(BIN)/pytest -m package -n 0

test-cluster: $(VENV)/.installed-dev
	$(BIN)/pytest -m cluster -n 0

# TensorBoard before 2.20 needs pkg_resources, which setuptools 82 has no more.
$(OLDEST)/.installed: pyproject.toml | $(VENV)/.installed-dev
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDEST)
	$(BIN)/uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct --editable '.[test]' 'setuptools>=80,<82'
	@touch $@

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/pytest @tests/oldest.txt

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check-python:
	@if ! $(or $(PYTHON),false) -c '$(SUPPORTED)' 2>/dev/null; then \
		echo "kerasunroll needs Python 3.11, 3.12 or 3.13 (what TensorFlow supports);" \
		"found $$($(or $(PYTHON),python3) --version 2>&1 | head -n 1). Install one, or run: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; fi

$(BIN)/python: | check-python
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tensorflow]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) $(OLDEST) dist site .mypy_cache .pytest_cache .ruff_cache
