# What a person runs. `make` alone lists it. CI runs .ci/run, which calls these.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

CARGO ?= cargo
CRDS ?= crds
CHART_CRDS := charts/chancery/files/crds
# A test mostly waits for the API server: more of them at once than there are cores.
export RUST_TEST_THREADS ?= 8

CONTROL_PLANE := tests/controlplane
PROMTOOL := tests/tools/promtool
ZLINT := tests/zlint
GOCHECK := tests/gocheck
HELM := tests/tools/helm
KUBECONFORM := tests/tools/kubeconform
BOOK_LINKS := links::every_link_of_the_built_book_leads_somewhere
CARGO_DENY_VERSION := 0.20.2
MDBOOK_VERSION := 0.5.4

# need PROGRAM,HOW TO GET IT
need = @command -v $(1) >/dev/null || { echo "make $@: $(1) is missing: $(2)" >&2; exit 1; }
need_cargo = $(call need,$(CARGO),install Rust 1.95 or newer from https://rustup.rs)
need_go = $(call need,go,install Go 1.26 or newer from https://go.dev/dl/)
need_openssl = $(call need,openssl,apt-get install openssl)
need_setpriv = $(call need,setpriv,apt-get install util-linux)
need_keytool = $(call need,keytool,apt-get install default-jdk-headless)

.PHONY: help
help: ## this list
	@echo "Chancery: make TARGET"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: programs $(if $(DEMO_KUBECONFIG),,control-plane) ## a guided tour on a real API server (DEMO_KUBECONFIG=file: on your cluster, in namespaces of its own)
	@CARGO="$(CARGO)" tests/demo/run

.PHONY: run
run: programs $(if $(DEMO_KUBECONFIG),,control-plane) ## the same, left running: prints the KUBECONFIG line to paste and what to try
	@CARGO="$(CARGO)" tests/demo/run --stay

.PHONY: test
test: java tools ## all tests, against a real control plane (TEST=name runs those whose name contains it)
	@echo "make test: the first time some 10 minutes are spent compiling; afterwards it takes a few"
	$(CARGO) test --workspace --locked $(if $(TEST),-- $(TEST))
	$(if $(TEST),,@$(MAKE) --no-print-directory audit)

.PHONY: audit
audit: helm ## check the API server's audit log of the last test run: only conditional writes, nothing forbidden, no warning, all rights used
	@echo "make audit: what the API server has logged of our operators in that run"
	@$(CARGO) test --quiet --locked --test cluster -- --ignored --nocapture audit_log:: \
	  || { echo "make audit: an operator made a request that it should not have made, or has a right that it does not use, see above (the log is target/tmp/cluster/last/control-plane/audit.log; it holds keys)" >&2; exit 1; }

.PHONY: lint
lint: ## formatting and clippy, warnings denied
	$(need_cargo)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: fmt
fmt: ## format the code
	$(need_cargo)
	$(CARGO) fmt --all

.PHONY: crds
crds: ## write crds/ and the chart's copies anew from the kinds (CRDS=folder writes elsewhere)
	$(need_cargo)
	@mkdir -p "$(CRDS)"
	@$(CARGO) build --quiet --locked --bin chancery
	@rm -f "$(CRDS)"/chancery.dev_*.yaml
	@$(CARGO) run --quiet --locked --bin chancery -- crds | awk -v folder="$(CRDS)" '\
	  function flush_document() { if (name) { split(name, part, "."); file = folder "/" substr(name, length(part[1]) + 2) "_" part[1] ".yaml"; printf "%s", text > file; close(file); count++ } text = ""; name = "" } \
	  /^---$$/ { flush_document(); next } \
	  { text = text $$0 "\n" } \
	  /^  name: / && !name { name = $$2 } \
	  END { flush_document(); if (!count) { print "chancery crds printed no CRD" > "/dev/stderr"; exit 1 } }'
	@if [ "$(CRDS)" = crds ]; then mkdir -p $(CHART_CRDS) && rm -f $(CHART_CRDS)/* && cp crds/chancery.dev_*.yaml $(CHART_CRDS)/; fi
	@ls "$(CRDS)"/*.yaml

.PHONY: bench
bench: tools ## the figures of issuance and revocation at scale, beside references of the same run (BENCH_FULL=1: 10,000 Certificates too)
	@echo "make bench: the release build takes some 10 minutes the first time, the measurements about 6 (BENCH_FULL=1: 20)"
	@tests/bench/run

.PHONY: fuzz
fuzz: ## fuzz what the network sends and what is read back, each target for a minute (needs a nightly Rust; FUZZ_SECONDS=n)
	$(need_cargo)
	@fuzz/run

.PHONY: tools
tools: programs control-plane zlint gocheck helm kubeconform ## build what the tests need: a control plane, Helm, zlint and others, once (about 15 minutes the first time)

.PHONY: deny
deny: .tools/bin/cargo-deny ## check bans, licences and sources of all dependencies
	.tools/bin/cargo-deny --all-features --locked check --hide-inclusion-graph bans licenses sources

.PHONY: book
book: .tools/bin/mdbook ## docs/ as a book, its links checked: target/book/index.html
	.tools/bin/mdbook build docs
	@$(CARGO) test --quiet --locked --test docs -- --ignored --exact $(BOOK_LINKS)

# --- what tools are made of

BINARIES := $(addprefix $(CONTROL_PLANE)/bin/,kube-apiserver kube-controller-manager kubectl server)

# What is missing is said before anything long begins.
.PHONY: programs
programs:
	$(need_cargo)
	$(need_go)
	$(need_openssl)
	$(need_setpriv)

# Tests alone need it.
.PHONY: java
java:
	$(need_keytool)

.PHONY: control-plane
ifdef KUBEBUILDER_ASSETS
control-plane:
	@for name in etcd kube-apiserver kubectl; do \
	  [ -x "$(KUBEBUILDER_ASSETS)/$$name" ] || { echo "make: KUBEBUILDER_ASSETS is $(KUBEBUILDER_ASSETS), which has no $$name; unset it to build one" >&2; exit 1; }; done
	@[ -x "$(KUBEBUILDER_ASSETS)/kube-controller-manager" ] || echo "make: no kube-controller-manager in KUBEBUILDER_ASSETS: tests of garbage collection need it and will fail"
else
control-plane: $(BINARIES)
endif

# One build makes them all.
$(BINARIES) &: $(CONTROL_PLANE)/go.mod $(CONTROL_PLANE)/go.sum
	$(need_go)
	@$(CONTROL_PLANE)/build

.PHONY: zlint
zlint: $(ZLINT)/bin/zlint

$(ZLINT)/bin/zlint: $(ZLINT)/go.mod $(ZLINT)/go.sum
	$(need_go)
	@echo "zlint: building, about a minute the first time"
	@cd $(ZLINT) && CGO_ENABLED=0 go build -mod=readonly -trimpath -o bin/ github.com/zmap/zlint/v3/cmd/zlint && touch bin/zlint

.PHONY: gocheck
gocheck: $(GOCHECK)/bin/gocheck

$(GOCHECK)/bin/gocheck: $(GOCHECK)/go.mod $(GOCHECK)/go.sum $(wildcard $(GOCHECK)/*.go)
	$(need_go)
	@cd $(GOCHECK) && CGO_ENABLED=0 go build -mod=readonly -trimpath -o bin/ . && touch bin/gocheck

# What `helm version` says is stamped at the build; a plain build calls itself v4.3.
.PHONY: helm
helm: $(HELM)/bin/helm

$(HELM)/bin/helm: $(HELM)/go.mod $(HELM)/go.sum
	$(need_go)
	@echo "helm: building, about 3 minutes the first time"
	@cd $(HELM) && version=$$(go list -mod=readonly -m -f '{{.Version}}' helm.sh/helm/v4) && \
	  CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$$version" -o bin/ helm.sh/helm/v4/cmd/helm && touch bin/helm

.PHONY: kubeconform
kubeconform: $(KUBECONFORM)/bin/kubeconform

$(KUBECONFORM)/bin/kubeconform: $(KUBECONFORM)/go.mod $(KUBECONFORM)/go.sum
	$(need_go)
	@cd $(KUBECONFORM) && version=$$(go list -mod=readonly -m -f '{{.Version}}' github.com/yannh/kubeconform) && \
	  CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w -X main.version=$$version" -o bin/ github.com/yannh/kubeconform/cmd/kubeconform && touch bin/kubeconform
# It has no service discovery, which the checks of rules do not need: most of what promtool is made of serves that.
.PHONY: promtool
tools: promtool
promtool: $(PROMTOOL)/bin/promtool

$(PROMTOOL)/bin/promtool: $(PROMTOOL)/go.mod $(PROMTOOL)/go.sum
	$(need_go)
	@echo "promtool: building, some 2 minutes the first time"
	@cd $(PROMTOOL) && CGO_ENABLED=0 go build -mod=readonly -trimpath -tags remove_all_sd -ldflags "-s -w" -o bin/ github.com/prometheus/prometheus/cmd/promtool && touch bin/promtool

.tools/bin/cargo-deny:
	$(need_cargo)
	@echo "cargo-deny: building $(CARGO_DENY_VERSION) into .tools, some 10 minutes on 2 cores"
	@$(CARGO) install cargo-deny --version $(CARGO_DENY_VERSION) --locked --root .tools --quiet

# Not optimized: a book is made in a second all the same.
.tools/bin/mdbook:
	$(need_cargo)
	@echo "mdbook: building $(MDBOOK_VERSION) into .tools, some 2 minutes on 2 cores"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install mdbook --version $(MDBOOK_VERSION) --locked --root .tools --debug --no-default-features --features search --quiet

# --- images, releases, and real pods

NODE := tests/node
PROBE := $(NODE)/bin/probe.tar
ZIG_VERSION := 0.15.2
CARGO_ZIGBUILD_VERSION := 0.24.0
CARGO_CYCLONEDX_VERSION := 0.5.9

.PHONY: image
image: ## a small static image, made without a daemon: dist/ (PLATFORMS=linux/amd64,linux/arm64; PROFILE=dev is quicker)
	$(need_cargo)
	$(call need,jq,apt-get install jq)
	@packaging/image

.PHONY: release
release: helm .tools/bin/cargo-cyclonedx ## what is published: image, programs, chart, manifests, CRDs, SBOM, checksums: dist/ (PLATFORMS as above)
	$(need_cargo)
	$(call need,jq,apt-get install jq)
	@packaging/release

# First what the machine must have, before anything long begins.
.PHONY: e2e
e2e: node-machine page-machine programs control-plane node-tools helm $(if $(E2E_IMAGE),,image) ## the image in real pods, from helm install to uninstall, and what the pages say of pods, on a node of its own (needs root; E2E_IMAGE=file: that image)
	@$(CARGO) test --quiet --locked --no-run --test cluster
	@CARGO="$(CARGO)" tests/e2e/run

.PHONY: node-machine
node-machine:
	@$(NODE)/up --check

# What the pages have a person type, and the programs that stand in for images of others.
.PHONY: page-machine
page-machine:
	$(call need,curl,apt-get install curl)
	$(call need,jq,apt-get install jq)
	$(call need,nginx,apt-get install nginx)

.PHONY: node-tools
node-tools: $(addprefix $(NODE)/bin/,kubelet kube-proxy kube-scheduler) $(PROBE) ## build what `make e2e` needs besides: a node's programs (about 3 minutes the first time)

$(addprefix $(NODE)/bin/,kubelet kube-proxy kube-scheduler) &: $(CONTROL_PLANE)/go.mod $(CONTROL_PLANE)/go.sum
	$(need_go)
	@$(CONTROL_PLANE)/build node

$(PROBE): $(NODE)/build-probe packaging/pack $(addprefix $(NODE)/probe/,go.mod go.sum Containerfile) $(wildcard $(NODE)/probe/*.go)
	$(need_go)
	@$(NODE)/build-probe

.PHONY: cross
cross: .tools/cross/bin/cargo-zigbuild ## a C compiler for other platforms' images and programs (zig, from PyPI), into .tools/cross

.tools/cross/bin/cargo-zigbuild:
	$(call need,python3,apt-get install python3 python3-venv)
	python3 -m venv .tools/cross
	.tools/cross/bin/pip install --quiet --disable-pip-version-check ziglang==$(ZIG_VERSION) cargo-zigbuild==$(CARGO_ZIGBUILD_VERSION)

# Not optimized: it runs for a second.
.tools/bin/cargo-cyclonedx:
	$(need_cargo)
	@echo "cargo-cyclonedx: building $(CARGO_CYCLONEDX_VERSION) into .tools, some 3 minutes on 2 cores"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install cargo-cyclonedx --version $(CARGO_CYCLONEDX_VERSION) --locked --root .tools --debug --quiet

# --- GitOps: Flux's kustomize-controller and helm-controller, Argo CD's own checks, and the CRDs of both

FLUX := tests/tools/flux
ARGO := tests/tools/argo

tools: flux argo

.PHONY: flux argo
flux: $(addprefix $(FLUX)/bin/,kustomize-controller helm-controller)
argo: $(ARGO)/bin/argo

# One build makes both.
$(addprefix $(FLUX)/bin/,kustomize-controller helm-controller) &: $(FLUX)/build $(FLUX)/go.mod $(FLUX)/go.sum
	$(need_go)
	@$(FLUX)/build

$(ARGO)/bin/argo: $(ARGO)/build $(ARGO)/go.mod $(ARGO)/go.sum $(wildcard $(ARGO)/*.go)
	$(need_go)
	@$(ARGO)/build
