use std::time::Duration;

/// Why a back end gave no answer. Every variant says what to do about it; none holds a secret, or
/// anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackEndError {
    /// No connection.
    #[error(
        "{back_end} at {address} cannot be reached ({reason}): \
         is it running, is its address right, and does the network let us through?"
    )]
    Unreachable {
        /// Name of the back end.
        back_end: String,
        /// Scheme, host and port.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// The connection broke off, or what came was no HTTP. The back end may have done what it was
    /// asked for.
    #[error("the answer of {back_end} at {address} broke off ({reason}): see its log")]
    Broken {
        /// Name of the back end.
        back_end: String,
        /// Scheme, host and port.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// No answer in time. The back end may have done what it was asked for.
    #[error(
        "{back_end} at {address} did not answer within {} s: \
         is it overloaded, or the timeout too short?", .after.as_secs_f32()
    )]
    TimedOut {
        /// Name of the back end.
        back_end: String,
        /// Scheme, host and port.
        address: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It failed too often just before; nothing was sent.
    #[error(
        "{back_end} is not asked because it failed several times in a row: \
         it is tried again in {} s", .retry_after.as_secs_f32().ceil()
    )]
    CircuitOpen {
        /// Name of the back end.
        back_end: String,
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// 401, or no token to be had.
    #[error("{back_end} does not let us in: {reason}")]
    NotAuthenticated {
        /// Name of the back end.
        back_end: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The answer is longer than
    /// [`maximum_response_bytes`](super::BackEndSettings::maximum_response_bytes).
    #[error("the answer of {back_end} is longer than the {maximum} bytes that are accepted")]
    AnswerTooLarge {
        /// Name of the back end.
        back_end: String,
        /// Longest body, in bytes.
        maximum: usize,
    },
    /// No TLS connection: its certificate is not trusted, ours not accepted, or it speaks no TLS.
    #[error(
        "there is no secure connection to {back_end} at {address} ({reason}): is the authority \
         that issued its certificate in the CA file, is the certificate for this name and still \
         valid, and does it accept our client certificate?"
    )]
    Tls {
        /// Name of the back end.
        back_end: String,
        /// Scheme, host and port.
        address: String,
        /// What TLS said.
        reason: String,
    },
    /// The call is none: its path, a header, or its body is wrong.
    #[error("{back_end} cannot be asked: {reason}")]
    Request {
        /// Name of the back end.
        back_end: String,
        /// What is wrong.
        reason: String,
    },
    /// The answer's body is not what it should be.
    #[error(
        "the answer of {back_end} is not {expected}: \
         is this its address, and not that of something in front of it?"
    )]
    NotUnderstood {
        /// Name of the back end.
        back_end: String,
        /// What it should be.
        expected: String,
    },
}

impl BackEndError {
    /// Whether the same call may succeed later although nobody changed it or the settings.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Broken { .. }
                | Self::TimedOut { .. }
                | Self::CircuitOpen { .. }
        )
    }

    /// The result in metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Broken { .. } => "broken",
            Self::TimedOut { .. } => "timed_out",
            Self::CircuitOpen { .. } => "circuit_open",
            Self::NotAuthenticated { .. } => "not_authenticated",
            Self::AnswerTooLarge { .. } => "too_large",
            Self::Tls { .. } => "tls",
            Self::Request { .. } | Self::NotUnderstood { .. } => "error",
        }
    }
}
