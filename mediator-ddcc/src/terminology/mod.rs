//! Code tables: what codes mean, and how the EU, LOINC, SNOMED CT and CVX name the same things.
//!
//! The tables are facts in `;`-separated files beside this one; each file's head says where they
//! are from. They are embedded, indexed on first use, and looked up in constant time without
//! allocation.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::core_data_set::Coding;
use table::rows;

/// ICD-11 for Mortality and Morbidity Statistics, as the DDCC value sets name it.
pub const ICD11: &str = "http://id.who.int/icd11/mms";
/// The same code system, as ICD-11's own FHIR services and the SMART Health Cards guide name it.
pub const ICD11_RELEASE: &str = "http://id.who.int/icd/release/11/mms";
/// CVX, the CDC's vaccine codes.
pub const CVX: &str = "http://hl7.org/fhir/sid/cvx";
/// SNOMED CT.
pub const SNOMED: &str = "http://snomed.info/sct";
/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// ISO 3166-1, as the DDCC questionnaires name it.
pub const COUNTRIES: &str = "urn:iso:std:iso:3166";
/// FHIR's administrative gender.
pub const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

/// A country of ISO 3166-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// Two letters, for example `CH`.
    pub alpha2: &'static str,
    /// Three letters, for example `CHE`.
    pub alpha3: &'static str,
    /// English short name.
    pub name: &'static str,
}

/// A vaccine as the EU Digital COVID Certificate names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EuProduct {
    /// Medicinal product, `v.mp`.
    pub(crate) product: &'static str,
    /// Marketing authorization holder or manufacturer, `v.ma`.
    pub(crate) organisation: &'static str,
    /// Most specific vaccine or prophylaxis, `v.vp`.
    pub(crate) prophylaxis: &'static str,
}

/// A type of test in other code systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestType {
    /// EU `t.tt`, a LOINC part.
    pub(crate) eu: &'static str,
    /// LOINC code of this test on a respiratory specimen.
    pub(crate) loinc_respiratory: &'static str,
    /// LOINC code of this test on any specimen, where there is one.
    pub(crate) loinc_any_specimen: Option<&'static str>,
}

/// `v.tg` and `t.tg` of COVID-19 (SNOMED CT), the one disease of the EU certificate.
pub(crate) const EU_COVID_19: &str = "840539006";
/// `v.vp` that is true of every COVID-19 vaccine and that the EU accepts with every product.
pub(crate) const EU_COVID_19_VACCINE: &str = "28531000087107";
/// `v.vp` of a vaccine known only to contain an antigen.
pub(crate) const EU_ANTIGEN_VACCINE: &str = "1119305005";

/// Type of test: nucleic acid amplification.
pub(crate) const NAAT: &str = "1334426561";

static COUNTRY: LazyLock<HashMap<&str, Country>> = LazyLock::new(|| {
    rows(include_str!("countries.csv"))
        .map(|[alpha2, alpha3, name]| {
            let country = Country {
                alpha2,
                alpha3,
                name,
            };
            (alpha3, country)
        })
        .collect()
});
static ALPHA3: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    COUNTRY
        .values()
        .map(|country| (country.alpha2, country.alpha3))
        .collect()
});
static ICD11_DISPLAY: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("icd11.csv"))
        .map(|[code, display]| (code, display))
        .collect()
});
static EU_PROPHYLAXIS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("eu-vaccines.csv"))
        .map(|[icd11, eu]| (icd11, eu))
        .collect()
});
static EU_PRODUCT: LazyLock<HashMap<&str, EuProduct>> = LazyLock::new(|| {
    rows(include_str!("eu-products.csv"))
        .map(|[icd11, product, organisation, prophylaxis]| {
            let product = EuProduct {
                product,
                organisation,
                prophylaxis,
            };
            (icd11, product)
        })
        .collect()
});
static EU_ORGANISATION: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("eu-organisations.csv"))
        .map(|[code, _name]| (code, code))
        .collect()
});
static TEST_TYPE: LazyLock<HashMap<&str, TestType>> = LazyLock::new(|| {
    rows(include_str!("tests.csv"))
        .map(|[icd11, eu, loinc_respiratory, any]| {
            let test = TestType {
                eu,
                loinc_respiratory,
                loinc_any_specimen: (!any.is_empty()).then_some(any),
            };
            (icd11, test)
        })
        .collect()
});
static RESULT: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("results.csv"))
        .map(|[icd11, snomed]| (icd11, snomed))
        .collect()
});
static EXACT_CVX: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("cvx.csv"))
        .map(|[icd11, cvx]| (icd11, cvx))
        .collect()
});

