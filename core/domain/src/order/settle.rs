//! Blockers, and the end of an order that was never paid (spec/money.md 4.2 row 5, 4.5).
//!
//! Always: an order whose money waits for something has exactly one blocker row, that of the thing which is due
//! first, and no row once nothing is waited for. The row follows from the order, so no path can forget it.

use super::capture::stocks_of;
use super::escrow::{WayBack, event, send_back};
use super::place::pay_timer;
use super::{
    Blocker, BlockerKind, Order, OrderState, Payment, PaymentState, RailOp, RefundState, ReleaseClock,
    Settlement, ShipmentState,
};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::intent::Intent;
use crate::money::Money;
use crate::outcome::Refusal;
use crate::parcel::Parcel;
use crate::rows::{Key, Rows, Stop};
use crate::time::{Span, Time};

/// Staff looks at what no timer ends after this: delivered on our courier's word alone (spec/money.md 4.4, E0), frozen.
const STAFF_LOOKS: Span = Span::from_days(10);
/// Staff looks at what has left and was not delivered after this (`transit.max`, spec/money.md 4.2 row 14).
const TRANSIT_MAX: Span = Span::from_days(30);

/// Writes an order together with its blocker.
pub(crate) fn keep(order: Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    name_blocker(&order, ctx, rows)?;
    rows.put(order)
}

/// Names what keeps an order from being settled, or takes the name off.
pub(crate) fn name_blocker(order: &Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    let has_waited =
        !order.refunds.is_empty() || order.shipment != ShipmentState::None || order.settlement.is_some();
    if !has_waited {
        return Ok(());
    }
    let key = Key::blocker(order.id);
    let former: Option<Blocker> = rows.find::<Blocker>(&key)?.cloned();
    let blocker = blocker_of(order, former.as_ref(), ctx, rows)?;
    if blocker == former {
        return Ok(());
    }
    match blocker {
        Some(blocker) => rows.put(blocker),
        None => rows.delete(&key),
    }
}

/// Of all that the order waits for, what is due first.
fn blocker_of(
    order: &Order,
    former: Option<&Blocker>,
    ctx: &Context,
    rows: &Rows,
) -> Result<Option<Blocker>, Stop> {
    // Where no row says since when, the first due time stays: what happens meanwhile puts nothing off.
    let since = |kind, span| match former {
        Some(former) if former.kind == kind => former.next_due,
        Some(_) | None => ctx.now.plus(span),
    };
    let mut waits: Vec<(Time, BlockerKind)> = Vec::new();
    let is_pending = |state| state == RefundState::Pending;
    let ops: Vec<Key> = order
        .refunds
        .iter()
        .filter(|refund| is_pending(refund.state))
        .map(|of| Key::rail_op(of.id))
        .collect();
    rows.need(&ops)?;
    for op in &ops {
        let patience = ctx.reference.policies.rail_unknown_us;
        let due = rows.find::<RailOp>(op)?.map(|op| op.next_try.max(op.made_at.plus(patience)));
        waits.push((due.unwrap_or(ctx.now.plus(patience)), BlockerKind::RailUnknown));
    }
    if order.refunds.iter().any(|refund| refund.state == RefundState::Stuck) {
        waits.push((since(BlockerKind::RefundStuck, Span::default()), BlockerKind::RefundStuck));
    }
    if order.state == OrderState::Open && order.shipment != ShipmentState::None {
        waits.extend(match order.clock {
            ReleaseClock::Running { due, .. } => Some((due, BlockerKind::Clock)),
            ReleaseClock::Frozen { .. } => {
                Some((since(BlockerKind::Frozen, STAFF_LOOKS), BlockerKind::Frozen))
            }
            ReleaseClock::Idle if order.shipment == ShipmentState::Delivered => {
                let at = delivered_at(order, rows)?.unwrap_or(ctx.now);
                Some((at.plus(STAFF_LOOKS), BlockerKind::EvidenceE0))
            }
            ReleaseClock::Idle => Some((since(BlockerKind::InTransit, TRANSIT_MAX), BlockerKind::InTransit)),
            ReleaseClock::Done => None,
        });
    }
    if let Some(Settlement::Pending { until, .. }) = order.settlement {
        waits.push((until, BlockerKind::Reserve));
    }
    let first = waits.into_iter().min();
    Ok(first.map(|(next_due, kind)| Blocker { order: order.id, kind, next_due }))
}

/// When the order's parcels were delivered.
fn delivered_at(order: &Order, rows: &Rows) -> Result<Option<Time>, Stop> {
    let keys: Vec<Key> = order.parcels.iter().map(|parcel| Key::parcel(*parcel)).collect();
    rows.need(&keys)?;
    let mut last = None;
    for key in &keys {
        last = last.max(rows.find::<Parcel>(key)?.and_then(|parcel| parcel.delivered_at));
    }
    Ok(last)
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
        let money = Money::new(part.amount, order.currency);
        send_back(order, payment, (WayBack::Waited { event: part.event }, money), intent, ctx, rows)?;
    }
    close_unpaid(order, ctx, rows)
}

/// Ends an order for which no money has arrived.
fn close_unpaid(order: &mut Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
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
