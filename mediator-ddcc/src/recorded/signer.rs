use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Call, Recorded};
use crate::signing::{Signer, SignerIdentity, SigningCertificate, SigningError};

#[async_trait]
impl<P: Signer> Signer for Recorded<P> {
    fn identity(&self) -> Arc<SignerIdentity> {
        self.part.identity()
    }

    fn identity_at(&self, issued_at: DateTime<Utc>) -> Arc<SignerIdentity> {
        self.part.identity_at(issued_at)
    }

    fn certificates(&self) -> Arc<[SigningCertificate]> {
        self.part.certificates()
    }

    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        let call = Call {
            port: "signer",
            name: "Sign",
            group: "Signer",
            method: "POST",
            path: format!("/sign/{}", identity.kid_base64()),
            query: None,
        };
        call.record(&self.told, self.part.sign(identity, message), |_| None)
            .await
    }
}
