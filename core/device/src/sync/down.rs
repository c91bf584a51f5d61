//! down: the server's rows come in, scope by scope (spec/sync.md 6.4, without packs).
//!
//! Nothing of `up` is read here but the parts that pushes have changed.

use souk_domain::scope::Scope;

use super::event::{Effect, Notice, Phase, Tx, TxAnswer, View};
use super::pull::Pull;
use super::{Machine, Step, TimerFor, TimerId};
use crate::limits::{
    FRESH_ENOUGH_MS, POLL_ACCOUNT_MS, POLL_ACCOUNT_NO_LIVE_MS, POLL_OTHER_MS, SPREAD_MS, TAP_EVERY_MS,
};

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
    pub(super) again: bool,
    /// Asked for alone, because a request that named it with others was refused.
    pub(super) alone: bool,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it last became fresh.
    pub(super) fresh_mono: Option<u64>,
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

    pub(super) fn down_drop(&mut self, scope: &Scope) {
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

    pub(super) fn put_down(&mut self, scope: &Scope, state: Down) {
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

    pub(super) fn down_fresh(&mut self, scope: &Scope, step: &mut Step) {
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

    pub(super) fn down_wait(&mut self, scope: &Scope, after_ms: u64, step: &mut Step) {
        let timer = self.set_timer(TimerFor::Down(scope.clone()), after_ms, step);
        self.put_down(scope, Down::Wait { timer });
    }

    pub(super) fn down_failed(&mut self, scope: &Scope, step: &mut Step) {
        let Some(region) = self.down.get_mut(scope) else { return };
        let failures = region.failures;
        region.failures = failures.saturating_add(1);
        let after_ms = self.retry_delay(failures, step);
        self.down_wait(scope, after_ms, step);
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
