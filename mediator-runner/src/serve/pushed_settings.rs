//! Settings that an operator changes in OpenHIM's console while the mediator runs.
//!
//! Their definitions are the `configDefs` of `openhim-config/mediator.json`; a parameter that is
//! not set leaves what the configuration file says.

use std::ops::RangeInclusive;
use std::sync::Arc;

use mediator_ddcc::card::{CardError, CardRenderer, CardSize};
use mediator_ddcc::codes::CodeForm;
use mediator_ddcc::generation_service::ServiceSettings;
use serde::{Deserialize, Deserializer, de};

const VALIDITY_DAYS: RangeInclusive<u32> = 1..=36_500;

/// What the console sends, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct PushedSettings {
    #[serde(deserialize_with = "validity_days")]
    default_validity_days: Option<u32>,
    issue_expired: Option<bool>,
    #[serde(deserialize_with = "code_forms")]
    code_forms: Option<Vec<CodeForm>>,
    card: Option<PushedCard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PushedCard {
    None,
    A4,
    Wallet,
}

impl PushedSettings {
    /// The configured settings with these in their place. `renderer` is asked when cards are
    /// wanted that the configuration does not have.
    ///
    /// # Errors
    /// Those of `renderer`.
    pub(super) fn over(
        &self,
        configured: &ServiceSettings,
        renderer: impl FnOnce() -> Result<Arc<CardRenderer>, CardError>,
    ) -> Result<ServiceSettings, CardError> {
        let mut settings = configured.clone();
        if let Some(days) = self.default_validity_days {
            settings.issuer.default_validity_days = days;
        }
        if let Some(issue_expired) = self.issue_expired {
            settings.issuer.issue_expired = issue_expired;
        }
        if let Some(forms) = &self.code_forms {
            settings.forms.clone_from(forms);
        }
        let size = match self.card {
            None => return Ok(settings),
            Some(PushedCard::None) => None,
            Some(PushedCard::A4) => Some(CardSize::A4),
            Some(PushedCard::Wallet) => Some(CardSize::Wallet),
        };
        settings.card = match (size, settings.card.take()) {
            (None, _) => None,
            (Some(size), Some((renderer, _))) => Some((renderer, size)),
            (Some(size), None) => Some((renderer()?, size)),
        };
        Ok(settings)
    }
}

fn validity_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let days = Option::<u32>::deserialize(deserializer)?;
    match days {
        Some(days) if !VALIDITY_DAYS.contains(&days) => Err(de::Error::custom(format_args!(
            "default_validity_days must be from {} to {}",
            VALIDITY_DAYS.start(),
            VALIDITY_DAYS.end()
        ))),
        _ => Ok(days),
    }
}

fn code_forms<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<CodeForm>>, D::Error> {
    let Some(words) = Option::<Vec<String>>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let mut forms = Vec::with_capacity(words.len());
    for word in words {
        let form = word
            .parse()
            .map_err(|_| de::Error::custom(format_args!("there is no code form {word:?}")))?;
        if forms.contains(&form) {
            return Err(de::Error::custom(format_args!(
                "code_forms has {word:?} twice"
            )));
        }
        forms.push(form);
    }
    Ok(Some(forms))
}

#[cfg(test)]
mod tests {
    use mediator_ddcc::codes::IssuerSettings;
    use mediator_ddcc::questionnaire::Questionnaires;
    use serde_json::{Value, json};

    use super::*;

    fn configured() -> ServiceSettings {
        ServiceSettings {
            issuer: IssuerSettings {
                name: "Health authority".to_owned(),
                country: "XX".to_owned(),
                country_alpha3: "UTO".to_owned(),
                smart_health_card_issuer: "https://health.example".to_owned(),
                default_validity_days: 365,
                issue_expired: true,
            },
            forms: vec![CodeForm::Who],
            card: None,
            questionnaires: Questionnaires::builtin().unwrap(),
            public_base_url: "http://127.0.0.1:4321/ddcc".to_owned(),
        }
    }

    fn pushed(value: Value) -> Result<ServiceSettings, String> {
        let settings: PushedSettings =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        settings
            .over(&configured(), || CardRenderer::builtin().map(Arc::new))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_set_stays() {
        let settings = pushed(json!({})).unwrap();
        assert_eq!(settings.issuer, configured().issuer);
        assert_eq!(settings.forms, [CodeForm::Who]);
        assert!(settings.card.is_none());
    }

    #[test]
    fn what_is_set_replaces_the_configuration() {
        let settings = pushed(json!({
            "default_validity_days": 30,
            "issue_expired": false,
            "code_forms": ["shc", "who"],
            "card": "wallet",
        }))
        .unwrap();
        assert_eq!(settings.issuer.default_validity_days, 30);
        assert!(!settings.issuer.issue_expired);
        assert_eq!(settings.forms, [CodeForm::Shc, CodeForm::Who]);
        assert_eq!(settings.card.unwrap().1, CardSize::Wallet);
    }

    #[test]
    fn a_card_that_is_not_wanted_is_not_made() {
        let mut with_card = configured();
        with_card.card = Some((Arc::new(CardRenderer::builtin().unwrap()), CardSize::A4));
        let none: PushedSettings = serde_json::from_value(json!({"card": "none"})).unwrap();
        let settings = none
            .over(&with_card, || unreachable!("no card is wanted"))
            .unwrap();
        assert!(settings.card.is_none());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in [
            json!({"default_validity_days": 0}),
            json!({"default_validity_days": "many"}),
            json!({"code_forms": ["who", "who"]}),
            json!({"code_forms": ["fax"]}),
            json!({"card": "a3"}),
        ] {
            assert!(pushed(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
