# make demo   sets up and runs the main job            make test   sets up and runs what CI runs
# make setup  a virtual environment with everything    make fast   tests without the slow ones
# Each from nothing, and each again: what is there is used, what changed is set up anew.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --constraint constraints.txt

# What the environment was made for and from. It is written last, so that a setup that was stopped is
# done again, and its content counts, not its time: a new clone is newer, and may be the same.
MADE := $(VENV)/made
MADE_OF := $(CURDIR) $(shell cat pyproject.toml constraints.txt | cksum)
ifneq ($(wildcard $(BIN)/archsim),$(BIN)/archsim)
.PHONY: $(MADE)
else ifneq ($(shell cat $(MADE) 2>/dev/null),$(MADE_OF))
.PHONY: $(MADE)
endif

.PHONY: setup test typed lint fast coverage demo docs assault mutants
.NOTPARALLEL:

setup: $(MADE)

# torch first: its pin decides between builds, and nothing else may choose one for us. timm's
# torchvision would: without it timm works as far as archsim needs it (archsim/network/timm_models.py).
$(MADE):
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) setuptools
	$(PIP) --no-build-isolation --config-settings editable_mode=compat --editable ".[dev]"
	$(PIP) --no-deps timm
	echo "$(MADE_OF)" > $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One process per core, whole files each: fixtures of a file are made once.
test: lint
	$(BIN)/pytest -n logical --dist loadfile

# Argument types checked at run time in every package: more than CI has time for.
typed: setup
	$(BIN)/pytest -n logical --dist loadfile --jaxtyping-packages=archsim,mapping,tsb,beartype.beartype

fast: setup
	$(BIN)/pytest -n logical --dist loadfile -m "not slow"

coverage: setup
	$(BIN)/pytest --cov --cov-report=term-missing

# 10 000 damaged inputs and 1000 kills: docs/reliability.md. Hours; a seeded part is in the tests.
assault: setup
	$(BIN)/python -m tests.assault

# Which of 200 wrong lines the tests notice: docs/reliability.md. Hours.
mutants: setup
	$(BIN)/python -m tests.mutants

# The documentation as a site: docs/_build/html/index.html. A warning fails it.
docs: setup
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

demo: setup
	$(BIN)/archsim report
