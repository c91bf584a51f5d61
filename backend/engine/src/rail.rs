//! Operations at rails, without the calls: which are due, and what an answer means (spec/money.md 6).
//!
//! Whoever owns the connection takes [`RailCall`]s, calls, and turns each answer into acts by [`acts`]; those go
//! through the batch like all others. Always: only an explicit answer ends an operation; what leaves a doubt is asked
//! for before it is sent again, with the same key; a fact has an id of its own, so it counts once however it comes.

use souk_crypto::hash::digest;
use souk_domain::id::DerivedId;
use souk_domain::intent::{Fact, RailFact, ServerAct};
use souk_domain::money::Money;
use souk_domain::order::{Payment, RailId, RailOp, RailOpKind, RailOpState};
use souk_domain::outcome::Refusal;
use souk_domain::rows::Key;
use souk_domain::time::{Span, Time};

use crate::relay::RailWait;
use crate::{Ask, Engine, EngineError, Reader};

/// A call that was handed out and never answered may be handed out again after this.
const CALL_LEASE: Span = Span::from_minutes(2);
/// First upper bound of a wait; doubles.
const RETRY_BASE: Span = Span::from_millis(500);
/// No wait is longer.
const RETRY_MAX: Span = Span::from_minutes(5);
/// Wait after an answer that says our set-up is wrong: a person must look.
const CONFIG_AGAIN: Span = Span::from_minutes(5);
/// A payment that waits for its payer is looked at after these waits, the last one repeats.
const POLL_AFTER: [Span; 5] = [
    Span::from_minutes(1),
    Span::from_minutes(5),
    Span::from_minutes(15),
    Span::from_minutes(60),
    Span::from_hours(6),
];
/// A payment that nobody has paid by then is not looked at any more; a webhook still counts.
const POLL_UNTIL: Span = Span::from_days(30);

/// A call to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RailCall {
    /// The operation; its key derives from its id.
    pub op: RailOp,
    /// The payment it belongs to.
    pub payment: Payment,
    /// What to call.
    pub ask: RailAsk,
}

/// What to call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RailAsk {
    /// Asks for the money.
    Begin,
    /// Gives it back.
    Refund,
    /// Asks what the rail has of this operation.
    Fetch,
}

/// What a rail answered, or told by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RailReply {
    /// The payment as the rail has it.
    Payment {
        /// The rail's name of it.
        rail_ref: String,
        /// How far it is.
        status: PaymentStatus,
        /// Every arrival of money by the rail's number of it.
        captures: Vec<(String, Money)>,
    },
    /// The refund as the rail has it.
    Refund {
        /// None = it has left; else the rail's reason for refusing it.
        refused: Option<String>,
    },
    /// The rail has no such operation.
    NotFound,
    /// The rail said no, in so many words.
    Refused {
        /// Its reason.
        code: String,
    },
    /// Time-out, lost connection, 5xx, unreadable: it may have happened.
    Unknown,
    /// Come back later; nothing has happened.
    Throttled {
        /// How long the rail wants us to wait.
        after: Span,
    },
    /// Our set-up or request is wrong.
    Config {
        /// What is wrong.
        code: String,
    },
}

/// How far a payment is at the rail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PaymentStatus {
    /// Waits for money; a part may have come.
    Open,
    /// The whole amount has come, or more.
    Paid,
    /// Given up at the rail.
    Cancelled,
    /// The rail or the buyer's bank said no.
    Refused {
        /// Its reason.
        code: String,
    },
}

/// The acts that an answer means, in the order in which they must be decided: facts first, then where the operation
/// stands. `random` = any 64 random bits.
pub fn acts(call: &RailCall, reply: &RailReply, now: Time, random: u64) -> Vec<Ask> {
    let mut asks: Vec<Ask> = facts(call, reply).into_iter().map(fact_ask).collect();
    asks.extend(progress(call, reply, now, random));
    asks
}

