# Everything happens in $(VENV); stamp files in it remember what is installed.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= -n auto --maxprocesses 4

export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet
CREATED := $(VENV)/.created
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
PEERS := $(VENV)/.peers
PINS := pyproject.toml constraints.txt
WHEEL := build/wheel

.DEFAULT_GOAL := help
.PHONY: help report test lint format docs pictures browser cross-check bench test-wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

report: $(CORE)  ## what SimpleNet costs, on a fresh machine with Python, git and make
	@$(BIN)/archcost report simplenet

test: lint browser  ## lint, types and the whole test suite
	$(BIN)/pytest $(PYTEST_ARGS)

AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)

# Where it can install none, the tests that need one are skipped, or fail where CI is set.
browser: $(DEV)  ## a Chromium for tests/browser: Debian's, where none is found
	@if ! $(BIN)/python tests/chromium.py && command -v apt-get > /dev/null; then \
	  $(AS_ROOT) apt-get -qq update && $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive \
	  apt-get -qq install --no-install-recommends chromium fonts-liberation > /dev/null; \
	  $(BIN)/python tests/chromium.py; \
	fi || true

lint: $(DEV)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV)  ## put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What stands between <!-- NAME:begin --> and <!-- NAME:end --> in a file is that of build/NAME.md.
put = sed -i -e '/$(1):begin/,/$(1):end/{/$(1):/!d}' -e '/$(1):begin/r build/$(1).md' $(2)

docs: pictures  ## what is generated in docs/ and reports/
	@mkdir -p build
	$(BIN)/archcost operators --format markdown -o build/operators.md
	$(call put,operators,docs/spec-language.md)
	$(BIN)/python tests/recording.py
	{ echo '```text'; COLUMNS=80 $(BIN)/archcost report simplenet; echo '```'; } > build/report.md
	$(call put,report,README.md)
	$(BIN)/archcost conventions --format markdown -o build/conventions.md
	$(call put,conventions,docs/conventions.md)
	$(BIN)/archcost reproduce --claims --format markdown -o build/claims.md
	$(call put,claims,docs/published.md)
	$(BIN)/archcost zoo list --format markdown -o build/zoo.md
	{ echo '<!-- made by: archcost zoo list --format markdown -->'; cat build/zoo.md; } > reports/zoo.md
	$(BIN)/archcost reproduce --format markdown -o build/published.md || [ $$? = 1 ]
	{ echo '<!-- made by: archcost reproduce --format markdown -->'; cat build/published.md; } \
	  > reports/published-tables.md

# Of a row "| [FILE](FILE) | `archcost COMMAND` |" the loop gets FILE and COMMAND.
pictures: browser  ## the pictures in docs/
	sed -nE 's/^\| \[(.+)\]\(.*\) \| `archcost (.*)` \|$$/\1 \2/p' docs/pictures/README.md \
	| while read -r file command; do \
	  $(BIN)/archcost $$command -o docs/pictures/$$file || exit; \
	done
	@mkdir -p build
	$(BIN)/archcost report resnet50 -o build/resnet50.html
	$(BIN)/python docs/pictures/page.py build/resnet50.html docs/pictures/page.png

# Not part of `docs`: every program counts every network, which takes minutes.
cross-check: $(PEERS)  ## every network of the zoo beside what other programs count
	@mkdir -p build
	$(BIN)/archcost conventions --all --verify --format markdown -o build/cross-check.md || [ $$? = 1 ]
	{ echo '<!-- made by: archcost conventions --all --verify --format markdown -->'; \
	  cat build/cross-check.md; } > reports/cross-check.md

bench: $(PEERS)  ## speed, beside the other counters
	$(BIN)/pytest -s tests/benchmarks

# The wheel comes from the source distribution, so nothing stale in build/ can get into it.
test-wheel: $(DEV) browser  ## the test suite against an installed wheel, from another directory
	rm -rf $(WHEEL)
	$(BIN)/python -m build --outdir $(WHEEL)/dist
	$(PYTHON) -m venv $(WHEEL)/venv
	$(WHEEL)/venv/bin/python -m pip --quiet install -c constraints.txt "$$(ls $(WHEEL)/dist/*.whl)[test]"
	elsewhere=$$(mktemp -d) && trap 'rm -rf "$$elsewhere"' EXIT \
	&& cp -R tests pyproject.toml "$$elsewhere" && cd "$$elsewhere" \
	&& "$(CURDIR)/$(WHEEL)/venv/bin/pytest" $(PYTEST_ARGS)

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find archcost cli tests -name __pycache__ -prune -exec rm -rf {} +

$(CREATED):
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(CORE): $(CREATED) $(PINS)
	@$(PIP) install -c constraints.txt --editable .
	@touch $@

$(DEV): $(CREATED) $(PINS)
	$(PIP) install -c constraints.txt --editable '.[dev]'
	@touch $(CORE) $@

$(PEERS): $(CREATED) $(PINS)
	$(PIP) install -c constraints.txt --editable '.[dev,validate]'
	@touch $(CORE) $(DEV) $@
