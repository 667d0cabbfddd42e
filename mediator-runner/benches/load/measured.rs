use std::time::{Duration, Instant};

use super::clients::{Answers, Clients};
use super::processor_time;
use super::server::Server;

/// What a load of some seconds has shown.
pub(crate) struct Measured {
    answers: Answers,
    elapsed: Duration,
    server_cpu: Duration,
    clients_cpu: Duration,
    machine_cpu: Duration,
    /// In KiB.
    pub(crate) peak_memory: u64,
}

impl Measured {
    pub(crate) async fn of(
        server: &Server,
        clients: &Clients,
        count: usize,
        time: Duration,
    ) -> Self {
        let cpu = || {
            [
                server.cpu(),
                processor_time::of_process("self"),
                processor_time::of_machine(),
            ]
        };
        let before = cpu();
        let start = Instant::now();
        let answers = clients.ask(count, time).await;
        let elapsed = start.elapsed();
        let after = cpu();
        let [server_cpu, clients_cpu, machine_cpu] =
            std::array::from_fn(|index| after[index].saturating_sub(before[index]));
        Self {
            answers,
            elapsed,
            server_cpu,
            clients_cpu,
            machine_cpu,
            peak_memory: server.peak_memory(),
        }
    }

    pub(crate) fn certificates(&self) -> usize {
        self.answers.latencies.len()
    }

    /// Requests that were answered with something else, by status.
    pub(crate) fn refused(&self) -> Vec<(u16, usize)> {
        let refused = self.answers.refused.iter();
        let mut refused: Vec<_> = refused
            .map(|(status, count)| (status.as_u16(), *count))
            .collect();
        refused.sort_unstable();
        refused
    }

    /// The same for people; empty when there are none.
    pub(crate) fn refusals(&self) -> String {
        let refused = self.refused().into_iter();
        let refused: Vec<_> = refused
            .map(|(status, count)| format!("  {count} answered with {status}"))
            .collect();
        refused.concat()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.certificates() as f64 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let count = self.certificates();
        let index = (count * percent / 100).min(count.saturating_sub(1));
        let latency = self.answers.latencies.get(index);
        latency.copied().map_or(f64::NAN, milliseconds)
    }

    /// Of the time that a certificate took, in milliseconds.
    pub(crate) fn mean(&self) -> f64 {
        self.each(self.answers.latencies.iter().sum())
    }

    /// In milliseconds for each certificate, as all the following.
    pub(crate) fn server_cpu(&self) -> f64 {
        self.each(self.server_cpu)
    }

    pub(crate) fn clients_cpu(&self) -> f64 {
        self.each(self.clients_cpu)
    }

    /// Of whatever else ran on this machine: the real servers, if nothing else did.
    pub(crate) fn others_cpu(&self) -> f64 {
        let known = self.server_cpu + self.clients_cpu;
        self.each(self.machine_cpu.saturating_sub(known))
    }

    pub(crate) fn each(&self, total: Duration) -> f64 {
        milliseconds(total) / self.certificates() as f64
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
