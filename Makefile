# All this needs is Python 3.11 or newer and make: what a target needs is installed into .venv first, once.
# PYTHON names another Python, ARGS passes arguments on: make test ARGS="-k fees -x".

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test test-browser screenshots faults check messages bench lock clean

help: ## List what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

serve: .venv/serve.stamp ## Serve http://127.0.0.1:8000; HOST and PORT change that
	@$(BIN)/advisor serve $(ARGS)

test: .venv/test.stamp ## Run the tests, in as many processes as there are cores
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

test-browser: .venv/browser.stamp ## Run the tests of the pages in a real browser, which is installed if there is none
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile tests/browser $(ARGS)

screenshots: .venv/browser.stamp ## Take pictures of the pages into build/screenshots; ARGS names another folder
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

faults: .venv/test.stamp ## Kill and freeze workers, restart the database, and look for lost or doubled rows; minutes
	$(BIN)/python tests/faults.py $(ARGS)

check: .venv/test.stamp ## Check style, types, the import contracts and the rule data
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/advisor check-data

messages: .venv/test.stamp ## Bring the message catalogs up to date; ARGS=fr begins another language
	$(BIN)/python tests/catalogs.py $(ARGS)

bench: .venv/serve.stamp ## Measure speed and memory, briefly; benchmarks/README.md says what
	$(BIN)/python benchmarks/api.py --rounds 3 --seconds 2
	$(BIN)/python benchmarks/storing.py --rounds 3 --seconds 2
	$(BIN)/python benchmarks/files.py --rows 10000 100000 --rounds 2
	$(BIN)/python benchmarks/memory.py --rows 100000 --rounds 1
	$(BIN)/python benchmarks/startup.py --rounds 5

lock: ## Pin the dependencies anew, with uv; ARGS=--upgrade takes newer versions
	$(LOCK) $(ARGS) --group build --output-file requirements.txt pyproject.toml
	$(LOCK) $(ARGS) --group build --group dev --constraints requirements.txt --output-file requirements-dev.txt pyproject.toml
	$(LOCK) $(ARGS) --group browser --constraints requirements-dev.txt --output-file requirements-browser.txt

clean: ## Remove what was installed and cached; var/ with its data stays
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/created.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; $(PYTHON) is %d.%d. make PYTHON=... names another." % sys.version_info[:2])'
	$(PYTHON) -m venv --clear .venv
	@touch $@

# The lock of the tests pins everything that the lock for serving pins, at the same versions.
.venv/serve.stamp: requirements.txt pyproject.toml .venv/created.stamp
	@echo "Installing into .venv; this happens once and takes a minute."
	$(PIP) install --require-hashes --requirement requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test.stamp: requirements-dev.txt .venv/serve.stamp
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

# Beside the tests' own; the browser itself is the system's, or Playwright's.
.venv/browser.stamp: requirements-browser.txt .venv/test.stamp
	$(PIP) install --require-hashes --requirement requirements-browser.txt
	$(BIN)/python -m tests.browser.install
	@touch $@
