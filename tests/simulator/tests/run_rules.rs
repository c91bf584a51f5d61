//! What a run does to its world, shown by a world that only takes notes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests too

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use souk_simulator::disk::{HostId, Image};
use souk_simulator::faults::{FaultKind, Profile};
use souk_simulator::net::{Answer, Request};
use souk_simulator::run::{Outcome, Plan, run};
use souk_simulator::sim::Sim;
use souk_simulator::world::{
    Checked, HostEvent, HostSpec, MutantSpec, Reply, ReplyTo, Role, Scenario, Started, Violation, World,
};

const SERVER: HostId = HostId(0);
const DEVICE: HostId = HostId(1);
const TIMER: u64 = 7;
const ASK_EVERY_MS: u64 = 10_000;

/// How the world misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Good,
    Panics,
    NeverRests,
    FloodsTheServer,
    FailsTheLastCheck,
    FirstStartFails,
}

/// What the run told the world, counted.
type Notes = BTreeMap<&'static str, u64>;

struct Notebook {
    habit: Habit,
    faults: Vec<FaultKind>,
    notes: Rc<RefCell<Notes>>,
}

impl Scenario for Notebook {
    fn name(&self) -> &'static str {
        "notebook"
    }

    fn mutants(&self) -> &'static [MutantSpec] {
        &[]
    }

    fn build(&self, _: Option<&str>, sim: &mut Sim) -> Result<Box<dyn World>, Violation> {
        sim.disk().restore(DEVICE, &Image::from([("cache.db".to_owned(), vec![0; 100])]));
        Ok(Box::new(Noting {
            habit: self.habit,
            faults: self.faults.clone(),
            notes: Rc::clone(&self.notes),
            life: BTreeMap::new(),
            is_paused: false,
            next_request: 0,
        }))
    }
}

struct Noting {
    habit: Habit,
    faults: Vec<FaultKind>,
    notes: Rc<RefCell<Notes>>,
    /// Is the host's program running, by what the run said?
    life: BTreeMap<HostId, bool>,
    is_paused: bool,
    next_request: u64,
}

impl Noting {
    fn note(&self, what: &'static str) {
        *self.notes.borrow_mut().entry(what).or_default() += 1;
    }

    fn is_up(&self, host: HostId) -> bool {
        self.life.get(&host) == Some(&true)
    }
}

impl World for Noting {
    fn hosts(&self) -> Vec<HostSpec> {
        let spec = |id, role, name: &str| HostSpec {
            id,
            role,
            name: name.to_owned(),
            public_files: vec!["cache.db".to_owned()],
        };
        vec![spec(SERVER, Role::Server, "server"), spec(DEVICE, Role::Device, "phone")]
    }

    fn faults(&self) -> &[FaultKind] {
        &self.faults
    }

