mod pointers;

use pointers::pointers;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

/// One of everything, without mistakes.
fn complete() -> Value {
    serde_json::from_str(include_str!("tests/complete.json")).unwrap()
}

fn mistakes(document: Value) -> Vec<Mistake> {
    match MediatorConfig::try_from(document) {
        Err(MediatorConfigError::Mistakes(mistakes)) => mistakes,
        other => panic!("{other:?}"),
    }
}

fn places(mistakes: &[Mistake]) -> Vec<String> {
    mistakes
        .iter()
        .map(|mistake| mistake.place().to_string())
        .collect()
}

/// Sets an element, or removes it when the value is null.
fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => {
            members.remove(name);
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
    document
}

#[test]
fn a_document_with_one_of_everything_survives() {
    let config = MediatorConfig::try_from(complete()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), complete());
    assert_eq!(config.endpoints()[0].port, Some(4321));
    assert_eq!(
        config.default_channels()[0].methods,
        [Method::Get, Method::Post]
    );
    assert_eq!(
        config.configuration_definitions()[6].kind,
        ConfigurationType::Structure
    );
    config.check_configuration(&complete()["config"]).unwrap();
}

#[test]
fn unknown_fields_survive_at_every_level() {
    let mut document = complete();
    for pointer in [
        "/new",
        "/endpoints/0/new",
        "/defaultChannelConfig/0/new",
        "/defaultChannelConfig/0/routes/0/new",
        "/configDefs/0/new",
        "/configDefs/6/template/0/new",
    ] {
        document = with(document, pointer, json!({"a": [1, null]}));
    }
    let config = MediatorConfig::try_from(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(config).unwrap(), document);
}

#[test]
fn the_reference_mediators_own_file_is_read() {
    let config = MediatorConfig::from_json(
        r#"{
            "urn": "urn:mediator:who-int-ddcc-mediator", "version": "0.0.1", "name": "n",
            "defaultChannelConfig": [{
                "name": "c", "urlPattern": "^/ddcc/", "allow": ["test"], "methods": ["GET"],
                "type": "http",
                "routes": [{"name": "r", "host": "localhost", "port": "4321", "primary": true}]
            }],
            "endpoints": [{"name": "e", "host": "localhost", "path": "/ddcc/", "port": "4321"}]
        }"#,
    )
    .unwrap();
    assert_eq!(config.endpoints()[0].port, Some(4321));
    assert_eq!(config.default_channels()[0].routes[0].port, Some(4321));
}

