# Prekraft: every task a person runs, each with a line that `make help` prints.
GO      ?= go
PKGS    := ./...
BIN     := bin/prekraft
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# golangci-lint is built from its module at this version, into bin/, so that every machine lints alike.
LINT_VERSION := v2.12.2
LINT         := bin/golangci-lint-$(LINT_VERSION)
# Its cache belongs to the checkout: a shared one answers with files of another checkout, even of one that is gone.
export GOLANGCI_LINT_CACHE := $(CURDIR)/bin/lint-cache

.DEFAULT_GOAL := help

.PHONY: help
help: ## explain every target
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/prekraft
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .

.PHONY: run
run: build ## quick start: embedded ZooKeeper and three brokers (needs Go and make, nothing else)
	@$(BIN) dev

.PHONY: test
test: tools ## every test of the project with the race detector; installs a real ZooKeeper and kcat where it may
	./integration/scripts/test.sh

.PHONY: tools
tools: ## install what the tests use from the distribution (java, kcat); says loudly what it can't
	@./integration/scripts/tools.sh

.PHONY: race
race: ## the tests of the packages alone, with the race detector
	$(GO) test -race -timeout 15m $(PKGS)

.PHONY: lint
lint: $(LINT) ## gofmt, go vet and golangci-lint, pinned
	@test -z "$$(gofmt -l . )" || { gofmt -l .; echo "gofmt would change these files"; exit 1; }
	$(GO) vet $(PKGS)
	$(LINT) run --allow-parallel-runners

$(LINT):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/golangci-lint $(LINT)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 20s)
	./integration/scripts/fuzz.sh $(or $(FUZZTIME),20s)

.PHONY: bench
bench: build ## speed: broker CPU per GB against the floor server, latency, memory, start
	./integration/scripts/bench.sh

.PHONY: integration
integration: build ## the cluster tests, twenty times over
	$(GO) test -race -count=20 -timeout 40m ./integration/...

.PHONY: interop
interop: build tools ## side by side with Apache Kafka 3.9.1, its tools, kcat and other clients
	./integration/scripts/interop.sh

.PHONY: soak
soak: ## faults on a cluster of processes under load, RUNS runs (default 60) of PREKRAFT_FAULTS_FOR (4m) each; PREKRAFT_SEED repeats an order; then kills in one process
	PREKRAFT_FAULTS_FOR=$(or $(PREKRAFT_FAULTS_FOR),4m) PREKRAFT_FAULTS_RUNS=$(or $(RUNS),60) $(GO) test -timeout 0 -v -run TestNothingAckedIsLostWhateverFails ./integration/faults
	PREKRAFT_ROUNDS=$(or $(ROUNDS),1000) $(GO) test -timeout 0 -v -run TestNothingAckedIsLostWhoeverDies ./integration/replication

.PHONY: planted
planted: ## plant mistakes in the replication and demand that the tests find each
	./integration/scripts/planted.sh

.PHONY: planted-soak
planted-soak: ## plant mistakes in a cluster of processes under faults and demand that what clients see shows each (minutes each)
	./integration/scripts/planted_processes.sh

.PHONY: docker
docker: ## the image of the static binary, where a Docker engine runs
	docker build -t prekraft:$(VERSION) -f docker/Dockerfile .

.PHONY: cross
cross: ## prove that it builds for darwin and windows
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null .
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null .

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
