//! A certificate up to its signatures: codes, card and document. No I/O: this is the work that
//! leaves the async threads.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::card::{Card, CardError};
use crate::codes::{self, CodeContext, CodeOmission, IssuedCode, PreparedCode};
use crate::core_data_set::CoreDataSet;
use crate::document::{self, DocumentError, UnsignedDocument};
use crate::fhir_date;
use crate::generation_service::ServiceSettings;
use crate::signing::SignerIdentity;
use crate::verification::{self, CheckError};

/// What is to be certified, by whom and when. Clones share everything.
#[derive(Clone)]
pub(crate) struct Drafting {
    pub(crate) settings: Arc<ServiceSettings>,
    pub(crate) signer: Arc<SignerIdentity>,
    pub(crate) document_id: Uuid,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) core_data_set: Arc<CoreDataSet>,
}

/// Codes that only lack their signatures, and the forms that cannot be had.
pub(crate) struct PreparedCodes {
    pub(crate) codes: Vec<PreparedCode>,
    pub(crate) omissions: Vec<CodeOmission>,
}

/// Everything of a certificate but the document's signature.
pub(crate) struct Draft {
    pub(crate) document: UnsignedDocument,
    pub(crate) codes: Vec<IssuedCode>,
    pub(crate) omissions: Vec<CodeOmission>,
    pub(crate) card: Option<Vec<u8>>,
}

/// Why there is no draft: a mistake of this program, its keys or its configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DraftError {
    /// A code that a verifier would refuse, so it does not leave.
    #[error(
        "a code does not verify: {0}; check that the signing key and its certificate belong together"
    )]
    Code(#[from] CheckError),
    /// The card cannot be drawn.
    #[error("card: {0}")]
    Card(#[from] CardError),
    /// The document cannot be assembled.
    #[error("document: {0}")]
    Document(#[from] DocumentError),
}

impl Drafting {
    /// Makes each code up to its signature.
    pub(crate) fn prepare_codes(&self) -> PreparedCodes {
        let context = self.context();
        let mut prepared = PreparedCodes {
            codes: Vec::with_capacity(self.settings.forms.len()),
            omissions: Vec::new(),
        };
        for form in &self.settings.forms {
            match codes::prepare(*form, &context) {
                Ok(code) => prepared.codes.push(code),
                Err(omission) => prepared.omissions.push(omission),
            }
        }
        prepared
    }

    /// Why a certificate has no other forms of code than these.
    pub(crate) fn omissions(&self, issued: &[IssuedCode]) -> Vec<CodeOmission> {
        let context = self.context();
        let forms = self.settings.forms.iter();
        let missing = forms.filter(|form| issued.iter().all(|code| code.form != **form));
        missing
            .filter_map(|form| codes::prepare(*form, &context).err())
            .collect()
    }

    /// Puts the signatures into the codes, checks each as a verifier would, draws the card and
    /// assembles the document of the resources in `transaction`.
    ///
    /// # Errors
    /// [`DraftError`]; nothing leaves then.
    pub(crate) fn complete(
        &self,
        prepared: PreparedCodes,
        signatures: Vec<Vec<u8>>,
        transaction: Value,
    ) -> Result<Draft, DraftError> {
        let mut omissions = prepared.omissions;
        let mut codes = Vec::with_capacity(prepared.codes.len());
        for (prepared, signature) in prepared.codes.into_iter().zip(signatures) {
            let form = prepared.form();
            let issued = prepared
                .finish(&signature)
                .and_then(|text| IssuedCode::new(form, text).map_err(CodeOmission::from));
            match issued {
                Ok(code) => {
                    verification::check_issued(&code, &self.signer, self.issued_at)?;
                    codes.push(code);
                }
                Err(omission) => omissions.push(omission),
            }
        }
        let card = self.card(&codes)?;
        let document = document::assemble(document::DocumentInput {
            document_id: self.document_id,
            issued_at: self.issued_at,
            core_data_set: &self.core_data_set,
            transaction,
            codes: &codes,
            card: card.as_deref(),
            signer: &self.signer,
        })?;
        Ok(Draft {
            document,
            codes,
            omissions,
            card,
        })
    }

    fn card(&self, codes: &[IssuedCode]) -> Result<Option<Vec<u8>>, CardError> {
        let Some((renderer, size)) = &self.settings.card else {
            return Ok(None);
        };
        let period = self.core_data_set.certificate.period.as_ref();
        let start = period.and_then(|period| fhir_date::instants(period.start.as_deref()?));
        let card = Card {
            core_data_set: &self.core_data_set,
            issuer: &self.settings.issuer,
            issued_at: self.issued_at,
            valid_from: Some(start.map_or(self.issued_at, |(first, _)| first)),
            valid_until: codes::valid_until(&self.context()),
            codes,
        };
        renderer.render(*size, &card).map(Some)
    }

    fn context(&self) -> CodeContext<'_> {
        CodeContext {
            issuer: &self.settings.issuer,
            signer: &self.signer,
            issued_at: self.issued_at,
            document_id: self.document_id,
            core_data_set: &self.core_data_set,
        }
    }
}
