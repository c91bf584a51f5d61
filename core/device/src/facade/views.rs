//! What callers get. Rows of the server are shown with all pending acts on top; every such row says so.

use serde::{Deserialize, Serialize};
use souk_domain::id::{AccountId, IntentId, OfferId, OrderId, ParcelId, ProductId, ShiftId, ShopId, Waybill};
use souk_domain::money::Money;
use souk_domain::order::{OrderState, ShipmentState};
use souk_domain::outcome::Facts;
use souk_domain::parcel::{Level, ParcelState};
use souk_domain::stock::Band;
use souk_domain::time::Time;
use souk_protocol::views::{
    AccountView, AddressView, FeesView, OrderWord, QuantityView, ShiftReportView, ShippingView, ShopView,
};

use crate::outbox::Confidence;

/// That a row is not as the server has it yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingMark {
    /// How sure it is that it comes so.
    pub sure: Confidence,
    /// The acts that wait.
    pub acts: Vec<IntentId>,
}

/// Where a device stands with its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Nobody is signed in.
    New,
    /// Signed in, and the server was heard within two minutes.
    Online,
    /// Signed in, and it was not.
    Offline,
    /// A sign-in is under way.
    Joining,
    /// The sign-in has ended: sign in again, nothing is lost.
    SignedOut,
    /// The device was cut off.
    Revoked,
    /// This program is too old.
    Outdated,
    /// The files are closed.
    Paused,
}

/// The status line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusView {
    /// Where the device stands.
    pub link: LinkState,
    /// Who is signed in.
    pub account: Option<AccountId>,
    /// Acts that wait for their outcome.
    pub pending: u64,
    /// Acts that need the user.
    pub needs_you: u64,
    /// Acts that were refused or came too late, until they are seen.
    pub rejected: u64,
    /// Age of the oldest act that waits, microseconds.
    pub oldest_pending_us: Option<i64>,
    /// Server time of the oldest of the own scopes; none = never pulled.
    pub as_of: Option<Time>,
    /// Products that can be searched.
    pub products: u64,
    /// Nothing is under way and nothing is due.
    pub is_quiet: bool,
}

/// Where an act stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingState {
    /// Waits to be sent.
    Queued,
    /// Has left; no answer yet.
    Sent,
    /// Needs the user.
    NeedsYou,
    /// Done.
    Accepted,
    /// Refused.
    Rejected,
    /// Came too late: nothing was done.
    Expired,
    /// Taken back.
    Withdrawn,
}

/// What the user can do about an act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOut {
    /// Send it now.
    Retry,
    /// Take it back.
    Withdraw,
    /// Say that it is still wanted.
    Confirm,
    /// Say that it was seen.
    Dismiss,
}

/// One act.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingView {
    /// The intent.
    pub id: IntentId,
    /// Kind name.
    pub kind: String,
    /// About what, in the words of the tap.
    pub title: String,
    /// Estimated server time of the tap.
    pub made_at: Time,
    /// How old it is, microseconds.
    pub age_us: i64,
    /// Where it stands.
    pub state: PendingState,
    /// How sure the prediction was.
    pub sure: Confidence,
    /// Why it was refused, is parked, or will probably be refused.
    pub code: Option<String>,
    /// Facts of the code, or of what was done.
    pub facts: Facts,
    /// Times that it has left.
    pub attempts: u32,
    /// It is sent again, because the market was set back.
    pub again: bool,
    /// What came otherwise than predicted.
    pub changed: Vec<ChangedView>,
    /// What the user can do.
    pub ways: Vec<WayOut>,
}

/// A fact that came otherwise than predicted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedView {
    /// Which.
    pub field: String,
    /// What was expected.
    pub predicted: String,
    /// What it is.
    pub actual: String,
}

/// A saved tap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavedView {
    /// The intent; of an order, payment, parcel or shift also its id.
    pub id: IntentId,
    /// How sure the prediction is.
    pub sure: Confidence,
    /// Why it will probably be refused.
    pub warning: Option<String>,
    /// Predicted facts: total, what was cut.
    pub facts: Facts,
}

/// A product in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProductRow {
    /// Its place in the list; what `after` takes.
    pub rank: i64,
    /// The product.
    pub product: ProductId,
    /// Its offer.
    pub offer: OfferId,
    /// Who sells.
    pub shop: ShopId,
    /// Name of the shop, if it is known.
    pub shop_name: String,
    /// Title.
    pub title: String,
    /// Brand.
    pub brand: String,
    /// Category key.
    pub category: String,
    /// Unit price.
    pub price: Money,
    /// How many are left, as a band.
    pub band: Band,
    /// Whether it can be bought.
    pub is_live: bool,
}

