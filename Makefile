# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0

# Needs Go, make, git and gcc (gcc for the race detector only). Everything else is built from source when first needed.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help
# The targets of `make test` share two binaries and, often, few cores: one after the other is faster and reads better.
.NOTPARALLEL:
# Nothing here talks to the Vault that the user's shell is set up for, and no check writes what it is to compare.
unexport UPDATE_DOCS UPDATE_GOLDEN MODEL $(filter-out VAULT_BIN VAULT_FULL BAO_BIN,$(filter VAULT_% BAO_%,$(.VARIABLES)))

# A misspelt variable would leave the intended one as it is.
UNKNOWN := $(strip $(foreach v,$(filter-out GO% CGO%,$(.VARIABLES)),$(if $(filter command,$(origin $v)),$(shell [[ '$v' =~ ^[A-Z_]+$$ ]] && grep -Rqw --exclude='*.go' -e '$v' Makefile scripts || echo '$v'))))
ifneq ($(UNKNOWN),)
  $(error there is no variable $(UNKNOWN): see make help)
endif

PLUGIN  := vault-plugin-secrets-mastersindia
ifeq ($(origin VERSION),environment)
  $(warning VERSION of the environment is not used: to build another version, make build VERSION=$(VERSION))
endif
VERSION := $(shell cat VERSION)
ifeq ($(shell [[ '$(VERSION)' =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]] && echo valid),)
  $(error VERSION is "$(VERSION)": want vX.Y.Z, such as v1.2.3, in the file VERSION, or as VERSION=v1.2.3)
endif
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Static and without paths of the building machine: the same source gives the same bytes, so a published SHA-256 means something.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"
# The audit report is a module of its own, so that its database is none of the plugin's dependencies.
GO_BUILD_AUDIT := CGO_ENABLED=0 go build -C audit -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"

# Modules of our own code beside the plugin's: what they depend on is none of the plugin's dependencies.
MODULES := audit tools/openapi tools/release

# What git tracks, or would: not what was built or what the documents' commands have made.
GO_FILES = $(shell git ls-files --cached --others --exclude-standard '*.go' 2>/dev/null | grep . || find . -name '*.go')

# Tests that take most of the time of all; "make unit" runs them too.
SLOW := TestHostileCaller_|TestHostileUpstream_(EveryTrick|CannotExhaust)|TestHistory_|TestStorageFaultSequence_|TestManyAccounts_TenThousand|TestLedgerFault_Nothing

# Tests that `make unit` runs without the race detector: they measure memory, which it multiplies, or repeat one history for every
# access to storage, one login a thousand times or one response in every shape, where it would take minutes and find nothing that it
# does not find in the others.
UNRACED := TestHostileUpstream_CannotExhaustMemory|TestManyAccounts_|TestEvict_UnusedAccounts|TestStorageFaultSequence_|TestFleetOutage_|TestRevoke_ActsOnEveryToken|TestSecrecy_NothingLogged

# Tests of the audit report that read files in all ways: its only goroutines are those of the scan, and the race detector makes the
# database ten times as slow.
SCANS := TestGolden|TestFiles_|TestLines_

# When the commit was made, which is all the time that a release knows of.
CREATED ?= $(shell git log -1 --format=%cI 2>/dev/null || echo 1970-01-01T00:00:00Z)

FUZZ ?= 200000
SOAK ?= 10m
ifneq ($(filter soak,$(MAKECMDGOALS)),) # before anything is built
  ifeq ($(shell [[ '$(SOAK)' =~ ^([0-9]+(\.[0-9]+)?[smh])+$$ ]] && echo valid),)
    $(error SOAK is a time such as 10m, not "$(SOAK)")
  endif
endif

# Of `make bench` and `make benchcmp`: which benchmarks, where the results go, and the commit to compare with. What is empty is
# as the scripts have it.
BENCH     ?=
BENCHTIME ?=
COUNT     ?=
OUT       ?= bin/bench.txt
BASE      ?= HEAD

# Of `make reproducible`: the commit or tag.
REV ?= HEAD

# Of `make matrix`: the versions of Vault, of those that Go's module proxy has all parts of.
MATRIX ?= 1.16.3 1.19.5 1.21.2

