//! At the door: every refusal of spec/logistics.md 4.5 that two phones can bring about, what a changed mind does, and
//! what is never given twice.

use souk_codes::proof::{AckA, CertK, HandoverH, LabelL, SignedCert, Verdict, from_text, text};
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_device::error::SoukError;
use souk_device::facade::requests::{HandOverRequest, TakeVerdict};
use souk_device::limits::{PROOF_FAILURES_MAX, PROOF_PAUSE_MS};
use souk_device::sync::Event;
use souk_domain::intent::Body;
use souk_domain::order::OrderState;
use souk_domain::parcel::proof::digest_of;
use souk_domain::parcel::{Level, ParcelState};
use souk_protocol::intent::IntentText;

use crate::bench::{Bench, Fate};
use crate::handover::{Door, at_the_door, flip, labelled};

fn code<T: std::fmt::Debug>(answer: Result<T, SoukError>) -> String {
    match answer {
        Ok(done) => format!("done: {done:?}"),
        Err(error) => error.code,
    }
}

/// The software key of a device, as its file has it.
fn key_of(bench: &Bench) -> Ed25519Key {
    let file = rusqlite::Connection::open(bench.dir.path().join("user.db")).unwrap();
    let seed: Vec<u8> = file.query_row("SELECT v FROM meta WHERE k = 'seed'", [], |row| row.get(0)).unwrap();
    Ed25519Key::from_seed(seed.try_into().unwrap())
}

/// The same proof with another body, signed again.
fn again(proof: &str, key: &Ed25519Key, change: impl FnOnce(&mut HandoverH)) -> String {
    let (mut handover, _) = HandoverH::decode(&from_text(proof).unwrap()).unwrap();
    change(&mut handover);
    let signature = key.sign_deterministic(&digest_of(HandoverH::LETTER, &handover.body()));
    text(&handover.encode(&signature))
}

fn show(door: &mut Door, verdict: TakeVerdict) -> Result<String, SoukError> {
    let now = door.buyer.now;
    let request = HandOverRequest { label: door.label.clone(), verdict, cod_agreed: false };
    let shown = door.buyer.host().show_handover(&request, now);
    door.buyer.drain();
    shown.map(|code| code.text)
}

fn pass(door: &mut Door, ms: u64) {
    for bench in [&mut door.buyer, &mut door.courier] {
        bench.now = bench.now.plus_ms(ms);
    }
}

/// What was on its way is lost.
fn lose(door: &mut Door) {
    while !door.buyer.wire.is_empty() {
        door.buyer.deliver(&mut door.server, Fate::Lost);
    }
}

/// Column L.
#[test]
fn labels() {
    let mut door = at_the_door();
    let good = door.label.clone();
    let (mut label, signature) = LabelL::decode(&from_text(&good).unwrap()).unwrap();
    label.key_id = 9;
    let unknown_key = text(&label.encode(&signature));
    let proof = door.show();
    let now = door.buyer.now;
    for (label, wanted) in [
        ("HTTPS://souk.example".to_owned(), "proof.prefix"),
        ("SK1:ö".to_owned(), "proof.base45"),
        (text(&from_text(&good).unwrap()[..99]), "proof.length"),
        (proof, "proof.length"),
        (flip(&good, 0), "proof.type"),
        (unknown_key, "label.key_unknown"),
        (flip(&good, 12), "proof.signature"),
        (flip(&good, 99), "proof.signature"),
    ] {
        assert_eq!(code(door.buyer.host().read_label(&label, now)), wanted, "{label}");
    }
    let refunded = door.server.seller_acts(Body::RefundOrder { order: door.order });
    assert!(refunded.is_accepted(), "{refunded:?}");
    door.buyer.event(Event::SyncNow);
    door.buyer.heal(&mut door.server);
    let now = door.buyer.now;
    assert_eq!(code(door.buyer.host().read_label(&good, now)), "label.void");
}

/// Column H, with proofs that no honest phone shows; the good one goes through at the end.
#[test]
fn proofs_of_the_right_key() {
    let mut door = at_the_door();
    let good = door.show();
    let (mine, stranger) = (key_of(&door.buyer), Ed25519Key::from_seed([9; 32]));
    let by_me = |change: fn(&mut HandoverH)| again(&good, &mine, change);
    for (proof, wanted) in [
        (flip(&good, 2), "handover.key"),
        (again(&good, &stranger, |_| {}), "proof.signature"),
        (
            again(&good, &stranger, |handover| {
                handover.key_id.copy_from_slice(&Ed25519Key::from_seed([9; 32]).public_key().key_id()[..4]);
            }),
            "handover.key",
        ),
        (by_me(|handover| handover.waybill += 1), "handover.parcel"),
        (by_me(|handover| handover.bound_h8[0] ^= 1), "handover.label"),
        (by_me(|handover| handover.bound_h8 = [0; 8]), "handover.label"),
        (by_me(|handover| handover.time_s += 700), "handover.early"),
        (by_me(|handover| handover.time_s -= 700), "handover.late"),
        (by_me(|handover| handover.verdict = Verdict::Delegate), "handover.policy"),
    ] {
        assert_eq!(code(door.deliver(&proof)), wanted);
    }
    let first = door.deliver(&good).unwrap();
    // The counter is used: other bytes under it are a replay, before any question of time or state.
    assert_eq!(code(door.deliver(&by_me(|handover| handover.time_s -= 3_600))), "handover.replay");
    // The same bytes, however late, give the first answer.
    pass(&mut door, 3_600_000);
    assert_eq!(door.deliver(&good).unwrap().ack, first.ack);
}