/// One row a mistake: the element, what it is set to (null: removed), and the mistake's place.
#[rstest]
#[case("/urn", json!(null), "urn")]
#[case("/urn", json!(""), "urn")]
#[case("/urn", json!(5), "urn")]
#[case("/urn", json!("patients"), "urn")]
#[case("/urn", json!("urn:"), "urn")]
#[case("/urn", json!("urn:mediator:my patients"), "urn")]
#[case("/urn", json!("urn:mediator:a%41"), "urn")]
#[case("/version", json!(null), "version")]
#[case("/version", json!("1.0"), "version")]
#[case("/version", json!(1), "version")]
#[case("/version", json!("9007199254740992.0.0"), "version")]
#[case("/name", json!(null), "name")]
#[case("/name", json!(" "), "name")]
#[case("/description", json!(["d"]), "description")]
#[case("/endpoints", json!(null), "endpoints")]
#[case("/endpoints", json!([]), "endpoints")]
#[case("/endpoints", json!("e"), "endpoints")]
#[case("/endpoints/0", json!("e"), "endpoints[0]")]
#[case("/endpoints/0/name", json!(null), "endpoints[0].name")]
#[case("/endpoints/0/host", json!(null), "endpoints[0].host")]
#[case("/endpoints/0/port", json!(null), "endpoints[0].port")]
#[case("/endpoints/0/port", json!(0), "endpoints[0].port")]
#[case("/endpoints/0/port", json!(65_536), "endpoints[0].port")]
#[case("/endpoints/0/port", json!("http"), "endpoints[0].port")]
#[case("/endpoints/0/port", json!(80.5), "endpoints[0].port")]
#[case("/endpoints/0/pathTransform", json!("s/a/b"), "endpoints[0].pathTransform")]
#[case("/endpoints/0/type", json!("https"), "endpoints[0].type")]
#[case("/endpoints/0/status", json!("on"), "endpoints[0].status")]
#[case("/endpoints/0/secured", json!("yes"), "endpoints[0].secured")]
#[case("/defaultChannelConfig", json!({}), "defaultChannelConfig")]
#[case("/defaultChannelConfig/0/name", json!(null), "defaultChannelConfig[0].name")]
#[case("/defaultChannelConfig/1/name", json!("Patients"), "defaultChannelConfig[1].name")]
#[case("/defaultChannelConfig/0/urlPattern", json!(null), "defaultChannelConfig[0].urlPattern")]
#[case("/defaultChannelConfig/0/urlPattern", json!("^/(a"), "defaultChannelConfig[0].urlPattern")]
#[case("/defaultChannelConfig/0/type", json!("https"), "defaultChannelConfig[0].type")]
#[case("/defaultChannelConfig/0/methods", json!(null), "defaultChannelConfig[0].methods")]
#[case("/defaultChannelConfig/0/methods", json!([]), "defaultChannelConfig[0].methods")]
#[case("/defaultChannelConfig/0/methods", json!("GET"), "defaultChannelConfig[0].methods")]
#[case("/defaultChannelConfig/0/methods/1", json!("get"), "defaultChannelConfig[0].methods[1]")]
#[case("/defaultChannelConfig/0/methods/1", json!("GET"), "defaultChannelConfig[0].methods[1]")]
#[case("/defaultChannelConfig/1/methods", json!(["GET"]), "defaultChannelConfig[1].methods")]
#[case("/defaultChannelConfig/2/methods", json!(["GET"]), "defaultChannelConfig[2].methods")]
#[case("/defaultChannelConfig/1/pollingSchedule", json!(null), "defaultChannelConfig[1].pollingSchedule")]
#[case("/defaultChannelConfig/1/pollingSchedule", json!("often"), "defaultChannelConfig[1].pollingSchedule")]
#[case("/defaultChannelConfig/2/tcpPort", json!(null), "defaultChannelConfig[2].tcpPort")]
#[case("/defaultChannelConfig/2/tcpPort", json!(70_000), "defaultChannelConfig[2].tcpPort")]
#[case("/defaultChannelConfig/0/allow", json!("hospital"), "defaultChannelConfig[0].allow")]
#[case("/defaultChannelConfig/0/allow/0", json!(""), "defaultChannelConfig[0].allow[0]")]
#[case("/defaultChannelConfig/0/authType", json!("open"), "defaultChannelConfig[0].authType")]
#[case("/defaultChannelConfig/0/status", json!("on"), "defaultChannelConfig[0].status")]
#[case("/defaultChannelConfig/0/timeout", json!(0), "defaultChannelConfig[0].timeout")]
#[case("/defaultChannelConfig/0/timeout", json!(3_600_001), "defaultChannelConfig[0].timeout")]
#[case("/defaultChannelConfig/0/priority", json!(0), "defaultChannelConfig[0].priority")]
#[case("/defaultChannelConfig/0/maxBodyAgeDays", json!(36_500), "defaultChannelConfig[0].maxBodyAgeDays")]
#[case("/defaultChannelConfig/0/requestBody", json!(false), "defaultChannelConfig[0].maxBodyAgeDays")]
#[case("/defaultChannelConfig/0/autoRetryPeriodMinutes", json!(0), "defaultChannelConfig[0].autoRetryPeriodMinutes")]
#[case("/defaultChannelConfig/0/autoRetryMaxAttempts", json!(-1), "defaultChannelConfig[0].autoRetryMaxAttempts")]
#[case("/defaultChannelConfig/0/matchContentRegex", json!("["), "defaultChannelConfig[0].matchContentRegex")]
#[case("/defaultChannelConfig/0/matchContentValue", json!(null), "defaultChannelConfig[0].matchContentValue")]
#[case("/defaultChannelConfig/0/matchContentTypes", json!([1]), "defaultChannelConfig[0].matchContentTypes[0]")]
#[case("/defaultChannelConfig/0/alerts/0/failureRate", json!("x"), "defaultChannelConfig[0].alerts[0].failureRate")]
#[case("/defaultChannelConfig/0/alerts/0/groups/0", json!("x"), "defaultChannelConfig[0].alerts[0].groups[0]")]
#[case("/defaultChannelConfig/0/alerts/0/users/0/method", json!("post"), "defaultChannelConfig[0].alerts[0].users[0].method")]
#[case("/defaultChannelConfig/0/lastBodyCleared", json!("today"), "defaultChannelConfig[0].lastBodyCleared")]
#[case("/defaultChannelConfig/0/routes/0/cert", json!("x"), "defaultChannelConfig[0].routes[0].cert")]
#[case("/defaultChannelConfig/0/alerts/0/condition", json!("c"), "defaultChannelConfig[0].alerts[0].condition")]
#[case("/defaultChannelConfig/0/rewriteUrlsConfig/0/toHost", json!(null), "defaultChannelConfig[0].rewriteUrlsConfig[0].toHost")]
#[case("/defaultChannelConfig/0/routes", json!(null), "defaultChannelConfig[0].routes")]
#[case("/defaultChannelConfig/0/routes/0/primary", json!(null), "defaultChannelConfig[0].routes")]
#[case("/defaultChannelConfig/0/routes/0/status", json!("disabled"), "defaultChannelConfig[0].routes")]
#[case("/defaultChannelConfig/0/routes/1/primary", json!(true), "defaultChannelConfig[0].routes")]
#[case("/defaultChannelConfig/0/routes/1/name", json!("Registry"), "defaultChannelConfig[0].routes[1].name")]
#[case("/defaultChannelConfig/0/routes/0/pathTransform", json!("patients"), "defaultChannelConfig[0].routes[0].pathTransform")]
#[case("/defaultChannelConfig/0/routes/2/kafkaTopic", json!(null), "defaultChannelConfig[0].routes[2].kafkaTopic")]
#[case("/configDefs", json!({}), "configDefs")]
#[case("/configDefs/0/param", json!(null), "configDefs[0].param")]
#[case("/configDefs/1/param", json!("retries"), "configDefs[3].param")]
#[case("/configDefs/0/type", json!(null), "configDefs[0].type")]
#[case("/configDefs/0/type", json!("text"), "configDefs[0].type")]
#[case("/configDefs/0/array", json!("true"), "configDefs[0].array")]
#[case("/configDefs/4/values", json!(null), "configDefs[4].values")]
#[case("/configDefs/4/values", json!([]), "configDefs[4].values")]
#[case("/configDefs/4/values/1", json!(1), "configDefs[4].values[1]")]
#[case("/configDefs/6/template", json!({}), "configDefs[6].template")]
#[case("/configDefs/10/template", json!(null), "configDefs[10].template")]
#[case("/configDefs/6/template/0/type", json!("struct"), "configDefs[6].template[0].type")]
#[case("/configDefs/6/template/0/type", json!(null), "configDefs[6].template[0].type")]
#[case("/configDefs/6/template/2/values", json!(null), "configDefs[6].template[2].values")]
#[case("/config", json!([]), "config")]
#[case("/config/title", json!(5), "config.title")]
fn a_mistake_is_found_at_its_place(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: &str,
) {
    let found = places(&mistakes(with(complete(), pointer, value)));
    assert!(found.iter().any(|place| place == expected), "{found:?}");
    // What follows from it may be found too, in the configuration only.
    let others = found
        .iter()
        .filter(|place| *place != expected && !place.starts_with("config."));
    assert_eq!(others.count(), 0, "{found:?}");
}

