//! What an author may have meant by a name that there is not.

/// `; did you mean name?`, when one of the candidates is like it; else nothing.
pub(crate) fn did_you_mean<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> String {
    match closest(name, candidates) {
        Some(candidate) => format!("; did you mean {candidate}?"),
        None => String::new(),
    }
}

/// The candidate with the fewest differences: a third of the letters at most, one in a short name,
/// and none but that of case in a name of one letter.
fn closest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let name = name.to_lowercase();
    let most = match name.chars().count() {
        0 | 1 => 0,
        length => (length / 3).max(1),
    };
    candidates
        .filter(|candidate| !candidate.is_empty() && candidate.len().abs_diff(name.len()) <= 40)
        .filter_map(|candidate| {
            let differences = strsim::osa_distance(&name, &candidate.to_lowercase());
            (differences <= most).then_some((differences, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_is_most_alike_is_suggested() {
        let names = ["given", "family", "period", "use", "text"];
        for (name, suggested) in [
            ("famly", Some("family")),
            ("Family", Some("family")),
            ("gievn", Some("given")),
            ("periods", Some("period")),
            ("us", Some("use")),
            ("birthDate", None),
            ("u", None),
            ("", None),
        ] {
            assert_eq!(closest(name, names.into_iter()), suggested, "{name}");
        }
        assert_eq!(
            did_you_mean("txet", names.into_iter()),
            "; did you mean text?"
        );
        assert_eq!(did_you_mean("identifier", names.into_iter()), "");
    }
}
