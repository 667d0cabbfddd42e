use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which permissions somebody has, by name: of a role, of a certificate, of a client of OpenHIM.
///
/// ```
/// use mediator_core::authentication::Grants;
///
/// let grants = Grants::new()
///     .grant("read", ["*"])
///     .grant("order", ["physician", "realm:hospital"]);
/// assert!(grants.of(["nurse"]).contains("read"));
/// assert!(!grants.of(["nurse"]).contains("order"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<Arc<str>, BTreeSet<String>>);

impl Grants {
    /// For whoever is known.
    const EVERYBODY: &str = "*";

    /// Nobody has any permission.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a permission to everyone of these names; `*` is whoever is known by any name.
    #[must_use]
    pub fn grant<I>(mut self, permission: &str, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let names = names.into_iter().map(Into::into);
        self.0.entry(permission.into()).or_default().extend(names);
        self
    }

    /// The permissions of somebody with all of these names.
    #[must_use]
    pub fn of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<Arc<str>> {
        let names: Vec<&str> = names.into_iter().collect();
        let has = |granted: &BTreeSet<String>| {
            names.iter().any(|name| granted.contains(*name))
                || (!names.is_empty() && granted.contains(Self::EVERYBODY))
        };
        self.0
            .iter()
            .filter(|(_, granted)| has(granted))
            .map(|(permission, _)| Arc::clone(permission))
            .collect()
    }

    /// Whether nobody has any permission.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole_and_exactly() {
        let grants = Grants::new()
            .grant("issue", ["CN=lab"])
            .grant("read", ["*"]);
        let has = |name: &str| grants.of([name]).contains("issue");
        assert!(has("CN=lab"));
        for other in ["CN=lab,O=x", "CN=la", "cn=lab", ""] {
            assert!(!has(other), "{other}");
        }
        assert!(grants.of(["anybody"]).contains("read"));
        assert!(grants.of([]).is_empty());
    }
}
