//! What signs certificates.

use std::sync::Arc;

use chrono::Utc;
use mediator_ddcc::recorded;
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use mediator_ddcc::signing::key_file::KeyFileSigner;
use mediator_ddcc::signing::{Signer, SigningCertificate};

use super::StartError;
use crate::configuration::Configuration;

/// Folder of the development keys, in the data directory.
const DEVELOPMENT_PKI: &str = "development-pki";

/// The configured signer, and every certificate that it signs or signed with, the current one
/// first. Without one, keys for trying out.
pub(super) fn open(
    configuration: &Configuration,
) -> Result<(Arc<dyn Signer>, Vec<SigningCertificate>), StartError> {
    let signing = &configuration.signing;
    if let (Some(key), Some(certificate)) = (&signing.key_file, &signing.certificate_file) {
        let signer = KeyFileSigner::read(key, certificate)?;
        let certificates = vec![signer.identity().certificate.clone()];
        return Ok((recorded::signer(signer), certificates));
    }
    let folder = configuration.data_directory.join(DEVELOPMENT_PKI);
    let pki = DevelopmentPki::open_or_create(&folder, &configuration.issuer.country, Utc::now())?;
    if pki.created {
        tracing::warn!(
            "made a development country signing authority and document signer in {}: they are for trying out, nobody else trusts them; configure signing.key_file and signing.certificate_file for real certificates",
            folder.display()
        );
    }
    Ok((recorded::signer(pki.signer), pki.document_signers))
}
