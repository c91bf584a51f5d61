//! PayStart: asks a rail for the buyer's money (spec/money.md 3.3, way A through a rail).
//!
//! Decided in the shop's bucket alone: order, stock, then the rail operation; P1 comes with the rail's fact.

use souk_crypto::hash::digest;

use super::escrow::event;
use super::place::pay_timer;
use super::{
    Order, OrderState, PayMethod, Payment, PaymentState, RailId, RailOp, RailOpKind, RailOpState, settle,
};
use crate::bookkeeping::Message;
use crate::context::Context;
use crate::id::{DerivedId, OrderId, PaymentId, form_d};
use crate::intent::Intent;
use crate::money::Money;
use crate::outcome::{Facts, Refusal};
use crate::rights::is_buyer;
use crate::rows::{Key, Rows, Stop};
use crate::stock::Stock;
use crate::time::Time;

/// Begins a payment under the intent's id. Refuses: `order.unknown`, `order.not_party`, `intent.id_taken`, `order.closed`,
/// `order.already_paid`, `pay.currency_mismatch`, `pay.amount_mismatch`, `pay.in_progress`, `stock.gone`.
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
    if rows.find::<Payment>(&Key::payment(id))?.is_some() {
        return Err(Refusal::new("intent.id_taken").into());
    }
    match order.state {
        // Its time is over, and the timer that says so is only late.
        OrderState::Created if ctx.now > order.pay_by => return Err(Refusal::new("order.closed").into()),
        OrderState::Created => {}
        OrderState::Open | OrderState::Completed => return Err(Refusal::new("order.already_paid").into()),
        OrderState::Cancelled => return Err(Refusal::new("order.closed").into()),
    }
    check_max(intent, order.total)?;
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

/// Never dearer than the buyer agreed to.
fn check_max(intent: &Intent, total: Money) -> Result<(), Refusal> {
    match intent.max_total {
        Some(max) if max.currency != total.currency => Err(Refusal::new("pay.currency_mismatch")),
        Some(max) if max.minor < total.minor => {
            Err(Refusal::new("pay.amount_mismatch").with("amount", total).with("max", max))
        }
        Some(_) | None => Ok(()),
    }
}

/// The relay has called a rail: keeps where the operation stands. An operation that has ended stays ended, and a
/// refund ends by the rail's fact alone, because that fact posts it.
pub fn rail_progress(
    op: DerivedId,
    state: RailOpState,
    rail_ref: &str,
    next_try: Time,
    ctx: &Context,
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
    let ends = |state| matches!(state, RailOpState::Succeeded | RailOpState::Refused);
    if ends(op.state) {
        return Ok(Facts::none().with("again", true));
    }
    op.attempts = op.attempts.saturating_add(1);
    if !(op.kind == RailOpKind::Refund && ends(state)) {
        op.state = state;
    }
    op.next_try = next_try;
    let (order, kind) = (op.order, op.kind);
    rows.put(op)?;
    if kind == RailOpKind::Refund
        && let Some(order) = rows.find::<Order>(&Key::order(order))?.cloned()
    {
        settle::name_blocker(&order, ctx, rows)?;
    }
    Ok(Facts::none())
}
