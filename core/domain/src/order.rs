//! Orders: lines with their own sub-amounts, and the axes of spec/money.md 4.1.
//!
//! Not for: postings (`ledger::postings`), evidence (`custody`). Always: for every line, released + refunded <= paid,
//! and the escrow account of an order that is COMPLETED or CANCELLED is empty.

use serde::{Deserialize, Serialize};

use crate::catalogue::TaxRule;
use crate::id::{AccountId, CaseId, DerivedId, OfferId, OrderId, ParcelId, PaymentId, ProductId, ShopId};
use crate::money::{Bp, Currency, Money, Ppm};
use crate::party::DeviceKey;
use crate::time::Time;

pub mod axis;
pub mod cancel;
pub mod capture;
pub mod cart;
pub mod confirm;
pub mod escrow;
pub mod pay;
pub mod place;
pub mod refund;
pub mod release;
pub mod settle;
pub mod ship;
pub mod timeout;
pub mod totals;

/// Lines of one order (spec/market.md 5.6).
pub const LINES_MAX: usize = 200;
/// Units of one order line (spec/market.md 5.6).
pub const LINE_QUANTITY_MAX: u32 = 100_000;
/// Longest note of a buyer, in characters: what a label's custom zone holds.
pub const NOTE_CHARS_MAX: usize = 200;

/// An order, in the shop's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The order: the id of its PlaceOrder intent.
    pub id: OrderId,
    /// Who sells.
    pub shop: ShopId,
    /// Name of the shop at placement.
    pub shop_name: String,
    /// Who buys.
    pub buyer: AccountId,
    /// The key of the device that placed it: it signs the hand-over.
    pub buyer_key: DeviceKey,
    /// When it was placed.
    pub placed_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// Its currency, from first to last.
    pub currency: Currency,
    /// Goods and shipping.
    pub lines: Vec<Line>,
    /// What the buyer owes: the sum of the lines.
    pub total: Money,
    /// Tax inside the total, for the receipt.
    pub tax: Money,
    /// Order axis.
    pub state: OrderState,
    /// Shipment axis, as far as this order's parcels tell.
    pub shipment: ShipmentState,
    /// Captured so far, minor units.
    pub paid: i64,
    /// Released to seller, courier and platform so far, minor units.
    pub released: i64,
    /// Taken out of escrow towards the buyer so far, minor units.
    pub refunded: i64,
    /// Money that arrived but does not complete the sum yet (2130), minor units.
    pub unapplied: i64,
    /// Rates frozen at placement (spec/market.md 5.8).
    pub fees: Fees,
    /// Version of the policies that this order keeps for life.
    pub policy_version: u32,
    /// When an unpaid order ends.
    pub pay_by: Time,
    /// Generation of the pay timer: a timer of another one changes nothing.
    pub pay_generation: u32,
    /// When it must be shipped, once paid.
    pub ship_by: Option<Time>,
    /// True once the ship deadline has passed without a scan.
    pub overdue: bool,
    /// The running payment, if any.
    pub payment: Option<PaymentId>,
    /// When the money was captured.
    pub paid_at: Option<Time>,
    /// Parcels made for it.
    pub parcels: Vec<ParcelId>,
    /// Binds labels to this order without telling a stranger which order it is (spec/logistics.md 4.2).
    #[serde(with = "crate::bytes")]
    pub salt: [u8; 16],
    /// The release clock.
    pub clock: ReleaseClock,
    /// An open or former refund request.
    pub case: Option<Case>,
    /// Refunds on their way or done.
    pub refunds: Vec<Refund>,
    /// The seller's share after release.
    pub settlement: Option<Settlement>,
    /// What the buyer asked for.
    pub note: String,
}

/// A line of an order with its sub-amounts in minor units of the order's currency.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Goods or shipping.
    pub kind: LineKind,
    /// Title at placement.
    pub title: String,
    /// Units.
    pub quantity: u32,
    /// Unit price at placement.
    pub unit: i64,
    /// What the buyer pays for the line, tax included.
    pub amount: i64,
    /// Tax within the amount.
    pub tax: i64,
    /// The rule that gave it.
    pub tax_rule: TaxRule,
    /// Captured.
    pub paid: i64,
    /// Released.
    pub released: i64,
    /// Refunded.
    pub refunded: i64,
    /// Commission taken at release: what a later refund reverses.
    pub commission: i64,
    /// Tax on the commission taken at release.
    pub commission_tax: i64,
}

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum LineKind {
    /// Units of an offer, held in stock while unpaid and committed once paid.
    Goods {
        /// The offer.
        offer: OfferId,
        /// Its product.
        product: ProductId,
    },
    /// Shipping, paid by the buyer and owed to the courier.
    Shipping,
}

