use std::fmt;

/// Why jobs cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// Some jobs are not described rightly. All mistakes are listed.
    #[error("correct the jobs: {}", list(.0))]
    Mistakes(Vec<JobMistake>),
    /// The scheduler did not start; without it no job runs on its schedule.
    #[error("the scheduler of jobs did not start: {0}; start the process again")]
    Scheduler(String),
    /// No job has this name; `GET /jobs` lists those there are.
    #[error("there is no job {0:?}")]
    Unknown(String),
}

/// One thing wrong with one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMistake {
    /// The job's name, as given.
    pub job: String,
    /// What is wrong, and what would be right.
    pub mistake: String,
}

impl fmt::Display for JobMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.job, self.mistake)
    }
}

fn list(mistakes: &[JobMistake]) -> String {
    mistakes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
