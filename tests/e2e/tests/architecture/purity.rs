//! What the sources of a crate must not name: clocks, files, chance, floats, foreign cryptography, SQL, panics.

use super::nothing_found;
use super::source::{self, CodePath, Kind, Source, Token, paths, string_text};

/// The rules of trade and what travels; they run on phone, server and simulator alike.
const PURE: [&str; 4] = ["core/domain/src", "core/codes/src", "core/text/src", "core/protocol/src"];

/// What does I/O, reads a clock or chance, or has an order of its own.
const IMPURE_PATHS: [&[&str]; 20] = [
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["SystemTime"],
    &["Instant"],
    &["HashMap"],
    &["HashSet"],
    &["RandomState"],
    &["SystemRandom"],
    &["rusqlite"],
    &["tokio"],
    &["reqwest"],
    &["rand"],
    &["getrandom"],
    &["println"],
];

/// Where amounts of money are computed, stored or moved.
const MONEY: [&str; 7] = [
    "core/domain/src",
    "core/codes/src/emv",
    "core/codes/src/paycode",
    "core/protocol/src",
    "backend/store/src",
    "backend/engine/src",
    "backend/rails/src",
];

/// Files that name a float in order to refuse it: serde hands one over whatever the format wants.
const FLOATS_REFUSED: [&str; 1] = ["core/protocol/src/canon.rs"];

/// Where `unsafe` may stand: calls into foreign code, and the crash file system.
const UNSAFE_ALLOWED: [&str; 2] = ["tests/simulator", "mobile-bindings"];

/// Where SQL may stand.
const SQL_ALLOWED: [&str; 3] = ["backend/store", "core/device", "backend/rails"];

/// The beginnings of a statement.
const SQL_STARTS: [&str; 14] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM",
    "REPLACE INTO",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE UNIQUE",
    "CREATE VIRTUAL",
    "ALTER TABLE",
    "DROP TABLE",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
    "WITH RECURSIVE",
];

/// Calls that end the process, or the request, on what somebody sent.
const PANICKING_METHODS: [&str; 4] = ["unwrap", "expect", "unwrap_err", "expect_err"];
const PANICKING_MACROS: [&str; 4] = ["panic", "todo", "unimplemented", "unreachable"];

fn names(path: &CodePath, banned: &[&str]) -> bool {
    path.segments.windows(banned.len()).any(|part| part.iter().zip(banned).all(|(one, other)| one == other))
}

fn impure(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for path in paths(&source.shipped) {
        for banned in IMPURE_PATHS.iter().filter(|banned| names(&path, banned)) {
            findings.push(source.at(&path.token, &format!("names {}", banned.join("::"))));
        }
    }
    findings
}

fn floats(source: &Source) -> Vec<String> {
    let float = |token: &&Token| match token.kind {
        Kind::Word => token.text == "f32" || token.text == "f64",
        Kind::Literal => is_float(&token.text),
        Kind::Sign => false,
    };
    source
        .shipped
        .iter()
        .filter(float)
        .map(|token| source.at(token, &format!("has the float {}", token.text)))
        .collect()
}

/// `1.5`, `1e3`, `2f64`, but neither `0x1e3` nor a text.
fn is_float(literal: &str) -> bool {
    let radix = ["0x", "0b", "0o"].iter().any(|prefix| literal.starts_with(prefix));
    let digits = literal.starts_with(|c: char| c.is_ascii_digit());
    let integer_suffix =
        ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"];
    let bare = integer_suffix.iter().find_map(|suffix| literal.strip_suffix(suffix)).unwrap_or(literal);
    digits && !radix && bare.contains(['.', 'e', 'E', 'f'])
}

fn foreign_crypto(source: &Source) -> Vec<String> {
    let first_is_ring = |path: &CodePath| path.segments.first().is_some_and(|first| first == "ring");
    let found = paths(&source.all).into_iter().filter(|path| first_is_ring(path) && path.segments.len() > 1);
    found.map(|path| source.at(&path.token, "calls ring")).collect()
}

fn unsafe_code(source: &Source) -> Vec<String> {
    let found = source.all.iter().filter(|token| token.kind == Kind::Word && token.text == "unsafe");
    found.map(|token| source.at(token, "is unsafe")).collect()
}

fn panics(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for four in source.shipped_unargued.windows(4) {
        let [before, word, after, last] = four else { continue };
        let name = word.text.as_str();
        // A parser may well have a step `expect(b':')?`; what panics ends in a value and not in a `Result`.
        let method = before.text == "." && after.text == "(" && PANICKING_METHODS.contains(&name);
        let text_argument = name.starts_with("unwrap") || string_text(last).is_some() || last.text == "&";
        let opens = ["(", "[", "{"].contains(&last.text.as_str());
        let a_macro = after.text == "!" && opens && PANICKING_MACROS.contains(&name);
        if method && text_argument || a_macro {
            findings.push(source.at(word, &format!("may panic: {name}")));
        }
    }
    findings
}

fn sql(source: &Source) -> Vec<String> {
    let is_sql = |token: &&Token| {
        string_text(token).is_some_and(|text| {
            let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
            SQL_STARTS.iter().any(|start| text.starts_with(start))
        })
    };
    source.shipped.iter().filter(is_sql).map(|token| source.at(token, "holds SQL")).collect()
}

/// The findings of `check` in the files that `chosen` names.
fn over(chosen: impl Fn(&Source) -> bool, check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    source::workspace().iter().filter(|source| chosen(source)).flat_map(check).collect()
}

