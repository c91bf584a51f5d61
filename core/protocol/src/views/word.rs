//! Words for people: one table over the axes of an order (spec/money.md 4.1).

use serde::{Deserialize, Serialize};
use souk_domain::order::{CaseState, Fund, Order, OrderState, RefundState, ShipmentState};
use souk_domain::parcel::{Parcel, ParcelState};

/// What a person is told about an order: one short word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderWord {
    /// Placed, not paid.
    AwaitingPayment,
    /// Some of the money is there.
    PartPaid,
    /// The money stands in escrow.
    Paid,
    /// A refund is asked for before shipping.
    RefundAsked,
    /// Packed and labelled.
    LabelMade,
    /// On its way.
    Shipped,
    /// On the last way.
    OutForDelivery,
    /// Tried, not delivered.
    Attempted,
    /// Waits to be collected.
    ReadyForCollection,
    /// Handed over; the money is still held.
    Delivered,
    /// On its way back.
    Returning,
    /// Back at the seller.
    Returned,
    /// Lost.
    Lost,
    /// The money is on its way back.
    Refunding,
    /// All money went back.
    Refunded,
    /// Some of the money went back, the rest was released.
    PartRefunded,
    /// The seller has the money.
    Released,
    /// Ended unpaid.
    Cancelled,
}

impl OrderWord {
    /// All words, in the order of a trade.
    pub const ALL: [OrderWord; 18] = [
        OrderWord::AwaitingPayment,
        OrderWord::PartPaid,
        OrderWord::Paid,
        OrderWord::RefundAsked,
        OrderWord::LabelMade,
        OrderWord::Shipped,
        OrderWord::OutForDelivery,
        OrderWord::Attempted,
        OrderWord::ReadyForCollection,
        OrderWord::Delivered,
        OrderWord::Returning,
        OrderWord::Returned,
        OrderWord::Lost,
        OrderWord::Refunding,
        OrderWord::Refunded,
        OrderWord::PartRefunded,
        OrderWord::Released,
        OrderWord::Cancelled,
    ];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            OrderWord::AwaitingPayment => "awaiting_payment",
            OrderWord::PartPaid => "part_paid",
            OrderWord::Paid => "paid",
            OrderWord::RefundAsked => "refund_asked",
            OrderWord::LabelMade => "label_made",
            OrderWord::Shipped => "shipped",
            OrderWord::OutForDelivery => "out_for_delivery",
            OrderWord::Attempted => "attempted",
            OrderWord::ReadyForCollection => "ready_for_collection",
            OrderWord::Delivered => "delivered",
            OrderWord::Returning => "returning",
            OrderWord::Returned => "returned",
            OrderWord::Lost => "lost",
            OrderWord::Refunding => "refunding",
            OrderWord::Refunded => "refunded",
            OrderWord::PartRefunded => "part_refunded",
            OrderWord::Released => "released",
            OrderWord::Cancelled => "cancelled",
        }
    }
}

/// The word of an order. `parcels` = those of its parcels that are at hand; with none the word says no more about
/// the way than *shipped*.
pub fn order_word(order: &Order, parcels: &[&Parcel]) -> OrderWord {
    let is_refunding = order.refunds.iter().any(|refund| refund.state != RefundState::Done);
    match (order.state, order.fund(), order.shipment) {
        (OrderState::Created, ..) if order.unapplied > 0 => OrderWord::PartPaid,
        (OrderState::Created, ..) => OrderWord::AwaitingPayment,
        (OrderState::Cancelled, ..) => OrderWord::Cancelled,
        (OrderState::Completed, Fund::Refunded, _) if is_refunding => OrderWord::Refunding,
        (OrderState::Completed, Fund::Refunded, _) => OrderWord::Refunded,
        (OrderState::Completed, ..) if order.refunded > 0 => OrderWord::PartRefunded,
        (OrderState::Completed, ..) => OrderWord::Released,
        (OrderState::Open, _, ShipmentState::None) => match order.case.as_ref().map(|case| case.state) {
            Some(CaseState::RefundAsked) => OrderWord::RefundAsked,
            Some(CaseState::Closed) | None if order.parcels.is_empty() => OrderWord::Paid,
            Some(CaseState::Closed) | None => OrderWord::LabelMade,
        },
        (OrderState::Open, _, ShipmentState::Shipped) => on_the_way(parcels),
        (OrderState::Open, _, ShipmentState::Delivered) => OrderWord::Delivered,
        (OrderState::Open, _, ShipmentState::Returning) => OrderWord::Returning,
        (OrderState::Open, _, ShipmentState::Returned) => OrderWord::Returned,
        (OrderState::Open, _, ShipmentState::Lost) => OrderWord::Lost,
    }
}

/// The least advanced parcel speaks for the order.
fn on_the_way(parcels: &[&Parcel]) -> OrderWord {
    match parcels.iter().map(|parcel| parcel.state).min() {
        Some(ParcelState::OutForDelivery) => OrderWord::OutForDelivery,
        Some(ParcelState::Attempted) => OrderWord::Attempted,
        Some(ParcelState::AtPickupPoint) => OrderWord::ReadyForCollection,
        _ => OrderWord::Shipped,
    }
}
