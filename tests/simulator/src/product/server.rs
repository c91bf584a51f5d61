//! The server: the real engine on the real SQLite store, with what the API and the runner put round it.
//!
//! Pushes gather for some milliseconds and share a commit with whatever else is due, as in `souk_engine::handle`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use souk_domain::context::Actor;
use souk_domain::order::RailId;
use souk_domain::time::Time;
use souk_engine::rail::{RailCall, RailReply, acts};
use souk_engine::sign_in::CodeDesk;
use souk_engine::{Answer as Decision, Ask, Engine, EngineError, Reader, ScopeHint};
use souk_protocol::sync::PushResponse;
use souk_store::sqlite::SqliteStore;
use souk_store::{Store, StoreError};

use super::api;
use super::live::{COMMENT_MS, Streams};
use super::market::{SERVER, SharedStore, engine_config, server_now, store_config};
use super::rail::Rail;
use super::record::{Record, Wish};
use super::{Guards, block_on};
use crate::clock::SimTime;
use crate::sim::Sim;
use crate::world::{Checked, ReplyTo, Violation};

/// Pushes gather at most so long, ms.
const GATHER_MS: (u64, u64) = (1, 3);
/// Pause of the server's own work after the store has failed, ms.
const FAILED_PAUSE_MS: u64 = 1_000;
/// Timers and hand-offs of one batch.
const OWN_ASKS_MAX: usize = 1_000;
/// Calls to the rail at a time.
const RAIL_CALLS_MAX: usize = 16;

/// Timers of the server's host.
mod timer {
    /// Gathered pushes are decided; time-outs, hand-offs and calls that are due.
    pub(super) const WORK: u64 = 1;
    /// Streams of hints get a comment.
    pub(super) const COMMENT: u64 = 2;
    /// A webhook is due.
    pub(super) const HOOK: u64 = 3;
    /// From here on: answers of the rail.
    pub(super) const RAIL: u64 = 1_000;
}

/// A running server.
pub(super) struct Server {
    engine: Engine,
    pub(super) reader: Reader,
    pub(super) desk: CodeDesk,
    moved: Arc<Mutex<Vec<ScopeHint>>>,
    pub(super) streams: Streams,
    gathered: Vec<(ReplyTo, Wish)>,
    /// When the next [`timer::WORK`] fires.
    work_at: Option<SimTime>,
    /// When the next [`timer::HOOK`] fires.
    hook_at: Option<SimTime>,
    calls: BTreeMap<u64, (RailCall, RailReply)>,
    next_call: u64,
    is_installing: bool,
    is_commenting: bool,
    /// For an empty push, which changes nothing and asks whether the engine serves.
    probe: Actor,
}

impl Server {
    /// Opens the file and the engine. `restored` = the operator says that the data was set back.
    pub(super) fn start(
        guards: &Guards,
        restored: bool,
        probe: Actor,
        is_installing: bool,
        sim: &Sim,
    ) -> Result<Server, EngineError> {
        let store: SharedStore = Arc::new(SqliteStore::open(store_config(sim.disk(), guards))?);
        if restored {
            block_on(store.raise_generation())?;
        }
        let mut engine = block_on(Engine::open(store, engine_config(guards)))?;
        let moved: Arc<Mutex<Vec<ScopeHint>>> = Arc::default();
        let told = moved.clone();
        engine.on_hints(Box::new(move |hints| {
            told.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(hints);
        }));
        Ok(Server {
            reader: engine.reader(),
            engine,
            desk: CodeDesk::default(),
            moved,
            streams: Streams::default(),
            gathered: Vec::new(),
            work_at: None,
            hook_at: None,
            calls: BTreeMap::new(),
            next_call: timer::RAIL,
            is_installing,
            is_commenting: false,
            probe,
        })
    }

    pub(super) fn now(&self, sim: &Sim) -> Time {
        server_now(sim, self.is_installing)
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.reader.store()
    }

