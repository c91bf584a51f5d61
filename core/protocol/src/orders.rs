//! Orders over HTTP: one order with all around it, pages of a shop's orders, the code that a buyer pays by.

use serde::{Deserialize, Serialize};
use souk_domain::id::OrderId;
use souk_domain::money::Money;
use souk_domain::order::{BlockerKind, PayMethod, Payment, PaymentState};
use souk_domain::outcome::Refusal;
use souk_domain::parcel::Parcel;
use souk_domain::time::Time;

use crate::limits::{CURSOR_CHARS_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::views::{AddressView, OrderView, OrderWord, ParcelView, order_word};

#[cfg(test)]
mod tests;

/// `GET /v1/orders/{id}`: for its buyer and its shop; `order.not_party` (404) for anybody else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrderResponse {
    /// The server's time.
    pub now: Time,
    /// The order.
    pub order: OrderView,
    /// Its word, with the parcels' states in it.
    pub word: OrderWord,
    /// Its parcels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parcels: Vec<ParcelView>,
    /// Where it goes, for whom the address is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<AddressView>,
    /// The running or last payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentView>,
    /// Why it is not settled yet; the shop's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker: Option<BlockerView>,
}

impl OrderResponse {
    /// An order with its parcels, as a side sees them; address, payment and blocker are added by who may.
    pub fn of(
        order: &souk_domain::order::Order,
        parcels: &[Parcel],
        side: crate::views::Side,
        now: Time,
    ) -> OrderResponse {
        OrderResponse {
            now,
            order: OrderView::of(order, side),
            word: order_word(order, &parcels.iter().collect::<Vec<_>>()),
            parcels: parcels.iter().map(|parcel| ParcelView::of(parcel, side)).collect(),
            address: None,
            payment: None,
            blocker: None,
        }
    }
}

/// A payment attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentView {
    /// The payment.
    pub id: souk_domain::id::PaymentId,
    /// The rail.
    pub rail: String,
    /// How the rail gets the money.
    pub method: PayMethod,
    /// The sum asked for.
    pub amount: Money,
    /// Where it stands.
    pub state: PaymentState,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refusal: String,
    /// When it was begun.
    pub at: Time,
}

impl From<&Payment> for PaymentView {
    fn from(payment: &Payment) -> PaymentView {
        PaymentView {
            id: payment.id,
            rail: payment.rail.name().to_owned(),
            method: payment.method,
            amount: payment.amount,
            state: payment.state,
            refusal: payment.refusal.clone(),
            at: payment.at,
        }
    }
}

/// Why an order is not settled yet (spec/money.md 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlockerView {
    /// What blocks.
    pub kind: BlockerKind,
    /// When it should end.
    pub due: Time,
}

impl From<&souk_domain::order::Blocker> for BlockerView {
    fn from(blocker: &souk_domain::order::Blocker) -> BlockerView {
        BlockerView { kind: blocker.kind, due: blocker.next_due }
    }
}

/// Query of `GET /v1/seller/orders` and `GET /v1/seller/statement`: `?after=&limit=`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PageQuery {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Rows; 1 to 200, default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl PageQuery {
    /// Rows asked for. Refuses `request.too_large{field, limit}`, and `request.form{field}` for no rows.
    pub fn rows(&self) -> Result<usize, Refusal> {
        if self.after.as_ref().is_some_and(|after| after.len() > CURSOR_CHARS_MAX) {
            return Err(Refusal::new("request.too_large")
                .with("field", "after")
                .with("limit", CURSOR_CHARS_MAX as i64));
        }
        match self.limit.unwrap_or(PAGE_ROWS_DEFAULT) {
            0 => Err(Refusal::new("request.form").with("field", "limit")),
            rows @ 1..=PAGE_ROWS_MAX => Ok(rows),
            _ => {
                let refusal = Refusal::new("request.too_large").with("field", "limit");
                Err(refusal.with("limit", PAGE_ROWS_MAX as i64))
            }
        }
    }
}

/// A page of a shop's orders, last changed first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrdersResponse {
    /// The server's time.
    pub now: Time,
    /// The orders.
    pub orders: Vec<OrderView>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /v1/orders/{id}/pay-code`: the merchant-presented QR that pays this order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayCodeResponse {
    /// The server's time.
    pub now: Time,
    /// The order.
    pub order: OrderId,
    /// What it asks for.
    pub amount: Money,
    /// Text of the code (EMVCo MPM with our signed template, spec/money.md 2.5).
    pub code: String,
    /// Good until then.
    pub expires_at: Time,
}
