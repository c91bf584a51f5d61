//! SetCartLine and PutCheckout: what is gathered before orders are placed (spec/market.md 5.5, 5.6).

use super::{LINE_QUANTITY_MAX, LINES_MAX};
use crate::context::Context;
use crate::id::{IntentId, OfferId};
use crate::money::Money;
use crate::outcome::{Facts, Refusal};
use crate::party::{CartLine, Checkout, CheckoutLine};
use crate::rows::{Key, Rows, Stop};

/// Writes a cart line; the last writer by server order wins, 0 is a tombstone. Refuses: `offer.quantity`.
pub fn set_cart_line(
    offer: OfferId,
    quantity: u32,
    seen: Money,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let account = ctx.actor.account().ok_or(Refusal::new("auth.forbidden"))?;
    if quantity > LINE_QUANTITY_MAX {
        return Err(Refusal::new("offer.quantity").with("max", LINE_QUANTITY_MAX).into());
    }
    rows.need([&Key::cart_line(account, offer)])?;
    rows.put(CartLine { account, offer, quantity, seen, at: ctx.now })?;
    Ok(Facts::none())
}

/// Writes a checkout: its lines, or its address once the lines are there. Refuses: `order.lines`,
/// `offer.quantity`, `checkout.unknown`.
pub fn put_checkout(
    checkout: IntentId,
    lines: &[CheckoutLine],
    address: &[u8],
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let account = ctx.actor.account().ok_or(Refusal::new("auth.forbidden"))?;
    if lines.len() > LINES_MAX {
        return Err(Refusal::new("order.lines").with("limit", LINES_MAX as i64).into());
    }
    if lines.iter().any(|line| line.quantity > LINE_QUANTITY_MAX) {
        return Err(Refusal::new("offer.quantity").with("max", LINE_QUANTITY_MAX).into());
    }
    let former: Option<Checkout> = rows.find::<Checkout>(&Key::checkout(account, checkout))?.cloned();
    if former.is_none() && lines.is_empty() {
        return Err(Refusal::new("checkout.unknown").into());
    }
    let former_lines = former.as_ref().map(|row| row.lines.clone()).unwrap_or_default();
    let former_address = former.and_then(|row| row.address);
    rows.put(Checkout {
        id: checkout,
        account,
        lines: if lines.is_empty() { former_lines } else { lines.to_vec() },
        address: if address.is_empty() { former_address } else { Some(address.to_vec()) },
        at: ctx.now,
    })?;
    Ok(Facts::none().with_text("checkout", checkout))
}
