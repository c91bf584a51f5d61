//! Runs of a normalised text and the tokens that stand in the index: the table of spec/sync.md 9.2.

use std::collections::BTreeSet;

use unicode_normalization::char::is_combining_mark;

use crate::normalise::{is_compatibility_jamo, normalise};

/// Normalised characters of one field that are indexed; a longer title says nothing more.
pub const FIELD_CHARS_MAX: usize = 256;
/// Distinct tokens of one field that are indexed, in reading order; bounds the index per product.
pub const FIELD_TOKENS_MAX: usize = 128;

/// The distinct tokens of a product's fields (title, brand, category names), in order of first appearance.
pub fn index_tokens(fields: &[&str]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let tokens = fields.iter().flat_map(|field| field_tokens(field));
    tokens.filter(|token| seen.insert(token.clone())).collect()
}

fn field_tokens(field: &str) -> Vec<String> {
    let text: String = normalise(field).chars().take(FIELD_CHARS_MAX).collect();
    let mut sink = Sink::default();
    let mut chain: Vec<&str> = Vec::new(); // A words joined by one mark: USB-C
    let mut before: Option<&Run<'_>> = None;
    let runs = runs(&text);
    for run in &runs {
        if run.class != Class::A || run.gap != Gap::Joint {
            sink.joined(&mut chain);
        }
        match run.class {
            Class::C => {
                let gap_from = before.filter(|b| b.class == Class::C && run.gap == Gap::Blanks);
                sink.cjk(run.text, gap_from.and_then(|b| b.text.chars().next_back()));
            }
            Class::A => {
                chain.push(run.text);
                sink.word(run.text);
            }
            Class::J => {}
        }
        before = Some(run);
    }
    sink.joined(&mut chain);
    sink.tokens
}

/// Collects distinct tokens up to the limit of a field.
#[derive(Default)]
struct Sink {
    tokens: Vec<String>,
    seen: BTreeSet<String>,
}

impl Sink {
    fn push(&mut self, token: String) {
        if self.tokens.len() < FIELD_TOKENS_MAX && self.seen.insert(token.clone()) {
            self.tokens.push(token);
        }
    }

    /// Every character and every bigram, with `gap_from` the last character of the run before a gap of blanks.
    fn cjk(&mut self, run: &str, gap_from: Option<char>) {
        let mut before = gap_from;
        for c in run.chars() {
            if let Some(before) = before {
                self.push(String::from_iter([before, c]));
            }
            self.push(c.to_string());
            before = Some(c);
        }
    }

    /// The word and those of its segments that are indexed.
    fn word(&mut self, word: &str) {
        self.push(singular(word));
        let segments = segments(word);
        for segment in &segments {
            if is_indexed(segment, segments.len()) {
                self.push(singular(segment));
            }
        }
    }

    /// The parts of a chain as one word, and the chain is empty again.
    fn joined(&mut self, chain: &mut Vec<&str>) {
        if chain.len() > 1 {
            self.push(singular(&chain.concat()));
        }
        chain.clear();
    }
}

/// What a run is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Hangul syllables, Han, kana, 々, ー: written without reliable blanks.
    C,
    /// Compatibility jamo: unfinished syllables.
    J,
    /// All other letters and digits.
    A,
}

/// What stands between a run and the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    /// Nothing, or it is the first run.
    None,
    /// White space alone.
    Blanks,
    /// Exactly one of `- _ / . '` between two A words.
    Joint,
    /// Anything else.
    Other,
}

/// A longest stretch of one class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) class: Class,
    pub(crate) text: &'a str,
    pub(crate) gap: Gap,
}

/// Cuts a normalised text into runs.
pub(crate) fn runs(text: &str) -> Vec<Run<'_>> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let end_of = |at: usize| chars.get(at).map_or(text.len(), |(offset, _)| *offset);
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut gap_start = 0;
    let mut at = 0;
    while at < chars.len() {
        let Some(class) = class_at(&chars, at, None) else {
            at += 1;
            continue;
        };
        let start = at;
        while at < chars.len() && class_at(&chars, at, Some(class)) == Some(class) {
            at += 1;
        }
        let gap = match runs.last() {
            None => Gap::None,
            Some(before) => gap(&text[gap_start..end_of(start)], before.class, class),
        };
        runs.push(Run { class, text: &text[end_of(start)..end_of(at)], gap });
        gap_start = end_of(at);
    }
    runs
}

fn gap(between: &str, before: Class, after: Class) -> Gap {
    let mut chars = between.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Gap::None,
        (Some(mark), None) if is_joint(mark) && before == Class::A && after == Class::A => Gap::Joint,
        _ if between.chars().all(char::is_whitespace) => Gap::Blanks,
        _ => Gap::Other,
    }
}

/// `- _ / . '` and the typographic forms of the first and the last.
fn is_joint(c: char) -> bool {
    matches!(c, '-' | '_' | '/' | '.' | '\'' | '\u{2010}' | '\u{2019}')
}

