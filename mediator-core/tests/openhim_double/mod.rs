//! A double of OpenHIM core's API, in this process, as strict as the real one: it takes only the
//! authentication of its version, and refuses, ignores and forgets what core 4.0.5 and 8.5.0 do.
//!
//! ```ignore
//! #[path = "../openhim_double/mod.rs"]
//! mod openhim_double;
//! ```
#![allow(dead_code, reason = "each test binary uses what it needs")]
#![allow(clippy::result_large_err, reason = "a refusal is a whole answer")]

mod access;
mod api;
mod audits;
mod channels;
mod clients;
mod connections;
mod mediators;
mod roles;
mod transactions;
mod users;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use mediator_core::openhim::{OpenHim, OpenHimSettings};
use serde_json::Value;
use tokio::task::JoinHandle;

pub(crate) use access::{AuthenticatedBy, User};

/// Which core it behaves as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 4.0.5: tokens only; whoever may do anything is in the group `admin`.
    V4,
    /// 8.5.0: HTTP Basic, tokens for users that have one; permissions.
    V8,
}

/// What happens to a request instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This status, before anything is done.
    Refuse(StatusCode),
    /// The connection closes before anything is done.
    Close,
    /// It is done, and the connection closes before the answer.
    CloseAfterwards,
    /// Nothing, for longer than anyone waits.
    Hang,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) by: Option<AuthenticatedBy>,
}

/// A core that runs; it stops when dropped.
pub(crate) struct OpenHimDouble {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    state: Shared,
    serving: JoinHandle<()>,
}

type Shared = Arc<Mutex<State>>;

struct State {
    version: Version,
    started: Instant,
    uptime_before: Duration,
    clock_ahead: chrono::TimeDelta,
    users: Vec<User>,
    mediators: Vec<Value>,
    channels: Vec<Value>,
    scheduled: Vec<String>,
    transactions: Vec<Value>,
    clients: Vec<Value>,
    roles: Vec<Value>,
    user_documents: Vec<Value>,
    audits: Vec<Value>,
    triggered: Vec<String>,
    faults: Vec<(Option<&'static str>, Fault)>,
    seen: Vec<Seen>,
    next_id: u64,
}

impl OpenHimDouble {
    /// A core with the user `root@openhim.org` alone.
    pub(crate) async fn start(version: Version) -> Self {
        let state = Arc::new(Mutex::new(State {
            version,
            started: Instant::now(),
            uptime_before: Duration::ZERO,
            clock_ahead: chrono::TimeDelta::zero(),
            users: vec![User::root(version)],
            mediators: Vec::new(),
            channels: Vec::new(),
            scheduled: Vec::new(),
            transactions: Vec::new(),
            clients: Vec::new(),
            roles: Vec::new(),
            user_documents: Vec::new(),
            audits: Vec::new(),
            triggered: Vec::new(),
            faults: Vec::new(),
            seen: Vec::new(),
            next_id: 1,
        }));
        Self::serve("127.0.0.1:0".parse().unwrap(), state, None).await
    }

    /// The same with TLS.
    pub(crate) async fn start_with_tls(version: Version, tls: rustls::ServerConfig) -> Self {
        let double = Self::start(version).await;
        let state = Arc::clone(&double.state);
        Self::serve("127.0.0.1:0".parse().unwrap(), state, Some(Arc::new(tls))).await
    }

    async fn serve(
        address: SocketAddr,
        state: Shared,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = connections::bind(address).await;
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let router = api::router(Arc::clone(&state));
        let serving = tokio::spawn(connections::serve(listener, router, tls));
        Self {
            address,
            scheme,
            state,
            serving,
        }
    }

    pub(crate) fn url(&self) -> url::Url {
        format!("{}://{}", self.scheme, self.address)
            .parse()
            .unwrap()
    }

    /// Settings of root. Attempts follow each other at once.
    pub(crate) fn settings(&self) -> OpenHimSettings {
        self.settings_of("root@openhim.org", "openhim-password")
    }

    pub(crate) fn settings_of(&self, username: &str, password: &str) -> OpenHimSettings {
        OpenHimSettings {
            first_retry_delay: Duration::from_millis(5),
            ..OpenHimSettings::new(self.url(), username, password.to_owned().into())
        }
    }

    pub(crate) fn client(&self) -> OpenHim {
        OpenHim::new(&self.settings()).unwrap()
    }

    pub(crate) fn client_of(&self, username: &str, password: &str) -> OpenHim {
        OpenHim::new(&self.settings_of(username, password)).unwrap()
    }

    pub(crate) fn add_user(&self, user: User) {
        self.lock().users.push(user);
    }

