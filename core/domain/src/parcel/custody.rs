//! AppendCustody: a signed link of a parcel's chain, decided in the parcel's bucket from the message alone
//! (spec/logistics.md 4.3, 4.5 column C, 4.6, 4.7).
//!
//! Always: a broken frame, an unknown key, a bad signature and a wrong role are refused and keep nothing; everything
//! else is kept, whatever its anomalies, because it was signed.

use souk_codes::proof::{CertK, CertRole, CustodyC, EventKind, EvidenceType, Fix, HandoverH, Verdict};
use souk_crypto::hash::sha256;

use super::fold::{self, Folded};
use super::proof::{
    CLOCK_TOLERANCE, CustodyBin, Expected, check_certificate, check_handover, check_handover_time, digest_of,
    event_id, evidence_hash, frame, party_of,
};
use super::{CustodyEvent, HandoverSeen, Level, Link, Parcel, ParcelState, WaybillClaim};
use crate::context::Context;
use crate::id::Waybill;
use crate::intent::Intent;
use crate::order::escrow::event;
use crate::order::refund::tell_courier;
use crate::order::{Order, OrderState, ReleaseClock, ShipmentState, release, settle, ship};
use crate::outcome::{Facts, Refusal};
use crate::party::TokenHash;
use crate::rows::{Key, Rows, Stop as Halt};
use crate::time::{Span, Time};

/// A hand-over older than this starts no release by itself (spec/logistics.md 4.6).
const HANDOVER_STALE: Span = Span::from_hours(24);
/// A position counts as of now up to this age, seconds (spec/logistics.md 4.7).
const FIX_AGE_S_MAX: u16 = 300;
/// A position counts up to this accuracy, metres (spec/logistics.md 4.7).
const FIX_ACCURACY_M_MAX: u16 = 100;
/// A delivery is at its stop within this distance, metres (spec/logistics.md 4.7).
const STOP_DISTANCE_M_MAX: i64 = 150;