/// The class of a character; `inside` is that of the run before it, if it touches one.
fn class_at(chars: &[(usize, char)], at: usize, inside: Option<Class>) -> Option<Class> {
    let c = chars[at].1;
    let is_digit = |at: usize| chars.get(at).is_some_and(|(_, c)| c.is_numeric());
    // The sign of a vowel or tone belongs to its letter, the point of 3.5 to its number.
    let belongs = || is_combining_mark(c) || c == '.' && is_digit(at - 1) && is_digit(at + 1);
    if is_compatibility_jamo(c) {
        Some(Class::J)
    } else if is_cjk(c) {
        Some(Class::C)
    } else if c.is_alphanumeric() || inside == Some(Class::A) && belongs() {
        Some(Class::A)
    } else {
        None
    }
}

/// Hangul syllables, Han, kana (as katakana), 々, 〆, 〇, ー.
fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{AC00}'..='\u{D7A3}'
        | '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}'
        | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}'
        | '\u{1AFF0}'..='\u{1B16F}')
}

/// The letter and digit segments of an A word: `wh1000xm5` = wh, 1000, xm, 5.
pub(crate) fn segments(word: &str) -> Vec<&str> {
    let is_digit = |c: char| c.is_numeric() || c == '.';
    let mut segments = Vec::new();
    let mut start = 0;
    let mut before: Option<bool> = None;
    for (at, c) in word.char_indices() {
        if is_combining_mark(c) {
            continue; // stays with its letter
        }
        if before.is_some_and(|before| before != is_digit(c)) {
            segments.push(&word[start..at]);
            start = at;
        }
        before = Some(is_digit(c));
    }
    segments.push(&word[start..]);
    segments
}

/// Whether a segment of a word with `count` of them is a token: single characters say something in pairs alone (s24).
pub(crate) fn is_indexed(segment: &str, count: usize) -> bool {
    count == 2 || segment.chars().nth(1).is_some()
}

/// The crude singular of an ASCII word of four letters or more; index and query use the same.
pub(crate) fn singular(word: &str) -> String {
    if word.len() < 4 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    let loses_es = ["sses", "xes", "ches", "shes"].iter().any(|end| word.ends_with(end));
    let loses_s = word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let keep = word.len() - if loses_es { 2 } else { usize::from(loses_s) };
    word[..keep].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[&str], expect: &str) {
        assert_eq!(index_tokens(fields).join(" "), expect, "{fields:?}");
    }

    #[test]
    fn index() {
        check(&["노이즈 캔슬링"], "노 노이 이 이즈 즈 즈캔 캔 캔슬 슬 슬링 링");
        check(&["노이즈, 캔슬링"], "노 노이 이 이즈 즈 캔 캔슬 슬 슬링 링");
        check(&["お茶　静"], "オ オ茶 茶 茶静 静");
        check(&["데이터ー々"], "데 데이 이 이터 터 터ー ー ー々 々");
        check(&["WH-1000XM5"], "wh 1000xm5 1000 xm wh1000xm5");
        check(&["USB-C 3.5mm"], "usb c usbc 3.5mm 3.5 mm");
        check(&["S24 2L"], "s24 s 24 2l 2 l");
        check(&["a1b2"], "a1b2");
        check(&["갤럭시s24ㅋ갤"], "갤 갤럭 럭 럭시 시 s24 s 24");
        check(&["Levi's Levi’s t-shirts"], "levi s levis t shirt tshirt");
        check(&["a--b a- b"], "a b");
        check(&["v1.2. 1."], "v1.2 v 1.2 1");
        check(&["12,900원"], "12900 원");
        check(&["ㅋㅋ !? ・"], "");
        check(&["삼성", "삼성 TV"], "삼 삼성 성 tv");
        check(&["ก่อน"], "ก่อน"); // a Thai tone mark does not cut the word
        check(&[], "");
    }

    #[test]
    fn plurals() {
        for (word, expect) in [
            ("headphones", "headphone"),
            ("batteries", "battery"),
            ("glasses", "glass"),
            ("boxes", "box"),
            ("watches", "watch"),
            ("brushes", "brush"),
            ("shoes", "shoe"),
            ("wireless", "wireless"),
            ("lotus", "lotus"),
            ("tennis", "tennis"),
            ("gas", "gas"),
            ("ties", "ty"),
            ("a9ss", "a9ss"),
            ("мыс", "мыс"),
        ] {
            assert_eq!(singular(word), expect);
        }
    }

    #[test]
    fn field_limits() {
        let letter = |i: usize| char::from_u32(0xAC00 + i as u32).unwrap();
        let words = |n: usize| (0..n).map(|i| format!("{},", letter(i))).collect::<String>();
        assert_eq!(index_tokens(&[&words(FIELD_TOKENS_MAX)]).len(), 128);
        assert_eq!(index_tokens(&[&words(FIELD_TOKENS_MAX + 1)]).len(), 128); // cut by 256 characters too
        let dense: String = (0..100).map(letter).collect(); // 199 tokens in 100 characters
        assert_eq!(index_tokens(&[&dense]).len(), FIELD_TOKENS_MAX);
        assert_eq!(index_tokens(&[&dense, "x"]).len(), FIELD_TOKENS_MAX + 1); // the limit is one of a field

        let at = |n: usize| format!("{}x", " ".repeat(n));
        assert_eq!(index_tokens(&[&at(FIELD_CHARS_MAX - 1)]), ["x"]);
        assert!(index_tokens(&[&at(FIELD_CHARS_MAX)]).is_empty());
    }
}
