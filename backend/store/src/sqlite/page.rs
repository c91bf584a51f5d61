//! A page of a feed (spec/sync.md 4.1, 4.3): changes by sequence, and the rows as they are now.

use rusqlite::{Connection, params};
use souk_domain::bookkeeping::{Change, Stream};
use souk_domain::id::{AccountId, Bucket, OfferId, OrderId, ParcelId, ProductId, ShiftId, ShopId};
use souk_domain::rows::{Entity, Key};
use souk_domain::scope::{EntityKind, Scope};

use super::read::{limit, rows, select, sequence};
use crate::{Page, PageAsk, StoreError};

pub(super) const CHANGES: &str = "WHERE bucket = ?1 AND scope = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
/// Who begins has nothing that could be deleted.
pub(super) const CHANGES_LIVE: &str =
    "WHERE bucket = ?1 AND scope = ?2 AND seq > ?3 AND live = 1 ORDER BY seq LIMIT ?4";
pub(super) const STREAMS: &str = "WHERE bucket = ?1 AND device = ?2 ORDER BY epoch, lane";

/// Change rows of a part after a sequence, deletes among them.
pub(super) fn changes(
    conn: &Connection,
    bucket: Bucket,
    scope: &Scope,
    after: u64,
    count: usize,
) -> Result<Vec<Change>, StoreError> {
    select(conn, CHANGES, params![bucket.number(), scope.to_string(), sequence(after), limit(count)])
}

/// A page of one part. Stands in one snapshot, so that rows, counter and streams fit each other.
pub(super) fn page(conn: &Connection, ask: &PageAsk) -> Result<Page, StoreError> {
    let tail = if ask.after == 0 { CHANGES_LIVE } else { CHANGES };
    // One more than asked tells whether another page follows.
    let of = params![
        ask.bucket.number(),
        ask.scope.to_string(),
        sequence(ask.after),
        limit(ask.limit.saturating_add(1))
    ];
    let mut changes: Vec<Change> = select(conn, tail, of)?;
    let more = changes.len() > ask.limit;
    changes.truncate(ask.limit);

    let keys: Vec<Option<Key>> =
        changes.iter().map(|change| if change.live { key(change) } else { None }).collect();
    let wanted: Vec<Key> = keys.iter().flatten().cloned().collect();
    let mut found = rows(conn, &wanted)?.into_iter().map(|(_, _, row)| row);
    let changes = changes
        .into_iter()
        .zip(&keys)
        .map(|(change, key)| (change, key.as_ref().and_then(|_| found.next().flatten())))
        .collect();

    let part = rows(conn, &[Key::scope_part(ask.bucket, &ask.scope)])?;
    let part = part.into_iter().find_map(|(_, _, row)| row);
    let streams = match ask.device {
        None => Vec::new(),
        Some(device) => {
            select::<Stream>(conn, STREAMS, params![ask.bucket.number(), device.bytes().as_slice()])?
        }
    };
    Ok(Page { changes, part: part.as_ref().and_then(Entity::from_row).cloned(), more, streams })
}

/// The key of the row that a change is about. None when no row of a store stands behind that kind in that scope.
fn key(change: &Change) -> Option<Key> {
    let id = change.id;
    let key = match (EntityKind::from_number(change.entity)?, &change.scope) {
        (EntityKind::Account, _) => Key::account(AccountId::from_bytes(id).ok()?),
        (EntityKind::Shop, _) => Key::shop(ShopId::from_bytes(id).ok()?),
        (EntityKind::Order, _) => Key::order(OrderId::from_bytes(id).ok()?),
        (EntityKind::Parcel, _) => Key::parcel(ParcelId::from_bytes(id).ok()?),
        (EntityKind::Stock, _) => Key::stock(OfferId::from_bytes(id).ok()?),
        (EntityKind::Offer, _) => Key::offer(OfferId::from_bytes(id).ok()?),
        (EntityKind::Product, _) => Key::product(ProductId::from_bytes(id).ok()?),
        (EntityKind::Stop, Scope::Route(courier)) => Key::stop(*courier, ParcelId::from_bytes(id).ok()?),
        (EntityKind::Shift, _) => Key::shift(ShiftId::from_bytes(id).ok()?),
        (EntityKind::CartLine, Scope::Account(account)) => {
            Key::cart_line(*account, OfferId::from_bytes(id).ok()?)
        }
        (EntityKind::Card, _) => Key::card(ProductId::from_bytes(id).ok()?),
        (EntityKind::ShopCard, _) => Key::shop_card(ShopId::from_bytes(id).ok()?),
        (EntityKind::Stop | EntityKind::CartLine | EntityKind::Reference, _) => return None,
    };
    Some(key)
}
