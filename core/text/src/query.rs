//! A search text: parsed once, then matched against tokens, written for FTS5, and rechecked against a title.
//!
//! Rule: spec/sync.md 9.2. A query is an AND of words; a word is an OR of alternatives; an alternative an AND of
//! tokens. An empty alternative never matches.

use std::collections::BTreeSet;
use std::fmt;

use crate::fts5;
use crate::normalise::normalise;
use crate::tokens::{Class, is_indexed, runs, segments, singular};

/// Characters of a query after normalising; what a search field holds.
pub const QUERY_CHARS_MAX: usize = 64;
/// Words of a query.
pub const QUERY_WORDS_MAX: usize = 8;
/// Characters as typed that are looked at: a decomposed syllable has three, an accented letter up to three.
const RAW_CHARS_MAX: usize = 4 * QUERY_CHARS_MAX;
/// A C word may be read as two from this length on, each of at least half of it (spec/sync.md 9.4, step 2).
const SPLIT_CHARS_MIN: usize = 4;

/// Why a text is no query. Displays as its stable code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextError {
    /// Nothing to search for. `search.empty`
    Empty,
    /// Only unfinished syllables, which no index holds; suggestions may complete them. `search.unfinished`
    Unfinished,
    /// More than 64 characters. `search.too_long`
    TooLong,
    /// More than 8 words. `search.too_many_words`
    TooManyWords,
}

impl TextError {
    /// The stable code, `search.…`.
    pub fn code(self) -> &'static str {
        match self {
            TextError::Empty => "search.empty",
            TextError::Unfinished => "search.unfinished",
            TextError::TooLong => "search.too_long",
            TextError::TooManyWords => "search.too_many_words",
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for TextError {}

/// A parsed query; it has at least one word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    words: Vec<Word>,
}

/// One word that must be found.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Word {
    text: String,
    /// Hangul, Han or kana: found by bigrams, and so rechecked.
    is_cjk: bool,
    alternatives: Vec<Vec<String>>,
}

impl Query {
    /// Parses what a person typed. Unfinished syllables are dropped if there are other words.
    pub fn parse(text: &str) -> Result<Query, TextError> {
        if text.chars().nth(RAW_CHARS_MAX).is_some() {
            return Err(TextError::TooLong);
        }
        let text = normalise(text.trim());
        if text.chars().nth(QUERY_CHARS_MAX).is_some() {
            return Err(TextError::TooLong);
        }
        let runs = runs(&text);
        let words: Vec<Word> = runs
            .iter()
            .filter_map(|run| match run.class {
                Class::C => Some(Word::cjk(run.text)),
                Class::A => Some(Word::other(run.text)),
                Class::J => None,
            })
            .collect();
        match words.len() {
            0 if runs.is_empty() => Err(TextError::Empty),
            0 => Err(TextError::Unfinished),
            1..=QUERY_WORDS_MAX => Ok(Query { words }),
            _ => Err(TextError::TooManyWords),
        }
    }

    /// Words, each a list of alternatives, each a list of tokens: AND of OR of AND.
    pub fn groups(&self) -> impl Iterator<Item = &[Vec<String>]> {
        self.words.iter().map(|word| word.alternatives.as_slice())
    }

    /// Whether a document with these tokens is a candidate; what [`Query::to_fts5_match`] asks of SQLite.
    pub fn matches(&self, tokens: &BTreeSet<String>) -> bool {
        self.groups().all(|alternatives| {
            alternatives.iter().any(|all| !all.is_empty() && all.iter().all(|token| tokens.contains(token)))
        })
    }

    /// The expression for `MATCH`: every token quoted, so nothing typed is ever read as an operator.
    pub fn to_fts5_match(&self) -> String {
        let all =
            |tokens: &Vec<String>| tokens.iter().map(|t| fts5::quoted(t)).collect::<Vec<_>>().join(" AND ");
        let words = self.words.iter().map(|word| match word.alternatives.as_slice() {
            [only] => all(only),
            several => {
                let each = several.iter().map(|tokens| format!("({})", all(tokens)));
                format!("({})", each.collect::<Vec<_>>().join(" OR "))
            }
        });
        words.collect::<Vec<_>>().join(" AND ")
    }

    /// Whether candidates must be rechecked: bigrams alone may stand far from each other.
    pub fn needs_recheck(&self) -> bool {
        self.words.iter().any(|word| word.is_cjk)
    }

    /// Whether each C word really occurs in title and brand, blanks left out on both sides.
    pub fn recheck(&self, title_and_brand: &str) -> bool {
        if !self.needs_recheck() {
            return true;
        }
        let text: String = normalise(title_and_brand).chars().filter(|c| !c.is_whitespace()).collect();
        self.words.iter().filter(|word| word.is_cjk).all(|word| text.contains(&word.text))
    }

    /// The readings with one C word of four characters or more taken as two of at least two, from the left; tried
    /// when nothing was found as typed (spec/sync.md 9.4, step 2).
    pub fn splits(&self) -> impl Iterator<Item = Query> {
        self.words.iter().enumerate().filter(|(_, word)| word.is_cjk).flat_map(move |(at, word)| {
            let borders: Vec<usize> = word.text.char_indices().map(|(offset, _)| offset).collect();
            let half = SPLIT_CHARS_MIN / 2;
            (half..=borders.len().saturating_sub(half)).map(move |border| {
                let (left, right) = word.text.split_at(borders[border]);
                let mut words = self.words.clone();
                words.splice(at..=at, [Word::cjk(left), Word::cjk(right)]);
                Query { words }
            })
        })
    }
}

impl fmt::Display for Query {
    /// The words in their search form, to name a corrected reading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(&word.text)?;
        }
        Ok(())
    }
}

impl Word {
    /// One character: that; else its bigrams.
    fn cjk(text: &str) -> Word {
        let chars: Vec<char> = text.chars().collect();
        let tokens = match chars.len() {
            1 => vec![text.to_owned()],
            _ => chars.windows(2).map(String::from_iter).collect::<BTreeSet<_>>().into_iter().collect(),
        };
        Word { text: text.to_owned(), is_cjk: true, alternatives: vec![tokens] }
    }

    /// The word, or all its segments if the index holds every one of them.
    fn other(text: &str) -> Word {
        let mut alternatives = vec![vec![singular(text)]];
        let segments = segments(text);
        if segments.len() > 1 && segments.iter().all(|segment| is_indexed(segment, segments.len())) {
            alternatives.push(segments.into_iter().map(singular).collect());
        }
        Word { text: text.to_owned(), is_cjk: false, alternatives }
    }
}

#[cfg(test)]
mod tests;
