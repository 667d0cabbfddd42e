//! Why a transform stops.

use std::time::Duration;

use crate::error::TransformError;

/// What a rule says when it cannot go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What does not fit; never quotes the input.
    Reason(String),
    /// What is missing among the definitions.
    Definitions(String),
    /// What would be too much.
    Limit(Exceeded),
    /// A rule further inside has failed, and says so itself.
    Inside(TransformError),
}

/// A bound that a transform reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Depth(usize),
    Steps(u64),
    OutputBytes(usize),
    Time(Duration),
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Depth(limit) => write!(
                formatter,
                "more than {limit} rules, groups or elements would be inside one another"
            ),
            Self::Steps(limit) => write!(formatter, "more than {limit} steps would be taken"),
            Self::OutputBytes(limit) => {
                write!(formatter, "the output would be larger than {limit} bytes")
            }
            Self::Time(limit) => write!(formatter, "it takes longer than {limit:?}"),
        }
    }
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl From<Exceeded> for Stop {
    fn from(exceeded: Exceeded) -> Self {
        Self::Limit(exceeded)
    }
}

impl From<TransformError> for Stop {
    fn from(error: TransformError) -> Self {
        Self::Inside(error)
    }
}
