//! link: who this device is to the server (spec/sync.md 6.2).

use super::backoff::given;
use super::event::{
    Answer, Effect, Fault, Join, Notice, OpenFacts, OpenLink, ReqId, Request, Tx, TxAnswer, View,
};
use super::{Machine, Step, TimerFor, TimerId};
use crate::limits::OLD_ASK_MS;

/// States of the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Link {
    /// The files are not open.
    Closed,
    /// Nobody ever signed in.
    New,
    /// A sign-in is under way.
    Joining { step: JoinStep, from: Origin },
    /// Signed in.
    Ready,
    /// The access token is being renewed.
    Renewing { step: RenewStep, failures: u32 },
    /// The tokens have ended.
    SignedOut,
    /// The device was cut off.
    Revoked,
    /// This program is too old.
    Old { from: Origin, timer: TimerId },
    /// The files are closed for a while.
    Paused { from: Origin },
}

/// States that are gone back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    New,
    Ready,
    SignedOut,
    Revoked,
    Old,
}

/// How far a sign-in is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum JoinStep {
    /// The challenge is asked for.
    Challenge { req: ReqId, join: Join },
    /// The device is being registered.
    Register { req: ReqId },
    /// The answer is being kept.
    Writing,
}

/// How far a renewal is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum RenewStep {
    /// Asked.
    Asking(ReqId),
    /// Waits after a failure.
    Waiting(TimerId),
    /// The answer is being kept.
    Writing,
}

impl Link {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Link::Closed => "closed",
            Link::New => "new",
            Link::Joining { .. } => "joining",
            Link::Ready => "ready",
            Link::Renewing { .. } => "renewing",
            Link::SignedOut => "signed_out",
            Link::Revoked => "revoked",
            Link::Old { .. } => "old",
            Link::Paused { .. } => "paused",
        }
    }

    /// Private scopes and uploads may go.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Link::Ready => true,
            Link::Closed
            | Link::New
            | Link::Joining { .. }
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. }
            | Link::Paused { .. } => false,
        }
    }

    /// Public scopes may be pulled.
    pub(super) fn is_public_ready(&self) -> bool {
        match self {
            Link::Ready | Link::New | Link::SignedOut => true,
            Link::Closed
            | Link::Joining { .. }
            | Link::Renewing { .. }
            | Link::Revoked
            | Link::Old { .. }
            | Link::Paused { .. } => false,
        }
    }
}

impl Machine {
    fn link_by_rows(&mut self, facts: OpenFacts) {
        self.link = match facts.link {
            OpenLink::New => Link::New,
            OpenLink::Ready => Link::Ready,
            OpenLink::SignedOut => Link::SignedOut,
            OpenLink::Revoked => Link::Revoked,
        };
        self.take_facts(facts);
    }

    fn take_facts(&mut self, facts: OpenFacts) {
        self.epoch_wanted = facts.epoch_wanted;
        self.down_follow_all(&facts.scopes);
        self.facts = facts;
    }

