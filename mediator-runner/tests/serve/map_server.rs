//! `/fhir`: maps run for others, in Matchbox's way and FHIR R5's.

use http::Method;
use serde_json::{Value, json};

use super::{Answer, FHIR_JSON, Runner};

const TRANSFORM: &str = "/fhir/StructureMap/$transform";
const URL: &str = "http://example.org/StructureMap/Card";
const MAP: &str = r#"map "http://example.org/StructureMap/Card" = "Card"
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
uses "http://example.org/StructureDefinition/Card" alias Card as target
imports "http://example.org/StructureMap/Holder"
group Card(source p : Patient, target c : Card) {
  p.name first as name then Holder(name, c) "name";
  p.gender as g -> c.sex = translate(g, 'http://example.org/ConceptMap/sex', 'code') "sex";
}
"#;
const IMPORTED: &str = r#"map "http://example.org/StructureMap/Holder" = "Holder"
uses "http://example.org/StructureDefinition/Card" alias Card as target
group Holder(source name : HumanName, target c : Card) {
  name.family as family -> c.holder = family "family";
}
"#;

fn model() -> Value {
    json!({"resourceType": "StructureDefinition", "url": "http://example.org/StructureDefinition/Card",
        "name": "Card", "status": "active", "kind": "logical", "abstract": false, "type": "Card",
        "derivation": "specialization",
        "differential": {"element": [{"path": "Card"},
            {"path": "Card.holder", "max": "1", "type": [{"code": "string"}]},
            {"path": "Card.sex", "max": "1", "type": [{"code": "code"}]}]}})
}

fn concept_map() -> Value {
    json!({"resourceType": "ConceptMap", "url": "http://example.org/ConceptMap/sex", "status": "active",
        "group": [{"source": "http://hl7.org/fhir/administrative-gender", "target": "http://example.org/sex",
            "element": [{"code": "female", "target": [{"code": "F", "equivalence": "equivalent"}]}],
            "unmapped": {"mode": "fixed", "code": "X"}}]})
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "gender": "female", "name": [{"family": "Ngata"}]})
}

fn card() -> Value {
    json!({"resourceType": "Card", "holder": "Ngata", "sex": "F"})
}

fn enabled() -> Runner {
    Runner::configured(&[("MEDIATOR_MAP_SERVER__ENABLED", "true")])
}

async fn send(runner: &Runner, method: Method, path: &str, media_type: &str, body: &str) -> Answer {
    let headers = [("content-type", media_type)];
    runner
        .request(method, path, &headers, body.to_owned())
        .await
}

async fn upload(runner: &Runner) {
    for (path, resource) in [
        ("/fhir/StructureDefinition", model()),
        ("/fhir/ConceptMap", concept_map()),
    ] {
        let answer = runner.post(path, &resource).await;
        answer.resource(201, resource["resourceType"].as_str().unwrap());
    }
    for text in [MAP, IMPORTED] {
        let path = "/fhir/StructureMap";
        let answer = send(runner, Method::POST, path, "text/fhir-mapping", text).await;
        answer.resource(201, "StructureMap");
    }
}

fn path_of(url: &str) -> String {
    format!("{TRANSFORM}?source={}", url.replace(':', "%3A"))
}

#[tokio::test]
async fn it_is_not_there_unless_it_is_switched_on() {
    let runner = Runner::start();
    runner.post(&path_of(URL), &patient()).await.issue(404);
}