#[rstest]
#[case("/version", json!("v1.0.0"))]
#[case("/version", json!("1.0.0-beta.1+build"))]
#[case("/urn", json!("URN:uuid:0f2c8a5c-0001"))]
#[case("/endpoints/0/type", json!("tcp"))]
#[case("/endpoints/0/port", json!(65_535))]
#[case("/endpoints/0/primary", json!(null))]
#[case("/defaultChannelConfig", json!(null))]
#[case("/defaultChannelConfig/0/type", json!(null))]
#[case("/defaultChannelConfig/0/allow", json!([]))]
#[case("/defaultChannelConfig/0/urlPattern", json!("^/\\w+(?=/x)\\-{1}"))]
#[case("/defaultChannelConfig/1/methods", json!([]))]
#[case("/configDefs", json!(null))]
#[case("/config", json!(null))]
fn what_core_takes_is_no_mistake(#[case] pointer: &str, #[case] value: Value) {
    MediatorConfig::try_from(with(complete(), pointer, value)).unwrap();
}

#[test]
fn all_mistakes_are_listed_one_a_line() {
    let error = MediatorConfig::from_json(
        r#"{"urn": "", "version": "one", "endpoints": [{"port": "x"}], "configDefs": [{}]}"#,
    )
    .unwrap_err();
    let text = error.to_string();
    let places: Vec<_> = text
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "urn",
            "version",
            "name",
            "endpoints[0].name",
            "endpoints[0].host",
            "endpoints[0].port",
            "configDefs[0].param",
            "configDefs[0].type",
        ]
    );
}

