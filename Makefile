# Every command of this project. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip
STAMP := .venv/.installed

# Compiled once, not anew by each of the many processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything in it, .venv/bin/trunkline included.

$(STAMP): requirements/uv.txt requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Trunkline needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(UV) install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(UV) install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $(STAMP)

.PHONY: check
check: setup ## Format, lint, import law, types, spelling.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/codespell

.PHONY: format
format: setup ## Write the code as the formatter wants it.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: test
test: setup ## Machines, codecs, stores, and whole calls over real sockets: all of one pod.
	$(BIN)/pytest --ignore tests/fleet -n 4 --dist loadfile --no-loadscope-reorder  # Most of them wait for calls that take their time.

.PHONY: test-fleet
test-fleet: setup ## Several pods as processes behind real ingresses; killed, drained, started again.
	$(BIN)/pytest tests/fleet -n 2 --dist loadfile

.PHONY: test-stores
test-stores: setup ## The stores with TLS, Sentinel and PgBouncer; none of it is skipped.
	@for program in redis-server pgbouncer; do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || { echo "$$program is missing: apt-get install redis-server pgbouncer"; exit 1; }; done
	$(BIN)/pytest -m 'not figure' tests/stores tests/contract tests/adapters/redis tests/adapters/postgres

.PHONY: figures
figures: setup ## Measure what the pages claim of outages and long runs; minutes, on a quiet machine.
	$(BIN)/pytest -m figure -s tests/figures

.PHONY: world
world: setup ## 500 seeded worlds of 30 virtual minutes: some hours of CPU. WORLDS="--seed 7 --worlds 1" for others.
	$(BIN)/trunkline sim world --worlds 500 --minutes 30 --pods 4 --calls 180 $(WORLDS)

.PHONY: mutants
mutants: setup ## Break the promises on purpose: the world's seeds must find every mutant; some minutes.
	$(BIN)/python tests/world/mutate.py $(MUTANTS)

.PHONY: bench
bench: setup ## Measure what a call costs, beside a bare relay in the same run; wants two idle cores.
	$(BIN)/python -m bench $(BENCH)

.PHONY: chaos
chaos: setup ## Kill, drain and cut off pods under load, and say what callers heard; 5 minutes.
	$(BIN)/python -m chaos $(CHAOS)

.PHONY: demo
demo: setup ## See one pod answer simulated callers, with real stores.
	$(BIN)/trunkline demo

.PHONY: lock
lock: setup ## Pin the newest allowed versions with their hashes.
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade - -o requirements/uv.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt

.PHONY: clean
clean: ## Remove what the commands above made.
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
