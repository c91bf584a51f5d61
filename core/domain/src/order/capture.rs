//! RailFact: money has arrived, or will not; a refund has left, or could not (spec/money.md 4.2 rows 1, 5, 6).
//!
//! Always: each capture counts once, whatever order the facts come in; money that does not complete the sum of an
//! open order in time goes back (P2); no order is revived.

use super::escrow::{WayBack, event, post_chain, refused, send_back};
use super::place::pay_timer;
use super::{
    Order, OrderState, Part, Payment, PaymentState, RailOp, RailOpKind, RailOpState, RefundState, settle,
};
use crate::bookkeeping::{Timer, TimerKind};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::id::DerivedId;
use crate::intent::{Fact, Intent, RailFact};
use crate::ledger::postings;
use crate::money::Money;
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop};
use crate::stock::Stock;

/// Takes a rail's fact in. Refuses: `payment.unknown`, `money.range`, `op.unknown`.
pub fn rail_fact(intent: &Intent, fact: &RailFact, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let payment: &Payment = rows.get(&Key::payment(fact.payment), "payment.unknown")?;
    if payment.rail != fact.rail {
        return Err(Refusal::new("payment.unknown").into());
    }
    let mut payment = payment.clone();
    if payment.rail_ref.is_empty() {
        payment.rail_ref.clone_from(&fact.rail_ref);
    }
    rows.need([
        &Key::order(payment.order),
        &Key::owner(payment.order.bucket()),
        &Key::blocker(payment.order),
    ])?;
    let order: Order = rows.get::<Order>(&Key::order(payment.order), "order.unknown")?.clone();
    match &fact.fact {
        Fact::Captured { capture, amount } => captured(intent, order, payment, capture, *amount, ctx, rows),
        Fact::PaymentRefused { reason } => {
            if payment.state == PaymentState::Pending && payment.captured == 0 {
                payment.state = PaymentState::Refused;
                payment.refusal.clone_from(reason);
                rows.put(Order { updated_at: ctx.now, ..order })?;
            }
            rows.put(payment)?;
            Ok(Facts::none())
        }
        Fact::Refunded { op } => refunded(intent, order, &payment, *op, ctx, rows),
        Fact::RefundRefused { op, reason } => refund_refused(order, &payment, *op, reason, ctx, rows),
    }
}

fn captured(
    intent: &Intent,
    mut order: Order,
    mut payment: Payment,
    capture: &str,
    amount: Money,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    if payment.captures.iter().any(|known| known == capture) {
        return Ok(Facts::none().with("again", true));
    }
    if amount.minor <= 0 {
        return Err(Refusal::new("money.range").into());
    }
    let stocks = stocks_of(&order, rows)?;
    payment.captures.push(capture.to_owned());
    order.updated_at = ctx.now;
    let event_id = DerivedId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.kind"))?;
    let is_own = amount.currency == order.currency;
    if is_own {
        let captured = payment.captured.checked_add(amount.minor);
        payment.captured = captured.ok_or(Refusal::new("money.overflow"))?;
    }
    let due = order.total.minor - order.unapplied;
    let is_for_this = is_own && order.state == OrderState::Created && order.payment == Some(payment.id);
    let word = if is_for_this && amount.minor < due {
        // A part: kept aside until the rest comes or the window ends.
        let chain = postings::unapplied_arrived(event_id, payment.rail.owner(), amount).map_err(refused)?;
        post_chain(&chain, order.id.bytes(), intent, ctx, rows)?;
        payment.parts.push(Part { event: event_id, amount: amount.minor });
        order.unapplied += amount.minor;
        // Whatever the rail had said before: no other payment may begin while this one holds a part of the sum.
        payment.state = PaymentState::Pending;
        "part"
    } else if is_for_this
        && amount.minor == due
        && stocks.iter().all(|(stock, quantity)| stock.commit(*quantity).is_ok())
    {
        open(intent, &mut order, &mut payment, amount, stocks, ctx, rows)?;
        payment.state = PaymentState::Paid;
        "paid"
    } else {
        // Too late, twice, too much, of another currency, or the goods are gone: the money goes back.
        let way = WayBack::Arrived { event: event_id };
        send_back(&mut order, &payment, (way, amount), intent, ctx, rows)?;
        if payment.state == PaymentState::Pending && payment.parts.is_empty() {
            payment.state = PaymentState::Returned;
        }
        if is_for_this && amount.minor == due {
            payment.state = PaymentState::Returned;
            settle::end_unpaid(&mut order, &mut payment, intent, ctx, rows)?;
        }
        "returned"
    };
    event("order.money", &order, is_own.then_some(amount.minor), ctx, rows)?;
    rows.put(payment)?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none().with("result", word))
}

