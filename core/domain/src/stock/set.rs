//! SetStock: the seller says how many units are there (spec/market.md 4.1).

use super::{Stock, StockError};
use crate::catalogue::card::put_stock;
use crate::context::Context;
use crate::id::OfferId;
use crate::outcome::{Facts, Refusal};
use crate::rights::{Action, shop_for};
use crate::rows::{Key, Rows, Stop};

/// Sets the units of an offer. Refuses: `edit.conflict{field, theirs}`, `stock.range{promised}`.
pub fn set_stock(
    offer: OfferId,
    on_hand: u32,
    base_revision: Option<u32>,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let stock: Stock = rows.get::<Stock>(&Key::stock(offer), "offer.gone")?.clone();
    shop_for(stock.shop, Action::StockWrite, ctx, rows)?;
    if base_revision.is_some_and(|base| base != stock.revision) {
        return Err(Refusal::new("edit.conflict")
            .with("field", "on_hand")
            .with("theirs", stock.on_hand)
            .into());
    }
    let promised = i64::from(stock.reserved) + i64::from(stock.committed);
    let stock = stock.set(on_hand).map_err(|_| Refusal::new("stock.range").with("promised", promised))?;
    let revision = stock.revision;
    put_stock(stock, ctx, rows)?;
    Ok(Facts::none().with("revision", revision))
}

/// The refusal of a move that stock does not allow.
pub(crate) fn refused(error: StockError, offer: OfferId, wanted: u32) -> Refusal {
    match error {
        StockError::Short { available } => {
            Refusal::new("stock.short").with("lines", vec![short_line(offer, wanted, available)])
        }
        StockError::Gone => Refusal::new("stock.gone"),
        StockError::Range => Refusal::new("stock.range"),
    }
}

/// One short line as a refusal names it.
pub(crate) fn short_line(offer: OfferId, wanted: u32, available: u32) -> Facts {
    Facts::none().with_text("offer", offer).with("wanted", wanted).with("available", available)
}
