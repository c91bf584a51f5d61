//! Transfers: the rows of the journal, their ids and their canonical bytes (spec/money.md 5.2, 5.3).

use souk_crypto::hash::digest;

use crate::id::{Bucket, DerivedId};
use crate::money::Currency;
use crate::time::Time;

use super::chain::Posting;

/// Bytes of the canonical form (spec/money.md 5.3).
pub const CANONICAL_LEN: usize = 144;

/// Version byte of the canonical form.
const CANONICAL_VERSION: u8 = 1;

/// What a transfer does to the counters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum TransferKind {
    /// Moves money at once.
    Post = 1,
    /// Reserves money until a deadline.
    Pending = 2,
    /// Moves what was reserved, or less.
    PostPending = 3,
    /// Gives back what was reserved.
    VoidPending = 4,
}

impl TransferKind {
    /// The number in the journal.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a number in the journal.
    pub fn from_number(number: u8) -> Option<TransferKind> {
        [TransferKind::Post, TransferKind::Pending, TransferKind::PostPending, TransferKind::VoidPending]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// One row of a bucket's journal. Never changed, never deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// The bucket whose journal it stands in.
    pub bucket: Bucket,
    /// Its place there, from 1, without gaps.
    pub seq: u64,
    /// Derived from intent, posting and index ([`transfer_id`]).
    pub transfer_id: DerivedId,
    /// What it does to the counters.
    pub kind: TransferKind,
    /// Currency of both accounts.
    pub currency: Currency,
    /// Which posting it belongs to.
    pub posting: Posting,
    /// [`Transfer::LINKED`] or 0.
    pub flags: u16,
    /// The account that is debited.
    pub debit: DerivedId,
    /// The account that is credited.
    pub credit: DerivedId,
    /// Minor units, 1 .. 2^53 - 1.
    pub amount: i64,
    /// The reservation that it posts or voids.
    pub pending_id: Option<DerivedId>,
    /// The intent that caused it.
    pub intent_id: [u8; 16],
    /// What it is about: order, case, payout; zeros for nothing.
    pub ref_id: [u8; 16],
    /// Until when a reservation holds.
    pub deadline: Option<Time>,
    /// When it was posted; never goes back inside a bucket.
    pub at: Time,
    /// Balance of the debited account behind it, minor units, on the side on which that account grows.
    pub debit_balance_after: i64,
    /// Balance of the credited account behind it, as above.
    pub credit_balance_after: i64,
    /// Head of the bucket's hash chain behind it.
    pub hash: [u8; 32],
}

impl Transfer {
    /// Flag: the next transfer of the journal belongs to the same chain.
    pub const LINKED: u16 = 1;

    /// The 144 bytes that the journal's hash chain runs over. Balances are not in it: they follow from the rest.
    pub fn canonical(&self) -> [u8; CANONICAL_LEN] {
        let mut bytes = [0; CANONICAL_LEN];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &[CANONICAL_VERSION, self.kind.number()]);
        put(2, &self.currency.numeric().to_be_bytes());
        put(4, &self.posting.number().to_be_bytes());
        put(6, &self.flags.to_be_bytes());
        put(8, &self.seq.to_be_bytes());
        put(16, &self.at.micros().to_be_bytes());
        put(24, self.transfer_id.bytes());
        put(40, self.debit.bytes());
        put(56, self.credit.bytes());
        put(72, &self.amount.to_be_bytes());
        put(80, self.pending_id.as_ref().map_or(&[0; 16], |id| id.bytes()));
        put(96, &self.intent_id);
        put(112, &self.ref_id);
        put(128, &self.deadline.map_or(0, Time::micros).to_be_bytes());
        put(136, &self.bucket.number().to_be_bytes());
        bytes
    }
}

/// The id of a transfer: bucket, then the first 14 bytes of
/// `SHA-256("souk/transfer/v1/" || intent_id || posting u16 || index u16)`: one decision, one set of ids.
pub fn transfer_id(bucket: Bucket, intent_id: &[u8; 16], posting: Posting, index: u16) -> DerivedId {
    let hash =
        digest("souk/transfer/v1/", &[intent_id, &posting.number().to_be_bytes(), &index.to_be_bytes()]);
    DerivedId::derived(bucket, &hash)
}
