//! How xtask calls cargo: the same cargo that runs xtask, without what that cargo told xtask about itself.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that `cargo run` sets for xtask. Build scripts (ring's, for one) watch them, so handing them on would
/// rebuild crates whenever a person calls cargo by hand in between.
const OWN_VARIABLES: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
];

/// The root of the workspace that this xtask was built from.
pub(crate) fn workspace_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// A cargo call at the root of the workspace whose build output goes to `target`.
pub(crate) fn cargo(target: &Path) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_root()).env("CARGO_TARGET_DIR", target);
    command
}

/// Any other program, started with a clean environment in the same sense.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || OWN_VARIABLES.contains(&text.as_ref()) {
            command.env_remove(&name);
        }
    }
    command
}
