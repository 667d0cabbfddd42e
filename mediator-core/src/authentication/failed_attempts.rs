use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::ConnectInfo;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::refusal::AccessRefusal;

/// Addresses that are remembered at most.
const MOST_ADDRESSES: usize = 10_000;

/// Credentials that are remembered at most, and for how long.
const MOST_CREDENTIALS: usize = 4096;
const CREDENTIALS_GOOD_FOR: Duration = Duration::from_secs(600);

const MINUTE: Duration = Duration::from_secs(60);

/// Looks at the credentials of an address that has shown many bad ones only from time to time.
///
/// Many clients may share an address, behind a proxy or OpenHIM. So credentials that were good
/// lately are looked at whatever others have shown.
#[derive(Debug)]
pub(super) struct FailedAttempts {
    each_minute: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    addresses: HashMap<IpAddr, Failures>,
    /// SHA-256 of `Authorization` headers, and when they were good.
    good: HashMap<[u8; 32], Instant>,
}

/// Failures that are not forgiven yet: they are, evenly, as time goes by.
#[derive(Debug, Clone, Copy)]
struct Failures {
    number: f64,
    at: Instant,
}

/// Somebody who shows credentials.
pub(super) struct Attempt<'a> {
    attempts: &'a FailedAttempts,
    address: IpAddr,
    credentials: [u8; 32],
    now: Instant,
}

impl FailedAttempts {
    /// So many each minute.
    pub(super) fn new(each_minute: u32) -> Self {
        Self {
            each_minute,
            state: Mutex::default(),
        }
    }

    /// None when no credentials are shown, or nobody knows from where.
    ///
    /// # Errors
    /// [`AccessRefusal::TooManyAttempts`].
    pub(super) fn begin(
        &self,
        parts: &Parts,
        now: Instant,
    ) -> Result<Option<Attempt<'_>>, AccessRefusal> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let (Some(ConnectInfo(address)), Some(shown)) = (address, parts.headers.get(AUTHORIZATION))
        else {
            return Ok(None);
        };
        let mut credentials = [0; 32];
        credentials.copy_from_slice(digest(&SHA256, shown.as_bytes()).as_ref());
        let attempt = Attempt {
            attempts: self,
            address: network(address.ip()),
            credentials,
            now,
        };
        attempt.is_allowed()?;
        Ok(Some(attempt))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self, failures: Failures, now: Instant) -> f64 {
        let forgiven = f64::from(self.each_minute) * (now - failures.at).div_duration_f64(MINUTE);
        (failures.number - forgiven).max(0.0)
    }
}

impl Attempt<'_> {
    fn is_allowed(&self) -> Result<(), AccessRefusal> {
        let (attempts, now) = (self.attempts, self.now);
        let state = attempts.lock();
        let Some(failures) = state.addresses.get(&self.address) else {
            return Ok(());
        };
        let was_good = state
            .good
            .get(&self.credentials)
            .is_some_and(|at| now - *at < CREDENTIALS_GOOD_FOR);
        let excess = attempts.left(*failures, now) - f64::from(attempts.each_minute) + 1.0;
        if was_good || excess <= 0.0 {
            return Ok(());
        }
        let wait = MINUTE.mul_f64(excess / f64::from(attempts.each_minute));
        Err(AccessRefusal::TooManyAttempts { retry_after: wait })
    }

    /// The credentials are good.
    pub(super) fn succeeded(self) {
        let now = self.now;
        let good = &mut self.attempts.lock().good;
        make_room(good, MOST_CREDENTIALS, |at| {
            now - *at < CREDENTIALS_GOOD_FOR
        });
        good.insert(self.credentials, now);
    }

    /// The credentials are not good.
    pub(super) fn failed(self) {
        let (attempts, now) = (self.attempts, self.now);
        let addresses = &mut attempts.lock().addresses;
        let before = addresses.get(&self.address);
        let number = before.map_or(0.0, |failures| attempts.left(*failures, now)) + 1.0;
        if before.is_none() {
            make_room(addresses, MOST_ADDRESSES, |failures| {
                attempts.left(*failures, now) > 0.0
            });
        }
        addresses.insert(self.address, Failures { number, at: now });
    }
}

/// Makes room for one more: what is not needed any more goes, else any.
fn make_room<K: Copy + Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    most: usize,
    is_needed: impl Fn(&V) -> bool,
) {
    if map.len() < most {
        return;
    }
    map.retain(|_, value| is_needed(value));
    if map.len() >= most
        && let Some(any) = map.keys().next().copied()
    {
        map.remove(&any);
    }
}

/// Whoever has one address of IPv6 has as many as a /64 holds.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(address: &str, credentials: &str) -> Parts {
        let address: SocketAddr = address.parse().unwrap();
        let request = Request::builder()
            .extension(ConnectInfo(address))
            .header(AUTHORIZATION, credentials)
            .body(());
        request.unwrap().into_parts().0
    }

    fn fails(
        attempts: &FailedAttempts,
        address: &str,
        credentials: &str,
        now: Instant,
    ) -> Option<Duration> {
        match attempts.begin(&parts(address, credentials), now) {
            Ok(attempt) => {
                attempt.unwrap().failed();
                None
            }
            Err(AccessRefusal::TooManyAttempts { retry_after }) => Some(retry_after),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn many_failures_of_one_address_are_not_looked_at() {
        let attempts = FailedAttempts::new(30);
        let start = Instant::now();
        for number in 0..30 {
            let credentials = number.to_string();
            assert_eq!(fails(&attempts, "10.0.0.1:1", &credentials, start), None);
        }
        let wait = fails(&attempts, "10.0.0.1:2", "another", start).unwrap();
        assert_eq!(wait.as_millis().div_ceil(1000), 2, "one every two seconds");
        assert_eq!(fails(&attempts, "10.0.0.2:1", "another", start), None);
        let later = start + wait + Duration::from_millis(1);
        assert_eq!(fails(&attempts, "10.0.0.1:3", "another", later), None);
        assert!(fails(&attempts, "10.0.0.1:3", "another", later).is_some());
        let much_later = later + MINUTE;
        for _ in 0..30 {
            assert_eq!(fails(&attempts, "10.0.0.1:3", "another", much_later), None);
        }
        assert!(fails(&attempts, "10.0.0.1:3", "another", much_later).is_some());
    }

    #[test]
    fn what_was_good_is_looked_at_whatever_others_show() {
        let attempts = FailedAttempts::new(5);
        let good = parts("10.0.0.1:1", "good");
        let new = parts("10.0.0.1:1", "new");
        let mut now = Instant::now();
        attempts.begin(&good, now).unwrap().unwrap().succeeded();
        while fails(&attempts, "10.0.0.1:2", "bad", now).is_none() {}
        assert!(attempts.begin(&good, now).is_ok());
        assert!(attempts.begin(&new, now).is_err());
        now += CREDENTIALS_GOOD_FOR;
        while fails(&attempts, "10.0.0.1:2", "bad", now).is_none() {}
        assert!(attempts.begin(&good, now).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = FailedAttempts::new(5);
        let now = Instant::now();
        for number in 0..MOST_ADDRESSES + 50 {
            let [.., a, b, c] = number.to_be_bytes();
            let address = format!("10.{a}.{b}.{c}:1");
            assert_eq!(fails(&attempts, &address, "bad", now), None);
            let good = parts("192.0.2.1:1", &number.to_string());
            attempts.begin(&good, now).unwrap().unwrap().succeeded();
        }
        let state = attempts.lock();
        assert_eq!(state.addresses.len(), MOST_ADDRESSES);
        assert_eq!(state.good.len(), MOST_CREDENTIALS);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