#[tokio::test]
async fn uploads_run_are_found_survive_a_restart_and_can_be_deleted() {
    let mut runner = enabled();
    let missing = runner.post(&path_of(URL), &patient()).await.issue(404);
    assert_eq!(
        missing["diagnostics"],
        format!("Map not available with canonical url {URL}; upload it")
    );
    upload(&runner).await;
    let answer = runner.post(&path_of(URL), &patient()).await;
    assert_eq!(answer.json(), card());

    runner.terminate();
    runner.wait();
    let runner = Runner::in_directory(
        runner.data_directory.clone(),
        &[("MEDIATOR_MAP_SERVER__ENABLED", "true")],
    );
    let answer = runner
        .post(&path_of(&format!("{URL}%7C1.0")), &patient())
        .await;
    assert_eq!(answer.json(), card());

    let bundle = runner
        .get("/fhir/StructureMap?url=http://example.org/StructureMap/Card")
        .await;
    let bundle = bundle.resource(200, "Bundle");
    assert_eq!(bundle["total"], 1);
    let found = &bundle["entry"][0]["resource"];
    assert_eq!((&found["url"], &found["id"]), (&json!(URL), &json!("Card")));
    assert_eq!(
        found["import"],
        json!(["http://example.org/StructureMap/Holder"])
    );
    let read = runner.get("/fhir/StructureMap/Card").await;
    assert_eq!(&read.resource(200, "StructureMap"), found);
    let text = runner
        .accept("/fhir/StructureMap/Card", "text/fhir-mapping")
        .await;
    assert_eq!(text.body, MAP);
    let configured =
        "/fhir/StructureMap?url=http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet";
    assert_eq!(runner.get(configured).await.json()["total"], 1);

    // An update replaces, and what was compiled with it too.
    let other = IMPORTED.replace("= family \"family\"", "= 'other' \"family\"");
    let answer = send(
        &runner,
        Method::PUT,
        "/fhir/StructureMap/Holder",
        "text/fhir-mapping",
        &other,
    )
    .await;
    assert_eq!(
        answer.resource(200, "StructureMap")["meta"]["versionId"],
        "2"
    );
    let answer = runner.post(&path_of(URL), &patient()).await;
    assert_eq!(answer.json()["holder"], "other");

    let deleted = runner
        .request(Method::DELETE, "/fhir/StructureMap/Holder", &[], "")
        .await;
    assert_eq!(deleted.status, 204);
    runner.get("/fhir/StructureMap/Holder").await.issue(404);
    let missing = runner.post(&path_of(URL), &patient()).await.issue(404);
    assert!(
        missing["diagnostics"]
            .as_str()
            .unwrap()
            .starts_with("Unable to find map(s) for http://example.org/StructureMap/Holder"),
        "{missing}"
    );
    let configured = runner.request(
        Method::DELETE,
        "/fhir/StructureMap/QRespToVSCoreDataSet",
        &[],
        "",
    );
    configured.await.issue(409);
}

