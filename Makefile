# Two commands: `make demo` runs the main job on real data, `make test` proves the installation.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready-test

# One thread of BLAS and of XLA a process: pools on few cores slow each other down.
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1
export NPROC = 1

.PHONY: demo test test-fast lint schema docs docs-pictures notebooks bench benchmarks gpu-check clean
.DELETE_ON_ERROR:

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spotcat needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: $(READY)
	$(BIN)/python workflows/demo.py

# Two processes, each file in one: its tests share what they have fitted.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What another Python, JAX, NumPy or zarr could change, in about three minutes on two cores, installation apart.  FAST=tests
# takes all tests that are not slow; LOWEST=1 installs the oldest versions that pyproject.toml allows.
LOWEST ?=
FAST   := tests/fit tests/verdict tests/ingest/test_ingest_store.py tests/ingest/test_ingest_readers.py \
    $(addprefix tests/catalog/test_,dataset.py export.py export_text.py parts.py query.py schema.py) \
    tests/model tests/gp/test_gp_solver.py tests/star/test_star_envelopes.py tests/test_config.py tests/test_imports.py
$(VENV)/.ready-fast: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python tests/lowest.py > $(VENV)/lowest.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(LOWEST),--constraint $(VENV)/lowest.txt) \
	    --editable '.[test]'
	touch $@

test-fast: $(VENV)/.ready-fast
	$(BIN)/python -m pytest -m 'not slow and not benchmark' --numprocesses 2 --dist loadfile --no-loadscope-reorder $(FAST)

lint: $(READY)
	$(BIN)/ruff check pipeline tests workflows docs
	$(BIN)/ruff format --check pipeline tests workflows docs
	$(BIN)/mypy

schema: $(READY)
	$(BIN)/spotcat schema > catalogs/schema.json
	$(BIN)/spotcat schema --format markdown > docs/columns.md
	$(BIN)/spotcat schema --format thresholds > docs/thresholds.md
	$(BIN)/spotcat schema --format settings > docs/settings.md

docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/mkdocs build --strict

# After `make demo`; RUN=FOLDER takes another run of it.
RUN ?= runs/demo
docs-pictures: $(READY)
	$(BIN)/python docs/pictures.py $(RUN)

notebooks: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	MPLBACKEND=Agg $(BIN)/jupyter-execute workflows/notebooks/*.ipynb

# On an idle machine: each script prints the line and the tables that replace its own in tests/benchmarks/RESULTS.md.
# SIZE=--smallest only shows that they run.
SPEEDS := speed ingest catalog scheduling survey recovery
bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	set -e; for script in $(SPEEDS); do $(BIN)/python tests/benchmarks/$$script.py $(SIZE); echo; done

# Every benchmark at its smallest size: the figures mean nothing, but the scripts run.
benchmarks: $(READY)
	$(BIN)/python -m pytest tests/test_benchmarks.py -m benchmark --numprocesses 2

# On a machine with a GPU and JAX for it, in eight minutes; docs/gpu.md describes what it prints.
gpu-check:
	PYTHONPATH=pipeline $(PYTHON) tests/benchmarks/gpu.py $(SIZE)

clean:
	rm -rf $(VENV) .cache runs site .pytest_cache .mypy_cache .ruff_cache
