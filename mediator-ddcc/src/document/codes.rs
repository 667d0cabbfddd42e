//! A document's codes: a DocumentReference for each (profile `DDCCDocumentReferenceQR`), and a
//! Binary with the card that shows them all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::content::{Content, resource_type};
use super::{URI, derived, urn};
use crate::codes::{CodeForm, IssuedCode};

const TYPES: &str = "http://smart.who.int/ddcc/CodeSystem/DDCCQRTypeCodeSystem";
const FORMATS: &str = "http://smart.who.int/ddcc/CodeSystem/DDCCQRFormatCodeSystem";
const PROFILE: &str = "http://smart.who.int/ddcc/StructureDefinition/DDCCDocumentReferenceQR";
const CARD: &str = "application/pdf";

/// A code as a document or its DocumentReference holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCode {
    /// The form of code.
    pub form: CodeForm,
    /// The text in the QR code.
    pub text: String,
    /// The QR code as a PNG image.
    pub png: Vec<u8>,
    /// Id of the DocumentReference.
    pub reference_id: String,
}

// The text is about a person.
impl std::fmt::Debug for StoredCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StoredCode")
            .field("form", &self.form)
            .field("reference_id", &self.reference_id)
            .finish_non_exhaustive()
    }
}

/// Id of a code's DocumentReference.
#[must_use]
pub fn reference_id(document_id: Uuid, form: CodeForm) -> Uuid {
    derived(document_id, &format!("DocumentReference/{}", form.as_str()))
}

/// The codes in a document, in the order in which they are there.
#[must_use]
pub fn read(document: &Value) -> Vec<StoredCode> {
    resources(document, "DocumentReference")
        .filter_map(read_reference)
        .collect()
}

/// The code in a DocumentReference; `None` when it is not about a code or lacks its text or image.
#[must_use]
pub fn read_reference(document_reference: &Value) -> Option<StoredCode> {
    let types = document_reference.pointer("/type/coding")?.as_array()?;
    let form = types
        .iter()
        .filter(|coding| coding.get("system").and_then(Value::as_str) == Some(TYPES))
        .find_map(|coding| coding.get("code")?.as_str()?.parse().ok())?;
    let contents = document_reference.get("content")?.as_array()?;
    let data = |format: &str| {
        let content = contents.iter().find(|content| {
            content.pointer("/format/code").and_then(Value::as_str) == Some(format)
        })?;
        let data = content.pointer("/attachment/data")?.as_str()?;
        STANDARD.decode(data).ok()
    };
    Some(StoredCode {
        form,
        text: String::from_utf8(data("serialized")?).ok()?,
        png: data("image")?,
        reference_id: document_reference.get("id")?.as_str()?.to_owned(),
    })
}

/// The card in a document, PDF.
#[must_use]
pub fn card(document: &Value) -> Option<Vec<u8>> {
    let binary = resources(document, "Binary")
        .find(|binary| binary.get("contentType").and_then(Value::as_str) == Some(CARD))?;
    STANDARD.decode(binary.get("data")?.as_str()?).ok()
}

fn resources<'a>(document: &'a Value, wanted: &'a str) -> impl Iterator<Item = &'a Value> {
    document
        .get("entry")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("resource"))
        .filter(move |resource| resource_type(resource) == wanted)
}

/// What the codes' resources state apart from the codes.
pub(super) struct Circumstances<'a> {
    pub(super) document_id: Uuid,
    pub(super) issued_at: &'a str,
    pub(super) content: &'a Content,
}

/// The codes' resources: a DocumentReference each, and the card as one Binary that all of them
/// refer to, so that a document does not carry it four times.
pub(super) fn entries(
    circumstances: &Circumstances<'_>,
    codes: &[IssuedCode],
    card: Option<&[u8]>,
) -> Vec<(Uuid, Value)> {
    let card = card.map(|pdf| (derived(circumstances.document_id, "Binary"), pdf));
    let card_content = card.map(|(id, pdf)| {
        json!({
            "attachment": {
                "contentType": CARD,
                // The profile asks for data.
                "_data": {"extension": [{
                    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                    "valueCode": "not-applicable",
                }]},
                "url": urn(id),
                "size": pdf.len(),
                "title": "Certificate, printable",
                "creation": circumstances.issued_at,
            },
            "format": format("pdf", "PDF version of the QR image"),
        })
    });
    let mut entries: Vec<(Uuid, Value)> = codes
        .iter()
        .map(|code| {
            let id = reference_id(circumstances.document_id, code.form);
            let resource = document_reference(circumstances, id, code, card_content.as_ref());
            (id, resource)
        })
        .collect();
    if let Some((id, pdf)) = card {
        let binary = json!({
            "resourceType": "Binary",
            "contentType": CARD,
            "data": STANDARD.encode(pdf),
        });
        entries.push((id, binary));
    }
    entries
}

fn document_reference(
    circumstances: &Circumstances<'_>,
    id: Uuid,
    code: &IssuedCode,
    card: Option<&Value>,
) -> Value {
    let content = circumstances.content;
    let issuer = json!({"reference": content.issuer()});
    let title = title(code.form);
    let mut contents = vec![
        json!({
            "attachment": {
                "contentType": content_type(code.form),
                "data": STANDARD.encode(&code.text),
                "title": format!("{title}, text"),
                "creation": circumstances.issued_at,
            },
            "format": format("serialized", "Serialized QR Content"),
        }),
        json!({
            "attachment": {
                "contentType": "image/png",
                "data": STANDARD.encode(&code.png),
                "title": format!("{title}, QR code"),
                "creation": circumstances.issued_at,
            },
            "format": format("image", "Image"),
        }),
    ];
    contents.extend(card.cloned());
    let mut context = json!({"related": [{"reference": content.composition_url()}]});
    if let Some(period) = content.period() {
        context["period"] = period.clone();
    }
    let mut resource = json!({
        "resourceType": "DocumentReference",
        "meta": {"profile": [PROFILE]},
        "masterIdentifier": {"use": "usual", "system": URI, "value": urn(id)},
        "status": "current",
        "type": {"coding": [{"system": TYPES, "code": code.form.as_str(), "display": title}]},
        "subject": {"reference": content.patient()},
        "date": circumstances.issued_at,
        "author": [issuer],
        "authenticator": issuer,
        "custodian": issuer,
    });
    resource["content"] = contents.into();
    resource["context"] = context;
    resource
}

/// The form's display in the guide's code system.
fn title(form: CodeForm) -> &'static str {
    match form {
        CodeForm::Who => "WHO DDCC",
        CodeForm::Dcc => "EU DCC",
        CodeForm::Shc => "SMART Health Card",
        CodeForm::Icao => "ICAO",
    }
}

/// Media type of the text in the QR code. Only an ICAO seal's has one of its own.
fn content_type(form: CodeForm) -> &'static str {
    match form {
        CodeForm::Who | CodeForm::Dcc | CodeForm::Shc => "text/plain",
        CodeForm::Icao => "application/json",
    }
}

fn format(code: &str, display: &str) -> Value {
    json!({"system": FORMATS, "code": code, "display": display})
}