/// A page of products.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProductPage {
    /// In order of the shelf.
    pub rows: Vec<ProductRow>,
    /// Where the next page begins; none = the end.
    pub next: Option<i64>,
    /// The reading that found these, where it is not what was typed.
    pub corrected: Option<String>,
}

/// A product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProductDetail {
    /// As in a list.
    pub row: ProductRow,
    /// Titles in other languages: `[language, text]`.
    pub titles: Vec<(String, String)>,
    /// Quantity rule.
    pub quantity: QuantityView,
    /// Shipping rate of the shop.
    pub shipping: Option<ShippingView>,
    /// Units in the own cart.
    pub in_cart: u32,
}

/// A category with its number of live products.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CategoryView {
    /// Category key.
    pub category: String,
    /// Live products.
    pub products: u64,
}

/// The cart, by shops.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CartView {
    /// One order each.
    pub shops: Vec<CartShop>,
}

/// The part of a cart that one shop sells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CartShop {
    /// Who sells.
    pub shop: ShopId,
    /// Its name.
    pub name: String,
    /// What.
    pub lines: Vec<CartLineRow>,
    /// Goods at today's prices; none for mixed currencies.
    pub goods: Option<Money>,
}

/// A line of the cart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CartLineRow {
    /// What.
    pub offer: OfferId,
    /// Title.
    pub title: String,
    /// Units.
    pub quantity: u32,
    /// Unit price when it was put in.
    pub seen: Money,
    /// Unit price today.
    pub price: Money,
    /// Whether it can still be bought.
    pub is_live: bool,
    /// Not decided yet.
    pub pending: Option<PendingMark>,
}

/// What an order would come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuoteView {
    /// One a shop.
    pub shops: Vec<ShopQuote>,
}

/// What an order from one shop would come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShopQuote {
    /// From whom.
    pub shop: ShopId,
    /// Its name.
    pub name: String,
    /// Goods, shipping and tax; none when it cannot be reckoned here.
    pub total: Option<Money>,
    /// How sure.
    pub sure: Confidence,
    /// Why it would be refused.
    pub code: Option<String>,
    /// Facts of the code.
    pub facts: Facts,
}

/// Orders that were placed: saved on this device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlacedView {
    /// One a shop.
    pub orders: Vec<PlacedOrder>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlacedOrder {
    /// The order.
    pub order: OrderId,
    /// From whom.
    pub shop: ShopId,
    /// Predicted total.
    pub total: Option<Money>,
    /// How sure.
    pub sure: Confidence,
    /// Why it will probably be refused.
    pub warning: Option<String>,
}

/// An order in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderRow {
    /// The order.
    pub id: OrderId,
    /// Sorts the list, newest first: when it last changed, or the last act that waits was tapped; microseconds.
    pub rank: i64,
    /// First line's title, `+n` for more.
    pub title: String,
    /// Name of the shop.
    pub shop_name: String,
    /// What the buyer owes.
    pub total: Money,
    /// The word for people.
    pub word: OrderWord,
    /// Not decided yet.
    pub pending: Option<PendingMark>,
}

/// A page of orders.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrdersPage {
    /// Newest first.
    pub rows: Vec<OrderRow>,
    /// Whether there are more.
    pub more: bool,
}

/// A line of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderLineRow {
    /// Title at placement; empty for shipping.
    pub title: String,
    /// What; none for shipping.
    pub offer: Option<OfferId>,
    /// Units.
    pub quantity: u32,
    /// Unit price.
    pub unit: Money,
    /// What the buyer pays for the line.
    pub amount: Money,
}

/// What can be done with an order, decided by the rules and not by a screen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActionView {
    /// `pay`, `cancel`, `confirm`, `open_case`, `make_label`, `ship`, `refund`.
    pub what: String,
    /// Whether it would go.
    pub is_enabled: bool,
    /// Why not.
    pub why: Option<String>,
}

/// How a released sum was split.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SplitView {
    /// To the seller.
    pub seller: Money,
    /// To the courier.
    pub courier: Money,
    /// To the platform, tax on its fees included.
    pub fees: Money,
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderDetail {
    /// As in a list.
    pub row: OrderRow,
    /// Who sells.
    pub shop: ShopId,
    /// Who buys.
    pub buyer: AccountId,
    /// Order axis.
    pub state: OrderState,
    /// Shipment axis.
    pub shipment: ShipmentState,
    /// Goods and shipping.
    pub lines: Vec<OrderLineRow>,
    /// Tax inside the total.
    pub tax: Money,
    /// Captured.
    pub paid: Money,
    /// In escrow.
    pub held: Money,
    /// Released.
    pub released: Money,
    /// Gone back.
    pub refunded: Money,
    /// How the released sum was split; none for a buyer, whom the shop's fees do not concern.
    pub split: Option<SplitView>,
    /// When it ends unpaid.
    pub pay_by: Time,
    /// When it must be shipped.
    pub ship_by: Option<Time>,
    /// When the money is released without anybody asking.
    pub release_at: Option<Time>,
    /// When it was placed.
    pub placed_at: Time,
    /// Words of the buyer.
    pub note: String,
    /// Rates frozen at placement; for the shop alone.
    pub fees: Option<FeesView>,
    /// Its parcels.
    pub parcels: Vec<ParcelRow>,
    /// What can be done.
    pub actions: Vec<ActionView>,
    /// What came otherwise than predicted.
    pub changed: Vec<ChangedView>,
}

