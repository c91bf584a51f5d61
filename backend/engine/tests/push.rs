//! Pushes: the table of spec/sync.md 4.2, case by case, on the real store.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use market::{BUYER, Market, SELLER, accepted, address, krw, refused};
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::bookkeeping::{Lane, Minted, Stream};
use souk_domain::id::{DerivedId, DeviceId, IntentId, OfferId};
use souk_domain::intent::{Body, EnrolDevice, ServerAct};
use souk_domain::order::OrderState;
use souk_domain::outcome::Outcome;
use souk_domain::party::{AccountRoles, DeviceKey};
use souk_domain::rows::Key;
use souk_domain::time::Span;
use souk_engine::sign_in::{raise_epoch, revoke};
use souk_engine::{Answer, Ask, Mutants};
use souk_protocol::intent::{IntentText, hash};
use souk_protocol::sync::{IntentItem, PushItem, PushState, SignedText};

fn state(state: &PushState) -> String {
    match state {
        PushState::Decided { outcome } => match Outcome::from(outcome.clone()) {
            Outcome::Accepted { .. } => "accepted".to_owned(),
            Outcome::Rejected { code, .. } => format!("rejected {code}"),
            Outcome::Expired => "expired".to_owned(),
            Outcome::Withdrawn => "withdrawn".to_owned(),
        },
        PushState::Conflict => "conflict".to_owned(),
        PushState::Later { .. } => "later".to_owned(),
        PushState::Fork { last } => format!("fork {last}"),
        PushState::Refused { code } => format!("refused {code}"),
    }
}

fn push(market: &mut Market, who: usize, items: Vec<PushItem>) -> Vec<String> {
    market.push_results(who, items).iter().map(|result| state(&result.state)).collect()
}

fn at(lane: Lane, id: IntentId, pos: u64, signed: SignedText) -> PushItem {
    PushItem::Intent(IntentItem { lane, bucket: id.bucket(), pos, signed })
}

/// A market with one offer, and a signed order that was not sent yet.
fn with_order() -> (Market, OfferId, IntentId, SignedText) {
    let mut market = Market::open_shop(2);
    let offer = market.put_product("A-1", 10_000, 5);
    let (id, signed) = order(&mut market, offer);
    (market, offer, id, signed)
}

fn order(market: &mut Market, offer: OfferId) -> (IntentId, SignedText) {
    let id = market.mint(market.shop_bucket());
    let body = market.place_body(&[(offer, 1, 10_000)]);
    let now = market.now;
    (id, market.people[BUYER].text(id, &body, &address(), now))
}

fn stream(market: &Market, who: usize, lane: Lane) -> Option<(u64, u64)> {
    let key = Key::stream_of(market.shop_bucket(), market.people[who].device, market.people[who].epoch, lane);
    let row: Option<Stream> = futures::executor::block_on(market.reader.row(key)).unwrap();
    row.map(|row| (row.last, row.reused))
}

#[test]
fn positions() {
    let (mut market, offer, id, signed) = with_order();
    let item = at(Lane::Order, id, 1, signed.clone());
    assert_eq!(push(&mut market, BUYER, vec![item.clone()]), ["accepted"]);
    assert_eq!(stream(&market, BUYER, Lane::Order), Some((1, 0)));
    // The same again, at its place, at another one, and twice in one request: the stored outcome, once.
    assert_eq!(push(&mut market, BUYER, vec![item.clone(), item]), ["accepted", "accepted"]);
    assert_eq!(stream(&market, BUYER, Lane::Order), Some((1, 0)));
    // In front of an unknown one a known id uses the position up.
    let (next, text) = order(&mut market, offer);
    let items = vec![at(Lane::Order, id, 2, signed.clone()), at(Lane::Order, next, 3, text)];
    assert_eq!(push(&mut market, BUYER, items), ["accepted", "accepted"]);
    assert_eq!(stream(&market, BUYER, Lane::Order), Some((3, 1)));
    // A gap, and a position used before: fork, and the rest of that stream in the request is left alone.
    for pos in [0, 3, 5, u64::MAX] {
        let (first, text) = order(&mut market, offer);
        let (second, other) = order(&mut market, offer);
        let bulk = market.mint(market.people[BUYER].account.bucket());
        let line = Body::SetCartLine { offer, quantity: 1, seen: krw(10_000) };
        let now = market.now;
        let line = market.people[BUYER].text(bulk, &line, &[], now);
        let pos_bulk = market.people[BUYER].sent.entry((bulk.bucket(), Lane::Bulk)).or_default();
        *pos_bulk += 1;
        let pos_bulk = *pos_bulk;
        let items = vec![
            at(Lane::Order, first, pos, text),
            at(Lane::Bulk, bulk, pos_bulk, line),
            at(Lane::Order, second, 4, other),
            at(Lane::Order, id, 4, signed.clone()),
        ];
        assert_eq!(push(&mut market, BUYER, items), ["fork 3", "accepted", "fork 3", "fork 3"], "{pos}");
        assert_eq!(stream(&market, BUYER, Lane::Order), Some((3, 1)));
    }
}

