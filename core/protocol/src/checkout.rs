//! The four calls of a checkout on the web (spec/market.md 5.6): lines, delivery, place and pay, confirm. All are
//! idempotent by the checkout's id; what moves money is a signed intent text inside.

use serde::{Deserialize, Serialize};
use souk_domain::id::{IntentId, OfferId, ShopId};
use souk_domain::money::Money;
use souk_domain::order::LINES_MAX;
use souk_domain::outcome::Refusal;
use souk_domain::party::CheckoutLine;
use souk_domain::time::Time;

use crate::limits::PLACE_ORDERS_MAX;
use crate::sync::{PushResult, SignedText, Touch};
use crate::views::AddressView;

#[cfg(test)]
mod tests;

/// `PUT /v1/checkouts/{id}`: what is to be ordered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckoutRequest {
    /// At least one line.
    pub lines: Vec<CheckoutLineView>,
}

/// A line of a checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckoutLineView {
    /// What.
    pub offer: OfferId,
    /// How many.
    pub q: u32,
}

impl From<CheckoutLine> for CheckoutLineView {
    fn from(line: CheckoutLine) -> CheckoutLineView {
        CheckoutLineView { offer: line.offer, q: line.quantity }
    }
}

impl From<CheckoutLineView> for CheckoutLine {
    fn from(view: CheckoutLineView) -> CheckoutLine {
        CheckoutLine { offer: view.offer, quantity: view.q }
    }
}

impl CheckoutRequest {
    /// Checks the number of lines. Refuses `order.lines{limit}`.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            return Err(Refusal::new("order.lines").with("limit", LINES_MAX as i64));
        }
        Ok(())
    }
}

/// `PUT /v1/checkouts/{id}/delivery`: where to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeliveryRequest {
    /// The address.
    pub address: AddressView,
}

/// What a checkout comes to, shop by shop; the answer to both calls above.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckoutResponse {
    /// The checkout.
    pub id: IntentId,
    /// The server's time.
    pub now: Time,
    /// One order a shop, to be placed by one text each.
    pub shops: Vec<ShopTotalsView>,
    /// Lines that cannot be ordered as they stand, each with its code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<LineProblemView>,
    /// Whether an address is there.
    pub has_address: bool,
}

/// What the lines of one shop come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShopTotalsView {
    /// The shop.
    pub shop: ShopId,
    /// Its name.
    pub name: String,
    /// Lines with their price of the moment: what PlaceOrder names as `seen`.
    pub lines: Vec<PricedLineView>,
    /// Sum of the goods, tax included.
    pub goods: Money,
    /// Shipping, tax included.
    pub shipping: Money,
    /// Tax inside the total.
    pub tax: Money,
    /// What the buyer pays: `max_total` of PlaceOrder when the price shown is the most.
    pub total: Money,
}

/// A line with its price of the moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PricedLineView {
    /// What.
    pub offer: OfferId,
    /// Title.
    pub title: String,
    /// How many.
    pub q: u32,
    /// Unit price.
    pub unit: Money,
    /// What the buyer pays for the line, tax included.
    pub amount: Money,
}

/// Why a line cannot be ordered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineProblemView {
    /// What.
    pub offer: OfferId,
    /// `offer.gone`, `offer.quantity`, `stock.short`, `shop.closed` …
    pub code: String,
}

/// `POST /v1/checkouts/{id}/place`: one PlaceOrder text a shop, and the ways of paying.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlaceRequest {
    /// Texts of kind PlaceOrder, each with its address beside it.
    pub orders: Vec<SignedText>,
    /// Texts of kind PayStart, decided behind the orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pay: Vec<SignedText>,
}

impl PlaceRequest {
    /// Checks the numbers. Refuses `request.too_large{field, limit}`, `request.form` without an order.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.orders.is_empty() {
            return Err(Refusal::new("request.form").with("field", "orders"));
        }
        for (field, texts) in [("orders", &self.orders), ("pay", &self.pay)] {
            if texts.len() > PLACE_ORDERS_MAX {
                return Err(Refusal::new("request.too_large")
                    .with("field", field)
                    .with("limit", PLACE_ORDERS_MAX as i64));
            }
        }
        Ok(())
    }
}

/// What became of the texts, in their order. Each order is decided alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlaceResponse {
    /// The server's time.
    pub now: Time,
    /// Of the orders.
    pub orders: Vec<PushResult>,
    /// Of the payments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pay: Vec<PushResult>,
    /// Parts changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touch: Vec<Touch>,
}

/// `POST /v1/intents/{kind}`: the answer to one text (a [`SignedText`] is the request; `Idempotency-Key` = its id).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IntentResponse {
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The server's time.
    pub now: Time,
    /// Its id and outcome.
    #[serde(flatten)]
    pub result: PushResult,
    /// Parts changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touch: Vec<Touch>,
}
