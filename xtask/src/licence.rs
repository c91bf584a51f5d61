//! SPDX licence expressions: whether one of the ways in which a crate may be used is among the licences we accept.
//!
//! Source: SPDX specification 2.3, annex D, and the older `MIT/Apache-2.0` of crates.io, where `/` means `OR`.

/// Whether `expression` can be met with licences of `allowed` alone. An expression that cannot be read is not met.
pub(crate) fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

/// `a OR b`
fn any_of(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut met = all_of(words, allowed)?;
    while take(words, "OR") {
        met |= all_of(words, allowed)?;
    }
    Some(met)
}

/// `a AND b`, which binds tighter
fn all_of(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut met = one(words, allowed)?;
    while take(words, "AND") {
        met &= one(words, allowed)?;
    }
    Some(met)
}

/// `(…)`, `ID` or `ID WITH exception`
fn one(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    if take(words, "(") {
        let met = any_of(words, allowed)?;
        return take(words, ")").then_some(met);
    }
    let id = next(words).filter(|word| !["OR", "AND", "WITH", ")"].contains(word))?;
    if take(words, "WITH") {
        let with = format!("{id} WITH {}", next(words)?);
        return Some(allowed.contains(&with));
    }
    Some(allowed.iter().any(|licence| licence == id))
}

fn next<'a>(words: &mut &[&'a str]) -> Option<&'a str> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    Some(first)
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for (expression, met) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT AND ISC", true),
            ("GPL-3.0-only OR MIT AND ISC", true),
            ("(GPL-3.0-only OR MIT) AND Unknown", false),
            ("(GPL-3.0-only OR MIT) AND ISC", true),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("", false),
            ("MIT OR", false),
            ("(MIT", false),
            ("MIT)", false),
            ("MIT ISC", false),
        ] {
            assert_eq!(is_met(expression, &allowed), met, "{expression:?}");
        }
    }
}
