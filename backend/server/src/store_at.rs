//! `--store`: which store a command works on (design.md 9).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_store::Store;
use souk_store::sqlite::{SqliteConfig, SqliteStore};

use crate::failure::Failure;

/// Opens the store that a text names. `sqlite:PATH` is what there is; the others come with their adapters.
pub fn open(store: &str) -> Result<Arc<dyn Store>, Failure> {
    let Some(path) = store.strip_prefix("sqlite:") else {
        return Err(Failure::new("store.kind", format!("{store}: only sqlite:PATH is there yet")));
    };
    let path = PathBuf::from(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    Ok(Arc::new(SqliteStore::open(SqliteConfig::new(path))?))
}

/// The store of a data folder.
pub fn in_folder(data: &Path) -> String {
    format!("sqlite:{}", data.join("souk.db").display())
}
