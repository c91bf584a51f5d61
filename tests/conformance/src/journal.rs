//! The ledger's tables: journal, statements, accounts, tripwires (spec/money.md 5).

use futures::executor::block_on;
use souk_domain::id::Bucket;
use souk_domain::ledger::{AccountFlags, Transfer};
use souk_domain::rows::{Entity, Key, RowKind, Write};
use souk_store::StoreError;
use souk_testkit::samples::{self, Journal};

use crate::harness::{Medium, Served, write};

/// Writes of all accounts of a journal, each with the version that it has in the store.
fn accounts(served: &Served, journal: &Journal) -> Vec<Write> {
    let rows = journal.accounts.values().map(|account| (*account).into_row());
    rows.map(|row| write(served.read(&row.key()).0, row)).collect()
}

/// Posts captures for orders 1.. of a bucket, one commit each.
fn posted(served: &Served, bucket: Bucket, count: u64) -> (Journal, Vec<Transfer>) {
    let mut journal = Journal::new(bucket);
    let mut transfers = Vec::new();
    for order in 0..count {
        let new = journal.capture(order % 2, samples::usd(100 + i64::try_from(order).unwrap()));
        served.commit_all(accounts(served, &journal), new.clone()).unwrap();
        transfers.extend(new);
    }
    (journal, transfers)
}

/// All columns survive, pages follow each other, buckets do not mix.
pub fn transfers_are_read_back_by_sequence<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let (bucket, other) = (samples::bucket(), samples::numbered(3));
    let (journal, transfers) = posted(&served, bucket, 5);
    posted(&served, other, 1);
    let page = |after, limit| block_on(served.store.transfers(bucket, after, limit)).unwrap();
    assert_eq!(page(0, 10), transfers);
    assert_eq!(page(0, 5), transfers);
    assert_eq!(page(0, 4), transfers[..4]);
    assert_eq!(page(3, 10), transfers[3..]);
    assert_eq!(page(5, 10), []);
    assert_eq!(page(u64::MAX, 10), []);
    assert_eq!(served.owner(bucket).1.journal, journal.head);
    assert_eq!(block_on(served.store.buckets_in_use()).unwrap(), [other, bucket]);
    assert_eq!(block_on(served.store.stats()).unwrap().transfers, 6);
}

/// Both sides of an account, by sequence.
pub fn a_statement_is_the_journal_of_one_account<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let (journal, transfers) = posted(&served, samples::bucket(), 5);
    let seqs = |account, after, limit| -> Vec<u64> {
        let rows = block_on(served.store.statement(account, after, limit)).unwrap();
        rows.iter().map(|transfer| transfer.seq).collect()
    };
    assert_eq!(seqs(journal.escrow(0), 0, 10), [1, 3, 5]);
    assert_eq!(seqs(journal.escrow(1), 0, 10), [2, 4]);
    assert_eq!(seqs(journal.escrow(0), 1, 1), [3]);
    assert_eq!(seqs(transfers[0].debit, 2, 10), [3, 4, 5]);
    assert_eq!(seqs(journal.escrow(9), 0, 10), [0; 0]);
}

/// By owner and code, and all of a bucket by id.
pub fn accounts_are_listed_by_owner_and_by_id<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let (journal, _) = posted(&served, samples::bucket(), 4);
    let all: Vec<_> = journal.accounts.values().copied().collect();
    assert_eq!(block_on(served.store.ledger_accounts(samples::bucket())).unwrap(), all);
    let escrow = journal.accounts[&journal.escrow(1)];
    let found = block_on(served.store.accounts_of(samples::bucket(), &escrow.owner)).unwrap();
    assert_eq!(found, [escrow]);
    assert_eq!(block_on(served.store.accounts_of(samples::numbered(3), &escrow.owner)).unwrap(), []);
}

/// Whatever the rules should have refused ends the commit with an alarm and writes nothing.
pub fn tripwires_end_the_commit<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let bucket = samples::bucket();
    let (journal, before) = posted(&served, bucket, 2);
    let check = |what: &str, change: &dyn Fn(&mut Vec<Transfer>, &mut Journal)| {
        let mut journal = journal.clone();
        let mut transfers = journal.capture(0, samples::usd(50));
        transfers.extend(journal.capture(1, samples::usd(60)));
        change(&mut transfers, &mut journal);
        let result = served.commit_all(accounts(&served, &journal), transfers);
        assert!(matches!(result, Err(StoreError::Tripwire(_))), "{what}: {result:?}");
        assert_eq!(block_on(served.store.transfers(bucket, 0, 10)).unwrap(), before, "{what}");
    };
    check("an amount of nothing", &|transfers, _| transfers[0].amount = 0);
    check("both sides one account", &|transfers, _| transfers[0].credit = transfers[0].debit);
    check("a transfer id twice", &|transfers, _| transfers[1].transfer_id = before[0].transfer_id);
    check("a gap inside", &|transfers, _| transfers[1].seq += 1);
    check("a gap before", &|transfers, _| transfers.iter_mut().for_each(|transfer| transfer.seq += 1));
    check("a sequence again", &|transfers, _| transfers.iter_mut().for_each(|transfer| transfer.seq -= 1));
    check("debits above credits", &|_, journal| {
        let id = journal.escrow(0);
        let account = journal.accounts.get_mut(&id).unwrap();
        account.debits_pending = account.credits_posted + 1;
    });
    check("credits above debits", &|_, journal| {
        let id = journal.escrow(0);
        let account = journal.accounts.get_mut(&id).unwrap();
        account.flags = AccountFlags::CREDITS_WITHIN_DEBITS;
    });
    check("a counter below zero", &|_, journal| {
        let id = journal.escrow(0);
        journal.accounts.get_mut(&id).unwrap().credits_pending = -1;
    });
}

/// Transfers fall with the rows of their commit.
pub fn a_lost_race_posts_nothing<M: Medium>() {
    let medium = M::fresh();
    let served = Served::on(&medium);
    let (mut journal, before) = posted(&served, samples::bucket(), 2);
    let key = Key::ledger_account(journal.escrow(0));
    let (head, escrow) = (served.owner(samples::bucket()), served.read(&key));
    let transfers = journal.capture(0, samples::usd(50));
    let mut writes = accounts(&served, &journal);
    writes[0].expected += 1;
    let result = served.commit_all(writes, transfers);
    assert!(matches!(result, Err(StoreError::LostRace { kind: RowKind::LedgerAccount })), "{result:?}");
    assert_eq!(block_on(served.store.transfers(samples::bucket(), 0, 10)).unwrap(), before);
    assert_eq!(served.owner(samples::bucket()), head);
    assert_eq!(served.read(&key), escrow);
}
