//! Checks a QuestionnaireResponse against its questionnaire.

use std::collections::HashSet;

use serde_json::Value;

use super::{Item, Questionnaire};
use crate::core_data_set::rules::has_control_character;
use crate::fhir_date;
use crate::operation_outcome::{Issue, IssueType, OperationOutcome, Severity};

impl Questionnaire {
    /// Checks a response: FHIR's own rules for what is read of it, and the questionnaire's.
    /// Answers to questions that the questionnaire does not have are returned as warnings.
    ///
    /// # Errors
    /// Every mistake at once: status 400 when FHIR itself is broken, else 422.
    pub fn check(&self, response: &Value) -> Result<Vec<Issue>, OperationOutcome> {
        let mut check = Check::default();
        check.status(response);
        check.items(&self.items, response, "QuestionnaireResponse");
        if check.errors.is_empty() {
            return Ok(check.warnings);
        }
        Err(OperationOutcome {
            status: if check.breaks_fhir { 400 } else { 422 },
            issues: check.errors,
        })
    }
}

#[derive(Default)]
struct Check {
    breaks_fhir: bool,
    errors: Vec<Issue>,
    warnings: Vec<Issue>,
}

/// The `value[x]` that answers a question of a type (FHIR R4 `item-type`).
fn value_types(item_type: &str) -> &'static [&'static str] {
    match item_type {
        "boolean" => &["valueBoolean"],
        "decimal" => &["valueDecimal"],
        "integer" => &["valueInteger"],
        "date" => &["valueDate"],
        // A date is a dateTime that does not know the time.
        "dateTime" => &["valueDateTime", "valueDate"],
        "time" => &["valueTime"],
        "string" | "text" => &["valueString"],
        "url" => &["valueUri"],
        "choice" => &["valueCoding"],
        "open-choice" => &["valueCoding", "valueString"],
        "attachment" => &["valueAttachment"],
        "reference" => &["valueReference"],
        "quantity" => &["valueQuantity"],
        _ => &[],
    }
}

impl Check {
    fn fhir(&mut self, expression: &str, text: &str) {
        self.breaks_fhir = true;
        self.errors
            .push(Issue::error(IssueType::Structure, expression, text));
    }

    fn profile(&mut self, code: IssueType, expression: &str, text: &str) {
        self.errors.push(Issue::error(code, expression, text));
    }

    fn status(&mut self, response: &Value) {
        const ELEMENT: &str = "QuestionnaireResponse.status";
        match response.get("status").and_then(Value::as_str) {
            Some("completed" | "amended") => {}
            Some("in-progress" | "entered-in-error" | "stopped") => self.profile(
                IssueType::BusinessRule,
                ELEMENT,
                "only a completed or amended response is certified",
            ),
            _ => self.fhir(
                ELEMENT,
                "status is in-progress, completed, amended, entered-in-error or stopped",
            ),
        }
    }

    fn items(&mut self, questions: &[Item], parent: &Value, path: &str) {
        let answered = match parent.get("item") {
            None => &[][..],
            Some(Value::Array(items)) => items,
            Some(_) => return self.fhir(&format!("{path}.item"), "item is an array"),
        };
        let mut seen = HashSet::new();
        for (index, item) in answered.iter().enumerate() {
            let Some(link_id) = item.get("linkId").and_then(Value::as_str) else {
                self.fhir(
                    &format!("{path}.item[{index}].linkId"),
                    "an item has a linkId",
                );
                continue;
            };
            let Some(question) = questions.iter().find(|q| q.link_id == link_id) else {
                self.warnings.push(Issue {
                    severity: Severity::Warning,
                    code: IssueType::NotSupported,
                    diagnostics:
                        "the questionnaire has no such question; the answer is kept, not certified"
                            .to_owned(),
                    expression: vec![format!("{path}.item[{index}]")],
                });
                continue;
            };
            let path = format!("{path}.item.where(linkId='{link_id}')");
            if !seen.insert(link_id) && !question.repeats {
                self.profile(IssueType::Value, &path, "this question is answered twice");
                continue;
            }
            self.item(question, item, &path);
        }
        for question in questions {
            if question.required && !seen.contains(question.link_id.as_str()) {
                self.profile(
                    IssueType::Required,
                    &format!("{path}.item.where(linkId='{}')", question.link_id),
                    "this question must be answered",
                );
            }
        }
    }

