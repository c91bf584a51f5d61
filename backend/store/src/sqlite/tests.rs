//! What is SQLite's own: pragmas, files of others, damage. What every adapter must do stands in `tests/conformance`.

use std::path::Path;

use expect_test::{expect, expect_file};
use futures::executor::block_on;
use souk_domain::id::{Bucket, ParcelId, Waybill, form_u};
use souk_domain::parcel::WaybillClaim;
use souk_domain::rows::{Key, Row, RowKind, Write};

use super::*;

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(SqliteConfig::new(path))
}

/// The text of the error and whether the file is byte for byte what it was.
fn refused(path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let error = open(path).err().unwrap();
    assert!(std::fs::read(path).unwrap() == before, "a refused file was changed");
    error.to_string()
}

#[test]
fn a_store_keeps_what_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("souk.db");
    let store = open(&path).unwrap();
    assert_eq!(block_on(store.take_over()).unwrap(), 1);
    block_on(store.setting_put("secret", b"abc")).unwrap();
    assert_eq!(block_on(store.raise_generation()).unwrap(), 2);
    drop(store);

    let store = open(&path).unwrap();
    assert_eq!(block_on(store.setting("secret")).unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(block_on(store.generation()).unwrap(), 2);
    assert_eq!(block_on(store.take_over()).unwrap(), 2);
    assert_eq!(block_on(store.fence(Bucket::PUBLIC)).unwrap(), 2);
    assert_eq!(block_on(store.stats()).unwrap().rows.len(), 1);
}

#[test]
fn exclusive_store_needs_one_connection_only() {
    let dir = tempfile::tempdir().unwrap();
    let config = SqliteConfig { exclusive: true, ..SqliteConfig::new(dir.path().join("souk.db")) };
    let store = SqliteStore::open(config).unwrap();
    block_on(store.take_over()).unwrap();
    assert_eq!(block_on(store.timer_next()).unwrap(), None);
    block_on(store.checkpoint()).unwrap();
    assert!(!dir.path().join("souk.db-shm").exists(), "shared memory in exclusive mode");
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("souk.db");
    drop(open(&path).unwrap());
    let whole = std::fs::read(&path).unwrap();

    let change = |sql: &str| {
        std::fs::write(&path, &whole).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change(&format!("PRAGMA user_version = {}", SCHEMA + 1));
    assert!(refused(&path).starts_with("store.newer"), "{}", refused(&path));
    change("PRAGMA application_id = 7");
    assert!(refused(&path).contains("another program"), "{}", refused(&path));

    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refused(&path).starts_with("store.row: the file is damaged"), "{}", refused(&path));
    std::fs::write(&path, &whole[..100]).unwrap();
    assert!(refused(&path).starts_with("store.row: the file is damaged"), "{}", refused(&path));
    std::fs::write(&path, [7; 8192]).unwrap();
    assert!(refused(&path).starts_with("store.row: the file is damaged"), "{}", refused(&path));
    std::fs::write(&path, &whole).unwrap();
    drop(open(&path).unwrap());
}

/// A full disk ends the commit with its own code, writes nothing, and is over when there is room again.
#[test]
fn a_full_disk_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("souk.db")).unwrap();
    let epoch = block_on(store.take_over()).unwrap();
    let limit = |pages: &str| {
        store.writer().execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
    };
    let row = Row::WaybillClaim(WaybillClaim {
        waybill: Waybill::souk(Bucket::PUBLIC, 1),
        parcel: ParcelId::from_bytes(form_u(0, Bucket::PUBLIC, [0; 9])).unwrap(),
    });
    let set = |rows: u64| {
        let new = (0..rows).map(|number| {
            let mut row = row.clone();
            if let Row::WaybillClaim(row) = &mut row {
                row.waybill = Waybill::souk(Bucket::PUBLIC, number);
            }
            Write { key: row.key(), expected: 0, row: Some(row) }
        });
        WriteSet { writes: new.collect(), transfers: Vec::new(), epoch }
    };
    limit("1"); // SQLite takes the present size for less
    let result = block_on(store.commit(&set(1_000)));
    assert!(matches!(result, Err(StoreError::Full)), "{result:?}");
    let key = row.key();
    assert_eq!(block_on(store.prefetch(std::slice::from_ref(&key))).unwrap()[0].1, 0);
    limit("1000000");
    block_on(store.commit(&set(1_000))).unwrap();
    assert_eq!(block_on(store.prefetch(&[key])).unwrap()[0].1, 1);
}

/// A page that was overwritten inside a good file is seen when it is read, and is an error, not a wrong answer.
#[test]
fn damaged_pages_are_errors() {
    const PAGE: usize = 4096;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("souk.db");
    let store = open(&path).unwrap();
    block_on(store.take_over()).unwrap();
    block_on(store.checkpoint()).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut seen = 0;
    for page in 1..whole.len() / PAGE {
        let mut damaged = whole.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        std::fs::write(&path, damaged).unwrap();
        let read = open(&path).and_then(|store| {
            let keys: Vec<_> = (0..1024).map(|n| Key::owner(Bucket::new(n).unwrap())).collect();
            block_on(store.prefetch(&keys))
                .map(|rows| assert!(rows.iter().all(|(_, version, _)| *version > 0)))
        });
        match read {
            Ok(()) => {}
            Err(StoreError::Row(_)) => seen += 1,
            Err(other) => panic!("page {page}: {other}"),
        }
    }
    assert!(seen > 10, "the owner rows stand on more pages than {seen}");
}