    fn start(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation> {
        assert!(!self.is_up(host), "started twice");
        self.note("start");
        if self.habit == Habit::FirstStartFails && self.notes.borrow()["start"] <= 2 {
            return Ok(Started::Down);
        }
        self.life.insert(host, true);
        self.is_paused &= host != DEVICE;
        if host == DEVICE {
            sim.timer_after(host, 0, TIMER);
        }
        Ok(Started::Up)
    }

    fn stop(&mut self, host: HostId) {
        self.note("stop");
        self.life.insert(host, false);
    }

    fn on_request(&mut self, to: ReplyTo, request: Request, sim: &mut Sim) -> Checked {
        assert!(self.is_up(SERVER), "a request reached a dead server");
        assert_eq!((to.device, request.line.as_str()), (DEVICE, "POST /push"));
        self.note("request");
        sim.hint(SERVER, DEVICE, b"changed".to_vec());
        sim.answer(to, Answer { status: 200, ..Answer::default() });
        Ok(())
    }

    fn on_reply(&mut self, device: HostId, _: u64, reply: Reply, _: &mut Sim) -> Checked {
        assert!(self.is_up(device) && !self.is_paused, "a reply reached a program that does not run");
        match reply {
            Reply::Answer(_) => self.note("answer"),
            Reply::Failed => self.note("failed"),
        }
        Ok(())
    }

    fn on_hint(&mut self, device: HostId, line: &[u8], _: &mut Sim) -> Checked {
        assert!(self.is_up(device) && !self.is_paused);
        assert_eq!(line, b"changed");
        self.note("hint");
        Ok(())
    }

    fn on_timer(&mut self, host: HostId, timer: u64, sim: &mut Sim) -> Checked {
        assert!(self.is_up(host) && !self.is_paused, "a timer reached a program that does not run");
        assert_eq!(timer, TIMER);
        self.note("timer");
        let requests = if self.habit == Habit::FloodsTheServer { 100 } else { 1 };
        for _ in 0..requests {
            self.next_request += 1;
            let request = Request { line: "POST /push".to_owned(), ..Request::default() };
            sim.request(host, SERVER, self.next_request, 5_000, request);
        }
        sim.timer_after(host, ASK_EVERY_MS, TIMER);
        Ok(())
    }

    fn on_tap(&mut self, device: HostId, sim: &mut Sim) -> Checked {
        assert!(self.is_up(device) && !self.is_paused && !sim.is_calm());
        assert!(self.habit != Habit::Panics, "the program fell over");
        self.note("tap");
        Ok(())
    }

    fn on_host_event(&mut self, host: HostId, event: HostEvent, sim: &mut Sim) -> Checked {
        match event {
            HostEvent::Pause => self.is_paused = true,
            HostEvent::Resume => {
                assert!(self.is_up(host) && self.is_paused);
                self.is_paused = false;
            }
            HostEvent::ClockSet => {
                let reading = sim.clock(host);
                assert_eq!(reading.mono_ms, reading.mono_ms.min(sim.now().0 / 1000));
            }
            HostEvent::Restored { .. } | HostEvent::Rotted => {
                assert!(!self.is_up(host), "files were changed under a running program");
            }
            HostEvent::BackedUp | HostEvent::LyingSync => {}
        }
        self.note(match event {
            HostEvent::Pause => "pause",
            HostEvent::Resume => "resume",
            HostEvent::ClockSet => "clock_set",
            HostEvent::BackedUp => "backed_up",
            HostEvent::Restored { announced: true } => "restored, announced",
            HostEvent::Restored { announced: false } => "restored",
            HostEvent::LyingSync => "lying_sync",
            HostEvent::Rotted => "rotted",
        });
        Ok(())
    }

    fn at_rest(&mut self, _: &mut Sim) -> Result<(), String> {
        match self.habit {
            Habit::NeverRests => Err("something".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_end(&mut self, sim: &mut Sim) -> Checked {
        assert!(self.is_up(SERVER) && self.is_up(DEVICE) && sim.is_calm());
        self.note("end");
        match self.habit {
            Habit::FailsTheLastCheck => Err(Violation::new("syn11", "rows differ")),
            _ => Ok(()),
        }
    }
}

fn run_noting(habit: Habit, faults: &[FaultKind], profile: &str, seed: u64) -> (Outcome, Notes) {
    let notes = Rc::new(RefCell::new(Notes::new()));
    let scenario = Notebook { habit, faults: faults.to_vec(), notes: Rc::clone(&notes) };
    let profile = Profile::by_name(profile).unwrap();
    let outcome = run(&Plan { scenario: &scenario, seed, profile, mutant: None, keeps_lines: true });
    let notes = notes.borrow().clone();
    (outcome, notes)
}

#[test]
fn each_habit_is_found() {
    let table = [
        (Habit::Good, None),
        (Habit::FirstStartFails, None),
        (Habit::Panics, Some("panic: the program fell over")),
        (Habit::NeverRests, Some("syn15: not at rest 16 minutes after the last event: something")),
        (Habit::FailsTheLastCheck, Some("syn11: rows differ")),
    ];
    for (habit, expected) in table {
        let (outcome, _) = run_noting(habit, &[], "short", 1);
        assert_eq!(
            outcome.violation.map(|violation| violation.to_string()).as_deref(),
            expected,
            "{habit:?}"
        );
    }
    let (outcome, _) = run_noting(Habit::FloodsTheServer, &[], "short", 1);
    assert_eq!(outcome.violation.unwrap().invariant, "syn15");
}

#[test]
fn a_run_without_faults_is_plain() {
    let (outcome, notes) = run_noting(Habit::Good, &[], "short", 1);
    assert_eq!(notes["start"], 4, "each host at the beginning, and once more at the end");
    assert_eq!((notes["stop"], notes["end"]), (2, 1));
    assert!(notes["tap"] >= 10 && notes["hint"] > 0);
    assert!(outcome.virtual_us >= 30 * 60_000_000);
    assert_eq!(outcome.disk.power_losses, 2);
}

/// Each fault reaches the world in the way that it is promised, over a few seeds.
#[test]
fn each_fault_is_told() {
    use FaultKind::{
        BitRot, ClockJump, DeviceBackup, DeviceCrash, DeviceRestore, LyingSync, Partition, Pause,
        PushBlackhole, ServerBackup, ServerCrash, ServerRestore,
    };
    let table: [(&[FaultKind], &str, &[&str]); 8] = [
        (&[DeviceCrash, ServerCrash], "short", &["failed", "stop"]),
        (&[Partition], "short", &["failed"]),
        (&[PushBlackhole], "short", &["failed"]),
        (&[Pause], "short", &["pause", "resume"]),
        (&[ClockJump], "short", &["clock_set"]),
        (&[BitRot], "short", &["stop"]),
        (
            &[DeviceBackup, DeviceRestore, ServerBackup, ServerRestore],
            "restore",
            &["backed_up", "restored", "restored, announced"],
        ),
        (&[LyingSync], "lying", &["lying_sync"]),
    ];
    for (faults, profile, expected) in table {
        let mut all = Notes::new();
        for seed in 0..4 {
            let (outcome, notes) = run_noting(Habit::Good, faults, profile, seed);
            assert_eq!(outcome.violation, None, "{faults:?}, seed {seed}");
            for (name, count) in notes {
                *all.entry(name).or_default() += count;
            }
            if faults == [BitRot] {
                assert!(outcome.disk.bits_flipped > 0);
            }
        }
        for name in expected {
            assert!(all.contains_key(name), "{faults:?} gave no {name}: {all:?}");
        }
    }
}
