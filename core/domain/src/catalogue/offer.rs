//! SetPrice and SetOfferState: what changes all day (spec/market.md 3.1).

use super::card::{offer_rows, show_offer};
use super::{Offer, OfferState};
use crate::context::Context;
use crate::id::OfferId;
use crate::money::{MINOR_MAX, Money};
use crate::outcome::{Facts, Refusal};
use crate::rights::{Action, shop_for};
use crate::rows::{Rows, Stop};

/// Changes a price. Refuses: `price.bad`, `money.currency`.
pub fn set_price(offer: OfferId, price: Money, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    change(offer, ctx, rows, |offer| {
        check_price(price, offer.price.currency)?;
        Ok(Offer { price, ..offer })
    })
}

/// Takes an offer down or up.
pub fn set_state(offer: OfferId, state: OfferState, ctx: &Context, rows: &mut Rows) -> Result<Facts, Stop> {
    change(offer, ctx, rows, |offer| Ok(Offer { state, ..offer }))
}

fn change(
    offer: OfferId,
    ctx: &Context,
    rows: &mut Rows,
    with: impl FnOnce(Offer) -> Result<Offer, Refusal>,
) -> Result<Facts, Stop> {
    let (offer, product, stock) = offer_rows(offer, rows)?;
    shop_for(offer.shop, Action::CatalogueWrite, ctx, rows)?;
    let changed = with(offer.clone())?;
    let changed = Offer { revision: offer.revision + 1, ..changed };
    show_offer(&changed, &product, &stock, ctx, rows)?;
    rows.put(changed)?;
    Ok(Facts::none())
}

/// A price is positive (a payment code has no form for nothing), in the shop's currency, and fits the wire.
pub(crate) fn check_price(price: Money, currency: crate::money::Currency) -> Result<(), Refusal> {
    if price.currency != currency {
        return Err(Refusal::new("money.currency"));
    }
    if price.minor < 1 || price.minor > MINOR_MAX / i64::from(crate::order::LINE_QUANTITY_MAX) {
        return Err(Refusal::new("price.bad"));
    }
    Ok(())
}
