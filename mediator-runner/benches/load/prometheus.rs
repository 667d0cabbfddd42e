use std::collections::BTreeMap;
use std::time::Duration;

/// What the server has counted so far, as far as it is about time.
pub(crate) struct Prometheus {
    /// Sums and numbers of durations, by metric and its first label.
    durations: BTreeMap<(String, String), (f64, f64)>,
}

/// Durations, and how many.
#[derive(Default, Clone, Copy)]
pub(crate) struct Durations {
    pub(crate) total: Duration,
    pub(crate) count: f64,
}

impl Prometheus {
    pub(crate) async fn read(address: &str) -> Self {
        let answer = reqwest::get(format!("http://{address}/metrics")).await;
        let text = answer.unwrap().text().await.unwrap();
        let mut durations = BTreeMap::<_, (f64, f64)>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let label = labels.split('"').nth(1).unwrap_or_default().to_owned();
            let value: f64 = value.parse().unwrap();
            if let Some(name) = name.strip_suffix("_sum") {
                durations.entry((name.to_owned(), label)).or_default().0 += value;
            } else if let Some(name) = name.strip_suffix("_count") {
                durations.entry((name.to_owned(), label)).or_default().1 += value;
            }
        }
        Self { durations }
    }

    /// Of this metric with this first label, since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self, metric: &str, label: &str) -> Durations {
        let key = (metric.to_owned(), label.to_owned());
        let of = |read: &Self| read.durations.get(&key).copied().unwrap_or_default();
        let ((total, count), (earlier_total, earlier_count)) = (of(self), of(earlier));
        Durations {
            total: Duration::from_secs_f64((total - earlier_total).max(0.0)),
            count: count - earlier_count,
        }
    }
}
