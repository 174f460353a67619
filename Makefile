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
CUDA := build/cuda

.DEFAULT_GOAL := help
.PHONY: help report test lint format docs pictures browser cross-check bench class-costs validation validation-report test-wheel cuda-bundle clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

# How far off estimates are, which they say of themselves: as the reports have it.
ACCURACY = $(BIN)/python -m archcost.hardware.accuracy reports/*.json

docs: pictures  ## what is generated in docs/ and reports/
	@mkdir -p build
	$(BIN)/archcost operators --format markdown -o build/operators.md
	$(call put,operators,docs/spec-language.md)
	$(BIN)/python tests/recording.py
	{ echo '```text'; COLUMNS=80 $(BIN)/archcost report simplenet; echo '```'; } > build/report.md
	$(call put,report,README.md)
	$(BIN)/archcost devices list --format markdown -o build/devices.md
	$(call put,devices,docs/devices.md)
	$(BIN)/archcost conventions --format markdown -o build/conventions.md
	$(call put,conventions,docs/conventions.md)
	$(BIN)/archcost reproduce --claims --format markdown -o build/claims.md
	$(call put,claims,docs/published.md)
	$(BIN)/archcost zoo list --format markdown -o build/zoo.md
	{ echo '<!-- made by: archcost zoo list --format markdown -->'; cat build/zoo.md; } > reports/zoo.md
	$(BIN)/archcost reproduce --format markdown -o build/published.md || [ $$? = 1 ]
	{ echo '<!-- made by: archcost reproduce --format markdown -->'; cat build/published.md; } \
	  > reports/published-tables.md
	$(BIN)/archcost speeds --format markdown -o build/speeds.md
	{ echo '<!-- made by: archcost speeds --format markdown -->'; cat build/speeds.md; } \
	  > reports/published-speeds.md
	$(BIN)/archcost speeds --format json -o reports/published-speeds.json
	$(ACCURACY)

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

# Not part of `docs`: it takes a quarter of an hour, in which nothing else should run. The file of
# the device is reports/validation-$(DEVICE).yaml; without it the machine is calibrated first.
DEVICE ?= cpu
VALIDATION := reports/validation-$(DEVICE)
VALIDATED := validate --device $(VALIDATION).yaml --measurements $(VALIDATION).jsonl

validation: $(DEV)  ## every network measured, beside its estimate; DEVICE=cuda on a GPU
	$(BIN)/archcost validate --device $(DEVICE) --record $(VALIDATION).jsonl > /dev/null || [ $$? = 1 ]
	$(MAKE) validation-report

validation-report: $(DEV)  ## reports/validation-$(DEVICE) anew, of what was measured
	@mkdir -p build
	$(BIN)/archcost $(VALIDATED) --format markdown -o build/validation.md || [ $$? = 1 ]
	{ echo '<!-- made by: archcost $(VALIDATED) --format markdown -->'; cat build/validation.md; } \
	  > $(VALIDATION).md
	$(BIN)/archcost $(VALIDATED) --format json -o $(VALIDATION).json || [ $$? = 1 ]
	$(ACCURACY)

# Not part of `docs`: coefficients change with whatever they are fitted on.
CLASSES := archcost/hardware/classes
CLASS_CPU ?= reports/validation-cpu.yaml

class-costs: $(DEV)  ## the coefficients of devices that were never calibrated
	@mkdir -p build
	$(BIN)/python -m archcost.validation.classes > build/gpu.json
	$(BIN)/python -m archcost.validation.classes $(CLASS_CPU) > build/cpu.json
	mv build/gpu.json build/cpu.json $(CLASSES)

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

# Wheels for each of these, as far as a wheel is for one version only.
PYTHON_VERSIONS ?= 3.11 3.12 3.13 3.14
ONLY_LINUX := --only-binary :all: --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64
# torch, which the machine has, requires networkx; pygraphviz only draws. A wheel of what torch
# requires would take the place of the machine's own.
NOT_CARRIED := networkx pygraphviz

cuda-bundle: $(DEV)  ## build/cuda: measures on a machine with a GPU, torch and no network
	rm -rf $(CUDA)
	mkdir -p $(CUDA)/tests
	$(BIN)/python -m build --outdir $(CUDA)/dist
	for version in $(PYTHON_VERSIONS); do \
	  $(PIP) download -c constraints.txt $(ONLY_LINUX) --python-version $$version \
	  --dest $(CUDA)/wheels $(CUDA)/dist/*.whl pip pytest || exit; \
	done
	rm -r $(CUDA)/dist $(NOT_CARRIED:%=$(CUDA)/wheels/%-*.whl)
	cp tests/cuda/*.py $(CUDA)/tests
	cp tests/cuda/run.sh pyproject.toml $(CUDA)
	du -sh $(CUDA)

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
