use std::fs;
use std::time::Duration;

/// Of the times in `/proc`, on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of a process, user and system.
pub(crate) fn of_process(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The second field, a name in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    seconds(fields.split_whitespace().skip(11).take(2))
}

/// Processor time that was used on this machine since its start, by whomever.
pub(crate) fn of_machine() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let mut fields = stat.lines().next().unwrap().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq; what follows is others' or counted already.
    let busy: Vec<&str> = fields.by_ref().take(3).collect();
    let interrupts = fields.skip(2).take(2);
    seconds(busy.into_iter().chain(interrupts))
}

fn seconds<'a>(ticks: impl Iterator<Item = &'a str>) -> Duration {
    let ticks: f64 = ticks.map(|field| field.parse::<f64>().unwrap()).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}
