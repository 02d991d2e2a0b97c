# Two commands a stranger needs: `make forecast` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
LOWEST := build/lowest
DOCKER ?= docker
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: forecast test test-lowest ladder gpu-check container clean

## set up a virtual environment with the core install and run the demo: ends with the path of a PDF
forecast: $(VENV)/core
	$(BIN)/benchcast run configs/demo.yaml --out out/demo

## set up everything (the CPU build of torch where pip finds it) and run linters, types and tests
test: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/types && mkdir -p build/types/benchcast  # the package as it is installed, in links, for mypy
	ln -s $(CURDIR)/pipeline/* $(CURDIR)/stages $(CURDIR)/reports build/types/benchcast/
	$(BIN)/mypy
	# Three at once, since a few tests mostly wait; none starts processes for its own tasks, which takes longer than they do.
	OMP_NUM_THREADS=1 LOKY_MAX_CPU_COUNT=1 $(BIN)/python -m pytest -n 3 --dist worksteal

## core and scoring on the lowest versions that pyproject.toml allows, in an environment of their own; no part of CI
test-lowest: $(LOWEST)/installed
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n 2 --dist loadfile tests/pipeline/core tests/pipeline/scoring

## retrain and rescore the demo ladder; resumable; about two hours on two cores; needs a Debian system or CORPUS=DIR
ladder: $(VENV)/dev
	$(BIN)/python -m benchcast.demo_ladder $(if $(CORPUS),--corpus $(CORPUS))

## score the demo ladder on the GPU in float32 and bfloat16 and compare with the CPU; without a GPU it says so
gpu-check: $(VENV)/dev
	$(BIN)/python benchmarks/gpu_check.py $(if $(wildcard build/ladder/provenance.json),--ladder build/ladder)

## build the container image (DEVICE=gpu for the CUDA build); where no Docker runs, only check its file
container: $(VENV)/dev
	$(BIN)/hadolint Containerfile
	@if $(DOCKER) info >/dev/null 2>&1; then \
		$(DOCKER) build -f Containerfile -t benchcast $(if $(DEVICE),--build-arg DEVICE=$(DEVICE)) .; \
	else echo "no $(DOCKER) runs here: Containerfile was checked, not built"; fi

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core: pyproject.toml | $(VENV)/bin/python
	$(PIP) install -e .
	@touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install "torch==$(TORCH)+cpu" 2>/dev/null || $(PIP) install "torch==$(TORCH)"
	$(PIP) install -c constraints.txt -e ".[score,dev]"
	@touch $@ $(VENV)/core

# The versions named in pyproject.toml itself; of torch the usual build, several gigabytes where it brings CUDA along.
$(LOWEST)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check -q install uv
	$(LOWEST)/bin/uv pip install -q --python $(LOWEST)/bin/python --resolution lowest-direct -e ".[score,dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist out *.egg-info
