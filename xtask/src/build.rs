//! Building the workspace once, and knowing what came out: the programs and the test programs of every crate.
//!
//! One build of everything serves all lanes. Building crate by crate would choose other features for the shared
//! dependencies each time and compile them again.

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Artifact, Message, Metadata, MetadataCommand};

use crate::Problem;
use crate::cache::Cache;
use crate::cargo::{cargo, workspace_root};

/// A test program of one target of one crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestProgram {
    pub(crate) package: String,
    pub(crate) target: String,
    /// Folder of the crate; tests run in it, as under `cargo test`.
    pub(crate) folder: PathBuf,
    pub(crate) path: PathBuf,
}

/// What a build of the workspace produced.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) tests: Vec<TestProgram>,
    /// Ordinary programs: name and path.
    pub(crate) programs: Vec<(String, PathBuf)>,
}

impl Built {
    /// The path of a program of the workspace.
    pub(crate) fn program(&self, name: &str) -> Option<&Path> {
        self.programs.iter().find(|(known, _)| known == name).map(|(_, path)| path.as_path())
    }

    fn add(&mut self, artifact: Artifact, metadata: &Metadata) {
        let Some(path) = artifact.executable else { return };
        let of_package = |package: &&cargo_metadata::Package| package.id == artifact.package_id;
        let Some(package) = metadata.packages.iter().find(of_package) else { return };
        let target = artifact.target;
        let path = path.into_std_path_buf();
        if !artifact.profile.test {
            if target.is_bin() {
                self.programs.push((target.name, path));
            }
        } else if !target.is_bench() && !target.is_example() {
            let folder = artifact.manifest_path.parent().map(|folder| folder.as_std_path().to_path_buf());
            self.tests.push(TestProgram {
                package: package.name.to_string(),
                target: target.name,
                folder: folder.unwrap_or_else(workspace_root),
                path,
            });
        }
    }
}

/// The crates of the workspace, without their dependencies.
pub(crate) fn workspace_metadata() -> Result<Metadata, Problem> {
    Ok(MetadataCommand::new().current_dir(workspace_root()).no_deps().exec()?)
}

/// Builds every target of every crate. On a terminal cargo shows its progress; elsewhere it writes to `log`.
pub(crate) fn everything(cache: &Cache, log: &Path) -> Result<Built, Problem> {
    let mut command = cargo(cache.target());
    command.args(["build", "--locked", "--workspace", "--all-targets"]);
    build(command, "the workspace", Some(log))
}

/// Builds one program with cargo's progress on stderr, and returns its path. The features are those of the whole
/// workspace, so that the build of everything finds the dependencies done.
pub(crate) fn one_program(cache: &Cache, program: &str) -> Result<PathBuf, Problem> {
    let mut command = cargo(cache.target());
    command.args(["build", "--locked", "--workspace", "--bin", program]);
    let built = build(command, program, None)?;
    built.program(program).map(Path::to_path_buf).ok_or_else(|| Problem::NotBuilt(program.to_owned()))
}

fn build(mut command: Command, what: &str, log: Option<&Path>) -> Result<Built, Problem> {
    let metadata = workspace_metadata()?;
    let started = || Problem::io("cargo build cannot be started");
    if let Some(log) = log.filter(|_| !std::io::stderr().is_terminal()) {
        command
            .stderr(File::create(log).map_err(Problem::io(format!("{} cannot be written", log.display())))?);
    }
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(started())?;
    let mut built = Built::default();
    if let Some(messages) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(messages)) {
            if let Message::CompilerArtifact(artifact) =
                message.map_err(Problem::io("cargo cannot be heard"))?
            {
                built.add(artifact, &metadata);
            }
        }
    }
    let status = child.wait().map_err(started())?;
    built.tests.sort_by(|one, two| (&one.package, &one.target).cmp(&(&two.package, &two.target)));
    if status.success() { Ok(built) } else { Err(Problem::NotBuilt(what.to_owned())) }
}
