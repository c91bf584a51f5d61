//! What `souk-sim` prints: spec/sync.md 10.6. Plain JSON integers, times with their unit in the name.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use crate::run::Outcome;
use crate::world::{MutantSpec, Violation};

/// A seed that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The profile it ran in.
    pub profile: &'static str,
    /// `syn01` …, `panic`, `open`, `determinism`.
    pub invariant: &'static str,
    /// What was found.
    pub text: String,
    /// A command that repeats it.
    pub repro: String,
}

/// All runs of a call, summed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The commit that ran, or `unknown`.
    pub commit: String,
    /// Name of the scenario.
    pub world: &'static str,
    /// Name of the profile.
    pub profile: &'static str,
    /// Runs, the regressions counted in.
    pub seeds: u64,
    /// Seeds that broke a promise.
    pub failures: Vec<Failure>,
    /// Virtual hours that passed in all runs, whole.
    pub virtual_h: u64,
    /// Events handled.
    pub events: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Orders shown as saved.
    pub orders: u64,
    /// Outcomes that reached their device.
    pub decided: u64,
    /// Commits of the server that ended in an error, so that only a restart tells.
    pub unknown_commits: u64,
    /// Scopes pulled from null.
    pub snapshots: u64,
    /// Thread CPU time, in seconds.
    pub cpu_s: u64,
    /// Runs a second of CPU time, whole.
    pub seeds_per_s: u64,
    #[serde(skip)]
    virtual_us: u64,
}

/// Counts of a world that have a field of their own; all others are faults.
const OWN_FIELDS: [&str; 4] = ["orders", "decided", "unknown_commits", "snapshots"];

impl Report {
    /// An empty report.
    pub fn new(world: &'static str, profile: &'static str, commit: String) -> Report {
        Report { commit, world, profile, ..Report::default() }
    }

    /// Adds a run.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.virtual_us += outcome.virtual_us;
        self.virtual_h = self.virtual_us / 3_600_000_000;
        let count = |name: &str| outcome.counts.get(name).copied().unwrap_or(0);
        self.orders += count("orders");
        self.decided += count("decided");
        self.unknown_commits += count("unknown_commits");
        self.snapshots += count("snapshots");
        for (name, number) in &outcome.counts {
            if !OWN_FIELDS.contains(name) {
                *self.faults.entry(name).or_default() += number;
            }
        }
        let (disk, net) = (&outcome.disk, &outcome.net);
        let table = [
            ("loss", net.lost),
            ("dup", net.copied),
            ("cut", net.cut),
            ("blackholed", net.blackholed),
            ("power_loss", disk.power_losses),
            ("kill", disk.kills),
            ("died_at_call", disk.fuses_blown),
            ("torn", disk.torn),
            ("lost_writes", disk.lost_writes),
            ("vanished_files", disk.vanished),
            ("failed_calls", disk.failed_calls),
            ("bits_flipped", disk.bits_flipped),
            ("lies", disk.lies),
        ];
        for (name, number) in table {
            *self.faults.entry(name).or_default() += number;
        }
    }

    /// Notes what the seeds cost.
    pub fn set_cpu_us(&mut self, cpu_us: u64) {
        let cpu_us = cpu_us.max(1);
        self.cpu_s = cpu_us / 1_000_000;
        self.seeds_per_s = self.seeds * 1_000_000 / cpu_us;
    }
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MutantLine {
    /// Its name.
    pub mutant: &'static str,
    /// Its number in spec/sync.md 10.5.
    pub number: u32,
    /// Did a seed find it?
    pub killed: bool,
    /// The seed that found it.
    pub seed: Option<u64>,
    /// How many seeds ran until then.
    pub seeds: u64,
    /// What the seed broke.
    pub invariant: Option<&'static str>,
    /// In which words.
    pub text: Option<String>,
}

impl MutantLine {
    /// The line of a mutant after `seeds` runs, the last of which may have found it.
    pub fn new(spec: &MutantSpec, seeds: u64, kill: Option<(u64, Violation)>) -> MutantLine {
        let (seed, violation) = kill.unzip();
        MutantLine {
            mutant: spec.name,
            number: spec.number,
            killed: seed.is_some(),
            seed,
            seeds,
            invariant: violation.as_ref().map(|violation| violation.invariant),
            text: violation.map(|violation| violation.text),
        }
    }
}

/// The last line of a mutant run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Mutants that a seed found.
    pub killed: u64,
    /// All mutants tried.
    pub total: u64,
}

/// CPU time of this thread, where the system tells it; else wall time.
#[derive(Debug)]
pub struct CpuClock {
    begun_cpu_us: Option<u64>,
    begun: Instant,
}

impl CpuClock {
    /// Begins to count.
    pub fn begin() -> CpuClock {
        CpuClock { begun_cpu_us: thread_cpu_us(), begun: Instant::now() }
    }

    /// Microseconds since then.
    pub fn passed_us(&self) -> u64 {
        match (self.begun_cpu_us, thread_cpu_us()) {
            (Some(begun), Some(now)) => now.saturating_sub(begun),
            _ => u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Linux: the first number of `schedstat` is the time on a CPU in nanoseconds.
fn thread_cpu_us() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse::<u64>().ok().map(|ns| ns / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn report_has_the_documented_form() {
        let mut report = Report::new("toy", "short", "abc".into());
        let counts = BTreeMap::from([("orders", 3), ("device_crash_mid", 2)]);
        report.add(&Outcome { events: 9, virtual_us: 5_400_000_000, counts, ..Outcome::default() });
        report.add(&Outcome { virtual_us: 1_800_000_000, ..Outcome::default() });
        report.set_cpu_us(100_000);
        report.failures.push(Failure {
            seed: 7,
            profile: "short",
            invariant: "syn01",
            text: "LOST".into(),
            repro: "cargo xtask sim --trace 7".into(),
        });
        expect![[r#"{"commit":"abc","world":"toy","profile":"short","seeds":2,"failures":[{"seed":7,"profile":"short","invariant":"syn01","text":"LOST","repro":"cargo xtask sim --trace 7"}],"virtual_h":2,"events":9,"faults":{"bits_flipped":0,"blackholed":0,"cut":0,"device_crash_mid":2,"died_at_call":0,"dup":0,"failed_calls":0,"kill":0,"lies":0,"loss":0,"lost_writes":0,"power_loss":0,"torn":0,"vanished_files":0},"orders":3,"decided":0,"unknown_commits":0,"snapshots":0,"cpu_s":0,"seeds_per_s":20}"#]]
        .assert_eq(&serde_json::to_string(&report).unwrap());
    }

    #[test]
    fn mutant_lines_have_the_documented_form() {
        let spec = MutantSpec {
            number: 1,
            name: "no_dedupe",
            what: "",
            profile: "short",
            known_seed: 1,
            seeds_max: 300,
        };
        let lines = [
            MutantLine::new(&spec, 2, Some((5, Violation::new("syn02", "DOUBLED")))),
            MutantLine::new(&spec, 300, None),
        ];
        expect![[r#"[{"mutant":"no_dedupe","number":1,"killed":true,"seed":5,"seeds":2,"invariant":"syn02","text":"DOUBLED"},{"mutant":"no_dedupe","number":1,"killed":false,"seed":null,"seeds":300,"invariant":null,"text":null}]"#]]
        .assert_eq(&serde_json::to_string(&lines).unwrap());
    }
}
