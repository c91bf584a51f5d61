//! live: the stream of hints that says where to look (spec/sync.md 6.5, 4.10).

use std::collections::{BTreeSet, VecDeque};

use souk_domain::scope::Scope;

use super::event::{Effect, Fault, LiveEvent, LiveStop, Phase, ReqId, Request};
use super::{Machine, Step, TimerFor, TimerId};
use crate::limits::{LIVE_BROKEN_MAX, LIVE_BROKEN_SPAN_MS, LIVE_BROKEN_WAIT_MS, LIVE_SILENCE_MS, SPREAD_MS};

/// States of the stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Live {
    /// Nobody looks, or nobody is signed in.
    #[default]
    Off,
    /// Asked for.
    Opening { req: ReqId, silence: TimerId },
    /// Open.
    Open { req: ReqId, silence: TimerId },
    /// Not before a moment.
    Wait { timer: TimerId },
}

/// The region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LiveRegion {
    pub(super) state: Live,
    /// What the stream was asked for.
    pub(super) scopes: BTreeSet<Scope>,
    failures: u32,
    /// When streams broke that had been open.
    broken: VecDeque<u64>,
}

impl Machine {
    /// Whether hints cannot be relied on.
    pub(super) fn live_is_broken(&self) -> bool {
        self.live.broken.len() >= LIVE_BROKEN_MAX
    }

    fn live_is_wanted(&self) -> bool {
        self.config.live && self.link.is_ready() && self.phase == Phase::Foreground
    }

    /// ready and in the foreground, or not
    pub(super) fn live_ready(&mut self, step: &mut Step) {
        match (self.live.state.clone(), self.live_is_wanted()) {
            (Live::Off, true) => self.live_open(step),
            (Live::Opening { req, silence } | Live::Open { req, silence }, false) => {
                step.emit(Effect::Cancel(req));
                self.drop_timer(silence);
                self.live.state = Live::Off;
            }
            (Live::Wait { timer }, false) => {
                self.drop_timer(timer);
                self.live.state = Live::Off;
            }
            // A shop was opened, a courier was accepted: nobody would tell of the new scope. One that was left is
            // no reason, its hints are dropped.
            (Live::Opening { req, silence } | Live::Open { req, silence }, true)
                if self.down.keys().any(|scope| !self.live.scopes.contains(scope)) =>
            {
                step.emit(Effect::Cancel(req));
                self.drop_timer(silence);
                self.live_open(step);
            }
            (Live::Off, false) | (Live::Opening { .. } | Live::Open { .. } | Live::Wait { .. }, true) => {}
        }
    }

    fn live_open(&mut self, step: &mut Step) {
        self.live.scopes = self.down.keys().cloned().collect();
        let scopes = self.live.scopes.iter().cloned().collect();
        let req = self.request(Request::Live { scopes }, step);
        let silence = self.set_timer(TimerFor::Silence, LIVE_SILENCE_MS, step);
        self.live.state = Live::Opening { req, silence };
    }

    pub(super) fn live_timer(&mut self, step: &mut Step) {
        match self.live.state {
            Live::Wait { .. } => self.live_open(step),
            Live::Off | Live::Opening { .. } | Live::Open { .. } => step.impossible("a timer of live"),
        }
    }

    pub(super) fn live_silent(&mut self, step: &mut Step) {
        match self.live.state {
            Live::Opening { req, .. } | Live::Open { req, .. } => {
                step.emit(Effect::Cancel(req));
                self.live_failed(step);
            }
            Live::Off | Live::Wait { .. } => step.impossible("silence without a stream"),
        }
    }

    pub(super) fn live_net_up(&mut self, step: &mut Step) {
        match self.live.state {
            Live::Wait { timer } => {
                self.drop_timer(timer);
                self.live.failures = 0;
                let after_ms = step.chance.up_to(SPREAD_MS);
                self.live_wait(after_ms, step);
            }
            Live::Off | Live::Opening { .. } | Live::Open { .. } => {}
        }
    }

    fn live_wait(&mut self, after_ms: u64, step: &mut Step) {
        let timer = self.set_timer(TimerFor::Live, after_ms, step);
        self.live.state = Live::Wait { timer };
    }

    fn live_failed(&mut self, step: &mut Step) {
        let failures = self.live.failures;
        self.live.failures = failures.saturating_add(1);
        let after_ms = self.retry_delay(failures, step);
        self.live_wait(after_ms, step);
    }

    pub(super) fn live_event(&mut self, id: ReqId, event: LiveEvent, step: &mut Step) {
        match self.live.state {
            Live::Opening { req, silence } if req == id => match event {
                LiveEvent::Opened => {
                    self.drop_timer(silence);
                    let silence = self.set_timer(TimerFor::Silence, LIVE_SILENCE_MS, step);
                    self.live.state = Live::Open { req, silence };
                    self.live.failures = 0;
                    self.link_proven();
                    // What happened before the stream was open is nowhere else to hear.
                    let scopes: Vec<Scope> = self.down.keys().cloned().collect();
                    scopes.iter().for_each(|scope| self.down_hint(scope, step));
                }
                LiveEvent::Stopped(stop) => {
                    self.drop_timer(silence);
                    self.live_stopped(stop, false, step);
                }
                LiveEvent::Hint(_) | LiveEvent::Alive => step.count("sync_answer_dropped"),
            },
            Live::Open { req, silence } if req == id => match event {
                LiveEvent::Hint(scope) => {
                    self.live_alive(req, silence, step);
                    self.down_hint(&scope, step);
                }
                LiveEvent::Alive => self.live_alive(req, silence, step),
                LiveEvent::Stopped(stop) => {
                    self.drop_timer(silence);
                    self.live_stopped(stop, true, step);
                }
                LiveEvent::Opened => step.count("sync_answer_dropped"),
            },
            Live::Off | Live::Opening { .. } | Live::Open { .. } | Live::Wait { .. } => {
                step.count("sync_answer_dropped");
            }
        }
    }

    fn live_alive(&mut self, req: ReqId, silence: TimerId, step: &mut Step) {
        self.drop_timer(silence);
        let now = step.now.mono_ms;
        self.live.broken.retain(|at| now.saturating_sub(*at) < LIVE_BROKEN_SPAN_MS);
        let silence = self.set_timer(TimerFor::Silence, LIVE_SILENCE_MS, step);
        self.live.state = Live::Open { req, silence };
    }

    fn live_stopped(&mut self, stop: LiveStop, was_open: bool, step: &mut Step) {
        match stop {
            LiveStop::End => {
                let after_ms = step.chance.up_to(SPREAD_MS);
                self.live_wait(after_ms, step);
            }
            LiveStop::Broken => {
                let now = step.now.mono_ms;
                if was_open {
                    self.live.broken.push_back(now);
                }
                self.live.broken.retain(|at| now.saturating_sub(*at) < LIVE_BROKEN_SPAN_MS);
                if self.live_is_broken() {
                    self.live_wait(LIVE_BROKEN_WAIT_MS, step);
                } else {
                    self.live_failed(step);
                }
            }
            LiveStop::Token => {
                self.live.state = Live::Off;
                self.link_fault(&Fault::Token, step);
            }
            LiveStop::Revoked => {
                self.live.state = Live::Off;
                self.link_fault(&Fault::Revoked, step);
            }
            LiveStop::TooOld => {
                self.live.state = Live::Off;
                self.link_fault(&Fault::TooOld, step);
            }
        }
    }
}
