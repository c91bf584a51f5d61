#![doc = include_str!("../README.md")]

pub mod fts5;
mod keys;
mod normalise;
mod query;
mod tokens;

pub use keys::{keys, slips};
pub use normalise::normalise;
pub use query::{QUERY_CHARS_MAX, QUERY_WORDS_MAX, Query, TextError};
pub use tokens::{FIELD_CHARS_MAX, FIELD_TOKENS_MAX, index_tokens};
