use chrono::{DateTime, Utc};
use http::StatusCode;

use super::connection::Request;
use super::{VaultClient, VaultError};

/// The header that Vault is to log.
const HEADER: &str = "X-Correlation-ID";

/// What Vault tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultHealth {
    /// Its version.
    pub version: String,
    /// Its clock, in whole seconds.
    pub time: Option<DateTime<Utc>>,
    /// What an operator should mend, with the commands that do.
    pub warnings: Vec<String>,
}

impl VaultClient {
    /// Asks Vault how it is, logs on, and sees whether its audit log will show what signatures are
    /// for.
    ///
    /// # Errors
    /// [`VaultError`] when it cannot be used now.
    pub async fn health(&self) -> Result<VaultHealth, VaultError> {
        // Otherwise the status tells what the body tells as well.
        let mut request = Request::get(
            "Look how Vault is",
            "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200",
        );
        request.outside_namespace = true;
        let body = self.answer_anyone(&request).await?.success("sys/health")?;
        let version = body["version"].as_str();
        let version = version.ok_or_else(|| VaultError::NotUnderstood {
            path: "sys/health".to_owned(),
            expected: "version",
        })?;
        if body["sealed"].as_bool() != Some(false) {
            return Err(VaultError::Sealed);
        }
        Ok(VaultHealth {
            version: version.to_owned(),
            time: body["server_time_utc"]
                .as_i64()
                .and_then(|time| DateTime::from_timestamp(time, 0)),
            warnings: self.audit_warning().await?.into_iter().collect(),
        })
    }

    /// Why Vault's audit log may not show what signatures are for.
    async fn audit_warning(&self) -> Result<Option<String>, VaultError> {
        let path = format!("sys/config/auditing/request-headers/{HEADER}");
        let make = format!("`vault write {path} hmac=false`");
        let mut request = Request::get("Look whether Vault logs correlation ids", &path);
        request.outside_namespace = true;
        match self.answer(&request, "read").await {
            Ok(answer) if answer.status.is_success() => Ok(None),
            Ok(answer)
                if answer.status == StatusCode::BAD_REQUEST
                    || answer.status == StatusCode::NOT_FOUND =>
            {
                Ok(Some(format!(
                    "Vault's audit log does not show what signatures are for: {make}"
                )))
            }
            Ok(answer) => answer.success(&path).map(|_| None),
            Err(VaultError::Denied { .. }) => Ok(Some(format!(
                "it is not known whether Vault's audit log shows what signatures are for: allow read and sudo on {path}, and have it set ({make})"
            ))),
            Err(error) => Err(error),
        }
    }
}
