use std::sync::Arc;

use async_trait::async_trait;

use super::{Call, Recorded};
use crate::signing::{Signer, SignerIdentity, SigningError};

#[async_trait]
impl<P: Signer> Signer for Recorded<P> {
    fn identity(&self) -> Arc<SignerIdentity> {
        self.0.identity()
    }

    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        let call = Call {
            name: "Sign",
            group: "Signer",
            method: "POST",
            path: format!("/sign/{}", identity.kid_base64()),
            query: None,
        };
        call.record(self.0.sign(identity, message), |_| None).await
    }
}
