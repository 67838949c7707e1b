# `make demo` and `make test` start from a fresh clone: they make .venv and install everything themselves.
PYTHON ?= python3
BIN := .venv/bin
# uv doesn't read pip's configuration. Where a local collection of wheels is configured for pip, torch's CPU build comes
# from there; elsewhere uv takes it from PyTorch's own index.
WHEELS := $(or $(UV_FIND_LINKS),$(PIP_FIND_LINKS))
TORCH_FROM := $(if $(WHEELS),,--torch-backend cpu)
export UV_FIND_LINKS := $(WHEELS)
RUN := runs/tiny

.PHONY: install demo test test-all chaos lint bench browser screenshots docs dist clean

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
	$(BIN)/lint-imports

# The browser tests need Chromium; where it can't be installed from here they are skipped, and say so.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
			&& apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
		|| echo "no Chromium: browser tests will be skipped (apt-get install chromium)"

screenshots: .venv/installed browser
	$(BIN)/python tests/dashboard/screenshots.py $(RUN) $(RUN)-screenshots

test: lint browser
	$(BIN)/pytest -m 'not long'

test-all: lint browser
	$(BIN)/pytest

# The processes of tiny runs are killed, 60 times; 40 minutes on 2 cores. Also part of test-all.
chaos: .venv/installed
	$(BIN)/python tests/chaos.py runs/chaos --kills 60

bench: .venv/installed
	$(BIN)/python -m benchmarks

# Strict and offline: once the tools are installed, the build reads no network.
docs: .venv/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html"

.venv/docs-installed: .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[docs]'
	touch $@

# The wheel must work without any extra: it is installed into a fresh environment and imported outside the clone.
dist: .venv/installed
	rm -rf dist
	$(BIN)/uv build --quiet --out-dir dist
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; wheel=$$(ls "$$PWD"/dist/*.whl); \
	$(PYTHON) -m venv "$$fresh/venv"; "$$fresh/venv/bin/pip" install --quiet --disable-pip-version-check "$$wheel"; \
	cd "$$fresh"; venv/bin/python -c 'import mmst, mmst.verify'; venv/bin/mmst --help > /dev/null; venv/bin/mmst --version
	@ls dist
