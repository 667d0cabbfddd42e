//! The folder that `issue` writes: `<hcid>/<n>/` for each certificate, and `signer.pem`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::signing::SigningCertificate;
use mediator_ddcc::transactions::HealthCertificate;

const SIGNER: &str = "signer.pem";
const DOCUMENT: &str = "document.json";

/// Where certificates are written.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Held while `signer.pem` is changed.
    signers: Mutex<Vec<SigningCertificate>>,
}

/// A certificate, and where it was written.
pub(crate) struct Kept {
    /// The certificate.
    pub(crate) certificate: HealthCertificate,
    /// Its folder.
    pub(crate) path: PathBuf,
}

impl Folder {
    /// Makes the folder, unless it is there.
    pub(crate) fn create(path: &Path) -> Result<Self, String> {
        let failed =
            |error: io::Error| format!("cannot use {} for certificates: {error}", path.display());
        fs::create_dir_all(path).map_err(failed)?;
        let signer = path.join(SIGNER);
        let signers = match fs::read(&signer) {
            Ok(bytes) => SigningCertificate::read_all(&bytes)
                .map_err(|error| format!("{}: {error}", signer.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self {
            path: path.to_owned(),
            signers: Mutex::new(signers),
        })
    }

    /// Writes a certificate's files: all of them or none. What is there from an earlier run is
    /// left as it is.
    ///
    /// # Errors
    /// 409 when another certificate is there, 500 when the files cannot be written.
    pub(crate) async fn keep(
        self: std::sync::Arc<Self>,
        certificate: HealthCertificate,
    ) -> Result<Kept, OperationOutcome> {
        tokio::task::spawn_blocking(move || self.write(certificate))
            .await
            .unwrap_or_else(|error| Err(failed(&error.to_string())))
    }

    fn write(&self, certificate: HealthCertificate) -> Result<Kept, OperationOutcome> {
        let holder = self.path.join(file_name(&certificate.hcid));
        let path = holder.join(certificate.place.to_string());
        let not_written =
            |error: io::Error| failed(&format!("cannot write {}: {error}", path.display()));
        self.add_signer(&certificate.signer).map_err(not_written)?;
        if !self.is_there(&path, &certificate)? {
            fs::create_dir_all(&holder).map_err(not_written)?;
            // The same name whenever this certificate is written: what an interruption left of
            // it is used again.
            let draft = self.path.join(format!(".{}.part", certificate.document_id));
            fs::create_dir_all(&draft).map_err(not_written)?;
            write_files(&draft, &certificate).map_err(not_written)?;
            fs::rename(&draft, &path).map_err(not_written)?;
        }
        Ok(Kept { certificate, path })
    }

    fn is_there(
        &self,
        path: &Path,
        certificate: &HealthCertificate,
    ) -> Result<bool, OperationOutcome> {
        let Ok(text) = fs::read(path.join(DOCUMENT)) else {
            return Ok(false);
        };
        let same = serde_json::from_slice::<serde_json::Value>(&text).is_ok_and(|document| {
            document.get("identifier") == certificate.document.get("identifier")
        });
        if same {
            return Ok(true);
        }
        Err(OperationOutcome::new(
            409,
            Issue::general(
                IssueType::Conflict,
                format!(
                    "{} holds another certificate, made from another data directory; choose another --out",
                    path.display()
                ),
            ),
        ))
    }

    /// Adds a document signing certificate to `signer.pem`, which holds each that signed here.
    fn add_signer(&self, signer: &SigningCertificate) -> io::Result<()> {
        let mut signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if signers.contains(signer) {
            return Ok(());
        }
        let mut text: String = signers.iter().map(SigningCertificate::to_pem).collect();
        text.push_str(&signer.to_pem());
        let draft = self.path.join(format!(".{SIGNER}.part"));
        write_file(&draft, text.as_bytes())?;
        fs::rename(&draft, self.path.join(SIGNER))?;
        signers.push(signer.clone());
        Ok(())
    }
}

fn write_files(folder: &Path, certificate: &HealthCertificate) -> io::Result<()> {
    let mut document = serde_json::to_vec_pretty(&certificate.document)?;
    document.push(b'\n');
    write_file(&folder.join(DOCUMENT), &document)?;
    for code in &certificate.codes {
        let path = |extension: &str| folder.join(format!("{}.{extension}", code.form.as_str()));
        write_file(&path("txt"), code.text.as_bytes())?;
        write_file(&path("png"), &code.png)?;
        write_file(&path("svg"), code.qr_code.svg().as_bytes())?;
    }
    if let Some(card) = &certificate.card {
        write_file(&folder.join("card.pdf"), card)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)
}

/// A name that every file system takes: what is neither letter, digit, `-`, `_` nor a dot inside
/// becomes `%` and two hexadecimal digits.
fn file_name(hcid: &str) -> String {
    let mut name = String::with_capacity(hcid.len());
    for byte in hcid.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else if byte == b'.' && !name.is_empty() {
            name.push('.');
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

fn failed(diagnostics: &str) -> OperationOutcome {
    OperationOutcome::new(500, Issue::general(IssueType::Exception, diagnostics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hcids_become_safe_file_names() {
        assert_eq!(file_name("CH-1.a_B"), "CH-1.a_B");
        assert_eq!(file_name("urn:x:1"), "urn%3Ax%3A1");
        assert_eq!(file_name("../../etc"), "%2E.%2F..%2Fetc");
        assert_eq!(file_name("ä"), "%C3%A4");
    }
}
