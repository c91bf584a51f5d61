//! Signed scans and hand-overs: in which order they are checked, what is refused and what is kept.

use souk_codes::proof::{EventKind, EvidenceType, Verdict};
use souk_crypto::hash::sha256;
use souk_domain::id::{OrderId, Waybill};
use souk_domain::intent::Body;
use souk_domain::order::{Blocker, BlockerKind, OrderState};
use souk_domain::parcel::{CustodyEvent, Level, Parcel, ParcelState};
use souk_domain::rows::Key;
use souk_domain::time::{Span, Time};

use super::world::{BUYER, COURIER, RIVAL, SELLER, Told, Upload, World};
use super::{accepted, labelled, refused};

pub(crate) const PHOTO: EvidenceType = EvidenceType::Photo;
pub(crate) const BOUND: EvidenceType = EvidenceType::HandoverBound;

/// A labelled parcel on its last way, and the courier's certificate.
pub(crate) fn at_the_door(world: &mut World) -> (OrderId, Parcel, Vec<u8>) {
    let (order, parcel) = labelled(world);
    world.relay();
    let (_, certificate) = world.open_shift(COURIER);
    for kind in [EventKind::PickedUp, EventKind::OutForDelivery] {
        let upload = world.plain(&parcel, kind);
        accepted(world.upload(&parcel, &upload, &certificate));
    }
    (order, parcel, certificate)
}

pub(crate) fn blocker(world: &World, order: OrderId) -> Option<(BlockerKind, Time)> {
    let row: Option<Blocker> = world.one(&Key::blocker(order));
    row.map(|row| (row.kind, row.next_due))
}

/// Columns C 1-6 of spec/logistics.md 4.5: each forged event fails all later checks too, and the first one answers.
#[test]
fn checks_of_an_event_in_their_order() {
    let mut world = World::new(1);
    let (_, parcel) = labelled(&mut world);
    let (_, certificate) = world.open_shift(COURIER);
    let (_, foreign) = world.open_shift(RIVAL);
    let tip = sha256(&parcel.label);
    let nowhere = Parcel { waybill: Waybill::souk(parcel.id.bucket(), 77), ..parcel.clone() };
    let told = world.told(0, tip, EventKind::Returned);
    let hub_only = Told { kind: EventKind::Held, ..told.clone() };
    let good = world.sign(&parcel, &told);
    let short = Upload { event: good.event[..200].to_vec(), ..good.clone() };
    let bent = |at: usize, of: &Upload| {
        let mut bent = of.clone();
        bent.event[at] ^= 0x80;
        bent
    };
    let by_rival = world.sign(&nowhere, &Told { who: RIVAL, ..hub_only.clone() });
    let unknown_hub = world.sign(&nowhere, &hub_only);
    let unknown = world.sign(&nowhere, &told);
    let other_number = world.sign(&nowhere, &told);
    let mut forged = certificate.clone();
    forged[100] ^= 1;
    let cases: Vec<(&str, &Parcel, Upload, &[u8], &str)> = vec![
        ("length", &nowhere, short, &[], "custody.length"),
        ("no certificate", &nowhere, good.clone(), &[], "custody.length"),
        ("version", &nowhere, bent(0, &unknown_hub), &forged, "proof.version"),
        ("forged certificate", &nowhere, bent(223, &unknown_hub), &forged, "custody.key_unknown"),
        ("certificate of another", &nowhere, bent(223, &by_rival), &foreign, "custody.key_unknown"),
        ("key of another", &nowhere, bent(223, &by_rival), &certificate, "custody.key_unknown"),
        ("signature", &nowhere, bent(223, &unknown_hub), &certificate, "proof.signature"),
        ("role", &nowhere, unknown_hub, &certificate, "custody.role"),
        ("no such parcel", &nowhere, unknown, &certificate, "custody.parcel_unknown"),
        ("number of another parcel", &parcel, other_number, &certificate, "custody.parcel_unknown"),
    ];
    for (name, parcel, upload, certificate, code) in cases {
        let outcome = world.upload(parcel, &upload, certificate);
        assert_eq!(outcome.code(), Some(code), "{name}");
    }
    assert!(world.all::<CustodyEvent>().is_empty(), "a refused event is not kept");
    accepted(world.upload(&parcel, &good, &certificate));
    world.check();
}

