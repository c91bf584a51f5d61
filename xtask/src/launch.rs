//! `cargo xtask demo` and `cargo xtask sim`: build one program, then become it.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::Problem;
use crate::build;
use crate::cache::Cache;
use crate::cargo::command;

/// A program of the workspace and the words that come before the caller's arguments.
pub(crate) struct Launch {
    program: &'static str,
    words: &'static [&'static str],
}

/// The demo market.
pub(crate) const DEMO: Launch = Launch { program: "souk", words: &["demo"] };

/// The whole-system simulator.
pub(crate) const SIM: Launch = Launch { program: "souk-sim", words: &[] };

/// Builds the program, then runs it with `args` in the caller's folder. Its exit code is the answer.
pub(crate) fn start(launch: &Launch, args: Vec<OsString>) -> Result<ExitCode, Problem> {
    let path = {
        // Held for the build alone: a demo may run for days.
        let cache = Cache::take()?;
        build::one_program(&cache, launch.program)?
    };
    let mut command = command(&path);
    command.args(launch.words).args(args);
    become_it(command, launch.program)
}

/// The program takes the place of xtask, so every signal reaches it and nobody else.
#[cfg(unix)]
fn become_it(mut command: std::process::Command, name: &str) -> Result<ExitCode, Problem> {
    use std::os::unix::process::CommandExt;
    let error = command.exec(); // returns only when it could not be done
    Err(Problem::io(format!("{name} cannot be started"))(error))
}

/// Where a process cannot be replaced, a console's Ctrl-C reaches the program as well as xtask, and ends both.
#[cfg(not(unix))]
fn become_it(mut command: std::process::Command, name: &str) -> Result<ExitCode, Problem> {
    let status = command.status().map_err(Problem::io(format!("{name} cannot be started")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
