//! Intents: one act of a user or of the server, as `decide` reads it.
//!
//! Not for: texts, signatures, lanes and positions; `protocol` turns those into this. Rules: spec/sync.md 3.1,
//! spec/money.md 4.2, spec/market.md 0, spec/logistics.md 3.1.

use serde::{Deserialize, Serialize};

use crate::bookkeeping::{Lane, Timer};
use crate::catalogue::{CheckedProduct, OfferState};
use crate::handoff::HandOff;
use crate::id::{
    AccountId, AnyIntentId, Bucket, DerivedId, DeviceId, IntentId, OfferId, OrderId, PaymentId, ShiftId,
    ShopId, Waybill,
};
use crate::money::{Currency, Money};
use crate::order::{PayMethod, RailId, RailOpState};
use crate::party::{AccountRoles, CheckoutLine, DeviceKey, Shipping, TokenHash};
use crate::time::Time;

/// One act, ready to be decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Its id.
    pub id: AnyIntentId,
    /// Server-time estimate at the tap.
    pub made_at: Time,
    /// Not to be done after this.
    pub not_after: Time,
    /// The most that it may charge.
    pub max_total: Option<Money>,
    /// What.
    pub body: Body,
    /// Bytes beside the text: address, custody event.
    pub bin: Vec<u8>,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Opens a shop; its id is the intent's id.
    OpenShop(OpenShop),
    /// Adds or changes a product with its offer, by (shop, sku).
    PutProduct(Box<PutProduct>),
    /// Takes an offer down or up.
    SetOfferState {
        /// Which.
        offer: OfferId,
        /// To what.
        state: OfferState,
    },
    /// Changes a price.
    SetPrice {
        /// Which.
        offer: OfferId,
        /// To what.
        price: Money,
    },
    /// Says how many units are there.
    SetStock {
        /// Which.
        offer: OfferId,
        /// Units in the place.
        on_hand: u32,
        /// Revision that the seller saw; another one is `edit.conflict`.
        base_revision: Option<u32>,
    },
    /// Writes a cart line; 0 removes it.
    SetCartLine {
        /// What.
        offer: OfferId,
        /// How many.
        quantity: u32,
        /// The unit price shown.
        seen: Money,
    },
    /// Writes a checkout: its lines, and the address once it is known (`bin`).
    PutCheckout {
        /// Its id.
        checkout: IntentId,
        /// Its lines; empty keeps those that are there.
        lines: Vec<CheckoutLine>,
    },
    /// Orders from one shop; the intent's id is the order's id, the address is the `bin`.
    PlaceOrder(PlaceOrder),
    /// Pays an order through a rail; the intent's id is the payment's id.
    PayStart {
        /// What.
        order: OrderId,
        /// By which rail.
        rail: RailId,
        /// How.
        method: PayMethod,
    },
    /// Ends an order that is not paid.
    CancelOrder {
        /// Which.
        order: OrderId,
    },
    /// Asks for the money back before shipping; the intent's id is the case's id.
    OpenCase {
        /// Which order.
        order: OrderId,
        /// The buyer's words.
        reason: String,
    },
    /// Gives money back before shipping, by the shop.
    RefundOrder {
        /// Which order.
        order: OrderId,
    },
    /// The buyer has what was ordered.
    Confirm {
        /// Which order.
        order: OrderId,
    },
    /// Makes the label of an order's parcel; the intent's id is the parcel's id.
    MakeLabels {
        /// Which order.
        order: OrderId,
        /// Weight in grams.
        weight_g: u32,
        /// Who carries it; none = the shop's courier.
        courier: Option<AccountId>,
    },
    /// Says that an order is on its way where no scan will come.
    Ship {
        /// Which order.
        order: OrderId,
    },
    /// Opens a courier's shift; the intent's id is the shift's id.
    OpenShift {
        /// Hours that the certificate lasts, 1-24.
        hours: u8,
    },
    /// Ends a shift.
    CloseShift {
        /// Which.
        shift: ShiftId,
    },
    /// A signed custody event; C, certificate and evidence are the `bin`.
    AppendCustody {
        /// The parcel's number.
        waybill: Waybill,
    },
    /// The buyer's side of a hand-over without a network: label L, proof H and, if there is one, acknowledgement A.
    ConfirmHandOver {
        /// The parcel's number.
        waybill: Waybill,
        /// Label, 100 bytes.
        label: Vec<u8>,
        /// Proof, 96 bytes.
        proof: Vec<u8>,
        /// Acknowledgement, 98 or 241 bytes; may be empty.
        acknowledgement: Vec<u8>,
    },
    /// An act of the server.
    Server(Box<ServerAct>),
}

