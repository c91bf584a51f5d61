//! What is SQLite's own: pragmas, files of others, damage. What every adapter must do stands in `tests/conformance`.

use std::path::Path;

use futures::executor::block_on;
use souk_domain::id::Bucket;

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

/// Every statement of every kind is accepted by the schema, so a misspelt column is found here and not at midnight.
#[test]
fn statements_fit_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("souk.db")).unwrap();
    let conn = store.writer();
    for kind in souk_domain::rows::RowKind::ALL {
        let texts = statements::of(*kind);
        for text in [&texts.select, &texts.insert, &texts.update, &texts.delete, &texts.walk, &texts.import] {
            conn.prepare(text).unwrap_or_else(|error| panic!("{kind:?}: {error}\n{text}"));
        }
    }
    conn.prepare(&statements::TRANSFER_INSERT).unwrap();
}
