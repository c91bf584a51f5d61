//! Files that nobody else on the machine may read: keys, addresses and orders stand in them.
//!
//! SQLite gives its log and its shared memory the mode of the database itself, so that the database alone is made here.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The owner reads, writes and enters.
const FOLDER_MODE: u32 = 0o700;
/// The owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Rights of everybody else.
const OTHERS: u32 = 0o077;

/// Makes a folder, and those above it, for its owner alone. One that is there stays as it is: it may be shared on
/// purpose, and its files are closed by themselves.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Makes an empty file for its owner alone, or closes one that is there to others.
pub fn file(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    if file.metadata()?.permissions().mode() & OTHERS != 0 {
        // Somebody else's file stays as its owner wants it.
        let _ = file.set_permissions(Permissions::from_mode(FILE_MODE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let inner = place.path().join("a/b");
        folder(&inner).unwrap();
        assert_eq!(mode(&inner), FOLDER_MODE);
        let made = inner.join("made.db");
        file(&made).unwrap();
        assert_eq!(mode(&made), FILE_MODE);

        let found = inner.join("found.db");
        std::fs::write(&found, "kept").unwrap();
        std::fs::set_permissions(&found, Permissions::from_mode(0o644)).unwrap();
        file(&found).unwrap();
        assert_eq!((mode(&found), std::fs::read_to_string(&found).unwrap().as_str()), (FILE_MODE, "kept"));
    }
}
