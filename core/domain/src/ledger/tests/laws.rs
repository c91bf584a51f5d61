//! Laws of spec/money.md 5.4 on random chains, against an oracle of plain maps.

use proptest::prelude::*;

use super::*;

/// A chain as the generator makes it: legs (debit, credit, amount) over the accounts of [`chart`].
type Draft = Vec<(usize, usize, i64)>;

/// Accounts of every sort: flagged D and C, free, owned by the platform.
fn chart() -> Vec<AccountRef> {
    use AccountCode::{
        Commission, Interbucket, OrderEscrow, RailClearing, RefundTransit, SellerAvailable, SellerPending,
        SellerReceivable, TaxPayable,
    };
    [
        RailClearing,
        OrderEscrow,
        OrderEscrow,
        RefundTransit,
        SellerPending,
        SellerAvailable,
        SellerReceivable,
        Commission,
        TaxPayable,
        Interbucket,
    ]
    .into_iter()
    .enumerate()
    .map(|(owner, code)| account(code, owner as u8))
    .collect()
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let size = chart().len();
    // The rail pays in often, so that other legs find money.
    let side = prop_oneof![2 => Just(0usize), 5 => 0..size];
    let amount = prop_oneof![8 => 0..300i64, 1 => Just(MINOR_MAX)];
    let leg = (side, 0..size, amount).prop_map(move |(debit, credit, amount)| {
        (debit, if debit == credit { (credit + 1) % size } else { credit }, amount)
    });
    prop::collection::vec(prop::collection::vec(leg, 1..6), 1..40)
}

fn chain_of(draft: &Draft) -> Option<Chain> {
    let chart = chart();
    let legs = draft.iter().map(|(debit, credit, amount)| leg(chart[*debit], chart[*credit], *amount));
    Chain::linked(Posting::Released, legs).ok()
}

/// The oracle: debits and credits per account in plain maps. No hashes, no rows, no batches, no copies of one leg.
#[derive(Clone, Default, PartialEq, Debug)]
struct Oracle {
    debits: BTreeMap<usize, i128>,
    credits: BTreeMap<usize, i128>,
}

impl Oracle {
    /// Applies a chain to a copy and takes the copy if nothing was wrong.
    fn post(&mut self, draft: &Draft) -> Result<(), (usize, &'static str)> {
        let mut next = self.clone();
        for (index, (debit, credit, amount)) in draft.iter().filter(|(_, _, amount)| *amount > 0).enumerate()
        {
            *next.debits.entry(*debit).or_default() += i128::from(*amount);
            *next.credits.entry(*credit).or_default() += i128::from(*amount);
            if matches!(*debit, 1..=5) && next.debits(*debit) > next.credits(*debit) {
                return Err((index, "ledger.exceeds_credits"));
            }
            if *credit == 6 && next.credits(*credit) > next.debits(*credit) {
                return Err((index, "ledger.exceeds_debits"));
            }
        }
        *self = next;
        Ok(())
    }

    fn debits(&self, account: usize) -> i128 {
        self.debits.get(&account).copied().unwrap_or_default()
    }

    fn credits(&self, account: usize) -> i128 {
        self.credits.get(&account).copied().unwrap_or_default()
    }
}

fn origin_of(index: usize) -> Origin {
    let mut origin = origin(1000 + index as i64);
    origin.intent_id[..8].copy_from_slice(&(index as u64).to_be_bytes());
    origin
}

/// A batch's working set: reads through to the committed rows, keeps its writes until the commit.
struct Batch<'a> {
    committed: &'a Book,
    written: Book,
}

impl AccountBook for Batch<'_> {
    fn get(&self, id: &DerivedId) -> Option<Account> {
        self.written.get(id).or_else(|| self.committed.get(id)).copied()
    }

    fn put(&mut self, account: Account) {
        self.written.insert(account.id, account);
    }
}

