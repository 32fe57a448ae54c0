# `make` alone lists what there is. What loads the probe into the running kernel or makes network
# namespaces needs root, and says so; so does setup, where Debian packages are missing.
PYTHON ?= /usr/bin/python3
VENV := .venv
MACHINES := x86_64 aarch64
OBJECTS := $(MACHINES:%=bpf/build/imds.%.bpf.o) $(MACHINES:%=bpf/build/imds-typed.%.bpf.o)
BPF_SOURCES := $(wildcard bpf/*.h) bpf/imds.bpf.c
SHELL_SCRIPTS := setup.sh install.sh .ci/run
KERNEL ?=
FULL ?=
SYSTEM ?=
ONLY ?=
DIST := dist
# What runs nowhere but in somebody's Prometheus, Grafana, log shipper or ECS cluster.
DEPLOYED := deploy/monitoring deploy/ecs
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' analyzer/__init__.py)
RELEASE := imds-analyzer-$(VERSION)
# The oldest pip with --group; Debian's are older.
PIP := pip>=25.1
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)
IMAGE := localhost/imds-analyzer:$(VERSION)
# Python compiles what is imported when it is: a third of what pip would compile in advance.
PIP_INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check --retries 5 --no-compile
PYTEST := $(VENV)/bin/python -m pytest
# Tests that touch nothing of the host but files of their own run on all cores.
PARALLEL := --numprocesses auto --dist worksteal
# Without bytecode each of some hundred processes that the tests start would compile the program.
unexport PYTHONDONTWRITEBYTECODE

TARGET_x86_64 := x86
TARGET_aarch64 := arm64

.DEFAULT_GOAL := help
.PHONY: help setup setup-vm build wheel release archive image chart lock abi schema lab lab-account check lint bench clean
.PHONY: test test-properties test-live test-quiet test-browser test-chart test-spark test-monitoring test-proxies test-clients test-faults test-kernels test-clients-kernels test-install test-image test-containers test-containers-vm

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install missing packages, make .venv, compile the probes
	@./setup.sh base
	@$(MAKE) $(TOGETHER) --jobs 2 $(VENV)/installed-dev build

setup-vm: setup ## The same, and the packages for virtual machines
	@./setup.sh vm
	@$(MAKE) --no-print-directory $(VENV)/installed-vm

$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) '$(PIP)'
	@touch $@

# The project with one of pyproject.toml's dependency groups. One environment has them all.
$(VENV)/installed-%: pyproject.toml analyzer/__init__.py | $(VENV)/pip
	$(PIP_INSTALL) --editable . --group $*
	@touch $@

build: $(OBJECTS) ## Compile the probes, for each machine type

# The debugging sections of the C compiler go, the BTF that CO-RE needs stays.
define compile
	@mkdir -p $(@D)
	clang -g -O2 -target bpf -D__TARGET_ARCH_$(TARGET_$*) $(1) -Wall -Werror \
	  -I/usr/include/$(shell uname -m)-linux-gnu -c bpf/imds.bpf.c -o $@.tmp
	llvm-strip --strip-debug $@.tmp
	@mv $@.tmp $@
endef

bpf/build/imds.%.bpf.o: $(BPF_SOURCES)
	$(call compile)

# The same for kernels since 6.10: faster tracepoints, fentry that is not preempted.
bpf/build/imds-typed.%.bpf.o: $(BPF_SOURCES)
	$(call compile,-DIMDS_TYPED)

wheel: $(VENV)/installed-dev build ## Build the wheel in dist/, with the probes for each machine type
	rm -f dist/*.whl
	$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --retries 5 --no-deps --wheel-dir dist .

release: wheel ## Build the archive in dist/: install.sh, the wheel, dashboard, alerts, ECS, checksums
	@$(MAKE) --no-print-directory archive

# Packs what is in DIST already. The plain YAML and the chart are files of their own: `make chart`.
archive:
	rm -rf $(DIST)/$(RELEASE)
	mkdir -p $(DIST)/$(RELEASE)/deploy
	cp install.sh requirements.lock LICENSE $(DIST)/imds_analyzer-$(VERSION)-py3-none-any.whl $(DIST)/$(RELEASE)
	cp -R $(DEPLOYED) $(DIST)/$(RELEASE)/deploy
	chmod -R u=rwX,go=rX $(DIST)/$(RELEASE)
	cd $(DIST)/$(RELEASE) && find . -type f ! -name SHA256SUMS -printf '%P\0' | LC_ALL=C sort -z \
	  | xargs -0 sha256sum > SHA256SUMS
	tar --create --gzip --file $(DIST)/$(RELEASE).tar.gz --directory $(DIST) --sort=name --owner=0 --group=0 \
	  --numeric-owner --mtime='@$(EPOCH)' \
	  $(RELEASE)
	cd $(DIST) && sha256sum $(RELEASE).tar.gz > $(RELEASE).tar.gz.sha256
	rm -rf $(DIST)/$(RELEASE)

image: wheel ## Build the container image for x86-64 and arm64 in dist/ (root)
	@./setup.sh image
	rm -rf dist/image $(RELEASE:%=dist/%.oci.tar)
	$(VENV)/bin/python -m image --wheel dist/imds_analyzer-$(VERSION)-py3-none-any.whl --into dist/image --time $(EPOCH)
	-@buildah manifest rm $(IMAGE) >/dev/null 2>&1
	buildah bud --quiet --isolation chroot --timestamp $(EPOCH) --platform linux/amd64,linux/arm64 \
	  --build-arg VERSION=$(VERSION) --manifest $(IMAGE) --file Containerfile dist/image
	buildah manifest push --quiet --all $(IMAGE) oci-archive:dist/$(RELEASE).oci.tar
	buildah manifest rm $(IMAGE) >/dev/null
	rm -rf dist/image

chart: $(VENV)/installed-dev $(VENV)/installed-chart ## Write the Helm chart's archive and plain YAML to dist/
	SOURCE_DATE_EPOCH=$(EPOCH) $(VENV)/bin/python -m deploy dist

lock: $(VENV)/installed-lock ## Update requirements.lock: the packages that install.sh installs, with hashes
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.9 --generate-hashes \
	  --only-binary :all: --upgrade --no-annotate --system-certs \
	  --custom-compile-command 'make lock' --extra metrics --extra report pyproject.toml --output-file requirements.lock

abi: ## Update analyzer/recorder/sources/probe/layout.py from bpf/imds_event.h
	$(PYTHON) bpf/abi.py > analyzer/recorder/sources/probe/layout.py.tmp
	mv analyzer/recorder/sources/probe/layout.py.tmp analyzer/recorder/sources/probe/layout.py

schema: $(VENV)/installed-dev ## Update the JSON Schemas, and docs/log-format.md, from the declared fields
	$(VENV)/bin/python -m analyzer.logline.schema > analyzer/logline/schema.json.tmp
	mv analyzer/logline/schema.json.tmp analyzer/logline/schema.json
	$(VENV)/bin/python -m analyzer.account.schema > analyzer/account/schema.json.tmp
	mv analyzer/account/schema.json.tmp analyzer/account/schema.json
	$(VENV)/bin/python -m tests.log_format
	$(VENV)/bin/python -m deploy.settings_schema > deploy/helm/values.schema.tmp
	mv deploy/helm/values.schema.tmp deploy/helm/imds-analyzer/values.schema.json

lab: setup ## Try it: real programs call an emulated IMDS, the analyzer records them (root)
	$(VENV)/bin/imds-analyzer lab $(LAB_FLAGS)

lab-account: setup ## Try it without an AWS account: made-up accounts, audit and report
	$(VENV)/bin/imds-analyzer lab --account $(LAB_FLAGS)

lint: $(VENV)/installed-dev ## Run only the linters and type checks
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/clang-format --dry-run --Werror bpf/*.h bpf/*.c
	shellcheck $(SHELL_SCRIPTS)

check: lint build ## Run the linters and the fast tests; no root
	$(PYTEST) $(PARALLEL)

test: setup ## Run all tests for this host's own kernel (root)
	@./setup.sh packages tcpdump tshark nftables
	$(MAKE) $(TOGETHER) --jobs $$(($(CORES) + 3)) test-live test-quiet $(SHARES) lint

# The live tests wait for kernels, processes and timers most of the time: the others run beside
# them, and give way to them. These fast tests run in shares. A share is one process, which imports
# and collects its own files alone. (Each worker of pytest-xdist would collect all 11,000 tests.)
# The largest share comes first, and what waits before what only calculates: both cores have work
# until the end. What is in no other share is in `others`.
CORES := $(shell nproc)
TOGETHER := --no-print-directory --output-sync=target
SHARES := $(addprefix test-fast-,report aws recorder others installed property counted)
report := tests/unit/report tests/golden/test_verdicts.py
aws := $(addprefix tests/unit/,account audit commands lab) tests/contract/test_aws_lab.py
recorder := tests/unit/recorder
installed := tests/unit/install tests/packaging tests/deploy
property := tests/property
others := tests/unit tests/contract tests/golden
# Of what reads no kernel and no other process every branch is covered, of the report's verdict as
# much as pyproject.toml says. Counting doubles the time of a test: only those run with it that are
# meant to cover these parts; the others would cover them by chance.
counted := $(wildcard tests/unit/account/test_*.py) tests/unit/audit/test_changes.py \
  tests/unit/logline tests/unit/masking tests/unit/test_lru.py \
  $(addprefix tests/unit/recorder/,decode sources/probe sources/tcp) \
  $(patsubst %,tests/unit/recorder/test_%.py,classify exchanges proxied) \
  tests/unit/report/account tests/unit/report/verdict \
  tests/contract/test_coverage.py tests/contract/test_log_schema.py tests/golden/test_requests.py

.PHONY: test-fast $(SHARES)
test-fast:
	@$(MAKE) $(TOGETHER) --jobs $(CORES) $(SHARES)

test-fast-counted:
	nice -n 5 $(PYTEST) --cov --cov-report=term-missing:skip-covered $(counted)
	$(VENV)/bin/coverage report --omit 'analyzer/report/*' --fail-under 100

test-fast-report test-fast-aws test-fast-recorder test-fast-installed test-fast-property: test-fast-%:
	nice -n 5 $(PYTEST) $($*) $(counted:%=--ignore=%)

test-fast-others:
	nice -n 5 $(PYTEST) $(others) $(foreach share,$(filter-out others,$(SHARES:test-fast-%=%)),$($(share):%=--ignore=%))

test-live:
	$(PYTEST) --durations=15 -m 'not quiet' tests/live

# These live tests call nothing: they may run beside the others, which see all calls of the host and
# so run one by one. See CALLING in tests/live/conftest.py.
test-quiet:
	$(PYTEST) -m quiet tests/live

test-properties: $(VENV)/installed-dev ## Search for examples that break a property; add HYPOTHESIS_PROFILE=search
	$(PYTEST) $(PARALLEL) tests/property

test-browser: $(VENV)/installed-dev ## Test the HTML report in Debian's Chromium
	@./setup.sh packages chromium chromium-driver
	@$(MAKE) --no-print-directory $(VENV)/installed-browser
	IMDS_ANALYZER_REQUIRE=browser $(PYTEST) tests/browser

test-chart: $(VENV)/installed-dev $(VENV)/installed-chart ## Test the Helm chart, run its pod, test the ECS task definition (root)
	@./setup.sh packages apparmor podman runc iptables busybox-static buildah catatonit
	IMDS_ANALYZER_REQUIRE=chart $(PYTEST) $(PARALLEL) tests/deploy
	@$(IS_OF_THESE_SOURCES) || $(MAKE) --no-print-directory image
	IMDS_ANALYZER_REQUIRE=chart IMDS_ANALYZER_IMAGE=dist/$(RELEASE).oci.tar $(PYTEST) tests/containers/test_pod.py

test-spark: $(VENV)/installed-dev ## Test that Spark with two workers gives DuckDB's numbers
	@./setup.sh packages openjdk-17-jre-headless
	@$(MAKE) --no-print-directory $(VENV)/installed-spark-tests
	IMDS_ANALYZER_REQUIRE=spark $(PYTEST) tests/spark

# Grafana's types of dashboards, and what makes JSON Schemas of them: 70 MB.
GRAFANA_TYPES := @grafana/schema@13.2.3 ts-json-schema-generator@2.4.0

$(VENV)/grafana/installed: Makefile
	npm install --prefix $(@D) --no-save --no-audit --no-fund --ignore-scripts --silent $(GRAFANA_TYPES)
	@touch $@

# Neither Debian nor npm has Fluent Bit: its tests run if the program is there.
test-monitoring: setup ## Test the dashboard, alerts and shippers of deploy/monitoring (root)
	@./setup.sh packages prometheus npm
	@$(MAKE) --no-print-directory $(VENV)/grafana/installed
	IMDS_ANALYZER_REQUIRE=monitoring $(PYTEST) tests/monitoring

test-proxies: setup ## Test what real proxies send on: Squid, Tinyproxy, HAProxy, nginx, Envoy (root)
	@./setup.sh packages squid tinyproxy haproxy nginx-light
	@$(MAKE) --no-print-directory $(VENV)/installed-proxies
	IMDS_ANALYZER_REQUIRE=proxies $(PYTEST) tests/live/test_proxies.py

test-clients: setup ## Test real SDKs and HTTP clients against the lab's IMDS (root)
	@./setup.sh packages $$($(VENV)/bin/python -m tests.vmtest.clients --packages)
	$(VENV)/bin/python -m tests.vmtest.clients --prepare
	$(VENV)/bin/python -m tests.vmtest.clients
	@./setup.sh packages $$($(VENV)/bin/python -m tests.vmtest.software --packages)
	$(VENV)/bin/python -m tests.vmtest.software --prepare
	$(VENV)/bin/python -m tests.vmtest.software

test-faults: setup ## Test with faults: kill -9, full disk, no memory, and others (root)
	$(PYTEST) tests/faults

test-kernels: setup-vm build ## Run the live tests in virtual machines, all of them with FULL=1 (root)
	$(VENV)/bin/python -m tests.vmtest.kernels $(if $(KERNEL),--kernel $(KERNEL)) $(if $(FULL),--full)

# Whether the image's archive is there and no older than what it is made from.
IS_OF_THESE_SOURCES = test -e dist/$(RELEASE).oci.tar && test -z "$$(find analyzer bpf image systemd \
  Containerfile pyproject.toml requirements.lock -type f -newer dist/$(RELEASE).oci.tar \
  -not -path '*/__pycache__/*' -not -path 'bpf/build/*' -print -quit)"

test-image: setup ## Test the container image: make image, run it, call from a container and the host (root)
	@./setup.sh packages podman runc iptables busybox-static buildah
	@$(IS_OF_THESE_SOURCES) || $(MAKE) --no-print-directory image
	IMDS_ANALYZER_IMAGE=dist/$(RELEASE).oci.tar $(PYTEST) tests/containers/test_image.py

test-containers: setup ## Test with real container runtimes: podman, docker, containerd, crun, runc, nspawn, LXC (root)
	@./setup.sh packages buildah $$($(VENV)/bin/python -m tests.containers --packages)
	$(PYTEST) tests/containers --ignore tests/containers/test_image.py

test-containers-vm: setup-vm build ## The same in a virtual machine: Debian 13, systemd, cgroup v2 alone (root)
	$(VENV)/bin/python -m tests.vmtest.runtimes $(if $(ONLY),-k '$(ONLY)')

test-install: setup-vm build ## Test install.sh on virtual machines with Debian 11 to 13 (root)
	$(VENV)/bin/python -m tests.vmtest.systems $(if $(SYSTEM),--system $(SYSTEM))

test-clients-kernels: setup-vm build ## Run the real clients in the virtual machines (root)
	@./setup.sh packages $$($(VENV)/bin/python -m tests.vmtest.clients --packages)
	$(VENV)/bin/python -m tests.vmtest.clients --prepare
	$(VENV)/bin/python -m tests.vmtest.clients --prepare --for arm64
	$(VENV)/bin/python -m tests.vmtest.kernels --clients $(if $(KERNEL),--kernel $(KERNEL))

bench: setup ## Measure start-up, memory, throughput, losses and costs (root)
	@./setup.sh packages bpftrace tcpdump tshark
	$(VENV)/bin/python -m bench

clean: ## Remove what was built here
	rm -rf $(VENV) bpf/build dist