/// Rates frozen at placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fees {
    /// Version of the fee plan.
    pub plan_version: u32,
    /// Commission on goods.
    pub commission: Bp,
    /// Tax on the commission.
    pub commission_tax: Ppm,
    /// Who gets the shipping line at release; none = the seller ships by his own means and gets it.
    pub courier: Option<AccountId>,
}

/// Order axis (spec/money.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// Placed, not paid; stock is held.
    Created,
    /// Money stands in escrow.
    Open,
    /// Nothing is held any more.
    Completed,
    /// Never held anything.
    Cancelled,
}

/// Fund axis: derived from the amounts (spec/money.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fund {
    /// Nothing was captured.
    None,
    /// All that was captured is held.
    Held,
    /// Some is released, some is held.
    PartReleased,
    /// Nothing is held, something was released.
    Released,
    /// Nothing is held, all went back.
    Refunded,
}

/// Shipment axis: derived from the parcels (spec/money.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ShipmentState {
    /// No parcel has moved.
    None,
    /// All parcels are on their way.
    Shipped,
    /// All parcels are delivered.
    Delivered,
    /// A parcel is on its way back.
    Returning,
    /// It is back at the seller.
    Returned,
    /// It is lost.
    Lost,
}

/// When the money is released without anybody asking (spec/money.md 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum ReleaseClock {
    /// Not started.
    Idle,
    /// Runs.
    Running {
        /// Fires here.
        due: Time,
        /// Generation of its timer.
        generation: u32,
    },
    /// Stands still: a refund is asked or custody has forked.
    Frozen {
        /// What was left, microseconds.
        left_us: i64,
        /// Generation of the next timer.
        generation: u32,
    },
    /// Has fired or is not needed any more.
    Done,
}

/// A refund request before shipping (spec/money.md 4.2 rows 9-11).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The case: the id of its OpenCase intent.
    pub id: CaseId,
    /// Where it stands.
    pub state: CaseState,
    /// The buyer's words.
    pub reason: String,
    /// When it was opened.
    pub opened_at: Time,
    /// When silence counts as consent.
    pub answer_by: Time,
    /// Generation of its timer.
    pub generation: u32,
}

/// Dispute axis, as far as requests before shipping need it (spec/money.md 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaseState {
    /// The seller has not answered.
    RefundAsked,
    /// Over.
    Closed,
}

/// Money on its way back to the buyer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refund {
    /// The refund: also the rail operation's id and the owner of its 2120 account.
    pub id: DerivedId,
    /// How much, minor units.
    pub amount: i64,
    /// Its currency where it is not the order's: a rail had captured the wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Currency>,
    /// Whether the rail has confirmed it.
    pub state: RefundState,
    /// Why.
    pub cause: RefundCause,
}

/// Whether a refund has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Asked of the rail.
    Pending,
    /// Confirmed by the rail.
    Done,
    /// Refused by the rail: staff must look (blocker `refund_stuck`).
    Stuck,
}

/// Why money goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundCause {
    /// Refund before shipping.
    BeforeShipping,
    /// Never shipped.
    NotShipped,
    /// Money that came late, twice, or not in the exact sum (P2).
    Unapplied,
    /// Given by the seller while the money was held (P5).
    FromEscrow,
    /// Given by the seller after release (P8).
    AfterRelease,
}

/// The seller's share after release (spec/money.md 4.1 settlement, row 35).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Settlement {
    /// In 2200 until the reserve ends.
    Pending {
        /// Then P9.
        until: Time,
        /// The seller's net share, minor units.
        amount: i64,
    },
    /// In 2210: waits for the seller's payout.
    Available {
        /// The seller's net share, minor units.
        amount: i64,
    },
}

/// A payment attempt, in the order's bucket.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Payment {
    /// The payment: the id of its PayStart intent; the reference that the rail is given.
    pub id: PaymentId,
    /// What it pays.
    pub order: OrderId,
    /// Who pays.
    pub buyer: AccountId,
    /// The rail.
    pub rail: RailId,
    /// How the rail gets the money.
    pub method: PayMethod,
    /// The sum asked for.
    pub amount: Money,
    /// Where it stands.
    pub state: PaymentState,
    /// The rail's own name of it, once known.
    pub rail_ref: String,
    /// Numbers of the captures that the rail has told: each counts once.
    pub captures: Vec<String>,
    /// Sum of them, minor units.
    pub captured: i64,
    /// Captures that do not complete the sum yet, each on a 2130 account of its own.
    pub parts: Vec<Part>,
    /// Why it was refused, if it was.
    pub refusal: String,
    /// When it was begun.
    pub at: Time,
}

