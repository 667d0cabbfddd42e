use std::path::Path;

use reqwest::Certificate;

/// The certificate authorities in a PEM file, at least one.
///
/// # Errors
/// What is wrong with the file, without any of its content.
pub(crate) fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|_| "it is not PEM".to_owned())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".to_owned());
    }
    Ok(certificates)
}
