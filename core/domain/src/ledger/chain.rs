//! Chains: the legs of one posting, which post all or not at all (spec/money.md 5.2).

use crate::id::{Bucket, DerivedId};
use crate::money::{Currency, MINOR_MAX, Money};

use super::account::AccountRef;
use super::error::{LedgerError, LegFault};

/// Legs of one chain at most (spec/money.md 5.2): the widest split of an order's release fits several times.
pub const CHAIN_LEGS_MAX: usize = 64;

/// Which row of spec/money.md 4.3 a chain is. Part of every transfer's id and of the journal: numbers never change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u16)]
pub enum Posting {
    /// P1: the rail has captured the order's sum.
    Captured = 1,
    /// P2: late, double, over, under or unknown money comes in or goes where it belongs.
    Unapplied = 2,
    /// P3: refund before shipping.
    RefundBeforeShipping = 3,
    /// P4: release to seller, courier, platform and tax.
    Released = 4,
    /// P5: refund from escrow.
    RefundFromEscrow = 5,
    /// P8: refund after release.
    RefundAfterRelease = 8,
    /// P9: released money becomes available, then nets what the seller owes.
    ReserveEnded = 9,
    /// P12: credit note without a matching capture.
    CreditNote = 12,
    /// The exit of P2, P3, P5, P8 and P12: the rail has paid a refund out.
    RefundPaid = 105,
}

impl Posting {
    /// All postings, ascending by number.
    pub const ALL: [Posting; 9] = [
        Posting::Captured,
        Posting::Unapplied,
        Posting::RefundBeforeShipping,
        Posting::Released,
        Posting::RefundFromEscrow,
        Posting::RefundAfterRelease,
        Posting::ReserveEnded,
        Posting::CreditNote,
        Posting::RefundPaid,
    ];

    /// The number in the journal.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The posting of a number in the journal.
    pub fn from_number(number: u16) -> Option<Posting> {
        Posting::ALL.into_iter().find(|posting| posting.number() == number)
    }
}

/// One movement: `amount` from `debit` to `credit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leg {
    /// The account that is debited: where the money comes from.
    pub debit: AccountRef,
    /// The account that is credited: where it goes.
    pub credit: AccountRef,
    /// How much.
    pub amount: Money,
}

impl Leg {
    /// A movement of `amount` from `debit` to `credit`.
    pub const fn post(debit: AccountRef, credit: AccountRef, amount: Money) -> Leg {
        Leg { debit, credit, amount }
    }
}

/// The checked legs of one posting: 1..=64, one bucket, one currency, each amount 1 .. 2^53 - 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    posting: Posting,
    index_first: u16,
    legs: Vec<Leg>,
}

impl Chain {
    /// Links the legs that move money; legs of zero are left out.
    ///
    /// Refuses: `ledger.chain_empty`, `ledger.chain_too_long`, and for a leg (counted without those of zero)
    /// `ledger.amount`, `ledger.currency`, `ledger.bucket`, `ledger.same_account`.
    pub fn linked(posting: Posting, legs: impl IntoIterator<Item = Leg>) -> Result<Chain, LedgerError> {
        let mut kept: Vec<Leg> = Vec::new();
        for leg in legs.into_iter().filter(|leg| !leg.amount.is_zero()) {
            if kept.len() == CHAIN_LEGS_MAX {
                return Err(LedgerError::ChainTooLong);
            }
            let first = *kept.first().unwrap_or(&leg);
            check_leg(&leg, &first).map_err(|fault| LedgerError::Leg { leg: kept.len(), fault })?;
            kept.push(leg);
        }
        if kept.is_empty() {
            return Err(LedgerError::ChainEmpty);
        }
        Ok(Chain { posting, index_first: 0, legs: kept })
    }

    /// Numbers its transfers from `index` on instead of 0: for the second and later chain of the same posting
    /// in one decision, whose transfer ids would be those of the first one.
    pub fn indexed_from(self, index: u16) -> Chain {
        Chain { index_first: index, ..self }
    }

    /// Which posting it is.
    pub fn posting(&self) -> Posting {
        self.posting
    }

    /// The legs, in the order in which they post.
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// The index of the first leg in the ids of its transfers.
    pub fn index_first(&self) -> u16 {
        self.index_first
    }

    /// The bucket of all its accounts.
    pub fn bucket(&self) -> Bucket {
        // A chain has a leg.
        self.legs[0].debit.bucket
    }

    /// The currency of all its legs.
    pub fn currency(&self) -> Currency {
        self.legs[0].amount.currency
    }

    /// The ids of the rows that posting it needs, each once, ascending.
    pub fn account_ids(&self) -> Vec<DerivedId> {
        let mut ids: Vec<DerivedId> =
            self.legs.iter().flat_map(|leg| [leg.debit.id(), leg.credit.id()]).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn check_leg(leg: &Leg, first: &Leg) -> Result<(), LegFault> {
    if leg.amount.minor < 1 || leg.amount.minor > MINOR_MAX {
        return Err(LegFault::Amount);
    }
    let currency = first.amount.currency;
    if [leg.amount.currency, leg.debit.currency, leg.credit.currency].iter().any(|other| *other != currency) {
        return Err(LegFault::Currency);
    }
    if leg.debit.bucket != first.debit.bucket || leg.credit.bucket != first.debit.bucket {
        return Err(LegFault::Bucket);
    }
    if leg.debit == leg.credit {
        return Err(LegFault::SameAccount);
    }
    Ok(())
}
