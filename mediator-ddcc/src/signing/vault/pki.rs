use async_trait::async_trait;
use http::StatusCode;
use serde_json::{Value, json};

use super::client::check_name;
use super::connection::Request;
use super::{VaultClient, VaultError, VaultSettingsError};
use crate::signing::{CertificateAuthority, CertificateRequest, SigningCertificate, SigningError};

/// HCERT's extended key usages that health certificates of this mediator need: test results,
/// vaccinations.
const KEY_USAGES: [&str; 2] = ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.2"];

/// How to have document signing certificates issued by Vault's engine `pki`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultPkiSettings {
    /// Where the engine is mounted: `pki`.
    pub mount: String,
    /// The role that issues them.
    pub role: String,
    /// Takes subject, key usages and everything else from the request
    /// (`pki/sign-verbatim/:role`) instead of from the role (`pki/sign/:role`).
    pub verbatim: bool,
    /// How long they are valid, such as `8760h`; the role's own time without it.
    pub time_to_live: Option<String>,
    /// The country that they are to state, ISO 3166-1 alpha-2.
    pub country: String,
}

/// A country signing authority in Vault's engine `pki`.
#[derive(Debug)]
pub struct VaultPki {
    client: VaultClient,
    settings: VaultPkiSettings,
    path: String,
}

impl VaultPki {
    /// The authority in this Vault; nothing is sent yet.
    ///
    /// # Errors
    /// [`VaultSettingsError::Name`].
    pub fn new(
        client: VaultClient,
        settings: VaultPkiSettings,
    ) -> Result<Self, VaultSettingsError> {
        check_name(&settings.mount)?;
        check_name(&settings.role)?;
        let operation = if settings.verbatim {
            "sign-verbatim"
        } else {
            "sign"
        };
        Ok(Self {
            path: format!("{}/{operation}/{}", settings.mount, settings.role),
            client,
            settings,
        })
    }

    async fn ask(
        &self,
        request: &CertificateRequest,
    ) -> Result<Vec<SigningCertificate>, VaultError> {
        let mut body = json!({ "csr": request.to_pem(), "format": "pem" });
        if let Some(time) = &self.settings.time_to_live {
            body["ttl"] = json!(time);
        }
        let request = Request::post("Issue a document signing certificate", &self.path, body);
        let answer = self.client.answer(&request, "update").await?;
        if answer.status == StatusCode::NOT_FOUND {
            let mount = &self.settings.mount;
            return Err(VaultError::Missing {
                path: self.path.clone(),
                make: format!("`vault secrets enable -path={mount} pki`"),
            });
        }
        let body = answer.success(&self.path)?;
        self.certificates(&body["data"])
    }

    /// The certificate, its issuers behind it, nearest first.
    fn certificates(&self, data: &Value) -> Result<Vec<SigningCertificate>, VaultError> {
        let read = |pem: &Value| {
            let pem = pem.as_str().unwrap_or_default();
            let read = SigningCertificate::read_all(pem.as_bytes());
            read.map_err(|_| VaultError::NotUnderstood {
                path: self.path.clone(),
                expected: "certificate",
            })
        };
        let mut certificates = read(&data["certificate"])?;
        certificates.truncate(1);
        let chain = data["ca_chain"].as_array().into_iter().flatten();
        for issuer in std::iter::once(&data["issuing_ca"])
            .filter(|issuer| issuer.is_string())
            .chain(chain)
        {
            for issuer in read(issuer)? {
                if !certificates.contains(&issuer) {
                    certificates.push(issuer);
                }
            }
        }
        if let Some(certificate) = certificates.first() {
            self.check(certificate)?;
        }
        Ok(certificates)
    }

    /// What a verifier of health certificates asks of it.
    fn check(&self, certificate: &SigningCertificate) -> Result<(), VaultError> {
        let role = format!("{}/roles/{}", self.settings.mount, self.settings.role);
        let country = &self.settings.country;
        let refused = |reason| VaultError::Certificate {
            path: self.path.clone(),
            reason,
        };
        if certificate.country() != Some(country) {
            return Err(refused(format!(
                "it does not state the country {country}: `vault patch {role} country={country}`"
            )));
        }
        let usages = certificate.extended_key_usages();
        let is_for = |usage: &&str| usages.iter().any(|found| found == usage);
        if !usages.is_empty() && !KEY_USAGES.iter().all(is_for) {
            let usages = KEY_USAGES.join(",");
            return Err(refused(format!(
                "its extended key usages do not allow test results and vaccinations: `vault patch {role} server_flag=false client_flag=false ext_key_usage_oids={usages}`"
            )));
        }
        if !may_sign(certificate) {
            return Err(refused(format!(
                "its key usage does not allow to sign: `vault patch {role} key_usage=DigitalSignature`"
            )));
        }
        Ok(())
    }
}

/// Whether its key usage, where it has one, allows signatures, and it is no authority.
fn may_sign(certificate: &SigningCertificate) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate.der()) else {
        return false;
    };
    match parsed.key_usage() {
        Ok(Some(usage)) => usage.value.digital_signature() && !parsed.is_ca(),
        Ok(None) => !parsed.is_ca(),
        Err(_) => false,
    }
}

#[async_trait]
impl CertificateAuthority for VaultPki {
    fn name(&self) -> String {
        format!(
            "the authority {} of Vault at {}",
            self.path,
            self.client.back_end().base_url()
        )
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
    ) -> Result<Vec<SigningCertificate>, SigningError> {
        Ok(self.ask(request).await?)
    }
}