/// Money that waits for the rest of an order's sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The rail's event: owner of the 2130 account.
    pub event: DerivedId,
    /// Minor units.
    pub amount: i64,
}

/// A payment rail, by its name in the configuration; at most 16 bytes, so that it can own an account.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RailId(String);

impl RailId {
    /// The sandbox rail.
    pub const SANDBOX: &'static str = "sandbox";

    /// A name of 1-16 lower-case letters, digits or `-`.
    pub fn new(name: &str) -> Option<RailId> {
        let fits = (1..=16).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| RailId(name.to_owned()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The owner of the rail's 1000 account: the name, zero-padded.
    pub fn owner(&self) -> [u8; 16] {
        let mut owner = [0; 16];
        owner[..self.0.len()].copy_from_slice(self.0.as_bytes());
        owner
    }
}

impl TryFrom<String> for RailId {
    type Error = &'static str;
    fn try_from(name: String) -> Result<RailId, &'static str> {
        RailId::new(&name).ok_or("not the name of a rail")
    }
}

impl From<RailId> for String {
    fn from(rail: RailId) -> String {
        rail.0
    }
}

/// How a rail gets the buyer's money (spec/money.md 3, way A).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayMethod {
    /// The buyer's stored mandate with the rail: captured when the rail gets the call.
    Mandate,
    /// The buyer acts on the rail's own page or app.
    Payer,
}

/// Where a payment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The rail has not said anything final.
    Pending,
    /// Captured in full.
    Paid,
    /// The rail said no.
    Refused,
    /// The money came and went back.
    Returned,
}

/// The erasable part of an order: where it goes. A row of its own, so that it can be removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Address {
    /// Whose order.
    pub order: OrderId,
    /// Name, lines, city, postcode, country, phone: as the buyer's device wrote them.
    pub to: AddressText,
}

/// A postal address as the buyer wrote it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AddressText {
    /// Who receives.
    pub name: String,
    /// Street lines, first to last.
    pub lines: Vec<String>,
    /// City.
    pub city: String,
    /// Postcode.
    pub postcode: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// Phone in E.164, may be empty.
    pub phone: String,
    /// Latitude and longitude in 1e-7 degrees, when the buyer gave a place.
    pub place: Option<(i32, i32)>,
}

/// One operation at a rail: written in the commit of the decision, before any call (spec/money.md 6).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RailOp {
    /// The operation; its idempotency key derives from it and never changes.
    pub id: DerivedId,
    /// The rail.
    pub rail: RailId,
    /// What is asked.
    pub kind: RailOpKind,
    /// The payment it belongs to.
    pub payment: PaymentId,
    /// The order it belongs to.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: RailOpState,
    /// Calls made.
    pub attempts: u32,
    /// The next call, while not ended.
    pub next_try: Time,
    /// When it was decided.
    pub made_at: Time,
}

/// What is asked of a rail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RailOpKind {
    /// Begin a payment.
    Begin,
    /// Give money back.
    Refund,
}

/// Where an operation stands; only an explicit answer ends one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RailOpState {
    /// Not called yet.
    New,
    /// Called, no explicit answer yet: asked for by `fetch` before it is sent again with the same key.
    Unknown,
    /// The rail took it; for a payment the money may still be under way.
    Accepted,
    /// Done.
    Succeeded,
    /// The rail said no.
    Refused,
}

/// Why an order is not settled yet (spec/money.md 4.5): one row an order, found by `next_due`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blocker {
    /// The order.
    pub order: OrderId,
    /// What blocks.
    pub kind: BlockerKind,
    /// When it should have ended.
    pub next_due: Time,
}

/// Kinds of blockers that arise so far.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockerKind {
    /// The release clock runs.
    Clock,
    /// A refund is asked of the rail, which has not confirmed it.
    RailUnknown,
    /// A refund was refused by the rail.
    RefundStuck,
    /// Delivered on our courier's word alone.
    EvidenceE0,
    /// Released; the reserve has not ended.
    Reserve,
    /// Custody has forked, the parcel is refused, on its way back, lost or damaged.
    Frozen,
    /// On its way; nobody has told of a delivery.
    InTransit,
}
