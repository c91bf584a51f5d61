//! Cards: what the projector writes into the public catalogue when an offer, its stock band or a shop changes.

use super::{Card, Offer, Product, ShopCard};
use crate::bookkeeping::Message;
use crate::context::Context;
use crate::handoff::HandOff;
use crate::id::{Bucket, OfferId};
use crate::outcome::Refusal;
use crate::party::Shop;
use crate::rows::{Key, Rows, Stop};
use crate::stock::{Band, Stock};

/// Tells the public catalogue how an offer stands now: product, price, state, stock band.
pub(crate) fn show_offer(
    offer: &Offer,
    product: &Product,
    stock: &Stock,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<(), Stop> {
    let card = Card {
        product: product.id,
        rid: rid_of(offer.id),
        category: product.category.clone(),
        brand: product.brand.clone(),
        title: product.title.clone(),
        titles: product.titles.clone(),
        image: product.image,
        offer: offer.id,
        variant: offer.variant,
        shop: offer.shop,
        price: offer.price,
        tax: offer.tax,
        quantity: offer.quantity,
        band: Band::of(stock.available()),
        state: offer.state,
        revision: offer.revision,
    };
    let bucket = offer.id.bucket();
    rows.emit(
        bucket,
        Message::Bucket { bucket: Bucket::PUBLIC, handoff: Box::new(HandOff::Card { card: Box::new(card) }) },
        ctx.now,
    )
}

/// Place on the shelf until popularity is counted: in the order of making, shops mixed (spec/sync.md 9.1).
fn rid_of(offer: OfferId) -> i64 {
    let bytes = offer.bytes();
    let counter = bytes[10..].iter().fold(0i64, |sum, byte| sum << 8 | i64::from(*byte));
    counter * i64::from(crate::id::BUCKETS) + i64::from(offer.bucket().number())
}

/// Writes new stock, and tells the public catalogue if its band has changed.
pub(crate) fn put_stock(stock: Stock, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    let former: Option<Band> =
        rows.find::<Stock>(&Key::stock(stock.offer))?.map(|row| Band::of(row.available()));
    if former.is_some_and(|band| band != Band::of(stock.available())) {
        let offer: Offer = rows.get::<Offer>(&Key::offer(stock.offer), "offer.gone")?.clone();
        let product: Product = rows.get::<Product>(&Key::product(offer.product), "offer.gone")?.clone();
        // The revision rises, so that an older card never replaces a newer one.
        let offer = Offer { revision: offer.revision + 1, ..offer };
        show_offer(&offer, &product, &stock, ctx, rows)?;
        rows.put(offer)?;
    }
    rows.put(stock)
}

/// Tells the public catalogue how a shop stands now.
pub(crate) fn show_shop(shop: &Shop, ctx: &Context, rows: &mut Rows) -> Result<(), Stop> {
    let card = ShopCard {
        id: shop.id,
        name: shop.name.clone(),
        city: shop.city.clone(),
        country: shop.country.clone(),
        currency: shop.currency,
        shipping: shop.shipping,
        state: shop.state,
    };
    let message = Message::Bucket {
        bucket: Bucket::PUBLIC,
        handoff: Box::new(HandOff::ShopCard { card: Box::new(card) }),
    };
    rows.emit(shop.id.bucket(), message, ctx.now)
}

/// Takes a card in, unless a newer one is there.
pub(crate) fn take_card(card: &Card, rows: &mut Rows) -> Result<(), Stop> {
    if rows.find::<Card>(&Key::card(card.product))?.is_some_and(|row| row.revision >= card.revision) {
        return Ok(());
    }
    rows.put(card.clone())
}

/// Takes a shop's card in.
pub(crate) fn take_shop_card(card: &ShopCard, rows: &mut Rows) -> Result<(), Stop> {
    rows.need([&Key::shop_card(card.id)])?;
    rows.put(card.clone())
}

/// The offer with its product and stock, loaded in one go.
pub(crate) fn offer_rows(offer: OfferId, rows: &Rows) -> Result<(Offer, Product, Stock), Stop> {
    rows.need([&Key::offer(offer), &Key::stock(offer)])?;
    let offer: &Offer = rows.get(&Key::offer(offer), "offer.gone")?;
    let product: &Product = rows.get(&Key::product(offer.product), "offer.gone")?;
    let stock = rows.find::<Stock>(&Key::stock(offer.id))?.ok_or_else(|| Refusal::new("offer.gone"))?;
    Ok((offer.clone(), product.clone(), stock.clone()))
}
