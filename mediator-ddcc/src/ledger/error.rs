use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

/// Why the ledger did not record. Nothing of what was asked has happened, or asking again changes
/// nothing more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The embedded database failed.
    #[error("the ledger is unavailable: {0}; check the free space and permissions of its database")]
    Unavailable(String),
    /// The server cannot be reached, or ended the connection.
    #[error(
        "the ledger's database cannot be reached: {0}; check that the server of ledger.url runs and can be reached from here"
    )]
    Unreachable(String),
    /// The server accepts connections and does not answer.
    #[error(
        "the ledger's database did not answer in time; check whether the server is overloaded, and ledger.maximum_connections"
    )]
    TimedOut,
    /// The server's certificate is not one to be trusted, or it speaks no TLS.
    #[error(
        "the ledger's database cannot be trusted: {0}; check ledger.ca_file and that the server's certificate names the host of ledger.url"
    )]
    Untrusted(String),
    /// The server does not know this role, or not with this password.
    #[error(
        "the ledger's database refused the role of ledger.url: {0}; check the role, ledger.password_file and the server's pg_hba.conf"
    )]
    NotAuthenticated(String),
    /// The database is not there.
    #[error("the ledger's database is not there: {0}; create it, as docs/operate.md shows")]
    NoDatabase(String),
    /// The role may not do what is needed.
    #[error(
        "the role of ledger.url may not use the ledger's database: {0}; make it the database's owner"
    )]
    NotPermitted(String),
    /// The disk of the server is full.
    #[error("the disk of the ledger's database is full; free or add space")]
    Full,
    /// The server takes no writes.
    #[error(
        "the ledger's database is read only; ledger.url must lead to the primary, not to a standby"
    )]
    ReadOnly,
    /// The server is too old.
    #[error("the ledger's database is PostgreSQL {version}; it must be {least} or newer")]
    TooOld {
        /// Its version.
        version: String,
        /// The oldest that will do.
        least: i32,
    },
    /// A newer version of this program wrote the tables.
    #[error("the ledger was written by a newer version of this program; run that version")]
    Newer,
    /// Anything else that the server reports.
    #[error("the ledger's database failed: {0}")]
    Failed(String),
}

impl LedgerError {
    /// Whether it passes when the database is there again, or has space again: without a change of
    /// the configuration, or of this program.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::Full
            | Self::ReadOnly
            | Self::Failed(_) => true,
            Self::Untrusted(_)
            | Self::NotAuthenticated(_)
            | Self::NoDatabase(_)
            | Self::NotPermitted(_)
            | Self::TooOld { .. }
            | Self::Newer => false,
        }
    }
}

impl From<LedgerError> for OperationOutcome {
    fn from(error: LedgerError) -> Self {
        Self::new(503, Issue::general(IssueType::Transient, error.to_string()))
    }
}
