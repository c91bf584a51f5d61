//! `cargo xtask test`: the lanes one after another, a closing line for each, a table and one last line.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::Problem;
use crate::build::{self, Built};
use crate::cache::Cache;
use crate::cargo::{cargo, command};
use crate::child::{self, PROGRAM_TIME_MAX};
use crate::deny;
use crate::lanes::{LANES, Lane, ProgramRun, Work};
use crate::tally::{self, SKIPPED, Tally};

/// Most lines of a failed program's output that are repeated on the screen; the log has all of them.
const FAILURE_LINES_MAX: usize = 200;

/// How one lane went.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    /// What to show of each failure.
    pub(crate) failures: Vec<String>,
    /// What to install or fetch for each thing that was skipped.
    pub(crate) skips: Vec<String>,
}

impl Report {
    /// Counts one check.
    pub(crate) fn check(&mut self, passed: bool, text: impl FnOnce() -> String) {
        if passed {
            self.tally.passed += 1;
        } else {
            self.tally.failed += 1;
            self.failures.push(text());
        }
    }

    /// Counts one check that could not be made.
    pub(crate) fn skip(&mut self, what_to_install: impl Into<String>) {
        self.tally.skipped += 1;
        self.skips.push(what_to_install.into());
    }
}

/// Prints the lanes and what each one checks.
pub(crate) fn list() {
    for lane in LANES {
        println!("{:<13} {}", lane.name, lane.what);
    }
}

/// Runs the named lanes, or all.
pub(crate) fn run(names: &[String]) -> Result<ExitCode, Problem> {
    let chosen = choose(names)?;
    let cache = Cache::take()?;
    let mut built = None;
    let mut rows: Vec<(&Lane, Tally, Duration)> = Vec::new();
    for lane in chosen {
        let begun = Instant::now();
        let report = run_lane(lane, &cache, &mut built)?;
        for failure in &report.failures {
            println!("{}", failure.trim_end());
        }
        println!("lane {}: {} ({} s)", lane.name, report.tally, begun.elapsed().as_secs());
        for skip in &report.skips {
            println!("  {SKIPPED}{skip}");
        }
        if report.tally.failed > 0 {
            println!("  log: {}", cache.log(lane.name)?.display());
        }
        rows.push((lane, report.tally, begun.elapsed()));
    }
    Ok(close(&rows))
}

/// The lanes to run, in the order of the table, with the build where one of them needs it.
fn choose(names: &[String]) -> Result<Vec<&'static Lane>, Problem> {
    if let Some(unknown) = names.iter().find(|name| Lane::named(name).is_none()) {
        let known: Vec<&str> = LANES.iter().map(|lane| lane.name).collect();
        return Err(Problem::Usage(format!("no lane {unknown}; there are: {}", known.join(" "))));
    }
    let asked_for = |lane: &Lane| names.is_empty() || names.iter().any(|name| name == lane.name);
    let build_needed = LANES.iter().any(|lane| asked_for(lane) && lane.needs_build());
    let wanted = |lane: &&Lane| asked_for(lane) || build_needed && matches!(lane.work, Work::Build);
    Ok(LANES.iter().filter(wanted).collect())
}