#[test]
fn known_id_with_other_content_is_a_conflict() {
    let (mut market, offer, id, signed) = with_order();
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Order, id, 1, signed)]), ["accepted"]);
    let body = market.place_body(&[(offer, 2, 10_000)]);
    let now = market.now;
    let other = market.people[BUYER].text(id, &body, &address(), now);
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Order, id, 2, other.clone())]), ["conflict"]);
    assert_eq!(stream(&market, BUYER, Lane::Order), Some((2, 1)));
    let direct = Ask::direct(market.people[BUYER].actor(), other);
    let answer = futures::executor::block_on(market.engine.decide_one(direct, market.now));
    assert_eq!(state(&answer.results()[0].state), "conflict");
}

#[test]
fn void_before_and_after() {
    let (mut market, _, id, signed) = with_order();
    let hash_of = hash(&signed.text);
    let void = market.people[BUYER].void(Lane::Order, id, hash_of);
    assert_eq!(push(&mut market, BUYER, vec![void.clone()]), ["withdrawn"]);
    // A late duplicate of the intent can never execute.
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Order, id, 2, signed)]), ["withdrawn"]);
    assert_eq!(push(&mut market, BUYER, vec![void]), ["withdrawn"]);
    // Decided first: the stored outcome.
    let (mut market, _, id, signed) = with_order();
    let item = market.people[BUYER].item(Lane::Order, id.bucket(), signed.clone());
    assert_eq!(push(&mut market, BUYER, vec![item]), ["accepted"]);
    let void = market.people[BUYER].void(Lane::Order, id, hash_of);
    assert_eq!(push(&mut market, BUYER, vec![void]), ["accepted"]);
}

/// What is wrong with a text, its answer, and whether the position is used up.
#[test]
fn stored_and_unstored_refusals() {
    let (mut market, offer, ..) = with_order();
    let mut pos = 0;
    let mut check = |market: &mut Market, what: &str, id: IntentId, lane: Lane, signed: SignedText| {
        let answer = push(market, BUYER, vec![at(lane, id, pos + 1, signed)]).remove(0);
        if !answer.starts_with("refused") {
            pos += 1;
        }
        assert_eq!(stream(market, BUYER, lane).unwrap_or_default().0, pos, "{what}");
        answer
    };
    let text_of = |signed: &SignedText| IntentText::parse(&signed.text).unwrap();
    let (id, good) = order(&mut market, offer);

    let foreign = {
        let mut text = text_of(&good);
        text.mint.account = market.people[SELLER].account;
        market.people[BUYER].sign(&text, &address())
    };
    assert_eq!(check(&mut market, "account", id, Lane::Order, foreign), "refused intent.actor");
    let foreign = {
        let mut text = text_of(&good);
        text.mint.device = DeviceId::from_bytes([99; 16]).unwrap();
        market.people[BUYER].sign(&text, &address())
    };
    assert_eq!(check(&mut market, "device", id, Lane::Order, foreign), "refused intent.actor");
    let broken = SignedText { text: "{}".to_owned(), bin: Vec::new(), sig: None };
    assert_eq!(check(&mut market, "no id", id, Lane::Order, broken), "refused intent.form");

    let unsigned = SignedText { sig: None, ..good.clone() };
    let answer = check(&mut market, "unsigned", id, Lane::Order, unsigned);
    assert_eq!(answer, "rejected intent.signature_missing");
    // The refusal is the outcome of that id for ever.
    assert_eq!(
        push(&mut market, BUYER, vec![at(Lane::Order, id, 1, good)]),
        ["rejected intent.signature_missing"]
    );

    let (id, good) = order(&mut market, offer);
    let (_, other) = order(&mut market, offer);
    let forged = SignedText { sig: other.sig, ..good };
    assert_eq!(check(&mut market, "signature", id, Lane::Order, forged), "rejected intent.signature");

    let (id, good) = order(&mut market, offer);
    let spaced = SignedText { text: good.text.replacen(',', ", ", 1), ..good };
    assert_eq!(check(&mut market, "not canonical", id, Lane::Order, spaced), "rejected intent.form");

    let (id, good) = order(&mut market, offer);
    let swapped = SignedText { bin: vec![1; 20], ..good };
    assert_eq!(check(&mut market, "bin", id, Lane::Order, swapped), "rejected intent.form");

    let (id, good) = order(&mut market, offer);
    let unknown = SignedText { text: good.text.replace("PlaceOrder", "PlaceOrders"), ..good };
    assert_eq!(check(&mut market, "kind", id, Lane::Order, unknown), "rejected intent.kind");

    let (id, good) = order(&mut market, offer);
    market.wait(Span::from_hours(25));
    assert_eq!(check(&mut market, "late", id, Lane::Order, good), "expired");

    let id = market.mint(market.people[SELLER].account.bucket());
    let body = Body::SetCartLine { offer, quantity: 1, seen: krw(10_000) };
    let now = market.now;
    let signed = market.people[BUYER].text(id, &body, &[], now);
    assert_eq!(check(&mut market, "bucket", id, Lane::Order, signed), "rejected intent.bucket");

    let id = market.mint(market.shop_bucket());
    let order_id = souk_domain::id::OrderId::from_bytes(*id.bytes()).unwrap();
    let signed = market.people[BUYER].text(id, &Body::Confirm { order: order_id }, &[], now);
    assert_eq!(check(&mut market, "lane", id, Lane::Order, signed), "rejected intent.form");

    // The bucket of the stream is not that of the id: not stored, because it is not known where.
    let (_, good) = order(&mut market, offer);
    let elsewhere = market.people[BUYER].account.bucket();
    let item = PushItem::Intent(IntentItem { lane: Lane::Order, bucket: elsewhere, pos: 1, signed: good });
    assert_eq!(push(&mut market, BUYER, vec![item]), ["refused intent.bucket"]);
    let malformed = PushItem::Malformed(serde_json::json!({"lane": "orders"}));
    let (next, good) = order(&mut market, offer);
    let items = vec![malformed, at(Lane::Order, next, pos + 1, good)];
    assert_eq!(push(&mut market, BUYER, items), ["refused intent.form", "accepted"]);
}

