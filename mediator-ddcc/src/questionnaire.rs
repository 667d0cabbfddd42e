//! Questionnaires: which answers a QuestionnaireResponse must have, and which StructureMap reads
//! it. A country's own questionnaire is a FHIR Questionnaire beside ours, not code.
//!
//! Understood of `Questionnaire`: `url`, the extension `sdc-questionnaire-targetStructureMap`, and
//! of `item` (nested as it may be) `linkId`, `definition`, `type`, `required`, `repeats`,
//! `maxLength` and the extensions `minValue` and `maxValue`.

mod response;

use std::collections::HashMap;

use serde_json::Value;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

const TARGET_MAP: &str =
    "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-targetStructureMap";
const MINIMUM: &str = "http://hl7.org/fhir/StructureDefinition/minValue";
const MAXIMUM: &str = "http://hl7.org/fhir/StructureDefinition/maxValue";

/// Canonical base of the WHO guide, and the one of its drafts that older deployments use.
const BASES: [&str; 2] = [
    "http://smart.who.int/ddcc/",
    "http://worldhealthorganization.github.io/ddcc/",
];

/// A questionnaire whose responses can be certified.
#[derive(Debug, Clone, PartialEq)]
pub struct Questionnaire {
    url: String,
    map_url: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    link_id: String,
    element: Option<String>,
    item_type: String,
    required: bool,
    repeats: bool,
    maximum_length: Option<usize>,
    minimum: Option<i64>,
    maximum: Option<i64>,
    items: Vec<Item>,
}

/// Why a Questionnaire cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("questionnaire {questionnaire}: {reason}")]
pub struct QuestionnaireError {
    /// Its `url`, or what is known of it.
    pub questionnaire: String,
    /// What to mend.
    pub reason: String,
}

/// The questionnaires known here, by canonical.
#[derive(Debug, Clone, Default)]
pub struct Questionnaires {
    by_url: HashMap<String, Questionnaire>,
}

impl Questionnaires {
    /// The two questionnaires of the WHO guide: vaccination and test result.
    ///
    /// # Errors
    /// [`QuestionnaireError`] when a built-in questionnaire is broken, which the tests rule out.
    pub fn builtin() -> Result<Self, QuestionnaireError> {
        let mut questionnaires = Self::default();
        for text in [
            include_str!("../questionnaires/DDCCVSCoreDataSetQuestionnaire.json"),
            include_str!("../questionnaires/DDCCTRCoreDataSetQuestionnaire.json"),
        ] {
            let resource = serde_json::from_str(text).map_err(|error| QuestionnaireError {
                questionnaire: "built in".to_owned(),
                reason: error.to_string(),
            })?;
            questionnaires.add(&resource)?;
        }
        Ok(questionnaires)
    }

    /// Adds a FHIR Questionnaire; one of the same `url` is replaced.
    ///
    /// # Errors
    /// [`QuestionnaireError`] naming what is missing.
    pub fn add(&mut self, resource: &Value) -> Result<(), QuestionnaireError> {
        let questionnaire = Questionnaire::read(resource)?;
        self.by_url.insert(questionnaire.url.clone(), questionnaire);
        Ok(())
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Questionnaire> {
        self.by_url.values()
    }

    /// The questionnaire that a response answers, by its canonical with or without `|version`;
    /// the canonical base of the guide's drafts counts as the current one.
    ///
    /// # Errors
    /// 422 naming `QuestionnaireResponse.questionnaire`, 400 when it is not even a string.
    pub fn of(&self, response: &Value) -> Result<&Questionnaire, OperationOutcome> {
        const ELEMENT: &str = "QuestionnaireResponse.questionnaire";
        let canonical = match response.get("questionnaire") {
            Some(Value::String(canonical)) => canonical.as_str(),
            Some(_) => {
                return Err(OperationOutcome::new(
                    400,
                    Issue::error(IssueType::Structure, ELEMENT, "a canonical is a string"),
                ));
            }
            None => {
                return Err(OperationOutcome::new(
                    422,
                    Issue::error(
                        IssueType::Required,
                        ELEMENT,
                        "the response must tell which questionnaire it answers",
                    ),
                ));
            }
        };
        let url = canonical.split('|').next().unwrap_or_default();
        // Drafts had the resource type in the canonical, too.
        let current = BASES
            .iter()
            .find_map(|base| url.strip_prefix(base))
            .map(|name| name.strip_prefix("Questionnaire/").unwrap_or(name))
            .map(|name| format!("{}{name}", BASES[0]))
            .unwrap_or_default();
        self.by_url
            .get(url)
            .or_else(|| self.by_url.get(&current))
            .ok_or_else(|| {
                OperationOutcome::new(
                    422,
                    Issue::error(
                        IssueType::NotSupported,
                        ELEMENT,
                        "this questionnaire is not known here; add it, and a StructureMap for it, to the folder of maps",
                    ),
                )
            })
    }
}

impl Questionnaire {
    /// Its canonical url.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Canonical url of the StructureMap that makes a core data set of a response.
    #[must_use]
    pub fn map_url(&self) -> &str {
        &self.map_url
    }

    /// FHIRPath of the answer that `element` of the core data set, such as `vaccination.dose`,
    /// comes from; the element itself when no item defines it.
    #[must_use]
    pub fn expression_of(&self, element: &str) -> String {
        fn find(items: &[Item], element: &str, path: &str) -> Option<String> {
            items.iter().find_map(|item| {
                let path = format!("{path}.item.where(linkId='{}')", item.link_id);
                if item.element.as_deref() == Some(element) {
                    return Some(format!("{path}.answer.value"));
                }
                find(&item.items, element, &path)
            })
        }
        find(&self.items, element, "QuestionnaireResponse").unwrap_or_else(|| element.to_owned())
    }