/// Column A.
#[test]
fn acknowledgements() {
    let mut door = at_the_door();
    let proof = door.show();
    let good = door.deliver(&proof).unwrap().ack.unwrap();
    let (courier, forger) = (key_of(&door.courier), Ed25519Key::from_seed([9; 32]));
    let again = |change: &dyn Fn(&mut AckA)| {
        let (mut ack, _) = AckA::decode(&from_text(&good).unwrap()).unwrap();
        change(&mut ack);
        let signature = courier.sign_deterministic(&digest_of(AckA::LETTER, &ack.body()));
        text(&ack.encode(&signature))
    };
    let forged = again(&|ack| {
        let SignedCert { cert, .. } = ack.certificate.clone().unwrap();
        let signature = forger.sign_deterministic(&digest_of(CertK::LETTER, &cert.body()));
        ack.certificate = Some(SignedCert { cert, signature });
    });
    let now = door.buyer.now;
    for (ack, wanted) in [
        ("SK1:".to_owned(), "proof.length"),
        (proof, "proof.length"),
        (again(&|ack| ack.certificate = None), "ack.cert_missing"),
        (flip(&good, AckA::LEN + 70), "ack.cert_signature"),
        (forged, "ack.cert_signature"),
        (flip(&good, 90), "proof.signature"),
        (again(&|ack| ack.waybill += 1), "ack.parcel"),
        (again(&|ack| ack.handover_h8[0] ^= 1), "ack.handover"),
    ] {
        assert_eq!(code(door.buyer.host().keep_ack(&ack, now)), wanted);
    }
    let tomorrow = now.plus_ms(9 * 3_600_000);
    assert_eq!(code(door.buyer.host().keep_ack(&good, tomorrow)), "ack.cert_expired");
    door.buyer.host().keep_ack(&good, now).unwrap();
}

#[test]
fn an_acknowledgement_goes_along_with_a_word_that_is_not_decided() {
    let mut door = at_the_door();
    // A second code: the courier scans that one.
    door.show();
    lose(&mut door);
    let proof = door.show();
    let ack = door.deliver(&proof).unwrap().ack.unwrap();
    let now = door.buyer.now;
    for _ in 0..2 {
        door.buyer.host().keep_ack(&ack, now).unwrap();
    }
    let rows = door.buyer.host().outbox_rows().unwrap();
    let words: Vec<_> = rows.iter().filter(|row| row.kind == "ConfirmHandOver" && !row.is_void()).collect();
    assert_eq!(words.len(), 1);
    let Body::ConfirmHandOver { proof: told, acknowledgement, .. } =
        IntentText::parse(&words[0].text).unwrap().body().unwrap()
    else {
        panic!("{words:?}")
    };
    assert_eq!((text(&told), text(&acknowledgement)), (proof, ack));
    let id = words[0].id;
    door.buyer.drain();
    door.buyer.heal(&mut door.server);
    assert!(door.buyer.outcome(id).unwrap().is_accepted(), "{:?}", door.buyer.outcome(id));
    assert_eq!(door.server.order(door.order).unwrap().state, OrderState::Completed);
}

#[test]
fn a_no_takes_an_earlier_yes_back() {
    let mut door = at_the_door();
    show(&mut door, TakeVerdict::Accept).unwrap();
    lose(&mut door);
    // The box is open now, and empty.
    let no = show(&mut door, TakeVerdict::Refuse).unwrap();
    assert_eq!(door.deliver(&no).unwrap().kind, "refused");
    door.buyer.heal(&mut door.server);
    door.courier.heal(&mut door.server);
    let order = door.server.order(door.order).unwrap();
    assert_eq!((door.parcel().state, order.released), (ParcelState::Refused, 0));
    assert!(order.held() > 0, "{order:?}");
}

