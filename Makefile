# camd. `make help` lists what there is.
SHELL := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILT ?= $(shell git log -1 --format=%ct 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.built=$(BUILT)
# netgo and osusergo keep glibc's run-time loading out of the static binary;
# nomicrophone keeps mediadevices from loading libasound in init().
TAGS := netgo,osusergo,nomicrophone
GOLANGCI_LINT := v2.15.0
GOVULNCHECK := v1.9.0
CYCLONEDX_GOMOD := v1.10.0
FUZZTIME ?= 20s
# Tests run with the tags of the release, so that what is shipped is what was tested.
export GOFLAGS ?= -buildvcs=false -tags=$(TAGS)

.PHONY: help build test quick cover mutant shape race fuzz lint lab lab-full bench demo web release sbom vuln example image image-check setup-build setup-release setup-test setup-sbom setup-image

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

build: setup-build ## camd, camctl and camops for this machine, in bin/
	@echo "== building bin/camd, bin/camctl and bin/camops (the first time takes a minute or two)"
	@mkdir -p bin
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/camd ./cmd/camctl ./cmd/camops

demo: build ## a camera, a broker and a page with live picture and sound on this machine
	@echo "== building bin/camdemo"
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/camdemo
	@bin/camdemo --camd bin/camd

test: setup-test release ## everything that proves the software here, browser and lab included
	@scripts/test.sh

quick: setup-build ## vet, and the tests of the packages that you changed, without race
	@scripts/quick.sh

cover: setup-build ## how much of each package the unit tests run; the page is .cache/cover.html
	@mkdir -p .cache
	go test -coverprofile=.cache/cover.out $$(go list ./cmd/... ./pkg/... ./internal/...)
	@go tool cover -func=.cache/cover.out | tail -1
	@go tool cover -html=.cache/cover.out -o .cache/cover.html

mutant: setup-build ## one mutant of test/attack/mutants, by NAME, and the tests that must fail under it
	@test -f 'test/attack/mutants/$(NAME).patch' || { echo "set NAME to one of test/attack/mutants, without .patch: make mutant NAME=t3-nonce"; exit 1; }
	go test -count=1 -v -run 'TestEveryMutantIsCaught/^$(NAME)$$' ./test/attack

shape: setup-build ## files, lines, functions, crumbs and arrows of each package; PACKAGES names some
	@go run ./internal/shape $(PACKAGES)

race: setup-build ## the unit tests with the race detector
	go test -race $$(go list ./... | grep -v -e /test/lab -e /test/browser)

lab: setup-test release ## the virtual camera only: real kernel devices under QEMU
	go test -count=1 -v -timeout 30m ./test/lab/...

lab-full: setup-test release ## updates while the power is cut at twenty random moments (half an hour)
	go test -count=1 -v -timeout 180m -tags=$(TAGS),labfull -run TestUpdateUnderRandomPowerCuts ./test/lab

fuzz: setup-build ## every fuzz target for FUZZTIME each
	@scripts/fuzz.sh $(FUZZTIME)

bench: setup-test build ## speed and memory, each figure beside its baseline of the same run
	@scripts/bench.sh

lint: .cache/bin/golangci-lint-$(GOLANGCI_LINT) ## gofmt, golangci-lint, go vet for every target
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$< run ./...
	GOARCH=arm GOARM=7 CGO_ENABLED=0 go vet ./cmd/... ./pkg/...
	GOOS=darwin CGO_ENABLED=0 go vet ./cmd/... ./pkg/...
	go vet -tags=$(TAGS),labfull ./test/lab

# tool PACKAGE@VERSION: builds a tool once, as the target.
tool = @echo "== building $(notdir $@) (once)"; mkdir -p .cache/bin && \
	GOFLAGS=-trimpath GOBIN=$(CURDIR)/.cache/bin go install $(1) && \
	mv .cache/bin/$(notdir $(firstword $(subst @, ,$(1)))) $@

.cache/bin/golangci-lint-$(GOLANGCI_LINT):
	$(call tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT))

.cache/bin/govulncheck-$(GOVULNCHECK):
	$(call tool,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK))

.cache/bin/cyclonedx-gomod-$(CYCLONEDX_GOMOD):
	$(call tool,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_GOMOD))

release: setup-release ## static, stripped binaries for arm64 and armv7 in dist/
	@VERSION='$(VERSION)' BUILT='$(BUILT)' TAGS='$(TAGS)' scripts/release.sh

image: setup-image ## the image of BOARD and its update bundle in dist/, by Buildroot in BUILDROOT_DIR
	@BOARD='$(BOARD)' BUILDROOT_DIR='$(BUILDROOT_DIR)' PKI='$(PKI)' ANCHORS='$(ANCHORS)' BUILT='$(BUILT)' scripts/image.sh

image-check: setup-test ## what make image left in dist/: bundle, disk, verity, and what is in the root file system
	@buildroot/check.sh built '$(BOARD)' dist '$(or $(PKI),.cache/image/pki)'

sbom: setup-sbom release .cache/bin/cyclonedx-gomod-$(CYCLONEDX_GOMOD) ## what the released camd is made of, as CycloneDX, in dist/
	@VERSION='$(VERSION)' scripts/sbom.sh .cache/bin/cyclonedx-gomod-$(CYCLONEDX_GOMOD)

vuln: setup-build .cache/bin/govulncheck-$(GOVULNCHECK) ## known vulnerabilities in what is called; needs the internet
	@scripts/vuln.sh .cache/bin/govulncheck-$(GOVULNCHECK)

web: setup-test ## the owner's page in web/dist anew from its sources, and the texts that it takes from Go
	go test ./web -run TestGeneratedTexts -write
	cd web && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline && npm run --silent build

example: ## write camd.example.toml anew from the built-in defaults
	go run ./cmd/camd config > camd.example.toml

setup-build:
	@scripts/setup.sh build

setup-release:
	@scripts/setup.sh release

setup-test:
	@scripts/setup.sh build release test

setup-sbom:
	@scripts/setup.sh sbom

setup-image:
	@scripts/setup.sh build image