    fn read(resource: &Value) -> Result<Self, QuestionnaireError> {
        let url = resource.get("url").and_then(Value::as_str);
        let refuse = |reason: &str| QuestionnaireError {
            questionnaire: url.unwrap_or("without url").to_owned(),
            reason: reason.to_owned(),
        };
        if resource.get("resourceType").and_then(Value::as_str) != Some("Questionnaire") {
            return Err(refuse("this resource is not a Questionnaire"));
        }
        let map_url = extension(resource, TARGET_MAP)
            .and_then(|extension| extension.get("valueCanonical"))
            .and_then(Value::as_str)
            .ok_or_else(|| refuse("the extension sdc-questionnaire-targetStructureMap must name the StructureMap that makes a core data set"))?;
        Ok(Self {
            url: url.ok_or_else(|| refuse("url is missing"))?.to_owned(),
            map_url: map_url.to_owned(),
            items: read_items(resource).map_err(|reason| refuse(&reason))?,
        })
    }
}

fn read_items(parent: &Value) -> Result<Vec<Item>, String> {
    let Some(items) = parent.get("item").and_then(Value::as_array) else {
        return Ok(Vec::new());
    };
    items
        .iter()
        .map(|item| {
            let text = |name: &str| item.get(name).and_then(Value::as_str);
            let link_id = text("linkId").ok_or("an item has no linkId")?;
            if link_id.contains(['\'', '\\']) {
                return Err(format!("linkId {link_id} contains a quote or backslash"));
            }
            let limit = |url| extension(item, url)?.get("valueInteger")?.as_i64();
            Ok(Item {
                link_id: link_id.to_owned(),
                element: text("definition")
                    .and_then(|definition| definition.split_once('#'))
                    .and_then(|(_, path)| path.split_once('.'))
                    .map(|(_, element)| element.to_owned()),
                item_type: text("type")
                    .ok_or_else(|| format!("item {link_id} has no type"))?
                    .to_owned(),
                required: item.get("required") == Some(&Value::Bool(true)),
                repeats: item.get("repeats") == Some(&Value::Bool(true)),
                maximum_length: item
                    .get("maxLength")
                    .and_then(Value::as_u64)
                    .and_then(|length| usize::try_from(length).ok()),
                minimum: limit(MINIMUM),
                maximum: limit(MAXIMUM),
                items: read_items(item)?,
            })
        })
        .collect()
}

fn extension<'a>(element: &'a Value, url: &str) -> Option<&'a Value> {
    element
        .get("extension")?
        .as_array()?
        .iter()
        .find(|extension| extension.get("url").and_then(Value::as_str) == Some(url))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_a_questionnaire_by_every_canonical_in_use() {
        let questionnaires = Questionnaires::builtin().unwrap();
        for canonical in [
            "http://smart.who.int/ddcc/DDCCVSCoreDataSetQuestionnaire",
            "http://smart.who.int/ddcc/DDCCVSCoreDataSetQuestionnaire|1.0.0",
            "http://smart.who.int/ddcc/Questionnaire/DDCCVSCoreDataSetQuestionnaire",
            "http://worldhealthorganization.github.io/ddcc/DDCCVSCoreDataSetQuestionnaire",
            "http://worldhealthorganization.github.io/ddcc/Questionnaire/DDCCVSCoreDataSetQuestionnaire",
        ] {
            let found = questionnaires
                .of(&json!({"questionnaire": canonical}))
                .unwrap();
            assert_eq!(
                found.map_url(),
                "http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet"
            );
        }
    }

    #[test]
    fn an_unknown_questionnaire_is_named() {
        let questionnaires = Questionnaires::builtin().unwrap();
        for (response, status) in [
            (json!({"questionnaire": "http://example.org/q"}), 422),
            (json!({}), 422),
            (json!({"questionnaire": 3}), 400),
        ] {
            let outcome = questionnaires.of(&response).unwrap_err();
            assert_eq!(outcome.status, status);
            assert_eq!(
                outcome.issues[0].expression,
                ["QuestionnaireResponse.questionnaire"]
            );
        }
    }

    #[test]
    fn leads_from_an_element_to_the_answer() {
        let questionnaires = Questionnaires::builtin().unwrap();
        let vaccination = questionnaires
            .of(&json!({"questionnaire": "http://smart.who.int/ddcc/DDCCVSCoreDataSetQuestionnaire"}))
            .unwrap();
        assert_eq!(
            vaccination.expression_of("certificate.period.end"),
            "QuestionnaireResponse.item.where(linkId='valid_until').answer.value"
        );
        assert_eq!(
            vaccination.expression_of("certificate.version"),
            "certificate.version"
        );
    }

    #[test]
    fn takes_a_countrys_own_questionnaire() {
        let mut questionnaires = Questionnaires::default();
        let mut own = json!({"resourceType": "Questionnaire", "url": "http://example.org/q",
            "item": [{"linkId": "a", "type": "group", "item": [{"linkId": "b", "type": "string", "definition": "x#Model.name"}]}]});
        let error = questionnaires.add(&own).unwrap_err();
        assert!(error.to_string().contains("targetStructureMap"), "{error}");
        own["extension"] = json!([{"url": TARGET_MAP, "valueCanonical": "http://example.org/map"}]);
        questionnaires.add(&own).unwrap();
        let found = questionnaires
            .of(&json!({"questionnaire": "http://example.org/q|2"}))
            .unwrap();
        assert_eq!(
            found.expression_of("name"),
            "QuestionnaireResponse.item.where(linkId='a').item.where(linkId='b').answer.value"
        );
    }
}