/// A new shop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenShop {
    /// Name.
    pub name: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// The one currency it sells in.
    pub currency: Currency,
    /// Shipping rate.
    pub shipping: Shipping,
    /// The courier account that new parcels go to.
    pub courier: Option<AccountId>,
}

/// A product with its offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutProduct {
    /// Whose.
    pub shop: ShopId,
    /// The seller's name of it.
    pub sku: String,
    /// The facts, checked against the limits of `catalogue`.
    pub product: CheckedProduct,
    /// Unit price.
    pub price: Money,
    /// Tax on it.
    pub tax: crate::catalogue::TaxRule,
    /// Quantity rule.
    pub quantity: crate::catalogue::QuantityRule,
    /// Units in the place, if it says so.
    pub stock: Option<u32>,
}

/// An order of several lines from one shop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlaceOrder {
    /// From whom.
    pub shop: ShopId,
    /// What; 1 to 200 lines.
    pub lines: Vec<WantedLine>,
    /// What to do about short stock.
    pub policy: ShortPolicy,
    /// The buyer's words.
    pub note: String,
}

/// A line as the buyer saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WantedLine {
    /// What.
    pub offer: OfferId,
    /// How many.
    pub quantity: u32,
    /// The unit price that was shown, minor units.
    pub seen: i64,
}

/// What to do about short stock (spec/market.md 5.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ShortPolicy {
    /// Refuse the order.
    #[default]
    AllOrNothing,
    /// Cut the short lines.
    Partial,
}

/// Acts of the server: never taken from a request, made by the engine, the relay and the sign-in routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerAct {
    /// A contact was proven: gives it to the account, unless another has it already.
    ClaimContact {
        /// Bucket of the hash.
        bucket: Bucket,
        /// SHA-256 of the canonical contact.
        contact_hash: [u8; 32],
        /// The account that gets it if it is free.
        account: AccountId,
    },
    /// Registers a device, opening the account if it is new.
    EnrolDevice(EnrolDevice),
    /// Issues the first tokens of a sign-in.
    IssueTokens(Tokens),
    /// A refresh token was used: gives new tokens (spec/sync.md 12.1).
    RotateTokens {
        /// The refresh token used.
        used: TokenHash,
        /// The new ones.
        tokens: Tokens,
    },
    /// Cuts a device off.
    RevokeDevice {
        /// Whose.
        account: AccountId,
        /// Which.
        device: DeviceId,
    },
    /// Raises a device's epoch above what both sides know.
    RaiseEpoch {
        /// Whose.
        account: AccountId,
        /// Which.
        device: DeviceId,
        /// The epoch that the device has.
        have: u32,
    },
    /// A rail has told a fact about a payment or a refund; from a webhook or from `fetch`, the same either way.
    RailFact(RailFact),
    /// The relay has called a rail.
    RailProgress {
        /// The operation.
        op: DerivedId,
        /// Where it stands now.
        state: RailOpState,
        /// The rail's name of the payment, once known.
        rail_ref: String,
        /// When to call next.
        next_try: Time,
    },
    /// A timer is due.
    Timeout(Timer),
    /// Another bucket has told something.
    HandedOff {
        /// Where it is decided.
        to: Bucket,
        /// Where it came from.
        from: Bucket,
        /// Its number there.
        seq: u64,
        /// What.
        handoff: HandOff,
    },
    /// Outbox rows have arrived.
    OutboxDone {
        /// Bucket.
        bucket: Bucket,
        /// Their numbers.
        seqs: Vec<u64>,
    },
    /// A sale of the past is booked at once: reserve-free, for replays of historic data (spec/money.md 10.1).
    Historic(crate::replay::HistoricAct),
}