/// The facts in an answer; also what a webhook tells.
fn facts(call: &RailCall, reply: &RailReply) -> Vec<RailFact> {
    let op = call.op.id;
    let fact = |rail_ref: &str, fact| RailFact {
        rail: call.op.rail.clone(),
        payment: call.op.payment,
        rail_ref: rail_ref.to_owned(),
        fact,
    };
    match (call.op.kind, reply) {
        (RailOpKind::Begin, RailReply::Payment { rail_ref, status, captures }) => {
            let mut facts: Vec<RailFact> = captures
                .iter()
                .map(|(capture, amount)| {
                    fact(rail_ref, Fact::Captured { capture: capture.clone(), amount: *amount })
                })
                .collect();
            let reason = match status {
                PaymentStatus::Open | PaymentStatus::Paid => None,
                PaymentStatus::Cancelled => Some("cancelled"),
                PaymentStatus::Refused { code } => Some(code.as_str()),
            };
            facts.extend(
                reason.map(|reason| fact(rail_ref, Fact::PaymentRefused { reason: reason.to_owned() })),
            );
            facts
        }
        (RailOpKind::Begin, RailReply::Refused { code }) => {
            vec![fact("", Fact::PaymentRefused { reason: code.clone() })]
        }
        (RailOpKind::Refund, RailReply::Refund { refused: None }) => vec![fact("", Fact::Refunded { op })],
        (RailOpKind::Refund, RailReply::Refund { refused: Some(reason) })
        | (RailOpKind::Refund, RailReply::Refused { code: reason }) => {
            vec![fact("", Fact::RefundRefused { op, reason: reason.clone() })]
        }
        (RailOpKind::Begin, RailReply::Refund { .. })
        | (RailOpKind::Refund, RailReply::Payment { .. })
        | (
            _,
            RailReply::NotFound | RailReply::Unknown | RailReply::Throttled { .. } | RailReply::Config { .. },
        ) => Vec::new(),
    }
}

/// Id D of a fact: `SHA-256("souk/railfact/v1/" || rail || 0 || payment || kind || number)`.
fn fact_ask(fact: RailFact) -> Ask {
    let (kind, number): (&[u8], &[u8]) = match &fact.fact {
        Fact::Captured { capture, .. } => (b"captured", capture.as_bytes()),
        Fact::PaymentRefused { .. } => (b"payment_refused", b""),
        Fact::Refunded { op } => (b"refunded", op.bytes()),
        Fact::RefundRefused { op, .. } => (b"refund_refused", op.bytes()),
    };
    let parts: [&[u8]; 6] = [fact.rail.name().as_bytes(), &[0], fact.payment.bytes(), kind, &[0], number];
    let id = DerivedId::derived(fact.payment.bucket(), &digest("souk/railfact/v1/", &parts));
    Ask::Server { id: id.into(), act: ServerAct::RailFact(fact) }
}

/// Where the operation stands after an answer. An ended refund says so by its fact.
fn progress(call: &RailCall, reply: &RailReply, now: Time, random: u64) -> Option<Ask> {
    let op = &call.op;
    let back_off = now.plus(delay(op.attempts, random));
    let (state, rail_ref, next_try) = match (op.kind, reply) {
        (RailOpKind::Begin, RailReply::Payment { rail_ref, status, .. }) => match status {
            PaymentStatus::Open => (RailOpState::Accepted, rail_ref.as_str(), now.plus(poll_after(op, now))),
            PaymentStatus::Paid => (RailOpState::Succeeded, rail_ref.as_str(), now),
            PaymentStatus::Cancelled | PaymentStatus::Refused { .. } => {
                (RailOpState::Refused, rail_ref.as_str(), now)
            }
        },
        (RailOpKind::Begin, RailReply::Refused { .. }) => (RailOpState::Refused, "", now),
        (RailOpKind::Refund, RailReply::Refund { .. } | RailReply::Refused { .. }) => return None,
        (_, RailReply::NotFound) => (RailOpState::New, "", now),
        (_, RailReply::Throttled { after }) => (op.state, "", back_off.max(now.plus(*after))),
        (_, RailReply::Config { code }) => {
            tracing::error!(rail = op.rail.name(), op = %op.id, %code, "a rail's set-up is wrong");
            (op.state, "", now.plus(CONFIG_AGAIN))
        }
        (_, RailReply::Unknown)
        | (RailOpKind::Begin, RailReply::Refund { .. })
        | (RailOpKind::Refund, RailReply::Payment { .. }) => match op.state {
            RailOpState::Accepted => (RailOpState::Accepted, "", back_off),
            RailOpState::New | RailOpState::Unknown | RailOpState::Succeeded | RailOpState::Refused => {
                (RailOpState::Unknown, "", back_off)
            }
        },
    };
    let hash = digest("souk/railprogress/v1/", &[op.id.bytes(), &now.micros().to_be_bytes()]);
    let act = ServerAct::RailProgress { op: op.id, state, rail_ref: rail_ref.to_owned(), next_try };
    Some(Ask::Server { id: DerivedId::derived(op.id.bucket(), &hash).into(), act })
}

