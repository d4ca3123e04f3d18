# `make train` trains LeNet-5 on real digits; `make test` runs the tests. Both build .venv first, with the newest Python found.

PYTHON ?= $(shell .ci/newest-python)
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/lenet5
# What pip's --constraint takes: tests/minimum.txt for the declared minimum versions.
CONSTRAINT ?=
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINT:%=--constraint %)

# Two workers for two cores. Each begins with one half of the tests and takes some of the other's when it is done: a module's
# fixtures are made by one of them, and a test that takes long does not hold up those behind it. Compiled tests are kept, so
# that the second worker and the next run need not compile them again.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist worksteal
# Programs are compiled without LLVM's optimisations, in three quarters of the time.
PLAIN = XLA_FLAGS="--xla_backend_optimization_level=0 $(XLA_FLAGS)"

.PHONY: train test test-slow test-jax check lint types types-js site notebooks dist vscode clean

train: $(VENV)/.installed
	$(BIN)/archspec train specs/zoo/lenet.yaml --workdir $(RUN)

# Every test that is not marked slow. Programs as users run them are those of test-slow.
test: $(VENV)/.installed-test
	$(PLAIN) $(PYTEST) -m "not slow"

# Those that are, but for those that take minutes: `pytest -m minutes` runs these.
test-slow: $(VENV)/.installed-test
	$(PYTEST) -m "slow and not minutes"

# Those of `make test` that touch JAX and what lies below it: for other versions of these, whose functions and XLA's passes
# are what differs. LLVM's optimisations are left to the recorded outputs of whole networks, which are compared once more.
test-jax: $(VENV)/.installed-test
	$(PLAIN) $(PYTEST) -m "jax and not slow"
	$(PYTEST) -m "not slow" tests/weights/test_golden.py

check: lint types test

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

# Of the page's JavaScript, by its comments; npm fetches the compiler.
types-js:
	npm exec --yes --package=typescript@5.9.3 -- tsc --project tests/page/jsconfig.json

# The documentation as a site, strictly: a link or an anchor that leads nowhere is an error, and so is what it would fetch.
site: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(BIN)/python -m tests.site site

# Runs the notebooks and writes what they show into them.
notebooks: $(VENV)/.installed-test
	$(BIN)/python -m tests.notebooks.executing

# The extension for VS Code, checked, as editors/vscode/dist/archspec.vsix: `code --install-extension` takes it.
vscode:
	npm --prefix editors/vscode ci --ignore-scripts
	npm --prefix editors/vscode run check
	npm --prefix editors/vscode run package

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "archspec needs Python 3.11 or newer with venv; set PYTHON=…"; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit("archspec needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The wheel and the source distribution, in dist/, with what indexes ask of them checked. CONTRIBUTING.md has the list of a release.
dist: $(VENV)/.installed-dist
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(INSTALL) --editable .
	$(BIN)/python -m compileall -q archspec
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml $(CONSTRAINT)
	$(INSTALL) --editable '.[test]'
	$(BIN)/python -m compileall -q archspec
	touch $@ $(VENV)/.installed

$(VENV)/.installed-dist: $(VENV)/bin/python
	$(INSTALL) 'build>=1.2' 'twine>=6'
	touch $@

$(VENV)/.installed-docs: $(VENV)/bin/python pyproject.toml
	$(INSTALL) --editable '.[docs]'
	touch $@

clean:
	rm -rf site dist editors/vscode/dist editors/vscode/node_modules $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis
