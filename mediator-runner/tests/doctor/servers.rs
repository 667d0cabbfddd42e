//! PostgreSQL and Keycloak.

use real_servers::keycloak::RealKeycloak;
use real_servers::postgresql::RealPostgreSql;

use super::Found;

#[tokio::test]
async fn a_real_database_is_asked_and_nothing_made_in_it() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let database = server.create_database().await;
    let configuration = |password: &str| {
        let url = server.url(&database);
        format!("[ledger]\nurl = '{url}'\npassword = '{password}'\n")
    };
    let found = Found::by(folder.path(), &configuration(RealPostgreSql::PASSWORD)).await;
    let (_, details, _) = found.told("ledger");
    assert!(details.contains("PostgreSQL "), "{details}");
    assert_eq!(found.told("ledger: clock").0, "ok");
    assert_eq!(found.code, 0, "{}", found.json);
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(server.sql(&database, tables).await.trim(), "0");

    let found = Found::by(folder.path(), &configuration("wrong password")).await;
    assert_eq!((found.code, found.told("ledger").0), (1, "failed"));
    assert!(!found.json.to_string().contains("wrong password"));

    server.kill().await;
    let found = Found::by(folder.path(), &configuration(RealPostgreSql::PASSWORD)).await;
    assert_eq!((found.code, found.told("ledger").0), (1, "failed"));
    server.restart().await;
    let found = Found::by(folder.path(), &configuration(RealPostgreSql::PASSWORD)).await;
    assert_eq!(found.code, 0, "{}", found.json);
}

#[tokio::test]
async fn an_issuer_of_tokens_is_asked_for_its_keys() {
    let Some(keycloak) = RealKeycloak::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let configuration = |issuer: &str| format!("[access.tokens]\nissuer = '{issuer}'\n");
    let found = Found::by(folder.path(), &configuration(&keycloak.issuer())).await;
    let (result, details, _) = found.told("issuer of tokens");
    assert_eq!(result, "ok", "{}", found.json);
    assert!(details.contains(&keycloak.issuer()), "{details}");
    let other = format!("{}-of-nobody", keycloak.issuer());
    let found = Found::by(folder.path(), &configuration(&other)).await;
    assert_eq!(
        (found.code, found.told("issuer of tokens").0),
        (1, "failed")
    );
}
