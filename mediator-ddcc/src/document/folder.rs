//! The holder's folder: an MHD folder (a List) for each HCID, with the document of each dose or
//! test in the order of issue (profile `DDCCFolder`).

use serde_json::{Value, json};
use uuid::Uuid;

use super::registration::document_reference_id;
use super::{URI, derived, urn};
use crate::core_data_set::Identifier;
use crate::resource::remove_version;

/// `Identifier.system` of an HCID whose request names none: the guide writes `urn:HCID:value`.
pub const HCID_SYSTEM: &str = "urn:HCID";

/// Ids of folders are made within this.
const FOLDERS: Uuid = Uuid::from_u128(0x6b2f_3c1e_52a4_4d0b_9d0e_0f7a_8a1c_5e63);

const PROFILE: &str = "http://smart.who.int/ddcc/StructureDefinition/DDCCFolder";
const DESIGNATION: &str =
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-designationType";
const DESIGNATIONS: &str =
    "http://smart.who.int/ddcc/CodeSystem/DDCCFolderDesignationTypeCodesystem";
pub(super) const LIST_TYPES: &str = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes";

/// Id of the folder of an HCID. It follows from the HCID, so that of two who create the folder at
/// the same time the repository refuses one.
#[must_use]
pub fn id(hcid: &Identifier) -> Uuid {
    derived(FOLDERS, &format!("{}|{}", system(hcid), hcid.value))
}

/// Id of the Patient that a new folder is about. It begins as the folder's does, so that a database
/// has both on one page.
pub(super) fn new_patient(folder_id: Uuid) -> Uuid {
    fhir_mapping::with_beginning_of(derived(folder_id, "Patient"), folder_id)
}

/// Id of the Patient that a folder is about.
#[must_use]
pub fn patient(folder: &Value) -> Option<&str> {
    let (resource_type, id) = target(folder.pointer("/subject/reference")?.as_str()?)?;
    (resource_type == "Patient").then_some(id)
}

/// A document's place in the folder, 1 for the first; `None` when it is not there.
#[must_use]
pub fn place_of(folder: &Value, document_id: Uuid) -> Option<usize> {
    let wanted = document_reference_id(document_id).to_string();
    entries(folder)
        .iter()
        .position(|entry| item(entry) == Some(("DocumentReference", &wanted)))
        .map(|index| index + 1)
}

/// The place that a document has in the folder or, when it is not there yet, will get.
#[must_use]
pub fn next_place(folder: Option<&Value>, document_id: Uuid) -> usize {
    folder.map_or(1, |folder| {
        place_of(folder, document_id).unwrap_or(entries(folder).len() + 1)
    })
}

/// A folder without documents.
pub(super) fn new(hcid: &Identifier, patient_id: &str) -> Value {
    let id = id(hcid);
    json!({
        "resourceType": "List",
        "id": id,
        "meta": {"profile": [PROFILE]},
        "extension": [{
            "url": DESIGNATION,
            "valueCodeableConcept": {"coding": [{
                "system": DESIGNATIONS,
                "code": "ddcc",
                "display": "DDCC",
            }]},
        }],
        "identifier": [
            {"use": "usual", "system": system(hcid), "value": hcid.value},
            {"use": "official", "system": URI, "value": urn(id)},
        ],
        "status": "current",
        "mode": "working",
        "title": "DDCC folder",
        "code": {"coding": [{"system": LIST_TYPES, "code": "folder"}]},
        "subject": {"reference": format!("Patient/{patient_id}")},
    })
}

/// The folder with this document; where it is there already, at its place.
pub(super) fn with_document(mut folder: Value, document_id: Uuid, issued_at: &Value) -> Value {
    let is_there = place_of(&folder, document_id).is_some();
    remove_version(&mut folder);
    if let Some(object) = folder.as_object_mut() {
        object.insert("date".to_owned(), issued_at.clone());
        let entries = object.entry("entry").or_insert_with(|| json!([]));
        if let Some(entries) = entries.as_array_mut()
            && !is_there
        {
            let id = document_reference_id(document_id);
            entries.push(json!({"item": {"reference": format!("DocumentReference/{id}")}}));
        }
    }
    folder
}

/// A List with the entries of another version of it that it lacks, behind its own: the places that
/// documents have in a folder stay. `None` when it lacks none.
pub(crate) fn merged(mut list: Value, other: &Value) -> Option<Value> {
    let is_there = |entry: &&Value| {
        let wanted = item(entry);
        wanted.is_some() && entries(&list).iter().any(|known| item(known) == wanted)
    };
    let missing: Vec<Value> = entries(other)
        .iter()
        .filter(|entry| !is_there(entry))
        .cloned()
        .collect();
    if missing.is_empty() {
        return None;
    }
    let known = list.as_object_mut()?.entry("entry");
    known
        .or_insert_with(|| json!([]))
        .as_array_mut()?
        .extend(missing);
    Some(list)
}

/// The namespace that an HCID is in.
pub(super) fn system(hcid: &Identifier) -> &str {
    hcid.system.as_deref().unwrap_or(HCID_SYSTEM)
}

