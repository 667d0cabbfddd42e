//! What a document signing certificate (DSC) may sign (HCERT, "Extended key usage identifiers").

use crate::core_data_set::Event;
use crate::signing::SigningCertificate;

/// What is certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// A test result: `1.3.6.1.4.1.1847.2021.1.1`.
    Test,
    /// A vaccination: `1.3.6.1.4.1.1847.2021.1.2`.
    Vaccination,
    /// A recovery: `1.3.6.1.4.1.1847.2021.1.3`.
    Recovery,
}

impl KeyUsage {
    const ALL: [Self; 3] = [Self::Test, Self::Vaccination, Self::Recovery];

    /// The usage that a health event's certificate needs.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Vaccination(_) => Self::Vaccination,
            Event::Test(_) => Self::Test,
        }
    }

    /// Extended key usage as a dotted OID.
    #[must_use]
    pub fn oid(self) -> &'static str {
        match self {
            Self::Test => "1.3.6.1.4.1.1847.2021.1.1",
            Self::Vaccination => "1.3.6.1.4.1.1847.2021.1.2",
            Self::Recovery => "1.3.6.1.4.1.1847.2021.1.3",
        }
    }

    /// The same under the arc that the first certificates were made with, a 0 too many in it.
    fn first_oid(self) -> &'static str {
        match self {
            Self::Test => "1.3.6.1.4.1.0.1847.2021.1.1",
            Self::Vaccination => "1.3.6.1.4.1.0.1847.2021.1.2",
            Self::Recovery => "1.3.6.1.4.1.0.1847.2021.1.3",
        }
    }

    fn is_in(self, certificate: &SigningCertificate) -> bool {
        certificate
            .extended_key_usages()
            .iter()
            .any(|usage| usage == self.oid() || usage == self.first_oid())
    }

    /// Whether the certificate may sign this: it names this usage, or none of the three.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn check(self, certificate: &SigningCertificate) -> Result<(), String> {
        if self.is_in(certificate) || !Self::ALL.iter().any(|usage| usage.is_in(certificate)) {
            return Ok(());
        }
        let what = match self {
            Self::Test => "test",
            Self::Vaccination => "vaccination",
            Self::Recovery => "recovery",
        };
        Err(format!(
            "the document signing certificate may not sign {what} certificates (extended key usage {} is missing)",
            self.oid()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{Issue, TestSigner, test_result, vaccination};
    use crate::signing::Algorithm;

    #[test]
    fn a_limited_certificate_signs_only_what_it_may() {
        let signer = |usages: &[u64]| -> &'static TestSigner {
            Box::leak(Box::new(TestSigner::new(Algorithm::Es256, usages)))
        };
        let may = |signer: &'static TestSigner, set: serde_json::Value| {
            let mut issue = Issue::new(set);
            issue.signer = signer;
            let ok = |form: &CodeForm| issue.prepare(*form).is_ok();
            let forms = [CodeForm::Who, CodeForm::Dcc, CodeForm::Shc];
            let any = forms.iter().any(ok);
            assert_eq!(any, forms.iter().all(ok));
            any
        };
        let (tests, vaccinations, recoveries) = (signer(&[1]), signer(&[2]), signer(&[3]));
        assert!(may(tests, test_result()) && !may(tests, vaccination()));
        assert!(!may(vaccinations, test_result()) && may(vaccinations, vaccination()));
        assert!(!may(recoveries, test_result()) && !may(recoveries, vaccination()));
        let mut issue = Issue::new(vaccination());
        issue.signer = tests;
        assert!(issue.reason(CodeForm::Who).contains("2021.1.2"));
    }

    #[test]
    fn the_first_arc_limits_as_well() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::Other(vec![
            1, 3, 6, 1, 4, 1, 0, 1847, 2021, 1, 3,
        ])];
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let certificate = SigningCertificate::from_der(der).unwrap();
        assert!(KeyUsage::Recovery.check(&certificate).is_ok());
        assert!(KeyUsage::Test.check(&certificate).is_err());
    }
}
