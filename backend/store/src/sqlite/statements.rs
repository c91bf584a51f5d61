//! The statements of each row kind, written out from the table description.
//!
//! All of a kind share their parameters: 1 bucket, then the key, then the columns, last the version. The texts stand
//! in `sql/sqlite.sql` for operators; a test keeps them the same.

use std::sync::LazyLock;

use souk_domain::rows::RowKind;

use crate::table::{JOURNAL, JOURNAL_COLUMNS, TABLES, Table, index};

/// The statements of one kind.
pub(super) struct Statements {
    /// What a row is read from: bucket, body or columns, version (1 where rows never change).
    pub(super) list: String,
    /// One row by key.
    pub(super) select: String,
    /// A new row, with version 1.
    pub(super) insert: String,
    /// A row that has still the expected version; empty where rows never change.
    pub(super) update: String,
    /// Deletes a row that has still the expected version.
    pub(super) delete: String,
    /// All rows of a bucket.
    pub(super) walk: String,
    /// A row with the version it had elsewhere.
    pub(super) import: String,
    /// How many rows there are.
    pub(super) count: String,
}

static ALL: LazyLock<Vec<Statements>> = LazyLock::new(|| TABLES.iter().map(write).collect());

/// The statements of a kind.
pub(super) fn of(kind: RowKind) -> &'static Statements {
    &ALL[index(kind)]
}

/// Adds a transfer to the journal; its bucket comes first.
pub(super) static TRANSFER_INSERT: LazyLock<String> = LazyLock::new(|| {
    let count = JOURNAL_COLUMNS.len() + 1;
    format!("INSERT INTO {JOURNAL} (bucket, {}) VALUES ({})", JOURNAL_COLUMNS.join(", "), marks(1, count))
});

/// What a transfer is read from.
pub(super) static TRANSFER_LIST: LazyLock<String> =
    LazyLock::new(|| format!("SELECT bucket, {} FROM {JOURNAL}", JOURNAL_COLUMNS.join(", ")));

fn write(table: &Table) -> Statements {
    let name = table.name;
    let key: Vec<&str> = table.key.iter().map(|(name, _)| *name).collect();
    let columns: Vec<&str> = table.columns.iter().copied().chain(table.has_body.then_some("body")).collect();
    let kind = table.kind as u8;
    // The kind of a shared row is written into the text: one statement, one plan a kind.
    let (kind_column, kind_value, kind_is) = if table.is_shared() {
        (", kind", format!(", {kind}"), format!(" AND kind = {kind}"))
    } else {
        ("", String::new(), String::new())
    };
    let stored: Vec<&str> = key.iter().chain(&columns).copied().collect();
    let version_at = stored.len() + 2;
    let read = if table.has_body { "body".to_owned() } else { stored.join(", ") };
    let read = if read.is_empty() { read } else { format!("{read}, ") };
    let version = if table.is_versioned { "version" } else { "1" };
    let list = format!("SELECT bucket, {read}{version} FROM {name}");
    let key_is: String = key.iter().zip(2..).map(|(column, at)| format!(" AND {column} = ?{at}")).collect();
    let this = format!("bucket = ?1{kind_is}{key_is}");
    let unchanged =
        if table.is_versioned { format!("{this} AND version = ?{version_at}") } else { this.clone() };
    let set: String =
        columns.iter().zip(key.len() + 2..).map(|(column, at)| format!("{column} = ?{at}, ")).collect();
    let into = |version: &str, value: &str| {
        let names: String = stored.iter().map(|column| format!(", {column}")).collect();
        let values: String = (2..version_at).map(|at| format!(", ?{at}")).collect();
        format!(
            "INSERT INTO {name} (bucket{kind_column}{names}{version}) VALUES (?1{kind_value}{values}{value})"
        )
    };
    Statements {
        select: format!("{list} WHERE {this}"),
        insert: if table.is_versioned { into(", version", ", 1") } else { into("", "") },
        update: if table.is_versioned {
            format!("UPDATE {name} SET {set}version = version + 1 WHERE {unchanged}")
        } else {
            String::new()
        },
        delete: format!("DELETE FROM {name} WHERE {unchanged}"),
        walk: format!("{list} WHERE bucket = ?1{kind_is}"),
        import: if table.is_versioned {
            into(", version", &format!(", ?{version_at}"))
        } else {
            into("", "")
        },
        count: format!(
            "SELECT count(*) FROM {name}{}",
            if table.is_shared() { format!(" WHERE kind = {kind}") } else { String::new() }
        ),
        list,
    }
}

fn marks(first: usize, count: usize) -> String {
    (first..first + count).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ")
}
