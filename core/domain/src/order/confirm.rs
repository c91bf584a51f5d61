//! Confirm: the buyer has what was ordered (spec/money.md 4.2 row 16).

use super::release::release;
use super::{Order, OrderState, ShipmentState, settle};
use crate::context::Context;
use crate::id::OrderId;
use crate::intent::Intent;
use crate::outcome::Facts;
use crate::rights::is_buyer;
use crate::rows::{Key, Rows, Stop};

/// Releases what is held. A second confirmation, or one that comes after the clock, gives the same answer.
/// Refuses: `order.unknown`, `order.not_party`, `order.state`.
pub fn confirm(intent: &Intent, order: OrderId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    rows.need([&Key::order(order), &Key::owner(order.bucket()), &Key::blocker(order)])?;
    let mut order: Order = rows.get::<Order>(&Key::order(order), "order.unknown")?.clone();
    is_buyer(&order, ctx)?;
    match (order.state, order.shipment) {
        (OrderState::Completed, _) if order.released > 0 => {
            return Ok(Facts::none().with("released", order.released).with("again", true));
        }
        (OrderState::Open, ShipmentState::Shipped | ShipmentState::Delivered) => {}
        (OrderState::Open, _) => return Err(order.bad_shipment().into()),
        (OrderState::Created | OrderState::Completed | OrderState::Cancelled, _) => {
            return Err(order.bad_state().into());
        }
    }
    let released = release(intent, &mut order, "confirm", ctx, rows)?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none().with("released", released))
}
