//! The architecture invariants of docs/ARCHITECTURE.md, checked over `cargo metadata` and the sources.
//!
//! Each check is a function from what it looks at to a list of findings, and each has a second test that feeds it
//! something wrong: a check that cannot fail checks nothing.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may stop where its files are not there")]

#[path = "architecture/crates.rs"]
mod crates;
#[path = "architecture/docs.rs"]
mod docs;
#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/purity.rs"]
mod purity;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/surface.rs"]
mod surface;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Fails with all findings, one a line, and the rule that they break.
#[track_caller]
fn nothing_found(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n{}", findings.join("\n"));
}
