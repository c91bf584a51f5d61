//! The feed: rows as entities of a scope, and entities as rows again.
//!
//! An entity is (kind, id, members); its id travels beside the members, in the column `id` of a block. Rules:
//! spec/sync.md 2.2, 4.3. Always: a row yields an entity in exactly the scopes that it names
//! ([`Row::scopes`]), and [`row_of`] of that entity is the row as far as that scope may see it.

use serde_json::{Map, Value};
use souk_domain::context::Reference;
use souk_domain::id::hex;
use souk_domain::outcome::Refusal;
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};

use crate::views::{
    AccountView, CardView, CartLineView, OfferView, OrderView, ParcelView, ProductView, ReferenceView,
    ShiftView, ShopCardView, ShopView, Side, StockView, StopView, members, of_members, order_word,
};

#[cfg(test)]
mod tests;

/// Id of the one entity of kind Reference in a market's scope.
pub const REFERENCE_ID: [u8; 16] = [0; 16];

/// A row as a scope shows it: kind, id, members without the id; nothing for a row that is not in the scope.
pub type EntityView = (EntityKind, [u8; 16], Map<String, Value>);

/// What a scope shows of a row. Refuses `money.range` for an amount above 2^53 - 1, which no rule lets arise.
pub fn entity_view(row: &Row, scope: &Scope) -> Result<Option<EntityView>, Refusal> {
    let Some((_, kind, id)) = row.scopes().into_iter().find(|(named, ..)| named == scope) else {
        return Ok(None);
    };
    let side = if matches!(scope, Scope::Seller(_)) { Side::Seller } else { Side::Buyer };
    let mut members = match row {
        Row::Account(row) => members(&AccountView::from(row)),
        Row::Shop(row) => members(&ShopView::from(row)),
        Row::Product(row) => members(&ProductView::from(row)),
        Row::Offer(row) => members(&OfferView::from(row)),
        Row::Stock(row) => members(&StockView::from(row)),
        Row::CartLine(row) => members(&CartLineView::from(row)),
        Row::Order(row) => members(&OrderView::of(row, side)),
        Row::Parcel(row) => members(&ParcelView::of(row, side)),
        Row::Stop(row) => members(&StopView::from(row)),
        Row::Shift(row) => members(&ShiftView::from(row)),
        Row::Card(row) => members(&CardView::from(row)),
        Row::ShopCard(row) => members(&ShopCardView::from(row)),
        Row::Device(_)
        | Row::ContactClaim(_)
        | Row::Token(_)
        | Row::Sku(_)
        | Row::Checkout(_)
        | Row::Address(_)
        | Row::Payment(_)
        | Row::RailOp(_)
        | Row::Blocker(_)
        | Row::WaybillClaim(_)
        | Row::CustodyEvent(_)
        | Row::HandoverSeen(_)
        | Row::Route(_)
        | Row::LedgerAccount(_)
        | Row::Owner(_)
        | Row::Intent(_)
        | Row::Stream(_)
        | Row::Minted(_)
        | Row::ScopePart(_)
        | Row::Change(_)
        | Row::ScopeOf(_)
        | Row::Timer(_)
        | Row::Outbox(_)
        | Row::Inbox(_) => return Ok(None),
    }?;
    members.remove("id");
    Ok(Some((kind, id, members)))
}

/// What the scope `ref/<market>` shows: its one entity.
pub fn reference_view(reference: &Reference) -> Result<EntityView, Refusal> {
    Ok((EntityKind::Reference, REFERENCE_ID, members(&ReferenceView::from(reference))?))
}

/// The row of an entity, as far as its scope may see it. Refuses `sync.row{entity}` for members that are no such
/// entity, and for kind Reference, which is no row ([`reference_of`]).
pub fn row_of(kind: EntityKind, id: [u8; 16], mut members: Map<String, Value>) -> Result<Row, Refusal> {
    members.insert("id".to_owned(), Value::from(hex(&id)));
    let name = entity_name(kind);
    Ok(match kind {
        EntityKind::Account => Row::Account(of_members::<AccountView>(name, members)?.into()),
        EntityKind::Shop => Row::Shop(of_members::<ShopView>(name, members)?.into()),
        EntityKind::Order => Row::Order(of_members::<OrderView>(name, members)?.try_into()?),
        EntityKind::Parcel => Row::Parcel(of_members::<ParcelView>(name, members)?.into()),
        EntityKind::Stock => Row::Stock(of_members::<StockView>(name, members)?.into()),
        EntityKind::Offer => Row::Offer(of_members::<OfferView>(name, members)?.into()),
        EntityKind::Product => Row::Product(of_members::<ProductView>(name, members)?.into()),
        EntityKind::Stop => Row::Stop(of_members::<StopView>(name, members)?.into()),
        EntityKind::Shift => Row::Shift(of_members::<ShiftView>(name, members)?.into()),
        EntityKind::CartLine => Row::CartLine(of_members::<CartLineView>(name, members)?.into()),
        EntityKind::Card => Row::Card(of_members::<CardView>(name, members)?.into()),
        EntityKind::ShopCard => Row::ShopCard(of_members::<ShopCardView>(name, members)?.into()),
        EntityKind::Reference => return Err(Refusal::new("sync.row").with("entity", name)),
    })
}

/// Reference data of its entity's members. Refuses `sync.row{entity}`.
pub fn reference_of(members: Map<String, Value>) -> Result<Reference, Refusal> {
    Ok(of_members::<ReferenceView>("reference", members)?.into())
}

/// Name of an entity in refusals and in a device's files.
pub fn entity_name(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Account => "account",
        EntityKind::Shop => "shop",
        EntityKind::Order => "order",
        EntityKind::Parcel => "parcel",
        EntityKind::Stock => "stock",
        EntityKind::Offer => "offer",
        EntityKind::Product => "product",
        EntityKind::Stop => "stop",
        EntityKind::Shift => "shift",
        EntityKind::CartLine => "cart_line",
        EntityKind::Card => "card",
        EntityKind::ShopCard => "shop_card",
        EntityKind::Reference => "reference",
    }
}

/// What a device sorts and filters a row by (`k1`, `k2` of its table `srv`): a number, mostly a time in
/// microseconds, and a word. Orders and parcels: when it last changed, and its state word.
pub fn sort_keys(row: &Row) -> (i64, String) {
    match row {
        Row::Account(row) => (row.opened_at.micros(), row.name.clone()),
        Row::Shop(row) => (0, row.name.clone()),
        Row::Product(row) => (row.updated_at.micros(), row.category.clone()),
        Row::Offer(row) => (row.revision.into(), row.sku.clone()),
        Row::Stock(row) => (row.available().into(), String::new()),
        Row::CartLine(row) => (row.at.micros(), String::new()),
        Row::Order(row) => (row.updated_at.micros(), order_word(row, &[]).name().to_owned()),
        Row::Parcel(row) => (row.updated_at.micros(), word(&row.state)),
        Row::Stop(row) => (row.updated_at.micros(), word(&row.state)),
        Row::Shift(row) => {
            let state = if row.closed_at.is_some() { "closed" } else { "open" };
            (row.opened_at.micros(), state.to_owned())
        }
        Row::Card(row) => (row.rid, row.category.clone()),
        Row::ShopCard(row) => (0, row.name.clone()),
        // Rows without a scope never reach a device; `entity_view` lists them one by one.
        _ => (0, String::new()),
    }
}

/// A state's own word, in lower case.
fn word(state: &souk_domain::parcel::ParcelState) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(word)) => word.to_lowercase(),
        _ => String::new(),
    }
}
