# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Everything runs from the checkout; built
# servers are kept outside it, under $CLUSTERUP_CACHE (~/.cache/clusterup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export GOTOOLCHAIN := local
# No C compiler is needed, and the binary runs on any Linux.
export CGO_ENABLED := 0
# git may refuse a clone that another user owns; the version is passed below.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)
# Debian's su without a dash leaves out what nodes are made with.
export PATH := $(PATH):/usr/sbin:/sbin
# Go and the caches need one.
export HOME := $(or $(HOME),$(shell echo ~))
# What is missing is said before anything is made, and servers are built alone.
.NOTPARALLEL:

VERSION := $(shell git -c safe.directory='$(CURDIR)' describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -s -w -X clusterup.dev/clusterup/internal/cli.version=$(VERSION)
BUILDER := bin/builder
ENV ?= local

##@ Use

.PHONY: up
up: preflight packages servers build ## Install what is missing, build, create the environment "local"
	./bin/clusterup create $(ENV) --yes

.PHONY: down
down: build ## Destroy the environment "local" and all its data
	./bin/clusterup destroy $(ENV) --yes --purge

##@ Build

.PHONY: preflight
preflight: ## Say at once what a local environment would lack on this machine
	@hack/preflight.sh

.PHONY: packages
packages: ## Install the Debian packages that are missing (says which)
	@hack/packages.sh

.PHONY: servers
servers: ## Build the servers of the local environment that are not in the cache
	@mkdir -p bin
	@cd tools/builder && go build -trimpath -o ../../$(BUILDER) .
	@$(BUILDER) --tools tools --link bin/servers

.PHONY: build
build: ## Build ./bin/clusterup
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/clusterup ./cmd/clusterup

.PHONY: image
image: build ## Write bin/clusterup-image.tar, the image of clusterup for a registry of one's own
	./bin/clusterup local image bin/clusterup-image.tar

##@ Check

.PHONY: test
test: preflight packages servers build lint verify test-unit test-tools test-bench test-e2e ## All that has to pass: lint, generated files, unit and real-server tests, end to end

.PHONY: test-unit
test-unit: build ## Tests beside the code, real servers where semantics matter
	CLUSTERUP_REQUIRE_SERVERS=1 go test -count=1 -timeout 20m ./addons/... ./cmd/... ./internal/... ./templates/... ./terraform/...

.PHONY: test-tools
test-tools: ## Tests of the builder and of the small mains under tools/
	@for m in builder echo s3 volume; do echo "tools/$$m"; (cd tools/$$m && go test -count=1 ./...); done

.PHONY: test-bench
test-bench: build ## A small sample of `make bench`, so that it stays whole
	cd test/bench && CLUSTERUP_REQUIRE_SERVERS=1 CLUSTERUP_SERVERS='$(CURDIR)/bin/servers' go test -count=1 ./...

.PHONY: test-e2e
test-e2e: build ## The end-to-end test: a whole environment, broken and mended, and nothing left
	CLUSTERUP_REQUIRE_SERVERS=1 go test -count=1 -timeout 70m -v ./test/...

.PHONY: lint
lint: ## gofumpt and golangci-lint with the rules of .golangci.yaml
	@hack/lint.sh

.PHONY: verify
verify: ## Generate again what is generated and fail if it differs
	@hack/verify.sh

.PHONY: fuzz
fuzz: ## Fuzz everything that parses, FUZZTIME (30s) each
	@hack/fuzz.sh $(or $(FUZZTIME),30s)

.PHONY: bench
bench: preflight packages servers build ## Compare first apply, nothing to do and drift with other tools (half an hour or more)
	@hack/bench.sh

.PHONY: bench-create
bench-create: preflight packages servers build ## Time nothing → unsealed and the second run beside the bare sequence by hand
	@hack/bench-create.sh

##@ Long loops

.PHONY: crash-consul
crash-consul: packages servers ## Kill a run at every boundary of the Consul hook and of its tokens, and run again (make test has a sample)
	CLUSTERUP_CRASH=all CLUSTERUP_REQUIRE_SERVERS=1 go test -count=1 -timeout 60m -v -run '^TestCrashes$$' ./internal/consul

.PHONY: crash-vault
crash-vault: packages servers build ## Kill a run at every boundary of the Vault hook, and at fifty moments of a whole environment, and run again
	CLUSTERUP_CRASH=all CLUSTERUP_REQUIRE_SERVERS=1 go test -count=1 -timeout 60m -v -run '^TestVault$$/^(a_killed_|holders_with_PGP_keys|brought_back_after)' ./internal/vault
	CLUSTERUP_CRASH=all CLUSTERUP_REQUIRE_SERVERS=1 go test -count=1 -timeout 90m -v -run '^TestVaultCrashes$$' ./test/e2e

##@ Generate

.PHONY: generate
generate: ## Write docs/reference, the Gateway API's definitions and the golden renders anew
	go run ./internal/cli/reference docs/reference
	hack/gateway-api.sh addons/ingress/files/gateway-api
	go test -count=1 ./addons/... ./internal/addon -run Golden -update

.PHONY: clean
clean: ## Remove ./bin; built servers stay in the cache
	rm -rf bin

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
