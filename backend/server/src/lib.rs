#![doc = include_str!("../README.md")]

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
pub mod processes;
pub mod progress;
pub mod qr;
pub mod rail;
pub mod replay;
pub mod seeding;
pub mod serve;
pub mod stop;
pub mod store_at;

/// Prints one line on standard output: the one place where results are printed.
#[allow(clippy::print_stdout, reason = "the one place where results are printed")]
pub fn print(text: &str) {
    println!("{text}");
}