/// Posts all drafts, committing after every `batch` chains.
fn run(drafts: &[Draft], batch: usize) -> (Book, JournalHead, Vec<Transfer>) {
    let (mut book, mut head, mut journal) = (Book::new(), JournalHead::empty(bucket()), Vec::new());
    for (number, chunk) in drafts.chunks(batch).enumerate() {
        let mut working = Batch { committed: &book, written: Book::new() };
        for (index, draft) in chunk.iter().enumerate() {
            let Some(chain) = chain_of(draft) else { continue };
            if let Ok(transfers) = post(&chain, &origin_of(number * batch + index), &mut head, &mut working) {
                journal.extend(transfers);
            }
        }
        let written = working.written;
        book.extend(written);
    }
    (book, head, journal)
}

proptest! {
    /// Every outcome is the oracle's; a refused chain changes nothing; debits equal credits after every chain
    /// (inv01) and no flagged account is negative (inv02).
    #[test]
    fn ledger_agrees_with_the_oracle(drafts in drafts()) {
        let (mut book, mut head, mut oracle) = (Book::new(), JournalHead::empty(bucket()), Oracle::default());
        for (index, draft) in drafts.iter().enumerate() {
            let Some(chain) = chain_of(draft) else {
                prop_assert!(draft.iter().all(|(_, _, amount)| *amount == 0));
                continue;
            };
            let before = (book.clone(), head);
            let result = post(&chain, &origin_of(index), &mut head, &mut book);
            match oracle.post(draft) {
                Ok(()) => {
                    let transfers = result.unwrap();
                    prop_assert_eq!(transfers.len(), chain.legs().len());
                    prop_assert_eq!(head.seq, before.1.seq + transfers.len() as u64);
                }
                Err((leg, code)) => {
                    let error = result.unwrap_err();
                    prop_assert_eq!(error.code(), code);
                    let place = if let LedgerError::Leg { leg, .. } = error { Some(leg) } else { None };
                    prop_assert_eq!(place, Some(leg));
                    prop_assert_eq!((&book, head), (&before.0, before.1));
                }
            }
            inv01_debits_equal_credits(&book)?;
            inv02_no_flagged_account_negative(&book)?;
            for (number, of) in chart().iter().enumerate() {
                let row = book.get(&of.id()).copied().unwrap_or(Account::opened(of));
                prop_assert_eq!(i128::from(row.debits_posted), oracle.debits(number));
                prop_assert_eq!(i128::from(row.credits_posted), oracle.credits(number));
            }
        }
    }

    /// inv07: any batch size gives the same rows and journal, and a replay from nothing the same state.
    #[test]
    fn inv07_replay_gives_same_state(drafts in drafts(), batch in 2..20usize) {
        let (book, head, journal) = run(&drafts, 1);
        for batch in [batch, drafts.len()] {
            prop_assert_eq!(&run(&drafts, batch), &(book.clone(), head, journal.clone()));
        }
        let summary = verify(book.values().copied(), journal.iter().cloned(), &head).unwrap();
        prop_assert_eq!(summary.transfers, journal.len() as u64);
        prop_assert!(summary.sum_minor.values().all(|sum| *sum == 0));
        // The statement of an account: its balance behind each transfer is the running sum.
        let mut balances: BTreeMap<DerivedId, i64> = BTreeMap::new();
        let codes: BTreeMap<DerivedId, AccountType> = book.values().map(|row| (row.id, row.code.account_type())).collect();
        for transfer in &journal {
            for (id, side, after) in [
                (transfer.debit, AccountType::Asset, transfer.debit_balance_after),
                (transfer.credit, AccountType::Liability, transfer.credit_balance_after),
            ] {
                let grows = (codes[&id] == AccountType::Asset) == (side == AccountType::Asset);
                let balance = balances.entry(id).or_default();
                *balance += if grows { transfer.amount } else { -transfer.amount };
                prop_assert_eq!(*balance, after);
            }
        }
    }
}

fn inv01_debits_equal_credits(book: &Book) -> Result<(), TestCaseError> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for row in book.values() {
        *sums.entry(row.currency).or_default() +=
            i128::from(row.credits_posted) - i128::from(row.debits_posted);
    }
    prop_assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
    Ok(())
}

fn inv02_no_flagged_account_negative(book: &Book) -> Result<(), TestCaseError> {
    for row in book.values() {
        prop_assert!(row.keeps_flags(), "{row:?}");
        prop_assert!(row.code.flags() == AccountFlags::NONE || row.balance().minor >= 0, "{row:?}");
    }
    Ok(())
}
