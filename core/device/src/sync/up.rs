//! up: what was tapped goes out (spec/sync.md 6.3). Two of a kind: *fast* and *slow*.
//!
//! Nothing here is read by `down`.

use souk_domain::time::Time;
use souk_protocol::sync::{PushItem, PushRequest, PushResponse, VERSION};

use super::backoff::given;
use super::event::{Answer, Class, Effect, Fault, Notice, ReqId, Request, Ticket, Tx, TxAnswer, View};
use super::{Machine, Step, TimerFor, TimerId};
use crate::limits::{BROKEN_WAIT_MS, SPREAD_MS, TAP_EVERY_MS, UP_TX_WAIT_MS};
use crate::outbox::send::Taken;
use souk_protocol::limits::PUSH_ITEMS_MAX;

/// States of an upload region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Up {
    /// Nothing may be sent.
    #[default]
    Off,
    /// Nothing is to be sent.
    Idle,
    /// A push is on its way.
    Flying(Flight),
    /// Not before a moment.
    Wait { timer: TimerId },
    /// A new epoch is asked for.
    Epoch(EpochStep),
}

/// How far a push is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Flight {
    /// Rows are being chosen and marked.
    Taking { ticket: Ticket },
    /// It has left.
    Sent { req: ReqId, items: Vec<PushItem> },
    /// Its results are being recorded.
    Recording { ticket: Ticket },
}

/// How far a new epoch is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum EpochStep {
    /// A new generation is being recorded first.
    Generation,
    /// Asked.
    Asking { req: ReqId },
    /// Waits after a failure.
    Waiting { timer: TimerId },
    /// Being recorded.
    Writing { ticket: Ticket },
}

/// One region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct UpRegion {
    pub(super) state: Up,
    /// Failures in a row.
    failures: u32,
    /// Rows of the next batch at most: halved at a time-out or 413, doubled by success.
    rows_max: usize,
    /// A row was queued while a push was under way.
    again: bool,
    /// When a tap last woke a waiting region.
    tapped_mono: Option<u64>,
}

impl Default for UpRegion {
    fn default() -> UpRegion {
        UpRegion { state: Up::Off, failures: 0, rows_max: PUSH_ITEMS_MAX, again: false, tapped_mono: None }
    }
}

impl UpRegion {
    pub(super) fn is_quiet(&self) -> bool {
        match self.state {
            Up::Off | Up::Idle => true,
            Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => false,
        }
    }

    fn is_in_epoch(&self) -> bool {
        match self.state {
            Up::Epoch(_) => true,
            Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. } => false,
        }
    }
}

impl Machine {
    fn region(&mut self, class: Class) -> &mut UpRegion {
        &mut self.up[class.index()]
    }

    fn put_up(&mut self, class: Class, state: Up) {
        self.up[class.index()].state = state;
    }

    /// Uploads may go: signed in, and the other region is not asking for an epoch.
    pub(super) fn up_is_ready(&self, class: Class) -> bool {
        self.link.is_ready() && !self.up[class.other().index()].is_in_epoch()
    }

    /// ready, unready
    pub(super) fn up_ready(&mut self, class: Class, is_ready: bool, step: &mut Step) {
        let state = self.up[class.index()].state.clone();
        if !is_ready {
            match state {
                Up::Off => {}
                Up::Idle | Up::Wait { .. } | Up::Flying(_) | Up::Epoch(_) => {
                    self.leave_up(class, step);
                    self.put_up(class, Up::Off);
                }
            }
            return;
        }
        match state {
            Up::Off if self.epoch_wanted => self.up_epoch(class, step),
            Up::Off => {
                self.put_up(class, Up::Idle);
                self.up_kick(class, false, step);
            }
            Up::Idle | Up::Flying(_) | Up::Wait { .. } if self.epoch_wanted && class == Class::Fast => {
                self.leave_up(class, step);
                self.up_epoch(class, step);
            }
            Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => {}
        }
    }