/// Every statement of every kind is accepted by the schema, so a misspelt column is found here and not at midnight.
#[test]
fn statements_fit_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("souk.db")).unwrap();
    let conn = store.writer();
    for kind in RowKind::ALL {
        let texts = statements::of(*kind);
        for text in [&texts.select, &texts.insert, &texts.update, &texts.delete, &texts.walk, &texts.import] {
            conn.prepare(text).unwrap_or_else(|error| panic!("{kind:?}: {error}\n{text}"));
        }
    }
    conn.prepare(&statements::TRANSFER_INSERT).unwrap();
}

/// The texts for operators and reviewers.
#[test]
fn statements_are_the_committed_ones() {
    let mut text = String::from("-- Written by the test `statements_are_the_committed_ones`; do not edit.\n");
    for kind in RowKind::ALL {
        let of = statements::of(*kind);
        text.push_str(&format!("\n-- {kind:?}\n"));
        for sql in [&of.select, &of.insert, &of.update, &of.delete, &of.walk, &of.import, &of.count] {
            if !sql.is_empty() {
                text.push_str(&format!("{sql};\n"));
            }
        }
    }
    let (insert, list) = (statements::TRANSFER_INSERT.as_str(), statements::TRANSFER_LIST.as_str());
    text.push_str(&format!("\n-- Journal\n{insert};\n{list};\n"));
    expect_file!["../../sql/sqlite.sql"].assert_eq(&text);
}

/// Each list is answered from its index: no table is scanned, nothing is sorted, but where it says so here.
#[test]
fn lists_use_their_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("souk.db")).unwrap();
    let conn = store.writer();
    let mut text = String::new();
    let mut plan = |name: &str, sql: &str| {
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3)).map(Result::unwrap);
        text.push_str(&format!("{name}: {}\n", steps.collect::<Vec<_>>().join("; ")));
    };
    let list = |kind, tail: &str| format!("{} {tail}", statements::of(kind).list);
    for (name, kind, tail) in [
        ("timers_due", RowKind::Timer, query::TIMERS_DUE),
        ("outbox_pending", RowKind::Outbox, query::OUTBOX_PENDING),
        ("scope_parts", RowKind::ScopeOf, query::SCOPE_PARTS),
        ("accounts_of", RowKind::LedgerAccount, query::ACCOUNTS_OF),
        ("ledger_accounts", RowKind::LedgerAccount, query::LEDGER_ACCOUNTS),
        ("blockers_due", RowKind::Blocker, query::BLOCKERS_DUE),
        ("devices_of", RowKind::Device, query::DEVICES_OF),
        ("intents", RowKind::Intent, query::INTENTS),
        ("changes", RowKind::Change, page::CHANGES),
        ("changes_live", RowKind::Change, page::CHANGES_LIVE),
        ("streams", RowKind::Stream, page::STREAMS),
    ] {
        plan(name, &list(kind, tail));
    }
    plan("transfers", &format!("{} {}", *statements::TRANSFER_LIST, query::TRANSFERS));
    plan("statement", &query::statement_sql());
    plan("timer_next", query::TIMER_NEXT);
    let order = "ORDER BY placed_at DESC, id DESC LIMIT 1";
    for by in ["shop", "buyer"] {
        let tail = format!("WHERE bucket = ? AND {by} = ? AND (placed_at, id) < (?, ?) {order}");
        plan(&format!("orders by {by}"), &list(RowKind::Order, &tail));
    }
    expect![[r#"
        timers_due: SEARCH timer USING INDEX timer_by_due (due_at<?)
        outbox_pending: SCAN outbox USING INDEX outbox_pending
        scope_parts: SEARCH scope_of USING PRIMARY KEY (bucket=? AND scope=?)
        accounts_of: SEARCH ledger_account USING INDEX ledger_account_by_owner (bucket=? AND owner=?); USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY
        ledger_accounts: SEARCH ledger_account USING PRIMARY KEY (bucket=?)
        blockers_due: SEARCH blocker USING INDEX blocker_by_due (next_due_at<?)
        devices_of: SEARCH device USING INDEX sqlite_autoindex_device_1 (bucket=? AND account=?)
        intents: SEARCH intent USING INDEX sqlite_autoindex_intent_1 (bucket=?); USE TEMP B-TREE FOR ORDER BY
        changes: SEARCH chg USING INDEX chg_by_seq (bucket=? AND scope=? AND seq>?)
        changes_live: SEARCH chg USING INDEX chg_by_seq (bucket=? AND scope=? AND seq>?)
        streams: SEARCH stream USING PRIMARY KEY (bucket=? AND device=?)
        transfers: SEARCH transfer USING PRIMARY KEY (bucket=? AND seq>?)
        statement: MERGE (UNION ALL); LEFT; SEARCH transfer USING INDEX transfer_by_debit (bucket=? AND debit=? AND seq>?); RIGHT; SEARCH transfer USING INDEX transfer_by_credit (bucket=? AND credit=? AND seq>?)
        timer_next: SEARCH timer USING COVERING INDEX timer_by_due
        orders by shop: SEARCH orders USING INDEX orders_by_shop (bucket=? AND shop=? AND (placed_at,id)<(?,?))
        orders by buyer: SEARCH orders USING INDEX orders_by_buyer (bucket=? AND buyer=? AND (placed_at,id)<(?,?))
    "#]].assert_eq(&text);
}
