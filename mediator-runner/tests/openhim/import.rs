//! `import`.

use serde_json::{Value, json};

use super::{Outcome, at, core};

const PASSWORDS: [(&str, &str); 5] = [
    ("DDCC_REGISTRAR_PASSWORD", "registrar's"),
    ("DDCC_PORTAL_PASSWORD", "portal's"),
    ("DDCC_VERIFIER_PASSWORD", "verifier's"),
    ("DDCC_MEDIATOR_PASSWORD", "mediator's"),
    ("DDCC_AUDITOR_PASSWORD", "auditor's"),
];

fn project_folder() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../openhim-config")
}

/// Action and details by kind and name.
fn actions(outcome: &Outcome) -> Vec<(String, String, String)> {
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    outcome
        .json()
        .iter()
        .map(|line| {
            let name = format!("{} {}", text(&line["kind"]), text(&line["name"]));
            (name, text(&line["action"]), text(&line["details"]))
        })
        .collect()
}

fn changes(outcome: &Outcome) -> Vec<(String, String, String)> {
    let actions = actions(outcome).into_iter();
    actions
        .filter(|(_, action, _)| action == "create" || action == "update")
        .collect()
}

#[tokio::test]
async fn the_projects_folder_is_imported_once_and_then_unchanged() {
    let Some(core) = core().await else {
        return;
    };
    let import = ["import", project_folder(), "--json"];
    let dry_run = at(core, &[&import[..], &["--dry-run"]].concat(), &PASSWORDS);
    let planned = changes(&dry_run);
    assert!(
        planned.iter().all(|(_, action, _)| action == "create"),
        "{planned:?}"
    );
    let clients = core
        .api("GET", "/clients/domain/registrar.example", None)
        .await;
    assert_eq!(clients.status, 404, "a dry run changes nothing");

    assert_eq!(changes(&at(core, &import, &PASSWORDS)), planned);
    assert_eq!(changes(&at(core, &import, &PASSWORDS)), []);
    // Passwords that are not told stay.
    assert_eq!(changes(&at(core, &import, &[])), []);
    let text = at(core, &["import", project_folder()], &[]);
    assert!(
        text.output.ends_with("\nOpenHIM is as the files say.\n"),
        "{}",
        text.output
    );

    let mediator = core.api("GET", "/mediators/urn:mediator:ddcc", None).await;
    assert_eq!(mediator.status, 200);

    // What was changed in the console is changed back.
    let channels = core.api("GET", "/channels", None).await.body;
    let verify = channels
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["name"] == "DDCC Verify");
    let id = verify.unwrap()["_id"].as_str().unwrap();
    let changed = json!({ "allow": ["everyone"], "priority": 3 });
    core.api("PUT", &format!("/channels/{id}"), Some(changed))
        .await;
    let new_password = [
        ("DDCC_REGISTRAR_PASSWORD", "another"),
        ("DDCC_AUDITOR_PASSWORD", "another"),
    ];
    let expected = [
        ("channel DDCC Verify", "allow"),
        ("client registrar", "password"),
        ("user auditor@ddcc.example", "password"),
    ]
    .map(|(name, details)| (name.to_owned(), "update".to_owned(), details.to_owned()));
    assert_eq!(changes(&at(core, &import, &new_password)), expected);
    assert_eq!(changes(&at(core, &import, &new_password)), []);
    let verify = core.api("GET", &format!("/channels/{id}"), None).await.body;
    assert_eq!(verify["allow"], json!(["ddcc-verify"]));
    assert_eq!(
        verify["priority"], 3,
        "what the file does not mention stays"
    );

    // The client gets in with its new password, and reaches the route, where nobody listens.
    let status = |password: &'static str| async move {
        let request = reqwest::Client::new()
            .post(format!(
                "{}/ddcc/generateHealthCertificate",
                core.router_url()
            ))
            .basic_auth("registrar", Some(password));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("registrar's").await, 401);
    assert_eq!(status("another").await, 500);
}

#[tokio::test]
async fn a_new_clients_password_must_be_set() {
    let Some(core) = core().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let user = json!([{
        "email": "new@example.org", "firstname": "N", "surname": "U", "groups": ["admin"],
        "passwordEnvironmentVariable": "NEW_USER_PASSWORD",
    }]);
    write("users.json", user);
    let client = json!([{
        "clientID": "new-client", "name": "N", "roles": ["r"],
        "passwordEnvironmentVariable": "NEW_CLIENT_PASSWORD",
    }]);
    write("clients.json", client);
    let outcome = at(core, &["import", folder.path().to_str().unwrap()], &[]);
    assert_eq!(outcome.code, 2);
    let mistakes: Vec<_> = outcome.errors.lines().collect();
    assert_eq!(mistakes.len(), 2);
    assert!(mistakes[0].contains("NEW_CLIENT_PASSWORD"), "{mistakes:?}");
    assert!(mistakes[1].contains("NEW_USER_PASSWORD"), "{mistakes:?}");
    let clients = core.api("GET", "/clients", None).await.body;
    let known = |client: &Value| client["clientID"] == "new-client";
    assert!(
        !clients.as_array().unwrap().iter().any(known),
        "nothing is changed"
    );
}

#[tokio::test]
async fn what_core_refuses_is_named_and_what_came_before_it_stays() {
    let Some(core) = core().await else {
        return;
    };
    core.create_client("taken-by-a-client", "x", &["some-role"])
        .await;
    let folder = tempfile::tempdir().unwrap();
    // In OpenHIM 4, a client must not have the name of a role.
    let clients = json!([
        { "clientID": "before", "name": "B", "roles": ["some-role"] },
        { "clientID": "some-role", "name": "C", "roles": ["some-role"] },
    ]);
    std::fs::write(folder.path().join("clients.json"), clients.to_string()).unwrap();
    let outcome = at(core, &["import", folder.path().to_str().unwrap()], &[]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.errors.starts_with("client some-role: "),
        "{}",
        outcome.errors
    );
    let rest = at(
        core,
        &[
            "import",
            folder.path().to_str().unwrap(),
            "--dry-run",
            "--json",
        ],
        &[],
    );
    let rest = changes(&rest);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].0, "client some-role");
}

#[test]
fn a_folder_that_is_not_there_ends_with_2() {
    let user = [("OPENHIM_USERNAME", "u"), ("OPENHIM_PASSWORD", "p")];
    let arguments = [
        "import",
        "/no/such/folder",
        "--api-url",
        "https://127.0.0.1:1",
    ];
    let outcome = super::runner(&arguments, &user);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.errors.contains("nothing to import"),
        "{}",
        outcome.errors
    );
}