fn in_any(source: &Source, folders: &[&str]) -> bool {
    // `core/codes/src/emv` is the folder and the file `emv.rs` beside it.
    folders.iter().any(|folder| source.is_in(folder) || source.path == format!("{folder}.rs"))
}

fn is_product(source: &Source) -> bool {
    in_any(source, &["core", "backend"])
}

#[test]
fn pure_crates_read_no_clock_no_file_no_chance() {
    nothing_found("`now`, ids and random bytes come in as arguments", &over(|s| in_any(s, &PURE), impure));
}

#[test]
fn no_float_stands_near_money() {
    let chosen = |source: &Source| in_any(source, &MONEY) && !FLOATS_REFUSED.contains(&source.path.as_str());
    nothing_found("money is counted in whole minor units", &over(chosen, floats));
}

#[test]
fn only_crypto_calls_ring() {
    nothing_found("ring is called through core/crypto", &over(|s| !s.is_in("core/crypto"), foreign_crypto));
}

#[test]
fn unsafe_stays_in_bindings_and_the_crash_file_system() {
    nothing_found("the rest is safe Rust", &over(|s| !in_any(s, &UNSAFE_ALLOWED), unsafe_code));
}

#[test]
fn outside_input_never_panics() {
    nothing_found("bad input is refused with a code", &over(is_product, panics));
}

#[test]
fn sql_stands_with_the_stores() {
    let chosen = |source: &Source| is_product(source) && !in_any(source, &SQL_ALLOWED);
    nothing_found("a row's encoding lives in the store", &over(chosen, sql));
}

#[test]
fn the_checks_of_sources_can_fail() {
    type Check = fn(&Source) -> Vec<String>;
    let cases: [(Check, &str, &[&str]); 26] = [
        (impure, "use std::fs; fn a() { }", &["names std::fs"]),
        (
            impure,
            "use std::{collections::{BTreeMap, HashMap}, net::IpAddr};",
            &["names HashMap", "names std::net"],
        ),
        (
            impure,
            "fn a() -> std::time::Duration { now - std::time::SystemTime::now() }",
            &["names SystemTime"],
        ),
        (impure, "fn rand_bytes(instant: Time, fs: u8) {} // HashMap", &[]),
        (impure, "#[cfg(test)] mod tests { use std::fs; }", &[]),
        (floats, "fn a(x: f64) { x * 1.5 }", &["has the float f64", "has the float 1.5"]),
        (
            floats,
            "fn a() { 1e3; 2f32; 1.; }",
            &["has the float 1e3", "has the float 2f32", "has the float 1."],
        ),
        (floats, "fn a() { 0x1e3; 0xff; 1_000i64; 3usize; pair.0; 0..5; \"1.5\"; '.'; }", &[]),
        (foreign_crypto, "use ring::digest;", &["calls ring"]),
        (foreign_crypto, "fn a() { ::ring::rand::SystemRandom::new() }", &["calls ring"]),
        (foreign_crypto, "fn a() { rustls::crypto::ring::default_provider(); let ring = 1; }", &[]),
        (unsafe_code, "fn a() { unsafe { b() } }", &["is unsafe"]),
        (unsafe_code, "#[cfg(test)] mod tests { unsafe fn a() {} }", &["is unsafe"]),
        (unsafe_code, "#![deny(unsafe_code)] // unsafe", &[]),
        (panics, "fn a() { b.unwrap(); c.expect(\"x\"); }", &["may panic: unwrap", "may panic: expect"]),
        (panics, "fn a() { panic!(\"x\"); todo!() }", &["may panic: panic", "may panic: todo"]),
        (
            panics,
            "fn a() { b.unwrap_or(1); self.expect(b':')?; expect(1); std::panic::catch_unwind(f); }",
            &[],
        ),
        (panics, "#[expect(clippy::expect_used, reason = \"x\")] fn a() { b.expect(\"x\") }", &[]),
        (panics, "#[allow(clippy::expect_used)] fn a() { b.expect(\"x\") }", &["may panic: expect"]),
        (panics, "#[cfg(test)] mod tests { fn a() { b.unwrap() } }", &[]),
        (
            panics,
            "fn a() { b.expect_err(&format!(\"x\")); unreachable!() }",
            &["may panic: expect_err", "may panic: unreachable"],
        ),
        (sql, "const A: &str = \"SELECT a FROM b\";", &["holds SQL"]),
        (sql, "const A: &str = r#\"\n  INSERT INTO a\"#;", &["holds SQL"]),
        (sql, "const A: &str = \"\\\n  UPDATE a SET b = 1\";", &["holds SQL"]),
        (sql, "const A: &str = \"Select an offer\"; fn b() { println!(\"UPDATED\") } // SELECT a", &[]),
        (sql, "#[cfg(test)] mod tests { const A: &str = \"PRAGMA x\"; }", &[]),
    ];
    for (check, text, expected) in cases {
        let findings = check(&Source::parse("core/domain/src/a.rs", text));
        let whats: Vec<&str> =
            findings.iter().filter_map(|one| one.splitn(3, ':').nth(2)).map(str::trim).collect();
        assert_eq!(whats, expected, "{text}");
    }
}

#[test]
fn a_finding_names_its_place() {
    let source = Source::parse("core/domain/src/a.rs", "\n\nuse std::fs;");
    assert_eq!(impure(&source), ["core/domain/src/a.rs:3: names std::fs"]);
    assert!(in_any(&Source::parse("core/codes/src/emv.rs", ""), &MONEY));
    assert!(!in_any(&Source::parse("core/codes/src/emvx/a.rs", ""), &MONEY));
}
