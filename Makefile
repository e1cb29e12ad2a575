# `make` or `make help` lists what can be typed.

# The one place where the linter's version stands.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

# What to test, and how long to fuzz: make test PKG=./consumer TESTFLAGS='-run Drain -v'
PKG ?= ./...
TESTFLAGS ?=
FUZZTIME ?= 30s
FAULTSFOR ?= 5m
SCALEFLAGS ?=
RABBITMQS ?=
BENCHFLAGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## every test, with the race detector, on a RabbitMQ of its own (installed if need be)
	scripts/with-broker.sh go test -race $(TESTFLAGS) $(PKG)

.PHONY: race
race: ## the same five times over, in random order: for what happens rarely
	scripts/with-broker.sh go test -race -count=5 -shuffle=on -timeout=60m $(TESTFLAGS) $(PKG)

.PHONY: faults
faults: ## every fault while messages flow, and a soak of FAULTSFOR; writes docs/faults.md (RABBITMQS: folders of further versions)
	@failed=0; for folder in "" $(RABBITMQS); do \
		WARREN_RABBITMQ=$$folder WARREN_REQUIRE_BROKER=1 go test -count=1 -timeout=6h -v ./internal/faults \
			-faults.full -faults.seed=0 -faults.for=$(FAULTSFOR) -faults.every=20s -faults.report=$(CURDIR)/docs $(TESTFLAGS) || failed=1; \
	done; exit $$failed

.PHONY: lint
lint: ## the linters of .golangci.yml
	go run $(GOLANGCI) config verify
	go run $(GOLANGCI) run --allow-parallel-runners $(PKG)

.PHONY: vuln
vuln: ## known vulnerabilities in what we call (not those of hamba/avro, which the guard keeps from being reached: SECURITY.md)
	go run $(GOVULNCHECK) $$(go list $(PKG) | grep -v -e /codec/avrocodec -e /examples/billing)

.PHONY: bench
bench: ## Warren beside loops by hand, on a RabbitMQ of its own: ten minutes (BENCHFLAGS='-set quick': one; -page docs/performance.md)
	scripts/with-broker.sh go run ./bench $(BENCHFLAGS)

.PHONY: bench-duties
bench-duties: ## the benchmarks of single duties, with allocations (TESTFLAGS='-bench=Settle')
	scripts/with-broker.sh go test -run='^$$' -bench=. -benchmem $(TESTFLAGS) $(PKG)

.PHONY: bench-scale
bench-scale: ## how the cost grows with consumers, publishers, waits and load (SCALEFLAGS='-run storm -quick -page docs/performance.md')
	scripts/with-broker.sh go run ./bench/scale $(SCALEFLAGS)

.PHONY: cover
cover: ## coverage of every package by all tests; make a page of it with go tool cover -html=coverage.out
	scripts/with-broker.sh go test -coverpkg=./... -coverprofile=coverage.out $(TESTFLAGS) $(PKG)
	go tool cover -func=coverage.out | tail -n 1

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s) each
	@set -e; for pkg in $$(go list $(PKG)); do \
		for target in $$(go test -list='^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: tidy
tidy: ## go.mod, go.sum and the format of every file
	go mod tidy
	go run $(GOLANGCI) fmt ./...

.PHONY: broker-install
broker-install: ## install RabbitMQ for the tests (Debian and its kin, as root)
	scripts/with-broker.sh --install
