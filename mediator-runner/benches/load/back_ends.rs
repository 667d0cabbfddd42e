//! Each real back end in turn, the other parts embedded; at last all together.

mod line;
mod report;

use std::time::Duration;

use super::arguments::Arguments;
use super::clients::Clients;
use super::measured::Measured;
use super::prometheus::{Durations, Prometheus};
use super::server::Server;
use line::{LINES, Line, Running};
use report::Report;

/// Until a virtual machine has compiled what it runs often.
const WARM_UP: Duration = Duration::from_secs(15);

/// The ports, as the metric names them.
const PORTS: [&str; 4] = ["transformer", "repository", "signer", "ledger"];

/// One line of the table.
struct Figures {
    back_end: &'static str,
    clients: usize,
    measured: Measured,
    /// Beside [`PORTS`].
    ports: [Durations; PORTS.len()],
    /// From a request's arrival at the mediator to its answer.
    in_mediator: Duration,
}

pub(crate) async fn measure(arguments: &Arguments) {
    let mut report = Report::begin(arguments);
    for line in LINES.iter().filter(|line| arguments.wants(line.name)) {
        match Running::start(line).await {
            Some(running) => {
                for figures in figures(line, &running, arguments).await {
                    report.add(figures);
                }
            }
            None => report.leave_out(line.name),
        }
    }
    report.end();
}

async fn figures(line: &Line, running: &Running, arguments: &Arguments) -> Vec<Figures> {
    let card = arguments.card.unwrap_or(false);
    let mut is_warm = line.servers.is_empty();
    let settings = [running.settings().as_slice(), &arguments.settings()].concat();
    let mut all = Vec::new();
    for count in arguments.clients() {
        let server = Server::start(card, &settings);
        let base = running.lead_to(&server).await;
        let token = running.token().await;
        let clients = Clients::of(&base, &format!("{}-{count}", line.name), token);
        until_answered(&clients).await;
        if !is_warm {
            clients.ask(16, WARM_UP).await;
            is_warm = true;
        }
        clients.warm_up().await;
        let before = Prometheus::read(&server.address).await;
        let time = Duration::from_secs(arguments.seconds);
        let measured = Measured::of(&server, &clients, count, time).await;
        let after = Prometheus::read(&server.address).await;
        let ports = PORTS.map(|port| after.since(&before, "port_call_duration_seconds", port));
        let requests = after.since(&before, "http_request_duration_seconds", "POST");
        all.push(Figures {
            back_end: line.name,
            clients: count,
            in_mediator: requests.total,
            measured,
            ports,
        });
    }
    all
}

/// OpenHIM takes a moment to notice a channel.
async fn until_answered(clients: &Clients) {
    const PATIENCE: u32 = 240;
    for _ in 0..PATIENCE {
        let (status, body) = clients.answer().await;
        if status == 200 {
            return;
        }
        assert_ne!(status, 401, "{}", String::from_utf8_lossy(&body));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("no certificate comes about");
}
