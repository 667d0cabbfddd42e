//! Events that this process is issuing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// Ids of the events in work, which are not to be taken for interrupted ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct InWork(Arc<Mutex<HashSet<Uuid>>>);

/// As long as this value lives, the event is in work.
#[derive(Debug)]
pub(crate) struct Working {
    in_work: InWork,
    id: Uuid,
}

impl InWork {
    pub(crate) fn begin(&self, id: Uuid) -> Working {
        self.ids(|ids| ids.insert(id));
        Working {
            in_work: self.clone(),
            id,
        }
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.ids(|ids| ids.contains(&id))
    }

    fn ids<T>(&self, of: impl FnOnce(&mut HashSet<Uuid>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.in_work.ids(|ids| ids.remove(&self.id));
    }
}
