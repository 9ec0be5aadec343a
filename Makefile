# Everything runs in .venv, made from the locked, hashed requirements in .ci/. Needs Python 3.11-3.13 and nothing else.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$p; break; }; done)
UV     := UV_PYTHON=$(BIN)/python UV_LINK_MODE=copy $(BIN)/uv
DEMO   := sample_logs/quiet.log.gz sample_logs/p1.log.gz sample_logs/p2.log.gz sample_logs/p3.log.gz

.DEFAULT_GOAL := help
.PHONY: help demo demo-consent demo-kafka setup test lint types imports docs bench bench-kafka evaluate evaluate-quick samples e2e e2e-long \
	configs check-deploy image-test lock clean

help: ## list these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/runtime.stamp ## set up, then replay sample_logs/ and name each planted extraction
	@$(BIN)/detector replay --config configs/demo.yaml --incidents $(VENV)/demo.jsonl $(DEMO)

demo-consent: $(VENV)/runtime.stamp ## Sesame Credit at 1:10,000: the consent nobody gave, told before the first bill is read
	@$(BIN)/python -m tests.replay.demo_consent

demo-kafka: $(VENV)/dev.stamp ## start Apache Kafka, feed it a sample log, and run the sidecar beside it (needs Java 17 and Maven)
	$(BIN)/python -m tests.e2e.demo_kafka

setup: $(VENV)/dev.stamp ## set up everything a developer needs

test: $(VENV)/dev.stamp ## run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp ## strict static types
	$(BIN)/mypy

imports: $(VENV)/dev.stamp ## the rooms import downwards only
	$(BIN)/lint-imports

docs: $(VENV)/dev.stamp ## every public thing has a docstring
	$(BIN)/interrogate -q detector tests

bench: $(VENV)/dev.stamp ## lines per second beside DuckDB, Polars, re and wc; then the stream, as bench-kafka
	$(BIN)/python -m tests.benchmarks.replay $(if $(LINES),--lines $(LINES))
	$(BIN)/python -m tests.benchmarks.formats $(if $(LINES),--lines $(LINES))
	$(BIN)/python -m tests.benchmarks.scrape
	$(BIN)/python -m tests.benchmarks.consent
	$(BIN)/python -m tests.benchmarks.report $(if $(LINES),--lines $(LINES))
	$(BIN)/python -m tests.benchmarks.stream

bench-kafka: $(VENV)/dev.stamp ## records per second out of Apache Kafka beside kafka-python and confluent-kafka, and the delay of alerts
	$(BIN)/python -m tests.benchmarks.stream

evaluate-quick: $(VENV)/dev.stamp ## attacks and confusers at 300 requests a second, one seed, rivals beside; goes on where it was stopped
	@mkdir -p .cache
	$(BIN)/detector evaluate --suite quick --resume .cache/evaluate-quick.jsonl --markdown tests/benchmarks/evaluation-quick.md

evaluate: evaluate-quick ## the same, agent-census, five seeds, hidden forms, and 10,000 requests a second (most of a day, 16 GB); goes on where it was stopped
	@for suite in census seeds evasive large; do $(BIN)/detector evaluate --suite $$suite \
		--resume .cache/evaluate-$$suite.jsonl --markdown tests/benchmarks/evaluation-$$suite.md || exit 1; done

samples: $(VENV)/runtime.stamp ## make sample_logs/ anew; the commands are in sample_logs/README.md
	@sed -n 's/^    detector /detector /p' sample_logs/README.md | while read -r line; do \
		echo "$$line"; $(BIN)/$$line || exit 1; done

e2e: $(VENV)/dev.stamp ## tests against real servers
	@if find tests/e2e -name 'test_*.py' 2>/dev/null | grep -q .; then \
		$(BIN)/python -m pytest -m "e2e and not slow" tests/e2e; \
	else echo "tests/e2e has no tests yet"; fi

e2e-long: $(VENV)/dev.stamp ## the long forms: 200 kills
	$(BIN)/python -m pytest -m "e2e and slow" tests/e2e

check-deploy: $(VENV)/dev.stamp ## render the manifests and validate every object (builds kustomize where there is no kubectl: needs Go)
	@command -v kubectl >/dev/null || command -v kustomize >/dev/null || test -x .cache/bin/kustomize \
		|| GOBIN=$(CURDIR)/.cache/bin go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
	CI=1 $(BIN)/python -m pytest tests/contracts/test_deployment.py

image-test: $(VENV)/dev.stamp ## build the Dockerfile without an engine and run it (root, Debian: apt install buildah debootstrap)
	$(BIN)/python -m tests.e2e.image

configs: $(VENV)/dev.stamp ## make rules and dashboards from the tables in configs/source
	$(BIN)/python -m configs.source

lock: $(VENV)/dev.stamp ## choose the newest versions that pyproject.toml allows and lock them with hashes
	$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" -o .ci/bootstrap.txt .ci/bootstrap.in
	$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" -o .ci/requirements-dev.txt --extra dev pyproject.toml
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" -o .ci/requirements.txt -c .ci/requirements-dev.txt pyproject.toml

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bootstrap.stamp: .ci/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13 with venv (on Debian: apt install python3-venv); \
	or say: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .ci/bootstrap.txt
	@touch $@

$(VENV)/runtime.stamp: $(VENV)/bootstrap.stamp .ci/requirements.txt pyproject.toml
	$(UV) pip install -q --compile-bytecode --require-hashes -r .ci/requirements.txt
	$(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp .ci/requirements-dev.txt
	$(UV) pip install -q --compile-bytecode --require-hashes -r .ci/requirements-dev.txt
	@touch $@