    /// Cancels what the state was waiting for; rows that were sent stay sent.
    fn leave_up(&mut self, class: Class, step: &mut Step) {
        match self.up[class.index()].state.clone() {
            Up::Flying(Flight::Sent { req, .. }) | Up::Epoch(EpochStep::Asking { req }) => {
                step.emit(Effect::Cancel(req));
            }
            Up::Wait { timer } | Up::Epoch(EpochStep::Waiting { timer }) => self.drop_timer(timer),
            Up::Off
            | Up::Idle
            | Up::Flying(Flight::Taking { .. } | Flight::Recording { .. })
            | Up::Epoch(EpochStep::Generation | EpochStep::Writing { .. }) => {}
        }
    }

    /// A row was queued, or rows are left.
    pub(super) fn up_kick(&mut self, class: Class, tapped: bool, step: &mut Step) {
        match self.up[class.index()].state {
            Up::Idle => self.up_take(class, step),
            Up::Flying(_) => self.region(class).again = true,
            Up::Wait { timer } => {
                let now = step.now.mono_ms;
                let may_wake = self.up[class.index()].tapped_mono.is_none_or(|at| now >= at + TAP_EVERY_MS);
                if tapped && class == Class::Fast && may_wake {
                    self.region(class).tapped_mono = Some(now);
                    self.drop_timer(timer);
                    self.up_take(class, step);
                }
            }
            Up::Off | Up::Epoch(_) => {}
        }
    }

    /// Chooses rows; what follows depends on there being any.
    fn up_take(&mut self, class: Class, step: &mut Step) {
        if self.link_renews_early(step) {
            return self.put_up(class, Up::Off);
        }
        self.slow.retain(|_, until| *until > step.now.mono_ms);
        let rows_max = self.up[class.index()].rows_max;
        let ticket = self.transact(Tx::Take { class, rows_max, slow: self.slow.clone() }, step);
        self.region(class).again = false;
        self.put_up(class, Up::Flying(Flight::Taking { ticket }));
    }

    pub(super) fn up_timer(&mut self, class: Class, step: &mut Step) {
        match &self.up[class.index()].state {
            Up::Wait { .. } => self.up_take(class, step),
            Up::Epoch(EpochStep::Waiting { .. }) => self.up_epoch(class, step),
            Up::Off | Up::Idle | Up::Flying(_) | Up::Epoch(_) => step.impossible("a timer of up"),
        }
    }

    /// The network is back, or the user wants it now.
    pub(super) fn up_net_up(&mut self, class: Class, step: &mut Step) {
        match self.up[class.index()].state {
            Up::Idle => self.up_take(class, step),
            Up::Wait { timer } => {
                self.drop_timer(timer);
                self.region(class).failures = 0;
                let after_ms = step.chance.up_to(SPREAD_MS);
                self.up_wait(class, after_ms, step);
            }
            Up::Epoch(EpochStep::Waiting { timer }) => {
                self.drop_timer(timer);
                self.up_epoch(class, step);
            }
            Up::Off | Up::Flying(_) | Up::Epoch(_) => {}
        }
    }

    fn up_wait(&mut self, class: Class, after_ms: u64, step: &mut Step) {
        let timer = self.set_timer(TimerFor::Up(class), after_ms, step);
        self.put_up(class, Up::Wait { timer });
    }

    fn up_failed(&mut self, class: Class, step: &mut Step) {
        let failures = self.up[class.index()].failures;
        self.region(class).failures = failures.saturating_add(1);
        let after_ms = self.retry_delay(failures, step);
        self.up_wait(class, after_ms, step);
    }

    /// Asks for a new epoch.
    fn up_epoch(&mut self, class: Class, step: &mut Step) {
        let req = self.request(Request::Epoch { have: self.facts.epoch }, step);
        self.put_up(class, Up::Epoch(EpochStep::Asking { req }));
    }

    fn up_epoch_wait(&mut self, class: Class, after_ms: u64, step: &mut Step) {
        let timer = self.set_timer(TimerFor::Up(class), after_ms, step);
        self.put_up(class, Up::Epoch(EpochStep::Waiting { timer }));
    }

    pub(super) fn up_awaits(&self, class: Class, id: ReqId) -> bool {
        match &self.up[class.index()].state {
            Up::Flying(Flight::Sent { req, .. }) | Up::Epoch(EpochStep::Asking { req }) => *req == id,
            Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => false,
        }
    }

    pub(super) fn up_awaits_tx(&self, class: Class, id: Ticket) -> bool {
        match &self.up[class.index()].state {
            Up::Flying(Flight::Taking { ticket } | Flight::Recording { ticket, .. })
            | Up::Epoch(EpochStep::Writing { ticket }) => *ticket == id,
            Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => false,
        }
    }

