//! A payment rail of another company: a plain state machine that knows each operation by our key, loses nothing, and is
//! reached over a network that does (spec/money.md 6).
//!
//! A call that gets through has its effect at once; its answer may still be lost. What happens later (a payer acts, a
//! capture completes) is told by webhooks, which come late, twice, or never.

use std::collections::BTreeMap;

use souk_domain::id::DerivedId;
use souk_domain::money::Money;
use souk_domain::order::PayMethod;
use souk_domain::time::Span;
use souk_engine::rail::{PaymentStatus, RailAsk, RailCall, RailReply};

use super::market::money;
use crate::clock::SimTime;
use crate::rng::Rng;

/// Chance that a call, or its answer, is lost.
const LOST_PERMILLE: u64 = 100;
/// What our side waits for a lost answer, ms.
const LOST_AFTER_MS: u64 = 10_000;
/// Between a call and its answer, ms.
const ANSWER_MS: (u64, u64) = (20, 1_500);
/// Between an event and its webhook, ms.
const HOOK_MS: (u64, u64) = (50, 40_000);
/// Between two deliveries of a webhook that was not taken, ms.
const HOOK_AGAIN_MS: u64 = 20_000;
/// Deliveries of a webhook before the rail gives up.
const HOOK_TRIES_MAX: u32 = 40;
/// Chance that a webhook is never sent: our own look finds it.
const HOOK_FORGOTTEN_PERMILLE: u64 = 50;
/// Chance that a webhook comes again although it was taken.
const HOOK_TWICE_PERMILLE: u64 = 200;

#[derive(Clone, Debug)]
enum State {
    Payment { amount: Money, status: PaymentStatus, captures: Vec<(String, Money)> },
    Refund { refused: Option<String> },
}

#[derive(Clone, Copy, Debug)]
struct Hook {
    at: SimTime,
    op: DerivedId,
    tries: u32,
}

/// The rail.
#[derive(Debug, Default)]
pub(super) struct Rail {
    ops: BTreeMap<DerivedId, State>,
    hooks: Vec<Hook>,
    /// Money that has come in and gone out, minor units.
    pub(super) captured: i64,
    pub(super) paid_out: i64,
    next_number: u64,
}

/// What our side hears of a call, and when.
pub(super) struct Heard {
    pub(super) after_ms: u64,
    pub(super) reply: RailReply,
}

/// A webhook that is due.
pub(super) struct Told {
    pub(super) op: DerivedId,
    pub(super) reply: RailReply,
}

impl Rail {
    /// Our side calls. While all is calm nothing is lost.
    pub(super) fn call(&mut self, call: &RailCall, now: SimTime, is_calm: bool, rng: &mut Rng) -> Heard {
        let is_lost = |rng: &mut Rng| !is_calm && rng.chance(LOST_PERMILLE);
        let unknown = Heard { after_ms: LOST_AFTER_MS, reply: RailReply::Unknown };
        if is_lost(rng) {
            return unknown;
        }
        let reply = match call.ask {
            RailAsk::Begin => self.begin(call, now, rng),
            RailAsk::Refund => self.refund(call, is_calm, rng),
            RailAsk::Fetch => self.told(call.op.id),
        };
        if is_lost(rng) {
            return unknown;
        }
        Heard { after_ms: rng.between(ANSWER_MS.0, ANSWER_MS.1), reply }
    }

    fn begin(&mut self, call: &RailCall, now: SimTime, rng: &mut Rng) -> RailReply {
        let id = call.op.id;
        if self.ops.contains_key(&id) {
            return self.told(id);
        }
        let state =
            State::Payment { amount: call.op.amount, status: PaymentStatus::Open, captures: Vec::new() };
        self.ops.insert(id, state);
        match (call.payment.method, rng.below(100)) {
            (PayMethod::Mandate, 0..80) => self.capture(id, call.op.amount.minor),
            (PayMethod::Mandate, 80..90) => {
                self.capture(id, call.op.amount.minor);
                self.tell(id, now, rng);
                // The first answer does not know of it yet.
                return payment(id, PaymentStatus::Open, Vec::new());
            }
            (PayMethod::Mandate, _) => self.refuse(id, "card.declined"),
            (PayMethod::Payer, _) => {}
        }
        if rng.chance(300) {
            self.tell(id, now, rng); // told twice: by the answer and by a webhook
        }
        self.told(id)
    }

