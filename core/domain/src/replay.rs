//! Historic acts: sales of the past booked as ledger facts, for `souk replay` (spec/money.md 10.1).
//!
//! Not for: live trade. They post the same chains as the live rules and are decided by the same engine, but they
//! take their times from the data and need no stock, parcel or rail.

use serde::{Deserialize, Serialize};

use crate::id::Bucket;
use crate::money::Money;
use crate::time::Time;

/// One act of a historic data set, in its seller's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HistoricAct {
    /// The seller's bucket.
    pub bucket: Bucket,
    /// The seller: owner of the seller's accounts.
    #[serde(with = "crate::bytes")]
    pub seller: [u8; 16],
    /// The order or refund: owner of its account.
    #[serde(with = "crate::bytes")]
    pub subject: [u8; 16],
    /// When it happened.
    pub at: Time,
    /// What.
    pub what: HistoricFact,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum HistoricFact {
    /// An order was paid in full (P1); zero amounts post nothing.
    Captured {
        /// The sum.
        amount: Money,
    },
    /// An order was released (P4) with these sums over its lines.
    Released {
        /// Share of the seller.
        seller: Money,
        /// Commission.
        commission: Money,
        /// Tax on the commission.
        tax: Money,
    },
    /// Money went back from escrow and left (P5).
    RefundedFromEscrow {
        /// The order whose escrow it comes from.
        #[serde(with = "crate::bytes")]
        order: [u8; 16],
        /// The sum.
        amount: Money,
    },
    /// Money went back after release and left (P8).
    RefundedAfterRelease {
        /// From the seller.
        net: Money,
        /// Commission reversed.
        commission: Money,
        /// Tax reversed.
        tax: Money,
    },
    /// A credit note without a matching sale (P12).
    CreditNote {
        /// The sum.
        amount: Money,
    },
    /// The reserve ended (P9), then netting.
    Available {
        /// The seller's net share.
        amount: Money,
    },
    /// A line that is not trade: refused, and the refusal is stored.
    Adjustment,
}

impl HistoricAct {
    /// The bucket that it is decided in.
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }
}

/// Books a historic act. Refuses: `replay.adjustment`.
pub(crate) fn book(
    _intent: &crate::intent::Intent,
    _act: &HistoricAct,
    _ctx: &crate::context::Context,
    _rows: &mut crate::rows::Rows,
) -> Result<crate::outcome::Facts, crate::rows::Stop> {
    Err(crate::outcome::Refusal::new("replay.adjustment").into())
}
