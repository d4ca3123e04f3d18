# `make train` trains LeNet-5 on real digits; `make test` runs every test. Both build .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN ?= runs/lenet5

.PHONY: train test check lint types clean

train: $(VENV)/.installed
	$(BIN)/archspec train specs/zoo/lenet.yaml --workdir $(RUN)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2

check: lint types test

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("archspec needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m compileall -q archspec
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	$(BIN)/python -m compileall -q archspec
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
