//! Sessions with the token, kept for the next call and opened anew when they are gone.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::super::PublicKey;
use super::error::{Failure, refused_login};
use super::module::Module;
use super::{Pin, TokenChoice};

/// How long a failure to connect stands for the next ones: a token that is gone is not asked for
/// by every signature.
const PAUSE: Duration = Duration::from_secs(1);

/// What leads to the token.
pub(super) struct Connections {
    module: Arc<Module>,
    token: TokenChoice,
    pin: Pin,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// How many connections there were.
    generation: u64,
    failed: Option<(Instant, Failure)>,
    /// Of the PIN that the token refused.
    refused_pin: Option<(Vec<u8>, &'static str)>,
}

/// One login, and the sessions that live of it.
struct Connection {
    slot: Slot,
    /// Keeps the login: it ends with the last session.
    _login: Session,
    idle: Vec<Session>,
    handles: Arc<Mutex<HashMap<PublicKey, ObjectHandle>>>,
    mechanisms: Arc<[MechanismType]>,
}

/// A session for one call.
pub(super) struct Lease {
    pub(super) session: Session,
    module: Arc<Module>,
    slot: Slot,
    generation: u64,
    handles: Arc<Mutex<HashMap<PublicKey, ObjectHandle>>>,
    mechanisms: Arc<[MechanismType]>,
}

impl Connections {
    pub(super) fn new(module: Arc<Module>, token: TokenChoice, pin: Pin) -> Self {
        Self {
            module,
            token,
            pin,
            state: Mutex::default(),
        }
    }