#[tokio::test]
async fn everything_may_come_with_the_request_in_both_dialects() {
    let runner = enabled();
    let call = |parameters: Value| json!({"resourceType": "Parameters", "parameter": parameters});
    let matchbox = call(json!([
        {"name": "resource", "resource": patient()},
        {"name": "map", "valueString": MAP},
        {"name": "map", "valueString": IMPORTED},
        {"name": "model", "resource": model()},
        {"name": "model", "resource": concept_map()}
    ]));
    let answer = runner.post(TRANSFORM, &matchbox).await;
    assert_eq!(answer.json(), card(), "{:?}", answer.body);

    let as_text = call(json!([
        {"name": "source", "valueUri": URL},
        {"name": "resource", "valueString": patient().to_string()},
        {"name": "map", "valueString": IMPORTED},
        {"name": "map", "valueString": MAP},
        {"name": "model", "valueString": model().to_string()},
        {"name": "model", "resource": concept_map()}
    ]));
    assert_eq!(runner.post(TRANSFORM, &as_text).await.json(), card());

    upload(&runner).await;
    let imported = runner.get("/fhir/StructureMap/Holder").await.json();
    let map = runner.get("/fhir/StructureMap/Card").await.json();
    for id in ["Card", "Holder"] {
        let path = format!("/fhir/StructureMap/{id}");
        runner.request(Method::DELETE, &path, &[], "").await;
    }
    let r5 = call(json!([
        {"name": "content", "resource": patient()},
        {"name": "supportingMap", "resource": imported},
        {"name": "sourceMap", "resource": map}
    ]));
    assert_eq!(runner.post(TRANSFORM, &r5).await.json(), card());
    let source_text = call(json!([
        {"name": "content", "resource": patient()},
        {"name": "srcMap", "valueString": MAP},
        {"name": "supportingMap", "valueString": IMPORTED}
    ]));
    assert_eq!(runner.post(TRANSFORM, &source_text).await.json(), card());
    // Nothing of that was kept.
    runner.post(&path_of(URL), &patient()).await.issue(404);

    // A Parameters can be the input, too.
    let input =
        json!({"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "y"}]});
    let map = r#"map "http://example.org/StructureMap/p" = "p"
uses "http://hl7.org/fhir/StructureDefinition/Parameters" alias P as source
uses "http://hl7.org/fhir/StructureDefinition/Basic" alias Basic as target
group p(source p : P, target b : Basic) { p.parameter as x -> b.id = (%x.name) "id"; }"#;
    send(
        &runner,
        Method::PUT,
        "/fhir/StructureMap/p",
        "text/fhir-mapping",
        map,
    )
    .await
    .resource(201, "StructureMap");
    let answer = runner
        .post(&path_of("http://example.org/StructureMap/p"), &input)
        .await;
    assert_eq!(answer.json(), json!({"resourceType": "Basic", "id": "x"}));
}

#[tokio::test]
async fn what_is_wrong_has_its_status_and_says_what_to_do() {
    let runner = enabled();
    upload(&runner).await;
    let xml = send(
        &runner,
        Method::POST,
        &path_of(URL),
        "application/fhir+xml",
        "<Patient/>",
    )
    .await;
    xml.issue(415);
    let xml = [
        ("content-type", FHIR_JSON),
        ("accept", "application/fhir+xml"),
    ];
    let path = path_of(URL);
    let answer = runner.request(Method::POST, &path, &xml, patient().to_string());
    answer.await.issue(406);
    let broken = send(&runner, Method::POST, &path_of(URL), FHIR_JSON, "{").await;
    broken.issue(400);
    runner.post(TRANSFORM, &patient()).await.issue(400);
    let call = |parameters: Value| json!({"resourceType": "Parameters", "parameter": parameters});
    for parameters in [
        json!([{"name": "resource", "resource": patient()}, {"name": "mapp", "valueString": MAP}]),
        json!([{"name": "resource", "valueString": "<Patient/>"}, {"name": "map", "valueString": MAP}]),
        json!([{"name": "resource"}, {"name": "map", "valueString": MAP}]),
        json!([{"name": "resource", "resource": patient()}, {"name": "supportingMap", "valueString": MAP}]),
    ] {
        runner.post(TRANSFORM, &call(parameters)).await.issue(400);
    }
    let other = json!({"resourceType": "Observation", "status": "Aroha"});
    let issue = runner.post(&path_of(URL), &other).await.issue(422);
    assert!(
        issue["diagnostics"]
            .as_str()
            .unwrap()
            .contains("it reads a Patient")
    );

    // Every mistake of a map is an issue.
    let wrong = MAP
        .replace("c.sex =", "c.sexx =")
        .replace("Holder(name, c)", "Holder(name)")
        .replace(
            "http://example.org/StructureMap/Card\" =",
            "http://example.org/StructureMap/Wrong\" =",
        );
    let sent = call(
        json!([{"name": "resource", "resource": patient()}, {"name": "map", "valueString": wrong}]),
    );
    let answer = runner.post(TRANSFORM, &sent).await;
    let outcome = answer.resource(422, "OperationOutcome");
    let issues = outcome["issue"].as_array().unwrap();
    assert_eq!(issues.len(), 2, "{outcome}");
    assert!(
        issues[1]["diagnostics"]
            .as_str()
            .unwrap()
            .contains("Card has no element sexx; did you mean sex?")
    );
    let two = "map 'http://example.org/x' = 'x'\n\
        group A(source s, target t) { s -> -> t; }\ngroup B(s) { }\n\
        group C(source s, target t) { s -> t; }";
    let answer = send(
        &runner,
        Method::POST,
        "/fhir/StructureMap",
        "text/fhir-mapping",
        two,
    )
    .await;
    let outcome = answer.resource(422, "OperationOutcome");
    assert_eq!(outcome["issue"].as_array().unwrap().len(), 2, "{outcome}");
    let text = send(
        &runner,
        Method::POST,
        "/fhir/ConceptMap",
        "text/fhir-mapping",
        MAP,
    )
    .await;
    text.issue(415);
    let search = runner.get("/fhir/StructureMap?title=x").await;
    search.issue(400);
    let long = format!("{MAP}// {}", "x".repeat(3_000_000));
    let limited = Runner::configured(&[
        ("MEDIATOR_MAP_SERVER__ENABLED", "true"),
        ("MEDIATOR_SERVER__MAXIMUM_BODY_BYTES", "1000000"),
    ]);
    let answer = send(
        &limited,
        Method::POST,
        "/fhir/StructureMap",
        "text/fhir-mapping",
        &long,
    )
    .await;
    answer.issue(413);
}

#[tokio::test]
async fn a_map_without_end_is_stopped_and_others_go_on() {
    let runner = enabled();
    let endless = r#"map "http://example.org/StructureMap/Endless" = "Endless"
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
uses "http://hl7.org/fhir/StructureDefinition/Basic" alias Basic as target
group Endless(source p : Patient, target b : Basic) { p -> b then Endless(p, b), Endless(p, b) "again"; }"#;
    send(
        &runner,
        Method::POST,
        "/fhir/StructureMap",
        "text/fhir-mapping",
        endless,
    )
    .await
    .resource(201, "StructureMap");
    let issue = runner
        .post(
            &path_of("http://example.org/StructureMap/Endless"),
            &patient(),
        )
        .await
        .issue(422);
    assert_eq!(issue["code"], "too-long");
    upload(&runner).await;
    assert_eq!(runner.post(&path_of(URL), &patient()).await.json(), card());
}

#[tokio::test]
async fn it_says_what_it_can_do() {
    let runner = enabled();
    let statement = runner.get("/fhir/metadata").await;
    let statement = statement.resource(200, "CapabilityStatement");
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let types: Vec<&Value> = resources.iter().map(|resource| &resource["type"]).collect();
    assert_eq!(types, ["StructureMap", "StructureDefinition", "ConceptMap"]);
    assert_eq!(resources[0]["operation"][0]["name"], "transform");
}
