use std::time::Duration;

use super::redaction::Redaction;

/// When an answer is put into the envelope that OpenHIM core unpacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EnvelopeMode {
    /// When the request names a transaction of OpenHIM.
    #[default]
    WhenCalledByOpenHim,
    /// Always.
    Always,
    /// Never: the same routes answer as if there were no OpenHIM.
    Never,
}

/// How transactions are handled. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionSettings {
    /// URN of this mediator, as it is registered.
    pub mediator_urn: String,
    /// When answers become envelopes.
    pub envelope: EnvelopeMode,
    /// What is kept out of recorded calls.
    pub redaction: Redaction,
    /// Longest body of a recorded call that is kept whole; of a longer one its beginning is.
    pub maximum_recorded_body_bytes: usize,
    /// All recorded calls of one transaction together; of those beyond it neither headers nor
    /// bodies are kept.
    pub maximum_recorded_bytes: usize,
    /// Calls of one transaction that are recorded.
    pub maximum_recorded_calls: usize,
    /// Longest answer that is put into an envelope. A longer one passes through core as it is,
    /// and so does one that is no text.
    pub maximum_envelope_body_bytes: usize,
    /// Longest body that a call's answer may have.
    pub maximum_call_body_bytes: usize,
    /// Longest time of one call. The request's deadline shortens it.
    pub call_timeout: Duration,
    /// How long before the request's deadline its calls end, so that there is time to answer; a
    /// tenth of the request's time at most.
    pub answer_margin: Duration,
    /// Whether core has channels with `isAsynchronousProcess`, which show an
    /// [accepted](super::Transaction::accept) transaction as `Pending Async`: OpenHIM 8 has them.
    /// Without, it is `Processing` until it is complete.
    pub has_asynchronous_channels: bool,
    /// How long core is tried to be told what could not be in an answer, such as how
    /// [accepted](super::Transaction::accept) work ended.
    pub delivery_time: Duration,
}

impl TransactionSettings {
    /// For the mediator of this URN: envelopes when called by OpenHIM, 64 KiB of each recorded
    /// body, 2 MiB and 250 calls of one transaction, answers up to 4 MiB in envelopes and 32 MiB
    /// from back ends, 30 s for a call, 250 ms for answering, asynchronous
    /// channels, an hour to reach core.
    #[must_use]
    pub fn new(mediator_urn: impl Into<String>) -> Self {
        Self {
            mediator_urn: mediator_urn.into(),
            envelope: EnvelopeMode::default(),
            redaction: Redaction::default(),
            maximum_recorded_body_bytes: 64 * 1024,
            maximum_recorded_bytes: 2 * 1024 * 1024,
            maximum_recorded_calls: 250,
            maximum_envelope_body_bytes: 4 * 1024 * 1024,
            maximum_call_body_bytes: 32 * 1024 * 1024,
            call_timeout: Duration::from_secs(30),
            answer_margin: Duration::from_millis(250),
            has_asynchronous_channels: true,
            delivery_time: Duration::from_secs(3600),
        }
    }
}
