//! One run: workload and faults, then heal, then rest, then a last restart of every host and the final checks
//! (spec/sync.md 10.1).
//!
//! Always: the same scenario, seed, profile and mutant give the same outcome and the same trace hash.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::clock::{HostClock, SimTime};
use crate::disk::{DiskCounters, HostId, Image};
use crate::faults::{PROFILES, Profile, spans};
use crate::net::{Message, NetCounters, Payload};
use crate::sim::{Event, HostState, Sim};
use crate::vfs;
use crate::world::{Checked, HostEvent, Reply, ReplyTo, Role, Scenario, Started, Violation, World};

mod strike;

/// Within this span after the last fault, and after the last thing that happened without anybody's tap, everything must
/// be at rest. Promise P16 says 15 minutes for a scope to be fresh: the longest pause between two tries (5) and the span
/// between two questions without hints (10). Here rows are compared with the server's, which change as long as others
/// catch up; a minute more covers the last of them.
const REST_MINUTES_MAX: u64 = 16;

/// Time-outs and rails go on after the last fault, as long as a payment's window (30 minutes) and what follows from it.
const SETTLED_MINUTES_MAX: u64 = 60;

/// How often rest is looked for.
const REST_CHECK_MS: u64 = 5_000;

/// How much later a timer comes that was due while its program was suspended.
const SUSPENDED_RECHECK_MS: u64 = 1_000;

/// While all is calm a device sends at most one request a second, beyond this many to catch up (syn15).
const CATCH_UP_REQUESTS_MAX: u64 = 60;

/// More events than any healthy run has; a run beyond it goes in circles (syn15).
const EVENTS_MAX: u64 = 5_000_000;

/// What to run.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The system.
    pub scenario: &'a dyn Scenario,
    /// The seed.
    pub seed: u64,
    /// Length and faults.
    pub profile: Profile,
    /// The wrong line that is switched on.
    pub mutant: Option<&'a str>,
    /// Keep a line for each event?
    pub keeps_lines: bool,
}

/// What a run found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The broken promise, if any.
    pub violation: Option<Violation>,
    /// Hash over all that happened.
    pub trace: u64,
    /// Events handled.
    pub events: u64,
    /// Virtual length in microseconds.
    pub virtual_us: u64,
    /// Faults and whatever the world counted.
    pub counts: BTreeMap<&'static str, u64>,
    /// What happened on the disks.
    pub disk: DiskCounters,
    /// What happened on the network.
    pub net: NetCounters,
    /// One line an event, if asked for.
    pub lines: Vec<String>,
}

/// SQLite has one generator a process, so runs of one process go one after another.
static RUNNING: Mutex<()> = Mutex::new(());

/// Runs a plan. A panic of the code under test is a violation too.
pub fn run(plan: &Plan<'_>) -> Outcome {
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    vfs::seed_sqlite(plan.seed);
    let mut sim = Sim::new(plan.seed, plan.keeps_lines);
    let mut events = 0;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let world = plan.scenario.build(plan.mutant, &mut sim)?;
        let mut run =
            Run { sim: &mut sim, world, profile: plan.profile, events: &mut events, images: BTreeMap::new() };
        run.whole()
    }));
    let violation = match ended {
        Ok(checked) => checked.err(),
        Err(panic) => Some(Violation::new("panic", panic_text(panic.as_ref()))),
    };
    if let Some(violation) = &violation {
        sim.log(|_| violation.to_string());
    }
    Outcome {
        violation,
        trace: sim.trace_hash(),
        events,
        virtual_us: sim.now.0,
        disk: sim.disk.counters(),
        net: sim.net.counters(),
        lines: sim.take_lines(),
        counts: sim.counts,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

/// Runs a world for a while without faults and taps: to make the files that seeds begin with.
pub(crate) fn calm<W: World + 'static>(world: W, sim: &mut Sim, span_ms: u64) -> Result<W, Violation> {
    let profile = PROFILES[0];
    let mut events = 0;
    sim.is_calm = true;
    sim.net.heal();
    let mut run = Run { sim, world, profile, events: &mut events, images: BTreeMap::new() };
    run.begin()?;
    let end = run.sim.now.plus_ms(span_ms);
    run.work_until(end)?;
    Ok(run.world)
}

/// How a host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Kill,
    PowerLoss,
}

struct Run<'a, W> {
    sim: &'a mut Sim,
    world: W,
    profile: Profile,
    events: &'a mut u64,
    images: BTreeMap<HostId, Image>,
}

