//! Every map of the repository that has no mistakes.

use std::fs;
use std::path::{Path, PathBuf};

/// Paths and texts, by path.
pub(crate) fn all() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut maps = Vec::new();
    for folder in [
        "fhir-mapping/tests",
        "fhir-mapping/examples",
        "mediator-ddcc",
        "examples",
    ] {
        collect(&root.join(folder), &mut maps);
    }
    maps.sort();
    maps
}

fn collect(folder: &Path, maps: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, maps);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "map" || ending == "fml")
        {
            let text = fs::read_to_string(&path).unwrap();
            if fhir_mapping::MapOutline::of(&text).is_ok() {
                maps.push((path, text));
            }
        }
    }
}