#[test]
fn a_yes_that_was_decided_stands() {
    let mut door = at_the_door();
    show(&mut door, TakeVerdict::Accept).unwrap();
    // The word arrives; the rows that show it have not come back yet.
    while door.server.order(door.order).unwrap().state != OrderState::Completed {
        door.buyer.deliver(&mut door.server, Fate::Good);
    }
    let refused = code(show(&mut door, TakeVerdict::Refuse));
    assert_eq!(refused, "label.already_delivered");
}

#[test]
fn what_was_signed_is_not_taken_back() {
    let mut door = at_the_door();
    door.show();
    for bench in [&mut door.buyer, &mut door.courier] {
        let rows = bench.host().outbox_rows().unwrap();
        let id = rows.iter().find(|row| row.is_signed_word()).unwrap().id;
        let now = bench.now;
        assert_eq!(code(bench.host().withdraw(id, now)), "intent.signed");
    }
}

#[test]
fn a_parcel_that_stands_there_is_not_scanned_there_again() {
    let mut door = at_the_door();
    door.courier.heal(&mut door.server);
    door.courier.event(Event::SyncNow);
    door.courier.heal(&mut door.server);
    let events = door.parcel().links.len();
    let now = door.courier.now;
    let (stops, number) = (door.courier.host().stops(now).unwrap(), door.number.clone());
    assert_eq!((stops[0].state, stops[0].pending), (ParcelState::OutForDelivery, 0));
    assert!(door.courier.host().out_for_delivery(&number, None, now).unwrap().again);
    door.courier.drain();
    door.courier.heal(&mut door.server);
    assert_eq!(door.parcel().links.len(), events);
}

#[test]
fn too_many_wrong_codes_make_it_wait() {
    let mut door = at_the_door();
    let (label, now) = (door.label.clone(), door.buyer.now);
    for n in 1..=PROOF_FAILURES_MAX {
        let wrong = door.buyer.host().read_label(&flip(&label, 30), now);
        assert_eq!(code(wrong), "proof.signature", "{n}");
    }
    let error = door.buyer.host().read_label(&label, now).unwrap_err();
    let wanted = ("proof.slow_down", Some(PROOF_PAUSE_MS as i64));
    assert_eq!((error.code.as_str(), error.facts.int("wait_ms")), wanted);
    // A restart does not help.
    door.buyer.kill();
    door.buyer.start();
    assert_eq!(code(door.buyer.host().read_label(&label, now)), "proof.slow_down");
    door.buyer.host().read_label(&label, now.plus_ms(PROOF_PAUSE_MS)).unwrap();
}

#[test]
fn another_phone_of_the_courier_has_no_certificate() {
    let mut door = at_the_door();
    let mut other = Bench::joined(300, "courier@example.org", &mut door.server);
    other.event(Event::SyncNow);
    other.heal(&mut door.server);
    let now = other.now;
    assert_eq!(code(other.host().load_parcel(&door.label, None, now)), "shift.not_open");
}

#[test]
fn numbers_that_were_signed_are_never_given_twice() {
    let mut door = at_the_door();
    let proof = door.show();
    let (first, _) = HandoverH::decode(&from_text(&proof).unwrap()).unwrap();
    door.deliver(&proof).unwrap();
    door.buyer.heal(&mut door.server);
    let now = door.buyer.now;
    door.buyer.host().sign_out(now).unwrap();
    door.buyer.drain();
    door.buyer.notices.clear();
    door.buyer.join("kim@example.org", &mut door.server);
    door.buyer.heal(&mut door.server);
    let (_, label, _) = labelled(&mut door.server, &mut door.buyer);
    let now = door.buyer.now;
    let request = HandOverRequest { label, ..HandOverRequest::default() };
    let proof = door.buyer.host().show_handover(&request, now).unwrap().text;
    let (second, _) = HandoverH::decode(&from_text(&proof).unwrap()).unwrap();
    assert_eq!((second.key_id, second.counter), (first.key_id, first.counter + 1));
}

/// After a restart without a network nobody vouches for the clock; the hand-over goes on all the same.
#[test]
fn a_phone_that_was_restarted_hands_over() {
    let mut door = at_the_door();
    for bench in [&mut door.buyer, &mut door.courier] {
        bench.kill();
        bench.now.boot += 1;
        bench.now.mono_ms = 5_000;
        bench.start();
    }
    pass(&mut door, 10_000);
    let proof = door.show();
    let ack = door.deliver(&proof).unwrap().ack.unwrap();
    let now = door.buyer.now;
    door.buyer.host().keep_ack(&ack, now).unwrap();
    // The courier comes home hours later: the scan counts from when it was made.
    door.courier.now = door.courier.now.plus_ms(3 * 3_600_000);
    door.courier.heal(&mut door.server);
    assert_eq!((door.parcel().state, door.parcel().level), (ParcelState::Delivered, Level::E4));
}