    /// Has a batch decided, and lets the checks know.
    pub(super) fn decide(
        &mut self,
        wishes: Vec<Wish>,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Result<Vec<Decision>, Violation> {
        let later = |wishes: &[Wish]| wishes.iter().map(|_| Decision::Later { after_ms: 1_000 }).collect();
        if record.has_unknown() && !self.settle(record, sim)? {
            return Ok(later(&wishes));
        }
        let now = record.next_now(self.now(sim));
        let commits = self.commits();
        let asks = wishes.iter().map(|wish| wish.ask.clone()).collect();
        let answers = block_on(self.engine.decide_batch(asks, now));
        if self.engine.metrics().tripwires.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            let text = format!("the engine met a bug of a rule: {answers:?} for {wishes:?}");
            return Err(Violation::new("tripwire", text));
        }
        let is_later = |answer: &Decision| matches!(answer, Decision::Later { .. });
        if answers.iter().all(is_later) && !answers.is_empty() {
            record.unanswered(wishes, now);
            return Ok(answers);
        }
        if self.commits() > commits {
            record.committed();
        }
        record.answered(&wishes, &answers, now, sim)?;
        let hints = std::mem::take(&mut *self.moved.lock().unwrap_or_else(PoisonError::into_inner));
        self.streams.tell(&hints, sim);
        Ok(answers)
    }

