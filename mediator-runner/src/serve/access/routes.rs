use http::Method;

use super::permission::Permission;

/// What a route asks of who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// For everyone: what verifiers need, and what says what this server is.
    Nothing,
    /// This permission.
    Permission(Permission),
    /// To be OpenHIM core itself, which polls; or this permission.
    OpenHimOr(Permission),
}

/// What a route needs. One that is not here is for administrators: whoever adds it decides.
pub(super) fn needed(method: &Method, route: &str) -> Needed {
    use Permission::{Administer, Issue, Read, Verify};
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    match (method, route) {
        ("GET", "/ddcc/metadata" | "/fhir/metadata") => Needed::Nothing,
        ("GET", keys) if keys.ends_with("/.well-known/jwks.json") => Needed::Nothing,
        ("POST", "/ddcc" | "/ddcc/" | "/ddcc/submitHealthEvent")
        | (
            "POST",
            "/ddcc/generateHealthCertificate"
            | "/ddcc/QuestionnaireResponse/$generateHealthCertificate"
            | "/ddcc/Bundle",
        ) => Needed::Permission(Issue),
        (
            "GET",
            "/ddcc/Bundle/{id}"
            | "/ddcc/Composition/{id}/$document"
            | "/ddcc/DocumentReference"
            | "/ddcc/DocumentReference/{id}"
            | "/ddcc/DocumentReference/{id}/$getQRCode"
            | "/ddcc/List"
            | "/ddcc/List/{id}",
        ) => Needed::Permission(Read),
        ("POST", "/ddcc/$verify") => Needed::Permission(Verify),
        // Maps make what is issued.
        ("POST", "/fhir/StructureMap/$transform") => Needed::Permission(Issue),
        (
            "GET",
            "/fhir/StructureMap"
            | "/fhir/StructureMap/{id}"
            | "/fhir/StructureDefinition"
            | "/fhir/StructureDefinition/{id}"
            | "/fhir/ConceptMap"
            | "/fhir/ConceptMap/{id}",
        ) => Needed::Permission(Read),
        ("GET", "/jobs/{name}/poll") => Needed::OpenHimOr(Administer),
        _ => Needed::Permission(Administer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_for_administrators() {
        for (method, route) in [
            (Method::GET, ""),
            (Method::GET, "/jobs"),
            (Method::POST, "/jobs/{name}/run"),
            (Method::POST, "/ddcc/metadata"),
            (Method::DELETE, "/ddcc/Bundle/{id}"),
            (Method::POST, "/ddcc/$new"),
            (Method::POST, "/fhir/StructureMap"),
            (Method::PUT, "/fhir/StructureMap/{id}"),
            (Method::DELETE, "/fhir/ConceptMap/{id}"),
        ] {
            let expected = Needed::Permission(Permission::Administer);
            assert_eq!(needed(&method, route), expected, "{method} {route}");
        }
    }

    #[test]
    fn a_head_is_for_who_may_get() {
        let expected = Needed::Permission(Permission::Read);
        for route in ["/ddcc/Bundle/{id}", "/ddcc/Composition/{id}/$document"] {
            assert_eq!(needed(&Method::HEAD, route), expected);
        }
    }
}