/// What a code means, in English, for the code systems that DDCC questionnaires use: ICD-11 MMS,
/// ISO 3166-1 (two or three letters) and administrative gender.
#[must_use]
pub fn display(system: &str, code: &str) -> Option<&'static str> {
    match system {
        ICD11 | ICD11_RELEASE => ICD11_DISPLAY.get(code).copied(),
        GENDER => match code {
            "male" => Some("Male"),
            "female" => Some("Female"),
            "other" => Some("Other"),
            "unknown" => Some("Unknown"),
            _ => None,
        },
        _ if system.starts_with(COUNTRIES) => country(code)
            .or_else(|| country_by_alpha2(code))
            .map(|country| country.name),
        _ => None,
    }
}

/// The country with this ISO 3166-1 alpha-3 code, for example `CHE`.
#[must_use]
pub fn country(alpha3: &str) -> Option<&'static Country> {
    COUNTRY.get(alpha3)
}

/// The country with this ISO 3166-1 alpha-2 code, for example `CH`.
#[must_use]
pub fn country_by_alpha2(alpha2: &str) -> Option<&'static Country> {
    country(ALPHA3.get(alpha2)?)
}

/// Whether a text is an alpha-2 code of ISO 3166-1: a country's, or one that the standard leaves to
/// its users (`XX` and others), as for trying out.
pub(crate) fn is_alpha2(text: &str) -> bool {
    let is_user_assigned = match text.as_bytes() {
        b"AA" | b"ZZ" => true,
        [b'Q', last] => (b'M'..=b'Z').contains(last),
        [b'X', last] => last.is_ascii_uppercase(),
        _ => false,
    };
    is_user_assigned || country_by_alpha2(text).is_some()
}

/// The code when the coding is of ICD-11 MMS, under either of its names.
pub(crate) fn icd11_code(coding: &Coding) -> Option<&str> {
    match coding.system.as_deref() {
        Some(ICD11 | ICD11_RELEASE) => coding.code.as_deref(),
        _ => None,
    }
}

/// The country that a coding names, by three or two letters, whatever its system is called.
pub(crate) fn country_of(coding: &Coding) -> Option<&'static Country> {
    let code = coding.code.as_deref()?;
    country(code).or_else(|| country_by_alpha2(code))
}

/// EU `v.vp` of an ICD-11 vaccine.
pub(crate) fn eu_prophylaxis(vaccine: &Coding) -> Option<&'static str> {
    EU_PROPHYLAXIS.get(icd11_code(vaccine)?).copied()
}

/// EU product of an ICD-11 brand.
pub(crate) fn eu_product(brand: &Coding) -> Option<&'static EuProduct> {
    EU_PRODUCT.get(icd11_code(brand)?)
}

/// EU `v.ma` when the coding already carries a code of that value set.
pub(crate) fn eu_organisation(organisation: &Coding) -> Option<&'static str> {
    let code = EU_ORGANISATION
        .get(organisation.code.as_deref()?)
        .copied()?;
    match organisation.system.as_deref() {
        Some("https://spor.ema.europa.eu/v1/organisations") => code.starts_with("ORG-"),
        Some("http://ec.europa.eu/temp/vaccinemanufacturer") => !code.starts_with("ORG-"),
        _ => false,
    }
    .then_some(code)
}

/// Whether a disease or pathogen is COVID-19 or (a variant of) its virus.
pub(crate) fn is_covid_19(disease_or_agent: &Coding) -> bool {
    icd11_code(disease_or_agent).is_some_and(|code| {
        code == "RA01"
            || (code.starts_with("XN")
                && ICD11_DISPLAY
                    .get(code)
                    .is_some_and(|display| display.starts_with("SARS-CoV-2")))
    })
}

