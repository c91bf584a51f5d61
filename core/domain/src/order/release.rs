//! Release: the escrow of an order pays seller, courier, commission and tax in one chain (P4), and the clock that
//! does so when nobody asks (spec/money.md 4.2 row 16, 4.3, 4.4).

use super::capture::timer;
use super::escrow::{authority, event, post_chain, refused};
use super::{Line, LineKind, Order, OrderState, ReleaseClock, Settlement};
use crate::bookkeeping::{Timer, TimerKind};
use crate::context::Context;
use crate::intent::Intent;
use crate::ledger::postings::{self, Release, ReleasedLine};
use crate::ledger::{CapturedRates, LineFees};
use crate::money::{Bp, Money, MoneyError};
use crate::num::Rounding;
use crate::outcome::Refusal;
use crate::parcel::Level;
use crate::rows::{Rows, Stop};
use crate::time::Time;

/// Fees on what is released of one line, at the rates frozen in its order: goods bear commission and its tax, shipping
/// bears nothing. They never take more than the line gives, so that no release is stuck on them.
fn fees_of(line: &Line, order: &Order, amount: Money) -> Result<LineFees, Stop> {
    let rates = match line.kind {
        LineKind::Goods { .. } => CapturedRates {
            commission: order.fees.commission,
            service_fee: Bp(0),
            tax: order.fees.commission_tax,
            tax_rounding: Rounding::HalfEven,
        },
        LineKind::Shipping => CapturedRates::NONE,
    };
    let money = |minor| Money::new(minor, order.currency);
    let taken =
        LineFees { commission: money(line.commission), service: money(0), tax: money(line.commission_tax) };
    money(line.released)
        .add(amount)
        .and_then(|released| rates.due(released, &taken, amount))
        .map_err(|error| Refusal::new(error.code()).into())
}

/// Releases all that is held; answers the sum. The order is COMPLETED and its escrow account empty behind it.
pub(crate) fn release(
    intent: &Intent,
    order: &mut Order,
    why: &str,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<i64, Stop> {
    let amount = order.held();
    let zero = Money::zero(order.currency);
    let money = |error: MoneyError| Stop::from(Refusal::new(error.code()));
    let mut courier_fee = zero;
    let mut lines = order.lines.clone();
    let mut parts = Vec::with_capacity(lines.len());
    for line in &mut lines {
        let part = Money::new(line.paid - line.released - line.refunded, order.currency);
        let fees = fees_of(line, order, part)?;
        if line.kind == LineKind::Shipping {
            courier_fee = courier_fee.add(part).map_err(money)?;
        }
        line.released += part.minor;
        line.commission += fees.commission.minor;
        line.commission_tax += fees.tax.minor;
        parts.push(ReleasedLine { amount: part, fees });
    }
    let courier = order.fees.courier.map(|courier| (courier, courier_fee));
    let of = Release { order: order.id, seller: order.shop, courier, authority: authority(), lines: &parts };
    let seller = of.seller_share().map_err(refused)?;
    if amount > 0 {
        post_chain(&postings::released(&of).map_err(refused)?, order.id.bytes(), intent, ctx, rows)?;
    }
    order.lines = lines;
    order.released += amount;
    order.state = OrderState::Completed;
    order.clock = ReleaseClock::Done;
    order.updated_at = ctx.now;
    let until = ctx.now.plus(ctx.reference.policies.reserve_us);
    order.settlement = Some(Settlement::Pending { until, amount: seller.minor });
    rows.put_new(timer(order, TimerKind::ReserveEnd, until));
    event(
        if why == "confirm" { "order.confirmed" } else { "order.released" },
        order,
        Some(amount),
        ctx,
        rows,
    )?;
    event("order.completed", order, Some(amount), ctx, rows)?;
    Ok(amount)
}

/// The parcel is delivered with evidence of this level: releases at once, starts the clock, or shortens it.
/// A later, stronger proof only shortens a clock; without a delay there is no clock, and staff must look.
pub(crate) fn run_clock(
    intent: &Intent,
    order: &mut Order,
    level: Level,
    delivered_at: Time,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    let Some(delay) = ctx.reference.policies.release_delay(level) else {
        order.clock = ReleaseClock::Idle;
        return Ok(());
    };
    let due = delivered_at.plus(delay);
    if due <= ctx.now {
        release(intent, order, "evidence", ctx, rows)?;
        return Ok(());
    }
    let generation = match order.clock {
        ReleaseClock::Idle => 1,
        ReleaseClock::Running { due: former, .. } if former <= due => return Ok(()),
        ReleaseClock::Running { generation, .. } => generation + 1,
        ReleaseClock::Frozen { generation, .. } => generation,
        ReleaseClock::Done => return Ok(()),
    };
    order.clock = ReleaseClock::Running { due, generation };
    rows.set_timer(Timer {
        bucket: order.id.bucket(),
        due,
        entity: *order.id.bytes(),
        kind: TimerKind::Release,
        generation,
    })
}

/// Stops the clock with the time it had left; its timer finds another generation.
pub(crate) fn freeze(order: &mut Order, ctx: &Context) {
    order.clock = match order.clock {
        ReleaseClock::Running { due, generation } => {
            ReleaseClock::Frozen { left_us: due.since(ctx.now).micros().max(0), generation: generation + 1 }
        }
        ReleaseClock::Idle => ReleaseClock::Frozen { left_us: 0, generation: 1 },
        clock @ (ReleaseClock::Frozen { .. } | ReleaseClock::Done) => clock,
    };
}
