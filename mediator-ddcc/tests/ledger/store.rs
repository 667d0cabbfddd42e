//! An empty store of each kind, and workers on it.

use std::sync::Arc;
use std::time::Duration;

use mediator_ddcc::database::Database;
use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::ledger::{EventKey, Ledger};
use real_servers::postgresql::RealPostgreSql;
use tempfile::TempDir;
use tokio::sync::OnceCell;

static SERVER: OnceCell<Option<RealPostgreSql>> = OnceCell::const_new();

/// The server that tests share which do it no harm.
pub(crate) async fn server() -> Option<&'static RealPostgreSql> {
    SERVER.get_or_init(RealPostgreSql::start).await.as_ref()
}

pub(crate) fn settings(server: &RealPostgreSql, database: &str) -> PostgreSqlSettings {
    PostgreSqlSettings {
        password: Some(RealPostgreSql::PASSWORD.into()),
        ..PostgreSqlSettings::new(server.url(database).parse().unwrap())
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    PostgreSql,
}

pub(crate) enum Store {
    Sqlite(TempDir),
    PostgreSql(Box<PostgreSqlSettings>),
}

impl Store {
    /// None, with a word on standard error, when the server is not installed.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => Some(Self::Sqlite(TempDir::new().unwrap())),
            Kind::PostgreSql => {
                let server = server().await?;
                let database = server.create_database().await;
                Some(Self::PostgreSql(Box::new(settings(server, &database))))
            }
        }
    }

    /// The ledger as another process sees it.
    pub(crate) async fn worker(&self) -> Arc<dyn Ledger> {
        match self {
            Self::Sqlite(folder) => Arc::new(SqliteLedger::new(database(folder).await)),
            Self::PostgreSql(settings) => Arc::new(PostgreSqlLedger::new(settings).unwrap()),
        }
    }

    /// A process that ends at once unless it is kept: in PostgreSQL nobody sees its end before its
    /// lease is over.
    pub(crate) async fn worker_that_dies(&self) -> Arc<dyn Ledger> {
        match self {
            Self::Sqlite(_) => self.worker().await,
            Self::PostgreSql(settings) => {
                let settings = PostgreSqlSettings {
                    lease: Duration::from_millis(50),
                    ..*settings.clone()
                };
                Arc::new(PostgreSqlLedger::new(&settings).unwrap())
            }
        }
    }
}

pub(crate) async fn database(folder: &TempDir) -> Database {
    Database::open(&folder.path().join("ddcc.sqlite"))
        .await
        .unwrap()
}

pub(crate) fn key(text: &str) -> EventKey {
    EventKey(text.to_owned())
}
