//! Tests of the ledger: vectors and refusals here, chains of 4.3 in `chains`, laws against an oracle in `laws`,
//! contradicting rows in `rows`.

use std::collections::BTreeMap;

use super::postings::captured;
use super::verify::{StateHash, state_hash, verify};
use super::*;
use crate::id::{AccountId, Bucket, DerivedId, OrderId, ShopId, form_u, hex};
use crate::money::{Currency, MINOR_MAX, Money};
use crate::time::Time;

mod chains;
mod laws;
mod rows;

type Book = BTreeMap<DerivedId, Account>;

const RAIL: [u8; 16] = *b"sandbox\0\0\0\0\0\0\0\0\0";
const AUTHORITY: [u8; 16] = *b"DE\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn bucket() -> Bucket {
    Bucket::new(417).unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn order() -> OrderId {
    "01a20320a20076858b22334455667788".parse().unwrap()
}

fn shop() -> ShopId {
    ShopId::from_bytes(form_u(0, bucket(), [1; 9])).unwrap()
}

fn courier() -> AccountId {
    AccountId::from_bytes(form_u(0, Bucket::new(3).unwrap(), [2; 9])).unwrap()
}

fn derived(number: u8) -> DerivedId {
    DerivedId::derived(bucket(), &[number; 32])
}

fn origin(at: i64) -> Origin {
    Origin {
        intent_id: std::array::from_fn(|i| i as u8),
        ref_id: *order().bytes(),
        at: Time::from_micros(at),
    }
}

fn account(code: AccountCode, owner: u8) -> AccountRef {
    AccountRef::new(code, [owner; 16], bucket(), Currency::EUR)
}

fn leg(debit: AccountRef, credit: AccountRef, minor: i64) -> Leg {
    Leg::post(debit, credit, Money::new(minor, debit.currency))
}

/// A rail account and an escrow account: the shortest way of money.
fn rail_to_escrow(minor: i64) -> Leg {
    leg(account(AccountCode::RailClearing, 1), account(AccountCode::OrderEscrow, 2), minor)
}

/// Vectors computed apart from this code (Python's hashlib and struct) from the layouts of spec/money.md 5.
#[test]
fn vectors_of_ids_journal_and_state() {
    let (mut head, mut book) = (JournalHead::empty(bucket()), Book::new());
    assert_eq!(hex(&head.hash), "8a0f55cad829758f8f1b5fd9bed656fc39588ccf9e55cd5fd307ff33bd1e525b");
    assert_eq!(
        hex(&state_hash([(head, [])]).unwrap()),
        "494012fd904a9edef94a0afc2c0fec9abf3f238e63fc9942f3b86cb95d3419e0"
    );
    let chain = captured(order(), RAIL, eur(10_000)).unwrap();
    let transfers = post(&chain, &origin(1_795_348_800_123_456), &mut head, &mut book).unwrap();
    let [transfer] = transfers.as_slice() else { panic!("one leg, one transfer") };
    assert_eq!(transfer.debit.to_string(), "01a13938b29ad717eb04f26016923f60");
    assert_eq!(transfer.credit.to_string(), "01a1f3ddc8bb646fe3d1b183c65b22cc");
    assert_eq!(transfer.transfer_id.to_string(), "01a183b95431c49200bcabff958b0b4a");
    assert_eq!(
        hex(&transfer.canonical()),
        "010103d2000100000000000000000001000660dc377ab24001a183b95431c49200bcabff958b0b4a01a13938b29ad717eb04f26016923f60\
         01a1f3ddc8bb646fe3d1b183c65b22cc000000000000271000000000000000000000000000000000000102030405060708090a0b0c0d0e0f\
         01a20320a20076858b22334455667788000000000000000001a1000000000000"
    );
    assert_eq!(hex(&head.hash), "dd2fb05abeff5487d6774aca948e087b5ce2d8ae5d369f539d70ca71b804107c");
    assert_eq!((head.seq, head.hash), (1, transfer.hash));
    assert_eq!((transfer.debit_balance_after, transfer.credit_balance_after), (10_000, 10_000));
    let state = state_hash([(head, book.values().copied())]).unwrap();
    assert_eq!(hex(&state), "4f00203a17d4e74fb0926f05d468dc268619d0b664aa651965903207bfb9fd0b");
    let summary = verify(book.values().copied(), transfers, &head).unwrap();
    assert_eq!((summary.transfers, summary.accounts), (1, 2));
    assert_eq!(summary.sum_minor, BTreeMap::from([(Currency::EUR, 0)]));
}

