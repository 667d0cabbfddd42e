//! The migrations of the databases' tables, a file each. `sqlx::migrate!` would read them as well,
//! but for that it compiles every database's client a second time.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! migrations {
    ($folder:literal, $($name:literal),+) => {
        LazyLock::new(|| {
            migrator([$((
                $name,
                include_str!(concat!("../migrations/", $folder, "/", $name, ".sql")),
            )),+])
        })
    };
}

pub(crate) static SQLITE: LazyLock<Migrator> = migrations!(
    "sqlite",
    "0001_resources_and_events",
    "0002_stored_once",
    "0003_workers",
    "0004_definitions",
    "0005_stored_together",
    "0006_moved",
    "0007_found_by_id",
    "0008_events_by_key"
);

pub(crate) static POSTGRESQL: LazyLock<Migrator> = migrations!("postgresql", "0001_events");

/// Of files by their names, a number and what it does, and their texts.
fn migrator<const N: usize>(files: [(&'static str, &'static str); N]) -> Migrator {
    let migrations = files.map(|(name, sql)| {
        let (number, description) = name.split_once('_').unwrap_or((name, ""));
        Migration::new(
            number.parse().unwrap_or_default(),
            Cow::Owned(description.replace('_', " ")),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn every_file_is_a_migration_as_the_library_reads_it() {
        for (folder, ours) in [("sqlite", &SQLITE), ("postgresql", &POSTGRESQL)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(folder);
            let read = Migrator::new(folder.as_path()).await.unwrap();
            let told = |migrator: &Migrator| -> Vec<_> {
                let migrations = migrator.iter();
                migrations
                    .map(|one| (one.version, one.description.clone(), one.checksum.clone()))
                    .collect()
            };
            assert_eq!(told(ours), told(&read));
        }
    }
}
