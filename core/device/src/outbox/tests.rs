//! Limits at n and n + 1, the order of checks, and what a batch takes.

use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::id::{AccountId, DeviceId, OfferId, OrderId, ShopId, form_c};
use souk_domain::intent::{Body, PlaceOrder, ShortPolicy, WantedLine};
use souk_domain::money::{Currency, Money};
use souk_domain::party::DeviceKey;
use souk_domain::time::Span;
use souk_protocol::limits::{BIN_BYTES_MAX, PUSH_BYTES_MAX, PUSH_ITEMS_MAX, TEXT_BYTES_MAX};
use souk_protocol::sync::PushItem;

use super::enqueue::{check_budget, draft, insert, kept};
use super::send::{Taken, Want, take};
use super::*;
use crate::clock::{Estimate, Now};
use crate::limits::{BULK_ROWS_MAX, CHAT_ROWS_MAX, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX};
use crate::store::session::{RegState, Session};
use crate::store::{DeviceFiles, FilesConfig};
use crate::testing::Mutants;

const AT: Time = Time::from_secs(1_795_348_800);
const NOW: Now = Now { mono_ms: 1_000, boot: 1, wall: AT };
const CLOCK: Estimate = Estimate { at: AT, err_ms: Some(80) };

struct Case {
    _dir: tempfile::TempDir,
    files: DeviceFiles,
    session: Session,
    key: Ed25519Key,
    minted: u64,
}

impl Case {
    fn new() -> Case {
        let dir = tempfile::tempdir().unwrap();
        let files = DeviceFiles::open(&FilesConfig::in_dir(dir.path()), [7; 16]).unwrap();
        let key = Ed25519Key::from_seed([5; 32]);
        let session = Session {
            reg: 1,
            account: "018f3c2a5b007abc8def0123456789ab".parse::<AccountId>().unwrap(),
            device: DeviceId::from_bytes([9; 16]).unwrap(),
            key: DeviceKey::new(key.public_key()),
            epoch: 2,
            state: RegState::Active,
        };
        Case { _dir: dir, files, session, key, minted: 0 }
    }

    /// Queues a body; answers its id or the code of its refusal.
    fn queue(&mut self, tap: Tap) -> Result<IntentId, String> {
        self.minted += 1;
        let mut random = [0; 9];
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        let dev_seq = enqueue::next_dev_seq(&self.files.user).unwrap();
        let made = draft(tap, &self.session, dev_seq, CLOCK, None, random).map_err(|error| error.code)?;
        let tx = self.files.user.transaction().unwrap();
        let id = insert(&tx, &made, &self.session, None, None, NOW).unwrap();
        tx.commit().unwrap();
        Ok(id)
    }

    /// Fills the outbox with rows that only count.
    fn fill(&mut self, rows: usize, lane: Lane, bytes: usize) {
        let tx = self.files.user.transaction().unwrap();
        {
            let mut insert = tx
                .prepare(
                    "INSERT INTO outbox(id, reg, dev_seq, made_epoch, kind, home, lane, bucket, text, hash, bin,
                    made_at, not_after, made_boot, made_mono, epoch, state) VALUES
                    (?1, 1, ?2, 2, 'Ship', 'acct', ?3, 1, '', x'', zeroblob(?4), 0, 0, 0, 0, 2, 0)",
                )
                .unwrap();
            for _ in 0..rows {
                self.minted += 1;
                let id = (u128::from(self.minted) | 1 << 100).to_be_bytes();
                insert
                    .execute((id.as_slice(), self.minted as i64 + 1_000_000, lane.number(), bytes as i64))
                    .unwrap();
            }
        }
        tx.commit().unwrap();
    }

    fn empty(&mut self) {
        self.files.user.execute("DELETE FROM outbox", []).unwrap();
    }

    fn budget(&self, lane: Lane, bytes: usize) -> Result<(), (String, Option<i64>)> {
        check_budget(&self.files.user, lane, bytes).map_err(|error| (error.code, error.facts.int("limit")))
    }

    fn take(&mut self, want: &Want) -> Taken {
        let tx = self.files.user.transaction().unwrap();
        let mint = |_| panic!("no mutant here");
        let taken = take(&tx, &self.session, want, Mutants::default(), &self.key, mint).unwrap();
        tx.commit().unwrap();
        taken
    }
}

fn want(lanes: &[Lane]) -> Want {
    Want { lanes: lanes.to_vec(), rows_max: PUSH_ITEMS_MAX, slow: Default::default(), now_mono: 1_000 }
}

fn order(bucket: u16, n: u8) -> OrderId {
    let bucket = Bucket::new(bucket).unwrap();
    OrderId::from_bytes(souk_domain::id::form_u(5, bucket, [n; 9])).unwrap()
}

fn cancel(bucket: u16) -> Tap {
    Tap::of(Body::CancelOrder { order: order(bucket, 1) })
}

fn confirm(bucket: u16) -> Tap {
    Tap::of(Body::Confirm { order: order(bucket, 1) })
}

