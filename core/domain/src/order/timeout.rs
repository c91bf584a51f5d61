//! Time-outs of orders (spec/money.md 4.2 rows 5, 9, 11, 12, 16, 35).
//!
//! Always: a timer that comes late, twice or after what it waited for changes nothing.

use super::escrow::{Book, event, post_chain, refused};
use super::refund::refund_all;
use super::release;
use super::{CaseState, Order, OrderState, RefundCause, ReleaseClock, Settlement, ShipmentState, settle};
use crate::bookkeeping::Timer;
use crate::context::Context;
use crate::id::OrderId;
use crate::intent::Intent;
use crate::ledger::postings::{self, SellerFunds};
use crate::money::{Bp, Money};
use crate::outcome::{Facts, Refusal};
use crate::rows::{Key, Rows, Stop};

/// The order that a timer is about; none if it is gone.
fn order_of(timer: &Timer, rows: &Rows) -> Result<Option<Order>, Stop> {
    let id = OrderId::from_bytes(timer.entity).map_err(|_| Refusal::new("id.form"))?;
    rows.need([&Key::order(id), &Key::owner(id.bucket()), &Key::blocker(id)])?;
    Ok(rows.find::<Order>(&Key::order(id))?.cloned())
}

fn nothing() -> Facts {
    Facts::none().with("changed", false)
}

fn done(order: Order, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none().with("changed", true))
}

/// An unpaid order ends.
pub fn pay_window(intent: &Intent, timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    if order.state != OrderState::Created || order.pay_generation != timer.generation {
        return Ok(nothing());
    }
    settle::cancel_created(&mut order, intent, ctx, rows)?;
    done(order, ctx, rows)
}

/// Not shipped in time: from now on a refund request is agreed at once.
pub fn ship_deadline(timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    if order.state != OrderState::Open || order.shipment != ShipmentState::None || order.overdue {
        return Ok(nothing());
    }
    order.overdue = true;
    order.updated_at = ctx.now;
    done(order, ctx, rows)
}

/// Never shipped: the money goes back.
pub fn auto_cancel(intent: &Intent, timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    if order.state != OrderState::Open || order.shipment != ShipmentState::None {
        return Ok(nothing());
    }
    refund_all(intent, &mut order, RefundCause::NotShipped, ctx, rows)?;
    done(order, ctx, rows)
}

/// The release clock.
pub fn release(intent: &Intent, timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    let is_due = matches!(order.clock, ReleaseClock::Running { due, generation }
        if due == timer.due && generation == timer.generation);
    if order.state != OrderState::Open || !is_due {
        return Ok(nothing());
    }
    release::release(intent, &mut order, "clock", ctx, rows)?;
    done(order, ctx, rows)
}

/// Silence of the shop on a refund request.
pub fn case_silence(intent: &Intent, timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    let is_asked = order
        .case
        .as_ref()
        .is_some_and(|case| case.state == CaseState::RefundAsked && case.generation == timer.generation);
    if order.state != OrderState::Open || order.shipment != ShipmentState::None || !is_asked {
        return Ok(nothing());
    }
    refund_all(intent, &mut order, RefundCause::BeforeShipping, ctx, rows)?;
    done(order, ctx, rows)
}

/// The reserve ends (P9): the seller's share becomes available, less what the seller owes.
pub fn reserve_end(intent: &Intent, timer: &Timer, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    let Some(mut order) = order_of(timer, rows)? else { return Ok(nothing()) };
    let Some(Settlement::Pending { amount, .. }) = order.settlement else { return Ok(nothing()) };
    let share = Money::new(amount, order.currency);
    let accounts = SellerFunds::accounts(order.shop, order.currency).map(|of| Key::ledger_account(of.id()));
    rows.need(&accounts)?;
    let funds = SellerFunds::read(order.shop, order.currency, &Book::over(rows));
    let ended = postings::reserve_ended(order.shop, share, Bp(0), &funds).map_err(refused)?;
    if let Some(chain) = &ended {
        post_chain(chain, order.id.bytes(), intent, ctx, rows)?;
    }
    order.settlement = Some(Settlement::Available { amount });
    order.updated_at = ctx.now;
    event("order.settled", &order, Some(amount), ctx, rows)?;
    done(order, ctx, rows)
}
