//! `verify`: checks certificates for people, or as JSON for programs.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use mediator_ddcc::codes::smart_health_card::decode::join;
use mediator_ddcc::fhir_date;
use mediator_ddcc::signing::{CertificateStore, development_pki};
use mediator_ddcc::verification::image::{MAXIMUM_FILE, is_image};
use mediator_ddcc::verification::{
    Format, StepResult, Summary, TrustedKeys, Verification, VerifiedImage, verify, verify_image,
};

use crate::service::signer;

const EXAMPLES: &str = "\
Examples:
  mediator-runner verify certificates/ABC/1/who.txt
  mediator-runner verify card.pdf photograph.jpg
  mediator-runner verify 'HC1:6BFOXN...' --certificate signer.pem
  mediator-runner verify - --trust-list trust-list.json --at 2021-06-01T12:00:00Z --json < qr.txt

Exit status: 0 all are valid, 1 one is not, 2 usage (no such file, no keys).";

/// Characters of the longest file name; a longer argument is a code's text.
const LONGEST_FILE_NAME: usize = 255;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArguments {
    /// The text of a QR code itself (HC1:..., shc:/..., {"data":...}), a file with it, a PNG or
    /// JPEG image, a PDF document, a signed document (JSON), or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,

    /// Trust the certificates in this file (PEM, DER or base64); may be repeated
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,

    /// Trust the certificates in this list (JSON: key id -> certificate, or a DID document); may
    /// be repeated
    #[arg(long, value_name = "FILE")]
    trust_list: Vec<PathBuf>,

    /// Data directory whose document signers are trusted when no other keys are given
    #[arg(long, value_name = "DIR", default_value = "mediator-data")]
    data: PathBuf,

    /// Verify as of this time (2021-06-01 or 2021-06-01T12:00:00Z), not now
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<DateTime<Utc>>,

    /// Print one line of JSON for each code: {"valid", "format", "steps", "payload"}
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    fhir_date::instants(text)
        .map(|(first, _)| first)
        .ok_or_else(|| "a time is written 2021-06-01 or 2021-06-01T12:00:00Z".into())
}

