//! What goes into the machine and what comes out.

use std::collections::BTreeMap;

use souk_domain::bookkeeping::Lane;
use souk_domain::id::IntentId;
use souk_domain::scope::Scope;
use souk_domain::time::Time;
use souk_protocol::auth::{ChallengeResponse, EpochResponse, RegisterResponse, TokenResponse};
use souk_protocol::sync::{
    PullRequest, PullResponse, PushItem, PushRequest, PushResponse, PushResult, RowsPage,
};

use crate::outbox::send::Taken;
use crate::outbox::settle::Settled;
use crate::store::apply::Verdict;

/// A request in flight; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReqId(pub u64);

/// A transaction that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// A timer that was set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimerId(pub u64);

/// The two classes of uploads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Money, order, courier.
    Fast,
    /// Chat, bulk: a photo never delays a payment.
    Slow,
}

impl Class {
    /// Both.
    pub const ALL: [Class; 2] = [Class::Fast, Class::Slow];

    /// The class of a lane.
    pub fn of(lane: Lane) -> Class {
        match lane {
            Lane::Money | Lane::Order | Lane::Courier => Class::Fast,
            Lane::Chat | Lane::Bulk => Class::Slow,
        }
    }

    /// Its lanes.
    pub fn lanes(self) -> Vec<Lane> {
        Lane::ALL.into_iter().filter(|lane| Class::of(*lane) == self).collect()
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn other(self) -> Class {
        match self {
            Class::Fast => Class::Slow,
            Class::Slow => Class::Fast,
        }
    }
}

/// Whether anybody looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// The program is on the screen: scopes are polled, hints are listened to.
    #[default]
    Foreground,
    /// It is not: only what is asked for.
    Background,
}

/// What the rows say at open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenFacts {
    /// Whether somebody is signed in.
    pub link: OpenLink,
    /// Epoch of the live registration.
    pub epoch: u32,
    /// Generation of the server's data; 0 = never heard.
    pub generation: u32,
    /// A new epoch is to be asked for.
    pub epoch_wanted: bool,
    /// When the access token should be renewed, milliseconds since boot.
    pub token_due_mono: Option<u64>,
    /// Scopes that are followed.
    pub scopes: Vec<Scope>,
}

/// Whether somebody is signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OpenLink {
    /// Nobody ever was.
    #[default]
    New,
    /// Signed in.
    Ready,
    /// The tokens have ended.
    SignedOut,
    /// The device was cut off.
    Revoked,
}

/// A sign-in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Join {
    /// E-mail address or phone number.
    pub contact: String,
    /// The code that was sent there.
    pub code: String,
    /// Name of the account, used when it is new.
    pub name: String,
    /// `android`, `linux` …
    pub platform: String,
    /// What the device calls itself.
    pub model: String,
    /// Asks to be a courier, where couriers may sign themselves up.
    pub as_courier: bool,
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The files are open.
    Opened(OpenFacts),
    /// Signs up or in.
    Join(Join),
    /// Signs out; the caller has seen to it that nothing is undecided.
    SignOut,
    /// Files are about to be closed.
    Pause,
    /// Files are open again.
    Resume(OpenFacts),
    /// The program came to the screen or left it.
    Phase(Phase),
    /// The network is back.
    NetUp,
    /// A row was queued.
    Kick {
        /// Its lane.
        lane: Lane,
        /// The user has just tapped.
        tapped: bool,
    },
    /// The user wants to know now.
    SyncNow,
    /// Follows a scope.
    Follow(Scope),
    /// Follows it no more.
    Unfollow(Scope),
    /// Something has changed there.
    Hint(Scope),
    /// A request was answered.
    Http {
        /// Which.
        req: ReqId,
        /// How.
        answer: Answer,
    },
    /// The stream of hints says something.
    Live {
        /// Its request.
        req: ReqId,
        /// What.
        event: LiveEvent,
    },
    /// A timer fires.
    Timer(TimerId),
    /// A transaction was done.
    Tx {
        /// Which.
        ticket: Ticket,
        /// How it went.
        answer: TxAnswer,
    },
}

/// An answer, read and classed by the adapter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Of `/v1/devices/challenge`.
    Challenge(ChallengeResponse),
    /// Of `/v1/devices`.
    Registered(Box<RegisterResponse>),
    /// Of `/v1/auth/token`.
    Tokens(TokenResponse),
    /// Of `/v1/devices/me/epoch`.
    Epoch(EpochResponse),
    /// Of `/v1/sync/push`.
    Push(PushResponse),
    /// Of `/v1/sync/pull`.
    Pull(PullResponse),
    /// Anything else.
    Fault(Fault),
}

/// Answers that are none (spec/sync.md 5, table of codes).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Time-out, reset, 5xx, an answer that cannot be read.
    Failed,
    /// 400 and 415: a bug of this program.
    Broken,
    /// 401.
    Token,
    /// 403 `device.revoked`.
    Revoked,
    /// 404.
    NotFound,
    /// 409 `device.epoch`.
    Epoch,
    /// 413.
    TooLarge,
    /// 426 `app.too_old`.
    TooOld,
    /// 429, 503.
    Slow {
        /// Earliest next try, milliseconds from now.
        after_ms: u64,
    },
    /// Another refusal, by its code.
    Refused {
        /// Stable code.
        code: String,
    },
}

/// What the stream of hints says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LiveEvent {
    /// It is open.
    Opened,
    /// A scope has changed.
    Hint(Scope),
    /// A comment: it is alive.
    Alive,
    /// It is over.
    Stopped(LiveStop),
}

