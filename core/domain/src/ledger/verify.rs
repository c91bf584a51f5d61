//! Checking a ledger from its rows alone, and the hash of its state (spec/money.md 5.3).
//!
//! [`Replay`] goes through a bucket's journal from nothing and must arrive at the same balances and the same head;
//! [`StateHash`] is one number for all balances of all buckets. Both take rows one by one in their order, so that
//! a reader needs memory for accounts and not for the journal. Nothing here writes or repairs.

use std::collections::BTreeMap;

use souk_crypto::hash::Sha256;

use crate::id::{Bucket, DerivedId, hex};
use crate::money::{Currency, MINOR_MAX};

use super::account::Account;
use super::journal::JournalHead;
use super::transfer::{Transfer, TransferKind};

/// Tag of the state hash.
const STATE_TAG: &[u8] = b"souk/state/v1/";

/// Where rows contradict each other, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// A transfer.
    #[error("{} at transfer {seq}", fault.code())]
    Transfer {
        /// Its sequence number.
        seq: u64,
        /// What is wrong.
        fault: VerifyFault,
    },
    /// An account.
    #[error("{} at account {}", fault.code(), hex(id.bytes()))]
    Account {
        /// Its id.
        id: DerivedId,
        /// What is wrong.
        fault: VerifyFault,
    },
    /// The bucket's head.
    #[error("{} at the head of bucket {bucket}", fault.code())]
    Head {
        /// Whose head.
        bucket: Bucket,
        /// What is wrong.
        fault: VerifyFault,
    },
}

impl VerifyError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            VerifyError::Transfer { fault, .. }
            | VerifyError::Account { fault, .. }
            | VerifyError::Head { fault, .. } => fault.code(),
        }
    }
}

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerifyFault {
    /// It belongs to another bucket, or rows came in the wrong order.
    Order,
    /// A sequence number is missing or stands twice.
    Sequence,
    /// Its time is before the one in front of it.
    Time,
    /// A kind that this version does not post.
    Kind,
    /// Amount outside 1 .. 2^53 - 1, one account on both sides, or another currency than its accounts.
    Leg,
    /// An account that has no row.
    AccountUnknown,
    /// An account whose id does not follow from its columns, or that lacks the flags of its code.
    AccountId,
    /// Debits exceed credits, or credits debits, where the flags forbid it.
    Flags,
    /// The balance behind it is another one.
    BalanceAfter,
    /// A chain ends in the middle.
    Linked,
    /// The hash does not follow from the rows.
    Hash,
    /// The stored counters are not those of the journal.
    Differs,
}

impl VerifyFault {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            VerifyFault::Order => "ledger.verify_order",
            VerifyFault::Sequence => "ledger.verify_sequence",
            VerifyFault::Time => "ledger.verify_time",
            VerifyFault::Kind => "ledger.verify_kind",
            VerifyFault::Leg => "ledger.verify_leg",
            VerifyFault::AccountUnknown => "ledger.account_unknown",
            VerifyFault::AccountId => "ledger.verify_account",
            VerifyFault::Flags => "ledger.verify_flags",
            VerifyFault::BalanceAfter => "ledger.verify_balance",
            VerifyFault::Linked => "ledger.verify_linked",
            VerifyFault::Hash => "ledger.verify_hash",
            VerifyFault::Differs => "ledger.verify_differs",
        }
    }
}

/// What a checked bucket holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketSummary {
    /// The head that rows and journal agree on.
    pub head: JournalHead,
    /// Transfers in the journal.
    pub transfers: u64,
    /// Accounts.
    pub accounts: u64,
    /// Credits less debits of all accounts, per currency: 0 each.
    pub sum_minor: BTreeMap<Currency, i128>,
}

/// A bucket's journal being gone through from nothing.
pub struct Replay {
    head: JournalHead,
    accounts: BTreeMap<DerivedId, Replayed>,
    /// Intent and posting of a chain that goes on.
    open: Option<([u8; 16], u16)>,
}