#[test]
fn numbers_and_names_are_one_to_one() {
    assert!(AccountCode::ALL.is_sorted_by(|a, b| a.number() < b.number()));
    for code in AccountCode::ALL {
        assert_eq!(AccountCode::from_number(code.number()), Some(code));
    }
    assert!(Posting::ALL.is_sorted_by(|a, b| a.number() < b.number()));
    for posting in Posting::ALL {
        assert_eq!(Posting::from_number(posting.number()), Some(posting));
    }
    for number in 1..=4 {
        assert_eq!(TransferKind::from_number(number).map(TransferKind::number), Some(number));
    }
    assert_eq!(AccountCode::from_number(1001), None);
    assert_eq!(Posting::from_number(0), None);
    assert_eq!(TransferKind::from_number(0), None);
    assert_eq!(TransferKind::from_number(5), None);
    assert_eq!(AccountFlags::from_bits(15).map(AccountFlags::bits), Some(15));
    assert_eq!(AccountFlags::from_bits(16), None);
}

/// The table of spec/money.md 5.1.
#[test]
fn chart_of_accounts() {
    let chart: Vec<String> = AccountCode::ALL
        .iter()
        .map(|code| {
            let flag = match code.flags() {
                AccountFlags::DEBITS_WITHIN_CREDITS => " D",
                AccountFlags::CREDITS_WITHIN_DEBITS => " C",
                _ => "",
            };
            format!("{} {} {:?}{flag}", code.number(), code.name(), code.account_type())
        })
        .collect();
    assert_eq!(
        chart,
        [
            "1000 rail_clearing Asset",
            "1020 seller_receivable Asset C",
            "1900 interbucket Clearing",
            "2100 order_escrow Liability D",
            "2110 dispute_hold Liability D",
            "2120 refund_transit Liability D",
            "2130 unapplied Liability D",
            "2200 seller_pending Liability D",
            "2210 seller_available Liability D",
            "2220 seller_reserve Liability D",
            "2230 seller_deposit Liability D",
            "2300 courier_payable Liability D",
            "2400 tax_payable Liability",
            "4000 commission Income",
            "4010 service_fee Income",
        ]
    );
}

#[test]
fn owners_by_name() {
    assert_eq!(owner_named("sandbox"), Some(RAIL));
    assert_eq!(owner_named("sixteen-letters-"), Some(*b"sixteen-letters-"));
    for bad in ["", "seventeen-letters", "two words", "é"] {
        assert_eq!(owner_named(bad), None, "{bad}");
    }
}

#[test]
fn chains_that_cannot_be_linked() {
    let other_bucket = |of: AccountRef| AccountRef { bucket: Bucket::new(7).unwrap(), ..of };
    let won = |of: AccountRef| AccountRef { currency: Currency::KRW, ..of };
    let good = rail_to_escrow(5);
    let check = |legs: &[Leg], code: &str, at: Option<usize>| {
        let error = Chain::linked(Posting::Captured, legs.iter().copied()).unwrap_err();
        assert_eq!(error.code(), code, "{legs:?}");
        assert!(error.to_string().starts_with(code), "{error}");
        let place = if let LedgerError::Leg { leg, .. } = error { Some(leg) } else { None };
        assert_eq!(place, at, "{legs:?}");
    };
    check(&[], "ledger.chain_empty", None);
    check(&[rail_to_escrow(0), rail_to_escrow(0)], "ledger.chain_empty", None);
    check(&[rail_to_escrow(-1)], "ledger.amount", Some(0));
    check(&[good, rail_to_escrow(MINOR_MAX + 1)], "ledger.amount", Some(1));
    check(&[leg(good.debit, good.debit, 1)], "ledger.same_account", Some(0));
    check(&[Leg { amount: Money::new(1, Currency::KRW), ..good }], "ledger.currency", Some(0));
    check(&[Leg { credit: won(good.credit), ..good }], "ledger.currency", Some(0));
    check(&[good, leg(won(good.debit), won(good.credit), 1)], "ledger.currency", Some(1));
    check(&[Leg { credit: other_bucket(good.credit), ..good }], "ledger.bucket", Some(0));
    check(&[good, leg(other_bucket(good.debit), other_bucket(good.credit), 1)], "ledger.bucket", Some(1));
    check(&[good; CHAIN_LEGS_MAX + 1], "ledger.chain_too_long", None);
    assert_eq!(
        Chain::linked(Posting::Captured, [good; CHAIN_LEGS_MAX]).unwrap().legs().len(),
        CHAIN_LEGS_MAX
    );
    let with_zeros = [[good; CHAIN_LEGS_MAX], [rail_to_escrow(0); CHAIN_LEGS_MAX]].concat();
    assert_eq!(Chain::linked(Posting::Captured, with_zeros).unwrap().legs().len(), CHAIN_LEGS_MAX);
    assert!(Chain::linked(Posting::Captured, [rail_to_escrow(MINOR_MAX)]).is_ok());
}

