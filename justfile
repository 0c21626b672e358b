# Tasks for people. `just` lists them; each can be typed without it.

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", env("XDG_CACHE_HOME", home_directory() / ".cache") / "tokenlake/target")

# List the tasks.
default:
    @just --list

# A small archive with a server on it.
demo:
    cargo run --release -- demo

# Compile the program and the tests, without running anything.
check:
    cargo check --locked --all-targets

# Tests by name, or all; nothing is installed.
test *filter:
    TOKENLAKE_SETUP=0 bash tests/run --locked {{ filter }}

# Install what the tests need, if this machine lets it.
setup:
    bash tests/setup

# Format.
fmt:
    cargo fmt

# The tree in numbers.
table:
    tests/tree-table

# Lints, documents of the code, licences and spelling.
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
    bash .ci/extras

# All that a change must pass.
ci:
    bash .ci/run

# Write the flags in docs/reference.md anew.
reference:
    TOKENLAKE_TEST_WRITE=1 cargo test --locked --lib the_reference_has_every_flag

# Draw docs/dashboard.svg anew.
picture:
    cargo build --locked
    python3 deploy/grafana/draw.py "$CARGO_TARGET_DIR/debug/tokenlake" docs/dashboard.svg

# Mutate the corpora of all decoders, so many seconds each.
fuzz seconds="60":
    TOKENLAKE_FUZZ_SECONDS={{ seconds }} cargo nextest run --locked fuzz mutation_tests

# Histories of the simulation.
simulate histories="1000":
    TOKENLAKE_TEST_HISTORIES={{ histories }} cargo nextest run --locked --release in_every_history --no-capture

# One of the benches: scrape, ingest, layout, scale, sql, backfill.
bench name:
    cargo bench --locked --bench {{ name }}
