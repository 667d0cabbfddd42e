//! Servers to try the mediator with, until they are ended by Ctrl-C: those that are named, or all.
//! Prints the settings with which `mediator-runner` uses them.
//!
//! ```sh
//! tests/servers/install ~/servers
//! SERVERS_FOR_TESTS=~/servers cargo run -p real-servers --example servers -- hapi-fhir vault
//! ```
#![allow(clippy::print_stdout, reason = "says where they are")]

use std::future::pending;

use real_servers::together::Servers;

#[tokio::main]
async fn main() -> Result<(), String> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let is_known = |name: &&String| Servers::NAMES.contains(&name.as_str());
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known = Servers::NAMES.join(", ");
        return Err(format!("there is no server {unknown:?}, only {known}"));
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|other| other == name);
    let servers = Servers::start(is_wanted).await;
    for (name, value) in servers.settings() {
        println!("export {name}='{value}'");
    }
    if let Some(core) = &servers.openhim {
        println!("# OpenHIM's router: {}", core.router_url());
    }
    if let Some(keycloak) = &servers.keycloak {
        let secret = keycloak.client_secret("health-event-source").await;
        let url = keycloak.token_url();
        println!(
            "# a token: curl -d grant_type=client_credentials -u health-event-source:{secret} {url}"
        );
    }
    println!("# ready");
    pending().await
}
