//! Rows that `decide` asks for, from what a device may see (spec/sync.md 7, table).
//!
//! Exact rows come from the account's own scopes and from the public ones; what is never sent is assumed neutral; a
//! row that is neither ends the prediction.

use souk_domain::bookkeeping::Owner;
use souk_domain::catalogue::{Card, Offer, Product, Sku, Variant};
use souk_domain::id::{AccountId, Bucket, OfferId, OrderId, ProductId, ShopId, Waybill, form_u};
use souk_domain::intent::{Body, Intent};
use souk_domain::ledger::{Account, AccountCode, AccountRef, JournalHead};
use souk_domain::order::{LINE_QUANTITY_MAX, Order, OrderState, ShipmentState};
use souk_domain::parcel::{Route, WaybillClaim};
use souk_domain::party::Shop;
use souk_domain::rows::{Key, Row, RowKind};
use souk_domain::scope::{EntityKind, Scope};
use souk_domain::stock::Stock;

use super::{Seat, read};
use crate::error::StoreResult;
use crate::outbox::Confidence;
use crate::store::cache;

/// Made-up catalogue numbers begin here, so that a predicted product never takes the place of a real one.
const CATALOGUE_SEQ_PREDICTED: u64 = 1 << 47;
/// Parcels and stops that are looked through for a number; a courier's van holds 250.
const PARCELS_MAX: usize = 1_000;

/// A row with how sure it is; none = this device cannot know.
type Filled = Option<(Option<Row>, Confidence)>;

/// Fills rows for one act.
pub(super) struct Filler<'s, 'f> {
    seat: &'s Seat<'f>,
    /// Rows under the act's own id cannot be there yet.
    own_id: [u8; 16],
    /// The order that the act is about, for its accounts.
    order: Option<OrderId>,
}

fn exactly(row: Option<Row>) -> Filled {
    Some((row, Confidence::Sure))
}

fn assumed(row: Option<Row>) -> Filled {
    Some((row, Confidence::Likely))
}

/// 16 bytes of a key, from one of its halves.
fn part(key: &Key, at: usize) -> Option<[u8; 16]> {
    key.id.get(at..at + 16)?.try_into().ok()
}

impl<'s, 'f> Filler<'s, 'f> {
    pub(super) fn new(seat: &'s Seat<'f>, intent: &Intent) -> Filler<'s, 'f> {
        let order = match &intent.body {
            Body::PayStart { order, .. }
            | Body::CancelOrder { order }
            | Body::OpenCase { order, .. }
            | Body::RefundOrder { order }
            | Body::Confirm { order }
            | Body::MakeLabels { order, .. }
            | Body::Ship { order } => Some(*order),
            Body::ConfirmHandOver { waybill, .. } | Body::AppendCustody { waybill } => {
                parcel_of(seat, *waybill).ok().flatten().map(|parcel| parcel.order)
            }
            Body::OpenShop(_)
            | Body::PutProduct(_)
            | Body::SetOfferState { .. }
            | Body::SetPrice { .. }
            | Body::SetStock { .. }
            | Body::SetCartLine { .. }
            | Body::PutCheckout { .. }
            | Body::PlaceOrder(_)
            | Body::OpenShift { .. }
            | Body::CloseShift { .. }
            | Body::Server(_) => None,
        };
        Filler { seat, own_id: *intent.id.bytes(), order }
    }

    /// The row of a key.
    pub(super) fn fill(&mut self, key: &Key) -> StoreResult<Filled> {
        let Some(id) = part(key, 0).or((key.kind == RowKind::Owner).then_some([0; 16])) else {
            return self.fill_short(key);
        };
        Ok(match key.kind {
            RowKind::Account => self.own(EntityKind::Account, &id)?,
            RowKind::Shop => self.shop(&id)?,
            RowKind::Product => self.product(&id)?,
            RowKind::Offer => self.offer(&id)?,
            RowKind::Stock => self.stock(&id)?,
            RowKind::Sku => self.sku(key, &id)?,
            RowKind::CartLine => {
                let offer = part(key, 16).unwrap_or_default();
                exactly(read::row(&self.seat.files.user, EntityKind::CartLine, &offer)?)
            }
            RowKind::Order => self.own_or_new(EntityKind::Order, &id)?,
            RowKind::Parcel => self.own_or_new(EntityKind::Parcel, &id)?,
            RowKind::Shift => self.own_or_new(EntityKind::Shift, &id)?,
            RowKind::Stop => self.own(EntityKind::Stop, &part(key, 16).unwrap_or_default())?,
            RowKind::Payment if id == self.own_id => exactly(None),
            RowKind::Route => self.route(&id)?,
            RowKind::LedgerAccount => self.account(key)?,
            RowKind::Owner => exactly(Some(Row::Owner(neutral_owner(key.bucket)))),
            // Made by the act itself, there is no way to have one before; or, the blocker, written for others to read:
            // no outcome depends on it.
            RowKind::Timer | RowKind::Outbox | RowKind::RailOp | RowKind::Blocker => exactly(None),
            // Never sent: assumed not to be there.
            RowKind::Checkout | RowKind::CustodyEvent | RowKind::HandoverSeen => assumed(None),
            RowKind::Payment
            | RowKind::Address
            | RowKind::WaybillClaim
            | RowKind::Device
            | RowKind::ContactClaim
            | RowKind::Token
            | RowKind::Card
            | RowKind::ShopCard
            | RowKind::Intent
            | RowKind::Stream
            | RowKind::Minted
            | RowKind::ScopePart
            | RowKind::Change
            | RowKind::ScopeOf
            | RowKind::Inbox => None,
        })
    }