#[test]
fn a_text_that_is_no_json_is_placed_by_line_and_column() {
    let error = MediatorConfig::from_json("{\n  \"urn\": ,\n}").unwrap_err();
    let MediatorConfigError::Mistakes(mistakes) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        *mistakes[0].place(),
        Place::Position {
            line: 2,
            column: 10
        }
    );
    assert_eq!(
        error.to_string(),
        "line 2, column 10: this is not JSON: expected value"
    );
}

#[test]
fn a_file_is_named_in_its_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediatorConfig.json");
    std::fs::write(&file, "\u{feff}[]").unwrap();
    let error = MediatorConfig::from_file(&file).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: the whole document: must be an object, and is an array",
            file.display()
        )
    );

    std::fs::write(&file, format!("\u{feff}{}", complete())).unwrap();
    assert_eq!(MediatorConfig::from_file(&file).unwrap().name(), "Patients");

    let missing = folder.path().join("none.json");
    let error = MediatorConfig::from_file(&missing).unwrap_err();
    assert!(matches!(error, MediatorConfigError::Unreadable { .. }));
}

#[test]
fn a_builder_is_held_to_the_same_rules() {
    let builder = MediatorConfig::builder("patients", "1.0.0", "Patients")
        .default_channel(ChannelDefinition::http("c", "^/$", []))
        .parameter(ConfigurationDefinition::option("level", [""; 0]))
        .initial_value("other", 1);
    let MediatorConfigError::Mistakes(mistakes) = builder.build().unwrap_err() else {
        panic!("not a mistake")
    };
    assert_eq!(
        places(&mistakes),
        [
            "urn",
            "endpoints",
            "defaultChannelConfig[0].methods",
            "defaultChannelConfig[0].routes",
            "configDefs[0].values",
            "config.other",
        ]
    );
}

#[test]
fn a_document_can_be_changed_for_where_it_runs() {
    let config = MediatorConfig::try_from(complete())
        .unwrap()
        .into_builder()
        .map_routes(|route| {
            if route.host.as_deref() == Some("mediator.example") {
                route.host = Some("10.0.0.7".to_owned());
            }
        })
        .build()
        .unwrap();
    assert_eq!(config.endpoints()[0].host.as_deref(), Some("10.0.0.7"));
    let channels = config.default_channels();
    assert_eq!(channels[1].routes[0].host.as_deref(), Some("10.0.0.7"));
    assert_eq!(
        channels[0].routes[0].host.as_deref(),
        Some("registry.example")
    );
}

#[test]
fn a_channel_that_stands_alone_is_held_to_the_same_rules() {
    for channel in complete()["defaultChannelConfig"].as_array().unwrap() {
        let read = ChannelDefinition::from_value(channel.clone()).unwrap();
        assert_eq!(json!(read), *channel);
        read.check().unwrap();
    }
    let mistakes = ChannelDefinition::from_value(json!([])).unwrap_err();
    assert_eq!(places(&mistakes), ["the whole document"]);
    let mistakes = ChannelDefinition::polling("Clean up", "often").check();
    assert_eq!(
        places(&mistakes.unwrap_err()),
        ["pollingSchedule", "routes"]
    );
}

/// One row a parameter: what it is set to, and the mistake's place.
#[rstest]
#[case("title", json!(1), "title")]
#[case("title", json!(["t"]), "title")]
#[case("title", json!(null), "title")]
#[case("text", json!(true), "text")]
#[case("active", json!("true"), "active")]
#[case("retries", json!("3"), "retries")]
#[case("level", json!("trace"), "level")]
#[case("level", json!(null), "level")]
#[case("headers", json!(["b"]), "headers")]
#[case("headers", json!(null), "headers")]
#[case("headers", json!({"a": 1}), "headers.a")]
#[case("headers", json!({"a b": 1}), "headers[\"a b\"]")]
#[case("registry", json!("u"), "registry")]
#[case("registry", json!({"uri": "u"}), "registry.uri")]
#[case("registry", json!({"url": 1}), "registry.url")]
#[case("registry", json!({"ports": 1}), "registry.ports")]
#[case("registry", json!({"ports": [1, "2"]}), "registry.ports[1]")]
#[case("password", json!(1234), "password")]
#[case("titles", json!("t"), "titles")]
#[case("titles", json!(["t", 2]), "titles[1]")]
#[case("levels", json!(["x", "z"]), "levels[1]")]
#[case("registries", json!({"key": "k"}), "registries")]
#[case("registries", json!([{"key": "k"}, {"key": 1}]), "registries[1].key")]
#[case("passwords", json!(["k", 1]), "passwords[1]")]
#[case("unknown", json!("u"), "unknown")]
fn a_wrong_value_is_found_at_its_place(
    #[case] parameter: &str,
    #[case] value: Value,
    #[case] expected: &str,
) {
    let config = MediatorConfig::try_from(complete()).unwrap();
    let mut pushed = complete()["config"].clone();
    pushed[parameter] = value;
    let found = config.check_configuration(&pushed).unwrap_err();
    assert_eq!(places(&found), [expected]);
}

