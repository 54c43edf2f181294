# Needs make and Python 3.11, 3.12 or 3.13; everything else is put into .venv on first use.
# Another interpreter: make PYTHON=/path/to/python3.12 test

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$name; break; }; done)

BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11
UPGRADE ?=

# Most tests wait for processes they started, so more of them than cores run at once; those of a file share those.
TEST_PROCESSES ?= 4
TORTURE_ROUNDS ?= 20
SEEDS ?= 10000

.DEFAULT_GOAL := help
.PHONY: help run demo test lint proto bench torture simulate requirements clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done

run: $(READY) ## Start the demo network and stay up, with three commands to try
	$(BIN)/python -m demo run

demo: $(READY) ## Play two weeks of real orders, kill an actor in the middle, audit every unit (3 minutes)
	$(BIN)/python -m demo

test: $(READY) ## Run all tests
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

lint: $(READY) ## Check style, types, the import rule and the generated code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/proto.py --check

proto: $(READY) ## Generate allocator/v1 from proto/
	$(BIN)/python tools/proto.py

bench: $(READY) ## Run every benchmark
	$(BIN)/python -m bench all

torture: $(READY) ## Kill actors and the whole service under load (TORTURE_ROUNDS=20 times)
	TORTURE_ROUNDS=$(TORTURE_ROUNDS) $(BIN)/python -m pytest tests/torture

simulate: $(READY) ## Lose messages, crash nodes and turn clocks, in virtual time (SEEDS=10000 stories, about 8 minutes)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

requirements: $(READY) ## Pin the dependencies anew from pyproject.toml (UPGRADE=--upgrade for newer ones)
	@echo "Pinning requirements/dev.txt and requirements/base.txt"
	@$(UV_COMPILE) $(UPGRADE) --all-extras --output-file requirements/dev.txt pyproject.toml
	@$(UV_COMPILE) $(UPGRADE) --extra postgres --extra envoy --constraint requirements/dev.txt \
		--output-file requirements/base.txt pyproject.toml

clean: ## Remove .venv, caches and builds
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none is on the PATH." \
		"Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; } || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment; Debian and Ubuntu have that in python3-venv." >&2; exit 1; }
	@echo "Installing requirements/dev.txt into .venv (a few minutes the first time)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
