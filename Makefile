# trimtab: every task has one name here. `make` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# the first of these that really runs (a shim on the PATH may not)
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo "$$p"; break; }; done)
STAMP := $(VENV)/.ready
ALL := $(VENV)/.ready-all
# of make test: one more than the cores of a small machine, since some of its time is waiting
WORKERS ?= 3
FAULTS = tests/cluster/node/faults
KUBERAY = tests/cluster/node/kuberay
COMPONENTS = tests/cluster/node/components
POLICIES = tests/cluster/node/policies
INSTALL = $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c requirements.lock

export DO_NOT_TRACK := 1
export ORT_DISABLE_TELEMETRY := 1
export MLFLOW_DISABLE_TELEMETRY := true
export FEAST_USAGE := False

##@ Start here
.PHONY: demo test
demo: $(STAMP) ## The main job: the whole loop over a year of real flights (about 10 minutes)
	$(BIN)/trimtab demo

test: $(ALL) ## All tests that run unattended
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q --durations=10

.PHONY: test-cluster test-faults test-kuberay test-components test-policies e2e cluster cluster-down
test-cluster: $(ALL) ## The tests on a whole node: real pods, KServe, Envoy Gateway (as root; up to 20 minutes)
	$(BIN)/python -m pytest tests/cluster/node -n 2 --dist loadgroup -q --durations=10 --ignore=$(FAULTS) --ignore=$(KUBERAY) --ignore=$(COMPONENTS) --ignore=$(POLICIES)

test-faults: $(ALL) ## The fault table beside KServe's own manager, in four settings, and the whole loop on pods (as root; about an hour)
	$(BIN)/python -m pytest $(FAULTS) -n 2 --dist loadgroup -q --durations=10

test-kuberay: $(ALL) ## Training in pods of a RayJob, beside KubeRay's own operator and Kueue (as root; 20 to 25 minutes)
	$(BIN)/python -m pytest $(KUBERAY) -q --durations=10

test-components: $(ALL) ## Each step of each pipeline as its IR says, a pod of its own (as root; 5 to 7 minutes)
	$(BIN)/python -m pytest $(COMPONENTS) -q --durations=10

test-policies: $(ALL) ## Whom the NetworkPolicies let in and out, on a node that keeps them (as root; 5 minutes)
	$(BIN)/python -m pytest $(POLICIES) -q --durations=10

e2e: $(ALL) ## From an empty cluster by docs/install.md: spring 2013 lived through in pods (as root, with buildah; 25 minutes)
	$(BIN)/python -m pytest tests/e2e -q

cluster: $(STAMP) ## A Kubernetes control plane to play with (NODE=1: a whole node with KServe and a gateway)
	$(BIN)/python -m tests.cluster.kube up $(if $(NODE),--node)

cluster-down: $(STAMP) ## Take it away again
	$(BIN)/python -m tests.cluster.kube down

.PHONY: images test-images
images: ## Container images with docker, podman or buildah (IMAGES="operator serving", BASE=… as you like)
	$(PYTHON) manifests/images/build.py $(IMAGES) $(if $(BASE),--base $(BASE))

test-images: $(ALL) ## Build the images on Debian, trimtab's without torch, and look at them (WHOLE=1: with torch too; as root, with buildah)
	$(if $(WHOLE),TRIMTAB_IMAGES=whole )$(BIN)/python -m pytest tests/images -q

##@ While you work
.PHONY: check format verify generate manifests scan bench lock clean
check: $(ALL) ## Lint, types, layers, and generated files current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory verify

format: $(ALL) ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

verify: $(ALL) ## Fail when a generated file is stale
	$(BIN)/python docs/generated.py --check
	$(BIN)/python manifests/render.py --check

generate: $(ALL) ## Write the generated files anew
	$(BIN)/python docs/generated.py

manifests: $(ALL) ## Render manifests/ anew from the chart (builds helm, two minutes, where none is on the PATH)
	$(BIN)/python manifests/render.py

scan: $(ALL) ## A security scanner over all that is installed (fetches checkov for the time; a minute)
	$(BIN)/python helm/scan.py

.PHONY: docs
docs: $(STAMP) ## The pages as a site with search: site/index.html
	$(BIN)/python docs/website.py
	@echo "open site/index.html"

bench: $(ALL) ## Measure beside what users would pick instead; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py

lock: $(ALL) ## Resolve requirements.lock anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header -q -o requirements.lock

clean: ## Remove the environment and what runs left behind
	rm -rf $(VENV) .trimtab .pytest_cache .mypy_cache .ruff_cache dist site

##@ Set-up
.PHONY: setup help
setup: $(ALL) ## The environment, from requirements.lock (done by every task that needs it)

$(STAMP): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "trimtab needs Python 3.11, 3.12 or 3.13 on the PATH (or: make PYTHON=/path/to/python)"; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) -V) (1.5 GB; a few minutes on a slow line)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@$(INSTALL) -e '.[local,operator]' --group dev
	@touch $@

$(ALL): $(STAMP)
	@echo "adding what only tests and training at scale need: torch, ray, optuna (another 6 GB)"
	@$(INSTALL) -e '.[all]'
	@touch $@

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
