//! Many runs: seeds in a row, each twice, or until a mutant is found.

use std::ops::Range;

use crate::faults::Profile;
use crate::regressions::{self, BadLine};
use crate::report::{CpuClock, Failure, MutantLine, Report};
use crate::run::{Outcome, Plan, run};
use crate::world::{MutantSpec, Scenario, Violation};

/// What to do with a range of seeds.
#[derive(Clone)]
pub struct Campaign<'a> {
    /// The system.
    pub scenario: &'a dyn Scenario,
    /// Length and faults.
    pub profile: Profile,
    /// The seeds.
    pub seeds: Range<u64>,
    /// Run each seed twice and compare the traces?
    pub checks_determinism: bool,
}

impl Campaign<'_> {
    /// Runs the regressions of this world, then all seeds. `progress` is told after each run how many are done.
    pub fn run(&self, commit: String, mut progress: impl FnMut(u64)) -> Result<Report, BadLine> {
        let clock = CpuClock::begin();
        let mut report = Report::new(self.scenario.name(), self.profile.name, commit);
        for regression in regressions::parse(regressions::LIST)? {
            if regression.world == self.scenario.name() {
                self.one(regression.seed, regression.profile, &mut report);
            }
        }
        for seed in self.seeds.clone() {
            self.one(seed, self.profile, &mut report);
            progress(report.seeds);
        }
        report.set_cpu_us(clock.passed_us());
        Ok(report)
    }

    fn one(&self, seed: u64, profile: Profile, report: &mut Report) {
        let plan = Plan { scenario: self.scenario, seed, profile, mutant: None, keeps_lines: false };
        let outcome = run(&plan);
        report.add(&outcome);
        let violation = match &outcome.violation {
            None if self.checks_determinism => difference(&outcome, &run(&plan)),
            found => found.clone(),
        };
        report.failures.extend(violation.map(|violation| failure(&plan, violation)));
    }
}

/// Two runs of one plan must be the same to the last byte written.
fn difference(first: &Outcome, second: &Outcome) -> Option<Violation> {
    (first != second).then(|| {
        let text = format!(
            "two runs differ: {} and {} events, traces {:016x} and {:016x}",
            first.events, second.events, first.trace, second.trace
        );
        Violation::new("determinism", text)
    })
}

/// The failure of a plan, with the command that repeats it.
pub fn failure(plan: &Plan<'_>, violation: Violation) -> Failure {
    let (world, profile) = (plan.scenario.name(), plan.profile.name);
    let mutant = plan.mutant.map(|name| format!(" --mutant {name}")).unwrap_or_default();
    Failure {
        seed: plan.seed,
        profile,
        invariant: violation.invariant,
        text: violation.text,
        repro: format!("cargo xtask sim --world {world} --profile {profile} --trace {}{mutant}", plan.seed),
    }
}

/// Runs a mutant until a seed finds it that passes without it: its known seed first, then `seeds`, or as many from 1 on as it may take.
pub fn hunt(scenario: &dyn Scenario, spec: &MutantSpec, seeds: Option<Range<u64>>) -> MutantLine {
    let profile = Profile::by_name(spec.profile).unwrap_or(crate::faults::PROFILES[0]);
    let known = seeds.is_none().then_some(spec.known_seed);
    let mut tried = 0;
    for seed in known.into_iter().chain(seeds.unwrap_or(1..spec.seeds_max)) {
        tried += 1;
        let plan = Plan { scenario, seed, profile, mutant: Some(spec.name), keeps_lines: false };
        // A seed that fails without the mutant as well shows nothing.
        if let Some(violation) = run(&plan).violation
            && run(&Plan { mutant: None, ..plan }).violation.is_none()
        {
            return MutantLine::new(spec, tried, Some((seed, violation)));
        }
    }
    MutantLine::new(spec, tried, None)
}
