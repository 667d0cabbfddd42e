//! Moving from the embedded database to a FHIR server, while certificates are issued and read.
//!
//! What is new goes to the server. What was stored before is moved with everything that belongs to
//! it, a holder's folder at a time; a folder that is asked for before its turn is moved at once. The
//! embedded database keeps what was moved, and notes that it was: an interrupted move goes on where
//! it was.

mod transfer;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;

use self::transfer::{TransferError, transfer};
use super::sqlite::{Key, SqliteRepository, Unmoved};
use super::{FhirRepository, RepositoryError, document_of_composition};
use crate::document::registration::Registration;

const LIST: &str = "List";

const LEFT: &str = "embedded_resources_to_move";

/// Resources that are looked for at a time.
const PAGE: u32 = 200;

/// Small resources that are moved together.
const TOGETHER: usize = 50;

/// A FHIR server in the place of the embedded database, whose content it takes over. Clones share
/// everything.
#[derive(Clone)]
pub struct MovingRepository(Arc<Inner>);

struct Inner {
    embedded: SqliteRepository,
    server: Box<dyn FhirRepository>,
    is_done: AtomicBool,
    /// One transfer at a time, so that nobody meets himself in the server.
    turn: Mutex<()>,
    /// One move at a time.
    moving: Mutex<()>,
}

/// What came of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Resources that are in the server now and were not before.
    pub moved: u32,
    /// What could not be moved; the log says why.
    pub left: Unmoved,
}

/// Describes the metrics of this module; needed once, after the recorder is installed.
pub fn describe_metrics() {
    metrics::describe_gauge!(
        LEFT,
        "Resources of the embedded database that are still to be moved to the FHIR server"
    );
}

impl MovingRepository {
    /// Nothing is moved yet.
    #[must_use]
    pub fn new(embedded: SqliteRepository, server: impl FhirRepository + 'static) -> Self {
        Self(Arc::new(Inner {
            embedded,
            server: Box::new(server),
            is_done: AtomicBool::new(false),
            turn: Mutex::new(()),
            moving: Mutex::new(()),
        }))
    }

    /// Moves what there is to be moved. What the server refuses, or has otherwise, is left and told
    /// in the log. While another call does it, this one waits for it.
    ///
    /// # Errors
    /// [`RepositoryError`] when the server or the database cannot be used: call it again.
    pub async fn move_all(&self) -> Result<Moved, RepositoryError> {
        let _moving = self.0.moving.lock().await;
        let embedded = &self.0.embedded;
        let mut failed = HashSet::new();
        let before = embedded.unmoved().await?;
        // Folders with all that is in them first, since the rest refers to these.
        self.move_each(Some(LIST), 1, &mut failed).await?;
        self.move_each(Some("Bundle"), 1, &mut failed).await?;
        self.move_each(None, TOGETHER, &mut failed).await?;
        let left = embedded.unmoved().await?;
        if left.resources == 0 {
            self.0.is_done.store(true, Ordering::Release);
        }
        Ok(Moved {
            moved: before.resources.saturating_sub(left.resources),
            left,
        })
    }

    async fn move_each(
        &self,
        resource_type: Option<&'static str>,
        together: usize,
        failed: &mut HashSet<Key>,
    ) -> Result<(), RepositoryError> {
        let mut last = None;
        loop {
            let left = self.0.embedded.unmoved().await?;
            metrics::gauge!(LEFT).set(f64::from(left.resources));
            let found = self
                .0
                .embedded
                .unmoved_after(last.as_ref(), resource_type, PAGE);
            let mut keys = found.await?;
            last = keys.last().cloned();
            if last.is_none() {
                return Ok(());
            }
            keys.retain(|key| !failed.contains(key));
            for keys in keys.chunks(together) {
                self.move_or_leave(keys, failed).await?;
            }
        }
    }

    /// Moves these with what belongs to them, as far as they can be.
    async fn move_or_leave(
        &self,
        keys: &[Key],
        failed: &mut HashSet<Key>,
    ) -> Result<(), RepositoryError> {
        match (self.bring(keys, failed).await, keys) {
            (Ok(()), _) => {}
            (Err(TransferError::Repository(error)), _) if is_of_the_server(&error) => {
                return Err(error);
            }
            (Err(error), [key]) => {
                match error {
                    TransferError::Left(_) => tracing::debug!(resource = %key, "{error}"),
                    error => {
                        tracing::error!(resource = %key, "not moved to the FHIR server: {error}")
                    }
                }
                failed.insert(key.clone());
            }
            // Most of them may be good.
            (Err(_), several) => {
                for key in several {
                    Box::pin(self.move_or_leave(std::slice::from_ref(key), failed)).await?;
                }
            }
        }
        Ok(())
    }

