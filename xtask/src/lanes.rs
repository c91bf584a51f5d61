//! The lanes of `cargo xtask test`, one row each, in the order in which they run: the quickest answers first.
//!
//! To add a lane, add a row. A crate's tests run in the lane that claims them and otherwise in `unit`, so a new test
//! is never left out.

use crate::build::TestProgram;

/// One closing line of the run.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// What it checks, for `cargo xtask test --list`.
    pub(crate) what: &'static str,
    pub(crate) work: Work,
}

/// What a lane does.
#[derive(Debug)]
pub(crate) enum Work {
    /// `cargo fmt` has nothing to change.
    Format,
    /// `cargo clippy` has nothing to say.
    Lint,
    /// rustdoc has nothing to say: links lead somewhere, everything public is explained.
    Docs,
    /// deny.toml holds for every dependency.
    Deny,
    /// Everything compiles; runs before the first lane that needs programs, whether asked for or not.
    Build,
    /// The tests of all targets that no other lane claims, and the examples in the documentation.
    OtherTests,
    /// The tests of these targets, then these programs.
    Tests { of: &'static [Claim], then: &'static [ProgramRun] },
}

/// Test targets that belong to a lane. The first lane in the table that claims a target has it.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) package: &'static str,
    /// `None` claims all targets of the package that no earlier row has claimed.
    pub(crate) target: Option<&'static str>,
}

/// A program of the workspace that is itself a test: exit code 0 is one test passed.
#[derive(Debug)]
pub(crate) struct ProgramRun {
    pub(crate) program: &'static str,
    pub(crate) args: &'static [&'static str],
}

const fn package(package: &'static str) -> Claim {
    Claim { package, target: None }
}

const fn target(package: &'static str, target: &'static str) -> Claim {
    Claim { package, target: Some(target) }
}

/// All lanes.
pub(crate) const LANES: &[Lane] = &[
    Lane { name: "format", what: "rustfmt has nothing to change", work: Work::Format },
    Lane { name: "lint", what: "clippy has nothing to say about any target", work: Work::Lint },
    Lane { name: "docs", what: "rustdoc has nothing to say, and its links lead somewhere", work: Work::Docs },
    Lane { name: "deny", what: "licences, banned crates and sources of all dependencies", work: Work::Deny },
    Lane { name: "build", what: "every target of every crate compiles", work: Work::Build },
    Lane {
        name: "unit",
        what: "unit tests, vectors, properties, examples in the docs",
        work: Work::OtherTests,
    },
    Lane {
        name: "architecture",
        what: "the invariants of docs/ARCHITECTURE.md",
        work: Work::Tests { of: &[target("souk-e2e", "architecture")], then: &[] },
    },
    Lane {
        name: "conformance",
        what: "one suite over every store adapter",
        work: Work::Tests { of: &[package("souk-conformance")], then: &[] },
    },
    Lane {
        name: "http",
        what: "the API served in the same process",
        work: Work::Tests { of: &[package("souk-http")], then: &[] },
    },
    Lane {
        name: "simulator",
        what: "the whole system on a crash file system, short profile",
        work: Work::Tests {
            of: &[package("souk-simulator")],
            then: &[
                ProgramRun { program: "souk-sim", args: &["--seeds", "0..200"] },
                ProgramRun { program: "souk-sim", args: &["--mutants"] },
                ProgramRun { program: "souk-sim", args: &["--seeds", "0..10", "--check-determinism"] },
                ProgramRun { program: "souk-sim", args: &["--world", "toy", "--seeds", "0..200"] },
            ],
        },
    },
    Lane {
        name: "processes",
        what: "real processes: the demo, whole trades under kill -9, short form",
        work: Work::Tests {
            of: &[target("souk-server", "kill"), target("souk-server", "demo"), package("souk-e2e")],
            then: &[],
        },
    },
];

impl Lane {
    /// The lane of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        LANES.iter().find(|lane| lane.name == name)
    }

    /// Whether the lane runs something that the build lane makes.
    pub(crate) fn needs_build(&self) -> bool {
        match self.work {
            Work::Format | Work::Lint | Work::Docs | Work::Deny => false,
            Work::Build | Work::OtherTests | Work::Tests { .. } => true,
        }
    }

    /// The test programs that run in this lane.
    pub(crate) fn share_of<'a>(&self, tests: &'a [TestProgram]) -> Vec<&'a TestProgram> {
        tests.iter().filter(|test| lane_of(test).name == self.name).collect()
    }
}

/// The one lane in which a test program runs.
fn lane_of(test: &TestProgram) -> &'static Lane {
    let claims = |lane: &&Lane| match lane.work {
        Work::Tests { of, .. } => of.iter().any(|claim| claim.fits(test)),
        Work::Format | Work::Lint | Work::Docs | Work::Deny | Work::Build | Work::OtherTests => false,
    };
    let others = |lane: &&Lane| matches!(lane.work, Work::OtherTests);
    LANES.iter().find(claims).or_else(|| LANES.iter().find(others)).unwrap_or(&LANES[0])
}

impl Claim {
    fn fits(&self, test: &TestProgram) -> bool {
        self.package == test.package && self.target.is_none_or(|target| target == test.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_runs_in_one_lane() {
        for (package, target, lane) in [
            ("souk-domain", "souk_domain", "unit"),
            ("xtask", "xtask", "unit"),
            ("a-crate-nobody-thought-of", "x", "unit"),
            ("souk-e2e", "architecture", "architecture"),
            ("souk-server", "kill", "processes"),
            ("souk-server", "demo", "processes"),
            ("souk-server", "souk_server", "unit"),
            ("souk-e2e", "souk_e2e", "processes"),
            ("souk-http", "souk_http", "http"),
        ] {
            let test = TestProgram {
                package: package.to_owned(),
                target: target.to_owned(),
                folder: "/".into(),
                path: "/".into(),
            };
            let lanes: Vec<&str> = LANES
                .iter()
                .filter(|lane| !lane.share_of(std::slice::from_ref(&test)).is_empty())
                .map(|lane| lane.name)
                .collect();
            assert_eq!(lanes, [lane], "{package} {target}");
        }
    }

    #[test]
    fn names_of_lanes_are_single_words_and_differ() {
        for (at, lane) in LANES.iter().enumerate() {
            assert!(lane.name.chars().all(|c| c.is_ascii_lowercase()), "{}", lane.name);
            assert!(LANES[..at].iter().all(|other| other.name != lane.name), "{}", lane.name);
        }
    }
}
