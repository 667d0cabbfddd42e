//! The token's shared library. There is one of each in a process, whoever uses it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::error::Failure;

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A library that is loaded and initialized.
pub(super) struct Module {
    pub(super) context: Pkcs11,
    /// Read by whoever calls the library, written by whoever initializes it again: that must not
    /// happen during a call (PKCS#11 5.4.2).
    pub(super) calls: RwLock<()>,
}

/// The library at this path.
pub(super) fn load(path: &Path) -> Result<Arc<Module>, Failure> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(path) {
        return Ok(Arc::clone(module));
    }
    let context = Pkcs11::new(path).map_err(|error| {
        Failure::Refused(format!(
            "cannot load the PKCS#11 module {}: {error}; give the path of the token's own library",
            path.display()
        ))
    })?;
    initialize(&context)?;
    let module = Arc::new(Module {
        context,
        calls: RwLock::new(()),
    });
    loaded.insert(path.to_owned(), Arc::clone(&module));
    Ok(module)
}

impl Module {
    /// Has the library look for its tokens anew, which some do at no other time. Every session of
    /// this process is gone then.
    pub(super) fn initialize_again(&self) -> Result<(), Failure> {
        let _calls = match self.calls.try_write() {
            Ok(calls) => calls,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let reason = "the PKCS#11 module cannot be initialized again while it is in use";
                return Err(Failure::Gone(reason.to_owned()));
            }
        };
        match self.context.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        initialize(&self.context)
    }
}

fn initialize(context: &Pkcs11) -> Result<(), Failure> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
