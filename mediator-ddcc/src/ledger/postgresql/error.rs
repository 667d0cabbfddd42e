//! What PostgreSQL and the way there report, as what the operator can do about it.
//!
//! Codes: PostgreSQL documentation, appendix A.

use std::io::ErrorKind;

use sqlx::migrate::MigrateError;

use crate::ledger::LedgerError;

/// Whether the connection is gone, and another one may do.
pub(super) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Class 08: connection exception; 57P01 to 57P03: the server ends, crashed or starts.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P0")),
        _ => false,
    }
}

/// Whether the same statement may succeed at once.
pub(super) fn is_repeatable(error: &sqlx::Error) -> bool {
    // Serialization failure and deadlock: another transaction was first.
    let collided = error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| matches!(&*code, "40001" | "40P01"));
    collided || is_connection_lost(error)
}

pub(super) fn ledger_error(error: &sqlx::Error) -> LedgerError {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Tls(reason) => return LedgerError::Untrusted(reason.to_string()),
        // A handshake that the certificate ends comes as one of these.
        sqlx::Error::Io(reason) if reason.kind() == ErrorKind::InvalidData => {
            return LedgerError::Untrusted(reason.to_string());
        }
        sqlx::Error::Io(reason) => return LedgerError::Unreachable(reason.to_string()),
        sqlx::Error::PoolTimedOut => return LedgerError::TimedOut,
        sqlx::Error::Migrate(error) => return migration_error(error),
        _ => return LedgerError::Failed(error.to_string()),
    };
    let message = || database.message().to_owned();
    let code = database.code().unwrap_or_default();
    match &*code {
        // Of the same class are other resources that are used up.
        "53100" => LedgerError::Full,
        "53300" => LedgerError::Unreachable(message()),
        "25006" => LedgerError::ReadOnly,
        "3D000" => LedgerError::NoDatabase(message()),
        "42501" => LedgerError::NotPermitted(message()),
        "57014" => LedgerError::TimedOut,
        code if code.starts_with("28") => LedgerError::NotAuthenticated(message()),
        code if code.starts_with("08") || code.starts_with("57P0") => {
            LedgerError::Unreachable(message())
        }
        // These messages repeat values.
        code if code.starts_with("22") || code.starts_with("23") => {
            LedgerError::Failed(format!("SQLSTATE {code}"))
        }
        code => LedgerError::Failed(format!("{} (SQLSTATE {code})", database.message())),
    }
}

pub(super) fn migration_error(error: &MigrateError) -> LedgerError {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => LedgerError::Newer,
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            ledger_error(error)
        }
        error => LedgerError::Failed(error.to_string()),
    }
}
