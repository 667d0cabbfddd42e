//! Searching, page by page (FHIR R4 3.1.1).

use std::collections::HashSet;

use http::HeaderValue;
use http::header::CACHE_CONTROL;
use mediator_core::back_end::BackEndAnswer;
use serde_json::Value;
use url::form_urlencoded;

use super::super::RepositoryError;
use super::{PREFER, RestRepository, accept, answer, is_type};

/// Resources asked for with each page.
const PAGE: &str = "100";

/// Pages that are read.
const MOST_PAGES: usize = 100;

/// Resources that are read.
const MOST_RESOURCES: usize = 5000;

impl RestRepository {
    /// Every resource that matches. The parameters, which are about persons, are in the body
    /// (`POST _search`), where no log has them.
    pub(super) async fn search_all(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        if !is_type(resource_type) {
            return Err(RepositoryError::Refused(
                "there is no such resource type".to_owned(),
            ));
        }
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (chain(name), *value))
            .collect();
        let parameters = parameters.as_slice();
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .append_pair("_count", PAGE)
            .finish();
        let call = accept(
            self.server
                .post("Search", &format!("{resource_type}/_search")),
        );
        let answer = call
            // A parameter that it does not know must not be left out of the search.
            .header(PREFER, HeaderValue::from_static("handling=strict"))
            // HAPI FHIR gives the result of a minute ago otherwise, without what was stored since.
            .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .body(form, "application/x-www-form-urlencoded")
            .safe_to_repeat()
            .send()
            .await?;
        let mut page = self.page(&answer, resource_type, parameters)?;
        check_parameters(&page, resource_type, parameters)?;
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let next = next_page(&page);
            for mut resource in matches(&mut page, resource_type) {
                self.adopt(&mut resource);
                found.push(resource);
            }
            let Some(next) = next else { return Ok(found) };
            let text = format!("a search of {resource_type} finds more than {MOST_RESOURCES}");
            if found.len() >= MOST_RESOURCES || seen.len() >= MOST_PAGES {
                return Err(RepositoryError::Refused(text));
            }
            if !seen.insert(next.clone()) {
                return Err(RepositoryError::Unreadable(
                    "the pages of a search go in a circle".to_owned(),
                ));
            }
            // Elsewhere than behind its base URL, the call is refused.
            let answer = accept(self.server.get("Search, next page", &next))
                .send()
                .await?;
            page = self.page(&answer, resource_type, parameters)?;
        }
    }

    fn page(
        &self,
        answer: &BackEndAnswer,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, RepositoryError> {
        if answer.status.is_success() {
            return answer::resource(answer, "Bundle");
        }
        let values: Vec<&str> = parameters.iter().map(|(_, value)| *value).collect();
        let failure = answer::failure(answer, &values);
        match &failure {
            RepositoryError::Refused(cause) if answer.status == 400 => {
                let unknown = parameters.iter().find(|(name, _)| {
                    cause.contains(&format!("\"{name}\"")) || cause.contains(&format!("'{name}'"))
                });
                Err(match unknown {
                    Some((name, _)) => unsupported(resource_type, name),
                    None => failure,
                })
            }
            _ => Err(failure),
        }
    }
}

/// A server may leave out what it does not know; then the link to the search as it was understood
/// has it not.
fn check_parameters(
    page: &Value,
    resource_type: &str,
    parameters: &[(&str, &str)],
) -> Result<(), RepositoryError> {
    let Some(link) = link(page, "self") else {
        return Ok(());
    };
    let Some((_, query)) = link.split_once('?') else {
        // Some say where it was posted to, and nothing else.
        return Ok(());
    };
    let understood: HashSet<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    let is_told = |name: &str| {
        let plain = name.split([':', '.']).next().unwrap_or(name);
        understood
            .iter()
            .any(|known| known == name || known.split([':', '.']).next() == Some(plain))
    };
    match parameters.iter().find(|(name, _)| !is_told(name)) {
        Some((name, _)) => Err(unsupported(resource_type, name)),
        None => Ok(()),
    }
}

/// The identifier of whom a resource is about, as servers know it: HAPI FHIR has no `:identifier`, and
/// the Patient has every identifier that is stated beside a reference to it.
fn chain(parameter: &str) -> &str {
    match parameter {
        "patient:identifier" => "patient.identifier",
        "subject:identifier" => "subject.identifier",
        _ => parameter,
    }
}

fn unsupported(resource_type: &str, parameter: &str) -> RepositoryError {
    RepositoryError::UnsupportedParameter {
        resource_type: resource_type.to_owned(),
        parameter: parameter.to_owned(),
    }
}

fn next_page(page: &Value) -> Option<String> {
    link(page, "next").map(str::to_owned)
}

fn link<'a>(page: &'a Value, relation: &str) -> Option<&'a str> {
    page.get("link")?
        .as_array()?
        .iter()
        .find(|link| link.get("relation").and_then(Value::as_str) == Some(relation))?
        .get("url")?
        .as_str()
}

/// The resources that match: not those that came along, nor outcomes.
fn matches<'a>(page: &'a mut Value, resource_type: &'a str) -> impl Iterator<Item = Value> + 'a {
    let entries = page.get_mut("entry").and_then(Value::as_array_mut);
    entries.into_iter().flatten().filter_map(move |entry| {
        let mode = entry.pointer("/search/mode").and_then(Value::as_str);
        let is_match = mode.is_none_or(|mode| mode == "match");
        let resource = entry.get_mut("resource")?;
        let is_wanted = resource.get("resourceType").and_then(Value::as_str) == Some(resource_type);
        (is_match && is_wanted).then(|| resource.take())
    })
}
