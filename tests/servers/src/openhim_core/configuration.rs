//! The configuration file of core.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

/// The ports that core listens on, all of 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) api: u16,
    pub(crate) router: u16,
    router_tls: u16,
    rerun: u16,
    tcp: u16,
    polling: u16,
}

impl Ports {
    /// Ports that nobody listens on now.
    pub(crate) fn free() -> Self {
        Self {
            api: free_port(),
            router: free_port(),
            router_tls: free_port(),
            rerun: free_port(),
            tcp: free_port(),
            polling: free_port(),
        }
    }
}

/// A port below those that the system gives to outgoing connections, so that none of them takes it
/// while core is stopped. Tests that run at the same time begin to look at different ones.
fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let begin = std::process::id().wrapping_mul(13);
        let offset = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Writes `configuration.json` in `folder`, which holds the certificate too.
pub(crate) fn write(folder: &Path, ports: Ports, database_port: u16) {
    // A host name would give 127.0.0.1 or ::1, as the system likes; core listens on the first only.
    let host = "127.0.0.1";
    let database = format!("mongodb://{host}:{database_port}/openhim");
    let configuration = json!({
        "bindAddress": host,
        "mongo": {
            "url": database,
            "atnaUrl": database,
            "openHIMApiReadPreference": "primaryPreferred",
        },
        // The database has no capped collections.
        "logger": { "level": "info", "logToDB": false },
        "router": { "externalHostname": host, "httpPort": ports.router, "httpsPort": ports.router_tls },
        "api": { "httpsPort": ports.api },
        "rerun": { "httpPort": ports.rerun, "host": host, "processor": { "pollPeriodMillis": 500 } },
        "tcpAdapter": { "httpReceiver": { "httpPort": ports.tcp, "host": host } },
        "polling": { "pollingPort": ports.polling, "host": host },
        "bodyCull": { "enabled": false },
        "alerts": { "enableAlerts": false },
        "reports": { "enableReports": false },
        // So that a channel works from the moment it is made.
        "caching": { "enabled": false },
        "agenda": { "startupDelay": 50 },
        "certificateManagement": {
            "watchFSForCert": true,
            "certPath": folder.join("certificate.pem"),
            "keyPath": folder.join("key.pem"),
        },
    });
    std::fs::write(
        folder.join("configuration.json"),
        serde_json::to_string_pretty(&configuration).unwrap(),
    )
    .unwrap();
}