    /// Keys shorter than an id: numbers.
    fn fill_short(&self, key: &Key) -> StoreResult<Filled> {
        Ok(match key.kind {
            RowKind::WaybillClaim => {
                let number = <[u8; 8]>::try_from(key.id.as_slice()).map(u64::from_be_bytes);
                let Ok(number) = number else { return Ok(None) };
                let waybill = Waybill::from_number(number);
                parcel_of(self.seat, waybill)?.and_then(|parcel| {
                    exactly(Some(Row::WaybillClaim(WaybillClaim { waybill, parcel: parcel.id })))
                })
            }
            RowKind::Outbox | RowKind::Timer => exactly(None),
            _ => None,
        })
    }

    fn own(&self, kind: EntityKind, id: &[u8; 16]) -> StoreResult<Filled> {
        Ok(read::row(&self.seat.files.user, kind, id)?.and_then(|row| exactly(Some(row))))
    }

    fn own_or_new(&self, kind: EntityKind, id: &[u8; 16]) -> StoreResult<Filled> {
        let found = self.own(kind, id)?;
        Ok(if found.is_none() && *id == self.own_id { exactly(None) } else { found })
    }

    fn shop(&self, id: &[u8; 16]) -> StoreResult<Filled> {
        if let Some(own) = self.own(EntityKind::Shop, id)? {
            return Ok(Some(own));
        }
        if *id == self.own_id {
            return Ok(exactly(None));
        }
        let Ok(shop) = ShopId::from_bytes(*id) else { return Ok(None) };
        let Some(card) = cache::shop_card(&self.seat.files.cache, shop)? else { return Ok(None) };
        // Whom it belongs to is not public; nothing that a buyer does depends on it.
        let Ok(nobody) = AccountId::from_bytes(form_u(0, shop.bucket(), [0; 9])) else { return Ok(None) };
        Ok(exactly(Some(Row::Shop(Shop {
            id: card.id,
            owner: nobody,
            name: card.name,
            city: card.city,
            country: card.country,
            currency: card.currency,
            shipping: card.shipping,
            staff: Vec::new(),
            state: card.state,
            courier: None,
        }))))
    }

    fn product(&self, id: &[u8; 16]) -> StoreResult<Filled> {
        if let Some(own) = self.own(EntityKind::Product, id)? {
            return Ok(Some(own));
        }
        let Ok(product) = ProductId::from_bytes(*id) else { return Ok(None) };
        let card = cache::card(&self.seat.files.cache, product)?;
        Ok(card.and_then(|card| exactly(Some(Row::Product(product_of(card))))))
    }

    fn offer(&self, id: &[u8; 16]) -> StoreResult<Filled> {
        if let Some(own) = self.own(EntityKind::Offer, id)? {
            return Ok(Some(own));
        }
        let Ok(offer) = OfferId::from_bytes(*id) else { return Ok(None) };
        let card = cache::card_of_offer(&self.seat.files.cache, offer)?;
        Ok(card.and_then(|card| exactly(Some(Row::Offer(offer_of(card))))))
    }

    /// Own stock is exact; of others' only the band is known. What own open orders hold is added, because the band
    /// speaks of what is left beside them.
    fn stock(&self, id: &[u8; 16]) -> StoreResult<Filled> {
        if let Some(own) = self.own(EntityKind::Stock, id)? {
            return Ok(Some(own));
        }
        let Ok(offer) = OfferId::from_bytes(*id) else { return Ok(None) };
        let Some(card) = cache::card_of_offer(&self.seat.files.cache, offer)? else { return Ok(None) };
        let left = card.band.least().min(LINE_QUANTITY_MAX);
        let (reserved, committed) = self.held(offer)?;
        let on_hand = left.saturating_add(reserved).saturating_add(committed);
        let stock = Stock { on_hand, reserved, committed, ..Stock::empty(offer, card.shop) };
        Ok(assumed(Some(Row::Stock(Stock { received: on_hand.into(), ..stock }))))
    }