# The acceptance tests of what OpenBao alone does run on one only.
COMMA           := ,
ACCEPTANCE_TAGS := acceptance$(if $(BAO_BIN),$(COMMA)openbao)

# Flags of the load through Vault: see bin/bench-vault -help.
LOAD ?=

.PHONY: help
help: ## start: Show this help
	@echo "usage: make TARGET [VERSION=vX.Y.Z] [FUZZ=200000] [SOAK=10m] [VAULT_BIN=/path/to/vault | BAO_BIN=/path/to/bao]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { split($$2, part, ": "); group = part[1]; \
	    text[group] = text[group] sprintf("  %-15s %s\n", $$1, substr($$2, length(group) + 3)) } \
	  END { n = split("start,Start here;tests,Tests;documents,Documents;speed,Speed;release,Releases", groups, ";"); \
	    for (i = 1; i <= n; i++) { split(groups[i], g, ","); printf "%s%s:\n%s", (i > 1 ? "\n" : ""), g[2], text[g[1]] } }' Makefile

# A target that is misspelt: make -B comes here with each file that no rule makes.
.DEFAULT:
	@[ -e '$@' ] || { echo "make: there is no target $@: see make help" >&2; exit 2; }

.PHONY: build
build: ## start: Build the plugin, the simulator and the audit report into bin/
	$(GO_BUILD) -o bin/$(PLUGIN) ./cmd/$(PLUGIN)
	$(GO_BUILD) -o bin/mastersindia-simulator ./cmd/mastersindia-simulator
	$(GO_BUILD_AUDIT) -o ../bin/mastersindia-audit .

.PHONY: test
test: build unit conformance acceptance ## tests: Run all tests: unit, conformance, and acceptance against a real Vault (25 min)

.PHONY: check
check: ## start: Check vet, format and the quick tests: before every commit (30 s)
	go vet ./... && go vet -tags acceptance,openbao ./...
	for module in $(MODULES); do go vet -C $$module ./...; done
	@unformatted="$$(gofmt -l $(GO_FILES))"; if [ -n "$$unformatted" ]; then \
	  printf 'not formatted, run "make fmt":\n%s\n' "$$unformatted" >&2; exit 1; fi
	go test -parallel 8 -skip '$(SLOW)' ./...
	for module in $(MODULES); do go test -C $$module ./...; done

.PHONY: cover
cover: ## tests: Print which share of the shipped statements the tests of "make check" run, by package and in all
	@mkdir -p bin; go test -coverpkg=.,./backend/...,./cmd/...,./internal/...,./simulator/... -coverprofile=coverage.out -skip '$(SLOW)' ./... >bin/cover.txt || { cat bin/cover.txt; exit 1; }
	@awk 'NR > 1 && !/\/mounttest\// { split($$1, at, ":"); sub("/[^/]*$$", "", at[1]); n[$$1] = $$2; of[$$1] = at[1]; if ($$3 > 0) ran[$$1] = 1 } \
	  END { for (b in n) { all[of[b]] += n[b]; total += n[b]; if (b in ran) { hit[of[b]] += n[b]; hits += n[b] } } \
	    for (p in all) printf "%5.1f %%  %s\n", 100 * hit[p] / all[p], p | "sort -k 3"; close("sort -k 3"); \
	    printf "%5.1f %%  total\n", 100 * hits / total }' coverage.out

.PHONY: unit
unit: ## tests: Run the unit tests, under the race detector (2 to 3 min)
	go test -race -parallel 4 -timeout 20m -skip '$(UNRACED)' ./...
	go test -parallel 8 -timeout 20m -run '$(UNRACED)' ./test
	MODEL=full go test -count=1 -run '^TestModel$$' -v ./backend/account
	go test -C audit -timeout 20m ./...
	go test -C audit -race -timeout 20m -run '$(SCANS)' ./...
	go test -C tools/openapi ./... && go test -C tools/release ./...

.PHONY: model
model: ## tests: Explore what can happen to an account, DEPTH steps deep; without it as far as `make unit` does
	MODEL=$(or $(DEPTH),full) go test -count=1 -timeout 0 -run '^TestModel$$' -v ./backend/account

