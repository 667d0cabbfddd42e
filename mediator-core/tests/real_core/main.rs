//! Mediators' documents and core's resources, against a real OpenHIM core.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod documents;
mod resources;

use mediator_core::openhim::{OpenHim, OpenHimSettings, Trust};
use real_servers::openhim_core::RealOpenHimCore;
use tokio::sync::OnceCell;

static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();

/// The core that all tests here share, if one is installed.
async fn core() -> Option<&'static RealOpenHimCore> {
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

fn client_of(core: &RealOpenHimCore, username: &str, password: &str) -> OpenHim {
    OpenHim::new(&OpenHimSettings {
        trust: Trust::CertificateAuthority(core.certificate_authority()),
        ..OpenHimSettings::new(
            core.api_url().parse().unwrap(),
            username,
            password.to_owned().into(),
        )
    })
    .unwrap()
}

fn root(core: &RealOpenHimCore) -> OpenHim {
    client_of(core, RealOpenHimCore::USERNAME, RealOpenHimCore::PASSWORD)
}