/// A device to register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnrolDevice {
    /// Whose.
    pub account: AccountId,
    /// Name of the account, used when it is new.
    pub name: String,
    /// What it is approved as, used when it is new.
    pub roles: AccountRoles,
    /// The device.
    pub device: DeviceId,
    /// Its key.
    pub key: DeviceKey,
    /// What it calls itself.
    pub label: String,
    /// A device of the same account whose place it takes.
    pub replaces: Option<DeviceId>,
}

/// A pair of tokens by their hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// Whose.
    pub account: AccountId,
    /// Which device.
    pub device: DeviceId,
    /// Opens requests.
    pub access: TokenHash,
    /// Until then.
    pub access_until: Time,
    /// Gives new tokens.
    pub refresh: TokenHash,
    /// Until then.
    pub refresh_until: Time,
}

/// A fact of a rail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RailFact {
    /// Which rail.
    pub rail: RailId,
    /// The payment that we began, by our own reference.
    pub payment: PaymentId,
    /// The rail's name of the payment.
    pub rail_ref: String,
    /// What happened.
    pub fact: Fact,
}

/// What happened at a rail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Fact {
    /// Money was captured; a payment may have several captures, each with its own number at the rail.
    Captured {
        /// The rail's number of the capture.
        capture: String,
        /// How much.
        amount: Money,
    },
    /// The rail will not take the payment.
    PaymentRefused {
        /// The rail's reason.
        reason: String,
    },
    /// A refund has left.
    Refunded {
        /// Our operation.
        op: DerivedId,
    },
    /// A refund was refused.
    RefundRefused {
        /// Our operation.
        op: DerivedId,
        /// The rail's reason.
        reason: String,
    },
}

impl Body {
    /// The name of the kind, as it stands in texts and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::OpenShop(_) => "OpenShop",
            Body::PutProduct(_) => "PutProduct",
            Body::SetOfferState { .. } => "SetOfferState",
            Body::SetPrice { .. } => "SetPrice",
            Body::SetStock { .. } => "SetStock",
            Body::SetCartLine { .. } => "SetCartLine",
            Body::PutCheckout { .. } => "PutCheckout",
            Body::PlaceOrder(_) => "PlaceOrder",
            Body::PayStart { .. } => "PayStart",
            Body::CancelOrder { .. } => "CancelOrder",
            Body::OpenCase { .. } => "OpenCase",
            Body::RefundOrder { .. } => "RefundOrder",
            Body::Confirm { .. } => "Confirm",
            Body::MakeLabels { .. } => "MakeLabels",
            Body::Ship { .. } => "Ship",
            Body::OpenShift { .. } => "OpenShift",
            Body::CloseShift { .. } => "CloseShift",
            Body::AppendCustody { .. } => "AppendCustody",
            Body::ConfirmHandOver { .. } => "ConfirmHandOver",
            Body::Server(act) => act.kind(),
        }
    }

    /// The lane that it travels on (spec/sync.md 3.2).
    pub fn lane(&self) -> Lane {
        match self {
            Body::PayStart { .. }
            | Body::Confirm { .. }
            | Body::OpenCase { .. }
            | Body::RefundOrder { .. } => Lane::Money,
            Body::OpenShop(_)
            | Body::SetOfferState { .. }
            | Body::SetPrice { .. }
            | Body::SetStock { .. }
            | Body::PlaceOrder(_)
            | Body::CancelOrder { .. }
            | Body::MakeLabels { .. }
            | Body::Ship { .. } => Lane::Order,
            Body::OpenShift { .. }
            | Body::CloseShift { .. }
            | Body::AppendCustody { .. }
            | Body::ConfirmHandOver { .. } => Lane::Courier,
            Body::PutProduct(_) | Body::SetCartLine { .. } | Body::PutCheckout { .. } | Body::Server(_) => {
                Lane::Bulk
            }
        }
    }

    /// The bucket of the row that it acts on (design.md 3). A new shop, a cart line and a shift act on the account,
    /// whose bucket the id carries.
    pub fn bucket(&self, id: AnyIntentId) -> Option<Bucket> {
        match self {
            Body::OpenShop(_)
            | Body::SetCartLine { .. }
            | Body::PutCheckout { .. }
            | Body::OpenShift { .. } => Some(id.bucket()),
            Body::CloseShift { shift } => Some(shift.bucket()),
            Body::PutProduct(put) => Some(put.shop.bucket()),
            Body::SetOfferState { offer, .. }
            | Body::SetPrice { offer, .. }
            | Body::SetStock { offer, .. } => Some(offer.bucket()),
            Body::PlaceOrder(place) => Some(place.shop.bucket()),
            Body::PayStart { order, .. }
            | Body::CancelOrder { order }
            | Body::OpenCase { order, .. }
            | Body::RefundOrder { order }
            | Body::Confirm { order }
            | Body::MakeLabels { order, .. }
            | Body::Ship { order } => Some(order.bucket()),
            Body::AppendCustody { waybill } | Body::ConfirmHandOver { waybill, .. } => waybill.bucket(),
            Body::Server(act) => Some(act.bucket()),
        }
    }

    /// Whether it needs the device's signature: lane `money` and PlaceOrder (spec/sync.md 3.1).
    pub fn needs_signature(&self) -> bool {
        self.lane() == Lane::Money || matches!(self, Body::PlaceOrder(_))
    }
}