/// A parcel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ParcelRow {
    /// The parcel.
    pub id: ParcelId,
    /// Its number.
    pub waybill: Waybill,
    /// The number as it is printed.
    pub number: String,
    /// Where it stands.
    pub state: ParcelState,
    /// Strength of the delivery's evidence.
    pub level: Level,
    /// Steps so far: (what, when).
    pub steps: Vec<(String, Time)>,
    /// Not decided yet.
    pub pending: Option<PendingMark>,
}

/// A payment code that was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayeeView {
    /// Name in the code.
    pub name: String,
    /// The order that it pays, if it names one.
    pub order: Option<OrderId>,
    /// The amount.
    pub amount: Option<Money>,
    /// Whether the platform's signature holds.
    pub is_verified: bool,
    /// Whether the order is one of this account's, and the amount is what it owes.
    pub is_own_order: bool,
}

/// A label that was read and checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LabelView {
    /// Its number.
    pub waybill: Waybill,
    /// The number as it is printed.
    pub number: String,
    /// The order that waits for it, for its buyer.
    pub order: Option<OrderId>,
    /// Piece i of n.
    pub piece: u8,
    /// Pieces.
    pub pieces: u8,
    /// Weight, grams.
    pub weight_g: u32,
    /// Cash on delivery.
    pub is_cod: bool,
    /// Age check.
    pub is_age_checked: bool,
    /// On the own round, for a courier.
    pub is_on_round: bool,
}

/// A code to be shown: text for a QR.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeView {
    /// The text of the message.
    pub text: String,
    /// Good until then.
    pub expires_at: Time,
}

/// A label to be printed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrintView {
    /// The parcel.
    pub parcel: ParcelId,
    /// Text of the label L, for its QR.
    pub text: String,
    /// The 100 bytes of L.
    #[serde(with = "souk_domain::bytes")]
    pub label: Vec<u8>,
    /// The number as it is printed.
    pub number: String,
    /// Sender lines.
    pub from: Vec<String>,
    /// Recipient lines that this device knows; the address is the server's to give.
    pub to: Vec<String>,
}

/// A parcel of a round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopRow {
    /// The parcel.
    pub parcel: ParcelId,
    /// Sorts the list, newest first: when the server last changed it, microseconds.
    pub rank: i64,
    /// Its number.
    pub waybill: Waybill,
    /// The number as it is printed.
    pub number: String,
    /// From whom it is fetched.
    pub from: String,
    /// Where it goes.
    pub to: AddressView,
    /// Where it stands, with the own scans on top.
    pub state: ParcelState,
    /// Own scans that wait for their outcome.
    pub pending: u32,
}

/// The courier's shift.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShiftRow {
    /// The shift.
    pub id: ShiftId,
    /// When its certificate ends.
    pub ends_at: Time,
    /// Whether scans count.
    pub is_open: bool,
    /// The end of a round.
    pub report: Option<ShiftReportView>,
}

/// A scan that is saved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScanSavedView {
    /// The parcel's number.
    pub waybill: Waybill,
    /// What was recorded.
    pub kind: String,
    /// The same was recorded before; this is the first result.
    pub again: bool,
    /// The acknowledgement to be shown, for a delivery.
    pub ack: Option<String>,
}

/// Who is signed in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MeView {
    /// The account.
    pub account: AccountView,
    /// Its shop.
    pub shop: Option<ShopView>,
}

/// A product of the own shop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OwnProductRow {
    /// The offer.
    pub offer: OfferId,
    /// The product.
    pub product: ProductId,
    /// The seller's name of it.
    pub sku: String,
    /// Title.
    pub title: String,
    /// Unit price.
    pub price: Money,
    /// Units in the place.
    pub on_hand: u32,
    /// Units that can be promised.
    pub available: u32,
    /// What SetStock is based on.
    pub stock_revision: u32,
    /// Whether it can be bought.
    pub is_live: bool,
    /// Not decided yet.
    pub pending: Option<PendingMark>,
}
