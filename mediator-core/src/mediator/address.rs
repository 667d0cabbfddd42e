use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::mediator_config::{MediatorConfig, RouteType};

/// Where the mediator of this configuration listens: at its primary HTTP endpoint's port, where
/// that can be reached from.
pub(super) fn of(config: &MediatorConfig) -> Option<SocketAddr> {
    let endpoints = || {
        let all = config.endpoints().iter();
        all.filter(|endpoint| matches!(endpoint.kind, None | Some(RouteType::Http)))
    };
    let endpoint = endpoints()
        .find(|endpoint| endpoint.primary == Some(true))
        .or_else(|| endpoints().next())?;
    let host = endpoint.host.as_deref().unwrap_or_default();
    let address = match host.parse::<IpAddr>() {
        _ if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        Ok(address) if address.is_loopback() => address,
        Ok(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    Some(SocketAddr::new(address, endpoint.port?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediator_config::Endpoint;

    fn of(endpoints: impl IntoIterator<Item = Endpoint>) -> Option<String> {
        let mut builder = MediatorConfig::builder("urn:mediator:test", "1.0.0", "Test");
        for endpoint in endpoints {
            builder = builder.endpoint(endpoint);
        }
        super::of(&builder.build().unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn an_endpoint_on_loopback_is_not_for_others() {
        for (host, expected) in [
            ("localhost", "127.0.0.1:4321"),
            ("127.0.0.1", "127.0.0.1:4321"),
            ("mediator.example", "0.0.0.0:4321"),
            ("192.0.2.1", "0.0.0.0:4321"),
        ] {
            let address = of([Endpoint::http("Test", host, 4321)]);
            assert_eq!(address.as_deref(), Some(expected), "{host}");
        }
    }

    #[test]
    fn the_primary_endpoint_counts() {
        let endpoints = [
            Endpoint::http("Second", "localhost", 1),
            Endpoint::http("First", "localhost", 2).primary(),
        ];
        assert_eq!(of(endpoints).as_deref(), Some("127.0.0.1:2"));
    }
}
