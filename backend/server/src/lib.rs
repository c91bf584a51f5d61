#![doc = include_str!("../README.md")]

use std::io::Write as _;

pub mod api;
pub mod bench;
pub mod clock;
pub mod demo;
pub mod failure;
pub mod import;
pub mod ledger_check;
pub mod market;
pub mod people;
pub mod person;
pub mod private;
pub mod processes;
pub mod progress;
pub mod qr;
pub mod rail;
pub mod replay;
pub mod seeding;
pub mod serve;
pub mod stop;
pub mod store_at;

/// Prints one line on standard output: the one place where results are printed. A reader that has gone (`| head`) is
/// no failure of the command.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => tell(&format!("stdout: {error}")),
        Ok(()) | Err(_) => {}
    }
}

/// Tells a person one line, on standard error: programs read what [`print()`] prints.
pub fn tell(text: &str) {
    // Nobody may be looking.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
