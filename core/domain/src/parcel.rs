//! Parcels, labels and custody rows (spec/logistics.md 3, 4).

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, OrderId, ParcelId, ShiftId, ShopId, Waybill};
use crate::party::{DeviceKey, TokenHash};
use crate::time::{Span, Time};

pub mod custody;
pub mod evidence;
pub mod fold;
pub mod handover;
pub mod make_labels;
pub mod proof;
pub mod shift;
pub mod state;

pub use evidence::Level;
pub use state::ParcelState;

/// A parcel, in the shop's bucket: one piece a shipment for now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Parcel {
    /// The parcel.
    pub id: ParcelId,
    /// Its number on label and messages.
    pub waybill: Waybill,
    /// What it carries.
    pub order: OrderId,
    /// Who sent it.
    pub shop: ShopId,
    /// Who receives it.
    pub buyer: AccountId,
    /// Who carries it.
    pub courier: AccountId,
    /// State of the fold.
    pub state: ParcelState,
    /// True while custody has two branches or a scan is disputed.
    pub on_hold: bool,
    /// Set by a damaged hand-over.
    pub damaged: bool,
    /// Weight in grams as the seller gave it.
    pub weight_g: u32,
    /// The label L, 100 bytes.
    #[serde(with = "crate::bytes")]
    pub label: Vec<u8>,
    /// The key of the buyer's device that may sign the hand-over.
    pub buyer_key: DeviceKey,
    /// Where it should be handed over, 1e-7 degrees.
    pub place: Option<(i32, i32)>,
    /// The last event of the chain: its id; SHA-256 of the label before the first.
    #[serde(with = "crate::bytes")]
    pub chain_tip: [u8; 32],
    /// Index of the next event.
    pub chain_index: u16,
    /// Who holds it now: h8 of the party; zero = the seller.
    #[serde(with = "crate::bytes")]
    pub holder: [u8; 8],
    /// Strength of the delivery's evidence.
    pub level: Level,
    /// When it was delivered, if it was.
    pub delivered_at: Option<Time>,
    /// Failed attempts.
    pub attempts: u16,
    /// What has been told about it: the links of the custody chain and the buyer's own word.
    pub links: Vec<Link>,
    /// The timeline that the fold makes of them.
    pub scans: Vec<Scan>,
    /// What the fold found odd, by name.
    pub anomalies: Vec<String>,
    /// When it last changed: no two changes have one time.
    pub updated_at: Time,
}

impl Parcel {
    /// Notes a change. Each one has a time of its own, later than the one before even if the clock was set back, so
    /// that whoever hears of them in another order knows which is the last.
    pub(crate) fn touch(&mut self, now: Time) {
        self.updated_at = now.max(self.updated_at.plus(Span::from_micros(1)));
    }
}

/// One thing that was told about a parcel; the set only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Place in the signed chain; none for the buyer's own word.
    pub index: Option<u16>,
    /// The event's id.
    pub id: TokenHash,
    /// The event before it, as it says; zeros for the buyer's own word.
    pub prev: TokenHash,
    /// Kind number of spec/logistics.md 3.3.
    pub kind: u8,
    /// Reason number of 5.4, 0 = none.
    pub reason: u8,
    /// When, by the server's reckoning.
    pub at: Time,
    /// What its evidence proves.
    pub level: Level,
    /// The taker said that it is damaged.
    pub damaged: bool,
    /// Its hand-over was more than a day old: it proves the delivery and releases nothing by itself
    /// (spec/logistics.md 4.6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// One step of the timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Scan {
    /// Kind number of spec/logistics.md 3.3 (0 = label made).
    pub kind: u8,
    /// Reason number of 5.4, 0 = none.
    pub reason: u8,
    /// When, by the server's reckoning.
    pub at: Time,
    /// State after it.
    pub state: ParcelState,
}

/// A look-up row in the waybill's bucket: which parcel a number names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WaybillClaim {
    /// The number.
    pub waybill: Waybill,
    /// The parcel.
    pub parcel: ParcelId,
}

/// A custody event as it was signed, kept for ever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustodyEvent {
    /// The parcel.
    pub parcel: ParcelId,
    /// SHA-256 over the body: the event's id.
    pub id: TokenHash,
    /// The 224 bytes of C.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
    /// Evidence bytes that came with it (H, certificate).
    #[serde(with = "crate::bytes")]
    pub evidence: Vec<u8>,
    /// Anomalies found, by name.
    pub anomalies: Vec<String>,
    /// When the server took it.
    pub received_at: Time,
}

/// A used hand-over counter: no second use by other bytes (spec/logistics.md 3.1 `handover_seen`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HandoverSeen {
    /// Bucket of the parcel.
    pub bucket: crate::id::Bucket,
    /// SHA-256 of the signing key.
    pub key: TokenHash,
    /// The counter in H.
    pub counter: u32,
    /// SHA-256 of the 32 body bytes of H.
    pub body: TokenHash,
}

/// The stops of one courier, in the courier's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stop {
    /// Who goes there.
    pub courier: AccountId,
    /// What is brought.
    pub parcel: ParcelId,
    /// Its number.
    pub waybill: Waybill,
    /// The order, for words on the screen.
    pub order: OrderId,
    /// The label L, 100 bytes.
    #[serde(with = "crate::bytes")]
    pub label: Vec<u8>,
    /// Key that signs the hand-over.
    pub buyer_key: DeviceKey,
    /// From whom it is fetched.
    pub from: String,
    /// Where it goes.
    pub to: crate::order::AddressText,
    /// Parcel state as far as the courier's bucket has heard.
    pub state: ParcelState,
    /// Next index of the custody chain.
    pub chain_index: u16,
    /// Tip of the custody chain.
    #[serde(with = "crate::bytes")]
    pub chain_tip: [u8; 32],
    /// When it last changed.
    pub updated_at: Time,
}

/// A courier's shift, in the courier's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shift {
    /// The shift.
    pub id: ShiftId,
    /// Whose.
    pub courier: AccountId,
    /// The device that carries it.
    pub device: crate::id::DeviceId,
    /// Certificate K, 143 bytes.
    #[serde(with = "crate::bytes")]
    pub certificate: Vec<u8>,
    /// When it was opened.
    pub opened_at: Time,
    /// When its certificate ends.
    pub ends_at: Time,
    /// When it was closed.
    pub closed_at: Option<Time>,
    /// Parcels delivered, attempted, brought back, at close.
    pub report: Option<ShiftReport>,
}

/// The end of a round (spec/logistics.md 5.5): planned = sum of outcomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ShiftReport {
    /// Stops of the round.
    pub planned: u32,
    /// Delivered.
    pub delivered: u32,
    /// Tried and not delivered.
    pub attempted: u32,
    /// Refused at the door, on the way back, or left in a hub or at a pickup point.
    pub returned: u32,
    /// Never loaded.
    pub absent: u32,
}

/// What one courier has to do: an index row, so that nothing must be searched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// Whose.
    pub courier: AccountId,
    /// Parcels not finished, oldest first.
    pub open: Vec<ParcelId>,
    /// Parcels finished since the last shift was closed.
    pub ended: Vec<ParcelId>,
    /// The open shift, if any.
    pub shift: Option<ShiftId>,
}
