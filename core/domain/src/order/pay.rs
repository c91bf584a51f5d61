//! PayStart: asks a rail for the buyer's money (spec/money.md 3.3, way A through a rail).
//!
//! Decided in the shop's bucket alone: order, stock, then the rail operation; P1 comes with the rail's fact.

use souk_crypto::hash::digest;

use super::escrow::event;
use super::place::pay_timer;
use super::{
    BlockerKind, Order, OrderState, PayMethod, Payment, PaymentState, RailId, RailOp, RailOpKind,
    RailOpState, settle,
};
use crate::bookkeeping::Message;
use crate::context::Context;
use crate::id::{DerivedId, OrderId, PaymentId, form_d};
use crate::intent::Intent;
use crate::outcome::{Facts, Refusal};
use crate::rights::is_buyer;
use crate::rows::{Key, Rows, Stop};
use crate::stock::Stock;
use crate::time::Time;

/// Begins a payment under the intent's id. Refuses: `order.unknown`, `order.not_party`, `order.closed`,
/// `order.already_paid`, `pay.in_progress`, `stock.gone`.
pub fn pay_start(
    intent: &Intent,
    order: OrderId,
    rail: &RailId,
    method: PayMethod,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let id = PaymentId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    rows.need([&Key::order(order), &Key::payment(id), &Key::owner(order.bucket())])?;
    let mut order: Order = rows.get::<Order>(&Key::order(order), "order.unknown")?.clone();
    is_buyer(&order, ctx)?;
    match order.state {
        OrderState::Created => {}
        OrderState::Open | OrderState::Completed => return Err(Refusal::new("order.already_paid").into()),
        OrderState::Cancelled => return Err(Refusal::new("order.closed").into()),
    }
    if let Some(former) = order.payment {
        let former: &Payment = rows.get(&Key::payment(former), "payment.unknown")?;
        if former.state == PaymentState::Pending {
            return Err(Refusal::new("pay.in_progress").into());
        }
    }
    let keys: Vec<Key> = order.units().iter().map(|(offer, _)| Key::stock(*offer)).collect();
    rows.need(&keys)?;
    for (offer, quantity) in order.units() {
        let stock: &Stock = rows.get(&Key::stock(offer), "offer.gone")?;
        stock.commit(quantity).map_err(|_| Refusal::new("stock.gone").with("offer", offer.to_string()))?;
    }
    let op = DerivedId::from_bytes(form_d(order.id.bucket(), &digest("souk/op/v1/", &[id.bytes()])))
        .map_err(|_| Refusal::new("id.form"))?;
    rows.put(Payment {
        id,
        order: order.id,
        buyer: order.buyer,
        rail: rail.clone(),
        method,
        amount: order.total,
        state: PaymentState::Pending,
        rail_ref: String::new(),
        captures: Vec::new(),
        captured: 0,
        parts: Vec::new(),
        refusal: String::new(),
        at: ctx.now,
    })?;
    rows.put_new(RailOp {
        id: op,
        rail: rail.clone(),
        kind: RailOpKind::Begin,
        payment: id,
        order: order.id,
        amount: order.total,
        state: RailOpState::New,
        attempts: 0,
        next_try: ctx.now,
        made_at: ctx.now,
    });
    rows.emit(order.id.bucket(), Message::Rail { op }, ctx.now)?;
    // Once, so that a payment begun in the last minute can still end in time.
    let extended = ctx.now.plus(ctx.reference.policies.pay_extend_us);
    if extended > order.pay_by && order.pay_generation == 1 {
        rows.delete(&Key::timer_of(&pay_timer(&order)))?;
        order.pay_by = extended;
        order.pay_generation += 1;
        rows.put_new(pay_timer(&order));
    }
    order.payment = Some(id);
    order.updated_at = ctx.now;
    event("pay.begun", &order, Some(order.total.minor), ctx, rows)?;
    let facts =
        Facts::none().with_text("payment", id).with("amount", order.total).with("pay_by", order.pay_by);
    rows.put(order)?;
    Ok(facts)
}

/// The relay has called a rail: keeps where the operation stands. An operation that has ended stays ended.
pub fn rail_progress(
    op: DerivedId,
    state: RailOpState,
    rail_ref: &str,
    next_try: Time,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let mut op: RailOp = rows.get::<RailOp>(&Key::rail_op(op), "op.unknown")?.clone();
    rows.need([&Key::payment(op.payment), &Key::blocker(op.order), &Key::order(op.order)])?;
    if !rail_ref.is_empty()
        && let Some(payment) = rows.find::<Payment>(&Key::payment(op.payment))?
        && payment.rail_ref.is_empty()
    {
        let payment = Payment { rail_ref: rail_ref.to_owned(), ..payment.clone() };
        rows.put(payment)?;
    }
    if matches!(op.state, RailOpState::Succeeded | RailOpState::Refused) {
        return Ok(Facts::none().with("again", true));
    }
    if state == RailOpState::Unknown && op.kind == RailOpKind::Refund {
        settle::block(op.order, BlockerKind::RailUnknown, next_try, rows)?;
    }
    op.attempts += 1;
    op.state = state;
    op.next_try = next_try;
    rows.put(op)?;
    Ok(Facts::none())
}
