//! A shop's money over HTTP: balance and statement.
//!
//! Balances are sums and so have the balance form, `minor` as a decimal string (spec/money.md 1).

use serde::{Deserialize, Serialize};
use souk_domain::id::{DerivedId, ShopId};
use souk_domain::ledger::{Account, AccountType, Posting, Transfer};
use souk_domain::money::{Balance, Currency, Money};
use souk_domain::time::Time;

#[cfg(test)]
mod tests;

/// `GET /v1/seller/balance`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BalanceResponse {
    /// The server's time.
    pub now: Time,
    /// The shop.
    pub shop: ShopId,
    /// Its currency.
    pub currency: Currency,
    /// Held for its open orders (2100).
    pub escrow: Balance,
    /// Released, in reserve (2200).
    pub pending: Balance,
    /// Waits for the payout (2210).
    pub available: Balance,
    /// Owed to the platform after refunds (1020).
    pub owed: Balance,
}

/// `GET /v1/seller/statement`: what moved on the shop's accounts, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatementResponse {
    /// The server's time.
    pub now: Time,
    /// The lines.
    pub lines: Vec<StatementLineView>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One movement on one account, with the running balance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatementLineView {
    /// Place in the bucket's journal.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// The transfer.
    pub transfer: DerivedId,
    /// The account's name in the chart, e.g. `seller_pending`.
    pub account: String,
    /// The posting: number of spec/money.md 4.3 (P4 = 4).
    pub posting: u16,
    /// What it did to the account: more or, with a minus, less.
    pub amount: Money,
    /// The account's balance behind it.
    pub balance: Balance,
    /// Order, refund or other subject: 32 hex digits; absent for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

impl StatementLineView {
    /// The line of a transfer on one of its two accounts; nothing for a transfer that does not touch it.
    pub fn of(transfer: &Transfer, account: &Account) -> Option<StatementLineView> {
        // Balances stand on the side on which the account grows, so the sign follows from the change.
        let (is_debit, after) = if transfer.debit == account.id {
            (true, transfer.debit_balance_after)
        } else if transfer.credit == account.id {
            (false, transfer.credit_balance_after)
        } else {
            return None;
        };
        let grows = is_debit == (account.code.account_type() == AccountType::Asset);
        let minor = if grows { transfer.amount } else { -transfer.amount };
        Some(StatementLineView {
            seq: transfer.seq,
            at: transfer.at,
            transfer: transfer.transfer_id,
            account: account.code.name().to_owned(),
            posting: Posting::number(transfer.posting),
            amount: Money::new(minor, transfer.currency),
            balance: Balance(Money::new(after, transfer.currency)),
            subject: if transfer.ref_id == [0; 16] {
                String::new()
            } else {
                souk_domain::id::hex(&transfer.ref_id)
            },
        })
    }
}
