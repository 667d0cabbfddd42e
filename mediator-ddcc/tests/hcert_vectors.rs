//! The test vectors of the EU Digital COVID Certificate, which others wrote. They are found by the
//! environment variable `DDCC_FIXTURES`; without it this test says so and checks nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mediator_ddcc::codes::Layer;
use mediator_ddcc::verification::image::read_codes;
use mediator_ddcc::verification::{Step, StepResult, TrustedKeys, Verification, verify};
use serde_json::Value;

/// What a flag of `EXPECTEDRESULTS` says about the steps.
const FLAGS: [(&str, &[Step]); 9] = [
    ("EXPECTEDUNPREFIX", &[Step::Layer(Layer::Prefix)]),
    ("EXPECTEDB45DECODE", &[Step::Layer(Layer::Base45)]),
    ("EXPECTEDCOMPRESSION", &[Step::Layer(Layer::Zlib)]),
    (
        "EXPECTEDDECODE",
        &[Step::Layer(Layer::Cose), Step::Layer(Layer::Cwt)],
    ),
    ("EXPECTEDVERIFY", &[Step::Signature]),
    ("EXPECTEDKEYUSAGE", &[Step::KeyUsage]),
    ("EXPECTEDEXPIRATIONCHECK", &[Step::Validity]),
    ("EXPECTEDSCHEMAVALIDATION", &[Step::Schema]),
    ("EXPECTEDVALIDOBJECT", &[Step::Layer(Layer::Cwt)]),
];

/// Vectors that are themselves wrong, the flag that is, and why.
const WRONG: [(&str, &str, &str); 1] = [(
    "common/B1.json",
    "EXPECTEDPICTUREDECODE",
    "there is no picture (2DCODE) in it",
)];

fn vectors() -> Option<Vec<PathBuf>> {
    let Some(fixtures) = std::env::var_os("DDCC_FIXTURES") else {
        println!("skipped: DDCC_FIXTURES is not set");
        return None;
    };
    let mut files = Vec::new();
    for folder in fs::read_dir(Path::new(&fixtures).join("hcert")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            files.extend(
                fs::read_dir(folder)
                    .unwrap()
                    .map(|file| file.unwrap().path()),
            );
        }
    }
    files.sort();
    assert_eq!(files.len(), 52);
    Some(files)
}

fn name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(2).collect();
    format!("{}/{}", parts[1].display(), parts[0].display())
}

fn is_wrong(name: &str, flag: &str) -> bool {
    WRONG
        .iter()
        .any(|(vector, wrong, _)| *vector == name && *wrong == flag)
}

fn verified(vector: &Value) -> Verification {
    let context = &vector["TESTCTX"];
    let mut keys = TrustedKeys::default();
    keys.add_certificates(context["CERTIFICATE"].as_str().unwrap().as_bytes())
        .unwrap();
    let at = context["VALIDATIONCLOCK"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    verify(vector["PREFIX"].as_str().unwrap(), &keys, at)
}

#[test]
fn every_step_that_a_vector_names_has_the_expected_result() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for path in vectors().unwrap_or_default() {
        let vector: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let name = name(&path);
        let verification = verified(&vector);
        for (flag, steps) in FLAGS {
            let Some(expected) = vector["EXPECTEDRESULTS"][flag].as_bool() else {
                continue;
            };
            checked += 1;
            let ok = steps
                .iter()
                .all(|step| *verification.steps.result(*step) == StepResult::Ok);
            if ok != expected && !is_wrong(&name, flag) {
                wrong.push(format!("{name}: {flag} {expected}, {verification:?}"));
            }
        }
        if vector["EXPECTEDRESULTS"]["EXPECTEDVALIDJSON"] == true {
            checked += 1;
            if verification.payload.as_ref() != Some(&vector["JSON"]) {
                wrong.push(format!("{name}: another payload"));
            }
        }
    }
    println!("{checked} expectations");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_picture_is_read_or_not_as_expected() {
    let mut checked = 0;
    for path in vectors().unwrap_or_default() {
        let vector: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let name = name(&path);
        let flag = "EXPECTEDPICTUREDECODE";
        let Some(expected) = vector["EXPECTEDRESULTS"][flag].as_bool() else {
            continue;
        };
        let Some(picture) = vector["2DCODE"].as_str() else {
            assert!(is_wrong(&name, flag), "{name} has no picture");
            continue;
        };
        checked += 1;
        let found = read_codes(&STANDARD.decode(picture).unwrap());
        let expected = expected.then(|| vec![vector["PREFIX"].as_str().unwrap().to_owned()]);
        assert_eq!(found.ok().map(|found| found.texts), expected, "{name}");
    }
    println!("{checked} pictures");
}