.PHONY: mutants
mutants: ## tests: Check the model checker: break one rule of the state machine at a time, and see whether it notices
	go run ./tools/mutants

.PHONY: conformance
conformance: build ## tests: Drive the built plugin over gRPC as Vault does, without a Vault
	go test -race -tags acceptance -count=1 -parallel 16 -timeout 10m ./acceptance/conformance/...

.PHONY: acceptance
acceptance: build ## tests: Test the built plugin in a real Vault, which is built once when there is none (5 to 10 min)
	@vault_bin="$$(scripts/get-vault)"; \
	VAULT_BIN="$$vault_bin" go test -race -tags $(ACCEPTANCE_TAGS) -count=1 -timeout 30m -v ./acceptance

.PHONY: kubernetes
kubernetes: build ## tests: Try the Kubernetes examples on a real API server and controller, which are built once
	@vault_bin="$$(scripts/get-vault)"; programs="$$(scripts/get-kubernetes)"; \
	mapfile -t programs <<<"$$programs"; \
	env "$${programs[@]}" VAULT_BIN="$$vault_bin" go test -race -tags acceptance -count=1 -timeout 30m -v ./acceptance/kubernetes

.PHONY: matrix
matrix: build ## tests: Run the acceptance tests on each version of Vault in MATRIX, each built once
	@scripts/matrix $(MATRIX)

.PHONY: soak
soak: build ## tests: Let a real Vault live through load and faults, and measure what is left (SOAK=10m)
	@vault_bin="$$(scripts/get-vault)"; \
	VAULT_BIN="$$vault_bin" go test -race -tags acceptance -count=1 -timeout 0 -v ./acceptance/soak -soak $(SOAK)

.PHONY: lint
lint: bin/golangci-lint ## tests: Check vet, format, go.mod and the linters of .golangci.yml
	go vet ./...
	go vet -tags acceptance,openbao ./...
	@unformatted="$$(gofmt -l $(GO_FILES))"; if [ -n "$$unformatted" ]; then \
	  printf 'not formatted, run "make fmt":\n%s\n' "$$unformatted" >&2; exit 1; fi
	go mod tidy -diff
	for module in $(MODULES); do go vet -C $$module ./...; go mod tidy -C $$module -diff; done
	go mod tidy -C tools/lint -diff
	go mod tidy -C tools/actionlint -diff
	bin/golangci-lint run ./...
	for module in $(MODULES); do (cd $$module && "$(CURDIR)/bin/golangci-lint" run ./...); done

# A module of its own keeps the linter's many dependencies out of the plugin's go.mod, and pins its version.
bin/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	@echo "building golangci-lint from source into $@: a few minutes, only once" >&2
	go build -C tools/lint -trimpath -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: fmt
fmt: ## start: Format the Go source
	@gofmt -w $(GO_FILES)

.PHONY: fuzz
fuzz: ## tests: Run each fuzz test FUZZ times (200000)
	scripts/fuzz "$(FUZZ)"

.PHONY: docs
docs: ## documents: Write docs/reference.md anew, after a change of paths, fields or help
	UPDATE_DOCS=1 go test -count=1 -run TestReference_ .

.PHONY: outputs
outputs: build ## documents: Write the output of new commands into the documents, from a real Vault
	@vault_bin="$$(scripts/get-vault)"; \
	VAULT_BIN="$$vault_bin" UPDATE_DOCS=1 go test -tags acceptance -count=1 -run TestDocs_CommandsWork ./acceptance

.PHONY: golden
golden: ## documents: Write the expected outputs of the audit report anew, after a change of what it says
	UPDATE_GOLDEN=1 go test -C audit -count=1 -run TestGolden .

.PHONY: bench
bench: ## speed: Measure the engine in process, into OUT (BENCH=regexp BENCHTIME=1s COUNT=1 OUT=bin/bench.txt)
	@scripts/bench "$(OUT)" "$(BENCH)" "$(BENCHTIME)" "$(COUNT)"

.PHONY: benchcmp
benchcmp: ## speed: Compare the working tree's speed with that of commit BASE (BENCH=regexp BENCHTIME=200ms COUNT=8)
	@scripts/benchcmp "$(BASE)" "$(BENCH)" "$(BENCHTIME)" "$(COUNT)"

