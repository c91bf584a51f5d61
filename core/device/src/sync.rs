//! The sync machine: *(event, now)* in, effects out; no clock, no socket, no SQL inside (spec/sync.md 6).
//!
//! Regions: **link** (one), **up** (two: *fast* for money, order, courier; *slow* for chat, bulk), **down** (one per
//! scope), **live** (one). It keeps nothing that is not in the files except timers, back-off and request ids. Always:
//! a request leaves only after the transaction that records it has answered (I1), downloads never read anything of
//! uploads (P6), an answer counts only with a live request id and a generation that is not older than known (I9).

use std::collections::BTreeMap;

use souk_domain::bookkeeping::Lane;
use souk_domain::id::Bucket;
use souk_domain::scope::Scope;

mod backoff;
mod down;
mod event;
mod link;
mod live;
mod pull;
#[cfg(test)]
mod tests;
mod up;

pub use event::{
    Answer, Class, Effect, Event, Fault, Join, LiveEvent, LiveStop, Notice, OpenFacts, OpenLink, Phase,
    ReqId, Request, Ticket, TimerId, Tx, TxAnswer, View,
};

use crate::clock::Now;
use crate::limits::RETRY_BUDGET_TENTHS_MAX;
use backoff::Chance;
use down::DownRegion;
use link::Link;
use live::LiveRegion;
use up::UpRegion;

/// What a machine is made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineConfig {
    /// Program and version, as requests carry it.
    pub app: String,
    /// Whether a stream of hints is kept open in the foreground.
    pub live: bool,
}

/// What a timer is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum TimerFor {
    Link,
    Up(Class),
    Down(Scope),
    Live,
    Silence,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Machine {
    config: MachineConfig,
    link: Link,
    up: [UpRegion; 2],
    down: BTreeMap<Scope, DownRegion>,
    pull: Option<pull::Pull>,
    live: LiveRegion,
    phase: Phase,
    /// What the files say about this device.
    facts: OpenFacts,
    /// A new epoch must be asked for.
    epoch_wanted: bool,
    /// The transaction that records a new generation.
    generation_tx: Option<Ticket>,
    /// Set by a renewal, cleared by the next request that is let in: 401 in between means a new sign-in.
    token_unproven: bool,
    /// Parts that pushes have changed; the next pull repeats them.
    touch: BTreeMap<Bucket, u64>,
    /// Lanes that the server asked to leave alone until then.
    slow: BTreeMap<Lane, u64>,
    /// Retries left, in tenths.
    retry_tenths: u32,
    timers: BTreeMap<TimerId, TimerFor>,
    /// Transactions of link whose answer is awaited.
    link_tx: Option<Ticket>,
    /// Scopes that a transaction is about to follow or wipe.
    scope_tx: BTreeMap<Ticket, Scope>,
    next_number: u64,
}

/// What one step is made of.
struct Step {
    now: Now,
    chance: Chance,
    effects: Vec<Effect>,
}

impl Step {
    fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn count(&mut self, name: &'static str) {
        self.emit(Effect::Count(name));
    }

    /// A cell `!`: cannot happen.
    fn impossible(&mut self, what: &'static str) {
        debug_assert!(false, "the sync machine met an impossible event: {what}");
        self.count("sync_impossible");
    }
}

impl Machine {
    /// A closed machine; it begins with [`Event::Opened`].
    pub fn new(config: MachineConfig) -> Machine {
        Machine {
            config,
            link: Link::Closed,
            up: [UpRegion::default(), UpRegion::default()],
            down: BTreeMap::new(),
            pull: None,
            live: LiveRegion::default(),
            phase: Phase::Foreground,
            facts: OpenFacts::default(),
            epoch_wanted: false,
            generation_tx: None,
            token_unproven: false,
            touch: BTreeMap::new(),
            slow: BTreeMap::new(),
            retry_tenths: RETRY_BUDGET_TENTHS_MAX,
            timers: BTreeMap::new(),
            link_tx: None,
            scope_tx: BTreeMap::new(),
            next_number: 1,
        }
    }

