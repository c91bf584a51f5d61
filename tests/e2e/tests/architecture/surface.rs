//! The facade's surface: the one committed list of calls that every shell must offer, held against the code.

use super::source::{self, Source, Token};

/// The committed list.
const LIST: &str = "docs/facade.txt";

/// The calls of one file, each as `role.name(arguments) -> result`: public functions of `impl DeviceHost`.
fn calls(source: &Source) -> Vec<String> {
    let role = source.path.trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
    let words: Vec<&str> = source.shipped.iter().map(|token| token.text.as_str()).collect();
    let Some(start) = words.windows(2).position(|two| two == ["impl", "DeviceHost"]) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for at in start..words.len() {
        let name = match words[at..] {
            ["pub", "fn", name, ..] => name,
            _ => continue,
        };
        let rest = source.shipped[at + 3..].iter();
        let head: Vec<Token> = rest.take_while(|token| token.text != "{").cloned().collect();
        found.push(format!("{role}.{name}{}", signature(&head)));
    }
    found
}

/// The tokens of a signature as a person would write them, without the receiver.
fn signature(tokens: &[Token]) -> String {
    let spaced = tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ");
    let closer = [
        (" : : ", "::"),
        ("- >", "->"),
        ("& mut self , ", ""),
        ("& mut self", ""),
        ("& self , ", ""),
        ("& self", ""),
        (" < ", "<"),
        (" >", ">"),
        ("( ", "("),
        (" )", ")"),
        (" ,", ","),
        (",)", ")"),
        (" :", ":"),
        ("& ", "&"),
    ];
    closer.iter().fold(spaced, |text, (from, to)| text.replace(from, to))
}

/// `SOUK_RENEW=1 cargo test -p souk-e2e --test architecture facade` writes the list anew.
#[test]
fn facade_calls_are_listed() {
    let in_facade = |source: &&Source| source.is_in("core/device/src/facade");
    let mut calls: Vec<String> = source::workspace().iter().filter(in_facade).flat_map(calls).collect();
    calls.sort();
    assert!(!calls.is_empty(), "the facade was not found");
    let path = super::root().join(LIST);
    if std::env::var_os("SOUK_RENEW").is_some() {
        std::fs::write(&path, calls.join("\n") + "\n").expect("the list can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let missing = calls.iter().filter(|call| !committed.lines().any(|line| line == *call));
    let stale = committed.lines().filter(|line| !calls.iter().any(|call| call == line));
    let missing = missing.map(|call| format!("not in {LIST}: {call}"));
    let findings: Vec<String> = missing.chain(stale.map(|line| format!("not in the code: {line}"))).collect();
    super::nothing_found(
        "look at the change, then: SOUK_RENEW=1 cargo test -p souk-e2e --test architecture facade",
        &findings,
    );
}

#[test]
fn the_check_of_the_facade_can_fail() {
    let text = "pub fn before() {} impl DeviceHost { \
        pub fn place_order(&mut self, request: &PlaceOrderRequest, now: Now,) -> Result<Vec<a::B>, SoukError> { } \
        pub(crate) fn inside(&self) {} fn own() {} pub fn me(&self) -> u8 { 1 } } \
        #[cfg(test)] mod tests { impl DeviceHost { pub fn not_me() {} } }";
    let expected = [
        "buyer.place_order(request: &PlaceOrderRequest, now: Now) -> Result<Vec<a::B>, SoukError>",
        "buyer.me() -> u8",
    ];
    assert_eq!(calls(&Source::parse("core/device/src/facade/buyer.rs", text)), expected);
}