    /// Units of an offer in own orders: unpaid, and paid but not shipped.
    fn held(&self, offer: OfferId) -> StoreResult<(u32, u32)> {
        let scope = Scope::Account(self.seat.session.account);
        let (mut reserved, mut committed) = (0u32, 0u32);
        for word in ["awaiting_payment", "part_paid", "paid", "refund_asked", "label_made"] {
            for row in read::rows_with_word(&self.seat.files.user, &scope, EntityKind::Order, word)? {
                let Row::Order(order) = row else { continue };
                let units: u32 =
                    order.units().iter().filter(|(of, _)| *of == offer).map(|(_, quantity)| quantity).sum();
                match (order.state, order.shipment) {
                    (OrderState::Created, _) => reserved += units,
                    (OrderState::Open, ShipmentState::None) => committed += units,
                    (OrderState::Open | OrderState::Completed | OrderState::Cancelled, _) => {}
                }
            }
        }
        Ok((reserved, committed))
    }

    fn sku(&self, key: &Key, shop: &[u8; 16]) -> StoreResult<Filled> {
        let (Ok(shop), Some(name)) = (ShopId::from_bytes(*shop), key.id.get(16..)) else { return Ok(None) };
        let Ok(name) = std::str::from_utf8(name) else { return Ok(None) };
        let scope = Scope::Seller(shop);
        if crate::store::scope::find(&self.seat.files.user, &scope)?.is_none() {
            return Ok(None);
        }
        let found = read::rows_with_word(&self.seat.files.user, &scope, EntityKind::Offer, name)?;
        let sku = found.into_iter().find_map(|row| match row {
            Row::Offer(offer) => Some(Row::Sku(Sku { shop, sku: offer.sku.clone(), offer: offer.id })),
            _ => None,
        });
        Ok(exactly(sku))
    }

    /// A courier's list, made of the stops that are known; finished ones are not sent.
    fn route(&self, courier: &[u8; 16]) -> StoreResult<Filled> {
        let Ok(courier) = AccountId::from_bytes(*courier) else { return Ok(None) };
        if courier != self.seat.session.account {
            return Ok(None);
        }
        let user = &self.seat.files.user;
        let scope = Scope::Route(courier);
        let mut route = Route { courier, open: Vec::new(), ended: Vec::new(), shift: None };
        for row in read::rows(user, &scope, EntityKind::Stop, PARCELS_MAX, 0)? {
            if let Row::Stop(stop) = row {
                route.open.push(stop.parcel);
            }
        }
        for row in read::rows(user, &scope, EntityKind::Shift, 1, 0)? {
            if let Row::Shift(shift) = row
                && shift.closed_at.is_none()
            {
                route.shift = Some(shift.id);
            }
        }
        Ok(assumed(Some(Row::Route(route))))
    }

    /// Ledger accounts are never sent. The escrow of the act's order holds what the order says; all others are empty.
    fn account(&self, key: &Key) -> StoreResult<Filled> {
        let Some(id) = self.order else { return Ok(assumed(None)) };
        let order = match read::row(&self.seat.files.user, EntityKind::Order, id.bytes())? {
            Some(Row::Order(order)) => order,
            _ => return Ok(assumed(None)),
        };
        let escrow = escrow_of(&order);
        if Key::ledger_account(escrow.id()) != *key {
            return Ok(assumed(None));
        }
        let account = Account { credits_posted: order.held(), ..Account::opened(&escrow) };
        Ok(assumed(Some(Row::LedgerAccount(account))))
    }
}

fn escrow_of(order: &Order) -> AccountRef {
    AccountRef::new(AccountCode::OrderEscrow, *order.id.bytes(), order.id.bucket(), order.currency)
}

/// The owner row of a bucket, as if nothing had happened there.
fn neutral_owner(bucket: Bucket) -> Owner {
    Owner {
        bucket,
        epoch: 0,
        journal: JournalHead::empty(bucket),
        outbox_seq: 0,
        catalogue_seq: CATALOGUE_SEQ_PREDICTED,
        waybill_seq: 0,
    }
}

fn parcel_of(seat: &Seat, waybill: Waybill) -> StoreResult<Option<souk_domain::parcel::Parcel>> {
    let user = &seat.files.user;
    let mut scopes = vec![Scope::Account(seat.session.account)];
    scopes.extend(read::own_shop(user, seat.session.account)?.map(Scope::Seller));
    for scope in scopes {
        for row in read::rows(user, &scope, EntityKind::Parcel, PARCELS_MAX, 0)? {
            if let Row::Parcel(parcel) = row
                && parcel.waybill == waybill
            {
                return Ok(Some(parcel));
            }
        }
    }
    Ok(None)
}

fn product_of(card: Card) -> Product {
    Product {
        id: card.product,
        shop: card.shop,
        category: card.category,
        brand: card.brand,
        mpn: String::new(),
        title: card.title,
        titles: card.titles,
        description: String::new(),
        attributes: Vec::new(),
        image: card.image,
        variants: vec![Variant { id: card.variant, options: Vec::new(), gtins: Vec::new(), weight_g: 0 }],
        updated_at: souk_domain::time::Time::from_micros(0),
    }
}

fn offer_of(card: Card) -> Offer {
    Offer {
        id: card.offer,
        shop: card.shop,
        sku: String::new(),
        product: card.product,
        variant: card.variant,
        title: card.title,
        price: card.price,
        tax: card.tax,
        quantity: card.quantity,
        state: card.state,
        revision: card.revision,
    }
}
