//! Servers that this ledger does not work with say why, at once.

use mediator_ddcc::ledger::LedgerError;
use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};
use real_servers::postgresql::RealPostgreSql;

use crate::store::{server, settings};

async fn refused(settings: &PostgreSqlSettings) -> LedgerError {
    let ledger = PostgreSqlLedger::new(settings).unwrap();
    let error = ledger.prepare().await.unwrap_err();
    assert!(!error.to_string().contains(RealPostgreSql::PASSWORD));
    error
}

#[tokio::test]
async fn wrong_passwords_and_names_are_told_apart() {
    let Some(server) = server().await else {
        return;
    };
    let wrong = PostgreSqlSettings {
        password: Some("wrong".into()),
        ..settings(server, "ledger")
    };
    let error = refused(&wrong).await;
    assert!(matches!(error, LedgerError::NotAuthenticated(_)), "{error}");
    assert!(!error.is_transient());

    let error = refused(&settings(server, "nowhere")).await;
    assert!(matches!(error, LedgerError::NoDatabase(_)), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_database_of_another_role_is_not_permitted() {
    let Some(server) = server().await else {
        return;
    };
    let name = server.create_database().await;
    server
        .sql(
            "postgres",
            &format!("ALTER DATABASE {name} OWNER TO postgres"),
        )
        .await;
    let error = refused(&settings(server, &name)).await;
    assert!(matches!(error, LedgerError::NotPermitted(_)), "{error}");
}

#[tokio::test]
async fn a_read_only_database_is_told() {
    let Some(server) = server().await else {
        return;
    };
    let name = server.create_database().await;
    let standby = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    server.sql("postgres", &standby).await;
    let error = refused(&settings(server, &name)).await;
    assert!(matches!(error, LedgerError::ReadOnly), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn tables_of_a_newer_version_are_left_alone() {
    let Some(server) = server().await else {
        return;
    };
    let name = server.create_database().await;
    let settings = settings(server, &name);
    PostgreSqlLedger::new(&settings)
        .unwrap()
        .prepare()
        .await
        .unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', true, '', 0)";
    server.sql(&name, later).await;
    let error = refused(&settings).await;
    assert!(matches!(error, LedgerError::Newer), "{error}");
}

#[tokio::test]
async fn only_the_server_with_the_right_certificate_is_trusted() {
    let Some(server) = RealPostgreSql::start_with_tls().await else {
        return;
    };
    let trusting = PostgreSqlSettings {
        tls: true,
        certificate_authority: Some(server.certificate_authority()),
        ..settings(&server, "ledger")
    };
    let ledger = PostgreSqlLedger::new(&trusting).unwrap();
    ledger.prepare().await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl \
                     JOIN pg_stat_activity USING (pid) WHERE usename = 'ledger'";
    assert_eq!(server.sql("ledger", encrypted).await, "t");

    let public_only = PostgreSqlSettings {
        certificate_authority: None,
        ..trusting.clone()
    };
    let error = refused(&public_only).await;
    assert!(matches!(error, LedgerError::Untrusted(_)), "{error}");

    // The server listens there too, and its certificate does not say so.
    let mut other_name = trusting.clone();
    other_name.url.set_host(Some("127.0.0.2")).unwrap();
    let error = refused(&other_name).await;
    assert!(matches!(error, LedgerError::Untrusted(_)), "{error}");

    let plain = PostgreSqlSettings {
        tls: false,
        ..trusting
    };
    let error = refused(&plain).await;
    assert!(matches!(error, LedgerError::NotAuthenticated(_)), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted_where_tls_is_wanted() {
    let Some(server) = server().await else {
        return;
    };
    let wanting = PostgreSqlSettings {
        tls: true,
        ..settings(server, "ledger")
    };
    let error = refused(&wanting).await;
    assert!(matches!(error, LedgerError::Untrusted(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_told_from_one_that_does() {
    let Some(server) = server().await else {
        return;
    };
    let name = server.create_database().await;
    let ledger = |settings| PostgreSqlLedger::new(settings).unwrap();
    let settings = settings(server, &name);
    let state = ledger(&settings).server().await.unwrap();
    assert!(state.is_durable);
    assert!(
        state
            .version
            .starts_with(|first: char| first.is_ascii_digit())
    );
    let hasty = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    server.sql("postgres", &hasty).await;
    assert!(!ledger(&settings).server().await.unwrap().is_durable);
    // It made nothing.
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(server.sql(&name, tables).await, "0");
}
