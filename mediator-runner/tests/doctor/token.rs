//! A PKCS#11 token: SoftHSM.

use std::fs;
use std::path::Path;

use real_servers::softhsm::{CONFIGURATION, SoftHsm};

use super::Found;

const PIN: &str = "1234";

async fn found(folder: &Path, hsm: &SoftHsm, label: &str, pin: &str) -> Found {
    fs::write(folder.join("pin"), pin).unwrap();
    let configuration = format!(
        "[signing.pkcs11]
         module = '{}'
         token_label = '{label}'
         pin_file = 'pin'
         key_label = 'document-signer'",
        hsm.module().display()
    );
    let variables = [(CONFIGURATION, hsm.configuration().to_str().unwrap())];
    Found::with(folder, &configuration, &variables).await
}

#[tokio::test]
async fn a_token_is_opened_and_its_key_and_certificate_looked_at() {
    let Some(hsm) = SoftHsm::create() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let told = found(folder.path(), &hsm, "signing", PIN).await;
    assert_eq!(told.code, 1);
    assert_eq!(told.told("signing keys").0, "failed", "{}", told.json);
    let text = told.check("signing keys").to_string();
    assert!(text.contains("no token with the label"), "{text}");

    hsm.create_document_signer("signing", PIN);
    let told = found(folder.path(), &hsm, "signing", PIN).await;
    let (result, details, _) = told.told("signing keys");
    assert_eq!(result, "ok", "{}", told.json);
    assert!(details.contains("document-signer"), "{details}");

    let wrong = found(folder.path(), &hsm, "signing", "not the PIN").await;
    assert_eq!(wrong.code, 1);
    assert_eq!(wrong.told("signing keys").0, "failed");
    let text = wrong.check("signing keys").to_string();
    assert!(text.contains("the PIN is wrong"), "{text}");
    assert!(!wrong.json.to_string().contains("not the PIN"));

    hsm.create_token("empty", PIN);
    let empty = found(folder.path(), &hsm, "empty", PIN).await;
    assert_eq!((empty.code, empty.told("signing keys").0), (1, "failed"));
    let (_, _, advice) = empty.told("signing keys");
    assert!(advice.contains("keys csr"), "{advice}");

    hsm.delete_token("signing");
    let gone = found(folder.path(), &hsm, "signing", PIN).await;
    assert_eq!((gone.code, gone.told("signing keys").0), (1, "failed"));
}
