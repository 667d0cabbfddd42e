//! FHIR packages: a gzipped tar archive with resources in `package/` (the NPM package
//! specification of FHIR).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

/// Bytes of JSON in a package: FHIR's own core package has some 50 million.
const MAXIMUM_BYTES: u64 = 512 * 1024 * 1024;

/// The resources of the package, with their names in it.
///
/// # Errors
/// When it is no package, or too large.
pub(super) fn resources(path: &Path) -> io::Result<Vec<(String, Value)>> {
    let inflated = GzDecoder::new(BufReader::new(File::open(path)?)).take(MAXIMUM_BYTES);
    let mut archive = tar::Archive::new(inflated);
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        // `package.json`, `.index.json` and the like are about the package.
        let is_resource = name.starts_with("package/")
            && name.ends_with(".json")
            && name.matches('/').count() == 1
            && !name.ends_with("/package.json")
            && !name.contains("/.");
        if !is_resource {
            continue;
        }
        let resource: Value = serde_json::from_reader(BufReader::new(entry))
            .map_err(|error| io::Error::other(format!("{name}: {error}")))?;
        found.push((name, resource));
    }
    // A package's order is not told: a ConceptMap may stand before the model that it is for.
    found.sort_by(|one, other| one.0.cmp(&other.0));
    if found.is_empty() {
        return Err(io::Error::other("this FHIR package has no resources"));
    }
    Ok(found)
}
