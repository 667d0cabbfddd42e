//! What `issue` makes, `verify` accepts, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// The lines that `verify --json` prints, and its exit status.
fn verify(folder: &TempDir, input: &Path, more: &[&str]) -> (Vec<Value>, Option<i32>) {
    let mut arguments = vec!["verify", "--json", input.to_str().unwrap()];
    arguments.extend(more);
    let output = run(folder, &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), output.status.code())
}

/// A folder in which the inputs are issued, and the certificates' folders.
fn issue(inputs: &[PathBuf]) -> (TempDir, Vec<PathBuf>) {
    let folder = TempDir::new().unwrap();
    let mut arguments = vec!["issue", "--json"];
    arguments.extend(inputs.iter().map(|input| input.to_str().unwrap()));
    let output = run(&folder, &arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        folder.path().join(line["path"].as_str().unwrap())
    });
    let paths = paths.collect();
    (folder, paths)
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/requests");
    [
        "vaccination.json",
        "test-result.json",
        "batch.json",
        "events.ndjson",
    ]
    .map(|name| folder.join(name))
    .to_vec()
}

/// Every code of a certificate in every form verifies.
fn check(folder: &TempDir, certificate: &Path, at: &[&str]) {
    let mut codes = 0;
    for entry in fs::read_dir(certificate).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().unwrap().to_str().unwrap();
        if !matches!(extension, "txt" | "png" | "json") {
            continue;
        }
        let (lines, status) = verify(folder, &path, at);
        assert_eq!(status, Some(0), "{}: {lines:?}", path.display());
        assert_eq!(lines.len(), 1);
        codes += usize::from(extension == "txt");
    }
    let (lines, status) = verify(folder, &certificate.join("card.pdf"), at);
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines.len(), codes, "codes on {}", certificate.display());
}

#[test]
fn every_example_verifies_in_every_form() {
    let (folder, certificates) = issue(&examples());
    assert_eq!(certificates.len(), 7);
    for certificate in certificates {
        check(&folder, &certificate, &[]);
    }
}

#[test]
fn the_guides_responses_verify_in_every_form() {
    let Some(fixtures) = std::env::var_os("DDCC_FIXTURES") else {
        println!("skipped: DDCC_FIXTURES is not set");
        return;
    };
    let responses = Path::new(&fixtures).join("questionnaire-responses");
    let inputs: Vec<PathBuf> = ["arabic", "chinese", "english", "french"]
        .map(|language| responses.join(format!("vaccination-{language}.json")))
        .to_vec();
    let (folder, certificates) = issue(&inputs);
    for certificate in certificates {
        // Their validity ended in 2022, before the document signing certificate began to sign.
        for form in ["who", "dcc", "shc", "icao"] {
            let path = certificate.join(format!("{form}.txt"));
            let (lines, _) = verify(&folder, &path, &[]);
            let steps = lines[0]["steps"].as_object().unwrap();
            for (step, result) in steps {
                let result = result.as_str().unwrap();
                let is_expected = match step.as_str() {
                    "image" => result == "not reached",
                    "validity" => form == "icao" || result.contains("expired"),
                    _ => result == "ok",
                };
                assert!(is_expected, "{form} {step}: {result}");
            }
        }
    }
}

#[test]
fn the_signers_certificate_alone_is_enough() {
    let (folder, certificates) = issue(&examples()[..1]);
    let elsewhere = TempDir::new().unwrap();
    let document = certificates[0].join("document.json");
    let (_, status) = verify(&elsewhere, &document, &[]);
    assert_eq!(status, Some(2), "no keys are trusted there");
    let signer = folder.path().join("certificates/signer.pem");
    let signer = signer.to_str().unwrap();
    let (_, status) = verify(&elsewhere, &document, &["--certificate", signer]);
    assert_eq!(status, Some(0));
}

#[test]
fn a_changed_document_does_not_verify() {
    let (folder, certificates) = issue(&examples()[..1]);
    let document = certificates[0].join("document.json");
    let text = fs::read_to_string(&document).unwrap();
    for (from, to) in [("Amélie", "Amelie"), ("\"FG4493\"", "\"FG4494\"")] {
        assert!(text.contains(from));
        fs::write(&document, text.replace(from, to)).unwrap();
        let (lines, status) = verify(&folder, &document, &[]);
        assert_eq!(status, Some(1), "{from}");
        assert_eq!(lines[0]["format"], "ddcc-document");
        let signature = lines[0]["steps"]["signature"].as_str().unwrap();
        assert!(signature.starts_with("failed: "), "{signature}");
    }
    fs::write(&document, text).unwrap();
    let (_, status) = verify(&folder, &document, &["--at", "2019-01-01"]);
    assert_eq!(status, Some(1), "before the signer's certificate");
}
