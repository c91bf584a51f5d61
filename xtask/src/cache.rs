//! Where build output lies, and who may use it.
//!
//! Rule: design, section 8: the cache stands outside the clone, so that a fresh clone starts warm. Always: what was
//! built from another clone is thrown away before this one builds, because cargo names the crates of a workspace by
//! their place inside it and would take a foreign one for its own.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Problem;
use crate::cargo::{cargo, workspace_root};

/// File in the target folder that holds the path of the clone which built there last.
const OWNER_FILE: &str = "souk-clone";

/// The target folder of this run, held against other clones for as long as the value lives.
pub(crate) struct Cache {
    target: PathBuf,
    _hold: File,
}

impl Cache {
    /// Takes the target folder: `CARGO_TARGET_DIR` where it is set, else `$SOUK_CACHE/target`, else the user's
    /// cache folder. Waits while another clone is using it.
    pub(crate) fn take() -> Result<Self, Problem> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let target = target_folder(&var).ok_or_else(|| {
            Problem::Usage("no place for build output: set SOUK_CACHE to a folder".to_owned())
        })?;
        Self::at(&target, &workspace_root())
    }

    fn at(target: &Path, root: &Path) -> Result<Self, Problem> {
        let failed = || format!("the build cache {} cannot be used", target.display());
        fs::create_dir_all(target).map_err(Problem::io(failed()))?;
        let hold = File::create(target.join("souk-clone.lock")).map_err(Problem::io(failed()))?;
        hold.lock_shared().map_err(Problem::io(failed()))?;
        let owner = target.join(OWNER_FILE);
        if read_owner(&owner).map_err(Problem::io(failed()))?.as_deref() != Some(root) {
            // Not upgraded in place: two clones that both hold it shared would wait for each other for ever.
            hold.unlock().map_err(Problem::io(failed()))?;
            if hold.try_lock().is_err() {
                eprintln!("xtask: waiting for another clone that uses {}", target.display());
                hold.lock().map_err(Problem::io(failed()))?;
            }
            throw_away_own_crates(target)?;
            fs::write(&owner, root.as_os_str().as_encoded_bytes()).map_err(Problem::io(failed()))?;
            hold.unlock().map_err(Problem::io(failed()))?;
            return Self::at(target, root);
        }
        Ok(Self { target: target.to_path_buf(), _hold: hold })
    }

    /// The folder that stands in for `target/`.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The log of one lane, overwritten by each run.
    pub(crate) fn log(&self, name: &str) -> Result<PathBuf, Problem> {
        let folder = self.target.join("lanes");
        fs::create_dir_all(&folder).map_err(Problem::io("the folder of the logs cannot be made"))?;
        Ok(folder.join(format!("{name}.log")))
    }
}

fn target_folder(var: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let user_cache = || {
        var("XDG_CACHE_HOME")
            .or_else(|| var("HOME").map(|home| home.join(".cache")))
            .or_else(|| var("LOCALAPPDATA"))
            .map(|folder| folder.join("souk"))
    };
    var("CARGO_TARGET_DIR")
        .map(|folder| if folder.is_absolute() { folder } else { workspace_root().join(folder) })
        .or_else(|| var("SOUK_CACHE").or_else(user_cache).map(|cache| cache.join("target")))
}

fn read_owner(file: &Path) -> std::io::Result<Option<PathBuf>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(PathBuf::from(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what the workspace's own crates left in `target`; dependencies stay.
fn throw_away_own_crates(target: &Path) -> Result<(), Problem> {
    if !target.join("debug").exists() {
        return Ok(());
    }
    let metadata = crate::build::workspace_metadata()?;
    let mut command = cargo(target);
    command.args(["clean", "--quiet", "--locked"]);
    for package in metadata.workspace_packages() {
        command.args(["--package", package.name.as_str()]);
    }
    let status = command.status().map_err(Problem::io("cargo clean could not be started"))?;
    if status.success() { Ok(()) } else { Err(Problem::NotBuilt("a clean build cache".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_follows_the_variables_in_order() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: [Case<'_>; 6] = [
            (&[("CARGO_TARGET_DIR", "/t"), ("SOUK_CACHE", "/c")], Some("/t")),
            (&[("SOUK_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], Some("/c/target")),
            (&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], Some("/x/souk/target")),
            (&[("HOME", "/h")], Some("/h/.cache/souk/target")),
            (&[("LOCALAPPDATA", "/l")], Some("/l/souk/target")),
            (&[], None),
        ];
        for (set, expected) in cases {
            let var =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value));
            assert_eq!(target_folder(&var), expected.map(PathBuf::from), "{set:?}");
        }
    }

    #[test]
    fn a_cache_remembers_the_clone_that_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        for clone in ["/one", "/two", "/two"] {
            let cache = Cache::at(folder.path(), Path::new(clone)).unwrap();
            let owner = read_owner(&cache.target().join(OWNER_FILE)).unwrap();
            assert_eq!(owner, Some(PathBuf::from(clone)));
        }
    }
}
