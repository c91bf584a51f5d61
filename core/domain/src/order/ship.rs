//! Shipping: the first custody scan, or the seller's word where no scan will come (spec/money.md 4.2 rows 7, 10).

use super::capture::stocks_of;
use super::escrow::event;
use super::{CaseState, Order, OrderState, ShipmentState, settle};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::id::OrderId;
use crate::outcome::{Facts, Refusal};
use crate::rights::{Action, shop_for};
use crate::rows::{Key, Rows, Stop};

/// Says that an order is on its way. Refuses: `order.unknown`, `order.not_party`, `order.state`,
/// `ship.scan_expected` (it has a label: the courier's scan says so).
pub fn ship(order: OrderId, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    rows.need([&Key::order(order), &Key::owner(order.bucket())])?;
    let mut order: Order = rows.get::<Order>(&Key::order(order), "order.unknown")?.clone();
    shop_for(order.shop, Action::OrderShip, ctx, rows)?;
    if order.state == OrderState::Open && order.shipment == ShipmentState::Shipped {
        return Ok(Facts::none().with("again", true));
    }
    order.is_waiting()?;
    if !order.parcels.is_empty() {
        return Err(Refusal::new("ship.scan_expected").into());
    }
    shipped(&mut order, ctx, rows)?;
    // The shop brings it by its own means: no courier has earned the shipping.
    order.fees.courier = None;
    settle::keep(order, ctx, rows)?;
    Ok(Facts::none())
}

/// The goods have left: stock goes out, the ship deadline ends, a refund request before shipping closes.
pub(crate) fn shipped(order: &mut Order, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    if order.shipment != ShipmentState::None || order.state != OrderState::Open {
        return Ok(());
    }
    for (stock, quantity) in stocks_of(order, rows)? {
        put_stock(stock.ship(quantity).map_err(|_| Refusal::new("stock.gone"))?, ctx, rows)?;
    }
    order.shipment = ShipmentState::Shipped;
    order.ship_by = None;
    if let Some(case) = &mut order.case {
        case.state = CaseState::Closed;
    }
    order.updated_at = ctx.now;
    event("order.shipped", order, None, ctx, rows)
}
