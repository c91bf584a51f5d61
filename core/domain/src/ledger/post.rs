//! Posting a chain: the one place where balances change (spec/money.md 5.2).
//!
//! Always: every leg is checked and applied to copies first; rows and head are written only when all have passed,
//! so that a refusal changes nothing. Chains post one after the other: results do not depend on batches.

use std::collections::BTreeMap;

use crate::id::DerivedId;
use crate::money::Money;
use crate::time::Time;

use super::account::{Account, AccountFlags, AccountRef};
use super::chain::{Chain, Leg};
use super::error::{LedgerError, LegFault};
use super::journal::JournalHead;
use super::transfer::{Transfer, TransferKind, transfer_id};

/// The accounts that a chain is posted on: the working set of a decision, or a plain map.
///
/// All rows of [`Chain::account_ids`] that exist must be there: an account that is not there is opened empty.
pub trait AccountBook {
    /// The row, if the account exists.
    fn get(&self, id: &DerivedId) -> Option<Account>;
    /// Writes a row, new or changed.
    fn put(&mut self, account: Account);
}

impl AccountBook for BTreeMap<DerivedId, Account> {
    fn get(&self, id: &DerivedId) -> Option<Account> {
        BTreeMap::get(self, id).copied()
    }

    fn put(&mut self, account: Account) {
        self.insert(account.id, account);
    }
}

/// Why and when a chain is posted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The intent that is being decided.
    pub intent_id: [u8; 16],
    /// What the money is about: order, case, payout; zeros for nothing.
    pub ref_id: [u8; 16],
    /// Time of the decision. A time before the journal's last transfer counts as that one's: the journal's time
    /// stands still when a clock is set back, it does not go back.
    pub at: Time,
}

/// Posts a chain on the accounts of its bucket: all legs or none. Opens accounts on first use.
///
/// Gives the journal's new rows, one a leg, and moves `head` behind them. Refuses, with the leg:
/// `ledger.account_closed`, `.account_frozen`, `.exceeds_credits`, `.exceeds_debits`, `.overflow`, and
/// `.bucket` when `head` is another bucket's.
pub fn post(
    chain: &Chain,
    origin: &Origin,
    head: &mut JournalHead,
    book: &mut dyn AccountBook,
) -> Result<Vec<Transfer>, LedgerError> {
    if chain.bucket() != head.bucket {
        return Err(LedgerError::Leg { leg: 0, fault: LegFault::Bucket });
    }
    let mut new_head = *head;
    let mut touched: BTreeMap<DerivedId, Account> = BTreeMap::new();
    let mut transfers = Vec::with_capacity(chain.legs().len());
    for (index, leg) in chain.legs().iter().enumerate() {
        let mut debit = take(&leg.debit, &mut touched, book);
        let mut credit = take(&leg.credit, &mut touched, book);
        let seq = new_head.seq.checked_add(1).ok_or(LedgerError::Sequence)?;
        apply(leg, &mut debit, &mut credit).map_err(|fault| LedgerError::Leg { leg: index, fault })?;
        (debit.last_seq, credit.last_seq) = (seq, seq);
        // At most 64 legs; the sum only wraps where a caller numbers its chains beyond u16.
        let number = u16::try_from(index).ok().and_then(|index| chain.index_first().checked_add(index));
        let number = number.ok_or(LedgerError::ChainTooLong)?;
        let mut transfer = Transfer {
            bucket: head.bucket,
            seq,
            transfer_id: transfer_id(head.bucket, &origin.intent_id, chain.posting(), number),
            kind: TransferKind::Post,
            currency: leg.amount.currency,
            posting: chain.posting(),
            flags: if index + 1 < chain.legs().len() { Transfer::LINKED } else { 0 },
            debit: debit.id,
            credit: credit.id,
            amount: leg.amount.minor,
            pending_id: None,
            intent_id: origin.intent_id,
            ref_id: origin.ref_id,
            deadline: None,
            at: origin.at.max(new_head.last_at),
            debit_balance_after: debit.balance().minor,
            credit_balance_after: credit.balance().minor,
            hash: [0; 32],
        };
        transfer.hash = new_head.hash_with(&transfer);
        new_head.advance(&transfer);
        touched.insert(debit.id, debit);
        touched.insert(credit.id, credit);
        transfers.push(transfer);
    }
    touched.into_values().for_each(|account| book.put(account));
    *head = new_head;
    Ok(transfers)
}

/// The account as the legs before have left it, as it is stored, or new.
fn take(of: &AccountRef, touched: &mut BTreeMap<DerivedId, Account>, book: &dyn AccountBook) -> Account {
    let id = of.id();
    touched.remove(&id).or_else(|| book.get(&id)).unwrap_or_else(|| Account::opened(of))
}

/// Applies one leg to two accounts that are known to be different and of its currency.
fn apply(leg: &Leg, debit: &mut Account, credit: &mut Account) -> Result<(), LegFault> {
    for account in [&*debit, &*credit] {
        if account.flags.has(AccountFlags::CLOSED) {
            return Err(LegFault::AccountClosed);
        }
    }
    if debit.flags.has(AccountFlags::FROZEN) {
        return Err(LegFault::AccountFrozen);
    }
    let sum = |counter: i64, amount: Money| counter.checked_add(amount.minor).ok_or(LegFault::Overflow);
    debit.debits_posted = sum(debit.debits_posted, leg.amount)?;
    credit.credits_posted = sum(credit.credits_posted, leg.amount)?;
    if !debit.keeps_flags() {
        return Err(LegFault::ExceedsCredits);
    }
    if !credit.keeps_flags() {
        return Err(LegFault::ExceedsDebits);
    }
    Ok(())
}
