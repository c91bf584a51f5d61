//! What callers ask for.

use serde::{Deserialize, Serialize};
use souk_domain::id::{AccountId, OfferId, OrderId};
use souk_domain::money::{Currency, Money};
use souk_domain::order::PayMethod;
use souk_protocol::views::{AddressView, ShippingView};

/// A search of the catalogue on the device; works without a network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SearchRequest {
    /// What was typed, at most 64 characters; empty = the shelf in its order.
    pub text: String,
    /// Only this category; empty = all.
    pub category: String,
    /// Where the former page ended.
    pub after: Option<i64>,
    /// Rows at most, 1-[`SEARCH_ROWS_MAX`](crate::facade::SEARCH_ROWS_MAX); 0 = 20.
    pub limit: usize,
}

/// A line to be ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineRequest {
    /// What.
    pub offer: OfferId,
    /// Units.
    pub quantity: u32,
}

/// Orders to be placed: one a shop.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PlaceOrderRequest {
    /// What, of any shops.
    pub lines: Vec<LineRequest>,
    /// Where to; none for goods that are not sent.
    pub address: Option<AddressView>,
    /// Take what is there when stock is short, in place of nothing.
    pub partial: bool,
    /// Words for the seller.
    pub note: String,
    /// The most that may be charged, where one shop is ordered from; none = what the screen shows.
    pub max_total: Option<Money>,
}

/// A payment through a rail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayRequest {
    /// What.
    pub order: OrderId,
    /// How the rail gets the money.
    pub method: PayMethod,
}

/// Which orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OrdersRequest {
    /// Orders to pass over.
    pub offset: usize,
    /// Rows at most, 1-[`PAGE_ROWS_MAX`](crate::facade::PAGE_ROWS_MAX); 0 = 50.
    pub limit: usize,
}

/// What the taker says at the door.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakeVerdict {
    /// Accepted.
    #[default]
    Accept,
    /// Accepted, but damaged.
    AcceptDamaged,
    /// Refused.
    Refuse,
}

/// A hand-over to be shown to the courier.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HandOverRequest {
    /// The text of the label L, as scanned.
    pub label: String,
    /// What the taker says.
    pub verdict: TakeVerdict,
    /// Cash on delivery is agreed.
    pub cod_agreed: bool,
}

/// Where the device is, from the platform's receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FixRequest {
    /// Latitude, 1e-7 degrees.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees.
    pub lng_e7: i32,
    /// Accuracy, metres.
    pub accuracy_m: Option<u16>,
    /// Age, seconds.
    pub age_s: u16,
}

/// A delivery by the taker's code.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DeliverRequest {
    /// The parcel in hand: the number on its label, or the label's text.
    pub parcel: String,
    /// The text of the hand-over H, as scanned.
    pub handover: String,
    /// Where this is.
    pub fix: Option<FixRequest>,
}

/// An attempt that failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AttemptRequest {
    /// The parcel: the number on its label, or the label's text.
    pub parcel: String,
    /// Why, by the name of spec/logistics.md 5.4, e.g. `consignee_not_home`.
    pub reason: String,
    /// Where this is.
    pub fix: Option<FixRequest>,
}

/// A new shop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenShopRequest {
    /// Name.
    pub name: String,
    /// City.
    pub city: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// The one currency it sells in.
    pub currency: Currency,
    /// Shipping rate.
    pub shipping: ShippingView,
    /// The courier account that new parcels go to.
    pub courier: Option<AccountId>,
}

/// A product with its offer, by (shop, sku).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PutProductRequest {
    /// The seller's own name of it.
    pub sku: String,
    /// Title.
    pub title: String,
    /// Titles in other languages: `[language, text]`.
    #[serde(default)]
    pub titles: Vec<(String, String)>,
    /// Category key.
    #[serde(default)]
    pub category: String,
    /// Brand.
    #[serde(default)]
    pub brand: String,
    /// Plain text.
    #[serde(default)]
    pub description: String,
    /// Unit price.
    pub price: Money,
    /// Tax inside the price, millionths.
    #[serde(default)]
    pub tax_ppm: u32,
    /// Units in the place.
    pub stock: Option<u32>,
    /// Weight in grams.
    #[serde(default)]
    pub weight_g: u32,
}

/// A label to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MakeLabelRequest {
    /// Of which order.
    pub order: OrderId,
    /// Weight, grams.
    pub weight_g: u32,
    /// Who carries it; none = the shop's courier.
    pub courier: Option<AccountId>,
}
