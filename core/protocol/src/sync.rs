//! Push, pull and hints: requests and answers of `/v1/sync/*` (spec/sync.md 5, 4.10).
//!
//! Not for: positions, streams and cursors' meaning (engine and device). Always: one malformed item or scope spoils
//! neither the request nor its neighbours.

use serde::{Deserialize, Serialize};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::Bucket;

mod block;
mod live;
mod pull;
mod push;
#[cfg(test)]
mod tests;

pub use block::{Block, BlockOp, Put, Removed, RowsOf, blocks, rows_of};
pub use live::{HINT_EVENT, Hint, LIVE_END_EVENT};
pub use pull::{
    Applied, PullRequest, PullResponse, ResetWhy, RowsPage, ScopeAsked, ScopeKind, ScopePulled, Sum,
};
pub use push::{
    IntentItem, PushItem, PushRequest, PushResponse, PushResult, PushState, Sig, SignedText, Slow, VoidItem,
    VoidMark,
};

/// Version of the protocol that this program speaks.
pub const VERSION: u32 = 1;
/// Oldest version that a server of this program answers (v, v - 1, v - 2).
pub const VERSION_MIN: u32 = 1;
/// Version of the row set: another one resets the scopes concerned.
pub const SCHEMA: u32 = 1;

/// A part that a push has changed, `[bucket, seq]`: the next pull names it again, so that new parts are included and
/// a replica that is behind says `later`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(from = "(Bucket, u64)", into = "(Bucket, u64)")]
pub struct Touch {
    /// The part's bucket.
    pub bucket: Bucket,
    /// Its sequence after the change.
    pub seq: u64,
}

impl From<(Bucket, u64)> for Touch {
    fn from((bucket, seq): (Bucket, u64)) -> Touch {
        Touch { bucket, seq }
    }
}

impl From<Touch> for (Bucket, u64) {
    fn from(touch: Touch) -> (Bucket, u64) {
        (touch.bucket, touch.seq)
    }
}

/// A lane by its name, for `#[serde(with = "lane_name")]`.
pub(crate) mod lane_name {
    use super::{Deserialize as _, Lane};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(lane: &Lane, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(lane.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lane, D::Error> {
        let name = String::deserialize(deserializer)?;
        Lane::from_name(&name).ok_or_else(|| serde::de::Error::custom("not a lane"))
    }
}
