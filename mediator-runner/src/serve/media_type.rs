//! Media types of requests and answers (RFC 9110 8.3 and 12.5.1).

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Something that can be answered, under the names by which it is asked for. The first is its
/// media type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer<T> {
    pub(super) names: &'static [&'static str],
    pub(super) value: T,
}

/// Whether the request's body is of one of these media types, in UTF-8. One without a
/// `Content-Type` is taken for it.
pub(super) fn is_one_of(headers: &HeaderMap, names: &[&str]) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let charset = parts
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim_matches('"'));
    names
        .iter()
        .any(|name| name.eq_ignore_ascii_case(media_type))
        && charset.is_none_or(|charset| {
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
        })
}

/// The offer that fits the ranges of an `Accept` header best: by quality, then by the client's
/// order, then by ours.
pub(super) fn choose<T: Copy>(accept: &str, offers: &[Offer<T>]) -> Option<T> {
    let mut best: Option<(f32, T)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let wanted = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("q"))
            .map_or(1.0, |(_, quality)| quality.parse().unwrap_or(0.0));
        let found = offers.iter().find(|offer| fits(&wanted, offer.names));
        if let Some(offer) = found
            && quality > best.map_or(0.0, |(quality, _)| quality)
        {
            best = Some((quality, offer.value));
        }
    }
    best.map(|(_, value)| value)
}

fn fits(wanted: &str, names: &[&str]) -> bool {
    let media_type = names.first().copied().unwrap_or_default();
    wanted == "*/*"
        || names.contains(&wanted)
        || wanted.strip_suffix("/*").is_some_and(|main| {
            media_type
                .strip_prefix(main)
                .is_some_and(|rest| rest.starts_with('/'))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OFFERS: [Offer<u8>; 2] = [
        Offer {
            names: &["image/png", "png"],
            value: 1,
        },
        Offer {
            names: &["image/svg+xml", "svg"],
            value: 2,
        },
    ];

    #[test]
    fn the_best_offer_is_chosen() {
        for (accept, expected) in [
            ("image/png", Some(1)),
            ("svg", Some(2)),
            ("IMAGE/SVG+XML", Some(2)),
            ("*/*", Some(1)),
            ("image/*;q=0.5", Some(1)),
            ("text/html, image/svg+xml;q=0.9, image/png;q=0.8", Some(2)),
            ("text/html, */*;q=0.1", Some(1)),
            ("image/svg+xml, image/png", Some(2)),
            ("image/png;q=0, image/svg+xml;q=0.1", Some(2)),
            ("image/png;q=0", None),
            ("imag/*", None),
            ("application/xml", None),
            ("", None),
        ] {
            assert_eq!(choose(accept, &OFFERS), expected, "{accept}");
        }
    }

    #[test]
    fn bodies_are_known_by_their_media_type() {
        let is = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            is_one_of(&headers, &["application/fhir+json"])
        };
        assert!(is_one_of(&HeaderMap::new(), &["application/fhir+json"]));
        assert!(is("application/fhir+json"));
        assert!(is("Application/FHIR+JSON; charset=UTF-8"));
        assert!(is(
            "application/fhir+json;fhirVersion=4.0;charset=\"utf-8\""
        ));
        assert!(!is("application/fhir+json; charset=iso-8859-1"));
        assert!(!is("application/fhir+xml"));
        assert!(!is("text/plain"));
    }
}