.PHONY: bench-vault
bench-vault: build ## speed: Measure the engine through a real Vault, beside other ways to do it (18 min; LOAD=-quick: 3 min)
	$(GO_BUILD) -o bin/bench-probe ./acceptance/bench/probe
	go build -o bin/bench-vault ./acceptance/bench
	@vault_bin="$$(scripts/get-vault)"; VAULT_BIN="$$vault_bin" bin/bench-vault $(LOAD)

.PHONY: performance
performance: ## speed: Measure all, and write the tables and plots of docs/performance.md, best on an idle machine (20 min)
	$(MAKE) bench COUNT=5 BENCHTIME=300ms OUT=docs/performance/bench.txt
	$(MAKE) bench-vault LOAD="-o docs/performance/results.json $(LOAD)"
	$(MAKE) plots

.PHONY: plots
plots: ## speed: Write the tables and plots of docs/performance.md anew from what was measured last
	go run ./acceptance/bench/performance

bin/benchstat: tools/benchstat/go.mod tools/benchstat/go.sum
	@echo "building benchstat from source into $@" >&2
	go build -C tools/benchstat -trimpath -o ../../$@ golang.org/x/perf/cmd/benchstat

.PHONY: image
image: ## release: Build the plugin's container image for amd64 and arm64 into bin/image/, without a container engine (1 min)
	rm -rf bin/image && mkdir -p bin/image
	GOOS=linux GOARCH=amd64 $(GO_BUILD) -o bin/image/linux-amd64 ./cmd/$(PLUGIN)
	GOOS=linux GOARCH=arm64 $(GO_BUILD) -o bin/image/linux-arm64 ./cmd/$(PLUGIN)
	go run -C tools/release ./image -version=$(VERSION) -revision=$(COMMIT) -created=$(CREATED) -o=../../bin/image/oci \
	  linux/amd64=../../bin/image/linux-amd64 linux/arm64=../../bin/image/linux-arm64 >bin/image/digests
	@cat bin/image/digests

.PHONY: bin/sbom
bin/sbom:
	go build -C tools/release -o ../../$@ ./sbom

.PHONY: release-check
release-check: bin/goreleaser bin/sbom image ## release: Build all that a release has into dist/, and check it; nothing is published (10 min)
	bin/goreleaser check
	bin/goreleaser release --snapshot --clean --skip=sign --parallelism=1
	scripts/release/check-archives dist

bin/goreleaser: tools/goreleaser/go.mod tools/goreleaser/go.sum
	@echo "building GoReleaser from source into $@: about ten minutes, only once" >&2
	go build -C tools/goreleaser -trimpath -o ../../$@ github.com/goreleaser/goreleaser/v2

.PHONY: reproducible
reproducible: ## release: Build one commit twice, in other folders and with cold caches, and compare every file (REV=HEAD)
	@scripts/reproduce $(REV)

.PHONY: workflows
workflows: ## tests: Check the workflows of GitHub Actions
	go run -C tools/actionlint github.com/rhysd/actionlint/cmd/actionlint "$(CURDIR)"/.github/workflows/*.yml

.PHONY: demo
demo: build ## start: Show the engine at work: a Vault and the simulator, and a token for each way to log in (half a minute)
	@vault_bin="$$(scripts/get-vault)"; go build -o bin/demo ./scripts/demo; VAULT_BIN="$$vault_bin" exec bin/demo

.PHONY: dev
dev: build ## start: Start a Vault with the engine and the simulator to play with, until Ctrl-C
	@vault_bin="$$(scripts/get-vault)"; go build -o bin/demo ./scripts/demo; VAULT_BIN="$$vault_bin" exec bin/demo -stay

.PHONY: clean
clean: ## start: Remove what build made (keeps bin/vault, bin/golangci-lint and bin/goreleaser, which take long to build)
	rm -f bin/$(PLUGIN) bin/mastersindia-simulator bin/mastersindia-audit bin/demo bin/bench* bin/sbom bin/openbao-as-vault
	rm -rf bin/image dist
