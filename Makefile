# make demo: set up, then prepare → train → evaluate → tag on the sample that mmcgan draws itself.
# make test: set up, then all tests, on all cores.
# make lint: what a change must pass before its tests; pre-commit runs it too.
# make wheel-test: build the wheel, install it elsewhere and call its commands there.
# make test-oldest: all tests with the oldest dependencies that pyproject.toml allows.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CONSTRAINTS = constraints.txt
PHOTO = data/sample/photos/im42.jpg

.PHONY: demo test lint wheel-test test-oldest clean

demo: $(VENV)/installed
	$(BIN)/python -m mmcgan.prepare --dataset sample --out data/sample
	$(BIN)/python -m mmcgan.train --data data/sample --out runs/demo --resume
	$(BIN)/python -m mmcgan.evaluate --run runs/demo --data data/sample --out runs/demo/report
	$(BIN)/python -m mmcgan $(PHOTO) --run runs/demo
	@echo
	@echo "report: $(CURDIR)/runs/demo/report/report.html"

# Modules of tests run side by side, each in one process, so that what they share is made once.
test: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope \
		--no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-test: $(VENV)/installed
	$(BIN)/python .ci/try_wheel.py

test-oldest:
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

# Python compiles a module when it is first imported: to compile all of them here takes longer.
$(VENV)/installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-compile -c $(CONSTRAINTS) -e '.[cpu,export,web,dev]'
	touch $@

clean:
	rm -rf $(VENV) .venv-oldest data runs .coverage
