use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(text: &str, expect: Expect) {
    let shown = match parse(text).and_then(|value| canonical(&value)) {
        Ok(canonical) => canonical,
        Err(error) => format!("! {error}"),
    };
    expect.assert_eq(&shown);
}

/// RFC 8785, 3.2.2 without its floats, and 3.2.3.
#[test]
fn rfc_vectors() {
    check(
        r#"{ "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [true, false] }"#,
        expect![[r#"{"literals":[true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"#]],
    );
    check(
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
        expect![[
            r#"{"\r":"Carriage Return","1":"One","":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","דּ":"Hebrew Letter Dalet With Dagesh"}"#
        ]],
    );
    // RFC 8785, 3.2.4 is the same bytes in UTF-8; appendix B and 3.2.2 have the floats that we refuse.
    for float in
        ["333333333.33333329", "1E30", "4.50", "2e-3", "0.000000000000000000000000001", "1.0", "-0", "-0.0"]
    {
        assert_eq!(parse(float).map_err(|e| e.fault), Err(CanonFault::Float), "{float}");
    }
}

#[test]
fn refusals_have_a_place() {
    check("", expect!["! not JSON at byte 0"]);
    check("{\"a\":1,\"a\":2}", expect!["! a name stands twice at byte 9"]);
    check("{\"a\":{\"b\":null}}", expect!["! null at byte 13"]);
    check("[1] [2]", expect!["! not JSON at byte 4"]);
    check("[1,\n 2.5]", expect!["! a number that is no integer at byte 7"]);
    check("\"\\ud800\"", expect!["! not JSON at byte 7"]);
    check("[01]", expect!["! not JSON at byte 2"]);
    check("{\"a\":1,}", expect!["! not JSON at byte 7"]);
    let not_canonical = |text: &str| parse_canonical(text).map_err(|e| (e.fault, e.at));
    assert_eq!(not_canonical("{\"b\":1,\"a\":2}"), Err((CanonFault::Form, 2)));
    assert_eq!(not_canonical("{\"a\": 1}"), Err((CanonFault::Form, 5)));
    assert_eq!(not_canonical("\"\\u0041\""), Err((CanonFault::Form, 1)));
    assert!(is_canonical("{\"a\":[1,\"문\"]}"));
}

#[test]
fn limits_at_the_edge() {
    for (text, fault) in [
        ("9007199254740991", None),
        ("-9007199254740991", None),
        ("9007199254740992", Some(CanonFault::Range)),
        ("-9007199254740992", Some(CanonFault::Range)),
        ("18446744073709551615", Some(CanonFault::Range)),
        ("18446744073709551616", Some(CanonFault::Float)),
    ] {
        assert_eq!(parse(text).err().map(|e| e.fault), fault, "{text}");
    }
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(is_canonical(&nested(DEPTH_MAX)));
    assert_eq!(parse(&nested(DEPTH_MAX + 1)).map_err(|e| e.fault), Err(CanonFault::Depth));
    assert!(parse(&nested(100_000)).is_err());
    let mut deep = json!(1);
    for _ in 0..=DEPTH_MAX {
        deep = json!([deep]);
    }
    assert_eq!(canonical(&deep), Err(CanonError { fault: CanonFault::Depth, at: DEPTH_MAX }));
    assert_eq!(canonical(&json!([1, 2.5])), Err(CanonError { fault: CanonFault::Float, at: 3 }));
    assert_eq!(canonical(&json!([u64::MAX])), Err(CanonError { fault: CanonFault::Range, at: 1 }));
    assert_eq!(canonical(&json!([i64::MIN])), Err(CanonError { fault: CanonFault::Range, at: 1 }));
    assert_eq!(canonical(&json!({"a": null})), Err(CanonError { fault: CanonFault::Null, at: 5 }));
}

/// Values of our subset, with names and texts from all of Unicode.
pub(crate) fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_of_parse_is_the_same(value in values()) {
        let text = canonical(&value).unwrap();
        prop_assert_eq!(&parse_canonical(&text).unwrap(), &value);
        prop_assert_eq!(canonical(&parse(&text).unwrap()).unwrap(), text);
    }

    #[test]
    fn blanks_and_order_do_not_matter(value in values()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(canonical(&parse(&pretty).unwrap()), canonical(&value));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,60}") {
        let _ = parse(&String::from_utf8_lossy(&bytes));
        if let Ok(value) = parse(&text) {
            prop_assert!(is_canonical(&canonical(&value).unwrap()));
        }
    }
}
