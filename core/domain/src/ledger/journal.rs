//! The journal's head: one hash chain a bucket, without gaps (spec/money.md 5.3).

use serde::{Deserialize, Serialize};
use souk_crypto::hash::digest;

use crate::id::Bucket;
use crate::time::Time;

use super::transfer::Transfer;

/// Tag of the hash chain, of its start and of each step.
const JOURNAL_TAG: &str = "souk/journal/v1/";

/// Where a bucket's journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JournalHead {
    /// Whose journal.
    pub bucket: Bucket,
    /// Sequence number of the last transfer, 0 for none.
    pub seq: u64,
    /// `h(seq)`.
    #[serde(with = "super::bytes")]
    pub hash: [u8; 32],
    /// Time of the last transfer, 0 for none: the next one is not before it.
    pub last_at: Time,
}

impl JournalHead {
    /// The head of an empty journal: `h(0) = SHA-256("souk/journal/v1/" || bucket u16)`.
    pub fn empty(bucket: Bucket) -> JournalHead {
        let hash = digest(JOURNAL_TAG, &[&bucket.number().to_be_bytes()]);
        JournalHead { bucket, seq: 0, hash, last_at: Time::default() }
    }

    /// `h(n) = SHA-256("souk/journal/v1/" || h(n-1) || T(n))` for the transfer that comes next.
    pub(super) fn hash_with(&self, next: &Transfer) -> [u8; 32] {
        digest(JOURNAL_TAG, &[&self.hash, &next.canonical()])
    }

    /// Steps on to a transfer that has been checked.
    pub(super) fn advance(&mut self, to: &Transfer) {
        self.seq = to.seq;
        self.hash = to.hash;
        self.last_at = to.at;
    }
}