/// The wait before the next attempt, full jitter: evenly up to a bound that doubles from 0.5 s to 5 min.
fn delay(attempts: u32, random: u64) -> Span {
    let doubled = 1i64.checked_shl(attempts).filter(|factor| *factor > 0).unwrap_or(i64::MAX);
    let bound = RETRY_BASE.micros().saturating_mul(doubled).min(RETRY_MAX.micros());
    let jittered = (u128::from(random) * bound.unsigned_abs() as u128) >> 64;
    Span::from_micros(jittered as i64 + 1)
}

/// The wait before the next look at a payment, by its age: 1, 5, 15, 60 minutes, then every 6 hours.
fn poll_after(op: &RailOp, now: Time) -> Span {
    let age = now.since(op.made_at).micros();
    let mut looked = 0;
    for wait in POLL_AFTER {
        looked += wait.micros();
        if age < looked {
            return wait;
        }
    }
    POLL_AFTER[POLL_AFTER.len() - 1]
}

impl Reader {
    /// The acts that a webhook's event means: its operation (by the key that we gave) and what the rail says of it.
    /// Events repeat and come in any order; what an older one tells changes nothing.
    /// Refuses `op.unknown` (none of ours, or of another rail).
    pub async fn rail_event(
        &self,
        rail: &RailId,
        op: DerivedId,
        reply: &RailReply,
        now: Time,
    ) -> Result<Vec<Ask>, EngineError> {
        let unknown = || Refusal::new("op.unknown");
        let op: RailOp = self.row(Key::rail_op(op)).await?.ok_or_else(unknown)?;
        if op.rail != *rail {
            return Err(unknown().into());
        }
        let payment: Payment = self.row(Key::payment(op.payment)).await?.ok_or_else(unknown)?;
        Ok(acts(&RailCall { op, payment, ask: RailAsk::Fetch }, reply, now, 0))
    }
}

impl Engine {
    /// Calls that are due, at most `limit`. Each must be answered; one that is not comes again after two minutes.
    pub async fn rail_due(&mut self, now: Time, limit: usize) -> Result<Vec<RailCall>, EngineError> {
        let ops = self.relay.rails.due(now, limit);
        if ops.is_empty() || !self.is_serving().await {
            return Ok(Vec::new());
        }
        self.load(ops.iter().map(|op| Key::rail_op(*op))).await?;
        let mut calls = Vec::with_capacity(ops.len());
        for id in ops {
            let Some(op) = self.found::<RailOp>(&Key::rail_op(id))?.cloned() else {
                tracing::error!(op = %id, "an outbox row names no operation");
                self.relay.end(id);
                continue;
            };
            calls.extend(self.call(op, now).await?);
        }
        Ok(calls)
    }

    /// The call of an operation, unless it needs none.
    async fn call(&mut self, op: RailOp, now: Time) -> Result<Option<RailCall>, EngineError> {
        let is_over = now.since(op.made_at) > POLL_UNTIL && op.state == RailOpState::Accepted;
        let Some(wait) = self.relay.rails.get(&op.id) else { return Ok(None) };
        // What a former process wrote counts, too: its next try may lie ahead.
        if wait.maybe_sent && op.next_try > now {
            self.relay.rails.put(op.id, RailWait { next_try: op.next_try, ..wait });
            return Ok(None);
        }
        self.relay.rails.put(op.id, RailWait { next_try: now.plus(CALL_LEASE), ..wait });
        let ask = match op.state {
            RailOpState::New if !wait.maybe_sent => match op.kind {
                RailOpKind::Begin => RailAsk::Begin,
                RailOpKind::Refund => RailAsk::Refund,
            },
            RailOpState::New | RailOpState::Unknown | RailOpState::Accepted => RailAsk::Fetch,
            RailOpState::Succeeded | RailOpState::Refused => {
                self.relay.end(op.id);
                return Ok(None);
            }
        };
        if is_over {
            self.relay.end(op.id);
            return Ok(None);
        }
        let key = Key::payment(op.payment);
        self.load([key.clone()]).await?;
        let Some(payment) = self.found::<Payment>(&key)?.cloned() else {
            return Err(EngineError::Rule("an operation names no payment"));
        };
        Ok(Some(RailCall { op, payment, ask }))
    }

    /// When the next call is due.
    pub fn rail_next_due(&self) -> Option<Time> {
        self.relay.rails.next_due()
    }

    /// Decides what an answer means.
    pub async fn rail_answer(
        &mut self,
        call: &RailCall,
        reply: &RailReply,
        now: Time,
        random: u64,
    ) -> Vec<crate::Answer> {
        let asks = acts(call, reply, now, random);
        self.decide_batch(asks, now).await
    }
}
