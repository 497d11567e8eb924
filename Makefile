# `make demo` and `make test` work on a bare machine with Python 3.11 or later and make.
# Everything is installed into .venv, once; `make clean` takes it away again.
#
#   make demo     the whole pipeline against a replay registry on this machine, no network
#   make test     the fast tests, of every module, in less than 5 minutes
#   make test-all the slow tests too: they race processes, replay a whole corpus or need a JVM
#   make bench    what it costs, measured       make soak    what takes longer: full-size faults
#   make mutants  breaks 40 places of the code, and counts how many the tests notice
#   make bench-registry   a mirror of 20,000 and of 100,000 records, measured
#   make bench-whole FOLDER=/large/disk   the whole registry: two hours, 30 GB
#   make truth    outcome changes against rated pairs      make weights  fits their weights again
#   make lint     ruff
#   make types    mypy --strict                 make wheel   build dist/*.whl and dist/*.tar.gz
#   make layers   who may import whom           make clean   back to a fresh clone
#   make docs     the documentation, as a site in site/
#   make lock     requirements/*.txt again, with the newest versions that pyproject.toml allows
#   make audit    the lock against the published advisories, if these can be reached
#   make locked   installs what .ci/run needs, from the lock
#   make pictures the pictures of the README, in docs/pictures/; needs Chromium
#
# PYTHON=python3.13 make test   takes that Python; ARGS="-k diff" make test   hands options on.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test

# without a cache of its bytecode, each process that a test starts would compile ctsync again
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test test-all bench bench-registry bench-whole soak mutants lint types layers docs
.PHONY: pictures wheel truth weights lock locked locked-analysis audit clean

demo: $(VENV)/.run
	$(BIN)/ctsync demo $(ARGS)

# a file's tests stay in one process: they share what is slow to make; files that take longest first
PYTEST := $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder
# -m replaces the one in pyproject.toml, so it repeats it
FAST := not slow and not bench and not bench_registry and not soak

test: $(VENV)/.test
	$(PYTEST) -m "$(FAST)" $(ARGS)

test-all: $(VENV)/.slow $(VENV)/.analysis
	$(PYTEST) $(ARGS)

bench: $(VENV)/.test
	$(BIN)/python -m pytest -m bench -s -p no:randomly $(ARGS)

bench-registry: $(VENV)/.test
	$(BIN)/python -m pytest -m bench_registry -s -p no:randomly $(ARGS)

bench-whole: $(VENV)/.test
	$(BIN)/python -m tests.bench.whole_registry "$(FOLDER)"

soak: $(VENV)/.test
	$(BIN)/python -m pytest -m soak -s $(ARGS)

mutants: $(VENV)/.mutants
	$(BIN)/python -m tests.mutants $(ARGS)

# the rated pairs are not part of the project: CTSYNC_CORPUS, or ../shared/corpus
truth: $(VENV)/.weights
	$(BIN)/python -m tests.truth $(ARGS)

weights: $(VENV)/.weights
	$(BIN)/python -m tests.outcome_weights $(ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.lint $(VENV)/.test
	$(BIN)/mypy

layers: $(VENV)/.lint
	$(BIN)/lint-imports

# -m, because the generators in docs/ import each other from here; the variable hides an
# announcement of mkdocs-material
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)
	@echo "open site/index.html"

pictures: $(VENV)/.docs
	$(BIN)/python -m docs.pictures.draw

# --universal: one lock for every system and every Python from 3.11 on
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-config --custom-compile-command "make lock"

lock: $(VENV)/.lock
	mkdir -p requirements
	$(LOCK) pyproject.toml --all-extras --group test --group lint --group docs --group ci \
	  --output-file requirements/ci.txt
	$(LOCK) pyproject.toml --constraints requirements/ci.txt --output-file requirements/run.txt
	$(LOCK) pyproject.toml --all-extras --constraints requirements/ci.txt \
	  --output-file requirements/extras.txt
	$(LOCK) --group analysis --constraints requirements/ci.txt \
	  --output-file requirements/analysis.txt

locked: $(VENV)/.locked

locked-analysis: $(VENV)/.locked-analysis

audit: $(VENV)/.audit
	$(BIN)/python -m tests.audit

wheel: $(VENV)/.test
	rm -rf build dist
	$(BIN)/python -m build --no-isolation --outdir dist

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what is installed, each once -----------------------------------------------------------

# The first Python that is new enough; PYTHON, where it is set, is the only one looked at.
$(VENV)/.bare:
	@for python in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found="$$python"; break; \
	  fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "ctsync needs Python 3.11 or later, and there is none among: $${PYTHON:-python3, python3.14 ... python3.11, python}." >&2; \
	  echo "Install one, or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	  exit 1; \
	fi; \
	echo "$$found -m venv $(VENV)"; \
	"$$found" -m venv $(VENV) || { \
	  echo "Could not make a virtual environment; Debian and Ubuntu need: apt install python3-venv" >&2; \
	  rm -rf $(VENV); exit 1; }
	@touch $@

# pip 25.1 is the first that reads [dependency-groups]
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(VENV)/.pip: $(VENV)/.bare
	$(PIP) --upgrade 'pip>=25.1'
	@touch $@

# what the lock installs need not be installed again: its marks are set in the order of their rules
$(VENV)/.locked: $(VENV)/.bare pyproject.toml requirements/ci.txt
	$(PIP) --require-hashes --only-binary :all: --requirement requirements/ci.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@for mark in pip run test slow docs lint audit locked; do touch $(VENV)/.$$mark; done

$(VENV)/.locked-analysis: $(VENV)/.locked requirements/analysis.txt
	$(PIP) --require-hashes --no-build-isolation --requirement requirements/analysis.txt
	@for mark in analysis locked-analysis; do touch $(VENV)/.$$mark; done

$(VENV)/.audit: $(VENV)/.test
	$(PIP) --group audit
	@touch $@

$(VENV)/.lock: $(VENV)/.pip
	$(PIP) --group lock
	@touch $@

$(VENV)/.run: $(VENV)/.pip pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) --group test
	@touch $@

$(VENV)/.slow: $(VENV)/.test
	$(PIP) --group slow
	@touch $@

$(VENV)/.analysis: $(VENV)/.test
	$(PIP) --group analysis
	@touch $@

$(VENV)/.mutants: $(VENV)/.test
	$(PIP) --group mutants
	@touch $@

$(VENV)/.weights: $(VENV)/.test
	$(PIP) --group weights
	@touch $@

$(VENV)/.docs: $(VENV)/.run
	$(PIP) --group docs
	@touch $@

$(VENV)/.lint: $(VENV)/.run
	$(PIP) --group lint
	@touch $@