/// Posts `legs` on a prepared book and expects a refusal that has changed nothing.
fn refused(book: &Book, head: &JournalHead, legs: &[Leg]) -> (&'static str, Option<usize>) {
    let chain = Chain::linked(Posting::Released, legs.iter().copied()).unwrap();
    let (mut book_after, mut head_after) = (book.clone(), *head);
    let error = post(&chain, &origin(9), &mut head_after, &mut book_after).unwrap_err();
    assert_eq!((&book_after, &head_after), (book, head), "a refusal has changed rows");
    (error.code(), if let LedgerError::Leg { leg, .. } = error { Some(leg) } else { None })
}

#[test]
fn chains_that_cannot_be_posted() {
    use AccountCode::{CourierPayable, OrderEscrow, RailClearing, SellerPending, SellerReceivable};
    let (mut head, mut book) = (JournalHead::empty(bucket()), Book::new());
    let chain = Chain::linked(Posting::Captured, [rail_to_escrow(100)]).unwrap();
    post(&chain, &origin(5), &mut head, &mut book).unwrap();
    let (escrow, seller, courier) =
        (account(OrderEscrow, 2), account(SellerPending, 3), account(CourierPayable, 4));
    let owed = account(SellerReceivable, 3);

    assert_eq!(refused(&book, &head, &[leg(escrow, seller, 101)]), ("ledger.exceeds_credits", Some(0)));
    let over = [leg(escrow, seller, 60), leg(escrow, courier, 41)];
    assert_eq!(refused(&book, &head, &over), ("ledger.exceeds_credits", Some(1)));
    assert_eq!(refused(&book, &head, &[leg(escrow, owed, 1)]), ("ledger.exceeds_debits", Some(0)));
    // What one leg brings, the next may take.
    let through = [leg(escrow, seller, 100), leg(seller, courier, 100)];
    let chain = Chain::linked(Posting::Released, through).unwrap();
    assert!(post(&chain, &origin(9), &mut head.clone(), &mut book.clone()).is_ok());

    let with_flag = |of: AccountRef, flag: AccountFlags| {
        let mut book = book.clone();
        let account = book.entry(of.id()).or_insert(Account::opened(&of));
        account.flags = account.flags.with(flag);
        book
    };
    let back = leg(account(RailClearing, 1), escrow, 1);
    let frozen = with_flag(escrow, AccountFlags::FROZEN);
    assert_eq!(refused(&frozen, &head, &[leg(escrow, seller, 1)]), ("ledger.account_frozen", Some(0)));
    let chain = Chain::linked(Posting::Captured, [back]).unwrap();
    assert!(post(&chain, &origin(9), &mut head.clone(), &mut frozen.clone()).is_ok(), "frozen takes credits");
    let closed = with_flag(escrow, AccountFlags::CLOSED);
    assert_eq!(refused(&closed, &head, &[back, leg(escrow, seller, 1)]), ("ledger.account_closed", Some(0)));
    let closed = with_flag(seller, AccountFlags::CLOSED);
    assert_eq!(refused(&closed, &head, &[back, leg(escrow, seller, 1)]), ("ledger.account_closed", Some(1)));

    let mut full = book.clone();
    full.get_mut(&back.debit.id()).unwrap().debits_posted = i64::MAX;
    assert_eq!(refused(&full, &head, &[back]), ("ledger.overflow", Some(0)));
    full.get_mut(&back.debit.id()).unwrap().debits_posted = i64::MAX - 1;
    let chain = Chain::linked(Posting::Captured, [back]).unwrap();
    assert!(post(&chain, &origin(9), &mut head.clone(), &mut full).is_ok());
    let last = JournalHead { seq: u64::MAX, ..head };
    assert_eq!(refused(&book, &last, &[back]), ("ledger.overflow", None));
    let foreign = JournalHead::empty(Bucket::new(1).unwrap());
    assert_eq!(refused(&book, &foreign, &[back]), ("ledger.bucket", Some(0)));
}

