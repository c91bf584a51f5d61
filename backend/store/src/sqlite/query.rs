//! Lists: what a caller asks for without knowing the keys. Each has an index of its own in the schema.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use souk_domain::bookkeeping::{IntentRow, Outbox, ScopeOf, Timer};
use souk_domain::id::{AccountId, Bucket, DerivedId};
use souk_domain::ledger::{Account as LedgerAccount, Transfer};
use souk_domain::order::{Blocker, Order, OrderState};
use souk_domain::party::Device;
use souk_domain::rows::RowKind;
use souk_domain::scope::Scope;
use souk_domain::time::Time;

use super::read::{limit, select, sequence, transfers as read_transfers};
use super::statements::{self, TRANSFER_LIST};
use crate::{OrdersAsk, StoreError, StoreStats};

pub(super) const TIMERS_DUE: &str =
    "WHERE due_at <= ?1 ORDER BY due_at, bucket, entity, kind, generation LIMIT ?2";
pub(super) const TIMER_NEXT: &str = "SELECT min(due_at) FROM timer";
pub(super) const OUTBOX_PENDING: &str = "WHERE done = 0 ORDER BY bucket, seq LIMIT ?1";
pub(super) const SCOPE_PARTS: &str = "WHERE bucket = ?1 AND scope = ?2 ORDER BY part";
pub(super) const ACCOUNTS_OF: &str = "WHERE bucket = ?1 AND owner = ?2 ORDER BY code, currency, sub";
pub(super) const LEDGER_ACCOUNTS: &str = "WHERE bucket = ?1 ORDER BY id";
pub(super) const BLOCKERS_DUE: &str =
    "WHERE next_due_at <= ?1 ORDER BY next_due_at, bucket, order_id LIMIT ?2";
pub(super) const DEVICES_OF: &str = "WHERE bucket = ?1 AND account = ?2 ORDER BY id";
pub(super) const INTENTS: &str = "WHERE bucket = ?1 ORDER BY decided_at, rowid LIMIT ?2";
pub(super) const TRANSFERS: &str = "WHERE bucket = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

/// Timers due at or before a time.
pub(super) fn timers_due(conn: &Connection, now: Time, rows: usize) -> Result<Vec<Timer>, StoreError> {
    select(conn, TIMERS_DUE, params![now.micros(), limit(rows)])
}

/// Due time of the next timer.
pub(super) fn timer_next(conn: &Connection) -> Result<Option<Time>, StoreError> {
    let mut statement = conn.prepare_cached(TIMER_NEXT)?;
    let due: Option<i64> = statement.query_row([], |row| row.get(0))?;
    Ok(due.map(Time::from_micros))
}

/// Outbox rows that are not done.
pub(super) fn outbox_pending(conn: &Connection, rows: usize) -> Result<Vec<Outbox>, StoreError> {
    select(conn, OUTBOX_PENDING, [limit(rows)])
}

/// Buckets that hold a part of a scope.
pub(super) fn scope_parts(conn: &Connection, scope: &Scope) -> Result<Vec<Bucket>, StoreError> {
    let parts = select::<ScopeOf>(conn, SCOPE_PARTS, params![scope.home().number(), scope.to_string()])?;
    Ok(parts.into_iter().map(|row| row.part).collect())
}

/// Orders of a shop, or of a buyer in one bucket; with both, the buyer's orders in the shop. With neither, none.
pub(super) fn orders(conn: &Connection, ask: &OrdersAsk) -> Result<Vec<Order>, StoreError> {
    let mut tail = String::from("WHERE bucket = ?");
    let mut values: Vec<Value> = Vec::new();
    let mut and = |clause: &str, more: Vec<Value>| {
        tail.push_str(clause);
        values.extend(more);
    };
    match (ask.shop, ask.buyer) {
        (None, None) => return Ok(Vec::new()),
        (Some(shop), _) => {
            and(" AND shop = ?", vec![shop.bucket().number().into(), shop.bytes().to_vec().into()]);
        }
        (None, Some((_, bucket))) => and("", vec![bucket.number().into()]),
    }
    if let Some((buyer, _)) = ask.buyer {
        and(" AND buyer = ?", vec![buyer.bytes().to_vec().into()]);
    }
    if !ask.states.is_empty() {
        let marks = vec!["?"; ask.states.len()].join(", ");
        and(
            &format!(" AND state IN ({marks})"),
            ask.states.iter().map(|state| order_state(*state).to_owned().into()).collect(),
        );
    }
    if let Some((at, id)) = ask.before {
        and(" AND (placed_at, id) < (?, ?)", vec![at.micros().into(), id.bytes().to_vec().into()]);
    }
    and(" ORDER BY placed_at DESC, id DESC LIMIT ?", vec![limit(ask.limit).into()]);
    select(conn, &tail, params_from_iter(values))
}