    fn commits(&self) -> u64 {
        self.engine.metrics().commits.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// An unanswered batch: asks the engine whether it serves again, and then looks whether the batch stands.
    fn settle(&mut self, record: &mut Record, sim: &mut Sim) -> Result<bool, Violation> {
        let now = record.next_now(self.now(sim));
        let ask = Ask::push(self.probe.clone(), 0, Vec::new());
        if let Decision::Later { .. } = block_on(self.engine.decide_one(ask, now)) {
            return Ok(false);
        }
        Ok(record.resolve(&self.reader, false, sim)?.is_ok())
    }

    /// One act of the server, at once. None = the store does not serve.
    pub(super) fn act(
        &mut self,
        ask: Ask,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Result<Option<souk_domain::outcome::Outcome>, Violation> {
        let answer = self.decide(vec![Wish::server(ask)], record, sim)?.pop();
        Ok(answer.and_then(|answer| answer.outcome().cloned()))
    }

    /// A push waits for its batch.
    pub(super) fn gather(&mut self, to: ReplyTo, wish: Wish, sim: &mut Sim) {
        self.gathered.push((to, wish));
        let after_ms = sim.rng().between(GATHER_MS.0, GATHER_MS.1);
        self.work_within(after_ms, sim);
    }

    /// Looks when there is something to do next.
    pub(super) fn plan(&mut self, rail: &Rail, sim: &mut Sim) {
        let now = self.now(sim);
        let ms_until = |due: Time| u64::try_from(due.since(now).micros() / 1000 + 1).unwrap_or(0);
        match block_on(self.engine.next_due()) {
            Ok(due) => {
                let dues = [due, self.engine.rail_next_due()];
                if let Some(due) = dues.into_iter().flatten().min() {
                    self.work_within(ms_until(due), sim);
                }
                if self.engine.has_deliveries(now) {
                    self.work_within(1, sim);
                } else if self.engine.in_flight() > 0 {
                    self.work_within(FAILED_PAUSE_MS, sim); // a hand-off that came too early
                }
            }
            Err(_) => self.work_within(FAILED_PAUSE_MS, sim),
        }
        if let Some(at) = rail.next_hook()
            && self.hook_at.is_none_or(|planned| planned > at)
        {
            self.hook_at = Some(at);
            sim.timer_after(SERVER, at.0.saturating_sub(sim.now().0) / 1000 + 1, timer::HOOK);
        }
        if !self.streams.is_empty() && !self.is_commenting {
            self.is_commenting = true;
            sim.timer_after(SERVER, COMMENT_MS, timer::COMMENT);
        }
    }

    fn work_within(&mut self, after_ms: u64, sim: &mut Sim) {
        let at = sim.now().plus_ms(after_ms);
        if self.work_at.is_none_or(|planned| planned > at) {
            self.work_at = Some(at);
            sim.timer_after(SERVER, after_ms, timer::WORK);
        }
    }

    pub(super) fn on_timer(
        &mut self,
        number: u64,
        record: &mut Record,
        rail: &mut Rail,
        sim: &mut Sim,
    ) -> Checked {
        match number {
            timer::WORK if self.work_at.is_some_and(|at| at > sim.now()) => Ok(()), // an earlier one came first
            timer::WORK => self.work(record, rail, sim),
            timer::COMMENT => {
                self.is_commenting = false;
                let now = self.now(sim);
                self.streams.comment(&self.reader, now, sim);
                Ok(())
            }
            timer::HOOK => self.hooks(record, rail, sim),
            number => self.rail_answered(number, record, sim),
        }
    }

    fn work(&mut self, record: &mut Record, rail: &mut Rail, sim: &mut Sim) -> Checked {
        self.work_at = None;
        let now = self.now(sim);
        let (mut replies, mut wishes) = (Vec::new(), Vec::new());
        for (to, wish) in std::mem::take(&mut self.gathered) {
            replies.push(to);
            wishes.push(wish);
        }
        let timeouts = block_on(self.engine.timeouts(now, OWN_ASKS_MAX)).unwrap_or_default();
        let handoffs = block_on(self.engine.relay_asks(now, OWN_ASKS_MAX)).unwrap_or_default();
        wishes.extend(timeouts.into_iter().chain(handoffs).map(Wish::server));
        if !wishes.is_empty() {
            let answers = self.decide(wishes, record, sim)?;
            if answers.iter().all(|answer| matches!(answer, Decision::Later { .. })) {
                self.work_within(FAILED_PAUSE_MS, sim);
            }
            for (to, answer) in replies.into_iter().zip(answers) {
                let answer = self.pushed(answer, sim);
                sim.answer(to, answer);
            }
        }
        let calls = block_on(self.engine.rail_due(now, RAIL_CALLS_MAX)).unwrap_or_default();
        for call in calls {
            let (at, is_calm) = (sim.now(), sim.is_calm());
            let heard = rail.call(&call, at, is_calm, sim.rng());
            sim.count("rail_calls");
            sim.log(|_| format!("the rail hears {:?} of {}: {:?}", call.ask, call.op.id, heard.reply));
            self.next_call += 1;
            self.calls.insert(self.next_call, (call, heard.reply));
            sim.timer_after(SERVER, heard.after_ms, self.next_call);
        }
        Ok(())
    }

    fn pushed(&self, answer: Decision, sim: &Sim) -> crate::net::Answer {
        match answer {
            Decision::Items { results, touch } => {
                let (generation, now) = (self.reader.generation(), self.now(sim));
                api::json(200, &PushResponse { generation, now, results, slow: Vec::new(), touch })
            }
            Decision::Refused(refusal) => api::refused(&refusal),
            Decision::Later { after_ms } => api::busy(after_ms.div_ceil(1_000)),
            Decision::Server(_) | Decision::Failed { .. } => api::internal(),
        }
    }

    fn rail_answered(&mut self, number: u64, record: &mut Record, sim: &mut Sim) -> Checked {
        let Some((call, reply)) = self.calls.remove(&number) else { return Ok(()) };
        let asks = acts(&call, &reply, self.now(sim), sim.rng().next_u64());
        // What cannot be decided now is left to the next look at the rail.
        self.decide(asks.into_iter().map(Wish::server).collect(), record, sim).map(|_| ())
    }

    fn hooks(&mut self, record: &mut Record, rail: &mut Rail, sim: &mut Sim) -> Checked {
        self.hook_at = None;
        let at = sim.now();
        for told in rail.due(at) {
            let Some(name) = RailId::new(RailId::SANDBOX) else { continue };
            let asks = match block_on(self.reader.rail_event(&name, told.op, &told.reply, self.now(sim))) {
                Ok(asks) => asks,
                Err(error) => {
                    sim.log(|_| format!("a webhook of {} is not taken: {error}", told.op));
                    continue;
                }
            };
            let wishes: Vec<Wish> = asks.into_iter().map(Wish::server).collect();
            let answers = self.decide(wishes, record, sim)?;
            if !answers.iter().any(|answer| matches!(answer, Decision::Later { .. })) {
                rail.taken(told.op, at, sim.rng());
                sim.count("webhooks");
            }
        }
        Ok(())
    }

    /// What still moves by itself within the next while.
    pub(super) fn has_work(&self, now: Time) -> bool {
        self.engine.has_deliveries(now) || !self.gathered.is_empty() || !self.calls.is_empty()
    }
}

/// Whether an error of the store is one of the disk, which is no news here.
pub(super) fn is_of_disk(error: &EngineError) -> bool {
    matches!(error, EngineError::Store(StoreError::Io(_) | StoreError::Full | StoreError::Row(_)))
}
