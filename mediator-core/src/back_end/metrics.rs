use std::time::Duration;

pub(crate) fn describe() {
    metrics::describe_counter!(
        "back_end_calls_total",
        "Calls to back ends, by back end and result: the class of the answer's status, or why there was none"
    );
    metrics::describe_histogram!(
        "back_end_call_duration_seconds",
        metrics::Unit::Seconds,
        "Time that calls took, all attempts and waits between them included, by back end"
    );
    metrics::describe_counter!(
        "back_end_retries_total",
        "Further attempts of calls, by back end and what the attempt before ended with"
    );
    metrics::describe_gauge!(
        "back_end_circuit_state",
        "1 for the state that a back end's circuit breaker is in, 0 for the others, by back end and state"
    );
}

pub(super) fn called(back_end: &str, result: &'static str, duration: Duration) {
    let label = back_end.to_owned();
    metrics::counter!("back_end_calls_total", "back_end" => label.clone(), "result" => result)
        .increment(1);
    metrics::histogram!("back_end_call_duration_seconds", "back_end" => label)
        .record(duration.as_secs_f64());
}

pub(super) fn retried(back_end: &str, reason: &'static str) {
    let label = back_end.to_owned();
    metrics::counter!("back_end_retries_total", "back_end" => label, "reason" => reason)
        .increment(1);
}

pub(super) fn circuit(back_end: &str, current: &'static str) {
    for state in ["closed", "open", "half_open"] {
        let is_current = if state == current { 1.0 } else { 0.0 };
        let label = back_end.to_owned();
        metrics::gauge!("back_end_circuit_state", "back_end" => label, "state" => state)
            .set(is_current);
    }
}
