# make setup  a virtual environment with everything      make test   every check that CI runs
# make demo   the main job                               make fast   tests without the slow ones

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --constraint constraints.txt

.PHONY: setup test typed lint fast coverage demo
.NOTPARALLEL:

# torch first: its pin decides between builds, and nothing else may choose one for us. timm's
# torchvision would: without it timm works as far as archsim needs it (archsim/network/timm_models.py).
setup:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) setuptools
	$(PIP) --no-build-isolation --config-settings editable_mode=compat --editable ".[dev]"
	$(PIP) --no-deps timm

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One process per core, whole files each: fixtures of a file are made once.
test: lint
	$(BIN)/pytest -n logical --dist loadfile

# Argument types checked at run time in every package: more than CI has time for.
typed:
	$(BIN)/pytest -n logical --dist loadfile --jaxtyping-packages=archsim,mapping,tsb,beartype.beartype

fast:
	$(BIN)/pytest -n logical --dist loadfile -m "not slow"

coverage:
	$(BIN)/pytest --cov --cov-report=term-missing

demo:
	$(BIN)/archsim report