/// An account as it is stored, and as the journal makes it.
struct Replayed {
    stored: Account,
    now: Account,
}

impl Replay {
    /// Begins with the bucket's account rows, in any order. Refuses a row that is not of this bucket, stands twice
    /// or whose id or flags do not follow from its columns.
    pub fn new(bucket: Bucket, rows: impl IntoIterator<Item = Account>) -> Result<Replay, VerifyError> {
        let mut accounts = BTreeMap::new();
        for stored in rows {
            let refuse = |fault| Err(VerifyError::Account { id: stored.id, fault });
            if stored.bucket() != bucket {
                return refuse(VerifyFault::Order);
            }
            if !stored.id_fits() || !stored.flags.has(stored.code.flags()) {
                return refuse(VerifyFault::AccountId);
            }
            let now = Account {
                debits_posted: 0,
                credits_posted: 0,
                debits_pending: 0,
                credits_pending: 0,
                last_seq: 0,
                ..stored
            };
            if accounts.insert(stored.id, Replayed { stored, now }).is_some() {
                return refuse(VerifyFault::Order);
            }
        }
        Ok(Replay { head: JournalHead::empty(bucket), accounts, open: None })
    }

    /// Takes the journal's next row.
    pub fn apply(&mut self, transfer: &Transfer) -> Result<(), VerifyError> {
        self.check(transfer).map_err(|fault| VerifyError::Transfer { seq: transfer.seq, fault })?;
        self.head.advance(transfer);
        let linked = transfer.flags & Transfer::LINKED != 0;
        self.open = linked.then_some((transfer.intent_id, transfer.posting.number()));
        Ok(())
    }

    fn check(&mut self, transfer: &Transfer) -> Result<(), VerifyFault> {
        if transfer.bucket != self.head.bucket || transfer.transfer_id.bucket() != self.head.bucket {
            return Err(VerifyFault::Order);
        }
        if Some(transfer.seq) != self.head.seq.checked_add(1) {
            return Err(VerifyFault::Sequence);
        }
        if transfer.at < self.head.last_at {
            return Err(VerifyFault::Time);
        }
        if transfer.kind != TransferKind::Post || transfer.flags & !Transfer::LINKED != 0 {
            return Err(VerifyFault::Kind);
        }
        if self.open.is_some_and(|chain| chain != (transfer.intent_id, transfer.posting.number())) {
            return Err(VerifyFault::Linked);
        }
        if transfer.debit == transfer.credit || !(1..=MINOR_MAX).contains(&transfer.amount) {
            return Err(VerifyFault::Leg);
        }
        if transfer.hash != self.head.hash_with(transfer) {
            return Err(VerifyFault::Hash);
        }
        let sum = |counter: &mut i64| {
            *counter = counter.checked_add(transfer.amount).ok_or(VerifyFault::Leg)?;
            Ok::<(), VerifyFault>(())
        };
        sum(&mut self.account(&transfer.debit, transfer)?.debits_posted)?;
        sum(&mut self.account(&transfer.credit, transfer)?.credits_posted)?;
        for (id, balance) in
            [(transfer.debit, transfer.debit_balance_after), (transfer.credit, transfer.credit_balance_after)]
        {
            let account = self.account(&id, transfer)?;
            account.last_seq = transfer.seq;
            if !account.keeps_flags() {
                return Err(VerifyFault::Flags);
            }
            if account.balance().minor != balance {
                return Err(VerifyFault::BalanceAfter);
            }
        }
        Ok(())
    }

    /// The account of a leg, as the journal has made it so far.
    fn account(&mut self, id: &DerivedId, transfer: &Transfer) -> Result<&mut Account, VerifyFault> {
        let account = &mut self.accounts.get_mut(id).ok_or(VerifyFault::AccountUnknown)?.now;
        if account.currency == transfer.currency { Ok(account) } else { Err(VerifyFault::Leg) }
    }