    pub(super) fn up_answer(&mut self, class: Class, answer: Answer, step: &mut Step) {
        match (self.up[class.index()].state.clone(), answer) {
            (Up::Flying(Flight::Sent { items, .. }), Answer::Push(response)) => {
                self.push_answer(class, items, response, step);
            }
            (Up::Flying(Flight::Sent { items, .. }), Answer::Fault(fault)) => {
                self.push_fault(class, items.len(), fault, step);
            }
            (Up::Flying(_), _) => self.up_failed(class, step),
            (Up::Epoch(_), Answer::Epoch(response)) => {
                if self.generation_of(response.generation, response.now, step) {
                    let ticket = self.transact(Tx::NewEpoch { epoch: response.epoch }, step);
                    self.put_up(class, Up::Epoch(EpochStep::Writing { ticket }));
                } else if self.up_awaits_answer(class) {
                    // An answer of an older generation: as if none had come.
                    self.epoch_failed(class, step);
                }
            }
            (Up::Epoch(_), Answer::Fault(fault)) => self.epoch_fault(class, fault, step),
            (Up::Epoch(_), _) => self.epoch_failed(class, step),
            (Up::Off | Up::Idle | Up::Wait { .. }, _) => step.count("sync_answer_dropped"),
        }
    }

    /// Still waits for an answer that was just dropped.
    fn up_awaits_answer(&self, class: Class) -> bool {
        match &self.up[class.index()].state {
            Up::Flying(Flight::Sent { .. }) | Up::Epoch(EpochStep::Asking { .. }) => true,
            Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => false,
        }
    }

    fn push_answer(&mut self, class: Class, items: Vec<PushItem>, response: PushResponse, step: &mut Step) {
        self.link_proven();
        if !self.generation_of(response.generation, response.now, step) {
            if self.up_awaits_answer(class) {
                self.up_failed(class, step);
            }
            return;
        }
        if response.results.len() != items.len() {
            return self.up_failed(class, step);
        }
        for touch in response.touch {
            let seq = self.touch.entry(touch.bucket).or_default();
            *seq = (*seq).max(touch.seq);
        }
        for slow in response.slow {
            self.slow.insert(slow.lane, step.now.mono_ms.saturating_add(slow.after_ms));
        }
        let (results, server_now): (_, Time) = (response.results, response.now);
        let ticket = self.transact(Tx::Record { items, results, server_now }, step);
        self.put_up(class, Up::Flying(Flight::Recording { ticket }));
    }

    fn push_fault(&mut self, class: Class, rows: usize, fault: Fault, step: &mut Step) {
        match fault {
            Fault::Failed | Fault::NotFound | Fault::Refused { .. } => {
                self.halve(class, rows);
                self.up_failed(class, step);
            }
            Fault::Broken => {
                step.emit(Effect::Notice(Notice::RequestBroken("push")));
                self.up_wait(class, BROKEN_WAIT_MS, step);
            }
            Fault::TooLarge if rows <= 1 => {
                step.emit(Effect::Notice(Notice::RequestBroken("push")));
                self.up_wait(class, BROKEN_WAIT_MS, step);
            }
            Fault::TooLarge => {
                self.halve(class, rows);
                self.put_up(class, Up::Idle);
                self.up_take(class, step);
            }
            Fault::Slow { after_ms } => {
                let after_ms = given(after_ms, &mut step.chance);
                self.up_wait(class, after_ms, step);
            }
            Fault::Epoch => {
                self.epoch_wanted = true;
                self.up_epoch(class, step);
            }
            Fault::Token | Fault::Revoked | Fault::TooOld => {
                self.put_up(class, Up::Off);
                self.link_fault(&fault, step);
            }
        }
    }

    fn halve(&mut self, class: Class, rows: usize) {
        self.region(class).rows_max = (rows / 2).max(1);
    }

    fn epoch_failed(&mut self, class: Class, step: &mut Step) {
        let failures = self.up[class.index()].failures;
        self.region(class).failures = failures.saturating_add(1);
        let after_ms = self.retry_delay(failures, step);
        self.up_epoch_wait(class, after_ms, step);
    }

