//! Counting: what passed, failed and was skipped, and the one form in which it is printed.

use std::fmt;
use std::ops::AddAssign;

/// A line that begins so says that a test did not do its work, and what to install or fetch for it.
pub(crate) const SKIPPED: &str = "skipped: ";

/// Counts of one lane or of the whole run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Counts what a libtest program printed with `--show-output`. An ignored test is a skipped one, and so is a test
/// that passes after printing a line `skipped: …`. A program that ended badly has at least one failure, whatever it
/// printed; one that is no libtest program counts as one test.
pub(crate) fn of_libtest(output: &str, ended_well: bool) -> Tally {
    let mut tally = Tally::default();
    let mut results = 0;
    for counts in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        results += 1;
        tally.passed += count(counts, "passed");
        tally.failed += count(counts, "failed");
        tally.skipped += count(counts, "ignored");
    }
    if results == 0 && ended_well {
        tally.passed = 1;
    }
    if tally.failed == 0 && !ended_well {
        tally.failed = 1;
    }
    let said_skipped = u32::try_from(skips(output).len()).unwrap_or(u32::MAX).min(tally.passed);
    tally.passed -= said_skipped;
    tally.skipped += said_skipped;
    tally
}

/// The reasons given by tests that passed without doing their work, one a test.
pub(crate) fn skips(output: &str) -> Vec<&str> {
    let mut reasons = Vec::new();
    let (mut in_failures, mut in_test) = (false, false);
    for line in output.lines() {
        if line == "failures:" {
            in_failures = true; // a failed test is failed, even if it first said that it skips something
        } else if line.starts_with("test result: ") {
            (in_failures, in_test) = (false, false);
        } else if line.starts_with("---- ") {
            in_test = !in_failures;
        } else if in_test && let Some(reason) = line.strip_prefix(SKIPPED) {
            reasons.push(reason);
            in_test = false;
        }
    }
    reasons
}

/// `N` of `N what` in the closing line of libtest: `ok. 3 passed; 0 failed; 1 ignored; …`.
fn count(counts: &str, what: &str) -> u32 {
    let words: Vec<&str> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let found = words.windows(2).find(|pair| pair[1] == what);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_output_is_counted() {
        let ok = "running 2 tests\n..\n\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let bad = "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let said = "successes:\n\n---- a::b stdout ----\nskipped: data folder\nskipped: again\n\n---- c stdout ----\nfine\n\n";
        let failed_after = "failures:\n\n---- d stdout ----\nskipped: half of it\npanicked\n";
        let tally = |passed, failed, skipped| Tally { passed, failed, skipped };
        for (output, well, expected) in [
            (ok.to_owned(), true, tally(2, 0, 1)),
            (format!("{ok}{ok}"), true, tally(4, 0, 2)),
            (bad.to_owned(), false, tally(1, 3, 0)),
            (format!("{ok}{bad}"), false, tally(3, 3, 1)),
            (format!("{said}{ok}"), true, tally(1, 0, 2)),
            (format!("{failed_after}{bad}"), false, tally(1, 3, 0)),
            // A crash in the middle prints no closing line, and one after it must not pass either.
            ("running 2 tests\n.".to_owned(), false, tally(0, 1, 0)),
            (ok.to_owned(), false, tally(2, 1, 1)),
            ("own harness: fine".to_owned(), true, tally(1, 0, 0)),
        ] {
            assert_eq!(of_libtest(&output, well), expected, "{output}");
        }
    }

    #[test]
    fn the_printed_form_is_fixed() {
        let tally = Tally { passed: 12, failed: 0, skipped: 3 };
        assert_eq!(tally.to_string(), "12 passed, 0 failed, 3 skipped");
    }
}
