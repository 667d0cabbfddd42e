//! `mediator-runner verify` as its users run it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chrono::{DateTime, Utc};
use image::{GrayImage, Luma, imageops};
use mediator_ddcc::codes::{CodeContext, CodeForm, IssuedCode, IssuerSettings, prepare};
use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::signing::Signer as _;
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder as `issue` leaves it: development keys, and a certificate's codes.
struct Issued {
    folder: TempDir,
    codes: Vec<IssuedCode>,
}

impl Issued {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let now: DateTime<Utc> = "2026-06-15T12:00:00Z".parse().unwrap();
        let pki = folder.path().join("mediator-data/development-pki");
        let pki = DevelopmentPki::open_or_create(&pki, "XX", now).unwrap();
        let signer = pki.signer.identity();
        let issuer = IssuerSettings {
            name: "Ministry of Health".into(),
            country: "CH".into(),
            country_alpha3: "CHE".into(),
            smart_health_card_issuer: "https://health.example.org/shc".into(),
            default_validity_days: 365,
            issue_expired: false,
        };
        let icd11 = |code: &str| json!({"system": "http://id.who.int/icd11/mms", "code": code});
        let set: CoreDataSet = serde_json::from_value(json!({
            "name": "Aroha Ngata",
            "birthDate": "1990-05-17",
            "vaccination": {
                "vaccine": icd11("XM0GQ8"),
                "brand": icd11("XM3DT5"),
                "manufacturer": {"system": "http://example.org", "code": "TEST"},
                "lot": "ER8732",
                "date": "2026-06-01",
                "dose": 2,
                "totalDoses": 2,
                "country": {"system": "urn:iso:std:iso:3166", "code": "NZL"},
            },
            "certificate": {
                "issuer": {"identifier": {"value": "PHA"}},
                "hcid": {"value": "ABC-1"},
                "version": "RC2",
            },
        }))
        .unwrap();
        let context = CodeContext {
            issuer: &issuer,
            signer: &signer,
            issued_at: now,
            document_id: uuid::Uuid::from_u128(1),
            core_data_set: &set,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let codes = CodeForm::ALL
            .into_iter()
            .map(|form| {
                let prepared = prepare(form, &context).unwrap();
                let signature = runtime
                    .block_on(pki.signer.sign(&signer, prepared.to_be_signed()))
                    .unwrap();
                IssuedCode::new(form, prepared.finish(&signature).unwrap()).unwrap()
            })
            .collect();
        let issued = Self { folder, codes };
        issued.write("signer.pem", signer.certificate.to_pem().as_bytes());
        let list = json!({signer.kid_base64(): signer.certificate.to_pem()});
        issued.write("trust-list.json", list.to_string().as_bytes());
        issued
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn text(&self, form: CodeForm) -> &str {
        let code = self.codes.iter().find(|code| code.form == form).unwrap();
        &code.text
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(self.folder.path(), arguments).output().unwrap()
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command
        .current_dir(folder)
        .arg("verify")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn answers(output: &Output) -> Vec<Value> {
    str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const NOW: [&str; 2] = ["--at", "2026-07-01"];

#[test]
fn people_read_who_signed_for_whom_what_and_until_when() {
    let issued = Issued::new();
    let file = issued.write("who.txt", issued.text(CodeForm::Who).as_bytes());
    let output = issued.run(&[file.to_str().unwrap(), NOW[0], NOW[1]]);
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(status(&output), 0, "{printed}");
    for line in [
        "VALID  HCERT",
        "CN=Development document signer 1",
        " (XX, key ",
        "issuer     CH",
        "for        Aroha Ngata, born 1990-05-17",
        "what       vaccination, dose 2 of 2, ",
        "until      2027-06-15 12:00:00 UTC",
        "image      not reached",
        "signature  ok",
        "schema     ok",
    ] {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    assert!(!printed.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn programs_read_json() {
    let issued = Issued::new();
    for (form, format) in [
        (CodeForm::Who, "hcert"),
        (CodeForm::Dcc, "hcert"),
        (CodeForm::Shc, "shc"),
        (CodeForm::Icao, "vds-nc"),
    ] {
        let output = issued.run(&[issued.text(form), "--json", NOW[0], NOW[1]]);
        let answers = answers(&output);
        assert_eq!(status(&output), 0, "{answers:?}");
        let [answer] = answers.as_slice() else {
            panic!("one line for one code");
        };
        let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(members, ["valid", "format", "steps", "payload"]);
        assert_eq!(answer["valid"], true);
        assert_eq!(answer["format"], format);
        assert_eq!(answer["steps"]["signature"], "ok");
        assert!(answer["payload"].is_object());
    }
}

#[test]
fn images_files_and_standard_input_are_read() {
    let issued = Issued::new();
    let text = issued.text(CodeForm::Dcc);
    let png = issued.write("dcc.png", &issued.codes[1].png);
    let lines = format!("{text}\r\n{}\n", issued.text(CodeForm::Shc));
    let lines = issued.write("both.txt", lines.as_bytes());
    let output = issued.run(&[
        png.to_str().unwrap(),
        lines.to_str().unwrap(),
        "--json",
        NOW[0],
        NOW[1],
    ]);
    let found = answers(&output);
    assert_eq!(status(&output), 0, "{found:?}");
    assert_eq!(found.len(), 3);
    assert_eq!(found[0]["steps"]["image"], "ok");
    assert_eq!(found[1]["steps"]["image"], "not reached");
    assert_eq!(found[0]["payload"], found[1]["payload"]);

    let mut child = command(issued.folder.path(), &["-", NOW[0], NOW[1]])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn keys_come_from_a_file_a_list_or_the_development_signers() {
    let issued = Issued::new();
    let other = Issued::new();
    let text = issued.text(CodeForm::Who);
    let run = |issued: &Issued, keys: &[&str]| {
        let mut arguments = vec![text, NOW[0], NOW[1]];
        arguments.extend(keys);
        status(&issued.run(&arguments))
    };
    assert_eq!(run(&issued, &[]), 0);
    assert_eq!(run(&issued, &["--certificate", "signer.pem"]), 0);
    assert_eq!(run(&issued, &["--trust-list", "trust-list.json"]), 0);
    assert_eq!(run(&other, &[]), 1);
    assert_eq!(run(&other, &["--certificate", "signer.pem"]), 1);
    let mine = issued.folder.path().join("signer.pem");
    let mine = mine.to_str().unwrap();
    let both = ["--certificate", "signer.pem", "--certificate", mine];
    assert_eq!(run(&other, &both), 0);
    let data = issued.folder.path().join("mediator-data");
    assert_eq!(run(&other, &["--data", data.to_str().unwrap()]), 0);
}

#[test]
fn what_is_not_valid_exits_with_1_and_says_why() {
    let issued = Issued::new();
    let text = issued.text(CodeForm::Who);
    let cut = &text[..text.len() - 3];
    let other = text.replacen("HC1:", "HC2:", 1);
    for (input, at, reason) in [
        (
            text,
            "2030-01-01",
            "validity   failed: the certificate has expired",
        ),
        (cut, "2026-07-01", "failed: "),
        (other.as_str(), "2026-07-01", "prefix     failed: "),
        ("shc:/1/2/00", "2026-07-01", "give all of them"),
        ("{}", "2026-07-01", "seal       failed: "),
    ] {
        let output = issued.run(&[input, "--at", at]);
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(status(&output), 1, "{printed}");
        assert!(printed.contains("NOT VALID"), "{printed}");
        assert!(printed.contains(reason), "{reason} in {printed}");
    }
    let blank = issued.write("broken.png", b"\x89PNG\r\n\x1a\n");
    let output = issued.run(&[blank.to_str().unwrap(), "--json"]);
    assert_eq!(status(&output), 1);
    let image = answers(&output)[0]["steps"]["image"].clone();
    assert!(image.as_str().unwrap().starts_with("failed: "));
    // One of several
    let output = issued.run(&[text, cut, NOW[0], NOW[1]]);
    assert_eq!(status(&output), 1);
}

#[test]
fn wrong_usage_exits_with_2_and_says_why() {
    let issued = Issued::new();
    let empty = TempDir::new().unwrap();
    let text = issued.text(CodeForm::Who);
    issued.write("empty.txt", b"\n");
    issued.write("binary", b"\xff\xfe");
    for (folder, arguments, reason) in [
        (issued.folder.path(), &[][..], "INPUT"),
        (issued.folder.path(), &["missing.png"], "no such file"),
        (issued.folder.path(), &["mediator-data"], "is a folder"),
        (issued.folder.path(), &["empty.txt"], "is empty"),
        (issued.folder.path(), &["binary"], "neither text nor"),
        (
            issued.folder.path(),
            &[text, "--at", "yesterday"],
            "2021-06-01",
        ),
        (
            issued.folder.path(),
            &[text, "--certificate", "empty.txt"],
            "no X.509",
        ),
        (
            issued.folder.path(),
            &[text, "--trust-list", "signer.pem"],
            "not JSON",
        ),
        (
            issued.folder.path(),
            &[text, "--trust-list", "missing"],
            "cannot read",
        ),
        (empty.path(), &[text], "no keys are trusted"),
    ] {
        let output = command(folder, arguments).output().unwrap();
        let told = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(status(&output), 2, "{arguments:?} {told}");
        assert!(told.contains(reason), "{reason} in {told}");
        assert!(output.stdout.is_empty());
    }
    let left: Vec<_> = fs::read_dir(empty.path()).unwrap().collect();
    assert!(left.is_empty(), "verifying makes no keys");
}

#[test]
fn a_code_does_not_command_the_terminal() {
    let issued = Issued::new();
    let seal = r#"{"data":{"msg":{"pid":{"n":"\u001b[2J\u202eX"}}},"sig":{"alg":"ES256","cer":"AA","sigvl":"AA"}}"#;
    let output = issued.run(&[seal]);
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(printed.contains("[2J"), "{printed}");
    assert!(!printed.contains('\u{1b}') && !printed.contains('\u{202e}'));
}

#[test]
fn help_has_examples() {
    let issued = Issued::new();
    let output = issued.run(&["--help"]);
    let help = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(status(&output), 0);
    assert!(help.contains("mediator-runner verify card.pdf"), "{help}");
    assert!(help.contains("Exit status"), "{help}");
}

#[test]
fn a_code_that_cannot_be_read_beside_another_is_noted() {
    let issued = Issued::new();
    let drawn = |code: &IssuedCode| image::load_from_memory(&code.png).unwrap().to_luma8();
    let (good, mut torn) = (drawn(&issued.codes[0]), drawn(&issued.codes[1]));
    let (width, height) = torn.dimensions();
    let corner = GrayImage::from_pixel(width, height, Luma([255]));
    let at = |side: u32| i64::from(side * 2 / 5);
    imageops::replace(&mut torn, &corner, at(width), at(height));
    let size = (good.width() + width + 300, good.height().max(height) + 100);
    let mut page = GrayImage::from_pixel(size.0, size.1, Luma([255]));
    imageops::replace(&mut page, &good, 50, 50);
    imageops::replace(&mut page, &torn, i64::from(good.width()) + 200, 50);
    page.save(issued.folder.path().join("page.png")).unwrap();

    let output = issued.run(&[
        "page.png",
        "--certificate",
        "signer.pem",
        "--json",
        NOW[0],
        NOW[1],
    ]);
    assert_eq!(status(&output), 0);
    assert_eq!(answers(&output).len(), 1);
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(note.contains("page.png shows another QR code"), "{note}");
}