/// Takes a custody event in. Refuses, in this order: `custody.length`, frames, `custody.key_unknown`,
/// `proof.signature`, `custody.role`, `custody.parcel_unknown`: who has no key learns nothing about numbers.
pub fn append_custody(
    intent: &Intent,
    waybill: Waybill,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Halt> {
    let bin = CustodyBin::decode(&intent.bin)?;
    let (event, signature) = CustodyC::decode(&bin.event).map_err(frame)?;
    let (cert, key) = check_certificate(&bin.certificate, ctx.reference)
        .map_err(|_| Refusal::new("custody.key_unknown"))?;
    if event.signer_key_id != key.key_id() || ctx.actor.account().map(party_of) != Some(cert.party) {
        return Err(Refusal::new("custody.key_unknown").into());
    }
    key.verify(&digest_of(CustodyC::LETTER, &event.body()), &signature)
        .map_err(|_| Refusal::new("proof.signature"))?;
    if !may_write(cert.role, event.kind) {
        return Err(Refusal::new("custody.role").into());
    }
    if event.waybill != waybill.number() {
        return Err(Refusal::new("custody.parcel_unknown").into());
    }
    let parcel = parcel_of(waybill, "custody.parcel_unknown", rows)?;
    let id = event_id(&event.body());
    if rows.find::<CustodyEvent>(&Key::custody_event(parcel.id, &id))?.is_some() {
        return Ok(facts(&parcel).with("again", true));
    }
    let mut anomalies = Vec::new();
    if cert.party != party_of(parcel.courier) {
        fold::note(&mut anomalies, "not_holder");
    }
    let at = event_time(&event, &cert, ctx.now);
    let found = level_of(&event, &cert, &bin.evidence, &parcel, at, &mut anomalies, rows)?;
    let link = Link {
        index: Some(event.index),
        id: TokenHash(id),
        prev: TokenHash(event.prev),
        kind: found.kind.number(),
        reason: event.reason.map_or(0, |reason| reason.number()),
        at,
        level: found.level,
        damaged: found.damaged,
        stale: found.is_stale,
    };
    rows.put(CustodyEvent {
        parcel: parcel.id,
        id: TokenHash(id),
        bytes: bin.event.clone(),
        evidence: bin.evidence.clone(),
        anomalies: anomalies.clone(),
        received_at: ctx.now,
    })?;
    take_link(intent, parcel, link, anomalies, ctx, rows)
}

/// The parcel of a number.
pub(crate) fn parcel_of(waybill: Waybill, code: &'static str, rows: &Rows) -> Result<Parcel, Halt> {
    let bucket = waybill.bucket().ok_or(Refusal::new(code))?;
    let claim: &WaybillClaim = rows.get(&Key::waybill(bucket, waybill), code)?;
    let parcel: &Parcel = rows.get(&Key::parcel(claim.parcel), code)?;
    rows.need([&Key::order(parcel.order), &Key::owner(bucket), &Key::blocker(parcel.order)])?;
    Ok(parcel.clone())
}

fn facts(parcel: &Parcel) -> Facts {
    Facts::none()
        .with_text("parcel", parcel.id)
        .with("state", format!("{:?}", parcel.state))
        .with("level", format!("{:?}", parcel.level))
}

/// Kinds that a role may write.
fn may_write(role: CertRole, kind: EventKind) -> bool {
    use EventKind as K;
    match role {
        CertRole::Courier => matches!(
            kind,
            K::PickedUp
                | K::PickupFailed
                | K::Departed
                | K::Transfer
                | K::OutForDelivery
                | K::Attempted
                | K::Delivered
                | K::Refused
                | K::ReturnStarted
                | K::Returned
                | K::Damaged
                | K::Note
        ),
        CertRole::Hub => !matches!(kind, K::Delivered | K::Collected | K::Refused | K::Attempted),
        CertRole::Station | CertRole::Locker | CertRole::Counter => {
            matches!(kind, K::Arrived | K::ReadyForCollection | K::Collected | K::ReturnStarted | K::Note)
        }
    }
}

/// Server time of an event: the device's estimate, not before its shift was opened (the last contact that is known)
/// and not after now; now if it has none (spec/logistics.md 4.6, quality 2 and 0; boot times are compared once uploads
/// carry them). So nobody lets a release clock run out by dating a delivery back.
fn event_time(event: &CustodyC, cert: &CertK, now: Time) -> Time {
    match told_time(event) {
        Some(told) => told.max(Time::from_secs(cert.not_before_s().into())).min(now),
        None => now,
    }
}

/// The device's own estimate of the server's time.
fn told_time(event: &CustodyC) -> Option<Time> {
    i64::try_from(event.server_time_us).ok().filter(|micros| *micros > 0).map(Time::from_micros)
}

/// What the evidence of an event proves.
struct Found {
    kind: EventKind,
    level: Level,
    damaged: bool,
    is_stale: bool,
}

fn level_of(
    event: &CustodyC,
    cert: &CertK,
    evidence: &[u8],
    parcel: &Parcel,
    at: Time,
    anomalies: &mut Vec<String>,
    rows: &mut Rows,
) -> Result<Found, Halt> {
    let mut found = Found {
        kind: event.kind,
        level: Level::E0,
        damaged: event.kind == EventKind::Damaged,
        is_stale: false,
    };
    if event.evidence_hash != evidence_hash(evidence) {
        fold::note(anomalies, "proof_missing");
        return Ok(found);
    }
    let is_placed = is_at_stop(event.fix(), parcel.place);
    match event.evidence {
        EvidenceType::HandoverBound | EvidenceType::HandoverUnbound => {
            let expected =
                Expected { waybill: parcel.waybill.number(), label: &parcel.label, key: &parcel.buyer_key };
            match check_handover(evidence, &expected) {
                Ok(handover) => {
                    weigh_handover((&handover, evidence), is_placed, parcel, at, &mut found, anomalies, rows)?
                }
                Err(refusal) => fold::note(anomalies, refusal.code),
            }
        }
        EvidenceType::Photo if !evidence.is_empty() && is_placed => found.level = Level::E1,
        EvidenceType::Photo => fold::note(anomalies, "place_far"),
        EvidenceType::None
        | EvidenceType::Pin
        | EvidenceType::SignatureDrawing
        | EvidenceType::StationCode
        | EvidenceType::LockerCode
        | EvidenceType::DelegationHandover
        | EvidenceType::Web
        | EvidenceType::ListRelease
        | EvidenceType::WeightRecord => {}
    }
    let (from, until) =
        (Time::from_secs(cert.not_before_s().into()), Time::from_secs(cert.not_after_s.into()));
    let told = told_time(event).unwrap_or(at);
    if told < from.minus(CLOCK_TOLERANCE) || at > until.plus(CLOCK_TOLERANCE) {
        fold::note(anomalies, "custody.shift");
        found.level = found.level.min(Level::E1);
    }
    Ok(found)
}

/// A checked hand-over: counter, time, verdict.
fn weigh_handover(
    (handover, bytes): (&HandoverH, &[u8]),
    is_placed: bool,
    parcel: &Parcel,
    at: Time,
    found: &mut Found,
    anomalies: &mut Vec<String>,
    rows: &mut Rows,
) -> Result<(), Halt> {
    if !use_counter(handover, bytes, parcel, rows)? {
        fold::note(anomalies, "handover.replay");
        return Ok(());
    }
    let is_bound = handover.bound_h8 != [0; 8];
    found.level = if is_bound && is_placed { Level::E4 } else { Level::E3 };
    if let Err(refusal) = check_handover_time(handover, at) {
        fold::note(anomalies, refusal.code);
        found.level = Level::E3;
        let made_at = Time::from_secs(handover.time_s.into());
        let off = at.since(made_at).micros().unsigned_abs();
        found.is_stale = off > HANDOVER_STALE.micros().unsigned_abs();
    }
    match handover.verdict {
        Verdict::Accept => {}
        Verdict::AcceptDamaged => found.damaged = true,
        Verdict::Refuse => {
            if found.kind == EventKind::Delivered {
                found.kind = EventKind::Refused;
            }
        }
        Verdict::Delegate => {
            fold::note(anomalies, "handover.policy");
            found.level = Level::E0;
        }
    }
    Ok(())
}

/// Marks a counter as used by these bytes; false if other bytes have used it.
pub(crate) fn use_counter(
    handover: &HandoverH,
    bytes: &[u8],
    parcel: &Parcel,
    rows: &mut Rows,
) -> Result<bool, Halt> {
    let key = TokenHash(parcel.buyer_key.id32());
    let body = TokenHash(sha256(&bytes[..HandoverH::BODY_LEN.min(bytes.len())]));
    let bucket = parcel.id.bucket();
    match rows.find::<HandoverSeen>(&Key::handover_seen(bucket, &key.0, handover.counter))? {
        Some(seen) => Ok(seen.body == body),
        None => {
            rows.put(HandoverSeen { bucket, key, counter: handover.counter, body })?;
            Ok(true)
        }
    }
}

/// Whether a position is fresh, sharp and near the stop.
fn is_at_stop(fix: Option<Fix>, place: Option<(i32, i32)>) -> bool {
    let (Some(fix), Some(place)) = (fix, place) else { return false };
    let is_sharp = fix.accuracy_m.is_some_and(|metres| metres <= FIX_ACCURACY_M_MAX);
    let metres = distance_m((fix.latitude_e7, fix.longitude_e7), place);
    fix.age_s <= FIX_AGE_S_MAX && is_sharp && metres <= STOP_DISTANCE_M_MAX
}

/// Distance in metres over a plane that touches the globe: exact enough below some kilometres.
fn distance_m(a: (i32, i32), b: (i32, i32)) -> i64 {
    /// Metres of one degree of latitude.
    const DEGREE_M: i128 = 111_320;
    let d_lat = i128::from(a.0) - i128::from(b.0);
    let d_lon = i128::from(a.1) - i128::from(b.1);
    // cos(x) in millionths by its series up to x^6, x in millionths of a radian: within 0.1 % up to 80 degrees.
    let x = i128::from(a.0).abs() * 17_453 / 10_000_000;
    let x2 = x * x / 1_000_000;
    let cos = 1_000_000 - x2 / 2 + x2 * x2 / 24_000_000 - x2 * x2 / 1_000_000 * x2 / 720_000_000;
    let north_m = d_lat * DEGREE_M / 10_000_000;
    let east_m = d_lon * DEGREE_M / 10_000_000 * cos.max(0) / 1_000_000;
    i64::try_from((north_m * north_m + east_m * east_m).isqrt()).unwrap_or(i64::MAX)
}

/// Adds a link to the parcel and lets order and courier know what it has changed. A link that is known changes nothing.
pub(crate) fn take_link(
    intent: &Intent,
    mut parcel: Parcel,
    link: Link,
    anomalies: Vec<String>,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Halt> {
    if parcel.links.iter().any(|known| known.id == link.id) {
        return Ok(facts(&parcel).with("again", true));
    }
    let former = parcel.state;
    let folded = fold::add(&mut parcel, link, ctx.now);
    anomalies.iter().for_each(|odd| fold::note(&mut parcel.anomalies, odd));
    let order: Order = rows.get::<Order>(&Key::order(parcel.order), "order.unknown")?.clone();
    if former != parcel.state || link.index.is_some() {
        tell_courier(&parcel, ctx, rows)?;
    }
    rows.put(parcel.clone())?;
    let Some(folded) = folded else { return Ok(facts(&parcel)) };
    follow(intent, order, &folded, ctx, rows)?;
    // What the release goes by, so that a courier's phone can say at once whether somebody will look into it.
    let level = format!("{:?}", folded.release_level);
    Ok(facts(&parcel).with("release_level", level).with("held", folded.is_held()))
}

/// What a parcel's fold means for its order: its shipment axis and its release clock. Both follow from the links alone,
/// so that their order does not matter; money that is released stays released.
fn follow(
    intent: &Intent,
    mut order: Order,
    folded: &Folded,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Halt> {
    let Some(shipment) = shipment_of(folded.state) else { return Ok(()) };
    ship::shipped(&mut order, ctx, rows)?;
    if shipment == ShipmentState::Delivered && order.shipment != shipment {
        event("order.delivered", &order, None, ctx, rows)?;
    }
    order.shipment = shipment;
    order.updated_at = ctx.now;
    if order.state == OrderState::Open {
        if folded.is_held() {
            release::freeze(&mut order, ctx);
        } else if shipment == ShipmentState::Delivered {
            let at = folded.delivered_at.unwrap_or(ctx.now);
            release::run_clock(intent, &mut order, folded.release_level, at, ctx, rows)?;
        } else {
            order.clock = ReleaseClock::Idle;
        }
    }
    settle::keep(order, ctx, rows)
}

/// The shipment axis of an order with one parcel; none = nothing has left.
fn shipment_of(state: ParcelState) -> Option<ShipmentState> {
    match state {
        ParcelState::Created | ParcelState::Ready | ParcelState::Cancelled => None,
        ParcelState::PickedUp
        | ParcelState::AtHub
        | ParcelState::InTransit
        | ParcelState::Customs
        | ParcelState::OutForDelivery
        | ParcelState::Attempted
        | ParcelState::AtPickupPoint => Some(ShipmentState::Shipped),
        ParcelState::Delivered => Some(ShipmentState::Delivered),
        ParcelState::Refused | ParcelState::Returning => Some(ShipmentState::Returning),
        ParcelState::Returned => Some(ShipmentState::Returned),
        ParcelState::Lost => Some(ShipmentState::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        // Seoul city hall to a point 100 m north, 100 m east, and to Busan.
        let seoul = (375_665_000, 1_269_780_000);
        assert_eq!(distance_m(seoul, seoul), 0);
        assert!((99..=101).contains(&distance_m(seoul, (375_665_000 + 8_983, 1_269_780_000))));
        assert!((98..=102).contains(&distance_m(seoul, (375_665_000, 1_269_780_000 + 11_333))));
        assert!(distance_m(seoul, (351_796_000, 1_290_756_000)) > 300_000);
        assert!(distance_m((i32::MAX, i32::MAX), (i32::MIN, i32::MIN)) > 0);
    }
}
