use std::io;
use std::path::Path;

use uuid::Uuid;

use super::check::Check;
use super::finding::Finding;
use crate::configuration::Configuration;

const NAME: &str = "data directory";

/// Less is soon used up.
const LITTLE: u64 = 1024 * 1024 * 1024;

/// Less is not enough for the database to go on.
const TOO_LITTLE: u64 = 64 * 1024 * 1024;

/// Whether the data directory can be written to, or made, and has space.
pub(super) fn check(configuration: &Configuration) -> Check {
    let folder = configuration.data_directory.clone();
    Check::blocking(NAME, move || vec![examine(&folder)])
}

fn examine(folder: &Path) -> Finding {
    let shown = folder.display();
    // What is not there yet is made in the nearest folder that is.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let Some(existing) = absolute.ancestors().find(|ancestor| ancestor.exists()) else {
        return Finding::failed(NAME, format!("{shown} is nowhere"), "make it");
    };
    if let Err(error) = try_to_write(existing) {
        return Finding::failed(
            NAME,
            format!("{} cannot be written to ({error})", existing.display()),
            "give it to the user that this program runs as, or set data_directory",
        );
    }
    let state = if existing == absolute {
        "can be written to"
    } else {
        "is made on first use"
    };
    let free = match rustix::fs::statvfs(existing) {
        Ok(space) => space.f_bavail.saturating_mul(space.f_frsize),
        Err(error) => {
            let details = format!("{shown} {state}; its free space is not known ({error})");
            return Finding::ok(NAME, details);
        }
    };
    let details = format!("{shown} {state}, {} MiB free", free / 1024 / 1024);
    let advice = "make space, or set data_directory to a larger volume";
    if free < TOO_LITTLE {
        Finding::failed(NAME, details, advice)
    } else if free < LITTLE {
        Finding::warning(NAME, details, advice)
    } else {
        Finding::ok(NAME, details)
    }
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".doctor-{}", Uuid::new_v4()));
    let written = std::fs::write(&path, b"can this be written?");
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_folder_is_written_to_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let there = examine(folder.path());
        assert_ne!(there.verdict, Verdict::Failed, "{there:?}");
        assert!(there.details.contains("can be written to"));
        let not_yet = examine(&folder.path().join("a/b"));
        assert!(not_yet.details.contains("is made on first use"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_folder_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let finding = examine(file.path());
        assert_eq!(finding.verdict, Verdict::Failed, "{finding:?}");
        assert!(finding.advice.is_some());
    }
}
