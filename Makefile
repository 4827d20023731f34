# make demo: set up, then prepare → train → evaluate → tag on the sample that mmcgan draws itself.
# make test: set up, then all tests.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PHOTO = data/sample/photos/im42.jpg

.PHONY: demo test lint clean

demo: $(VENV)/installed
	$(BIN)/python -m mmcgan.prepare --dataset sample --out data/sample
	$(BIN)/python -m mmcgan.train --data data/sample --out runs/demo --resume
	$(BIN)/python -m mmcgan.evaluate --run runs/demo --data data/sample --out runs/demo/report
	$(BIN)/python -m mmcgan $(PHOTO) --run runs/demo
	@echo
	@echo "report: $(CURDIR)/runs/demo/report/report.html"

test: $(VENV)/installed
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=90

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install -c constraints.txt -e '.[cpu,export,web,dev]'
	touch $@

clean:
	rm -rf $(VENV) data runs .coverage