/// Verifies and prints, and gives the exit status: 0 all valid, 1 not, 2 usage.
#[must_use]
pub(crate) fn run(arguments: VerifyArguments) -> ExitCode {
    match verify_all(&arguments, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            // Nothing is left to be done when standard error is closed.
            let _ = writeln!(io::stderr(), "error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// Whether all are valid; an error is one of usage.
fn verify_all(arguments: &VerifyArguments, out: &mut impl Write) -> Result<bool, String> {
    let keys = trusted_keys(arguments)?;
    let at = arguments.at.unwrap_or_else(Utc::now);
    let style = Style {
        colours: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    // Every input is read before anything is printed, so that a wrong one is told at once.
    let inputs = arguments
        .inputs
        .iter()
        .map(|input| Ok((input, read(input)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let several = inputs.len() > 1;
    let mut all_valid = true;
    for (name, input) in inputs {
        let verifications = match input {
            Input::Image(bytes) => {
                let VerifiedImage {
                    verifications,
                    unreadable,
                } = verify_image(&bytes, &keys, at);
                if unreadable > 0 {
                    note_unreadable(name, unreadable);
                }
                verifications
            }
            Input::Texts(texts) => texts.iter().map(|text| verify(text, &keys, at)).collect(),
        };
        for verification in verifications {
            all_valid &= verification.valid;
            let printed = if arguments.json {
                print_json(out, &verification)
            } else {
                let name = (several && name.len() <= LONGEST_FILE_NAME).then_some(name.as_str());
                print(out, name, &verification, &style)
            };
            match printed {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(format!("cannot write the result: {error}"));
                }
                _ => {}
            }
        }
    }
    Ok(all_valid)
}

fn trusted_keys(arguments: &VerifyArguments) -> Result<TrustedKeys, String> {
    let mut keys = TrustedKeys::default();
    for path in &arguments.certificate {
        keys.add_certificates(&read_file(path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    for path in &arguments.trust_list {
        keys.add_trust_list(&read_file(path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if arguments.certificate.is_empty() && arguments.trust_list.is_empty() {
        let folder = arguments.data.join(signer::CERTIFICATES);
        let stored = CertificateStore::new(folder)
            .read()
            .map_err(|error| error.to_string())?;
        let development =
            development_pki::document_signers(&arguments.data.join("development-pki"))
                .map_err(|error| error.to_string())?;
        stored
            .into_iter()
            .map(|stored| stored.certificate)
            .chain(development.into_iter().flatten())
            .for_each(|certificate| keys.add(certificate));
        if keys.is_empty() {
            return Err(format!(
                "no keys are trusted: give --certificate or --trust-list (there is no document signer in {})",
                arguments.data.display()
            ));
        }
    }
    if keys.is_empty() {
        return Err("no keys are trusted: the trust list is empty".into());
    }
    Ok(keys)
}

enum Input {
    Image(Vec<u8>),
    Texts(Vec<String>),
}

fn read(input: &str) -> Result<Input, String> {
    if input == "-" {
        return contents(read_limited(io::stdin().lock(), "standard input")?, input);
    }
    let path = Path::new(input);
    if input.len() > LONGEST_FILE_NAME || Format::of(input) != Format::Unknown {
        return Ok(Input::Texts(vec![input.to_owned()]));
    }
    if !path.exists() {
        return Err(format!(
            "{input}: there is no such file, and it is not the text of a health certificate's QR code"
        ));
    }
    contents(read_file(path)?, input)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display().to_string();
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(format!("{name} is a folder"));
    }
    let file = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    read_limited(file, &name)
}

fn read_limited(reader: impl Read, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    reader
        .take(MAXIMUM_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() > MAXIMUM_FILE {
        return Err(format!("{name} is larger than 32 MiB"));
    }
    Ok(bytes)
}

/// A file is an image, or text with a code on each line.
fn contents(bytes: Vec<u8>, name: &str) -> Result<Input, String> {
    if is_image(&bytes) {
        return Ok(Input::Image(bytes));
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        format!("{name} is neither text nor a PNG or JPEG image nor a PDF document")
    })?;
    // A space may be the last character of a code, so line ends alone are taken away.
    let text = text.trim_matches(['\r', '\n', '\u{feff}']);
    if text.starts_with('{') {
        return Ok(Input::Texts(vec![text.to_owned()]));
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return Err(format!("{name} is empty"));
    }
    if let Some(card) = join(lines.iter().copied()) {
        return Ok(Input::Texts(vec![card]));
    }
    Ok(Input::Texts(lines.into_iter().map(str::to_owned).collect()))
}

/// It is no certificate that fails, so it changes neither the result nor what programs read.
fn note_unreadable(name: &str, unreadable: usize) {
    let codes = if unreadable == 1 {
        "another QR code"
    } else {
        "other QR codes"
    };
    // Nothing is left to be done when standard error is closed.
    let _ = writeln!(
        io::stderr(),
        "note: {} shows {codes} that cannot be read; try a sharper or larger image",
        printable(name)
    );
}

fn print_json(out: &mut impl Write, verification: &Verification) -> io::Result<()> {
    serde_json::to_writer(&mut *out, verification)?;
    writeln!(out)
}

fn print(
    out: &mut impl Write,
    name: Option<&str>,
    verification: &Verification,
    style: &Style,
) -> io::Result<()> {
    if let Some(name) = name {
        writeln!(out, "{}", printable(name))?;
    }
    let format = match verification.format {
        Format::Hcert => "HCERT (WHO DDCC or EU DCC)",
        Format::SmartHealthCard => "SMART Health Card",
        Format::VdsNc => "ICAO VDS-NC",
        Format::Document => "DDCC document",
        Format::Unknown => "no known code",
    };
    let verdict = if verification.valid {
        style.green("VALID")
    } else {
        style.red("NOT VALID")
    };
    writeln!(out, "{verdict}  {format}")?;
    match &verification.signed_by {
        Some(signer) => {
            let country = signer.country.as_deref().unwrap_or("no country");
            line(
                out,
                "signed by",
                &format!("{} ({country}, key {})", signer.subject, signer.key_id),
            )?;
        }
        None => line(out, "signed by", "nobody who is trusted")?,
    }
    if let Some(summary) = &verification.summary {
        print_summary(out, summary)?;
    }
    writeln!(out)?;
    for (step, result) in verification.steps.iter() {
        let shown = match result {
            StepResult::Ok => style.green("ok"),
            StepResult::NotReached => style.dim("not reached"),
            StepResult::Failed(reason) => style.red(&format!("failed: {}", printable(reason))),
        };
        writeln!(out, "  {:<11}{shown}", step.as_str())?;
    }
    writeln!(out)
}

fn print_summary(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if let Some(issuer) = &summary.issuer {
        line(out, "issuer", issuer)?;
    }
    if let Some(holder) = &summary.holder {
        let born = summary
            .birth_date
            .as_deref()
            .map_or(String::new(), |date| format!(", born {date}"));
        line(out, "for", &format!("{holder}{born}"))?;
    }
    if let Some(event) = &summary.event {
        line(out, "what", event)?;
    }
    let time = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    if let Some(start) = summary.valid_from {
        line(out, "from", &time(start))?;
    }
    let end = summary
        .valid_until
        .map_or("as long as the signer's certificate".into(), time);
    line(out, "until", &end)
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<11}{}", printable(value))
}

/// What a code says comes from strangers, and a terminal obeys control characters.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if character.is_control() || reorders {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect()
}

struct Style {
    colours: bool,
}

impl Style {
    fn green(&self, text: &str) -> String {
        self.with("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.with("31", text)
    }

    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
