//! What waits to leave a bucket: hand-offs to other buckets, and operations at rails (spec/scale.md 10).
//!
//! The list is kept in memory and follows the commits; it is read from the outbox at the start, so a crash loses
//! nothing. Always: twice is harmless (inbox row, operation key), order is not needed.

use std::collections::{BTreeMap, BTreeSet};

use souk_crypto::hash::digest;
use souk_domain::bookkeeping::{Message, Outbox};
use souk_domain::id::{AnyIntentId, Bucket, DerivedId};
use souk_domain::intent::ServerAct;
use souk_domain::order::{RailOp, RailOpState};
use souk_domain::rows::{Row, Write};
use souk_domain::time::{Span, Time};
use souk_store::Store;

use crate::{Answer, Ask, Engine, EngineError};

/// A hand-off that was refused (it came too early, or a rule has a bug) is tried again after this.
const REFUSED_AGAIN: Span = Span::from_secs(5);

/// The act that a hand-off becomes in its target: id D from `SHA-256("souk/handoff/v1/" || from u16 || seq u64)`.
pub fn handed_off(outbox: &Outbox) -> Option<(AnyIntentId, ServerAct)> {
    let Message::Bucket { bucket: to, handoff } = &outbox.message else { return None };
    let (from, seq) = (outbox.bucket, outbox.seq);
    let hash = digest("souk/handoff/v1/", &[&from.number().to_be_bytes(), &seq.to_be_bytes()]);
    let act = ServerAct::HandedOff { to: *to, from, seq, handoff: handoff.as_ref().clone() };
    Some((DerivedId::derived(*to, &hash).into(), act))
}

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    handoffs: BTreeMap<(Bucket, u64), HandOffWait>,
    pub(crate) rails: Rails,
    /// Operations that have ended and whose outbox row is not marked yet.
    ended: BTreeSet<DerivedId>,
    /// The store has more than is held.
    is_cut: bool,
}

#[derive(Debug)]
struct HandOffWait {
    row: Outbox,
    not_before: Time,
}

/// An operation at a rail that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RailWait {
    /// Its outbox row.
    pub(crate) outbox: (Bucket, u64),
    /// Next call.
    pub(crate) next_try: Time,
    /// A former process may have called without writing the answer down: ask before calling again.
    pub(crate) maybe_sent: bool,
}

/// Operations at rails that have not ended, found by id and by time.
#[derive(Debug, Default)]
pub(crate) struct Rails {
    by_op: BTreeMap<DerivedId, RailWait>,
    by_time: BTreeSet<(Time, DerivedId)>,
}

impl Rails {
    pub(crate) fn get(&self, op: &DerivedId) -> Option<RailWait> {
        self.by_op.get(op).copied()
    }

    pub(crate) fn put(&mut self, op: DerivedId, wait: RailWait) {
        self.remove(&op);
        self.by_time.insert((wait.next_try, op));
        self.by_op.insert(op, wait);
    }

    fn remove(&mut self, op: &DerivedId) {
        if let Some(wait) = self.by_op.remove(op) {
            self.by_time.remove(&(wait.next_try, *op));
        }
    }

    /// Operations whose next call is due, the oldest first.
    pub(crate) fn due(&self, now: Time, limit: usize) -> Vec<DerivedId> {
        let due = self.by_time.iter().take_while(|(at, _)| *at <= now);
        due.take(limit).map(|(_, op)| *op).collect()
    }

    /// When the next call is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

impl Relay {
    /// Reads what waits.
    pub(crate) async fn load(store: &dyn Store, rows_max: usize) -> Result<Relay, EngineError> {
        let mut limit = rows_max;
        let mut rows;
        let is_cut = loop {
            rows = store.outbox_pending(limit.saturating_add(1)).await?;
            let is_cut = rows.len() > limit;
            rows.truncate(limit);
            // Operations at a rail that is down may stand before hand-offs, which must go on.
            let is_stuck = is_cut && !rows.iter().any(|row| matches!(row.message, Message::Bucket { .. }));
            if !is_stuck {
                break is_cut;
            }
            limit = limit.saturating_mul(4).max(1);
        };
        let mut relay = Relay { is_cut, ..Relay::default() };
        for row in &rows {
            relay.take(row, true);
        }
        Ok(relay)
    }

    /// Follows a commit.
    pub(crate) fn note(&mut self, writes: &[Write]) {
        for write in writes {
            match &write.row {
                Some(Row::Outbox(row)) if row.done => self.arrived(row),
                Some(Row::Outbox(row)) => self.take(row, false),
                Some(Row::RailOp(row)) => self.moved(row),
                Some(_) | None => {}
            }
        }
    }

