//! Load on `mediator-runner serve`: certificates per second, latency, processor time and memory of
//! the server, with and without cards, for one client and sixteen; beside a bare P-256 signature.
//!
//! ```sh
//! cargo bench -p mediator-runner --bench load                 # ten seconds for each line
//! cargo bench -p mediator-runner --bench load -- --seconds 60
//! cargo bench -p mediator-runner --bench load -- --card false --clients 16   # one line
//! cargo bench -p mediator-runner --bench load -- --forms who  # certificates of one code
//! ```
//!
//! With `--back-ends`, the same with each real back end in turn beside the embedded ones, and how
//! much of a certificate's time is theirs. The servers are started, from `SERVERS_FOR_TESTS` (see
//! `tests/servers`); one that is not installed is left out and said to be.
//!
//! ```sh
//! SERVERS_FOR_TESTS=~/servers cargo bench -p mediator-runner --bench load -- --back-ends
//! ... -- --back-ends --only embedded,vault --seconds 30 --json > figures.json
//! ```
//!
//! Clients and servers share the machine, as they would not in the field: what the clients use is
//! in a column of its own. Every request is another event of another holder. Linux only (`/proc`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement"
)]

mod arguments;
mod back_ends;
mod bare_signature;
mod clients;
mod embedded;
mod measured;
mod processor_time;
mod prometheus;
mod server;

use arguments::Arguments;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too, without this argument.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let arguments = Arguments::of(arguments);
    if arguments.back_ends {
        back_ends::measure(&arguments).await;
    } else {
        embedded::measure(&arguments).await;
    }
}
