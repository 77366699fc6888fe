# make demo            install, seed a synthetic cohort, serve it at http://localhost:8000
# make demo ARGS=--exit  the same, ask one query and end
# make test            install, then every check and every test
# make bench           measure, each figure beside its target (ARGS=--full for large sizes)
# make mutants         alter the consent evaluator, one change at a time, and test each
# make lock            pin the newest versions that setup.cfg allows (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST_ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

RUNTIME := $(VENV)/.runtime
TESTS := $(VENV)/.tests
PROJECT := $(VENV)/.project

.PHONY: demo test check bench mutants lock clean help

help:
	@sed -n 's/^# //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock | $(BIN)/python
	@echo "Installing what requirements.lock pins; this takes a minute, once."
	@$(PIP) --require-hashes --requirement requirements.lock
	@touch $@

$(TESTS): requirements-test.lock | $(BIN)/python
	@echo "Installing what requirements-test.lock pins; this takes a minute, once."
	@$(PIP) --require-hashes --requirement requirements-test.lock
	@touch $@ $(RUNTIME)

# The project itself; what it needs is there, so nothing is fetched.
$(PROJECT): setup.cfg pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

demo: $(RUNTIME) | $(BIN)/python
	@$(MAKE) --no-print-directory $(PROJECT)
	$(BIN)/fhir-service demo $(ARGS)

bench: $(RUNTIME) | $(BIN)/python
	@$(MAKE) --no-print-directory $(PROJECT)
	$(BIN)/fhir-service bench $(ARGS)

check: $(TESTS)
	@$(MAKE) --no-print-directory $(PROJECT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	  --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

# Half an hour: what survives is explained in tests/consent/MUTANTS.md.
MUTANTS := $(VENV)-mutants
$(MUTANTS)/.installed: requirements-mutants.lock
	$(PYTHON) -m venv $(MUTANTS)
	@$(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements-mutants.lock
	@touch $@

mutants: $(MUTANTS)/.installed
	$(MUTANTS)/bin/mutmut run $(ARGS)
	$(MUTANTS)/bin/mutmut results

UV_COMPILE := uv pip compile --quiet --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
  --no-strip-extras --upgrade -
NEEDS := $(PYTHON) -c 'import configparser, sys; c = configparser.ConfigParser(); \
  c.read("setup.cfg"); e = c["options.extras_require"]; \
  print(c["options"]["install_requires"], *[e[k] for k in sys.argv[1:]])'

lock:
	$(NEEDS) build | $(UV_COMPILE) --output-file requirements.lock
	$(NEEDS) build test | $(UV_COMPILE) --constraint requirements.lock \
	  --output-file requirements-test.lock
	$(NEEDS) mutants | $(UV_COMPILE) --constraint requirements-test.lock \
	  --output-file requirements-mutants.lock

clean:
	rm -rf $(VENV) $(MUTANTS) mutants build *.egg-info .mypy_cache .ruff_cache .pytest_cache htmlcov .coverage