    /// Moves these with what belongs to them.
    async fn bring(&self, keys: &[Key], failed: &HashSet<Key>) -> Result<(), TransferError> {
        let _turn = self.0.turn.lock().await;
        let unmoved = self.0.embedded.unmoved_with(keys).await?;
        if let Some(left) = unmoved.iter().find(|unmoved| failed.contains(&unmoved.key)) {
            return Err(TransferError::Left(left.key.clone()));
        }
        transfer(&*self.0.server, &unmoved).await?;
        let moved = unmoved.into_iter();
        let moved = moved
            .map(|unmoved| (unmoved.key, unmoved.version))
            .collect();
        Ok(self.0.embedded.mark_as_moved(moved).await?)
    }

    async fn is_unmoved(&self, key: &Key) -> Result<bool, RepositoryError> {
        if self.0.is_done.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.0.embedded.is_unmoved(key).await
    }

    /// Moves what is about to be changed, or may be: a folder that gets a further document.
    async fn bring_now(&self, key: &Key) -> Result<(), RepositoryError> {
        match self.bring(std::slice::from_ref(key), &HashSet::new()).await {
            // The server's is that person's, whom the caller compares with its own.
            Ok(()) | Err(TransferError::AnotherPerson(_)) => Ok(()),
            Err(TransferError::Repository(error)) => Err(error),
            Err(error) => Err(RepositoryError::Refused(error.to_string())),
        }
    }
}

/// Whether it would refuse everything else likewise, now.
fn is_of_the_server(error: &RepositoryError) -> bool {
    matches!(
        error,
        RepositoryError::Unavailable(_)
            | RepositoryError::NotPermitted(_)
            | RepositoryError::Unreadable(_)
    )
}

#[async_trait]
impl FhirRepository for MovingRepository {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        for key in changed(&bundle) {
            if self.is_unmoved(&key).await? {
                self.bring_now(&key).await?;
            }
        }
        self.0.server.transaction(bundle).await
    }

    async fn provide_document_bundle(
        &self,
        registration: Registration<'_>,
    ) -> Result<(), RepositoryError> {
        self.0.server.provide_document_bundle(registration).await
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        let key = Key::new(resource_type, id);
        if self.is_unmoved(&key).await? {
            if resource_type != LIST {
                return self.0.embedded.read(resource_type, id).await;
            }
            self.bring_now(&key).await?;
        }
        self.0.server.read(resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        let mut unmoved = Vec::new();
        if !self.0.is_done.load(Ordering::Acquire) {
            for found in self.0.embedded.search(resource_type, parameters).await? {
                let key = Key::new(resource_type, id(&found));
                if !self.0.embedded.is_unmoved(&key).await? {
                    continue;
                }
                if resource_type == LIST {
                    self.bring_now(&key).await?;
                } else {
                    unmoved.push(found);
                }
            }
        }
        let mut found = self.0.server.search(resource_type, parameters).await?;
        // Some may have been moved since.
        let known: HashSet<String> = found.iter().map(|found| id(found).to_owned()).collect();
        unmoved.retain(|unmoved| !known.contains(id(unmoved)));
        found.extend(unmoved);
        Ok(found)
    }

    async fn document(&self, composition_id: &str) -> Result<Option<Value>, RepositoryError> {
        if self
            .is_unmoved(&Key::new("Composition", composition_id))
            .await?
        {
            return document_of_composition::assemble(self, composition_id).await;
        }
        self.0.server.document(composition_id).await
    }
}

/// What a transaction replaces or deletes.
fn changed(bundle: &Value) -> Vec<Key> {
    let entries = bundle.get("entry").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.pointer("/request/url")?.as_str()?.split_once('/'))
        .map(|(resource_type, id)| Key::new(resource_type, id))
        .collect()
}

fn id(resource: &Value) -> &str {
    resource
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
