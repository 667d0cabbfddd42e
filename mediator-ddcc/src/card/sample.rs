//! Cards of nobody, by which an operator's templates are tried out before anybody's card is drawn.

use chrono::DateTime;
use serde_json::json;

use super::{Card, CardError, CardRenderer, CardSize};
use crate::codes::{CodeForm, IssuedCode, IssuerSettings};
use crate::core_data_set::CoreDataSet;

impl CardRenderer {
    /// Draws a vaccination's card with every value and a test's with few.
    pub(super) fn try_out(&self) -> Result<(), CardError> {
        let issuer = IssuerSettings {
            name: "Issuer".to_owned(),
            country: "CH".to_owned(),
            country_alpha3: "CHE".to_owned(),
            smart_health_card_issuer: "https://example.org".to_owned(),
            default_validity_days: 365,
            issue_expired: false,
        };
        let codes: Vec<IssuedCode> = IssuedCode::new(CodeForm::Who, "HC1:SAMPLE".to_owned())
            .into_iter()
            .collect();
        for core_data_set in samples() {
            let card = Card {
                core_data_set: &core_data_set,
                issuer: &issuer,
                issued_at: DateTime::UNIX_EPOCH,
                valid_from: Some(DateTime::UNIX_EPOCH),
                valid_until: Some(DateTime::UNIX_EPOCH),
                codes: &codes,
            };
            for size in CardSize::ALL {
                self.render(size, &card)?;
            }
        }
        Ok(())
    }
}

fn samples() -> impl Iterator<Item = CoreDataSet> {
    let concept = |code: &str| json!({"system": "urn:x", "code": code, "display": "Sample"});
    let certificate = json!({
        "issuer": {"identifier": {"value": "1"}},
        "hcid": {"value": "SAMPLE"},
        "version": "RC2",
        "period": {"start": "1970-01-01", "end": "1971-01-01"},
    });
    let vaccination = json!({
        "name": "Sample",
        "birthDate": "1970-01-01",
        "identifier": {"value": "1"},
        "sex": "female",
        "vaccination": {
            "vaccine": concept("vaccine"),
            "brand": concept("brand"),
            "manufacturer": concept("manufacturer"),
            "maholder": concept("holder"),
            "lot": "1",
            "date": "1970-01-01",
            "validFrom": "1970-01-15",
            "dose": 1,
            "totalDoses": 2,
            "country": {"system": "urn:iso:std:iso:3166", "code": "CHE"},
            "centre": "Sample",
            "practitioner": {"value": "1"},
            "disease": concept("disease"),
            "nextDose": "1970-02-01",
        },
        "certificate": certificate,
    });
    let test = json!({
        "name": "Sample",
        "test": {
            "pathogen": concept("pathogen"),
            "type": concept("type"),
            "date": "1970-01-01",
            "result": concept("result"),
            "centre": {"display": "Sample"},
            "country": {"system": "urn:iso:std:iso:3166", "code": "CHE"},
        },
        "certificate": certificate,
    });
    [vaccination, test]
        .into_iter()
        .filter_map(|sample| serde_json::from_value(sample).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_core_data_sets_and_have_cards() {
        assert_eq!(samples().count(), 2);
        assert!(CardRenderer::builtin().is_ok_and(|renderer| renderer.try_out().is_ok()));
    }
}
