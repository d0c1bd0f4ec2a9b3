# `make help` lists the targets. Everything Python lives in .venv; caches live in the user's cache
# directory; the cluster has a kubeconfig of its own.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RELEASE := holdfast
NAMESPACE := holdfast-system
WITH_CLUSTER := eval "$$($(PYTHON) -m e2e.cluster env)" &&

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@echo "environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling editables
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

.PHONY: demo
demo: install ## Cluster, chart, the Scenario dns-race, and what customers saw (out/dns-race.json)
	@$(WITH_CLUSTER) $(BIN)/holdfast run dns-race --json out/dns-race.json

.PHONY: test
test: lint lint-chart unit e2e ## Everything: lint, unit tests, and the end-to-end tests on the cluster

.PHONY: lint
lint: $(READY) ## ruff, mypy strict, and the layers of the architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy --strict -p e2e -p bench -p oracle
	@$(BIN)/mypy --strict examples
	@$(BIN)/lint-imports

.PHONY: lint-chart
lint-chart: $(READY) ## checkov and kube-score over the rendered chart; waivers need a reason
	@$(BIN)/python -m e2e.charts

.PHONY: unit
unit: $(READY) ## Tests that need no cluster
	@$(BIN)/pytest -q -m "not cluster and not faults"

.PHONY: oracle
oracle: $(READY) ## The protocol once more in TLA+: TLC and the explorer must find the same (minutes)
	@$(BIN)/python -m oracle

.PHONY: cluster
cluster: ## A three-zone kind cluster; seconds if it is there, minutes the first time
	@$(PYTHON) -m e2e.cluster up

.PHONY: image
image: cluster ## Build the operator's image and load it onto the nodes
	@$(PYTHON) -m e2e.cluster image

.PHONY: install
install: $(READY) cluster ## Image and chart onto the cluster
	@$(BIN)/python -m e2e.install

.PHONY: e2e
e2e: install ## Tests on the cluster: every arm, admission, the chart
	@$(WITH_CLUSTER) $(BIN)/pytest -q -m "cluster and not leases" --durations=8

.PHONY: test-faults
test-faults: install ## Every write of a plan's life struck in eight ways, every watch in five (docs/faults.md)
	@$(WITH_CLUSTER) $(BIN)/pytest -q -m faults

.PHONY: test-leases
test-leases: install ## Further Scenarios of leases on the cluster: a rack lost, two managers, the cascade
	@$(WITH_CLUSTER) $(BIN)/pytest -q -m "cluster and leases"

.PHONY: bench-dns
bench-dns: install ## Figures of the DNS loops, as ratios within one run (out/bench-dns.json)
	@$(WITH_CLUSTER) $(BIN)/python -m e2e.bench_dns --json out/bench-dns.json

.PHONY: bench-dns-quick
bench-dns-quick: install ## Every piece of bench-dns, a little of each: whether it works, not how fast
	@$(WITH_CLUSTER) $(BIN)/python -m e2e.bench_dns --quick --json out/bench-dns-quick.json

.PHONY: bench-leases
bench-leases: install ## Figures of the lease loops, as ratios within one run (out/bench-leases.json)
	@$(WITH_CLUSTER) $(BIN)/python -m e2e.bench_leases --json out/bench-leases.json

.PHONY: bench-leases-quick
bench-leases-quick: install ## Every piece of bench-leases, a little of each: whether it works, not how fast
	@$(WITH_CLUSTER) $(BIN)/python -m e2e.bench_leases --quick --json out/bench-leases-quick.json

.PHONY: bench-check
bench-check: $(READY) ## Figures of the checker, beside TLC in the same run (out/bench-check.json)
	@$(BIN)/python -m bench.check --json out/bench-check.json

.PHONY: bench-sim
bench-sim: $(READY) ## Figures of the simulator, beside SimPy in the same run (out/bench-sim.json)
	@$(BIN)/python -m bench.sim --json out/bench-sim.json

.PHONY: bench-leases-sim
bench-leases-sim: $(READY) ## A million leases over 14.5 h, beside SimPy in the same run (out/bench-leases-sim.json)
	@$(BIN)/python -m bench.leases_sim --json out/bench-leases-sim.json

.PHONY: compare-sim
compare-sim: install ## dns-race five times on the cluster and five times simulated (out/compare-sim.json)
	@$(WITH_CLUSTER) $(BIN)/python -m e2e.compare_sim --json out/compare-sim.json

.PHONY: bench
bench: bench-dns bench-leases bench-check bench-sim ## All benchmarks

.PHONY: picture
picture: $(READY) ## Draw out/dns-race.json as docs/dns-race.svg and out/dns-race.png
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[pictures]' --no-build-isolation
	@$(BIN)/python -m e2e.draw_race out/dns-race.json docs/dns-race.svg out/dns-race.png

.PHONY: picture-leases
picture-leases: $(READY) ## Draw out/lease-collapse.json as docs/lease-collapse.svg and out/lease-collapse.png
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[pictures]' --no-build-isolation
	@$(BIN)/python -m e2e.draw_leases out/lease-collapse.json docs/lease-collapse.svg out/lease-collapse.png

.PHONY: ablate
ablate: $(READY) ## Every combination of guards, every interleaving (out/ablation.json, docs/guards.svg)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[pictures]' --no-build-isolation
	@$(BIN)/holdfast ablate dns-race --json out/ablation.json --traces out/traces --picture docs/guards.svg --picture out/guards.png

.PHONY: uninstall
uninstall: ## Scenarios, then the chart
	@$(WITH_CLUSTER) kubectl delete scenarios --all --ignore-not-found --wait
	@$(WITH_CLUSTER) helm uninstall $(RELEASE) -n $(NAMESPACE) --wait

.PHONY: env
env: ## Print what makes kubectl, helm and holdfast use this cluster: eval "$$(make -s env)"
	@$(PYTHON) -m e2e.cluster env
	@echo 'export PATH=$(CURDIR)/$(BIN):$$PATH'

.PHONY: crds
crds: ## Copy crds/ into the chart
	@cp crds/*.yaml charts/holdfast/crds/

.PHONY: reference
reference: $(READY) ## Pages and rules that are made from the code: docs/reference, charts/holdfast/files
	@$(BIN)/holdfast reference --write .

.PHONY: clean
clean: ## Remove the cluster, the environment and all output; caches stay
	@$(PYTHON) -m e2e.cluster down
	@rm -rf $(VENV) out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
