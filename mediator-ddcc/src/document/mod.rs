//! The DDCC document: the signed Bundle that certifies one health event, how it is registered in
//! its holder's folder, and how it is read back. Pure functions, no I/O.
//!
//! Issuing one is [`assemble`], a signature over [`UnsignedDocument::to_be_signed`] (the caller's,
//! since the key may be far away), [`UnsignedDocument::finish`], and
//! [`registration::provide_document_bundle`] for the repository.

pub(crate) mod canonical;
pub mod codes;
mod content;
pub mod folder;
pub mod holder;
pub mod registration;
pub mod signature;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use self::content::Content;
use crate::codes::IssuedCode;
use crate::core_data_set::CoreDataSet;
use crate::json_text::json_text;
use crate::signing::{SignerIdentity, SigningCertificate};

/// `Identifier.system` of values that are URIs themselves (FHIR R4 2.24.0.7).
const URI: &str = "urn:ietf:rfc:3986";

/// What stands for itself in a URN: what an HCID may have, and every other unreserved character.
const NOT_IN_URN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// What a document is made from.
pub struct DocumentInput<'a> {
    /// Id of the document; every id made here follows from it, so repeating is safe.
    pub document_id: Uuid,
    /// Time of issue and of the signature; written in whole seconds.
    pub issued_at: DateTime<Utc>,
    /// What is certified.
    pub core_data_set: &'a CoreDataSet,
    /// The transaction Bundle that the StructureMap made of the core data set.
    pub transaction: Value,
    /// The codes, each of another form.
    pub codes: &'a [IssuedCode],
    /// The printable card with the codes, PDF.
    pub card: Option<&'a [u8]>,
    /// Who signs.
    pub signer: &'a SignerIdentity,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The StructureMap's result lacks something that a document needs.
    #[error("the transaction that the StructureMap made cannot become a document: {0}")]
    Transaction(&'static str),
    /// A resource refers to another one that is not there.
    #[error(
        "{resource_type} in the transaction that the StructureMap made refers to a resource that is not in it"
    )]
    DanglingReference {
        /// Type of the resource with the reference.
        resource_type: String,
    },
    /// The document would be signed outside the validity of its signer's certificate.
    #[error(
        "the document signing certificate is not valid at the time of issue; sign with one that is"
    )]
    SignerNotValid,
    /// A number that JSON implementations do not agree about (RFC 7493 2.2).
    #[error("a whole number beyond 2^53 cannot be signed")]
    NumberTooLarge,
    /// The signer gave something that is no signature of its own.
    #[error(
        "the signer's certificate does not verify the signature; check that key and certificate belong together, and that ES256 signatures are r and s (64 bytes), not DER"
    )]
    Signature,
}

/// A document that only lacks its signature.
pub struct UnsignedDocument {
    id: Uuid,
    bundle: Value,
    unsigned: signature::Unsigned,
    certificate: SigningCertificate,
}

/// A document with its signature.
#[derive(Clone, PartialEq)]
pub struct SignedDocument {
    id: Uuid,
    bundle: Value,
    text: Arc<str>,
}

/// Makes a document up to its signature.
///
/// The Bundle has the Composition first, then the other resources of the transaction in their
/// order, a DocumentReference for each code, a Binary with the card, and the Provenance. It has
/// neither `id` nor `meta`, which servers may change (see [`signature`]).
///
/// # Errors
/// [`DocumentError`].
pub fn assemble(input: DocumentInput<'_>) -> Result<UnsignedDocument, DocumentError> {
    let certificate = &input.signer.certificate;
    if !signature::is_valid_at(certificate, input.issued_at) {
        return Err(DocumentError::SignerNotValid);
    }
    let mut content = Content::of(input.transaction)?;
    let issued_at = instant(input.issued_at);
    let document_urn = urn(input.document_id);
    content.complete_composition(
        &input.core_data_set.certificate.hcid,
        &document_urn,
        &issued_at,
    );
    let codes = codes::entries(
        &codes::Circumstances {
            document_id: input.document_id,
            issued_at: &issued_at,
            content: &content,
        },
        input.codes,
        input.card,
    );
    content.add_codes(codes)?;
    content.add(
        derived(input.document_id, "Provenance"),
        provenance(&content, &issued_at),
    );
    let hcid = utf8_percent_encode(input.core_data_set.hcid(), NOT_IN_URN);
    let issuer = content.issuer().to_owned();
    let mut bundle = json!({
        "resourceType": "Bundle",
        "identifier": {"system": URI, "value": document_urn},
        "type": "document",
        "timestamp": issued_at,
        "link": [{"relation": "publication", "url": format!("urn:HCID:{hcid}")}],
    });
    // Moved: `json!` copies what it is given.
    bundle["entry"] = content.into_entries().into();
    let unsigned = signature::Unsigned::new(&bundle, input.signer, input.issued_at, issuer)?;
    Ok(UnsignedDocument {
        id: input.document_id,
        bundle,
        unsigned,
        certificate: certificate.clone(),
    })
}

impl UnsignedDocument {
    /// The bytes that the signer signs (not their hash): the JWS signing input (RFC 7515 5.1).
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        self.unsigned.to_be_signed()
    }

    /// Puts the signature in.
    ///
    /// # Errors
    /// [`DocumentError::Signature`] unless the signer's certificate verifies it.
    pub fn finish(self, signature: &[u8]) -> Result<SignedDocument, DocumentError> {
        let Self {
            id,
            mut bundle,
            unsigned,
            certificate,
        } = self;
        if !certificate.verify(unsigned.algorithm(), unsigned.to_be_signed(), signature) {
            return Err(DocumentError::Signature);
        }
        bundle["signature"] = unsigned.finish(signature);
        let text = json_text(&bundle).into();
        Ok(SignedDocument { id, bundle, text })
    }
}

impl SignedDocument {
    /// Id of the document: `Bundle/<id>` in the repository.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The Bundle.
    #[must_use]
    pub fn bundle(&self) -> &Value {
        &self.bundle
    }

    /// The Bundle as JSON text, which is stored and answered.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The Bundle.
    #[must_use]
    pub fn into_bundle(self) -> Value {
        self.bundle
    }
}

// A document is about a person, so it is not printed.
impl fmt::Debug for UnsignedDocument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UnsignedDocument")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SignedDocument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedDocument")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Who made the document and when. It has no signature of its own, since it is inside what
/// `Bundle.signature` signs.
fn provenance(content: &Content, recorded: &str) -> Value {
    json!({
        "resourceType": "Provenance",
        "target": [{"reference": content.composition_url()}],
        "recorded": recorded,
        "activity": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion",
            "code": "LA",
            "display": "legally authenticated",
        }]},
        "agent": [{
            "type": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                "code": "legal",
                "display": "Legal Authenticator",
            }]},
            "who": {"reference": content.issuer()},
        }],
    })
}

/// A further id that follows from another one.
pub(crate) fn derived(seed: Uuid, name: &str) -> Uuid {
    fhir_mapping::seeded_uuid(seed, name.as_bytes())
}

fn urn(id: Uuid) -> String {
    format!("urn:uuid:{id}")
}

/// FHIR `instant` in whole seconds, which is what a JWS header can state.
fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
