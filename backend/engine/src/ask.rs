//! What the engine is asked to decide, and what it answers.
//!
//! Texts are read, hashed and their signatures checked where an ask is made, on the caller's thread; the one writer
//! only looks rows up and decides.

use souk_domain::bookkeeping::Outbox;
use souk_domain::context::Actor;
use souk_domain::id::AnyIntentId;
use souk_domain::intent::ServerAct;
use souk_domain::outcome::{Outcome, Refusal};
use souk_protocol::sync::{PushItem, PushResult, SignedText, Touch};

use crate::prepared::Prepared;

/// One thing to decide.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Items of one push of one device ([`Ask::push`]).
    Push(PushAsk),
    /// One intent outside any stream ([`Ask::direct`]).
    Direct(DirectAsk),
    /// An act of the server.
    Server {
        /// Its id.
        id: AnyIntentId,
        /// What.
        act: ServerAct,
    },
    /// A hand-off of another bucket, taken from its outbox: decided where it goes, and marked as arrived where it came
    /// from, in one commit.
    Deliver(Box<Outbox>),
}

/// A push, read.
#[derive(Clone, Debug)]
pub struct PushAsk {
    pub(crate) actor: Actor,
    pub(crate) epoch: u32,
    pub(crate) items: Vec<Prepared>,
}

/// A one-intent request, read.
#[derive(Clone, Debug)]
pub struct DirectAsk {
    pub(crate) actor: Actor,
    pub(crate) item: Prepared,
}

impl Ask {
    /// A push of a signed-in device with the epoch that its request named.
    pub fn push(actor: Actor, epoch: u32, items: Vec<PushItem>) -> Ask {
        let items = items.into_iter().map(|item| Prepared::of_item(item, &actor)).collect();
        Ask::Push(PushAsk { actor, epoch, items })
    }

    /// One intent of a signed-in device, without a stream.
    pub fn direct(actor: Actor, signed: SignedText) -> Ask {
        let item = Prepared::of_text(None, signed, &actor);
        Ask::Direct(DirectAsk { actor, item })
    }

    /// Intents in it: what counts towards the size of a batch.
    pub fn intents(&self) -> usize {
        match self {
            Ask::Push(push) => push.items.len(),
            Ask::Direct(_) | Ask::Server { .. } | Ask::Deliver(_) => 1,
        }
    }
}

/// What became of an ask; given only once it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A push or a one-intent request: one result an item, in their order, and the parts changed that the actor may
    /// read.
    Items {
        /// Results.
        results: Vec<PushResult>,
        /// Parts changed.
        touch: Vec<Touch>,
    },
    /// The request as a whole is refused, and nothing was stored: `device.epoch{epoch}`, `device.revoked`,
    /// `auth.forbidden`.
    Refused(Refusal),
    /// An act of the server has its outcome.
    Server(Outcome),
    /// Nothing was decided, or whether it was is not known: ask again under the same ids.
    Later {
        /// Earliest next try, milliseconds from now.
        after_ms: u64,
    },
    /// A tripwire fired, or a rule has a bug: nothing was written, and the same again will not help.
    Failed {
        /// Stable code.
        code: &'static str,
    },
}

impl Answer {
    /// The outcome of a server's act.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Answer::Server(outcome) => Some(outcome),
            Answer::Items { .. } | Answer::Refused(_) | Answer::Later { .. } | Answer::Failed { .. } => None,
        }
    }

    /// Results of items.
    pub fn results(&self) -> &[PushResult] {
        match self {
            Answer::Items { results, .. } => results,
            Answer::Refused(_) | Answer::Server(_) | Answer::Later { .. } | Answer::Failed { .. } => &[],
        }
    }
}
