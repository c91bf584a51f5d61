//! Refunds from escrow: asked by the buyer before shipping, given by the shop, or due because nothing was shipped
//! (spec/money.md 4.2 rows 9-12, 20; postings P3, P5).

use super::capture::stocks_of;
use super::escrow::{WayBack, event, send_back};
use super::{
    Case, CaseState, NOTE_CHARS_MAX, Order, OrderState, Payment, PaymentState, RefundCause, ReleaseClock,
    ShipmentState, settle,
};
use crate::bookkeeping::{Message, Timer, TimerKind};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::handoff::HandOff;
use crate::id::{CaseId, OrderId};
use crate::intent::Intent;
use crate::money::Money;
use crate::outcome::{Facts, Refusal};
use crate::parcel::{Parcel, ParcelState};
use crate::rights::{Action, is_buyer, shop_for};
use crate::rows::{Key, Rows, Stop};

/// Asks for the money back before shipping. Agreed at once within the free time while no label is made, and once the
/// ship deadline has passed; else the shop has 24 h, and silence agrees.
/// Refuses: `order.unknown`, `order.not_party`, `order.state`, `case.open`, `case.reason`.
pub fn open_case(
    intent: &Intent,
    order: OrderId,
    reason: &str,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let mut order = load(order, rows)?;
    is_buyer(&order, ctx)?;
    if reason.chars().count() > NOTE_CHARS_MAX {
        return Err(Refusal::new("case.reason").with("limit", NOTE_CHARS_MAX as i64).into());
    }
    order.is_waiting()?;
    if order.case.as_ref().is_some_and(|case| case.state == CaseState::RefundAsked) {
        return Err(Refusal::new("case.open").into());
    }
    let policies = &ctx.reference.policies;
    let is_late = order.overdue || order.ship_by.is_some_and(|by| ctx.now > by);
    let paid_at = order.paid_at.unwrap_or(order.placed_at);
    let is_free = order.parcels.is_empty() && ctx.now <= paid_at.plus(policies.cancel_free_us);
    let id = CaseId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    let generation = order.case.as_ref().map_or(1, |case| case.generation + 1);
    let answer_by = ctx.now.plus(policies.case_silence_us);
    let case = Case {
        id,
        state: CaseState::RefundAsked,
        reason: reason.to_owned(),
        opened_at: ctx.now,
        answer_by,
        generation,
    };
    event("return.opened", &order, None, ctx, rows)?;
    if is_late || is_free {
        order.case = Some(case);
        let cause = if is_late { RefundCause::NotShipped } else { RefundCause::BeforeShipping };
        let refund = refund_all(intent, &mut order, cause, ctx, rows)?;
        settle::keep(order, ctx, rows)?;
        return Ok(Facts::none().with_text("case", id).with("agreed", true).with("refund", refund));
    }
    rows.put_new(case_timer(&order, &case));
    order.case = Some(case);
    order.updated_at = ctx.now;
    rows.put(order)?;
    Ok(Facts::none().with_text("case", id).with("agreed", false).with("answer_by", answer_by))
}

/// The shop gives the money back: all that is still held. Refuses: `order.unknown`, `order.not_party`, `order.state`.
pub fn refund_order(intent: &Intent, order: OrderId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let mut order = load(order, rows)?;
    shop_for(order.shop, Action::RefundGrant, ctx, rows)?;
    if order.state != OrderState::Open {
        return Err(order.bad_state().into());
    }
    let cause = if order.shipment == ShipmentState::None {
        RefundCause::BeforeShipping
    } else {
        RefundCause::FromEscrow
    };
    let refund = refund_all(intent, &mut order, cause, ctx, rows)?;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none().with("refund", refund))
}

fn load(order: OrderId, rows: &Rows) -> Result<Order, Stop> {
    rows.need([&Key::order(order), &Key::owner(order.bucket()), &Key::blocker(order)])?;
    Ok(rows.get::<Order>(&Key::order(order), "order.unknown")?.clone())
}

/// The timer of a refund request.
pub(crate) fn case_timer(order: &Order, case: &Case) -> Timer {
    Timer {
        bucket: order.id.bucket(),
        due: case.answer_by,
        entity: *order.id.bytes(),
        kind: TimerKind::CaseSilence,
        generation: case.generation,
    }
}

/// Sends back all that is still held; units that have not left are free again, a label that has not moved is void, an
/// open request is answered by it.
pub(crate) fn refund_all(
    intent: &Intent,
    order: &mut Order,
    cause: RefundCause,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<i64, Stop> {
    let payment_id = order.payment.ok_or(Refusal::new("order.state"))?;
    let mut payment: Payment = rows.get::<Payment>(&Key::payment(payment_id), "payment.unknown")?.clone();
    let amount = order.held();
    if order.shipment == ShipmentState::None {
        for (stock, quantity) in stocks_of(order, rows)? {
            put_stock(stock.uncommit(quantity).map_err(|_| Refusal::new("stock.range"))?, ctx, rows)?;
        }
        void_parcels(order, ctx, rows)?;
    }
    let money = Money::new(amount, order.currency);
    send_back(order, &payment, (WayBack::Held { cause }, money), intent, ctx, rows)?;
    for line in &mut order.lines {
        line.refunded = line.paid - line.released;
    }
    order.refunded += amount;
    order.state = OrderState::Completed;
    order.clock = ReleaseClock::Done;
    order.updated_at = ctx.now;
    payment.state = PaymentState::Returned;
    rows.put(payment)?;
    if let Some(case) = &mut order.case {
        case.state = CaseState::Closed;
    }
    event("order.completed", order, Some(0), ctx, rows)?;
    Ok(amount)
}

fn void_parcels(order: &Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    let keys: Vec<Key> = order.parcels.iter().map(|parcel| Key::parcel(*parcel)).collect();
    rows.need(&keys)?;
    for key in &keys {
        let mut parcel: Parcel = rows.get::<Parcel>(key, "parcel.unknown")?.clone();
        parcel.state = ParcelState::Cancelled;
        parcel.touch(ctx.now);
        tell_courier(&parcel, ctx, rows)?;
        rows.put(parcel)?;
    }
    Ok(())
}

/// Tells the courier's bucket how a parcel stands since its last change.
pub(crate) fn tell_courier(parcel: &Parcel, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    let handoff = HandOff::StopMoved {
        courier: parcel.courier,
        parcel: parcel.id,
        state: parcel.state,
        chain_index: parcel.chain_index,
        chain_tip: parcel.chain_tip,
        at: parcel.updated_at,
    };
    let message = Message::Bucket { bucket: parcel.courier.bucket(), handoff: Box::new(handoff) };
    rows.emit(parcel.id.bucket(), message, ctx.now)
}