#[test]
fn an_id_of_somebody_else_and_a_copied_device() {
    let (mut market, offer, id, signed) = with_order();
    let item = market.people[BUYER].item(Lane::Order, id.bucket(), signed);
    assert_eq!(push(&mut market, BUYER, vec![item]), ["accepted"]);
    let body = market.place_body(&[(offer, 1, 10_000)]);
    refused(&market.send(BUYER + 1, id, body, &address()), "intent.id_taken");

    // The same minted number under another id, in lane money.
    let order = souk_domain::id::OrderId::from_bytes(*id.bytes()).unwrap();
    accepted(&market.pay_start(BUYER, order));
    market.people[BUYER].dev_seq -= 1;
    refused(&market.pay_start(BUYER, order), "device.cloned");
    let (device, dev_seq) = (market.people[BUYER].device, market.people[BUYER].dev_seq);
    let minted: Minted = market.one(Key::minted_of(market.shop_bucket(), device, 1, dev_seq));
    assert_eq!(minted.dev_seq, dev_seq);
}

#[test]
fn epochs_and_revocation() {
    let (mut market, offer, id, signed) = with_order();
    let (account, device) = (market.people[BUYER].account, market.people[BUYER].device);
    let outcome = market.server(raise_epoch(account, device, 1));
    assert_eq!(souk_engine::sign_in::epoch_of(&outcome), Ok(2));
    let item = at(Lane::Order, id, 1, signed.clone());
    let Answer::Refused(refusal) = market.push(BUYER, vec![item.clone()]) else { panic!("an old epoch") };
    assert_eq!((refusal.code, refusal.facts.int("epoch")), ("device.epoch", Some(2)));
    // A higher one is adopted: the server was restored. Texts keep the epoch that they were minted in.
    market.people[BUYER].epoch = 5;
    assert_eq!(push(&mut market, BUYER, vec![item]), ["accepted"]);
    market.people[BUYER].epoch = 4;
    assert!(matches!(market.push(BUYER, Vec::new()), Answer::Refused(_)));

    market.people[BUYER].epoch = 5;
    accepted(&market.server(revoke(account, device)));
    let (id, signed) = order(&mut market, offer);
    let Answer::Refused(refusal) = market.push(BUYER, vec![at(Lane::Order, id, 2, signed)]) else {
        panic!("a revoked device")
    };
    assert_eq!(refusal.code, "device.revoked");
}

