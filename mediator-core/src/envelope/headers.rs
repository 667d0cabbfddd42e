use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::properties::storable;

/// Headers as core stores them and gives them to clients: names in lower case, values text.
///
/// Several values of one name are joined with `, ` (RFC 9110 section 5.3). Only `Set-Cookie` stays
/// a list: core loses a cookie that does not come in one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordedHeaders(HeaderMap);

impl RecordedHeaders {
    /// The value of this name; the first of several.
    #[must_use]
    pub fn get(&self, name: impl header::AsHeaderName) -> Option<String> {
        self.0.get(name).map(text)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum()
    }
}

impl From<HeaderMap> for RecordedHeaders {
    fn from(headers: HeaderMap) -> Self {
        Self(headers)
    }
}

impl fmt::Debug for RecordedHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Header values are Latin-1 where they are not ASCII, and Node writes them so.
fn text(value: &HeaderValue) -> String {
    match value.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

fn bytes(text: &str) -> Option<HeaderValue> {
    let bytes: Vec<u8> = text
        .chars()
        .map(|character| u8::try_from(u32::from(character)))
        .collect::<Result<_, _>>()
        .ok()?;
    HeaderValue::from_bytes(&bytes).ok()
}

/// Headers that core sends on, under their own names and without those that it sets itself.
pub(super) struct SentHeaders<'a>(pub(super) &'a RecordedHeaders);

impl Serialize for SentHeaders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = &self.0.0;
        let mut map = serializer.serialize_map(None)?;
        for name in headers.keys().filter(|name| !is_set_by_core(name)) {
            map.serialize_key(name.as_str())?;
            write_values::<S>(headers, name, &mut map)?;
        }
        map.end()
    }
}

fn is_set_by_core(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
    ]
    .contains(name)
}

impl Serialize for RecordedHeaders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            if name.as_str().contains(['.', '$']) {
                map.serialize_key(&storable(name.as_str()))?;
            } else {
                map.serialize_key(name.as_str())?;
            }
            write_values::<S>(&self.0, name, &mut map)?;
        }
        map.end()
    }
}

fn write_values<S: Serializer>(
    headers: &HeaderMap,
    name: &HeaderName,
    map: &mut S::SerializeMap,
) -> Result<(), S::Error> {
    let mut values = headers.get_all(name).iter();
    if *name == header::SET_COOKIE {
        return map.serialize_value(&values.map(text).collect::<Vec<_>>());
    }
    let (first, more) = (values.next(), values.next().is_some());
    match first.map(HeaderValue::to_str) {
        Some(Ok(only)) if !more => map.serialize_value(only),
        _ => {
            let all: Vec<_> = headers.get_all(name).iter().map(text).collect();
            map.serialize_value(&all.join(", "))
        }
    }
}

impl<'de> Deserialize<'de> for RecordedHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum Values {
    One(String),
    Several(Vec<String>),
}

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = RecordedHeaders;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedHeaders, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some((key, values)) = map.next_entry::<String, Values>()? {
            let key = key.replace('\u{ff0e}', ".").replace('\u{ff04}', "$");
            let name = HeaderName::try_from(key)
                .map_err(|_| de::Error::custom("a header's name is none"))?;
            let values = match values {
                Values::One(value) => vec![value],
                Values::Several(values) => values,
            };
            for value in values {
                let value = bytes(&value).ok_or_else(|| {
                    de::Error::custom(format_args!("the value of header {name} is none"))
                })?;
                headers.append(name.clone(), value);
            }
        }
        Ok(RecordedHeaders(headers))
    }
}