    /// The clock of core's machine is ahead of ours.
    pub(crate) fn set_clock_ahead(&self, ahead: chrono::TimeDelta) {
        self.lock().clock_ahead = ahead;
    }

    /// The next requests, one each, whatever they are for.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock()
            .faults
            .extend(faults.into_iter().map(|fault| (None, fault)));
    }

    /// The next requests whose path ends so.
    pub(crate) fn fail_next_of(&self, path: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.lock()
            .faults
            .extend(faults.into_iter().map(|fault| (Some(path), fault)));
    }

    /// Core's process is killed; what it has stored stays, and it can be started again.
    pub(crate) async fn kill(mut self) -> Killed {
        self.serving.abort();
        let _ = (&mut self.serving).await;
        let address = self.address;
        let state = Arc::clone(&self.state);
        drop(self);
        Killed { address, state }
    }

    /// As if it had been started so long ago.
    pub(crate) fn run_since(&self, uptime: Duration) {
        self.lock().uptime_before = uptime;
    }

    /// As after a loss of the database.
    pub(crate) fn forget_mediators(&self) {
        self.lock().mediators.clear();
    }

    /// What an operator does in the console.
    pub(crate) fn set_config_in_console(&self, urn: &str, config: Value) {
        mediators::set_config(&mut self.lock(), urn, config);
    }

    pub(crate) fn change_mediator(&self, urn: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let mediator = mediators::find(&mut state, urn).unwrap();
        change(mediator);
    }

    pub(crate) fn mediator(&self, urn: &str) -> Option<Value> {
        mediators::find(&mut self.lock(), urn).cloned()
    }

    pub(crate) fn add_channel(&self, channel: Value) {
        channels::store(&mut self.lock(), channel).unwrap();
    }

    pub(crate) fn channels(&self) -> Vec<Value> {
        self.lock().channels.clone()
    }

    /// Names of the channels that are polled.
    pub(crate) fn polled(&self) -> Vec<String> {
        let state = self.lock();
        state
            .channels
            .iter()
            .filter(|channel| {
                state
                    .scheduled
                    .iter()
                    .any(|id| channel["_id"] == id.as_str())
            })
            .map(|channel| channel["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Identifiers of the channels that were run by hand.
    pub(crate) fn triggered(&self) -> Vec<String> {
        self.lock().triggered.clone()
    }

    pub(crate) fn clients(&self) -> Vec<Value> {
        self.lock().clients.clone()
    }

    pub(crate) fn roles(&self) -> Vec<Value> {
        self.lock().roles.clone()
    }

    pub(crate) fn users(&self) -> Vec<Value> {
        self.lock().user_documents.clone()
    }

    /// As after logging in with another provider.
    pub(crate) fn change_user(&self, email: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let mut users = state.user_documents.iter_mut();
        change(users.find(|user| user["email"] == email).unwrap());
    }

    /// Stores an audit record, and gives its id.
    pub(crate) fn add_audit(&self, mut audit: Value) -> String {
        let mut state = self.lock();
        let id = state.id();
        audit["_id"] = id.clone().into();
        state.audits.push(audit);
        id
    }

    /// Stores a transaction as routing one would, and gives its id.
    pub(crate) fn add_transaction(&self, transaction: Value) -> String {
        transactions::store(&mut self.lock(), transaction)
    }

    pub(crate) fn transaction(&self, id: &str) -> Option<Value> {
        self.lock()
            .transactions
            .iter()
            .find(|transaction| transaction["_id"] == id)
            .cloned()
    }

    /// Every request since the last time it was asked.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.lock().seen)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for OpenHimDouble {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A core that does not run.
pub(crate) struct Killed {
    address: SocketAddr,
    state: Shared,
}

impl Killed {
    /// Starts it at the same address with what it had stored.
    pub(crate) async fn start_again(self) -> OpenHimDouble {
        {
            let mut state = self.state.lock().unwrap();
            state.started = Instant::now();
            state.uptime_before = Duration::ZERO;
            channels::schedule_all(&mut state);
        }
        OpenHimDouble::serve(self.address, self.state, None).await
    }
}

impl State {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        chrono::Utc::now() + self.clock_ahead
    }

    /// As MongoDB makes them: 24 hexadecimal digits.
    fn id(&mut self) -> String {
        self.next_id += 1;
        format!("{:024x}", self.next_id)
    }
}

/// Drops what a schema does not have, as core does without a word.
fn keep_schema(document: &mut Value, schema: &[&str]) {
    if let Some(members) = document.as_object_mut() {
        members.retain(|name, _| schema.contains(&name.as_str()));
    }
}