    /// Compares what the journal gives with the stored head and the stored balances.
    pub fn finish(self, head: &JournalHead) -> Result<BucketSummary, VerifyError> {
        let refuse = |fault| Err(VerifyError::Head { bucket: self.head.bucket, fault });
        if self.open.is_some() {
            return refuse(VerifyFault::Linked);
        }
        if self.head != *head {
            return refuse(VerifyFault::Differs);
        }
        let mut sum_minor: BTreeMap<Currency, i128> = BTreeMap::new();
        for Replayed { stored, now } in self.accounts.values() {
            if stored != now {
                return Err(VerifyError::Account { id: stored.id, fault: VerifyFault::Differs });
            }
            *sum_minor.entry(stored.currency).or_default() +=
                i128::from(stored.credits_posted) - i128::from(stored.debits_posted);
        }
        let accounts = self.accounts.len() as u64;
        Ok(BucketSummary { head: self.head, transfers: self.head.seq, accounts, sum_minor })
    }
}

/// Checks a whole bucket: its accounts, its journal in the order of `seq`, its head. The first contradiction is
/// the error. A reader whose rows may fail to arrive drives [`Replay`] itself.
pub fn verify(
    accounts: impl IntoIterator<Item = Account>,
    transfers: impl IntoIterator<Item = Transfer>,
    head: &JournalHead,
) -> Result<BucketSummary, VerifyError> {
    let mut replay = Replay::new(head.bucket, accounts)?;
    for transfer in transfers {
        replay.apply(&transfer)?;
    }
    replay.finish(head)
}

/// The hash of all balances: SHA-256 over `"souk/state/v1/"`, then per bucket with transfers, in order, bucket u16,
/// last seq u64, last h, then each account by id with its four counters.
pub struct StateHash {
    hash: Sha256,
    bucket: Option<Bucket>,
    account: Option<DerivedId>,
}

impl StateHash {
    /// Begins.
    pub fn new() -> StateHash {
        let mut hash = Sha256::new();
        hash.update(STATE_TAG);
        StateHash { hash, bucket: None, account: None }
    }

    /// Takes the next bucket; one without transfers is left out. Refuses buckets that do not ascend.
    pub fn bucket(&mut self, head: &JournalHead) -> Result<(), VerifyError> {
        if head.seq == 0 {
            return Ok(());
        }
        if self.bucket >= Some(head.bucket) {
            return Err(VerifyError::Head { bucket: head.bucket, fault: VerifyFault::Order });
        }
        (self.bucket, self.account) = (Some(head.bucket), None);
        self.hash.update(&head.bucket.number().to_be_bytes());
        self.hash.update(&head.seq.to_be_bytes());
        self.hash.update(&head.hash);
        Ok(())
    }

    /// Takes the next account of the bucket. Refuses one of another bucket, and ids that do not ascend.
    pub fn account(&mut self, account: &Account) -> Result<(), VerifyError> {
        if self.bucket != Some(account.bucket()) || self.account >= Some(account.id) {
            return Err(VerifyError::Account { id: account.id, fault: VerifyFault::Order });
        }
        self.account = Some(account.id);
        self.hash.update(account.id.bytes());
        for counter in
            [account.debits_posted, account.credits_posted, account.debits_pending, account.credits_pending]
        {
            self.hash.update(&counter.to_be_bytes());
        }
        Ok(())
    }

    /// The hash.
    pub fn finish(self) -> [u8; 32] {
        self.hash.finish()
    }
}

impl Default for StateHash {
    fn default() -> StateHash {
        StateHash::new()
    }
}

/// The state hash of whole buckets, ascending, each with its accounts ascending by id.
pub fn state_hash<A: IntoIterator<Item = Account>>(
    buckets: impl IntoIterator<Item = (JournalHead, A)>,
) -> Result<[u8; 32], VerifyError> {
    let mut state = StateHash::new();
    for (head, accounts) in buckets {
        state.bucket(&head)?;
        accounts.into_iter().try_for_each(|account| state.account(&account))?;
    }
    Ok(state.finish())
}
