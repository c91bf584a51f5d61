//! `souk-sim`: runs seeds of the simulator and prints what it found as JSON (spec/sync.md 10.6).
//!
//! Exit code 0: nothing found (with mutants: all found), 1: a failing seed or a surviving mutant, 2: bad usage.

use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::{Command, ExitCode};

use clap::Parser;
use serde::Serialize;
use souk_simulator::campaign::{Campaign, failure, hunt};
use souk_simulator::faults::{PROFILES, Profile};
use souk_simulator::report::{CpuClock, Report, Score};
use souk_simulator::run::{Plan, run};
use souk_simulator::world::{MutantSpec, Scenario};
use souk_simulator::worlds;

/// Seeds that run when none are named: those of the always lane.
const SEEDS_DEFAULT: Range<u64> = 0..200;

/// Progress is shown on a terminal after this many seeds.
const PROGRESS_EVERY: u64 = 50;

/// Runs the whole system in one thread on a disk and a network that break by a seed.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Seeds from A up to but not including B (A..=B: including)
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,
    /// Length and kinds of faults: short, long, restore or lying
    #[arg(long, default_value = "short", value_parser = parse_profile)]
    profile: Profile,
    /// The system to run
    #[arg(long, value_name = "NAME", default_value = worlds::DEFAULT)]
    world: String,
    /// Switch a wrong line on and run until a seed finds it
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Do so with every wrong line; one line of output each, the score last
    #[arg(long, conflicts_with_all = ["mutant", "seeds", "trace"])]
    mutants: bool,
    /// Run one seed and write its events to stderr
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    trace: Option<u64>,
    /// Run each seed twice and compare
    #[arg(long)]
    check_determinism: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(scenario) = worlds::by_name(&args.world) else {
        let names: Vec<&str> = worlds::all().iter().map(|scenario| scenario.name()).collect();
        return bad_usage(&format!("no world {}; there are: {}", args.world, names.join(", ")));
    };
    let spec = match &args.mutant {
        None => None,
        Some(name) => match scenario.mutants().iter().find(|spec| spec.name == name) {
            Some(spec) => Some(spec),
            None => {
                let names: Vec<&str> = scenario.mutants().iter().map(|spec| spec.name).collect();
                return bad_usage(&format!("no mutant {name}; there are: {}", names.join(", ")));
            }
        },
    };
    if args.mutants || spec.is_some() || args.trace.is_some() {
        // A panic of the code under test is an outcome there, with its text in the result.
        std::panic::set_hook(Box::new(|_| {}));
    }
    match (args.trace, spec) {
        (Some(seed), _) => trace(scenario, seed, args.profile, args.mutant.as_deref()),
        (None, Some(spec)) => hunt_all(scenario, std::slice::from_ref(spec), args.seeds),
        (None, None) if args.mutants => hunt_all(scenario, scenario.mutants(), None),
        (None, None) => sweep(scenario, &args),
    }
}

/// Runs a range of seeds.
fn sweep(scenario: &'static dyn Scenario, args: &Args) -> ExitCode {
    let seeds = args.seeds.clone().unwrap_or(SEEDS_DEFAULT);
    let total = seeds.end - seeds.start;
    let campaign =
        Campaign { scenario, profile: args.profile, seeds, checks_determinism: args.check_determinism };
    let is_terminal = std::io::stderr().is_terminal();
    let report = campaign.run(commit(), |done| {
        if is_terminal && done.is_multiple_of(PROGRESS_EVERY) {
            eprint!("\r{done} of {total} seeds");
        }
    });
    if is_terminal {
        eprintln!();
    }
    match report {
        Ok(report) => {
            print_line(&report);
            exit_code(report.failures.is_empty())
        }
        Err(bad_line) => bad_usage(&bad_line.to_string()),
    }
}

/// Runs one seed with all its events on stderr.
fn trace(scenario: &'static dyn Scenario, seed: u64, profile: Profile, mutant: Option<&str>) -> ExitCode {
    // What the product itself has to say stands between the events.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_ansi(false).init();
    let clock = CpuClock::begin();
    let plan = Plan { scenario, seed, profile, mutant, keeps_lines: true };
    let outcome = run(&plan);
    let mut stderr = std::io::stderr().lock();
    for line in &outcome.lines {
        if writeln!(stderr, "{line}").is_err() {
            break; // nobody reads
        }
    }
    let mut report = Report::new(scenario.name(), profile.name, commit());
    report.add(&outcome);
    report.failures.extend(outcome.violation.map(|violation| failure(&plan, violation)));
    report.set_cpu_us(clock.passed_us());
    print_line(&report);
    exit_code(report.failures.is_empty())
}

/// Looks for wrong lines, one line of output each.
fn hunt_all(scenario: &dyn Scenario, specs: &[MutantSpec], seeds: Option<Range<u64>>) -> ExitCode {
    let mut score = Score::default();
    for spec in specs {
        let line = hunt(scenario, spec, seeds.clone());
        score.total += 1;
        score.killed += u64::from(line.killed);
        print_line(&line);
    }
    print_line(&score);
    exit_code(score.killed == score.total)
}

fn print_line<T: Serialize>(value: &T) {
    match serde_json::to_string(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("{error}"),
    }
}

fn exit_code(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn bad_usage(message: &str) -> ExitCode {
    print_line(&serde_json::json!({ "error": { "code": "usage.bad", "message": message } }));
    ExitCode::from(2)
}

/// The commit of the working copy, for the report.
fn commit() -> String {
    let asked = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok();
    let text = asked
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn parse_profile(text: &str) -> Result<Profile, String> {
    Profile::by_name(text)
        .ok_or_else(|| format!("there are: {}", PROFILES.map(|profile| profile.name).join(", ")))
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let wrong = || "expected A..B or A..=B with A below B".to_owned();
    let (begin, end) = text.split_once("..").ok_or_else(wrong)?;
    let begin: u64 = begin.parse().map_err(|_| wrong())?;
    let end = match end.strip_prefix('=') {
        Some(last) => last.parse::<u64>().ok().and_then(|last| last.checked_add(1)),
        None => end.parse().ok(),
    };
    end.filter(|end| *end > begin).map(|end| begin..end).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_ranges() {
        let good = [("0..600", 0..600), ("3..=3", 3..4), ("5..6", 5..6)];
        for (text, range) in good {
            assert_eq!(parse_seeds(text), Ok(range), "{text}");
        }
        for text in ["", "5", "..", "5..", "..5", "6..6", "6..=5", "a..b", "1..=18446744073709551615"] {
            assert!(parse_seeds(text).is_err(), "{text}");
        }
    }
}
