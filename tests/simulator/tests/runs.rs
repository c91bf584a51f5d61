//! Whole runs: the toy holds its promises, its mutants do not, and the same seed gives the same run.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests too

use souk_simulator::campaign::{Campaign, hunt};
use souk_simulator::faults::Profile;
use souk_simulator::run::{Plan, run};
use souk_simulator::toy::Toy;
use souk_simulator::world::Scenario;

fn short() -> Profile {
    Profile::by_name("short").unwrap()
}

#[test]
fn the_toy_keeps_its_promises_and_repeats_itself() {
    let campaign = Campaign { scenario: &Toy, profile: short(), seeds: 0..25, checks_determinism: true };
    let report = campaign.run("test".into(), |_| {}).unwrap();
    assert_eq!(report.failures, []);
    assert!(report.seeds >= 25 && report.orders > 500 && report.decided > 500);
    for fault in [
        "loss",
        "dup",
        "partition",
        "power_loss",
        "kill",
        "torn",
        "lost_writes",
        "died_at_call",
        "failed_calls",
    ] {
        assert!(report.faults[fault] > 0, "no {fault} in 25 seeds");
    }
}

#[test]
fn seeds_differ() {
    let trace =
        |seed| run(&Plan { scenario: &Toy, seed, profile: short(), mutant: None, keeps_lines: false }).trace;
    assert_ne!(trace(1), trace(2));
}

/// A simulator that misses one of these would miss it in the product as well (spec/sync.md 10.5).
#[test]
fn every_mutant_of_the_toy_is_found() {
    let surviving: Vec<&str> =
        Toy.mutants().iter().filter(|spec| !hunt(&Toy, spec, None).killed).map(|spec| spec.name).collect();
    assert_eq!(surviving, [""; 0]);
}

#[test]
fn a_written_trace_changes_nothing() {
    let plan = Plan { scenario: &Toy, seed: 3, profile: short(), mutant: None, keeps_lines: false };
    let quiet = run(&plan);
    let mut loud = run(&Plan { keeps_lines: true, ..plan });
    assert!(loud.lines.len() > 100);
    loud.lines.clear();
    assert_eq!(quiet, loud);
}
