//! The payment rail as the engine's relay sees it: operations out, states and events in.
//!
//! Not for: retries, op rows, postings (they live in the engine and in `decide`). Rules: spec/money.md 6, reduced to
//! what the sandbox does: capture, escrow, payouts and settlements join the trait with the first rail that has them.
//! Always: only an explicit answer ends an op; whatever leaves a doubt is [`RailError::Unknown`].

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use souk_domain::id::{DerivedId, OrderId, PaymentId, hex, unhex};
use souk_domain::money::Money;
use souk_domain::time::{Span, Time};

use crate::webhook::WebhookError;

/// What every idempotency key starts with, so that a provider's console shows whose call it was.
const KEY_PREFIX: &str = "souk-";

/// Characters of a rail's reference. Providers document at most 255; the shortest column that we know of takes 64.
pub const RAIL_REF_CHARS_MAX: usize = 64;

/// The id of one operation on a rail: 16 bytes, the same for every attempt (`rail_op.op_id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId([u8; 16]);

impl OpId {
    /// From the 16 bytes of the id that the decision gave the operation.
    pub const fn from_bytes(bytes: [u8; 16]) -> OpId {
        OpId(bytes)
    }

    /// The 16 bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The idempotency key: `souk-` and 32 hex digits. It never changes, whoever retries, after whatever time.
    pub fn key(&self) -> String {
        format!("{KEY_PREFIX}{}", hex(&self.0))
    }

    /// The id behind a key that [`OpId::key`] has made; `None` for every other text.
    pub fn from_key(key: &str) -> Option<OpId> {
        let bytes = unhex(key.strip_prefix(KEY_PREFIX)?).ok()?;
        bytes.try_into().ok().map(OpId)
    }
}

impl From<DerivedId> for OpId {
    fn from(id: DerivedId) -> OpId {
        OpId(*id.bytes())
    }
}

impl From<PaymentId> for OpId {
    fn from(id: PaymentId) -> OpId {
        OpId(*id.bytes())
    }
}

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpId({self})")
    }
}

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// Asks for money: [`Rail::begin`].
    Pay,
    /// Gives money back: [`Rail::refund`].
    Refund,
    /// Gives up a payment that has no money yet: [`Rail::cancel`].
    Cancel,
}

/// One operation, as its row says it: written in the commit of the decision, before any call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// Its id, from which the key derives.
    pub op_id: OpId,
    /// What it does.
    pub kind: OpKind,
    /// The order it belongs to.
    pub order: OrderId,
    /// The money it moves; of a cancellation the amount of the payment.
    pub amount: Money,
}

impl Op {
    /// The idempotency key of every attempt, see [`OpId::key`].
    pub fn key(&self) -> String {
        self.op_id.key()
    }
}

/// What a payment says beside its amount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// How the buyer pays.
    pub method: PayMethod,
    /// What the buyer's statement and the provider's console show, at most 500 characters; no personal data.
    pub description: String,
}

/// How the buyer pays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayMethod {
    /// By a mandate that the buyer has given before: captured at once.
    Mandate,
    /// By an act of the payer at the provider.
    Payer,
}

/// The provider's name of a payment or refund: 1 to [`RAIL_REF_CHARS_MAX`] of `A-Z a-z 0-9 _ -`, so it is safe in a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RailRef(String);

/// A text that is not a rail's reference: `rail.reference`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rail.reference")]
pub struct RailRefInvalid;

impl RailRef {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RailRef {
    type Error = RailRefInvalid;
    fn try_from(text: String) -> Result<RailRef, RailRefInvalid> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if plain && (1..=RAIL_REF_CHARS_MAX).contains(&text.len()) {
            Ok(RailRef(text))
        } else {
            Err(RailRefInvalid)
        }
    }
}

impl FromStr for RailRef {
    type Err = RailRefInvalid;
    fn from_str(text: &str) -> Result<RailRef, RailRefInvalid> {
        RailRef::try_from(text.to_owned())
    }
}

impl From<RailRef> for String {
    fn from(reference: RailRef) -> String {
        reference.0
    }
}

impl fmt::Display for RailRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a rail can do; the engine asks here instead of knowing rails by name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// A refund may be less than the payment, and several may follow.
    pub partial_refund: bool,
    /// The signature of a webhook covers its body, so that its content may be used without a fetch.
    pub webhook_covers_body: bool,
    /// For how long the rail remembers a key; `None` for ever. Past it: fetch before a resend.
    pub key_memory: Option<Span>,
}

/// What happens next after [`Rail::begin`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextAction {
    /// Nothing: the provider has ended its work. The state says how much came, which need not be what was asked.
    Done(RailPayment),
    /// The buyer goes to this address and pays there.
    Redirect {
        /// Where the buyer pays.
        url: String,
        /// The payment as it stands.
        payment: RailPayment,
    },
}

impl NextAction {
    /// The payment as the provider has it.
    pub fn payment(&self) -> &RailPayment {
        match self {
            NextAction::Done(payment) | NextAction::Redirect { payment, .. } => payment,
        }
    }
}

/// How far a payment is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PaymentStatus {
    /// Waits for money; a part may have come.
    Open,
    /// The whole amount has come, or more.
    Paid,
    /// Given up. Money may come all the same; it stands in `received`.
    Cancelled,
    /// The provider or the buyer's bank said no.
    Refused {
        /// The provider's code.
        code: String,
    },
}

/// One arrival of money. Its reference is the external id of the transfer (spec/money.md 4.3 P1, P2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The provider's name of this arrival.
    pub rail_ref: RailRef,
    /// What came.
    pub amount: Money,
    /// When the provider had it.
    pub at: Time,
}

