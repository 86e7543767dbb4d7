# Everything that is done daily. `make help` lists it; each target does its own set-up.
CONFIGURATION ?= Release
SILOS ?= 3
FRONTENDS ?= 2
PORT ?= 5000

BIN = bin/$(CONFIGURATION)/net10.0
CONTRACTS = ORLEANS0016 ORLEANS0017 ORLEANS0018 ORLEANS0019 ORLEANS0020 ORLEANS0022 ORLEANS0023 ORLEANS0024

export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1

.DEFAULT_GOAL := help
.PHONY: help run test soak build cluster bench-limits bench-realtime bench-micro fmt lint contracts clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## Start the whole service on http://127.0.0.1:5000 with a private PostgreSQL; PORT=… for another port, ARGS=… for settings
	@scripts/ensure postgresql
	@echo "Building (the first time takes a minute or two) …"
	@dotnet build Standalone --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly
	@exec dotnet Standalone/$(BIN)/Marketplace.Standalone.dll --Frontend:Port=$(PORT) $(ARGS)

test: build clients/js/node_modules ## Run all tests; closes with "N passed, N failed, N skipped"
	@CONFIGURATION=$(CONFIGURATION) scripts/test $(ARGS)

soak: build ## Run for longer what gains by it, such as the storm of kill -9 and SIGSTOP (several minutes)
	@SOAK=1 CONFIGURATION=$(CONFIGURATION) scripts/test --filter-trait "Soak=yes" --show-live-output on $(ARGS)

build: ## Compile everything, warnings as errors
	@scripts/ensure postgresql
	@scripts/ensure nginx --optional
	@dotnet build Marketplace.sln --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly

cluster: ## Start SILOS=3 silos, FRONTENDS=2 frontends, PostgreSQL and nginx on PORT=5000
	@scripts/ensure postgresql
	@scripts/ensure nginx --optional
	@dotnet build Cluster --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly
	@exec dotnet Cluster/$(BIN)/Marketplace.Cluster.dll --silos $(SILOS) --frontends $(FRONTENDS) --port $(PORT) $(ARGS)

bench-limits: bench/peers/node/node_modules ## Measure the limiter against itself switched off and against its peers (15 minutes; ARGS="--help")
	@scripts/ensure postgresql
	@scripts/ensure wrk
	@scripts/ensure redis
	@dotnet build bench/Load --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly
	@exec dotnet bench/Load/$(BIN)/Marketplace.Bench.Load.dll limits $(ARGS)

bench-realtime: bench/peers/node/node_modules ## Measure connections and messages against plain SignalR and Socket.IO (half an hour; ARGS="--help")
	@scripts/ensure postgresql
	@scripts/ensure redis
	@dotnet build bench/Load --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly
	@exec dotnet bench/Load/$(BIN)/Marketplace.Bench.Load.dll realtime $(ARGS)

%/node_modules: %/package-lock.json
	@scripts/ensure node
	@npm ci --prefix $(@D) --silent --no-audit --no-fund
	@touch $@

bench-micro: ## Measure AttemptAcquire against the built-in limiter's, in time and bytes (a minute)
	@dotnet build bench/Micro --configuration $(CONFIGURATION) --nologo --verbosity quiet -clp:ErrorsOnly
	@dotnet bench/Micro/$(BIN)/Marketplace.Bench.Micro.dll --filter '*' --artifacts .data/bench-micro $(ARGS)
	@cp .data/bench-micro/results/*.AttemptAcquireBenchmark-report-github.md bench/results/attempt-acquire.md

fmt: ## Format the code
	@dotnet format Marketplace.sln

lint: ## Check formatting without changing anything
	@dotnet format Marketplace.sln --verify-no-changes

contracts: ## Write Grains.Abstractions/OrleansContracts.txt anew after a deliberate change to the wire
	@dotnet format Grains.Abstractions/Grains.Abstractions.csproj analyzers --severity info --diagnostics $(CONTRACTS)

clean: ## Delete what was built; .data/ (databases, mails) stays
	@git ls-files '*.csproj' | while read -r project; do rm -rf "$$(dirname "$$project")/bin" "$$(dirname "$$project")/obj"; done
	@rm -rf TestResults bench/peers/node/node_modules clients/js/node_modules