/// Pending sums count against the flags, though nothing reserves yet.
#[test]
fn pending_counts_against_the_flags() {
    let escrow = account(AccountCode::OrderEscrow, 2);
    let mut row = Account { credits_posted: 100, debits_pending: 40, ..Account::opened(&escrow) };
    assert_eq!((row.free(), row.balance()), (eur(60), eur(100)));
    let book = Book::from([(row.id, row)]);
    let head = JournalHead::empty(bucket());
    let out = |minor| leg(escrow, account(AccountCode::SellerPending, 3), minor);
    assert_eq!(refused(&book, &head, &[out(61)]), ("ledger.exceeds_credits", Some(0)));
    let chain = Chain::linked(Posting::Released, [out(60)]).unwrap();
    assert!(post(&chain, &origin(9), &mut head.clone(), &mut book.clone()).is_ok());
    row.flags = row.flags.with(AccountFlags::FROZEN);
    assert_eq!(row.free(), eur(0));
    row.flags = row.flags.without(AccountFlags::FROZEN).with(AccountFlags::CLOSED);
    assert_eq!(row.free(), eur(0));
}

#[test]
fn time_stands_still_when_a_clock_is_set_back() {
    let (mut head, mut book) = (JournalHead::empty(bucket()), Book::new());
    let chain = Chain::linked(Posting::Captured, [rail_to_escrow(1)]).unwrap();
    let mut times = Vec::new();
    for at in [5, 9, 3, 9, 10] {
        times.push(post(&chain, &origin(at), &mut head, &mut book).unwrap()[0].at.micros());
    }
    assert_eq!(times, [5, 9, 9, 9, 10]);
}

/// Transfers of one decision have ids of their own: by posting, by leg, and by index for a posting made twice.
#[test]
fn transfer_ids_differ_within_a_decision() {
    let (mut head, mut book) = (JournalHead::empty(bucket()), Book::new());
    let legs = [rail_to_escrow(1), rail_to_escrow(2)];
    let chain = |posting| Chain::linked(posting, legs).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for chain in
        [chain(Posting::Captured), chain(Posting::Captured).indexed_from(2), chain(Posting::Unapplied)]
    {
        let transfers = post(&chain, &origin(1), &mut head, &mut book).unwrap();
        assert_eq!(
            transfers.iter().map(|transfer| transfer.flags).collect::<Vec<_>>(),
            [Transfer::LINKED, 0]
        );
        ids.extend(transfers.iter().map(|transfer| transfer.transfer_id));
    }
    assert_eq!(ids.len(), 6);
    let beyond = chain(Posting::Captured).indexed_from(u16::MAX);
    assert_eq!(post(&beyond, &origin(1), &mut head, &mut book).unwrap_err().code(), "ledger.chain_too_long");
}

#[test]
fn rows_in_json() {
    let account = Account { debits_posted: 7, ..Account::opened(&account(AccountCode::RailClearing, 0xab)) };
    let json = serde_json::to_string(&account).unwrap();
    assert!(json.contains(r#""code":1000"#) && json.contains(r#""owner":"abab"#), "{json}");
    assert_eq!(serde_json::from_str::<Account>(&json).unwrap(), account);
    let head = JournalHead::empty(bucket());
    let json = serde_json::to_string(&head).unwrap();
    assert_eq!(serde_json::from_str::<JournalHead>(&json).unwrap(), head);
    for (good, bad) in [
        (r#""seq":0"#, r#""seq":-1"#),
        (r#""hash":"8a"#, r#""hash":"8A"#),
        (r#""hash":"8a0f"#, r#""hash":"8a"#),
    ] {
        assert!(json.contains(good));
        assert!(serde_json::from_str::<JournalHead>(&json.replace(good, bad)).is_err(), "{bad}");
    }
}

#[test]
fn state_hash_wants_rows_in_order() {
    let rows: Vec<Account> =
        [1, 2].map(|owner| Account::opened(&account(AccountCode::RailClearing, owner))).into();
    let (low, high) = if rows[0].id < rows[1].id { (rows[0], rows[1]) } else { (rows[1], rows[0]) };
    let head = |number| JournalHead { seq: 1, ..JournalHead::empty(Bucket::new(number).unwrap()) };
    let code = |buckets: &[(JournalHead, Vec<Account>)]| {
        state_hash(buckets.iter().cloned()).map_err(|error| error.code())
    };
    assert!(code(&[(head(416), vec![]), (head(417), vec![low, high]), (head(418), vec![])]).is_ok());
    assert_eq!(code(&[(head(417), vec![high, low])]), Err("ledger.verify_order"));
    assert_eq!(code(&[(head(417), vec![low, low])]), Err("ledger.verify_order"));
    assert_eq!(code(&[(head(416), vec![low])]), Err("ledger.verify_order"));
    assert_eq!(code(&[(head(417), vec![]), (head(416), vec![])]), Err("ledger.verify_order"));
    assert_eq!(code(&[(head(417), vec![]), (head(417), vec![])]), Err("ledger.verify_order"));
    assert_eq!(StateHash::default().finish(), StateHash::new().finish());
}
