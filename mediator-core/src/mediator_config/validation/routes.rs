use super::element::{Element, Object, report_repeated_names};
use crate::mediator_config::route::{RouteStatus, RouteType};

/// Where a mediator can be reached.
pub(super) fn check_endpoints(endpoints: &[Element<'_>]) {
    for endpoint in endpoints.iter().filter_map(Element::object) {
        check_route(&endpoint);
    }
}

/// The routes of a channel.
pub(super) fn check_routes(channel: &Object<'_>) {
    let routes = channel.items("routes");
    for route in routes.iter().filter_map(Element::object) {
        check_route(&route);
    }
    report_repeated_names(&routes, "name", "a channel's routes");
    let primary = routes
        .iter()
        .filter_map(|route| route.value.as_object())
        .filter(|route| {
            let is = |name: &str, expected: &str| {
                route.get(name).and_then(|value| value.as_str()) == Some(expected)
            };
            route.get("primary").and_then(|value| value.as_bool()) == Some(true)
                && !is("status", "disabled")
        })
        .count();
    match primary {
        0 => channel.mistake(
            "routes",
            "no enabled route is primary: set `primary` on the one whose answer is the client's",
        ),
        1 => {}
        _ => channel.mistake(
            "routes",
            "several enabled routes are primary: leave `primary` on the one whose answer is the \
             client's",
        ),
    }
}

fn check_route(route: &Object<'_>) {
    route.required_text("name", "core calls it by this in transactions");
    let kind = route.one_of("type", &RouteType::NAMES);
    if kind == Some("kafka") {
        route.required_text("kafkaClientId", "core connects to Kafka as this");
        route.required_text("kafkaTopic", "core writes to this");
        route.texts(&["host"]);
    } else {
        route.required_text("host", "a host name or an address, as core reaches it");
        if route.get("port").is_none() {
            route.mistake("port", "is missing: a number from 1 to 65535");
        }
    }
    route.port("port");
    route.one_of("status", &RouteStatus::NAMES);
    route.texts(&["path", "username", "password", "statusCodesCheck"]);
    route.identifiers(&["cert", "_id"]);
    route.booleans(&[
        "primary",
        "secured",
        "forwardAuthHeader",
        "waitPrimaryResponse",
    ]);
    if route.is_filled("path") && route.is_filled("pathTransform") {
        route.mistake(
            "pathTransform",
            "cannot be there together with `path`: remove one of them",
        );
    }
    if let Some(transform) = route.get("pathTransform")
        && let Some(text) = transform.text()
        && !text.is_empty()
        && !is_substitution(text)
    {
        transform.mistake("must be a substitution, s/from/to or s/from/to/g");
    }
}

/// As core sees it: `s/`, and somewhere after it another `/`; what lies before is ignored.
fn is_substitution(text: &str) -> bool {
    text.split_once("s/")
        .is_some_and(|(_, rest)| rest.contains('/'))
}
