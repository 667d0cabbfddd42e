//! An OpenHIM core to try mediators with, until it is ended by Ctrl-C. Its database is in memory.
//!
//! ```sh
//! tests/servers/install ~/servers openhim-core
//! SERVERS_FOR_TESTS=~/servers cargo run -p real-servers --example openhim
//! ```
#![allow(clippy::print_stdout, reason = "says where it is")]

use std::future::pending;

use real_servers::openhim_core::RealOpenHimCore;

#[tokio::main]
async fn main() {
    let Some(core) = RealOpenHimCore::start().await else {
        return; // it has said why
    };
    println!("export OPENHIM_API_URL={}", core.api_url());
    println!("export OPENHIM_USERNAME={}", RealOpenHimCore::USERNAME);
    println!("export OPENHIM_PASSWORD={}", RealOpenHimCore::PASSWORD);
    println!(
        "export OPENHIM_CA_FILE={}",
        core.certificate_authority().display()
    );
    println!("export OPENHIM_ROUTER={}", core.router_url());
    pending::<()>().await;
}
