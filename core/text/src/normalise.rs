//! The form in which two spellings of one text are equal: steps N1-N6 of spec/sync.md 9.2, in that order.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Brings a text into its search form; lower case, composed, without Latin, Greek and Cyrillic accents.
pub fn normalise(text: &str) -> String {
    let marks_dropped = text.chars().filter(|c| !matches!(c, '™' | '®' | '©' | '℠')).collect::<String>(); // N1
    let compatible = compatible(&marks_dropped); // N2
    let lower = compatible.chars().flat_map(char::to_lowercase).collect::<String>(); // N3
    let katakana = without_accents(&lower).chars().map(katakana).collect::<String>(); // N4, N5
    without_group_commas(&katakana) // N6
}

/// N2: NFKC for all but compatibility jamo, which NFKC would turn into conjoining ones and so glue to a syllable.
pub(crate) fn compatible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let jamo_at = rest.find(is_compatibility_jamo).unwrap_or(rest.len());
        let (before, from_jamo) = rest.split_at(jamo_at);
        out.extend(before.nfkc());
        let jamo_end = from_jamo.find(|c| !is_compatibility_jamo(c)).unwrap_or(from_jamo.len());
        let (jamo, after) = from_jamo.split_at(jamo_end);
        out.push_str(jamo);
        rest = after;
    }
    out
}

/// ㄱ to ㆎ: what a Korean keyboard gives while a syllable is unfinished.
pub(crate) fn is_compatibility_jamo(c: char) -> bool {
    matches!(c, '\u{3131}'..='\u{318E}')
}

/// N4: café = cafe, but が stays が and 한 stays 한.
fn without_accents(text: &str) -> String {
    let mut after_alphabet = false;
    text.nfd()
        .filter(|c| {
            if !is_combining_mark(*c) {
                after_alphabet = is_latin_greek_cyrillic(*c);
            }
            !(after_alphabet && matches!(c, '\u{0300}'..='\u{036F}'))
        })
        .nfc()
        .collect()
}

/// Letters that an accent may leave without becoming another word for a searching person.
fn is_latin_greek_cyrillic(c: char) -> bool {
    matches!(c,
        'a'..='z' | 'A'..='Z'
        | '\u{00AA}' | '\u{00BA}' | '\u{00C0}'..='\u{00D6}' | '\u{00D8}'..='\u{00F6}' | '\u{00F8}'..='\u{02AF}'
        | '\u{1D00}'..='\u{1D7F}' | '\u{1E00}'..='\u{1EFF}' | '\u{2C60}'..='\u{2C7F}' | '\u{A720}'..='\u{A7FF}'
        | '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}'
        | '\u{0400}'..='\u{052F}' | '\u{1C80}'..='\u{1C8F}' | '\u{A640}'..='\u{A69F}')
}

/// N5: hiragana are read as katakana, 0x60 further on, iteration marks too.
fn katakana(c: char) -> char {
    match c {
        '\u{3041}'..='\u{3096}' | '\u{309D}' | '\u{309E}' => char::from_u32(c as u32 + 0x60).unwrap_or(c),
        _ => c,
    }
}

/// N6: 12,900 = 12900. A comma goes if a digit stands before it and exactly three behind it.
fn without_group_commas(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(|c| c.is_numeric());
    let groups =
        |at: usize| at > 0 && is_digit(at - 1) && (1..=3).all(|i| is_digit(at + i)) && !is_digit(at + 4);
    chars.iter().enumerate().filter(|(at, c)| **c != ',' || !groups(*at)).map(|(_, c)| *c).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps() {
        for (text, expect) in [
            ("Café™ CRÈME® ©2024℠", "cafe creme 2024"),
            ("ｉＰｈｏｎｅ　１５", "iphone 15"),
            ("ｲﾔﾎﾝ", "イヤホン"),
            ("いやほん がぎ ゔ ゝゞ", "イヤホン ガギ ヴ ヽヾ"),
            ("이어ㅍ", "이어ㅍ"),
            ("ㅎㅏㄴ", "ㅎㅏㄴ"),
            ("\u{1112}\u{1161}\u{11AB}글", "한글"), // decomposed, as some file systems write it
            ("㎏ ㎜ ﬁ ①", "kg mm fi 1"),
            ("İstanbul ÅNGSTRÖM Ёлка Ὀδυσσεύς", "istanbul angstrom елка οδυσσευς"),
            ("12,900 1,234,567 1,23 1,2345 a,123", "12900 1234567 1,23 1,2345 a,123"),
            ("１，０００", "1000"),
            ("3.5mm", "3.5mm"),
            ("か\u{3099}", "ガ"),
            ("", ""),
        ] {
            assert_eq!(normalise(text), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".{0,80}") {
            normalise(&text);
        }

        #[test]
        fn twice_is_once(text in "[ -~가-힣ㄱ-ㅎぁ-んァ-ヶ一-龥À-ỹΑ-ωА-яｦ-ﾟ！-～]{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