    fn take(&mut self, row: &Outbox, maybe_sent: bool) {
        let at = (row.bucket, row.seq);
        match &row.message {
            Message::Bucket { .. } => {
                self.handoffs.insert(at, HandOffWait { row: row.clone(), not_before: row.at });
            }
            Message::Rail { op } => {
                self.rails.put(*op, RailWait { outbox: at, next_try: row.at, maybe_sent });
            }
            Message::Event { .. } => {}
        }
    }

    fn arrived(&mut self, row: &Outbox) {
        self.handoffs.remove(&(row.bucket, row.seq));
        if let Message::Rail { op } = &row.message {
            self.rails.remove(op);
            self.ended.remove(op);
        }
    }

    fn moved(&mut self, row: &RailOp) {
        match row.state {
            RailOpState::Succeeded | RailOpState::Refused => self.end(row.id),
            RailOpState::New | RailOpState::Unknown | RailOpState::Accepted => {
                if let Some(wait) = self.rails.get(&row.id) {
                    let next_try = row.next_try;
                    self.rails.put(row.id, RailWait { next_try, maybe_sent: false, ..wait });
                }
            }
        }
    }

    /// An operation needs no call any more.
    pub(crate) fn end(&mut self, op: DerivedId) {
        if self.rails.get(&op).is_some() {
            self.ended.insert(op);
        }
    }

    /// A hand-off was refused: it stays, and comes again later.
    pub(crate) fn refused(&mut self, row: &Outbox, now: Time) {
        if let Some(wait) = self.handoffs.get_mut(&(row.bucket, row.seq)) {
            wait.not_before = now.plus(REFUSED_AGAIN);
        }
    }

    /// What may leave now.
    fn asks(&self, now: Time, limit: usize) -> Vec<Ask> {
        let due = self.handoffs.values().filter(|wait| wait.not_before <= now);
        let mut asks: Vec<Ask> =
            due.take(limit).map(|wait| Ask::Deliver(Box::new(wait.row.clone()))).collect();
        let mut done: BTreeMap<Bucket, Vec<u64>> = BTreeMap::new();
        for wait in self.ended.iter().filter_map(|op| self.rails.get(op)).take(limit) {
            done.entry(wait.outbox.0).or_default().push(wait.outbox.1);
        }
        for (bucket, seqs) in done {
            let numbers: Vec<u8> = seqs.iter().flat_map(|seq| seq.to_be_bytes()).collect();
            let hash = digest("souk/done/v1/", &[&bucket.number().to_be_bytes(), &numbers]);
            let id = DerivedId::derived(bucket, &hash).into();
            asks.push(Ask::Server { id, act: ServerAct::OutboxDone { bucket, seqs } });
        }
        asks
    }
}

impl Engine {
    /// Acts that bring waiting hand-offs where they go and mark ended operations; at most about `limit`. They go
    /// through [`Engine::decide_batch`] like any other, and may share a batch with others.
    pub async fn relay_asks(&mut self, now: Time, limit: usize) -> Result<Vec<Ask>, EngineError> {
        if self.relay.is_cut && self.relay.handoffs.is_empty() && self.is_serving().await {
            self.read_outbox().await?;
        }
        Ok(self.relay.asks(now, limit))
    }

    /// Delivers until nothing may leave any more; answers how many have left. Hand-offs that cause hand-offs are
    /// followed to their end.
    pub async fn relay(&mut self, now: Time) -> Result<usize, EngineError> {
        let mut left = 0;
        loop {
            let asks = self.relay_asks(now, crate::batch::BATCH_INTENTS_MAX).await?;
            if asks.is_empty() {
                return Ok(left);
            }
            let (asked, answers) = (asks.len(), self.decide_batch(asks, now).await);
            let done = answers
                .iter()
                .filter(|answer| matches!(answer, Answer::Server(outcome) if outcome.is_accepted()))
                .count();
            left += done;
            if done < asked {
                return Ok(left);
            }
        }
    }

    /// Whether something may leave now.
    pub fn has_deliveries(&self, now: Time) -> bool {
        let relay = &self.relay;
        !relay.ended.is_empty() || relay.handoffs.values().any(|wait| wait.not_before <= now)
    }

    /// Hand-offs and operations that have not arrived.
    pub fn in_flight(&self) -> usize {
        self.relay.handoffs.len() + self.relay.rails.by_op.len()
    }
}
