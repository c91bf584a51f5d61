use expect_test::expect;
use souk_domain::outcome::Refusal;

use super::*;

#[test]
fn table_is_in_order_and_well_formed() {
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, each once");
    for row in CODES {
        let (area, reason) = row.code.split_once('.').unwrap();
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        assert!(is_word(area) && is_word(reason), "{}", row.code);
        assert!((200..600).contains(&row.status), "{}", row.code);
        assert!(!row.meaning.is_empty() && !row.meaning.ends_with('.'), "{}", row.code);
    }
}

/// The table of spec/sync.md 5.
#[test]
fn statuses_of_the_wire() {
    for (code, status) in [
        ("request.form", 400),
        ("token.expired", 401),
        ("token.unknown", 401),
        ("auth.clock", 401),
        ("device.revoked", 403),
        ("scope.unknown", 404),
        ("pack.unknown", 404),
        ("device.epoch", 409),
        ("request.too_large", 413),
        ("request.encoding", 415),
        ("intent.conflict", 422),
        ("app.too_old", 426),
        ("server.slow", 429),
        ("server.busy", 503),
        ("no.such_code", 422),
    ] {
        assert_eq!(status_of(code), status, "{code}");
    }
}

#[test]
fn error_body_form() {
    let refusal = Refusal::new("device.epoch").with("epoch", 4u32).with("code", "x");
    let body = ErrorBody::of(&refusal, "r-17");
    let text = serde_json::to_string(&body).unwrap();
    expect![[r#"{"error":{"code":"device.epoch","message":"the device's epoch is not the server's","report":"r-17","epoch":4}}"#]]
        .assert_eq(&text);
    assert_eq!(serde_json::from_str::<ErrorBody>(&text).unwrap(), body);
}

/// Every code that a rule, a format or this crate can refuse with stands in the table.
#[test]
fn codes_in_the_sources_are_listed() {
    let core = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = std::collections::BTreeSet::new();
    for source in ["domain/src", "protocol/src"] {
        visit(&core.join(source), &mut |text| {
            for part in text.split("Refusal::new(").skip(1) {
                let Some(code) = part.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next())
                else {
                    continue;
                };
                let is_code = code.bytes().all(|b| b.is_ascii_lowercase() || b".0123456789_".contains(&b));
                if is_code && find(code).is_none() {
                    missing.insert(code.to_owned());
                }
            }
        });
    }
    missing.remove("a.b"); // of tests
    assert!(missing.is_empty(), "not in codes::CODES: {missing:?}");
}

fn visit(folder: &std::path::Path, see: &mut dyn FnMut(&str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