    fn epoch_fault(&mut self, class: Class, fault: Fault, step: &mut Step) {
        match fault {
            Fault::Failed | Fault::Epoch | Fault::NotFound | Fault::TooLarge | Fault::Refused { .. } => {
                self.epoch_failed(class, step);
            }
            Fault::Slow { after_ms } => {
                let after_ms = given(after_ms, &mut step.chance);
                self.up_epoch_wait(class, after_ms, step);
            }
            Fault::Broken => {
                step.emit(Effect::Notice(Notice::RequestBroken("epoch")));
                self.up_epoch_wait(class, BROKEN_WAIT_MS, step);
            }
            Fault::Token | Fault::Revoked | Fault::TooOld => {
                self.put_up(class, Up::Off);
                self.link_fault(&fault, step);
            }
        }
    }

    pub(super) fn up_tx_done(&mut self, class: Class, answer: TxAnswer, step: &mut Step) {
        match (self.up[class.index()].state.clone(), answer) {
            (Up::Flying(Flight::Taking { .. }), TxAnswer::Taken(taken)) => self.taken(class, taken, step),
            (Up::Flying(Flight::Recording { .. }), TxAnswer::Settled(settled)) => {
                let region = self.region(class);
                region.failures = 0;
                region.rows_max = (region.rows_max * 2).min(PUSH_ITEMS_MAX);
                self.first_try();
                if !settled.decided.is_empty() {
                    step.emit(Effect::Notice(Notice::Decided(settled.decided)));
                }
                if !settled.conflicts.is_empty() {
                    step.emit(Effect::Notice(Notice::Conflicts(settled.conflicts)));
                }
                for _ in 0..settled.missed {
                    step.count("prediction_miss");
                }
                step.emit(Effect::Views(vec![View::Outbox]));
                if settled.epoch_wanted {
                    self.epoch_wanted = true;
                    return self.up_epoch(class, step);
                }
                self.put_up(class, Up::Idle);
                self.up_take(class, step);
                self.down_touched(step);
            }
            (Up::Epoch(EpochStep::Writing { .. }), TxAnswer::Facts(facts)) => {
                self.facts = *facts;
                self.epoch_wanted = false;
                self.region(class).failures = 0;
                self.put_up(class, Up::Idle);
                self.up_take(class, step);
            }
            (Up::Epoch(_), _) => {
                step.emit(Effect::Notice(Notice::StoreFailed));
                self.up_epoch_wait(class, UP_TX_WAIT_MS, step);
            }
            (Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. }, _) => {
                step.emit(Effect::Notice(Notice::StoreFailed));
                self.up_wait(class, UP_TX_WAIT_MS, step);
            }
        }
    }

    fn taken(&mut self, class: Class, taken: Taken, step: &mut Step) {
        match taken {
            Taken::Batch(items) => {
                let request = Request::Push(PushRequest {
                    v: VERSION,
                    app: self.config.app.clone(),
                    epoch: self.facts.epoch,
                    generation: self.facts.generation,
                    items: items.clone(),
                });
                let req = self.request(request, step);
                self.put_up(class, Up::Flying(Flight::Sent { req, items }));
            }
            Taken::Later(at_mono) => {
                let after_ms = at_mono.saturating_sub(step.now.mono_ms);
                self.up_wait(class, after_ms, step);
            }
            Taken::Nothing => {
                self.put_up(class, Up::Idle);
                if self.up[class.index()].again {
                    self.up_take(class, step);
                }
            }
        }
    }

    /// The server's data was set back.
    pub(super) fn up_new_generation(&mut self, class: Class, step: &mut Step) {
        match self.up[class.index()].state {
            Up::Off => {}
            Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => {
                self.leave_up(class, step);
                // One asks, the other waits for it.
                let next = match class {
                    Class::Fast => Up::Epoch(EpochStep::Generation),
                    Class::Slow => Up::Off,
                };
                self.put_up(class, next);
            }
        }
    }

    /// The new generation was recorded, or could not be.
    pub(super) fn up_generation_recorded(&mut self, class: Class, step: &mut Step) {
        match self.up[class.index()].state {
            Up::Epoch(EpochStep::Generation) => self.up_epoch(class, step),
            Up::Off | Up::Idle | Up::Flying(_) | Up::Wait { .. } | Up::Epoch(_) => {}
        }
    }
}
