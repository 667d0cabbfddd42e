//! The configuration file of core.

use std::path::Path;

use serde_json::json;

use crate::free_port::free_port;

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