    fn refund(&mut self, call: &RailCall, is_calm: bool, rng: &mut Rng) -> RailReply {
        let id = call.op.id;
        if self.ops.contains_key(&id) {
            return self.told(id);
        }
        match rng.below(100) {
            0..12 if !is_calm => return RailReply::Throttled { after: Span::from_secs(3) },
            0..6 => {
                self.ops.insert(id, State::Refund { refused: Some("account.closed".to_owned()) });
            }
            _ => {
                self.paid_out += call.op.amount.minor;
                self.ops.insert(id, State::Refund { refused: None });
            }
        }
        self.told(id)
    }

    /// What the rail has of an operation.
    fn told(&self, id: DerivedId) -> RailReply {
        match self.ops.get(&id) {
            None => RailReply::NotFound,
            Some(State::Payment { status, captures, .. }) => payment(id, status.clone(), captures.clone()),
            Some(State::Refund { refused }) => RailReply::Refund { refused: refused.clone() },
        }
    }

    fn capture(&mut self, id: DerivedId, minor: i64) {
        self.next_number += 1;
        let number = format!("cap_{}", self.next_number);
        let Some(State::Payment { amount, status, captures }) = self.ops.get_mut(&id) else { return };
        captures.push((number, money(minor)));
        self.captured += minor;
        if captures.iter().map(|(_, part)| part.minor).sum::<i64>() >= amount.minor {
            *status = PaymentStatus::Paid;
        }
    }

    fn refuse(&mut self, id: DerivedId, reason: &str) {
        if let Some(State::Payment { status, .. }) = self.ops.get_mut(&id) {
            *status = PaymentStatus::Refused { code: reason.to_owned() };
        }
    }

    fn tell(&mut self, op: DerivedId, now: SimTime, rng: &mut Rng) {
        if !rng.chance(HOOK_FORGOTTEN_PERMILLE) {
            self.hooks.push(Hook { at: now.plus_ms(rng.between(HOOK_MS.0, HOOK_MS.1)), op, tries: 0 });
        }
    }

    /// Somebody acts on the rail's own page: pays one of the payments that wait, in one of the usual and unusual ways.
    pub(super) fn payer_acts(&mut self, now: SimTime, rng: &mut Rng) {
        let waits = |state: &State| matches!(state, State::Payment { status: PaymentStatus::Open, .. });
        let open: Vec<DerivedId> =
            self.ops.iter().filter(|(_, state)| waits(state)).map(|(id, _)| *id).collect();
        let Some(id) = rng.pick(&open).copied() else { return };
        let Some(State::Payment { amount, captures, .. }) = self.ops.get(&id) else { return };
        let due = amount.minor - captures.iter().map(|(_, part)| part.minor).sum::<i64>();
        match rng.below(100) {
            0..70 => self.capture(id, due),
            70..85 => self.capture(id, (due / 2).max(1)),
            85..92 => self.capture(id, due + 100),
            _ if due == amount.minor => self.refuse(id, "payer.cancelled"),
            _ => self.capture(id, due),
        }
        self.tell(id, now, rng);
    }

    /// When the next webhook is due.
    pub(super) fn next_hook(&self) -> Option<SimTime> {
        self.hooks.iter().map(|hook| hook.at).min()
    }

    /// Webhooks that are due now. Each comes again until [`Rail::taken`] says that it was taken.
    pub(super) fn due(&mut self, now: SimTime) -> Vec<Told> {
        let mut due = Vec::new();
        for hook in self.hooks.iter_mut().filter(|hook| hook.at <= now) {
            due.push(hook.op);
            hook.at = now.plus_ms(HOOK_AGAIN_MS);
            hook.tries += 1;
        }
        self.hooks.retain(|hook| hook.tries < HOOK_TRIES_MAX);
        due.into_iter().map(|op| Told { op, reply: self.told(op) }).collect()
    }

    /// A webhook was taken.
    pub(super) fn taken(&mut self, op: DerivedId, now: SimTime, rng: &mut Rng) {
        self.hooks.retain(|hook| hook.op != op);
        if rng.chance(HOOK_TWICE_PERMILLE) {
            let at = now.plus_ms(rng.between(HOOK_MS.0, HOOK_MS.1));
            self.hooks.push(Hook { at, op, tries: HOOK_TRIES_MAX / 2 });
        }
    }
}

fn payment(id: DerivedId, status: PaymentStatus, captures: Vec<(String, Money)>) -> RailReply {
    RailReply::Payment { rail_ref: format!("pay_{id}"), status, captures }
}