fn positions(taken: &Taken) -> Vec<(Lane, u16, u64)> {
    let Taken::Batch(items) = taken else { panic!("{taken:?}") };
    let place = |item: &PushItem| match item {
        PushItem::Intent(item) => (item.lane, item.bucket.number(), item.pos),
        PushItem::Void(item) => (item.lane, item.bucket.number(), item.pos),
        PushItem::Malformed(_) => panic!("a device sends no such item"),
    };
    items.iter().map(place).collect()
}

#[test]
fn rows_of_the_outbox() {
    let mut case = Case::new();
    let refused = |limit: usize| Err(("outbox.full".to_owned(), Some(limit as i64)));
    case.fill(OUTBOX_ROWS_MAX - 1, Lane::Order, 0);
    assert_eq!(case.budget(Lane::Money, 1), Ok(()));
    // Chat and bulk end earlier, so that money always has room.
    assert_eq!(case.budget(Lane::Bulk, 1), refused(8_000));
    case.fill(1, Lane::Order, 0);
    assert_eq!(case.budget(Lane::Money, 1), refused(OUTBOX_ROWS_MAX));
    case.empty();
    for (lane, limit) in [(Lane::Chat, CHAT_ROWS_MAX), (Lane::Bulk, BULK_ROWS_MAX)] {
        case.fill(limit - 1, lane, 0);
        assert_eq!(case.budget(lane, 1), Ok(()));
        case.fill(1, lane, 0);
        assert_eq!(case.budget(lane, 1), refused(limit));
        assert_eq!(case.budget(Lane::Money, 1), Ok(()));
        case.empty();
    }
}

#[test]
fn bytes_of_the_outbox() {
    let mut case = Case::new();
    let mib = 1 << 20;
    case.fill(OUTBOX_BYTES_MAX / mib - 1, Lane::Order, mib);
    assert_eq!(case.budget(Lane::Order, mib), Ok(()));
    assert!(case.budget(Lane::Order, mib + 1).is_err());
    assert!(case.budget(Lane::Bulk, 1).is_err());
}

#[test]
fn sizes_of_texts_and_bytes_beside_them() {
    let mut case = Case::new();
    let case_of = |chars: usize| Tap::of(Body::OpenCase { order: order(7, 1), reason: "x".repeat(chars) });
    let id = case.queue(case_of(10)).unwrap();
    let frame = find(&case.files.user, id).unwrap().unwrap().text.len() - 10;
    assert!(case.queue(case_of(TEXT_BYTES_MAX - frame)).is_ok());
    assert_eq!(case.queue(case_of(TEXT_BYTES_MAX - frame + 1)), Err("intent.too_large".to_owned()));
    // The form of an address is read at the tap; filled up with blanks it is as long as may be.
    let address = souk_protocol::views::AddressView {
        name: "Kim".to_owned(),
        lines: vec!["1 Sejong-daero".to_owned()],
        city: "Seoul".to_owned(),
        country: "KR".to_owned(),
        ..Default::default()
    };
    let address = souk_protocol::views::address_bin([7; 16], &address).unwrap();
    let place = |bin: usize| {
        let mut bytes = address.clone();
        bytes.resize(bin, b' ');
        let bucket = Bucket::new(7).unwrap();
        let shop = ShopId::from_bytes(souk_domain::id::form_u(5, bucket, [1; 9])).unwrap();
        let offer = OfferId::from_bytes(form_c(bucket, 1)).unwrap();
        let lines = vec![WantedLine { offer, quantity: 1, seen: 100 }];
        let body = Body::PlaceOrder(PlaceOrder {
            shop,
            lines,
            policy: ShortPolicy::AllOrNothing,
            note: String::new(),
        });
        let max_total = Some(Money::new(100, Currency::from_code("KRW").unwrap()));
        Tap { bin: bytes, max_total, ..Tap::of(body) }
    };
    assert_eq!(case.queue(place(BIN_BYTES_MAX)).map(|_| ()), Ok(()));
    assert_eq!(case.queue(place(BIN_BYTES_MAX + 1)), Err("intent.too_large".to_owned()));
}

#[test]
fn a_row_is_as_it_was_tapped() {
    let mut case = Case::new();
    let tap = Tap { copy: serde_json::json!({"title": "Green tea"}), ..cancel(417) };
    let id = case.queue(tap).unwrap();
    let row = find(&case.files.user, id).unwrap().unwrap();
    assert_eq!((row.id.bucket().number(), row.bucket.number()), (417, 417));
    assert_eq!((row.dev_seq, row.lane, row.state), (1, Lane::Order, RowState::Queued));
    assert_eq!(row.not_after, AT.plus(Span::from_hours(24)));
    assert_eq!(row.hash, souk_protocol::intent::hash(&row.text));
    assert_eq!(kept(&case.files.user, id).unwrap().unwrap().copy["title"], "Green tea");
    let second = case.queue(cancel(417)).unwrap();
    assert_eq!(find(&case.files.user, second).unwrap().unwrap().dev_seq, 2);
    // A confirmation that comes late does no harm: it waits a month.
    let third = case.queue(confirm(417)).unwrap();
    assert_eq!(find(&case.files.user, third).unwrap().unwrap().not_after, AT.plus(Span::from_days(30)));
}

