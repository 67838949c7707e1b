# `make demo` and `make test` start from a fresh clone: they make .venv and install everything themselves.
PYTHON ?= python3
BIN := .venv/bin
# uv doesn't read pip's configuration. Where a local collection of wheels is configured for pip, torch's CPU build comes
# from there; elsewhere uv takes it from PyTorch's own index.
WHEELS := $(or $(UV_FIND_LINKS),$(PIP_FIND_LINKS))
TORCH_FROM := $(if $(WHEELS),,--torch-backend cpu)
export UV_FIND_LINKS := $(WHEELS)
RUN := runs/tiny

.PHONY: install demo test test-all lint bench clean

install: .venv/installed

.venv/installed: pyproject.toml requirements/cpu-overrides.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mmst needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(TORCH_FROM) \
		--compile-bytecode --overrides requirements/cpu-overrides.txt --editable '.[cpu,dev]'
	touch $@

demo: .venv/installed
	$(BIN)/mmst run configs/tiny.yaml --run-dir $(RUN)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -m 'not long'

test-all: lint
	$(BIN)/pytest

bench: .venv/installed
	$(BIN)/python -m benchmarks