    fn item(&mut self, question: &Item, item: &Value, path: &str) {
        if question.item_type == "group" {
            return self.items(&question.items, item, path);
        }
        let answers = match item.get("answer") {
            None => &[][..],
            Some(Value::Array(answers)) if !answers.is_empty() => answers,
            Some(_) => {
                return self.fhir(
                    &format!("{path}.answer"),
                    "answer is an array with at least one answer",
                );
            }
        };
        if answers.is_empty() && question.required {
            self.profile(IssueType::Required, path, "this question must be answered");
        }
        if answers.len() > 1 && !question.repeats {
            self.profile(
                IssueType::Value,
                &format!("{path}.answer"),
                "this question has one answer",
            );
        }
        for answer in answers {
            self.answer(question, answer, &format!("{path}.answer.value"));
            self.items(&question.items, answer, &format!("{path}.answer"));
        }
    }

    fn answer(&mut self, question: &Item, answer: &Value, path: &str) {
        let values: Vec<(&str, &Value)> = answer
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.starts_with("value"))
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        let &[(name, value)] = values.as_slice() else {
            return self.fhir(path, "an answer has exactly one value");
        };
        let expected = value_types(&question.item_type);
        if !expected.is_empty() && !expected.contains(&name) {
            return self.profile(
                IssueType::Value,
                path,
                &format!(
                    "a question of type {} is answered with {}",
                    question.item_type,
                    expected.join(" or ")
                ),
            );
        }
        match name {
            "valueString" => match value.as_str() {
                Some(text) => self.string(question, text, path),
                None => self.fhir(path, "valueString is a string"),
            },
            "valueDate" if value.as_str().and_then(fhir_date::days_of_date).is_none() => {
                self.fhir(
                    path,
                    "there is no such date; a date is YYYY, YYYY-MM or YYYY-MM-DD",
                );
            }
            "valueDateTime" if value.as_str().and_then(fhir_date::instants).is_none() => {
                self.fhir(
                    path,
                    "there is no such time; a dateTime is YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz",
                );
            }
            "valueInteger" => match value.as_i64().map(i32::try_from) {
                Some(Ok(number)) => self.integer(question, i64::from(number), path),
                _ => self.fhir(path, "valueInteger is a whole number of 32 bits"),
            },
            "valueCoding" => self.coding(value, path),
            _ => {}
        }
    }

    fn string(&mut self, question: &Item, text: &str, path: &str) {
        if text.trim().is_empty() {
            self.profile(IssueType::Required, path, "the answer is empty");
        }
        let control = match question.item_type.as_str() {
            "text" => has_control_character(&text.replace(['\n', '\r', '\t'], "")),
            _ => has_control_character(text),
        };
        if control {
            self.profile(IssueType::Value, path, "control characters are not allowed");
        }
        if let Some(maximum) = question.maximum_length
            && text.chars().count() > maximum
        {
            self.profile(
                IssueType::TooLong,
                path,
                &format!("the answer has more than {maximum} characters"),
            );
        }
    }

    fn integer(&mut self, question: &Item, number: i64, path: &str) {
        if question.minimum.is_some_and(|minimum| number < minimum)
            || question.maximum.is_some_and(|maximum| number > maximum)
        {
            let limit =
                |limit: Option<i64>| limit.map_or("…".to_owned(), |limit| limit.to_string());
            self.profile(
                IssueType::Value,
                path,
                &format!(
                    "the answer is a number from {} to {}",
                    limit(question.minimum),
                    limit(question.maximum)
                ),
            );
        }
    }

    fn coding(&mut self, value: &Value, path: &str) {
        let Some(coding) = value.as_object() else {
            return self.fhir(path, "valueCoding is an object");
        };
        for name in ["system", "code", "display"] {
            match coding.get(name) {
                None => {}
                Some(Value::String(text)) if has_control_character(text) => self.profile(
                    IssueType::Value,
                    &format!("{path}.{name}"),
                    "control characters are not allowed",
                ),
                Some(Value::String(text)) if text.chars().count() > 500 => self.profile(
                    IssueType::TooLong,
                    &format!("{path}.{name}"),
                    "more than 500 characters",
                ),
                Some(Value::String(_)) => {}
                Some(_) => self.fhir(&format!("{path}.{name}"), "this is a string"),
            }
        }
        if coding
            .get("code")
            .and_then(Value::as_str)
            .is_none_or(|code| code.trim().is_empty())
        {
            self.profile(
                IssueType::Required,
                &format!("{path}.code"),
                "the coding has no code",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;
    use serde_json::json;

    use super::super::Questionnaires;
    use super::*;

    fn response() -> Value {
        let item = |link_id: &str, name: &str, value: Value| json!({"linkId": link_id, "answer": [{name: value}]});
        json!({
            "resourceType": "QuestionnaireResponse",
            "questionnaire": "http://smart.who.int/ddcc/DDCCVSCoreDataSetQuestionnaire",
            "status": "completed",
            "item": [
                item("name", "valueString", json!("Aroha Ngata")),
                item("vaccine", "valueCoding", json!({"code": "XM0GQ8"})),
                item("brand", "valueCoding", json!({"code": "XM8NQ0"})),
                item("lot", "valueString", json!("AB1")),
                item("date", "valueDate", json!("2026-01-02")),
                item("dose", "valueInteger", json!(1)),
                item("country", "valueCoding", json!({"code": "NZL"})),
                item("pha", "valueString", json!("MOH")),
                item("hcid", "valueString", json!("NZ-1")),
            ]
        })
    }

    fn check(response: &Value) -> Result<Vec<Issue>, OperationOutcome> {
        let questionnaires = Questionnaires::builtin().unwrap();
        questionnaires.of(response)?.check(response)
    }

    #[test]
    fn accepts_a_good_response() {
        assert_eq!(check(&response()), Ok(Vec::new()));
    }

    #[rstest]
    #[case::no_status("/status", json!(null), 400, "QuestionnaireResponse.status")]
    #[case::not_completed("/status", json!("in-progress"), 422, "QuestionnaireResponse.status")]
    #[case::items_are_no_array("/item", json!({}), 400, "QuestionnaireResponse.item")]
    #[case::no_link_id("/item/0", json!({}), 400, "QuestionnaireResponse.item[0].linkId")]
    #[case::no_answer("/item/0/answer", json!([]), 400, "QuestionnaireResponse.item.where(linkId='name').answer")]
    #[case::two_answers("/item/0/answer", json!([{"valueString": "a"}, {"valueString": "b"}]), 422, "QuestionnaireResponse.item.where(linkId='name').answer")]
    #[case::two_values("/item/0/answer/0", json!({"valueString": "a", "valueDate": "2020"}), 400, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::wrong_type("/item/0/answer/0", json!({"valueInteger": 1}), 422, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::no_string("/item/0/answer/0", json!({"valueString": 1}), 400, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::empty("/item/0/answer/0", json!({"valueString": "  "}), 422, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::control("/item/0/answer/0", json!({"valueString": "a\u{7}b"}), 422, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::too_long("/item/0/answer/0", json!({"valueString": "a".repeat(301)}), 422, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
    #[case::coding_without_code("/item/1/answer/0", json!({"valueCoding": {"system": "x"}}), 422, "QuestionnaireResponse.item.where(linkId='vaccine').answer.value.code")]
    #[case::impossible_date("/item/4/answer/0", json!({"valueDate": "2026-02-30"}), 400, "QuestionnaireResponse.item.where(linkId='date').answer.value")]
    #[case::dose_0("/item/5/answer/0", json!({"valueInteger": 0}), 422, "QuestionnaireResponse.item.where(linkId='dose').answer.value")]
    #[case::dose_half("/item/5/answer/0", json!({"valueInteger": 0.5}), 400, "QuestionnaireResponse.item.where(linkId='dose').answer.value")]
    #[case::hcid_too_long("/item/8/answer/0", json!({"valueString": "1".repeat(10_000)}), 422, "QuestionnaireResponse.item.where(linkId='hcid').answer.value")]
    fn names_the_element_that_is_wrong(
        #[case] pointer: &str,
        #[case] value: Value,
        #[case] status: u16,
        #[case] expression: &str,
    ) {
        let mut response = response();
        *response.pointer_mut(pointer).unwrap() = value;
        let outcome = check(&response).unwrap_err();
        assert_eq!(outcome.status, status);
        assert_eq!(outcome.issues[0].expression, [expression]);
    }

    #[test]
    fn lists_every_mistake_at_once() {
        let mut response = response();
        response["item"].as_array_mut().unwrap().drain(2..4);
        response["item"][0]["answer"][0]["valueString"] = json!("");
        let outcome = check(&response).unwrap_err();
        let expressions: Vec<&str> = outcome
            .issues
            .iter()
            .map(|issue| issue.expression[0].as_str())
            .collect();
        assert_eq!(
            expressions,
            [
                "QuestionnaireResponse.item.where(linkId='name').answer.value",
                "QuestionnaireResponse.item.where(linkId='brand')",
                "QuestionnaireResponse.item.where(linkId='lot')",
            ]
        );
    }

    #[test]
    fn an_answer_twice_is_refused_and_an_unknown_one_is_a_warning() {
        let mut response = response();
        let again = response["item"][0].clone();
        response["item"].as_array_mut().unwrap().push(again);
        assert_eq!(check(&response).unwrap_err().status, 422);
        response["item"][9]["linkId"] = json!("shoe size");
        let warnings = check(&response).unwrap();
        assert_eq!(warnings[0].expression, ["QuestionnaireResponse.item[9]"]);
    }
}