    /// One step. Same state, event, now and rnd give the same effects.
    pub fn step(&mut self, event: Event, now: Now, rnd: u64) -> Vec<Effect> {
        let mut step = Step { now, chance: Chance::new(rnd), effects: Vec::new() };
        self.route(event, &mut step);
        self.settle(&mut step);
        step.effects
    }

    /// Hands an event to the region it is for.
    fn route(&mut self, event: Event, step: &mut Step) {
        match event {
            Event::Opened(facts) => self.link_opened(facts, step),
            Event::Join(join) => self.link_join(join, step),
            Event::SignOut => self.link_sign_out(step),
            Event::Pause => self.link_pause(step),
            Event::Resume(facts) => self.link_resume(facts, step),
            Event::Phase(phase) => self.phase_changed(phase, step),
            Event::NetUp => self.net_up(step),
            Event::Kick { lane, tapped } => {
                let class = Class::of(lane);
                self.up_kick(class, tapped, step);
            }
            Event::SyncNow => self.sync_now(step),
            Event::Follow(scope) => self.down_follow(scope, step),
            Event::Unfollow(scope) => self.down_leave(&scope, step),
            Event::Hint(scope) => self.down_hint(&scope, step),
            Event::Http { req, answer } => self.answered(req, answer, step),
            Event::Live { req, event } => self.live_event(req, event, step),
            Event::Timer(id) => self.timer(id, step),
            Event::Tx { ticket, answer } => self.tx_done(ticket, answer, step),
        }
    }

    fn net_up(&mut self, step: &mut Step) {
        self.link_net_up(step);
        for class in Class::ALL {
            self.up_net_up(class, step);
        }
        self.down_net_up(step);
        self.live_net_up(step);
    }

    fn sync_now(&mut self, step: &mut Step) {
        self.link_net_up(step);
        for class in Class::ALL {
            self.up_net_up(class, step);
        }
        self.down_all_due(step);
    }

