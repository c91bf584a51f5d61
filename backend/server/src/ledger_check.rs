//! `souk ledger verify`: the journal of every bucket replayed from nothing (spec/money.md 5.3).

use std::collections::BTreeMap;

use serde::Serialize;
use souk_domain::bookkeeping::Owner;
use souk_domain::id::hex;
use souk_domain::ledger::verify::{Replay, StateHash, VerifyError};
use souk_domain::rows::{Entity, Key};
use souk_store::Store;

use crate::failure::Failure;

/// Transfers of one read.
const PAGE: usize = 10_000;

/// What the check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Transfers replayed.
    pub transfers: u64,
    /// Accounts compared.
    pub accounts: u64,
    /// Credits less debits by currency: 0.
    pub sum_minor: BTreeMap<String, i64>,
    /// SHA-256 over heads and accounts.
    pub state_hash: String,
    /// Heads by bucket.
    pub head: BTreeMap<u16, String>,
    /// Everything agrees.
    pub ok: bool,
    /// Sums moved by posting.
    #[serde(skip)]
    pub by_posting_minor: BTreeMap<String, i64>,
    /// Balances by account code.
    #[serde(skip)]
    pub balances_minor: BTreeMap<u16, i64>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

/// Replays every journal and compares it with the rows; the first difference is the failure.
pub async fn verify(store: &dyn Store) -> Result<Checked, Failure> {
    let mut checked = Checked {
        transfers: 0,
        accounts: 0,
        sum_minor: BTreeMap::new(),
        state_hash: String::new(),
        head: BTreeMap::new(),
        ok: false,
        by_posting_minor: BTreeMap::new(),
        balances_minor: BTreeMap::new(),
    };
    let mut hash = StateHash::new();
    for bucket in store.buckets_in_use().await? {
        let read = store.prefetch(&[Key::owner(bucket)]).await?;
        let owner = read.first().and_then(|(_, _, row)| row.as_ref()).and_then(Owner::from_row);
        let head = owner
            .map(|owner| owner.journal)
            .ok_or_else(|| Failure::new("store.owner", bucket.to_string()))?;
        let accounts = store.ledger_accounts(bucket).await?;
        let mut replay = Replay::new(bucket, accounts.iter().copied())?;
        let mut after = 0;
        loop {
            let page = store.transfers(bucket, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for transfer in &page {
                replay.apply(transfer)?;
                *checked.by_posting_minor.entry(format!("{:?}", transfer.posting)).or_default() +=
                    transfer.amount;
            }
        }
        let summary = replay.finish(&head)?;
        hash.bucket(&head)?;
        for account in &accounts {
            if head.seq > 0 {
                hash.account(account)?;
            }
            *checked.balances_minor.entry(account.code.number()).or_default() += account.balance().minor;
        }
        checked.transfers += summary.transfers;
        checked.accounts += summary.accounts;
        for (currency, sum) in summary.sum_minor {
            let sum = i64::try_from(sum).map_err(|_| Failure::new("ledger.overflow", "sum"))?;
            *checked.sum_minor.entry(currency.code().to_owned()).or_default() += sum;
        }
        if head.seq > 0 {
            checked.head.insert(bucket.number(), hex(&head.hash));
        }
    }
    checked.state_hash = hex(&hash.finish());
    checked.ok = checked.sum_minor.values().all(|sum| *sum == 0);
    Ok(checked)
}