/// A payment as the provider has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RailPayment {
    /// The provider's name of the payment.
    pub rail_ref: RailRef,
    /// The idempotency key under which it was made; [`OpId::from_key`] gives the op.
    pub key: String,
    /// Our reference: the order's id in hex.
    pub reference: String,
    /// How far it is.
    pub status: PaymentStatus,
    /// What was asked for.
    pub amount: Money,
    /// The sum of all receipts; less, equal to or more than `amount`.
    pub received: Money,
    /// The sum of all refunds that were done.
    pub refunded: Money,
    /// Every arrival of money, oldest first.
    pub receipts: Vec<Receipt>,
}

/// How a refund ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RefundStatus {
    /// The money has left.
    Succeeded,
    /// The provider said no; nothing moved.
    Refused {
        /// The provider's code.
        code: String,
    },
}

/// A refund as the provider has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RailRefund {
    /// The provider's name of the refund.
    pub rail_ref: RailRef,
    /// The idempotency key under which it was made; [`OpId::from_key`] gives the op.
    pub key: String,
    /// The payment that it gives back from.
    pub payment: RailRef,
    /// How it ended.
    pub status: RefundStatus,
    /// What it gives back.
    pub amount: Money,
}

/// What a rail says about one of its objects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RailState {
    /// The rail has no such object: an op in doubt is sent again with the same key.
    NotFound,
    /// A payment.
    Payment(RailPayment),
    /// A refund.
    Refund(RailRefund),
}

impl RailState {
    /// The op that made the object, read from its key; `None` when there is no object or the key is not of ours.
    pub fn op_id(&self) -> Option<OpId> {
        match self {
            RailState::NotFound => None,
            RailState::Payment(payment) => OpId::from_key(&payment.key),
            RailState::Refund(refund) => OpId::from_key(&refund.key),
        }
    }
}

/// What to ask a rail about. A cancellation has no object of its own: ask for its payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchBy<'a> {
    /// The payment that an op of kind [`OpKind::Pay`] made.
    PaymentOf(OpId),
    /// The refund that an op of kind [`OpKind::Refund`] made.
    RefundOf(OpId),
    /// A payment by the rail's reference.
    Payment(&'a RailRef),
    /// A refund by the rail's reference.
    Refund(&'a RailRef),
}

/// What a webhook tells. Events repeat and come in any order: one is a reason to look, not a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RailEvent {
    /// Unique at the rail; the raw event is stored under (rail, event id).
    pub event_id: String,
    /// When the provider made it.
    pub at: Time,
    /// The object as it was at that time; never [`RailState::NotFound`].
    pub state: RailState,
}

/// Why a call to a rail gave no state.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RailError {
    /// The provider said no, in so many words. This ends the op.
    #[error("rail.refused: {code}")]
    Refused {
        /// The provider's code.
        code: String,
    },
    /// Time-out, lost connection, 5xx, unreadable answer, or the first attempt still runs: it may have happened.
    #[error("rail.unknown")]
    Unknown,
    /// Asked to come back later; nothing has happened.
    #[error("rail.throttled")]
    Throttled {
        /// How long the provider wants us to wait.
        after: Span,
    },
    /// Our set-up or our request is wrong, the same again would not help: a person must look. Ends no op.
    #[error("rail.config: {code}")]
    Config {
        /// What is wrong: our own code or the provider's.
        code: String,
    },
}

impl RailError {
    /// The stable code, `rail.reason`.
    pub fn code(&self) -> &'static str {
        match self {
            RailError::Refused { .. } => "rail.refused",
            RailError::Unknown => "rail.unknown",
            RailError::Throttled { .. } => "rail.throttled",
            RailError::Config { .. } => "rail.config",
        }
    }
}

/// What every call to a rail gives.
pub type RailResult<T> = Result<T, RailError>;

/// A payment provider. Every method may be called again at any time with the same op: one key moves money once.
#[async_trait]
pub trait Rail: Send + Sync {
    /// Its name in op rows and in the path of its webhook, e.g. `sandbox`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn caps(&self) -> &Caps;

    /// Asks for money (op of kind [`OpKind::Pay`]).
    async fn begin(&self, op: &Op, payment: &Payment) -> RailResult<NextAction>;

    /// Gives back `op.amount` of a payment (op of kind [`OpKind::Refund`]).
    async fn refund(&self, op: &Op, payment: &RailRef) -> RailResult<RailRefund>;

    /// Gives up a payment that has no money yet (op of kind [`OpKind::Cancel`]); the same payment twice is no error.
    async fn cancel(&self, op: &Op, payment: &RailRef) -> RailResult<RailPayment>;

    /// What the rail has now. This is the truth; an event is only a hint to it.
    async fn fetch(&self, by: FetchBy<'_>) -> RailResult<RailState>;

    /// Checks a webhook's signature over the raw body and reads it; kinds that we do not use give no event.
    fn verify(&self, headers: &HeaderMap, raw_body: &[u8], now: Time)
    -> Result<Vec<RailEvent>, WebhookError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_op_back() {
        let op = OpId::from_bytes([0xab; 16]);
        assert_eq!(op.key(), "souk-abababababababababababababababab");
        assert_eq!(OpId::from_key(&op.key()), Some(op));
        for other in ["", "souk-", "souk-AB", "souk-abab", "shop-abababababababababababababababab"] {
            assert_eq!(OpId::from_key(other), None, "{other}");
        }
    }

    #[test]
    fn a_reference_is_safe_in_a_path() {
        for good in ["pay_1", "a", &"x".repeat(RAIL_REF_CHARS_MAX)] {
            assert!(good.parse::<RailRef>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "..", "é", "a?b", &"x".repeat(RAIL_REF_CHARS_MAX + 1)] {
            assert_eq!(bad.parse::<RailRef>(), Err(RailRefInvalid), "{bad}");
        }
    }
}
