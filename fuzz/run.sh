#!/bin/sh
# Fuzz each parser, and the complete program, for the given seconds (default 60): fuzz/run.sh [SECONDS [TARGET...]]
# Exits with 1 if one crashed; its input is then under fuzz/artifacts/.
set -eu

cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=${*:-evtx xml json csv text pieces sensor dns program}

CARGO_FUZZ_VERSION=0.13.2
if ! cargo fuzz --version 2>/dev/null | grep -q "$CARGO_FUZZ_VERSION"; then
    cargo install --quiet --locked --version "$CARGO_FUZZ_VERSION" cargo-fuzz
fi
# Sanitizers are unstable: use nightly, or make stable accept them.
if [ -z "${RUSTUP_TOOLCHAIN:-}" ] && rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    export RUSTUP_TOOLCHAIN=nightly
else
    export RUSTC_BOOTSTRAP=1
fi

# It compiles the eBPF program.
export PROCWIRE_PYTHON="${PROCWIRE_PYTHON:-$PWD/../.venv/bin/python}"
python3 seeds.py
crashed=0
for target in $targets; do
    echo "== $target, $seconds s"
    if [ "$target" = program ]; then
        ../.venv/bin/python program.py --seconds "$seconds" || crashed=1
        continue
    fi
    # The core denies unsafe code: an address sanitizer would find nothing in it.
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 \
        || crashed=1
done
exit $crashed