    fn phase_changed(&mut self, phase: Phase, step: &mut Step) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        self.down_phase(step);
    }

    fn timer(&mut self, id: TimerId, step: &mut Step) {
        // A timer that was cancelled and still fires is dropped here.
        match self.timers.remove(&id) {
            None => step.count("sync_timer_dropped"),
            Some(TimerFor::Link) => self.link_timer(step),
            Some(TimerFor::Up(class)) => self.up_timer(class, step),
            Some(TimerFor::Down(scope)) => self.down_timer(&scope, step),
            Some(TimerFor::Live) => self.live_timer(step),
            Some(TimerFor::Silence) => self.live_silent(step),
        }
    }

    /// Finds whose answer it is; a foreign or late one is dropped and counted.
    fn answered(&mut self, req: ReqId, answer: Answer, step: &mut Step) {
        if self.link_awaits(req) {
            return self.link_answer(answer, step);
        }
        for class in Class::ALL {
            if self.up_awaits(class, req) {
                return self.up_answer(class, answer, step);
            }
        }
        if self.pull_awaits(req) {
            return self.pull_answer(answer, step);
        }
        step.count("sync_answer_dropped");
    }

    fn tx_done(&mut self, ticket: Ticket, answer: TxAnswer, step: &mut Step) {
        if self.link_tx == Some(ticket) {
            self.link_tx = None;
            return self.link_tx_done(answer, step);
        }
        if self.generation_tx == Some(ticket) {
            self.generation_tx = None;
            return self.generation_recorded(answer, step);
        }
        if let Some(scope) = self.scope_tx.remove(&ticket) {
            return self.scope_recorded(scope, answer, step);
        }
        for class in Class::ALL {
            if self.up_awaits_tx(class, ticket) {
                return self.up_tx_done(class, answer, step);
            }
        }
        if self.pull_awaits_tx(ticket) {
            return self.pull_tx_done(ticket, answer, step);
        }
        step.count("sync_tx_dropped");
    }

    /// Brings the regions in line with what is ready now, and starts what is due.
    fn settle(&mut self, step: &mut Step) {
        // What one region starts may change what is ready for another (a token that must be renewed first): once more
        // is enough, because a renewal starts nothing.
        for _ in 0..2 {
            for class in Class::ALL {
                let is_ready = self.up_is_ready(class);
                self.up_ready(class, is_ready, step);
            }
            self.down_ready(step);
            self.live_ready(step);
            self.pull_start(step);
        }
    }

    /// An answer says which generation of the server's data it speaks of. Answers true if it may be used.
    fn generation_of(
        &mut self,
        generation: u32,
        server_now: souk_domain::time::Time,
        step: &mut Step,
    ) -> bool {
        if generation < self.facts.generation {
            step.count("sync_generation_dropped");
            return false;
        }
        if generation == self.facts.generation {
            return true;
        }
        if self.generation_tx.is_none() {
            let ticket = self.ticket();
            self.generation_tx = Some(ticket);
            step.emit(Effect::Tx { ticket, tx: Tx::NewGeneration { generation, server_now } });
            // Nothing was known yet: the first answer only names the generation.
            if self.facts.generation > 0 {
                for class in Class::ALL {
                    self.up_new_generation(class, step);
                }
                self.down_new_generation(step);
            }
        }
        false
    }

    fn generation_recorded(&mut self, answer: TxAnswer, step: &mut Step) {
        let former = self.facts.generation;
        match answer {
            TxAnswer::Facts(facts) => {
                self.facts = *facts;
                self.epoch_wanted |= self.facts.epoch_wanted;
                if former > 0 {
                    step.emit(Effect::Notice(Notice::NewGeneration));
                    step.emit(Effect::Views(vec![View::Outbox]));
                }
            }
            // The next answer names the generation again.
            _ => step.emit(Effect::Notice(Notice::StoreFailed)),
        }
        for class in Class::ALL {
            self.up_generation_recorded(class, step);
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn ticket(&mut self) -> Ticket {
        Ticket(self.number())
    }

    /// Sends a request; answers its id.
    fn request(&mut self, request: Request, step: &mut Step) -> ReqId {
        let req = ReqId(self.number());
        step.emit(Effect::Http { req, request });
        req
    }

    /// Runs a transaction; answers its ticket.
    fn transact(&mut self, tx: Tx, step: &mut Step) -> Ticket {
        let ticket = self.ticket();
        step.emit(Effect::Tx { ticket, tx });
        ticket
    }

    fn set_timer(&mut self, what: TimerFor, after_ms: u64, step: &mut Step) -> TimerId {
        let id = TimerId(self.number());
        self.timers.insert(id, what);
        step.emit(Effect::Timer { id, at_mono: step.now.mono_ms.saturating_add(after_ms) });
        id
    }

    /// Forgets a timer; when it still fires it is dropped.
    fn drop_timer(&mut self, id: TimerId) {
        self.timers.remove(&id);
    }

    /// The delay of a retry: full jitter under a doubling bound, and 300 s when too many were made.
    fn retry_delay(&mut self, failures: u32, step: &mut Step) -> u64 {
        backoff::delay(failures, &mut self.retry_tenths, &mut step.chance)
    }

    /// A first try fills the budget of retries a little.
    fn first_try(&mut self) {
        self.retry_tenths = (self.retry_tenths + 1).min(RETRY_BUDGET_TENTHS_MAX);
    }

    /// Undecided work or a pull under way: what a caller that waits for quiet looks at.
    pub fn is_quiet(&self) -> bool {
        self.pull.is_none()
            && self.up.iter().all(UpRegion::is_quiet)
            && self.down.values().all(DownRegion::is_quiet)
    }

    /// What the link says, for the status line.
    pub fn link_word(&self) -> &'static str {
        self.link.word()
    }
}
