//! The suite on SQLite, and what is SQLite's own: the stored form of each row, and the schema.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test from its first line to its last")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use expect_test::expect_file;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use souk_conformance::{Medium, Served, suite};
use souk_domain::rows::{Row, RowKind};
use souk_store::Store;
use souk_store::sqlite::{SqliteConfig, SqliteStore};
use souk_testkit::samples::{self, Journal};

/// A folder with a store in it.
struct File(tempfile::TempDir);

impl File {
    fn path(&self) -> PathBuf {
        self.0.path().join("souk.db")
    }
}

impl Medium for File {
    fn fresh() -> File {
        File(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Box<dyn Store> {
        Box::new(SqliteStore::open(SqliteConfig::new(self.path())).unwrap())
    }
}

suite!(File);

/// The same with one connection and an exclusive lock.
struct Exclusive(File);

impl Medium for Exclusive {
    fn fresh() -> Exclusive {
        Exclusive(File::fresh())
    }

    fn open(&self) -> Box<dyn Store> {
        let config = SqliteConfig { exclusive: true, ..SqliteConfig::new(self.0.path()) };
        Box::new(SqliteStore::open(config).unwrap())
    }
}

mod exclusive {
    use super::Exclusive;
    souk_conformance::suite!(Exclusive);
}

/// A file with a sample row of every kind and one transfer, opened by plain SQL.
fn filled() -> (File, Connection) {
    let file = File::fresh();
    let served = Served::on(&file);
    let rows = samples::rows().into_iter();
    served.put(rows.filter(|row| !matches!(row.kind(), RowKind::Owner | RowKind::LedgerAccount)));
    let mut journal = Journal::new(samples::bucket());
    let transfers = journal.capture(1, samples::usd(3_221));
    let accounts = journal.accounts.values().map(|account| souk_domain::rows::Write {
        key: Row::LedgerAccount(*account).key(),
        expected: 0,
        row: Some(Row::LedgerAccount(*account)),
    });
    served.commit_all(accounts.collect(), transfers).unwrap();
    drop(served);
    let conn = Connection::open(file.path()).unwrap();
    (file, conn)
}

/// Tables of the schema that have a column of this name.
fn tables_with(conn: &Connection, column: &str) -> BTreeSet<String> {
    let sql = "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c
               WHERE m.type = 'table' AND c.name = ?1";
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([column], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// How each row stands in the file. A change here is a change of the format: it needs a migration.
#[test]
fn stored_form_of_each_row() {
    let (_file, conn) = filled();
    let mut text = String::new();
    for table in tables_with(&conn, "bucket") {
        let bucket = if table == "bucket_owner" { "WHERE bucket = 417" } else { "" };
        let mut statement = conn.prepare(&format!("SELECT * FROM {table} {bucket} ORDER BY 1, 2")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            text.push_str(&format!("{table}\n"));
            for (at, name) in names.iter().enumerate() {
                text.push_str(&match row.get_ref(at).unwrap() {
                    ValueRef::Null => format!("  {name} = -\n"),
                    ValueRef::Integer(number) => format!("  {name} = {number}\n"),
                    ValueRef::Text(value) => format!("  {name} = {}\n", String::from_utf8_lossy(value)),
                    ValueRef::Blob(bytes) => format!("  {name} = x{}\n", souk_domain::id::hex(bytes)),
                    ValueRef::Real(_) => panic!("a float in {table}.{name}"),
                });
            }
        }
    }
    expect_file!["sqlite/stored.txt"].assert_eq(&text);
}

/// A table with a bucket that an export does not walk would lose its rows in a move (spec/scale.md 3).
#[test]
fn export_walks_every_table_with_a_bucket() {
    let (file, conn) = filled();
    let tables = tables_with(&conn, "bucket");
    // Every such table has a row of ours, so what an export leaves out is seen by counting.
    let mut in_tables = 0;
    for table in &tables {
        let count: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(count > 0, "no sample row stands in {table}");
        in_tables += count;
    }
    drop(conn);
    let store = file.open();
    let exported: usize = (0..souk_domain::id::BUCKETS)
        .map(|number| {
            let image = store.export_bucket(samples::numbered(number));
            let image = futures::executor::block_on(image).unwrap();
            image.rows.len() + image.transfers.len()
        })
        .sum();
    assert_eq!(exported, usize::try_from(in_tables).unwrap());
}

/// Rules of spec/scale.md 4 that a schema can break: STRICT tables, the bucket first in every key, few exceptions.
#[test]
fn the_bucket_comes_first() {
    let (_file, conn) = filled();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(
        list("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0"),
        ["sqlite_schema"]
    );
    let others = list(
        "SELECT m.name FROM sqlite_schema m, pragma_index_info(m.name) c
         WHERE m.type = 'index' AND c.seqno = 0 AND c.name <> 'bucket' ORDER BY 1",
    );
    // One writer serves all buckets of a file, and asks for what is due in any of them.
    assert_eq!(others, ["blocker_by_due", "timer_by_due"]);
    let keys = list(
        "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.pk = 1 AND c.name <> 'bucket' ORDER BY 1",
    );
    assert_eq!(keys, ["control", "setting"]);
}
