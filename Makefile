# Everything runs in .venv, made here; nothing outside this folder changes but the Java runtime, if none is found.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3
LAKE ?= ./lake
POLICY ?= conf/journey.yml
STAGES := collect clean anonymize train evaluate deploy report
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long kills oracle lint format docs zip clean-all $(STAGES)

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'
	@echo "  make STAGE      runs one stage on POLICY: $(STAGES)"

setup: $(STAMP) ## makes .venv with everything, finds or installs Java, fetches Delta's jars once

$(STAMP): setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "kveil: $(PYTHON) is older than 3.10; install Python 3.10 or newer and run make again"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "kveil: Python cannot make a virtual environment here; install python3-venv (or set PYTHON=) and run make again"; exit 1; }
	@echo "installing kveil and its packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=23' 'setuptools>=68' wheel
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@sh scripts/java.sh
	@$(BIN)/python -m kveil.jars
	@touch $@

demo: setup ## runs the seven stages on a year of real purchases and shows where the report is
	@$(BIN)/kveil run conf/journey.yml --lake $(LAKE)

$(STAGES): setup
	@$(BIN)/kveil $@ $(POLICY) --lake $(LAKE)

test: setup ## runs the whole test suite
	@sh scripts/postgres.sh
	@$(BIN)/python -m kveil.jars
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-long: setup ## runs the tests that `make test` leaves out for their time
	@$(BIN)/python -m pytest -m long

kills: setup ## kills runs with -9 at 20 random moments and checks that nothing is drawn or booked twice (some minutes)
	@$(BIN)/python -m tests.e2e.kills

oracle: ## asks pycanon and libffx, in a virtual environment of its own, for the answers that tests compare with
	@$(PYTHON) -m venv .oracle-venv && .oracle-venv/bin/python -m pip install --quiet pycanon==1.3.6 libffx==2.0.1
	@.oracle-venv/bin/python tests/oracles/pycanon_answers.py && .oracle-venv/bin/python tests/oracles/ff1_answers.py
	@rm -rf .oracle-venv

lint: setup ## ruff, mypy and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: setup ## formats the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: setup ## writes the generated pages under docs/
	@$(BIN)/python -m kveil.tables.dictionary > docs/tables.md
	@$(BIN)/python -m bench.pages

bench-generalize: setup ## measures loss (ADULT=FOLDER of ARX's Adult files) and time of generalizing, into bench/results/
	@KVEIL_BENCH_ADULT=$(ADULT) $(BIN)/python -m bench.generalize

bench-noise: setup ## measures noise and aggregates beside plain Spark (PEER=1: and PipelineDP), into bench/results/
	@$(BIN)/python -m bench.noise $(if $(PEER),--peer)

bench-bank: setup ## measures the time to make a bank of 10 million transactions, into bench/results/
	@$(BIN)/python -m bench.bank

bench-profile: setup ## measures a profile of 10 million transactions beside reading and writing them, into bench/results/
	@$(BIN)/python -m bench.profile

bench-classify: setup ## measures the roles of columns where they are known (DATA=FOLDER: and of Adult and Bank Marketing)
	@$(BIN)/python -m bench.classify $(if $(DATA),--data $(DATA))

bench-masking: setup ## measures every technique of masking, and all together, beside copying the table, into bench/results/
	@$(BIN)/python -m bench.masking

bench-clean: setup ## measures cells corrected, people linked and the time of cleaning (DIRTY=FOLDER of data sets with known errors)
	@$(BIN)/python -m bench.clean --bank --people --millions 10 $(if $(DIRTY),--dirty $(DIRTY))

bench-guards: setup ## measures the checks around a release of 10 million transactions, and a second beside it, into bench/results/
	@$(BIN)/python -m bench.guards

bench-kills: setup ## kills collect with -9 at 20 random moments and compares its tables with an undisturbed run's
	@$(BIN)/python -m bench.kills

zip: setup ## builds dist/kveil.zip for spark-submit --py-files
	@rm -rf build dist && $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@cp dist/kveil-*.whl dist/kveil.zip && rm -rf build && echo dist/kveil.zip

clean-all: ## removes the virtual environment, the lake and everything built
	@rm -rf $(VENV) $(LAKE) dist build lib/*.egg-info
