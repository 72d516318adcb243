# make run   set up and open the dashboard on http://localhost:8501
# make test  set up and run the whole test suite
# make lint  formatting, lint, types and import layers
# make serve the production server on http://localhost:8080
# make fuzz  odd pictures by the ten thousand, and odd requests, for half an hour
# make image-test, loadtest, drills, audit, sbom, validators: see docs/operations.md and docs/security.md

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check install --quiet
PORT   ?= 8501

.PHONY: run serve test lint format clean image-test loadtest audit sbom validators fuzz drills

run: $(VENV)/.runtime
	@echo "==> Opening the dashboard on http://localhost:$(PORT) (stop it with Ctrl-C)"
	@$(PY) -m streamlit run streamlit_app.py --server.port $(PORT)

serve: $(VENV)/.runtime
	@$(PY) -m bisenet.server

test: $(VENV)/.dev
	@echo "==> Running the tests"
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/.dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/.dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# The Dockerfile, really built and run without a Docker engine; Debian: apt-get install buildah mmdebstrap
image-test: $(VENV)/.dev
	PYTHON=$(CURDIR)/$(PY) bash tests/deploy/build_image.sh

# On loopback only; Debian: apt-get install wrk haproxy
loadtest: $(VENV)/.dev
	$(PY) tests/deploy/loadtest.py $(ARGS)

# In processes of their own, so that one that ends is seen; stops by itself
fuzz: $(VENV)/.dev
	$(PY) -m tests.drills.fuzz_images --inputs 20000 --minutes 27 --parse-every 2
	$(PY) -m tests.drills.fuzz_api --examples 300 --minutes 5

# Hostile clients against a server of their own, on loopback only; several minutes
drills: $(VENV)/.dev
	$(PY) tests/drills/sockets.py
	$(PY) tests/drills/clients.py
	$(PY) tests/drills/waves.py
	$(PY) -m tests.drills.memory

# checkov's dependencies are many and its own, so it lives apart.
validators: .venv-validators/.done

.venv-validators/.done: requirements-validators.txt
	$(PYTHON) -m venv .venv-validators
	.venv-validators/bin/python -m pip install --quiet -r $<
	@touch $@

audit: validators
	.venv-validators/bin/pip-audit -r requirements.txt

sbom: validators $(VENV)/.runtime
	mkdir -p build
	.venv-validators/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom.json $(PY)
	@echo "==> build/sbom.json"

clean:
	rm -rf $(VENV)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12"; exit 1; }
	@echo "==> Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "The venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.runtime: requirements.txt | $(PY)
	@echo "==> Installing what the dashboard needs (torch is the largest; a few minutes, once)"
	@$(PIP) --upgrade pip
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "==> Installing what the tests need"
	@$(PIP) -r requirements-dev.txt
	@touch $@
