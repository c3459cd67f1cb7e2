# contact-pnl. `make` alone lists the targets.
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
# Two workers fit the two cores of a small machine; each test gets its own folders.
PYTEST := $(PY) -m pytest

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: requirements.lock pyproject.toml
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --require-hashes -r requirements.lock
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

install: $(VENV)/.ready ## the virtual environment with locked dependencies

run: $(VENV)/.ready ## real orders, simulated contacts, replayed live; prints the page's address
	$(VENV)/bin/pnl demo

test: $(VENV)/.ready ## every test that needs neither minutes nor Java
	$(PYTEST) -n 2 --dist worksteal -m "not soak and not kafka and not sink and not simulation" tests

test-kafka: $(VENV)/.ready kafka-jars ## the log, the workers and their faults on a real broker
	$(PYTEST) -rs -m "kafka and not soak and not release" tests

test-release: $(VENV)/.ready kafka-jars ## brokers lost, paused, cut off: before a release
	$(PYTEST) -rs -m "release" tests

test-sink: $(VENV)/.ready ## the sink and a store over HTTP that is cut, killed, slow, full
	$(PYTEST) -n 2 -m "sink and not soak" tests

test-simulation: $(VENV)/.ready ## in bulk from seeds: properties; the runner on a simulated Kafka, crashed at every step; torn batches; audits
	HYPOTHESIS_PROFILE=many $(PYTEST) -n 2 --dist worksteal -m "simulation and not soak" tests

test-soak: $(VENV)/.ready kafka-jars ## minutes of load, killed at random moments
	$(PYTEST) -m "soak and not release" tests

lint: $(VENV)/.ready ## format, types, import contracts, deployment files
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(VENV)/bin/compose-lint check --config deploy/compose-lint.yml --strict-config --no-env --quiet --skip-suppressed --fail-on low docker-compose.yml
	$(VENV)/bin/hadolint --failure-threshold info deploy/Dockerfile
	@deploy/check-monitoring

.kafka/.ready: deploy/kafka/pom.xml
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "Kafka needs Java 17 and Maven: apt-get install default-jre-headless maven" >&2; exit 1; }
	rm -rf .kafka/libs
	mvn -q -B -Dstyle.color=never -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.kafka/libs
	touch $@

kafka: $(VENV)/.ready kafka-jars ## a real broker for development on port 9092; Ctrl-C stops it
	@$(PY) -m tests.support.kafka_dev --port $(or $(PORT),9092)

kafka-jars: .kafka/.ready ## Apache Kafka, 54 MB, kept in .kafka

check: lint test ## what CI runs first

calibration: $(VENV)/.ready ## whether estimates and their intervals find the truth of seeded worlds
	$(PY) -m bench.calibration

bench: $(VENV)/.ready ## speed, each figure behind a correctness gate
	$(PY) -m bench.run

bench-kafka: $(VENV)/.ready kafka-jars ## the same on a real broker and a store over HTTP
	$(PY) -m bench.run kafka
	$(PY) -m bench.parts 200000

# PEERS is a folder with the bench of stream processors: bench.py, job.py and a program each.
bench-peers: $(VENV)/.ready ## our runner beside other stream processors on one job: PEERS=folder
	cd $(PEERS) && PYTHONPATH=$(CURDIR) $(CURDIR)/$(PY) bench.py run minimal kstreams-1 flink-1 --kind both --command "contact-pnl=$(CURDIR)/$(PY) -m bench.touch_attribution"

# The second is for the image, without the embedded engine; the third builds our own wheel there.
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes
lock: $(VENV)/.ready ## write the three locks anew
	$(LOCK) --extra dev pyproject.toml -o requirements.lock
	$(LOCK) --no-annotate -c requirements.lock --excludes deploy/not-in-production.txt pyproject.toml -o requirements-production.lock
	echo hatchling | $(LOCK) --no-annotate -c requirements.lock - -o deploy/build.lock

.PHONY: help install run test test-kafka test-release test-sink test-simulation test-soak kafka kafka-jars lint check calibration bench bench-kafka bench-peers lock
