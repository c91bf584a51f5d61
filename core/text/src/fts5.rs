//! How a token is written for SQLite's FTS5 with `unicode61 remove_diacritics 0` (spec/sync.md 9.3).
//!
//! That tokenizer cuts at every character which is no letter or number in the Unicode version it was built with, and
//! with `detail=none` a token cut in two makes the query an error. So characters outside ranges that are known to be
//! kept whole (a test of `souk-device` asks SQLite) are written in private-use characters, which it keeps too.

use std::borrow::Cow;

/// Stands for the point inside a number.
const POINT: char = '\u{E001}';
/// Stands on both sides of a code point in hex.
const ESCAPE: char = '\u{E000}';

/// The token as it is stored in and asked of FTS5. Two tokens never have one term.
pub fn term(token: &str) -> Cow<'_, str> {
    if token.chars().all(is_kept) {
        return Cow::Borrowed(token);
    }
    let mut out = String::with_capacity(token.len() + 8);
    for c in token.chars() {
        match c {
            '.' => out.push(POINT),
            c if is_kept(c) => out.push(c),
            c => out.push_str(&format!("{ESCAPE}{:x}{ESCAPE}", c as u32)),
        }
    }
    Cow::Owned(out)
}

/// The term as a string of the FTS5 query language.
pub(crate) fn quoted(token: &str) -> String {
    format!("\"{}\"", term(token).replace('"', "\"\""))
}

/// The text of a row: all terms, blank between.
pub fn row(tokens: &[String]) -> String {
    tokens.iter().map(|token| term(token)).collect::<Vec<_>>().join(" ")
}

/// Ranges of letters and digits that `unicode61` keeps whole; nothing outside is trusted.
pub const KEPT: &[(char, char)] = &[
    ('0', '9'),
    ('a', 'z'),
    ('\u{DF}', '\u{F6}'),     // Latin
    ('\u{F8}', '\u{24F}'),    //
    ('\u{3B1}', '\u{3C9}'),   // Greek
    ('\u{430}', '\u{45F}'),   // Cyrillic
    ('\u{5D0}', '\u{5EA}'),   // Hebrew
    ('\u{621}', '\u{63A}'),   // Arabic
    ('\u{641}', '\u{64A}'),   //
    ('\u{E01}', '\u{E30}'),   // Thai
    ('\u{3005}', '\u{3007}'), // 々 〆 〇
    ('\u{30A1}', '\u{30FA}'), // katakana
    ('\u{30FC}', '\u{30FF}'), // ー ヽ ヾ ヿ
    ('\u{31F0}', '\u{31FF}'), //
    ('\u{3400}', '\u{4DB5}'), // Han
    ('\u{4E00}', '\u{9FCB}'), //
    ('\u{AC00}', '\u{D7A3}'), // Hangul
    ('\u{20000}', '\u{2A6D6}'),
];

fn is_kept(c: char) -> bool {
    KEPT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms() {
        for (token, expect) in [
            ("1000xm5", "1000xm5"),
            ("노이", "노이"),
            ("3.5mm", "3\u{E001}5mm"),
            ("ก่", "ก\u{E000}e48\u{E000}"),
            ("\"", "\u{E000}22\u{E000}"),
        ] {
            assert_eq!(term(token), expect);
        }
        assert_eq!(quoted("a"), "\"a\"");
        assert_eq!(row(&["a".to_owned(), "3.5".to_owned()]), "a 3\u{E001}5");
    }
}