/// A type of test in other code systems.
pub(crate) fn test_type(test: &Coding) -> Option<&'static TestType> {
    TEST_TYPE.get(icd11_code(test)?)
}

/// SNOMED CT code of a test result.
pub(crate) fn snomed_result(result: &Coding) -> Option<&'static str> {
    RESULT.get(icd11_code(result)?).copied()
}

/// CVX code of exactly this brand.
pub(crate) fn exact_cvx(brand: &Coding) -> Option<&'static str> {
    EXACT_CVX.get(icd11_code(brand)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding(system: &str, code: &str) -> Coding {
        Coding {
            system: Some(system.into()),
            code: Some(code.into()),
            display: None,
        }
    }

    #[test]
    fn countries_are_found_by_both_codes() {
        let switzerland = country("CHE").unwrap();
        assert_eq!(
            (switzerland.alpha2, switzerland.name),
            ("CH", "Switzerland")
        );
        assert_eq!(country_by_alpha2("CH"), Some(switzerland));
        assert!(["CH", "XX", "QM", "ZZ", "AA"].into_iter().all(is_alpha2));
        assert!(
            !["QL", "AB", "ch", "CHE", "", "X", "X1"]
                .into_iter()
                .any(is_alpha2)
        );
        assert_eq!(country("che"), None);
        assert_eq!(COUNTRY.len(), ALPHA3.len());
        assert!(COUNTRY.len() >= 249);
        assert_eq!(display(COUNTRIES, "SAU"), Some("Saudi Arabia"));
        assert_eq!(
            display("urn:iso:std:iso:3166:-1", "SA"),
            Some("Saudi Arabia")
        );
    }

    #[test]
    fn codes_have_displays_under_both_names_of_icd_11() {
        assert_eq!(display(ICD11, "XM8NQ0"), Some("Comirnaty®"));
        assert_eq!(display(ICD11_RELEASE, "RA01.0"), Some("Detected"));
        assert_eq!(display(GENDER, "female"), Some("Female"));
        assert_eq!(display(SNOMED, "XM8NQ0"), None);
    }

    #[test]
    fn every_translated_code_is_of_the_value_sets() {
        for icd11 in EU_PROPHYLAXIS
            .keys()
            .chain(EU_PRODUCT.keys())
            .chain(TEST_TYPE.keys())
            .chain(RESULT.keys())
            .chain(EXACT_CVX.keys())
        {
            assert!(display(ICD11, icd11).is_some(), "{icd11}");
        }
        for product in EU_PRODUCT.values() {
            assert!(EU_ORGANISATION.contains_key(product.organisation));
        }
    }

    #[test]
    fn every_vaccine_of_the_value_set_has_an_eu_prophylaxis() {
        for (code, display) in ICD11_DISPLAY.iter() {
            if code.starts_with("XM") {
                assert!(EU_PROPHYLAXIS.contains_key(code), "{code} {display}");
            }
        }
    }

    #[test]
    fn an_organisation_is_taken_only_from_its_own_system() {
        let spor = "https://spor.ema.europa.eu/v1/organisations";
        assert_eq!(
            eu_organisation(&coding(spor, "ORG-100030215")),
            Some("ORG-100030215")
        );
        assert_eq!(eu_organisation(&coding(spor, "Bharat-Biotech")), None);
        assert_eq!(
            eu_organisation(&coding("http://example.org", "ORG-100030215")),
            None
        );
    }

    #[test]
    fn covid_19_is_known_as_disease_agent_and_variant() {
        assert!(is_covid_19(&coding(ICD11, "RA01")));
        assert!(is_covid_19(&coding(ICD11_RELEASE, "XN109")));
        assert!(is_covid_19(&coding(ICD11, "XN161")));
        assert!(!is_covid_19(&coding(ICD11, "XM8NQ0")));
        assert!(!is_covid_19(&coding(SNOMED, "RA01")));
    }
}
