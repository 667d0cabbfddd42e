//! The embedded parts, with and without cards.

use std::time::Duration;

use super::arguments::Arguments;
use super::bare_signature::bare_signature;
use super::clients::Clients;
use super::measured::Measured;
use super::server::{Server, Settings};

pub(crate) async fn measure(arguments: &Arguments) {
    let signature = bare_signature();
    println!(
        "bare P-256 signature: {:.1} us; {} processors",
        signature.as_secs_f64() * 1e6,
        std::thread::available_parallelism().unwrap()
    );
    println!(
        "{:<18} {:>7} {:>12} {:>8} {:>8} {:>14} {:>11} {:>12} {:>12}",
        "",
        "clients",
        "certificates",
        "p50",
        "p99",
        "server cpu",
        "signatures",
        "peak memory",
        "clients' cpu"
    );
    println!(
        "{:<18} {:>7} {:>12} {:>8} {:>8} {:>14} {:>11} {:>12} {:>12}",
        "", "", "per second", "ms", "ms", "ms/certificate", "of cpu time", "MiB", "ms/certificate"
    );
    let settings = arguments.settings();
    for (name, card) in [("codes, no card", false), ("codes and card", true)] {
        if arguments.card.is_some_and(|only| only != card) {
            continue;
        }
        for clients in arguments.clients() {
            let server = Server::start(card, &settings);
            let asking = Clients::of(&format!("http://{}", server.address), "load", None);
            asking.warm_up().await;
            let time = Duration::from_secs(arguments.seconds);
            let measured = Measured::of(&server, &asking, clients, time).await;
            print(&measured, name, clients, signature);
            if clients == 1 {
                println!(
                    "{:<18} cold start to the first certificate: {} ms",
                    "",
                    first_certificate(card, &settings).await.as_millis()
                );
            }
        }
    }
}

fn print(measured: &Measured, name: &str, clients: usize, signature: Duration) {
    println!(
        "{name:<18} {clients:>7} {:>12.0} {:>8.2} {:>8.2} {:>14.2} {:>11.0} {:>12.1} {:>12.2}{}",
        measured.per_second(),
        measured.percentile(50),
        measured.percentile(99),
        measured.server_cpu(),
        measured.server_cpu() / (signature.as_secs_f64() * 1e3),
        measured.peak_memory as f64 / 1024.0,
        measured.clients_cpu(),
        measured.refusals(),
    );
}

async fn first_certificate(card: bool, settings: &Settings) -> Duration {
    let server = Server::start(card, settings);
    let asking = Clients::of(&format!("http://{}", server.address), "first", None);
    asking.certificate().await;
    server.started.elapsed()
}
