//! The connections that read.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{DatabaseError, WAIT, connect};

/// Connections that read at the same time.
const READERS: usize = 4;

#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<Path>,
    free: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// The right to one connection.
pub(super) struct Reader {
    readers: Readers,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self {
            path,
            free: Arc::new(Semaphore::new(READERS)),
            idle: Arc::default(),
        }
    }

    pub(super) async fn get(&self) -> Result<Reader, DatabaseError> {
        let permit = tokio::time::timeout(WAIT, Arc::clone(&self.free).acquire_owned());
        let permit = permit.await.map_err(|_| DatabaseError::Locked)?;
        Ok(Reader {
            readers: self.clone(),
            _permit: permit.map_err(|_| DatabaseError::Closed)?,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    pub(super) fn read<T, E: From<DatabaseError>>(
        self,
        job: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.readers.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.readers.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .map_err(DatabaseError::from)?,
        };
        let result = job(&connection);
        self.readers.idle().push(connection);
        result
    }
}
