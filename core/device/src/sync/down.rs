//! down: the server's rows come in, scope by scope (spec/sync.md 6.4, without packs).
//!
//! Nothing of `up` is read here but the parts that pushes have changed. One pull at most is under way; it asks for
//! all scopes that are due.

use std::collections::{BTreeMap, BTreeSet};

use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::limits::{PULL_SCOPES_MAX, TOUCH_MAX};
use souk_protocol::sync::{
    PullRequest, PullResponse, SCHEMA, ScopeAsked, ScopeKind, ScopePulled, Touch, VERSION,
};

use super::backoff::given;
use super::event::{Answer, Effect, Fault, Notice, Phase, ReqId, Request, Ticket, Tx, TxAnswer, View};
use super::{Machine, Step, TimerFor, TimerId};
use crate::limits::{
    BROKEN_WAIT_MS, DOWN_TX_WAIT_MS, FRESH_ENOUGH_MS, MISMATCH_WAIT_MS, POLL_ACCOUNT_MS,
    POLL_ACCOUNT_NO_LIVE_MS, POLL_OTHER_MS, RETRY_MAX_MS, SPREAD_MS, TAP_EVERY_MS,
};
use crate::store::apply::Verdict;

/// States of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Down {
    /// Not followed, or it may not be asked for now.
    #[default]
    Off,
    /// To be asked for.
    Due,
    /// In the pull that is under way.
    Flying,
    /// As the server has it; a timer runs while somebody looks.
    Fresh { timer: Option<TimerId> },
    /// Not before a moment.
    Wait { timer: TimerId },
}

/// One scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct DownRegion {
    pub(super) state: Down,
    /// It has changed since it was asked for.
    again: bool,
    /// Asked for alone, because a request that named it with others was refused.
    alone: bool,
    /// Failures in a row.
    failures: u32,
    /// When it last became fresh.
    fresh_mono: Option<u64>,
    /// When a hint last woke it while it waited.
    woken_mono: Option<u64>,
}

impl DownRegion {
    #[cfg(test)]
    pub(super) fn in_state(state: Down) -> DownRegion {
        DownRegion { state, ..DownRegion::default() }
    }

    #[cfg(test)]
    pub(super) fn fresh_since(&mut self, mono_ms: u64) {
        self.fresh_mono = Some(mono_ms);
    }

