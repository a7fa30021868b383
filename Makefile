# The five commands of the house; CI calls the same ones.
PYTHON ?= python3
BIN := .venv/bin
# Numbers are compared in the tests: fixed hashing, one thread per operation.
FIXED := PYTHONHASHSEED=0 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: setup check test test-slow docs bench

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev,track]'
	touch $@

setup: .venv/installed  ## a virtual environment with the tested versions

check: setup            ## lint, format of imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup             ## everything but the slow marker, on both cores
	$(FIXED) $(BIN)/pytest -q -n 2

test-slow: setup        ## the tests that take minutes
	$(FIXED) $(BIN)/pytest -q -m slow

docs: setup             ## the code blocks of README and docs
	$(FIXED) $(BIN)/pytest -q tests/test_docs.py

bench: setup            ## inference against torchvision; results in benchmarks/results
	$(BIN)/python benchmarks/inference.py
