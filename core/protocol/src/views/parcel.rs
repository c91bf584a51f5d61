//! Parcels for their two sides; stops and shifts for their courier.

use serde::{Deserialize, Serialize};
use souk_domain::id::{AccountId, DeviceId, OrderId, ParcelId, ShiftId, ShopId, Waybill};
use souk_domain::parcel::{Level, Link, Parcel, ParcelState, Scan, Shift, ShiftReport, Stop};
use souk_domain::party::{DeviceKey, TokenHash};
use souk_domain::time::Time;

use super::{AddressView, PlaceView, Side, is_default};

/// A parcel with its timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ParcelView {
    /// The parcel.
    pub id: ParcelId,
    /// Its number, 16 hex digits.
    pub waybill: Waybill,
    /// What it carries.
    pub order: OrderId,
    /// Who sent it.
    pub shop: ShopId,
    /// Who receives it.
    pub buyer: AccountId,
    /// Who carries it.
    pub courier: AccountId,
    /// Where it stands.
    pub state: ParcelState,
    /// True while custody has two branches or a scan is disputed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_hold: bool,
    /// Handed over damaged.
    #[serde(default, skip_serializing_if = "is_default")]
    pub damaged: bool,
    /// Weight in grams.
    pub weight_g: u32,
    /// The label L, 100 bytes, base64url.
    #[serde(with = "crate::base64url")]
    pub label: Vec<u8>,
    /// The key that may sign the hand-over.
    pub buyer_key: DeviceKey,
    /// Where it should be handed over; the buyer's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceView>,
    /// Tip of the custody chain, hex.
    #[serde(with = "souk_domain::bytes")]
    pub chain_tip: [u8; 32],
    /// Index of the next event.
    pub chain_index: u16,
    /// h8 of the party that holds it; zeros = the seller.
    #[serde(with = "souk_domain::bytes")]
    pub holder: [u8; 8],
    /// Strength of the delivery's evidence.
    pub level: Level,
    /// When it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Time>,
    /// Failed attempts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempts: u16,
    /// What has been told about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkView>,
    /// The timeline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scans: Vec<ScanView>,
    /// What was odd, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<String>,
    /// When it last changed.
    pub updated_at: Time,
}

/// One thing that was told about a parcel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkView {
    /// Place in the signed chain; absent for the buyer's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u16>,
    /// The event's id.
    pub id: TokenHash,
    /// The event before it.
    pub prev: TokenHash,
    /// Kind number.
    pub kind: u8,
    /// Reason number; 0 = none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: u8,
    /// When, by the server's reckoning.
    pub at: Time,
    /// What its evidence proves.
    pub level: Level,
    /// Said to be damaged.
    #[serde(default, skip_serializing_if = "is_default")]
    pub damaged: bool,
    /// Its hand-over was too old to release anything by itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stale: bool,
}

/// One step of the timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScanView {
    /// Kind number; 0 = label made.
    pub kind: u8,
    /// Reason number; 0 = none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: u8,
    /// When.
    pub at: Time,
    /// State after it.
    pub state: ParcelState,
}

impl ParcelView {
    /// What a side may see of a parcel.
    pub fn of(parcel: &Parcel, side: Side) -> ParcelView {
        ParcelView {
            id: parcel.id,
            waybill: parcel.waybill,
            order: parcel.order,
            shop: parcel.shop,
            buyer: parcel.buyer,
            courier: parcel.courier,
            state: parcel.state,
            on_hold: parcel.on_hold,
            damaged: parcel.damaged,
            weight_g: parcel.weight_g,
            label: parcel.label.clone(),
            buyer_key: parcel.buyer_key.clone(),
            place: parcel.place.filter(|_| side == Side::Buyer).map(PlaceView::from),
            chain_tip: parcel.chain_tip,
            chain_index: parcel.chain_index,
            holder: parcel.holder,
            level: parcel.level,
            delivered_at: parcel.delivered_at,
            attempts: parcel.attempts,
            links: parcel.links.iter().map(LinkView::from).collect(),
            scans: parcel.scans.iter().map(ScanView::from).collect(),
            anomalies: parcel.anomalies.clone(),
            updated_at: parcel.updated_at,
        }
    }
}

impl From<ParcelView> for Parcel {
    fn from(view: ParcelView) -> Parcel {
        Parcel {
            id: view.id,
            waybill: view.waybill,
            order: view.order,
            shop: view.shop,
            buyer: view.buyer,
            courier: view.courier,
            state: view.state,
            on_hold: view.on_hold,
            damaged: view.damaged,
            weight_g: view.weight_g,
            label: view.label,
            buyer_key: view.buyer_key,
            place: view.place.map(<(i32, i32)>::from),
            chain_tip: view.chain_tip,
            chain_index: view.chain_index,
            holder: view.holder,
            level: view.level,
            delivered_at: view.delivered_at,
            attempts: view.attempts,
            links: view.links.into_iter().map(Link::from).collect(),
            scans: view.scans.into_iter().map(Scan::from).collect(),
            anomalies: view.anomalies,
            updated_at: view.updated_at,
        }
    }
}

