//! Private rows of the server as this device has them.

use rusqlite::{Connection, OptionalExtension};
use souk_domain::id::{AccountId, ShopId};
use souk_domain::party::Account;
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_protocol::feed::row_of;

use crate::error::{StoreError, StoreResult};

// One thing may stand in two scopes; the shop's view of an order shows more, and its scope sorts last.
const ONE: &str = "SELECT body FROM srv WHERE ent = ?1 AND id = ?2 AND scope IN (SELECT scope FROM scope)
    ORDER BY scope DESC LIMIT 1";
const IN_SCOPE: &str =
    "SELECT id, body FROM srv WHERE scope = ?1 AND ent = ?2 ORDER BY k1 DESC, id DESC LIMIT ?3 OFFSET ?4";
const IN_SCOPE_WORD: &str =
    "SELECT id, body FROM srv WHERE scope = ?1 AND ent = ?2 AND k2 = ?3 ORDER BY k1 DESC, id DESC";

fn bad(what: &'static str) -> StoreError {
    StoreError::Form { table: "srv", what }
}

fn parse(kind: EntityKind, id: [u8; 16], body: &str) -> StoreResult<Row> {
    let members = serde_json::from_str(body).map_err(|_| bad("body"))?;
    row_of(kind, id, members).map_err(StoreError::Row)
}

/// A row by its id, in whichever scope it stands.
pub(crate) fn row(user: &Connection, kind: EntityKind, id: &[u8; 16]) -> StoreResult<Option<Row>> {
    let body: Option<String> =
        user.prepare_cached(ONE)?.query_row((kind.number(), id.as_slice()), |row| row.get(0)).optional()?;
    body.map(|body| parse(kind, *id, &body)).transpose()
}

/// A slice of the rows of one kind in a scope, newest first.
pub(crate) fn rows(
    user: &Connection,
    scope: &Scope,
    kind: EntityKind,
    limit: usize,
    offset: usize,
) -> StoreResult<Vec<Row>> {
    let mut statement = user.prepare_cached(IN_SCOPE)?;
    let found = statement
        .query_map((scope.to_string(), kind.number(), limit as i64, offset as i64), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
        })?;
    found.map(|row| row.map_err(StoreError::from).and_then(|(id, body)| read(kind, id, &body))).collect()
}

/// All rows of one kind in a scope that have a word.
pub(crate) fn rows_with_word(
    user: &Connection,
    scope: &Scope,
    kind: EntityKind,
    word: &str,
) -> StoreResult<Vec<Row>> {
    let mut statement = user.prepare_cached(IN_SCOPE_WORD)?;
    let found = statement.query_map((scope.to_string(), kind.number(), word), |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
    })?;
    found.map(|row| row.map_err(StoreError::from).and_then(|(id, body)| read(kind, id, &body))).collect()
}

fn read(kind: EntityKind, id: Vec<u8>, body: &str) -> StoreResult<Row> {
    let id = id.try_into().map_err(|_| bad("id"))?;
    parse(kind, id, body)
}

/// The account that is signed in.
pub(crate) fn account(user: &Connection, account: AccountId) -> StoreResult<Option<Account>> {
    Ok(match row(user, EntityKind::Account, account.bytes())? {
        Some(Row::Account(account)) => Some(account),
        _ => None,
    })
}

/// The shop that the account owns, once the account's row says so.
pub(crate) fn own_shop(user: &Connection, of: AccountId) -> StoreResult<Option<ShopId>> {
    Ok(account(user, of)?.and_then(|account| account.shop))
}
