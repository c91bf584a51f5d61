//! Views: what a side may see of a row, as it travels; and the way back to the row, so that a device can run the
//! same rules over what it sees.
//!
//! Rows never travel as they are: each view lists its members, and a member that only one side may see is absent for
//! the other. Ids, amounts, times and the small state enums of the domain are shared words and travel in their own
//! form. Rules: spec/sync.md 4.3, 7; rights: spec/market.md 2.4; words: spec/money.md 4.1.
//!
//! Always: `Row::try_from(view(row)) = row` for the side that may see all of it; what a side may not see comes back
//! neutral (no fees, no settlement, no place).

use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_domain::money::{Currency, Money};
use souk_domain::outcome::Refusal;

mod address;
mod catalogue;
mod order;
mod parcel;
mod party;
mod reference;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod word;

pub use address::{AddressView, PlaceView, address_bin, address_of_bin};
pub use catalogue::{
    CardView, OfferView, ProductView, QuantityView, ShopCardView, StockView, TaxView, VariantView,
};
pub use order::{
    CaseView, ClockView, FeesView, LineKindView, LineView, OrderView, RefundView, SettlementView,
};
pub use parcel::{LinkView, ParcelView, ScanView, ShiftReportView, ShiftView, StopView};
pub use party::{AccountView, CartLineView, MemberView, RolesView, ShippingView, ShopView};
pub use reference::{FeePlanView, PoliciesView, ReferenceView};
pub use word::{OrderWord, order_word};

/// Who looks at a row of the trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The buyer: no fees, no settlement.
    Buyer,
    /// The shop's staff: no place of the buyer (the address is asked for apart, with its own right).
    Seller,
}

/// A view that cannot be a row: `sync.row{entity, field}`.
pub(crate) fn bad_row(entity: &'static str, field: &'static str) -> Refusal {
    Refusal::new("sync.row").with("entity", entity).with("field", field)
}

/// The minor units of an amount that must be in this currency.
fn minor(
    amount: Money,
    currency: Currency,
    entity: &'static str,
    field: &'static str,
) -> Result<i64, Refusal> {
    if amount.currency == currency { Ok(amount.minor) } else { Err(bad_row(entity, field)) }
}

/// For `skip_serializing_if`: what is absent reads back as the default.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A view's members. Refuses `money.range` for an amount above 2^53 - 1, which no rule lets arise.
pub(crate) fn members<T: Serialize>(view: &T) -> Result<serde_json::Map<String, serde_json::Value>, Refusal> {
    match serde_json::to_value(view) {
        Ok(serde_json::Value::Object(members)) => Ok(members),
        _ => Err(Refusal::new("money.range")),
    }
}

/// A view of its members. Refuses `sync.row{entity}`.
pub(crate) fn of_members<T: DeserializeOwned>(
    entity: &'static str,
    members: serde_json::Map<String, serde_json::Value>,
) -> Result<T, Refusal> {
    serde_json::from_value(serde_json::Value::Object(members))
        .map_err(|_| Refusal::new("sync.row").with("entity", entity))
}