/// How a stream of hints is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LiveStop {
    /// The server ended it: the token runs out.
    End,
    /// It broke, or never opened.
    Broken,
    /// 401.
    Token,
    /// 403.
    Revoked,
    /// 426.
    TooOld,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Sends a request.
    Http {
        /// Under this id.
        req: ReqId,
        /// What.
        request: Request,
    },
    /// Takes a request back; an answer that still comes is dropped.
    Cancel(ReqId),
    /// Runs a transaction and answers by [`Event::Tx`].
    Tx {
        /// Under this ticket.
        ticket: Ticket,
        /// What.
        tx: Tx,
    },
    /// Fires [`Event::Timer`].
    Timer {
        /// Under this id.
        id: TimerId,
        /// At this moment, milliseconds since boot.
        at_mono: u64,
    },
    /// What screens show has changed.
    Views(Vec<View>),
    /// Something that the user or the log should know.
    Notice(Notice),
    /// Counts a thing that happens.
    Count(&'static str),
}

/// What screens show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum View {
    /// Rows of a scope.
    Scope(Scope),
    /// What is pending.
    Outbox,
    /// Link and sign-in.
    Status,
}

/// Something to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Signed in.
    Joined,
    /// Not signed in: the code says why.
    JoinFailed(String),
    /// A sign-in or sign-out is not possible now.
    LinkBusy,
    /// Signed out by the user.
    SignedOut,
    /// The tokens have ended: sign in again.
    TokensEnded,
    /// The device was cut off.
    Revoked,
    /// This program is too old for the server.
    TooOld,
    /// The server's data was set back; what it no longer knows goes out again.
    NewGeneration,
    /// Outcomes have arrived.
    Decided(Vec<IntentId>),
    /// The server knows these ids with another content.
    Conflicts(Vec<IntentId>),
    /// A scope's checksum differed.
    SumDiffers(Scope),
    /// The server cannot read what this program sends.
    RequestBroken(&'static str),
    /// A local transaction failed.
    StoreFailed,
}

/// A request, before it is bytes. Secrets are put in by the adapter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// `POST /v1/devices/challenge`.
    Challenge,
    /// `POST /v1/devices`: the adapter signs the challenge.
    Register {
        /// Who signs in.
        join: Join,
        /// The challenge to be signed.
        challenge: [u8; 32],
    },
    /// `POST /v1/auth/token`: the adapter puts the refresh token in.
    Token,
    /// `POST /v1/devices/me/epoch`.
    Epoch {
        /// The epoch that the device has.
        have: u32,
    },
    /// `POST /v1/sync/push`.
    Push(PushRequest),
    /// `POST /v1/sync/pull`.
    Pull {
        /// The request.
        pull: PullRequest,
        /// Whether a token goes with it; public scopes need none.
        signed_in: bool,
    },
    /// `GET /v1/sync/live`.
    Live {
        /// Scopes to be told about.
        scopes: Vec<Scope>,
    },
}

/// A transaction, as data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tx {
    /// Chooses rows and marks them sent.
    Take {
        /// Of which class.
        class: Class,
        /// Rows at most.
        rows_max: usize,
        /// Lanes to be left alone until then.
        slow: BTreeMap<Lane, u64>,
    },
    /// Records the results of a push.
    Record {
        /// What was sent.
        items: Vec<PushItem>,
        /// What became of it.
        results: Vec<PushResult>,
        /// The server's time.
        server_now: Time,
    },
    /// Records a new epoch; undecided rows lose their positions.
    NewEpoch {
        /// The epoch.
        epoch: u32,
    },
    /// Records a new generation of the server's data.
    NewGeneration {
        /// The generation.
        generation: u32,
        /// The server's time.
        server_now: Time,
    },
    /// Reads the cursors of scopes.
    Cursors {
        /// Which.
        scopes: Vec<Scope>,
    },
    /// Applies a page.
    Page {
        /// Of which scope.
        scope: Scope,
        /// The page.
        page: Box<RowsPage>,
        /// The server's time.
        server_now: Time,
    },
    /// Sets a scope to begin from null.
    Restart {
        /// Which.
        scope: Scope,
    },
    /// Follows a scope.
    Follow {
        /// Which.
        scope: Scope,
    },
    /// Removes a scope with its rows.
    Wipe {
        /// Which.
        scope: Scope,
    },
    /// Keeps a registration with its tokens.
    Registered(Box<RegisterResponse>),
    /// Keeps new tokens.
    Tokens(TokenResponse),
    /// The tokens have ended; the outbox stays.
    TokensEnded,
    /// The device was cut off; the outbox stays.
    Revoked,
    /// The user signs out.
    SignOut,
}

/// How a transaction went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TxAnswer {
    /// Committed.
    Done,
    /// Of [`Tx::Take`].
    Taken(Taken),
    /// Of [`Tx::Record`].
    Settled(Settled),
    /// Of [`Tx::Cursors`]: scopes that are still followed, with their cursors.
    Cursors(Vec<(Scope, Option<String>)>),
    /// Of [`Tx::Page`].
    Paged {
        /// What it has come to.
        verdict: Verdict,
        /// Scopes that its rows say are this account's too.
        follow: Vec<Scope>,
    },
    /// Of transactions that change who this device is: what the rows say now.
    Facts(Box<OpenFacts>),
    /// Refused by a rule; nothing was changed.
    Refused(String),
    /// Not committed.
    Failed,
}