#[test]
fn a_configuration_has_all_mistakes_listed_and_may_lack_parameters() {
    let config = MediatorConfig::try_from(complete()).unwrap();
    config.check_configuration(&json!({})).unwrap();
    let found = config
        .check_configuration(&json!({"title": 1, "retries": "1", "active": true, "x": 1}))
        .unwrap_err();
    assert_eq!(places(&found), ["title", "retries", "x"]);
    let found = config.check_configuration(&json!("t")).unwrap_err();
    assert_eq!(places(&found), ["the whole document"]);
}

#[test]
fn without_definitions_any_object_is_a_configuration() {
    let document = with(complete(), "/configDefs", json!(null));
    let config = MediatorConfig::try_from(document).unwrap();
    config.check_configuration(&json!({"x": 1})).unwrap();
    config.check_configuration(&json!([])).unwrap_err();
    let none = with(complete(), "/configDefs", json!([]));
    assert!(MediatorConfig::try_from(none).is_err());
}

#[test]
fn no_secret_is_in_any_message() {
    const SECRET: &str = "correct horse";
    let config = MediatorConfig::try_from(with(
        with(complete(), "/config/password", json!(SECRET)),
        "/defaultChannelConfig/0/routes/0/password",
        json!(SECRET),
    ))
    .unwrap();
    assert!(!format!("{config:?}").contains(SECRET));

    for parameter in config.configuration().keys() {
        for value in [json!(SECRET), json!([[SECRET]]), json!({"x": [SECRET]})] {
            let pushed = json!({ parameter: value });
            if let Err(mistakes) = config.check_configuration(&pushed) {
                assert!(!format!("{mistakes:?}").contains(SECRET), "{parameter}");
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0u32..70_000).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,4}", inner), 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

#[test]
fn an_element_that_is_null_is_refused_or_read_again_as_it_was_written() {
    let document = complete();
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    for pointer in found {
        let mut document = document.clone();
        *document.pointer_mut(&pointer).unwrap() = Value::Null;
        if let Ok(config) = MediatorConfig::try_from(document) {
            let written = serde_json::to_value(&config).unwrap();
            let read = MediatorConfig::try_from(written).unwrap();
            assert_eq!(read, config, "{pointer}");
        }
    }
}

proptest! {
    /// Validation and the types agree: what the one lets pass the others can read, and write
    /// again so that it is read as the same.
    #[test]
    fn whatever_an_element_is_it_is_read_or_has_a_place(
        index in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let mut document = complete();
        let mut found = Vec::new();
        pointers(&document, "", &mut found);
        let pointer = index.get(&found);
        *document.pointer_mut(pointer).unwrap() = value;
        match MediatorConfig::try_from(document) {
            Ok(config) => {
                let written = serde_json::to_value(&config).unwrap();
                prop_assert_eq!(MediatorConfig::try_from(written).unwrap(), config);
            }
            Err(MediatorConfigError::Mistakes(mistakes)) => {
                for mistake in mistakes {
                    prop_assert_ne!(mistake.place(), &Place::Element(String::new()), "{}", mistake);
                }
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn any_text_is_answered(text in ".{0,64}") {
        let _ = MediatorConfig::from_json(&text);
    }

    #[test]
    fn any_configuration_is_answered(value in any_json()) {
        let config = MediatorConfig::try_from(complete()).unwrap();
        let _ = config.check_configuration(&value);
    }

    #[test]
    fn every_port_is_read_as_a_number_and_as_a_text(port in 1u16..) {
        for value in [json!(port), json!(port.to_string())] {
            let config =
                MediatorConfig::try_from(with(complete(), "/endpoints/0/port", value)).unwrap();
            prop_assert_eq!(config.endpoints()[0].port, Some(port));
        }
    }
}
