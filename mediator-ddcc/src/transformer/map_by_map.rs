//! Some maps here, some there.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::{Transformer, TransformerError};

/// Which maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapSelection {
    /// All.
    All,
    /// Those with these canonical urls.
    Only(HashSet<String>),
}

impl MapSelection {
    /// Whether it has the map of this url.
    #[must_use]
    pub fn contains(&self, map_url: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(urls) => urls.contains(map_url),
        }
    }
}

/// Sends selected maps to one engine, and all others to another.
pub struct MapByMap {
    /// Which.
    pub selection: MapSelection,
    /// Runs the selected maps.
    pub selected: Arc<dyn Transformer>,
    /// Runs the others.
    pub others: Arc<dyn Transformer>,
}

#[async_trait]
impl Transformer for MapByMap {
    async fn transform(
        &self,
        map_url: &str,
        input: &Value,
        seed: Uuid,
    ) -> Result<Value, TransformerError> {
        let engine = if self.selection.contains(map_url) {
            &self.selected
        } else {
            &self.others
        };
        engine.transform(map_url, input, seed).await
    }
}
