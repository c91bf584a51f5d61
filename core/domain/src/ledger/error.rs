//! Why a chain was refused. A refusal has changed no row.

use crate::money::MoneyError;

/// A refused chain; `code()` is the stable form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LedgerError {
    /// One leg breaks a rule.
    #[error("{} (leg {leg})", fault.code())]
    Leg {
        /// Which leg, counted from 0 among those that move money.
        leg: usize,
        /// What is wrong with it.
        fault: LegFault,
    },
    /// No leg moves money.
    #[error("ledger.chain_empty")]
    ChainEmpty,
    /// More than [`super::CHAIN_LEGS_MAX`] legs.
    #[error("ledger.chain_too_long")]
    ChainTooLong,
    /// The bucket's journal has used its last sequence number.
    #[error("ledger.overflow")]
    Sequence,
    /// The sums of a posting do not fit or mix currencies.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl LedgerError {
    /// The stable code: `ledger.reason`, or `money.reason` where an amount itself is wrong.
    pub fn code(self) -> &'static str {
        match self {
            LedgerError::Leg { fault, .. } => fault.code(),
            LedgerError::ChainEmpty => "ledger.chain_empty",
            LedgerError::ChainTooLong => "ledger.chain_too_long",
            LedgerError::Sequence => "ledger.overflow",
            LedgerError::Money(error) => error.code(),
        }
    }
}

/// What is wrong with a leg (codes of spec/money.md 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegFault {
    /// Debit and credit are one account.
    SameAccount,
    /// Not 1 .. 2^53 - 1.
    Amount,
    /// The account is closed.
    AccountClosed,
    /// The account is frozen and would be debited.
    AccountFrozen,
    /// Not the currency of the chain.
    Currency,
    /// Not the bucket of the chain: money crosses buckets through 1900 in two chains.
    Bucket,
    /// Debits would exceed credits on an account with flag D.
    ExceedsCredits,
    /// Credits would exceed debits on an account with flag C.
    ExceedsDebits,
    /// A counter would pass `i64`.
    Overflow,
}

impl LegFault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            LegFault::SameAccount => "ledger.same_account",
            LegFault::Amount => "ledger.amount",
            LegFault::AccountClosed => "ledger.account_closed",
            LegFault::AccountFrozen => "ledger.account_frozen",
            LegFault::Currency => "ledger.currency",
            LegFault::Bucket => "ledger.bucket",
            LegFault::ExceedsCredits => "ledger.exceeds_credits",
            LegFault::ExceedsDebits => "ledger.exceeds_debits",
            LegFault::Overflow => "ledger.overflow",
        }
    }
}