fn entries(folder: &Value) -> &[Value] {
    folder
        .get("entry")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Type and id of what an entry is about.
fn item(entry: &Value) -> Option<(&str, &str)> {
    target(entry.pointer("/item/reference")?.as_str()?)
}

/// Type and id of a literal reference, also an absolute one or one to a version.
fn target(reference: &str) -> Option<(&str, &str)> {
    let reference = reference
        .split_once("/_history/")
        .map_or(reference, |(current, _)| current);
    let mut parts = reference.rsplit('/');
    let id = parts.next()?;
    Some((parts.next()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hcid(system: Option<&str>, value: &str) -> Identifier {
        Identifier {
            system: system.map(str::to_owned),
            value: value.to_owned(),
        }
    }

    fn folder_of(documents: &[u128]) -> Value {
        let folder = new(&hcid(None, "1"), "p");
        documents.iter().fold(folder, |folder, document| {
            with_document(
                folder,
                Uuid::from_u128(*document),
                &json!("2021-04-06T10:00:00Z"),
            )
        })
    }

    #[test]
    fn an_hcid_has_one_folder() {
        let without = id(&hcid(None, "1"));
        assert_eq!(without, id(&hcid(None, "1")));
        assert_eq!(without, id(&hcid(Some(HCID_SYSTEM), "1")));
        assert_ne!(without, id(&hcid(None, "2")));
        assert_ne!(without, id(&hcid(Some("urn:x"), "1")));
    }

    #[test]
    fn a_folder_is_mhd_s() {
        let folder = folder_of(&[1]);
        assert_eq!(folder["mode"], "working");
        assert_eq!(folder["status"], "current");
        assert_eq!(folder["code"]["coding"][0]["code"], "folder");
        assert_eq!(
            folder["extension"][0]["valueCodeableConcept"]["coding"][0]["code"],
            "ddcc"
        );
        assert_eq!(
            folder["identifier"][0],
            json!({"use": "usual", "system": "urn:HCID", "value": "1"})
        );
        let official = folder["identifier"][1]["value"].as_str();
        assert_eq!(official, Some(urn(id(&hcid(None, "1"))).as_str()));
        assert_eq!(patient(&folder), Some("p"));
        assert_eq!(folder["date"], "2021-04-06T10:00:00Z");
    }

    #[test]
    fn places_are_in_the_order_of_issue_and_stay() {
        let mut folder = folder_of(&[7, 3]);
        assert_eq!(place_of(&folder, Uuid::from_u128(7)), Some(1));
        assert_eq!(place_of(&folder, Uuid::from_u128(3)), Some(2));
        assert_eq!(place_of(&folder, Uuid::from_u128(5)), None);
        assert_eq!(next_place(Some(&folder), Uuid::from_u128(5)), 3);
        assert_eq!(next_place(Some(&folder), Uuid::from_u128(7)), 1);
        assert_eq!(next_place(None, Uuid::from_u128(7)), 1);
        folder = with_document(folder, Uuid::from_u128(7), &json!("2021-04-07T10:00:00Z"));
        assert_eq!(folder["entry"].as_array().map(Vec::len), Some(2));
        assert_eq!(place_of(&folder, Uuid::from_u128(7)), Some(1));
    }

    #[test]
    fn what_only_another_version_has_is_added_behind() {
        let here = folder_of(&[7, 3]);
        assert_eq!(merged(here.clone(), &folder_of(&[3])), None);
        let both = merged(here, &folder_of(&[5, 3, 9])).unwrap_or_default();
        let places = [7, 3, 5, 9].map(|document| place_of(&both, Uuid::from_u128(document)));
        assert_eq!(places, [Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(entries(&both).len(), 4);
        let empty = new(&hcid(None, "1"), "p");
        let filled = merged(empty, &folder_of(&[5])).unwrap_or_default();
        assert_eq!(place_of(&filled, Uuid::from_u128(5)), Some(1));
    }

    #[test]
    fn references_of_other_servers_are_understood() {
        let mut folder = folder_of(&[7]);
        let reference = format!(
            "https://example.org/fhir/DocumentReference/{}/_history/2",
            document_reference_id(Uuid::from_u128(7))
        );
        folder["entry"][0]["item"]["reference"] = json!(reference);
        assert_eq!(place_of(&folder, Uuid::from_u128(7)), Some(1));
        folder["subject"]["reference"] = json!("https://example.org/fhir/Patient/9");
        assert_eq!(patient(&folder), Some("9"));
        folder["subject"]["reference"] = json!("Group/9");
        assert_eq!(patient(&folder), None);
    }

    #[test]
    fn what_else_a_folder_has_is_kept() {
        let mut folder = folder_of(&[7]);
        folder["note"] = json!([{"text": "kept"}]);
        folder["meta"]["versionId"] = json!("3");
        let folder = with_document(folder, Uuid::from_u128(3), &json!("2021-04-07T10:00:00Z"));
        assert_eq!(folder["note"][0]["text"], "kept");
        assert_eq!(folder["meta"], json!({"profile": [PROFILE]}));
    }
}
