use std::fmt;

use serde::{Deserialize, Serialize};

/// Status of a transaction in OpenHIM; the console's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TransactionStatus {
    /// Core waits for the mediator. Core sets it; whoever sets it by hand leaves it so for ever.
    Processing,
    /// Answered as accepted; the mediator will complete it. OpenHIM 4 does not know it.
    #[serde(rename = "Pending Async")]
    PendingAsync,
    /// Everything went well.
    Successful,
    /// Answered, but not with what the client wanted: its own mistake.
    Completed,
    /// Answered well, although something failed on the way.
    #[serde(rename = "Completed with error(s)")]
    CompletedWithErrors,
    /// No useful answer.
    Failed,
}

impl TransactionStatus {
    pub(super) fn pending_async() -> Self {
        Self::PendingAsync
    }

    pub(super) fn is_pending_async(&self) -> bool {
        *self == Self::PendingAsync
    }

    /// As core spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "Processing",
            Self::PendingAsync => "Pending Async",
            Self::Successful => "Successful",
            Self::Completed => "Completed",
            Self::CompletedWithErrors => "Completed with error(s)",
            Self::Failed => "Failed",
        }
    }
}

impl fmt::Display for TransactionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
