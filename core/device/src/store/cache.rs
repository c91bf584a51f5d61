//! `cache.db`: products with their search index, shops, reference data.
//!
//! Only `store::apply` writes here (I7). A product's text goes to the index in slices after its page
//! ([`fold_index`]), so a page stays short.

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};
use souk_domain::catalogue::{Card, OfferState, ShopCard};
use souk_domain::context::Reference;
use souk_domain::id::{OfferId, ProductId, ShopId};
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_protocol::feed::{REFERENCE_ID, reference_of, row_of};
use souk_protocol::sync::Put;

use super::meta;
use crate::error::{StoreError, StoreResult};
use crate::search::{self, Rid};

const PRODUCT_FIND: &str = "SELECT ver, mark FROM product WHERE id = ?1";
const PRODUCT_PLACE: &str = "SELECT rid, names, brand, category FROM product WHERE id = ?1";
const PRODUCT_AT: &str = "SELECT 1 FROM product WHERE rid = ?1";
const PRODUCT_PUT: &str = "INSERT OR REPLACE INTO product(rid, scope, id, offer, shop, category, brand, names, live, body, ver, mark)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const PRODUCT_DELETE: &str = "DELETE FROM product WHERE id = ?1 RETURNING rid";
const PRODUCT_OLD: &str = "SELECT id, ver FROM product WHERE scope = ?1 AND mark <> ?2";
const PRODUCT_ALL: &str = "SELECT id, ver FROM product WHERE scope = ?1";
const PRODUCT_WIPE: &str = "DELETE FROM product WHERE scope = ?1 RETURNING rid";
const THING_FIND: &str = "SELECT ver, mark FROM thing WHERE scope = ?1 AND ent = ?2 AND id = ?3";
const THING_PUT: &str = "INSERT INTO thing(scope, ent, id, body, ver, mark) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT(scope, ent, id) DO UPDATE SET body = excluded.body, ver = excluded.ver, mark = excluded.mark";
const THING_DELETE: &str = "DELETE FROM thing WHERE scope = ?1 AND ent = ?2 AND id = ?3";
const THING_OLD: &str = "SELECT ent, id, ver FROM thing WHERE scope = ?1 AND mark <> ?2";
const THING_ALL: &str = "SELECT ent, id, ver FROM thing WHERE scope = ?1";
const THING_WIPE: &str = "DELETE FROM thing WHERE scope = ?1";
const THING_BODY: &str = "SELECT body FROM thing WHERE ent = ?1 AND id = ?2";
const BODY_BY_ID: &str = "SELECT body FROM product WHERE id = ?1";
const BODY_BY_OFFER: &str = "SELECT id, body FROM product WHERE offer = ?1";
const BODY_BY_RID: &str = "SELECT id, body FROM product WHERE rid = ?1";
const TEXT_BY_RID: &str = "SELECT names, brand, category FROM product WHERE rid = ?1";
const PAGE: &str =
    "SELECT rid FROM product WHERE rid > ?1 AND (?2 = '' OR category = ?2) ORDER BY rid LIMIT ?3";
const CATEGORIES: &str =
    "SELECT category, count(*) FROM product WHERE live GROUP BY category ORDER BY category";
const COUNT: &str = "SELECT count(*) FROM product";

const CARD: u8 = EntityKind::Card as u8;

fn bad(what: &'static str) -> StoreError {
    StoreError::Form { table: "product", what }
}

fn standing(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> StoreResult<Option<(u64, i64)>> {
    let read = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?));
    Ok(conn.prepare_cached(sql)?.query_row(params, read).optional()?)
}

/// Version and mark of a stored row.
pub(super) fn find(
    conn: &Connection,
    scope: &Scope,
    entity: u8,
    id: &[u8; 16],
) -> StoreResult<Option<(u64, i64)>> {
    if entity == CARD {
        return standing(conn, PRODUCT_FIND, [id.as_slice()]);
    }
    standing(conn, THING_FIND, (scope.to_string(), entity, id.as_slice()))
}

