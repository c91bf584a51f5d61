//! MakeLabels: the parcel of an order with its signed label L (spec/logistics.md 3, 4.2).
//!
//! Needs the platform's seal: a device predicts it as unknown.

use souk_codes::proof::{DAY_ZERO_UNIX_DAYS, LabelFlags, LabelL};
use souk_crypto::hash::sha256;

use super::proof::{digest_of, order_commitment};
use super::{Level, Parcel, ParcelState, Scan, Stop, WaybillClaim};
use crate::bookkeeping::{Message, Owner};
use crate::context::Context;
use crate::handoff::HandOff;
use crate::id::{AccountId, OrderId, ParcelId, Waybill};
use crate::intent::Intent;
use crate::order::escrow::event;
use crate::order::{Address, AddressText, Order};
use crate::outcome::{Facts, Refusal};
use crate::party::Shop;
use crate::rights::{Action, shop_for};
use crate::rows::{Key, Rows, Stop as Halt};

/// Heaviest parcel, grams: what the label's field of 10 g units holds.
pub const WEIGHT_G_MAX: u32 = 655_350;

/// Makes the label of an order's parcel under the intent's id. Refuses: `order.unknown`, `order.not_party`,
/// `intent.id_taken`, `order.state`, `label.state` (it has one), `label.courier`, `label.field_missing{field}`.
pub fn make_labels(
    intent: &Intent,
    order: OrderId,
    weight_g: u32,
    courier: Option<AccountId>,
    ctx: &Context,
    rows: &mut Rows,
) -> Result<Facts, Halt> {
    let id = ParcelId::from_bytes(*intent.id.bytes()).map_err(|_| Refusal::new("intent.form"))?;
    let owner_key = Key::owner(order.bucket());
    rows.need([&Key::order(order), &Key::parcel(id), &Key::address(order), &owner_key])?;
    let mut order: Order = rows.get::<Order>(&Key::order(order), "order.unknown")?.clone();
    let shop: Shop = shop_for(order.shop, Action::OrderShip, ctx, rows)?.clone();
    if rows.find::<Parcel>(&Key::parcel(id))?.is_some() {
        return Err(Refusal::new("intent.id_taken").into());
    }
    order.is_waiting()?;
    if !order.parcels.is_empty() {
        return Err(Refusal::new("label.state").into());
    }
    let courier = courier.or(shop.courier).ok_or(Refusal::new("label.courier"))?;
    let to: AddressText = match rows.find::<Address>(&Key::address(order.id))? {
        Some(address) => address.to.clone(),
        None => return Err(Refusal::new("label.field_missing").with("field", "to").into()),
    };
    if weight_g > WEIGHT_G_MAX {
        return Err(Refusal::new("label.field_missing")
            .with("field", "weight_g")
            .with("limit", WEIGHT_G_MAX)
            .into());
    }
    let seal = ctx.seal.ok_or(Halt::Unknown)?;
    let mut owner: Owner = rows.get::<Owner>(&owner_key, "store.owner")?.clone();
    owner.waybill_seq += 1;
    let waybill = Waybill::souk(order.id.bucket(), owner.waybill_seq);
    rows.put(owner)?;
    let label = LabelL {
        key_id: seal.key_id(),
        waybill: waybill.number(),
        route: [0; 3],
        day: (ctx.now.secs().div_euclid(86_400) - i64::from(DAY_ZERO_UNIX_DAYS)).clamp(0, i64::from(u16::MAX))
            as u16,
        flags: LabelFlags::NONE,
        piece: 1,
        pieces: 1,
        weight_10g: weight_g.div_ceil(10) as u16,
        order_commitment: order_commitment(order.id, &order.salt),
        nonce: souk_crypto::hash::first(&ctx.random),
    };
    let label = label.encode(&seal.sign(&digest_of(LabelL::LETTER, &label.body())));
    let parcel = Parcel {
        id,
        waybill,
        order: order.id,
        shop: order.shop,
        buyer: order.buyer,
        courier,
        state: ParcelState::Ready,
        on_hold: false,
        damaged: false,
        weight_g,
        buyer_key: order.buyer_key.clone(),
        place: to.place,
        chain_tip: sha256(&label),
        label,
        chain_index: 0,
        holder: [0; 8],
        level: Level::E0,
        delivered_at: None,
        attempts: 0,
        links: Vec::new(),
        scans: vec![Scan { kind: 0, reason: 0, at: ctx.now, state: ParcelState::Ready }],
        anomalies: Vec::new(),
        updated_at: ctx.now,
    };
    let stop = stop_of(&parcel, &shop, to, ctx);
    let message = Message::Bucket {
        bucket: courier.bucket(),
        handoff: Box::new(HandOff::StopAdded { stop: Box::new(stop) }),
    };
    rows.emit(order.id.bucket(), message, ctx.now)?;
    rows.put_new(WaybillClaim { waybill, parcel: id });
    order.parcels.push(id);
    order.fees.courier = Some(courier);
    order.updated_at = ctx.now;
    event("parcel.labelled", &order, None, ctx, rows)?;
    rows.put(parcel)?;
    rows.put(order)?;
    Ok(Facts::none().with_text("parcel", id).with_text("waybill", format_args!("{:016x}", waybill.number())))
}

fn stop_of(parcel: &Parcel, shop: &Shop, to: AddressText, ctx: &Context) -> Stop {
    Stop {
        courier: parcel.courier,
        parcel: parcel.id,
        waybill: parcel.waybill,
        order: parcel.order,
        label: parcel.label.clone(),
        buyer_key: parcel.buyer_key.clone(),
        from: format!("{}, {}", shop.name, shop.city),
        to,
        state: parcel.state,
        chain_index: parcel.chain_index,
        chain_tip: parcel.chain_tip,
        updated_at: ctx.now,
    }
}
