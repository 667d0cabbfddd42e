//! A collector that takes spans only as OTLP 1.x wants them: protobuf over HTTP. It reads them by
//! itself, as opentelemetry/proto/trace/v1/trace.proto numbers the fields.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;
use url::Url;

pub(crate) struct Collector {
    pub(crate) url: Url,
    spans: Arc<Mutex<Vec<Span>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) service: BTreeMap<String, String>,
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// Empty: this is the trace's first.
    pub(crate) parent_span_id: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    /// What is said in it.
    pub(crate) events: Vec<String>,
    /// 0 unset, 1 ok, 2 error.
    pub(crate) status: u64,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let spans = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&spans);
        let routes = Router::new().route(
            "/base/v1/traces",
            post(|headers: HeaderMap, body: Bytes| async move {
                let protobuf = [(header::CONTENT_TYPE, "application/x-protobuf")];
                if headers.get(header::CONTENT_TYPE)
                    != Some(&"application/x-protobuf".parse().unwrap())
                {
                    return (StatusCode::UNSUPPORTED_MEDIA_TYPE, protobuf);
                }
                match request(&body) {
                    Some(spans) => {
                        taken.lock().unwrap().extend(spans);
                        (StatusCode::OK, protobuf)
                    }
                    None => (StatusCode::BAD_REQUEST, protobuf),
                }
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            url: format!("http://{address}/base/").parse().unwrap(),
            spans,
        }
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

/// Fields of a protobuf message, by their numbers.
struct Message<'a>(Vec<(u64, Field<'a>)>);

#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = variable(&mut bytes)?;
            let field = match tag & 7 {
                0 => Field::Number(variable(&mut bytes)?),
                1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8)?.try_into().ok()?)),
                2 => {
                    let length = usize::try_from(variable(&mut bytes)?).ok()?;
                    Field::Bytes(take(&mut bytes, length)?)
                }
                5 => {
                    let number = u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?);
                    Field::Number(number.into())
                }
                _ => return None,
            };
            fields.push((tag >> 3, field));
        }
        Some(Self(fields))
    }

    fn all(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(at, field)| match field {
            Field::Bytes(bytes) if *at == number => Some(*bytes),
            _ => None,
        })
    }

    fn messages(&self, number: u64) -> Option<Vec<Message<'a>>> {
        self.all(number).map(Message::read).collect()
    }

    fn bytes(&self, number: u64) -> &'a [u8] {
        self.all(number).last().unwrap_or_default()
    }

    fn text(&self, number: u64) -> Option<String> {
        String::from_utf8(self.bytes(number).to_vec()).ok()
    }

    fn number(&self, number: u64) -> Option<u64> {
        self.0.iter().rev().find_map(|(at, field)| match field {
            Field::Number(value) if *at == number => Some(*value),
            _ => None,
        })
    }
}

fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// `ExportTraceServiceRequest`.
fn request(body: &[u8]) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for resource_spans in Message::read(body)?.messages(1)? {
        let service = attributes(&Message::read(resource_spans.bytes(1))?, 1)?;
        for scope_spans in resource_spans.messages(2)? {
            for one in scope_spans.messages(2)? {
                spans.push(span(&one, &service)?);
            }
        }
    }
    Some(spans)
}

fn span(message: &Message<'_>, service: &BTreeMap<String, String>) -> Option<Span> {
    let (start, end) = (message.number(7)?, message.number(8)?);
    let parent = message.bytes(4);
    let events = message.messages(11)?;
    let status = Message::read(message.bytes(15))?;
    let has_times = start > 0 && start <= end;
    let is_identified = is_id(message.bytes(1), 16)
        && is_id(message.bytes(2), 8)
        && (parent.is_empty() || is_id(parent, 8));
    (has_times && is_identified).then_some(Span {
        service: service.clone(),
        trace_id: hex(message.bytes(1)),
        span_id: hex(message.bytes(2)),
        parent_span_id: hex(parent),
        name: message.text(5).filter(|name| !name.is_empty())?,
        kind: message.number(6)?,
        attributes: attributes(message, 9)?,
        events: events
            .iter()
            .map(|event| event.text(2))
            .collect::<Option<_>>()?,
        status: status.number(3).unwrap_or(0),
    })
}

/// `KeyValue`s whose values are texts, numbers or truths.
fn attributes(message: &Message<'_>, number: u64) -> Option<BTreeMap<String, String>> {
    let pairs = message.messages(number)?;
    let pair = |pair: &Message<'_>| {
        let value = Message::read(pair.bytes(2))?;
        let text = match value.0.first()? {
            (1, Field::Bytes(_)) => value.text(1)?,
            (2 | 3, Field::Number(number)) => number.to_string(),
            _ => return None,
        };
        Some((pair.text(1)?, text))
    };
    pairs.iter().map(pair).collect()
}

fn is_id(id: &[u8], length: usize) -> bool {
    id.len() == length && id.iter().any(|byte| *byte != 0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
