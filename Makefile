# Two commands do all the set-up: `make demo` reads the shipped films, `make test` runs every test. `make quick` is for the inner loop.
PYTHON ?= python3
DEMO := .venv-demo
VENV := .venv
# Where a virtual environment keeps its programs.
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
# Tests run in so many processes, each with one thread for arithmetic.
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 $(VENV)/$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup
# For which machines and Pythons `make bundle` fetches wheels; see packaging/bundle.py.
BUNDLE ?=

.PHONY: demo demo-clinic test quick check app docs dist bundle bench clean

demo: $(DEMO)/ready
	$(DEMO)/$(BIN)/ai-for-sudan read samples --overlays demo/overlays --report demo/report.html --csv demo/readings.csv
	@echo
	@echo "Open demo/report.html to see every film with its heatmap; demo/overlays holds the pictures."
	@echo "The phone app: make app (needs Node 20), then $(DEMO)/$(BIN)/ai-for-sudan app opens it."

test: $(VENV)/ready app/node_modules/.package-lock.json
	$(if $(CHROMIUM),CHROMIUM=$(CHROMIUM)) $(PYTEST)

# Without a browser, a server or a training.
QUICK := tests/contract tests/statistics tests/datasets tests/disturbances tests/radiographs tests/lungs tests/reading/test_reader.py \
	tests/reading/test_overlay.py tests/reading/test_report.py tests/evaluation/test_attribution.py tests/evaluation/test_audit.py \
	tests/evaluation/test_metrics.py tests/test_errors.py tests/test_files.py tests/test_package.py
quick: $(VENV)/ready
	$(PYTEST) -m "not slow" $(QUICK)

# Style, types, the direction of imports; of the app its types and style.
check: $(VENV)/ready app/node_modules/.package-lock.json
	$(VENV)/$(BIN)/ruff check .
	$(VENV)/$(BIN)/ruff format --check .
	$(VENV)/$(BIN)/mypy
	$(VENV)/$(BIN)/lint-imports --no-logo
	if [ -d app/node_modules ]; then cd app && npm run check; fi

# The phone app, built into the Python package (needs Node 20 or later), and the package reinstalled with it.
app: app/node_modules/.package-lock.json $(DEMO)/ready
	cd app && npm run build
	$(DEMO)/$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	@echo "Open it with: $(DEMO)/$(BIN)/ai-for-sudan app"

# The guide, the how-to pages, the reference from the docstrings and the explanations: open docs/site/index.html.
docs: $(VENV)/ready
	$(VENV)/$(BIN)/pip install --quiet --disable-pip-version-check -e ".[docs]"
	$(VENV)/$(BIN)/python -m sphinx --quiet docs docs/site

# The wheel with the built app inside: who installs it needs no Node.
dist: app/node_modules/.package-lock.json $(VENV)/ready
	cd app && npm run build
	rm -rf build dist/*.whl
	$(VENV)/$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls -l dist/*.whl

# The wheel and all that it needs, for machines without a network: unpack, then `python install.py`.
bundle: dist
	$(VENV)/$(BIN)/python packaging/bundle.py $(BUNDLE)

# A clinic with its pages (built with Node 20 or later), and a real Orthanc beside it, until Ctrl+C.
demo-clinic: app/node_modules/.package-lock.json $(DEMO)/ready
	if [ -d app/node_modules ]; then cd app && npm run build; else echo "Without Node the pages are not built."; fi
	$(DEMO)/$(BIN)/pip install --quiet --disable-pip-version-check ".[clinic]"
	$(DEMO)/$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	$(DEMO)/$(BIN)/python deploy/clinic/demo.py

bench: $(VENV)/ready
	$(VENV)/$(BIN)/pip install --quiet torchxrayvision
	$(VENV)/$(BIN)/python benchmarks/reading.py

$(DEMO)/ready: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/$(BIN)/pip install --quiet --disable-pip-version-check .
	touch $@

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/$(BIN)/pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@

# Without Node the tests of the app are skipped, each with its reason.
app/node_modules/.package-lock.json: app/package-lock.json
	@if command -v npm >/dev/null; then cd app && npm ci --no-audit --no-fund && touch node_modules/.package-lock.json; \
	else echo "npm is not installed: the tests of the phone app will be skipped"; fi

clean:
	rm -rf $(DEMO) $(VENV) demo outputs build dist docs/site src/*.egg-info app/node_modules