impl ServerAct {
    /// The name of the kind in logs and stored outcomes.
    pub fn kind(&self) -> &'static str {
        match self {
            ServerAct::ClaimContact { .. } => "ClaimContact",
            ServerAct::EnrolDevice(_) => "EnrolDevice",
            ServerAct::IssueTokens(_) => "IssueTokens",
            ServerAct::RotateTokens { .. } => "RotateTokens",
            ServerAct::RevokeDevice { .. } => "RevokeDevice",
            ServerAct::RaiseEpoch { .. } => "RaiseEpoch",
            ServerAct::RailFact(_) => "RailFact",
            ServerAct::RailProgress { .. } => "RailProgress",
            ServerAct::Timeout(_) => "Timeout",
            ServerAct::HandedOff { .. } => "HandedOff",
            ServerAct::OutboxDone { .. } => "OutboxDone",
            ServerAct::Historic(_) => "Historic",
        }
    }

    /// The bucket that it is decided in.
    pub fn bucket(&self) -> Bucket {
        match self {
            ServerAct::ClaimContact { bucket, .. } | ServerAct::OutboxDone { bucket, .. } => *bucket,
            ServerAct::EnrolDevice(enrol) => enrol.account.bucket(),
            ServerAct::IssueTokens(tokens) | ServerAct::RotateTokens { tokens, .. } => {
                tokens.account.bucket()
            }
            ServerAct::RevokeDevice { account, .. } | ServerAct::RaiseEpoch { account, .. } => {
                account.bucket()
            }
            ServerAct::RailFact(fact) => fact.payment.bucket(),
            ServerAct::RailProgress { op, .. } => op.bucket(),
            ServerAct::Timeout(timer) => timer.bucket,
            ServerAct::HandedOff { to, .. } => *to,
            ServerAct::Historic(act) => act.bucket(),
        }
    }

    /// Whether its outcome is kept under its id: each outside fact counts once. The others guard themselves by
    /// generation, inbox row or by saying the same twice.
    pub fn is_stored(&self) -> bool {
        matches!(self, ServerAct::RailFact(_) | ServerAct::Historic(_))
    }
}