/// What a former device of the account minted: good while it was only replaced, refused once it is cut off.
#[test]
fn texts_of_a_former_device() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let texts: Vec<_> = (0..2).map(|_| order(&mut market, offer)).collect();
    let (account, former) = (market.people[BUYER].account, market.people[BUYER].device);
    let (device, key) = (DeviceId::from_bytes([88; 16]).unwrap(), Ed25519Key::from_seed([88; 32]));
    let enrol = EnrolDevice {
        account,
        name: String::new(),
        roles: AccountRoles::default(),
        device,
        key: DeviceKey::new(key.public_key()),
        label: String::new(),
        replaces: Some(former),
    };
    let id = DerivedId::derived(account.bucket(), &[1; 32]).into();
    accepted(&market.server(Ask::Server { id, act: ServerAct::EnrolDevice(enrol) }));
    let from_former = |market: &mut Market| market.push(BUYER, Vec::new());
    assert!(matches!(from_former(&mut market), Answer::Refused(refusal) if refusal.code == "device.revoked"));
    market.people[BUYER].device = device;
    market.people[BUYER].key = key;
    let send = |market: &mut Market, pos: u64, (id, signed): (IntentId, SignedText)| {
        push(market, BUYER, vec![at(Lane::Order, id, pos, signed)]).remove(0)
    };
    assert_eq!(send(&mut market, 1, texts[0].clone()), "accepted");
    accepted(&market.server(revoke(account, former)));
    assert_eq!(send(&mut market, 2, texts[1].clone()), "rejected device.revoked");
    assert_eq!(send(&mut market, 3, texts[0].clone()), "accepted", "what was decided stands");
}

#[test]
fn one_bad_item_blocks_nothing() {
    let (mut market, offer, id, signed) = with_order();
    let (second, text) = order(&mut market, offer);
    let unsigned = SignedText { sig: None, ..signed };
    let items = vec![
        market.people[BUYER].item(Lane::Order, id.bucket(), unsigned),
        market.people[BUYER].item(Lane::Order, second.bucket(), text),
    ];
    assert_eq!(push(&mut market, BUYER, items), ["rejected intent.signature_missing", "accepted"]);
}

#[test]
fn a_batch_is_one_commit_and_many_asks() {
    let mut market = Market::open_shop(20);
    let offer = market.put_product("A-1", 10_000, 5);
    let before = commits(&market);
    let mut asks = Vec::new();
    for who in BUYER..BUYER + 20 {
        let id = market.mint(market.shop_bucket());
        let body = market.place_body(&[(offer, 1, 10_000)]);
        let now = market.now;
        let signed = market.people[who].text(id, &body, &address(), now);
        let item = market.people[who].item(Lane::Order, id.bucket(), signed);
        asks.push(Ask::push(market.people[who].actor(), 1, vec![item]));
    }
    let answers = futures::executor::block_on(market.engine.decide_batch(asks, market.now));
    let states: Vec<String> = answers.iter().map(|answer| state(&answer.results()[0].state)).collect();
    assert_eq!(states.iter().filter(|state| *state == "accepted").count(), 5, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "rejected stock.short").count(), 15, "{states:?}");
    assert_eq!(commits(&market), before + 1);
    market.check();
}

fn commits(market: &Market) -> u64 {
    market.engine.metrics().commits.load(std::sync::atomic::Ordering::Relaxed)
}

/// The mutants that the simulator takes out are really out.
#[test]
fn guards_can_be_taken_out() {
    let mut market = Market::with(1, Mutants { no_dedupe: true, ..Mutants::NONE });
    market.make_shop();
    let offer = market.put_product("A-1", 10_000, 5);
    let line = Body::SetCartLine { offer, quantity: 1, seen: krw(10_000) };
    let id = market.mint(market.people[BUYER].account.bucket());
    let now = market.now;
    let signed = market.people[BUYER].text(id, &line, &[], now);
    let decided =
        |market: &Market| market.engine.metrics().decided.load(std::sync::atomic::Ordering::Relaxed);
    let before = decided(&market);
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Bulk, id, 1, signed.clone())]), ["accepted"]);
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Bulk, id, 2, signed)]), ["accepted"]);
    assert_eq!(decided(&market), before + 2);

    let mut market = Market::with(1, Mutants { gap_is_applied: true, ..Mutants::NONE });
    market.make_shop();
    let offer = market.put_product("A-1", 10_000, 5);
    let (id, signed) = order(&mut market, offer);
    assert_eq!(push(&mut market, BUYER, vec![at(Lane::Order, id, 7, signed)]), ["accepted"]);
    assert_eq!(stream(&market, BUYER, Lane::Order), Some((7, 0)));

    let mutants = Mutants { stream_in_second_commit: true, part_in_second_commit: true, ..Mutants::NONE };
    let mut market = Market::with(1, mutants);
    market.make_shop();
    let offer = market.put_product("A-1", 10_000, 5);
    let order = market.paid(BUYER, &[(offer, 1, 10_000)]);
    assert_eq!(market.order(order).state, OrderState::Open);
    market.check();
}
