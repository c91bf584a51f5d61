//! `GET /v1/sync/live?scopes=`: server-sent events that say where to look, and carry no data (spec/sync.md 4.10).

use serde::{Deserialize, Serialize};

/// Name of the event that carries a [`Hint`].
pub const HINT_EVENT: &str = "hint";
/// Name of the event after which the stream ends: the token runs out, or the device was cut off.
pub const LIVE_END_EVENT: &str = "end";

/// A scope has changed. No duty of order, no rows, so no rights to check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hint {
    /// The scope.
    pub s: String,
    /// Its sequence in the part that changed, where one part is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}
