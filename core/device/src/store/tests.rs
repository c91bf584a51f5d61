//! What is set at open is what stands.

use expect_test::expect;
use rusqlite::Connection;

use super::*;

fn pragmas(conn: &Connection) -> String {
    const NAMES: [&str; 16] = [
        "journal_mode",
        "synchronous",
        "fullfsync",
        "checkpoint_fullfsync",
        "busy_timeout",
        "cache_size",
        "journal_size_limit",
        "wal_autocheckpoint",
        "temp_store",
        "locking_mode",
        "auto_vacuum",
        "secure_delete",
        "foreign_keys",
        "trusted_schema",
        "cell_size_check",
        "page_size",
    ];
    let mut out = String::new();
    for name in NAMES.into_iter().chain(["application_id", "user_version"]) {
        let value: rusqlite::types::Value = conn.pragma_query_value(None, name, |row| row.get(0)).unwrap();
        let value = match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        out += &format!("{name} {value}\n");
    }
    out
}

#[test]
fn pragmas_of_both_files() {
    let dir = tempfile::tempdir().unwrap();
    let files = DeviceFiles::open(&FilesConfig::in_dir(dir.path()), [7; 16]).unwrap();
    expect![[r#"
        journal_mode wal
        synchronous 2
        fullfsync 0
        checkpoint_fullfsync 0
        busy_timeout 5000
        cache_size -2000
        journal_size_limit 16777216
        wal_autocheckpoint 1000
        temp_store 2
        locking_mode normal
        auto_vacuum 0
        secure_delete 1
        foreign_keys 1
        trusted_schema 0
        cell_size_check 1
        page_size 4096
        application_id 1399813483
        user_version 1
    "#]]
    .assert_eq(&pragmas(&files.user));
    expect![[r#"
        journal_mode wal
        synchronous 1
        fullfsync 0
        checkpoint_fullfsync 0
        busy_timeout 5000
        cache_size -16000
        journal_size_limit 16777216
        wal_autocheckpoint 1000
        temp_store 2
        locking_mode normal
        auto_vacuum 2
        secure_delete 0
        foreign_keys 1
        trusted_schema 0
        cell_size_check 1
        page_size 4096
        application_id 1399813483
        user_version 1
    "#]]
    .assert_eq(&pragmas(&files.cache));
}

#[test]
fn mutants_and_the_simulators_mode_are_settings() {
    let dir = tempfile::tempdir().unwrap();
    let config = FilesConfig {
        exclusive: true,
        user_synchronous_full: false,
        start_checkpoint: false,
        ..FilesConfig::in_dir(dir.path())
    };
    let files = DeviceFiles::open(&config, [7; 16]).unwrap();
    let value = |name| files.user.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(value("synchronous"), 1);
    let mode: String = files.user.pragma_query_value(None, "locking_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "exclusive");
}

#[test]
fn each_start_is_counted_in_both_files_and_the_install_stays() {
    let dir = tempfile::tempdir().unwrap();
    let config = FilesConfig::in_dir(dir.path());
    for start in 1..4 {
        let files = DeviceFiles::open(&config, [start; 16]).unwrap();
        assert_eq!(meta::number(&files.user, START).unwrap(), u64::from(start));
        assert_eq!(meta::number(&files.cache, START).unwrap(), u64::from(start));
        assert_eq!(files.install().unwrap(), [1; 16]);
        assert_eq!(files.report, OpenReport::default());
        files.close().unwrap();
        // A suspended phone holds no lock, and nothing lies in a log.
        let wal = dir.path().join("user.db-wal");
        assert!(!wal.exists() || std::fs::metadata(wal).unwrap().len() == 0);
    }
}

#[test]
fn a_damaged_user_db_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let config = FilesConfig::in_dir(dir.path());
    DeviceFiles::open(&config, [7; 16]).unwrap().close().unwrap();
    let path = dir.path().join("user.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..32].fill(b'x');
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(DeviceFiles::open(&config, [7; 16]).unwrap_err().code(), "store.damaged");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
