//! Group commit: many asks, one working set, one durable transaction (spec/scale.md 5, 11).
//!
//! Always: asks are decided in their order; a lost race changes nothing and the batch is decided again; when the
//! outcome of a commit is not known, everybody is told to come again under the same id.

use souk_crypto::{derive, hash::digest};
use souk_domain::bookkeeping::{IntentRow, Outbox, Timer};
use souk_domain::context::{Actor, Context, Seal};
use souk_domain::decide::{Step, decide};
use souk_domain::id::{AnyIntentId, DerivedId, IntentId};
use souk_domain::intent::{Body, Intent, ServerAct};
use souk_domain::outcome::Outcome;
use souk_domain::party::TokenHash;
use souk_domain::rows::{Key, RowKind, Write};
use souk_domain::time::{Span, Time};
use souk_protocol::sync::{PushResult, PushState};
use souk_store::{StoreError, WriteSet};

use crate::ask::PushAsk;
use crate::engine::{Metrics, ScopeHint};
use crate::{Answer, Ask, Engine, EngineError, feed, guess, relay};

/// Intents of one batch: what one commit of a small machine takes in a few milliseconds.
pub const BATCH_INTENTS_MAX: usize = 1_000;
/// Times that a batch is decided again after a lost race, before its clients are told to come again.
const RACES_MAX: usize = 4;
/// Times that one rule may ask for more rows: the deepest one asks five times.
const ROUNDS_MAX: usize = 32;
/// What a client waits before it asks again.
pub(crate) const LATER_MS: u64 = 1_000;
/// A time-out that a rule refuses (a bug) comes again after this, so that it neither is lost nor spins.
const TIMEOUT_AGAIN: Span = Span::from_minutes(15);

impl Engine {
    /// Decides a batch and makes it durable: one answer an ask, in their order. At most [`BATCH_INTENTS_MAX`] intents
    /// should be given at a time; more are taken, and take longer.
    pub async fn decide_batch(&mut self, asks: Vec<Ask>, now: Time) -> Vec<Answer> {
        if asks.is_empty() {
            return Vec::new();
        }
        match self.decide_all(&asks, now).await {
            Ok(answers) => answers,
            Err(StoreError::Tripwire(_) | StoreError::LostRace { .. }) => self.one_by_one(asks, now).await,
            Err(_) => later(&asks),
        }
    }

    /// Decides one ask.
    pub async fn decide_one(&mut self, ask: Ask, now: Time) -> Answer {
        let answer = self.decide_batch(vec![ask], now).await.pop();
        answer.unwrap_or(Answer::Later { after_ms: LATER_MS })
    }