/// Row 1: the sum is complete, stock is committed, the money stands in escrow (P1).
fn open(
    intent: &Intent,
    order: &mut Order,
    payment: &mut Payment,
    amount: Money,
    stocks: Vec<(Stock, u32)>,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    if !payment.parts.is_empty() {
        let parts: Vec<(DerivedId, Money)> = payment
            .parts
            .drain(..)
            .map(|part| (part.event, Money::new(part.amount, order.currency)))
            .collect();
        let chain = postings::unapplied_completes(order.id, &parts).map_err(refused)?;
        post_chain(&chain, order.id.bytes(), intent, ctx, rows)?;
        order.unapplied = 0;
    }
    let chain = postings::captured(order.id, payment.rail.owner(), amount).map_err(refused)?;
    post_chain(&chain, order.id.bytes(), intent, ctx, rows)?;
    for (stock, quantity) in stocks {
        put_stock(stock.commit(quantity).map_err(|_| Refusal::new("stock.gone"))?, ctx, rows)?;
    }
    rows.delete(&Key::timer_of(&pay_timer(order)))?;
    for line in &mut order.lines {
        line.paid = line.amount;
    }
    order.paid = order.total.minor;
    order.state = OrderState::Open;
    order.paid_at = Some(ctx.now);
    let ship_by = ctx.now.plus(ctx.reference.policies.ship_deadline_us);
    order.ship_by = Some(ship_by);
    rows.put_new(timer(order, TimerKind::ShipDeadline, ship_by));
    rows.put_new(timer(
        order,
        TimerKind::AutoCancel,
        ctx.now.plus(ctx.reference.policies.ship_auto_cancel_us),
    ));
    event("order.paid", order, Some(order.total.minor), ctx, rows)
}

/// A timer of an order that is set once.
pub(crate) fn timer(order: &Order, kind: TimerKind, due: crate::time::Time) -> Timer {
    Timer { bucket: order.id.bucket(), due, entity: *order.id.bytes(), kind, generation: 1 }
}

/// Stock rows of an order with the units that it holds of each.
pub(crate) fn stocks_of(order: &Order, rows: &Rows) -> Result<Vec<(Stock, u32)>, Stop> {
    let units = order.units();
    let keys: Vec<Key> =
        units.iter().flat_map(|(offer, _)| [Key::stock(*offer), Key::offer(*offer)]).collect();
    rows.need(&keys)?;
    units
        .into_iter()
        .map(|(offer, quantity)| Ok((rows.get::<Stock>(&Key::stock(offer), "offer.gone")?.clone(), quantity)))
        .collect()
}

fn refunded(
    intent: &Intent,
    mut order: Order,
    payment: &Payment,
    op: DerivedId,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let row = refund_op(op, payment, rows)?;
    let refund = order.refunds.iter_mut().find(|refund| refund.id == op).ok_or(Refusal::new("op.unknown"))?;
    if refund.state == RefundState::Done {
        return Ok(Facts::none().with("again", true));
    }
    refund.state = RefundState::Done;
    let amount = refund.money(order.currency);
    let chain = postings::refund_paid(op, payment.rail.owner(), amount).map_err(refused)?;
    post_chain(&chain, order.id.bytes(), intent, ctx, rows)?;
    order.updated_at = ctx.now;
    let is_own = amount.currency == order.currency;
    event("refund.posted", &order, is_own.then_some(amount.minor), ctx, rows)?;
    rows.put(RailOp { state: RailOpState::Succeeded, ..row })?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none())
}

/// A refund that this payment's rail was asked for: a rail says nothing about another one's.
fn refund_op(op: DerivedId, payment: &Payment, rows: &Rows) -> Result<RailOp, Stop> {
    let row: &RailOp = rows.get(&Key::rail_op(op), "op.unknown")?;
    if row.kind != RailOpKind::Refund || row.payment != payment.id {
        return Err(Refusal::new("op.unknown").into());
    }
    Ok(row.clone())
}

fn refund_refused(
    mut order: Order,
    payment: &Payment,
    op: DerivedId,
    reason: &str,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let row = refund_op(op, payment, rows)?;
    let refund = order.refunds.iter_mut().find(|refund| refund.id == op).ok_or(Refusal::new("op.unknown"))?;
    if refund.state != RefundState::Pending {
        return Ok(Facts::none().with("again", true));
    }
    refund.state = RefundState::Stuck;
    order.updated_at = ctx.now;
    rows.put(RailOp { state: RailOpState::Refused, ..row })?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none().with("reason", reason))
}
