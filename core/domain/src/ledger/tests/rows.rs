//! Stored rows that contradict each other: each is found, named and placed.

use super::*;
use crate::ledger::postings::*;
use crate::ledger::verify::VerifyError;

/// A small journal: capture, release to three accounts, one more capture.
fn journal() -> (Vec<Account>, Vec<Transfer>, JournalHead) {
    let (mut book, mut head, mut transfers) = (Book::new(), JournalHead::empty(bucket()), Vec::new());
    let fees = LineFees { commission: eur(300), service: eur(0), tax: eur(60) };
    let lines = [ReleasedLine { amount: eur(10_000), fees }];
    let release =
        Release { order: order(), seller: shop(), courier: None, authority: AUTHORITY, lines: &lines };
    let chains =
        [captured(order(), RAIL, eur(10_000)), released(&release), captured(order(), RAIL, eur(500))];
    for (index, chain) in chains.into_iter().enumerate() {
        let mut origin = origin(10 * index as i64);
        origin.intent_id[0] = index as u8;
        transfers.extend(post(&chain.unwrap(), &origin, &mut head, &mut book).unwrap());
    }
    (book.into_values().collect(), transfers, head)
}

/// Hashes a changed journal anew, as somebody would who edits rows and can compute.
fn rehash(transfers: &mut [Transfer]) -> JournalHead {
    let mut head = JournalHead::empty(bucket());
    for transfer in transfers {
        transfer.hash = head.hash_with(transfer);
        head.advance(transfer);
    }
    head
}

#[test]
fn an_edited_row_is_found_by_its_hash() {
    let edits: [fn(&mut Transfer); 13] = [
        |t| t.currency = Currency::USD,
        |t| t.posting = Posting::CreditNote,
        |t| t.amount += 1,
        |t| t.at = t.at.plus(crate::time::Span::from_micros(1)),
        |t| t.transfer_id = derived(9),
        |t| t.debit = derived(9),
        |t| t.credit = derived(9),
        |t| t.intent_id[15] ^= 1,
        |t| t.ref_id[15] ^= 1,
        |t| t.pending_id = Some(derived(9)),
        |t| t.deadline = Some(Time::from_micros(1)),
        |t| t.hash[31] ^= 1,
        |t| t.flags ^= Transfer::LINKED,
    ];
    let (accounts, transfers, head) = journal();
    // The last row: nothing behind it gives a change away.
    for edit in edits {
        let mut edited = transfers.clone();
        edit(edited.last_mut().unwrap());
        let error = verify(accounts.clone(), edited, &head).unwrap_err();
        assert_eq!(error.to_string(), "ledger.verify_hash at transfer 5");
    }
}

#[test]
fn a_journal_that_was_edited_and_hashed_anew_is_found_by_its_sums() {
    type Edit = fn(&mut Vec<Transfer>);
    let edits: [(Edit, &str); 12] = [
        (|rows| rows[0].amount += 1, "ledger.verify_balance at transfer 1"),
        (|rows| rows[0].amount = 0, "ledger.verify_leg at transfer 1"),
        (|rows| rows[0].amount = MINOR_MAX + 1, "ledger.verify_leg at transfer 1"),
        (|rows| rows[0].debit = rows[0].credit, "ledger.verify_leg at transfer 1"),
        (|rows| rows[0].currency = Currency::USD, "ledger.verify_leg at transfer 1"),
        (|rows| rows[0].credit = derived(9), "ledger.account_unknown at transfer 1"),
        (|rows| rows[1].debit_balance_after += 1, "ledger.verify_balance at transfer 2"),
        (|rows| rows[1].amount = 10_001, "ledger.verify_flags at transfer 2"),
        (|rows| rows[1].kind = TransferKind::Pending, "ledger.verify_kind at transfer 2"),
        (|rows| rows[2].intent_id[0] = 77, "ledger.verify_linked at transfer 3"),
        (|rows| rows[4].at = Time::from_micros(9), "ledger.verify_time at transfer 5"),
        (|rows| rows[4].bucket = Bucket::new(1).unwrap(), "ledger.verify_order at transfer 5"),
    ];
    let (accounts, transfers, _) = journal();
    for (edit, expected) in edits {
        let mut edited = transfers.clone();
        edit(&mut edited);
        let head = rehash(&mut edited);
        assert_eq!(verify(accounts.clone(), edited, &head).unwrap_err().to_string(), expected);
    }
}

#[test]
fn rows_left_out_or_doubled_are_found() {
    let (accounts, transfers, head) = journal();
    let check = |rows: Vec<Account>, journal: Vec<Transfer>, head: &JournalHead, expected: &str| {
        assert_eq!(verify(rows, journal, head).map_err(VerifyError::code), Err(expected));
    };
    let without = |index: usize| {
        let mut rows = transfers.clone();
        rows.remove(index);
        rows
    };
    check(accounts.clone(), without(0), &head, "ledger.verify_sequence");
    check(accounts.clone(), without(2), &head, "ledger.verify_sequence");
    check(accounts.clone(), without(4), &head, "ledger.verify_differs");
    check(accounts.clone(), transfers[..2].to_vec(), &head, "ledger.verify_linked");
    check(accounts.clone(), [&transfers[..1], &transfers[..]].concat(), &head, "ledger.verify_sequence");
    check(accounts.clone(), Vec::new(), &head, "ledger.verify_differs");
    check(accounts[1..].to_vec(), transfers.clone(), &head, "ledger.account_unknown");
    check([&accounts[..1], &accounts[..]].concat(), transfers.clone(), &head, "ledger.verify_order");
    check(accounts.clone(), transfers.clone(), &JournalHead { seq: 6, ..head }, "ledger.verify_differs");
    let stranger = Account::opened(&account(AccountCode::RailClearing, 9));
    let summary = verify([&accounts[..], &[stranger]].concat(), transfers.clone(), &head).unwrap();
    assert_eq!(summary.accounts, 6, "an account that was opened and never used contradicts nothing");
}

#[test]
fn an_edited_account_is_found() {
    type Edit = fn(&mut Account);
    let edits: [(Edit, &str); 9] = [
        (|row| row.debits_posted += 1, "ledger.verify_differs"),
        (|row| row.credits_posted += 1, "ledger.verify_differs"),
        (|row| row.debits_pending += 1, "ledger.verify_differs"),
        (|row| row.credits_pending += 1, "ledger.verify_differs"),
        (|row| row.last_seq += 1, "ledger.verify_differs"),
        (|row| row.owner[0] ^= 1, "ledger.verify_account"),
        (|row| row.sub = 1, "ledger.verify_account"),
        (|row| row.currency = Currency::USD, "ledger.verify_account"),
        (|row| row.id = DerivedId::derived(Bucket::new(1).unwrap(), &[0; 32]), "ledger.verify_order"),
    ];
    let (accounts, transfers, head) = journal();
    for index in 0..accounts.len() {
        for (edit, expected) in edits {
            let mut edited = accounts.clone();
            edit(&mut edited[index]);
            let error = verify(edited, transfers.clone(), &head).unwrap_err();
            assert_eq!(error.code(), expected);
        }
    }
    let escrow = accounts.iter().position(|row| row.code == AccountCode::OrderEscrow).unwrap();
    let mut edited = accounts.clone();
    edited[escrow].flags = AccountFlags::NONE;
    assert_eq!(verify(edited, transfers, &head).unwrap_err().code(), "ledger.verify_account");
}
