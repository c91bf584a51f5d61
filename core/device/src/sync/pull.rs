//! The pull that is under way: one at most, of all scopes that are due (spec/sync.md 5, 6.1, 6.4).

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::limits::{PULL_SCOPES_MAX, TOUCH_MAX};
use souk_protocol::sync::{
    PullRequest, PullResponse, SCHEMA, ScopeAsked, ScopeKind, ScopePulled, Touch, VERSION,
};

use super::backoff::given;
use super::down::Down;
use super::event::{Answer, Effect, Fault, Notice, ReqId, Request, Ticket, Tx, TxAnswer, View};
use super::{Machine, Step};
use crate::limits::{BROKEN_WAIT_MS, DOWN_TX_WAIT_MS, MISMATCH_WAIT_MS, RETRY_MAX_MS};
use crate::store::apply::Verdict;

/// A pull that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Pull {
    /// The cursors are being read.
    Reading { ticket: Ticket, scopes: Vec<Scope> },
    /// It has left.
    Sent { req: ReqId, scopes: Vec<Scope>, signed_in: bool },
    /// Its pages are being applied.
    Applying { tickets: BTreeMap<Ticket, Scope> },
}

impl Machine {
    /// Starts a pull of all scopes that are due, private ones first.
    pub(super) fn pull_start(&mut self, step: &mut Step) {
        if self.pull.is_some() || self.generation_tx.is_some() {
            return;
        }
        let mut due: Vec<Scope> = self
            .down
            .iter()
            .filter(|(_, region)| region.state == Down::Due)
            .map(|(scope, _)| scope.clone())
            .collect();
        if due.is_empty() {
            return;
        }
        if self.link_renews_early(step) {
            return self.down_ready(step);
        }
        due.sort_by_key(order_of);
        let alone = due.iter().find(|scope| self.down.get(*scope).is_some_and(|region| region.alone));
        let scopes = match alone {
            Some(scope) => vec![scope.clone()],
            None => due.into_iter().take(PULL_SCOPES_MAX).collect(),
        };
        for scope in &scopes {
            if let Some(region) = self.down.get_mut(scope) {
                (region.state, region.again) = (Down::Flying, false);
            }
        }
        let ticket = self.transact(Tx::Cursors { scopes: scopes.clone() }, step);
        self.pull = Some(Pull::Reading { ticket, scopes });
    }

    pub(super) fn pull_awaits(&self, id: ReqId) -> bool {
        matches!(&self.pull, Some(Pull::Sent { req, .. }) if *req == id)
    }

    pub(super) fn pull_awaits_tx(&self, id: Ticket) -> bool {
        match &self.pull {
            Some(Pull::Reading { ticket, .. }) => *ticket == id,
            Some(Pull::Applying { tickets }) => tickets.contains_key(&id),
            Some(Pull::Sent { .. }) | None => false,
        }
    }

