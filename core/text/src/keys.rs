//! The two-set (Dubeolsik) keyboard: which keys type a word, and what a text typed with the wrong layout was meant
//! to be. Rule: spec/sync.md 9.4; layout: KS X 5002.

use crate::normalise::{compatible, is_compatibility_jamo};

/// Keys of the 19 leading consonants, in the order of Unicode.
const LEADS: [&str; 19] =
    ["r", "R", "s", "e", "E", "f", "a", "q", "Q", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g"];
/// Keys of the 21 vowels.
const VOWELS: [&str; 21] = [
    "k", "o", "i", "O", "j", "p", "u", "P", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl", "b", "m",
    "ml", "l",
];
/// Keys of the 27 finals; the first place is *none*.
const FINALS: [&str; 28] = [
    "", "r", "R", "rt", "s", "sw", "sg", "e", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a", "q", "qt",
    "t", "T", "d", "w", "c", "z", "x", "v", "g",
];
/// Keys of the compatibility consonants U+3131 to U+314E; the vowels behind them are in the order of [`VOWELS`].
const JAMO: [&str; 30] = [
    "r", "R", "rt", "s", "sw", "sg", "e", "E", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg", "a", "q", "Q",
    "qt", "t", "T", "d", "w", "W", "c", "z", "x", "v", "g",
];

const SYLLABLE_FIRST: u32 = 0xAC00;
const SYLLABLE_COUNT: u32 = 19 * 21 * 28;
const JAMO_FIRST: u32 = 0x3131;

/// The keys that type a normalised word: compound vowels and finals as two keys, shift as a capital; characters that
/// are neither Hangul nor jamo stand for themselves. 이어폰 = `dldjvhs`.
pub fn keys(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match hangul_keys(c) {
            Some(keys) => keys.iter().for_each(|key| out.push_str(key)),
            None => out.push(c),
        }
    }
    out
}

/// The other readings of a text that may have been typed with the wrong layout, the likelier first: Latin words as
/// Hangul where every key falls into a whole syllable, then Hangul and jamo as Latin.
pub fn slips(text: &str) -> Vec<String> {
    let text = compatible(text.trim());
    let to_hangul =
        each_run(&text, |c| c.is_ascii_alphabetic(), |run| compose(run).unwrap_or(run.to_owned()));
    let to_latin = each_run(&text, |c| hangul_keys(c).is_some(), keys);
    [to_hangul, to_latin].into_iter().filter(|reading| *reading != text).collect()
}

/// The text with each longest run of characters of one kind replaced.
fn each_run(text: &str, is_kind: impl Fn(char) -> bool, replaced: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (before, from) = rest.split_at(rest.find(&is_kind).unwrap_or(rest.len()));
        let (run, after) = from.split_at(from.find(|c| !is_kind(c)).unwrap_or(from.len()));
        out.push_str(before);
        out.push_str(&replaced(run));
        rest = after;
    }
    out
}

fn hangul_keys(c: char) -> Option<[&'static str; 3]> {
    let place = |keys: &[&'static str], at: u32| keys.get(at as usize).copied();
    let code = c as u32;
    if let Some(index) = code.checked_sub(SYLLABLE_FIRST).filter(|index| *index < SYLLABLE_COUNT) {
        let (lead, vowel, last) = (index / (21 * 28), index / 28 % 21, index % 28);
        return Some([place(&LEADS, lead)?, place(&VOWELS, vowel)?, place(&FINALS, last)?]);
    }
    if !is_compatibility_jamo(c) {
        return None;
    }
    let index = code - JAMO_FIRST;
    // Old letters (U+3164 and up) are on no key.
    let key = place(&JAMO, index).or_else(|| place(&VOWELS, index - JAMO.len() as u32))?;
    Some([key, "", ""])
}

/// The syllables that these keys type, or nothing if a key would be left alone. Shift matters on q w e r t o p only.
fn compose(keys: &str) -> Option<String> {
    let keys: Vec<char> = keys
        .chars()
        .map(|key| if "QWERTOP".contains(key) { key } else { key.to_ascii_lowercase() })
        .collect();
    let is_vowel = |at: usize| keys.get(at).is_some_and(|key| find(&VOWELS, &[*key]).is_some());
    let mut out = String::new();
    let mut at = 0;
    while at < keys.len() {
        let lead = find(&LEADS, &keys[at..=at])?;
        at += 1;
        // A vowel of two keys where there is one, and so with the final below.
        let (vowel, length) = longest(&VOWELS, &keys[at..], 2)?;
        at += length;
        let consonants = (at..keys.len()).take_while(|at| !is_vowel(*at)).count();
        // The last consonant before a vowel leads the next syllable.
        let own = if at + consonants < keys.len() { consonants.checked_sub(1)? } else { consonants };
        let last = match own {
            0 => 0,
            _ => {
                let (last, length) = longest(&FINALS, &keys[at..at + own], own)?;
                (length == own).then_some(last)?
            }
        };
        at += own;
        out.push(char::from_u32(SYLLABLE_FIRST + (lead * 21 + vowel) * 28 + last)?);
    }
    Some(out)
}

/// The place of the longest entry that the keys begin with, of at most `max` keys, and its length.
fn longest(table: &[&str], keys: &[char], max: usize) -> Option<(u32, usize)> {
    (1..=max.min(2).min(keys.len())).rev().find_map(|length| Some((find(table, &keys[..length])?, length)))
}

fn find(table: &[&str], keys: &[char]) -> Option<u32> {
    table.iter().position(|entry| entry.chars().eq(keys.iter().copied())).map(|at| at as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_words() {
        for (word, expect) in [
            ("이어폰", "dldjvhs"),
            ("사과", "tkrhk"),
            ("갤럭시", "roffjrtl"),
            ("깎", "RkR"),
            ("값", "rkqt"),
            ("의", "dml"),
            ("예", "dP"),
            ("이어ㅍ", "dldjv"),
            ("ㅑㅔㅗㅐㅜㄷ", "iphone"),
            ("ㄳㅘㅎㅣ", "rthkgl"),
            ("usb", "usb"),
            ("蓝5", "蓝5"),
            ("\u{3164}\u{318E}", "\u{3164}\u{318E}"), // filler and an old letter
        ] {
            assert_eq!(keys(word), expect, "{word}");
        }
    }

    #[test]
    fn slips_of_texts() {
        for (text, expect) in [
            ("dkssud", &["안녕"][..]),
            ("dldjvhs 5kg", &["이어폰 5kg"]),
            ("Dkssud", &["안녕"]), // a phone that begins with a capital
            ("rkqtdl", &["값이"]),
            ("Rkcl", &["까치"]),
            ("ＤＫ", &["아"]),
            ("iphone", &[]), // no whole syllables
            ("cafe", &[]),
            ("ㅑㅔㅗㅐㅜㄷ", &["iphone"]),
            ("ㅊㅁㄹㄷ 커피", &["cafe zjvl"]),
            ("dhㅋ", &["오ㅋ", "dhz"]),
            ("蓝牙 12", &[]),
            ("", &[]),
        ] {
            assert_eq!(slips(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_typed_is_what_was_meant(word in "[가-힣]{1,8}") {
            prop_assert_eq!(compose(&keys(&word)), Some(word.clone()));
        }

        #[test]
        fn anything_is_answered(text in ".{0,60}") {
            keys(&text);
            slips(&text);
        }
    }
}
