use std::collections::HashSet;

use serde_json::Value;

use super::element::{Element, Findings, Object, report_repeated_names};
use super::routes::check_routes;
use crate::mediator_config::channel_definition::{
    ChannelAuthentication, ChannelStatus, ChannelType, Method,
};
use crate::mediator_config::mistake::Mistake;
use crate::mediator_config::polling_schedule::PollingSchedule;

/// An hour in milliseconds, the longest that core waits.
const LONGEST_TIMEOUT: u64 = 3_600_000;
/// Core's schema says 36500, its API fewer.
const LONGEST_BODY_AGE: u64 = 36_499;
/// Where core sets no bound, the typed model does.
const LARGEST: u64 = u32::MAX as u64;

/// Every mistake in one channel.
pub(crate) fn check_channel(channel: &Value) -> Result<(), Vec<Mistake>> {
    let findings = Findings::default();
    if let Some(channel) = Element::root(&findings, channel).object() {
        check(&channel);
    }
    findings.into_result()
}

/// Channels that a mediator proposes.
pub(super) fn check_channels(channels: &[Element<'_>]) {
    for channel in channels.iter().filter_map(Element::object) {
        check(&channel);
    }
    report_repeated_names(channels, "name", "the channels");
}

fn check(channel: &Object<'_>) {
    channel.required_text("name", "core knows a channel by it");
    channel.required_text(
        "urlPattern",
        "a JavaScript regular expression for the paths of requests, for example ^/patients/.*$ \
         (core wants one on tcp, tls and polling channels too: write _tcp or _polling)",
    );
    channel.regular_expression("urlPattern");
    let kind = match channel.get("type") {
        None => Some("http"),
        Some(kind) => kind.one_of(&ChannelType::NAMES),
    };
    if let Some(kind) = kind {
        check_methods(channel, kind);
    }
    match kind {
        Some("polling") => check_schedule(channel),
        Some("tcp" | "tls") if channel.get("tcpPort").is_none() => {
            channel.mistake("tcpPort", "is missing: the port where the channel listens");
        }
        _ => {}
    }
    channel.port("tcpPort");
    channel.one_of("authType", &ChannelAuthentication::NAMES);
    channel.one_of("status", &ChannelStatus::NAMES);
    channel.lists_of_texts(&[
        "allow",
        "whitelist",
        "matchContentTypes",
        "txViewAcl",
        "txViewFullAcl",
        "txRerunAcl",
    ]);
    channel.texts(&["description", "tcpHost"]);
    channel.booleans(&[
        "requestBody",
        "responseBody",
        "isAsynchronousProcess",
        "autoRetryEnabled",
        "rewriteUrls",
        "addAutoRewriteRules",
    ]);
    channel.number("timeout", 1..=LONGEST_TIMEOUT);
    channel.number("priority", 1..=LARGEST);
    channel.number("autoRetryPeriodMinutes", 1..=LARGEST);
    channel.number("autoRetryMaxAttempts", 0..=LARGEST);
    channel.number("maxBodyAgeDays", 1..=LONGEST_BODY_AGE);
    if channel.get("maxBodyAgeDays").is_some()
        && !channel.is_set("requestBody")
        && !channel.is_set("responseBody")
    {
        channel.mistake(
            "maxBodyAgeDays",
            "needs bodies that core keeps: set `requestBody` or `responseBody`, or remove it",
        );
    }
    check_matching(channel);
    check_routes(channel);
    for rule in channel.items("rewriteUrlsConfig") {
        if let Some(rule) = rule.object() {
            rule.required_text("fromHost", "the host that core looks for in bodies");
            rule.required_text("toHost", "the host that core writes instead");
            rule.not_null(&["fromPort", "toPort"]);
            rule.port("fromPort");
            rule.port("toPort");
        }
    }
    for alert in channel.items("alerts") {
        if let Some(alert) = alert.object() {
            check_alert(&alert);
        }
    }
    channel.time("lastBodyCleared");
    channel.items("properties");
}

fn check_alert(alert: &Object<'_>) {
    alert.not_null(&["condition"]);
    alert.one_of("condition", &["status", "auto-retry-max-attempted"]);
    alert.texts(&["status"]);
    alert.number("failureRate", 0..=100);
    for group in alert.items("groups") {
        group.identifier();
    }
    for user in alert.items("users") {
        if let Some(user) = user.object() {
            user.required_text("user", "the address of the user who is told");
            user.not_null(&["maxAlerts"]);
            user.required_text("method", "email or sms");
            user.one_of("method", &["email", "sms"]);
            user.one_of("maxAlerts", &["no max", "1 per hour", "1 per day"]);
        }
    }
}

fn check_methods(channel: &Object<'_>, kind: &str) {
    let given = channel.get("methods");
    let methods = given
        .as_ref()
        .map_or_else(|| Some(Vec::new()), Element::items);
    let Some(methods) = methods else { return };
    if kind != "http" {
        if !methods.is_empty() {
            channel.mistake(
                "methods",
                format!("core refuses methods on a {kind} channel: remove them"),
            );
        }
        return;
    }
    if methods.is_empty() {
        channel.mistake(
            "methods",
            "is missing: core never matches an http channel without methods, for example \
             [\"GET\", \"POST\"]",
        );
    }
    let mut known = HashSet::new();
    for method in &methods {
        if let Some(name) = method.one_of(&Method::NAMES)
            && !known.insert(name)
        {
            method.mistake("is there twice: remove one");
        }
    }
}

fn check_schedule(channel: &Object<'_>) {
    let advice = "core never runs a polling channel without one, for example `10 seconds` or \
                  `0 3 * * *`";
    if let Some(schedule) = channel.required_text("pollingSchedule", advice)
        && let Err(error) = schedule.parse::<PollingSchedule>()
    {
        channel.mistake("pollingSchedule", error.to_string());
    }
}

fn check_matching(channel: &Object<'_>) {
    channel.regular_expression("matchContentRegex");
    channel.texts(&["matchContentXpath", "matchContentJson", "matchContentValue"]);
    let has_expression =
        channel.is_filled("matchContentXpath") || channel.is_filled("matchContentJson");
    if has_expression
        && !channel.is_filled("matchContentRegex")
        && !channel.is_filled("matchContentValue")
    {
        channel.mistake(
            "matchContentValue",
            "is missing: without the value that the expression has to have, core never matches \
             the channel",
        );
    }
}