#[test]
fn a_batch_is_filled_by_priority_and_keeps_each_stream_in_order() {
    let mut case = Case::new();
    for bucket in [7, 8, 7] {
        case.queue(cancel(bucket)).unwrap();
    }
    case.queue(confirm(8)).unwrap();
    let lanes = [Lane::Money, Lane::Order, Lane::Courier];
    let first = case.take(&want(&lanes));
    let expected = [(Lane::Money, 8, 1), (Lane::Order, 7, 1), (Lane::Order, 8, 1), (Lane::Order, 7, 2)];
    assert_eq!(positions(&first), expected);
    // Again: the same positions; what comes behind goes on from there.
    case.queue(cancel(7)).unwrap();
    let again = positions(&case.take(&want(&lanes)));
    assert_eq!(again[..4], expected);
    assert_eq!(again[4], (Lane::Order, 7, 3));
    // A wait that was told to one row holds for its stream.
    case.files
        .user
        .execute("UPDATE outbox SET next_try_mono = 9000 WHERE pos = 1 AND bucket = 7", [])
        .unwrap();
    let rest = positions(&case.take(&want(&lanes)));
    assert_eq!(rest, [(Lane::Money, 8, 1), (Lane::Order, 8, 1)]);
    let slow = Want { slow: [(Lane::Order, 5_000)].into(), ..want(&lanes) };
    assert_eq!(positions(&case.take(&slow)), [(Lane::Money, 8, 1)]);
    let slow = Want { slow: [(Lane::Order, 5_000), (Lane::Money, 4_000)].into(), ..want(&lanes) };
    assert_eq!(case.take(&slow), Taken::Later(4_000));
    assert_eq!(case.take(&want(&[Lane::Bulk])), Taken::Nothing);
}

#[test]
fn a_batch_has_its_bounds() {
    let mut case = Case::new();
    for n in 0..PUSH_ITEMS_MAX + 1 {
        case.queue(cancel((n % 1_000) as u16)).unwrap();
    }
    case.queue(confirm(3)).unwrap();
    let lanes = [Lane::Money, Lane::Order];
    let Taken::Batch(items) = case.take(&Want { rows_max: 8, ..want(&lanes) }) else { panic!() };
    // One of money, and of orders three quarters at most.
    assert_eq!(items.len(), 7);
    let Taken::Batch(items) = case.take(&want(&[Lane::Order])) else { panic!() };
    let bytes: usize = items.iter().map(|item| serde_json::to_string(item).unwrap().len() + 1).sum();
    assert!(bytes <= PUSH_BYTES_MAX && items.len() <= PUSH_ITEMS_MAX, "{bytes} {}", items.len());
    // A row that is larger than a batch goes alone.
    case.empty();
    for _ in 0..6 {
        let reason = "\"".repeat(TEXT_BYTES_MAX / 2 - 400);
        case.queue(Tap::of(Body::OpenCase { order: order(7, 1), reason })).unwrap();
    }
    let Taken::Batch(items) = case.take(&want(&[Lane::Money])) else { panic!() };
    assert!(items.len() < 6 && !items.is_empty());
    assert_eq!(positions(&Taken::Batch(items))[0].2, 1);
}

#[test]
fn rows_whose_age_is_unknown_are_not_sent() {
    let mut case = Case::new();
    case.queue(cancel(7)).unwrap();
    case.files.user.execute("UPDATE outbox SET flags = 8", []).unwrap();
    assert_eq!(case.take(&want(&[Lane::Order])), Taken::Nothing);
}

#[test]
fn what_a_person_needs_to_see_is_never_removed_by_age() {
    let mut case = Case::new();
    let later = AT.plus(Span::from_days(400));
    for _ in 0..4 {
        case.queue(cancel(7)).unwrap();
    }
    let set = |case: &Case, dev_seq: i64, flags: i64| {
        case.files
            .user
            .execute(
                "UPDATE outbox SET state = 3, flags = ?2, decided_at = ?3 WHERE dev_seq = ?1",
                (dev_seq, flags, AT.micros()),
            )
            .unwrap();
    };
    set(&case, 1, flag::SEEN | flag::SHOWN);
    set(&case, 2, flag::SHOWN);
    set(&case, 3, flag::SEEN);
    let user = &case.files.user;
    assert_eq!(settle::retire(user, AT.plus(Span::from_days(30))).unwrap(), 0);
    assert_eq!(settle::retire(user, later).unwrap(), 1, "seen, shown and old");
    let left: Vec<u64> = rows_where(user, "true", &[]).unwrap().iter().map(|row| row.dev_seq).collect();
    assert_eq!(left, [2, 3, 4]);
    let key: &dyn Signer = &case.key;
    assert_eq!(*case.session.key.public_key(), key.public_key());
}
