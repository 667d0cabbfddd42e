//! `translate` by the concept map that HL7's engine has built in: an OID as the url of what it
//! identifies.

use super::super::Engine;
use crate::fhirpath::evaluate::Failure;
use crate::item::Item;

/// The code systems whose OIDs HL7's engine knows.
const CODE_SYSTEMS: [(&str, &str); 14] = [
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    ("2.16.840.1.113883.6.1", "http://loinc.org"),
    ("2.16.840.1.113883.6.8", "http://unitsofmeasure.org"),
    ("2.16.840.1.113883.6.3", "http://hl7.org/fhir/sid/icd-10"),
    ("2.16.840.1.113883.6.42", "http://hl7.org/fhir/sid/icd-9"),
    ("2.16.840.1.113883.6.104", "http://hl7.org/fhir/sid/icd-9"),
    ("2.16.840.1.113883.6.103", "http://hl7.org/fhir/sid/icd-9"),
    ("2.16.840.1.113883.6.73", "http://www.whocc.no/atc"),
    ("2.16.840.1.113883.3.26.1.1", "http://ncimeta.nci.nih.gov"),
    ("2.16.840.1.113883.3.26.1.1.1", "http://ncimeta.nci.nih.gov"),
    (
        "2.16.840.1.113883.6.88",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
    ),
    ("2.16.840.1.113883.6.59", "http://hl7.org/fhir/sid/cvx"),
    ("2.16.840.1.113883.12.292", "http://hl7.org/fhir/sid/cvx"),
    ("2.16.840.1.113883.6.12", "http://www.ama-assn.org/go/cpt"),
];

impl<'a> Engine<'a, '_> {
    /// The url of a code system that is known; else `urn:oid:` and the OID.
    pub(super) fn oid_to_uri(&self, item: &Item<'_>) -> Result<Item<'a>, Failure> {
        let text = item
            .text()
            .or_else(|| item.value().get("code")?.as_str().map(ToOwned::to_owned))
            .ok_or_else(|| "only an OID can be translated to a uri".to_owned())?;
        let oid = text.strip_prefix("urn:oid:").unwrap_or(&text);
        let mut known = CODE_SYSTEMS.iter();
        let uri = match known.find(|(known, _)| *known == oid) {
            Some((_, uri)) => (*uri).to_owned(),
            None => format!("urn:oid:{oid}"),
        };
        Ok(Item::computed(uri, self.definitions.primitives.uri))
    }
}
