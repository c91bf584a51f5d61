//! OpenShift, CloseShift and the courier's list of stops (spec/logistics.md 5.1, 5.5).

use souk_codes::proof::{CERT_HOURS_MAX, CertK, CertRole};

use super::proof::{digest_of, party_of};
use super::{ParcelState, Route, Shift, ShiftReport, Stop};
use crate::context::{Actor, Context};
use crate::id::{AccountId, ParcelId, ShiftId};
use crate::intent::Intent;
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop as Halt};
use crate::time::{Span, Time};

/// Opens a shift under the intent's id and gives the certificate of the day; needs the platform's seal.
/// Refuses: `auth.forbidden` (not a courier), `shift.hours`, `intent.id_taken`, `shift.open`.
pub fn open_shift(intent: &Intent, hours: u8, ctx: &Context, rows: &mut Rows) -> Result<Facts, Halt> {
    let Actor::User { account, device, key, roles } = ctx.actor else {
        return Err(Refusal::new("auth.forbidden").into());
    };
    if !roles.courier {
        return Err(Refusal::new("auth.forbidden").into());
    }
    if !(1..=CERT_HOURS_MAX).contains(&hours) {
        return Err(Refusal::new("shift.hours").with("limit", i64::from(CERT_HOURS_MAX)).into());
    }
    let id = ShiftId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    rows.need([&Key::route(*account), &Key::shift(id)])?;
    if rows.find::<Shift>(&Key::shift(id))?.is_some() {
        return Err(Refusal::new("intent.id_taken").into());
    }
    let mut route = route_of(*account, rows)?;
    if let Some(open) = route.shift {
        let open: &Shift = rows.get(&Key::shift(open), "shift.unknown")?;
        if open.closed_at.is_none() && ctx.now < open.ends_at {
            return Err(Refusal::new("shift.open").with("shift", open.id.to_string()).into());
        }
    }
    let seal = ctx.seal.ok_or(Halt::Unknown)?;
    let ends_at = ctx.now.plus(Span::from_hours(hours.into()));
    let public = key.public_key();
    let public_key = souk_codes::proof::PublicKey::from_travel_bytes(public.bytes());
    let cert = CertK {
        key_id: seal.key_id(),
        party: party_of(*account),
        not_after_s: u32::try_from(ends_at.secs()).unwrap_or(u32::MAX),
        role: CertRole::Courier,
        hours,
        public_key: public_key.ok_or(Refusal::new("device.key"))?,
    };
    let certificate = cert.encode(&seal.sign(&digest_of(CertK::LETTER, &cert.body())));
    route.shift = Some(id);
    rows.put(route)?;
    rows.put(Shift {
        id,
        courier: *account,
        device: *device,
        certificate,
        opened_at: ctx.now,
        ends_at,
        closed_at: None,
        report: None,
    })?;
    Ok(Facts::none().with_text("shift", id).with("ends_at", ends_at))
}

/// Ends a shift. Refuses: `shift.not_open`, `shift.parcels_open{parcels}` while a loaded parcel has no outcome.
pub fn close_shift(shift: ShiftId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Halt> {
    let account = ctx.actor.account().ok_or(Refusal::new("auth.forbidden"))?;
    rows.need([&Key::shift(shift), &Key::route(account)])?;
    let mut row: Shift = rows.get::<Shift>(&Key::shift(shift), "shift.not_open")?.clone();
    if row.courier != account {
        return Err(Refusal::new("shift.not_open").into());
    }
    if row.closed_at.is_some() {
        return Ok(Facts::none().with("again", true));
    }
    let mut route = route_of(account, rows)?;
    if route.shift != Some(shift) {
        // Its certificate ran out and another shift has taken its stops over.
        row.closed_at = Some(ctx.now);
        row.report = Some(ShiftReport::default());
        rows.put(row)?;
        return Ok(Facts::none().with("planned", 0u32).with("delivered", 0u32));
    }
    let keys: Vec<Key> =
        route.open.iter().chain(&route.ended).map(|parcel| Key::stop(account, *parcel)).collect();
    rows.need(&keys)?;
    let mut report = ShiftReport::default();
    let mut loaded = Vec::new();
    for key in &keys {
        let stop: &Stop = rows.get(key, "handoff.early")?;
        report.planned += 1;
        match stop.state {
            ParcelState::Delivered => report.delivered += 1,
            ParcelState::Attempted => report.attempted += 1,
            ParcelState::Refused
            | ParcelState::Returning
            | ParcelState::Returned
            | ParcelState::AtHub
            | ParcelState::AtPickupPoint => report.returned += 1,
            ParcelState::Created | ParcelState::Ready | ParcelState::Cancelled | ParcelState::Lost => {
                report.absent += 1
            }
            ParcelState::PickedUp
            | ParcelState::InTransit
            | ParcelState::Customs
            | ParcelState::OutForDelivery => loaded.push(Facts::none().with_text("parcel", stop.parcel)),
        }
    }
    if !loaded.is_empty() {
        return Err(Refusal::new("shift.parcels_open").with("parcels", loaded).into());
    }
    route.shift = None;
    route.ended.clear();
    rows.put(route)?;
    row.closed_at = Some(ctx.now);
    row.report = Some(report);
    rows.put(row)?;
    Ok(Facts::none().with("planned", report.planned).with("delivered", report.delivered))
}

/// The courier's route row, empty before the first stop.
fn route_of(courier: AccountId, rows: &Rows) -> Result<Route, Halt> {
    let empty = Route { courier, open: Vec::new(), ended: Vec::new(), shift: None };
    Ok(rows.find::<Route>(&Key::route(courier))?.cloned().unwrap_or(empty))
}

/// A parcel waits for this courier.
pub(crate) fn stop_added(stop: &Stop, rows: &mut Rows) -> Result<(), Halt> {
    rows.need([&Key::stop(stop.courier, stop.parcel), &Key::route(stop.courier)])?;
    let mut route = route_of(stop.courier, rows)?;
    if !route.open.contains(&stop.parcel) {
        route.open.push(stop.parcel);
    }
    rows.put(route)?;
    rows.put(stop.clone())
}

/// A parcel of this courier has moved; an older word changes nothing. Refuses: `handoff.early` (the stop is not here
/// yet: the relay tries again).
pub(crate) fn stop_moved(
    courier: AccountId,
    parcel: ParcelId,
    state: ParcelState,
    chain_index: u16,
    chain_tip: &[u8; 32],
    at: Time,
    rows: &mut Rows,
) -> Result<(), Halt> {
    rows.need([&Key::stop(courier, parcel), &Key::route(courier)])?;
    let mut stop: Stop = rows.get::<Stop>(&Key::stop(courier, parcel), "handoff.early")?.clone();
    if at <= stop.updated_at {
        return Ok(());
    }
    stop.state = state;
    stop.chain_index = chain_index;
    stop.chain_tip = *chain_tip;
    stop.updated_at = at;
    let mut route = route_of(courier, rows)?;
    let is_open = route.open.contains(&parcel);
    if is_open == state.is_final() {
        // Finished; or found again, or on its way back after all.
        let (from, to) = match is_open {
            true => (&mut route.open, &mut route.ended),
            false => (&mut route.ended, &mut route.open),
        };
        from.retain(|other| *other != parcel);
        to.push(parcel);
        rows.put(route)?;
    }
    rows.put(stop)
}
