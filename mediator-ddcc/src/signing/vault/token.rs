use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

/// A token of Vault, and how long it is good for.
pub(super) struct VaultToken {
    pub(super) secret: SecretString,
    /// How long it was good for when it was got or renewed; `None` for ever.
    pub(super) lasts: Option<Duration>,
    pub(super) ends_at: Option<Instant>,
    pub(super) renewable: bool,
}

impl VaultToken {
    pub(super) fn new(secret: SecretString, seconds: u64, renewable: bool) -> Self {
        let lasts = (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            secret,
            lasts,
            ends_at: lasts.and_then(|lasts| Instant::now().checked_add(lasts)),
            renewable,
        }
    }

    /// What a login or a renewal answers with.
    pub(super) fn of_answer(answer: &Value) -> Option<Self> {
        let auth = &answer["auth"];
        Some(Self::new(
            auth["client_token"].as_str()?.to_owned().into(),
            auth["lease_duration"].as_u64()?,
            auth["renewable"].as_bool().unwrap_or_default(),
        ))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= Instant::now())
    }

    /// How long to wait with its renewal: about two thirds of its time, and not the same for all
    /// that began together.
    pub(super) fn renewed_after(&self) -> Option<Duration> {
        self.lasts.map(|lasts| lasts.mul_f64(spread(0.6, 0.7)))
    }

    /// How long to wait after a failed attempt.
    pub(super) fn attempted_after(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(200);
        const LONGEST: Duration = Duration::from_secs(30);
        let left = self
            .ends_at
            .map(|end| end.saturating_duration_since(Instant::now()));
        let wait = left.map_or(LONGEST, |left| left / 4);
        wait.clamp(SHORTEST, LONGEST).mul_f64(spread(0.8, 1.2))
    }
}

/// Somewhere between.
fn spread(from: f64, to: f64) -> f64 {
    let [random, ..] = *Uuid::new_v4().as_bytes();
    from + (to - from) * f64::from(random) / f64::from(u8::MAX)
}

/// Without the token.
impl fmt::Debug for VaultToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VaultToken")
            .field("lasts", &self.lasts)
            .field("renewable", &self.renewable)
            .finish_non_exhaustive()
    }
}
