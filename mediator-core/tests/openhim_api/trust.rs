use mediator_core::openhim::{OpenHim, OpenHimError, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;

use super::{OpenHimDouble, Version};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    fn file(&self) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.0.pem()).unwrap();
        file
    }

    async fn core(&self, name: &str) -> OpenHimDouble {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.0)
            .unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(
            rustls::crypto::aws_lc_rs::default_provider().into(),
        )
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
        OpenHimDouble::start_with_tls(Version::V8, tls).await
    }
}

async fn ask(core: &OpenHimDouble, trust: Trust) -> Result<(), OpenHimError> {
    let mut settings = core.settings();
    settings.trust = trust;
    OpenHim::new(&settings)?.mediators().await.map(drop)
}

#[tokio::test]
async fn a_certificate_of_the_authority_in_the_file_is_trusted() {
    let authority = Authority::new();
    let core = authority.core("127.0.0.1").await;
    let file = authority.file();
    let trust = Trust::CertificateAuthority(file.path().to_owned());
    ask(&core, trust).await.unwrap();
}

#[tokio::test]
async fn no_other_is() {
    let authority = Authority::new();
    let others = Authority::new().file();
    let core = authority.core("127.0.0.1").await;
    let other_name = authority.core("openhim.example").await;
    let file = authority.file();
    for (core, trust) in [
        (&core, Trust::System),
        (&core, Trust::CertificateAuthority(others.path().to_owned())),
        (
            &other_name,
            Trust::CertificateAuthority(file.path().to_owned()),
        ),
    ] {
        let error = ask(core, trust.clone()).await.unwrap_err();
        assert!(
            matches!(error, OpenHimError::CertificateNotTrusted { .. }),
            "{trust:?}: {error}"
        );
        assert!(!error.is_transient());
        assert!(core.seen().is_empty());
    }
}

#[tokio::test]
async fn any_certificate_is_taken_only_when_that_is_asked_for() {
    let core = Authority::new().core("openhim.example").await;
    ask(&core, Trust::AnyCertificate).await.unwrap();
    assert!(ask(&core, Trust::System).await.is_err());
}

#[tokio::test]
async fn a_file_without_authority_is_refused_at_once() {
    let core = OpenHimDouble::start(Version::V8).await;
    let mut settings = core.settings();
    settings.api_url = "https://127.0.0.1:1".parse().unwrap();
    let empty = NamedTempFile::new().unwrap();
    for path in [empty.path(), std::path::Path::new("/nowhere/ca.pem")] {
        settings.trust = Trust::CertificateAuthority(path.to_owned());
        let error = OpenHim::new(&settings).unwrap_err();
        assert!(
            matches!(error, OpenHimError::CertificateAuthority { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}
