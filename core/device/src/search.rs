//! Catalogue search without a network, over FTS5 in `cache.db`.
//!
//! Tokens and queries come from `souk_text`, so a phone finds what the server finds; SQLite only stores and joins
//! lists of row ids. A rid is a product's place in the order of popularity, so reading in rid order and stopping early
//! is the ranking; nothing here sorts or scores (`ORDER BY bm25` costs 100-280 ms at a million products).
//! Rules: spec/sync.md 9.1-9.4 (steps 1 to 3 of the ladder; those behind need the lexicon). No query a person can type is an SQL error.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result};
use souk_text::{Query, TextError};

mod index;

pub use index::{CREATE, TODO_SLICE_ROWS, create, delete, fold_todo, mark_todo, put};

/// Candidates that one call reads at most; bounds the time of a query whose candidates nearly all fail the recheck
/// (about 10 us a title).
pub const CANDIDATES_MAX: usize = 10_000;

/// Row id of a product in `cache.db`: its place in the order of popularity, spaced by 16 (spec/sync.md 9.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rid(pub i64);

impl ToSql for Rid {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Rid {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Rid> {
        i64::column_result(value).map(Rid)
    }
}

/// Which hits are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Only those behind this one; `None` begins.
    pub after: Option<Rid>,
    /// At most so many; 0 asks for nothing and answers nothing.
    pub limit: usize,
}

/// Hits in order of popularity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hits {
    /// At most `limit`.
    pub rids: Vec<Rid>,
    /// Where to go on; `None` when all candidates were read. A page may be short and still have a next one.
    pub next: Option<Rid>,
}

/// What a search with corrections found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The hits of the reading that found any, or none.
    pub hits: Hits,
    /// The reading that found them, if it is not the one that was typed. It must be shown ("results for …"); further
    /// pages are asked of it with [`search`].
    pub corrected: Option<Query>,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The text is no query: `search.empty`, `search.unfinished`, `search.too_long`, `search.too_many_words`.
    #[error(transparent)]
    Text(#[from] TextError),
    /// `cache.db` cannot be read.
    #[error("the catalogue cannot be read")]
    Store(#[from] rusqlite::Error),
}

const CANDIDATES: &str = "SELECT rowid FROM fts WHERE fts MATCH ?1 AND rowid > ?2 ORDER BY rowid";

/// The products that a query finds, best first.
///
/// `title_and_brand` gives the text that C words must occur in; it is asked only where bigrams alone could deceive.
/// `None` leaves a product out (gone, or not of the wanted category).
pub fn search(
    conn: &Connection,
    query: &Query,
    page: Page,
    mut title_and_brand: impl FnMut(Rid) -> Result<Option<String>>,
) -> Result<Hits> {
    let mut statement = conn.prepare_cached(CANDIDATES)?;
    let after = page.after.map_or(i64::MIN, |rid| rid.0);
    let mut candidates = statement.query((query.to_fts5_match(), after))?;
    let mut hits = Hits { rids: Vec::new(), next: page.after };
    for _ in 0..CANDIDATES_MAX {
        if hits.rids.len() >= page.limit {
            return Ok(hits);
        }
        let Some(row) = candidates.next()? else {
            return Ok(Hits { next: None, ..hits });
        };
        let rid: Rid = row.get(0)?;
        hits.next = Some(rid);
        if title_and_brand(rid)?.is_some_and(|text| query.recheck(&text)) {
            hits.rids.push(rid);
        }
    }
    Ok(hits)
}

/// Searches what a person typed; while nothing is found, with one C word of four characters or more read as two, then
/// as typed with the wrong keyboard layout.
pub fn search_text(
    conn: &Connection,
    text: &str,
    limit: usize,
    mut title_and_brand: impl FnMut(Rid) -> Result<Option<String>>,
) -> std::result::Result<Answer, SearchError> {
    let page = Page { after: None, limit };
    let typed = match Query::parse(text) {
        Ok(query) => Some(query),
        Err(TextError::Unfinished) => None, // ㅑㅔㅗㅐㅜㄷ is iphone
        Err(error) => return Err(error.into()),
    };
    if let Some(query) = &typed {
        let hits = search(conn, query, page, &mut title_and_brand)?;
        if !hits.rids.is_empty() || hits.next.is_some() {
            return Ok(Answer { hits, corrected: None });
        }
    }
    let splits = typed.iter().flat_map(Query::splits);
    let slips = souk_text::slips(text).into_iter().filter_map(|reading| Query::parse(&reading).ok());
    for reading in splits.chain(slips) {
        let hits = search(conn, &reading, page, &mut title_and_brand)?;
        if !hits.rids.is_empty() {
            return Ok(Answer { hits, corrected: Some(reading) });
        }
    }
    match typed {
        Some(_) => Ok(Answer { hits: Hits { rids: Vec::new(), next: None }, corrected: None }),
        None => Err(TextError::Unfinished.into()),
    }
}

#[cfg(test)]
mod tests;