    /// The batch as one commit; after an error nothing of it is believed to be written.
    async fn decide_all(&mut self, asks: &[Ask], now: Time) -> Result<Vec<Answer>, StoreError> {
        if !self.is_serving().await {
            return Ok(later(asks));
        }
        let mut races = 0;
        loop {
            let error = match self.attempt(asks, now).await {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            self.store_failed(&error);
            match error {
                StoreError::LostRace { .. } if races < RACES_MAX => {
                    races += 1;
                    Metrics::count(&self.shared.metrics.races);
                }
                error => return Err(error),
            }
        }
    }

    /// A tripwire fired, or a race was lost again and again, which is a bug too where there is one writer: each ask
    /// for itself, and each item of a push, so that the offender alone is told.
    async fn one_by_one(&mut self, asks: Vec<Ask>, now: Time) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(match ask {
                Ask::Push(push) => self.items_one_by_one(push, now).await,
                Ask::Direct(direct) => {
                    let id = direct.item.id;
                    let answer = self.alone(Ask::Direct(direct), now).await;
                    parked(answer, id)
                }
                Ask::Server { .. } | Ask::Deliver(_) => self.alone(ask, now).await,
            });
        }
        answers
    }

    async fn items_one_by_one(&mut self, push: PushAsk, now: Time) -> Answer {
        let PushAsk { actor, epoch, items } = push;
        let (mut results, mut touch) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            let id = item.id;
            let one = Ask::Push(PushAsk { actor: actor.clone(), epoch, items: vec![item] });
            match parked(self.alone(one, now).await, id) {
                Answer::Items { results: mut of_item, touch: mut touched } => {
                    results.append(&mut of_item);
                    touch.append(&mut touched);
                }
                // The sender is refused, or the store is gone: so for all.
                other @ (Answer::Refused(_)
                | Answer::Server(_)
                | Answer::Later { .. }
                | Answer::Failed { .. }) => return other,
            }
        }
        Answer::Items { results, touch }
    }

    async fn alone(&mut self, ask: Ask, now: Time) -> Answer {
        match self.decide_all(std::slice::from_ref(&ask), now).await {
            Ok(mut answers) => answers.pop().unwrap_or(Answer::Later { after_ms: LATER_MS }),
            Err(error @ (StoreError::Tripwire(_) | StoreError::LostRace { .. })) => {
                Metrics::count(&self.shared.metrics.tripwires);
                tracing::error!(code = error.code(), %error, "the store refuses what a rule wrote: a bug");
                Answer::Failed { code: "store.tripwire" }
            }
            Err(_) => Answer::Later { after_ms: LATER_MS },
        }
    }

    async fn attempt(&mut self, asks: &[Ask], now: Time) -> Result<Vec<Answer>, StoreError> {
        self.load(asks.iter().flat_map(guess::keys)).await?;
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            let answer = match ask {
                Ask::Push(push) => self.push(push, now).await,
                Ask::Direct(direct) => self.direct(direct, now).await,
                Ask::Server { id, act } => self.server_act(*id, act, now).await,
                Ask::Deliver(outbox) => self.deliver(outbox, now).await,
            };
            answers.push(self.survive(answer)?);
        }
        self.commit().await?;
        Ok(answers)
    }

    /// A bug of a rule ends its own ask; a failure of the store ends the batch.
    fn survive(&mut self, answer: Result<Answer, EngineError>) -> Result<Answer, StoreError> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(EngineError::Store(error)) => Err(error),
            Err(error) => {
                self.rows.discard();
                Metrics::count(&self.shared.metrics.tripwires);
                tracing::error!(code = error.code(), %error, "a rule failed");
                Ok(match error {
                    EngineError::Refused(refusal) => Answer::Refused(refusal),
                    EngineError::Store(_)
                    | EngineError::Settings(_)
                    | EngineError::Rule(_)
                    | EngineError::Stopped => Answer::Failed { code: "engine.rule" },
                })
            }
        }
    }

    /// Writes what is kept; afterwards, and only then, tells relay and hints.
    async fn commit(&mut self) -> Result<(), StoreError> {
        let (writes, transfers) = self.rows.take_writes();
        if writes.is_empty() && transfers.is_empty() {
            return Ok(());
        }
        let epoch = self.epoch();
        let (first, second) = self.split(writes);
        let first = WriteSet { writes: first, transfers, epoch };
        self.shared.store.commit(&first).await?;
        if !second.is_empty() {
            let second = WriteSet { writes: second, transfers: Vec::new(), epoch };
            self.shared.store.commit(&second).await?;
        }
        Metrics::count(&self.shared.metrics.commits);
        self.relay.note(&first.writes);
        self.rows_held += first.writes.len();
        let hints: Vec<ScopeHint> = std::mem::take(&mut self.hints)
            .into_iter()
            .map(|((scope, bucket), seq)| ScopeHint { scope, bucket, seq })
            .collect();
        if !hints.is_empty()
            && let Some(tell) = &mut self.on_hints
        {
            tell(&hints);
        }
        if self.rows_held > self.memory.cache_rows {
            self.forget();
        }
        Ok(())
    }

    /// What belongs into one commit; a mutant takes a part of it out.
    fn split(&self, writes: Vec<Write>) -> (Vec<Write>, Vec<Write>) {
        let late = |kind: RowKind| {
            (kind == RowKind::Stream && self.mutants.stream_in_second_commit)
                || (kind == RowKind::ScopePart && self.mutants.part_in_second_commit)
        };
        writes.into_iter().partition(|write| !late(write.key.kind))
    }

    /// Runs the rule of an intent, loading what it asks for.
    pub(crate) async fn run(
        &mut self,
        intent: &Intent,
        actor: &Actor,
        now: Time,
    ) -> Result<Outcome, EngineError> {
        let random = derive(&self.shared.keys.secret, "souk/random/v1/", &[intent.id.bytes()]);
        for _ in 0..ROUNDS_MAX {
            let step = {
                let seal: &dyn Seal = &self.shared.keys.seal;
                let reference = &self.shared.reference;
                let ctx = Context { now, actor, reference, random, seal: Some(seal) };
                decide(intent, &ctx, &mut self.rows)
            };
            match step {
                Step::Done(outcome) => return Ok(outcome),
                Step::Missing(keys) => self.load(keys).await?,
                Step::Unknown => return Err(EngineError::Rule("it does not know on the server")),
            }
        }
        Err(EngineError::Rule("it asks for rows without end"))
    }

    /// Stages the change rows of what a rule has staged.
    pub(crate) async fn feed(&mut self, now: Time) -> Result<Vec<ScopeHint>, EngineError> {
        let moves = feed::moves(&self.rows, self.mutants.leaving_is_silent);
        self.load(feed::keys(&moves)).await?;
        feed::write(&moves, &mut self.rows, now).map_err(|_| EngineError::Rule("the feed lacks a row"))
    }

    /// Keeps what is staged, and remembers which parts moved.
    pub(crate) fn keep(&mut self, hints: Vec<ScopeHint>) {
        self.rows.keep();
        Metrics::count(&self.shared.metrics.decided);
        self.hints.extend(hints.into_iter().map(|hint| ((hint.scope, hint.bucket), hint.seq)));
    }

    async fn server_act(
        &mut self,
        id: AnyIntentId,
        act: &ServerAct,
        now: Time,
    ) -> Result<Answer, EngineError> {
        let key = Key::intent_row(None, id);
        if act.is_stored() {
            self.load([key.clone()]).await?;
            if let Some(row) = self.found::<IntentRow>(&key)? {
                let outcome = row.outcome.clone();
                Metrics::count(&self.shared.metrics.repeated);
                return Ok(Answer::Server(outcome));
            }
        }
        let outcome = self.act(id, act, now).await?;
        let hints = self.feed(now).await?;
        if act.is_stored() {
            self.put(self.server_row(id, act, &outcome, now))?;
        }
        if let (ServerAct::Timeout(timer), Some(code)) = (act, outcome.code()) {
            tracing::error!(code, kind = ?timer.kind, "a time-out was refused: a bug in its rule");
            self.postpone(timer, now).await?;
        }
        self.keep(hints);
        Ok(Answer::Server(outcome))
    }

    /// Decides an act of the server; what it wrote is staged.
    async fn act(&mut self, id: AnyIntentId, act: &ServerAct, now: Time) -> Result<Outcome, EngineError> {
        let intent = Intent {
            id,
            made_at: now,
            not_after: now,
            max_total: None,
            body: Body::Server(Box::new(act.clone())),
            bin: Vec::new(),
        };
        self.run(&intent, &Actor::Server, now).await
    }

    fn server_row(&self, id: AnyIntentId, act: &ServerAct, outcome: &Outcome, now: Time) -> IntentRow {
        IntentRow {
            bucket: id.bucket(),
            account: None,
            id: *id.bytes(),
            device: None,
            epoch: 0,
            dev_seq: 0,
            sent: None,
            kind: act.kind().to_owned(),
            hash: TokenHash([0; 32]),
            text: String::new(),
            signature: Vec::new(),
            outcome: outcome.clone(),
            reference_version: self.shared.reference.version,
            decided_at: now,
        }
    }

    async fn postpone(&mut self, timer: &Timer, now: Time) -> Result<(), EngineError> {
        let again = Timer { due: now.plus(TIMEOUT_AGAIN), ..*timer };
        self.load([Key::timer_of(timer), Key::timer_of(&again)]).await?;
        self.rows.delete(&Key::timer_of(timer)).map_err(|_| EngineError::Rule("a timer was not loaded"))?;
        self.put(again)
    }

    /// A hand-off: decided in its target, then marked as arrived at its source. Refused ones stay in the outbox.
    async fn deliver(&mut self, outbox: &Outbox, now: Time) -> Result<Answer, EngineError> {
        let Some((id, act)) = relay::handed_off(outbox) else {
            return Err(EngineError::Rule("only hand-offs are delivered"));
        };
        let outcome = self.act(id, &act, now).await?;
        if let Some(code) = outcome.code() {
            // `handoff.early` cures itself once what it needs has come; any other code is a bug.
            tracing::warn!(code, from = %outbox.bucket, seq = outbox.seq, "a hand-off was refused");
            self.relay.refused(outbox, now);
            return Ok(Answer::Server(outcome));
        }
        let hints = self.feed(now).await?;
        self.keep(hints);
        let done = ServerAct::OutboxDone { bucket: outbox.bucket, seqs: vec![outbox.seq] };
        let id = DerivedId::derived(outbox.bucket, &digest("souk/arrived/v1/", &[id.bytes()]));
        self.act(id.into(), &done, now).await?;
        self.rows.keep();
        Ok(Answer::Server(outcome))
    }
}

/// An item that cannot be written is refused, so that its sender sets it aside.
fn parked(answer: Answer, id: Option<IntentId>) -> Answer {
    match answer {
        Answer::Failed { code } => {
            let state = PushState::Refused { code: code.to_owned() };
            Answer::Items { results: vec![PushResult { id, state }], touch: Vec::new() }
        }
        Answer::Items { .. } | Answer::Refused(_) | Answer::Server(_) | Answer::Later { .. } => answer,
    }
}

/// Nothing was decided, or nobody knows.
fn later(asks: &[Ask]) -> Vec<Answer> {
    asks.iter().map(|_| Answer::Later { after_ms: LATER_MS }).collect()
}
