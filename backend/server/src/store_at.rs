//! `--store`: which store a command works on (design.md 9).
//!
//! Always: no folder is made on the way to a store, so that a mistyped path is an error and not an empty market.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_store::Store;
use souk_store::sqlite::{SqliteConfig, SqliteStore};

use crate::failure::Failure;
use crate::private;

/// Opens the store that a text names; a new one is made, readable by its owner alone. `sqlite:PATH` is what there is;
/// the others come with their adapters. Refuses `store.kind`, `store.missing` (no such folder), and what the store
/// refuses, with its path.
pub fn open(store: &str) -> Result<Arc<dyn Store>, Failure> {
    let path = path_of(store)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::new("store.missing", "no such folder").about(folder.display()));
    }
    open_at(path)
}

/// Opens a store that must be there. Refuses `store.missing` for no file and for an empty one, and as [`open`].
pub fn open_existing(store: &str) -> Result<Arc<dyn Store>, Failure> {
    let path = path_of(store)?;
    let bytes = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file).map(|found| found.len());
    match bytes {
        Some(0) => Err(Failure::new("store.missing", "an empty file, no store").about(path.display())),
        Some(_) => open_at(path),
        None => Err(Failure::new("store.missing", "no such store").about(path.display())),
    }
}

fn path_of(store: &str) -> Result<PathBuf, Failure> {
    match store.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(Failure::new("store.kind", format!("{store}: only sqlite:PATH is there yet"))),
    }
}

fn open_at(path: PathBuf) -> Result<Arc<dyn Store>, Failure> {
    let named = |failure: Failure| failure.about(path.display());
    private::file(&path).map_err(|error| named(error.into()))?;
    let store = SqliteStore::open(SqliteConfig::new(path.clone())).map_err(|error| named(error.into()))?;
    Ok(Arc::new(store))
}

/// The store of a data folder.
pub fn in_folder(data: &Path) -> String {
    format!("sqlite:{}", data.join("souk.db").display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_path_makes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("sqlite:{}", place.path().join(name).display());
        let code = |opened: Result<Arc<dyn Store>, Failure>| {
            let failure = opened.map(|_| ()).unwrap_err();
            assert!(failure.message.contains(&place.path().display().to_string()), "{failure}");
            failure.code
        };
        assert_eq!(code(open(&at("nope/x.db"))), "store.missing");
        assert_eq!(code(open_existing(&at("x.db"))), "store.missing");
        assert_eq!(code(open_existing(&at("."))), "store.missing");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nothing was made");

        std::fs::write(place.path().join("empty.db"), "").unwrap();
        assert_eq!(code(open_existing(&at("empty.db"))), "store.missing");
        std::fs::write(place.path().join("text.db"), "not a database, only some words").unwrap();
        assert!(code(open_existing(&at("text.db"))).starts_with("store."));
        open(&at("souk.db")).unwrap();
        open_existing(&at("souk.db")).unwrap();
        assert_eq!(open("postgres://x").map(|_| ()).unwrap_err().code, "store.kind");
        assert_eq!(open("sqlite:").map(|_| ()).unwrap_err().code, "store.kind");
    }
}