/// Writes a row.
pub(super) fn put(conn: &Connection, scope: &Scope, put: &Put, mark: i64) -> StoreResult<()> {
    let body = serde_json::to_string(&put.row).map_err(|_| bad("body"))?;
    if put.entity != EntityKind::Card {
        if put.entity == EntityKind::Reference {
            reference_of(put.row.clone()).map_err(StoreError::Row)?;
        } else {
            row_of(put.entity, put.id, put.row.clone()).map_err(StoreError::Row)?;
        }
        conn.prepare_cached(THING_PUT)?.execute((
            scope.to_string(),
            put.entity.number(),
            put.id.as_slice(),
            body,
            put.ver as i64,
            mark,
        ))?;
        return Ok(());
    }
    let card = card_of(put.id, put.row.clone())?;
    let former: Option<(i64, String, String, String)> = conn
        .prepare_cached(PRODUCT_PLACE)?
        .query_row([put.id.as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let names = names_of(&card);
    let has_same_text = former.as_ref().is_some_and(|(_, former, brand, category)| {
        *former == names && *brand == card.brand && *category == card.category
    });
    let rid = match &former {
        // The place of a product moves with the next pack alone; a moved row would leave its index entry behind.
        Some((rid, ..)) => Rid(*rid),
        None => free_place(conn, card.rid)?,
    };
    conn.prepare_cached(PRODUCT_PUT)?.execute(rusqlite::params![
        rid,
        scope.to_string(),
        put.id.as_slice(),
        card.offer.bytes().as_slice(),
        card.shop.bytes().as_slice(),
        card.category,
        card.brand,
        names,
        card.state == OfferState::Live,
        body,
        put.ver as i64,
        mark,
    ])?;
    if !has_same_text {
        search::mark_todo(conn, rid)?;
    }
    Ok(())
}

/// Titles in all languages, one a line.
fn names_of(card: &Card) -> String {
    let others = card.titles.iter().map(|(_, title)| title.replace('\n', " "));
    std::iter::once(card.title.replace('\n', " ")).chain(others).collect::<Vec<_>>().join("\n")
}

/// The place that the server names, or the next free one.
fn free_place(conn: &Connection, wanted: i64) -> StoreResult<Rid> {
    let mut rid = wanted;
    while meta::one::<i64>(conn, PRODUCT_AT, &[&rid as &dyn ToSql])?.is_some() {
        rid += 1;
    }
    Ok(Rid(rid))
}

/// Removes a row.
pub(super) fn delete(conn: &Connection, scope: &Scope, entity: u8, id: &[u8; 16]) -> StoreResult<()> {
    if entity != CARD {
        conn.prepare_cached(THING_DELETE)?.execute((scope.to_string(), entity, id.as_slice()))?;
        return Ok(());
    }
    let rid: Option<Rid> =
        conn.prepare_cached(PRODUCT_DELETE)?.query_row([id.as_slice()], |row| row.get(0)).optional()?;
    if let Some(rid) = rid {
        search::delete(conn, rid)?;
    }
    Ok(())
}

/// (entity, id, version) of the stored rows of a scope.
pub(super) fn versions(
    conn: &Connection,
    scope: &Scope,
    other_than: Option<i64>,
) -> StoreResult<Vec<(u8, [u8; 16], u64)>> {
    let id = |bytes: Vec<u8>| <[u8; 16]>::try_from(bytes).unwrap_or([0; 16]);
    let product = |row: &rusqlite::Row| Ok((CARD, id(row.get(0)?), row.get::<_, i64>(1)? as u64));
    let thing =
        |row: &rusqlite::Row| Ok((row.get::<_, u8>(0)?, id(row.get(1)?), row.get::<_, i64>(2)? as u64));
    let name = scope.to_string();
    let mut rows: Vec<(u8, [u8; 16], u64)> = Vec::new();
    match other_than {
        Some(mark) => {
            let mut statement = conn.prepare_cached(PRODUCT_OLD)?;
            for row in statement.query_map((&name, mark), product)? {
                rows.push(row?);
            }
            let mut statement = conn.prepare_cached(THING_OLD)?;
            for row in statement.query_map((&name, mark), thing)? {
                rows.push(row?);
            }
        }
        None => {
            let mut statement = conn.prepare_cached(PRODUCT_ALL)?;
            for row in statement.query_map([&name], product)? {
                rows.push(row?);
            }
            let mut statement = conn.prepare_cached(THING_ALL)?;
            for row in statement.query_map([&name], thing)? {
                rows.push(row?);
            }
        }
    }
    Ok(rows)
}

/// Removes all rows of a scope.
pub(super) fn wipe(conn: &Connection, scope: &Scope) -> StoreResult<()> {
    let name = scope.to_string();
    conn.prepare_cached(THING_WIPE)?.execute([&name])?;
    let rids: Vec<Rid> = conn
        .prepare_cached(PRODUCT_WIPE)?
        .query_map([&name], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for rid in rids {
        search::delete(conn, rid)?;
    }
    Ok(())
}

/// Brings one slice of changed texts into the search index; answers how many, 0 when none is left.
pub(crate) fn fold_index(cache: &mut Connection) -> StoreResult<usize> {
    let tx = cache.transaction()?;
    let done = search::fold_todo(&tx, |rid| {
        let text: Option<(String, String, String)> = tx
            .prepare_cached(TEXT_BY_RID)?
            .query_row([rid], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        Ok(text.map(|(names, brand, category)| {
            let fields: Vec<&str> = names.lines().chain([brand.as_str(), category.as_str()]).collect();
            souk_text::index_tokens(&fields)
        }))
    })?;
    if done > 0 {
        tx.commit()?;
    }
    Ok(done)
}

fn parse(text: &str) -> StoreResult<Map<String, Value>> {
    serde_json::from_str(text).map_err(|_| bad("body"))
}

fn card_of(id: [u8; 16], members: Map<String, Value>) -> StoreResult<Card> {
    match row_of(EntityKind::Card, id, members).map_err(StoreError::Row)? {
        Row::Card(card) => Ok(card),
        _ => Err(bad("card")),
    }
}

fn card_by(conn: &Connection, sql: &str, key: &dyn ToSql) -> StoreResult<Option<Card>> {
    let row: Option<(Vec<u8>, String)> =
        conn.prepare_cached(sql)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((id, body)) = row else { return Ok(None) };
    let id = id.try_into().map_err(|_| bad("id"))?;
    card_of(id, parse(&body)?).map(Some)
}

/// The card of a product.
pub(crate) fn card(conn: &Connection, product: ProductId) -> StoreResult<Option<Card>> {
    let body: Option<String> = meta::one(conn, BODY_BY_ID, &[&product.bytes().as_slice()])?;
    body.map(|body| card_of(*product.bytes(), parse(&body)?)).transpose()
}

/// The card that shows an offer.
pub(crate) fn card_of_offer(conn: &Connection, offer: OfferId) -> StoreResult<Option<Card>> {
    card_by(conn, BODY_BY_OFFER, &offer.bytes().as_slice())
}

/// The card at a place of the shelf.
pub(crate) fn card_at(conn: &Connection, rid: Rid) -> StoreResult<Option<Card>> {
    card_by(conn, BODY_BY_RID, &rid)
}

/// Title and brand of a product, for the recheck of a search; none if it is not of the category.
pub(crate) fn text_at(conn: &Connection, rid: Rid, category: &str) -> rusqlite::Result<Option<String>> {
    let text: Option<(String, String, String)> = conn
        .prepare_cached(TEXT_BY_RID)?
        .query_row([rid], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(text
        .filter(|(_, _, found)| category.is_empty() || found == category)
        .map(|(names, brand, _)| format!("{names} {brand}")))
}

/// Places of a shelf in order, behind one of them.
pub(crate) fn page(conn: &Connection, after: i64, category: &str, limit: usize) -> StoreResult<Vec<Rid>> {
    let mut statement = conn.prepare_cached(PAGE)?;
    let rows = statement.query_map((after, category, limit as i64), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Categories that have live products, with their number.
pub(crate) fn categories(conn: &Connection) -> StoreResult<Vec<(String, u64)>> {
    let mut statement = conn.prepare_cached(CATEGORIES)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Number of products.
pub(crate) fn products(conn: &Connection) -> StoreResult<u64> {
    let count: i64 = conn.prepare_cached(COUNT)?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn thing(conn: &Connection, kind: EntityKind, id: &[u8; 16]) -> StoreResult<Option<Map<String, Value>>> {
    let body: Option<String> = meta::one(conn, THING_BODY, &[&kind.number(), &id.as_slice()])?;
    body.map(|body| parse(&body)).transpose()
}

/// The card of a shop.
pub(crate) fn shop_card(conn: &Connection, shop: ShopId) -> StoreResult<Option<ShopCard>> {
    let Some(members) = thing(conn, EntityKind::ShopCard, shop.bytes())? else { return Ok(None) };
    match row_of(EntityKind::ShopCard, *shop.bytes(), members).map_err(StoreError::Row)? {
        Row::ShopCard(card) => Ok(Some(card)),
        _ => Err(StoreError::Form { table: "thing", what: "shop" }),
    }
}

/// Reference data of the market.
pub(crate) fn reference(conn: &Connection) -> StoreResult<Option<Reference>> {
    let members = thing(conn, EntityKind::Reference, &REFERENCE_ID)?;
    members.map(|members| reference_of(members).map_err(StoreError::Row)).transpose()
}
