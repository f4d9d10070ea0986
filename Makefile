# Two commands do all the set-up: `make demo` reads the shipped films, `make test` runs every test.
PYTHON ?= python3
DEMO := .venv-demo
VENV := .venv
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: demo test check app app-test bench clean

demo: $(DEMO)/ready
	$(DEMO)/bin/ai-for-sudan read samples --overlays demo/overlays --report demo/report.html --csv demo/readings.csv
	@echo
	@echo "Open demo/report.html to see every film with its heatmap; demo/overlays holds the pictures."
	@echo "The phone app: make app (needs Node 20), then $(DEMO)/bin/ai-for-sudan app opens it."

test: $(VENV)/ready app/node_modules/.package-lock.json
	$(if $(CHROMIUM),CHROMIUM=$(CHROMIUM)) $(VENV)/bin/python -m pytest

check: $(VENV)/ready app/node_modules/.package-lock.json
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	if [ -d app/node_modules ]; then cd app && npm run check; fi

# The phone app, built into the Python package (needs Node 20 or later), and the package installed anew with it.
app: app/node_modules/.package-lock.json $(DEMO)/ready
	cd app && npm run build
	$(DEMO)/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	@echo "Open it with: $(DEMO)/bin/ai-for-sudan app"

bench: $(VENV)/ready
	$(VENV)/bin/pip install --quiet torchxrayvision
	$(VENV)/bin/python benchmarks/reading.py

$(DEMO)/ready: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet --disable-pip-version-check .
	touch $@

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@

# Without Node the tests of the app are skipped, each with its reason.
app/node_modules/.package-lock.json: app/package-lock.json
	@if command -v npm >/dev/null; then cd app && npm ci --no-audit --no-fund && touch node_modules/.package-lock.json; \
	else echo "npm is not installed: the tests of the phone app will be skipped"; fi

clean:
	rm -rf $(DEMO) $(VENV) demo outputs build src/*.egg-info app/node_modules
