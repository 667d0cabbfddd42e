//! Load on `mediator-runner serve`: certificates per second, latency, processor time and memory of
//! the server, with and without cards, for one client and sixteen; beside a bare P-256 signature.
//!
//! ```sh
//! cargo bench -p mediator-runner --bench load                 # ten seconds for each line
//! cargo bench -p mediator-runner --bench load -- --seconds 60
//! cargo bench -p mediator-runner --bench load -- --card false --clients 16   # one line
//! ```
//!
//! Clients and server share the machine, as they would not in the field: what the clients use is
//! in the last column. Every request is another event of another holder. Linux only (`/proc`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

const EVENT: &str = include_str!("../../examples/requests/vaccination.json");
const PATH: &str = "/ddcc/QuestionnaireResponse/$generateHealthCertificate";

/// Of `utime` and `stime` in `/proc/<pid>/stat`, on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs benches too, without this argument.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let argument = |name: &str| {
        let index = arguments.iter().position(|argument| argument == name)?;
        arguments.get(index + 1)
    };
    let seconds = argument("--seconds").map_or(10, |seconds| seconds.parse().unwrap());
    let only_clients: Option<usize> = argument("--clients").map(|count| count.parse().unwrap());
    let only_card = argument("--card");
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
    for (name, card) in [("codes, no card", "false"), ("codes and card", "true")] {
        for clients in [1, 16] {
            if only_clients.is_some_and(|only| only != clients)
                || only_card.is_some_and(|only| only != card)
            {
                continue;
            }
            let server = Server::start(card);
            let measured = load(&server, clients, Duration::from_secs(seconds)).await;
            measured.print(name, clients, signature);
            if clients == 1 {
                println!(
                    "{:<18} cold start to the first certificate: {} ms",
                    "",
                    server.first_certificate(card).await.as_millis()
                );
            }
        }
    }
}

/// The least time of many batches: what other processes take away is not the signature's.
fn bare_signature() -> Duration {
    const BATCH: u32 = 100;
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
    (0..20)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..BATCH {
                std::hint::black_box(key.sign(&random, &[7; 500]).unwrap());
            }
            start.elapsed() / BATCH
        })
        .min()
        .unwrap()
}

struct Server {
    child: Child,
    address: String,
    started: Instant,
    _data_directory: tempfile::TempDir,
}

impl Server {
    fn start(card: &str) -> Self {
        let data_directory = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEDIATOR_")) {
            command.env_remove(name);
        }
        let mut child = command
            .arg("serve")
            .env("MEDIATOR_DATA_DIRECTORY", data_directory.path())
            .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
            .env("MEDIATOR_CARD__ENABLED", card)
            .env("MEDIATOR_LOG__FILTER", "warn,mediator_runner=info")
            .env("MEDIATOR_LOG__FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line.ok()?).ok()?;
                Some(line.pointer("/fields/address")?.as_str()?.to_owned())
            })
            .expect("the server starts");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            started,
            _data_directory: data_directory,
        }
    }

    async fn first_certificate(&self, card: &str) -> Duration {
        let server = Self::start(card);
        request(&client(), &server.address, "first").await;
        server.started.elapsed()
    }

    fn cpu(&self) -> Duration {
        cpu(&self.child.id().to_string())
    }

    fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Processor time of a process, user and system.
fn cpu(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The second field, a name in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
    server_cpu: Duration,
    clients_cpu: Duration,
    peak_memory: u64,
}

impl Measured {
    fn print(&self, name: &str, clients: usize, signature: Duration) {
        let count = self.latencies.len();
        let percentile = |percent: usize| {
            self.latencies[(count * percent / 100).min(count - 1)].as_secs_f64() * 1e3
        };
        let server_cpu = self.server_cpu.as_secs_f64() / count as f64;
        println!(
            "{name:<18} {clients:>7} {:>12.0} {:>8.2} {:>8.2} {:>14.2} {:>11.0} {:>12.1} {:>12.2}",
            count as f64 / self.elapsed.as_secs_f64(),
            percentile(50),
            percentile(99),
            server_cpu * 1e3,
            server_cpu / signature.as_secs_f64(),
            self.peak_memory as f64 / 1024.0,
            self.clients_cpu.as_secs_f64() * 1e3 / count as f64,
        );
    }
}

async fn load(server: &Server, clients: usize, time: Duration) -> Measured {
    let numbers = Arc::new(AtomicUsize::new(0));
    let client = client();
    // Connections, caches and threads are made before the clock starts.
    for number in 0..20 {
        request(&client, &server.address, &format!("warm-{number}")).await;
    }
    let (server_cpu, clients_cpu) = (server.cpu(), cpu("self"));
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (client, address) = (client.clone(), server.address.clone());
            let numbers = Arc::clone(&numbers);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while start.elapsed() < time {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    latencies.push(request(&client, &address, &number.to_string()).await);
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let elapsed = start.elapsed();
    latencies.sort();
    Measured {
        latencies,
        elapsed,
        server_cpu: server.cpu() - server_cpu,
        clients_cpu: cpu("self") - clients_cpu,
        peak_memory: server.peak_memory(),
    }
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

fn client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// One certificate, and how long it took.
async fn request(client: &HttpClient, address: &str, number: &str) -> Duration {
    let body = EVENT
        .replace("2026-000481", number)
        .replace("CH-7QK2-M4TD", &format!("CH-{number}"));
    let request = Request::post(format!("http://{address}{PATH}"))
        .header("content-type", "application/fhir+json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let start = Instant::now();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let latency = start.elapsed();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    latency
}
