//! The ledger: double entry in integer minor units, one journal a bucket.
//!
//! Not for: clocks, stores, rails; nothing here knows why money moves but [`postings`], which builds the chains of
//! spec/money.md 4.3. Rules: spec/money.md 5. Always: debits equal credits in every currency; a chain posts whole
//! or not at all; an account that must not go negative never does; nothing in a journal is changed or taken out.

mod account;
mod bytes;
mod chain;
mod error;
mod journal;
mod post;
pub mod postings;
mod rates;
#[cfg(test)]
mod tests;
mod transfer;
pub mod verify;

pub use account::{Account, AccountCode, AccountFlags, AccountRef, AccountType, PLATFORM, owner_named};
pub use chain::{CHAIN_LEGS_MAX, Chain, Leg, Posting};
pub use error::{LedgerError, LegFault};
pub use journal::JournalHead;
pub use post::{AccountBook, Origin, post};
pub use rates::{CapturedRates, LineFees};
pub use transfer::{CANONICAL_LEN, Transfer, TransferKind, transfer_id};
