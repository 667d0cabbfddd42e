use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Where a request belongs in a distributed trace: W3C Trace Context, `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// A new trace, not sampled unless someone else decides so.
    #[must_use]
    pub fn start() -> Self {
        Self {
            trace_id: Uuid::new_v4().as_u128(),
            span_id: new_span_id(),
            flags: 0,
        }
    }

    /// Reads `traceparent` (section 3.2.2); `None` for what has to be ignored.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let (head, rest) = bytes.split_at_checked(55)?;
        let version = hexadecimal(&head[..2])?;
        let is_known = version == 0 && rest.is_empty();
        let is_newer =
            (1..0xff).contains(&version) && rest.first().is_none_or(|byte| *byte == b'-');
        let has_dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        if !has_dashes || !(is_known || is_newer) {
            return None;
        }
        let trace_id = hexadecimal(&head[3..35])?;
        let span_id = u64::try_from(hexadecimal(&head[36..52])?).ok()?;
        let flags = u8::try_from(hexadecimal(&head[53..55])?).ok()?;
        (trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            // Only `sampled` is known of version 00, in which it is written again.
            flags: flags & 1,
        })
    }

    /// The same trace, in a new span.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: new_span_id(),
            ..self
        }
    }

    /// The trace's id: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span's id: 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }

    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
    }

    pub(super) fn header_value(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }
}

/// As `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.span_id, self.flags
        )
    }
}

/// Never zero: a UUID's lower half holds its variant.
fn new_span_id() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

/// Lower-case digits only, as the specification wants.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_child_is_another_span_of_the_same_trace() {
        let parent = TraceContext::parse(EXAMPLE).unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        let child = parent.child();
        assert_eq!(child.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(child.span_id(), parent.span_id());
        assert!(child.to_string().ends_with("-01"));
    }

    #[rstest]
    #[case::empty("")]
    #[case::upper_case("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    #[case::zero_trace("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    #[case::zero_span("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    #[case::version_ff("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    #[case::more_in_version_00("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")]
    #[case::no_dash_after_a_newer_one("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x")]
    fn what_is_no_traceparent_is_ignored(#[case] text: &str) {
        assert_eq!(TraceContext::parse(text), None);
    }

    #[test]
    fn a_newer_version_is_read_as_far_as_it_is_known() {
        let text = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more";
        assert_eq!(TraceContext::parse(text).unwrap().to_string(), EXAMPLE);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_ignored(text in "\\PC*") {
            let _ = TraceContext::parse(&text);
        }

        #[test]
        fn what_is_written_is_read(trace_id in 1_u128.., span_id in 1_u64.., flags in 0..=1_u8) {
            let context = TraceContext { trace_id, span_id, flags };
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        }
    }
}