impl<W: World> Run<'_, W> {
    fn whole(&mut self) -> Checked {
        self.begin()?;
        let end = SimTime::default().plus_ms(self.profile.workload_minutes * 60_000);
        self.work_until(end)?;
        self.heal()?;
        self.rest()?;
        self.restart_all()?;
        self.rest()?;
        self.world.check_end(self.sim)
    }

    fn begin(&mut self) -> Checked {
        for spec in self.world.hosts() {
            let state = HostState {
                role: spec.role,
                name: spec.name,
                public_files: spec.public_files,
                clock: HostClock::booted(self.sim.rng.next_u64(), self.sim.now),
                life: 0,
                is_up: false,
                is_paused: false,
                requests_sent: 0,
            };
            self.sim.hosts.insert(spec.id, state);
        }
        // The servers first: devices find somebody who answers.
        for role in [Role::Server, Role::Device] {
            for host in self.hosts_of(role) {
                self.start(host)?;
            }
        }
        for device in self.hosts_of(Role::Device) {
            self.plan_in(spans::TAP_MS, Event::Tap { device });
        }
        self.plan_in(spans::FAULT_MS, Event::Fault);
        Ok(())
    }

    /// Handles all events up to a moment, and stands at that moment afterwards.
    fn work_until(&mut self, end: SimTime) -> Checked {
        while let Some((at, event)) = self.sim.queue.pop_until(end) {
            *self.events += 1;
            if *self.events > EVENTS_MAX {
                return Err(Violation::new("syn15", "more events than a run can need"));
            }
            self.sim.begin_event(at, &event);
            self.handle(event)?;
            self.bury_the_dead();
            self.world.check_step(self.sim)?;
            self.sim.end_event();
        }
        self.sim.now = end;
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Checked {
        if let Event::RequestTimeOut { device: host, life, .. } | Event::Timer { host, life, .. } = event
            && self.is_suspended(host, life)
        {
            self.sim.plan(SUSPENDED_RECHECK_MS, event); // a suspended program is told when it goes on
            return Ok(());
        }
        match event {
            Event::Arrive(message) => self.arrive(message),
            Event::RequestTimeOut { device, life, request } => {
                let is_open = self.sim.close_request(device, life, request);
                if !is_open || !self.is_running(device, life) {
                    return Ok(());
                }
                self.sim.log(|sim| format!("{} waited for {request} in vain", sim.name(device)));
                self.world.on_reply(device, request, Reply::Failed, self.sim)
            }
            Event::Timer { host, life, timer } if self.is_running(host, life) => {
                self.world.on_timer(host, timer, self.sim)
            }
            Event::Timer { .. } => Ok(()),
            Event::Tap { device } => {
                if self.sim.is_calm {
                    return Ok(());
                }
                self.plan_in(spans::TAP_MS, Event::Tap { device });
                if self.is_awake(device) { self.world.on_tap(device, self.sim) } else { Ok(()) }
            }
            Event::Fault if self.sim.is_calm => Ok(()),
            Event::Fault => {
                self.plan_in(spans::FAULT_MS, Event::Fault);
                self.strike()
            }
            Event::Restart { host } if self.is_down(host) => self.start(host),
            Event::Restart { .. } => Ok(()),
            Event::Resume { host } => self.resume(host),
        }
    }

    fn arrive(&mut self, message: Message) -> Checked {
        if !self.sim.net.is_open(message.from, message.to, self.sim.now) {
            self.sim.net.count_cut();
            return Ok(());
        }
        let Message { from, to, life, request, payload } = message;
        match payload {
            Payload::Request(body) => {
                let back = ReplyTo { server: to, device: from, life, request };
                if self.is_down(to) {
                    self.sim.send_back(back, Payload::Refused);
                    return Ok(());
                }
                self.world.on_request(back, body, self.sim)
            }
            Payload::Answer(_) | Payload::Refused | Payload::Hint(_) if !self.is_running(to, life) => {
                self.sim.count("late_answers");
                Ok(())
            }
            Payload::Answer(answer) => {
                self.sim.close_request(to, life, request);
                self.world.on_reply(to, request, Reply::Answer(answer), self.sim)
            }
            Payload::Refused if self.sim.close_request(to, life, request) => {
                self.world.on_reply(to, request, Reply::Failed, self.sim)
            }
            Payload::Refused => Ok(()),
            Payload::Hint(line) => self.world.on_hint(to, &line, self.sim),
        }
    }

    /// Hosts whose fuse burned down during the event go down properly and come back later.
    fn bury_the_dead(&mut self) {
        let dead: Vec<HostId> = self
            .sim
            .hosts
            .iter()
            .filter(|(host, state)| state.is_up && self.sim.disk.is_dead(**host))
            .map(|(host, _)| *host)
            .collect();
        for host in dead {
            self.crash(host);
        }
    }

    /// Ends a host's process by kill or power loss, as chance has it, and plans its restart.
    fn crash(&mut self, host: HostId) {
        let how = if self.sim.rng.chance(500) { Crash::PowerLoss } else { Crash::Kill };
        self.go_down(host, how);
        let span = match self.sim.hosts.get(&host).map(|state| state.role) {
            Some(Role::Server) => spans::SERVER_DOWN_MS,
            Some(Role::Device) | None => spans::DEVICE_DOWN_MS,
        };
        self.plan_in(span, Event::Restart { host });
    }

    fn go_down(&mut self, host: HostId, how: Crash) {
        self.sim.log(|sim| format!("{} goes down: {how:?}", sim.name(host)));
        self.sim.disk.cut(host); // so that nothing is written while the program is dropped
        self.world.stop(host);
        match how {
            Crash::Kill => self.sim.disk.kill(host),
            Crash::PowerLoss => self.sim.disk.power_loss(host, &mut self.sim.rng),
        }
        let boot = self.sim.rng.next_u64();
        let now = self.sim.now;
        if let Some(state) = self.sim.hosts.get_mut(&host) {
            state.is_up = false;
            state.is_paused = false;
            state.life += 1;
            if how == Crash::PowerLoss {
                state.clock.reboot(boot, now);
            }
        }
    }

    fn start(&mut self, host: HostId) -> Checked {
        let started = self.world.start(host, self.sim)?;
        self.sim.log(|sim| format!("{} starts: {started:?}", sim.name(host)));
        if started == Started::Up
            && let Some(state) = self.sim.hosts.get_mut(&host)
        {
            state.is_up = true;
            return Ok(()); // a fuse that burned down meanwhile is met after the event
        }
        self.crash(host);
        Ok(())
    }

    fn resume(&mut self, host: HostId) -> Checked {
        match self.sim.hosts.get_mut(&host) {
            Some(state) if state.is_up && state.is_paused => state.is_paused = false,
            Some(_) | None => return Ok(()),
        }
        self.world.on_host_event(host, HostEvent::Resume, self.sim)
    }

    /// The end of all faults: whole network, sound disks, every host up.
    fn heal(&mut self) -> Checked {
        self.sim.log(|_| "healed".to_owned());
        self.sim.is_calm = true;
        self.sim.net.heal();
        let hosts: Vec<HostId> = self.sim.hosts.keys().copied().collect();
        for host in &hosts {
            self.sim.disk.disarm(*host);
            self.resume(*host)?;
        }
        self.start_the_stopped()?;
        for state in self.sim.hosts.values_mut() {
            state.requests_sent = 0;
        }
        Ok(())
    }

    fn start_the_stopped(&mut self) -> Checked {
        for role in [Role::Server, Role::Device] {
            for host in self.hosts_of(role) {
                if self.is_down(host) {
                    self.start(host)?;
                }
            }
        }
        Ok(())
    }

    /// Lets time pass until the world is at rest (syn15).
    fn rest(&mut self) -> Checked {
        let begun = self.sim.now;
        let last = begun.plus_ms((SETTLED_MINUTES_MAX + REST_MINUTES_MAX) * 60_000);
        let mut end = begun.plus_ms(REST_MINUTES_MAX * 60_000);
        let mut stirred = self.world.stirred();
        loop {
            let next = self.sim.now.plus_ms(REST_CHECK_MS);
            self.work_until(next)?;
            let Err(moving) = self.world.at_rest(self.sim) else { break };
            if self.world.stirred() != stirred {
                stirred = self.world.stirred();
                end = last.min(self.sim.now.plus_ms(REST_MINUTES_MAX * 60_000));
            }
            if self.sim.now >= end {
                let text = format!("not at rest {REST_MINUTES_MAX} minutes after the last event: {moving}");
                return Err(Violation::new("syn15", text));
            }
        }
        let seconds = (self.sim.now.0 - begun.0) / 1_000_000;
        for state in self.sim.hosts.values_mut() {
            let sent = std::mem::take(&mut state.requests_sent);
            if sent > seconds + CATCH_UP_REQUESTS_MAX {
                let text = format!("{} sent {sent} requests in {seconds} calm seconds", state.name);
                return Err(Violation::new("syn15", text));
            }
        }
        Ok(())
    }

    /// What is only in memory must not matter: all hosts lose power once more.
    fn restart_all(&mut self) -> Checked {
        let hosts: Vec<HostId> = self.sim.hosts.keys().copied().collect();
        for host in hosts {
            self.go_down(host, Crash::PowerLoss);
        }
        self.start_the_stopped()
    }

    fn hosts_of(&self, role: Role) -> Vec<HostId> {
        self.sim.hosts.iter().filter(|(_, state)| state.role == role).map(|(host, _)| *host).collect()
    }

    fn is_down(&self, host: HostId) -> bool {
        !self.sim.is_up(host)
    }

    fn is_awake(&self, host: HostId) -> bool {
        self.sim.is_up(host) && self.sim.hosts.get(&host).is_some_and(|state| !state.is_paused)
    }

    fn is_suspended(&self, host: HostId, life: u64) -> bool {
        self.sim.hosts.get(&host).is_some_and(|state| state.is_paused && state.life == life)
    }

    /// Is it still the process that asked? A suspended one gets nothing: its connections are gone.
    fn is_running(&self, host: HostId, life: u64) -> bool {
        self.is_awake(host) && self.sim.hosts.get(&host).is_some_and(|state| state.life == life)
    }

    fn plan_in(&mut self, span_ms: (u64, u64), event: Event) {
        let after_ms = self.sim.rng.between(span_ms.0, span_ms.1);
        self.sim.plan(after_ms, event);
    }
}
