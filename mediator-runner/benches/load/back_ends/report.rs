use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::arguments::Arguments;
use super::super::bare_signature::bare_signature;
use super::{Figures, PORTS};

/// The table, line by line as it comes about; or JSON at the end.
pub(super) struct Report {
    json: bool,
    head: Value,
    lines: Vec<Value>,
    left_out: Vec<&'static str>,
    /// Certificates per second of the first line, by clients: what the others are compared with.
    first: BTreeMap<usize, f64>,
}

impl Report {
    pub(super) fn begin(arguments: &Arguments) -> Self {
        let signature = bare_signature().as_secs_f64() * 1e6;
        let processors = std::thread::available_parallelism().unwrap();
        if !arguments.json {
            println!("bare P-256 signature: {signature:.1} us; {processors} processors");
            println!(
                "{:<10} {:>7} {:>12} {:>7} {:>7} {:>7}   {:<70} {:>8} {:>8}",
                "",
                "",
                "certificates",
                "of the",
                "p50",
                "p99",
                "mean time of one, ms: in all; waiting for",
                "cpu, ms",
                ""
            );
            println!(
                "{:<10} {:>7} {:>12} {:>7} {:>7} {:>7}   {:>8} {:>11} {:>11} {:>11} {:>11} {:>13} {:>8} {:>8}",
                "back end",
                "clients",
                "per second",
                "first",
                "ms",
                "ms",
                "all",
                PORTS[0],
                PORTS[1],
                PORTS[2],
                PORTS[3],
                "before it",
                "mediator",
                "others"
            );
        }
        Self {
            json: arguments.json,
            head: json!({
                "seconds": arguments.seconds,
                "card": arguments.card.unwrap_or(false),
                "processors": processors,
                "bareSignatureMicroseconds": signature,
            }),
            lines: Vec::new(),
            left_out: Vec::new(),
            first: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, figures: Figures) {
        let measured = &figures.measured;
        let per_second = measured.per_second();
        let first = *self.first.entry(figures.clients).or_insert(per_second);
        let ports = figures.ports.map(|port| measured.each(port.total));
        // What the client waited for and the mediator did not see: OpenHIM, sockets, the clients.
        let before = measured.mean() - measured.each(figures.in_mediator);
        if !self.json {
            println!(
                "{:<10} {:>7} {per_second:>12.1} {:>6.0}% {:>7.1} {:>7.1}   {:>8.2} {:>11.2} {:>11.2} {:>11.2} {:>11.2} {before:>13.2} {:>8.2} {:>8.2}{}",
                figures.back_end,
                figures.clients,
                per_second / first * 100.0,
                measured.percentile(50),
                measured.percentile(99),
                measured.mean(),
                ports[0],
                ports[1],
                ports[2],
                ports[3],
                measured.server_cpu(),
                measured.others_cpu(),
                measured.refusals(),
            );
        }
        let waited: Map<String, Value> = PORTS
            .into_iter()
            .zip(figures.ports)
            .zip(ports)
            .map(|((name, port), milliseconds)| {
                let waited = json!({
                    "milliseconds": milliseconds,
                    "calls": port.count / measured.certificates() as f64,
                });
                (name.to_owned(), waited)
            })
            .collect();
        self.lines.push(json!({
            "backEnd": figures.back_end,
            "clients": figures.clients,
            "certificates": measured.certificates(),
            "refused": measured.refused().into_iter().map(|(status, count)| {
                json!({ "status": status, "count": count })
            }).collect::<Vec<_>>(),
            "certificatesPerSecond": per_second,
            "p50Milliseconds": measured.percentile(50),
            "p99Milliseconds": measured.percentile(99),
            "perCertificate": {
                "milliseconds": measured.mean(),
                "waitedFor": waited,
                "beforeMediatorMilliseconds": before,
                "mediatorCpuMilliseconds": measured.server_cpu(),
                "clientsCpuMilliseconds": measured.clients_cpu(),
                "othersCpuMilliseconds": measured.others_cpu(),
            },
            "peakMemoryMebibytes": measured.peak_memory as f64 / 1024.0,
        }));
    }

    pub(super) fn leave_out(&mut self, back_end: &'static str) {
        eprintln!("{back_end}: left out, as it is not installed");
        self.left_out.push(back_end);
    }

    pub(super) fn end(self) {
        if self.json {
            let mut report = self.head;
            report["leftOut"] = json!(self.left_out);
            report["lines"] = json!(self.lines);
            println!("{report:#}");
        } else {
            println!(
                "Waiting for a part is summed over its calls, which may run at the same time. Before it: \
                 OpenHIM, sockets and the clients. Others: whatever else used the machine."
            );
        }
    }
}
