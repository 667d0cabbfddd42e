use super::run::{JobReport, JobResult};

pub(super) fn describe() {
    metrics::describe_counter!("job_runs_total", "Runs of jobs, by job and result");
    metrics::describe_histogram!(
        "job_run_duration_seconds",
        metrics::Unit::Seconds,
        "Time that runs of jobs took, by job; those skipped left out"
    );
    metrics::describe_gauge!(
        "job_last_success_timestamp_seconds",
        metrics::Unit::Seconds,
        "When the last run that succeeded began, by job, as Unix time"
    );
}

pub(super) fn record(job: &str, report: &JobReport) {
    metrics::counter!(
        "job_runs_total",
        "job" => job.to_owned(),
        "result" => report.result.as_str(),
    )
    .increment(1);
    if report.result.is_skipped() {
        return;
    }
    metrics::histogram!("job_run_duration_seconds", "job" => job.to_owned())
        .record(report.duration.as_secs_f64());
    if report.result == JobResult::Ok {
        #[allow(
            clippy::cast_precision_loss,
            reason = "seconds are far below two to the power of 53"
        )]
        metrics::gauge!("job_last_success_timestamp_seconds", "job" => job.to_owned())
            .set(report.started_at.timestamp() as f64);
    }
}
