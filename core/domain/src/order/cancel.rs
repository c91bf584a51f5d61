//! CancelOrder: ends an order that is not paid (spec/money.md 4.2 row 5).

use super::settle::{self, cancel_created};
use super::{Order, OrderState};
use crate::context::Context;
use crate::id::OrderId;
use crate::intent::Intent;
use crate::outcome::Facts;
use crate::rights::{Action, is_buyer, shop_for};
use crate::rows::{Key, Rows, Stop};

/// Cancels an unpaid order, by its buyer or its shop. Refuses: `order.unknown`, `order.not_party`, `order.state`.
/// An order that is cancelled already gives the same answer.
pub fn cancel_order(intent: &Intent, order: OrderId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    rows.need([&Key::order(order), &Key::owner(order.bucket())])?;
    let mut order: Order = rows.get::<Order>(&Key::order(order), "order.unknown")?.clone();
    if is_buyer(&order, ctx).is_err() {
        shop_for(order.shop, Action::RefundGrant, ctx, rows)?;
    }
    match order.state {
        OrderState::Created => {}
        OrderState::Cancelled => return Ok(Facts::none().with("again", true)),
        OrderState::Open | OrderState::Completed => {
            return Err(order.bad_state().into());
        }
    }
    cancel_created(&mut order, intent, ctx, rows)?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none())
}
