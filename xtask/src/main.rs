#![doc = include_str!("../README.md")]

mod build;
mod cache;
mod cargo;
mod child;
mod deny;
mod lanes;
mod launch;
mod licence;
mod tally;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every script of the project. Build output lies in `$SOUK_CACHE/target`, by default in the user's cache folder.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all lanes of checks and tests, or the named ones, one after another
    Test {
        /// Names of lanes; none means all
        lanes: Vec<String>,
        /// Print the names of the lanes and what each one checks, and run nothing
        #[arg(long)]
        list: bool,
    },
    /// Build and start the demo: a whole market on this machine; arguments go to `souk demo`
    #[command(disable_help_flag = true)]
    Demo {
        /// Passed on as they are
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Build and start the simulator; arguments go to `souk-sim`
    #[command(disable_help_flag = true)]
    Sim {
        /// Passed on as they are
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test { list: true, .. } => {
            test::list();
            Ok(ExitCode::SUCCESS)
        }
        Task::Test { lanes, list: false } => test::run(&lanes),
        Task::Demo { args } => launch::start(&launch::DEMO, args),
        Task::Sim { args } => launch::start(&launch::SIM, args),
    };
    done.unwrap_or_else(|problem| {
        eprintln!("xtask: {problem}");
        let mut cause = std::error::Error::source(&problem);
        while let Some(next) = cause {
            eprintln!("  because: {next}");
            cause = next.source();
        }
        problem.exit_code()
    })
}

/// Why a task could not be done at all; a lane that finds something wrong is a failed lane and not a problem.
#[derive(Debug, thiserror::Error)]
enum Problem {
    /// The machine did not do what was asked of it: a file, a folder, a process.
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    /// `cargo metadata` did not describe the workspace.
    #[error("cargo metadata failed")]
    Metadata(#[from] cargo_metadata::Error),
    /// deny.toml does not have the form that is expected of it.
    #[error("deny.toml cannot be read")]
    DenyFile(#[from] toml::de::Error),
    /// A build failed; the compiler has already said why.
    #[error("{0} could not be built")]
    NotBuilt(String),
    /// The caller asked for something that does not exist.
    #[error("{0}")]
    Usage(String),
}

impl Problem {
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// 2 on bad usage, 1 on every other failure, as all commands of the project do.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Io { .. } | Self::Metadata(_) | Self::DenyFile(_) | Self::NotBuilt(_) => ExitCode::FAILURE,
        }
    }
}
