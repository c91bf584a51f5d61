//! `POST /v1/sync/push` and `POST /v1/intents/{kind}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use souk_crypto::sign::{Alg, PublicKey, SIGNATURE_LEN};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{Bucket, IntentId};
use souk_domain::outcome::Refusal;
use souk_domain::time::Time;

use super::Touch;
use crate::limits::{PUSH_BYTES_HARD_MAX, PUSH_BYTES_MAX, PUSH_ITEMS_MAX};
use crate::outcome::OutcomeView;

/// Intents of one device, in the order of their streams.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PushRequest {
    /// Protocol version.
    pub v: u32,
    /// Program and version, e.g. `android/1.4.0`.
    pub app: String,
    /// The device's epoch.
    pub epoch: u32,
    /// The generation of the server's data that the device knows; 0 = none yet.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// What to decide; at most [`PUSH_ITEMS_MAX`].
    pub items: Vec<PushItem>,
}

impl PushRequest {
    /// Checks number and size: at most 256 items and 64 KiB, or one item and 128 KiB. `body_bytes` = size of the
    /// request before compression. Refuses `request.too_large{limit, size}`.
    pub fn check(&self, body_bytes: usize) -> Result<(), Refusal> {
        let refuse = |limit: usize, size: usize| {
            Err(Refusal::new("request.too_large").with("limit", limit as i64).with("size", size as i64))
        };
        if self.items.len() > PUSH_ITEMS_MAX {
            return refuse(PUSH_ITEMS_MAX, self.items.len());
        }
        let limit = if self.items.len() > 1 { PUSH_BYTES_MAX } else { PUSH_BYTES_HARD_MAX };
        if body_bytes > limit { refuse(limit, body_bytes) } else { Ok(()) }
    }
}

/// One item. What is neither form is kept as it came, so that it is refused alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PushItem {
    /// An intent.
    Intent(IntentItem),
    /// Takes an intent back that is not decided yet.
    Void(VoidItem),
    /// Neither: answered by `refused` `intent.form`.
    Malformed(Value),
}

/// An intent with its place in its stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IntentItem {
    /// Lane of the stream.
    #[serde(with = "super::lane_name")]
    pub lane: Lane,
    /// Bucket of the stream.
    pub bucket: Bucket,
    /// Position in the stream, from 1; not signed, given at sending.
    pub pos: u64,
    /// Text, bytes and signature.
    #[serde(flatten)]
    pub signed: SignedText,
}

/// A text with what travels beside it: an item of a push, or the body of a one-intent request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedText {
    /// The text, exactly as tapped.
    pub text: String,
    /// Bytes beside the text, base64url.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::base64url")]
    pub bin: Vec<u8>,
    /// The device's signature, where one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sig: Option<Sig>,
}

/// A device's signature over D of a text (spec/sync.md 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sig {
    /// 0 = Ed25519, 1 = ES256.
    pub alg: u8,
    /// First 8 bytes of SHA-256 of the public key, 16 hex digits.
    #[serde(with = "souk_domain::bytes")]
    pub key: [u8; 8],
    /// r||s, 64 bytes in base64url.
    #[serde(with = "crate::base64url")]
    pub s: [u8; SIGNATURE_LEN],
}

impl Sig {
    /// The signature of a key.
    pub fn of(key: &PublicKey, s: [u8; SIGNATURE_LEN]) -> Sig {
        Sig { alg: key.alg().into(), key: key.key_id(), s }
    }

    /// Whether it is this key's signature over D.
    pub fn verify(&self, key: &PublicKey, d: &[u8; 32]) -> bool {
        Alg::try_from(self.alg) == Ok(key.alg()) && self.key == key.key_id() && key.verify(d, &self.s).is_ok()
    }
}

/// A void item: one that is known answers its stored outcome, one that is not can never be executed any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VoidItem {
    /// Lane of the stream.
    #[serde(with = "super::lane_name")]
    pub lane: Lane,
    /// Bucket of the stream.
    pub bucket: Bucket,
    /// Position in the stream, from 1.
    pub pos: u64,
    /// The intent to take back.
    pub id: IntentId,
    /// Hash of its text.
    #[serde(with = "souk_domain::bytes")]
    pub hash: [u8; 32],
    /// Says that this is no intent.
    pub void: VoidMark,
}

/// `true` and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "bool", into = "bool")]
pub struct VoidMark;

impl TryFrom<bool> for VoidMark {
    type Error = &'static str;
    fn try_from(mark: bool) -> Result<VoidMark, &'static str> {
        if mark { Ok(VoidMark) } else { Err("a void item says true") }
    }
}

impl From<VoidMark> for bool {
    fn from(_: VoidMark) -> bool {
        true
    }
}

/// The answer: one result an item, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PushResponse {
    /// The generation of the server's data.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The server's time.
    pub now: Time,
    /// Results.
    pub results: Vec<PushResult>,
    /// Lanes to leave alone for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slow: Vec<Slow>,
    /// Parts changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touch: Vec<Touch>,
}

/// A lane that the server cannot keep up with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Slow {
    /// Which.
    #[serde(with = "super::lane_name")]
    pub lane: Lane,
    /// For how long, milliseconds.
    pub after_ms: u64,
}

/// What became of one item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PushResult {
    /// Its id; absent when the item was too broken to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<IntentId>,
    /// What became of it.
    #[serde(flatten)]
    pub state: PushState,
}

/// What became of an item. What a retry cannot cure is a stored outcome; what it may cure is `later`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PushState {
    /// It has its outcome, now or from before.
    Decided {
        /// The outcome.
        outcome: OutcomeView,
    },
    /// The id is known with another text: an alarm, and never decided.
    Conflict,
    /// Not now.
    Later {
        /// Earliest next try, milliseconds from now.
        after_ms: u64,
    },
    /// The position is not the next of its stream; the rest of that stream was left alone.
    Fork {
        /// Last position used.
        last: u64,
    },
    /// Not stored: only a broken client sees it (`intent.actor`, `intent.form` without an id).
    Refused {
        /// Stable code.
        code: String,
    },
}