/// Prints the table and the last line, which scripts read: `tests: N passed, N failed, N skipped`.
fn close(rows: &[(&Lane, Tally, Duration)]) -> ExitCode {
    let mut sum = Tally::default();
    let mut time = Duration::ZERO;
    println!("\n{:<13} {:>7} {:>7} {:>8} {:>7}", "lane", "passed", "failed", "skipped", "s");
    let row = |name: &str, tally: Tally, time: Duration| {
        let Tally { passed, failed, skipped } = tally;
        println!("{name:<13} {passed:>7} {failed:>7} {skipped:>8} {:>7}", time.as_secs());
    };
    for (lane, tally, lane_time) in rows {
        row(lane.name, *tally, *lane_time);
        sum += *tally;
        time += *lane_time;
    }
    row("all", sum, time);
    println!("\ntests: {sum}");
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one lane. `built` is filled by the build lane and stays empty when the build fails.
fn run_lane(lane: &Lane, cache: &Cache, built: &mut Option<Built>) -> Result<Report, Problem> {
    let log = cache.log(lane.name)?;
    std::fs::write(&log, "").map_err(Problem::io(format!("{} cannot be written", log.display())))?;
    let mut report = Report::default();
    match &lane.work {
        Work::Format => component(&mut report, cache, &log, "rustfmt", &["fmt", "--all", "--check"])?,
        Work::Lint => {
            let args =
                ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
            component(&mut report, cache, &log, "clippy", &args)?;
        }
        Work::Docs => {
            let mut command = cargo(cache.target());
            command.args([
                "doc",
                "--quiet",
                "--locked",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ]);
            // Our pages are always made with private items, so a link to one does lead somewhere.
            command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
            let ended = child::run(&mut command, &log, PROGRAM_TIME_MAX)?;
            report.check(ended.well, || last_lines(&ended.output));
        }
        Work::Deny => deny::run(&mut report, cache, &log)?,
        Work::Build => match build::everything(cache, &log) {
            Ok(done) => {
                *built = Some(done);
                report.check(true, String::new);
            }
            Err(Problem::NotBuilt(what)) => {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                report.check(false, || format!("{}\n{what} could not be built", last_lines(&text)));
            }
            Err(problem) => return Err(problem),
        },
        Work::OtherTests => {
            run_tests(&mut report, lane, built.as_ref(), &log)?;
            if built.is_some() {
                doc_tests(&mut report, cache, &log)?;
            }
        }
        Work::Tests { then, .. } => {
            run_tests(&mut report, lane, built.as_ref(), &log)?;
            for program in *then {
                run_program(&mut report, program, built.as_ref(), &log)?;
            }
        }
    }
    Ok(report)
}

/// One cargo command that needs a part of the toolchain, which is installed where it is missing.
fn component(
    report: &mut Report,
    cache: &Cache,
    log: &Path,
    component: &str,
    args: &[&str],
) -> Result<(), Problem> {
    let is_there = |cache: &Cache| cargo(cache.target()).args([args[0], "--version"]).output();
    let there = is_there(cache).is_ok_and(|output| output.status.success());
    if !there {
        // Best effort: whether it has helped is seen right below.
        let _ = child::run(command("rustup").args(["component", "add", component]), log, PROGRAM_TIME_MAX);
        if !is_there(cache).is_ok_and(|output| output.status.success()) {
            report.skip(format!("rustup component add {component}"));
            return Ok(());
        }
    }
    let ended = child::run(cargo(cache.target()).args(args), log, PROGRAM_TIME_MAX)?;
    report.check(ended.well, || last_lines(&ended.output));
    Ok(())
}

fn run_tests(report: &mut Report, lane: &Lane, built: Option<&Built>, log: &Path) -> Result<(), Problem> {
    let Some(built) = built else {
        report.check(false, || format!("{}: not run, because the build failed", lane.name));
        return Ok(());
    };
    for test in lane.share_of(&built.tests) {
        let mut command = command(&test.path);
        command.arg("--show-output").current_dir(&test.folder).env("CARGO_MANIFEST_DIR", &test.folder);
        count(report, &format!("{} {}", test.package, test.target), &mut command, log)?;
    }
    Ok(())
}

/// The examples in the documentation, which only rustdoc can run.
fn doc_tests(report: &mut Report, cache: &Cache, log: &Path) -> Result<(), Problem> {
    let mut command = cargo(cache.target());
    command.args(["test", "--quiet", "--locked", "--workspace", "--doc", "--no-fail-fast"]);
    count(report, "examples in the documentation", &mut command, log)
}

fn run_program(
    report: &mut Report,
    run: &ProgramRun,
    built: Option<&Built>,
    log: &Path,
) -> Result<(), Problem> {
    let Some(path) = built.and_then(|built| built.program(run.program)) else {
        report.check(false, || format!("{}: no such program was built", run.program));
        return Ok(());
    };
    let ended = child::run(command(path).args(run.args), log, PROGRAM_TIME_MAX)?;
    let line = || format!("{} {}\n{}", run.program, run.args.join(" "), last_lines(&ended.output));
    report.check(ended.well, line);
    Ok(())
}

/// Runs one libtest program and adds what it counted.
fn count(report: &mut Report, name: &str, command: &mut Command, log: &Path) -> Result<(), Problem> {
    let ended = child::run(command, log, PROGRAM_TIME_MAX)?;
    let counted = tally::of_libtest(&ended.output, ended.well);
    report.tally += counted;
    report.skips.extend(tally::skips(&ended.output).into_iter().map(str::to_owned));
    if counted.failed > 0 {
        report.failures.push(format!("{name}\n{}", failures(&ended.output)));
    }
    Ok(())
}

/// The part of a libtest output that tells what went wrong.
fn failures(output: &str) -> String {
    match output.find("\nfailures:\n") {
        Some(at) => last_lines(&output[at..]),
        None => last_lines(output),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let dropped = lines.len().saturating_sub(FAILURE_LINES_MAX);
    let head = if dropped > 0 { format!("({dropped} lines left out)\n") } else { String::new() };
    head + &lines[dropped..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked_for: &[&str]) -> Result<Vec<&'static str>, String> {
        let asked_for: Vec<String> = asked_for.iter().map(|&name| name.to_owned()).collect();
        let lanes = choose(&asked_for).map_err(|problem| problem.to_string())?;
        Ok(lanes.iter().map(|lane| lane.name).collect())
    }

    #[test]
    fn lanes_are_chosen_in_the_order_of_the_table() {
        assert_eq!(names(&[]).unwrap().len(), LANES.len());
        assert_eq!(names(&["lint", "format"]), Ok(vec!["format", "lint"]));
        assert_eq!(names(&["architecture"]), Ok(vec!["build", "architecture"]));
        assert_eq!(names(&["build"]), Ok(vec!["build"]));
        assert!(names(&["format", "nope"]).unwrap_err().starts_with("no lane nope; there are: format lint"));
    }

    #[test]
    fn long_output_is_cut_at_its_head() {
        let text = |lines: usize| (0..lines).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        assert_eq!(last_lines(&text(FAILURE_LINES_MAX)), text(FAILURE_LINES_MAX));
        assert!(last_lines(&text(FAILURE_LINES_MAX + 1)).starts_with("(1 lines left out)\n1\n2\n"));
    }

    #[test]
    fn failures_begin_where_libtest_lists_them() {
        let output = "running\n\nsuccesses:\n\nfailures:\n\n---- a stdout ----\nbad\n";
        assert_eq!(failures(output), "\nfailures:\n\n---- a stdout ----\nbad");
        assert_eq!(failures("crashed"), "crashed");
    }
}
