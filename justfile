# Daily commands; `just` lists them. Each is a plain command that can be typed as well.

_:
    @just --list --unsorted

# Format, lints and dependencies' licences
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- --deny warnings
    cargo deny --locked check

# All tests
test *ARGS:
    cargo test --workspace --locked {{ARGS}}

# Issue certificates for a request (default: the example)
issue *INPUT="examples/requests/vaccination.json":
    cargo run --release --locked -p mediator-runner -- issue {{INPUT}}

# Verify a code, image, card or document
verify +INPUT:
    cargo run --release --locked -p mediator-runner -- verify {{INPUT}}

# Serve over HTTP
serve *ARGS:
    cargo run --release --locked -p mediator-runner -- serve {{ARGS}}

# Servers to try the mediator with, all or those named, until Ctrl-C (SERVERS_FOR_TESTS says where
# tests/servers/install has put them); prints the settings to use them with
servers *NAMES:
    cargo run --quiet --locked -p real-servers --example servers -- {{NAMES}}

# Criterion benchmarks, all or those whose name contains FILTER
bench FILTER="":
    cargo bench --workspace --locked --benches -- {{FILTER}}

# Figures with each real back end that SERVERS_FOR_TESTS has, or those of ARGS: --only vault,hapi-fhir
figures *ARGS:
    cargo bench -p mediator-runner --locked --bench load -- --back-ends {{ARGS}}

# Fuzz one decoder for a minute (needs nightly Rust and cargo-fuzz)
fuzz TARGET SECONDS="60":
    cargo +nightly fuzz run {{TARGET}} -- -max_total_time={{SECONDS}}

# Let verifiers that others wrote check what was issued (tests/independent/README.md)
independent FOLDER="certificates":
    pytest tests/independent --issued={{FOLDER}}

# API documentation
doc:
    cargo doc --workspace --no-deps --locked --open

# Everything that CI checks
ci:
    .ci/run