impl From<&Link> for LinkView {
    fn from(link: &Link) -> LinkView {
        LinkView {
            index: link.index,
            id: link.id,
            prev: link.prev,
            kind: link.kind,
            reason: link.reason,
            at: link.at,
            level: link.level,
            damaged: link.damaged,
            stale: link.stale,
        }
    }
}

impl From<LinkView> for Link {
    fn from(view: LinkView) -> Link {
        Link {
            index: view.index,
            id: view.id,
            prev: view.prev,
            kind: view.kind,
            reason: view.reason,
            at: view.at,
            level: view.level,
            damaged: view.damaged,
            stale: view.stale,
        }
    }
}

impl From<&Scan> for ScanView {
    fn from(scan: &Scan) -> ScanView {
        ScanView { kind: scan.kind, reason: scan.reason, at: scan.at, state: scan.state }
    }
}

impl From<ScanView> for Scan {
    fn from(view: ScanView) -> Scan {
        Scan { kind: view.kind, reason: view.reason, at: view.at, state: view.state }
    }
}

/// A stop of a courier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopView {
    /// The parcel.
    pub id: ParcelId,
    /// Who goes there.
    pub courier: AccountId,
    /// The parcel's number.
    pub waybill: Waybill,
    /// The order.
    pub order: OrderId,
    /// The label L, 100 bytes, base64url.
    #[serde(with = "crate::base64url")]
    pub label: Vec<u8>,
    /// The key that signs the hand-over.
    pub buyer_key: DeviceKey,
    /// From whom it is fetched.
    pub from: String,
    /// Where it goes; the phone is masked.
    pub to: AddressView,
    /// Where the parcel stands.
    pub state: ParcelState,
    /// Next index of the custody chain.
    pub chain_index: u16,
    /// Tip of the custody chain, hex.
    #[serde(with = "souk_domain::bytes")]
    pub chain_tip: [u8; 32],
    /// When it last changed.
    pub updated_at: Time,
}

impl From<&Stop> for StopView {
    fn from(stop: &Stop) -> StopView {
        StopView {
            id: stop.parcel,
            courier: stop.courier,
            waybill: stop.waybill,
            order: stop.order,
            label: stop.label.clone(),
            buyer_key: stop.buyer_key.clone(),
            from: stop.from.clone(),
            to: AddressView::from(&stop.to).masked(),
            state: stop.state,
            chain_index: stop.chain_index,
            chain_tip: stop.chain_tip,
            updated_at: stop.updated_at,
        }
    }
}

impl From<StopView> for Stop {
    fn from(view: StopView) -> Stop {
        Stop {
            courier: view.courier,
            parcel: view.id,
            waybill: view.waybill,
            order: view.order,
            label: view.label,
            buyer_key: view.buyer_key,
            from: view.from,
            to: view.to.into(),
            state: view.state,
            chain_index: view.chain_index,
            chain_tip: view.chain_tip,
            updated_at: view.updated_at,
        }
    }
}

/// A courier's shift.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShiftView {
    /// The shift.
    pub id: ShiftId,
    /// Whose.
    pub courier: AccountId,
    /// The device that carries it.
    pub device: DeviceId,
    /// Certificate K, 143 bytes, base64url.
    #[serde(with = "crate::base64url")]
    pub certificate: Vec<u8>,
    /// When it was opened.
    pub opened_at: Time,
    /// When its certificate ends.
    pub ends_at: Time,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
    /// The end of the round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ShiftReportView>,
}

/// The end of a round: planned = sum of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShiftReportView {
    /// Stops of the round.
    pub planned: u32,
    /// Delivered.
    pub delivered: u32,
    /// Tried and not delivered.
    pub attempted: u32,
    /// Refused or on the way back.
    pub returned: u32,
    /// Never loaded.
    pub absent: u32,
}

impl From<&Shift> for ShiftView {
    fn from(shift: &Shift) -> ShiftView {
        ShiftView {
            id: shift.id,
            courier: shift.courier,
            device: shift.device,
            certificate: shift.certificate.clone(),
            opened_at: shift.opened_at,
            ends_at: shift.ends_at,
            closed_at: shift.closed_at,
            report: shift.report.map(|report| ShiftReportView {
                planned: report.planned,
                delivered: report.delivered,
                attempted: report.attempted,
                returned: report.returned,
                absent: report.absent,
            }),
        }
    }
}

impl From<ShiftView> for Shift {
    fn from(view: ShiftView) -> Shift {
        Shift {
            id: view.id,
            courier: view.courier,
            device: view.device,
            certificate: view.certificate,
            opened_at: view.opened_at,
            ends_at: view.ends_at,
            closed_at: view.closed_at,
            report: view.report.map(|report| ShiftReport {
                planned: report.planned,
                delivered: report.delivered,
                attempted: report.attempted,
                returned: report.returned,
                absent: report.absent,
            }),
        }
    }
}
