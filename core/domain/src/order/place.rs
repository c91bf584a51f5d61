//! PlaceOrder: reserves stock, freezes prices and rates, opens the order (spec/market.md 5.6).
//!
//! Checks in this order, a stage reports all its lines: shop, offers and quantities, price, address, stock.

use std::collections::BTreeMap;

use super::escrow::event;
use super::totals::{Gross, taxed};
use super::{
    Address, AddressText, Fees, LINES_MAX, Line, LineKind, NOTE_CHARS_MAX, Order, OrderState, ReleaseClock,
    ShipmentState,
};
use crate::bookkeeping::{Timer, TimerKind};
use crate::catalogue::card::put_stock;
use crate::catalogue::{Offer, OfferState, TaxRule};
use crate::context::{Actor, Context};
use crate::id::{OfferId, OrderId};
use crate::intent::{Intent, PlaceOrder, ShortPolicy, WantedLine};
use crate::money::{MINOR_MAX, Money, Ppm};
use crate::num::Rounding;
use crate::outcome::{Facts, Refusal};
use crate::party::{Shop, ShopState};
use crate::rows::{Key, Rows, Stop};
use crate::stock::Stock;
use crate::stock::set::{refused, short_line};

/// Bytes of random in front of the address in the `bin` (spec/sync.md 3.1).
pub const ADDRESS_SALT_BYTES: usize = 16;

