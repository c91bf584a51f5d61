//! Blockers, and the end of an order that was never paid (spec/money.md 4.2 row 5, 4.5).

use super::capture::stocks_of;
use super::escrow::{WayBack, event, send_back};
use super::place::pay_timer;
use super::{Blocker, BlockerKind, Order, OrderState, Payment, PaymentState};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::id::OrderId;
use crate::intent::Intent;
use crate::outcome::Refusal;
use crate::rows::{Key, Rows, Stop};
use crate::time::Time;

/// Names what keeps an order from being settled; one a time, the newest.
pub(crate) fn block(order: OrderId, kind: BlockerKind, next_due: Time, rows: &mut Rows) -> Result<(), Stop> {
    rows.put(Blocker { order, kind, next_due })
}

/// Takes the blocker off, if it is one of these.
pub(crate) fn unblock(order: OrderId, kinds: &[BlockerKind], rows: &mut Rows) -> Result<(), Stop> {
    let key = Key::blocker(order);
    if rows.find::<Blocker>(&key)?.is_some_and(|blocker| kinds.contains(&blocker.kind)) {
        rows.delete(&key)?;
    }
    Ok(())
}

/// Ends an order that was not paid: holds are freed, parts that had arrived go back, the timer ends.
pub(crate) fn end_unpaid(
    order: &mut Order,
    payment: &mut Payment,
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    order.unapplied = 0;
    for part in std::mem::take(&mut payment.parts) {
        send_back(order, payment, (WayBack::Waited { event: part.event }, part.amount), intent, ctx, rows)?;
    }
    close_unpaid(order, ctx, rows)
}

/// Ends an order for which no money has arrived.
pub(crate) fn close_unpaid(order: &mut Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    for (stock, quantity) in stocks_of(order, rows)? {
        put_stock(stock.free(quantity).map_err(|_| Refusal::new("stock.range"))?, ctx, rows)?;
    }
    rows.delete(&Key::timer_of(&pay_timer(order)))?;
    order.state = OrderState::Cancelled;
    order.updated_at = ctx.now;
    event("order.cancelled", order, None, ctx, rows)
}

/// Ends an unpaid order with whatever payment it has; a payment on its way will be sent back when it arrives.
pub(crate) fn cancel_created(
    order: &mut Order,
    intent: &Intent,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    match order.payment {
        Some(payment) => {
            let mut payment: Payment =
                rows.get::<Payment>(&Key::payment(payment), "payment.unknown")?.clone();
            if order.unapplied > 0 {
                payment.state = PaymentState::Returned;
            }
            end_unpaid(order, &mut payment, intent, ctx, rows)?;
            rows.put(payment)
        }
        None => close_unpaid(order, ctx, rows),
    }
}