    /// Works in a session; once more in that of a new connection when the first one was gone.
    pub(super) fn with<T>(
        &self,
        work: impl Fn(&mut Lease) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut is_repeated = false;
        loop {
            let mut lease = self.lease()?;
            let calls = self.module.calls.read();
            let _calls = calls.unwrap_or_else(PoisonError::into_inner);
            let generation = lease.generation;
            match work(&mut lease) {
                Ok(done) => {
                    self.give_back(lease);
                    return Ok(done);
                }
                Err(Failure::Gone(reason)) if !is_repeated => {
                    is_repeated = true;
                    drop(lease);
                    tracing::warn!("the PKCS#11 token failed and is connected to again: {reason}");
                    self.disconnect(generation);
                }
                Err(Failure::Refused(reason)) => {
                    self.give_back(lease);
                    return Err(Failure::Refused(reason));
                }
                Err(failure) => {
                    drop(lease);
                    self.disconnect(generation);
                    return Err(failure);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> Result<Lease, Failure> {
        let mut state = self.state();
        if state.connection.is_none() {
            if let Some((at, failure)) = &state.failed
                && at.elapsed() < PAUSE
            {
                return Err(failure.clone());
            }
            match self.connect(&mut state) {
                Ok(connection) => {
                    state.failed = None;
                    state.generation += 1;
                    state.connection = Some(connection);
                }
                Err(failure) => {
                    state.failed = Some((Instant::now(), failure.clone()));
                    return Err(failure);
                }
            }
        }
        let generation = state.generation;
        let Some(connection) = &mut state.connection else {
            return Err(Failure::Gone("there is no connection".to_owned()));
        };
        let session = match connection.idle.pop() {
            Some(session) => session,
            None => {
                let calls = self.module.calls.read();
                let _calls = calls.unwrap_or_else(PoisonError::into_inner);
                match self.module.context.open_ro_session(connection.slot) {
                    Ok(session) => session,
                    Err(error) => {
                        // The next one connects anew.
                        state.connection = None;
                        return Err(error.into());
                    }
                }
            }
        };
        Ok(Lease {
            session,
            module: Arc::clone(&self.module),
            slot: connection.slot,
            generation,
            handles: Arc::clone(&connection.handles),
            mechanisms: Arc::clone(&connection.mechanisms),
        })
    }

    fn give_back(&self, lease: Lease) {
        let mut state = self.state();
        if state.generation == lease.generation
            && let Some(connection) = &mut state.connection
        {
            connection.idle.push(lease.session);
        }
    }

    /// Gives up the connection of that generation, unless there is a newer one.
    fn disconnect(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.connection = None;
        }
    }

    fn connect(&self, state: &mut State) -> Result<Connection, Failure> {
        let pin = self.pin()?;
        let fingerprint = pin
            .as_ref()
            .map(|pin| {
                digest(&SHA256, pin.expose_secret().as_bytes())
                    .as_ref()
                    .to_vec()
            })
            .unwrap_or_default();
        if let Some((refused, reason)) = &state.refused_pin {
            if *refused == fingerprint {
                return Err(Failure::Refused((*reason).to_owned()));
            }
            // A module may remember the PIN that the token had when it was initialized.
            self.module.initialize_again()?;
        }
        let slot = match self.find_token() {
            Ok(slot) => slot,
            Err(_) => {
                self.module.initialize_again()?;
                self.find_token()?
            }
        };
        let calls = self.module.calls.read();
        let _calls = calls.unwrap_or_else(PoisonError::into_inner);
        let context = &self.module.context;
        let session = context.open_ro_session(slot)?;
        self.login(state, slot, &session, pin.as_ref(), fingerprint)?;
        let mechanisms = context.get_mechanism_list(slot)?;
        Ok(Connection {
            slot,
            _login: session,
            idle: Vec::new(),
            handles: Arc::default(),
            mechanisms: Arc::from(mechanisms),
        })
    }

    fn find_token(&self) -> Result<Slot, Failure> {
        let calls = self.module.calls.read();
        let _calls = calls.unwrap_or_else(PoisonError::into_inner);
        let context = &self.module.context;
        let mut found = Vec::new();
        let mut labels = Vec::new();
        for slot in context.get_slots_with_token()? {
            let info = context.get_token_info(slot)?;
            if !info.token_initialized() {
                continue;
            }
            let is_wanted = match &self.token {
                TokenChoice::Only => true,
                TokenChoice::Label(label) => info.label() == label,
                TokenChoice::Slot(number) => slot.id() == *number,
            };
            if is_wanted {
                found.push(slot);
            }
            labels.push(format!("{:?} in slot {}", info.label(), slot.id()));
        }
        let there_are = if labels.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", labels.join(", "))
        };
        let wanted = match &self.token {
            TokenChoice::Only => "token".to_owned(),
            TokenChoice::Label(label) => format!("token with the label {label:?}"),
            TokenChoice::Slot(number) => format!("token in slot {number}"),
        };
        match found.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(Failure::Gone(format!(
                "no {wanted} is present; {there_are}"
            ))),
            _ => Err(Failure::Refused(format!(
                "more than one {wanted}; {there_are}: choose one by signing.pkcs11.slot or signing.pkcs11.token_label"
            ))),
        }
    }

    fn login(
        &self,
        state: &mut State,
        slot: Slot,
        session: &Session,
        pin: Option<&SecretString>,
        fingerprint: Vec<u8>,
    ) -> Result<(), Failure> {
        let info = self.module.context.get_token_info(slot)?;
        if pin.is_none() && !info.protected_authentication_path() {
            return if info.login_required() {
                Err(Failure::Refused(
                    "the token asks for a PIN; give signing.pkcs11.pin_file".to_owned(),
                ))
            } else {
                Ok(())
            };
        }
        if info.user_pin_locked() || info.user_pin_final_try() {
            return Err(Failure::Refused(
                "the token grants one more try of its PIN, or none: it is left to you; log in with the token's own tool, which gives all tries back".to_owned(),
            ));
        }
        match session.login(UserType::User, pin) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                state.refused_pin = None;
                Ok(())
            }
            Err(error) => match refused_login(&error) {
                Some(reason) => {
                    state.refused_pin = Some((fingerprint, reason));
                    Err(Failure::Refused(reason.to_owned()))
                }
                None => Err(error.into()),
            },
        }
    }

    fn pin(&self) -> Result<Option<SecretString>, Failure> {
        match &self.pin {
            Pin::None => Ok(None),
            Pin::Text(pin) => Ok(Some(pin.clone())),
            Pin::File(path) => {
                let text = fs::read_to_string(path)
                    .map(Zeroizing::new)
                    .map_err(|error| {
                        Failure::Refused(format!(
                            "cannot read the PIN in {}: {error}",
                            path.display()
                        ))
                    })?;
                Ok(Some(SecretString::from(
                    text.trim_end_matches(['\r', '\n']),
                )))
            }
        }
    }
}

impl Lease {
    pub(super) fn handle(&self, key: &PublicKey) -> Option<ObjectHandle> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.get(key).copied()
    }

    pub(super) fn remember(&self, key: &PublicKey, handle: ObjectHandle) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.insert(key.clone(), handle);
    }

    pub(super) fn has(&self, mechanism: MechanismType) -> bool {
        self.mechanisms.contains(&mechanism)
    }

    /// A session that may make objects.
    pub(super) fn writable(&self) -> Result<Session, Failure> {
        Ok(self.module.context.open_rw_session(self.slot)?)
    }
}
