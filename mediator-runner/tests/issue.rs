//! `mediator-runner issue`, run as its user runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn requests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/requests")
}

fn request(name: &str) -> String {
    requests().join(name).display().to_string()
}

fn vaccination() -> Value {
    let text = fs::read(requests().join("vaccination.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// A vaccination of a holder of its own.
fn vaccination_of(hcid: &str) -> Value {
    let mut response = vaccination();
    response["identifier"]["value"] = json!(format!("event of {hcid}"));
    *answer(&mut response, "hcid") = json!({"valueString": hcid});
    response
}

fn answer<'a>(response: &'a mut Value, link_id: &str) -> &'a mut Value {
    let items = response["item"].as_array_mut().unwrap();
    let item = items.iter_mut().find(|item| item["linkId"] == link_id);
    &mut item.unwrap()["answer"][0]
}

fn issue(folder: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .arg("issue")
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_first_command_makes_everything() {
    let folder = TempDir::new().unwrap();
    let output = issue(&folder, &[&request("vaccination.json")], "");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("CH-7QK2-M4TD") && text.contains("AZ"),
        "{text}"
    );
    assert!(text.contains("who dcc shc icao"), "{text}");
    assert!(!text.contains("Amélie"), "the table names nobody in full");
    assert!(!text.contains('\u{1b}'), "no colours outside a terminal");
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(warning.contains("for trying out"), "{warning}");
    let certificate = folder.path().join("certificates/CH-7QK2-M4TD/1");
    assert_eq!(
        files(&certificate),
        [
            "card.pdf",
            "dcc.png",
            "dcc.svg",
            "dcc.txt",
            "document.json",
            "icao.png",
            "icao.svg",
            "icao.txt",
            "shc.png",
            "shc.svg",
            "shc.txt",
            "who.png",
            "who.svg",
            "who.txt"
        ]
    );
    let read = |name: &str| fs::read(certificate.join(name)).unwrap();
    assert!(read("who.txt").starts_with(b"HC1:"));
    assert!(read("shc.txt").starts_with(b"shc:/"));
    assert!(read("card.pdf").starts_with(b"%PDF-"));
    assert!(read("icao.png").starts_with(b"\x89PNG"));
    let document: Value = serde_json::from_slice(&read("document.json")).unwrap();
    assert_eq!(document["type"], "document");
    assert!(document["signature"]["data"].is_string());
    assert_eq!(
        files(&folder.path().join("certificates")),
        ["CH-7QK2-M4TD", "signer.pem"]
    );
    let key = "mediator-data/development-pki/document-signers/1/document-signer-key.pem";
    let mode = fs::metadata(folder.path().join(key)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn every_form_of_input_is_read() {
    let folder = TempDir::new().unwrap();
    let array = json!([vaccination_of("A-1"), vaccination_of("A-2")]).to_string();
    let output = issue(
        &folder,
        &[
            "--json",
            &request("batch.json"),
            &request("events.ndjson"),
            "-",
        ],
        &array,
    );
    assert!(output.status.success(), "{output:?}");
    let lines = lines(&output);
    let places: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| {
            (
                line["hcid"].as_str().unwrap(),
                line["place"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("CH-2VHD-8ZAM", 1),
            ("CH-5RBN-T7QE", 1),
            ("CH-3FGK-W9YB", 1),
            ("CH-3FGK-W9YB", 2),
            ("CH-6MJS-D2VU", 1),
            ("A-1", 1),
            ("A-2", 1)
        ]
    );
    assert_eq!(
        (&lines[6]["input"], &lines[6]["entry"]),
        (&json!("-"), &json!(2))
    );
    assert_eq!(lines[4]["omitted"][0]["code"], "icao");
}

#[test]
fn run_again_it_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let input = request("events.ndjson");
    let first = issue(&folder, &["--json", &input], "");
    let document = folder
        .path()
        .join("certificates/CH-3FGK-W9YB/2/document.json");
    let before = fs::read(&document).unwrap();
    let second = issue(&folder, &["--json", &input], "");
    assert!(second.status.success());
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(fs::read(&document).unwrap(), before);
}

#[test]
fn goes_on_after_an_interruption() {
    let folder = TempDir::new().unwrap();
    issue(&folder, &[&request("vaccination.json")], "");
    // What an interruption leaves: a draft beside, and the certificate not in its place.
    let out = folder.path().join("certificates");
    let written = out.join("CH-7QK2-M4TD/1");
    let document: Value =
        serde_json::from_slice(&fs::read(written.join("document.json")).unwrap()).unwrap();
    let id = document["identifier"]["value"].as_str().unwrap();
    let draft = out.join(format!(".{}.part", id.trim_start_matches("urn:uuid:")));
    fs::rename(&written, &draft).unwrap();
    fs::remove_file(draft.join("who.txt")).unwrap();
    fs::write(draft.join("card.pdf"), "half").unwrap();
    let again = issue(&folder, &[&request("vaccination.json")], "");
    assert!(again.status.success());
    assert_eq!(files(&written).len(), 14);
    assert!(fs::read(written.join("card.pdf")).unwrap().len() > 1000);
    assert!(!draft.exists());
}

#[test]
fn a_failed_entry_is_told_and_the_others_go_on() {
    let folder = TempDir::new().unwrap();
    let mut zero = vaccination_of("B-2");
    *answer(&mut zero, "dose") = json!({"valueInteger": 0});
    let input = format!(
        "{}\n{zero}\n{{\"broken\": \n{}\n{{\"a\": 1, \"a\": 2}}\n",
        vaccination_of("B-1"),
        vaccination_of("B-3"),
    );
    let output = issue(&folder, &["--json", "-"], &input);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let statuses: Vec<Option<u64>> = lines.iter().map(|line| line["status"].as_u64()).collect();
    assert_eq!(statuses, [None, Some(422), Some(400), None, Some(400)]);
    let issue = &lines[1]["outcome"]["issue"][0];
    assert_eq!(
        issue["expression"][0],
        "QuestionnaireResponse.item.where(linkId='dose').answer.value"
    );
    assert!(
        lines[2]["outcome"]["issue"][0]["diagnostics"]
            .as_str()
            .unwrap()
            .contains("line 3")
    );
    assert_eq!(
        files(&folder.path().join("certificates")),
        ["B-1", "B-3", "signer.pem"]
    );
}

#[test]
fn the_table_tells_failures_on_standard_error() {
    let folder = TempDir::new().unwrap();
    let output = issue(&folder, &["-"], "{\"resourceType\": \"Patient\"}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("-, entry 1: not issued (422)"), "{text}");
    assert!(text.contains("resourceType: "), "{text}");
}

#[test]
fn hostile_input_is_refused() {
    let folder = TempDir::new().unwrap();
    let refused = |input: &str, status: u64| {
        let output = issue(&folder, &["--json", "-"], input);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(lines(&output)[0]["status"], status);
    };
    refused("", 400);
    refused("[]", 400);
    refused("not json", 400);
    refused(&"[".repeat(100_000), 400);
    refused(&"x".repeat(100 * 1024 * 1024), 413);
    refused(&vaccination_of("../../../etc").to_string(), 422);
    refused(&vaccination_of(&"9".repeat(10_000)).to_string(), 422);
    assert_eq!(files(&folder.path().join("certificates")), [""; 0]);
}

#[test]
fn wrong_usage_and_configuration_exit_with_2() {
    let folder = TempDir::new().unwrap();
    let fails = |arguments: &[&str], text: &str| {
        let output = issue(&folder, arguments, "");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(text), "{stderr}");
    };
    fails(&[], "INPUT");
    fails(&["missing.json"], "missing.json");
    fails(&["."], "folder");
    fs::write(folder.path().join("wrong.toml"), "[issuer]\ncountry = 1\n").unwrap();
    fails(&["--config", "wrong.toml", "-"], "issuer.country");
    fs::write(folder.path().join("file"), "").unwrap();
    fails(&["--out", "file/below", "-"], "file/below");
    assert!(!folder.path().join("mediator-data").exists());
}

#[test]
fn another_data_directory_does_not_overwrite_certificates() {
    let folder = TempDir::new().unwrap();
    issue(&folder, &[&request("vaccination.json")], "");
    fs::remove_dir_all(folder.path().join("mediator-data")).unwrap();
    let output = issue(&folder, &["--json", &request("vaccination.json")], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output)[0]["status"], 409);
}

#[test]
fn a_country_adds_its_questionnaire_without_code() {
    let folder = TempDir::new().unwrap();
    let own = requests().join("../own-questionnaire");
    fs::write(
        folder.path().join("mediator.toml"),
        format!(
            "[maps]\nfolder = {:?}\n[questionnaires]\nfolder = {:?}\n",
            own.join("maps"),
            own.join("questionnaires")
        ),
    )
    .unwrap();
    let response = own.join("response.json").display().to_string();
    let output = issue(
        &folder,
        &["--json", "--config", "mediator.toml", &response],
        "",
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines(&output)[0]["initials"], "ÍJI");
    assert_eq!(
        lines(&output)[0]["codes"],
        json!(["who", "dcc", "shc", "icao"])
    );
    // A mistake is told at the country's own question.
    let mut response: Value = serde_json::from_slice(&fs::read(response).unwrap()).unwrap();
    response["item"][2]["answer"][0]["valueString"] = json!("../x");
    let output = issue(
        &folder,
        &["--json", "--config", "mediator.toml", "-"],
        &response.to_string(),
    );
    assert_eq!(
        lines(&output)[0]["outcome"]["issue"][0]["expression"][0],
        "QuestionnaireResponse.item.where(linkId='hcid').answer.value"
    );
}

#[test]
fn help_has_examples() {
    let folder = TempDir::new().unwrap();
    let output = issue(&folder, &["--help"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("Examples:") && text.contains("--json -"),
        "{text}"
    );
}