    pub(super) fn is_quiet(&self) -> bool {
        match self.state {
            Down::Off | Down::Fresh { .. } => true,
            Down::Due | Down::Flying | Down::Wait { .. } => false,
        }
    }
}

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
    /// Scopes by the rows.
    pub(super) fn down_follow_all(&mut self, scopes: &[Scope]) {
        for scope in scopes {
            self.down.entry(scope.clone()).or_default();
        }
    }

    /// After a sign-out only public scopes are left.
    pub(super) fn down_forget_private(&mut self) {
        let private: Vec<Scope> = self.down.keys().filter(|scope| !scope.is_public()).cloned().collect();
        for scope in private {
            self.down_drop(&scope);
        }
    }

    fn down_drop(&mut self, scope: &Scope) {
        if let Some(region) = self.down.remove(scope) {
            match region.state {
                Down::Fresh { timer: Some(timer) } | Down::Wait { timer } => self.drop_timer(timer),
                Down::Off | Down::Due | Down::Flying | Down::Fresh { timer: None } => {}
            }
        }
    }

    pub(super) fn down_follow(&mut self, scope: Scope, step: &mut Step) {
        if self.down.contains_key(&scope) {
            return;
        }
        let ticket = self.transact(Tx::Follow { scope: scope.clone() }, step);
        self.scope_tx.insert(ticket, scope);
    }

    /// Unfollowed, or the server says that this account is no member any more.
    pub(super) fn down_leave(&mut self, scope: &Scope, step: &mut Step) {
        if !self.down.contains_key(scope) {
            return;
        }
        self.down_drop(scope);
        let ticket = self.transact(Tx::Wipe { scope: scope.clone() }, step);
        self.scope_tx.insert(ticket, scope.clone());
    }

    pub(super) fn scope_recorded(&mut self, scope: Scope, answer: TxAnswer, step: &mut Step) {
        match answer {
            TxAnswer::Facts(facts) => {
                let is_followed = facts.scopes.contains(&scope);
                self.facts = *facts;
                if is_followed {
                    self.down.entry(scope.clone()).or_default();
                }
                step.emit(Effect::Views(vec![View::Scope(scope)]));
            }
            _ => step.emit(Effect::Notice(Notice::StoreFailed)),
        }
    }

    fn down_is_ready(&self, scope: &Scope) -> bool {
        if scope.is_public() { self.link.is_public_ready() } else { self.link.is_ready() }
    }

    /// ready, unready
    pub(super) fn down_ready(&mut self, step: &mut Step) {
        let scopes: Vec<Scope> = self.down.keys().cloned().collect();
        for scope in scopes {
            let is_ready = self.down_is_ready(&scope);
            let Some(region) = self.down.get(&scope) else { continue };
            match (region.state, is_ready) {
                (Down::Off, true) => self.put_down(&scope, Down::Due),
                (Down::Due | Down::Flying, false) => self.put_down(&scope, Down::Off),
                (Down::Fresh { timer: Some(timer) } | Down::Wait { timer }, false) => {
                    self.drop_timer(timer);
                    self.put_down(&scope, Down::Off);
                }
                (Down::Fresh { timer: None }, false) => self.put_down(&scope, Down::Off),
                (Down::Off, false)
                | (Down::Due | Down::Flying | Down::Fresh { .. } | Down::Wait { .. }, true) => {}
            }
        }
        self.pull_if_unwanted(step);
    }

    /// A pull that carries no scope any more is cancelled.
    fn pull_if_unwanted(&mut self, step: &mut Step) {
        let is_wanted = self.down.values().any(|region| region.state == Down::Flying);
        if is_wanted {
            return;
        }
        if let Some(Pull::Sent { req, .. }) = &self.pull {
            step.emit(Effect::Cancel(*req));
        }
        self.pull = None;
    }

    fn put_down(&mut self, scope: &Scope, state: Down) {
        if let Some(region) = self.down.get_mut(scope) {
            region.state = state;
        }
    }

    /// To be asked for as soon as possible.
    fn down_due(&mut self, scope: &Scope) {
        let Some(region) = self.down.get(scope) else { return };
        match region.state {
            Down::Fresh { timer: Some(timer) } | Down::Wait { timer } => {
                self.drop_timer(timer);
                self.put_down(scope, Down::Due);
            }
            Down::Fresh { timer: None } => self.put_down(scope, Down::Due),
            Down::Off | Down::Due => {}
            Down::Flying => {
                if let Some(region) = self.down.get_mut(scope) {
                    region.again = true;
                }
            }
        }
    }

    pub(super) fn down_all_due(&mut self, _step: &mut Step) {
        let scopes: Vec<Scope> = self.down.keys().cloned().collect();
        for scope in scopes {
            if let Some(region) = self.down.get_mut(&scope) {
                region.failures = 0;
            }
            self.down_due(&scope);
        }
    }

    /// A push has changed parts: private scopes look at once.
    pub(super) fn down_touched(&mut self, step: &mut Step) {
        if self.touch.is_empty() {
            return;
        }
        let private: Vec<Scope> = self.down.keys().filter(|scope| !scope.is_public()).cloned().collect();
        for scope in private {
            self.down_hint(&scope, step);
        }
    }

    pub(super) fn down_hint(&mut self, scope: &Scope, step: &mut Step) {
        let Some(region) = self.down.get_mut(scope) else { return };
        let is_shared = match scope {
            Scope::Reference | Scope::Catalogue => true,
            Scope::Account(_) | Scope::Seller(_) | Scope::Route(_) => false,
        };
        let now = step.now.mono_ms;
        match region.state {
            Down::Flying => region.again = true,
            Down::Fresh { timer } if is_shared => {
                // All devices hear it at once.
                let after_ms = step.chance.up_to(SPREAD_MS);
                if let Some(timer) = timer {
                    self.drop_timer(timer);
                }
                let timer = self.set_timer(TimerFor::Down(scope.clone()), after_ms, step);
                self.put_down(scope, Down::Wait { timer });
            }
            Down::Fresh { .. } => self.down_due(scope),
            Down::Wait { .. } if !is_shared => {
                if region.woken_mono.is_none_or(|at| now >= at + TAP_EVERY_MS) {
                    region.woken_mono = Some(now);
                    self.down_due(scope);
                }
            }
            Down::Off | Down::Due | Down::Wait { .. } => {}
        }
    }

    pub(super) fn down_timer(&mut self, scope: &Scope, step: &mut Step) {
        let Some(region) = self.down.get(scope) else { return };
        match region.state {
            Down::Fresh { .. } | Down::Wait { .. } => self.put_down(scope, Down::Due),
            Down::Off | Down::Due | Down::Flying => step.impossible("a timer of down"),
        }
    }

    pub(super) fn down_net_up(&mut self, step: &mut Step) {
        let scopes: Vec<Scope> = self.down.keys().cloned().collect();
        for scope in scopes {
            let Some(region) = self.down.get_mut(&scope) else { continue };
            match region.state {
                Down::Fresh { .. } => {
                    let age = region.fresh_mono.map(|at| step.now.mono_ms.saturating_sub(at));
                    if age.is_none_or(|age| age > FRESH_ENOUGH_MS) {
                        self.down_due(&scope);
                    }
                }
                Down::Wait { timer } => {
                    region.failures = 0;
                    self.drop_timer(timer);
                    let after_ms = step.chance.up_to(SPREAD_MS);
                    self.down_wait(&scope, after_ms, step);
                }
                Down::Off | Down::Due | Down::Flying => {}
            }
        }
    }

    /// Polls run in the foreground alone.
    pub(super) fn down_phase(&mut self, step: &mut Step) {
        match self.phase {
            Phase::Foreground => self.down_net_up(step),
            Phase::Background => {}
        }
        let scopes: Vec<Scope> = self.down.keys().cloned().collect();
        for scope in scopes {
            let Some(region) = self.down.get(&scope) else { continue };
            if let Down::Fresh { timer } = region.state {
                if let Some(timer) = timer {
                    self.drop_timer(timer);
                }
                self.down_fresh(&scope, step);
            }
        }
    }

    fn down_fresh(&mut self, scope: &Scope, step: &mut Step) {
        let timer = match self.phase {
            Phase::Foreground => {
                let after_ms = self.poll_ms(scope);
                Some(self.set_timer(TimerFor::Down(scope.clone()), after_ms, step))
            }
            Phase::Background => None,
        };
        self.put_down(scope, Down::Fresh { timer });
    }

    fn poll_ms(&self, scope: &Scope) -> u64 {
        match scope {
            Scope::Account(_) if self.live_is_broken() => POLL_ACCOUNT_NO_LIVE_MS,
            Scope::Account(_) => POLL_ACCOUNT_MS,
            // Without hints nobody says that something has changed there.
            Scope::Seller(_) | Scope::Route(_) if !self.config.live => POLL_ACCOUNT_MS,
            Scope::Seller(_) | Scope::Route(_) | Scope::Reference | Scope::Catalogue => POLL_OTHER_MS,
        }
    }

    fn down_wait(&mut self, scope: &Scope, after_ms: u64, step: &mut Step) {
        let timer = self.set_timer(TimerFor::Down(scope.clone()), after_ms, step);
        self.put_down(scope, Down::Wait { timer });
    }

    fn down_failed(&mut self, scope: &Scope, step: &mut Step) {
        let Some(region) = self.down.get_mut(scope) else { return };
        let failures = region.failures;
        region.failures = failures.saturating_add(1);
        let after_ms = self.retry_delay(failures, step);
        self.down_wait(scope, after_ms, step);
    }

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

    /// The server's data was set back: everything from null.
    pub(super) fn down_new_generation(&mut self, step: &mut Step) {
        if let Some(Pull::Sent { req, .. }) = &self.pull {
            step.emit(Effect::Cancel(*req));
        }
        self.pull = None;
        let scopes: Vec<Scope> = self.down.keys().cloned().collect();
        for scope in scopes {
            let Some(region) = self.down.get_mut(&scope) else { continue };
            (region.again, region.failures) = (false, 0);
            match region.state {
                Down::Off | Down::Due => {}
                Down::Flying => region.state = Down::Due,
                Down::Fresh { .. } | Down::Wait { .. } => self.down_due(&scope),
            }
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
