# Every target does its own set-up; `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-peers
DEMO   ?= ./demo
JOBS   ?= 3
FUZZ_SECONDS ?= 600
FUZZ_SEED    ?= 0
WILD   ?= 8
NODE   := node_modules/.package-lock.json
PAGES  := gateway/web/built/licences.txt

.DEFAULT_GOAL := help
.PHONY: help install develop demo test check crash fuzz schemathesis mutants bench-inspect bench-keys bench-log bench-pages bench-passwords bench-watch rehearse tour format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Kluis needs Python 3.11 or newer; set PYTHON=/path/to/python3") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.developed: $(VENV)/.installed requirements-dev.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

# The names, versions and hashes are those of package-lock.json; no package runs a script here.
$(NODE): package.json package-lock.json .npmrc
	@command -v npm >/dev/null || { echo 'The pages need Node.js 18 or newer with npm to be built: apt install nodejs npm' >&2; exit 1; }
	npm ci --loglevel=error
	touch $@

$(PAGES): $(NODE) gateway/web/bundle.js $(shell find gateway/web/modules -name '*.js')
	npm run --silent bundle

install: $(VENV)/.installed $(PAGES) ## .venv with the command kluis in it, and the modules of the pages

develop: $(VENV)/.developed $(PAGES) ## the same, with the tools for tests and checks

demo: install ## start Kluis with sample accounts and a sample case, on 127.0.0.1:8460
	$(BIN)/kluis demo --data $(DEMO)

test: develop ## the whole test suite, JOBS files at a time
	$(BIN)/pytest -n $(JOBS) --dist loadfile

check: develop ## formatting, lint, types, import rules, spelling, and the suite
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(MAKE) test

# Open3D brings a web framework whose pytest plugin would break the suite: peers live apart.
$(PEERS)/.installed: requirements-bench.lock pyproject.toml
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --require-hashes -r requirements-bench.lock
	$(PEERS)/bin/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

fuzz: develop ## coverage-guided fuzzing of every reader, FUZZ_SECONDS each, two at a time
	$(BIN)/python -m fuzz $(FUZZ_SECONDS) $(FUZZ_SEED) $(READERS)

crash: develop ## the whole crash matrix: every call that makes something durable, times every fault (an hour)
	KLUIS_CRASH=all $(BIN)/pytest -n $(JOBS) --dist loadfile -rP tests/adversary/test_matrix_*.py

schemathesis: develop ## the whole API with requests of its own description, by every identity (20 minutes)
	KLUIS_WILD=$(WILD) $(BIN)/pytest -rP tests/adversary/test_wild_api.py

mutants: develop ## changed readers that the tests must notice (takes half an hour)
	$(BIN)/python -m tests.mutants $(MODULES)

bench-inspect: $(PEERS)/.installed ## inspection against trimesh, VTK, MeshLib, Open3D, PyMeshLab, piexif
	$(PEERS)/bin/python -m bench.inspect

bench-log: develop ## the access log against bare SQLite, PostgreSQL and a flat file
	$(BIN)/python -m bench.log

bench-keys: develop ## rotation and erasure against bare AES-GCM and a bare client of OpenBao
	$(BIN)/python -m bench.keys

bench-passwords: develop ## what checking a password costs
	$(BIN)/python -m bench.passwords

bench-watch: develop ## the watch over simulated practices and attacks: recall, noise, rate (six minutes of CPU)
	$(BIN)/python -m bench.watch

bench/pages/node_modules/.package-lock.json: bench/pages/package.json bench/pages/package-lock.json
	npm ci --prefix bench/pages --loglevel=error
	touch $@

bench-pages: develop bench/pages/node_modules/.package-lock.json ## scans in the viewer against online-3d-viewer
	$(BIN)/python -m bench.pages

rehearse: develop ## the steps of the container image without an engine, behind Caddy with TLS
	docker/rehearse

tour: develop ## pictures of the stories in a browser: docs/tour.md and docs/tour
	rm -rf docs/tour docs/tour.md
	KLUIS_TOUR=docs/tour $(BIN)/pytest tests/browser/test_dentist.py tests/browser/test_laboratory.py tests/browser/test_practice.py -k 1440

format: develop ## put the source in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

UV_COMPILE = uv pip compile pyproject.toml --extra heic --extra pdf --extra oidc --extra pkcs11 --extra postgres --group build --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet

lock: ## renew the lock files (needs uv); no index address is written into them
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) --group dev -o requirements-dev.lock
	$(UV_COMPILE) --group bench -o requirements-bench.lock

clean: ## remove the virtual environment and caches; data directories stay
	rm -rf $(VENV) $(PEERS) node_modules bench/pages/node_modules gateway/web/built .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
