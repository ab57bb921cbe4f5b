# Every target sets itself up. Needs: python3 >= 3.11, make, a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST_ARGS ?=

.PHONY: help demo test lint bench campaign lock clean
help:  ## show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: secretkit needs python3 >= 3.11; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: this Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "make: setting up $(VENV) (once) ..." >&2
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the whole thread on a small legacy program, in one screen
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python examples/demo.py

test: $(READY)  ## all tests, with a small version of every campaign
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(READY)  ## ruff, mypy --strict, import directions, the shim's Python 3.6
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache
	@$(BIN)/vermin --quiet --violations --no-tips --eval-annotations -t=3.6- entrypoints/

bench: $(READY)  ## start-up, store and command-line budgets, as ratios measured here
	@$(BIN)/python -m bench

campaign: $(READY)  ## the long runs: python -m tests.campaigns tells their names
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.campaigns $(CAMPAIGN_ARGS)

lock:  ## pin and hash the dependencies anew
	@rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv && .lock-venv/bin/pip install --quiet uv
	@.lock-venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --upgrade --group dev pyproject.toml -o requirements/dev.lock
	@rm -rf .lock-venv

clean:  ## remove what the targets made
	rm -rf $(VENV) .lock-venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
