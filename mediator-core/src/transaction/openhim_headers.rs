//! The headers in which core says whom a request comes from. Whoever reaches the mediator can send
//! them.

use http::{HeaderMap, HeaderName};

pub(super) const CLIENT_ID: HeaderName = HeaderName::from_static("x-openhim-clientid");

/// Longest id that is taken for one.
const MAXIMUM_LENGTH: usize = 255;

pub(super) fn is_of_openhim(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-openhim-")
}

/// The client that core asks for; an error when that is not clear.
pub(crate) fn client(headers: &HeaderMap) -> Result<Option<String>, ()> {
    let mut values = headers.get_all(CLIENT_ID).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let id = value.to_str().map_err(|_| ())?.trim();
    if values.next().is_some() || id.is_empty() || id.len() > MAXIMUM_LENGTH {
        return Err(());
    }
    Ok(Some(id.to_owned()))
}

/// Takes out whatever core alone may say.
pub(crate) fn remove(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_of_openhim(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}