#[test]
fn a_counter_is_used_once() {
    let mut world = World::new(1);
    let (order, parcel, certificate) = at_the_door(&mut world);
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    world.people[BUYER].counter -= 1;
    let other = world.handover(BUYER, &parcel, Verdict::Refuse);
    let delivered = world.scan(&parcel, EventKind::Delivered, BOUND, proof.clone());
    accepted(world.upload(&parcel, &delivered, &certificate));
    let again = world.scan(&parcel, EventKind::Delivered, BOUND, other.clone());
    accepted(world.upload(&parcel, &again, &certificate));
    assert_eq!(world.parcel(parcel.id).anomalies, ["handover.replay"]);
    refused(&world.word(BUYER, &parcel, &other), "handover.replay");
    assert_eq!(world.order(order).released, 28_800);
    // The same bytes again are a duplicate: nothing moves, not even the time of the last change.
    accepted(world.word(BUYER, &parcel, &proof));
    let before = (world.order(order), world.parcel(parcel.id));
    world.now = world.now.plus(Span::from_hours(1));
    accepted(world.word(BUYER, &parcel, &proof));
    accepted(world.upload(&parcel, &delivered, &certificate));
    assert_eq!(before, (world.order(order), world.parcel(parcel.id)));
    world.check();
}

#[test]
fn checks_of_a_hand_over() {
    let mut world = World::new(2);
    let (order, parcel) = labelled(&mut world);
    let proof = world.handover(BUYER, &parcel, Verdict::Accept);
    let other = BUYER + 1;
    let confirm = |label: &[u8], proof: &[u8], acknowledgement: &[u8]| Body::ConfirmHandOver {
        waybill: parcel.waybill,
        label: label.to_vec(),
        proof: proof.to_vec(),
        acknowledgement: acknowledgement.to_vec(),
    };
    let mut bent_label = parcel.label.clone();
    bent_label[99] ^= 1;
    let mut bent = proof.clone();
    bent[95] ^= 1;
    let foreign = world.handover(other, &parcel, Verdict::Accept);
    let delegate = world.handover(BUYER, &parcel, Verdict::Delegate);
    let elsewhere = Parcel { waybill: Waybill::souk(parcel.id.bucket(), 99), ..parcel.clone() };
    let elsewhere = world.handover(BUYER, &elsewhere, Verdict::Accept);
    let relabelled = Parcel { label: vec![1; 100], ..parcel.clone() };
    let relabelled = world.handover(BUYER, &relabelled, Verdict::Accept);
    for (name, who, label, proof, ack, code) in [
        ("label cut", BUYER, &parcel.label[..99], &proof, &[][..], "proof.length"),
        ("label bent", BUYER, &bent_label[..], &proof, &[][..], "proof.signature"),
        ("a stranger", other, &parcel.label[..], &proof, &[][..], "label.not_mine"),
        ("the seller", SELLER, &parcel.label[..], &proof, &[][..], "label.not_mine"),
        ("a stranger's key", BUYER, &parcel.label[..], &foreign, &[][..], "handover.key"),
        ("proof bent", BUYER, &parcel.label[..], &bent, &[][..], "proof.signature"),
        ("another parcel", BUYER, &parcel.label[..], &elsewhere, &[][..], "handover.parcel"),
        ("another label", BUYER, &parcel.label[..], &relabelled, &[][..], "handover.label"),
        ("a delegation", BUYER, &parcel.label[..], &delegate, &[][..], "handover.policy"),
        ("acknowledgement cut", BUYER, &parcel.label[..], &proof, &[1, 2, 3][..], "proof.length"),
    ] {
        let outcome = world.act(who, confirm(label, proof, ack)).1;
        assert_eq!(outcome.code(), Some(code), "{name}");
    }
    // Nothing was used up by the refusals, and no scan is needed before the buyer's own word.
    accepted(world.act(BUYER, confirm(&parcel.label, &proof, &[])).1);
    let row = world.parcel(parcel.id);
    assert_eq!(
        (row.state, row.level, row.anomalies),
        (ParcelState::Delivered, Level::E3, vec!["gap".to_owned()])
    );
    assert_eq!((world.order(order).state, world.order(order).released), (OrderState::Completed, 28_800));
    world.check();
    // The courier's scans come later and change nothing but the proof.
    world.relay();
    let (_, certificate) = world.open_shift(COURIER);
    for kind in [EventKind::PickedUp, EventKind::OutForDelivery] {
        let upload = world.plain(&parcel, kind);
        accepted(world.upload(&parcel, &upload, &certificate));
        world.check();
    }
    assert_eq!(world.parcel(parcel.id).state, ParcelState::Delivered);
}