/// The word of an order state, as the column `state` has it.
fn order_state(state: OrderState) -> &'static str {
    match state {
        OrderState::Created => "CREATED",
        OrderState::Open => "OPEN",
        OrderState::Completed => "COMPLETED",
        OrderState::Cancelled => "CANCELLED",
    }
}

/// Ledger accounts of one owner.
pub(super) fn accounts_of(
    conn: &Connection,
    bucket: Bucket,
    owner: &[u8; 16],
) -> Result<Vec<LedgerAccount>, StoreError> {
    select(conn, ACCOUNTS_OF, params![bucket.number(), owner.as_slice()])
}

/// Every ledger account of a bucket.
pub(super) fn ledger_accounts(conn: &Connection, bucket: Bucket) -> Result<Vec<LedgerAccount>, StoreError> {
    select(conn, LEDGER_ACCOUNTS, [bucket.number()])
}

/// A page of a bucket's journal.
pub(super) fn transfers(
    conn: &Connection,
    bucket: Bucket,
    after: u64,
    rows: usize,
) -> Result<Vec<Transfer>, StoreError> {
    let sql = format!("{} {TRANSFERS}", *TRANSFER_LIST);
    read_transfers(conn, &sql, params![bucket.number(), sequence(after), limit(rows)])
}

/// A page of the transfers that touch one account: both sides by their own index, merged.
pub(super) fn statement(
    conn: &Connection,
    account: DerivedId,
    after: u64,
    rows: usize,
) -> Result<Vec<Transfer>, StoreError> {
    let of = params![account.bucket().number(), account.bytes().as_slice(), sequence(after), limit(rows)];
    read_transfers(conn, &statement_sql(), of)
}

/// The indexes are named: without statistics the planner takes the primary key and reads the whole journal.
pub(super) fn statement_sql() -> String {
    // The list ends with the table's name.
    let list = TRANSFER_LIST.as_str();
    format!(
        "{list} INDEXED BY transfer_by_debit WHERE bucket = ?1 AND debit = ?2 AND seq > ?3
         UNION ALL
         {list} INDEXED BY transfer_by_credit WHERE bucket = ?1 AND credit = ?2 AND seq > ?3
         ORDER BY seq LIMIT ?4"
    )
}

/// Buckets that hold a transfer or an intent: one step of an index for each.
pub(super) fn buckets_in_use(conn: &Connection) -> Result<Vec<Bucket>, StoreError> {
    let mut buckets = std::collections::BTreeSet::new();
    for sql in [
        "SELECT min(bucket) FROM transfer WHERE bucket > ?1",
        "SELECT min(bucket) FROM intent WHERE bucket > ?1",
    ] {
        let mut next = conn.prepare_cached(sql)?;
        let mut last = -1i64;
        while let Some(number) = next.query_row([last], |row| row.get::<_, Option<u16>>(0))? {
            buckets.insert(Bucket::new(number).map_err(|_| StoreError::Row("no such bucket".into()))?);
            last = number.into();
        }
    }
    Ok(buckets.into_iter().collect())
}

/// Blockers due at or before a time.
pub(super) fn blockers_due(conn: &Connection, now: Time, rows: usize) -> Result<Vec<Blocker>, StoreError> {
    select(conn, BLOCKERS_DUE, params![now.micros(), limit(rows)])
}

/// Devices of an account.
pub(super) fn devices_of(conn: &Connection, account: AccountId) -> Result<Vec<Device>, StoreError> {
    select(conn, DEVICES_OF, params![account.bucket().number(), account.bytes().as_slice()])
}

/// Intents of a bucket, oldest decision first; those of one commit in the order in which they were written.
pub(super) fn intents(conn: &Connection, bucket: Bucket, rows: usize) -> Result<Vec<IntentRow>, StoreError> {
    select(conn, INTENTS, params![bucket.number(), limit(rows)])
}

/// Rows by kind and the size of the main file. Counts every row, so not for each request.
pub(super) fn stats(conn: &Connection) -> Result<StoreStats, StoreError> {
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let mut rows = Vec::new();
    for kind in RowKind::ALL {
        let number = count(&statements::of(*kind).count)?;
        if number > 0 {
            rows.push((*kind, number));
        }
    }
    let pages = count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
    Ok(StoreStats {
        rows,
        transfers: count("SELECT count(*) FROM transfer")?,
        file_bytes: pages,
        wal_bytes: 0,
    })
}