    /// Scopes of a pull that still wait for it.
    fn flying<'s>(&self, scopes: impl IntoIterator<Item = &'s Scope>) -> Vec<Scope> {
        let is_flying =
            |scope: &&Scope| self.down.get(*scope).is_some_and(|region| region.state == Down::Flying);
        scopes.into_iter().filter(is_flying).cloned().collect()
    }

    pub(super) fn pull_answer(&mut self, answer: Answer, step: &mut Step) {
        let Some(Pull::Sent { scopes, signed_in, .. }) = self.pull.take() else { return };
        let scopes = self.flying(&scopes);
        match answer {
            Answer::Pull(response) => self.pull_response(scopes, signed_in, response, step),
            Answer::Fault(fault) => self.pull_fault(scopes, signed_in, fault, step),
            Answer::Challenge(_)
            | Answer::Registered(_)
            | Answer::Tokens(_)
            | Answer::Epoch(_)
            | Answer::Push(_) => scopes.iter().for_each(|scope| self.down_failed(scope, step)),
        }
    }

    fn pull_fault(&mut self, scopes: Vec<Scope>, signed_in: bool, fault: Fault, step: &mut Step) {
        let is_single = scopes.len() == 1;
        if fault == Fault::Epoch {
            self.epoch_wanted = true;
        }
        if signed_in && self.link_fault(&fault, step) {
            return scopes.iter().for_each(|scope| self.put_down(scope, Down::Off));
        }
        if fault == Fault::TooOld {
            self.link_too_old(step);
        }
        if fault == Fault::Broken {
            step.emit(Effect::Notice(Notice::RequestBroken("pull")));
        }
        for scope in &scopes {
            match &fault {
                Fault::Failed | Fault::Epoch | Fault::TooLarge | Fault::Refused { .. } => {
                    self.down_failed(scope, step);
                }
                // A guest that is asked for a token gets the scope after signing in.
                Fault::Token | Fault::Revoked | Fault::TooOld => {
                    self.down_wait(scope, RETRY_MAX_MS, step);
                }
                Fault::Slow { after_ms } => {
                    let after_ms = given(*after_ms, &mut step.chance);
                    self.down_wait(scope, after_ms, step);
                }
                Fault::Broken => self.down_wait(scope, BROKEN_WAIT_MS, step),
                Fault::NotFound if is_single && !scope.is_public() => self.down_leave(scope, step),
                Fault::NotFound if is_single => self.down_failed(scope, step),
                Fault::NotFound => {
                    if let Some(region) = self.down.get_mut(scope) {
                        (region.alone, region.state) = (true, Down::Due);
                    }
                }
            }
        }
    }

    fn pull_response(
        &mut self,
        scopes: Vec<Scope>,
        signed_in: bool,
        response: PullResponse,
        step: &mut Step,
    ) {
        if signed_in {
            self.link_proven();
        }
        if !self.generation_of(response.generation, response.now, step) {
            // Older: as if no answer had come. Newer: the scopes are due from null already.
            for scope in self.flying(&scopes) {
                if self.facts.generation == 0 {
                    self.put_down(&scope, Down::Due);
                } else {
                    self.down_failed(&scope, step);
                }
            }
            return;
        }
        self.touch.clear();
        let mut pages: BTreeMap<Scope, ScopeKind> = BTreeMap::new();
        for ScopePulled { id, what } in response.scopes {
            if let Ok(scope) = id.parse::<Scope>() {
                pages.insert(scope, what);
            }
        }
        let mut tickets = BTreeMap::new();
        for scope in scopes {
            match pages.remove(&scope) {
                Some(what) => self.pulled(scope, what, response.now, &mut tickets, step),
                None => self.down_failed(&scope, step),
            }
        }
        if !tickets.is_empty() {
            self.pull = Some(Pull::Applying { tickets });
        }
    }

    fn pulled(
        &mut self,
        scope: Scope,
        what: ScopeKind,
        server_now: Time,
        tickets: &mut BTreeMap<Ticket, Scope>,
        step: &mut Step,
    ) {
        match what {
            ScopeKind::Rows(page) => {
                let tx = Tx::Page { scope: scope.clone(), page: Box::new(page), server_now };
                tickets.insert(self.transact(tx, step), scope);
            }
            ScopeKind::Reset { .. } => {
                tickets.insert(self.transact(Tx::Restart { scope: scope.clone() }, step), scope);
            }
            ScopeKind::Later { after_ms } => {
                let after_ms = given(after_ms, &mut step.chance);
                self.down_wait(&scope, after_ms, step);
            }
            ScopeKind::Gone => self.down_leave(&scope, step),
        }
    }

    pub(super) fn pull_tx_done(&mut self, ticket: Ticket, answer: TxAnswer, step: &mut Step) {
        match self.pull.take() {
            Some(Pull::Reading { scopes, .. }) => self.cursors_read(scopes, answer, step),
            Some(Pull::Applying { mut tickets }) => {
                if let Some(scope) = tickets.remove(&ticket) {
                    self.page_applied(scope, answer, step);
                }
                if !tickets.is_empty() {
                    self.pull = Some(Pull::Applying { tickets });
                }
            }
            other => self.pull = other,
        }
    }

    fn cursors_read(&mut self, scopes: Vec<Scope>, answer: TxAnswer, step: &mut Step) {
        let asked = self.flying(&scopes);
        let TxAnswer::Cursors(cursors) = answer else {
            step.emit(Effect::Notice(Notice::StoreFailed));
            return asked.iter().for_each(|scope| self.down_wait(scope, DOWN_TX_WAIT_MS, step));
        };
        let known: BTreeSet<&Scope> = cursors.iter().map(|(scope, _)| scope).collect();
        for scope in asked.iter().filter(|scope| !known.contains(scope)) {
            self.down_drop(scope);
        }
        let asked: Vec<ScopeAsked> = cursors
            .iter()
            .filter(|(scope, _)| asked.contains(scope))
            .map(|(scope, cursor)| ScopeAsked { id: scope.to_string(), c: cursor.clone() })
            .collect();
        if asked.is_empty() {
            return;
        }
        let signed_in = self.link.is_ready();
        let touch =
            self.touch.iter().take(TOUCH_MAX).map(|(bucket, seq)| Touch { bucket: *bucket, seq: *seq });
        let pull = PullRequest {
            v: VERSION,
            schema: SCHEMA,
            app: self.config.app.clone(),
            epoch: self.facts.epoch,
            generation: self.facts.generation,
            scopes: asked,
            touch: touch.collect(),
            max_bytes: None,
        };
        let req = self.request(Request::Pull { pull, signed_in }, step);
        self.pull = Some(Pull::Sent { req, scopes, signed_in });
    }

    fn page_applied(&mut self, scope: Scope, answer: TxAnswer, step: &mut Step) {
        let is_flying = self.down.get(&scope).is_some_and(|region| region.state == Down::Flying);
        let (verdict, follow) = match answer {
            TxAnswer::Paged { verdict, follow } => (Some(verdict), follow),
            TxAnswer::Done => (None, Vec::new()),
            _ => {
                step.emit(Effect::Notice(Notice::StoreFailed));
                if is_flying {
                    self.down_wait(&scope, DOWN_TX_WAIT_MS, step);
                }
                return;
            }
        };
        for scope in follow {
            self.down_follow(scope, step);
        }
        self.first_try();
        // The rows stand, whatever has become of the scope meanwhile.
        if matches!(verdict, Some(Verdict::Fresh)) || scope.is_public() {
            step.emit(Effect::Views(vec![View::Scope(scope.clone())]));
        }
        if !is_flying {
            return;
        }
        let Some(region) = self.down.get_mut(&scope) else { return };
        (region.failures, region.alone) = (0, false);
        match verdict {
            // Reset, or there is more: at once.
            None | Some(Verdict::More) => region.state = Down::Due,
            Some(Verdict::Fresh) if region.again => region.state = Down::Due,
            Some(Verdict::Fresh) => {
                region.fresh_mono = Some(step.now.mono_ms);
                self.down_fresh(&scope, step);
            }
            Some(Verdict::Differs { again }) => {
                step.count("sync_sum_mismatch");
                step.emit(Effect::Notice(Notice::SumDiffers(scope.clone())));
                if again {
                    self.down_wait(&scope, MISMATCH_WAIT_MS, step);
                } else {
                    region.state = Down::Due;
                }
            }
            Some(Verdict::Gone) => self.down_drop(&scope),
        }
    }
}

/// What is asked for first.
fn order_of(scope: &Scope) -> u8 {
    match scope {
        Scope::Account(_) => 0,
        Scope::Route(_) => 1,
        Scope::Seller(_) => 2,
        Scope::Reference => 3,
        Scope::Catalogue => 4,
    }
}