    pub(super) fn link_opened(&mut self, facts: OpenFacts, step: &mut Step) {
        match &self.link {
            Link::Closed => self.link_by_rows(facts),
            Link::New
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. }
            | Link::Paused { .. } => step.impossible("opened twice"),
        }
    }

    pub(super) fn link_join(&mut self, join: Join, step: &mut Step) {
        let from = match &self.link {
            Link::New => Origin::New,
            Link::SignedOut => Origin::SignedOut,
            Link::Revoked => Origin::Revoked,
            Link::Closed
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::Old { .. }
            | Link::Paused { .. } => return step.emit(Effect::Notice(Notice::LinkBusy)),
        };
        let req = self.request(Request::Challenge, step);
        self.link = Link::Joining { step: JoinStep::Challenge { req, join }, from };
    }

    pub(super) fn link_sign_out(&mut self, step: &mut Step) {
        match &self.link {
            Link::Ready | Link::Renewing { .. } | Link::SignedOut | Link::Revoked | Link::Old { .. } => {
                self.leave_link(step);
                self.link = Link::New;
                self.link_tx = Some(self.transact(Tx::SignOut, step));
            }
            Link::New => {}
            Link::Closed | Link::Joining { .. } | Link::Paused { .. } => {
                step.emit(Effect::Notice(Notice::LinkBusy));
            }
        }
    }

    pub(super) fn link_pause(&mut self, step: &mut Step) {
        let from = match &self.link {
            Link::Closed | Link::Paused { .. } => return,
            Link::New => Origin::New,
            Link::Joining { from, .. } => *from,
            Link::Ready | Link::Renewing { .. } => Origin::Ready,
            Link::SignedOut => Origin::SignedOut,
            Link::Revoked => Origin::Revoked,
            Link::Old { .. } => Origin::Old,
        };
        if let Link::Joining { .. } = self.link {
            step.emit(Effect::Notice(Notice::JoinFailed("core.paused".to_owned())));
        }
        self.leave_link(step);
        self.link_tx = None;
        self.link = Link::Paused { from };
    }

    pub(super) fn link_resume(&mut self, facts: OpenFacts, step: &mut Step) {
        match self.link {
            Link::Paused { from: Origin::Old } => {
                self.take_facts(facts);
                self.link_old(step);
            }
            Link::Paused { .. } => self.link_by_rows(facts),
            Link::Closed
            | Link::New
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. } => step.impossible("resumed while not paused"),
        }
    }

    /// Cancels what the state was waiting for.
    fn leave_link(&mut self, step: &mut Step) {
        match &self.link {
            Link::Joining { step: JoinStep::Challenge { req, .. } | JoinStep::Register { req }, .. }
            | Link::Renewing { step: RenewStep::Asking(req), .. } => step.emit(Effect::Cancel(*req)),
            Link::Renewing { step: RenewStep::Waiting(timer), .. } | Link::Old { timer, .. } => {
                let timer = *timer;
                self.drop_timer(timer);
            }
            Link::Closed
            | Link::New
            | Link::Joining { step: JoinStep::Writing, .. }
            | Link::Ready
            | Link::Renewing { step: RenewStep::Writing, .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Paused { .. } => {}
        }
    }

    /// 401, or the token is about to end.
    pub(super) fn link_token_due(&mut self, step: &mut Step) {
        match &self.link {
            Link::Ready if self.token_unproven => {
                // Renewed once, and the new one is not taken either.
                self.link = Link::SignedOut;
                self.link_tx = Some(self.transact(Tx::TokensEnded, step));
                step.emit(Effect::Notice(Notice::TokensEnded));
            }
            Link::Ready => {
                let req = self.request(Request::Token, step);
                self.link = Link::Renewing { step: RenewStep::Asking(req), failures: 0 };
            }
            Link::Closed | Link::Paused { .. } => step.count("sync_answer_dropped"),
            Link::New
            | Link::Joining { .. }
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. } => {}
        }
    }

    /// Renews a token before its end, so that no request is spent on finding out. Answers true if it does.
    pub(super) fn link_renews_early(&mut self, step: &mut Step) -> bool {
        let is_due = self.facts.token_due_mono.is_some_and(|due| step.now.mono_ms >= due);
        // After a renewal the server's word counts, not a clock.
        if is_due && !self.token_unproven && self.link.is_ready() {
            self.link_token_due(step);
            return true;
        }
        false
    }

    pub(super) fn link_revoked(&mut self, step: &mut Step) {
        match &self.link {
            Link::Joining { .. } | Link::Ready | Link::Renewing { .. } => {
                self.leave_link(step);
                self.link = Link::Revoked;
                self.link_tx = Some(self.transact(Tx::Revoked, step));
                step.emit(Effect::Notice(Notice::Revoked));
                step.emit(Effect::Views(vec![View::Status]));
            }
            Link::Closed | Link::Paused { .. } => step.count("sync_answer_dropped"),
            Link::New | Link::SignedOut | Link::Revoked | Link::Old { .. } => {}
        }
    }

    pub(super) fn link_too_old(&mut self, step: &mut Step) {
        match &self.link {
            Link::New
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked => {
                self.link_old(step);
                step.emit(Effect::Notice(Notice::TooOld));
                step.emit(Effect::Views(vec![View::Status]));
            }
            Link::Closed | Link::Paused { .. } => step.count("sync_answer_dropped"),
            Link::Old { .. } => {}
        }
    }

    fn link_old(&mut self, step: &mut Step) {
        let from = match &self.link {
            Link::New | Link::Closed => Origin::New,
            Link::Joining { from, .. } => *from,
            Link::Ready | Link::Renewing { .. } => Origin::Ready,
            Link::SignedOut => Origin::SignedOut,
            Link::Revoked => Origin::Revoked,
            Link::Old { from, .. } => *from,
            // The rows say who this device is; what it was doing does not matter.
            Link::Paused { .. } => match self.facts.link {
                OpenLink::New => Origin::New,
                OpenLink::Ready => Origin::Ready,
                OpenLink::SignedOut => Origin::SignedOut,
                OpenLink::Revoked => Origin::Revoked,
            },
        };
        self.leave_link(step);
        let timer = self.set_timer(TimerFor::Link, OLD_ASK_MS, step);
        self.link = Link::Old { from, timer };
    }

    pub(super) fn link_timer(&mut self, step: &mut Step) {
        match &self.link {
            Link::Renewing { step: RenewStep::Waiting(_), failures } => {
                let failures = *failures;
                let req = self.request(Request::Token, step);
                self.link = Link::Renewing { step: RenewStep::Asking(req), failures };
            }
            // Asks once a day: back to where it was, and the next answer says whether it is served.
            Link::Old { from, .. } => {
                self.link = match from {
                    Origin::New | Origin::Old => Link::New,
                    Origin::Ready => Link::Ready,
                    Origin::SignedOut => Link::SignedOut,
                    Origin::Revoked => Link::Revoked,
                };
            }
            Link::Closed
            | Link::New
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Paused { .. } => step.impossible("a timer of link"),
        }
    }

    pub(super) fn link_net_up(&mut self, step: &mut Step) {
        match &self.link {
            Link::Renewing { step: RenewStep::Waiting(timer), failures } => {
                let (timer, failures) = (*timer, *failures);
                self.drop_timer(timer);
                let req = self.request(Request::Token, step);
                self.link = Link::Renewing { step: RenewStep::Asking(req), failures };
            }
            Link::Closed
            | Link::New
            | Link::Joining { .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. }
            | Link::Paused { .. } => {}
        }
    }

    pub(super) fn link_awaits(&self, req: ReqId) -> bool {
        match &self.link {
            Link::Joining {
                step: JoinStep::Challenge { req: own, .. } | JoinStep::Register { req: own },
                ..
            }
            | Link::Renewing { step: RenewStep::Asking(own), .. } => *own == req,
            Link::Closed
            | Link::New
            | Link::Joining { step: JoinStep::Writing, .. }
            | Link::Ready
            | Link::Renewing { .. }
            | Link::SignedOut
            | Link::Revoked
            | Link::Old { .. }
            | Link::Paused { .. } => false,
        }
    }

    pub(super) fn link_answer(&mut self, answer: Answer, step: &mut Step) {
        match std::mem::replace(&mut self.link, Link::Closed) {
            Link::Joining { step: at, from } => self.join_answer(at, from, answer, step),
            Link::Renewing { step: at, failures } => self.renew_answer(at, failures, answer, step),
            other => self.link = other,
        }
    }

    fn join_answer(&mut self, at: JoinStep, from: Origin, answer: Answer, step: &mut Step) {
        let code = match (at, answer) {
            (JoinStep::Challenge { join, .. }, Answer::Challenge(challenge)) => {
                let request = Request::Register { join, challenge: challenge.challenge };
                let req = self.request(request, step);
                self.link = Link::Joining { step: JoinStep::Register { req }, from };
                return;
            }
            (JoinStep::Register { .. }, Answer::Registered(response)) => {
                self.link = Link::Joining { step: JoinStep::Writing, from };
                self.link_tx = Some(self.transact(Tx::Registered(response), step));
                return;
            }
            (_, Answer::Fault(fault)) => match fault {
                Fault::Refused { code } => code,
                Fault::Revoked => "device.revoked".to_owned(),
                Fault::TooOld => {
                    self.link = Link::Joining { step: JoinStep::Writing, from };
                    step.emit(Effect::Notice(Notice::JoinFailed("app.too_old".to_owned())));
                    return self.link_too_old(step);
                }
                Fault::Slow { .. } => "server.busy".to_owned(),
                Fault::Broken | Fault::TooLarge => "request.form".to_owned(),
                Fault::Token => "token.unknown".to_owned(),
                Fault::Epoch | Fault::NotFound | Fault::Failed => "net.offline".to_owned(),
            },
            (_, _) => "net.offline".to_owned(),
        };
        self.join_failed(from, code, step);
    }

    fn join_failed(&mut self, from: Origin, code: String, step: &mut Step) {
        self.link = match from {
            Origin::New | Origin::Old => Link::New,
            Origin::Ready => Link::Ready,
            Origin::SignedOut => Link::SignedOut,
            Origin::Revoked => Link::Revoked,
        };
        step.emit(Effect::Notice(Notice::JoinFailed(code)));
    }

    fn renew_answer(&mut self, _at: RenewStep, failures: u32, answer: Answer, step: &mut Step) {
        self.link = Link::Renewing { step: RenewStep::Writing, failures };
        let after_ms = match answer {
            Answer::Tokens(tokens) => {
                self.link_tx = Some(self.transact(Tx::Tokens(tokens), step));
                return;
            }
            Answer::Fault(fault) => match fault {
                Fault::Token | Fault::Refused { .. } | Fault::NotFound | Fault::Broken => {
                    self.link = Link::SignedOut;
                    self.link_tx = Some(self.transact(Tx::TokensEnded, step));
                    step.emit(Effect::Notice(Notice::TokensEnded));
                    step.emit(Effect::Views(vec![View::Status]));
                    return;
                }
                Fault::Revoked => return self.link_revoked(step),
                Fault::TooOld => return self.link_too_old(step),
                Fault::Slow { after_ms } => given(after_ms, &mut step.chance),
                Fault::Failed | Fault::Epoch | Fault::TooLarge => self.retry_delay(failures, step),
            },
            Answer::Challenge(_)
            | Answer::Registered(_)
            | Answer::Epoch(_)
            | Answer::Push(_)
            | Answer::Pull(_) => self.retry_delay(failures, step),
        };
        let timer = self.set_timer(TimerFor::Link, after_ms, step);
        self.link = Link::Renewing { step: RenewStep::Waiting(timer), failures: failures + 1 };
    }

    pub(super) fn link_tx_done(&mut self, answer: TxAnswer, step: &mut Step) {
        match (std::mem::replace(&mut self.link, Link::Closed), answer) {
            (Link::Joining { .. }, TxAnswer::Facts(facts)) => {
                self.token_unproven = false;
                self.link_by_rows(*facts);
                // What a guest was refused may be asked for now.
                self.down_all_due(step);
                step.emit(Effect::Notice(Notice::Joined));
                step.emit(Effect::Views(vec![View::Status, View::Outbox]));
            }
            (Link::Joining { from, .. }, TxAnswer::Refused(code)) => self.join_failed(from, code, step),
            (Link::Joining { from, .. }, _) => self.join_failed(from, "store.io".to_owned(), step),
            (Link::Renewing { .. }, TxAnswer::Facts(facts)) => {
                self.token_unproven = true;
                self.link_by_rows(*facts);
            }
            (Link::Renewing { failures, .. }, _) => {
                step.emit(Effect::Notice(Notice::StoreFailed));
                let after_ms = self.retry_delay(failures, step);
                let timer = self.set_timer(TimerFor::Link, after_ms, step);
                self.link = Link::Renewing { step: RenewStep::Waiting(timer), failures: failures + 1 };
            }
            (Link::New, TxAnswer::Facts(facts)) => {
                self.link = Link::New;
                self.down_forget_private();
                self.take_facts(*facts);
                step.emit(Effect::Notice(Notice::SignedOut));
                step.emit(Effect::Views(vec![View::Status, View::Outbox]));
            }
            (link, TxAnswer::Facts(facts)) => {
                self.link = link;
                self.take_facts(*facts);
            }
            (link, _) => {
                self.link = link;
                step.emit(Effect::Notice(Notice::StoreFailed));
            }
        }
    }

    /// A signed-in request was let in: the token is good.
    pub(super) fn link_proven(&mut self) {
        self.token_unproven = false;
    }

    /// Faults that are link's to answer. Answers true if it was one.
    pub(super) fn link_fault(&mut self, fault: &Fault, step: &mut Step) -> bool {
        match fault {
            Fault::Token => self.link_token_due(step),
            Fault::Revoked => self.link_revoked(step),
            Fault::TooOld => self.link_too_old(step),
            Fault::Failed
            | Fault::Broken
            | Fault::NotFound
            | Fault::Epoch
            | Fault::TooLarge
            | Fault::Slow { .. }
            | Fault::Refused { .. } => return false,
        }
        true
    }
}
