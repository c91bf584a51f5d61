use std::path::Path;

use super::*;

/// `SOUK_RENEW=1 cargo test -p souk-http openapi` writes the committed copy anew.
#[test]
fn committed_copy_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("SOUK_RENEW").is_some() {
        std::fs::write(&path, text()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text(),
        "docs/openapi.json differs from the routes: look at the change, then renew it by\n    \
         SOUK_RENEW=1 cargo test -p souk-http openapi"
    );
}

#[test]
fn every_reference_is_there_and_every_schema_is_used() {
    let text = text();
    let mut names: Vec<&str> = SCHEMAS.iter().map(|schema| schema.name).collect();
    for name in &names {
        let used = format!("#/components/schemas/{name}\"");
        assert!(text.contains(&used), "{name} is not used");
    }
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(names.contains(&name), "{name} is not there");
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "each name once");
}

#[test]
fn every_code_has_its_row() {
    for route in ROUTES {
        for code in codes_of(route) {
            assert!(codes::find(code).is_some(), "{} {}: {code}", route.method.name(), route.path);
        }
    }
}

#[test]
fn routes_are_complete() {
    let mut seen = std::collections::BTreeSet::new();
    for route in ROUTES {
        assert!(seen.insert((route.path, route.method)), "{} twice", route.path);
        assert!(
            seen.len() < 1_000 && !route.summary.is_empty() && !route.summary.ends_with('.'),
            "{}",
            route.path
        );
        assert!(route.rate.most > 0, "{}", route.path);
    }
    let mut names: Vec<String> = ROUTES.iter().map(name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), ROUTES.len(), "operations have names of their own");
}
