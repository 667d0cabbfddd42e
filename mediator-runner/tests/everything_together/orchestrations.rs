//! What OpenHIM is told of the real back ends: each call, and nothing about persons.

use real_servers::together::Servers;
use serde_json::Value;
use url::Url;

/// The port of a server's address.
fn port(url: &str) -> u16 {
    let url = Url::parse(url).unwrap();
    url.port_or_known_default().unwrap()
}

/// Each back end is told of with calls that it has answered, without bodies.
#[track_caller]
pub(crate) fn check(orchestrations: &Value, servers: &Servers) {
    let all = orchestrations.as_array().unwrap().iter();
    // Core's own, of its request to the route: it keeps bodies as the channel says.
    let all: Vec<&Value> = all
        .filter(|orchestration| orchestration["name"] != "mediator")
        .collect();
    let setting = |name: &str| {
        let settings = servers.settings();
        let setting = settings.iter().find(|(known, _)| *known == name);
        setting.unwrap().1.clone()
    };
    for (server, variable, names) in [
        ("Matchbox", "MEDIATOR_TRANSFORMER__URL", &["Transform"][..]),
        (
            "HAPI FHIR",
            "MEDIATOR_REPOSITORY__URL",
            &["Store and register"],
        ),
        ("Vault", "MEDIATOR_SIGNING__VAULT__URL", &["Sign"]),
        (
            "PostgreSQL",
            "MEDIATOR_LEDGER__URL",
            &["Accept event", "Mark event as issued"],
        ),
    ] {
        let port = port(&setting(variable)).to_string();
        let of_server: Vec<&Value> = all
            .iter()
            .copied()
            .filter(|orchestration| {
                let request = &orchestration["request"];
                request["host"] == "127.0.0.1" && request["port"] == *port
            })
            .collect();
        for name in names {
            let told = of_server
                .iter()
                .any(|orchestration| orchestration["name"].as_str().unwrap().starts_with(name));
            assert!(told, "no {name:?} of {server}: {orchestrations:#}");
        }
    }
    for orchestration in &all {
        let status = orchestration["response"]["status"].as_u64().unwrap();
        // A folder that is not there yet is asked for, too.
        assert!(
            (200..300).contains(&status) || status == 404,
            "{orchestration:#}"
        );
        for side in ["request", "response"] {
            let body = orchestration[side]["body"].as_str().unwrap_or_default();
            let is_left_out = body.ends_with("bytes, which are not recorded]");
            assert!(body.is_empty() || is_left_out, "{orchestration:#}");
        }
        assert_ne!(orchestration["request"]["host"], "embedded");
        assert!(orchestration.get("error").is_none_or(Value::is_null));
    }
    let text = serde_json::to_string(&all).unwrap();
    for secret in [
        "CH-7QK2-M4TD",
        "Zürcher",
        "1987",
        "repository-password",
        "ledger-password",
        "hvs.",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}