/// Places an order under the intent's id. Refuses: `order.lines`, `shop.closed`, `offer.gone`, `offer.quantity`,
/// `money.currency`, `price.changed`, `addr.form`, `stock.short`, `money.overflow`.
pub fn place_order(
    intent: &Intent,
    place: &PlaceOrder,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Stop> {
    let Actor::User { account: buyer, key: buyer_key, .. } = ctx.actor else {
        return Err(Refusal::new("auth.forbidden").into());
    };
    check_form(place)?;
    let id = OrderId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    load(id, place, rows)?;
    let shop: Shop = rows.get::<Shop>(&Key::shop(place.shop), "shop.unknown")?.clone();
    if shop.state != ShopState::Open {
        return Err(Refusal::new("shop.closed").into());
    }
    if rows.find::<Order>(&Key::order(id))?.is_some() {
        return Err(Refusal::new("intent.id_taken").into());
    }
    let offers = live_offers(place, rows)?;
    let (mut lines, mut total) = priced(&place.lines, &offers, &shop)?;
    check_price(intent, &place.lines, &offers, total)?;
    let address = read_address(&intent.bin)?;
    let (wanted, cut) = in_stock(place, &offers, rows)?;
    if !cut.is_empty() {
        // With fewer goods the shipping may not be free any more.
        (lines, total) = priced(&wanted, &offers, &shop)?;
        check_price(intent, &wanted, &offers, total)?;
    }
    let tax = Money::new(lines.iter().map(|line| line.tax).sum(), shop.currency);
    let order = Order {
        id,
        shop: shop.id,
        shop_name: shop.name.clone(),
        buyer: *buyer,
        buyer_key: buyer_key.clone(),
        placed_at: ctx.now,
        updated_at: ctx.now,
        currency: shop.currency,
        lines,
        total,
        tax,
        state: OrderState::Created,
        shipment: ShipmentState::None,
        paid: 0,
        released: 0,
        refunded: 0,
        unapplied: 0,
        fees: Fees {
            plan_version: ctx.reference.fee_plan.version,
            commission: ctx.reference.fee_plan.commission,
            commission_tax: ctx.reference.fee_plan.commission_tax,
            courier: shop.courier,
        },
        policy_version: ctx.reference.version,
        pay_by: ctx.now.plus(ctx.reference.policies.pay_window_us),
        pay_generation: 1,
        ship_by: None,
        overdue: false,
        payment: None,
        paid_at: None,
        parcels: Vec::new(),
        salt: souk_crypto::hash::first(&ctx.random),
        clock: ReleaseClock::Idle,
        case: None,
        refunds: Vec::new(),
        settlement: None,
        note: place.note.clone(),
    };
    for (offer, quantity) in order.units() {
        let stock: &Stock = rows.get(&Key::stock(offer), "offer.gone")?;
        let stock = stock.reserve(quantity).map_err(|error| refused(error, offer, quantity))?;
        put_stock(stock, ctx, rows)?;
    }
    rows.put_new(pay_timer(&order));
    if let Some(to) = address {
        rows.put_new(Address { order: id, to });
    }
    event("order.placed", &order, Some(total.minor), ctx, rows)?;
    let mut facts = Facts::none().with_text("order", id).with("total", total).with("pay_by", order.pay_by);
    if !cut.is_empty() {
        facts = facts.with("cut", cut);
    }
    rows.put(order)?;
    Ok(facts)
}

fn check_form(place: &PlaceOrder) -> Result<(), Stop> {
    if place.lines.is_empty() || place.lines.len() > LINES_MAX {
        return Err(Refusal::new("order.lines").with("limit", LINES_MAX as i64).into());
    }
    if place.note.chars().count() > NOTE_CHARS_MAX {
        return Err(Refusal::new("order.note").with("limit", NOTE_CHARS_MAX as i64).into());
    }
    if place.lines.iter().any(|line| line.offer.bucket() != place.shop.bucket()) {
        return Err(Refusal::new("offer.gone").into());
    }
    Ok(())
}

/// Everything that the rule reads, in one go; products only where a stock band may change.
fn load(id: OrderId, place: &PlaceOrder, rows: &Rows) -> Result<(), Stop> {
    let mut keys = vec![Key::order(id), Key::shop(place.shop), Key::owner(place.shop.bucket())];
    for line in &place.lines {
        keys.push(Key::offer(line.offer));
        keys.push(Key::stock(line.offer));
    }
    rows.need(&keys)
}

fn live_offers(place: &PlaceOrder, rows: &Rows) -> Result<BTreeMap<OfferId, Offer>, Stop> {
    let mut offers = BTreeMap::new();
    let mut gone = Vec::new();
    let mut outside = Vec::new();
    for line in &place.lines {
        match rows.find::<Offer>(&Key::offer(line.offer))? {
            Some(offer) if offer.shop == place.shop && offer.state == OfferState::Live => {
                if !offer.quantity.allows(line.quantity) {
                    let rule = offer.quantity;
                    outside.push(
                        Facts::none()
                            .with_text("offer", line.offer)
                            .with("min", rule.min)
                            .with("step", rule.step)
                            .with("max", rule.max),
                    );
                }
                offers.insert(line.offer, offer.clone());
            }
            Some(_) | None => gone.push(Facts::none().with_text("offer", line.offer)),
        }
    }
    if !gone.is_empty() {
        return Err(Refusal::new("offer.gone").with("lines", gone).into());
    }
    if !outside.is_empty() {
        return Err(Refusal::new("offer.quantity").with("lines", outside).into());
    }
    Ok(offers)
}

/// Lines as far as stock and the offers' quantity rules allow, and what was cut; all lines are first summed per stock
/// row.
fn in_stock(
    place: &PlaceOrder,
    offers: &BTreeMap<OfferId, Offer>,
    rows: &Rows,
) -> Result<(Vec<WantedLine>, Vec<Facts>), Stop> {
    let mut left: BTreeMap<OfferId, u32> = BTreeMap::new();
    let mut kept = Vec::new();
    let mut short = Vec::new();
    for line in &place.lines {
        let available = match left.get(&line.offer) {
            Some(available) => *available,
            None => rows.get::<Stock>(&Key::stock(line.offer), "offer.gone")?.available(),
        };
        let rule = offers.get(&line.offer).ok_or(Refusal::new("offer.gone"))?.quantity;
        let quantity = if line.quantity <= available { line.quantity } else { rule.most_within(available) };
        left.insert(line.offer, available - quantity);
        if quantity < line.quantity {
            short.push(short_line(line.offer, line.quantity, quantity));
        }
        if quantity > 0 {
            kept.push(WantedLine { quantity, ..*line });
        }
    }
    let refuse = match place.policy {
        ShortPolicy::AllOrNothing => !short.is_empty(),
        ShortPolicy::Partial => kept.is_empty(),
    };
    if refuse {
        return Err(Refusal::new("stock.short").with("lines", short).into());
    }
    Ok((kept, short))
}

/// Goods lines and the shipping line, with tax, and what they come to.
fn priced(
    wanted: &[WantedLine],
    offers: &BTreeMap<OfferId, Offer>,
    shop: &Shop,
) -> Result<(Vec<Line>, Money), Stop> {
    let overflow = |_| Stop::from(Refusal::new("money.overflow"));
    let mut lines = Vec::with_capacity(wanted.len() + 1);
    for line in wanted {
        let offer = offers.get(&line.offer).ok_or(Refusal::new("offer.gone"))?;
        let kind = LineKind::Goods { offer: offer.id, product: offer.product };
        let gross = offer.price.mul(i64::from(line.quantity)).map_err(overflow)?;
        lines.push((
            kind,
            offer.title.clone(),
            line.quantity,
            offer.price.minor,
            Gross { minor: gross.minor, rule: offer.tax },
        ));
    }
    let goods = lines
        .iter()
        .try_fold(0i64, |sum, line| sum.checked_add(line.4.minor))
        .ok_or(Refusal::new("money.overflow"))?;
    let is_free = shop.shipping.free_from.is_some_and(|from| goods >= from.minor);
    let flat = if is_free { 0 } else { shop.shipping.flat.minor };
    if flat > 0 {
        let rule = TaxRule { rate: Ppm(0), inclusive: true, rounding: Rounding::HalfEven };
        lines.push((LineKind::Shipping, String::new(), 1, flat, Gross { minor: flat, rule }));
    }
    let grosses: Vec<Gross> = lines.iter().map(|line| line.4).collect();
    let taxes = taxed(&grosses, shop.currency).map_err(overflow)?;
    let line = |((kind, title, quantity, unit, gross), taxed): (
        (LineKind, String, u32, i64, Gross),
        super::totals::Taxed,
    )| Line {
        kind,
        title,
        quantity,
        unit,
        amount: taxed.amount,
        tax: taxed.tax,
        tax_rule: gross.rule,
        paid: 0,
        released: 0,
        refunded: 0,
        commission: 0,
        commission_tax: 0,
    };
    let lines: Vec<Line> = lines.into_iter().zip(taxes).map(line).collect();
    let total =
        lines.iter().try_fold(0i64, |sum, line| sum.checked_add(line.amount)).filter(|sum| *sum <= MINOR_MAX);
    let total = Money::new(total.ok_or(Refusal::new("money.overflow"))?, shop.currency);
    Ok((lines, total))
}

/// A price that fell is taken; one that rose is taken as long as the total stays within what the buyer agreed to.
fn check_price(
    intent: &Intent,
    wanted: &[WantedLine],
    offers: &BTreeMap<OfferId, Offer>,
    total: Money,
) -> Result<(), Stop> {
    if let Some(max) = intent.max_total {
        if max.currency != total.currency {
            return Err(Refusal::new("money.currency").into());
        }
        if total.minor <= max.minor {
            return Ok(());
        }
    }
    let rose =
        |line: &&WantedLine| offers.get(&line.offer).is_some_and(|offer| offer.price.minor > line.seen);
    let changed: Vec<Facts> = wanted
        .iter()
        .filter(rose)
        .map(|line| {
            let now = offers.get(&line.offer).map_or(0, |offer| offer.price.minor);
            Facts::none().with_text("offer", line.offer).with("old", line.seen).with("new", now)
        })
        .collect();
    if changed.is_empty() && intent.max_total.is_none() {
        return Ok(());
    }
    Err(Refusal::new("price.changed").with("lines", changed).with("new_total", total).into())
}

/// The address of the `bin`: 16 random bytes, then JSON. An order without one is for goods that are not sent.
fn read_address(bin: &[u8]) -> Result<Option<AddressText>, Stop> {
    if bin.is_empty() {
        return Ok(None);
    }
    let json = bin.get(ADDRESS_SALT_BYTES..).ok_or(Refusal::new("addr.form"))?;
    let address: AddressText = serde_json::from_slice(json).map_err(|_| Refusal::new("addr.form"))?;
    Ok(Some(address))
}

/// The timer that ends an unpaid order.
pub(crate) fn pay_timer(order: &Order) -> Timer {
    Timer {
        bucket: order.id.bucket(),
        due: order.pay_by,
        entity: *order.id.bytes(),
        kind: TimerKind::PayWindow,
        generation: order.pay_generation,
    }
}
